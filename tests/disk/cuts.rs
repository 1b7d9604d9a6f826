//! The power goes at any moment of a random history: what was acknowledged is there, once, and the
//! sums are right.

use crate::disk::{Fault, Image};
use crate::world::{CREDITS, ORG, Place, World};
use std::collections::{BTreeMap, BTreeSet};
use tenure::store::sqlite::SqliteOptions;
use tenure::{
    Correction, Entitlement, EntitlementSource, HistoryFilter, NewGrant, PAGE_MAX, Quantity,
    Result, Track, UsageEvent,
};
use time::Duration;

/// How many losses of power there are in all, unless `TENURE_POWER_CUTS` says otherwise.
const CUTS: u64 = 10_000;
/// How many a store goes through before a new one is begun.
const STORE: u64 = 10;

/// One change that can be tried again.
#[derive(Debug, Clone)]
enum Change {
    Track {
        key: String,
        quantity: i32,
    },
    /// Takes some usage back.
    Refund {
        key: String,
        quantity: i32,
    },
    Grant {
        key: String,
    },
    /// Several tracks in one transaction.
    Tracks {
        key: String,
        many: u64,
    },
    /// Time passes, and what follows is done.
    Tick,
}

impl Change {
    fn make(&self, world: &World) -> Result<()> {
        let track = |key: &str, quantity: i32| Track::new(ORG, CREDITS).quantity(quantity).key(key);
        match self {
            Self::Track { key, quantity } => {
                world.tenure.write(|tx| tx.track(&track(key, *quantity)).map(drop))
            }
            Self::Refund { key, quantity } => {
                let refund = Correction::new(ORG, CREDITS, -*quantity, "refund").key(key.as_str());
                world.tenure.write(|tx| tx.adjust_usage(&refund).map(drop))
            }
            Self::Grant { key } => {
                let grant = NewGrant::of(CREDITS, 10).key(key.as_str());
                world.tenure.write(|tx| tx.grant(world.customer, &grant).map(drop))
            }
            Self::Tracks { key, many } => world.tenure.write(|tx| {
                for number in 0..*many {
                    tx.track(&track(&format!("{key}.{number}"), 1))?;
                }
                Ok(())
            }),
            Self::Tick => world.tenure.tick().map(drop),
        }
    }

    /// What it leaves in the ledger, by key.
    fn usage(&self) -> Vec<(String, Quantity)> {
        match self {
            Self::Track { key, quantity } => vec![(key.clone(), Quantity::from(*quantity))],
            Self::Refund { key, quantity } => vec![(key.clone(), Quantity::from(-*quantity))],
            Self::Tracks { key, many } => {
                (0..*many).map(|it| (format!("{key}.{it}"), Quantity::ONE)).collect()
            }
            Self::Grant { .. } | Self::Tick => Vec::new(),
        }
    }
}

/// What must be in the store, and what may be.
#[derive(Debug, Default)]
struct Expected {
    usage: BTreeMap<String, Quantity>,
    grants: BTreeSet<String>,
}

impl Expected {
    fn add(&mut self, change: &Change) {
        self.usage.extend(change.usage());
        if let Change::Grant { key } = change {
            self.grants.insert(key.clone());
        }
    }
}

/// A history on one store, in which the power goes again and again.
pub struct History<'p> {
    place: &'p Place,
    options: SqliteOptions,
    expected: Expected,
    number: u64,
    /// Open since the power came back.
    world: Option<World>,
}

impl<'p> History<'p> {
    pub fn begin(place: &'p Place, image: &Image, seed: u64, options: SqliteOptions) -> Self {
        place.start(image, seed);
        let first = [("first".to_owned(), Quantity::from(5))];
        let expected = Expected { usage: first.into(), ..Expected::default() };
        Self { place, options, expected, number: 0, world: None }
    }

    fn random(&self, below: u64) -> u64 {
        self.place.disk.random() % below
    }

    fn change(&mut self) -> Change {
        self.number += 1;
        let key = format!("k{}", self.number);
        let quantity = i32::try_from(1 + self.random(5)).unwrap();
        match self.random(12) {
            0 => Change::Grant { key },
            1 => Change::Tracks { key, many: 1 + self.random(8) },
            // The usage of one window at least.
            2 if self.expected.usage.len() > 3 => Change::Refund { key, quantity: 1 },
            3 => {
                self.place.advance(Duration::hours(12));
                Change::Tick
            }
            _ => Change::Track { key, quantity },
        }
    }

    /// Makes changes until the power goes, looks what is left, and tries the last one again; whether
    /// it was done once is seen the next time. Returns what was lost.
    pub fn go_on(&mut self) -> std::result::Result<(), String> {
        let open = || self.place.open_with(&self.options).map_err(|error| error.to_string());
        let world = self.world.take().map_or_else(open, Ok)?;
        self.settle(&world);
        let nth = 1 + usize::try_from(self.random(120)).unwrap();
        self.place.disk.fail(Fault::PowerCut { nth });
        let unknown = loop {
            let change = self.change();
            match change.make(&world) {
                Ok(()) => self.expected.add(&change),
                // Refused for what it is, with the power on.
                Err(error) if error.code() != tenure::ErrorCode::Unavailable => {
                    return Err(format!("{change:?}: {error:?}"));
                }
                Err(_) => break change,
            }
        };
        drop(world);
        self.place.disk.lose_power();

        let world = self.place.open_with(&self.options).map_err(|error| error.to_string())?;
        self.look(&world, Some(&unknown))?;
        unknown.make(&world).map_err(|error| format!("{unknown:?}, again: {error}"))?;
        self.expected.add(&unknown);
        self.world = Some(world);
        Ok(())
    }

    /// Sets how soon the log is moved into the file, so that this too is interrupted.
    fn settle(&self, world: &World) {
        let pages = i64::try_from(5 + self.random(100)).unwrap();
        let set = world.store.transaction(&mut |connection, _| {
            Ok(connection.pragma_update(None, "wal_autocheckpoint", pages)?)
        });
        set.unwrap();
    }

    /// Compares what is there with what must be; a change that was interrupted may be there, whole.
    fn look(&self, world: &World, unknown: Option<&Change>) -> std::result::Result<(), String> {
        let kept = world.tenure.read(|view| {
            let filter = HistoryFilter::default();
            let mut all: Vec<UsageEvent> = Vec::new();
            let mut cursor = None;
            loop {
                let page = view.usage_history(
                    world.customer,
                    CREDITS,
                    &filter,
                    PAGE_MAX,
                    cursor.as_ref(),
                )?;
                all.extend(page.items);
                cursor = page.next;
                if cursor.is_none() {
                    return Ok::<_, tenure::Error>(all);
                }
            }
        });
        let kept = kept.map_err(|error| error.to_string())?;
        let mut usage = BTreeMap::new();
        for event in &kept {
            if usage.insert(event.idempotency_key.to_string(), event.quantity).is_some() {
                return Err(format!("{} counts twice", event.idempotency_key));
            }
        }
        let mut with = self.expected.usage.clone();
        with.extend(unknown.into_iter().flat_map(Change::usage));
        if usage != self.expected.usage && usage != with {
            let lost = self.expected.usage.keys().filter(|key| !usage.contains_key(*key));
            return Err(format!("lost: {:?}, of {}", lost.collect::<Vec<_>>(), with.len()));
        }
        let grants = world.tenure.read(|view| view.entitlements(world.customer));
        let grants = grants.map_err(|error| error.to_string())?;
        let is_grant = |it: &&Entitlement| {
            it.feature_code.as_str() == CREDITS && it.source != EntitlementSource::Plan
        };
        let grants = grants.iter().filter(is_grant).count();
        let may = usize::from(matches!(unknown, Some(Change::Grant { .. })));
        if grants != self.expected.grants.len() && grants != self.expected.grants.len() + may {
            return Err(format!("{grants} grants of {}", self.expected.grants.len()));
        }
        let sums = world.tenure.verify(|_| ()).map_err(|error| error.to_string())?;
        if !sums.is_sound() {
            return Err(format!("{sums:?}"));
        }
        Ok(())
    }
}

/// A seed of this run: another for every number.
fn seed(number: u64) -> u64 {
    let first = std::env::var("TENURE_SEED").ok().and_then(|it| it.parse().ok()).unwrap_or(0_u64);
    first.wrapping_add(number).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn many_cuts(part: u64, parts: u64) {
    let cuts = std::env::var("TENURE_POWER_CUTS").ok().and_then(|it| it.parse().ok());
    let stores = cuts.unwrap_or(CUTS).div_ceil(STORE);
    let place = Place::new();
    let image = place.furnish();
    for store in (part..stores).step_by(usize::try_from(parts).unwrap()) {
        let mut history = History::begin(&place, &image, seed(store), place.options());
        for cut in 0..STORE {
            history.go_on().unwrap_or_else(|why| {
                panic!("{why}; store {store}, loss of power {cut}: set TENURE_SEED")
            });
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_with_the_power_1() {
    many_cuts(0, 2);
}

#[test]
fn nothing_acknowledged_is_lost_with_the_power_2() {
    many_cuts(1, 2);
}

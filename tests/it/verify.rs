//! Two books of the same usage, counters and ledger: they agree, and where a fault made them
//! differ, it is found and mended.

use crate::metered::{CREDITS, credits, q};
use crate::support::{BEGINNING, Clock, World};
use crate::tampered::Tampered;
use proptest::prelude::*;
use std::collections::HashMap;
use tenure::store::memory::MemoryStore;
use tenure::{
    AccessPatch, Correction, CustomerId, Error, NewGrant, Overage, Quantity, Reconciliation,
    ResetPeriod, Track, UsageResult,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

stories![
    sound_books_are_found_sound,
    to_reconcile_sound_books_changes_nothing,
    to_verify_tells_how_far_it_is,
    there_is_nothing_to_reconcile_without_a_meter,
];

fn reconcile(world: &World, customer: CustomerId) -> Reconciliation {
    world.tenure.write(|tx| tx.reconcile(customer, CREDITS)).unwrap()
}

/// Usage of every sort, in three windows.
fn busy(world: &World) -> CustomerId {
    let acme = world.meter_with(100, Overage::Allow);
    let event = world.track(&credits(acme, 30)).unwrap().event_id;
    let refund = Correction::new(acme, CREDITS, -10, "refund").of(event);
    world.tenure.write(|tx| tx.adjust_usage(&refund)).unwrap();
    world.clock.set(datetime!(2026-03-05 0:00 UTC));
    world.track(&credits(acme, q("1.5"))).unwrap();
    world.track(&credits(acme, 5).at(BEGINNING)).unwrap();
    let recount = Correction::new(acme, CREDITS, 250, "recount");
    world.tenure.write(|tx| tx.set_usage(&recount)).unwrap();
    world.clock.set(datetime!(2026-04-05 0:00 UTC));
    world.track(&credits(acme, 7)).unwrap();
    acme
}

fn sound_books_are_found_sound(world: &World) {
    busy(world);
    let globex = world.someone("Globex");
    world.allow(globex, CREDITS, &AccessPatch::new());
    let verification = world.tenure.verify(|_| {}).unwrap();
    assert!(verification.is_sound(), "{verification:?}");
    assert_eq!((verification.meters, verification.events), (2, 6));
}

fn to_reconcile_sound_books_changes_nothing(world: &World) {
    let acme = busy(world);
    let before = world.state(acme);
    let reconciled = reconcile(world, acme);
    assert!(reconciled.discrepancies.is_empty());
    assert_eq!(reconciled.meter.used, q("7"));
    assert_eq!(world.state(acme), before);
}

fn to_verify_tells_how_far_it_is(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    for n in 0..5 {
        let customer = world.someone(&format!("Customer {n}"));
        world.allow(customer, CREDITS, &AccessPatch::new());
        world.track(&credits(customer, 1)).unwrap();
    }
    let mut heard = Vec::new();
    let verification = world.tenure.verify(|meters| heard.push(meters)).unwrap();
    assert_eq!(heard, [1, 2, 3, 4, 5]);
    assert_eq!((verification.meters, verification.events), (5, 5));
}

fn there_is_nothing_to_reconcile_without_a_meter(world: &World) {
    let acme = world.someone("Acme Inc.");
    let missing = world.tenure.write(|tx| tx.reconcile(acme, CREDITS)).unwrap_err();
    assert!(missing.is_not_found());
    let nobody = world.tenure.write(|tx| tx.reconcile("org_9", CREDITS)).unwrap_err();
    assert!(nobody.is_not_found());
}

#[test]
fn a_counter_that_is_wrong_is_found_and_mended() {
    let store = Tampered::over(MemoryStore::new());
    let world = World::over(store.clone(), |builder| builder);
    let acme = busy(&world);
    for by in [1, -7_000_000, 1_000_000_000] {
        store.shift("meter", "used", by);
        let verification = world.tenure.verify(|_| {}).unwrap();
        let [found] = &verification.discrepancies[..] else { panic!("{verification:?}") };
        assert_eq!((found.customer_id, found.feature_code.as_str()), (acme, CREDITS));
        assert_eq!(found.computed, q("7"));
        assert_eq!(found.stored.millionths(), 7_000_000 + by);
        assert_eq!(found.window_start, datetime!(2026-03-31 12:00 UTC));
        let (before, told) = (world.history(acme), world.times_told("meter.reconciled"));
        let reconciled = reconcile(&world, acme);
        assert_eq!(reconciled.discrepancies, verification.discrepancies);
        assert_eq!(reconciled.meter.used, q("7"));
        assert_eq!(world.used(acme), q("7"));
        assert_eq!(world.history(acme), before, "the ledger is the truth and is not touched");
        assert_eq!(world.times_told("meter.reconciled"), told + 1);
        world.assert_sound();
        assert!(reconcile(&world, acme).discrepancies.is_empty());
    }
    let all = |view: &tenure::View<'_>| view.usage_snapshots(acme, CREDITS, 100, None);
    let snapshots = world.tenure.read(all).unwrap().items;
    let kinds = snapshots.iter().filter(|it| it.snapshot_type.as_str() == "reconciliation");
    assert_eq!(kinds.map(|it| it.absolute_value).collect::<Vec<_>>(), [q("7"); 3]);
}

#[test]
fn a_window_that_is_wrong_is_found_and_mended() {
    let store = Tampered::over(MemoryStore::new());
    let world = World::over(store.clone(), |builder| builder);
    let acme = busy(&world);
    store.shift("usage_window", "used", 1);
    let found = world.tenure.verify(|_| {}).unwrap().discrepancies;
    let computed: Vec<_> = found.iter().map(|it| it.computed.to_string()).collect();
    assert_eq!(computed, ["25", "250"]);
    reconcile(&world, acme);
    world.assert_sound();
    // What the running window shows is not concerned.
    assert_eq!(world.used(acme), q("7"));
}

#[test]
fn a_ledger_entry_that_was_changed_is_found() {
    let store = Tampered::over(MemoryStore::new());
    let world = World::over(store.clone(), |builder| builder);
    busy(&world);
    store.shift("usage_event", "quantity", 1);
    assert_eq!(world.tenure.verify(|_| {}).unwrap().discrepancies.len(), 3);
}

/// One thing that can happen to a meter.
#[derive(Debug, Clone)]
enum Step {
    Track {
        key: u8,
        quantity: i64,
        ago: Option<i64>,
    },
    Set {
        key: u8,
        value: i64,
    },
    Adjust {
        key: u8,
        by: i64,
        of: Option<u8>,
    },
    Move {
        seconds: i64,
    },
    /// To so many seconds after the next reset.
    Near {
        seconds: i64,
    },
    Limit {
        limit: Option<i64>,
    },
    Period {
        period: ResetPeriod,
    },
    Grant {
        quantity: i64,
        days: i64,
    },
    Enable {
        on: bool,
    },
    Tick,
}

fn steps() -> impl Strategy<Value = Step> {
    const DAY: i64 = 86_400;
    let quantity = || prop_oneof![1..=3_i64, Just(1_000_000), 1..=9_000_000_i64];
    let ago = prop_oneof![
        2 => Just(None),
        1 => (-300..=40 * DAY).prop_map(Some),
        1 => (-301..=301_i64).prop_map(Some),
    ];
    let track = (any::<u8>(), quantity(), ago);
    let of = proptest::option::of(any::<u8>());
    prop_oneof![
        10 => track.prop_map(|(key, quantity, ago)| Step::Track { key, quantity, ago }),
        2 => (any::<u8>(), 0..=9_000_000_i64).prop_map(|(key, value)| Step::Set { key, value }),
        4 => (any::<u8>(), -6_000_000..=3_000_000_i64, of)
            .prop_map(|(key, by, of)| Step::Adjust { key, by: if by == 0 { 1 } else { by }, of }),
        5 => prop_oneof![-40 * DAY..=40 * DAY, -400..=400_i64, Just(3_650 * DAY)]
            .prop_map(|seconds| Step::Move { seconds }),
        3 => (-301..=301_i64).prop_map(|seconds| Step::Near { seconds }),
        1 => proptest::option::of(0..=20_000_000_i64).prop_map(|limit| Step::Limit { limit }),
        1 => prop::sample::select(ResetPeriod::ALL).prop_map(|period| Step::Period { period }),
        1 => (1..=5_000_000_i64, 1..=60_i64)
            .prop_map(|(quantity, days)| Step::Grant { quantity, days }),
        1 => any::<bool>().prop_map(|on| Step::Enable { on }),
        1 => Just(Step::Tick),
    ]
}

/// A run of steps and what it has to remember: the first answer to every key.
struct Run {
    world: World,
    customer: CustomerId,
    overage: Overage,
    answers: HashMap<u8, (Step, OffsetDateTime, UsageResult)>,
}

impl Run {
    fn new(overage: Overage) -> Self {
        let world = World::memory();
        let customer = world.meter_with(10, overage);
        Self { world, customer, overage, answers: HashMap::new() }
    }

    fn clock(&self) -> &Clock {
        &self.world.clock
    }

    /// The call that a step makes at an instant.
    fn call(&self, step: &Step, now: OffsetDateTime) -> Option<(u8, tenure::Result<UsageResult>)> {
        let world = &self.world;
        let correction = |key: u8, quantity: i64| {
            let quantity = Quantity::from_millionths(quantity);
            Correction::new(self.customer, CREDITS, quantity, "why").key(format!("k{key}"))
        };
        match *step {
            Step::Track { key, quantity, ago } => {
                let quantity = Quantity::from_millionths(quantity);
                let mut track: Track = credits(self.customer, quantity).key(format!("k{key}"));
                if let Some(ago) = ago {
                    track = track.at(now - Duration::seconds(ago));
                }
                Some((key, world.track(&track)))
            }
            Step::Set { key, value } => {
                let correction = correction(key, value);
                Some((key, world.tenure.write(|tx| tx.set_usage(&correction))))
            }
            Step::Adjust { key, by, of } => {
                let mut correction = correction(key, by);
                if let Some((.., of)) = of.and_then(|of| self.answers.get(&of)) {
                    correction = correction.of(of.event_id);
                }
                Some((key, world.tenure.write(|tx| tx.adjust_usage(&correction))))
            }
            _ => None,
        }
    }

    fn step(&mut self, step: &Step) {
        let (world, now) = (&self.world, self.clock().now());
        let Some((key, outcome)) = self.call(step, now) else {
            return self.turn(step);
        };
        match outcome {
            Ok(result) if result.duplicate => {
                assert_eq!(result.event_id, self.answers[&key].2.event_id);
            }
            Ok(result) => {
                assert!(!result.current_usage.is_negative());
                if let (Step::Track { .. }, Overage::Reject | Overage::Clamp) = (step, self.overage)
                    && let Some(limit) = result.quantity_limit
                {
                    assert!(result.current_usage <= limit, "{result:?}");
                }
                let known = self.answers.insert(key, (step.clone(), now, result));
                assert!(known.is_none(), "the key counted twice");
            }
            Err(Error::KeyReused { .. }) => assert!(self.answers.contains_key(&key)),
            Err(Error::Store(error)) => panic!("{error}"),
            Err(_) => assert!(!self.answers.contains_key(&key), "a taken key was refused"),
        }
        assert!(!world.used(self.customer).is_negative());
    }

    /// A step that is no usage.
    fn turn(&self, step: &Step) {
        let world = &self.world;
        let patch = match *step {
            Step::Move { seconds } => {
                let wanted = self.clock().now() + Duration::seconds(seconds);
                let bounded = wanted.max(BEGINNING - Duration::days(9));
                return self.clock().set(bounded.min(datetime!(9000-01-01 0:00 UTC)));
            }
            Step::Near { seconds } => {
                if let Some(reset) = world.credits(self.customer).reset_at {
                    self.clock().set(reset + Duration::seconds(seconds));
                }
                return;
            }
            Step::Tick => {
                world.tenure.tick().unwrap();
                return;
            }
            Step::Grant { quantity, days } => {
                let until = self.clock().now() + Duration::days(days);
                let grant = NewGrant::of(CREDITS, Quantity::from_millionths(quantity));
                let grant = grant.valid_until(until);
                world.tenure.write(|tx| tx.grant(self.customer, &grant)).unwrap();
                return;
            }
            Step::Limit { limit } => AccessPatch::new().limit(limit.map(Quantity::from_millionths)),
            Step::Period { period } => AccessPatch::new().resets(period),
            Step::Enable { on } => AccessPatch::new().enabled(on),
            _ => return,
        };
        world.allow(self.customer, CREDITS, &patch);
    }

    /// Every key that counted gives its first answer still, and nothing else was counted.
    fn end(&mut self) {
        self.world.assert_sound();
        let history = self.world.history(self.customer);
        assert_eq!(history.len(), self.answers.len());
        for (step, then, first) in self.answers.values() {
            if matches!(step, Step::Adjust { of: Some(_), .. }) {
                continue;
            }
            let (_, again) = self.call(step, *then).unwrap();
            let again = again.unwrap();
            assert!(again.duplicate);
            assert_eq!(again.current_usage, first.current_usage);
            assert_eq!(again.delta, first.delta);
        }
        assert_eq!(self.world.history(self.customer), history);
        self.world.assert_sound();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_happens_to_a_meter_its_books_agree(
        overage in prop::sample::select(vec![Overage::Reject, Overage::Clamp, Overage::Allow]),
        steps in prop::collection::vec(steps(), 1..60),
    ) {
        let mut run = Run::new(overage);
        for step in &steps {
            run.step(step);
            run.world.assert_sound();
        }
        run.end();
    }
}

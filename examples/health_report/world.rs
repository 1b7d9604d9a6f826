//! A software company with its plans, its people and its customers, and the clock that they live by.

use crate::Result;
use crate::archetypes::Archetype;
use crate::customers::{Simulated, eur};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tenure::store::sqlite::SqliteStore;
use tenure::{BillingCycle, ChannelKind, PAGE_MAX, Tenure, TierDraft, UserDraft};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// A Monday.
const BEGINNING: OffsetDateTime = datetime!(2025-01-06 09:00 UTC);
pub(crate) const WEEKS: u32 = 52;
/// Plans, and what they cost in a year, in whole euros.
pub(crate) const PLANS: [(&str, i64); 3] =
    [("starter", 1_188), ("pro", 5_988), ("enterprise", 23_988)];
const MANAGERS: [&str; 3] = ["Mia Park", "Jonas Weber", "Aisha Bello"];
/// Some three hundred companies with their domains; more are numbered.
const COMPANIES: &str = include_str!("../data/companies.csv");

pub(crate) struct World {
    pub(crate) tenure: Tenure,
    clock: Arc<AtomicI64>,
    customers: Vec<Simulated>,
    dice: Dice,
    names: Vec<String>,
}

/// A small generator of numbers that look random: the same seed, the same year.
pub(crate) struct Dice(u64);

impl Dice {
    /// A number from 0 up to, but not including, 1.
    pub(crate) fn roll(&mut self) -> f64 {
        // An xorshift, as Marsaglia gave it; its upper bits are the better ones.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap_or(0)) / 4_294_967_296.0
    }

    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.roll() < probability
    }

    /// `most` times a share, now a little more, now a little less.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]
    pub(crate) fn about(&mut self, most: f64, share: f64) -> u32 {
        (most * share * (0.75 + self.roll() / 2.0)).round() as u32
    }
}

impl World {
    /// A company with its plans and its customer success managers, and no customer yet.
    pub(crate) fn begin(seed: u64, count: usize) -> Result<Self> {
        let clock = Arc::new(AtomicI64::new(BEGINNING.unix_timestamp()));
        let shown = Arc::clone(&clock);
        let now = move || {
            let seconds = shown.load(Ordering::SeqCst);
            OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(BEGINNING)
        };
        let tenure = Tenure::builder(SqliteStore::in_memory()?).clock(now).open()?;
        tenure.write(|tx| {
            for (plan, euros) in PLANS {
                tx.define_tier(&TierDraft::new(plan).fee(eur(euros), BillingCycle::Yearly))?;
            }
            for name in MANAGERS {
                tx.register_user(name, &UserDraft::default().name(name))?;
            }
            Ok::<_, tenure::Error>(())
        })?;
        // The name comes first, in quotes if there is a comma in it.
        let lines = COMPANIES.lines().skip(1).filter_map(|line| line.rsplit_once(','));
        let more = (1..).map(|number| format!("Company {number}"));
        let names = lines.map(|(name, _)| name.replace('"', "")).chain(more).take(count).collect();
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        Ok(Self { tenure, clock, customers: Vec::new(), dice, names })
    }

    /// A year passes, week by week: customers sign up and live, and after each week tenure does what
    /// is due. Everybody is evaluated every four weeks, and the managers get to work.
    pub(crate) fn live(&mut self) -> Result<()> {
        self.sign_up(0)?;
        for week in 1..=WEEKS {
            self.clock.fetch_add(Duration::WEEK.whole_seconds(), Ordering::SeqCst);
            self.sign_up(week)?;
            let (dice, customers) = (&mut self.dice, &mut self.customers);
            self.tenure
                .write(|tx| customers.iter_mut().try_for_each(|it| it.live(tx, dice, week)))?;
            self.tenure.tick()?;
            if week.is_multiple_of(4) {
                self.tenure.evaluate_all(|_| ())?;
            }
            if week % 4 == 2 {
                self.manage()?;
            }
        }
        Ok(())
    }

    /// The managers do what is due for their customers, but for what is to be done face to face.
    fn manage(&self) -> Result<()> {
        self.tenure.write(|tx| {
            for manager in tx.view().users(MANAGERS.len(), None)?.items {
                for case in tx.view().interventions_of(manager.id, PAGE_MAX, None)?.items {
                    for action in tx.view().intervention_actions(case.id)? {
                        let is_due = action.due_at.is_some_and(|due| due <= tx.now());
                        if is_due
                            && !action.status.is_settled()
                            && action.channel != ChannelKind::Meeting
                        {
                            tx.complete_action(action.id, Some("done"))?;
                        }
                    }
                }
            }
            Ok::<_, tenure::Error>(())
        })?;
        Ok(())
    }

    /// Those sign up whose week it is. Who is there in the first week has been so for a while.
    fn sign_up(&mut self, week: u32) -> Result<()> {
        let (dice, customers) = (&mut self.dice, &mut self.customers);
        let arriving = self.names.iter().enumerate();
        let arriving: Vec<_> =
            arriving.filter(|(number, _)| Archetype::of(*number).arrives == week).collect();
        self.tenure.write(|tx| {
            let managers = tx.view().users(MANAGERS.len(), None)?.items;
            for (number, name) in &arriving {
                let days = if week == 0 { 30.0 + 330.0 * dice.roll() } else { 0.0 };
                let since = tx.now() - Duration::seconds_f64(days * 86_400.0);
                let manager = managers[number % managers.len()].id;
                customers.push(Simulated::sign_up(tx, *number, name, manager, since)?);
            }
            Ok::<_, tenure::Error>(())
        })?;
        Ok(())
    }

    /// When the year began: the first customers had signed up by then.
    pub(crate) fn beginning() -> OffsetDateTime {
        BEGINNING + Duration::DAY
    }

    /// How many customers there are of an archetype.
    pub(crate) fn count(&self, archetype: &Archetype) -> usize {
        self.customers.iter().filter(|it| it.archetype.name == archetype.name).count()
    }

    /// How many customers there ever were.
    pub(crate) fn everybody(&self) -> u64 {
        self.customers.iter().map(|_| 1).sum()
    }

    /// How many of them are gone.
    pub(crate) fn left(&self) -> u64 {
        self.customers.iter().map(|it| u64::from(it.has_left(WEEKS))).sum()
    }
}

//! A portfolio: customers of every sort, loaded through tenure's own operations.

use crate::support::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tenure::domain::facts::names;
use tenure::store::sqlite::{SqliteStore, rusqlite};
use tenure::{
    BillingCycle, Config, CustomerAction, CustomerDraft, CustomerId, FeatureDraft, Money,
    NewMetric, NewSubscription, ResetPeriod, Stage, Tenure, TicketDraft, TierDraft, TierFeature,
    Track,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// When the portfolio is evaluated for the first time.
pub const BEGIN: OffsetDateTime = datetime!(2026-03-03 06:00 UTC);
/// How many customers are loaded in one transaction.
pub const PAGE: usize = 500;

/// How a customer is doing.
#[derive(Clone, Copy, PartialEq)]
enum Sort {
    Healthy,
    Middling,
    Fading,
    AtRisk,
    /// Nothing is known of it.
    Unknown,
}

/// Numbers that look random and are the same in every run.
pub struct Dice(u64);

impl Dice {
    fn of(customer: usize, day: i64) -> Self {
        Self((customer as u64) << 20 ^ day.unsigned_abs())
    }

    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    /// To two decimals.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        let share = self.below(1_001) as f64 / 1_000.0;
        ((low + (high - low) * share) * 100.0).round() / 100.0
    }

    fn whole(&mut self, low: f64, high: f64) -> f64 {
        self.between(low, high).round()
    }
}

fn sort_of(customer: usize) -> Sort {
    match Dice::of(customer, 0).below(100) {
        0..62 => Sort::Healthy,
        62..78 => Sort::Middling,
        78..88 => Sort::Fading,
        88..95 => Sort::AtRisk,
        _ => Sort::Unknown,
    }
}

/// What the host measures of a customer: each of the metrics of the default model.
fn metrics(customer: usize, day: i64) -> Vec<(&'static str, f64)> {
    let dice = &mut Dice::of(customer, day + 1);
    // By how much of what is ideal, days since the last login, answer, tickets.
    let (share, days, nps, tickets) = match sort_of(customer) {
        Sort::Healthy => ((0.75, 1.2), (0.0, 3.0), (7.0, 10.0), (0.0, 1.0)),
        Sort::Middling => ((0.4, 0.8), (1.0, 6.0), (6.6, 9.0), (0.0, 3.0)),
        Sort::Fading => ((0.25, 0.6), (6.0, 13.0), (6.0, 8.0), (1.0, 4.0)),
        Sort::AtRisk => ((0.0, 0.4), (12.0, 28.0), (0.0, 7.0), (2.0, 6.0)),
        Sort::Unknown => return Vec::new(),
    };
    let mut of = |ideal: f64| dice.between(share.0 * ideal, share.1 * ideal);
    let mut all = vec![
        (names::DAU_MAU_RATIO, of(0.5)),
        (names::FEATURE_ADOPTION, of(0.7)),
        (names::CONVERSATIONS_PER_WEEK, of(100.0).round()),
        (names::LOGINS_PER_WEEK, of(5.0).round()),
        (names::FEATURES_USED_THIS_MONTH, of(10.0).round()),
        (names::AVG_CSAT, of(4.5).clamp(1.0, 5.0)),
        (names::MEETINGS_ATTENDED, of(1.5).round()),
        (names::RESPONSES_TO_OUTREACH, of(0.8)),
        (names::PAYMENT_HEALTH, of(1.0).min(1.0)),
        (names::GROWTH_POTENTIAL, of(0.7).min(1.0)),
    ];
    all.push((names::DAYS_SINCE_LAST_LOGIN, dice.whole(days.0, days.1)));
    all.push((names::NPS_SCORE, dice.whole(nps.0, nps.1)));
    all.push((names::OPEN_TICKETS, dice.whole(tickets.0, tickets.1)));
    all.push((names::ESCALATIONS, dice.whole(0.0, tickets.1 / 3.0)));
    all.push((names::CONTRACT_LENGTH, 12.0));
    all
}

/// A store full of customers, and the clock that it goes by.
pub struct Portfolio {
    pub tenure: Tenure,
    store: SqliteStore,
    pub customers: Vec<CustomerId>,
    micros: Arc<AtomicI64>,
}

impl Portfolio {
    pub fn load(store: SqliteStore, customers: usize) -> Result<Self> {
        let loaded = Duration::days(10).whole_microseconds() as i64;
        let micros = Arc::new(AtomicI64::new(-loaded));
        let clock = Arc::clone(&micros);
        let mut config = Config::default();
        // The same by hand is a bench of its own.
        config.churn.starts_playbooks = false;
        let at = move || BEGIN + Duration::microseconds(clock.load(Ordering::Relaxed));
        let tenure = Tenure::builder(store.clone()).config(config).clock(at).open()?;
        let euros = |amount| Money::new(amount, "EUR".parse().unwrap());
        let credits = TierFeature::new("credits")?.limit(1_000, ResetPeriod::Yearly);
        tenure.write(|tx| {
            tx.define_feature("credits", &FeatureDraft::default())?;
            for (code, fee) in [("pro", 9_900), ("enterprise", 49_900)] {
                let tier = TierDraft::new(code).feature(credits.clone());
                tx.define_tier(&tier.fee(euros(fee), BillingCycle::Yearly))?;
            }
            Ok::<_, tenure::Error>(())
        })?;
        let mut portfolio = Self { tenure, store, customers: Vec::new(), micros };
        for first in (0..customers).step_by(PAGE) {
            let numbers = first..customers.min(first + PAGE);
            let ids = portfolio.tenure.write(|tx| {
                numbers.clone().map(|number| create(tx, number)).collect::<tenure::Result<Vec<_>>>()
            })?;
            portfolio.customers.extend(ids);
        }
        portfolio.micros.fetch_add(loaded, Ordering::Relaxed);
        for first in (0..customers).step_by(PAGE) {
            portfolio.measure(first..customers.min(first + PAGE))?;
        }
        Ok(portfolio)
    }

    /// One day later: one customer of ten is measured anew.
    pub fn next_day(&self) -> Result<()> {
        let day = Duration::DAY.whole_microseconds() as i64;
        self.micros.fetch_add(day, Ordering::Relaxed);
        let turn = (self.tenure.now() - BEGIN).whole_days() as usize % 10;
        for first in (0..self.customers.len()).step_by(PAGE * 10) {
            let last = self.customers.len().min(first + PAGE * 10);
            self.measure((first + turn..last).step_by(10))?;
        }
        Ok(())
    }

    /// What the clock says, in microseconds since 1970.
    pub fn micros(&self) -> i64 {
        (self.tenure.now().unix_timestamp_nanos() / 1_000) as i64
    }

    /// Moves the log of what was loaded into the file, so that who is measured pays for its own.
    pub fn rest(&self) -> Result<()> {
        let db = rusqlite::Connection::open(self.store.path().unwrap())?;
        Ok(db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    fn measure(&self, numbers: impl Iterator<Item = usize>) -> Result<()> {
        let (now, begin) = (self.tenure.now(), BEGIN);
        let mut all = Vec::new();
        for number in numbers {
            for (name, value) in metrics(number, (now - begin).whole_days()) {
                let at = now - Duration::hours(2);
                all.push(NewMetric::new(self.customers[number], name, value, at));
            }
        }
        if !all.is_empty() {
            self.tenure.write(|tx| tx.record_metrics(&all))?;
        }
        Ok(())
    }
}

fn create(tx: &mut tenure::Tx<'_>, number: usize) -> tenure::Result<CustomerId> {
    let dice = &mut Dice::of(number, -1);
    let since = BEGIN - Duration::days(20 + dice.below(700) as i64);
    let draft = CustomerDraft::named(format!("Customer number {number}").as_str())
        .email(format!("office@customer-{number}.example"))
        .external_id(format!("acct_{number}"))
        .created_at(since);
    let id = tx.create_customer(&draft)?.id;
    tx.move_customer(id, CustomerAction::Activate)?;
    let sort = sort_of(number);
    if sort == Sort::Unknown && number.is_multiple_of(2) {
        return Ok(id);
    }
    let tier = if number.is_multiple_of(5) { "enterprise" } else { "pro" };
    tx.add_subscription(id, &NewSubscription::to(tier).started(since).seats(3))?;
    let used = 1 + dice.below(if sort == Sort::Healthy { 850 } else { 400 });
    tx.track(&Track::new(id, "credits").quantity(i32::try_from(used).unwrap_or(1)))?;
    let stage = match dice.below(10) {
        0 => Stage::Adopting,
        1 => Stage::Advocating,
        2 => Stage::Onboarding,
        _ => Stage::Growing,
    };
    tx.move_stage(id, stage, "imported")?;
    if matches!(sort, Sort::Fading | Sort::AtRisk) {
        for ticket in 0..dice.below(6) {
            let severity = if ticket > 1 { "high" } else { "medium" };
            let draft = TicketDraft::default().severity(severity).subject("It does not work");
            let draft = draft.opened_at(BEGIN - Duration::hours(300 + ticket as i64));
            tx.upsert_ticket(id, &format!("ticket-{number}-{ticket}"), &draft)?;
        }
    }
    Ok(id)
}

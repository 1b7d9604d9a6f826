//! An AI service, simulated over a year of virtual time: customers pay for tokens under three limits
//! at once, work is reserved before it runs and counted after it, top-ups are bought when a limit is
//! reached, failed work is refunded, one customer moves to a smaller plan. At the end, what one of
//! them used in a month, as text and as a chart.
//!
//! ```sh
//! cargo run --example usage_metering             # in memory; the chart goes to usage_metering.svg
//! cargo run --example usage_metering chart.svg
//! ```

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the numbers of an example are small"
)]

use plotters::prelude::*;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tenure::domain::cycle::Cycle;
use tenure::store::sqlite::SqliteStore;
use tenure::{
    Commit, Correction, CustomerDraft, CustomerId, ErrorCode, FeatureDraft, GroupBy, LimitWindow,
    NewGrant, PeriodType, Quantity, Reserve, ResetPeriod, Rollover, Tenure, TierDraft, TierFeature,
    UsageQuery, UsageReport, When,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const BEGINNING: OffsetDateTime = datetime!(2025-01-31 09:00 UTC);
const TOKENS: &str = "tokens";
/// Customers, and how many jobs each runs on a working day.
const CUSTOMERS: [(&str, u32); 3] = [("Acme", 2), ("Globex", 5), ("Initech", 8)];

fn main() -> Result<()> {
    let chart = std::env::args().nth(1).unwrap_or_else(|| "usage_metering.svg".to_owned());
    let clock = VirtualClock::default();
    let tenure = {
        let clock = clock.clone();
        Tenure::builder(SqliteStore::in_memory()?).clock(move || clock.now()).open()?
    };
    define_plans(&tenure)?;
    let mut year = Year { tenure: &tenure, clock: &clock, dice: 7, tally: BTreeMap::new() };
    let customers = year.sign_up()?;
    for day in 0..365 {
        if day == 240 {
            year.downgrade(customers[1])?;
        }
        if clock.now().weekday().number_days_from_monday() < 5 {
            year.work(&customers)?;
        } else {
            clock.advance(Duration::hours(9));
        }
        // What time alone brings about: resets, expiries, holds that nobody came back for.
        tenure.tick()?;
        clock.advance(Duration::hours(24 - 9));
    }
    println!("a year of {} customers:", customers.len());
    for (what, count) in &year.tally {
        println!("  {count:>6}  {what}");
    }
    let report = last_month(&tenure, customers[2])?;
    print_report(&report);
    draw(&report, &chart)?;
    println!("\nthe chart is in {chart}");
    let proof = tenure.verify(|_| ())?;
    println!("verify: {} events, {} differences", proof.events, proof.differences);
    Ok(())
}

/// Tokens are reserved before they are known, under three limits at once: so many from the first
/// request for five hours, so many in any seven days, so many a month, of which a part is carried on.
fn define_plans(tenure: &Tenure) -> Result<()> {
    let plan = |code: &str, thousands: u32| {
        let tokens = TierFeature::new(TOKENS)?
            .limit(thousands * 1_000, ResetPeriod::Monthly)
            .rollover(Rollover { max: (thousands * 200).into(), min: 0.into() })
            .window(LimitWindow::first_use(Cycle::hours(5)?, thousands * 60))
            .window(LimitWindow::sliding(Cycle::WEEK, thousands * 350));
        Ok::<_, Box<dyn Error>>(TierDraft::new(code).feature(tokens))
    };
    let plans = [plan("starter", 1_000)?.rank(10), plan("pro", 1_500)?.rank(40)];
    tenure.write(|tx| {
        tx.define_feature(TOKENS, &FeatureDraft::default().name("Tokens").unit("token"))?;
        plans.iter().try_for_each(|plan| tx.define_tier(plan).map(drop))?;
        Ok::<_, tenure::Error>(())
    })?;
    Ok(())
}

struct Year<'t> {
    tenure: &'t Tenure,
    clock: &'t VirtualClock,
    dice: u64,
    tally: BTreeMap<&'static str, u32>,
}

impl Year<'_> {
    fn sign_up(&mut self) -> Result<Vec<CustomerId>> {
        let names = CUSTOMERS.iter().map(|(name, _)| *name);
        let signed_up = names.map(|name| {
            self.tenure.write(|tx| {
                let customer = tx.create_customer(&CustomerDraft::named(name))?;
                tx.apply_tier(customer.id, "pro", &[])?;
                Ok::<_, tenure::Error>(customer.id)
            })
        });
        Ok(signed_up.collect::<Result<_, _>>()?)
    }

    /// A working day of nine hours: everybody's jobs, one after another.
    fn work(&mut self, customers: &[CustomerId]) -> Result<()> {
        for hour in 0..9_u32 {
            for (customer, (_, jobs)) in customers.iter().zip(CUSTOMERS) {
                let due = (0..jobs).filter(|job| job % 9 == hour).count();
                for _ in 0..due {
                    self.job(*customer)?;
                }
            }
            self.clock.advance(Duration::HOUR);
        }
        Ok(())
    }

    /// One job: its cost is estimated and reserved, it runs, and what it really cost is counted.
    fn job(&mut self, customer: CustomerId) -> Result<()> {
        let estimate = 5_000 + self.roll(20_000);
        let reserve = Reserve::new(customer, TOKENS, estimate, Duration::minutes(10));
        let hold = match self.tenure.write(|tx| tx.reserve(&reserve)) {
            Ok(hold) => hold,
            Err(error) if error.code() == ErrorCode::PreconditionFailed => {
                self.note("jobs turned away by a limit");
                return self.top_up(customer);
            }
            Err(error) => return Err(error.into()),
        };
        match self.roll(40) {
            0 => {
                // It crashed: nobody comes back for the room, and it is free again in ten minutes.
                self.note("jobs that crashed and left their hold");
            }
            1 => {
                self.tenure.write(|tx| tx.release(hold.id))?;
                self.note("jobs cancelled before they ran");
            }
            outcome => {
                let actual = estimate - self.roll(estimate / 2);
                let commit = Commit::new(hold.id, actual);
                let committed = self.tenure.write(|tx| tx.commit(&commit))?;
                self.note("jobs counted");
                if let (2, Some(usage)) = (outcome, committed.usage) {
                    let back = Quantity::ZERO.checked_sub(actual.into()).unwrap_or_default();
                    let refund = Correction::new(customer, TOKENS, back, "the answer was empty");
                    self.tenure.write(|tx| tx.adjust_usage(&refund.clone().of(usage.event_id)))?;
                    self.note("jobs refunded");
                }
            }
        }
        Ok(())
    }

    /// Whoever is turned away buys a top-up now and then: there once, for a year at the most.
    fn top_up(&mut self, customer: CustomerId) -> Result<()> {
        if self.roll(4) > 0 {
            return Ok(());
        }
        let until = self.tenure.now() + Duration::days(365);
        let grant = NewGrant::once(TOKENS, 400_000).valid_until(until);
        self.tenure.write(|tx| tx.grant(customer, &grant))?;
        self.note("top-ups bought");
        Ok(())
    }

    /// A smaller plan, and what exceeds it.
    fn downgrade(&mut self, customer: CustomerId) -> Result<()> {
        let applied = self.tenure.write(|tx| tx.downgrade(customer, "starter", When::Now))?;
        for over in &applied.change.over_limit {
            println!(
                "downgrade: {} of {} used, {} allowed: {} over, so {}",
                over.used, over.feature, over.allowed, over.over_by, over.suggested_action
            );
        }
        self.note("downgrades");
        Ok(())
    }

    fn note(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// A number below `sides`; the same in every run.
    fn roll(&mut self, sides: u32) -> u32 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u32::try_from(self.dice >> 33).unwrap_or(0) % sides.max(1)
    }
}

/// What a customer used on each day of the last month.
fn last_month(tenure: &Tenure, customer: CustomerId) -> Result<UsageReport> {
    let (from, to) = (datetime!(2025-12-01 0:00 UTC), datetime!(2026-01-01 0:00 UTC));
    let query = UsageQuery::between(from, to, PeriodType::Day).by(GroupBy::Feature);
    Ok(tenure.read(|view| view.usage_report(customer, &query))?)
}

fn of_day(report: &UsageReport) -> Vec<(u8, f64)> {
    let tokens = |row: &tenure::UsageRow| {
        let used = row.usage.get(TOKENS).copied().unwrap_or_default();
        used.to_string().parse().unwrap_or(0.0)
    };
    report.rows.iter().map(|row| (row.start.day(), tokens(row))).collect()
}

fn print_report(report: &UsageReport) {
    println!("\ntokens of {} in December, by day:", CUSTOMERS[2].0);
    let days = of_day(report);
    let most = days.iter().map(|(_, used)| *used).fold(1.0, f64::max);
    for (day, used) in &days {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 50")]
        let bar = "█".repeat((used / most * 50.0).round() as usize);
        println!("  {day:>2}  {used:>9}  {bar}");
    }
    for (what, total) in &report.totals {
        println!("  {total} {what} in all");
    }
}

fn draw(report: &UsageReport, path: &str) -> Result<()> {
    let days = of_day(report);
    let most = days.iter().map(|(_, used)| *used).fold(1.0, f64::max);
    let root = SVGBackend::new(path, (860, 320)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("Tokens by day, December 2025", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(64)
        .build_cartesian_2d((1..31).into_segmented(), 0.0..most * 1.05)?;
    chart.configure_mesh().disable_x_mesh().x_labels(31).y_desc("tokens").draw()?;
    let bars = Histogram::vertical(&chart)
        .style(RGBColor(46, 111, 190).filled())
        .margin(2)
        .data(days.iter().map(|(day, used)| (i32::from(*day), *used)));
    chart.draw_series(bars)?;
    root.present()?;
    Ok(())
}

/// A clock that stands still until it is moved.
#[derive(Debug, Clone, Default)]
struct VirtualClock(Arc<AtomicI64>);

impl VirtualClock {
    fn now(&self) -> OffsetDateTime {
        BEGINNING + Duration::seconds(self.0.load(Ordering::Relaxed))
    }

    fn advance(&self, by: Duration) {
        self.0.fetch_add(by.whole_seconds(), Ordering::Relaxed);
    }
}

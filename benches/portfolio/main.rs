//! The evaluation of a portfolio beside what a careful engineer would write by hand with rusqlite, in
//! the same run: customers are scored, churn signals open and close, offers are made, stages change,
//! all of it from a file and back into it, in pages of 500 customers.
//!
//! ```sh
//! PORTFOLIO_CUSTOMERS=100000 cargo bench --bench portfolio
//! ```
//!
//! "By hand" reads the same records from a copy of the same tables and writes the same: what came of
//! it is compared row by row at the end. Time is the CPU time of the thread where the system tells it
//! (Linux). The first evaluation has to write everything; before each of the days that follow, one
//! customer of ten was measured anew; then everybody is evaluated again although nothing changed.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::float_cmp,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a benchmark that goes wrong panics; figures for people"
)]

mod compare;
mod data;
mod floor;
mod rules;
#[path = "../support/mod.rs"]
mod support;
mod write;

use data::Portfolio;
use floor::{Counts, Floor};
use support::{Pair, Result, timed};
use tenure::EvaluationReport;
use tenure::store::sqlite::SqliteStore;

const DAYS: usize = 3;

fn main() -> Result<()> {
    let customers = std::env::var("PORTFOLIO_CUSTOMERS").map_or(Ok(20_000), |it| it.parse())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("tenure.db");
    let portfolio = Portfolio::load(SqliteStore::create(&path)?, customers)?;
    let mut floor = Floor::copy(&path, &folder.path().join("floor.db"))?;
    println!("{customers} customers; CPU time of one; median of {DAYS} days\n");
    println!("{:<46} {:>10} {:>10} {:>7} {:>5}", "what", "tenure", "floor", "ratio", "bar");

    let [mut first, mut day, mut same] = [(); 3].map(|()| Pair::default());
    portfolio.rest()?;
    floor.rest()?;
    let peak = Peak::begin();
    first.tenure.push(timed(customers, || evaluate(&portfolio).map(drop))?);
    let peak = peak.end();
    let now = portfolio.micros();
    first.floor.push(timed(customers, || floor.evaluate(now, |_| ()).map(drop))?);
    first.print("the first evaluation", "1.5");
    for _ in 0..DAYS {
        portfolio.next_day()?;
        portfolio.rest()?;
        floor.follow(&path)?;
        let now = portfolio.micros();
        for pair in [&mut day, &mut same] {
            let (mut theirs, mut ours) = (Counts::default(), Counts::default());
            pair.tenure.push(timed(customers, || {
                ours = evaluate(&portfolio)?;
                Ok(())
            })?);
            pair.floor.push(timed(customers, || {
                theirs = floor.evaluate(now, |_| ())?;
                Ok(())
            })?);
            assert_eq!(ours, theirs);
            portfolio.rest()?;
            floor.rest()?;
        }
    }
    day.print("a day later, one of ten measured anew", "1.5");
    same.print("again, nothing has changed", "1.5");
    if let Some(bytes) = peak {
        println!("\nmemory that the first evaluation took more: {:.1} MB", bytes / 1e6);
    }
    compare::compare(&path, &floor)
}

/// Evaluates everybody, with progress.
fn evaluate(portfolio: &Portfolio) -> Result<Counts> {
    let mut pages = 0;
    let report: EvaluationReport = portfolio.tenure.evaluate_all(|_| pages += 1)?;
    assert!(pages >= report.customers as usize / data::PAGE);
    Ok(Counts {
        customers: report.customers,
        scored: report.scored,
        opened: report.signals_opened,
        closed: report.signals_closed,
        opportunities: report.opportunities,
        moved: report.moved,
    })
}

/// The memory of the process, where Linux tells.
struct Peak(Option<f64>);

impl Peak {
    /// Forgets the highest so far.
    fn begin() -> Self {
        let forgotten = std::fs::write("/proc/self/clear_refs", "5");
        Self(forgotten.ok().and_then(|()| memory("VmHWM:")))
    }

    /// By how many bytes it grew at the most.
    fn end(self) -> Option<f64> {
        Some(memory("VmHWM:")? - self.0?)
    }
}

fn memory(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? * 1024.0)
}

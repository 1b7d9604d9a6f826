//! What the benchmarks share: a store with customers, the floor, time and its median.

#![allow(dead_code, unreachable_pub, reason = "each benchmark uses a part of it")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark that goes wrong panics"
)]

pub mod floor;

use std::time::Instant;
use tenure::{
    Builder, CustomerId, FeatureDraft, Onboard, ResetPeriod, Tenure, TierDraft, TierFeature,
};

pub const CUSTOMERS: usize = 1_000;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A store with a catalogue and its customers.
pub fn filled(builder: Builder) -> Result<(Tenure, Vec<CustomerId>)> {
    let tenure = builder.open()?;
    let credits = TierFeature::new("ai_credits")?.limit(1_000_000, ResetPeriod::Monthly);
    let tier = TierDraft::new("pro").feature(credits.included(500));
    tenure.write(|tx| {
        tx.define_feature("ai_credits", &FeatureDraft::default().name("AI credits"))?;
        tx.define_tier(&tier)
    })?;
    let mut customers = Vec::with_capacity(CUSTOMERS);
    let requests = (0..CUSTOMERS).map(|number| Onboard::org(format!("org_{number}")).tier("pro"));
    tenure.backfill(requests, |report| {
        customers.extend(report.outcome.map(|it| it.customer_id));
    })?;
    Ok((tenure, customers))
}

/// Nanoseconds a call, round by round, of both sides.
#[derive(Default)]
pub struct Pair {
    pub tenure: Vec<f64>,
    pub floor: Vec<f64>,
}

impl Pair {
    pub fn print(mut self, what: &str, bar: &str) {
        let (tenure, floor) = (median(&mut self.tenure), median(&mut self.floor));
        let micros = |nanos: f64| format!("{:.2} µs", nanos / 1_000.0);
        let ratio = tenure / floor;
        println!("{what:<46} {:>10} {:>10} {ratio:>6.2}× {bar:>5}", micros(tenure), micros(floor));
    }
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a benchmark")]
pub fn timed(calls: usize, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let (wall, cpu) = (Instant::now(), cpu_nanos());
    work()?;
    let spent = match (cpu, cpu_nanos()) {
        (Some(before), Some(after)) => (after - before) as f64,
        _ => wall.elapsed().as_nanos() as f64,
    };
    Ok(spent / calls as f64)
}

/// The CPU time that this thread has used, if the system tells.
pub fn cpu_nanos() -> Option<u64> {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    schedule.split(' ').next()?.parse().ok()
}

/// The CPU time that the whole process has used, its threads that ended included, in hundredths of a
/// second: good enough for seconds. Only Linux tells.
pub fn process_nanos() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit(')').next()?.split(' ').skip(12);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((ticks()? + ticks()?) * 10_000_000)
}

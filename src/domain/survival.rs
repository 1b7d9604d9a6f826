//! How long customers stay, with those who are still there counted for as long as they were seen:
//! Kaplan–Meier, and the log-rank test between groups.
//!
//! Sources: Kaplan and Meier 1958; the variance by Greenwood 1926; intervals on the log(−log)
//! scale, which never leave 0–1 (Kalbfleisch and Prentice); the log-rank test by Mantel 1966, for
//! several groups with the full covariance.

mod log_rank;

use super::measured::{Interval, Measured, Method, Source, Unit};
use super::statistics::normal::Z_95;
use super::statistics::{LEVEL, real};
use crate::record::words;
use serde::Serialize;
use std::collections::BTreeMap;

pub use log_rank::{LogRank, chi_square_tail, log_rank};

words! {
    /// What customers are told apart by.
    pub enum SurvivalBy {
        /// The tier that they first paid for: a later one would be known only of those who stayed.
        FirstTier = "first_tier" | "tier",
        /// How large they are.
        Size = "size",
    }
}

/// How many customers left, and how many were last seen still there, after so many days.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lifetimes(BTreeMap<u32, Seen>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    left: u64,
    there: u64,
}

/// What is known at one time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SurvivalPoint {
    /// Days since the beginning.
    pub time: u32,
    /// How many were there until then.
    pub at_risk: u64,
    /// How many left then.
    pub events: u64,
    /// How many were last seen then, still there.
    pub censored: u64,
    /// The share that stays longer, 0–1.
    pub survival: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Between which shares the true one lies with 95 %.
    pub interval: Interval,
}

/// The share of customers that stay, over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Survival {
    /// How many customers.
    pub customers: u64,
    /// How many of them left.
    pub events: u64,
    /// After how many days half of them are gone; none if more than half are not.
    pub median: Option<u32>,
    /// The times at which anybody left or was last seen, ascending.
    pub points: Vec<SurvivalPoint>,
}

/// A group of customers, and how long they stay.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SurvivalGroup {
    /// What they have in common: the code of a tier, a size, or `unknown`.
    pub name: String,
    /// How long they stay.
    pub survival: Survival,
}

/// How long paying customers stay, with its proof.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SurvivalReport {
    /// How it was computed.
    pub method: Method,
    /// Everybody that ever paid.
    pub all: Survival,
    /// After how many days half of them are gone, as a figure with its proof; none while more than
    /// half are there.
    pub median: Measured,
    /// What the groups are, if it was asked for.
    pub by: Option<SurvivalBy>,
    /// Each group, by name.
    pub groups: Vec<SurvivalGroup>,
    /// Whether the groups stay equally long, where that can be told.
    pub log_rank: Option<LogRank>,
    /// What it was computed from.
    pub sources: Vec<Source>,
}

/// How survival is computed.
const METHOD: Method = Method {
    name: "Kaplan–Meier survival of paying customers",
    formula: "Π (1 − left ÷ at risk), by whole days from the first payment to the first time that \
              nothing was paid any more; those who pay still, or whom a reset took off the books, \
              count until then; Greenwood, log(−log) 95 %",
};

/// How the median is computed.
const MEDIAN: Method = Method {
    name: "median time that customers pay",
    formula: "the first day on which the Kaplan–Meier survival is at most ½; between the first days \
              on which the ends of its interval are (Brookmeyer and Crowley 1982)",
};

impl SurvivalReport {
    /// Everybody, without groups so far.
    pub(crate) fn of(all: Survival, sources: Vec<Source>) -> Self {
        let day = |end: fn(&Interval) -> f64| {
            let point = all.points.iter().find(|it| end(&it.interval) <= 0.5)?;
            Some(f64::from(point.time))
        };
        let ends = day(|it| it.low).zip(day(|it| it.high));
        let interval = ends.map(|(low, high)| Interval { low, high, level: LEVEL });
        let value = all.median.map(f64::from);
        let mut median = Measured::new(value, Unit::Days, MEDIAN, all.customers)
            .within(interval.filter(|_| value.is_some()))
            .of_enough(all.customers, "paying customers");
        median.sources.clone_from(&sources);
        let (by, groups, log_rank) = (None, Vec::new(), None);
        Self { method: METHOD, all, median, by, groups, log_rank, sources }
    }

    /// The share of everybody that stays longer than so many days, 0–1, as a figure with its proof;
    /// none of nobody. It is warned of when few were seen for so long.
    ///
    /// ```
    /// use tenure::Tenure;
    /// use tenure::store::memory::MemoryStore;
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let survival = tenure.read(|view| view.survival(None))?;
    /// assert_eq!((survival.staying(365).value, survival.median.value), (None, None));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    #[must_use]
    pub fn staying(&self, days: u32) -> Measured {
        let (all, at_risk) = (&self.all, self.all.at_risk(days));
        let value = (all.customers > 0).then(|| all.at(days));
        let last = all.points.iter().take_while(|it| it.time <= days).last();
        let mut share = Measured::new(value, Unit::Ratio, METHOD, all.customers)
            .within(last.map(|it| it.interval))
            .of_enough(at_risk, "customers were still observed then");
        share.sources.clone_from(&self.sources);
        share
    }
}

impl Lifetimes {
    /// Counts a customer that left after `days`, or was still there when it was last seen then.
    pub fn add(&mut self, days: u32, left: bool) {
        self.add_many(days, u64::from(left), u64::from(!left));
    }

    /// Counts several at once.
    pub fn add_many(&mut self, days: u32, left: u64, there: u64) {
        let seen = self.0.entry(days).or_default();
        seen.left = seen.left.saturating_add(left);
        seen.there = seen.there.saturating_add(there);
    }

    /// How many customers there are.
    #[must_use]
    pub fn customers(&self) -> u64 {
        self.0.values().fold(0, |sum, it| sum.saturating_add(it.left).saturating_add(it.there))
    }

    /// The share of them that stay, over time.
    ///
    /// ```
    /// use tenure::domain::survival::Lifetimes;
    ///
    /// let mut lifetimes = Lifetimes::default();
    /// for (days, left) in [(10, true), (20, false), (30, true), (40, false)] {
    ///     lifetimes.add(days, left);
    /// }
    /// let survival = lifetimes.survival();
    /// assert_eq!(survival.at(10), 0.75);
    /// assert_eq!(survival.at(39), 0.375);
    /// assert_eq!(survival.median, Some(30));
    /// ```
    #[must_use]
    pub fn survival(&self) -> Survival {
        let customers = self.customers();
        let mut at_risk = customers;
        let (mut survival, mut greenwood, mut events, mut median) = (1.0_f64, 0.0, 0_u64, None);
        let mut points = Vec::with_capacity(self.0.len());
        for (time, seen) in &self.0 {
            let (left, risk) = (real(seen.left), real(at_risk));
            if seen.left == at_risk {
                survival = 0.0;
            } else if seen.left > 0 {
                survival *= 1.0 - left / risk;
                greenwood += left / (risk * (risk - left));
            }
            events = events.saturating_add(seen.left);
            // A half that a rounding error keeps from being one is one.
            if median.is_none() && survival <= 0.5 + 1e-12 {
                median = Some(*time);
            }
            points.push(SurvivalPoint {
                time: *time,
                at_risk,
                events: seen.left,
                censored: seen.there,
                survival,
                standard_error: survival * f64::sqrt(greenwood),
                interval: interval(survival, greenwood),
            });
            at_risk = at_risk.saturating_sub(seen.left).saturating_sub(seen.there);
        }
        Survival { customers, events, median, points }
    }
}

impl Survival {
    /// The share of customers that stay longer than so many days, 0–1. Beyond the last time it is
    /// what it was then.
    #[must_use]
    pub fn at(&self, days: u32) -> f64 {
        let after = self.points.partition_point(|point| point.time <= days);
        after.checked_sub(1).and_then(|it| self.points.get(it)).map_or(1.0, |it| it.survival)
    }

    /// How many customers are still under observation after so many days: what is said of a time
    /// with few of them is not worth much.
    #[must_use]
    pub fn at_risk(&self, days: u32) -> u64 {
        let next = self.points.iter().find(|point| point.time >= days);
        next.map_or(0, |point| point.at_risk)
    }
}

/// exp(−exp(log(−log S) ± z · σ ÷ log S)): nothing is unsure while nobody or everybody left.
fn interval(survival: f64, greenwood: f64) -> Interval {
    let level = LEVEL;
    if survival <= 0.0 || survival >= 1.0 {
        return Interval { low: survival, high: survival, level };
    }
    let log = survival.ln();
    let spread = Z_95 * greenwood.sqrt() / log;
    let end = |spread: f64| (-((-log).ln() + spread).exp()).exp();
    let (a, b) = (end(spread), end(-spread));
    Interval { low: a.min(b), high: a.max(b), level }
}

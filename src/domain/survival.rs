//! How long customers stay, with those who are still there counted for as long as they were seen:
//! Kaplan–Meier, and the log-rank test between groups.
//!
//! Sources: Kaplan and Meier 1958; the variance by Greenwood 1926; intervals on the log(−log)
//! scale, which never leave 0–1 (Kalbfleisch and Prentice); the log-rank test by Mantel 1966, for
//! several groups with the full covariance.

use super::measured::{Interval, Method, Source};
use super::statistics::normal::{Z_95, erfc};
use crate::record::words;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

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
pub(crate) const METHOD: Method = Method {
    name: "Kaplan–Meier survival of paying customers",
    formula: "Π (1 − left ÷ at risk), by whole days from the first payment to the first time that \
              nothing was paid any more; those who pay still, or whom a reset took off the books, \
              count until then; Greenwood, log(−log) 95 %",
};

/// Whether groups stay equally long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LogRank {
    /// The statistic.
    pub chi_square: f64,
    /// Its degrees of freedom.
    pub df: u32,
    /// How likely so great a difference is among groups that are alike, 0–1.
    pub p: f64,
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
            let (left, risk) = (float(seen.left), float(at_risk));
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
    let level = 0.95;
    if survival <= 0.0 || survival >= 1.0 {
        return Interval { low: survival, high: survival, level };
    }
    let log = survival.ln();
    let spread = Z_95 * greenwood.sqrt() / log;
    let end = |spread: f64| (-((-log).ln() + spread).exp()).exp();
    let (a, b) = (end(spread), end(-spread));
    Interval { low: a.min(b), high: a.max(b), level }
}

/// Whether the groups stay equally long: the log-rank test. None when that cannot be told, as with
/// fewer than two groups or when nobody left.
///
/// ```
/// use tenure::domain::survival::{Lifetimes, log_rank};
///
/// let mut groups = [Lifetimes::default(), Lifetimes::default()];
/// for days in 1..=10 {
///     groups[0].add(days, true);
///     groups[1].add(days * 10, true);
/// }
/// assert!(log_rank(&groups).is_some_and(|test| test.df == 1 && test.p < 0.001));
/// ```
#[must_use]
pub fn log_rank(groups: &[Lifetimes]) -> Option<LogRank> {
    let groups: Vec<&Lifetimes> = groups.iter().filter(|it| it.customers() > 0).collect();
    let free = groups.len().checked_sub(1).filter(|free| *free > 0)?;
    let mut at_risk: Vec<f64> = groups.iter().map(|it| float(it.customers())).collect();
    let mut excess = vec![0.0; free];
    let mut covariance = vec![vec![0.0; free]; free];
    let times: BTreeSet<u32> = groups.iter().flat_map(|it| it.0.keys().copied()).collect();
    for time in times {
        let seen: Vec<Seen> =
            groups.iter().map(|it| it.0.get(&time).copied().unwrap_or_default()).collect();
        let left: f64 = seen.iter().map(|it| float(it.left)).sum();
        let risk: f64 = at_risk.iter().sum();
        if left > 0.0 {
            let spread = if risk > 1.0 { left * (risk - left) / (risk - 1.0) } else { 0.0 };
            let rows = at_risk.iter().zip(&seen).zip(excess.iter_mut().zip(&mut covariance));
            for (row, ((there, seen), (excess, line))) in rows.enumerate() {
                *excess += float(seen.left) - left * there / risk;
                for (column, (other, cell)) in at_risk.iter().zip(line).enumerate() {
                    let same = if row == column { 1.0 } else { 0.0 };
                    *cell += spread * there / risk * (same - other / risk);
                }
            }
        }
        for (there, seen) in at_risk.iter_mut().zip(&seen) {
            *there -= float(seen.left) + float(seen.there);
        }
    }
    let (chi_square, df) = quadratic(covariance, excess);
    (df > 0).then(|| LogRank { chi_square, df, p: chi_square_tail(chi_square, df) })
}

/// v · M⁻¹ · v and the rank of M, which is symmetric and not negative: by Gauss, in place.
fn quadratic(mut matrix: Vec<Vec<f64>>, mut vector: Vec<f64>) -> (f64, u32) {
    let largest = matrix.iter().flatten().fold(0.0, |largest: f64, it| largest.max(it.abs()));
    let (mut sum, mut rank) = (0.0, 0_u32);
    // Each row is taken off those below it; what v has left there is what is new about it.
    while let (Some(line), Some(value)) = (matrix.pop(), vector.pop()) {
        let Some(pivot) = line.get(matrix.len()).copied() else { break };
        if pivot <= largest * 1e-12 {
            continue;
        }
        sum += value * value / pivot;
        rank = rank.saturating_add(1);
        for ((row, rest), own) in matrix.iter_mut().zip(&mut vector).zip(&line) {
            let factor = own / pivot;
            *rest -= factor * value;
            for (cell, above) in row.iter_mut().zip(&line) {
                *cell -= factor * above;
            }
        }
    }
    (sum, rank)
}

/// How likely a chi-square value of `df` degrees of freedom is at least `x`, 0–1; 1 below 0 and for
/// what is not a number.
///
/// Source: Abramowitz and Stegun 26.4.4 and 26.4.5.
#[must_use]
pub fn chi_square_tail(x: f64, df: u32) -> f64 {
    if x.is_nan() || x <= 0.0 || df == 0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    let half = x / 2.0;
    // Q(a + 1) = Q(a) + x^a · e^(−x) ÷ Γ(a + 1), from Q(½) or Q(1) on. Each term is counted in
    // logarithms: x^a alone may be out of range where the term is not.
    let (mut tail, mut a, mut log_gamma) = if df.is_multiple_of(2) {
        ((-half).exp(), 1.0, 0.0)
    } else {
        (erfc(half.sqrt()), 0.5, std::f64::consts::PI.sqrt().ln())
    };
    let mut steps = df.saturating_sub(1) / 2;
    while steps > 0 {
        log_gamma += f64::ln(a);
        tail += (a * half.ln() - half - log_gamma).exp();
        a += 1.0;
        steps = steps.saturating_sub(1);
    }
    tail.clamp(0.0, 1.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of customers")]
const fn float(count: u64) -> f64 {
    count as f64
}

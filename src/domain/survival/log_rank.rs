//! The log-rank test.

use super::{Lifetimes, Seen};
use crate::domain::statistics::normal::erfc;
use crate::domain::statistics::real;
use serde::Serialize;
use std::collections::BTreeSet;

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
    let mut at_risk: Vec<f64> = groups.iter().map(|it| real(it.customers())).collect();
    let mut excess = vec![0.0; free];
    let mut covariance = vec![vec![0.0; free]; free];
    let times: BTreeSet<u32> = groups.iter().flat_map(|it| it.0.keys().copied()).collect();
    for time in times {
        let seen: Vec<Seen> =
            groups.iter().map(|it| it.0.get(&time).copied().unwrap_or_default()).collect();
        let left: f64 = seen.iter().map(|it| real(it.left)).sum();
        let risk: f64 = at_risk.iter().sum();
        if left > 0.0 {
            let spread = if risk > 1.0 { left * (risk - left) / (risk - 1.0) } else { 0.0 };
            let rows = at_risk.iter().zip(&seen).zip(excess.iter_mut().zip(&mut covariance));
            for (row, ((there, seen), (excess, line))) in rows.enumerate() {
                *excess += real(seen.left) - left * there / risk;
                for (column, (other, cell)) in at_risk.iter().zip(line).enumerate() {
                    let same = if row == column { 1.0 } else { 0.0 };
                    *cell += spread * there / risk * (same - other / risk);
                }
            }
        }
        for (there, seen) in at_risk.iter_mut().zip(&seen) {
            *there -= real(seen.left) + real(seen.there);
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

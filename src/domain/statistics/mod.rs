//! Statistics that figures are proved with: pure functions, each with the source of its formula.

pub mod normal;
pub mod nps;
pub mod proportion;
pub mod student;

use super::decimal::half_up;
use super::measured::Interval;
use normal::Z_95;
use serde::Serialize;

/// How probable an interval is meant to hold the true value.
pub(crate) const LEVEL: f64 = 0.95;

/// The interval of 95 % around `centre` for a standard error, kept within `ends`.
pub(crate) const fn around(centre: f64, error: f64, ends: (f64, f64)) -> Interval {
    let (low, high) = (centre - Z_95 * error, centre + Z_95 * error);
    Interval { low: low.max(ends.0), high: high.min(ends.1), level: LEVEL }
}

/// What a test says of a difference between two samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Difference {
    /// By how much the second lies above the first.
    pub value: f64,
    /// The standard error of that.
    pub standard_error: f64,
    /// The difference in standard errors; none when nothing varies within the samples.
    pub statistic: Option<f64>,
    /// How likely a difference at least as large is, on either side, if there is none in truth,
    /// 0–1; none when nothing varies, neither within the samples nor between them.
    pub p: Option<f64>,
    /// Between what the true difference lies, with a probability of 95 %.
    pub interval: Interval,
}

impl Difference {
    /// What follows from a difference and its error, when `tail` tells how likely a difference of so
    /// many errors is.
    fn new(
        value: f64,
        standard_error: f64,
        interval: Interval,
        tail: impl FnOnce(f64) -> Option<f64>,
    ) -> Self {
        let statistic = (standard_error > 0.0).then(|| value / standard_error);
        let p = match statistic {
            Some(statistic) => tail(statistic),
            None => (value.abs() > 0.0).then_some(0.0),
        };
        Self { value, standard_error, statistic, p, interval }
    }
}

/// A count as a number to compute with.
#[expect(clippy::cast_precision_loss, reason = "exact up to 9 × 10¹⁵, and an estimate anyway")]
pub(crate) const fn real(count: u64) -> f64 {
    count as f64
}

/// `numerator` ÷ `denominator`, rounded to a whole number, half up: −12.5 is −12. None for a share of
/// nothing. Exact at ties.
#[must_use]
pub fn rounded(numerator: i128, denominator: u64) -> Option<i64> {
    i64::try_from(half_up(numerator, denominator.into())?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_up() {
        let rounded: Vec<_> = [(-25, 2), (25, 2), (-1, 2), (1, 3), (2, 3), (-2, 3)]
            .map(|(a, b)| rounded(a, b))
            .into();
        assert_eq!(rounded, [-12, 13, 0, 0, 1, -1].map(Some));
    }

    #[test]
    fn a_share_of_nothing_is_none_and_the_extremes_do_no_harm() {
        assert_eq!(rounded(1, 0), None);
        assert_eq!(rounded(i128::MAX, 1), None);
        assert_eq!(rounded(i128::from(u64::MAX), u64::MAX), Some(1));
    }
}

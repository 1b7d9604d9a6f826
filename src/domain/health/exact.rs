//! Points and means without the errors of floats.
//!
//! Values and weights count as the decimals that were written, to nine places (beyond two million,
//! to the sixteenth digit). Points are whole 10⁻¹⁵ths, rounded down; a mean that comes within one of
//! these below a half is taken for the half. That is finer than a float of its size can tell, so a
//! tie is always a tie, and a better value never earns less.

use super::model::{HealthMetric, MetricDirection};
use crate::domain::decimal::{half_up, parts};

/// One point.
const POINT: i128 = 1_000_000_000_000_000;
/// All points of a metric.
const FULL: i128 = 100 * POINT;
/// The greatest value that is told from greater ones, either way.
pub(super) const VALUE_MAX: f64 = 1e12;

/// A number in 10⁻⁹ths, at most [`VALUE_MAX`] either way; 0 for what is no number.
pub(super) fn nanos(number: f64) -> i128 {
    parts(number.clamp(-VALUE_MAX, VALUE_MAX), 1e9).unwrap_or(0)
}

/// What a value earns, in 10⁻¹⁵ths of a point.
pub(super) fn points(metric: &HealthMetric, value: f64) -> i128 {
    let (value, ideal) = (nanos(value), nanos(metric.ideal));
    let (part, whole) = match metric.direction {
        MetricDirection::Higher => (value, ideal),
        MetricDirection::Lower => {
            let worst = metric.worst.map_or(ideal, nanos);
            (worst.saturating_sub(value), worst.saturating_sub(ideal))
        }
    };
    if part >= whole {
        return FULL;
    }
    // Between them `part` is less than `whole`, at most 2 · 10²¹, and the product fits.
    FULL.saturating_mul(part.max(0)).checked_div(whole).unwrap_or(0).max(0)
}

/// Points as a float.
#[expect(clippy::cast_precision_loss, reason = "the nearest float is meant")]
pub(super) fn float(points: i128) -> f64 {
    points as f64 / POINT as f64
}

/// A weighted mean in the making.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mean {
    /// 10⁻¹⁵ths of points, times 10⁻⁹ths of weight.
    sum: i128,
    weight: i128,
}

impl Mean {
    pub(super) const fn add(&mut self, points: i128, weight: i128) {
        self.sum = self.sum.saturating_add(points.saturating_mul(weight));
        self.weight = self.weight.saturating_add(weight);
    }

    pub(super) fn add_score(&mut self, score: u32, weight: i128) {
        self.add(i128::from(score).saturating_mul(POINT), weight);
    }

    /// The mean; none of nothing.
    pub(super) fn value(self) -> Option<f64> {
        self.sum.checked_div(self.weight).map(float)
    }

    /// The mean, rounded half up.
    pub(super) fn rounded(self) -> Option<u32> {
        // One 10⁻¹⁵th more: what was rounded down by less than that to below a half is the half.
        let sum = self.sum.saturating_add(self.weight);
        u32::try_from(half_up(sum, self.weight.saturating_mul(POINT))?).ok()
    }
}

/// `part` of `whole` as a float; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "the nearest float is meant")]
pub(super) fn ratio(part: i128, whole: i128) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_count_as_they_were_written() {
        for (number, billionths) in [
            (0.1 + 0.2, 300_000_000),
            (2_000_000.123_456_789, 2_000_000_123_456_789),
            (-0.000_000_001, -1),
            (1e-10, 0),
            (f64::NAN, 0),
            (f64::INFINITY, 1_000_000_000_000_000_000_000),
            (f64::MIN, -1_000_000_000_000_000_000_000),
        ] {
            assert_eq!(nanos(number), billionths, "{number}");
        }
    }

    #[test]
    fn a_tie_is_rounded_up_and_what_is_below_it_down() {
        let rounded = |thousandths: i128| {
            let mut mean = Mean::default();
            mean.add(thousandths * POINT / 1_000, 300_000_000);
            mean.rounded()
        };
        let rounds = [2_499, 2_500, 2_501, 99_500, 0, 499].map(rounded);
        assert_eq!(rounds, [Some(2), Some(3), Some(3), Some(100), Some(0), Some(0)]);
        assert_eq!(Mean::default().rounded(), None);
        // A third and a sixth, neither of which is written down exactly, are a half.
        let (one, other) =
            (HealthMetric::higher("a", 3.0, 0.5), HealthMetric::higher("b", 1.2, 0.5));
        let mut mean = Mean::default();
        mean.add(points(&one, 0.04), nanos(0.5));
        mean.add(points(&other, 0.02), nanos(0.5));
        assert_eq!(mean.rounded(), Some(2), "1 1/3 and 1 2/3 are 1.5 in the mean");
    }
}

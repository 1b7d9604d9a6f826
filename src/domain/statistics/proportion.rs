//! Shares of a whole: how sure one is, and whether two differ.

use super::normal::{Z_95, two_sided};
use super::{LEVEL, real};
use crate::domain::measured::Interval;
use crate::record::words;
use serde::Serialize;

/// Below this expected count in any of the four cells the normal distribution is no guide.
const EXPECTED_MIN: f64 = 5.0;

/// Between what the true share lies when `hits` of `total` were seen, with a probability of 95 %,
/// 0–1; none for a share of nothing or of less than was seen.
///
/// Source: Wilson (1927), without correction for continuity.
///
/// ```
/// use tenure::domain::statistics::proportion::wilson;
/// let interval = wilson(1, 10).expect("one of ten");
/// assert!((interval.low - 0.0179).abs() < 1e-4 && (interval.high - 0.4042).abs() < 1e-4);
/// assert_eq!(wilson(0, 0), None);
/// ```
#[must_use]
pub fn wilson(hits: u64, total: u64) -> Option<Interval> {
    if total == 0 || hits > total {
        return None;
    }
    let (n, square) = (real(total), Z_95 * Z_95);
    let share = real(hits) / n;
    let centre = (share + square / (2.0 * n)) / (1.0 + square / n);
    let spread = (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    let margin = Z_95 * spread / (1.0 + square / n);
    // The ends are exact where all or none were hits.
    let low = if hits == 0 { 0.0 } else { (centre - margin).max(0.0) };
    let high = if hits == total { 1.0 } else { (centre + margin).min(1.0) };
    Some(Interval { low, high, level: LEVEL })
}

words! {
    /// By which test two shares were compared.
    pub enum ShareTest {
        /// The z test with the pooled share: all four expected counts are at least 5.
        Pooled = "z",
        /// Fisher's exact test, where a count is smaller.
        Exact = "fisher",
    }
}

/// How two shares differ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TwoShares {
    /// The first less the second, −1 to 1.
    pub difference: f64,
    /// Between what the true difference lies, with a probability of 95 %: Newcombe's interval.
    pub interval: Interval,
    /// The difference in standard errors of the pooled share; none when nothing varies.
    pub z: Option<f64>,
    /// The smallest of the four counts that would be expected if the shares were equal.
    pub expected_min: f64,
    /// The test that decides.
    pub test: ShareTest,
    /// How likely a difference at least as large is if there is none in truth, 0–1.
    pub p: f64,
}

/// Compares `hits` of `total` with another such pair; none for a share of nothing or of less than
/// was seen.
///
/// Sources: the pooled z test where every expected count is at least 5 (Cochran 1954), else
/// [`fisher`]; the interval is method 10 of Newcombe (1998), from two intervals of [`wilson`].
///
/// ```
/// use tenure::domain::statistics::proportion::{ShareTest, compare};
/// let shares = compare((5, 40), (1, 45)).expect("two shares");
/// assert_eq!(shares.test, ShareTest::Exact);
/// assert!((shares.p - 0.0951).abs() < 1e-4);
/// ```
#[must_use]
pub fn compare(first: (u64, u64), second: (u64, u64)) -> Option<TwoShares> {
    let (around_first, around_second) = (wilson(first.0, first.1)?, wilson(second.0, second.1)?);
    let (n1, n2) = (real(first.1), real(second.1));
    let (p1, p2) = (real(first.0) / n1, real(second.0) / n2);
    let difference = p1 - p2;
    let low = (p1 - around_first.low).hypot(around_second.high - p2);
    let high = (around_first.high - p1).hypot(p2 - around_second.low);
    let interval = Interval { low: difference - low, high: difference + high, level: LEVEL };
    let pooled = (real(first.0) + real(second.0)) / (n1 + n2);
    let expected_min = n1.min(n2) * pooled.min(1.0 - pooled);
    let error = (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)).sqrt();
    let z = (error > 0.0).then(|| difference / error);
    let (test, p) = match z {
        Some(z) if expected_min >= EXPECTED_MIN => (ShareTest::Pooled, two_sided(z)),
        _ => (ShareTest::Exact, fisher(first, second)?),
    };
    Some(TwoShares { difference, interval, z, expected_min, test, p })
}

/// How likely counts at least as unlikely as these are if both shares are equal, 0–1; none when
/// there are more hits than there were, or too many to count.
///
/// Source: Fisher (1922); both sides, as R and `SciPy` do it: the sum over all tables with these
/// margins that are no more likely than this one, but for a ten-millionth.
///
/// ```
/// use tenure::domain::statistics::proportion::fisher;
/// // The lady tasting tea: three of four cups right.
/// let p = fisher((3, 4), (1, 4)).expect("no more hits than cups");
/// assert!((p - 34.0 / 70.0).abs() < 1e-12);
/// ```
#[must_use]
pub fn fisher(first: (u64, u64), second: (u64, u64)) -> Option<f64> {
    let hits = first.0.checked_add(second.0)?;
    if first.0 > first.1 || second.0 > second.1 {
        return None;
    }
    let (from, to) = (hits.saturating_sub(second.1), hits.min(first.1));
    // How many times as likely the table with one hit more in the first is.
    let step = |k: u64| {
        let k = real(k);
        let misses = real(second.1) - real(hits) + k + 1.0;
        (real(first.1) - k) * (real(hits) - k) / ((k + 1.0) * misses)
    };
    // Likelihoods relative to the likeliest, so that none overflows, until they count for nothing.
    let mode = (real(hits) + 1.0) * (real(first.1) + 1.0) / (real(first.1) + real(second.1) + 2.0);
    let mode = whole(mode).clamp(from, to);
    let seen = if first.0 >= mode {
        (mode..first.0).map(step).product()
    } else {
        (first.0..mode).map(step).map(f64::recip).product::<f64>()
    };
    let (mut all, mut unlikely) = (0.0, 0.0);
    let mut add = |likelihood: f64| {
        all += likelihood;
        if likelihood <= seen * (1.0 + 1e-7) {
            unlikely += likelihood;
        }
        likelihood > 1e-20 * seen.min(1.0) && likelihood > 0.0
    };
    add(1.0);
    let mut likelihood = 1.0;
    for k in mode..to {
        likelihood *= step(k);
        if !add(likelihood) {
            break;
        }
    }
    likelihood = 1.0;
    for k in (from..mode).rev() {
        likelihood /= step(k);
        if !add(likelihood) {
            break;
        }
    }
    Some((unlikely / all).min(1.0))
}

/// A number that is not negative, without its fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a starting point: any will do"
)]
const fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_share_of_nothing_has_no_interval() {
        for (hits, total) in [(0, 0), (1, 0), (2, 1)] {
            assert_eq!(wilson(hits, total), None);
            assert_eq!(compare((hits, total), (1, 2)), None);
            assert_eq!(compare((1, 2), (hits, total)), None);
        }
    }

    #[test]
    fn shares_that_nothing_varies_in_do_not_differ() {
        for hits in [0, 100] {
            let shares = compare((hits, 100), (hits, 100)).unwrap();
            assert_eq!((shares.z, shares.test), (None, ShareTest::Exact));
            assert!((shares.p - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn huge_counts_do_no_harm() {
        assert_eq!(fisher((u64::MAX, u64::MAX), (1, 1)), None);
        let p = fisher((10_000, 1 << 40), (9_000, 1 << 40)).unwrap();
        assert!(p < 1e-9, "{p}");
    }

    proptest! {
        #[test]
        fn a_probability_is_one_and_an_interval_holds_the_share(
            (n1, k1) in (1_u64..400).prop_flat_map(|n| (Just(n), 0..=n)),
            (n2, k2) in (1_u64..400).prop_flat_map(|n| (Just(n), 0..=n)),
        ) {
            let interval = wilson(k1, n1).unwrap();
            let share = real(k1) / real(n1);
            prop_assert!(0.0 <= interval.low && interval.low <= share);
            prop_assert!(share <= interval.high && interval.high <= 1.0);
            let (there, back) = (compare((k1, n1), (k2, n2)), compare((k2, n2), (k1, n1)));
            let (there, back) = (there.unwrap(), back.unwrap());
            prop_assert!((0.0..=1.0).contains(&there.p));
            prop_assert!((there.p - back.p).abs() < 1e-9);
            prop_assert!((there.difference + back.difference).abs() < 1e-12);
            prop_assert!(there.interval.low <= there.difference + 1e-12);
            prop_assert!(there.difference <= there.interval.high + 1e-12);
            prop_assert!(there.interval.low >= -1.0 - 1e-12 && there.interval.high <= 1.0 + 1e-12);
            let exact = fisher((k1, n1), (k2, n2)).unwrap();
            prop_assert!((0.0..=1.0).contains(&exact));
        }
    }
}

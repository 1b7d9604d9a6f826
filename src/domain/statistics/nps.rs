//! The net promoter score as an estimate: how sure one is of it, and whether two differ.

use super::normal::{Z_95, erfc, two_sided};
use super::{Difference, around, real, rounded, student};
use crate::domain::measured::Interval;
use crate::record::words;
use serde::{Deserialize, Serialize};
use std::f64::consts::FRAC_1_SQRT_2;

/// Below so many answers nothing is claimed.
pub const SAMPLE_MIN: u64 = 30;

words! {
    /// What an answer to "how likely are you to recommend us", 0–10, makes of somebody.
    pub enum NpsClass {
        /// 9 or 10.
        Promoter = "promoter",
        /// 7 or 8.
        Passive = "passive",
        /// 0 to 6.
        Detractor = "detractor",
    }
}

impl NpsClass {
    /// The class of a score; every number has one, so that none is lost in a gap between two.
    ///
    /// ```
    /// use tenure::NpsClass;
    /// assert_eq!([6.0, 7.0, 9.0].map(NpsClass::of).map(NpsClass::as_str), ["detractor", "passive", "promoter"]);
    /// ```
    #[must_use]
    pub fn of(score: f64) -> Self {
        if score >= 9.0 {
            Self::Promoter
        } else if score >= 7.0 {
            Self::Passive
        } else {
            Self::Detractor
        }
    }
}

/// How many answers there were of each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NpsCounts {
    /// Scores of 9 and 10.
    pub promoters: u64,
    /// Scores of 7 and 8.
    pub passives: u64,
    /// Scores of 0 to 6.
    pub detractors: u64,
}

/// A score with the error of its estimate, in points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NpsEstimate {
    /// What the interval lies around, −100 to 100.
    pub centre: f64,
    /// The standard error.
    pub standard_error: f64,
    /// 95 % of the estimates lie no further from the true score.
    pub margin: f64,
    /// Between what the true score lies, with a probability of 95 %.
    pub interval: Interval,
}

impl NpsCounts {
    /// So many of each.
    #[must_use]
    pub const fn new(promoters: u64, passives: u64, detractors: u64) -> Self {
        Self { promoters, passives, detractors }
    }

    /// Counts one more answer.
    pub const fn count(&mut self, class: NpsClass) {
        let of = match class {
            NpsClass::Promoter => &mut self.promoters,
            NpsClass::Passive => &mut self.passives,
            NpsClass::Detractor => &mut self.detractors,
        };
        *of = of.saturating_add(1);
    }

    /// How many answers there were.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.promoters.saturating_add(self.passives).saturating_add(self.detractors)
    }

    /// 100 × (promoters − detractors) ÷ answers, −100 to 100; none without answers.
    #[must_use]
    pub fn score(self) -> Option<f64> {
        let total = self.total();
        let net = real(self.promoters) - real(self.detractors);
        (total > 0).then(|| 100.0 * net / real(total))
    }

    /// The score as a whole number, halves rounded up (−12.5 is −12); none without answers.
    ///
    /// ```
    /// use tenure::NpsCounts;
    /// assert_eq!(NpsCounts::new(10, 5, 5).rounded(), Some(25));
    /// assert_eq!(NpsCounts::new(3, 1, 4).rounded(), Some(-12));
    /// assert_eq!(NpsCounts::default().rounded(), None);
    /// ```
    #[must_use]
    pub fn rounded(self) -> Option<i64> {
        let net = i128::from(self.promoters).checked_sub(i128::from(self.detractors))?;
        rounded(net.checked_mul(100)?, self.total())
    }

    /// The percentages of promoters, passives and detractors as whole numbers, halves rounded up;
    /// none without answers. Rounded each for itself, they may add up to 99 or 101.
    #[must_use]
    pub fn percentages(self) -> Option<[i64; 3]> {
        let share = |part: u64| rounded(i128::from(part).checked_mul(100)?, self.total());
        Some([share(self.promoters)?, share(self.passives)?, share(self.detractors)?])
    }

    /// The variance of one answer, counted as 1, 0 and −1: p + d − (p − d)², 0–1; none without
    /// answers.
    #[must_use]
    pub fn variance(self) -> Option<f64> {
        (self.total() > 0).then(|| Weighed::seen(self).variance())
    }

    /// The score and its error as they were seen, in points. All alike, it says that it is exact:
    /// [`adjusted`](Self::adjusted) does not.
    ///
    /// Source: the variance of the difference of two shares of one multinomial sample (Goodman
    /// 1965), divided by the number of answers.
    #[must_use]
    pub fn wald(self) -> Option<NpsEstimate> {
        (self.total() > 0).then(|| Weighed::seen(self).estimate(false))
    }

    /// The score and its error as if ¾ promoter, ¾ detractor and 1½ passives more had answered, in
    /// points, within ±100: right for small samples too, and for those that are all alike.
    ///
    /// Source: Rocks (2016), arXiv 1601.07235, "adjusted Wald".
    ///
    /// ```
    /// use tenure::NpsCounts;
    /// let five_promoters = NpsCounts::new(5, 0, 0).adjusted().expect("five answers");
    /// assert!((five_promoters.interval.low - 17.4915).abs() < 1e-3);
    /// assert_eq!(five_promoters.interval.high, 100.0);
    /// ```
    #[must_use]
    pub fn adjusted(self) -> Option<NpsEstimate> {
        (self.total() > 0).then(|| Weighed::adjusted(self).estimate(true))
    }

    /// How the score of `later` differs from this one, both as they were seen, in points; none
    /// where one has no answers.
    ///
    /// Source: the z test of two independent estimates, each with its own variance.
    ///
    /// ```
    /// use tenure::NpsCounts;
    /// let (before, after) = (NpsCounts::new(120, 60, 70), NpsCounts::new(150, 55, 45));
    /// let difference = before.difference(after).expect("answers on both sides");
    /// assert!((difference.value - 22.0).abs() < 1e-9);
    /// assert!(difference.p.is_some_and(|p| p < 0.01));
    /// ```
    #[must_use]
    pub fn difference(self, later: Self) -> Option<Difference> {
        let known = self.total() > 0 && later.total() > 0;
        known.then(|| Weighed::seen(self).difference(Weighed::seen(later)))
    }

    /// How the score of `later` differs from this one, both adjusted as by
    /// [`adjusted`](Self::adjusted), in points; none where one has no answers. Of samples as small
    /// as 20 it finds a difference that is not there in 5 % of the cases at the most, where
    /// [`difference`](Self::difference) finds one in 6.5 %.
    #[must_use]
    pub fn adjusted_difference(self, later: Self) -> Option<Difference> {
        let known = self.total() > 0 && later.total() > 0;
        known.then(|| Weighed::adjusted(self).difference(Weighed::adjusted(later)))
    }

    /// How the score of `later` differs from this one by the t test of Welch (1947), in points; none
    /// where one has fewer than two answers, or all of both are alike.
    #[must_use]
    pub fn welch(self, later: Self) -> Option<Difference> {
        let part = |counts: Self| {
            let fewer = real(counts.total()) - 1.0;
            (fewer > 0.0).then(|| (Weighed::seen(counts).variance() / fewer, fewer))
        };
        let ((first, n1), (second, n2)) = (part(self)?, part(later)?);
        let sum = first + second;
        let freedom = sum * sum / (first * first / n1 + second * second / n2);
        student::difference(later.score()? - self.score()?, 100.0 * sum.sqrt(), freedom)
    }

    /// How likely two mixes of promoters, passives and detractors at least as different are if they
    /// are the same in truth, 0–1, whatever their scores; none when there is nothing to tell apart.
    ///
    /// Source: Pearson's χ² test (1900); a class that nobody is in does not count.
    ///
    /// ```
    /// use tenure::NpsCounts;
    /// // Both scores are 0, but one half of the people has made up its mind.
    /// let p = NpsCounts::new(0, 40, 0).same_mix(NpsCounts::new(20, 0, 20));
    /// assert!(p.is_some_and(|p| p < 0.001));
    /// ```
    #[must_use]
    pub fn same_mix(self, other: Self) -> Option<f64> {
        let rows = [self, other].map(|it| [it.promoters, it.passives, it.detractors].map(real));
        let totals = [real(self.total()), real(other.total())];
        let all = totals[0] + totals[1];
        let (mut statistic, mut classes) = (0.0, 0_u32);
        for (first, second) in rows[0].iter().zip(rows[1]) {
            let column = first + second;
            if column > 0.0 && totals[0] > 0.0 && totals[1] > 0.0 {
                classes = classes.saturating_add(1);
                for (seen, total) in [(*first, totals[0]), (second, totals[1])] {
                    let expected = column * total / all;
                    statistic += (seen - expected).powi(2) / expected;
                }
            }
        }
        match classes {
            2 => Some(erfc(statistic.sqrt() * FRAC_1_SQRT_2)),
            3 => Some((-statistic / 2.0).exp()),
            _ => None,
        }
    }
}

/// Answers counted, those that are added for caution included.
#[derive(Debug, Clone, Copy)]
struct Weighed {
    promoters: f64,
    detractors: f64,
    total: f64,
}

impl Weighed {
    const fn seen(counts: NpsCounts) -> Self {
        let (promoters, detractors) = (real(counts.promoters), real(counts.detractors));
        Self { promoters, detractors, total: real(counts.total()) }
    }

    const fn adjusted(counts: NpsCounts) -> Self {
        let Self { promoters, detractors, total } = Self::seen(counts);
        Self { promoters: promoters + 0.75, detractors: detractors + 0.75, total: total + 3.0 }
    }

    /// As a share, −1 to 1.
    fn score(self) -> f64 {
        (self.promoters - self.detractors) / self.total
    }

    fn variance(self) -> f64 {
        let net = self.score();
        ((self.promoters + self.detractors) / self.total - net * net).max(0.0)
    }

    fn estimate(self, clamped: bool) -> NpsEstimate {
        let (centre, end) = (100.0 * self.score(), if clamped { 100.0 } else { f64::INFINITY });
        let standard_error = 100.0 * (self.variance() / self.total).sqrt();
        let interval = around(centre, standard_error, (-end, end));
        NpsEstimate { centre, standard_error, margin: Z_95 * standard_error, interval }
    }

    fn difference(self, later: Self) -> Difference {
        let value = 100.0 * (later.score() - self.score());
        let error = self.variance() / self.total + later.variance() / later.total;
        let standard_error = 100.0 * error.sqrt();
        let interval = around(value, standard_error, (-200.0, 200.0));
        Difference::new(value, standard_error, interval, |z| Some(two_sided(z)))
    }
}

/// How the score changed of people who all answered twice, in points: `pairs` has for each the
/// class before and after. None for fewer than two.
///
/// Source: the t test of pairs (Student 1908). It sees changes that the test of independent samples
/// does not, because what people differ in anyway does not count.
///
/// ```
/// use tenure::NpsClass::{Detractor, Passive, Promoter};
/// use tenure::domain::statistics::nps::paired;
/// let pairs = [(Detractor, Passive), (Passive, Promoter), (Promoter, Promoter), (Detractor, Detractor)];
/// assert_eq!(paired(&pairs).map(|it| it.value), Some(50.0));
/// ```
#[must_use]
pub fn paired(pairs: &[(NpsClass, NpsClass)]) -> Option<Difference> {
    let worth = |class| match class {
        NpsClass::Promoter => 100.0,
        NpsClass::Passive => 0.0,
        NpsClass::Detractor => -100.0,
    };
    let changes = || pairs.iter().map(|(before, after)| worth(*after) - worth(*before));
    let count = real(u64::try_from(pairs.len()).ok()?);
    let freedom = count - 1.0;
    if freedom < 1.0 {
        return None;
    }
    let mean = changes().sum::<f64>() / count;
    let squares: f64 = changes().map(|change| (change - mean).powi(2)).sum();
    let error = (squares / freedom / count).sqrt();
    let mut difference = student::difference(mean, error, freedom)?;
    let Interval { low, high, .. } = &mut difference.interval;
    (*low, *high) = (low.max(-200.0), high.min(200.0));
    Some(difference)
}

/// How many answers it takes to know a score within ± `margin` points with a probability of 95 %,
/// when one answer has this variance (1 at the worst, 0.6 as is usual); none unless 0 < `margin`
/// and 0 ≤ `variance` ≤ 1. Adjusted intervals take three fewer.
///
/// ```
/// use tenure::domain::statistics::nps::sample_size;
/// assert_eq!(sample_size(10.0, 0.6), Some(231));
/// ```
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked: a whole number that a count holds"
)]
pub fn sample_size(margin: f64, variance: f64) -> Option<u64> {
    if !(margin > 0.0 && (0.0..=1.0).contains(&variance)) {
        return None;
    }
    let count = (variance * (100.0 * Z_95 / margin).powi(2)).ceil();
    (count < 9e18).then_some(count as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_answers_there_is_no_score() {
        let none = NpsCounts::default();
        assert_eq!((none.score(), none.rounded(), none.variance()), (None, None, None));
        assert_eq!((none.wald(), none.adjusted(), none.percentages()), (None, None, None));
        let some = NpsCounts::new(1, 2, 3);
        assert_eq!((none.difference(some), some.adjusted_difference(none)), (None, None));
        assert_eq!((none.welch(some), some.same_mix(none), paired(&[])), (None, None, None));
    }

    #[test]
    fn people_who_answer_twice_tell_more_than_two_samples() {
        let mut pairs = vec![(NpsClass::Passive, NpsClass::Promoter); 8];
        for class in NpsClass::ALL {
            pairs.extend(std::iter::repeat_n((*class, *class), 20));
        }
        let (mut before, mut after) = (NpsCounts::default(), NpsCounts::default());
        for (first, second) in &pairs {
            before.count(*first);
            after.count(*second);
        }
        let (same, others) = (paired(&pairs).unwrap(), before.adjusted_difference(after).unwrap());
        assert!((same.value - 100.0 * 8.0 / 68.0).abs() < 1e-9);
        assert!(same.p.unwrap() < 0.01 && others.p.unwrap() > 0.3, "{same:?} {others:?}");
        let alike = paired(&[(NpsClass::Passive, NpsClass::Passive); 5]).unwrap();
        assert_eq!((alike.value, alike.p), (0.0, None));
    }

    #[test]
    fn the_extremes_do_no_harm() {
        for counts in [NpsCounts::new(u64::MAX, 0, 0), NpsCounts::new(u64::MAX, u64::MAX, u64::MAX)]
        {
            let estimate = counts.adjusted().unwrap();
            assert!(estimate.interval.high <= 100.0 && estimate.standard_error.is_finite());
            assert!(counts.percentages().is_some());
        }
        for (margin, variance) in
            [(0.0, 0.5), (-1.0, 0.5), (f64::NAN, 0.5), (5.0, 1.1), (1e-300, 1.0)]
        {
            assert_eq!(sample_size(margin, variance), None);
        }
    }

    fn counts() -> impl Strategy<Value = NpsCounts> {
        (0_u64..500, 0_u64..500, 0_u64..500).prop_map(|(p, n, d)| NpsCounts::new(p, n, d))
    }

    proptest! {
        #[test]
        fn intervals_hold_their_centre_within_the_scale(counts in counts()) {
            if let (Some(wald), Some(adjusted)) = (counts.wald(), counts.adjusted()) {
                for it in [wald, adjusted] {
                    prop_assert!(it.interval.low <= it.centre && it.centre <= it.interval.high);
                }
                prop_assert!(adjusted.interval.low >= -100.0 && adjusted.interval.high <= 100.0);
                prop_assert!((0.0..=1.0).contains(&counts.variance().unwrap()));
            }
        }

        #[test]
        fn promoters_and_detractors_are_each_other_s_mirror(a in counts(), b in counts()) {
            let mirror = |it: NpsCounts| NpsCounts::new(it.detractors, it.passives, it.promoters);
            let close = |x: f64, y: f64| (x - y).abs() < 1e-9;
            prop_assert!(a.score().is_none_or(|it| close(it, -mirror(a).score().unwrap())));
            if let (Some(it), Some(back)) = (a.adjusted(), mirror(a).adjusted()) {
                prop_assert!(close(it.interval.low, -back.interval.high));
            }
            for (there, back) in [
                (a.difference(b), mirror(a).difference(mirror(b))),
                (a.adjusted_difference(b), mirror(a).adjusted_difference(mirror(b))),
                (a.welch(b), mirror(a).welch(mirror(b))),
            ] {
                if let (Some(there), Some(back)) = (there, back) {
                    prop_assert!(close(there.value, -back.value));
                    prop_assert!(there.p.is_none_or(|p| (0.0..=1.0).contains(&p)));
                    prop_assert!(there.p.is_none_or(|p| close(p, back.p.unwrap())));
                }
            }
            prop_assert!(a.same_mix(b).is_none_or(|p| (0.0..=1.0).contains(&p)));
        }
    }
}

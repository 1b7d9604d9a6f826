//! Thresholds: which warnings a change of usage sets off.
//!
//! Every rule here looks at an edge, from the amount before a change to the amount after it. So a
//! threshold fires once however often usage is looked at, a jump fires each that it passes, and a
//! reset or a correction to below it makes it ready to fire again.

use super::text::Malformed;

/// The percentages of a limit that are warned of unless the host names others.
pub const DEFAULT_PERCENTAGES: [u32; 3] = [80, 90, 100];

/// The most recurring steps that one change is reported to cross.
pub const STEPS_MAX: i128 = 1_000;

/// Whether `used` has reached `percent` of `limit`: exactly 80 % is 80 %. Amounts are in
/// millionths, compared exactly.
///
/// No share is ever reached of no limit, nor of a limit of 0 or less: there is nothing to use up,
/// and a warning before the first refusal would warn of nothing.
#[must_use]
pub fn reached(percent: u32, limit: Option<i64>, used: i64) -> bool {
    let Some(limit) = limit.filter(|limit| *limit > 0) else { return false };
    // Neither product can overflow: 64 and 32 bits fit in 128.
    i128::from(used).saturating_mul(100) >= i128::from(limit).saturating_mul(percent.into())
}

/// Those of `percentages` of `limit` that usage crosses when it goes from `previous` to `current`,
/// ascending: reached now and not before. Amounts are in millionths.
///
/// # Example
///
/// ```
/// use tenure::domain::threshold::{DEFAULT_PERCENTAGES, crossed_percentages};
///
/// let limit = Some(50_000_000);
/// assert_eq!(crossed_percentages(&DEFAULT_PERCENTAGES, limit, 39_999_999, 45_000_000), [80, 90]);
/// assert!(crossed_percentages(&DEFAULT_PERCENTAGES, limit, 40_000_000, 41_000_000).is_empty());
/// assert!(crossed_percentages(&DEFAULT_PERCENTAGES, None, 0, 41_000_000).is_empty());
/// ```
#[must_use]
pub fn crossed_percentages(
    percentages: &[u32],
    limit: Option<i64>,
    previous: i64,
    current: i64,
) -> Vec<u32> {
    let is_crossed =
        |percent| reached(percent, limit, current) && !reached(percent, limit, previous);
    let mut crossed: Vec<u32> =
        percentages.iter().copied().filter(|percent| is_crossed(*percent)).collect();
    crossed.sort_unstable();
    crossed.dedup();
    crossed
}

/// Which way an amount goes when it crosses a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Up, as usage does: reached at the threshold or above.
    Increasing,
    /// Down, as a balance does: reached at the threshold or below.
    Decreasing,
}

/// Amounts that set off something when a figure reaches them, each once, and optionally a step that
/// recurs for ever beyond the last. Amounts are in any one unit; for quantities, millionths.
///
/// # Example
///
/// ```
/// use tenure::domain::threshold::{Direction, Thresholds};
///
/// let alerts = Thresholds::new(Direction::Increasing, [10, 30, 50]).recurring(100)?;
/// assert_eq!(alerts.crossed(8, 30), [10, 30]);
/// assert_eq!(alerts.crossed(33, 351), [50, 150, 250, 350]);
/// assert!(alerts.crossed(30, 29).is_empty());
/// # Ok::<(), tenure::domain::text::Malformed>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Thresholds {
    direction: Direction,
    once: Vec<i64>,
    step: Option<i64>,
}

impl Thresholds {
    /// Thresholds at `amounts`, in any order.
    #[must_use]
    pub fn new(direction: Direction, amounts: impl IntoIterator<Item = i64>) -> Self {
        let mut once: Vec<i64> = amounts.into_iter().collect();
        once.sort_unstable();
        once.dedup();
        Self { direction, once, step: None }
    }

    /// Further ones, every `step` beyond the last amount in the direction, or beyond 0 if there are
    /// none.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when the step is not positive.
    pub fn recurring(self, step: i64) -> Result<Self, Malformed> {
        if step > 0 {
            return Ok(Self { step: Some(step), ..self });
        }
        Err(Malformed::new(&step.to_string(), "must be a step above 0"))
    }

    /// The amounts that are crossed when the figure goes from `previous` to `current`, ascending:
    /// `current` is among them if it is a threshold, `previous` never is.
    ///
    /// Of recurring steps at most [`STEPS_MAX`], those nearest to `current`, so that a huge jump
    /// over a tiny step costs no more than it can mean.
    #[must_use]
    pub fn crossed(&self, previous: i64, current: i64) -> Vec<i64> {
        let is_crossed =
            |at: &i64| self.is_reached(*at, current) && !self.is_reached(*at, previous);
        let mut crossed: Vec<i64> = self.once.iter().copied().filter(is_crossed).collect();
        if let Some(last) = self.steps_at(current) {
            let first = self.steps_at(previous).unwrap_or(0).saturating_add(1);
            let first = first.max(1).max(last.saturating_sub(STEPS_MAX).saturating_add(1));
            crossed.extend((first..=last).filter_map(|steps| self.step(steps)));
        }
        crossed.sort_unstable();
        crossed
    }

    /// The threshold that is in force at `current`: the last one reached; none before the first.
    #[must_use]
    pub fn active(&self, current: i64) -> Option<i64> {
        let recurring = self.steps_at(current).filter(|steps| *steps > 0);
        let once = || {
            let mut reached = self.once.iter().copied().filter(|at| self.is_reached(*at, current));
            match self.direction {
                Direction::Increasing => reached.next_back(),
                Direction::Decreasing => reached.next(),
            }
        };
        recurring.and_then(|steps| self.step(steps)).or_else(once)
    }

    fn is_reached(&self, at: i64, amount: i64) -> bool {
        match self.direction {
            Direction::Increasing => at <= amount,
            Direction::Decreasing => at >= amount,
        }
    }

    /// What recurring steps are counted from.
    fn base(&self) -> i128 {
        let last = match self.direction {
            Direction::Increasing => self.once.last(),
            Direction::Decreasing => self.once.first(),
        };
        last.map_or(0, |last| i128::from(*last))
    }

    /// How many steps beyond the base `amount` is; none without steps, negative before the base.
    fn steps_at(&self, amount: i64) -> Option<i128> {
        let beyond = match self.direction {
            Direction::Increasing => i128::from(amount).checked_sub(self.base())?,
            Direction::Decreasing => self.base().checked_sub(i128::from(amount))?,
        };
        beyond.checked_div_euclid(i128::from(self.step?))
    }

    /// The amount that lies `steps` beyond the base.
    fn step(&self, steps: i128) -> Option<i64> {
        let beyond = i128::from(self.step?).checked_mul(steps)?;
        let at = match self.direction {
            Direction::Increasing => self.base().checked_add(beyond)?,
            Direction::Decreasing => self.base().checked_sub(beyond)?,
        };
        i64::try_from(at).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_reached_exactly_at_it() {
        let (limit, exactly) = (Some(i64::MAX - 7), 7_378_697_629_483_820_640);
        assert!(reached(80, limit, exactly));
        assert!(!reached(80, limit, exactly - 1));
        assert_eq!(crossed_percentages(&[100, 80, 80], limit, exactly - 1, i64::MAX), [80, 100]);
    }

    #[test]
    fn a_reset_or_a_correction_below_arms_it_again() {
        let crossed = |previous, current| crossed_percentages(&[80], Some(10), previous, current);
        assert_eq!(crossed(7, 8), [80]);
        assert!(crossed(8, 7).is_empty());
        assert_eq!(crossed(7, 8), [80]);
        assert_eq!(crossed(0, 10), [80]);
    }

    #[test]
    fn nothing_is_a_share_of_no_limit_or_of_zero() {
        for limit in [None, Some(0), Some(-5)] {
            assert!(crossed_percentages(&[0, 80, 100], limit, 0, i64::MAX).is_empty());
            assert!(!reached(80, limit, i64::MAX));
        }
    }

    #[test]
    fn a_huge_jump_over_a_tiny_step_reports_the_nearest() {
        let up = Thresholds::new(Direction::Increasing, [5]).recurring(1).unwrap();
        let crossed = up.crossed(i64::MIN, i64::MAX);
        assert_eq!((crossed.len(), crossed[0], crossed[1000]), (1_001, 5, i64::MAX));
        let down = Thresholds::new(Direction::Decreasing, []).recurring(i64::MAX).unwrap();
        assert_eq!(down.crossed(0, i64::MIN), [-i64::MAX]);
    }

    #[test]
    fn the_threshold_in_force_is_the_last_one_reached() {
        let up = Thresholds::new(Direction::Increasing, [50, 10, 30]).recurring(100).unwrap();
        let active = [5, 10, 35, 149, 150, 349].map(|usage| up.active(usage));
        assert_eq!(active, [None, Some(10), Some(30), Some(50), Some(150), Some(250)]);
        let down = Thresholds::new(Direction::Decreasing, [50, 20]);
        let active = [51, 50, 20, -3].map(|balance| down.active(balance));
        assert_eq!(active, [None, Some(50), Some(20), Some(20)]);
    }

    #[test]
    fn a_step_is_positive() {
        for step in [0, -1, i64::MIN] {
            assert!(Thresholds::new(Direction::Increasing, []).recurring(step).is_err());
        }
    }
}

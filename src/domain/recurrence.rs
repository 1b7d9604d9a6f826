//! Dates that come again: the k-th reset, bill or calendar boundary, computed from the anchor.

use super::calendar::{BillingDay, add_days, add_months, month_number};
use super::cycle::{Cycle, Unit};
use super::period::Period;
use super::text::Malformed;
use super::zone::{TimeZone, in_range, out_of_range, to_utc_micros};
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, Time};

const SECONDS_PER_HOUR: i64 = 3_600;

/// A series of instants, its boundaries, that extends from an anchor into past and future.
///
/// Boundary 0 is the anchor and boundary k lies k cycles from it, **always counted from the
/// anchor**: monthly from 31 January comes on 28 or 29 February and is back on 31 March. The
/// wall-clock time in the zone stays the same when clocks change; a time that clocks skip is as
/// much later, and of a time that occurs twice the earlier is meant. Cycles of hours are elapsed
/// time. Between two boundaries lies a half-open [`Period`], so every instant is in exactly one.
///
/// Everything here costs the same however far from the anchor it is. Answers are in UTC; there is
/// none beyond the years 1 to 9999.
///
/// # Example
///
/// ```
/// use tenure::domain::{cycle::Cycle, recurrence::Recurrence, zone::TimeZone};
/// use time::macros::datetime;
///
/// let resets = Recurrence::new(datetime!(2025-01-31 15:00 UTC), Cycle::MONTH, TimeZone::UTC)?;
/// assert_eq!(resets.boundary(1), Some(datetime!(2025-02-28 15:00 UTC)));
/// assert_eq!(resets.boundary(2), Some(datetime!(2025-03-31 15:00 UTC)));
/// assert_eq!(resets.next_after(datetime!(2025-03-30 0:00 UTC)), resets.boundary(2));
/// # Ok::<(), tenure::domain::text::Malformed>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recurrence {
    anchor: OffsetDateTime,
    /// The anchor on the clocks of the zone.
    local: PrimitiveDateTime,
    /// The day of the month to come back to, which the anchor's own month may not have.
    day: u8,
    cycle: Cycle,
    zone: TimeZone,
}

impl Recurrence {
    /// Every `cycle` from `anchor`, which is rounded down to the microsecond, on the calendar of
    /// `zone`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when the anchor lies outside the years 1 to 9999, in UTC or in the zone.
    pub fn new(anchor: OffsetDateTime, cycle: Cycle, zone: TimeZone) -> Result<Self, Malformed> {
        let utc = to_utc_micros(anchor);
        let Some((anchor, local)) = utc.and_then(|utc| Some((utc, zone.local(utc)?))) else {
            return Err(out_of_range(anchor));
        };
        Ok(Self { anchor, local, day: local.day(), cycle, zone })
    }

    /// The calendar's own periods: days from midnight, weeks from Monday, months from the first.
    ///
    /// Several units count from 1970, and weeks from the ISO week that 1970 began in (Monday
    /// 29 December 1969): every 3 months are the quarters, every 2 weeks begin with the odd weeks
    /// of 2025. Hours are hours of UTC, since a zone's clocks may skip or repeat one.
    #[must_use]
    pub fn calendar(cycle: Cycle, zone: TimeZone) -> Self {
        const DAYS_SINCE_MONDAY: i64 = 3;
        let midnight = PrimitiveDateTime::new(OffsetDateTime::UNIX_EPOCH.date(), Time::MIDNIGHT);
        let whole_weeks = cycle.unit() == Unit::Day && cycle.count().rem_euclid(7) == 0;
        let back = if whole_weeks { DAYS_SINCE_MONDAY } else { 0 };
        let local = midnight.saturating_sub(Duration::days(back));
        let anchor = match cycle.unit() {
            Unit::Hour => OffsetDateTime::UNIX_EPOCH,
            // 1970 is within every zone's range.
            Unit::Day | Unit::Month => zone.instant(local).unwrap_or(local.assume_utc()),
        };
        Self { anchor, local, day: local.day(), cycle, zone }
    }

    /// Bills due on a day of the month, at midnight in `zone`; boundary 0 is the first billing date
    /// on or after the day of `start`.
    ///
    /// Billing day 31 is the last day of every month, whatever month it starts in.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when the cycle is not one of months, or `start` is outside the years 1 to
    /// 9999.
    pub fn on_billing_day(
        start: OffsetDateTime,
        day: BillingDay,
        cycle: Cycle,
        zone: TimeZone,
    ) -> Result<Self, Malformed> {
        if cycle.unit() != Unit::Month {
            let rule = "must be a cycle of months or years to have a billing day";
            return Err(Malformed::new(&cycle.to_string(), rule));
        }
        let anchor = zone.day(start).and_then(|from| {
            let local = PrimitiveDateTime::new(day.on_or_after(from)?, Time::MIDNIGHT);
            Some((zone.instant(local)?, local))
        });
        let (anchor, local) = anchor.ok_or_else(|| out_of_range(start))?;
        Ok(Self { anchor, local, day: day.get(), cycle, zone })
    }

    /// The same series on the clocks of another zone: boundary k keeps its wall-clock time and so
    /// moves by the difference of the two. Cycles of hours do not move.
    ///
    /// A period that is running must not be cut short or left open by it: see
    /// [`Schedule::moved_to`](super::schedule::Schedule::moved_to).
    ///
    /// # Errors
    ///
    /// [`Malformed`] when the anchor leaves the years 1 to 9999 by it.
    pub fn moved_to(&self, zone: TimeZone) -> Result<Self, Malformed> {
        if self.cycle.unit() == Unit::Hour {
            return Self::new(self.anchor, self.cycle, zone);
        }
        let anchor = zone.instant(self.local).ok_or_else(|| out_of_range(self.anchor))?;
        Ok(Self { anchor, zone, ..self.clone() })
    }

    /// Boundary 0.
    #[must_use]
    pub const fn anchor(&self) -> OffsetDateTime {
        self.anchor
    }

    /// What lies between two boundaries.
    #[must_use]
    pub const fn cycle(&self) -> Cycle {
        self.cycle
    }

    /// Whose calendar it is.
    #[must_use]
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The `k`-th boundary from the anchor, before it when negative; none outside the years 1 to
    /// 9999.
    ///
    /// Boundaries never go back. Two daily ones coincide where a zone skipped a whole day (Samoa,
    /// 30 December 2011): the period between them is empty.
    #[must_use]
    pub fn boundary(&self, k: i64) -> Option<OffsetDateTime> {
        if k == 0 {
            // Not through the zone: the anchor may be the second of two equal wall-clock times.
            return Some(self.anchor);
        }
        let count = k.checked_mul(self.cycle.count())?;
        let date = match self.cycle.unit() {
            Unit::Hour => {
                let elapsed = Duration::seconds(count.checked_mul(SECONDS_PER_HOUR)?);
                return self.anchor.checked_add(elapsed).filter(|at| in_range(at.year()));
            }
            Unit::Day => add_days(self.local.date(), count)?,
            Unit::Month => add_months(self.local.date(), self.day, count)?,
        };
        self.zone.instant(PrimitiveDateTime::new(date, self.local.time()))
    }

    /// The number of the last boundary at or before `t`, and so of the period that `t` is in; none
    /// when that boundary lies outside the years 1 to 9999.
    #[must_use]
    pub fn index_of(&self, t: OffsetDateTime) -> Option<i64> {
        self.locate(t).map(|located| located.0)
    }

    /// The last boundary at or before `t`: its number, itself and the next.
    fn locate(&self, t: OffsetDateTime) -> Option<(i64, OffsetDateTime, Option<OffsetDateTime>)> {
        let guess = match self.cycle.unit() {
            Unit::Hour => self.hours_until(t)?,
            Unit::Day => {
                let days = |date: Date| i64::from(date.to_julian_day());
                let apart = days(self.zone.day(t)?).checked_sub(days(self.local.date()))?;
                apart.checked_div_euclid(self.cycle.count())?
            }
            Unit::Month => {
                let anchor = month_number(self.local.date())?;
                let apart = month_number(self.zone.day(t)?)?.checked_sub(anchor)?;
                apart.checked_div_euclid(self.cycle.count())?
            }
        };
        // The difference of dates leaves out the day of the month, the time of day and changes of
        // clocks. Together they move the answer by one, or two where a zone skipped a day.
        let mut next = None;
        for step in [1, 0, -1, -2] {
            let k = guess.checked_add(step)?;
            let at = self.boundary(k);
            if let Some(at) = at.filter(|at| *at <= t) {
                return Some((k, at, next.or_else(|| self.boundary(k.checked_add(1)?))));
            }
            next = at;
        }
        None
    }

    fn hours_until(&self, t: OffsetDateTime) -> Option<i64> {
        let elapsed = t.unix_timestamp_nanos().checked_sub(self.anchor.unix_timestamp_nanos())?;
        let cycle = self.cycle.count().checked_mul(SECONDS_PER_HOUR)?;
        let k = elapsed.checked_div_euclid(i128::from(cycle).checked_mul(1_000_000_000)?)?;
        i64::try_from(k).ok()
    }

    /// The period between boundary `k` and the next that is later; none outside the years 1 to
    /// 9999, or when it is empty.
    #[must_use]
    pub fn period(&self, k: i64) -> Option<Period> {
        Period::new(self.boundary(k)?, self.boundary(k.checked_add(1)?)?).ok()
    }

    /// The period that `t` is in; none when it begins or ends outside the years 1 to 9999.
    #[must_use]
    pub fn period_containing(&self, t: OffsetDateTime) -> Option<Period> {
        let (_, start, end) = self.locate(t)?;
        Period::new(start, end?).ok()
    }

    /// The first boundary after `t`: when the usage at `t` is reset.
    #[must_use]
    pub fn next_after(&self, t: OffsetDateTime) -> Option<OffsetDateTime> {
        self.locate(t)?.2
    }

    /// The first boundary at `t` or after it.
    #[must_use]
    pub fn next_at_or_after(&self, t: OffsetDateTime) -> Option<OffsetDateTime> {
        self.next_after(t.checked_sub(Duration::NANOSECOND)?)
    }

    /// The last boundary at `t` or before it: when the period of `t` began.
    #[must_use]
    pub fn previous_at_or_before(&self, t: OffsetDateTime) -> Option<OffsetDateTime> {
        self.locate(t).map(|located| located.1)
    }

    /// The last boundary before `t`.
    #[must_use]
    pub fn previous_before(&self, t: OffsetDateTime) -> Option<OffsetDateTime> {
        self.previous_at_or_before(t.checked_sub(Duration::NANOSECOND)?)
    }
}

#[cfg(test)]
mod tests;

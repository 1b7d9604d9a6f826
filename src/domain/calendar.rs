//! The calendar: its named periods, the day that bills are due on, and what one month later is.

use super::cycle::Cycle;
use super::text::Malformed;
use super::zone::{TimeZone, in_range};
use crate::record::words;
use crate::value::field;
use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime};

words! {
    /// How often the usage of an entitlement starts again from zero, counted from its anchor.
    pub enum ResetPeriod {
        /// Every day, at the anchor's time of day.
        Daily = "daily" | "day",
        /// Every week, on the anchor's weekday.
        Weekly = "weekly" | "week",
        /// Every month, on the anchor's day or the last of a shorter month.
        Monthly = "monthly" | "month",
        /// Every year, on the anchor's date; 29 February is the 28th in common years.
        Yearly = "yearly" | "annual" | "annually" | "year",
        /// Not at all: the limit is for life.
        Never = "never" | "none" | "lifetime",
    }
}

impl ResetPeriod {
    /// The cycle of the resets; none for [`Never`](Self::Never).
    #[must_use]
    pub const fn cycle(self) -> Option<Cycle> {
        match self {
            Self::Daily => Some(Cycle::DAY),
            Self::Weekly => Some(Cycle::WEEK),
            Self::Monthly => Some(Cycle::MONTH),
            Self::Yearly => Some(Cycle::YEAR),
            Self::Never => None,
        }
    }
}

words! {
    /// The calendar periods that usage is reported over.
    pub enum PeriodType {
        /// An hour of UTC.
        Hour = "hour" | "hourly",
        /// A day from midnight.
        Day = "day" | "daily",
        /// An ISO week, from Monday.
        Week = "week" | "weekly",
        /// A month from its first day.
        Month = "month" | "monthly",
        /// Three months from January, April, July or October.
        Quarter = "quarter" | "quarterly",
        /// A year from 1 January.
        Year = "year" | "yearly",
    }
}

impl PeriodType {
    /// How long it is.
    #[must_use]
    pub const fn cycle(self) -> Cycle {
        match self {
            Self::Hour => Cycle::HOUR,
            Self::Day => Cycle::DAY,
            Self::Week => Cycle::WEEK,
            Self::Month => Cycle::MONTH,
            Self::Quarter => Cycle::QUARTER,
            Self::Year => Cycle::YEAR,
        }
    }
}

/// A day of the month that bills are due on, from 1 to 31; shorter months bill on their last day.
///
/// # Example
///
/// ```
/// use tenure::domain::calendar::BillingDay;
/// use time::macros::date;
///
/// let last = BillingDay::new(31)?;
/// assert_eq!(last.in_month_of(date!(2022-02-19)), date!(2022-02-28));
/// assert_eq!(last.on_or_after(date!(2022-03-01)), Some(date!(2022-03-31)));
/// assert!(BillingDay::new(0).is_err());
/// # Ok::<(), tenure::domain::text::Malformed>(())
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "u8", into = "u8")]
pub struct BillingDay(u8);

impl BillingDay {
    /// The day of the month that is called `day`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] outside 1 to 31.
    pub fn new(day: u8) -> Result<Self, Malformed> {
        if (1..=31).contains(&day) {
            return Ok(Self(day));
        }
        Err(Malformed::new(&day.to_string(), "must be a day of the month, from 1 to 31"))
    }

    /// The number of the day.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The billing date in the month that `date` is in, be it before or after `date`.
    #[must_use]
    pub fn in_month_of(self, date: Date) -> Date {
        let day = self.0.min(date.month().length(date.year()));
        date.replace_day(day).unwrap_or(date)
    }

    /// The first billing date that is `date` or later; none after the year 9999.
    #[must_use]
    pub fn on_or_after(self, date: Date) -> Option<Date> {
        let due = self.in_month_of(date);
        if due >= date { Some(due) } else { add_months(date, self.0, 1) }
    }
}

impl TryFrom<u8> for BillingDay {
    type Error = Malformed;

    fn try_from(day: u8) -> Result<Self, Malformed> {
        Self::new(day)
    }
}

impl From<BillingDay> for u8 {
    fn from(day: BillingDay) -> Self {
        day.0
    }
}

field!(BillingDay, Int, |s| i64::from(s.0), |v| BillingDay::new(u8::try_from(v).ok()?).ok());

/// The instant that lies `months`, then `days`, then `time` after `from` on the calendar of `zone`;
/// each may be negative.
///
/// Months and days keep the wall-clock time, and a day that the month does not have becomes its
/// last: one month after 31 January is 28 or 29 February, not 3 March. `time` is elapsed time. For
/// a series of dates use a [`Recurrence`](super::recurrence::Recurrence), which does not drift.
/// None when the answer lies outside the years 1 to 9999.
///
/// # Example
///
/// ```
/// use tenure::domain::{calendar, zone::TimeZone};
/// use time::{Duration, macros::datetime};
///
/// let trial_ends = calendar::add(datetime!(2025-01-31 9:00 UTC), 1, 0, Duration::ZERO, &TimeZone::UTC);
/// assert_eq!(trial_ends, Some(datetime!(2025-02-28 9:00 UTC)));
/// ```
#[must_use]
pub fn add(
    from: OffsetDateTime,
    months: i64,
    days: i64,
    time: Duration,
    zone: &TimeZone,
) -> Option<OffsetDateTime> {
    let local = zone.local(from)?;
    let date = add_months(local.date(), local.day(), months)?;
    let date = add_days(date, days)?;
    // An unchanged wall-clock time stays the instant it was, also in an hour that occurs twice.
    let start = if date == local.date() {
        from
    } else {
        zone.instant(PrimitiveDateTime::new(date, local.time()))?
    };
    start.checked_add(time).filter(|instant| in_range(instant.year()))
}

/// The months since the year 0.
pub(crate) fn month_number(date: Date) -> Option<i64> {
    let month = i64::from(u8::from(date.month())).checked_sub(1)?;
    i64::from(date.year()).checked_mul(12)?.checked_add(month)
}

/// `day`, or the last day before it, of the month that comes `months` after the month of `date`.
pub(crate) fn add_months(date: Date, day: u8, months: i64) -> Option<Date> {
    let number = month_number(date)?.checked_add(months)?;
    let year = i32::try_from(number.div_euclid(12)).ok().filter(|year| in_range(*year))?;
    let month = u8::try_from(number.rem_euclid(12)).ok()?.checked_add(1)?;
    let month = Month::try_from(month).ok()?;
    Date::from_calendar_date(year, month, day.min(month.length(year))).ok()
}

/// The date that comes `days` after `date`.
pub(crate) fn add_days(date: Date, days: i64) -> Option<Date> {
    let number = i64::from(date.to_julian_day()).checked_add(days)?;
    Date::from_julian_day(i32::try_from(number).ok()?).ok().filter(|date| in_range(date.year()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime};

    #[test]
    fn a_billing_day_beyond_the_month_is_its_last_day_and_returns() {
        let day = BillingDay::new(30).unwrap();
        assert_eq!(day.on_or_after(date!(2012 - 01 - 31)), Some(date!(2012 - 02 - 29)));
        assert_eq!(day.on_or_after(date!(2012 - 03 - 01)), Some(date!(2012 - 03 - 30)));
        assert_eq!(BillingDay::new(1).unwrap().on_or_after(date!(9999 - 12 - 02)), None);
    }

    #[test]
    fn a_billing_day_is_checked_in_json_too() {
        assert!(serde_json::from_str::<BillingDay>("32").is_err());
        assert_eq!(serde_json::from_str::<BillingDay>("31").unwrap().get(), 31);
    }

    #[test]
    fn adding_stays_in_the_years_1_to_9999() {
        let from = datetime!(2024-01-31 0:00 UTC);
        for (months, days) in
            [(i64::MAX, 0), (i64::MIN, 0), (0, i64::MAX), (0, i64::MIN), (-24_300, 0)]
        {
            assert_eq!(add(from, months, days, Duration::ZERO, &TimeZone::UTC), None);
        }
        assert_eq!(add(from, 0, 0, Duration::MAX, &TimeZone::UTC), None);
        assert_eq!(
            add(from, -1, 0, Duration::ZERO, &TimeZone::UTC),
            Some(datetime!(2023-12-31 0:00 UTC))
        );
    }

    #[test]
    fn words_have_their_cycles() {
        assert_eq!("Lifetime".parse::<ResetPeriod>().unwrap().cycle(), None);
        assert_eq!(ResetPeriod::Yearly.cycle(), Some(Cycle::YEAR));
        assert_eq!("quarterly".parse::<PeriodType>().unwrap().cycle(), Cycle::QUARTER);
    }
}

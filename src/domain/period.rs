//! Periods of time: half-open, so that they follow one another without gap or overlap.

use super::calendar::PeriodType;
use super::cycle::Cycle;
use super::recurrence::Recurrence;
use super::text::Malformed;
use super::zone::{TimeZone, out_of_range};
use time::{Date, Duration, OffsetDateTime};

/// The instants from `start`, which is in it, to `end`, which is not: an event at the end counts in
/// the next period. Never empty.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "Bounds", into = "Bounds")]
pub struct Period {
    start: OffsetDateTime,
    end: OffsetDateTime,
}

impl Period {
    /// The period from `start` until just before `end`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when it would end before it starts, or at once.
    pub fn new(start: OffsetDateTime, end: OffsetDateTime) -> Result<Self, Malformed> {
        if start < end {
            return Ok(Self { start, end });
        }
        Err(Malformed::new(&end.to_string(), "must be later than the start of the period"))
    }

    /// The whole days from `first` to `last`, both included as people write them, in `zone`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when `last` is before `first`, or a day is outside the years 1 to 9999.
    pub fn of_days(first: Date, last: Date, zone: &TimeZone) -> Result<Self, Malformed> {
        let midnight = |date: Option<Date>| date.and_then(|date| zone.midnight(date));
        match (midnight(Some(first)), midnight(last.next_day())) {
            (Some(start), Some(end)) => Self::new(start, end),
            (None, _) => Err(out_of_range(first.midnight().assume_utc())),
            (_, None) => Err(out_of_range(last.midnight().assume_utc())),
        }
    }

    /// The hour, day, week, month, quarter or year of the calendar of `zone` that `t` is in; none
    /// outside the years 1 to 9999.
    ///
    /// # Example
    ///
    /// ```
    /// use tenure::domain::{calendar::PeriodType, period::Period, zone::TimeZone};
    /// use time::macros::datetime;
    ///
    /// let week = Period::of_calendar(PeriodType::Week, datetime!(2025-06-11 9:00 UTC), TimeZone::UTC);
    /// let week = week.expect("2025 is in range");
    /// assert_eq!(week.start(), datetime!(2025-06-09 0:00 UTC));
    /// assert_eq!(week.end(), datetime!(2025-06-16 0:00 UTC));
    /// ```
    #[must_use]
    pub fn of_calendar(kind: PeriodType, t: OffsetDateTime, zone: TimeZone) -> Option<Self> {
        Recurrence::calendar(kind.cycle(), zone).period_containing(t)
    }

    /// The sliding window that ends at `now`: one cycle back on the calendar of `zone`. None
    /// outside the years 1 to 9999.
    #[must_use]
    pub fn sliding(now: OffsetDateTime, length: Cycle, zone: TimeZone) -> Option<Self> {
        let back = Recurrence::new(now, length, zone).ok()?;
        Self::new(back.boundary(-1)?, back.anchor()).ok()
    }

    /// The first instant.
    #[must_use]
    pub const fn start(self) -> OffsetDateTime {
        self.start
    }

    /// The first instant that is no longer in it.
    #[must_use]
    pub const fn end(self) -> OffsetDateTime {
        self.end
    }

    /// How long it is.
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "the years of a calendar fit")]
    pub fn length(self) -> Duration {
        self.end - self.start
    }

    /// How long it is, in days and parts of one.
    #[must_use]
    pub fn days(self) -> f64 {
        self.length().as_seconds_f64() / 86_400.0
    }

    /// Whether `t` is in it.
    #[must_use]
    pub fn contains(self, t: OffsetDateTime) -> bool {
        self.start <= t && t < self.end
    }
}

/// A period as JSON writes it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Bounds {
    #[serde(with = "time::serde::rfc3339")]
    start: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    end: OffsetDateTime,
}

impl From<Period> for Bounds {
    fn from(period: Period) -> Self {
        Self { start: period.start, end: period.end }
    }
}

impl TryFrom<Bounds> for Period {
    type Error = Malformed;

    fn try_from(bounds: Bounds) -> Result<Self, Malformed> {
        Self::new(bounds.start, bounds.end)
    }
}

//! Months of the calendar.

use crate::domain::instant;
use serde::Serialize;
use std::fmt;
use time::{Date, Month, OffsetDateTime};

/// A month of the calendar in UTC; printed as `2025-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CalendarMonth(i32);

impl CalendarMonth {
    /// The month that a date is in.
    #[must_use]
    pub fn of(date: Date) -> Self {
        let month = i32::from(u8::from(date.month())).saturating_sub(1);
        Self(date.year().saturating_mul(12).saturating_add(month))
    }

    /// The month that an instant is in, in UTC.
    #[must_use]
    pub fn at(instant: OffsetDateTime) -> Self {
        Self::of(instant::utc(instant).date())
    }

    /// The last month that is over at `now`.
    #[must_use]
    pub fn last_full(now: OffsetDateTime) -> Self {
        Self(Self::at(now).0.saturating_sub(1))
    }

    /// Its first instant; none outside the years that there are.
    #[must_use]
    pub fn start(self) -> Option<OffsetDateTime> {
        let month = u8::try_from(self.0.rem_euclid(12).saturating_add(1)).ok()?;
        let month = Month::try_from(month).ok()?;
        let first = Date::from_calendar_date(self.0.div_euclid(12), month, 1).ok()?;
        Some(first.midnight().assume_utc())
    }

    /// The month after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// How many months this one is after `earlier`; none if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<usize> {
        usize::try_from(self.0.saturating_sub(earlier.0)).ok()
    }

    /// All months from this one to `last`, both included.
    pub fn to(self, last: Self) -> impl Iterator<Item = Self> {
        (self.0..=last.0).map(Self)
    }
}

impl fmt::Display for CalendarMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let month = self.0.rem_euclid(12).saturating_add(1);
        write!(f, "{:04}-{month:02}", self.0.div_euclid(12))
    }
}

impl Serialize for CalendarMonth {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

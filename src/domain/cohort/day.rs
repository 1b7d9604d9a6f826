//! Retention of the n-th day.

use super::share;
use crate::domain::instant;
use crate::record::words;
use time::{Duration, OffsetDateTime};

words! {
    /// How the n-th day after a beginning is counted.
    pub enum DayCount {
        /// Days of the calendar in UTC: a minute past midnight is the next day.
        Calendar = "calendar",
        /// Stretches of 24 hours since the beginning.
        Rolling = "rolling",
    }
}

/// How many customers were there on the n-th day, of those for whom that day is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DayRetention {
    /// Those whose n-th day is over.
    pub of_age: u64,
    /// Of these, those with activity on it.
    pub active: u64,
}

impl DayRetention {
    /// Counts a customer that began at `start`, with what it did, at `now`: retention of day 7 with
    /// `day` 7.
    pub fn add(
        &mut self,
        count: DayCount,
        day: u32,
        start: OffsetDateTime,
        activity: impl IntoIterator<Item = OffsetDateTime>,
        now: OffsetDateTime,
    ) {
        let start = instant::utc(start);
        let first = match count {
            DayCount::Calendar => start.replace_time(time::Time::MIDNIGHT),
            DayCount::Rolling => start,
        };
        let from = first.saturating_add(Duration::days(day.into()));
        let to = from.saturating_add(Duration::DAY);
        if now < to {
            return;
        }
        self.of_age = self.of_age.saturating_add(1);
        if activity.into_iter().any(|at| from <= at && at < to) {
            self.active = self.active.saturating_add(1);
        }
    }

    /// The share that was there; none when nobody is old enough.
    #[must_use]
    pub fn share(self) -> Option<f64> {
        (self.of_age > 0).then(|| share(self.active, self.of_age))
    }
}

//! The periods of a subscription or entitlement, from its start to its end.

use super::period::Period;
use super::recurrence::Recurrence;
use super::text::Malformed;
use super::zone::{TimeZone, out_of_range, to_utc_micros};
use time::{Duration, OffsetDateTime};

/// A [`Recurrence`] between a start and an end, either of which may be open.
///
/// The start begins a period and the end cuts the last one. An anchor ahead of the start makes a
/// short first period, up to the first boundary after the start; no period is ever longer than
/// its cycle, however far ahead the anchor lies. Periods are numbered from 0, the first; without a
/// start, from the anchor.
///
/// # Example
///
/// ```
/// use tenure::domain::{cycle::Cycle, recurrence::Recurrence, schedule::Schedule, zone::TimeZone};
/// use time::macros::datetime;
///
/// let firsts = Recurrence::new(datetime!(2024-02-01 0:00 UTC), Cycle::MONTH, TimeZone::UTC)?;
/// let start = datetime!(2024-01-05 0:00 UTC);
/// let schedule = Schedule::new(firsts, Some(start), Some(datetime!(2024-03-15 0:00 UTC)))?;
///
/// let first = schedule.period_containing(start).expect("it has started");
/// assert_eq!((first.start(), first.end()), (start, datetime!(2024-02-01 0:00 UTC)));
/// let last = schedule.period_containing(datetime!(2024-03-02 0:00 UTC)).expect("it runs");
/// assert_eq!(last.end(), datetime!(2024-03-15 0:00 UTC));
/// assert_eq!(schedule.period_containing(last.end()), None);
/// # Ok::<(), tenure::domain::text::Malformed>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Schedule {
    recurrence: Recurrence,
    start: Option<Start>,
    end: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Start {
    at: OffsetDateTime,
    /// The first period ends with the one of this number in the recurrence.
    index: i64,
}

impl Schedule {
    /// The periods of `recurrence` from `start` until just before `end`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when the end is not later than the start, or either lies outside the years
    /// 1 to 9999.
    pub fn new(
        recurrence: Recurrence,
        start: Option<OffsetDateTime>,
        end: Option<OffsetDateTime>,
    ) -> Result<Self, Malformed> {
        let utc = |t: OffsetDateTime| to_utc_micros(t).ok_or_else(|| out_of_range(t));
        let (start, end) = (start.map(utc).transpose()?, end.map(utc).transpose()?);
        if let (Some(start), Some(end)) = (start, end) {
            Period::new(start, end)?;
        }
        let starts = |at| {
            let index = recurrence.index_of(at).ok_or_else(|| out_of_range(at))?;
            Ok(Start { at, index })
        };
        let start = start.map(starts).transpose()?;
        Ok(Self { recurrence, start, end })
    }

    /// The boundaries that it follows.
    #[must_use]
    pub const fn recurrence(&self) -> &Recurrence {
        &self.recurrence
    }

    /// When the first period begins.
    #[must_use]
    pub fn start(&self) -> Option<OffsetDateTime> {
        self.start.map(|start| start.at)
    }

    /// When the last period ends.
    #[must_use]
    pub const fn end(&self) -> Option<OffsetDateTime> {
        self.end
    }

    /// The number of the period that `t` is in; none before the start, from the end on, and outside
    /// the years 1 to 9999.
    #[must_use]
    pub fn index_of(&self, t: OffsetDateTime) -> Option<i64> {
        let over = self.end.is_some_and(|end| end <= t);
        let ahead = self.start.is_some_and(|start| t < start.at);
        if over || ahead {
            return None;
        }
        let index = self.recurrence.index_of(t)?;
        self.start.map_or(Some(index), |start| index.max(start.index).checked_sub(start.index))
    }

    /// The period of that number; none before the start, after the end, and outside the years 1 to
    /// 9999.
    #[must_use]
    pub fn period(&self, number: i64) -> Option<Period> {
        let (start, end) = match self.start {
            None => (self.recurrence.boundary(number)?, number),
            Some(first) if number == 0 => (first.at, first.index),
            Some(first) if number > 0 => {
                let index = first.index.checked_add(number)?;
                (self.recurrence.boundary(index)?, index)
            }
            Some(_) => return None,
        };
        let natural = self.recurrence.boundary(end.checked_add(1)?);
        let end = match (natural, self.end) {
            (Some(natural), Some(end)) => natural.min(end),
            (natural, end) => natural.or(end)?,
        };
        Period::new(start, end).ok()
    }

    /// The period that `t` is in; none before the start, from the end on, and outside the years 1
    /// to 9999.
    #[must_use]
    pub fn period_containing(&self, t: OffsetDateTime) -> Option<Period> {
        self.period(self.index_of(t)?)
    }

    /// The period that `t` is in or, before the start, the first: what to show of a subscription
    /// that has not begun.
    #[must_use]
    pub fn period_or_first(&self, t: OffsetDateTime) -> Option<Period> {
        match self.start {
            Some(start) if t < start.at => self.period(0),
            _ => self.period_containing(t),
        }
    }

    /// The next time after `t` that a period begins or the last one ends: when usage is reset.
    #[must_use]
    pub fn next_after(&self, t: OffsetDateTime) -> Option<OffsetDateTime> {
        match self.start {
            Some(start) if t < start.at => Some(start.at),
            _ => self.period_containing(t).map(Period::end),
        }
    }

    /// How many periods are over at `t`, a short first one and a last one that was cut included;
    /// 0 before the start. Without a start, counted from the anchor. None as for
    /// [`index_of`](Self::index_of), but not for the start and the end.
    #[must_use]
    pub fn elapsed(&self, t: OffsetDateTime) -> Option<i64> {
        match (self.start, self.end) {
            (Some(start), _) if t < start.at => Some(0),
            (_, Some(end)) if end <= t => {
                let last = self.index_of(end.checked_sub(Duration::NANOSECOND)?)?;
                Some(last.checked_add(1)?.max(0))
            }
            _ => Some(self.index_of(t)?.max(0)),
        }
    }

    /// The instants from `from` to `to`, both included, at which a period begins, in order.
    ///
    /// Found one at a time: take what is needed of a long range.
    pub fn starts_between(
        &self,
        from: OffsetDateTime,
        to: OffsetDateTime,
    ) -> impl Iterator<Item = OffsetDateTime> {
        let first =
            from.checked_sub(Duration::NANOSECOND).and_then(|before| self.next_after(before));
        std::iter::successors(first, |at| self.next_after(*at))
            .take_while(move |at| *at <= to && self.end.is_none_or(|end| *at < end))
    }

    /// The same schedule on the clocks of another zone from `t` on: the period that is running keeps
    /// its start and ends where the new zone says, so that moving leaves no gap and counts nothing
    /// twice. Before the start, everything moves.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when `t` is not before the end, or a boundary leaves the years 1 to 9999.
    pub fn moved_to(&self, zone: TimeZone, t: OffsetDateTime) -> Result<Self, Malformed> {
        let recurrence = self.recurrence.moved_to(zone)?;
        if self.start.is_some_and(|start| t < start.at) {
            return Self::new(recurrence, self.start(), self.end);
        }
        let running = || {
            let number = self.index_of(t)?;
            let old = self.start.map_or(Some(number), |start| start.index.checked_add(number))?;
            // Where the new zone is ahead, its next period may have begun: the running one goes on.
            let index = recurrence.index_of(t)?.max(old);
            Some(Start { at: self.period(number)?.start(), index })
        };
        let start =
            running().ok_or_else(|| Malformed::new(&t.to_string(), "must be in a period"))?;
        Ok(Self { recurrence, start: Some(start), end: self.end })
    }
}

#[cfg(test)]
mod tests;

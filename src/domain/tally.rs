//! What was used of one limit in its window, and how that moves on with time.

use super::quantity::Quantity;
use super::window::{Frame, LimitWindow, WindowKind};
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// By how much a reset moves at the most when the customer moves to another time zone. One that
/// would come later follows from another anchor, and does not take back the reset that was promised.
const ZONE_SHIFT_MAX: Duration = Duration::hours(26);

/// Into how many steps a sliding window is divided, each of which is forgotten as a whole.
const STEPS: i32 = 60;

/// What was used in the current window of a limit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Tally {
    /// The first instant of the window; none for one that nothing has opened yet.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub start: Option<OffsetDateTime>,
    /// The first instant after it, if it ends.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub end: Option<OffsetDateTime>,
    /// What was used in it.
    pub used: Quantity,
    /// What was carried into it, on top of the limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub carried: Quantity,
    /// The steps of a sliding window in which something was used, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// A stretch of a sliding window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The first instant after it, from which on it is a window's length until it is forgotten.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// What was used in it.
    pub used: Quantity,
}

json_field!(Vec<Tally>);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(quantity: &Quantity) -> bool {
    *quantity == Quantity::ZERO
}

impl Tally {
    /// What is left of `limit`, never below zero; none for any amount.
    pub(crate) fn room(&self, limit: &LimitWindow) -> Option<Quantity> {
        limit.limit().map(|limit| whole(limit, self.carried).beyond(self.used))
    }

    /// What was used beyond `limit`.
    pub(crate) fn over(&self, limit: &LimitWindow) -> Quantity {
        let over = |limit| self.used.beyond(whole(limit, self.carried));
        limit.limit().map_or(Quantity::ZERO, over)
    }

    /// Moves on to the window at `now`. `debt` is whether what was used beyond the limit is counted
    /// again in the next window.
    ///
    /// A running window keeps its start and what was used in it, whatever the limit becomes. Time
    /// that was idle costs nothing, however long.
    pub(crate) fn advance(
        &mut self,
        limit: &LimitWindow,
        frame: Frame<'_>,
        now: OffsetDateTime,
        debt: bool,
    ) {
        match limit.kind() {
            WindowKind::Calendar | WindowKind::Anchored | WindowKind::Fixed => {
                self.steps.clear();
                self.recur(limit, frame, now, debt);
            }
            WindowKind::Lifetime => {
                self.steps.clear();
                self.end = None;
                self.start = self.start.or(Some(now));
            }
            WindowKind::FirstUse => {
                self.steps.clear();
                if self.end.is_none_or(|end| end <= now) {
                    *self = Self::default();
                }
            }
            WindowKind::Sliding => self.slide(limit, frame, now),
        }
    }

    fn recur(&mut self, limit: &LimitWindow, frame: Frame<'_>, now: OffsetDateTime, debt: bool) {
        let recurrence = limit.recurrence(frame);
        let Some((recurrence, period)) =
            recurrence.and_then(|it| it.period_containing(now).map(|period| (it, period)))
        else {
            // Out of the calendar: the window that runs is the last.
            self.start = self.start.or(Some(now));
            self.end = None;
            return;
        };
        match (self.start, self.end) {
            // A clock that was set back does not open a window again.
            (Some(start), _) if now < start => {}
            (None, _) => (self.start, self.end) = (Some(period.start()), Some(period.end())),
            (Some(_), Some(end)) if end <= now => {
                // The one that ran, however long it was, and those between it and the present.
                let (next, last) = (recurrence.index_of(end), recurrence.index_of(now));
                let apart = next.zip(last).and_then(|(from, to)| to.checked_sub(from));
                let windows = apart.unwrap_or(0).max(0).saturating_add(1);
                let (mut left, mut debt) = (windows, debt);
                while left > 0 {
                    left = left.saturating_sub(self.end_windows(limit, left, debt));
                    debt = debt && self.used.is_positive();
                }
                (self.start, self.end) = (Some(period.start().max(end)), Some(period.end()));
            }
            (Some(_), Some(promised)) if period.end() > promised.saturating_add(ZONE_SHIFT_MAX) => {
            }
            (Some(_), _) => self.end = Some(period.end()),
        }
    }

    /// Ends the window, and those after it in which nothing was used: up to `most` that follow from
    /// one another alike. Returns how many that were, at least one.
    fn end_windows(&mut self, limit: &LimitWindow, most: i64, debt: bool) -> i64 {
        let Some(quantity) = limit.limit() else {
            (self.used, self.carried) = (Quantity::ZERO, Quantity::ZERO);
            return most;
        };
        let there = whole(quantity, self.carried);
        let (unused, over) = (there.beyond(self.used), self.used.beyond(there));
        let rollover = limit.rollover();
        if !debt || over == Quantity::ZERO {
            self.used = Quantity::ZERO;
            self.carried =
                rollover.map_or(Quantity::ZERO, |it| it.carried_through(most, unused, quantity));
            return most;
        }
        // Each window that is used up by what lay beyond the one before takes the same of it.
        self.carried = rollover.map_or(Quantity::ZERO, |it| it.carried(Quantity::ZERO));
        let each = whole(quantity, self.carried).millionths();
        let full = over.millionths().checked_div(each).map_or(most, |full| full.min(most)).max(0);
        let full = full.min(most.saturating_sub(1));
        self.used =
            Quantity::from_millionths(over.millionths().saturating_sub(each.saturating_mul(full)));
        full.saturating_add(1)
    }

    /// Forgets what lies more than a window's length back. What is used from now on belongs to the
    /// last step.
    fn slide(&mut self, limit: &LimitWindow, frame: Frame<'_>, now: OffsetDateTime) {
        let Some(end) = limit.one_length_after(now, frame) else { return };
        if self.steps.is_empty() && self.used.is_positive() {
            // Used under another kind of window: all of it as if it were used now.
            let (until, used) = (now, self.used);
            self.steps.push(Step { until, used });
        }
        let is_kept = |step: &Step| {
            limit.one_length_after(step.until, frame).is_none_or(|forgotten| now < forgotten)
        };
        self.steps.retain(|step| is_kept(step) && (step.used.is_positive() || now < step.until));
        let seconds = end.unix_timestamp().saturating_sub(now.unix_timestamp());
        let width = Duration::seconds(seconds).checked_div(STEPS).unwrap_or(Duration::HOUR);
        if self.steps.last().is_none_or(|last| last.until <= now) {
            let until = super::instant::utc(now.saturating_add(width.max(Duration::MICROSECOND)));
            self.steps.push(Step { until, used: Quantity::ZERO });
        }
        self.carried = Quantity::ZERO;
        self.used = self.steps.iter().fold(Quantity::ZERO, |sum, it| whole(sum, it.used));
        self.start = self.steps.first().map(|step| step.until);
        self.end = None;
    }

    /// When this next moves on by itself, if ever.
    pub(crate) fn next_change(
        &self,
        limit: &LimitWindow,
        frame: Frame<'_>,
    ) -> Option<OffsetDateTime> {
        match limit.kind() {
            WindowKind::Sliding => {
                let oldest = self.steps.iter().find(|step| step.used.is_positive());
                let forgotten = oldest.and_then(|it| limit.one_length_after(it.until, frame));
                let step = self.steps.last().map(|step| step.until);
                [forgotten, step].into_iter().flatten().min()
            }
            _ => self.end,
        }
    }

    /// When there is next more room, if time alone makes it.
    pub(crate) fn relief(&self, limit: &LimitWindow, frame: Frame<'_>) -> Option<OffsetDateTime> {
        match limit.kind() {
            WindowKind::Sliding => {
                let oldest = self.steps.iter().find(|step| step.used.is_positive());
                oldest.and_then(|it| limit.one_length_after(it.until, frame))
            }
            _ => self.end,
        }
    }

    /// Whether the next use opens a window.
    pub(crate) fn is_unopened(&self, limit: &LimitWindow) -> bool {
        limit.kind() == WindowKind::FirstUse && self.start.is_none()
    }

    /// Counts what was used; opens a window that waits for it at `now`.
    pub(crate) fn count(
        &mut self,
        limit: &LimitWindow,
        frame: Frame<'_>,
        quantity: Quantity,
        now: OffsetDateTime,
    ) {
        if self.is_unopened(limit) {
            (self.start, self.end) = (Some(now), limit.one_length_after(now, frame));
        }
        self.used = whole(self.used, quantity);
        if let Some(step) = self.steps.last_mut() {
            step.used = whole(step.used, quantity);
        }
    }

    /// Takes back what was counted, at the most what was used.
    pub(crate) fn take_back(&mut self, quantity: Quantity) {
        let mut left = quantity.min(self.used);
        self.used = self.used.beyond(left);
        for step in self.steps.iter_mut().rev() {
            let part = left.min(step.used);
            step.used = step.used.beyond(part);
            left = left.beyond(part);
        }
    }
}

/// A sum that is as good as the greatest quantity when it is beyond it.
pub(crate) fn whole(a: Quantity, b: Quantity) -> Quantity {
    a.checked_add(b).unwrap_or(Quantity::MAX)
}

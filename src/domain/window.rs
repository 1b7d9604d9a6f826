//! Windows: the stretches of time over which limits count.

use super::cycle::Cycle;
use super::quantity::Quantity;
use super::recurrence::Recurrence;
use super::text::Malformed;
use super::zone::TimeZone;
use crate::error::Faults;
use crate::record::words;
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The stretch of time over which a limit counts: from `start` until before `end`, or for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The first instant.
    #[serde(with = "time::serde::rfc3339")]
    pub start: OffsetDateTime,
    /// The first instant after it, if it ends.
    #[serde(with = "time::serde::rfc3339::option")]
    pub end: Option<OffsetDateTime>,
}

words! {
    /// How the windows of a limit follow one another.
    pub enum WindowKind {
        /// The periods of the calendar, in a time zone.
        Calendar = "calendar",
        /// Periods counted from the entitlement's anchor, such as the start of the subscription.
        Anchored = "anchored",
        /// Periods counted from the instant at which the entitlement was granted.
        Fixed = "fixed",
        /// The time that has just passed.
        Sliding = "sliding",
        /// A period that the first use opens; the next one opens with the first use after its end.
        FirstUse = "first_use",
        /// For as long as the entitlement holds.
        Lifetime = "lifetime",
    }
}

/// What of an unused quantity is carried into the next window: `min(max, max(min, unused))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollover {
    /// At the most this much.
    pub max: Quantity,
    /// At the least this much.
    #[serde(default)]
    pub min: Quantity,
}

impl Rollover {
    /// What is carried of `unused`.
    ///
    /// ```
    /// use tenure::domain::window::Rollover;
    ///
    /// let rollover = Rollover { max: 50.into(), min: 0.into() };
    /// assert_eq!(rollover.carried(90.into()), 50.into());
    /// assert_eq!(rollover.carried(20.into()), 20.into());
    /// ```
    #[must_use]
    pub fn carried(self, unused: Quantity) -> Quantity {
        unused.max(self.min).min(self.max)
    }

    /// What is carried through `windows` of which only the first, with `unused` left at its end, was
    /// used at all: each of the others had its whole limit left.
    pub(crate) fn carried_through(
        self,
        windows: i64,
        unused: Quantity,
        limit: Quantity,
    ) -> Quantity {
        let first = self.carried(unused).millionths();
        let idle = i128::from(windows.saturating_sub(1).max(0));
        let grown =
            idle.saturating_mul(i128::from(limit.millionths())).saturating_add(first.into());
        let grown = i64::try_from(grown).map_or(Quantity::MAX, Quantity::from_millionths);
        grown.min(self.max).max(self.carried(unused))
    }
}

/// One limit and the windows over which it counts.
///
/// ```
/// use tenure::domain::{cycle::Cycle, window::LimitWindow};
///
/// let short = LimitWindow::first_use(Cycle::hours(5)?, 50);
/// let json = serde_json::to_value(&short)?;
/// assert_eq!(json, serde_json::json!({ "kind": "first_use", "length": "PT5H", "limit": 50 }));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Parts")]
pub struct LimitWindow {
    kind: WindowKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<Cycle>,
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    anchor: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<TimeZone>,
    limit: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollover: Option<Rollover>,
}

/// A limit and its windows as JSON has them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Parts {
    kind: WindowKind,
    #[serde(default)]
    length: Option<Cycle>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    anchor: Option<OffsetDateTime>,
    #[serde(default, alias = "time_zone")]
    time_zone: Option<TimeZone>,
    #[serde(default, alias = "quantity_limit", alias = "maxQuantity", alias = "max_quantity")]
    limit: Option<Quantity>,
    #[serde(default)]
    rollover: Option<Rollover>,
}

impl TryFrom<Parts> for LimitWindow {
    type Error = Malformed;

    fn try_from(parts: Parts) -> Result<Self, Malformed> {
        let Parts { kind, length, anchor, time_zone, limit, rollover } = parts;
        let bad = |value: &str, rule| Err(Malformed::new(value, rule));
        if length.is_none() != (kind == WindowKind::Lifetime) {
            return bad(kind.as_str(), "every window but a lifetime has a length");
        }
        if anchor.is_some() && kind != WindowKind::Anchored {
            return bad(kind.as_str(), "only an anchored window has an anchor");
        }
        let is_recurring =
            matches!(kind, WindowKind::Calendar | WindowKind::Anchored | WindowKind::Fixed);
        if rollover.is_some() && (!is_recurring || limit.is_none()) {
            return bad(kind.as_str(), "only a limit over windows that recur can roll over");
        }
        if limit.is_some_and(Quantity::is_negative) {
            let limit = limit.unwrap_or_default().to_string();
            return bad(&limit, "a limit must not be negative");
        }
        if let Some(rollover) = rollover
            && (rollover.min.is_negative() || rollover.max < rollover.min)
        {
            return bad(&rollover.max.to_string(), "a rollover needs 0 ≤ min ≤ max");
        }
        let anchor = anchor.map(super::instant::utc);
        Ok(Self { kind, length, anchor, time_zone, limit, rollover })
    }
}

json_field!(Rollover, LimitWindow, Vec<LimitWindow>);

/// How many further limits an entitlement may have.
const WINDOWS_MAX: usize = 8;

/// Notes what cannot be of further limits.
pub(crate) fn check_all(field: &str, windows: &[LimitWindow], faults: &mut Faults) {
    for limit in windows.iter().filter_map(LimitWindow::limit).filter(|it| it.is_negative()) {
        faults.add(field, &limit.to_string(), "must not have a negative limit");
    }
    if windows.len() > WINDOWS_MAX {
        faults.add(field, &windows.len().to_string(), "must be at most 8 further limits");
    }
}

/// What the windows of an entitlement are counted from unless they say their own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) anchor: OffsetDateTime,
    pub(crate) granted_at: OffsetDateTime,
    pub(crate) zone: &'a TimeZone,
}

impl LimitWindow {
    fn of(kind: WindowKind, length: Option<Cycle>, limit: Option<Quantity>) -> Self {
        Self { kind, length, anchor: None, time_zone: None, limit, rollover: None }
    }

    /// So much in each period of the calendar: a day from midnight, a week from Monday, a month from
    /// its first day, in the entitlement's time zone.
    #[must_use]
    pub fn calendar(length: Cycle, limit: impl Into<Quantity>) -> Self {
        Self::of(WindowKind::Calendar, Some(length), Some(limit.into()))
    }

    /// So much in each period from the entitlement's anchor.
    #[must_use]
    pub fn anchored(length: Cycle, limit: impl Into<Quantity>) -> Self {
        Self::of(WindowKind::Anchored, Some(length), Some(limit.into()))
    }

    /// So much in each period from the grant.
    #[must_use]
    pub fn fixed(length: Cycle, limit: impl Into<Quantity>) -> Self {
        Self::of(WindowKind::Fixed, Some(length), Some(limit.into()))
    }

    /// So much in any stretch of this length. What was used is forgotten in steps of at least a
    /// sixtieth of the length, never too early.
    #[must_use]
    pub fn sliding(length: Cycle, limit: impl Into<Quantity>) -> Self {
        Self::of(WindowKind::Sliding, Some(length), Some(limit.into()))
    }

    /// So much from a first use on, for this long.
    #[must_use]
    pub fn first_use(length: Cycle, limit: impl Into<Quantity>) -> Self {
        Self::of(WindowKind::FirstUse, Some(length), Some(limit.into()))
    }

    /// So much in all.
    #[must_use]
    pub fn lifetime(limit: impl Into<Quantity>) -> Self {
        Self::of(WindowKind::Lifetime, None, Some(limit.into()))
    }

    /// The window that `reset_period` is short for.
    pub(crate) fn resetting(
        cycle: Option<Cycle>,
        limit: Option<Quantity>,
        rollover: Option<Rollover>,
    ) -> Self {
        let kind = if cycle.is_some() { WindowKind::Anchored } else { WindowKind::Lifetime };
        let rollover = rollover.filter(|_| cycle.is_some() && limit.is_some());
        Self { rollover, ..Self::of(kind, cycle, limit) }
    }

    /// In this time zone instead of the entitlement's.
    #[must_use]
    pub fn in_zone(mut self, zone: TimeZone) -> Self {
        self.time_zone = Some(zone);
        self
    }

    /// How the windows follow one another.
    #[must_use]
    pub const fn kind(&self) -> WindowKind {
        self.kind
    }

    /// How long each is; none for a lifetime.
    #[must_use]
    pub const fn length(&self) -> Option<Cycle> {
        self.length
    }

    /// Whether it counts over the same windows, whatever the limits are.
    pub(crate) fn is_over_the_same(&self, other: &Self) -> bool {
        let windows = |it: &Self| (it.kind, it.length, it.anchor, it.time_zone.clone());
        windows(self) == windows(other)
    }

    /// How much can be used in each; none for any amount.
    #[must_use]
    pub const fn limit(&self) -> Option<Quantity> {
        self.limit
    }

    /// What is carried from one into the next.
    #[must_use]
    pub const fn rollover(&self) -> Option<Rollover> {
        self.rollover
    }

    /// The boundaries of the windows, if they recur by the calendar alone.
    pub(crate) fn recurrence(&self, frame: Frame<'_>) -> Option<Recurrence> {
        let (length, zone) = (self.length?, self.time_zone.as_ref().unwrap_or(frame.zone).clone());
        match self.kind {
            WindowKind::Calendar => Some(Recurrence::calendar(length, zone)),
            WindowKind::Anchored => {
                Recurrence::new(self.anchor.unwrap_or(frame.anchor), length, zone).ok()
            }
            WindowKind::Fixed => Recurrence::new(frame.granted_at, length, zone).ok(),
            WindowKind::Sliding | WindowKind::FirstUse | WindowKind::Lifetime => None,
        }
    }

    /// The instant that lies one length after `at`; none for a lifetime.
    pub(crate) fn one_length_after(
        &self,
        at: OffsetDateTime,
        frame: Frame<'_>,
    ) -> Option<OffsetDateTime> {
        let zone = self.time_zone.as_ref().unwrap_or(frame.zone).clone();
        Recurrence::new(at, self.length?, zone).ok()?.boundary(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Result<LimitWindow, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_window_says_what_its_kind_needs_and_nothing_else() {
        assert!(parsed(r#"{"kind":"calendar","length":"P1M","limit":100}"#).is_ok());
        assert!(parsed(r#"{"kind":"first-use","length":"PT5H","limit":null}"#).is_ok());
        for bad in [
            r#"{"kind":"calendar","limit":100}"#,
            r#"{"kind":"lifetime","length":"P1M","limit":1}"#,
            r#"{"kind":"sliding","length":"P1D","limit":-1}"#,
            r#"{"kind":"sliding","length":"P1D","anchor":"2026-01-01T00:00:00Z","limit":1}"#,
            r#"{"kind":"sliding","length":"P1D","limit":1,"rollover":{"max":1}}"#,
            r#"{"kind":"fixed","length":"P1D","limit":1,"rollover":{"max":1,"min":2}}"#,
            r#"{"kind":"fixed","length":"P1D","limit":1,"often":true}"#,
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_carried_through_idle_windows_grows_to_the_cap_at_once() {
        let rollover = Rollover { max: 500.into(), min: 0.into() };
        let through = |windows, unused: u32| {
            rollover.carried_through(windows, unused.into(), Quantity::from(200))
        };
        assert_eq!(through(1, 150), 150.into());
        assert_eq!(through(2, 150), 350.into());
        assert_eq!(through(3, 150), 500.into());
        assert_eq!(through(i64::MAX, 0), 500.into());
        let floor = Rollover { max: 100.into(), min: 40.into() };
        assert_eq!(floor.carried_through(1, 30.into(), 0.into()), 40.into());
    }
}

//! Usage reports: a series for charts, window by window, without gaps.

use super::calendar::PeriodType;
use super::customer::CustomerId;
use super::period::Period;
use super::quantity::Quantity;
use super::recurrence::Recurrence;
use super::usage::UsageEvent;
use super::zone::TimeZone;
use crate::error::{Error, Result};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// The most windows that a report has.
pub const WINDOWS_MAX: usize = 10_000;
/// The most groups that a report has.
pub const GROUPS_MAX: usize = 1_000;
/// The most numbers that a report has: windows times groups.
pub const CELLS_MAX: usize = 100_000;
/// The longest name of a group, in bytes: a longer text counts under its beginning.
const NAME_BYTES_MAX: usize = 255;

/// By what usage is told apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum GroupBy {
    /// By nothing: all of it is one group, called `all`.
    #[default]
    Nothing,
    /// By the code of the feature.
    Feature,
    /// By the code of the product in which it was used.
    Product,
    /// By what its metadata hold under a key; usage that has none there is the group of the empty
    /// name. What is no text counts under its JSON, a text of more than 255 bytes under its
    /// beginning.
    Metadata(String),
}

/// What to report of a customer's usage.
///
/// ```
/// use tenure::{GroupBy, PeriodType, UsageQuery};
/// use time::macros::datetime;
///
/// let january = (datetime!(2026-01-01 0:00 UTC), datetime!(2026-02-01 0:00 UTC));
/// let tokens_by_model = UsageQuery::between(january.0, january.1, PeriodType::Day)
///     .by(GroupBy::Metadata("model".to_owned()))
///     .feature("tokens");
/// # drop(tokens_by_model);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsageQuery {
    /// The first instant.
    pub from: OffsetDateTime,
    /// The first instant after it.
    pub to: OffsetDateTime,
    /// How long each window is.
    pub window: PeriodType,
    /// By what usage is told apart.
    pub group_by: GroupBy,
    /// The codes of the features to report on; every one if none is named. Quantities of features
    /// that are counted in different units add up to nothing that means anything.
    pub features: Vec<String>,
}

impl UsageQuery {
    /// All usage from `from` until just before `to`, in windows of this length.
    #[must_use]
    pub const fn between(from: OffsetDateTime, to: OffsetDateTime, window: PeriodType) -> Self {
        Self { from, to, window, group_by: GroupBy::Nothing, features: Vec::new() }
    }

    /// Told apart.
    #[must_use]
    pub fn by(self, group_by: GroupBy) -> Self {
        Self { group_by, ..self }
    }

    /// Of this feature, and of others that are named so.
    #[must_use]
    pub fn feature(mut self, code: impl Into<String>) -> Self {
        self.features.push(code.into());
        self
    }
}

/// A customer's usage, window by window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UsageReport {
    /// Whose usage it is.
    pub customer_id: CustomerId,
    /// How long each window is.
    pub window: PeriodType,
    /// On whose calendar: the customer's time zone, else UTC.
    pub time_zone: TimeZone,
    /// Every window from the beginning to the end, those without usage too.
    pub rows: Vec<UsageRow>,
    /// What was used in all of them, by group.
    pub totals: BTreeMap<String, Quantity>,
}

/// One window of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UsageRow {
    /// Its first instant; the report's own, where that begins within a window of the calendar.
    #[serde(with = "time::serde::rfc3339")]
    pub start: OffsetDateTime,
    /// The first instant after it; the report's own, where that ends within one.
    #[serde(with = "time::serde::rfc3339")]
    pub end: OffsetDateTime,
    /// What was used, by group: every group of the report, with 0 where it has nothing. Below zero
    /// where more was taken back than used.
    pub usage: BTreeMap<String, Quantity>,
}

impl GroupBy {
    /// The group that an event belongs to.
    pub(crate) fn group(&self, event: &UsageEvent) -> String {
        let key = match self {
            Self::Nothing => return "all".to_owned(),
            Self::Feature => return event.feature_code.to_string(),
            Self::Product => return event.product_id.to_string(),
            Self::Metadata(key) => key,
        };
        match event.metadata.as_ref().and_then(|it| it.get(key)) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => shortened(text),
            Some(other) => shortened(&other.to_string()),
        }
    }
}

fn shortened(text: &str) -> String {
    let ends = text.char_indices().map(|(at, letter)| at.saturating_add(letter.len_utf8()));
    let end = ends.take_while(|end| *end <= NAME_BYTES_MAX).last().unwrap_or_default();
    text.get(..end).unwrap_or_default().to_owned()
}

/// The windows of the calendar from `from` until just before `to`, the first and the last cut to it.
///
/// # Errors
///
/// [`Error::Invalid`] when it ends before it begins, at the same time or outside the years 1 to 9999,
/// or has more than [`WINDOWS_MAX`] windows.
pub(crate) fn windows(
    from: OffsetDateTime,
    to: OffsetDateTime,
    window: PeriodType,
    zone: &TimeZone,
) -> Result<Vec<Period>> {
    if to <= from {
        return Err(Error::invalid("to", &to.to_string(), "must be later than from"));
    }
    let calendar = Recurrence::calendar(window.cycle(), zone.clone());
    let outside = |field, at: OffsetDateTime| {
        move || Error::invalid(field, &at.to_string(), "must lie in the years 1 to 9999")
    };
    let first = calendar.index_of(from).ok_or_else(outside("from", from))?;
    let last = calendar.index_of(to).ok_or_else(outside("to", to))?;
    if usize::try_from(last.saturating_sub(first)).is_ok_and(|count| count > WINDOWS_MAX) {
        return Err(Error::invalid(
            "window",
            window.as_str(),
            "must be at most 10,000 times in it",
        ));
    }
    let mut found = Vec::new();
    let mut start = from;
    for next in first.saturating_add(1)..=last.saturating_add(1) {
        let end = calendar.boundary(next).ok_or_else(outside("to", to))?.min(to);
        // A day that the zone skipped is no window, and the last may end with the report.
        found.extend(Period::new(start, end));
        start = end.max(start);
    }
    if found.len() > WINDOWS_MAX {
        return Err(Error::invalid(
            "window",
            window.as_str(),
            "must be at most 10,000 times in it",
        ));
    }
    Ok(found)
}

/// A report on its way: as large as what it will show, however many events there are.
pub(crate) struct Series {
    windows: Vec<Period>,
    groups: BTreeMap<String, Vec<i128>>,
}

impl Series {
    pub(crate) const fn over(windows: Vec<Period>) -> Self {
        Self { windows, groups: BTreeMap::new() }
    }

    /// Makes sure that the report has this group.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when it would have too many.
    pub(crate) fn group(&mut self, group: String) -> Result<&mut Vec<i128>> {
        const RULE: &str = "must give at most 1,000 groups, and 100,000 numbers in all: fewer windows, or features";
        let cells = self.groups.len().saturating_add(1).saturating_mul(self.windows.len());
        let is_full = self.groups.len() >= GROUPS_MAX || cells > CELLS_MAX;
        match self.groups.entry(group) {
            std::collections::btree_map::Entry::Vacant(new)
                if is_full && !self.windows.is_empty() =>
            {
                Err(Error::invalid("groupBy", new.key(), RULE))
            }
            entry => Ok(entry.or_insert_with(|| vec![0; self.windows.len()])),
        }
    }

    /// Counts usage at an instant; what lies outside the report counts nowhere.
    pub(crate) fn count(&mut self, group: String, at: OffsetDateTime, by: Quantity) -> Result<()> {
        let next = self.windows.partition_point(|window| window.start() <= at);
        let place = next.checked_sub(1);
        let inside = |place: &usize| self.windows.get(*place).is_some_and(|it| it.contains(at));
        let Some(place) = place.filter(inside) else { return Ok(()) };
        if let Some(sum) = self.group(group)?.get_mut(place) {
            *sum = sum.saturating_add(by.millionths().into());
        }
        Ok(())
    }

    /// The rows, and what they come to.
    pub(crate) fn finish(self) -> Result<(Vec<UsageRow>, BTreeMap<String, Quantity>)> {
        let quantity = |sum: i128| {
            let sum = i64::try_from(sum).map_err(|_| Error::Overflow("usage of the report"))?;
            Ok::<_, Error>(Quantity::from_millionths(sum))
        };
        let mut rows = Vec::with_capacity(self.windows.len());
        for (place, window) in self.windows.iter().enumerate() {
            let usage = self.groups.iter().map(|(group, sums)| {
                Ok((group.clone(), quantity(sums.get(place).copied().unwrap_or_default())?))
            });
            let usage = usage.collect::<Result<_>>()?;
            rows.push(UsageRow { start: window.start(), end: window.end(), usage });
        }
        let totals = self.groups.into_iter().map(|(group, sums)| {
            let total = sums.into_iter().fold(0_i128, i128::saturating_add);
            Ok((group, quantity(total)?))
        });
        Ok((rows, totals.collect::<Result<_>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;
    use time::macros::datetime;

    const FROM: OffsetDateTime = datetime!(2026-01-30 6:00 UTC);

    #[test]
    fn windows_follow_the_calendar_and_are_cut_to_the_report() {
        let to = FROM + Duration::days(2);
        let days = windows(FROM, to, PeriodType::Day, &TimeZone::UTC).unwrap();
        let bounds: Vec<_> = days.iter().map(|it| (it.start(), it.end())).collect();
        let midnight = [datetime!(2026-01-31 0:00 UTC), datetime!(2026-02-01 0:00 UTC)];
        assert_eq!(bounds, [(FROM, midnight[0]), (midnight[0], midnight[1]), (midnight[1], to)]);
        let exact = windows(midnight[0], midnight[1], PeriodType::Day, &TimeZone::UTC).unwrap();
        assert_eq!(exact.len(), 1);
    }

    #[test]
    fn a_report_is_bounded() {
        let hours =
            |count| windows(FROM, FROM + Duration::hours(count), PeriodType::Hour, &TimeZone::UTC);
        assert_eq!(hours(10_000).unwrap().len(), WINDOWS_MAX);
        for count in [10_001, 10_002, 60_000_000, 0, -1] {
            assert!(matches!(hours(count), Err(Error::Invalid(_))), "{count}");
        }
        let mut series = Series::over(hours(100).unwrap());
        for group in 0..1_000 {
            series.count(group.to_string(), FROM, Quantity::ONE).unwrap();
        }
        assert!(series.count("one more".to_owned(), FROM, Quantity::ONE).is_err());
        series.count("7".to_owned(), FROM, Quantity::ONE).unwrap();
        let mut series = Series::over(hours(10_000).unwrap());
        for group in 0..10 {
            series.count(group.to_string(), FROM, Quantity::ONE).unwrap();
        }
        assert!(series.count("one more".to_owned(), FROM, Quantity::ONE).is_err());
    }

    #[test]
    fn what_lies_outside_counts_nowhere_and_sums_are_checked() {
        let days = windows(FROM, FROM + Duration::DAY, PeriodType::Day, &TimeZone::UTC).unwrap();
        let mut series = Series::over(days);
        for at in [FROM - Duration::MICROSECOND, FROM + Duration::DAY] {
            series.count("all".to_owned(), at, Quantity::ONE).unwrap();
        }
        assert!(series.groups.is_empty());
        series.count("all".to_owned(), FROM, Quantity::MAX).unwrap();
        series.count("all".to_owned(), FROM + Duration::HOUR, Quantity::ONE).unwrap();
        assert!(matches!(series.finish(), Err(Error::Overflow(_))));
    }

    #[test]
    fn a_long_name_is_cut_between_letters() {
        assert_eq!(shortened(&"é".repeat(200)), "é".repeat(127));
        assert_eq!(shortened("gpt"), "gpt");
    }
}

//! Whether the score of one period differs from that of another by more than chance explains.

use super::NpsQuery;
use super::tally::Tally;
use crate::domain::calendar::PeriodType;
use crate::domain::measured::{Interval, Measured, Method, Severity, Unit};
use crate::domain::period::Period;
use crate::domain::statistics::nps::{NpsClass, NpsCounts, SAMPLE_MIN, paired};
use crate::domain::zone::TimeZone;
use crate::error::{Faults, Result};
use crate::record::words;
use serde::Serialize;
use time::Duration;

/// How unlikely chance must be before a change is called one.
const SIGNIFICANT: f64 = 0.05;
const CHANGE: Method = Method {
    name: "change of the net promoter score between two samples",
    formula: "later score − earlier score, in points; adjusted Wald test of independent samples",
};
const PAIRED_CHANGE: Method = Method {
    name: "change of the net promoter score of the same people",
    formula: "mean change of those who answered both times, in points; t test of pairs",
};

words! {
    /// By which test two scores were compared.
    pub enum NpsTest {
        /// Other people answered: two independent samples.
        Independent = "independent",
        /// The same people answered both times, each once.
        Paired = "paired",
    }
}

words! {
    /// What can be said of a change.
    pub enum NpsVerdict {
        /// It is better, and chance would rarely do that.
        Improved = "improved",
        /// It is worse, and chance would rarely do that.
        Declined = "declined",
        /// Chance might as well have done it: nothing is claimed.
        Unproven = "unproven",
        /// There are too few answers to claim anything.
        Insufficient = "insufficient",
    }
}

/// How the score of one period differs from that of an earlier one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NpsComparison {
    /// The earlier answers.
    pub before: NpsQuery,
    /// The later ones.
    pub after: NpsQuery,
    /// How many of each class there were.
    pub counts_before: NpsCounts,
    /// And how many later.
    pub counts_after: NpsCounts,
    /// By how many points the score rose, and between what that lies in truth. Without an interval
    /// where there are too few answers.
    pub change: Measured,
    /// By which test.
    pub test: NpsTest,
    /// How likely so large a difference is by chance alone, 0–1; none where there are too few
    /// answers or nothing varies.
    pub p: Option<f64>,
    /// What can be said.
    pub verdict: NpsVerdict,
}

/// Whether two sets of answers can be compared.
///
/// # Errors
///
/// [`Error::Invalid`](crate::Error::Invalid) that names what differs: the population, the length of
/// the period, or that the later one does not follow the earlier.
pub(crate) fn check_comparable(before: &NpsQuery, after: &NpsQuery) -> Result<()> {
    let mut faults = Faults::default();
    let (first, second) = (before.period, after.period);
    if !is_as_long(first, second) {
        let lengths = format!("{} and {} days", first.days(), second.days());
        faults.add("period", &lengths, "must be of the same length");
    }
    if second.start() < first.end() {
        let rule = "must begin when that it is compared with has ended";
        faults.add("period.start", &second.start().to_string(), rule);
    }
    if before.population != after.population {
        let populations = format!("{} and {}", before.population, after.population);
        faults.add("population", &populations, "must be the same");
    }
    faults.check()
}

/// Whether two periods are of the same length, or two months, quarters or years of the calendar.
fn is_as_long(first: Period, second: Period) -> bool {
    first.length() == second.length()
        || calendar_of(first).is_some_and(|kind| calendar_of(second) == Some(kind))
}

/// What a period is on the calendar of UTC.
fn calendar_of(period: Period) -> Option<PeriodType> {
    let is = |kind: &PeriodType| {
        Period::of_calendar(*kind, period.start(), TimeZone::UTC) == Some(period)
    };
    [PeriodType::Month, PeriodType::Quarter, PeriodType::Year].into_iter().find(is)
}

/// The period of the same length that ends where this one begins.
pub(super) fn preceding(period: Period) -> Option<Period> {
    let start = period.start();
    let last = start.checked_sub(Duration::MICROSECOND)?;
    match calendar_of(period) {
        Some(kind) => Period::of_calendar(kind, last, TimeZone::UTC),
        None => Period::new(start.checked_sub(period.length())?, start).ok(),
    }
}

/// What can be said of the difference between two sets of answers.
pub(crate) fn compared(before: (NpsQuery, &Tally), after: (NpsQuery, &Tally)) -> NpsComparison {
    let ((before, first), (after, second)) = (before, after);
    let (was, is) = (first.counts, second.counts);
    let pairs = pairs(first, second);
    let (test, method) = match pairs {
        Some(_) => (NpsTest::Paired, PAIRED_CHANGE),
        None => (NpsTest::Independent, CHANGE),
    };
    let is_sufficient = was.total().min(is.total()) >= SAMPLE_MIN;
    let found = match &pairs {
        _ if !is_sufficient => None,
        Some(pairs) => paired(pairs),
        None => was.adjusted_difference(is),
    };
    let value = was.score().zip(is.score()).map(|(was, is)| is - was);
    let (p, interval): (Option<f64>, Option<Interval>) =
        (found.and_then(|it| it.p), found.map(|it| it.interval));
    let sample_size = was.total().saturating_add(is.total());
    let change = Measured::new(value, Unit::Points, method, sample_size)
        .over(after.period)
        .within(interval)
        .from_records("nps responses", sample_size, first.latest.max(second.latest));
    let change = change.of_enough(was.total(), "answers in the earlier period");
    let change = change.of_enough(is.total(), "answers in the later period");
    let change = if pairs.is_none() { overlapping(change, first, second) } else { change };
    let verdict = match (p, value) {
        _ if !is_sufficient => NpsVerdict::Insufficient,
        (Some(p), Some(value)) if p < SIGNIFICANT && value > 0.0 => NpsVerdict::Improved,
        (Some(p), Some(value)) if p < SIGNIFICANT && value < 0.0 => NpsVerdict::Declined,
        _ => NpsVerdict::Unproven,
    };
    NpsComparison { before, after, counts_before: was, counts_after: is, change, test, p, verdict }
}

/// The answers of everybody before and after, if the same people answered both times, each once.
fn pairs(first: &Tally, second: &Tally) -> Option<Vec<(NpsClass, NpsClass)>> {
    if first.people.is_empty() || first.people.len() != second.people.len() {
        return None;
    }
    let both = first.people.iter().zip(&second.people);
    both.map(|((one, (was, once)), (other, (is, again)))| {
        (one == other && *once == 1 && *again == 1).then_some((*was, *is))
    })
    .collect()
}

/// Warns of people who count more than once where samples are taken to be independent.
fn overlapping(change: Measured, first: &Tally, second: &Tally) -> Measured {
    let both = first.people.keys().filter(|it| second.people.contains_key(it)).count();
    if both == 0 {
        return change;
    }
    let message = format!("{both} answered in both periods; the test takes them for other people");
    change.warned("shared_respondents", Severity::Warning, message)
}

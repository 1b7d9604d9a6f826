//! Cohorts: customers that began in the same month, and how many of them were there later.
//!
//! Months are those of the calendar in UTC, for the beginning as for the activity, so that the two
//! are aligned. A month that is not over yet is in no cohort and in no cell: a cell that is there
//! is final.

use super::measured::{Measured, Method, Source, Unit};
use super::statistics::proportion::wilson;
use crate::record::words;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use time::{Date, Duration, Month, OffsetDateTime};

words! {
    /// What a customer's cohort is the month of, and what counts as being there.
    pub enum CohortBy {
        /// Of its first paid subscription; there in each month in which it paid at any time.
        FirstSubscription = "first_subscription",
        /// In which it became a customer; there in each month in which it paid at any time.
        SignUp = "sign_up",
        /// Of its first activity; there in each month with any.
        FirstActivity = "first_activity",
    }
}

impl CohortBy {
    /// The definition, as evidence.
    #[must_use]
    pub const fn method(self) -> Method {
        let formula = match self {
            Self::FirstSubscription => {
                "customers that paid at any time of the k-th month after that of their first paid \
                 subscription ÷ all of that cohort; calendar months UTC"
            }
            Self::SignUp => {
                "customers that paid at any time of the k-th month after that of their sign-up ÷ \
                 all of that cohort; calendar months UTC"
            }
            Self::FirstActivity => {
                "customers with activity in the k-th month after that of their first activity ÷ \
                 all of that cohort; calendar months UTC"
            }
        };
        Method { name: "cohort retention", formula }
    }
}

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
        Self::of(super::instant::utc(instant).date())
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

/// Customers that began in one month.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Cohort {
    /// The month.
    pub month: CalendarMonth,
    /// How many they are.
    pub size: u64,
    /// How many were there in the month itself, in the first after it, and so on, as far as months
    /// are over.
    pub active: Vec<u64>,
    /// The same as shares of the size, 0–1.
    pub retention: Vec<f64>,
    /// How many were there in that month or in a later one that is over.
    pub rolling_active: Vec<u64>,
}

/// All cohorts that have a k-th month, together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CohortAverage {
    /// Months after that of the beginning.
    pub k: usize,
    /// How many cohorts are old enough.
    pub cohorts: u64,
    /// How many customers they have.
    pub size: u64,
    /// How many of these were there.
    pub active: u64,
    /// The share of them, 0–1.
    pub weighted: f64,
    /// The mean of the cohorts' shares, 0–1.
    pub unweighted: f64,
}

/// A matrix of cohorts, with its definition and its proof.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CohortReport {
    /// What the cohorts are.
    pub by: CohortBy,
    /// The last month that is over; none later has a cell.
    pub last_full_month: CalendarMonth,
    /// Everybody that has begun: the sizes of the cohorts and those who began too late.
    pub population: u64,
    /// Those whose first month is not over yet.
    pub too_young: u64,
    /// The cohorts, the oldest first; months in which nobody began have none.
    pub cohorts: Vec<Cohort>,
    /// By months since the beginning.
    pub average: Vec<CohortAverage>,
    /// The share of customers that were there one month later, weighted, as a figure with proof.
    pub first_month: Measured,
    /// What all of it was computed from.
    pub sources: Vec<Source>,
}

impl CohortReport {
    /// Computed from these records.
    pub(crate) fn proved(mut self, sources: Vec<Source>) -> Self {
        self.first_month.sources.clone_from(&sources);
        self.sources = sources;
        self
    }
}

/// Cohorts that leave somebody out, or count somebody twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cohorts of {counted} customers for a population of {population}")]
pub struct Unaccounted {
    /// How many there are.
    pub population: u64,
    /// How many the cohorts have.
    pub counted: u64,
}

/// Adds up cohorts, customer by customer, in memory for a number per month and month.
#[derive(Debug, Clone)]
pub struct CohortTally {
    by: CohortBy,
    last_full_month: CalendarMonth,
    too_young: u64,
    /// By month of the beginning: how many, and how many there and rolling in each month after.
    cohorts: BTreeMap<CalendarMonth, Counts>,
}

#[derive(Debug, Clone, Default)]
struct Counts {
    size: u64,
    active: Vec<u64>,
    rolling: Vec<u64>,
}

impl CohortTally {
    /// Cohorts as they are known once `last_full_month` is over.
    #[must_use]
    pub const fn new(by: CohortBy, last_full_month: CalendarMonth) -> Self {
        Self { by, last_full_month, too_young: 0, cohorts: BTreeMap::new() }
    }

    /// Counts a customer that began in `month` and was there in the months `active`, in any order;
    /// what lies before the beginning or is not over yet is left out.
    pub fn add(&mut self, month: CalendarMonth, active: impl IntoIterator<Item = CalendarMonth>) {
        let Some(last) = self.last_full_month.since(month) else {
            self.too_young = self.too_young.saturating_add(1);
            return;
        };
        let counts = self.cohorts.entry(month).or_default();
        counts.size = counts.size.saturating_add(1);
        let length = last.saturating_add(1);
        counts.active.resize(length, 0);
        counts.rolling.resize(length, 0);
        let there: BTreeSet<usize> =
            active.into_iter().filter_map(|it| it.since(month)).filter(|k| *k <= last).collect();
        for k in &there {
            if let Some(cell) = counts.active.get_mut(*k) {
                *cell = cell.saturating_add(1);
            }
        }
        if let Some(latest) = there.last() {
            for cell in counts.rolling.iter_mut().take(latest.saturating_add(1)) {
                *cell = cell.saturating_add(1);
            }
        }
    }

    /// The matrix, if the cohorts and those who began too late are the whole population.
    ///
    /// # Errors
    ///
    /// [`Unaccounted`] when they are not.
    pub fn finish(self, population: u64) -> Result<CohortReport, Unaccounted> {
        let sizes = self.cohorts.values().map(|it| it.size);
        let counted = sizes.fold(self.too_young, u64::saturating_add);
        if counted != population {
            return Err(Unaccounted { population, counted });
        }
        let cohorts: Vec<Cohort> = self.cohorts.into_iter().map(Cohort::of).collect();
        let average = average(&cohorts);
        let first = average.iter().find(|it| it.k == 1);
        let size = first.map_or(0, |it| it.size);
        let mut first_month =
            Measured::new(first.map(|it| it.weighted), Unit::Ratio, self.by.method(), size);
        if let Some(first) = first {
            let interval = wilson(first.active, first.size);
            first_month = first_month.within(interval);
        }
        Ok(CohortReport {
            by: self.by,
            last_full_month: self.last_full_month,
            population,
            too_young: self.too_young,
            cohorts,
            average,
            first_month,
            sources: Vec::new(),
        })
    }
}

impl Cohort {
    fn of((month, counts): (CalendarMonth, Counts)) -> Self {
        let Counts { size, active, rolling } = counts;
        let retention = active.iter().map(|it| share(*it, size)).collect();
        Self { month, size, active, retention, rolling_active: rolling }
    }
}

fn average(cohorts: &[Cohort]) -> Vec<CohortAverage> {
    let longest = cohorts.iter().map(|it| it.active.len()).max().unwrap_or(0);
    let of_age = |k: usize| {
        let old = cohorts.iter().filter_map(move |it| Some((it.size, *it.active.get(k)?)));
        let (mut cohorts, mut size, mut active, mut shares) = (0_u64, 0_u64, 0_u64, 0.0);
        for (all, there) in old {
            cohorts = cohorts.saturating_add(1);
            size = size.saturating_add(all);
            active = active.saturating_add(there);
            shares += share(there, all);
        }
        let unweighted = shares / float(cohorts.max(1));
        CohortAverage { k, cohorts, size, active, weighted: share(active, size), unweighted }
    };
    (0..longest).map(of_age).collect()
}

fn share(part: u64, whole: u64) -> f64 {
    float(part) / float(whole.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "counts of customers")]
const fn float(count: u64) -> f64 {
    count as f64
}

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
        let start = super::instant::utc(start);
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

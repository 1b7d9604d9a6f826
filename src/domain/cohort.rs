//! Cohorts: customers that began in the same month, and how many of them were there later.
//!
//! Months are those of the calendar in UTC, for the beginning as for the activity, so that the two
//! are aligned. A month that is not over yet is in no cohort and in no cell: a cell that is there
//! is final.

mod day;
mod month;

use super::measured::{Measured, Method, Source, Unit};
use super::statistics::proportion::wilson;
use super::statistics::real;
use crate::record::words;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

pub use day::{DayCount, DayRetention};
pub use month::CalendarMonth;

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
    /// The share of them as a figure with its proof.
    pub proof: Measured,
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
        for average in &mut self.average {
            average.proof.sources.clone_from(&sources);
        }
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
        let average = average(&cohorts, self.by.method());
        let first = average.get(1).map(|it| it.proof.clone());
        let none = || Measured::new(None, Unit::Ratio, self.by.method(), 0);
        let first_month = first.unwrap_or_else(none);
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

fn average(cohorts: &[Cohort], method: Method) -> Vec<CohortAverage> {
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
        let unweighted = shares / real(cohorts.max(1));
        let weighted = share(active, size);
        let proof = Measured::new(Some(weighted), Unit::Ratio, method, size);
        let proof = proof.within(wilson(active, size)).of_enough(size, "customers of that age");
        CohortAverage { k, cohorts, size, active, weighted, unweighted, proof }
    };
    (0..longest).map(of_age).collect()
}

fn share(part: u64, whole: u64) -> f64 {
    real(part) / real(whole.max(1))
}

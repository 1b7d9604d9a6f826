//! Answers and surveys, counted in one pass.

use super::comparison::preceding;
use super::themes::Terms;
use super::{NpsResponse, NpsSurvey, NpsSurveyStatus};
use crate::domain::calendar::PeriodType;
use crate::domain::contact::ContactId;
use crate::domain::customer::CustomerId;
use crate::domain::period::Period;
use crate::domain::statistics::nps::{NpsClass, NpsCounts};
use crate::domain::text::Code;
use crate::domain::zone::TimeZone;
use serde::Serialize;
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How many months the trend has.
const TREND_MONTHS: usize = 6;

/// Whose answers count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NpsPopulation {
    /// Everybody's.
    #[default]
    Everyone,
    /// Those of customers who had this tier when they were asked.
    Plan(Code),
    /// Those of the people of one customer.
    Customer(CustomerId),
}

impl std::fmt::Display for NpsPopulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everyone => f.write_str("everyone"),
            Self::Plan(plan) => write!(f, "plan {plan}"),
            Self::Customer(customer) => write!(f, "customer {customer}"),
        }
    }
}

/// Which answers a score is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NpsQuery {
    /// When they were given.
    pub period: Period,
    /// Whose they are.
    pub population: NpsPopulation,
}

impl NpsQuery {
    /// Everybody's answers of a period.
    #[must_use]
    pub const fn over(period: Period) -> Self {
        Self { period, population: NpsPopulation::Everyone }
    }

    /// Only those of this population.
    #[must_use]
    pub fn of(self, population: NpsPopulation) -> Self {
        Self { population, ..self }
    }
}

impl From<Period> for NpsQuery {
    fn from(period: Period) -> Self {
        Self::over(period)
    }
}

/// The answers of one period.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(super) counts: NpsCounts,
    pub(super) latest: Option<OffsetDateTime>,
    pub(super) not_followed_up: u64,
    /// The last class of everybody who answered, and how often they did.
    pub(super) people: BTreeMap<Uuid, (NpsClass, u64)>,
}

impl Tally {
    pub(crate) fn add(&mut self, response: &NpsResponse) {
        self.counts.count(response.class);
        self.latest = self.latest.max(Some(response.submitted_at));
        let waits = response.class == NpsClass::Detractor && !response.followed_up;
        self.not_followed_up = self.not_followed_up.saturating_add(u64::from(waits));
        let person = response.contact_id.map_or(response.customer_id.uuid(), ContactId::uuid);
        let (class, count) = self.people.entry(person).or_insert((response.class, 0));
        (*class, *count) = (response.class, count.saturating_add(1));
    }
}

/// The surveys of one period.
#[derive(Debug, Default)]
pub(crate) struct Surveyed {
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) open: u64,
    pub(super) latest: Option<OffsetDateTime>,
}

impl Surveyed {
    pub(crate) fn add(&mut self, survey: &NpsSurvey) {
        let is_answered = survey.answered_at.is_some();
        let is_open = survey.status == NpsSurveyStatus::Open;
        self.sent = self.sent.saturating_add(1);
        self.answered = self.answered.saturating_add(u64::from(is_answered));
        self.open = self.open.saturating_add(u64::from(is_open));
        self.latest = self.latest.max(Some(survey.sent_at));
    }
}

/// Everything that one pass over the answers finds.
pub(crate) struct Tallies {
    pub(super) query: NpsQuery,
    pub(super) now: Tally,
    pub(super) before: Option<(NpsQuery, Tally)>,
    pub(super) months: Vec<(Period, NpsCounts)>,
    pub(super) praise: Terms,
    pub(super) blame: Terms,
}

/// What is to be found for a report.
pub(crate) fn tallies(query: NpsQuery) -> Tallies {
    let before = preceding(query.period).map(|period| NpsQuery { period, ..query.clone() });
    let mut months = Vec::new();
    let mut last = query.period.end().checked_sub(Duration::MICROSECOND);
    while let Some(month) = last.filter(|_| months.len() < TREND_MONTHS).and_then(month_of) {
        last = month.start().checked_sub(Duration::MICROSECOND);
        months.insert(0, (month, NpsCounts::default()));
    }
    let before = before.map(|query| (query, Tally::default()));
    let (now, praise, blame) = Default::default();
    Tallies { query, now, before, months, praise, blame }
}

/// From when until when answers are to be read for it.
pub(crate) fn reading(tallies: &Tallies) -> (OffsetDateTime, OffsetDateTime) {
    let periods = tallies.before.iter().map(|(query, _)| query.period);
    let periods = periods.chain(tallies.months.iter().map(|(month, _)| *month));
    let all = (tallies.query.period.start(), tallies.query.period.end());
    periods.fold(all, |(start, end), it| (start.min(it.start()), end.max(it.end())))
}

impl Tallies {
    pub(crate) fn add(&mut self, response: &NpsResponse) {
        let at = response.submitted_at;
        for (month, counts) in &mut self.months {
            if month.contains(at) {
                counts.count(response.class);
            }
        }
        if let Some((query, tally)) = &mut self.before
            && query.period.contains(at)
        {
            tally.add(response);
        }
        if self.query.period.contains(at) {
            self.now.add(response);
            let words = match response.class {
                NpsClass::Promoter => Some(&mut self.praise),
                NpsClass::Passive => None,
                NpsClass::Detractor => Some(&mut self.blame),
            };
            if let (Some(words), Some(feedback)) = (words, &response.feedback) {
                words.add(feedback.as_str());
            }
        }
    }
}

fn month_of(at: OffsetDateTime) -> Option<Period> {
    Period::of_calendar(PeriodType::Month, at, TimeZone::UTC)
}

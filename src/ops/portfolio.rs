//! The health of all customers together, gathered for a report that people read.
//!
//! Customers are read a page at a time, and of their histories only what changed in the time that
//! the report is about. What is told of single customers is read for those alone that it names.

use crate::domain::customer::{Customer, CustomerId, RiskLevel, Stage};
use crate::domain::health::{Grade, HealthRecord, HealthState};
use crate::domain::instant::utc;
use crate::domain::portfolio::{PortfolioQuery, Rescored, Scores, moments, scores, target};
use crate::error::Result;
use crate::ops::churn::has_left;
use crate::ops::health_models::HealthModels;
use crate::ops::health_overrides::HealthOverride;
use crate::ops::portfolio_words::{offer, said};
use crate::page::Cursor;
use crate::report::{Advice, Count, Fall, Moment, PortfolioReport, histogram};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use time::OffsetDateTime;

const DELETED_AT: Col = <Customer as Stored>::TABLE.col("deleted_at");
const STATE: Col = <HealthState as Stored>::TABLE.col("id");
const SCORED: Col = <HealthRecord as Stored>::TABLE.col("customer_id");
const CALCULATED_AT: Col = <HealthRecord as Stored>::TABLE.col("calculated_at");

/// How many customers are read at once.
const PAGE: usize = 500;

/// A customer that a list may name.
struct Named {
    id: CustomerId,
    name: String,
}

/// What is found out page by page.
struct Gathered<'q> {
    query: &'q PortfolioQuery,
    models: HealthModels,
    moments: Vec<OffsetDateTime>,
    grades: BTreeMap<Grade, u64>,
    stages: BTreeMap<Stage, u64>,
    scores: Vec<Count>,
    now: Scores,
    without_score: u64,
    over_time: Vec<Scores>,
    /// When a score last changed, and how many changes there were.
    changes: (u64, Option<OffsetDateTime>),
    /// By how much each of those fell who fell most, and from where to where.
    fell: Vec<(u32, u32, u32, Named)>,
    /// Those most likely to leave, and their scores.
    in_danger: Vec<(RiskLevel, Option<u32>, Named)>,
}

impl View<'_> {
    /// The health of all customers: how scores, grades and stages are distributed, the average
    /// with its proof, the averages of the months, who fell most and which metrics brought it
    /// about, and what to do: the actions of interventions that are due, the risks, what could be
    /// sold. Those who have left are counted among the stages and in the months before they left
    /// only; deleted customers are not counted. With the feature `report`.
    ///
    /// What somebody gave in the place of a score counts now, but not in the months before. Memory
    /// is bounded by a page of customers and what changed of them in the time looked at.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, PortfolioQuery, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let since = tenure.now();
    /// tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     for (name, ideal) in [("dau_mau_ratio", 0.5), ("feature_adoption", 0.7),
    ///         ("logins_per_week", 5.0), ("days_since_last_login", 1.0), ("avg_csat", 5.0),
    ///         ("open_tickets", 0.0), ("nps_score", 10.0)]
    ///     {
    ///         tx.record_metric(acme, name, ideal, tx.now())?;
    ///     }
    ///     tx.evaluate(acme)
    /// })?;
    /// let report = tenure.read(|view| view.portfolio_report(&PortfolioQuery::since(since)))?;
    /// assert_eq!((report.customers, report.average.value), (1, Some(100.0)));
    /// assert!(report.to_text().contains("Average score: 100.0, above the target of 65.0."));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`](crate::Error::Invalid) with every fault of the query;
    /// [`Error::Overflow`](crate::Error::Overflow) when the value of all opportunities does not fit.
    pub fn portfolio_report(&self, query: &PortfolioQuery) -> Result<PortfolioReport> {
        query.check(self.now())?;
        let query = PortfolioQuery { since: utc(query.since), ..*query };
        let moments = moments(query.since, self.now());
        let mut all = Gathered {
            models: self.health_models_at(self.now())?,
            over_time: vec![Scores::default(); moments.len()],
            moments,
            grades: Grade::ALL.iter().map(|it| (*it, 0)).collect(),
            stages: Stage::ALL.iter().map(|it| (*it, 0)).collect(),
            scores: histogram([]),
            now: Scores::default(),
            without_score: 0,
            changes: (0, None),
            fell: Vec::new(),
            in_danger: Vec::new(),
            query: &query,
        };
        let mut cursor: Option<Cursor> = None;
        loop {
            let present = Query::all().eq(DELETED_AT, &None::<OffsetDateTime>);
            let page = self.page::<Customer>(present, PAGE, cursor.as_ref())?;
            self.gather(&page.items, &mut all)?;
            cursor = page.next;
            if cursor.is_none() {
                return self.told(all);
            }
        }
    }

    /// Counts customers that are close together by their ids.
    fn gather(&self, customers: &[Customer], all: &mut Gathered<'_>) -> Result<()> {
        let (Some(first), Some(last)) = (customers.first(), customers.last()) else {
            return Ok(());
        };
        let (first, last) = (first.id, last.id);
        let states = self.of_customers::<HealthState>(STATE, first, last)?;
        let states: BTreeMap<_, _> = states.into_iter().map(|it| (it.id, it)).collect();
        let journeys = self.journeys(first, last)?;
        let journeys: BTreeMap<_, _> = journeys.into_iter().map(|it| (it.id, it.since)).collect();
        let mut changes = self.rescored(first, last, all.query.since)?;
        for customer in customers {
            let changes = changes.remove(&customer.id).unwrap_or_default();
            let since = journeys.get(&customer.id.into()).copied();
            let left_at = has_left(customer).then(|| since.unwrap_or(customer.updated_at));
            all.count(customer, states.get(&customer.id.into()), &changes, left_at, self.now());
        }
        Ok(())
    }

    /// How the scores of customers changed after `since`, each oldest first.
    fn rescored(
        &self,
        first: CustomerId,
        last: CustomerId,
        since: OffsetDateTime,
    ) -> Result<BTreeMap<CustomerId, Vec<Rescored>>> {
        let mut all: BTreeMap<CustomerId, Vec<Rescored>> = BTreeMap::new();
        let range = Query::all().filter(SCORED, Op::Ge, &first).filter(SCORED, Op::Le, &last);
        let query = range.filter(CALCULATED_AT, Op::Gt, &since).oldest_by(SCORED);
        self.each(query, |record: HealthRecord| {
            let (at, before) = (record.calculated_at, record.previous_score);
            let change = Rescored { at, before, score: record.score };
            all.entry(record.customer_id).or_default().push(change);
            Ok(())
        })?;
        for changes in all.values_mut() {
            changes.sort_by_key(|it| it.at);
        }
        Ok(all)
    }

    /// The report on what was found.
    fn told(&self, all: Gathered<'_>) -> Result<PortfolioReport> {
        let mut report = PortfolioReport::new(self.now());
        let average = all.now.measured(all.without_score);
        let average = average.from_records("health states", all.now.count, all.changes.1);
        report.average = average.from_records("health records", all.changes.0, all.changes.1);
        report.target = Some(target(&report.average, all.query.target));
        report.since = Some(all.query.since);
        report.customers = all.now.count.saturating_add(all.without_score);
        report.without_score = all.without_score;
        report.grades =
            all.grades.iter().map(|(it, count)| Count::of(it.as_str(), *count)).collect();
        report.stages = all.stages.iter().map(|(it, count)| Count::of(said(it), *count)).collect();
        report.scores = all.scores;
        let averages = all.moments.iter().zip(&all.over_time);
        let moment = |(at, scores): (&OffsetDateTime, &Scores)| {
            Some(Moment { at: *at, average: scores.mean()? })
        };
        report.over_time = averages.filter_map(moment).collect();
        for (_, from, to, customer) in all.fell {
            let reasons = self.reasons(customer.id, all.query.since)?;
            report.fell.push(Fall { customer: customer.name, from, to, reasons });
        }
        let mut advice = BTreeMap::new();
        for (_, _, customer) in all.in_danger {
            let actions = self.advice(customer.id)?;
            advice.insert(customer.id, report.to_do.len());
            report.to_do.push(Advice { customer: customer.name, actions });
        }
        let pipeline = self.expansion_pipeline(None, all.query.listed, None)?;
        report.pipeline = pipeline.total;
        for opportunity in pipeline.opportunities.items {
            let action = offer(&opportunity);
            let known = advice.get(&opportunity.customer_id);
            if let Some(advice) = known.and_then(|at| report.to_do.get_mut(*at)) {
                advice.actions.push(action);
                continue;
            }
            let customer = self.customer(opportunity.customer_id)?;
            advice.insert(customer.id, report.to_do.len());
            let (customer, actions) = (customer.name.to_string(), vec![action]);
            report.to_do.push(Advice { customer, actions });
        }
        Ok(report)
    }
}

impl Gathered<'_> {
    fn count(
        &mut self,
        customer: &Customer,
        state: Option<&HealthState>,
        changes: &[Rescored],
        left_at: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) {
        let one_more = |count: &mut u64| *count = count.saturating_add(1);
        one_more(self.stages.entry(customer.stage).or_default());
        let computed = state.and_then(|state| state.score);
        let scores = scores(&self.moments, changes, computed, left_at);
        for (sum, score) in self.over_time.iter_mut().zip(&scores) {
            if let Some(score) = score {
                sum.add(*score);
            }
        }
        if left_at.is_some() {
            return;
        }
        let (count, latest) = &mut self.changes;
        *count = count.saturating_add(u64::try_from(changes.len()).unwrap_or(u64::MAX));
        *latest = (*latest).max(changes.last().map(|it| it.at));
        let given = state.and_then(|state| HealthOverride::standing(state, now));
        let score = given.map(|it| it.score).or(computed);
        match score {
            None => one_more(&mut self.without_score),
            Some(score) => {
                self.now.add(score);
                let grade = self.models.of_customer(customer).model.grade(score);
                one_more(self.grades.entry(grade).or_default());
                for (bin, more) in self.scores.iter_mut().zip(histogram([score])) {
                    bin.count = bin.count.saturating_add(more.count);
                }
            }
        }
        let named = || Named { id: customer.id, name: customer.name.to_string() };
        // Who was first scored later than the report begins fell from its first score.
        let first = || changes.iter().find_map(|it| it.score);
        let from = scores.first().copied().flatten().or_else(first);
        if let (Some(from), Some(to)) = (from, computed)
            && from > to
        {
            let fell = (from.saturating_sub(to), from, to, named());
            let order = |it: &(u32, u32, u32, Named)| (Reverse(it.0), it.2, it.3.id);
            keep(&mut self.fell, fell, order, self.query.listed);
        }
        if let Some(level) = customer.risk_level.filter(|level| *level > RiskLevel::Low) {
            let order = |it: &(RiskLevel, Option<u32>, Named)| {
                (Reverse(it.0), it.1.unwrap_or(u32::MAX), it.2.id)
            };
            keep(&mut self.in_danger, (level, score, named()), order, self.query.listed);
        }
    }
}

/// Keeps the first `most` in this order.
fn keep<T, K: Ord>(list: &mut Vec<T>, new: T, order: impl Fn(&T) -> K, most: usize) {
    let place = list.partition_point(|it| order(it) < order(&new));
    if place < most {
        list.insert(place, new);
        list.truncate(most);
    }
}

//! The evaluation: how customers are doing and what follows from it, one by one or all of them.
//!
//! Facts first; then health, which the signals look at; the signals and opportunities, which the
//! stage looks at; the stage. What is known beforehand is read for many customers at once, and
//! nothing is written that did not change.

use crate::domain::customer::{Customer, CustomerId, Stage};
use crate::domain::facts::CustomerFacts;
use crate::domain::lifecycle::{Journey, StageTransition};
use crate::error::Result;
use crate::ops::churn::{KnownSignals, SignalsKept};
use crate::ops::expansion::{ExpansionOutlook, KnownExpansion};
use crate::ops::health::{HealthKnown, HealthScore};
use crate::page::{Cursor, Page};
use crate::store::query::{After, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tenure::Tenure;
use crate::tx::{Tx, View};
use crate::value::Value;
use serde::Serialize;
use std::collections::BTreeMap;
use time::OffsetDateTime;

const DELETED_AT: Col = <Customer as Stored>::TABLE.col("deleted_at");

/// How many customers one transaction of [`Tenure::evaluate_all`] takes.
const PAGE: usize = 500;

/// What became of a customer when it was evaluated.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Evaluated {
    /// Who was evaluated.
    pub customer_id: CustomerId,
    /// How well it is doing.
    pub health: HealthScore,
    /// The churn signals that began and ended.
    pub signals: SignalsKept,
    /// What could be sold to it.
    pub expansion: ExpansionOutlook,
    /// The move from one stage to another, if there was one.
    pub moved: Option<StageTransition>,
}

/// What an evaluation of many customers came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EvaluationReport {
    /// Customers that were evaluated.
    pub customers: u64,
    /// Those of whom enough is known for a score.
    pub scored: u64,
    /// Churn signals that began.
    pub signals_opened: u64,
    /// Churn signals that ended.
    pub signals_closed: u64,
    /// Opportunities that are open.
    pub opportunities: u64,
    /// Customers that moved to another stage.
    pub moved: u64,
}

/// What is known of one customer before it is evaluated.
struct Known {
    health: HealthKnown,
    signals: KnownSignals,
    expansion: KnownExpansion,
    journey: Option<Journey>,
}

impl EvaluationReport {
    fn count(&mut self, one: &Evaluated) {
        let opened = u64::try_from(one.signals.opened.len()).unwrap_or(u64::MAX);
        let closed = u64::try_from(one.signals.closed.len()).unwrap_or(u64::MAX);
        let open = u64::try_from(one.expansion.open.len()).unwrap_or(u64::MAX);
        self.add(&Self {
            customers: 1,
            scored: u64::from(one.health.score.is_some()),
            signals_opened: opened,
            signals_closed: closed,
            opportunities: open,
            moved: u64::from(one.moved.is_some()),
        });
    }

    pub(crate) const fn add(&mut self, other: &Self) {
        self.customers = self.customers.saturating_add(other.customers);
        self.scored = self.scored.saturating_add(other.scored);
        self.signals_opened = self.signals_opened.saturating_add(other.signals_opened);
        self.signals_closed = self.signals_closed.saturating_add(other.signals_closed);
        self.opportunities = self.opportunities.saturating_add(other.opportunities);
        self.moved = self.moved.saturating_add(other.moved);
    }
}

impl Tenure {
    /// Evaluates every customer of the handle's org, as [`Tx::evaluate`] does, in transactions of
    /// 500; deleted ones are passed over. `progress` hears after each of them what it came to so
    /// far. Memory is bounded by the page, however many customers there are; other writers come in
    /// between.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// tenure.write(|tx| {
    ///     let fading = tx.create_customer(&CustomerDraft::named("Fading Ltd."))?.id;
    ///     tx.create_customer(&CustomerDraft::named("Quiet Inc."))?;
    ///     tx.record_metric(fading, "days_since_last_login", 20.0, tx.now())
    /// })?;
    /// let report = tenure.evaluate_all(|so_far| println!("{} customers", so_far.customers))?;
    /// assert_eq!((report.customers, report.signals_opened, report.moved), (2, 2, 1));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Tx::evaluate`]; the pages before the one that failed are kept, and evaluating them
    /// again changes nothing.
    pub fn evaluate_all(
        &self,
        mut progress: impl FnMut(&EvaluationReport),
    ) -> Result<EvaluationReport> {
        let mut all = EvaluationReport::default();
        let mut after = None;
        loop {
            let (report, last) = self.write(|tx| tx.evaluate_after(after, PAGE))?;
            all.add(&report);
            progress(&all);
            if last.is_none() {
                return Ok(all);
            }
            after = last;
        }
    }
}

impl View<'_> {
    /// What is known of customers, ascending by id, before they are evaluated: each table is read
    /// once for all of them.
    fn known_of(&self, customers: &[Customer]) -> Result<Vec<Known>> {
        let (Some(first), Some(last)) = (customers.first(), customers.last()) else {
            return Ok(Vec::new());
        };
        let (first, last) = (first.id, last.id);
        let mut health = self.health_known_of(first, last)?;
        let mut signals = self.known_signals(first, last)?;
        let mut expansion = self.known_expansions(first, last)?;
        let journeys = self.journeys(first, last)?;
        let mut journeys: BTreeMap<_, _> = journeys.into_iter().map(|it| (it.id, it)).collect();
        let known = customers.iter().map(|customer| Known {
            health: health.of(customer.id),
            signals: signals.remove(&customer.id).unwrap_or_default(),
            expansion: expansion.remove(&customer.id).unwrap_or_default(),
            journey: journeys.remove(&customer.id.into()),
        });
        Ok(known.collect())
    }
}

impl Tx<'_> {
    /// Evaluates one customer by what is known of it now: its health, the churn signals that begin
    /// or end, what could be sold to it, and the stage of its journey. The same facts again change
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound); [`Error::Invalid`](crate::Error::Invalid) when
    /// configured rules contradict themselves; [`Error::Overflow`](crate::Error::Overflow) when the
    /// value of an opportunity cannot be counted.
    pub fn evaluate(&mut self, customer: CustomerId) -> Result<Option<Evaluated>> {
        let customer = self.view().customer(customer)?;
        Ok(self.evaluate_these(vec![customer])?.pop())
    }

    /// Evaluates the next `limit` customers, by id, for a host that spreads an evaluation of all of
    /// them over time. Returns what became of each and where to go on.
    ///
    /// # Errors
    ///
    /// Those of [`evaluate`](Self::evaluate); [`Error::Invalid`](crate::Error::Invalid) when `limit`
    /// is not 1–1,000.
    pub fn evaluate_page(
        &mut self,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Evaluated>> {
        let customers = self.view().page::<Customer>(present(), limit, cursor)?;
        Ok(Page { items: self.evaluate_these(customers.items)?, next: customers.next })
    }

    /// Evaluates at most `limit` customers after `after`. Returns what it came to, and the last of
    /// them if there may be more.
    pub(crate) fn evaluate_after(
        &mut self,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<(EvaluationReport, Option<CustomerId>)> {
        let after = after.map(|id| After { value: Value::Null, key: id.uuid() });
        let customers = self.view().find::<Customer>(&present().after(after).limit(limit))?;
        let last = customers.last().filter(|_| customers.len() == limit).map(|it| it.id);
        let mut report = EvaluationReport::default();
        for one in self.evaluate_these(customers)? {
            report.count(&one);
        }
        Ok((report, last))
    }

    fn evaluate_these(&mut self, customers: Vec<Customer>) -> Result<Vec<Evaluated>> {
        let facts = self.view().facts_of(&customers)?;
        let known = self.view().known_of(&customers)?;
        self.whole(|tx| {
            let each = customers.into_iter().zip(facts).zip(known);
            each.map(|((customer, facts), known)| tx.evaluate_one(customer, facts, known)).collect()
        })
    }

    fn evaluate_one(
        &mut self,
        mut customer: Customer,
        mut facts: CustomerFacts,
        known: Known,
    ) -> Result<Evaluated> {
        let before = standing(&customer);
        let health = self.keep_health(&mut customer, &mut facts, known.health)?;
        self.keep_engagement(&mut customer, &facts);
        let mut signals = self.keep_signals(&mut customer, &facts, known.signals)?;
        let expansion = self.keep_opportunities(&facts, known.expansion)?;
        facts.expansion = expansion.facts;
        let moved = self.keep_stage(&mut customer, &mut facts, known.journey)?;
        if moved.as_ref().is_some_and(|it| it.to == Stage::Churned) {
            let id = customer.id;
            let known = self.view().known_signals(id, id)?.remove(&id).unwrap_or_default();
            signals.closed.extend(self.keep_signals(&mut customer, &facts, known)?.closed);
        }
        if before != standing(&customer) {
            self.keep_customer(&mut customer)?;
        }
        Ok(Evaluated { customer_id: customer.id, health, signals, expansion, moved })
    }
}

/// What an evaluation changes of the customer itself.
fn standing(customer: &Customer) -> impl PartialEq + use<> {
    let scores = (customer.health_score, customer.engagement_score);
    (scores, customer.risk_level, customer.stage, customer.status)
}

/// Customers that are not deleted, by id.
fn present() -> Query {
    Query::all().eq(DELETED_AT, &None::<OffsetDateTime>)
}

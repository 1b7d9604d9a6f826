//! The evaluation: how customers are doing and what follows from it, one by one or all of them.
//!
//! Facts first; then health, which the signals look at; the signals and opportunities, which the
//! stage looks at; the stage. What is known beforehand is read for many customers at once, and
//! nothing is written that did not change.

use crate::domain::customer::{Customer, CustomerId, Stage};
use crate::domain::evaluation::EvaluationDue;
use crate::domain::facts::CustomerFacts;
use crate::domain::lifecycle::{Journey, StageTransition};
use crate::error::{Error, Result};
use crate::ops::churn::{KnownSignals, SignalsKept};
use crate::ops::expansion::{ExpansionOutlook, KnownExpansion};
use crate::ops::health::{HealthKnown, HealthScore};
use crate::page::{Cursor, Page};
use crate::store::StoreError;
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
const WAITING: Col = <EvaluationDue as Stored>::TABLE.col("id");

/// How many customers one transaction of [`Tenure::evaluate_all`] takes.
const PAGE: usize = 500;
/// How many customers that could not be evaluated a report names.
const FAILURES: usize = 100;

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
    /// What could be sold to it. If that is beyond counting, all the rest was evaluated, and
    /// [`uncountable`](ExpansionOutlook::uncountable) says what.
    pub expansion: ExpansionOutlook,
    /// The move from one stage to another, if there was one.
    pub moved: Option<StageTransition>,
    /// Whether anything of it changed.
    pub changed: bool,
}

/// What an evaluation of many customers came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EvaluationReport {
    /// Customers that were evaluated.
    pub customers: u64,
    /// Those of whom something changed.
    pub changed: u64,
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
    /// Customers that could not be evaluated, or not what could be sold to them.
    pub failed: u64,
    /// The first 100 of these, and why.
    pub failures: Vec<EvaluationFailure>,
}

/// A customer that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EvaluationFailure {
    /// Who could not be.
    pub customer_id: CustomerId,
    /// Why.
    pub error: String,
}

/// What became of a customer, and of its health what the caller wants to know.
pub(super) struct Outcome<H> {
    customer: CustomerId,
    health: H,
    signals: SignalsKept,
    expansion: ExpansionOutlook,
    moved: Option<StageTransition>,
    changed: bool,
}

/// How the health of a customer is kept.
type KeepHealth<'t, H> =
    fn(&mut Tx<'t>, &mut Customer, &mut CustomerFacts, HealthKnown) -> Result<H>;

/// What is known of one customer before it is evaluated.
struct Known {
    health: HealthKnown,
    signals: KnownSignals,
    expansion: KnownExpansion,
    journey: Option<Journey>,
}

impl EvaluationReport {
    pub(super) fn count(&mut self, one: &Outcome<Option<u32>>) {
        let opened = u64::try_from(one.signals.opened.len()).unwrap_or(u64::MAX);
        let closed = u64::try_from(one.signals.closed.len()).unwrap_or(u64::MAX);
        let open = u64::try_from(one.expansion.open.len()).unwrap_or(u64::MAX);
        self.add(&Self {
            customers: 1,
            changed: u64::from(one.changed),
            scored: u64::from(one.health.is_some()),
            signals_opened: opened,
            signals_closed: closed,
            opportunities: open,
            moved: u64::from(one.moved.is_some()),
            ..Self::default()
        });
        if let Some(what) = one.expansion.uncountable {
            self.fail(one.customer, &Error::Overflow(what));
        }
    }

    /// Notes a customer that could not be evaluated.
    pub(super) fn fail(&mut self, customer_id: CustomerId, error: &Error) {
        let failure = EvaluationFailure { customer_id, error: error.to_string() };
        self.add(&Self { failed: 1, failures: vec![failure], ..Self::default() });
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.customers = self.customers.saturating_add(other.customers);
        self.scored = self.scored.saturating_add(other.scored);
        self.signals_opened = self.signals_opened.saturating_add(other.signals_opened);
        self.signals_closed = self.signals_closed.saturating_add(other.signals_closed);
        self.opportunities = self.opportunities.saturating_add(other.opportunities);
        self.changed = self.changed.saturating_add(other.changed);
        self.moved = self.moved.saturating_add(other.moved);
        self.failed = self.failed.saturating_add(other.failed);
        let room = FAILURES.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.iter().take(room).cloned());
    }
}

impl Tenure {
    /// Evaluates every customer of the handle's org, as [`Tx::evaluate`] does, in transactions of
    /// 500; deleted ones are passed over. `progress` hears after each of them what it came to so
    /// far. Memory is bounded by the page, however many customers there are; other writers come in
    /// between.
    ///
    /// A customer that cannot be evaluated keeps none of the others from it: it is counted as
    /// [`failed`](EvaluationReport::failed), and named with its error.
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
    /// [`Error::Invalid`] when configured rules contradict themselves; the store's own: then the pages
    /// before are kept, and evaluating them again changes nothing.
    pub fn evaluate_all(
        &self,
        mut progress: impl FnMut(&EvaluationReport),
    ) -> Result<EvaluationReport> {
        let mut all = EvaluationReport::default();
        let mut after = None;
        loop {
            let (report, last) = match self.write(|tx| tx.evaluate_after(after, PAGE)) {
                Err(error) if is_of_one(&error) => self.evaluate_apart(after, PAGE)?,
                page => page?,
            };
            all.add(&report);
            progress(&all);
            if last.is_none() {
                return Ok(all);
            }
            after = last;
        }
    }

    /// Evaluates at most `limit` customers after `after`, each in a transaction of its own, so that
    /// one that cannot be evaluated leaves the others be.
    pub(super) fn evaluate_apart(
        &self,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<(EvaluationReport, Option<CustomerId>)> {
        let ids = self.read(|view| {
            let customers = view.customers_after(after, limit)?;
            Ok::<_, Error>(customers.into_iter().map(|it| it.id).collect::<Vec<_>>())
        })?;
        let mut report = EvaluationReport::default();
        for id in &ids {
            match self.write(|tx| tx.evaluate_briefly(*id)) {
                Ok(one) => report.count(&one),
                Err(error) if is_of_one(&error) => report.fail(*id, &error),
                Err(error) => return Err(error),
            }
        }
        Ok((report, ids.last().copied().filter(|_| ids.len() == limit)))
    }
}

impl View<'_> {
    /// At most `limit` customers that are not deleted, by id, after `after`.
    fn customers_after(&self, after: Option<CustomerId>, limit: usize) -> Result<Vec<Customer>> {
        let after = after.map(|id| After { value: Value::Null, key: id.uuid() });
        self.find(&present().after(after).limit(limit))
    }

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

impl<'t> Tx<'t> {
    /// Evaluates one customer by what is known of it now: its health, the churn signals that begin
    /// or end, what could be sold to it, and the stage of its journey. It takes one step of
    /// the journey at the most; evaluating again takes the next, until the same facts change nothing.
    ///
    /// A [tick](Tenure::tick) evaluates all customers once a day. Who records something that should
    /// have its effect at once evaluates the customer in the same transaction.
    ///
    /// ```
    /// use tenure::domain::facts::names;
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, SignalKind, Stage, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let evaluated = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.record_metric(acme, names::NPS_SCORE, 3.0, tx.now())?;
    ///     tx.evaluate(acme)
    /// })?;
    /// assert_eq!(evaluated.signals.opened[0].kind, SignalKind::NpsDetractor);
    /// assert_eq!(evaluated.moved.map(|it| it.to), Some(Stage::AtRisk));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when configured rules contradict themselves.
    pub fn evaluate(&mut self, customer: CustomerId) -> Result<Evaluated> {
        let customer = self.view().customer(customer)?;
        let id = customer.id;
        let evaluated = self.evaluate_these(vec![customer])?.pop();
        evaluated.ok_or_else(|| Error::not_found("customer", id))
    }

    /// Evaluates the next `limit` customers, by id, for a host that spreads an evaluation of all of
    /// them over time. Returns what became of each and where to go on.
    ///
    /// # Errors
    ///
    /// Those of [`evaluate`](Self::evaluate); [`Error::Invalid`] when `limit` is not 1–1,000.
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
        let customers = self.view().customers_after(after, limit)?;
        let last = customers.last().filter(|_| customers.len() == limit).map(|it| it.id);
        let mut report = EvaluationReport::default();
        self.evaluate_each(customers, Self::keep_health_score, |one| report.count(&one))?;
        Ok((report, last))
    }

    /// Evaluates one customer for whoever wants to know of its health no more than the score.
    pub(super) fn evaluate_briefly(&mut self, id: CustomerId) -> Result<Outcome<Option<u32>>> {
        let customer = self.view().customer(id)?;
        let mut outcome = None;
        self.evaluate_each(vec![customer], Self::keep_health_score, |one| outcome = Some(one))?;
        outcome.ok_or_else(|| Error::not_found("customer", id))
    }

    fn evaluate_these(&mut self, customers: Vec<Customer>) -> Result<Vec<Evaluated>> {
        let mut all = Vec::with_capacity(customers.len());
        self.evaluate_each(customers, Self::keep_health, |it| {
            let Outcome { customer, health, signals, expansion, moved, changed } = it;
            all.push(Evaluated {
                customer_id: customer,
                health,
                signals,
                expansion,
                moved,
                changed,
            });
        })?;
        Ok(all)
    }

    /// Evaluates customers, ascending by id, their health by `keep_health`, and hands to `take` what
    /// became of each.
    fn evaluate_each<H>(
        &mut self,
        customers: Vec<Customer>,
        keep_health: KeepHealth<'t, H>,
        mut take: impl FnMut(Outcome<H>),
    ) -> Result<()> {
        // Once for all of them, and even if there are none.
        self.config().churn.check()?;
        self.config().expansion.check()?;
        self.config().lifecycle.check()?;
        let (Some(first), Some(last)) = (customers.first(), customers.last()) else {
            return Ok(());
        };
        let mut records = self.view().records_of(first.id, last.id)?;
        let known = self.view().known_of(&customers)?;
        self.whole(|tx| {
            tx.wait_no_more(&customers)?;
            for (mut customer, known) in customers.into_iter().zip(known) {
                let facts = tx.view().facts_from(&customer, &mut records)?;
                take(tx.evaluate_one(&mut customer, facts, known, keep_health)?);
            }
            Ok(())
        })
    }

    fn evaluate_one<H>(
        &mut self,
        customer: &mut Customer,
        mut facts: CustomerFacts,
        known: Known,
        keep_health: KeepHealth<'t, H>,
    ) -> Result<Outcome<H>> {
        let before = standing(customer);
        let so_far = self.changes();
        let health = keep_health(self, customer, &mut facts, known.health)?;
        self.keep_engagement(customer, &facts);
        let mut signals = self.keep_signals(customer, &facts, known.signals)?;
        let mut expansion = self.keep_opportunities(&facts, known.expansion)?;
        facts.expansion = expansion.facts;
        let moved = self.keep_stage(customer, &mut facts, known.journey)?;
        if moved.as_ref().is_some_and(|it| it.to == Stage::Churned) {
            let id = customer.id;
            let known = self.view().known_signals(id, id)?.remove(&id).unwrap_or_default();
            signals.closed.extend(self.keep_signals(customer, &facts, known)?.closed);
            let known = self.view().known_expansions(id, id)?.remove(&id).unwrap_or_default();
            expansion = self.keep_opportunities(&facts, known)?;
        }
        if before != standing(customer) {
            self.keep_customer(customer)?;
        }
        let (customer, changed) = (customer.id, self.changes() != so_far);
        Ok(Outcome { customer, health, signals, expansion, moved, changed })
    }

    /// Notes that these customers, ascending by id, are evaluated now.
    fn wait_no_more(&mut self, customers: &[Customer]) -> Result<()> {
        let (Some(first), Some(last)) = (customers.first(), customers.last()) else {
            return Ok(());
        };
        for waiting in self.view().of_customers::<EvaluationDue>(WAITING, first.id, last.id)? {
            if customers.binary_search_by_key(&waiting.id, |it| it.id).is_ok() {
                self.delete::<EvaluationDue>(waiting.id)?;
            }
        }
        Ok(())
    }
}

/// Whether an error may come of one customer alone, so that the others can be evaluated without it.
pub(super) const fn is_of_one(error: &Error) -> bool {
    match error {
        Error::Invalid(_) => false,
        Error::Store(error) => matches!(error, StoreError::Corrupt { .. }),
        _ => true,
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

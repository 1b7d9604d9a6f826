//! Health: computed, kept where it changed, and read again.

use crate::domain::customer::{Customer, CustomerId};
use crate::domain::facts::{CustomerFacts, Figure, FigureSource, Figures, names};
use crate::domain::health::{
    ComponentScores, Grade, Health, HealthModelVersion, HealthRecord, HealthRecordId, HealthState,
    HealthStateId, PreviousHealth, fingerprint,
};
use crate::error::Result;
use crate::ops::health_models::HealthModels;
use crate::ops::health_overrides::HealthOverride;
use crate::page::{Cursor, Page};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::rc::Rc;
use time::OffsetDateTime;

const ID: Col = <HealthState as Stored>::TABLE.col("id");
const CUSTOMER: Col = <HealthRecord as Stored>::TABLE.col("customer_id");
const CALCULATED_AT: Col = <HealthRecord as Stored>::TABLE.col("calculated_at");

/// How a customer is doing, as it was computed and as somebody knows better.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HealthScore {
    /// Whose health it is.
    pub customer_id: CustomerId,
    /// The score that counts, 0–100: the one that somebody gave, while that stands, else the
    /// computed one. None if too little is known: then [`Health::unscored`] says why.
    pub score: Option<u32>,
    /// Its grade.
    pub grade: Option<Grade>,
    /// The score as it was computed, with all that belongs to it.
    pub health: Health,
    /// What somebody gave instead, while that stands.
    pub overridden: Option<HealthOverride>,
    /// What the model is called that it was computed by.
    pub model: String,
    /// The hash of that model.
    pub model_hash: String,
    /// What was kept of it; none of what is only tried.
    pub record_id: Option<HealthRecordId>,
}

/// What an evaluation of one customer's health needs to know beforehand.
#[derive(Clone)]
pub(crate) struct HealthKnown {
    models: Rc<HealthModels>,
    state: Option<HealthState>,
}

/// The same of a page of customers, read at once.
#[allow(dead_code, reason = "used once the portfolio is evaluated")]
pub(crate) struct HealthKnownPage {
    models: Rc<HealthModels>,
    states: BTreeMap<HealthStateId, HealthState>,
}

#[allow(dead_code, reason = "used once the portfolio is evaluated")]
impl HealthKnownPage {
    /// What is known of one of them.
    pub(crate) fn of(&mut self, customer: CustomerId) -> HealthKnown {
        let state = self.states.remove(&customer.into());
        HealthKnown { models: Rc::clone(&self.models), state }
    }
}

impl HealthKnown {
    /// The state and the models.
    pub(crate) fn new(models: HealthModels, state: Option<HealthState>) -> Self {
        Self { models: Rc::new(models), state }
    }
}

impl View<'_> {
    /// How a customer is doing, as it was scored last; none if it never was, nor overridden. What somebody gave
    /// instead counts until it expires, whether or not it was scored since.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, Figure, FigureSource, Figures, HealthComponent, HealthMetric};
    /// # use tenure::{HealthModel, HealthScope, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let metric = HealthMetric::higher("visits", 20.0, 1.0);
    /// # let model = HealthModel::of([HealthComponent::new("usage", 1.0).metric(metric)]);
    /// # let acme = tenure.write(|tx| {
    /// #     tx.define_health_model("visits", &model, &HealthScope::default(), 0)?;
    /// #     tx.create_customer(&CustomerDraft::named("Acme"))
    /// # })?.id;
    /// # let visits = |value| {
    /// #     let (at, source) = (tenure.now(), FigureSource::Host);
    /// #     let mut figures = Figures::default();
    /// #     figures.set("visits", Figure { value, at, source });
    /// #     figures
    /// # };
    /// tenure.write(|tx| tx.score_health_with(acme, &visits(20.0)))?;
    /// tenure.write(|tx| tx.score_health_with(acme, &visits(15.0)))?;
    /// let health = tenure.read(|view| view.health(acme))?.unwrap();
    /// assert_eq!(health.score, Some(75));
    /// assert_eq!(health.health.risk_factors[0].to_string(), "usage fell from 100 to 75");
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound).
    pub fn health(&self, customer: CustomerId) -> Result<Option<HealthScore>> {
        let known = self.customer(customer)?;
        let Some(state) = self.get::<HealthState>(customer.into())? else { return Ok(None) };
        let Some(record) = state.record_id else {
            let facts = self.health_facts(&known)?;
            let score = self.tried_health(&facts, self.now(), Some(&state))?;
            return Ok(Some(score).filter(|score| score.overridden.is_some()));
        };
        let record = self.require::<HealthRecord>(record)?;
        let model = self.health_model(record.model_id)?;
        let before = state.previous();
        let health = model.model.score(&record.inputs, record.calculated_at, Some(&before));
        let health = Health { alerts: Vec::new(), ..health };
        Ok(Some(self.health_score(customer, &model, Some(&state), health)))
    }

    /// The scores of a customer that differed from those before, newest first, a page at a time.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, Figure, FigureSource, Figures, HealthComponent, HealthMetric};
    /// # use tenure::{HealthModel, HealthScope, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let metric = HealthMetric::higher("visits", 20.0, 1.0);
    /// # let model = HealthModel::of([HealthComponent::new("usage", 1.0).metric(metric)]);
    /// # let acme = tenure.write(|tx| {
    /// #     tx.define_health_model("visits", &model, &HealthScope::default(), 0)?;
    /// #     tx.create_customer(&CustomerDraft::named("Acme"))
    /// # })?.id;
    /// # let visits = |value| {
    /// #     let (at, source) = (tenure.now(), FigureSource::Host);
    /// #     let mut figures = Figures::default();
    /// #     figures.set("visits", Figure { value, at, source });
    /// #     figures
    /// # };
    /// tenure.write(|tx| tx.score_health_with(acme, &visits(20.0)))?;
    /// tenure.write(|tx| tx.score_health_with(acme, &visits(15.0)))?;
    /// tenure.write(|tx| tx.score_health_with(acme, &visits(15.0)))?;
    /// let history = tenure.read(|view| view.health_history(acme, 10, None))?.items;
    /// let scores: Vec<_> = history.iter().map(|it| it.score).collect();
    /// assert_eq!(scores, [Some(75), Some(100)]);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound); [`Error::Invalid`](crate::Error::Invalid) when
    /// `limit` is not 1–1,000.
    pub fn health_history(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<HealthRecord>> {
        self.customer(customer)?;
        self.page(Query::all().eq(CUSTOMER, &customer).newest_by(CALCULATED_AT), limit, cursor)
    }

    /// The last record at or before an instant.
    pub(crate) fn health_record_at(
        &self,
        customer: CustomerId,
        at: OffsetDateTime,
    ) -> Result<Option<HealthRecord>> {
        let query = Query::all().eq(CUSTOMER, &customer).filter(CALCULATED_AT, Op::Le, &at);
        self.first(query.newest_by(CALCULATED_AT))
    }

    /// What an evaluation of health needs to know of one customer.
    pub(crate) fn health_known(&self, customer: CustomerId) -> Result<HealthKnown> {
        let models = self.health_models_at(self.now())?;
        Ok(HealthKnown::new(models, self.get(customer.into())?))
    }

    /// What an evaluation of health needs to know of the customers from `first` to `last`.
    #[allow(dead_code, reason = "used once the portfolio is evaluated")]
    pub(crate) fn health_known_of(
        &self,
        first: CustomerId,
        last: CustomerId,
    ) -> Result<HealthKnownPage> {
        let models = Rc::new(self.health_models_at(self.now())?);
        let states = self.of_customers::<HealthState>(ID, first, last)?;
        let states = states.into_iter().map(|state| (state.id, state)).collect();
        Ok(HealthKnownPage { models, states })
    }

    /// What is known of a customer for its health to be computed now.
    pub(crate) fn health_facts(&self, customer: &Customer) -> Result<CustomerFacts> {
        let (id, tier, since) = (customer.id, customer.tier.clone(), customer.created_at);
        let mut facts = CustomerFacts::new(id, tier, since, self.now());
        (facts.size, facts.kind) = (customer.size, customer.kind);
        facts.figures = self.health_figures_as_of(id, self.now())?;
        Ok(facts)
    }

    /// The figures that were known of a customer at `at`: those that it was last scored by.
    pub(crate) fn health_figures_as_of(
        &self,
        customer: CustomerId,
        at: OffsetDateTime,
    ) -> Result<Figures> {
        Ok(self.health_record_at(customer, at)?.map(|it| it.inputs).unwrap_or_default())
    }

    /// A score with what stands in its place now.
    pub(crate) fn health_score(
        &self,
        customer_id: CustomerId,
        model: &HealthModelVersion,
        state: Option<&HealthState>,
        health: Health,
    ) -> HealthScore {
        let overridden = state.and_then(|state| HealthOverride::standing(state, self.now()));
        let score = overridden.as_ref().map(|it| it.score).or(health.score);
        HealthScore {
            customer_id,
            score,
            grade: score.map(|score| model.model.grade(score)),
            health,
            overridden,
            model: model.name.to_string(),
            model_hash: model.hash.clone(),
            record_id: state.and_then(|state| state.record_id),
        }
    }
}

impl Tx<'_> {
    /// Scores a customer by what is known of it now. If the score, its components or the figures
    /// that it is computed from changed, a record of it is kept, the customer gets its new
    /// [`health_score`](Customer::health_score), and it is announced, with what somebody should
    /// hear of. Figures that only became older have not changed, unless they are too old now.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Figures, Tenure, UnscoredReason};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let score = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.score_health(acme)
    /// })?;
    /// assert_eq!(score.score, None);
    /// let why = score.health.unscored.unwrap();
    /// assert_eq!(why.reason, UnscoredReason::NothingKnown);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound).
    pub fn score_health(&mut self, customer: CustomerId) -> Result<HealthScore> {
        self.score_health_with(customer, &Figures::default())
    }

    /// Does the same, with figures that the host has measured itself: those of `figures` count in
    /// the place of what is known under the same names.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Figure, FigureSource, Figures, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let mut figures = Figures::default();
    /// for (name, value) in [("dau_mau_ratio", 0.5), ("feature_adoption", 0.7),
    ///     ("conversations_per_week", 100.0), ("logins_per_week", 2.0), ("avg_csat", 4.0),
    ///     ("nps_score", 9.0)]
    /// {
    ///     let (at, source) = (tenure.now(), FigureSource::Host);
    ///     figures.set(name, Figure { value, at, source });
    /// }
    /// let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let score = tenure.write(|tx| tx.score_health_with(acme, &figures))?;
    /// assert_eq!(score.score, Some(77), "65.5 of 0.85 of the weight");
    /// assert_eq!(tenure.read(|view| view.customer(acme))?.health_score, Some(77));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound).
    pub fn score_health_with(
        &mut self,
        customer: CustomerId,
        figures: &Figures,
    ) -> Result<HealthScore> {
        let mut customer = self.view().customer(customer)?;
        let mut facts = self.view().health_facts(&customer)?;
        for (name, figure) in figures.iter() {
            facts.figures.set(name.to_owned(), figure);
        }
        let known = self.view().health_known(customer.id)?;
        self.whole(|tx| {
            let before = customer.health_score;
            let score = tx.keep_health(&mut customer, &mut facts, known)?;
            if customer.health_score != before {
                tx.keep_customer(&mut customer)?;
            }
            Ok(score)
        })
    }

    /// Scores a customer by `facts`, keeps what changed, and gives `customer` and `facts` the score.
    /// The caller writes the customer.
    pub(crate) fn keep_health(
        &mut self,
        customer: &mut Customer,
        facts: &mut CustomerFacts,
        known: HealthKnown,
    ) -> Result<HealthScore> {
        let HealthKnown { models, state } = known;
        let model = models.of(facts);
        let before = state.as_ref().filter(|state| state.record_id.is_some());
        let latest = before.map(HealthState::latest);
        let mut health = model.model.measure(&facts.figures, facts.as_of);
        let print = fingerprint(&model.hash, &health);
        let state = match state {
            Some(state) if state.record_id.is_some() && state.fingerprint == print => {
                model.model.compare(&mut health, Some(&state.previous()));
                health.alerts.clear();
                state
            }
            state => {
                model.model.compare(&mut health, latest.as_ref());
                if models.is_new(model) && self.insert(model)? {
                    let data = json!({ "name": model.name, "version": 0, "hash": model.hash });
                    self.announce("health_model.defined", model.id, None, data);
                }
                let state = state.unwrap_or_else(|| HealthState::blank(customer.id));
                self.keep_score(facts, model, &health, print, state, latest.unwrap_or_default())?
            }
        };
        customer.health_score = health.score;
        let score = self.view().health_score(customer.id, model, Some(&state), health);
        let own = facts.figures.get(names::HEALTH_SCORE);
        if let Some(value) = score.score {
            let (value, at, source) = (f64::from(value), facts.as_of, FigureSource::Derived);
            facts.figures.set(names::HEALTH_SCORE, Figure { value, at, source });
        } else if own.is_some_and(|it| it.source == FigureSource::Derived) {
            // What it was before is not known to be so any more.
            facts.figures.remove(names::HEALTH_SCORE);
        }
        Ok(score)
    }

    /// Keeps a score that differs from the one before, and announces it.
    fn keep_score(
        &mut self,
        facts: &CustomerFacts,
        model: &HealthModelVersion,
        health: &Health,
        print: i64,
        state: HealthState,
        latest: PreviousHealth,
    ) -> Result<HealthState> {
        let record = HealthRecord {
            id: self.fresh(),
            customer_id: facts.customer_id,
            calculated_at: facts.as_of,
            model_id: model.id,
            model_hash: model.hash.clone(),
            score: health.score,
            grade: health.grade,
            trend: health.trend,
            previous_score: latest.score,
            points: health.points,
            coverage: health.coverage,
            components: HealthRecord::component_scores(health),
            inputs: model.model.inputs(&facts.figures),
            risk_factors: health.risk_factors.clone(),
            opportunities: health.opportunities.clone(),
        };
        self.insert(&record)?;
        let state = HealthState {
            record_id: Some(record.id),
            score: health.score,
            components: ComponentScores(PreviousHealth::from(health).components),
            previous_score: latest.score,
            previous_components: ComponentScores(latest.components),
            fingerprint: print,
            ..state
        };
        self.put(&state)?;
        let drop = latest.score.zip(health.score).map_or(0, |(was, is)| was.saturating_sub(is));
        let data = json!({
            "recordId": record.id, "score": health.score, "grade": health.grade,
            "before": latest.score, "drop": drop, "trend": health.trend,
        });
        self.announce("health.scored", state.id, facts.customer_id, data);
        for alert in &health.alerts {
            let data = json!({
                "recordId": record.id, "kind": alert.kind, "severity": alert.severity,
                "score": alert.score, "grade": alert.grade, "before": alert.before,
                "drop": alert.drop, "occasion": alert.occasion(), "message": alert.to_string(),
            });
            self.announce("health.alerted", state.id, facts.customer_id, data);
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::{CustomerDraft, Tenure};

    /// Evaluates everybody as a portfolio is evaluated, and tells how many records there are then.
    fn evaluate(tenure: &Tenure, customers: &[Customer], open_tickets: f64) -> usize {
        let score = |tx: &mut Tx<'_>| {
            let (first, last) = (customers.first().unwrap().id, customers.last().unwrap().id);
            let mut known = tx.view().health_known_of(first, last)?;
            for customer in customers {
                let mut customer = customer.clone();
                let mut facts = tx.view().health_facts(&customer)?;
                facts.figures.set("health_score", figure(tx.now(), 1.0));
                for (_, metric) in crate::HealthModel::default().metrics() {
                    facts.figures.set(metric.name.clone(), figure(tx.now(), metric.ideal));
                }
                facts.figures.set("open_tickets", figure(tx.now(), open_tickets));
                let known = known.of(customer.id);
                let score = tx.keep_health(&mut customer, &mut facts, known)?;
                assert_eq!(customer.health_score, score.score);
                assert_eq!(facts.figure("health_score"), score.score.map(f64::from));
            }
            tx.view().all::<HealthRecord>(Query::all()).map(|records| records.len())
        };
        tenure.write(score).unwrap()
    }

    fn figure(at: OffsetDateTime, value: f64) -> Figure {
        Figure { value, at, source: FigureSource::Derived }
    }

    #[test]
    fn a_page_of_customers_is_scored_from_what_was_read_at_once() {
        let tenure = Tenure::open(MemoryStore::new()).unwrap();
        let create =
            |name: &str| tenure.write(|tx| tx.create_customer(&CustomerDraft::named(name)));
        let customers: Vec<_> = ["a", "b", "c"].map(|name| create(name).unwrap()).into();
        assert_eq!(evaluate(&tenure, &customers, 0.0), 3);
        assert_eq!(evaluate(&tenure, &customers, 0.0), 3, "nothing has changed");
        assert_eq!(evaluate(&tenure, &customers, 5.0), 6);
        // The model that comes with tenure is kept once.
        let models = tenure.read(|view| view.all::<HealthModelVersion>(Query::all())).unwrap();
        assert_eq!(models.len(), 1);
        assert!(tenure.read(|view| view.health_models()).unwrap().is_empty());
    }
}

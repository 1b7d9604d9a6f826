//! Health as it is read: where customers stand, and what an evaluation of them begins with.

use crate::domain::customer::CustomerId;
use crate::domain::derived::aged;
use crate::domain::facts::{Figure, FigureSource, Figures};
use crate::domain::health::{
    Grade, Health, HealthModelVersion, HealthRecord, HealthRecordId, HealthState, HealthStateId,
};
use crate::error::Result;
use crate::ops::health_models::HealthModels;
use crate::ops::health_overrides::HealthOverride;
use crate::page::{Cursor, Page};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use serde::Serialize;
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
    pub(crate) models: Rc<HealthModels>,
    pub(crate) state: Option<HealthState>,
}

/// The same of a page of customers, read at once.
pub(crate) struct HealthKnownPage {
    models: Rc<HealthModels>,
    states: BTreeMap<HealthStateId, HealthState>,
}

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
    /// # use tenure::{CustomerDraft, HealthComponent, HealthMetric};
    /// # use tenure::{HealthModel, HealthScope, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let metric = HealthMetric::higher("visits", 20.0, 1.0);
    /// # let model = HealthModel::of([HealthComponent::new("usage", 1.0).metric(metric)]);
    /// # let acme = tenure.write(|tx| {
    /// #     tx.define_health_model("visits", &model, &HealthScope::default(), 0)?;
    /// #     tx.create_customer(&CustomerDraft::named("Acme"))
    /// # })?.id;
    /// # let visits = |value| {
    /// #     tenure.write(|tx| {
    /// #         tx.record_metric(acme, "visits", value, tx.now())?;
    /// #         tx.score_health(acme)
    /// #     })
    /// # };
    /// visits(20.0)?;
    /// visits(15.0)?;
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
            let facts = self.facts_now(&known)?;
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
    /// # use tenure::{CustomerDraft, HealthComponent, HealthMetric};
    /// # use tenure::{HealthModel, HealthScope, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let metric = HealthMetric::higher("visits", 20.0, 1.0);
    /// # let model = HealthModel::of([HealthComponent::new("usage", 1.0).metric(metric)]);
    /// # let acme = tenure.write(|tx| {
    /// #     tx.define_health_model("visits", &model, &HealthScope::default(), 0)?;
    /// #     tx.create_customer(&CustomerDraft::named("Acme"))
    /// # })?.id;
    /// # let visits = |value| {
    /// #     tenure.write(|tx| {
    /// #         tx.record_metric(acme, "visits", value, tx.now())?;
    /// #         tx.score_health(acme)
    /// #     })
    /// # };
    /// visits(20.0)?;
    /// visits(15.0)?;
    /// visits(15.0)?;
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

    /// The figures that held of a customer at `at`: those that it was last scored by until then, and
    /// what the host measured since.
    pub(crate) fn health_figures_as_of(
        &self,
        customer: CustomerId,
        at: OffsetDateTime,
    ) -> Result<Figures> {
        let record = self.health_record_at(customer, at)?;
        let mut figures = record.map(|it| it.inputs).unwrap_or_default();
        for (name, reading) in aged(self.readings_as_of(customer, at)?, at).iter() {
            let is_older =
                |known: Figure| known.source == FigureSource::Derived || known.at > reading.at;
            if !figures.get(name).is_some_and(is_older) {
                figures.set(name.to_owned(), reading);
            }
        }
        Ok(figures)
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

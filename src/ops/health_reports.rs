//! Questions about health that change nothing: why, what if, what was, what would have been.

use crate::domain::customer::CustomerId;
use crate::domain::facts::{CustomerFacts, Figures};
use crate::domain::health::{
    Health, HealthExplanation, HealthModel, HealthRecord, HealthRecordId, HealthState, MetricShare,
};
use crate::error::{Error, Result};
use crate::ops::health::HealthScore;
use crate::page::{Cursor, Page};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use serde::Serialize;
use time::OffsetDateTime;

const CUSTOMER: Col = <HealthRecord as Stored>::TABLE.col("customer_id");
const CALCULATED_AT: Col = <HealthRecord as Stored>::TABLE.col("calculated_at");

/// By how much one metric moved a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MetricMove {
    /// The component.
    pub component: String,
    /// The metric.
    pub metric: String,
    /// What it was; none if that was not known.
    pub before: Option<f64>,
    /// What it was then.
    pub after: Option<f64>,
    /// By how many points the score moved with it. What is known of others matters too: where
    /// something becomes unknown, the rest counts for more.
    pub by: f64,
}

/// A sentence: `Logins per week went from 5 to 1: −6.0 points.`
impl std::fmt::Display for MetricMove {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.metric.replace('_', " ");
        let mut letters = name.chars();
        let first = letters.next().map(|it| it.to_uppercase().to_string()).unwrap_or_default();
        write!(f, "{first}{} ", letters.as_str())?;
        let short = |value: f64| ((value * 100.0).round() / 100.0).to_string();
        match (self.before.map(short), self.after.map(short)) {
            (Some(before), Some(after)) if before == after => write!(f, "stayed at {after}")?,
            (Some(before), Some(after)) => write!(f, "went from {before} to {after}")?,
            (Some(before), None) => write!(f, "was {before} and is not known any more")?,
            (None, Some(after)) => write!(f, "was not known and is {after}")?,
            (None, None) => write!(f, "is not known")?,
        }
        let sign = if self.by < 0.0 { "−" } else { "+" };
        write!(f, ": {sign}{:.1} points.", self.by.abs())
    }
}

/// What moved a score from one record to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HealthDifference {
    /// The score before.
    pub from: Option<u32>,
    /// The score after.
    pub to: Option<u32>,
    /// By how many points it moved, not rounded: what all the moves add up to.
    pub by: f64,
    /// Whether the two were computed by different models.
    pub model_changed: bool,
    /// The metrics that moved it, the greatest moves first.
    pub moves: Vec<MetricMove>,
}

/// A score that was kept, and what another model makes of the same figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HealthBackTest {
    /// The record.
    pub record_id: HealthRecordId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// As of when it was computed.
    #[serde(with = "time::serde::rfc3339")]
    pub calculated_at: OffsetDateTime,
    /// The score that was kept.
    pub was: Option<u32>,
    /// What the other model makes of it. What that one looks at and the model of then did not is
    /// not known here: see its [`coverage`](Health::coverage).
    pub would_be: Health,
}

impl View<'_> {
    /// Where the points of a customer's last score come from, and what would raise it most; none if
    /// it was never scored.
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
    /// let why = tenure.read(|view| view.explain_health(acme))?.unwrap();
    /// assert_eq!((why.shares[0].share, why.gains[0].gain), (75.0, 25.0));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn explain_health(&self, customer: CustomerId) -> Result<Option<HealthExplanation>> {
        self.customer(customer)?;
        let Some(record) = self.health_record_at(customer, self.now())? else { return Ok(None) };
        let model = self.health_model(record.model_id)?.model;
        Ok(Some(model.explain(&record.inputs, record.calculated_at)))
    }

    /// What the score of a customer would be if these `figures` were so and all others as they are.
    /// Nothing is kept, announced or told against what was before.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Figure, FigureSource, Figures, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let mut figures = Figures::default();
    /// let (at, source) = (tenure.now(), FigureSource::Host);
    /// figures.set("avg_csat", Figure { value: 5.0, at, source });
    /// let score = tenure.read(|view| view.simulate_health(acme, &figures))?;
    /// assert_eq!(score.health.components[2].score, Some(100));
    /// assert_eq!(tenure.read(|view| view.health(acme))?, None);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn simulate_health(&self, customer: CustomerId, figures: &Figures) -> Result<HealthScore> {
        let mut facts = self.facts_now(&self.customer(customer)?)?;
        for (name, figure) in figures.iter() {
            facts.figures.set(name.to_owned(), figure);
        }
        self.tried_health(&facts, self.now(), None)
    }

    /// What the score of a customer was at `at`, computed anew by the model that was in use then and
    /// from what was known then.
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
    /// let before = tenure.now() - time::Duration::DAY;
    /// assert_eq!(tenure.read(|view| view.health_as_of(acme, tenure.now()))?.score, Some(75));
    /// assert_eq!(tenure.read(|view| view.health_as_of(acme, before))?.score, None);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn health_as_of(&self, customer: CustomerId, at: OffsetDateTime) -> Result<HealthScore> {
        let at = crate::domain::instant::utc(at);
        let customer = self.customer(customer)?;
        let mut facts = self.facts_now(&customer)?;
        facts.as_of = at;
        facts.figures = self.health_figures_as_of(customer.id, at)?;
        self.tried_health(&facts, at, None)
    }

    /// A score by the model that was in use at `at`, kept nowhere.
    pub(crate) fn tried_health(
        &self,
        facts: &CustomerFacts,
        at: OffsetDateTime,
        state: Option<&HealthState>,
    ) -> Result<HealthScore> {
        let models = self.health_models_at(at)?;
        let model = models.of(facts);
        let health = model.model.score(&facts.figures, facts.as_of, None);
        let health = Health { alerts: Vec::new(), ..health };
        Ok(self.health_score(facts.customer_id, model, state, health))
    }

    /// Which metrics moved the score of a customer between two records, and by how much.
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
    /// let moved = tenure.read(|view| {
    ///     let history = view.health_history(acme, 2, None)?.items;
    ///     view.health_difference(history[1].id, history[0].id)
    /// })?;
    /// assert_eq!((moved.from, moved.to), (Some(100), Some(75)));
    /// assert_eq!((moved.moves[0].metric.as_str(), moved.moves[0].by), ("visits", -25.0));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Rule`] when they are not of one customer.
    pub fn health_difference(
        &self,
        from: HealthRecordId,
        to: HealthRecordId,
    ) -> Result<HealthDifference> {
        let (from, to) = (self.require::<HealthRecord>(from)?, self.require::<HealthRecord>(to)?);
        if from.customer_id != to.customer_id {
            return Err(Error::rule("the two records are of different customers"));
        }
        let explained = |record: &HealthRecord| {
            let model = self.health_model(record.model_id)?.model;
            Ok::<_, Error>(model.explain(&record.inputs, record.calculated_at))
        };
        let (before, after) = (explained(&from)?, explained(&to)?);
        let same = |a: &MetricShare, b: &MetricShare| {
            (&a.component, &a.metric) == (&b.component, &b.metric)
        };
        let difference =
            |one: &MetricShare, was: Option<&MetricShare>, is: Option<&MetricShare>| {
                let share = |it: Option<&MetricShare>| it.map_or(0.0, |it| it.share);
                MetricMove {
                    component: one.component.clone(),
                    metric: one.metric.clone(),
                    before: was.and_then(|it| it.value),
                    after: is.and_then(|it| it.value),
                    by: share(is) - share(was),
                }
            };
        let mut moves: Vec<MetricMove> = Vec::new();
        for was in &before.shares {
            moves.push(difference(was, Some(was), after.shares.iter().find(|is| same(was, is))));
        }
        for is in &after.shares {
            if !before.shares.iter().any(|was| same(was, is)) {
                moves.push(difference(is, None, Some(is)));
            }
        }
        moves.retain(|it| it.by != 0.0 || it.before != it.after);
        moves.sort_by(|a, b| b.by.abs().total_cmp(&a.by.abs()));
        Ok(HealthDifference {
            from: from.score,
            to: to.score,
            by: after.points - before.points,
            model_changed: from.model_hash != to.model_hash,
            moves,
        })
    }

    /// What another model makes of the figures that scores were computed from: those of one
    /// customer, or of all, newest first, a page at a time. Nothing is kept.
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
    /// let metric = HealthMetric::higher("visits", 30.0, 1.0);
    /// let strict = HealthModel::of([HealthComponent::new("usage", 1.0).metric(metric)]);
    /// let tests = tenure.read(|view| view.back_test_health(&strict, Some(acme), 10, None))?.items;
    /// assert_eq!((tests[0].was, tests[0].would_be.score), (Some(75), Some(50)));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] with every fault of the model, or when `limit` is not
    /// 1–1,000.
    pub fn back_test_health(
        &self,
        model: &HealthModel,
        customer: Option<CustomerId>,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<HealthBackTest>> {
        model.check()?;
        let query = match customer {
            Some(customer) => {
                self.customer(customer)?;
                Query::all().eq(CUSTOMER, &customer).newest_by(CALCULATED_AT)
            }
            None => Query::all().newest(),
        };
        let page = self.page::<HealthRecord>(query, limit, cursor)?;
        let test = |record: HealthRecord| HealthBackTest {
            record_id: record.id,
            customer_id: record.customer_id,
            calculated_at: record.calculated_at,
            was: record.score,
            would_be: model.score(&record.inputs, record.calculated_at, None),
        };
        Ok(Page { items: page.items.into_iter().map(test).collect(), next: page.next })
    }
}

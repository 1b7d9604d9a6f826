//! Health, computed and kept where it changed.

use crate::domain::customer::{Customer, CustomerId};
use crate::domain::facts::{CustomerFacts, Figure, FigureSource, names};
use crate::domain::health::{
    ComponentScores, Health, HealthModelVersion, HealthRecord, HealthState, PreviousHealth,
};
use crate::error::Result;
use crate::ops::health::{HealthKnown, HealthScore};
use crate::ops::health_overrides::HealthOverride;
use crate::tx::Tx;
use serde_json::json;

impl Tx<'_> {
    /// Scores a customer by what is known of it now. If the score, its components or the figures
    /// that it is computed from changed, a record of it is kept, the customer gets its new
    /// [`health_score`](Customer::health_score), and it is announced, with what somebody should
    /// hear of. Figures that only became older have not changed, unless they are too old now.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Tenure, UnscoredReason};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let score = tenure.write(|tx| tx.score_health(acme))?;
    /// assert_eq!(score.health.unscored.map(|why| why.reason), Some(UnscoredReason::NothingKnown));
    ///
    /// let score = tenure.write(|tx| {
    ///     for (name, value) in [("dau_mau_ratio", 0.5), ("feature_adoption", 0.7),
    ///         ("conversations_per_week", 100.0), ("logins_per_week", 2.0), ("avg_csat", 4.0),
    ///         ("nps_score", 9.0)]
    ///     {
    ///         tx.record_metric(acme, name, value, tx.now())?;
    ///     }
    ///     tx.score_health(acme)
    /// })?;
    /// assert_eq!(score.score, Some(77), "65.5 of 0.85 of the weight");
    /// assert_eq!(tenure.read(|view| view.customer(acme))?.health_score, Some(77));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound).
    pub fn score_health(&mut self, customer: CustomerId) -> Result<HealthScore> {
        let mut customer = self.view().customer(customer)?;
        let mut facts = self.view().facts_now(&customer)?;
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
        let print = model.model.fingerprint(&model.hash, &facts.figures, facts.as_of);
        let state = match state {
            Some(state) if state.record_id.is_some() && state.fingerprint == print => {
                model.model.compare(&mut health, Some(&state.previous()));
                health.alerts.clear();
                // As it was kept: of the days since a login only their parts have changed.
                health.score = state.score;
                health.grade = state.score.map(|score| model.model.grade(score));
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
        tell(facts, score.score);
        Ok(score)
    }

    /// Does the same for whoever wants to know no more than the score: where nothing has changed, it
    /// is not computed again.
    pub(crate) fn keep_health_score(
        &mut self,
        customer: &mut Customer,
        facts: &mut CustomerFacts,
        known: HealthKnown,
    ) -> Result<Option<u32>> {
        let model = known.models.of(facts);
        let print = model.model.fingerprint(&model.hash, &facts.figures, facts.as_of);
        let is_same = |it: &&HealthState| it.record_id.is_some() && it.fingerprint == print;
        let Some(state) = known.state.as_ref().filter(is_same) else {
            return Ok(self.keep_health(customer, facts, known)?.score);
        };
        customer.health_score = state.score;
        let overridden = HealthOverride::standing(state, self.now());
        let score = overridden.map(|it| it.score).or(state.score);
        tell(facts, score);
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

/// Tells the rules that come after the score that counts.
fn tell(facts: &mut CustomerFacts, score: Option<u32>) {
    let own = facts.figures.get(names::HEALTH_SCORE);
    if let Some(value) = score {
        let (value, at, source) = (f64::from(value), facts.as_of, FigureSource::Derived);
        facts.figures.set(names::HEALTH_SCORE, Figure { value, at, source });
    } else if own.is_some_and(|it| it.source == FigureSource::Derived) {
        // What it was before is not known to be so any more.
        facts.figures.remove(names::HEALTH_SCORE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::query::Query;
    use crate::{CustomerDraft, Error, Tenure, View};
    use time::OffsetDateTime;

    /// Evaluates everybody as a portfolio is evaluated, and tells how many records there are then.
    fn evaluate(tenure: &Tenure, customers: &[Customer], open_tickets: f64) -> usize {
        let score = |tx: &mut Tx<'_>| {
            let (first, last) = (customers.first().unwrap().id, customers.last().unwrap().id);
            let mut known = tx.view().health_known_of(first, last)?;
            for customer in customers {
                let mut customer = customer.clone();
                let mut facts = tx.view().facts_now(&customer)?;
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
        let kept = |view: &View<'_>| {
            let kept = view.all::<HealthModelVersion>(Query::all())?;
            Ok::<_, Error>((kept.len(), view.health_models()?.len()))
        };
        assert_eq!(tenure.read(kept).unwrap(), (1, 0));
    }
}

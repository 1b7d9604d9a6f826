//! Health scores, computed again from the figures that were kept of each.

use super::raw::Agreement;
use crate::domain::health::{HealthModelId, HealthModelVersion, HealthRecord, HealthState};
use crate::domain::validation::{Check, check_health};
use crate::error::Result;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

const STATE: Col = <HealthState as Stored>::TABLE.col("id");
/// By how much the points of a score may differ from the sum of their shares.
const POINTS: f64 = 1e-6;

/// The models that scores were computed by, and whether each is what its hash says.
type Models = BTreeMap<HealthModelId, Option<(HealthModelVersion, bool)>>;

impl View<'_> {
    /// The last score of every customer: kept when it was computed; computed again from the figures
    /// that were kept with it and taken apart into the shares of the metrics, and as the customer's
    /// own record tells it. No calibration is kept yet, so it is warned of.
    pub(super) fn health_check(&self) -> Result<Check> {
        let mut models = Models::new();
        let (mut follow, mut told) = (Agreement::default(), Agreement::default());
        self.each_customer_page(|view, page| {
            let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(()) };
            let states = view.of_customers::<HealthState>(STATE, first.id, last.id)?;
            let mut states: BTreeMap<_, _> = states.into_iter().map(|it| (it.id, it)).collect();
            for customer in page {
                let state = states.remove(&customer.id.into());
                let Some(state) = state.filter(|it| it.record_id.is_some()) else {
                    if customer.health_score.is_some() {
                        told.add(false);
                    }
                    continue;
                };
                told.add(customer.health_score == state.score);
                follow.add(view.follows(&state, &mut models)?);
            }
            Ok(())
        })?;
        let weights = models.values().flatten().map(|(version, _)| {
            let weights = version.model.components.iter().map(|it| it.weight);
            (version.name.as_str(), weights.collect::<Vec<f64>>())
        });
        let weights: Vec<(&str, Vec<f64>)> = weights.collect();
        let figures = [
            follow.figure("scores that follow from their figures"),
            told.figure("customers that tell their last score"),
        ];
        let figures = figures.into_iter().flatten().collect();
        Ok(check_health(&weights, None, figures, self.now(), &self.config().evidence))
    }

    /// Whether the last score of a customer follows from the figures that were kept with it.
    fn follows(&self, state: &HealthState, models: &mut Models) -> Result<bool> {
        let record = match state.record_id {
            Some(id) => self.get::<HealthRecord>(id)?,
            None => None,
        };
        let Some(record) = record else { return Ok(false) };
        let known = match models.entry(record.model_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                let version = self.get::<HealthModelVersion>(record.model_id)?;
                free.insert(version.map(|it| {
                    let is_whole = it.model.hash() == it.hash;
                    (it, is_whole)
                }))
            }
        };
        let Some((version, is_whole)) = known else { return Ok(false) };
        let model = &version.model;
        let health = model.score(&record.inputs, record.calculated_at, None);
        let shares = model.explain(&record.inputs, record.calculated_at).shares;
        let points: f64 = shares.iter().map(|it| it.share).sum();
        let adds_up = record.points.is_none_or(|kept| (kept - points).abs() <= POINTS);
        let scores = [record.score, state.score].iter().all(|it| *it == health.score);
        Ok(*is_whole && record.model_hash == version.hash && scores && adds_up)
    }
}

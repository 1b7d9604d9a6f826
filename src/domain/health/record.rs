//! What is kept of health: the models, every score that differed from the one before, and where a
//! customer stands.

use super::model::{Grade, HealthModel};
use super::result::{Health, HealthTrend, PreviousHealth};
use super::signs::{HealthOpportunity, RiskFactor};
use crate::domain::csv;
use crate::domain::customer::{CustomerId, CustomerKind, CustomerSize};
use crate::domain::facts::{CustomerFacts, Figures, names};
use crate::domain::text::{Code, Line};
use crate::hash::{fnv1a, mixed};
use crate::record::{id, noun};
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies one version of a health model.
    HealthModelId;
    /// Identifies a score that was kept.
    HealthRecordId;
    /// Identifies where a customer stands: the customer's own id.
    HealthStateId;
}

/// Which customers a model is for. Each list that is empty is for all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HealthScope {
    /// Only customers of these tiers.
    pub tiers: Vec<Code>,
    /// Only customers of these sizes; one whose size is not known has none of them.
    pub sizes: Vec<CustomerSize>,
    /// Only customers of these kinds.
    pub kinds: Vec<CustomerKind>,
}

impl HealthScope {
    /// Whether a customer is meant.
    #[must_use]
    pub fn applies(&self, tier: &Code, size: Option<CustomerSize>, kind: CustomerKind) -> bool {
        fn among<T: PartialEq>(list: &[T], it: Option<&T>) -> bool {
            list.is_empty() || it.is_some_and(|it| list.contains(it))
        }
        among(&self.tiers, Some(tier))
            && among(&self.sizes, size.as_ref())
            && among(&self.kinds, Some(&kind))
    }

    pub(crate) fn applies_to(&self, facts: &CustomerFacts) -> bool {
        self.applies(&facts.tier, facts.size, facts.kind)
    }
}

noun! {
    /// One version of a health model, kept for as long as scores were computed by it.
    pub struct HealthModelVersion(HealthModelId), "health model", "health models", "success" {
        /// Identifies the version.
        id: HealthModelId,
        /// What the model is called.
        name: Code => ["enterprise"],
        /// Counts the versions of the name, from 1; 0 is the model that comes with tenure.
        version: u32 => ["2"],
        /// What is looked at, how much it counts, and from where on it is remarkable.
        model: HealthModel,
        /// The hash of the model: equal for equal ones.
        hash: String => ["9ae16a3b2f90404f"],
        /// Which customers it is for.
        scope: HealthScope => ["{\"tiers\":[\"enterprise\"],\"sizes\":[],\"kinds\":[]}"],
        /// Of several that a customer is meant by, the greatest counts, then the first by name.
        priority: i64 => ["10"],
        /// When it was defined.
        created_at: OffsetDateTime,
        /// When it was taken out of use.
        retired_at: Option<OffsetDateTime>,
    }
    actions { define => defined, retire => retired }
}

/// The score of one component, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ComponentScore {
    /// What the component is called.
    pub name: String,
    /// 0–100; none if nothing was known of it.
    pub score: Option<u32>,
}

/// The scores of components by their names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ComponentScores(pub BTreeMap<String, u32>);

noun! {
    /// A score that was kept, because it or what it was computed from had changed.
    pub struct HealthRecord(HealthRecordId), "health record", "health records", "success" {
        /// Identifies the record.
        id: HealthRecordId,
        /// Whose health it is.
        customer_id: CustomerId,
        /// As of when it was computed.
        calculated_at: OffsetDateTime,
        /// The version of the model that it was computed by.
        model_id: HealthModelId,
        /// The hash of that model.
        model_hash: String => ["9ae16a3b2f90404f"],
        /// How well the customer was doing, 0–100; none if too little was known.
        score: Option<u32> => ["82"],
        /// The grade of the score.
        grade: Option<Grade> => ["A"],
        /// Where it was going.
        trend: Option<HealthTrend> => ["stable"],
        /// The score before, against which the trend is told.
        previous_score: Option<u32> => ["79"],
        /// What was known came to so much, with nothing rounded on the way.
        points: Option<f64> => ["81.6"],
        /// The share of weight that was known, 0–1.
        coverage: f64 => ["0.85"],
        /// The scores of its components.
        components: Vec<ComponentScore> => ["[{\"name\":\"support\",\"score\":92}]"],
        /// The figures that it was computed from, with their dates.
        inputs: Figures,
        /// What could go wrong.
        risk_factors: Vec<RiskFactor>,
        /// What could go better.
        opportunities: Vec<HealthOpportunity>,
    }
    relationships {
        customer: "customer" one "whose health it is",
        model: "health model" one "by which it was computed",
    }
}

noun! {
    /// How a customer is doing now: the last score that was kept, and what somebody knows better.
    pub struct HealthState(HealthStateId), "health", "health states", "success" {
        /// The customer's id.
        id: HealthStateId,
        /// The last record; none for a customer that was only overridden.
        record_id: Option<HealthRecordId>,
        /// The score that was computed last, 0–100; none if too little was known.
        score: Option<u32> => ["82"],
        /// The scores of its components.
        components: ComponentScores => ["{\"support\":92}"],
        /// The last score that was given before that one.
        previous_score: Option<u32> => ["79"],
        /// The scores of its components.
        previous_components: ComponentScores,
        /// Tells what it was computed from: model and figures.
        fingerprint: i64,
        /// The score that somebody gave instead, 0–100.
        override_score: Option<u32> => ["35"],
        /// Why.
        override_reason: Option<Line> => ["The sponsor has left."],
        /// Who.
        override_by: Option<String> => ["mia"],
        /// When.
        override_at: Option<OffsetDateTime>,
        /// Until when it counts: from then on it is as if it had not been given.
        override_until: Option<OffsetDateTime>,
    }
    relationships {
        customer: "customer" one "who is doing so",
        record: "health record" one "what it was computed from",
    }
    actions { score => scored, override => overridden, lift_override => override_lifted }
    events { alerted }
}

json_field!(
    HealthModel,
    HealthScope,
    ComponentScores,
    Vec<ComponentScore>,
    Vec<RiskFactor>,
    Vec<HealthOpportunity>,
);

csv::exported!(HealthRecord);

impl HealthModelId {
    /// The id of a version of a model: derived, so that it is found without a search.
    #[must_use]
    pub fn of(name: &Code, version: u32) -> Self {
        Self::derived(&format!("{name}#{version}"))
    }

    /// The id of the model that comes with tenure, whose hash this is.
    #[must_use]
    pub fn built_in(hash: &str) -> Self {
        Self::derived(&format!("#{hash}"))
    }

    fn derived(text: &str) -> Self {
        const SPACE: Uuid = Uuid::from_u128(0x1d5e_7001_5c3f_4f0a_9d3e_2f61_0c1b_a0e1);
        Self::from(Uuid::new_v5(&SPACE, text.as_bytes()))
    }
}

impl From<CustomerId> for HealthStateId {
    fn from(customer: CustomerId) -> Self {
        Self::from(customer.uuid())
    }
}

impl HealthRecord {
    /// What is kept of the components.
    pub(crate) fn component_scores(health: &Health) -> Vec<ComponentScore> {
        let scores = health.components.iter();
        scores.map(|it| ComponentScore { name: it.name.clone(), score: it.score }).collect()
    }
}

impl HealthState {
    /// Nothing is known yet of how the customer is doing.
    pub(crate) fn blank(customer: CustomerId) -> Self {
        Self {
            id: customer.into(),
            record_id: None,
            score: None,
            components: ComponentScores::default(),
            previous_score: None,
            previous_components: ComponentScores::default(),
            fingerprint: 0,
            override_score: None,
            override_reason: None,
            override_by: None,
            override_at: None,
            override_until: None,
        }
    }

    /// What the score that was computed last is told against.
    pub(crate) fn previous(&self) -> PreviousHealth {
        let components = self.previous_components.0.clone();
        PreviousHealth { score: self.previous_score, components }
    }

    /// What the next one is told against. One that was not given is passed over.
    pub(crate) fn latest(&self) -> PreviousHealth {
        let mut components = self.previous_components.0.clone();
        components.extend(self.components.0.iter().map(|(name, score)| (name.clone(), *score)));
        PreviousHealth { score: self.score.or(self.previous_score), components }
    }
}

/// The figures beside those of the model that health looks at.
const FURTHER: [&str; 6] = [
    names::DAYS_SINCE_LAST_LOGIN,
    names::OPEN_TICKETS,
    names::NPS_SCORE,
    names::FEATURE_ADOPTION,
    names::GROWTH_POTENTIAL,
    names::USAGE_VS_LIMIT,
];

impl HealthModel {
    /// Those of the figures that a score by this model looks at.
    pub(crate) fn inputs(&self, figures: &Figures) -> Figures {
        let mut inputs = Figures::default();
        let metrics = self.metrics().map(|(_, metric)| metric.name.as_str());
        for name in metrics.chain(FURTHER) {
            inputs.take_over(name, figures);
        }
        inputs
    }

    /// Tells the model, which has this hash, and what it makes of the figures from others, without
    /// computing the score. Dates count only where they make a figure too old: what was so before and
    /// is so now has not changed. Of the days since a login only those that have begun count, or every
    /// moment would be another.
    pub(crate) fn fingerprint(&self, hash: &str, figures: &Figures, as_of: OffsetDateTime) -> i64 {
        let values = self.metrics().flat_map(|(_, metric)| {
            let value = match self.known(metric, figures, as_of) {
                Some(days) if metric.name == names::DAYS_SINCE_LAST_LOGIN => Some(days.ceil()),
                value => value,
            };
            let bits = (value.unwrap_or(0.0) + 0.0).to_bits().to_le_bytes();
            std::iter::once(u8::from(value.is_some())).chain(bits)
        });
        // What is looked at beside the metrics counts by what follows from it.
        let (risks, chances) =
            (self.figure_risks(figures, as_of), self.opportunities(figures, as_of));
        let risks = risks.iter().flat_map(|it| it.kind.as_str().bytes());
        let chances = chances.iter().flat_map(|it| it.kind.as_str().bytes());
        mixed(fnv1a(hash.bytes().chain(values).chain(risks).chain(chances))).cast_signed()
    }
}

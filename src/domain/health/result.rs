//! What a score is made of, as it is reported.

use super::model::Grade;
use super::signs::{HealthAlert, HealthOpportunity, RiskFactor};
use crate::domain::facts::Figure;
use crate::record::words;
use serde::Serialize;
use std::collections::BTreeMap;
use time::OffsetDateTime;

words! {
    /// Where a score is going.
    pub enum HealthTrend {
        /// It rose by more than 5 points, unless the model says otherwise.
        Improving = "improving",
        /// Neither.
        Stable = "stable",
        /// It fell by more than 5 points.
        Declining = "declining",
    }
}

words! {
    /// Where the score of a component is going; the same bounds hold.
    pub enum ComponentTrend {
        /// Up.
        Up = "up",
        /// Neither.
        Stable = "stable",
        /// Down.
        Down = "down",
    }
}

words! {
    /// What is known of a metric.
    pub enum MetricState {
        /// Its figure.
        Known = "known",
        /// Only a figure that is too old to count.
        Stale = "stale",
        /// Nothing.
        Unknown = "unknown",
    }
}

words! {
    /// Why there is no score.
    pub enum UnscoredReason {
        /// Nothing of what is looked at is known.
        NothingKnown = "nothing_known",
        /// Less of it is known than the model wants.
        TooLittleKnown = "too_little_known",
        /// Something is not known without which the model gives no score.
        ComponentUnknown = "component_unknown",
    }
}

/// Why there is no score. It prints as a sentence.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Unscored {
    /// Why, in a word.
    pub reason: UnscoredReason,
    /// The share of weight that is known, 0–1.
    pub coverage: f64,
    /// The share that must be known, 0–1.
    pub needed: f64,
    /// The components of which something is not known that must be.
    pub components: Vec<String>,
}

impl std::fmt::Display for Unscored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.reason {
            UnscoredReason::NothingKnown => write!(f, "nothing is known that health looks at"),
            UnscoredReason::TooLittleKnown => write!(
                f,
                "{:.1} % of what health looks at is known, {:.1} % is needed",
                self.coverage * 100.0,
                self.needed * 100.0
            ),
            UnscoredReason::ComponentUnknown => {
                write!(f, "not all is known that must be of {}", self.components.join(", "))
            }
        }
    }
}

/// One metric of a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MetricHealth {
    /// The name of the figure.
    pub name: String,
    /// Its weight in the component, as the model has it.
    pub weight: f64,
    /// What is known of it.
    pub state: MetricState,
    /// The figure, also one that is too old.
    pub figure: Option<Figure>,
    /// What it earns, or stands in for it while it is not known, 0–100, not rounded; none if it is
    /// left out. By the formula of
    /// [`SourceCompatible`](super::HealthFormula::SourceCompatible), what is negative earns less than 0.
    pub points: Option<f64>,
    /// How many points of the whole score come from it.
    pub share: f64,
}

/// One component of a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ComponentHealth {
    /// What it is called.
    pub name: String,
    /// Its weight, as the model has it.
    pub weight: f64,
    /// Its score, 0–100, rounded half up; none if nothing of it is known and it is left out.
    pub score: Option<u32>,
    /// The score before it was rounded.
    pub points: Option<f64>,
    /// How many points of the whole score come from it.
    pub share: f64,
    /// Where it is going; none without a score now and before.
    pub trend: Option<ComponentTrend>,
    /// What it is the mean of.
    pub details: Vec<MetricHealth>,
}

/// How well a customer is doing, by one model, as of one instant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Health {
    /// 0–100; none if too little is known, see [`unscored`](Self::unscored).
    pub score: Option<u32>,
    /// The grade of the score.
    pub grade: Option<Grade>,
    /// Where it is going; none without a score now and before.
    pub trend: Option<HealthTrend>,
    /// Why there is no score.
    pub unscored: Option<Unscored>,
    /// What is known comes to so much, 0–100, however little it is. Rounded half up from the scores
    /// of the components, which are rounded themselves.
    pub total: Option<u32>,
    /// The same with nothing rounded on the way.
    pub points: Option<f64>,
    /// The share of weight that is known, 0–1.
    pub coverage: f64,
    /// What it is made of.
    pub components: Vec<ComponentHealth>,
    /// What may go wrong.
    pub risk_factors: Vec<RiskFactor>,
    /// What may go better.
    pub opportunities: Vec<HealthOpportunity>,
    /// What somebody should hear of now: only against what was before.
    pub alerts: Vec<HealthAlert>,
    /// As of when.
    #[serde(with = "time::serde::rfc3339")]
    pub calculated_at: OffsetDateTime,
}

/// The calculation before, which trends and alerts are told against.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PreviousHealth {
    /// The last score that was given.
    pub score: Option<u32>,
    /// The scores of its components.
    pub components: BTreeMap<String, u32>,
}

impl From<u32> for PreviousHealth {
    fn from(score: u32) -> Self {
        Self { score: Some(score), ..Self::default() }
    }
}

impl From<&Health> for PreviousHealth {
    fn from(health: &Health) -> Self {
        let scored = |it: &ComponentHealth| Some((it.name.clone(), it.score?));
        let components = health.components.iter().filter_map(scored).collect();
        Self { score: health.score, components }
    }
}

impl MetricHealth {
    /// The value that counts; none of what is unknown or too old.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.figure.filter(|_| self.state == MetricState::Known).map(|figure| figure.value)
    }
}

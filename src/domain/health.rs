//! Health: how well a customer is doing, 0–100, and why.
//!
//! A [`HealthModel`] says what is looked at: components, each a weighted mean of metrics, each of
//! which earns 0–100 points. [`HealthModel::score`] applies it to what is known of a customer. What
//! is not known is left out and the rest counts for more; where too little is known there is no
//! score. Scores are rounded half up, and exactly so (`exact.rs`).

mod exact;
mod explain;
mod model;
mod record;
mod result;
mod score;
mod signs;
mod validate;

pub use explain::{HealthExplanation, MetricGain, MetricShare};
pub use model::{
    Grade, GradeThresholds, HealthComponent, HealthFormula, HealthMetric, HealthModel,
    HealthThresholds, MetricDirection, UnknownPolicy,
};
pub use record::{
    ComponentScore, ComponentScores, HealthModelId, HealthModelVersion, HealthRecord,
    HealthRecordId, HealthScope, HealthState, HealthStateId,
};
pub use result::{
    ComponentHealth, ComponentTrend, Health, HealthTrend, MetricHealth, MetricState,
    PreviousHealth, Unscored, UnscoredReason,
};
pub use signs::{
    DROPPED_20, HealthAlert, HealthAlertKind, HealthAlertSeverity, HealthOpportunity,
    HealthOpportunityKind, RiskFactor, RiskFactorKind,
};

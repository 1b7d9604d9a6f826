//! What a score and its figures tell beside the number: risks, chances, alarms.

use super::model::{Grade, HealthModel};
use super::result::{ComponentTrend, Health, PreviousHealth};
use crate::domain::facts::{Figures, names};
use crate::record::words;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

words! {
    /// What may go wrong.
    pub enum RiskFactorKind {
        /// The score of a component is low.
        ComponentLow = "component_low",
        /// The score of a component fell.
        ComponentDeclining = "component_declining",
        /// Nobody has logged in for days.
        NoLogin = "no_login",
        /// Many tickets are open.
        OpenTickets = "open_tickets",
        /// The customer would not recommend the product.
        NpsDetractor = "nps_detractor",
    }
}

words! {
    /// What may go better.
    pub enum HealthOpportunityKind {
        /// Much of the product is not in use yet.
        Training = "training",
        /// The customer would recommend the product.
        Advocacy = "advocacy",
        /// It is likely to grow.
        Expansion = "expansion",
        /// A limit is nearly used up.
        Upgrade = "upgrade",
    }
}

words! {
    /// What somebody should hear of.
    pub enum HealthAlertKind {
        /// The score fell by much at once.
        HealthScoreDrop = "health_score_drop",
        /// The grade came down to D or F, or began there.
        CustomerAtRisk = "customer_at_risk",
    }
}

words! {
    /// How urgent it is.
    pub enum HealthAlertSeverity {
        /// Soon.
        High = "high",
        /// Now.
        Critical = "critical",
    }
}

/// The occasion that others wait for: the score fell by 20 points or more.
pub const DROPPED_20: &str = "health_score_dropped_20";
const GREAT_DROP: u32 = 20;

/// A reason to worry, with its figures. It prints as a sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RiskFactor {
    /// Which.
    pub kind: RiskFactorKind,
    /// The component that it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub component: Option<String>,
    /// How much it is.
    pub value: f64,
    /// The bound that it crossed; for a decline, how many points it may fall.
    pub threshold: f64,
    /// How much it was, for a decline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<f64>,
}

/// A chance, with its figures. It prints as a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HealthOpportunity {
    /// Which.
    pub kind: HealthOpportunityKind,
    /// How much it is.
    pub value: f64,
    /// The bound that it crossed.
    pub threshold: f64,
}

/// What somebody should hear of, with its figures. It prints as a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HealthAlert {
    /// Which.
    pub kind: HealthAlertKind,
    /// How urgent it is.
    pub severity: HealthAlertSeverity,
    /// The score now.
    pub score: u32,
    /// Its grade.
    pub grade: Grade,
    /// The score before.
    pub before: Option<u32>,
    /// By how many points it fell; 0 if it did not.
    pub drop: u32,
}

/// Whether a figure lies beyond a bound.
type Crosses = fn(f64, f64) -> bool;

impl HealthAlert {
    /// The occasion that workflows wait for, if the score fell by 20 points or more.
    #[must_use]
    pub fn occasion(&self) -> Option<&'static str> {
        let is_drop = self.kind == HealthAlertKind::HealthScoreDrop;
        (is_drop && self.drop >= GREAT_DROP).then_some(DROPPED_20)
    }
}

impl HealthModel {
    /// The risks that single figures show.
    pub(super) fn figure_risks(&self, figures: &Figures, as_of: OffsetDateTime) -> Vec<RiskFactor> {
        use RiskFactorKind::{NoLogin, NpsDetractor, OpenTickets};
        let it = &self.thresholds;
        let risk = |kind, name, crosses: Crosses, threshold| {
            let value = self.fresh(name, figures, as_of);
            let value = value.filter(|value| crosses(*value, threshold))?;
            Some(RiskFactor { kind, component: None, value, threshold, before: None })
        };
        let (login, tickets) = (names::DAYS_SINCE_LAST_LOGIN, names::OPEN_TICKETS);
        let risks = [
            risk(NoLogin, login, |a, b| a > b, it.days_without_login_over),
            risk(OpenTickets, tickets, |a, b| a > b, it.open_tickets_over),
            risk(NpsDetractor, names::NPS_SCORE, |a, b| a <= b, it.nps_at_most),
        ];
        risks.into_iter().flatten().collect()
    }

    /// The risks that the scores of components show, now and against what was before.
    pub(super) fn component_risks(
        &self,
        health: &Health,
        previous: Option<&PreviousHealth>,
    ) -> Vec<RiskFactor> {
        let low = self.thresholds.component_below;
        let mut factors = Vec::new();
        for component in &health.components {
            let Some(score) = component.score else { continue };
            let factor = |kind, threshold, before: Option<u32>| RiskFactor {
                kind,
                component: Some(component.name.clone()),
                value: f64::from(score),
                threshold: f64::from(threshold),
                before: before.map(f64::from),
            };
            if score < low {
                factors.push(factor(RiskFactorKind::ComponentLow, low, None));
            }
            if component.trend == Some(ComponentTrend::Down) {
                let before = previous.and_then(|it| it.components.get(&component.name)).copied();
                let declining = RiskFactorKind::ComponentDeclining;
                factors.push(factor(declining, self.trend_over, before));
            }
        }
        factors
    }

    /// The chances that single figures show.
    pub(super) fn opportunities(
        &self,
        figures: &Figures,
        as_of: OffsetDateTime,
    ) -> Vec<HealthOpportunity> {
        use HealthOpportunityKind::{Advocacy, Expansion, Training, Upgrade};
        let it = &self.thresholds;
        let figure = |name| self.fresh(name, figures, as_of);
        let chance = |kind, value: Option<f64>, crosses: Crosses, threshold| {
            let value = value.filter(|value| crosses(*value, threshold))?;
            Some(HealthOpportunity { kind, value, threshold })
        };
        let adoption = figure(names::FEATURE_ADOPTION);
        let nps = figure(names::NPS_SCORE);
        let chances = [
            chance(Training, adoption, |value, bound| value < bound, it.adoption_below),
            chance(Advocacy, nps, |value, bound| value >= bound, it.nps_at_least),
            chance(Expansion, figure(names::GROWTH_POTENTIAL), |a, b| a > b, it.growth_over),
            chance(Upgrade, figure(names::USAGE_VS_LIMIT), |a, b| a > b, it.usage_over),
        ];
        chances.into_iter().flatten().collect()
    }

    pub(super) fn alerts(&self, score: u32, before: Option<u32>) -> Vec<HealthAlert> {
        let grade = self.grade(score);
        let drop = before.map_or(0, |before| before.saturating_sub(score));
        let alert = |kind, severity| HealthAlert { kind, severity, score, grade, before, drop };
        let mut alerts = Vec::new();
        if drop > self.thresholds.drop_over {
            alerts.push(alert(HealthAlertKind::HealthScoreDrop, HealthAlertSeverity::High));
        }
        // Grades sort from the best down.
        let came_down = before.is_none_or(|before| self.grade(before) < grade);
        if grade >= Grade::D && came_down {
            alerts.push(alert(HealthAlertKind::CustomerAtRisk, HealthAlertSeverity::Critical));
        }
        alerts
    }
}

impl std::fmt::Display for RiskFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (value, threshold) = (self.value, self.threshold);
        let component = self.component.as_deref().unwrap_or("a component");
        match self.kind {
            RiskFactorKind::ComponentLow => {
                write!(f, "{component} is at {value}, below {threshold}")
            }
            RiskFactorKind::ComponentDeclining => match self.before {
                Some(before) => write!(f, "{component} fell from {before} to {value}"),
                None => write!(f, "{component} fell to {value}"),
            },
            RiskFactorKind::NoLogin => write!(f, "no login for {value:.0} days"),
            RiskFactorKind::OpenTickets => write!(f, "{value} tickets are open"),
            RiskFactorKind::NpsDetractor => write!(f, "the last NPS answer was {value}"),
        }
    }
}

impl std::fmt::Display for HealthOpportunity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (value, percent) = (self.value, self.value * 100.0);
        match self.kind {
            HealthOpportunityKind::Training => {
                write!(f, "{percent:.0} % of the features are in use: training")
            }
            HealthOpportunityKind::Advocacy => {
                write!(f, "the last NPS answer was {value}: an advocate")
            }
            HealthOpportunityKind::Expansion => {
                write!(f, "the potential to grow is {percent:.0} %: expansion")
            }
            HealthOpportunityKind::Upgrade => {
                write!(f, "{percent:.0} % of a limit is used up: an upgrade")
            }
        }
    }
}

impl std::fmt::Display for HealthAlert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, score, grade, drop, .. } = self;
        match kind {
            HealthAlertKind::HealthScoreDrop => {
                write!(f, "the health score fell by {drop} points to {score}")
            }
            HealthAlertKind::CustomerAtRisk => write!(f, "the health score is {score}: {grade}"),
        }
    }
}

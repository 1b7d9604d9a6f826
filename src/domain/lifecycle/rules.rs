//! The thresholds of the journey.

use crate::error::{Faults, Result};
use serde::{Deserialize, Serialize};

/// The thresholds of the journey's rules. Health is 0–100, an answer to "would you recommend us"
/// 0–10; days are of 24 hours, parts of one count.
///
/// ```
/// use tenure::LifecycleRules;
///
/// let mut rules = LifecycleRules::default();
/// assert!(rules.check().is_ok());
/// rules.recovered_health = 30.0;
/// assert_eq!(rules.check().unwrap_err().faults()[0].field, "recoveredHealth");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LifecycleRules {
    /// Below this health a customer is at risk: 40.
    pub at_risk_health: f64,
    /// With more days than this since the last login it is at risk: 14.
    pub login_days_max: f64,
    /// With more open tickets of high severity than this it is at risk: 2.
    pub severe_tickets_max: f64,
    /// An answer of this or less is a detractor's: 6.
    pub detractor_max: f64,
    /// How much of the onboarding must be done to be adopting, in percent: 80.
    pub onboarded_percent: f64,
    /// Onboarding that takes more days than this and is not far is stalled: 30.
    pub onboarding_days: f64,
    /// Below this it is not far, in percent: 50.
    pub stalled_percent: f64,
    /// From this health on the product is adopted: 70.
    pub adopted_health: f64,
    /// After more days than this as a customer: 90.
    pub adoption_days: f64,
    /// That many days before a renewal it is prepared: 60.
    pub renewal_days: f64,
    /// An answer of this or more is a promoter's: 9.
    pub promoter_min: f64,
    /// From this health on a promoter is asked to recommend the product: 80.
    pub advocate_health: f64,
    /// Below this it is no longer: 70.
    pub advocate_health_min: f64,
    /// After that many days an expansion is no longer waited for: 30.
    pub expansion_days: f64,
    /// From this health on a customer that was at risk has recovered: 60.
    pub recovered_health: f64,
    /// What the host measured more days ago than this is not known any more: 92.
    pub figure_days_max: f64,
}

impl Default for LifecycleRules {
    fn default() -> Self {
        Self {
            at_risk_health: 40.0,
            login_days_max: 14.0,
            severe_tickets_max: 2.0,
            detractor_max: 6.0,
            onboarded_percent: 80.0,
            onboarding_days: 30.0,
            stalled_percent: 50.0,
            adopted_health: 70.0,
            adoption_days: 90.0,
            renewal_days: 60.0,
            promoter_min: 9.0,
            advocate_health: 80.0,
            advocate_health_min: 70.0,
            expansion_days: 30.0,
            recovered_health: 60.0,
            figure_days_max: 92.0,
        }
    }
}

impl LifecycleRules {
    /// Checks that each threshold lies in its range, and that none contradicts another so that a
    /// customer would go to and fro between two stages.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`](crate::Error::Invalid) with every fault.
    pub fn check(&self) -> Result<()> {
        const DAYS_MAX: f64 = 36_500.0;
        let mut faults = Faults::default();
        let mut range = |field: &str, value: f64, most: f64, rule: &'static str| {
            if !(0.0..=most).contains(&value) {
                faults.add(field, &value.to_string(), rule);
            }
        };
        for (field, value) in [
            ("atRiskHealth", self.at_risk_health),
            ("onboardedPercent", self.onboarded_percent),
            ("stalledPercent", self.stalled_percent),
            ("adoptedHealth", self.adopted_health),
            ("advocateHealth", self.advocate_health),
            ("advocateHealthMin", self.advocate_health_min),
            ("recoveredHealth", self.recovered_health),
        ] {
            range(field, value, 100.0, "must be 0–100");
        }
        for (field, value) in
            [("detractorMax", self.detractor_max), ("promoterMin", self.promoter_min)]
        {
            range(field, value, 10.0, "must be 0–10");
        }
        for (field, value) in [
            ("loginDaysMax", self.login_days_max),
            ("onboardingDays", self.onboarding_days),
            ("adoptionDays", self.adoption_days),
            ("renewalDays", self.renewal_days),
            ("expansionDays", self.expansion_days),
            ("figureDaysMax", self.figure_days_max),
        ] {
            range(field, value, DAYS_MAX, "must be 0–36,500 days");
        }
        range("severeTicketsMax", self.severe_tickets_max, 1e9, "must not be negative");
        for (field, least, most, rule) in [
            (
                "recoveredHealth",
                self.at_risk_health,
                self.recovered_health,
                "must not be below atRiskHealth",
            ),
            (
                "advocateHealth",
                self.advocate_health_min,
                self.advocate_health,
                "must not be below advocateHealthMin",
            ),
            (
                "onboardedPercent",
                self.stalled_percent,
                self.onboarded_percent,
                "must not be below stalledPercent",
            ),
            ("expansionDays", f64::MIN_POSITIVE, self.expansion_days, "must be more than 0"),
        ] {
            if most < least {
                faults.add(field, &most.to_string(), rule);
            }
        }
        if self.promoter_min <= self.detractor_max {
            faults.add("promoterMin", &self.promoter_min.to_string(), "must be above detractorMax");
        }
        faults.check()
    }
}

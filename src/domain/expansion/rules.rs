//! The numbers by which expansion is judged.

use super::ExpansionSignalKind as Kind;
use crate::domain::decimal::{MILLION, parts};
use crate::domain::money::Currency;
use crate::error::{Faults, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most that a weight, a threshold or a share can be.
const MOST: f64 = 1e6;

/// How much a signal counts, and from where on it is one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalRule {
    /// Its weight, 0–1,000,000, to six decimals.
    pub weight: f64,
    /// The figure beyond which it is there, within ±1,000,000.
    pub threshold: f64,
}

/// The numbers by which expansion is judged.
///
/// ```
/// use tenure::{ExpansionRules, ExpansionSignalKind};
///
/// let mut rules = ExpansionRules::default();
/// if let Some(growth) = rules.signals.get_mut(&ExpansionSignalKind::TeamGrowth) {
///     growth.threshold = 0.1; // a tenth is enough
/// }
/// rules.check()?;
/// rules.upsell_share = f64::NAN;
/// assert_eq!(rules.check().unwrap_err().faults()[0].field, "upsellShare");
/// # Ok::<_, tenure::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ExpansionRules {
    /// The signals that are looked at; one that is not listed is none, and weighs nothing.
    pub signals: BTreeMap<Kind, SignalRule>,
    /// What the next tier would bring, as a share of the present MRR, 0–1,000,000: 0.5.
    pub upsell_share: f64,
    /// What a feature would bring, in major units of the currency: 50.
    pub feature_value: u32,
    /// The currency of what features would bring; unless named, that of the customer's MRR.
    pub report_currency: Option<Currency>,
    /// Whether signals that are no hurry offer the next tier: they do.
    pub offers_on_goodwill: bool,
    /// For how many days what was lost is not offered again: 90.
    pub rest_after_loss_days: u32,
    /// For how many days what was won is not offered again, so that the figures can follow: 30.
    pub rest_after_win_days: u32,
}

/// Each signal with its weight and threshold.
const SIGNALS: [(Kind, f64, f64); 7] = [
    (Kind::ApproachingLimit, 0.9, 0.8),
    (Kind::FeatureAttempts, 0.8, 3.0),
    (Kind::HighEngagement, 0.6, 80.0),
    (Kind::TeamGrowth, 0.7, 0.2),
    (Kind::SuccessMetrics, 0.7, 0.0),
    (Kind::NpsPromoter, 0.5, 9.0),
    (Kind::RenewalApproaching, 0.4, 60.0),
];

impl Default for ExpansionRules {
    fn default() -> Self {
        let rule = |(kind, weight, threshold)| (kind, SignalRule { weight, threshold });
        Self {
            signals: SIGNALS.into_iter().map(rule).collect(),
            upsell_share: 0.5,
            feature_value: 50,
            report_currency: None,
            offers_on_goodwill: true,
            rest_after_loss_days: 90,
            rest_after_win_days: 30,
        }
    }
}

impl ExpansionRules {
    /// Whether they can be used.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`](crate::Error::Invalid) with every number that is none or out of range, and when no signal weighs
    /// anything.
    pub fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        for (kind, rule) in &self.signals {
            share(&format!("signals.{kind}.weight"), rule.weight, &mut faults);
            if !(-MOST..=MOST).contains(&rule.threshold) {
                let field = format!("signals.{kind}.threshold");
                faults.add(field, &rule.threshold.to_string(), "must be within ±1,000,000");
            }
        }
        share("upsellShare", self.upsell_share, &mut faults);
        if self.signals.values().all(|rule| rule.millionths() == 0) {
            faults.add("signals", "", "must have one that weighs something");
        }
        faults.check()
    }
}

impl SignalRule {
    /// Its weight in millionths; nothing for what is no weight.
    pub(super) fn millionths(&self) -> i128 {
        parts(self.weight.clamp(0.0, MOST), MILLION).unwrap_or(0)
    }
}

fn share(field: &str, value: f64, faults: &mut Faults) {
    if !(0.0..=MOST).contains(&value) {
        faults.add(field, &value.to_string(), "must be 0–1,000,000");
    }
}

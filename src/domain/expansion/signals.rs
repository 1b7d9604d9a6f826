//! The signals that speak for an expansion, read from a customer's facts.

use super::ExpansionSignalKind as Kind;
use super::rules::ExpansionRules;
use crate::domain::decimal::half_up;
use crate::domain::facts::{CustomerFacts, names};
use serde::{Deserialize, Serialize};

/// A signal that is there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ExpansionSignal {
    /// Which one.
    pub kind: Kind,
    /// How much it counts.
    pub weight: f64,
    /// The figure that was found, in the unit of its kind.
    pub value: f64,
    /// The figure beyond which it is there.
    pub threshold: f64,
}

/// What speaks for an expansion, and how probable that makes it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ExpansionSignals {
    /// The signals that are there.
    pub triggered: Vec<ExpansionSignal>,
    /// Their weight by the weight of all, 0–1, to two decimals, halves rounded up.
    pub probability: f64,
}

impl ExpansionSignals {
    /// The signal of this kind, if it is there.
    #[must_use]
    pub fn get(&self, kind: Kind) -> Option<ExpansionSignal> {
        self.triggered.iter().find(|it| it.kind == kind).copied()
    }
}

/// What speaks for an expansion. What is not known does not.
///
/// ```
/// use tenure::domain::expansion::{ExpansionRules, signals};
/// use tenure::domain::facts::{CustomerFacts, Figure, FigureSource, names};
/// use time::OffsetDateTime;
///
/// let at = OffsetDateTime::UNIX_EPOCH;
/// let mut facts = CustomerFacts::new(uuid::Uuid::nil().into(), "pro".parse()?, at, at);
/// let mut know = |name, value| {
///     facts.figures.set(name, Figure { value, at, source: FigureSource::Host });
/// };
/// know(names::USAGE_VS_LIMIT, 0.95);
/// know(names::NPS_SCORE, 8.0); // no promoter
/// let found = signals(&facts, &ExpansionRules::default());
/// assert_eq!(found.triggered.len(), 1);
/// assert_eq!(found.probability, 0.2); // 0.9 of 4.6
/// # Ok::<_, tenure::Malformed>(())
/// ```
#[must_use]
pub fn signals(facts: &CustomerFacts, rules: &ExpansionRules) -> ExpansionSignals {
    let mut found = ExpansionSignals::default();
    let (mut there, mut all) = (0_i128, 0_i128);
    for (kind, rule) in &rules.signals {
        all = all.saturating_add(rule.millionths());
        let value = figure(*kind, facts).filter(|it| is_beyond(*kind, *it, rule.threshold));
        if let Some(value) = value {
            there = there.saturating_add(rule.millionths());
            let (weight, threshold) = (rule.weight, rule.threshold);
            found.triggered.push(ExpansionSignal { kind: *kind, weight, value, threshold });
        }
    }
    let percent = half_up(there.saturating_mul(100), all).unwrap_or(0).clamp(0, 100);
    found.probability = f64::from(u8::try_from(percent).unwrap_or(0)) / 100.0;
    found
}

/// The figure that a signal is read from, if it is known.
fn figure(kind: Kind, facts: &CustomerFacts) -> Option<f64> {
    match kind {
        Kind::ApproachingLimit => facts.figure(names::USAGE_VS_LIMIT),
        Kind::FeatureAttempts => Some(attempts(facts)),
        Kind::HighEngagement => facts.figure(names::ENGAGEMENT_SCORE),
        Kind::TeamGrowth => facts.figure(names::TEAM_GROWTH),
        Kind::SuccessMetrics => facts.figure(names::OUTCOMES_ABOVE_TARGET),
        Kind::NpsPromoter => facts.figure(names::NPS_SCORE),
        // One that is past does not approach.
        Kind::RenewalApproaching => {
            facts.contract.renewal_at.map(|at| facts.days_until(at)).filter(|days| *days >= 0.0)
        }
    }
}

/// How often features were refused.
#[expect(clippy::cast_precision_loss, reason = "it is compared with a handful")]
fn attempts(facts: &CustomerFacts) -> f64 {
    facts.blocked.values().fold(0_u64, |sum, count| sum.saturating_add(*count)) as f64
}

/// Whether the figure of a signal makes it one. NaN never does.
fn is_beyond(kind: Kind, value: f64, threshold: f64) -> bool {
    match kind {
        Kind::NpsPromoter => value >= threshold,
        Kind::RenewalApproaching => value <= threshold,
        _ => value > threshold,
    }
}

#[cfg(test)]
mod tests;

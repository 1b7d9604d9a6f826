//! The score of a lead, and what it was computed from.

use crate::domain::customer::CustomerId;
use crate::domain::decimal::{MILLION, half_up, parts};
use crate::domain::text::Code;
use crate::error::{Faults, Result};
use crate::record::{id, noun};
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// The most that a weight can be.
const WEIGHT_MAX: f64 = 1e6;
/// The most factors that there can be.
const FACTORS_MAX: usize = 100;

/// How much each factor counts.
const WEIGHTS: [(&str, f64); 7] = [
    ("budget", 20.0),
    ("need", 20.0),
    ("authority", 15.0),
    ("timeline", 15.0),
    ("engagement", 15.0),
    ("size", 10.0),
    ("industry", 5.0),
];

id! {
    /// Identifies a score that a lead had.
    LeadScoreId;
}

/// Something that makes a lead good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LeadFactor {
    /// What it is called.
    pub factor: Code,
    /// How much it counts against the others.
    pub weight: f64,
    /// How good the lead is in it, 0–100.
    pub value: f64,
}

json_field!(Vec<LeadFactor>);

impl LeadFactor {
    /// A factor of this weight and value.
    #[must_use]
    pub const fn new(factor: Code, weight: f64, value: f64) -> Self {
        Self { factor, weight, value }
    }
}

noun! {
    /// How good a lead was at an instant. A new one is kept whenever something of it changes.
    pub struct LeadScore(LeadScoreId), "lead score", "lead scores", "crm" {
        /// Identifies the score.
        id: LeadScoreId,
        /// Whose it is.
        customer_id: CustomerId,
        /// How good it is, 0–100.
        score: u32 => ["72"],
        /// What it was computed from: the factors that were known.
        factors: Vec<LeadFactor> => ["[{\"factor\":\"budget\",\"weight\":20.0,\"value\":100.0}]"],
        /// When it was computed.
        calculated_at: OffsetDateTime,
    }
    relationships { customer: "customer" one "whose it is" }
    events { calculated }
}

/// Which factors make the score of a lead, and how much each counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LeadRules {
    /// The weight of each factor, 0–1,000,000, to six decimals; at most 100 factors.
    pub weights: BTreeMap<Code, f64>,
}

impl Default for LeadRules {
    fn default() -> Self {
        let weight = |(factor, weight)| Some((Code::parse(factor).ok()?, weight));
        Self { weights: WEIGHTS.into_iter().filter_map(weight).collect() }
    }
}

impl LeadRules {
    /// Whether they can be used.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`](crate::Error::Invalid) with every weight that is none, and when there are
    /// too many or none that weighs anything.
    pub fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        for (factor, weight) in &self.weights {
            if !(0.0..=WEIGHT_MAX).contains(weight) {
                let field = format!("weights.{factor}");
                faults.add(field, &weight.to_string(), "must be 0–1,000,000");
            }
        }
        if self.weights.len() > FACTORS_MAX || self.weights.values().all(|it| millionths(*it) == 0)
        {
            let count = self.weights.len().to_string();
            faults.add("weights", &count, "must be at most 100, one of which weighs something");
        }
        faults.check()
    }

    /// The factors of which a value is known, by name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`](crate::Error::Invalid) with every value that is not 0–100 or of a factor
    /// that there is not.
    pub(crate) fn factors(&self, values: &LeadValues) -> Result<Vec<LeadFactor>> {
        let mut faults = Faults::default();
        for (factor, value) in &values.0 {
            let field = || format!("values.{factor}");
            if !(0.0..=100.0).contains(value) {
                faults.add(field(), &value.to_string(), "must be 0–100");
            }
            if !self.weights.contains_key(factor.as_str()) {
                faults.add(field(), factor, "is no factor that has a weight");
            }
        }
        faults.check()?;
        let factor = |(factor, weight): (&Code, &f64)| {
            let value = *values.0.get(factor.as_str())?;
            Some(LeadFactor::new(factor.clone(), *weight, value))
        };
        Ok(self.weights.iter().filter_map(factor).collect())
    }
}

/// What is known of a lead, by factor.
///
/// ```
/// let values = tenure::LeadValues::default().set("size", 80.0).set("industry", 100.0);
/// # let _ = values;
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeadValues(BTreeMap<String, f64>);

impl LeadValues {
    /// With the value of a factor, 0–100.
    #[must_use]
    pub fn set(mut self, factor: impl Into<String>, value: f64) -> Self {
        self.0.insert(factor.into(), value);
        self
    }

    /// With the value of a factor unless there is one already.
    pub(crate) fn or(&mut self, factor: &str, value: f64) {
        self.0.entry(factor.to_owned()).or_insert(value);
    }
}

/// The score of a lead of which these factors are known: `round(Σ weight × value ÷ Σ weight)`,
/// halves up, exactly, with weights and values to six decimals. None when nothing that weighs
/// anything is known. What is no number, or out of range, is left out or taken to the end of it.
///
/// ```
/// use tenure::domain::lead::{LeadFactor, lead_score};
///
/// let factor = |name: &str, weight, value| Ok(LeadFactor::new(name.parse()?, weight, value));
/// let factors = [factor("budget", 0.1, 100.0)?, factor("need", 0.7, 72.0)?];
/// assert_eq!(lead_score(&factors), Some(76)); // 75.5
/// assert_eq!(lead_score(&[]), None);
/// # Ok::<_, tenure::Malformed>(())
/// ```
#[must_use]
pub fn lead_score(factors: &[LeadFactor]) -> Option<u32> {
    let (mut sum, mut weights) = (0_i128, 0_i128);
    for factor in factors.iter().filter(|it| !it.value.is_nan()) {
        let weight = millionths(factor.weight);
        let value = parts(factor.value.clamp(0.0, 100.0), MILLION)?;
        weights = weights.checked_add(weight)?;
        sum = sum.checked_add(weight.checked_mul(value)?)?;
    }
    let score = half_up(sum, weights.checked_mul(1_000_000)?)?;
    u32::try_from(score).ok()
}

fn millionths(weight: f64) -> i128 {
    parts(weight.clamp(0.0, WEIGHT_MAX), MILLION).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn factors(known: &[(f64, f64)]) -> Vec<LeadFactor> {
        let name: Code = "x".parse().unwrap();
        known.iter().map(|(weight, value)| LeadFactor::new(name.clone(), *weight, *value)).collect()
    }

    #[test]
    fn ties_are_rounded_up_exactly() {
        for (known, score) in [
            (vec![(1.0, 0.0), (1.0, 1.0)], Some(1)),
            (vec![(0.1, 100.0), (0.2, 1.0), (0.7, 1.0)], Some(11)),
            (vec![(0.1, 14.0), (0.1, 15.0)], Some(15)),
            (vec![(0.3, 0.5)], Some(1)),
            (vec![(0.3, 0.499_999)], Some(0)),
            (vec![(0.0, 50.0)], None),
            (vec![(f64::NAN, 50.0), (1.0, f64::NAN)], None),
            (vec![(f64::INFINITY, f64::INFINITY)], Some(100)),
        ] {
            assert_eq!(lead_score(&factors(&known)), score, "{known:?}");
        }
    }

    #[test]
    fn the_default_weights_are_a_hundred_together_and_can_be_used() {
        let rules = LeadRules::default();
        rules.check().unwrap();
        assert!((rules.weights.values().sum::<f64>() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn weights_and_values_that_are_none_are_refused_all_at_once() {
        let mut rules = LeadRules::default();
        for (factor, weight) in [("need", f64::NAN), ("budget", -1.0)] {
            rules.weights.insert(factor.parse().unwrap(), weight);
        }
        assert_eq!(rules.check().unwrap_err().faults().len(), 2);
        assert!(LeadRules { weights: BTreeMap::new() }.check().is_err());
        let values = LeadValues::default().set("need", 101.0).set("\0", f64::NAN).set("size", 7.0);
        let error = LeadRules::default().factors(&values).unwrap_err();
        assert_eq!(error.faults().len(), 3, "{error}");
    }

    proptest! {
        #[test]
        fn a_score_lies_between_its_least_and_its_greatest_value(
            known in proptest::collection::vec((0.000_001..1e6, 0.0..=100.0), 1..20),
        ) {
            let score = lead_score(&factors(&known)).unwrap();
            let values = known.iter().map(|it| it.1);
            let least = values.clone().fold(100.0, f64::min);
            let most = values.fold(0.0, f64::max);
            prop_assert!(score <= 100);
            prop_assert!(f64::from(score) >= least - 0.500_001);
            prop_assert!(f64::from(score) <= most + 0.500_001);
        }

        #[test]
        fn nothing_that_can_be_given_breaks_it(
            known in proptest::collection::vec((any::<f64>(), any::<f64>()), 0..20),
        ) {
            prop_assert!(lead_score(&factors(&known)).is_none_or(|score| score <= 100));
        }
    }
}

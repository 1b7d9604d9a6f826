//! The numbers that a host can change.

use crate::domain::expansion::ExpansionRules;
use crate::domain::lead::LeadRules;
use crate::domain::smart_link::MIN_CONFIDENCE;
use crate::domain::text::Code;
use crate::domain::threshold::DEFAULT_PERCENTAGES;
use crate::domain::usage_record::UsageFigure;
use std::collections::BTreeMap;
use time::Duration;

/// The numbers that a host can change.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// How far back usage may lie when it is tracked: 35 days.
    pub late_usage_max: Duration,
    /// How far ahead of the clock usage may lie: five minutes.
    pub early_usage_max: Duration,
    /// At which percentages of a limit an event is written, in whole percent, also above 100: 80, 90
    /// and 100.
    pub thresholds: Vec<u32>,
    /// How much memory the handle and its clones may use, in bytes, to remember which idempotency
    /// keys batches have brought: 64 MiB. It takes two bytes for each key; what does not fit is
    /// read from the store when it is needed, which is right as well, and slower.
    pub key_memory_max: usize,
    /// How much memory the handle and its clones may use, in bytes, to remember what smart linking
    /// has looked up: 64 MiB, which is enough for some 200,000 customers. Lists of what is common
    /// and of who changed come on top, about two bytes for each customer. What does not fit is read
    /// from the store when it is needed.
    pub link_memory_max: usize,
    /// In which named figure of a usage period the usage of a feature counts: none, so that each is
    /// listed by its code. What was added up already is not sorted anew: set it from the start.
    pub usage_figures: BTreeMap<Code, UsageFigure>,
    /// How sure smart linking must be to link, 0–1: 0.6. Anything else is refused when it is used.
    pub min_confidence: f64,
    /// After how many attempts usage that the billing gateway does not take is given up: 100, which
    /// takes about three weeks. At least one is made.
    pub delivery_attempts_max: u32,
    /// The signals of expansion and what opportunities are worth. What is out of range is refused
    /// when it is used.
    pub expansion: ExpansionRules,
    /// What counts how much in the score of a lead. What is out of range is refused when it is used.
    pub lead: LeadRules,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            late_usage_max: Duration::days(35),
            early_usage_max: Duration::minutes(5),
            key_memory_max: 64 << 20,
            link_memory_max: 64 << 20,
            thresholds: DEFAULT_PERCENTAGES.to_vec(),
            usage_figures: BTreeMap::new(),
            min_confidence: MIN_CONFIDENCE,
            delivery_attempts_max: 100,
            expansion: ExpansionRules::default(),
            lead: LeadRules::default(),
        }
    }
}

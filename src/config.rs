//! The numbers that a host can change.

use crate::domain::churn::rules::ChurnRules;
use crate::domain::expansion::ExpansionRules;
use crate::domain::lead::LeadRules;
use crate::domain::lifecycle::LifecycleRules;
use crate::domain::nps::NpsRules;
use crate::domain::revenue::RevenueTargets;
use crate::domain::smart_link::MIN_CONFIDENCE;
use crate::domain::text::Code;
use crate::domain::threshold::DEFAULT_PERCENTAGES;
use crate::domain::usage_record::UsageFigure;
use crate::domain::validation::EvidenceLimits;
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
    /// The thresholds by which customers move from stage to stage of their journey. Those that
    /// contradict each other are refused when they are used.
    pub lifecycle: LifecycleRules,
    /// How often a [tick](crate::Tenure::tick) evaluates all customers, once anything is recorded of
    /// them that an evaluation looks at: every day. With none, no tick evaluates anybody: the host
    /// does. What is not more than nothing is refused when it is used.
    pub evaluate_every: Option<Duration>,
    /// How long a customer's standing that was set by hand is left alone by its journey: seven days.
    pub status_hold: Duration,
    /// The names of competitors, looked for in the subjects of tickets as whole words without regard
    /// to case: none.
    pub competitors: Vec<String>,
    /// What the figures of revenue should come to: more than 90 % gross and 110 % net retention.
    pub revenue_targets: RevenueTargets,
    /// By which numbers it is told that a customer is about to leave, and how interventions run.
    /// What makes no sense is refused when it is used.
    pub churn: ChurnRules,
    /// The signals of expansion and what opportunities are worth. What is out of range is refused
    /// when it is used.
    pub expansion: ExpansionRules,
    /// What counts how much in the score of a lead. What is out of range is refused when it is used.
    pub lead: LeadRules,
    /// How often customers are asked whether they would recommend the product, and how soon things
    /// follow. What makes no sense is refused when it is used.
    pub nps: NpsRules,
    /// Of how many customers' features the handle and its clones count denials in memory until they
    /// are [written down](crate::Tenure::flush_denials): 16,384, some 3 MB. What there is no room
    /// for is not counted.
    pub denials_max: usize,
    /// From when on data are old, discrepancies too many, and answers too few.
    pub evidence: EvidenceLimits,
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
            lifecycle: LifecycleRules::default(),
            evaluate_every: Some(Duration::DAY),
            status_hold: Duration::days(7),
            competitors: Vec::new(),
            revenue_targets: RevenueTargets::default(),
            churn: ChurnRules::default(),
            expansion: ExpansionRules::default(),
            lead: LeadRules::default(),
            nps: NpsRules::default(),
            denials_max: 16_384,
            evidence: EvidenceLimits::default(),
        }
    }
}

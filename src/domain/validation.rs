//! Whether what is reported is true: each figure beside what its raw records add up to on another
//! way.
//!
//! A check compares, it does not compute: what is reported and what was counted again are its
//! arguments. Where nothing is reported, nothing can be wrong, and the check says so.

mod checks;

use super::instant::elapsed;
use crate::record::words;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

pub use checks::{
    check_churn, check_cohorts, check_health, check_nps, check_reconciliation, check_retention,
    check_sources, check_surveys,
};

/// From when on data are old, discrepancies too many, and answers too few.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct EvidenceLimits {
    /// Data should be younger: 24 hours.
    pub fresh: Duration,
    /// Older data deserve a warning: 48 hours.
    pub stale: Duration,
    /// Older data must not be relied on: 72 hours.
    pub critical: Duration,
    /// More discrepancies than these deserve a warning: 2. None is right.
    pub discrepancies_warning: u64,
    /// More than these are critical: 5.
    pub discrepancies_critical: u64,
    /// A survey with a smaller response rate deserves a warning: 0.1.
    pub response_rate_warning: f64,
    /// One with a smaller rate must not be relied on: 0.05.
    pub response_rate_critical: f64,
    /// A health model that was last calibrated longer ago deserves a warning: 61 days, two months.
    pub calibration_warning: Duration,
    /// One that was calibrated longer ago must not be relied on: 92 days, three months.
    pub calibration_critical: Duration,
}

impl Default for EvidenceLimits {
    fn default() -> Self {
        Self {
            fresh: Duration::hours(24),
            stale: Duration::hours(48),
            critical: Duration::hours(72),
            discrepancies_warning: 2,
            discrepancies_critical: 5,
            response_rate_warning: 0.1,
            response_rate_critical: 0.05,
            calibration_warning: Duration::days(61),
            calibration_critical: Duration::days(92),
        }
    }
}

words! {
    /// How old the newest record of a source is.
    pub enum FreshnessLevel {
        /// As young as it should be.
        Fresh = "fresh",
        /// Older than it should be.
        Aging = "aging",
        /// So old that it deserves a warning.
        Stale = "stale",
        /// Too old to be relied on.
        Critical = "critical",
        /// There is no record.
        Unknown = "unknown",
    }
}

/// How old the newest record of a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SourceFreshness {
    /// The noun, in the plural.
    pub source: &'static str,
    /// When its newest record was made.
    #[serde(with = "time::serde::rfc3339::option")]
    pub latest: Option<OffsetDateTime>,
    /// How many whole hours that is ago; 0 for what lies ahead.
    pub age_hours: Option<i64>,
    /// What that means.
    pub level: FreshnessLevel,
}

impl SourceFreshness {
    /// How fresh a source is at `now`. What is exactly as old as a limit is not beyond it.
    ///
    /// ```
    /// use tenure::{EvidenceLimits, FreshnessLevel, SourceFreshness};
    /// use time::macros::datetime;
    ///
    /// let latest = Some(datetime!(2026-01-01 0:00 UTC));
    /// let at = |now| SourceFreshness::of("orders", latest, now, &EvidenceLimits::default()).level;
    /// assert_eq!(at(datetime!(2026-01-02 0:00 UTC)), FreshnessLevel::Fresh);
    /// assert_eq!(at(datetime!(2026-01-03 0:00 UTC)), FreshnessLevel::Aging);
    /// assert_eq!(at(datetime!(2026-01-04 0:00 UTC)), FreshnessLevel::Stale);
    /// assert_eq!(at(datetime!(2026-01-04 0:01 UTC)), FreshnessLevel::Critical);
    /// ```
    #[must_use]
    pub fn of(
        source: &'static str,
        latest: Option<OffsetDateTime>,
        now: OffsetDateTime,
        limits: &EvidenceLimits,
    ) -> Self {
        let age = latest.map(|latest| elapsed(latest, now).max(Duration::ZERO));
        let level = match age {
            None => FreshnessLevel::Unknown,
            Some(age) if age > limits.critical => FreshnessLevel::Critical,
            Some(age) if age > limits.stale => FreshnessLevel::Stale,
            Some(age) if age > limits.fresh => FreshnessLevel::Aging,
            Some(_) => FreshnessLevel::Fresh,
        };
        Self { source, latest, age_hours: age.map(Duration::whole_hours), level }
    }
}

words! {
    /// What a check came to.
    pub enum CheckStatus {
        /// What is reported is true.
        Pass = "pass",
        /// It deserves a look.
        Warning = "warning",
        /// What is reported is not true.
        Fail = "fail",
    }
}

/// A figure as it is reported, and as it was counted again.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Comparison {
    /// Which figure.
    pub figure: String,
    /// As it is reported.
    pub reported: Option<f64>,
    /// As it was counted again.
    pub recounted: Option<f64>,
}

impl Comparison {
    /// A figure twice.
    #[must_use]
    pub fn of(figure: impl Into<String>, reported: Option<f64>, recounted: Option<f64>) -> Self {
        Self { figure: figure.into(), reported, recounted }
    }

    /// Whether both agree, to nine digits; what is none must be none twice.
    #[must_use]
    pub fn agrees(&self) -> bool {
        match (self.reported, self.recounted) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0),
            (a, b) => a.is_none() && b.is_none(),
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// What it came to.
    pub status: CheckStatus,
    /// Why, in a sentence.
    pub details: String,
    /// Every figure that was compared; the first thousand.
    pub evidence: Vec<Comparison>,
    /// The share of the figures that agree, 0–1; none if there were none.
    pub accuracy: Option<f64>,
}

/// How many comparisons a check shows.
const SHOWN: usize = 1_000;

impl Check {
    /// Figures beside what was counted again: `otherwise` when one differs.
    fn compared(name: &'static str, evidence: Vec<Comparison>, otherwise: CheckStatus) -> Self {
        let (all, wrong) = (evidence.len(), evidence.iter().filter(|it| !it.agrees()));
        let names: Vec<&str> = wrong.clone().take(3).map(|it| it.figure.as_str()).collect();
        let wrong = wrong.count();
        let (status, details) = match (all, wrong) {
            (0, _) => (CheckStatus::Pass, "nothing is reported yet".to_owned()),
            (_, 0) => (CheckStatus::Pass, format!("{all} figures agree with their records")),
            _ => {
                let names = names.join(", ");
                (otherwise, format!("{wrong} of {all} figures differ from their records: {names}"))
            }
        };
        let accuracy = (all > 0).then(|| share(all.saturating_sub(wrong), all));
        let evidence = evidence.into_iter().take(SHOWN).collect();
        Self { name, status, details, evidence, accuracy }
    }

    /// With something more to say, which makes it a warning if it passed.
    fn warned(mut self, details: &str) -> Self {
        if self.status == CheckStatus::Pass {
            self.status = CheckStatus::Warning;
        }
        self.details = format!("{}; {details}", self.details);
        self
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of figures")]
const fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// The share of figures that agree with their records, 0–1, for each kind; none where nothing is
/// reported.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MetricAccuracy {
    /// The net promoter score.
    pub nps: Option<f64>,
    /// Churn and retention of revenue.
    pub churn: Option<f64>,
    /// Cohorts.
    pub cohorts: Option<f64>,
    /// Retention of day 7 and day 30.
    pub retention: Option<f64>,
}

/// What validation of everything that is reported found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Validation {
    /// Whether no check failed.
    pub passed: bool,
    /// The eight checks.
    pub checks: Vec<Check>,
    /// When it was done.
    #[serde(with = "time::serde::rfc3339")]
    pub timestamp: OffsetDateTime,
    /// How many sources have records that are not too old to be relied on.
    pub sources_verified: usize,
    /// How fresh each source is.
    pub freshness: Vec<SourceFreshness>,
    /// How many discrepancies between sources there are.
    pub discrepancies: u64,
    /// How many of the figures are right.
    pub metric_accuracy: MetricAccuracy,
}

impl Validation {
    /// What follows from the checks.
    pub(crate) fn of(
        checks: Vec<Check>,
        freshness: Vec<SourceFreshness>,
        discrepancies: u64,
        timestamp: OffsetDateTime,
    ) -> Self {
        let accuracy = |name: &str| checks.iter().find(|it| it.name == name)?.accuracy;
        let is_verified = |it: &&SourceFreshness| {
            !matches!(it.level, FreshnessLevel::Critical | FreshnessLevel::Unknown)
        };
        Self {
            passed: checks.iter().all(|it| it.status != CheckStatus::Fail),
            metric_accuracy: MetricAccuracy {
                nps: accuracy("nps_calculation"),
                churn: accuracy("churn_calculation"),
                cohorts: accuracy("cohort_definitions"),
                retention: accuracy("retention"),
            },
            sources_verified: freshness.iter().filter(is_verified).count(),
            checks,
            timestamp,
            freshness,
            discrepancies,
        }
    }
}

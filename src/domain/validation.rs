//! Whether what is reported is true: each figure beside what its raw records add up to on another
//! way.
//!
//! A check compares, it does not compute: what is reported and what was counted again are its
//! arguments. Where nothing is reported, nothing can be wrong, and the check says so.

use super::instant::elapsed;
use super::measured::Measured;
use super::statistics::real;
use crate::record::words;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

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

/// The net promoter score: as it is reported, and the score and the number of responses as counted
/// again from the responses. A score of fewer than thirty responses must say that these are not
/// enough. None when no score is reported.
#[must_use]
pub fn check_nps(reported: Option<(&Measured, Option<f64>, u64)>) -> Check {
    let name = "nps_calculation";
    let Some((reported, recounted, responses)) = reported else {
        return Check::compared(name, Vec::new(), CheckStatus::Fail);
    };
    let count = |count: u64| Some(real(count));
    let figures = vec![
        Comparison::of("nps", reported.value, recounted),
        Comparison::of("responses", count(reported.sample_size), count(responses)),
        Comparison::of(
            "is marked as insufficient",
            count(reported.warnings.iter().any(|it| it.code == "insufficient_sample").into()),
            count((responses < 30).into()),
        ),
    ];
    Check::compared(name, figures, CheckStatus::Fail)
}

/// Churn and retention of revenue.
#[must_use]
pub fn check_churn(figures: Vec<Comparison>) -> Check {
    Check::compared("churn_calculation", figures, CheckStatus::Fail)
}

/// Where the data come from, and how old they are.
#[must_use]
pub fn check_sources(sources: &[SourceFreshness]) -> Check {
    let mut check = Check::compared("data_sources", Vec::new(), CheckStatus::Warning);
    let known = sources.iter().filter(|it| it.latest.is_some()).count();
    check.details = format!("{known} of {} sources have records", sources.len());
    let old = |it: &&SourceFreshness| {
        matches!(it.level, FreshnessLevel::Stale | FreshnessLevel::Critical)
    };
    let old: Vec<String> = sources
        .iter()
        .filter(old)
        .filter_map(|it| Some(format!("{} are {} hours old", it.source, it.age_hours?)))
        .collect();
    match (known, old.as_slice()) {
        (0, _) => check.warned("there is nothing to report on"),
        (_, []) => check,
        _ => check.warned(&old.join(", ")),
    }
}

/// Cohorts: their definitions, dates and sizes.
#[must_use]
pub fn check_cohorts(figures: Vec<Comparison>) -> Check {
    Check::compared("cohort_definitions", figures, CheckStatus::Fail)
}

/// Retention of day 7 and day 30.
#[must_use]
pub fn check_retention(figures: Vec<Comparison>) -> Check {
    Check::compared("retention", figures, CheckStatus::Fail)
}

/// The health model: its scores, that the weights of its factors (names and shares) add up to 1, and
/// when it was last calibrated. Without a model there are no factors.
#[must_use]
pub fn check_health(
    factors: Option<&[(&str, f64)]>,
    calibrated_at: Option<OffsetDateTime>,
    scores: Vec<Comparison>,
    now: OffsetDateTime,
    limits: &EvidenceLimits,
) -> Check {
    let check = Check::compared("health_algorithm", scores, CheckStatus::Warning);
    let Some(factors) = factors else { return check };
    let sum: f64 = factors.iter().map(|(_, weight)| weight).sum();
    let check = if (sum - 1.0).abs() <= 1e-9 {
        check
    } else {
        check.warned(&format!("the weights of {} factors add up to {sum}", factors.len()))
    };
    let Some(at) = calibrated_at else { return check.warned("it was never calibrated") };
    let age = elapsed(at, now);
    let days = age.whole_days();
    if age > limits.calibration_critical {
        check.warned(&format!("critical: it was last calibrated {days} days ago"))
    } else if age > limits.calibration_warning {
        check.warned(&format!("it was last calibrated {days} days ago"))
    } else {
        check
    }
}

/// Surveys: how many of those that were sent were answered.
#[must_use]
pub fn check_surveys(sent: u64, answered: u64, limits: &EvidenceLimits) -> Check {
    let mut check = Check::compared("survey_validity", Vec::new(), CheckStatus::Warning);
    if sent == 0 {
        return check;
    }
    let rate = real(answered) / real(sent);
    check.details = format!("{answered} of {sent} surveys were answered");
    if rate < limits.response_rate_critical {
        check.warned("critical: too few to rely on")
    } else if rate < limits.response_rate_warning {
        check.warned("fewer than there should be")
    } else {
        check
    }
}

/// Sources beside each other: the figures, and how many discrepancies there are one by one.
#[must_use]
pub fn check_reconciliation(
    figures: Vec<Comparison>,
    discrepancies: u64,
    limits: &EvidenceLimits,
) -> Check {
    let check = Check::compared("reconciliation", figures, CheckStatus::Warning);
    if discrepancies == 0 {
        check
    } else if discrepancies > limits.discrepancies_critical {
        check.warned(&format!("critical: {discrepancies} discrepancies, and there should be none"))
    } else if discrepancies > limits.discrepancies_warning {
        check.warned(&format!("{discrepancies} discrepancies, and there should be none"))
    } else {
        Check { details: format!("{}; {discrepancies} discrepancies", check.details), ..check }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::measured::{Method, Severity, Unit};
    use CheckStatus::{Fail, Pass, Warning};
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-31 12:00 UTC);

    fn limits() -> EvidenceLimits {
        EvidenceLimits::default()
    }

    #[test]
    fn a_score_must_be_that_of_its_responses_and_say_when_they_are_few() {
        let method = Method { name: "nps", formula: "% promoters − % detractors" };
        let score = |n| Measured::new(Some(25.0), Unit::Points, method, n);
        let check = |score: &Measured, value, n| check_nps(Some((score, Some(value), n))).status;
        assert_eq!(check(&score(40), 25.0, 40), Pass);
        assert_eq!(check(&score(40), 24.0, 40), Fail);
        assert_eq!(check(&score(40), 25.0, 41), Fail);
        assert_eq!(check(&score(20), 25.0, 20), Fail, "it must say that twenty are few");
        let few = score(20).warned("insufficient_sample", Severity::Critical, "20 of 30");
        assert_eq!(check(&few, 25.0, 20), Pass);
        let none = check_nps(None);
        assert_eq!((none.status, none.accuracy), (Pass, None));
    }

    #[test]
    fn figures_agree_to_nine_digits_and_nothing_only_with_nothing() {
        let agree = |a, b| Comparison::of("x", a, b).agrees();
        assert!(agree(Some(0.1 + 0.2), Some(0.3)) && agree(None, None));
        assert!(!agree(Some(0.0), None) && !agree(Some(1.0), Some(1.000_001)));
        assert!(!agree(Some(f64::NAN), Some(f64::NAN)));
        let figures = vec![
            Comparison::of("a", Some(1.0), Some(1.0)),
            Comparison::of("b", Some(1.0), Some(2.0)),
        ];
        let check = check_churn(figures.clone());
        assert_eq!((check.status, check.accuracy), (Fail, Some(0.5)));
        assert!(check.details.contains("1 of 2") && check.details.contains(": b"));
        assert_eq!(check_retention(figures.clone()).status, Fail);
        assert_eq!(check_cohorts(figures.clone()).status, Fail);
        assert_eq!(check_reconciliation(figures, 0, &limits()).status, Warning);
    }

    #[test]
    fn a_health_model_adds_up_and_was_calibrated_lately() {
        let check = |weight, days: i64| {
            let at = NOW - Duration::days(days);
            let factors = [("usage", 0.6), ("support", weight)];
            check_health(Some(&factors), Some(at), Vec::new(), NOW, &limits())
        };
        assert_eq!(check(0.4, 61).status, Pass);
        assert_eq!(check(0.3, 1).status, Warning);
        assert_eq!(check(0.4, 62).status, Warning);
        assert!(!check(0.4, 92).details.contains("critical"));
        assert!(check(0.4, 93).details.contains("critical"));
        let never = check_health(Some(&[("usage", 1.0)]), None, Vec::new(), NOW, &limits());
        assert_eq!(never.status, Warning);
        assert_eq!(check_health(None, None, Vec::new(), NOW, &limits()).status, Pass);
    }

    #[test]
    fn surveys_need_answers_and_sources_need_to_agree() {
        let surveys = |answered| check_surveys(100, answered, &limits());
        assert_eq!([10, 9, 4].map(|answered| surveys(answered).status), [Pass, Warning, Warning]);
        assert!(surveys(4).details.contains("critical"));
        assert!(!surveys(5).details.contains("critical"));
        assert_eq!(check_surveys(0, 0, &limits()).status, Pass);
        let sources = |count| check_reconciliation(Vec::new(), count, &limits());
        assert_eq!([0, 2, 3, 6].map(|it| sources(it).status), [Pass, Pass, Warning, Warning]);
        assert!(sources(6).details.contains("critical"));
    }

    #[test]
    fn old_data_deserve_a_warning() {
        let source = |hours| {
            SourceFreshness::of("orders", Some(NOW - Duration::hours(hours)), NOW, &limits())
        };
        assert_eq!(check_sources(&[source(1), source(48)]).status, Pass);
        assert_eq!(check_sources(&[source(1), source(49)]).status, Warning);
        let none = SourceFreshness::of("orders", None, NOW, &limits());
        assert_eq!(none.level, FreshnessLevel::Unknown);
        assert_eq!(check_sources(&[none]).status, Warning);
        assert_eq!(check_sources(&[none, source(-5)]).status, Pass);
        assert_eq!(source(-5).age_hours, Some(0));
    }
}

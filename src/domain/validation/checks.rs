//! The eight checks.

use super::{Check, CheckStatus, Comparison, EvidenceLimits, FreshnessLevel, SourceFreshness};
use crate::domain::instant::elapsed;
use crate::domain::measured::Measured;
use crate::domain::statistics::real;
use time::OffsetDateTime;

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

/// Health: its scores, that the weights of the factors of each model that they were computed by (its
/// name, and the weights) add up to 1, and when it was last calibrated. Without a score there is no
/// model.
#[must_use]
pub fn check_health(
    models: &[(&str, Vec<f64>)],
    calibrated_at: Option<OffsetDateTime>,
    scores: Vec<Comparison>,
    now: OffsetDateTime,
    limits: &EvidenceLimits,
) -> Check {
    let mut check = Check::compared("health_algorithm", scores, CheckStatus::Warning);
    if models.is_empty() {
        return check;
    }
    for (name, weights) in models {
        let sum: f64 = weights.iter().sum();
        if sum.is_nan() || (sum - 1.0).abs() > 1e-9 {
            let factors = weights.len();
            check = check
                .warned(&format!("the weights of {factors} factors of {name} add up to {sum}"));
        }
    }
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

/// Surveys: the figures that are reported, and how many of those that were sent were answered.
#[must_use]
pub fn check_surveys(
    figures: &[Comparison],
    sent: u64,
    answered: u64,
    limits: &EvidenceLimits,
) -> Check {
    let mut check = Check::compared("survey_validity", figures.to_vec(), CheckStatus::Warning);
    if sent == 0 {
        return check;
    }
    let rate = real(answered) / real(sent);
    check.details = format!("{}; {answered} of {sent} surveys were answered", check.details);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::measured::{Method, Severity, Unit};
    use CheckStatus::{Fail, Pass, Warning};
    use time::Duration;
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
            let models = [("default", vec![0.6, weight])];
            check_health(&models, Some(at), Vec::new(), NOW, &limits())
        };
        assert_eq!(check(0.4, 61).status, Pass);
        assert_eq!(check(0.3, 1).status, Warning);
        assert_eq!(check(0.4, 62).status, Warning);
        assert!(!check(0.4, 92).details.contains("critical"));
        assert!(check(0.4, 93).details.contains("critical"));
        assert_eq!(check(f64::NAN, 1).status, Warning);
        let never = check_health(&[("default", vec![1.0])], None, Vec::new(), NOW, &limits());
        assert_eq!(never.status, Warning);
        assert_eq!(check_health(&[], None, Vec::new(), NOW, &limits()).status, Pass);
    }

    #[test]
    fn surveys_need_answers_and_sources_need_to_agree() {
        let surveys = |answered| check_surveys(&[], 100, answered, &limits());
        assert_eq!([10, 9, 4].map(|answered| surveys(answered).status), [Pass, Warning, Warning]);
        assert!(surveys(4).details.contains("critical"));
        assert!(!surveys(5).details.contains("critical"));
        assert_eq!(check_surveys(&[], 0, 0, &limits()).status, Pass);
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

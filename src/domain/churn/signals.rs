//! Signals: what says that a customer is about to leave.
//!
//! What is not known is no signal, and does not end one either: only a figure that says otherwise
//! does. Whether a cancellation was asked for and a competitor mentioned is always known.

use super::rules::ChurnRules;
use crate::domain::customer::{CustomerId, RiskLevel};
use crate::domain::facts::{CustomerFacts, FigureSource, names};
use crate::domain::text::Line;
use crate::record::{id, noun, words};
use serde::Serialize;
use time::{Duration, OffsetDateTime};

id! {
    /// Identifies a churn signal.
    ChurnSignalId;
}

words! {
    /// What it is that says so.
    pub enum SignalKind {
        /// Nobody logged in for more than seven days.
        NoLogin7Days = "no_login_7_days",
        /// Nobody logged in for more than fourteen days.
        NoLogin14Days = "no_login_14_days",
        /// Usage fell by more than half against the thirty days before.
        UsageDrop50 = "usage_drop_50",
        /// The last answer to "would you recommend us" was 6 or less.
        NpsDetractor = "nps_detractor",
        /// Three tickets or more are open.
        MultipleSupportTickets = "multiple_support_tickets",
        /// A payment failed and is still missing.
        FailedPayment = "failed_payment",
        /// The customer asked to cancel.
        CancellationRequest = "cancellation_request",
        /// A ticket mentions a competitor.
        CompetitorMention = "competitor_mention",
    }
}

words! {
    /// How serious a signal is.
    pub enum SignalSeverity {
        /// To be looked after.
        Medium = "medium",
        /// To be looked after at once.
        High = "high",
    }
}

use SignalKind as K;
use SignalSeverity::{High, Medium};

impl SignalKind {
    /// How serious it is.
    ///
    /// ```
    /// use tenure::{SignalKind, SignalSeverity};
    ///
    /// assert_eq!(SignalKind::NoLogin7Days.severity(), SignalSeverity::Medium);
    /// assert_eq!(SignalKind::NoLogin14Days.severity(), SignalSeverity::High);
    /// ```
    #[must_use]
    pub const fn severity(self) -> SignalSeverity {
        match self {
            K::NoLogin7Days | K::MultipleSupportTickets | K::CompetitorMention => Medium,
            K::NoLogin14Days
            | K::UsageDrop50
            | K::NpsDetractor
            | K::FailedPayment
            | K::CancellationRequest => High,
        }
    }

    /// The signal that says the same, only less urgently. Both stand, each for what it is; but only
    /// the more urgent one has its playbook at work, so that nobody is called twice for one silence.
    ///
    /// ```
    /// use tenure::SignalKind;
    ///
    /// assert_eq!(SignalKind::NoLogin14Days.supersedes(), Some(SignalKind::NoLogin7Days));
    /// assert_eq!(SignalKind::FailedPayment.supersedes(), None);
    /// ```
    #[must_use]
    pub const fn supersedes(self) -> Option<Self> {
        match self {
            K::NoLogin14Days => Some(K::NoLogin7Days),
            _ => None,
        }
    }

    /// The figure that it looks at.
    #[must_use]
    pub const fn metric(self) -> &'static str {
        match self {
            K::NoLogin7Days | K::NoLogin14Days => names::DAYS_SINCE_LAST_LOGIN,
            K::UsageDrop50 => names::USAGE_CHANGE,
            K::NpsDetractor => names::NPS_SCORE,
            K::MultipleSupportTickets => names::OPEN_TICKETS,
            K::FailedPayment => names::FAILED_PAYMENTS,
            K::CancellationRequest => "cancellation_requests",
            K::CompetitorMention => "competitor_mentions",
        }
    }
}

noun! {
    /// Something that says that a customer is about to leave: one record from when it is noticed
    /// until its condition ends, however often it is looked at. What it was when it was noticed is
    /// kept; how it goes on is told by the figures themselves.
    pub struct ChurnSignal(ChurnSignalId), "churn signal", "churn signals", "success" {
        /// Identifies the signal.
        id: ChurnSignalId,
        /// Who is about to leave.
        customer_id: CustomerId,
        /// What it is that says so.
        kind: SignalKind => ["no_login_14_days"],
        /// How serious it is.
        severity: SignalSeverity => ["high"],
        /// A sentence with the figures.
        description: Line => ["nobody has logged in for 15 days; more than 14 are a signal"],
        /// The figure that it was seen by.
        metric: String => ["days_since_last_login"],
        /// What the figure was when it was noticed.
        value: f64 => ["15"],
        /// What it is compared with.
        threshold: f64 => ["14"],
        /// When it was noticed.
        detected_at: OffsetDateTime,
        /// When its condition had ended; none while it stands.
        closed_at: Option<OffsetDateTime>,
        /// The customer, while it stands: one of a kind does at a time.
        open_for: Option<CustomerId>,
    }
    relationships {
        customer: "customer" one "who is about to leave",
        interventions: "intervention" many "what is done about it",
    }
    actions { detect => detected, close => closed }
}

/// A signal whose condition holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Detected {
    /// What it is.
    pub kind: SignalKind,
    /// How serious it is.
    pub severity: SignalSeverity,
    /// A sentence with the figures.
    pub description: String,
    /// The figure that it is seen by.
    pub metric: &'static str,
    /// What the figure is.
    pub value: f64,
    /// What it is compared with.
    pub threshold: f64,
}

/// What the facts say of one signal; none when they do not say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Judged {
    pub(crate) stands: bool,
    value: f64,
    threshold: f64,
}

/// Every signal whose condition the facts show to hold, in the order of their kinds. What is not
/// known, or too old to rely on, is no signal.
///
/// ```
/// use tenure::domain::churn::signals::detect;
/// use tenure::domain::facts::names;
/// use tenure::{
///     ChurnRules, Code, CustomerFacts, CustomerId, Figure, FigureSource, SignalKind,
/// };
/// use time::macros::datetime;
///
/// let now = datetime!(2026-01-31 12:00 UTC);
/// let nobody = CustomerId::from(uuid::Uuid::nil());
/// let mut facts = CustomerFacts::new(nobody, Code::parse("free")?, now, now);
/// assert!(detect(&facts, &ChurnRules::default()).is_empty());
///
/// let seven = Figure { value: 7.0, at: now, source: FigureSource::Host };
/// facts.figures.set(names::DAYS_SINCE_LAST_LOGIN, seven);
/// assert!(detect(&facts, &ChurnRules::default()).is_empty());
///
/// facts.figures.set(names::DAYS_SINCE_LAST_LOGIN, Figure { value: 7.5, ..seven });
/// let signals = detect(&facts, &ChurnRules::default());
/// assert_eq!(signals[0].kind, SignalKind::NoLogin7Days);
/// assert_eq!(signals[0].description, "nobody has logged in for 7.5 days; more than 7 are a signal");
/// # Ok::<_, tenure::Malformed>(())
/// ```
#[must_use]
pub fn detect(facts: &CustomerFacts, rules: &ChurnRules) -> Vec<Detected> {
    let standing = K::ALL.iter().filter_map(|kind| {
        let judged = judge(*kind, facts, rules).filter(|it| it.stands)?;
        Some(detected(*kind, judged))
    });
    standing.collect()
}

/// What the facts say of a signal.
pub(crate) fn judge(kind: SignalKind, facts: &CustomerFacts, rules: &ChurnRules) -> Option<Judged> {
    let holds = |stands, value, threshold| Judged { stands, value, threshold };
    let known = |compare: fn(&f64, &f64) -> bool, threshold: f64| {
        let value = current(facts, kind.metric(), rules.figure_age_max)?;
        Some(holds(compare(&value, &threshold), value, threshold))
    };
    match kind {
        K::NoLogin7Days => known(f64::gt, rules.no_login_days),
        K::NoLogin14Days => known(f64::gt, rules.long_no_login_days),
        K::UsageDrop50 => known(f64::lt, rules.usage_change),
        K::NpsDetractor => known(f64::le, rules.nps_score),
        K::MultipleSupportTickets => known(f64::ge, rules.open_tickets),
        K::FailedPayment => known(f64::gt, rules.failed_payments),
        K::CancellationRequest => Some(holds(facts.cancellation_requested_at.is_some(), 1.0, 1.0)),
        K::CompetitorMention => Some(holds(facts.competitor_mentioned_at.is_some(), 1.0, 1.0)),
    }
}

/// A figure that can be relied on.
fn current(facts: &CustomerFacts, name: &str, age_max: Duration) -> Option<f64> {
    let figure = facts.figures.get(name)?;
    let kept = figure.at.saturating_add(age_max) >= facts.as_of;
    (kept || figure.source == FigureSource::Derived).then_some(figure.value)
}

/// When somebody last logged in, as far as the facts tell.
pub(crate) fn last_login(facts: &CustomerFacts) -> Option<OffsetDateTime> {
    let figure = facts.figures.get(names::DAYS_SINCE_LAST_LOGIN)?;
    let ago = Duration::checked_seconds_f64(figure.value * 86_400.0).filter(|it| !it.is_negative());
    Some(facts.as_of.saturating_sub(ago?))
}

/// A signal that stands, told in a sentence.
pub(crate) fn detected(kind: SignalKind, judged: Judged) -> Detected {
    let Judged { value, threshold, .. } = judged;
    let shown = shown(value, threshold);
    let description = match kind {
        K::NoLogin7Days | K::NoLogin14Days => {
            format!("nobody has logged in for {shown} days; more than {threshold} are a signal")
        }
        K::UsageDrop50 => {
            format!("usage changed by {shown}% in a month; less than {threshold}% is a signal")
        }
        K::NpsDetractor => {
            format!("the last NPS score is {shown}; {threshold} or less is a signal")
        }
        K::MultipleSupportTickets => {
            format!("{shown} tickets are open; {threshold} or more are a signal")
        }
        K::FailedPayment => {
            format!("payments that failed: {shown}; more than {threshold} are a signal")
        }
        K::CancellationRequest => "the customer asked to cancel".to_owned(),
        K::CompetitorMention => "an open ticket mentions a competitor".to_owned(),
    };
    Detected {
        kind,
        severity: kind.severity(),
        description,
        metric: kind.metric(),
        value,
        threshold,
    }
}

/// A figure as it is read: to a tenth, unless that would be the threshold that it is not.
fn shown(value: f64, threshold: f64) -> String {
    let tenth = (value * 10.0).round() / 10.0;
    let is_close = (tenth - threshold).abs() < 0.05 && (value - threshold).abs() > 0.0;
    if is_close || value.abs() >= 1e15 { format!("{value:?}") } else { format!("{tenth}") }
}

/// How likely a customer is to leave, by the signals that stand and how well it is doing (0–100):
/// below 20 is grade F, below 40 grade D.
///
/// ```
/// use tenure::domain::churn::signals::risk_level;
/// use tenure::{RiskLevel, SignalKind};
///
/// assert_eq!(risk_level(&[], None), RiskLevel::Low);
/// assert_eq!(risk_level(&[], Some(39.0)), RiskLevel::Medium);
/// assert_eq!(risk_level(&[SignalKind::FailedPayment], Some(90.0)), RiskLevel::High);
/// assert_eq!(risk_level(&[SignalKind::CancellationRequest], None), RiskLevel::Critical);
/// ```
#[must_use]
pub fn risk_level(standing: &[SignalKind], health: Option<f64>) -> RiskLevel {
    const GRADE_F: f64 = 20.0;
    const GRADE_D: f64 = 40.0;
    let high = standing.iter().filter(|kind| kind.severity() == High).count();
    let health_below = |grade: f64| health.is_some_and(|health| health < grade);
    if high >= 2 || standing.contains(&K::CancellationRequest) {
        RiskLevel::Critical
    } else if high == 1 || health_below(GRADE_F) {
        RiskLevel::High
    } else if !standing.is_empty() || health_below(GRADE_D) {
        RiskLevel::Medium
    } else {
        RiskLevel::Low
    }
}

#[cfg(test)]
mod tests;

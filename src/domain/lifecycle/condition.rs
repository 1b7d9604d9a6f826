//! What a rule of the journey asks: a figure and a bound. What did not hold is told the same way.

use super::measure::{StageMeasure, StageRelation};
use super::{LifecycleRules, StageRule};
use crate::domain::customer::CustomerStatus;
use crate::domain::facts::{CustomerFacts, Figure, FigureSource, names};
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use std::fmt;
use time::{Duration, OffsetDateTime};

/// One thing that a rule asks, with the figure that it found. Its `Display` is part of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StageCondition {
    /// What is looked at.
    pub measure: StageMeasure,
    /// The figure; none if it is not known.
    pub value: Option<f64>,
    /// How it must relate to the bound.
    pub is: StageRelation,
    /// The bound.
    pub bound: f64,
    /// When the figure was so, or when what it tells of happened.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
    /// Whether it holds too if the figure is not known: the absence of a signal does.
    pub unknown_will_do: bool,
}

json_field!(Vec<StageCondition>);

/// What a rule asks of these facts; all of it must hold.
pub(super) fn conditions(
    rule: StageRule,
    facts: &CustomerFacts,
    rules: &LifecycleRules,
) -> Vec<StageCondition> {
    use StageMeasure as M;
    use StageRelation::{Above, AtLeast, AtMost, Below};
    let figure = |measure| figure(facts, measure, rules.figure_days_max);
    let known = |measure, is, bound| figure(measure).must(is, bound);
    let so = |measure| figure(measure).must(AtLeast, 1.0);
    let not = |measure| figure(measure).must(AtMost, 0.0);
    match rule {
        StageRule::PaidEnded => vec![so(M::PaidEnded)],
        StageRule::LowHealth => vec![known(M::HealthScore, Below, rules.at_risk_health)],
        StageRule::NoLogin => vec![known(M::DaysSinceLastLogin, Above, rules.login_days_max)],
        StageRule::SevereTickets => {
            vec![known(M::HighSeverityTickets, Above, rules.severe_tickets_max)]
        }
        StageRule::Detractor => vec![known(M::NpsScore, AtMost, rules.detractor_max)],
        StageRule::Converted => vec![so(M::PaidActive)],
        StageRule::TrialExpired => vec![known(M::TrialDaysRemaining, AtMost, 0.0)],
        StageRule::Onboarded => {
            vec![known(M::OnboardingCompletion, AtLeast, rules.onboarded_percent)]
        }
        StageRule::OnboardingStalled => vec![
            known(M::DaysAsCustomer, Above, rules.onboarding_days),
            known(M::OnboardingCompletion, Below, rules.stalled_percent),
        ],
        StageRule::Adopted => vec![
            known(M::HealthScore, AtLeast, rules.adopted_health),
            known(M::DaysAsCustomer, Above, rules.adoption_days),
        ],
        StageRule::RenewalNear => vec![
            known(M::DaysUntilRenewal, AtMost, rules.renewal_days),
            renewal_due(facts, rules).must(AtLeast, 1.0),
        ],
        StageRule::OpportunityFound => {
            vec![known(M::OpenOpportunities, AtLeast, 1.0), so(M::NewOpportunity)]
        }
        StageRule::Promoter => vec![
            known(M::NpsScore, AtLeast, rules.promoter_min),
            known(M::HealthScore, AtLeast, rules.advocate_health),
        ],
        StageRule::Renewed => vec![so(M::Renewed), renewal_due(facts, rules).must(AtMost, 0.0)],
        // As long as another is open, the customer is still being sold to.
        StageRule::ExpansionWon => vec![so(M::OpportunityWon), not(M::OpenOpportunities)],
        StageRule::ExpansionLost => vec![so(M::OpportunityLost), not(M::OpenOpportunities)],
        StageRule::ExpansionOver => vec![known(M::DaysInStage, AtLeast, rules.expansion_days)],
        StageRule::HealthDropped => vec![known(M::HealthScore, Below, rules.advocate_health_min)],
        StageRule::PromoterLost => vec![known(M::NpsScore, Below, rules.promoter_min)],
        StageRule::Recovered => vec![
            known(M::HealthScore, AtLeast, rules.recovered_health),
            known(M::DaysSinceLastLogin, AtMost, rules.login_days_max).or_unknown(),
            known(M::HighSeverityTickets, AtMost, rules.severe_tickets_max).or_unknown(),
            known(M::NpsScore, Above, rules.detractor_max).or_unknown(),
        ],
        StageRule::WonBack => vec![so(M::PaidActive), so(M::AccountOpen)],
        // These are no rules of the facts: somebody decided so.
        StageRule::AccountChurned | StageRule::AccountReactivated | StageRule::ByHand => Vec::new(),
    }
}

/// A figure and its date.
struct Found {
    measure: StageMeasure,
    value: Option<f64>,
    at: Option<OffsetDateTime>,
}

impl Found {
    const fn must(self, is: StageRelation, bound: f64) -> StageCondition {
        let Self { measure, value, at } = self;
        StageCondition { measure, value, is, bound, at, unknown_will_do: false }
    }
}

/// What is known of a measure. What the host measured more than `days_max` days ago is not.
fn figure(facts: &CustomerFacts, measure: StageMeasure, days_max: f64) -> Found {
    use StageMeasure as M;
    let (contract, expansion) = (&facts.contract, &facts.expansion);
    // What happened before the customer came back belongs to its former life.
    let counts = |at: &OffsetDateTime| facts.returned_at.is_none_or(|back| *at > back);
    // And what happened before it entered its stage is not what the stage waits for.
    let here = |at: &OffsetDateTime| *at > facts.stage_since && *at <= facts.as_of;
    let flag = |is: bool, at: Option<OffsetDateTime>| (Some(f64::from(u8::from(is))), at);
    let event = |at: Option<OffsetDateTime>| flag(at.is_some(), at);
    let known = |name: &str| facts.figures.get(name).map(|it| (it.value, it.at)).unzip();
    let named = |name: &str| {
        let is_old =
            |it: Figure| it.source == FigureSource::Host && facts.days_since(it.at) > days_max;
        if facts.figures.get(name).is_some_and(is_old) { (None, None) } else { known(name) }
    };
    let (value, at) = match measure {
        M::HealthScore => named(names::HEALTH_SCORE),
        M::DaysSinceLastLogin => named(names::DAYS_SINCE_LAST_LOGIN),
        M::HighSeverityTickets => named(names::HIGH_SEVERITY_TICKETS),
        M::NpsScore => named(names::NPS_SCORE),
        // What is done stays done.
        M::OnboardingCompletion => known(names::ONBOARDING_COMPLETION),
        M::DaysAsCustomer => {
            let since = facts.customer_since();
            (Some(facts.days_since(since)), Some(since))
        }
        M::DaysInStage => (Some(facts.days_since(facts.stage_since)), Some(facts.stage_since)),
        M::DaysUntilRenewal => {
            (contract.renewal_at.map(|at| facts.days_until(at)), contract.renewal_at)
        }
        M::TrialDaysRemaining => {
            let end = contract.trial_ends_at.filter(counts);
            (end.map(|at| facts.days_until(at)), end)
        }
        M::OpenOpportunities => (Some(f64::from(expansion.open)), expansion.opened_at),
        M::PaidActive => flag(contract.has_active_paid, None),
        M::PaidEnded => {
            let ended = contract.ended_at.filter(|at| *at <= facts.as_of && counts(at));
            event(ended.filter(|_| !contract.has_active_paid))
        }
        M::Renewed => event(contract.renewed_at.filter(here)),
        M::RenewalDue => (None, None),
        M::NewOpportunity => {
            let opened = expansion.opened_at.filter(|at| *at <= facts.as_of);
            let left = facts.left_expanding_at;
            flag(left.is_none_or(|left| opened.is_some_and(|at| at > left)), opened)
        }
        M::OpportunityWon => event(expansion.won_at.filter(here)),
        M::OpportunityLost => event(expansion.lost_at.filter(here)),
        M::AccountOpen => flag(facts.status != CustomerStatus::Churned, None),
    };
    Found { measure, value, at }
}

/// Whether a renewal is near that was not made yet. What is renewed more often than the time before
/// a renewal is long, month by month, is not about to be renewed all the time: once it was, it is
/// running.
fn renewal_due(facts: &CustomerFacts, rules: &LifecycleRules) -> Found {
    let next = facts.contract.renewal_at;
    let near = next.is_some_and(|at| facts.days_until(at) <= rules.renewal_days);
    let before = Duration::checked_seconds_f64(rules.renewal_days * 86_400.0);
    let window = next.zip(before).map(|(at, before)| at.saturating_sub(before));
    let renewed = facts.contract.renewed_at.zip(window).is_some_and(|(last, from)| last > from);
    let value = f64::from(u8::from(near && !renewed));
    Found { measure: StageMeasure::RenewalDue, value: Some(value), at: next }
}

impl StageCondition {
    /// Whether the figure is as it must be.
    #[must_use]
    pub fn holds(&self) -> bool {
        let Some(value) = self.value else { return self.unknown_will_do };
        match self.is {
            StageRelation::Below => value < self.bound,
            StageRelation::AtMost => value <= self.bound,
            StageRelation::AtLeast => value >= self.bound,
            StageRelation::Above => value > self.bound,
        }
    }

    /// How far it is on the way to holding, 0–1; none if that is not known. It is 1 when it holds,
    /// and at a bound that it must be beyond.
    #[must_use]
    pub fn progress(&self) -> Option<f64> {
        if self.holds() {
            return Some(1.0);
        }
        let share = match self.is {
            StageRelation::AtLeast | StageRelation::Above => self.value? / self.bound,
            StageRelation::AtMost | StageRelation::Below => self.bound / self.value?,
        };
        // 0 ÷ 0 is no way at all.
        Some(if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 })
    }

    const fn or_unknown(mut self) -> Self {
        self.unknown_will_do = true;
        self
    }

    /// That a paid subscription is, or is no longer.
    pub(crate) fn happened(measure: StageMeasure, at: Option<OffsetDateTime>) -> Self {
        Found { measure, value: Some(1.0), at }.must(StageRelation::AtLeast, 1.0)
    }

    /// The figure, with as many decimals as it takes to tell it from the bound.
    fn number(&self, value: f64) -> String {
        for decimals in [2, 6] {
            let text = format!("{value:.decimals$}");
            let text = text.trim_end_matches('0').trim_end_matches('.');
            let shown = text.parse::<f64>();
            if shown.is_ok_and(|shown| {
                (shown < self.bound) == (value < self.bound)
                    && (shown > self.bound) == (value > self.bound)
            }) {
                return if text == "-0" { "0".to_owned() } else { text.to_owned() };
            }
        }
        format!("{value}")
    }
}

impl fmt::Display for StageCondition {
    /// `health score 35, below 40`, `NPS unknown, must be at least 9`, `it was renewed (2026-03-01)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some([is_so, is_not]) = self.measure.phrases() {
            let is = self.value.is_some_and(|value| value > 0.0);
            f.write_str(if is { is_so } else { is_not })?;
            return match self.at {
                Some(at) if is => write!(f, " ({})", at.date()),
                _ => Ok(()),
            };
        }
        let name = self.measure.label();
        let value = self.value.map_or("unknown".to_owned(), |value| self.number(value));
        let must = if self.holds() { "" } else { "must be " };
        let relation = self.is.as_str().replace('_', " ");
        write!(f, "{name} {value}, {must}{relation} {}", self.bound)
    }
}

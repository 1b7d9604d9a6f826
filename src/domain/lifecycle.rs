//! The journey of a customer: its stages, the rules that lead from one to the next, and their order.
//!
//! What ended comes first, then what endangers, then what the stage itself asks for. No rule fires
//! unless all its conditions hold, and what is not known holds for none.
//!
//! A renewal is prepared from `growing` alone: one that recommends the product goes on doing so, and
//! renews as it is.

mod condition;
mod journey;
mod measure;
mod rules;
mod stages;
#[cfg(test)]
mod tests;

pub use condition::StageCondition;
pub(crate) use journey::Why;
pub use journey::{
    Journey, JourneyId, JourneyReport, StageMilestone, StageTimes, StageTransition, TransitionId,
    TriggeredBy,
};
pub use measure::{StageMeasure, StageRelation};
pub use rules::LifecycleRules;
pub(crate) use stages::WORKFLOW;
pub use stages::{STAGES, StageGuide};

use super::customer::Stage;
use super::facts::CustomerFacts;
use crate::record::words;
use condition::conditions;
use std::fmt;

words! {
    /// What moves a customer from one stage of its journey to another.
    pub enum StageRule {
        /// The last paid subscription is over.
        PaidEnded = "paid_ended",
        /// The health is low.
        LowHealth = "low_health",
        /// Nobody has logged in for long.
        NoLogin = "no_login",
        /// Too many tickets of high severity are open.
        SevereTickets = "severe_tickets",
        /// It would not recommend the product.
        Detractor = "detractor",
        /// A trial has become a paid subscription.
        Converted = "converted",
        /// The trial is over.
        TrialExpired = "trial_expired",
        /// The onboarding is done, but for what does not matter.
        Onboarded = "onboarded",
        /// The onboarding takes too long.
        OnboardingStalled = "onboarding_stalled",
        /// The product has become a habit.
        Adopted = "adopted",
        /// The renewal is near.
        RenewalNear = "renewal_near",
        /// There is something to sell to it.
        OpportunityFound = "opportunity_found",
        /// It recommends the product, and does well.
        Promoter = "promoter",
        /// The renewal is completed.
        Renewed = "renewed",
        /// It has bought more.
        ExpansionWon = "expansion_won",
        /// It does not want more.
        ExpansionLost = "expansion_lost",
        /// It has not made up its mind in time.
        ExpansionOver = "expansion_over",
        /// The health of one that recommended the product has dropped.
        HealthDropped = "health_dropped",
        /// It would no longer recommend the product.
        PromoterLost = "promoter_lost",
        /// It is well again, and nothing endangers it.
        Recovered = "recovered",
        /// It has a paid subscription again.
        WonBack = "won_back",
        /// The account was churned.
        AccountChurned = "account_churned",
        /// The account was reactivated.
        AccountReactivated = "account_reactivated",
        /// Somebody moved it.
        ByHand = "by_hand",
    }
}

/// From which stages a rule leads.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Any,
    /// Any but those that are in danger already, or gone.
    Unendangered,
    In(Stage),
}

use Origin::{Any, In, Unendangered};
use Stage as S;

/// Every rule: from where, which, and to where. The first that fires is the one.
const TABLE: &[(Origin, StageRule, Stage)] = &[
    (Any, StageRule::PaidEnded, S::Churned),
    (Unendangered, StageRule::LowHealth, S::AtRisk),
    (Unendangered, StageRule::NoLogin, S::AtRisk),
    (Unendangered, StageRule::SevereTickets, S::AtRisk),
    (Unendangered, StageRule::Detractor, S::AtRisk),
    (In(S::Trial), StageRule::Converted, S::Onboarding),
    (In(S::Trial), StageRule::TrialExpired, S::Churned),
    (In(S::Onboarding), StageRule::Onboarded, S::Adopting),
    (In(S::Onboarding), StageRule::OnboardingStalled, S::AtRisk),
    (In(S::Adopting), StageRule::Adopted, S::Growing),
    (In(S::Growing), StageRule::RenewalNear, S::Renewing),
    (In(S::Growing), StageRule::OpportunityFound, S::Expanding),
    (In(S::Growing), StageRule::Promoter, S::Advocating),
    (In(S::Renewing), StageRule::Renewed, S::Growing),
    (In(S::Expanding), StageRule::ExpansionWon, S::Growing),
    (In(S::Expanding), StageRule::ExpansionLost, S::Growing),
    (In(S::Expanding), StageRule::ExpansionOver, S::Growing),
    (In(S::Advocating), StageRule::HealthDropped, S::Growing),
    (In(S::Advocating), StageRule::PromoterLost, S::Growing),
    (In(S::AtRisk), StageRule::Recovered, S::Growing),
    (In(S::Churned), StageRule::WonBack, S::Onboarding),
];

/// What endangers a customer in whatever stage.
const SIGNALS: [StageRule; 4] =
    [StageRule::LowHealth, StageRule::NoLogin, StageRule::SevereTickets, StageRule::Detractor];

impl Origin {
    fn covers(self, stage: Stage) -> bool {
        match self {
            Any => true,
            Unendangered => !matches!(stage, S::AtRisk | S::Churned),
            In(one) => one == stage,
        }
    }
}

/// A move to another stage, and why.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Move {
    /// The stage that is entered.
    pub to: Stage,
    /// Why.
    pub reason: StageReason,
}

/// A rule that fired, and the figures that it fired on. Its `Display` is a sentence.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StageReason {
    /// The rule.
    pub rule: StageRule,
    /// Its conditions with the figures, all of which hold; of a rule that endangers, also those of
    /// the others that do.
    pub figures: Vec<StageCondition>,
}

/// Where a customer goes next by what is known of it, or none if it stays where it is.
///
/// Repeated with the same facts, only that the stage was entered, it comes to an end and leads to no
/// stage twice.
///
/// ```
/// use tenure::{CustomerFacts, Figure, FigureSource, LifecycleRules, Stage, next_stage};
/// use time::macros::datetime;
///
/// let (begun, now) = (datetime!(2026-01-01 0:00 UTC), datetime!(2026-05-01 0:00 UTC));
/// let mut facts = CustomerFacts::new(uuid::Uuid::nil().into(), "pro".parse()?, begun, now);
/// facts.stage = Stage::Adopting;
/// assert_eq!(next_stage(&facts, &LifecycleRules::default()), None);
///
/// let health = Figure { value: 35.0, at: now, source: FigureSource::Host };
/// facts.figures.set("health_score", health);
/// let next = next_stage(&facts, &LifecycleRules::default()).unwrap();
/// assert_eq!(next.to, Stage::AtRisk);
/// assert_eq!(next.reason.to_string(), "health score 35, below 40");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn next_stage(facts: &CustomerFacts, rules: &LifecycleRules) -> Option<Move> {
    let rows = TABLE.iter().filter(|row| row.0.covers(facts.stage) && row.2 != facts.stage);
    for (_, rule, to) in rows {
        if let Some(mut figures) = fired(*rule, facts, rules) {
            if SIGNALS.contains(rule) {
                let others = SIGNALS.iter().filter(|other| *other > rule);
                figures.extend(others.filter_map(|other| fired(*other, facts, rules)).flatten());
            }
            return Some(Move { to: *to, reason: StageReason { rule: *rule, figures } });
        }
    }
    None
}

/// The conditions of a rule, if all of them hold.
fn fired(
    rule: StageRule,
    facts: &CustomerFacts,
    rules: &LifecycleRules,
) -> Option<Vec<StageCondition>> {
    let conditions = conditions(rule, facts, rules);
    conditions.iter().all(StageCondition::holds).then_some(conditions)
}

/// The rule by which a customer is meant to leave the stage that it is in, and where to.
fn goal(facts: &CustomerFacts) -> Option<(StageRule, Stage)> {
    let rule = match facts.stage {
        S::Trial => StageRule::Converted,
        S::Onboarding => StageRule::Onboarded,
        S::Adopting => StageRule::Adopted,
        S::Growing if facts.contract.renewal_at.is_some() => StageRule::RenewalNear,
        S::Growing => StageRule::Promoter,
        S::Renewing => StageRule::Renewed,
        S::Expanding => StageRule::ExpansionWon,
        S::Advocating => return None,
        S::AtRisk => StageRule::Recovered,
        S::Churned => StageRule::WonBack,
    };
    TABLE.iter().find(|row| row.1 == rule).map(|row| (rule, row.2))
}

impl StageRule {
    /// Whether the rules themselves, and not a person, move a customer by it.
    #[must_use]
    pub const fn is_automatic(self) -> bool {
        !matches!(self, Self::AccountChurned | Self::AccountReactivated | Self::ByHand)
    }
}

impl fmt::Display for StageReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, figure) in self.figures.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { "; " })?;
            figure.fmt(f)?;
        }
        Ok(())
    }
}

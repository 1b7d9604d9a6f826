//! What is kept of a customer's journey, and what is told of it.

use super::condition::{StageCondition, conditions};
use super::{LifecycleRules, StageGuide, StageReason, StageRule, goal};
use crate::domain::customer::{Customer, CustomerAction, CustomerId, Stage};
use crate::domain::facts::CustomerFacts;
use crate::record::{id, noun, words};
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};

id! {
    /// Identifies the journey of a customer: the customer's own UUID.
    JourneyId;
    /// Identifies a move of a customer from one stage to another.
    TransitionId;
}

words! {
    /// Who moved a customer to another stage.
    pub enum TriggeredBy {
        /// A rule, or what became of its subscriptions.
        Automatic = "automatic",
        /// A person, or the host.
        Manual = "manual",
    }
}

/// How long a customer was in each stage, in microseconds in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StageTimes(BTreeMap<Stage, i64>);

json_field!(StageTimes);

noun! {
    /// Where a customer is on its journey and has been. A customer that has none yet is in its first
    /// stage since it was created.
    pub struct Journey(JourneyId), "journey", "journeys", "success" {
        /// The customer's own id.
        id: JourneyId,
        /// The stage that the customer is in.
        stage: Stage => ["growing"],
        /// Since when it is there.
        since: OffsetDateTime,
        /// How far it has come; at risk and churned are no steps forward.
        furthest: Option<Stage> => ["renewing"],
        /// How long its last stay in each stage was that it has left, in microseconds.
        latest: StageTimes => ["{\"trial\":1209600000000}"],
        /// How long it was in each stage before this stay, all in all, in microseconds.
        total: StageTimes => ["{\"trial\":1209600000000}"],
        /// How often it moved from one stage to another.
        moves: i64 => ["3"],
        /// When it last came back after it had churned.
        returned_at: Option<OffsetDateTime>,
        /// When it was last expanding, if it no longer is.
        left_expanding_at: Option<OffsetDateTime>,
        /// When its standing was last changed by hand.
        status_set_at: Option<OffsetDateTime>,
        /// What its stage wants done to its standing, once what was set by hand no longer holds.
        status_owed: Option<CustomerAction> => ["flag_at_risk"],
    }
    relationships {
        customer: "customer" one "whose journey it is",
    }
}

noun! {
    /// A move of a customer from one stage of its journey to another.
    pub struct StageTransition(TransitionId), "stage transition", "stage transitions", "success" {
        /// Identifies the move.
        id: TransitionId,
        /// The customer.
        customer_id: CustomerId,
        /// Numbers the customer's moves from 1, in order.
        number: i64 => ["3"],
        /// The stage that it left.
        from: Stage => ["trial"],
        /// The stage that it entered.
        to: Stage => ["onboarding"],
        /// When.
        at: OffsetDateTime,
        /// What moved it.
        rule: StageRule => ["converted"],
        /// Why, as a sentence with the figures; of a move by hand, what was said.
        reason: String => ["health score 35, below 40"],
        /// The figures that the rule fired on.
        figures: Vec<StageCondition>,
        /// Whether a rule moved it or a person.
        triggered_by: TriggeredBy => ["automatic"],
        /// Who did it.
        performed_by: String => ["system"],
    }
    relationships {
        customer: "customer" one "who moved",
    }
}

/// Why a customer is moved, for the record.
pub(crate) struct Why {
    pub(crate) rule: StageRule,
    pub(crate) reason: String,
    pub(crate) figures: Vec<StageCondition>,
}

/// Where a customer is on its journey, how it got there, and what comes next.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct JourneyReport {
    /// The customer.
    pub customer_id: CustomerId,
    /// The stage that it is in.
    pub stage: Stage,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Whole days since then, never negative.
    pub days_in_stage: i64,
    /// How far it has come; at risk and churned are no steps forward.
    pub furthest: Option<Stage>,
    /// How long its last stay in each stage was, the present one included.
    pub latest: StageTimes,
    /// How long it was in each stage all in all, the present stay included.
    pub total: StageTimes,
    /// How often it moved.
    pub moves: i64,
    /// What it is on its way to; none for one that recommends the product.
    pub next_milestone: Option<StageMilestone>,
    /// What of the milestone's criteria does not hold, with the figures.
    pub blockers: Vec<StageCondition>,
}

/// What a customer is on its way to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StageMilestone {
    /// The stage that is entered by it.
    pub name: Stage,
    /// By when it is meant to be reached, where that can be told.
    #[serde(with = "time::serde::rfc3339::option")]
    pub target_date: Option<OffsetDateTime>,
    /// What must hold.
    pub criteria: Vec<StageCondition>,
    /// How far it is, 0–1, as far as the criterion that is furthest from holding; none if one of the
    /// figures is not known.
    pub progress: Option<f64>,
}

impl StageTimes {
    /// How long it was in this stage.
    #[must_use]
    pub fn get(&self, stage: Stage) -> Duration {
        Duration::microseconds(self.0.get(&stage).copied().unwrap_or(0))
    }

    /// Each stage that it was in, in order, and how long.
    pub fn iter(&self) -> impl Iterator<Item = (Stage, Duration)> {
        self.0.iter().map(|(stage, micros)| (*stage, Duration::microseconds(*micros)))
    }

    fn set(&mut self, stage: Stage, micros: i64) {
        self.0.insert(stage, micros);
    }

    fn add(&mut self, stage: Stage, micros: i64) {
        let time = self.0.entry(stage).or_default();
        *time = time.saturating_add(micros);
    }
}

impl From<CustomerId> for JourneyId {
    fn from(customer: CustomerId) -> Self {
        Self::from(customer.uuid())
    }
}

impl Why {
    /// A rule that moved it, and the figures.
    pub(crate) fn rule(rule: StageRule, figures: Vec<StageCondition>) -> Self {
        StageReason { rule, figures }.into()
    }
}

impl From<StageReason> for Why {
    fn from(reason: StageReason) -> Self {
        let text = reason.to_string();
        Self { rule: reason.rule, reason: text, figures: reason.figures }
    }
}

impl Journey {
    /// The journey of a customer that has not moved yet.
    pub(crate) fn of(customer: &Customer) -> Self {
        Self {
            id: customer.id.into(),
            stage: customer.stage,
            since: customer.created_at,
            furthest: forward(customer.stage),
            latest: StageTimes::default(),
            total: StageTimes::default(),
            moves: 0,
            returned_at: None,
            left_expanding_at: None,
            status_set_at: None,
            status_owed: None,
        }
    }

    /// Leaves the stage for another.
    pub(crate) fn go(&mut self, to: Stage, at: OffsetDateTime) {
        let stay = self.stay(at);
        self.latest.set(self.stage, stay);
        self.total.add(self.stage, stay);
        match self.stage {
            Stage::Churned => self.returned_at = Some(at),
            Stage::Expanding => self.left_expanding_at = Some(at),
            _ => {}
        }
        self.stage = to;
        self.since = at;
        self.furthest = self.furthest.max(forward(to));
        self.moves = self.moves.saturating_add(1);
    }

    /// Tells the rules what they need of it.
    pub(crate) const fn tell(&self, facts: &mut CustomerFacts) {
        facts.stage = self.stage;
        facts.stage_since = self.since;
        facts.returned_at = self.returned_at;
        facts.left_expanding_at = self.left_expanding_at;
    }

    /// Whether what was set by hand of the standing still holds.
    pub(crate) fn status_is_held(&self, now: OffsetDateTime, hold: Duration) -> bool {
        self.status_set_at.is_some_and(|at| now < at.saturating_add(hold))
    }

    /// What there is to tell of it, by facts that it was told to.
    pub(crate) fn report(&self, facts: &CustomerFacts, rules: &LifecycleRules) -> JourneyReport {
        let now = facts.as_of;
        let (mut latest, mut total) = (self.latest.clone(), self.total.clone());
        latest.set(self.stage, self.stay(now));
        total.add(self.stage, self.stay(now));
        let next_milestone = StageMilestone::of(facts, rules);
        let criteria = next_milestone.iter().flat_map(|it| &it.criteria);
        JourneyReport {
            customer_id: facts.customer_id,
            stage: self.stage,
            since: self.since,
            days_in_stage: latest.get(self.stage).whole_days(),
            furthest: self.furthest,
            latest,
            total,
            moves: self.moves,
            blockers: criteria.filter(|it| !it.holds()).copied().collect(),
            next_milestone,
        }
    }

    /// How long it has been in its stage, in microseconds; nothing if that lies ahead.
    fn stay(&self, now: OffsetDateTime) -> i64 {
        let micros = now.unix_timestamp_nanos().saturating_sub(self.since.unix_timestamp_nanos());
        i64::try_from(micros.div_euclid(1_000)).unwrap_or(0).max(0)
    }
}

impl StageMilestone {
    pub(super) fn of(facts: &CustomerFacts, rules: &LifecycleRules) -> Option<Self> {
        let (rule, name) = goal(facts)?;
        let criteria = conditions(rule, facts, rules);
        let after = |from: OffsetDateTime, days: f64| {
            from.checked_add(Duration::checked_seconds_f64(days * 86_400.0)?)
        };
        let contract = &facts.contract;
        let target_date = match rule {
            StageRule::Converted => contract.trial_ends_at,
            StageRule::Onboarded => after(facts.customer_since(), rules.onboarding_days),
            StageRule::Adopted => after(facts.customer_since(), rules.adoption_days),
            StageRule::RenewalNear => {
                contract.renewal_at.and_then(|at| after(at, -rules.renewal_days))
            }
            StageRule::Renewed => contract.renewal_at,
            StageRule::ExpansionWon => after(facts.stage_since, rules.expansion_days),
            StageRule::Recovered => StageGuide::of(Stage::AtRisk)
                .days_max
                .and_then(|days| after(facts.stage_since, f64::from(days))),
            _ => None,
        };
        let mut progress = Some(1.0_f64);
        for criterion in &criteria {
            progress = progress.zip(criterion.progress()).map(|(a, b)| a.min(b));
        }
        Some(Self { name, target_date, criteria, progress })
    }
}

/// The stage, if it is a step forward.
const fn forward(stage: Stage) -> Option<Stage> {
    match stage {
        Stage::AtRisk | Stage::Churned => None,
        step => Some(step),
    }
}

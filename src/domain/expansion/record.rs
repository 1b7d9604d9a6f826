//! Opportunities as they are kept, from their detection to what came of them.

use super::{ExpansionRules, ExpansionSignalKind, OpportunityKind, OpportunityTiming, Proposal};
use crate::domain::customer::CustomerId;
use crate::domain::link::ProductId;
use crate::domain::machine;
use crate::domain::money::Money;
use crate::domain::text::{Code, Note};
use crate::domain::user::UserId;
use crate::error::Result;
use crate::record::{id, noun, words};
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

id! {
    /// Identifies an opportunity.
    OpportunityId;
    /// Identifies what became of a customer's opportunities; the UUID is the customer's.
    ExpansionHistoryId;
}

words! {
    /// What became of an opportunity.
    pub enum OpportunityStatus {
        /// It is being talked about, or could be.
        Open = "open",
        /// It was sold.
        Won = "won",
        /// It was not.
        Lost = "lost",
    }
}

words! {
    /// What closes an opportunity.
    pub enum OpportunityAction {
        /// The customer bought.
        Win = "win",
        /// The customer did not.
        Lose = "lose",
    }
}

/// Every transition there is. What is not here is not allowed.
const TRANSITIONS: &[(OpportunityStatus, OpportunityAction, OpportunityStatus)] = &[
    (OpportunityStatus::Open, OpportunityAction::Win, OpportunityStatus::Won),
    (OpportunityStatus::Open, OpportunityAction::Lose, OpportunityStatus::Lost),
];

impl OpportunityStatus {
    /// What it becomes by `action`; none if it is that already.
    ///
    /// ```
    /// use tenure::{OpportunityAction, OpportunityStatus};
    ///
    /// let open = OpportunityStatus::Open;
    /// assert_eq!(open.after(OpportunityAction::Win)?, Some(OpportunityStatus::Won));
    /// assert!(OpportunityStatus::Won.after(OpportunityAction::Lose).is_err());
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidTransition`](crate::Error::InvalidTransition): what was won is not lost any
    /// more, nor the other way round.
    pub fn after(self, action: OpportunityAction) -> Result<Option<Self>> {
        let (from, by) = ((self, self.as_str()), (action, action.as_str()));
        machine::after("expansion opportunity", TRANSITIONS, from, by, OpportunityAction::as_str)
    }
}

json_field!(Vec<ExpansionSignalKind>, Vec<Code>, Vec<ClosedOpportunity>);

noun! {
    /// Something that a customer could buy on top, because signals speak for it. There is at most
    /// one open for each customer, kind and product.
    pub struct ExpansionOpportunity(OpportunityId), "expansion opportunity",
        "expansion opportunities", "success" {
        /// Identifies the opportunity.
        id: OpportunityId,
        /// Whose it is.
        customer_id: CustomerId,
        /// The customer again, as long as it is open and the customer is not deleted: by this it is
        /// found.
        open_for: Option<CustomerId>,
        /// Who looks after the customer's success.
        csm_id: Option<UserId>,
        /// What could be sold.
        kind: OpportunityKind => ["upsell"],
        /// The product to be sold on top.
        product_id: Option<ProductId> => ["crm"],
        /// The tier to be sold.
        target_tier: Option<Code> => ["pro"],
        /// The features to be sold.
        features: Vec<Code> => ["[\"sso\"]"],
        /// How many seats to be sold.
        seats: Option<u32> => ["3"],
        /// What it would bring in a month, not negative; none when that cannot be told.
        estimated_value: Option<Money> => ["{\"amount\":2450,\"currency\":\"EUR\"}"],
        /// How probable an expansion of the customer is, 0–1, to two decimals.
        probability: f64 => ["0.35"],
        /// What speaks for it.
        signals: Vec<ExpansionSignalKind> => ["[\"approaching_limit\"]"],
        /// What to do, in a sentence.
        recommended_action: String
            => ["Offer the tier pro: usage approaches a limit of starter."],
        /// When to do it.
        timing: OpportunityTiming => ["now"],
        /// What became of it.
        status: OpportunityStatus => ["open"],
        /// Why it was lost.
        lost_reason: Option<Note> => ["no budget this year"],
        /// When it was first found.
        detected_at: OffsetDateTime,
        /// When it last changed.
        updated_at: OffsetDateTime,
        /// When it was won or lost.
        closed_at: Option<OffsetDateTime>,
    }
    relationships {
        customer: "customer" one "whose it is",
        csm: "user" one "who looks after the customer's success",
    }
    actions { win => won, lose => lost }
    events { detected, updated }
}

/// An opportunity that was closed, as far as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ClosedOpportunity {
    /// What could have been sold.
    pub kind: OpportunityKind,
    /// See [`ExpansionOpportunity::product_id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ProductId>,
    /// See [`ExpansionOpportunity::target_tier`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_tier: Option<Code>,
    /// See [`ExpansionOpportunity::features`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Code>,
    /// Whether it was won.
    pub is_won: bool,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

noun! {
    /// What became of a customer's opportunities: one record, so that many customers' are read in
    /// one go.
    pub struct ExpansionHistory(ExpansionHistoryId), "expansion history", "expansion histories",
        "success" {
        /// Identifies the history; the customer's own UUID.
        id: ExpansionHistoryId,
        /// When one was last won.
        won_at: Option<OffsetDateTime>,
        /// When one was last lost.
        lost_at: Option<OffsetDateTime>,
        /// What was last closed, of each kind and product.
        closed: Vec<ClosedOpportunity>,
    }
}

impl ExpansionHistoryId {
    /// That of a customer.
    #[must_use]
    pub const fn of(customer: CustomerId) -> Self {
        Self(customer.uuid())
    }
}

impl ClosedOpportunity {
    /// Whether it stands against offering this now.
    fn stands_against(&self, it: &Proposal, rules: &ExpansionRules, now: OffsetDateTime) -> bool {
        let days = if self.is_won { rules.rest_after_win_days } else { rules.rest_after_loss_days };
        let is_resting = now < self.at.saturating_add(Duration::days(i64::from(days)));
        let is_known = it.features.iter().all(|feature| self.features.contains(feature));
        let same = (&self.kind, &self.product_id, &self.target_tier)
            == (&it.kind, &it.product, &it.target_tier);
        is_resting && same && is_known
    }
}

impl ExpansionHistory {
    /// A customer of whom nothing was closed yet.
    pub(crate) const fn new(customer: CustomerId) -> Self {
        let id = ExpansionHistoryId::of(customer);
        Self { id, won_at: None, lost_at: None, closed: Vec::new() }
    }

    /// Whether what was closed stands against offering this now.
    pub(crate) fn stands_against(
        &self,
        proposal: &Proposal,
        rules: &ExpansionRules,
        now: OffsetDateTime,
    ) -> bool {
        self.closed.iter().any(|it| it.stands_against(proposal, rules, now))
    }

    /// Remembers that one was closed.
    pub(crate) fn note(&mut self, closed: &ExpansionOpportunity, at: OffsetDateTime) {
        let is_won = closed.status == OpportunityStatus::Won;
        *(if is_won { &mut self.won_at } else { &mut self.lost_at }) = Some(at);
        self.closed.retain(|it| (it.kind, &it.product_id) != (closed.kind, &closed.product_id));
        self.closed.push(ClosedOpportunity {
            kind: closed.kind,
            product_id: closed.product_id.clone(),
            target_tier: closed.target_tier.clone(),
            features: closed.features.clone(),
            is_won,
            at,
        });
    }
}

impl ExpansionOpportunity {
    /// Whether this is about it.
    pub(crate) fn is_about(&self, proposal: &Proposal) -> bool {
        (self.kind, &self.product_id) == (proposal.kind, &proposal.product)
    }

    /// Takes over what was last found. Returns whether anything changed.
    pub(crate) fn refresh(
        &mut self,
        proposal: Proposal,
        probability: f64,
        signals: &[ExpansionSignalKind],
    ) -> bool {
        let before = self.clone();
        self.target_tier = proposal.target_tier;
        self.features = proposal.features;
        self.seats = proposal.seats;
        self.estimated_value = proposal.estimated_value;
        self.recommended_action = proposal.recommended_action;
        self.timing = proposal.timing;
        self.probability = probability;
        self.signals = signals.to_vec();
        *self != before
    }
}

//! Subscriptions: what a customer has agreed to pay for, now and before.

use super::customer::CustomerId;
use super::document::Document;
use super::link::ProductId;
use super::machine::after;
use super::money::Money;
use super::text::{Code, ExternalId, Name};
use super::tier::{Fee, TierOverride};
use crate::error::Error;
use crate::record::{id, noun, words};
use std::num::NonZeroU32;
use time::OffsetDateTime;

id! {
    /// Identifies a subscription.
    SubscriptionId;
}

words! {
    /// Where a subscription stands.
    pub enum SubscriptionStatus {
        /// Agreed, not yet started.
        Pending = "pending",
        /// Being tried.
        Trialing = "trialing",
        /// Running.
        Active = "active",
        /// Running, with a payment missing.
        PastDue = "past_due",
        /// Ended by somebody.
        Cancelled = "cancelled" | "canceled",
        /// Ended by time.
        Expired = "expired",
    }
}

words! {
    /// What moves a subscription.
    pub enum SubscriptionAction {
        /// It starts, or the missing payment arrived.
        Activate = "activate",
        /// A payment is missing.
        MarkPastDue = "mark_past_due",
        /// Somebody ends it.
        Cancel = "cancel",
        /// Its time is over.
        Expire = "expire",
        /// It goes on for another period.
        Renew = "renew",
    }
}

words! {
    /// How often a subscription is paid.
    pub enum BillingCycle {
        /// Every month.
        Monthly = "monthly" | "month",
        /// Every year.
        Yearly = "yearly" | "year" | "annual",
        /// Once.
        Lifetime = "lifetime",
    }
}

words! {
    /// Why there is a subscription.
    pub enum SubscriptionKind {
        /// Every customer has one while it pays for nothing.
        Free = "free",
        /// The customer pays for it.
        Paid = "paid",
        /// The org gave it: there is no payment.
        Manual = "manual",
    }
}

use SubscriptionAction as A;
use SubscriptionStatus as S;

/// Every transition there is. What is not here is not allowed.
pub const TRANSITIONS: &[(S, A, S)] = &[
    (S::Pending, A::Activate, S::Active),
    (S::Pending, A::Cancel, S::Cancelled),
    (S::Pending, A::Expire, S::Expired),
    (S::Trialing, A::Activate, S::Active),
    (S::Trialing, A::MarkPastDue, S::PastDue),
    (S::Trialing, A::Cancel, S::Cancelled),
    (S::Trialing, A::Expire, S::Expired),
    (S::Active, A::MarkPastDue, S::PastDue),
    (S::Active, A::Cancel, S::Cancelled),
    (S::Active, A::Expire, S::Expired),
    (S::Active, A::Renew, S::Active),
    (S::PastDue, A::Activate, S::Active),
    (S::PastDue, A::Cancel, S::Cancelled),
    (S::PastDue, A::Expire, S::Expired),
    (S::PastDue, A::Renew, S::Active),
];

impl SubscriptionStatus {
    /// The status after `action`, or `None` if nothing changes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidTransition`] when the action is not allowed here; it names what is.
    pub fn after(self, action: SubscriptionAction) -> Result<Option<Self>, Error> {
        let (from, action_word) = (self.as_str(), action.as_str());
        after("subscription", TRANSITIONS, (self, from), (action, action_word), A::as_str)
    }

    /// Whether it gives its tier: trialing, active or past due.
    #[must_use]
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Trialing | Self::Active | Self::PastDue)
    }

    /// Whether it is over for good.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Cancelled | Self::Expired)
    }
}

noun! {
    /// What a customer has agreed to pay for in one product. Those that are over stay, as history.
    pub struct Subscription(SubscriptionId), "subscription", "subscriptions", "catalogue" {
        /// Identifies the subscription.
        id: SubscriptionId,
        /// Who has it.
        customer_id: CustomerId,
        /// The product that it is for.
        product_id: ProductId => ["default"],
        /// Whether it is the free one, a paid one, or a gift of the org.
        kind: SubscriptionKind => ["paid"],
        /// The code of the tier that it gives.
        tier_code: Code => ["pro"],
        /// The version of that tier; 0 for a tier that was not defined.
        tier_version: u32 => ["1"],
        /// What the plan is called.
        plan_name: Name => ["Pro"],
        /// What this subscription is called.
        display_name: Option<Name> => ["Pro, Berlin store"],
        /// Where it stands.
        status: SubscriptionStatus => ["active"],
        /// How often it is paid.
        billing_cycle: BillingCycle => ["monthly"],
        /// When it started: the anchor of its periods and of the resets of what it gives.
        start_date: OffsetDateTime,
        /// When it ends, or ended.
        end_date: Option<OffsetDateTime>,
        /// When it is renewed.
        renewal_date: Option<OffsetDateTime>,
        /// When it was last renewed.
        renewed_at: Option<OffsetDateTime>,
        /// When its trial ends.
        trial_ends_at: Option<OffsetDateTime>,
        /// When somebody asked for its end.
        cancelled_at: Option<OffsetDateTime>,
        /// Whether it ends with the running period.
        cancel_at_period_end: bool => ["false"],
        /// Seats, at least 1.
        quantity: u32 => ["5"],
        /// What it brings in a month.
        mrr: Option<Money> => ["{\"amount\":4900,\"currency\":\"EUR\"}"],
        /// The tier that it changes to at the end of the running period.
        next_tier_code: Option<Code>,
        /// Its id at Stripe.
        stripe_subscription_id: Option<ExternalId> => ["sub_1PqX"],
        /// The customer's id at Stripe.
        stripe_customer_id: Option<ExternalId> => ["cus_9s6X"],
        /// Its prices at Stripe.
        stripe_price_ids: Vec<String>,
        /// The checkout session that it came from.
        checkout_session_id: Option<ExternalId> => ["cs_test_a1"],
        /// What the tier gives, overridden for this customer.
        overrides: Vec<TierOverride>,
        /// Anything of the host's.
        metadata: Document,
        /// When it was recorded.
        created_at: OffsetDateTime,
        /// When it last changed.
        updated_at: OffsetDateTime,
        /// Counts the changes of the record, from 1.
        version: i64 => ["1"],
    }
    relationships {
        customer: "customer" one "who has it",
        tier: "tier" one "what it gives",
        entitlements: "entitlement" many "the rights that follow from it",
    }
    actions {
        add => added, update => updated, activate => activated, mark_past_due => past_due_marked,
        cancel => cancelled, renew => renewed, expire => expired,
    }
    events { limit_exceeded }
}

impl SubscriptionAction {
    /// The event that tells of it.
    #[must_use]
    pub const fn event(self) -> &'static str {
        match self {
            Self::Activate => "activated",
            Self::MarkPastDue => "past_due_marked",
            Self::Cancel => "cancelled",
            Self::Expire => "expired",
            Self::Renew => "renewed",
        }
    }
}

/// What a fee brings in a month for so many seats: a yearly one a twelfth, one for life nothing.
/// None when that is out of range.
#[must_use]
pub fn monthly_revenue(fee: &Fee, seats: u32) -> Option<Money> {
    const TWELVE: NonZeroU32 = NonZeroU32::MIN.saturating_add(11);
    let all = fee.amount.checked_mul(i64::from(seats))?;
    Some(match fee.interval {
        BillingCycle::Monthly => all,
        BillingCycle::Yearly => all.divided_by(TWELVE),
        BillingCycle::Lifetime => Money { amount: 0, ..all },
    })
}

/// A subscription to be added.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NewSubscription {
    /// The code of the tier.
    pub tier_code: String,
    /// Paid unless told otherwise.
    pub kind: SubscriptionKind,
    /// Active unless told otherwise.
    pub status: SubscriptionStatus,
    /// The interval of the tier's fee unless told otherwise, else monthly.
    pub billing_cycle: Option<BillingCycle>,
    /// When it starts; now unless told otherwise.
    pub start_date: Option<OffsetDateTime>,
    /// When it ends, if that is known.
    pub end_date: Option<OffsetDateTime>,
    /// When its trial ends; the tier's trial days after its start if it is trialing.
    pub trial_ends_at: Option<OffsetDateTime>,
    /// Seats; 1 unless told otherwise.
    pub quantity: u32,
    /// What this subscription is called.
    pub display_name: Option<String>,
    /// Its id at Stripe.
    pub stripe_subscription_id: Option<String>,
    /// The customer's id at Stripe.
    pub stripe_customer_id: Option<String>,
    /// Its prices at Stripe.
    pub stripe_price_ids: Vec<String>,
    /// The checkout session that it came from.
    pub checkout_session_id: Option<String>,
    /// What the tier gives, overridden for this customer.
    pub overrides: Vec<TierOverride>,
}

impl NewSubscription {
    /// A paid, active subscription of one seat that starts now.
    #[must_use]
    pub fn to(tier_code: impl Into<String>) -> Self {
        Self {
            tier_code: tier_code.into(),
            kind: SubscriptionKind::Paid,
            status: SubscriptionStatus::Active,
            billing_cycle: None,
            start_date: None,
            end_date: None,
            trial_ends_at: None,
            quantity: 1,
            display_name: None,
            stripe_subscription_id: None,
            stripe_customer_id: None,
            stripe_price_ids: Vec::new(),
            checkout_session_id: None,
            overrides: Vec::new(),
        }
    }

    /// When it started.
    #[must_use]
    pub const fn started(mut self, at: OffsetDateTime) -> Self {
        self.start_date = Some(at);
        self
    }

    /// How many seats.
    #[must_use]
    pub const fn seats(mut self, quantity: u32) -> Self {
        self.quantity = quantity;
        self
    }

    /// On trial.
    #[must_use]
    pub const fn trial(mut self) -> Self {
        self.status = SubscriptionStatus::Trialing;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_stays_over() {
        for over in [S::Cancelled, S::Expired] {
            for action in A::ALL {
                assert!(!matches!(over.after(*action), Ok(Some(_))), "{over} {action}");
            }
        }
        assert_eq!(S::Cancelled.after(A::Cancel).unwrap(), None);
    }

    #[test]
    fn a_yearly_fee_brings_a_twelfth_a_month_and_a_lifetime_one_nothing() {
        let fee = |interval| Fee {
            amount: Money::new(12_000, "EUR".parse().unwrap()),
            interval,
            stripe_price_id: None,
        };
        let brings = |interval| monthly_revenue(&fee(interval), 3).unwrap().amount;
        assert_eq!(brings(BillingCycle::Monthly), 36_000);
        assert_eq!(brings(BillingCycle::Yearly), 3_000);
        assert_eq!(brings(BillingCycle::Lifetime), 0);
        assert_eq!(
            monthly_revenue(
                &Fee {
                    amount: Money::new(i64::MAX, "EUR".parse().unwrap()),
                    ..fee(BillingCycle::Monthly)
                },
                2
            ),
            None
        );
    }
}

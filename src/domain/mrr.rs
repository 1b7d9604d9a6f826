//! The ledger of monthly recurring revenue: every change of it, so that start and movements are
//! the end.
//!
//! A paid subscription counts while it is active or past due: a missing payment is not a
//! cancellation. One on trial, a free one and a gift bring nothing, nor does one for life. Each
//! currency has a book of its own; nothing is ever added across two.

mod book;

use super::csv;
use super::customer::CustomerId;
use super::link::ProductId;
use super::money::Money;
use super::subscription::{Subscription, SubscriptionId, SubscriptionKind, SubscriptionStatus};
use super::text::Code;
use crate::record::{id, noun, words};
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub(crate) use book::{OutOfRange, Paid, paid_times};

id! {
    /// Identifies a movement of monthly recurring revenue.
    MrrMovementId;
}

words! {
    /// What a movement means for the customer's revenue in its currency.
    pub enum MrrKind {
        /// The first that it ever paid.
        New = "new",
        /// More than before.
        Expansion = "expansion",
        /// Less than before, and still something.
        Contraction = "contraction",
        /// Nothing any more.
        Churn = "churn",
        /// Something again.
        Reactivation = "reactivation",
        /// Taken off the books by a reset of a product's links, which is no decision of the
        /// customer.
        Reset = "reset",
    }
}

noun! {
    /// A change of what a customer's paid subscriptions bring in a month, in one currency. It is
    /// written by the transaction that changed the subscription, and never altered.
    pub struct MrrMovement(MrrMovementId), "mrr movement", "mrr movements", "revenue" {
        /// Identifies the movement.
        id: MrrMovementId,
        /// Whose revenue changed.
        customer_id: CustomerId,
        /// Numbers the movements of the customer, from 1 and without a gap.
        number: i64 => ["1"],
        /// The product that was subscribed to.
        product_id: ProductId => ["default"],
        /// The subscription that brought it about.
        subscription_id: SubscriptionId,
        /// What it means.
        kind: MrrKind => ["expansion"],
        /// By how much: negative for less.
        amount: Money => ["{\"amount\":4900,\"currency\":\"EUR\"}"],
        /// What the customer brought in this currency before.
        mrr_before: Money,
        /// What it has brought since.
        mrr_after: Money,
        /// Since when it has been so; earlier than `at` for what was recorded later.
        effective_at: OffsetDateTime,
        /// When it was written: reports go by it, so that one of a time that is over never changes.
        at: OffsetDateTime,
    }
    relationships {
        customer: "customer" one "whose revenue changed",
        subscription: "subscription" one "what brought it about",
    }
    events { recorded }
}

/// What one subscription brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RevenuePart {
    /// The subscription.
    pub subscription_id: SubscriptionId,
    /// The product that it is for.
    pub product_id: ProductId,
    /// What it brings in a month, more than nothing.
    pub mrr: Money,
}

json_field!(Vec<RevenuePart>, Vec<Money>);

noun! {
    /// What a customer brings in a month, and since when it has paid. There is one as soon as it
    /// has paid for anything; its id is the customer's.
    pub struct CustomerRevenue(CustomerId), "customer revenue", "customer revenues", "revenue" {
        /// The customer.
        id: CustomerId,
        /// What it brings in a month: one sum for each currency that it ever paid in.
        mrr: Vec<Money> => ["[{\"amount\":4900,\"currency\":\"EUR\"}]"],
        /// What each of its subscriptions adds to that.
        parts: Vec<RevenuePart>,
        /// How many movements there are.
        movements: i64 => ["3"],
        /// Since when it has paid, or had: the past that was recorded later counts as it was.
        first_paid_at: OffsetDateTime,
        /// The tier that it first paid for.
        first_tier: Code => ["pro"],
        /// When it first stopped paying anything; none if it never did, or a reset came before.
        left_at: Option<OffsetDateTime>,
        /// When a reset first left it with nothing, unless it had stopped paying before.
        reset_at: Option<OffsetDateTime>,
        /// When the last movement was written.
        changed_at: OffsetDateTime,
    }
    relationships {
        customer: "customer" one "whose revenue it is",
        movements: "mrr movement" many "how it came to be",
    }
}

impl Subscription {
    /// What it adds to the monthly recurring revenue now: nothing unless it is a paid one that is
    /// active or past due.
    #[must_use]
    pub fn recurring_revenue(&self) -> Option<Money> {
        let counts = self.kind == SubscriptionKind::Paid
            && matches!(self.status, SubscriptionStatus::Active | SubscriptionStatus::PastDue);
        self.mrr.filter(|mrr| counts && mrr.amount > 0)
    }

    /// Whether the customer pays for it: past due is not active, and neither is a trial.
    pub(crate) fn is_active_paid(&self) -> bool {
        self.kind == SubscriptionKind::Paid && self.status == SubscriptionStatus::Active
    }

    /// Since when it has brought what it brings, if that was recorded at `now`.
    fn brought_since(&self, now: OffsetDateTime) -> OffsetDateTime {
        if self.created_at != now {
            return now;
        }
        self.trial_ends_at.map_or(self.start_date, |end| end.max(self.start_date)).min(now)
    }

    /// Until when it brought anything, if its end was recorded at `now`.
    fn brought_until(&self, now: OffsetDateTime) -> OffsetDateTime {
        self.end_date.filter(|end| self.status.is_over() && *end <= now).unwrap_or(now)
    }
}

impl MrrMovement {
    /// The columns of [`csv`](Self::csv).
    pub const CSV_HEADER: &'static str = "id,customer_id,number,product_id,subscription_id,kind,amount,mrr_before,mrr_after,\
         currency,effective_at,at";

    /// The movement as a line of CSV (RFC 4180) without its end: amounts in minor units, instants
    /// in RFC 3339.
    #[must_use]
    pub fn csv(&self) -> String {
        csv::line([
            self.id.to_string().as_str(),
            &self.customer_id.to_string(),
            &self.number.to_string(),
            self.product_id.as_str(),
            &self.subscription_id.to_string(),
            self.kind.as_str(),
            &self.amount.amount.to_string(),
            &self.mrr_before.amount.to_string(),
            &self.mrr_after.amount.to_string(),
            self.amount.currency.code(),
            &csv::instant(self.effective_at),
            &csv::instant(self.at),
        ])
    }
}

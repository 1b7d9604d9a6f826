//! The ledger of monthly recurring revenue: every change of it, so that start and movements are
//! the end.
//!
//! A paid subscription counts while it is active or past due: a missing payment is not a
//! cancellation. One on trial, a free one and a gift bring nothing, nor does one for life. Each
//! currency has a book of its own; nothing is ever added across two.

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

/// A step from one sum to another, of one subscription in one currency.
struct Step<'s> {
    subscription: &'s Subscription,
    amount: Money,
    effective_at: OffsetDateTime,
}

impl CustomerRevenue {
    /// What it brings in `currency`; none if it never paid in it.
    #[must_use]
    pub fn mrr_in(&self, currency: super::money::Currency) -> Option<Money> {
        self.mrr.iter().find(|it| it.currency == currency).copied()
    }

    /// Whether it pays anything now.
    #[must_use]
    pub fn is_paying(&self) -> bool {
        self.mrr.iter().any(|it| it.amount > 0)
    }

    fn blank(subscription: &Subscription, since: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self {
            id: subscription.customer_id,
            mrr: Vec::new(),
            parts: Vec::new(),
            movements: 0,
            first_paid_at: since,
            first_tier: subscription.tier_code.clone(),
            left_at: None,
            reset_at: None,
            changed_at: now,
        }
    }

    /// What follows from what the subscriptions of a customer, all of them, bring now: its new
    /// standing, and the movements that led to it. None if nothing changed, an error if a sum is out
    /// of range. `is_reset` says that a reset was the reason.
    pub(crate) fn follow(
        before: Option<Self>,
        subscriptions: &[Subscription],
        is_reset: bool,
        now: OffsetDateTime,
        mut fresh: impl FnMut() -> MrrMovementId,
    ) -> Result<Option<(Self, Vec<MrrMovement>)>, OutOfRange> {
        let steps = steps(before.as_ref(), subscriptions, now);
        let Some(first) = steps.first() else { return Ok(None) };
        let mut state =
            before.unwrap_or_else(|| Self::blank(first.subscription, first.effective_at, now));
        for step in steps.iter().filter(|it| it.amount.amount > 0) {
            if step.effective_at < state.first_paid_at {
                state.first_paid_at = step.effective_at;
                state.first_tier = step.subscription.tier_code.clone();
            }
        }
        let was_paying = state.is_paying();
        // A clock that was set back does not turn the order of the movements around.
        let at = now.max(state.changed_at);
        let mut movements = Vec::with_capacity(steps.len());
        for step in &steps {
            state.movements = state.movements.saturating_add(1);
            let (kind, mrr_before, mrr_after) = state.enter(step.amount, is_reset)?;
            movements.push(MrrMovement {
                id: fresh(),
                customer_id: state.id,
                number: state.movements,
                product_id: step.subscription.product_id.clone(),
                subscription_id: step.subscription.id,
                kind,
                amount: step.amount,
                mrr_before,
                mrr_after,
                effective_at: step.effective_at,
                at,
            });
        }
        let part = |it: &Subscription| {
            let (subscription_id, product_id) = (it.id, it.product_id.clone());
            it.recurring_revenue().map(|mrr| RevenuePart { subscription_id, product_id, mrr })
        };
        state.parts = subscriptions.iter().filter_map(part).collect();
        state.changed_at = at;
        let stopped = was_paying && !state.is_paying();
        if stopped && state.left_at.is_none() && state.reset_at.is_none() {
            let end = steps.iter().map(|it| it.effective_at).max();
            let end = end.unwrap_or(now).max(state.first_paid_at);
            let field = if is_reset { &mut state.reset_at } else { &mut state.left_at };
            *field = Some(end);
        }
        Ok(Some((state, movements)))
    }

    /// Enters a change in the book of its currency.
    fn enter(
        &mut self,
        change: Money,
        is_reset: bool,
    ) -> Result<(MrrKind, Money, Money), OutOfRange> {
        let known = self.mrr.iter_mut().find(|it| it.currency == change.currency);
        let is_known = known.is_some();
        let before = known.as_ref().map_or(Money { amount: 0, ..change }, |it| **it);
        let after = before.checked_add(change).ok_or(OutOfRange)?;
        match known {
            Some(book) => *book = after,
            None => self.mrr.push(after),
        }
        let kind = match (before.amount, after.amount) {
            (from, to) if to < from && is_reset => MrrKind::Reset,
            (_, 0) => MrrKind::Churn,
            (0, _) if is_known => MrrKind::Reactivation,
            (0, _) => MrrKind::New,
            (from, to) if to > from => MrrKind::Expansion,
            _ => MrrKind::Contraction,
        };
        Ok((kind, before, after))
    }
}

/// When a subscription brought something: from the first instant until just before the second, or
/// until now.
pub(crate) type Paid = (OffsetDateTime, Option<OffsetDateTime>);

/// When any subscription of a customer brought something, by its movements in their order.
pub(crate) fn paid_times(movements: &[MrrMovement]) -> Vec<Paid> {
    let mut done = Vec::new();
    let mut running: Vec<(&MrrMovement, i64)> = Vec::new();
    for it in movements {
        let same = |(begun, _): &(&MrrMovement, i64)| {
            begun.subscription_id == it.subscription_id
                && begun.amount.currency == it.amount.currency
        };
        let Some(place) = running.iter().position(same) else {
            running.push((it, it.amount.amount));
            continue;
        };
        if let Some((begun, sum)) = running.get_mut(place) {
            *sum = sum.saturating_add(it.amount.amount);
            if *sum <= 0 {
                done.push((begun.effective_at, Some(it.effective_at.max(begun.effective_at))));
                running.swap_remove(place);
            }
        }
    }
    done.extend(running.iter().map(|(begun, _)| (begun.effective_at, None)));
    done
}

/// A customer's revenue is beyond what can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfRange;

/// How what the subscriptions bring differs from the parts that are known: more first, so that
/// what takes the place of another is no departure.
fn steps<'s>(
    before: Option<&CustomerRevenue>,
    subscriptions: &'s [Subscription],
    now: OffsetDateTime,
) -> Vec<Step<'s>> {
    let mut steps = Vec::new();
    for subscription in subscriptions {
        let known = before.and_then(|it| {
            let mut parts = it.parts.iter();
            parts.find(|part| part.subscription_id == subscription.id).map(|part| part.mrr)
        });
        let brings = subscription.recurring_revenue();
        let less = known.map(|known| Money { amount: known.amount.saturating_neg(), ..known });
        // What goes on in the same currency is one step.
        let (less, more) = match (less, brings) {
            (Some(less), Some(more)) if less.currency == more.currency => {
                (None, less.checked_add(more))
            }
            both => both,
        };
        let effective_at = match (known, brings) {
            (None, _) => subscription.brought_since(now),
            (_, None) => subscription.brought_until(now),
            _ => now,
        };
        for amount in [more, less].into_iter().flatten().filter(|it| it.amount != 0) {
            steps.push(Step { subscription, amount, effective_at });
        }
    }
    steps.sort_by_key(|step| std::cmp::Reverse(step.amount.amount));
    steps
}

impl MrrMovement {
    /// The columns of [`csv`](Self::csv).
    pub const CSV_HEADER: &'static str = "id,customer_id,number,product_id,subscription_id,kind,amount,mrr_before,mrr_after,\
         currency,effective_at,at";

    /// The movement as a line of CSV (RFC 4180) without its end: amounts in minor units, instants
    /// in RFC 3339.
    #[must_use]
    pub fn csv(&self) -> String {
        let instant = |at: OffsetDateTime| {
            at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
        };
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
            &instant(self.effective_at),
            &instant(self.at),
        ])
    }
}

//! What the rules of the journey look at, as far as a customer and its subscriptions show it.

use crate::domain::customer::Customer;
use crate::domain::facts::{CustomerFacts, Figure, FigureSource, names};
use crate::domain::subscription::{Subscription, SubscriptionKind, SubscriptionStatus};
use crate::error::Result;
use crate::tx::View;
use time::OffsetDateTime;

impl View<'_> {
    /// What the customer's own record and its subscriptions show of what the rules look at.
    pub(super) fn stage_facts(&self, customer: &Customer) -> Result<CustomerFacts> {
        let (tier, now) = (customer.tier.clone(), self.now());
        let mut facts = CustomerFacts::new(customer.id, tier, customer.created_at, now);
        facts.status = customer.status;
        facts.kind = customer.kind;
        facts.size = customer.size;
        facts.csm_id = customer.csm_id;
        for (name, value) in [
            (names::HEALTH_SCORE, customer.health_score),
            (names::ENGAGEMENT_SCORE, customer.engagement_score),
        ] {
            if let Some(value) = value {
                let (value, source) = (f64::from(value), FigureSource::Derived);
                facts.figures.set(name, Figure { value, at: now, source });
            }
        }
        let mut paid = self.subscriptions(customer.id)?;
        paid.retain(|it| {
            it.kind == SubscriptionKind::Paid && it.status != SubscriptionStatus::Pending
        });
        let running = || paid.iter().filter(|it| it.status.is_running());
        let contract = &mut facts.contract;
        contract.had_paid = !paid.is_empty();
        contract.has_active_paid = running().any(|it| it.status == SubscriptionStatus::Active);
        contract.renewal_at =
            running().filter(|it| !it.cancel_at_period_end).filter_map(|it| it.renewal_date).min();
        contract.trial_ends_at = paid.iter().filter_map(|it| it.trial_ends_at).max();
        if running().next().is_none() {
            contract.ended_at = paid.iter().filter_map(end).max();
        }
        Ok(facts)
    }
}

/// When a subscription that is over ended.
fn end(subscription: &Subscription) -> Option<OffsetDateTime> {
    subscription.end_date.or(subscription.cancelled_at)
}

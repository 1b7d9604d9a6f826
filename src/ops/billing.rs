//! Billing: checkouts claimed, subscriptions linked. The gateway is asked before the transaction,
//! never inside it.

use crate::domain::billing::{ActiveSubscription, BillingLink, BillingStatus, GatewaySubscription};
use crate::domain::customer::CustomerId;
use crate::domain::money::Money;
use crate::domain::subscription::{NewSubscription, Subscription};
use crate::domain::text::ExternalId;
use crate::domain::tier::{Tier, TierId};
use crate::error::{Error, Result};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tenure::Tenure;
use crate::tx::{Tx, View};

const STRIPE_ID: Col = <Subscription as Stored>::TABLE.col("stripe_subscription_id");
const SESSION: Col = <Subscription as Stored>::TABLE.col("checkout_session_id");

impl Tenure {
    /// Claims a checkout session for a customer: records its subscription and gives its tier, found
    /// by price. Claiming it again says so and changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such customer, session or tier;
    /// [`Error::CheckoutIncomplete`]; [`Error::Taken`] when another customer claimed it;
    /// [`Error::Gateway`].
    pub fn claim_checkout(&self, customer: CustomerId, session_id: &str) -> Result<BillingLink> {
        let id = external("checkoutSessionId", session_id)?;
        if let Some(claimed) = self.read(|view| view.claimed(customer, SESSION, &id))? {
            return Ok(claimed);
        }
        let gateway = self.billing()?;
        let missing = || Error::not_found("checkout session", session_id);
        let session = gateway.checkout_session(&id)?.ok_or_else(missing)?;
        let Some(subscription) = session.subscription_id.filter(|_| session.is_complete) else {
            let (session, status) = (crate::domain::text::shortened(session_id), session.status);
            return Err(Error::CheckoutIncomplete { session, status });
        };
        let subscription_id = external("subscriptionId", &subscription)?;
        let missing = || Error::not_found("subscription", &subscription);
        let found = gateway.subscription(&subscription_id)?.ok_or_else(missing)?;
        self.write(|tx| tx.take_up(customer, &found, Some(&id), None, None))
    }

    /// Links a subscription at the billing gateway to a customer and gives its tier: `tier_code`,
    /// else the one found by price. The customer at the gateway is the subscription's unless it is
    /// given. Linking it again says so and changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such customer, subscription or tier; [`Error::Taken`]
    /// when another customer has it; [`Error::Gateway`].
    pub fn link_subscription(
        &self,
        customer: CustomerId,
        stripe_subscription_id: &str,
        stripe_customer_id: Option<&str>,
        tier_code: Option<&str>,
        display_name: Option<&str>,
    ) -> Result<BillingLink> {
        let id = external("stripeSubscriptionId", stripe_subscription_id)?;
        if let Some(linked) = self.read(|view| view.claimed(customer, STRIPE_ID, &id))? {
            return Ok(linked);
        }
        let missing = || Error::not_found("subscription", stripe_subscription_id);
        let mut found = self.billing()?.subscription(&id)?.ok_or_else(missing)?;
        if let Some(given) = stripe_customer_id {
            given.clone_into(&mut found.customer_id);
        }
        self.write(|tx| tx.take_up(customer, &found, None, tier_code, display_name))
    }
}

impl View<'_> {
    /// Where a customer stands with its payments.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn billing_status(&self, customer: CustomerId) -> Result<BillingStatus> {
        self.customer(customer)?;
        let running = self.running(customer)?;
        let mrr = monthly_sums(running.iter().filter_map(Subscription::recurring_revenue))?;
        let mut active_subscriptions = Vec::new();
        for subscription in running {
            let id = TierId::of(&subscription.tier_code, subscription.tier_version);
            let tier = self.get::<Tier>(id)?;
            active_subscriptions.push(ActiveSubscription { subscription, tier });
        }
        let access = self.list_access(customer)?;
        let profile = |it: &ActiveSubscription| it.subscription.stripe_customer_id.is_some();
        Ok(BillingStatus {
            has_billing_profile: active_subscriptions.iter().any(profile),
            active_subscriptions,
            enabled_features_count: access.iter().filter(|it| it.is_enabled).count(),
            mrr,
        })
    }

    /// The subscription that a session or Stripe's id was recorded with; a conflict if another
    /// customer has it.
    fn claimed(
        &self,
        customer: CustomerId,
        col: Col,
        id: &ExternalId,
    ) -> Result<Option<BillingLink>> {
        self.customer(customer)?;
        let query = Query::all().eq(col, &Some(id.clone()));
        let Some(held) = self.first::<Subscription>(query)? else { return Ok(None) };
        if held.customer_id != customer {
            let field = if col == SESSION { "checkout session" } else { "stripe subscription id" };
            return Err(Error::taken("subscription", field, id.as_str(), held.customer_id));
        }
        let features = self.tier_features(&held.tier_code, held.tier_version, &held.overrides)?;
        Ok(Some(BillingLink {
            subscription_id: held.id,
            already: true,
            features_applied: features.len(),
            tier_code: Some(held.tier_code),
        }))
    }
}

impl Tx<'_> {
    /// Records a subscription of the gateway. Of two at the same time, the later finds it recorded.
    fn take_up(
        &mut self,
        customer: CustomerId,
        found: &GatewaySubscription,
        session: Option<&ExternalId>,
        tier_code: Option<&str>,
        display_name: Option<&str>,
    ) -> Result<BillingLink> {
        let id = external("stripeSubscriptionId", &found.id)?;
        if let Some(linked) = self.view().claimed(customer, STRIPE_ID, &id)? {
            return Ok(linked);
        }
        let tier = if let Some(code) = tier_code {
            self.view().tier(code)?
        } else {
            let missing = || Error::not_found("tier", format!("price {:?}", found.price_ids));
            self.view().tier_by_price(&found.price_ids)?.ok_or_else(missing)?
        };
        let mut new = NewSubscription::to(tier.code.as_str());
        new.status = found.status;
        new.quantity = found.quantity;
        new.start_date = Some(found.started_at);
        new.display_name = display_name.map(ToOwned::to_owned);
        new.stripe_subscription_id = Some(found.id.clone());
        new.stripe_customer_id = Some(found.customer_id.clone());
        new.stripe_price_ids.clone_from(&found.price_ids);
        new.checkout_session_id = session.map(|session| session.as_str().to_owned());
        let subscription = self.add_subscription(customer, &new)?;
        Ok(BillingLink {
            subscription_id: subscription.id,
            already: false,
            features_applied: tier.features.len(),
            tier_code: Some(tier.code),
        })
    }
}

fn external(field: &'static str, id: &str) -> Result<ExternalId> {
    ExternalId::parse(id).map_err(Error::malformed(field))
}

/// Monthly fees added up, one sum for each currency, in the order in which these come first.
pub(crate) fn monthly_sums(fees: impl IntoIterator<Item = Money>) -> Result<Vec<Money>> {
    let mut sums: Vec<Money> = Vec::new();
    for fee in fees {
        match sums.iter_mut().find(|sum| sum.currency == fee.currency) {
            Some(sum) => *sum = sum.checked_add(fee).ok_or(Error::Overflow("monthly revenue"))?,
            None => sums.push(fee),
        }
    }
    Ok(sums)
}

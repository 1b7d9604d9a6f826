//! Changes of tier: previewed, made at once or with the end of the running period.

use crate::domain::customer::{Customer, CustomerId};
use crate::domain::link::ProductId;
use crate::domain::subscription::{
    NewSubscription, Subscription, SubscriptionKind, monthly_revenue,
};
use crate::domain::text::Code;
use crate::domain::tier::{Tier, TierId, TierOverride};
use crate::domain::tier_change::{TierChange, Usage, When, compare};
use crate::error::{Error, Result};
use crate::ops::features::parse_code;
use crate::tx::{Tx, View};
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

/// A tier that was given to a customer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TierApplied {
    /// The subscription that carries it.
    pub subscription: Subscription,
    /// What it altered.
    pub change: TierChange,
}

impl View<'_> {
    /// What giving a customer a tier now would alter, and what it uses beyond the new limits.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when an override names a feature that the tier lacks.
    pub fn preview_tier(
        &self,
        customer: CustomerId,
        tier: &str,
        overrides: &[TierOverride],
    ) -> Result<TierChange> {
        self.customer(customer)?;
        let tier = self.tier(tier)?;
        let current = self.carrying(customer, self.product())?;
        self.tier_change(customer, current.as_ref(), &tier, overrides, self.now())
    }

    fn tier_change(
        &self,
        customer: CustomerId,
        current: Option<&Subscription>,
        tier: &Tier,
        overrides: &[TierOverride],
        at: OffsetDateTime,
    ) -> Result<TierChange> {
        let (from, before) = match current {
            Some(it) => (
                it.tier_code.clone(),
                self.tier_features(&it.tier_code, it.tier_version, &it.overrides)?,
            ),
            None => (parse_code("tier", "free")?, Vec::new()),
        };
        let after = self.tier_features(&tier.code, tier.version, overrides)?;
        compare((from, &before), (tier.code.clone(), &after), at, |feature| {
            let excess = self
                .cached_feature(feature.as_str())?
                .map_or_else(Default::default, |it| it.excess);
            Ok(Usage { used: self.used(customer, feature)?, excess })
        })
    }

    /// The subscription that carries the customer's tier in a product: the one that runs and is not
    /// free, else the free one.
    fn carrying(&self, customer: CustomerId, product: &ProductId) -> Result<Option<Subscription>> {
        let running = self.running(customer)?;
        let real =
            |it: &&Subscription| it.kind != SubscriptionKind::Free && it.product_id == *product;
        let free = || running.iter().find(|it| it.kind == SubscriptionKind::Free);
        Ok(running.iter().find(real).or_else(free).cloned())
    }
}

impl Tx<'_> {
    /// Gives a customer a tier in the handle's product: its running subscription changes to it, or,
    /// without one that is more than free, one is recorded that the org gives. Usage of the running
    /// period stays. Giving the tier that it has changes nothing but the overrides, and takes back a
    /// downgrade that waits for the end of the period.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when an override names a feature that the tier lacks.
    pub fn apply_tier(
        &mut self,
        customer: CustomerId,
        tier: &str,
        overrides: &[TierOverride],
    ) -> Result<TierApplied> {
        let change = self.view().preview_tier(customer, tier, overrides)?;
        let current = self.view().carrying(customer, self.product())?;
        let subscription = match current.filter(|it| it.kind != SubscriptionKind::Free) {
            Some(current) if current.tier_code == change.to => self.change_tier(current, |it| {
                it.overrides = overrides.to_vec();
                it.next_tier_code = None;
            })?,
            Some(current) => self.change_to(current, &change.to, overrides)?,
            None => {
                let mut new = NewSubscription::to(tier);
                new.kind = SubscriptionKind::Manual;
                new.overrides = overrides.to_vec();
                self.add_subscription(customer, &new)?
            }
        };
        Ok(TierApplied { subscription, change })
    }

    /// Gives a customer a tier of a higher rank, at once.
    ///
    /// # Errors
    ///
    /// As [`apply_tier`](Self::apply_tier); [`Error::Rule`] when the rank is not higher.
    pub fn upgrade(&mut self, customer: CustomerId, tier: &str) -> Result<TierApplied> {
        if self.rank_step(customer, tier)?.is_le() {
            return Err(Error::rule(format!(
                "tier `{tier}` is no upgrade: its rank is not higher"
            )));
        }
        self.apply_tier(customer, tier, &[])
    }

    /// Gives a customer a tier of a lower rank, at once or with the end of the running period.
    /// Nothing is deleted: the change tells what exceeds the new limits.
    ///
    /// # Errors
    ///
    /// As [`apply_tier`](Self::apply_tier); [`Error::Rule`] when the rank is not lower, or there is
    /// no period whose end could be waited for.
    pub fn downgrade(
        &mut self,
        customer: CustomerId,
        tier: &str,
        when: When,
    ) -> Result<TierApplied> {
        if self.rank_step(customer, tier)?.is_ge() {
            return Err(Error::rule(format!(
                "tier `{tier}` is no downgrade: its rank is not lower"
            )));
        }
        if when == When::Now {
            return self.apply_tier(customer, tier, &[]);
        }
        let current = self.view().carrying(customer, self.product())?;
        let current = current.and_then(|it| it.renewal_date.map(|end| (it, end)));
        let Some((current, end)) = current else {
            return Err(Error::rule("there is no running period whose end could be waited for"));
        };
        let tier = self.view().tier(tier)?;
        let change = self.view().tier_change(customer, Some(&current), &tier, &[], end)?;
        let subscription = self.change_tier(current, |it| it.next_tier_code = Some(tier.code))?;
        Ok(TierApplied { subscription, change })
    }

    /// Brings a customer's running subscription to the latest version of its tier.
    /// [`Tenure::preview`](crate::Tenure::preview) tells first what that alters.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also when the customer's tier is not defined.
    pub fn migrate_tier(&mut self, customer: CustomerId) -> Result<TierApplied> {
        self.view().customer(customer)?;
        let current = self.view().carrying(customer, self.product())?;
        let current = current.ok_or_else(|| Error::not_found("subscription", customer))?;
        let tier = self.view().tier(current.tier_code.as_str())?;
        let overrides = current.overrides.clone();
        let now = self.now();
        let change = self.view().tier_change(customer, Some(&current), &tier, &overrides, now)?;
        let subscription = self.change_tier(current, |it| it.tier_version = tier.version)?;
        Ok(TierApplied { subscription, change })
    }

    fn rank_step(&self, customer: CustomerId, tier: &str) -> Result<std::cmp::Ordering> {
        let view = self.view();
        view.customer(customer)?;
        let wanted = view.tier(tier)?;
        let current = match view.carrying(customer, self.product())? {
            Some(it) => view.rank(&it.tier_code, it.tier_version)?,
            None => 0,
        };
        Ok(wanted.rank.cmp(&current))
    }

    /// Changes a subscription to the latest version of a tier.
    pub(crate) fn change_to(
        &mut self,
        subscription: Subscription,
        tier: &Code,
        overrides: &[TierOverride],
    ) -> Result<Subscription> {
        let tier = self.view().tier(tier.as_str())?;
        self.change_tier(subscription, |it| {
            (it.tier_code, it.tier_version, it.plan_name) = (tier.code, tier.version, tier.name);
            it.overrides = overrides.to_vec();
            it.next_tier_code = None;
        })
    }

    fn change_tier(
        &mut self,
        mut subscription: Subscription,
        change: impl FnOnce(&mut Subscription),
    ) -> Result<Subscription> {
        let before = subscription.clone();
        change(&mut subscription);
        if subscription == before {
            return Ok(before);
        }
        let tier = TierId::of(&subscription.tier_code, subscription.tier_version);
        if let Some(fee) = self.get::<Tier>(tier)?.and_then(|tier| tier.base_fee)
            && subscription.kind == SubscriptionKind::Paid
        {
            subscription.mrr = monthly_revenue(&fee, subscription.quantity);
        }
        let customer = self.require::<Customer>(subscription.customer_id)?;
        self.whole(|tx| {
            tx.keep_subscription(&mut subscription)?;
            let data = json!({
                "tier": subscription.tier_code, "version": subscription.tier_version,
                "nextTier": subscription.next_tier_code,
            });
            tx.announce("subscription.updated", subscription.id, customer.id, data);
            tx.follow_subscriptions(customer)?;
            Ok(subscription)
        })
    }
}

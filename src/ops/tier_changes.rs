//! Changes of tier: previewed, made at once or with the end of the running period.

use crate::domain::access::DenialReason;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::draft::Change;
use crate::domain::entitlement::EntitlementSource;
use crate::domain::link::ProductId;
use crate::domain::meter::Meter;
use crate::domain::quantity::Quantity;
use crate::domain::subscription::{
    NewSubscription, Subscription, SubscriptionKind, monthly_revenue,
};
use crate::domain::text::Code;
use crate::domain::tier::{Tier, TierId, TierOverride};
use crate::domain::tier_change::{
    Kept, OverLimit, SuggestedAction, TierChange, Usage, When, compare,
};
use crate::error::{Error, Result};
use crate::ops::features::parse_code;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

const METER_CUSTOMER: Col = <Meter as Stored>::TABLE.col("customer_id");

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
            let meter = self.current_meter(customer, feature)?;
            Ok((self.usage(customer, feature, meter.as_ref())?, self.kept(customer, feature, at)?))
        })
    }

    /// What giving a customer a tier of a lower rank would alter, at once or with the end of the
    /// running period, and what it uses beyond the smaller limits: what
    /// [`downgrade`](Tx::downgrade) will answer.
    ///
    /// # Errors
    ///
    /// As for [`downgrade`](Tx::downgrade).
    pub fn preview_downgrade(
        &self,
        customer: CustomerId,
        tier: &str,
        when: When,
    ) -> Result<TierChange> {
        if self.rank_step(customer, tier)?.is_ge() {
            return Err(Error::rule(format!(
                "tier `{tier}` is no downgrade: its rank is not lower"
            )));
        }
        let current = self.carrying(customer, self.product())?;
        let end = current.as_ref().and_then(|it| it.renewal_date);
        let at = match (when, end) {
            (When::Now, _) => self.now(),
            (When::PeriodEnd, Some(end)) => end,
            (When::PeriodEnd, None) => {
                let rule = "there is no running period whose end could be waited for";
                return Err(Error::rule(rule));
            }
        };
        self.tier_change(customer, current.as_ref(), &self.tier(tier)?, &[], at)
    }

    fn usage(&self, customer: CustomerId, feature: &Code, meter: Option<&Meter>) -> Result<Usage> {
        let defined = self.cached_feature(feature.as_str())?;
        Ok(Usage {
            used: self.used(customer, feature)?,
            excess: defined.map_or_else(Default::default, |it| it.excess),
            reset_at: meter.and_then(|meter| meter.window_end),
        })
    }

    /// What of a right is not the tier's to give or to take.
    fn kept(&self, customer: CustomerId, feature: &Code, at: OffsetDateTime) -> Result<Kept> {
        let grants = self.grants(customer, feature)?;
        let held = || grants.iter().filter(|it| it.is_usable(at));
        let by_hand = held().find(|it| it.source == EntitlementSource::Manual);
        let on_top = held().filter(|it| it.source.is_additional());
        let on_top = on_top.map(|it| it.limit).try_fold(Quantity::ZERO, |sum, limit| {
            limit.map(|limit| sum.checked_add(limit).unwrap_or(Quantity::MAX))
        });
        Ok(Kept { by_hand: by_hand.map_or(Change::Keep, |it| it.limit.into()), on_top })
    }

    /// What a customer uses beyond its rights, by feature.
    fn over_limit(&self, customer: CustomerId) -> Result<Vec<OverLimit>> {
        let mut found = Vec::new();
        for meter in self.all::<Meter>(Query::all().eq(METER_CUSTOMER, &customer))? {
            let feature = &meter.feature_code;
            let Some(meter) = self.current_meter(customer, feature)? else { continue };
            let is_gone = meter.denial == Some(DenialReason::NotEntitled);
            let (allowed, action) = match meter.limit {
                _ if is_gone => (Some(Quantity::ZERO), SuggestedAction::ExportData),
                limit if meter.window_end.is_some() => (limit, SuggestedAction::WaitForReset),
                limit => (limit, SuggestedAction::ReduceUsage),
            };
            let usage = self.usage(customer, feature, Some(&meter))?;
            found
                .extend(allowed.and_then(|allowed| {
                    OverLimit::of(feature, usage, allowed, action, self.now())
                }));
        }
        Ok(found)
    }

    fn rank_step(&self, customer: CustomerId, tier: &str) -> Result<std::cmp::Ordering> {
        self.customer(customer)?;
        let wanted = self.tier(tier)?;
        let current = match self.carrying(customer, self.product())? {
            Some(it) => self.rank(&it.tier_code, it.tier_version)?,
            None => 0,
        };
        Ok(wanted.rank.cmp(&current))
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
        if self.view().rank_step(customer, tier)?.is_le() {
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
        let change = self.view().preview_downgrade(customer, tier, when)?;
        if when == When::Now {
            return self.apply_tier(customer, tier, &[]);
        }
        let current = self.view().carrying(customer, self.product())?;
        let current = current.ok_or_else(|| Error::not_found("subscription", customer))?;
        let next = Some(change.to.clone());
        let subscription = self.change_tier(current, |it| it.next_tier_code = next)?;
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

    /// Brings a customer's rights in line with its subscriptions, and tells the host of usage that
    /// they no longer cover, with the policy of its feature: what becomes of it is the host's to do.
    pub(crate) fn entitle_and_tell(
        &mut self,
        customer: &Customer,
        running: &[Subscription],
    ) -> Result<()> {
        let before = self.view().over_limit(customer.id)?;
        self.entitle(customer, running)?;
        let Some(leading) = running.first() else { return Ok(()) };
        for over in self.view().over_limit(customer.id)? {
            let known = before.iter().find(|it| it.feature == over.feature);
            if known.is_none_or(|known| known.allowed != over.allowed) {
                let data = json!(over);
                self.announce("subscription.limit_exceeded", leading.id, customer.id, data);
            }
        }
        Ok(())
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

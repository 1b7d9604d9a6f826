//! Subscriptions: added, moved, and what follows from them: the customer's tier and rights.

use crate::domain::customer::{Customer, CustomerId, CustomerStatus, Stage};
use crate::domain::cycle::Cycle;
use crate::domain::document::Document;
use crate::domain::lifecycle::{StageCondition, StageMeasure, StageRule, Why};
use crate::domain::recurrence::Recurrence;
use crate::domain::subscription::{
    BillingCycle, NewSubscription, Subscription, SubscriptionAction, SubscriptionId,
    SubscriptionKind, SubscriptionStatus, monthly_revenue,
};
use crate::domain::text::{Code, ExternalId, Malformed, Name};
use crate::domain::tier_change::When;
use crate::domain::zone::TimeZone;
use crate::error::{Error, Faults, Result};
use crate::ops::features::parse_code;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use time::{Duration, OffsetDateTime};

const CUSTOMER: Col = <Subscription as Stored>::TABLE.col("customer_id");
const CREATED_AT: Col = <Subscription as Stored>::TABLE.col("created_at");

const FREE_STAYS: &str = "the free subscription ends when a paid one is added";

impl View<'_> {
    /// The subscription with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn subscription(&self, id: SubscriptionId) -> Result<Subscription> {
        self.require(id)
    }

    /// The subscriptions of a customer, those that are over included, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn subscriptions(&self, customer: CustomerId) -> Result<Vec<Subscription>> {
        self.customer(customer)?;
        self.all(Query::all().eq(CUSTOMER, &customer).newest_by(CREATED_AT))
    }

    /// The subscriptions that give their tier now, the highest rank first.
    pub(crate) fn running(&self, customer: CustomerId) -> Result<Vec<Subscription>> {
        self.ranked(self.all(Query::all().eq(CUSTOMER, &customer))?)
    }

    /// Those of `all` that give their tier now, the highest rank first.
    fn ranked(&self, all: Vec<Subscription>) -> Result<Vec<Subscription>> {
        let mut ranked = Vec::new();
        for subscription in all.into_iter().filter(|it| it.status.is_running()) {
            let rank = self.rank(&subscription.tier_code, subscription.tier_version)?;
            ranked.push((std::cmp::Reverse(rank), subscription.created_at, subscription));
        }
        ranked.sort_by_key(|(rank, created_at, it)| (*rank, *created_at, it.id));
        Ok(ranked.into_iter().map(|(_, _, subscription)| subscription).collect())
    }
}

impl Tx<'_> {
    /// Adds a subscription in the handle's product. A paid one ends the free one and one that the
    /// org gave.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] with every fault; [`Error::Taken`] when a paid one
    /// of this product runs already, or Stripe's id or the checkout session is recorded already;
    /// [`Error::Rule`] for a free one.
    pub fn add_subscription(
        &mut self,
        customer: CustomerId,
        new: &NewSubscription,
    ) -> Result<Subscription> {
        let customer = self.view().customer(customer)?;
        if new.kind == SubscriptionKind::Free {
            return Err(Error::rule("a customer without any other subscription has the free one"));
        }
        let subscription = self.draw_up(&customer, new)?;
        self.check_overlap(&subscription)?;
        self.whole(|tx| {
            tx.end_superseded(&subscription)?;
            tx.insert(&subscription)?;
            let data = json!({
                "tier": subscription.tier_code, "kind": subscription.kind,
                "status": subscription.status,
            });
            tx.announce("subscription.added", subscription.id, customer.id, data);
            tx.follow_subscriptions(customer)?;
            Ok(subscription)
        })
    }

    /// Ends a subscription, at once or with the end of its running period. One that is over stays
    /// as it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Rule`] when there is no period whose end could be waited for,
    /// or it is the free one.
    pub fn cancel_subscription(&mut self, id: SubscriptionId, when: When) -> Result<Subscription> {
        let mut subscription = self.view().subscription(id)?;
        if subscription.kind == SubscriptionKind::Free {
            return Err(Error::rule(FREE_STAYS));
        }
        if subscription.status.is_over() {
            return Ok(subscription);
        }
        if when == When::Now {
            return self.move_kept(subscription, SubscriptionAction::Cancel);
        }
        let Some(end) = subscription.renewal_date else {
            return Err(Error::rule("there is no running period whose end could be waited for"));
        };
        if subscription.cancel_at_period_end && subscription.end_date == Some(end) {
            return Ok(subscription);
        }
        subscription.cancelled_at.get_or_insert(self.now());
        subscription.cancel_at_period_end = true;
        subscription.end_date = Some(end);
        self.whole(|tx| {
            tx.keep_subscription(&mut subscription)?;
            let data = json!({ "cancelAtPeriodEnd": true });
            tx.announce("subscription.updated", id, subscription.customer_id, data);
            Ok(subscription)
        })
    }

    /// Moves a subscription: activates, renews, expires, cancels it, or marks it past due. What
    /// changes nothing leaves no event.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::InvalidTransition`]; [`Error::Rule`] when it is the free one;
    /// [`Error::Taken`] when it is activated while a paid one of its product runs.
    pub fn move_subscription(
        &mut self,
        id: SubscriptionId,
        action: SubscriptionAction,
    ) -> Result<Subscription> {
        let subscription = self.view().subscription(id)?;
        if subscription.kind == SubscriptionKind::Free && !subscription.status.is_over() {
            return Err(Error::rule(FREE_STAYS));
        }
        self.move_kept(subscription, action)
    }

    pub(crate) fn move_kept(
        &mut self,
        mut subscription: Subscription,
        action: SubscriptionAction,
    ) -> Result<Subscription> {
        let from = subscription.status;
        let Some(to) = from.after(action)? else { return Ok(subscription) };
        let starts = from == SubscriptionStatus::Pending && to.is_running();
        if starts {
            self.check_other_paid(&subscription)?;
        }
        subscription.status = to;
        let now = self.now();
        match action {
            SubscriptionAction::Cancel | SubscriptionAction::Expire => {
                let end = subscription.end_date.filter(|end| *end <= now);
                subscription.end_date = Some(end.unwrap_or(now));
                subscription.renewal_date = None;
                if action == SubscriptionAction::Cancel {
                    subscription.cancelled_at.get_or_insert(now);
                }
            }
            SubscriptionAction::Renew => {
                let due = subscription.renewal_date.unwrap_or(now).max(now);
                subscription.renewal_date = next_renewal(&subscription, due);
                subscription.renewed_at = Some(now);
            }
            SubscriptionAction::Activate | SubscriptionAction::MarkPastDue => {}
        }
        let mut customer = self.require::<Customer>(subscription.customer_id)?;
        self.whole(|tx| {
            if starts {
                tx.end_superseded(&subscription)?;
            }
            tx.keep_subscription(&mut subscription)?;
            let (id, data) = (subscription.id, json!({ "from": from, "to": to }));
            tx.announce(
                format!("subscription.{}", action.event()),
                id,
                subscription.customer_id,
                data,
            );
            if to.is_over() && subscription.kind == SubscriptionKind::Paid {
                let trial = from == SubscriptionStatus::Trialing
                    && subscription.trial_ends_at.is_some_and(|end| end <= now);
                tx.churn_without_paid(&mut customer, trial)?;
            }
            tx.follow_subscriptions(customer)?;
            Ok(subscription)
        })
    }

    /// A customer whose last paid subscription ended has left, as far as its journey goes.
    fn churn_without_paid(&mut self, customer: &mut Customer, was_trial: bool) -> Result<()> {
        let running = self.view().running(customer.id)?;
        let paid = running.iter().any(|it| it.kind == SubscriptionKind::Paid);
        if paid || customer.stage == Stage::Churned {
            return Ok(());
        }
        let why = if was_trial { StageRule::TrialExpired } else { StageRule::PaidEnded };
        let ended = StageCondition::happened(StageMeasure::PaidEnded, Some(self.now()));
        self.change_stage(customer, Stage::Churned, Why::rule(why, vec![ended]))?;
        self.keep_customer(customer)
    }

    /// Records the free subscription of a customer without another.
    fn subscribe_for_free(
        &mut self,
        customer: &Customer,
        since: OffsetDateTime,
    ) -> Result<Subscription> {
        let mut free = NewSubscription::to("free");
        free.kind = SubscriptionKind::Free;
        free.start_date = Some(since);
        let mut subscription = self.draw_up(customer, &free)?;
        if subscription.tier_version == 0 {
            subscription.plan_name = named("Free")?;
        }
        self.insert(&subscription)?;
        let data = json!({ "tier": "free", "kind": "free", "status": "active" });
        self.announce("subscription.added", subscription.id, customer.id, data);
        Ok(subscription)
    }

    /// Gives a customer that is just being created its free subscription, and what follows from it:
    /// the store holds nothing of it yet that would have to be looked for.
    pub(crate) fn start_for_free(
        &mut self,
        customer: &Customer,
        since: OffsetDateTime,
    ) -> Result<()> {
        let free = self.subscribe_for_free(customer, since)?;
        self.entitle_from(customer, &[free], &[])
    }

    /// Takes what a subscription brings in a month off the books. Returns whether it brought
    /// anything.
    pub(crate) fn end_revenue(&mut self, mut subscription: Subscription) -> Result<bool> {
        if subscription.mrr.is_none_or(|mrr| mrr.amount == 0) {
            return Ok(false);
        }
        subscription.mrr = None;
        self.keep_subscription(&mut subscription)?;
        let data = json!({ "fields": ["mrr"] });
        let customer = subscription.customer_id;
        self.announce("subscription.updated", subscription.id, customer, data);
        self.keep_revenue(&self.view().all(Query::all().eq(CUSTOMER, &customer))?, true)?;
        Ok(true)
    }

    /// Brings the customer's tier, monthly spend and rights in line with its subscriptions. A
    /// customer without any gets the free one back.
    pub(crate) fn follow_subscriptions(&mut self, mut customer: Customer) -> Result<Customer> {
        let all = self.view().all::<Subscription>(Query::all().eq(CUSTOMER, &customer.id))?;
        // From which it follows what the customer spends.
        let had_paid = all.iter().any(|it| it.kind == SubscriptionKind::Paid);
        self.keep_revenue(&all, false)?;
        let mut running = self.view().ranked(all)?;
        if running.is_empty() {
            running.push(self.subscribe_for_free(&customer, self.now())?);
        }
        let before = (customer.tier.clone(), customer.monthly_spend, customer.stage);
        if let Some(leading) = running.first() {
            customer.tier = leading.tier_code.clone();
        }
        if had_paid {
            customer.monthly_spend = spend(&running, before.1);
        }
        let paid = running.iter().any(Subscription::is_active_paid);
        // An account that was churned begins anew when it is reactivated.
        let begins = match customer.stage {
            Stage::Trial => Some(StageRule::Converted),
            Stage::Churned if customer.status != CustomerStatus::Churned => {
                Some(StageRule::WonBack)
            }
            _ => None,
        };
        if let Some(why) = begins.filter(|_| paid) {
            let active = StageCondition::happened(StageMeasure::PaidActive, None);
            self.change_stage(&mut customer, Stage::Onboarding, Why::rule(why, vec![active]))?;
        }
        if before != (customer.tier.clone(), customer.monthly_spend, customer.stage) {
            self.keep_customer(&mut customer)?;
        }
        if before.0 != customer.tier {
            let data = json!({ "from": before.0, "to": customer.tier });
            self.announce("customer.tier_changed", customer.id, customer.id, data);
        }
        self.entitle_and_tell(&customer, &running)?;
        Ok(customer)
    }

    pub(crate) fn keep_subscription(&mut self, subscription: &mut Subscription) -> Result<()> {
        subscription.updated_at = self.now();
        subscription.version = subscription.version.saturating_add(1);
        self.put(subscription)
    }

    /// The subscription that is asked for, checked.
    fn draw_up(&self, customer: &Customer, new: &NewSubscription) -> Result<Subscription> {
        let now = self.now();
        let code = parse_code("tierCode", &new.tier_code)?;
        let tier = self.view().latest_tier(&code)?;
        if tier.is_none() && new.kind != SubscriptionKind::Free {
            return Err(Error::not_found("tier", &code));
        }
        let mut faults = Faults::default();
        let display_name =
            note(&mut faults, "displayName", new.display_name.as_deref(), Name::parse);
        let mut external =
            |field, id: &Option<String>| note(&mut faults, field, id.as_deref(), ExternalId::parse);
        let stripe_subscription_id = external("stripeSubscriptionId", &new.stripe_subscription_id);
        let stripe_customer_id = external("stripeCustomerId", &new.stripe_customer_id);
        let checkout_session_id = external("checkoutSessionId", &new.checkout_session_id);
        if new.quantity == 0 {
            faults.add("quantity", "0", "must be at least 1");
        }
        let start_date = new.start_date.map_or(now, crate::domain::instant::utc);
        let end_date = new.end_date.map(crate::domain::instant::utc);
        crate::domain::instant::check_year("startDate", start_date, &mut faults);
        if let Some(end) = end_date.filter(|end| *end <= start_date) {
            faults.add("endDate", &end.to_string(), "must be after the start");
        }
        faults.check()?;
        let fee = tier.as_ref().and_then(|tier| tier.base_fee.as_ref());
        let interval = fee.map_or(BillingCycle::Monthly, |fee| fee.interval);
        let trial = tier.as_ref().map_or(0, |tier| i64::from(tier.trial_days));
        let trial_ends_at = new.trial_ends_at.map(crate::domain::instant::utc).or_else(|| {
            (new.status == SubscriptionStatus::Trialing)
                .then(|| start_date.saturating_add(Duration::days(trial)))
        });
        let mrr = match fee {
            Some(fee) if new.kind == SubscriptionKind::Paid => {
                let mrr = monthly_revenue(fee, new.quantity);
                Some(mrr.ok_or(Error::Overflow("monthly revenue"))?)
            }
            _ => None,
        };
        let plan_name = match &tier {
            Some(tier) => tier.name.clone(),
            None => named(code.as_str())?,
        };
        self.view().tier_features(
            &code,
            tier.as_ref().map_or(0, |it| it.version),
            &new.overrides,
        )?;
        let mut subscription = Subscription {
            id: self.fresh(),
            customer_id: customer.id,
            product_id: self.product().clone(),
            kind: new.kind,
            tier_version: tier.as_ref().map_or(0, |tier| tier.version),
            tier_code: code,
            plan_name,
            display_name,
            status: new.status,
            billing_cycle: new.billing_cycle.unwrap_or(interval),
            start_date,
            end_date,
            renewal_date: None,
            renewed_at: None,
            trial_ends_at,
            cancelled_at: None,
            cancel_at_period_end: false,
            quantity: new.quantity,
            mrr,
            next_tier_code: None,
            stripe_subscription_id,
            stripe_customer_id,
            stripe_price_ids: new.stripe_price_ids.clone(),
            checkout_session_id,
            overrides: new.overrides.clone(),
            metadata: Document::new(),
            created_at: now,
            updated_at: now,
            version: 1,
        };
        if subscription.kind != SubscriptionKind::Free && !subscription.status.is_over() {
            subscription.renewal_date = next_renewal(&subscription, now);
        }
        Ok(subscription)
    }

    /// Refuses two paid subscriptions of one product at a time, and Stripe's ids twice.
    fn check_overlap(&self, new: &Subscription) -> Result<()> {
        const STRIPE_ID: Col = <Subscription as Stored>::TABLE.col("stripe_subscription_id");
        const SESSION: Col = <Subscription as Stored>::TABLE.col("checkout_session_id");
        let view = self.view();
        let ids = [
            ("stripe subscription id", STRIPE_ID, &new.stripe_subscription_id),
            ("checkout session", SESSION, &new.checkout_session_id),
        ];
        for (field, col, id) in ids {
            if let Some(id) = id
                && let Some(holder) =
                    view.first::<Subscription>(Query::all().eq(col, &Some(id.clone())))?
            {
                return Err(Error::taken("subscription", field, id.as_str(), holder.id));
            }
        }
        self.check_other_paid(new)
    }

    /// Refuses a second paid subscription of one product at a time.
    fn check_other_paid(&self, new: &Subscription) -> Result<()> {
        let paid = |it: &&Subscription| {
            it.kind == SubscriptionKind::Paid && it.product_id == new.product_id
        };
        match self.view().running(new.customer_id)?.iter().find(paid) {
            Some(holder) if new.kind == SubscriptionKind::Paid && !new.status.is_over() => {
                Err(Error::taken("subscription", "product", new.product_id.as_str(), holder.id))
            }
            _ => Ok(()),
        }
    }

    /// Ends what a new subscription takes the place of: the free one, and one that the org gave.
    fn end_superseded(&mut self, new: &Subscription) -> Result<()> {
        if new.kind == SubscriptionKind::Free || !new.status.is_running() {
            return Ok(());
        }
        for mut former in self.view().running(new.customer_id)? {
            let given =
                former.kind == SubscriptionKind::Manual && former.product_id == new.product_id;
            if former.kind == SubscriptionKind::Free || given {
                let from = former.status;
                former.status = SubscriptionStatus::Expired;
                former.end_date = Some(self.now());
                former.renewal_date = None;
                self.keep_subscription(&mut former)?;
                let data = json!({ "from": from, "to": former.status });
                self.announce("subscription.expired", former.id, former.customer_id, data);
            }
        }
        Ok(())
    }
}

fn named(name: &str) -> Result<Name> {
    Name::parse(name).map_err(Error::malformed("name"))
}

fn note<T>(
    faults: &mut Faults,
    field: &str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, Malformed>,
) -> Option<T> {
    text.and_then(|text| faults.note(field, parse(text)))
}

/// When a subscription is next renewed after `now`: k periods after its start, never stepped to.
fn next_renewal(subscription: &Subscription, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let cycle = match subscription.billing_cycle {
        BillingCycle::Monthly => Cycle::MONTH,
        BillingCycle::Yearly => Cycle::YEAR,
        BillingCycle::Lifetime => return None,
    };
    let renewals = Recurrence::new(subscription.start_date, cycle, TimeZone::UTC).ok()?;
    renewals.next_after(now)
}

/// What the running subscriptions bring in a month: in one currency, else in that of `before`.
fn spend(running: &[Subscription], before: Option<crate::Money>) -> Option<crate::Money> {
    let mut fees = running.iter().filter_map(Subscription::recurring_revenue);
    let first = fees.next()?;
    fees.try_fold(first, crate::Money::checked_add).or(before)
}

impl Subscription {
    /// The code of the tier, for operations that carry it on.
    pub(crate) const fn tier(&self) -> &Code {
        &self.tier_code
    }
}

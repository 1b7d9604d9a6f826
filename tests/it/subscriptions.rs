//! Subscriptions: what the customer's tier, revenue and rights follow.

use crate::support::{BEGINNING, World, code, eur, fields, holder};
use tenure::{
    BillingCycle, CustomerId, ErrorCode, NewSubscription, Stage, Subscription, SubscriptionAction,
    SubscriptionKind, SubscriptionStatus, TierDraft, When,
};
use time::Duration;
use time::macros::datetime;

fn all(world: &World, id: CustomerId) -> Vec<Subscription> {
    world.seen(|view| view.subscriptions(id))
}

fn running(world: &World, id: CustomerId) -> Vec<(SubscriptionKind, String)> {
    let running = all(world, id).into_iter().filter(|it| it.status.is_running());
    running.map(|it| (it.kind, it.tier_code.to_string())).collect()
}

fn a_paid_subscription_ends_the_free_one_which_comes_back_when_it_is_over(world: &World) {
    world.catalogue();
    let id = world.customer("Acme").id;
    assert_eq!(world.now(id).stage, Stage::Trial);
    world.clock.advance(Duration::DAY);
    let paid = world.done(|tx| tx.add_subscription(id, &NewSubscription::to("pro"))).id;
    assert_eq!(running(world, id), [(SubscriptionKind::Paid, "pro".to_owned())]);
    let customer = world.now(id);
    assert_eq!((customer.tier.as_str(), customer.stage), ("pro", Stage::Onboarding));
    assert_eq!(customer.monthly_spend, Some(eur(49)));
    assert!(world.check(id, "sso").can_use);

    world.clock.advance(Duration::DAY);
    world.done(|tx| tx.cancel_subscription(paid, When::Now));
    assert_eq!(running(world, id), [(SubscriptionKind::Free, "free".to_owned())]);
    let customer = world.now(id);
    assert_eq!((customer.tier.as_str(), customer.monthly_spend), ("free", None));
    assert!(!world.check(id, "sso").can_use);

    let mut history = all(world, id);
    history.reverse();
    let spans: Vec<_> = history.iter().map(|it| (it.start_date, it.end_date)).collect();
    let [first, second, now] = [0, 1, 2].map(|days| BEGINNING + Duration::days(days));
    let expected = [(first, Some(second)), (second, Some(now)), (now, None)];
    assert_eq!(spans, expected, "history stays, without an overlap and without a hole");
}

fn the_tier_follows_the_highest_rank_of_all_products(world: &World) {
    world.catalogue();
    let id = world.customer("Acme").id;
    let other = world.tenure.for_product("mobile").unwrap();
    let pro = other.write(|tx| tx.add_subscription(id, &NewSubscription::to("pro"))).unwrap();
    world.done(|tx| tx.add_subscription(id, &NewSubscription::to("starter")));
    let customer = world.now(id);
    assert_eq!((customer.tier.as_str(), customer.monthly_spend), ("pro", Some(eur(68))));
    world.done(|tx| tx.cancel_subscription(pro.id, When::Now));
    assert_eq!(world.now(id).tier.as_str(), "starter");
}

fn two_paid_subscriptions_of_one_product_conflict(world: &World) {
    world.catalogue();
    let id = world.customer("Acme").id;
    let new = NewSubscription::to("pro");
    let first = world.done(|tx| tx.add_subscription(id, &new)).id;
    let error = world.refused(|tx| tx.add_subscription(id, &NewSubscription::to("starter")));
    assert_eq!((error.code(), holder(error)), (ErrorCode::Conflict, first.to_string()));
    let mut given = NewSubscription::to("starter");
    given.kind = SubscriptionKind::Manual;
    world.done(|tx| tx.add_subscription(id, &given));
    world.done(|tx| tx.cancel_subscription(first, When::Now));
    world.done(|tx| tx.add_subscription(id, &new));
}

fn one_that_waits_takes_effect_when_it_is_activated_and_by_the_same_rules(world: &World) {
    world.catalogue();
    let id = world.customer("Acme").id;
    let mut waiting = NewSubscription::to("pro");
    waiting.status = SubscriptionStatus::Pending;
    let waiting = world.done(|tx| tx.add_subscription(id, &waiting)).id;
    assert_eq!(world.now(id).tier.as_str(), "free");
    let activate =
        |id| move |tx: &mut tenure::Tx<'_>| tx.move_subscription(id, SubscriptionAction::Activate);
    let paid = world.done(|tx| tx.add_subscription(id, &NewSubscription::to("starter"))).id;
    let error = world.refused(activate(waiting));
    assert_eq!((error.code(), holder(error)), (ErrorCode::Conflict, paid.to_string()));
    world.done(|tx| tx.cancel_subscription(paid, When::Now));
    world.done(activate(waiting));
    assert_eq!(running(world, id), [(SubscriptionKind::Paid, "pro".to_owned())]);
}

fn revenue_counts_a_year_as_twelve_months_and_a_lifetime_as_nothing(world: &World) {
    let other = |name: &str| world.tenure.for_product(name).unwrap();
    let id = world.customer("Acme").id;
    for (product, cycle, seats, brings) in [
        ("a", BillingCycle::Monthly, 3, 36_000),
        ("b", BillingCycle::Yearly, 1, 1_000),
        ("c", BillingCycle::Lifetime, 1, 0),
    ] {
        world.done(|tx| tx.define_tier(&TierDraft::new(product).fee(eur(120), cycle)));
        let new = NewSubscription::to(product).seats(seats);
        let added = other(product).write(|tx| tx.add_subscription(id, &new)).unwrap();
        assert_eq!(added.mrr.unwrap().amount, brings, "{cycle}");
        assert_eq!(added.renewal_date.is_none(), cycle == BillingCycle::Lifetime);
    }
    let status = world.seen(|view| view.billing_status(id));
    assert_eq!((status.mrr[0].amount, status.active_subscriptions.len()), (37_000, 3));
    assert_eq!(world.now(id).monthly_spend, Some(status.mrr[0]));
}

fn several_currencies_are_never_added(world: &World) {
    let id = world.customer("Acme").id;
    for (product, currency) in [("a", "EUR"), ("b", "USD")] {
        let fee = tenure::Money::new(100, currency.parse().unwrap());
        world.done(|tx| tx.define_tier(&TierDraft::new(product).fee(fee, BillingCycle::Monthly)));
        let tenure = world.tenure.for_product(product).unwrap();
        tenure.write(|tx| tx.add_subscription(id, &NewSubscription::to(product))).unwrap();
    }
    let mut sums: Vec<_> =
        world.seen(|view| view.billing_status(id)).mrr.iter().map(ToString::to_string).collect();
    sums.sort();
    assert_eq!(sums, ["1.00 EUR", "1.00 USD"]);
}

fn a_cancellation_waits_for_the_end_of_the_period_if_asked(world: &World) {
    world.catalogue();
    let id = world.customer("Acme").id;
    let paid = world.done(|tx| tx.add_subscription(id, &NewSubscription::to("pro")));
    let cancel = || world.done(|tx| tx.cancel_subscription(paid.id, When::PeriodEnd));
    assert_eq!(world.told(cancel), ["subscription.updated"]);
    let asked = world.seen(|view| view.subscription(paid.id));
    assert!(asked.cancel_at_period_end && asked.cancelled_at == Some(BEGINNING));
    world.clock.advance(Duration::DAY);
    assert!(world.told(cancel).is_empty(), "asking again changes nothing");
    assert_eq!(world.now(id).tier.as_str(), "pro");
    world.clock.set(paid.renewal_date.unwrap());
    world.tenure.tick().unwrap();
    let over = world.seen(|view| view.subscription(paid.id));
    assert_eq!((over.status, over.end_date), (SubscriptionStatus::Cancelled, paid.renewal_date));
    assert_eq!(world.now(id).tier.as_str(), "free");
    assert!(world.told(|| world.done(|tx| tx.cancel_subscription(paid.id, When::Now))).is_empty());
    let free = all(world, id).into_iter().find(|it| it.status.is_running()).unwrap();
    assert_eq!(
        code(world.tried(|tx| tx.cancel_subscription(free.id, When::Now))),
        ErrorCode::Unprocessable
    );
}

fn a_missing_payment_keeps_the_rights_and_what_is_over_stays_over(world: &World) {
    world.catalogue();
    let id = world.customer("Acme").id;
    let paid = world.done(|tx| tx.add_subscription(id, &NewSubscription::to("pro"))).id;
    let act = |action| world.tried(|tx| tx.move_subscription(paid, action));
    assert_eq!(act(SubscriptionAction::MarkPastDue).unwrap().status, SubscriptionStatus::PastDue);
    assert!(world.check(id, "sso").can_use);
    assert!(world.told(|| act(SubscriptionAction::MarkPastDue)).is_empty());
    assert_eq!(act(SubscriptionAction::Activate).unwrap().status, SubscriptionStatus::Active);
    assert_eq!(act(SubscriptionAction::Expire).unwrap().status, SubscriptionStatus::Expired);
    for action in SubscriptionAction::ALL {
        match act(*action) {
            Ok(over) => assert_eq!(over.status, SubscriptionStatus::Expired, "{action}"),
            Err(error) => assert_eq!(error.code(), ErrorCode::Unprocessable, "{action}"),
        }
    }
}

fn renewals_fall_on_the_last_day_of_shorter_months_and_return(world: &World) {
    world.catalogue();
    let id = world.customer("Acme").id;
    let paid = world.done(|tx| tx.add_subscription(id, &NewSubscription::to("pro"))).id;
    let mut dates = Vec::new();
    for _ in 0..4 {
        let due = world.seen(|view| view.subscription(paid)).renewal_date.unwrap();
        dates.push(due.date().to_string());
        world.clock.set(due);
        assert_eq!(world.tenure.tick().unwrap().subscriptions_renewed, 1);
    }
    assert_eq!(dates, ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]);
}

fn a_trial_lasts_as_long_as_its_tier_says(world: &World) {
    world.done(|tx| tx.define_tier(&TierDraft::new("pro").trial_days(14)));
    let id = world.customer("Acme").id;
    let trial = world.done(|tx| tx.add_subscription(id, &NewSubscription::to("pro").trial()));
    assert_eq!(trial.trial_ends_at, Some(BEGINNING + Duration::days(14)));
    assert_eq!(world.now(id).tier.as_str(), "pro");
    world.clock.advance(Duration::days(14));
    world.tenure.tick().unwrap();
    assert_eq!(world.now(id).tier.as_str(), "free");
}

fn one_that_ended_long_ago_is_history_and_nothing_more(world: &World) {
    world.catalogue();
    let id = world.customer("Acme").id;
    let mut past = NewSubscription::to("pro").started(BEGINNING - Duration::days(100));
    past.end_date = Some(BEGINNING - Duration::days(50));
    past.status = SubscriptionStatus::Expired;
    let before = world.now(id);
    let past = world.done(|tx| tx.add_subscription(id, &past));
    assert_eq!((past.renewal_date, world.now(id)), (None, before));
    world.done(|tx| tx.add_subscription(id, &NewSubscription::to("starter")));
    assert_eq!(all(world, id).len(), 3);
}

fn every_fault_of_a_subscription_is_told_at_once(world: &World) {
    world.catalogue();
    let id = world.customer("Acme").id;
    let mut new = NewSubscription::to("pro").seats(0).started(BEGINNING);
    new.end_date = Some(BEGINNING);
    new.display_name = Some(String::new());
    new.stripe_subscription_id = Some(" sub".into());
    let error = world.refused(|tx| tx.add_subscription(id, &new));
    assert_eq!(fields(&error), ["displayName", "stripeSubscriptionId", "quantity", "endDate"]);
    let early = NewSubscription::to("pro").started(datetime!(0000-01-01 0:00 UTC));
    let error = world.refused(|tx| tx.add_subscription(id, &early));
    assert_eq!(fields(&error), ["startDate"]);
    let missing = world.refused(|tx| tx.add_subscription(id, &NewSubscription::to("gold")));
    assert_eq!(missing.code(), ErrorCode::NotFound);
}

stories! {
    the_journey_ends_with_the_last_paid_one_and_begins_again_with_another,
    a_paid_subscription_ends_the_free_one_which_comes_back_when_it_is_over,
    the_tier_follows_the_highest_rank_of_all_products,
    two_paid_subscriptions_of_one_product_conflict,
    one_that_waits_takes_effect_when_it_is_activated_and_by_the_same_rules,
    revenue_counts_a_year_as_twelve_months_and_a_lifetime_as_nothing,
    several_currencies_are_never_added,
    a_cancellation_waits_for_the_end_of_the_period_if_asked,
    a_missing_payment_keeps_the_rights_and_what_is_over_stays_over,
    renewals_fall_on_the_last_day_of_shorter_months_and_return,
    a_trial_lasts_as_long_as_its_tier_says,
    one_that_ended_long_ago_is_history_and_nothing_more,
    every_fault_of_a_subscription_is_told_at_once,
}

fn the_journey_ends_with_the_last_paid_one_and_begins_again_with_another(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    assert_eq!(world.now(acme).stage, Stage::Trial);
    let given = world.done(|tx| tx.apply_tier(acme, "starter", &[])).subscription;
    world.done(|tx| tx.cancel_subscription(given.id, When::Now));
    assert_eq!(world.now(acme).stage, Stage::Trial, "nothing was paid");
    let paid = world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("pro")));
    assert_eq!(world.now(acme).stage, Stage::Onboarding);
    world.done(|tx| tx.cancel_subscription(paid.id, When::Now));
    assert_eq!(world.now(acme).stage, Stage::Churned);
    world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("pro")));
    assert_eq!(world.now(acme).stage, Stage::Onboarding);
}

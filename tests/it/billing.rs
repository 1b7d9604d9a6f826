//! Billing: checkouts claimed once, subscriptions linked, failures reported and tried again.

use crate::support::{World, code, customers, eur, holder, race};
use tenure::{ErrorCode, LinkStatus, Onboard, SubscriptionKind};

fn a_checkout_is_claimed_once_and_gives_the_tier_of_its_price(world: &World) {
    world.catalogue();
    world.till.subscription("sub_1", "price_pro");
    world.till.session("cs_1", Some("sub_1"));
    let (acme, globex) = (world.customer("Acme").id, world.customer("Globex").id);
    let first = world.tenure.claim_checkout(acme, "cs_1").unwrap();
    assert!(!first.already && first.features_applied == 2);
    assert_eq!(first.tier_code.as_ref().unwrap().as_str(), "pro");
    let subscription = world.seen(|view| view.subscription(first.subscription_id));
    assert_eq!(subscription.stripe_customer_id.unwrap().as_str(), "cus_sub_1");
    assert_eq!((subscription.kind, subscription.mrr), (SubscriptionKind::Paid, Some(eur(49))));

    let mut again = None;
    let told = world.told(|| again = Some(world.tenure.claim_checkout(acme, "cs_1").unwrap()));
    assert!(again.is_some_and(|it| it.already && it.subscription_id == first.subscription_id));
    assert!(told.is_empty(), "{told:?}");
    let linked = world.tenure.link_subscription(acme, "sub_1", None, None, None).unwrap();
    assert!(linked.already && linked.subscription_id == first.subscription_id);
    for refused in [
        world.tenure.claim_checkout(globex, "cs_1"),
        world.tenure.link_subscription(globex, "sub_1", None, None, None),
    ] {
        let error = refused.unwrap_err();
        assert_eq!((error.code(), holder(error)), (ErrorCode::Conflict, acme.to_string()));
    }
    let status = world.seen(|view| view.billing_status(acme));
    assert!(status.has_billing_profile && status.enabled_features_count == 2);
    assert_eq!((status.mrr, status.active_subscriptions.len()), (vec![eur(49)], 1));
    assert_eq!(status.active_subscriptions[0].tier.as_ref().unwrap().code.as_str(), "pro");
    assert!(!world.seen(|view| view.billing_status(globex)).has_billing_profile);
}

fn ten_claims_of_one_checkout_at_once_record_one_subscription(world: &World) {
    world.catalogue();
    world.till.subscription("sub_1", "price_pro");
    world.till.session("cs_1", Some("sub_1"));
    let id = world.customer("Acme").id;
    let links = race(10, |_| world.tenure.claim_checkout(id, "cs_1").unwrap());
    assert!(links.iter().all(|it| it.subscription_id == links[0].subscription_id));
    assert_eq!(links.iter().filter(|it| !it.already).count(), 1);
}

fn what_cannot_be_claimed_says_why(world: &World) {
    world.catalogue();
    world.till.session("cs_open", None);
    world.till.subscription("sub_odd", "price_of_nothing");
    world.till.session("cs_odd", Some("sub_odd"));
    world.till.session("cs_lost", Some("sub_lost"));
    let id = world.customer("Acme").id;
    let nobody = uuid::Uuid::from_u128(7).into();
    let before = crate::support::dump(&world.tenure);
    for (customer, session, expected) in [
        (id, "cs_open", ErrorCode::PreconditionFailed),
        (id, "cs_none", ErrorCode::NotFound),
        (id, "cs_odd", ErrorCode::NotFound),
        (id, "cs_lost", ErrorCode::NotFound),
        (id, " cs", ErrorCode::BadRequest),
        (nobody, "cs_open", ErrorCode::NotFound),
    ] {
        assert_eq!(code(world.tenure.claim_checkout(customer, session)), expected, "{session}");
    }
    world.till.down(true);
    let error = world.tenure.claim_checkout(id, "cs_open").unwrap_err();
    assert!(error.is_retryable() && error.code() == ErrorCode::Unavailable);
    assert_eq!(crate::support::dump(&world.tenure), before);
}

fn a_subscription_is_linked_with_what_the_caller_knows_better(world: &World) {
    world.catalogue();
    world.till.subscription("sub_1", "price_starter");
    let id = world.customer("Acme").id;
    let link = world
        .tenure
        .link_subscription(id, "sub_1", Some("cus_9"), Some("pro"), Some("Berlin"))
        .unwrap();
    let subscription = world.seen(|view| view.subscription(link.subscription_id));
    assert_eq!(subscription.tier_code.as_str(), "pro");
    assert_eq!(subscription.stripe_customer_id.unwrap().as_str(), "cus_9");
    assert_eq!(subscription.display_name.unwrap().as_str(), "Berlin");
    let error = world.tenure.link_subscription(id, "sub_2", None, None, None).unwrap_err();
    assert!(error.is_not_found());
}

fn a_payment_that_fails_keeps_the_customer_and_is_taken_up_by_the_next_try(world: &World) {
    world.catalogue();
    world.till.subscription("sub_1", "price_pro");
    world.till.session("cs_1", None);
    let request = Onboard::org("org_1").company("Acme").checkout("cs_1");
    let first = world.tenure.onboard(&request).unwrap();
    let problem = first.billing_status.error.unwrap();
    assert!(problem.contains("cs_1") && problem.contains("open"), "{problem}");
    assert_eq!((first.link_status, customers(&world.tenure).len()), (LinkStatus::Created, 1));
    assert_eq!(world.now(first.customer_id).tier.as_str(), "free");

    world.till.down(true);
    let second = world.tenure.onboard(&request).unwrap();
    assert!(second.billing_status.error.unwrap().contains("it is down"));
    world.till.down(false);
    world.till.session("cs_1", Some("sub_1"));
    let third = world.tenure.onboard(&request).unwrap();
    assert_eq!(third.link_status, LinkStatus::AlreadyLinked);
    let billing = third.billing_status;
    assert!(billing.claimed && !billing.linked && billing.error.is_none());
    assert_eq!(billing.tier_applied.unwrap().as_str(), "pro");
    assert_eq!(world.now(first.customer_id).tier.as_str(), "pro");
    let again = world.tenure.onboard(&request).unwrap().billing_status;
    assert_eq!(again.subscription_id, billing.subscription_id);
}

fn what_is_to_be_paid_for_is_not_given_before(world: &World) {
    world.catalogue();
    world.till.session("cs_1", None);
    let request = |org: &str| Onboard::org(org).company(format!("Company of {org}")).tier("pro");
    for unpaid in [request("org_1").checkout("cs_1"), request("org_2").stripe_subscription("sub_1")]
    {
        let done = world.tenure.onboard(&unpaid).unwrap();
        assert!(done.billing_status.error.is_some() && done.billing_status.tier_applied.is_none());
        assert_eq!(world.now(done.customer_id).tier.as_str(), "free");
    }
}

fn a_subscription_is_linked_while_onboarding(world: &World) {
    world.catalogue();
    world.till.subscription("sub_1", "price_starter");
    let request = Onboard::org("org_1").company("Acme").stripe_subscription("sub_1").tier("pro");
    let done = world.tenure.onboard(&request).unwrap();
    assert!(done.billing_status.linked && !done.billing_status.claimed);
    assert_eq!(done.billing_status.tier_applied.unwrap().as_str(), "pro");
    let kinds: Vec<_> = world
        .seen(|view| view.subscriptions(done.customer_id))
        .into_iter()
        .filter(|it| it.status.is_running())
        .map(|it| it.kind)
        .collect();
    assert_eq!(kinds, [SubscriptionKind::Paid]);
}

fn without_a_gateway_nothing_is_claimed(world: &World) {
    let store = tenure::store::memory::MemoryStore::new();
    let tenure = tenure::Tenure::open(store).unwrap();
    let request = Onboard::org("org_1").checkout("cs_1");
    let done = tenure.onboard(&request).unwrap();
    assert!(done.billing_status.error.unwrap().contains("no billing gateway"));
    let error = tenure.claim_checkout(done.customer_id, "cs_1").unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unprocessable);
    assert!(customers(&world.tenure).is_empty());
}

stories! {
    a_checkout_is_claimed_once_and_gives_the_tier_of_its_price,
    ten_claims_of_one_checkout_at_once_record_one_subscription,
    what_cannot_be_claimed_says_why,
    a_subscription_is_linked_with_what_the_caller_knows_better,
    a_payment_that_fails_keeps_the_customer_and_is_taken_up_by_the_next_try,
    what_is_to_be_paid_for_is_not_given_before,
    a_subscription_is_linked_while_onboarding,
    without_a_gateway_nothing_is_claimed,
}

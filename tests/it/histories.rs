//! Histories that once broke a promise, each as short as it could be told.

use crate::support::World;
use tenure::domain::tier_change::When;
use tenure::{
    AccessPatch, ContactDraft, Correction, Customer, CustomerDraft, Error, FeatureDraft, Hints,
    NewSubscription, ResetPeriod, SmartLink, SubscriptionAction, SubscriptionKind,
    SubscriptionStatus, TierDraft, Track, UserDraft, View,
};
use time::Duration;

stories![
    a_new_billing_address_tells_who_it_is,
    a_contact_that_leaves_does_not_bring_a_deleted_customer_back,
    what_a_tick_does_not_act_on_is_not_due,
    a_pending_subscription_that_starts_ends_the_free_one,
    a_pending_subscription_does_not_start_beside_a_paid_one,
    a_free_subscription_is_not_added_beside_another,
    what_changes_nothing_leaves_no_event,
    late_usage_between_two_windows_counts_once,
    a_clock_that_was_set_back_moves_no_usage,
];

/// A catalogue, and a customer on the tier `free`.
fn acme(world: &World) -> Customer {
    world
        .tenure
        .write(|tx| {
            tx.define_feature("ai_credits", &FeatureDraft::default())?;
            tx.define_tier(&TierDraft::new("starter"))?;
            tx.define_tier(&TierDraft::new("pro"))?;
            tx.create_customer(&CustomerDraft::named("Acme Inc.").domain("acme.com"))
        })
        .unwrap()
}

fn matched(world: &World, domain: &str) -> SmartLink {
    let hints = Hints::new().domain(domain);
    world.tenure.read(|view| view.find_match(&hints, 0.6)).unwrap()
}

fn assert_sound(world: &World) {
    let found = world.tenure.verify(|_| ()).unwrap();
    assert!(found.is_sound(), "{:?}", found.discrepancies);
}

fn a_new_billing_address_tells_who_it_is(world: &World) {
    let acme = acme(world);
    let draft = CustomerDraft::default().billing_email("money@acme-billing.com");
    world.tenure.write(|tx| tx.update_customer(acme.id, &draft)).unwrap();
    let matched = matched(world, "acme-billing.com");
    assert!(!matches!(matched, SmartLink::NoMatch), "{matched:?}");
}

fn a_contact_that_leaves_does_not_bring_a_deleted_customer_back(world: &World) {
    let acme = acme(world);
    let ada = ContactDraft::at("ada@acme.com");
    let ada = world.tenure.write(|tx| tx.upsert_contact(acme.id, &ada)).unwrap().contact;
    world.tenure.write(|tx| tx.delete_customer(acme.id)).unwrap();
    world.tenure.write(|tx| tx.remove_contact(ada.id)).unwrap();
    assert_eq!(matched(world, "acme.com"), SmartLink::NoMatch);
}

fn what_a_tick_does_not_act_on_is_not_due(world: &World) {
    let acme = acme(world);
    world
        .tenure
        .write(|tx| {
            let paid = tx.add_subscription(acme.id, &NewSubscription::to("pro"))?;
            tx.move_subscription(paid.id, SubscriptionAction::MarkPastDue)
        })
        .unwrap();
    world.clock.advance(Duration::days(40));
    world.tenure.tick().unwrap();
    let now = world.clock.now();
    let overdue = |view: &View<'_>| Ok::<_, Error>(view.next_due()?.filter(|due| *due <= now));
    assert_eq!(world.tenure.read(overdue).unwrap(), None, "a host would tick for ever");
}

fn a_pending_subscription_that_starts_ends_the_free_one(world: &World) {
    let acme = acme(world);
    let mut pending = NewSubscription::to("pro");
    pending.status = SubscriptionStatus::Pending;
    let subscriptions = world
        .tenure
        .write(|tx| {
            let pending = tx.add_subscription(acme.id, &pending)?;
            tx.move_subscription(pending.id, SubscriptionAction::Activate)?;
            tx.view().subscriptions(acme.id)
        })
        .unwrap();
    let running: Vec<SubscriptionKind> =
        subscriptions.iter().filter(|it| it.status.is_running()).map(|it| it.kind).collect();
    assert_eq!(running, [SubscriptionKind::Paid]);
}

fn a_pending_subscription_does_not_start_beside_a_paid_one(world: &World) {
    let acme = acme(world);
    let mut pending = NewSubscription::to("pro");
    pending.status = SubscriptionStatus::Pending;
    let pending = world.tenure.write(|tx| tx.add_subscription(acme.id, &pending)).unwrap();
    let paid = NewSubscription::to("starter");
    let paid = world.tenure.write(|tx| tx.add_subscription(acme.id, &paid)).unwrap();
    let activate = SubscriptionAction::Activate;
    let refused = world.tenure.write(|tx| tx.move_subscription(pending.id, activate)).unwrap_err();
    assert!(refused.is_conflict(), "{refused}");
    world
        .tenure
        .write(|tx| {
            tx.cancel_subscription(paid.id, When::Now)?;
            tx.move_subscription(pending.id, activate)
        })
        .unwrap();
}

fn a_free_subscription_is_not_added_beside_another(world: &World) {
    let acme = acme(world);
    let mut free = NewSubscription::to("free");
    free.kind = SubscriptionKind::Free;
    let refused = world.tenure.write(|tx| tx.add_subscription(acme.id, &free)).unwrap_err();
    assert!(matches!(refused, Error::Rule(_)), "{refused}");
}

fn what_changes_nothing_leaves_no_event(world: &World) {
    let acme = acme(world);
    let again = || {
        world
            .tenure
            .write(|tx| {
                tx.set_access(acme.id, "ai_credits", &AccessPatch::new().limit(None))?;
                let ada = tx.register_user("ada", &UserDraft::default())?;
                let bob = tx.register_user("bob", &UserDraft::default())?;
                tx.reassign(ada.id, bob.id)
            })
            .unwrap();
        world.tenure.read(|view| view.events(None, 1_000)).unwrap().len()
    };
    assert_eq!(again(), again());
}

fn late_usage_between_two_windows_counts_once(world: &World) {
    let acme = acme(world);
    let daily = AccessPatch::new().limit(None).resets(ResetPeriod::Daily);
    let track = Track::new(acme.id, "ai_credits");
    world.tenure.write(|tx| tx.set_access(acme.id, "ai_credits", &daily)).unwrap();
    world.clock.advance(Duration::days(7));
    // The meter stands in the first window: the sixth was never looked at.
    let late = track.clone().at(world.clock.now() - Duration::seconds(1));
    let result = world.tenure.write(|tx| tx.track(&late)).unwrap();
    assert_eq!(result.current_usage, 1.into());
    assert_sound(world);
    // Usage from just ahead of the clock counts in the window that it belongs to.
    world.clock.advance(Duration::hours(23) + Duration::minutes(58));
    let early = track.clone().at(world.clock.now() + Duration::minutes(4));
    world.tenure.write(|tx| tx.track(&early)).unwrap();
    world.clock.advance(Duration::minutes(3));
    let next = world.tenure.write(|tx| tx.track(&track)).unwrap();
    assert_eq!(next.previous_usage, 1.into());
    assert_sound(world);
}

fn a_clock_that_was_set_back_moves_no_usage(world: &World) {
    let acme = acme(world);
    let daily = AccessPatch::new().limit(None).resets(ResetPeriod::Daily);
    world.tenure.write(|tx| tx.set_access(acme.id, "ai_credits", &daily)).unwrap();
    let track = Track::new(acme.id, "ai_credits");
    world.tenure.write(|tx| tx.track(&track)).unwrap();
    world.clock.advance(Duration::days(1));
    world.tenure.write(|tx| tx.track(&track)).unwrap();
    world.clock.advance(Duration::hours(-6));
    world.tenure.write(|tx| tx.track(&track)).unwrap();
    assert_sound(world);
    // Another calendar ends the running window before what it counted.
    let monthly = AccessPatch::new().resets(ResetPeriod::Monthly);
    world.tenure.write(|tx| tx.set_access(acme.id, "ai_credits", &monthly)).unwrap();
    world.clock.advance(Duration::days(10));
    let refund = Correction::new(acme.id, "ai_credits", 1, "counted twice");
    world.tenure.write(|tx| tx.adjust_usage(&refund)).unwrap();
    world.clock.advance(Duration::days(-9));
    world.tenure.write(|tx| tx.set_access(acme.id, "ai_credits", &daily)).unwrap();
    world.clock.advance(Duration::days(10));
    world.tenure.tick().unwrap();
    assert_sound(world);
}

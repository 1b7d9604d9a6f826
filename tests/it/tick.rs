//! The tick: makes durable what time brings about, and nothing else.

use crate::support::{BEGINNING, World, dump};
use tenure::{
    AccessPatch, DenialReason, NewGrant, NewSubscription, Quantity, ResetPeriod,
    SubscriptionAction, Ticked,
};
use time::Duration;

fn what_is_due_is_done_once_and_told(world: &World) {
    world.catalogue();
    let id = world.customer("Acme").id;
    let end = BEGINNING + Duration::DAY;
    world.done(|tx| {
        let mut short = NewSubscription::to("starter");
        short.end_date = Some(end);
        tx.add_subscription(id, &short)?;
        tx.grant(id, &NewGrant::of("sso", 1).valid_until(end))
    });
    world.uses(id, "ai_credits", 3);
    assert_eq!(world.tenure.tick().unwrap(), Ticked::default(), "nothing is due yet");
    assert_eq!(world.seen(|view| view.next_due()), Some(end));
    world.clock.set(end);
    assert_eq!(
        world.check(id, "sso").reason,
        Some(DenialReason::Expired),
        "a check is right without"
    );
    let mut ticked = None;
    let told = world.told(|| ticked = world.tenure.tick().ok());
    let ticked = ticked.unwrap();
    assert_eq!((ticked.subscriptions_ended, ticked.entitlements_expired), (1, 1));
    for name in ["subscription.expired", "entitlement.expired", "subscription.added"] {
        assert_eq!(told.iter().filter(|it| *it == name).count(), 1, "{name} in {told:?}");
    }
    let before = dump(&world.tenure);
    assert_eq!(world.tenure.tick().unwrap(), Ticked::default());
    assert_eq!(dump(&world.tenure), before);
}

fn after_a_tick_nothing_is_due_any_more(world: &World) {
    world.catalogue();
    let ids = ["Past due", "On trial", "Active", "Waiting"].map(|name| world.customer(name).id);
    let add = |id, new: &NewSubscription| world.done(|tx| tx.add_subscription(id, new)).id;
    let late = add(ids[0], &NewSubscription::to("pro"));
    world.done(|tx| tx.move_subscription(late, SubscriptionAction::MarkPastDue));
    let mut trial = NewSubscription::to("pro").trial();
    trial.trial_ends_at = Some(BEGINNING + Duration::days(400));
    add(ids[1], &trial);
    add(ids[2], &NewSubscription::to("pro"));
    let mut waiting = NewSubscription::to("pro");
    waiting.status = tenure::SubscriptionStatus::Pending;
    add(ids[3], &waiting);
    for days in [1, 40, 300, 100] {
        world.clock.advance(Duration::days(days));
        world.tenure.tick().unwrap();
        let due = world.seen(|view| view.next_due());
        assert!(
            due.is_none_or(|due| due > world.clock.now()),
            "a host would tick for ever: {due:?}"
        );
    }
}

fn a_window_that_ended_is_closed_with_its_usage(world: &World) {
    world.catalogue();
    let id = world.customer_on("pro", "Acme");
    world.uses(id, "ai_credits", 3);
    world.clock.advance(Duration::days(40));
    let told = world.told(|| world.tenure.tick().unwrap());
    assert!(told.contains(&"entitlement.reset".to_owned()), "{told:?}");
    let snapshots = world.seen(|view| view.usage_snapshots(id, "ai_credits", 10, None)).items;
    assert_eq!(snapshots[0].absolute_value, 3.into());
    assert!(world.tenure.verify(|_| ()).unwrap().is_sound());
}

fn a_clock_that_was_set_back_resets_nothing_twice(world: &World) {
    world.catalogue();
    let id = world.customer("Acme").id;
    let daily = AccessPatch::new().limit(Quantity::from(9)).resets(ResetPeriod::Daily);
    world.done(|tx| tx.set_access(id, "ai_credits", &daily));
    world.clock.advance(Duration::DAY);
    world.uses(id, "ai_credits", 3);
    let seen = world.check(id, "ai_credits");
    world.clock.advance(-Duration::HOUR);
    world.tenure.tick().unwrap();
    assert_eq!(world.check(id, "ai_credits"), seen);
    world.uses(id, "ai_credits", 2);
    world.clock.advance(Duration::HOUR);
    world.tenure.tick().unwrap();
    assert_eq!(world.check(id, "ai_credits").current_usage, 5.into());
}

fn many_are_done_in_one_tick_and_by_several_at_once(world: &World) {
    world.catalogue();
    let ids: Vec<_> =
        (0..110).map(|n| world.customer_on("starter", &format!("Customer {n}"))).collect();
    world.clock.advance(Duration::days(40));
    let ticked = crate::support::race(4, |_| world.tenure.tick().unwrap());
    let renewed: usize = ticked.iter().map(|it| it.subscriptions_renewed).sum();
    assert_eq!(renewed, ids.len());
}

stories! {
    what_is_to_end_is_never_renewed_however_much_is_due,
    what_is_due_is_done_once_and_told,
    after_a_tick_nothing_is_due_any_more,
    a_window_that_ended_is_closed_with_its_usage,
    a_clock_that_was_set_back_resets_nothing_twice,
    many_are_done_in_one_tick_and_by_several_at_once,
}

fn what_is_to_end_is_never_renewed_however_much_is_due(world: &World) {
    world.catalogue();
    for number in 0..250 {
        let id = world.customer(&format!("Customer {number}")).id;
        let paid = world.done(|tx| tx.add_subscription(id, &NewSubscription::to("starter")));
        world.done(|tx| tx.cancel_subscription(paid.id, tenure::When::PeriodEnd));
    }
    world.clock.advance(Duration::days(40));
    let ticked = world.tenure.tick().unwrap();
    assert_eq!((ticked.subscriptions_ended, ticked.subscriptions_renewed), (250, 0));
}

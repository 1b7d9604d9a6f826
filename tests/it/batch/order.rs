//! Events of a batch are judged one after the other, whatever is sealed together.

use super::{counted, keyed, many, outcomes, used};
use crate::metered::{CREDITS, credits, q, reused};
use crate::support::World;
use tenure::domain::cycle::Cycle;
use tenure::{
    AccessPatch, LimitWindow, NewGrant, Overage, Quantity, Reserve, ResetPeriod, UsageEventType,
};
use time::Duration;

stories! {
    a_limit_that_is_hit_in_the_middle_refuses_only_what_does_not_fit,
    a_clamping_limit_takes_what_fits_of_one,
    a_key_twice_in_a_batch_counts_once,
    a_key_twice_with_other_content_is_a_conflict_of_that_event,
    a_key_that_was_refused_can_be_used_later_in_the_batch,
    room_that_is_set_aside_is_not_used,
    a_first_use_opens_a_window_and_the_rest_counts_in_it,
    top_ups_are_used_when_the_base_is,
    a_threshold_is_told_once,
    a_few_events_stand_by_themselves,
}

fn a_limit_that_is_hit_in_the_middle_refuses_only_what_does_not_fit(world: &World) {
    let acme = world.meter(25);
    let mut batch = keyed(acme, "k", 20);
    batch.push(credits(acme, 6).key("large"));
    batch.extend(keyed(acme, "small", 7));
    let mut expected = vec!["counted"; 28];
    expected[20] = "PRECONDITION_FAILED";
    expected[26..].fill("PRECONDITION_FAILED");
    assert_eq!(outcomes(world, &batch), expected);
    assert_eq!(used(world, acme), q("25"));
    world.limit(acme, 33);
    let retried = outcomes(world, &batch);
    assert_eq!((retried[20], retried[26], retried[27]), ("counted", "counted", "counted"));
    assert_eq!(used(world, acme), q("33"));
}

fn a_clamping_limit_takes_what_fits_of_one(world: &World) {
    let acme = world.meter_with(20, Overage::Clamp);
    let batch: Vec<_> = (0..12).map(|n| credits(acme, 3).key(format!("k-{n}"))).collect();
    let answers = world.tenure.track_batch(&batch).unwrap();
    let deltas: Vec<_> = answers.iter().flatten().map(|it| (it.delta, it.requested)).collect();
    assert_eq!(deltas[..6], [(q("3"), q("3")); 6]);
    assert_eq!(deltas[6..], [(q("2"), q("3"))]);
    assert!(answers[7..].iter().all(|it| it.as_ref().is_err_and(|it| it.is_limit_exceeded())));
    assert_eq!(used(world, acme), q("20"));
    let again = world.track(&batch[6]).unwrap();
    assert!(again.duplicate && again.delta == q("2"), "a retry of what was clamped");
}

fn a_key_twice_in_a_batch_counts_once(world: &World) {
    let acme = world.meter(1_000);
    let mut batch = keyed(acme, "k", 30);
    batch.extend(keyed(acme, "k", 30));
    batch.push(batch[0].clone());
    let answers = counted(world, &batch);
    for n in 30..61 {
        let mut first = answers[n % 30].clone();
        first.duplicate = true;
        assert_eq!(answers[n], first);
    }
    assert_eq!((used(world, acme), world.history(acme).len()), (q("30"), 30));
}

fn a_key_twice_with_other_content_is_a_conflict_of_that_event(world: &World) {
    let acme = world.meter(1_000);
    // Among many that are sealed, and among few that are not.
    for (name, count) in [("many", 30), ("few", 3)] {
        let mut batch = keyed(acme, name, count);
        batch.push(credits(acme, 5).key(format!("{name}-0")));
        batch.push(credits(acme, 1).key(format!("{name}-0")));
        let mut answers = world.tenure.track_batch(&batch).unwrap();
        assert!(answers.pop().unwrap().unwrap().duplicate);
        assert_eq!(reused(answers.pop().unwrap()), "quantity");
        assert!(answers.iter().all(|it| it.is_ok()));
    }
    assert_eq!(used(world, acme), q("33"));
}

fn a_key_that_was_refused_can_be_used_later_in_the_batch(world: &World) {
    let acme = world.meter(30);
    let mut batch = vec![credits(acme, 31).key("k")];
    batch.extend(keyed(acme, "a", 20));
    batch.push(credits(acme, 4).key("k"));
    batch.extend(keyed(acme, "b", 10));
    batch.push(credits(acme, 4).key("k"));
    let answers = world.tenure.track_batch(&batch).unwrap();
    assert!(answers[0].as_ref().unwrap_err().is_limit_exceeded());
    let taken = answers[21].as_ref().unwrap();
    assert_eq!((taken.previous_usage, taken.duplicate), (q("20"), false), "in its place");
    assert_eq!(answers[22..32].iter().filter(|it| it.is_ok()).count(), 6);
    assert!(answers[32].as_ref().unwrap().duplicate);
    assert_eq!(used(world, acme), q("30"));
}

fn room_that_is_set_aside_is_not_used(world: &World) {
    let acme = world.meter(30);
    let hold = Reserve::new(acme, CREDITS, 12, Duration::HOUR).key("h");
    world.done(|tx| tx.reserve(&hold));
    let answers = world.tenure.track_batch(&keyed(acme, "k", 30)).unwrap();
    assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 18);
    assert_eq!(answers[0].as_ref().unwrap().remaining, Some(q("17")));
    world.clock.advance(Duration::HOUR);
    let answers = counted(world, &keyed(acme, "k", 30));
    assert_eq!(answers.iter().filter(|it| !it.duplicate).count(), 12, "its time is over");
    assert_eq!(world.times_told("hold.expired"), 1);
    assert_eq!(used(world, acme), q("30"));
}

fn a_first_use_opens_a_window_and_the_rest_counts_in_it(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    let acme = world.someone("Acme");
    let five = LimitWindow::first_use(Cycle::hours(5).unwrap(), 25);
    world.allow(acme, CREDITS, &AccessPatch::new().window(five));
    for round in 0..2_usize {
        let answers = world.tenure.track_batch(&keyed(acme, &format!("r{round}"), 40)).unwrap();
        assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 25, "round {round}");
        world.assert_sound();
        world.clock.advance(Duration::hours(4));
        assert!(!world.check(acme, CREDITS).can_use, "the first of them opened the window");
        world.clock.advance(Duration::HOUR);
        assert!(world.check(acme, CREDITS).can_use);
    }
}

fn top_ups_are_used_when_the_base_is(world: &World) {
    let acme = world.meter(20);
    let top_up = world.done(|tx| tx.grant(acme, &NewGrant::of(CREDITS, 15).key("top-up"))).id;
    let answers = world.tenure.track_batch(&keyed(acme, "k", 50)).unwrap();
    assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 35);
    assert_eq!(used(world, acme), q("35"));
    let of = |n: usize| {
        let event = answers[n].as_ref().unwrap().event_id;
        world.seen(|view| view.burns(event))
    };
    let gave = |n: usize| of(n).iter().any(|it| it.entitlement_id == top_up);
    let from_top_up = (0..35).filter(|n| gave(*n)).count();
    assert_eq!(from_top_up, 15);
    assert!((0..35).all(|n| of(n).iter().map(|it| it.quantity).eq([Quantity::ONE])));
    world.clock.advance(Duration::days(40));
    let answers = world.tenure.track_batch(&keyed(acme, "next", 50)).unwrap();
    let window = answers.iter().filter(|it| it.is_ok()).count();
    let limit = world.check(acme, CREDITS).quantity_limit.unwrap();
    assert_eq!(many(window), limit, "the next window is filled as far as it goes");
    world.assert_sound();
}

fn a_threshold_is_told_once(world: &World) {
    let acme = world.meter(100);
    for round in 0..4 {
        counted(world, &keyed(acme, &format!("r{round}"), 25));
    }
    assert_eq!(world.times_told("entitlement.threshold_reached"), 3);
    assert_eq!(world.times_told("entitlement.exhausted"), 1);
    let told = world.all_events();
    let consumed: Vec<_> = told.iter().filter(|it| it.name == "entitlement.consumed").collect();
    assert_eq!(consumed.len(), 4, "what is sealed together is told together");
    assert!(consumed.iter().all(|it| it.data["events"] == 25 && it.data["quantity"] == 25));
}

/// Resets and retries do not depend on whether events are sealed.
fn a_few_events_stand_by_themselves(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    let acme = world.someone("Acme");
    world.allow(acme, CREDITS, &AccessPatch::new().limit(q("9")).resets(ResetPeriod::Daily));
    for day in 0..4_usize {
        // By themselves, sealed, and both.
        let batches = [keyed(acme, &format!("{day}"), 3), keyed(acme, &format!("{day}"), 9)];
        for batch in batches {
            counted(world, &batch);
        }
        assert_eq!(used(world, acme), q("9"));
        let history = world.history(acme);
        assert_eq!(history.len(), 9 * (day + 1));
        assert!(history.iter().all(|it| it.event_type == UsageEventType::Increment));
        world.clock.advance(Duration::DAY);
    }
}

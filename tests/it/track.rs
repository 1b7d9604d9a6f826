//! What a track promises: counted once, never beyond a limit that rejects, in its own window.

use crate::metered::{CREDITS, credits, document, q, reused};
use crate::support::{BEGINNING, World};
use serde_json::json;
use tenure::store::memory::MemoryStore;
use tenure::{
    AccessPatch, CustomerAction, CustomerId, DenialReason, Error, ErrorCode, FeatureDraft, Grace,
    NewGrant, Overage, Quantity, ResetPeriod, Track,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

stories![
    a_retry_gets_the_first_answer_and_changes_nothing,
    a_retry_is_answered_for_ever,
    a_retry_is_answered_whatever_else_was_counted_since,
    a_key_used_for_something_else_names_what_differs,
    a_time_that_was_filled_in_is_no_content,
    metadata_is_the_same_in_any_order_and_to_the_last_digit,
    a_key_belongs_to_one_meter_of_one_org,
    an_external_organisation_names_the_same_meter,
    without_a_key_every_call_counts,
    a_refused_attempt_leaves_its_key_free,
    an_attempt_refused_for_want_of_a_right_leaves_its_key_free,
    a_conflicting_attempt_does_not_take_over_the_key,
    a_limit_can_be_reached_and_not_passed,
    a_refusal_says_how_much_is_left_and_when_it_starts_again,
    more_than_the_limit_at_once_is_refused_whole,
    fractions_add_up_exactly,
    overage_that_is_allowed_is_counted_and_billable,
    grace_by_a_quantity_ends_where_it_says,
    grace_by_a_percentage_is_of_the_limit,
    a_clamping_limit_takes_what_fits_and_says_so,
    the_included_quantity_is_not_billable,
    a_limit_of_zero_lets_nothing_through,
    a_limit_lowered_below_the_usage_takes_nothing_back,
    without_a_limit_there_is_always_room,
    a_sum_beyond_the_range_changes_nothing,
    limits_that_add_up_beyond_the_range_are_the_greatest_quantity,
    what_is_not_above_zero_is_no_usage,
    every_fault_is_told_at_once,
    only_known_things_are_counted,
    what_the_customer_has_no_right_to_is_forbidden,
    late_usage_counts_in_its_own_window,
    late_usage_counts_in_a_window_in_which_nothing_was_used,
    late_usage_counts_in_an_idle_window_of_a_meter_that_has_not_moved_on,
    late_usage_meets_the_limit_of_its_own_window,
    late_usage_is_told_apart_from_this_windows_thresholds,
    usage_before_the_entitlement_is_refused,
    usage_of_a_lifetime_counts_in_the_one_window_there_is,
    usage_may_be_as_late_as_the_grace_and_no_later,
    usage_may_be_five_minutes_ahead_and_no_more,
    usage_ahead_of_a_reset_counts_after_it,
    a_window_that_begins_with_usage_ends_where_it_ends,
    the_order_of_arrival_changes_no_total,
    a_clock_set_back_over_a_reset_resets_nothing_again,
    a_decade_without_usage_costs_nothing,
    windows_from_the_last_of_january_end_with_their_months,
    a_preview_leaves_nothing,
    a_transaction_that_fails_counts_nothing,
    an_answer_adds_up,
];

fn a_retry_gets_the_first_answer_and_changes_nothing(world: &World) {
    let acme = world.meter(10);
    let track = credits(acme, 3).key("k").metadata(document(json!({"job": 7})));
    let first = world.track(&track).unwrap();
    assert!(!first.duplicate);
    let before = world.state(acme);
    for _ in 0..3 {
        let again = world.track(&track).unwrap();
        assert!(again.duplicate);
        let mut same = first.clone();
        same.duplicate = true;
        assert_eq!(again, same);
    }
    assert_eq!(world.state(acme), before);
    assert_eq!(world.history(acme).len(), 1);
}

fn a_retry_is_answered_for_ever(world: &World) {
    let acme = world.meter(10);
    let track = credits(acme, 10).key("k").at(BEGINNING);
    let first = world.track(&track).unwrap();
    let retried = |when: &str| {
        let before = world.state(acme);
        let again = world.track(&track);
        let again = again.unwrap_or_else(|error| panic!("{when}: {error}"));
        assert!(again.duplicate, "{when}");
        assert_eq!(again.current_usage, first.current_usage, "{when}");
        assert_eq!(again.quantity_limit, first.quantity_limit, "{when}");
        assert_eq!(again.event_id, first.event_id, "{when}");
        assert_eq!(world.state(acme), before, "{when}");
    };
    retried("at the limit");
    world.limit(acme, 1);
    retried("with a lower limit");
    world.allow(acme, CREDITS, &AccessPatch::new().enabled(false));
    retried("switched off for the customer");
    world.allow(acme, CREDITS, &AccessPatch::new().enabled(true));
    let off = FeatureDraft::default().is_active(false);
    world.tenure.write(|tx| tx.define_feature(CREDITS, &off)).unwrap();
    retried("switched off for all");
    let entitlement = world.tenure.read(|view| view.entitlements(acme)).unwrap()[0].id;
    world.tenure.write(|tx| tx.suspend_entitlement(entitlement)).unwrap();
    retried("suspended");
    world.tenure.write(|tx| tx.revoke_entitlement(entitlement)).unwrap();
    retried("revoked");
    world.tenure.write(|tx| tx.move_customer(acme, CustomerAction::Activate)).unwrap();
    world.tenure.write(|tx| tx.move_customer(acme, CustomerAction::Suspend)).unwrap();
    retried("with a customer who is suspended");
    world.clock.advance(Duration::days(40));
    retried("after a reset, and too late for new usage");
    world.tenure.tick().unwrap();
    retried("after a tick");
    world.clock.advance(Duration::days(365 * 30));
    retried("after thirty years");
    world.assert_sound();
}

fn a_retry_is_answered_whatever_else_was_counted_since(world: &World) {
    let acme = world.meter(100);
    let first = world.track(&credits(acme, 1).key("first")).unwrap();
    for n in 0..50 {
        world.track(&credits(acme, 1).key(format!("k{n}"))).unwrap();
    }
    let again = world.track(&credits(acme, 1).key("first")).unwrap();
    assert_eq!((again.previous_usage, again.current_usage), (Quantity::ZERO, Quantity::ONE));
    assert_eq!(again.remaining, first.remaining);
    assert_eq!(world.used(acme), q("51"));
}

fn a_key_used_for_something_else_names_what_differs(world: &World) {
    let acme = world.meter(10);
    world.clock.advance(Duration::minutes(1));
    let at = BEGINNING + Duration::seconds(1);
    let full = || credits(acme, 2).key("k").metadata(document(json!({"a": 1})));
    let first = world.track(&full().at(at)).unwrap();
    let before = world.state(acme);
    assert_eq!(reused(world.track(&full().at(at).quantity(3))), "quantity");
    assert_eq!(reused(world.track(&full().at(at).quantity(q("2.000001")))), "quantity");
    assert_eq!(reused(world.track(&full().at(BEGINNING))), "event time");
    assert_eq!(reused(world.track(&full().at(at + Duration::microseconds(1)))), "event time");
    assert_eq!(reused(world.track(&full())), "event time");
    let other = full().at(at).metadata(document(json!({"a": 2})));
    assert_eq!(reused(world.track(&other)), "metadata");
    let other = full().at(at).metadata(document(json!({"a": 1, "b": null})));
    assert_eq!(reused(world.track(&other)), "metadata");
    assert_eq!(reused(world.track(&credits(acme, 2).key("k").at(at))), "metadata");
    let correction = tenure::Correction::new(acme, CREDITS, 2, "why").key("k");
    assert_eq!(reused(world.tenure.write(|tx| tx.adjust_usage(&correction))), "event type");
    assert_eq!(reused(world.tenure.write(|tx| tx.set_usage(&correction))), "event type");
    let error = world.track(&full()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Conflict);
    assert!(
        matches!(error, Error::KeyReused { event_id, .. } if event_id == first.event_id.uuid())
    );
    assert_eq!(world.state(acme), before);
    // What differs counts even where the limit or the right stands against it as well.
    assert_eq!(reused(world.track(&full().at(at).quantity(1_000))), "quantity");
    world.allow(acme, CREDITS, &AccessPatch::new().enabled(false));
    assert_eq!(reused(world.track(&full().at(at).quantity(3))), "quantity");
}

fn a_time_that_was_filled_in_is_no_content(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 1).key("k")).unwrap();
    world.clock.advance(Duration::hours(5));
    assert!(world.track(&credits(acme, 1).key("k")).unwrap().duplicate);
    assert_eq!(reused(world.track(&credits(acme, 1).key("k").at(BEGINNING))), "event time");
}

fn metadata_is_the_same_in_any_order_and_to_the_last_digit(world: &World) {
    let acme = world.meter(1_000_000);
    let metadata = |text: &str| document(serde_json::from_str(text).unwrap());
    let track = |text: &str| credits(acme, 1).key("order").metadata(metadata(text));
    world.track(&track(r#"{"a": {"x": 1, "y": [1, "é\u0007", null]}, "b": 2}"#)).unwrap();
    let again = world.track(&track(r#"{"b":2,"a":{"y":[1,"é\u0007",null],"x":1}}"#));
    assert!(again.unwrap().duplicate);
    // Numbers of every size come back from the store as they went in.
    let mut bits: u64 = 0x9E37_79B9_7F4A_7C15;
    for n in 0..2_000 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let float = f64::from_bits(bits);
        if !float.is_finite() {
            continue;
        }
        let fraction = f64::from(u32::try_from(bits >> 32).unwrap()) / 3.0;
        let metadata = document(json!({"f": float, "third": fraction, "i": bits}));
        let track = credits(acme, 1).key(format!("n{n}")).metadata(metadata);
        world.track(&track).unwrap();
        let again = world.track(&track);
        assert!(again.is_ok_and(|again| again.duplicate), "{float:e} {fraction:e} {bits}");
    }
}

fn a_key_belongs_to_one_meter_of_one_org(world: &World) {
    let acme = world.meter(10);
    world.feature("exports", Overage::Reject);
    world.allow(acme, "exports", &AccessPatch::new());
    let globex = world.someone("Globex");
    world.allow(globex, CREDITS, &AccessPatch::new());
    let tracks = [
        credits(acme, 1).key("k"),
        Track::new(acme, "exports").quantity(2).key("k"),
        credits(globex, 3).key("k"),
    ];
    for track in &tracks {
        assert!(!world.track(track).unwrap().duplicate);
        assert!(world.track(track).unwrap().duplicate);
    }
    // The same key in another org, even by the same customer id, is another key.
    let other = world.tenure.for_org("other");
    let refused = other.write(|tx| tx.track(&tracks[0])).unwrap_err();
    assert!(refused.is_not_found(), "{refused}");
    let theirs = other
        .write(|tx| {
            tx.define_feature(CREDITS, &FeatureDraft::default())?;
            let customer = tx.create_customer(&tenure::CustomerDraft::named("Acme Inc."))?.id;
            tx.set_access(customer, CREDITS, &AccessPatch::new())?;
            tx.track(&credits(customer, 9).key("k"))
        })
        .unwrap();
    assert!(!theirs.duplicate);
    assert_eq!(world.used(acme), Quantity::ONE);
}

fn an_external_organisation_names_the_same_meter(world: &World) {
    let acme = world.meter(10);
    world.link(acme, "org_9");
    let by_link = Track::new("org_9", CREDITS).quantity(4).key("k");
    let first = world.track(&by_link).unwrap();
    assert!(world.track(&credits(acme, 4).key("k")).unwrap().duplicate);
    assert_eq!(world.used(acme), q("4"));
    assert_eq!(first.meter_id, world.track(&credits(acme, 1)).unwrap().meter_id);
    let unknown = world.track(&Track::new("org_10", CREDITS)).unwrap_err();
    assert!(unknown.is_not_found(), "{unknown}");
    // A product has its own ids of organisations.
    let other = world.tenure.for_product("other").unwrap();
    assert!(other.write(|tx| tx.track(&by_link)).unwrap_err().is_not_found());
}

fn without_a_key_every_call_counts(world: &World) {
    let acme = world.meter(10);
    let track = credits(acme, 1);
    let ids: Vec<_> = (0..5).map(|_| world.track(&track).unwrap().event_id).collect();
    assert!(ids.iter().enumerate().all(|(place, id)| !ids[..place].contains(id)));
    assert_eq!(world.used(acme), q("5"));
    let keys: Vec<_> = world.history(acme).into_iter().map(|it| it.idempotency_key).collect();
    assert!(keys.iter().enumerate().all(|(place, key)| !keys[..place].contains(key)));
}

fn a_refused_attempt_leaves_its_key_free(world: &World) {
    let acme = world.meter(5);
    let before = world.state(acme);
    for _ in 0..3 {
        let refused = world.track(&credits(acme, 6).key("k")).unwrap_err();
        assert!(refused.is_limit_exceeded(), "{refused}");
    }
    assert_eq!(world.state(acme), before);
    // The same key may be used for the same, once there is room, or for something else.
    assert!(!world.track(&credits(acme, 5).key("k")).unwrap().duplicate);
    assert!(world.track(&credits(acme, 6).key("other")).unwrap_err().is_limit_exceeded());
    world.limit(acme, 11);
    assert!(!world.track(&credits(acme, 6).key("other")).unwrap().duplicate);
    // From then on it is taken.
    assert!(world.track(&credits(acme, 5).key("k")).unwrap().duplicate);
    assert_eq!(reused(world.track(&credits(acme, 6).key("k"))), "quantity");
    assert_eq!(world.used(acme), q("11"));
}

fn an_attempt_refused_for_want_of_a_right_leaves_its_key_free(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    let acme = world.someone("Acme Inc.");
    let track = credits(acme, 1).key("k");
    assert_eq!(world.track(&track).unwrap_err().code(), ErrorCode::Forbidden);
    world.allow(acme, CREDITS, &AccessPatch::new().enabled(false));
    assert_eq!(world.track(&track).unwrap_err().code(), ErrorCode::Forbidden);
    world.allow(acme, CREDITS, &AccessPatch::new().enabled(true));
    let early = credits(acme, 1).key("k").at(BEGINNING + Duration::hours(1));
    assert_eq!(world.track(&early).unwrap_err().code(), ErrorCode::BadRequest);
    assert!(!world.track(&track).unwrap().duplicate);
    assert!(world.track(&track).unwrap().duplicate);
}

fn a_conflicting_attempt_does_not_take_over_the_key(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 1).key("k")).unwrap();
    for quantity in [2, 3] {
        assert_eq!(reused(world.track(&credits(acme, quantity).key("k"))), "quantity");
        assert_eq!(reused(world.track(&credits(acme, quantity).key("k"))), "quantity");
    }
    assert!(world.track(&credits(acme, 1).key("k")).unwrap().duplicate);
    assert_eq!(world.used(acme), Quantity::ONE);
}

fn a_limit_can_be_reached_and_not_passed(world: &World) {
    let acme = world.meter(10);
    assert!(!world.track(&credits(acme, 9)).unwrap().is_at_limit);
    let last = world.track(&credits(acme, 1).key("last")).unwrap();
    assert!(last.is_at_limit);
    assert_eq!(last.remaining, Some(Quantity::ZERO));
    for quantity in [q("1"), q("0.000001"), Quantity::MAX] {
        let refused = world.track(&credits(acme, quantity)).unwrap_err();
        assert!(refused.is_limit_exceeded(), "{refused}");
    }
    assert_eq!(world.used(acme), q("10"));
    assert!(world.track(&credits(acme, 1).key("last")).unwrap().duplicate);
}

fn a_refusal_says_how_much_is_left_and_when_it_starts_again(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 7)).unwrap();
    let refused = world.track(&credits(acme, 4)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::PreconditionFailed);
    assert_eq!(refused.code().http_status(), 412);
    let Error::LimitExceeded(exceeded) = refused else { panic!("{refused}") };
    assert_eq!(exceeded.customer_id, acme);
    assert_eq!(exceeded.feature_code.as_str(), CREDITS);
    assert_eq!((exceeded.limit, exceeded.used), (q("10"), q("7")));
    assert_eq!((exceeded.requested, exceeded.remaining), (q("4"), q("3")));
    assert_eq!(exceeded.reset_at, Some(datetime!(2026-02-28 12:00 UTC)));
}

fn more_than_the_limit_at_once_is_refused_whole(world: &World) {
    let acme = world.meter(10);
    assert!(world.track(&credits(acme, 11)).unwrap_err().is_limit_exceeded());
    assert_eq!(world.used(acme), Quantity::ZERO);
    assert!(world.track(&credits(acme, 10)).unwrap().is_at_limit);
}

fn fractions_add_up_exactly(world: &World) {
    let acme = world.meter(1);
    for _ in 0..10 {
        world.track(&credits(acme, q("0.1"))).unwrap();
    }
    assert_eq!(world.used(acme), Quantity::ONE);
    let refused = world.track(&credits(acme, q("0.000001"))).unwrap_err();
    assert!(refused.is_limit_exceeded());
    world.limit(acme, q("1.000002"));
    assert_eq!(world.track(&credits(acme, q("0.000002"))).unwrap().current_usage, q("1.000002"));
    assert!(world.track(&credits(acme, q("0.000001"))).unwrap_err().is_limit_exceeded());
}

fn overage_that_is_allowed_is_counted_and_billable(world: &World) {
    let acme = world.meter_with(10, Overage::Allow);
    world.allow(acme, CREDITS, &AccessPatch::new().included(4));
    let first = world.track(&credits(acme, 3)).unwrap();
    assert_eq!(first.billable_quantity, Quantity::ZERO);
    let beyond = world.track(&credits(acme, 20)).unwrap();
    assert_eq!(beyond.delta, q("20"));
    assert_eq!(beyond.billable_quantity, q("19"));
    assert_eq!(beyond.remaining, Some(Quantity::ZERO));
    assert!(beyond.is_at_limit);
    assert!(world.credits(acme).can_use);
}

fn grace_by_a_quantity_ends_where_it_says(world: &World) {
    let acme = world.meter_with(10, Overage::Grace(Grace::Quantity(q("2.5"))));
    let beyond = world.track(&credits(acme, 12)).unwrap();
    assert_eq!(beyond.remaining, Some(Quantity::ZERO));
    assert_eq!(world.track(&credits(acme, q("0.5"))).unwrap().current_usage, q("12.5"));
    assert!(world.track(&credits(acme, q("0.000001"))).unwrap_err().is_limit_exceeded());
    assert!(!world.credits(acme).can_use);
}

fn grace_by_a_percentage_is_of_the_limit(world: &World) {
    let acme = world.meter_with(50, Overage::Grace(Grace::Percent(10)));
    assert_eq!(world.track(&credits(acme, 55)).unwrap().current_usage, q("55"));
    assert!(world.track(&credits(acme, q("0.000001"))).unwrap_err().is_limit_exceeded());
    world.limit(acme, 100);
    assert_eq!(world.track(&credits(acme, 55)).unwrap().current_usage, q("110"));
    assert!(world.track(&credits(acme, 1)).unwrap_err().is_limit_exceeded());
    // Of nothing there is no share.
    world.limit(acme, 0);
    assert!(world.track(&credits(acme, 1)).unwrap_err().is_limit_exceeded());
}

fn a_clamping_limit_takes_what_fits_and_says_so(world: &World) {
    let acme = world.meter_with(10, Overage::Clamp);
    let whole = world.track(&credits(acme, 7)).unwrap();
    assert_eq!((whole.requested, whole.delta), (q("7"), q("7")));
    let part = world.track(&credits(acme, q("4.5")).key("part")).unwrap();
    assert_eq!((part.requested, part.delta), (q("4.5"), q("3")));
    assert_eq!(part.current_usage, q("10"));
    // A retry asks for what was attempted, and is told what was accepted.
    let again = world.track(&credits(acme, q("4.5")).key("part")).unwrap();
    assert_eq!((again.requested, again.delta, again.duplicate), (q("4.5"), q("3"), true));
    assert_eq!(reused(world.track(&credits(acme, 3).key("part"))), "quantity");
    assert!(world.track(&credits(acme, 1).key("none")).unwrap_err().is_limit_exceeded());
    let event = &world.history(acme).into_iter().find(|it| it.requested.is_some()).unwrap();
    assert_eq!((event.quantity, event.requested), (q("3"), Some(q("4.5"))));
    world.assert_sound();
}

fn the_included_quantity_is_not_billable(world: &World) {
    let acme = world.meter(100);
    world.allow(acme, CREDITS, &AccessPatch::new().included(50));
    let billable = |quantity: &str| {
        let result = world.track(&credits(acme, q(quantity))).unwrap();
        assert_eq!(result.included_quantity, q("50"));
        result.billable_quantity
    };
    assert_eq!(billable("50"), Quantity::ZERO);
    assert_eq!(billable("0.25"), q("0.25"));
    assert_eq!(billable("49.75"), q("50"));
}

fn a_limit_of_zero_lets_nothing_through(world: &World) {
    for (overage, through) in
        [(Overage::Reject, false), (Overage::Clamp, false), (Overage::Allow, true)]
    {
        let code = format!("zero_{through}_{}", matches!(overage, Overage::Clamp));
        world.feature(&code, overage);
        let acme = world.someone(&code);
        world.allow(acme, &code, &AccessPatch::new().limit(Quantity::ZERO));
        let access = world.tenure.read(|view| view.check(acme, &code)).unwrap();
        assert_eq!((access.can_use, access.has_quantity), (through, true));
        let tracked = world.track(&Track::new(acme, code.as_str()).quantity(q("0.000001")));
        assert_eq!(tracked.is_ok(), through);
    }
    assert_eq!(world.times_told("entitlement.exhausted"), 0);
}

fn a_limit_lowered_below_the_usage_takes_nothing_back(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 8)).unwrap();
    world.limit(acme, 5);
    let access = world.credits(acme);
    assert_eq!((access.current_usage, access.quantity_limit), (q("8"), Some(q("5"))));
    assert_eq!((access.remaining, access.can_use), (Some(Quantity::ZERO), false));
    let Err(Error::LimitExceeded(exceeded)) = world.track(&credits(acme, 1)) else { panic!() };
    assert_eq!((exceeded.used, exceeded.remaining), (q("8"), Quantity::ZERO));
    world.limit(acme, 9);
    assert_eq!(world.track(&credits(acme, 1)).unwrap().current_usage, q("9"));
}

fn without_a_limit_there_is_always_room(world: &World) {
    let acme = world.meter(10);
    world.allow(acme, CREDITS, &AccessPatch::new().limit(None));
    let result = world.track(&credits(acme, q("9000000000000"))).unwrap();
    assert_eq!((result.quantity_limit, result.remaining, result.is_at_limit), (None, None, false));
    let access = world.credits(acme);
    assert_eq!((access.has_quantity, access.can_use, access.remaining), (false, true, None));
    assert_eq!(world.times_told("entitlement.threshold_reached"), 0);
}

fn a_sum_beyond_the_range_changes_nothing(world: &World) {
    let acme = world.meter(10);
    world.allow(acme, CREDITS, &AccessPatch::new().limit(None));
    world.track(&credits(acme, Quantity::MAX).key("all")).unwrap();
    let before = world.state(acme);
    let refused = world.track(&credits(acme, q("0.000001")).key("k")).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Unprocessable, "{refused}");
    let bonus = tenure::Correction::new(acme, CREDITS, Quantity::MAX, "bonus");
    let refused = world.tenure.write(|tx| tx.adjust_usage(&bonus)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Unprocessable, "{refused}");
    assert_eq!(world.state(acme), before);
    assert!(world.track(&credits(acme, Quantity::MAX).key("all")).unwrap().duplicate);
    // Late usage likewise, in its own window.
    world.clock.set(datetime!(2026-03-01 12:00 UTC));
    world.track(&credits(acme, 1).key("new window")).unwrap();
    let late = credits(acme, 1).key("late").at(BEGINNING);
    assert_eq!(world.track(&late).unwrap_err().code(), ErrorCode::Unprocessable);
    world.assert_sound();
}

fn limits_that_add_up_beyond_the_range_are_the_greatest_quantity(world: &World) {
    let acme = world.meter(Quantity::MAX);
    world.tenure.write(|tx| tx.grant(acme, &NewGrant::of(CREDITS, Quantity::MAX))).unwrap();
    assert_eq!(world.credits(acme).quantity_limit, Some(Quantity::MAX));
    let result = world.track(&credits(acme, Quantity::MAX)).unwrap();
    assert!(result.is_at_limit);
    world.assert_sound();
}

fn what_is_not_above_zero_is_no_usage(world: &World) {
    let acme = world.meter(10);
    for quantity in ["0", "-1", "-0.000001"] {
        let refused = world.track(&credits(acme, q(quantity)).key("k")).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::BadRequest);
        assert_eq!(refused.faults()[0].field, "quantity");
        assert_eq!(refused.faults()[0].value, quantity);
    }
    let least = credits(acme, Quantity::from_millionths(i64::MIN));
    assert_eq!(world.track(&least).unwrap_err().code(), ErrorCode::BadRequest);
    assert_eq!(world.used(acme), Quantity::ZERO);
}

fn every_fault_is_told_at_once(world: &World) {
    let acme = world.meter(10);
    let track = credits(acme, 0).key("a\0b");
    let faults: Vec<_> =
        world.track(&track).unwrap_err().faults().iter().map(|it| it.field.clone()).collect();
    assert_eq!(faults, ["quantity", "idempotencyKey"]);
    for key in ["", &"k".repeat(10_000)] {
        let refused = world.track(&credits(acme, 1).key(key)).unwrap_err();
        assert_eq!(refused.faults()[0].field, "idempotencyKey", "{refused}");
    }
    assert_eq!(world.used(acme), Quantity::ZERO);
}

fn only_known_things_are_counted(world: &World) {
    let acme = world.meter(10);
    let nobody = CustomerId::from(uuid::Uuid::from_u128(7));
    assert!(world.track(&credits(nobody, 1)).unwrap_err().is_not_found());
    for feature in ["nothing", "", "NOT A CODE", "ai_credits\0"] {
        let refused = world.track(&Track::new(acme, feature)).unwrap_err();
        assert!(refused.is_not_found(), "{feature}: {refused}");
    }
    assert!(world.track(&Track::new("' OR 1=1 --", CREDITS)).unwrap_err().is_not_found());
}

fn what_the_customer_has_no_right_to_is_forbidden(world: &World) {
    let acme = world.meter(10);
    let denied = |expected: DenialReason| {
        let refused = world.track(&credits(acme, 1).key("k")).unwrap_err();
        assert_eq!((refused.code(), refused.code().http_status()), (ErrorCode::Forbidden, 403));
        let Error::Denied(denial) = refused else { panic!("{refused}") };
        assert_eq!((denial.reason, denial.customer_id), (expected, acme));
        let access = world.credits(acme);
        assert_eq!((access.reason, access.can_use), (Some(expected), false));
        assert_eq!(access.remedy, denial.remedy);
    };
    world.allow(acme, CREDITS, &AccessPatch::new().enabled(false));
    denied(DenialReason::Disabled);
    world.allow(acme, CREDITS, &AccessPatch::new().enabled(true));
    let off = |active| FeatureDraft::default().is_active(active);
    world.tenure.write(|tx| tx.define_feature(CREDITS, &off(false))).unwrap();
    denied(DenialReason::Disabled);
    world.tenure.write(|tx| tx.define_feature(CREDITS, &off(true))).unwrap();
    let tomorrow = BEGINNING + Duration::DAY;
    world.allow(acme, CREDITS, &AccessPatch::new().valid_from(Some(tomorrow)));
    denied(DenialReason::NotYetValid);
    let until = AccessPatch::new().valid_from(None).valid_until(Some(BEGINNING));
    world.allow(acme, CREDITS, &until);
    denied(DenialReason::Expired);
    world.allow(acme, CREDITS, &AccessPatch::new().valid_until(None));
    let entitlement = world.tenure.read(|view| view.entitlements(acme)).unwrap()[0].id;
    world.tenure.write(|tx| tx.suspend_entitlement(entitlement)).unwrap();
    denied(DenialReason::Suspended);
    world.tenure.write(|tx| tx.resume_entitlement(entitlement)).unwrap();
    world.tenure.write(|tx| tx.move_customer(acme, CustomerAction::Activate)).unwrap();
    world.tenure.write(|tx| tx.move_customer(acme, CustomerAction::Suspend)).unwrap();
    denied(DenialReason::CustomerSuspended);
    world.tenure.write(|tx| tx.move_customer(acme, CustomerAction::Reactivate)).unwrap();
    assert!(world.track(&credits(acme, 1).key("k")).is_ok());
    world.tenure.write(|tx| tx.revoke_entitlement(entitlement)).unwrap();
    let Err(Error::Denied(denial)) = world.track(&credits(acme, 1)) else { panic!() };
    assert_eq!(denial.reason, DenialReason::Revoked);
}

fn late_usage_counts_in_its_own_window(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 4)).unwrap();
    world.clock.set(datetime!(2026-03-01 0:00 UTC));
    world.track(&credits(acme, 1)).unwrap();
    // The last instant of the window that ended, and the first of this one.
    let end = datetime!(2026-02-28 12:00 UTC);
    let late = world.track(&credits(acme, 3).at(end - Duration::microseconds(1))).unwrap();
    assert_eq!((late.previous_usage, late.current_usage), (q("4"), q("7")));
    assert_eq!(late.remaining, Some(q("3")));
    let first = world.track(&credits(acme, 2).at(end)).unwrap();
    assert_eq!((first.previous_usage, first.current_usage), (q("1"), q("3")));
    assert_eq!(world.used(acme), q("3"));
    world.assert_sound();
}

fn late_usage_counts_in_a_window_in_which_nothing_was_used(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 9)).unwrap();
    world.clock.set(datetime!(2026-04-10 0:00 UTC));
    world.track(&credits(acme, 8)).unwrap();
    // 28 February to 31 March is idle until now.
    let late = world.track(&credits(acme, 6).at(datetime!(2026-03-15 0:00 UTC))).unwrap();
    assert_eq!((late.previous_usage, late.current_usage), (Quantity::ZERO, q("6")));
    let more = world.track(&credits(acme, 4).at(datetime!(2026-03-30 0:00 UTC))).unwrap();
    assert_eq!((more.previous_usage, more.current_usage), (q("6"), q("10")));
    let one = credits(acme, 1).at(datetime!(2026-03-20 0:00 UTC));
    assert!(world.track(&one).unwrap_err().is_limit_exceeded());
    assert_eq!(world.used(acme), q("8"));
    world.assert_sound();
}

fn late_usage_counts_in_an_idle_window_of_a_meter_that_has_not_moved_on(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 9)).unwrap();
    // Nothing was written since the window of February ended, nor in the one of March.
    world.clock.set(datetime!(2026-04-10 0:00 UTC));
    let late = world.track(&credits(acme, 6).at(datetime!(2026-03-15 0:00 UTC))).unwrap();
    assert_eq!((late.previous_usage, late.current_usage), (Quantity::ZERO, q("6")));
    assert_eq!(world.used(acme), Quantity::ZERO);
    world.assert_sound();
    let more = world.track(&credits(acme, 4).at(datetime!(2026-03-15 0:00 UTC))).unwrap();
    assert_eq!(more.current_usage, q("10"));
    world.assert_sound();
}

fn late_usage_meets_the_limit_of_its_own_window(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 10)).unwrap();
    world.clock.set(datetime!(2026-03-01 0:00 UTC));
    let late = credits(acme, 1).key("late").at(BEGINNING);
    let Err(Error::LimitExceeded(exceeded)) = world.track(&late) else { panic!() };
    assert_eq!((exceeded.used, exceeded.remaining), (q("10"), Quantity::ZERO));
    assert!(world.track(&credits(acme, 10)).unwrap().is_at_limit);
    // And a full window of now does not keep late usage out of one with room.
    world.clock.set(datetime!(2026-03-31 12:00 UTC));
    world.track(&credits(acme, 1)).unwrap();
    world.clock.set(datetime!(2026-04-30 12:00 UTC));
    world.track(&credits(acme, 10)).unwrap();
    let late = credits(acme, 9).at(datetime!(2026-04-01 0:00 UTC));
    assert!(world.track(&late).unwrap().is_at_limit);
    world.assert_sound();
}

fn late_usage_is_told_apart_from_this_windows_thresholds(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 1)).unwrap();
    world.clock.set(datetime!(2026-03-01 0:00 UTC));
    world.track(&credits(acme, 1)).unwrap();
    world.track(&credits(acme, 9).at(BEGINNING)).unwrap();
    assert_eq!(world.times_told("entitlement.threshold_reached"), 0);
    world.track(&credits(acme, 7)).unwrap();
    assert_eq!(world.times_told("entitlement.threshold_reached"), 1);
}

fn usage_before_the_entitlement_is_refused(world: &World) {
    let acme = world.meter(10);
    let before = credits(acme, 1).at(BEGINNING - Duration::microseconds(1));
    let refused = world.track(&before).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::BadRequest);
    assert_eq!(refused.faults()[0].field, "eventTime");
    assert!(world.track(&credits(acme, 1).at(BEGINNING)).is_ok());
    world.assert_sound();
}

fn usage_of_a_lifetime_counts_in_the_one_window_there_is(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    let acme = world.someone("Acme Inc.");
    let weeks_ago = BEGINNING - Duration::weeks(3);
    let patch = AccessPatch::new().limit(Quantity::from(10)).valid_from(Some(weeks_ago));
    world.allow(acme, CREDITS, &patch);
    world.track(&credits(acme, 6)).unwrap();
    let late = world.track(&credits(acme, 4).at(BEGINNING - Duration::weeks(2))).unwrap();
    assert_eq!((late.previous_usage, late.current_usage), (q("6"), q("10")));
    let later = credits(acme, 1).at(BEGINNING - Duration::weeks(1));
    assert!(world.track(&later).unwrap_err().is_limit_exceeded());
    let before = credits(acme, 1).at(weeks_ago - Duration::microseconds(1));
    assert_eq!(world.track(&before).unwrap_err().code(), ErrorCode::BadRequest);
    world.assert_sound();
}

fn usage_may_be_as_late_as_the_grace_and_no_later(world: &World) {
    let acme = world.meter(10);
    world.clock.advance(Duration::days(60));
    let grace = world.clock.now() - Duration::days(35);
    let late = |at: OffsetDateTime| world.track(&credits(acme, 1).at(at));
    assert!(late(grace).is_ok());
    let refused = late(grace - Duration::microseconds(1)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::BadRequest);
    assert!(late(datetime!(0001-01-01 0:00 UTC)).is_err());
    assert!(late(datetime!(9999-12-31 23:59 UTC)).is_err());
    world.assert_sound();
}

fn usage_may_be_five_minutes_ahead_and_no_more(world: &World) {
    let acme = world.meter(10);
    let ahead = BEGINNING + Duration::minutes(5);
    assert_eq!(world.track(&credits(acme, 1).at(ahead)).unwrap().current_usage, Quantity::ONE);
    let refused = world.track(&credits(acme, 1).at(ahead + Duration::microseconds(1)));
    assert_eq!(refused.unwrap_err().faults()[0].field, "eventTime");
    assert_eq!(world.used(acme), Quantity::ONE);
}

fn usage_ahead_of_a_reset_counts_after_it(world: &World) {
    let acme = world.meter(10);
    let reset = datetime!(2026-02-28 12:00 UTC);
    world.clock.set(reset - Duration::minutes(2));
    world.track(&credits(acme, 9)).unwrap();
    let ahead = credits(acme, 4).key("ahead").at(reset + Duration::minutes(1));
    let early = world.track(&ahead).unwrap();
    assert_eq!((early.previous_usage, early.current_usage), (Quantity::ZERO, q("4")));
    let more = world.track(&credits(acme, 2).at(reset)).unwrap();
    assert_eq!((more.previous_usage, more.current_usage), (q("4"), q("6")));
    assert_eq!(world.used(acme), q("9"), "this window is not over");
    assert!(world.track(&credits(acme, 2)).unwrap_err().is_limit_exceeded());
    world.assert_sound();
    world.clock.set(reset);
    assert_eq!(world.used(acme), q("6"), "the next one has begun");
    assert!(world.track(&ahead).unwrap().duplicate);
    assert!(world.track(&credits(acme, 5)).unwrap_err().is_limit_exceeded());
    assert!(world.track(&credits(acme, 4)).unwrap().is_at_limit);
    world.assert_sound();
    let back = tenure::Correction::new(acme, CREDITS, 0, "a mistake");
    world.tenure.write(|tx| tx.set_usage(&back)).unwrap();
    world.clock.set(datetime!(2026-04-01 0:00 UTC));
    world.tenure.tick().unwrap();
    world.assert_sound();
}

fn a_window_that_begins_with_usage_ends_where_it_ends(world: &World) {
    let acme = world.meter(10);
    let reset = datetime!(2026-02-28 12:00 UTC);
    world.clock.set(reset - Duration::SECOND);
    world.track(&credits(acme, 4).at(reset)).unwrap();
    // It was to be a month, and is a day.
    world.allow(acme, CREDITS, &AccessPatch::new().resets(ResetPeriod::Daily));
    world.clock.set(reset + Duration::DAY - Duration::SECOND);
    let ahead = world.track(&credits(acme, 1).at(reset + Duration::DAY)).unwrap();
    assert_eq!((ahead.previous_usage, ahead.current_usage), (Quantity::ZERO, Quantity::ONE));
    assert_eq!(world.used(acme), q("4"));
    world.assert_sound();
}

fn the_order_of_arrival_changes_no_total(world: &World) {
    let times = [
        datetime!(2026-02-01 0:00 UTC),
        datetime!(2026-02-28 11:59 UTC),
        datetime!(2026-02-28 12:00 UTC),
        datetime!(2026-03-05 0:00 UTC),
    ];
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]];
    world.feature(CREDITS, Overage::Reject);
    let customers = orders.map(|order| {
        let customer = world.someone(&format!("{order:?}"));
        world.allow(customer, CREDITS, &AccessPatch::new().resets(ResetPeriod::Monthly));
        customer
    });
    world.clock.set(datetime!(2026-03-06 0:00 UTC));
    for (customer, order) in customers.into_iter().zip(orders) {
        for which in order {
            let track = credits(customer, 1 << which).at(times[which]);
            world.track(&track).unwrap();
        }
        assert_eq!(world.used(customer), q("12"), "{order:?}");
        let ended = world.sum(customer, BEGINNING, datetime!(2026-02-28 12:00 UTC));
        assert_eq!(ended, q("3"), "{order:?}");
    }
    world.assert_sound();
}

fn a_clock_set_back_over_a_reset_resets_nothing_again(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 7)).unwrap();
    world.clock.set(datetime!(2026-03-01 0:00 UTC));
    world.track(&credits(acme, 6)).unwrap();
    // Before the reset again: what was counted since stays counted.
    world.clock.set(datetime!(2026-02-20 0:00 UTC));
    assert_eq!(world.used(acme), q("6"));
    assert_eq!(world.track(&credits(acme, 3).key("back")).unwrap().current_usage, q("9"));
    let correction = tenure::Correction::new(acme, CREDITS, -1, "refund");
    world.tenure.write(|tx| tx.adjust_usage(&correction)).unwrap();
    world.tenure.tick().unwrap();
    world.assert_sound();
    world.clock.set(datetime!(2026-03-02 0:00 UTC));
    world.tenure.tick().unwrap();
    assert_eq!(world.used(acme), q("8"));
    assert!(world.track(&credits(acme, 3).key("back")).unwrap().duplicate);
    assert!(world.track(&credits(acme, 3)).unwrap_err().is_limit_exceeded());
    assert_eq!(world.times_told("entitlement.reset"), 1);
    world.assert_sound();
    // And far back, before there was an entitlement.
    world.clock.set(datetime!(2020-01-01 0:00 UTC));
    assert_eq!(world.track(&credits(acme, 2)).unwrap().current_usage, q("10"));
    world.clock.set(datetime!(2026-03-31 12:00 UTC));
    assert_eq!(world.used(acme), Quantity::ZERO);
    world.track(&credits(acme, 1)).unwrap();
    world.assert_sound();
}

fn a_decade_without_usage_costs_nothing(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    let acme = world.someone("Acme Inc.");
    let daily = AccessPatch::new().limit(Quantity::from(10)).resets(ResetPeriod::Daily);
    world.allow(acme, CREDITS, &daily);
    world.track(&credits(acme, 10)).unwrap();
    let told = world.all_events().len();
    world.clock.set(datetime!(2036-07-14 18:30 UTC));
    let access = world.credits(acme);
    assert_eq!((access.current_usage, access.can_use), (Quantity::ZERO, true));
    assert_eq!(access.reset_at, Some(datetime!(2036-07-15 12:00 UTC)));
    world.track(&credits(acme, 3)).unwrap();
    assert_eq!(world.times_told("entitlement.reset"), 1, "one window was used, one ended");
    assert_eq!(world.all_events().len(), told + 2);
    world.assert_sound();
}

fn windows_from_the_last_of_january_end_with_their_months(world: &World) {
    let acme = world.meter(10);
    let resets = [
        datetime!(2026-02-28 12:00 UTC),
        datetime!(2026-03-31 12:00 UTC),
        datetime!(2026-04-30 12:00 UTC),
        datetime!(2026-05-31 12:00 UTC),
    ];
    for reset in resets {
        world.clock.set(reset - Duration::microseconds(1));
        world.track(&credits(acme, 10)).unwrap();
        assert_eq!(world.credits(acme).reset_at, Some(reset));
        assert!(world.track(&credits(acme, 1)).unwrap_err().is_limit_exceeded());
        world.clock.set(reset);
        assert_eq!(world.used(acme), Quantity::ZERO);
    }
    world.track(&credits(acme, 1)).unwrap();
    assert_eq!(world.times_told("entitlement.reset"), 4);
    world.assert_sound();
}

fn a_preview_leaves_nothing(world: &World) {
    let acme = world.meter(10);
    let before = world.state(acme);
    let track = credits(acme, 9).key("k");
    let preview = world.tenure.preview(|tx| tx.track(&track)).unwrap();
    assert_eq!(preview.outcome.current_usage, q("9"));
    let names: Vec<_> = preview.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names[0], "entitlement.consumed");
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(world.tenure.preview(|tx| tx.track(&credits(acme, 11))).is_err());
    assert_eq!(world.state(acme), before);
    assert!(!world.track(&track).unwrap().duplicate, "the key is free");
    // Not even the org is written down.
    let other = world.tenure.for_org("never wrote");
    other.preview(|tx| tx.define_feature(CREDITS, &FeatureDraft::default())).unwrap();
    let orgs = world.tenure.orgs(10, None).unwrap().items;
    assert!(orgs.iter().all(|org| org.id.uuid() != other.org().uuid()));
}

fn a_transaction_that_fails_counts_nothing(world: &World) {
    let acme = world.meter(10);
    let before = world.state(acme);
    let failed = world.tenure.write(|tx| {
        tx.track(&credits(acme, 3).key("k"))?;
        tx.track(&credits(acme, 8).key("l"))
    });
    assert!(failed.unwrap_err().is_limit_exceeded());
    assert_eq!(world.state(acme), before);
    // One that takes the refusal keeps the rest.
    let kept = world.tenure.write(|tx| {
        tx.track(&credits(acme, 3).key("k"))?;
        assert!(tx.track(&credits(acme, 8).key("l")).is_err());
        assert_eq!(tx.view().check(acme, CREDITS)?.current_usage, q("3"));
        tx.track(&credits(acme, 7).key("l"))
    });
    assert_eq!(kept.unwrap().current_usage, q("10"));
    world.assert_sound();
}

fn an_answer_adds_up(world: &World) {
    let acme = world.meter(10);
    world.allow(acme, CREDITS, &AccessPatch::new().included(1));
    let first = world.track(&credits(acme, 2)).unwrap();
    let result = world.track(&credits(acme, 3).key("k")).unwrap();
    assert!(result.success && !result.duplicate && !result.is_at_limit);
    assert_eq!(result.feature_code.as_str(), CREDITS);
    assert_eq!((result.previous_usage, result.current_usage), (q("2"), q("5")));
    assert_eq!((result.delta, result.requested), (q("3"), q("3")));
    assert_eq!((result.quantity_limit, result.remaining), (Some(q("10")), Some(q("5"))));
    assert_eq!((result.included_quantity, result.billable_quantity), (q("1"), q("4")));
    assert_eq!(result.meter_id, first.meter_id);
    assert_ne!(result.event_id, first.event_id);
    let json = serde_json::to_value(&result).unwrap();
    assert_eq!(json["currentUsage"], json!(5));
    assert_eq!(json["isAtLimit"], json!(false));
}

#[test]
fn a_store_that_fails_half_way_keeps_no_half_of_a_track() {
    let store = crate::tampered::Tampered::over(MemoryStore::new());
    let world = World::over(store.clone(), |builder| builder);
    let acme = world.meter(10);
    let before = world.state(acme);
    for table in ["meter", "usage_event", "event"] {
        store.fail_once(table);
        // A body that makes nothing of the failure must not be able to keep the first half.
        let body = |tx: &mut tenure::Tx<'_>| {
            drop(tx.track(&credits(acme, 3).key("k")));
            Ok::<_, Error>(())
        };
        let kept = world.tenure.write(body);
        store.heal();
        world.assert_sound();
        if kept.is_err() {
            assert_eq!(world.state(acme), before, "{table}");
        }
        assert_eq!(world.history(acme).len(), usize::from(world.used(acme) != Quantity::ZERO));
    }
    assert!(world.track(&credits(acme, 3).key("k")).is_ok());
    assert_eq!(world.used(acme), q("3"));
    world.assert_sound();
}

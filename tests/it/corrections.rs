//! Corrections: set and adjust state facts, with a reason, within bounds.

use crate::metered::{CREDITS, credits, document, q, reused};
use crate::support::{BEGINNING, World};
use serde_json::json;
use tenure::{
    AccessPatch, Correction, CustomerId, Error, ErrorCode, Overage, Quantity, Result, UsageEventId,
    UsageEventType, UsageResult, UsageSnapshot, UsageSource,
};
use time::Duration;
use time::macros::datetime;

stories![
    a_value_set_is_an_event_with_the_difference_and_a_snapshot,
    setting_the_value_there_is_leaves_its_event_too,
    a_set_value_may_exceed_the_limit_and_not_be_below_zero,
    a_reason_is_required,
    an_adjustment_changes_usage_by_a_difference,
    usage_never_falls_below_zero,
    the_refunds_of_an_event_never_exceed_it,
    a_refund_can_be_taken_back_in_parts,
    a_refund_of_a_clamped_event_is_bounded_by_what_was_accepted,
    an_event_of_another_meter_cannot_be_adjusted,
    a_correction_is_counted_once,
    a_repeated_set_does_not_set_again,
    a_key_of_a_correction_names_what_differs,
    a_refused_correction_leaves_its_key_free,
    corrections_need_no_right_now_but_one_ever,
    a_correction_counts_in_the_running_window,
    who_corrected_is_known,
    a_correction_makes_room_again,
];

fn set(world: &World, customer: CustomerId, value: &str) -> Result<UsageResult> {
    let correction = Correction::new(customer, CREDITS, q(value), "recount");
    world.tenure.write(|tx| tx.set_usage(&correction))
}

fn adjust(world: &World, customer: CustomerId, by: &str) -> Result<UsageResult> {
    apply(world, &Correction::new(customer, CREDITS, q(by), "refund"))
}

fn refund(world: &World, customer: CustomerId, by: &str, of: UsageEventId) -> Result<UsageResult> {
    apply(world, &Correction::new(customer, CREDITS, q(by), "refund").of(of))
}

fn apply(world: &World, correction: &Correction) -> Result<UsageResult> {
    world.tenure.write(|tx| tx.adjust_usage(correction))
}

fn snapshots(world: &World, customer: CustomerId) -> Vec<UsageSnapshot> {
    world.tenure.read(|view| view.usage_snapshots(customer, CREDITS, 1_000, None)).unwrap().items
}

fn a_value_set_is_an_event_with_the_difference_and_a_snapshot(world: &World) {
    let acme = world.meter(100);
    world.allow(acme, CREDITS, &AccessPatch::new().included(10));
    world.track(&credits(acme, 30)).unwrap();
    let note = document(json!({"ticket": 7}));
    let correction =
        Correction::new(acme, CREDITS, 12, "recount").by("u_17").metadata(note.clone());
    let result = world.tenure.write(|tx| tx.set_usage(&correction)).unwrap();
    assert_eq!((result.previous_usage, result.current_usage), (q("30"), q("12")));
    assert_eq!((result.delta, result.billable_quantity), (q("-18"), q("2")));
    let history = world.history(acme);
    let event = history.iter().find(|it| it.id == result.event_id).unwrap();
    assert_eq!(event.event_type, UsageEventType::Set);
    assert_eq!(event.source, UsageSource::Adjustment);
    assert_eq!((event.quantity, event.previous_value), (q("-18"), q("30")));
    assert_eq!(event.adjustment_reason.as_ref().unwrap().as_str(), "recount");
    assert_eq!(event.performed_by.as_deref(), Some("u_17"));
    assert_eq!(event.metadata, Some(note.clone()));
    let [snapshot] = &snapshots(world, acme)[..] else { panic!() };
    assert_eq!((snapshot.absolute_value, snapshot.billable_value), (q("12"), q("2")));
    assert_eq!(snapshot.snapshot_type.as_str(), "set");
    assert_eq!(snapshot.trigger_event_id, Some(event.id));
    assert_eq!((snapshot.reason.as_str(), snapshot.created_by.as_str()), ("recount", "u_17"));
    assert_eq!(snapshot.metadata, Some(note));
    assert_eq!(world.times_told("usage_event.set"), 1);
    world.assert_sound();
}

fn setting_the_value_there_is_leaves_its_event_too(world: &World) {
    let acme = world.meter(100);
    world.track(&credits(acme, 30)).unwrap();
    let result = set(world, acme, "30").unwrap();
    assert_eq!((result.delta, result.current_usage), (Quantity::ZERO, q("30")));
    assert_eq!((world.history(acme).len(), snapshots(world, acme).len()), (2, 1));
    world.assert_sound();
}

fn a_set_value_may_exceed_the_limit_and_not_be_below_zero(world: &World) {
    let acme = world.meter(100);
    let result = set(world, acme, "100.5").unwrap();
    assert_eq!((result.remaining, result.is_at_limit), (Some(Quantity::ZERO), true));
    assert!(!world.credits(acme).can_use);
    let refused = set(world, acme, "-0.000001").unwrap_err();
    assert_eq!((refused.code(), &*refused.faults()[0].field), (ErrorCode::BadRequest, "quantity"));
    assert_eq!(set(world, acme, "0").unwrap().current_usage, Quantity::ZERO);
    assert!(set(world, acme, "9223372036854.775807").is_ok());
    assert!(set(world, acme, "0").is_ok());
    world.assert_sound();
}

fn a_reason_is_required(world: &World) {
    let acme = world.meter(100);
    for reason in ["", " ", "\t\n"] {
        let correction = Correction::new(acme, CREDITS, 0, reason);
        let set = world.tenure.write(|tx| tx.set_usage(&correction)).unwrap_err();
        assert!(set.faults().iter().any(|fault| fault.field == "reason"), "{set}");
        let adjusted = apply(world, &correction).unwrap_err();
        let faults: Vec<_> = adjusted.faults().iter().map(|it| it.field.as_str()).collect();
        assert!(faults.contains(&"reason") && faults.contains(&"quantity"), "{adjusted}");
    }
    assert!(world.history(acme).is_empty());
}

fn an_adjustment_changes_usage_by_a_difference(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 5)).unwrap();
    assert_eq!(adjust(world, acme, "-1.5").unwrap().current_usage, q("3.5"));
    let bonus = adjust(world, acme, "20").unwrap();
    assert_eq!((bonus.previous_usage, bonus.current_usage), (q("3.5"), q("23.5")));
    assert_eq!(adjust(world, acme, "0").unwrap_err().code(), ErrorCode::BadRequest);
    assert_eq!(world.times_told("usage_event.adjusted"), 2);
    assert!(snapshots(world, acme).is_empty());
    world.assert_sound();
}

fn usage_never_falls_below_zero(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 5)).unwrap();
    let before = world.state(acme);
    for by in ["-5.000001", "-6", "-9223372036854.775808"] {
        let refused = adjust(world, acme, by).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Unprocessable, "{refused}");
    }
    assert_eq!(world.state(acme), before);
    assert_eq!(adjust(world, acme, "-5").unwrap().current_usage, Quantity::ZERO);
    assert!(adjust(world, acme, "-0.000001").is_err());
}

fn the_refunds_of_an_event_never_exceed_it(world: &World) {
    let acme = world.meter(100);
    let event = world.track(&credits(acme, 5)).unwrap().event_id;
    world.track(&credits(acme, 50)).unwrap();
    assert!(matches!(refund(world, acme, "-5.000001", event), Err(Error::Rule(_))));
    refund(world, acme, "-2", event).unwrap();
    refund(world, acme, "-2.5", event).unwrap();
    let refused = refund(world, acme, "-0.500001", event).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Unprocessable);
    refund(world, acme, "-0.5", event).unwrap();
    assert!(refund(world, acme, "-0.000001", event).is_err());
    // Only of this event: what is no refund of it goes on.
    assert_eq!(adjust(world, acme, "-1").unwrap().current_usage, q("49"));
    let adjusted: Vec<_> =
        world.history(acme).into_iter().filter_map(|it| it.adjusts_event_id).collect();
    assert_eq!(adjusted, [event; 3]);
    world.assert_sound();
}

fn a_refund_can_be_taken_back_in_parts(world: &World) {
    let acme = world.meter(100);
    let event = world.track(&credits(acme, 5)).unwrap().event_id;
    let mistake = refund(world, acme, "-4", event).unwrap().event_id;
    assert_eq!(refund(world, acme, "1", mistake).unwrap().current_usage, q("2"));
    assert_eq!(refund(world, acme, "3", mistake).unwrap().current_usage, q("5"));
    assert!(refund(world, acme, "-1", mistake).is_err(), "there is nothing to refund of a refund");
    world.assert_sound();
}

fn a_refund_of_a_clamped_event_is_bounded_by_what_was_accepted(world: &World) {
    let acme = world.meter_with(10, Overage::Clamp);
    world.track(&credits(acme, 8)).unwrap();
    let clamped = world.track(&credits(acme, 8)).unwrap();
    assert_eq!(clamped.delta, q("2"));
    assert!(refund(world, acme, "-3", clamped.event_id).is_err());
    assert_eq!(refund(world, acme, "-2", clamped.event_id).unwrap().current_usage, q("8"));
}

fn an_event_of_another_meter_cannot_be_adjusted(world: &World) {
    let acme = world.meter(100);
    world.feature("exports", Overage::Reject);
    world.allow(acme, "exports", &AccessPatch::new());
    let globex = world.someone("Globex");
    world.allow(globex, CREDITS, &AccessPatch::new());
    world.track(&credits(acme, 50)).unwrap();
    let exports = world.track(&tenure::Track::new(acme, "exports").quantity(9)).unwrap().event_id;
    let theirs = world.track(&credits(globex, 9)).unwrap().event_id;
    let none = UsageEventId::from(uuid::Uuid::from_u128(7));
    let before = world.state(acme);
    let refusals = [exports, theirs, none].map(|event| {
        let refused = refund(world, acme, "-1", event).unwrap_err();
        assert!(refused.is_not_found(), "{refused}");
        refused.to_string().replace(&event.to_string(), "")
    });
    assert_eq!(refusals[0], refusals[1]);
    assert_eq!(refusals[1], refusals[2], "what is another's cannot be told from nothing");
    assert_eq!(world.state(acme), before);
    let set = Correction::new(acme, CREDITS, 1, "why").of(exports);
    let refused = world.tenure.write(|tx| tx.set_usage(&set)).unwrap_err();
    assert_eq!(refused.faults()[0].field, "adjustsEventId");
}

fn a_correction_is_counted_once(world: &World) {
    let acme = world.meter(100);
    let event = world.track(&credits(acme, 5)).unwrap().event_id;
    let correction = Correction::new(acme, CREDITS, -5, "refund").of(event).key("r");
    let first = apply(world, &correction).unwrap();
    let before = world.state(acme);
    // Although nothing is left to refund.
    let again = apply(world, &correction).unwrap();
    assert!(again.duplicate && again.event_id == first.event_id);
    assert_eq!(again.current_usage, first.current_usage);
    assert_eq!(world.state(acme), before);
    world.clock.advance(Duration::days(4_000));
    assert!(apply(world, &correction).unwrap().duplicate);
}

fn a_repeated_set_does_not_set_again(world: &World) {
    let acme = world.meter(100);
    world.track(&credits(acme, 5)).unwrap();
    let correction = Correction::new(acme, CREDITS, 7, "recount").key("s");
    let first = world.tenure.write(|tx| tx.set_usage(&correction)).unwrap();
    world.track(&credits(acme, 1)).unwrap();
    let again = world.tenure.write(|tx| tx.set_usage(&correction)).unwrap();
    assert!(again.duplicate);
    assert_eq!((again.previous_usage, again.current_usage), (q("5"), q("7")));
    assert_eq!(again.event_id, first.event_id);
    assert_eq!(world.used(acme), q("8"));
    assert_eq!(snapshots(world, acme).len(), 1);
    let other = Correction::new(acme, CREDITS, 8, "recount").key("s");
    assert_eq!(reused(world.tenure.write(|tx| tx.set_usage(&other))), "quantity");
}

fn a_key_of_a_correction_names_what_differs(world: &World) {
    let acme = world.meter(100);
    let event = world.track(&credits(acme, 5)).unwrap().event_id;
    let second = world.track(&credits(acme, 5)).unwrap().event_id;
    let full = |reason: &str| Correction::new(acme, CREDITS, -1, reason).key("k");
    apply(world, &full("why").of(event)).unwrap();
    assert_eq!(reused(apply(world, &full("why"))), "adjusted event");
    assert_eq!(reused(apply(world, &full("why").of(second))), "adjusted event");
    assert_eq!(reused(apply(world, &full("other").of(event))), "reason");
    let metadata = full("why").of(event).metadata(document(json!({})));
    assert_eq!(reused(apply(world, &metadata)), "metadata");
    let other = Correction::new(acme, CREDITS, -2, "why").of(event).key("k");
    assert_eq!(reused(apply(world, &other)), "quantity");
    assert_eq!(reused(world.track(&credits(acme, 1).key("k"))), "event type");
    assert!(apply(world, &full("why").of(event)).unwrap().duplicate);
}

fn a_refused_correction_leaves_its_key_free(world: &World) {
    let acme = world.meter(100);
    let correction = Correction::new(acme, CREDITS, -3, "refund").key("k");
    assert!(apply(world, &correction).is_err());
    world.track(&credits(acme, 5)).unwrap();
    assert!(!apply(world, &correction).unwrap().duplicate);
    assert!(apply(world, &correction).unwrap().duplicate);
    assert_eq!(world.used(acme), q("2"));
}

fn corrections_need_no_right_now_but_one_ever(world: &World) {
    let acme = world.meter(100);
    world.track(&credits(acme, 5)).unwrap();
    world.allow(acme, CREDITS, &AccessPatch::new().enabled(false));
    assert_eq!(adjust(world, acme, "-2").unwrap().current_usage, q("3"));
    assert_eq!(set(world, acme, "1").unwrap().current_usage, q("1"));
    let globex = world.someone("Globex");
    assert_eq!(set(world, globex, "1").unwrap_err().code(), ErrorCode::Forbidden);
    assert_eq!(adjust(world, globex, "1").unwrap_err().code(), ErrorCode::Forbidden);
}

fn a_correction_counts_in_the_running_window(world: &World) {
    let acme = world.meter(10);
    let event = world.track(&credits(acme, 5)).unwrap().event_id;
    world.clock.set(datetime!(2026-03-01 0:00 UTC));
    // The window of the event is over: there is nothing to give back in this one yet.
    assert!(refund(world, acme, "-1", event).is_err());
    world.track(&credits(acme, 2)).unwrap();
    let refunded = refund(world, acme, "-1", event).unwrap();
    assert_eq!((refunded.previous_usage, refunded.current_usage), (q("2"), q("1")));
    assert_eq!(world.sum(acme, BEGINNING, datetime!(2026-02-28 12:00 UTC)), q("5"));
    world.clock.set(datetime!(2026-04-10 0:00 UTC));
    let result = set(world, acme, "4").unwrap();
    assert_eq!((result.previous_usage, result.current_usage), (Quantity::ZERO, q("4")));
    world.assert_sound();
}

fn who_corrected_is_known(world: &World) {
    let acme = world.meter(10);
    let support = world.tenure.acting_as("u_9").unwrap();
    let correction = Correction::new(acme, CREDITS, 4, "recount");
    support.write(|tx| tx.set_usage(&correction)).unwrap();
    assert_eq!(world.history(acme)[0].performed_by.as_deref(), Some("u_9"));
    assert_eq!(snapshots(world, acme)[0].created_by, "u_9");
    let told = world.all_events();
    let set = told.iter().find(|event| event.name == "usage_event.set").unwrap();
    assert_eq!((set.performed_by.as_str(), set.customer_id), ("u_9", Some(acme)));
}

fn a_correction_makes_room_again(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 10)).unwrap();
    assert!(world.track(&credits(acme, 1)).is_err());
    adjust(world, acme, "-1").unwrap();
    assert!(world.credits(acme).can_use);
    assert!(world.track(&credits(acme, 1)).unwrap().is_at_limit);
    // And takes it.
    set(world, acme, "3").unwrap();
    adjust(world, acme, "6.5").unwrap();
    assert!(world.track(&credits(acme, 1)).is_err());
    world.assert_sound();
}

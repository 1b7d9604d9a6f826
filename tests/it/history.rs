//! The ledger, read: newest first, filtered, a page at a time, and what every entry tells.

use crate::metered::{CREDITS, credits, document, q};
use crate::support::{BEGINNING, World};
use serde_json::json;
use tenure::{
    AccessPatch, Correction, Cursor, CustomerId, ErrorCode, HistoryFilter, Overage, Quantity,
    Track, UsageEvent, UsageEventType, UsageSource,
};
use time::Duration;
use time::macros::datetime;

stories![
    an_event_tells_all_there_is_to_know,
    history_is_newest_first_by_when_it_happened,
    history_is_filtered_by_type_and_time,
    pages_follow_one_another_without_gap_or_repetition,
    what_comes_in_while_one_reads_on_disturbs_no_page,
    a_page_has_at_least_one_and_at_most_a_thousand,
    history_is_of_one_meter_alone,
    history_can_leave_out_what_was_delivered,
    a_window_that_ends_leaves_a_snapshot,
    snapshots_are_newest_first,
    history_of_what_is_unknown_is_an_error_and_of_no_meter_is_empty,
    domain_events_are_numbered_without_a_gap,
];

fn page(
    world: &World,
    customer: CustomerId,
    filter: &HistoryFilter,
    limit: usize,
    cursor: Option<Cursor>,
) -> tenure::Page<UsageEvent> {
    let history = |view: &tenure::View<'_>| {
        view.usage_history(customer, CREDITS, filter, limit, cursor.as_ref())
    };
    world.tenure.read(history).unwrap()
}

fn quantities(events: &[UsageEvent]) -> Vec<String> {
    events.iter().map(|event| event.quantity.to_string()).collect()
}

fn an_event_tells_all_there_is_to_know(world: &World) {
    let acme = world.meter(100);
    world.allow(acme, CREDITS, &AccessPatch::new().included(40));
    world.clock.advance(Duration::hours(2));
    let note = document(json!({"model": "m-1"}));
    let at = BEGINNING + Duration::hours(1);
    let handle = world.tenure.for_product("studio").unwrap().acting_as("u_3").unwrap();
    let track = credits(acme, q("2.5")).key("req_1").at(at).metadata(note.clone());
    let result = handle.write(|tx| tx.track(&track)).unwrap();
    let [event] = &world.history(acme)[..] else { panic!() };
    assert_eq!((event.id, event.meter_id), (result.event_id, result.meter_id));
    assert_eq!((event.customer_id, event.feature_code.as_str()), (acme, CREDITS));
    assert_eq!((event.quantity, event.requested), (q("2.5"), None));
    assert_eq!((event.source, event.event_type), (UsageSource::Api, UsageEventType::Increment));
    assert_eq!((event.event_time, event.is_timed), (at, true));
    assert_eq!(event.created_at, BEGINNING + Duration::hours(2));
    assert_eq!(event.window_start, BEGINNING);
    assert_eq!(event.previous_value, Quantity::ZERO);
    assert_eq!((event.quantity_limit, event.included_quantity), (Some(q("100")), q("40")));
    assert_eq!(event.idempotency_key.as_str(), "req_1");
    assert_eq!(event.metadata, Some(note));
    assert_eq!(event.performed_by.as_deref(), Some("u_3"));
    assert_eq!(event.product_id.as_str(), "studio");
    assert_eq!(event.stripe_delivery_status.as_str(), "not_applicable");
    let json = serde_json::to_value(event).unwrap();
    for (field, value) in [
        ("quantity", json!(2.5)),
        ("eventType", json!("increment")),
        ("source", json!("api")),
        ("idempotencyKey", json!("req_1")),
        ("eventTime", json!("2026-01-31T13:00:00Z")),
        ("stripeDeliveryStatus", json!("not_applicable")),
    ] {
        assert_eq!(json[field], value, "{field}: {json}");
    }
}

fn history_is_newest_first_by_when_it_happened(world: &World) {
    let acme = world.meter(100);
    world.clock.advance(Duration::hours(9));
    for (quantity, hour) in [(1, 3), (2, 1), (3, 7), (4, 5)] {
        let at = BEGINNING + Duration::hours(hour);
        world.track(&credits(acme, quantity).at(at)).unwrap();
    }
    assert_eq!(quantities(&world.history(acme)), ["3", "4", "1", "2"]);
}

fn history_is_filtered_by_type_and_time(world: &World) {
    let acme = world.meter(100);
    for hour in 0..6 {
        world.clock.set(BEGINNING + Duration::hours(hour));
        let correction = |by: i32| Correction::new(acme, CREDITS, by, "why");
        match hour % 3 {
            0 => drop(world.track(&credits(acme, 10)).unwrap()),
            1 => drop(world.tenure.write(|tx| tx.adjust_usage(&correction(-1))).unwrap()),
            _ => drop(world.tenure.write(|tx| tx.set_usage(&correction(7))).unwrap()),
        }
    }
    let listed = |change: &dyn Fn(&mut HistoryFilter)| {
        let mut filter = HistoryFilter::default();
        change(&mut filter);
        quantities(&page(world, acme, &filter, 100, None).items)
    };
    assert_eq!(listed(&|_| {}), ["-9", "-1", "10", "-2", "-1", "10"]);
    for (event_type, expected) in [
        (UsageEventType::Increment, ["10", "10"]),
        (UsageEventType::Adjustment, ["-1", "-1"]),
        (UsageEventType::Set, ["-9", "-2"]),
    ] {
        assert_eq!(listed(&|filter| filter.event_type = Some(event_type)), expected);
    }
    // From an instant on, until before another.
    let second = BEGINNING + Duration::hours(2);
    let fourth = BEGINNING + Duration::hours(4);
    assert_eq!(listed(&|filter| filter.from = Some(second)), ["-9", "-1", "10", "-2"]);
    assert_eq!(listed(&|filter| filter.to = Some(second)), ["-1", "10"]);
    let within = listed(&|filter| (filter.from, filter.to) = (Some(second), Some(fourth)));
    assert_eq!(within, ["10", "-2"]);
    let both = listed(&|filter| {
        filter.event_type = Some(UsageEventType::Set);
        filter.from = Some(fourth);
    });
    assert_eq!(both, ["-9"]);
}

fn pages_follow_one_another_without_gap_or_repetition(world: &World) {
    let acme = world.meter(1_000);
    // Many at the same instant, so that ties must be told apart.
    for n in 0..23 {
        world.clock.set(BEGINNING + Duration::seconds(n / 6));
        world.track(&credits(acme, 1).key(format!("k{n}"))).unwrap();
    }
    let whole = world.history(acme);
    assert!(whole.is_sorted_by(|a, b| a.event_time >= b.event_time));
    for limit in [1, 2, 7, 22, 23, 24] {
        let (mut read, mut cursor) = (Vec::new(), None);
        loop {
            let next = page(world, acme, &HistoryFilter::default(), limit, cursor);
            assert!(next.items.len() <= limit);
            read.extend(next.items);
            // A cursor survives being written down.
            cursor = next.next.map(|cursor| cursor.to_string().parse().unwrap());
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(read, whole, "{limit} at a time");
    }
}

fn what_comes_in_while_one_reads_on_disturbs_no_page(world: &World) {
    let acme = world.meter(1_000);
    for second in 0..10 {
        world.clock.set(BEGINNING + Duration::seconds(second));
        world.track(&credits(acme, 1)).unwrap();
    }
    let whole = world.history(acme);
    let first = page(world, acme, &HistoryFilter::default(), 4, None);
    world.clock.advance(Duration::hours(1));
    world.track(&credits(acme, 9)).unwrap();
    let second = page(world, acme, &HistoryFilter::default(), 100, first.next);
    assert_eq!([first.items, second.items].concat(), whole);
}

fn a_page_has_at_least_one_and_at_most_a_thousand(world: &World) {
    let acme = world.meter(10);
    let filter = HistoryFilter::default();
    for limit in [0, 1_001, usize::MAX] {
        let refused =
            world.tenure.read(|view| view.usage_history(acme, CREDITS, &filter, limit, None));
        assert_eq!(refused.unwrap_err().code(), ErrorCode::BadRequest, "{limit}");
        let refused = world.tenure.read(|view| view.usage_snapshots(acme, CREDITS, limit, None));
        assert_eq!(refused.unwrap_err().code(), ErrorCode::BadRequest, "{limit}");
    }
}

fn history_is_of_one_meter_alone(world: &World) {
    let acme = world.meter(10);
    world.feature("exports", Overage::Reject);
    world.allow(acme, "exports", &AccessPatch::new());
    let globex = world.someone("Globex");
    world.allow(globex, CREDITS, &AccessPatch::new());
    world.link(acme, "org_9");
    world.track(&credits(acme, 1)).unwrap();
    world.track(&Track::new(acme, "exports").quantity(2)).unwrap();
    world.track(&credits(globex, 3)).unwrap();
    assert_eq!(quantities(&world.history(acme)), ["1"]);
    let by_link = |view: &tenure::View<'_>| {
        view.usage_history("org_9", CREDITS, &HistoryFilter::default(), 9, None)
    };
    assert_eq!(world.tenure.read(by_link).unwrap().items, world.history(acme));
}

fn history_can_leave_out_what_was_delivered(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 1)).unwrap();
    let mut filter = HistoryFilter::default();
    filter.exclude_delivered = true;
    assert_eq!(page(world, acme, &filter, 10, None).items.len(), 1, "it was delivered nowhere");
}

fn a_window_that_ends_leaves_a_snapshot(world: &World) {
    let acme = world.meter(10);
    world.allow(acme, CREDITS, &AccessPatch::new().included(2));
    world.track(&credits(acme, 7)).unwrap();
    let snapshots =
        || world.tenure.read(|view| view.usage_snapshots(acme, CREDITS, 10, None)).unwrap().items;
    assert!(snapshots().is_empty());
    world.clock.set(datetime!(2026-02-28 12:00 UTC));
    assert!(snapshots().is_empty(), "reading writes nothing");
    world.tenure.tick().unwrap();
    world.tenure.tick().unwrap();
    let [snapshot] = &snapshots()[..] else { panic!() };
    assert_eq!(snapshot.snapshot_type.as_str(), "reset");
    assert_eq!((snapshot.absolute_value, snapshot.billable_value), (q("7"), q("5")));
    assert_eq!(world.times_told("entitlement.reset"), 1);
}

fn snapshots_are_newest_first(world: &World) {
    let acme = world.meter(100);
    for value in 1..=5 {
        world.clock.advance(Duration::minutes(1));
        let correction = Correction::new(acme, CREDITS, value, "recount");
        world.tenure.write(|tx| tx.set_usage(&correction)).unwrap();
    }
    let read = |cursor: Option<Cursor>| {
        let read =
            |view: &tenure::View<'_>| view.usage_snapshots(acme, CREDITS, 3, cursor.as_ref());
        world.tenure.read(read).unwrap()
    };
    let first = read(None);
    let second = read(first.next);
    let values = first.items.iter().chain(&second.items).map(|it| it.absolute_value.to_string());
    assert_eq!(values.collect::<Vec<_>>(), ["5", "4", "3", "2", "1"]);
    assert!(second.next.is_none());
}

fn history_of_what_is_unknown_is_an_error_and_of_no_meter_is_empty(world: &World) {
    let acme = world.someone("Acme Inc.");
    let filter = HistoryFilter::default();
    let empty = world.tenure.read(|view| view.usage_history(acme, CREDITS, &filter, 9, None));
    assert!(empty.unwrap().items.is_empty());
    let nobody = CustomerId::from(uuid::Uuid::from_u128(7));
    let missing = world.tenure.read(|view| view.usage_history(nobody, CREDITS, &filter, 9, None));
    assert!(missing.unwrap_err().is_not_found());
    // Another org's customer is as unknown as any.
    let other = world.tenure.for_org("other");
    let missing = other.read(|view| view.usage_history(acme, CREDITS, &filter, 9, None));
    assert!(missing.unwrap_err().is_not_found());
}

fn domain_events_are_numbered_without_a_gap(world: &World) {
    let acme = world.meter(5);
    for n in 0..10 {
        drop(world.track(&credits(acme, 1).key(format!("k{}", n / 2))));
    }
    assert!(world.track(&credits(acme, 1)).is_err());
    let told = world.all_events();
    let numbers: Vec<i64> = told.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, (1..=i64::try_from(told.len()).unwrap()).collect::<Vec<_>>());
    assert_eq!(world.times_told("entitlement.consumed"), 5);
    assert_eq!(world.history(acme).len(), 5);
}

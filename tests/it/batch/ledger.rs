//! What a batch sealed is in the ledger like anything else: read, reported, refunded, billed.

use super::{counted, keyed, used};
use crate::metered::{CREDITS, credits, document, q};
use crate::support::{BEGINNING, World};
use serde_json::json;
use tenure::{
    AccessPatch, Correction, ErrorCode, FeatureDraft, GroupBy, NewLink, NewSubscription, PAGE_MAX,
    PeriodType, Quantity, TierDraft, Track, UsageQuery, UsageSource,
};
use time::Duration;

stories! {
    an_event_of_a_batch_is_found_by_its_id,
    refunds_of_an_event_of_a_batch_never_exceed_it,
    a_report_and_a_period_add_batches_up,
    a_preview_of_a_batch_leaves_nothing,
    a_transaction_that_fails_keeps_no_batch,
    batches_of_billed_usage_reach_the_gateway_once,
    cloud_events_are_counted_as_a_batch,
    a_batch_tells_who_and_in_which_product,
}

fn an_event_of_a_batch_is_found_by_its_id(world: &World) {
    let acme = world.meter(1_000);
    let mut batch = keyed(acme, "k", 100);
    batch[60] = credits(acme, q("2.5")).key("this").metadata(document(json!({ "job": 7 })));
    let answers = counted(world, &batch);
    let event = world.seen(|view| view.usage_event(answers[60].event_id));
    assert_eq!((event.quantity, event.previous_value), (q("2.5"), q("60")));
    assert_eq!((event.idempotency_key.as_str(), event.source), ("this", UsageSource::Batch));
    assert_eq!(event.metadata, Some(document(json!({ "job": 7 }))));
    let [share] = &world.seen(|view| view.burns(event.id))[..] else { panic!() };
    assert_eq!(share.quantity, q("2.5"));
    assert!(world.history(acme).contains(&event));
}

fn refunds_of_an_event_of_a_batch_never_exceed_it(world: &World) {
    let acme = world.meter(1_000);
    let batch: Vec<Track> = (0..20).map(|n| credits(acme, 3).key(format!("k-{n}"))).collect();
    let event = counted(world, &batch)[11].event_id;
    let refund = |by: i32| Correction::new(acme, CREDITS, by, "refund").of(event);
    world.done(|tx| tx.adjust_usage(&refund(-2)));
    let error = world.refused(|tx| tx.adjust_usage(&refund(-2)));
    assert_eq!(error.code(), ErrorCode::Unprocessable);
    world.done(|tx| tx.adjust_usage(&refund(-1)));
    assert_eq!(used(world, acme), q("57"));
    assert!(counted(world, &batch)[11].duplicate, "what was refunded was counted");
}

fn a_report_and_a_period_add_batches_up(world: &World) {
    let acme = world.meter(10_000);
    world.clock.advance(Duration::days(3));
    let batch = keyed(acme, "k", 300).into_iter().zip(0..);
    let batch: Vec<Track> = batch
        .map(|(track, n)| {
            let track = track.at(BEGINNING + Duration::hours(n % 72));
            track.metadata(document(json!({ "model": if n % 3 == 0 { "large" } else { "small" } })))
        })
        .collect();
    counted(world, &batch);
    world.track(&credits(acme, 5).at(BEGINNING)).unwrap();
    let (from, to) = (BEGINNING - Duration::DAY, BEGINNING + Duration::days(5));
    let mut query = UsageQuery::between(from, to, PeriodType::Day);
    query.group_by = GroupBy::Metadata("model".to_owned());
    let report = world.seen(|view| view.usage_report(acme, &query));
    assert_eq!((report.totals["large"], report.totals["small"]), (q("100"), q("200")));
    assert_eq!(report.totals[""], q("5"));
    let in_day = |day: i64| {
        let at = BEGINNING + Duration::days(day);
        world.done(|tx| tx.aggregate_usage(acme, PeriodType::Day, at)).usage_by_resource[CREDITS]
    };
    // 72 hours from noon on, of which the first twelve came five times, the others four.
    let days: Vec<Quantity> = (0..4).map(in_day).collect();
    let sum = days.iter().map(|it| it.millionths()).sum();
    assert_eq!(Quantity::from_millionths(sum), q("305"));
    assert_eq!(days[0], q("65"));
    let month = |at| world.done(|tx| tx.aggregate_usage(acme, PeriodType::Month, at));
    assert_eq!(month(BEGINNING).usage_by_resource[CREDITS], days[0]);
    world.assert_sound();
}

fn a_preview_of_a_batch_leaves_nothing(world: &World) {
    let acme = world.meter(50);
    counted(world, &keyed(acme, "old", 10));
    let before = crate::support::dump(&world.tenure);
    let batch = keyed(acme, "k", 100);
    let preview = world.tenure.preview(|tx| tx.track_batch(&batch)).unwrap();
    assert_eq!(preview.outcome.iter().filter(|it| it.is_ok()).count(), 40);
    assert!(preview.events.iter().any(|event| event.name == "entitlement.consumed"));
    assert_eq!(crate::support::dump(&world.tenure), before);
    let answers = world.tenure.track_batch(&batch).unwrap();
    assert!(answers.iter().flatten().all(|it| !it.duplicate));
    assert_eq!(used(world, acme), q("50"));
}

fn a_transaction_that_fails_keeps_no_batch(world: &World) {
    let acme = world.meter(1_000);
    let batch = keyed(acme, "k", 100);
    let before = crate::support::dump(&world.tenure);
    let failed: tenure::Result<()> = world.tried(|tx| {
        tx.track_batch(&batch)?;
        Err(tenure::Error::Rule("no".to_owned()))
    });
    assert!(failed.is_err());
    assert_eq!(crate::support::dump(&world.tenure), before);
    // Two batches in one transaction: the second sees what the first sealed.
    let second = world.done(|tx| {
        tx.track_batch(&batch)?;
        tx.track_batch(&batch)
    });
    assert!(second.into_iter().all(|it| it.unwrap().duplicate));
    assert_eq!(used(world, acme), q("100"));
}

fn batches_of_billed_usage_reach_the_gateway_once(world: &World) {
    let acme = world.someone("Acme");
    let mut paid = NewSubscription::to("metered");
    paid.stripe_customer_id = Some("cus_acme".to_owned());
    world.done(|tx| {
        tx.define_feature("calls", &FeatureDraft::default().billing_meter("api_calls"))?;
        tx.set_access(acme, "calls", &AccessPatch::new())?;
        tx.define_tier(&TierDraft::new("metered"))?;
        tx.add_subscription(acme, &paid)
    });
    let batch: Vec<Track> =
        (0..80).map(|n| Track::new(acme, "calls").key(format!("k-{n}"))).collect();
    for _ in 0..2 {
        counted(world, &batch);
        world.tenure.deliver_usage(PAGE_MAX).unwrap();
    }
    assert_eq!(world.till.meters.meter_events().len(), 80);
    assert_eq!(world.till.meters.metered("cus_acme", "api_calls"), Some(q("80")));
    world.assert_sound();
}

fn cloud_events_are_counted_as_a_batch(world: &World) {
    let acme = world.meter(1_000);
    world.done(|tx| tx.link(acme, &NewLink::to("org_42")));
    world.clock.advance(Duration::HOUR);
    let event = |n: usize| {
        json!({
            "specversion": "1.0", "type": CREDITS, "source": "/inference", "id": format!("run-{n}"),
            "subject": "org_42", "time": "2026-01-31T12:30:00Z",
            "data": { "quantity": "0.5", "model": "large" },
        })
    };
    let events: Vec<_> = (0..100).map(event).collect();
    let batch = Track::batch_from_cloud_events(&json!(events).to_string()).unwrap();
    for round in 0..2 {
        let answers = counted(world, &batch);
        assert!(answers.iter().all(|it| it.duplicate == (round > 0)));
    }
    assert_eq!(used(world, acme), q("50"));
    let history = world.history(acme);
    assert_eq!(history.len(), 100);
    assert!(history.iter().all(|it| it.event_time == BEGINNING + Duration::minutes(30)));
    assert_eq!(history[0].metadata.as_ref().unwrap().get("model"), Some(&json!("large")));
}

fn a_batch_tells_who_and_in_which_product(world: &World) {
    let acme = world.meter(1_000);
    let tenure = world.tenure.for_product("mobile").unwrap().acting_as("importer").unwrap();
    tenure.track_batch(&keyed(acme, "k", 20)).unwrap();
    counted(world, &keyed(acme, "other", 20));
    let history = world.history(acme);
    let by = |product: &str, who: Option<&str>| {
        let of = history.iter().filter(|it| it.product_id.as_str() == product);
        of.filter(|it| it.performed_by.as_deref() == who).count()
    };
    assert_eq!((by("mobile", Some("importer")), by("default", None)), (20, 20));
}

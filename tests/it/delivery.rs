//! Delivery of usage to the billing gateway: in order, again after failures, counted once.

use crate::support::{World, code, race};
use crate::tampered::Tampered;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tenure::store::memory::MemoryStore;
use tenure::{
    AccessPatch, Change, Correction, CustomerId, DeliveryReport, DeliveryStatus, ErrorCode,
    FeatureDraft, HistoryFilter, MeterFailure, NewSubscription, PAGE_MAX, Quantity, Result,
    TierDraft, Track, Tx, UsageEvent, UsageEventId,
};
use time::Duration;

const CALLS: &str = "calls";
const METER: &str = "api_calls";

/// A customer who pays by use, known to the gateway as `cus_` and its name.
fn payer(world: &World, name: &str) -> CustomerId {
    let id = user(world, name);
    world.done(|tx| subscribe(tx, id, name));
    id
}

fn subscribe(tx: &mut Tx<'_>, id: CustomerId, name: &str) -> Result<()> {
    let mut paid = NewSubscription::to("metered");
    paid.stripe_customer_id = Some(format!("cus_{name}"));
    tx.define_tier(&TierDraft::new("metered"))?;
    tx.add_subscription(id, &paid).map(drop)
}

/// A customer who may use as much as it likes of a feature that is billed.
fn user(world: &World, name: &str) -> CustomerId {
    let id = world.customer(name).id;
    world.done(|tx| {
        tx.define_feature(CALLS, &FeatureDraft::default().billing_meter(METER))?;
        tx.set_access(id, CALLS, &AccessPatch::new().limit(Change::Clear))
    });
    id
}

fn track(world: &World, id: CustomerId, quantity: i32) -> UsageEventId {
    world.done(|tx| tx.track(&Track::new(id, CALLS).quantity(quantity))).event_id
}

fn refund(world: &World, id: CustomerId, of: UsageEventId, quantity: i32) -> UsageEventId {
    let refund = Correction::new(id, CALLS, -quantity, "refund").of(of);
    world.done(|tx| tx.adjust_usage(&refund)).event_id
}

fn deliver(world: &World) -> DeliveryReport {
    world.tenure.deliver_usage(PAGE_MAX).unwrap()
}

/// Delivered, failed, cancelled, waiting.
fn figures(report: DeliveryReport) -> [usize; 4] {
    [report.delivered, report.failed, report.cancelled, report.waiting]
}

fn event(world: &World, customer: CustomerId, id: UsageEventId) -> UsageEvent {
    let filter = HistoryFilter::all();
    let all = world.seen(|view| view.usage_history(customer, CALLS, &filter, PAGE_MAX, None));
    all.items.into_iter().find(|it| it.id == id).unwrap()
}

fn status(world: &World, customer: CustomerId, id: UsageEventId) -> DeliveryStatus {
    event(world, customer, id).stripe_delivery_status
}

/// The quantities that the gateway took of a customer, in the order in which they came.
fn taken(world: &World, name: &str) -> Vec<Quantity> {
    let all = world.till.meters.meter_events().into_iter();
    all.filter(|it| it.customer_id.as_str() == format!("cus_{name}")).map(|it| it.value).collect()
}

fn quantities<const N: usize>(numbers: [i32; N]) -> Vec<Quantity> {
    numbers.map(Quantity::from).to_vec()
}

fn billed(world: &World, name: &str) -> Quantity {
    world.till.meters.metered(&format!("cus_{name}"), METER).unwrap()
}

fn usage_goes_out_in_the_order_in_which_it_was_recorded(world: &World) {
    let (acme, globex) = (payer(world, "acme"), payer(world, "globex"));
    for quantity in 1..=25 {
        track(world, acme, quantity);
    }
    let half = world.done(|tx| tx.track(&Track::new(globex, CALLS).quantity(half()))).event_id;
    assert_eq!(status(world, globex, half), DeliveryStatus::Pending);
    world.clock.advance(Duration::MINUTE);

    let first = world.tenure.deliver_usage(22).unwrap();
    assert_eq!(figures(first), [22, 0, 0, 4]);
    assert_eq!(first.next_attempt_at, Some(world.clock.now()));
    let rest = deliver(world);
    assert_eq!((figures(rest), rest.next_attempt_at), ([4, 0, 0, 0], None));
    assert_eq!(taken(world, "acme"), (1..=25).map(Quantity::from).collect::<Vec<_>>());

    let sent = world.till.meters.meter_events().into_iter().find(|it| it.identifier == half);
    let sent = sent.unwrap();
    assert_eq!((sent.value.to_string().as_str(), sent.event_name.as_str()), ("0.5", METER));
    assert_eq!(sent.timestamp, world.clock.now() - Duration::MINUTE);
    let known = event(world, globex, half);
    assert_eq!(known.stripe_delivery_status, DeliveryStatus::Delivered);
    assert_eq!(known.billing_profile_id.unwrap().as_str(), "cus_globex");
    assert_eq!(known.stripe_event_id.unwrap().as_str(), format!("mtr_{half}"));
    assert_eq!(known.delivered_at, Some(world.clock.now()));
    assert_eq!(figures(deliver(world)), [0; 4]);
}

fn half() -> Quantity {
    "0.5".parse().unwrap()
}

fn history_can_leave_out_what_is_delivered(world: &World) {
    let acme = payer(world, "acme");
    track(world, acme, 1);
    let told = world.told(|| deliver(world));
    assert_eq!(told, ["usage_event.delivered"]);
    let second = track(world, acme, 2);
    let filter = HistoryFilter::all().undelivered();
    let left = world.seen(|view| view.usage_history(acme, CALLS, &filter, 10, None));
    assert_eq!(left.items.iter().map(|it| it.id).collect::<Vec<_>>(), [second]);
}

fn what_is_not_billed_is_not_queued(world: &World) {
    let (free, acme) = (user(world, "free"), payer(world, "acme"));
    world.done(|tx| {
        tx.define_feature("views", &FeatureDraft::default())?;
        tx.set_access(acme, "views", &AccessPatch::new())
    });
    let unknown = track(world, free, 3);
    world.uses(acme, "views", 5);
    assert_eq!(status(world, free, unknown), DeliveryStatus::NotApplicable);
    assert_eq!(event(world, free, unknown).billing_profile_id, None);
    assert_eq!(world.seen(|view| view.next_delivery()), None);

    // Whoever subscribes later is not billed for what was before, nor credited for it.
    world.done(|tx| subscribe(tx, free, "free"));
    refund(world, free, unknown, 1);
    let later = track(world, free, 2);
    let again = world.done(|tx| tx.track(&Track::new(free, CALLS).key("k")));
    let retry = world.done(|tx| tx.track(&Track::new(free, CALLS).key("k")));
    assert!(retry.duplicate && retry.event_id == again.event_id);
    assert_eq!(status(world, free, later), DeliveryStatus::Pending);
    assert_eq!(figures(deliver(world)), [2, 0, 0, 0]);
    assert_eq!((billed(world, "free"), billed(world, "acme")), (3.into(), 0.into()));
}

fn a_gateway_that_is_down_is_asked_again_later_and_nothing_is_overtaken(world: &World) {
    let (acme, globex) = (payer(world, "acme"), payer(world, "globex"));
    let first = track(world, acme, 1);
    world.till.meters.fail_with(Some("no route to host"));
    for wait in [30, 60, 120] {
        let report = deliver(world);
        let next = world.clock.now() + Duration::seconds(wait);
        assert_eq!((figures(report), report.next_attempt_at), ([0, 0, 0, 1], Some(next)));
        let known = event(world, acme, first);
        assert_eq!(known.stripe_delivery_status, DeliveryStatus::Pending);
        assert_eq!(known.stripe_delivery_error.unwrap().as_str(), "no route to host");
        world.clock.advance(Duration::seconds(wait) - Duration::MICROSECOND);
        assert_eq!(deliver(world).next_attempt_at, Some(next));
        world.clock.set(next);
    }
    world.till.meters.fail_with(None);
    world.till.meters.fail_meter_events(1, MeterFailure::NotTaken("busy".to_owned()));
    track(world, acme, 2);
    world.clock.advance(Duration::SECOND);
    track(world, globex, 7);
    // The one in front of acme's queue fails; globex does not wait for it.
    assert_eq!(figures(deliver(world)), [1, 0, 0, 2]);
    assert_eq!(taken(world, "acme"), []);
    world.clock.advance(Duration::minutes(4));
    assert_eq!(figures(deliver(world)), [2, 0, 0, 0]);
    assert_eq!(taken(world, "acme"), quantities([1, 2]));
    assert_eq!(event(world, acme, first).stripe_delivery_error, None);
}

fn what_is_refused_fails_and_holds_up_nothing_until_it_is_put_back(world: &World) {
    let acme = payer(world, "acme");
    let (first, second) = (track(world, acme, 5), track(world, acme, 2));
    world.till.meters.fail_meter_events(1, MeterFailure::Refused("no such\0meter".to_owned()));
    let told = world.told(|| assert_eq!(figures(deliver(world)), [1, 1, 0, 0]));
    assert_eq!(told, ["usage_event.delivery_failed", "usage_event.delivered"]);
    let failed = world.seen(|view| view.failed_deliveries(acme, 10, None)).items;
    assert_eq!(failed.iter().map(|it| it.id).collect::<Vec<_>>(), [first]);
    assert_eq!(failed[0].stripe_delivery_status, DeliveryStatus::Failed);
    assert_eq!(failed[0].stripe_delivery_error.as_ref().unwrap().as_str(), "no suchmeter");

    // It is owed less after a refund.
    let credit = refund(world, acme, first, 1);
    assert_eq!(status(world, acme, credit), DeliveryStatus::NotApplicable);
    assert_eq!(code(world.tried(|tx| tx.retry_failed(second))), ErrorCode::Unprocessable);
    let told = world.told(|| world.done(|tx| tx.retry_failed(first)));
    assert_eq!(told, ["usage_event.delivery_retried"]);
    assert_eq!(code(world.tried(|tx| tx.retry_failed(first))), ErrorCode::Unprocessable);
    assert_eq!(figures(deliver(world)), [1, 0, 0, 0]);
    assert_eq!(taken(world, "acme"), quantities([2, 4]));
    assert!(world.seen(|view| view.failed_deliveries(acme, 10, None)).items.is_empty());
}

fn a_lost_answer_makes_nothing_count_twice(world: &World) {
    let acme = payer(world, "acme");
    let (first, second) = (track(world, acme, 5), track(world, acme, 2));
    world.till.meters.lose_meter_answers(1);
    assert_eq!(figures(deliver(world)), [0, 0, 0, 2]);
    assert_eq!(taken(world, "acme"), quantities([5]));
    assert_eq!(status(world, acme, first), DeliveryStatus::Pending);
    // It may have arrived, so a refund corrects it; the second has not, so it is reduced.
    refund(world, acme, first, 5);
    refund(world, acme, second, 2);
    world.clock.advance(Duration::seconds(30));
    assert_eq!(figures(deliver(world)), [1, 0, 1, 0]);
    assert_eq!((taken(world, "acme"), billed(world, "acme")), (quantities([5]), 0.into()));
}

fn a_deliverer_that_dies_before_it_writes_the_result_leaves_it_to_the_next(world: &World) {
    let acme = payer(world, "acme");
    let first = track(world, acme, 5);
    track(world, acme, 2);
    world.till.meanwhile(|| panic!("the process is killed"));
    assert!(catch_unwind(AssertUnwindSafe(|| deliver(world))).is_err());
    assert_eq!(taken(world, "acme"), quantities([5]));
    let until = world.clock.now() + Duration::minutes(5);
    let waiting = deliver(world);
    assert_eq!((figures(waiting), waiting.next_attempt_at), ([0, 0, 0, 2], Some(until)));
    world.clock.set(until);
    assert_eq!(figures(deliver(world)), [2, 0, 0, 0]);
    assert_eq!(taken(world, "acme"), quantities([5, 2]));
    assert_eq!(status(world, acme, first), DeliveryStatus::Delivered);
}

fn a_second_deliverer_waits_and_takes_over_when_the_first_is_lost(world: &World) {
    let acme = payer(world, "acme");
    for quantity in 1..=3 {
        track(world, acme, quantity);
    }
    let (tenure, clock) = (world.tenure.clone(), world.clock.clone());
    world.till.meanwhile(move || {
        assert_eq!(figures(tenure.deliver_usage(10).unwrap()), [0, 0, 0, 3]);
        clock.advance(Duration::minutes(5));
        assert_eq!(figures(tenure.deliver_usage(10).unwrap()), [3, 0, 0, 0]);
    });
    // The first comes back too late, and finds everything done.
    assert_eq!(figures(deliver(world)), [0; 4]);
    assert_eq!(taken(world, "acme"), quantities([1, 2, 3]));
}

fn what_is_tracked_and_refunded_while_it_is_sent_is_billed_right(world: &World) {
    let acme = payer(world, "acme");
    let first = track(world, acme, 5);
    let tenure = world.tenure.clone();
    world.till.meanwhile(move || {
        let more = Track::new(acme, CALLS).quantity(2);
        let back = Correction::new(acme, CALLS, -3, "refund").of(first);
        tenure.write(|tx| tx.track(&more).and(tx.adjust_usage(&back))).unwrap();
    });
    assert_eq!(figures(deliver(world)), [3, 0, 0, 0]);
    assert_eq!(taken(world, "acme"), quantities([5, 2, -3]));
}

fn many_deliverers_keep_the_order_and_lose_nothing(world: &World) {
    let names = ["acme", "globex", "hooli"];
    let payers = names.map(|name| payer(world, name));
    for quantity in 1..=30 {
        for id in payers {
            track(world, id, quantity);
        }
    }
    let reports = race(4, |_| {
        let mut delivered = 0;
        while world.seen(|view| view.next_delivery()).is_some() {
            delivered += world.tenure.deliver_usage(7).unwrap().delivered;
        }
        delivered
    });
    assert_eq!(reports.iter().sum::<usize>(), 90);
    for name in names {
        assert_eq!(taken(world, name), (1..=30).map(Quantity::from).collect::<Vec<_>>(), "{name}");
    }
}

fn a_refund_before_delivery_takes_back_what_was_not_sent(world: &World) {
    let acme = payer(world, "acme");
    let (whole, part) = (track(world, acme, 5), track(world, acme, 7));
    let refunds = [refund(world, acme, whole, 5), refund(world, acme, part, 3)];
    assert_eq!(status(world, acme, whole), DeliveryStatus::NotApplicable);
    assert_eq!(status(world, acme, part), DeliveryStatus::Pending);
    for refund in refunds {
        assert_eq!(status(world, acme, refund), DeliveryStatus::NotApplicable);
    }
    assert_eq!(figures(deliver(world)), [1, 0, 0, 0]);
    assert_eq!(taken(world, "acme"), quantities([4]));
    // A queue of which nothing is left is gone.
    let last = track(world, acme, 2);
    refund(world, acme, last, 2);
    assert_eq!(world.seen(|view| view.next_delivery()), None);
}

fn a_refund_after_delivery_is_cancelled_or_corrected(world: &World) {
    let acme = payer(world, "acme");
    let events = [1, 2, 4, 8].map(|quantity| track(world, acme, quantity));
    assert_eq!(figures(deliver(world)), [4, 0, 0, 0]);
    let whole = refund(world, acme, events[0], 1);
    refund(world, acme, events[1], 1);
    assert_eq!(figures(deliver(world)), [1, 0, 1, 0]);
    assert_eq!(world.till.meters.cancelled_meter_events(), [events[0]]);
    assert_eq!(taken(world, "acme"), quantities([1, 2, 4, 8, -1]));
    let cancelled = event(world, acme, whole);
    assert_eq!(cancelled.stripe_delivery_status, DeliveryStatus::Delivered);
    assert_eq!(cancelled.stripe_event_id, None);

    // One that the gateway will not cancel is corrected, at once.
    refund(world, acme, events[2], 4);
    world.till.meters.fail_meter_events(1, MeterFailure::Refused("too late".to_owned()));
    assert_eq!(figures(deliver(world)), [1, 0, 0, 0]);
    world.clock.advance(Duration::hours(23));
    refund(world, acme, events[3], 8);
    assert_eq!(figures(deliver(world)), [1, 0, 0, 0]);
    assert_eq!(taken(world, "acme"), quantities([1, 2, 4, 8, -1, -4, -8]));
    assert_eq!(billed(world, "acme"), 1.into());
}

fn corrections_of_no_event_go_out_as_what_they_are(world: &World) {
    let acme = payer(world, "acme");
    track(world, acme, 5);
    world.done(|tx| {
        tx.adjust_usage(&Correction::new(acme, CALLS, 4, "bonus"))?;
        tx.set_usage(&Correction::new(acme, CALLS, 9, "the same"))?;
        tx.set_usage(&Correction::new(acme, CALLS, 3, "counted"))
    });
    assert_eq!(figures(deliver(world)), [3, 0, 0, 0]);
    assert_eq!(taken(world, "acme"), quantities([5, 4, -6]));
    assert_eq!(billed(world, "acme"), world.check(acme, CALLS).current_usage);
}

fn what_never_arrives_is_given_up_and_said_so(world: &World) {
    let acme = payer(world, "acme");
    let (first, second) = (track(world, acme, 1), track(world, acme, 2));
    world.till.meters.fail_meter_events(100, MeterFailure::NotTaken("busy".to_owned()));
    let reports: Vec<_> = (0..100)
        .map(|_| {
            let report = deliver(world);
            world.clock.advance(Duration::hours(6));
            report.failed
        })
        .collect();
    assert_eq!((reports.iter().sum::<usize>(), reports[99]), (1, 1));
    let error = event(world, acme, first).stripe_delivery_error.unwrap();
    assert_eq!(error.as_str(), "given up after 100 attempts: busy");
    assert_eq!(status(world, acme, second), DeliveryStatus::Delivered);
}

fn what_may_have_arrived_is_not_sent_again_after_the_gateway_forgot_it(world: &World) {
    let acme = payer(world, "acme");
    let (first, second) = (track(world, acme, 1), track(world, acme, 2));
    world.till.meters.lose_meter_answers(1);
    deliver(world);
    world.clock.advance(Duration::hours(23));
    assert_eq!(figures(deliver(world)), [1, 1, 0, 0]);
    assert_eq!(taken(world, "acme"), quantities([1, 2]));
    let error = event(world, acme, first).stripe_delivery_error.unwrap();
    assert!(error.as_str().contains("may have been counted"), "{error}");
    assert_eq!(status(world, acme, second), DeliveryStatus::Delivered);
    // Whoever has looked at the gateway can send it all the same.
    world.done(|tx| tx.retry_failed(first));
    assert_eq!(figures(deliver(world)), [1, 0, 0, 0]);
}

fn whatever_goes_wrong_in_between_the_bill_is_the_usage(world: &World) {
    for seed in 0..8 {
        the_bill_is_the_usage(world, seed);
    }
}

fn the_bill_is_the_usage(world: &World, seed: u64) {
    let name = format!("acme{seed}");
    let acme = payer(world, &name);
    let mut state = seed;
    let mut roll = |sides: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (state >> 33) % sides
    };
    let mut refundable: Vec<(UsageEventId, i32)> = Vec::new();
    for step in 0..300 {
        match roll(6) {
            0 | 1 => {
                let quantity = i32::try_from(roll(9)).unwrap() + 1;
                refundable.push((track(world, acme, quantity), quantity));
            }
            2 if !refundable.is_empty() => {
                let at = usize::try_from(roll(refundable.len() as u64)).unwrap();
                let (of, left) = &mut refundable[at];
                let back = 1 + i32::try_from(roll(u64::try_from(*left).unwrap())).unwrap();
                *left -= back;
                refund(world, acme, *of, back);
                refundable.retain(|(_, left)| *left > 0);
            }
            3 => world.till.meters.lose_meter_answers(1),
            4 => world.till.meters.fail_meter_events(1, MeterFailure::NotTaken(step.to_string())),
            _ => {
                if roll(4) == 0 {
                    world.till.meanwhile(|| panic!("the process is killed"));
                }
                let limit = usize::try_from(roll(5)).unwrap() + 1;
                let _ = catch_unwind(AssertUnwindSafe(|| world.tenure.deliver_usage(limit)));
            }
        }
        world.clock.advance(Duration::seconds(i64::try_from(roll(60)).unwrap()));
    }
    world.till.meters.lose_meter_answers(0);
    world.till.meters.fail_meter_events(0, MeterFailure::NotTaken(String::new()));
    world.till.meanwhile(|| ());
    world.clock.advance(Duration::hours(6));
    let report = deliver(world);
    assert_eq!((report.failed, report.waiting), (0, 0));
    assert_eq!(billed(world, &name), world.check(acme, CALLS).current_usage, "seed {seed}");
}

fn without_a_gateway_nothing_is_delivered(world: &World) {
    assert_eq!(code(world.tenure.deliver_usage(0)), ErrorCode::BadRequest);
    assert_eq!(code(world.tenure.deliver_usage(1_001)), ErrorCode::BadRequest);
    let tenure = tenure::Tenure::open(MemoryStore::new()).unwrap();
    assert_eq!(code(tenure.deliver_usage(1)), ErrorCode::Unprocessable);
}

stories! {
    usage_goes_out_in_the_order_in_which_it_was_recorded,
    history_can_leave_out_what_is_delivered,
    what_is_not_billed_is_not_queued,
    a_gateway_that_is_down_is_asked_again_later_and_nothing_is_overtaken,
    what_is_refused_fails_and_holds_up_nothing_until_it_is_put_back,
    a_lost_answer_makes_nothing_count_twice,
    a_deliverer_that_dies_before_it_writes_the_result_leaves_it_to_the_next,
    a_second_deliverer_waits_and_takes_over_when_the_first_is_lost,
    what_is_tracked_and_refunded_while_it_is_sent_is_billed_right,
    many_deliverers_keep_the_order_and_lose_nothing,
    a_refund_before_delivery_takes_back_what_was_not_sent,
    a_refund_after_delivery_is_cancelled_or_corrected,
    corrections_of_no_event_go_out_as_what_they_are,
    what_never_arrives_is_given_up_and_said_so,
    what_may_have_arrived_is_not_sent_again_after_the_gateway_forgot_it,
    whatever_goes_wrong_in_between_the_bill_is_the_usage,
    without_a_gateway_nothing_is_delivered,
}

#[test]
fn usage_that_is_not_billed_costs_no_row_more() {
    let store = Tampered::over(MemoryStore::new());
    let world = World::over(store.clone(), |builder| builder);
    let (free, acme) = (user(&world, "free"), payer(&world, "acme"));
    store.written();
    track(&world, free, 1);
    assert_eq!(store.written(), ["usage_event", "meter", "event"]);
    track(&world, acme, 1);
    let queued = ["usage_event", "meter", "delivery_queue", "delivery_queue", "delivery", "event"];
    assert_eq!(store.written(), queued);
    track(&world, acme, 1);
    let queued = ["usage_event", "meter", "delivery_queue", "delivery", "event"];
    assert_eq!(store.written(), queued);
}

#[test]
fn a_result_that_cannot_be_written_is_asked_for_again() {
    let store = Tampered::over(MemoryStore::new());
    let world = World::over(store.clone(), |builder| builder);
    let acme = payer(&world, "acme");
    let first = track(&world, acme, 1);
    store.fail_once("usage_event");
    assert_eq!(code(world.tenure.deliver_usage(1)), ErrorCode::Unavailable);
    assert_eq!(status(&world, acme, first), DeliveryStatus::Pending);
    world.clock.advance(Duration::minutes(5));
    assert_eq!(figures(deliver(&world)), [1, 0, 0, 0]);
    assert_eq!(taken(&world, "acme"), quantities([1]));
}

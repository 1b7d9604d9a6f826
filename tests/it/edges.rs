//! Edges at which a limit, a hold, a refund or a batch could be counted wrong.

use crate::metered::{CREDITS, credits, q};
use crate::support::{BEGINNING, World};
use tenure::domain::cycle::Cycle;
use tenure::{
    AccessPatch, Change, Commit, Correction, CustomerId, FeatureDraft, Grace, LimitWindow,
    NewGrant, NewSubscription, Overage, PeriodType, Quantity, Reserve, ResetPeriod, Rollover,
    TierDraft, Track,
};
use time::Duration;
use time::macros::datetime;

stories![
    grace_of_a_further_limit_is_there_once,
    what_an_addon_carried_on_is_not_there_for_late_usage,
    a_further_limit_that_is_taken_away_leaves_the_others_their_usage,
    a_bonus_does_not_raise_what_can_be_refunded,
    a_hold_whose_key_was_taken_gives_its_room_back,
    holds_together_stay_within_the_range,
    a_batch_refuses_what_is_too_late,
    a_sealed_event_can_be_refunded_once_the_feature_is_billed,
    a_tick_gets_past_sums_out_of_range,
    a_later_grant_is_not_there_for_earlier_usage,
    the_gateway_hears_of_all_that_was_counted,
    an_instant_out_of_the_calendar_is_refused,
    a_previewed_batch_leaves_nothing,
    usage_ahead_leaves_room_for_holds,
    grace_is_there_once_however_often_a_meter_is_settled,
    a_batch_of_many_small_things_is_counted_and_not_kept,
    what_a_lost_tier_gave_is_shown_once,
];

fn monthly(limit: i32) -> AccessPatch {
    AccessPatch::new().limit(Quantity::from(limit)).resets(ResetPeriod::Monthly)
}

fn grace_of_a_further_limit_is_there_once(world: &World) {
    world.feature(CREDITS, Overage::Grace(Grace::Quantity(10.into())));
    let acme = world.someone("Acme");
    world.allow(
        acme,
        CREDITS,
        &monthly(1_000).window(LimitWindow::first_use(Cycle::hours(5).unwrap(), 50)),
    );
    world.track(&credits(acme, 60)).unwrap();
    for included in 1..4 {
        world.allow(acme, CREDITS, &AccessPatch::new().included(included));
        let again = world.track(&credits(acme, 10));
        assert!(again.is_err(), "after settlement {included}: {again:?}");
    }
}

fn grace_is_there_once_however_often_a_meter_is_settled(world: &World) {
    let acme = world.meter_with(100, Overage::Grace(Grace::Quantity(10.into())));
    world.track(&credits(acme, 110)).unwrap();
    world.allow(acme, CREDITS, &AccessPatch::new().included(1));
    assert!(world.track(&credits(acme, 1)).is_err());
}

fn what_an_addon_carried_on_is_not_there_for_late_usage(world: &World) {
    let acme = world.meter(100);
    let rollover = Rollover { max: 50.into(), min: 0.into() };
    world.done(|tx| tx.grant(acme, &NewGrant::of(CREDITS, 50).rollover(rollover)));
    world.clock.set(datetime!(2026-03-01 12:00 UTC));
    let now = world.credits(acme).remaining.unwrap();
    assert_eq!(now, q("200"));
    world.track(&credits(acme, 200)).unwrap();
    let late =
        |quantity: i32| world.track(&credits(acme, quantity).at(datetime!(2026-02-10 12:00 UTC)));
    let mut there = 0;
    while late(10).is_ok() {
        there += 10;
    }
    assert!(there <= 100, "200 + {there} of 300 in two windows");
    world.assert_sound();
}

fn a_further_limit_that_is_taken_away_leaves_the_others_their_usage(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    let acme = world.someone("Acme");
    let week = || LimitWindow::calendar(Cycle::WEEK, 100);
    let day = LimitWindow::calendar(Cycle::DAY, 50);
    world.clock.set(datetime!(2026-02-02 12:00 UTC));
    world.allow(acme, CREDITS, &monthly(1_000).window(day).window(week()));
    world.track(&credits(acme, 50)).unwrap();
    world.clock.set(datetime!(2026-02-03 12:00 UTC));
    world.track(&credits(acme, 40)).unwrap();
    world.allow(acme, CREDITS, &AccessPatch::new().window(week()));
    assert_eq!(world.credits(acme).remaining, Some(q("10")), "of the week");
}

fn a_bonus_does_not_raise_what_can_be_refunded(world: &World) {
    let acme = world.meter(100);
    world.track(&credits(acme, 50)).unwrap();
    let event = world.track(&credits(acme, 3)).unwrap().event_id;
    let adjust = |by: i32| {
        let it = Correction::new(acme, CREDITS, by, "why").of(event);
        world.tried(|tx| tx.adjust_usage(&it))
    };
    adjust(5).unwrap();
    assert!(adjust(-8).is_err());
    adjust(-2).unwrap();
    adjust(2).unwrap();
    assert!(adjust(-2).is_err());
    adjust(-1).unwrap();
}

fn a_hold_whose_key_was_taken_gives_its_room_back(world: &World) {
    let acme = world.meter(100);
    let hold = world.done(|tx| tx.reserve(&Reserve::new(acme, CREDITS, 40, Duration::HOUR)));
    world.track(&credits(acme, 40).key(format!("hold/{}", hold.id))).unwrap();
    let refused = world.refused(|tx| tx.commit(&Commit::new(hold.id, 40)));
    assert_eq!(refused.code(), tenure::ErrorCode::Conflict);
    world.assert_sound();
    world.clock.advance(Duration::HOUR);
    assert_eq!(world.credits(acme).remaining, Some(q("60")));
}

fn holds_together_stay_within_the_range(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    let acme = world.someone("Acme");
    world.allow(acme, CREDITS, &AccessPatch::new().limit(Change::Clear));
    let great = Quantity::try_from(6_000_000_000_000_i64).unwrap();
    let hold = || world.tried(|tx| tx.reserve(&Reserve::new(acme, CREDITS, great, Duration::HOUR)));
    let (one, two) = (hold(), hold());
    assert_eq!(two.as_ref().unwrap_err().code(), tenure::ErrorCode::Unprocessable);
    for it in [one, two].into_iter().flatten() {
        world.done(|tx| tx.commit(&Commit::new(it.id, 1)));
    }
    world.limit(acme, 100);
    assert!(
        world.credits(acme).remaining.unwrap() <= q("100"),
        "{:?}",
        world.credits(acme).remaining
    );
    world.assert_sound();
}

fn a_batch_refuses_what_is_too_late(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    let acme = world.someone("Acme");
    world.allow(acme, CREDITS, &AccessPatch::new().limit(Quantity::from(1_000)));
    world.clock.advance(Duration::days(100));
    let at = BEGINNING + Duration::days(1);
    assert!(world.track(&credits(acme, 1).at(at)).is_err());
    let tracks: Vec<_> = (0..20).map(|it| credits(acme, 1).key(format!("k{it}")).at(at)).collect();
    let answers = world.done(|tx| tx.track_batch(&tracks));
    assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 0);
}

const BILLED: &str = "calls";

fn payer(world: &World) -> CustomerId {
    let id = world.someone("Payer");
    world.done(|tx| {
        tx.define_feature(BILLED, &FeatureDraft::default())?;
        tx.set_access(id, BILLED, &AccessPatch::new().limit(Change::Clear))?;
        let mut paid = NewSubscription::to("metered");
        paid.stripe_customer_id = Some("cus_x".to_owned());
        tx.define_tier(&TierDraft::new("metered"))?;
        tx.add_subscription(id, &paid).map(drop)
    });
    id
}

fn bill(world: &World) {
    world
        .done(|tx| tx.define_feature(BILLED, &FeatureDraft::default().billing_meter("calls_used")));
}

fn a_sealed_event_can_be_refunded_once_the_feature_is_billed(world: &World) {
    let id = payer(world);
    let tracks: Vec<_> = (0..20).map(|it| Track::new(id, BILLED).key(format!("k{it}"))).collect();
    let answers = world.done(|tx| tx.track_batch(&tracks));
    let event = answers[3].as_ref().unwrap().event_id;
    bill(world);
    let refund = Correction::new(id, BILLED, -1, "why").of(event);
    assert_eq!(world.tried(|tx| tx.adjust_usage(&refund)).unwrap().current_usage, q("19"));
}

fn a_tick_gets_past_sums_out_of_range(world: &World) {
    let acme = world.someone("Acme");
    let most = Quantity::try_from(9_000_000_000_000_i64).unwrap();
    for code in ["one", "two"] {
        world.feature(code, Overage::Reject);
        world.allow(acme, code, &AccessPatch::new().limit(Change::Clear));
    }
    world.done(|tx| tx.aggregate_usage(acme, PeriodType::Day, BEGINNING));
    for code in ["one", "two"] {
        world.track(&Track::new(acme, code).quantity(most)).unwrap();
    }
    world.clock.advance(Duration::days(2));
    assert_eq!(world.tenure.tick().unwrap().usage_periods_completed, 1);
}

fn a_later_grant_is_not_there_for_earlier_usage(world: &World) {
    let acme = world.meter(100);
    world.clock.set(datetime!(2026-03-01 12:00 UTC));
    world.done(|tx| tx.grant(acme, &NewGrant::of(CREDITS, 50)));
    let at = datetime!(2026-02-10 12:00 UTC);
    world.track(&credits(acme, 100).at(at)).unwrap();
    let beyond = world.track(&credits(acme, 1).at(at));
    assert!(beyond.is_err(), "{beyond:?}");
}

fn the_gateway_hears_of_all_that_was_counted(world: &World) {
    let id = payer(world);
    bill(world);
    world.done(|tx| tx.track(&Track::new(id, BILLED).quantity(9)));
    let event = world.done(|tx| tx.track(&Track::new(id, BILLED).quantity(5))).event_id;
    let adjust = |by: i32| {
        let it = Correction::new(id, BILLED, by, "why").of(event);
        world.done(|tx| tx.adjust_usage(&it));
    };
    adjust(-2);
    world.tenure.deliver_usage(100).unwrap();
    adjust(2);
    world.tenure.deliver_usage(100).unwrap();
    let all = Correction::new(id, BILLED, -5, "why").of(event);
    assert!(world.tried(|tx| tx.adjust_usage(&all)).is_err());
    adjust(-3);
    world.tenure.deliver_usage(100).unwrap();
    let billed = world.till.meters.metered("cus_x", "calls_used");
    assert_eq!(billed, Some(world.check(id, BILLED).current_usage));
}

fn an_instant_out_of_the_calendar_is_refused(world: &World) {
    let acme = world.meter(100);
    let far =
        time::PrimitiveDateTime::MAX.assume_offset(time::UtcOffset::from_hms(-23, 0, 0).unwrap());
    let early =
        time::PrimitiveDateTime::MIN.assume_offset(time::UtcOffset::from_hms(23, 0, 0).unwrap());
    for at in [far, early] {
        assert!(world.track(&credits(acme, 1).at(at)).is_err());
    }
    let granted = |at| world.tried(|tx| tx.grant(acme, &NewGrant::of(CREDITS, 5).valid_until(at)));
    assert_eq!(granted(far).unwrap().valid_until.unwrap().year(), 9_999);
    assert!(granted(early).is_err());
    assert!(world.tried(|tx| tx.aggregate_usage(acme, PeriodType::Day, far)).is_err());
}

fn a_previewed_batch_leaves_nothing(world: &World) {
    let acme = world.meter(100);
    let tracks: Vec<_> = (0..40).map(|it| credits(acme, 1).key(format!("k{it}"))).collect();
    world.tenure.preview(|tx| tx.track_batch(&tracks)).unwrap();
    let answers = world.done(|tx| tx.track_batch(&tracks));
    assert!(answers.iter().all(|it| !it.as_ref().unwrap().duplicate));
    assert_eq!(world.used(acme), q("40"));
    world.tenure.preview(|tx| tx.track_batch(&tracks[..20])).unwrap();
    let answers = world.done(|tx| tx.track_batch(&tracks));
    assert!(answers.iter().all(|it| it.as_ref().unwrap().duplicate));
    world.assert_sound();
}

fn usage_ahead_leaves_room_for_holds(world: &World) {
    let acme = world.meter(100);
    let end = datetime!(2026-02-28 12:00 UTC);
    world.clock.set(end - Duration::minutes(2));
    let hold = world.done(|tx| tx.reserve(&Reserve::new(acme, CREDITS, 50, Duration::minutes(10))));
    let ahead = world.track(&credits(acme, 100).at(end + Duration::minutes(1)));
    world.clock.set(end + Duration::minutes(2));
    world.done(|tx| tx.commit(&Commit::new(hold.id, 50)));
    assert!(ahead.is_err());
    assert_eq!(world.used(acme), q("50"));
    world.assert_sound();
}

fn a_batch_of_many_small_things_is_counted_and_not_kept(_world: &World) {
    let many = format!("[{}0]", "0,".repeat(10_000));
    let refused = tenure::Track::batch_from_cloud_events(&many).unwrap_err();
    assert_eq!(refused.faults()[0].value, "10001");
    let most = format!("[{}0]", "0,".repeat(9_999));
    let refused = tenure::Track::batch_from_cloud_events(&most).unwrap_err();
    assert_eq!(refused.faults().len(), 10_000);
}

fn what_a_lost_tier_gave_is_shown_once(world: &World) {
    world.catalogue();
    let acme = world.customer_on("pro", "Acme");
    world.uses(acme, "sso", 1);
    world.done(|tx| tx.apply_tier(acme, "starter", &[]));
    world.done(|tx| tx.grant(acme, &NewGrant::of("sso", 1)));
    let access = world.check(acme, "sso");
    assert_eq!((access.quantity_limit, access.remaining), (Some(2.into()), Some(1.into())));
}

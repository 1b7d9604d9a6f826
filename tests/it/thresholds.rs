//! Warnings before a limit: each once, at exactly its share, armed again by a reset or a correction.

use crate::metered::{CREDITS, credits, q};
use crate::support::World;
use tenure::store::memory::MemoryStore;
use tenure::{Config, Correction, CustomerId, NewGrant, Overage};
use time::macros::datetime;

stories![
    a_threshold_is_reached_exactly_at_its_share,
    a_jump_tells_of_every_threshold_that_it_passes,
    a_threshold_is_told_once_in_a_window,
    a_reset_arms_every_threshold_again,
    a_correction_below_arms_a_threshold_again,
    a_correction_upwards_tells_as_usage_does,
    a_limit_that_is_reached_is_told_as_exhausted,
    an_entitlement_at_its_limit_is_exhausted_until_there_is_room,
    usage_beyond_the_limit_tells_nothing_new,
    a_refused_track_and_a_retry_tell_nothing,
    thresholds_are_shares_of_all_grants_together,
];

/// The percentages told of since the beginning, in order.
fn percents(world: &World) -> Vec<i64> {
    let told =
        world.all_events().into_iter().filter(|it| it.name == "entitlement.threshold_reached");
    told.map(|event| event.data["percent"].as_i64().unwrap()).collect()
}

fn adjust(world: &World, customer: CustomerId, by: &str) {
    let correction = Correction::new(customer, CREDITS, q(by), "why");
    world.tenure.write(|tx| tx.adjust_usage(&correction)).unwrap();
}

fn a_threshold_is_reached_exactly_at_its_share(world: &World) {
    let acme = world.meter(50);
    world.track(&credits(acme, q("39.999999"))).unwrap();
    assert_eq!(percents(world), [0_i64; 0]);
    world.track(&credits(acme, q("0.000001"))).unwrap();
    assert_eq!(percents(world), [80]);
    let told = world.all_events();
    let event = told.iter().find(|it| it.name == "entitlement.threshold_reached").unwrap();
    assert_eq!(event.customer_id, Some(acme));
    assert_eq!(event.data["feature"], CREDITS);
    assert_eq!((event.data["used"].as_i64(), event.data["limit"].as_i64()), (Some(40), Some(50)));
}

fn a_jump_tells_of_every_threshold_that_it_passes(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 10)).unwrap();
    assert_eq!(percents(world), [80, 90, 100]);
}

fn a_threshold_is_told_once_in_a_window(world: &World) {
    let acme = world.meter(100);
    for _ in 0..95 {
        world.track(&credits(acme, 1)).unwrap();
    }
    world.tenure.tick().unwrap();
    assert_eq!(percents(world), [80, 90]);
}

fn a_reset_arms_every_threshold_again(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 9)).unwrap();
    world.clock.set(datetime!(2026-03-01 0:00 UTC));
    world.track(&credits(acme, 7)).unwrap();
    assert_eq!(percents(world), [80, 90]);
    world.track(&credits(acme, 1)).unwrap();
    assert_eq!(percents(world), [80, 90, 80]);
}

fn a_correction_below_arms_a_threshold_again(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 8)).unwrap();
    adjust(world, acme, "-0.5");
    assert_eq!(percents(world), [80]);
    world.track(&credits(acme, 1)).unwrap();
    assert_eq!(percents(world), [80, 80]);
    // A correction that stays above it does not.
    adjust(world, acme, "-0.1");
    world.track(&credits(acme, q("0.1"))).unwrap();
    assert_eq!(percents(world), [80, 80]);
}

fn a_correction_upwards_tells_as_usage_does(world: &World) {
    let acme = world.meter(10);
    adjust(world, acme, "8.5");
    assert_eq!(percents(world), [80]);
    let set = Correction::new(acme, CREDITS, 12, "recount");
    world.tenure.write(|tx| tx.set_usage(&set)).unwrap();
    assert_eq!(percents(world), [80, 90, 100]);
    assert_eq!(world.times_told("entitlement.exhausted"), 1);
}

fn a_limit_that_is_reached_is_told_as_exhausted(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, q("9.999999"))).unwrap();
    assert_eq!(world.times_told("entitlement.exhausted"), 0);
    world.track(&credits(acme, q("0.000001"))).unwrap();
    assert_eq!(world.times_told("entitlement.exhausted"), 1);
    adjust(world, acme, "-1");
    world.track(&credits(acme, 1)).unwrap();
    assert_eq!(world.times_told("entitlement.exhausted"), 2);
}

fn an_entitlement_at_its_limit_is_exhausted_until_there_is_room(world: &World) {
    let acme = world.meter(10);
    let status = || {
        let all = world.tenure.read(|view| view.entitlements(acme)).unwrap();
        all[0].status.as_str()
    };
    assert_eq!(status(), "active");
    world.track(&credits(acme, 10)).unwrap();
    assert_eq!(status(), "exhausted");
    world.clock.set(datetime!(2026-02-28 12:00 UTC));
    assert_eq!(status(), "active");
}

fn usage_beyond_the_limit_tells_nothing_new(world: &World) {
    let acme = world.meter_with(10, Overage::Allow);
    world.track(&credits(acme, 10)).unwrap();
    world.track(&credits(acme, 10)).unwrap();
    assert_eq!(percents(world), [80, 90, 100]);
    assert_eq!(world.times_told("entitlement.exhausted"), 1);
}

fn a_refused_track_and_a_retry_tell_nothing(world: &World) {
    let acme = world.meter(10);
    assert!(world.track(&credits(acme, 11)).is_err());
    assert_eq!(percents(world), [0_i64; 0]);
    let track = credits(acme, 8).key("k");
    world.track(&track).unwrap();
    world.track(&track).unwrap();
    assert_eq!(percents(world), [80]);
    assert_eq!(world.times_told("entitlement.consumed"), 1);
}

fn thresholds_are_shares_of_all_grants_together(world: &World) {
    let acme = world.meter(10);
    world.tenure.write(|tx| tx.grant(acme, &NewGrant::of(CREDITS, 10))).unwrap();
    world.track(&credits(acme, 15)).unwrap();
    assert_eq!(percents(world), [0_i64; 0]);
    world.track(&credits(acme, 1)).unwrap();
    assert_eq!(percents(world), [80]);
}

#[test]
fn a_host_names_its_own_thresholds() {
    let mut config = Config::default();
    config.thresholds = vec![150, 50, 50];
    let world = World::over(MemoryStore::new(), |builder| builder.config(config));
    let acme = world.meter_with(10, Overage::Allow);
    world.track(&credits(acme, 5)).unwrap();
    assert_eq!(percents(&world), [50]);
    world.track(&credits(acme, 10)).unwrap();
    assert_eq!(percents(&world), [50, 150]);
}

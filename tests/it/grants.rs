//! Grants on top of one another: who gives first, what stays, what expires, what goes back.

use crate::metered::{CREDITS, credits};
use crate::support::World;
use tenure::{
    AccessPatch, Correction, CustomerId, Entitlement, EntitlementId, Error, FeatureDraft, NewGrant,
    Overage, Quantity, ResetPeriod, Rollover, TierDraft, TierFeature, UsageEventId,
};
use time::Duration;

stories![
    consumption_is_taken_in_order_and_each_event_tells_who_gave,
    what_gave_is_told_alike_before_and_after_it_is_settled,
    a_refund_returns_to_those_that_gave_last,
    a_refund_finds_its_way_whether_or_not_somebody_settled_in_between,
    a_top_up_survives_the_reset,
    what_is_left_of_a_top_up_expires_with_it,
    a_suspended_right_is_passed_over,
    rollover_keeps_to_its_bounds_also_over_ten_idle_years,
    windows_end_under_the_terms_that_they_had,
    a_window_that_is_made_shorter_ends_once,
    a_grant_that_begins_later_has_nothing_to_carry_on,
    a_clock_set_back_gives_no_grant_anew,
    what_is_beyond_limits_counts_again_in_every_window_that_it_fills,
    a_base_that_comes_back_has_used_what_it_had,
    usage_beyond_a_hard_limit_is_taken_from_a_later_grant,
    a_clamping_limit_takes_what_fits_into_all_of_them,
    grace_lies_beyond_all_of_them,
    quantities_at_the_edge_of_their_range_are_refused_and_change_nothing,
];

impl World {
    fn top_up(&self, who: CustomerId, quantity: i32) -> EntitlementId {
        self.granted(who, &NewGrant::once(CREDITS, quantity))
    }

    fn granted(&self, who: CustomerId, grant: &NewGrant) -> EntitlementId {
        // No two are granted at one instant.
        self.clock.advance(Duration::SECOND);
        self.done(|tx| tx.grant(who, grant)).id
    }

    fn held(&self, id: EntitlementId) -> Entitlement {
        self.seen(|view| view.entitlement(id))
    }

    fn left(&self, id: EntitlementId) -> Option<Quantity> {
        self.held(id).remaining_amount
    }

    fn used_up_to(&self, who: CustomerId, quantity: i32) -> UsageEventId {
        self.track(&credits(who, quantity)).unwrap().event_id
    }

    fn refunds(&self, who: CustomerId, quantity: i32) {
        let refund = Correction::new(who, CREDITS, -quantity, "it failed");
        self.done(|tx| tx.adjust_usage(&refund));
    }

    fn gave(&self, event: UsageEventId) -> Vec<(EntitlementId, Quantity)> {
        let shares = self.seen(|view| view.burns(event));
        shares.into_iter().map(|it| (it.entitlement_id, it.quantity)).collect()
    }

    /// What is left of all credits together.
    fn all_left(&self, who: CustomerId) -> Quantity {
        self.credits(who).remaining.unwrap()
    }

    fn base(&self, who: CustomerId) -> EntitlementId {
        let held = self.seen(|view| view.entitlements(who));
        held.into_iter().find(|it| !it.source.is_additional()).unwrap().id
    }
}

fn consumption_is_taken_in_order_and_each_event_tells_who_gave(world: &World) {
    let acme = world.meter(10);
    let base = world.base(acme);
    let soon = world.clock.now() + Duration::days(2);
    let late = world.granted(acme, &NewGrant::once(CREDITS, 5));
    let later = world.granted(acme, &NewGrant::once(CREDITS, 5));
    let brief = world.granted(acme, &NewGrant::once(CREDITS, 5).valid_until(soon));
    let first = world.granted(acme, &NewGrant::once(CREDITS, 5).priority(1));
    let last = world.granted(acme, &NewGrant::once(CREDITS, 5).priority(101));
    let one = world.used_up_to(acme, 7);
    let two = world.used_up_to(acme, 14);
    let three = world.used_up_to(acme, 12);
    let q = Quantity::from;
    assert_eq!(world.gave(one), [(first, q(5)), (brief, q(2))]);
    assert_eq!(world.gave(two), [(brief, q(3)), (base, q(10)), (late, q(1))]);
    assert_eq!(world.gave(three), [(late, q(4)), (later, q(5)), (last, q(3))]);
    assert_eq!(world.all_left(acme), q(2));
    assert!(world.track(&credits(acme, 3)).unwrap_err().is_limit_exceeded());
    world.assert_sound();
}

fn what_gave_is_told_alike_before_and_after_it_is_settled(world: &World) {
    let acme = world.meter(10);
    let top_up = world.top_up(acme, 20);
    let events = [world.used_up_to(acme, 8), world.used_up_to(acme, 8), world.used_up_to(acme, 1)];
    let before = events.map(|event| world.gave(event));
    assert_eq!(before[1], [(world.base(acme), 2.into()), (top_up, 6.into())]);
    world.top_up(acme, 1);
    assert_eq!(events.map(|event| world.gave(event)), before);
    world.clock.advance(Duration::days(40));
    world.tenure.tick().unwrap();
    assert_eq!(events.map(|event| world.gave(event)), before);
}

fn a_refund_returns_to_those_that_gave_last(world: &World) {
    let acme = world.meter(10);
    let (base, top_up) = (world.base(acme), world.top_up(acme, 10));
    world.used_up_to(acme, 14);
    world.refunds(acme, 3);
    assert_eq!((world.left(base), world.left(top_up)), (Some(0.into()), Some(9.into())));
    world.refunds(acme, 3);
    assert_eq!((world.left(base), world.left(top_up)), (Some(2.into()), Some(10.into())));
    // What is used now is taken from the base again.
    let event = world.used_up_to(acme, 3);
    assert_eq!(world.gave(event), [(base, 2.into()), (top_up, 1.into())]);
    world.assert_sound();
}

fn a_refund_finds_its_way_whether_or_not_somebody_settled_in_between(world: &World) {
    let mut left = Vec::new();
    for settles in [false, true] {
        let world = world.beside(&format!("settles {settles}"));
        world.feature(CREDITS, Overage::Reject);
        let acme = world.someone("Acme");
        let daily = NewGrant::once(CREDITS, 10).resets(ResetPeriod::Daily);
        let (daily, top_up) = (world.granted(acme, &daily), world.top_up(acme, 10));
        world.used_up_to(acme, 14);
        world.clock.advance(Duration::DAY);
        world.used_up_to(acme, 5);
        if settles {
            world.granted(acme, &NewGrant::once(CREDITS, 1).priority(200));
        }
        let usage = world.used(acme).min(7.into());
        let refund = Correction::new(acme, CREDITS, "-4".parse::<Quantity>().unwrap(), "it failed");
        world.done(|tx| tx.adjust_usage(&refund));
        assert!(usage.is_positive());
        left.push((world.left(daily), world.left(top_up)));
    }
    assert_eq!(left[0], left[1]);
}

fn a_top_up_survives_the_reset(world: &World) {
    let acme = world.meter(10);
    let top_up = world.top_up(acme, 20);
    world.used_up_to(acme, 15);
    for _ in 0..14 {
        world.clock.advance(Duration::days(31));
        assert_eq!(world.left(top_up), Some(15.into()));
        assert_eq!(world.all_left(acme), 25.into());
        assert_eq!(world.credits(acme).quantity_limit, Some(25.into()));
    }
    world.used_up_to(acme, 25);
    world.clock.advance(Duration::days(31));
    assert_eq!(world.all_left(acme), 10.into());
    world.assert_sound();
}

fn what_is_left_of_a_top_up_expires_with_it(world: &World) {
    let acme = world.meter(10);
    let until = world.clock.now() + Duration::days(3);
    let brief = world.granted(acme, &NewGrant::once(CREDITS, 8).valid_until(until));
    let event = world.used_up_to(acme, 5);
    assert_eq!(world.all_left(acme), 13.into());
    world.clock.set(until - Duration::MICROSECOND);
    assert_eq!(world.all_left(acme), 13.into());
    world.clock.set(until);
    // Of the base nothing was used: what expires takes its own use along.
    assert_eq!(world.all_left(acme), 10.into());
    assert_eq!(world.used(acme), 5.into());
    world.used_up_to(acme, 10);
    assert!(world.track(&credits(acme, 1)).is_err());
    assert_eq!(world.gave(event), [(brief, 5.into())]);
    world.assert_sound();
}

fn a_suspended_right_is_passed_over(world: &World) {
    let acme = world.meter(10);
    let (base, top_up) = (world.base(acme), world.top_up(acme, 5));
    world.used_up_to(acme, 4);
    world.done(|tx| tx.suspend_entitlement(base));
    assert_eq!(world.all_left(acme), 5.into());
    assert_eq!(world.credits(acme).valid_until, None);
    let event = world.used_up_to(acme, 3);
    assert_eq!(world.gave(event), [(top_up, 3.into())]);
    world.done(|tx| tx.resume_entitlement(base));
    assert_eq!(world.all_left(acme), 8.into());
    world.assert_sound();
}

fn rollover_keeps_to_its_bounds_also_over_ten_idle_years(world: &World) {
    let acme = world.meter(10);
    let rollover = Rollover { max: 25.into(), min: 2.into() };
    world.allow(acme, CREDITS, &AccessPatch::new().rollover(rollover));
    world.used_up_to(acme, 4);
    let months = |count: i64| world.clock.advance(Duration::days(31 * count));
    months(1);
    assert_eq!(world.all_left(acme), 16.into());
    months(1);
    assert_eq!(world.all_left(acme), 26.into());
    world.used_up_to(acme, 26);
    world.refunds(acme, 3);
    months(1);
    assert_eq!(world.all_left(acme), 13.into());
    world.used_up_to(acme, 13);
    months(1);
    // Nothing was left, and the least is carried all the same.
    assert_eq!(world.all_left(acme), 12.into());
    months(120);
    assert_eq!(world.all_left(acme), 35.into());
    world.used_up_to(acme, 35);
    assert!(world.track(&credits(acme, 1)).is_err());
    world.assert_sound();
}

fn windows_end_under_the_terms_that_they_had(world: &World) {
    let acme = world.meter(10);
    let rollover = Rollover { max: 1_000.into(), min: 0.into() };
    world.allow(acme, CREDITS, &AccessPatch::new().rollover(rollover));
    world.clock.advance(Duration::days(31));
    // Nobody has seen the window end when the limit is raised.
    world.limit(acme, 500);
    assert_eq!(world.all_left(acme), 510.into());
}

fn a_window_that_is_made_shorter_ends_once(world: &World) {
    let acme = world.meter(10);
    let rollover = Rollover { max: 1_000.into(), min: 0.into() };
    let weekly = AccessPatch::new().rollover(rollover).resets(ResetPeriod::Weekly);
    world.allow(acme, CREDITS, &weekly);
    world.clock.advance(Duration::DAY);
    world.allow(acme, CREDITS, &AccessPatch::new().resets(ResetPeriod::Daily));
    assert_eq!(world.all_left(acme), 10.into());
    world.clock.advance(Duration::DAY);
    assert_eq!(world.all_left(acme), 20.into());
}

fn a_grant_that_begins_later_has_nothing_to_carry_on(world: &World) {
    let acme = world.meter(0);
    let from = world.clock.now() + Duration::days(10);
    let grant = NewGrant::once(CREDITS, 10).resets(ResetPeriod::Daily).valid_from(from);
    let grant = grant.rollover(Rollover { max: 50.into(), min: 0.into() });
    let id = world.granted(acme, &grant);
    assert_eq!(world.all_left(acme), 0.into());
    world.clock.set(from);
    assert_eq!(world.left(id), Some(10.into()));
    world.clock.set(from + Duration::days(2));
    assert_eq!(world.left(id), Some(30.into()));
}

fn a_clock_set_back_gives_no_grant_anew(world: &World) {
    let acme = world.meter(0);
    world.granted(acme, &NewGrant::once(CREDITS, 10).resets(ResetPeriod::Daily));
    world.clock.advance(Duration::days(5));
    world.used_up_to(acme, 10);
    world.tenure.tick().unwrap();
    for _ in 0..3 {
        world.clock.advance(-Duration::days(2));
        assert!(world.track(&credits(acme, 1)).is_err());
        world.top_up(acme, 0);
        world.clock.advance(Duration::days(2));
        assert!(world.track(&credits(acme, 1)).is_err());
    }
    world.clock.advance(Duration::DAY);
    world.used_up_to(acme, 10);
}

fn what_is_beyond_limits_counts_again_in_every_window_that_it_fills(world: &World) {
    for seen in [false, true] {
        let world = world.beside(&format!("seen {seen}"));
        let draft = FeatureDraft::default().overage(Overage::Allow).carries_overage(true);
        world.done(|tx| tx.define_feature(CREDITS, &draft));
        let acme = world.someone("Acme");
        let daily = AccessPatch::new().limit(Quantity::from(10)).resets(ResetPeriod::Daily);
        world.allow(acme, CREDITS, &daily);
        world.used_up_to(acme, 35);
        for expected in [0, 0, 5, 10] {
            world.clock.advance(Duration::DAY);
            if seen {
                world.tenure.tick().unwrap();
                assert_eq!(world.all_left(acme), expected.into());
            }
        }
        assert_eq!(world.all_left(acme), 10.into());
        world.used_up_to(acme, 25);
        world.clock.advance(Duration::days(2));
        assert_eq!(world.all_left(acme), 5.into(), "seen: {seen}");
        world.clock.advance(Duration::days(3_650));
        assert_eq!(world.all_left(acme), 10.into());
    }
}

fn a_base_that_comes_back_has_used_what_it_had(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    let acme = world.someone("Acme");
    let given = || TierFeature::new(CREDITS).unwrap().limit(10, ResetPeriod::Monthly);
    let tiers = [
        TierDraft::new("with").feature(given()),
        TierDraft::new("off").feature(given().disabled()),
        TierDraft::new("without"),
    ];
    world.done(|tx| tiers.iter().try_for_each(|tier| tx.define_tier(tier).map(drop)));
    let apply = |tier: &str| drop(world.done(|tx| tx.apply_tier(acme, tier, &[])));
    apply("with");
    world.top_up(acme, 3);
    world.used_up_to(acme, 9);
    for tier in ["off", "without", "with"] {
        apply(tier);
    }
    assert_eq!(world.all_left(acme), 4.into());
    apply("without");
    world.clock.advance(Duration::days(70));
    apply("with");
    // That was another window.
    assert_eq!(world.all_left(acme), 13.into());
}

fn usage_beyond_a_hard_limit_is_taken_from_a_later_grant(world: &World) {
    let acme = world.meter(10);
    world.done(|tx| tx.set_usage(&Correction::new(acme, CREDITS, 18, "counted by hand")));
    assert_eq!(world.all_left(acme), 0.into());
    let top_up = world.top_up(acme, 20);
    assert_eq!(world.left(top_up), Some(12.into()));
    assert_eq!(world.all_left(acme), 12.into());
    world.clock.advance(Duration::days(31));
    assert_eq!(world.all_left(acme), 22.into());
}

fn a_clamping_limit_takes_what_fits_into_all_of_them(world: &World) {
    let acme = world.meter_with(10, Overage::Clamp);
    let top_up = world.top_up(acme, 5);
    let result = world.track(&credits(acme, 40)).unwrap();
    assert_eq!((result.delta, result.requested), (15.into(), 40.into()));
    assert!(world.track(&credits(acme, 1)).is_err());
    world.clock.advance(Duration::days(31));
    assert_eq!(world.all_left(acme), 10.into());
    assert_eq!(world.left(top_up), Some(0.into()));
}

fn grace_lies_beyond_all_of_them(world: &World) {
    let acme = world.meter_with(10, Overage::Grace(tenure::Grace::Quantity(3.into())));
    world.top_up(acme, 5);
    world.used_up_to(acme, 17);
    assert!(world.track(&credits(acme, 2)).is_err());
    world.used_up_to(acme, 1);
    assert!(world.track(&credits(acme, 1)).is_err());
    // A later grant is there in full: what was beyond is let go.
    world.top_up(acme, 4);
    assert_eq!(world.all_left(acme), 4.into());
}

fn quantities_at_the_edge_of_their_range_are_refused_and_change_nothing(world: &World) {
    let acme = world.meter_with(Quantity::MAX, Overage::Allow);
    world.done(|tx| tx.grant(acme, &NewGrant::once(CREDITS, Quantity::MAX)));
    world.track(&credits(acme, Quantity::MAX)).unwrap();
    let one = credits(acme, Quantity::from_millionths(1));
    let error = world.refused(|tx| tx.track(&one));
    assert!(matches!(error, Error::Overflow(_)), "{error}");
    let more = Correction::new(acme, CREDITS, Quantity::MAX, "too much");
    let error = world.refused(|tx| tx.adjust_usage(&more));
    assert!(matches!(error, Error::Overflow(_)), "{error}");
    assert_eq!(world.credits(acme).quantity_limit, Some(Quantity::MAX));
    world.clock.advance(Duration::days(31));
    world.used_up_to(acme, 1);
    world.assert_sound();
}

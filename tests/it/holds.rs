//! Room that is set aside, and several meters at once.

use crate::metered::{CREDITS, credits, reused};
use crate::support::{World, race};
use tenure::{
    AccessPatch, Commit, CustomerId, Error, Hold, HoldId, HoldStatus, NewGrant, Overage, Quantity,
    Reserve, Track,
};
use time::Duration;

stories![
    what_is_held_is_kept_from_others_and_the_rest_given_back,
    a_hold_gives_its_room_back_when_its_time_is_over,
    what_was_promised_is_counted_whatever_has_changed,
    more_than_was_held_is_judged_like_any_usage,
    a_retry_of_each_is_answered_alike,
    a_hold_made_under_a_clock_set_back_leaves_nothing_behind,
    sixteen_at_once_never_hold_and_use_more_than_there_is,
    several_meters_are_counted_all_or_none,
    access_as_of_a_past_instant_counts_what_took_place_until_then,
];

impl World {
    fn reserve(&self, who: CustomerId, quantity: i32, minutes: i64) -> tenure::Result<Hold> {
        let wanted = Reserve::new(who, CREDITS, quantity, Duration::minutes(minutes));
        self.tried(|tx| tx.reserve(&wanted))
    }

    fn commit(&self, hold: HoldId, actual: i32) -> tenure::Result<tenure::Committed> {
        self.tried(|tx| tx.commit(&Commit::new(hold, actual)))
    }

    fn status(&self, hold: HoldId) -> HoldStatus {
        self.seen(|view| view.hold(hold)).status
    }

    fn room(&self, who: CustomerId) -> Quantity {
        self.credits(who).remaining.unwrap()
    }
}

fn what_is_held_is_kept_from_others_and_the_rest_given_back(world: &World) {
    let acme = world.meter(10);
    world.done(|tx| tx.grant(acme, &NewGrant::once(CREDITS, 5)));
    let hold = world.reserve(acme, 12, 60).unwrap();
    assert_eq!(world.room(acme), 3.into());
    assert!(world.track(&credits(acme, 4)).unwrap_err().is_limit_exceeded());
    assert!(world.reserve(acme, 4, 60).unwrap_err().is_limit_exceeded());
    world.uses(acme, CREDITS, 3);
    let committed = world.commit(hold.id, 7).unwrap();
    assert_eq!(committed.usage.unwrap().delta, 7.into());
    assert_eq!((world.used(acme), world.room(acme)), (10.into(), 5.into()));
    let hold = world.reserve(acme, 5, 60).unwrap();
    assert_eq!(world.done(|tx| tx.release(hold.id)).status, HoldStatus::Released);
    let hold = world.reserve(acme, 5, 60).unwrap();
    assert!(world.commit(hold.id, 0).unwrap().usage.is_none());
    assert_eq!(world.room(acme), 5.into());
    world.assert_sound();
}

fn a_hold_gives_its_room_back_when_its_time_is_over(world: &World) {
    let acme = world.meter(10);
    let hold = world.reserve(acme, 10, 60).unwrap();
    world.clock.set(hold.expires_at - Duration::MICROSECOND);
    assert_eq!(world.room(acme), 0.into());
    world.clock.set(hold.expires_at);
    assert_eq!(world.room(acme), 10.into());
    world.tenure.tick().unwrap();
    assert_eq!(world.status(hold.id), HoldStatus::Expired);
    assert_eq!(world.times_told("hold.expired"), 1);
    assert_eq!(world.done(|tx| tx.release(hold.id)).status, HoldStatus::Expired);
    // What was used all the same is judged like any usage.
    world.uses(acme, CREDITS, 4);
    assert!(world.commit(hold.id, 7).unwrap_err().is_limit_exceeded());
    world.commit(hold.id, 6).unwrap();
    assert_eq!((world.status(hold.id), world.room(acme)), (HoldStatus::Committed, 0.into()));
    world.assert_sound();
}

fn what_was_promised_is_counted_whatever_has_changed(world: &World) {
    let acme = world.meter(10);
    let base = world.seen(|view| view.entitlements(acme)).remove(0);
    let [first, second, third] = [(); 3].map(|()| world.reserve(acme, 3, 600).unwrap().id);
    world.limit(acme, 2);
    world.commit(first, 3).unwrap();
    world.done(|tx| tx.suspend_entitlement(base.id));
    world.commit(second, 3).unwrap();
    assert!(matches!(world.commit(third, 4).unwrap_err(), Error::Denied(_)));
    world.commit(third, 2).unwrap();
    assert_eq!(world.used(acme), 8.into());
    world.done(|tx| tx.resume_entitlement(base.id));
    assert!(world.track(&credits(acme, 1)).is_err());
    world.limit(acme, 9);
    world.uses(acme, CREDITS, 1);
    assert!(world.track(&credits(acme, 1)).is_err());
    world.assert_sound();
}

fn more_than_was_held_is_judged_like_any_usage(world: &World) {
    let acme = world.meter(10);
    let hold = world.reserve(acme, 4, 60).unwrap().id;
    let other = world.reserve(acme, 3, 60).unwrap().id;
    // Its own room counts for it, the other's does not.
    assert!(world.commit(hold, 8).unwrap_err().is_limit_exceeded());
    assert_eq!((world.status(hold), world.room(acme)), (HoldStatus::Open, 3.into()));
    world.commit(hold, 7).unwrap();
    assert_eq!(world.room(acme), 0.into());
    world.commit(other, 3).unwrap();
    world.assert_sound();
}

fn a_retry_of_each_is_answered_alike(world: &World) {
    let acme = world.meter(10);
    let wanted = Reserve::new(acme, CREDITS, 4, Duration::HOUR).key("job");
    let reserve = |wanted: &Reserve| world.tried(|tx| tx.reserve(wanted));
    let hold = reserve(&wanted).unwrap();
    assert_eq!(reserve(&wanted).unwrap(), hold);
    let more = Reserve::new(acme, CREDITS, 5, Duration::HOUR).key("job");
    assert_eq!(reused(reserve(&more)), "quantity");
    let longer = Reserve::new(acme, CREDITS, 4, Duration::DAY).key("job");
    assert_eq!(reused(reserve(&longer)), "ttl");
    let first = world.commit(hold.id, 3).unwrap();
    let again = world.commit(hold.id, 3).unwrap();
    let (first, again) = (first.usage.unwrap(), again.usage.unwrap());
    assert!(again.duplicate && again.event_id == first.event_id);
    assert_eq!(reused(world.commit(hold.id, 2)), "quantity");
    assert_eq!(reused(world.commit(hold.id, 0)), "quantity");
    assert!(matches!(world.tried(|tx| tx.release(hold.id)), Err(Error::Rule(_))));
    assert_eq!(reserve(&wanted).unwrap().status, HoldStatus::Committed);
    let hold = world.reserve(acme, 4, 60).unwrap();
    for _ in 0..2 {
        assert_eq!(world.done(|tx| tx.release(hold.id)).status, HoldStatus::Released);
    }
    assert!(matches!(world.commit(hold.id, 4), Err(Error::Rule(_))));
    assert_eq!((world.used(acme), world.room(acme)), (3.into(), 7.into()));
    world.assert_sound();
}

fn a_hold_made_under_a_clock_set_back_leaves_nothing_behind(world: &World) {
    let acme = world.meter(10);
    world.done(|tx| tx.grant(acme, &NewGrant::once(CREDITS, 5)));
    world.clock.advance(-Duration::days(4));
    world.reserve(acme, 2, 60).unwrap();
    world.reserve(acme, 2, 60).unwrap();
    world.clock.advance(Duration::days(4));
    assert_eq!(world.room(acme), 15.into());
    world.tenure.tick().unwrap();
    world.uses(acme, CREDITS, 15);
}

fn sixteen_at_once_never_hold_and_use_more_than_there_is(world: &World) {
    let acme = world.meter(60);
    world.done(|tx| tx.grant(acme, &NewGrant::once(CREDITS, 40)));
    let counted: i32 = race(16, |thread| {
        let mut counted = 0;
        for round in 0..6 {
            let quantity = i32::try_from(1 + (thread + round) % 5).unwrap();
            if let Ok(hold) = world.reserve(acme, quantity, 60) {
                let held = 100 - i32::try_from(world.room(acme).millionths() / 1_000_000).unwrap();
                assert!(held <= 100, "{held} are held and used");
                if round % 3 == 2 {
                    world.done(|tx| tx.release(hold.id));
                } else {
                    let actual = quantity - i32::from(round % 2 == 1);
                    world.commit(hold.id, actual).unwrap();
                    counted += actual;
                }
            }
        }
        counted
    })
    .into_iter()
    .sum();
    assert!(counted <= 100);
    assert_eq!((world.used(acme), world.room(acme)), (counted.into(), (100 - counted).into()));
    world.assert_sound();
}

fn several_meters_are_counted_all_or_none(world: &World) {
    let acme = world.meter(10);
    world.feature("tokens", Overage::Reject);
    world.allow(acme, "tokens", &AccessPatch::new().limit(Quantity::from(100)));
    let both = |credits: i32, tokens: i32, key: &str| {
        [(CREDITS, credits), ("tokens", tokens)]
            .map(|(code, quantity)| Track::new(acme, code).quantity(quantity).key(key))
    };
    let all = |tracks: &[Track]| world.tenure.track_all(tracks);
    let first = all(&both(4, 40, "a")).unwrap();
    assert_eq!([first[0].current_usage, first[1].current_usage], [4.into(), 40.into()]);
    let error = world.refused(|tx| tx.track_all(&both(4, 61, "b")));
    assert!(error.is_limit_exceeded(), "{error}");
    let again = all(&both(4, 40, "a")).unwrap();
    assert!(again.iter().all(|it| it.duplicate));
    // The key that was refused is free.
    all(&both(6, 60, "b")).unwrap();
    assert!(all(&both(4, 40, "a")).unwrap().iter().all(|it| it.duplicate));
    world.track(&credits(acme, 1)).unwrap_err();
    // One that was counted alone is no part of a set.
    world.limit(acme, 20);
    let twice = [credits(acme, 1), credits(acme, 1)];
    assert!(matches!(all(&twice), Err(Error::Invalid(_))));
    assert!(matches!(all(&[]), Err(Error::Invalid(_))));
    world.track(&credits(acme, 1).key("c")).unwrap();
    assert_eq!(reused(all(&both(1, 1, "c"))), "set of features");
    world.assert_sound();
}

fn access_as_of_a_past_instant_counts_what_took_place_until_then(world: &World) {
    let acme = world.meter(10);
    let begin = world.clock.now();
    for hour in 1..=5 {
        world.clock.set(begin + Duration::hours(hour));
        world.uses(acme, CREDITS, 2);
    }
    let as_of = |hour: i64, quantity: i32| {
        let at = begin + Duration::hours(hour);
        world.seen(|view| view.check_as_of(acme, CREDITS, quantity, at))
    };
    for hour in 0..=5_i32 {
        let access = as_of(hour.into(), 1);
        assert_eq!(access.current_usage, (2 * hour).into());
        assert_eq!(access.remaining, Some((10 - 2 * hour).into()));
        assert_eq!(access.can_use, hour < 5);
    }
    assert!(as_of(3, 4).can_use && !as_of(3, 5).can_use);
    // Late usage belongs to its time.
    world.limit(acme, 20);
    world.track(&credits(acme, 3).at(begin + Duration::minutes(90))).unwrap();
    assert_eq!(as_of(1, 1).current_usage, 2.into());
    assert_eq!(as_of(2, 1).current_usage, 7.into());
    let ahead = world.clock.now() + Duration::SECOND;
    let future = world.tenure.read(|view| view.check_as_of(acme, CREDITS, 1, ahead));
    assert!(matches!(future, Err(Error::Invalid(_))));
}

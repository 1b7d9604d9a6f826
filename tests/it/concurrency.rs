//! Many threads on one meter: no key counts twice, no limit is passed, and none is left unused.

use crate::metered::{CREDITS, credits, q};
use crate::support::World;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use tenure::{AccessPatch, Correction, Error, Overage, Quantity, Track, UsageEventType};

stories![
    a_limit_is_used_up_and_not_passed_by_many_threads,
    the_same_keys_from_many_threads_count_once,
    one_key_with_many_contents_is_won_by_one,
    usage_and_refunds_and_checks_at_once_keep_the_books_in_order,
    refunds_of_one_event_from_many_threads_never_exceed_it,
    a_clamping_limit_is_filled_to_the_brim,
    a_reset_in_the_middle_happens_once,
    meters_of_many_customers_do_not_disturb_each_other,
];

const THREADS: usize = 16;

/// Runs `body` on every thread at once, each with its number.
fn at_once(body: impl Fn(usize) + Sync) {
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (barrier, body) = (&barrier, &body);
            scope.spawn(move || {
                barrier.wait();
                body(thread);
            });
        }
    });
}

fn a_limit_is_used_up_and_not_passed_by_many_threads(world: &World) {
    let acme = world.meter(500);
    let (accepted, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    at_once(|_| {
        for _ in 0..40 {
            match world.track(&credits(acme, 1)) {
                Ok(result) => {
                    assert!(result.current_usage <= q("500"));
                    accepted.fetch_add(1, Ordering::SeqCst);
                }
                Err(Error::LimitExceeded(exceeded)) => {
                    assert_eq!((exceeded.used, exceeded.remaining), (q("500"), Quantity::ZERO));
                    refused.fetch_add(1, Ordering::SeqCst);
                }
                Err(error) => panic!("{error}"),
            }
        }
    });
    assert_eq!(accepted.into_inner(), 500);
    assert_eq!(refused.into_inner(), THREADS * 40 - 500);
    assert_eq!((world.used(acme), world.history(acme).len()), (q("500"), 500));
    assert_eq!(world.times_told("entitlement.exhausted"), 1);
    assert_eq!(world.times_told("entitlement.threshold_reached"), 3);
    world.assert_sound();
}

fn the_same_keys_from_many_threads_count_once(world: &World) {
    let acme = world.meter(10_000);
    let first = AtomicUsize::new(0);
    at_once(|thread| {
        // Everybody has the same keys, in an order of its own.
        for step in 0..60 {
            let key = (step * 7 + thread * 13) % 60;
            let track = credits(acme, 1 + u32::try_from(key).unwrap()).key(format!("k{key}"));
            let result = world.track(&track).unwrap();
            assert_eq!(result.delta, track.quantity);
            first.fetch_add(usize::from(!result.duplicate), Ordering::SeqCst);
        }
    });
    assert_eq!(first.into_inner(), 60);
    assert_eq!(world.history(acme).len(), 60);
    assert_eq!(world.used(acme), Quantity::from(60 * 61 / 2));
    world.assert_sound();
}

fn one_key_with_many_contents_is_won_by_one(world: &World) {
    let acme = world.meter(1_000);
    for round in 0..20 {
        let won = AtomicUsize::new(0);
        at_once(|thread| {
            let quantity = 1 + u32::try_from(thread).unwrap();
            match world.track(&credits(acme, quantity).key(format!("k{round}"))) {
                Ok(result) => {
                    assert!(!result.duplicate);
                    won.fetch_add(1, Ordering::SeqCst);
                }
                Err(Error::KeyReused { field, .. }) => assert_eq!(field, "quantity"),
                Err(error) => panic!("{error}"),
            }
        });
        assert_eq!(won.into_inner(), 1);
        assert_eq!(world.history(acme).len(), round + 1);
    }
    world.assert_sound();
}

fn usage_and_refunds_and_checks_at_once_keep_the_books_in_order(world: &World) {
    let acme = world.meter(50);
    at_once(|thread| {
        for step in 0..30 {
            match thread % 4 {
                0 | 1 => match world.track(&credits(acme, 2).key(format!("{thread}.{step}"))) {
                    Ok(result) => {
                        let refund = Correction::new(acme, CREDITS, -1, "refund");
                        let refund = refund.of(result.event_id);
                        world.tenure.write(|tx| tx.adjust_usage(&refund)).unwrap();
                    }
                    Err(error) => assert!(error.is_limit_exceeded(), "{error}"),
                },
                2 => {
                    let access = world.credits(acme);
                    assert!(access.current_usage <= q("50"), "{access:?}");
                    assert!(!access.current_usage.is_negative());
                    let left = access.remaining.unwrap();
                    assert_eq!(left.checked_add(access.current_usage), access.quantity_limit);
                    assert_eq!(access.can_use, left >= Quantity::ONE);
                }
                _ => world.assert_sound(),
            }
        }
    });
    let history = world.history(acme);
    let of = |kind| history.iter().filter(|it| it.event_type == kind).count();
    let (used, refunded) = (of(UsageEventType::Increment), of(UsageEventType::Adjustment));
    assert_eq!(used, refunded);
    assert_eq!(world.used(acme), Quantity::from(u32::try_from(used).unwrap()));
    // Nobody went away although there was room.
    assert!(world.used(acme) >= q("49") || used == 8 * 30);
    world.assert_sound();
}

fn refunds_of_one_event_from_many_threads_never_exceed_it(world: &World) {
    let acme = world.meter(1_000);
    let event = world.track(&credits(acme, 10)).unwrap().event_id;
    world.track(&credits(acme, 900)).unwrap();
    let refunded = AtomicUsize::new(0);
    at_once(|_| {
        let refund = Correction::new(acme, CREDITS, -1, "refund").of(event);
        if world.tenure.write(|tx| tx.adjust_usage(&refund)).is_ok() {
            refunded.fetch_add(1, Ordering::SeqCst);
        }
    });
    assert_eq!(refunded.into_inner(), 10);
    assert_eq!(world.used(acme), q("900"));
    world.assert_sound();
}

fn a_clamping_limit_is_filled_to_the_brim(world: &World) {
    let acme = world.meter_with(100, Overage::Clamp);
    let accepted = std::sync::Mutex::new(Quantity::ZERO);
    at_once(|_| {
        while let Ok(result) = world.track(&credits(acme, q("0.7"))) {
            let mut sum = accepted.lock().unwrap();
            *sum = sum.checked_add(result.delta).unwrap();
        }
    });
    assert_eq!(accepted.into_inner().unwrap(), q("100"));
    assert_eq!(world.used(acme), q("100"));
    world.assert_sound();
}

fn a_reset_in_the_middle_happens_once(world: &World) {
    let acme = world.meter(100);
    world.track(&credits(acme, 60)).unwrap();
    world.clock.set(time::macros::datetime!(2026-02-28 12:00 UTC));
    let accepted = AtomicUsize::new(0);
    at_once(|thread| {
        if thread % 4 == 0 {
            world.tenure.tick().unwrap();
        }
        for _ in 0..10 {
            let tracked = world.track(&credits(acme, 1));
            accepted.fetch_add(usize::from(tracked.is_ok()), Ordering::SeqCst);
        }
    });
    assert_eq!(accepted.into_inner(), 100);
    assert_eq!(world.times_told("entitlement.reset"), 1);
    let read = |view: &tenure::View<'_>| view.usage_snapshots(acme, CREDITS, 10, None);
    assert_eq!(world.tenure.read(read).unwrap().items.len(), 1);
    world.assert_sound();
}

fn meters_of_many_customers_do_not_disturb_each_other(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    let customers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let customer = world.someone(&format!("Customer {thread}"));
            let limit = AccessPatch::new().limit(Quantity::from(20));
            world.allow(customer, CREDITS, &limit);
            customer
        })
        .collect();
    at_once(|thread| {
        for step in 0..25 {
            // The same keys everywhere.
            let track = Track::new(customers[thread], CREDITS).key(format!("k{step}"));
            assert_eq!(world.track(&track).is_ok(), step < 20);
        }
    });
    assert!(customers.iter().all(|customer| world.used(*customer) == q("20")));
    world.assert_sound();
}

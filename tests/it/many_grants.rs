//! Ten thousand grants on one meter: what is done touches few rows. Rows are counted, not time.

use crate::metered::{CREDITS, credits};
use crate::support::World;
use crate::tampered::Tampered;
use tenure::store::memory::MemoryStore;
use tenure::{AccessPatch, CustomerId, NewGrant, ResetPeriod, Rollover, Store};
use time::Duration;

/// More rows than any of these may touch.
const FEW: usize = 50;

/// A customer with so many grants of ten, the n-th of which expires after n + 1 hours.
fn customer(world: &World, grants: i32) -> CustomerId {
    let acme = world.meter(10);
    let begin = world.clock.now();
    for thousand in 0..grants / 1_000 {
        world.done(|tx| {
            for number in thousand * 1_000..(thousand + 1) * 1_000 {
                let until = begin + Duration::hours(i64::from(number) + 1);
                tx.grant(acme, &NewGrant::once(CREDITS, 10).valid_until(until))?;
            }
            Ok::<_, tenure::Error>(())
        });
    }
    acme
}

fn operations_touch_few_rows(store: impl Store + 'static, grants: i32) {
    let store = Tampered::over(store);
    let world = World::over(store.clone(), |builder| builder);
    let acme = customer(&world, grants);
    let few = |what: &str, act: &mut dyn FnMut()| {
        store.touched();
        act();
        let touched = store.touched();
        assert!(touched < FEW, "{what} touches {touched} rows");
    };
    let all = 10 * (grants + 1);
    few("a check", &mut || assert_eq!(world.credits(acme).remaining, Some(all.into())));
    few("a track", &mut || world.uses(acme, CREDITS, 3));
    few("a reservation", &mut || {
        let hold = tenure::Reserve::new(acme, CREDITS, 5, Duration::minutes(5));
        let hold = world.done(|tx| tx.reserve(&hold));
        world.done(|tx| tx.release(hold.id));
    });
    few("a refund", &mut || {
        let refund = tenure::Correction::new(acme, CREDITS, -1, "it failed");
        world.done(|tx| tx.adjust_usage(&refund));
    });
    world.clock.advance(Duration::HOUR);
    few("a check when one expires", &mut || {
        assert_eq!(world.credits(acme).remaining, Some((all - 10).into()));
    });
    few("a track when one expires", &mut || world.uses(acme, CREDITS, 25));
    few("one grant more", &mut || {
        world.done(|tx| tx.grant(acme, &NewGrant::once(CREDITS, 1)));
    });
    few("a track that several give for", &mut || world.uses(acme, CREDITS, 40));
    few("a check after it", &mut || drop(world.credits(acme)));
    world.assert_sound();
}

#[test]
fn in_memory_operations_on_a_thousand_grants_touch_few_rows() {
    operations_touch_few_rows(MemoryStore::new(), 1_000);
}

#[cfg(feature = "sqlite")]
#[test]
fn in_a_file_operations_on_ten_thousand_grants_touch_few_rows() {
    operations_touch_few_rows(tenure::store::sqlite::SqliteStore::in_memory().unwrap(), 10_000);
}

#[test]
fn ten_idle_years_touch_few_rows() {
    let store = Tampered::over(MemoryStore::new());
    let world = World::over(store.clone(), |builder| builder);
    let acme = world.meter(10);
    let patch = AccessPatch::new().resets(ResetPeriod::Daily);
    world.allow(acme, CREDITS, &patch.rollover(Rollover { max: 30.into(), min: 0.into() }));
    world.done(|tx| tx.grant(acme, &NewGrant::once(CREDITS, 7)));
    world.uses(acme, CREDITS, 10);
    world.clock.advance(Duration::days(3_652));
    store.touched();
    assert_eq!(world.credits(acme).remaining, Some(47.into()));
    world.track(&credits(acme, 47)).unwrap();
    world.tenure.tick().unwrap();
    let touched = store.touched();
    assert!(touched < FEW, "{touched} rows");
    world.assert_sound();
}

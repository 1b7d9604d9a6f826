//! What exists instead of what was consumed: seats, projects.

use crate::support::World;
use tenure::{
    AccessPatch, CustomerId, EntitlementSource, Error, FeatureDraft, NewGrant, Quantity, Remedy,
    TierDraft, TierFeature, Track,
};
use time::Duration;

stories![
    a_level_is_what_exists_now_and_says_so_once,
    a_trial_seat_that_is_over_leaves_no_room_behind,
    seats_above_the_limit_stay_after_a_downgrade_and_none_is_added,
    what_is_consumed_is_no_level,
];

const SEATS: &str = "seats";

fn seats(world: &World, limit: i32) -> CustomerId {
    world.done(|tx| tx.define_feature(SEATS, &FeatureDraft::default().measure("level")));
    let acme = world.someone("Acme");
    world.allow(acme, SEATS, &AccessPatch::new().limit(Quantity::from(limit)));
    acme
}

impl World {
    fn set(&self, who: CustomerId, seats: i32) -> tenure::Result<tenure::UsageResult> {
        self.tried(|tx| tx.set_level(who, SEATS, seats))
    }

    fn free(&self, who: CustomerId) -> Quantity {
        self.check(who, SEATS).remaining.unwrap()
    }
}

fn a_level_is_what_exists_now_and_says_so_once(world: &World) {
    let acme = seats(world, 5);
    assert_eq!(world.set(acme, 3).unwrap().delta, 3.into());
    let told = world.told(|| world.set(acme, 3).unwrap());
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(world.free(acme), 2.into());
    assert!(world.set(acme, 6).unwrap_err().is_limit_exceeded());
    world.set(acme, 5).unwrap();
    world.set(acme, 1).unwrap();
    // A level does not start again from zero.
    world.clock.advance(Duration::days(400));
    world.tenure.tick().unwrap();
    assert_eq!(world.free(acme), 4.into());
    let error = world.refused(|tx| tx.set_level(acme, SEATS, -1));
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    world.assert_sound();
}

fn a_trial_seat_that_is_over_leaves_no_room_behind(world: &World) {
    let acme = seats(world, 5);
    let until = world.clock.now() + Duration::days(14);
    let trial = NewGrant::of(SEATS, 5).source(EntitlementSource::Trial).valid_until(until);
    let trial = world.done(|tx| tx.grant(acme, &trial));
    world.set(acme, 5).unwrap();
    world.set(acme, 7).unwrap();
    assert_eq!(world.free(acme), 3.into());
    let held = world.seen(|view| view.entitlement(trial.id));
    assert_eq!((held.used_amount, held.remaining_amount), (5.into(), Some(0.into())));
    world.clock.set(until);
    let access = world.check(acme, SEATS);
    assert_eq!((access.quantity_limit, access.remaining), (Some(5.into()), Some(0.into())));
    assert_eq!(access.remedy, Some(Remedy::RaiseLimit { by: 3.into() }));
    assert!(world.set(acme, 8).is_err());
    world.set(acme, 5).unwrap();
    assert!(world.set(acme, 6).is_err());
    world.assert_sound();
}

fn seats_above_the_limit_stay_after_a_downgrade_and_none_is_added(world: &World) {
    world.done(|tx| tx.define_feature(SEATS, &FeatureDraft::default().measure("level")));
    let acme = world.someone("Acme");
    for (tier, limit) in [("big", 10_u32), ("small", 3)] {
        let given = TierFeature::new(SEATS).unwrap().limit(limit, tenure::ResetPeriod::Never);
        world.done(|tx| tx.define_tier(&TierDraft::new(tier).feature(given.clone())));
    }
    world.done(|tx| tx.apply_tier(acme, "big", &[]));
    world.set(acme, 8).unwrap();
    world.done(|tx| tx.apply_tier(acme, "small", &[]));
    assert_eq!(world.check(acme, SEATS).current_usage, 8.into());
    assert_eq!(world.free(acme), 0.into());
    assert!(world.set(acme, 9).is_err());
    // Fewer are always taken, also if they are too many still.
    world.set(acme, 6).unwrap();
    assert!(world.set(acme, 7).is_err());
    world.set(acme, 2).unwrap();
    world.set(acme, 3).unwrap();
    assert!(world.set(acme, 4).is_err());
    world.assert_sound();
}

fn what_is_consumed_is_no_level(world: &World) {
    let acme = world.meter(10);
    let error = world.refused(|tx| tx.set_level(acme, crate::metered::CREDITS, 3));
    assert!(matches!(error, Error::Rule(_)), "{error}");
}

/// Seats counted from the host's own table, in one transaction with it.
#[cfg(feature = "sqlite")]
#[test]
fn seats_are_counted_from_the_hosts_table_in_its_own_transaction() {
    use tenure::store::StoreError;
    use tenure::store::sqlite::SqliteStore;
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(folder.path().join("shop.db")).unwrap();
    let tenure = tenure::Tenure::open(store.clone()).unwrap();
    let acme = tenure
        .write(|tx| {
            tx.define_feature(SEATS, &FeatureDraft::default().measure("level"))?;
            let acme = tx.create_customer(&tenure::CustomerDraft::named("Acme"))?.id;
            tx.set_access(acme, SEATS, &AccessPatch::new().limit(Quantity::from(2)))?;
            Ok::<_, Error>(acme)
        })
        .unwrap();
    let hire = |name: &str| {
        store.transaction(&mut |sql, joined| {
            sql.execute_batch("CREATE TABLE IF NOT EXISTS staff (name TEXT)")?;
            sql.execute("INSERT INTO staff VALUES (?)", [name])?;
            let count: i32 = sql.query_row("SELECT count(*) FROM staff", [], |row| row.get(0))?;
            let counted = tenure.within(joined, |tx| tx.set_level(acme, SEATS, count));
            counted.map(drop).map_err(|_| StoreError::Aborted)
        })
    };
    assert_eq!(["Ada", "Bob", "Eve"].map(|name| hire(name).is_ok()), [true, true, false]);
    let access = tenure.check(acme, SEATS).unwrap();
    assert_eq!((access.current_usage, access.remaining), (2.into(), Some(0.into())));
    let track = Track::new(acme, SEATS);
    assert!(tenure.track(&track).unwrap_err().is_limit_exceeded());
    assert!(tenure.verify(|_| ()).unwrap().is_sound());
}

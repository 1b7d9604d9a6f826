//! A store that is created or opened while the disk fails: it is there as a whole or not at all, and
//! what was in it stays.

use crate::disk::{Call, Code, Fault, Image};
use crate::world::{PATH, Place};
use tenure::store::sqlite::rusqlite::ffi;
use tenure::store::{Refusal, StoreError};
use tenure::{Error, Outcome};

const FAILURES: &[(Call, Code)] = &[
    (Call::Write, ffi::SQLITE_FULL),
    (Call::Sync, ffi::SQLITE_IOERR_FSYNC),
    (Call::Read, ffi::SQLITE_IOERR_READ),
    (Call::Open, ffi::SQLITE_CANTOPEN),
    (Call::Share, ffi::SQLITE_IOERR_SHMMAP),
];

/// Calls `try_with` with a fault at every call of the disk, as long as it says that it came to one.
fn every_fault(mut try_with: impl FnMut(Fault) -> bool) {
    for lasts in [false, true] {
        for &(call, code) in FAILURES {
            for nth in 1.. {
                if !try_with(Fault::Error { call, nth, code, lasts }) {
                    break;
                }
            }
        }
    }
}

#[test]
fn opening_fails_or_not_and_loses_nothing() {
    let place = Place::new();
    let closed = place.furnish();
    // As it is after a kill: with a log.
    place.start(&closed, 1);
    let world = place.open().unwrap();
    let track = tenure::Track::new(crate::world::ORG, crate::world::CREDITS).key("k1");
    world.tenure.write(|tx| tx.track(&track)).unwrap();
    let killed = place.disk.image();
    assert!(killed.contains_key(&format!("{PATH}-wal")));
    drop(world);
    for image in [closed, killed] {
        place.start(&image, 1);
        let before = place.dump();
        every_fault(|fault| {
            place.start(&image, 1);
            place.disk.fail(fault);
            let opened = place.open();
            if let Err(error) = &opened {
                assert_eq!(error.outcome(), Outcome::NotDone, "{fault:?}: {error:?}");
                assert!(is_typed(error), "{fault:?}: {error:?}");
            }
            drop(opened);
            let was_hit = place.disk.heal();
            drop(place.open().unwrap_or_else(|error| panic!("{fault:?}, healed: {error}")));
            assert_eq!(place.dump(), before, "{fault:?}");
            was_hit
        });
    }
}

/// Whether an error says what is wrong, and no more than that: the file is never called damaged for
/// a disk that fails.
fn is_typed(error: &Error) -> bool {
    matches!(error, Error::Store(StoreError::Unavailable { .. }))
}

/// Whether there is a whole store, after power was lost or not.
fn whole_or_none(place: &Place, what: &str) -> bool {
    match place.options().open(PATH) {
        Ok(store) => {
            place.handle(&store).unwrap_or_else(|error| panic!("{what}: {error}"));
            true
        }
        Err(StoreError::Refused { why: Refusal::Missing, .. }) => false,
        Err(error) => panic!("{what}: {error:?}"),
    }
}

#[test]
fn a_store_is_created_whole_or_not_at_all() {
    let place = Place::new();
    every_fault(|fault| {
        place.start(&Image::new(), 1);
        place.disk.fail(fault);
        let created = place.options().create(PATH);
        let was_hit = place.disk.heal();
        assert!(created.is_ok() || was_hit, "{fault:?}: {created:?}");
        let done = created.is_ok();
        drop(created);
        let is_there = whole_or_none(&place, &format!("{fault:?}"));
        assert!(is_there || !done, "{fault:?}: created and gone");
        if !is_there {
            place.options().create(PATH).unwrap();
        }
        was_hit
    });
}

#[test]
fn a_loss_of_power_while_it_is_created_leaves_a_store_or_none() {
    let place = Place::new();
    let (mut whole, mut none) = (0, 0);
    for seed in 0..20 {
        for nth in 1.. {
            place.start(&Image::new(), seed);
            place.disk.fail(Fault::PowerCut { nth });
            let created = place.options().create(PATH).map(drop);
            if !place.disk.heal() {
                created.unwrap();
                break;
            }
            place.disk.lose_power();
            if whole_or_none(&place, &format!("seed {seed}, call {nth}")) {
                whole += 1;
            } else {
                none += 1;
                place.options().create(PATH).unwrap();
            }
        }
        // Once it is created, no loss of power takes it away.
        place.start(&Image::new(), seed);
        drop(place.options().create(PATH).unwrap());
        place.disk.lose_power();
        assert!(whole_or_none(&place, "created"), "seed {seed}");
    }
    assert!(whole > 0 && none > 0, "{whole} whole, {none} none");
}

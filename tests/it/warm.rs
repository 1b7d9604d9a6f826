//! Checks answered from memory, on a handle that is the store's only writer: they read nothing, and
//! see every change at once.

use crate::metered::{CREDITS, credits, q};
use crate::support::{BEGINNING, World};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tenure::store::memory::MemoryStore;
use tenure::store::schema::Table;
use tenure::store::{HostTransaction, OrgId, ReadBody, Result, StoreError, Unjoined, WriteBody};
use tenure::{
    AccessPatch, CustomerAction, CustomerId, DenialReason, Error, FeatureDraft, NewLink, Quantity,
    Store, Tenure, Track, TrackerOptions,
};
use time::Duration;

/// A store that counts how often it is read.
struct Counting<S>(S, Arc<AtomicUsize>);

impl<S: Store> Store for Counting<S> {
    fn install(&self, tables: &[&'static Table]) -> Result<()> {
        self.0.install(tables)
    }

    fn read(&self, org: OrgId, body: &mut ReadBody<'_>) -> Result<()> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.read(org, body)
    }

    fn write(&self, org: OrgId, body: &mut WriteBody<'_>) -> Result<()> {
        self.0.write(org, body)
    }
}

/// A world whose handle is the only writer, and how often its store was read.
struct Warm {
    world: World,
    reads: Arc<AtomicUsize>,
}

impl Warm {
    fn over(store: impl Store + 'static) -> Self {
        let reads = Arc::<AtomicUsize>::default();
        let counting = Counting(store, Arc::clone(&reads));
        let world = World::over(counting, |builder| builder.sole_writer());
        world.catalogue();
        Self { world, reads }
    }

    fn tenure(&self) -> &Tenure {
        &self.world.tenure
    }

    /// Whether so much of the credits may be used and how much was, and why not.
    fn told(&self, customer: CustomerId) -> (bool, Quantity, Option<DenialReason>) {
        let access = self.tenure().check(customer, CREDITS).unwrap();
        let fresh = self.tenure().read(|view| view.check(customer, CREDITS)).unwrap();
        assert_eq!(access, fresh);
        (access.can_use, access.current_usage, access.reason)
    }

    /// How often `work` reads from the store.
    fn reads(&self, work: impl FnOnce()) -> usize {
        let before = self.reads.load(Ordering::SeqCst);
        work();
        self.reads.load(Ordering::SeqCst) - before
    }
}

macro_rules! warm_stories {
    ($($story:ident),+ $(,)?) => {
        mod memory {
            $(#[test]
            fn $story() {
                super::$story(&super::Warm::over(super::MemoryStore::new()));
            })+
        }

        #[cfg(feature = "sqlite")]
        mod sqlite {
            use tenure::store::sqlite::{Durability, SqliteStore};

            $(#[test]
            fn $story() {
                let folder = tempfile::tempdir().unwrap();
                let options = SqliteStore::options().durability(Durability::Normal);
                let store = options.create(folder.path().join("store.db")).unwrap();
                super::$story(&super::Warm::over(store));
            })+
        }
    };
}

warm_stories![
    what_was_asked_before_is_not_read_again,
    every_change_is_seen_by_the_next_check,
    a_window_ends_without_anybody_writing,
    what_was_tracked_is_seen_by_every_thread_at_once,
    a_ticket_that_is_answered_is_seen,
    orgs_products_and_names_are_kept_apart,
    what_was_not_kept_changes_nothing,
    a_host_transaction_is_refused,
    a_check_inside_a_transaction_is_refused_as_ever,
];

fn what_was_asked_before_is_not_read_again(warm: &Warm) {
    let acme = warm.world.customer_on("pro", "Acme");
    warm.world.link(acme, "org_1");
    let tenure = warm.tenure();
    let first = tenure.check(acme, CREDITS).unwrap();
    let named = tenure.check("org_1", CREDITS).unwrap();
    assert_eq!((first.can_use, &named), (true, &first));
    let again = warm.reads(|| {
        for _ in 0..10 {
            assert_eq!(tenure.clone().check(acme, CREDITS).unwrap(), first);
            assert_eq!(tenure.check("org_1", CREDITS).unwrap(), first);
            let more = tenure.check_quantity(acme, CREDITS, 1_001).unwrap();
            assert_eq!(more.reason, Some(DenialReason::LimitReached));
        }
    });
    assert_eq!(again, 0);
    // Another customer's usage is none of its business.
    let globex = warm.world.customer_on("pro", "Globex");
    warm.world.uses(globex, CREDITS, 5);
    assert_eq!(warm.reads(|| drop(tenure.check(acme, CREDITS))), 0);
    // Its own is.
    warm.world.uses(acme, CREDITS, 5);
    assert_eq!(warm.reads(|| drop(tenure.check(acme, CREDITS))), 1);
    assert!(tenure.check_quantity(acme, CREDITS, -1).is_err());
}

fn every_change_is_seen_by_the_next_check(warm: &Warm) {
    let acme = warm.world.customer_on("starter", "Acme");
    let tenure = warm.tenure();
    assert_eq!(warm.told(acme), (true, q("0"), None));
    warm.world.uses(acme, CREDITS, 100);
    let full = Some(DenialReason::LimitReached);
    assert_eq!(warm.told(acme), (false, q("100"), full));
    tenure.write(|tx| tx.apply_tier(acme, "pro", &[])).unwrap();
    assert_eq!(warm.told(acme), (true, q("100"), None));
    tenure.write(|tx| tx.move_customer(acme, CustomerAction::Activate)).unwrap();
    assert_eq!(warm.told(acme).2, None);
    tenure.write(|tx| tx.move_customer(acme, CustomerAction::Suspend)).unwrap();
    assert_eq!(warm.told(acme).2, Some(DenialReason::CustomerSuspended));
    tenure.write(|tx| tx.move_customer(acme, CustomerAction::Reactivate)).unwrap();
    assert_eq!(warm.told(acme).2, None);

    let switch = |on| FeatureDraft::default().is_active(on);
    tenure.write(|tx| tx.define_feature(CREDITS, &switch(false))).unwrap();
    assert_eq!(warm.told(acme).2, Some(DenialReason::Disabled));
    tenure.write(|tx| tx.define_feature(CREDITS, &switch(true))).unwrap();
    assert_eq!(warm.told(acme).2, None);

    let by_name = || tenure.check("org_1", CREDITS).unwrap();
    assert_eq!(by_name().reason, Some(DenialReason::UnknownCustomer));
    warm.world.link(acme, "org_1");
    assert_eq!(by_name().reason, None);
    tenure.write(|tx| tx.unlink("org_1")).unwrap();
    assert_eq!(by_name().reason, Some(DenialReason::UnknownCustomer));
    let globex = warm.world.customer_on("starter", "Globex");
    warm.world.link(globex, "org_1");
    assert_eq!(by_name().quantity_limit, Some(q("100")));

    let patch = AccessPatch::new().limit(Quantity::from(100));
    warm.world.allow(acme, CREDITS, &patch);
    assert_eq!(warm.told(acme).2, full);
    tenure.write(|tx| tx.delete_customer(acme)).unwrap();
    assert_eq!(warm.told(acme).2, Some(DenialReason::UnknownCustomer));
}

fn a_window_ends_without_anybody_writing(warm: &Warm) {
    let acme = warm.world.customer_on("starter", "Acme");
    warm.world.uses(acme, CREDITS, 100);
    assert_eq!(warm.told(acme).1, q("100"));
    let end = warm.tenure().check(acme, CREDITS).unwrap().reset_at.unwrap();
    warm.world.clock.set(end - Duration::microseconds(1));
    assert_eq!(warm.told(acme).1, q("100"));
    warm.world.clock.set(end);
    assert_eq!(warm.told(acme).1, q("0"));
    assert_eq!(warm.reads(|| drop(warm.tenure().check(acme, CREDITS))), 0);
    // A clock that is set back finds the window that was.
    warm.world.clock.set(BEGINNING);
    assert_eq!(warm.told(acme).1, q("100"));
}

fn what_was_tracked_is_seen_by_every_thread_at_once(warm: &Warm) {
    let acme = warm.world.customer_on("pro", "Acme");
    warm.world.allow(acme, CREDITS, &AccessPatch::new().limit(Quantity::from(1_000_000)));
    warm.world.link(acme, "org_1");
    let (counted, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let used = |access: tenure::Access| {
        usize::try_from(access.current_usage.millionths() / 1_000_000).unwrap()
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..150 {
                        let result = warm.tenure().track(&credits(acme, 1)).unwrap();
                        let after = result.current_usage.millionths() / 1_000_000;
                        counted.fetch_max(usize::try_from(after).unwrap(), Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for reader in 0..4 {
            let (counted, over) = (&counted, &over);
            scope.spawn(move || {
                let mut seen = 0;
                while !over.load(Ordering::SeqCst) {
                    let at_least = counted.load(Ordering::SeqCst).max(seen);
                    seen = used(if reader % 2 == 0 {
                        warm.tenure().check(acme, CREDITS).unwrap()
                    } else {
                        warm.tenure().check("org_1", CREDITS).unwrap()
                    });
                    assert!(seen >= at_least, "{seen} after {at_least}");
                    if reader == 3 {
                        // What somebody has read is not unread by a warm check.
                        let read = warm.tenure().read(|view| view.check(acme, CREDITS)).unwrap();
                        seen = used(warm.tenure().check(acme, CREDITS).unwrap());
                        assert!(seen >= used(read));
                    }
                }
            });
        }
        for writer in writers {
            writer.join().unwrap();
        }
        over.store(true, Ordering::SeqCst);
    });
    assert_eq!(warm.told(acme).1, q("600"));
}

fn a_ticket_that_is_answered_is_seen(warm: &Warm) {
    let acme = warm.world.customer_on("pro", "Acme");
    let tracker = warm.tenure().tracker_with(TrackerOptions::default().batch(4)).unwrap();
    let tickets: Vec<_> = (0..50).map(|_| tracker.submit(Track::new(acme, CREDITS))).collect();
    for ticket in tickets {
        let result = ticket.wait().unwrap();
        let seen = warm.tenure().check(acme, CREDITS).unwrap().current_usage;
        assert!(seen >= result.current_usage, "{seen} after {}", result.current_usage);
    }
}

fn orgs_products_and_names_are_kept_apart(warm: &Warm) {
    let acme = warm.world.customer_on("pro", "Acme");
    let north = warm.world.beside("north");
    north.catalogue();
    let shop = warm.tenure().for_product("shop").unwrap();
    warm.world.link(acme, "org_1");
    let other = warm.world.customer_on("starter", "Other");
    shop.write(|tx| tx.link(other, &NewLink::to("org_1"))).unwrap();
    for _ in 0..3 {
        let limit = |tenure: &Tenure| tenure.check("org_1", CREDITS).unwrap().quantity_limit;
        assert_eq!(limit(warm.tenure()), Some(q("1000")));
        assert_eq!(limit(&shop), Some(q("100")));
        assert_eq!(limit(&north.tenure), None);
        let reason = north.tenure.check(acme, CREDITS).unwrap().reason;
        assert_eq!(reason, Some(DenialReason::UnknownCustomer));
        let name = acme.to_string();
        assert!(!warm.tenure().check(name.as_str(), CREDITS).unwrap().can_use);
        assert!(warm.tenure().check(acme, CREDITS).unwrap().can_use);
        assert!(warm.tenure().check(acme, "sso").unwrap().can_use);
        assert!(!warm.tenure().check(other, "sso").unwrap().can_use);
    }
}

fn what_was_not_kept_changes_nothing(warm: &Warm) {
    let acme = warm.world.customer_on("starter", "Acme");
    let before = warm.told(acme);
    warm.tenure().preview(|tx| tx.track(&credits(acme, 7))).unwrap();
    assert_eq!(warm.told(acme), before);
    let given_up: tenure::Result<()> = warm.tenure().write(|tx| {
        tx.track(&credits(acme, 7))?;
        // What a transaction sees is its own.
        assert_eq!(tx.view().check(acme, CREDITS)?.current_usage, q("7"));
        Err(Error::Store(StoreError::Aborted))
    });
    assert!(given_up.is_err());
    assert_eq!(warm.told(acme), before);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        warm.tenure().write(|tx| -> tenure::Result<()> {
            tx.track(&credits(acme, 7))?;
            panic!("on purpose")
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(warm.told(acme), before);
}

#[test]
fn more_answers_than_are_kept_are_right_too() {
    let small = Warm { world: few(), reads: Arc::default() };
    let customers: Vec<_> = (1..=40)
        .map(|number| {
            let customer = small.world.customer_on("pro", &format!("Customer {number}"));
            small.world.uses(customer, CREDITS, number);
            customer
        })
        .collect();
    for _ in 0..3 {
        for (number, customer) in (1..).zip(&customers) {
            assert_eq!(small.told(*customer).1, Quantity::from(number));
        }
    }
}

/// A world that keeps few answers.
fn few() -> World {
    let world = World::over(MemoryStore::new(), |builder| builder.sole_writer_keeping(8));
    world.catalogue();
    world
}

/// A host's transaction that is never reached.
struct Unreachable;

impl HostTransaction for Unreachable {
    fn write(&self, _: OrgId, _: &mut WriteBody<'_>) -> Result<()> {
        panic!("it must not be written to")
    }
}

fn a_host_transaction_is_refused(warm: &Warm) {
    let refused: tenure::Result<()> = warm.tenure().within(&Unreachable, |_| Ok(()));
    let why = |error: &Error| match error {
        Error::Store(StoreError::NotJoined(why)) => Some(*why),
        _ => None,
    };
    assert_eq!(why(&refused.unwrap_err()), Some(Unjoined::SoleWriter));
}

fn a_check_inside_a_transaction_is_refused_as_ever(warm: &Warm) {
    let acme = warm.world.customer_on("starter", "Acme");
    assert!(warm.tenure().check(acme, CREDITS).unwrap().can_use);
    let inside: tenure::Result<()> = warm.tenure().write(|_| {
        let nested = warm.tenure().check(acme, CREDITS);
        assert!(matches!(nested, Err(Error::Store(StoreError::Nested))));
        Ok(())
    });
    inside.unwrap();
}

//! A transaction happens or does not.

use super::fixture::{
    A, COUNT, ITEMS, NOTES, all, filled, get, item, key, named, note, read, ready, try_write, write,
};
use crate::store::query::Query;
use crate::store::{Result, Store, StoreError, Writer};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What a body has changed it can get, query, delete, add to and clash with.
pub fn a_write_sees_itself(store: &dyn Store) {
    filled(store, &[named(1, "a", 1), item(2, 2)]);
    write(store, A, |w| {
        w.put(&ITEMS, named(1, "b", 5))?;
        assert_eq!(w.add(&ITEMS, key(1), COUNT, 1)?, Some(6), "add");
        assert_eq!(w.get(&ITEMS, key(1))?, Some(named(1, "b", 6)), "get");
        assert_eq!(w.query(&ITEMS, &Query::all().eq(COUNT, &6_i64))?.len(), 1, "query");
        assert!(!w.insert(&ITEMS, named(1, "c", 7))?, "insert");
        assert!(w.insert(&ITEMS, named(3, "a", 3))?, "the name is free");
        assert!(w.delete(&ITEMS, key(1))?, "delete");
        assert_eq!(w.get(&ITEMS, key(1))?, None, "get after delete");
        assert_eq!(w.query(&ITEMS, &Query::all())?, [item(2, 2), named(3, "a", 3)]);
        Ok(())
    });
    assert_eq!(all(store, A), [item(2, 2), named(3, "a", 3)], "and afterwards everybody does");
}

/// Every kind of change, in both tables.
fn spoil(w: &mut dyn Writer) -> Result<()> {
    w.put(&ITEMS, named(1, "z", 9))?;
    w.add(&ITEMS, key(2), COUNT, 9)?;
    w.delete(&ITEMS, key(3))?;
    w.insert(&ITEMS, named(4, "d", 4))?;
    w.put(&NOTES, note(1, Some("n"), 9))
}

fn three(store: &dyn Store) {
    filled(store, &[named(1, "a", 1), named(2, "b", 2), named(3, "c", 3)]);
}

#[track_caller]
fn unspoiled(store: &dyn Store) {
    assert_eq!(all(store, A), [named(1, "a", 1), named(2, "b", 2), named(3, "c", 3)]);
    assert_eq!(read(store, A, |r| r.query(&NOTES, &Query::all())), []);
}

/// A body that returns an error leaves nothing of what it did.
pub fn an_error_undoes_everything(store: &dyn Store) {
    three(store);
    let failed = try_write(store, A, |w| spoil(w).and(Err::<(), _>(StoreError::Aborted)));
    assert!(matches!(failed, Err(StoreError::Aborted)), "{failed:?}");
    unspoiled(store);
}

/// After an error, values that the body took are free and values that it freed are taken.
pub fn an_error_gives_unique_values_back(store: &dyn Store) {
    three(store);
    let failed = try_write(store, A, |w| spoil(w).and(Err::<(), _>(StoreError::Aborted)));
    assert!(failed.is_err());
    for (n, name) in [(5, "z"), (6, "d")] {
        assert!(write(store, A, |w| w.insert(&ITEMS, named(n, name, 0))), "`{name}` is free");
    }
    for name in ["a", "c"] {
        let stolen = try_write(store, A, |w| w.put(&ITEMS, named(7, name, 0)));
        assert!(matches!(stolen, Err(StoreError::Conflict { .. })), "`{name}` is held: {stolen:?}");
    }
}

/// A body that panics leaves nothing of what it did, the panic goes on to the caller, and the store
/// works on.
pub fn a_panic_undoes_everything(store: &dyn Store) {
    three(store);
    for _ in 0..2 {
        let failed = catch_unwind(AssertUnwindSafe(|| {
            try_write(store, A, |w| {
                spoil(w)?;
                // Unlike `panic!`, this says nothing on the terminal.
                resume_unwind(Box::new("on purpose")) as Result<()>
            })
        }));
        assert!(failed.is_err(), "the panic was swallowed");
        unspoiled(store);
    }
    write(store, A, |w| w.put(&ITEMS, named(5, "z", 5)));
    assert_eq!(get(store, A, 5), Some(named(5, "z", 5)));
}

/// A body of a read that panics does the store no harm either.
pub fn a_panic_in_a_read_does_no_harm(store: &dyn Store) {
    three(store);
    let failed = catch_unwind(AssertUnwindSafe(|| {
        read(store, A, |r| {
            r.get(&ITEMS, key(1))?;
            resume_unwind(Box::new("on purpose")) as Result<()>
        });
    }));
    assert!(failed.is_err(), "the panic was swallowed");
    unspoiled(store);
    write(store, A, |w| w.put(&ITEMS, item(4, 4)));
    assert_eq!(get(store, A, 4), Some(item(4, 4)));
}

/// Errors of several shapes, and how to know each again.
fn errors() -> [(StoreError, &'static str); 4] {
    let custom = StoreError::backend(std::io::Error::other("mine"));
    [
        (StoreError::Aborted, "Aborted"),
        (
            StoreError::Corrupt { table: "t", column: "c" },
            "Corrupt { table: \"t\", column: \"c\" }",
        ),
        (
            StoreError::Conflict { table: "t", columns: &["c"] },
            "Conflict { table: \"t\", columns: [\"c\"] }",
        ),
        (custom, "Backend(Custom { kind: Other, error: \"mine\" })"),
    ]
}

/// Whatever error the body of a write returns is what the caller gets.
pub fn the_error_of_a_write_comes_back_unchanged(store: &dyn Store) {
    ready(store);
    for (error, shape) in errors() {
        let mut error = Some(error);
        let failed = store.write(A, &mut |w| {
            w.put(&ITEMS, item(1, 1))?;
            Err(error.take().unwrap_or(StoreError::Nested))
        });
        assert_eq!(failed.map_err(|error| format!("{error:?}")), Err(shape.to_owned()));
    }
}

/// Whatever error the body of a read returns is what the caller gets.
pub fn the_error_of_a_read_comes_back_unchanged(store: &dyn Store) {
    ready(store);
    for (error, shape) in errors() {
        let mut error = Some(error);
        let failed = store.read(A, &mut |r| {
            r.get(&ITEMS, key(1))?;
            Err(error.take().unwrap_or(StoreError::Nested))
        });
        assert_eq!(failed.map_err(|error| format!("{error:?}")), Err(shape.to_owned()));
    }
}

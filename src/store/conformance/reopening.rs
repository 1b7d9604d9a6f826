//! What a store that was closed holds when it is opened again.

use super::Open;
use super::fixture::{
    A, B, COUNT, ITEMS, NOTES, all, filled, item, key, named, note, read, ready, try_write, write,
};
use crate::store::StoreError;

/// Every change that was kept is there, in every table.
pub fn what_was_written_is_there(open: &Open<'_>) {
    {
        let store = open();
        filled(&store, &[named(1, "a", 1), item(2, 2), item(3, 3)]);
        write(&store, A, |w| {
            w.put(&NOTES, note(1, Some("n"), 1))?;
            w.add(&ITEMS, key(2), COUNT, 20)?;
            w.delete(&ITEMS, key(3))
        });
    }
    for _ in 0..2 {
        let store = open();
        assert_eq!(all(ready(&store), A), [named(1, "a", 1), item(2, 22)]);
        assert_eq!(read(&store, A, |r| r.get(&NOTES, key(1))), Some(note(1, Some("n"), 1)));
    }
}

/// Nothing of a transaction that was given up is there.
pub fn what_was_given_up_is_not_there(open: &Open<'_>) {
    {
        let store = open();
        filled(&store, &[item(1, 1)]);
        let failed = try_write(&store, A, |w| {
            w.put(&ITEMS, item(1, 9))?;
            w.put(&ITEMS, item(2, 9))?;
            Err::<(), _>(StoreError::Aborted)
        });
        assert!(failed.is_err());
    }
    assert_eq!(all(ready(&open()), A), [item(1, 1)]);
}

/// `install` keeps the rows that it finds, and makes tables that are not there yet.
pub fn installing_after_reopening_keeps_rows(open: &Open<'_>) {
    {
        let store = open();
        store.install(&[&ITEMS]).expect("install");
        write(&store, A, |w| w.put(&ITEMS, item(1, 1)));
    }
    {
        let store = open();
        store.install(&[&ITEMS, &NOTES]).expect("with another table");
        assert_eq!(all(&store, A), [item(1, 1)]);
        write(&store, A, |w| w.put(&NOTES, note(1, None, 1)));
    }
    let store = open();
    assert_eq!(all(ready(&store), A), [item(1, 1)]);
    assert_eq!(read(&store, A, |r| r.get(&NOTES, key(1))), Some(note(1, None, 1)));
}

/// Unique values are still taken.
pub fn unique_values_are_still_held(open: &Open<'_>) {
    filled(&open(), &[named(1, "a", 1)]);
    let store = open();
    let taken = try_write(ready(&store), A, |w| w.put(&ITEMS, named(2, "a", 2)));
    assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
    write(&store, A, |w| w.put(&ITEMS, named(1, "b", 1)));
    write(&store, A, |w| w.put(&ITEMS, named(2, "a", 2)));
    assert_eq!(all(&store, A), [named(1, "b", 1), named(2, "a", 2)]);
}

/// Rows are still of the org that wrote them.
pub fn orgs_stay_apart_after_reopening(open: &Open<'_>) {
    {
        let store = open();
        filled(&store, &[named(1, "a", 1)]);
        write(&store, B, |w| w.put(&ITEMS, named(1, "a", 2)));
    }
    let store = open();
    assert_eq!(all(ready(&store), A), [named(1, "a", 1)]);
    assert_eq!(all(&store, B), [named(1, "a", 2)]);
}

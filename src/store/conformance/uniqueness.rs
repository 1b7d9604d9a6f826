//! Unique indexes: what clashes, what does not, and when a value is free again.

use super::fixture::{
    A, BUCKET, COUNT, ITEMS, SLOT, all, filled, item, key, named, text, try_write, with, write,
};
use crate::store::{Result, Store, StoreError};
use crate::value::{Row, Value};

#[track_caller]
fn is_conflict<T: std::fmt::Debug>(result: Result<T>, expected: &[&str]) {
    let error = result.expect_err("a conflict");
    let StoreError::Conflict { table, columns } = error else {
        panic!("{error:?} is not a conflict")
    };
    assert_eq!((table, columns), (ITEMS.name, expected));
}

fn placed(n: u128, bucket: &str, slot: i64) -> Row {
    with(with(item(n, 0), BUCKET, text(bucket)), SLOT, Value::Int(slot))
}

/// A second row with the same value is [`StoreError::Conflict`], by `insert` and by `put`, of a new
/// row and of one that is there, and the error names the table and the columns.
pub fn a_unique_value_is_taken_once(store: &dyn Store) {
    let rows = [named(1, "a", 1), named(2, "b", 2)];
    filled(store, &rows);
    is_conflict(try_write(store, A, |w| w.insert(&ITEMS, named(3, "a", 3))), &["name"]);
    is_conflict(try_write(store, A, |w| w.put(&ITEMS, named(3, "a", 3))), &["name"]);
    is_conflict(try_write(store, A, |w| w.put(&ITEMS, named(2, "a", 2))), &["name"]);
    assert_eq!(all(store, A), rows);
}

/// `insert` of a key that is taken answers `false`, whatever else the row would clash with.
pub fn a_taken_key_comes_before_a_taken_value(store: &dyn Store) {
    let rows = [named(1, "a", 1), named(2, "b", 2)];
    filled(store, &rows);
    assert!(!write(store, A, |w| w.insert(&ITEMS, named(2, "a", 3))));
    assert!(!write(store, A, |w| w.insert(&ITEMS, named(1, "a", 3))));
    assert_eq!(all(store, A), rows);
}

/// An index over several columns refuses only rows that agree in all of them.
pub fn several_columns_are_unique_together(store: &dyn Store) {
    let rows = [placed(1, "x", 1), placed(2, "x", 2), placed(3, "y", 1)];
    filled(store, &rows);
    let columns = ["bucket", "slot"];
    is_conflict(try_write(store, A, |w| w.put(&ITEMS, placed(4, "x", 2))), &columns);
    is_conflict(try_write(store, A, |w| w.insert(&ITEMS, placed(4, "y", 1))), &columns);
    assert_eq!(all(store, A), rows);
}

/// Two texts are the same only if their bytes are.
pub fn unique_text_is_compared_by_bytes(store: &dyn Store) {
    let names = ["a", "A", "a ", " a", "é", "e\u{301}", "a\0", "a\0b", "ß", "ss", ""];
    let rows: Vec<Row> = (1..).zip(names).map(|(n, name)| named(n, name, 0)).collect();
    assert_eq!(all(filled(store, &rows), A), rows);
    for name in names {
        is_conflict(try_write(store, A, |w| w.put(&ITEMS, named(99, name, 0))), &["name"]);
    }
}

/// A row with a null in an index clashes with nothing in it, whatever the other columns hold.
pub fn nulls_never_clash(store: &dyn Store) {
    let bucket = |n| with(item(n, 0), BUCKET, text("x"));
    let slot = |n| with(item(n, 0), SLOT, Value::Int(1));
    let rows = [item(1, 0), item(2, 0), bucket(3), bucket(4), slot(5), slot(6)];
    assert_eq!(all(filled(store, &rows), A), rows);
}

/// A row may be written again with the values that it has, and with some of them changed.
pub fn a_row_does_not_clash_with_itself(store: &dyn Store) {
    let row = with(with(named(1, "a", 1), BUCKET, text("x")), SLOT, Value::Int(1));
    filled(store, std::slice::from_ref(&row));
    write(store, A, |w| w.put(&ITEMS, row.clone()));
    let changed = with(row, COUNT, Value::Int(2));
    write(store, A, |w| w.put(&ITEMS, changed.clone()));
    assert_eq!(all(store, A), [changed]);
}

/// A value is free as soon as the row that held it has another or is gone: in the same transaction.
pub fn a_freed_value_can_be_taken_at_once(store: &dyn Store) {
    // `a` and `c` are held since before the transaction, `b` only within it.
    filled(store, &[named(1, "a", 0), named(5, "c", 0)]);
    write(store, A, |w| {
        w.put(&ITEMS, named(1, "b", 0))?;
        w.put(&ITEMS, named(2, "a", 0))?;
        assert!(w.delete(&ITEMS, key(1))?);
        assert!(w.insert(&ITEMS, named(3, "b", 0))?);
        w.put(&ITEMS, item(2, 0))?;
        w.put(&ITEMS, named(4, "a", 0))?;
        assert!(w.delete(&ITEMS, key(5))?);
        w.put(&ITEMS, named(6, "c", 0))
    });
    let expected = [item(2, 0), named(3, "b", 0), named(4, "a", 0), named(6, "c", 0)];
    assert_eq!(all(store, A), expected);
    is_conflict(try_write(store, A, |w| w.put(&ITEMS, named(2, "b", 0))), &["name"]);
}

/// A write that is refused has changed nothing, and the transaction may go on: a body that carries
/// on and returns `Ok` keeps all its other changes.
pub fn a_refused_write_changes_nothing(store: &dyn Store) {
    filled(store, &[named(1, "a", 1), named(2, "b", 2)]);
    write(store, A, |w| {
        w.put(&ITEMS, named(3, "c", 3))?;
        is_conflict(w.put(&ITEMS, named(2, "a", 9)), &["name"]);
        is_conflict(w.insert(&ITEMS, named(4, "c", 9)), &["name"]);
        assert_eq!(w.get(&ITEMS, key(2))?, Some(named(2, "b", 2)), "it is as it was");
        w.put(&ITEMS, named(5, "e", 5))
    });
    let expected = [named(1, "a", 1), named(2, "b", 2), named(3, "c", 3), named(5, "e", 5)];
    assert_eq!(all(store, A), expected);
    is_conflict(try_write(store, A, |w| w.put(&ITEMS, named(6, "b", 6))), &["name"]);
}

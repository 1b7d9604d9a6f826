//! `add`, on which metering rests.

use super::fixture::{
    A, COUNT, ITEMS, SLOT, all, filled, item, key, named, ready, try_write, with, write,
};
use crate::store::{Store, StoreError};
use crate::value::Value;

/// `add` answers the sum, keeps it, and touches no other column and no other row.
pub fn add_sums_in_place(store: &dyn Store) {
    filled(store, &[named(1, "a", 5), item(2, 5)]);
    let sums = [2, -10, 0].map(|by| write(store, A, |w| w.add(&ITEMS, key(1), COUNT, by)));
    assert_eq!(sums, [Some(7), Some(-3), Some(-3)]);
    let twice = write(store, A, |w| {
        w.add(&ITEMS, key(1), COUNT, 1)?;
        w.add(&ITEMS, key(1), COUNT, 1)
    });
    assert_eq!(twice, Some(-1), "twice in one transaction");
    assert_eq!(all(store, A), [named(1, "a", -1), item(2, 5)]);
}

/// `add` to a row that is not there answers `None` and makes no row.
pub fn add_to_a_missing_row_is_none(store: &dyn Store) {
    assert_eq!(write(ready(store), A, |w| w.add(&ITEMS, key(1), COUNT, 1)), None);
    assert_eq!(all(store, A), []);
}

/// `add` reaches both ends of an `i64`, and is [`StoreError::Overflow`] past them. That changes
/// nothing, and the transaction may go on.
pub fn add_past_the_range_changes_nothing(store: &dyn Store) {
    for (start, end, by) in [(i64::MAX - 1, i64::MAX, 1), (i64::MIN + 1, i64::MIN, -1)] {
        filled(store, &[named(1, "a", start)]);
        assert_eq!(write(store, A, |w| w.add(&ITEMS, key(1), COUNT, by)), Some(end));
        let over = try_write(store, A, |w| w.add(&ITEMS, key(1), COUNT, by));
        let Err(StoreError::Overflow { table, column }) = over else { panic!("{over:?}") };
        assert_eq!((table, column), (ITEMS.name, "count"));
        assert_eq!(all(store, A), [named(1, "a", end)], "after the transaction failed");

        write(store, A, |w| {
            w.put(&ITEMS, item(2, start))?;
            let over = w.add(&ITEMS, key(1), COUNT, by);
            assert!(matches!(over, Err(StoreError::Overflow { .. })), "{over:?}");
            w.put(&ITEMS, item(3, 3))
        });
        let expected = [named(1, "a", end), item(2, start), item(3, 3)];
        assert_eq!(all(store, A), expected, "after the transaction went on");
        write(store, A, |w| Ok((w.delete(&ITEMS, key(2))?, w.delete(&ITEMS, key(3))?)));
    }
    // An indexed column is like any other.
    write(store, A, |w| w.put(&ITEMS, with(item(4, 0), SLOT, Value::Int(1))));
    assert_eq!(write(store, A, |w| w.add(&ITEMS, key(4), SLOT, 1)), Some(2));
}

//! Going through a query page by page, with a cursor.

use super::fixture::{A, COUNT, ITEMS, SLOT, filled, item, key, keys, keys_of, read, with, write};
use crate::store::Store;
use crate::store::query::{After, Op, Query};
use crate::value::{Row, Value};

/// Twenty rows: three counts, and a slot that every other row has as null.
fn rows() -> Vec<Row> {
    let small = |n: u128| i64::try_from(n).expect("small");
    let row = |n: u128| {
        let slot = if n.is_multiple_of(2) { Value::Null } else { Value::Int(small(n % 7)) };
        with(item(n * 11 % 21, small(n % 3)), SLOT, slot)
    };
    (1..=20).map(row).collect()
}

/// Checks that the pages of `query`, put together, are what it would give in one.
#[track_caller]
fn walk(store: &dyn Store, query: &Query) {
    let expected = keys_of(&query.select(rows().iter()));
    for size in [1, 2, 3, 19, 20, 21] {
        let (mut found, mut cursor): (Vec<Row>, _) = (Vec::new(), None);
        loop {
            let page = query.clone().after(cursor).limit(size);
            let page = read(store, A, |r| r.query(&ITEMS, &page));
            let Some(last) = page.last() else { break };
            cursor = Some(query.cursor(last));
            found.extend(page);
            assert!(found.len() <= expected.len(), "too many rows, {size} at a time: {query:?}");
        }
        assert_eq!(keys_of(&found), expected, "{size} at a time: {query:?}");
    }
}

/// Pages by primary key, with and without a condition, up and down.
pub fn pages_visit_every_row_once(store: &dyn Store) {
    filled(store, &rows());
    for query in [Query::all(), Query::all().newest()] {
        walk(store, &query);
        walk(store, &query.filter(COUNT, Op::Ne, &1_i64));
    }
}

/// Pages that end in the middle of rows that are equal in the ordering column.
pub fn pages_go_through_ties(store: &dyn Store) {
    filled(store, &rows());
    for query in [Query::all().oldest_by(COUNT), Query::all().newest_by(COUNT)] {
        walk(store, &query);
        walk(store, &query.filter(COUNT, Op::Ge, &1_i64));
    }
}

/// Pages that end in the middle of rows that have null in the ordering column.
pub fn pages_go_through_nulls(store: &dyn Store) {
    filled(store, &rows());
    for query in [Query::all().oldest_by(SLOT), Query::all().newest_by(SLOT)] {
        walk(store, &query);
        walk(store, &query.clone().eq(SLOT, &None::<i64>));
        walk(store, &query.filter(SLOT, Op::Ne, &None::<i64>));
    }
}

/// A cursor is a place, not a row: the next page is right when the row it came from is gone.
pub fn a_cursor_outlives_its_row(store: &dyn Store) {
    for (query, first, rest) in [
        (Query::all(), [1, 2], [3, 4]),
        (Query::all().newest(), [4, 3], [2, 1]),
        (Query::all().oldest_by(COUNT), [3, 4], [1, 2]),
        (Query::all().newest_by(COUNT), [2, 1], [4, 3]),
    ] {
        filled(store, &[item(1, 1), item(2, 1), item(3, 0), item(4, 0)]);
        let page = read(store, A, |r| r.query(&ITEMS, &query.clone().limit(2)));
        assert_eq!(keys_of(&page), first);
        write(store, A, |w| w.delete(&ITEMS, page[1].key()));
        let after = query.cursor(&page[1]);
        assert_eq!(keys(store, &query.after(Some(after))), rest);
    }
}

/// In a query by primary key alone the cursor's value says nothing.
pub fn a_cursor_by_key_ignores_the_value(store: &dyn Store) {
    filled(store, &[item(1, 0), item(2, 0), item(3, 0)]);
    for value in [Value::Null, Value::Int(7), Value::Text("x".into())] {
        let after = Some(After { value, key: key(2) });
        assert_eq!(keys(store, &Query::all().after(after.clone())), [3]);
        assert_eq!(keys(store, &Query::all().newest().after(after)), [1]);
    }
}

//! What a query selects and in which order.

use super::fixture::{
    A, AT, BUCKET, COUNT, DOC, ITEMS, LINK, LIVE, NAME, NOTES, RAW, SCORE, SLOT, filled, item, key,
    keys, keys_of, named, note, read, ready, text, with, write,
};
use crate::store::Store;
use crate::store::query::{Filter, LIMIT_MAX, Op, Query};
use crate::store::schema::Col;
use crate::value::{Row, Value};

const OPS: [Op; 6] = [Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge];

/// Each comparison selects what it says.
pub fn every_op_filters(store: &dyn Store) {
    filled(store, &[item(1, -2), item(2, -1), item(3, 0), item(4, 0), item(5, 1)]);
    let expected: [&[u128]; 6] = [&[3, 4], &[1, 2, 5], &[1, 2], &[1, 2, 3, 4], &[5], &[3, 4, 5]];
    for (op, expected) in OPS.into_iter().zip(expected) {
        assert_eq!(keys(store, &Query::all().filter(COUNT, op, &0_i64)), expected, "{op:?}");
    }
}

/// For each kind of column, three values, the least first.
fn samples() -> [(Col, [Value; 3]); 9] {
    [
        (SLOT, [i64::MIN, 0, i64::MAX].map(Value::Int)),
        (NAME, ["", "B", "a"].map(text)),
        (BUCKET, ["a\0b", "a b", "é"].map(text)),
        (SCORE, [f64::MIN, 0.1, 1e300].map(Value::Real)),
        (LIVE, [false, true, true].map(Value::Bool)),
        (AT, [-1_000_001, -1_000_000, 1].map(Value::Time)),
        (DOC, ["1", "\"b\"", "{\"a\": 1}"].map(|json| Value::Json(json.into()))),
        (LINK, [0, 1 << 64, u128::MAX].map(|n| Value::Uuid(key(n)))),
        (RAW, [&[][..], &[0x7f, 0], &[0x80]].map(|bytes| Value::Bytes(bytes.to_vec()))),
    ]
}

/// Rows that hold each sample of each column, and one that holds none.
fn sampled(store: &dyn Store) -> Vec<Row> {
    let mut rows = vec![item(0, 0)];
    for (col, values) in samples() {
        for value in values {
            let n = u128::try_from(rows.len()).expect("small");
            // Keys go down while the values go up, so that neither order passes for the other.
            rows.push(with(item(1000 - n, 0), col, value));
        }
    }
    filled(store, &rows);
    rows
}

/// Every comparison works on every kind of column, also with null, as [`Query::matches`] has it.
pub fn every_kind_filters(store: &dyn Store) {
    let rows = sampled(store);
    for (col, values) in samples() {
        for op in OPS {
            for value in values.iter().chain([&Value::Null]) {
                let mut query = Query::all();
                query.filters.push(Filter { col, op, value: value.clone() });
                let expected = keys_of(&query.select(rows.iter()));
                assert_eq!(keys(store, &query), expected, "{} {op:?} {value:?}", col.name);
            }
        }
    }
}

/// A null column satisfies nothing but `Eq` null, not even `Ne` another value.
pub fn null_matches_only_null(store: &dyn Store) {
    filled(store, &[item(1, 0), named(2, "a", 0), named(3, "b", 0)]);
    let (null, a) = (None::<String>, Some("a".to_owned()));
    assert_eq!(keys(store, &Query::all().eq(NAME, &null)), [1], "is null");
    assert_eq!(keys(store, &Query::all().filter(NAME, Op::Ne, &null)), [2, 3], "is not null");
    assert_eq!(keys(store, &Query::all().filter(NAME, Op::Ne, &a)), [3]);
    assert_eq!(keys(store, &Query::all().filter(NAME, Op::Lt, &a)), []);
    assert_eq!(keys(store, &Query::all().filter(NAME, Op::Le, &a)), [2]);
}

/// Conditions add up, also two on one column.
pub fn all_conditions_must_hold(store: &dyn Store) {
    let rows: Vec<Row> = (1..=9).map(|n| item(n, i64::try_from(n % 5).expect("small"))).collect();
    filled(store, &rows);
    let between = Query::all().filter(COUNT, Op::Ge, &1_i64).filter(COUNT, Op::Lt, &3_i64);
    assert_eq!(keys(store, &between), [1, 2, 6, 7]);
    let none = between.clone().eq(COUNT, &4_i64);
    assert_eq!(keys(store, &none), []);
    let id = ITEMS.col("id");
    assert_eq!(keys(store, &between.filter(id, Op::Gt, &key(2))), [6, 7], "on the primary key");
}

/// Without an order of its own a query goes by primary key, as bytes; `newest` turns it round.
pub fn rows_come_by_primary_key(store: &dyn Store) {
    let ids = [1, 2, 0x80, 1 << 64, 1 << 127, u128::MAX];
    let shuffled = [3, 0, 5, 1, 4, 2].map(|place: usize| item(ids[place], 0));
    filled(store, &shuffled);
    assert_eq!(keys(store, &Query::all()), ids);
    let mut reversed = ids;
    reversed.reverse();
    assert_eq!(keys(store, &Query::all().newest()), reversed);
}

/// Every kind of column orders rows, in both directions.
pub fn every_kind_is_ordered(store: &dyn Store) {
    let rows = sampled(store);
    for (col, _) in samples() {
        for query in [Query::all().oldest_by(col), Query::all().newest_by(col)] {
            assert_eq!(keys(store, &query), keys_of(&query.select(rows.iter())), "{query:?}");
        }
    }
}

/// Rows that are equal in the ordering column follow their primary key in the same direction.
pub fn ties_follow_the_direction(store: &dyn Store) {
    filled(store, &[item(4, 1), item(1, 1), item(3, 0), item(2, 0), item(5, 1)]);
    assert_eq!(keys(store, &Query::all().oldest_by(COUNT)), [2, 3, 1, 4, 5]);
    assert_eq!(keys(store, &Query::all().newest_by(COUNT)), [5, 4, 1, 3, 2]);
}

/// Nulls come before all values, and after them when the greatest comes first.
pub fn nulls_are_the_least(store: &dyn Store) {
    let slot = |n, slot| with(item(n, 0), SLOT, Value::Int(slot));
    filled(store, &[slot(1, i64::MIN), item(2, 0), slot(3, -1), item(4, 0)]);
    assert_eq!(keys(store, &Query::all().oldest_by(SLOT)), [2, 4, 1, 3]);
    assert_eq!(keys(store, &Query::all().newest_by(SLOT)), [3, 1, 4, 2]);
}

/// Text is ordered and compared by its bytes, not by anybody's alphabet.
pub fn text_is_ordered_by_bytes(store: &dyn Store) {
    let names =
        ["", "\0", "\0a", "10", "9", "B", "Z", "_", "a", "a\0", "a ", "aa", "b", "é", "ｚ", "🦀"];
    let rows: Vec<Row> = (1..).zip(names).map(|(n, name)| named(100 - n, name, 0)).collect();
    filled(store, &rows);
    assert_eq!(keys(store, &Query::all().oldest_by(NAME)), keys_of(&rows));
    let from_a = Query::all().oldest_by(NAME).filter(NAME, Op::Ge, &"a".to_owned());
    assert_eq!(keys(store, &from_a), keys_of(&rows[8..]));
    assert_eq!(keys(store, &Query::all().eq(NAME, &"A".to_owned())), []);
}

/// Zero with a sign is equal to zero: they tie in an order and pass for each other in a filter.
pub fn negative_zero_is_zero(store: &dyn Store) {
    let scored = |n, real| with(item(n, 0), SCORE, Value::Real(real));
    filled(store, &[scored(1, 0.0), scored(2, -0.0), scored(3, 0.0), scored(4, -1.0)]);
    assert_eq!(keys(store, &Query::all().oldest_by(SCORE)), [4, 1, 2, 3]);
    for zero in [0.0, -0.0] {
        let zeros = |op| keys(store, &Query::all().filter(SCORE, op, &zero));
        let found = [Op::Eq, Op::Lt, Op::Le, Op::Gt, Op::Ge].map(zeros);
        assert_eq!(found, [vec![1, 2, 3], vec![4], vec![1, 2, 3, 4], vec![], vec![1, 2, 3]]);
    }
}

/// A query gives no more rows than its limit: those that come first. A limit of zero gives none.
pub fn a_limit_is_kept(store: &dyn Store) {
    filled(store, &[item(1, 3), item(2, 2), item(3, 1), item(4, 0)]);
    let first = |limit| keys(store, &Query::all().limit(limit));
    assert_eq!(
        [0, 1, 3, 4, 9].map(first),
        [&[][..], &[1], &[1, 2, 3], &[1, 2, 3, 4], &[1, 2, 3, 4]]
    );
    assert_eq!(keys(store, &Query::all().oldest_by(COUNT).limit(2)), [4, 3]);
    assert_eq!(keys(store, &Query::all().filter(COUNT, Op::Lt, &2_i64).limit(1)), [3]);
}

/// No query gives more than [`LIMIT_MAX`] rows, even if its limit was set to more.
pub fn a_limit_past_the_maximum_is_the_maximum(store: &dyn Store) {
    let rows = u128::try_from(LIMIT_MAX).expect("small") + 1;
    write(ready(store), A, |w| (0..rows).try_for_each(|n| w.put(&NOTES, note(n, None, 0))));
    let found = read(store, A, |r| r.query(&NOTES, &Query { limit: usize::MAX, ..Query::all() }));
    assert_eq!(found.len(), LIMIT_MAX);
    assert_eq!(found.last().map(Row::key), Some(key(rows - 2)), "the first of them");
}

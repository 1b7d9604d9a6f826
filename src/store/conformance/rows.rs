//! What is written is what is read: every kind of value, and what each change answers.

use super::fixture::{
    A, AT, BUCKET, DOC, ITEMS, LINK, LIVE, NAME, NOTES, RAW, SCORE, SLOT, all, filled, get, item,
    key, named, note, read, ready, text, with, write,
};
use crate::store::Store;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::value::{Packed, Row, Value};

/// A key that nobody wrote is `None`, in a read and in a write, and a query finds nothing.
pub fn a_missing_row_is_none(store: &dyn Store) {
    assert_eq!(get(ready(store), A, 1), None, "in an org that was never written to");
    assert_eq!(all(store, A), []);
    write(store, A, |w| {
        assert_eq!(w.get(&ITEMS, key(1))?, None, "in a write");
        w.put(&ITEMS, item(2, 0))
    });
    assert_eq!(get(store, A, 1), None, "beside another row");
}

/// A row with a value of every kind comes back as it was written, by `insert` and by `put`, and so
/// does one that is null wherever it may be.
pub fn every_kind_survives(store: &dyn Store) {
    let full = |n| {
        let row = with(named(n, &format!("name {n}"), 42), BUCKET, text("shelf"));
        let row = with(row, SLOT, Value::Int(i64::try_from(n).expect("small")));
        let row = with(with(row, SCORE, Value::Real(0.1)), LIVE, Value::Bool(true));
        let row = with(row, AT, Value::Time(1_700_000_000_123_456));
        let row = with(with(row, DOC, Value::Json("[1]".into())), LINK, Value::Uuid(key(7)));
        with(row, RAW, Value::Bytes(vec![0, 0xff]))
    };
    let rows = [full(1), with(full(2), LIVE, Value::Bool(false)), item(3, 0)];
    write(ready(store), A, |w| {
        assert!(w.insert(&ITEMS, rows[0].clone())?, "the key is free");
        w.put(&ITEMS, rows[1].clone())?;
        w.insert(&ITEMS, rows[2].clone())
    });
    assert_eq!(all(store, A), rows, "by a query");
    for (n, row) in (1..).zip(rows) {
        assert_eq!(get(store, A, n), Some(row), "by key");
    }
}

fn survive(store: &dyn Store, col: Col, values: impl IntoIterator<Item = Value>) {
    let rows: Vec<Row> = (1..).zip(values).map(|(n, value)| with(item(n, 0), col, value)).collect();
    for row in &all(filled(store, &rows), A) {
        assert!(rows.contains(row), "{row:?} was not written");
    }
    for row in rows {
        let found = read(store, A, |r| r.get(&ITEMS, row.key()));
        assert_eq!(found, Some(row), "{}", col.name);
    }
}

/// Integers are exact over the whole range of an `i64`, reals over that of a finite `f64`. Only the
/// sign of zero may be lost.
pub fn numbers_survive_at_their_extremes(store: &dyn Store) {
    let ints = [i64::MIN, i64::MIN + 1, -1, 0, (1 << 53) + 1, i64::MAX - 1, i64::MAX];
    survive(store, SLOT, ints.map(Value::Int));
    let least = f64::from_bits(1);
    let reals = [f64::MIN, f64::MAX, f64::MIN_POSITIVE, least, -0.0, 0.0, 1.0, -7.0, 0.1 + 0.2];
    survive(store, SCORE, reals.map(Value::Real));
}

/// Text is any UTF-8: NUL, quotes, line ends, spaces at the end, letters beyond the BMP, nothing is
/// normalised, and length is no matter.
pub fn text_survives_byte_by_byte(store: &dyn Store) {
    let long = "ü".repeat(100_000);
    let texts = [
        "",
        " ",
        "a ",
        "\0",
        "a\0b",
        "\u{1}",
        "it's \"q\" `b` \\ % _ ; --",
        "line\r\nline\n",
        "naïve",
        "nai\u{308}ve",
        "日本語",
        "🦀🧾",
        "\u{feff}bom",
        "\u{10ffff}",
        "0012",
        "1e3",
        "null",
        &long,
    ];
    survive(store, NAME, texts.map(text));
}

/// JSON comes back as the text that was written, not as another way to say the same.
pub fn json_text_survives_byte_by_byte(store: &dyn Store) {
    let texts = [
        "{\"b\": 1,  \"a\":[1.0, 1e2, -0]}",
        "{\"same\":1,\"same\":2}",
        "12345678901234567890.000000000000000000001",
        "\"\\u0000 \\u00e9 é /\\/\"",
        " null ",
        "\"\"",
        "[]",
    ];
    survive(store, DOC, texts.map(|text| Value::Json(text.into())));
}

/// Bytes are any bytes, also those that are no text, of any length; none at all is not null.
pub fn bytes_survive_as_they_are(store: &dyn Store) {
    let every: Vec<u8> = (0..=u8::MAX).collect();
    let long = every.repeat(400);
    let all = [&[][..], &[0], b"text", &[0xff, 0xfe, 0], &[0xc3, 0x28], &every, &long];
    survive(store, RAW, all.map(|bytes| Value::Bytes(bytes.to_vec())));
    let empty = Query::all().eq(RAW, &Packed::default());
    assert_eq!(read(store, A, |r| r.query(&ITEMS, &empty)).len(), 1, "no bytes are not null");
}

/// An empty string is a value like any other.
pub fn an_empty_string_is_not_null(store: &dyn Store) {
    filled(store, &[named(1, "", 0), item(2, 0)]);
    let empty = read(store, A, |r| r.query(&ITEMS, &Query::all().eq(NAME, &String::new())));
    assert_eq!(empty, [named(1, "", 0)]);
    let null = read(store, A, |r| r.query(&ITEMS, &Query::all().eq(NAME, &None::<String>)));
    assert_eq!(null, [item(2, 0)]);
}

/// Instants keep their microseconds, also before 1970, from the year 1 to the year 9999.
pub fn instants_survive_to_the_microsecond(store: &dyn Store) {
    let (first, last) = (-62_135_596_800_000_000, 253_402_300_799_999_999);
    let times = [first, -1_000_001, -1_000_000, -1, 0, 1, 1_700_000_000_123_456, last];
    survive(store, AT, times.map(Value::Time));
}

/// The nil UUID, the greatest one and those between are keys and values.
pub fn any_id_is_a_key(store: &dyn Store) {
    let ids = [0, 1, 0xff, 1 << 127, u128::MAX - 1, u128::MAX];
    let rows = ids.map(|n| with(item(n, 0), LINK, Value::Uuid(key(!n))));
    filled(store, &rows);
    for row in &rows {
        assert_eq!(read(store, A, |r| r.get(&ITEMS, row.key())).as_ref(), Some(row));
    }
    assert_eq!(all(store, A), rows, "in the order of their bytes");
}

/// `insert` answers `true` for a free key; for a taken one it answers `false` and the row stays.
pub fn insert_keeps_the_first_row(store: &dyn Store) {
    let (first, second) = (named(1, "a", 1), named(1, "b", 2));
    assert!(write(ready(store), A, |w| w.insert(&ITEMS, first.clone())));
    assert!(!write(store, A, |w| w.insert(&ITEMS, second.clone())), "the key is taken");
    assert_eq!(all(store, A), [first]);
}

/// `put` leaves nothing of the row that was there: what the new row has as null is null.
pub fn put_replaces_the_whole_row(store: &dyn Store) {
    let full = with(with(named(1, "a", 1), SCORE, Value::Real(0.5)), LIVE, Value::Bool(true));
    filled(store, &[full]);
    let bare = with(item(1, 2), LIVE, Value::Bool(false));
    write(store, A, |w| w.put(&ITEMS, bare.clone()));
    assert_eq!(all(store, A), [bare]);
}

/// `delete` answers whether there was a row; then the key is free.
pub fn delete_tells_whether_it_did(store: &dyn Store) {
    filled(store, &[named(1, "a", 1), item(2, 2)]);
    assert!(write(store, A, |w| w.delete(&ITEMS, key(1))), "there was a row");
    assert!(!write(store, A, |w| w.delete(&ITEMS, key(1))), "it is gone");
    assert_eq!(all(store, A), [item(2, 2)]);
    assert!(write(store, A, |w| w.insert(&ITEMS, named(1, "a", 3))), "the key is free");
    assert_eq!(get(store, A, 1), Some(named(1, "a", 3)));
}

/// Tables share nothing: the same key and the same unique value may stand in two of them.
pub fn tables_do_not_mix(store: &dyn Store) {
    filled(store, &[named(1, "a", 1)]);
    let notes = [note(1, Some("a"), 10), note(2, None, 20)];
    write(store, A, |w| {
        assert!(w.insert(&NOTES, notes[0].clone())?, "the key is free in this table");
        w.put(&NOTES, notes[1].clone())
    });
    assert_eq!(all(store, A), [named(1, "a", 1)]);
    assert_eq!(read(store, A, |r| r.query(&NOTES, &Query::all())), notes);
    assert!(write(store, A, |w| w.delete(&ITEMS, key(1))));
    assert_eq!(read(store, A, |r| r.get(&NOTES, key(1))), Some(notes[0].clone()));
}

/// `install` may be called at any time, also with tables that it does not know yet.
pub fn installing_again_keeps_rows(store: &dyn Store) {
    store.install(&[&ITEMS]).expect("the first time");
    write(store, A, |w| w.put(&ITEMS, named(1, "a", 1)));
    store.install(&[&ITEMS, &NOTES]).expect("with another table");
    write(store, A, |w| w.put(&NOTES, note(1, None, 2)));
    store.install(&[&NOTES, &ITEMS]).expect("once more, in another order");
    assert_eq!(all(store, A), [named(1, "a", 1)]);
    assert_eq!(read(store, A, |r| r.get(&NOTES, key(1))), Some(note(1, None, 2)));
}

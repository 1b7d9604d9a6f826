//! What a seal shows, and what leaves it as it is.

use super::*;
use crate::value::{Column, Kind};

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, nullable: true }
}

static TABLE: Table = Table {
    name: "meter",
    columns: &[
        column("id", Kind::Uuid),
        column("used", Kind::Int),
        column("limit", Kind::Int),
        column("at", Kind::Time),
        column("open", Kind::Bool),
        column("share", Kind::Real),
        column("name", Kind::Text),
        column("note", Kind::Json),
        column("packed", Kind::Bytes),
    ],
    indexes: &[],
    references: &[],
    sealed: true,
};

fn row() -> Vec<Value> {
    vec![
        Value::Uuid(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)),
        Value::Int(7),
        Value::Null,
        Value::Time(-1),
        Value::Bool(true),
        Value::Real(0.5),
        Value::Text("twelve bytes".into()),
        Value::Json(format!("[{}1]", "17,".repeat(100))),
        Value::Bytes(vec![7; 21]),
    ]
}

fn weights() -> Weights {
    Weights::of(&TABLE).unwrap()
}

/// The same formula with the arithmetic of the definition, slow and plain.
fn by_definition(org: &Uuid, values: &[Value]) -> i64 {
    let shifted = |int: i64| u64::try_from(i128::from(int) + (1 << 63)).unwrap();
    let word = |bytes: &[u8]| {
        let mut filled = [0; 8];
        filled[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(filled)
    };
    let words = |value: &Value| match value {
        Value::Null => vec![],
        Value::Int(int) | Value::Time(int) => vec![(0, shifted(*int))],
        Value::Bool(truth) => vec![(0, 1 + u64::from(*truth))],
        Value::Real(real) => vec![(0, real.to_bits() ^ (1 << 63))],
        Value::Uuid(id) => vec![(0, word(&id.as_bytes()[..8])), (1, word(&id.as_bytes()[8..]))],
        Value::Text(_) | Value::Json(_) | Value::Bytes(_) => {
            let bytes = match value {
                Value::Bytes(bytes) => bytes.as_slice(),
                Value::Text(text) | Value::Json(text) => text.as_bytes(),
                _ => &[],
            };
            let last = match bytes.len() {
                8.. => word(&bytes[bytes.len() - 8..]),
                4.. => word(&[&bytes[..4], &bytes[bytes.len() - 4..]].concat()),
                _ => word(bytes),
            };
            let mut words = vec![(0, u64::try_from(bytes.len()).unwrap() + 1), (16, last)];
            let mut beyond = 0_i128;
            for (place, group) in bytes.chunks_exact(8).enumerate() {
                if place < 15 {
                    words.push((1 + place, word(group)));
                } else {
                    let digit = beyond * i128::from(BASE) + i128::from(word(group));
                    beyond = digit % i128::from(PRIME);
                }
            }
            words.push((17, u64::try_from(beyond).unwrap()));
            words
        }
    };
    let weights = weights();
    let values = std::iter::once(Value::Uuid(*org)).chain(values.iter().cloned());
    let mut sum = 0;
    for (weight, value) in std::iter::once(&weights.org).chain(&weights.columns).zip(values) {
        for (place, word) in words(&value) {
            sum += i128::from(weight[place]) * i128::from(word) % i128::from(PRIME);
        }
    }
    i64::try_from(sum % i128::from(PRIME)).unwrap()
}

#[test]
fn it_is_what_its_definition_says_and_stays_so() {
    let (org, mut row) = (Uuid::from_u128(5), row());
    let seal = weights().seal(&org, &row);
    assert_eq!(seal, by_definition(&org, &row));
    assert_eq!(seal, 129_835_938_119_392_777, "files that exist depend on it");
    for extreme in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
        row[1] = Value::Int(extreme);
        row[5] = Value::Real(f64::from_bits(extreme.unsigned_abs() >> 2));
        assert_eq!(weights().seal(&org, &row), by_definition(&org, &row), "{extreme}");
    }
    for length in 0..400 {
        row[6] = Value::Text("wörter und wörter ".repeat(30).chars().take(length).collect());
        assert_eq!(weights().seal(&org, &row), by_definition(&org, &row), "{length}");
    }
}

#[test]
fn one_bit_anywhere_shows() {
    let (org, row, weights) = (Uuid::from_u128(5), row(), weights());
    let seal = weights.seal(&org, &row);
    let mut others = Vec::new();
    for bit in 0..128 {
        let other = Uuid::from_u128(org.as_u128() ^ (1 << bit));
        others.push((other, row.clone()));
    }
    for place in 0..row.len() {
        let bits = match &row[place] {
            Value::Null => 0,
            Value::Bool(_) => 1,
            Value::Uuid(_) => 128,
            Value::Text(text) | Value::Json(text) => text.len() * 8,
            Value::Bytes(bytes) => bytes.len() * 8,
            Value::Int(_) | Value::Time(_) | Value::Real(_) => 64,
        };
        for bit in 0..bits {
            let flip = |text: &str| {
                let mut bytes = text.as_bytes().to_vec();
                bytes[bit / 8] ^= 1 << (bit % 8);
                String::from_utf8(bytes)
            };
            let mut other = row.clone();
            other[place] = match &row[place] {
                Value::Null => Value::Null,
                Value::Bool(truth) => Value::Bool(!truth),
                Value::Uuid(id) => Value::Uuid(Uuid::from_u128(id.as_u128() ^ (1 << bit))),
                Value::Int(int) => Value::Int(int ^ (1 << bit)),
                Value::Time(int) => Value::Time(int ^ (1 << bit)),
                Value::Real(real) => Value::Real(f64::from_bits(real.to_bits() ^ (1 << bit))),
                Value::Bytes(bytes) => {
                    let mut bytes = bytes.clone();
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    Value::Bytes(bytes)
                }
                Value::Text(text) => match flip(text) {
                    Ok(text) => Value::Text(text),
                    Err(_) => continue,
                },
                Value::Json(text) => match flip(text) {
                    Ok(text) => Value::Json(text),
                    Err(_) => continue,
                },
            };
            others.push((org, other));
        }
        let mut other = row.clone();
        other[place] = match &row[place] {
            Value::Null => Value::Int(0),
            _ => Value::Null,
        };
        others.push((org, other));
    }
    assert!(others.len() > 500);
    for (org, other) in others {
        assert_ne!(weights.seal(&org, &other), seal, "{org} {other:?}");
    }
}

#[test]
fn values_that_change_places_show() {
    let (org, mut row, weights) = (Uuid::nil(), row(), weights());
    row[2] = Value::Int(8);
    let seal = weights.seal(&org, &row);
    row.swap(1, 2);
    assert_ne!(weights.seal(&org, &row), seal);
    let seal =
        |text: &str| weights.seal(&org, &[Value::Null, Value::Null, Value::Text(text.into())]);
    assert_ne!(seal(""), seal("\0"));
    assert_ne!(seal("12345678"), seal("12345678\0"));
    assert_ne!(seal(""), weights.seal(&org, &[]));
}

#[test]
fn a_sum_moves_its_seal_along_and_hides_nothing() {
    let (org, weights) = (Uuid::from_u128(5), weights());
    let prime = i64::try_from(PRIME).unwrap();
    let steps = [0, 1, -1, 1_000_000, -1_000_000, i64::MAX, i64::MIN + 7, i64::MIN];
    for by in steps {
        for used in [0, 7, -7] {
            let Some(sum) = i64::checked_add(used, by) else { continue };
            let mut row = row();
            row[1] = Value::Int(used);
            let moved = (weights.seal(&org, &row) + weights.step(1, by)) % prime;
            row[1] = Value::Int(sum);
            assert_eq!(weights.seal(&org, &row), moved, "{used} + {by}");
            row[1] = Value::Int(sum ^ 4);
            assert_ne!(weights.seal(&org, &row), moved, "{used} + {by}, flipped before");
        }
    }
}

#[test]
fn a_new_column_that_is_null_changes_no_seal() {
    static OTHER: Table = Table { name: "event", ..TABLE };
    static OPEN: Table = Table { sealed: false, ..TABLE };
    static EARLIER: Table = Table { columns: TABLE.columns.split_at(7).0, ..TABLE };
    let (org, mut row) = (Uuid::from_u128(5), row());
    (row[7], row[8]) = (Value::Null, Value::Null);
    let earlier = Weights::of(&EARLIER).unwrap().seal(&org, &row[..7]);
    assert_eq!(weights().seal(&org, &row), earlier);
    assert_ne!(Weights::of(&OTHER).unwrap().seal(&org, &row), earlier, "another table");
    assert!(Weights::of(&OPEN).is_none());
}

//! What crosses the boundary between records and a store: rows of typed values.

use serde_json::Value as Json;
use std::cmp::Ordering;
use time::OffsetDateTime;
use uuid::Uuid;

/// The type of one column. A backend picks its own physical encoding for each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A UUID, 16 bytes.
    Uuid,
    /// UTF-8 text, compared byte by byte.
    Text,
    /// A signed 64-bit integer.
    Int,
    /// A 64-bit float, never NaN.
    Real,
    /// True or false.
    Bool,
    /// An instant, in microseconds since the Unix epoch.
    Time,
    /// A JSON document, as text.
    Json,
    /// Any bytes, compared one by one.
    Bytes,
}

impl Kind {
    /// The name of this kind in the self-description of nouns.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uuid => "id",
            Self::Text => "string",
            Self::Int => "integer",
            Self::Real => "number",
            Self::Bool => "boolean",
            Self::Time => "timestamp",
            Self::Json => "object",
            Self::Bytes => "bytes",
        }
    }
}

/// One field of one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value; only in a nullable column.
    Null,
    /// See [`Kind::Uuid`].
    Uuid(Uuid),
    /// See [`Kind::Text`].
    Text(String),
    /// See [`Kind::Int`].
    Int(i64),
    /// See [`Kind::Real`].
    Real(f64),
    /// See [`Kind::Bool`].
    Bool(bool),
    /// See [`Kind::Time`].
    Time(i64),
    /// See [`Kind::Json`].
    Json(String),
    /// See [`Kind::Bytes`].
    Bytes(Vec<u8>),
}

impl Eq for Value {}

impl Ord for Value {
    /// Nulls first, then by value. A column holds one kind, so kinds meet only in a faulty backend.
    fn cmp(&self, other: &Self) -> Ordering {
        use Value::{Bool, Bytes, Int, Json, Null, Real, Text, Time, Uuid};
        match (self, other) {
            (Uuid(a), Uuid(b)) => a.cmp(b),
            (Text(a), Text(b)) | (Json(a), Json(b)) => a.cmp(b),
            (Int(a), Int(b)) | (Time(a), Time(b)) => a.cmp(b),
            // Adding zero takes its sign away, so that this agrees with `==`.
            (Real(a), Real(b)) => (a + 0.0).total_cmp(&(b + 0.0)),
            (Bool(a), Bool(b)) => a.cmp(b),
            (Bytes(a), Bytes(b)) => a.cmp(b),
            (Null, Null) => Ordering::Equal,
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Value {
    const fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Uuid(_) => 1,
            Self::Text(_) => 2,
            Self::Int(_) => 3,
            Self::Real(_) => 4,
            Self::Bool(_) => 5,
            Self::Time(_) => 6,
            Self::Json(_) => 7,
            Self::Bytes(_) => 8,
        }
    }

    /// Whether a column of `kind` may hold this value; null fits every kind.
    #[must_use]
    pub const fn fits(&self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Self::Null, _)
                | (Self::Uuid(_), Kind::Uuid)
                | (Self::Text(_), Kind::Text)
                | (Self::Int(_), Kind::Int)
                | (Self::Real(_), Kind::Real)
                | (Self::Bool(_), Kind::Bool)
                | (Self::Time(_), Kind::Time)
                | (Self::Json(_), Kind::Json)
                | (Self::Bytes(_), Kind::Bytes)
        )
    }
}

/// The values of one record, in the order of its table's columns. Column 0 is the primary key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// The primary key; the nil UUID if the row was not made for a table.
    #[must_use]
    pub fn key(&self) -> Uuid {
        match self.0.first() {
            Some(Value::Uuid(id)) => *id,
            _ => Uuid::nil(),
        }
    }

    /// The value in the column at `index`; null if the row is too short.
    #[must_use]
    pub fn at(&self, index: usize) -> &Value {
        self.0.get(index).unwrap_or(&Value::Null)
    }
}

/// A named, typed column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The name, in snake case.
    pub name: &'static str,
    /// The type of the values.
    pub kind: Kind,
    /// Whether null is a value.
    pub nullable: bool,
}

impl Column {
    /// The column that stores `field`, its kind taken from the field's own type.
    #[must_use]
    pub const fn of<R, F: Field>(name: &'static str, _field: fn(&R) -> &F) -> Self {
        Self { name, kind: F::KIND, nullable: F::NULLABLE }
    }
}

/// A Rust type that fits in one column.
pub trait Field: Sized {
    /// The kind of the column.
    const KIND: Kind;
    /// Whether the column may hold null.
    const NULLABLE: bool = false;
    /// What the field is called in the self-description of nouns.
    const TYPE: &'static str = Self::KIND.name();
    /// The words that the field can hold, when they are a closed list.
    const WORDS: &'static [&'static str] = &[];
    /// The value to store.
    fn to_value(&self) -> Value;
    /// The field stored as `value`, or `None` when this type could not have written it.
    fn from_value(value: Value) -> Option<Self>;
}

/// Bytes that only tenure itself reads. In JSON they are a text of hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Packed(pub Vec<u8>);

impl serde::Serialize for Packed {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(self.0.len().saturating_mul(2));
        for byte in &self.0 {
            let _ = write!(text, "{byte:02x}");
        }
        to.serialize_str(&text)
    }
}

impl<'de> serde::Deserialize<'de> for Packed {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        let pair = |pair: &[u8]| {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            let [high, low] = pair else { return None };
            u8::try_from(digit(high)?.checked_mul(16)?.checked_add(digit(low)?)?).ok()
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
        bytes.map(Self).ok_or_else(|| serde::de::Error::custom("must be hexadecimal digits"))
    }
}

/// Implements [`Field`] for a type that has a way to one [`Value`] and a fallible way back.
macro_rules! field {
    ($rust:ty, $kind:ident, |$s:ident| $to:expr, |$v:ident| $from:expr) => {
        impl $crate::value::Field for $rust {
            const KIND: $crate::value::Kind = $crate::value::Kind::$kind;
            fn to_value(&self) -> $crate::value::Value {
                let $s = self;
                $crate::value::Value::$kind($to)
            }
            fn from_value(value: $crate::value::Value) -> Option<Self> {
                match value {
                    $crate::value::Value::$kind($v) => $from,
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use field;

/// Implements [`Field`] as a JSON column for types that serde can write and read.
macro_rules! json_field {
    ($($rust:ty),+ $(,)?) => {
        $($crate::value::field!($rust, Json, |s| $crate::value::to_json(s), |v| {
            serde_json::from_str(&v).ok()
        });)+
    };
}
pub(crate) use json_field;

/// JSON text of `value`; `null` for what JSON cannot express, which no stored type contains.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

field!(Uuid, Uuid, |s| *s, |v| Some(v));
field!(String, Text, |s| s.clone(), |v| Some(v));
field!(Packed, Bytes, |s| s.0.clone(), |v| Some(Packed(v)));
field!(i64, Int, |s| *s, |v| Some(v));
field!(u32, Int, |s| i64::from(*s), |v| u32::try_from(v).ok());
field!(f64, Real, |s| *s, |v| Some(v));
field!(bool, Bool, |s| *s, |v| Some(v));
field!(
    OffsetDateTime,
    Time,
    |s| {
        let micros = i64::from(s.nanosecond().div_euclid(1_000));
        s.unix_timestamp().saturating_mul(1_000_000).saturating_add(micros)
    },
    |v| {
        let at = Self::from_unix_timestamp(v.div_euclid(1_000_000)).ok()?;
        let nanos = v.rem_euclid(1_000_000).checked_mul(1_000)?;
        at.replace_nanosecond(u32::try_from(nanos).ok()?).ok()
    }
);
json_field!(Json, Vec<String>);

impl<F: Field> Field for Option<F> {
    const KIND: Kind = F::KIND;
    const NULLABLE: bool = true;
    const TYPE: &'static str = F::TYPE;
    const WORDS: &'static [&'static str] = F::WORDS;
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Field::to_value)
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => F::from_value(value).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_sort_before_everything_else() {
        let mut values = vec![Value::Int(-1), Value::Null, Value::Int(0)];
        values.sort();
        assert_eq!(values, [Value::Null, Value::Int(-1), Value::Int(0)]);
    }

    #[test]
    fn zeros_are_equal_whatever_their_sign() {
        let (minus, plus) = (Value::Real(-0.0), Value::Real(0.0));
        assert_eq!(minus, plus);
        assert_eq!(minus.cmp(&plus), Ordering::Equal);
        assert!(Value::Real(-f64::MIN_POSITIVE) < minus);
    }

    #[test]
    fn instants_before_the_epoch_round_down_to_the_microsecond() {
        let instant = OffsetDateTime::UNIX_EPOCH - time::Duration::nanoseconds(1);
        assert_eq!(instant.to_value(), Value::Time(-1));
    }

    #[test]
    fn bytes_survive_json() {
        let packed = Packed((0..=255).collect());
        let json = serde_json::to_string(&packed).unwrap();
        assert!(json.starts_with("\"000102"), "{json}");
        assert_eq!(serde_json::from_str::<Packed>(&json).unwrap(), packed);
        for bad in ["\"0\"", "\"0g\"", "\"+1\"", "7"] {
            assert!(serde_json::from_str::<Packed>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_not_a_field() {
        assert_eq!(i64::from_value(Value::Text("7".into())), None);
        assert_eq!(Option::<i64>::from_value(Value::Null), Some(None));
        assert_eq!(i64::from_value(Value::Null), None);
    }
}

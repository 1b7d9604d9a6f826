//! JSON in which nothing is said twice.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// A JSON value, and the first key of it, at any depth, that an object has twice: which of the two
/// counts is for nobody to guess.
pub(super) struct Strict(pub(super) Value, pub(super) Option<String>);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Strict;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Strict, E> {
                Ok(Strict(Value::Null, None))
            }
            fn visit_bool<E>(self, it: bool) -> Result<Strict, E> {
                Ok(Strict(it.into(), None))
            }
            fn visit_i64<E>(self, it: i64) -> Result<Strict, E> {
                Ok(Strict(it.into(), None))
            }
            fn visit_u64<E>(self, it: u64) -> Result<Strict, E> {
                Ok(Strict(it.into(), None))
            }
            fn visit_f64<E>(self, it: f64) -> Result<Strict, E> {
                Ok(Strict(it.into(), None))
            }
            fn visit_str<E>(self, it: &str) -> Result<Strict, E> {
                Ok(Strict(it.into(), None))
            }
            fn visit_string<E>(self, it: String) -> Result<Strict, E> {
                Ok(Strict(it.into(), None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Strict, A::Error> {
                let (mut items, mut doubled) = (Vec::new(), None);
                while let Some(Strict(item, within)) = from.next_element()? {
                    doubled = doubled.or(within);
                    items.push(item);
                }
                Ok(Strict(Value::Array(items), doubled))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Strict, A::Error> {
                let (mut map, mut doubled) = (Map::new(), None);
                while let Some((key, Strict(value, within))) = from.next_entry::<String, _>()? {
                    if map.contains_key(&key) {
                        doubled = doubled.or(Some(key.clone()));
                    }
                    doubled = doubled.or(within);
                    map.insert(key, value);
                }
                Ok(Strict(Value::Object(map), doubled))
            }
        }
        from.deserialize_any(Reader)
    }
}

//! Free JSON objects that a host keeps with a record, within bounds.

use super::text::Malformed;
use crate::value::{field, to_json};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A JSON object of at most 64 KiB and 32 levels.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Document(Map<String, Value>);

const BYTES_MAX: usize = 64 * 1024;
const DEPTH_MAX: usize = 32;
const RULE: &str = "must be a JSON object of at most 64 KiB and 32 levels";

impl Document {
    /// An empty object.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The object.
    #[must_use]
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the object holds under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// This object with the keys of `patch` set; a null removes a key.
    ///
    /// # Errors
    ///
    /// When the result would be too large.
    pub fn merged(&self, patch: &Self) -> Result<Self, Malformed> {
        let mut map = self.0.clone();
        for (key, value) in &patch.0 {
            if value.is_null() {
                map.remove(key);
            } else {
                map.insert(key.clone(), value.clone());
            }
        }
        Self::try_from(Value::Object(map))
    }
}

impl TryFrom<Value> for Document {
    type Error = Malformed;

    fn try_from(value: Value) -> Result<Self, Malformed> {
        let sound = depth_within(&value, DEPTH_MAX) && to_json(&value).len() <= BYTES_MAX;
        match value {
            Value::Object(map) if sound => Ok(Self(map)),
            _ => Err(Malformed::new("…", RULE)),
        }
    }
}

fn depth_within(value: &Value, depth: usize) -> bool {
    let Some(below) = depth.checked_sub(1) else {
        return matches!(value, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_));
    };
    match value {
        Value::Array(items) => items.iter().all(|item| depth_within(item, below)),
        Value::Object(map) => map.values().all(|item| depth_within(item, below)),
        _ => true,
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::try_from(Value::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

// Most are empty.
field!(Document, Json, |s| if s.0.is_empty() { "{}".to_owned() } else { to_json(&s.0) }, |v| {
    if v == "{}" { Some(Self::default()) } else { serde_json::from_str(&v).ok().map(Self) }
});

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nested(depth: usize) -> Value {
        (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }))
    }

    #[test]
    fn depth_and_size_have_limits() {
        assert!(Document::try_from(nested(32)).is_ok());
        assert!(Document::try_from(nested(33)).is_err());
        let fits = "x".repeat(BYTES_MAX - r#"{"a":""}"#.len());
        assert!(Document::try_from(json!({ "a": fits })).is_ok());
        assert!(Document::try_from(json!({ "a": fits + "x" })).is_err());
        assert!(Document::try_from(json!([])).is_err());
    }

    #[test]
    fn a_null_removes_a_key_when_merged() {
        let doc = |value| Document::try_from(value).unwrap();
        let merged = doc(json!({"a": 1, "b": 2})).merged(&doc(json!({"b": null, "c": 3}))).unwrap();
        assert_eq!(merged, doc(json!({"a": 1, "c": 3})));
    }
}

//! Lists, a page at a time.

use crate::domain::text::Malformed;
use crate::error::{Error, Result};
use crate::store::query::After;
use crate::value::Value;
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// The most records on one page.
pub const PAGE_MAX: usize = 1_000;

/// # Errors
///
/// [`Error::Invalid`] when `limit` is not 1–1,000.
pub(crate) fn check_limit(limit: usize) -> Result<()> {
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(());
    }
    Err(Error::invalid("limit", &limit.to_string(), "must be 1–1,000"))
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The records, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page starts; none after the last.
    pub next: Option<Cursor>,
}

/// Where a page of a list starts: right after the last record of the page before, whatever was
/// added or removed meanwhile. It prints as a short text and is parsed from it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(After);

impl Cursor {
    pub(crate) const fn new(after: After) -> Self {
        Self(after)
    }

    pub(crate) const fn after(&self) -> &After {
        &self.0
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.0.key.simple();
        match &self.0.value {
            Value::Int(value) => write!(f, "{key}i{value}"),
            Value::Time(value) => write!(f, "{key}t{value}"),
            Value::Real(value) => write!(f, "{key}r{value}"),
            Value::Text(value) => write!(f, "{key}s{value}"),
            _ => write!(f, "{key}"),
        }
    }
}

impl std::str::FromStr for Cursor {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::new(text, "must be the cursor of a page");
        let (key, rest) = text.split_at_checked(32).ok_or_else(malformed)?;
        let key = Uuid::try_parse(key).map_err(|_| malformed())?;
        let mut letters = rest.chars();
        let value = match (letters.next(), letters.as_str()) {
            (None, _) => Value::Null,
            (Some('i'), number) => Value::Int(number.parse().map_err(|_| malformed())?),
            (Some('t'), number) => Value::Time(number.parse().map_err(|_| malformed())?),
            (Some('r'), number) => {
                let number = number.parse().ok().filter(|it: &f64| it.is_finite());
                Value::Real(number.ok_or_else(malformed)?)
            }
            (Some('s'), words) => Value::Text(words.to_owned()),
            _ => return Err(malformed()),
        };
        Ok(Self(After { value, key }))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let key = Uuid::from_u128(7);
        for value in [
            Value::Null,
            Value::Int(-3),
            Value::Real(0.07),
            Value::Time(1 << 50),
            Value::Text("i7 ✓".to_owned()),
        ] {
            let cursor = Cursor(After { value, key });
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bad in [
            "",
            "x",
            "0123",
            "é".repeat(20).as_str(),
            &format!("{}ix", key.simple()),
            &format!("{}rNaN", key.simple()),
        ] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}

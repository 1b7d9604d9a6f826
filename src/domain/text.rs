//! Text that was checked once, at the edge, and cannot be wrong after.

use std::fmt;

/// A text that does not keep a rule. It does not say which field it was meant for: a
/// [`Fault`](crate::Fault) does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The text, shortened.
    pub value: String,
    /// The rule that it breaks, as the end of a sentence: `must be …`.
    pub rule: &'static str,
}

impl Malformed {
    /// `text` breaks `rule`.
    #[must_use]
    pub fn new(text: &str, rule: &'static str) -> Self {
        Self { value: shortened(text), rule }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.value, self.rule)
    }
}

impl std::error::Error for Malformed {}

/// The first 40 characters of `text`, control characters escaped, for error messages.
#[must_use]
pub fn shortened(text: &str) -> String {
    const LENGTH_MAX: usize = 40;
    let mut short: String = text.chars().take(LENGTH_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(LENGTH_MAX).is_some() {
        short.push('…');
    }
    short
}

/// Gives a newtype over checked text its manners: borrowed and printed as text, parsed and
/// deserialised only by its own `parse`, stored as a text column.
macro_rules! checked_text {
    ($name:ident) => {
        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::text::Malformed;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        $crate::value::field!($name, Text, |s| s.0.clone(), |v| Self::parse(&v).ok());
    };
}
pub(crate) use checked_text;

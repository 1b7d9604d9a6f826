//! Drafts: what a caller wants of a record, as raw text, before it is checked.
//!
//! A draft names only what it wants set or cleared; what it does not name stays. It serves creation
//! and update alike, comes from JSON as well as from code, and is checked as a whole: every fault
//! of it is reported at once.

use super::text::Malformed;
use crate::error::Faults;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a draft wants of one field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// Leave it as it is (in JSON: the key is absent).
    #[default]
    Keep,
    /// Take the value away (in JSON: null).
    Clear,
    /// Give it this value.
    Set(T),
}

impl<T> Change<T> {
    /// Whether nothing is wanted.
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<T: Serialize> Serialize for Change<T> {
    /// Null for a clearing, and for a field to be kept, which its struct leaves out.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep | Self::Clear => to.serialize_none(),
            Self::Set(value) => value.serialize(to),
        }
    }
}

impl<T> From<T> for Change<T> {
    fn from(value: T) -> Self {
        Self::Set(value)
    }
}

impl<T> From<Option<T>> for Change<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }
}

impl From<&str> for Change<String> {
    fn from(text: &str) -> Self {
        Self::Set(text.to_owned())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(from).map(Self::from)
    }
}

impl Faults {
    /// Applies a change of a text to an optional field.
    pub(crate) fn optional<T>(
        &mut self,
        field: &str,
        change: &Change<String>,
        target: &mut Option<T>,
        parse: impl FnOnce(&str) -> Result<T, Malformed>,
    ) {
        match change {
            Change::Keep => {}
            Change::Clear => *target = None,
            Change::Set(text) => {
                if let Some(value) = self.note(field, parse(text)) {
                    *target = Some(value);
                }
            }
        }
    }

    /// Applies a change of a text to a field that cannot be empty.
    pub(crate) fn required<T>(
        &mut self,
        field: &str,
        change: &Change<String>,
        target: &mut T,
        parse: impl FnOnce(&str) -> Result<T, Malformed>,
    ) {
        match change {
            Change::Keep => {}
            Change::Clear => self.add(field, "", "is required"),
            Change::Set(text) => {
                if let Some(value) = self.note(field, parse(text)) {
                    *target = value;
                }
            }
        }
    }
}

/// Applies a change of a typed value to an optional field.
pub(crate) fn replace<T: Clone>(change: &Change<T>, target: &mut Option<T>) {
    match change {
        Change::Keep => {}
        Change::Clear => *target = None,
        Change::Set(value) => *target = Some(value.clone()),
    }
}

/// Applies a change of a typed value to a field that has a default.
pub(crate) fn replace_or_default<T: Clone + Default>(change: &Change<T>, target: &mut T) {
    match change {
        Change::Keep => {}
        Change::Clear => *target = T::default(),
        Change::Set(value) => *target = value.clone(),
    }
}

/// Declares a draft: a struct of changes with a setter for each field.
macro_rules! draft {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
        #[serde(rename_all = "camelCase", default, deny_unknown_fields)]
        pub struct $name { $(pub(crate) $field: $crate::domain::draft::Change<$type>),+ }

        impl $name {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $field(
                    mut self,
                    value: impl Into<$crate::domain::draft::Change<$type>>,
                ) -> Self {
                    self.$field = value.into();
                    self
                }
            )+
        }
    };
}
pub(crate) use draft;

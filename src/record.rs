//! Records: how a domain type is declared once and becomes a struct, JSON, a row and a description.

use crate::value::{Column, Row};
use uuid::Uuid;

/// A domain type that is kept as a row.
pub(crate) trait Record: Sized {
    /// The type of its id.
    type Id: Copy + From<Uuid> + Into<Uuid>;
    /// Its fields as columns; the first is the id.
    const COLUMNS: &'static [Column];
    /// The record as a row.
    fn to_row(&self) -> Row;
    /// The record stored as `row`, or the name of the first column that this type could not have
    /// written.
    ///
    /// # Errors
    ///
    /// The name of the offending column.
    fn from_row(row: Row) -> Result<Self, &'static str>;
}

/// Declares ids: a newtype over a UUID for each noun, so that one noun's id is never taken for
/// another's.
macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// The UUID itself.
            #[must_use]
            pub const fn uuid(self) -> uuid::Uuid {
                self.0
            }
        }

        impl From<uuid::Uuid> for $name {
            fn from(id: uuid::Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for uuid::Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::text::Malformed;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let malformed = |_| $crate::domain::text::Malformed::new(text, "must be a UUID");
                uuid::Uuid::parse_str(text).map(Self).map_err(malformed)
            }
        }

        $crate::value::field!($name, Uuid, |s| s.0, |v| Some(Self(v)));
    )+};
}
pub(crate) use id;

/// Declares a closed list of words as an enum. Each is written as its `snake_case` word; hyphens,
/// spaces and any case are understood, and further aliases may be named.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$doc:meta])* $variant:ident = $word:literal $(| $alias:literal)*),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every one of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::text::Malformed;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                const RULE: &str = concat!("must be one of", $(" ", $word),+);
                match text.to_ascii_lowercase().replace(['-', ' '], "_").as_str() {
                    $($word $(| $alias)* => Ok(Self::$variant),)+
                    _ => Err($crate::domain::text::Malformed::new(text, RULE)),
                }
            }
        }

        impl From<$name> for $crate::domain::draft::Change<String> {
            /// So that drafts, which take words as text, take the type as well.
            fn from(word: $name) -> Self {
                Self::Set(word.as_str().to_owned())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl $crate::value::Field for $name {
            const KIND: $crate::value::Kind = $crate::value::Kind::Text;
            const WORDS: &'static [&'static str] = &[$($word),+];
            fn to_value(&self) -> $crate::value::Value {
                $crate::value::Value::Text(self.as_str().to_owned())
            }
            fn from_value(value: $crate::value::Value) -> Option<Self> {
                match value {
                    $crate::value::Value::Text(text) => match text.as_str() {
                        $($word => Some(Self::$variant),)+
                        _ => None,
                    },
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use words;

/// Declares a noun: its struct, its JSON, its columns and its description, from one list of fields.
///
/// A doc comment is the description, `=> ["…"]` gives examples. Instants become RFC 3339 in JSON.
macro_rules! noun {
    (
        $(#[doc = $about:literal])+
        pub struct $noun:ident($id:ty), $singular:literal, $plural:literal, $category:literal {
            $($fields:tt)+
        }
        $(relationships { $($relation:ident: $target:literal $many:ident $meaning:literal),* $(,)? })?
        $(actions { $($action:ident => $event:ident),* $(,)? })?
        $(events { $($further:ident),* $(,)? })?
    ) => {
        $crate::record::noun!(@fields
            { [$($about)+] $noun ($id) } [] $($fields)+
        );

        impl $crate::noun::Describe for $noun {
            const NOUN: $crate::noun::Noun = $crate::noun::Noun {
                name: stringify!($noun),
                singular: $singular,
                plural: $plural,
                category: $category,
                description: &[$($about),+],
                properties: Self::PROPERTIES,
                relationships: &[$($($crate::noun::Relationship {
                    name: stringify!($relation),
                    noun: $target,
                    many: $crate::record::noun!(@many $many),
                    description: $meaning,
                }),*)?],
                actions: &[$($($crate::noun::Action {
                    action: stringify!($action),
                    event: stringify!($event),
                }),*)?],
                further_events: &[$($(stringify!($further)),*)?],
            };
        }
    };
    (@many one) => { false };
    (@many many) => { true };

    // Each field in turn, so that instants get their JSON format.
    (@fields $head:tt [$($done:tt)*]
        $(#[doc = $doc:literal])+ $field:ident: OffsetDateTime $(=> [$($eg:literal),*])?, $($rest:tt)*
    ) => {
        $crate::record::noun!(@fields $head [$($done)* {
            [$($doc)+] $field (OffsetDateTime) [$($($eg)*)?]
            [#[serde(with = "time::serde::rfc3339")]]
        }] $($rest)*);
    };
    (@fields $head:tt [$($done:tt)*]
        $(#[doc = $doc:literal])+ $field:ident: Option<OffsetDateTime> $(=> [$($eg:literal),*])?, $($rest:tt)*
    ) => {
        $crate::record::noun!(@fields $head [$($done)* {
            [$($doc)+] $field (Option<OffsetDateTime>) [$($($eg)*)?]
            [#[serde(with = "time::serde::rfc3339::option", default)]]
        }] $($rest)*);
    };
    (@fields $head:tt [$($done:tt)*]
        $(#[doc = $doc:literal])+ $field:ident: $type:ty $(=> [$($eg:literal),*])?, $($rest:tt)*
    ) => {
        $crate::record::noun!(@fields $head [$($done)* {
            [$($doc)+] $field ($type) [$($($eg)*)?] []
        }] $($rest)*);
    };
    (@fields { [$($about:literal)+] $noun:ident ($id:ty) } [$({
        [$($doc:literal)+] $field:ident ($type:ty) [$($eg:literal)*] [$($attribute:tt)*]
    })+]) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[non_exhaustive]
        pub struct $noun {
            $($(#[doc = $doc])+ $($attribute)* pub $field: $type,)+
        }

        impl $noun {
            const PROPERTIES: &'static [$crate::noun::Property] = &[$($crate::noun::Property {
                name: stringify!($field),
                kind: <$type as $crate::value::Field>::TYPE,
                optional: <$type as $crate::value::Field>::NULLABLE,
                description: &[$($doc),+],
                examples: &[$($eg),*],
                words: <$type as $crate::value::Field>::WORDS,
            }),+];
        }

        impl $crate::record::Record for $noun {
            type Id = $id;
            const COLUMNS: &'static [$crate::value::Column] = &[$($crate::value::Column::of(
                stringify!($field), |it: &$noun| &it.$field,
            )),+];

            fn to_row(&self) -> $crate::value::Row {
                use $crate::value::Field as _;
                $crate::value::Row(vec![$(self.$field.to_value()),+])
            }

            fn from_row(row: $crate::value::Row) -> Result<Self, &'static str> {
                use $crate::value::{Field, Value};
                let mut values = row.0.into_iter();
                Ok(Self {$(
                    $field: Field::from_value(values.next().unwrap_or(Value::Null))
                        .ok_or(stringify!($field))?,
                )+})
            }
        }
    };
}
pub(crate) use noun;

//! Self-description: what every noun is, for documentation, forms, agents and generic tools.

use serde::ser::{Serialize, SerializeStruct, Serializer};

/// A noun of the domain, described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Noun {
    /// The Rust type, such as `Customer`.
    pub name: &'static str,
    /// One of them, in lower case.
    pub singular: &'static str,
    /// Several of them, in lower case.
    pub plural: &'static str,
    /// The group of nouns that it belongs to.
    pub category: &'static str,
    pub(crate) description: &'static [&'static str],
    /// Its fields, in order.
    pub properties: &'static [Property],
    /// The nouns that it is related to.
    pub relationships: &'static [Relationship],
    /// What can be done to it, each with the event that tells of it.
    pub actions: &'static [Action],
    pub(crate) further_events: &'static [&'static str],
}

/// One field of a noun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Property {
    /// The field's name in Rust and in SQL; JSON has it in camel case, see [`Property::json_name`].
    pub name: &'static str,
    /// `id`, `string`, `decimal`, `integer`, `number`, `boolean`, `timestamp`,
    /// `object`, `list` or `bytes`.
    pub kind: &'static str,
    /// Whether it may be absent.
    pub optional: bool,
    pub(crate) description: &'static [&'static str],
    /// Values that it may have.
    pub examples: &'static [&'static str],
    /// All the values that it may have, when they are a closed list.
    pub words: &'static [&'static str],
}

/// What ties a noun to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Relationship {
    /// The role that the other one plays.
    pub name: &'static str,
    /// The other noun's singular.
    pub noun: &'static str,
    /// Whether there can be several.
    pub many: bool,
    /// What it means.
    pub description: &'static str,
}

/// Something that can be done to a noun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Action {
    /// The verb, such as `suspend`.
    pub action: &'static str,
    /// The event that it leaves, such as `suspended`.
    pub event: &'static str,
}

/// A type that is a noun.
pub trait Describe {
    /// The description.
    const NOUN: Noun;
}

impl Noun {
    /// What the noun is, in a sentence or two.
    #[must_use]
    pub fn description(&self) -> String {
        prose(self.description)
    }

    /// Every event that can be read of it from the outbox, without the noun in front.
    pub fn events(&self) -> impl Iterator<Item = &'static str> {
        let told = self.actions.iter().map(|action| action.event);
        told.chain(self.further_events.iter().copied())
    }
}

impl Property {
    /// What the field means, with its unit and range.
    #[must_use]
    pub fn description(&self) -> String {
        prose(self.description)
    }

    /// The field's name in JSON.
    #[must_use]
    pub fn json_name(&self) -> String {
        let mut words = self.name.split('_');
        let mut name = words.next().unwrap_or_default().to_owned();
        for word in words {
            let mut letters = word.chars();
            name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            name.push_str(letters.as_str());
        }
        name
    }
}

/// The lines of a doc comment as running text.
fn prose(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

impl Serialize for Noun {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut noun = to.serialize_struct("Noun", 9)?;
        noun.serialize_field("name", self.name)?;
        noun.serialize_field("singular", self.singular)?;
        noun.serialize_field("plural", self.plural)?;
        noun.serialize_field("category", self.category)?;
        noun.serialize_field("description", &self.description())?;
        noun.serialize_field("properties", self.properties)?;
        noun.serialize_field("relationships", self.relationships)?;
        noun.serialize_field("actions", self.actions)?;
        noun.serialize_field("events", &self.events().collect::<Vec<_>>())?;
        noun.end()
    }
}

impl Serialize for Property {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut property = to.serialize_struct("Property", 6)?;
        property.serialize_field("name", &self.json_name())?;
        property.serialize_field("type", self.kind)?;
        property.serialize_field("optional", &self.optional)?;
        property.serialize_field("description", &self.description())?;
        property.serialize_field("examples", self.examples)?;
        property.serialize_field("words", self.words)?;
        property.end()
    }
}

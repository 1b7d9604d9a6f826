//! `CloudEvents` (version 1.0, in JSON) as usage: what each attribute means to a meter.
//!
//! | attribute | becomes |
//! |---|---|
//! | `type` | the feature's code, as it is or as the host maps it |
//! | `subject` | the external org id of the customer, as a link knows it |
//! | `source` and `id` | the idempotency key: the same event counts once, however often it comes |
//! | `time` | when it was used; now without it |
//! | `data.quantity` | how much, a number or a decimal as text; 1 without it |
//! | the rest of `data` | the metadata |
//!
//! Extension attributes are left aside.

use super::access::CustomerRef;
use super::document::Document;
use super::metering::Track;
use super::quantity::Quantity;
use super::text::{Code, ExternalId, IdempotencyKey};
use super::usage::UsageSource;
use crate::error::{Error, Faults, Result};
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use strict::Strict;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// The longest event that is read, in bytes.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;
/// The longest batch that is read, in bytes.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most events of a batch.
pub const BATCH_EVENTS_MAX: usize = 10_000;

/// How `CloudEvents` are read: which type means which feature.
///
/// ```
/// use tenure::{CloudEvents, Quantity};
///
/// let events = CloudEvents::new().feature("com.acme.Completion", "tokens");
/// let track = events.read(r#"{
///     "specversion": "1.0", "type": "com.acme.Completion", "source": "/inference", "id": "run-17",
///     "subject": "org_42", "time": "2026-01-31T12:00:00Z",
///     "data": { "quantity": "1500.5", "model": "large" }
/// }"#)?;
/// assert_eq!((track.feature.as_str(), track.quantity), ("tokens", "1500.5".parse()?));
/// assert_eq!(track.idempotency_key.as_deref(), Some("ce:10:/inference:run-17"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CloudEvents {
    features: BTreeMap<String, String>,
}

impl CloudEvents {
    /// Every type is the code of a feature.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Events of this type count on the feature with this code.
    #[must_use]
    pub fn feature(mut self, event_type: impl Into<String>, code: impl Into<String>) -> Self {
        self.features.insert(event_type.into(), code.into());
        self
    }

    /// Reads one event in the structured JSON format, of at most 256 KiB.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault.
    pub fn read(&self, json: &str) -> Result<Track> {
        let Strict(event, doubled) = parse(json, EVENT_BYTES_MAX, "event")?;
        let mut faults = Faults::default();
        let track = self.track(event, doubled, "", &mut faults);
        track.ok_or(Error::Invalid(faults))
    }

    /// Reads the JSON batch format: an array of at most 10,000 events and 16 MiB. The tracks are in
    /// its order, and all or none are read.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault of every event, by its place: `events[3].type`.
    pub fn read_batch(&self, json: &str) -> Result<Vec<Track>> {
        let Batch(events, count) = parse(json, BATCH_BYTES_MAX, "events")?;
        if count > BATCH_EVENTS_MAX {
            let count = count.to_string();
            return Err(Error::invalid("events", &count, "must be at most 10,000"));
        }
        let (mut faults, mut tracks) = (Faults::default(), Vec::with_capacity(events.len()));
        for (place, Strict(event, doubled)) in events.into_iter().enumerate() {
            let track = self.track(event, doubled, &format!("events[{place}]"), &mut faults);
            tracks.extend(track.map(|track| Track { source: UsageSource::Batch, ..track }));
        }
        faults.check()?;
        Ok(tracks)
    }

    /// What an event asks to count; none if it has a fault, which is noted.
    fn track(
        &self,
        event: Value,
        doubled: Option<String>,
        path: &str,
        faults: &mut Faults,
    ) -> Option<Track> {
        let before = faults.0.len();
        if let Some(key) = doubled {
            let path = if path.is_empty() { "event" } else { path };
            faults.add(path, &key, "must not be named twice");
        }
        let Value::Object(map) = event else {
            let path = if path.is_empty() { "event" } else { path };
            faults.add(path, "", "must be an object");
            return None;
        };
        let mut attributes = Attributes { map, path, faults };
        let version = attributes.required("specversion");
        if version.as_deref().is_some_and(|version| version != "1.0") {
            attributes.fault("specversion", version.as_deref().unwrap_or_default(), "must be 1.0");
        }
        let (id, source) = (attributes.required("id"), attributes.required("source"));
        let feature = attributes.required("type").map(|event_type| {
            let code = self.features.get(&event_type).cloned();
            let code = code.unwrap_or(event_type);
            if Code::parse(&code).is_err() {
                attributes.fault("type", &code, "must be a feature's code, or be mapped to one");
            }
            code
        });
        let subject = attributes.required("subject").inspect(|subject| {
            if let Err(malformed) = ExternalId::parse(subject) {
                attributes.fault("subject", &malformed.value, malformed.rule);
            }
        });
        let event_time = attributes.text("time").and_then(|text| {
            let time = OffsetDateTime::parse(&text, &Rfc3339).ok();
            if time.is_none() {
                attributes.fault("time", &text, "must be an instant such as 2026-01-31T12:00:00Z");
            }
            time
        });
        let (quantity, metadata) = attributes.data();
        if faults.0.len() > before {
            return None;
        }
        let mut track = Track::new(CustomerRef::ExternalOrg(subject?), feature?);
        track.quantity = quantity;
        track.idempotency_key = Some(key(&source?, &id?));
        (track.event_time, track.metadata) = (event_time, metadata);
        Some(track)
    }
}

impl Track {
    /// The usage that a `CloudEvents` event tells of, whose type is the feature's code; see
    /// [`CloudEvents`] for another mapping, and the module
    /// [`cloud_event`](crate::domain::cloud_event) for what becomes of its attributes.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault.
    pub fn from_cloud_event(json: &str) -> Result<Self> {
        CloudEvents::new().read(json)
    }

    /// The usage that a batch of `CloudEvents` tells of, as
    /// [`from_cloud_event`](Self::from_cloud_event).
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault of every event.
    pub fn batch_from_cloud_events(json: &str) -> Result<Vec<Self>> {
        CloudEvents::new().read_batch(json)
    }
}

/// The key of the event that this source gave this id. The length of the source keeps two that are
/// joined alike apart. What makes no key, because it is longer than 255 bytes or shows nothing, is
/// replaced by its digest (UUID version 5), after a mark that no plain key has.
fn key(source: &str, id: &str) -> String {
    const SPACE: Uuid = Uuid::from_u128(0x1d5e_7001_5c3f_4f0a_9d3e_2f61_0c1b_a0ce);
    let plain = format!("ce:{}:{source}:{id}", source.len());
    match IdempotencyKey::parse(&plain) {
        Ok(key) => key.to_string(),
        Err(_) => format!("ce#{}", Uuid::new_v5(&SPACE, plain.as_bytes()).simple()),
    }
}

/// The attributes of an event, taken one by one, with where to note their faults.
struct Attributes<'a> {
    map: Map<String, Value>,
    path: &'a str,
    faults: &'a mut Faults,
}

impl Attributes<'_> {
    fn fault(&mut self, name: &str, value: &str, rule: &'static str) {
        let joint = if self.path.is_empty() { "" } else { "." };
        self.faults.add(format!("{}{joint}{name}", self.path), value, rule);
    }

    /// A null says the same as nothing.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) if !text.is_empty() => Some(text),
            other => {
                self.fault(name, &other.to_string(), "must be a text that is not empty");
                None
            }
        }
    }

    fn required(&mut self, name: &str) -> Option<String> {
        if self.map.get(name).is_none_or(Value::is_null) {
            self.fault(name, "", "is required");
        }
        self.text(name)
    }

    /// How much was used, and the rest of the data.
    fn data(&mut self) -> (Quantity, Option<Document>) {
        if self.take("data_base64").is_some() {
            self.fault("data_base64", "…", "must be data in JSON instead");
        }
        let mut data = match self.take("data") {
            None => return (Quantity::ONE, None),
            Some(Value::Object(data)) => data,
            Some(_) => {
                self.fault("data", "…", "must be an object");
                return (Quantity::ONE, None);
            }
        };
        let quantity = match data.remove("quantity") {
            None | Some(Value::Null) => Some(Quantity::ONE),
            Some(Value::String(text)) => text.parse().ok(),
            Some(number) => serde_json::from_value(number).ok(),
        };
        let quantity = quantity.filter(|quantity| quantity.is_positive()).unwrap_or_else(|| {
            const RULE: &str = "must be a decimal above zero with at most six places, as a text if \
                                it has more than 15 digits";
            self.fault("data.quantity", "…", RULE);
            Quantity::ONE
        });
        if data.is_empty() {
            return (quantity, None);
        }
        let metadata = Document::try_from(Value::Object(data));
        if let Err(malformed) = &metadata {
            self.fault("data", &malformed.value, malformed.rule);
        }
        (quantity, metadata.ok())
    }
}

fn parse<'de, T: Deserialize<'de>>(
    json: &'de str,
    bytes_max: usize,
    field: &'static str,
) -> Result<T> {
    if json.len() > bytes_max {
        let rule = "must be shorter: 256 KiB for an event, 16 MiB for a batch";
        return Err(Error::invalid(field, &format!("{} bytes", json.len()), rule));
    }
    serde_json::from_str(json).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        Error::invalid(field, &place, "must be JSON, an object for one event, an array for a batch")
    })
}

/// Several events, as many of them as are let in, and how many there are.
struct Batch(Vec<Strict>, usize);

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Batch;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Batch, A::Error> {
                let mut events = Vec::new();
                while events.len() < BATCH_EVENTS_MAX
                    && let Some(event) = from.next_element()?
                {
                    events.push(event);
                }
                // The rest is counted and not kept: a short text can name many.
                let mut count = events.len();
                while count >= BATCH_EVENTS_MAX && from.next_element::<IgnoredAny>()?.is_some() {
                    count = count.saturating_add(1);
                }
                Ok(Batch(events, count))
            }
        }
        from.deserialize_seq(Reader)
    }
}

mod strict;
#[cfg(test)]
mod tests;

//! How the events of a page are packed, and read again.
//!
//! After one byte for the version each event is: a byte of flags; the key, a UUID as its 16 bytes
//! and any other with its length; the quantity; the time since the event before it (the first one's:
//! since the page was recorded); and what few events have. At the end stands a checksum over the
//! page's columns and all of that. One counted now, with a UUID as its key, takes 17 bytes.

use super::super::document::Document;
use super::super::packing::{Checksum, Damaged, Unpack, put_number, put_signed, unseal};
use super::super::quantity::Quantity;
use super::super::text::IdempotencyKey;
use super::super::usage::{DeliveryStatus, UsageEvent, UsageEventId, UsageEventType};
use super::{Entry, UsagePage};
use crate::value::{Field, Value, to_json};
use std::collections::HashSet;
use time::OffsetDateTime;
use uuid::Uuid;

pub(super) const VERSION: u8 = 1;

/// The caller said when it took place.
const TIMED: u8 = 1;
/// At another time than the one before.
const TIME: u8 = 1 << 1;
/// A clamping limit took a part of what was asked for.
const REQUESTED: u8 = 1 << 2;
/// It has metadata.
const METADATA: u8 = 1 << 3;
/// The key is a UUID in its usual form.
const UUID: u8 = 1 << 4;
/// The quantity is 1.
const ONE: u8 = 1 << 5;
/// The quantity is a number of whole units.
const WHOLE: u8 = 1 << 6;
const KNOWN: u8 = 0x7F;

const UNIT: i64 = Quantity::ONE.millionths();

/// Appends an event.
pub(super) fn put(to: &mut Vec<u8>, entry: &Entry, before: i64) {
    let (time, key, millionths) =
        (micros(entry.event_time), Key::of(&entry.key), entry.quantity.millionths());
    let whole = millionths.checked_rem(UNIT) == Some(0);
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    to.push(
        flag(entry.is_timed, TIMED)
            | flag(time != before, TIME)
            | flag(entry.requested.is_some(), REQUESTED)
            | flag(entry.metadata.is_some(), METADATA)
            | flag(matches!(key, Key::Uuid(_)), UUID)
            | flag(entry.quantity == Quantity::ONE, ONE)
            | flag(whole && entry.quantity != Quantity::ONE, WHOLE),
    );
    match &key {
        Key::Uuid(bytes) => to.extend(bytes),
        Key::Text(text) => put_counted(to, text),
    }
    if entry.quantity != Quantity::ONE {
        let units = millionths.checked_div(UNIT).filter(|_| whole);
        put_signed(to, units.unwrap_or(millionths));
    }
    if time != before {
        put_signed(to, time.wrapping_sub(before));
    }
    if let Some(requested) = entry.requested {
        put_signed(to, requested.millionths());
    }
    if let Some(metadata) = &entry.metadata {
        put_counted(to, to_json(metadata).as_bytes());
    }
}

fn put_counted(to: &mut Vec<u8>, bytes: &[u8]) {
    put_number(to, bytes.len() as u64);
    to.extend(bytes);
}

/// A key as it is packed. One text has one form, so that keys can be compared without unpacking.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key<'k> {
    Uuid([u8; 16]),
    Text(&'k [u8]),
}

impl<'k> Key<'k> {
    fn of(key: &'k IdempotencyKey) -> Self {
        let text = key.as_str();
        let usual = |uuid: &Uuid| *uuid.hyphenated().encode_lower(&mut [0; 36]) == *text;
        match Uuid::try_parse(text).ok().filter(|uuid| text.len() == 36 && usual(uuid)) {
            Some(uuid) => Self::Uuid(uuid.into_bytes()),
            None => Self::Text(text.as_bytes()),
        }
    }

    fn unpacked(&self) -> Result<IdempotencyKey, Damaged> {
        match self {
            Self::Uuid(bytes) => {
                let mut text = [0; 36];
                IdempotencyKey::parse(Uuid::from_bytes(*bytes).hyphenated().encode_lower(&mut text))
            }
            Self::Text(text) => {
                IdempotencyKey::parse(std::str::from_utf8(text).map_err(|_| Damaged)?)
            }
        }
        .map_err(|_| Damaged)
    }
}

/// An event as it is packed, its numbers read.
struct Read<'b> {
    key: Key<'b>,
    quantity: i64,
    requested: Option<i64>,
    time: i64,
    is_timed: bool,
    metadata: Option<&'b [u8]>,
}

/// The events that are still to be read, and the time of the last one that was.
struct Events<'b> {
    left: Unpack<'b>,
    time: i64,
}

impl<'b> Events<'b> {
    fn read(&mut self) -> Result<Read<'b>, Damaged> {
        let from = &mut self.left;
        let flags = from.byte()?;
        let has = |flag: u8| flags & flag != 0;
        if flags & !KNOWN != 0 || has(ONE) && has(WHOLE) {
            return Err(Damaged);
        }
        let key = if has(UUID) {
            Key::Uuid(from.bytes(16)?.try_into().map_err(|_| Damaged)?)
        } else {
            Key::Text(from.counted()?)
        };
        let quantity = match (has(ONE), has(WHOLE)) {
            (true, _) => UNIT,
            (_, true) => from.signed()?.checked_mul(UNIT).ok_or(Damaged)?,
            _ => from.signed()?,
        };
        if has(TIME) {
            self.time = self.time.wrapping_add(from.signed()?);
        }
        let requested = if has(REQUESTED) { Some(from.signed()?) } else { None };
        let metadata = if has(METADATA) { Some(from.counted()?) } else { None };
        Ok(Read { key, quantity, requested, time: self.time, is_timed: has(TIMED), metadata })
    }
}

impl UsagePage {
    /// The columns that belong to the events as much as their bytes do, for the checksum.
    pub(super) fn head(&self) -> Checksum {
        let time = |at: OffsetDateTime| micros(at).to_le_bytes();
        let quantity = |it: Quantity| it.millionths().to_le_bytes();
        let (limit, ceiling) = (self.quantity_limit, self.usage_ceiling);
        Checksum::new()
            .feed(self.meter_id.uuid().as_bytes())
            .feed(self.customer_id.uuid().as_bytes())
            .feed(&time(self.window_start))
            .feed(&time(self.first_time))
            .feed(&time(self.last_time))
            .feed(&time(self.created_at))
            .feed(&self.events.to_le_bytes())
            .feed(&quantity(self.sum))
            .feed(&quantity(self.previous_value))
            .feed(&quantity(self.included_quantity))
            .feed(&[u8::from(self.is_wide), u8::from(limit.is_some()), u8::from(ceiling.is_some())])
            .feed(&quantity(limit.unwrap_or_default()))
            .feed(&quantity(ceiling.unwrap_or_default()))
            .feed(self.source.as_str().as_bytes())
            .feed(self.feature_code.as_str().as_bytes())
            .feed(&[0])
            .feed(self.product_id.as_str().as_bytes())
            .feed(&[0])
            .feed(self.performed_by.as_deref().unwrap_or_default().as_bytes())
    }

    /// Hands every event as it is packed to `take`, with the usage before it; then makes sure that
    /// they were as many, and added up to as much, as the page says.
    fn each(
        &self,
        mut take: impl FnMut(Read<'_>, Quantity) -> Result<(), Damaged>,
    ) -> Result<(), Damaged> {
        let mut left = Unpack(unseal(&self.packed.0, self.head())?);
        if left.byte()? != VERSION {
            return Err(Damaged);
        }
        let mut events = Events { left, time: micros(self.created_at) };
        let (first, last) = (micros(self.first_time), micros(self.last_time));
        let (mut count, mut sum) = (0_u32, Quantity::ZERO);
        while !events.left.is_empty() {
            let event = events.read()?;
            let before = self.previous_value.checked_add(sum).ok_or(Damaged)?;
            let quantity = Quantity::from_millionths(event.quantity);
            sum = sum.checked_add(quantity).ok_or(Damaged)?;
            count = count.checked_add(1).ok_or(Damaged)?;
            if !(first..=last).contains(&event.time) {
                return Err(Damaged);
            }
            take(event, before)?;
        }
        (count == self.events && sum == self.sum).then_some(()).ok_or(Damaged)
    }

    /// Whether its events are what was written and add up to what its columns say.
    ///
    /// # Errors
    ///
    /// [`Damaged`].
    pub fn check(&self) -> Result<(), Damaged> {
        self.each(|_, _| Ok(()))
    }

    /// Its events, as each would stand in the ledger by itself.
    ///
    /// # Errors
    ///
    /// [`Damaged`].
    pub fn unpacked(&self) -> Result<Vec<UsageEvent>, Damaged> {
        let mut events = Vec::new();
        self.each(|read, before| {
            events.push(self.event(&read, before)?);
            Ok(())
        })?;
        Ok(events)
    }

    /// Those of its events that hold one of `keys`.
    ///
    /// # Errors
    ///
    /// [`Damaged`].
    pub(crate) fn holding(&self, keys: &[&IdempotencyKey]) -> Result<Vec<UsageEvent>, Damaged> {
        let wanted: HashSet<Key<'_>> = keys.iter().map(|key| Key::of(key)).collect();
        let mut found = Vec::new();
        self.each(|read, before| {
            if wanted.contains(&read.key) {
                found.push(self.event(&read, before)?);
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn event(&self, read: &Read<'_>, previous_value: Quantity) -> Result<UsageEvent, Damaged> {
        let key = read.key.unpacked()?;
        let metadata = read.metadata.map(|json| {
            let text = std::str::from_utf8(json).ok()?;
            Document::from_value(Value::Json(text.to_owned()))
        });
        Ok(UsageEvent {
            id: UsageEventId::of(self.meter_id, &key),
            meter_id: self.meter_id,
            customer_id: self.customer_id,
            feature_code: self.feature_code.clone(),
            quantity: Quantity::from_millionths(read.quantity),
            requested: read.requested.map(Quantity::from_millionths),
            source: self.source,
            event_type: UsageEventType::Increment,
            event_time: OffsetDateTime::from_value(Value::Time(read.time)).ok_or(Damaged)?,
            window_start: self.window_start,
            is_timed: read.is_timed,
            created_at: self.created_at,
            previous_value,
            quantity_limit: self.quantity_limit,
            usage_ceiling: self.usage_ceiling,
            included_quantity: self.included_quantity,
            adjustment_reason: None,
            adjusts_event_id: None,
            idempotency_key: key,
            metadata: metadata.map(|it| it.ok_or(Damaged)).transpose()?,
            performed_by: self.performed_by.clone(),
            product_id: self.product_id.clone(),
            billing_profile_id: None,
            stripe_delivery_status: DeliveryStatus::NotApplicable,
            stripe_event_id: None,
            stripe_delivery_error: None,
            delivered_at: None,
        })
    }
}

/// Microseconds since 1970.
pub(super) fn micros(at: OffsetDateTime) -> i64 {
    match at.to_value() {
        Value::Time(micros) => micros,
        _ => 0,
    }
}

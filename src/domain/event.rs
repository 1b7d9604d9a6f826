//! Domain events: what happened, for the rest of the world, kept until it was taken note of.

use super::customer::CustomerId;
use crate::record::{id, noun};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies a domain event. Ids of one org sort in the order of its changes.
    EventId;
}

noun! {
    /// A change of state, written in the transaction that made it. Which events a noun leaves is
    /// listed by its self-description (`nouns()`); the name is the noun, a point and the event.
    pub struct Event(EventId), "event", "events", "account" {
        /// Identifies the event; stable over retries of its delivery.
        id: EventId,
        /// Numbers the org's events in the order of their commits, without a gap.
        sequence: i64 => ["1042"],
        /// The noun and what happened to it.
        name: String => ["customer.created", "entitlement.consumed"],
        /// The record that it happened to.
        subject: Uuid,
        /// The customer that it concerns.
        customer_id: Option<CustomerId>,
        /// Who did it.
        performed_by: String => ["system"],
        /// What else is worth knowing of it.
        data: Value => ["{\"from\":\"active\",\"to\":\"suspended\"}"],
        /// When it happened.
        occurred_at: OffsetDateTime,
    }
    relationships {
        customer: "customer" one "whom it concerns",
    }
}

impl EventId {
    /// The id of an org's event number `sequence`: a UUID (version 8) that begins with the number
    /// and ends with the org, so that it is unique everywhere and the primary key is in order.
    #[must_use]
    pub fn of(org: Uuid, sequence: i64) -> Self {
        let number = u128::from(sequence.unsigned_abs());
        let (high, low) = (number >> 12, number & 0xFFF);
        let tail = org.as_u128() & 0x3FFF_FFFF_FFFF_FFFF;
        let bits = (high & 0xFFFF_FFFF_FFFF) << 80 | 0x8 << 76 | low << 64 | 0x2 << 62 | tail;
        Self::from(Uuid::from_u128(bits))
    }
}

id! {
    /// Identifies a counter of the org.
    CounterId;
}

noun! {
    /// A number below which a sequence of the org gives out none any more.
    pub struct Counter(CounterId), "counter", "counters", "account" {
        /// Identifies the sequence.
        id: CounterId,
        /// The highest number that was given out and may no longer be found elsewhere.
        value: i64 => ["1042"],
    }
}

impl EventId {
    /// The number of the event in its org.
    #[must_use]
    pub fn sequence(self) -> i64 {
        let bits = self.0.as_u128();
        let number = (bits >> 80) << 12 | ((bits >> 64) & 0xFFF);
        i64::try_from(number).unwrap_or(i64::MAX)
    }
}

impl CounterId {
    /// The sequence of the org's domain events.
    #[must_use]
    pub const fn events() -> Self {
        Self(Uuid::from_u128(0x1d5e_7001_5c3f_4f0a_9d3e_2f61_0c1b_a004))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_number_and_are_valid_version_8_uuids() {
        let numbers = [0, 1, 4_095, 4_096, 4_097, 1 << 40];
        let ids = numbers.map(|number| EventId::of(Uuid::max(), number));
        assert!(ids.is_sorted());
        assert_eq!(ids.map(EventId::sequence), numbers);
        assert!(ids.iter().all(|id| id.uuid().get_version_num() == 8));
        assert_ne!(EventId::of(Uuid::nil(), 7), EventId::of(Uuid::max(), 7));
    }
}

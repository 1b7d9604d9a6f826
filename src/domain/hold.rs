//! Holds: room that is set aside for work whose cost is known only afterwards.

use super::access::CustomerRef;
use super::customer::CustomerId;
use super::document::Document;
use super::meter::MeterId;
use super::metering::UsageResult;
use super::quantity::Quantity;
use super::text::{Code, IdempotencyKey};
use super::usage::UsageEventId;
use crate::record::{id, noun, words};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

id! {
    /// Identifies a hold.
    HoldId;
}

words! {
    /// What became of a hold.
    pub enum HoldStatus {
        /// The room is set aside.
        Open = "open",
        /// What was really used has been counted.
        Committed = "committed",
        /// The room was given back.
        Released = "released",
        /// Its time was over before either.
        Expired = "expired",
    }
}

noun! {
    /// Room on a meter that is set aside until it is known how much was used.
    pub struct Hold(HoldId), "hold", "holds", "metering" {
        /// Identifies the hold; follows from meter and key.
        id: HoldId,
        /// The meter on which room is set aside.
        meter_id: MeterId,
        /// Whose usage it will be.
        customer_id: CustomerId,
        /// What will be used.
        feature_code: Code => ["ai_tokens"],
        /// How much room is set aside.
        quantity: Quantity => ["4000"],
        /// What makes a retry recognisable.
        idempotency_key: IdempotencyKey => ["job_77"],
        /// When it gives the room back by itself.
        expires_at: OffsetDateTime,
        /// What became of it.
        status: HoldStatus => ["open"],
        /// The usage event that was counted for it.
        usage_event_id: Option<UsageEventId>,
        /// When it was made.
        created_at: OffsetDateTime,
    }
    relationships {
        meter: "meter" one "on which room is set aside",
        usage_event: "usage event" one "what was counted for it",
    }
    actions { reserve => reserved, commit => committed, release => released }
    events { expired }
}

impl HoldId {
    /// The id of the hold with a key on a meter: derived, so that a key holds once.
    #[must_use]
    pub fn of(meter: MeterId, key: &IdempotencyKey) -> Self {
        Self::from(Uuid::new_v5(&meter.uuid(), format!("hold\0{}", key.as_str()).as_bytes()))
    }
}

impl Hold {
    /// Whether it keeps others from the room at `now`.
    #[must_use]
    pub fn is_open(&self, now: OffsetDateTime) -> bool {
        self.status == HoldStatus::Open && now < self.expires_at
    }
}

/// Room to be set aside.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it holds when it is given to `reserve`"]
#[non_exhaustive]
pub struct Reserve {
    /// Whose usage it will be.
    pub customer: CustomerRef,
    /// The feature's code.
    pub feature: String,
    /// How much, above zero.
    pub quantity: Quantity,
    /// How long the room is kept, more than nothing and at most 31 days.
    pub ttl: Duration,
    /// What makes a retry recognisable; without it every call holds.
    pub idempotency_key: Option<String>,
}

impl Reserve {
    /// Room for `quantity` of a feature, kept for `ttl`.
    pub fn new(
        customer: impl Into<CustomerRef>,
        feature: impl Into<String>,
        quantity: impl Into<Quantity>,
        ttl: Duration,
    ) -> Self {
        let (customer, feature, quantity) = (customer.into(), feature.into(), quantity.into());
        Self { customer, feature, quantity, ttl, idempotency_key: None }
    }

    /// What makes a retry recognisable.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }
}

/// The longest time that room can be set aside.
pub(crate) const TTL_MAX: Duration = Duration::days(31);

/// What became of a hold, and what was counted for it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Committed {
    /// The hold.
    pub hold: Hold,
    /// What was counted; none if nothing was used.
    pub usage: Option<UsageResult>,
}

/// What was really used of a hold.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it counts when it is given to `commit`"]
#[non_exhaustive]
pub struct Commit {
    /// The hold.
    pub hold: HoldId,
    /// How much was used; nothing gives the room back.
    pub actual: Quantity,
    /// Anything of the host's.
    pub metadata: Option<Document>,
}

impl Commit {
    /// So much was used of a hold.
    pub fn new(hold: HoldId, actual: impl Into<Quantity>) -> Self {
        Self { hold, actual: actual.into(), metadata: None }
    }

    /// With something of the host's.
    pub fn metadata(mut self, metadata: Document) -> Self {
        self.metadata = Some(metadata);
        self
    }
}

//! The ledger of usage: every change of a meter, and what it amounts to.

use super::customer::CustomerId;
use super::document::Document;
use super::link::ProductId;
use super::meter::MeterId;
use super::quantity::Quantity;
use super::text::{Code, ExternalId, IdempotencyKey, Note};
use crate::record::{id, noun, words};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies a usage event.
    UsageEventId;
    /// Identifies a snapshot of usage.
    UsageSnapshotId;
    /// Identifies a window that ended.
    UsageWindowId;
}

words! {
    /// What a usage event does to its meter.
    pub enum UsageEventType {
        /// Adds what was used.
        Increment = "increment",
        /// Sets the usage of the window to a value.
        Set = "set",
        /// Corrects the usage by a difference.
        Adjustment = "adjustment",
    }
}

#[expect(clippy::derivable_impls, reason = "the list of words derives the rest")]
impl Default for UsageEventType {
    fn default() -> Self {
        Self::Increment
    }
}

words! {
    /// Where a usage event came from.
    pub enum UsageSource {
        /// One call.
        Api = "api",
        /// A batch.
        Batch = "batch",
        /// A correction.
        Adjustment = "adjustment",
        /// History, imported.
        Import = "import",
        /// tenure itself.
        System = "system",
    }
}

words! {
    /// Whether a usage event has reached the billing gateway.
    pub enum DeliveryStatus {
        /// Not yet.
        Pending = "pending",
        /// It has.
        Delivered = "delivered",
        /// It was refused for good, or given up.
        Failed = "failed",
        /// It is not meant to, or was refunded before it was sent.
        NotApplicable = "not_applicable",
    }
}

words! {
    /// Why there is a snapshot.
    pub enum SnapshotType {
        /// The usage was set.
        Set = "set",
        /// The counter was recomputed from the events.
        Reconciliation = "reconciliation",
        /// A window ended.
        Reset = "reset",
    }
}

noun! {
    /// One entry of the ledger of usage: never removed, and never changed but for its delivery to
    /// the billing gateway. A meter is the sum of its events.
    pub struct UsageEvent(UsageEventId), "usage event", "usage events", "metering" {
        /// Identifies the event; follows from meter and idempotency key.
        id: UsageEventId,
        /// The meter that it counts on.
        meter_id: MeterId,
        /// Whose usage it is.
        customer_id: CustomerId,
        /// What was used.
        feature_code: Code => ["ai_credits"],
        /// The change that it makes, in the feature's unit; negative for a refund.
        quantity: Quantity => ["3"],
        /// What was asked for, where a clamping limit took only a part of it.
        requested: Option<Quantity>,
        /// Where it came from.
        source: UsageSource => ["api"],
        /// What it does.
        event_type: UsageEventType => ["increment"],
        /// When the usage took place.
        event_time: OffsetDateTime,
        /// The first instant of the window in which it counts.
        window_start: OffsetDateTime,
        /// Whether the caller said when; else it is when the event was recorded.
        is_timed: bool,
        /// When it was recorded.
        created_at: OffsetDateTime,
        /// The usage of the window before it.
        previous_value: Quantity => ["417"],
        /// The limit at that time.
        quantity_limit: Option<Quantity> => ["1000"],
        /// How high usage could go by the tightest of all limits at that time.
        usage_ceiling: Option<Quantity> => ["1000"],
        /// The included quantity at that time.
        included_quantity: Quantity => ["500"],
        /// Why the usage was set or adjusted.
        adjustment_reason: Option<Note> => ["refund for an outage"],
        /// The event that it corrects.
        adjusts_event_id: Option<UsageEventId>,
        /// What makes a retry recognisable, unique on the meter for ever.
        idempotency_key: IdempotencyKey => ["req_8f14e45f"],
        /// Anything of the host's.
        metadata: Option<Document>,
        /// Who did it.
        performed_by: Option<String> => ["u_17"],
        /// The product in which it was used.
        product_id: ProductId => ["default"],
        /// The customer at the billing gateway, if it was known there when this was recorded.
        billing_profile_id: Option<ExternalId>,
        /// Whether it has reached the billing gateway.
        stripe_delivery_status: DeliveryStatus => ["not_applicable"],
        /// Its id at the billing gateway; none for one that cancels another there.
        stripe_event_id: Option<ExternalId>,
        /// Why it has not reached it: what the last attempt came to.
        stripe_delivery_error: Option<Note>,
        /// When it reached it.
        delivered_at: Option<OffsetDateTime>,
    }
    relationships {
        meter: "meter" one "what it counts on",
        customer: "customer" one "whose usage it is",
        adjusts: "usage event" one "the event that it corrects",
    }
    actions { track => tracked, set => set, adjust => adjusted, retry => delivery_retried }
    events { delivered, delivery_failed }
}

impl UsageEventId {
    /// The id of the event that holds a key on a meter: derived, so that a key counts once.
    #[must_use]
    pub fn of(meter: MeterId, key: &IdempotencyKey) -> Self {
        Self::from(Uuid::new_v5(&meter.uuid(), key.as_str().as_bytes()))
    }
}

noun! {
    /// What has been given back of one usage event, so that it is never more than the event.
    pub struct Refund(UsageEventId), "refund", "refunds", "metering" {
        /// The usage event that was corrected.
        id: UsageEventId,
        /// The sum of its refunds, negative.
        adjusted: Quantity => ["-2"],
    }
    relationships {
        event: "usage event" one "what was given back",
    }
}

noun! {
    /// The usage of a window as it was set, reconciled or reset.
    pub struct UsageSnapshot(UsageSnapshotId), "usage snapshot", "usage snapshots", "metering" {
        /// Identifies the snapshot.
        id: UsageSnapshotId,
        /// The meter.
        meter_id: MeterId,
        /// Whose usage it is.
        customer_id: CustomerId,
        /// What is used.
        feature_code: Code => ["ai_credits"],
        /// Why the usage was changed.
        reason: Note => ["migrated from the old system"],
        /// Who did it.
        created_by: String => ["u_17"],
        /// The usage after it.
        absolute_value: Quantity => ["420"],
        /// What of that lies beyond the included quantity.
        billable_value: Quantity => ["0"],
        /// Why there is a snapshot.
        snapshot_type: SnapshotType => ["set"],
        /// The event that caused it.
        trigger_event_id: Option<UsageEventId>,
        /// Anything of the host's.
        metadata: Option<Document>,
        /// When it was taken.
        created_at: OffsetDateTime,
    }
    relationships {
        meter: "meter" one "whose usage it shows",
        trigger: "usage event" one "what caused it",
    }
}

noun! {
    /// What was used in a window that ended, in which late usage still counts, or in one that has
    /// not begun, by usage ahead of the clock.
    pub struct UsageWindow(UsageWindowId), "usage window", "usage windows", "metering" {
        /// Identifies the window; follows from meter and start.
        id: UsageWindowId,
        /// The meter.
        meter_id: MeterId,
        /// Whose usage it is.
        customer_id: CustomerId,
        /// Its first instant.
        window_start: OffsetDateTime,
        /// The first instant after it.
        window_end: OffsetDateTime,
        /// What was used in it.
        used: Quantity => ["930"],
        /// What of the unused quantity was carried on, and so is no longer there for late usage.
        carried_on: Quantity => ["0"],
    }
    relationships {
        meter: "meter" one "whose window it was",
    }
}

impl UsageWindowId {
    /// The id of a meter's window: derived, so that it is kept once.
    #[must_use]
    pub fn of(meter: MeterId, start: OffsetDateTime) -> Self {
        let micros = start.unix_timestamp_nanos().to_be_bytes();
        Self::from(Uuid::new_v5(&meter.uuid(), &micros))
    }
}

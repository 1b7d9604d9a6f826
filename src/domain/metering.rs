//! Metering: what is asked of a meter, and what it answers.

use super::access::CustomerRef;
use super::customer::CustomerId;
use super::document::Document;
use super::meter::{Meter, MeterId};
use super::quantity::Quantity;
use super::text::{Code, Note};
use super::usage::{UsageEvent, UsageEventId, UsageEventType, UsageSource};
use super::usage_page::Entry;
use crate::record::words;
use serde::Serialize;
use time::OffsetDateTime;

/// Usage to be counted.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it counts when it is given to `track`"]
#[non_exhaustive]
pub struct Track {
    /// Whose usage it is.
    pub customer: CustomerRef,
    /// The feature's code.
    pub feature: String,
    /// How much, above zero; 1 unless told otherwise.
    pub quantity: Quantity,
    /// What makes a retry recognisable; without it every call counts.
    pub idempotency_key: Option<String>,
    /// When it was used; now unless told otherwise.
    pub event_time: Option<OffsetDateTime>,
    /// Anything of the host's.
    pub metadata: Option<Document>,
    /// Where it comes from.
    pub source: UsageSource,
}

impl Track {
    /// One unit of a feature, used now.
    pub fn new(customer: impl Into<CustomerRef>, feature: impl Into<String>) -> Self {
        Self {
            customer: customer.into(),
            feature: feature.into(),
            quantity: Quantity::ONE,
            idempotency_key: None,
            event_time: None,
            metadata: None,
            source: UsageSource::Api,
        }
    }

    /// How much.
    pub fn quantity(mut self, quantity: impl Into<Quantity>) -> Self {
        self.quantity = quantity.into();
        self
    }

    /// What makes a retry recognisable.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// When it was used.
    pub const fn at(mut self, event_time: OffsetDateTime) -> Self {
        self.event_time = Some(event_time);
        self
    }

    /// With something of the host's.
    pub fn metadata(mut self, metadata: Document) -> Self {
        self.metadata = Some(metadata);
        self
    }
}

/// A correction of usage: a value to set, or a difference.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it counts when it is given to `set_usage` or `adjust_usage`"]
#[non_exhaustive]
pub struct Correction {
    /// Whose usage it is.
    pub customer: CustomerRef,
    /// The feature's code.
    pub feature: String,
    /// The value to set, or the difference.
    pub quantity: Quantity,
    /// Why.
    pub reason: String,
    /// The event that it corrects, for an adjustment.
    pub adjusts_event_id: Option<UsageEventId>,
    /// What makes a retry recognisable.
    pub idempotency_key: Option<String>,
    /// Who does it; the handle's actor unless told otherwise.
    pub performed_by: Option<String>,
    /// Anything of the host's.
    pub metadata: Option<Document>,
}

impl Correction {
    /// A correction by or to `quantity`, with its reason.
    pub fn new(
        customer: impl Into<CustomerRef>,
        feature: impl Into<String>,
        quantity: impl Into<Quantity>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            customer: customer.into(),
            feature: feature.into(),
            quantity: quantity.into(),
            reason: reason.into(),
            adjusts_event_id: None,
            idempotency_key: None,
            performed_by: None,
            metadata: None,
        }
    }

    /// The event that it corrects: refunds of one event never exceed it. The usage that is corrected
    /// is that of the running window, whenever the event took place.
    pub const fn of(mut self, event: UsageEventId) -> Self {
        self.adjusts_event_id = Some(event);
        self
    }

    /// What makes a retry recognisable.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Who does it.
    pub fn by(mut self, actor: impl Into<String>) -> Self {
        self.performed_by = Some(actor.into());
        self
    }

    /// With something of the host's.
    pub fn metadata(mut self, metadata: Document) -> Self {
        self.metadata = Some(metadata);
        self
    }
}

/// What a meter answers to a change.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UsageResult {
    /// Always true: what was not counted is an error.
    pub success: bool,
    /// The feature.
    pub feature_code: Code,
    /// The usage of the window before.
    pub previous_usage: Quantity,
    /// The usage of the window after.
    pub current_usage: Quantity,
    /// The change.
    pub delta: Quantity,
    /// What was asked for: more than the change where a clamping limit took only a part of it.
    pub requested: Quantity,
    /// The limit; none for any amount.
    pub quantity_limit: Option<Quantity>,
    /// What is left of the limit, never negative; none for any amount.
    pub remaining: Option<Quantity>,
    /// Whether nothing is left.
    pub is_at_limit: bool,
    /// What the base fee includes.
    pub included_quantity: Quantity,
    /// What of the usage lies beyond that, never negative.
    pub billable_quantity: Quantity,
    /// The meter.
    pub meter_id: MeterId,
    /// The entry in the ledger.
    pub event_id: UsageEventId,
    /// Whether this was counted before: then nothing was changed, and this is the first answer.
    pub duplicate: bool,
}

impl UsageEvent {
    /// The answer that was given when the event was recorded.
    pub(crate) fn result(&self, duplicate: bool) -> UsageResult {
        let current = self.previous_value.checked_add(self.quantity).unwrap_or(self.previous_value);
        let remaining = self.usage_ceiling.map(|ceiling| ceiling.beyond(current));
        UsageResult {
            success: true,
            feature_code: self.feature_code.clone(),
            previous_usage: self.previous_value,
            current_usage: current,
            delta: self.quantity,
            requested: self.requested.unwrap_or(self.quantity),
            quantity_limit: self.quantity_limit,
            remaining,
            is_at_limit: remaining.is_some_and(|remaining| !remaining.is_positive()),
            included_quantity: self.included_quantity,
            billable_quantity: current.beyond(self.included_quantity),
            meter_id: self.meter_id,
            event_id: self.id,
            duplicate,
        }
    }

    /// The first field in which what is asked for now differs from what the key was used for. A
    /// time that tenure filled in is no part of it.
    pub(crate) fn differs_from(&self, asked: &Asked<'_>) -> Option<&'static str> {
        let quantity = match self.event_type {
            UsageEventType::Set => self.previous_value.checked_add(self.quantity),
            _ => Some(self.requested.unwrap_or(self.quantity)),
        };
        let event_time = self.is_timed.then_some(self.event_time);
        if self.event_type != asked.event_type {
            Some("event type")
        } else if quantity != Some(asked.quantity) {
            Some("quantity")
        } else if event_time != asked.event_time {
            Some("event time")
        } else if self.adjusts_event_id != asked.adjusts {
            Some("adjusted event")
        } else if self.adjustment_reason != asked.reason {
            Some("reason")
        } else if self.metadata.as_ref() != asked.metadata {
            Some("metadata")
        } else {
            None
        }
    }
}

/// What a caller asks of a meter: the content that an idempotency key stands for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) event_type: UsageEventType,
    /// The increment, the difference, or the value to set.
    pub(crate) quantity: Quantity,
    /// When it took place, if the caller said so.
    pub(crate) event_time: Option<OffsetDateTime>,
    pub(crate) adjusts: Option<UsageEventId>,
    pub(crate) reason: Option<Note>,
    pub(crate) metadata: Option<&'a Document>,
    /// The room that was set aside for it.
    pub(crate) reserved: Option<Quantity>,
}

/// How many events a batch may hold.
pub const BATCH_MAX: usize = 10_000;

impl UsageResult {
    /// The answer to an event that is counted in bulk on top of what `meter` says.
    pub(crate) fn of_entry(meter: &Meter, entry: &Entry) -> Self {
        let current_usage = meter.used.checked_add(entry.quantity).unwrap_or(meter.used);
        let remaining = meter.free_ceiling().map(|ceiling| ceiling.beyond(current_usage));
        Self {
            success: true,
            feature_code: meter.feature_code.clone(),
            previous_usage: meter.used,
            current_usage,
            delta: entry.quantity,
            requested: entry.requested.unwrap_or(entry.quantity),
            quantity_limit: meter.limit,
            remaining,
            is_at_limit: remaining.is_some_and(|remaining| !remaining.is_positive()),
            included_quantity: meter.included,
            billable_quantity: current_usage.beyond(meter.included),
            meter_id: meter.id,
            event_id: entry.id,
            duplicate: false,
        }
    }
}

impl<'a> Asked<'a> {
    /// What a track asks for.
    pub(crate) fn increment(track: &'a Track) -> Self {
        Self {
            quantity: track.quantity,
            event_time: track.event_time.map(super::instant::utc),
            metadata: track.metadata.as_ref(),
            ..Self::default()
        }
    }

    /// The first field in which `other`, a track under the same key, differs from this one.
    pub(crate) fn differs_from(&self, other: &Asked<'_>) -> Option<&'static str> {
        if self.quantity != other.quantity {
            Some("quantity")
        } else if self.event_time != other.event_time {
            Some("event time")
        } else {
            (self.metadata != other.metadata).then_some("metadata")
        }
    }
}

/// Usage that was refused because it would go beyond a limit. Nothing was counted and the
/// idempotency key is free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LimitExceeded {
    /// The customer.
    pub customer_id: CustomerId,
    /// The feature.
    pub feature_code: Code,
    /// The limit.
    pub limit: Quantity,
    /// What was used already.
    pub used: Quantity,
    /// What was asked for.
    pub requested: Quantity,
    /// What is left, never negative.
    pub remaining: Quantity,
    /// When usage starts again from zero, if it does.
    #[serde(with = "time::serde::rfc3339::option")]
    pub reset_at: Option<OffsetDateTime>,
}

impl std::fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { feature_code, limit, used, requested, .. } = self;
        write!(
            f,
            "{requested} more of feature `{feature_code}` would exceed the limit of {limit}, of \
             which {used} are used"
        )
    }
}

words! {
    /// What differs between a counter and what it should sum up.
    pub enum DiscrepancyKind {
        /// The usage of a window, from the events in it.
        Usage = "usage",
        /// What is set aside, from the holds that are open.
        Held = "held",
        /// What is left, from what each entitlement has left; the same quantity twice where their
        /// number differs instead.
        Room = "room",
    }
}

/// A difference between a counter and what it should sum up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Discrepancy {
    /// The meter.
    pub meter_id: MeterId,
    /// The customer.
    pub customer_id: CustomerId,
    /// The feature.
    pub feature_code: Code,
    /// What differs.
    pub kind: DiscrepancyKind,
    /// What the counter says.
    pub stored: Quantity,
    /// What it should say.
    pub computed: Quantity,
    /// The first instant of the window that differs.
    #[serde(with = "time::serde::rfc3339")]
    pub window_start: OffsetDateTime,
}

/// What [`verify`](crate::Tenure::verify) found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Verification {
    /// How many meters were compared.
    pub meters: usize,
    /// How many usage events were added up.
    pub events: usize,
    /// How many differences there are; with correct code and a sound file none.
    pub differences: usize,
    /// The first 1,000 of them, in the order of the meters' ids.
    pub discrepancies: Vec<Discrepancy>,
}

impl Verification {
    /// Whether everything agreed.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.differences == 0
    }
}

/// What a meter says after its counter was compared with its events.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Reconciliation {
    /// The meter as it is now.
    pub meter: Meter,
    /// What differed and was mended.
    pub discrepancies: Vec<Discrepancy>,
}

/// Which usage events to list, newest first.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct HistoryFilter {
    /// Only events of this type.
    pub event_type: Option<UsageEventType>,
    /// Only usage from then on.
    pub from: Option<OffsetDateTime>,
    /// Only usage before then.
    pub to: Option<OffsetDateTime>,
    /// Leaves out those that have reached the billing gateway.
    pub exclude_delivered: bool,
}

impl HistoryFilter {
    /// Every event.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Only events of this type.
    #[must_use]
    pub const fn of_type(mut self, event_type: UsageEventType) -> Self {
        self.event_type = Some(event_type);
        self
    }

    /// Leaves out those that have reached the billing gateway.
    #[must_use]
    pub const fn undelivered(mut self) -> Self {
        self.exclude_delivered = true;
        self
    }

    /// Only usage from then on.
    #[must_use]
    pub const fn from(mut self, at: OffsetDateTime) -> Self {
        self.from = Some(at);
        self
    }

    /// Only usage before then.
    #[must_use]
    pub const fn to(mut self, at: OffsetDateTime) -> Self {
        self.to = Some(at);
        self
    }
}

//! Pages of the ledger: the usage events of one meter that a batch brought, sealed in one record.
//!
//! What they have in common, and what SQL wants to know of them, are columns; the events themselves
//! are packed. A page is written once and never changed.

mod codec;
mod cut;

use super::customer::CustomerId;
use super::document::Document;
use super::event::EventId;
use super::link::ProductId;
use super::meter::MeterId;
use super::quantity::Quantity;
use super::text::{Code, IdempotencyKey};
use super::usage::{UsageEventId, UsageSource};
use crate::record::{id, noun};
use crate::value::Packed;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

id! {
    /// Identifies a page of the ledger.
    UsagePageId;
}

noun! {
    /// Usage events of one meter and one window that came in a batch, sealed: never changed, never
    /// removed.
    pub struct UsagePage(UsagePageId), "usage page", "usage pages", "metering" {
        /// Identifies the page; follows from its number in the org.
        id: UsagePageId,
        /// The part of the ledger in which it lies, counted from 0.
        section: u32 => ["0"],
        /// The meter that its events count on.
        meter_id: MeterId,
        /// Whose usage it is.
        customer_id: CustomerId,
        /// What was used.
        feature_code: Code => ["ai_credits"],
        /// The first instant of the window in which its events count.
        window_start: OffsetDateTime,
        /// When the earliest usage took place.
        first_time: OffsetDateTime,
        /// When the latest usage took place.
        last_time: OffsetDateTime,
        /// Whether more than a day lies between them.
        is_wide: bool,
        /// How many events it holds.
        events: u32 => ["10"],
        /// What they add up to.
        sum: Quantity => ["12"],
        /// The usage of the window before its first event.
        previous_value: Quantity => ["417"],
        /// The limit at that time.
        quantity_limit: Option<Quantity> => ["1000"],
        /// How high usage could go by the tightest of all limits at that time.
        usage_ceiling: Option<Quantity> => ["1000"],
        /// The included quantity at that time.
        included_quantity: Quantity => ["500"],
        /// Where its events came from.
        source: UsageSource => ["batch"],
        /// The product in which it was used.
        product_id: ProductId => ["default"],
        /// Who did it.
        performed_by: Option<String> => ["u_17"],
        /// When it was recorded.
        created_at: OffsetDateTime,
        /// The events, in the order in which they were counted.
        packed: Packed,
    }
    relationships {
        meter: "meter" one "what its events count on",
        customer: "customer" one "whose usage it is",
    }
}

/// How many pages a section has.
///
/// Sections lead the index. A batch adds a page for each of its meters; in one index of them all
/// each would lie elsewhere on the disk, in that of a section they lie close together. So a batch
/// writes the same however long the ledger is, and what is sought of a meter is sought in each
/// section.
const SECTION_PAGES: u64 = 1 << 13;

/// Pages that span more time than this are found apart from the others.
pub(crate) const SPAN_MAX: Duration = Duration::days(1);

/// The section of page number `number`, which counts from 1.
pub(crate) fn section_of(number: u64) -> u32 {
    u32::try_from(number.saturating_sub(1).div_euclid(SECTION_PAGES)).unwrap_or(u32::MAX)
}

impl UsagePageId {
    /// The id of an org's page number `number`: the primary key is in the order of the numbers.
    #[must_use]
    pub fn of(org: Uuid, number: u64) -> Self {
        // An org's pages are numbered as its events are.
        Self::from(EventId::of(org, number.cast_signed()).uuid())
    }
}

/// What the events of a series have in common: everything but what each of them says for itself.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The meter.
    pub meter_id: MeterId,
    /// Whose usage it is.
    pub customer_id: CustomerId,
    /// What was used.
    pub feature_code: Code,
    /// The first instant of the window in which the events count.
    pub window_start: OffsetDateTime,
    /// The usage of the window before the first of them.
    pub previous_value: Quantity,
    /// The limit at that time.
    pub quantity_limit: Option<Quantity>,
    /// How high usage could go by the tightest of all limits at that time.
    pub usage_ceiling: Option<Quantity>,
    /// The included quantity at that time.
    pub included_quantity: Quantity,
    /// Where they came from.
    pub source: UsageSource,
    /// The events, in the order in which they were counted.
    pub entries: Vec<Entry>,
}

/// What one event of a page says for itself.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The event's id, which follows from meter and key.
    pub id: UsageEventId,
    /// What makes a retry recognisable.
    pub key: IdempotencyKey,
    /// What was counted.
    pub quantity: Quantity,
    /// What was asked for, where a clamping limit took only a part of it.
    pub requested: Option<Quantity>,
    /// When it took place, to the microsecond.
    pub event_time: OffsetDateTime,
    /// Whether the caller said when.
    pub is_timed: bool,
    /// Anything of the host's.
    pub metadata: Option<Document>,
}

/// Who records a series, where and when.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) product_id: ProductId,
    pub(crate) performed_by: Option<String>,
    pub(crate) created_at: OffsetDateTime,
}

impl UsagePage {
    /// This page as the org's number `number`.
    pub(crate) fn numbered(mut self, org: Uuid, number: u64) -> Self {
        (self.id, self.section) = (UsagePageId::of(org, number), section_of(number));
        self
    }
}

impl Series {
    /// The pages of the series, in order, still without a number. `None` if a sum is out of range.
    pub(crate) fn pages(&self, recorded: &Recorded) -> Option<Vec<UsagePage>> {
        let mut previous_value = self.previous_value;
        let mut pages = Vec::new();
        for (entries, mut bytes) in cut::pages(&self.entries, recorded.created_at) {
            let times = || entries.iter().map(|entry| entry.event_time);
            let (first_time, last_time) = (times().min()?, times().max()?);
            let mut sum = Quantity::ZERO;
            for entry in entries {
                sum = sum.checked_add(entry.quantity)?;
            }
            let mut page = UsagePage {
                id: UsagePageId::from(Uuid::nil()),
                section: 0,
                meter_id: self.meter_id,
                customer_id: self.customer_id,
                feature_code: self.feature_code.clone(),
                window_start: self.window_start,
                first_time,
                last_time,
                is_wide: last_time.saturating_sub(SPAN_MAX) > first_time,
                events: u32::try_from(entries.len()).ok()?,
                sum,
                previous_value,
                quantity_limit: self.quantity_limit,
                usage_ceiling: self.usage_ceiling,
                included_quantity: self.included_quantity,
                source: self.source,
                product_id: recorded.product_id.clone(),
                performed_by: recorded.performed_by.clone(),
                created_at: recorded.created_at,
                packed: Packed::default(),
            };
            previous_value = previous_value.checked_add(sum)?;
            super::packing::seal(&mut bytes, page.head());
            page.packed = Packed(bytes);
            pages.push(page);
        }
        Some(pages)
    }
}

#[cfg(test)]
mod tests;

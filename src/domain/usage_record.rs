//! Usage that no feature keeps count of, recorded by hand, and the figures that usage counts in.

use super::customer::CustomerId;
use super::quantity::Quantity;
use super::subscription::SubscriptionId;
use super::text::{Code, IdempotencyKey};
use crate::error::Faults;
use crate::record::{id, noun, words};
use crate::value::json_field;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies usage that was recorded by hand.
    UsageRecordId;
}

words! {
    /// The figures that a usage period has by name.
    pub enum UsageFigure {
        /// What was run.
        TotalExecutions = "total_executions",
        /// What of it succeeded.
        SuccessfulExecutions = "successful_executions",
        /// What of it failed.
        FailedExecutions = "failed_executions",
        /// What of it was passed on to people.
        EscalatedExecutions = "escalated_executions",
        /// Tokens of language models.
        TokensUsed = "tokens_used",
        /// Minutes of computing.
        ComputeMinutes = "compute_minutes",
        /// Gigabytes stored.
        StorageGb = "storage_gb",
        /// Gigabytes sent and received.
        BandwidthGb = "bandwidth_gb",
        /// Calls of the programming interface.
        ApiCalls = "api_calls",
        /// Webhooks delivered.
        WebhookDeliveries = "webhook_deliveries",
    }
}

/// Amounts by the code of what was used.
pub type UsageByResource = BTreeMap<Code, Quantity>;
/// Amounts by figure.
pub type UsageByFigure = BTreeMap<UsageFigure, Quantity>;

json_field!(UsageByResource, UsageByFigure);

noun! {
    /// Usage of which no feature keeps count, recorded by hand. It counts in every usage period that
    /// its instant is in.
    pub struct UsageRecord(UsageRecordId), "usage record", "usage records", "metering" {
        /// Identifies the record; follows from customer and idempotency key.
        id: UsageRecordId,
        /// Whose usage it is.
        customer_id: CustomerId,
        /// The subscription that it belongs to.
        subscription_id: Option<SubscriptionId>,
        /// When it took place.
        used_at: OffsetDateTime,
        /// How much, by figure.
        figures: UsageByFigure => ["{\"webhook_deliveries\":3}"],
        /// How much besides, by code.
        resources: UsageByResource => ["{\"gpu_hours\":0.5}"],
        /// What makes a retry recognisable, unique for the customer for ever.
        idempotency_key: IdempotencyKey => ["req_8f14e45f"],
        /// Who recorded it.
        performed_by: String => ["u_17"],
        /// When it was recorded.
        created_at: OffsetDateTime,
    }
    relationships {
        customer: "customer" one "whose usage it is",
        subscription: "subscription" one "what it belongs to",
    }
}

impl UsageRecordId {
    /// The id of the record that holds a key of a customer: derived, so that a key counts once.
    #[must_use]
    pub fn of(customer: CustomerId, key: &IdempotencyKey) -> Self {
        Self::from(Uuid::new_v5(&customer.uuid(), format!("usage {key}").as_bytes()))
    }
}

/// Usage to be recorded by hand.
///
/// ```
/// use tenure::{NewUsageRecord, UsageFigure};
/// use time::macros::datetime;
///
/// let webhooks = NewUsageRecord::at(datetime!(2026-01-31 11:00 UTC))
///     .figure(UsageFigure::WebhookDeliveries, 3)
///     .resource("gpu_hours", 1)
///     .key("export-17");
/// # drop(webhooks);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it counts when it is given to `record_usage`"]
#[non_exhaustive]
pub struct NewUsageRecord {
    /// When it took place: now or earlier, not longer ago than late usage may be.
    pub used_at: OffsetDateTime,
    /// The subscription that it belongs to.
    pub subscription: Option<SubscriptionId>,
    /// How much, by figure; none below zero.
    pub figures: UsageByFigure,
    /// How much besides, by code; none below zero.
    pub resources: BTreeMap<String, Quantity>,
    /// What makes a retry recognisable; without it every call counts.
    pub idempotency_key: Option<String>,
}

impl NewUsageRecord {
    /// Nothing yet, used at `used_at`.
    pub const fn at(used_at: OffsetDateTime) -> Self {
        Self {
            used_at,
            subscription: None,
            figures: BTreeMap::new(),
            resources: BTreeMap::new(),
            idempotency_key: None,
        }
    }

    /// So much of a figure.
    pub fn figure(mut self, figure: UsageFigure, quantity: impl Into<Quantity>) -> Self {
        self.figures.insert(figure, quantity.into());
        self
    }

    /// So much of something else.
    pub fn resource(mut self, code: impl Into<String>, quantity: impl Into<Quantity>) -> Self {
        self.resources.insert(code.into(), quantity.into());
        self
    }

    /// As usage of one subscription, of which it is told apart.
    pub const fn of(mut self, subscription: SubscriptionId) -> Self {
        self.subscription = Some(subscription);
        self
    }

    /// What makes a retry recognisable.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// The resources by their checked codes, every fault of the record noted.
    pub(crate) fn check(&self, faults: &mut Faults) -> UsageByResource {
        const RESOURCES_MAX: usize = 100;
        if self.resources.len() > RESOURCES_MAX {
            faults.add("resources", "…", "must be at most 100");
        }
        if self.figures.is_empty() && self.resources.is_empty() {
            faults.add("figures", "", "must name a figure or a resource");
        }
        let figures = self.figures.iter().map(|(it, quantity)| (it.as_str(), quantity));
        let resources = self.resources.iter().map(|(it, quantity)| (it.as_str(), quantity));
        for (name, quantity) in figures.chain(resources).filter(|it| it.1.is_negative()) {
            faults.add(name, &quantity.to_string(), "must not be negative");
        }
        let codes = self.resources.iter().filter_map(|(code, quantity)| {
            Some((faults.note("resources", Code::parse(code))?, *quantity))
        });
        codes.collect()
    }
}

//! Billing: what tenure asks of the system that takes the money.

use super::quantity::Quantity;
use super::text::{ExternalId, Line};
use super::usage::UsageEventId;
use crate::error::Result;
use serde::Serialize;
use time::OffsetDateTime;

/// A checkout session, as the gateway knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutSession {
    /// Its id.
    pub id: String,
    /// Whether it was completed and paid.
    pub is_complete: bool,
    /// The gateway's word for where it stands.
    pub status: String,
    /// The subscription that it led to.
    pub subscription_id: Option<String>,
    /// The customer at the gateway.
    pub customer_id: Option<String>,
}

/// A subscription, as the gateway knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySubscription {
    /// Its id.
    pub id: String,
    /// The customer at the gateway.
    pub customer_id: String,
    /// Whether it runs: active, trialing or past due.
    pub status: super::subscription::SubscriptionStatus,
    /// Its prices; the tier is found by them.
    pub price_ids: Vec<String>,
    /// Seats.
    pub quantity: u32,
    /// When it started.
    pub started_at: OffsetDateTime,
}

/// Usage that a gateway is to bill.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MeterEvent {
    /// Identifies it, the same in every attempt: what was taken once must not count again.
    pub identifier: UsageEventId,
    /// The meter that it counts on.
    pub event_name: Line,
    /// The customer at the gateway.
    pub customer_id: ExternalId,
    /// How much, printed as an exact decimal; negative for what is given back.
    pub value: Quantity,
    /// When it was used.
    pub timestamp: OffsetDateTime,
}

/// Why a gateway did not do what was asked of it with a meter event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeterFailure {
    /// It was not reached or had no time: nothing happened, and it is asked again later.
    #[error("{0}")]
    NotTaken(String),
    /// It gave no answer, or a broken one: it may have happened. It is asked again later, with the
    /// same identifier, but not after it has forgotten that, which is taken to be after 23 hours.
    #[error("{0}")]
    Unknown(String),
    /// It will never do it.
    #[error("{0}")]
    Refused(String),
}

/// The system that takes the money. Calls go over a network: tenure never makes one inside a
/// transaction.
pub trait BillingGateway: Send + Sync {
    /// The checkout session with this id, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Gateway`](crate::Error::Gateway) when the gateway cannot be reached or answers
    /// nonsense.
    fn checkout_session(&self, id: &ExternalId) -> Result<Option<CheckoutSession>>;

    /// The subscription with this id, if there is one.
    ///
    /// # Errors
    ///
    /// As [`checkout_session`](Self::checkout_session).
    fn subscription(&self, id: &ExternalId) -> Result<Option<GatewaySubscription>>;

    /// Takes usage to bill, and returns by which id the gateway knows it. What it took already under
    /// the same identifier is taken, and does not count again.
    ///
    /// # Errors
    ///
    /// Which of the three it is decides whether it is tried again.
    fn send_meter_event(&self, event: &MeterEvent) -> Result<ExternalId, MeterFailure>;

    /// Cancels usage that was taken. What is cancelled already stays so, which is no failure.
    ///
    /// # Errors
    ///
    /// [`MeterFailure::Refused`] when it is too late, or there is no such usage: it is then
    /// corrected by a negative quantity.
    fn cancel_meter_event(
        &self,
        event_name: &Line,
        identifier: UsageEventId,
    ) -> Result<(), MeterFailure>;
}

/// What claiming a checkout or linking a subscription led to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BillingLink {
    /// The subscription, in tenure.
    pub subscription_id: super::subscription::SubscriptionId,
    /// Whether it was claimed or linked before.
    pub already: bool,
    /// How many features its tier gave.
    pub features_applied: usize,
    /// The tier that was applied, if one was found.
    pub tier_code: Option<super::text::Code>,
}

/// Where a customer stands with its payments.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BillingStatus {
    /// Whether the gateway knows the customer.
    pub has_billing_profile: bool,
    /// The subscriptions that run, each with its tier if that is defined.
    pub active_subscriptions: Vec<ActiveSubscription>,
    /// How many features the customer may use.
    pub enabled_features_count: usize,
    /// What it brings in a month, for each currency.
    pub mrr: Vec<super::money::Money>,
}

/// A subscription that runs, with its tier.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ActiveSubscription {
    /// The subscription.
    #[serde(flatten)]
    pub subscription: super::subscription::Subscription,
    /// Its tier, if it is defined.
    pub tier: Option<super::tier::Tier>,
}

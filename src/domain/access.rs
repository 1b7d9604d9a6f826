//! Access: may it be used now, and if not, why not and what would help.

use super::customer::CustomerId;
use super::document::Document;
use super::quantity::Quantity;
use super::text::Code;
use super::window::Window;
use crate::record::words;
use serde::Serialize;
use time::OffsetDateTime;

words! {
    /// Why a feature may not be used.
    pub enum DenialReason {
        /// There is no such customer, or no organisation of this id is linked to one.
        UnknownCustomer = "unknown_customer",
        /// The catalogue has no such feature.
        UnknownFeature = "unknown_feature",
        /// The customer has no right to it.
        NotEntitled = "not_entitled",
        /// It is switched off, for the customer or for all.
        Disabled = "disabled",
        /// The right begins later.
        NotYetValid = "not_yet_valid",
        /// The right has ended.
        Expired = "expired",
        /// The right is suspended.
        Suspended = "suspended",
        /// The right was taken away.
        Revoked = "revoked",
        /// The limit does not leave room for the quantity.
        LimitReached = "limit_reached",
        /// The customer's account is suspended.
        CustomerSuspended = "customer_suspended",
        /// The customer has left.
        CustomerChurned = "customer_churned",
    }
}

/// The answer to "may this customer use this feature now".
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Access {
    /// The feature asked for.
    pub feature_code: String,
    /// What people call it.
    pub feature_name: String,
    /// Whether the customer has the right and it is switched on.
    pub is_enabled: bool,
    /// Whether it may be used now, in the quantity asked for.
    pub can_use: bool,
    /// Whether a limit counts.
    pub has_quantity: bool,
    /// What was used in the current window.
    pub current_usage: Quantity,
    /// The limit of the window; none for any amount.
    pub quantity_limit: Option<Quantity>,
    /// What the base fee includes.
    pub included_quantity: Quantity,
    /// What is left of the limit, never negative; none for any amount.
    pub remaining: Option<Quantity>,
    /// Configuration for this customer.
    pub config: Document,
    /// Until when the right holds, if it ends.
    #[serde(with = "time::serde::rfc3339::option")]
    pub valid_until: Option<OffsetDateTime>,
    /// When usage starts again from zero, if it does.
    #[serde(with = "time::serde::rfc3339::option")]
    pub reset_at: Option<OffsetDateTime>,
    /// Why not, if not.
    pub reason: Option<DenialReason>,
    /// The smallest change that would allow it, if not.
    pub remedy: Option<Remedy>,
    /// The window that the limit counts over.
    pub window: Option<Window>,
}

/// The smallest change that would allow what was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "change")]
#[non_exhaustive]
pub enum Remedy {
    /// Onboard the organisation, or link it to its customer.
    LinkCustomer,
    /// Define the feature.
    DefineFeature,
    /// Give the customer a tier with the feature, or grant it.
    Grant,
    /// Switch it on.
    Enable,
    /// Wait until the right begins, or the usage starts again from zero.
    Wait {
        /// Until then.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
    },
    /// Extend the right.
    Extend,
    /// Resume the right.
    Resume,
    /// Raise the limit.
    RaiseLimit {
        /// By this much.
        by: Quantity,
    },
    /// Reactivate the customer.
    ReactivateCustomer,
}

impl Access {
    /// The answer for what is not known at all.
    pub(crate) fn unknown(feature: &str, reason: DenialReason) -> Self {
        Self {
            feature_code: feature.to_owned(),
            feature_name: feature.to_owned(),
            is_enabled: false,
            can_use: false,
            has_quantity: false,
            current_usage: Quantity::ZERO,
            quantity_limit: None,
            included_quantity: Quantity::ZERO,
            remaining: None,
            config: Document::new(),
            valid_until: None,
            reset_at: None,
            reason: Some(reason),
            remedy: reason.remedy(None),
            window: None,
        }
    }
}

impl DenialReason {
    /// The smallest change that would allow it; `until` is when waiting helps.
    pub(crate) fn remedy(self, until: Option<OffsetDateTime>) -> Option<Remedy> {
        Some(match self {
            Self::UnknownCustomer => Remedy::LinkCustomer,
            Self::UnknownFeature => Remedy::DefineFeature,
            Self::NotEntitled | Self::Revoked => Remedy::Grant,
            Self::Disabled => Remedy::Enable,
            Self::NotYetValid | Self::LimitReached => Remedy::Wait { until: until? },
            Self::Expired => Remedy::Extend,
            Self::Suspended => Remedy::Resume,
            Self::CustomerSuspended | Self::CustomerChurned => Remedy::ReactivateCustomer,
        })
    }

    /// The end of the sentence "the feature may not be used: …".
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::UnknownCustomer => "there is no such customer",
            Self::UnknownFeature => "there is no such feature",
            Self::NotEntitled => "the customer is not entitled to it",
            Self::Disabled => "it is switched off",
            Self::NotYetValid => "the customer's right to it has not begun",
            Self::Expired => "the customer's right to it has ended",
            Self::Suspended => "the customer's right to it is suspended",
            Self::Revoked => "the customer's right to it was revoked",
            Self::LimitReached => "the limit is reached",
            Self::CustomerSuspended => "the customer is suspended",
            Self::CustomerChurned => "the customer has left",
        }
    }
}

/// A use that was refused because the customer has no right to it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Denial {
    /// The customer.
    pub customer_id: CustomerId,
    /// The feature.
    pub feature_code: Code,
    /// Why not.
    pub reason: DenialReason,
    /// What would help.
    pub remedy: Option<Remedy>,
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "feature `{}` may not be used: {}", self.feature_code, self.reason.sentence())
    }
}

/// A customer, as a caller names it: by its id, or by an organisation of the handle's product that
/// is linked to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CustomerRef {
    /// The customer itself.
    Id(CustomerId),
    /// The customer that this organisation is linked to.
    ExternalOrg(String),
}

impl std::fmt::Display for CustomerRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::ExternalOrg(external) => external.fmt(f),
        }
    }
}

impl From<CustomerId> for CustomerRef {
    fn from(id: CustomerId) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for CustomerRef {
    fn from(external_org_id: &str) -> Self {
        Self::ExternalOrg(external_org_id.to_owned())
    }
}

impl From<String> for CustomerRef {
    fn from(external_org_id: String) -> Self {
        Self::ExternalOrg(external_org_id)
    }
}

impl From<&Self> for CustomerRef {
    fn from(customer: &Self) -> Self {
        customer.clone()
    }
}

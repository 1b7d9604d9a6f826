#![doc = include_str!("../README.md")]

pub mod billing;
pub mod domain;
mod error;
pub mod noun;
mod ops;
mod page;
mod record;
pub mod store;
mod tables;
mod tenure;
mod tracker;
mod tx;
pub mod value;
mod warm;

pub use domain::access::{Access, CustomerRef, Denial, DenialReason, Remedy};
pub use domain::billing::{
    ActiveSubscription, BillingGateway, BillingLink, BillingStatus, CheckoutSession,
    GatewaySubscription,
};
pub use domain::calendar::ResetPeriod;
pub use domain::clues::Hints;
pub use domain::contact::{Contact, ContactDraft, ContactId};
pub use domain::customer::{
    Address, Customer, CustomerAction, CustomerDraft, CustomerId, CustomerKind, CustomerSize,
    CustomerStatus, RiskLevel, Stage,
};
pub use domain::display_name::DisplayName;
pub use domain::document::Document;
pub use domain::domain_name::DomainName;
pub use domain::draft::Change;
pub use domain::email::Email;
pub use domain::entitlement::{
    AccessPatch, Entitlement, EntitlementId, EntitlementSource, EntitlementStatus, NewGrant, Window,
};
pub use domain::event::{Event, EventId};
pub use domain::feature::{Excess, Feature, FeatureDraft, FeatureKind, Grace, Measure, Overage};
pub use domain::flair::{Flair, FlairId};
pub use domain::link::{Link, LinkId, LinkKind, LinksReset, ProductId, SyncStatus};
pub use domain::meter::{Meter, MeterId};
pub use domain::metering::{
    Correction, Discrepancy, HistoryFilter, LimitExceeded, Reconciliation, Track, UsageResult,
    Verification,
};
pub use domain::money::{Currency, Money};
pub use domain::onboarding::{
    BackfillProgress, BillingOutcome, LinkStatus, Onboard, Onboarded, SmartLink, Suggestion,
};
pub use domain::org::Org;
pub use domain::quantity::Quantity;
pub use domain::smart_link::{Evidence, EvidenceKind};
pub use domain::subscription::{
    BillingCycle, NewSubscription, Subscription, SubscriptionAction, SubscriptionId,
    SubscriptionKind, SubscriptionStatus,
};
pub use domain::text::{
    Code, Country, ExternalId, IdempotencyKey, Line, Locale, Malformed, Name, Note,
};
pub use domain::tier::{Fee, Rollover, Tier, TierDraft, TierFeature, TierId, TierOverride};
pub use domain::tier_change::{FeatureChange, OverLimit, SuggestedAction, TierChange, When};
pub use domain::usage::{
    DeliveryStatus, SnapshotType, UsageEvent, UsageEventId, UsageEventType, UsageSnapshot,
    UsageSource,
};
pub use domain::user::{User, UserDraft, UserId};
pub use domain::zone::TimeZone;
pub use error::{Error, ErrorCode, Fault, Faults, Result};
pub use noun::Noun;
pub use ops::{
    BackfillReport, ContactUpsert, ContactsUpsert, NewFlair, NewLink, Ticked, TierApplied,
};
pub use page::{Cursor, PAGE_MAX, Page};
pub use store::{OrgId, Outcome, Store};
pub use tables::nouns;
pub use tenure::{Builder, Config, Preview, Tenure};
pub use tracker::{Ticket, Tracker, TrackerOptions};
pub use tx::{Tx, View};

//! What can be done: the methods of [`View`](crate::View) and [`Tx`](crate::Tx), where rules meet
//! records.
//!
//! Each file is one subject. An operation reads what it needs, asks `domain/` what follows, and
//! writes it with its event. It checks everything before it writes anything, so that one that is
//! refused has changed nothing.

mod access;
mod aliases;
mod backfill;
mod batch;
mod billing;
mod bulk;
mod consumption;
mod contacts;
mod counting;
mod customers;
mod delivery;
mod delivery_queue;
mod display_names;
mod duplicates;
mod entitlements;
mod events;
mod expansion;
mod expansion_pipeline;
mod features;
pub(crate) mod filters;
mod flairs;
mod hindsight;
mod holds;
mod keys;
mod leads;
mod ledger;
pub(crate) mod link_index;
mod links;
mod metering;
mod meters;
pub(crate) mod offer;
mod onboarding;
mod opportunities;
mod pages;
mod runs;
mod settlements;
mod smart_link;
mod subscriptions;
mod tick;
mod tier_changes;
mod tiers;
mod usage_periods;
mod usage_records;
mod usage_reports;
mod users;
mod verification;

pub use backfill::BackfillReport;
pub use contacts::{ContactUpsert, ContactsUpsert};
pub use expansion::ExpansionOutlook;
pub use expansion_pipeline::{ExpansionPipeline, PipelineSum};
pub use flairs::NewFlair;
pub use links::NewLink;
pub use tick::Ticked;
pub use tier_changes::TierApplied;

//! What can be done: the methods of [`View`](crate::View) and [`Tx`](crate::Tx), where rules meet
//! records.
//!
//! Each file is one subject. An operation reads what it needs, asks `domain/` what follows, and
//! writes it with its event. It checks everything before it writes anything, so that one that is
//! refused has changed nothing.

mod access;
mod activity;
mod aliases;
mod backfill;
mod batch;
mod billing;
mod blocked;
mod bulk;
mod channel;
mod churn;
mod cohorts;
mod consumption;
mod contacts;
mod counting;
mod courses;
mod customers;
mod delivery;
mod delivery_queue;
mod display_names;
mod duplicates;
mod engagement;
mod entitlements;
mod escalation;
mod evaluation;
mod events;
mod expansion;
mod expansion_pipeline;
mod facts;
mod features;
mod fed;
pub(crate) mod filters;
mod flairs;
mod health;
mod health_models;
mod health_overrides;
mod health_portfolio;
mod health_reports;
mod health_scoring;
mod hindsight;
mod holds;
mod interventions;
mod keys;
mod leads;
mod ledger;
mod lifecycle;
pub(crate) mod link_index;
mod links;
mod metering;
mod meters;
mod metrics;
mod nps_reports;
mod nps_responses;
mod nps_surveys;
pub(crate) mod offer;
mod onboarding;
mod opportunities;
mod pages;
mod playbook_completion;
mod playbooks;
#[cfg(feature = "report")]
mod portfolio;
#[cfg(feature = "report")]
mod portfolio_words;
mod retention;
mod revenue;
mod runs;
mod settlements;
mod smart_link;
mod subscriptions;
mod sweep;
mod tasks;
mod tick;
mod tier_changes;
mod tiers;
mod usage_periods;
mod usage_records;
mod usage_reports;
mod users;
mod validation;
mod verification;

pub use backfill::BackfillReport;
pub use churn::SignalsKept;
pub use contacts::{ContactUpsert, ContactsUpsert};
pub use evaluation::{Evaluated, EvaluationFailure, EvaluationReport};
pub use expansion::ExpansionOutlook;
pub use expansion_pipeline::{ExpansionPipeline, PipelineSum};
pub use flairs::NewFlair;
pub use health::HealthScore;
pub use health_overrides::HealthOverride;
pub use health_portfolio::HealthPortfolio;
pub use health_reports::{HealthBackTest, HealthDifference, MetricMove};
pub use links::NewLink;
pub use playbook_completion::PlaybookCompletion;
pub use tick::Ticked;
pub use tier_changes::TierApplied;

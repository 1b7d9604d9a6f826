//! The promises of the product, as stories over its public API, told on every backend.

#![expect(unreachable_pub, reason = "the modules of a test binary are no API")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "a test that goes wrong panics, which is its answer"
)]
#![allow(
    clippy::module_inception,
    clippy::struct_field_names,
    clippy::match_same_arms,
    reason = "a table lists each row, an example keeps its name"
)]
#![allow(clippy::needless_pass_by_value, reason = "stories read better so")]
#![allow(
    clippy::redundant_closure_for_method_calls,
    reason = "a method of a view is of one lifetime, a story's closure of every"
)]

#[macro_use]
mod support;

mod activity;
mod aliases;
mod bad_input;
mod batch;
mod billing;
mod calendar_facts;
#[cfg(feature = "sqlite")]
mod channel_processes;
mod checks;
#[cfg(feature = "sqlite")]
mod child;
mod churn;
mod cloud_events;
mod concurrency;
mod conformance;
mod contacts;
mod corrections;
mod custom_store;
mod customers;
mod delivery;
mod denials;
mod duplicates;
mod edges;
mod engagement;
mod entitlements;
mod evaluation;
mod evaluation_histories;
mod events;
mod evidence;
mod expansion;
mod facts;
mod fed;
mod grant_facts;
mod grants;
mod health;
mod health_facts;
mod health_laws;
mod histories;
mod history;
mod holds;
mod idempotency_facts;
mod interventions;
#[cfg(feature = "sqlite")]
mod kill;
#[cfg(feature = "sqlite")]
mod kill_tickets;
mod leads;
mod levels;
mod lifecycle;
mod link_index;
mod link_promises;
mod link_quality;
mod link_questions;
mod links;
mod many_grants;
mod metered;
mod metrics;
mod model;
mod nouns;
mod nps;
mod nps_reports;
mod onboarding;
mod orgs;
mod periods;
#[cfg(feature = "report")]
mod portfolio;
#[cfg(feature = "sqlite")]
mod processes;
mod random;
mod revenue;
mod revenue_facts;
mod revenue_histories;
mod sealed;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statistics;
mod subscriptions;
mod success_edges;
mod tampered;
mod tasks;
mod thresholds;
mod tick;
mod tidy;
mod tiers;
mod tiling;
mod track;
mod tracker;
mod usage_periods;
mod usage_reports;
mod users;
mod verify;
mod warm;
mod windows;
#[cfg(feature = "sqlite")]
mod within;

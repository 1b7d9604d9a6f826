//! The promises of the product, as stories over its public API, told on every backend.

#![expect(unreachable_pub, reason = "the modules of a test binary are no API")]

#[macro_use]
mod support;

mod calendar_facts;
mod checks;
mod concurrency;
mod conformance;
mod corrections;
mod custom_store;
mod histories;
mod history;
mod idempotency_facts;
mod metered;
mod periods;
mod random;
#[cfg(feature = "sqlite")]
mod sqlite_store;
mod tampered;
mod thresholds;
// On with the SQLite backend:
// #[cfg(feature = "sqlite")]
// mod child;
// #[cfg(feature = "sqlite")]
// mod kill;
// #[cfg(feature = "sqlite")]
// mod processes;
mod tidy;
mod track;
mod verify;

//! The promises of the product, as stories over its public API, told on every backend.

#![expect(unreachable_pub, reason = "the modules of a test binary are no API")]

#[macro_use]
mod support;

mod calendar_facts;
mod conformance;
mod custom_store;
mod histories;
mod metered;
mod periods;
mod random;
mod tampered;
#[cfg(feature = "sqlite")]
mod sqlite_store;
mod tidy;
mod track;

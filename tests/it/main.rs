//! The promises of the product, as stories over its public API, told on every backend.

#![expect(unreachable_pub, reason = "the modules of a test binary are no API")]

#[macro_use]
mod support;

mod calendar_facts;
mod corrections;
mod history;
mod metered;
mod periods;
mod tampered;
mod thresholds;
mod tidy;
mod track;

//! The rules of the product, as pure functions and values: no store, no clock, no randomness.

pub mod calendar;
pub mod cycle;
pub mod period;
pub mod recurrence;
pub mod schedule;
pub mod text;
pub mod threshold;
pub mod zone;

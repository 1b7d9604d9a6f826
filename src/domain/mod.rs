//! The rules of the product, as pure functions and values: no store, no clock, no randomness.

pub mod text;
pub mod zone;

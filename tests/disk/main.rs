//! What the store promises when the disk fails: over a simulated disk, whose every call can go wrong
//! and whose power can go at any of them.

#![expect(unreachable_pub, reason = "the modules of a test binary are no API")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong panics, which is its answer"
)]
#![cfg(feature = "sqlite")]

mod controls;
mod cuts;
mod disk;
mod errors;
mod openings;
mod operations;
mod vfs;
mod world;

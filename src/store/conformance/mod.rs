//! The tests that every [`Store`] must pass, for authors of backends.
//!
//! Turn on the cargo feature `conformance` where the tests are built, and write one line:
//!
//! ```toml
//! [dev-dependencies]
//! tenure = { version = "0.1", features = ["conformance"] }
//! ```
//!
//! ```
//! # use tenure::store::memory::MemoryStore as MyStore;
//! #[cfg(test)]
//! mod conformance {
//!     use super::MyStore;
//!
//!     tenure::conformance!(MyStore::new());
//! }
//! ```
//!
//! Each rule becomes a test of its own, named after what it asks for; the documentation of the
//! function of that name (in [`rows`], [`uniqueness`], …) says what a store promises there. The
//! expression is evaluated once for each test and must give a store that holds nothing and that no
//! other test uses.
//!
//! A backend that keeps its rows when it is closed says how to open it in a folder instead. It
//! gets the same tests, each in an empty folder, and those in [`reopening`] as well:
//!
//! ```
//! # use tenure::store::memory::MemoryStore;
//! # struct MyStore;
//! # impl MyStore { fn open_or_create(_: std::path::PathBuf) -> MemoryStore { MemoryStore::new() } }
//! #[cfg(test)]
//! mod conformance_on_disk {
//!     use super::MyStore;
//!
//!     tenure::conformance!(durable: |dir| MyStore::open_or_create(dir.join("store")));
//! }
//! ```
//!
//! The order in which to make them pass is the order of the modules below: first [`rows`], with
//! transactions that only run their body; then [`uniqueness`] and [`queries`], for which
//! [`Table::clash`](super::schema::Table::clash) and [`Query::select`](super::query::Query::select)
//! are enough; [`transactions`] and [`orgs`]; and last [`concurrency`], for which one mutex is
//! enough. [`histories`] compares what is left with [`MemoryStore`](super::memory::MemoryStore).
//!
//! A store that is not tested with `cargo test` can go through [`RULES`] itself.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::missing_panics_doc,
    reason = "the kit's rules panic when a store breaks its promise; their numbers are small"
)]

mod fixture;
mod list;

pub mod concurrency;
pub mod histories;
pub mod orgs;
pub mod pages;
pub mod queries;
pub mod reopening;
pub mod rows;
pub mod sums;
pub mod transactions;
pub mod uniqueness;

use super::Store;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// One promise of the store contract, and the test of it.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// What is promised; the name of the test, and of the function that is documented.
    pub name: &'static str,
    /// Panics if the store, which must be empty, breaks the promise.
    pub check: fn(&dyn Store),
}

/// One promise of a store that keeps its rows when it is closed, and the test of it.
#[derive(Debug, Clone, Copy)]
pub struct DurableRule {
    /// What is promised; the name of the test, and of the function that is documented.
    pub name: &'static str,
    /// Panics if the store breaks the promise. It is given a way to open the same store, which must
    /// be empty, again and again; it drops one before it opens the next.
    pub check: fn(&Open<'_>),
}

/// A way to open the same store again.
pub type Open<'o> = dyn Fn() -> Box<dyn Store> + 'o;

/// Every rule for a store that is opened once.
pub const RULES: &[Rule] = crate::__conformance_rules!(list());

/// Every rule for a store that is closed and opened again.
pub const DURABLE_RULES: &[DurableRule] = crate::__conformance_rules!(durable reopened_list());

/// Expands to one `#[test]` for each rule of the store contract.
///
/// - `conformance!(expression)`: the expression gives a fresh, empty store. It is evaluated once
///   for each test.
/// - `conformance!(durable: |dir| expression)`: the closure is given an empty folder (a `&Path`) of
///   the test's own and opens the store in it, or creates it. The store is also closed and opened
///   again; its type must own what it refers to (`'static`).
///
/// The tests land in the module in which the macro stands, so two stores need two modules.
///
/// ```
/// mod tests {
///     use tenure::store::memory::MemoryStore;
///
///     tenure::conformance!(MemoryStore::new());
/// }
/// ```
#[macro_export]
macro_rules! conformance {
    (durable: $open:expr $(,)?) => {
        $crate::__conformance_rules!(folder($open));
        $crate::__conformance_rules!(durable reopened($open));
    };
    ($store:expr $(,)?) => {
        $crate::__conformance_rules!(fresh($store));
    };
}

/// Runs `check` with a way to open a store in an empty folder, which is removed afterwards.
#[doc(hidden)]
pub fn in_a_folder<S: Store + 'static>(open: impl Fn(&Path) -> S, check: impl Fn(&Open<'_>)) {
    let folder = Folder::new();
    check(&|| Box::new(open(&folder.0)));
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("tenure-conformance-{}", Uuid::new_v4()));
        std::fs::create_dir(&path).expect("a folder for the store");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The test has its answer already; a folder that stays behind does not change it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

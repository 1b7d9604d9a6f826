//! The storage contract: the three traits that a backend implements, nine methods in all.
//!
//! [`Store`] opens transactions; [`Reader`] and [`Writer`] are what a transaction can do. All three
//! are object safe and speak only of tables, rows and values, so they do not grow with the domain.
//! What users see of a transaction, [`View`](crate::View) and [`Tx`](crate::Tx), is built once on
//! top of them.
//!
//! To write a backend, implement the three traits, then let the `conformance` kit (cargo feature
//! `conformance`) tell whether they keep their promises. `examples/custom_store.rs` is a whole
//! backend in about a hundred lines.

mod error;
pub mod memory;
pub mod query;
pub mod schema;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use error::{Cause, Outcome, Refusal, Result, StoreError, Unjoined};

use crate::value::{Row, Value};
use query::Query;
use schema::{Col, Table};
use std::sync::Arc;
use uuid::Uuid;

/// The tenant that a transaction belongs to: a business that runs tenure, seen from the store.
///
/// A host with one tenant never names it: [`OrgId::DEFAULT`] serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrgId(Uuid);

impl OrgId {
    /// The org of a host that has only one.
    pub const DEFAULT: Self = Self(Uuid::from_u128(0x7e4a_12e0_0000_8000_8000_0000_0000_0001));

    /// The org under which the list of all orgs is kept.
    pub const DIRECTORY: Self = Self(Uuid::nil());

    /// An org by the id that the host already has for it.
    #[must_use]
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// An org by a name that the host already has for it; the same name is always the same org.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(Uuid::new_v5(&Self::DEFAULT.0, name.as_bytes()))
    }

    /// The UUID itself.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

/// What a read transaction calls back.
pub type ReadBody<'b> = dyn FnMut(&dyn Reader) -> Result<()> + 'b;
/// What a write transaction calls back.
pub type WriteBody<'b> = dyn FnMut(&mut dyn Writer) -> Result<()> + 'b;

/// A place to keep rows.
///
/// # To ensure correctness
///
/// - A transaction belongs to one org: it neither sees nor changes a row of another. The same
///   primary key, and the same values in a unique index, may stand in two orgs.
/// - Transactions must be serializable. A mutex around everything is a valid implementation.
/// - [`write`](Self::write) keeps all of the body's changes when the body returns `Ok`, and none
///   when it returns `Err` or panics; after a panic the store works on. The body's error comes back
///   unchanged.
/// - A body may be called again after a conflict; only its last call may take effect.
/// - When [`write`](Self::write) returns `Ok`, the changes are as durable as the backend makes
///   anything; when it returns an error of the backend's own, the error says whether nothing
///   happened or whether that is unknown ([`Outcome`]).
///
/// The `conformance` module checks all of this.
pub trait Store: Send + Sync {
    /// Makes `tables` usable, creating or extending whatever the backend needs, and keeps the rows
    /// that are there. Calling it again does no harm.
    ///
    /// # Errors
    ///
    /// When the stored tables cannot be brought to this shape.
    fn install(&self, tables: &[&'static Table]) -> Result<()>;

    /// Runs `body` against one consistent snapshot of what `org` holds.
    ///
    /// # Errors
    ///
    /// What `body` returned, or the backend's own.
    fn read(&self, org: OrgId, body: &mut ReadBody<'_>) -> Result<()>;

    /// Runs `body` in one atomic transaction on what `org` holds.
    ///
    /// # Errors
    ///
    /// What `body` returned, or the backend's own.
    fn write(&self, org: OrgId, body: &mut WriteBody<'_>) -> Result<()>;
}

/// A transaction that a host has open on the same store, in which tenure takes part: see
/// [`Tenure::within`](crate::Tenure::within). A backend whose engine is the host's own may offer one;
/// it is no part of the contract that every backend keeps.
pub trait HostTransaction {
    /// Runs `body` on what `org` holds, inside the host's transaction. When it returns an error or
    /// panics, what it did is undone and what the host did stays; whether anything is kept in the end
    /// is the host's to say.
    ///
    /// # Errors
    ///
    /// What `body` returned, or the backend's own.
    fn write(&self, org: OrgId, body: &mut WriteBody<'_>) -> Result<()>;
}

/// What any transaction can do.
pub trait Reader {
    /// The row with this primary key.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when the stored row does not fit the table.
    fn get(&self, table: &'static Table, key: Uuid) -> Result<Option<Row>>;

    /// The rows that `query` selects, in the order that it asks for.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when a stored row does not fit the table.
    fn query(&self, table: &'static Table, query: &Query) -> Result<Vec<Row>>;
}

/// What a write transaction can do as well. It sees its own changes.
pub trait Writer: Reader {
    /// Adds a row unless its primary key is taken. Returns whether it was added.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when the key is free but a unique index is not.
    fn insert(&mut self, table: &'static Table, row: Row) -> Result<bool>;

    /// Adds a row, or replaces the one with the same primary key.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when another row has the same values in a unique index.
    fn put(&mut self, table: &'static Table, row: Row) -> Result<()>;

    /// Removes a row. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// Only the backend's own.
    fn delete(&mut self, table: &'static Table, key: Uuid) -> Result<bool>;

    /// Adds `by` to an integer column of an existing row and returns the sum, or `None` without
    /// such a row. Metering lives on it: do it in one statement if the backend can, and call
    /// [`add_by_put`] if it cannot. (No default, so that a wrapper cannot lose the fast one.)
    ///
    /// # Errors
    ///
    /// [`StoreError::Overflow`] when the sum does not fit in an `i64`; nothing is changed.
    fn add(&mut self, table: &'static Table, key: Uuid, col: Col, by: i64) -> Result<Option<i64>>;
}

/// [`Writer::add`] for a backend that has nothing better.
///
/// # Errors
///
/// As [`Writer::add`].
pub fn add_by_put(
    writer: &mut dyn Writer,
    table: &'static Table,
    key: Uuid,
    col: Col,
    by: i64,
) -> Result<Option<i64>> {
    let Some(mut row) = writer.get(table, key)? else {
        return Ok(None);
    };
    let Some(Value::Int(sum)) = row.0.get_mut(col.index) else {
        return Err(StoreError::Corrupt { table: table.name, column: col.name });
    };
    let overflow = StoreError::Overflow { table: table.name, column: col.name };
    *sum = sum.checked_add(by).ok_or(overflow)?;
    let sum = *sum;
    writer.put(table, row)?;
    Ok(Some(sum))
}

macro_rules! forward {
    ($pointer:ty) => {
        impl<S: Store + ?Sized> Store for $pointer {
            fn install(&self, tables: &[&'static Table]) -> Result<()> {
                (**self).install(tables)
            }
            fn read(&self, org: OrgId, body: &mut ReadBody<'_>) -> Result<()> {
                (**self).read(org, body)
            }
            fn write(&self, org: OrgId, body: &mut WriteBody<'_>) -> Result<()> {
                (**self).write(org, body)
            }
        }
    };
}
forward!(Arc<S>);
forward!(Box<S>);
forward!(&S);

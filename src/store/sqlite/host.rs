//! Transactions that a host and tenure share.

use super::errors::failed;
use super::sql::Catalog;
use super::transaction::SqliteTransaction;
use super::{SqliteStore, marks, migrate, open};
use crate::store::{HostTransaction, OrgId, Refusal, Result, StoreError, Unjoined, WriteBody};
use rusqlite::{Connection, TransactionState};
use std::sync::Arc;

/// What [`SqliteStore::transaction`] calls back: with the connection, for the host's own SQL, and
/// with the transaction, for [`Tenure::within`](crate::Tenure::within).
pub type HostBody<'b> = dyn FnMut(&Connection, &dyn HostTransaction) -> Result<()> + 'b;

/// The transaction that a host has open on a connection to a store's file.
#[derive(Debug)]
pub struct SqliteHost<'c> {
    connection: &'c Connection,
    catalog: Arc<Catalog>,
    /// Whether the host commits, so that nobody else marks the commit as tenure's.
    host_commits: bool,
}

impl HostTransaction for SqliteHost<'_> {
    fn write(&self, org: OrgId, body: &mut WriteBody<'_>) -> Result<()> {
        let part = Part::begin(self)?;
        let (connection, catalog) = (self.connection, Arc::clone(&self.catalog));
        if self.host_commits {
            body(&mut SqliteTransaction::joined(connection, catalog, org))?;
        } else {
            body(&mut SqliteTransaction::own(connection, catalog, org))?;
        }
        part.keep()
    }
}

/// A part of the host's transaction that is undone unless it is kept: also by a panic.
struct Part<'h, 'c>(Option<&'h SqliteHost<'c>>);

impl<'h, 'c> Part<'h, 'c> {
    fn begin(host: &'h SqliteHost<'c>) -> Result<Self> {
        host.run("SAVEPOINT tenure_part")?;
        Ok(Self(Some(host)))
    }

    fn keep(mut self) -> Result<()> {
        self.0.take().map_or(Ok(()), |host| host.run("RELEASE tenure_part"))
    }
}

impl Drop for Part<'_, '_> {
    fn drop(&mut self) {
        if let Some(host) = self.0 {
            // It fails only if SQLite has rolled everything back by itself.
            let _ =
                host.run("ROLLBACK TO tenure_part").and_then(|()| host.run("RELEASE tenure_part"));
        }
    }
}

impl SqliteHost<'_> {
    fn run(&self, sql: &str) -> Result<()> {
        let done = self.connection.prepare_cached(sql).and_then(|mut it| it.execute([]));
        done.map(drop).map_err(|error| failed(&self.catalog.path, error))
    }
}

impl SqliteStore {
    /// Joins the transaction that the host has open on `connection`, its own connection to this
    /// store's file: what [`Tenure::within`](crate::Tenure::within) does in the result is kept or
    /// lost with what the host writes.
    ///
    /// The transaction must have been begun for writing, with `BEGIN IMMEDIATE`. While it is open,
    /// every other writer waits.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("host.db");
    /// use rusqlite::{Connection, TransactionBehavior};
    /// use tenure::store::sqlite::{SqliteStore, rusqlite};
    /// use tenure::{CustomerDraft, Tenure};
    ///
    /// let mut connection = Connection::open(&path)?;
    /// connection.execute_batch("CREATE TABLE invoice (number INTEGER PRIMARY KEY)")?;
    /// let store = SqliteStore::options().share_with_host(true).open_or_create(&path)?;
    /// let tenure = Tenure::open(store.clone())?;
    ///
    /// let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    /// transaction.execute("INSERT INTO invoice VALUES (1)", [])?;
    /// let joined = store.join(&transaction)?;
    /// tenure.within(&joined, |tx| tx.create_customer(&CustomerDraft::named("Acme")))?;
    /// transaction.commit()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotJoined`](StoreError::NotJoined) when `connection` is on another store or in no write
    /// transaction.
    pub fn join<'c>(&self, connection: &'c Connection) -> Result<SqliteHost<'c>> {
        let catalog = self.catalog();
        let state = connection.transaction_state(Some("main"));
        let store = marks::identity(connection).map_err(|error| failed(&catalog.path, error))?;
        match (store, state.map_err(|error| failed(&catalog.path, error))?) {
            (Some(store), _) if store.id == self.0.id && store.format != migrate::FORMAT => {
                let why = Refusal::TooNew { found: store.format, known: migrate::FORMAT };
                Err(open::refused(&catalog.path, why))
            }
            (Some(store), TransactionState::Write) if store.id == self.0.id => {
                Ok(SqliteHost { connection, catalog, host_commits: true })
            }
            (Some(store), _) if store.id == self.0.id => {
                Err(StoreError::NotJoined(Unjoined::NoWriteTransaction))
            }
            _ => Err(StoreError::NotJoined(Unjoined::OtherStore)),
        }
    }

    /// Runs `body` in a transaction of its own, over the store's connection: the host's SQL and
    /// tenure's changes are kept together or not at all. The body must neither commit nor roll back.
    ///
    /// # Errors
    ///
    /// What `body` returned, or as [`Store::write`](crate::store::Store::write).
    pub fn transaction(&self, body: &mut HostBody<'_>) -> Result<()> {
        let _inside = self.enter()?;
        let catalog = self.catalog();
        self.0.writer.alone(|writing| {
            // The host may change what SQLite does not count as rows, so this is always marked.
            writing.changes_more_than_rows();
            let connection = &writing.connection;
            let catalog = Arc::clone(&catalog);
            body(connection, &SqliteHost { connection, catalog, host_commits: false })?;
            if connection.is_autocommit() {
                return Err(StoreError::NotJoined(Unjoined::NoWriteTransaction));
            }
            Ok(())
        })
    }
}

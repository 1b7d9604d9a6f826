//! Transactions that a host and tenure share.

use super::errors::failed;
use super::transaction::SqliteTransaction;
use super::{SqliteStore, marks, migrate, open};
use crate::store::{OrgId, Refusal, Result, StoreError, Unjoined, Writer};
use rusqlite::{Connection, TransactionState};
use std::sync::Arc;

/// What [`SqliteStore::transaction`] calls back: with the connection, for the host's own SQL, and
/// with the org's rows.
pub type HostBody<'b> = dyn FnMut(&Connection, &mut dyn Writer) -> Result<()> + 'b;

impl SqliteStore {
    /// Joins the transaction that the host has open on `connection`, its own connection to this
    /// store's file: what is written through the result is kept or lost with what the host writes.
    ///
    /// The transaction must have been begun for writing, with `BEGIN IMMEDIATE`. While it is open,
    /// every other writer waits.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("host.db");
    /// use tenure::store::OrgId;
    /// use tenure::store::sqlite::{SqliteStore, rusqlite};
    /// use rusqlite::{Connection, TransactionBehavior};
    ///
    /// let mut connection = Connection::open(&path)?;
    /// connection.execute_batch("CREATE TABLE invoice (number INTEGER PRIMARY KEY)")?;
    /// let store = SqliteStore::options().share_with_host(true).open_or_create(&path)?;
    ///
    /// let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    /// transaction.execute("INSERT INTO invoice VALUES (1)", [])?;
    /// let joined = store.join(&transaction, OrgId::DEFAULT)?;
    /// // … read and write rows through `joined` …
    /// # drop(joined);
    /// transaction.commit()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotJoined`](StoreError::NotJoined) when `connection` is on another store or in no write
    /// transaction.
    pub fn join<'c>(
        &self,
        connection: &'c Connection,
        org: OrgId,
    ) -> Result<SqliteTransaction<'c>> {
        let catalog = self.catalog();
        let state = connection.transaction_state(Some("main"));
        let store = marks::identity(connection).map_err(|error| failed(&catalog.path, error))?;
        match (store, state.map_err(|error| failed(&catalog.path, error))?) {
            (Some(store), _) if store.id == self.0.id && store.format != migrate::FORMAT => {
                let why = Refusal::TooNew { found: store.format, known: migrate::FORMAT };
                Err(open::refused(&catalog.path, why))
            }
            (Some(store), TransactionState::Write) if store.id == self.0.id => {
                Ok(SqliteTransaction::joined(connection, catalog, org))
            }
            (Some(store), _) if store.id == self.0.id => {
                Err(StoreError::NotJoined(Unjoined::NoWriteTransaction))
            }
            _ => Err(StoreError::NotJoined(Unjoined::OtherStore)),
        }
    }

    /// Runs `body` in a transaction of its own, over the store's connection: the host's SQL and
    /// tenure's rows are kept together or not at all. The body must neither commit nor roll back.
    ///
    /// # Errors
    ///
    /// What `body` returned, or as [`Store::write`](crate::store::Store::write).
    pub fn transaction(&self, org: OrgId, body: &mut HostBody<'_>) -> Result<()> {
        let _inside = self.enter()?;
        let catalog = self.catalog();
        self.0.writer.alone(|writing| {
            // The host may change what SQLite does not count as rows, so this is always marked.
            writing.changes_more_than_rows();
            let connection = &writing.connection;
            body(connection, &mut SqliteTransaction::own(connection, Arc::clone(&catalog), org))?;
            if connection.is_autocommit() {
                return Err(StoreError::NotJoined(Unjoined::NoWriteTransaction));
            }
            Ok(())
        })
    }
}

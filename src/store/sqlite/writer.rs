//! The connection that writes, as the engine of the group commit.

use super::anchor::Anchor;
use super::commit::{Engine, Lost};
use super::errors::{failed, failed_with, is_dangling};
use super::marks;
use crate::store::{Outcome, Result};
use rusqlite::Connection;
use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;

/// The one connection of a store that writes.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) connection: Connection,
    path: PathBuf,
    id: Uuid,
    /// Of a file whose commits are durable.
    anchor: Option<Anchor>,
    /// How many rows the connection had changed when the transaction began.
    changes_before: u64,
    /// Whether to count the commit although no row of a table was changed.
    changed_otherwise: Cell<bool>,
}

impl Writing {
    pub(super) fn new(
        connection: Connection,
        path: PathBuf,
        id: Uuid,
        anchor: Option<Anchor>,
    ) -> Self {
        let changed_otherwise = Cell::new(false);
        Self { connection, path, id, anchor, changes_before: 0, changed_otherwise }
    }

    /// Says that the open transaction changes something besides rows: the schema, perhaps.
    pub(super) fn changes_more_than_rows(&self) {
        self.changed_otherwise.set(true);
    }

    /// Counts the commit inside the transaction, so that it is durable with it. A transaction that
    /// changed nothing has nothing to make durable, and no log to mark. Returns its number.
    fn mark(&self) -> Result<Option<u64>> {
        let otherwise = self.changed_otherwise.take();
        if otherwise || self.connection.total_changes() != self.changes_before {
            return marks::bump_own(&self.connection, self.id, &self.path).map(Some);
        }
        Ok(None)
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn try_run(&self, sql: &str) -> Result<()> {
        self.run(sql).map_err(|error| failed(&self.path, error))
    }
}

impl Engine for Writing {
    fn begin(&mut self, patience: Duration) -> Result<()> {
        if self.is_open() {
            self.roll_back();
        }
        self.connection.busy_timeout(patience).map_err(|error| failed(&self.path, error))?;
        self.try_run("BEGIN IMMEDIATE")?;
        self.changed_otherwise.set(false);
        self.changes_before = self.connection.total_changes();
        Ok(())
    }

    fn save(&mut self) -> Result<()> {
        self.try_run("SAVEPOINT body")
    }

    fn release(&mut self) -> Result<()> {
        self.try_run("RELEASE body")
    }

    fn undo(&mut self) -> Result<()> {
        self.try_run("ROLLBACK TO body")?;
        self.release()
    }

    fn commit(&mut self) -> Result<(), Lost> {
        let number = match self.mark() {
            Ok(number) => number,
            Err(error) => {
                self.roll_back();
                return Err(Lost { error, one_to_blame: false });
            }
        };
        self.run("COMMIT").map_err(|error| {
            // After a refused foreign key the transaction is still open, and surely undone here.
            // After anything else the commit may yet turn out to be in the log.
            self.roll_back();
            let one_to_blame = is_dangling(&error);
            let error = failed_with(&self.path, Outcome::Unknown, error);
            Lost { error, one_to_blame }
        })?;
        if let (Some(anchor), Some(number)) = (&self.anchor, number) {
            anchor.note(number);
        }
        Ok(())
    }

    fn roll_back(&mut self) {
        if self.is_open() {
            // It fails only if SQLite has rolled back by itself, or at the next `begin` again.
            let _ = self.run("ROLLBACK");
        }
    }

    fn is_open(&self) -> bool {
        !self.connection.is_autocommit()
    }
}

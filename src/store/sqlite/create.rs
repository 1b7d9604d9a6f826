//! How a store comes to be: whole or not at all.

use super::connection::connect;
use super::errors::{cannot_open, failed};
use super::migrate::{MIGRATIONS, bring_up};
use super::open::{beside, refused, write_ahead};
use super::options::SqliteOptions;
use crate::store::{Refusal, Result};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::io::ErrorKind;
use std::path::Path;
use uuid::Uuid;

/// Creates the store at `path`, where nothing may be.
///
/// It is written under another name in the same folder and named `path` when it is whole. So
/// neither a crash nor another process in the middle leaves a file that is no store.
pub(super) fn file(path: &Path, options: &SqliteOptions) -> Result<()> {
    let draft = beside(path, &format!(".{}.new", Uuid::new_v4().simple()));
    let made = write(&draft, options).map_err(|error| failed(path, error));
    let made = made.and_then(|()| publish(&draft, path, options));
    for leftover in ["", "-journal", "-wal", "-shm"] {
        // Most are not there; what cannot be removed is in nobody's way.
        let _ = options.files.remove(&beside(&draft, leftover));
    }
    made
}

fn write(draft: &Path, options: &SqliteOptions) -> rusqlite::Result<()> {
    let mut connection = connect(draft, OpenFlags::SQLITE_OPEN_CREATE, options)?;
    let transaction = connection.transaction()?;
    bring_up(&transaction, MIGRATIONS, !options.shared)?;
    transaction.commit()?;
    write_ahead(&connection)?;
    connection.close().map_err(|(_, error)| error)
}

/// Gives the draft its name, unless that is taken by now.
fn publish(draft: &Path, path: &Path, options: &SqliteOptions) -> Result<()> {
    options.files.name(draft, path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => refused(path, Refusal::Exists),
        _ => cannot_open(error),
    })
}

/// Adds a store to the host's file at `path`, which `connection` is on.
pub(super) fn inside(connection: &Connection, path: &Path) -> Result<()> {
    let add = || {
        write_ahead(connection)?;
        let immediate = TransactionBehavior::Immediate;
        let transaction = rusqlite::Transaction::new_unchecked(connection, immediate)?;
        bring_up(&transaction, MIGRATIONS, false)?;
        transaction.commit()?;
        // Into the main file itself, so that a log that is not its own can be told. With the host
        // reading that may have to wait for a later checkpoint.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    };
    add().map_err(|error| failed(path, error))
}

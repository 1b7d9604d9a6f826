//! How a connection is set up, and the pool of those that read.

use super::options::{Durability, SqliteOptions};
use super::transaction::SqliteTransaction;
use super::{errors::failed, sql::Catalog};
use crate::store::{OrgId, ReadBody, Result};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More statements than a program has: each is compiled once for each connection.
const STATEMENTS: usize = 256;

/// Opens the file at `path`, which must be absolute: then it cannot be taken for a URI, although
/// SQLite may have been compiled to look for one in any path.
pub(super) fn connect(
    path: &Path,
    more: OpenFlags,
    options: &SqliteOptions,
) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    connect_as(path, flags | more, options)
}

/// Opens what `name` says with these flags alone.
pub(super) fn connect_as(
    name: impl AsRef<Path>,
    flags: OpenFlags,
    options: &SqliteOptions,
) -> rusqlite::Result<Connection> {
    match options.vfs.as_deref() {
        Some(vfs) => Connection::open_with_flags_and_vfs(name, flags, vfs),
        None => Connection::open_with_flags(name, flags),
    }
}

/// Sets up `connection` for use by a store.
pub(super) fn configure(connection: &Connection, options: &SqliteOptions) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(options.busy_timeout)?;
    // Without this, SQLite compiles a cached statement again whenever its LIMIT is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)
}

/// Gives the one connection that writes a cache of 16 MiB, so that a commit with many changes keeps
/// its pages until it is done, instead of writing them and reading them again; and lets the log grow
/// to as much, so that a page that many commits change is copied into the file once for all of them.
pub(super) fn widen(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "wal_autocheckpoint", 4 * 1024)?;
    connection.pragma_update(None, "cache_size", -16 * 1024)
}

/// A read transaction: one snapshot, ended when it is dropped, by a panic too.
pub(super) struct Snapshot<'c>(&'c Connection);

impl<'c> Snapshot<'c> {
    pub(super) fn begin(connection: &'c Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(Self(connection))
    }

    /// Calls `body` with what `org` holds in this snapshot.
    pub(super) fn show(
        &self,
        catalog: Arc<Catalog>,
        org: OrgId,
        body: &mut ReadBody<'_>,
    ) -> Result<()> {
        body(&SqliteTransaction::own(self.0, catalog, org))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // Nothing was written, so nothing can be lost; `Readers` looks whether it worked.
            let _ = self.0.prepare_cached("ROLLBACK").and_then(|mut it| it.execute([]));
        }
    }
}

/// Connections that read, opened when they are first needed.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    options: SqliteOptions,
    slots: Box<[Mutex<Option<Connection>>]>,
    next: AtomicUsize,
}

impl Readers {
    pub(super) fn new(path: PathBuf, options: SqliteOptions) -> Self {
        let slots = (0..options.readers.max(1)).map(|_| Mutex::default()).collect();
        Self { path, options, slots, next: AtomicUsize::new(0) }
    }

    /// Calls `work` with a connection that nobody else uses meanwhile.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut slot = self.slot();
        // A panic can have left a transaction open only if rolling it back failed.
        let usable = slot.take().filter(Connection::is_autocommit);
        let connection = match usable {
            Some(connection) => connection,
            None => self.open().map_err(|error| failed(&self.path, error))?,
        };
        work(slot.insert(connection))
    }

    /// A free slot, one with an open connection if possible; otherwise the next in turn, as soon as
    /// it is free.
    fn slot(&self) -> MutexGuard<'_, Option<Connection>> {
        let mut unused = None;
        for slot in &self.slots {
            match slot.try_lock() {
                Ok(guard) if guard.is_some() => return guard,
                Ok(guard) => unused = unused.or(Some(guard)),
                Err(std::sync::TryLockError::Poisoned(guard)) => return guard.into_inner(),
                Err(std::sync::TryLockError::WouldBlock) => {}
            }
        }
        unused.unwrap_or_else(|| self.wait())
    }

    fn wait(&self) -> MutexGuard<'_, Option<Connection>> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let place = turn.checked_rem(self.slots.len()).unwrap_or(0);
        #[expect(clippy::indexing_slicing, reason = "a remainder of the length, which is not 0")]
        self.slots[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = connect(&self.path, OpenFlags::empty(), &self.options)?;
        configure(&connection, &self.options)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

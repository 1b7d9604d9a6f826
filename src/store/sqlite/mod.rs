//! The bundled backend: one SQLite file, one real table per kind of record, one real column per
//! field.
//!
//! Any SQL tool can read the file, and so can the host, over its own connection. Concurrent writers
//! share one commit, so that many threads get far more done than the disk has syncs to give; readers
//! never wait for them. A host that has a transaction of its own on the same file can have its
//! changes and tenure's kept or lost together: see [`SqliteStore::join`] and
//! [`SqliteStore::transaction`].
//!
//! Dates are kept as microseconds since 1970, ids as 16 bytes. Open the file with
//! [`SqliteStore::create`] the first time and [`SqliteStore::open`] ever after, so that a file that
//! got lost is noticed instead of being replaced by an empty one.
//!
//! Nothing is lost in silence. Beside `customers.db` lies `customers.db-anchor`, which knows how many
//! commits are durable: a file with fewer is refused as
//! [`Behind`](crate::store::Refusal::Behind), until
//! [`accept_loss`](SqliteOptions::accept_loss) takes it as it is. The two move together; a copy
//! without its anchor begins a new one. The tables of usage and money have a column `tenure_seal`, a
//! checksum of the row: after a change by other hands, or of a bit by none,
//! [`Corrupt`](crate::store::StoreError::Corrupt) names the table when the row is read. So other tools
//! may read these tables, and must not write them.

mod anchor;
mod choose;
mod commit;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "small numbers in tests")]
mod commit_tests;
mod connection;
mod create;
mod ddl;
mod errors;
mod files;
mod host;
mod install;
mod marks;
mod migrate;
mod nesting;
mod open;
mod options;
mod probe;
mod rows;
mod seal;
mod select;
mod sql;
mod sync;
mod transaction;
mod writer;

#[doc(hidden)]
pub use files::{Files, WriteAt};
pub use host::{HostBody, SqliteHost};
pub use marks::APPLICATION_ID;
pub use options::{Durability, SqliteOptions};
pub use rusqlite;
use transaction::SqliteTransaction;

use super::schema::Table;
use super::{Cause, OrgId, Outcome, ReadBody, Result, Store, StoreError, WriteBody};
use commit::Committer;
use connection::{Readers, Snapshot};
use errors::failed;
use nesting::Inside;
use open::{Mode, Opened};
use rusqlite::Connection;
use rusqlite::limits::Limit;
use sql::Catalog;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use uuid::Uuid;
use writer::Writing;

/// More than can be waiting at once in most programs; a bound on what one failed commit can strike.
const BATCH_MAX: usize = 256;

/// A [`Store`] in one SQLite file. Clones are handles to the same store.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("customers.db");
/// use tenure::store::sqlite::SqliteStore;
///
/// let store = SqliteStore::create(&path)?;
/// let id = store.store_id();
/// drop(store);
/// assert_eq!(SqliteStore::open(&path)?.store_id(), id);
///
/// // A file that is lost is an error, not a new store.
/// std::fs::remove_file(&path)?;
/// assert!(SqliteStore::open(&path).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SqliteStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    id: Uuid,
    /// As errors name it: `:memory:` if there is no file.
    catalog: RwLock<Arc<Catalog>>,
    file: Option<std::path::PathBuf>,
    /// `None` in memory, where a second connection would see another database. They are closed
    /// before the one that writes, which moves the log into the file when it is the last.
    readers: Option<Readers>,
    writer: Committer<Writing>,
}

impl SqliteStore {
    /// Opens the store at `path`; never creates one.
    ///
    /// # Errors
    ///
    /// As [`SqliteOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(path)
    }

    /// Creates a store at `path`, where nothing may be.
    ///
    /// # Errors
    ///
    /// As [`SqliteOptions::create`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().create(path)
    }

    /// Opens the store at `path`, or creates it if nothing is there. Convenient in development; in
    /// production it takes a lost file for a first start.
    ///
    /// # Errors
    ///
    /// As [`SqliteOptions::open_or_create`].
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self> {
        Self::options().open_or_create(path)
    }

    /// A store in memory, which is gone when its last handle is dropped. Everything in it takes
    /// turns on one connection.
    ///
    /// # Errors
    ///
    /// [`Refused`](StoreError::Refused) with an SQLite that is too old.
    pub fn in_memory() -> Result<Self> {
        let options = Self::options();
        Ok(Self::over(open::memory(&options)?, &options))
    }

    /// How to open a store in another way than the usual one.
    pub fn options() -> SqliteOptions {
        SqliteOptions::default()
    }

    /// The file, as an absolute path; `None` for a store in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// The id that the store was given when it was created. Copies of its file have the same.
    #[must_use]
    pub fn store_id(&self) -> Uuid {
        self.0.id
    }

    /// Writes the file anew, without the space of what was deleted, and empties the log: afterwards
    /// nothing that was deleted can be found in either. Takes twice the space of the file and keeps
    /// everybody waiting meanwhile.
    ///
    /// # Errors
    ///
    /// [`Cause::Busy`] when another process, or a long read, is in the way: the file may have been
    /// written anew, but the log not been emptied.
    pub fn compact(&self) -> Result<()> {
        let _inside = self.enter()?;
        let done = self.0.writer.with(|writing| {
            let connection = &writing.connection;
            // SQLite attaches the new file to the connection while it writes it.
            connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1)?;
            let vacuumed = connection.execute_batch("VACUUM");
            connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
            vacuumed?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        });
        if done.map_err(|error| failed(&self.catalog().path, error))? == 0 {
            return Ok(());
        }
        let (cause, outcome) = (Cause::Busy, Outcome::NotDone);
        Err(StoreError::Unavailable { cause, outcome, source: None })
    }

    fn start(path: &Path, options: &SqliteOptions, mode: Mode) -> Result<Self> {
        Ok(Self::over(open::file(path, options, mode)?, options))
    }

    fn over(opened: Opened, options: &SqliteOptions) -> Self {
        let Opened { connection, id, path: file, anchor } = opened;
        let path = file.clone().unwrap_or_else(|| ":memory:".into());
        // In memory a commit costs nothing, and the one connection must be free for readers.
        let cap = if file.is_some() { BATCH_MAX } else { 1 };
        let writing = Writing::new(connection, path.clone(), id, anchor);
        Self(Arc::new(Shared {
            id,
            catalog: RwLock::new(Arc::new(Catalog::new(&path))),
            readers: file.clone().map(|path| Readers::new(path, options.clone())),
            file,
            writer: Committer::new(writing, cap, options.busy_timeout),
        }))
    }

    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.0.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn enter(&self) -> Result<Inside> {
        Inside::enter(Arc::as_ptr(&self.0).addr())
    }
}

impl Store for SqliteStore {
    fn install(&self, tables: &[&'static Table]) -> Result<()> {
        let _inside = self.enter()?;
        let path = &self.catalog().path;
        let missing =
            self.0.writer.with(|writing| install::plan(&writing.connection, path, tables))?;
        if !missing.is_empty() {
            self.0.writer.alone(|writing| {
                let connection = &writing.connection;
                // Again, now that nobody else can change the file.
                let steps = install::plan(connection, path, tables)?;
                writing.changes_more_than_rows();
                install::carry_out(connection, path, &steps)
            })?;
        }
        let mut catalog = self.0.catalog.write().unwrap_or_else(PoisonError::into_inner);
        *catalog = Arc::new(catalog.with(tables));
        Ok(())
    }

    fn read(&self, org: OrgId, body: &mut ReadBody<'_>) -> Result<()> {
        let _inside = self.enter()?;
        let catalog = self.catalog();
        let mut show = |connection: &Connection| {
            let snapshot =
                Snapshot::begin(connection).map_err(|error| failed(&catalog.path, error))?;
            snapshot.show(Arc::clone(&catalog), org, body)
        };
        match &self.0.readers {
            Some(readers) => readers.with(show),
            None => self.0.writer.with(|writing| show(&writing.connection)),
        }
    }

    fn write(&self, org: OrgId, body: &mut WriteBody<'_>) -> Result<()> {
        let _inside = self.enter()?;
        let catalog = self.catalog();
        self.0.writer.together(|writing| {
            body(&mut SqliteTransaction::own(&writing.connection, Arc::clone(&catalog), org))
        })
    }
}

//! How a store is opened.

use super::SqliteStore;
use super::files::{FileSystem, Files};
use super::open::Mode;
use crate::store::Result;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// Until the disk has it: what was acknowledged is there after a crash of the process, of the
    /// machine, or a loss of power (`synchronous = FULL`).
    #[default]
    Full,
    /// Until the operating system has it (`synchronous = NORMAL`). Much faster, and a crash of the
    /// process loses nothing; but a crash of the machine or a loss of power can lose the last
    /// commits although they were acknowledged. The file stays sound.
    Normal,
}

/// How to open a [`SqliteStore`]; from [`SqliteStore::options`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("host.db");
/// use std::time::Duration;
/// use tenure::store::sqlite::SqliteStore;
///
/// let options = SqliteStore::options().readers(8).busy_timeout(Duration::from_secs(1));
/// let store = options.open_or_create(&path)?;
/// # assert_eq!(store.path(), Some(path.as_path()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct SqliteOptions {
    pub(super) durability: Durability,
    pub(super) readers: usize,
    pub(super) busy_timeout: Duration,
    pub(super) shared: bool,
    pub(super) accepts_loss: bool,
    pub(super) vfs: Option<Arc<str>>,
    pub(super) files: Arc<dyn Files>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            readers: 4,
            busy_timeout: Duration::from_secs(5),
            shared: false,
            accepts_loss: false,
            vfs: None,
            files: Arc::new(FileSystem),
        }
    }
}

impl SqliteOptions {
    /// What a commit waits for; [`Durability::Full`] unless set.
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How many threads can read at the same time, each over a connection of its own that is opened
    /// when it is needed: at least 1, 4 unless set. A database in memory has only one connection.
    pub const fn readers(mut self, readers: usize) -> Self {
        self.readers = readers;
        self
    }

    /// How long a transaction waits while another process writes, until it gives up as
    /// [busy](crate::store::Cause::Busy): 5 seconds unless set, in steps of a millisecond.
    pub const fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Whether the file is the host's as well: then it may hold other tables and another
    /// application id, `create` adds the store to a file that has none, and neither the
    /// application id nor `user_version` is touched. The file is put in write-ahead-log mode.
    pub const fn share_with_host(mut self, share: bool) -> Self {
        self.shared = share;
        self
    }

    /// Whether what is there is taken as it is although commits are known to be lost: not unless set.
    ///
    /// A store notes the number of its durable commits in a small file beside it, its *anchor*, and is
    /// not opened with fewer, nor created anew where one is left. After restoring a backup over the
    /// file, open it once with this; then the anchor is set back. Without an anchor a file is taken
    /// for a copy, and opened.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let (path, backup) = (folder.path().join("customers.db"), folder.path().join("backup.db"));
    /// use tenure::store::sqlite::SqliteStore;
    /// use tenure::{CustomerDraft, Tenure};
    ///
    /// drop(SqliteStore::create(&path)?);
    /// std::fs::copy(&path, &backup)?;
    /// let tenure = Tenure::open(SqliteStore::open(&path)?)?;
    /// tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?;
    /// drop(tenure);
    ///
    /// std::fs::copy(&backup, &path)?;
    /// assert!(SqliteStore::open(&path).is_err());
    /// SqliteStore::options().accept_loss(true).open(&path)?;
    /// SqliteStore::open(&path)?;
    /// # Ok(())
    /// # }
    /// ```
    pub const fn accept_loss(mut self, accept: bool) -> Self {
        self.accepts_loss = accept;
        self
    }

    /// Goes to the disk through the VFS that is registered with SQLite under this name, one that
    /// encrypts perhaps, instead of the usual one. It must keep its files in the file system under
    /// the names that it is given.
    pub fn vfs(mut self, name: &str) -> Self {
        self.vfs = Some(name.into());
        self
    }

    /// Looks for files elsewhere than in the file system: where a [`vfs`](Self::vfs) has them.
    #[doc(hidden)]
    pub fn files(mut self, files: impl Files + 'static) -> Self {
        self.files = Arc::new(files);
        self
    }

    /// Opens the store at `path`; never creates one.
    ///
    /// # Errors
    ///
    /// [`Refused`](crate::store::StoreError::Refused) when there is no sound store of a known
    /// format, [`Unavailable`](crate::store::StoreError::Unavailable) when the file cannot be
    /// opened for writing.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<SqliteStore> {
        SqliteStore::start(path.as_ref(), self, Mode::Open)
    }

    /// Creates a store at `path`, where nothing may be; or, if the file is
    /// [shared](Self::share_with_host), no store. A crash leaves a whole store or none.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`Refusal::Exists`](crate::store::Refusal::Exists).
    pub fn create(&self, path: impl AsRef<Path>) -> Result<SqliteStore> {
        SqliteStore::start(path.as_ref(), self, Mode::Create)
    }

    /// Opens the store at `path`, or creates it if nothing is there.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_or_create(&self, path: impl AsRef<Path>) -> Result<SqliteStore> {
        SqliteStore::start(path.as_ref(), self, Mode::OpenOrCreate)
    }
}

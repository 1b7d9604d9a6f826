//! What can go wrong in a store.

use std::path::PathBuf;
use std::sync::Arc;

/// The result of a call to a store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A failure of the storage layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A write would break a unique index.
    #[error("`{table}` already has a row with the same {columns:?}")]
    Conflict {
        /// The table.
        table: &'static str,
        /// The columns of the index.
        columns: &'static [&'static str],
    },
    /// A stored value is not one that its column could hold, or the row is not as it was written:
    /// then the column is its seal, `tenure_seal` in SQLite.
    #[error("`{table}.{column}` holds a value that it cannot hold")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// [`Writer::add`](super::Writer::add) went past what the column can hold.
    #[error("`{table}.{column}` cannot hold the sum")]
    Overflow {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The stored tables cannot be brought to the declared shape.
    #[error("`{table}` cannot be changed in place: {why}")]
    Schema {
        /// The table.
        table: String,
        /// What stands in the way.
        why: String,
    },
    /// A transaction was opened inside another one of the same store, on the same thread.
    #[error("a transaction of this store is already open on this thread")]
    Nested,
    /// The body of a transaction asked for it to be given up; nothing was written.
    #[error("the transaction was given up")]
    Aborted,
    /// The path does not hold a store that can be opened.
    #[error("`{}` cannot be opened as a store: {why}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: Refusal,
    },
    /// A transaction of the host cannot be joined.
    #[error("the transaction cannot be joined: {0}")]
    NotJoined(#[source] Unjoined),
    /// The backend could not do its work, now or at all; `outcome` says what is known.
    #[error("the store is unavailable: {cause}")]
    Unavailable {
        /// What stood in the way.
        cause: Cause,
        /// Whether anything happened.
        outcome: Outcome,
        /// The backend's own error.
        #[source]
        source: Option<Source>,
    },
    /// The backend is broken, or what it keeps is.
    #[error("the storage backend failed")]
    Backend(#[source] Source),
}

/// Whether a write that failed may nevertheless have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing was changed: try again whenever you like.
    NotDone,
    /// It may have been done: try again with the same idempotency key, which is always right.
    Unknown,
}

/// Why a store is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// Another process held the write lock for longer than the busy timeout.
    #[error("it is busy")]
    Busy,
    /// There is no space left.
    #[error("the disk is full")]
    Full,
    /// It may be read but not written.
    #[error("it is read-only")]
    ReadOnly,
    /// The file, or its folder, cannot be opened.
    #[error("its file cannot be opened")]
    CannotOpen,
    /// The operating system reported an input or output error.
    #[error("input or output failed")]
    Io,
    /// A thread of a [`Tracker`](crate::Tracker) could not be started, or panicked.
    #[error("the thread that does its work stopped")]
    Worker,
}

/// Why a file is not opened as a store, although the engine below would open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is nothing at the path, and the call was not to create it.
    #[error("there is no such file")]
    Missing,
    /// There is something at the path, and the call was to create it.
    #[error("there is a file already")]
    Exists,
    /// The file exists but holds nothing: what it held is lost.
    #[error("the file is empty, what it held is lost")]
    Empty,
    /// The file is gone but its write-ahead log is there: what it held is lost.
    #[error("the file is gone, only its write-ahead log is left")]
    OnlyLog,
    /// The write-ahead log beside the file belongs to another store.
    #[error("its write-ahead log belongs to another store")]
    ForeignLog,
    /// The file has fewer commits than were made durable: it is an older copy, or its write-ahead log
    /// is missing, cut or damaged.
    #[error("it is behind its anchor, with {found} of {expected} commits: the others are lost")]
    Behind {
        /// The number of commits that the file has.
        found: u64,
        /// The number of commits that were durable.
        expected: u64,
    },
    /// The anchor beside the file says that another store was here.
    #[error("its anchor belongs to another store")]
    ForeignAnchor,
    /// The anchor is there and the store is not: what it held is lost.
    #[error("what it held is lost, only its anchor is left")]
    OnlyAnchor,
    /// The file is not a database.
    #[error("it is not a database")]
    NotADatabase,
    /// The file is a database of another application.
    #[error("it belongs to another application (id {application_id:#010x})")]
    Foreign {
        /// The application id in its header.
        application_id: i32,
    },
    /// The file was written by a newer version of tenure.
    #[error("it was written by a newer version (format {found}, this version knows {known})")]
    TooNew {
        /// The format of the file.
        found: u32,
        /// The newest format that this version knows.
        known: u32,
    },
    /// The engine is a version of SQLite that can corrupt a database in write-ahead-log mode.
    #[error("the SQLite that it was linked with is older than 3.51.3")]
    EngineTooOld,
    /// The file is damaged.
    #[error("it is damaged")]
    Damaged,
}

/// Why a transaction that the host opened cannot be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unjoined {
    /// The connection is not inside a transaction that may write.
    #[error("the connection is not in a write transaction, begin one with `BEGIN IMMEDIATE`")]
    NoWriteTransaction,
    /// The connection is on another file than the store.
    #[error("the connection is not on this store's file")]
    OtherStore,
    /// The handle is the store's [only writer](crate::Builder::sole_writer): what the host commits
    /// would escape it.
    #[error("the handle is the store's only writer, and would not see the host's commit")]
    SoleWriter,
}

impl StoreError {
    /// Wraps a backend's own error.
    pub fn backend(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Backend(Box::new(error))
    }

    /// One failure, told to each of the callers that it struck, with its cause and outcome: for a
    /// backend in which several share a commit.
    #[must_use]
    pub fn shared(error: &Arc<Self>) -> Self {
        match &**error {
            Self::Unavailable { cause, outcome, .. } => Self::Unavailable {
                cause: *cause,
                outcome: *outcome,
                source: Some(Box::new(Arc::clone(error))),
            },
            Self::Refused { path, why } => Self::Refused { path: path.clone(), why: *why },
            _ => Self::Backend(Box::new(Arc::clone(error))),
        }
    }
}

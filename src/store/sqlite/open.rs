//! What is opened as a store, and what is refused although SQLite would open it.
//!
//! SQLite takes a lost or empty file for a new database, and replays whatever write-ahead log lies
//! beside a file. So the file system is looked at first, then the main file by itself, and only then
//! the file with its log (see `probe`); until all three agree nothing is written.

use super::anchor::{Anchor, Anchored};
use super::connection::{configure, widen};
use super::errors::{cannot_open, failed};
use super::migrate::{FORMAT, MIGRATIONS, bring_up};
use super::options::{Durability, SqliteOptions};
use super::{create, probe};
use crate::store::{Cause, Outcome, Refusal, Result, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The first SQLite that cannot corrupt a database in write-ahead-log mode.
const ENGINE: i32 = 3_051_003;

/// The length of the header of every database, in bytes.
const HEADER: u64 = 100;

/// What the caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Open,
    Create,
    OpenOrCreate,
}

/// A store that is ready to be used.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) id: Uuid,
    /// Absolute; `None` in memory.
    pub(super) path: Option<PathBuf>,
    pub(super) anchor: Option<Anchor>,
}

/// What the file system has at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Empty,
    File,
}

/// Opens or creates the store at `path`.
pub(super) fn file(path: &Path, options: &SqliteOptions, mode: Mode) -> Result<Opened> {
    let path = absolute(path)?;
    engine(rusqlite::version_number(), &path)?;
    let refuse = |why| Err(refused(&path, why));
    match (look(&path, options)?, mode) {
        (Found::Nothing, Mode::Open) => return refuse(Refusal::Missing),
        (Found::Nothing, Mode::Create) => create::file(&path, options)?,
        (Found::Nothing, Mode::OpenOrCreate) => match create::file(&path, options) {
            // Somebody else was faster.
            Err(StoreError::Refused { why: Refusal::Exists, .. }) => {}
            other => other?,
        },
        (_, Mode::Create) if !options.shared => return refuse(Refusal::Exists),
        // Empty is what the host's own connection leaves before it writes.
        (Found::File | Found::Empty, Mode::Create) => move_in(&path, options, mode)?,
        (Found::Empty, _) => return refuse(Refusal::Empty),
        (Found::File, Mode::OpenOrCreate) if options.shared => move_in(&path, options, mode)?,
        (Found::File, _) => {}
    }
    existing(path, options)
}

/// A store in memory, gone with its connection.
pub(super) fn memory(options: &SqliteOptions) -> Result<Opened> {
    let path = Path::new(":memory:");
    engine(rusqlite::version_number(), path)?;
    let open = || {
        let connection = Connection::open_in_memory()?;
        configure(&connection, options)?;
        bring_up(&connection, MIGRATIONS, true)?;
        let marks = super::marks::Marks::read(&connection)?;
        Ok((connection, marks.store))
    };
    let (connection, store) = open().map_err(|error| failed(path, error))?;
    let id = store.ok_or_else(|| refused(path, Refusal::Damaged))?.id;
    Ok(Opened { connection, id, path: None, anchor: None })
}

/// Adds a store to the host's file if it has none.
fn move_in(path: &Path, options: &SqliteOptions, mode: Mode) -> Result<()> {
    // Before the file is read: others may be moving in.
    let anchored = anchored(path, options)?.map(|it| it.id);
    let (connection, marks) = probe::checked(path, options, anchored)?;
    match (marks.store, mode) {
        (Some(_), Mode::Create) => Err(refused(path, Refusal::Exists)),
        (Some(_), _) => Ok(()),
        (None, _) => create::inside(&connection, path),
    }
}

fn existing(path: PathBuf, options: &SqliteOptions) -> Result<Opened> {
    // Before the file is read: others may be writing to both.
    let anchored = anchored(&path, options)?;
    let (connection, marks) = probe::checked(&path, options, anchored.map(|it| it.id))?;
    let Some(store) = marks.store else {
        let why = Refusal::Foreign { application_id: marks.application_id };
        return Err(refused(&path, why));
    };
    if let Some(anchored) = anchored {
        anchored.check(&path, store.commits)?;
    }
    let ready = || {
        configure(&connection, options)?;
        widen(&connection)?;
        write_ahead(&connection)?;
        if store.format < FORMAT {
            let immediate = TransactionBehavior::Immediate;
            let transaction = Transaction::new_unchecked(&connection, immediate)?;
            bring_up(&transaction, MIGRATIONS, !options.shared)?;
            transaction.commit()?;
        }
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
    };
    ready().map_err(|error| failed(&path, error))?;
    let anchor = Anchor::open(&*options.files, &path, store.id)?;
    if anchored.is_none() {
        anchor.begin().map_err(cannot_open)?;
    }
    // What need not wait for the disk may be in the anchor and not in the file when power is lost.
    let anchor = (options.durability == Durability::Full).then_some(anchor);
    Ok(Opened { connection, id: store.id, path: Some(path), anchor })
}

/// What the anchor says, unless the caller does not want to hear it.
fn anchored(path: &Path, options: &SqliteOptions) -> Result<Option<Anchored>> {
    if options.accepts_loss { Ok(None) } else { Anchored::read(&*options.files, path) }
}

/// Puts the file in write-ahead-log mode, where readers do not wait for the writer.
pub(super) fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
    let why = format!("write-ahead-log mode is not to be had here, the mode is {mode}");
    Err(rusqlite::Error::SqliteFailure(code, Some(why)))
}

fn engine(version: i32, path: &Path) -> Result<()> {
    if version >= ENGINE { Ok(()) } else { Err(refused(path, Refusal::EngineTooOld)) }
}

/// `path` from the root: then it stays the same file when the process changes its folder, and
/// neither `:memory:` nor `file:x?mode=memory` is anything but a file's name.
fn absolute(path: &Path) -> Result<PathBuf> {
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(cannot_open(IoError::new(ErrorKind::InvalidInput, "the path holds a NUL")));
    }
    std::path::absolute(path).map_err(cannot_open)
}

fn look(path: &Path, options: &SqliteOptions) -> Result<Found> {
    let length = || options.files.length(path).map_err(cannot_open);
    let left = match length()? {
        Some(0) => return Ok(Found::Empty),
        // SQLite takes a single byte for an empty database.
        Some(length) if length < HEADER => return Err(refused(path, Refusal::NotADatabase)),
        Some(_) => return Ok(Found::File),
        None if matches!(options.files.length(&beside(path, "-wal")), Ok(Some(_))) => {
            Refusal::OnlyLog
        }
        None if anchored(path, options)?.is_some() => Refusal::OnlyAnchor,
        None => return Ok(Found::Nothing),
    };
    // Unless somebody else created the store between the two looks.
    if length()?.is_some() { Ok(Found::File) } else { Err(refused(path, left)) }
}

/// The file that SQLite keeps beside the one at `path`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(super) fn refused(path: &Path, why: Refusal) -> StoreError {
    StoreError::Refused { path: path.to_owned(), why }
}

pub(super) fn read_only() -> StoreError {
    StoreError::Unavailable { cause: Cause::ReadOnly, outcome: Outcome::NotDone, source: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_can_corrupt_a_file_is_refused() {
        let why = |version| match engine(version, Path::new("x.db")) {
            Err(StoreError::Refused { why, .. }) => Some(why),
            _ => None,
        };
        assert_eq!(why(3_051_002), Some(Refusal::EngineTooOld));
        assert_eq!(why(3_051_003), None);
        assert!(engine(rusqlite::version_number(), Path::new("x.db")).is_ok());
    }
}

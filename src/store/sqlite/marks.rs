//! What tells one store's file from another's, and from a file that is none.
//!
//! A file that only tenure uses carries its application id. Every store has a table of one row,
//! `tenure_store`: the id of the store, the format of the file and the number of commits. Each
//! commit counts itself there, so each write-ahead log holds a page with the id of the store it
//! belongs to, and the file a sequence number of what is durable.

use super::errors::failed;
use super::migrate::FORMAT;
use super::rows::Bound;
use crate::store::{Refusal, Result, StoreError};
use rusqlite::{Connection, OptionalExtension as _};
use std::path::Path;
use uuid::Uuid;

/// The application id in the header of a file that only tenure uses: `tnur` in ASCII.
pub const APPLICATION_ID: i32 = i32::from_be_bytes(*b"tnur");

/// What a file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) application_id: i32,
    pub(super) user_version: u32,
    pub(super) store: Option<Identity>,
}

/// The row of `tenure_store`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: Uuid,
    pub(super) format: u32,
    pub(super) commits: u64,
}

impl Marks {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let header = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        let application_id = header("application_id")?;
        let user_version = u32::try_from(header("user_version")?).unwrap_or(0);
        // The table of a newer format may look like anything.
        let newer = application_id == APPLICATION_ID && user_version > FORMAT;
        let store = if newer { None } else { identity(connection)? };
        Ok(Self { application_id, user_version, store })
    }

    /// The newest format that the file claims.
    pub(super) fn format(&self) -> u32 {
        let named = self.store.map_or(0, |store| store.format);
        let owned = self.application_id == APPLICATION_ID;
        if owned { named.max(self.user_version) } else { named }
    }
}

/// The identity of the store that `connection` is on, if it is on one.
pub(super) fn identity(connection: &Connection) -> rusqlite::Result<Option<Identity>> {
    let is_there =
        "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = 'tenure_store'";
    if connection.query_row(is_there, [], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    let row = "SELECT id, format, commits FROM main.tenure_store";
    let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<_> {
        let id = row.get_ref(0)?.as_blob().ok().and_then(|bytes| Uuid::from_slice(bytes).ok());
        let format = u32::try_from(row.get::<_, i64>(1)?).unwrap_or(u32::MAX);
        let commits = u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
        Ok(id.map(|id| Identity { id, format, commits }))
    };
    Ok(connection.query_row(row, [], read).optional()?.flatten())
}

/// Counts one commit.
pub(super) fn bump(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "UPDATE main.tenure_store SET commits = commits + 1";
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// Counts one commit of the store `id`, unless a newer version has changed the format of the file
/// since it was opened: then nothing may be written. Returns how many there are with it.
pub(super) fn bump_own(connection: &Connection, id: Uuid, path: &Path) -> Result<u64> {
    let sql = "UPDATE main.tenure_store SET commits = commits + 1 WHERE id = ?1 AND format = ?2
        RETURNING commits";
    let known = FORMAT;
    let params = [Bound::Id(&id), Bound::Int(i64::from(known))];
    let bumped = connection
        .prepare_cached(sql)
        .and_then(|mut it| it.query_row(params, |row| row.get::<_, i64>(0)).optional());
    if let Some(commits) = bumped.map_err(|error| failed(path, error))? {
        return Ok(u64::try_from(commits).unwrap_or(0));
    }
    let now = identity(connection).map_err(|error| failed(path, error))?;
    let why = match now {
        Some(now) if now.format > known => Refusal::TooNew { found: now.format, known },
        _ => Refusal::Damaged,
    };
    Err(StoreError::Refused { path: path.to_owned(), why })
}

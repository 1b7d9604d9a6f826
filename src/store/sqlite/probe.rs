//! Whether a file and the write-ahead log beside it are of one store.

use super::connection::{connect, connect_as};
use super::errors::failed;
use super::marks::{APPLICATION_ID, Marks};
use super::migrate::FORMAT;
use super::open::{read_only, refused};
use super::options::SqliteOptions;
use crate::store::{Refusal, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

/// How often the main file is read, because somebody's checkpoint may be in the way.
const TRIES: u32 = 5;

/// Opens the file at `path` and tells what it says of itself, unless it contradicts itself or its
/// anchor. Until the caller allows it, closing the connection does not move the log into the file.
///
/// Without the log the file is good only for a comparison: when power was lost while the log was
/// moved into it, it is torn, and whole again with the log. So with an anchor, which names the store
/// as well, nothing depends on it.
pub(super) fn checked(
    path: &Path,
    options: &SqliteOptions,
    anchored: Option<Uuid>,
) -> Result<(Connection, Marks)> {
    let owned = |marks: &Marks| options.shared || marks.application_id == APPLICATION_ID;
    let foreign = |marks: &Marks| {
        let application_id = marks.application_id;
        Err(refused(path, Refusal::Foreign { application_id }))
    };
    let may_be_torn = anchored.is_some() || options.accepts_loss;
    let alone = match main_file(path, options, may_be_torn) {
        Ok(alone) => Some(alone),
        Err(_) if may_be_torn => None,
        Err(error) => return Err(failed(path, error)),
    };
    match &alone {
        Some(alone) if !may_be_torn && !owned(alone) => return foreign(alone),
        _ => {}
    }
    let (connection, with_log) = with_log(path, options)?;
    let without = alone.filter(|_| !may_be_torn).map_or(0, |alone| alone.format());
    let found = with_log.format().max(without);
    if found > FORMAT {
        return Err(refused(path, Refusal::TooNew { found, known: FORMAT }));
    }
    let id = |marks: Marks| marks.store.map(|store| store.id);
    let (file, whole) = (alone.and_then(id), id(with_log));
    if whole.is_some() && !owned(&with_log) {
        return foreign(&with_log);
    }
    let why = match (anchored.or(file), whole) {
        (Some(named), Some(whole)) if named == whole => None,
        (Some(_), Some(whole)) if file == Some(whole) => Some(Refusal::ForeignAnchor),
        (Some(_), _) if file.or(whole).is_some() => Some(Refusal::ForeignLog),
        (Some(_), None) if options.shared => Some(Refusal::OnlyAnchor),
        (None, Some(_)) if may_be_torn => None,
        // A host's file may have the store's tables in its log alone. Ours is created whole.
        (None, _) if options.shared => None,
        (_, None) if !owned(&with_log) => return foreign(&with_log),
        _ => Some(Refusal::Damaged),
    };
    why.map_or(Ok((connection, with_log)), |why| Err(refused(path, why)))
}

fn with_log(path: &Path, options: &SqliteOptions) -> Result<(Connection, Marks)> {
    let open = || {
        let connection = connect(path, OpenFlags::empty(), options)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.busy_timeout(options.busy_timeout)?;
        Ok(connection)
    };
    let connection = open().map_err(|error| failed(path, error))?;
    // SQLite falls back to reading when it may not write.
    if connection.is_readonly("main").map_err(|error| failed(path, error))? {
        return Err(read_only());
    }
    let marks = Marks::read(&connection).map_err(|error| failed(path, error))?;
    Ok((connection, marks))
}

/// What the main file says of itself, its log left aside.
fn main_file(path: &Path, options: &SqliteOptions, once: bool) -> rusqlite::Result<Marks> {
    let mut tries = 1_u32;
    loop {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let read = connect_as(uri(path), flags, options).and_then(|it| Marks::read(&it));
        if read.is_ok() || once || tries >= TRIES {
            return read;
        }
        tries = tries.saturating_add(1);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The file at `path` as a URI by which SQLite reads it without its log and without locks.
fn uri(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    let bytes = path.as_os_str().as_encoded_bytes();
    let bytes = bytes.iter().map(|byte| if cfg!(windows) && *byte == b'\\' { b'/' } else { *byte });
    if cfg!(windows) {
        uri.push('/');
    }
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            b':' if cfg!(windows) => uri.push(':'),
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri.push_str("?immutable=1");
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn every_byte_that_means_something_in_a_uri_is_escaped() {
        assert_eq!(
            uri(Path::new("/a b/c?d=1#2%.db")),
            "file:///a%20b/c%3Fd%3D1%232%25.db?immutable=1"
        );
        assert_eq!(uri(Path::new("/ü")), "file:///%C3%BC?immutable=1");
    }
}

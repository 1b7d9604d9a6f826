//! What SQLite's errors mean to a caller of the store.

use crate::store::schema::Table;
use crate::store::{Cause, Outcome, Refusal, StoreError};
use rusqlite::{Error, ErrorCode, ffi};
use std::path::Path;

/// An error of SQLite inside a host's own part of a transaction, as an error of the store.
///
/// It is taken to have happened before the commit, so that nothing was done.
impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match cause(&error) {
            Some(cause) => unavailable(cause, Outcome::NotDone, error),
            None => Self::backend(error),
        }
    }
}

/// `error` as it stands for work on the file at `path` that has not reached its commit.
pub(super) fn failed(path: &Path, error: Error) -> StoreError {
    failed_with(path, Outcome::NotDone, error)
}

/// `error` of the file at `path`, after which `outcome` is known.
pub(super) fn failed_with(path: &Path, outcome: Outcome, error: Error) -> StoreError {
    let refused = |why| StoreError::Refused { path: path.to_owned(), why };
    match (cause(&error), error.sqlite_error_code()) {
        (Some(cause), _) => unavailable(cause, outcome, error),
        (None, Some(ErrorCode::DatabaseCorrupt)) => refused(Refusal::Damaged),
        (None, Some(ErrorCode::NotADatabase)) => refused(Refusal::NotADatabase),
        _ => StoreError::backend(error),
    }
}

/// `error` of the operating system while looking for, or making, a file.
pub(super) fn cannot_open(error: std::io::Error) -> StoreError {
    use std::io::ErrorKind;
    let cause = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Cause::Full,
        ErrorKind::ReadOnlyFilesystem => Cause::ReadOnly,
        _ => Cause::CannotOpen,
    };
    unavailable(cause, Outcome::NotDone, error)
}

/// The transaction is gone although nobody ended it; `because` is the error that a body had then.
pub(super) fn gave_up(because: Option<&StoreError>) -> StoreError {
    let cause = match because {
        Some(StoreError::Unavailable { cause, .. }) => *cause,
        _ => Cause::Io,
    };
    StoreError::Unavailable { cause, outcome: Outcome::NotDone, source: None }
}

/// Whether a commit failed because a row refers to one that is not there.
pub(super) fn is_dangling(error: &Error) -> bool {
    extended(error) == Some(ffi::SQLITE_CONSTRAINT_FOREIGNKEY)
}

/// Whether a statement failed because of a value that its column cannot hold.
pub(super) fn is_misfit(error: &Error) -> bool {
    extended(error) == Some(ffi::SQLITE_CONSTRAINT_DATATYPE)
}

/// The columns of the unique index of `table` that a failed write ran into. SQLite reports them as
/// `UNIQUE constraint failed: t.org, t.a, t.b`.
pub(super) fn clash(table: &Table, error: &Error) -> Option<&'static [&'static str]> {
    let Error::SqliteFailure(code, Some(message)) = error else { return None };
    if code.extended_code != ffi::SQLITE_CONSTRAINT_UNIQUE {
        return None;
    }
    let named = message.split_once(": ")?.1;
    let hit = table.indexes.iter().filter(|index| index.unique).find(|index| {
        let mut expected = format!("{}.org", table.name);
        for column in index.columns {
            expected.push_str(", ");
            expected.push_str(table.name);
            expected.push('.');
            expected.push_str(column);
        }
        named == expected
    });
    hit.map(|index| index.columns)
}

fn extended(error: &Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

fn cause(error: &Error) -> Option<Cause> {
    Some(match error.sqlite_error_code()? {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Cause::Busy,
        ErrorCode::DiskFull => Cause::Full,
        ErrorCode::ReadOnly => Cause::ReadOnly,
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Cause::CannotOpen,
        ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed => Cause::Io,
        _ => return None,
    })
}

fn unavailable<E>(cause: Cause, outcome: Outcome, error: E) -> StoreError
where
    E: std::error::Error + Send + Sync + 'static,
{
    StoreError::Unavailable { cause, outcome, source: Some(Box::new(error)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn each_result_code_has_its_cause() {
        let path = Path::new("x.db");
        for (code, wanted) in [
            (ffi::SQLITE_BUSY, Cause::Busy),
            (ffi::SQLITE_BUSY_SNAPSHOT, Cause::Busy),
            (ffi::SQLITE_LOCKED, Cause::Busy),
            (ffi::SQLITE_FULL, Cause::Full),
            (ffi::SQLITE_READONLY, Cause::ReadOnly),
            (ffi::SQLITE_CANTOPEN, Cause::CannotOpen),
            (ffi::SQLITE_PERM, Cause::CannotOpen),
            (ffi::SQLITE_IOERR_FSYNC, Cause::Io),
        ] {
            let StoreError::Unavailable { cause, outcome, source } = failed(path, error(code))
            else {
                panic!("{code} is no cause")
            };
            assert_eq!((cause, outcome), (wanted, Outcome::NotDone), "{code}");
            assert!(source.is_some());
        }
        let at_commit = failed_with(path, Outcome::Unknown, error(ffi::SQLITE_IOERR));
        let unknown =
            |it: &_| matches!(it, StoreError::Unavailable { outcome: Outcome::Unknown, .. });
        assert!(unknown(&at_commit));
        assert!(unknown(&StoreError::shared(&std::sync::Arc::new(at_commit))));
    }

    #[test]
    fn damage_is_told_apart_from_what_is_no_database() {
        let why = |code| match failed(Path::new("x.db"), error(code)) {
            StoreError::Refused { why, .. } => Some(why),
            _ => None,
        };
        assert_eq!(why(ffi::SQLITE_CORRUPT), Some(Refusal::Damaged));
        assert_eq!(why(ffi::SQLITE_NOTADB), Some(Refusal::NotADatabase));
        assert_eq!(why(ffi::SQLITE_NOMEM), None);
    }
}

//! How a file of an earlier format becomes one of this format.
//!
//! A format is the layout that tenure relies on beneath the declared tables. Columns and tables that
//! are merely new are no new format: `install` adds them.

use super::marks::{APPLICATION_ID, identity};
use rusqlite::Connection;
use uuid::Uuid;

/// The format that this version writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

/// One step: from the format before it to `format`.
pub(super) struct Migration {
    pub(super) format: u32,
    pub(super) apply: fn(&Connection) -> rusqlite::Result<()>,
}

/// Every step there ever was, in order. Steps that were released are never changed.
pub(super) const MIGRATIONS: &[Migration] = &[Migration { format: 1, apply: first }];

/// Takes the steps that the file has not taken yet, inside the caller's transaction. Returns the
/// format that it had, 0 for a file that was no store.
///
/// The header's `user_version` repeats the format if the file is tenure's alone; in a file that is
/// shared it is the host's.
pub(super) fn bring_up(
    connection: &Connection,
    migrations: &[Migration],
    owned: bool,
) -> rusqlite::Result<u32> {
    let before = identity(connection)?.map_or(0, |store| store.format);
    for migration in migrations.iter().filter(|migration| migration.format > before) {
        (migration.apply)(connection)?;
        let format = i64::from(migration.format);
        connection.execute("UPDATE main.tenure_store SET format = ?1", [format])?;
        if owned {
            connection.pragma_update(None, "user_version", format)?;
        }
    }
    if owned && before == 0 {
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    Ok(before)
}

/// Format 1: the store's own row.
fn first(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE main.tenure_store (
            id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
            format INTEGER NOT NULL,
            commits INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID",
    )?;
    let id = Uuid::new_v4();
    let row = "INSERT INTO main.tenure_store (id, format, commits) VALUES (?1, 1, 0)";
    connection.execute(row, [id.as_bytes()]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::marks::Marks;

    #[test]
    fn the_steps_are_numbered_without_gaps_up_to_the_format() {
        let numbers: Vec<u32> = MIGRATIONS.iter().map(|it| it.format).collect();
        assert_eq!(numbers, (1..=FORMAT).collect::<Vec<_>>());
    }

    #[test]
    fn only_the_steps_that_are_missing_are_taken() {
        fn second(connection: &Connection) -> rusqlite::Result<()> {
            connection.execute_batch("ALTER TABLE tenure_store ADD COLUMN note TEXT")
        }
        let later = [Migration { format: 1, apply: first }, Migration { format: 2, apply: second }];
        let connection = Connection::open_in_memory().unwrap();
        assert_eq!(bring_up(&connection, MIGRATIONS, true).unwrap(), 0);
        let before = identity(&connection).unwrap().unwrap();
        assert_eq!(bring_up(&connection, &later, true).unwrap(), 1);
        let after = identity(&connection).unwrap().unwrap();
        assert_eq!((before.format, after.format), (1, 2));
        assert_eq!(before.id, after.id);
        let marks = Marks::read(&connection).unwrap();
        assert_eq!((marks.user_version, marks.application_id), (2, APPLICATION_ID));
        assert_eq!(marks.store, None, "this version does not look into format 2");
        assert_eq!(marks.format(), 2);
        assert_eq!(bring_up(&connection, &later, true).unwrap(), 2);
    }

    #[test]
    fn the_header_of_a_shared_file_stays_the_hosts() {
        let connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 77).unwrap();
        bring_up(&connection, MIGRATIONS, false).unwrap();
        let marks = Marks::read(&connection).unwrap();
        assert_eq!((marks.application_id, marks.user_version, marks.format()), (0, 77, 1));
    }
}

//! Brings the tables of a file to their declared shape, keeping the rows.

use super::ddl;
use super::errors::failed;
use super::marks::identity;
use super::migrate::FORMAT;
use super::rows::declared;
use super::seal;
use super::sql::{quoted, unusable};
use crate::store::schema::Table;
use crate::store::{Refusal, Result, StoreError};
use crate::value::{Column, Kind};
use rusqlite::{Connection, Error, ErrorCode};
use std::path::Path;

/// One statement of the plan, and the table that it is about.
pub(super) struct Step {
    table: &'static Table,
    sql: String,
    /// Whether the rows that are there get their seals then.
    seals: bool,
}

impl Step {
    const fn new(table: &'static Table, sql: String) -> Self {
        Self { table, sql, seals: false }
    }
}

/// A column as it is in the file.
struct Stored {
    name: String,
    declared: String,
    nullable: bool,
    /// The place in the primary key, counted from 1, or 0.
    key: i64,
}

/// What must be done so that the file holds `tables`; nothing if it holds them already.
pub(super) fn plan(
    connection: &Connection,
    path: &Path,
    tables: &[&'static Table],
) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for table in tables {
        declarable(table)?;
        let of_sqlite = |error| failed(path, error);
        let stored = stored_columns(connection, table.name).map_err(of_sqlite)?;
        if stored.is_empty() {
            steps.push(Step::new(table, ddl::table(table)));
        } else {
            ours(table, &stored)?;
            known(connection, path, table, &stored)?;
            extend(table, &stored, &mut steps)?;
        }
        indexes(connection, table, &mut steps).map_err(of_sqlite)?;
        for reference in table.references {
            let installed = tables.iter().any(|it| it.name == reference.table);
            let there = || stored_columns(connection, reference.table).map_err(of_sqlite);
            if !installed && there()?.is_empty() {
                return Err(unusable(
                    table,
                    format!("it refers to `{}`, which is missing", reference.table),
                ));
            }
        }
    }
    Ok(steps)
}

/// Carries out a plan, inside the caller's transaction.
pub(super) fn carry_out(connection: &Connection, path: &Path, steps: &[Step]) -> Result<()> {
    for step in steps {
        connection.execute_batch(&step.sql).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => {
                unusable(step.table, format!("its rows are in the way: {error}"))
            }
            _ => failed(path, error),
        })?;
        if step.seals {
            seal::seal_all(connection, path, step.table)?;
        }
    }
    Ok(())
}

/// Refuses a declaration that has no place for the org, or no key.
fn declarable(table: &Table) -> Result<()> {
    let key = table.columns.first();
    if key.is_none_or(|key| key.kind != Kind::Uuid || key.nullable) {
        return Err(unusable(table, "its first column must be a UUID that is never null"));
    }
    for own in ["org", seal::COLUMN] {
        if table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(own)) {
            return Err(unusable(table, format!("the column `{own}` is the store's own")));
        }
    }
    Ok(())
}

/// Refuses a table that merely has the same name: the host's own, perhaps.
fn ours(table: &Table, stored: &[Stored]) -> Result<()> {
    let key = |name: &str, place| {
        stored.iter().any(|it| it.name == name && it.key == place && it.declared == "BLOB")
    };
    let id = table.columns.first().map_or("", |column| column.name);
    let whole = key("org", 1) && key(id, 2) && !stored.iter().any(|column| column.key > 2);
    if whole { Ok(()) } else { Err(unusable(table, "another table has its name")) }
}

/// Refuses a table with columns that this version would leave empty in new rows.
fn known(connection: &Connection, path: &Path, table: &Table, stored: &[Stored]) -> Result<()> {
    let own = |name: &str| name == "org" || table.sealed && name == seal::COLUMN;
    let is_known = |it: &Stored| own(&it.name) || table.position(&it.name).is_some();
    if stored.iter().all(is_known) {
        return Ok(());
    }
    let format = identity(connection).map_err(|error| failed(path, error))?;
    let found = format.map_or(FORMAT, |store| store.format);
    let why = Refusal::TooNew { found, known: FORMAT };
    Err(StoreError::Refused { path: path.to_owned(), why })
}

/// Adds the columns that are new, and refuses what cannot be changed in place.
fn extend(table: &'static Table, stored: &[Stored], steps: &mut Vec<Step>) -> Result<()> {
    for column in table.columns {
        match stored.iter().find(|it| it.name == column.name) {
            Some(stored) => same(table, column, stored)?,
            None if column.nullable => {
                let (name, column) = (quoted(table.name), ddl::column(column));
                let sql = format!("ALTER TABLE main.{name} ADD COLUMN {column}");
                steps.push(Step::new(table, sql));
            }
            None => {
                let why = format!("`{}` is new and may not be null", column.name);
                return Err(unusable(table, why));
            }
        }
    }
    if table.sealed && !stored.iter().any(|it| it.name == seal::COLUMN) {
        let sql = format!("ALTER TABLE main.{} ADD COLUMN {}", quoted(table.name), ddl::seal());
        steps.push(Step { table, sql, seals: true });
    }
    Ok(())
}

fn same(table: &Table, column: &Column, stored: &Stored) -> Result<()> {
    let (name, wanted) = (column.name, declared(column.kind));
    if stored.declared != wanted {
        let why = format!("`{name}` is {} in the file and {wanted} here", stored.declared);
        return Err(unusable(table, why));
    }
    if stored.nullable != column.nullable {
        let may = if stored.nullable { "may" } else { "may not" };
        return Err(unusable(table, format!("`{name}` {may} be null in the file, unlike here")));
    }
    Ok(())
}

/// Creates the indexes that are missing. Drops unique ones that are no longer declared, because
/// they would still refuse rows, and those that one without nulls takes the place of; others only
/// cost a little.
fn indexes(
    connection: &Connection,
    table: &'static Table,
    steps: &mut Vec<Step>,
) -> rusqlite::Result<()> {
    let sql = "SELECT name FROM main.sqlite_schema WHERE type = 'index' AND tbl_name = ?1";
    let mut statement = connection.prepare(sql)?;
    let stored = statement.query_map([table.name], |row| row.get::<_, String>(0))?;
    let stored = stored.collect::<rusqlite::Result<Vec<_>>>()?;
    let declared: Vec<_> = table.indexes.iter().map(|it| ddl::index_name(table, it)).collect();
    let whole: Vec<_> = table.indexes.iter().map(|it| ddl::whole_index_name(table, it)).collect();
    let stale = |name: &&String| {
        let replaced = name.starts_with(&ddl::unique_prefix(table)) || whole.contains(name);
        replaced && !declared.contains(name)
    };
    for name in stored.iter().filter(stale) {
        steps.push(Step::new(table, format!("DROP INDEX main.{}", quoted(name))));
    }
    for (index, name) in table.indexes.iter().zip(&declared) {
        if !stored.contains(name) {
            steps.push(Step::new(table, ddl::index(table, index)));
        }
    }
    Ok(())
}

fn stored_columns(connection: &Connection, table: &str) -> Result<Vec<Stored>, Error> {
    let sql = "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1, 'main')";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([table], |row| {
        let nullable = row.get::<_, i64>(2)? == 0;
        Ok(Stored { name: row.get(0)?, declared: row.get(1)?, nullable, key: row.get(3)? })
    })?;
    rows.collect()
}

//! Reading and writing over a connection that is inside a transaction.

use super::errors::{clash, failed, is_misfit};
use super::marks;
use super::rows::{self, Bound};
use super::select::{params, parts};
use super::sql::{Catalog, Statements};
use crate::store::query::{LIMIT_MAX, Query};
use crate::store::schema::{Col, Table};
use crate::store::{OrgId, Reader, Result, StoreError, Writer, add_by_put};
use crate::value::Row;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params_from_iter};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use uuid::Uuid;

/// Rows of one org, inside a transaction that is open on a connection.
///
/// [`SqliteStore::join`](super::SqliteStore::join) makes one of a transaction of the host: what is
/// written through it is kept or lost with whatever else the host does there.
pub(super) struct SqliteTransaction<'c> {
    connection: &'c Connection,
    catalog: Arc<Catalog>,
    org: Uuid,
    /// Statements that were used, the last one at the end: one that is asked for again is found by
    /// the address of its text, without hashing and comparing the text.
    used: RefCell<Vec<(Arc<str>, CachedStatement<'c>)>>,
    /// Whether the first change must still bump the store's count of commits, because nobody else
    /// will.
    unmarked: Cell<bool>,
}

impl<'c> SqliteTransaction<'c> {
    /// In a transaction that this crate opened and commits.
    pub(super) fn own(connection: &'c Connection, catalog: Arc<Catalog>, org: OrgId) -> Self {
        Self::new(connection, catalog, org, false)
    }

    /// In a transaction that the host opened and commits.
    pub(super) fn joined(connection: &'c Connection, catalog: Arc<Catalog>, org: OrgId) -> Self {
        Self::new(connection, catalog, org, true)
    }

    fn new(connection: &'c Connection, catalog: Arc<Catalog>, org: OrgId, unmarked: bool) -> Self {
        let (used, unmarked) = (RefCell::new(Vec::new()), Cell::new(unmarked));
        Self { connection, catalog, org: org.uuid(), used, unmarked }
    }

    fn failed(&self, error: rusqlite::Error) -> StoreError {
        failed(&self.catalog.path, error)
    }

    /// Calls `work` with the statement of this text.
    fn with<T>(
        &self,
        sql: &Arc<str>,
        work: impl FnOnce(&mut CachedStatement<'c>) -> Result<T>,
    ) -> Result<T> {
        let known = {
            let mut used = self.used.borrow_mut();
            let place = used.iter().rposition(|(text, _)| Arc::ptr_eq(text, sql));
            place.map(|place| used.remove(place))
        };
        let (text, mut statement) = if let Some(known) = known {
            known
        } else {
            let statement = self.connection.prepare_cached(sql);
            (Arc::clone(sql), statement.map_err(|error| self.failed(error))?)
        };
        let done = work(&mut statement);
        self.used.borrow_mut().push((text, statement));
        done
    }

    fn mark(&self) -> Result<()> {
        if self.unmarked.get() {
            marks::bump(self.connection).map_err(|error| self.failed(error))?;
            self.unmarked.set(false);
        }
        Ok(())
    }

    /// Runs an insert of `row`. Returns how many rows it changed.
    fn upsert(&self, statements: &Statements, sql: &Arc<str>, row: &Row) -> Result<usize> {
        let table = statements.table;
        rows::check(table, row)?;
        self.mark()?;
        self.with(sql, |statement| {
            let bound = rows::bind(statement, statements.weights.as_ref(), &self.org, row);
            let done = bound.and_then(|()| statement.raw_execute());
            done.map_err(|error| match clash(table, &error) {
                Some(columns) => StoreError::Conflict { table: table.name, columns },
                None => self.failed(error),
            })
        })
    }

    fn decode(&self, statements: &Statements, row: &rusqlite::Row<'_>) -> Result<Row> {
        rows::decode(statements.table, statements.weights.as_ref(), &self.org, row)
    }

    fn page(&self, statements: &Statements, query: &Query, limit: usize) -> Result<Vec<Row>> {
        let mut found = Vec::new();
        for part in parts(query) {
            let left = limit.saturating_sub(found.len());
            if left == 0 {
                break;
            }
            let params = params(statements.table, &self.org, query, *part, left);
            self.with(&statements.select(query, *part)?, |statement| {
                let rows = statement.query(params_from_iter(params));
                let mut rows = rows.map_err(|error| self.failed(error))?;
                while let Some(row) = rows.next().map_err(|error| self.failed(error))? {
                    found.push(self.decode(statements, row)?);
                }
                Ok(())
            })?;
        }
        Ok(found)
    }
}

impl Reader for SqliteTransaction<'_> {
    fn get(&self, table: &'static Table, key: Uuid) -> Result<Option<Row>> {
        let statements = self.catalog.of(table)?;
        let params = [Bound::Id(&self.org), Bound::Id(&key)];
        self.with(&statements.get, |statement| {
            let row = statement.query_row(params, |row| Ok(self.decode(statements, row)));
            row.optional().map_err(|error| self.failed(error))?.transpose()
        })
    }

    fn query(&self, table: &'static Table, query: &Query) -> Result<Vec<Row>> {
        self.page(self.catalog.of(table)?, query, query.limit.min(LIMIT_MAX))
    }
}

impl Writer for SqliteTransaction<'_> {
    fn insert(&mut self, table: &'static Table, row: Row) -> Result<bool> {
        let statements = self.catalog.of(table)?;
        let changed = self.upsert(statements, &statements.insert, &row)?;
        Ok(changed > 0)
    }

    fn put(&mut self, table: &'static Table, row: Row) -> Result<()> {
        let statements = self.catalog.of(table)?;
        // Most changes leave the indexes alone.
        if let Some(touch) = &statements.touch
            && self.upsert(statements, touch, &row)? > 0
        {
            return Ok(());
        }
        self.upsert(statements, &statements.put, &row).map(drop)
    }

    fn delete(&mut self, table: &'static Table, key: Uuid) -> Result<bool> {
        let statements = self.catalog.of(table)?;
        self.mark()?;
        let params = [Bound::Id(&self.org), Bound::Id(&key)];
        let deleted = self.with(&statements.delete, |statement| {
            statement.execute(params).map_err(|error| self.failed(error))
        })?;
        Ok(deleted > 0)
    }

    fn add(&mut self, table: &'static Table, key: Uuid, col: Col, by: i64) -> Result<Option<i64>> {
        let statements = self.catalog.of(table)?;
        let Some(Some(add)) = statements.add.get(col.index) else {
            // Not an integer: the general way finds out whether there is such a row at all.
            return add_by_put(self, table, key, col, by);
        };
        self.mark()?;
        let place = (table.name, col.name);
        let (org, key) = (Bound::Id(&self.org), Bound::Id(&key));
        let step = statements.weights.as_ref().map(|it| Bound::Int(it.step(col.index, by)));
        let params = [org, key, Bound::Int(by)].into_iter().chain(step);
        let updated = self.with(&add.update, |statement| {
            // A sum past `i64` turns into a float, which a strict integer column refuses.
            let updated = statement.execute(params_from_iter(params));
            updated.map_err(|error| match error {
                it if is_misfit(&it) => StoreError::Overflow { table: place.0, column: place.1 },
                it => self.failed(it),
            })
        })?;
        if updated == 0 {
            return Ok(None);
        }
        let sum = self.with(&add.sum, |statement| {
            let sum = statement.query_row([org, key], |row| row.get::<_, Option<i64>>(0));
            sum.map_err(|error| self.failed(error))
        })?;
        sum.map(Some).ok_or(StoreError::Corrupt { table: place.0, column: place.1 })
    }
}

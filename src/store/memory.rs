//! Rows in maps: for tests, for trying things out, and as the model that other backends are
//! compared with.

use super::query::Query;
use super::schema::{Col, Table};
use super::{OrgId, ReadBody, Reader, Result, Store, StoreError, WriteBody, Writer};
use crate::value::{Row, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};
use uuid::Uuid;

/// A [`Store`] that forgets everything when it is dropped. Queries scan the org's rows.
#[derive(Debug, Default)]
pub struct MemoryStore(RwLock<Orgs>);

type Orgs = HashMap<OrgId, Data>;

#[derive(Debug, Default)]
struct Data {
    rows: HashMap<&'static str, BTreeMap<Uuid, Row>>,
    /// Who holds each value of each unique index.
    unique: HashMap<(&'static str, usize), BTreeMap<Vec<Value>, Uuid>>,
}

struct Transaction<'d> {
    data: &'d mut Data,
    /// How to undo each change, oldest first.
    undo: Vec<(&'static Table, Uuid, Option<Row>)>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn install(&self, _tables: &[&'static Table]) -> Result<()> {
        Ok(())
    }

    fn read(&self, org: OrgId, body: &mut ReadBody<'_>) -> Result<()> {
        let orgs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match orgs.get(&org) {
            Some(data) => body(data),
            None => body(&Data::default()),
        }
    }

    fn write(&self, org: OrgId, body: &mut WriteBody<'_>) -> Result<()> {
        let mut orgs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let data = orgs.entry(org).or_default();
        let mut transaction = Transaction { data, undo: Vec::new() };
        body(&mut transaction)?;
        transaction.undo.clear();
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        for (table, key, before) in self.undo.drain(..).rev() {
            self.data.replace(table, key, before);
        }
    }
}

impl Data {
    /// Sets or clears one row and the unique indexes that cover it. Returns what was there.
    fn replace(&mut self, table: &'static Table, key: Uuid, row: Option<Row>) -> Option<Row> {
        let rows = self.rows.entry(table.name).or_default();
        let after = row.clone();
        let before = match row {
            Some(row) => rows.insert(key, row),
            None => rows.remove(&key),
        };
        for (place, index) in table.indexes.iter().enumerate().filter(|(_, index)| index.unique) {
            let holders = self.unique.entry((table.name, place)).or_default();
            let held =
                |row: &Row| Some(table.values_in(index, row)).filter(|values| no_null(values));
            if let Some(values) = before.as_ref().and_then(held) {
                holders.remove(&values);
            }
            if let Some(values) = after.as_ref().and_then(held) {
                holders.insert(values, key);
            }
        }
        before
    }

    fn check_unique(&self, table: &'static Table, row: &Row) -> Result<()> {
        for (place, index) in table.indexes.iter().enumerate().filter(|(_, index)| index.unique) {
            let values = table.values_in(index, row);
            let holder = self.unique.get(&(table.name, place)).and_then(|it| it.get(&values));
            if no_null(&values) && holder.is_some_and(|holder| *holder != row.key()) {
                return Err(StoreError::Conflict { table: table.name, columns: index.columns });
            }
        }
        Ok(())
    }
}

fn no_null(values: &[Value]) -> bool {
    !values.contains(&Value::Null)
}

impl Reader for Data {
    fn get(&self, table: &'static Table, key: Uuid) -> Result<Option<Row>> {
        Ok(self.rows.get(table.name).and_then(|rows| rows.get(&key)).cloned())
    }

    fn query(&self, table: &'static Table, query: &Query) -> Result<Vec<Row>> {
        Ok(query.select(self.rows.get(table.name).into_iter().flat_map(BTreeMap::values)))
    }
}

impl Reader for Transaction<'_> {
    fn get(&self, table: &'static Table, key: Uuid) -> Result<Option<Row>> {
        self.data.get(table, key)
    }

    fn query(&self, table: &'static Table, query: &Query) -> Result<Vec<Row>> {
        self.data.query(table, query)
    }
}

impl Writer for Transaction<'_> {
    fn insert(&mut self, table: &'static Table, row: Row) -> Result<bool> {
        if self.get(table, row.key())?.is_some() {
            return Ok(false);
        }
        self.put(table, row).map(|()| true)
    }

    fn put(&mut self, table: &'static Table, row: Row) -> Result<()> {
        self.data.check_unique(table, &row)?;
        let key = row.key();
        let before = self.data.replace(table, key, Some(row));
        self.undo.push((table, key, before));
        Ok(())
    }

    fn delete(&mut self, table: &'static Table, key: Uuid) -> Result<bool> {
        let before = self.data.replace(table, key, None);
        let existed = before.is_some();
        self.undo.push((table, key, before));
        Ok(existed)
    }

    fn add(&mut self, table: &'static Table, key: Uuid, col: Col, by: i64) -> Result<Option<i64>> {
        super::add_by_put(self, table, key, col, by)
    }
}

#[cfg(test)]
mod tests {
    use super::MemoryStore;

    crate::conformance!(MemoryStore::new());
}

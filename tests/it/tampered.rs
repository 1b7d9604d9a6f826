//! A store between a handle and another store that counts what passes, changes a row behind the
//! back of its owner, or fails when a story wants it to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tenure::OrgId;
use tenure::store::query::Query;
use tenure::store::schema::{Col, Table};
use tenure::store::{
    Outcome, ReadBody, Reader, Result, Store, StoreError, WriteBody, Writer, add_by_put,
};
use tenure::value::{Row, Value};
use uuid::Uuid;

#[derive(Clone)]
pub struct Tampered(Arc<Inner>);

struct Inner {
    store: Box<dyn Store>,
    transactions: AtomicUsize,
    failing: Mutex<Option<String>>,
    tables: Mutex<Vec<&'static Table>>,
    written: Mutex<Vec<&'static str>>,
    touched: AtomicUsize,
}

impl Tampered {
    pub fn over(store: impl Store + 'static) -> Self {
        Self(Arc::new(Inner {
            store: Box::new(store),
            transactions: AtomicUsize::default(),
            failing: Mutex::default(),
            tables: Mutex::default(),
            written: Mutex::default(),
            touched: AtomicUsize::default(),
        }))
    }

    /// How many write transactions there were.
    pub fn writes(&self) -> usize {
        self.0.transactions.load(Ordering::SeqCst)
    }

    /// The tables of the rows that were written since it was last asked, in order.
    pub fn written(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.written.lock().unwrap())
    }

    /// How many rows were read and written since it was last asked.
    pub fn touched(&self) -> usize {
        self.0.touched.swap(0, Ordering::SeqCst)
    }

    /// Lets the next change of a table fail.
    pub fn fail_once(&self, table: &str) {
        *self.0.failing.lock().unwrap() = Some(table.to_owned());
    }

    /// Fails no more, whether it did or not.
    pub fn heal(&self) {
        *self.0.failing.lock().unwrap() = None;
    }

    /// Changes an integer column of every row of a table by so much, as a fault would.
    pub fn shift(&self, table: &str, column: &str, by: i64) {
        let (table, place) = (self.table(table), self.place(table, column));
        let mut shift = |writer: &mut dyn Writer| {
            for mut row in writer.query(table, &Query::all())? {
                let Some(Value::Int(value)) = row.0.get_mut(place) else { panic!("{column}") };
                *value += by;
                writer.put(table, row)?;
            }
            Ok(())
        };
        self.0.store.write(OrgId::DEFAULT, &mut shift).unwrap();
    }

    /// Where a column is in the rows of a table.
    pub fn place(&self, table: &str, column: &str) -> usize {
        self.table(table).position(column).unwrap()
    }

    fn table(&self, name: &str) -> &'static Table {
        let tables = self.0.tables.lock().unwrap();
        tables.iter().find(|it| it.name == name).unwrap()
    }

    /// Changes every row of a table as `change` does, or removes it, as a fault would.
    pub fn change(&self, table: &str, change: impl Fn(Row) -> Option<Row>) {
        let table = self.table(table);
        let mut change = |writer: &mut dyn Writer| {
            for row in writer.query(table, &Query::all())? {
                let key = row.key();
                match change(row) {
                    // Others may refer to it.
                    Some(row) if row.key() == key => writer.put(table, row).map(drop)?,
                    changed => {
                        writer.delete(table, key)?;
                        if let Some(row) = changed {
                            writer.insert(table, row)?;
                        }
                    }
                }
            }
            Ok(())
        };
        self.0.store.write(OrgId::DEFAULT, &mut change).unwrap();
    }
}

impl Store for Tampered {
    fn install(&self, tables: &[&'static Table]) -> Result<()> {
        *self.0.tables.lock().unwrap() = tables.to_vec();
        self.0.store.install(tables)
    }

    fn read(&self, org: OrgId, body: &mut ReadBody<'_>) -> Result<()> {
        let touched = &self.0.touched;
        self.0.store.read(org, &mut |reader| body(&Seen { reader, touched }))
    }

    fn write(&self, org: OrgId, body: &mut WriteBody<'_>) -> Result<()> {
        self.0.transactions.fetch_add(1, Ordering::SeqCst);
        let Inner { failing, written, touched, .. } = &*self.0;
        self.0
            .store
            .write(org, &mut |writer| body(&mut Through { writer, failing, written, touched }))
    }
}

struct Seen<'s> {
    reader: &'s dyn Reader,
    touched: &'s AtomicUsize,
}

impl Reader for Seen<'_> {
    fn get(&self, table: &'static Table, key: Uuid) -> Result<Option<Row>> {
        self.touched.fetch_add(1, Ordering::SeqCst);
        self.reader.get(table, key)
    }

    fn query(&self, table: &'static Table, query: &Query) -> Result<Vec<Row>> {
        let rows = self.reader.query(table, query)?;
        self.touched.fetch_add(rows.len(), Ordering::SeqCst);
        Ok(rows)
    }
}

struct Through<'t> {
    writer: &'t mut dyn Writer,
    failing: &'t Mutex<Option<String>>,
    written: &'t Mutex<Vec<&'static str>>,
    touched: &'t AtomicUsize,
}

impl Through<'_> {
    fn pass(&self, table: &Table) -> Result<()> {
        self.touched.fetch_add(1, Ordering::SeqCst);
        self.written.lock().unwrap().push(table.name);
        let mut failing = self.failing.lock().unwrap();
        if failing.as_deref() != Some(table.name) {
            return Ok(());
        }
        *failing = None;
        let (cause, outcome) = (tenure::store::Cause::Full, Outcome::NotDone);
        Err(StoreError::Unavailable { cause, outcome, source: None })
    }
}

impl Reader for Through<'_> {
    fn get(&self, table: &'static Table, key: Uuid) -> Result<Option<Row>> {
        Seen { reader: &*self.writer, touched: self.touched }.get(table, key)
    }

    fn query(&self, table: &'static Table, query: &Query) -> Result<Vec<Row>> {
        Seen { reader: &*self.writer, touched: self.touched }.query(table, query)
    }
}

impl Writer for Through<'_> {
    fn insert(&mut self, table: &'static Table, row: Row) -> Result<bool> {
        self.pass(table)?;
        self.writer.insert(table, row)
    }

    fn put(&mut self, table: &'static Table, row: Row) -> Result<()> {
        self.pass(table)?;
        self.writer.put(table, row)
    }

    fn delete(&mut self, table: &'static Table, key: Uuid) -> Result<bool> {
        self.pass(table)?;
        self.writer.delete(table, key)
    }

    fn add(&mut self, table: &'static Table, key: Uuid, col: Col, by: i64) -> Result<Option<i64>> {
        self.pass(table)?;
        add_by_put(self.writer, table, key, col, by)
    }
}

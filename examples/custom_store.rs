//! A storage backend of your own, whole, in one file: nine methods.
//!
//! It is the simplest one that keeps every promise: one map behind one mutex, copied for each
//! write. The copy is the transaction. It is changed freely and takes the map's place if all went
//! well; if not, it is dropped, and nothing has happened. A backend over a database has less to do,
//! as the database brings transactions with it.
//!
//! `tests/custom_store.rs` runs the conformance kit on it. Start from that file too: write the nine
//! methods, run the kit, and make one rule after the other pass.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tenure::store::query::Query;
use tenure::store::schema::{Col, Index, Table};
use tenure::store::{
    OrgId, ReadBody, Reader, Result, Store, StoreError, WriteBody, Writer, add_by_put,
};
use tenure::value::{Column, Kind, Row, Value};
use uuid::Uuid;

/// The store: what all orgs hold.
#[derive(Default)]
pub struct CustomStore(Mutex<BTreeMap<OrgId, Rows>>);

/// What one org holds, by table and primary key.
#[derive(Default, Clone)]
struct Rows(BTreeMap<(&'static str, Uuid), Row>);

/// Opening transactions: three methods.
impl Store for CustomStore {
    /// A map needs no preparation. A SQL backend creates a table for each, with an `org` column
    /// that leads the primary key and every index.
    fn install(&self, _tables: &[&'static Table]) -> Result<()> {
        Ok(())
    }

    /// A copy is a snapshot. The lock is not held while the body runs.
    fn read(&self, org: OrgId, body: &mut ReadBody<'_>) -> Result<()> {
        let snapshot = self.lock().get(&org).cloned().unwrap_or_default();
        body(&snapshot)
    }

    /// Here the lock is held until the end, so that transactions come one after the other. If the
    /// body returns an error or panics, the draft never takes its place. A panic poisons the mutex,
    /// but not what it guards, which is why [`lock`](CustomStore::lock) takes no notice of that.
    fn write(&self, org: OrgId, body: &mut WriteBody<'_>) -> Result<()> {
        let mut orgs = self.lock();
        let mut draft = orgs.get(&org).cloned().unwrap_or_default();
        body(&mut draft)?;
        orgs.insert(org, draft);
        Ok(())
    }
}

impl CustomStore {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<OrgId, Rows>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    /// Only the rows of one table. `Clone`, because [`Table::clash`] goes through them more than
    /// once.
    fn of(&self, table: &'static Table) -> impl Iterator<Item = &Row> + Clone {
        let span = (table.name, Uuid::nil())..=(table.name, Uuid::max());
        self.0.range(span).map(|(_, row)| row)
    }
}

/// Reading: two methods, on the snapshot as on the draft.
impl Reader for Rows {
    fn get(&self, table: &'static Table, key: Uuid) -> Result<Option<Row>> {
        Ok(self.0.get(&(table.name, key)).cloned())
    }

    /// [`Query::select`] filters, sorts, pages and limits. A backend that has indexes uses them
    /// instead.
    fn query(&self, table: &'static Table, query: &Query) -> Result<Vec<Row>> {
        Ok(query.select(self.of(table)))
    }
}

/// Writing: four methods, on the draft.
impl Writer for Rows {
    fn insert(&mut self, table: &'static Table, row: Row) -> Result<bool> {
        if self.0.contains_key(&(table.name, row.key())) {
            return Ok(false);
        }
        self.put(table, row)?;
        Ok(true)
    }

    /// The one place where rows come in, so the one that minds the unique indexes.
    fn put(&mut self, table: &'static Table, row: Row) -> Result<()> {
        if let Some(Index { columns, .. }) = table.clash(&row, self.of(table)) {
            return Err(StoreError::Conflict { table: table.name, columns });
        }
        self.0.insert((table.name, row.key()), row);
        Ok(())
    }

    fn delete(&mut self, table: &'static Table, key: Uuid) -> Result<bool> {
        Ok(self.0.remove(&(table.name, key)).is_some())
    }

    /// Get, add, put. A SQL backend does better: `UPDATE … SET n = n + ? … RETURNING n`.
    fn add(&mut self, table: &'static Table, key: Uuid, col: Col, by: i64) -> Result<Option<i64>> {
        add_by_put(self, table, key, col, by)
    }
}

/// A table to try it with. The tables of tenure itself are declared with its records.
static CREDITS: Table = Table {
    name: "credits",
    columns: &[
        Column { name: "id", kind: Kind::Uuid, nullable: false },
        Column { name: "holder", kind: Kind::Text, nullable: false },
        Column { name: "left", kind: Kind::Int, nullable: false },
    ],
    indexes: &[Index { columns: &["holder"], unique: true, sparse: false }],
    references: &[],
    sealed: false,
};
const LEFT: Col = CREDITS.col("left");

fn credits(id: u128, holder: &str, left: i64) -> Row {
    let id = Value::Uuid(Uuid::from_u128(id));
    Row(vec![id, Value::Text(holder.to_owned()), Value::Int(left)])
}

/// Takes credits from one holder and gives them to another, or does nothing.
fn transfer(store: &dyn Store, org: OrgId, from: u128, to: u128, credits: i64) -> Result<()> {
    store.write(org, &mut |tx| {
        let left = tx.add(&CREDITS, Uuid::from_u128(from), LEFT, credits.saturating_neg())?;
        tx.add(&CREDITS, Uuid::from_u128(to), LEFT, credits)?;
        // The first row is changed already; the error takes that back.
        if left < Some(0) { Err(StoreError::Aborted) } else { Ok(()) }
    })
}

fn print(store: &dyn Store, org: OrgId) -> Result<()> {
    store.read(org, &mut |view| {
        for row in view.query(&CREDITS, &Query::all().newest_by(LEFT))? {
            if let [_, Value::Text(holder), Value::Int(left)] = row.0.as_slice() {
                println!("    {holder:<6} {left:>3}");
            }
        }
        Ok(())
    })
}

#[cfg_attr(test, expect(dead_code, reason = "the test of this file runs the kit instead"))]
fn main() -> Result<()> {
    let store = CustomStore::default();
    store.install(&[&CREDITS])?;
    let (acme, globex) = (OrgId::named("acme"), OrgId::named("globex"));

    for org in [acme, globex] {
        store.write(org, &mut |tx| {
            tx.insert(&CREDITS, credits(1, "ada", 100))?;
            tx.insert(&CREDITS, credits(2, "grace", 20)).map(drop)
        })?;
    }
    println!("two orgs, each with the same keys and names, begin with");
    print(&store, acme)?;

    transfer(&store, acme, 1, 2, 60)?;
    println!("acme after ada gave grace 60 credits:");
    print(&store, acme)?;

    match transfer(&store, acme, 1, 2, 60) {
        Err(error) => println!("ada has no 60 left to give ({error}), so acme still holds"),
        Ok(()) => println!("this store lets ada give what she has not; acme holds"),
    }
    print(&store, acme)?;

    let second = store.write(acme, &mut |tx| tx.put(&CREDITS, credits(3, "ada", 0)));
    if let Err(error) = second {
        println!("a second ada in acme is refused: {error}");
    }
    println!("globex never noticed:");
    print(&store, globex)
}

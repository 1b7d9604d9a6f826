//! The SQLite backend over real files: what it keeps, what it refuses, and what it promises to a
//! host that shares the file.

mod files;
mod host;
mod lost;
mod rows;
mod schema;
mod sealed;
mod transactions;

use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tenure::store::schema::{Index, Reference, Table};
use tenure::store::sqlite::SqliteStore;
use tenure::store::sqlite::rusqlite::Connection;
use tenure::store::{Cause, OrgId, Outcome, Refusal, Result, Store, StoreError, Writer};
use tenure::value::{Column, Kind, Row, Value};
use uuid::Uuid;

pub(super) const fn column(name: &'static str, kind: Kind, nullable: bool) -> Column {
    Column { name, kind, nullable }
}

pub(super) static CUSTOMER: Table = Table {
    name: "customer",
    columns: &[
        column("id", Kind::Uuid, false),
        column("name", Kind::Text, false),
        column("email", Kind::Text, true),
        column("seen_at", Kind::Time, true),
        column("active", Kind::Bool, false),
        column("score", Kind::Real, true),
        column("extra", Kind::Json, true),
    ],
    indexes: &[
        Index { columns: &["email"], unique: true, sparse: false },
        Index { columns: &["seen_at"], unique: false, sparse: false },
        Index { columns: &["name"], unique: false, sparse: false },
    ],
    references: &[],
    sealed: false,
};

pub(super) static METER: Table = Table {
    name: "meter",
    columns: &[
        column("id", Kind::Uuid, false),
        column("customer", Kind::Uuid, true),
        column("used", Kind::Int, false),
        column("spare", Kind::Int, true),
    ],
    indexes: &[Index { columns: &["customer"], unique: false, sparse: false }],
    references: &[Reference { column: "customer", table: "customer" }],
    sealed: false,
};

pub(super) const TABLES: &[&Table] = &[&CUSTOMER, &METER];
pub(super) const ORG: OrgId = OrgId::DEFAULT;

pub(super) fn key(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(super) fn customer(number: u128, email: Option<&str>) -> Row {
    let email = email.map_or(Value::Null, |it| Value::Text(it.into()));
    let name = Value::Text(format!("customer {number}"));
    let extra = Value::Json("{\"a\":1}".into());
    let values = [
        Value::Uuid(key(number)),
        name,
        email,
        Value::Time(-5),
        Value::Bool(true),
        Value::Real(0.5),
        extra,
    ];
    Row(values.into())
}

pub(super) fn meter(number: u128, used: i64) -> Row {
    Row(vec![Value::Uuid(key(number)), Value::Null, Value::Int(used), Value::Null])
}

pub(super) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(super) fn created(path: &Path) -> SqliteStore {
    let store = SqliteStore::create(path).unwrap();
    store.install(TABLES).unwrap();
    store
}

pub(super) fn used(store: &SqliteStore, number: u128) -> Option<i64> {
    let mut used = None;
    let read = store.read(ORG, &mut |view| {
        used = view.get(&METER, key(number))?.map(|row| row.at(2).clone());
        Ok(())
    });
    read.unwrap();
    used.map(|value| match value {
        Value::Int(used) => used,
        other => panic!("{other:?}"),
    })
}

pub(super) fn commits(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.query_row("SELECT commits FROM tenure_store", [], |row| row.get(0)).unwrap()
}

pub(super) fn refusal<T>(result: Result<T>) -> Refusal {
    match result.err() {
        Some(StoreError::Refused { why, .. }) => why,
        other => panic!("not refused: {other:?}"),
    }
}

pub(super) fn unavailable<T>(result: Result<T>) -> (Cause, Outcome) {
    match result.err() {
        Some(StoreError::Unavailable { cause, outcome, .. }) => (cause, outcome),
        other => panic!("not unavailable: {other:?}"),
    }
}

pub(super) fn anchor_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-anchor");
    name.into()
}

pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

pub(super) fn in_memory_and_in_a_file(test: impl Fn(&SqliteStore)) {
    let folder = folder();
    test(&created(&folder.path().join("a.db")));
    let store = SqliteStore::in_memory().unwrap();
    store.install(TABLES).unwrap();
    test(&store);
}

pub(super) fn write<T>(
    store: &SqliteStore,
    mut body: impl FnMut(&mut dyn Writer) -> Result<T>,
) -> Result<T> {
    let mut answer = None;
    store.write(ORG, &mut |tx| {
        answer = Some(body(tx)?);
        Ok(())
    })?;
    Ok(answer.unwrap())
}

pub(super) fn host(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

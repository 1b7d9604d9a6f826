//! The tables that the rules write to, and short ways to do so.

use crate::store::query::Query;
use crate::store::schema::{Col, Index, Table};
use crate::store::{OrgId, Reader, Result, Store, Writer};
use crate::value::{Column, Kind, Row, Value};
use uuid::Uuid;

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, nullable: true }
}

/// A column of every kind, one that is unique, two that are unique together.
pub(super) static ITEMS: Table = Table {
    name: "conformance_items",
    columns: &[
        Column { name: "id", kind: Kind::Uuid, nullable: false },
        Column { name: "count", kind: Kind::Int, nullable: false },
        column("name", Kind::Text),
        column("bucket", Kind::Text),
        column("slot", Kind::Int),
        column("score", Kind::Real),
        column("live", Kind::Bool),
        column("at", Kind::Time),
        column("doc", Kind::Json),
        column("link", Kind::Uuid),
        column("raw", Kind::Bytes),
    ],
    indexes: &[
        Index { columns: &["name"], unique: true, sparse: false },
        Index { columns: &["count"], unique: false, sparse: false },
        Index { columns: &["at"], unique: false, sparse: true },
        Index { columns: &["slot"], unique: false, sparse: true },
        Index { columns: &["bucket", "slot"], unique: true, sparse: false },
    ],
    references: &[],
    sealed: true,
};
pub(super) const COUNT: Col = ITEMS.col("count");
pub(super) const NAME: Col = ITEMS.col("name");
pub(super) const BUCKET: Col = ITEMS.col("bucket");
pub(super) const SLOT: Col = ITEMS.col("slot");
pub(super) const SCORE: Col = ITEMS.col("score");
pub(super) const LIVE: Col = ITEMS.col("live");
pub(super) const AT: Col = ITEMS.col("at");
pub(super) const DOC: Col = ITEMS.col("doc");
pub(super) const LINK: Col = ITEMS.col("link");
pub(super) const RAW: Col = ITEMS.col("raw");

/// Another table, whose columns partly have the same names. `order` is a word of SQL on purpose.
pub(super) static NOTES: Table = Table {
    name: "conformance_notes",
    columns: &[
        Column { name: "id", kind: Kind::Uuid, nullable: false },
        Column { name: "order", kind: Kind::Int, nullable: false },
        column("name", Kind::Text),
    ],
    indexes: &[Index { columns: &["name"], unique: true, sparse: false }],
    references: &[],
    sealed: false,
};
pub(super) const ORDER: Col = NOTES.col("order");

pub(super) const A: OrgId = OrgId::new(Uuid::from_u128(0xa << 64));
pub(super) const B: OrgId = OrgId::new(Uuid::from_u128(0xb << 64));

pub(super) const fn key(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A row of [`ITEMS`] with nothing but a count.
pub(super) fn item(n: u128, count: i64) -> Row {
    let mut values = vec![Value::Null; ITEMS.columns.len()];
    values[0] = Value::Uuid(key(n));
    values[COUNT.index] = Value::Int(count);
    Row(values)
}

/// A row of [`ITEMS`] with a name, which is unique.
pub(super) fn named(n: u128, name: &str, count: i64) -> Row {
    with(item(n, count), NAME, text(name))
}

/// A row of [`NOTES`].
pub(super) fn note(n: u128, name: Option<&str>, order: i64) -> Row {
    Row(vec![Value::Uuid(key(n)), Value::Int(order), name.map_or(Value::Null, text)])
}

pub(super) fn with(mut row: Row, col: Col, value: Value) -> Row {
    row.0[col.index] = value;
    row
}

/// The store with its tables.
pub(super) fn ready(store: &dyn Store) -> &dyn Store {
    store.install(&[&ITEMS, &NOTES]).expect("install");
    store
}

/// What the body's last call returned, if the write was kept.
pub(super) fn try_write<T>(
    store: &dyn Store,
    org: OrgId,
    mut body: impl FnMut(&mut dyn Writer) -> Result<T>,
) -> Result<T> {
    let mut out = None;
    store.write(org, &mut |writer| {
        out = Some(body(writer)?);
        Ok(())
    })?;
    Ok(out.expect("a write calls its body and answers with its error"))
}

pub(super) fn write<T>(
    store: &dyn Store,
    org: OrgId,
    body: impl FnMut(&mut dyn Writer) -> Result<T>,
) -> T {
    try_write(store, org, body).expect("a write whose body succeeds")
}

pub(super) fn read<T>(
    store: &dyn Store,
    org: OrgId,
    mut body: impl FnMut(&dyn Reader) -> Result<T>,
) -> T {
    let mut out = None;
    let done = store.read(org, &mut |reader| {
        out = Some(body(reader)?);
        Ok(())
    });
    done.expect("a read whose body succeeds");
    out.expect("a read calls its body")
}

/// Makes the tables and puts `rows` into [`ITEMS`] of org [`A`].
pub(super) fn filled<'s>(store: &'s dyn Store, rows: &[Row]) -> &'s dyn Store {
    write(ready(store), A, |w| rows.iter().try_for_each(|row| w.put(&ITEMS, row.clone())));
    store
}

pub(super) fn get(store: &dyn Store, org: OrgId, n: u128) -> Option<Row> {
    read(store, org, |r| r.get(&ITEMS, key(n)))
}

pub(super) fn all(store: &dyn Store, org: OrgId) -> Vec<Row> {
    read(store, org, |r| r.query(&ITEMS, &Query::all()))
}

/// The keys of the rows of [`ITEMS`] of org [`A`] that `query` selects.
pub(super) fn keys(store: &dyn Store, query: &Query) -> Vec<u128> {
    keys_of(&read(store, A, |r| r.query(&ITEMS, query)))
}

pub(super) fn keys_of(rows: &[Row]) -> Vec<u128> {
    rows.iter().map(|row| row.key().as_u128()).collect()
}

pub(super) fn count(row: &Row) -> i64 {
    let Value::Int(count) = row.at(COUNT.index) else { panic!("{row:?} has no count") };
    *count
}

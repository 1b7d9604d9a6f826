//! Values as SQLite keeps them: a UUID is 16 bytes, an instant is microseconds since 1970, a
//! truth is 0 or 1, JSON is text, bytes are a blob.

use super::seal::{self, Weights};
use crate::store::schema::Table;
use crate::store::{Result, StoreError};
use crate::value::{Column, Kind, Row, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Statement, ToSql};
use uuid::Uuid;

/// The declared type of a column in a `STRICT` table.
pub(super) const fn declared(kind: Kind) -> &'static str {
    match kind {
        Kind::Uuid | Kind::Bytes => "BLOB",
        Kind::Text | Kind::Json => "TEXT",
        Kind::Int | Kind::Bool | Kind::Time => "INTEGER",
        Kind::Real => "REAL",
    }
}

/// What can stand for a `?`.
#[derive(Clone, Copy)]
pub(super) enum Bound<'v> {
    /// A stored value.
    Value(&'v Value),
    /// A key, or the org.
    Id(&'v Uuid),
    /// A number of rows, or a term of a sum.
    Int(i64),
}

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Id(id) | Self::Value(Value::Uuid(id)) => ValueRef::Blob(id.as_bytes()),
            Self::Int(int) | Self::Value(&Value::Int(int) | &Value::Time(int)) => {
                ValueRef::Integer(int)
            }
            Self::Value(Value::Null) => ValueRef::Null,
            Self::Value(Value::Text(text) | Value::Json(text)) => ValueRef::Text(text.as_bytes()),
            Self::Value(Value::Bytes(bytes)) => ValueRef::Blob(bytes),
            Self::Value(Value::Real(real)) => ValueRef::Real(*real),
            Self::Value(Value::Bool(truth)) => ValueRef::Integer(i64::from(*truth)),
        }))
    }
}

/// Binds the org, then a whole row, then its seal if it has one, to the parameters of `statement`.
/// What is not bound is null, as most columns of most rows are.
pub(super) fn bind(
    statement: &mut Statement<'_>,
    weights: Option<&Weights>,
    org: &Uuid,
    row: &Row,
) -> rusqlite::Result<()> {
    let seal = weights.map(|weights| Bound::Int(weights.seal(org, &row.0)));
    let values = std::iter::once(Bound::Id(org)).chain(row.0.iter().map(Bound::Value));
    statement.clear_bindings();
    for (place, value) in (1..).zip(values.chain(seal)) {
        if !matches!(value, Bound::Value(Value::Null)) {
            statement.raw_bind_parameter(place, value)?;
        }
    }
    Ok(())
}

/// Refuses a row that the columns of `table` cannot hold. SQLite would silently turn some of these
/// into something else: a number into text, NaN into null.
pub(super) fn check(table: &'static Table, row: &Row) -> Result<()> {
    let misfit = |column: &Column| StoreError::Corrupt { table: table.name, column: column.name };
    for (place, column) in table.columns.iter().enumerate() {
        let fits = match row.0.get(place) {
            Some(Value::Null) => column.nullable,
            Some(Value::Real(real)) if real.is_nan() => false,
            Some(value) => value.fits(column.kind),
            None => false,
        };
        if !fits {
            return Err(misfit(column));
        }
    }
    match (row.0.len() > table.columns.len(), table.columns.last()) {
        (true, Some(last)) => Err(misfit(last)),
        _ => Ok(()),
    }
}

/// The row of `org` that a statement stands at, which selects the columns of the table in their
/// order and then its seal, if it has one.
pub(super) fn decode(
    table: &'static Table,
    weights: Option<&Weights>,
    org: &Uuid,
    row: &rusqlite::Row<'_>,
) -> Result<Row> {
    let values = values(table, row)?;
    if let Some(weights) = weights {
        let stored = row.get_ref(table.columns.len()).ok();
        if stored != Some(ValueRef::Integer(weights.seal(org, &values.0))) {
            return Err(StoreError::Corrupt { table: table.name, column: seal::COLUMN });
        }
    }
    Ok(values)
}

/// The values that a statement stands at, which selects the columns of `table` in their order.
pub(super) fn values(table: &'static Table, row: &rusqlite::Row<'_>) -> Result<Row> {
    let mut values = Vec::with_capacity(table.columns.len());
    for (place, column) in table.columns.iter().enumerate() {
        if row.get_ref(place).ok().and_then(|stored| take(column, stored, &mut values)).is_none() {
            return Err(StoreError::Corrupt { table: table.name, column: column.name });
        }
    }
    Ok(Row(values))
}

/// Adds what is stored in a column to `row`, if this is what the column can hold. Each value is
/// written where it stays: a portfolio has millions, and copying them cost most of reading them.
fn take(column: &Column, stored: ValueRef<'_>, row: &mut Vec<Value>) -> Option<()> {
    match (column.kind, stored) {
        (_, ValueRef::Null) if column.nullable => row.push(Value::Null),
        (Kind::Uuid, ValueRef::Blob(bytes)) => row.push(Value::Uuid(Uuid::from_slice(bytes).ok()?)),
        (Kind::Text, ValueRef::Text(text)) => row.push(Value::Text(text_of(text)?)),
        (Kind::Json, ValueRef::Text(text)) => row.push(Value::Json(text_of(text)?)),
        (Kind::Bytes, ValueRef::Blob(bytes)) => row.push(Value::Bytes(bytes.to_vec())),
        (Kind::Int, ValueRef::Integer(int)) => row.push(Value::Int(int)),
        (Kind::Time, ValueRef::Integer(int)) => row.push(Value::Time(int)),
        (Kind::Bool, ValueRef::Integer(truth @ (0 | 1))) => row.push(Value::Bool(truth == 1)),
        (Kind::Real, ValueRef::Real(real)) => row.push(Value::Real(real)),
        _ => return None,
    }
    Some(())
}

fn text_of(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: Kind, nullable: bool) -> Column {
        Column { name: "c", kind, nullable }
    }

    fn value(column: &Column, stored: ValueRef<'_>) -> Option<Value> {
        let mut row = Vec::new();
        take(column, stored, &mut row)?;
        row.pop()
    }

    #[test]
    fn only_what_a_kind_could_have_written_is_read() {
        let truth = column(Kind::Bool, false);
        assert_eq!(value(&truth, ValueRef::Integer(1)), Some(Value::Bool(true)));
        assert_eq!(value(&truth, ValueRef::Integer(2)), None);
        assert_eq!(value(&truth, ValueRef::Null), None);
        let text = column(Kind::Text, true);
        assert_eq!(value(&text, ValueRef::Null), Some(Value::Null));
        assert_eq!(value(&text, ValueRef::Text(b"\xff")), None);
        assert_eq!(value(&text, ValueRef::Text(b"a\0b")), Some(Value::Text("a\0b".into())));
        assert_eq!(value(&column(Kind::Uuid, false), ValueRef::Blob(b"short")), None);
    }

    #[test]
    fn a_row_must_fit_its_table() {
        const COLUMNS: &[Column] = &[
            Column { name: "id", kind: Kind::Uuid, nullable: false },
            Column { name: "share", kind: Kind::Real, nullable: true },
        ];
        static TABLE: Table =
            Table { name: "t", columns: COLUMNS, indexes: &[], references: &[], sealed: false };
        let id = || Value::Uuid(Uuid::nil());
        assert!(check(&TABLE, &Row(vec![id(), Value::Null])).is_ok());
        assert!(check(&TABLE, &Row(vec![id(), Value::Real(f64::INFINITY)])).is_ok());
        for row in [
            vec![],
            vec![Value::Null, Value::Null],
            vec![id()],
            vec![id(), Value::Int(1)],
            vec![id(), Value::Real(f64::NAN)],
            vec![id(), Value::Null, Value::Null],
        ] {
            assert!(check(&TABLE, &Row(row.clone())).is_err(), "{row:?}");
        }
    }
}

//! SQL text, built once for each table and once for each shape of query, then looked up.

use super::seal::{self, Weights};
use super::select::{Part, Shape};
use crate::store::query::Query;
use crate::store::schema::Table;
use crate::store::{Result, StoreError};
use crate::value::Kind;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// More shapes than a program has; beyond, they are built anew, so that queries whose shape comes
/// from outside cannot fill the memory.
const SHAPES_MAX: usize = 512;

/// What a transaction needs to know besides its connection.
#[derive(Debug)]
pub(super) struct Catalog {
    /// The file, for errors to name.
    pub(super) path: PathBuf,
    /// Few enough to be found by going through them: comparing addresses costs less than hashing.
    tables: Vec<Arc<Statements>>,
}

/// The SQL of one table.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) table: &'static Table,
    pub(super) get: Arc<str>,
    pub(super) insert: Arc<str>,
    pub(super) put: Arc<str>,
    /// Changes a row whose columns in indexes stay as they are; none where there are no indexes.
    pub(super) touch: Option<Arc<str>>,
    pub(super) delete: Arc<str>,
    /// By column; `None` where there is nothing to add to.
    pub(super) add: Vec<Option<Add>>,
    /// Of a table that is sealed.
    pub(super) weights: Option<Weights>,
    shapes: RwLock<HashMap<Shape, Arc<str>>>,
}

/// How to add to a column of a row, and how to read the sum.
#[derive(Debug)]
pub(super) struct Add {
    pub(super) update: Arc<str>,
    pub(super) sum: Arc<str>,
}

impl Catalog {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), tables: Vec::new() }
    }

    /// This catalog and `tables`.
    pub(super) fn with(&self, tables: &[&'static Table]) -> Self {
        let mut known = self.tables.clone();
        for table in tables {
            known.retain(|it| it.table.name != table.name);
            known.push(Arc::new(Statements::new(table)));
        }
        Self { path: self.path.clone(), tables: known }
    }

    /// The SQL of `table`, which must have been installed in this very shape.
    pub(super) fn of(&self, table: &'static Table) -> Result<&Statements> {
        if let Some(it) = self.tables.iter().find(|it| std::ptr::eq(it.table, table)) {
            return Ok(it);
        }
        match self.tables.iter().find(|it| it.table.name == table.name) {
            Some(it) if it.table == table => Ok(it),
            Some(_) => Err(unusable(table, "another shape of it was installed")),
            None => Err(unusable(table, "it was not installed")),
        }
    }
}

impl Statements {
    fn new(table: &'static Table) -> Self {
        let name = quoted(table.name);
        let columns = columns(table);
        let id = table.columns.first().map_or_else(String::new, |column| quoted(column.name));
        let names: Vec<_> = selected(table).map(quoted).collect();
        let marks = vec!["?"; names.len().saturating_add(1)].join(", ");
        let insert = format!(
            "INSERT INTO main.{name} (\"org\", {columns}) VALUES ({marks}) ON CONFLICT (\"org\", {id}) DO"
        );
        let changes = names.iter().skip(1).map(|it| format!("{it} = excluded.{it}"));
        let changes: Vec<_> = changes.collect();
        let seal = seal::COLUMN;
        let step = || format!(", {seal} = ({seal} + ?4) % {}", seal::PRIME);
        let sealed = table.sealed.then(step).unwrap_or_default();
        let row = format!("\"org\" = ?1 AND {id} = ?2");
        let add = table.columns.iter().map(|column| {
            (column.kind == Kind::Int).then(|| {
                let it = quoted(column.name);
                // `RETURNING` would cost more than both.
                let update = format!("UPDATE main.{name} SET {it} = {it} + ?3{sealed} WHERE {row}");
                let sum = format!("SELECT {it} FROM main.{name} WHERE {row}");
                Add { update: update.into(), sum: sum.into() }
            })
        });
        Self {
            table,
            get: format!("SELECT {columns} FROM main.{name} WHERE {row}").into(),
            put: match changes.join(", ") {
                none if none.is_empty() => format!("{insert} NOTHING").into(),
                changes => format!("{insert} UPDATE SET {changes}").into(),
            },
            touch: touch(table),
            insert: format!("{insert} NOTHING").into(),
            delete: format!("DELETE FROM main.{name} WHERE {row}").into(),
            add: add.collect(),
            weights: Weights::of(table),
            shapes: RwLock::default(),
        }
    }

    /// The text that selects one part of what `query` asks for.
    pub(super) fn select(&self, query: &Query, part: Part) -> Result<Arc<str>> {
        let shape = Shape::of(self.table, query, part)?;
        let known = self.shapes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = known.get(&shape) {
            return Ok(Arc::clone(text));
        }
        drop(known);
        let text: Arc<str> = shape.text(self.table)?.into();
        let mut known = self.shapes.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < SHAPES_MAX {
            known.insert(shape, Arc::clone(&text));
        }
        Ok(text)
    }
}

/// The update of a row in everything but what indexes and references hold of it, provided that this
/// is what it is to be already. An upsert would take the row out of every index and put it in again.
/// Its parameters are those of an insert.
fn touch(table: &Table) -> Option<Arc<str>> {
    let is_fixed = |name: &str| {
        table.indexes.iter().any(|index| index.columns.contains(&name))
            || table.references.iter().any(|it| it.column == name)
    };
    let places = (2_usize..).zip(selected(table)).skip(1);
    let (fixed, free): (Vec<_>, Vec<_>) = places.partition(|(_, name)| is_fixed(name));
    let id = table.columns.first().map(|column| quoted(column.name))?;
    if fixed.is_empty() || free.is_empty() {
        return None;
    }
    let changes = free.iter().map(|(place, name)| format!("{} = ?{place}", quoted(name)));
    let changes: Vec<_> = changes.collect();
    // The plus keeps SQLite from looking for the row in any other way than by its key.
    let same = fixed.iter().map(|(place, name)| format!(" AND +{} IS ?{place}", quoted(name)));
    let same: String = same.collect();
    let (name, changes) = (quoted(table.name), changes.join(", "));
    Some(format!("UPDATE main.{name} SET {changes} WHERE \"org\" = ?1 AND {id} = ?2{same}").into())
}

/// The columns of `table` in their order, the org left out, and its seal, if it has one. Never `*`: a
/// file may hold them in another order.
pub(super) fn columns(table: &Table) -> String {
    selected(table).map(quoted).collect::<Vec<_>>().join(", ")
}

fn selected(table: &Table) -> impl Iterator<Item = &'static str> {
    let seal = table.sealed.then_some(seal::COLUMN);
    table.columns.iter().map(|column| column.name).chain(seal)
}

/// `name` as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `table` cannot be used: `why`.
pub(super) fn unusable(table: &Table, why: impl Into<String>) -> StoreError {
    StoreError::Schema { table: table.name.to_owned(), why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::super::ddl;
    use super::*;
    use crate::store::schema::Index;
    use crate::value::Column;
    use rusqlite::Connection;

    const fn column(name: &'static str, kind: Kind, nullable: bool) -> Column {
        Column { name, kind, nullable }
    }

    static TABLE: Table = Table {
        name: "customer",
        columns: &[
            column("id", Kind::Uuid, false),
            column("email", Kind::Text, true),
            column("score", Kind::Int, true),
            column("state", Kind::Text, false),
        ],
        indexes: &[
            Index { columns: &["email"], unique: true, sparse: false },
            Index { columns: &["state"], unique: false, sparse: false },
        ],
        references: &[],
        sealed: false,
    };

    #[test]
    fn a_change_of_what_no_index_holds_touches_no_index() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&ddl::table(&TABLE)).unwrap();
        for index in TABLE.indexes {
            connection.execute_batch(&ddl::index(&TABLE, index)).unwrap();
        }
        let touch = touch(&TABLE).unwrap();
        let mut steps = connection.prepare(&format!("EXPLAIN {touch}")).unwrap();
        for place in 1..=steps.parameter_count() {
            steps.raw_bind_parameter(place, rusqlite::types::Null).unwrap();
        }
        let steps = steps.raw_query().mapped(|row| row.get::<_, String>(1));
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        // One tree is opened: that of the rows by their keys.
        let opened = steps.iter().filter(|it| it.starts_with("Open")).count();
        assert_eq!(opened, 1, "{steps:?}");
    }
}

//! The SQL that makes tables and indexes.
//!
//! The org leads every key and every index, so that a transaction of one org touches no page of
//! another's rows in between; an index that is not unique ends with the primary key, so that pages
//! in its order need no sorting. Nulls that an index need not hold take no place in it.

use super::rows::declared;
use super::seal;
use super::sql::quoted;
use crate::store::schema::{Index, Table};
use crate::value::Column;

/// The statement that creates `table`, without its indexes.
pub(super) fn table(table: &Table) -> String {
    let mut parts = vec!["\"org\" BLOB NOT NULL".to_owned()];
    parts.extend(table.columns.iter().map(column));
    parts.extend(table.sealed.then(seal));
    parts.push(format!("PRIMARY KEY (\"org\", {})", id(table)));
    parts.extend(table.references.iter().map(|reference| {
        format!(
            "FOREIGN KEY (\"org\", {}) REFERENCES {} DEFERRABLE INITIALLY DEFERRED",
            quoted(reference.column),
            quoted(reference.table),
        )
    }));
    let name = quoted(table.name);
    format!("CREATE TABLE main.{name} ({}) STRICT, WITHOUT ROWID", parts.join(", "))
}

/// One column as it is declared.
pub(super) fn column(column: &Column) -> String {
    let null = if column.nullable { "" } else { " NOT NULL" };
    format!("{} {}{null}", quoted(column.name), declared(column.kind))
}

/// The column of the seal. It may be null so that a table can get it later; a null is no seal.
pub(super) fn seal() -> String {
    format!("{} INTEGER", seal::COLUMN)
}

/// The statement that creates `index` of `table`.
pub(super) fn index(table: &Table, index: &Index) -> String {
    let mut columns = vec!["\"org\"".to_owned()];
    columns.extend(index.columns.iter().map(|name| quoted(name)));
    if !index.unique && !columns.contains(&id(table)) {
        columns.push(id(table));
    }
    let unique = if index.unique { "UNIQUE " } else { "" };
    let (name, on) = (quoted(&index_name(table, index)), quoted(table.name));
    let present = table.omitted(index).map(|it| format!("{} IS NOT NULL", quoted(it.name)));
    let present: Vec<_> = present.collect();
    let only = if present.is_empty() { String::new() } else { " WHERE ".to_owned() };
    let (columns, present) = (columns.join(", "), present.join(" AND "));
    format!("CREATE {unique}INDEX main.{name} ON {on} ({columns}){only}{present}")
}

/// What `index` of `table` is called in the file. One that leaves out nulls has a name of its own:
/// whoever relies on them being there makes another.
pub(super) fn index_name(table: &Table, index: &Index) -> String {
    let whole = whole_index_name(table, index);
    if table.omitted(index).next().is_some() { whole + "_if_any" } else { whole }
}

/// What `index` of `table` is called where it leaves out nothing, as all did in earlier files.
pub(super) fn whole_index_name(table: &Table, index: &Index) -> String {
    let prefix = if index.unique { unique_prefix(table) } else { format!("{}_by_", table.name) };
    prefix + &index.columns.join("_and_")
}

/// How the names of the unique indexes of `table` begin.
pub(super) fn unique_prefix(table: &Table) -> String {
    format!("{}_one_by_", table.name)
}

fn id(table: &Table) -> String {
    table.columns.first().map_or_else(String::new, |column| quoted(column.name))
}

//! Tables as data: what a backend is told about the records that it must keep.
//!
//! A backend sees only tables, rows and values, never a domain type, so a new kind of record never
//! changes a backend.

use crate::value::{Column, Row, Value};

/// The shape of one kind of record.
///
/// Besides the declared columns a backend keeps the org of every row: it leads the primary key and
/// every index, and it never shows in a [`Row`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// The table's name in a backend that has names: lower-case letters and underscores.
    pub name: &'static str,
    /// The columns, of which the first is the primary key, of kind [`Kind::Uuid`](crate::value::Kind::Uuid).
    pub columns: &'static [Column],
    /// The secondary indexes. They answer queries faster, and unique ones refuse duplicates.
    pub indexes: &'static [Index],
    /// Columns that hold the key of a row in another table of the same org. A backend may enforce
    /// them; nothing relies on it.
    pub references: &'static [Reference],
    /// Whether a row that was changed in any other way than through the store should be noticed when
    /// it is read, as [corrupt](crate::store::StoreError::Corrupt). For rows whose loss would be
    /// silent: usage, money. A backend whose engine checks what it reads need do nothing.
    pub sealed: bool,
}

/// A secondary index over one or more columns, always within one org. Rows with a null in a unique
/// index never clash, so that a backend may leave them out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// The columns, the most significant first.
    pub columns: &'static [&'static str],
    /// Whether two rows of one org may not hold the same values.
    pub unique: bool,
    /// Whether a backend may leave out rows with a null in one of the columns: worth it where most
    /// rows have one, and nobody asks for them by it. A query that could find such a row must then be
    /// answered in another way.
    pub sparse: bool,
}

/// A column that holds the primary key of a row in another table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// The column of this table.
    pub column: &'static str,
    /// The name of the other table.
    pub table: &'static str,
}

/// A column's place in its table, resolved when the program is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Col {
    /// The position in [`Table::columns`].
    pub index: usize,
    /// The name.
    pub name: &'static str,
    /// Whether null is a value.
    pub nullable: bool,
}

impl Table {
    /// The column called `name`. In a `const`, an unknown name does not compile.
    ///
    /// # Panics
    ///
    /// If there is no such column.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic,
        reason = "bounded by the loop's condition; meant for constants, where a panic is a compile error"
    )]
    pub const fn col(&self, name: &str) -> Col {
        let mut index = 0;
        while index < self.columns.len() {
            let column = self.columns[index];
            if same(column.name, name) {
                return Col { index, name: column.name, nullable: column.nullable };
            }
            index += 1;
        }
        panic!("no such column")
    }

    /// The place of the column called `name`, if there is one.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// What `row` holds in the columns of `index`, in their order.
    #[must_use]
    pub fn values_in(&self, index: &Index, row: &Row) -> Vec<Value> {
        let places = index.columns.iter().filter_map(|name| self.position(name));
        places.map(|place| row.at(place).clone()).collect()
    }

    /// The columns whose nulls keep a row out of `index`, if a backend leaves out what it may.
    pub fn omitted(&self, index: &Index) -> impl Iterator<Item = &'static Column> {
        let may = index.unique || index.sparse;
        let names = index.columns.iter().filter(move |_| may);
        let columns = self.columns;
        names.filter_map(move |name| columns.iter().find(|it| it.name == *name && it.nullable))
    }

    /// The first unique index in which `row` clashes with one of `others`, rows of the same org:
    /// another primary key, the same values, none of them null.
    ///
    /// Enough for a backend that can only scan.
    #[expect(clippy::needless_pass_by_value, reason = "callers have an iterator to give away")]
    pub fn clash<'r>(
        &self,
        row: &Row,
        others: impl Iterator<Item = &'r Row> + Clone,
    ) -> Option<&'static Index> {
        self.indexes.iter().filter(|index| index.unique).find(|index| {
            let ours = self.values_in(index, row);
            !ours.contains(&Value::Null)
                && others
                    .clone()
                    .any(|other| other.key() != row.key() && self.values_in(index, other) == ours)
        })
    }
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "bounded by the lengths, which are equal"
)]
const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

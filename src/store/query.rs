//! What to select from one table: a conjunction of comparisons, an order, a cursor and a limit.

use super::schema::Col;
use crate::value::{Field, Row, Value};
use std::cmp::Ordering;
use uuid::Uuid;

/// The most rows that one query returns.
pub const LIMIT_MAX: usize = 10_000;

/// How a column must relate to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Equal; with [`Value::Null`], is null.
    Eq,
    /// Not equal; with [`Value::Null`], is not null.
    Ne,
    /// Less than.
    Lt,
    /// Less than or equal.
    Le,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Ge,
}

/// One condition on one column. A null column satisfies nothing but `Eq` null. Null is less than
/// every value: compared with it, `Gt` and `Ge` mean not null, and `Lt` and `Le` find nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The column.
    pub col: Col,
    /// The relation.
    pub op: Op,
    /// What the column is compared with.
    pub value: Value,
}

/// The column that rows are sorted by; ties fall back to the primary key, in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The column, or `None` for the primary key alone.
    pub col: Option<Col>,
    /// Whether the greatest comes first. Nulls are the least.
    pub descending: bool,
}

/// Where a page starts: strictly after the row that held these values, in the query's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// What that row held in the ordering column; ignored when ordered by primary key alone.
    pub value: Value,
    /// That row's primary key.
    pub key: Uuid,
}

/// A selection of rows of one org, ascending by primary key unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The conditions, all of which must hold.
    pub filters: Vec<Filter>,
    /// How the rows are sorted.
    pub order: Order,
    /// Where to start, or `None` for the beginning.
    pub after: Option<After>,
    /// How many rows to return at the most, up to [`LIMIT_MAX`].
    pub limit: usize,
}

impl Default for Query {
    fn default() -> Self {
        Self::all()
    }
}

impl Query {
    /// The first [`LIMIT_MAX`] rows by primary key.
    #[must_use]
    pub const fn all() -> Self {
        let order = Order { col: None, descending: false };
        Self { filters: Vec::new(), order, after: None, limit: LIMIT_MAX }
    }

    /// Keeps rows whose column equals `value`; with `None::<T>`, rows whose column is null.
    #[must_use]
    pub fn eq(self, col: Col, value: &impl Field) -> Self {
        self.filter(col, Op::Eq, value)
    }

    /// Keeps rows whose column relates to `value` as `op` says.
    #[must_use]
    pub fn filter(mut self, col: Col, op: Op, value: &impl Field) -> Self {
        self.filters.push(Filter { col, op, value: value.to_value() });
        self
    }

    /// Sorts by `col`, the least first.
    #[must_use]
    pub const fn oldest_by(mut self, col: Col) -> Self {
        self.order = Order { col: Some(col), descending: false };
        self
    }

    /// Sorts by `col`, the greatest first.
    #[must_use]
    pub const fn newest_by(mut self, col: Col) -> Self {
        self.order = Order { col: Some(col), descending: true };
        self
    }

    /// Sorts by primary key, the greatest first.
    #[must_use]
    pub const fn newest(mut self) -> Self {
        self.order = Order { col: None, descending: true };
        self
    }

    /// Starts strictly after the row that `after` tells of.
    #[must_use]
    pub fn after(mut self, after: Option<After>) -> Self {
        self.after = after;
        self
    }

    /// Returns at most `limit` rows.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.min(LIMIT_MAX);
        self
    }

    /// Where the page after `row` starts.
    #[must_use]
    pub fn cursor(&self, row: &Row) -> After {
        let value = self.order.col.map_or(Value::Null, |col| row.at(col.index).clone());
        After { value, key: row.key() }
    }

    /// Whether `row` satisfies every condition.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        self.filters.iter().all(|filter| {
            let (value, wanted) = (row.at(filter.col.index), &filter.value);
            let known = *value != Value::Null;
            match filter.op {
                Op::Eq => value == wanted,
                Op::Ne => value != wanted && known,
                Op::Lt => known && value < wanted,
                Op::Le => known && value <= wanted,
                Op::Gt => known && value > wanted,
                Op::Ge => known && value >= wanted,
            }
        })
    }

    /// How two rows follow each other.
    #[must_use]
    pub fn compare(&self, a: &Row, b: &Row) -> Ordering {
        self.position(&self.cursor(a), &self.cursor(b))
    }

    fn position(&self, a: &After, b: &After) -> Ordering {
        let ascending = a.value.cmp(&b.value).then_with(|| a.key.cmp(&b.key));
        if self.order.descending { ascending.reverse() } else { ascending }
    }

    /// Runs the whole query over the rows of one org: enough for a backend that can only scan.
    pub fn select<'r>(&self, rows: impl Iterator<Item = &'r Row>) -> Vec<Row> {
        let start = self.after.as_ref().map(|after| match self.order.col {
            Some(_) => after.clone(),
            None => After { value: Value::Null, key: after.key },
        });
        let follows = |row: &Row| {
            start.as_ref().is_none_or(|start| self.position(&self.cursor(row), start).is_gt())
        };
        let mut found: Vec<&Row> = rows.filter(|row| self.matches(row) && follows(row)).collect();
        found.sort_by(|a, b| self.compare(a, b));
        found.truncate(self.limit.min(LIMIT_MAX));
        found.into_iter().cloned().collect()
    }
}

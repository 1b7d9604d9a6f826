//! How a [`Query`] becomes SQL that an index can answer.
//!
//! A page that starts after a row is a range of the index for `(column, id)`. SQL compares nothing
//! with null, so in an order by a nullable column the nulls are a range of their own, and a page
//! that crosses from one to the other is two selects, one after the other.

use super::choose::{self, Wanted};
use super::ddl;
use super::rows::Bound;
use super::sql::{columns, quoted, unusable};
use crate::store::Result;
use crate::store::query::{LIMIT_MAX, Op, Query};
use crate::store::schema::{Index, Table};
use crate::value::{Kind, Value};
use std::fmt::Write as _;
use uuid::Uuid;

/// One range of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// Every row.
    Whole,
    /// Past a key, ordered by key alone.
    PastKey,
    /// Past a value and a key.
    PastPair,
    /// Past a key among the nulls.
    PastKeyInNulls,
    /// All the nulls.
    Nulls,
    /// All that is not null.
    NotNulls,
}

/// The ranges that hold the rows of `query`, in order.
pub(super) fn parts(query: &Query) -> &'static [Part] {
    use Part::{NotNulls, Nulls, PastKey, PastKeyInNulls, PastPair, Whole};
    match (&query.after, query.order.col, query.order.descending) {
        (None, _, _) => &[Whole],
        (Some(_), None, _) => &[PastKey],
        (Some(after), Some(_), false) if after.value == Value::Null => &[PastKeyInNulls, NotNulls],
        (Some(after), Some(_), true) if after.value == Value::Null => &[PastKeyInNulls],
        (Some(_), Some(col), true) if col.nullable => &[PastPair, Nulls],
        (Some(_), Some(_), _) => &[PastPair],
    }
}

/// What stands for each `?` of one part, `limit` last.
pub(super) fn params<'q>(
    table: &Table,
    org: &'q Uuid,
    query: &'q Query,
    part: Part,
    limit: usize,
) -> Vec<Bound<'q>> {
    let mut params = Vec::with_capacity(query.filters.len().saturating_add(4));
    params.push(Bound::Id(org));
    for filter in &query.filters {
        let kind = table.columns.get(filter.col.index).map(|column| column.kind);
        if kind.is_some_and(|kind| Test::of(kind, filter.op, &filter.value).compares()) {
            params.push(Bound::Value(&filter.value));
        }
    }
    if let Some(after) = &query.after {
        if part == Part::PastPair {
            params.push(Bound::Value(&after.value));
        }
        if matches!(part, Part::PastKey | Part::PastPair | Part::PastKeyInNulls) {
            params.push(Bound::Id(&after.key));
        }
    }
    params.push(Bound::Int(i64::try_from(limit.min(LIMIT_MAX)).unwrap_or(i64::MAX)));
    params
}

/// Everything about a query that its SQL depends on.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    filters: Vec<(usize, Test)>,
    order: Option<usize>,
    descending: bool,
    part: Part,
}

/// One condition, without the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Test {
    IsNull,
    IsNotNull,
    Never,
    Compare(Op),
}

impl Test {
    /// What `op value` asks of a column of `kind`: as [`Query::matches`] has it, where null is less
    /// than everything, and values of different kinds are ordered by their kinds.
    fn of(kind: Kind, op: Op, value: &Value) -> Self {
        match (op, value) {
            (Op::Eq, Value::Null) => Self::IsNull,
            (Op::Ne | Op::Gt | Op::Ge, Value::Null) => Self::IsNotNull,
            (Op::Lt | Op::Le, Value::Null) => Self::Never,
            _ if value.fits(kind) => Self::Compare(op),
            _ => {
                let less = sample(kind) < *value;
                let holds = match op {
                    Op::Eq => false,
                    Op::Ne => true,
                    Op::Lt | Op::Le => less,
                    Op::Gt | Op::Ge => !less,
                };
                if holds { Self::IsNotNull } else { Self::Never }
            }
        }
    }

    const fn compares(self) -> bool {
        matches!(self, Self::Compare(_))
    }

    const fn text(self) -> &'static str {
        match self {
            Self::IsNull => "IS NULL",
            Self::IsNotNull => "IS NOT NULL",
            Self::Never => "IS NULL AND FALSE",
            Self::Compare(Op::Eq) => "= ?",
            Self::Compare(Op::Ne) => "<> ?",
            Self::Compare(Op::Lt) => "< ?",
            Self::Compare(Op::Le) => "<= ?",
            Self::Compare(Op::Gt) => "> ?",
            Self::Compare(Op::Ge) => ">= ?",
        }
    }
}

/// Some value of `kind`.
const fn sample(kind: Kind) -> Value {
    match kind {
        Kind::Uuid => Value::Uuid(Uuid::nil()),
        Kind::Text => Value::Text(String::new()),
        Kind::Int => Value::Int(0),
        Kind::Real => Value::Real(0.0),
        Kind::Bool => Value::Bool(false),
        Kind::Time => Value::Time(0),
        Kind::Json => Value::Json(String::new()),
        Kind::Bytes => Value::Bytes(Vec::new()),
    }
}

impl Shape {
    pub(super) fn of(table: &Table, query: &Query, part: Part) -> Result<Self> {
        let filters = query.filters.iter().map(|filter| {
            let column = table.columns.get(filter.col.index);
            let column = column.ok_or_else(|| unusable(table, "it has no such column"))?;
            Ok((filter.col.index, Test::of(column.kind, filter.op, &filter.value)))
        });
        Ok(Self {
            filters: filters.collect::<Result<_>>()?,
            order: query.order.col.map(|col| col.index),
            descending: query.order.descending,
            part,
        })
    }

    /// The index that the rows are read from, if it is not left to SQLite.
    fn index(&self, table: &Table) -> Option<&'static Index> {
        let mut wanted = Wanted { order: self.order.unwrap_or(0), ..Wanted::default() };
        for (place, test) in &self.filters {
            if matches!(test, Test::IsNotNull | Test::Compare(_)) {
                wanted.present.push(*place);
            }
            match test {
                Test::IsNull | Test::Compare(Op::Eq) => wanted.equal.push(*place),
                Test::Compare(Op::Lt | Op::Le | Op::Gt | Op::Ge) => wanted.ranges.push(*place),
                Test::IsNotNull | Test::Never | Test::Compare(Op::Ne) => {}
            }
        }
        match self.part {
            Part::Whole | Part::PastKey => {}
            Part::NotNulls => wanted.present.push(wanted.order),
            Part::PastPair => {
                wanted.ranges.push(wanted.order);
                wanted.present.push(wanted.order);
            }
            Part::PastKeyInNulls | Part::Nulls => wanted.equal.push(wanted.order),
        }
        choose::index(table, &wanted)
    }

    /// The SQL, its parameters in the order of [`params`].
    pub(super) fn text(&self, table: &Table) -> Result<String> {
        let name = |place: usize| match table.columns.get(place) {
            Some(column) => Ok(quoted(column.name)),
            None => Err(unusable(table, "it has no such column")),
        };
        let mut sql = format!("SELECT {} FROM main.{}", columns(table), quoted(table.name));
        let index = self.index(table);
        if let Some(index) = index {
            let _ = write!(sql, " INDEXED BY {}", quoted(&ddl::index_name(table, index)));
        }
        sql.push_str(" WHERE \"org\" = ?");
        for (place, test) in &self.filters {
            let _ = write!(sql, " AND {} {}", name(*place)?, test.text());
        }
        let id = name(0)?;
        let by = self.order.map(name).transpose()?.unwrap_or_else(|| id.clone());
        let past = if self.descending { "<" } else { ">" };
        let _ = match self.part {
            Part::Whole => Ok(()),
            Part::PastKey => write!(sql, " AND {id} {past} ?"),
            Part::PastPair => write!(sql, " AND ({by}, {id}) {past} (?, ?)"),
            Part::PastKeyInNulls => write!(sql, " AND {by} IS NULL AND {id} {past} ?"),
            Part::Nulls => write!(sql, " AND {by} IS NULL"),
            Part::NotNulls => write!(sql, " AND {by} IS NOT NULL"),
        };
        // SQLite does not see by itself that a pair past another begins with no null.
        let unseen = |index| table.omitted(index).any(|it| quoted(it.name) == by);
        if self.part == Part::PastPair && index.is_some_and(unseen) {
            let _ = write!(sql, " AND {by} IS NOT NULL");
        }
        let way = if self.descending { " DESC" } else { "" };
        sql.push_str(" ORDER BY ");
        if self.order.is_some() {
            let _ = write!(sql, "{by}{way}, ");
        }
        let _ = write!(sql, "{id}{way} LIMIT ?");
        Ok(sql)
    }
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;

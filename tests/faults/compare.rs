//! The store with a switch for each fault: how rows and values are compared.

use super::list::Fault;
use super::store::{Draft, Key, lock};
use std::cmp::Ordering;
use tenure::store::query::{After, Op, Query};
use tenure::store::schema::{Index, Table};
use tenure::store::{Result, StoreError};
use tenure::value::{Row, Value};
use uuid::Uuid;

impl Draft<'_> {
    /// What a value is when it is compared.
    pub(super) fn seen(&self, value: &Value, ordering: bool) -> Value {
        match (self.fault, value) {
            (Fault::KeysAreSigned, Value::Uuid(it)) => {
                Value::Uuid(Uuid::from_u128(it.as_u128() ^ (1 << 127)))
            }
            (Fault::OrderIgnoresCase, Value::Text(it)) => Value::Text(it.to_lowercase()),
            (Fault::ZeroHasSign, Value::Real(it)) if *it == 0.0 && it.is_sign_negative() => {
                Value::Real(-f64::MIN_POSITIVE)
            }
            (Fault::JsonUnordered, Value::Json(_)) if ordering => Value::Null,
            (Fault::BytesAreSigned, Value::Bytes(it)) if ordering => {
                Value::Bytes(it.iter().map(|byte| byte ^ 0x80).collect())
            }
            (Fault::NullsAreGreatest, Value::Null) if ordering => Value::Json("~".into()),
            _ => value.clone(),
        }
    }

    pub(super) fn matches(&self, query: &Query, row: &Row) -> bool {
        let most = if self.is(Fault::OneConditionCounts) { 1 } else { usize::MAX };
        query.filters.iter().take(most).all(|filter| {
            let value = self.seen(row.at(filter.col.index), false);
            match (self.fault, filter.op, &value) {
                (Fault::BoolsPass, _, Value::Bool(_))
                | (Fault::NePassesNulls, Op::Ne, Value::Null) => {
                    return true;
                }
                _ => {}
            }
            let mut filter = filter.clone();
            filter.value = self.seen(&filter.value, false);
            if self.is(Fault::LeIsLt) && filter.op == Op::Le {
                filter.op = Op::Lt;
            }
            let mut row = row.clone();
            row.0[filter.col.index] = value;
            Query { filters: vec![filter], ..Query::all() }.matches(&row)
        })
    }

    pub(super) fn compare(&self, query: &Query, a: &After, b: &After) -> Ordering {
        let scrambled = match query.order.col {
            Some(_) => Fault::TiesAreLoose,
            None => Fault::KeysUnordered,
        };
        let key = |after: &After| {
            let n = after.key.as_u128();
            let n = if self.is(scrambled) { n.wrapping_mul(0xdead_beef << 96 | 5) } else { n };
            self.seen(&Value::Uuid(Uuid::from_u128(n)), true)
        };
        let turned = |order: Ordering| if query.order.descending { order.reverse() } else { order };
        let values = match query.order.col {
            Some(_) => self.seen(&a.value, true).cmp(&self.seen(&b.value, true)),
            None => Ordering::Equal,
        };
        let keys = key(a).cmp(&key(b));
        let keys = if self.is(Fault::TiesAscend) { keys } else { turned(keys) };
        turned(values).then(keys)
    }

    pub(super) fn follows(&self, query: &Query, row: &Row, after: &After, rows: &[Row]) -> bool {
        let (place, ordered) = (query.cursor(row), query.order.col.is_some());
        let order = self.compare(query, &place, after);
        match self.fault {
            Fault::AfterIgnored => true,
            Fault::AfterInclusive => order.is_ge(),
            Fault::AfterSkipsTies if ordered => order.is_gt() && place.value != after.value,
            Fault::AfterNullIsNothing if ordered => order.is_gt() && after.value != Value::Null,
            Fault::AfterNeedsRow => order.is_gt() && rows.iter().any(|row| row.key() == after.key),
            Fault::AfterUsesValue if !ordered => order.is_gt() && after.value == Value::Null,
            _ => order.is_gt(),
        }
    }

    /// The first unique index that `row` clashes with.
    pub(super) fn check(&self, table: &'static Table, row: &Row) -> Result<()> {
        let nulls_clash = self.is(Fault::NullsClash);
        let held = |index: &&Index| !table.values_in(index, row).contains(&Value::Null);
        if !nulls_clash && !table.indexes.iter().any(|index| index.unique && held(&index)) {
            return Ok(());
        }
        let compared = |value: &Value| match value {
            Value::Null if nulls_clash => Value::Bool(false),
            Value::Text(it) if self.is(Fault::UniqueIgnoresCase) => Value::Text(it.to_lowercase()),
            value => value.clone(),
        };
        let compared = |row: &Row| Row(row.0.iter().map(compared).collect());
        let mut candidates: Vec<(Key, Row)> = self.rows.clone().into_iter().collect();
        if self.is(Fault::UniqueFreedAtCommit) {
            candidates.extend(self.before.clone());
        }
        candidates.extend(lock(&self.store.taken).clone());
        let (org, name, _) = self.key(table, row.key());
        let in_reach =
            |key: &Key| key.1 == name && (key.0 == org || self.is(Fault::UniqueAcrossOrgs));
        let others =
            candidates.iter().filter(|(key, _)| in_reach(key)).map(|(_, row)| compared(row));
        let others: Vec<Row> = others.collect();
        let mut probe = compared(row);
        if self.is(Fault::RowClashesWithItself) {
            probe.0[0] = Value::Uuid(Uuid::from_u128(!row.key().as_u128()));
        }
        let mut found = table.clash(&probe, others.iter());
        if self.is(Fault::ColumnsUniqueAlone) {
            let alone = |other: &Row, index: &Index| {
                let pairs =
                    table.values_in(index, other).into_iter().zip(table.values_in(index, row));
                other.key() != row.key()
                    && pairs.into_iter().any(|(a, b)| a == b && a != Value::Null)
            };
            found = table
                .indexes
                .iter()
                .find(|index| index.unique && others.iter().any(|other| alone(other, index)));
        }
        let columns: &[&str] = if self.is(Fault::ConflictNamesKey) { &["id"] } else { &[] };
        found.map_or(Ok(()), |index| {
            let columns = if columns.is_empty() { index.columns } else { columns };
            Err(StoreError::Conflict { table: table.name, columns })
        })
    }
}

//! The store with a switch for each fault: what a transaction reads and writes.

use super::list::Fault;
use super::store::{Draft, How, Key, Rows, lock};
use std::borrow::Cow;
use tenure::store::query::{LIMIT_MAX, Query};
use tenure::store::schema::{Col, Table};
use tenure::store::{Reader, Result, StoreError, Writer};
use tenure::value::{Row, Value};
use uuid::Uuid;

impl Draft<'_> {
    pub(super) fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    pub(super) fn key(&self, table: &'static Table, id: Uuid) -> Key {
        (self.org, if self.is(Fault::TablesMix) { "" } else { table.name }, id)
    }

    fn rows(&self) -> Cow<'_, Rows> {
        if self.reading && self.is(Fault::ReadIsNoSnapshot) {
            return Cow::Owned(lock(&self.store.rows).clone());
        }
        Cow::Borrowed(&self.rows)
    }

    fn set(&mut self, table: &'static Table, id: Uuid, row: Option<&Row>, how: How) {
        let key = self.key(table, id);
        self.changed.push((table, key, how));
        let set = |rows: &mut Rows| match row {
            Some(row) => rows.insert(key, row.clone()),
            None => rows.remove(&key),
        };
        set(&mut self.rows);
        if self.is(Fault::Autocommits) || self.is(Fault::DirtyReads) {
            set(&mut lock(&self.store.rows));
        }
    }

    /// What a value is when it is kept.
    fn kept(&self, value: Value) -> Value {
        match (self.fault, value) {
            (Fault::BoolsAreInts, Value::Bool(it)) => Value::Int(it.into()),
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "the fault"
            )]
            (Fault::IntsAreFloats, Value::Int(it)) => Value::Int(it as f64 as i64),
            (Fault::TextEndsAtNul, Value::Text(it)) => {
                Value::Text(it.split('\0').next().unwrap_or_default().to_owned())
            }
            (Fault::JsonIsReformatted, Value::Json(it)) => {
                let parsed: serde_json::Value = serde_json::from_str(&it).expect("JSON");
                Value::Json(parsed.to_string())
            }
            (Fault::BytesAreText, Value::Bytes(it)) => {
                Value::Bytes(String::from_utf8_lossy(&it).into_owned().into_bytes())
            }
            (Fault::NoBytesAreNull, Value::Bytes(it)) if it.is_empty() => Value::Null,
            (Fault::EmptyIsNull, Value::Text(it)) if it.is_empty() => Value::Null,
            (Fault::TimesAreMillis, Value::Time(it)) => Value::Time(it.div_euclid(1_000) * 1_000),
            (_, value) => value,
        }
    }
}

impl Reader for Draft<'_> {
    fn get(&self, table: &'static Table, id: Uuid) -> Result<Option<Row>> {
        let (key, rows) = (self.key(table, id), self.rows());
        self.got.borrow_mut().insert(key);
        let mut found = rows.get(&key).cloned();
        if self.is(Fault::GetLeaks) {
            found =
                rows.iter().find(|(it, _)| (it.1, it.2) == (key.1, key.2)).map(|it| it.1.clone());
        }
        if found.is_none() && self.is(Fault::InventsRows) {
            let nulls = table.columns.iter().skip(1).map(|_| Value::Null);
            found = Some(Row([Value::Uuid(id)].into_iter().chain(nulls).collect()));
        }
        Ok(found)
    }

    fn query(&self, table: &'static Table, query: &Query) -> Result<Vec<Row>> {
        let past = !self.reading && self.is(Fault::WriteSeesPast);
        let rows = if past { Cow::Borrowed(&self.before) } else { self.rows() };
        let (org, name, _) = self.key(table, Uuid::nil());
        let leaks =
            self.is(Fault::QueryLeaks) || org.uuid().is_nil() && self.is(Fault::NilOrgSeesAll);
        let in_reach = |key: &Key| key.1 == name && (key.0 == org || leaks);
        let rows: Vec<Row> =
            rows.iter().filter(|(key, _)| in_reach(key)).map(|(_, row)| row.clone()).collect();
        let mut found: Vec<Row> =
            rows.iter().filter(|row| self.matches(query, row)).cloned().collect();
        if let Some(after) = &query.after {
            found.retain(|row| self.follows(query, row, after, &rows));
        }
        found.sort_by(|a, b| self.compare(query, &query.cursor(a), &query.cursor(b)));
        found.truncate(match self.fault {
            Fault::LimitIgnored => usize::MAX,
            Fault::LimitUnbounded => query.limit,
            _ => query.limit.min(LIMIT_MAX),
        });
        Ok(found)
    }
}

impl Writer for Draft<'_> {
    fn insert(&mut self, table: &'static Table, row: Row) -> Result<bool> {
        let key = self.key(table, row.key());
        self.got.borrow_mut().insert(key);
        if self.is(Fault::InsertChecksUniqueFirst) {
            self.check(table, &row)?;
        }
        let anywhere = || self.rows.keys().any(|it| (it.1, it.2) == (key.1, key.2));
        let taken = self.rows.contains_key(&key) || self.is(Fault::KeysAreGlobal) && anywhere();
        if taken && !self.is(Fault::InsertOverwrites) {
            return Ok(false);
        }
        if self.is(Fault::ReinsertedIsLost) && self.before.contains_key(&key) {
            return Ok(true);
        }
        if !self.is(Fault::InsertIgnoresUnique) {
            self.check(table, &row)?;
        }
        let row = Row(row.0.into_iter().map(|value| self.kept(value)).collect());
        self.set(table, row.key(), Some(&row), How::Set);
        Ok(true)
    }

    fn put(&mut self, table: &'static Table, row: Row) -> Result<()> {
        if let Err(error) = self.check(table, &row) {
            if self.is(Fault::RefusedPutDeletes) {
                self.set(table, row.key(), None, How::Set);
            }
            return Err(error);
        }
        let mut row = Row(row.0.into_iter().map(|value| self.kept(value)).collect());
        if let Some(old) =
            self.rows.get(&self.key(table, row.key())).filter(|_| self.is(Fault::PutMerges))
        {
            for (value, old) in
                row.0.iter_mut().zip(&old.0).filter(|(value, _)| **value == Value::Null)
            {
                value.clone_from(old);
            }
        }
        self.set(table, row.key(), Some(&row), How::Set);
        Ok(())
    }

    fn delete(&mut self, table: &'static Table, id: Uuid) -> Result<bool> {
        let key = self.key(table, id);
        let existed = self.rows.contains_key(&key);
        if self.is(Fault::DeleteLeaks) {
            self.rows.retain(|it, _| (it.1, it.2) != (key.1, key.2));
        }
        self.set(table, id, None, How::Set);
        Ok(existed || self.is(Fault::DeleteSaysTrue))
    }

    fn add(&mut self, table: &'static Table, id: Uuid, col: Col, by: i64) -> Result<Option<i64>> {
        let found = self.rows.get(&self.key(table, id)).cloned();
        let nulls = || Row(vec![Value::Null; table.columns.len()]);
        let Some(mut row) = found.or_else(|| self.is(Fault::AddCreates).then(nulls)) else {
            return Ok(None);
        };
        let old = if let Value::Int(old) = row.at(col.index) { *old } else { 0 };
        let sum = match self.fault {
            Fault::AddWraps => Some(old.wrapping_add(by)),
            Fault::AddSets => Some(by),
            _ => old.checked_add(by),
        };
        let overflow = StoreError::Overflow { table: table.name, column: col.name };
        let sum = sum.ok_or(overflow)?;
        row.0[0] = Value::Uuid(id);
        row.0[col.index] = Value::Int(sum);
        self.set(table, id, Some(&row), How::Added);
        Ok(Some(sum))
    }
}

//! The conformance kit is itself tested: a store that breaks one promise fails the rule that asks
//! for it, and each rule has such a store.
//!
//! [`Faulty`] is a correct store (a map, copied for each write) with a switch for each fault.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;
use tenure::store::conformance::{DURABLE_RULES, RULES};
use tenure::store::memory::MemoryStore;
use tenure::store::query::{After, LIMIT_MAX, Op, Query};
use tenure::store::schema::{Col, Index, Table};
use tenure::store::{OrgId, ReadBody, Reader, Result, Store, StoreError, WriteBody, Writer};
use tenure::value::{Row, Value};
use uuid::Uuid;

macro_rules! faults {
    ($($(#[doc = $what:literal])+ $fault:ident: $rule:ident,)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Fault { None, $($(#[doc = $what])+ $fault),+ }
        /// Each fault and the rule that must catch it.
        const FAULTS: &[(Fault, &str)] = &[$((Fault::$fault, stringify!($rule))),+];
    };
}

faults! {
    // Rows.
    /// A missing row comes back as one of nulls.
    InventsRows: a_missing_row_is_none,
    /// Booleans come back as integers.
    BoolsAreInts: every_kind_survives,
    /// Integers go through a float.
    IntsAreFloats: numbers_survive_at_their_extremes,
    /// Text ends at the first NUL.
    TextEndsAtNul: text_survives_byte_by_byte,
    /// JSON is parsed and written anew.
    JsonIsReformatted: json_text_survives_byte_by_byte,
    /// An empty string becomes null.
    EmptyIsNull: an_empty_string_is_not_null,
    /// Instants are kept in milliseconds.
    TimesAreMillis: instants_survive_to_the_microsecond,
    /// Keys are ordered as signed numbers.
    KeysAreSigned: any_id_is_a_key,
    /// `insert` replaces the row that is there.
    InsertOverwrites: insert_keeps_the_first_row,
    /// `put` keeps what the new row has as null.
    PutMerges: put_replaces_the_whole_row,
    /// `delete` always says that there was a row.
    DeleteSaysTrue: delete_tells_whether_it_did,
    /// All tables are one.
    TablesMix: tables_do_not_mix,
    /// `install` begins with nothing.
    InstallWipes: installing_again_keeps_rows,
    // Sums.
    /// `add` sets instead.
    AddSets: add_sums_in_place,
    /// `add` makes the row that is missing.
    AddCreates: add_to_a_missing_row_is_none,
    /// `add` wraps around.
    AddWraps: add_past_the_range_changes_nothing,
    // Unique values.
    /// Only `put` minds unique indexes.
    InsertIgnoresUnique: a_unique_value_is_taken_once,
    /// A conflict names the key instead of the columns.
    ConflictNamesKey: a_unique_value_is_taken_once,
    /// `insert` looks at unique values before it looks at the key.
    InsertChecksUniqueFirst: a_taken_key_comes_before_a_taken_value,
    /// Each column of a unique index is unique by itself.
    ColumnsUniqueAlone: several_columns_are_unique_together,
    /// Two nulls are the same value.
    NullsClash: nulls_never_clash,
    /// Unique text is compared without case.
    UniqueIgnoresCase: unique_text_is_compared_by_bytes,
    /// A row is in its own way.
    RowClashesWithItself: a_row_does_not_clash_with_itself,
    /// A value is free only when the transaction is over.
    UniqueFreedAtCommit: a_freed_value_can_be_taken_at_once,
    /// A refused `put` has deleted the row that it was to replace.
    RefusedPutDeletes: a_refused_write_changes_nothing,
    // Queries.
    /// `Le` is taken for `Lt`.
    LeIsLt: every_op_filters,
    /// Booleans are not filtered by.
    BoolsPass: every_kind_filters,
    /// A null is not equal to a value, so `Ne` lets it pass.
    NePassesNulls: null_matches_only_null,
    /// The first condition is the only one.
    OneConditionCounts: all_conditions_must_hold,
    /// Without an order, rows come in none.
    KeysUnordered: rows_come_by_primary_key,
    /// JSON orders nothing.
    JsonUnordered: every_kind_is_ordered,
    /// Ties come in any order.
    TiesAreLoose: ties_follow_the_direction,
    /// Ties always ascend.
    TiesAscend: ties_follow_the_direction,
    /// Nulls are the greatest.
    NullsAreGreatest: nulls_are_the_least,
    /// Text is ordered and compared without case.
    OrderIgnoresCase: text_is_ordered_by_bytes,
    /// Zero with a sign is less than zero.
    ZeroHasSign: negative_zero_is_zero,
    /// All rows are returned.
    LimitIgnored: a_limit_is_kept,
    /// Rows past the greatest limit are returned.
    LimitUnbounded: a_limit_past_the_maximum_is_the_maximum,
    // Pages.
    /// Each page begins at the beginning.
    AfterIgnored: pages_visit_every_row_once,
    /// The cursor's own row comes again.
    AfterInclusive: pages_visit_every_row_once,
    /// The next page begins at the next value.
    AfterSkipsTies: pages_go_through_ties,
    /// After a null comes nothing, as in `WHERE slot > NULL`.
    AfterNullIsNothing: pages_go_through_nulls,
    /// The cursor's row is looked up to find the place.
    AfterNeedsRow: a_cursor_outlives_its_row,
    /// The cursor's value is taken for one of the key.
    AfterUsesValue: a_cursor_by_key_ignores_the_value,
    // Transactions.
    /// Within a write, queries see what was there before.
    WriteSeesPast: a_write_sees_itself,
    /// Each change is final at once.
    Autocommits: an_error_undoes_everything,
    /// Values that were taken stay so when the transaction is given up.
    AbortKeepsUnique: an_error_gives_unique_values_back,
    /// A panic is taken for success.
    PanicCommits: a_panic_undoes_everything,
    /// After a panic nothing works.
    PanicPoisons: a_panic_undoes_everything,
    /// After a panic in a read nothing works.
    ReadPanicPoisons: a_panic_in_a_read_does_no_harm,
    /// An error of a write is taken for success.
    WriteSwallowsError: the_error_of_a_write_comes_back_unchanged,
    /// An error of a write is wrapped.
    WriteWrapsError: the_error_of_a_write_comes_back_unchanged,
    /// An error of a read is taken for success.
    ReadSwallowsError: the_error_of_a_read_comes_back_unchanged,
    // Orgs.
    /// `get` finds rows of any org.
    GetLeaks: orgs_do_not_get_each_others_rows,
    /// `query` finds rows of any org.
    QueryLeaks: orgs_do_not_query_each_others_rows,
    /// `insert` finds its key taken by any org.
    KeysAreGlobal: a_key_may_stand_in_two_orgs,
    /// `delete` reaches any org.
    DeleteLeaks: changes_stay_in_their_org,
    /// Unique values are unique among all orgs.
    UniqueAcrossOrgs: unique_values_are_unique_in_their_org,
    /// The nil org is taken for no org, and sees everything.
    NilOrgSeesAll: any_id_is_an_org,
    // Concurrency.
    /// Each call in a read sees what is there by then.
    ReadIsNoSnapshot: a_read_is_one_snapshot,
    /// Reads see changes that are not final yet.
    DirtyReads: nobody_sees_half_a_write,
    /// Writes overlap, and `add` overwrites what another added meanwhile.
    AddsOverlap: transfers_keep_the_sum,
    /// Writes overlap, and two may insert the same key.
    InsertsOverlap: one_of_many_inserts_wins,
    /// Writes overlap, and each minds only the unique values that were there when it began.
    UniqueOverlaps: one_of_many_takes_a_unique_value,
    /// Writes overlap, and the last one wins.
    LostUpdates: no_update_is_lost,
    /// Writes overlap unless they change the same rows (snapshot isolation).
    WriteSkew: decisions_rest_on_what_was_read,
    // Histories.
    /// A row that is deleted and inserted again in one transaction is gone.
    ReinsertedIsLost: random_histories_match_the_model,
}

type Key = (OrgId, &'static str, Uuid);
type Rows = BTreeMap<Key, Row>;

struct Faulty {
    fault: Fault,
    rows: Mutex<Rows>,
    /// Held by one write at a time, while reads go on.
    writer: Mutex<()>,
    /// For [`Fault::AbortKeepsUnique`].
    taken: Mutex<Rows>,
    broken: AtomicBool,
}

/// A transaction.
struct Draft<'s> {
    store: &'s Faulty,
    fault: Fault,
    org: OrgId,
    reading: bool,
    before: Rows,
    rows: Rows,
    got: RefCell<BTreeSet<Key>>,
    changed: Vec<(&'static Table, Key, How)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Added,
    Set,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        let (rows, writer, taken) = Default::default();
        Self { fault, rows, writer, taken, broken: AtomicBool::new(false) }
    }

    fn begin(&self, org: OrgId, reading: bool) -> Result<Draft<'_>> {
        if self.broken.load(SeqCst) {
            return Err(StoreError::backend(std::io::Error::other("broken")));
        }
        let before = lock(&self.rows).clone();
        let (rows, got, changed) = (before.clone(), RefCell::default(), Vec::new());
        Ok(Draft { store: self, fault: self.fault, org, reading, before, rows, got, changed })
    }

    /// Undoes what of `draft` others can see already.
    fn abandon(&self, draft: &Draft<'_>) {
        match self.fault {
            Fault::DirtyReads => lock(&self.rows).clone_from(&draft.before),
            Fault::AbortKeepsUnique => lock(&self.taken).extend(draft.rows.clone()),
            _ => {}
        }
    }

    /// Adds what `draft` changed to what others did meanwhile, or says that this cannot be.
    fn merge(&self, draft: &Draft<'_>) -> bool {
        let mut rows = lock(&self.rows);
        let was_there = |key: &Key| draft.before.contains_key(key);
        let overlooked = |key: &Key, how: How| match self.fault {
            Fault::AddsOverlap => how == How::Added,
            Fault::InsertsOverlap => !was_there(key),
            Fault::LostUpdates => was_there(key) && how == How::Set,
            _ => false,
        };
        let got = draft.got.borrow();
        let got = got.iter().filter(|_| self.fault != Fault::WriteSkew).map(|key| (key, How::Set));
        let changed = draft.changed.iter().map(|(_, key, how)| (key, *how));
        let mut relied_on = changed.chain(got).filter(|(key, how)| !overlooked(key, *how));
        if relied_on.any(|(key, _)| rows.get(key) != draft.before.get(key)) {
            return false;
        }
        let mut merged = rows.clone();
        for (_, key, _) in &draft.changed {
            match draft.rows.get(key) {
                Some(row) => merged.insert(*key, row.clone()),
                None => merged.remove(key),
            };
        }
        let clash = draft.changed.iter().any(|(table, key, _)| {
            let others = merged.iter().filter(|(other, _)| (other.0, other.1) == (key.0, key.1));
            let others = others.map(|(_, row)| row);
            merged.get(key).is_some_and(|row| table.clash(row, others).is_some())
        });
        let fine = self.fault == Fault::UniqueOverlaps || !clash;
        if fine {
            *rows = merged;
        }
        fine
    }
}

impl Store for Faulty {
    fn install(&self, _: &[&'static Table]) -> Result<()> {
        if self.fault == Fault::InstallWipes {
            lock(&self.rows).clear();
        }
        Ok(())
    }

    fn read(&self, org: OrgId, body: &mut ReadBody<'_>) -> Result<()> {
        let draft = self.begin(org, true)?;
        let done = catch_unwind(AssertUnwindSafe(|| body(&draft))).unwrap_or_else(|panic| {
            self.broken.store(self.fault == Fault::ReadPanicPoisons, SeqCst);
            resume_unwind(panic)
        });
        if self.fault == Fault::ReadSwallowsError { Ok(()) } else { done }
    }

    fn write(&self, org: OrgId, body: &mut WriteBody<'_>) -> Result<()> {
        use Fault::{AddsOverlap, InsertsOverlap, LostUpdates, UniqueOverlaps, WriteSkew};
        let overlapping = [AddsOverlap, InsertsOverlap, LostUpdates, UniqueOverlaps, WriteSkew];
        let overlaps = overlapping.contains(&self.fault);
        loop {
            let _alone = (!overlaps).then(|| lock(&self.writer));
            let mut draft = self.begin(org, false)?;
            let done = catch_unwind(AssertUnwindSafe(|| body(&mut draft)));
            let done = done.unwrap_or_else(|panic| {
                self.abandon(&draft);
                self.broken.store(self.fault == Fault::PanicPoisons, SeqCst);
                if self.fault == Fault::PanicCommits {
                    lock(&self.rows).clone_from(&draft.rows);
                }
                resume_unwind(panic)
            });
            if let Err(error) = done {
                self.abandon(&draft);
                return match self.fault {
                    Fault::WriteSwallowsError => Ok(()),
                    Fault::WriteWrapsError => Err(StoreError::backend(error)),
                    _ => Err(error),
                };
            }
            if !overlaps {
                *lock(&self.rows) = draft.rows;
                return Ok(());
            }
            if self.fault == AddsOverlap {
                // Nothing in the rule makes its transactions meet.
                std::thread::sleep(Duration::from_millis(1));
            }
            if self.merge(&draft) {
                return Ok(());
            }
        }
    }
}

impl Draft<'_> {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn key(&self, table: &'static Table, id: Uuid) -> Key {
        (self.org, if self.is(Fault::TablesMix) { "" } else { table.name }, id)
    }

    fn rows(&self) -> Cow<'_, Rows> {
        if self.reading && self.is(Fault::ReadIsNoSnapshot) {
            return Cow::Owned(lock(&self.store.rows).clone());
        }
        Cow::Borrowed(&self.rows)
    }

    fn set(&mut self, table: &'static Table, id: Uuid, row: Option<Row>, how: How) {
        let key = self.key(table, id);
        self.changed.push((table, key, how));
        let set = |rows: &mut Rows| match &row {
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
            (Fault::EmptyIsNull, Value::Text(it)) if it.is_empty() => Value::Null,
            (Fault::TimesAreMillis, Value::Time(it)) => Value::Time(it.div_euclid(1_000) * 1_000),
            (_, value) => value,
        }
    }

    /// What a value is when it is compared.
    fn seen(&self, value: &Value, ordering: bool) -> Value {
        match (self.fault, value) {
            (Fault::KeysAreSigned, Value::Uuid(it)) => {
                Value::Uuid(Uuid::from_u128(it.as_u128() ^ (1 << 127)))
            }
            (Fault::OrderIgnoresCase, Value::Text(it)) => Value::Text(it.to_lowercase()),
            (Fault::ZeroHasSign, Value::Real(it)) if *it == 0.0 && it.is_sign_negative() => {
                Value::Real(-f64::MIN_POSITIVE)
            }
            (Fault::JsonUnordered, Value::Json(_)) if ordering => Value::Null,
            (Fault::NullsAreGreatest, Value::Null) if ordering => Value::Json("~".into()),
            _ => value.clone(),
        }
    }

    fn matches(&self, query: &Query, row: &Row) -> bool {
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

    fn compare(&self, query: &Query, a: &After, b: &After) -> Ordering {
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

    fn follows(&self, query: &Query, row: &Row, after: &After, rows: &[Row]) -> bool {
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
    fn check(&self, table: &'static Table, row: &Row) -> Result<()> {
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
        self.set(table, row.key(), Some(row), How::Set);
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
        self.set(table, row.key(), Some(row), How::Set);
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
        self.set(table, id, Some(row), How::Added);
        Ok(Some(sum))
    }
}

thread_local! {
    static FAILURE_IS_EXPECTED: Cell<bool> = const { Cell::new(false) };
}
/// How many threads expect a failure. The kit's own threads have no name, and what happens in them
/// is told of in the thread that started them.
static EXPECTING: AtomicUsize = AtomicUsize::new(0);

/// Whether `check` panics. It does so without a word.
fn fails(check: impl FnOnce()) -> bool {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |panic| {
            let unnamed = std::thread::current().name().is_none();
            let expected = FAILURE_IS_EXPECTED.get() || unnamed && EXPECTING.load(SeqCst) > 0;
            if !expected {
                loud(panic);
            }
        }));
    });
    EXPECTING.fetch_add(1, SeqCst);
    FAILURE_IS_EXPECTED.set(true);
    let failed = catch_unwind(AssertUnwindSafe(check)).is_err();
    FAILURE_IS_EXPECTED.set(false);
    EXPECTING.fetch_sub(1, SeqCst);
    failed
}

#[test]
fn each_fault_fails_the_rule_that_asks_for_it() {
    let missed: Vec<_> = FAULTS
        .iter()
        .filter(|(fault, name)| {
            let rule = RULES.iter().find(|rule| rule.name == *name).expect("a rule of the kit");
            !fails(|| (rule.check)(&Faulty::new(*fault)))
        })
        .collect();
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}

#[test]
fn each_rule_catches_a_fault() {
    let idle = RULES.iter().filter(|rule| !FAULTS.iter().any(|(_, name)| *name == rule.name));
    let idle: Vec<_> = idle.map(|rule| rule.name).collect();
    assert!(idle.is_empty(), "no store fails {idle:#?}");
}

#[test]
fn the_memory_store_passes_every_rule() {
    for rule in RULES {
        (rule.check)(&MemoryStore::new());
    }
}

#[test]
fn a_store_that_forgets_fails_every_durable_rule() {
    for rule in DURABLE_RULES {
        assert!(fails(|| (rule.check)(&|| Box::new(MemoryStore::new()))), "{}", rule.name);
    }
}

#[test]
fn faults_that_outlive_reopening_fail_the_rule_that_asks_for_it() {
    for (fault, name) in [
        (Fault::AddSets, "what_was_written_is_there"),
        (Fault::Autocommits, "what_was_given_up_is_not_there"),
        (Fault::InstallWipes, "installing_after_reopening_keeps_rows"),
        (Fault::QueryLeaks, "orgs_stay_apart_after_reopening"),
    ] {
        let rule = DURABLE_RULES.iter().find(|rule| rule.name == name).expect("a rule of the kit");
        let disk = Arc::new(Faulty::new(fault));
        assert!(fails(|| (rule.check)(&|| Box::new(Arc::clone(&disk)))), "{fault:?}");
    }
}

/// Without a fault the store is correct: what fails above is due to the fault.
mod without_a_fault {
    use super::{Fault, Faulty};

    tenure::conformance!(Faulty::new(Fault::None));
}

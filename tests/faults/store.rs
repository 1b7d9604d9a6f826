//! A correct store (a map, copied for each write) with a switch for each fault: transactions.

use super::list::Fault;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tenure::store::schema::Table;
use tenure::store::{OrgId, ReadBody, Result, Store, StoreError, WriteBody};
use tenure::value::Row;
use uuid::Uuid;

pub(super) type Key = (OrgId, &'static str, Uuid);
pub(super) type Rows = BTreeMap<Key, Row>;

pub(super) struct Faulty {
    fault: Fault,
    pub(super) rows: Mutex<Rows>,
    /// Held by one write at a time, while reads go on.
    writer: Mutex<()>,
    /// For [`Fault::AbortKeepsUnique`].
    pub(super) taken: Mutex<Rows>,
    broken: AtomicBool,
}

/// A transaction.
pub(super) struct Draft<'s> {
    pub(super) store: &'s Faulty,
    pub(super) fault: Fault,
    pub(super) org: OrgId,
    pub(super) reading: bool,
    pub(super) before: Rows,
    pub(super) rows: Rows,
    pub(super) got: RefCell<BTreeSet<Key>>,
    pub(super) changed: Vec<(&'static Table, Key, How)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Added,
    Set,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Faulty {
    pub(super) fn new(fault: Fault) -> Self {
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
        let overlapping =
            [Fault::Overlaps, AddsOverlap, InsertsOverlap, LostUpdates, UniqueOverlaps, WriteSkew];
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

//! What a handle remembers of the runs of keys: their filters, so that nearly every new key is known
//! to be new without a look at the store.
//!
//! A run never changes and its name is never used again, so what is remembered needs no check beyond
//! the list of runs, which every transaction reads. Filters of other orgs make room, the least
//! recently used first; those of the same org do not, because every look-up asks all of them.

use crate::domain::key_run::KeyRun;
use crate::domain::run::filter::Filter;
use crate::store::OrgId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The filters of a handle and its clones.
pub(crate) struct Filters {
    size_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    orgs: HashMap<OrgId, Org>,
    size: usize,
    /// Counts the look-ups.
    clock: u64,
}

#[derive(Default)]
struct Org {
    runs: HashMap<(u32, u64), Arc<Filter>>,
    used: u64,
}

impl Filters {
    pub(crate) fn new(size_max: usize) -> Self {
        Self { size_max, kept: Mutex::default() }
    }

    /// The filters of an org's `runs`, as far as they are known; those of runs that are gone are
    /// forgotten.
    pub(crate) fn of(&self, org: OrgId, runs: &[KeyRun]) -> Vec<Option<Arc<Filter>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { orgs, size, clock } = &mut *kept;
        *clock = clock.saturating_add(1);
        let org = orgs.entry(org).or_default();
        org.used = *clock;
        let known: Vec<_> = runs.iter().map(|run| org.runs.get(&name(run)).cloned()).collect();
        if org.runs.len() > known.iter().flatten().count() {
            org.runs.retain(|gone, filter| {
                let is_listed = runs.iter().any(|run| name(run) == *gone);
                *size = if is_listed { *size } else { size.saturating_sub(filter.size()) };
                is_listed
            });
        }
        known
    }

    /// Whether a filter of `size` bytes may be remembered for `org`, if others make room.
    pub(crate) fn make_room(&self, org: OrgId, size: usize) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.size.saturating_add(size) > self.size_max {
            let others = kept.orgs.iter().filter(|(other, _)| **other != org);
            let Some(oldest) = others.min_by_key(|(_, it)| it.used).map(|(id, _)| *id) else {
                return false;
            };
            let gone = kept.orgs.remove(&oldest).unwrap_or_default();
            let freed: usize = gone.runs.values().map(|filter| filter.size()).sum();
            kept.size = kept.size.saturating_sub(freed);
        }
        true
    }

    /// Remembers the filter of a run if there is room.
    pub(crate) fn keep(&self, org: OrgId, run: &KeyRun, filter: Arc<Filter>) {
        let size = filter.size();
        if !self.make_room(org, size) {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { orgs, size: total, clock } = &mut *kept;
        let org = orgs.entry(org).or_default();
        org.used = *clock;
        if org.runs.insert(name(run), filter).is_none() {
            *total = total.saturating_add(size);
        }
    }

    /// How many bytes of filters are remembered.
    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).size
    }
}

const fn name(run: &KeyRun) -> (u32, u64) {
    (run.number, run.nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u32) -> KeyRun {
        KeyRun { number, nonce: 7, keys: 3_200, first_page: 0 }
    }

    #[test]
    fn others_make_room_and_what_is_gone_is_forgotten() {
        let filter = Arc::new(Filter::empty(3_200));
        let filters = Filters::new(2 * filter.size());
        let (ours, theirs) = (OrgId::named("ours"), OrgId::named("theirs"));
        filters.keep(theirs, &run(1), Arc::clone(&filter));
        filters.keep(ours, &run(1), Arc::clone(&filter));
        assert_eq!(filters.size(), 2 * filter.size());
        filters.keep(ours, &run(2), Arc::clone(&filter));
        assert!(filters.of(theirs, &[run(1)]) == [None], "they made room");
        filters.keep(ours, &run(3), Arc::clone(&filter));
        let known = filters.of(ours, &[run(1), run(2), run(3)]);
        assert!(known == [Some(Arc::clone(&filter)), Some(Arc::clone(&filter)), None]);
        filters.of(ours, &[run(2)]);
        assert_eq!(filters.size(), filter.size());
    }
}

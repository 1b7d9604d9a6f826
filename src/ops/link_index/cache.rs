//! What a handle remembers of the index of smart linking: blocks, filters, profiles.
//!
//! Runs and profiles never change, so what is remembered needs no check beyond the manifest, which
//! every transaction reads. Two transactions that read the same manifest share a [`Snapshot`], and
//! the snapshots of an org share its runs. What is too much is forgotten by a clock: what was used
//! since the hand passed last is spared once.

use super::warm_run::{Held, Room, WarmRun, Weights};
use crate::domain::customer::CustomerId;
use crate::domain::link_index::{Gone, LinkRun};
use crate::domain::match_keys::Known;
use crate::domain::run::filter::Filter;
use crate::domain::run::{Entry, Run as _};
use crate::store::OrgId;
use crate::value::Packed;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// From how many bytes of memory on filters are remembered.
const FILTERS_FROM: usize = 1 << 20;

/// In how many parts the profiles are locked.
const SHARDS: usize = 16;

/// What smart linking knows of a customer.
#[derive(Debug, PartialEq)]
pub(crate) struct Profile {
    pub(crate) customer: CustomerId,
    pub(crate) known: Known,
}

/// A profile with its ordinal.
pub(crate) type Numbered = (u32, Arc<Profile>);

/// What a handle and its clones remember.
pub(crate) struct LinkCache {
    size_max: usize,
    size: Arc<AtomicUsize>,
    orgs: Mutex<Orgs>,
    /// What can be forgotten, in the order of the clock.
    hand: Mutex<VecDeque<Spot>>,
}

#[derive(Default)]
struct Orgs {
    known: HashMap<OrgId, (u64, Arc<OrgLinks>)>,
    clock: u64,
}

/// What is remembered of an org.
#[derive(Default)]
pub(crate) struct OrgLinks {
    /// Ordinals up to this one are surely given for ever; greater ones may be given again.
    committed: AtomicU32,
    latest: Mutex<Option<Arc<Snapshot>>>,
    profiles: [Mutex<HashMap<u32, Held<Arc<Profile>>>>; SHARDS],
    weights: Mutex<Arc<Weights>>,
}

/// The runs of a manifest.
#[derive(Default)]
pub(crate) struct Snapshot {
    packed: Packed,
    pub(crate) runs: Vec<Arc<WarmRun>>,
    pub(crate) gone: OnceLock<Gone>,
    pub(crate) weights: OnceLock<Arc<Weights>>,
}

/// Where something is that can be forgotten.
enum Spot {
    Block(Weak<WarmRun>, usize),
    Profile(Weak<OrgLinks>, u32),
}

impl Spot {
    /// Forgets it, unless it was used since it was passed last. Returns whether it is gone.
    fn passed(&self) -> bool {
        match self {
            Self::Block(run, place) => {
                let Some(run) = run.upgrade() else { return true };
                let Some(slot) = run.blocks.get(*place) else { return true };
                let mut slot = lock(slot);
                let used = slot.as_mut().is_some_and(|held| std::mem::take(&mut held.used));
                if !used {
                    slot.take();
                }
                !used
            }
            Self::Profile(org, ordinal) => {
                let Some(org) = org.upgrade() else { return true };
                let mut shard = org.shard(*ordinal);
                let held = shard.get_mut(ordinal);
                let used = held.is_some_and(|held| std::mem::take(&mut held.used));
                if !used {
                    shard.remove(ordinal);
                }
                !used
            }
        }
    }
}

impl LinkCache {
    pub(crate) fn new(size_max: usize) -> Self {
        let (size, orgs, hand) = Default::default();
        Self { size_max, size, orgs, hand }
    }

    /// What is remembered of `org`.
    pub(crate) fn of(&self, org: OrgId) -> Arc<OrgLinks> {
        let mut orgs = lock(&self.orgs);
        orgs.clock = orgs.clock.saturating_add(1);
        let clock = orgs.clock;
        let (used, links) = orgs.known.entry(org).or_default();
        *used = clock;
        Arc::clone(links)
    }

    /// How many bytes are remembered.
    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// Room for something, if others make it.
    fn room(&self, size: usize, links: &Arc<OrgLinks>) -> Option<Room> {
        let mut tries = lock(&self.hand).len().saturating_mul(2);
        while self.size.load(Ordering::Relaxed).saturating_add(size) > self.size_max {
            let next = if tries == 0 { None } else { lock(&self.hand).pop_front() };
            let Some(spot) = next else {
                self.drop_another(links)?;
                continue;
            };
            tries = tries.saturating_sub(1);
            if !spot.passed() {
                lock(&self.hand).push_back(spot);
            }
        }
        self.size.fetch_add(size, Ordering::Relaxed);
        Some(Room { size, all: Arc::clone(&self.size) })
    }

    /// Forgets the org that was used least recently, if there is another than `links`.
    fn drop_another(&self, links: &Arc<OrgLinks>) -> Option<()> {
        let mut orgs = lock(&self.orgs);
        let others = orgs.known.iter().filter(|(_, (_, it))| !Arc::ptr_eq(it, links));
        let oldest = *others.min_by_key(|(_, (used, _))| *used)?.0;
        orgs.known.remove(&oldest).map(drop)
    }

    /// Remembers the filter's part number `part` of a run, if there is room.
    pub(crate) fn keep_filter(
        &self,
        links: &Arc<OrgLinks>,
        run: &WarmRun,
        part: u32,
        filter: Filter,
    ) {
        let slot = usize::try_from(part).ok().and_then(|part| run.filter.get(part));
        if let Some((slot, room)) = slot.zip(self.room(filter.size(), links)) {
            let _ = slot.set(Held { value: filter, used: true, _room: room });
        }
    }

    /// Whether filters are remembered: not if there is room for next to nothing.
    pub(crate) const fn keeps_filters(&self) -> bool {
        self.size_max >= FILTERS_FROM
    }

    /// Remembers the entries of a block of a run, if there is room.
    pub(crate) fn keep_block(
        &self,
        links: &Arc<OrgLinks>,
        run: &Arc<WarmRun>,
        block: u32,
        entries: Vec<Entry>,
    ) {
        let Some(place) = usize::try_from(block).ok() else { return };
        let size = size_of::<Entry>().saturating_mul(entries.capacity()).saturating_add(128);
        if let Some((slot, room)) = run.blocks.get(place).zip(self.room(size, links)) {
            let held = Held { value: entries, used: true, _room: room };
            let before = lock(slot).replace(Box::new(held));
            if before.is_none() {
                lock(&self.hand).push_back(Spot::Block(Arc::downgrade(run), place));
            }
        }
    }

    /// Remembers a profile, if there is room and its ordinal is given for ever.
    pub(crate) fn keep_profile(&self, links: &Arc<OrgLinks>, ordinal: u32, profile: &Arc<Profile>) {
        if ordinal > links.committed.load(Ordering::SeqCst) {
            return;
        }
        if let Some(room) = self.room(profile.size(), links) {
            let held = Held { value: Arc::clone(profile), used: true, _room: room };
            let before = links.shard(ordinal).insert(ordinal, held);
            if before.is_none() {
                lock(&self.hand).push_back(Spot::Profile(Arc::downgrade(links), ordinal));
            }
        }
    }
}

impl OrgLinks {
    /// Notes that ordinals up to `last` are kept.
    pub(crate) fn commit(&self, last: u32) {
        self.committed.fetch_max(last, Ordering::SeqCst);
    }

    /// The snapshot of a manifest with these `packed` runs; `unpack` reads them.
    pub(crate) fn snapshot<E>(
        &self,
        packed: &Packed,
        unpack: impl FnOnce() -> Result<Vec<LinkRun>, E>,
    ) -> Result<Arc<Snapshot>, E> {
        let latest = lock(&self.latest).clone();
        if let Some(known) = latest.as_ref().filter(|it| it.packed == *packed) {
            return Ok(Arc::clone(known));
        }
        let known = latest.as_ref().map_or(&[][..], |it| &it.runs);
        let warm = |run: LinkRun| {
            let same = known.iter().find(|it| it.run.name() == run.name());
            same.map_or_else(|| Arc::new(WarmRun::new(run)), Arc::clone)
        };
        let runs = unpack()?.into_iter().map(warm).collect();
        let snapshot = Snapshot { packed: packed.clone(), runs, ..Snapshot::default() };
        let snapshot = Arc::new(snapshot);
        *lock(&self.latest) = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// A profile, if it is remembered.
    pub(crate) fn profile(&self, ordinal: u32) -> Option<Arc<Profile>> {
        let mut shard = self.shard(ordinal);
        let held = shard.get_mut(&ordinal)?;
        held.used = true;
        Some(Arc::clone(&held.value))
    }

    /// How often common words are in `runs`; `sum` adds it up unless it is known.
    pub(crate) fn weights<E>(
        &self,
        runs: Vec<(u32, u64)>,
        sum: impl FnOnce(&mut Weights) -> Result<(), E>,
    ) -> Result<Arc<Weights>, E> {
        let known = Arc::clone(&lock(&self.weights));
        if known.runs == runs {
            return Ok(known);
        }
        let mut weights = Weights { runs, ..Weights::default() };
        sum(&mut weights)?;
        let weights = Arc::new(weights);
        *lock(&self.weights) = Arc::clone(&weights);
        Ok(weights)
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder of the length")]
    fn shard(&self, ordinal: u32) -> MutexGuard<'_, HashMap<u32, Held<Arc<Profile>>>> {
        lock(&self.profiles[usize::try_from(ordinal).unwrap_or(0) % SHARDS])
    }
}

impl Profile {
    /// How many bytes of memory it takes, more or less.
    fn size(&self) -> usize {
        let Known { names, domains, email_domains } = &self.known;
        let texts = names
            .iter()
            .flat_map(|name| name.tokens().iter().map(String::len))
            .chain(domains.iter().chain(email_domains).map(|domain| domain.as_str().len()));
        // Each text has an allocation of its own, and a name is kept once more as one word.
        let texts: usize = texts.map(|len| len.saturating_mul(2).saturating_add(48)).sum();
        size_of::<Self>().saturating_add(128).saturating_add(texts)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

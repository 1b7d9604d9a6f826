//! What is remembered of a run, and of the words that are common in several.

use super::cache::lock;
use crate::domain::link_index::{LinkRun, Summary};
use crate::domain::run::filter::{Filter, Line};
use crate::domain::run::{Entry, Run as _};
use crate::hash::Spread;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// The entries of a block, if they are remembered.
type Block = Mutex<Option<Box<Held<Vec<Entry>>>>>;

/// What is remembered of a run.
pub(crate) struct WarmRun {
    pub(crate) run: LinkRun,
    pub(crate) summary: OnceLock<Summary>,
    pub(super) filter: Box<[OnceLock<Held<Filter>>]>,
    pub(super) blocks: Box<[Block]>,
}

/// Something that takes room in memory for as long as it is held.
pub(super) struct Held<T> {
    pub(super) value: T,
    /// Since the hand of the clock passed.
    pub(super) used: bool,
    pub(super) _room: Room,
}

pub(super) struct Room {
    pub(super) size: usize,
    pub(super) all: Arc<AtomicUsize>,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.all.fetch_sub(self.size, Ordering::Relaxed);
    }
}

impl WarmRun {
    pub(super) fn new(run: LinkRun) -> Self {
        let slots = |count: u32| 0..count;
        let blocks = slots(run.blocks()).map(|_| Mutex::default()).collect();
        let filter = slots(Filter::part_count(&run)).map(|_| OnceLock::new()).collect();
        Self { run, summary: OnceLock::new(), filter, blocks }
    }

    /// Whether the run may hold `hash`, which has this pattern; none if that part of its filter is
    /// not remembered.
    pub(crate) fn may_hold(&self, hash: u64, pattern: &Line) -> Option<bool> {
        if self.run.keys == 0 {
            return Some(false);
        }
        if self.filter.is_empty() {
            return Some(true);
        }
        let part = usize::try_from(Filter::part_of(&self.run, hash)).ok()?;
        Some(self.filter.get(part)?.get()?.value.shows(hash, pattern))
    }

    /// Hands the entries of a block to `read`, if they are remembered.
    pub(crate) fn with_block<T>(&self, block: u32, read: impl FnOnce(&[Entry]) -> T) -> Option<T> {
        let mut slot = lock(self.blocks.get(usize::try_from(block).ok()?)?);
        let held = slot.as_mut()?;
        held.used = true;
        Some(read(&held.value))
    }
}

/// How often common words are in the runs of a list.
#[derive(Default)]
pub(crate) struct Weights {
    pub(crate) runs: Vec<(u32, u64)>,
    pub(crate) counts: HashMap<u64, u32, BuildHasherDefault<Spread>>,
}

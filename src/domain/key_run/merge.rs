//! Which runs are merged, and how.
//!
//! Runs are of one tier when their sizes are within a factor of 16. Sixteen of a tier become one of
//! the next, so a key is written once for each tier: with batches of 10,000 three times. A run of
//! more than half a million keys stays as it is, which bounds what one transaction writes: about a
//! million keys, some 10 MB.

use super::{KeyEntry, KeyRun};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The most keys of a run.
pub(crate) const RUN_MAX: u32 = 1 << 20;
const FAN: usize = 16;
const TIER_BITS: u32 = 4;

/// The places of the runs that are to be merged now, if any: of one tier, the oldest first.
pub(crate) fn due(runs: &[KeyRun]) -> Option<Vec<usize>> {
    let tier = |run: &KeyRun| run.keys.checked_ilog2().unwrap_or(0).div_euclid(TIER_BITS);
    let grown = |run: &KeyRun| run.keys > RUN_MAX.div_euclid(2);
    for wanted in 0..=RUN_MAX.ilog2() {
        let (mut places, mut keys, mut full) = (Vec::new(), 0_u32, false);
        for (place, run) in runs.iter().enumerate() {
            if grown(run) || tier(run) != wanted {
                continue;
            }
            let sum = keys.saturating_add(run.keys);
            full = sum > RUN_MAX || places.len() == FAN;
            if full {
                break;
            }
            keys = sum;
            places.push(place);
        }
        if (full || places.len() == FAN) && places.len() > 1 {
            return Some(places);
        }
    }
    None
}

/// Several sources of entries in order, as one.
pub(crate) struct Merge<S> {
    sources: Vec<S>,
    heads: BinaryHeap<Reverse<(KeyEntry, usize)>>,
}

/// A source of entries in order, which may fail.
pub(crate) type Next<E> = Result<Option<KeyEntry>, E>;

impl<S> Merge<S> {
    /// Begins; `next` takes an entry from a source.
    pub(crate) fn new<E>(
        mut sources: Vec<S>,
        mut next: impl FnMut(&mut S) -> Next<E>,
    ) -> Result<Self, E> {
        let mut heads = BinaryHeap::with_capacity(sources.len());
        for (place, source) in sources.iter_mut().enumerate() {
            heads.extend(next(source)?.map(|entry| Reverse((entry, place))));
        }
        Ok(Self { sources, heads })
    }

    /// The least entry of all.
    pub(crate) fn next<E>(&mut self, next: impl FnOnce(&mut S) -> Next<E>) -> Next<E> {
        let Some(mut head) = self.heads.peek_mut() else { return Ok(None) };
        let Reverse((least, place)) = *head;
        let following = match self.sources.get_mut(place) {
            Some(source) => next(source)?,
            None => None,
        };
        match following {
            Some(entry) => *head = Reverse((entry, place)),
            None => drop(std::collections::binary_heap::PeekMut::pop(head)),
        }
        Ok(Some(least))
    }
}

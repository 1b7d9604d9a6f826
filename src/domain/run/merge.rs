//! Which runs are merged, and how.
//!
//! Runs are of one tier when their sizes are within a factor of [`FAN`](Run::FAN); as many of a tier
//! become one of the next, so a key is written once for each tier. A run of more than half the most
//! stays as it is.

use super::{Entry, Run};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The places of the runs that are to be merged now, if any: of one tier, the oldest first.
pub(crate) fn due<R: Run>(runs: &[R]) -> Option<Vec<usize>> {
    let bits = R::FAN.ilog2().max(1);
    let tier = |run: &R| match run.keys() {
        keys if keys < R::SMALL => 0,
        keys => keys.checked_ilog2().unwrap_or(0).div_euclid(bits).saturating_add(1),
    };
    let grown = |run: &R| run.keys() > R::RUN_MAX.div_euclid(2);
    for wanted in 0..=R::RUN_MAX.ilog2().saturating_add(1) {
        let fan = usize::try_from(if wanted == 0 { 2 } else { R::FAN }).unwrap_or(usize::MAX);
        let (mut places, mut keys, mut full) = (Vec::new(), 0_u32, false);
        for (place, run) in runs.iter().enumerate() {
            if grown(run) || tier(run) != wanted {
                continue;
            }
            let sum = keys.saturating_add(run.keys());
            full = sum > R::RUN_MAX || places.len() == fan;
            if full {
                break;
            }
            keys = sum;
            places.push(place);
        }
        if (full || places.len() == fan) && places.len() > 1 {
            return Some(places);
        }
    }
    None
}

/// Several sources of entries in order, as one.
pub(crate) struct Merge<S> {
    sources: Vec<S>,
    heads: BinaryHeap<Reverse<(Entry, usize)>>,
}

/// A source of entries in order, which may fail.
pub(crate) type Next<E> = Result<Option<Entry>, E>;

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

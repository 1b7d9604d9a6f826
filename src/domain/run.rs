//! Runs: what the greater indexes are made of, such as that of the idempotency keys of sealed usage
//! and that of smart linking.
//!
//! Random keys in one tree would touch a page of the disk for each. Instead every transaction leaves
//! a **run**: its keys in order, as hashes of 48 bits, each with a number that says what it leads
//! to. A run never changes. Runs of like size are merged into greater ones. Each has a filter of two
//! bytes for each key, which tells nearly always that a key is not in it.
//!
//! Hashes are spread evenly, so a run is cut into **blocks** by hash: which one holds a hash follows
//! from it, and all entries of one hash lie in one block.

mod block;
pub(crate) mod filter;
mod merge;

pub(crate) use block::{Builder, Cursor, found, found_near, unpacked};
pub(crate) use merge::{Merge, due};

use crate::record::Record;
use crate::value::Packed;
use uuid::Uuid;

/// How many bits a hash has. Of a hundred million keys, one in three million that is new shares its
/// hash with another.
pub(crate) const HASH_BITS: u32 = 48;

/// A hash and the number that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) hash: u64,
    pub(crate) number: u64,
}

/// A run of one of the indexes, as its manifest lists it, and how the index is laid out.
pub(crate) trait Run {
    /// A part of a run, or of its filter, as it is kept.
    type Block: Record;
    /// How many keys a block holds, give or take what one hash has.
    const BLOCK_KEYS: u32;
    /// How many runs of a tier become one of the next; a power of two.
    const FAN: u32;
    /// Runs of fewer keys than this are merged as soon as there are two.
    const SMALL: u32;
    /// Runs of fewer keys than this have no filter.
    const FILTERED_FROM: u32;
    /// The most keys of a run, which bounds what one transaction writes.
    const RUN_MAX: u32;

    /// Its number among the index's runs, and a random number: what was read of a run that was then
    /// given up is never taken for another's.
    fn name(&self) -> (u32, u64);
    /// How many keys it holds.
    fn keys(&self) -> u32;
    /// The least number in it: entries are written as what theirs are above it.
    fn first(&self) -> u64;
    /// A part as it is kept.
    fn block(id: <Self::Block as Record>::Id, packed: Packed) -> Self::Block;
    /// What a part holds.
    fn packed(block: &Self::Block) -> &Packed;

    /// How many blocks it has.
    fn blocks(&self) -> u32 {
        self.keys().div_ceil(Self::BLOCK_KEYS)
    }

    /// Which of them holds `hash`, if the run does.
    fn block_of(&self, hash: u64) -> u32 {
        part_of(hash, self.blocks())
    }

    /// Where in its block, of so many entries, `hash` lies, more or less.
    fn guess(&self, hash: u64, entries: usize) -> usize {
        let place = u128::from(hash).saturating_mul(u128::from(self.blocks()));
        let past = place & ((1 << HASH_BITS) - 1);
        let entry = past.saturating_mul(u128::try_from(entries).unwrap_or_default()) >> HASH_BITS;
        usize::try_from(entry).unwrap_or(entries)
    }

    /// How many keys its filter is made for.
    fn filtered_keys(&self) -> u32 {
        if self.keys() < Self::FILTERED_FROM { 0 } else { self.keys() }
    }

    /// The id of block number `block`.
    fn block_id(&self, block: u32) -> <Self::Block as Record>::Id {
        self.part_id(block)
    }

    /// The id of part number `part` of the filter.
    fn filter_id(&self, part: u32) -> <Self::Block as Record>::Id {
        self.part_id(part | 1 << 31)
    }

    /// Runs follow one another in the store, and so do their parts.
    fn part_id(&self, part: u32) -> <Self::Block as Record>::Id {
        let (number, nonce) = self.name();
        let (number, nonce) = (u128::from(number), u128::from(nonce));
        Uuid::from_u128(number << 96 | nonce << 32 | u128::from(part)).into()
    }
}

/// Which of `parts` equal parts of all hashes `hash` lies in.
fn part_of(hash: u64, parts: u32) -> u32 {
    let place = u128::from(hash).saturating_mul(u128::from(parts)) >> HASH_BITS;
    u32::try_from(place).unwrap_or(u32::MAX).min(parts.saturating_sub(1))
}

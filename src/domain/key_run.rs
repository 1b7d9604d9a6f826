//! The idempotency keys of sealed events: which page of the ledger may hold one.
//!
//! Random keys, kept for ever, in one tree would touch a page of the disk for each. Instead every
//! batch leaves a **run**: its keys in order, as hashes of 48 bits, each with the number of its
//! page. Runs of like size are merged into greater ones, until they hold about a million keys. Each
//! run has a filter of two bytes for each key, which tells nearly always that a key is not in it.
//!
//! Hashes are spread evenly, so a run is cut into **blocks** by hash: which one holds a hash follows
//! from it. A hash that is found is no duplicate yet: the page has the last word, with the whole key.

mod block;
pub(crate) mod filter;
mod merge;

pub(crate) use block::{Builder, Cursor, unpacked};
pub(crate) use merge::{Merge, RUN_MAX, due};

use super::usage::UsageEventId;
use crate::record::{id, noun};
use crate::value::{Packed, json_field};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

id! {
    /// Identifies the list of an org's runs.
    KeyManifestId;
    /// Identifies a part of a run.
    KeyBlockId;
}

noun! {
    /// Which runs hold the idempotency keys of the org's sealed usage events.
    pub struct KeyManifest(KeyManifestId), "key manifest", "key manifests", "metering" {
        /// Identifies the manifest; an org has one.
        id: KeyManifestId,
        /// How many pages of the ledger there are.
        pages: i64 => ["1042"],
        /// How many usage events they hold.
        events: i64 => ["10420"],
        /// How many runs there ever were.
        last_run: u32 => ["42"],
        /// The runs.
        runs: Vec<KeyRun>,
    }
}

noun! {
    /// A part of a run of idempotency keys, or of its filter.
    pub struct KeyBlock(KeyBlockId), "key block", "key blocks", "metering" {
        /// Identifies the block; follows from the run and the number of the block.
        id: KeyBlockId,
        /// What it holds.
        packed: Packed,
    }
}

/// A run, as the manifest lists it. Never changed; merging makes another of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Listed", into = "Listed")]
#[non_exhaustive]
pub struct KeyRun {
    /// Numbers the org's runs.
    pub number: u32,
    /// A random number: what was read of a run that was then given up is never taken for another's.
    pub nonce: u64,
    /// How many keys it holds.
    pub keys: u32,
    /// The number of the first page that it names.
    pub first_page: u64,
}

json_field!(Vec<KeyRun>);

/// A run as it is written down: number, nonce, keys, first page. Whoever looks for a key reads the
/// list, so it is short.
type Listed = (u32, u64, u32, u64);

impl From<Listed> for KeyRun {
    fn from((number, nonce, keys, first_page): Listed) -> Self {
        Self { number, nonce, keys, first_page }
    }
}

impl From<KeyRun> for Listed {
    fn from(KeyRun { number, nonce, keys, first_page }: KeyRun) -> Self {
        (number, nonce, keys, first_page)
    }
}

/// A hash and the number of the page that may hold its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyEntry {
    pub(crate) hash: u64,
    pub(crate) page: u64,
}

/// How many bits a hash has. Of a hundred million keys, one in three million that is new shares its
/// hash with another.
const HASH_BITS: u32 = 48;
/// How many keys a block holds, give or take a tenth: some 8 KiB.
const BLOCK_KEYS: u32 = 1_024;

/// The hash of the key that an event holds: the first 48 bits of its id, all of which are random.
pub(crate) fn hash_of(id: UsageEventId) -> u64 {
    u64::try_from(id.uuid().as_u128() >> (128_u32.saturating_sub(HASH_BITS))).unwrap_or_default()
}

/// Which of `parts` equal parts of all hashes `hash` lies in.
fn part_of(hash: u64, parts: u32) -> u32 {
    // Of the greatest run there are 32,768 parts, so this fits.
    let place = hash.saturating_mul(u64::from(parts)) >> HASH_BITS;
    u32::try_from(place).unwrap_or(u32::MAX).min(parts.saturating_sub(1))
}

impl KeyManifestId {
    /// The id of the only one.
    #[must_use]
    pub fn only() -> Self {
        Self::from(Uuid::from_u128(1))
    }
}

impl KeyManifest {
    /// That of an org without pages.
    pub(crate) fn empty() -> Self {
        let (pages, events, last_run, runs) = Default::default();
        Self { id: KeyManifestId::only(), pages, events, last_run, runs }
    }
}

impl KeyRun {
    /// How many blocks it has.
    pub(crate) const fn blocks(&self) -> u32 {
        self.keys.div_ceil(BLOCK_KEYS)
    }

    /// Which of them holds `hash`, if the run does.
    pub(crate) fn block_of(&self, hash: u64) -> u32 {
        part_of(hash, self.blocks())
    }

    /// The id of block number `block`.
    pub(crate) fn block_id(&self, block: u32) -> KeyBlockId {
        self.part_id(block)
    }

    /// The id of part number `part` of the filter.
    pub(crate) fn filter_id(&self, part: u32) -> KeyBlockId {
        self.part_id(part | 1 << 31)
    }

    /// Runs follow one another in the store, and so do their parts.
    fn part_id(&self, part: u32) -> KeyBlockId {
        let (number, nonce) = (u128::from(self.number), u128::from(self.nonce));
        KeyBlockId::from(Uuid::from_u128(number << 96 | nonce << 32 | u128::from(part)))
    }
}

#[cfg(test)]
mod tests;

//! The idempotency keys of sealed events: which page of the ledger may hold one.
//!
//! Every batch leaves a **run** of its keys (`run.rs`), each with the number of its page. Runs are
//! merged until they hold about a million keys. A hash that is found is no duplicate yet: the page
//! has the last word, with the whole key.

use super::run::{HASH_BITS, Run};
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

/// Sixteen of a tier become one of the next, so a key is written once for each tier: with batches of
/// 10,000 three times. A merge writes about a million keys at the most, some 10 MB.
impl Run for KeyRun {
    type Block = KeyBlock;
    /// Some 8 KiB.
    const BLOCK_KEYS: u32 = 1_024;
    const FAN: u32 = 16;
    const SMALL: u32 = 0;
    const FILTERED_FROM: u32 = 0;
    const RUN_MAX: u32 = 1 << 20;

    fn name(&self) -> (u32, u64) {
        (self.number, self.nonce)
    }

    fn keys(&self) -> u32 {
        self.keys
    }

    fn first(&self) -> u64 {
        self.first_page
    }

    fn block(id: KeyBlockId, packed: Packed) -> KeyBlock {
        KeyBlock { id, packed }
    }

    fn packed(block: &KeyBlock) -> &Packed {
        &block.packed
    }
}

/// The hash of the key that an event holds: the first 48 bits of its id, all of which are random.
pub(crate) fn hash_of(id: UsageEventId) -> u64 {
    u64::try_from(id.uuid().as_u128() >> (128_u32.saturating_sub(HASH_BITS))).unwrap_or_default()
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

#[cfg(test)]
mod tests;

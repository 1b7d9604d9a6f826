//! The index of smart linking: which customers share a domain, a word or a half of a name with a
//! question.
//!
//! Every customer that is found has a **profile**: what is known of it, packed, under a number that
//! is never used again, its **ordinal**. A customer that changes gets a new profile with a new
//! ordinal, so whatever was read of an ordinal is right for ever. The runs (`run.rs`) lead from
//! the **terms** of a profile, hashes of its keys, to the ordinal; they also list which ordinals are
//! **gone**. What is found of those is passed over, until a merge drops it.

mod summary;

pub(crate) use summary::{Gone, Summary};

use super::customer::CustomerId;
use super::match_keys::KeyKind;
use super::packing::{Checksum, Damaged, Unpack, put_number, seal, unseal};
use super::run::{HASH_BITS, Run};
use crate::hash::{fnv1a, mixed};
use crate::record::{id, noun};
use crate::value::Packed;
use uuid::Uuid;

id! {
    /// Identifies the list of an org's runs.
    LinkManifestId;
    /// Identifies a part of a run.
    LinkBlockId;
    /// Identifies a profile.
    LinkProfileId;
}

noun! {
    /// Which runs make up the index of smart linking.
    pub struct LinkManifest(LinkManifestId), "link manifest", "link manifests", "account" {
        /// Identifies the manifest; an org has one.
        id: LinkManifestId,
        /// How many customers can be found.
        customers: i64 => ["1042"],
        /// The ordinal that was given last.
        last_ordinal: u32 => ["1100"],
        /// How many runs there ever were.
        last_run: u32 => ["42"],
        /// The runs.
        runs: Packed,
    }
}

noun! {
    /// A part of a run of the index of smart linking, of its filter, or what is known of it.
    pub struct LinkBlock(LinkBlockId), "link block", "link blocks", "account" {
        /// Identifies the block; follows from the run and the number of the block.
        id: LinkBlockId,
        /// What it holds.
        packed: Packed,
    }
}

noun! {
    /// What smart linking knows of a customer. Never changed; a customer that changes gets another.
    pub struct LinkProfile(LinkProfileId), "link profile", "link profiles", "account" {
        /// Identifies the profile; follows from its ordinal.
        id: LinkProfileId,
        /// The customer.
        customer_id: CustomerId,
        /// What is known.
        packed: Packed,
    }
    relationships {
        customer: "customer" one "who is known by it",
    }
}

/// A key of the index, as a hash: of what kind it is, and its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Term(pub(crate) u64);

impl Term {
    /// The term of a key. It is stored, so it is the same for ever: FNV-1a, whose bits are then
    /// mixed as `MurmurHash3` does.
    pub(crate) fn of(kind: KeyKind, text: &str) -> Self {
        let hash = fnv1a(kind.as_str().bytes().chain([0]).chain(text.bytes()));
        Self(mixed(hash) >> (64_u32.saturating_sub(HASH_BITS)))
    }
}

/// A run, as the manifest lists it. Never changed; merging makes another of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LinkRun {
    pub(crate) number: u32,
    pub(crate) nonce: u64,
    /// How many entries it holds; none if it only says what is gone.
    pub(crate) keys: u32,
    /// No ordinal in it is less than this.
    pub(crate) first: u32,
    /// No ordinal in it is greater than this.
    pub(crate) last: u32,
    /// How many terms its summary counts.
    pub(crate) heavy: u32,
    /// How many ordinals are gone by its summary.
    pub(crate) gone: u32,
}

/// Four of a tier become one of the next: a look-up asks every run, so there are few. A merge writes
/// four million entries at the most, of some 300,000 customers, about 40 MB.
impl Run for LinkRun {
    type Block = LinkBlock;
    /// Some 2 KiB: a question reads a block for nearly every term that is found.
    const BLOCK_KEYS: u32 = 256;
    const FAN: u32 = 4;
    /// A transaction that changes one customer leaves a dozen entries. They stay in one block.
    const SMALL: u32 = 256;
    const FILTERED_FROM: u32 = 1_024;
    const RUN_MAX: u32 = 1 << 22;

    fn name(&self) -> (u32, u64) {
        (self.number, self.nonce)
    }

    fn keys(&self) -> u32 {
        self.keys
    }

    fn first(&self) -> u64 {
        u64::from(self.first)
    }

    fn block(id: LinkBlockId, packed: Packed) -> LinkBlock {
        LinkBlock { id, packed }
    }

    fn packed(block: &LinkBlock) -> &Packed {
        &block.packed
    }
}

impl LinkRun {
    /// The id of its summary.
    pub(crate) fn summary_id(&self) -> LinkBlockId {
        self.part_id(1 << 30)
    }

    /// Whether there is a summary.
    pub(crate) const fn has_summary(&self) -> bool {
        self.heavy > 0 || self.gone > 0
    }

    /// Whether entries of `ordinal` may be in it.
    pub(crate) const fn may_hold(&self, ordinal: u32) -> bool {
        self.keys > 0 && self.first <= ordinal && ordinal <= self.last
    }
}

impl LinkManifestId {
    /// The id of the only one.
    #[must_use]
    pub fn only() -> Self {
        Self::from(Uuid::from_u128(1))
    }
}

impl LinkProfileId {
    /// The id of the profile with this ordinal.
    #[must_use]
    pub fn of(ordinal: u32) -> Self {
        Self::from(Uuid::from_u128(u128::from(ordinal)))
    }

    /// The ordinal, if it is the id of a profile.
    pub(crate) fn ordinal(self) -> Result<u32, Damaged> {
        u32::try_from(self.uuid().as_u128()).map_err(|_| Damaged)
    }
}

const VERSION: u8 = 1;

impl LinkManifest {
    /// That of an org without customers.
    pub(crate) fn empty() -> Self {
        let (customers, last_ordinal, last_run) = Default::default();
        let runs = Self::packed(&[]);
        Self { id: LinkManifestId::only(), customers, last_ordinal, last_run, runs }
    }

    /// The runs as they are kept.
    pub(crate) fn packed(runs: &[LinkRun]) -> Packed {
        let mut bytes = vec![VERSION];
        for run in runs {
            put_number(&mut bytes, u64::from(run.number));
            put_number(&mut bytes, run.nonce);
            for number in [run.keys, run.first, run.last, run.heavy, run.gone] {
                put_number(&mut bytes, u64::from(number));
            }
        }
        seal(&mut bytes, Checksum::new());
        Packed(bytes)
    }

    /// The runs, the oldest first.
    pub(crate) fn unpacked(&self) -> Result<Vec<LinkRun>, Damaged> {
        let mut left = Unpack(unseal(&self.runs.0, Checksum::new())?);
        if left.byte()? != VERSION {
            return Err(Damaged);
        }
        let mut runs = Vec::new();
        while !left.is_empty() {
            let (number, nonce) = (short(&mut left)?, left.number()?);
            let (keys, first, last) = (short(&mut left)?, short(&mut left)?, short(&mut left)?);
            let (heavy, gone) = (short(&mut left)?, short(&mut left)?);
            runs.push(LinkRun { number, nonce, keys, first, last, heavy, gone });
        }
        Ok(runs)
    }
}

/// A number of 32 bits.
fn short(left: &mut Unpack<'_>) -> Result<u32, Damaged> {
    u32::try_from(left.number()?).map_err(|_| Damaged)
}

#[cfg(test)]
mod tests;

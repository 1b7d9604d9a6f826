//! What is known of a run without its blocks: which terms are common in it, and which ordinals are
//! gone since.

use super::{LinkBlock, LinkRun, VERSION, short};
use crate::domain::packing::{Checksum, Damaged, Unpack, put_number, seal, unseal};
use crate::domain::run::HASH_BITS;
use crate::value::Packed;

/// How often a term is in a run that counts it.
pub(crate) const HEAVY_MIN: u32 = 8;

/// How many entries a run has that counts its terms. In smaller ones nothing is common.
const HEAVY_KEYS_MIN: u32 = 4_096;

/// The summary of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Summary {
    /// The terms that are common in it, in order, each with how often it is there.
    pub(crate) heavy: Vec<(u64, u32)>,
    /// Ordinals that were taken back when it was written, in order.
    pub(crate) gone: Vec<u32>,
    /// The term that is counted.
    last: (u64, u32),
}

impl Summary {
    /// Of a run that says that these ordinals are gone.
    pub(crate) fn of(gone: Vec<u32>) -> Self {
        Self { gone, ..Self::default() }
    }

    /// Counts the next entry of `run`, in their order.
    pub(crate) fn count(&mut self, hash: u64) {
        if self.last.0 == hash {
            self.last.1 = self.last.1.saturating_add(1);
        } else {
            self.close();
            self.last = (hash, 1);
        }
    }

    fn close(&mut self) {
        let last = std::mem::take(&mut self.last);
        self.heavy.extend(Some(last).filter(|(_, count)| *count >= HEAVY_MIN));
    }

    /// The summary of a run whose entries were counted, with the run that tells of it.
    pub(crate) fn finish(mut self, run: LinkRun) -> (Self, LinkRun) {
        self.close();
        if run.keys < HEAVY_KEYS_MIN {
            self.heavy.clear();
        }
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let run = LinkRun { heavy: count(self.heavy.len()), gone: count(self.gone.len()), ..run };
        (self, run)
    }

    /// As it is kept.
    pub(crate) fn packed(&self, run: &LinkRun) -> LinkBlock {
        let mut bytes = vec![VERSION];
        put_number(&mut bytes, u64::try_from(self.heavy.len()).unwrap_or_default());
        let mut before = 0;
        for (hash, count) in &self.heavy {
            put_number(&mut bytes, hash.saturating_sub(before));
            put_number(&mut bytes, u64::from(*count));
            before = *hash;
        }
        let mut before = 0;
        for ordinal in &self.gone {
            put_number(&mut bytes, u64::from(ordinal.saturating_sub(before)));
            before = *ordinal;
        }
        seal(&mut bytes, head(run));
        LinkBlock { id: run.summary_id(), packed: Packed(bytes) }
    }

    /// What was kept of `run`.
    pub(crate) fn unpacked(run: &LinkRun, block: &LinkBlock) -> Result<Self, Damaged> {
        let mut left = Unpack(unseal(&block.packed.0, head(run))?);
        if left.byte()? != VERSION {
            return Err(Damaged);
        }
        let mut summary = Self::default();
        let mut before = 0_u64;
        for _ in 0..left.number()? {
            let hash = before.checked_add(left.number()?).filter(|it| it >> HASH_BITS == 0);
            before = hash.ok_or(Damaged)?;
            summary.heavy.push((before, short(&mut left)?));
        }
        let mut before = 0_u32;
        while !left.is_empty() {
            before = before.checked_add(short(&mut left)?).ok_or(Damaged)?;
            summary.gone.push(before);
        }
        Ok(summary)
    }
}

/// Belongs to the summary as much as its bytes: one is not taken for another.
fn head(run: &LinkRun) -> Checksum {
    Checksum::new().feed(run.summary_id().uuid().as_bytes())
}

/// The ordinals that are gone, as one bit for each that there ever was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Gone {
    words: Vec<u64>,
    count: u32,
}

impl Gone {
    pub(crate) fn insert(&mut self, ordinal: u32) {
        let (word, bit) = place(ordinal);
        if self.words.len() <= word {
            self.words.resize(word.saturating_add(1), 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            self.count = self.count.saturating_add(u32::from(*word & bit == 0));
            *word |= bit;
        }
    }

    pub(crate) fn contains(&self, ordinal: u32) -> bool {
        let (word, bit) = place(ordinal);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }
}

impl Extend<u32> for Gone {
    fn extend<I: IntoIterator<Item = u32>>(&mut self, ordinals: I) {
        ordinals.into_iter().for_each(|ordinal| self.insert(ordinal));
    }
}

/// The word and the bit of an ordinal.
fn place(ordinal: u32) -> (usize, u64) {
    (usize::try_from(ordinal >> 6).unwrap_or(usize::MAX), 1 << (ordinal & 63))
}

//! A filter over the hashes of a run: a Bloom filter in lines of 64 bytes, so that each answer takes
//! one line from memory. With 16 bits and 8 probes for each key it is wrong about one new key in
//! 1,100; about a key that it was given, never.

use super::{Run, part_of};
use crate::domain::packing::{Checksum, Damaged, seal, unseal};
use crate::hash::mixed;
use crate::value::Packed;
use uuid::Uuid;

/// One line of memory: 512 bits for 32 keys.
pub(crate) type Line = [u64; 8];
const LINE_KEYS: u32 = 32;
const LINE_BYTES: usize = 64;
/// How many lines are stored in one record: 8 KiB.
const PART_LINES: u32 = 128;

/// A filter, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    /// How many lines the whole filter has.
    lines: u32,
    /// The number of the first line that is here.
    first: u32,
    here: Vec<Line>,
}

impl Filter {
    pub(crate) fn empty(keys: u32) -> Self {
        let lines = keys.div_ceil(LINE_KEYS);
        let here = usize::try_from(lines).unwrap_or_default();
        Self { lines, first: 0, here: vec![Line::default(); here] }
    }

    /// How many bytes of memory it takes.
    pub(crate) const fn size(&self) -> usize {
        self.here.len().saturating_mul(LINE_BYTES)
    }

    fn line(&self, hash: u64) -> Option<usize> {
        usize::try_from(part_of(hash, self.lines).checked_sub(self.first)?).ok()
    }

    pub(crate) fn add(&mut self, hash: u64) {
        let Some(line) = self.line(hash).and_then(|place| self.here.get_mut(place)) else { return };
        for (word, bits) in line.iter_mut().zip(pattern(hash)) {
            *word |= bits;
        }
    }

    /// Whether `hash` may have been added. `true` also when its line is not here.
    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        self.shows(hash, &pattern(hash))
    }

    /// The same, for who asks several filters: the [`pattern`] of a hash is that of every filter.
    pub(crate) fn shows(&self, hash: u64, pattern: &Line) -> bool {
        let line = self.line(hash).and_then(|place| self.here.get(place));
        line.is_none_or(|line| line.iter().zip(pattern).all(|(word, bits)| word & bits == *bits))
    }

    /// The parts in which it is stored.
    pub(crate) fn parts<R: Run>(&self, run: &R) -> impl Iterator<Item = R::Block> {
        let length = usize::try_from(PART_LINES).unwrap_or(1);
        (0..).zip(self.here.chunks(length)).map(|(part, lines)| {
            let mut bytes: Vec<u8> =
                lines.iter().flatten().flat_map(|word| word.to_le_bytes()).collect();
            seal(&mut bytes, head(run, part));
            R::block(run.filter_id(part), Packed(bytes))
        })
    }

    /// How many parts the filter of `run` has.
    pub(crate) fn part_count<R: Run>(run: &R) -> u32 {
        run.filtered_keys().div_ceil(LINE_KEYS).div_ceil(PART_LINES)
    }

    /// Which part tells of `hash`.
    pub(crate) fn part_of<R: Run>(run: &R, hash: u64) -> u32 {
        part_of(hash, run.filtered_keys().div_ceil(LINE_KEYS)).div_euclid(PART_LINES)
    }

    /// Part number `part` of the filter of `run`.
    pub(crate) fn unpacked<R: Run>(run: &R, part: u32, block: &R::Block) -> Result<Self, Damaged> {
        let bytes = unseal(&R::packed(block).0, head(run, part))?;
        let (words, []) = bytes.as_chunks::<8>() else { return Err(Damaged) };
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let (here, []) = words.as_chunks::<8>() else { return Err(Damaged) };
        let first = part.saturating_mul(PART_LINES);
        let lines = run.filtered_keys().div_ceil(LINE_KEYS);
        let due = lines.saturating_sub(first).min(PART_LINES);
        let here = here.to_vec();
        let fits = u32::try_from(here.len()) == Ok(due);
        fits.then_some(Self { lines, first, here }).ok_or(Damaged)
    }

    /// Puts the next part behind this one.
    pub(crate) fn append(&mut self, next: Self) {
        self.here.extend(next.here);
    }
}

/// Belongs to a part as much as its bytes: one part is not taken for another.
fn head<R: Run>(run: &R, part: u32) -> Checksum {
    let id: Uuid = run.filter_id(part).into();
    Checksum::new().feed(id.as_bytes())
}

/// The bits of a line that stand for `hash`: one in each word, so that they can be tested at once.
pub(crate) const fn pattern(hash: u64) -> Line {
    // This spreads what the lines of one filter have in common.
    let hash = mixed(hash);
    let mut line = [0; 8];
    let mut word = 0;
    while word < line.len() {
        #[expect(
            clippy::indexing_slicing,
            clippy::arithmetic_side_effects,
            reason = "bounded by the length"
        )]
        {
            line[word] = 1 << (hash >> (word * 6) & 63);
            word += 1;
        }
    }
    line
}

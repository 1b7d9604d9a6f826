//! Blocks: hashes in order, each with its number, packed; and a run in the making.

use super::filter::Filter;
use super::{Entry, HASH_BITS, Run, part_of};
use crate::domain::packing::{Checksum, Damaged, Unpack, put_number, seal, unseal};
use crate::value::Packed;
use uuid::Uuid;

const VERSION: u8 = 1;

/// Belongs to the block as much as its bytes: one block is not taken for another.
fn head<R: Run>(run: &R, block: u32) -> Checksum {
    let id: Uuid = run.block_id(block).into();
    Checksum::new().feed(id.as_bytes()).feed(&run.keys().to_le_bytes())
}

/// The entries of a block.
pub(crate) fn unpacked<R: Run>(
    run: &R,
    number: u32,
    block: &R::Block,
) -> Result<Vec<Entry>, Damaged> {
    let mut left = Unpack(unseal(&R::packed(block).0, head(run, number))?);
    if left.byte()? != VERSION {
        return Err(Damaged);
    }
    let mut entries = Vec::with_capacity(left.0.len().div_euclid(7));
    let mut hash = 0_u64;
    while !left.is_empty() {
        hash = hash.checked_add(left.number()?).filter(|it| it >> HASH_BITS == 0).ok_or(Damaged)?;
        let number = run.first().checked_add(left.number()?).ok_or(Damaged)?;
        entries.push(Entry { hash, number });
    }
    Ok(entries)
}

/// The numbers of `hash` among the entries of its block.
pub(crate) fn found(entries: &[Entry], hash: u64) -> impl Iterator<Item = u64> {
    let from = entries.partition_point(|entry| entry.hash < hash);
    let found = entries.get(from..).unwrap_or_default();
    found.iter().take_while(move |entry| entry.hash == hash).map(|entry| entry.number)
}

/// The same, beginning to look at `guess`: hashes are spread evenly, so where one lies in its block
/// follows from it, give or take a few entries, and the rest of the block is not touched.
pub(crate) fn found_near(
    entries: &[Entry],
    guess: usize,
    hash: u64,
) -> impl Iterator<Item = u64> + '_ {
    let is_before = |place: usize| entries.get(place).is_some_and(|entry| entry.hash < hash);
    let (mut low, mut high) = (guess.min(entries.len()), guess.min(entries.len()));
    let mut step = 4_usize;
    while low.checked_sub(1).is_some_and(|before| !is_before(before)) {
        (high, low, step) = (low, low.saturating_sub(step), step.saturating_mul(2));
    }
    while is_before(high) {
        let further = high.saturating_add(step).min(entries.len());
        (low, high, step) = (high, further, step.saturating_mul(2));
    }
    let between = entries.get(low..high).unwrap_or_default();
    let from = low.saturating_add(between.partition_point(|entry| entry.hash < hash));
    let found = entries.get(from..).unwrap_or_default();
    found.iter().take_while(move |entry| entry.hash == hash).map(|entry| entry.number)
}

/// A run in the making: entries come in order, blocks and in the end the filter come out.
pub(crate) struct Builder<R> {
    run: R,
    filter: Filter,
    block: u32,
    bytes: Vec<u8>,
    before: u64,
}

impl<R: Run> Builder<R> {
    pub(crate) fn new(run: R) -> Self {
        let filter = Filter::empty(run.filtered_keys());
        Self { run, filter, block: 0, bytes: vec![VERSION], before: 0 }
    }

    /// Takes the next entry; calls `done` with each block that is complete.
    pub(crate) fn push<E>(
        &mut self,
        entry: Entry,
        mut done: impl FnMut(R::Block) -> Result<(), E>,
    ) -> Result<(), E> {
        let block = part_of(entry.hash, self.run.blocks());
        while self.block < block {
            done(self.sealed())?;
            self.block = self.block.saturating_add(1);
        }
        put_number(&mut self.bytes, entry.hash.saturating_sub(self.before));
        put_number(&mut self.bytes, entry.number.saturating_sub(self.run.first()));
        self.before = entry.hash;
        self.filter.add(entry.hash);
        Ok(())
    }

    /// Hands the last blocks to `done`; the run and its filter remain.
    pub(crate) fn finish<E>(
        mut self,
        mut done: impl FnMut(R::Block) -> Result<(), E>,
    ) -> Result<(R, Filter), E> {
        while self.block < self.run.blocks() {
            done(self.sealed())?;
            self.block = self.block.saturating_add(1);
        }
        Ok((self.run, self.filter))
    }

    fn sealed(&mut self) -> R::Block {
        let mut bytes = std::mem::replace(&mut self.bytes, vec![VERSION]);
        self.before = 0;
        seal(&mut bytes, head(&self.run, self.block));
        R::block(self.run.block_id(self.block), Packed(bytes))
    }
}

/// Looks up hashes that come in order, in one block after the other.
#[derive(Default)]
pub(crate) struct Cursor {
    block: Option<(u32, Vec<Entry>)>,
}

impl Cursor {
    /// The numbers that `run` has for `hash`; `load` gives the entries of a block.
    pub(crate) fn numbers<R: Run, E>(
        &mut self,
        run: &R,
        hash: u64,
        load: impl FnOnce(u32) -> Result<Vec<Entry>, E>,
    ) -> Result<impl Iterator<Item = u64>, E> {
        let wanted = run.block_of(hash);
        let entries = match self.block.take() {
            Some((block, entries)) if block == wanted => entries,
            _ => load(wanted)?,
        };
        let (_, entries) = self.block.insert((wanted, entries));
        Ok(found(entries, hash))
    }
}

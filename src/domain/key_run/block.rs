//! Blocks: hashes in order, each with the number of its page, packed; and a run in the making.

use super::filter::Filter;
use super::{HASH_BITS, KeyBlock, KeyEntry, KeyRun, part_of};
use crate::domain::packing::{Checksum, Damaged, Unpack, put_number, seal, unseal};
use crate::value::Packed;

const VERSION: u8 = 1;

/// Belongs to the block as much as its bytes: one block is not taken for another.
fn head(run: &KeyRun, block: u32) -> Checksum {
    Checksum::new().feed(run.block_id(block).uuid().as_bytes()).feed(&run.keys.to_le_bytes())
}

/// The entries of a block.
pub(crate) fn unpacked(
    run: &KeyRun,
    number: u32,
    block: &KeyBlock,
) -> Result<Vec<KeyEntry>, Damaged> {
    let mut left = Unpack(unseal(&block.packed.0, head(run, number))?);
    if left.byte()? != VERSION {
        return Err(Damaged);
    }
    let mut entries = Vec::with_capacity(left.0.len().div_euclid(7));
    let mut hash = 0_u64;
    while !left.is_empty() {
        hash = hash.checked_add(left.number()?).filter(|it| it >> HASH_BITS == 0).ok_or(Damaged)?;
        let page = run.first_page.checked_add(left.number()?).ok_or(Damaged)?;
        entries.push(KeyEntry { hash, page });
    }
    Ok(entries)
}

/// A run in the making: entries come in order, blocks and in the end the filter come out.
pub(crate) struct Builder {
    run: KeyRun,
    filter: Filter,
    block: u32,
    bytes: Vec<u8>,
    before: u64,
}

impl Builder {
    pub(crate) fn new(run: KeyRun) -> Self {
        let filter = Filter::empty(run.keys);
        Self { run, filter, block: 0, bytes: vec![VERSION], before: 0 }
    }

    /// Takes the next entry; calls `done` with each block that is complete.
    pub(crate) fn push<E>(
        &mut self,
        entry: KeyEntry,
        mut done: impl FnMut(KeyBlock) -> Result<(), E>,
    ) -> Result<(), E> {
        let block = part_of(entry.hash, self.run.blocks());
        while self.block < block {
            done(self.sealed())?;
            self.block = self.block.saturating_add(1);
        }
        put_number(&mut self.bytes, entry.hash.saturating_sub(self.before));
        put_number(&mut self.bytes, entry.page.saturating_sub(self.run.first_page));
        self.before = entry.hash;
        self.filter.add(entry.hash);
        Ok(())
    }

    /// Hands the last blocks to `done`; the run and its filter remain.
    pub(crate) fn finish<E>(
        mut self,
        mut done: impl FnMut(KeyBlock) -> Result<(), E>,
    ) -> Result<(KeyRun, Filter), E> {
        while self.block < self.run.blocks() {
            done(self.sealed())?;
            self.block = self.block.saturating_add(1);
        }
        Ok((self.run, self.filter))
    }

    fn sealed(&mut self) -> KeyBlock {
        let mut bytes = std::mem::replace(&mut self.bytes, vec![VERSION]);
        self.before = 0;
        seal(&mut bytes, head(&self.run, self.block));
        KeyBlock { id: self.run.block_id(self.block), packed: Packed(bytes) }
    }
}

/// Looks up hashes that come in order, in one block after the other.
#[derive(Default)]
pub(crate) struct Cursor {
    block: Option<(u32, Vec<KeyEntry>)>,
}

impl Cursor {
    /// The pages that `run` names for `hash`; `load` gives the entries of a block.
    pub(crate) fn pages<E>(
        &mut self,
        run: &KeyRun,
        hash: u64,
        load: impl FnOnce(u32) -> Result<Vec<KeyEntry>, E>,
    ) -> Result<impl Iterator<Item = u64>, E> {
        let wanted = run.block_of(hash);
        let entries = match self.block.take() {
            Some((block, entries)) if block == wanted => entries,
            _ => load(wanted)?,
        };
        let (_, entries) = self.block.insert((wanted, entries));
        let from = entries.partition_point(|entry| entry.hash < hash);
        let found = entries.get(from..).unwrap_or_default();
        Ok(found.iter().take_while(move |entry| entry.hash == hash).map(|entry| entry.page))
    }
}

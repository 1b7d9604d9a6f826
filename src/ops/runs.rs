//! Runs in the store: read, written, read several as one, taken away.

use crate::domain::packing::Damaged;
use crate::domain::run::filter::Filter;
use crate::domain::run::{Builder, Entry, Merge, Run, unpacked};
use crate::error::{Error, Result};
use crate::record::Record;
use crate::store::StoreError;
use crate::tables::Stored;
use crate::tx::{Tx, View};

/// What is said of packed bytes of `R` that are not what was written.
pub(crate) fn damaged<R: Stored>(_: Damaged) -> Error {
    Error::Store(StoreError::Corrupt { table: R::TABLE.name, column: "packed" })
}

/// What is said of an id that is taken although it is new.
pub(crate) fn taken<R: Stored>() -> Error {
    Error::Store(StoreError::Conflict { table: R::TABLE.name, columns: &["id"] })
}

impl View<'_> {
    /// The entries of a block of `run`.
    pub(crate) fn run_entries<R: Run<Block: Stored>>(
        &self,
        run: &R,
        number: u32,
    ) -> Result<Vec<Entry>> {
        let block = self.run_part::<R>(run.block_id(number))?;
        unpacked(run, number, &block).map_err(damaged::<R::Block>)
    }

    /// The whole filter of `run`.
    pub(crate) fn run_filter<R: Run<Block: Stored>>(&self, run: &R) -> Result<Filter> {
        let mut filter = self.run_filter_part(run, 0)?;
        for part in 1..Filter::part_count(run) {
            filter.append(self.run_filter_part(run, part)?);
        }
        Ok(filter)
    }

    /// A part of the filter of `run`.
    pub(crate) fn run_filter_part<R: Run<Block: Stored>>(
        &self,
        run: &R,
        part: u32,
    ) -> Result<Filter> {
        let block = self.run_part::<R>(run.filter_id(part))?;
        Filter::unpacked(run, part, &block).map_err(damaged::<R::Block>)
    }

    /// A part of a run, which must be there.
    pub(crate) fn run_part<R: Run<Block: Stored>>(
        &self,
        id: <R::Block as Record>::Id,
    ) -> Result<R::Block> {
        self.get(id)?.ok_or(Damaged).map_err(damaged::<R::Block>)
    }
}

impl Tx<'_> {
    /// A random number for the name of a run.
    pub(crate) fn nonce(&self) -> u64 {
        u64::try_from(self.random() & u128::from(u64::MAX)).unwrap_or_default()
    }

    /// Writes the entries that `next` gives in order, as many as `run` says. Returns the run and its
    /// filter.
    pub(crate) fn write_run<R: Run<Block: Stored>>(
        &mut self,
        run: R,
        mut next: impl FnMut(&View<'_>) -> Result<Option<Entry>>,
    ) -> Result<(R, Filter)> {
        let mut builder = Builder::new(run);
        while let Some(entry) = next(&self.view())? {
            builder.push(entry, |block| self.insert_part::<R>(&block))?;
        }
        let (run, filter) = builder.finish(|block| self.insert_part::<R>(&block))?;
        for part in filter.parts(&run) {
            self.insert_part::<R>(&part)?;
        }
        Ok((run, filter))
    }

    /// Adds a part of a new run.
    pub(crate) fn insert_part<R: Run<Block: Stored>>(&mut self, block: &R::Block) -> Result<()> {
        if self.insert(block)? { Ok(()) } else { Err(taken::<R::Block>()) }
    }

    /// Takes the blocks and the filter of a run away.
    pub(crate) fn delete_run<R: Run<Block: Stored>>(&mut self, run: &R) -> Result<()> {
        let blocks = (0..run.blocks()).map(|block| run.block_id(block));
        let parts = (0..Filter::part_count(run)).map(|part| run.filter_id(part));
        for id in blocks.chain(parts) {
            self.delete::<R::Block>(id)?;
        }
        Ok(())
    }
}

/// Several runs, read as one, a block of each at a time.
pub(crate) struct Merged<'r, R>(Merge<Source<'r, R>>);

impl<'r, R: Run<Block: Stored>> Merged<'r, R> {
    pub(crate) fn new(runs: &'r [R], view: &View<'_>) -> Result<Self> {
        let sources = runs.iter().map(Source::new).collect();
        Merge::new(sources, |source: &mut Source<'r, R>| source.next(view)).map(Self)
    }

    /// The next entry of all.
    pub(crate) fn next(&mut self, view: &View<'_>) -> Result<Option<Entry>> {
        self.0.next(|source| source.next(view))
    }
}

/// A run that is read from its first entry to its last, a block at a time.
struct Source<'r, R> {
    run: &'r R,
    block: u32,
    entries: std::vec::IntoIter<Entry>,
}

impl<'r, R: Run<Block: Stored>> Source<'r, R> {
    fn new(run: &'r R) -> Self {
        Self { run, block: 0, entries: Vec::new().into_iter() }
    }

    fn next(&mut self, view: &View<'_>) -> Result<Option<Entry>> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Ok(Some(entry));
            }
            if self.block >= self.run.blocks() {
                return Ok(None);
            }
            self.entries = view.run_entries(self.run, self.block)?.into_iter();
            self.block = self.block.saturating_add(1);
        }
    }
}

/// Takes the runs at `places` out of the list.
pub(crate) fn taken_out<R>(runs: &mut Vec<R>, places: &[usize]) -> Vec<R> {
    let (mut taken, mut others) = (Vec::new(), Vec::new());
    for (place, run) in runs.drain(..).enumerate() {
        if places.contains(&place) { &mut taken } else { &mut others }.push(run);
    }
    *runs = others;
    taken
}

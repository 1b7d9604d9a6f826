//! The keys of sealed usage events: found, added, and merged into greater runs.

use crate::domain::key_run::filter::Filter;
use crate::domain::key_run::{
    Builder, Cursor, KeyBlock, KeyBlockId, KeyEntry, KeyManifest, KeyManifestId, KeyRun, Merge,
    RUN_MAX, due, unpacked,
};
use crate::domain::packing::Damaged;
use crate::error::{Error, Result};
use crate::store::StoreError;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use std::sync::Arc;

/// What is said of packed bytes of `R` that are not what was written.
pub(crate) fn damaged<R: Stored>(_: Damaged) -> Error {
    Error::Store(StoreError::Corrupt { table: R::TABLE.name, column: "packed" })
}

impl View<'_> {
    /// What is known of the org's sealed keys; none if nothing was ever sealed.
    pub(crate) fn key_manifest(&self) -> Result<Option<KeyManifest>> {
        self.get(KeyManifestId::only())
    }

    /// Hands to `found` the place of each of `hashes`, which come in order, with the number of every
    /// page that may hold its key.
    pub(crate) fn pages_with(
        &self,
        manifest: &KeyManifest,
        hashes: &[u64],
        mut found: impl FnMut(usize, u64),
    ) -> Result<()> {
        let known = self.filters().of(self.org(), &manifest.runs);
        for (run, known) in manifest.runs.iter().zip(known) {
            let mut sieve = Sieve { run, whole: known, part: None };
            if sieve.whole.is_none() && self.filters().make_room(self.org(), size_of(run)) {
                let filter = Arc::new(self.filter(run)?);
                self.filters().keep(self.org(), run, Arc::clone(&filter));
                sieve.whole = Some(filter);
            }
            let mut cursor = Cursor::default();
            for (place, hash) in hashes.iter().enumerate() {
                if !sieve.may_hold(self, *hash)? {
                    continue;
                }
                let pages = cursor.pages(run, *hash, |block| self.key_entries(run, block))?;
                pages.for_each(|page| found(place, page));
            }
        }
        Ok(())
    }

    /// The entries of a block of `run`.
    fn key_entries(&self, run: &KeyRun, number: u32) -> Result<Vec<KeyEntry>> {
        let block = self.key_block(run.block_id(number))?;
        unpacked(run, number, &block).map_err(damaged::<KeyBlock>)
    }

    fn key_block(&self, id: KeyBlockId) -> Result<KeyBlock> {
        self.get(id)?.ok_or(Damaged).map_err(damaged::<KeyBlock>)
    }

    /// The whole filter of `run`.
    fn filter(&self, run: &KeyRun) -> Result<Filter> {
        let mut filter = self.filter_part(run, 0)?;
        for part in 1..Filter::part_count(run) {
            filter.append(self.filter_part(run, part)?);
        }
        Ok(filter)
    }

    fn filter_part(&self, run: &KeyRun, part: u32) -> Result<Filter> {
        let block = self.key_block(run.filter_id(part))?;
        Filter::unpacked(run, part, &block).map_err(damaged::<KeyBlock>)
    }
}

fn size_of(run: &KeyRun) -> usize {
    usize::try_from(run.keys).unwrap_or(usize::MAX).saturating_mul(2)
}

/// The filter of a run: the whole one, or if there is no memory for it, the part needed last.
struct Sieve<'r> {
    run: &'r KeyRun,
    whole: Option<Arc<Filter>>,
    part: Option<(u32, Filter)>,
}

impl Sieve<'_> {
    fn may_hold(&mut self, view: &View<'_>, hash: u64) -> Result<bool> {
        if let Some(filter) = &self.whole {
            return Ok(filter.may_hold(hash));
        }
        let wanted = Filter::part_of(self.run, hash);
        let filter = match self.part.take() {
            Some((part, filter)) if part == wanted => filter,
            _ => view.filter_part(self.run, wanted)?,
        };
        let holds = filter.may_hold(hash);
        self.part = Some((wanted, filter));
        Ok(holds)
    }
}

impl Tx<'_> {
    /// Adds keys to the org's runs, each with its page, and merges runs as they become due. Memory
    /// stays below some 4 MB besides the entries, whatever there is to merge.
    pub(crate) fn add_keys(
        &mut self,
        manifest: &mut KeyManifest,
        entries: &mut [KeyEntry],
    ) -> Result<()> {
        let most = usize::try_from(RUN_MAX).unwrap_or(usize::MAX);
        for entries in entries.chunks_mut(most) {
            entries.sort_unstable();
            let first_page = entries.iter().map(|entry| entry.page).min().unwrap_or_default();
            let keys = u32::try_from(entries.len()).unwrap_or(RUN_MAX);
            let mut builder = Builder::new(self.new_run(manifest, keys, first_page));
            for entry in entries {
                builder.push(*entry, |block| self.insert_block(&block))?;
            }
            self.finish_run(manifest, builder)?;
            while let Some(places) = due(&manifest.runs) {
                self.merge_runs(manifest, &places)?;
            }
        }
        Ok(())
    }

    fn new_run(&self, manifest: &mut KeyManifest, keys: u32, first_page: u64) -> KeyRun {
        manifest.last_run = manifest.last_run.saturating_add(1);
        let nonce = u64::try_from(self.random() & u128::from(u64::MAX)).unwrap_or_default();
        KeyRun { number: manifest.last_run, nonce, keys, first_page }
    }

    /// Writes what is left of a run, and lists it.
    fn finish_run(&mut self, manifest: &mut KeyManifest, builder: Builder) -> Result<()> {
        let (run, filter) = builder.finish(|block| self.insert_block(&block))?;
        for part in filter.parts(&run) {
            self.insert_block(&part)?;
        }
        let view = self.view();
        view.filters().keep(view.org(), &run, Arc::new(filter));
        manifest.runs.push(run);
        Ok(())
    }

    fn insert_block(&mut self, block: &KeyBlock) -> Result<()> {
        if self.insert(block)? {
            return Ok(());
        }
        Err(Error::Store(StoreError::Conflict { table: KeyBlock::TABLE.name, columns: &["id"] }))
    }

    /// Makes one run of those at `places`.
    fn merge_runs(&mut self, manifest: &mut KeyManifest, places: &[usize]) -> Result<()> {
        let (mut merged, mut others) = (Vec::new(), Vec::new());
        for (place, run) in manifest.runs.drain(..).enumerate() {
            if places.contains(&place) { &mut merged } else { &mut others }.push(run);
        }
        manifest.runs = others;
        let keys = merged.iter().map(|run| run.keys).fold(0, u32::saturating_add);
        let first_page = merged.iter().map(|run| run.first_page).min().unwrap_or_default();
        let mut builder = Builder::new(self.new_run(manifest, keys, first_page));
        let sources = merged.iter().map(Source::new).collect();
        let mut merge = Merge::new(sources, |source: &mut Source<'_>| source.next(&self.view()))?;
        while let Some(entry) = merge.next(|source| source.next(&self.view()))? {
            builder.push(entry, |block| self.insert_block(&block))?;
        }
        self.finish_run(manifest, builder)?;
        for run in &merged {
            let blocks = (0..run.blocks()).map(|block| run.block_id(block));
            let parts = (0..Filter::part_count(run)).map(|part| run.filter_id(part));
            for id in blocks.chain(parts) {
                self.delete::<KeyBlock>(id)?;
            }
        }
        Ok(())
    }
}

/// A run that is read from its first entry to its last, a block at a time.
struct Source<'r> {
    run: &'r KeyRun,
    block: u32,
    entries: std::vec::IntoIter<KeyEntry>,
}

impl<'r> Source<'r> {
    fn new(run: &'r KeyRun) -> Self {
        Self { run, block: 0, entries: Vec::new().into_iter() }
    }

    fn next(&mut self, view: &View<'_>) -> Result<Option<KeyEntry>> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Ok(Some(entry));
            }
            if self.block >= self.run.blocks() {
                return Ok(None);
            }
            self.entries = view.key_entries(self.run, self.block)?.into_iter();
            self.block = self.block.saturating_add(1);
        }
    }
}

//! The keys of sealed usage events: found, added, and merged into greater runs.

use super::runs::{Merged, taken_out};
use crate::domain::key_run::{KeyManifest, KeyManifestId, KeyRun};
use crate::domain::run::filter::Filter;
use crate::domain::run::{Cursor, Entry, Run, due};
use crate::error::Result;
use crate::tx::{Tx, View};
use std::sync::Arc;

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
                let filter = Arc::new(self.run_filter(run)?);
                self.filters().keep(self.org(), run, Arc::clone(&filter));
                sieve.whole = Some(filter);
            }
            let mut cursor = Cursor::default();
            for (place, hash) in hashes.iter().enumerate() {
                if !sieve.may_hold(self, *hash)? {
                    continue;
                }
                let pages = cursor.numbers(run, *hash, |block| self.run_entries(run, block))?;
                pages.for_each(|page| found(place, page));
            }
        }
        Ok(())
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
            _ => view.run_filter_part(self.run, wanted)?,
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
        entries: &mut [Entry],
    ) -> Result<()> {
        let most = usize::try_from(KeyRun::RUN_MAX).unwrap_or(usize::MAX);
        for entries in entries.chunks_mut(most) {
            entries.sort_unstable();
            let first_page = entries.iter().map(|entry| entry.number).min().unwrap_or_default();
            let keys = u32::try_from(entries.len()).unwrap_or(KeyRun::RUN_MAX);
            let run = self.new_run(manifest, keys, first_page);
            let mut entries = entries.iter().copied();
            self.add_run(manifest, run, |_| Ok(entries.next()))?;
            while let Some(places) = due(&manifest.runs) {
                self.merge_runs(manifest, &places)?;
            }
        }
        Ok(())
    }

    fn new_run(&self, manifest: &mut KeyManifest, keys: u32, first_page: u64) -> KeyRun {
        manifest.last_run = manifest.last_run.saturating_add(1);
        KeyRun { number: manifest.last_run, nonce: self.nonce(), keys, first_page }
    }

    /// Writes a run, lists it, and remembers its filter.
    fn add_run(
        &mut self,
        manifest: &mut KeyManifest,
        run: KeyRun,
        next: impl FnMut(&View<'_>) -> Result<Option<Entry>>,
    ) -> Result<()> {
        let (run, filter) = self.write_run(run, next)?;
        let view = self.view();
        view.filters().keep(view.org(), &run, Arc::new(filter));
        manifest.runs.push(run);
        Ok(())
    }

    /// Makes one run of those at `places`.
    fn merge_runs(&mut self, manifest: &mut KeyManifest, places: &[usize]) -> Result<()> {
        let merged = taken_out(&mut manifest.runs, places);
        let keys = merged.iter().map(|run| run.keys).fold(0, u32::saturating_add);
        let first_page = merged.iter().map(|run| run.first_page).min().unwrap_or_default();
        let run = self.new_run(manifest, keys, first_page);
        let mut all = Merged::new(&merged, &self.view())?;
        self.add_run(manifest, run, |view| all.next(view))?;
        merged.iter().try_for_each(|run| self.delete_run(run))
    }
}

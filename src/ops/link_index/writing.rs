//! How the index of smart linking is changed: what a transaction does to customers waits, and is
//! written as one run when the transaction ends.

use crate::domain::customer::{Customer, CustomerId};
use crate::domain::link_index::{
    Gone, LinkBlock, LinkManifest, LinkProfile, LinkProfileId, LinkRun, Summary,
};
use crate::domain::match_keys::Known;
use crate::domain::run::{Entry, due};
use crate::error::{Error, Result};
use crate::ops::runs::{Merged, damaged, taken, taken_out};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};

const CUSTOMER: Col = <LinkProfile as Stored>::TABLE.col("customer_id");

impl View<'_> {
    /// The stored profile of a customer.
    pub(super) fn link_profile(&self, customer: CustomerId) -> Result<Option<LinkProfile>> {
        self.first(Query::all().eq(CUSTOMER, &customer))
    }
}

impl Tx<'_> {
    /// Brings the index in line with a customer; a deleted one is not in it.
    pub(crate) fn index_customer(&mut self, customer: &Customer) -> Result<()> {
        let known = match customer.deleted_at {
            None => Some(self.view().known(customer)?),
            Some(_) => None,
        };
        let id = customer.id;
        if let Some(profile) = self.waiting().of(id) {
            if known.as_ref() == Some(&profile.known) {
                return Ok(());
            }
            self.waiting_mut().withdraw(id);
        } else if let Some(stored) = self.view().link_profile(id)? {
            let is_same = |known: &Known| stored.says(known).map_err(damaged::<LinkProfile>);
            let ordinal = stored.id.ordinal().map_err(damaged::<LinkProfile>)?;
            // Deleted and restored in one transaction, it is still there and gone.
            if !self.waiting().is_gone(ordinal) {
                if known.as_ref().map(is_same).transpose()? == Some(true) {
                    return Ok(());
                }
                self.waiting_mut().take_back(ordinal);
            }
        }
        known.map_or(Ok(()), |known| self.index_known(id, known))
    }

    /// Puts a customer into the index of whom nothing is there yet.
    pub(crate) fn index_known(&mut self, customer: CustomerId, known: Known) -> Result<()> {
        let stored = self.view().link_state()?.manifest.last_ordinal;
        let last = self.waiting().last.max(stored);
        let ordinal = last.checked_add(1).ok_or(Error::Overflow("index of smart linking"))?;
        self.waiting_mut().put(ordinal, customer, known);
        if self.waiting().is_full() { self.write_link_index() } else { Ok(()) }
    }

    /// Writes what waits: the profiles, and one run of all entries.
    pub(crate) fn write_link_index(&mut self) -> Result<()> {
        if self.waiting().is_empty() {
            return Ok(());
        }
        let mut waiting = std::mem::take(self.waiting_mut());
        let entries = waiting.take_entries();
        let state = self.view().link_state()?;
        let mut manifest = state.manifest.clone();
        for ordinal in &waiting.gone {
            self.delete::<LinkProfile>(LinkProfileId::of(*ordinal))?;
        }
        for (ordinal, profile) in &waiting.profiles {
            let profile = LinkProfile::new(*ordinal, profile.customer, &profile.known);
            if !self.insert(&profile)? {
                return Err(taken::<LinkProfile>());
            }
        }
        let stored = u64::try_from(manifest.customers).unwrap_or_default();
        manifest.customers = i64::try_from(waiting.size(stored)).unwrap_or(i64::MAX);
        manifest.last_ordinal = manifest.last_ordinal.max(waiting.last);

        let mut kept = Kept { manifest, runs: state.runs(), gone: None };
        let keys = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let first = waiting.profiles.keys().next().copied().unwrap_or_default();
        let last = waiting.profiles.keys().next_back().copied().unwrap_or_default();
        let run = LinkRun { keys, first, last, ..LinkRun::default() };
        let mut entries = entries.into_iter();
        let gone = waiting.gone.iter().copied().collect();
        self.add_link_run(&mut kept, run, gone, |_| Ok(entries.next()))?;
        while let Some(places) = due(&kept.runs) {
            self.merge_link_runs(&mut kept, &places)?;
        }
        kept.manifest.runs = LinkManifest::packed(&kept.runs);
        self.put(&kept.manifest)?;
        self.view().state_of(kept.manifest).map(drop)
    }

    /// Writes a run and its summary, and lists it.
    fn add_link_run(
        &mut self,
        kept: &mut Kept,
        run: LinkRun,
        gone: Vec<u32>,
        mut next: impl FnMut(&View<'_>) -> Result<Option<Entry>>,
    ) -> Result<()> {
        kept.manifest.last_run = kept.manifest.last_run.saturating_add(1);
        let run = LinkRun { number: kept.manifest.last_run, nonce: self.nonce(), ..run };
        let mut summary = Summary::of(gone);
        let (run, _) = self.write_run(run, |view| {
            let entry = next(view)?;
            if let Some(entry) = entry {
                summary.count(entry.hash);
            }
            Ok(entry)
        })?;
        let (summary, run) = summary.finish(run);
        if run.has_summary() {
            self.insert_part::<LinkRun>(&summary.packed(&run))?;
        }
        if run.keys > 0 || run.gone > 0 {
            kept.runs.push(run);
        }
        Ok(())
    }

    /// Makes one run of those at `places`, without the entries of ordinals that are gone.
    ///
    /// The entries of an ordinal lie in one run. So once they are dropped, nobody needs to know any
    /// more that it is gone, unless another run may be the one that holds them.
    fn merge_link_runs(&mut self, kept: &mut Kept, places: &[usize]) -> Result<()> {
        let all_gone = match kept.gone.take() {
            Some(known) => known,
            None => self.all_gone(&kept.runs)?,
        };
        let merged = taken_out(&mut kept.runs, places);
        let is_gone = |entry: &Entry| {
            u32::try_from(entry.number).is_ok_and(|ordinal| all_gone.contains(ordinal))
        };
        let keys = if all_gone.count() == 0 {
            merged.iter().map(|run| run.keys).fold(0, u32::saturating_add)
        } else {
            let view = self.view();
            let (mut all, mut keys) = (Merged::new(&merged, &view)?, 0_u32);
            while let Some(entry) = all.next(&view)? {
                keys = keys.saturating_add(u32::from(!is_gone(&entry)));
            }
            keys
        };
        let mut gone = Vec::new();
        for run in merged.iter().filter(|run| run.gone > 0) {
            gone.extend(self.view().link_summary(run)?.gone);
        }
        gone.retain(|ordinal| kept.runs.iter().any(|run| run.may_hold(*ordinal)));
        gone.sort_unstable();
        let with_keys = || merged.iter().filter(|run| run.keys > 0);
        let first = with_keys().map(|run| run.first).min().unwrap_or_default();
        let last = with_keys().map(|run| run.last).max().unwrap_or_default();
        let run = LinkRun { keys, first, last, ..LinkRun::default() };
        let mut all = Merged::new(&merged, &self.view())?;
        self.add_link_run(kept, run, gone, |view| {
            loop {
                match all.next(view)? {
                    Some(entry) if is_gone(&entry) => {}
                    entry => return Ok(entry),
                }
            }
        })?;
        for run in &merged {
            self.delete_run(run)?;
            if run.has_summary() {
                self.delete::<LinkBlock>(run.summary_id())?;
            }
        }
        kept.gone = Some(all_gone);
        Ok(())
    }

    /// The ordinals that are gone by any of `runs`.
    fn all_gone(&self, runs: &[LinkRun]) -> Result<Gone> {
        let mut gone = Gone::default();
        for run in runs.iter().filter(|run| run.gone > 0) {
            gone.extend(self.view().link_summary(run)?.gone);
        }
        Ok(gone)
    }
}

/// The manifest while its runs change.
struct Kept {
    manifest: LinkManifest,
    runs: Vec<LinkRun>,
    /// The ordinals that are gone, once a merge has asked.
    gone: Option<Gone>,
}

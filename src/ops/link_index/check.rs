//! The index of smart linking compared with the customers, and written anew.

use super::LinkState;
use super::waiting::terms_of;
use super::warm_run::WarmRun;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::link_check::{LinkDiscrepancyKind, LinkIndexCheck};
use crate::domain::link_index::{
    LinkBlock, LinkManifest, LinkManifestId, LinkProfile, Summary, Term,
};
use crate::domain::run::Run as _;
use crate::domain::run::filter::Filter;
use crate::error::{Error, Result};
use crate::hash::mixed;
use crate::ops::runs::damaged;
use crate::page::PAGE_MAX;
use crate::store::StoreError;
use crate::store::query::{After, Query};
use crate::tables::Stored;
use crate::tenure::Tenure;
use crate::tx::{Tx, View};
use crate::value::Value;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// How many parts of runs are taken away at once: some 200 KB.
const AT_ONCE: usize = 64;
/// How many ordinals are passed over when nobody knows which was given last.
const UNKNOWN: u32 = 1 << 20;

/// The ordinals of the customers, each with the sum of the terms that are still to be found.
type Wanted = HashMap<u32, (CustomerId, u64)>;

/// Terms add up to the same in whatever order, and to something else if one is missing or more.
fn sum(terms: &[Term]) -> u64 {
    terms.iter().fold(0, |sum: u64, term| sum.wrapping_add(mixed(term.0)))
}

impl View<'_> {
    fn check_links(&self, progress: &mut dyn FnMut(usize)) -> Result<LinkIndexCheck> {
        let state = self.link_state()?;
        let mut check = LinkIndexCheck::default();
        let mut wanted = self.check_profiles(&state, &mut check, progress)?;
        let mut strays = HashSet::new();
        for run in &state.snapshot.runs {
            self.check_run(&state, run, &mut wanted, &mut strays, &mut check)?;
        }
        for (customer, _) in wanted.into_values().filter(|(_, left)| *left != 0) {
            check.tell(LinkDiscrepancyKind::Keys, Some(customer));
        }
        for _ in strays {
            check.tell(LinkDiscrepancyKind::Extra, None);
        }
        Ok(check)
    }

    /// Compares every customer with its profile, and the other way round.
    fn check_profiles(
        &self,
        state: &LinkState,
        check: &mut LinkIndexCheck,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Wanted> {
        let gone = state.gone(self)?;
        let (mut wanted, mut profiles) = (Wanted::new(), 0_i64);
        self.each::<Customer>(Query::all(), |customer| {
            if customer.deleted_at.is_some() {
                return Ok(());
            }
            check.customers = check.customers.saturating_add(1);
            progress(check.customers);
            let Some(profile) = self.link_profile(customer.id)? else {
                check.tell(LinkDiscrepancyKind::Missing, Some(customer.id));
                return Ok(());
            };
            let known = profile.known().map_err(damaged::<LinkProfile>)?;
            if known != self.known(&customer)? {
                check.tell(LinkDiscrepancyKind::Wrong, Some(customer.id));
            }
            let ordinal = profile.id.ordinal().map_err(damaged::<LinkProfile>)?;
            if gone.contains(ordinal) || ordinal > state.manifest.last_ordinal {
                check.tell(LinkDiscrepancyKind::Missing, Some(customer.id));
            }
            wanted.insert(ordinal, (customer.id, sum(&terms_of(&known))));
            Ok(())
        })?;
        self.each::<LinkProfile>(Query::all(), |profile| {
            profiles = profiles.saturating_add(1);
            if !profile.id.ordinal().is_ok_and(|ordinal| wanted.contains_key(&ordinal)) {
                check.tell(LinkDiscrepancyKind::Extra, Some(profile.customer_id));
            }
            Ok(())
        })?;
        if profiles != state.manifest.customers {
            check.tell(LinkDiscrepancyKind::Count, None);
        }
        Ok(wanted)
    }

    /// Takes what can be found in a run off what is wanted; what nobody wants is a stray.
    fn check_run(
        &self,
        state: &LinkState,
        run: &WarmRun,
        wanted: &mut Wanted,
        strays: &mut HashSet<u64>,
        check: &mut LinkIndexCheck,
    ) -> Result<()> {
        let (gone, stored, run) = (state.gone(self)?, run.summary(self)?, &run.run);
        let mut recount = Summary::of(stored.gone.clone());
        let filter = match Filter::part_count(run) {
            0 => Filter::empty(0),
            _ => self.run_filter(run)?,
        };
        for block in 0..run.blocks() {
            for entry in self.run_entries(run, block)? {
                check.entries = check.entries.saturating_add(1);
                recount.count(entry.hash);
                let ordinal = u32::try_from(entry.number).ok();
                if ordinal.is_some_and(|ordinal| gone.contains(ordinal)) {
                    continue;
                }
                let is_found = run.block_of(entry.hash) == block && filter.may_hold(entry.hash);
                match ordinal.and_then(|ordinal| wanted.get_mut(&ordinal)) {
                    Some((_, left)) if is_found => *left = left.wrapping_sub(mixed(entry.hash)),
                    Some(_) => {}
                    None => drop(strays.insert(entry.number)),
                }
            }
        }
        if recount.finish(*run).0 != *stored {
            check.tell(LinkDiscrepancyKind::Count, None);
        }
        Ok(())
    }
}

impl Tx<'_> {
    fn rebuild_links(&mut self, progress: &mut dyn FnMut(usize)) -> Result<usize> {
        let mut manifest = LinkManifest::empty();
        (manifest.last_ordinal, manifest.last_run) = self.view().last_numbers()?;
        self.delete_all::<LinkBlock>(AT_ONCE)?;
        self.delete_all::<LinkProfile>(PAGE_MAX)?;
        self.put(&manifest)?;
        self.view().state_of(manifest)?;

        let (mut done, mut query) = (0_usize, Query::all().limit(PAGE_MAX));
        loop {
            let customers = self.view().find::<Customer>(&query)?;
            let last = customers.last().filter(|_| customers.len() == PAGE_MAX);
            query.after = last.map(|it| After { value: Value::Null, key: it.id.uuid() });
            for customer in customers.iter().filter(|it| it.deleted_at.is_none()) {
                let known = self.view().known(customer)?;
                self.index_known(customer.id, known)?;
                done = done.saturating_add(1);
                progress(done);
            }
            if query.after.is_none() {
                return Ok(done);
            }
        }
    }

    /// Takes every record of a table away, so many at a time.
    fn delete_all<R: Stored>(&mut self, at_once: usize) -> Result<()> {
        loop {
            let records = self.view().find::<R>(&Query::all().limit(at_once))?;
            if records.is_empty() {
                return Ok(());
            }
            for record in records {
                let id: Uuid = record.to_row().key();
                self.delete::<R>(id.into())?;
            }
        }
    }
}

impl View<'_> {
    /// The ordinal and the run that were numbered last. If the manifest cannot be read, an ordinal
    /// that was surely never given.
    fn last_numbers(&self) -> Result<(u32, u32)> {
        let newest = self.first::<LinkProfile>(Query::all().newest())?;
        let newest = newest.map_or(Ok(0), |it| it.id.ordinal());
        let newest = newest.map_err(damaged::<LinkProfile>)?;
        match self.get::<LinkManifest>(LinkManifestId::only()) {
            Ok(Some(manifest)) => Ok((manifest.last_ordinal.max(newest), manifest.last_run)),
            Ok(None) if newest == 0 => Ok((0, 0)),
            Ok(None) | Err(Error::Store(StoreError::Corrupt { .. })) => {
                Ok((newest.saturating_add(UNKNOWN), 0))
            }
            Err(error) => Err(error),
        }
    }
}

impl Tenure {
    /// Compares the index of smart linking with every customer of the org, and reports every
    /// difference, without changing anything. `progress` is told how many customers were compared so
    /// far. It takes some 60 bytes of memory for each customer.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme Inc.")))?;
    /// let check = tenure.check_link_index(|_| ())?;
    /// assert_eq!((check.customers, check.is_sound()), (1, true));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Only the store's own: what is damaged in a way that its row shows is
    /// [`StoreError::Corrupt`](crate::store::StoreError::Corrupt), with the table.
    /// [`rebuild_link_index`](Self::rebuild_link_index) mends it.
    pub fn check_link_index(&self, mut progress: impl FnMut(usize)) -> Result<LinkIndexCheck> {
        self.read(|view| view.check_links(&mut progress))
    }

    /// Writes the index of smart linking of the org anew, from its customers, whatever it was before:
    /// to mend what [`check_link_index`](Self::check_link_index) finds, or to drop what many changes
    /// have left in it; a store from before there was such an index needs it once. `progress` is told
    /// how many customers are in it so far. Returns how many there are.
    ///
    /// It is one transaction, so that everybody finds everybody meanwhile, by the index as it was,
    /// and one that is cut off has changed nothing: call it again. Other writers wait; some
    /// 20 seconds for a million customers without contacts. It takes some 20 MB of memory, however
    /// many there are.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn rebuild_link_index(&self, mut progress: impl FnMut(usize)) -> Result<usize> {
        self.write(|tx| tx.rebuild_links(&mut progress))
    }
}

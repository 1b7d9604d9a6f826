//! The index of smart linking, as a transaction sees it: what it shares with a question, and what
//! is known of whom it finds.

pub(crate) mod cache;
mod candidates;
mod check;
mod waiting;
mod warm_run;
mod writing;

pub(crate) use waiting::Waiting;

use crate::domain::link_index::{
    Gone, LinkBlock, LinkManifest, LinkManifestId, LinkProfile, LinkProfileId, LinkRun, Summary,
    Term,
};
use crate::domain::run::filter::{Filter, Line, pattern};
use crate::domain::run::{Entry, Run as _, found_near};
use crate::error::{Error, Result};
use crate::ops::runs::damaged;
use crate::store::query::{After, Query};
use crate::tx::View;
use crate::value::Value;
use cache::{Numbered, OrgLinks, Profile, Snapshot};
use std::cell::RefCell;
use std::sync::Arc;
use warm_run::{WarmRun, Weights};

/// The index as a transaction found it, or left it when it wrote last.
pub(crate) struct LinkState {
    pub(crate) manifest: LinkManifest,
    links: Arc<OrgLinks>,
    snapshot: Arc<Snapshot>,
}

impl LinkState {
    /// Notes that what it shows is kept.
    pub(crate) fn commit(&self) {
        self.links.commit(self.manifest.last_ordinal);
    }
}

/// The index, for the questions of a transaction.
pub(crate) struct LinkIndex<'v> {
    view: &'v View<'v>,
    state: Arc<LinkState>,
    /// Room for what is found of a term.
    found: RefCell<Vec<u32>>,
}

impl View<'_> {
    /// The index of smart linking.
    pub(crate) fn link_index(&self) -> Result<LinkIndex<'_>> {
        let state = self.link_state()?;
        if self.waiting().is_none() {
            state.commit();
        }
        Ok(LinkIndex { view: self, state, found: RefCell::default() })
    }

    /// The index as it is stored, read once in a transaction.
    fn link_state(&self) -> Result<Arc<LinkState>> {
        if let Some(known) = self.known_links() {
            return Ok(known);
        }
        let manifest = self.get(LinkManifestId::only())?;
        self.state_of(manifest.unwrap_or_else(LinkManifest::empty))
    }

    /// The state that a manifest describes; what is asked from now on is answered by it.
    fn state_of(&self, manifest: LinkManifest) -> Result<Arc<LinkState>> {
        let links = self.link_cache().of(self.org());
        let unpack = || manifest.unpacked().map_err(damaged::<LinkManifest>);
        let snapshot = links.snapshot(&manifest.runs, unpack)?;
        let state = Arc::new(LinkState { manifest, links, snapshot });
        self.know_links(Arc::clone(&state));
        Ok(state)
    }

    /// What the summary of a run says.
    fn link_summary(&self, run: &LinkRun) -> Result<Summary> {
        if !run.has_summary() {
            return Ok(Summary::default());
        }
        let block = self.run_part::<LinkRun>(run.summary_id())?;
        Summary::unpacked(run, &block).map_err(damaged::<LinkBlock>)
    }
}

impl WarmRun {
    /// What its summary says.
    fn summary(&self, view: &View<'_>) -> Result<&Summary> {
        match self.summary.get() {
            Some(known) => Ok(known),
            None => view.link_summary(&self.run).map(|read| self.summary.get_or_init(|| read)),
        }
    }
}

impl LinkState {
    /// The runs.
    fn runs(&self) -> Vec<LinkRun> {
        self.snapshot.runs.iter().map(|it| it.run).collect()
    }

    /// The ordinals that are gone.
    fn gone(&self, view: &View<'_>) -> Result<&Gone> {
        if let Some(known) = self.snapshot.gone.get() {
            return Ok(known);
        }
        let mut gone = Gone::default();
        for run in self.snapshot.runs.iter().filter(|it| it.run.gone > 0) {
            gone.extend(run.summary(view)?.gone.iter().copied());
        }
        Ok(self.snapshot.gone.get_or_init(|| gone))
    }

    fn weights(&self, view: &View<'_>) -> Result<&Weights> {
        if let Some(known) = self.snapshot.weights.get() {
            return Ok(known);
        }
        let heavy = || self.snapshot.runs.iter().filter(|it| it.run.heavy > 0);
        let names = heavy().map(|it| it.run.name()).collect();
        let weights = self.links.weights(names, |weights| {
            for run in heavy() {
                for (hash, count) in &run.summary(view)?.heavy {
                    let sum = weights.counts.entry(*hash).or_default();
                    *sum = sum.saturating_add(*count);
                }
            }
            Ok::<_, Error>(())
        })?;
        Ok(self.snapshot.weights.get_or_init(|| weights))
    }
}

impl LinkIndex<'_> {
    /// How many customers can be found.
    pub(crate) fn size(&self) -> u64 {
        let stored = u64::try_from(self.state.manifest.customers).unwrap_or_default();
        self.view.waiting().map_or(stored, |waiting| waiting.size(stored))
    }

    /// How many customers have a term.
    pub(crate) fn count(&self, term: Term) -> Result<u32> {
        self.each(term, 0, &mut |_| ())
    }

    /// Hands the ordinals of all customers with a term to `take`, unless they are more than `cap`.
    /// Returns how many there are; beyond `cap` that is not exact.
    pub(crate) fn each(&self, term: Term, cap: u32, take: &mut dyn FnMut(u32)) -> Result<u32> {
        let gone = self.state.gone(self.view)?;
        if cap > 0 {
            let surely = self.weight_count(term)?.saturating_sub(gone.count());
            if surely > cap {
                return Ok(surely);
            }
        }
        let mut numbers = self.found.take();
        numbers.clear();
        let pattern = pattern(term.0);
        for run in &self.state.snapshot.runs {
            self.numbers(run, term.0, &pattern, &mut numbers)?;
        }
        let waiting = self.view.waiting();
        if let Some(waiting) = waiting {
            waiting.numbers(term, &mut numbers);
        }
        if gone.count() > 0 || waiting.is_some() {
            numbers.retain(|it| !gone.contains(*it) && waiting.is_none_or(|all| !all.is_gone(*it)));
        }
        let count = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        if count <= cap {
            for ordinal in &numbers {
                take(*ordinal);
            }
        }
        self.found.replace(numbers);
        Ok(count)
    }

    /// How often a common word is in the index, from memory and not exactly: what a run has fewer than
    /// eight of, or a small run has at all, is not counted; what is gone still is.
    pub(crate) fn weight_count(&self, term: Term) -> Result<u32> {
        let weights = self.state.weights(self.view)?;
        Ok(weights.counts.get(&term.0).copied().unwrap_or_default())
    }

    /// Whether a customer that had this ordinal changed since, or was deleted.
    pub(crate) fn is_gone(&self, ordinal: u32) -> Result<bool> {
        let gone = self.state.gone(self.view)?.contains(ordinal);
        Ok(gone || self.view.waiting().is_some_and(|waiting| waiting.is_gone(ordinal)))
    }

    /// What is known of whoever has this ordinal; none if it is gone.
    pub(crate) fn profile(&self, ordinal: u32) -> Result<Option<Arc<Profile>>> {
        if let Some(waiting) = self.view.waiting().and_then(|it| it.profile(ordinal)) {
            return Ok(Some(Arc::clone(waiting)));
        }
        if self.is_gone(ordinal)? {
            return Ok(None);
        }
        if let Some(known) = self.state.links.profile(ordinal) {
            return Ok(Some(known));
        }
        let Some(stored) = self.view.get::<LinkProfile>(LinkProfileId::of(ordinal))? else {
            return Ok(None);
        };
        let profile = unpacked(&stored)?;
        self.view.link_cache().keep_profile(&self.state.links, ordinal, &profile);
        Ok(Some(profile))
    }

    /// The first profiles behind an ordinal, at most so many; some of them may be gone.
    pub(crate) fn profiles_after(&self, ordinal: u32, most: usize) -> Result<Vec<Numbered>> {
        let after = After { value: Value::Null, key: LinkProfileId::of(ordinal).uuid() };
        let stored = self.view.find::<LinkProfile>(&Query::all().after(Some(after)).limit(most))?;
        let numbered = |it: &LinkProfile| {
            let ordinal = it.id.ordinal().map_err(damaged::<LinkProfile>)?;
            Ok((ordinal, unpacked(it)?))
        };
        let mut profiles = stored.iter().map(numbered).collect::<Result<Vec<_>>>()?;
        // What waits comes behind all that is stored.
        let left = most.saturating_sub(profiles.len());
        profiles.extend(self.view.waiting().iter().flat_map(|it| it.after(ordinal)).take(left));
        Ok(profiles)
    }

    /// Adds the ordinals that a run has for a hash.
    fn numbers(
        &self,
        run: &Arc<WarmRun>,
        hash: u64,
        pattern: &Line,
        to: &mut Vec<u32>,
    ) -> Result<()> {
        let may_hold = match run.may_hold(hash, pattern) {
            Some(known) => known,
            // A part of a filter costs more to read than the block that it may spare.
            None if !self.view.link_cache().keeps_filters() => true,
            None => self.filter(run, hash)?,
        };
        if !may_hold {
            return Ok(());
        }
        let mut take = |entries: &[Entry]| {
            let guess = run.run.guess(hash, entries.len());
            let numbers = found_near(entries, guess, hash);
            to.extend(numbers.filter_map(|number| u32::try_from(number).ok()));
        };
        let block = run.run.block_of(hash);
        if run.with_block(block, &mut take).is_none() {
            let entries = self.view.run_entries(&run.run, block)?;
            take(&entries);
            self.view.link_cache().keep_block(&self.state.links, run, block, entries);
        }
        Ok(())
    }

    /// Reads the part of a run's filter that tells of a hash.
    fn filter(&self, run: &WarmRun, hash: u64) -> Result<bool> {
        let part = Filter::part_of(&run.run, hash);
        let filter = self.view.run_filter_part(&run.run, part)?;
        let may_hold = filter.may_hold(hash);
        self.view.link_cache().keep_filter(&self.state.links, run, part, filter);
        Ok(may_hold)
    }
}

fn unpacked(stored: &LinkProfile) -> Result<Arc<Profile>> {
    let known = stored.known().map_err(damaged::<LinkProfile>)?;
    Ok(Arc::new(Profile { customer: stored.customer_id, known }))
}

#[cfg(test)]
mod tests;

//! What a transaction has changed of the index of smart linking and not written yet.

use super::cache::{Numbered, Profile};
use crate::domain::customer::CustomerId;
use crate::domain::link_index::Term;
use crate::domain::match_keys::{KEYS_MAX, Known, each_key_of};
use crate::domain::run::{Entry, found};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

/// How many entries may wait: of some 40,000 customers, about 20 MB.
const WAITING_MAX: usize = 500_000;

/// How many of them need not be in order to be looked through.
const LOOSE_MAX: usize = 256;

/// What waits to be written. It is lost with its transaction.
#[derive(Default)]
pub(crate) struct Waiting {
    entries: RefCell<Entries>,
    pub(super) profiles: BTreeMap<u32, Arc<Profile>>,
    ordinals: HashMap<CustomerId, u32>,
    /// Stored profiles that are no longer right.
    pub(super) gone: BTreeSet<u32>,
    /// What waited and is no longer right: its entries are still there.
    withdrawn: BTreeSet<u32>,
    /// The ordinal that was given last.
    pub(super) last: u32,
}

/// Entries that are put into order when they are looked up, or written: who loads a directory looks
/// up none.
#[derive(Default)]
struct Entries {
    sorted: Vec<Entry>,
    loose: Vec<Entry>,
}

impl Entries {
    fn len(&self) -> usize {
        self.sorted.len().saturating_add(self.loose.len())
    }

    fn sort(&mut self) {
        self.sorted.append(&mut self.loose);
        // What is in order already is merged with the rest.
        self.sorted.sort();
    }

    fn with(&mut self, hash: u64) -> impl Iterator<Item = u32> {
        if self.loose.len() > LOOSE_MAX {
            self.sort();
        }
        let loose = self.loose.iter().filter(move |it| it.hash == hash).map(|it| it.number);
        found(&self.sorted, hash).chain(loose).filter_map(|it| u32::try_from(it).ok())
    }
}

/// The terms under which a customer is found, in order, each once.
pub(super) fn terms_of(known: &Known) -> Vec<Term> {
    let mut terms = Vec::with_capacity(32);
    each_key_of(known, |kind, text| {
        let term = Term::of(kind, text);
        if terms.len() < KEYS_MAX && !terms.contains(&term) {
            terms.push(term);
        }
    });
    terms.sort_unstable();
    terms
}

impl Waiting {
    /// How many customers can be found, if so many are stored.
    pub(super) fn size(&self, stored: u64) -> u64 {
        let count = |len: usize| u64::try_from(len).unwrap_or_default();
        stored.saturating_add(count(self.profiles.len())).saturating_sub(count(self.gone.len()))
    }

    pub(super) fn is_gone(&self, ordinal: u32) -> bool {
        self.gone.contains(&ordinal) || self.withdrawn.contains(&ordinal)
    }

    pub(super) fn profile(&self, ordinal: u32) -> Option<&Arc<Profile>> {
        self.profiles.get(&ordinal)
    }

    /// The profiles that wait behind an ordinal.
    pub(super) fn after(&self, ordinal: u32) -> impl Iterator<Item = Numbered> {
        let behind = self.profiles.range((Bound::Excluded(ordinal), Bound::Unbounded));
        behind.map(|(ordinal, profile)| (*ordinal, Arc::clone(profile)))
    }

    /// Adds the ordinals that wait with a term.
    pub(super) fn numbers(&self, term: Term, to: &mut Vec<u32>) {
        to.extend(self.entries.borrow_mut().with(term.0));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.profiles.is_empty() && self.gone.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.borrow().len() >= WAITING_MAX
    }

    /// What waits of a customer.
    pub(super) fn of(&self, customer: CustomerId) -> Option<&Arc<Profile>> {
        self.ordinals.get(&customer).and_then(|ordinal| self.profiles.get(ordinal))
    }

    /// Lets a customer wait under an ordinal.
    pub(super) fn put(&mut self, ordinal: u32, customer: CustomerId, known: Known) {
        let number = u64::from(ordinal);
        let entries = terms_of(&known).into_iter().map(|term| Entry { hash: term.0, number });
        self.entries.get_mut().loose.extend(entries);
        self.ordinals.insert(customer, ordinal);
        self.profiles.insert(ordinal, Arc::new(Profile { customer, known }));
        self.last = ordinal;
    }

    /// Takes back a stored profile.
    pub(super) fn take_back(&mut self, ordinal: u32) {
        self.gone.insert(ordinal);
    }

    /// Takes back what waits of a customer.
    pub(super) fn withdraw(&mut self, customer: CustomerId) {
        if let Some(ordinal) = self.ordinals.remove(&customer) {
            self.profiles.remove(&ordinal);
            self.withdrawn.insert(ordinal);
        }
    }

    /// The entries to be written, in order.
    pub(super) fn take_entries(&mut self) -> Vec<Entry> {
        let mut entries = self.entries.take();
        entries.sort();
        let withdrawn =
            |it: &Entry| u32::try_from(it.number).map(|it| self.withdrawn.contains(&it));
        if !self.withdrawn.is_empty() {
            entries.sorted.retain(|entry| withdrawn(entry) == Ok(false));
        }
        entries.sorted
    }
}

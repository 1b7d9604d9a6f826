//! Which customers are looked at closely: those that share the most telling keys with a question.

use crate::domain::match_keys::KeyKind;
use crate::hash::Spread;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// How many candidates of a question are looked at closely.
pub const CANDIDATES_MAX: usize = 16;

/// With how many others a customer is compared as a possible duplicate.
pub const TWINS_MAX: usize = 16;

/// How many entries of the index one question reads, the rarest keys first.
const ENTRIES_MAX: usize = 4_000;

/// A candidate that shares less than this part of what the best shares has no chance.
const CHANCE: f32 = 0.22;

/// A search for candidates: keys come in, the rarest first, and the best candidates out.
///
/// Smart linking feeds it from its index; whoever learns or measures does so from an index of their
/// own. The keys of a question are [`keys_of_clues`](super::match_keys::keys_of_clues); those that
/// more than [`CANDIDATES_PER_KEY_MAX`](super::match_keys::CANDIDATES_PER_KEY_MAX) customers have
/// are not taken.
///
/// ```
/// use tenure::domain::{candidates::Search, match_keys::KeyKind};
///
/// // Of a thousand customers one has the domain, and two a word of the name.
/// let mut search = Search::new(1_000);
/// for (kind, having) in [(KeyKind::Domain, &[7][..]), (KeyKind::Word, &[7, 12])] {
///     if search.wants(having.len()) {
///         search.take(kind, having);
///     }
/// }
/// assert_eq!(search.best(), [7, 12]);
/// ```
#[derive(Debug)]
pub struct Search {
    shared: HashMap<u32, f32, BuildHasherDefault<Spread>>,
    customers: f32,
    left: usize,
}

impl Search {
    /// A search among this many customers.
    #[expect(clippy::cast_precision_loss, reason = "a share needs few digits")]
    #[must_use]
    pub fn new(customers: u64) -> Self {
        Self { shared: HashMap::default(), customers: customers as f32 + 2.0, left: ENTRIES_MAX }
    }

    /// Whether a key that so many customers have is still looked up: a question reads about 4,000
    /// entries of the index at most, but at least the rarest of its keys.
    #[must_use]
    pub fn wants(&self, count: usize) -> bool {
        count <= self.left || self.shared.is_empty()
    }

    /// Takes the customers, by ordinal, that have a key. The fewer they are, the more it tells that
    /// a question shares the key with them; so none is left out.
    #[expect(clippy::cast_precision_loss, reason = "a share needs few digits")]
    pub fn take(&mut self, kind: KeyKind, having: &[u32]) {
        self.left = self.left.saturating_sub(having.len());
        let telling = (self.customers / (having.len().max(1) as f32)).ln().max(0.1);
        for ordinal in having {
            *self.shared.entry(*ordinal).or_default() += kind.weight() * telling;
        }
    }

    /// The best candidates, at most [`CANDIDATES_MAX`], the best first; equal ones by ordinal.
    #[must_use]
    pub fn best(self) -> Vec<u32> {
        let ranked = ranked(self.shared.into_iter(), CANDIDATES_MAX);
        let least = ranked.first().map_or(0.0, |(_, best)| best * CHANCE);
        ranked.into_iter().take_while(|(_, shared)| *shared >= least).map(|(it, _)| it).collect()
    }

    /// The best of those whose ordinal is less than this, by ordinal. They are no rivals: however
    /// much one shares, the others are looked at as well.
    #[must_use]
    pub fn best_before(self, ordinal: u32) -> Vec<u32> {
        let before = self.shared.into_iter().filter(|(it, _)| *it < ordinal);
        let mut best: Vec<u32> = ranked(before, TWINS_MAX).into_iter().map(|(it, _)| it).collect();
        best.sort_unstable();
        best
    }
}

/// So many of those who share the most, the best first; equal ones by ordinal.
fn ranked(shared: impl Iterator<Item = (u32, f32)>, most: usize) -> Vec<(u32, f32)> {
    let mut ranked: Vec<(u32, f32)> = shared.collect();
    let better = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if ranked.len() > most {
        ranked.select_nth_unstable_by(most, better);
        ranked.truncate(most);
    }
    ranked.sort_unstable_by(better);
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_the_rarer_keys_comes_first() {
        let mut search = Search::new(1_000);
        search.take(KeyKind::Word, &[7]);
        search.take(KeyKind::Word, &(0..100).collect::<Vec<_>>());
        assert_eq!(search.best()[0], 7);
    }

    #[test]
    fn few_are_looked_at_and_those_without_a_chance_are_not() {
        let mut search = Search::new(1_000);
        search.take(KeyKind::Word, &(0..100).collect::<Vec<_>>());
        assert_eq!(search.best(), (0..16).collect::<Vec<_>>());
        let mut search = Search::new(1_000);
        search.take(KeyKind::Domain, &[1]);
        search.take(KeyKind::Beginning, &(0..400).collect::<Vec<_>>());
        assert_eq!(search.best(), [1]);
    }

    #[test]
    fn a_question_reads_no_more_than_it_may_but_always_something() {
        let mut search = Search::new(1_000_000);
        let many: Vec<u32> = (0..5_000).collect();
        assert!(search.wants(many.len()), "nobody was found yet");
        search.take(KeyKind::Word, &many);
        assert!(!search.wants(1));
    }
}

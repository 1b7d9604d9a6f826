//! Whom a question may mean, and how telling its words are.

use super::LinkIndex;
use super::cache::{Numbered, Profile};
use crate::domain::candidates::Search;
use crate::domain::clues::Clues;
use crate::domain::link_index::Term;
use crate::domain::match_keys::{
    CANDIDATES_PER_KEY_MAX, KeyKind, Known, MatchKey, keys_of_clues, keys_of_twins,
};
use crate::domain::word_weight::word_weight;
use crate::error::Result;
use std::collections::HashMap;
use std::sync::Arc;

impl LinkIndex<'_> {
    /// The customers that share the most telling keys with the clues, the best first.
    pub(crate) fn candidates(&self, clues: &Clues) -> Result<Vec<Arc<Profile>>> {
        let best = self.search(keys_of_clues(clues))?.best();
        let profiles = best.into_iter().map(|ordinal| self.profile(ordinal));
        profiles.filter_map(Result::transpose).collect()
    }

    /// The customers with an ordinal less than this that share the most telling keys with a customer
    /// of whom `known` is known, by ordinal.
    pub(crate) fn twins_before(&self, ordinal: u32, known: &Known) -> Result<Vec<Numbered>> {
        let best = self.search(keys_of_twins(known))?.best_before(ordinal);
        let profiles = best.into_iter().map(|it| Ok(self.profile(it)?.map(|found| (it, found))));
        profiles.filter_map(Result::transpose).collect()
    }

    fn search(&self, keys: Vec<MatchKey>) -> Result<Search> {
        let mut having: Vec<u32> = Vec::new();
        let mut found: Vec<(KeyKind, std::ops::Range<usize>)> = Vec::new();
        for key in keys {
            let start = having.len();
            let term = Term::of(key.kind, &key.text);
            self.each(term, CANDIDATES_PER_KEY_MAX, &mut |ordinal| having.push(ordinal))?;
            if having.len() > start {
                found.push((key.kind, start..having.len()));
            }
        }
        found.sort_by_key(|(_, range)| range.len());
        let mut search = Search::new(self.size());
        for (kind, range) in found {
            if !search.wants(range.len()) {
                break;
            }
            search.take(kind, having.get(range).unwrap_or_default());
        }
        Ok(search)
    }

    /// The weights of words, for one question.
    pub(crate) fn weights(&self) -> Weights<'_> {
        Weights { index: self, known: HashMap::new(), failed: None }
    }
}

/// From how many customers on the count of a word is taken from memory, nearly exact.
const MANY: u32 = 64;

/// How telling words are, each counted once.
pub(crate) struct Weights<'i> {
    index: &'i LinkIndex<'i>,
    known: HashMap<Term, f32>,
    failed: Option<crate::Error>,
}

impl Weights<'_> {
    /// The weight of a word; of a common one if the store fails, which `finish` tells.
    pub(crate) fn of(&mut self, word: &str) -> f32 {
        let term = Term::of(KeyKind::Word, word);
        if let Some(known) = self.known.get(&term) {
            return *known;
        }
        let count = match self.index.weight_count(term) {
            Ok(many @ MANY..) => Ok(many),
            Ok(_) => self.index.count(term),
            Err(error) => Err(error),
        };
        let count = count.unwrap_or_else(|error| {
            self.failed = Some(error);
            MANY
        });
        let weight = word_weight(word, count, self.index.size());
        self.known.insert(term, weight);
        weight
    }

    /// Whether every word could be counted.
    pub(crate) fn finish(self) -> Result<()> {
        self.failed.map_or(Ok(()), Err)
    }
}

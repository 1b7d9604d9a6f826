//! Companies without end: real ones first, then such as could be.

use super::data::Company;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use tenure::DomainName;
use tenure::domain::company_name::CompanyName;
use tenure::domain::word_weight::word_weight;

/// A word that weighs less is one that many companies have, such as `Bank`.
const COMMON: f32 = 0.88;

/// One in so many rare words is one of a real name; the others are coined. Of the words of 57,777
/// made names 40 % then occur once and 13 % in more than a thousand names; of the words of the real
/// names that they were made from 33 % and 12 %.
const KEPT: usize = 2;

/// The same companies each time.
pub struct Companies {
    real: Vec<Company>,
    rare: Vec<String>,
    given: usize,
    /// Hashes of the names so far, since a customer's name is unique.
    names: HashSet<u64>,
    state: u64,
}

impl Companies {
    pub fn new(real: &[Company]) -> Self {
        let words = real.iter().flat_map(|company| company.name.split_whitespace());
        let rare = words.filter(|word| is_rare(word)).map(ToOwned::to_owned).collect();
        let real = real.to_vec();
        Self { real, rare, given: 0, names: HashSet::new(), state: 0 }
    }

    /// The next so many.
    pub fn take(&mut self, count: usize) -> Vec<Company> {
        (0..count).map(|_| self.next()).collect()
    }

    fn next(&mut self) -> Company {
        let number = self.given;
        self.given += 1;
        if let Some(real) = self.real.get(number).cloned() {
            self.is_new(&real.name);
            return real;
        }
        loop {
            let pattern = self.random(self.real.len());
            let pattern = self.real[pattern].clone();
            let words: Vec<String> =
                pattern.name.split_whitespace().map(|word| self.word(word)).collect();
            let name = words.join(" ");
            if self.is_new(&name) {
                return Company {
                    id: format!("made{number}"),
                    domain: domain(&name, &pattern.domain),
                    name,
                };
            }
        }
    }

    /// A word in place of `word`: a common one stays, since most names have one.
    fn word(&mut self, word: &str) -> String {
        if !is_rare(word) || self.rare.is_empty() {
            return word.to_owned();
        }
        let (one, other) = (self.random(self.rare.len()), self.random(self.rare.len()));
        if self.random(KEPT) == 0 {
            return self.rare[one].clone();
        }
        // The beginning of one and the end of another.
        let begin: Vec<char> = self.rare[one].chars().collect();
        let end: Vec<char> = self.rare[other].chars().collect();
        let cut = 1 + self.random(begin.len());
        let rest = self.random(end.len());
        begin[..cut].iter().chain(&end[rest..]).take(24).collect()
    }

    fn is_new(&mut self, name: &str) -> bool {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        self.names.insert(hasher.hash_one(name.to_lowercase()))
    }

    /// A number below `below`, which is not 0.
    fn random(&mut self, below: usize) -> usize {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ mixed >> 31) >> 33).unwrap_or_default() % below
    }
}

fn is_rare(word: &str) -> bool {
    let folded = CompanyName::fold(word);
    let rare = |word: &String| word_weight(word, 0, 0) >= COMMON;
    // Brackets, commas and legal forms stay where they are.
    let plain = word.chars().all(|c| c.is_alphanumeric() || c == '-');
    plain && !folded.is_degenerate() && folded.tokens().iter().all(rare)
}

/// A domain for a name if the pattern has one, below the same suffix.
fn domain(name: &str, pattern: &str) -> String {
    let Some((_, suffix)) = pattern.split_once('.') else { return String::new() };
    let words = CompanyName::fold(name);
    let label: String = words.tokens().iter().take(2).map(String::as_str).collect();
    let label: String = label.chars().filter(char::is_ascii_alphanumeric).collect();
    // It may have become a suffix itself.
    let domain = DomainName::parse(&format!("{label}.{suffix}"));
    domain.map(|it| it.as_str().to_owned()).unwrap_or_default()
}

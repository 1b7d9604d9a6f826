//! The index of smart linking: under which keys a known customer is kept, and which keys a
//! question looks up, so that candidates come from an index and never from a scan.
//!
//! A customer shares a key with a question when a domain, a rare enough word, or one half of the
//! name is the same; one typo leaves a half intact.

use crate::domain::clues::Clues;
use crate::domain::company_name::CompanyName;
use crate::domain::domain_name::DomainName;
use crate::domain::email::Email;
use crate::domain::free_mail;
use crate::domain::name_likeness::usual_weight;
use crate::record::words;

/// The most keys that one customer is kept under.
pub const KEYS_MAX: usize = 24;

/// A key that more customers than this share says too little to look at them all: the other keys of
/// the question find the better candidates.
pub const CANDIDATES_PER_KEY_MAX: u32 = 200;

/// How many of a customer's own domains, and of its people's, are kept.
const DOMAINS_MAX: usize = 4;

/// How many words of a name are kept.
const WORDS_MAX: usize = 6;

words! {
    /// What a key of the index holds.
    pub enum KeyKind {
        /// A domain, the customer's own or of its people's addresses.
        Domain = "domain",
        /// The name written as one word, or the label of a domain, which often is the name.
        Compact = "compact",
        /// The first letters of a name of three words or more, or a name that could be that.
        Acronym = "acronym",
        /// A word of the name.
        Word = "word",
        /// The letters of the name in the order of the alphabet: two exchanged ones do not matter.
        Letters = "letters",
        /// The beginning of the name written as one word.
        Start = "start",
        /// The end of the name written as one word.
        End = "end",
    }
}

/// How many candidates of a question are looked at closely: those that share the most telling keys
/// with it.
pub const CANDIDATES_MAX: usize = 32;

impl KeyKind {
    /// How much a shared key of this kind tells, beside the others: a guess at whom to look at, not
    /// a judgement.
    #[must_use]
    pub const fn weight(self) -> u32 {
        match self {
            Self::Domain => 100,
            Self::Compact => 40,
            Self::Letters => 20,
            Self::Word => 4,
            Self::Start | Self::End => 3,
            Self::Acronym => 2,
        }
    }
}

/// One entry of the index.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MatchKey {
    /// What the text is.
    pub kind: KeyKind,
    /// The text, folded; compared byte by byte.
    pub text: String,
}

/// What is known of a customer, as far as it can answer a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub(crate) name: CompanyName,
    pub(crate) domains: Vec<DomainName>,
    pub(crate) email_domains: Vec<DomainName>,
}

impl Known {
    /// A customer of this `name`, with its own `domains` and the addresses of its people. Shared
    /// domains are left out; the first four others of each are used.
    #[must_use]
    pub fn new(name: &str, domains: &[DomainName], emails: &[Email]) -> Self {
        let mut own = Vec::new();
        let mut of_people = Vec::new();
        for domain in domains.iter().filter(|it| !free_mail::is_shared(it)) {
            push_new(&mut own, domain.clone());
        }
        for domain in emails.iter().filter_map(Email::company_domain) {
            if !own.contains(&domain) {
                push_new(&mut of_people, domain);
            }
        }
        Self { name: CompanyName::fold(name), domains: own, email_domains: of_people }
    }

    /// The name, folded.
    #[must_use]
    pub const fn name(&self) -> &CompanyName {
        &self.name
    }
}

fn push_new(domains: &mut Vec<DomainName>, domain: DomainName) {
    if domains.len() < DOMAINS_MAX && !domains.contains(&domain) {
        domains.push(domain);
    }
}

/// The keys under which a customer is kept: each once, at most [`KEYS_MAX`].
///
/// ```
/// use tenure::domain::{clues::{Clues, Hints}, match_keys::{Known, keys_of, keys_of_clues}};
///
/// let kept = keys_of(&Known::new("Globex Corporation", &[], &[]));
/// let asked = keys_of_clues(&Clues::read(&Hints::new().company_name("Gloebx")));
/// assert!(asked.iter().any(|key| kept.contains(key)), "a typo finds it all the same");
/// ```
#[must_use]
pub fn keys_of(known: &Known) -> Vec<MatchKey> {
    let mut keys = Keys::default();
    for domain in known.domains.iter().chain(&known.email_domains) {
        keys.add(KeyKind::Domain, domain.as_str());
    }
    for domain in &known.domains {
        keys.add(KeyKind::Compact, domain.label());
    }
    if !known.name.is_degenerate() {
        keys.add_name(&known.name);
        if let Some(bucket) = bucket(letters(known.name.compact())) {
            keys.add_halves(known.name.compact(), bucket);
        }
    }
    keys.0.truncate(KEYS_MAX);
    keys.0
}

/// The keys that a question looks up, the most telling first. Those that more than
/// [`CANDIDATES_PER_KEY_MAX`] customers have are passed over.
#[must_use]
pub fn keys_of_clues(clues: &Clues) -> Vec<MatchKey> {
    let mut keys = Keys::default();
    for domain in clues.domain().into_iter().chain(clues.email_domains()) {
        keys.add(KeyKind::Domain, domain.as_str());
    }
    for domain in clues.domain().into_iter().chain(clues.email_domains()) {
        keys.add(KeyKind::Compact, domain.label());
    }
    if let Some(name) = clues.name() {
        keys.add_name(name);
        // A letter more or less may have moved the name into the next bucket of lengths.
        let count = letters(name.compact());
        for near in [count, count.saturating_sub(1), count.saturating_add(1)] {
            if let Some(bucket) = bucket(near) {
                keys.add_halves(name.compact(), bucket);
            }
        }
    }
    keys.0
}

#[derive(Default)]
struct Keys(Vec<MatchKey>);

impl Keys {
    fn add(&mut self, kind: KeyKind, text: &str) {
        let key = MatchKey { kind, text: text.to_owned() };
        if !text.is_empty() && !self.0.contains(&key) {
            self.0.push(key);
        }
    }

    fn add_name(&mut self, name: &CompanyName) {
        self.add(KeyKind::Compact, name.compact());
        if let Some(initials) = name.initials() {
            self.add(KeyKind::Acronym, &initials);
        } else if (3..=6).contains(&letters(name.compact())) {
            self.add(KeyKind::Acronym, name.compact());
        }
        if letters(name.compact()) > 4 {
            let mut letters: Vec<char> = name.compact().chars().collect();
            letters.sort_unstable();
            self.add(KeyKind::Letters, &letters.into_iter().collect::<String>());
        }
        // The rarer words first; common ones only where a name has no other.
        let rare = |word: &&String| usual_weight(word) >= 1.0;
        let has_rare = name.tokens().iter().any(|word| rare(&word));
        for word in name.tokens().iter().filter(|word| !has_rare || rare(word)).take(WORDS_MAX) {
            self.add(KeyKind::Word, word);
        }
    }

    /// Both ends of a name, long enough to be rare and short enough that one typo spares one.
    /// The length stands in the key, so that short names meet only short names.
    fn add_halves(&mut self, compact: &str, length: usize) {
        let skip = letters(compact).saturating_sub(length);
        let start: String = compact.chars().take(length).collect();
        let end: String = compact.chars().skip(skip).collect();
        self.add(KeyKind::Start, &format!("{length}{start}"));
        self.add(KeyKind::End, &format!("{length}{end}"));
    }
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

/// How many letters of each end a name of this many letters is kept under.
const fn bucket(letters: usize) -> Option<usize> {
    match letters {
        0..=3 => None,
        4..=5 => Some(2),
        6..=7 => Some(3),
        8..=10 => Some(4),
        11..=14 => Some(5),
        _ => Some(7),
    }
}

#[cfg(test)]
mod tests;

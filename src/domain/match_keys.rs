//! The index of smart linking: under which keys a known customer is kept, and which keys a
//! question looks up, so that candidates come from an index and never from a scan.
//!
//! A customer shares a key with a question when a domain or its label, a word or its beginning,
//! the initials, or an end of the name is the same. How telling a key is follows from how many
//! customers have it, so nothing here decides what is rare.

use crate::domain::clues::Clues;
use crate::domain::company_name::{ACRONYM_LETTERS, CompanyName};
use crate::domain::domain_name::DomainName;
use crate::domain::email::Email;
use crate::domain::free_mail;
use crate::domain::place::is_place;
use crate::domain::word_weight::is_common;
use crate::record::words;

/// The most keys that one customer is kept under; eight names and twelve domains need fewer.
pub const KEYS_MAX: usize = 128;

/// A key that more customers than this share says too little to look at them all.
pub const CANDIDATES_PER_KEY_MAX: u32 = 1_000;

/// How many names of a customer are kept, its own and its aliases.
const NAMES_MAX: usize = 8;

/// How many domains of a customer are kept, its own and its aliases.
const DOMAINS_MAX: usize = 8;

/// How many domains of its people's addresses are kept.
const EMAIL_DOMAINS_MAX: usize = 4;

/// How many words of a name are kept.
const WORDS_MAX: usize = 8;

/// How many letters of a word are its beginning, and of a name its stem.
const BEGINNING: usize = 4;
const STEM: usize = 5;

words! {
    /// What a key of the index holds.
    pub enum KeyKind {
        /// A domain, the customer's own or of its people's addresses.
        Domain = "domain",
        /// The name written as one word, its first one or two words, or the label of a domain,
        /// which often is the name.
        Compact = "compact",
        /// A word of the name, or of a label with hyphens.
        Word = "word",
        /// The initials of a name, or a name or label that could be that.
        Acronym = "acronym",
        /// The beginning of a word: others may have shortened it.
        Beginning = "beginning",
        /// The beginning of the name or the label written as one word.
        Stem = "stem",
        /// The beginning of a name of one word, by its length: one typo spares it or the end.
        Start = "start",
        /// The end of the name written as one word, by its length.
        End = "end",
        /// The letters of a name of one word in the order of the alphabet: two exchanged ones do
        /// not matter.
        Letters = "letters",
    }
}

impl KeyKind {
    /// How much a shared key of this kind tells beside others that as few customers share: a guess
    /// at whom to look at, not a judgement.
    #[must_use]
    pub const fn weight(self) -> f32 {
        match self {
            Self::Domain => 3.0,
            Self::Compact => 1.5,
            Self::Word | Self::Letters => 1.0,
            Self::Acronym => 0.7,
            Self::Stem => 0.5,
            Self::Beginning | Self::Start | Self::End => 0.4,
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
    /// None of them degenerate, each once.
    pub(crate) names: Vec<CompanyName>,
    pub(crate) domains: Vec<DomainName>,
    pub(crate) email_domains: Vec<DomainName>,
}

impl Known {
    /// A customer of this `name`, with its `domains`, its own first, and the addresses of its
    /// people. What tells nothing is left out: a name that is only a legal form, domains that many
    /// share. Of the others the first eight domains, and four of the addresses, are used.
    #[must_use]
    pub fn new(name: &str, domains: &[DomainName], emails: &[Email]) -> Self {
        let mut own = Vec::new();
        let mut of_people = Vec::new();
        for domain in domains.iter().filter(|it| !free_mail::is_shared(it)) {
            push_new(&mut own, domain.clone(), DOMAINS_MAX);
        }
        for domain in emails.iter().filter_map(Email::company_domain) {
            if !own.contains(&domain) {
                push_new(&mut of_people, domain, EMAIL_DOMAINS_MAX);
            }
        }
        let known = Self { names: Vec::new(), domains: own, email_domains: of_people };
        known.also_called(name)
    }

    /// With one more name, behind those before. The first eight that tell anything are used. Of
    /// `Berliner Verkehrsbetriebe (BVG)`, what stands before and within the brackets is a name too,
    /// unless it consists of places, usual words and numbers: `Acme (Thailand)` is not `Thailand`.
    ///
    /// ```
    /// use tenure::domain::match_keys::Known;
    ///
    /// let known = Known::new("Meta Platforms", &[], &[]).also_called("Facebook, Inc.");
    /// let names: Vec<_> = known.names().iter().map(ToString::to_string).collect();
    /// assert_eq!(names, ["meta platforms", "facebook"]);
    /// assert_eq!(known.clone().also_called("Ltd").also_called("Meta Platforms"), known);
    /// ```
    #[must_use]
    pub fn also_called(mut self, name: &str) -> Self {
        self.add_name(CompanyName::fold(name));
        if let Some((before, rest)) = name.split_once('(')
            && let Some((within, _)) = rest.split_once(')')
        {
            for part in [before, within].map(CompanyName::fold) {
                if part.tokens().iter().any(|word| names_a_company(word)) {
                    self.add_name(part);
                }
            }
        }
        self
    }

    fn add_name(&mut self, name: CompanyName) {
        let name = name.latin();
        if !name.is_degenerate() {
            push_new(&mut self.names, name, NAMES_MAX);
        }
    }

    /// The names, folded, the customer's own first; none of them is degenerate.
    #[must_use]
    pub fn names(&self) -> &[CompanyName] {
        &self.names
    }
}

/// Whether a word of a part of a name can name the company; a place, a usual word or a year only says
/// which part of it is meant.
fn names_a_company(word: &str) -> bool {
    let is_number = word.bytes().all(|it| it.is_ascii_digit());
    !is_number && !is_common(word) && !is_place(word)
}

fn push_new<T: PartialEq>(kept: &mut Vec<T>, new: T, most: usize) {
    if kept.len() < most && !kept.contains(&new) {
        kept.push(new);
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
    let mut keys = Vec::new();
    each_key_of(known, |kind, text| add_new(&mut keys, kind, text));
    keys.truncate(KEYS_MAX);
    keys
}

/// Hands the keys under which a customer is kept to `take`, some of them more than once.
pub(crate) fn each_key_of(known: &Known, take: impl FnMut(KeyKind, &str)) {
    let mut keys = Keys(take);
    known.domains.iter().for_each(|domain| keys.add_domain(domain));
    known.email_domains.iter().for_each(|domain| keys.add(KeyKind::Domain, domain.as_str()));
    for name in &known.names {
        keys.add_name(name);
        keys.add_ends(name, letters(name.compact()));
    }
}

/// The keys that a question looks up. Those that more than [`CANDIDATES_PER_KEY_MAX`] customers
/// have are passed over.
#[must_use]
pub fn keys_of_clues(clues: &Clues) -> Vec<MatchKey> {
    let mut found = Vec::new();
    let mut keys = Keys(|kind, text: &str| add_new(&mut found, kind, text));
    clues.domain().into_iter().chain(clues.email_domains()).for_each(|it| keys.add_domain(it));
    if let Some(name) = clues.name() {
        keys.add_name(name);
        keys.add_near_ends(name);
    }
    found
}

/// The keys by which a customer looks for others that may be the same: those that it is kept under,
/// so that it makes no difference which of two looks for the other, and the ends that a typo may
/// have moved.
#[must_use]
pub fn keys_of_twins(known: &Known) -> Vec<MatchKey> {
    let mut found = keys_of(known);
    let mut keys = Keys(|kind, text: &str| add_new(&mut found, kind, text));
    known.names.iter().for_each(|name| keys.add_near_ends(name));
    found
}

fn add_new(keys: &mut Vec<MatchKey>, kind: KeyKind, text: &str) {
    if !keys.iter().any(|key| key.kind == kind && key.text == text) {
        keys.push(MatchKey { kind, text: text.to_owned() });
    }
}

/// Makes keys and hands each to a function: who needs but their hashes keeps no text of them.
struct Keys<F>(F);

impl<F: FnMut(KeyKind, &str)> Keys<F> {
    fn add(&mut self, kind: KeyKind, text: &str) {
        if !text.is_empty() {
            (self.0)(kind, text);
        }
    }

    fn add_domain(&mut self, domain: &DomainName) {
        self.add(KeyKind::Domain, domain.as_str());
        let label = domain.label().replace('-', "");
        self.add(KeyKind::Compact, &label);
        self.add_beginning(KeyKind::Stem, &label, STEM);
        if ACRONYM_LETTERS.contains(&letters(&label)) {
            self.add(KeyKind::Acronym, &label);
        }
        for part in domain.label().split('-').filter(|part| letters(part) > 2) {
            self.add(KeyKind::Word, part);
        }
    }

    fn add_name(&mut self, name: &CompanyName) {
        let compact = name.compact();
        self.add(KeyKind::Compact, compact);
        if let [first, second, _, ..] = name.tokens() {
            let both = first.len().saturating_add(second.len());
            self.add(KeyKind::Compact, compact.get(..both).unwrap_or_default());
        }
        if let [first, _, ..] = name.tokens() {
            self.add(KeyKind::Compact, first);
        }
        for word in name.tokens().iter().take(WORDS_MAX) {
            self.add(KeyKind::Word, word);
            self.add_beginning(KeyKind::Beginning, word, BEGINNING);
        }
        if name.tokens().len() > 1 {
            name.acronyms().iter().for_each(|it| self.add(KeyKind::Acronym, it));
        }
        if ACRONYM_LETTERS.contains(&letters(compact)) {
            self.add(KeyKind::Acronym, compact);
        }
        self.add_beginning(KeyKind::Stem, compact, STEM);
        if let [word] = name.tokens()
            && letters(word) > 4
        {
            let mut sorted: Vec<char> = word.chars().collect();
            sorted.sort_unstable();
            self.add(KeyKind::Letters, &sorted.into_iter().collect::<String>());
        }
    }

    /// The first letters of a text that has as many.
    fn add_beginning(&mut self, kind: KeyKind, text: &str, count: usize) {
        if letters(text) >= count {
            self.add(kind, split_after(text, count).0);
        }
    }

    /// A letter more or less may have moved the name into the next bucket of lengths.
    fn add_near_ends(&mut self, name: &CompanyName) {
        let count = letters(name.compact());
        for near in [count, count.saturating_sub(1), count.saturating_add(1)] {
            self.add_ends(name, near);
        }
    }

    /// The ends of a name as one of `length` letters has them: long enough to be rare and short
    /// enough that one typo spares one. The count stands in the key, so that short names meet only
    /// short names.
    fn add_ends(&mut self, name: &CompanyName, length: usize) {
        let Some(count) = end_of(length) else { return };
        let compact = name.compact();
        let (_, end) = split_after(compact, letters(compact).saturating_sub(count));
        self.add(KeyKind::End, &format!("{count}{end}"));
        if name.tokens().len() == 1 {
            let (start, _) = split_after(compact, count);
            self.add(KeyKind::Start, &format!("{count}{start}"));
        }
    }
}

/// The first `count` letters of a text, and the rest.
fn split_after(text: &str, count: usize) -> (&str, &str) {
    let place = text.char_indices().nth(count).map(|(place, _)| place);
    text.split_at_checked(place.unwrap_or(text.len())).unwrap_or((text, ""))
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

/// How many letters of each end a name of this many letters is kept under.
const fn end_of(letters: usize) -> Option<usize> {
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

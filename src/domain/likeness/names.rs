//! How two folded names agree and differ, word by word and letter by letter.

use super::words::{measure, words_alike};
use crate::domain::company_name::{ACRONYM_LETTERS, CompanyName};

/// How many words of a name are compared with the other's.
const WORDS_MAX: usize = 12;

/// What can be said of two names. Every figure but the counts is 0–1; weights are those that the
/// caller gives the words.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct NameSigns {
    /// The share of the weight of the asked words that the known name has as well.
    pub asked_covered: f32,
    /// The share of the weight of the known words that the asked name has as well.
    pub known_covered: f32,
    /// The same shares, of words that are equal letter by letter.
    pub asked_equal: f32,
    /// See `asked_equal`.
    pub known_equal: f32,
    /// The sum of the weights of equal words: how telling what agrees is.
    pub shared: f32,
    /// The greatest weight of a word that agrees.
    pub heaviest_shared: f32,
    /// The greatest weight of an asked word that the known name lacks.
    pub heaviest_asked_only: f32,
    /// The greatest weight of a known word that the asked name lacks.
    pub heaviest_known_only: f32,
    /// How many asked words the known name lacks.
    pub asked_only: f32,
    /// How many known words the asked name lacks.
    pub known_only: f32,
    /// How alike the first words are.
    pub first: f32,
    /// How alike the letters are: Jaro–Winkler of the names written as one word.
    pub letters: f32,
    /// The share of pairs of neighbouring letters that both have (Dice).
    pub pairs: f32,
    /// How far the names written as one word begin alike, as a share of the shorter.
    pub start: f32,
    /// Whether the names written as one word are equal: 1 or 0.
    pub compact_equal: f32,
    /// Whether one is made of the other's initials: 1 or 0.
    pub acronym: f32,
    /// How the legal forms compare: 1 the same, 0.5 none to compare, 0.7 one name has none, 0 others.
    pub legal_form: f32,
}

/// Compares two names; `weight` tells how much a word says, 0–1.
///
/// ```
/// use tenure::domain::{company_name::CompanyName, likeness::names, word_weight::word_weight};
///
/// let (asked, known) = (CompanyName::fold("IMP. OIL"), CompanyName::fold("Imperial Oil Ltd"));
/// let signs = names::compare(&asked, &known, &mut |word| word_weight(word, 1, 50_000));
/// assert!(signs.asked_covered > 0.8 && signs.asked_equal < 0.6);
/// ```
#[must_use]
pub fn compare(
    asked: &CompanyName,
    known: &CompanyName,
    weight: &mut dyn FnMut(&str) -> f32,
) -> NameSigns {
    let ours = Words::of(asked, known, weight);
    let theirs = Words::of(known, asked, weight);
    let mut signs = NameSigns::default();
    let (our_matches, their_matches) = matches(&ours, &theirs);
    (signs.asked_covered, signs.asked_equal) = ours.covered(&our_matches);
    (signs.known_covered, signs.known_equal) = theirs.covered(&their_matches);
    for ((_, weight), found) in ours.0.iter().zip(&our_matches) {
        if *found >= 1.0 {
            signs.shared += weight;
        }
        if *found > 0.5 {
            signs.heaviest_shared = signs.heaviest_shared.max(*weight);
        } else {
            signs.heaviest_asked_only = signs.heaviest_asked_only.max(*weight);
            signs.asked_only += 1.0;
        }
    }
    for ((_, weight), found) in theirs.0.iter().zip(&their_matches) {
        if *found <= 0.5 {
            signs.heaviest_known_only = signs.heaviest_known_only.max(*weight);
            signs.known_only += 1.0;
        }
    }
    if let (Some(a), Some(b)) = (asked.tokens().first(), known.tokens().first()) {
        signs.first = words_alike(a, b);
    }
    let (a, b) = (asked.compact(), known.compact());
    signs.compact_equal = if a == b { 1.0 } else { 0.0 };
    signs.letters = if a == b { 1.0 } else { narrow(strsim::jaro_winkler(a, b)) };
    signs.pairs = pairs_alike(a, b);
    let begun = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let shorter = a.chars().count().min(b.chars().count());
    signs.start = if shorter == 0 { 0.0 } else { measure(begun) / measure(shorter) };
    let acronym = is_acronym(asked, known) || is_acronym(known, asked);
    signs.acronym = if acronym { 1.0 } else { 0.0 };
    signs.legal_form = legal_forms(asked, known);
    signs
}

/// The words of a name with their weights.
struct Words<'n>(Vec<(&'n str, f32)>);

impl<'n> Words<'n> {
    /// A word that is a legal form of the other name, mistyped (`Limted`), has no weight.
    fn of(name: &'n CompanyName, other: &CompanyName, weight: &mut dyn FnMut(&str) -> f32) -> Self {
        let words = name.tokens().iter().take(WORDS_MAX);
        Self(
            words
                .map(|word| {
                    let mistyped = name.legal_forms().is_empty() && is_nearly_a_form(word, other);
                    (word.as_str(), if mistyped { 0.0 } else { weight(word) })
                })
                .collect(),
        )
    }

    /// The share of the weight that is matched, and that is matched letter by letter.
    fn covered(&self, matches: &[f32]) -> (f32, f32) {
        let (mut all, mut alike, mut equal) = (0.0, 0.0, 0.0);
        for ((_, weight), found) in self.0.iter().zip(matches) {
            all += weight;
            alike += weight * found;
            equal += if *found >= 1.0 { *weight } else { 0.0 };
        }
        if all > 0.0 { (alike / all, equal / all) } else { (0.0, 0.0) }
    }
}

/// For each word of both names, how like its partner in the other is.
fn matches(ours: &Words<'_>, theirs: &Words<'_>) -> (Vec<f32>, Vec<f32>) {
    let mut found = (vec![0.0_f32; ours.0.len()], vec![0.0_f32; theirs.0.len()]);
    let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
    for (i, (a, _)) in ours.0.iter().enumerate() {
        for (j, (b, _)) in theirs.0.iter().enumerate() {
            let alike = words_alike(a, b);
            if alike > 0.0 {
                pairs.push((alike, i, j));
            }
        }
    }
    // The best first; among equals those at like places.
    pairs.sort_by(|x, y| {
        y.0.total_cmp(&x.0)
            .then_with(|| x.1.abs_diff(x.2).cmp(&y.1.abs_diff(y.2)))
            .then_with(|| (x.1, x.2).cmp(&(y.1, y.2)))
    });
    for (alike, i, j) in pairs {
        if let (Some(a @ 0.0), Some(b @ 0.0)) = (found.0.get_mut(i), found.1.get_mut(j)) {
            (*a, *b) = (alike, alike);
        }
    }
    joined(ours, theirs, &mut found.0, &mut found.1);
    joined(theirs, ours, &mut found.1, &mut found.0);
    found
}

/// Finds two words of one name that the other writes as one: `Face Book`.
fn joined(split: &Words<'_>, whole: &Words<'_>, in_split: &mut [f32], in_whole: &mut [f32]) {
    for (place, pair) in split.0.windows(2).enumerate() {
        let [(first, _), (second, _)] = pair else { continue };
        let is_both = |word: &str| word.strip_prefix(first).is_some_and(|rest| rest == *second);
        for ((word, _), found) in whole.0.iter().zip(in_whole.iter_mut()) {
            if *found < 1.0 && is_both(word) {
                *found = JOINED;
                for found in in_split.iter_mut().skip(place).take(2) {
                    *found = found.max(JOINED);
                }
            }
        }
    }
}

/// What words keep that are written apart in one name and together in the other.
const JOINED: f32 = 0.98;

/// Whether `short` is one word made of the initials of `long`.
fn is_acronym(short: &CompanyName, long: &CompanyName) -> bool {
    short.tokens().len() == 1
        && long.tokens().len() > 1
        && ACRONYM_LETTERS.contains(&short.compact().len())
        && long.acronyms().iter().any(|acronym| acronym == short.compact())
}

/// Whether a word is one of the name's legal forms, mistyped.
fn is_nearly_a_form(word: &str, name: &CompanyName) -> bool {
    let forms = name.legal_forms().iter().flat_map(|form| form.split(' '));
    let mut long_enough = forms.filter(|form| form.len() > 2);
    long_enough
        .any(|form| word.len().abs_diff(form.len()) < 2 && strsim::osa_distance(word, form) == 1)
}

fn legal_forms(a: &CompanyName, b: &CompanyName) -> f32 {
    match (a.legal_forms(), b.legal_forms()) {
        ([], []) => 0.5,
        ([], _) | (_, []) => 0.7,
        (ours, theirs) if ours == theirs => 1.0,
        (ours, theirs) if ours.iter().any(|form| theirs.contains(form)) => 0.9,
        _ => 0.0,
    }
}

/// Dice's coefficient of the pairs of neighbouring letters.
fn pairs_alike(a: &str, b: &str) -> f32 {
    if a == b {
        return 1.0;
    }
    let pairs = |text: &str| {
        let mut pairs: Vec<(char, char)> = text.chars().zip(text.chars().skip(1)).collect();
        pairs.sort_unstable();
        pairs
    };
    let (ours, theirs) = (pairs(a), pairs(b));
    let (mut left, mut right) = (ours.iter().peekable(), theirs.iter().peekable());
    let mut shared = 0_usize;
    while let (Some(x), Some(y)) = (left.peek(), right.peek()) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => drop(left.next()),
            std::cmp::Ordering::Greater => drop(right.next()),
            std::cmp::Ordering::Equal => {
                shared = shared.saturating_add(1);
                left.next();
                right.next();
            }
        }
    }
    let all = ours.len().saturating_add(theirs.len());
    if all == 0 { 0.0 } else { 2.0 * measure(shared) / measure(all) }
}

#[expect(clippy::cast_possible_truncation, reason = "a likeness needs few digits")]
pub(crate) const fn narrow(likeness: f64) -> f32 {
    likeness as f32
}

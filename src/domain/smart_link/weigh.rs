//! How sure it is that each of several customers is meant.

use super::bounds::{Bounds, bounds, names_are_equal};
use super::learned::{PAIR, RIVALS};
use super::signs::{Sign, Signs};
use super::{CONFIDENCE_MAX, trees};
use crate::domain::clues::Clues;
use crate::domain::likeness::words::measure;
use crate::domain::match_keys::Known;

/// How many candidates are held against each other; the others stand no chance.
const RIVALS_MAX: usize = 8;

/// How sure it is that a customer is meant, and what that follows from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighed {
    /// The probability, 0 to [`CONFIDENCE_MAX`], to four decimals.
    pub confidence: f64,
    /// What showed.
    pub signs: Signs,
}

/// Weighs how likely each of `candidates` is meant by `clues`, among this many `customers`; in the
/// order of the candidates. `weight` tells how much a word of a name says, 0–1; see
/// [`word_weight`](crate::domain::word_weight::word_weight).
///
/// ```
/// use tenure::domain::{clues::{Clues, Hints}, domain_name::DomainName, match_keys::Known};
/// use tenure::domain::{smart_link::weigh, word_weight::word_weight};
///
/// let known = Known::new("Acme Inc", &[DomainName::parse("acme.com")?], &[]);
/// let clues = Clues::read(&Hints::new().domain("https://www.acme.com/about"));
/// let weighed = weigh(&clues, &[&known], 1, &mut |word| word_weight(word, 1, 1));
/// assert_eq!(weighed[0].confidence, 0.95);
/// # Ok::<(), tenure::domain::text::Malformed>(())
/// ```
#[must_use]
pub fn weigh(
    clues: &Clues,
    candidates: &[&Known],
    customers: u64,
    weight: &mut dyn FnMut(&str) -> f32,
) -> Vec<Weighed> {
    let mut weighed: Vec<Weighed> = candidates
        .iter()
        .map(|known| Weighed { confidence: 0.0, signs: signs_of_pair(clues, known, weight) })
        .collect();
    let all: Vec<f32> = weighed.iter().map(|it| it.signs.get(Sign::Odds)).collect();
    let namesakes = namesakes(&weighed);
    for (it, namesakes) in weighed.iter_mut().zip(namesakes) {
        it.signs.set(Sign::Namesakes, namesakes);
        if stand(&mut it.signs, &all) < RIVALS_MAX {
            let odds = it.signs.get(Sign::Odds) + trees::odds(RIVALS, &it.signs);
            let bounds = bounds(&it.signs, customers);
            it.confidence = within(bounds, odds);
        }
    }
    weighed
}

/// Weighs how likely `known` is meant by `clues` by what the two show, whoever else may be meant: the
/// signs of rivals stay without a figure.
#[must_use]
pub fn weigh_alone(
    clues: &Clues,
    known: &Known,
    customers: u64,
    weight: &mut dyn FnMut(&str) -> f32,
) -> Weighed {
    let signs = signs_of_pair(clues, known, weight);
    let confidence = within(bounds(&signs, customers), signs.get(Sign::Odds));
    Weighed { confidence, signs }
}

/// What the two show by themselves, with the log-odds of it.
fn signs_of_pair(clues: &Clues, known: &Known, weight: &mut dyn FnMut(&str) -> f32) -> Signs {
    let mut signs = Signs::of(clues, known, weight);
    signs.set(Sign::Odds, trees::odds(PAIR, &signs));
    signs
}

/// The confidence that log-odds are, within bounds.
fn within(bounds: Bounds, odds: f32) -> f64 {
    rounded(probability(odds).max(bounds.floor).min(bounds.ceiling))
}

/// The log-odds by which a candidate without rivals is taken to lead.
const ALONE: f32 = -8.0;
/// Odds this close are as great.
const AS_GREAT: f32 = 1.0;

/// Notes how a candidate stands among the odds of `all`, its own among them. Returns its rank.
fn stand(signs: &mut Signs, all: &[f32]) -> usize {
    let odds = signs.get(Sign::Odds);
    let rank = all.iter().filter(|other| **other > odds).count();
    let mut seen_itself = false;
    let mut best_other = ALONE;
    for other in all {
        if other.total_cmp(&odds).is_eq() && !seen_itself {
            seen_itself = true;
        } else {
            best_other = best_other.max(*other);
        }
    }
    let near = all.iter().filter(|other| **other >= odds - AS_GREAT).count().saturating_sub(1);
    signs.set(Sign::Lead, odds - best_other);
    signs.set(Sign::Rank, measure(rank));
    signs.set(Sign::Near, measure(near));
    rank
}

/// For each, how many others have a name that is equal as well, with a legal form no less alike.
fn namesakes(weighed: &[Weighed]) -> Vec<f32> {
    let equal: Vec<bool> = weighed.iter().map(|it| names_are_equal(&it.signs)).collect();
    let all = || weighed.iter().zip(&equal);
    let of = |(one, is_equal): (&Weighed, &bool)| {
        let stands_out = |other: &Weighed| {
            one.signs.get(Sign::LegalForm) >= 1.0 && other.signs.get(Sign::LegalForm) < 1.0
        };
        let equal = all().filter(|(other, equal)| **equal && !stands_out(other)).count();
        // Itself is among them.
        if *is_equal { measure(equal.saturating_sub(1)) } else { 0.0 }
    };
    all().map(of).collect()
}

pub(super) fn probability(odds: f32) -> f64 {
    (1.0 / (1.0 + (-f64::from(odds)).exp())).min(CONFIDENCE_MAX)
}

/// Rounded, so that equal evidence is an exact tie.
fn rounded(confidence: f64) -> f64 {
    (confidence * 10_000.0).round() / 10_000.0
}

//! How much two folded company names look like one, for smart linking and duplicates.

use crate::domain::company_name::CompanyName;

/// Words that so many names have that sharing one says little.
#[rustfmt::skip]
const COMMON: &[&str] = &[
    "advanced", "africa", "agency", "america", "american", "asia", "associates", "association",
    "australia", "bancorp", "bank", "beijing", "brasil", "brazil", "canada", "capital", "center",
    "centre", "china", "club", "communications", "construction", "consulting", "control", "data",
    "de", "del", "design", "development", "di", "digital", "do", "east", "education", "electric",
    "electronics", "energy", "engineering", "enterprise", "enterprises", "entertainment",
    "equipment", "estate", "europe", "european", "finance", "financial", "first", "food", "foods",
    "foundation", "france", "fund", "general", "germany", "global", "gold", "group", "health",
    "healthcare", "holding", "holdings", "hotel", "hotels", "india", "industrial", "industries",
    "industry", "information", "institute", "insurance", "international", "investment",
    "investments", "japan", "la", "lab", "laboratories", "labs", "life", "logistics",
    "management", "manufacturing", "marketing", "materials", "media", "medical", "metal",
    "metals", "mining", "motor", "national", "network", "networks", "new", "north", "of", "oil",
    "partners", "pharma", "pharmaceutical", "pharmaceuticals", "power", "products", "properties",
    "real", "research", "resources", "restaurant", "school", "science", "security", "service",
    "services", "shanghai", "shenzhen", "software", "solution", "solutions", "south", "steel",
    "studio", "studios", "system", "systems", "technologies", "technology", "telecom",
    "textile", "thailand", "trading", "trust", "uk", "union", "united", "university", "usa",
    "van", "ventures", "west", "world", "worldwide",
];

/// What a word of [`COMMON`] weighs beside any other's 1.
const COMMON_WEIGHT: f64 = 0.3;

/// The weight of a word for callers who do not count how often each occurs among their customers:
/// 1, but 0.3 for the words that business names everywhere have, such as `global` or `group`.
#[must_use]
pub fn usual_weight(word: &str) -> f64 {
    if COMMON.binary_search(&word).is_ok() { COMMON_WEIGHT } else { 1.0 }
}

/// The same words in another order.
const REORDERED: f64 = 0.97;
/// The same letters with the spaces elsewhere: `Face Book` and `Facebook`.
const RESPACED: f64 = 0.98;
/// Letters of one word side by side exchanged, or one doubled: what hands do, not what names do.
const SLIP: f64 = 0.9;
/// The same slip where the first letter changes, or in a short word: it may be another name.
const SLIP_AT_START: f64 = 0.7;
/// One word shortens the other: `tech` and `technologies`, `grp` and `group`.
const ABBREVIATED: f64 = 0.8;
/// A name of one word that begins the other's one word.
const BEGINNING: f64 = 0.6;
/// What remains when each name has a word that the other lacks: `Castle Mining`, `Castle Foods`.
const BOTH_HAVE_MORE: f64 = 0.9;
/// One name is the initials of the other.
const ACRONYM: f64 = 0.55;

/// How alike two names are: 1 exactly when their folded words are equal, 0 when they share
/// nothing, and the same whichever comes first.
///
/// `weight` says how much a word tells, 0 or more: rare words more than common ones. See
/// [`usual_weight`].
///
/// ```
/// use tenure::domain::{company_name::CompanyName, name_likeness::{likeness, usual_weight}};
///
/// let like = |a, b| likeness(&CompanyName::fold(a), &CompanyName::fold(b), &usual_weight);
/// assert_eq!(like("Acme Inc.", "ACME GmbH"), 1.0);
/// assert!(like("Face Book", "Facebook") > 0.9);
/// assert!(like("Globex", "Globes") < 0.75);
/// ```
#[must_use]
pub fn likeness(a: &CompanyName, b: &CompanyName, weight: &dyn Fn(&str) -> f64) -> f64 {
    if a.tokens().is_empty() || b.tokens().is_empty() {
        return 0.0;
    }
    if a.tokens() == b.tokens() {
        return 1.0;
    }
    if a.compact() == b.compact() {
        return RESPACED;
    }
    if let ([word_a], [word_b]) = (a.tokens(), b.tokens()) {
        // Of one word alone, the beginning is another name: `Curve` and `Curves`.
        let begun = is_abbreviation(word_a, word_b) || is_abbreviation(word_b, word_a);
        return if begun { BEGINNING } else { typo(word_a, word_b) };
    }
    let acronym = if is_acronym(a, b) || is_acronym(b, a) { ACRONYM } else { 0.0 };
    by_words(a, b, weight).max(by_letters(a, b)).max(acronym).clamp(0.0, REORDERED)
}

/// The weight of the words that agree, out of all words' weight.
fn by_words(a: &CompanyName, b: &CompanyName, weight: &dyn Fn(&str) -> f64) -> f64 {
    let sound = |word: &String| {
        let weight = weight(word);
        if weight.is_finite() { weight.max(0.0) } else { 1.0 }
    };
    let weights = |name: &CompanyName| name.tokens().iter().map(sound).collect::<Vec<f64>>();
    let (weights_a, weights_b) = (weights(a), weights(b));
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (i, word_a) in a.tokens().iter().enumerate() {
        for (j, word_b) in b.tokens().iter().enumerate() {
            let alike = words_alike(word_a, word_b);
            if alike > 0.0 {
                pairs.push((alike, i, j));
            }
        }
    }
    // The best pairs first; among equals the heaviest, so that the order of words cannot matter.
    let mass = |i: usize, j: usize| {
        weights_a.get(i).copied().unwrap_or(0.0) + weights_b.get(j).copied().unwrap_or(0.0)
    };
    pairs.sort_by(|x, y| {
        let by_mass = || mass(y.1, y.2).total_cmp(&mass(x.1, x.2));
        y.0.total_cmp(&x.0).then_with(by_mass).then_with(|| {
            let words = |p: &(f64, usize, usize)| {
                let (word_a, word_b) = (a.tokens().get(p.1), b.tokens().get(p.2));
                (word_a.min(word_b).cloned(), word_a.max(word_b).cloned())
            };
            words(x).cmp(&words(y))
        })
    });
    let (mut used_a, mut used_b) = (vec![false; weights_a.len()], vec![false; weights_b.len()]);
    let mut shared = 0.0;
    for (alike, i, j) in pairs {
        let (Some(taken_a), Some(taken_b)) = (used_a.get_mut(i), used_b.get_mut(j)) else {
            continue;
        };
        if !*taken_a && !*taken_b {
            (*taken_a, *taken_b) = (true, true);
            shared += alike * mass(i, j);
        }
    }
    let total: f64 = weights_a.iter().sum::<f64>() + weights_b.iter().sum::<f64>();
    let both_have_more = used_a.contains(&false) && used_b.contains(&false);
    let left = if both_have_more { BOTH_HAVE_MORE } else { 1.0 };
    if total > 0.0 { left * shared / total } else { 0.0 }
}

/// How alike two words are: 1 when equal, less for a typo or an abbreviation, else 0.
fn words_alike(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    typo(a, b).max(if is_abbreviation(short, long) { ABBREVIATED } else { 0.0 })
}

/// Whether `short` is the beginning of `long`, or a common word without some of its letters, as
/// exchanges and forms with little room write it (`hldgs`, `intl`).
fn is_abbreviation(short: &str, long: &str) -> bool {
    if short.chars().nth(1).is_none() {
        return false;
    }
    let beginning = short.chars().nth(2).is_some() && long.starts_with(short);
    let mut rest = long.chars();
    let within = short.chars().next() == long.chars().next()
        && usual_weight(long) < 1.0
        && short.chars().all(|c| rest.any(|other| other == c));
    beginning || within
}

/// How likely two texts are one, mistyped. A slip of the hand is told from another letter, which
/// makes another name (`globex`, `globes`); short texts have no room for a typo.
fn typo(a: &str, b: &str) -> f64 {
    let (len_a, len_b) = (a.chars().count(), b.chars().count());
    let (short, long) = (len_a.min(len_b), len_a.max(len_b));
    if short < 4 || long.abs_diff(short) > 2 {
        return 0.0;
    }
    let edits = strsim::osa_distance(a, b);
    let allowed = if long < 9 { 1 } else { 2 };
    if edits > allowed {
        return 0.0;
    }
    if edits == 1 && is_slip(a, b) {
        let same_start = a.chars().next() == b.chars().next();
        return if same_start && short > 5 { SLIP } else { SLIP_AT_START };
    }
    // A missing letter is likelier a typo than another one, and a long word likelier than a short.
    let cost = if len_a == len_b { 1.7 } else { 1.4 };
    (1.0 - cost * measure(edits) / measure(long)).clamp(0.0, SLIP)
}

/// Whether the one edit between two texts exchanges neighbours or doubles a letter.
fn is_slip(a: &str, b: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    if a.chars().count() == b.chars().count() {
        return sorted(a) == sorted(b);
    }
    let single = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.dedup();
        letters
    };
    single(a) == single(b)
}

/// Likeness of the names written as one word: for a typo together with a space too many.
fn by_letters(a: &CompanyName, b: &CompanyName) -> f64 {
    // With as many words on both sides, their typos are better seen word by word.
    if a.tokens().len().abs_diff(b.tokens().len()) != 1 {
        return 0.0;
    }
    typo(a.compact(), b.compact())
}

/// Whether `short` is one word made of the first letters of `long`.
fn is_acronym(short: &CompanyName, long: &CompanyName) -> bool {
    short.tokens().len() == 1 && long.initials().is_some_and(|it| it == short.compact())
}

/// A count as a measure; counts of letters are far below what a float holds exactly.
fn measure(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;

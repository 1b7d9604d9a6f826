//! How a name agrees with the label of a domain: `hopeedu` is Hope Education's.

use super::words::measure;
use crate::domain::company_name::CompanyName;

/// What can be said of a name and a label, 0–1 each.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LabelSigns {
    /// The share of the letters of the label that beginnings of the name's words make up, in order.
    pub label_covered: f32,
    /// The share of the weight of the name's words that the label has, each as far as it is there.
    pub name_covered: f32,
    /// How alike the label and the name written as one word are (Jaro–Winkler).
    pub letters: f32,
}

/// Compares a name with the label of a domain; `weight` tells how much a word says, 0–1.
///
/// ```
/// use tenure::domain::{company_name::CompanyName, likeness::labels, word_weight::word_weight};
///
/// let name = CompanyName::fold("Hope Education Group Co., Ltd.");
/// let signs = labels::compare(&name, "hopeedu", &mut |word| word_weight(word, 1, 50_000));
/// assert_eq!(signs.label_covered, 1.0);
/// ```
#[must_use]
pub fn compare(name: &CompanyName, label: &str, weight: &mut dyn FnMut(&str) -> f32) -> LabelSigns {
    let label: Vec<char> = label.chars().filter(|c| *c != '-').collect();
    let mut rest: &[char] = &label;
    let (mut covered, mut all, mut found) = (0_usize, 0.0, 0.0);
    for word in name.tokens() {
        let weight = weight(word);
        all += weight;
        let (count, skipped) = longest_beginning(word, rest);
        if count == 0 {
            continue;
        }
        covered = covered.saturating_add(count);
        found += weight * measure(count) / measure(word.chars().count());
        rest = rest.get(skipped.saturating_add(count)..).unwrap_or_default();
    }
    LabelSigns {
        label_covered: if label.is_empty() { 0.0 } else { measure(covered) / measure(label.len()) },
        name_covered: if all > 0.0 { found / all } else { 0.0 },
        letters: letters_alike(name, &label.iter().collect::<String>()),
    }
}

/// How alike the name written as one word and the label without its hyphens are, 0–1
/// (Jaro–Winkler).
#[must_use]
pub fn letters_alike(name: &CompanyName, label: &str) -> f32 {
    let label = label.replace('-', "");
    super::names::narrow(strsim::jaro_winkler(name.compact(), &label))
}

/// The longest beginning of `word` in `label`: right at the start, or of three letters or more
/// further on. How many letters it has, and how many are skipped.
fn longest_beginning(word: &str, label: &[char]) -> (usize, usize) {
    let at = |skip: usize| {
        let rest = label.iter().skip(skip);
        word.chars().zip(rest).take_while(|(a, b)| a == *b).count()
    };
    let mut best = (at(0), 0);
    for skip in 1..label.len() {
        let count = at(skip);
        if count >= 3 && count > best.0 {
            best = (count, skip);
        }
    }
    best
}

//! How much a word of a company's name says about which company it is: rare words more than common
//! ones, counted among the customers themselves.

mod common;

use common::COMMON;

/// How many companies of the world at large stand beside the customers, so that a handful of
/// customers does not make `group` a rare word.
const AT_LARGE: f32 = 20_000.0;
/// The natural logarithm of about 60,000: a word that one company in so many has weighs 1.
const UNIT: f32 = 11.0;

/// The weight of a word that `having` of `customers` customers have: 0 when every company has it,
/// about 0.3 for `group`, about 1 when one company of many thousands has it; never more than 1.5.
///
/// It is the word's information, minus the logarithm of its share (Karen Spärck Jones, *A
/// statistical interpretation of term specificity*, 1972), where the share mixes the customers
/// with companies at large: those give the usual words their place as long as customers are few.
///
/// ```
/// use tenure::domain::word_weight::word_weight;
///
/// assert!(word_weight("group", 0, 0) < 0.4);
/// assert!(word_weight("globex", 1, 50_000) > 0.9);
/// assert!(word_weight("hospital", 40_000, 50_000) < word_weight("hospital", 0, 0));
/// ```
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a share needs few digits")]
pub fn word_weight(word: &str, having: u32, customers: u64) -> f32 {
    let at_large = AT_LARGE * share_at_large(word);
    let share = (having as f32 + at_large + 1.0) / (customers as f32 + AT_LARGE + 1.0);
    (-share.ln() / UNIT).clamp(0.0, 1.5)
}

/// Whether companies at large have the word often.
pub(crate) fn is_common(word: &str) -> bool {
    share_at_large(word) > 0.0
}

/// The share of companies at large that have the word, 0–1; 0 for the rare.
fn share_at_large(word: &str) -> f32 {
    let place = COMMON.binary_search_by_key(&word, |(word, _)| word);
    let found = place.ok().and_then(|place| COMMON.get(place));
    found.map_or(0.0, |(_, of_100_000)| f32::from(*of_100_000) / 100_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(COMMON.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn rarer_words_weigh_more_and_none_weighs_nothing_below_zero() {
        let weights =
            [50_000, 5_000, 500, 50, 5, 1, 0].map(|count| word_weight("zeta", count, 50_000));
        assert!(weights.is_sorted());
        assert!(weights.iter().all(|weight| (0.0..=1.5).contains(weight)));
        assert!(word_weight("zeta", u32::MAX, 0) >= 0.0);
    }

    #[test]
    fn few_customers_do_not_make_a_usual_word_rare() {
        assert!(word_weight("technologies", 1, 3) < 0.5);
        assert!(word_weight("globex", 1, 3) > 0.8);
    }
}

//! The contract's figures: what evidence may be worth, and must be, as long as customers are few.

use super::signs::{MISSING, Sign, Signs};
use super::{CONFIDENCE_MAX, DOMAIN_WORTH, EMAIL_DOMAIN_WORTH, NAME_WORTH, SUGGESTION_FLOOR};

/// Up to how many customers the contract's figures hold as they stand.
const FEW: f64 = 100.0;
/// From how many on it is measured, not assumed, how rare such an agreement is.
const MANY: f64 = 1_000.0;
/// Below this similarity names do not agree.
const NAMES_AGREE: f64 = 0.4;
/// What each contradiction leaves of the contract's figure. A mail domain under another name is left
/// below what is linked: agencies sign up many companies.
const CONTRADICTED: f64 = 0.85;
/// What is left of the likeness of two names of one word that are not equal: `Stripe` and `Strive`
/// are two companies as well as a typo.
const OTHER_WORD: f64 = 0.85;
/// The similarity of `acme.com` and `acme.de`.
const SAME_LABEL: f64 = 0.5;

/// Between which confidences a judgement stays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// At least.
    pub floor: f64,
    /// At most.
    pub ceiling: f64,
}

/// The bounds of what `signs` show among this many `customers`.
///
/// Evidence that stands alone is worth at most what the contract says (an equal domain 0.95, a
/// name 0.80 times its likeness, the domain of a mail address 0.70), kinds that agree multiply
/// their doubts, and what is equal, uncontradicted and without a rival is worth no less. Among a
/// hundred customers nobody can tell how rare an agreement is; from a thousand on it is measured,
/// and the bounds open: in between, by the logarithm of the count. However many customers there
/// are, nothing but a name that several of them have is worth no more than an equal share for each,
/// or what a suggestion takes ([`SUGGESTION_FLOOR`]).
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a count of customers needs few digits")]
pub fn bounds(signs: &Signs, customers: u64) -> Bounds {
    let opened = ((customers.max(1) as f64 / FEW).ln() / (MANY / FEW).ln()).clamp(0.0, 1.0);
    let figure = |sign| f64::from(signs.get(sign));
    let (domain, email) = (figure(Sign::Domain).max(0.0), figure(Sign::EmailDomain).max(0.0));
    let names_alike = name_similarity(signs);
    let name = match names_alike {
        Some(alike) => alike,
        // The label of a domain that is the same says nothing more.
        None if domain >= 1.0 || email >= 1.0 => 0.0,
        None => both(signs, Sign::KnownInLabel, Sign::LabelInKnown).max(both(
            signs,
            Sign::KnownInEmailLabel,
            Sign::EmailLabelInKnown,
        )),
    };
    let doubt = [
        (domain, if domain < 1.0 { NAME_WORTH } else { DOMAIN_WORTH }),
        (email, if email < 1.0 { NAME_WORTH } else { EMAIL_DOMAIN_WORTH }),
        (name, NAME_WORTH),
    ];
    let doubt: f64 = doubt.into_iter().map(|(likeness, worth)| 1.0 - likeness * worth).product();
    let contradictions = [
        figure(Sign::Domain) < 0.0,
        figure(Sign::EmailDomain) < 0.0 && domain < 1.0,
        names_alike.is_some_and(|alike| alike < NAMES_AGREE),
        figure(Sign::LegalForm).abs() < f64::EPSILON,
    ];
    let contradictions = contradictions.into_iter().filter(|it| *it);
    let left: f64 = contradictions.map(|_| CONTRADICTED).product();
    let contract = left * (1.0 - doubt).min(CONFIDENCE_MAX);
    let equal = domain >= 1.0 || email >= 1.0 || name >= 1.0;
    let held = equal && left >= 1.0 && figure(Sign::Near) <= 0.0;
    // A name that several have says which of them it is no better than a die.
    let only_named = domain.max(email) < SAME_LABEL;
    let share = if only_named { 1.0 / (1.0 + figure(Sign::Namesakes).max(0.0)) } else { 1.0 };
    // However many they are, they are worth a suggestion: nobody wants one more of them.
    let share = share.max(SUGGESTION_FLOOR);
    Bounds {
        floor: if held { contract * (1.0 - opened) } else { 0.0 },
        ceiling: (contract + (CONFIDENCE_MAX - contract) * opened).min(share),
    }
}

/// How alike the names are, 0–1: 1 when all words are the same; none if no name is asked for.
pub(super) fn name_similarity(signs: &Signs) -> Option<f64> {
    let figure = |sign| f64::from(signs.get(sign));
    if signs.get(Sign::AskedCovered) <= MISSING {
        return None;
    }
    if names_are_equal(signs) {
        return Some(1.0);
    }
    let of_name = f64::midpoint(figure(Sign::AskedCovered), figure(Sign::KnownCovered));
    let one_word = signs.get(Sign::AskedWords).max(signs.get(Sign::KnownWords)) <= 1.0;
    let of_name = if one_word { of_name * OTHER_WORD } else { of_name };
    let of_label = both(signs, Sign::NameInKnownLabel, Sign::KnownLabelInName);
    let alike = of_name.max(of_label).max(figure(Sign::Acronym) * SAME_LABEL);
    Some(if alike < NAMES_AGREE { 0.0 } else { alike.min(1.0) })
}

/// Whether all words of the names are the same, in whatever order, or all letters.
pub(super) fn names_are_equal(signs: &Signs) -> bool {
    let words = signs.get(Sign::AskedEqual).min(signs.get(Sign::KnownEqual));
    signs.get(Sign::CompactEqual).max(words) >= 1.0
}

/// How alike a name and a label are, of which the signs say how much of the one is in the other.
fn both(signs: &Signs, one: Sign, other: Sign) -> f64 {
    f64::from(signs.get(one).min(signs.get(other)).max(0.0)) * SAME_LABEL
}

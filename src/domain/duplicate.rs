//! Duplicates: two customers that are already stored and are probably one.
//!
//! The judgement is that of smart linking, asked both ways: is the one who the other says it is?
//! A pair is judged by itself. Three records of one company are no rivals of each other, but three
//! pairs.

use super::clues::Clues;
use super::customer::CustomerId;
use super::match_keys::Known;
use super::smart_link::{Evidence, Judgement, explain, weigh_alone};
use super::text::Name;
use serde::Serialize;

/// Two customers that are probably one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Duplicate {
    /// The customer with the lesser id: the one that was created first, unless both were at once.
    pub first_id: CustomerId,
    /// What it is called.
    pub first_name: Name,
    /// The other.
    pub second_id: CustomerId,
    /// What it is called.
    pub second_name: Name,
    /// How probable it is that they are one, 0–1.
    pub confidence: f64,
    /// Why, in words.
    pub reason: String,
    /// Why, as data: `clue` is the side of the first, `known` that of the second.
    pub evidence: Vec<Evidence>,
}

/// How sure it is that two customers are one, among this many `customers`, and why; none if it is
/// less sure than `least`. `weight` tells how much a word of a name says, 0–1.
///
/// Each is held against what is known of the other, and what is surer counts, so that it makes no
/// difference which of them is the `first`. In the evidence, `clue` is the side of the first.
///
/// ```
/// use tenure::domain::{duplicate::judge, match_keys::Known, word_weight::word_weight};
///
/// let (one, other) = (Known::new("Acme Inc.", &[], &[]), Known::new("ACME", &[], &[]));
/// let judged = judge(&one, &other, 2, 0.6, &mut |word| word_weight(word, 2, 2));
/// assert_eq!(judged.map(|it| it.confidence), Some(0.80));
/// ```
#[must_use]
pub fn judge(
    first: &Known,
    second: &Known,
    customers: u64,
    least: f64,
    weight: &mut dyn FnMut(&str) -> f32,
) -> Option<Judgement> {
    let mut ask = |asking, known| {
        let clues = Clues::of_customer(asking, known);
        let weighed = weigh_alone(&clues, known, customers, weight);
        (clues, known, weighed)
    };
    let (there, back) = (ask(first, second), ask(second, first));
    let is_back = back.2.confidence > there.2.confidence;
    let (clues, known, weighed) = if is_back { back } else { there };
    if weighed.confidence < least || weighed.confidence <= 0.0 {
        return None;
    }
    let mut judgement = explain(&clues, known, &weighed);
    if is_back {
        let turn = |it: &mut Evidence| std::mem::swap(&mut it.clue, &mut it.known);
        judgement.evidence.iter_mut().for_each(turn);
    }
    Some(judgement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::domain_name::DomainName;
    use crate::domain::email::Email;
    use crate::domain::smart_link::EvidenceKind;
    use crate::domain::word_weight::word_weight;
    use proptest::prelude::*;

    fn known(name: &str, domain: &str, email: &str) -> Known {
        let domains: Vec<_> = DomainName::parse(domain).into_iter().collect();
        let emails: Vec<_> = Email::parse(email).into_iter().collect();
        Known::new(name, &domains, &emails)
    }

    fn judged(first: &Known, second: &Known, least: f64) -> Option<Judgement> {
        judge(first, second, 50, least, &mut |word| word_weight(word, 2, 50))
    }

    #[test]
    fn each_side_of_the_evidence_is_one_customer() {
        let (meta, other) = (known("Meta Platforms", "meta.com", ""), known("Meta", "meta.de", ""));
        for (first, second, sides) in
            [(&meta, &other, ("meta.com", "meta.de")), (&other, &meta, ("meta.de", "meta.com"))]
        {
            let judgement = judged(first, second, 0.1).unwrap();
            let domain = judgement.evidence.iter().find(|it| it.kind == EvidenceKind::Domain);
            assert_eq!(domain.map(|it| (it.clue.as_str(), it.known.as_str())), Some(sides));
        }
    }

    #[test]
    fn what_both_were_once_called_makes_them_one() {
        let one = known("Meta", "meta.com", "").also_called("Facebook");
        let other = known("Blue Books", "", "").also_called("Facebook Inc.");
        assert_eq!(judged(&one, &other, 0.75).map(|it| it.confidence), Some(0.80));
    }

    #[test]
    fn a_pair_has_no_rivals() {
        let acme = known("Acme", "acme.com", "");
        let judgement = judged(&acme, &acme, 0.9).unwrap();
        assert!(judgement.evidence.iter().all(|it| it.kind != EvidenceKind::Rivals));
        assert_eq!(judged(&acme, &known("Globex", "globex.com", ""), 0.1), None);
        assert_eq!(judged(&known("", "", ""), &known("", "", ""), 0.0), None, "on nothing");
    }

    proptest! {
        #[test]
        fn it_makes_no_difference_which_is_the_first(
            names in prop::array::uniform2("(acme|globex|a[a-c]me)( (labs|group|gmbh|zeta)){0,2}"),
            domains in prop::array::uniform2("|(acme|globex)\\.(com|de)"),
            emails in prop::array::uniform2("|x@(acme|globex)\\.(com|de)"),
        ) {
            let [one, other] = [0, 1].map(|n| known(&names[n], &domains[n], &emails[n]));
            let confidence = |first, second| judged(first, second, 0.0).map(|it| it.confidence);
            prop_assert_eq!(confidence(&one, &other), confidence(&other, &one));
        }

        #[test]
        fn the_evidence_leads_to_the_confidence(name: String, other: String, domain in "|[ab]\\.com") {
            let pair = [known(&name, &domain, "x@a.com"), known(&other, "a.com", "")];
            if let Some(judgement) = judged(&pair[0], &pair[1], 0.0) {
                let added: f64 = judgement.evidence.iter().map(|it| it.added).sum();
                prop_assert!((judgement.start + added - judgement.confidence).abs() < 1e-9);
                prop_assert!(judgement.confidence > 0.0 && judgement.confidence < 1.0);
            }
        }
    }
}

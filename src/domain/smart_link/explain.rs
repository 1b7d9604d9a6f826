//! Why a judgement is what it is: each kind of evidence with what it added or took away.

use super::bounds::name_similarity;
use super::evidence::{Evidence, EvidenceKind, Judgement};
use super::learned::{PAIR, RIVALS};
use super::signs::{MISSING, Sign, Signs};
use super::trees::{self, Shares};
use super::weigh::{Weighed, probability};
use crate::domain::clues::Clues;
use crate::domain::company_name::CompanyName;
use crate::domain::domain_name::DomainName;
use crate::domain::likeness::labels;
use crate::domain::match_keys::Known;

/// Explains what was weighed of `clues` and the customer of whom `known` is known.
///
/// The learned tables add up log-odds; each kind of evidence has the share of the trees' steps
/// that looked at its signs. What cannot be compared belongs to the start. From there on the
/// shares are turned into probabilities one after the other, what agrees most first, and lead to
/// the confidence.
#[must_use]
pub fn explain(clues: &Clues, known: &Known, weighed: &Weighed) -> Judgement {
    let signs = &weighed.signs;
    let mut shares = Shares::default();
    let has_rivals = signs.get(Sign::Rank) > MISSING;
    let tables: &[_] = if has_rivals { &[PAIR, RIVALS] } else { &[PAIR] };
    for table in tables {
        trees::share(table, signs, &mut shares);
    }
    let mut odds = tables.iter().map(|table| trees::start(table)).sum();
    let mut compared = Vec::new();
    for (kind, share) in EvidenceKind::ALL.iter().zip(shares) {
        let (similarity, clue, known) = sides(*kind, clues, known, signs);
        if similarity.is_some() || (has_rivals && *kind == EvidenceKind::Rivals) {
            compared.push((share, Evidence { kind: *kind, similarity, added: 0.0, clue, known }));
        } else {
            odds += share;
        }
    }
    compared.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let start = probability(odds);
    let mut reached = start;
    let mut evidence: Vec<Evidence> = Vec::with_capacity(compared.len().saturating_add(1));
    for (share, mut it) in compared {
        odds += share;
        it.added = probability(odds) - reached;
        reached = probability(odds);
        evidence.push(it);
    }
    let (kind, added) = (EvidenceKind::Contract, weighed.confidence - reached);
    if added.abs() >= ROUNDING {
        let (clue, known) = (String::new(), String::new());
        evidence.push(Evidence { kind, similarity: None, added, clue, known });
    } else if let Some(last) = evidence.last_mut() {
        last.added += added;
    }
    Judgement { confidence: weighed.confidence, start, evidence }
}

/// How far a confidence is from its last decimal.
const ROUNDING: f64 = 0.000_06;

/// How alike the two sides are, and both as they were compared.
fn sides(
    kind: EvidenceKind,
    clues: &Clues,
    known: &Known,
    signs: &Signs,
) -> (Option<f64>, String, String) {
    let figure = |sign| Some(f64::from(signs.get(sign))).filter(|figure| *figure >= 0.0);
    let signs_of = |sign| f64::from(signs.get(sign));
    let text = |domain: Option<&DomainName>| domain.map(ToString::to_string).unwrap_or_default();
    // Of several the one that is the same, else the first.
    let shown = |ours: &[DomainName], theirs: &[&[DomainName]]| {
        let all = || theirs.iter().flat_map(|it| it.iter());
        let same = ours.iter().find(|it| all().any(|other| other == *it));
        match same {
            Some(same) => (same.to_string(), same.to_string()),
            None => (text(ours.first()), text(all().next())),
        }
    };
    let names = || {
        let asked = clues.name().map(ToString::to_string).unwrap_or_default();
        let same = known
            .names()
            .iter()
            .find(|name| clues.name().is_some_and(|it| it.tokens() == name.tokens()));
        (asked, same.or(known.names().first()).map(ToString::to_string).unwrap_or_default())
    };
    let domain = clues.domain().map(std::slice::from_ref).unwrap_or_default();
    match kind {
        EvidenceKind::Domain => {
            let (clue, known) = shown(domain, &[&known.domains]);
            (
                figure(Sign::DomainLabel).map(|label| signs_of(Sign::Domain).max(label / 2.0)),
                clue,
                known,
            )
        }
        EvidenceKind::EmailDomain => {
            let by_mail =
                if clues.email_domains().is_empty() { domain } else { clues.email_domains() };
            let (clue, known) = shown(by_mail, &[&known.domains, &known.email_domains]);
            (
                figure(Sign::EmailLabel).map(|label| signs_of(Sign::EmailDomain).max(label / 2.0)),
                clue,
                known,
            )
        }
        EvidenceKind::Name => {
            let (clue, known) = names();
            (name_similarity(signs), clue, known)
        }
        EvidenceKind::LegalForm => {
            let form = |name: Option<&CompanyName>| {
                name.and_then(|it| it.legal_forms().last().copied()).unwrap_or_default().to_owned()
            };
            let (clue, known) = (form(clues.name()), form(known.names().first()));
            let both = !clue.is_empty() && !known.is_empty();
            (figure(Sign::LegalForm).filter(|_| both), clue, known)
        }
        EvidenceKind::Label => closest_label(clues, known),
        EvidenceKind::Rivals | EvidenceKind::Contract => (None, String::new(), String::new()),
    }
}

/// The name and the label that are most alike, the one of the sign-up and the other of the
/// customer: how alike they are, and both, the sign-up's first.
fn closest_label(clues: &Clues, known: &Known) -> (Option<f64>, String, String) {
    let label = |domain: &DomainName| domain.label().to_owned();
    let asked_labels = clues.domain().into_iter().chain(clues.email_domains());
    let of_domain = asked_labels.flat_map(|domain| {
        let beside = move |name: &CompanyName| {
            (labels::letters_alike(name, domain.label()), label(domain), name.to_string())
        };
        known.names().iter().map(beside)
    });
    let of_name = clues.name().into_iter().flat_map(|name| {
        let beside = move |domain: &DomainName| {
            (labels::letters_alike(name, domain.label()), name.to_string(), label(domain))
        };
        known.domains.iter().map(beside)
    });
    // The first of equals.
    let closest = of_domain.chain(of_name).reduce(|a, b| if b.0 > a.0 { b } else { a });
    closest
        .map_or_else(Default::default, |(alike, clue, known)| (Some(f64::from(alike)), clue, known))
}

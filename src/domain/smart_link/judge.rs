//! What each clue says for or against a customer, and what all of them say together.

use super::{CONFIDENCE_MAX, DOMAIN_WORTH, EMAIL_DOMAIN_WORTH, NAME_WORTH};
use super::{Evidence, EvidenceKind, Judgement};
use crate::domain::clues::Clues;
use crate::domain::company_name::CompanyName;
use crate::domain::domain_name::DomainName;
use crate::domain::match_keys::Known;
use crate::domain::name_likeness::likeness;

// These figures were measured like those of the parent module.

/// From which likeness on two names agree.
const NAMES_AGREE: f64 = 0.4;
/// Below which likeness two names contradict other evidence. A former name or a brand is no rarity.
const NAMES_DIFFER: f64 = 0.2;
/// The likeness of `acme.com` and `acme.de`.
const SAME_LABEL: f64 = 0.5;
/// How alike a name and the label of a domain are when they are equal, if no name is given.
const LABEL_IS_NAME: f64 = 0.7;
/// What is left of the likeness of equal names with different legal forms, a shade only: enough to
/// tell `Acme Ltd` from `Acme GmbH` when both are customers.
const OTHER_LEGAL_FORM: f64 = 0.95;

/// What remains of the confidence when both have a domain and they differ.
const DOMAINS_DIFFER: f64 = 0.78;
/// What remains of it when only the domain of the mail addresses differs.
const EMAIL_DOMAINS_DIFFER: f64 = 0.85;
/// What remains of it when the names differ though a domain agrees.
const NAMES_CONTRADICT: f64 = 0.93;

/// From how many letters on the label of a domain tells a company.
const TELLING_LABEL_MIN: usize = 5;

/// Judges whether `clues` mean the customer of whom `known` is known.
///
/// Evidence that agrees adds up (the doubts multiply), evidence that contradicts takes a share
/// away. `weight` is how much a word of a name tells; see
/// [`usual_weight`](crate::domain::name_likeness::usual_weight).
///
/// ```
/// use tenure::domain::{clues::{Clues, Hints}, domain_name::DomainName, match_keys::Known};
/// use tenure::domain::{name_likeness::usual_weight, smart_link::judge};
///
/// let known = Known::new("Acme Inc", &[DomainName::parse("acme.com")?], &[]);
/// let clues = Clues::read(&Hints::new().domain("https://www.acme.com/about"));
/// let judgement = judge(&clues, &known, &usual_weight);
/// assert_eq!(judgement.confidence, 0.95);
/// assert_eq!(judgement.reason(), "domain `acme.com` is the same");
/// # Ok::<(), tenure::domain::text::Malformed>(())
/// ```
#[must_use]
pub fn judge(clues: &Clues, known: &Known, weight: &dyn Fn(&str) -> f64) -> Judgement {
    let mut evidence = Vec::new();
    evidence.extend(clues.domain().and_then(|domain| of_domain(domain, known)));
    evidence.extend(of_email_domains(clues, known));
    let domain_agrees = evidence.iter().any(|it| it.agrees && it.similarity >= 1.0);
    evidence.extend(match clues.name() {
        Some(name) => of_names(name, known, domain_agrees, weight),
        None if domain_agrees => None,
        None => of_labels(clues, known),
    });
    let mut doubt = 1.0;
    let mut left = 1.0;
    for it in &evidence {
        *(if it.agrees { &mut doubt } else { &mut left }) *= 1.0 - it.worth;
    }
    let confidence = ((1.0 - doubt) * left).clamp(0.0, CONFIDENCE_MAX);
    // Rounded, so that equal evidence is an exact tie in whatever order it was multiplied.
    Judgement { confidence: (confidence * 10_000.0).round() / 10_000.0, evidence }
}

fn agreeing(kind: EvidenceKind, similarity: f64, worth: f64, clue: &str, known: &str) -> Evidence {
    let (clue, known) = (clue.to_owned(), known.to_owned());
    Evidence { kind, agrees: true, similarity, worth: worth * similarity, clue, known }
}

fn contradicting(
    kind: EvidenceKind,
    similarity: f64,
    left: f64,
    clue: &str,
    known: &str,
) -> Evidence {
    let (clue, known) = (clue.to_owned(), known.to_owned());
    Evidence { kind, agrees: false, similarity, worth: 1.0 - left, clue, known }
}

fn of_domain(domain: &DomainName, known: &Known) -> Option<Evidence> {
    let (clue, kind) = (domain.as_str(), EvidenceKind::Domain);
    if known.domains.contains(domain) {
        return Some(agreeing(kind, 1.0, DOMAIN_WORTH, clue, clue));
    }
    if known.email_domains.contains(domain) {
        return Some(agreeing(EvidenceKind::EmailDomain, 1.0, EMAIL_DOMAIN_WORTH, clue, clue));
    }
    if let Some(near) = known.domains.iter().find(|it| share_label(domain, it)) {
        return Some(agreeing(kind, SAME_LABEL, NAME_WORTH, clue, near.as_str()));
    }
    let own = known.domains.first()?;
    Some(contradicting(kind, 0.0, DOMAINS_DIFFER, clue, own.as_str()))
}

fn of_email_domains(clues: &Clues, known: &Known) -> Option<Evidence> {
    let kind = EvidenceKind::EmailDomain;
    let theirs = || known.domains.iter().chain(&known.email_domains);
    let asked = clues.email_domains();
    if let Some(same) = asked.iter().find(|it| theirs().any(|other| other == *it)) {
        return Some(agreeing(kind, 1.0, EMAIL_DOMAIN_WORTH, same.as_str(), same.as_str()));
    }
    // A company's domain, where given, tells more than that of a mail address.
    let (first, other) = (asked.first()?, known.domains.first()?);
    if clues.domain().is_some() {
        return None;
    }
    for clue in asked {
        if let Some(near) = known.domains.iter().find(|it| share_label(clue, it)) {
            return Some(agreeing(kind, SAME_LABEL, NAME_WORTH, clue.as_str(), near.as_str()));
        }
    }
    Some(contradicting(kind, 0.0, EMAIL_DOMAINS_DIFFER, first.as_str(), other.as_str()))
}

fn of_names(
    name: &CompanyName,
    known: &Known,
    domain_agrees: bool,
    weight: &dyn Fn(&str) -> f64,
) -> Option<Evidence> {
    let kind = EvidenceKind::Name;
    // The name that is most alike, the first of equals.
    let all = known.names().iter().map(|theirs| (likeness(name, theirs, weight), theirs));
    let (similarity, best) = all.reduce(|best, it| if it.0 > best.0 { it } else { best })?;
    let (clue, theirs) = (name.to_string(), best.to_string());
    if similarity >= NAMES_AGREE {
        let (ours, others) = (name.legal_forms(), best.legal_forms());
        let differ = !ours.is_empty() && !others.is_empty() && ours != others;
        let worth = if differ { NAME_WORTH * OTHER_LEGAL_FORM } else { NAME_WORTH };
        return Some(agreeing(kind, similarity, worth, &clue, &theirs));
    }
    (domain_agrees && similarity < NAMES_DIFFER)
        .then(|| contradicting(kind, similarity, NAMES_CONTRADICT, &clue, &theirs))
}

/// Where no name is given, the label of a domain may be it: `acme.dev` for a customer named Acme.
fn of_labels(clues: &Clues, known: &Known) -> Option<Evidence> {
    let mut asked = clues.domain().into_iter().chain(clues.email_domains());
    let (label, theirs) = asked.find_map(|it| {
        let same = known.names().iter().find(|name| name.compact() == it.label());
        same.filter(|_| is_telling(it.label())).map(|name| (it.label(), name.to_string()))
    })?;
    Some(agreeing(EvidenceKind::Name, LABEL_IS_NAME, NAME_WORTH, label, &theirs))
}

/// Whether two domains have the same label below different suffixes: `acme.com` and `acme.de`.
fn share_label(a: &DomainName, b: &DomainName) -> bool {
    a.label() == b.label() && is_telling(a.label())
}

/// Whether a label is long enough not to be two companies' initials.
fn is_telling(label: &str) -> bool {
    label.chars().count() >= TELLING_LABEL_MIN
}

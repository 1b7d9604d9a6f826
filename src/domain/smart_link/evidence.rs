//! What a judgement rests on, as data and in words.

use super::{LONE_MARGIN, LONE_NAME_LIKENESS_MIN, MARGIN};
use crate::record::words;
use serde::{Deserialize, Serialize};

words! {
    /// What a piece of evidence compares.
    pub enum EvidenceKind {
        /// The company's domain.
        Domain = "domain",
        /// The company's name.
        Name = "name",
        /// The domain of a mail address.
        EmailDomain = "email_domain",
    }
}

/// One comparison of a clue with what is known of a customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Evidence {
    /// What was compared.
    pub kind: EvidenceKind,
    /// Whether it speaks for the customer; otherwise it speaks against it.
    pub agrees: bool,
    /// How alike the two are, 0 to 1; 1 when equal after folding.
    pub similarity: f64,
    /// If it agrees, the confidence that it gives alone; if not, the share of confidence that it
    /// takes away. 0 to 1.
    pub worth: f64,
    /// The side of the sign-up, normalised.
    pub clue: String,
    /// The side of the customer, normalised.
    pub known: String,
}

impl Evidence {
    /// The evidence as a clause: ``domain `acme.com` is the same``.
    #[must_use]
    pub fn reason(&self) -> String {
        let Self { kind, similarity, clue, known, .. } = self;
        let what = match kind {
            EvidenceKind::Domain => "domain",
            EvidenceKind::Name => "name",
            EvidenceKind::EmailDomain => "mail domain",
        };
        match (self.agrees, clue == known) {
            (true, true) => format!("{what} `{clue}` is the same"),
            (true, false) => {
                format!("{what} `{clue}` resembles `{known}` ({:.0} %)", similarity * 100.0)
            }
            (false, _) => format!("{what} `{clue}` is not `{known}`"),
        }
    }
}

/// How sure it is that a customer is meant, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Judgement {
    /// The probability that the customer is meant, 0 to [`CONFIDENCE_MAX`](super::CONFIDENCE_MAX), to four decimals.
    pub confidence: f64,
    /// What it rests on, in the order domain, mail domain, name.
    pub evidence: Vec<Evidence>,
}

impl Judgement {
    /// The evidence in words, as one sentence without its final period; empty without evidence.
    #[must_use]
    pub fn reason(&self) -> String {
        self.evidence.iter().map(Evidence::reason).collect::<Vec<_>>().join("; ")
    }

    /// How far ahead of the next it must be: further when all that agrees is merely alike.
    pub(super) fn margin(&self) -> f64 {
        let stands_alone = |it: &Evidence| match it.kind {
            EvidenceKind::Name => it.similarity >= LONE_NAME_LIKENESS_MIN,
            EvidenceKind::Domain | EvidenceKind::EmailDomain => it.similarity >= 1.0,
        };
        let firm = self.evidence.iter().any(|it| it.agrees && stands_alone(it));
        if firm { MARGIN } else { LONE_MARGIN }
    }
}

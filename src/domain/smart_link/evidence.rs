//! What a judgement rests on, as data and in words.

use crate::record::words;
use serde::{Deserialize, Serialize};

words! {
    /// What a piece of evidence compares.
    pub enum EvidenceKind {
        /// The company's domain.
        Domain = "domain",
        /// The domain of a mail address.
        EmailDomain = "email_domain",
        /// The company's name.
        Name = "name",
        /// The legal form.
        LegalForm = "legal_form",
        /// A name with the label of a domain: `acme` of `acme.com`.
        Label = "label",
        /// How the customer stands among others that may be meant.
        Rivals = "rivals",
        /// What the contract says that evidence is worth at least or at most, while customers are
        /// few.
        Contract = "contract",
    }
}

impl EvidenceKind {
    /// How many there are.
    pub(super) const COUNT: usize = Self::ALL.len();
}

/// One comparison of a clue with what is known of a customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Evidence {
    /// What was compared.
    pub kind: EvidenceKind,
    /// How alike the two are, 0 to 1; none where they cannot be compared.
    pub similarity: Option<f64>,
    /// By how much it raised the confidence, or lowered it if negative; −1 to 1.
    pub added: f64,
    /// The side of the sign-up, normalised; empty if it does not tell.
    pub clue: String,
    /// The side of the customer, normalised; empty if it does not tell.
    pub known: String,
}

impl Evidence {
    /// Whether it speaks for the customer; otherwise it speaks against it.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.added > 0.0
    }

    /// The evidence as a clause: ``domain `acme.com` is the same``.
    #[must_use]
    pub fn reason(&self) -> String {
        let Self { kind, similarity, clue, known, .. } = self;
        let what = match kind {
            EvidenceKind::Domain => "domain",
            EvidenceKind::EmailDomain => "mail domain",
            EvidenceKind::Name => "name",
            EvidenceKind::LegalForm => "legal form",
            EvidenceKind::Label => "label",
            EvidenceKind::Rivals if self.agrees() => {
                return "no other customer comes as near".to_owned();
            }
            EvidenceKind::Rivals => return "other customers come as near".to_owned(),
            EvidenceKind::Contract if self.agrees() => {
                return "such evidence is worth no less".to_owned();
            }
            EvidenceKind::Contract => return "such evidence alone is worth no more".to_owned(),
        };
        let Some(similarity) = similarity else { return format!("no {what} to compare") };
        if clue == known {
            return format!("{what} `{clue}` is the same");
        }
        let percent = similarity * 100.0;
        match self.agrees() {
            true if percent >= 99.5 => format!("{what} `{clue}` agrees with `{known}`"),
            true => format!("{what} `{clue}` resembles `{known}` ({percent:.0} %)"),
            false if percent >= 50.0 => {
                format!("{what} `{clue}` only resembles `{known}` ({percent:.0} %)")
            }
            false => format!("{what} `{clue}` is not `{known}`"),
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
    /// The confidence before any evidence; with all that the evidence added it is `confidence`.
    pub start: f64,
    /// What it rests on: what agrees most first.
    pub evidence: Vec<Evidence>,
}

/// What moves the confidence by less is not worth a word.
const WORTH_A_WORD: f64 = 0.005;

impl Judgement {
    /// The evidence in words, as one sentence without its final period, leaving out what hardly
    /// moved the confidence.
    #[must_use]
    pub fn reason(&self) -> String {
        let telling = self.evidence.iter().filter(|it| it.added.abs() >= WORTH_A_WORD);
        telling.map(Evidence::reason).collect::<Vec<_>>().join("; ")
    }
}

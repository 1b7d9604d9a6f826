//! What a question and a customer show when they are held beside each other, in figures: all that
//! the learned tables of smart linking see.

use super::EvidenceKind;
use crate::domain::clues::Clues;
use crate::domain::company_name::CompanyName;
use crate::domain::domain_name::DomainName;
use crate::domain::likeness::words::measure;
use crate::domain::likeness::{labels, names};
use crate::domain::match_keys::Known;

macro_rules! signs {
    ($($kind:ident { $($(#[doc = $doc:literal])+ $sign:ident = $name:literal),+ $(,)? })+) => {
        /// A figure that is compared.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Sign {
            $($($(#[doc = $doc])+ $sign,)+)+
        }

        impl Sign {
            /// Every sign, in the order of the tables' columns.
            pub const ALL: &[Self] = &[$($(Self::$sign,)+)+];

            /// Its name in the data that the tables are learned from.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$sign => $name,)+)+ }
            }

            /// The kind of evidence that it belongs to.
            #[must_use]
            pub const fn kind(self) -> EvidenceKind {
                match self { $($(Self::$sign)|+ => EvidenceKind::$kind,)+ }
            }
        }
    };
}

signs! {
    Domain {
        /// 1 the same domain, 0.5 the same label below another suffix, −1 another domain, 0 when one
        /// side has none.
        Domain = "domain",
        /// How alike the labels are.
        DomainLabel = "domain_label",
        /// Whether the customer has a domain.
        KnownDomain = "known_domain",
    }
    EmailDomain {
        /// As [`Domain`](Self::Domain), of the domain of a mail address that agrees best.
        EmailDomain = "email_domain",
        /// How alike its label is.
        EmailLabel = "email_label",
    }
    Name {
        /// See [`NameSigns::asked_covered`](names::NameSigns::asked_covered), and so on.
        AskedCovered = "asked_covered",
        /// Of the known name.
        KnownCovered = "known_covered",
        /// By equal words.
        AskedEqual = "asked_equal",
        /// By equal words.
        KnownEqual = "known_equal",
        /// The weight of equal words.
        Shared = "shared",
        /// The heaviest word that agrees.
        HeaviestShared = "heaviest_shared",
        /// The heaviest that only the question has.
        HeaviestAskedOnly = "heaviest_asked_only",
        /// The heaviest that only the customer has.
        HeaviestKnownOnly = "heaviest_known_only",
        /// How many only the question has.
        AskedOnly = "asked_only",
        /// How many only the customer has.
        KnownOnly = "known_only",
        /// The first words.
        First = "first",
        /// All letters.
        Letters = "letters",
        /// Pairs of letters.
        Pairs = "pairs",
        /// The common beginning.
        Start = "start",
        /// Equal but for spaces.
        CompactEqual = "compact_equal",
        /// Initials.
        Acronym = "acronym",
        /// How many letters the asked name has.
        AskedLetters = "asked_letters",
        /// How many words.
        AskedWords = "asked_words",
        /// How many letters the known name has.
        KnownLetters = "known_letters",
        /// How many words.
        KnownWords = "known_words",
    }
    LegalForm {
        /// The legal forms.
        LegalForm = "legal_form",
    }
    Label {
        /// How much of the label of the customer's domain the asked name makes up.
        NameInKnownLabel = "name_in_known_label",
        /// How much of the asked name that label has.
        KnownLabelInName = "known_label_in_name",
        /// How alike their letters are.
        NameLikeKnownLabel = "name_like_known_label",
        /// How much of the label of the asked domain the known name makes up.
        KnownInLabel = "known_in_label",
        /// How much of the known name that label has.
        LabelInKnown = "label_in_known",
        /// How alike their letters are.
        KnownLikeLabel = "known_like_label",
        /// The same of the domain of a mail address.
        KnownInEmailLabel = "known_in_email_label",
        /// The same of the domain of a mail address.
        EmailLabelInKnown = "email_label_in_known",
        /// The same of the domain of a mail address.
        KnownLikeEmailLabel = "known_like_email_label",
    }
    Rivals {
        /// The log-odds by all signs before.
        Odds = "odds",
        /// By how much they are greater than the best other's.
        Lead = "lead",
        /// How many others have greater ones.
        Rank = "rank",
        /// How many others have as great ones, give or take 1.
        Near = "near",
        /// How many others have a name that is equal as well, with a legal form no less alike. No
        /// table sees it; the [bounds](super::bounds()) do.
        Namesakes = "namesakes",
    }
}

/// The figure of a sign that cannot be compared, since one side does not tell.
pub const MISSING: f32 = -1.0;

/// The figures of all signs: mostly 0–1, counts, or [`MISSING`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signs([f32; Sign::ALL.len()]);

impl Signs {
    /// What can be seen of `clues` and `known` alone: all but what belongs to the rivals. `weight`
    /// tells how much a word of a name says, 0–1; see
    /// [`word_weight`](crate::domain::word_weight::word_weight).
    #[must_use]
    pub fn of(clues: &Clues, known: &Known, weight: &mut dyn FnMut(&str) -> f32) -> Self {
        let mut signs = Self([MISSING; Sign::ALL.len()]);
        signs.set(Sign::Domain, 0.0);
        signs.set(Sign::EmailDomain, 0.0);
        signs.compare_domains(clues, known);
        let name = signs.compare_names(clues, known, weight);
        signs.compare_labels(clues, known, name, weight);
        signs
    }

    /// The figure of one.
    #[must_use]
    pub fn get(&self, sign: Sign) -> f32 {
        self.0.get(sign as usize).copied().unwrap_or(MISSING)
    }

    /// All of them, in the order of [`Sign::ALL`].
    #[must_use]
    pub const fn all(&self) -> &[f32] {
        &self.0
    }

    pub(super) fn set(&mut self, sign: Sign, figure: f32) {
        if let Some(held) = self.0.get_mut(sign as usize) {
            *held = figure;
        }
    }

    fn compare_domains(&mut self, clues: &Clues, known: &Known) {
        self.set(Sign::KnownDomain, if known.domains.is_empty() { 0.0 } else { 1.0 });
        let (mut own, mut of_email) = (None, None);
        if let Some(domain) = clues.domain() {
            own = best_of(domain, &known.domains);
            // A domain that the customer's people write from is evidence of that kind.
            if known.email_domains.contains(domain) {
                of_email = Some((1.0, 1.0));
            }
        }
        for domain in clues.email_domains() {
            let found =
                closer(best_of(domain, &known.domains), best_of(domain, &known.email_domains));
            of_email = closer(of_email, found);
        }
        for (found, relation, label) in [
            (own, Sign::Domain, Sign::DomainLabel),
            (of_email, Sign::EmailDomain, Sign::EmailLabel),
        ] {
            if let Some((relates, like)) = found {
                self.set(relation, relates);
                self.set(label, like);
            }
        }
    }

    /// Compares the asked name with each known one, and keeps what the most alike shows. Returns
    /// that name, or the first.
    fn compare_names<'k>(
        &mut self,
        clues: &Clues,
        known: &'k Known,
        weight: &mut dyn FnMut(&str) -> f32,
    ) -> Option<&'k CompanyName> {
        let Some(asked) = clues.name() else { return known.names.first() };
        let all = known.names.iter().map(|name| (name, names::compare(asked, name, weight)));
        let likeness = |it: &names::NameSigns| it.asked_covered + it.known_covered + it.letters;
        // The first of equals.
        let (name, it) = all.reduce(|a, b| if likeness(&b.1) > likeness(&a.1) { b } else { a })?;
        for (sign, figure) in [
            (Sign::AskedCovered, it.asked_covered),
            (Sign::KnownCovered, it.known_covered),
            (Sign::AskedEqual, it.asked_equal),
            (Sign::KnownEqual, it.known_equal),
            (Sign::Shared, it.shared),
            (Sign::HeaviestShared, it.heaviest_shared),
            (Sign::HeaviestAskedOnly, it.heaviest_asked_only),
            (Sign::HeaviestKnownOnly, it.heaviest_known_only),
            (Sign::AskedOnly, it.asked_only),
            (Sign::KnownOnly, it.known_only),
            (Sign::First, it.first),
            (Sign::Letters, it.letters),
            (Sign::Pairs, it.pairs),
            (Sign::Start, it.start),
            (Sign::CompactEqual, it.compact_equal),
            (Sign::Acronym, it.acronym),
            (Sign::AskedLetters, measure(asked.compact().chars().count())),
            (Sign::AskedWords, measure(asked.tokens().len())),
            (Sign::LegalForm, it.legal_form),
        ] {
            self.set(sign, figure);
        }
        Some(name)
    }

    fn compare_labels(
        &mut self,
        clues: &Clues,
        known: &Known,
        name: Option<&CompanyName>,
        weight: &mut dyn FnMut(&str) -> f32,
    ) {
        if let Some(name) = name {
            self.set(Sign::KnownLetters, measure(name.compact().chars().count()));
            self.set(Sign::KnownWords, measure(name.tokens().len()));
        }
        let mut best = |names: &[CompanyName], domains: &mut dyn Iterator<Item = &DomainName>| {
            let mut best: Option<labels::LabelSigns> = None;
            for domain in domains {
                for name in names {
                    let found = labels::compare(name, domain.label(), weight);
                    let whole = |it: &labels::LabelSigns| it.label_covered + it.name_covered;
                    if best.as_ref().is_none_or(|best| whole(&found) > whole(best)) {
                        best = Some(found);
                    }
                }
            }
            best
        };
        let asked: &[CompanyName] = clues.name().map(std::slice::from_ref).unwrap_or_default();
        let of_known = best(asked, &mut known.domains.iter());
        let of_domain = best(&known.names, &mut clues.domain().into_iter());
        let of_email = best(&known.names, &mut clues.email_domains().iter());
        for (found, [label, name, letters]) in [
            (of_known, [Sign::NameInKnownLabel, Sign::KnownLabelInName, Sign::NameLikeKnownLabel]),
            (of_domain, [Sign::KnownInLabel, Sign::LabelInKnown, Sign::KnownLikeLabel]),
            (
                of_email,
                [Sign::KnownInEmailLabel, Sign::EmailLabelInKnown, Sign::KnownLikeEmailLabel],
            ),
        ] {
            if let Some(found) = found {
                self.set(label, found.label_covered);
                self.set(name, found.name_covered);
                self.set(letters, found.letters);
            }
        }
    }
}

/// How a domain relates to another, and how alike the labels are.
type Relation = Option<(f32, f32)>;

/// The closer of two.
fn closer(a: Relation, b: Relation) -> Relation {
    if b > a { b } else { a }
}

/// The relation of the domain among `known` that is closest; `None` if there is none.
fn best_of(domain: &DomainName, known: &[DomainName]) -> Relation {
    known.iter().map(|other| Some(relation(domain, other))).fold(None, closer)
}

fn relation(a: &DomainName, b: &DomainName) -> (f32, f32) {
    if a == b {
        return (1.0, 1.0);
    }
    let plain = |it: &DomainName| it.label().replace('-', "");
    let (a, b) = (plain(a), plain(b));
    if a == b { (0.5, 1.0) } else { (-1.0, names::narrow(strsim::jaro_winkler(&a, &b))) }
}

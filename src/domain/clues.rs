//! What a product says about a new organisation, and what of it can be believed: the question of
//! smart linking.

use crate::domain::company_name::CompanyName;
use crate::domain::domain_name::DomainName;
use crate::domain::email::Email;
use crate::domain::free_mail;
use crate::domain::match_keys::Known;
use crate::domain::text::Malformed;
use serde::{Deserialize, Serialize};

/// The longest company name that is believed, in characters; registered names end near 200.
pub const NAME_MAX: usize = 300;

/// How many addresses are read; a sign-up names a few.
pub const EMAILS_MAX: usize = 20;

/// How many distinct domains of addresses are looked up. Each is two look-ups.
pub const EMAIL_DOMAINS_MAX: usize = 4;

/// What the product knows about an organisation that signed up, as typed. All of it is a guess:
/// nothing here is an error.
///
/// ```
/// use tenure::domain::clues::{Clues, Hints};
///
/// let hints = Hints::new().company_name("Acme, Inc.").domain("https://acme.com/about");
/// let clues = Clues::read(&hints.email("ada@gmail.com").email("nobody"));
/// assert_eq!(clues.domain().map(|it| it.as_str()), Some("acme.com"));
/// assert_eq!(clues.ignored().len(), 2);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Hints {
    /// The name of the company.
    pub company_name: Option<String>,
    /// Its domain, or an address of its site.
    pub domain: Option<String>,
    /// Mail addresses of its people.
    pub emails: Vec<String>,
}

impl Hints {
    /// No hint.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With the name of the company.
    #[must_use]
    pub fn company_name(mut self, name: impl Into<String>) -> Self {
        self.company_name = Some(name.into());
        self
    }

    /// With its domain, or an address of its site.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// With one more mail address of its people.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.emails.push(email.into());
        self
    }
}

/// A hint that was not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ignored {
    /// The field of [`Hints`] it stood in: `company_name`, `domain` or `emails`.
    pub field: &'static str,
    /// The text, shortened, and the rule that it breaks.
    pub because: Malformed,
}

/// The hints that tell something, parsed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clues {
    name: Option<CompanyName>,
    domain: Option<DomainName>,
    email_domains: Vec<DomainName>,
    ignored: Vec<Ignored>,
}

impl Clues {
    /// What `hints` tell. A hint that is malformed, too long, or says nothing about which company
    /// it is (a free-mail address, a page on a social network, a name that is only a legal form)
    /// is left out with a note; empty text is no hint.
    #[must_use]
    pub fn read(hints: &Hints) -> Self {
        let mut clues = Self::default();
        if let Some(name) = said(hints.company_name.as_ref()) {
            clues.name = clues.noted("company_name", name_in(name));
        }
        if let Some(domain) = said(hints.domain.as_ref()) {
            clues.domain = clues.noted("domain", domain_in(domain));
        }
        for (index, email) in hints.emails.iter().enumerate() {
            let found = match said(Some(email)) {
                None => continue,
                Some(_) if index >= EMAILS_MAX => Err(Malformed::new(email, "is one too many")),
                Some(email) => email_domain_in(email),
            };
            if let Some(domain) = clues.noted("emails", found)
                && !clues.email_domains.contains(&domain)
                && clues.email_domains.len() < EMAIL_DOMAINS_MAX
            {
                clues.email_domains.push(domain);
            }
        }
        clues
    }

    /// A customer as the question, whether it is the `other`: by a name and a domain that both have,
    /// or else by its own. `Netz (Berlin)` and `Bahn (Berlin)` do not have the name `Berlin`, which
    /// is only a part of theirs.
    #[must_use]
    pub fn of_customer(known: &Known, other: &Known) -> Self {
        let is_part = |name: &CompanyName| {
            let longer = known.names.iter().filter(|it| it.tokens().len() > name.tokens().len());
            let all_in =
                |it: &CompanyName| name.tokens().iter().all(|word| it.tokens().contains(word));
            longer.into_iter().any(all_in)
        };
        let both_have = |it: &&CompanyName| {
            !is_part(it) && other.names.iter().any(|name| name.tokens() == it.tokens())
        };
        let name = known.names.iter().find(both_have).or(known.names.first());
        let domains = || known.domains.iter();
        let shared = domains().find(|it| other.domains.contains(it));
        let shared = shared.or_else(|| domains().find(|it| other.email_domains.contains(it)));
        Self {
            name: name.cloned(),
            domain: shared.or(known.domains.first()).cloned(),
            email_domains: known.email_domains.clone(),
            ignored: Vec::new(),
        }
    }

    /// The company's name, folded.
    #[must_use]
    pub const fn name(&self) -> Option<&CompanyName> {
        self.name.as_ref()
    }

    /// The company's domain.
    #[must_use]
    pub const fn domain(&self) -> Option<&DomainName> {
        self.domain.as_ref()
    }

    /// The company domains of its people's mail addresses, each once, at most
    /// [`EMAIL_DOMAINS_MAX`].
    #[must_use]
    pub fn email_domains(&self) -> &[DomainName] {
        &self.email_domains
    }

    /// The hints that were left out.
    #[must_use]
    pub fn ignored(&self) -> &[Ignored] {
        &self.ignored
    }

    /// Whether there is nothing to go on.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.name.is_none() && self.domain.is_none() && self.email_domains.is_empty()
    }

    fn noted<T>(&mut self, field: &'static str, found: Result<T, Malformed>) -> Option<T> {
        found.map_err(|because| self.ignored.push(Ignored { field, because })).ok()
    }
}

fn said(hint: Option<&String>) -> Option<&str> {
    hint.map(|it| it.trim()).filter(|it| !it.is_empty())
}

/// The name of a company in `text`.
pub(crate) fn name_in(text: &str) -> Result<CompanyName, Malformed> {
    if text.chars().nth(NAME_MAX).is_some() {
        return Err(Malformed::new(text, "is longer than any company's name"));
    }
    let name = CompanyName::fold(text).latin();
    if name.is_degenerate() {
        return Err(Malformed::new(text, "names no company"));
    }
    Ok(name)
}

/// The domain of a company in `text`.
pub(crate) fn domain_in(text: &str) -> Result<DomainName, Malformed> {
    let domain = DomainName::parse(text)?;
    if free_mail::is_shared(&domain) {
        return Err(Malformed::new(text, "is a domain that many share"));
    }
    Ok(domain)
}

fn email_domain_in(text: &str) -> Result<DomainName, Malformed> {
    let email = Email::parse(text)?;
    domain_in(email.domain())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hints_become_clues() {
        let hints = Hints::new().company_name("Acme, Inc.").domain("https://WWW.acme.com:443/x");
        let clues = Clues::read(&hints.email("a@mail.acme.com").email("b@acme.com"));
        assert_eq!(clues.name().unwrap().tokens(), ["acme"]);
        assert_eq!(clues.domain().unwrap().as_str(), "acme.com");
        assert_eq!(clues.email_domains().len(), 1);
        assert_eq!(clues.ignored(), []);
        assert!(!clues.is_empty());
    }

    #[test]
    fn what_tells_nothing_is_left_out_with_a_note() {
        let long = "a".repeat(NAME_MAX + 1);
        for (hints, field) in [
            (Hints::new().company_name("Ltd."), "company_name"),
            (Hints::new().company_name("x"), "company_name"),
            (Hints::new().company_name("n/a"), "company_name"),
            (Hints::new().company_name(long), "company_name"),
            (Hints::new().domain("localhost"), "domain"),
            (Hints::new().domain("10.0.0.1"), "domain"),
            (Hints::new().domain("https://www.facebook.com/acme"), "domain"),
            (Hints::new().email("bob@gmail.com"), "emails"),
            (Hints::new().email("bob"), "emails"),
        ] {
            let clues = Clues::read(&hints);
            assert!(clues.is_empty(), "{hints:?}");
            assert_eq!(clues.ignored().iter().map(|it| it.field).collect::<Vec<_>>(), [field]);
        }
    }

    #[test]
    fn empty_text_is_no_hint_and_needs_no_note() {
        let clues = Clues::read(&Hints::new().company_name(" ").domain("").email("\t"));
        assert!(clues.is_empty() && clues.ignored().is_empty());
    }

    #[test]
    fn a_flood_of_addresses_is_cut_short() {
        let hints = (0..1_000).fold(Hints::new(), |it, n| it.email(format!("a@acme{n}.com")));
        let clues = Clues::read(&hints);
        assert_eq!(clues.email_domains().len(), EMAIL_DOMAINS_MAX);
        assert_eq!(clues.ignored().len(), 1_000 - EMAILS_MAX);
    }

    #[test]
    fn a_customer_asks_by_what_both_have() {
        let asked = |names: [&str; 2], other: &str| {
            let known = Known::new(names[0], &[], &[]).also_called(names[1]);
            let clues = Clues::of_customer(&known, &Known::new(other, &[], &[]));
            clues.name().unwrap().to_string()
        };
        assert_eq!(asked(["Meta", "Facebook"], "Facebook Inc."), "facebook");
        assert_eq!(asked(["Meta", "Facebook"], "Globex"), "meta");
        assert_eq!(asked(["Netz (Berlin)", "Bahn (Berlin)"], "Post (Berlin)"), "netz berlin");
    }

    proptest! {
        #[test]
        fn what_was_read_is_read_again_unchanged(
            name in "[A-Za-zà-ž0-9 &.,'()-]{0,20}|(acme|é|ß|&|gmbh|ltd)( (inc|zeta|ähre))?",
            domain in "(https?://)?[a-zü0-9-]{1,5}\\.(com|co\\.uk|de)(/x)?",
        ) {
            let once = Clues::read(&Hints::new().company_name(name).domain(domain));
            let again = Hints {
                company_name: once.name().map(ToString::to_string),
                domain: once.domain().map(ToString::to_string),
                emails: Vec::new(),
            };
            let twice = Clues::read(&again);
            let words = |it: &Clues| it.name().map(|it| it.tokens().to_vec());
            prop_assert_eq!(words(&twice), words(&once));
            prop_assert_eq!(twice.domain(), once.domain());
            prop_assert_eq!(twice.ignored(), []);
        }

        #[test]
        fn no_hint_makes_it_panic(name in any::<String>(), domain in any::<String>(), email in any::<String>()) {
            let _ = Clues::read(&Hints::new().company_name(name).domain(domain).email(email));
        }
    }
}

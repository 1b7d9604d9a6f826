//! Aliases: the other names and domains of a customer, by which smart linking finds it as well.
//!
//! No measure of likeness leads from `Facebook` to `Meta`, so such names have to be kept. They are
//! given by hand, or learned:
//!
//! - A customer that gets another name or domain keeps the former one.
//! - A link made by hand teaches how the organisation called itself: a person has confirmed that it
//!   is this customer. Its mail addresses teach nothing, because people sign up with those of their
//!   agencies.
//! - A link that the library found by itself teaches nothing, because an error would feed itself.
//! - What another customer is called itself is not learned: it would lead away from that one.

use super::clues::{Hints, domain_in, name_in};
use super::customer::{Customer, CustomerId};
use super::email::Email;
use super::text::{Malformed, Name};
use crate::record::{id, noun, words};
use time::OffsetDateTime;
use uuid::Uuid;

/// The most aliases that one customer has.
pub const ALIASES_MAX: usize = 32;

id! {
    /// Identifies an alias of one customer.
    AliasId;
}

words! {
    /// What an alias is.
    pub enum AliasKind {
        /// A name: a former one, a brand, an abbreviation.
        Name = "name",
        /// A domain.
        Domain = "domain",
    }
}

words! {
    /// Where an alias comes from; those that come first are the first to be matched.
    pub enum AliasSource {
        /// Somebody gave it.
        Manual = "manual",
        /// It was the customer's own until that changed.
        Former = "former",
        /// An organisation that was linked by hand called itself so.
        Link = "link",
    }
}

noun! {
    /// Another name or domain of a customer, by which smart linking finds it as well as by its own.
    pub struct Alias(AliasId), "alias", "aliases", "account" {
        /// Identifies the alias of this customer.
        id: AliasId,
        /// The customer that is meant.
        customer_id: CustomerId,
        /// Whether it is a name or a domain.
        kind: AliasKind => ["name"],
        /// The name as it was given, or the registrable domain.
        value: String => ["Facebook, Inc.", "meta.com"],
        /// What of it counts: names that fold to the same words are one alias.
        key: String => ["facebook"],
        /// Where it comes from.
        source: AliasSource => ["former"],
        /// When it was first given or learned.
        created_at: OffsetDateTime,
    }
    relationships {
        customer: "customer" one "who is called so",
    }
    actions { create => created, delete => deleted }
}

impl AliasId {
    /// The id of a customer's alias: derived, so that the same one is kept once.
    #[must_use]
    pub fn of(customer: CustomerId, kind: AliasKind, key: &str) -> Self {
        let name = format!("{kind}\0{key}");
        Self::from(Uuid::new_v5(&customer.uuid(), name.as_bytes()))
    }
}

/// A name or a domain that tells who is meant, and so can be an alias.
#[derive(Debug, Clone)]
pub(crate) struct AliasValue {
    pub(crate) kind: AliasKind,
    pub(crate) text: String,
    pub(crate) key: String,
}

impl AliasValue {
    /// # Errors
    ///
    /// When it is malformed or tells nothing: a legal form alone, a mail address (the name of who
    /// gave none), a domain that many share.
    pub(crate) fn parse(kind: AliasKind, text: &str) -> Result<Self, Malformed> {
        let (text, key) = match kind {
            AliasKind::Name if Email::parse(text).is_ok() => {
                return Err(Malformed::new(text, "must be a name, not a mail address"));
            }
            AliasKind::Name => {
                let name = Name::parse(text)?;
                let key = name_in(name.as_str())?.to_string();
                (name.to_string(), key)
            }
            AliasKind::Domain => {
                let domain = domain_in(text)?.to_string();
                (domain.clone(), domain)
            }
        };
        Ok(Self { kind, text, key })
    }

    /// Whether one of `values` is the same after folding.
    pub(crate) fn is_among(&self, values: &[Self]) -> bool {
        values.iter().any(|it| it.kind == self.kind && it.key == self.key)
    }
}

/// What a customer is called by its own record.
pub(crate) fn own(customer: &Customer) -> Vec<AliasValue> {
    let names = std::iter::once(&customer.name).chain(&customer.company_name).map(Name::as_str);
    telling(names, customer.domain.iter().map(AsRef::as_ref))
}

/// What an organisation calls itself.
pub(crate) fn said(hints: &Hints) -> Vec<AliasValue> {
    telling(hints.company_name.as_deref(), hints.domain.as_deref())
}

fn telling<'a>(
    names: impl IntoIterator<Item = &'a str>,
    domains: impl IntoIterator<Item = &'a str>,
) -> Vec<AliasValue> {
    let names = names.into_iter().map(|it| (AliasKind::Name, it));
    let all = names.chain(domains.into_iter().map(|it| (AliasKind::Domain, it)));
    all.filter_map(|(kind, text)| AliasValue::parse(kind, text).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(hints: &Hints) -> Vec<(AliasKind, String)> {
        said(hints).into_iter().map(|it| (it.kind, it.key)).collect()
    }

    #[test]
    fn spellings_of_one_name_or_domain_are_one_alias() {
        let one = [(AliasKind::Name, "facebook".into()), (AliasKind::Domain, "meta.com".into())];
        for (name, domain) in
            [("Facebook, Inc.", "https://www.META.com/x"), ("  FACEBOOK ", "mail.meta.com.")]
        {
            assert_eq!(keys(&Hints::new().company_name(name).domain(domain)), one);
        }
    }

    #[test]
    fn what_tells_nobody_is_no_alias() {
        for (name, domain) in
            [("GmbH", "gmail.com"), ("bob@acme.com", "localhost"), ("a\0b", "10.0.0.1"), ("", "")]
        {
            assert_eq!(keys(&Hints::new().company_name(name).domain(domain)), []);
        }
        assert_eq!(keys(&Hints::new().email("ada@agency.com")), [], "addresses teach nothing");
    }

    #[test]
    fn a_name_and_a_domain_of_the_same_letters_are_two() {
        let customer = CustomerId::from(Uuid::from_u128(1));
        let id = |kind| AliasId::of(customer, kind, "acme.com");
        assert_ne!(id(AliasKind::Name), id(AliasKind::Domain));
    }
}

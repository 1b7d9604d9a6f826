//! A customer's profile as it is kept: what is known of it for matching, in a few dozen bytes.

use super::company_name::CompanyName;
use super::customer::CustomerId;
use super::domain_name::DomainName;
use super::legal_form;
use super::link_index::{LinkProfile, LinkProfileId};
use super::match_keys::Known;
use super::packing::{Checksum, Damaged, Unpack, put_number, seal, unseal};
use crate::value::Packed;

/// The first byte. One that knows more of a customer has another.
const VERSION: u8 = 1;

impl LinkProfile {
    /// The profile of a customer.
    pub(crate) fn new(ordinal: u32, customer_id: CustomerId, known: &Known) -> Self {
        let mut bytes = body(known);
        let id = LinkProfileId::of(ordinal);
        seal(&mut bytes, head(id, customer_id));
        Self { id, customer_id, packed: Packed(bytes) }
    }

    /// What is known.
    pub(crate) fn known(&self) -> Result<Known, Damaged> {
        let mut left = Unpack(self.body()?);
        if left.byte()? != VERSION {
            return Err(Damaged);
        }
        let count = left.number()?;
        let names = (0..count).map(|_| name(&mut left)).collect::<Result<_, _>>()?;
        let (domains, email_domains) = (domains(&mut left)?, domains(&mut left)?);
        left.is_empty().then_some(Known { names, domains, email_domains }).ok_or(Damaged)
    }

    /// Whether it is what a profile of `known` would be.
    pub(crate) fn says(&self, known: &Known) -> Result<bool, Damaged> {
        Ok(self.body()? == body(known))
    }

    fn body(&self) -> Result<&[u8], Damaged> {
        unseal(&self.packed.0, head(self.id, self.customer_id))
    }
}

/// Belongs to the profile as much as its bytes: one is not taken for another.
fn head(id: LinkProfileId, customer: CustomerId) -> Checksum {
    Checksum::new().feed(id.uuid().as_bytes()).feed(customer.uuid().as_bytes())
}

/// What is written: the names, then the domains of the company and those of its people.
fn body(known: &Known) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    put_length(&mut bytes, known.names.len());
    for name in &known.names {
        put_texts(&mut bytes, name.tokens());
        put_texts(&mut bytes, name.legal_forms());
    }
    for domains in [&known.domains, &known.email_domains] {
        put_texts(&mut bytes, domains);
    }
    bytes
}

fn name(left: &mut Unpack<'_>) -> Result<CompanyName, Damaged> {
    let tokens = texts(left, str::to_owned)?;
    // A form that is no longer in the table is left out.
    let forms = texts(left, legal_form::named)?;
    Ok(CompanyName::kept(tokens, forms.into_iter().flatten().collect()))
}

fn domains(left: &mut Unpack<'_>) -> Result<Vec<DomainName>, Damaged> {
    texts(left, DomainName::kept)
}

fn put_texts<T: AsRef<str>>(to: &mut Vec<u8>, texts: &[T]) {
    put_length(to, texts.len());
    for text in texts {
        let bytes = text.as_ref().as_bytes();
        put_length(to, bytes.len());
        to.extend_from_slice(bytes);
    }
}

fn put_length(to: &mut Vec<u8>, length: usize) {
    put_number(to, u64::try_from(length).unwrap_or(u64::MAX));
}

fn texts<T>(left: &mut Unpack<'_>, read: impl Fn(&str) -> T) -> Result<Vec<T>, Damaged> {
    let count = left.number()?;
    let text = |_| std::str::from_utf8(left.counted()?).map(&read).map_err(|_| Damaged);
    (0..count).map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::email::Email;
    use proptest::prelude::*;

    fn known(name: &str, domain: &str, email: &str) -> Known {
        let domains: Vec<_> = DomainName::parse(domain).into_iter().collect();
        let emails: Vec<_> = Email::parse(email).into_iter().collect();
        Known::new(name, &domains, &emails)
    }

    fn customer(number: u128) -> CustomerId {
        CustomerId::from(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn a_profile_says_what_was_known_in_little_room() {
        let known = known("SMITH & Sons GmbH & Co. KG", "smith.co.uk", "ada@smith-mail.com");
        let profile = LinkProfile::new(7, customer(1), &known);
        assert_eq!(profile.known(), Ok(known.clone()));
        assert_eq!(profile.says(&known), Ok(true));
        assert_eq!(profile.says(&Known { domains: vec![], ..known }), Ok(false));
        assert!(profile.packed.0.len() < 70, "{}", profile.packed.0.len());
    }

    #[test]
    fn a_profile_is_not_taken_for_anothers() {
        let known = known("Acme", "", "");
        let mut other = LinkProfile::new(7, customer(2), &known);
        other.packed = LinkProfile::new(7, customer(1), &known).packed;
        assert_eq!(other.known(), Err(Damaged));
        other.packed = LinkProfile::new(8, customer(2), &known).packed;
        assert_eq!(other.says(&known), Err(Damaged));
    }

    proptest! {
        #[test]
        fn whatever_is_known_is_kept(name: String, domain in "[a-z]{1,9}\\.(com|de|co\\.uk)", email in "a@[a-z]{1,9}\\.com") {
            let known = known(&name, &domain, &email);
            prop_assert_eq!(LinkProfile::new(1, customer(1), &known).known(), Ok(known));
        }

        #[test]
        fn no_bytes_make_a_profile_panic(mut bytes: Vec<u8>) {
            bytes.insert(0, VERSION);
            let (id, customer_id) = (LinkProfileId::of(1), customer(1));
            seal(&mut bytes, head(id, customer_id));
            drop(LinkProfile { id, customer_id, packed: Packed(bytes) }.known());
        }
    }
}

//! E-mail addresses: which texts are one, and when two are the same, for every operation that
//! takes an address.

use crate::domain::domain_name::{DomainName, host};
use crate::domain::free_mail;
use crate::domain::text::{Malformed, checked_text};

/// The longest local part, in bytes (RFC 5321, 4.5.3.1.1).
pub const LOCAL_PART_MAX: usize = 64;

/// The longest address, in bytes (RFC 5321, 4.5.3.1.3: a path of 256 less its two brackets).
pub const ADDRESS_MAX: usize = 254;

/// A mail address of the plain form `local@domain`: no display name, no quotes, no comments, no
/// address literal, and a domain of at least two labels.
///
/// It is kept as typed, but for the domain, which is in lower case. Two addresses are the same
/// mailbox when their [`key`](Self::key)s are equal; `==` compares what was typed.
///
/// ```
/// use tenure::domain::email::Email;
///
/// let email = Email::parse(" Ada.Lovelace@ACME.example ")?;
/// assert_eq!(email.as_str(), "Ada.Lovelace@acme.example");
/// assert_eq!(email.key(), "ada.lovelace@acme.example");
/// assert!(Email::parse("Bob <bob@acme.example>").is_err());
/// # Ok::<(), tenure::domain::text::Malformed>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Email(String);

checked_text!(Email);

impl Email {
    /// The address in `text`, without the space around it.
    ///
    /// # Errors
    ///
    /// [`Malformed`] with the rule that `text` breaks.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let no = |rule| Malformed::new(text, rule);
        let address = text.trim();
        if address.len() > ADDRESS_MAX {
            return Err(no("must be a mail address of at most 254 bytes"));
        }
        let (local, domain) =
            address.split_once('@').ok_or_else(|| no("must be a mail address with one `@`"))?;
        if domain.contains('@') {
            return Err(no("must be a mail address with one `@`"));
        }
        if local.is_empty() || local.len() > LOCAL_PART_MAX {
            return Err(no("must have 1 to 64 bytes before the `@`"));
        }
        if !local.split('.').all(is_atom) {
            return Err(no("must be a plain mail address: `name@domain` and nothing else"));
        }
        let domain = host(domain).ok_or_else(|| no("must end in `@` and a domain with a dot"))?;
        // The domain may have grown into its ASCII form.
        let address = format!("{local}@{domain}");
        if address.len() > ADDRESS_MAX {
            return Err(no("must be a mail address of at most 254 bytes"));
        }
        Ok(Self(address))
    }

    /// What is before the `@`, as typed.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.split_once('@').map_or("", |(local, _)| local)
    }

    /// What is after the `@`, in lower case: the whole mail host, such as `mail.acme.co.uk`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, domain)| domain)
    }

    /// The key under which an address is unique: every letter in lower case by Unicode's full
    /// mapping, so that `Ä@x.example` is `ä@x.example`. Dots and `+tags` count, since only the
    /// mail host knows what they mean.
    #[must_use]
    pub fn key(&self) -> String {
        // Letter by letter: the mapping of a whole text treats a final sigma by its surroundings.
        self.0.chars().flat_map(char::to_lowercase).collect()
    }

    /// The registrable domain of the organisation that gave out the address; `None` when it is a
    /// free-mail provider's or nobody's.
    #[must_use]
    pub fn company_domain(&self) -> Option<DomainName> {
        DomainName::parse(self.domain()).ok().filter(|domain| !free_mail::is_shared(domain))
    }
}

/// Whether `text` is one of the dot-separated parts of a local part: RFC 5322's atom, and letters,
/// digits and accents of any script (RFC 6531).
fn is_atom(text: &str) -> bool {
    let plain = |c: char| match c {
        '\0'..='\x7f' => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c),
        _ => c.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&c),
    };
    !text.is_empty() && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Field;
    use proptest::prelude::*;

    #[test]
    fn plain_addresses_are_taken_and_their_domain_is_lowered() {
        for (typed, kept) in [
            ("bob@acme.com", "bob@acme.com"),
            ("  Bob.Smith+crm@Mail.ACME.co.uk\n", "Bob.Smith+crm@mail.acme.co.uk"),
            ("o'hara@acme.ie", "o'hara@acme.ie"),
            ("Ä@x.de", "Ä@x.de"),
            ("用户@acme.cn", "用户@acme.cn"),
            ("_-!#$%&'*+/=?^`{|}~@acme.com", "_-!#$%&'*+/=?^`{|}~@acme.com"),
        ] {
            assert_eq!(Email::parse(typed).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for typed in [
            "",
            "bob",
            "@acme.com",
            "bob@",
            "bob@@acme.com",
            "a@b@acme.com",
            "Bob <bob@acme.com>",
            "bob@localhost",
            "bob@[127.0.0.1]",
            "bob@127.0.0.1",
            "a@x\nBcc: v@y",
            "a@x.com\nBcc: v",
            "bob smith@acme.com",
            "\"bob\"@acme.com",
            "bob(x)@acme.com",
            ".bob@acme.com",
            "bob.@acme.com",
            "b..b@acme.com",
            "bob@acme..com",
            "bob@-acme.com",
            "bob@acme_x.com",
            "bob@acme.com.",
            "bob@acme.com,eve@acme.com",
            "bob@acme.com/x",
            "bob\u{202e}@acme.com",
            "bob\0@acme.com",
            "mailto:bob@acme.com",
        ] {
            assert!(Email::parse(typed).is_err(), "{typed:?} was taken");
        }
        assert!(Email::parse(&format!("{}@acme.com", "a".repeat(65))).is_err());
        assert!(Email::parse(&format!("a@{}com", "acme.".repeat(60))).is_err());
        assert!(Email::parse(&format!("{}@acme.com", "a".repeat(64))).is_ok());
    }

    #[test]
    fn an_error_names_the_rule_and_the_start_of_the_text() {
        let error = Email::parse("bob@localhost").unwrap_err();
        assert_eq!(error.to_string(), "`bob@localhost` must end in `@` and a domain with a dot");
    }

    #[test]
    fn case_does_not_tell_mailboxes_apart_in_any_script() {
        let key = |text| Email::parse(text).unwrap().key();
        assert_eq!(key("Ä@x.example"), key("ä@X.example"));
        assert_eq!(key("ΑΣ@x.example"), key("ασ@x.example"));
        assert_ne!(key("a.b@x.example"), key("ab@x.example"));
        assert_ne!(key("a@x.example"), key("a+b@x.example"));
    }

    #[test]
    fn only_a_companys_own_domain_tells_the_company() {
        let company = |text| Email::parse(text).unwrap().company_domain();
        assert_eq!(company("bob@mail.acme.co.uk").unwrap().as_str(), "acme.co.uk");
        assert_eq!(company("bob@gmail.com"), None);
        assert_eq!(company("bob@yahoo.co.uk"), None);
    }

    #[test]
    fn it_is_text_in_json_and_in_rows() {
        let email = Email::parse("bob@acme.com").unwrap();
        assert_eq!(serde_json::to_string(&email).unwrap(), "\"bob@acme.com\"");
        assert_eq!(serde_json::from_str::<Email>("\"bob@ACME.com\"").unwrap(), email);
        assert!(serde_json::from_str::<Email>("\"bob\"").is_err());
        assert_eq!(Email::from_value(email.to_value()), Some(email));
    }

    proptest! {
        #[test]
        fn what_was_taken_is_taken_again_unchanged(text in "\\PC{1,12}@\\PC{1,8}\\.[a-z]{2,3}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
                prop_assert_eq!(Email::parse(&email.key()).map(|it| it.key()), Ok(email.key()));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = Email::parse(&text);
        }
    }
}

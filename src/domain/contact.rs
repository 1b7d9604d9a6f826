//! The people at a customer.

use super::customer::CustomerId;
use super::document::Document;
use super::draft::{Change, draft, replace_or_default};
use super::email::Email;
use super::text::{Line, Note};
use crate::error::Faults;
use crate::record::{id, noun};
use time::OffsetDateTime;

id! {
    /// Identifies a contact.
    ContactId;
}

noun! {
    /// A person at a customer.
    pub struct Contact(ContactId), "contact", "contacts", "people" {
        /// Identifies the contact.
        id: ContactId,
        /// The customer that the person belongs to.
        customer_id: CustomerId,
        /// A slug of the name, unique in the org.
        short_id: String => ["ada-lovelace"],
        /// Given name.
        first_name: Option<Line> => ["Ada"],
        /// Family name.
        last_name: Option<Line> => ["Lovelace"],
        /// Title or position.
        title: Option<Line> => ["CTO"],
        /// Role in the account.
        role: Option<Line> => ["decision maker"],
        /// Email address, unique within the customer.
        email: Option<Email> => ["ada@acme.com"],
        /// The form of the email address that is unique.
        email_key: Option<String> => ["ada@acme.com"],
        /// Phone number.
        phone: Option<Line>,
        /// Mobile phone number.
        mobile: Option<Line>,
        /// Department.
        department: Option<Line> => ["engineering"],
        /// Whether this is the main contact of the customer; at most one is, and a business that
        /// has contacts has exactly one.
        is_primary: bool => ["true"],
        /// A picture.
        avatar_url: Option<Line>,
        /// Anything worth knowing.
        notes: Option<Note>,
        /// Anything of the host's.
        metadata: Document,
        /// Whether the person still is there.
        is_active: bool => ["true"],
        /// The product whose sign-up brought the contact, if one did.
        product_id: Option<super::link::ProductId>,
        /// When the record was created.
        created_at: OffsetDateTime,
        /// When it last changed.
        updated_at: OffsetDateTime,
    }
    relationships {
        customer: "customer" one "where the person works",
    }
    actions { create => created, update => updated, remove => removed, promote => promoted }
}

draft! {
    /// What a caller wants of a contact. What is not named stays as it is.
    pub struct ContactDraft {
        /// The whole name, split at its last space; first and last name take precedence.
        name: String,
        /// See [`Contact::first_name`].
        first_name: String,
        /// See [`Contact::last_name`].
        last_name: String,
        /// See [`Contact::title`].
        title: String,
        /// See [`Contact::role`].
        role: String,
        /// See [`Contact::email`].
        email: String,
        /// See [`Contact::phone`].
        phone: String,
        /// See [`Contact::mobile`].
        mobile: String,
        /// See [`Contact::department`].
        department: String,
        /// See [`Contact::is_primary`].
        is_primary: bool,
        /// See [`Contact::avatar_url`].
        avatar_url: String,
        /// See [`Contact::notes`].
        notes: String,
        /// See [`Contact::metadata`]; replaces it whole.
        metadata: Document,
        /// See [`Contact::is_active`].
        is_active: bool,
    }
}

impl ContactDraft {
    /// A draft of a contact with this email address.
    #[must_use]
    pub fn at(email: impl Into<String>) -> Self {
        Self::default().email(email.into())
    }

    /// The email address under which the contact is found again, if the draft gives a sound one.
    pub(crate) fn email_key(&self) -> Option<String> {
        match &self.email {
            Change::Set(email) => Email::parse(email).ok().map(|email| email.key()),
            Change::Keep | Change::Clear => None,
        }
    }

    /// Whether the draft wants the contact to be the main one, if it says so.
    pub(crate) const fn wants_primary(&self) -> Option<bool> {
        match self.is_primary {
            Change::Keep => None,
            Change::Clear => Some(false),
            Change::Set(primary) => Some(primary),
        }
    }

    /// Applies the draft, all but who is primary, noting every fault; fields are named below `path`.
    pub(crate) fn apply(&self, to: &mut Contact, path: &str, faults: &mut Faults) {
        let at = |field: &str| format!("{path}{field}");
        if let Change::Set(name) = &self.name {
            let (first, last) = split(name);
            faults.optional(&at("name"), &Change::from(first), &mut to.first_name, Line::parse);
            faults.optional(&at("name"), &Change::from(last), &mut to.last_name, Line::parse);
        }
        faults.optional(&at("firstName"), &self.first_name, &mut to.first_name, Line::parse);
        faults.optional(&at("lastName"), &self.last_name, &mut to.last_name, Line::parse);
        faults.optional(&at("title"), &self.title, &mut to.title, Line::parse);
        faults.optional(&at("role"), &self.role, &mut to.role, Line::parse);
        faults.optional(&at("email"), &self.email, &mut to.email, Email::parse);
        faults.optional(&at("phone"), &self.phone, &mut to.phone, Line::parse);
        faults.optional(&at("mobile"), &self.mobile, &mut to.mobile, Line::parse);
        faults.optional(&at("department"), &self.department, &mut to.department, Line::parse);
        faults.optional(&at("avatarUrl"), &self.avatar_url, &mut to.avatar_url, Line::parse);
        faults.optional(&at("notes"), &self.notes, &mut to.notes, Note::parse);
        replace_or_default(&self.metadata, &mut to.metadata);
        if let Change::Set(active) = self.is_active {
            to.is_active = active;
        }
        to.email_key = to.email.as_ref().map(Email::key);
        let nameless = to.first_name.is_none() && to.last_name.is_none();
        if nameless && to.email.is_none() && !matches!(self.email, Change::Set(_)) {
            faults.add(at("email"), "", "or a name is required");
        }
    }
}

/// A whole name as first and last name, split at the last space.
fn split(name: &str) -> (String, Option<String>) {
    match name.trim().rsplit_once(char::is_whitespace) {
        Some((first, last)) => (first.trim_end().to_owned(), Some(last.to_owned())),
        None => (name.trim().to_owned(), None),
    }
}

impl Contact {
    /// First and last name, or the email address.
    #[must_use]
    pub fn full_name(&self) -> String {
        let names = [self.first_name.as_ref(), self.last_name.as_ref()];
        let name = names.into_iter().flatten().map(Line::as_str).collect::<Vec<_>>().join(" ");
        match &self.email {
            Some(email) if name.is_empty() => email.to_string(),
            _ => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_name_splits_at_its_last_space() {
        let parts = |name| split(name);
        assert_eq!(parts(" Ada  King Lovelace "), ("Ada  King".into(), Some("Lovelace".into())));
        assert_eq!(parts("Plato"), ("Plato".into(), None));
    }
}

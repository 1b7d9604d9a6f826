//! Contacts: kept once for each email address, at most one of them the main one.

use crate::domain::contact::{Contact, ContactDraft, ContactId};
use crate::domain::customer::{Customer, CustomerId, CustomerKind};
use crate::domain::document::Document;
use crate::domain::email::Email;
use crate::error::{Error, Faults, Result};
use crate::page::{Cursor, Page};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde::Serialize;
use serde_json::json;

const CUSTOMER: Col = <Contact as Stored>::TABLE.col("customer_id");
const CREATED_AT: Col = <Contact as Stored>::TABLE.col("created_at");
const EMAIL_KEY: Col = <Contact as Stored>::TABLE.col("email_key");
const SHORT_ID: Col = <Contact as Stored>::TABLE.col("short_id");
const PRIMARY: Col = <Contact as Stored>::TABLE.col("is_primary");

/// The most contacts in one batch.
const BATCH_MAX: usize = 10_000;

/// A contact that was created or updated.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ContactUpsert {
    /// The contact.
    #[serde(flatten)]
    pub contact: Contact,
    /// Whether it was created.
    pub is_new: bool,
}

/// What became of a batch of contacts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ContactsUpsert {
    /// How many were created.
    pub created: usize,
    /// How many were there and were updated.
    pub updated: usize,
    /// Each contact once, in the order of the batch: its email address, its id, whether it is new.
    pub contacts: Vec<(Option<Email>, ContactId, bool)>,
}

impl View<'_> {
    /// The contact with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn contact(&self, id: ContactId) -> Result<Contact> {
        self.require(id)
    }

    /// The contacts of a customer, newest first, or the main one only.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn contacts(
        &self,
        customer: CustomerId,
        primary_only: bool,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Contact>> {
        self.customer(customer)?;
        let mut query = Query::all().eq(CUSTOMER, &customer).newest_by(CREATED_AT);
        if primary_only {
            query = query.eq(PRIMARY, &true);
        }
        self.page(query, limit, cursor)
    }

    /// The main contact of a customer.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn primary_contact(&self, customer: CustomerId) -> Result<Option<Contact>> {
        self.first(Query::all().eq(CUSTOMER, &customer).eq(PRIMARY, &true))
    }

    /// The contact of a customer that has this email address.
    pub(crate) fn contact_by_email(
        &self,
        customer: CustomerId,
        key: &str,
    ) -> Result<Option<Contact>> {
        let query = Query::all().eq(CUSTOMER, &customer);
        self.first(query.eq(EMAIL_KEY, &Some(key.to_owned())))
    }
}

impl Tx<'_> {
    /// Creates a contact, or updates the one that the customer has with this email address. Fields
    /// that the draft does not name stay as they are.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] with every fault of the draft.
    pub fn upsert_contact(
        &mut self,
        customer: CustomerId,
        draft: &ContactDraft,
    ) -> Result<ContactUpsert> {
        let customer = self.view().customer(customer)?;
        let mut faults = Faults::default();
        self.blank_contact(customer.id, draft, "", &mut faults);
        faults.check()?;
        self.whole(|tx| tx.upsert_checked(&customer, draft))
    }

    /// Creates or updates many contacts, all or none. An email address that stands twice in the
    /// batch is one contact, and the last values win.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] with every fault of every draft, or when there are
    /// more than 10,000.
    pub fn upsert_contacts(
        &mut self,
        customer: CustomerId,
        drafts: &[ContactDraft],
    ) -> Result<ContactsUpsert> {
        let customer = self.view().customer(customer)?;
        if drafts.len() > BATCH_MAX {
            let rule = "must be at most 10,000";
            return Err(Error::invalid("contacts", &drafts.len().to_string(), rule));
        }
        let mut faults = Faults::default();
        for (place, draft) in drafts.iter().enumerate() {
            self.blank_contact(customer.id, draft, &format!("contacts[{place}]."), &mut faults);
        }
        faults.check()?;
        self.whole(|tx| {
            let mut done = ContactsUpsert::default();
            for draft in drafts {
                let ContactUpsert { contact, is_new } = tx.upsert_checked(&customer, draft)?;
                if done.contacts.iter().any(|(_, id, _)| *id == contact.id) {
                    continue;
                }
                let count = if is_new { &mut done.created } else { &mut done.updated };
                *count = count.saturating_add(1);
                done.contacts.push((contact.email, contact.id, is_new));
            }
            Ok(done)
        })
    }

    /// Changes what the draft names of a contact.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`]; [`Error::Taken`] when another contact of the
    /// customer has the email address; [`Error::Rule`] when the main contact of a business would
    /// no longer be it.
    pub fn update_contact(&mut self, id: ContactId, draft: &ContactDraft) -> Result<Contact> {
        let before = self.view().contact(id)?;
        let customer = self.view().customer(before.customer_id)?;
        let mut contact = before.clone();
        let mut faults = Faults::default();
        draft.apply(&mut contact, "", &mut faults);
        faults.check()?;
        if let Some(key) = &contact.email_key
            && let Some(other) = self.view().contact_by_email(customer.id, key)?
            && other.id != id
        {
            return Err(Error::taken("contact", "email", key, other.id));
        }
        self.whole(|tx| tx.keep_contact(&customer, before, contact, draft.wants_primary()))
    }

    /// Removes a contact. When it was the main one of a business, the oldest that remains becomes
    /// it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn remove_contact(&mut self, id: ContactId) -> Result<()> {
        let contact = self.view().contact(id)?;
        let customer = self.require::<Customer>(contact.customer_id)?;
        self.whole(|tx| {
            tx.delete::<Contact>(id)?;
            tx.announce("contact.removed", id, customer.id, json!({}));
            tx.ensure_primary_contact(&customer)?;
            tx.index_customer(&customer)
        })
    }

    /// A business or enterprise that has contacts has a main one: the oldest, if nobody chose.
    pub(crate) fn ensure_primary_contact(&mut self, customer: &Customer) -> Result<()> {
        if !needs_primary(customer) || self.view().primary_contact(customer.id)?.is_some() {
            return Ok(());
        }
        let query = Query::all().eq(CUSTOMER, &customer.id).oldest_by(CREATED_AT);
        if let Some(mut oldest) = self.view().first::<Contact>(query)? {
            oldest.is_primary = true;
            oldest.updated_at = self.now();
            self.put(&oldest)?;
            self.announce("contact.promoted", oldest.id, customer.id, json!({}));
        }
        Ok(())
    }

    fn upsert_checked(
        &mut self,
        customer: &Customer,
        draft: &ContactDraft,
    ) -> Result<ContactUpsert> {
        let known = match draft.email_key() {
            Some(key) => self.view().contact_by_email(customer.id, &key)?,
            None => None,
        };
        let mut faults = Faults::default();
        if let Some(before) = known {
            let mut contact = before.clone();
            draft.apply(&mut contact, "", &mut faults);
            faults.check()?;
            let contact = self.keep_contact(customer, before, contact, draft.wants_primary())?;
            return Ok(ContactUpsert { contact, is_new: false });
        }
        let mut contact = self.blank_contact(customer.id, draft, "", &mut faults);
        faults.check()?;
        contact.short_id = self.free_short_id(&contact.full_name(), |view, id| {
            view.first::<Contact>(Query::all().eq(SHORT_ID, &id)).map(|holder| holder.is_some())
        })?;
        if draft.wants_primary() == Some(true) {
            self.demote(customer)?;
            contact.is_primary = true;
        }
        self.insert(&contact)?;
        self.announce("contact.created", contact.id, customer.id, json!({}));
        self.ensure_primary_contact(customer)?;
        self.index_customer(customer)?;
        let contact = self.view().contact(contact.id)?;
        Ok(ContactUpsert { contact, is_new: true })
    }

    fn keep_contact(
        &mut self,
        customer: &Customer,
        before: Contact,
        mut contact: Contact,
        wants_primary: Option<bool>,
    ) -> Result<Contact> {
        match wants_primary {
            Some(true) if !before.is_primary => {
                self.demote(customer)?;
                contact.is_primary = true;
            }
            Some(false) if before.is_primary => {
                if needs_primary(customer) {
                    let rule = "a business that has contacts needs a primary one: choose another";
                    return Err(Error::rule(rule));
                }
                contact.is_primary = false;
            }
            _ => {}
        }
        if contact == before {
            return Ok(before);
        }
        contact.updated_at = self.now();
        self.put(&contact)?;
        let event = if contact.is_primary && !before.is_primary {
            "contact.promoted"
        } else {
            "contact.updated"
        };
        self.announce(event, contact.id, customer.id, json!({}));
        if contact.email_key != before.email_key {
            self.index_customer(customer)?;
        }
        Ok(contact)
    }

    /// Takes the role of main contact from whoever has it.
    fn demote(&mut self, customer: &Customer) -> Result<()> {
        if let Some(mut former) = self.view().primary_contact(customer.id)? {
            former.is_primary = false;
            former.updated_at = self.now();
            self.put(&former)?;
            self.announce("contact.updated", former.id, customer.id, json!({}));
        }
        Ok(())
    }

    /// A new contact as the draft wants it, its faults noted; not yet a main one.
    pub(crate) fn blank_contact(
        &self,
        customer_id: CustomerId,
        draft: &ContactDraft,
        path: &str,
        faults: &mut Faults,
    ) -> Contact {
        let now = self.now();
        let mut contact = Contact {
            id: self.fresh(),
            customer_id,
            short_id: String::new(),
            first_name: None,
            last_name: None,
            title: None,
            role: None,
            email: None,
            email_key: None,
            phone: None,
            mobile: None,
            department: None,
            is_primary: false,
            avatar_url: None,
            notes: None,
            metadata: Document::new(),
            is_active: true,
            product_id: None,
            created_at: now,
            updated_at: now,
        };
        draft.apply(&mut contact, path, faults);
        contact
    }
}

const fn needs_primary(customer: &Customer) -> bool {
    matches!(customer.kind, CustomerKind::Business | CustomerKind::Enterprise)
}

//! Customers: created, found, changed, moved from one standing to another.

use crate::domain::alias::{AliasSource, own};
use crate::domain::company_name::name_key;
use crate::domain::contact::Contact;
use crate::domain::customer::{
    Customer, CustomerAction, CustomerDraft, CustomerId, CustomerKind, CustomerStatus, Stage,
};
use crate::domain::display_name::friendly;
use crate::domain::document::Document;
use crate::domain::draft::Change;
use crate::domain::email::Email;
use crate::domain::slug::slug;
use crate::domain::text::{Code, ExternalId, Name, Note};
use crate::domain::user::{User, UserId};
use crate::error::{Error, Faults, Result};
use crate::ops::links::NewLink;
use crate::ops::smart_link::known;
use crate::page::{Cursor, Page};
use crate::store::StoreError;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use time::OffsetDateTime;

const NAME_KEY: Col = <Customer as Stored>::TABLE.col("name_key");
const SHORT_ID: Col = <Customer as Stored>::TABLE.col("short_id");
const EXTERNAL_ID: Col = <Customer as Stored>::TABLE.col("external_id");
const EMAIL_KEY: Col = <Customer as Stored>::TABLE.col("email_key");
const CREATED_AT: Col = <Customer as Stored>::TABLE.col("created_at");
const STATUS: Col = <Customer as Stored>::TABLE.col("status");
const DELETED_AT: Col = <Customer as Stored>::TABLE.col("deleted_at");
const CONTACT_EMAIL: Col = <Contact as Stored>::TABLE.col("email_key");

impl View<'_> {
    /// The customer with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none, or it is deleted.
    pub fn customer(&self, id: CustomerId) -> Result<Customer> {
        let customer = self.get::<Customer>(id)?.filter(|it| it.deleted_at.is_none());
        customer.ok_or_else(|| Error::not_found("customer", id))
    }

    /// The customer with this name, without regard to case, Unicode form and surrounding space.
    pub fn customer_by_name(&self, name: &str) -> Result<Option<Customer>> {
        self.living(Query::all().eq(NAME_KEY, &name_key(name)))
    }

    /// The customer with this short id.
    pub fn customer_by_short_id(&self, short_id: &str) -> Result<Option<Customer>> {
        self.living(Query::all().eq(SHORT_ID, &short_id.to_owned()))
    }

    /// The customer with the host's own id.
    pub fn customer_by_external_id(&self, external_id: &str) -> Result<Option<Customer>> {
        let Ok(id) = ExternalId::parse(external_id) else { return Ok(None) };
        self.living(Query::all().eq(EXTERNAL_ID, &Some(id)))
    }

    /// The customer who holds this email address: as its own, else as a contact's; the one that was
    /// first if there are several.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when it is not an email address.
    pub fn customer_by_email(&self, email: &str) -> Result<Option<Customer>> {
        let email = Email::parse(email).map_err(Error::malformed("email"))?;
        let key = Some(email.key());
        if let Some(customer) = self.living(Query::all().eq(EMAIL_KEY, &key))? {
            return Ok(Some(customer));
        }
        for contact in self.all::<Contact>(Query::all().eq(CONTACT_EMAIL, &key))? {
            let customer = self.get::<Customer>(contact.customer_id)?;
            if let Some(customer) = customer.filter(|it| it.deleted_at.is_none()) {
                return Ok(Some(customer));
            }
        }
        Ok(None)
    }

    /// Customers, newest first, a page at a time; those of one standing if it is given.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn customers(
        &self,
        status: Option<CustomerStatus>,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Customer>> {
        let mut query = Query::all().newest_by(CREATED_AT).eq(DELETED_AT, &None::<OffsetDateTime>);
        if let Some(status) = status {
            query = query.eq(STATUS, &status);
        }
        self.page(query, limit, cursor)
    }

    /// The first customer that `query` selects and that is not deleted.
    pub(crate) fn living(&self, query: Query) -> Result<Option<Customer>> {
        self.first(query.eq(DELETED_AT, &None::<OffsetDateTime>))
    }

    /// The customer who has what must be unique, a deleted one included: it can be restored.
    fn holder(&self, col: Col, value: &impl crate::value::Field) -> Result<Option<Customer>> {
        self.first(Query::all().eq(col, value))
    }
}

impl Tx<'_> {
    /// Creates a customer: on the tier `free`, with a free subscription, a display name and a short
    /// id. It starts as a `prospect` unless the draft says otherwise. One that starts as `active` has
    /// signed up: the workflows of a trial are requested, unless it was created in the past.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault of the draft; [`Error::Taken`] when another customer has
    /// the name or the external id.
    pub fn create_customer(&mut self, draft: &CustomerDraft) -> Result<Customer> {
        self.whole(|tx| {
            let customer = tx.create_customer_as(draft, CustomerStatus::Prospect)?;
            tx.welcome(&customer);
            Ok(customer)
        })
    }

    pub(crate) fn create_customer_as(
        &mut self,
        draft: &CustomerDraft,
        default_status: CustomerStatus,
    ) -> Result<Customer> {
        let mut faults = Faults::default();
        if draft.name.is_keep() {
            faults.add("name", "", "is required");
        }
        let mut status = default_status;
        faults.required("status", &draft.status, &mut status, str::parse);
        let mut customer = self.blank(status)?;
        if status == CustomerStatus::Churned {
            customer.stage = Stage::Churned;
        }
        draft.apply(&mut customer, &mut faults);
        self.check_company(&customer, draft, &mut faults)?;
        self.check_assignment(draft, &mut faults)?;
        faults.check()?;
        self.whole(|tx| {
            tx.add_customer(&mut customer)?;
            tx.index_known(customer.id, known(&customer, Vec::new(), &[]))?;
            let data = json!({ "name": customer.name, "status": customer.status });
            tx.announce("customer.created", customer.id, customer.id, data);
            let since = customer.created_at.min(tx.now());
            tx.start_for_free(&customer, since)?;
            if let Change::Set(external) = &draft.external_org_id {
                tx.link(customer.id, &NewLink::to(external.as_str()))?;
            }
            if let Some(contact) = draft.contact() {
                tx.upsert_contact(customer.id, &contact)?;
            }
            Ok(customer)
        })
    }

    /// Changes what the draft names of a customer. A name, company name or domain that it no longer
    /// has stays with it as an [`Alias`](crate::Alias), so that smart linking still finds it by that.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] with every fault of the draft; [`Error::Taken`] when
    /// another customer has the name or the external id; [`Error::Stale`] when the draft expects
    /// another version.
    pub fn update_customer(&mut self, id: CustomerId, draft: &CustomerDraft) -> Result<Customer> {
        let before = self.view().customer(id)?;
        if let Change::Set(expected) = draft.if_version
            && expected != before.version
        {
            let (noun, found) = ("customer", before.version);
            return Err(Error::Stale { noun, id: id.into(), expected, found });
        }
        let mut customer = before.clone();
        let mut faults = Faults::default();
        draft.apply(&mut customer, &mut faults);
        if !draft.status.is_keep() {
            faults.add("status", "", "is changed by its actions, not by an update");
        }
        let (org, contact) = (&draft.external_org_id, draft.contact());
        if !org.is_keep() || contact.is_some() {
            faults.add("externalOrgId", "", "and the contact are given when a customer is created");
        }
        self.check_assignment(draft, &mut faults)?;
        faults.check()?;
        self.check_unique(&customer)?;
        if customer == before {
            return Ok(before);
        }
        self.whole(|tx| {
            tx.keep_customer(&mut customer)?;
            if before.timezone != customer.timezone {
                tx.move_zone(&customer)?;
            }
            if before.csm_id != customer.csm_id {
                tx.follow_csm(&customer)?;
            }
            if before.kind != customer.kind {
                tx.ensure_primary_contact(&customer)?;
            }
            if before.csm_id != customer.csm_id {
                tx.hand_over_opportunities(&customer)?;
            }
            let fields = changed_fields(&before, &customer);
            tx.announce("customer.updated", id, id, json!({ "fields": fields }));
            let clues = |it: &Customer| {
                let names = (it.name.clone(), it.company_name.clone());
                (names, it.domain.clone(), it.email.clone(), it.billing_email.clone())
            };
            if clues(&before) != clues(&customer) {
                tx.learn(&customer, own(&before), AliasSource::Former)?;
                tx.index_customer(&customer)?;
            }
            Ok(customer)
        })
    }

    /// Moves a customer to another standing. Asking for the one that it has changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::InvalidTransition`], naming what is allowed.
    pub fn move_customer(&mut self, id: CustomerId, action: CustomerAction) -> Result<Customer> {
        let mut customer = self.view().customer(id)?;
        let from = customer.status;
        let Some(to) = from.after(action)? else {
            return Ok(customer);
        };
        self.whole(|tx| {
            customer.status = to;
            customer.is_active = to.is_active();
            let data = json!({ "from": from, "to": to });
            tx.announce(format!("customer.{}", action.event()), id, id, data.clone());
            tx.follow_status(&mut customer, action)?;
            tx.keep_customer(&mut customer)?;
            if action == CustomerAction::Activate
                && matches!(from, CustomerStatus::Prospect | CustomerStatus::Lead)
            {
                tx.announce("customer.converted", id, id, data);
            }
            tx.refresh_meters(&customer)?;
            Ok(customer)
        })
    }

    /// The customer who holds this email address, or a new one: never two for one address. A
    /// customer that is suspended, churned or inactive is reactivated; everything that it has stays.
    ///
    /// Without a name, a new customer is called by its address.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the address or the name is none; [`Error::Taken`] when a customer
    /// with another address has the name.
    pub fn ensure_account(&mut self, email: &str, name: Option<&str>) -> Result<Customer> {
        if let Some(customer) = self.view().customer_by_email(email)? {
            let resting = !customer.status.is_active();
            return if resting {
                self.move_customer(customer.id, CustomerAction::Reactivate)
            } else {
                Ok(customer)
            };
        }
        let draft = CustomerDraft::named(name.unwrap_or(email)).email(email);
        self.whole(|tx| {
            let customer = tx.create_customer_as(&draft, CustomerStatus::Active)?;
            tx.welcome(&customer);
            Ok(customer)
        })
    }

    /// Requests the workflows of a trial for a customer that has signed up for it now: not for a
    /// prospect, and not for one that was a customer before and is only recorded now.
    pub(crate) fn welcome(&mut self, customer: &Customer) {
        let signs_up = customer.status == CustomerStatus::Active && customer.stage == Stage::Trial;
        if signs_up && customer.created_at >= self.now() {
            self.request_workflows(customer.id, customer.stage, customer.id.uuid());
        }
    }

    /// Hides a customer. It keeps its name and can be restored; its features cannot be used.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn delete_customer(&mut self, id: CustomerId) -> Result<()> {
        let mut customer = self.view().customer(id)?;
        self.whole(|tx| {
            customer.deleted_at = Some(tx.now());
            tx.keep_customer(&mut customer)?;
            tx.index_customer(&customer)?;
            tx.hide_opportunities(id)?;
            tx.announce("customer.deleted", id, id, json!({}));
            tx.refresh_meters(&customer)
        })
    }

    /// Brings a deleted customer back, as it was. One that is not deleted stays as it is. Playbooks
    /// that were given up meanwhile begin anew for the signals that still stand.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn restore_customer(&mut self, id: CustomerId) -> Result<Customer> {
        let mut customer = self.require::<Customer>(id)?;
        let Some(deleted_at) = customer.deleted_at else { return Ok(customer) };
        self.whole(|tx| {
            customer.deleted_at = None;
            tx.keep_customer(&mut customer)?;
            tx.index_customer(&customer)?;
            tx.show_opportunities(id)?;
            tx.announce("customer.restored", id, id, json!({}));
            tx.refresh_meters(&customer)?;
            tx.resume_playbooks(&customer, deleted_at)?;
            Ok(customer)
        })
    }

    /// Notes that a customer wants to cancel, and why. It stays what it is until its subscription is
    /// cancelled. Asking again changes nothing. Once it has left, coming back ends the request.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let kept = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme Inc."))?.id;
    ///     let asked = tx.request_cancellation(acme, "Too expensive")?;
    ///     assert_eq!(asked.cancellation_requested_at, Some(tx.now()));
    ///     tx.withdraw_cancellation(acme)
    /// })?;
    /// assert_eq!(kept.cancellation_requested_at, None);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when there is no reason, or it is too long.
    pub fn request_cancellation(&mut self, id: CustomerId, reason: &str) -> Result<Customer> {
        let mut customer = self.view().customer(id)?;
        let reason = Note::parse(reason.trim()).map_err(Error::malformed("reason"))?;
        if reason.as_str().is_empty() {
            return Err(Error::invalid("reason", "", "is required"));
        }
        if customer.cancellation_requested_at.is_some() {
            return Ok(customer);
        }
        self.whole(|tx| {
            let data = json!({ "reason": reason });
            customer.cancellation_requested_at = Some(tx.now());
            customer.cancellation_reason = Some(reason);
            tx.keep_customer(&mut customer)?;
            tx.announce("customer.cancellation_requested", id, id, data);
            tx.evaluate_soon(id)?;
            Ok(customer)
        })
    }

    /// Notes that a customer does not want to cancel any more. If it did not, nothing changes.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn withdraw_cancellation(&mut self, id: CustomerId) -> Result<Customer> {
        let mut customer = self.view().customer(id)?;
        if customer.cancellation_requested_at.is_none() {
            return Ok(customer);
        }
        self.whole(|tx| {
            customer.cancellation_requested_at = None;
            customer.cancellation_reason = None;
            tx.keep_customer(&mut customer)?;
            tx.announce("customer.cancellation_withdrawn", id, id, json!({}));
            tx.evaluate_soon(id)?;
            Ok(customer)
        })
    }

    /// Writes a customer that changed.
    pub(crate) fn keep_customer(&mut self, customer: &mut Customer) -> Result<()> {
        customer.updated_at = self.now();
        customer.version = customer.version.saturating_add(1);
        self.put(customer)
    }

    fn blank(&self, status: CustomerStatus) -> Result<Customer> {
        let now = self.now();
        let unnamed = |text: &str| Name::parse(text).map_err(Error::malformed("name"));
        let tier = Code::parse("free").map_err(Error::malformed("tier"))?;
        Ok(Customer {
            id: self.fresh(),
            external_id: None,
            short_id: String::new(),
            display_name: String::new(),
            name: unnamed("unnamed")?,
            name_key: String::new(),
            company_name: None,
            email: None,
            email_key: None,
            phone: None,
            website: None,
            domain: None,
            kind: CustomerKind::Business,
            industry: None,
            size: None,
            source: None,
            tags: Vec::new(),
            address: None,
            country: None,
            timezone: None,
            locale: None,
            billing_email: None,
            billing_address: None,
            tax_id: None,
            default_currency: None,
            payment_method: None,
            health_score: None,
            risk_level: None,
            lifetime_value: None,
            monthly_spend: None,
            engagement_score: None,
            last_activity_at: None,
            last_contact: None,
            next_follow_up: None,
            assigned_to: None,
            csm_id: None,
            created_by: self.actor().to_owned(),
            created_at: now,
            updated_at: now,
            first_purchase_at: None,
            status,
            stage: Stage::Trial,
            tier,
            is_active: status.is_active(),
            notes: None,
            config: Document::new(),
            features: Document::new(),
            metadata: Document::new(),
            product_id: self.product().clone(),
            version: 1,
            cancellation_requested_at: None,
            cancellation_reason: None,
            deleted_at: None,
        })
    }

    /// Notes faults of the organisation and the contact that a new customer comes with; a conflict
    /// if the organisation is another's already.
    fn check_company(
        &self,
        customer: &Customer,
        draft: &CustomerDraft,
        faults: &mut Faults,
    ) -> Result<()> {
        if let Some(contact) = draft.contact() {
            self.blank_contact(customer.id, &contact, "contact.", faults);
        }
        let Change::Set(external) = &draft.external_org_id else { return Ok(()) };
        faults.note("externalOrgId", ExternalId::parse(external));
        match self.view().link(external)? {
            Some(link) => Err(Error::taken("link", "external org id", external, link.customer_id)),
            None => Ok(()),
        }
    }

    /// Whether a customer, a deleted one included, has this name.
    pub(crate) fn name_is_taken(&self, name: &str) -> Result<bool> {
        Ok(self.view().holder(NAME_KEY, &name_key(name))?.is_some())
    }

    /// Writes a customer that is new, with a short id and a display name. The store says which of
    /// what must be unique is taken, so that what is free, as nearly always, is not looked up first.
    fn add_customer(&mut self, customer: &mut Customer) -> Result<()> {
        customer.short_id = slug(customer.name.as_str());
        let attempt = self.first_name_attempt()?;
        customer.display_name = friendly(self.random(), attempt);
        match self.insert(customer) {
            Err(Error::Store(StoreError::Conflict { .. })) => {
                self.check_unique(customer)?;
                customer.short_id = self.free_short_id(customer.name.as_str(), |view, id| {
                    view.holder(SHORT_ID, &id).map(|holder| holder.is_some())
                })?;
                self.insert(customer)?;
            }
            inserted => drop(inserted?),
        }
        let first = customer.display_name.clone();
        self.reserve_unused_name(customer, attempt)?;
        if customer.display_name == first { Ok(()) } else { self.put(customer) }
    }

    fn check_unique(&self, customer: &Customer) -> Result<()> {
        let view = self.view();
        let other = |holder: Option<Customer>| holder.filter(|holder| holder.id != customer.id);
        if let Some(holder) = other(view.holder(NAME_KEY, &customer.name_key)?) {
            return Err(Error::taken("customer", "name", customer.name.as_str(), holder.id));
        }
        let Some(external_id) = &customer.external_id else { return Ok(()) };
        match other(view.holder(EXTERNAL_ID, &Some(external_id.clone()))?) {
            Some(holder) => {
                Err(Error::taken("customer", "external id", external_id.as_str(), holder.id))
            }
            None => Ok(()),
        }
    }

    /// Notes assignments to users that the host did not register, or that have left.
    fn check_assignment(&self, draft: &CustomerDraft, faults: &mut Faults) -> Result<()> {
        for (field, change) in [("assignedTo", &draft.assigned_to), ("csmId", &draft.csm_id)] {
            if let Change::Set(user) = change
                && !self.works_here(*user)?
            {
                faults.add(field, &user.to_string(), "must be a user who is registered and active");
            }
        }
        Ok(())
    }

    pub(crate) fn works_here(&self, id: UserId) -> Result<bool> {
        Ok(self.get::<User>(id)?.is_some_and(|user| user.is_active))
    }

    /// A slug of `name` that `taken` knows nothing of: `acme`, `acme-2`, `acme-3`, and after a few
    /// of them one with a random end.
    pub(crate) fn free_short_id(
        &self,
        name: &str,
        taken: impl Fn(&View<'_>, String) -> Result<bool>,
    ) -> Result<String> {
        const TRIES: u32 = 20;
        let (view, slug) = (self.view(), slug(name));
        for number in 1..=TRIES {
            let id = if number == 1 { slug.clone() } else { format!("{slug}-{number}") };
            if !taken(&view, id.clone())? {
                return Ok(id);
            }
        }
        let random = self.random() & 0xFFFF_FFFF_FFFF;
        Ok(format!("{slug}-{random:012x}"))
    }
}

/// The names of the columns in which two customers differ, bookkeeping left out.
fn changed_fields(before: &Customer, after: &Customer) -> Vec<&'static str> {
    use crate::record::Record;
    let rows = (before.to_row(), after.to_row());
    let columns = Customer::COLUMNS.iter().enumerate();
    let changed = columns.filter(|(place, _)| rows.0.at(*place) != rows.1.at(*place));
    let bookkeeping = ["updated_at", "version", "name_key", "email_key"];
    changed.map(|(_, column)| column.name).filter(|name| !bookkeeping.contains(name)).collect()
}

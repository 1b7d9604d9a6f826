//! Onboarding: everything that a sign-up needs, in one call that makes nothing twice.

use crate::domain::contact::{Contact, ContactDraft};
use crate::domain::customer::{Customer, CustomerDraft, CustomerStatus};
use crate::domain::domain_name::DomainName;
use crate::domain::draft::Change;
use crate::domain::email::Email;
use crate::domain::link::LinkKind;
use crate::domain::onboarding::{
    BillingOutcome, LinkStatus, Onboard, Onboarded, SmartLink, Suggestion,
};
use crate::domain::text::{ExternalId, Line, Name};
use crate::error::{Error, Faults, Result};
use crate::ops::links::NewLink;
use crate::tenure::Tenure;
use crate::tx::Tx;

impl Tenure {
    /// Onboards an organisation of the handle's product: finds the customer that it is or creates
    /// one, links it, keeps its contact and gives it its tier, in one transaction; then claims its
    /// checkout or links its subscription. Calling it again, also at the same time, makes nothing
    /// twice. A payment that cannot be taken up does not undo the customer:
    /// [`BillingOutcome::error`] says why, and onboarding again tries again.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{LinkStatus, Onboard, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let acme = Onboard::org("org_42").company("Acme Inc.").domain("https://www.acme.com/about");
    /// let first = tenure.onboard(&acme)?;
    /// assert_eq!(first.link_status, LinkStatus::Created);
    /// let again = tenure.onboard(&acme)?;
    /// assert_eq!((again.customer_id, again.link_status), (first.customer_id, LinkStatus::AlreadyLinked));
    /// let store = tenure.onboard(&Onboard::org("org_43").domain("acme.com").company("ACME"))?;
    /// assert_eq!((store.customer_id, store.link_status), (first.customer_id, LinkStatus::Linked));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault of the request; [`Error::NotFound`] when its tier is not
    /// defined.
    pub fn onboard(&self, request: &Onboard) -> Result<Onboarded> {
        let mut onboarded = self.write(|tx| tx.onboard(request))?;
        if request.checkout_session_id.is_some() || request.stripe_subscription_id.is_some() {
            self.take_up_payment(request, &mut onboarded);
        }
        Ok(onboarded)
    }

    fn take_up_payment(&self, request: &Onboard, onboarded: &mut Onboarded) {
        let (customer, outcome) = (onboarded.customer_id, &mut onboarded.billing_status);
        let taken = match (&request.checkout_session_id, &request.stripe_subscription_id) {
            (Some(session), _) => self.claim_checkout(customer, session),
            (None, Some(subscription)) => self.link_subscription(
                customer,
                subscription,
                request.stripe_customer_id.as_deref(),
                request.tier_code.as_deref(),
                None,
            ),
            (None, None) => return,
        };
        match taken {
            Ok(link) => {
                outcome.subscription_id = Some(link.subscription_id);
                outcome.claimed = request.checkout_session_id.is_some();
                outcome.linked = request.checkout_session_id.is_none();
                outcome.tier_applied = link.tier_code.or_else(|| outcome.tier_applied.take());
                outcome.error = None;
            }
            Err(error) => outcome.error = Some(error.to_string()),
        }
    }
}

impl Tx<'_> {
    /// Onboards an organisation as [`Tenure::onboard`] does, all but its payment: that is asked of
    /// the billing gateway, and no transaction waits for a network.
    ///
    /// # Errors
    ///
    /// As [`Tenure::onboard`].
    pub fn onboard(&mut self, request: &Onboard) -> Result<Onboarded> {
        self.check_request(request)?;
        self.whole(|tx| tx.onboard_checked(request))
    }

    /// Every fault of the request, before anything is written.
    fn check_request(&self, request: &Onboard) -> Result<()> {
        let mut faults = Faults::default();
        faults.note("externalOrgId", ExternalId::parse(&request.external_org_id));
        let user = request.external_user_id.as_deref();
        user.and_then(|it| faults.note("externalUserId", ExternalId::parse(it)));
        let email = request.contact_email.as_deref();
        email.and_then(|it| faults.note("contactEmail", Email::parse(it)));
        let name = request.contact_name.as_deref();
        name.and_then(|it| faults.note("contactName", Line::parse(it)));
        for (field, id) in [
            ("checkoutSessionId", &request.checkout_session_id),
            ("stripeSubscriptionId", &request.stripe_subscription_id),
            ("stripeCustomerId", &request.stripe_customer_id),
        ] {
            id.as_deref().and_then(|it| faults.note(field, ExternalId::parse(it)));
        }
        if let Some(at) = request.created_at {
            crate::domain::instant::check_year("createdAt", at, &mut faults);
        }
        for (place, draft) in request.contacts.iter().enumerate() {
            // Nobody's contact: only its faults are of interest.
            self.blank_contact(self.fresh(), draft, &format!("contacts[{place}]."), &mut faults);
        }
        faults.check()?;
        match &request.tier_code {
            Some(code) => self.view().tier(code).map(drop),
            None => Ok(()),
        }
    }

    fn onboard_checked(&mut self, request: &Onboard) -> Result<Onboarded> {
        let external = request.external_org_id.as_str();
        let (customer, link_status, confidence, suggestions) =
            match self.view().customer_by_link(external)? {
                Some(customer) => (customer, LinkStatus::AlreadyLinked, None, Vec::new()),
                None => self.match_or_create(request)?,
            };
        let is_new = link_status != LinkStatus::AlreadyLinked;
        self.keep_contacts(&customer, request)?;
        let mut billing_status = BillingOutcome::default();
        // A repeated call does not give a tier again: the customer may have moved on since. One that
        // is paid for comes with the payment, and not before.
        let pays =
            request.checkout_session_id.is_some() || request.stripe_subscription_id.is_some();
        if let Some(code) = request.tier_code.as_deref().filter(|_| is_new && !pays) {
            let applied = self.apply_tier(customer.id, code, &[])?;
            billing_status.tier_applied = Some(applied.change.to);
        }
        let (customer_id, customer_name) = (customer.id, customer.name);
        Ok(Onboarded {
            customer_id,
            customer_name,
            link_status,
            confidence,
            suggestions,
            billing_status,
        })
    }

    fn match_or_create(
        &mut self,
        request: &Onboard,
    ) -> Result<(Customer, LinkStatus, Option<f64>, Vec<Suggestion>)> {
        let least = self.config().min_confidence;
        let mut new = NewLink::to(&request.external_org_id);
        new.external_user_id.clone_from(&request.external_user_id);
        let suggestions = match self.view().find_match(&request.hints, least)? {
            SmartLink::Linked(best) => {
                let confidence = Some(best.confidence);
                let customer = self.view().customer(best.customer_id)?;
                self.link_as(customer.id, &new, LinkKind::Smart, confidence)?;
                return Ok((customer, LinkStatus::Linked, confidence, Vec::new()));
            }
            SmartLink::Suggestions { suggestions } => suggestions,
            SmartLink::AlreadyLinked { .. } | SmartLink::NoMatch => Vec::new(),
        };
        let draft = self.draft_of(request)?;
        let customer = self.create_customer_as(&draft, CustomerStatus::Active)?;
        self.link_as(customer.id, &new, LinkKind::Onboard, None)?;
        // Who pays already is welcomed as a customer.
        if request.checkout_session_id.is_none() && request.stripe_subscription_id.is_none() {
            self.welcome(&customer);
        }
        Ok((customer, LinkStatus::Created, None, suggestions))
    }

    /// The customer to create: called by its name, else by its domain, its contact's address or the
    /// product's id for it; with the domain or that id added where another customer has the name.
    fn draft_of(&self, request: &Onboard) -> Result<CustomerDraft> {
        let hints = &request.hints;
        let (own, of_people) = (request.own_domain(), request.people_domain());
        let named = hints.company_name.as_deref().filter(|it| Name::parse(it).is_ok());
        let shown = own.as_ref().or(of_people.as_ref()).map(DomainName::as_str);
        let external = request.external_org_id.as_str();
        let name = named.or(shown).or(request.contact_email.as_deref()).unwrap_or(external);
        let mut draft = CustomerDraft::named(self.free_name(name, shown, external)?);
        if let Some(domain) = &own {
            draft = draft.domain(domain.as_str());
        }
        if let Some(email) = &request.contact_email {
            draft = draft.email(email.as_str());
        }
        if let Some(at) = request.created_at {
            draft = draft.created_at(at);
        }
        Ok(draft)
    }

    /// `name`, made unique by the first of the domain, the external id, or a number, that does.
    fn free_name(&self, name: &str, domain: Option<&str>, external: &str) -> Result<String> {
        const ROOM: usize = 120;
        let short: String = name.chars().take(ROOM).collect();
        let external: String = external.chars().take(60).collect();
        let marks = domain.into_iter().map(ToOwned::to_owned).chain([external]);
        let plain = std::iter::once(name.to_owned());
        let numbered = (2..1_000_u32).map(|number| format!("{short} ({number})"));
        let marked = marks.map(|mark| format!("{short} ({mark})"));
        for candidate in plain.chain(marked).chain(numbered) {
            if !self.name_is_taken(&candidate)? {
                return Ok(candidate);
            }
        }
        Err(Error::taken("customer", "name", name, "many"))
    }

    /// Keeps the people of the sign-up. One that the customer has already stays as it is.
    fn keep_contacts(&mut self, customer: &Customer, request: &Onboard) -> Result<()> {
        let mut drafts = request.contacts.clone();
        if let Some(email) = &request.contact_email {
            let mut draft = ContactDraft::at(email.as_str());
            if let Some(name) = &request.contact_name {
                draft = draft.name(name.as_str());
            }
            drafts.insert(0, draft);
        } else if let Some(name) = &request.contact_name {
            drafts.insert(0, ContactDraft::default().name(name.as_str()));
        }
        let is_known = |tx: &Self, draft: &ContactDraft| match draft.email_key() {
            Some(key) => tx.view().contact_by_email(customer.id, &key).map(|it| it.is_some()),
            // Without an address there is nothing to tell it by but its name.
            None => tx.has_named_contact(customer.id, &draft.name),
        };
        for draft in drafts {
            if is_known(self, &draft)? {
                continue;
            }
            let mut contact: Contact = self.upsert_contact(customer.id, &draft)?.contact;
            contact.product_id = Some(self.product().clone());
            self.put(&contact)?;
        }
        Ok(())
    }

    fn has_named_contact(
        &self,
        customer: crate::CustomerId,
        name: &Change<String>,
    ) -> Result<bool> {
        let Change::Set(name) = name else { return Ok(false) };
        let mut cursor: Option<crate::Cursor> = None;
        loop {
            let page =
                self.view().contacts(customer, false, crate::page::PAGE_MAX, cursor.as_ref())?;
            if page.items.iter().any(|contact| contact.full_name() == name.trim()) {
                return Ok(true);
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(false),
            }
        }
    }
}

//! Links: made by hand, found, taken away.

use crate::domain::clues::Hints;
use crate::domain::contact::Contact;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::document::Document;
use crate::domain::link::{Link, LinkId, LinkKind, LinksReset, SyncStatus};
use crate::domain::subscription::Subscription;
use crate::domain::text::{ExternalId, Line};
use crate::error::{Error, Faults, Result};
use crate::page::{Cursor, Page};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;

const CUSTOMER: Col = <Link as Stored>::TABLE.col("customer_id");
const PRODUCT: Col = <Link as Stored>::TABLE.col("product_id");
const CREATED_AT: Col = <Link as Stored>::TABLE.col("created_at");
const CONTACT_CUSTOMER: Col = <Contact as Stored>::TABLE.col("customer_id");
const CONTACT_PRODUCT: Col = <Contact as Stored>::TABLE.col("product_id");
const SUBSCRIBER: Col = <Subscription as Stored>::TABLE.col("customer_id");
const SUBSCRIBED: Col = <Subscription as Stored>::TABLE.col("product_id");

/// A link to be made by hand.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewLink {
    /// The product's own id for the organisation.
    pub external_org_id: String,
    /// The product's own id for its owner there.
    pub external_user_id: Option<String>,
    /// What people call it.
    pub label: Option<String>,
    /// Anything of the host's.
    pub metadata: Document,
    /// What the organisation says of itself; see [`hints`](Self::hints).
    pub hints: Hints,
}

impl NewLink {
    /// A link of the organisation with this id.
    #[must_use]
    pub fn to(external_org_id: impl Into<String>) -> Self {
        Self { external_org_id: external_org_id.into(), ..Self::default() }
    }

    /// With what the organisation says of itself: the hints to which
    /// [`smart_link`](Tx::smart_link) only had suggestions. A person who links it all the same
    /// confirms them, so their company name and domain become aliases of the customer, unless they
    /// tell nobody or are another customer's own. Their mail addresses do not: people sign up with
    /// those of their agencies.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Hints, NewLink, SmartLink, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let hints = Hints::new().company_name("Big Blue");
    /// let found = tenure.write(|tx| {
    ///     let ibm = tx.create_customer(&CustomerDraft::named("IBM"))?.id;
    ///     assert_eq!(tx.smart_link("org_1", &hints, None)?, SmartLink::NoMatch);
    ///     tx.link(ibm, &NewLink::to("org_1").hints(hints.clone()))?;
    ///     tx.smart_link("org_2", &hints, None)
    /// })?;
    /// assert!(matches!(found, SmartLink::Linked(best) if best.customer_name.as_str() == "IBM"));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    #[must_use]
    pub fn hints(mut self, hints: Hints) -> Self {
        self.hints = hints;
        self
    }
}

impl View<'_> {
    /// The link of an organisation of the handle's product, if there is one. It tells the customer,
    /// the external org id and the external user id.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn link(&self, external_org_id: &str) -> Result<Option<Link>> {
        let Ok(external) = ExternalId::parse(external_org_id) else { return Ok(None) };
        self.get(LinkId::of(self.product(), &external))
    }

    /// The customer that an organisation of the handle's product is, if it is linked.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn customer_by_link(&self, external_org_id: &str) -> Result<Option<Customer>> {
        let Some(link) = self.link(external_org_id)? else { return Ok(None) };
        let customer = self.get::<Customer>(link.customer_id)?;
        Ok(customer.filter(|customer| customer.deleted_at.is_none()))
    }

    /// The links of a customer, of all products, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn links(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Link>> {
        self.customer(customer)?;
        let query = Query::all().eq(CUSTOMER, &customer).newest_by(CREATED_AT);
        self.page(query, limit, cursor)
    }
}

impl Tx<'_> {
    /// Links an organisation of the handle's product to a customer. Linking it to the same one
    /// again changes nothing but what it is called. The [`hints`](NewLink::hints) teach the customer
    /// its aliases, each time; unlinking does not take them away.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`]; [`Error::Taken`] when the organisation is linked to
    /// another customer, naming it.
    pub fn link(&mut self, customer: CustomerId, new: &NewLink) -> Result<Link> {
        self.whole(|tx| {
            let link = tx.link_as(customer, new, LinkKind::Manual, None)?;
            tx.learn_from_link(customer, &new.hints)?;
            Ok(link)
        })
    }

    /// Links without learning: what was not confirmed by a person teaches nothing.
    pub(crate) fn link_as(
        &mut self,
        customer: CustomerId,
        new: &NewLink,
        kind: LinkKind,
        confidence: Option<f64>,
    ) -> Result<Link> {
        self.view().customer(customer)?;
        let mut faults = Faults::default();
        let external = faults.note("externalOrgId", ExternalId::parse(&new.external_org_id));
        let user = new.external_user_id.as_deref();
        let user = user.and_then(|it| faults.note("externalUserId", ExternalId::parse(it)));
        let label = new.label.as_deref().and_then(|it| faults.note("label", Line::parse(it)));
        let (Some(external_org_id), true) = (external, faults.0.is_empty()) else {
            return Err(Error::Invalid(faults));
        };
        let (id, now) = (LinkId::of(self.product(), &external_org_id), self.now());
        if let Some(mut link) = self.get::<Link>(id)? {
            if link.customer_id != customer {
                let external = external_org_id.as_str();
                return Err(Error::taken("link", "external org id", external, link.customer_id));
            }
            let before = link.clone();
            link.external_user_id = user.or(link.external_user_id);
            link.label = label.or(link.label);
            if !new.metadata.is_empty() {
                link.metadata = new.metadata.clone();
            }
            if link != before {
                link.updated_at = now;
                self.put(&link)?;
                self.announce("link.updated", id, customer, json!({}));
            }
            return Ok(link);
        }
        let link = Link {
            id,
            customer_id: customer,
            product_id: self.product().clone(),
            external_org_id,
            external_user_id: user,
            label,
            confidence,
            kind,
            sync_status: SyncStatus::Synced,
            metadata: new.metadata.clone(),
            created_at: now,
            updated_at: now,
        };
        self.insert(&link)?;
        let data = json!({
            "externalOrgId": link.external_org_id, "kind": kind, "confidence": confidence,
        });
        self.announce("link.created", id, customer, data);
        Ok(link)
    }

    /// Takes the link of an organisation of the handle's product away. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn unlink(&mut self, external_org_id: &str) -> Result<bool> {
        let Some(link) = self.view().link(external_org_id)? else { return Ok(false) };
        self.delete::<Link>(link.id)?;
        let data = json!({ "externalOrgId": link.external_org_id });
        self.announce("link.unlinked", link.id, link.customer_id, data);
        Ok(true)
    }

    /// Takes all links of the handle's product away. With `delete_contacts`, also the contacts that
    /// its sign-ups brought to customers that no other product is linked to; with `reset_mrr`, also
    /// the monthly revenue of its subscriptions. [`Tenure::preview`](crate::Tenure::preview) tells
    /// first what that would be.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn reset_links(&mut self, delete_contacts: bool, reset_mrr: bool) -> Result<LinksReset> {
        let product = self.product().clone();
        let links = self.view().all::<Link>(Query::all().eq(PRODUCT, &product))?;
        self.whole(|tx| {
            let mut reset = LinksReset { links_deleted: links.len(), ..LinksReset::default() };
            let mut customers: Vec<CustomerId> = links.iter().map(|it| it.customer_id).collect();
            customers.sort_unstable();
            customers.dedup();
            for link in &links {
                tx.delete::<Link>(link.id)?;
                let data = json!({ "externalOrgId": link.external_org_id });
                tx.announce("link.unlinked", link.id, link.customer_id, data);
            }
            for customer in customers {
                let elsewhere = tx.view().first::<Link>(Query::all().eq(CUSTOMER, &customer))?;
                if delete_contacts && elsewhere.is_none() {
                    let query = Query::all().eq(CONTACT_CUSTOMER, &customer);
                    let brought = query.eq(CONTACT_PRODUCT, &Some(product.clone()));
                    for contact in tx.view().all::<Contact>(brought)? {
                        tx.remove_contact(contact.id)?;
                        reset.contacts_deleted = reset.contacts_deleted.saturating_add(1);
                    }
                }
                if reset_mrr {
                    let query = Query::all().eq(SUBSCRIBER, &customer).eq(SUBSCRIBED, &product);
                    for subscription in tx.view().all::<Subscription>(query)? {
                        if tx.end_revenue(subscription)? {
                            reset.mrr_reset = reset.mrr_reset.saturating_add(1);
                            let customer = tx.require::<Customer>(customer)?;
                            tx.follow_subscriptions(customer)?;
                        }
                    }
                }
            }
            Ok(reset)
        })
    }
}

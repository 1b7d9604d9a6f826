//! Aliases: given, learned, taken away, and kept in step with the index of smart linking.

use crate::domain::alias::{
    ALIASES_MAX, Alias, AliasId, AliasKind, AliasSource, AliasValue, own, said,
};
use crate::domain::clues::{Clues, Hints};
use crate::domain::customer::{Customer, CustomerId};
use crate::error::{Error, Result};
use crate::page::{Cursor, Page};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;

const CUSTOMER: Col = <Alias as Stored>::TABLE.col("customer_id");
const CREATED_AT: Col = <Alias as Stored>::TABLE.col("created_at");
const CUSTOMER_DOMAIN: Col = <Customer as Stored>::TABLE.col("domain");

impl View<'_> {
    /// The aliases of a customer, newest first, a page at a time.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{AliasSource, CustomerDraft, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let aliases = tenure.write(|tx| {
    ///     let meta = tx.create_customer(&CustomerDraft::named("Facebook"))?.id;
    ///     tx.update_customer(meta, &CustomerDraft::named("Meta"))?;
    ///     tx.view().aliases(meta, 10, None)
    /// })?;
    /// assert_eq!(aliases.items[0].value, "Facebook");
    /// assert_eq!(aliases.items[0].source, AliasSource::Former);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn aliases(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Alias>> {
        self.customer(customer)?;
        self.page(Query::all().eq(CUSTOMER, &customer).newest_by(CREATED_AT), limit, cursor)
    }

    /// The aliases of a customer as they are matched: by where they come from, the newest first.
    pub(crate) fn ranked_aliases(&self, customer: CustomerId) -> Result<Vec<Alias>> {
        let newest = Query::all().eq(CUSTOMER, &customer).newest_by(CREATED_AT);
        let mut aliases = self.all::<Alias>(newest)?;
        aliases.sort_by_key(|alias| alias.source);
        Ok(aliases)
    }

    /// Whether another customer is called so by its own record. Any number of customers can have
    /// people at one domain, so that the one whose own it is may be no candidate: it is looked for
    /// by its column.
    fn is_anothers(&self, value: &AliasValue, customer: CustomerId) -> Result<bool> {
        let candidates = match value.kind {
            AliasKind::Domain => {
                let holder = Query::all().eq(CUSTOMER_DOMAIN, &Some(value.key.clone()));
                return Ok(self.living(holder)?.is_some_and(|it| it.id != customer));
            }
            AliasKind::Name => {
                let clues = Clues::read(&Hints::new().company_name(value.text.as_str()));
                self.link_index()?.candidates(&clues)?
            }
        };
        for other in candidates.iter().filter(|it| it.customer != customer) {
            if self
                .get::<Customer>(other.customer)?
                .is_some_and(|other| value.is_among(&own(&other)))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Tx<'_> {
    /// Gives a customer an alias: a name, or a domain (a host name or URL will do, its registrable
    /// domain is kept). Smart linking finds the customer by it as well as by its own. Giving one
    /// again, in whatever spelling, changes nothing.
    ///
    /// A customer has at most 32 ([`ALIASES_MAX`]). Of these and its own, 8 names and 8 domains are
    /// matched: its own, then what was given by hand, then former ones, then those that links
    /// taught; the newest first.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{AliasKind, CustomerDraft, Hints, SmartLink, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let found = tenure.write(|tx| {
    ///     let ibm = tx.create_customer(&CustomerDraft::named("IBM"))?.id;
    ///     tx.add_alias(ibm, AliasKind::Name, "Big Blue")?;
    ///     tx.add_alias(ibm, AliasKind::Domain, "https://www.redhat.com/about")?;
    ///     tx.view().find_match(&Hints::new().company_name("big blue").domain("redhat.com"), 0.6)
    /// })?;
    /// assert!(matches!(found, SmartLink::Linked(best) if best.customer_name.as_str() == "IBM"));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when it is no name or no domain, or tells nobody: a
    /// legal form alone, a mail address, a domain that many share such as `gmail.com`;
    /// [`Error::TooMany`] when the customer has as many as it can.
    pub fn add_alias(
        &mut self,
        customer: CustomerId,
        kind: AliasKind,
        value: &str,
    ) -> Result<Alias> {
        let customer = self.view().customer(customer)?;
        let value = AliasValue::parse(kind, value).map_err(Error::malformed("value"))?;
        let id = AliasId::of(customer.id, kind, &value.key);
        if let Some(alias) = self.get::<Alias>(id)? {
            return Ok(alias);
        }
        if self.view().ranked_aliases(customer.id)?.len() >= ALIASES_MAX {
            return Err(Error::TooMany { noun: "aliases", most: ALIASES_MAX });
        }
        self.whole(|tx| {
            let alias = tx.keep_alias(&customer, value, AliasSource::Manual)?;
            tx.index_customer(&customer)?;
            Ok(alias)
        })
    }

    /// Takes an alias away. What taught it may teach it again.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{AliasKind, CustomerDraft, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let left = tenure.write(|tx| {
    ///     let ibm = tx.create_customer(&CustomerDraft::named("IBM"))?.id;
    ///     let alias = tx.add_alias(ibm, AliasKind::Name, "Big Blue")?;
    ///     tx.remove_alias(alias.id)?;
    ///     tx.view().aliases(ibm, 10, None)
    /// })?;
    /// assert!(left.items.is_empty());
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn remove_alias(&mut self, id: AliasId) -> Result<()> {
        let alias = self.require::<Alias>(id)?;
        let customer = self.require::<Customer>(alias.customer_id)?;
        self.whole(|tx| {
            tx.delete::<Alias>(id)?;
            let data = json!({ "kind": alias.kind, "value": alias.value });
            tx.announce("alias.deleted", id, customer.id, data);
            tx.index_customer(&customer)
        })
    }

    /// Learns what an organisation that a person has linked calls itself.
    pub(crate) fn learn_from_link(&mut self, customer: CustomerId, hints: &Hints) -> Result<()> {
        let values = said(hints);
        if values.is_empty() {
            return Ok(());
        }
        let customer = self.view().customer(customer)?;
        if self.learn(&customer, values, AliasSource::Link)? {
            self.index_customer(&customer)?;
        }
        Ok(())
    }

    /// Keeps those of `values` as aliases that are new and nobody's own, as long as there is room.
    /// Returns whether there were any; then the customer is to be indexed.
    pub(crate) fn learn(
        &mut self,
        customer: &Customer,
        values: Vec<AliasValue>,
        source: AliasSource,
    ) -> Result<bool> {
        let own = own(customer);
        let known = self.view().ranked_aliases(customer.id)?;
        let mut count = known.len();
        for value in values {
            let id = AliasId::of(customer.id, value.kind, &value.key);
            if count >= ALIASES_MAX
                || value.is_among(&own)
                || self.get::<Alias>(id)?.is_some()
                || self.view().is_anothers(&value, customer.id)?
            {
                continue;
            }
            self.keep_alias(customer, value, source)?;
            count = count.saturating_add(1);
        }
        Ok(count > known.len())
    }

    fn keep_alias(
        &mut self,
        customer: &Customer,
        value: AliasValue,
        source: AliasSource,
    ) -> Result<Alias> {
        let AliasValue { kind, text, key } = value;
        let alias = Alias {
            id: AliasId::of(customer.id, kind, &key),
            customer_id: customer.id,
            kind,
            value: text,
            key,
            source,
            created_at: self.now(),
        };
        self.insert(&alias)?;
        let data = json!({ "kind": kind, "value": alias.value, "source": source });
        self.announce("alias.created", alias.id, customer.id, data);
        Ok(alias)
    }
}

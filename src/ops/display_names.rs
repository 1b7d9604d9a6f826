//! Display names: given, changed, kept reserved.

use crate::domain::customer::{Customer, CustomerId};
use crate::domain::display_name::{DisplayName, DisplayNameId, chosen, first_attempt, friendly};
use crate::error::{Error, Result};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;

const CUSTOMER: Col = <DisplayName as Stored>::TABLE.col("customer_id");
const CREATED_AT: Col = <DisplayName as Stored>::TABLE.col("created_at");

/// How many friendly names are tried. The last have eleven digits and more: whoever comes that far
/// has no randomness.
const TRIES: usize = 64;
const NONE_UNUSED: &str = "no unused display name was found";

impl View<'_> {
    /// The display names that a customer has and had, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn display_names(&self, customer: CustomerId) -> Result<Vec<DisplayName>> {
        self.customer(customer)?;
        self.all(Query::all().eq(CUSTOMER, &customer).newest_by(CREATED_AT))
    }

    /// The customer who has or had this display name.
    pub fn customer_by_display_name(&self, name: &str) -> Result<Option<Customer>> {
        let held = self.get::<DisplayName>(DisplayNameId::of(name))?;
        let Some(held) = held else { return Ok(None) };
        let customer = self.get::<Customer>(held.customer_id)?;
        Ok(customer.filter(|customer| customer.deleted_at.is_none()))
    }

    /// Whether a display name can be given to this customer: sound, and free or its own.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when it is not 3–40 letters and digits; [`Error::Taken`] when it is
    /// another customer's.
    pub fn validate_display_name(&self, customer: CustomerId, name: &str) -> Result<()> {
        chosen(name).map_err(Error::malformed("displayName"))?;
        match self.get::<DisplayName>(DisplayNameId::of(name))? {
            Some(held) if held.customer_id != customer => {
                Err(Error::taken("customer", "display name", name, held.customer_id))
            }
            _ => Ok(()),
        }
    }
}

impl Tx<'_> {
    /// Gives a customer another display name, made anew. The one it had stays reserved for it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn regenerate_display_name(&mut self, customer: CustomerId) -> Result<Customer> {
        let name = self.unused_display_name()?;
        self.set_display_name(customer, &name)
    }

    /// Gives a customer the display name that somebody chose. The one it had stays reserved for it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; as [`View::validate_display_name`].
    pub fn set_display_name(&mut self, id: CustomerId, name: &str) -> Result<Customer> {
        let mut customer = self.view().customer(id)?;
        self.view().validate_display_name(id, name)?;
        if customer.display_name == name {
            return Ok(customer);
        }
        self.whole(|tx| {
            let former = DisplayNameId::of(&customer.display_name);
            if let Some(mut former) = tx.get::<DisplayName>(former)? {
                former.is_current = false;
                tx.put(&former)?;
            }
            name.clone_into(&mut customer.display_name);
            tx.put(&tx.held_name(id, name))?;
            tx.keep_customer(&mut customer)?;
            let data = json!({ "displayName": name });
            tx.announce("customer.display_name_changed", id, id, data);
            Ok(customer)
        })
    }

    /// The first attempt at a display name: the more customers there are, the longer the names, so
    /// that few are taken. Those that smart linking knows are counted already.
    pub(crate) fn first_name_attempt(&self) -> Result<u32> {
        Ok(first_attempt(self.view().link_index()?.size()))
    }

    /// Reserves the display name of a new customer, made by an attempt; if somebody has or had it,
    /// the customer gets another friendly one.
    pub(crate) fn reserve_unused_name(
        &mut self,
        customer: &mut Customer,
        attempt: u32,
    ) -> Result<()> {
        for attempt in (attempt..).skip(1).take(TRIES) {
            let held = self.held_name(customer.id, &customer.display_name);
            if self.insert(&held)? {
                return Ok(());
            }
            customer.display_name = friendly(self.random(), attempt);
        }
        Err(Error::rule(NONE_UNUSED))
    }

    /// A friendly name that nobody has or had.
    fn unused_display_name(&self) -> Result<String> {
        for attempt in (self.first_name_attempt()?..).take(TRIES) {
            let name = friendly(self.random(), attempt);
            if self.get::<DisplayName>(DisplayNameId::of(&name))?.is_none() {
                return Ok(name);
            }
        }
        Err(Error::rule(NONE_UNUSED))
    }

    fn held_name(&self, customer: CustomerId, name: &str) -> DisplayName {
        let (id, name) = (DisplayNameId::of(name), name.to_owned());
        let created_at = self.now();
        DisplayName { id, customer_id: customer, name, is_current: true, created_at }
    }
}

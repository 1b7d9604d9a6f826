//! Flairs: awarded, listed, taken back.

use crate::domain::customer::CustomerId;
use crate::domain::flair::{Flair, FlairId};
use crate::domain::text::{Code, Line, Note};
use crate::error::{Error, Faults, Result};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use time::OffsetDateTime;

const CUSTOMER: Col = <Flair as Stored>::TABLE.col("customer_id");
const EARNED_AT: Col = <Flair as Stored>::TABLE.col("earned_at");
const CATEGORY: Col = <Flair as Stored>::TABLE.col("category");

/// A flair to be awarded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewFlair {
    /// Which flair it is: a code.
    pub flair_id: String,
    /// What it is called.
    pub name: String,
    /// What it looks like.
    pub icon: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Which group it belongs to: a code.
    pub category: Option<String>,
    /// When it was earned; now unless told otherwise.
    pub earned_at: Option<OffsetDateTime>,
}

impl View<'_> {
    /// The flairs of a customer, newest first, those of one category if it is given.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn flairs(&self, customer: CustomerId, category: Option<&str>) -> Result<Vec<Flair>> {
        self.customer(customer)?;
        let mut query = Query::all().eq(CUSTOMER, &customer).newest_by(EARNED_AT);
        if let Some(category) = category {
            query = query.eq(CATEGORY, &category.to_owned());
        }
        self.all(query)
    }
}

impl Tx<'_> {
    /// Awards a flair. One that the customer has already stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] with every fault of the flair.
    pub fn award_flair(&mut self, customer: CustomerId, flair: &NewFlair) -> Result<Flair> {
        self.view().customer(customer)?;
        let mut faults = Faults::default();
        let flair_id = faults.note("flairId", Code::parse(&flair.flair_id));
        let name = faults.note("name", Line::parse(&flair.name));
        let icon = flair.icon.as_deref().and_then(|it| faults.note("icon", Line::parse(it)));
        let description = flair.description.as_deref();
        let description = description.and_then(|it| faults.note("description", Note::parse(it)));
        let category = flair.category.as_deref();
        let category = category.and_then(|it| faults.note("category", Code::parse(it)));
        let (Some(flair_id), Some(name), true) = (flair_id, name, faults.0.is_empty()) else {
            return Err(Error::Invalid(faults));
        };
        let id = FlairId::of(customer, &flair_id);
        let earned_at = flair.earned_at.map_or(self.now(), crate::domain::instant::utc);
        let customer_id = customer;
        let flair =
            Flair { id, customer_id, flair_id, name, icon, description, category, earned_at };
        if let Some(earned) = self.get::<Flair>(id)? {
            return Ok(earned);
        }
        self.insert(&flair)?;
        self.announce("customer.flair_awarded", id, customer, json!({ "flairId": flair.flair_id }));
        Ok(flair)
    }

    /// Takes a flair back. Returns whether the customer had it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such customer.
    pub fn remove_flair(&mut self, customer: CustomerId, flair_id: &str) -> Result<bool> {
        self.view().customer(customer)?;
        let Ok(code) = Code::parse(flair_id) else { return Ok(false) };
        let id = FlairId::of(customer, &code);
        let had = self.delete::<Flair>(id)?;
        if had {
            self.announce("customer.flair_removed", id, customer, json!({ "flairId": code }));
        }
        Ok(had)
    }
}

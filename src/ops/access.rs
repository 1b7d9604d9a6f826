//! Checks: may it be used now? They read, and never write.

use crate::domain::access::{Access, CustomerRef, DenialReason};
use crate::domain::allowance::allowance;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::link::{Link, LinkId};
use crate::domain::meter::Meter;
use crate::domain::pulse::day_of;
use crate::domain::quantity::Quantity;
use crate::domain::text::{Code, ExternalId};
use crate::error::{Error, Result};
use crate::page::PAGE_MAX;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tenure::Tenure;
use crate::tx::View;
use crate::warm::{Found, Question};

const CUSTOMER: Col = <Meter as Stored>::TABLE.col("customer_id");

impl Tenure {
    /// May the customer use one unit of the feature now? See [`View::check`].
    ///
    /// # Errors
    ///
    /// Only the store's own.
    pub fn check(&self, customer: impl Into<CustomerRef>, feature: &str) -> Result<Access> {
        self.check_quantity(customer, feature, Quantity::ONE)
    }

    /// May the customer use so much of the feature now? See [`View::check_quantity`].
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the quantity is below zero.
    pub fn check_quantity(
        &self,
        customer: impl Into<CustomerRef>,
        feature: &str,
        quantity: impl Into<Quantity>,
    ) -> Result<Access> {
        let (customer, quantity) = (customer.into(), quantity.into());
        let Some(warm) = self.warm() else {
            return self.read(|view| view.check_quantity(&customer, feature, quantity));
        };
        let (org, product) = (self.org(), self.product());
        let question = Question { org, product, customer: &customer, feature };
        let usable = !quantity.is_negative() && !Self::is_inside(self.store_address());
        if usable && let Some((access, id)) = warm.access(&question, quantity, self.now()) {
            if access.reason.is_some() {
                let denied =
                    [((id, Code::parse(feature).map_err(Error::malformed("feature"))?), 1)];
                self.denials().add(self.org(), denied.into(), day_of(self.now()));
            }
            return Ok(access);
        }
        let as_of = warm.now();
        let (access, found, now) = self.read(|view| {
            let (access, found) = view.judge(&customer, feature, quantity)?;
            view.note_denial(&customer, &access)?;
            Ok::<_, Error>((access, found, view.now()))
        })?;
        if let Some(found) = found {
            warm.keep(&question, found, as_of, now);
        }
        Ok(access)
    }
}

impl View<'_> {
    /// May the customer use one unit of the feature now? What is not known is a denial with its
    /// reason, not an error.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    pub fn check(&self, customer: impl Into<CustomerRef>, feature: &str) -> Result<Access> {
        self.check_quantity(customer, feature, Quantity::ONE)
    }

    /// May the customer use so much of the feature now?
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the quantity is below zero.
    pub fn check_quantity(
        &self,
        customer: impl Into<CustomerRef>,
        feature: &str,
        quantity: impl Into<Quantity>,
    ) -> Result<Access> {
        let customer = customer.into();
        let (access, _) = self.judge(&customer, feature, quantity.into())?;
        self.note_denial(&customer, &access)?;
        Ok(access)
    }

    /// The answer to a question that nobody asked in order to use anything: no attempt.
    pub(crate) fn glance(
        &self,
        customer: impl Into<CustomerRef>,
        feature: &str,
        quantity: impl Into<Quantity>,
    ) -> Result<Access> {
        Ok(self.judge(&customer.into(), feature, quantity.into())?.0)
    }

    /// The answer to a check, and what it follows from if there is a meter.
    fn judge(
        &self,
        customer: &CustomerRef,
        feature: &str,
        quantity: Quantity,
    ) -> Result<(Access, Option<Found>)> {
        if quantity.is_negative() {
            let rule = "must not be negative";
            return Err(Error::invalid("quantity", &quantity.to_string(), rule));
        }
        let Some(id) = self.customer_id(customer)? else {
            return Ok((Access::unknown(feature, DenialReason::UnknownCustomer), None));
        };
        let Some(known) = self.cached_feature(feature)? else {
            let exists = self.get::<Customer>(id)?.is_some_and(|it| it.deleted_at.is_none());
            let reason =
                if exists { DenialReason::UnknownFeature } else { DenialReason::UnknownCustomer };
            return Ok((Access::unknown(feature, reason), None));
        };
        match self.current_meter(id, &known.code)? {
            Some(meter) => {
                let mut access = meter.access(&known, quantity);
                if access.reason == Some(DenialReason::NotYetValid) {
                    // The meter knows when to look again, which may be sooner than it helps.
                    let begins = allowance(None, &self.grants(id, &known.code)?, self.now()).begins;
                    access.remedy = DenialReason::NotYetValid.remedy(begins);
                }
                Ok((access, Some(Found { meter, feature: known })))
            }
            None => Ok((self.unmetered(id, &known.code, known.name.as_str())?, None)),
        }
    }

    /// Several features at once, from one snapshot.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when there are more than 1,000.
    pub fn check_many(
        &self,
        customer: impl Into<CustomerRef>,
        features: &[&str],
    ) -> Result<Vec<Access>> {
        if features.len() > PAGE_MAX {
            let rule = "must be at most 1,000";
            return Err(Error::invalid("features", &features.len().to_string(), rule));
        }
        let customer = customer.into();
        features.iter().map(|feature| self.check(&customer, feature)).collect()
    }

    /// Every feature that the customer has or had a right to, by code.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn list_access(&self, customer: impl Into<CustomerRef>) -> Result<Vec<Access>> {
        let customer = self.resolve_customer(&customer.into())?;
        let meters = self.all::<Meter>(Query::all().eq(CUSTOMER, &customer.id))?;
        let mut codes: Vec<Code> = meters.into_iter().map(|meter| meter.feature_code).collect();
        codes.sort();
        let glance = |code: &Code| self.glance(customer.id, code.as_str(), Quantity::ONE);
        codes.iter().map(glance).collect()
    }

    /// The customer that a caller names.
    pub(crate) fn resolve_customer(&self, customer: &CustomerRef) -> Result<Customer> {
        match customer {
            CustomerRef::Id(id) => self.customer(*id),
            CustomerRef::ExternalOrg(external) => {
                let missing = || Error::not_found("customer", external);
                self.customer_by_link(external)?.ok_or_else(missing)
            }
        }
    }

    /// The id of the customer that a caller names, which need not exist.
    pub(crate) fn customer_id(&self, customer: &CustomerRef) -> Result<Option<CustomerId>> {
        let external = match customer {
            CustomerRef::Id(id) => return Ok(Some(*id)),
            CustomerRef::ExternalOrg(external) => ExternalId::parse(external),
        };
        let Ok(external) = external else { return Ok(None) };
        let link = self.get::<Link>(LinkId::of(self.product(), &external))?;
        Ok(link.map(|link| link.customer_id))
    }

    /// Why a customer who never had a right to a feature may not use it.
    fn unmetered(&self, customer: CustomerId, code: &Code, name: &str) -> Result<Access> {
        let customer = self.get::<Customer>(customer)?.filter(|it| it.deleted_at.is_none());
        let reason = match customer {
            Some(_) => DenialReason::NotEntitled,
            None => DenialReason::UnknownCustomer,
        };
        let mut access = Access::unknown(code.as_str(), reason);
        name.clone_into(&mut access.feature_name);
        Ok(access)
    }
}

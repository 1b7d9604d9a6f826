//! What was: access at a past instant, and which entitlement gave for which usage.

use crate::domain::access::{Access, CustomerRef, DenialReason};
use crate::domain::allowance::allowance;
use crate::domain::balance::{Burn, BurnedShare, shares};
use crate::domain::customer::Customer;
use crate::domain::meter::{Meter, MeterId};
use crate::domain::quantity::Quantity;
use crate::domain::usage::UsageEventId;
use crate::error::{Error, Result};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use time::{Duration, OffsetDateTime};

const BURN_METER: Col = <Burn as Stored>::TABLE.col("meter_id");
const BURN_WINDOW: Col = <Burn as Stored>::TABLE.col("window_start");
const BURN_CREATED: Col = <Burn as Stored>::TABLE.col("created_at");

impl View<'_> {
    /// Might the customer have used so much of the feature at a past instant? Usage is added up from
    /// the ledger: what took place up to and at that instant in its window, whenever it was
    /// recorded. Rights count as they are recorded today, with their validity.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the quantity is below zero or the instant lies in the future.
    pub fn check_as_of(
        &self,
        customer: impl Into<CustomerRef>,
        feature: &str,
        quantity: impl Into<Quantity>,
        at: OffsetDateTime,
    ) -> Result<Access> {
        let (customer, at) = (customer.into(), crate::domain::instant::utc(at));
        if at > self.now() {
            return Err(Error::invalid("at", &at.to_string(), "must not lie in the future"));
        }
        let quantity = quantity.into();
        let today = self.glance(&customer, feature, quantity)?;
        let (Some(id), Some(feature)) =
            (self.customer_id(&customer)?, self.cached_feature(feature)?)
        else {
            return Ok(today);
        };
        let Some(mut meter) = self.get::<Meter>(MeterId::of(id, &feature.code))? else {
            return Ok(today);
        };
        let customer = self.require::<Customer>(id)?;
        if customer.created_at > at {
            return Ok(Access::unknown(feature.code.as_str(), DenialReason::UnknownCustomer));
        }
        let grants = self.grants(id, &feature.code)?;
        let known: Vec<_> = grants.into_iter().filter(|it| it.created_at <= at).collect();
        let then = allowance(customer.barred(), &known, at);
        if let Some(window) = then.window {
            (meter.window_start, meter.window_end) = (window.start, window.end);
        }
        let (from, to) = (meter.window_start, at.saturating_add(Duration::MICROSECOND));
        let mut used: i128 = 0;
        self.each_usage(meter.id, Some(from), Some(to), |event| {
            used = used.saturating_add(i128::from(event.quantity.millionths()));
            Ok(())
        })?;
        meter.used = i64::try_from(used).map_or(Quantity::MAX, Quantity::from_millionths);
        meter.valid_until = then.valid_until;
        meter.reset_at = meter.window_end;
        Ok(meter.judged_by(&then).access(&feature, quantity))
    }

    /// Which entitlements gave for a usage event, in the order in which they did. What was used but
    /// not settled yet is told as it would be settled now; usage of other windows than the one that
    /// ran when it was recorded was given by that window, and by no entitlement.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn burns(&self, event: UsageEventId) -> Result<Vec<BurnedShare>> {
        let event = self.usage_event(event)?;
        let query = Query::all().eq(BURN_METER, &event.meter_id);
        let query = query.eq(BURN_WINDOW, &event.window_start).oldest_by(BURN_CREATED);
        let mut burns = self.all(query.filter(BURN_CREATED, Op::Ge, &event.created_at))?;
        let meter = self.require::<Meter>(event.meter_id)?;
        if meter.window_start == event.window_start {
            let customer = self.require::<Customer>(meter.customer_id)?;
            let now = self.now().max(meter.window_start);
            let mut open = self.begin(meter, customer.barred(), now)?;
            self.burn(&mut open.books)?;
            burns.extend(open.books.burns(now));
        }
        Ok(shares(&event, &burns))
    }
}

//! Usage that no feature keeps count of, recorded by hand.

use crate::domain::access::CustomerRef;
use crate::domain::calendar::PeriodType;
use crate::domain::instant;
use crate::domain::text::IdempotencyKey;
use crate::domain::usage_period::{Tally, UsagePeriod};
use crate::domain::usage_record::{NewUsageRecord, UsageRecord, UsageRecordId};
use crate::error::{Error, Faults, Result};
use crate::ops::usage_periods::{at_text, frozen_rule};
use crate::tx::{Tx, View};
use serde_json::json;

impl View<'_> {
    /// A period that is kept already, with one record more. What was added up stays: the ledger is
    /// not read again for every record.
    fn with_record(&self, mut period: UsagePeriod, record: &UsageRecord) -> Result<UsagePeriod> {
        let mut tally = Tally::default();
        tally.period(&period);
        tally.record(record);
        tally.show(&mut period)?;
        period.change_from_previous = self.before(&period)?.and_then(|it| period.change_from(&it));
        Ok(period)
    }

    /// A period that was not kept yet, its records included.
    fn first_of(&self, mut period: UsagePeriod) -> Result<UsagePeriod> {
        self.add_up(&mut period)?;
        period.aggregated_at = Some(self.now());
        Ok(period)
    }
}

impl Tx<'_> {
    /// Records usage of which no feature keeps count, and answers with the period of this type that
    /// it is in. Other periods show it when they are next added up. A retry with the same key and
    /// content counts nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also for the subscription; [`Error::Invalid`] with every fault, also when
    /// it lies ahead or further back than late usage may; [`Error::Rule`] when a period that it is in
    /// is finalized; [`Error::KeyReused`]; [`Error::Overflow`].
    pub fn record_usage(
        &mut self,
        customer: impl Into<CustomerRef>,
        period_type: PeriodType,
        new: &NewUsageRecord,
    ) -> Result<UsagePeriod> {
        let view = self.view();
        let customer = view.resolve_customer(&customer.into())?;
        let its_own = |id| match view.subscription(id) {
            Ok(it) if it.customer_id != customer.id => Err(Error::not_found("subscription", id)),
            found => found,
        };
        let subscription = new.subscription.map(its_own).transpose()?;
        let mut faults = Faults::default();
        let made = || format!("{:032x}", self.random());
        let key = new.idempotency_key.clone().unwrap_or_else(made);
        let key = faults.note("idempotencyKey", IdempotencyKey::parse(&key));
        let resources = new.check(&mut faults);
        let Some(key) = key.filter(|_| faults.0.is_empty()) else {
            return Err(Error::Invalid(faults));
        };
        let used_at = instant::utc(new.used_at);
        let record = UsageRecord {
            id: UsageRecordId::of(customer.id, &key),
            customer_id: customer.id,
            subscription_id: new.subscription,
            used_at,
            figures: new.figures.clone(),
            resources,
            idempotency_key: key,
            performed_by: self.actor().to_owned(),
            created_at: self.now(),
        };
        let blank = || view.blank_period(&customer, subscription.as_ref(), period_type, used_at);
        if let Some(first) = self.get::<UsageRecord>(record.id)? {
            let known = repeated(&first, &record).and_then(|()| blank())?;
            return Ok(self.get(known.id)?.unwrap_or(known));
        }
        let now = self.now();
        let earliest = now.saturating_sub(self.config().late_usage_max);
        if used_at > now || used_at < earliest {
            let rule = "must not lie ahead, nor further back than late usage may";
            return Err(Error::invalid("usedAt", &used_at.to_string(), rule));
        }
        let product = subscription.as_ref().map(|it| &it.product_id);
        if let Some(frozen) = view.frozen_at(customer.id, used_at, product)? {
            return Err(frozen_rule(&frozen));
        }
        let blank = blank()?;
        self.whole(|tx| {
            tx.insert(&record)?;
            let period = match tx.get::<UsagePeriod>(blank.id)? {
                Some(known) => tx.view().with_record(known, &record)?,
                None => tx.view().first_of(blank)?,
            };
            let period = UsagePeriod { updated_at: now, ..period };
            tx.put(&period)?;
            let data = json!({
                "periodType": period_type, "periodStart": at_text(period.period_start),
                "usedAt": at_text(used_at), "figures": record.figures, "resources": record.resources,
            });
            tx.announce("usage_period.recorded", period.id, customer.id, data);
            Ok(period)
        })
    }
}

/// Whether a key that was used before was used for the same.
fn repeated(first: &UsageRecord, record: &UsageRecord) -> Result<()> {
    let field = if first.used_at != record.used_at {
        "time"
    } else if first.subscription_id != record.subscription_id {
        "subscription"
    } else if (&first.figures, &first.resources) != (&record.figures, &record.resources) {
        "quantity"
    } else {
        return Ok(());
    };
    let (key, event_id) = (record.idempotency_key.to_string(), first.id.uuid());
    Err(Error::KeyReused { key, field, event_id })
}

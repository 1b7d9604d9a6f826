//! Usage periods: recorded, added up from the ledger, frozen.

use crate::domain::access::CustomerRef;
use crate::domain::calendar::PeriodType;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::instant;
use crate::domain::link::ProductId;
use crate::domain::meter::Meter;
use crate::domain::period::Period;
use crate::domain::quantity::Quantity;
use crate::domain::subscription::{Subscription, SubscriptionId};
use crate::domain::usage_period::{Tally, UsagePeriod, UsagePeriodId, UsagePeriodStatus, finer};
use crate::domain::usage_record::{UsageByResource, UsageRecord};
use crate::domain::zone::TimeZone;
use crate::error::{Error, Result};
use crate::page::{Cursor, Page};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use time::{Duration, OffsetDateTime};

const CUSTOMER: Col = <UsagePeriod as Stored>::TABLE.col("customer_id");
const SUBSCRIPTION: Col = <UsagePeriod as Stored>::TABLE.col("subscription_id");
const PERIOD_TYPE: Col = <UsagePeriod as Stored>::TABLE.col("period_type");
const START: Col = <UsagePeriod as Stored>::TABLE.col("period_start");
const END: Col = <UsagePeriod as Stored>::TABLE.col("period_end");
const STATUS: Col = <UsagePeriod as Stored>::TABLE.col("status");
const RECORD_CUSTOMER: Col = <UsageRecord as Stored>::TABLE.col("customer_id");
const USED_AT: Col = <UsageRecord as Stored>::TABLE.col("used_at");
const METER_CUSTOMER: Col = <Meter as Stored>::TABLE.col("customer_id");

impl View<'_> {
    /// The usage period with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn usage_period(&self, id: UsagePeriodId) -> Result<UsagePeriod> {
        self.require(id)
    }

    /// The usage periods of one type that are kept of a customer, those of its subscriptions among
    /// them, the latest first, a page at a time.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn usage_periods(
        &self,
        customer: impl Into<CustomerRef>,
        period_type: PeriodType,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<UsagePeriod>> {
        let customer = self.resolve_customer(&customer.into())?;
        let query = Query::all().eq(CUSTOMER, &customer.id).eq(PERIOD_TYPE, &period_type);
        self.page(query.newest_by(START), limit, cursor)
    }

    /// A frozen period that usage at `at`, in the handle's product, would have to change; none if
    /// nothing stands against it.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn finalized_at(
        &self,
        customer: CustomerId,
        at: OffsetDateTime,
    ) -> Result<Option<UsagePeriod>> {
        self.frozen_at(customer, at, Some(self.product()))
    }

    /// A frozen period of all usage of a customer, or of that in `product`, that `at` is in.
    pub(crate) fn frozen_at(
        &self,
        customer: CustomerId,
        at: OffsetDateTime,
        product: Option<&ProductId>,
    ) -> Result<Option<UsagePeriod>> {
        // By their ends: usage is never so late that many have ended since.
        let frozen = Query::all().eq(CUSTOMER, &customer).eq(STATUS, &UsagePeriodStatus::Finalized);
        let frozen = frozen.filter(END, Op::Gt, &at).filter(START, Op::Le, &at).oldest_by(END);
        let concerned =
            |it: &UsagePeriod| it.product_id.is_none() || it.product_id.as_ref() == product;
        Ok(self.all::<UsagePeriod>(frozen)?.into_iter().find(concerned))
    }

    /// From when on no usage of a customer lies in a frozen period, whatever it is of.
    pub(crate) fn thawed_since(&self, customer: CustomerId) -> Result<Option<OffsetDateTime>> {
        let frozen = Query::all().eq(CUSTOMER, &customer).eq(STATUS, &UsagePeriodStatus::Finalized);
        let last = self.first::<UsagePeriod>(frozen.newest_by(END))?;
        Ok(last.map(|period| period.period_end))
    }

    /// Refuses usage in the handle's product that a frozen period would have to take in.
    ///
    /// # Errors
    ///
    /// [`Error::Rule`] that names the period and the way.
    pub(crate) fn refuse_finalized(&self, customer: CustomerId, at: OffsetDateTime) -> Result<()> {
        // What is not in the past is in no period that is over.
        let frozen = if at < self.now() { self.finalized_at(customer, at)? } else { None };
        frozen.map_or(Ok(()), |period| Err(frozen_rule(&period)))
    }

    /// The period of this type that `at` is in, with nothing in it yet.
    pub(crate) fn blank_period(
        &self,
        customer: &Customer,
        subscription: Option<&Subscription>,
        period_type: PeriodType,
        at: OffsetDateTime,
    ) -> Result<UsagePeriod> {
        let (at, time_zone) =
            (instant::utc(at), customer.timezone.clone().unwrap_or(TimeZone::UTC));
        let period = Period::of_calendar(period_type, at, time_zone.clone());
        let period = period.filter(|it| it.start() <= self.now());
        let Some(period) = period else {
            let rule = "must be in a period that has begun, in the years 1 to 9999";
            return Err(Error::invalid("at", &at.to_string(), rule));
        };
        let (subscription_id, nothing) = (subscription.map(|it| it.id), Quantity::ZERO);
        Ok(UsagePeriod {
            id: UsagePeriodId::of(customer.id, subscription_id, period_type, period.start()),
            customer_id: customer.id,
            subscription_id,
            product_id: subscription.map(|it| it.product_id.clone()),
            period_type,
            period_start: period.start(),
            period_end: period.end(),
            time_zone,
            total_executions: nothing,
            successful_executions: nothing,
            failed_executions: nothing,
            escalated_executions: nothing,
            tokens_used: nothing,
            compute_minutes: nothing,
            storage_gb: nothing,
            bandwidth_gb: nothing,
            api_calls: nothing,
            webhook_deliveries: nothing,
            usage_by_resource: UsageByResource::new(),
            quota_used: nothing,
            quota_remaining: None,
            estimated_cost: None,
            currency: None,
            change_from_previous: None,
            status: UsagePeriodStatus::Partial,
            is_settled: false,
            aggregated_at: None,
            finalized_at: None,
            created_at: self.now(),
            updated_at: self.now(),
        })
    }

    /// Makes a period show what there is.
    pub(crate) fn add_up(&self, period: &mut UsagePeriod) -> Result<()> {
        let tally = match self.tiling(period)? {
            Some(tiles) => tiles.iter().fold(Tally::default(), |mut tally, tile| {
                tally.period(tile);
                tally
            }),
            None => self.tally(period)?,
        };
        tally.show(period)?;
        let now = self.now();
        if now < period.period_end {
            period.quota_remaining = self.quota_remaining(period)?;
            let running = self.running(period.customer_id)?;
            period.currency = running.iter().find_map(|it| it.mrr).map(|mrr| mrr.currency);
        } else {
            period.status = UsagePeriodStatus::Complete;
        }
        let settled = period.period_end.saturating_add(self.config().late_usage_max);
        period.is_settled = settled <= now;
        period.change_from_previous = self.before(period)?.and_then(|it| period.change_from(&it));
        Ok(())
    }

    /// Adds up the ledger and what was recorded by hand.
    fn tally(&self, period: &UsagePeriod) -> Result<Tally> {
        let mut tally = Tally::default();
        let figures = &self.config().usage_figures;
        let (from, to) = (period.period_start, period.period_end);
        let meters = self.all::<Meter>(Query::all().eq(METER_CUSTOMER, &period.customer_id))?;
        for meter in meters {
            let code = &meter.feature_code;
            let figure = figures.get(code).copied();
            self.each_usage(meter.id, Some(from), Some(to), |event| {
                if period.product_id.as_ref().is_none_or(|product| *product == event.product_id) {
                    tally.usage(figure, code, event.quantity, event.quantity_limit.is_some());
                }
                Ok(())
            })?;
        }
        let records = Query::all().eq(RECORD_CUSTOMER, &period.customer_id);
        let records = records.filter(USED_AT, Op::Ge, &from).filter(USED_AT, Op::Lt, &to);
        let records = records.oldest_by(USED_AT);
        self.each::<UsageRecord>(records, |record| {
            if period.subscription_id.is_none() || record.subscription_id == period.subscription_id
            {
                tally.record(&record);
            }
            Ok(())
        })?;
        Ok(tally)
    }

    /// Shorter periods that make up this one, if nothing can be added to any of them.
    fn tiling(&self, period: &UsagePeriod) -> Result<Option<Vec<UsagePeriod>>> {
        for kind in finer(period.period_type) {
            let tiles = Query::all().eq(CUSTOMER, &period.customer_id).eq(PERIOD_TYPE, kind);
            let tiles = tiles.eq(SUBSCRIPTION, &period.subscription_id);
            let tiles = tiles.filter(START, Op::Ge, &period.period_start);
            let tiles = tiles.filter(START, Op::Lt, &period.period_end).oldest_by(START);
            let mut end = period.period_start;
            let mut chain = Vec::new();
            for tile in self.all::<UsagePeriod>(tiles)? {
                if tile.period_start == end && tile.is_settled {
                    end = tile.period_end;
                    chain.push(tile);
                }
            }
            if end == period.period_end {
                return Ok(Some(chain));
            }
        }
        Ok(None)
    }

    /// What the limits leave now, all added up; for a subscription those of its tier.
    fn quota_remaining(&self, period: &UsagePeriod) -> Result<Option<Quantity>> {
        let own = match period.subscription_id {
            Some(id) => {
                let it = self.subscription(id)?;
                Some(self.tier_features(&it.tier_code, it.tier_version, &it.overrides)?)
            }
            None => None,
        };
        let mut left = None;
        for meter in self.all::<Meter>(Query::all().eq(METER_CUSTOMER, &period.customer_id))? {
            let code = &meter.feature_code;
            if own.as_ref().is_some_and(|own| own.iter().all(|it| it.code != *code)) {
                continue;
            }
            let now = self.current_meter(period.customer_id, code)?;
            if let Some(remaining) = now.and_then(|meter| meter.remaining()) {
                let sum = left.unwrap_or(Quantity::ZERO).checked_add(remaining);
                left = Some(sum.ok_or(Error::Overflow("remaining quota"))?);
            }
        }
        Ok(left)
    }

    /// The period before this one, if it is kept.
    pub(crate) fn before(&self, period: &UsagePeriod) -> Result<Option<UsagePeriod>> {
        let last = period.period_start.saturating_sub(Duration::MICROSECOND);
        let Some(before) = Period::of_calendar(period.period_type, last, period.time_zone.clone())
        else {
            return Ok(None);
        };
        let (customer, subscription) = (period.customer_id, period.subscription_id);
        self.get(UsagePeriodId::of(customer, subscription, period.period_type, before.start()))
    }

    /// The periods that are over and were not added up since.
    pub(crate) fn periods_due(&self, limit: usize) -> Result<Vec<UsagePeriod>> {
        let over = partial().filter(END, Op::Le, &self.now());
        self.find(&over.oldest_by(END).limit(limit))
    }

    /// When the next period is over.
    pub(crate) fn next_period_end(&self) -> Result<Option<OffsetDateTime>> {
        let first = self.first::<UsagePeriod>(partial().oldest_by(END))?;
        Ok(first.map(|period| period.period_end))
    }
}

fn partial() -> Query {
    Query::all().eq(STATUS, &UsagePeriodStatus::Partial)
}

impl Tx<'_> {
    /// Adds up the period of this type that `at` is in, of all usage of a customer: what its features
    /// counted, by the time at which it took place, corrections included, and what was recorded by
    /// hand. Where shorter periods make it up to which nothing can be added any more, they are added
    /// up instead. Doing it again changes nothing, unless there is something new; a period that is
    /// over is complete with it, and a finalized one stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when the period has not begun; [`Error::Overflow`].
    pub fn aggregate_usage(
        &mut self,
        customer: impl Into<CustomerRef>,
        period_type: PeriodType,
        at: OffsetDateTime,
    ) -> Result<UsagePeriod> {
        let customer = self.view().resolve_customer(&customer.into())?;
        let blank = self.view().blank_period(&customer, None, period_type, at)?;
        self.aggregate(blank)
    }

    /// As [`aggregate_usage`](Self::aggregate_usage), for one subscription: the usage in its product,
    /// and what was recorded as its own.
    ///
    /// # Errors
    ///
    /// As for [`aggregate_usage`](Self::aggregate_usage).
    pub fn aggregate_subscription_usage(
        &mut self,
        subscription: SubscriptionId,
        period_type: PeriodType,
        at: OffsetDateTime,
    ) -> Result<UsagePeriod> {
        let view = self.view();
        let subscription = view.subscription(subscription)?;
        let customer = view.customer(subscription.customer_id)?;
        let blank = view.blank_period(&customer, Some(&subscription), period_type, at)?;
        self.aggregate(blank)
    }

    /// Adds up a period, and keeps it if it is new or became another.
    pub(crate) fn aggregate(&mut self, blank: UsagePeriod) -> Result<UsagePeriod> {
        let known = self.get::<UsagePeriod>(blank.id)?;
        let mut period = known.clone().unwrap_or_else(|| blank.clone());
        if period.status == UsagePeriodStatus::Finalized {
            return Ok(period);
        }
        (period.period_end, period.time_zone) = (blank.period_end, blank.time_zone);
        self.view().add_up(&mut period)?;
        if known.as_ref() == Some(&period) {
            return Ok(period);
        }
        (period.aggregated_at, period.updated_at) = (Some(self.now()), self.now());
        self.put(&period)?;
        let data = told(&period);
        self.announce("usage_period.aggregated", period.id, period.customer_id, data);
        Ok(period)
    }

    /// Freezes a complete period, as it adds up now: usage that arrives later for a time in it is
    /// refused, and so is all that would change it. Freezing it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Rule`] when it is not complete.
    pub fn finalize_usage(&mut self, id: UsagePeriodId) -> Result<UsagePeriod> {
        let mut period = self.view().usage_period(id)?;
        match period.status {
            UsagePeriodStatus::Finalized => return Ok(period),
            UsagePeriodStatus::Complete => {}
            UsagePeriodStatus::Partial => {
                let rule = format!(
                    "a usage period that is partial cannot be finalized: aggregate it once it is \
                     over, at {}",
                    period.period_end
                );
                return Err(Error::rule(rule));
            }
        }
        self.view().add_up(&mut period)?;
        let now = self.now();
        period.status = UsagePeriodStatus::Finalized;
        (period.is_settled, period.finalized_at, period.updated_at) = (true, Some(now), now);
        self.put(&period)?;
        let data = told(&period);
        self.announce("usage_period.finalized", period.id, period.customer_id, data);
        Ok(period)
    }
}

/// What stands against a change of a frozen period, and the way.
pub(crate) fn frozen_rule(period: &UsagePeriod) -> Error {
    let (kind, start, end) = (period.period_type, period.period_start, period.period_end);
    Error::rule(format!(
        "the {kind} from {start} to {end} is finalized: adjust the usage of the current period \
         instead"
    ))
}

/// What its event tells of a period.
fn told(period: &UsagePeriod) -> serde_json::Value {
    json!({
        "periodType": period.period_type, "periodStart": at_text(period.period_start),
        "subscriptionId": period.subscription_id, "status": period.status,
        "quotaUsed": period.quota_used,
    })
}

/// An instant as JSON writes it.
pub(crate) fn at_text(at: OffsetDateTime) -> String {
    at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

//! The ledger of usage: listed, and compared with the counters that sum it up.

use crate::domain::access::CustomerRef;
use crate::domain::entitlement::Entitlement;
use crate::domain::meter::{Closed, Meter, MeterId};
use crate::domain::metering::HistoryFilter;
use crate::domain::quantity::Quantity;
use crate::domain::tally::whole;
use crate::domain::text::Note;
use crate::domain::usage::{UsageEvent, UsageEventId, UsageSnapshot, UsageWindow, UsageWindowId};
use crate::error::{Error, Result};
use crate::ops::features::parse_code;
use crate::page::{Cursor, Page};
use crate::store::query::{After, Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use crate::value::{Field, Value};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use time::OffsetDateTime;

const METER: Col = <UsageEvent as Stored>::TABLE.col("meter_id");
const EVENT_TIME: Col = <UsageEvent as Stored>::TABLE.col("event_time");
const EVENT_TYPE: Col = <UsageEvent as Stored>::TABLE.col("event_type");
const DELIVERED_AT: Col = <UsageEvent as Stored>::TABLE.col("delivered_at");
const SNAPSHOT_METER: Col = <UsageSnapshot as Stored>::TABLE.col("meter_id");
const SNAPSHOT_CREATED: Col = <UsageSnapshot as Stored>::TABLE.col("created_at");
const WINDOW_METER: Col = <UsageWindow as Stored>::TABLE.col("meter_id");

/// A reason that tenure itself gives.
pub(crate) fn reason(text: &str) -> Result<Note> {
    Note::parse(text).map_err(Error::malformed("reason"))
}

/// The event after which a page of a history starts.
fn usage_after(cursor: &Cursor) -> Result<(OffsetDateTime, UsageEventId)> {
    let After { value, key } = cursor.after();
    let at = OffsetDateTime::from_value(Value::clone(value));
    let at =
        at.ok_or_else(|| Error::invalid("cursor", &cursor.to_string(), "must be of a history"));
    Ok((at?, UsageEventId::from(*key)))
}

impl View<'_> {
    /// The usage event with this id, whether it stands by itself or in a sealed page.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn usage_event(&self, id: UsageEventId) -> Result<UsageEvent> {
        self.known_event(id)?.ok_or_else(|| Error::not_found("usage event", id))
    }

    /// The same; none if there is no such event.
    pub(crate) fn known_event(&self, id: UsageEventId) -> Result<Option<UsageEvent>> {
        let single = self.get::<UsageEvent>(id)?;
        if single.is_some() { Ok(single) } else { self.sealed_event(id) }
    }

    /// The usage events of a customer's feature, newest first, a page at a time.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000 or the filter ends before
    /// it begins.
    pub fn usage_history(
        &self,
        customer: impl Into<CustomerRef>,
        feature: &str,
        filter: &HistoryFilter,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<UsageEvent>> {
        let meter = self.meter_id(&customer.into(), feature)?;
        if let (Some(from), Some(to)) = (filter.from, filter.to)
            && to < from
        {
            return Err(Error::invalid("to", &to.to_string(), "must not be before from"));
        }
        let mut query = Query::all().eq(METER, &meter).newest_by(EVENT_TIME);
        if let Some(event_type) = filter.event_type {
            query = query.eq(EVENT_TYPE, &event_type);
        }
        if let Some(from) = filter.from {
            query = query.filter(EVENT_TIME, Op::Ge, &from);
        }
        if let Some(to) = filter.to {
            query = query.filter(EVENT_TIME, Op::Lt, &to);
        }
        if filter.exclude_delivered {
            query = query.eq(DELIVERED_AT, &None::<OffsetDateTime>);
        }
        let mut page = self.page(query, limit, cursor)?;
        let after = cursor.map(usage_after).transpose()?;
        // One more than a page, to know whether there is another.
        let sealed = self.newest_sealed(meter, filter, after, limit.saturating_add(1))?;
        if !sealed.is_empty() {
            let is_last = page.next.is_none();
            page.items.extend(sealed);
            page.items.sort_unstable_by_key(|event| Reverse((event.event_time, event.id)));
            let more = !is_last || page.items.len() > limit;
            page.items.truncate(limit);
            let last = page.items.last().filter(|_| more);
            page.next = last.map(|event| {
                let (value, key) = (event.event_time.to_value(), event.id.uuid());
                Cursor::new(After { value, key })
            });
        }
        Ok(page)
    }

    /// Hands every usage event of a meter to `take`, in no order that matters, whether it stands by
    /// itself or in a sealed page: those that took place from `from` on and before `to`.
    pub(crate) fn each_usage(
        &self,
        meter: MeterId,
        from: Option<OffsetDateTime>,
        to: Option<OffsetDateTime>,
        mut take: impl FnMut(UsageEvent) -> Result<()>,
    ) -> Result<()> {
        self.each_single(meter, from, to, &mut take)?;
        self.each_sealed(meter, from, to, take)
    }

    /// The same of those that stand by themselves.
    pub(crate) fn each_single(
        &self,
        meter: MeterId,
        from: Option<OffsetDateTime>,
        to: Option<OffsetDateTime>,
        take: impl FnMut(UsageEvent) -> Result<()>,
    ) -> Result<()> {
        // In the order of an index: in any other, each page would be looked for among all of them.
        let mut query = Query::all().eq(METER, &meter).oldest_by(EVENT_TIME);
        if let Some(from) = from {
            query = query.filter(EVENT_TIME, Op::Ge, &from);
        }
        if let Some(to) = to {
            query = query.filter(EVENT_TIME, Op::Lt, &to);
        }
        self.each(query, take)
    }

    /// The snapshots of a customer's usage of a feature, newest first, a page at a time.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn usage_snapshots(
        &self,
        customer: impl Into<CustomerRef>,
        feature: &str,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<UsageSnapshot>> {
        let meter = self.meter_id(&customer.into(), feature)?;
        let query = Query::all().eq(SNAPSHOT_METER, &meter).newest_by(SNAPSHOT_CREATED);
        self.page(query, limit, cursor)
    }

    pub(crate) fn meter_id(&self, customer: &CustomerRef, feature: &str) -> Result<MeterId> {
        let customer = self.resolve_customer(customer)?;
        Ok(MeterId::of(customer.id, &parse_code("feature", feature)?))
    }

    /// The windows of a meter that are not the running one, by start.
    pub(crate) fn windows(&self, meter: &Meter) -> Result<BTreeMap<OffsetDateTime, UsageWindow>> {
        let query = Query::all().eq(WINDOW_METER, &meter.id);
        let windows = self.all::<UsageWindow>(query)?;
        Ok(windows.into_iter().map(|window| (window.window_start, window)).collect())
    }
}

impl Tx<'_> {
    /// The window in which usage at `at` counts, if not in the running one: late usage counts in a
    /// window that ended, and usage ahead of the clock may count in one that has not begun.
    pub(crate) fn other_window(
        &self,
        meter: &Meter,
        closed: Option<&Closed>,
        at: OffsetDateTime,
    ) -> Result<Option<UsageWindow>> {
        let now = self.now();
        let config = self.config();
        let (earliest, latest) =
            (now.saturating_sub(config.late_usage_max), now.saturating_add(config.early_usage_max));
        if at > latest || at < earliest {
            let rule = "must be at most five minutes ahead and not older than late usage may be";
            return Err(Error::invalid("eventTime", &at.to_string(), rule));
        }
        let is_late = at < meter.window_start;
        if !is_late && meter.window_end.is_none_or(|end| at < end) {
            return Ok(None);
        }
        let mut windows = self.view().windows(meter)?;
        // What the running window took over from usage ahead of the clock counts in it.
        windows.remove(&meter.window_start);
        if let Some(closed) = closed {
            let Closed { start, end, used, carried_on } = *closed;
            let window = window_of(meter, start, end, used, carried_on);
            windows.insert(closed.start, window);
        }
        let before = windows.range(..=at).next_back().map(|(_, window)| window);
        if let Some(window) = before.filter(|window| at < window.window_end) {
            return Ok(Some(window.clone()));
        }
        // A window in which nothing was used: it lies between its neighbours, where the calendar of
        // the entitlement puts it.
        let grants = self.view().grants(meter.customer_id, &meter.feature_code)?;
        let base = grants.iter().find(|it| !it.source.is_additional()).or(grants.first());
        let begins = base.map(|it| it.valid_from.unwrap_or(it.anchor));
        let period = base.and_then(|it| Entitlement::period(it, at));
        let (Some(period), true) = (period, begins.is_some_and(|begins| begins <= at)) else {
            let rule = "must not lie before the entitlement began";
            return Err(Error::invalid("eventTime", &at.to_string(), rule));
        };
        // A right for life has one window, whenever its meter was made.
        let Some(end) = period.end else { return Ok(None) };
        let running = (meter.window_start, meter.window_end);
        let former = before.map(|window| window.window_end);
        let former = former.max(running.1.filter(|_| !is_late));
        let next = windows.range(at..).next().map(|(start, _)| *start);
        let next = [next, Some(running.0).filter(|_| is_late)].into_iter().flatten().min();
        let start = former.map_or(period.start, |former| period.start.max(former));
        let end = next.map_or(end, |next| end.min(next));
        // What nobody wrote down may all have been carried on.
        let most = grants.iter().filter_map(|it| it.rollover).map(|it| it.max);
        let carried_on = most.fold(Quantity::ZERO, whole);
        Ok(Some(window_of(meter, start, end, Quantity::ZERO, carried_on)))
    }
}

pub(crate) fn window_of(
    meter: &Meter,
    start: OffsetDateTime,
    end: OffsetDateTime,
    used: Quantity,
    carried_on: Quantity,
) -> UsageWindow {
    UsageWindow {
        id: UsageWindowId::of(meter.id, start),
        meter_id: meter.id,
        customer_id: meter.customer_id,
        window_start: start,
        window_end: end,
        used,
        carried_on,
    }
}

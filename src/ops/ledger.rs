//! The ledger of usage: listed, and compared with the counters that sum it up.

use crate::domain::access::CustomerRef;
use crate::domain::entitlement::Entitlement;
use crate::domain::meter::{Closed, Meter, MeterId};
use crate::domain::metering::{Discrepancy, HistoryFilter, Reconciliation, Verification};
use crate::domain::quantity::Quantity;
use crate::domain::text::Note;
use crate::domain::usage::{SnapshotType, UsageEvent, UsageSnapshot, UsageWindow, UsageWindowId};
use crate::error::{Error, Result};
use crate::ops::features::parse_code;
use crate::page::{Cursor, Page};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tenure::Tenure;
use crate::tx::{Tx, View};
use serde_json::json;
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

impl View<'_> {
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
        self.page(query, limit, cursor)
    }

    /// Hands every usage event of a meter to `take`, by the time at which it took place, read a page
    /// at a time: those that took place from `from` on and before `to`.
    pub(crate) fn each_usage(
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

    fn meter_id(&self, customer: &CustomerRef, feature: &str) -> Result<MeterId> {
        let customer = self.resolve_customer(customer)?;
        Ok(MeterId::of(customer.id, &parse_code("feature", feature)?))
    }

    /// Every difference between the counters of a meter and its events, and how many events there
    /// are.
    fn compare(&self, meter: &Meter) -> Result<(Vec<Discrepancy>, usize)> {
        let mut sums: BTreeMap<OffsetDateTime, i128> = BTreeMap::new();
        let mut events = 0_usize;
        self.each_usage(meter.id, None, None, |event| {
            let sum = sums.entry(event.window_start).or_default();
            *sum = sum.saturating_add(i128::from(event.quantity.millionths()));
            events = events.saturating_add(1);
            Ok(())
        })?;
        // A window of which nothing is kept counted nothing.
        let mut stored: BTreeMap<OffsetDateTime, Quantity> =
            sums.keys().map(|start| (*start, Quantity::ZERO)).collect();
        stored.extend(self.windows(meter)?.values().map(|it| (it.window_start, it.used)));
        stored.insert(meter.window_start, meter.used);
        let mut found = Vec::new();
        for (window_start, stored) in stored {
            let sum = sums.get(&window_start).copied().unwrap_or_default();
            let computed = i64::try_from(sum).map_or(Quantity::MAX, Quantity::from_millionths);
            if computed != stored {
                let (meter_id, customer_id) = (meter.id, meter.customer_id);
                let feature_code = meter.feature_code.clone();
                found.push(Discrepancy {
                    meter_id,
                    customer_id,
                    feature_code,
                    stored,
                    computed,
                    window_start,
                });
            }
        }
        Ok((found, events))
    }

    /// The windows of a meter that are not the running one, by start.
    fn windows(&self, meter: &Meter) -> Result<BTreeMap<OffsetDateTime, UsageWindow>> {
        let query = Query::all().eq(WINDOW_METER, &meter.id);
        let windows = self.all::<UsageWindow>(query)?;
        Ok(windows.into_iter().map(|window| (window.window_start, window)).collect())
    }
}

impl Tx<'_> {
    /// Recomputes the counters of a customer's feature from its events, mends what differs, takes a
    /// snapshot of it and says so. With correct code and a sound file nothing ever differs.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such customer, feature or meter.
    pub fn reconcile(
        &mut self,
        customer: impl Into<CustomerRef>,
        feature: &str,
    ) -> Result<Reconciliation> {
        let id = self.view().meter_id(&customer.into(), feature)?;
        let mut meter = self.require::<Meter>(id)?;
        let (discrepancies, _) = self.view().compare(&meter)?;
        self.whole(|tx| {
            for found in &discrepancies {
                if found.window_start == meter.window_start {
                    meter.used = found.computed;
                    tx.put(&meter)?;
                } else {
                    let windows = tx.view().windows(&meter)?;
                    let next = || {
                        let after = windows.range(found.window_start..).next();
                        after.map_or(meter.window_start, |(start, _)| *start)
                    };
                    let known = windows.get(&found.window_start);
                    let end = known.map_or_else(next, |window| window.window_end);
                    tx.put(&window_of(&meter, found.window_start, end, found.computed))?;
                }
                let reason = reason("the counter differed from the events")?;
                let kind = SnapshotType::Reconciliation;
                let snapshot = tx.snapshot(&meter, kind, reason, found.computed);
                tx.insert(&snapshot)?;
                let data = json!({ "stored": found.stored, "computed": found.computed });
                tx.announce("meter.reconciled", meter.id, meter.customer_id, data);
            }
            Ok(Reconciliation { meter, discrepancies })
        })
    }

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
            let window = window_of(meter, closed.start, closed.end, closed.used);
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
        Ok(Some(window_of(meter, start, end, Quantity::ZERO)))
    }
}

fn window_of(
    meter: &Meter,
    start: OffsetDateTime,
    end: OffsetDateTime,
    used: Quantity,
) -> UsageWindow {
    UsageWindow {
        id: UsageWindowId::of(meter.id, start),
        meter_id: meter.id,
        customer_id: meter.customer_id,
        window_start: start,
        window_end: end,
        used,
    }
}

impl Tenure {
    /// Recomputes every counter of the org from the ledger of events and reports every difference,
    /// without changing anything. `progress` is told how many meters were compared so far.
    ///
    /// # Errors
    ///
    /// Only the store's own.
    pub fn verify(&self, mut progress: impl FnMut(usize)) -> Result<Verification> {
        self.read(|view| {
            let mut found = Verification::default();
            view.each::<Meter>(Query::all(), |meter| {
                let (differences, events) = view.compare(&meter)?;
                found.meters = found.meters.saturating_add(1);
                found.events = found.events.saturating_add(events);
                found.discrepancies.extend(differences);
                progress(found.meters);
                Ok(())
            })?;
            Ok(found)
        })
    }
}

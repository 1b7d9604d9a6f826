//! Meters: kept in step with the entitlements, the customer's standing and the calendar.

use crate::domain::access::DenialReason;
use crate::domain::allowance::allowance;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::meter::{Closed, Meter, MeterId};
use crate::domain::quantity::Quantity;
use crate::domain::text::{Code, Note};
use crate::domain::usage::{SnapshotType, UsageSnapshot, UsageWindow, UsageWindowId};
use crate::error::Result;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use time::OffsetDateTime;

const METER_CUSTOMER: Col = <Meter as Stored>::TABLE.col("customer_id");

impl View<'_> {
    /// What was used of a feature in the current window.
    pub(crate) fn used(&self, customer: CustomerId, feature: &Code) -> Result<Quantity> {
        Ok(self.current_meter(customer, feature)?.map_or(Quantity::ZERO, |meter| meter.used))
    }

    /// The meter of a feature as it is now: if its window ended, as the next write will leave it.
    pub(crate) fn current_meter(
        &self,
        customer: CustomerId,
        feature: &Code,
    ) -> Result<Option<Meter>> {
        let Some(mut meter) = self.get::<Meter>(MeterId::of(customer, feature))? else {
            return Ok(None);
        };
        let now = self.now().max(meter.window_start);
        if !meter.is_fresh(now) {
            let barred = self.require::<Customer>(customer)?.barred();
            self.settle(&mut meter, barred, now)?;
        }
        Ok(Some(meter))
    }

    /// Brings a meter in line with the entitlements and the calendar at `now`. Returns the window
    /// that ended, if one did; the new one begins with the usage that was ahead of the clock.
    pub(crate) fn settle(
        &self,
        meter: &mut Meter,
        barred: Option<DenialReason>,
        now: OffsetDateTime,
    ) -> Result<Option<Closed>> {
        let grants = self.grants(meter.customer_id, &meter.feature_code)?;
        let closed = meter.settle(allowance(barred, &grants, now), now);
        if closed.is_some() {
            let ahead = UsageWindowId::of(meter.id, meter.window_start);
            meter.used = self.get::<UsageWindow>(ahead)?.map_or(meter.used, |window| window.used);
        }
        Ok(closed)
    }

    /// The meter as it would say what its customer may use at another instant.
    pub(crate) fn right_at(&self, meter: &Meter, at: OffsetDateTime) -> Result<Meter> {
        let barred = self.require::<Customer>(meter.customer_id)?.barred();
        let grants = self.grants(meter.customer_id, &meter.feature_code)?;
        Ok(meter.judged_by(&allowance(barred, &grants, at)))
    }
}

impl Tx<'_> {
    /// Brings every meter of a customer in line with its standing.
    pub(crate) fn refresh_meters(&mut self, customer: &Customer) -> Result<()> {
        for meter in self.view().all::<Meter>(Query::all().eq(METER_CUSTOMER, &customer.id))? {
            self.refresh_meter(customer, &meter.feature_code)?;
        }
        Ok(())
    }

    /// Brings a meter in line with the entitlements, the customer's standing and the calendar. It
    /// is made with the first entitlement.
    pub(crate) fn refresh_meter(
        &mut self,
        customer: &Customer,
        feature: &Code,
    ) -> Result<Option<Meter>> {
        let before = self.get::<Meter>(MeterId::of(customer.id, feature))?;
        let Some(before) = before else {
            let grants = self.view().grants(customer.id, feature)?;
            if grants.is_empty() {
                return Ok(None);
            }
            let now = self.now();
            let amount = allowance(customer.barred(), &grants, now);
            let meter = Meter::new(customer.id, feature.clone(), amount, now);
            self.insert(&meter)?;
            return Ok(Some(meter));
        };
        // A clock that was set back does not open a window again.
        let now = self.now().max(before.window_start);
        let mut meter = before.clone();
        let closed = self.view().settle(&mut meter, customer.barred(), now)?;
        if meter != before {
            self.put(&meter)?;
        }
        if let Some(closed) = closed {
            self.record_closed(&meter, closed)?;
        }
        Ok(Some(meter))
    }

    /// Keeps what was used in a window that ended; a window without usage leaves nothing.
    pub(crate) fn record_closed(&mut self, meter: &Meter, closed: Closed) -> Result<()> {
        let id = UsageWindowId::of(meter.id, closed.start);
        if closed.used == Quantity::ZERO && self.get::<UsageWindow>(id)?.is_none() {
            return Ok(());
        }
        self.put(&UsageWindow {
            id,
            meter_id: meter.id,
            customer_id: meter.customer_id,
            window_start: closed.start,
            window_end: closed.end,
            used: closed.used,
        })?;
        let reason = crate::ops::ledger::reason("the window ended")?;
        let snapshot = self.snapshot(meter, SnapshotType::Reset, reason, closed.used);
        self.insert(&snapshot)?;
        let data = json!({ "feature": meter.feature_code, "used": closed.used });
        self.announce("entitlement.reset", meter.id, meter.customer_id, data);
        Ok(())
    }

    /// A snapshot of a meter's usage, to be kept.
    pub(crate) fn snapshot(
        &self,
        meter: &Meter,
        snapshot_type: SnapshotType,
        reason: Note,
        value: Quantity,
    ) -> UsageSnapshot {
        UsageSnapshot {
            id: self.fresh(),
            meter_id: meter.id,
            customer_id: meter.customer_id,
            feature_code: meter.feature_code.clone(),
            reason,
            created_by: self.actor().to_owned(),
            absolute_value: value,
            billable_value: value.beyond(meter.included),
            snapshot_type,
            trigger_event_id: None,
            metadata: None,
            created_at: self.now(),
        }
    }
}

//! Meters: kept in step with the entitlements, the customer's standing and the calendar.

use crate::domain::allowance::allowance;
use crate::domain::calendar::ResetPeriod;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::entitlement::Entitlement;
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
        let Some(meter) = self.get::<Meter>(MeterId::of(customer, feature))? else {
            return Ok(None);
        };
        let overdue = self.overdue(&meter)?;
        Ok(Some(overdue.map_or(meter, |settled| settled.books.meter)))
    }

    /// The meter as it would say what its customer may use at another instant. In a window that
    /// ended, only what was there for that window counts: not what is there once, which other
    /// windows may have used up, nor what was carried on.
    pub(crate) fn right_at(
        &self,
        meter: &Meter,
        at: OffsetDateTime,
        window: Option<&UsageWindow>,
    ) -> Result<Meter> {
        let barred = self.require::<Customer>(meter.customer_id)?.barred();
        let mut grants = self.grants(meter.customer_id, &meter.feature_code)?;
        let recurs = |it: &Entitlement| it.reset_period != ResetPeriod::Never;
        if window.is_some() && grants.iter().any(recurs) {
            grants.retain(|it| recurs(it) || !it.source.is_additional());
        }
        if window.is_some() {
            // What was granted on top since then was not there.
            let begun = |it: &Entitlement| it.valid_from.unwrap_or(it.created_at) <= at;
            grants.retain(|it| begun(it) || !it.source.is_additional());
        }
        let right = meter.judged_by(&allowance(barred, &grants, at));
        let Some(window) = window else {
            // In the running window what is left is what is left now, if anything can be used.
            let (ceiling, limit) = match meter.denial {
                None => (meter.ceiling, meter.limit),
                Some(_) => (right.ceiling, right.limit),
            };
            let (held, over) = (meter.held, meter.over);
            return Ok(Meter { held, limit, ceiling, over, ..right });
        };
        let ceiling = right.ceiling.map(|ceiling| ceiling.beyond(window.carried_on));
        // Holds may be committed in a window to come, and not in one that ended.
        let is_ahead = window.window_start > meter.window_start;
        let held = if is_ahead { meter.held } else { Quantity::ZERO };
        Ok(Meter { held, ceiling, ..right })
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

    /// Brings a meter in line with the entitlements, the customer's standing and the calendar.
    pub(crate) fn refresh_meter(
        &mut self,
        customer: &Customer,
        feature: &Code,
    ) -> Result<Option<Meter>> {
        let Some(before) = self.get::<Meter>(MeterId::of(customer.id, feature))? else {
            return Ok(None);
        };
        // A clock that was set back does not open a window again.
        let now = self.now().max(before.window_start);
        let mut settled = self.view().settled(before.clone(), customer.barred(), now)?;
        self.keep_settled(&mut settled, Some(&before))?;
        Ok(Some(settled.books.meter))
    }

    /// Keeps what was used in a window that ended; a window without usage leaves nothing.
    pub(crate) fn record_closed(&mut self, meter: &Meter, closed: Closed) -> Result<()> {
        let id = UsageWindowId::of(meter.id, closed.start);
        if closed.used == Quantity::ZERO
            && closed.carried_on == Quantity::ZERO
            && self.get::<UsageWindow>(id)?.is_none()
        {
            return Ok(());
        }
        self.put(&UsageWindow {
            id,
            meter_id: meter.id,
            customer_id: meter.customer_id,
            window_start: closed.start,
            window_end: closed.end,
            used: closed.used,
            carried_on: closed.carried_on,
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

//! Verification: every counter compared with what it should sum up, and mended on request.

use crate::domain::access::CustomerRef;
use crate::domain::balance::Balance;
use crate::domain::customer::Customer;
use crate::domain::entitlement::EntitlementId;
use crate::domain::hold::{Hold, HoldStatus};
use crate::domain::meter::{Meter, MeterId};
use crate::domain::metering::{Discrepancy, DiscrepancyKind, Reconciliation, Verification};
use crate::domain::quantity::Quantity;
use crate::domain::usage::SnapshotType;
use crate::domain::usage_page::UsagePage;
use crate::error::Result;
use crate::ops::ledger::{reason, window_of};
use crate::ops::runs::damaged;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tenure::Tenure;
use crate::tx::{Tx, View};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use time::OffsetDateTime;

const HOLD_METER: Col = <Hold as Stored>::TABLE.col("meter_id");
const HOLD_STATUS: Col = <Hold as Stored>::TABLE.col("status");

/// How many differences are told one by one.
const TOLD: usize = 1_000;

/// What the events of a meter add up to, by the start of their window, and how many they are.
#[derive(Default)]
struct Sums {
    windows: BTreeMap<OffsetDateTime, i128>,
    events: usize,
}

impl Sums {
    fn add(&mut self, window: OffsetDateTime, quantity: Quantity, events: u32) {
        let sum = self.windows.entry(window).or_default();
        *sum = sum.saturating_add(i128::from(quantity.millionths()));
        self.events = self.events.saturating_add(usize::try_from(events).unwrap_or(usize::MAX));
    }

    /// Adds a page as a whole: its sum is what its events add up to, or it is damaged.
    fn add_page(&mut self, page: &UsagePage) -> Result<()> {
        page.check().map_err(damaged::<UsagePage>)?;
        self.add(page.window_start, page.sum, page.events);
        Ok(())
    }
}

/// A sum of millionths as a quantity.
fn quantity(sum: i128) -> Quantity {
    i64::try_from(sum).map_or(Quantity::MAX, Quantity::from_millionths)
}

impl View<'_> {
    /// What [`Tenure::verify`] answers.
    pub(crate) fn verify_usage(&self, mut progress: impl FnMut(usize)) -> Result<Verification> {
        let mut found = Verification::default();
        // Sealed pages are read as they lie, not meter by meter.
        let mut sealed: HashMap<MeterId, Sums> = HashMap::new();
        self.every_page(|page| sealed.entry(page.meter_id).or_default().add_page(&page))?;
        self.each::<Meter>(Query::all(), |meter| {
            let sums = sealed.remove(&meter.id).unwrap_or_default();
            let (differences, events) = self.compare(&meter, sums)?;
            found.meters = found.meters.saturating_add(1);
            found.events = found.events.saturating_add(events);
            found.differences = found.differences.saturating_add(differences.len());
            let left = TOLD.saturating_sub(found.discrepancies.len());
            found.discrepancies.extend(differences.into_iter().take(left));
            progress(found.meters);
            Ok(())
        })?;
        Ok(found)
    }

    /// Every difference between the counters of a meter and what they should sum up, and how many
    /// events there are. Of these `sums` knows those that are sealed.
    fn compare(&self, meter: &Meter, mut sums: Sums) -> Result<(Vec<Discrepancy>, usize)> {
        let mut found = Vec::new();
        let mut tell = |kind, window_start, stored, computed| {
            found.push(Discrepancy {
                meter_id: meter.id,
                customer_id: meter.customer_id,
                feature_code: meter.feature_code.clone(),
                kind,
                stored,
                computed,
                window_start,
            });
        };
        self.each_single(meter.id, None, None, |event| {
            sums.add(event.window_start, event.quantity, 1);
            Ok(())
        })?;
        let Sums { windows: sums, events } = sums;
        // A window of which nothing is kept counted nothing.
        let mut stored: BTreeMap<OffsetDateTime, Quantity> =
            sums.keys().map(|start| (*start, Quantity::ZERO)).collect();
        stored.extend(self.windows(meter)?.values().map(|it| (it.window_start, it.used)));
        stored.insert(meter.window_start, meter.used);
        for (start, stored) in stored {
            let computed = quantity(sums.get(&start).copied().unwrap_or_default());
            if stored != computed {
                tell(DiscrepancyKind::Usage, start, stored, computed);
            }
        }
        let held = self.held(meter)?;
        if held != meter.held {
            tell(DiscrepancyKind::Held, meter.window_start, meter.held, held);
        }
        if let Some((stored, computed)) = self.balances(meter)?
            && stored != computed
        {
            let (stored, computed) = (stored.room.quantity(), computed.room.quantity());
            tell(DiscrepancyKind::Room, meter.window_start, stored, computed);
        }
        Ok((found, events))
    }

    /// What the open holds of a meter set aside.
    fn held(&self, meter: &Meter) -> Result<Quantity> {
        let mut held = 0_i128;
        let open = Query::all().eq(HOLD_METER, &meter.id).eq(HOLD_STATUS, &HoldStatus::Open);
        self.each::<Hold>(open, |hold| {
            held = held.saturating_add(i128::from(hold.quantity.millionths()));
            Ok(())
        })?;
        Ok(quantity(held))
    }

    /// The balance of a meter as it is stored and as its entitlements add up to.
    fn balances(&self, meter: &Meter) -> Result<Option<(Balance, Balance)>> {
        let Some(stored) = self.get::<Balance>(meter.id)? else { return Ok(None) };
        let base = EntitlementId::base(meter.customer_id, &meter.feature_code);
        let grants = self.grants(meter.customer_id, &meter.feature_code)?;
        let computed = stored.recounted(base, &grants);
        Ok(Some((stored, computed)))
    }
}

impl Tx<'_> {
    /// Recomputes the counters of a customer's feature from its events, holds and entitlements,
    /// mends what differs, takes a snapshot of it and says so. With correct code and a sound file
    /// nothing ever differs.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such customer, feature or meter.
    pub fn reconcile(
        &mut self,
        customer: impl Into<CustomerRef>,
        feature: &str,
    ) -> Result<Reconciliation> {
        let id = self.view().meter_id(&customer.into(), feature)?;
        let meter = self.require::<Meter>(id)?;
        let mut sealed = Sums::default();
        self.view().each_page(id, None, None, |page| sealed.add_page(&page))?;
        let (discrepancies, _) = self.view().compare(&meter, sealed)?;
        if discrepancies.is_empty() {
            return Ok(Reconciliation { meter, discrepancies });
        }
        self.whole(|tx| {
            for found in &discrepancies {
                tx.mend(&meter, found)?;
            }
            let customer = tx.require::<Customer>(meter.customer_id)?;
            let settled = tx.refresh_meter(&customer, &meter.feature_code)?;
            Ok(Reconciliation { meter: settled.unwrap_or(meter), discrepancies })
        })
    }

    /// Mends one difference.
    fn mend(&mut self, meter: &Meter, found: &Discrepancy) -> Result<()> {
        let mut current = self.require::<Meter>(meter.id)?;
        match found.kind {
            DiscrepancyKind::Held => {
                current.held = found.computed;
                self.put(&current)?;
            }
            DiscrepancyKind::Room => {
                if let Some((_, computed)) = self.view().balances(meter)? {
                    self.put(&computed)?;
                }
            }
            DiscrepancyKind::Usage if found.window_start == meter.window_start => {
                current.used = found.computed;
                self.put(&current)?;
            }
            DiscrepancyKind::Usage => {
                let windows = self.view().windows(meter)?;
                let next = || {
                    let after = windows.range(found.window_start..).next();
                    after.map_or(meter.window_start, |(start, _)| *start)
                };
                let known = windows.get(&found.window_start);
                let end = known.map_or_else(next, |window| window.window_end);
                let carried = known.map_or(Quantity::ZERO, |window| window.carried_on);
                self.put(&window_of(meter, found.window_start, end, found.computed, carried))?;
            }
        }
        let reason = reason("the counter differed from the events")?;
        let kind = SnapshotType::Reconciliation;
        let snapshot = self.snapshot(meter, kind, reason, found.computed);
        self.insert(&snapshot)?;
        let data = json!({
            "kind": found.kind, "stored": found.stored, "computed": found.computed,
        });
        self.announce("meter.reconciled", meter.id, meter.customer_id, data);
        Ok(())
    }
}

impl Tenure {
    /// Recomputes every counter of the org, usage from the ledger of events, and reports every
    /// difference, without changing anything. `progress` is told how many meters were compared so
    /// far. Events are read a page at a time; it takes some 100 bytes of memory for each window of
    /// each meter that batches have written to.
    ///
    /// # Errors
    ///
    /// Only the store's own: what is damaged in a way that its row shows is
    /// [`StoreError::Corrupt`](crate::store::StoreError::Corrupt), with the table.
    pub fn verify(&self, mut progress: impl FnMut(usize)) -> Result<Verification> {
        self.read(|view| view.verify_usage(&mut progress))
    }
}

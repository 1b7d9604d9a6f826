//! How a change of usage is counted: duplicate, then limit, then effect.

use super::metering::Target;
use super::settlements::Settled;
use crate::domain::access::{Denial, DenialReason};
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::feature::{Feature, Overage};
use crate::domain::meter::Meter;
use crate::domain::metering::{Asked, LimitExceeded, UsageResult};
use crate::domain::quantity::Quantity;
use crate::domain::text::{Code, IdempotencyKey, Note};
use crate::domain::threshold;
use crate::domain::usage::{
    DeliveryStatus, Refund, SnapshotType, UsageEvent, UsageEventId, UsageEventType, UsageWindow,
};
use crate::error::{Error, Result};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::Tx;
use serde_json::json;
use std::sync::Arc;

const USED: Col = <Meter as Stored>::TABLE.col("used");
const HELD: Col = <Meter as Stored>::TABLE.col("held");
const WINDOW_USED: Col = <UsageWindow as Stored>::TABLE.col("used");

/// A change that is admitted: the meter that it counts on as it is now, and where it counts.
pub(crate) struct Admitted {
    pub(crate) meter: Meter,
    pub(crate) feature: Arc<Feature>,
    /// What must be kept with it, if the stored meter was no longer fresh.
    settled: Option<Settled>,
    /// The meter as it is stored.
    stored: Meter,
    /// The window in which late usage counts, or usage ahead of the clock, if not the running one.
    other: Option<UsageWindow>,
    /// The usage before.
    before: Quantity,
    /// The change.
    pub(crate) delta: Quantity,
    /// The limit, and how high usage could go, by which it was judged.
    judged: (Option<Quantity>, Option<Quantity>),
    /// What was included then.
    included: Quantity,
    /// The room that was set aside for it and is given back.
    freed: Quantity,
}

impl Admitted {
    /// Whether all of `quantity` fits, a clamping limit included.
    pub(crate) fn must_fit(&self, quantity: Quantity) -> Result<()> {
        let overage = match self.feature.overage {
            Overage::Clamp => Overage::Reject,
            other => other,
        };
        let feature = Feature { overage, ..(*self.feature).clone() };
        room(&self.meter, &feature, self.before, quantity).map(drop)
    }
}

impl Tx<'_> {
    /// Duplicate, then limit, then effect.
    pub(crate) fn count(&mut self, target: &Target, asked: &Asked<'_>) -> Result<UsageResult> {
        let admitted = match self.admit(target, asked) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                if let Some(first) = self.repeated(target, asked)? {
                    return Ok(first);
                }
                let is_use = asked.event_type == UsageEventType::Increment;
                return if is_use { self.wanted(target, Err(refusal)) } else { Err(refusal) };
            }
        };
        self.whole(|tx| tx.record(target, asked, admitted))
    }

    /// The first answer, if the key was used before for the same.
    pub(crate) fn repeated(
        &self,
        target: &Target,
        asked: &Asked<'_>,
    ) -> Result<Option<UsageResult>> {
        if !target.keyed {
            return Ok(None);
        }
        let id = UsageEventId::of(target.meter, &target.key);
        let first = match self.get::<UsageEvent>(id)? {
            Some(first) => Some(first),
            None if self.get::<Meter>(target.meter)?.is_some_and(|it| it.has_pages) => {
                self.view().sealed_event(id)?
            }
            None => None,
        };
        first.map(|first| repeated(&first, &target.key, asked)).transpose()
    }

    /// Writes what was admitted, unless its key was used before.
    pub(crate) fn record(
        &mut self,
        target: &Target,
        asked: &Asked<'_>,
        admitted: Admitted,
    ) -> Result<UsageResult> {
        let id = UsageEventId::of(admitted.meter.id, &target.key);
        if target.keyed
            && admitted.meter.has_pages
            && let Some(first) = self.view().sealed_event(id)?
        {
            return repeated(&first, &target.key, asked);
        }
        let mut event = self.event(id, target, asked, &admitted);
        let posting = self.post(&mut event, &admitted.feature)?;
        // The insert itself tells whether the key was used: most calls are no retries.
        if !self.insert(&event)? {
            let first = self.require::<UsageEvent>(id)?;
            return repeated(&first, &target.key, asked);
        }
        self.effect(admitted, &event)?;
        self.hand_over(posting)?;
        Ok(event.result(false))
    }

    /// The answer to a change of nothing, of which nothing is written.
    pub(crate) fn unchanged(
        &self,
        target: &Target,
        asked: &Asked<'_>,
        admitted: &Admitted,
    ) -> UsageResult {
        let id = UsageEventId::of(target.meter, &target.key);
        self.event(id, target, asked, admitted).result(true)
    }

    /// Whether the change may be made, and what exactly it is; nothing is written.
    pub(crate) fn admit(&self, target: &Target, asked: &Asked<'_>) -> Result<Admitted> {
        let view = self.view();
        let (customer, code) = (target.customer, &target.feature);
        let feature =
            view.cached_feature(code.as_str())?.ok_or_else(|| Error::not_found("feature", code))?;
        let Some(stored) = self.get::<Meter>(target.meter)? else {
            view.customer(customer)?;
            return Err(denied(customer, code, DenialReason::NotEntitled, None));
        };
        let settled = view.overdue(&stored)?;
        let mut meter = settled.as_ref().map_or(&stored, |settled| &settled.books.meter).clone();
        if meter.denial == Some(DenialReason::UnknownCustomer) {
            return Err(Error::not_found("customer", customer));
        }
        let freed = asked.reserved.unwrap_or_default();
        meter.held = meter.held.beyond(freed);
        let other = match asked.event_time {
            Some(at) => {
                view.refuse_finalized(customer, at)?;
                let closed = settled.as_ref().and_then(|settled| settled.books.closed.as_ref());
                self.other_window(&meter, closed, at)?
            }
            None => None,
        };
        let before = other.as_ref().map_or(meter.used, |window| window.used);
        // Usage is judged by the right that the customer had when it took place.
        let mut right = meter.clone();
        let delta = match asked.event_type {
            // Room that was set aside was promised.
            UsageEventType::Increment if asked.quantity <= freed => asked.quantity,
            UsageEventType::Increment => {
                if let Some(at) = asked.event_time
                    && (other.is_some() || at < meter.steady_since)
                {
                    right = view.right_at(&meter, at, other.as_ref())?;
                }
                room(&right, &feature, before, asked.quantity)?
            }
            UsageEventType::Set => {
                asked.quantity.checked_sub(before).ok_or(Error::Overflow("usage"))?
            }
            UsageEventType::Adjustment => self.adjustment(&meter, asked)?,
        };
        before.checked_add(delta).ok_or(Error::Overflow("usage"))?;
        let (judged, included) = ((right.limit, right.free_ceiling()), right.included);
        Ok(Admitted {
            meter,
            feature,
            settled,
            stored,
            other,
            before,
            delta,
            judged,
            included,
            freed,
        })
    }

    /// The difference that an adjustment makes, if it may: the usage stays at or above zero, and
    /// the refunds of one event at or below it.
    fn adjustment(&self, meter: &Meter, asked: &Asked<'_>) -> Result<Quantity> {
        let by = asked.quantity;
        let after = meter.used.checked_add(by).ok_or(Error::Overflow("usage"))?;
        if after.is_negative() {
            let rule = format!("usage is {}: it would fall below zero with {by} more", meter.used);
            return Err(Error::rule(rule));
        }
        let Some(id) = asked.adjusts else { return Ok(by) };
        let corrected = self.view().known_event(id)?.filter(|it| it.meter_id == meter.id);
        let corrected = corrected.ok_or_else(|| Error::not_found("usage event", id))?;
        if by.is_positive() {
            return Ok(by);
        }
        let adjusted = self.refunded(id)?;
        let left = corrected.quantity.checked_add(adjusted);
        match left.and_then(|left| left.checked_add(by)) {
            Some(left) if !left.is_negative() => Ok(by),
            _ => Err(Error::rule(format!(
                "the refunds of event `{id}` would exceed its quantity of {}",
                corrected.quantity
            ))),
        }
    }

    /// What was given back of an event so far, negative. A bonus for it gives nothing to refund.
    fn refunded(&self, id: UsageEventId) -> Result<Quantity> {
        Ok(self.get::<Refund>(id)?.map_or(Quantity::ZERO, |it| it.adjusted))
    }

    /// The entry of the ledger.
    fn event(
        &self,
        id: UsageEventId,
        target: &Target,
        asked: &Asked<'_>,
        admitted: &Admitted,
    ) -> UsageEvent {
        let increment = asked.event_type == UsageEventType::Increment;
        UsageEvent {
            id,
            meter_id: admitted.meter.id,
            customer_id: target.customer,
            feature_code: target.feature.clone(),
            quantity: admitted.delta,
            requested: (increment && admitted.delta != asked.quantity).then_some(asked.quantity),
            source: target.source,
            event_type: asked.event_type,
            event_time: asked.event_time.unwrap_or(self.now()),
            window_start: admitted
                .other
                .as_ref()
                .map_or(admitted.meter.window_start, |window| window.window_start),
            is_timed: asked.event_time.is_some(),
            created_at: self.now(),
            previous_value: admitted.before,
            quantity_limit: admitted.judged.0,
            usage_ceiling: admitted.judged.1,
            included_quantity: admitted.included,
            adjustment_reason: asked.reason.clone(),
            adjusts_event_id: asked.adjusts,
            idempotency_key: target.key.clone(),
            metadata: asked.metadata.cloned(),
            performed_by: match (&target.performed_by, self.actor()) {
                (Some(by), _) => Some(by.clone()),
                (None, "system") => None,
                (None, actor) => Some(actor.to_owned()),
            },
            product_id: self.product().clone(),
            billing_profile_id: None,
            stripe_delivery_status: DeliveryStatus::NotApplicable,
            stripe_event_id: None,
            stripe_delivery_error: None,
            delivered_at: None,
        }
    }

    /// Brings the counters in line with the ledger's new entry, and tells of it.
    fn effect(&mut self, admitted: Admitted, event: &UsageEvent) -> Result<()> {
        let Admitted { meter, feature, other, before, delta, .. } = &admitted;
        let (meter, before, delta) = (meter.clone(), *before, *delta);
        let after = before.checked_add(delta).ok_or(Error::Overflow("usage"))?;
        let data = json!({ "feature": meter.feature_code, "quantity": delta, "used": after });
        let name = match event.event_type {
            UsageEventType::Increment => "entitlement.consumed",
            UsageEventType::Set => "usage_event.set",
            UsageEventType::Adjustment => "usage_event.adjusted",
        };
        let is_late = other.as_ref().is_some_and(|it| it.window_start < meter.window_start);
        let feature = Arc::clone(feature);
        self.add_up(admitted, event, after)?;
        if let Some(id) = event.adjusts_event_id.filter(|_| delta.is_negative()) {
            let adjusted =
                self.refunded(id)?.checked_add(delta).ok_or(Error::Overflow("refund"))?;
            self.put(&Refund { id, adjusted })?;
        }
        self.announce(name, event.id, meter.customer_id, data);
        if let Some(reason) = event.adjustment_reason.clone()
            && event.event_type == UsageEventType::Set
        {
            self.keep_snapshot(&meter, event, reason, after)?;
        }
        if !is_late {
            self.tell_thresholds(&meter, &feature, before, after);
        }
        Ok(())
    }

    /// Adds the change to its counter. Consumption under fresh limits is one addition; whatever
    /// else changes what is left is settled at once.
    fn add_up(&mut self, admitted: Admitted, event: &UsageEvent, after: Quantity) -> Result<()> {
        let Admitted { meter, settled, stored, other, delta, freed, .. } = admitted;
        let plain = event.event_type == UsageEventType::Increment && !meter.opens;
        let is_running = other.is_none();
        match settled {
            None if (plain || !is_running) && !stored.has_singles => {
                let used = if is_running { after } else { stored.used };
                self.put(&Meter { used, held: meter.held, has_singles: true, ..stored })?;
            }
            None if plain || !is_running => {
                if freed.is_positive() {
                    self.add::<Meter>(meter.id, HELD, freed.millionths().saturating_neg())?;
                }
                if is_running {
                    self.add::<Meter>(meter.id, USED, delta.millionths())?;
                }
            }
            settled => {
                let mut settled = if let Some(settled) = settled {
                    settled
                } else {
                    let barred = self.require::<Customer>(meter.customer_id)?.barred();
                    let now = self.now().max(meter.window_start);
                    let mut settled = self.view().begin(stored.clone(), barred, now)?;
                    // What goes back does so to those that gave, whoever settled it when.
                    self.view().burn(&mut settled.books)?;
                    settled
                };
                settled.books.meter.held = meter.held;
                settled.books.meter.has_singles = true;
                if is_running {
                    settled.books.meter.used = after;
                    if !plain {
                        self.view().settle(&mut settled)?;
                    }
                }
                self.keep_settled(&mut settled, Some(&stored))?;
            }
        }
        if let Some(mut window) = other {
            let by = delta.millionths();
            if self.add::<UsageWindow>(window.id, WINDOW_USED, by)?.is_none() {
                window.used = after;
                self.insert(&window)?;
            }
        }
        Ok(())
    }

    fn keep_snapshot(
        &mut self,
        meter: &Meter,
        event: &UsageEvent,
        reason: Note,
        after: Quantity,
    ) -> Result<()> {
        let mut snapshot = self.snapshot(meter, SnapshotType::Set, reason, after);
        snapshot.trigger_event_id = Some(event.id);
        snapshot.metadata.clone_from(&event.metadata);
        snapshot.created_by = event.performed_by.clone().unwrap_or_else(|| self.actor().to_owned());
        self.insert(&snapshot).map(drop)
    }

    /// Tells of every threshold that lies in (before, after].
    pub(crate) fn tell_thresholds(
        &mut self,
        meter: &Meter,
        feature: &Feature,
        before: Quantity,
        after: Quantity,
    ) {
        let Some(limit) = meter.limit else { return };
        let percentages = &self.config().thresholds;
        let crossed = threshold::crossed_percentages(
            percentages,
            Some(limit.millionths()),
            before.millionths(),
            after.millionths(),
        );
        for percent in crossed {
            let data = json!({
                "feature": feature.code, "percent": percent, "used": after, "limit": limit,
            });
            self.announce("entitlement.threshold_reached", meter.id, meter.customer_id, data);
        }
        if before < limit && after >= limit {
            let data = json!({ "feature": feature.code, "used": after, "limit": limit });
            self.announce("entitlement.exhausted", meter.id, meter.customer_id, data);
        }
    }
}

/// The answer to a key that was used before: the first one, if it was used for the same.
pub(crate) fn repeated(
    first: &UsageEvent,
    key: &IdempotencyKey,
    asked: &Asked<'_>,
) -> Result<UsageResult> {
    match first.differs_from(asked) {
        None => Ok(first.result(true)),
        Some(field) => {
            let event_id = first.id.uuid();
            Err(Error::KeyReused { key: key.to_string(), field, event_id })
        }
    }
}

/// How much of `quantity` is counted on top of `before`: all of it, or with a clamping limit what
/// fits.
pub(crate) fn room(
    meter: &Meter,
    feature: &Feature,
    before: Quantity,
    quantity: Quantity,
) -> Result<Quantity> {
    let disabled = (!feature.is_active).then_some(DenialReason::Disabled);
    if let Some(reason) = meter.denial.or(disabled) {
        let remedy = meter.remedy(reason, quantity);
        return Err(denied(meter.customer_id, &feature.code, reason, remedy));
    }
    let after = before.checked_add(quantity);
    let Some(reach) = meter.reach(feature.overage) else {
        return after.map(|_| quantity).ok_or(Error::Overflow("usage"));
    };
    if after.is_some_and(|after| after <= reach) {
        return Ok(quantity);
    }
    let fits = reach.beyond(before);
    if feature.overage == Overage::Clamp && fits.is_positive() {
        return Ok(fits);
    }
    let ceiling = meter.free_ceiling().unwrap_or(reach);
    Err(Error::LimitExceeded(Box::new(LimitExceeded {
        customer_id: meter.customer_id,
        feature_code: feature.code.clone(),
        limit: meter.limit.unwrap_or(ceiling),
        used: before,
        requested: quantity,
        remaining: ceiling.beyond(before),
        reset_at: meter.reset_at,
    })))
}

pub(crate) fn denied(
    customer_id: CustomerId,
    feature: &Code,
    reason: DenialReason,
    remedy: Option<crate::Remedy>,
) -> Error {
    let remedy = remedy.or_else(|| reason.remedy(None));
    Error::Denied(Box::new(Denial { customer_id, feature_code: feature.clone(), reason, remedy }))
}

//! Metering: what is used is counted exactly once, and never beyond a limit that rejects.

use crate::domain::access::{CustomerRef, Denial, DenialReason};
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::feature::{Feature, Overage};
use crate::domain::instant;
use crate::domain::meter::{Closed, Meter, MeterId};
use crate::domain::metering::{Asked, Correction, LimitExceeded, Track, UsageResult};
use crate::domain::quantity::Quantity;
use crate::domain::text::{Code, ExternalId, IdempotencyKey, Note};
use crate::domain::threshold;
use crate::domain::usage::{
    DeliveryStatus, Refund, SnapshotType, UsageEvent, UsageEventId, UsageEventType, UsageSource,
    UsageWindow,
};
use crate::error::{Error, Faults, Result};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tenure::Tenure;
use crate::tx::Tx;
use serde_json::json;
use std::sync::Arc;

const USED: Col = <Meter as Stored>::TABLE.col("used");
const WINDOW_USED: Col = <UsageWindow as Stored>::TABLE.col("used");

/// Whose meter of what, and under which key.
struct Target {
    customer: CustomerId,
    feature: Code,
    key: IdempotencyKey,
    /// Whether the caller gave the key: only then can the call be a retry.
    keyed: bool,
    source: UsageSource,
    performed_by: Option<String>,
}

/// A change that is admitted: the meter that it counts on as it is now, and where it counts.
struct Admitted {
    meter: Meter,
    feature: Arc<Feature>,
    /// Whether the stored meter is still the one before its window ended.
    rolled: bool,
    closed: Option<Closed>,
    /// The window in which late usage counts, or usage ahead of the clock, if not the running one.
    other: Option<UsageWindow>,
    /// The usage before.
    before: Quantity,
    /// The change.
    delta: Quantity,
    /// The limit by which it was judged.
    limit: Option<Quantity>,
    /// What was included then.
    included: Quantity,
}

impl Tenure {
    /// Counts usage in a transaction of its own: see [`Tx::track`].
    ///
    /// # Errors
    ///
    /// As [`Tx::track`]. When the store fails while it makes the usage durable, the outcome is
    /// unknown ([`Error::outcome`]): a retry with the same key is right.
    pub fn track(&self, track: &Track) -> Result<UsageResult> {
        self.write(|tx| tx.track(track))
    }
}

impl Tx<'_> {
    /// Counts usage. A retry with the same key and content returns the first answer and counts
    /// nothing; what would go beyond a rejecting limit is refused and leaves the key free. The
    /// order is duplicate, limit, effect: a retry of what was counted is never refused.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a quantity that is not above zero, a malformed key, a time that lies
    /// more than five minutes ahead or too far back; [`Error::NotFound`] for the customer or the
    /// feature; [`Error::Denied`] when the customer has no right to it now;
    /// [`Error::LimitExceeded`]; [`Error::KeyReused`] when the key was used for something else.
    pub fn track(&mut self, track: &Track) -> Result<UsageResult> {
        let mut faults = Faults::default();
        if !track.quantity.is_positive() {
            faults.add("quantity", &track.quantity.to_string(), "must be above zero");
        }
        let asked = Asked {
            event_type: UsageEventType::Increment,
            quantity: track.quantity,
            event_time: track.event_time.map(instant::utc),
            adjusts: None,
            reason: None,
            metadata: track.metadata.as_ref(),
        };
        let key = track.idempotency_key.as_deref();
        let target =
            self.target(&track.customer, &track.feature, key, track.source, None, faults)?;
        self.count(&target, &asked)
    }

    /// Sets the usage of the current window to a value, to correct it. A limit does not refuse it:
    /// it states a fact.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the value is below zero or there is no reason; [`Error::NotFound`];
    /// [`Error::Denied`] when the customer never had a right to the feature; [`Error::KeyReused`].
    pub fn set_usage(&mut self, correction: &Correction) -> Result<UsageResult> {
        let mut faults = Faults::default();
        if correction.quantity.is_negative() {
            faults.add("quantity", &correction.quantity.to_string(), "must not be negative");
        }
        if correction.adjusts_event_id.is_some() {
            faults.add("adjustsEventId", "", "belongs to an adjustment");
        }
        self.correct(correction, UsageEventType::Set, faults)
    }

    /// Corrects the usage of the current window by a difference, such as a refund. A limit does not
    /// refuse it; below zero it cannot go, and the refunds of one event never exceed it.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the difference is zero or there is no reason; [`Error::NotFound`]
    /// also for the event that it corrects; [`Error::Rule`] when usage would fall below zero or a
    /// refund would exceed its event; [`Error::Denied`]; [`Error::KeyReused`].
    pub fn adjust_usage(&mut self, correction: &Correction) -> Result<UsageResult> {
        let mut faults = Faults::default();
        if correction.quantity == Quantity::ZERO {
            faults.add("quantity", "0", "must not be zero");
        }
        self.correct(correction, UsageEventType::Adjustment, faults)
    }

    fn correct(
        &mut self,
        correction: &Correction,
        event_type: UsageEventType,
        mut faults: Faults,
    ) -> Result<UsageResult> {
        if correction.reason.trim().is_empty() {
            faults.add("reason", "", "is required");
        }
        let asked = Asked {
            event_type,
            quantity: correction.quantity,
            event_time: None,
            adjusts: correction.adjusts_event_id,
            reason: faults.note("reason", Note::parse(&correction.reason)),
            metadata: correction.metadata.as_ref(),
        };
        let (customer, feature) = (&correction.customer, correction.feature.as_str());
        let (key, by) = (correction.idempotency_key.as_deref(), correction.performed_by.as_deref());
        let target = self.target(customer, feature, key, UsageSource::Adjustment, by, faults)?;
        self.count(&target, &asked)
    }

    /// Whose meter is meant, every fault of the call noted.
    fn target(
        &self,
        customer: &CustomerRef,
        feature: &str,
        key: Option<&str>,
        source: UsageSource,
        performed_by: Option<&str>,
        mut faults: Faults,
    ) -> Result<Target> {
        let keyed = key.is_some();
        let made = || format!("{:032x}", self.random());
        let key = IdempotencyKey::parse(&key.map_or_else(made, ToOwned::to_owned));
        let key = faults.note("idempotencyKey", key);
        let by = performed_by.and_then(|it| faults.note("performedBy", ExternalId::parse(it)));
        let (Some(key), true) = (key, faults.0.is_empty()) else {
            return Err(Error::Invalid(faults));
        };
        let Some(id) = self.view().customer_id(customer)? else {
            let CustomerRef::ExternalOrg(external) = customer else {
                return Err(Error::not_found("customer", ""));
            };
            return Err(Error::not_found("customer", external));
        };
        let feature = Code::parse(feature).map_err(|_| Error::not_found("feature", feature))?;
        let performed_by = by.map(|by| by.as_str().to_owned());
        Ok(Target { customer: id, feature, key, keyed, source, performed_by })
    }

    /// Duplicate, then limit, then effect.
    fn count(&mut self, target: &Target, asked: &Asked<'_>) -> Result<UsageResult> {
        let meter = MeterId::of(target.customer, &target.feature);
        let id = UsageEventId::of(meter, &target.key);
        let admitted = match self.admit(target, asked) {
            Ok(admitted) => admitted,
            Err(refusal) if target.keyed => {
                return match self.get::<UsageEvent>(id)? {
                    Some(first) => repeated(&first, target, asked),
                    None => Err(refusal),
                };
            }
            Err(refusal) => return Err(refusal),
        };
        let event = self.event(id, target, asked, &admitted);
        self.whole(|tx| {
            // The insert itself tells whether the key was used: most calls are no retries.
            if !tx.insert(&event)? {
                let first = tx.require::<UsageEvent>(id)?;
                return repeated(&first, target, asked);
            }
            tx.effect(admitted, &event)?;
            Ok(event.result(false))
        })
    }

    /// Whether the change may be made, and what exactly it is; nothing is written.
    fn admit(&self, target: &Target, asked: &Asked<'_>) -> Result<Admitted> {
        let view = self.view();
        let (customer, code) = (target.customer, &target.feature);
        let feature =
            view.cached_feature(code.as_str())?.ok_or_else(|| Error::not_found("feature", code))?;
        let Some(mut meter) = self.get::<Meter>(MeterId::of(customer, code))? else {
            view.customer(customer)?;
            return Err(denied(customer, code, DenialReason::NotEntitled, None));
        };
        let now = self.now().max(meter.window_start);
        let (mut rolled, mut closed) = (false, None);
        if !meter.is_fresh(now) {
            let barred = self.require::<Customer>(customer)?.barred();
            closed = view.settle(&mut meter, barred, now)?;
            rolled = true;
        }
        if meter.denial == Some(DenialReason::UnknownCustomer) {
            return Err(Error::not_found("customer", customer));
        }
        let other = match asked.event_time {
            Some(at) => {
                view.refuse_finalized(customer, at)?;
                self.other_window(&meter, closed.as_ref(), at)?
            }
            None => None,
        };
        let before = other.as_ref().map_or(meter.used, |window| window.used);
        // Usage is judged by the right that the customer had when it took place.
        let mut right = meter.clone();
        let delta = match asked.event_type {
            UsageEventType::Increment => {
                if let Some(at) = asked.event_time {
                    right = self.view().right_at(&meter, at)?;
                }
                room(&right, &feature, before, asked.quantity)?
            }
            UsageEventType::Set => {
                asked.quantity.checked_sub(before).ok_or(Error::Overflow("usage"))?
            }
            UsageEventType::Adjustment => self.adjustment(&meter, asked)?,
        };
        before.checked_add(delta).ok_or(Error::Overflow("usage"))?;
        let (limit, included) = (right.limit, right.included);
        Ok(Admitted { meter, feature, rolled, closed, other, before, delta, limit, included })
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
        let corrected = self.get::<UsageEvent>(id)?.filter(|it| it.meter_id == meter.id);
        let corrected = corrected.ok_or_else(|| Error::not_found("usage event", id))?;
        if by.is_positive() {
            return Ok(by);
        }
        let adjusted = self.get::<Refund>(id)?.map_or(Quantity::ZERO, |earlier| earlier.adjusted);
        let left = corrected.quantity.checked_add(adjusted);
        match left.and_then(|left| left.checked_add(by)) {
            Some(left) if !left.is_negative() => Ok(by),
            _ => Err(Error::rule(format!(
                "the refunds of event `{id}` would exceed its quantity of {}",
                corrected.quantity
            ))),
        }
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
            quantity_limit: admitted.limit,
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
        let Admitted { mut meter, feature, rolled, closed, other, before, delta, .. } = admitted;
        let after = before.checked_add(delta).ok_or(Error::Overflow("usage"))?;
        let data = json!({ "feature": meter.feature_code, "quantity": delta, "used": after });
        let name = match event.event_type {
            UsageEventType::Increment => "entitlement.consumed",
            UsageEventType::Set => "usage_event.set",
            UsageEventType::Adjustment => "usage_event.adjusted",
        };
        let is_running = other.is_none();
        let is_late = other.as_ref().is_some_and(|it| it.window_start < meter.window_start);
        if let Some(closed) = closed {
            self.record_closed(&meter, closed)?;
        }
        if let Some(mut window) = other {
            let by = delta.millionths();
            if self.add::<UsageWindow>(window.id, WINDOW_USED, by)?.is_none() {
                window.used = after;
                self.insert(&window)?;
            }
        } else {
            meter.used = after;
        }
        if rolled {
            self.put(&meter)?;
        } else if is_running {
            self.add::<Meter>(meter.id, USED, delta.millionths())?;
        }
        if let Some(id) = event.adjusts_event_id {
            let earlier = self.get::<Refund>(id)?.map_or(Quantity::ZERO, |it| it.adjusted);
            let adjusted = earlier.checked_add(delta).ok_or(Error::Overflow("refund"))?;
            self.put(&Refund { id, adjusted })?;
        }
        self.announce(name, event.id, meter.customer_id, data);
        if event.event_type == UsageEventType::Set {
            let reason = event.adjustment_reason.clone().map_or_else(|| Note::parse(""), Ok);
            let reason = reason.map_err(Error::malformed("reason"))?;
            let mut snapshot = self.snapshot(&meter, SnapshotType::Set, reason, after);
            snapshot.trigger_event_id = Some(event.id);
            snapshot.metadata.clone_from(&event.metadata);
            snapshot.created_by =
                event.performed_by.clone().unwrap_or_else(|| self.actor().to_owned());
            self.insert(&snapshot)?;
        }
        if !is_late {
            self.tell_thresholds(&meter, &feature, before, after);
        }
        Ok(())
    }

    /// Tells of every threshold that lies in (before, after].
    fn tell_thresholds(
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
fn repeated(first: &UsageEvent, target: &Target, asked: &Asked<'_>) -> Result<UsageResult> {
    match first.differs_from(asked) {
        None => Ok(first.result(true)),
        Some(field) => {
            let event_id = first.id.uuid();
            Err(Error::KeyReused { key: target.key.to_string(), field, event_id })
        }
    }
}

/// How much of `quantity` is counted on top of `before`: all of it, or with a clamping limit what
/// fits.
fn room(
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
    let ceiling = |limit| feature.overage.ceiling(limit).map(|ceiling| (limit, ceiling));
    let Some((limit, ceiling)) = meter.limit.and_then(ceiling) else {
        return after.map(|_| quantity).ok_or(Error::Overflow("usage"));
    };
    if after.is_some_and(|after| after <= ceiling) {
        return Ok(quantity);
    }
    let fits = ceiling.beyond(before);
    if feature.overage == Overage::Clamp && fits.is_positive() {
        return Ok(fits);
    }
    Err(Error::LimitExceeded(Box::new(LimitExceeded {
        customer_id: meter.customer_id,
        feature_code: feature.code.clone(),
        limit,
        used: before,
        requested: quantity,
        remaining: limit.beyond(before),
        reset_at: meter.window_end,
    })))
}

fn denied(
    customer_id: CustomerId,
    feature: &Code,
    reason: DenialReason,
    remedy: Option<crate::Remedy>,
) -> Error {
    let remedy = remedy.or_else(|| reason.remedy(None));
    Error::Denied(Box::new(Denial { customer_id, feature_code: feature.clone(), reason, remedy }))
}

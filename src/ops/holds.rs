//! Holds: room is set aside before the work, and what was really used is counted after it.

use crate::domain::hold::{Commit, Committed, Hold, HoldId, HoldStatus, Reserve, TTL_MAX};
use crate::domain::meter::Meter;
use crate::domain::metering::Asked;
use crate::domain::quantity::Quantity;
use crate::domain::text::IdempotencyKey;
use crate::domain::usage::{UsageEventId, UsageSource};
use crate::error::{Error, Faults, Result};
use crate::ops::metering::Target;
use crate::tx::{Tx, View};
use serde_json::json;
use time::Duration;

impl View<'_> {
    /// The hold with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn hold(&self, id: HoldId) -> Result<Hold> {
        self.require(id)
    }
}

impl Tx<'_> {
    /// Sets room aside for work whose cost is known only afterwards: nobody else can use it until
    /// it is committed, released, or its time is over. It is refused like usage of the quantity
    /// would be; below a clamping limit it must fit as a whole. A retry with the same key and
    /// content returns the hold as it is by now.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a quantity that is not above zero or a time that is not above zero and
    /// at most 31 days; [`Error::NotFound`]; [`Error::Denied`]; [`Error::LimitExceeded`];
    /// [`Error::KeyReused`]; [`Error::Overflow`] for all that is set aside together.
    pub fn reserve(&mut self, reserve: &Reserve) -> Result<Hold> {
        let mut faults = Faults::default();
        if !reserve.quantity.is_positive() {
            faults.add("quantity", &reserve.quantity.to_string(), "must be above zero");
        }
        if reserve.ttl < Duration::MICROSECOND || reserve.ttl > TTL_MAX {
            faults.add("ttl", &reserve.ttl.to_string(), "must be above zero and at most 31 days");
        }
        let key = reserve.idempotency_key.as_deref();
        let (customer, feature) = (&reserve.customer, reserve.feature.as_str());
        let target = self.target(customer, feature, key, UsageSource::Api, None, faults)?;
        let id = HoldId::of(target.meter, &target.key);
        if target.keyed
            && let Some(known) = self.get::<Hold>(id)?
        {
            return same(known, reserve);
        }
        let asked = Asked { quantity: reserve.quantity, ..Asked::default() };
        let admitted = self.wanted(&target, self.admit(&target, &asked))?;
        self.wanted(&target, admitted.must_fit(reserve.quantity))?;
        let together = admitted.meter.held.checked_add(reserve.quantity);
        together.ok_or(Error::Overflow("room that is set aside"))?;
        let now = self.now();
        let expires_at = crate::domain::instant::utc(now.saturating_add(reserve.ttl));
        let hold = Hold {
            id,
            meter_id: admitted.meter.id,
            customer_id: target.customer,
            feature_code: target.feature,
            quantity: reserve.quantity,
            idempotency_key: target.key,
            expires_at,
            status: HoldStatus::Open,
            usage_event_id: None,
            created_at: now,
        };
        self.whole(|tx| {
            tx.hold_back(&hold)?;
            tx.insert(&hold)?;
            let data = json!({ "feature": hold.feature_code, "quantity": hold.quantity });
            tx.announce("hold.reserved", hold.id, hold.customer_id, data);
            Ok(hold)
        })
    }

    /// Counts what was really used of a hold and gives the rest of the room back. Up to what was set
    /// aside it is never refused, whatever has changed meanwhile; what is beyond it, and a hold whose
    /// time was over, are judged like any usage: if that is refused, the hold stays as it is. A retry
    /// returns the first answer.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a quantity below zero; [`Error::NotFound`]; [`Error::Rule`] when the
    /// hold was released; [`Error::KeyReused`] when something else was committed, or usage was tracked
    /// under the key `hold/` and its id;
    /// [`Error::LimitExceeded`] and [`Error::Denied`] for what is beyond it.
    pub fn commit(&mut self, commit: &Commit) -> Result<Committed> {
        if commit.actual.is_negative() {
            let rule = "must not be negative";
            return Err(Error::invalid("actual", &commit.actual.to_string(), rule));
        }
        let hold = self.require::<Hold>(commit.hold)?;
        let key = IdempotencyKey::parse(&format!("hold/{}", hold.id));
        let key = key.map_err(Error::malformed("hold"))?;
        let (customer, feature) = (hold.customer_id, hold.feature_code.clone());
        let (keyed, source, performed_by) = (true, UsageSource::Api, None);
        let meter = hold.meter_id;
        let target = Target { customer, feature, meter, key, keyed, source, performed_by };
        let is_open = self.is_open(&hold)?;
        let asked = Asked {
            quantity: commit.actual,
            metadata: commit.metadata.as_ref(),
            reserved: Some(hold.quantity).filter(|_| is_open),
            ..Asked::default()
        };
        match hold.status {
            HoldStatus::Released => {
                return Err(Error::rule(format!("hold `{}` was released", hold.id)));
            }
            HoldStatus::Committed => return self.committed(hold, &target, &asked),
            HoldStatus::Open | HoldStatus::Expired => {}
        }
        if commit.actual == Quantity::ZERO {
            let hold = self.whole(|tx| tx.free(&hold, HoldStatus::Committed, "hold.committed"))?;
            return Ok(Committed { hold, usage: None });
        }
        let admitted = self.admit(&target, &asked)?;
        self.whole(|tx| {
            let usage = tx.record(&target, &asked, admitted)?;
            if usage.duplicate {
                // Somebody used the key of this commit: nothing was counted for the hold.
                let (key, event_id) = (target.key.to_string(), usage.event_id.uuid());
                return Err(Error::KeyReused { key, field: "hold", event_id });
            }
            // The settlement may have written down that its time was over.
            let mut hold = tx.require::<Hold>(hold.id)?;
            hold.status = HoldStatus::Committed;
            hold.usage_event_id = Some(usage.event_id);
            tx.put(&hold)?;
            let data = json!({
                "feature": hold.feature_code, "quantity": hold.quantity, "used": commit.actual,
            });
            tx.announce("hold.committed", hold.id, hold.customer_id, data);
            Ok(Committed { hold, usage: Some(usage) })
        })
    }

    /// The answer to a commit that was made before.
    fn committed(&self, hold: Hold, target: &Target, asked: &Asked<'_>) -> Result<Committed> {
        if hold.usage_event_id.is_none() != (asked.quantity == Quantity::ZERO) {
            let event_id = hold.usage_event_id.map_or(hold.id.uuid(), UsageEventId::uuid);
            let key = target.key.to_string();
            return Err(Error::KeyReused { key, field: "quantity", event_id });
        }
        Ok(Committed { hold, usage: self.repeated(target, asked)? })
    }

    /// Gives the room of a hold back; nothing was used. Doing so again changes nothing, nor does it
    /// when the hold's time was over.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Rule`] when it was committed.
    pub fn release(&mut self, id: HoldId) -> Result<Hold> {
        let hold = self.require::<Hold>(id)?;
        match hold.status {
            HoldStatus::Committed => Err(Error::rule(format!("hold `{id}` was committed"))),
            HoldStatus::Released | HoldStatus::Expired => Ok(hold),
            HoldStatus::Open => {
                self.whole(|tx| tx.free(&hold, HoldStatus::Released, "hold.released"))
            }
        }
    }

    /// Whether a hold keeps others from the room; a clock that was set back opens none again.
    fn is_open(&self, hold: &Hold) -> Result<bool> {
        let window_start = self.require::<Meter>(hold.meter_id)?.window_start;
        Ok(hold.is_open(self.now().max(window_start)))
    }

    /// Ends a hold without usage.
    fn free(&mut self, hold: &Hold, status: HoldStatus, event: &'static str) -> Result<Hold> {
        let is_open = self.is_open(hold)?;
        self.settle_meter(hold.meter_id, is_open, |meter| {
            meter.held = meter.held.beyond(hold.quantity);
        })?;
        let mut hold = self.require::<Hold>(hold.id)?;
        if hold.status == HoldStatus::Open || status == HoldStatus::Committed {
            hold.status = status;
            self.put(&hold)?;
            let data = json!({ "feature": hold.feature_code, "quantity": hold.quantity });
            self.announce(event, hold.id, hold.customer_id, data);
        }
        Ok(hold)
    }

    /// Keeps others from the room of a new hold.
    fn hold_back(&mut self, hold: &Hold) -> Result<()> {
        self.settle_meter(hold.meter_id, true, |meter| {
            meter.held = meter.held.checked_add(hold.quantity).unwrap_or(Quantity::MAX);
            let ends = [meter.fresh_until, Some(hold.expires_at)];
            meter.fresh_until = ends.into_iter().flatten().min();
        })
    }

    /// Brings a meter up to date, and changes it if that is wanted.
    fn settle_meter(
        &mut self,
        id: crate::MeterId,
        wanted: bool,
        change: impl FnOnce(&mut Meter),
    ) -> Result<()> {
        let stored = self.require::<Meter>(id)?;
        let Some(mut settled) = self.view().overdue(&stored)? else {
            let mut meter = stored;
            if wanted {
                change(&mut meter);
                self.put(&meter)?;
            }
            return Ok(());
        };
        if wanted {
            change(&mut settled.books.meter);
        }
        self.keep_settled(&mut settled, Some(&stored))
    }
}

/// The hold that a key stands for, if it was asked for in the same way.
fn same(known: Hold, reserve: &Reserve) -> Result<Hold> {
    let made = known.created_at.unix_timestamp_nanos();
    let ttl = known.expires_at.unix_timestamp_nanos().saturating_sub(made);
    let field = if known.quantity != reserve.quantity {
        "quantity"
    } else if ttl.div_euclid(1_000) != reserve.ttl.whole_nanoseconds().div_euclid(1_000) {
        "ttl"
    } else {
        return Ok(known);
    };
    let (key, event_id) = (known.idempotency_key.to_string(), known.id.uuid());
    Err(Error::KeyReused { key, field, event_id })
}

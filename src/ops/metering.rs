//! Metering: what is used is counted exactly once, and never beyond a limit that rejects.

use crate::domain::access::CustomerRef;
use crate::domain::customer::CustomerId;
use crate::domain::meter::MeterId;
use crate::domain::metering::{Asked, Correction, Track, UsageResult};
use crate::domain::quantity::Quantity;
use crate::domain::text::{Code, ExternalId, IdempotencyKey, Note};
use crate::domain::usage::{UsageEventType, UsageSource};
use crate::error::{Error, Faults, Result};
use crate::tenure::Tenure;
use crate::tx::Tx;

/// Whose meter of what, and under which key.
pub(crate) struct Target {
    pub(crate) customer: CustomerId,
    pub(crate) feature: Code,
    /// The meter that follows from both.
    pub(crate) meter: MeterId,
    pub(crate) key: IdempotencyKey,
    /// Whether the caller gave the key: only then can the call be a retry.
    pub(crate) keyed: bool,
    pub(crate) source: UsageSource,
    pub(crate) performed_by: Option<String>,
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
        let target = self.track_target(track)?;
        self.count(&target, &Asked::increment(track))
    }

    /// Whose meter a track is about, every fault of it noted.
    pub(crate) fn track_target(&self, track: &Track) -> Result<Target> {
        let mut faults = Faults::default();
        if !track.quantity.is_positive() {
            faults.add("quantity", &track.quantity.to_string(), "must be above zero");
        }
        let key = track.idempotency_key.as_deref();
        self.target(&track.customer, &track.feature, key, track.source, None, faults)
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
            reserved: None,
        };
        let (customer, feature) = (&correction.customer, correction.feature.as_str());
        let (key, by) = (correction.idempotency_key.as_deref(), correction.performed_by.as_deref());
        let target = self.target(customer, feature, key, UsageSource::Adjustment, by, faults)?;
        self.count(&target, &asked)
    }

    /// Whose meter is meant, every fault of the call noted.
    pub(crate) fn target(
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
        let meter = MeterId::of(id, &feature);
        Ok(Target { customer: id, feature, meter, key, keyed, source, performed_by })
    }
}

//! Billing gateways: one that lives in the process, for tests and examples.

use crate::domain::billing::{
    BillingGateway, CheckoutSession, GatewaySubscription, MeterEvent, MeterFailure,
};
use crate::domain::quantity::Quantity;
use crate::domain::text::{ExternalId, Line};
use crate::domain::usage::UsageEventId;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A billing gateway without a network: it knows what it was told. Clones share what they know.
///
/// ```
/// use tenure::billing::FakeBilling;
/// use tenure::store::memory::MemoryStore;
/// use tenure::Tenure;
///
/// let billing = FakeBilling::new();
/// let tenure = Tenure::builder(MemoryStore::new()).billing(billing.clone()).open()?;
/// billing.fail_with(Some("card network down"));
/// let customer = tenure.write(|tx| tx.ensure_account("ada@acme.com", None))?;
/// let failed = tenure.claim_checkout(customer.id, "cs_1").unwrap_err();
/// assert!(failed.is_retryable());
/// # Ok::<_, tenure::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct FakeBilling(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<String, CheckoutSession>,
    subscriptions: HashMap<String, GatewaySubscription>,
    failure: Option<String>,
    /// Usage in the order in which it came, each identifier once.
    metered: Vec<MeterEvent>,
    cancelled: Vec<UsageEventId>,
    /// How many of the next meter calls fail without effect, and how.
    refusals: Option<(usize, MeterFailure)>,
    /// How many of the next meter calls have their effect and no answer.
    lost_answers: usize,
}

impl FakeBilling {
    /// A gateway that knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells it of a checkout session, or changes what it knows of it.
    pub fn put_session(&self, session: CheckoutSession) {
        self.known().sessions.insert(session.id.clone(), session);
    }

    /// Tells it of a subscription, or changes what it knows of it.
    pub fn put_subscription(&self, subscription: GatewaySubscription) {
        self.known().subscriptions.insert(subscription.id.clone(), subscription);
    }

    /// From now on every call fails with this message; with none, no longer.
    pub fn fail_with(&self, message: Option<&str>) {
        self.known().failure = message.map(ToOwned::to_owned);
    }

    /// The next `times` calls that concern usage fail like this and have no effect; `usize::MAX` is
    /// for good, 0 for no longer.
    pub fn fail_meter_events(&self, times: usize, failure: MeterFailure) {
        self.known().refusals = Some((times, failure));
    }

    /// The next `times` calls that concern usage have their effect, but their answers are lost.
    pub fn lose_meter_answers(&self, times: usize) {
        self.known().lost_answers = times;
    }

    /// The usage that it took, in the order in which it came, each identifier once; also what was
    /// cancelled later.
    #[must_use]
    pub fn meter_events(&self) -> Vec<MeterEvent> {
        self.known().metered.clone()
    }

    /// The identifiers of the usage that was cancelled.
    #[must_use]
    pub fn cancelled_meter_events(&self) -> Vec<UsageEventId> {
        self.known().cancelled.clone()
    }

    /// What it would bill a customer on a meter: what it took less what was cancelled; none when
    /// that does not fit into a quantity.
    #[must_use]
    pub fn metered(&self, customer_id: &str, event_name: &str) -> Option<Quantity> {
        let known = self.known();
        let mut counted = known.metered.iter().filter(|event| {
            event.customer_id.as_str() == customer_id
                && event.event_name.as_str() == event_name
                && !known.cancelled.contains(&event.identifier)
        });
        counted.try_fold(Quantity::ZERO, |sum, event| sum.checked_add(event.value))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn up(&self) -> Result<&Self> {
        match &self.failure {
            Some(message) => Err(Error::Gateway(message.clone())),
            None => Ok(self),
        }
    }

    /// Does `effect`, unless it was told to fail.
    fn meter<T>(
        &mut self,
        effect: impl FnOnce(&mut Self) -> Result<T, MeterFailure>,
    ) -> Result<T, MeterFailure> {
        if let Some(message) = &self.failure {
            return Err(MeterFailure::NotTaken(message.clone()));
        }
        if let Some((times, failure)) = &mut self.refusals
            && let Some(left) = times.checked_sub(1)
        {
            *times = if *times == usize::MAX { *times } else { left };
            return Err(failure.clone());
        }
        let done = effect(self)?;
        match self.lost_answers.checked_sub(1) {
            None => Ok(done),
            Some(left) => {
                self.lost_answers = left;
                Err(MeterFailure::Unknown("the answer was lost".to_owned()))
            }
        }
    }
}

impl BillingGateway for FakeBilling {
    fn checkout_session(&self, id: &ExternalId) -> Result<Option<CheckoutSession>> {
        Ok(self.known().up()?.sessions.get(id.as_str()).cloned())
    }

    fn subscription(&self, id: &ExternalId) -> Result<Option<GatewaySubscription>> {
        Ok(self.known().up()?.subscriptions.get(id.as_str()).cloned())
    }

    fn send_meter_event(&self, event: &MeterEvent) -> Result<ExternalId, MeterFailure> {
        let id = ExternalId::parse(&format!("mtr_{}", event.identifier));
        let id = id.map_err(|error| MeterFailure::Refused(error.to_string()))?;
        self.known().meter(|known| {
            if known.metered.iter().all(|it| it.identifier != event.identifier) {
                known.metered.push(event.clone());
            }
            Ok(id)
        })
    }

    fn cancel_meter_event(
        &self,
        event_name: &Line,
        identifier: UsageEventId,
    ) -> Result<(), MeterFailure> {
        self.known().meter(|known| {
            let is_it =
                |it: &MeterEvent| it.identifier == identifier && it.event_name == *event_name;
            if !known.metered.iter().any(is_it) {
                return Err(MeterFailure::Refused(format!("no such usage: `{identifier}`")));
            }
            if !known.cancelled.contains(&identifier) {
                known.cancelled.push(identifier);
            }
            Ok(())
        })
    }
}

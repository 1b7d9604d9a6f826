//! Billing gateways: one that lives in the process, for tests and examples.

use crate::domain::billing::{BillingGateway, CheckoutSession, GatewaySubscription};
use crate::domain::text::ExternalId;
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
}

impl BillingGateway for FakeBilling {
    fn checkout_session(&self, id: &ExternalId) -> Result<Option<CheckoutSession>> {
        Ok(self.known().up()?.sessions.get(id.as_str()).cloned())
    }

    fn subscription(&self, id: &ExternalId) -> Result<Option<GatewaySubscription>> {
        Ok(self.known().up()?.subscriptions.get(id.as_str()).cloned())
    }
}

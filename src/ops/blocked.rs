//! Blocked attempts: noted where something is denied, written down later.

use super::metering::Target;
use crate::denials::DeniedByDay;
use crate::domain::access::{Access, CustomerRef, DenialReason};
use crate::domain::blocked::BlockedAttempts;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::text::Code;
use crate::error::{Error, Result};
use crate::page::{Cursor, Page};
use crate::store::Outcome;
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tenure::Tenure;
use crate::tx::{Tx, View};

const CUSTOMER: Col = <BlockedAttempts as Stored>::TABLE.col("customer_id");
const DAY: Col = <BlockedAttempts as Stored>::TABLE.col("day");
const RECENT_FOR: Col = <BlockedAttempts as Stored>::TABLE.col("recent_for");
const ATTEMPTS: Col = <BlockedAttempts as Stored>::TABLE.col("attempts");

/// How many rows one transaction writes.
const BATCH: usize = 1_000;

impl Tenure {
    /// Writes down how often customers of the handle's org were denied features since the last time:
    /// by [`check`](Self::check) and by tracks of every sort, of this handle and its clones. Returns
    /// how many customers' features there were. [`tick`](Self::tick) does it as well.
    ///
    /// Until then they are counted in memory, because a check never writes: what a process has not
    /// written down when it dies is lost. At most
    /// [`Config::denials_max`](crate::Config::denials_max) are kept.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, FeatureDraft, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let acme = tenure.write(|tx| {
    ///     tx.define_feature("sso", &FeatureDraft::default())?;
    ///     tx.create_customer(&CustomerDraft::named("Acme Inc."))
    /// })?;
    /// assert!(!tenure.check(acme.id, "sso")?.can_use);
    /// assert!(!tenure.check(acme.id, "sso")?.can_use);
    /// assert_eq!(tenure.flush_denials()?, 1);
    /// let blocked = tenure.read(|view| view.blocked_attempts(acme.id, 10, None))?.items;
    /// assert_eq!((blocked[0].feature_code.as_str(), blocked[0].attempts), ("sso", 2));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own; what was not written down is kept for the next time, unless nobody knows
    /// whether it was.
    pub fn flush_denials(&self) -> Result<usize> {
        let mut left = self.denials().take(self.org());
        let all = left.len();
        while !left.is_empty() {
            let rest = left.keys().nth(BATCH).cloned();
            let rest = rest.map(|key| left.split_off(&key)).unwrap_or_default();
            if let Err(error) = self.write(|tx| tx.keep_denials(&left)) {
                if error.outcome() == Outcome::NotDone {
                    self.denials().put_back(self.org(), left);
                }
                self.denials().put_back(self.org(), rest);
                return Err(error);
            }
            left = rest;
        }
        Ok(all)
    }
}

impl View<'_> {
    /// How often a customer was denied features, by feature and UTC day, the last day first, a page at
    /// a time: what was [written down](Tenure::flush_denials) so far.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let attempts = tenure.read(|view| view.blocked_attempts(acme, 10, None))?;
    /// assert!(attempts.items.is_empty());
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn blocked_attempts(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<BlockedAttempts>> {
        self.customer(customer)?;
        self.page(Query::all().eq(CUSTOMER, &customer).newest_by(DAY), limit, cursor)
    }

    /// Notes an answer to a check that is a denial. What nobody knows is no attempt at anything.
    pub(crate) fn note_denial(&self, customer: &CustomerRef, access: &Access) -> Result<()> {
        let unknown = [DenialReason::UnknownCustomer, DenialReason::UnknownFeature];
        if access.reason.is_some_and(|reason| !unknown.contains(&reason))
            && let Some(customer) = self.customer_id(customer)?
            && let Ok(code) = Code::parse(&access.feature_code)
        {
            self.deny(customer, &code);
        }
        Ok(())
    }
}

impl Tx<'_> {
    /// Notes that a customer wanted what it may not have, if that is why it was refused.
    pub(crate) fn wanted<T>(&self, target: &Target, outcome: Result<T>) -> Result<T> {
        if let Err(refusal) = &outcome {
            self.note_refusal(target.customer, &target.feature, refusal);
        }
        outcome
    }

    pub(crate) fn note_refusal(&self, customer: CustomerId, feature: &Code, refusal: &Error) {
        if matches!(refusal, Error::Denied(_) | Error::LimitExceeded(_)) {
            self.view().deny(customer, feature);
        }
    }

    /// Adds what was denied to the days.
    fn keep_denials(&mut self, denied: &DeniedByDay) -> Result<()> {
        let mut last = None;
        let mut is_known = false;
        for ((customer, feature, day), count) in denied {
            if last != Some(*customer) {
                last = Some(*customer);
                // One that was created in a transaction that was given up never was.
                is_known = self.get::<Customer>(*customer)?.is_some();
                if is_known {
                    self.forget_denials(*customer)?;
                }
            }
            if !is_known {
                continue;
            }
            // More than anybody asks in a day, and less than would ever overflow.
            let count = i64::try_from(*count).unwrap_or(i64::MAX).min(i64::from(u32::MAX));
            let new = BlockedAttempts::on(*customer, feature.clone(), *day, count);
            if self.add::<BlockedAttempts>(new.id, ATTEMPTS, count)?.is_none() {
                self.insert(&new)?;
            }
        }
        Ok(())
    }

    /// Takes the days of a customer that lie further back than the rules look out of their sight.
    fn forget_denials(&mut self, customer: CustomerId) -> Result<()> {
        let now = self.now();
        let recent = Query::all().filter(RECENT_FOR, Op::Eq, &Some(customer));
        for blocked in self.view().all::<BlockedAttempts>(recent)? {
            if !blocked.is_recent(now) {
                self.put(&BlockedAttempts { recent_for: None, ..blocked })?;
            }
        }
        Ok(())
    }
}

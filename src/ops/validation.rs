//! Validation: what is reported, counted again from raw records on another way.

mod health;
mod nps;
mod raw;
mod reconciliation;
mod revenue;

use crate::domain::contact::Contact;
use crate::domain::customer::Customer;
use crate::domain::invoice::Invoice;
use crate::domain::metric::LatestMetrics;
use crate::domain::mrr::MrrMovement;
use crate::domain::nps::NpsResponse;
use crate::domain::order::Order;
use crate::domain::pulse::Pulse;
use crate::domain::subscription::Subscription;
use crate::domain::ticket::SupportTicket;
use crate::domain::validation::{SourceFreshness, Validation, check_sources};
use crate::error::Result;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use time::OffsetDateTime;

const CREATED_AT: Col = <Customer as Stored>::TABLE.col("created_at");
const AT: Col = <MrrMovement as Stored>::TABLE.col("at");
const SUBMITTED_AT: Col = <NpsResponse as Stored>::TABLE.col("submitted_at");

impl View<'_> {
    /// How old the newest record of each source is: customers, contacts, subscriptions, movements of
    /// revenue and NPS responses by when they were made; orders, invoices and tickets by when the
    /// host last told of one; activities and metrics by when they took place. Orders, invoices,
    /// tickets, and one record of activity and one of metrics for each customer are read through.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, FreshnessLevel, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?;
    /// let sources = tenure.read(|view| view.data_freshness())?;
    /// let level = |name| sources.iter().find(|it| it.source == name).map(|it| it.level);
    /// assert_eq!(level("customers"), Some(FreshnessLevel::Fresh));
    /// assert_eq!(level("invoices"), Some(FreshnessLevel::Unknown));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn data_freshness(&self) -> Result<Vec<SourceFreshness>> {
        let customer = self.first::<Customer>(Query::all().newest_by(CREATED_AT))?;
        // Their ids begin with the instant at which they were made.
        let contact = self.first::<Contact>(Query::all().newest())?;
        let subscription = self.first::<Subscription>(Query::all().newest())?;
        let movement = self.first::<MrrMovement>(Query::all().newest_by(AT))?;
        let response = self.first::<NpsResponse>(Query::all().newest_by(SUBMITTED_AT))?;
        let sources = [
            ("customers", customer.map(|it| it.created_at)),
            ("contacts", contact.map(|it| it.created_at)),
            ("subscriptions", subscription.map(|it| it.created_at)),
            ("mrr movements", movement.map(|it| it.at)),
            ("activities", self.latest_of(|it: &Pulse| it.last_activity_at)?),
            ("metrics", self.latest_of(|it: &LatestMetrics| it.readings.latest_at())?),
            ("orders", self.latest_of(|it: &Order| Some(it.updated_at))?),
            ("invoices", self.latest_of(|it: &Invoice| Some(it.updated_at))?),
            ("tickets", self.latest_of(|it: &SupportTicket| Some(it.updated_at))?),
            ("nps responses", response.map(|it| it.submitted_at)),
        ];
        let limits = &self.config().evidence;
        let fresh = |(name, latest)| SourceFreshness::of(name, latest, self.now(), limits);
        Ok(sources.into_iter().map(fresh).collect())
    }

    /// The latest of what all records of a noun say.
    fn latest_of<R: Stored>(
        &self,
        of: impl Fn(&R) -> Option<OffsetDateTime>,
    ) -> Result<Option<OffsetDateTime>> {
        let mut latest = None;
        self.each(Query::all(), |record: R| {
            latest = latest.max(of(&record));
            Ok(())
        })?;
        Ok(latest)
    }

    /// Whether what is reported is true: eight checks, each of which counts again from the raw
    /// records and on another way than the reports do. Nothing is changed. It reads the whole org,
    /// all usage and activity included; memory is that of a page of customers and of what one
    /// customer did.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?;
    /// let validation = tenure.read(|view| view.validate_metrics())?;
    /// assert!(validation.passed && validation.checks.len() == 8);
    /// assert_eq!(validation.discrepancies, 0);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn validate_metrics(&self) -> Result<Validation> {
        let freshness = self.data_freshness()?;
        let raw = self.read_raw()?;
        let (nps, surveys, last_scores) = self.nps_checks()?;
        let (reconciliation, discrepancies) = self.reconciliation_check(&raw, last_scores)?;
        let checks = vec![
            nps,
            self.churn_check()?,
            check_sources(&freshness),
            self.cohort_check(&raw)?,
            self.retention_check(&raw)?,
            self.health_check()?,
            surveys,
            reconciliation,
        ];
        Ok(Validation::of(checks, freshness, discrepancies, self.now()))
    }
}

#[expect(clippy::cast_precision_loss, reason = "both sides of a comparison alike")]
const fn wide(amount: i128) -> f64 {
    amount as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::customer::CustomerId;
    use crate::domain::mrr::CustomerRevenue;
    use crate::domain::validation::CheckStatus;
    use crate::store::memory::MemoryStore;
    use crate::{
        BillingCycle, CustomerDraft, Money, NewSubscription, Subscription, Tenure, TierDraft, Tx,
    };
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use time::Month;
    use time::macros::datetime;

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is not general over the lifetime of its transaction"
    )]
    /// What validation finds, in the month after somebody subscribed, of records that were altered.
    fn found(alter: impl Fn(&mut Tx<'_>, CustomerId) -> Result<()>) -> (Vec<CheckStatus>, u64) {
        let is_later = Arc::new(AtomicBool::new(false));
        let shown = Arc::clone(&is_later);
        let now = move || {
            let month = if shown.load(Ordering::SeqCst) { Month::February } else { Month::January };
            datetime!(2026-01-10 12:00 UTC).replace_month(month).unwrap()
        };
        let tenure = Tenure::builder(MemoryStore::new()).clock(now).open().unwrap();
        let fee = Money::new(4_900, "EUR".parse().unwrap());
        tenure
            .write(|tx| {
                tx.define_tier(&TierDraft::new("pro").fee(fee, BillingCycle::Monthly))?;
                let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
                tx.add_subscription(acme, &NewSubscription::to("pro"))?;
                alter(tx, acme)
            })
            .unwrap();
        is_later.store(true, Ordering::SeqCst);
        let validation = tenure.read(|view| view.validate_metrics()).unwrap();
        let status = |name: &str| {
            let check = validation.checks.iter().find(|it| it.name == name);
            check.unwrap().status
        };
        let names = ["churn_calculation", "cohort_definitions", "reconciliation"];
        (names.map(status).to_vec(), validation.discrepancies)
    }

    #[test]
    fn records_that_disagree_are_found() {
        use CheckStatus::{Fail, Pass, Warning};
        assert_eq!(found(|_, _| Ok(())), (vec![Pass, Pass, Pass], 0));
        let known = found(|tx, acme| {
            let mut state = tx.require::<CustomerRevenue>(acme)?;
            state.mrr = vec![Money::new(5_000, "EUR".parse().unwrap())];
            tx.put(&state)
        });
        assert_eq!(known, (vec![Fail, Pass, Warning], 1));
        let dated = found(|tx, acme| {
            let mut state = tx.require::<CustomerRevenue>(acme)?;
            state.first_paid_at = datetime!(2025-12-10 12:00 UTC);
            tx.put(&state)
        });
        assert_eq!(dated, (vec![Pass, Fail, Pass], 0));
        let lost = found(|tx, _| {
            let movement = tx.view().first::<MrrMovement>(Query::all())?;
            movement.map_or(Ok(()), |it| tx.delete::<MrrMovement>(it.id).map(drop))
        });
        assert_eq!(lost, (vec![Fail, Fail, Warning], 1));
        let ended = found(|tx, acme| {
            let mut all = tx.view().subscriptions(acme)?;
            all.retain(|it| it.mrr.is_some());
            let mut paid: Subscription = all.remove(0);
            paid.mrr = None;
            tx.put(&paid)
        });
        assert_eq!(ended, (vec![Pass, Pass, Warning], 1));
    }
}

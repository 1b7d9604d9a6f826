//! Recurring revenue: its ledger kept in step with the subscriptions, and read.

use crate::domain::customer::CustomerId;
use crate::domain::instant;
use crate::domain::money::Currency;
use crate::domain::mrr::{CustomerRevenue, MrrMovement, MrrMovementId, OutOfRange};
use crate::domain::period::Period;
use crate::domain::revenue::{CurrencyRevenue, RevenueReport, Tally};
use crate::domain::subscription::{Subscription, SubscriptionKind};
use crate::error::{Error, Result};
use crate::page::{Cursor, PAGE_MAX, Page};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;

pub(crate) const CUSTOMER: Col = <MrrMovement as Stored>::TABLE.col("customer_id");
const AT: Col = <MrrMovement as Stored>::TABLE.col("at");

impl From<OutOfRange> for Error {
    fn from(_: OutOfRange) -> Self {
        Self::Overflow("monthly revenue")
    }
}

impl View<'_> {
    /// What a customer brings in a month and since when it has paid; none if it never paid.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{BillingCycle, CustomerDraft, NewSubscription, Tenure, TierDraft};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let fee = tenure::Money::new(4_900, "EUR".parse()?);
    /// # tenure.write(|tx| {
    /// #     tx.define_tier(&TierDraft::new("pro").fee(fee, BillingCycle::Monthly))?;
    /// #     tx.add_subscription(acme, &NewSubscription::to("pro"))
    /// # })?;
    /// let revenue = tenure.read(|view| view.customer_revenue(acme))?;
    /// assert_eq!(revenue.map(|it| it.mrr), Some(vec![fee]));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such customer.
    pub fn customer_revenue(&self, customer: CustomerId) -> Result<Option<CustomerRevenue>> {
        self.customer(customer)?;
        self.get(customer)
    }

    /// The movements of monthly recurring revenue, newest first: of one customer, or of all.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{BillingCycle, CustomerDraft, Money, MrrKind, NewSubscription, Tenure, TierDraft};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let fee = Money::new(4900, "EUR".parse()?);
    /// let acme = tenure.write(|tx| {
    ///     tx.define_tier(&TierDraft::new("pro").fee(fee, BillingCycle::Monthly))?;
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?;
    ///     tx.add_subscription(acme.id, &NewSubscription::to("pro"))?;
    ///     Ok::<_, tenure::Error>(acme.id)
    /// })?;
    /// let movements = tenure.read(|view| view.mrr_movements(Some(acme), 10, None))?.items;
    /// assert_eq!((movements[0].kind, movements[0].amount), (MrrKind::New, fee));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such customer; [`Error::Invalid`] when `limit` is not
    /// 1–1,000.
    pub fn mrr_movements(
        &self,
        customer: Option<CustomerId>,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<MrrMovement>> {
        let query = match customer {
            Some(customer) => {
                self.customer(customer)?;
                Query::all().eq(CUSTOMER, &customer).newest()
            }
            None => Query::all().newest_by(AT),
        };
        self.page(query, limit, cursor)
    }

    /// Hands the movements of a period, oldest first, to `take`: the records behind every figure of
    /// [`revenue`](Self::revenue). They are read a page at a time. [`MrrMovement::csv`] makes lines
    /// of them, under [`MrrMovement::CSV_HEADER`].
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{BillingCycle, CustomerDraft, MrrMovement, NewSubscription, Tenure, TierDraft};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let fee = tenure::Money::new(4_900, "EUR".parse()?);
    /// # tenure.write(|tx| {
    /// #     tx.define_tier(&TierDraft::new("pro").fee(fee, BillingCycle::Monthly))?;
    /// #     tx.add_subscription(acme, &NewSubscription::to("pro"))
    /// # })?;
    /// use time::Duration;
    ///
    /// let (start, end) = (tenure.now() - Duration::DAY, tenure.now() + Duration::DAY);
    /// let days = tenure::domain::period::Period::new(start, end)?;
    /// let mut lines = vec![MrrMovement::CSV_HEADER.to_owned()];
    /// tenure.read(|view| {
    ///     lines.truncate(1);
    ///     view.each_mrr_movement(days, |it| {
    ///         lines.push(it.csv());
    ///         Ok(())
    ///     })
    /// })?;
    /// assert!(lines[1].contains(",new,4900,0,4900,EUR,"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own, and whatever `take` answers.
    pub fn each_mrr_movement(
        &self,
        period: Period,
        take: impl FnMut(MrrMovement) -> Result<()>,
    ) -> Result<()> {
        let from = Query::all().filter(AT, Op::Ge, &instant::utc(period.start()));
        self.each(from.filter(AT, Op::Lt, &instant::utc(period.end())).oldest_by(AT), take)
    }

    /// What became of the recurring revenue in a period, in one currency or in each by itself:
    /// start, movements and end, what was kept, grown and lost, every figure with its proof. What is
    /// a share of nothing is none. Movements count by the time at which they were written, so that
    /// a period that is over is always reported alike.
    ///
    /// It reads every customer that ever paid once, and the movements since the start of the
    /// period; memory is that of a page of customers.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{BillingCycle, CustomerDraft, NewSubscription, Tenure, TierDraft};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let fee = tenure::Money::new(4_900, "EUR".parse()?);
    /// # tenure.write(|tx| {
    /// #     tx.define_tier(&TierDraft::new("pro").fee(fee, BillingCycle::Monthly))?;
    /// #     tx.add_subscription(acme, &NewSubscription::to("pro"))
    /// # })?;
    /// use time::Duration;
    ///
    /// let (start, end) = (tenure.now() - Duration::DAY, tenure.now() + Duration::DAY);
    /// let days = tenure::domain::period::Period::new(start, end)?;
    /// let report = tenure.read(|view| view.revenue(days, None))?;
    /// let euros = &report.currencies[0];
    /// assert_eq!((euros.mrr.value, euros.nrr.value), (Some(4_900.0), None), "a share of nothing");
    /// assert_eq!(euros.mrr.sources[0].records, 1);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn revenue(&self, period: Period, currency: Option<Currency>) -> Result<RevenueReport> {
        let mut tallies: Vec<Tally> = currency.into_iter().map(Tally::of).collect();
        self.each_payer(Some(period), |state, since| {
            for mrr in &state.mrr {
                if currency.is_some_and(|wanted| wanted != mrr.currency) {
                    continue;
                }
                if !tallies.iter().any(|it| it.currency() == mrr.currency) {
                    tallies.push(Tally::of(mrr.currency));
                }
                let tally = tallies.iter_mut().find(|it| it.currency() == mrr.currency);
                if let Some(tally) = tally {
                    tally.add(mrr.amount, since, period);
                }
            }
            Ok(())
        })?;
        tallies.sort_by_key(|it| it.currency().code());
        let targets = self.config().revenue_targets;
        let finish = |tally: Tally| tally.finish(period, self.now(), targets);
        let currencies: Vec<CurrencyRevenue> = tallies.into_iter().map(finish).collect();
        Ok(RevenueReport { period, currencies })
    }

    /// Hands every customer that ever paid to `take`, with its movements since the start of
    /// `period`, else all of them, oldest first. A page of customers is read with two queries.
    pub(crate) fn each_payer(
        &self,
        period: Option<Period>,
        mut take: impl FnMut(&CustomerRevenue, &[MrrMovement]) -> Result<()>,
    ) -> Result<()> {
        let mut cursor = None;
        loop {
            let page = self.page::<CustomerRevenue>(Query::all(), PAGE_MAX, cursor.as_ref())?;
            if let (Some(first), Some(last)) = (page.items.first(), page.items.last()) {
                let mut range = Query::all().filter(CUSTOMER, Op::Ge, &first.id).filter(
                    CUSTOMER,
                    Op::Le,
                    &last.id,
                );
                if let Some(period) = period {
                    range = range.filter(AT, Op::Ge, &instant::utc(period.start()));
                }
                let mut movements = self.all::<MrrMovement>(range.oldest_by(CUSTOMER))?;
                movements.sort_by_key(|it| (it.customer_id, it.number));
                let mut rest = movements.as_slice();
                for state in &page.items {
                    let skipped = rest.partition_point(|it| it.customer_id < state.id);
                    rest = rest.get(skipped..).unwrap_or_default();
                    let own = rest.partition_point(|it| it.customer_id <= state.id);
                    take(state, rest.get(..own).unwrap_or_default())?;
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }
}

impl Tx<'_> {
    /// Enters in the ledger what a change of a customer's subscriptions, all of which are given, has
    /// changed of its revenue. This is the one place where the ledger is written.
    pub(crate) fn keep_revenue(&mut self, all: &[Subscription], is_reset: bool) -> Result<()> {
        let paid = all.iter().find(|it| it.kind == SubscriptionKind::Paid);
        let Some(customer) = paid.map(|it| it.customer_id) else { return Ok(()) };
        let before = self.get::<CustomerRevenue>(customer)?;
        let fresh = || self.fresh::<MrrMovementId>();
        let followed = CustomerRevenue::follow(before, all, is_reset, self.now(), fresh)?;
        let Some((state, movements)) = followed else { return Ok(()) };
        self.put(&state)?;
        for movement in movements {
            self.insert(&movement)?;
            let data = json!({
                "kind": movement.kind, "amount": movement.amount, "mrrAfter": movement.mrr_after,
            });
            self.announce("mrr_movement.recorded", movement.id, customer, data);
        }
        Ok(())
    }
}

//! Cohorts of customers, and how long they stay, by the ledger of recurring revenue.

use crate::domain::cohort::{CalendarMonth, CohortBy, CohortReport, CohortTally, Unaccounted};
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::instant::elapsed;
use crate::domain::measured::Source;
use crate::domain::mrr::{CustomerRevenue, MrrMovement, Paid, paid_times};
use crate::domain::survival::{Lifetimes, SurvivalBy, SurvivalGroup, SurvivalReport, log_rank};
use crate::error::{Error, Result};
use crate::ops::revenue::CUSTOMER;
use crate::page::PAGE_MAX;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use std::collections::{BTreeMap, BTreeSet};
use time::{Duration, OffsetDateTime};

impl From<Unaccounted> for Error {
    fn from(it: Unaccounted) -> Self {
        Self::rule(it.to_string())
    }
}

/// How many records there were, and when the newest was made.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) records: u64,
    pub(super) latest: Option<OffsetDateTime>,
}

impl Counted {
    pub(super) fn add(&mut self, at: OffsetDateTime) {
        self.records = self.records.saturating_add(1);
        self.latest = self.latest.max(Some(at));
    }

    pub(super) fn merge(&mut self, more: &Self) {
        self.records = self.records.saturating_add(more.records);
        self.latest = self.latest.max(more.latest);
    }

    pub(super) const fn source(&self, name: &'static str) -> Source {
        Source { name, records: self.records, latest: self.latest }
    }
}

impl View<'_> {
    /// Cohorts by month, and how many of each were there in the months after, as far as these are
    /// over. By [`FirstSubscription`](CohortBy::FirstSubscription) everybody that ever paid is in
    /// one, by [`SignUp`](CohortBy::SignUp) every customer that is not deleted, by
    /// [`FirstActivity`](CohortBy::FirstActivity) everybody that was ever active; the past that was
    /// recorded later counts where it belongs. Memory is that of a page of customers and a number
    /// per cohort and month.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CohortBy, CustomerDraft, Tenure};
    /// use time::macros::datetime;
    ///
    /// let tenure = Tenure::builder(MemoryStore::new())
    ///     .clock(|| datetime!(2026-03-15 12:00 UTC))
    ///     .open()?;
    /// let signed_up = datetime!(2026-01-10 9:00 UTC);
    /// tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme").created_at(signed_up)))?;
    /// let report = tenure.read(|view| view.cohorts(CohortBy::SignUp))?;
    /// assert_eq!(report.cohorts[0].month.to_string(), "2026-01");
    /// assert_eq!(report.cohorts[0].active, [0, 0]); // January and February; it never paid
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Rule`] when the cohorts do not account for everybody.
    pub fn cohorts(&self, by: CohortBy) -> Result<CohortReport> {
        match by {
            CohortBy::FirstSubscription => self.cohorts_of_payers(),
            CohortBy::SignUp => self.cohorts_of_customers(),
            CohortBy::FirstActivity => self.cohorts_of_active(),
        }
    }

    fn cohorts_of_payers(&self) -> Result<CohortReport> {
        let last = CalendarMonth::last_full(self.now());
        let mut tally = CohortTally::new(CohortBy::FirstSubscription, last);
        let (mut payers, mut all) = (Counted::default(), Counted::default());
        self.each_payer(None, |state, movements| {
            payers.add(state.changed_at);
            for it in movements {
                all.add(it.at);
            }
            tally.add(CalendarMonth::at(state.first_paid_at), paid_months(movements, last));
            Ok(())
        })?;
        let report = tally.finish(payers.records)?;
        Ok(report.proved(vec![payers.source("customer revenues"), all.source("mrr movements")]))
    }

    fn cohorts_of_customers(&self) -> Result<CohortReport> {
        let last = CalendarMonth::last_full(self.now());
        let mut tally = CohortTally::new(CohortBy::SignUp, last);
        let (mut customers, mut all) = (Counted::default(), Counted::default());
        self.each_customer_page(|view, page| {
            let (Some(first), Some(end)) = (page.first(), page.last()) else { return Ok(()) };
            let movements = view.movements_between(first.id, end.id)?;
            for customer in page.iter().filter(|it| it.deleted_at.is_none()) {
                customers.add(customer.created_at);
                let own = own(&movements, customer.id);
                for it in own {
                    all.add(it.at);
                }
                tally.add(CalendarMonth::at(customer.created_at), paid_months(own, last));
            }
            Ok(())
        })?;
        let report = tally.finish(customers.records)?;
        Ok(report.proved(vec![customers.source("customers"), all.source("mrr movements")]))
    }

    fn cohorts_of_active(&self) -> Result<CohortReport> {
        let last = CalendarMonth::last_full(self.now());
        let mut tally = CohortTally::new(CohortBy::FirstActivity, last);
        let (mut population, mut all) = (0_u64, Counted::default());
        self.each_months(|months, days| {
            for it in days {
                all.add(it.day);
            }
            if let Some(first) = months.first() {
                tally.add(*first, months.iter().copied());
                population = population.saturating_add(1);
            }
            Ok(())
        })?;
        Ok(tally.finish(population)?.proved(vec![all.source("daily activities")]))
    }

    /// Cohorts by the month of a customer's first activity, from days on which it did anything that
    /// are kept elsewhere, in any order and as often as they come; those ahead of the clock are left out. Memory is a month
    /// per customer and month.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let report = tenure.read(|view| view.cohorts_of_activity([(acme, view.now())]))?;
    /// assert_eq!((report.population, report.too_young), (1, 1), "the month is not over");
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for a day of a customer that there is not.
    pub fn cohorts_of_activity(
        &self,
        days: impl IntoIterator<Item = (CustomerId, OffsetDateTime)>,
    ) -> Result<CohortReport> {
        let mut active: BTreeMap<CustomerId, BTreeSet<CalendarMonth>> = BTreeMap::new();
        let mut all = Counted::default();
        for (customer, at) in days.into_iter().filter(|(_, at)| *at <= self.now()) {
            all.add(at);
            if !active.contains_key(&customer) {
                self.require::<Customer>(customer)?;
            }
            active.entry(customer).or_default().insert(CalendarMonth::at(at));
        }
        let last = CalendarMonth::last_full(self.now());
        let mut tally = CohortTally::new(CohortBy::FirstActivity, last);
        let mut population = 0_u64;
        for months in active.values() {
            if let Some(first) = months.first() {
                tally.add(*first, months.iter().copied());
                population = population.saturating_add(1);
            }
        }
        Ok(tally.finish(population)?.proved(vec![all.source("active days")]))
    }

    /// How long customers stay from their first payment on, all of them and each group by itself,
    /// with a test whether the groups differ. Who left and came back counts as having left; who
    /// pays still counts for as long as it has.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, SurvivalBy, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let survival = tenure.read(|view| view.survival(Some(SurvivalBy::FirstTier)))?;
    /// assert_eq!((survival.all.customers, survival.groups.len()), (0, 0), "nobody ever paid");
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn survival(&self, by: Option<SurvivalBy>) -> Result<SurvivalReport> {
        let mut all = Lifetimes::default();
        let mut groups: BTreeMap<String, Lifetimes> = BTreeMap::new();
        let mut payers = Counted::default();
        self.each::<CustomerRevenue>(Query::all(), |state| {
            payers.add(state.changed_at);
            let end = state.left_at.or(state.reset_at).unwrap_or(self.now());
            let days = elapsed(state.first_paid_at, end).whole_days().max(0);
            let (days, left) = (u32::try_from(days).unwrap_or(u32::MAX), state.left_at.is_some());
            all.add(days, left);
            let group = match by {
                None => return Ok(()),
                Some(SurvivalBy::FirstTier) => state.first_tier.to_string(),
                Some(SurvivalBy::Size) => {
                    let size = self.get::<Customer>(state.id)?.and_then(|it| it.size);
                    size.map_or("unknown", |size| size.as_str()).to_owned()
                }
            };
            groups.entry(group).or_default().add(days, left);
            Ok(())
        })?;
        let (names, groups): (Vec<String>, Vec<Lifetimes>) = groups.into_iter().unzip();
        let log_rank = log_rank(&groups);
        let group =
            |(name, of): (String, &Lifetimes)| SurvivalGroup { name, survival: of.survival() };
        let groups = names.into_iter().zip(&groups).map(group).collect();
        let sources = vec![payers.source("customer revenues")];
        Ok(SurvivalReport { by, groups, log_rank, ..SurvivalReport::of(all.survival(), sources) })
    }

    /// Hands all customers to `take`, by their ids and a page at a time.
    pub(crate) fn each_customer_page(
        &self,
        mut take: impl FnMut(&Self, &[Customer]) -> Result<()>,
    ) -> Result<()> {
        let mut cursor = None;
        loop {
            let page = self.page::<Customer>(Query::all(), PAGE_MAX, cursor.as_ref())?;
            take(self, &page.items)?;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// Hands the movements of each customer that ever paid to `take`, in their order.
    pub(crate) fn each_ledger(
        &self,
        mut take: impl FnMut(&[MrrMovement]) -> Result<()>,
    ) -> Result<()> {
        self.each_own(
            CUSTOMER,
            |it: &MrrMovement| it.customer_id,
            |of_one| {
                of_one.sort_by_key(|it| it.number);
                take(of_one)
            },
        )
    }

    /// Hands the records of each customer to `take`, all of one at once: `col` is the column of the
    /// customer that `of` names.
    pub(crate) fn each_own<R: Stored>(
        &self,
        col: Col,
        of: impl Fn(&R) -> CustomerId,
        mut take: impl FnMut(&mut Vec<R>) -> Result<()>,
    ) -> Result<()> {
        let mut of_one: Vec<R> = Vec::new();
        self.each::<R>(Query::all().oldest_by(col), |record| {
            if of_one.last().is_some_and(|it| of(it) != of(&record)) {
                take(&mut of_one)?;
                of_one.clear();
            }
            of_one.push(record);
            Ok(())
        })?;
        if of_one.is_empty() { Ok(()) } else { take(&mut of_one) }
    }

    /// The movements of the customers from `first` to `last`, each customer's in their order.
    pub(crate) fn movements_between(
        &self,
        first: CustomerId,
        last: CustomerId,
    ) -> Result<Vec<MrrMovement>> {
        let mut movements = self.of_customers::<MrrMovement>(CUSTOMER, first, last)?;
        movements.sort_by_key(|it| (it.customer_id, it.number));
        Ok(movements)
    }
}

/// Those of one customer, of movements that are in the order of customers.
fn own(movements: &[MrrMovement], customer: CustomerId) -> &[MrrMovement] {
    let from = movements.partition_point(|it| it.customer_id < customer);
    let to = movements.partition_point(|it| it.customer_id <= customer);
    movements.get(from..to).unwrap_or_default()
}

/// The months in which anything was paid.
fn paid_months(movements: &[MrrMovement], last: CalendarMonth) -> BTreeSet<CalendarMonth> {
    let months = |(from, to): &Paid| {
        let (from, end) = (CalendarMonth::at(*from), *to);
        // What ends with a month was not paid in the next.
        let end = end.map_or(last, |end| {
            CalendarMonth::at(end.checked_sub(Duration::MICROSECOND).unwrap_or(end)).max(from)
        });
        from.to(end.min(last))
    };
    paid_times(movements).iter().flat_map(months).collect()
}

//! Facts: everything that the rules of customer success look at, gathered for one customer or for a
//! page of them.

use crate::domain::blocked::BlockedAttempts;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::derived::{Records, facts};
use crate::domain::facts::{CustomerFacts, Figure, FigureSource, names};
use crate::domain::health::HealthState;
use crate::domain::invoice::Invoice;
use crate::domain::lifecycle::Journey;
use crate::domain::meter::Meter;
use crate::domain::metric::LatestMetrics;
use crate::domain::nps::NpsStanding;
use crate::domain::pulse::Pulse;
use crate::domain::subscription::Subscription;
use crate::domain::ticket::SupportTicket;
use crate::error::Result;
use crate::ops::health_overrides::HealthOverride;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use std::iter::Peekable;
use std::vec::IntoIter;

const LATEST: Col = <LatestMetrics as Stored>::TABLE.col("id");
const PULSE: Col = <Pulse as Stored>::TABLE.col("id");
const SUBSCRIPTION: Col = <Subscription as Stored>::TABLE.col("customer_id");
const METER: Col = <Meter as Stored>::TABLE.col("customer_id");
const TICKET: Col = <SupportTicket as Stored>::TABLE.col("open_for");
const INVOICE: Col = <Invoice as Stored>::TABLE.col("unpaid_for");
const BLOCKED: Col = <BlockedAttempts as Stored>::TABLE.col("recent_for");

impl View<'_> {
    /// Everything that is known of a customer now: what its records show, and the host's metrics for
    /// what they do not. What nobody knows is none, never zero.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::domain::facts::names;
    /// use tenure::{CustomerDraft, NewActivity, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let facts = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme Inc."))?.id;
    ///     tx.record_activity(acme, &NewActivity::login("u_1"))?;
    ///     tx.record_metric(acme, names::GROWTH_POTENTIAL, 0.8, tx.now())?;
    ///     tx.view().customer_facts(acme)
    /// })?;
    /// assert_eq!(facts.figure(names::LOGINS_PER_WEEK), Some(1.0));
    /// assert_eq!(facts.figure(names::GROWTH_POTENTIAL), Some(0.8));
    /// assert_eq!(facts.figure(names::NPS_SCORE), None);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound).
    pub fn customer_facts(&self, customer: CustomerId) -> Result<CustomerFacts> {
        let customer = self.customer(customer)?;
        self.facts_scored(&customer)
    }

    /// Everything that is known of a customer now, and how it was doing when it was last scored: what
    /// a part of an evaluation looks at that is asked for alone.
    pub(crate) fn facts_scored(&self, customer: &Customer) -> Result<CustomerFacts> {
        let mut facts = self.facts_now(customer)?;
        if let Some(state) = self.get::<HealthState>(customer.id.into())? {
            let given = HealthOverride::standing(&state, facts.as_of).map(|it| it.score);
            if let Some(score) = given.or(state.score) {
                let (value, at, source) = (score.into(), facts.as_of, FigureSource::Derived);
                facts.figures.set(names::HEALTH_SCORE, Figure { value, at, source });
            }
        }
        Ok(facts)
    }

    /// Everything that is known of a customer now, but for the score that is computed from it.
    pub(crate) fn facts_now(&self, customer: &Customer) -> Result<CustomerFacts> {
        let id = customer.id;
        let mut facts = self.facts_from(customer, &mut self.records_of(id, id)?)?;
        let known = self.known_expansions(id, id)?.remove(&id).unwrap_or_default();
        facts.expansion = known.facts();
        let journey = self.get::<Journey>(id.into())?;
        journey.unwrap_or_else(|| Journey::of(customer)).tell(&mut facts);
        Ok(facts)
    }

    /// The facts of one of the customers that `records` were read for, asked for in ascending order of
    /// their ids. What an evaluation finds out by itself is left out: expansion and journey.
    pub(crate) fn facts_from(
        &self,
        customer: &Customer,
        records: &mut PageRecords,
    ) -> Result<CustomerFacts> {
        let id = customer.id;
        let mut own = Records {
            latest: records.latest.of(id).pop(),
            pulse: records.pulses.of(id).pop(),
            subscriptions: records.subscriptions.of(id),
            meters: records.meters.of(id),
            tickets: records.tickets.of(id),
            invoices: records.invoices.of(id),
            blocked: records.blocked.of(id),
            nps: records.nps.of(id).pop(),
        };
        // A single one is in order, and so are nearly all.
        if own.subscriptions.len() > 1 {
            let mut ranked = Vec::with_capacity(own.subscriptions.len());
            for it in own.subscriptions {
                let rank = self.rank(&it.tier_code, it.tier_version)?;
                ranked.push((it.status.is_over(), std::cmp::Reverse(rank), it.created_at, it));
            }
            ranked.sort_by_key(|(is_over, rank, at, it)| (*is_over, *rank, *at, it.id));
            own.subscriptions = ranked.into_iter().map(|it| it.3).collect();
        }
        for meter in own.meters.iter_mut().filter(|it| !it.is_fresh(self.now())) {
            if let Some(settled) = self.overdue_of(customer, meter)? {
                *meter = settled.books.meter;
            }
        }
        Ok(facts(customer, own, self.now()))
    }

    /// The records of the customers from `first` to `last`, who should be close together: one query
    /// for each kind reads all that there is between them.
    pub(crate) fn records_of(&self, first: CustomerId, last: CustomerId) -> Result<PageRecords> {
        Ok(PageRecords {
            latest: Rows::new(self.of_customers(LATEST, first, last)?, |it| it.id),
            pulses: Rows::new(self.of_customers(PULSE, first, last)?, |it| it.id),
            subscriptions: Rows::new(self.of_customers(SUBSCRIPTION, first, last)?, |it| {
                it.customer_id
            }),
            meters: Rows::new(self.of_customers(METER, first, last)?, |it| it.customer_id),
            tickets: Rows::new(self.of_customers(TICKET, first, last)?, |it| it.customer_id),
            invoices: Rows::new(self.of_customers(INVOICE, first, last)?, |it| it.customer_id),
            blocked: Rows::new(self.of_customers(BLOCKED, first, last)?, |it| it.customer_id),
            nps: Rows::new(self.last_nps(first, last)?, |it| it.id.uuid().into()),
        })
    }
}

impl Tx<'_> {
    /// Brings the customer's engagement score in line with the facts. The caller writes the customer.
    pub(crate) fn keep_engagement(&mut self, customer: &mut Customer, facts: &CustomerFacts) {
        let score = facts.figure(names::ENGAGEMENT_SCORE).filter(|it| (0.0..=100.0).contains(it));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0–100")]
        let score = score.map(|it| it.round() as u32);
        if customer.engagement_score != score {
            let data = json!({ "from": customer.engagement_score, "to": score });
            customer.engagement_score = score;
            self.announce("customer.engagement_changed", customer.id, customer.id, data);
        }
    }
}

/// The records of a page of customers.
pub(crate) struct PageRecords {
    latest: Rows<LatestMetrics>,
    pulses: Rows<Pulse>,
    subscriptions: Rows<Subscription>,
    meters: Rows<Meter>,
    tickets: Rows<SupportTicket>,
    invoices: Rows<Invoice>,
    blocked: Rows<BlockedAttempts>,
    nps: Rows<NpsStanding>,
}

/// Records in the order of their customers, taken out customer by customer.
struct Rows<R> {
    rows: Peekable<IntoIter<R>>,
    customer: fn(&R) -> CustomerId,
}

impl<R> Rows<R> {
    fn new(rows: Vec<R>, customer: fn(&R) -> CustomerId) -> Self {
        Self { rows: rows.into_iter().peekable(), customer }
    }

    /// Those of `customer`, which comes after all that was asked for before.
    fn of(&mut self, customer: CustomerId) -> Vec<R> {
        let whose = self.customer;
        while self.rows.next_if(|it| whose(it) < customer).is_some() {}
        std::iter::from_fn(|| self.rows.next_if(|it| whose(it) == customer)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::PAGE_MAX;
    use crate::store::memory::MemoryStore;
    use crate::store::query::Query;
    use crate::{
        Config, CustomerDraft, FeatureDraft, InvoiceDraft, Money, NewActivity, NewSubscription,
        ResetPeriod, Store, Tenure, TicketDraft, TierDraft, TierFeature, Track,
    };
    use time::Duration;
    use time::macros::datetime;

    impl View<'_> {
        /// The facts of customers whose ids ascend, in their order.
        fn facts_of(&self, customers: &[Customer]) -> Result<Vec<CustomerFacts>> {
            let (Some(first), Some(last)) = (customers.first(), customers.last()) else {
                return Ok(Vec::new());
            };
            let mut records = self.records_of(first.id, last.id)?;
            customers.iter().map(|customer| self.facts_from(customer, &mut records)).collect()
        }
    }

    fn furnished(store: impl Store + 'static) -> Tenure {
        let noon = datetime!(2026-01-31 12:00 UTC);
        let tenure = Tenure::builder(store).config(Config::default()).clock(move || noon);
        let tenure = tenure.open().unwrap();
        let euros = Money::new(4_900, "EUR".parse().unwrap());
        tenure
            .write(|tx| {
                tx.define_feature("credits", &FeatureDraft::default())?;
                tx.define_feature("sso", &FeatureDraft::default())?;
                let credits = TierFeature::new("credits").unwrap().limit(9, ResetPeriod::Monthly);
                tx.define_tier(&TierDraft::new("pro").feature(credits))?;
                for number in 0..40_i32 {
                    let draft = CustomerDraft::named(format!("Customer {number}").as_str());
                    let id = tx.create_customer(&draft)?.id;
                    let has = |nth: i32| number.rem_euclid(nth) == 1;
                    if has(2) {
                        tx.record_metric(id, "nps_score", f64::from(number), noon)?;
                        tx.record_activity(id, &NewActivity::login("u"))?;
                    }
                    if has(3) {
                        tx.add_subscription(id, &NewSubscription::to("pro"))?;
                        tx.track(&Track::new(id, "credits").quantity(number.rem_euclid(9).max(1)))?;
                    }
                    for ticket in 0..number % 4 {
                        let draft = TicketDraft::default().opened_at(noon).csat(3_i64);
                        let id_of = format!("{number}-{ticket}");
                        tx.upsert_ticket(id, &id_of, &draft)?;
                        let due = noon.saturating_sub(Duration::DAY);
                        let draft = InvoiceDraft::default().amount(euros).due_at(due);
                        tx.upsert_invoice(id, &id_of, &draft)?;
                    }
                    for _ in 0..number % 5 {
                        tx.view().check(id, "sso")?;
                    }
                }
                Ok::<_, crate::Error>(())
            })
            .unwrap();
        tenure.flush_denials().unwrap();
        tenure
    }

    /// A page, and any part of it, tells what asking for each customer by itself does.
    fn a_page_tells_what_each_asked_alone_does(tenure: &Tenure) {
        let checked = tenure.read(|view| {
            let all = view.find::<Customer>(&Query::all().limit(PAGE_MAX))?;
            assert_eq!(all.len(), 40);
            let one = |it: &Customer| view.customer_facts(it.id);
            let alone = all.iter().map(one).collect::<Result<Vec<_>>>()?;
            assert_eq!(view.facts_of(&all)?, alone);
            let some = |nth: usize| all.iter().step_by(nth).cloned().collect::<Vec<_>>();
            assert_eq!(
                view.facts_of(&some(7))?,
                alone.iter().step_by(7).cloned().collect::<Vec<_>>()
            );
            assert_eq!(view.facts_of(&[])?, []);
            let known = alone.iter().filter(|it| it.figure(names::OPEN_TICKETS) == Some(3.0));
            assert_eq!(known.count(), 10);
            assert_eq!(alone.iter().filter(|it| it.blocked.len() == 1).count(), 32);
            Ok::<_, crate::Error>(())
        });
        checked.unwrap();
    }

    #[test]
    fn a_page_in_memory() {
        a_page_tells_what_each_asked_alone_does(&furnished(MemoryStore::new()));
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn a_page_of_a_file() {
        use crate::store::sqlite::SqliteStore;
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open_or_create(folder.path().join("store.db")).unwrap();
        a_page_tells_what_each_asked_alone_does(&furnished(store));
    }
}

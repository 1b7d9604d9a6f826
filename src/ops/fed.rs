//! Orders, invoices and tickets: the host feeds them, by ids of its own.

use crate::domain::access::CustomerRef;
use crate::domain::customer::CustomerId;
use crate::domain::fed::{Draft, Fed, fed_id};
use crate::domain::invoice::{Invoice, InvoiceDraft};
use crate::domain::order::{Order, OrderDraft};
use crate::domain::pulse::{Pulse, day_of};
use crate::domain::text::ExternalId;
use crate::domain::ticket::{SupportTicket, TicketDraft};
use crate::error::{Error, Faults, Result};
use crate::page::{Cursor, Page};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use uuid::Uuid;

const ORDER_CUSTOMER: Col = <Order as Stored>::TABLE.col("customer_id");
const PLACED_AT: Col = <Order as Stored>::TABLE.col("placed_at");
const INVOICE_CUSTOMER: Col = <Invoice as Stored>::TABLE.col("customer_id");
const ISSUED_AT: Col = <Invoice as Stored>::TABLE.col("issued_at");
const TICKET_CUSTOMER: Col = <SupportTicket as Stored>::TABLE.col("customer_id");
const OPENED_AT: Col = <SupportTicket as Stored>::TABLE.col("opened_at");

impl View<'_> {
    /// The order that the host knows by this id.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, Money, OrderDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let eur = "EUR".parse()?;
    /// let draft = OrderDraft::default().total(Money::new(4_900, eur)).placed_at(tenure.now());
    /// tenure.write(|tx| tx.upsert_order(acme, "ext_1", &draft))?;
    /// let order = tenure.read(|view| view.order("ext_1"))?;
    /// assert_eq!(order.customer_id, acme);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn order(&self, external_id: &str) -> Result<Order> {
        self.fed(external_id)
    }

    /// The orders of a customer, those placed last first, a page at a time.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, Money, OrderDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let eur = "EUR".parse()?;
    /// let draft = OrderDraft::default().total(Money::new(4_900, eur)).placed_at(tenure.now());
    /// tenure.write(|tx| tx.upsert_order(acme, "ext_1", &draft))?;
    /// let orders = tenure.read(|view| view.orders(acme, 10, None))?.items;
    /// assert_eq!(orders[0].external_id.as_str(), "ext_1");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn orders(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Order>> {
        self.customer(customer)?;
        let query = Query::all().eq(ORDER_CUSTOMER, &customer).newest_by(PLACED_AT);
        self.page(query, limit, cursor)
    }

    /// The invoice that the host knows by this id.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, InvoiceDraft, Money, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let eur = "EUR".parse()?;
    /// let draft = InvoiceDraft::default().amount(Money::new(4_900, eur)).issued_at(tenure.now());
    /// tenure.write(|tx| tx.upsert_invoice(acme, "ext_1", &draft))?;
    /// let invoice = tenure.read(|view| view.invoice("ext_1"))?;
    /// assert_eq!(invoice.customer_id, acme);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn invoice(&self, external_id: &str) -> Result<Invoice> {
        self.fed(external_id)
    }

    /// The invoices of a customer, those issued last first, a page at a time.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, InvoiceDraft, Money, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let eur = "EUR".parse()?;
    /// let draft = InvoiceDraft::default().amount(Money::new(4_900, eur)).issued_at(tenure.now());
    /// tenure.write(|tx| tx.upsert_invoice(acme, "ext_1", &draft))?;
    /// let invoices = tenure.read(|view| view.invoices(acme, 10, None))?.items;
    /// assert_eq!(invoices[0].external_id.as_str(), "ext_1");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn invoices(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Invoice>> {
        self.customer(customer)?;
        let query = Query::all().eq(INVOICE_CUSTOMER, &customer).newest_by(ISSUED_AT);
        self.page(query, limit, cursor)
    }

    /// The ticket that the host knows by this id.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, Tenure, TicketDraft};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let draft = TicketDraft::default().opened_at(tenure.now());
    /// tenure.write(|tx| tx.upsert_ticket(acme, "ext_1", &draft))?;
    /// let ticket = tenure.read(|view| view.ticket("ext_1"))?;
    /// assert_eq!(ticket.customer_id, acme);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn ticket(&self, external_id: &str) -> Result<SupportTicket> {
        self.fed(external_id)
    }

    /// The tickets of a customer, those opened last first, a page at a time.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, Tenure, TicketDraft};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let draft = TicketDraft::default().opened_at(tenure.now());
    /// tenure.write(|tx| tx.upsert_ticket(acme, "ext_1", &draft))?;
    /// let tickets = tenure.read(|view| view.tickets(acme, 10, None))?.items;
    /// assert_eq!(tickets[0].external_id.as_str(), "ext_1");
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn tickets(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<SupportTicket>> {
        self.customer(customer)?;
        let query = Query::all().eq(TICKET_CUSTOMER, &customer).newest_by(OPENED_AT);
        self.page(query, limit, cursor)
    }

    fn fed<R: Fed + Stored>(&self, external_id: &str) -> Result<R> {
        let missing = || Error::not_found(R::WORD, external_id);
        let id = ExternalId::parse(external_id).map_err(|_| missing())?;
        self.get::<R>(fed_key::<R>(&id))?.ok_or_else(missing)
    }

    /// The pulse of a customer, which need not have one yet.
    pub(crate) fn pulse(&self, customer: CustomerId) -> Result<Pulse> {
        Ok(self.get(customer)?.unwrap_or_else(|| Pulse::new(customer)))
    }
}

impl Tx<'_> {
    /// Records what the host says of an order, by the host's own id of it: the first time it becomes
    /// a record, after that what the draft names is changed. The same again changes nothing.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Money, OrderDraft, OrderStatus, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let order = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme Inc."))?.id;
    ///     let total = Money::new(120_000, "EUR".parse().expect("a currency"));
    ///     let placed = OrderDraft::default().total(total).placed_at(tx.now());
    ///     tx.upsert_order(acme, "order_1042", &placed)?;
    ///     tx.upsert_order(acme, "order_1042", &OrderDraft::default().status("completed"))
    /// })?;
    /// assert_eq!((order.total.amount, order.status), (120_000, OrderStatus::Completed));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] with every fault; [`Error::Taken`] when the id is that
    /// of another customer's order.
    pub fn upsert_order(
        &mut self,
        customer: impl Into<CustomerRef>,
        external_id: &str,
        draft: &OrderDraft,
    ) -> Result<Order> {
        let (before, after) = self.drawn(&customer.into(), external_id, draft, |_| ())?;
        self.keep_fed(before.as_ref(), after, |_, _| Ok(()))
    }

    /// Records what the host says of an invoice, as [`upsert_order`](Self::upsert_order) does of an
    /// order.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, InvoiceDraft, InvoiceStatus, Money, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let invoice = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme Inc."))?.id;
    ///     let amount = Money::new(4_900, "EUR".parse().expect("a currency"));
    ///     tx.upsert_invoice(acme, "in_1042", &InvoiceDraft::default().amount(amount))?;
    ///     let paid = InvoiceDraft::default().status("paid").paid_at(tx.now());
    ///     tx.upsert_invoice(acme, "in_1042", &paid)
    /// })?;
    /// assert_eq!(invoice.status, InvoiceStatus::Paid);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`upsert_order`](Self::upsert_order).
    pub fn upsert_invoice(
        &mut self,
        customer: impl Into<CustomerRef>,
        external_id: &str,
        draft: &InvoiceDraft,
    ) -> Result<Invoice> {
        let (before, after) = self.drawn(&customer.into(), external_id, draft, |_| ())?;
        self.keep_fed(before.as_ref(), after, |tx, after| {
            let now = tx.now();
            tx.evaluate_soon(after.customer_id)?;
            tx.feel(after.customer_id, |pulse| pulse.invoice(before.as_ref(), after, now))
        })
    }

    /// Records what the host says of a ticket, as [`upsert_order`](Self::upsert_order) does of an
    /// order.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Tenure, TicketDraft, TicketStatus};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let ticket = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme Inc."))?.id;
    ///     let opened = TicketDraft::default().severity("high").opened_at(tx.now());
    ///     tx.upsert_ticket(acme, "zd_1042", &opened)?;
    ///     let solved = TicketDraft::default().status("resolved").resolved_at(tx.now());
    ///     tx.upsert_ticket(acme, "zd_1042", &solved.csat(5_i64))
    /// })?;
    /// assert_eq!((ticket.status, ticket.csat), (TicketStatus::Resolved, Some(5)));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`upsert_order`](Self::upsert_order).
    pub fn upsert_ticket(
        &mut self,
        customer: impl Into<CustomerRef>,
        external_id: &str,
        draft: &TicketDraft,
    ) -> Result<SupportTicket> {
        let competitors = &self.config().competitors;
        let (before, after) = self.drawn(&customer.into(), external_id, draft, |ticket| {
            draft.look_for(competitors, ticket);
        })?;
        self.keep_fed(before.as_ref(), after, |tx, after| {
            let today = day_of(tx.now());
            tx.evaluate_soon(after.customer_id)?;
            tx.feel(after.customer_id, |pulse| pulse.ticket(before.as_ref(), after, today))
        })
    }

    /// The record as it is and as the draft wants it; nothing is written.
    fn drawn<D>(
        &self,
        customer: &CustomerRef,
        external_id: &str,
        draft: &D,
        finish: impl FnOnce(&mut D::Record),
    ) -> Result<(Option<D::Record>, D::Record)>
    where
        D: Draft<Record: Stored>,
    {
        let customer = self.view().resolve_customer(customer)?.id;
        let mut faults = Faults::default();
        let Some(external) = faults.note("externalId", ExternalId::parse(external_id)) else {
            let mut unnamed = D::blank(customer, placeholder()?, self.now());
            draft.apply(&mut unnamed, self.latest_past(), &mut faults);
            return Err(Error::Invalid(faults));
        };
        let before = self.get::<D::Record>(fed_key::<D::Record>(&external))?;
        if let Some(before) = before.as_ref().filter(|it| it.customer() != customer) {
            let noun = <D::Record as Fed>::WORD;
            return Err(Error::taken(noun, "external id", external_id, before.customer()));
        }
        if before.is_none() {
            for field in draft.missing() {
                faults.add(field, "", "is required");
            }
        }
        let blank = || D::blank(customer, external, self.now());
        let mut after = before.clone().unwrap_or_else(blank);
        draft.apply(&mut after, self.latest_past(), &mut faults);
        faults.check()?;
        finish(&mut after);
        Ok((before, after))
    }

    /// Writes a record that is new or changed, tells of it, and lets `follow` bring in line what
    /// follows from it.
    fn keep_fed<R: Fed + Stored>(
        &mut self,
        before: Option<&R>,
        mut after: R,
        follow: impl FnOnce(&mut Self, &R) -> Result<()>,
    ) -> Result<R> {
        if before == Some(&after) {
            return Ok(after);
        }
        after.touch(self.now());
        self.whole(|tx| {
            tx.put(&after)?;
            follow(tx, &after)?;
            let (what, data) = match before {
                None => ("recorded", json!({ "status": after.status() })),
                Some(before) if before.status() != after.status() => {
                    ("status_changed", json!({ "from": before.status(), "to": after.status() }))
                }
                Some(_) => ("updated", json!({ "status": after.status() })),
            };
            let (id, customer) = (after.to_row().key(), after.customer());
            tx.announce(format!("{}.{what}", R::WORD), id, customer, data);
            Ok(after)
        })
    }

    /// Lets `change` bring the pulse of a customer in line, and writes it if that changed anything.
    pub(crate) fn feel(
        &mut self,
        customer: CustomerId,
        change: impl FnOnce(&mut Pulse),
    ) -> Result<()> {
        let before = self.view().pulse(customer)?;
        let mut after = before.clone();
        change(&mut after);
        if after == before { Ok(()) } else { self.put(&after) }
    }
}

/// The id of a record, from the host's own id of it.
fn fed_key<R: Fed + Stored>(external_id: &ExternalId) -> R::Id {
    R::Id::from(fed_id::<Uuid>(R::WORD, external_id))
}

/// Stands for an id that is malformed, so that the rest can be checked.
fn placeholder() -> Result<ExternalId> {
    ExternalId::parse("unnamed").map_err(Error::malformed("externalId"))
}

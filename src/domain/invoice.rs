//! Invoices: what a customer owes and has paid, as the host's billing tells it.

use super::customer::{CustomerId, Moment};
use super::draft::{Change, draft, replace};
use super::fed::{Draft, Fed, fed_id, moment, never_negative};
use super::instant;
use super::money::Money;
use super::text::ExternalId;
use crate::error::Faults;
use crate::record::{id, noun, words};
use time::OffsetDateTime;

id! {
    /// Identifies an invoice.
    InvoiceId;
}

words! {
    /// Where an invoice stands.
    pub enum InvoiceStatus {
        /// To be paid.
        Open = "open" | "pending" | "unpaid",
        /// Paid.
        Paid = "paid",
        /// A payment was tried and failed; still to be paid.
        Failed = "failed" | "past_due",
        /// Taken back: nothing is owed.
        Void = "void" | "voided",
        /// Given up: it will not be paid.
        Uncollectible = "uncollectible" | "written_off",
    }
}

impl InvoiceStatus {
    /// Whether money is still expected.
    #[must_use]
    pub const fn is_unpaid(self) -> bool {
        matches!(self, Self::Open | Self::Failed)
    }
}

noun! {
    /// What a customer was billed at once. The host's billing tells of it; tenure changes none.
    pub struct Invoice(InvoiceId), "invoice", "invoices", "commerce" {
        /// Identifies the invoice; follows from the external id.
        id: InvoiceId,
        /// Who owes it.
        customer_id: CustomerId,
        /// The host's own id for it, unique in the org.
        external_id: ExternalId => ["in_1042"],
        /// What it comes to, never negative.
        amount: Money => ["{\"amount\":4900,\"currency\":\"EUR\"}"],
        /// When it was issued.
        issued_at: OffsetDateTime,
        /// Until when it is to be paid.
        due_at: Option<OffsetDateTime>,
        /// When it was paid.
        paid_at: Option<OffsetDateTime>,
        /// Where it stands.
        status: InvoiceStatus => ["paid"],
        /// Who owes it, while money is expected.
        unpaid_for: Option<CustomerId>,
        /// When it was recorded.
        created_at: OffsetDateTime,
        /// When the record last changed.
        updated_at: OffsetDateTime,
    }
    relationships { customer: "customer" one "who owes it" }
    actions { record => recorded, update => updated }
    events { status_changed }
}

draft! {
    /// What the host says of an invoice. What is not named stays as it is.
    pub struct InvoiceDraft {
        /// See [`Invoice::amount`]. Required to record one.
        amount: Money,
        /// See [`Invoice::issued_at`]; now unless told otherwise.
        issued_at: Moment,
        /// See [`Invoice::due_at`]; may lie ahead.
        due_at: Moment,
        /// See [`Invoice::paid_at`]. Required once it is paid.
        paid_at: Moment,
        /// See [`Invoice::status`](field@Invoice::status); open unless told otherwise.
        status: String,
    }
}

impl Draft for InvoiceDraft {
    type Record = Invoice;

    fn blank(customer_id: CustomerId, external_id: ExternalId, now: OffsetDateTime) -> Invoice {
        Invoice {
            id: fed_id("invoice", &external_id),
            customer_id,
            external_id,
            amount: Money::nothing(),
            issued_at: now,
            due_at: None,
            paid_at: None,
            status: InvoiceStatus::Open,
            unpaid_for: None,
            created_at: now,
            updated_at: now,
        }
    }

    fn missing(&self) -> Vec<&'static str> {
        if self.amount.is_keep() { vec!["amount"] } else { Vec::new() }
    }

    fn apply(&self, to: &mut Invoice, latest: OffsetDateTime, faults: &mut Faults) {
        let mut amount = Some(to.amount);
        replace(&self.amount, &mut amount);
        to.amount = never_negative("amount", amount, faults).unwrap_or(to.amount);
        let issued_at = moment("issuedAt", &self.issued_at, Some(to.issued_at), latest, faults);
        to.issued_at = faults.present("issuedAt", issued_at).unwrap_or(to.issued_at);
        match &self.due_at {
            Change::Keep => {}
            Change::Clear => to.due_at = None,
            Change::Set(Moment(at)) => {
                instant::check_year("dueAt", *at, faults);
                to.due_at = Some(instant::utc(*at));
            }
        }
        to.paid_at = moment("paidAt", &self.paid_at, to.paid_at, latest, faults);
        faults.required("status", &self.status, &mut to.status, str::parse);
        match (to.status, to.paid_at, &self.paid_at) {
            (InvoiceStatus::Paid, None, _) => {
                faults.add("paidAt", "", "is required of an invoice that is paid");
            }
            (InvoiceStatus::Open | InvoiceStatus::Failed, Some(at), Change::Set(_)) => {
                faults.add("paidAt", &at.to_string(), "belongs to an invoice that is paid");
            }
            // It is to be paid again.
            (InvoiceStatus::Open | InvoiceStatus::Failed, ..) => to.paid_at = None,
            _ => {}
        }
        to.unpaid_for = to.status.is_unpaid().then_some(to.customer_id);
    }
}

impl Fed for Invoice {
    const WORD: &'static str = "invoice";

    fn customer(&self) -> CustomerId {
        self.customer_id
    }

    fn status(&self) -> &'static str {
        self.status.as_str()
    }

    fn touch(&mut self, now: OffsetDateTime) {
        self.updated_at = now;
    }
}

impl Invoice {
    /// If it was paid: the instant by which its month is told, and whether it was paid in time. What
    /// was given up counts as not paid in time.
    pub(crate) fn settled(&self) -> Option<(OffsetDateTime, bool)> {
        let due = |paid: OffsetDateTime| self.due_at.unwrap_or(paid);
        match (self.status, self.paid_at) {
            (InvoiceStatus::Paid, Some(paid)) => Some((due(paid), paid <= due(paid))),
            (InvoiceStatus::Uncollectible, _) => Some((due(self.issued_at), false)),
            _ => None,
        }
    }

    /// Whether it should have been paid by `now`.
    pub(crate) fn is_overdue(&self, now: OffsetDateTime) -> bool {
        let failed = self.status == InvoiceStatus::Failed;
        self.status.is_unpaid() && (failed || self.due_at.is_some_and(|due| due < now))
    }
}

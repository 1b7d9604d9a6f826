//! Orders: what a customer has bought, as the host's shop tells it.

use super::customer::{CustomerId, Moment};
use super::draft::{draft, replace};
use super::fed::{Draft, Fed, fed_id, moment, never_negative};
use super::money::Money;
use super::text::ExternalId;
use crate::error::Faults;
use crate::record::{id, noun, words};
use time::OffsetDateTime;

id! {
    /// Identifies an order.
    OrderId;
}

words! {
    /// Where an order stands.
    pub enum OrderStatus {
        /// Placed.
        Pending = "pending" | "open",
        /// Delivered, or paid: it counts as bought.
        Completed = "completed" | "complete",
        /// Given up.
        Cancelled = "cancelled" | "canceled",
        /// Bought, and the money given back.
        Refunded = "refunded",
    }
}

noun! {
    /// What a customer has bought at once. The host's shop tells of it; tenure changes none.
    pub struct Order(OrderId), "order", "orders", "commerce" {
        /// Identifies the order; follows from the external id.
        id: OrderId,
        /// Who placed it.
        customer_id: CustomerId,
        /// The host's own id for it, unique in the org.
        external_id: ExternalId => ["order_1042"],
        /// What it comes to, never negative.
        total: Money => ["{\"amount\":120000,\"currency\":\"EUR\"}"],
        /// When it was placed.
        placed_at: OffsetDateTime,
        /// Where it stands.
        status: OrderStatus => ["completed"],
        /// When it was recorded.
        created_at: OffsetDateTime,
        /// When the record last changed.
        updated_at: OffsetDateTime,
    }
    relationships { customer: "customer" one "who placed it" }
    actions { record => recorded, update => updated }
    events { status_changed }
}

draft! {
    /// What the host says of an order. What is not named stays as it is.
    pub struct OrderDraft {
        /// See [`Order::total`]. Required to record one.
        total: Money,
        /// See [`Order::placed_at`]. Required to record one.
        placed_at: Moment,
        /// See [`Order::status`](field@Order::status); pending unless told otherwise.
        status: String,
    }
}

impl Draft for OrderDraft {
    type Record = Order;

    fn blank(customer_id: CustomerId, external_id: ExternalId, now: OffsetDateTime) -> Order {
        Order {
            id: fed_id("order", &external_id),
            customer_id,
            external_id,
            total: Money::nothing(),
            placed_at: now,
            status: OrderStatus::Pending,
            created_at: now,
            updated_at: now,
        }
    }

    fn missing(&self) -> Vec<&'static str> {
        let needed = [("total", self.total.is_keep()), ("placedAt", self.placed_at.is_keep())];
        needed.into_iter().filter(|it| it.1).map(|it| it.0).collect()
    }

    fn apply(&self, to: &mut Order, latest: OffsetDateTime, faults: &mut Faults) {
        let mut total = Some(to.total);
        replace(&self.total, &mut total);
        to.total = never_negative("total", total, faults).unwrap_or(to.total);
        let placed_at = moment("placedAt", &self.placed_at, Some(to.placed_at), latest, faults);
        to.placed_at = faults.present("placedAt", placed_at).unwrap_or(to.placed_at);
        faults.required("status", &self.status, &mut to.status, str::parse);
    }
}

impl Fed for Order {
    const WORD: &'static str = "order";

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

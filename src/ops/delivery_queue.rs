//! What waits for the billing gateway: queued with the usage that it tells of, reduced by refunds,
//! put back by hand.

use crate::domain::customer::CustomerId;
use crate::domain::delivery::{Delivery, DeliveryAction, DeliveryQueue, Refunded, refunded};
use crate::domain::feature::Feature;
use crate::domain::quantity::Quantity;
use crate::domain::subscription::Subscription;
use crate::domain::text::ExternalId;
use crate::domain::usage::{DeliveryStatus, UsageEvent, UsageEventId};
use crate::error::{Error, Result};
use crate::page::{Cursor, Page};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use time::OffsetDateTime;

const SUBSCRIBER: Col = <Subscription as Stored>::TABLE.col("customer_id");
const CUSTOMER: Col = <Delivery as Stored>::TABLE.col("customer_id");
const SEQUENCE: Col = <Delivery as Stored>::TABLE.col("sequence");
const DUE_AT: Col = <DeliveryQueue as Stored>::TABLE.col("due_at");
const LAST_SEQUENCE: Col = <DeliveryQueue as Stored>::TABLE.col("last_sequence");

/// What a new entry of the ledger changes in the queue.
pub(crate) enum Posting {
    /// It is to be delivered.
    Queue(Delivery),
    /// It gives back a part of what is to be delivered, or all of it.
    Reduce(Delivery, Quantity),
}

impl View<'_> {
    /// The usage events of a customer that could not be delivered to the billing gateway, a page at
    /// a time; [`Tx::retry_failed`] puts one back.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn failed_deliveries(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<UsageEvent>> {
        self.customer(customer)?;
        let failed = Query::all().eq(CUSTOMER, &customer).eq(SEQUENCE, &None::<i64>);
        let Page { items, next } = self.page::<Delivery>(failed, limit, cursor)?;
        let items = items.into_iter().map(|it| self.require::<UsageEvent>(it.id));
        Ok(Page { items: items.collect::<Result<_>>()?, next })
    }

    /// When [`deliver_usage`](crate::Tenure::deliver_usage) next has something to send, which may be
    /// now; none when nothing waits.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn next_delivery(&self) -> Result<Option<OffsetDateTime>> {
        let first = self.first::<DeliveryQueue>(Query::all().oldest_by(DUE_AT))?;
        Ok(first.map(|queue| queue.due_at))
    }

    /// The queue that has been due for the longest.
    pub(crate) fn due_queue(&self) -> Result<Option<DeliveryQueue>> {
        self.first(Query::all().filter(DUE_AT, Op::Le, &self.now()).oldest_by(DUE_AT))
    }

    /// The first that wait in a customer's queue, in order.
    pub(crate) fn queued(&self, customer: CustomerId, limit: usize) -> Result<Vec<Delivery>> {
        let waiting = Query::all().eq(CUSTOMER, &customer).filter(SEQUENCE, Op::Gt, &0_i64);
        self.find(&waiting.oldest_by(SEQUENCE).limit(limit))
    }

    /// How many wait in all queues, counted up to `limit`.
    pub(crate) fn queued_up_to(&self, limit: usize) -> Result<usize> {
        let mut count = 0_usize;
        for queue in self.find::<DeliveryQueue>(&Query::all().limit(limit))? {
            let left = limit.saturating_sub(count);
            if left == 0 {
                break;
            }
            count = count.saturating_add(self.queued(queue.id, left)?.len());
        }
        Ok(count)
    }

    /// The customer at the billing gateway: that of a subscription that runs, of the handle's
    /// product if there is one.
    fn billing_profile(&self, customer: CustomerId) -> Result<Option<ExternalId>> {
        let all = self.all::<Subscription>(Query::all().eq(SUBSCRIBER, &customer))?;
        let running = all.into_iter().filter(|it| it.status.is_running());
        let known = running.filter(|it| it.stripe_customer_id.is_some());
        let best = known.max_by_key(|it| (it.product_id == *self.product(), it.created_at, it.id));
        Ok(best.and_then(|it| it.stripe_customer_id))
    }
}

impl Tx<'_> {
    /// Decides whether the billing gateway is to hear of a new entry of the ledger, notes that on
    /// it, and says what it changes in the queue. Nothing is written; of a feature that is not
    /// billed, nothing is read.
    pub(crate) fn post(
        &self,
        event: &mut UsageEvent,
        feature: &Feature,
    ) -> Result<Option<Posting>> {
        let Some(event_name) = feature.billing_meter.clone() else { return Ok(None) };
        if event.quantity == Quantity::ZERO {
            return Ok(None);
        }
        let original = event.adjusts_event_id.map(|id| self.view().usage_event(id)).transpose()?;
        if let Some(original) = &original {
            event.billing_profile_id.clone_from(&original.billing_profile_id);
            if event.quantity.is_negative() {
                let waiting = self.get::<Delivery>(original.id)?;
                match refunded(original, waiting.as_ref(), event.quantity, self.now()) {
                    Refunded::Unbilled => return Ok(None),
                    Refunded::Reduces => {
                        return Ok(waiting.map(|it| Posting::Reduce(it, event.quantity)));
                    }
                    Refunded::Corrects | Refunded::Cancels => {}
                }
            }
        } else {
            event.billing_profile_id = self.view().billing_profile(event.customer_id)?;
        }
        if event.billing_profile_id.is_none() {
            return Ok(None);
        }
        event.stripe_delivery_status = DeliveryStatus::Pending;
        Ok(Some(Posting::Queue(Delivery {
            id: event.id,
            customer_id: event.customer_id,
            sequence: None,
            event_name,
            quantity: event.quantity,
            action: DeliveryAction::Send,
            sent_at: None,
        })))
    }

    /// Writes what an entry of the ledger changes in the queue.
    pub(crate) fn hand_over(&mut self, posting: Option<Posting>) -> Result<()> {
        match posting {
            None => Ok(()),
            Some(Posting::Queue(delivery)) => self.enqueue(delivery),
            Some(Posting::Reduce(delivery, by)) => self.reduce_delivery(delivery, by),
        }
    }

    /// Puts a delivery at the end of its customer's queue.
    fn enqueue(&mut self, mut delivery: Delivery) -> Result<()> {
        let customer = delivery.customer_id;
        let place = self.add::<DeliveryQueue>(customer, LAST_SEQUENCE, 1)?;
        if place.is_none() {
            self.insert(&DeliveryQueue {
                id: customer,
                due_at: self.now(),
                attempts: 0,
                holder: None,
                last_sequence: 1,
            })?;
        }
        delivery.sequence = Some(place.unwrap_or(1));
        self.put(&delivery)
    }

    /// Takes `by`, below zero, from what is to be delivered. What nothing is left of is not to be
    /// delivered any more.
    pub(crate) fn reduce_delivery(&mut self, mut delivery: Delivery, by: Quantity) -> Result<()> {
        let left = delivery.quantity.checked_add(by).ok_or(Error::Overflow("refund"))?;
        if left.is_positive() {
            delivery.quantity = left;
            return self.put(&delivery);
        }
        let mut event = self.require::<UsageEvent>(delivery.id)?;
        event.stripe_delivery_status = DeliveryStatus::NotApplicable;
        self.put(&event)?;
        self.delete::<Delivery>(delivery.id)?;
        // One that is held is cleared away by who holds it.
        let queue = self.get::<DeliveryQueue>(delivery.customer_id)?;
        if let Some(queue) = queue.filter(|it| it.holder.is_none())
            && self.view().queued(queue.id, 1)?.is_empty()
        {
            self.delete::<DeliveryQueue>(queue.id)?;
        }
        Ok(())
    }

    /// Puts usage whose delivery failed back into its customer's queue, at the end, less what was
    /// refunded meanwhile. One that was given up may have been counted: look at the gateway before.
    /// What was refused goes to the customer that the gateway knows now.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Rule`] when its delivery has not failed.
    pub fn retry_failed(&mut self, event: UsageEventId) -> Result<UsageEvent> {
        let mut event = self.require::<UsageEvent>(event)?;
        let failed = self.get::<Delivery>(event.id)?.filter(|it| it.sequence.is_none());
        let Some(mut delivery) = failed else {
            let status = event.stripe_delivery_status;
            let rule = format!("the delivery of event `{}` is {status}, not failed", event.id);
            return Err(Error::rule(rule));
        };
        if let Some(sent_at) = &mut delivery.sent_at {
            // Whoever puts it back answers for it: it is as if it were sent now.
            *sent_at = self.now();
        } else if let Some(known) = self.view().billing_profile(event.customer_id)? {
            event.billing_profile_id = Some(known);
        }
        event.stripe_delivery_status = DeliveryStatus::Pending;
        self.whole(|tx| {
            tx.enqueue(delivery)?;
            tx.put(&event)?;
            let data = json!({ "feature": event.feature_code });
            tx.announce("usage_event.delivery_retried", event.id, event.customer_id, data);
            Ok(event)
        })
    }
}

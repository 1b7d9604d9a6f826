//! Delivery of usage to the billing gateway: taken in one transaction, sent outside of any, its
//! result written in another.

use crate::domain::billing::{BillingGateway, MeterEvent, MeterFailure};
use crate::domain::customer::CustomerId;
use crate::domain::delivery::{
    Delivery, DeliveryAction, DeliveryQueue, DeliveryReport, LEASE, Refunded, backoff,
    is_remembered, refunded,
};
use crate::domain::text::{ExternalId, Line, Note};
use crate::domain::usage::{DeliveryStatus, UsageEvent, UsageEventId};
use crate::error::{Error, Result};
use crate::page::{PAGE_MAX, check_limit};
use crate::tenure::Tenure;
use crate::tx::Tx;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

/// How many events of a customer a deliverer takes at a time.
const BATCH: usize = 20;

/// What a deliverer has taken upon itself: the first of a customer's queue.
struct Claim {
    customer: CustomerId,
    holder: Uuid,
    /// From then on it is no longer its own.
    until: OffsetDateTime,
    letters: Vec<Letter>,
    /// How many of the queue were given up while it was taken.
    given_up: usize,
}

/// One thing to ask of the gateway.
struct Letter {
    /// The delivery as it was before it was taken.
    before: Delivery,
    asks: Asks,
}

enum Asks {
    Send(MeterEvent),
    Cancel(Line, UsageEventId),
}

/// What becomes of a delivery when it is its turn.
enum Turn {
    Ask(DeliveryAction),
    /// There is nothing left to ask.
    Over,
    /// What is in front of it must be settled first.
    Wait,
}

/// What the gateway made of a letter; the id is that of what it counted.
type Answer = Result<Option<ExternalId>, MeterFailure>;

impl Tenure {
    /// Sends usage that is due to the billing gateway, at most `limit` events in the handle's org:
    /// in order for each customer, one that the gateway does not take holding up those behind it.
    /// What fails is tried again later, after 30 seconds, a minute, and so on up to six hours.
    ///
    /// A network is involved, so [`tick`](Self::tick) does not do it: a host calls this on a thread
    /// that may wait, when [`next_delivery`](crate::View::next_delivery) says. Several processes may
    /// do so at once. If one dies between sending and writing down the result, the same is sent
    /// again, under the same identifier, so that it counts once.
    ///
    /// ```
    /// use tenure::billing::FakeBilling;
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{
    ///     AccessPatch, CustomerDraft, FeatureDraft, NewSubscription, Tenure, TierDraft, Track,
    /// };
    ///
    /// let billing = FakeBilling::new();
    /// let tenure = Tenure::builder(MemoryStore::new()).billing(billing.clone()).open()?;
    /// let acme = tenure.write(|tx| {
    ///     tx.define_feature("ai_credits", &FeatureDraft::default().billing_meter("credits_used"))?;
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.define_tier(&TierDraft::new("pro"))?;
    ///     let mut paid = NewSubscription::to("pro");
    ///     paid.stripe_customer_id = Some("cus_9s6X".to_owned());
    ///     tx.add_subscription(acme, &paid)?;
    ///     tx.set_access(acme, "ai_credits", &AccessPatch::new())?;
    ///     Ok::<_, tenure::Error>(acme)
    /// })?;
    /// tenure.track(&Track::new(acme, "ai_credits").quantity(3))?;
    ///
    /// let report = tenure.deliver_usage(100)?;
    /// assert_eq!((report.delivered, report.next_attempt_at), (1, None));
    /// assert_eq!(billing.metered("cus_9s6X", "credits_used"), Some(3.into()));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Rule`] when the handle has no billing gateway; [`Error::Invalid`] when `limit` is
    /// not 1–1,000; the store's own, after which what was sent is sent again. That the gateway fails
    /// is no error: the report and the usage events tell of it.
    pub fn deliver_usage(&self, limit: usize) -> Result<DeliveryReport> {
        let gateway = self.billing()?;
        check_limit(limit)?;
        let mut report = DeliveryReport::default();
        let mut left = limit;
        let is_due = || self.read(|view| Ok::<_, Error>(view.due_queue()?.is_some()));
        while left > 0 && is_due()? {
            let Some(claim) = self.write(|tx| tx.take_queue(left.min(BATCH)))? else { break };
            let answers = self.ask(gateway, &claim);
            let done = self.write(|tx| tx.settle_queue(&claim, &answers))?;
            let failed = done.failed.saturating_add(claim.given_up);
            report.delivered = report.delivered.saturating_add(done.delivered);
            report.cancelled = report.cancelled.saturating_add(done.cancelled);
            report.failed = report.failed.saturating_add(failed);
            left = left.saturating_sub(answers.len().saturating_add(claim.given_up));
        }
        self.read(|view| {
            report.waiting = view.queued_up_to(PAGE_MAX)?;
            report.next_attempt_at = view.next_delivery()?;
            Ok(report)
        })
    }

    /// What the gateway answers to one letter after the other, up to the first that must be settled
    /// before the next may go out.
    fn ask(&self, gateway: &dyn BillingGateway, claim: &Claim) -> Vec<Answer> {
        let mut answers = Vec::new();
        for letter in &claim.letters {
            if self.now() >= claim.until {
                break;
            }
            let answer = match &letter.asks {
                Asks::Send(event) => gateway.send_meter_event(event).map(Some),
                Asks::Cancel(name, id) => gateway.cancel_meter_event(name, *id).map(|()| None),
            };
            let goes_on = match &answer {
                Ok(_) => true,
                Err(MeterFailure::Refused(_)) => matches!(letter.asks, Asks::Send(_)),
                Err(_) => false,
            };
            answers.push(answer);
            if !goes_on {
                break;
            }
        }
        answers
    }
}

impl Tx<'_> {
    /// Takes the first of the queue that has been due for the longest. What is taken may be sent
    /// from now on, whatever becomes of the deliverer.
    fn take_queue(&mut self, limit: usize) -> Result<Option<Claim>> {
        let now = self.now();
        let Some(mut queue) = self.view().due_queue()? else { return Ok(None) };
        let (holder, until) = (self.fresh::<Uuid>(), now.saturating_add(LEASE));
        let (customer, letters, given_up) = (queue.id, Vec::new(), 0);
        let mut claim = Claim { customer, holder, until, letters, given_up };
        for before in self.view().queued(queue.id, limit)? {
            let event = self.require::<UsageEvent>(before.id)?;
            if before.sent_at.is_some_and(|at| !is_remembered(at, now)) {
                let why = "given up: it may have been counted, but the gateway would no longer \
                           recognise it";
                self.fail_delivery(before, event, why)?;
                claim.given_up = claim.given_up.saturating_add(1);
                queue.attempts = 0;
                continue;
            }
            let action = match self.turn_of(&before, &event, &claim.letters)? {
                Turn::Ask(action) => action,
                Turn::Over => continue,
                Turn::Wait => break,
            };
            let asks = match (action, event.adjusts_event_id) {
                (DeliveryAction::Cancel, Some(id)) => Asks::Cancel(before.event_name.clone(), id),
                _ => Asks::Send(meter_event(&before, &event)?),
            };
            let sent_at = before.sent_at.or(Some(now));
            self.put(&Delivery { action, sent_at, ..before.clone() })?;
            claim.letters.push(Letter { before, asks });
        }
        (queue.due_at, queue.holder) = (until, Some(holder));
        self.put(&queue)?;
        Ok(Some(claim))
    }

    /// What is asked of the gateway. What may have been sent is sent again as it was; a refund
    /// follows what became of the event that it corrects.
    fn turn_of(
        &mut self,
        delivery: &Delivery,
        event: &UsageEvent,
        taken: &[Letter],
    ) -> Result<Turn> {
        if delivery.sent_at.is_some() {
            return Ok(Turn::Ask(delivery.action));
        }
        let Some(original) = event.adjusts_event_id.filter(|_| event.quantity.is_negative()) else {
            return Ok(Turn::Ask(DeliveryAction::Send));
        };
        if taken.iter().any(|letter| letter.before.id == original) {
            return Ok(Turn::Wait);
        }
        let original = self.require::<UsageEvent>(original)?;
        let waiting = self.get::<Delivery>(original.id)?;
        match refunded(&original, waiting.as_ref(), event.quantity, self.now()) {
            Refunded::Cancels => Ok(Turn::Ask(DeliveryAction::Cancel)),
            Refunded::Corrects => Ok(Turn::Ask(DeliveryAction::Send)),
            Refunded::Reduces | Refunded::Unbilled => {
                self.delete::<Delivery>(delivery.id)?;
                let stripe_delivery_status = DeliveryStatus::NotApplicable;
                self.put(&UsageEvent { stripe_delivery_status, ..event.clone() })?;
                if let Some(waiting) = waiting {
                    self.reduce_delivery(waiting, event.quantity)?;
                }
                Ok(Turn::Over)
            }
        }
    }

    /// Writes down what the gateway answered, and lets go of the queue. A deliverer that came back
    /// too late has only facts to add: what was taken was taken.
    fn settle_queue(&mut self, claim: &Claim, answers: &[Answer]) -> Result<DeliveryReport> {
        let mut done = DeliveryReport::default();
        let queue = self.get::<DeliveryQueue>(claim.customer)?;
        let mut held = queue.filter(|queue| queue.holder == Some(claim.holder));
        for (place, letter) in claim.letters.iter().enumerate() {
            let delivery = self.get::<Delivery>(letter.before.id)?;
            let same = |it: &Delivery| it.sequence == letter.before.sequence;
            let Some(delivery) = delivery.filter(same) else { continue };
            match (answers.get(place), &mut held) {
                (Some(Ok(id)), _) => {
                    match letter.asks {
                        Asks::Send(_) => done.delivered = done.delivered.saturating_add(1),
                        Asks::Cancel(..) => done.cancelled = done.cancelled.saturating_add(1),
                    }
                    self.note_delivered(&delivery, id.as_ref())?;
                    if let Some(queue) = &mut held {
                        queue.attempts = 0;
                    }
                }
                (Some(Err(failure)), Some(queue)) => {
                    let failed = self.note_failure(delivery, letter, failure, queue)?;
                    done.failed = done.failed.saturating_add(usize::from(failed));
                }
                // Taken, but not asked.
                (None, Some(_)) => self.put(&letter.before)?,
                (_, None) => {}
            }
        }
        if let Some(mut queue) = held {
            if self.view().queued(queue.id, 1)?.is_empty() {
                self.delete::<DeliveryQueue>(queue.id)?;
            } else {
                let wait = (queue.attempts > 0).then(|| backoff(queue.attempts));
                queue.due_at = self.now().saturating_add(wait.unwrap_or_default());
                queue.holder = None;
                self.put(&queue)?;
            }
        }
        Ok(done)
    }

    fn note_delivered(&mut self, delivery: &Delivery, id: Option<&ExternalId>) -> Result<()> {
        let mut event = self.require::<UsageEvent>(delivery.id)?;
        event.stripe_delivery_status = DeliveryStatus::Delivered;
        event.stripe_event_id = id.cloned();
        event.stripe_delivery_error = None;
        event.delivered_at = Some(self.now());
        self.put(&event)?;
        self.delete::<Delivery>(delivery.id)?;
        let (feature, quantity) = (&event.feature_code, delivery.quantity);
        let data = json!({ "feature": feature, "quantity": quantity, "action": delivery.action });
        self.announce("usage_event.delivered", event.id, event.customer_id, data);
        Ok(())
    }

    /// What follows from an attempt that failed. Returns whether it was the last.
    fn note_failure(
        &mut self,
        mut delivery: Delivery,
        letter: &Letter,
        failure: &MeterFailure,
        queue: &mut DeliveryQueue,
    ) -> Result<bool> {
        let mut event = self.require::<UsageEvent>(delivery.id)?;
        if matches!(failure, MeterFailure::NotTaken(_) | MeterFailure::Refused(_)) {
            delivery.sent_at = letter.before.sent_at;
        }
        if let MeterFailure::Refused(why) = failure {
            queue.attempts = 0;
            // What cannot be cancelled is corrected, unless an earlier attempt may have cancelled it.
            if delivery.action == DeliveryAction::Cancel && delivery.sent_at.is_none() {
                (delivery.action, delivery.sent_at) = (DeliveryAction::Send, Some(self.now()));
                return self.put(&delivery).map(|()| false);
            }
            return self.fail_delivery(delivery, event, why).map(|()| true);
        }
        queue.attempts = queue.attempts.saturating_add(1);
        if queue.attempts >= self.config().delivery_attempts_max {
            let why = format!("given up after {} attempts: {failure}", queue.attempts);
            queue.attempts = 0;
            return self.fail_delivery(delivery, event, &why).map(|()| true);
        }
        event.stripe_delivery_error = Some(Note::clipped(&failure.to_string()));
        self.put(&event)?;
        self.put(&delivery).map(|()| false)
    }

    /// Takes a delivery out of the queue, because it will not succeed.
    fn fail_delivery(
        &mut self,
        mut delivery: Delivery,
        mut event: UsageEvent,
        why: &str,
    ) -> Result<()> {
        delivery.sequence = None;
        event.stripe_delivery_status = DeliveryStatus::Failed;
        let why = Note::clipped(why);
        let data = json!({ "feature": event.feature_code, "error": why });
        event.stripe_delivery_error = Some(why);
        self.put(&event)?;
        self.put(&delivery)?;
        self.announce("usage_event.delivery_failed", event.id, event.customer_id, data);
        Ok(())
    }
}

fn meter_event(delivery: &Delivery, event: &UsageEvent) -> Result<MeterEvent> {
    let unknown = || Error::rule(format!("event `{}` has no billing profile", event.id));
    Ok(MeterEvent {
        identifier: delivery.id,
        event_name: delivery.event_name.clone(),
        customer_id: event.billing_profile_id.clone().ok_or_else(unknown)?,
        value: delivery.quantity,
        timestamp: event.event_time,
    })
}

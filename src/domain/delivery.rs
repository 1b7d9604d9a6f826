//! Delivery: how billed usage gets to the billing gateway, and what a refund does to it.
//!
//! Everything that is counted of a feature with a `billing_meter`, for a customer whom the gateway
//! knows, is sent: what of it is free is the gateway's to price. Each customer has a queue, in the
//! order in which its usage was recorded; what is behind waits for what is in front.

use super::customer::CustomerId;
use super::quantity::Quantity;
use super::text::Line;
use super::usage::{DeliveryStatus, UsageEvent, UsageEventId};
use crate::record::{noun, words};
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How long one deliverer has a customer's queue to itself: if it has not come back by then, another
/// takes over.
pub(crate) const LEASE: Duration = Duration::minutes(5);

/// How long after it was first sent usage may be sent again, or cancelled. A gateway remembers
/// identifiers, and cancels, for about a day; an hour is kept back for clocks and slow lines.
const REMEMBERED: Duration = Duration::hours(23);

/// The wait after a first attempt that failed; each further one doubles it.
const FIRST_WAIT: Duration = Duration::seconds(30);

/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::hours(6);

words! {
    /// What is asked of the gateway.
    pub enum DeliveryAction {
        /// To count a quantity.
        Send = "send",
        /// To cancel what it counted.
        Cancel = "cancel",
    }
}

noun! {
    /// Usage on its way to the billing gateway: one for each usage event that waits, or that could
    /// not be delivered.
    pub struct Delivery(UsageEventId), "delivery", "deliveries", "metering" {
        /// The usage event.
        id: UsageEventId,
        /// Whose queue it waits in.
        customer_id: CustomerId,
        /// Its place in the queue; none when it failed.
        sequence: Option<i64> => ["3"],
        /// The gateway's meter.
        event_name: Line => ["ai_credits_used"],
        /// What is sent: the quantity of the event less what was refunded before it was sent.
        quantity: Quantity => ["3"],
        /// What is asked of the gateway.
        action: DeliveryAction => ["send"],
        /// Since when the gateway may know of it; none while it certainly does not.
        sent_at: Option<OffsetDateTime>,
    }
    relationships {
        event: "usage event" one "what is delivered",
        customer: "customer" one "whose usage it is",
    }
}

noun! {
    /// A customer's usage that waits for the billing gateway; there is none when nothing waits.
    pub struct DeliveryQueue(CustomerId), "delivery queue", "delivery queues", "metering" {
        /// The customer.
        id: CustomerId,
        /// When the first is sent next; while a deliverer is at it, when another may take over.
        due_at: OffsetDateTime,
        /// How often the first failed.
        attempts: u32 => ["0"],
        /// The deliverer that is at it.
        holder: Option<Uuid>,
        /// The place of the last.
        last_sequence: i64 => ["3"],
    }
    relationships {
        customer: "customer" one "whose usage waits",
    }
}

/// What becomes of usage that gives back what an earlier event counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refunded {
    /// The gateway never hears of it.
    Unbilled,
    /// It reduces what is to be sent, to nothing if it is all of it: the gateway never hears of it.
    Reduces,
    /// It goes out as what it is, a negative quantity, after what it corrects.
    Corrects,
    /// The gateway cancels what it counted.
    Cancels,
}

/// What becomes of a refund of `original`, which waits or failed as `delivery` says. It is judged
/// when it is recorded, and again when it is its turn.
///
/// What was never sent is reduced, and so is what failed: it is owed less when it is sent again.
/// What may have arrived is corrected. A whole event is cancelled, as long as the gateway does so,
/// so that meters are right that do not add up but count.
pub(crate) fn refunded(
    original: &UsageEvent,
    delivery: Option<&Delivery>,
    by: Quantity,
    now: OffsetDateTime,
) -> Refunded {
    let fits = |delivery: &Delivery| {
        let left = delivery.quantity.checked_add(by);
        left.is_some_and(|left| !left.is_negative())
    };
    let is_whole = original.quantity.checked_add(by) == Some(Quantity::ZERO);
    match (original.stripe_delivery_status, delivery) {
        (DeliveryStatus::NotApplicable, _) => Refunded::Unbilled,
        (DeliveryStatus::Pending, Some(it)) if it.sent_at.is_none() && fits(it) => {
            Refunded::Reduces
        }
        (DeliveryStatus::Failed, Some(it)) if fits(it) => Refunded::Reduces,
        (DeliveryStatus::Delivered, _)
            if is_whole && original.delivered_at.is_some_and(|at| is_remembered(at, now)) =>
        {
            Refunded::Cancels
        }
        _ => Refunded::Corrects,
    }
}

/// Whether the gateway still recognises at `now` what it got at `sent_at`.
pub(crate) fn is_remembered(sent_at: OffsetDateTime, now: OffsetDateTime) -> bool {
    now < sent_at.saturating_add(REMEMBERED)
}

/// How long to wait after so many attempts that failed, at least one: 30 seconds, doubled by each
/// further one, at most six hours.
///
/// ```
/// use tenure::domain::delivery::backoff;
/// use time::Duration;
///
/// assert_eq!(backoff(1), Duration::seconds(30));
/// assert_eq!(backoff(4), Duration::minutes(4));
/// assert_eq!(backoff(100), Duration::hours(6));
/// ```
#[must_use]
pub fn backoff(attempts: u32) -> Duration {
    let doubled = 2_i32.saturating_pow(attempts.saturating_sub(1));
    FIRST_WAIT.checked_mul(doubled).map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT))
}

/// What [`deliver_usage`](crate::Tenure::deliver_usage) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DeliveryReport {
    /// Usage events that the gateway took.
    pub delivered: usize,
    /// Usage events that it refused for good, or that were given up.
    pub failed: usize,
    /// Usage events that it cancelled, because they were refunded.
    pub cancelled: usize,
    /// Usage events that wait still, counted up to 1,000.
    pub waiting: usize,
    /// When the first of them is due, which may be now; none when nothing waits.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_attempt_at: Option<OffsetDateTime>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::link::ProductId;
    use crate::domain::meter::MeterId;
    use crate::domain::text::{Code, IdempotencyKey};
    use crate::domain::usage::{UsageEventType, UsageSource};
    use time::macros::datetime;

    const SENT: OffsetDateTime = datetime!(2026-01-31 12:00 UTC);

    fn event(status: DeliveryStatus) -> UsageEvent {
        let customer_id = CustomerId::from(Uuid::nil());
        let feature_code = Code::parse("credits").unwrap();
        let meter_id = MeterId::of(customer_id, &feature_code);
        let idempotency_key = IdempotencyKey::parse("k").unwrap();
        UsageEvent {
            id: UsageEventId::of(meter_id, &idempotency_key),
            meter_id,
            customer_id,
            feature_code,
            quantity: Quantity::from(5),
            requested: None,
            source: UsageSource::Api,
            event_type: UsageEventType::Increment,
            event_time: SENT,
            window_start: SENT,
            is_timed: false,
            created_at: SENT,
            previous_value: Quantity::ZERO,
            quantity_limit: None,
            usage_ceiling: None,
            included_quantity: Quantity::ZERO,
            adjustment_reason: None,
            adjusts_event_id: None,
            idempotency_key,
            metadata: None,
            performed_by: None,
            product_id: ProductId::parse("default").unwrap(),
            billing_profile_id: None,
            stripe_delivery_status: status,
            stripe_event_id: None,
            stripe_delivery_error: None,
            delivered_at: (status == DeliveryStatus::Delivered).then_some(SENT),
        }
    }

    fn delivery(quantity: i32, sent_at: Option<OffsetDateTime>) -> Delivery {
        let event = event(DeliveryStatus::Pending);
        Delivery {
            id: event.id,
            customer_id: event.customer_id,
            sequence: Some(1),
            event_name: Line::parse("credits_used").unwrap(),
            quantity: Quantity::from(quantity),
            action: DeliveryAction::Send,
            sent_at,
        }
    }

    #[test]
    fn a_refund_follows_what_it_refunds() {
        use DeliveryStatus::{Delivered, Failed, NotApplicable, Pending};
        let (unsent, sent) = (Some(delivery(5, None)), Some(delivery(5, Some(SENT))));
        let reduced = Some(delivery(3, None));
        let (soon, late) = (SENT + Duration::HOUR, SENT + Duration::hours(23));
        for (row, (status, delivery, by, now, expected)) in [
            (NotApplicable, &None, -5, soon, Refunded::Unbilled),
            (Pending, &unsent, -5, soon, Refunded::Reduces),
            (Pending, &unsent, -2, soon, Refunded::Reduces),
            (Pending, &reduced, -3, soon, Refunded::Reduces),
            (Pending, &reduced, -4, soon, Refunded::Corrects),
            (Pending, &sent, -5, soon, Refunded::Corrects),
            (Failed, &unsent, -5, soon, Refunded::Reduces),
            (Failed, &sent, -2, soon, Refunded::Reduces),
            (Failed, &reduced, -4, soon, Refunded::Corrects),
            (Delivered, &None, -5, soon, Refunded::Cancels),
            (Delivered, &None, -2, soon, Refunded::Corrects),
            (Delivered, &None, -5, late - Duration::MICROSECOND, Refunded::Cancels),
            (Delivered, &None, -5, late, Refunded::Corrects),
        ]
        .into_iter()
        .enumerate()
        {
            let found = refunded(&event(status), delivery.as_ref(), Quantity::from(by), now);
            assert_eq!(found, expected, "row {row}");
        }
    }

    #[test]
    fn waits_double_from_half_a_minute_to_six_hours() {
        let waits: Vec<_> = (0..=13).map(|attempts| backoff(attempts).whole_seconds()).collect();
        let doubled = [30, 30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 15_360];
        assert_eq!(waits[..11], doubled);
        assert_eq!(waits[11..], [21_600; 3]);
        assert_eq!(backoff(u32::MAX), LONGEST_WAIT);
    }
}

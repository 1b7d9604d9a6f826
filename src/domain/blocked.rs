//! Blocked attempts: how often a customer wanted what it may not have.

use super::customer::CustomerId;
use super::pulse::{MONTH, day_of, midnight};
use super::text::Code;
use crate::record::{id, noun};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies the blocked attempts of one customer at one feature on one day.
    BlockedAttemptsId;
}

noun! {
    /// How often a customer was denied a feature on one UTC day, by checks and by tracks.
    pub struct BlockedAttempts(BlockedAttemptsId), "blocked attempts", "blocked attempts of days",
        "success"
    {
        /// Identifies them; follows from customer, feature and day.
        id: BlockedAttemptsId,
        /// Who was denied.
        customer_id: CustomerId,
        /// What it wanted.
        feature_code: Code => ["sso"],
        /// The first instant of the day.
        day: OffsetDateTime,
        /// How often.
        attempts: i64 => ["4"],
        /// Who was denied, while it may be among the last thirty days.
        recent_for: Option<CustomerId>,
    }
    relationships {
        customer: "customer" one "who was denied",
        feature: "feature" one "what it wanted",
    }
}

impl BlockedAttempts {
    pub(crate) fn on(customer: CustomerId, feature: Code, day: i32, attempts: i64) -> Self {
        let name = format!("blocked {feature} {day}");
        Self {
            id: BlockedAttemptsId::from(Uuid::new_v5(&customer.uuid(), name.as_bytes())),
            customer_id: customer,
            feature_code: feature,
            day: midnight(day),
            attempts,
            recent_for: Some(customer),
        }
    }

    /// Whether they are among the thirty days that end with the one of `now`.
    pub(crate) fn is_recent(&self, now: OffsetDateTime) -> bool {
        day_of(self.day) > day_of(now).saturating_sub(MONTH)
    }
}

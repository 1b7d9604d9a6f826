//! Flairs: distinctions that a customer earns.

use super::customer::CustomerId;
use super::text::{Code, Line, Note};
use crate::record::{id, noun};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies a flair of one customer.
    FlairId;
}

noun! {
    /// A distinction that a customer earned.
    pub struct Flair(FlairId), "flair", "flairs", "account" {
        /// Identifies the flair of this customer.
        id: FlairId,
        /// Who earned it.
        customer_id: CustomerId,
        /// Which flair it is; the same one is earned once.
        flair_id: Code => ["early-adopter"],
        /// What it is called.
        name: Line => ["Early adopter"],
        /// What it looks like.
        icon: Option<Line> => ["🌱"],
        /// What it is for.
        description: Option<Note>,
        /// Which group it belongs to.
        category: Option<Code> => ["community"],
        /// When it was earned.
        earned_at: OffsetDateTime,
    }
    relationships {
        customer: "customer" one "who earned it",
    }
    actions { award => awarded, remove => removed }
}

impl FlairId {
    /// The id of a customer's flair: derived, so that the same one is kept once.
    #[must_use]
    pub fn of(customer: CustomerId, flair_id: &Code) -> Self {
        Self::from(Uuid::new_v5(&customer.uuid(), flair_id.as_str().as_bytes()))
    }
}

//! The meter: everything that a check needs of one feature of one customer, in one row.

use super::access::{Access, DenialReason, Remedy};
use super::allowance::Allowance;
use super::customer::CustomerId;
use super::document::Document;
use super::feature::{Feature, Overage};
use super::quantity::Quantity;
use super::text::Code;
use super::window::Window;
use crate::record::{id, noun};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies a meter.
    MeterId;
}

noun! {
    /// What one customer has used of one feature, and what its entitlements amount to. There is one
    /// as soon as there was an entitlement; it is kept in step with them, with the customer's
    /// standing and with the ledger of usage events.
    pub struct Meter(MeterId), "meter", "meters", "metering" {
        /// Identifies the meter; follows from customer and feature.
        id: MeterId,
        /// Whose usage it is.
        customer_id: CustomerId,
        /// What is used.
        feature_code: Code => ["ai_credits"],
        /// What was used in the current window.
        used: Quantity => ["420"],
        /// What is set aside for work that is under way.
        held: Quantity => ["0"],
        /// The limit of the window; none for any amount.
        limit: Option<Quantity> => ["1000"],
        /// How high usage may go by the tightest of all limits; none for as high as it likes.
        ceiling: Option<Quantity> => ["1000"],
        /// What of the usage lies beyond the limit that was passed the furthest.
        over: Quantity => ["0"],
        /// What the base fee includes.
        included: Quantity => ["500"],
        /// The start of the current window.
        window_start: OffsetDateTime,
        /// Its end, exclusive, if it ends.
        window_end: Option<OffsetDateTime>,
        /// When time alone next makes room, if it does.
        reset_at: Option<OffsetDateTime>,
        /// Whether the next use opens a window.
        opens: bool => ["false"],
        /// Whether some of its events are sealed in pages.
        has_pages: bool => ["false"],
        /// Whether some of its events stand by themselves.
        has_singles: bool => ["true"],
        /// Since when what it allows has been what it is: for usage from then on the present right
        /// is the right at its time.
        steady_since: OffsetDateTime,
        /// When limit, validity or window are next to be computed anew, if ever.
        fresh_until: Option<OffsetDateTime>,
        /// Why it may not be used, whatever the usage.
        denial: Option<DenialReason> => ["suspended"],
        /// Until when the right holds, if it ends.
        valid_until: Option<OffsetDateTime>,
        /// Configuration for this customer.
        config: Option<Document>,
    }
    relationships {
        customer: "customer" one "whose usage it is",
        feature: "feature" one "what is used",
        usage_events: "usage event" many "the ledger that it sums up",
        entitlements: "entitlement" many "what it may go up to",
    }
    events { rolled_over, reconciled }
}

impl MeterId {
    /// The id of a customer's meter of a feature: derived, so that it is found without a search.
    #[must_use]
    pub fn of(customer: CustomerId, feature: &Code) -> Self {
        Self::from(Uuid::new_v5(&customer.uuid(), feature.as_str().as_bytes()))
    }
}

impl Meter {
    /// A meter that has counted nothing and has no window yet.
    pub(crate) fn new(customer_id: CustomerId, feature_code: Code, now: OffsetDateTime) -> Self {
        Self {
            id: MeterId::of(customer_id, &feature_code),
            customer_id,
            feature_code,
            used: Quantity::ZERO,
            held: Quantity::ZERO,
            limit: None,
            ceiling: None,
            over: Quantity::ZERO,
            included: Quantity::ZERO,
            window_start: now,
            window_end: None,
            reset_at: None,
            opens: false,
            has_pages: false,
            has_singles: false,
            steady_since: now,
            fresh_until: None,
            denial: None,
            valid_until: None,
            config: None,
        }
    }

    /// Whether what the row says of limit, validity and window still holds at `now`.
    #[must_use]
    pub fn is_fresh(&self, now: OffsetDateTime) -> bool {
        self.fresh_until.is_none_or(|until| now < until)
    }

    /// This meter, with the right that `allowance` gives.
    pub(crate) fn judged_by(&self, allowance: &Allowance) -> Self {
        let &Allowance { denial, limit, included, .. } = allowance;
        let (ceiling, held, over) = (limit, Quantity::ZERO, Quantity::ZERO);
        Self { held, limit, ceiling, over, included, denial, ..self.clone() }
    }

    /// The window over which the limit counts.
    #[must_use]
    pub const fn window(&self) -> Window {
        Window { start: self.window_start, end: self.window_end }
    }

    /// How high usage may go, what is set aside left out; none for as high as it likes.
    pub(crate) fn free_ceiling(&self) -> Option<Quantity> {
        self.ceiling.map(|ceiling| ceiling.beyond(self.held))
    }

    /// What is left by the tightest limit, never negative; none for any amount.
    #[must_use]
    pub fn remaining(&self) -> Option<Quantity> {
        self.free_ceiling().map(|ceiling| ceiling.beyond(self.used))
    }

    /// How high usage may go in view of what the feature allows beyond limits.
    pub(crate) fn reach(&self, overage: Overage) -> Option<Quantity> {
        let ceiling = self.free_ceiling()?;
        match (overage, self.limit) {
            (Overage::Allow, _) => None,
            (Overage::Grace(_), Some(limit)) => {
                let grace = overage.ceiling(limit).map_or(Quantity::MAX, |up| up.beyond(limit));
                ceiling.checked_add(grace.beyond(self.over))
            }
            _ => Some(ceiling),
        }
    }

    /// May `quantity` more be used?
    #[must_use]
    pub fn access(&self, feature: &Feature, quantity: Quantity) -> Access {
        let disabled = (!feature.is_active).then_some(DenialReason::Disabled);
        let right = self.denial.or(disabled);
        let full = !self.has_room(feature.overage, quantity);
        let reason = right.or(full.then_some(DenialReason::LimitReached));
        let config = self.config.as_ref().unwrap_or(&feature.config_schema);
        Access {
            feature_code: feature.code.as_str().to_owned(),
            feature_name: feature.name.as_str().to_owned(),
            is_enabled: right.is_none(),
            can_use: reason.is_none(),
            has_quantity: self.limit.is_some(),
            current_usage: self.used,
            quantity_limit: self.limit,
            included_quantity: self.included,
            remaining: self.remaining(),
            config: config.clone(),
            valid_until: self.valid_until,
            reset_at: self.reset_at,
            reason,
            remedy: reason.and_then(|reason| self.remedy(reason, quantity)),
            window: Some(self.window()),
        }
    }

    /// Whether `quantity` more stays below what the limit and the overage allow.
    #[must_use]
    pub fn has_room(&self, overage: Overage, quantity: Quantity) -> bool {
        let Some(ceiling) = self.reach(overage) else { return true };
        match overage {
            // Takes what fits, so there must be room for something.
            Overage::Clamp => self.used < ceiling,
            _ => self.used.checked_add(quantity).is_some_and(|after| after <= ceiling),
        }
    }

    /// What would help against `reason`.
    pub(crate) fn remedy(&self, reason: DenialReason, quantity: Quantity) -> Option<Remedy> {
        match (reason, self.reset_at, self.free_ceiling()) {
            // Waiting helps only if the whole quantity fits into an empty window.
            (DenialReason::LimitReached, end, Some(ceiling))
                if end.is_none() || self.limit.is_some_and(|limit| quantity > limit) =>
            {
                let wanted = self.used.checked_add(quantity)?;
                Some(Remedy::RaiseLimit { by: wanted.beyond(ceiling) })
            }
            (DenialReason::NotYetValid, ..) => reason.remedy(self.fresh_until),
            (_, end, _) => reason.remedy(end),
        }
    }
}

/// A window that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Its first instant.
    pub start: OffsetDateTime,
    /// The first instant after it.
    pub end: OffsetDateTime,
    /// What was used in it.
    pub used: Quantity,
    /// What of the unused quantity was carried on into the next.
    pub carried_on: Quantity,
}

//! The meter: everything that a check needs of one feature of one customer, in one row.

use super::access::{Access, DenialReason, Remedy};
use super::allowance::Allowance;
use super::customer::CustomerId;
use super::document::Document;
use super::entitlement::Window;
use super::feature::{Feature, Overage};
use super::quantity::Quantity;
use super::text::Code;
use crate::record::{id, noun};
use time::{Duration, OffsetDateTime};
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
        /// The limit of the window; none for any amount.
        limit: Option<Quantity> => ["1000"],
        /// What the base fee includes.
        included: Quantity => ["500"],
        /// The start of the current window.
        window_start: OffsetDateTime,
        /// Its end, exclusive, if it ends.
        window_end: Option<OffsetDateTime>,
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

/// By how much a reset moves at the most when the customer moves to another time zone. One that
/// would come later follows from another anchor, and does not take back the reset that was promised.
const ZONE_SHIFT_MAX: Duration = Duration::hours(26);

impl MeterId {
    /// The id of a customer's meter of a feature: derived, so that it is found without a search.
    #[must_use]
    pub fn of(customer: CustomerId, feature: &Code) -> Self {
        Self::from(Uuid::new_v5(&customer.uuid(), feature.as_str().as_bytes()))
    }
}

impl Meter {
    /// A meter that has counted nothing.
    pub(crate) fn new(
        customer_id: CustomerId,
        feature_code: Code,
        allowance: Allowance,
        now: OffsetDateTime,
    ) -> Self {
        let mut meter = Self {
            id: MeterId::of(customer_id, &feature_code),
            customer_id,
            feature_code,
            used: Quantity::ZERO,
            limit: None,
            included: Quantity::ZERO,
            window_start: allowance.window.map_or(now, |window| window.start),
            window_end: None,
            fresh_until: None,
            denial: None,
            valid_until: None,
            config: None,
        };
        meter.take(allowance);
        meter
    }

    /// Whether what the row says of limit, validity and window still holds at `now`.
    #[must_use]
    pub fn is_fresh(&self, now: OffsetDateTime) -> bool {
        self.fresh_until.is_none_or(|until| now < until)
    }

    /// Takes over what the entitlements amount to and moves to the window at `now`. Returns the
    /// window that ended, with its usage, if one did.
    ///
    /// A running window keeps its start and its usage, whatever its end becomes: a change of tier
    /// or of the reset period never gives back or takes away what was used. `now` must not lie
    /// before the window, so that a clock that was set back cannot reset it twice.
    pub(crate) fn settle(&mut self, allowance: Allowance, now: OffsetDateTime) -> Option<Closed> {
        let ended = self.window_end.filter(|end| *end <= now);
        let closed = ended.map(|end| Closed { start: self.window_start, end, used: self.used });
        if let Some(end) = ended {
            self.used = Quantity::ZERO;
            self.window_start = allowance.window.map_or(end, |window| window.start.max(end));
            self.window_end = None;
        }
        self.take(allowance);
        closed
    }

    fn take(&mut self, allowance: Allowance) {
        self.limit = allowance.limit;
        self.included = allowance.included;
        // Without a usable entitlement the window that was running runs on.
        if let Some(window) = allowance.window {
            self.window_end = match (self.window_end, window.end) {
                (Some(promised), Some(end)) if end > promised.saturating_add(ZONE_SHIFT_MAX) => {
                    Some(promised)
                }
                (_, end) => end,
            };
        }
        self.fresh_until = [allowance.fresh_until, self.window_end].into_iter().flatten().min();
        self.denial = allowance.denial;
        self.valid_until = allowance.valid_until;
        self.config = Some(allowance.config).filter(|config| !config.is_empty());
    }

    /// This meter, with the right that `allowance` gives.
    pub(crate) fn judged_by(&self, allowance: &Allowance) -> Self {
        let &Allowance { denial, limit, included, .. } = allowance;
        Self { limit, included, denial, ..self.clone() }
    }

    /// The window over which the limit counts.
    #[must_use]
    pub const fn window(&self) -> Window {
        Window { start: self.window_start, end: self.window_end }
    }

    /// What is left of `limit`, never negative.
    #[must_use]
    pub fn remaining(&self) -> Option<Quantity> {
        self.limit.map(|limit| limit.beyond(self.used))
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
            reset_at: self.window_end,
            reason,
            remedy: reason.and_then(|reason| self.remedy(reason, quantity)),
            window: Some(self.window()),
        }
    }

    /// Whether `quantity` more stays below what the limit and the overage allow.
    #[must_use]
    pub fn has_room(&self, overage: Overage, quantity: Quantity) -> bool {
        let Some(ceiling) = self.limit.and_then(|limit| overage.ceiling(limit)) else {
            return true;
        };
        match overage {
            // Takes what fits, so there must be room for something.
            Overage::Clamp => self.used < ceiling,
            _ => self.used.checked_add(quantity).is_some_and(|after| after <= ceiling),
        }
    }

    /// What would help against `reason`.
    pub(crate) fn remedy(&self, reason: DenialReason, quantity: Quantity) -> Option<Remedy> {
        match (reason, self.window_end, self.limit) {
            // Waiting helps only if the whole quantity fits into an empty window.
            (DenialReason::LimitReached, end, Some(limit)) if end.is_none() || quantity > limit => {
                let wanted = self.used.checked_add(quantity)?;
                Some(Remedy::RaiseLimit { by: wanted.beyond(limit) })
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
}

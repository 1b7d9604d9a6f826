//! Entitlements: a customer's right to a feature, where it came from and how far it goes.

use super::calendar::ResetPeriod;
use super::customer::CustomerId;
use super::document::Document;
use super::draft::Change;
use super::feature::FeatureKind;
use super::quantity::Quantity;
use super::recurrence::Recurrence;
use super::tally::Tally;
use super::text::{Code, Name, Note};
use super::window::{LimitWindow, Rollover, Window};
use super::zone::TimeZone;
use crate::error::Faults;
use crate::record::{id, noun, words};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies an entitlement.
    EntitlementId;
}

words! {
    /// Where a right comes from.
    pub enum EntitlementSource {
        /// From the tier, without a subscription.
        Plan = "plan",
        /// From a subscription's tier.
        Subscription = "subscription",
        /// Bought on top; adds to the others.
        Addon = "addon",
        /// From a trial; adds to the others.
        Trial = "trial",
        /// A present; adds to the others.
        Promotion = "promotion",
        /// Set by hand; a tier never touches it.
        Manual = "manual",
        /// Granted by a program of the host's; adds to the others.
        Api = "api",
    }
}

impl EntitlementSource {
    /// Whether it adds to what the customer has of the feature. The others are the *base*, of which
    /// there is one for each feature.
    #[must_use]
    pub const fn is_additional(self) -> bool {
        matches!(self, Self::Addon | Self::Trial | Self::Promotion | Self::Api)
    }
}

words! {
    /// Where a right stands.
    pub enum EntitlementStatus {
        /// It can be used.
        Active = "active",
        /// Consumption reached the limit; computed, never stored.
        Exhausted = "exhausted",
        /// Its time is over.
        Expired = "expired",
        /// Stopped for now.
        Suspended = "suspended",
        /// Taken away.
        Revoked = "revoked",
    }
}

noun! {
    /// A customer's right to a feature. The base comes from the tier or was set by hand; others add
    /// to it.
    pub struct Entitlement(EntitlementId), "entitlement", "entitlements", "catalogue" {
        /// Identifies the entitlement; the base one follows from customer and feature.
        id: EntitlementId,
        /// Whose right it is.
        customer_id: CustomerId,
        /// What it is a right to.
        feature_code: Code => ["ai_credits"],
        /// What people call it.
        name: Name => ["AI credits"],
        /// What it is for.
        description: Option<Note>,
        /// What sort of thing it is.
        kind: FeatureKind => ["quota"],
        /// Whether it is switched on.
        is_enabled: bool => ["true"],
        /// Configuration for this customer.
        config: Document => ["{\"maxFileMb\":100}"],
        /// How much can be used in one period; none for any amount.
        limit: Option<Quantity> => ["1000"],
        /// How much of that is included in what the customer pays anyway.
        included_quantity: Quantity => ["500"],
        /// How often usage starts again from zero.
        reset_period: ResetPeriod => ["monthly"],
        /// The instant from which all periods are computed.
        anchor: OffsetDateTime,
        /// Where the periods' days begin.
        time_zone: TimeZone => ["UTC"],
        /// What of the unused quantity is carried into the next period.
        rollover: Option<Rollover>,
        /// Further limits that count over windows of their own: all must leave room.
        windows: Vec<LimitWindow>,
        /// Where it comes from.
        source: EntitlementSource => ["subscription"],
        /// The subscription, order or campaign that it comes from.
        source_id: Option<Uuid>,
        /// From when it holds, if not from the beginning.
        valid_from: Option<OffsetDateTime>,
        /// Until when it holds, exclusive, if not for ever.
        valid_until: Option<OffsetDateTime>,
        /// What is used first: the lower number.
        priority: i64 => ["100"],
        /// Where it stands.
        status: EntitlementStatus => ["active"],
        /// What was used of it in the current period, as its meter was last settled.
        used_amount: Quantity => ["420"],
        /// What is left of it by its tightest limit; none for any amount.
        remaining_amount: Option<Quantity> => ["580"],
        /// When the current period began.
        last_reset_at: Option<OffsetDateTime>,
        /// When usage of it next starts again from zero, if it does.
        reset_at: Option<OffsetDateTime>,
        /// What was used of each of its limits: the period's first, then those of `windows`.
        tallies: Vec<Tally>,
        /// Whether it is among those that consumption is taken from.
        in_use: bool => ["true"],
        /// Whether something is left of it.
        has_room: bool => ["true"],
        /// Its place in the order in which consumption is taken from entitlements, if it is.
        turn: Option<String>,
        /// When any of this is next different although nothing was changed, if ever.
        next_change: Option<OffsetDateTime>,
        /// When it was granted.
        created_at: OffsetDateTime,
        /// When it last changed.
        updated_at: OffsetDateTime,
    }
    relationships {
        customer: "customer" one "whose right it is",
        feature: "feature" one "what it is a right to",
        subscription: "subscription" one "the subscription that it follows from",
        plan: "tier" one "the tier that gives it",
        meter: "meter" one "what was used of it",
    }
    actions {
        grant => granted, update => updated, consume => consumed, reset => reset,
        suspend => suspended, resume => resumed, revoke => revoked,
    }
    events { exhausted, expired, threshold_reached }
}

/// The priority of an entitlement that does not say its own.
pub const PRIORITY_DEFAULT: i64 = 100;

impl EntitlementId {
    /// The id of a customer's base right to a feature: derived, so that there is one.
    #[must_use]
    pub fn base(customer: CustomerId, feature: &Code) -> Self {
        Self::from(Uuid::new_v5(&customer.uuid(), format!("base\0{feature}").as_bytes()))
    }
}

impl Entitlement {
    /// Whether it can be used at `now`: on, active, and within its validity.
    #[must_use]
    pub fn is_usable(&self, now: OffsetDateTime) -> bool {
        self.is_enabled
            && self.status == EntitlementStatus::Active
            && self.valid_from.is_none_or(|from| from <= now)
            && self.valid_until.is_none_or(|until| now < until)
    }

    /// When it next begins or ends to be valid after `now`, if ever.
    #[must_use]
    pub fn next_validity(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        [self.valid_from, self.valid_until].into_iter().flatten().filter(|at| *at > now).min()
    }

    /// The period at `now` over which its limit counts; none when it is out of the calendar.
    #[must_use]
    pub fn period(&self, now: OffsetDateTime) -> Option<Window> {
        match self.reset_period.cycle() {
            None => Some(Window { start: self.anchor.min(now), end: None }),
            Some(cycle) => {
                let resets = Recurrence::new(self.anchor, cycle, self.time_zone.clone()).ok()?;
                let period = resets.period_containing(now)?;
                Some(Window { start: period.start(), end: Some(period.end()) })
            }
        }
    }
}

/// What a caller wants of a customer's access to a feature. What is not named stays as it is.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AccessPatch {
    /// On or off.
    pub is_enabled: Option<bool>,
    /// The limit; [`Change::Clear`] for none (in JSON: null).
    #[serde(alias = "quantityLimit", alias = "maxQuantity")]
    pub limit: Change<Quantity>,
    /// The included quantity.
    pub included_quantity: Option<Quantity>,
    /// How often usage starts again from zero.
    pub reset_period: Option<ResetPeriod>,
    /// What of an unused quantity is carried into the next period; [`Change::Clear`] for nothing.
    pub rollover: Change<Rollover>,
    /// All further limits, over windows of their own.
    pub windows: Option<Vec<LimitWindow>>,
    /// Configuration, merged key by key; a null removes a key.
    pub config: Option<Document>,
    /// From when it holds; [`Change::Clear`] for the beginning.
    pub valid_from: Change<super::customer::Moment>,
    /// Until when it holds; [`Change::Clear`] for ever.
    pub valid_until: Change<super::customer::Moment>,
}

impl AccessPatch {
    /// A patch that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// On or off.
    #[must_use]
    pub const fn enabled(mut self, enabled: bool) -> Self {
        self.is_enabled = Some(enabled);
        self
    }

    /// With this limit, or none.
    #[must_use]
    pub fn limit(mut self, limit: impl Into<Change<Quantity>>) -> Self {
        self.limit = limit.into();
        self
    }

    /// With this included quantity.
    #[must_use]
    pub fn included(mut self, quantity: impl Into<Quantity>) -> Self {
        self.included_quantity = Some(quantity.into());
        self
    }

    /// Starting again from zero this often.
    #[must_use]
    pub const fn resets(mut self, period: ResetPeriod) -> Self {
        self.reset_period = Some(period);
        self
    }

    /// Carrying what is left of a period into the next, or nothing.
    #[must_use]
    pub fn rollover(mut self, rollover: impl Into<Change<Rollover>>) -> Self {
        self.rollover = rollover.into();
        self
    }

    /// With a further limit, over windows of its own; together they replace those that there were.
    #[must_use]
    pub fn window(mut self, window: LimitWindow) -> Self {
        self.windows.get_or_insert_default().push(window);
        self
    }

    /// With these keys of the configuration set; a null removes one.
    #[must_use]
    pub fn config(mut self, config: Document) -> Self {
        self.config = Some(config);
        self
    }

    /// From when it holds, or from the beginning.
    #[must_use]
    pub fn valid_from(mut self, at: Option<OffsetDateTime>) -> Self {
        self.valid_from = at.map(super::customer::Moment).into();
        self
    }

    /// Until when it holds, or for ever.
    #[must_use]
    pub fn valid_until(mut self, at: Option<OffsetDateTime>) -> Self {
        self.valid_until = at.map(super::customer::Moment).into();
        self
    }

    pub(crate) fn apply(&self, to: &mut Entitlement, faults: &mut Faults) {
        use super::customer::Moment;
        if let Some(enabled) = self.is_enabled {
            to.is_enabled = enabled;
        }
        super::draft::replace(&self.limit, &mut to.limit);
        if let Some(included) = self.included_quantity {
            to.included_quantity = included;
        }
        if let Some(period) = self.reset_period {
            to.reset_period = period;
        }
        super::draft::replace(&self.rollover, &mut to.rollover);
        if let Some(windows) = &self.windows {
            to.windows.clone_from(windows);
        }
        if let Some(config) = &self.config
            && let Some(merged) = faults.note("config", to.config.merged(config))
        {
            to.config = merged;
        }
        for (change, target) in
            [(&self.valid_from, &mut to.valid_from), (&self.valid_until, &mut to.valid_until)]
        {
            match change {
                Change::Keep => {}
                Change::Clear => *target = None,
                Change::Set(Moment(at)) => *target = Some(super::instant::utc(*at)),
            }
        }
        to.check(faults);
    }
}

impl Entitlement {
    /// Notes what cannot be of quantities and validity.
    pub(crate) fn check(&self, faults: &mut Faults) {
        let quantities = [
            ("limit", self.limit.unwrap_or_default()),
            ("includedQuantity", self.included_quantity),
        ];
        for (field, quantity) in quantities {
            if quantity.is_negative() {
                faults.add(field, &quantity.to_string(), "must not be negative");
            }
        }
        if let Some(Rollover { max, min }) = self.rollover
            && (min.is_negative() || max < min)
        {
            faults.add("rollover", &max.to_string(), "needs 0 ≤ min ≤ max");
        }
        super::window::check_all("windows", &self.windows, faults);
        for (field, at) in [("validFrom", self.valid_from), ("validUntil", self.valid_until)] {
            if let Some(at) = at {
                super::instant::check_year(field, at, faults);
            }
        }
        if let (Some(from), Some(until)) = (self.valid_from, self.valid_until)
            && from >= until
        {
            faults.add("validUntil", &until.to_string(), "must be after validFrom");
        }
    }
}

/// A right to be granted on top of what the customer has.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NewGrant {
    /// The feature's code.
    pub feature: String,
    /// Where it comes from; an additional source, `promotion` unless told otherwise.
    pub source: EntitlementSource,
    /// What it adds to the limit; none lifts the limit.
    pub limit: Option<Quantity>,
    /// What it adds to the included quantity.
    pub included_quantity: Quantity,
    /// From when it holds.
    pub valid_from: Option<OffsetDateTime>,
    /// Until when it holds.
    pub valid_until: Option<OffsetDateTime>,
    /// What is used first: the lower number.
    pub priority: i64,
    /// The order or campaign that it comes from.
    pub source_id: Option<Uuid>,
    /// How often it is there anew; unless told otherwise as often as the right that it adds to.
    pub reset_period: Option<ResetPeriod>,
    /// What of an unused quantity is carried into the next period.
    pub rollover: Option<Rollover>,
    /// Further limits, over windows of their own.
    pub windows: Vec<LimitWindow>,
    /// What makes a retry recognisable: the same key is the same grant.
    pub key: Option<String>,
}

impl NewGrant {
    /// A promotion that lifts the limit of a feature by `quantity`.
    #[must_use]
    pub fn of(feature: impl Into<String>, quantity: impl Into<Quantity>) -> Self {
        Self {
            feature: feature.into(),
            source: EntitlementSource::Promotion,
            limit: Some(quantity.into()),
            included_quantity: Quantity::ZERO,
            valid_from: None,
            valid_until: None,
            priority: PRIORITY_DEFAULT,
            source_id: None,
            reset_period: None,
            rollover: None,
            windows: Vec::new(),
            key: None,
        }
    }

    /// A quantity that is there once, until it is used up: a top-up.
    #[must_use]
    pub fn once(feature: impl Into<String>, quantity: impl Into<Quantity>) -> Self {
        Self::of(feature, quantity).resets(ResetPeriod::Never)
    }

    /// There anew this often, counted from the anchor of the right that it adds to, or else from the
    /// grant.
    #[must_use]
    pub const fn resets(mut self, period: ResetPeriod) -> Self {
        self.reset_period = Some(period);
        self
    }

    /// Carrying what is left of a period into the next.
    #[must_use]
    pub const fn rollover(mut self, rollover: Rollover) -> Self {
        self.rollover = Some(rollover);
        self
    }

    /// With a further limit, over windows of its own.
    #[must_use]
    pub fn window(mut self, window: LimitWindow) -> Self {
        self.windows.push(window);
        self
    }

    /// Where it comes from.
    #[must_use]
    pub const fn source(mut self, source: EntitlementSource) -> Self {
        self.source = source;
        self
    }

    /// Lifting the limit altogether.
    #[must_use]
    pub const fn unlimited(mut self) -> Self {
        self.limit = None;
        self
    }

    /// With so much on top of what is included.
    #[must_use]
    pub fn included(mut self, quantity: impl Into<Quantity>) -> Self {
        self.included_quantity = quantity.into();
        self
    }

    /// What is used first: the lower number.
    #[must_use]
    pub const fn priority(mut self, priority: i64) -> Self {
        self.priority = priority;
        self
    }

    /// Until when it holds.
    #[must_use]
    pub const fn valid_until(mut self, at: OffsetDateTime) -> Self {
        self.valid_until = Some(at);
        self
    }

    /// From when it holds.
    #[must_use]
    pub const fn valid_from(mut self, at: OffsetDateTime) -> Self {
        self.valid_from = Some(at);
        self
    }

    /// With a key that makes a retry recognisable.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

//! Tiers: what a customer gets for what it pays.

use super::calendar::ResetPeriod;
use super::document::Document;
use super::money::Money;
use super::quantity::Quantity;
use super::subscription::BillingCycle;
use super::text::{Code, ExternalId, Malformed, Name, Note};
use super::window::{LimitWindow, Rollover};
use crate::error::Faults;
use crate::record::{id, noun};
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies one version of a tier.
    TierId;
}

/// What a tier costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fee {
    /// The amount for one interval and one seat.
    pub amount: Money,
    /// How often it is due.
    pub interval: BillingCycle,
    /// The price that stands for it at Stripe.
    #[serde(default)]
    pub stripe_price_id: Option<ExternalId>,
}

/// What a tier gives of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct TierFeature {
    /// The feature's code.
    pub code: Code,
    /// Whether it can be used.
    #[serde(default = "yes")]
    pub is_enabled: bool,
    /// How much is included in the base fee.
    #[serde(default)]
    pub included_quantity: Quantity,
    /// How much can be used in one period; none for any amount.
    #[serde(default, alias = "limit", alias = "max_quantity", alias = "maxQuantity")]
    pub quantity_limit: Option<Quantity>,
    /// How often usage starts again from zero.
    #[serde(default = "never")]
    pub reset_period: ResetPeriod,
    /// What of the unused quantity is carried into the next period.
    #[serde(default)]
    pub rollover: Option<Rollover>,
    /// Further limits that count over windows of their own: all must leave room.
    #[serde(default)]
    pub windows: Vec<LimitWindow>,
    /// Configuration of the feature in this tier.
    #[serde(default)]
    pub config: Document,
    /// The price that stands for its usage at Stripe.
    #[serde(default)]
    pub stripe_price_id: Option<ExternalId>,
}

const fn yes() -> bool {
    true
}

const fn never() -> ResetPeriod {
    ResetPeriod::Never
}

json_field!(Fee, Vec<TierFeature>, Vec<TierOverride>);

impl TierFeature {
    /// A feature that is on, without a limit.
    ///
    /// # Errors
    ///
    /// When `code` is not a [`Code`].
    pub fn new(code: &str) -> Result<Self, Malformed> {
        Ok(Self {
            code: Code::parse(code)?,
            is_enabled: true,
            included_quantity: Quantity::ZERO,
            quantity_limit: None,
            reset_period: ResetPeriod::Never,
            rollover: None,
            windows: Vec::new(),
            config: Document::new(),
            stripe_price_id: None,
        })
    }

    /// With a limit for each period.
    #[must_use]
    pub fn limit(mut self, limit: impl Into<Quantity>, reset_period: ResetPeriod) -> Self {
        self.quantity_limit = Some(limit.into());
        self.reset_period = reset_period;
        self
    }

    /// With a quantity that the base fee includes.
    #[must_use]
    pub fn included(mut self, quantity: impl Into<Quantity>) -> Self {
        self.included_quantity = quantity.into();
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

    /// With a configuration.
    #[must_use]
    pub fn config(mut self, config: Document) -> Self {
        self.config = config;
        self
    }

    /// Off: listed, but not to be used.
    #[must_use]
    pub const fn disabled(mut self) -> Self {
        self.is_enabled = false;
        self
    }
}

noun! {
    /// One version of what a customer gets for what it pays. Customers keep the version that they
    /// were given until they are migrated.
    pub struct Tier(TierId), "tier", "tiers", "catalogue" {
        /// Identifies this version of the tier; follows from code and version.
        id: TierId,
        /// What programs call the tier, the same in all its versions.
        code: Code => ["pro"],
        /// The version, from 1.
        version: u32 => ["1"],
        /// What people call it.
        name: Name => ["Pro"],
        /// What it is for.
        description: Option<Note>,
        /// Whether it can be bought.
        is_active: bool => ["true"],
        /// Where it stands in a list.
        display_order: i64 => ["2"],
        /// Where it stands in the hierarchy: a higher rank is an upgrade.
        rank: i64 => ["40"],
        /// What it costs.
        base_fee: Option<Fee>,
        /// What it gives.
        features: Vec<TierFeature>,
        /// How long it can be tried, in days.
        trial_days: u32 => ["14"],
        /// When this version was defined.
        created_at: OffsetDateTime,
    }
    relationships {
        features: "feature" many "what it gives",
        subscriptions: "subscription" many "who has it",
    }
    actions { define => defined }
}

impl TierId {
    /// The id of a version of a tier: derived, so that it is found without a search.
    #[must_use]
    pub fn of(code: &Code, version: u32) -> Self {
        const SPACE: Uuid = Uuid::from_u128(0x1d5e_7001_5c3f_4f0a_9d3e_2f61_0c1b_a006);
        Self::from(Uuid::new_v5(&SPACE, format!("{code}#{version}").as_bytes()))
    }
}

impl Tier {
    /// The prices at Stripe that stand for the tier: the base fee's first, then the features'.
    #[must_use]
    pub fn stripe_price_ids(&self) -> Vec<&ExternalId> {
        let base = self.base_fee.as_ref().and_then(|fee| fee.stripe_price_id.as_ref());
        let features = self.features.iter().filter_map(|it| it.stripe_price_id.as_ref());
        base.into_iter().chain(features).collect()
    }

    /// What it gives of a feature.
    #[must_use]
    pub fn feature(&self, code: &Code) -> Option<&TierFeature> {
        self.features.iter().find(|feature| feature.code == *code)
    }
}

/// The ranks of the tiers that every host knows, free to be changed by defining them otherwise.
pub const RANKS: &[(&str, i64)] = &[
    ("free", 0),
    ("starter", 10),
    ("basic", 20),
    ("growth", 30),
    ("pro", 40),
    ("premium", 50),
    ("enterprise", 60),
];

/// The rank that everybody knows of a tier, 0 for any other.
pub(crate) fn known_rank(code: &str) -> i64 {
    RANKS.iter().find(|(known, _)| *known == code).map_or(0, |(_, rank)| *rank)
}

/// A tier to be defined, as a new version.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct TierDraft {
    /// See [`Tier::code`].
    pub code: String,
    /// See [`Tier::name`]; the code unless told otherwise.
    #[serde(default)]
    pub name: Option<String>,
    /// See [`Tier::description`].
    #[serde(default)]
    pub description: Option<String>,
    /// See [`Tier::is_active`].
    #[serde(default = "yes")]
    pub is_active: bool,
    /// See [`Tier::display_order`]; the rank unless told otherwise.
    #[serde(default)]
    pub display_order: Option<i64>,
    /// See [`Tier::rank`]; that of [`RANKS`] unless told otherwise, else 0.
    #[serde(default)]
    pub rank: Option<i64>,
    /// See [`Tier::base_fee`].
    #[serde(default)]
    pub base_fee: Option<Fee>,
    /// See [`Tier::features`].
    #[serde(default)]
    pub features: Vec<TierFeature>,
    /// See [`Tier::trial_days`].
    #[serde(default)]
    pub trial_days: u32,
}

impl TierDraft {
    /// A tier that gives nothing yet. Its rank is that of [`RANKS`] (free 0, starter 10, basic 20,
    /// growth 30, pro 40, premium 50, enterprise 60) or 0: a tier of another name needs a
    /// [`rank`](Self::rank) to be an upgrade of anything.
    #[must_use]
    pub fn new(code: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            name: None,
            description: None,
            is_active: true,
            display_order: None,
            rank: None,
            base_fee: None,
            features: Vec::new(),
            trial_days: 0,
        }
    }

    /// What people call it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where it stands in the hierarchy.
    #[must_use]
    pub const fn rank(mut self, rank: i64) -> Self {
        self.rank = Some(rank);
        self
    }

    /// What it costs for each interval and seat.
    #[must_use]
    pub fn fee(mut self, amount: Money, interval: BillingCycle) -> Self {
        self.base_fee = Some(Fee { amount, interval, stripe_price_id: None });
        self
    }

    /// The price that stands for it at Stripe; it needs a fee.
    #[must_use]
    pub fn stripe_price(mut self, price: ExternalId) -> Self {
        if let Some(fee) = &mut self.base_fee {
            fee.stripe_price_id = Some(price);
        }
        self
    }

    /// One more feature that it gives.
    #[must_use]
    pub fn feature(mut self, feature: TierFeature) -> Self {
        self.features.push(feature);
        self
    }

    /// How many days it can be tried.
    #[must_use]
    pub const fn trial_days(mut self, days: u32) -> Self {
        self.trial_days = days;
        self
    }

    /// The tier as its next version.
    pub(crate) fn check(&self, version: u32, now: OffsetDateTime) -> Result<Tier, Faults> {
        let mut faults = Faults::default();
        let code = faults.note("code", Code::parse(&self.code));
        let name = faults.note("name", Name::parse(self.name.as_deref().unwrap_or(&self.code)));
        let description =
            self.description.as_deref().and_then(|it| faults.note("description", Note::parse(it)));
        for (place, feature) in self.features.iter().enumerate() {
            let path = format!("features[{place}]");
            let earlier = self.features.iter().take(place);
            if earlier.clone().any(|other| other.code == feature.code) {
                faults.add(format!("{path}.code"), feature.code.as_str(), "must be listed once");
            }
            check_feature(feature, &path, &mut faults);
        }
        if let Some(fee) = self.base_fee.as_ref().filter(|fee| fee.amount.amount < 0) {
            faults.add("baseFee.amount", &fee.amount.to_string(), "must not be negative");
        }
        let rank = self.rank.unwrap_or_else(|| known_rank(&self.code));
        match (code, name) {
            (Some(code), Some(name)) if faults.0.is_empty() => Ok(Tier {
                id: TierId::of(&code, version),
                code,
                version,
                name,
                description,
                is_active: self.is_active,
                display_order: self.display_order.unwrap_or(rank),
                rank,
                base_fee: self.base_fee.clone(),
                features: self.features.clone(),
                trial_days: self.trial_days,
                created_at: now,
            }),
            _ => Err(faults),
        }
    }
}

fn check_feature(feature: &TierFeature, path: &str, faults: &mut Faults) {
    let mut not_negative = |field: &str, quantity: Quantity| {
        if quantity.is_negative() {
            faults.add(format!("{path}.{field}"), &quantity.to_string(), "must not be negative");
        }
    };
    not_negative("includedQuantity", feature.included_quantity);
    not_negative("quantityLimit", feature.quantity_limit.unwrap_or_default());
    if let Some(rollover) = feature.rollover {
        not_negative("rollover.min", rollover.min);
        not_negative("rollover.max", rollover.max);
        if rollover.max < rollover.min {
            let (field, max) = (format!("{path}.rollover"), rollover.max.to_string());
            faults.add(field, &max, "needs 0 ≤ min ≤ max");
        }
    }
    super::window::check_all(&format!("{path}.windows"), &feature.windows, faults);
}

/// A change that an override makes to what a tier gives of one feature.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TierOverride {
    /// The feature's code.
    pub feature: String,
    /// Another included quantity.
    pub included_quantity: Option<Quantity>,
    /// Another limit; [`Change::Clear`](super::draft::Change) for none.
    #[serde(alias = "maxQuantity", alias = "quantityLimit")]
    #[serde(skip_serializing_if = "super::draft::Change::is_keep")]
    pub limit: super::draft::Change<Quantity>,
    /// On or off.
    pub is_enabled: Option<bool>,
    /// Configuration, merged key by key.
    pub config: Option<Document>,
}

impl TierOverride {
    /// What the tier gives, overridden.
    pub(crate) fn apply(&self, to: &mut TierFeature, faults: &mut Faults) {
        let path = format!("overrides.{}", to.code);
        if let Some(included) = self.included_quantity {
            to.included_quantity = included;
        }
        super::draft::replace(&self.limit, &mut to.quantity_limit);
        if let Some(enabled) = self.is_enabled {
            to.is_enabled = enabled;
        }
        if let Some(config) = &self.config
            && let Some(merged) = faults.note(&path, to.config.merged(config))
        {
            to.config = merged;
        }
        check_feature(to, &path, faults);
    }
}

//! Features: what the catalogue offers, whatever the tier.

use super::document::Document;
use super::draft::{Change, draft, replace_or_default};
use super::link::ProductId;
use super::quantity::Quantity;
use super::text::{Code, Line, Name, Note};
use crate::error::Faults;
use crate::record::{id, noun, words};
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies a feature.
    FeatureId;
}

words! {
    /// What sort of thing a feature is.
    pub enum FeatureKind {
        /// A capability that is on or off.
        Feature = "feature",
        /// Something counted against a limit.
        Quota = "quota",
        /// Access to a place or a resource.
        Access = "access",
        /// A capability with configuration.
        Capability = "capability",
        /// Something bought on top.
        Addon = "addon",
    }
}

words! {
    /// What the usage of a feature measures.
    pub enum Measure {
        /// Consumption over a window: requests, credits.
        Flow = "flow",
        /// What exists now: seats, projects.
        Level = "level",
    }
}

/// What happens to usage beyond the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overage {
    /// It is refused.
    #[default]
    Reject,
    /// It is counted, and billable.
    Allow,
    /// It is counted up to this much beyond the limit, then refused.
    Grace(Grace),
    /// What fits is counted, the rest is not.
    Clamp,
}

/// How far beyond a limit usage may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grace {
    /// By a quantity.
    Quantity(Quantity),
    /// By a percentage of the limit, in whole percent.
    Percent(u32),
}

/// What becomes of usage that exceeds what a smaller tier allows. tenure deletes nothing: it tells
/// the host, who acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Excess {
    /// What there is stays usable, nothing new is allowed.
    #[default]
    BlockNew,
    /// Everything stays usable for so many days.
    GraceDays(u32),
    /// What there is can be read but not changed.
    ReadOnly,
}

json_field!(Overage, Excess);

impl Overage {
    /// How high usage may go under `limit`; none for as high as it likes.
    #[must_use]
    pub fn ceiling(self, limit: Quantity) -> Option<Quantity> {
        match self {
            Self::Allow => None,
            Self::Reject | Self::Clamp => Some(limit),
            Self::Grace(Grace::Quantity(beyond)) => limit.checked_add(beyond),
            Self::Grace(Grace::Percent(percent)) => {
                let whole = i128::from(limit.millionths());
                let beyond = whole.saturating_mul(i128::from(percent)).div_euclid(100);
                let beyond = i64::try_from(beyond).ok().map(Quantity::from_millionths);
                beyond.and_then(|beyond| limit.checked_add(beyond))
            }
        }
    }
}

noun! {
    /// Something that a product offers and a tier can include.
    pub struct Feature(FeatureId), "feature", "features", "catalogue" {
        /// Identifies the feature; follows from its code.
        id: FeatureId,
        /// What programs call it, unique in the org.
        code: Code => ["ai_credits"],
        /// What people call it.
        name: Name => ["AI credits"],
        /// What it is for.
        description: Option<Note>,
        /// What sort of thing it is.
        kind: FeatureKind => ["quota"],
        /// What one unit of it is.
        unit: Option<Line> => ["credit"],
        /// The configuration of an entitlement that does not give its own.
        config_schema: Document => ["{\"maxFileMb\":25}"],
        /// What happens to usage beyond the limit.
        overage: Overage => ["reject", "{\"grace\":{\"percent\":10}}"],
        /// What becomes of usage that a smaller tier no longer covers.
        excess: Excess => ["block_new", "{\"grace_days\":14}"],
        /// Whether usage beyond the limit counts again in the next window, and is taken from what is
        /// granted later. Otherwise it ends with the window; only below a limit that rejects or
        /// clamps is it always taken from what is granted later.
        carries_overage: bool => ["false"],
        /// The meter of the billing gateway on which its usage is billed (Stripe's `event_name`);
        /// none when its usage is not billed. All that is counted is sent there.
        billing_meter: Option<Line> => ["ai_credits_used"],
        /// The product that it belongs to, if that is told; then refusing it to a customer who does
        /// not have the product is a chance to sell that, see [`expansion`](crate::domain::expansion).
        product_id: Option<ProductId> => ["crm"],
        /// What its usage measures. A level has no windows: what exists does not start again from
        /// zero.
        measure: Measure => ["flow"],
        /// Whether it may be used at all; a switch for everybody at once.
        is_active: bool => ["true"],
        /// When it was defined.
        created_at: OffsetDateTime,
        /// When it last changed.
        updated_at: OffsetDateTime,
    }
    relationships {
        entitlements: "entitlement" many "the customers' rights to it",
        tiers: "tier" many "the tiers that include it",
    }
    actions { define => defined, update => updated }
}

impl FeatureId {
    /// The id of the feature with this code: derived, so that it is found without a search.
    #[must_use]
    pub fn of(code: &Code) -> Self {
        const SPACE: Uuid = Uuid::from_u128(0x1d5e_7001_5c3f_4f0a_9d3e_2f61_0c1b_a005);
        Self::from(Uuid::new_v5(&SPACE, code.as_str().as_bytes()))
    }
}

draft! {
    /// What a caller wants of a feature. What is not named stays, or is the default of a new one.
    pub struct FeatureDraft {
        /// See [`Feature::name`]; the code unless told otherwise.
        name: String,
        /// See [`Feature::description`].
        description: String,
        /// See [`Feature::kind`]; `quota` unless told otherwise.
        kind: String,
        /// See [`Feature::unit`].
        unit: String,
        /// See [`Feature::config_schema`].
        config_schema: Document,
        /// See [`Feature::overage`]; [`Overage::Reject`] unless told otherwise.
        overage: Overage,
        /// See [`Feature::excess`]; [`Excess::BlockNew`] unless told otherwise.
        excess: Excess,
        /// See [`Feature::carries_overage`]; false unless told otherwise.
        carries_overage: bool,
        /// See [`Feature::measure`]; `flow` unless told otherwise.
        measure: String,
        /// See [`Feature::billing_meter`]; usage that was recorded before is not billed.
        billing_meter: String,
        /// See [`Feature::product_id`].
        product_id: String,
        /// See [`Feature::is_active`].
        is_active: bool,
    }
}

impl FeatureDraft {
    pub(crate) fn apply(&self, to: &mut Feature, faults: &mut Faults) {
        faults.required("name", &self.name, &mut to.name, Name::parse);
        faults.optional("description", &self.description, &mut to.description, Note::parse);
        faults.required("kind", &self.kind, &mut to.kind, str::parse);
        faults.optional("unit", &self.unit, &mut to.unit, Line::parse);
        faults.optional("billingMeter", &self.billing_meter, &mut to.billing_meter, Line::parse);
        faults.optional("productId", &self.product_id, &mut to.product_id, ProductId::parse);
        faults.required("measure", &self.measure, &mut to.measure, str::parse);
        replace_or_default(&self.config_schema, &mut to.config_schema);
        replace_or_default(&self.overage, &mut to.overage);
        replace_or_default(&self.excess, &mut to.excess);
        replace_or_default(&self.carries_overage, &mut to.carries_overage);
        if let Change::Set(active) = self.is_active {
            to.is_active = active;
        }
        if let Overage::Grace(Grace::Quantity(beyond)) = to.overage
            && beyond.is_negative()
        {
            faults.add("overage", &beyond.to_string(), "must not be negative");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overage_says_how_high_usage_may_go() {
        let limit = Quantity::from(10);
        assert_eq!(Overage::Reject.ceiling(limit), Some(limit));
        assert_eq!(Overage::Clamp.ceiling(limit), Some(limit));
        assert_eq!(Overage::Allow.ceiling(limit), None);
        let grace = Overage::Grace(Grace::Quantity(Quantity::from(2)));
        assert_eq!(grace.ceiling(limit), Some(Quantity::from(12)));
        let grace = Overage::Grace(Grace::Percent(25));
        assert_eq!(grace.ceiling(limit), Some("12.5".parse().unwrap()));
    }

    #[test]
    fn overage_reads_well_in_json() {
        let json = |overage: Overage| serde_json::to_string(&overage).unwrap();
        assert_eq!(json(Overage::Reject), r#""reject""#);
        assert_eq!(json(Overage::Grace(Grace::Percent(10))), r#"{"grace":{"percent":10}}"#);
    }
}

//! Expansion: which customers are ready to buy more, what to offer them, and what came of it.
//!
//! Seven signals, each with a weight, are read from a customer's [facts](super::facts). What is not
//! known is no signal. The probability of an expansion is the weight of the signals that are there
//! by the weight of all.
//!
//! | signal | when | weight | offers | when to |
//! |---|---|---|---|---|
//! | `approaching_limit` | usage > 0.8 of a limit | 0.9 | `upsell` to the next tier, half of the MRR | now |
//! | `feature_attempts` | more than 3 refusals | 0.8 | `add_features`, `cross_sell`, 50 for each feature | now |
//! | `team_growth` | > 0.2 | 0.7 | `add_seats` at the present price of one | now |
//! | `success_metrics` | a goal is exceeded | 0.7 | goodwill | |
//! | `high_engagement` | score > 80 | 0.6 | goodwill | |
//! | `nps_promoter` | ≥ 9 | 0.5 | goodwill | |
//! | `renewal_approaching` | 0–60 days ahead | 0.4 | nothing by itself | |
//!
//! Goodwill is no hurry: it offers an `upsell` at the renewal if that is near, else in the next
//! quarter. It can be switched off ([`ExpansionRules::offers_on_goodwill`]). A renewal alone offers
//! nothing: it says when, not what.
//!
//! A feature belongs to a product if its definition [says so](super::feature::Feature::product_id).
//! Refusals of a feature of a product that the customer does not have are a chance to sell that
//! product; all others, to sell the feature. Features that are not defined cannot be sold.
//!
//! There is at most one open opportunity for each customer, kind and product. It stays open, with
//! what was last found, until a person closes it: that the signals are gone does not mean that the
//! talks are over. One that was closed is not opened again for a while, unless something else could
//! be offered by then.

mod proposals;
mod record;
mod rules;
mod signals;

pub use proposals::{Catalogue, Proposal, Rung, more_seats, next_tier, proposals};
pub use record::{
    ClosedOpportunity, ExpansionHistory, ExpansionHistoryId, ExpansionOpportunity,
    OpportunityAction, OpportunityId, OpportunityStatus,
};
pub use rules::{ExpansionRules, SignalRule};
pub use signals::{ExpansionSignal, ExpansionSignals, signals};

use crate::record::words;

words! {
    /// What speaks for an expansion.
    pub enum ExpansionSignalKind {
        /// It uses up most of a limit.
        ApproachingLimit = "approaching_limit",
        /// It was refused features that it does not have.
        FeatureAttempts = "feature_attempts",
        /// It uses the product a lot.
        HighEngagement = "high_engagement",
        /// Its team grows.
        TeamGrowth = "team_growth",
        /// It exceeds its own goals.
        SuccessMetrics = "success_metrics",
        /// It would recommend the product.
        NpsPromoter = "nps_promoter",
        /// Its contract is renewed soon.
        RenewalApproaching = "renewal_approaching",
    }
}

words! {
    /// What could be sold.
    pub enum OpportunityKind {
        /// The next tier.
        Upsell = "upsell",
        /// Another product.
        CrossSell = "cross_sell",
        /// More seats.
        AddSeats = "add_seats",
        /// Features that its tier does not have.
        AddFeatures = "add_features",
    }
}

words! {
    /// When to offer it.
    pub enum OpportunityTiming {
        /// At once.
        Now = "now",
        /// In the next quarter.
        NextQuarter = "next_quarter",
        /// With the renewal.
        AtRenewal = "at_renewal",
    }
}

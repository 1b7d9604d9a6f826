//! What is known of a customer when the rules of customer success look at it.
//!
//! Everything is optional and dated: what is not known is none, never zero.

use super::customer::{CustomerId, CustomerKind, CustomerSize, CustomerStatus, Stage};
use super::link::ProductId;
use super::money::Money;
use super::text::Code;
use super::user::UserId;
use crate::record::words;
use figure_name::FigureName;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use time::OffsetDateTime;

pub(crate) mod figure_name;

/// The names of the figures that rules look at. A host may record any other beside them.
pub mod names {
    /// Daily by monthly active users, 0–1: the mean of the last thirty days, or of as many as it has
    /// been a customer.
    pub const DAU_MAU_RATIO: &str = "dau_mau_ratio";
    /// The share of the features that were used, 0–1.
    pub const FEATURE_ADOPTION: &str = "feature_adoption";
    /// Conversations, or what else the product is for, in the last seven days.
    pub const CONVERSATIONS_PER_WEEK: &str = "conversations_per_week";
    /// Days since anybody there logged in. The host tells how many they were; by how many more they
    /// are since then is counted.
    pub const DAYS_SINCE_LAST_LOGIN: &str = "days_since_last_login";
    /// Logins in the last seven days.
    pub const LOGINS_PER_WEEK: &str = "logins_per_week";
    /// How many features were used in the last thirty days.
    pub const FEATURES_USED_THIS_MONTH: &str = "features_used_this_month";
    /// Tickets that are open.
    pub const OPEN_TICKETS: &str = "open_tickets";
    /// Tickets of high severity that are open.
    pub const HIGH_SEVERITY_TICKETS: &str = "high_severity_tickets";
    /// The mean satisfaction with support, 1–5.
    pub const AVG_CSAT: &str = "avg_csat";
    /// Tickets that were escalated and are open.
    pub const ESCALATIONS: &str = "escalations";
    /// The last answer to "would you recommend us", 0–10.
    pub const NPS_SCORE: &str = "nps_score";
    /// Meetings in the last thirty days.
    pub const MEETINGS_ATTENDED: &str = "meetings_attended";
    /// The share of messages that were answered, 0–1.
    pub const RESPONSES_TO_OUTREACH: &str = "responses_to_outreach";
    /// The share of invoices that were paid in time, 0–1.
    pub const PAYMENT_HEALTH: &str = "payment_health";
    /// How likely it is to grow, 0–1.
    pub const GROWTH_POTENTIAL: &str = "growth_potential";
    /// How long the contract runs, in months.
    pub const CONTRACT_LENGTH: &str = "contract_length";
    /// The highest share of a limit that is used up, 0–1 and beyond.
    pub const USAGE_VS_LIMIT: &str = "usage_vs_limit";
    /// By how much usage changed against the thirty days before, in percent: −50 is half.
    pub const USAGE_CHANGE: &str = "usage_change";
    /// Invoices whose payment failed and is still missing.
    pub const FAILED_PAYMENTS: &str = "failed_payments";
    /// How much of the onboarding is done, 0–100.
    pub const ONBOARDING_COMPLETION: &str = "onboarding_completion";
    /// By how much the team grew, 0.2 for a fifth.
    pub const TEAM_GROWTH: &str = "team_growth";
    /// How many of its own goals the customer exceeds.
    pub const OUTCOMES_ABOVE_TARGET: &str = "outcomes_above_target";
    /// How much the product is used, 0–100, as it was last evaluated.
    pub const ENGAGEMENT_SCORE: &str = "engagement_score";
    /// How well the customer is doing, 0–100, as it was last evaluated.
    pub const HEALTH_SCORE: &str = "health_score";

    /// All of them, in alphabetical order.
    pub(crate) const ALL: [&str; 24] = [
        AVG_CSAT,
        CONTRACT_LENGTH,
        CONVERSATIONS_PER_WEEK,
        DAU_MAU_RATIO,
        DAYS_SINCE_LAST_LOGIN,
        ENGAGEMENT_SCORE,
        ESCALATIONS,
        FAILED_PAYMENTS,
        FEATURE_ADOPTION,
        FEATURES_USED_THIS_MONTH,
        GROWTH_POTENTIAL,
        HEALTH_SCORE,
        HIGH_SEVERITY_TICKETS,
        LOGINS_PER_WEEK,
        MEETINGS_ATTENDED,
        NPS_SCORE,
        ONBOARDING_COMPLETION,
        OPEN_TICKETS,
        OUTCOMES_ABOVE_TARGET,
        PAYMENT_HEALTH,
        RESPONSES_TO_OUTREACH,
        TEAM_GROWTH,
        USAGE_CHANGE,
        USAGE_VS_LIMIT,
    ];
}

words! {
    /// Who says so.
    pub enum FigureSource {
        /// The host recorded it.
        Host = "host",
        /// tenure's own records show it.
        Derived = "derived",
    }
}

/// A figure, and when it was so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// How much; never NaN or infinite.
    pub value: f64,
    /// When it was so. What is derived is so now, unless the records that it follows from are older.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who says so.
    pub source: FigureSource,
}

/// Figures by name, the latest of each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures(Vec<(FigureName, Figure)>);

impl Figures {
    /// The figure of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Figure> {
        let place = self.place(name).ok()?;
        self.0.get(place).map(|it| it.1)
    }

    /// Keeps a figure in the place of one of the same name. What is not a finite number is left out.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, figure: Figure) {
        self.keep(FigureName(name.into()), figure);
    }

    /// Forgets a figure.
    pub fn remove(&mut self, name: &str) -> Option<Figure> {
        self.place(name).ok().map(|place| self.0.remove(place).1)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Figure)> {
        self.0.iter().map(|(name, figure)| (name.as_str(), *figure))
    }

    /// Takes over a figure of `others`, if there is one.
    pub(crate) fn take_over(&mut self, name: &str, others: &Self) {
        if let Some((name, figure)) = others.place(name).ok().and_then(|place| others.0.get(place))
        {
            self.keep(name.clone(), *figure);
        }
    }

    /// Keeps a figure.
    pub(crate) fn keep(&mut self, name: FigureName, figure: Figure) {
        if !figure.value.is_finite() {
            return;
        }
        // What comes in order goes to the end.
        if self.0.last().is_none_or(|(last, _)| *last < name) {
            return self.0.push((name, figure));
        }
        match self.place(name.as_str()) {
            Ok(place) => {
                if let Some(known) = self.0.get_mut(place) {
                    known.1 = figure;
                }
            }
            Err(place) => self.0.insert(place, (name, figure)),
        }
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(it, _)| it.as_str().cmp(name))
    }
}

/// What the customer has agreed to pay for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ContractFacts {
    /// What its paid subscriptions bring in a month, one sum for each currency, that of the
    /// subscription with the highest tier first.
    pub mrr: Vec<Money>,
    /// The products that its running subscriptions are of, free ones included; none if that is not
    /// known.
    pub products: Vec<ProductId>,
    /// Seats of the running paid subscriptions; none without one.
    pub seats: Option<u32>,
    /// Whether a paid subscription is active; one whose payment is missing is not.
    pub has_active_paid: bool,
    /// Whether there ever was a paid one.
    pub had_paid: bool,
    /// When the last paid one ended, if none runs any more.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// When the next of the paid ones is renewed, of those that run longest from one payment to the
    /// next: beside one for a year, one for a month does not count.
    #[serde(with = "time::serde::rfc3339::option")]
    pub renewal_at: Option<OffsetDateTime>,
    /// When a paid one that runs as long was last renewed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub renewed_at: Option<OffsetDateTime>,
    /// When the trial ends, or ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub trial_ends_at: Option<OffsetDateTime>,
}

/// What is being sold to the customer beyond what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ExpansionFacts {
    /// Opportunities that are open and whose time is now: what is planned for later does not make
    /// an expansion of today.
    pub open: u32,
    /// When the newest of these was identified.
    #[serde(with = "time::serde::rfc3339::option")]
    pub opened_at: Option<OffsetDateTime>,
    /// When one was last won.
    #[serde(with = "time::serde::rfc3339::option")]
    pub won_at: Option<OffsetDateTime>,
    /// When one was last lost.
    #[serde(with = "time::serde::rfc3339::option")]
    pub lost_at: Option<OffsetDateTime>,
}

/// Everything that the rules of customer success look at, of one customer at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CustomerFacts {
    /// Whose they are.
    pub customer_id: CustomerId,
    /// When they are so.
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
    /// When it became a customer.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The standing of the account.
    pub status: CustomerStatus,
    /// Where it is on its journey.
    pub stage: Stage,
    /// Since when it is there.
    #[serde(with = "time::serde::rfc3339")]
    pub stage_since: OffsetDateTime,
    /// When it last came back after it had churned.
    #[serde(with = "time::serde::rfc3339::option")]
    pub returned_at: Option<OffsetDateTime>,
    /// When it was last expanding, if it no longer is.
    #[serde(with = "time::serde::rfc3339::option")]
    pub left_expanding_at: Option<OffsetDateTime>,
    /// The code of its tier.
    pub tier: Code,
    /// What it is.
    pub kind: CustomerKind,
    /// How large it is.
    pub size: Option<CustomerSize>,
    /// Who looks after its success.
    pub csm_id: Option<UserId>,
    /// Every figure that is known, the host's and those that tenure's own records show. Where both
    /// know one, the records count.
    pub figures: Figures,
    /// What it has agreed to pay for.
    pub contract: ContractFacts,
    /// How often each feature was denied in the last thirty days; only those that were.
    pub blocked: BTreeMap<Code, u64>,
    /// What is being sold to it.
    pub expansion: ExpansionFacts,
    /// When it asked to cancel, if that still stands.
    #[serde(with = "time::serde::rfc3339::option")]
    pub cancellation_requested_at: Option<OffsetDateTime>,
    /// When an open ticket last mentioned a competitor.
    #[serde(with = "time::serde::rfc3339::option")]
    pub competitor_mentioned_at: Option<OffsetDateTime>,
}

impl CustomerFacts {
    /// A customer of whom nothing is known yet but that it is there, in trial since `created_at`.
    #[must_use]
    pub fn new(
        customer_id: CustomerId,
        tier: Code,
        created_at: OffsetDateTime,
        as_of: OffsetDateTime,
    ) -> Self {
        Self {
            customer_id,
            as_of,
            created_at,
            status: CustomerStatus::Active,
            stage: Stage::Trial,
            stage_since: created_at,
            returned_at: None,
            left_expanding_at: None,
            tier,
            kind: CustomerKind::Business,
            size: None,
            csm_id: None,
            figures: Figures::default(),
            contract: ContractFacts::default(),
            blocked: BTreeMap::new(),
            expansion: ExpansionFacts::default(),
            cancellation_requested_at: None,
            competitor_mentioned_at: None,
        }
    }

    /// The figure of this name, however old.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.get(name).map(|figure| figure.value)
    }

    /// Since when it is a customer: since it was created, or came back after it had churned.
    #[must_use]
    pub fn customer_since(&self) -> OffsetDateTime {
        self.returned_at.map_or(self.created_at, |back| back.max(self.created_at))
    }

    /// Whole days and parts of one from `at` to the instant of the facts; negative if it lies ahead.
    #[must_use]
    pub fn days_since(&self, at: OffsetDateTime) -> f64 {
        days(at, self.as_of)
    }

    /// Days until `at`; negative if it is past.
    #[must_use]
    pub fn days_until(&self, at: OffsetDateTime) -> f64 {
        days(self.as_of, at)
    }
}

/// Days from one instant to another.
#[expect(clippy::cast_precision_loss, reason = "a measure: instants differ by microseconds")]
pub(crate) fn days(from: OffsetDateTime, to: OffsetDateTime) -> f64 {
    to.unix_timestamp_nanos().saturating_sub(from.unix_timestamp_nanos()) as f64 / 86_400e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn what_is_not_a_number_is_not_a_figure() {
        let at = datetime!(2026-01-31 12:00 UTC);
        let mut figures = Figures::default();
        let figure = |value| Figure { value, at, source: FigureSource::Host };
        figures.set("a", figure(0.0));
        figures.set("b", figure(f64::NAN));
        figures.set("c", figure(f64::INFINITY));
        assert_eq!(figures.iter().collect::<Vec<_>>(), [("a", figure(0.0))]);
        assert_eq!(figures.get("b"), None);
    }

    #[test]
    fn days_are_counted_with_their_parts() {
        let at = datetime!(2026-01-31 12:00 UTC);
        let tier = Code::parse("free").unwrap();
        let facts = CustomerFacts::new(uuid::Uuid::nil().into(), tier, at, at);
        let days = facts.days_since(datetime!(2026-01-30 00:00 UTC));
        assert!((days - 1.5).abs() < 1e-12);
        assert!((facts.days_until(datetime!(2026-01-30 00:00 UTC)) + 1.5).abs() < 1e-12);
    }
}

//! The onboarding call: everything that a sign-up needs, in one.

use super::clues::Hints;
use super::contact::ContactDraft;
use super::customer::CustomerId;
use super::smart_link::Evidence;
use super::subscription::SubscriptionId;
use super::text::{Code, Name};
use crate::record::words;
use serde::Serialize;
use time::OffsetDateTime;

/// An organisation that signed up.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Onboard {
    /// The product's own id for the organisation: the same id is never onboarded twice.
    pub external_org_id: String,
    /// The product's own id for the user who signed up.
    pub external_user_id: Option<String>,
    /// What is known of the organisation.
    pub hints: Hints,
    /// A checkout session to claim.
    pub checkout_session_id: Option<String>,
    /// A subscription to link.
    pub stripe_subscription_id: Option<String>,
    /// The customer at Stripe.
    pub stripe_customer_id: Option<String>,
    /// A tier to give.
    #[serde(alias = "plan")]
    pub tier_code: Option<String>,
    /// The person who signed up.
    pub contact_email: Option<String>,
    /// The person's name.
    pub contact_name: Option<String>,
    /// Further people.
    #[serde(skip)]
    pub contacts: Vec<ContactDraft>,
    /// When the organisation became a customer; now unless told otherwise.
    #[serde(with = "time::serde::rfc3339::option")]
    pub created_at: Option<OffsetDateTime>,
}

impl Onboard {
    /// An organisation by the product's own id for it.
    #[must_use]
    pub fn org(external_org_id: impl Into<String>) -> Self {
        Self { external_org_id: external_org_id.into(), ..Self::default() }
    }

    /// What is known of the organisation.
    #[must_use]
    pub fn hints(mut self, hints: Hints) -> Self {
        self.hints = hints;
        self
    }

    /// What the organisation is called.
    #[must_use]
    pub fn company(mut self, name: impl Into<String>) -> Self {
        self.hints.company_name = Some(name.into());
        self
    }

    /// The organisation's domain, host name or URL.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.hints.domain = Some(domain.into());
        self
    }

    /// The tier to give, as [`Tx::apply_tier`](crate::Tx::apply_tier) does: without a payment. What
    /// is paid for comes with a [`checkout`](Self::checkout), a
    /// [`stripe_subscription`](Self::stripe_subscription) or
    /// [`Tx::add_subscription`](crate::Tx::add_subscription).
    #[must_use]
    pub fn tier(mut self, code: impl Into<String>) -> Self {
        self.tier_code = Some(code.into());
        self
    }

    /// The person who signed up.
    #[must_use]
    pub fn contact(mut self, email: impl Into<String>, name: impl Into<String>) -> Self {
        self.contact_email = Some(email.into());
        self.contact_name = Some(name.into());
        self
    }

    /// A checkout session to claim.
    #[must_use]
    pub fn checkout(mut self, session_id: impl Into<String>) -> Self {
        self.checkout_session_id = Some(session_id.into());
        self
    }

    /// A subscription at Stripe to link.
    #[must_use]
    pub fn stripe_subscription(mut self, id: impl Into<String>) -> Self {
        self.stripe_subscription_id = Some(id.into());
        self
    }

    /// When the organisation became a customer.
    #[must_use]
    pub const fn since(mut self, created_at: OffsetDateTime) -> Self {
        self.created_at = Some(created_at);
        self
    }
}

words! {
    /// How an organisation came to its customer.
    pub enum LinkStatus {
        /// It was linked before.
        AlreadyLinked = "already_linked",
        /// It is a customer that was known.
        Linked = "linked",
        /// It is a new customer.
        Created = "created",
    }
}

/// What onboarding led to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Onboarded {
    /// The customer.
    pub customer_id: CustomerId,
    /// What it is called.
    pub customer_name: Name,
    /// How the organisation came to it.
    pub link_status: LinkStatus,
    /// How sure that is, 0–1, when a known customer was found.
    pub confidence: Option<f64>,
    /// Known customers that it may be as well: the customer was created, to be merged later.
    pub suggestions: Vec<Suggestion>,
    /// What became of the payment.
    pub billing_status: BillingOutcome,
}

/// What became of the payment when an organisation was onboarded.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BillingOutcome {
    /// The paid subscription.
    pub subscription_id: Option<SubscriptionId>,
    /// Whether a checkout session was claimed.
    pub claimed: bool,
    /// Whether a subscription was linked.
    pub linked: bool,
    /// The tier that was given.
    pub tier_applied: Option<Code>,
    /// Why the payment could not be taken up; the customer stands, and onboarding again tries again.
    pub error: Option<String>,
}

/// A customer that an organisation may be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Suggestion {
    /// The customer.
    pub customer_id: CustomerId,
    /// What it is called.
    pub customer_name: Name,
    /// How probable it is, 0–1.
    pub confidence: f64,
    /// Why, in words.
    pub reason: String,
    /// Why, as data.
    pub evidence: Vec<Evidence>,
}

/// Which customer an organisation is, as far as can be told.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
#[non_exhaustive]
pub enum SmartLink {
    /// The organisation is linked already; nothing else was looked at.
    #[serde(rename_all = "camelCase")]
    AlreadyLinked {
        /// The customer.
        customer_id: CustomerId,
        /// What it is called.
        customer_name: Name,
    },
    /// One clear match; the link is written.
    Linked(Suggestion),
    /// Several plausible matches, best first, none clearly ahead; nothing is written.
    Suggestions {
        /// The matches.
        suggestions: Vec<Suggestion>,
    },
    /// Nothing plausible is known.
    NoMatch,
}

/// How a backfill is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BackfillProgress {
    /// Rows taken so far.
    pub rows: usize,
    /// Of these, new customers.
    pub created: usize,
    /// Of these, organisations of known customers.
    pub linked: usize,
    /// Of these, organisations that were linked before.
    pub already_linked: usize,
    /// Of these, refused.
    pub failed: usize,
}

//! The onboarding call: everything that a sign-up needs, in one.

use super::clues::{Hints, domain_in, name_in};
use super::contact::ContactDraft;
use super::customer::CustomerId;
use super::domain_name::DomainName;
use super::email::Email;
use super::likeness::labels;
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

    /// The domain that a new customer has for its own: the one that was given, else that of its
    /// people's addresses, if it is the name in short or there is no name. Otherwise they may be an
    /// agency's people, and whoever signs up from there next would be taken for this customer.
    pub(crate) fn own_domain(&self) -> Option<DomainName> {
        let of_people = || self.people_domain().filter(|it| self.is_called_like(it));
        self.hints.domain.as_deref().and_then(|it| domain_in(it).ok()).or_else(of_people)
    }

    /// The domain of its people's addresses.
    pub(crate) fn people_domain(&self) -> Option<DomainName> {
        let mut emails = self.contact_email.iter().chain(&self.hints.emails);
        emails.find_map(|it| Email::parse(it).ok()?.company_domain())
    }

    fn is_called_like(&self, domain: &DomainName) -> bool {
        let name = self.hints.company_name.as_deref().and_then(|it| name_in(it).ok());
        name.is_none_or(|name| {
            labels::compare(&name, domain.label(), &mut |_| 1.0).label_covered >= 1.0
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_of_an_address_is_the_customers_own_if_it_is_called_so() {
        let own = |company: &str, email: &str| {
            let request = Onboard::org("org_1").company(company).contact(email, "Ada King");
            request.own_domain().map(|it| it.to_string())
        };
        for (company, email) in [
            ("Beta Bakery GmbH", "ada@beta-bakery.de"),
            ("Hope Education Group", "ada@hopeedu.de"),
            ("", "ada@betabakery.de"),
            ("GmbH", "ada@betabakery.de"),
        ] {
            assert_eq!(own(company, email), email.strip_prefix("ada@").map(Into::into));
        }
        assert_eq!(own("Beta Bakery", "ada@agency.com"), None);
        assert_eq!(own("Beta Bakery", "ada@gmail.com"), None);
        let given = Onboard::org("org_1").company("Beta").domain("agency.com");
        assert_eq!(given.own_domain().unwrap().as_str(), "agency.com");
    }
}

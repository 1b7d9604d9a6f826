//! Links: which organisation of a product is which customer.

use super::customer::CustomerId;
use super::document::Document;
use super::text::{Code, ExternalId, Line, Malformed};
use crate::record::{id, noun, words};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies a link.
    LinkId;
}

/// One of the host's products, by a code of the host's; `default` for a host that has only one.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct ProductId(Code);

crate::value::field!(ProductId, Text, |s| s.as_str().to_owned(), |v| Self::parse(&v).ok());

impl ProductId {
    /// The product with this code.
    ///
    /// # Errors
    ///
    /// When it is not a [`Code`].
    pub fn parse(code: &str) -> Result<Self, Malformed> {
        Code::parse(code).map(Self)
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl std::fmt::Display for ProductId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

words! {
    /// How a link came to be.
    pub enum LinkKind {
        /// A person made it.
        Manual = "manual",
        /// Smart linking found it.
        Smart = "smart",
        /// The onboarding call made it, with the customer.
        Onboard = "onboard",
    }
}

words! {
    /// Whether a link is in step with the product.
    pub enum SyncStatus {
        /// In step.
        Synced = "synced",
        /// Not yet.
        Pending = "pending",
        /// The last attempt failed.
        Failed = "failed",
    }
}

noun! {
    /// That an organisation in one of the host's products is a certain customer. One customer can
    /// have several; one organisation is one customer.
    pub struct Link(LinkId), "link", "links", "account" {
        /// Identifies the link.
        id: LinkId,
        /// The customer.
        customer_id: CustomerId,
        /// The product.
        product_id: ProductId => ["default"],
        /// The product's own id for the organisation, unique in the product.
        external_org_id: ExternalId => ["org_42"],
        /// The product's own id for the user who is its owner there.
        external_user_id: Option<ExternalId> => ["user_7"],
        /// What people call it.
        label: Option<Line> => ["Berlin store"],
        /// How sure the link is, 0–1; none for one that a person made.
        confidence: Option<f64> => ["0.95"],
        /// How it came to be.
        kind: LinkKind => ["smart"],
        /// Whether it is in step with the product.
        sync_status: SyncStatus => ["synced"],
        /// Anything of the host's.
        metadata: Document,
        /// When it was made.
        created_at: OffsetDateTime,
        /// When it last changed.
        updated_at: OffsetDateTime,
    }
    relationships {
        customer: "customer" one "whose organisation it is",
    }
    actions { create => created, update => updated, unlink => unlinked, reset => reset }
}

impl LinkId {
    /// The id of the link of an organisation: derived, so that it is found without a search.
    #[must_use]
    pub fn of(product: &ProductId, external_org_id: &ExternalId) -> Self {
        const SPACE: Uuid = Uuid::from_u128(0x1d5e_7001_5c3f_4f0a_9d3e_2f61_0c1b_a002);
        let name = format!("{product}\0{external_org_id}");
        Self::from(Uuid::new_v5(&SPACE, name.as_bytes()))
    }
}

/// What a reset of a product's links would take away, or took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LinksReset {
    /// Links of the product.
    pub links_deleted: usize,
    /// Contacts of customers that only this product's links brought.
    pub contacts_deleted: usize,
    /// Subscriptions whose monthly revenue ended.
    pub mrr_reset: usize,
}

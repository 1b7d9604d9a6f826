//! The tenants of a store.

use super::text::Name;
use crate::record::{id, noun};
use time::OffsetDateTime;

id! {
    /// The UUID of an org as a record of the directory; [`OrgId`](crate::OrgId) is the same one as
    /// the store sees it.
    OrgKey;
}

noun! {
    /// A business that runs tenure: every other record belongs to exactly one.
    pub struct Org(OrgKey), "org", "orgs", "account" {
        /// Identifies the org.
        id: OrgKey,
        /// The name by which the host calls it, if it does.
        name: Option<Name> => ["default"],
        /// When it first wrote anything.
        created_at: OffsetDateTime,
    }
    relationships {
        customers: "customer" many "everybody who uses its products",
    }
}

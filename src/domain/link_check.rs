//! What a check of the index of smart linking finds.

use super::customer::CustomerId;
use crate::record::words;
use serde::Serialize;

words! {
    /// How the index of smart linking differs from the customers.
    pub enum LinkDiscrepancyKind {
        /// A customer is not in it.
        Missing = "missing",
        /// Somebody is in it who is deleted, or of whom there is nothing else.
        Extra = "extra",
        /// It knows something else of a customer than there is.
        Wrong = "wrong",
        /// A customer cannot be found by all of its keys, or is found by others.
        Keys = "keys",
        /// A count differs: of the customers, or of how common words are.
        Count = "count",
    }
}

/// A difference between the index of smart linking and the customers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LinkDiscrepancy {
    /// The customer, if it is about one.
    pub customer_id: Option<CustomerId>,
    /// What differs.
    pub kind: LinkDiscrepancyKind,
}

/// What [`check_link_index`](crate::Tenure::check_link_index) found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LinkIndexCheck {
    /// How many customers were compared; those that are deleted do not count.
    pub customers: usize,
    /// How many entries of the index were read.
    pub entries: usize,
    /// How many differences there are; with correct code and a sound file none.
    pub differences: usize,
    /// The first 1,000 of them.
    pub discrepancies: Vec<LinkDiscrepancy>,
}

impl LinkIndexCheck {
    /// How many differences are told one by one.
    const TOLD: usize = 1_000;

    /// Whether everything agreed.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.differences == 0
    }

    pub(crate) fn tell(&mut self, kind: LinkDiscrepancyKind, customer: Option<CustomerId>) {
        self.differences = self.differences.saturating_add(1);
        if self.discrepancies.len() < Self::TOLD {
            self.discrepancies.push(LinkDiscrepancy { customer_id: customer, kind });
        }
    }
}

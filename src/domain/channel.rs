//! Channels: what tenure asks of the system that speaks with customers.

use super::contact::Contact;
use super::customer::Customer;
use super::text::Code;
use super::user::User;
use crate::record::words;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

words! {
    /// How a customer is spoken with.
    pub enum ChannelKind {
        /// By email.
        Email = "email",
        /// By telephone.
        Call = "call",
        /// By a message in the product.
        InApp = "in_app",
        /// In a meeting.
        Meeting = "meeting",
    }
}

impl ChannelKind {
    /// Whether a program can do it from a template. Otherwise a person does it, who is told.
    #[must_use]
    pub const fn is_written(self) -> bool {
        matches!(self, Self::Email | Self::InApp)
    }
}

/// Something to be said to a customer, or to be done by who looks after it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OutboundMessage {
    /// Identifies it, the same in every attempt: what was taken once must not go out again.
    pub id: Uuid,
    /// How.
    pub channel: ChannelKind,
    /// What is done: `send_reengagement_email`.
    pub action: Code,
    /// What is said, by the name of its template.
    pub template: Option<Code>,
    /// With whom.
    pub customer: Customer,
    /// The person to speak with: the customer's main contact.
    pub recipient: Option<Contact>,
    /// Who does it, or in whose name: the customer's CSM.
    pub owner: Option<User>,
    /// What is known for the template: `customer_name`, `current_plan`, `signal`, and where they are
    /// known `first_name`, `csm_name`, `csm_email`, `calendar_link`.
    pub variables: BTreeMap<&'static str, String>,
    /// Until when it should be done.
    pub deadline: Option<OffsetDateTime>,
    /// How many attempts failed before.
    pub attempts: u32,
}

/// What became of a message that a channel took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// Whether it is done; otherwise a person does it, and somebody calls
    /// [`Tx::complete_action`](crate::Tx::complete_action).
    pub is_done: bool,
    /// By what the channel knows it: a message id, a task. At most 1,000 characters are kept.
    pub reference: Option<String>,
}

impl Delivered {
    /// It is done.
    #[must_use]
    pub const fn done() -> Self {
        Self { is_done: true, reference: None }
    }

    /// A person was told and does it.
    #[must_use]
    pub const fn handed_over() -> Self {
        Self { is_done: false, reference: None }
    }

    /// By what the channel knows it.
    #[must_use]
    pub fn reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }
}

/// Why a channel did not take a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelFailure {
    /// It was not reached, or gave no answer: it is asked again later, with the same id.
    #[error("{0}")]
    Failed(String),
    /// It will never do it.
    #[error("{0}")]
    Refused(String),
}

/// The host's way to its customers, and to its own people: mail, chat, a help desk, a task list.
/// tenure calls it from [`Tenure::tick`](crate::Tenure::tick), never inside a transaction.
pub trait Channel: Send + Sync {
    /// Takes a message. One that it took already under the same id is taken, and does not go out
    /// again: after a crash tenure cannot know, and asks again.
    ///
    /// # Errors
    ///
    /// Which of the two it is decides whether it is tried again. A panic counts as
    /// [`ChannelFailure::Failed`].
    fn deliver(&self, message: &OutboundMessage) -> Result<Delivered, ChannelFailure>;
}

//! Surveys: who was asked, and what became of it.

use super::{NpsResponseId, NpsSurveyId};
use crate::domain::contact::ContactId;
use crate::domain::customer::CustomerId;
use crate::domain::money::Money;
use crate::domain::text::{Code, IdempotencyKey};
use crate::record::{noun, words};
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

words! {
    /// Where a survey stands.
    pub enum NpsSurveyStatus {
        /// It waits for an answer.
        Open = "open",
        /// It was answered, in time or late.
        Answered = "answered",
        /// Its time was over before anybody answered.
        Closed = "closed",
    }
}

/// What a customer was when it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NpsContext {
    /// The code of its tier.
    pub plan: Code,
    /// What it paid in a month, one sum for each currency.
    pub mrr: Vec<Money>,
    /// For how many whole days it had been a customer.
    pub tenure_days: i64,
}

json_field!(NpsContext);

impl NpsContext {
    pub(crate) const fn new(plan: Code, mrr: Vec<Money>, tenure_days: i64) -> Self {
        Self { plan, mrr, tenure_days }
    }
}

noun! {
    /// The question "how likely are you to recommend us", put to a customer.
    pub struct NpsSurvey(NpsSurveyId), "nps survey", "nps surveys", "success" {
        /// Identifies the survey; follows from customer and occasion if it has one.
        id: NpsSurveyId,
        /// Who was asked.
        customer_id: CustomerId,
        /// Which person there.
        contact_id: Option<ContactId>,
        /// What it was asked on.
        trigger: Code => ["quarterly_nps"],
        /// What makes a retry recognisable.
        occasion: Option<IdempotencyKey> => ["2026-Q1"],
        /// Where it stands.
        status: NpsSurveyStatus => ["open"],
        /// When it was sent.
        sent_at: OffsetDateTime,
        /// When a reminder was due, and was told of.
        reminded_at: Option<OffsetDateTime>,
        /// When it closes, or closed, unless it is answered before.
        closes_at: OffsetDateTime,
        /// When it closed without an answer.
        closed_at: Option<OffsetDateTime>,
        /// When it was answered.
        answered_at: Option<OffsetDateTime>,
        /// The answer.
        response_id: Option<NpsResponseId>,
        /// When its reminder or its closing is due; none once it is answered or closed.
        due_at: Option<OffsetDateTime>,
        /// What the customer was when it was asked.
        metadata: NpsContext,
    }
    relationships {
        customer: "customer" one "who was asked",
        contact: "contact" one "which person there",
        response: "nps response" one "the answer",
    }
    actions { send => sent, answer => answered }
    events { reminder_due, closed }
}

impl NpsSurveyId {
    /// The id of the survey that a customer got on an occasion: derived, so that it is sent once.
    #[must_use]
    pub fn of(customer: CustomerId, occasion: &IdempotencyKey) -> Self {
        let name = format!("nps survey\0{occasion}");
        Self::from(Uuid::new_v5(&customer.uuid(), name.as_bytes()))
    }
}

impl NpsSurvey {
    /// Whether an answer given at `at` is one to this survey, and in time.
    #[must_use]
    pub fn takes(&self, at: OffsetDateTime) -> bool {
        self.status == NpsSurveyStatus::Open && self.sent_at <= at && at < self.closes_at
    }
}

/// A survey that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it is recorded when it is given to `send_nps_survey`"]
#[non_exhaustive]
pub struct NpsSurveyDraft {
    /// Who is asked.
    pub customer: CustomerId,
    /// Which person there.
    pub contact: Option<ContactId>,
    /// What it is asked on: a code.
    pub trigger: String,
    /// When it was sent; now unless told otherwise, and never later.
    pub sent_at: Option<OffsetDateTime>,
    /// What makes a retry recognisable.
    pub occasion: Option<String>,
}

impl NpsSurveyDraft {
    /// A survey to a customer on a trigger, such as `quarterly_nps`.
    pub fn to(customer: CustomerId, trigger: impl Into<String>) -> Self {
        let (contact, sent_at, occasion) = (None, None, None);
        Self { customer, contact, trigger: trigger.into(), sent_at, occasion }
    }

    /// To this person there.
    pub const fn contact(mut self, contact: ContactId) -> Self {
        self.contact = Some(contact);
        self
    }

    /// Sent then: for surveys that another system sent.
    pub const fn sent_at(mut self, at: OffsetDateTime) -> Self {
        self.sent_at = Some(at);
        self
    }

    /// Sent once on this occasion, such as `2026-Q1`.
    pub fn occasion(mut self, occasion: impl Into<String>) -> Self {
        self.occasion = Some(occasion.into());
        self
    }
}

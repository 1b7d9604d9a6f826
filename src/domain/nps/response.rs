//! Answers: what was said, and what it makes of who said it.

use super::{NpsResponseId, NpsSurveyId};
use crate::domain::contact::ContactId;
use crate::domain::csv;
use crate::domain::customer::CustomerId;
use crate::domain::instant::{check_year, utc};
use crate::domain::statistics::nps::NpsClass;
use crate::domain::text::{Code, IdempotencyKey, Malformed, Note};
use crate::error::{Error, Faults, Result};
use crate::record::noun;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// From which score on an answer makes a candidate for advocacy.
const CANDIDATE_FROM: u32 = 9;

noun! {
    /// An answer to "how likely are you to recommend us".
    pub struct NpsResponse(NpsResponseId), "nps response", "nps responses", "success" {
        /// Identifies the answer; follows from the survey, or from customer and key, if there is one.
        id: NpsResponseId,
        /// Who answered.
        customer_id: CustomerId,
        /// Which person there.
        contact_id: Option<ContactId>,
        /// The survey that was answered; none if nobody had asked.
        survey_id: Option<NpsSurveyId>,
        /// How likely, 0–10.
        score: u32 => ["9"],
        /// What that makes of them: 0–6 detractor, 7–8 passive, 9–10 promoter.
        class: NpsClass => ["promoter"],
        /// What they say about it.
        feedback: Option<Note> => ["Support is quick, reports are slow."],
        /// The code of the tier that the customer had when it was asked, or answered unasked.
        plan: Code => ["pro"],
        /// When it was given.
        submitted_at: OffsetDateTime,
        /// Whether the survey had closed by then.
        is_late: bool => ["false"],
        /// Whether somebody has come back to them about it.
        followed_up: bool => ["false"],
        /// When.
        follow_up_at: Option<OffsetDateTime>,
        /// What came of it.
        follow_up_notes: Option<Note>,
        /// What makes a retry recognisable.
        idempotency_key: Option<IdempotencyKey>,
    }
    relationships {
        customer: "customer" one "who answered",
        contact: "contact" one "which person there",
        survey: "nps survey" one "what was answered",
    }
    actions { submit => submitted, follow_up => followed_up }
    events { detractor_alert, advocacy_candidate }
}

csv::exported!(NpsResponse);

impl NpsResponseId {
    /// The id of the answer to a survey, of which there is one.
    #[must_use]
    pub fn of_survey(survey: NpsSurveyId) -> Self {
        Self::from(Uuid::new_v5(&survey.uuid(), b"nps response"))
    }

    /// The id of the answer that a customer's key stands for.
    #[must_use]
    pub fn of_key(customer: CustomerId, key: &IdempotencyKey) -> Self {
        let name = format!("nps response\0{key}");
        Self::from(Uuid::new_v5(&customer.uuid(), name.as_bytes()))
    }
}

impl NpsResponse {
    /// What tasks, playbooks and workflows that follow from this answer share, so that each follows
    /// once.
    #[must_use]
    pub fn occasion(&self) -> String {
        format!("nps_response:{}", self.id)
    }

    /// Whether the customer is one to ask for a review, a reference or a referral: 9 or 10.
    #[must_use]
    pub const fn is_candidate(&self) -> bool {
        self.score >= CANDIDATE_FROM
    }

    /// The first field in which it differs from an answer that is given again.
    pub(crate) fn differs_from(
        &self,
        given: &CheckedResponse,
        new: &NpsResponseDraft,
    ) -> Option<&'static str> {
        let is_another = |it| matches!(it, NpsAsked::Survey(id) if self.survey_id != Some(id));
        if is_another(new.asked) {
            Some("survey")
        } else if self.score != given.score {
            Some("score")
        } else if self.feedback != given.feedback {
            Some("feedback")
        } else if new.contact.is_some() && self.contact_id != new.contact {
            Some("contact")
        } else if new.submitted_at.is_some_and(|at| utc(at) != self.submitted_at) {
            Some("submitted_at")
        } else {
            None
        }
    }
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NpsAsked {
    /// This survey.
    Survey(NpsSurveyId),
    /// The open survey of this customer, or nothing that was asked.
    Customer(CustomerId),
}

/// An answer that is given.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it is recorded when it is given to `record_nps_response`"]
#[non_exhaustive]
pub struct NpsResponseDraft {
    /// What was answered.
    pub asked: NpsAsked,
    /// Which person answers.
    pub contact: Option<ContactId>,
    /// How likely they recommend: a whole number from 0 to 10.
    pub score: f64,
    /// What they say about it: at most 10,000 characters.
    pub feedback: Option<String>,
    /// When it was given; now unless told otherwise.
    pub submitted_at: Option<OffsetDateTime>,
    /// What makes a retry recognisable where there is no survey that does.
    pub idempotency_key: Option<String>,
}

impl NpsResponseDraft {
    /// The answer to a survey.
    pub fn to(survey: NpsSurveyId, score: impl Into<f64>) -> Self {
        Self::given(NpsAsked::Survey(survey), score.into())
    }

    /// An answer of a customer: to its open survey if it has one, else unasked.
    pub fn of(customer: CustomerId, score: impl Into<f64>) -> Self {
        Self::given(NpsAsked::Customer(customer), score.into())
    }

    const fn given(asked: NpsAsked, score: f64) -> Self {
        let (contact, feedback, submitted_at, idempotency_key) = (None, None, None, None);
        Self { asked, contact, score, feedback, submitted_at, idempotency_key }
    }

    /// By this person.
    pub const fn contact(mut self, contact: ContactId) -> Self {
        self.contact = Some(contact);
        self
    }

    /// With these words.
    pub fn feedback(mut self, feedback: impl Into<String>) -> Self {
        self.feedback = Some(feedback.into());
        self
    }

    /// Given then.
    pub const fn submitted_at(mut self, at: OffsetDateTime) -> Self {
        self.submitted_at = Some(at);
        self
    }

    /// Recognised by this key when it is given again.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Checks everything that can be checked without the records, noting every fault.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault.
    pub(crate) fn checked(
        &self,
        now: OffsetDateTime,
        early_max: Duration,
        mut faults: Faults,
    ) -> Result<CheckedResponse> {
        let score = (0..=10_u32).find(|it| (f64::from(*it) - self.score).abs() == 0.0);
        if score.is_none() {
            faults.add("score", &self.score.to_string(), "must be a whole number from 0 to 10");
        }
        let feedback = self.feedback.as_deref().filter(|it| !it.trim().is_empty());
        let feedback = feedback.and_then(|it| faults.note("feedback", Note::parse(it)));
        let submitted_at = self.submitted_at.map_or(now, utc);
        check_year("submittedAt", submitted_at, &mut faults);
        if submitted_at > now.saturating_add(early_max) {
            let rule = "must not lie in the future";
            faults.add("submittedAt", &submitted_at.to_string(), rule);
        }
        let key: Option<Result<_, Malformed>> =
            self.idempotency_key.as_deref().map(IdempotencyKey::parse);
        let key = key.and_then(|key| faults.note("idempotencyKey", key));
        match score {
            Some(score) if faults.0.is_empty() => {
                let class = NpsClass::of(f64::from(score));
                Ok(CheckedResponse { score, class, feedback, submitted_at, key })
            }
            _ => Err(Error::Invalid(faults)),
        }
    }
}

/// An answer that keeps the rules.
pub(crate) struct CheckedResponse {
    pub(crate) score: u32,
    pub(crate) class: NpsClass,
    pub(crate) feedback: Option<Note>,
    pub(crate) submitted_at: OffsetDateTime,
    pub(crate) key: Option<IdempotencyKey>,
}

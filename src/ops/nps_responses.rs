//! Answers: recorded once, with what follows from an unhappy or a happy one.

use crate::domain::customer::{Customer, CustomerId};
use crate::domain::instant::utc;
use crate::domain::nps::{
    CheckedResponse, FOLLOW_UP, NpsAsked, NpsResponse, NpsResponseDraft, NpsResponseId,
    NpsStanding, NpsStandingId, NpsSurvey, NpsSurveyStatus,
};
use crate::domain::statistics::nps::NpsClass;
use crate::domain::task::{NewTask, Task, TaskId, TaskPriority};
use crate::domain::text::{Code, IdempotencyKey, Note, shortened};
use crate::error::{Error, Faults, Result};
use crate::ops::usage_periods::at_text;
use crate::page::{Cursor, Page};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;

const CUSTOMER: Col = <NpsResponse as Stored>::TABLE.col("customer_id");
const SUBMITTED_AT: Col = <NpsResponse as Stored>::TABLE.col("submitted_at");

impl View<'_> {
    /// The answer with this id.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NpsResponseDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let draft = NpsResponseDraft::of(acme, 9);
    /// let response = tenure.write(|tx| tx.record_nps_response(&draft))?;
    /// assert_eq!(tenure.read(|view| view.nps_response(response.id))?, response);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn nps_response(&self, id: NpsResponseId) -> Result<NpsResponse> {
        self.require(id)
    }

    /// What a customer has answered, newest first, a page at a time.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NpsResponseDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let draft = NpsResponseDraft::of(acme, 9);
    /// let response = tenure.write(|tx| tx.record_nps_response(&draft))?;
    /// let all = tenure.read(|view| view.nps_responses(acme, 10, None))?.items;
    /// assert_eq!(all, [response]);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn nps_responses(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<NpsResponse>> {
        self.customer(customer)?;
        self.page(Query::all().eq(CUSTOMER, &customer).newest_by(SUBMITTED_AT), limit, cursor)
    }
}

impl Tx<'_> {
    /// Records an answer to "how likely are you to recommend us".
    ///
    /// - 0–6: a task `nps_followup` of high priority for the CSM, due in 24 hours, and
    ///   `nps_response.detractor_alert`. 9–10: `nps_response.advocacy_candidate`. An answer of more
    ///   than 30 days ago only counts.
    /// - A survey has one answer. The same one again changes nothing, another is refused. After the
    ///   survey has closed it still counts, and is marked as late.
    /// - An answer of a customer that names no survey is one to the survey that is open, if there is
    ///   one; else it was given unasked. It counts in the score, not in the response rate. It needs a
    ///   key to be recognised when it is given again.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, NpsClass, NpsResponseDraft, NpsSurveyDraft, TaskFilter, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let tasks = tenure.write(|tx| {
    ///     let survey = tx.send_nps_survey(&NpsSurveyDraft::to(acme, "quarterly_nps"))?;
    ///     let answer = NpsResponseDraft::to(survey.id, 3).feedback("The reports are slow");
    ///     let response = tx.record_nps_response(&answer)?;
    ///     assert_eq!(response.class, NpsClass::Detractor);
    ///     assert_eq!(tx.record_nps_response(&answer)?, response);
    ///     tx.view().tasks(&TaskFilter::of(acme), 10, None)
    /// })?;
    /// assert_eq!(tasks.items[0].kind.as_str(), "nps_followup");
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault: a score that is no whole number from 0 to 10, a contact
    /// of another customer, a time to come or before the survey was sent; [`Error::NotFound`];
    /// [`Error::Taken`] when the survey has another answer; [`Error::KeyReused`] when the key stands
    /// for another.
    pub fn record_nps_response(&mut self, draft: &NpsResponseDraft) -> Result<NpsResponse> {
        self.config().nps.check()?;
        let named = match draft.asked {
            NpsAsked::Survey(id) => Some(self.require::<NpsSurvey>(id)?),
            NpsAsked::Customer(_) => None,
        };
        let customer = match (draft.asked, &named) {
            (NpsAsked::Customer(id), _) => id,
            (NpsAsked::Survey(_), Some(survey)) => survey.customer_id,
            (NpsAsked::Survey(id), None) => return Err(Error::not_found("nps survey", id)),
        };
        let customer = self.view().customer(customer)?;
        let mut faults = Faults::default();
        self.check_nps_contact(customer.id, draft.contact, &mut faults)?;
        let sent_at = named.as_ref().map(|it| it.sent_at);
        if let (Some(sent), Some(at)) = (sent_at, draft.submitted_at)
            && utc(at) < sent
        {
            faults.add("submittedAt", &at.to_string(), "must not be before the survey was sent");
        }
        let given = draft.checked(self.now(), self.config().early_usage_max, faults)?;
        if let Some(key) = &given.key
            && let Some(known) = self.get::<NpsResponse>(NpsResponseId::of_key(customer.id, key))?
        {
            let (key, event_id) = (key.to_string(), known.id.uuid());
            return match known.differs_from(&given, draft) {
                Some(field) => Err(Error::KeyReused { key, field, event_id }),
                None => Ok(known),
            };
        }
        if let Some(known) = named.as_ref().and_then(|it| it.response_id) {
            let known = self.require::<NpsResponse>(known)?;
            return match (known.differs_from(&given, draft), known.survey_id) {
                (Some(_), Some(survey)) => {
                    let (noun, field) = ("nps response", "survey_id");
                    Err(Error::taken(noun, field, &survey.to_string(), known.id))
                }
                _ => Ok(known),
            };
        }
        let survey = match named {
            Some(survey) => Some(survey),
            None => self.open_survey(customer.id, draft, &given)?,
        };
        self.whole(|tx| tx.keep_response(&customer, survey, draft, given))
    }

    /// The survey that an answer which names none is one to.
    fn open_survey(
        &self,
        customer: CustomerId,
        draft: &NpsResponseDraft,
        given: &CheckedResponse,
    ) -> Result<Option<NpsSurvey>> {
        let standing = self.get::<NpsStanding>(NpsStandingId::of(customer))?;
        let Some(id) = standing.and_then(|it| it.survey_id) else { return Ok(None) };
        let survey = self.get::<NpsSurvey>(id)?.filter(|it| it.takes(given.submitted_at));
        let is_for = |it: &NpsSurvey| {
            it.contact_id.is_none() || draft.contact.is_none() || it.contact_id == draft.contact
        };
        Ok(survey.filter(is_for))
    }

    fn keep_response(
        &mut self,
        customer: &Customer,
        survey: Option<NpsSurvey>,
        draft: &NpsResponseDraft,
        given: CheckedResponse,
    ) -> Result<NpsResponse> {
        let at = given.submitted_at;
        let survey_id = survey.as_ref().map(|it| it.id);
        let id = match (&given.key, survey_id) {
            (Some(key), _) => NpsResponseId::of_key(customer.id, key),
            (None, Some(survey)) => NpsResponseId::of_survey(survey),
            (None, None) => self.fresh(),
        };
        let plan = survey.as_ref().map_or(&customer.tier, |it| &it.metadata.plan).clone();
        let response = NpsResponse {
            id,
            customer_id: customer.id,
            contact_id: draft.contact.or_else(|| survey.as_ref()?.contact_id),
            survey_id,
            score: given.score,
            class: given.class,
            feedback: given.feedback,
            plan,
            submitted_at: at,
            is_late: survey.as_ref().is_some_and(|it| at >= it.closes_at),
            followed_up: false,
            follow_up_at: None,
            follow_up_notes: None,
            idempotency_key: given.key,
        };
        self.insert(&response)?;
        if let Some(mut survey) = survey {
            survey.status = NpsSurveyStatus::Answered;
            survey.answered_at = Some(at);
            survey.response_id = Some(id);
            survey.due_at = None;
            self.put(&survey)?;
            self.announce("nps_survey.answered", survey.id, customer.id, json!({ "response": id }));
        }
        self.stand(&response)?;
        self.evaluate_soon(customer.id)?;
        let data = json!({
            "score": response.score, "class": response.class, "survey": survey_id,
            "contact": response.contact_id, "late": response.is_late,
            "occasion": response.occasion(),
        });
        self.announce("nps_response.submitted", id, customer.id, data);
        if at >= self.now().saturating_sub(self.config().nps.history_after) {
            self.follow_from(customer, &response)?;
        }
        Ok(response)
    }

    /// Notes what a customer said last.
    fn stand(&mut self, response: &NpsResponse) -> Result<()> {
        let customer = response.customer_id;
        let known = self.get::<NpsStanding>(NpsStandingId::of(customer))?;
        let mut standing = known.clone().unwrap_or_else(|| NpsStanding::new(customer));
        if standing.responded_at.is_none_or(|at| at <= response.submitted_at) {
            standing.score = Some(response.score);
            standing.responded_at = Some(response.submitted_at);
        }
        if standing.survey_id.is_some() && standing.survey_id == response.survey_id {
            (standing.survey_id, standing.surveyed_at) = (None, None);
        }
        if known.as_ref() == Some(&standing) { Ok(()) } else { self.put(&standing) }
    }

    /// What an answer leads to.
    fn follow_from(&mut self, customer: &Customer, response: &NpsResponse) -> Result<()> {
        let (id, occasion, score) = (response.id, response.occasion(), response.score);
        if response.class == NpsClass::Detractor {
            let due = utc(self.now().saturating_add(self.config().nps.follow_up_within));
            let said = response.feedback.as_ref().map(|it| shortened(it.as_str()));
            let said = said.map(|it| format!(": “{it}”")).unwrap_or_default();
            let description = format!("Call {}, who gave {score} of 10{said}", customer.name);
            let task = NewTask::new(customer.id, FOLLOW_UP, description);
            let task = task.priority(TaskPriority::High).due_at(due).occasion(&occasion);
            let task = self.create_task(&task)?;
            let data = json!({
                "score": score, "csm": customer.csm_id, "severity": "high",
                "task": task.id, "dueAt": at_text(due), "occasion": occasion,
            });
            self.announce("nps_response.detractor_alert", id, customer.id, data);
        } else if response.is_candidate() {
            let data = json!({ "score": score, "csm": customer.csm_id, "occasion": occasion });
            self.announce("nps_response.advocacy_candidate", id, customer.id, data);
        }
        Ok(())
    }

    /// Records that somebody has come back to who answered, and what came of it; the task of that is
    /// done with it. Doing so again changes nothing but the notes, if there are others.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, NpsResponseDraft, TaskFilter, TaskStatus, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let tasks = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     let response = tx.record_nps_response(&NpsResponseDraft::of(acme, 2))?;
    ///     tx.follow_up_response(response.id, "They wait for faster reports")?;
    ///     tx.view().tasks(&TaskFilter::of(acme), 10, None)
    /// })?;
    /// assert_eq!(tasks.items[0].status, TaskStatus::Completed);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] for notes of more than 10,000 characters.
    pub fn follow_up_response(&mut self, id: NpsResponseId, notes: &str) -> Result<NpsResponse> {
        let parsed = Note::parse(notes).map_err(Error::malformed("notes"))?;
        let parsed = Some(parsed).filter(|it| !it.as_str().trim().is_empty());
        let mut response = self.require::<NpsResponse>(id)?;
        if response.followed_up && (parsed.is_none() || parsed == response.follow_up_notes) {
            return Ok(response);
        }
        let is_news = !response.followed_up;
        response.followed_up = true;
        response.follow_up_at = response.follow_up_at.or(Some(self.now()));
        response.follow_up_notes = parsed.or(response.follow_up_notes);
        self.whole(|tx| {
            tx.put(&response)?;
            if is_news {
                let data = json!({ "score": response.score, "occasion": response.occasion() });
                tx.announce("nps_response.followed_up", id, response.customer_id, data);
            }
            let parts = (Code::parse(FOLLOW_UP), IdempotencyKey::parse(&response.occasion()));
            if let (Ok(kind), Ok(occasion)) = parts {
                let task = TaskId::of(response.customer_id, &kind, &occasion);
                if tx.get::<Task>(task)?.is_some() {
                    tx.complete_task(task, Some(notes).filter(|it| !it.trim().is_empty()))?;
                }
            }
            Ok(response)
        })
    }
}

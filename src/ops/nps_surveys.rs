//! Surveys: sent no more often than customers bear, reminded of, closed.

use crate::domain::contact::Contact;
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::instant::{check_year, utc};
use crate::domain::nps::{
    NpsContext, NpsStanding, NpsStandingId, NpsSurvey, NpsSurveyDraft, NpsSurveyId, NpsSurveyStatus,
};
use crate::domain::text::{Code, IdempotencyKey};
use crate::error::{Error, Faults, Result};
use crate::ops::billing::monthly_sums;
use crate::ops::usage_periods::at_text;
use crate::page::{Cursor, Page};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use time::OffsetDateTime;

const CUSTOMER: Col = <NpsSurvey as Stored>::TABLE.col("customer_id");
const SENT_AT: Col = <NpsSurvey as Stored>::TABLE.col("sent_at");
const DUE_AT: Col = <NpsSurvey as Stored>::TABLE.col("due_at");
const STANDING: Col = <NpsStanding as Stored>::TABLE.col("id");

impl View<'_> {
    /// The survey with this id.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NpsSurveyDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let draft = NpsSurveyDraft::to(acme, "quarterly_nps");
    /// let survey = tenure.write(|tx| tx.send_nps_survey(&draft))?;
    /// assert_eq!(tenure.read(|view| view.nps_survey(survey.id))?, survey);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn nps_survey(&self, id: NpsSurveyId) -> Result<NpsSurvey> {
        self.require(id)
    }

    /// The surveys that a customer got, newest first, a page at a time.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NpsSurveyDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let draft = NpsSurveyDraft::to(acme, "quarterly_nps");
    /// let survey = tenure.write(|tx| tx.send_nps_survey(&draft))?;
    /// let all = tenure.read(|view| view.nps_surveys(acme, 10, None))?.items;
    /// assert_eq!(all, [survey]);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn nps_surveys(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<NpsSurvey>> {
        self.customer(customer)?;
        self.page(Query::all().eq(CUSTOMER, &customer).newest_by(SENT_AT), limit, cursor)
    }

    /// What a customer said last, and when it was last asked in vain; none if it was never asked and
    /// never answered.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NpsSurveyDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let draft = NpsSurveyDraft::to(acme, "quarterly_nps");
    /// let survey = tenure.write(|tx| tx.send_nps_survey(&draft))?;
    /// let standing = tenure.read(|view| view.nps_standing(acme))?;
    /// assert_eq!(standing.and_then(|it| it.survey_id), Some(survey.id));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn nps_standing(&self, customer: CustomerId) -> Result<Option<NpsStanding>> {
        self.customer(customer)?;
        self.get(NpsStandingId::of(customer))
    }

    /// From when on a customer may be asked; none for now.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NpsSurveyDraft, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let draft = NpsSurveyDraft::to(acme, "quarterly_nps");
    /// let survey = tenure.write(|tx| tx.send_nps_survey(&draft))?;
    /// let again = tenure.read(|view| view.nps_allowed_at(acme))?;
    /// assert_eq!(again, Some(survey.sent_at + time::Duration::days(30)));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn nps_allowed_at(&self, customer: CustomerId) -> Result<Option<OffsetDateTime>> {
        let allowed = self.nps_standing(customer)?.and_then(|it| it.allowed_at(&self.config().nps));
        Ok(allowed.filter(|at| *at > self.now()))
    }

    /// What the customers from `first` to `last` said last, in the order of their ids; those who
    /// never did are left out.
    pub(crate) fn last_nps(&self, first: CustomerId, last: CustomerId) -> Result<Vec<NpsStanding>> {
        let mut standings = self.of_customers::<NpsStanding>(STANDING, first, last)?;
        standings.retain(|it| it.score.is_some());
        Ok(standings)
    }

    /// When the next survey is to be reminded of, or closes.
    pub(crate) fn next_survey_due(&self) -> Result<Option<OffsetDateTime>> {
        let set = Query::all().filter(DUE_AT, Op::Ne, &None::<OffsetDateTime>).oldest_by(DUE_AT);
        Ok(self.first::<NpsSurvey>(set)?.and_then(|it| it.due_at))
    }

    /// The surveys that are to be reminded of, or to be closed, at most `limit`.
    pub(crate) fn surveys_due(&self, limit: usize) -> Result<Vec<NpsSurvey>> {
        let due = Query::all().filter(DUE_AT, Op::Le, &Some(self.now()));
        self.find(&due.oldest_by(DUE_AT).limit(limit))
    }
}

impl Tx<'_> {
    /// Records that a customer is asked how likely it is to recommend the product. The host sends
    /// the question when it hears `nps_survey.sent`, and a reminder at `nps_survey.reminder_due`. Of
    /// a survey that came with its own [`sent_at`](NpsSurveyDraft::sent_at), the event says
    /// `sentElsewhere`: there the question has been asked.
    ///
    /// A customer is not asked within 90 days of its last answer, nor within 30 days of the last
    /// survey that got none ([`NpsRules`](crate::NpsRules)). A survey with the same occasion is
    /// the same survey: it is returned as it is by now.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Error, NpsSurveyDraft, Tenure};
    /// use time::Duration;
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let survey = NpsSurveyDraft::to(acme, "quarterly_nps");
    /// let sent = tenure.write(|tx| tx.send_nps_survey(&survey))?;
    /// let again = tenure.write(|tx| tx.send_nps_survey(&survey));
    /// let Err(Error::TooSoon { allowed_at, .. }) = again else { panic!("it was just asked") };
    /// assert_eq!(allowed_at, sent.sent_at + Duration::days(30));
    /// # Ok::<_, Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::TooSoon`] with when it is allowed again; [`Error::Invalid`]
    /// with every fault: a contact of another customer, a time to come, rules that make no sense;
    /// [`Error::KeyReused`] when the occasion was another trigger's or another person's.
    pub fn send_nps_survey(&mut self, draft: &NpsSurveyDraft) -> Result<NpsSurvey> {
        let (rules, now) = (self.config().nps, self.now());
        rules.check()?;
        let customer = self.view().customer(draft.customer)?;
        let mut faults = Faults::default();
        let trigger = faults.note("trigger", Code::parse(&draft.trigger));
        let occasion = draft.occasion.as_deref().map(IdempotencyKey::parse);
        let occasion = occasion.and_then(|it| faults.note("occasion", it));
        let sent_at = draft.sent_at.map_or(now, utc);
        check_year("sentAt", sent_at, &mut faults);
        if sent_at > now {
            faults.add("sentAt", &sent_at.to_string(), "must not lie in the future");
        }
        self.check_nps_contact(customer.id, draft.contact, &mut faults)?;
        let (Some(trigger), true) = (trigger, faults.0.is_empty()) else {
            return Err(Error::Invalid(faults));
        };
        let id = match &occasion {
            Some(occasion) => NpsSurveyId::of(customer.id, occasion),
            None => self.fresh(),
        };
        if let Some(known) = self.get::<NpsSurvey>(id)? {
            return same(known, &trigger, draft);
        }
        let standing = self.get::<NpsStanding>(NpsStandingId::of(customer.id))?;
        let mut standing = standing.unwrap_or_else(|| NpsStanding::new(customer.id));
        if let Some(allowed_at) = standing.allowed_at(&rules).filter(|at| *at > sent_at) {
            return Err(Error::TooSoon { noun: "nps survey", allowed_at });
        }
        let closes_at = utc(sent_at.saturating_add(rules.closes_after));
        let survey = NpsSurvey {
            id,
            customer_id: customer.id,
            contact_id: draft.contact,
            trigger,
            occasion,
            status: NpsSurveyStatus::Open,
            sent_at,
            reminded_at: None,
            closes_at,
            closed_at: None,
            answered_at: None,
            response_id: None,
            due_at: Some(utc(sent_at.saturating_add(rules.reminder_after))),
            metadata: self.nps_context(&customer, sent_at)?,
        };
        (standing.survey_id, standing.surveyed_at) = (Some(id), Some(sent_at));
        self.whole(|tx| {
            tx.insert(&survey)?;
            tx.put(&standing)?;
            let data = json!({
                "contact": survey.contact_id, "trigger": survey.trigger,
                "sentElsewhere": draft.sent_at.is_some(), "closesAt": at_text(closes_at),
            });
            tx.announce("nps_survey.sent", id, customer.id, data);
            Ok(survey)
        })
    }

    /// Notes a fault if a person does not belong to the customer.
    pub(crate) fn check_nps_contact(
        &self,
        customer: CustomerId,
        contact: Option<crate::ContactId>,
        faults: &mut Faults,
    ) -> Result<()> {
        let Some(id) = contact else { return Ok(()) };
        if self.get::<Contact>(id)?.is_none_or(|it| it.customer_id != customer) {
            faults.add("contact", &id.to_string(), "must be a contact of the customer");
        }
        Ok(())
    }

    /// What a customer is when it is asked at `at`.
    fn nps_context(&self, customer: &Customer, at: OffsetDateTime) -> Result<NpsContext> {
        let running = self.view().running(customer.id)?;
        let mrr = monthly_sums(running.into_iter().filter_map(|it| it.mrr))?;
        let tenure = at.unix_timestamp().saturating_sub(customer.created_at.unix_timestamp());
        Ok(NpsContext::new(customer.tier.clone(), mrr, tenure.div_euclid(86_400).max(0)))
    }

    /// Tells that a reminder of a survey is due, or closes it if its time is over or its customer is
    /// gone. Returns whether it was closed.
    pub(crate) fn advance_survey(&mut self, mut survey: NpsSurvey) -> Result<bool> {
        let (id, customer, now) = (survey.id, survey.customer_id, self.now());
        let asked = self.get::<Customer>(customer)?.filter(|it| it.deleted_at.is_none());
        let closes = survey.closes_at <= now || asked.is_none();
        if closes {
            survey.status = NpsSurveyStatus::Closed;
            survey.closed_at = Some(survey.closes_at.min(now));
            survey.due_at = None;
        } else {
            survey.reminded_at = Some(now);
            survey.due_at = Some(survey.closes_at);
        }
        self.put(&survey)?;
        let event = if closes { "nps_survey.closed" } else { "nps_survey.reminder_due" };
        let data = json!({ "contact": survey.contact_id, "trigger": survey.trigger });
        self.announce(event, id, customer, data);
        Ok(closes)
    }
}

/// The survey of an occasion, if it was the same one.
fn same(known: NpsSurvey, trigger: &Code, draft: &NpsSurveyDraft) -> Result<NpsSurvey> {
    let field = if known.trigger != *trigger {
        "trigger"
    } else if known.contact_id != draft.contact {
        "contact"
    } else {
        return Ok(known);
    };
    let (key, event_id) = (draft.occasion.clone().unwrap_or_default(), known.id.uuid());
    Err(Error::KeyReused { key, field, event_id })
}

#[cfg(test)]
mod tests {
    use crate::store::memory::MemoryStore;
    use crate::{CustomerDraft, Error, NpsResponseDraft, Tenure};
    use uuid::Uuid;

    #[test]
    fn the_last_scores_of_a_range_of_customers_are_read_in_one_go() {
        let tenure = Tenure::open(MemoryStore::new()).unwrap();
        let (all, last) = tenure
            .write(|tx| {
                let mut all = Vec::new();
                for (name, scores) in [("A", vec![3, 9]), ("B", vec![]), ("C", vec![0])] {
                    let id = tx.create_customer(&CustomerDraft::named(name))?.id;
                    for score in &scores {
                        tx.record_nps_response(&NpsResponseDraft::of(id, *score))?;
                    }
                    all.extend(scores.last().map(|score| (id, Some(*score))));
                }
                all.sort_unstable();
                let (first, last) = (Uuid::nil().into(), Uuid::max().into());
                Ok::<_, Error>((all, tx.view().last_nps(first, last)?))
            })
            .unwrap();
        let last: Vec<_> = last.iter().map(|it| (it.customer_id(), it.score)).collect();
        assert_eq!(last, all);
    }
}

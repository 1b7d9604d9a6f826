//! Leads: scored, asked the four questions, qualified.

use crate::domain::customer::{CustomerAction, CustomerId, CustomerStatus};
use crate::domain::lead::{
    BANT, BantAnswers, ENGAGEMENT, LeadQualification, LeadScore, LeadValues, lead_score,
};
use crate::error::{Faults, Result};
use crate::page::{Cursor, Page};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;

const SCORED: Col = <LeadScore as Stored>::TABLE.col("customer_id");
const CALCULATED_AT: Col = <LeadScore as Stored>::TABLE.col("calculated_at");
const ASKED: Col = <LeadQualification as Stored>::TABLE.col("customer_id");
const CREATED_AT: Col = <LeadQualification as Stored>::TABLE.col("created_at");

impl View<'_> {
    /// The scores that a lead had, newest first, a page at a time: the first is the present one.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, LeadValues, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let scores = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.score_lead(acme, &LeadValues::default().set("industry", 90.0))?;
    ///     tx.view().lead_scores(acme, 10, None)
    /// })?;
    /// assert_eq!(scores.items[0].score, 90);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound); [`Error::Invalid`](crate::Error::Invalid) when `limit` is not 1–1,000.
    pub fn lead_scores(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<LeadScore>> {
        self.customer(customer)?;
        self.page(Query::all().eq(SCORED, &customer).newest_by(CALCULATED_AT), limit, cursor)
    }

    /// What was answered of a lead, each time that changed, newest first, a page at a time: the first
    /// is what holds now.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{BantAnswers, CustomerDraft, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let answers = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.qualify_lead(acme, &BantAnswers::default().need(true))?;
    ///     tx.view().lead_qualifications(acme, 10, None)
    /// })?;
    /// assert_eq!(answers.items[0].answers(), [None, None, Some(true), None]);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound); [`Error::Invalid`](crate::Error::Invalid) when `limit` is not 1–1,000.
    pub fn lead_qualifications(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<LeadQualification>> {
        self.customer(customer)?;
        self.page(asked(customer), limit, cursor)
    }
}

/// The answers of a lead, the latest first.
fn asked(customer: CustomerId) -> Query {
    Query::all().eq(ASKED, &customer).newest_by(CREATED_AT)
}

impl Tx<'_> {
    /// Scores a lead by these values and, where they are silent, by what was answered and by the
    /// customer's engagement. None while nothing at all is known. A score whose factors did not
    /// change is not kept twice.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{BantAnswers, CustomerDraft, LeadValues, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let score = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.qualify_lead(acme, &BantAnswers::default().budget(true).need(false))?;
    ///     tx.score_lead(acme, &LeadValues::default().set("size", 80.0))
    /// })?;
    /// // (20 × 100 + 20 × 0 + 10 × 80) ÷ 50
    /// assert_eq!(score.map(|it| it.score), Some(56));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound); [`Error::Invalid`](crate::Error::Invalid) with every value that is not 0–100 or of a factor
    /// without a weight, and when the configured weights cannot be used.
    pub fn score_lead(
        &mut self,
        customer: CustomerId,
        values: &LeadValues,
    ) -> Result<Option<LeadScore>> {
        let (view, mut values) = (self.view(), values.clone());
        let customer = view.customer(customer)?;
        let rules = &view.config().lead;
        rules.check()?;
        let has_weight = |factor: &str| rules.weights.contains_key(factor);
        if let Some(answers) = view.first::<LeadQualification>(asked(customer.id))? {
            for (factor, answer) in BANT.into_iter().zip(answers.answers()) {
                if let Some(is_yes) = answer.filter(|_| has_weight(factor)) {
                    values.or(factor, if is_yes { 100.0 } else { 0.0 });
                }
            }
        }
        if let Some(score) = customer.engagement_score.filter(|_| has_weight(ENGAGEMENT)) {
            values.or(ENGAGEMENT, f64::from(score));
        }
        let factors = rules.factors(&values)?;
        let Some(score) = lead_score(&factors) else { return Ok(None) };
        let latest = Query::all().eq(SCORED, &customer.id).newest_by(CALCULATED_AT);
        if let Some(latest) = view.first::<LeadScore>(latest)?
            && (latest.score, &latest.factors) == (score, &factors)
        {
            return Ok(Some(latest));
        }
        let calculated_at = self.now();
        let score =
            LeadScore { id: self.fresh(), customer_id: customer.id, score, factors, calculated_at };
        self.insert(&score)?;
        let data = json!({ "score": score.score });
        self.announce("lead_score.calculated", score.id, customer.id, data);
        Ok(Some(score))
    }

    /// Records what a lead answered about budget, authority, need and timeline. When all four are
    /// yes, a prospect becomes a lead. What is known already changes nothing; a lead does not become
    /// a prospect again when an answer changes.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{BantAnswers, CustomerDraft, CustomerStatus, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let status = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.qualify_lead(acme, &BantAnswers::default().budget(true).need(true))?;
    ///     tx.qualify_lead(acme, &BantAnswers::default().authority(true).timeline(true))?;
    ///     Ok::<_, tenure::Error>(tx.view().customer(acme)?.status)
    /// })?;
    /// assert_eq!(status, CustomerStatus::Lead);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound); [`Error::Invalid`](crate::Error::Invalid) when the notes are longer than 10,000 characters.
    pub fn qualify_lead(
        &mut self,
        customer: CustomerId,
        answers: &BantAnswers,
    ) -> Result<LeadQualification> {
        let customer = self.view().customer(customer)?;
        let known = self.view().first::<LeadQualification>(asked(customer.id))?;
        let blank = || LeadQualification {
            id: self.fresh(),
            customer_id: customer.id,
            budget: None,
            authority: None,
            need: None,
            timeline: None,
            is_qualified: false,
            notes: None,
            performed_by: self.actor().to_owned(),
            created_at: self.now(),
        };
        let mut next = known.clone().unwrap_or_else(blank);
        let before = next.clone();
        let mut faults = Faults::default();
        answers.apply(&mut next, &mut faults);
        faults.check()?;
        self.whole(|tx| {
            if next != before {
                next.id = tx.fresh();
                next.performed_by = tx.actor().to_owned();
                next.created_at = tx.now();
                tx.insert(&next)?;
                let data = json!({
                    "budget": next.budget, "authority": next.authority, "need": next.need,
                    "timeline": next.timeline, "isQualified": next.is_qualified,
                });
                tx.announce("lead_qualification.answered", next.id, customer.id, data);
            }
            if next.is_qualified && customer.status == CustomerStatus::Prospect {
                tx.move_customer(customer.id, CustomerAction::Qualify)?;
            }
            Ok(next)
        })
    }
}

//! Opportunities of expansion: listed, won, lost, handed over.

use crate::domain::customer::{Customer, CustomerId};
use crate::domain::expansion::{
    ExpansionHistory, ExpansionHistoryId, ExpansionOpportunity, OpportunityAction, OpportunityId,
    OpportunityStatus,
};
use crate::domain::text::Note;
use crate::error::{Error, Result};
use crate::page::{Cursor, Page};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;

const CUSTOMER: Col = <ExpansionOpportunity as Stored>::TABLE.col("customer_id");
const STATUS: Col = <ExpansionOpportunity as Stored>::TABLE.col("status");
const DETECTED_AT: Col = <ExpansionOpportunity as Stored>::TABLE.col("detected_at");

impl View<'_> {
    /// The opportunity with this id.
    ///
    /// ```
    /// use tenure::domain::facts::names;
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, CustomerFacts, Figure, FigureSource, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?;
    ///     let at = tx.now();
    ///     let mut facts = CustomerFacts::new(acme.id, acme.tier, acme.created_at, at);
    ///     let grown = Figure { value: 0.3, at, source: FigureSource::Host };
    ///     facts.figures.set(names::TEAM_GROWTH, grown);
    ///     let found = tx.evaluate_expansion(&facts)?.open.remove(0);
    ///     assert_eq!(tx.view().expansion_opportunity(found.id)?, found);
    ///     Ok::<_, tenure::Error>(())
    /// })?;
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also when its customer is deleted.
    pub fn expansion_opportunity(&self, id: OpportunityId) -> Result<ExpansionOpportunity> {
        let opportunity = self.require::<ExpansionOpportunity>(id)?;
        self.customer(opportunity.customer_id)?;
        Ok(opportunity)
    }

    /// The opportunities of a customer, closed ones included, newest first, a page at a time.
    ///
    /// ```
    /// use tenure::domain::facts::names;
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, CustomerFacts, Figure, FigureSource, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?;
    ///     let at = tx.now();
    ///     let mut facts = CustomerFacts::new(acme.id, acme.tier, acme.created_at, at);
    ///     let grown = Figure { value: 0.3, at, source: FigureSource::Host };
    ///     facts.figures.set(names::TEAM_GROWTH, grown);
    ///     let found = tx.evaluate_expansion(&facts)?.open.remove(0);
    ///     let page = tx.view().expansion_opportunities(acme.id, 10, None)?;
    ///     assert_eq!(page.items, [found]);
    ///     Ok::<_, tenure::Error>(())
    /// })?;
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn expansion_opportunities(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<ExpansionOpportunity>> {
        self.customer(customer)?;
        self.page(Query::all().eq(CUSTOMER, &customer).newest_by(DETECTED_AT), limit, cursor)
    }
}

impl Tx<'_> {
    /// Notes that the customer bought. One that is won already stays as it is.
    ///
    /// ```
    /// use tenure::domain::facts::names;
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, CustomerFacts, Figure, FigureSource, OpportunityStatus, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?;
    ///     let at = tx.now();
    ///     let mut facts = CustomerFacts::new(acme.id, acme.tier, acme.created_at, at);
    ///     let grown = Figure { value: 0.3, at, source: FigureSource::Host };
    ///     facts.figures.set(names::TEAM_GROWTH, grown);
    ///     let found = tx.evaluate_expansion(&facts)?.open.remove(0);
    ///     let won = tx.win_opportunity(found.id)?;
    ///     assert_eq!(won.status, OpportunityStatus::Won);
    ///     Ok::<_, tenure::Error>(())
    /// })?;
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::InvalidTransition`] when it is lost.
    pub fn win_opportunity(&mut self, id: OpportunityId) -> Result<ExpansionOpportunity> {
        self.decide(id, OpportunityAction::Win, None)
    }

    /// Notes that the customer did not buy, and why, in at most 10,000 characters; an empty reason
    /// is none. One that is lost already stays as it is, with its first reason.
    ///
    /// ```
    /// use tenure::domain::facts::names;
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, CustomerFacts, Figure, FigureSource, OpportunityStatus, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?;
    ///     let at = tx.now();
    ///     let mut facts = CustomerFacts::new(acme.id, acme.tier, acme.created_at, at);
    ///     let grown = Figure { value: 0.3, at, source: FigureSource::Host };
    ///     facts.figures.set(names::TEAM_GROWTH, grown);
    ///     let found = tx.evaluate_expansion(&facts)?.open.remove(0);
    ///     let lost = tx.lose_opportunity(found.id, "no budget this year")?;
    ///     assert_eq!(lost.status, OpportunityStatus::Lost);
    ///     assert!(tx.evaluate_expansion(&facts)?.open.is_empty()); // for ninety days
    ///     Ok::<_, tenure::Error>(())
    /// })?;
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`]; [`Error::InvalidTransition`] when it is won.
    pub fn lose_opportunity(
        &mut self,
        id: OpportunityId,
        reason: &str,
    ) -> Result<ExpansionOpportunity> {
        let reason = Note::parse(reason.trim()).map_err(Error::malformed("reason"))?;
        let reason = Some(reason).filter(|it| !it.as_str().is_empty());
        self.decide(id, OpportunityAction::Lose, reason)
    }

    fn decide(
        &mut self,
        id: OpportunityId,
        action: OpportunityAction,
        reason: Option<Note>,
    ) -> Result<ExpansionOpportunity> {
        let mut opportunity = self.view().expansion_opportunity(id)?;
        if let Some(to) = opportunity.status.after(action)? {
            let history = self.get(ExpansionHistoryId::of(opportunity.customer_id))?;
            self.whole(|tx| tx.close_opportunity(&mut opportunity, to, reason, history))?;
        }
        Ok(opportunity)
    }

    /// Closes an opportunity and returns the customer's history with it.
    pub(crate) fn close_opportunity(
        &mut self,
        opportunity: &mut ExpansionOpportunity,
        to: OpportunityStatus,
        reason: Option<Note>,
        history: Option<ExpansionHistory>,
    ) -> Result<ExpansionHistory> {
        let (now, customer) = (self.now(), opportunity.customer_id);
        opportunity.status = to;
        opportunity.lost_reason = reason;
        opportunity.open_for = None;
        opportunity.closed_at = Some(now);
        opportunity.updated_at = now;
        let mut history = history.unwrap_or_else(|| ExpansionHistory::new(customer));
        history.note(opportunity, now);
        self.put(opportunity)?;
        self.put(&history)?;
        let data = json!({
            "kind": opportunity.kind, "estimatedValue": opportunity.estimated_value,
            "reason": opportunity.lost_reason,
        });
        self.announce(format!("expansion_opportunity.{to}"), opportunity.id, customer, data);
        Ok(history)
    }

    /// Gives what is open for a customer to who looks after it now.
    pub(crate) fn hand_over_opportunities(&mut self, customer: &Customer) -> Result<()> {
        let csm = customer.csm_id;
        self.change_open(customer.id, |it| it.csm_id = csm)
    }

    /// Takes what is open for a deleted customer from where it is found.
    pub(crate) fn hide_opportunities(&mut self, customer: CustomerId) -> Result<()> {
        self.change_open(customer, |it| it.open_for = None)
    }

    /// Brings back what is open for a customer that was deleted.
    pub(crate) fn show_opportunities(&mut self, customer: CustomerId) -> Result<()> {
        self.change_open(customer, |it| it.open_for = Some(customer))
    }

    fn change_open(
        &mut self,
        customer: CustomerId,
        change: impl Fn(&mut ExpansionOpportunity),
    ) -> Result<()> {
        let open = Query::all().eq(CUSTOMER, &customer).eq(STATUS, &OpportunityStatus::Open);
        for mut opportunity in self.view().all::<ExpansionOpportunity>(open)? {
            let before = opportunity.clone();
            change(&mut opportunity);
            if opportunity != before {
                self.put(&opportunity)?;
            }
        }
        Ok(())
    }
}

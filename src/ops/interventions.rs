//! Interventions: started by a signal or by hand, moved on by what happens, ended.

use crate::domain::churn::intervention::{
    ActionStatus, Intervention, InterventionAction, InterventionActionId, InterventionId,
    InterventionStatus, OfferAnswer,
};
use crate::domain::churn::playbook::Condition;
use crate::domain::churn::signals::{ChurnSignal, SignalKind};
use crate::domain::customer::CustomerId;
use crate::domain::text::Note;
use crate::domain::user::UserId;
use crate::error::{Error, Result};
use crate::ops::churn::has_left;
use crate::page::{Cursor, Page};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;

const CUSTOMER: Col = <Intervention as Stored>::TABLE.col("customer_id");
const STARTED_AT: Col = <Intervention as Stored>::TABLE.col("started_at");
const OWNER_ID: Col = <Intervention as Stored>::TABLE.col("owner_id");
const STATUS: Col = <Intervention as Stored>::TABLE.col("status");
const SIGNAL_KIND: Col = <ChurnSignal as Stored>::TABLE.col("kind");
const SIGNAL_OPEN: Col = <ChurnSignal as Stored>::TABLE.col("open_for");

impl View<'_> {
    /// The intervention with this id.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, SignalKind, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let case = tenure.write(|tx| tx.start_intervention(acme, SignalKind::NoLogin7Days))?;
    /// let known = tenure.read(|view| view.intervention(case.id))?;
    /// assert_eq!(known, case);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn intervention(&self, id: InterventionId) -> Result<Intervention> {
        self.require(id)
    }

    /// The interventions for a customer, newest first, a page at a time.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, SignalKind, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let case = tenure.write(|tx| tx.start_intervention(acme, SignalKind::NoLogin7Days))?;
    /// let all = tenure.read(|view| view.interventions(acme, 10, None))?.items;
    /// assert_eq!(all, [case]);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn interventions(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Intervention>> {
        self.customer(customer)?;
        self.page(Query::all().eq(CUSTOMER, &customer).newest_by(STARTED_AT), limit, cursor)
    }

    /// The interventions that run for the customers of a CSM, newest first, a page at a time.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{Tenure, UserDraft};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// let running = tenure.write(|tx| {
    ///     let mia = tx.register_user("mia", &UserDraft::default().name("Mia"))?;
    ///     tx.view().interventions_of(mia.id, 10, None)
    /// })?;
    /// assert!(running.items.is_empty());
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn interventions_of(
        &self,
        csm: UserId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Intervention>> {
        self.user(csm)?;
        let running = Query::all().eq(STATUS, &InterventionStatus::InProgress);
        self.page(running.eq(OWNER_ID, &Some(csm)).newest_by(STARTED_AT), limit, cursor)
    }

    /// What an intervention does, in order.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, SignalKind, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let case = tenure.write(|tx| tx.start_intervention(acme, SignalKind::NoLogin7Days))?;
    /// let actions = tenure.read(|view| view.intervention_actions(case.id))?;
    /// assert_eq!((actions[0].order, actions[0].action.as_str()), (1, "send_reengagement_email"));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn intervention_actions(&self, id: InterventionId) -> Result<Vec<InterventionAction>> {
        self.intervention(id)?;
        self.actions_of(id)
    }
}

impl Tx<'_> {
    /// Starts the playbook of a signal for a customer, also one that is not active and whether or
    /// not the signal stands. One that runs already is returned as it is.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{ActionStatus, CustomerDraft, InterventionStatus, SignalKind, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?;
    ///     let case = tx.start_intervention(acme.id, SignalKind::NoLogin7Days)?;
    ///     let mail = tx.view().intervention_actions(case.id)?.remove(0);
    ///     tx.complete_action(mail.id, Some("written by hand"))?;
    ///     tx.record_response(case.id, "back from holiday")?;
    ///     let call = tx.view().intervention_actions(case.id)?.remove(2);
    ///     assert_eq!(call.status, ActionStatus::Skipped, "they have responded");
    ///     tx.finish_intervention(case.id, InterventionStatus::Succeeded, "they are back")
    /// })?;
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Rule`] when the customer has churned.
    pub fn start_intervention(
        &mut self,
        customer: CustomerId,
        signal: SignalKind,
    ) -> Result<Intervention> {
        let customer = self.view().customer(customer)?;
        if has_left(&customer) {
            return Err(Error::rule("a customer that churned has nothing to be kept from"));
        }
        let running = self.view().running_interventions(customer.id)?;
        if let Some(running) = running.into_iter().find(|it| it.signal == signal) {
            return Ok(running);
        }
        let open = Query::all().eq(SIGNAL_OPEN, &Some(customer.id)).eq(SIGNAL_KIND, &signal);
        let signal_id = self.view().first::<ChurnSignal>(open)?.map(|it| it.id);
        let started = self.whole(|tx| tx.begin_intervention(&customer, signal, signal_id, true))?;
        started.ok_or_else(|| Error::rule("the playbook is not active"))
    }

    /// Notes that an action is done, whoever did it: a call that was made, or what a channel would
    /// not take. Doing so again changes nothing.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{ActionStatus, CustomerDraft, SignalKind, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let case = tenure.write(|tx| tx.start_intervention(acme, SignalKind::NoLogin7Days))?;
    /// let mail = tenure.read(|view| view.intervention_actions(case.id))?.remove(0);
    /// let mail = tenure.write(|tx| tx.complete_action(mail.id, Some("written by hand")))?;
    /// assert_eq!(mail.status, ActionStatus::Done);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] for a note that is none; [`Error::Rule`] when it was
    /// skipped.
    pub fn complete_action(
        &mut self,
        id: InterventionActionId,
        note: Option<&str>,
    ) -> Result<InterventionAction> {
        self.settle_by_hand(id, ActionStatus::Done, note, "intervention.action_completed")
    }

    /// Leaves out an action. Doing so again changes nothing.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{ActionStatus, CustomerDraft, SignalKind, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let case = tenure.write(|tx| tx.start_intervention(acme, SignalKind::NoLogin7Days))?;
    /// let mail = tenure.read(|view| view.intervention_actions(case.id))?.remove(0);
    /// let mail = tenure.write(|tx| tx.skip_action(mail.id, "we have just talked"))?;
    /// assert_eq!(mail.status, ActionStatus::Skipped);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] for a reason that is none; [`Error::Rule`] when it is
    /// done or has failed.
    pub fn skip_action(
        &mut self,
        id: InterventionActionId,
        reason: &str,
    ) -> Result<InterventionAction> {
        self.settle_by_hand(id, ActionStatus::Skipped, Some(reason), "intervention.action_skipped")
    }

    fn settle_by_hand(
        &mut self,
        id: InterventionActionId,
        to: ActionStatus,
        note: Option<&str>,
        event: &'static str,
    ) -> Result<InterventionAction> {
        let mut action = self.require::<InterventionAction>(id)?;
        let note = note.map(|it| Note::parse(it).map_err(Error::malformed("note"))).transpose()?;
        let may = !action.status.is_settled()
            || (to, action.status) == (ActionStatus::Done, ActionStatus::Failed);
        match action.status {
            same if same == to => return Ok(action),
            other if !may => return Err(Error::rule(format!("action `{id}` is {other}"))),
            _ => {}
        }
        action.settle(to, note, self.now());
        self.whole(|tx| {
            tx.put(&action)?;
            tx.announce_action(event, &action);
            tx.proceed(action.intervention_id)?;
            Ok(action)
        })
    }

    /// Notes that the customer has responded, and what it said: nobody further is told, and what was
    /// meant for who does not respond is left out. The same again changes nothing.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, SignalKind, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let case = tenure.write(|tx| tx.start_intervention(acme, SignalKind::NoLogin7Days))?;
    /// let case = tenure.write(|tx| tx.record_response(case.id, "back from holiday"))?;
    /// assert!(case.responded_at.is_some() && case.is_open());
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] for a text that is none; [`Error::Rule`] when the
    /// intervention has ended.
    pub fn record_response(&mut self, id: InterventionId, said: &str) -> Result<Intervention> {
        let said = Note::parse(said).map_err(Error::malformed("response"))?;
        let mut intervention = self.running_intervention(id)?;
        if intervention.response.as_ref() == Some(&said) {
            return Ok(intervention);
        }
        intervention.response = Some(said);
        self.whole(|tx| {
            tx.note_response(&mut intervention);
            tx.put(&intervention)?;
            tx.announce("intervention.responded", id, intervention.customer_id, json!({}));
            tx.proceed(id)?;
            Ok(intervention)
        })
    }

    /// Notes what the customer says to an offer, which is a response as well. Who answers an offer
    /// was presented it, so that action is done; who does not want to hear one has rejected it. The
    /// same again changes nothing.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, OfferAnswer, SignalKind, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let case = tenure.write(|tx| tx.start_intervention(acme, SignalKind::NoLogin7Days))?;
    /// let case = tenure.write(|tx| tx.record_offer(case.id, OfferAnswer::Open))?;
    /// assert_eq!(case.offer, Some(OfferAnswer::Open));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Rule`] when the intervention has ended.
    pub fn record_offer(
        &mut self,
        id: InterventionId,
        answer: OfferAnswer,
    ) -> Result<Intervention> {
        let mut intervention = self.running_intervention(id)?;
        if intervention.offer == Some(answer) {
            return Ok(intervention);
        }
        let now = self.now();
        (intervention.offer, intervention.offer_at) = (Some(answer), Some(now));
        self.whole(|tx| {
            tx.note_response(&mut intervention);
            tx.put(&intervention)?;
            let data = json!({ "answer": answer });
            tx.announce("intervention.offer_answered", id, intervention.customer_id, data);
            if matches!(answer, OfferAnswer::Accepted | OfferAnswer::Rejected) {
                for mut action in tx.view().actions_of(id)? {
                    let presents = action.condition == Some(Condition::OpenToOffer);
                    if presents && !action.status.is_settled() {
                        action.settle(ActionStatus::Done, None, now);
                        tx.put(&action)?;
                        tx.announce_action("intervention.action_completed", &action);
                    }
                }
            }
            tx.proceed(id)?;
            Ok(intervention)
        })
    }

    /// Ends an intervention by hand; what it had not done yet is left out. Doing so again changes
    /// nothing.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, InterventionStatus, SignalKind, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// # let case = tenure.write(|tx| tx.start_intervention(acme, SignalKind::NoLogin7Days))?;
    /// let over = InterventionStatus::Succeeded;
    /// let case = tenure.write(|tx| tx.finish_intervention(case.id, over, "they are back"))?;
    /// assert_eq!(case.status, over);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `outcome` is `in_progress`, or the reason is no
    /// text; [`Error::Rule`] when it has ended otherwise.
    pub fn finish_intervention(
        &mut self,
        id: InterventionId,
        outcome: InterventionStatus,
        reason: &str,
    ) -> Result<Intervention> {
        Note::parse(reason).map_err(Error::malformed("reason"))?;
        if outcome == InterventionStatus::InProgress {
            return Err(Error::invalid("outcome", outcome.as_str(), "must be an end"));
        }
        let intervention = self.require::<Intervention>(id)?;
        if intervention.status == outcome {
            return Ok(intervention);
        }
        let intervention = self.running_intervention(id)?;
        self.whole(|tx| tx.end_intervention(intervention, outcome, reason))
    }

    fn running_intervention(&self, id: InterventionId) -> Result<Intervention> {
        let intervention = self.require::<Intervention>(id)?;
        if intervention.is_open() {
            return Ok(intervention);
        }
        Err(Error::rule(format!("intervention `{id}` has {}", intervention.status)))
    }

    /// The customer is no longer silent.
    fn note_response(&self, intervention: &mut Intervention) {
        intervention.responded_at.get_or_insert(self.now());
        intervention.escalates_at = None;
    }
}

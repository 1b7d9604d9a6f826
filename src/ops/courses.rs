//! The course of an intervention: begun, moved on by what happens, ended.

use crate::domain::churn::intervention::{
    ActionStatus, Intervention, InterventionAction, InterventionId, InterventionStatus,
};
use crate::domain::churn::playbook::ActionTiming;
use crate::domain::churn::schedule::{advance, begin, later};
use crate::domain::churn::signals::{ChurnSignalId, SignalKind};
use crate::domain::customer::{Customer, CustomerId};
use crate::domain::text::Note;
use crate::error::Result;
use crate::ops::churn::RUNS_FOR;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const INTERVENTION: Col = <InterventionAction as Stored>::TABLE.col("intervention_id");
const ORDER: Col = <InterventionAction as Stored>::TABLE.col("order");

impl View<'_> {
    /// The actions of an intervention, in order.
    pub(super) fn actions_of(&self, id: InterventionId) -> Result<Vec<InterventionAction>> {
        self.all(Query::all().eq(INTERVENTION, &id).oldest_by(ORDER))
    }

    /// The interventions that run for a customer, at most one for each kind of signal.
    pub(super) fn running_interventions(&self, customer: CustomerId) -> Result<Vec<Intervention>> {
        self.all(Query::all().eq(RUNS_FOR, &Some(customer)))
    }
}

impl Tx<'_> {
    /// Starts a playbook, unless it is not active and nobody insists.
    pub(super) fn begin_intervention(
        &mut self,
        customer: &Customer,
        signal: SignalKind,
        signal_id: Option<ChurnSignalId>,
        insists: bool,
    ) -> Result<Option<Intervention>> {
        let playbook = self.playbook_in_use(signal)?;
        if !playbook.is_active && !insists {
            return Ok(None);
        }
        let now = self.now();
        let intervention = Intervention {
            id: self.fresh(),
            customer_id: customer.id,
            signal,
            signal_id,
            playbook_id: playbook.id,
            status: InterventionStatus::InProgress,
            open_for: Some(customer.id),
            owner: playbook.owner,
            owner_id: customer.csm_id,
            level: 0,
            escalated_to: None,
            escalates_at: playbook.escalation_minutes().map(|minutes| later(now, minutes)),
            started_at: now,
            login_at: None,
            responded_at: None,
            response: None,
            offer: None,
            offer_at: None,
            outcome: None,
            ended_at: None,
        };
        self.insert(&intervention)?;
        let zone = customer.timezone.clone().unwrap_or_default();
        let ends = self.config().churn.business_day_end;
        let mut actions = begin(&playbook, &intervention, &zone, ends);
        advance(&intervention, &mut actions, now);
        for action in &actions {
            self.insert(action)?;
        }
        let data = json!({
            "notification": "churn_intervention_started", "signal": signal,
            "occasion": signal_id, "version": playbook.version,
            "owner": playbook.owner, "csm": customer.csm_id,
        });
        self.announce("intervention.started", intervention.id, customer.id, data);
        Ok(Some(intervention))
    }

    /// Ends an intervention. What has not begun is left out, but not what a login has called for: it
    /// is the login that ends the silence.
    pub(super) fn end_intervention(
        &mut self,
        mut intervention: Intervention,
        status: InterventionStatus,
        why: &str,
    ) -> Result<Intervention> {
        let (id, now) = (intervention.id, self.now());
        intervention.status = status;
        intervention.outcome = Some(Note::clipped(why));
        intervention.ended_at = Some(now);
        (intervention.open_for, intervention.escalates_at) = (None, None);
        self.put(&intervention)?;
        for mut action in self.view().actions_of(id)? {
            let is_welcome = status == InterventionStatus::Succeeded
                && action.timing == ActionTiming::NextLogin
                && action.due_at.is_some();
            if action.status.is_settled() || action.holder.is_some() || is_welcome {
                continue;
            }
            let ended = Note::clipped("the intervention has ended");
            action.settle(ActionStatus::Skipped, Some(ended), now);
            self.put(&action)?;
        }
        let event = match status {
            InterventionStatus::Succeeded => "intervention.succeeded",
            InterventionStatus::Failed => "intervention.failed",
            _ => "intervention.cancelled",
        };
        let data = json!({ "signal": intervention.signal, "reason": why });
        self.announce(event, id, intervention.customer_id, data);
        Ok(intervention)
    }

    /// Notes a login after the start, the first only.
    pub(super) fn see_login(
        &mut self,
        intervention: &mut Intervention,
        at: OffsetDateTime,
    ) -> Result<()> {
        if intervention.login_at.is_some() || at <= intervention.started_at || at > self.now() {
            return Ok(());
        }
        intervention.login_at = Some(at);
        self.put(intervention)?;
        self.proceed(intervention.id)
    }

    /// Gives the actions of an intervention that runs their times, as far as they can have one now.
    pub(super) fn proceed(&mut self, id: InterventionId) -> Result<()> {
        let intervention = self.require::<Intervention>(id)?;
        if !intervention.is_open() {
            return Ok(());
        }
        let mut actions = self.view().actions_of(id)?;
        for place in advance(&intervention, &mut actions, self.now()) {
            let Some(action) = actions.get(place) else { continue };
            self.put(action)?;
            if action.status == ActionStatus::Skipped {
                self.announce_action("intervention.action_skipped", action);
            }
        }
        Ok(())
    }

    /// Gives the interventions that run for a customer to its CSM.
    pub(super) fn follow_csm(&mut self, customer: &Customer) -> Result<()> {
        for mut running in self.view().running_interventions(customer.id)? {
            if running.owner_id != customer.csm_id {
                running.owner_id = customer.csm_id;
                self.put(&running)?;
            }
        }
        Ok(())
    }

    pub(super) fn announce_action(&mut self, event: &'static str, action: &InterventionAction) {
        let data = json!({
            "actionId": action.id, "order": action.order, "action": action.action,
            "channel": action.channel, "template": action.template, "status": action.status,
            "deadline": action.deadline.and_then(|at| at.format(&Rfc3339).ok()),
        });
        self.announce(event, action.intervention_id, action.customer_id, data);
    }
}

//! Escalation: who is told while nobody responds, and what is due where nobody can speak.

use crate::domain::churn::intervention::InterventionStatus;
use crate::domain::churn::intervention::{ActionStatus, Intervention, InterventionAction};
use crate::domain::churn::playbook::{ActionTiming, Playbook};
use crate::domain::churn::schedule::later;
use crate::domain::customer::Customer;
use crate::domain::text::{Code, Note};
use crate::error::Result;
use crate::ops::churn::has_left;
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use time::OffsetDateTime;

const ESCALATES_AT: Col = <Intervention as Stored>::TABLE.col("escalates_at");
pub(super) const NEXT_ATTEMPT_AT: Col =
    <InterventionAction as Stored>::TABLE.col("next_attempt_at");
const ANNOUNCE_AT: Col = <InterventionAction as Stored>::TABLE.col("announce_at");

impl View<'_> {
    /// When the next action is due, for a handle that can act on it, or somebody is to be told.
    pub(crate) fn next_intervention(&self) -> Result<Option<OffsetDateTime>> {
        let first = Query::all().filter(ESCALATES_AT, Op::Ne, &None::<OffsetDateTime>);
        let escalates = self.first::<Intervention>(first.oldest_by(ESCALATES_AT))?;
        let col = if self.has_channel() { NEXT_ATTEMPT_AT } else { ANNOUNCE_AT };
        let first = Query::all().filter(col, Op::Ne, &None::<OffsetDateTime>).oldest_by(col);
        let action = self.first::<InterventionAction>(first)?;
        let due = action
            .and_then(|it| if self.has_channel() { it.next_attempt_at } else { it.announce_at });
        Ok(escalates.and_then(|it| it.escalates_at).into_iter().chain(due).min())
    }
}

impl Tx<'_> {
    /// Tells the next of the escalation path of interventions that nobody responded to, at most
    /// `limit` of them. Returns how many.
    pub(super) fn escalate_due(&mut self, limit: usize) -> Result<usize> {
        let due = Query::all().filter(ESCALATES_AT, Op::Le, &self.now()).oldest_by(ESCALATES_AT);
        let due = self.view().find::<Intervention>(&due.limit(limit))?;
        let count = due.len();
        for intervention in due {
            let customer = self.get::<Customer>(intervention.customer_id)?;
            if let Some((status, why)) = lost(customer.as_ref()) {
                self.end_intervention(intervention, status, why)?;
            } else {
                self.escalate(intervention)?;
            }
        }
        Ok(count)
    }

    /// Tells the next of the path, who has as much time as those before.
    fn escalate(&mut self, mut intervention: Intervention) -> Result<()> {
        let playbook = self.require::<Playbook>(intervention.playbook_id)?;
        let level = intervention.level.saturating_add(1);
        let place = |level: u32| usize::try_from(level).ok();
        let on_path = |level| place(level).and_then(|it| playbook.escalation_path.get(it));
        let next = playbook.escalation_minutes().map(|minutes| later(self.now(), minutes));
        let is_last = on_path(level.saturating_add(1)).is_none();
        intervention.escalates_at = next.filter(|_| !is_last);
        if let Some(role) = on_path(level).and_then(|role| Code::parse(role).ok()) {
            let data = json!({
                "to": role, "level": level, "signal": intervention.signal,
                "csm": intervention.owner_id,
            });
            intervention.level = level;
            intervention.escalated_to = Some(role);
            let (id, customer) = (intervention.id, intervention.customer_id);
            self.announce("intervention.escalated", id, customer, data);
        }
        self.put(&intervention)
    }

    /// Says of at most `limit` actions that they are due, once each: somebody else must do them, for
    /// this handle has no channel. Returns how many.
    pub(super) fn announce_due(&mut self, limit: usize) -> Result<usize> {
        let due = Query::all().filter(ANNOUNCE_AT, Op::Le, &self.now()).oldest_by(ANNOUNCE_AT);
        let due = self.view().find::<InterventionAction>(&due.limit(limit))?;
        let count = due.len();
        for action in due {
            if let Some((mut action, ..)) = self.still_to_do(&action)? {
                action.announce_at = None;
                self.put(&action)?;
                self.announce_action("intervention.action_due", &action);
            }
        }
        Ok(count)
    }

    /// An action that is due as it is now, with its intervention and customer; none if nobody wants
    /// it done any more, which is then noted.
    pub(super) fn still_to_do(
        &mut self,
        action: &InterventionAction,
    ) -> Result<Option<(InterventionAction, Intervention, Customer)>> {
        let intervention = self.require::<Intervention>(action.intervention_id)?;
        let customer = self.get::<Customer>(action.customer_id)?;
        let lost = lost(customer.as_ref());
        if let Some((status, why)) = lost.filter(|_| intervention.is_open()) {
            self.end_intervention(intervention.clone(), status, why)?;
        }
        let current = self.require::<InterventionAction>(action.id)?;
        let is_wanted = intervention.is_open() || current.timing == ActionTiming::NextLogin;
        match customer {
            _ if current.status.is_settled() => Ok(None),
            Some(customer) if lost.is_none() && is_wanted => {
                Ok(Some((current, intervention, customer)))
            }
            _ => {
                let mut current = current;
                let ended = Note::clipped("the intervention has ended");
                current.settle(ActionStatus::Skipped, Some(ended), self.now());
                self.put(&current)?;
                Ok(None)
            }
        }
    }
}

/// What becomes of the interventions for a customer who is not there any more, and why.
fn lost(customer: Option<&Customer>) -> Option<(InterventionStatus, &'static str)> {
    match customer {
        Some(it) if it.deleted_at.is_none() => {
            has_left(it).then_some((InterventionStatus::Failed, "the customer left"))
        }
        _ => Some((InterventionStatus::Cancelled, "the customer was deleted")),
    }
}

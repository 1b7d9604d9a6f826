//! What is due is said: taken in one transaction, said outside of any, the answer written in another.

use crate::domain::channel::{Channel, ChannelFailure, Delivered, OutboundMessage};
use crate::domain::churn::intervention::{ActionStatus, Intervention, InterventionAction};
use crate::domain::customer::Customer;
use crate::domain::delivery::backoff;
use crate::domain::text::Note;
use crate::domain::user::User;
use crate::error::Result;
use crate::ops::Ticked;
use crate::ops::escalation::NEXT_ATTEMPT_AT;
use crate::store::query::{Op, Query};
use crate::tenure::Tenure;
use crate::tx::{Tx, View};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use time::Duration;
use uuid::Uuid;

/// How many messages are taken at a time.
const BATCH: usize = 20;
/// How long who took them has them to itself: if it has not come back by then, another takes over.
const LEASE: Duration = Duration::minutes(5);
/// How long one tick goes on to speak, so that a slow channel does not keep it from all else.
const BUDGET: Duration = Duration::minutes(1);

/// What one speaker has taken upon itself.
struct Claim {
    holder: Uuid,
    letters: Vec<Letter>,
}

struct Letter {
    /// The action as it was before it was taken.
    before: InterventionAction,
    message: OutboundMessage,
}

type Answer = Result<Delivered, ChannelFailure>;

impl Tenure {
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the methods are not general over the lifetime of their transaction"
    )]
    /// Asks the channel for everything that is due, and notes in `ticked` what came of it.
    pub(super) fn speak(&self, ticked: &mut Ticked) -> Result<()> {
        let Some(channel) = self.channel() else { return Ok(()) };
        let until = self.now().saturating_add(BUDGET);
        loop {
            if !self.read(|view| view.has_something_to_say())? {
                return Ok(());
            }
            let claim = self.write(|tx| tx.take_actions())?;
            let mut answers = Vec::new();
            for letter in &claim.letters {
                if !answers.is_empty() && self.now() >= until {
                    break;
                }
                answers.push(ask(channel, &letter.message));
            }
            let (executed, failed) = self.write(|tx| tx.settle_actions(&claim, &answers))?;
            ticked.actions_executed = ticked.actions_executed.saturating_add(executed);
            ticked.actions_failed = ticked.actions_failed.saturating_add(failed);
            if self.now() >= until {
                return Ok(());
            }
        }
    }
}

/// What the channel answers; a panic of it is none.
fn ask(channel: &dyn Channel, message: &OutboundMessage) -> Answer {
    let asked = catch_unwind(AssertUnwindSafe(|| channel.deliver(message)));
    asked.unwrap_or_else(|_| Err(ChannelFailure::Failed("the channel panicked".to_owned())))
}

impl View<'_> {
    fn has_something_to_say(&self) -> Result<bool> {
        let due = Query::all().filter(NEXT_ATTEMPT_AT, Op::Le, &self.now());
        Ok(self.first::<InterventionAction>(due.oldest_by(NEXT_ATTEMPT_AT))?.is_some())
    }

    /// What is said, to whom, and in whose name.
    fn message(
        &self,
        action: &InterventionAction,
        intervention: &Intervention,
        customer: Customer,
    ) -> Result<OutboundMessage> {
        let recipient = self.primary_contact(customer.id)?;
        let owner = customer.csm_id.map(|id| self.get::<User>(id)).transpose()?.flatten();
        let mut variables = BTreeMap::new();
        let mut known = |name: &'static str, value: Option<&str>| {
            variables.extend(value.map(|value| (name, value.to_owned())));
        };
        known("customer_name", Some(customer.name.as_str()));
        known("current_plan", Some(customer.tier.as_str()));
        known("signal", Some(intervention.signal.as_str()));
        let first_name = recipient.as_ref().and_then(|it| it.first_name.as_ref());
        known("first_name", first_name.map(AsRef::as_ref));
        if let Some(csm) = &owner {
            known("csm_name", Some(csm.name.as_str()));
            known("csm_email", csm.email.as_ref().map(AsRef::as_ref));
            known("calendar_link", csm.calendar_link.as_ref().map(AsRef::as_ref));
        }
        Ok(OutboundMessage {
            id: action.id.uuid(),
            channel: action.channel,
            action: action.action.clone(),
            template: action.template.clone(),
            customer,
            recipient,
            owner,
            variables,
            deadline: action.deadline,
            attempts: action.attempts,
        })
    }
}

impl Tx<'_> {
    /// Takes what has been due for the longest.
    fn take_actions(&mut self) -> Result<Claim> {
        let now = self.now();
        let due = Query::all().filter(NEXT_ATTEMPT_AT, Op::Le, &now).oldest_by(NEXT_ATTEMPT_AT);
        let mut claim = Claim { holder: self.fresh(), letters: Vec::new() };
        for action in self.view().find::<InterventionAction>(&due.limit(BATCH))? {
            let Some((before, intervention, customer)) = self.still_to_do(&action)? else {
                continue;
            };
            let message = self.view().message(&before, &intervention, customer)?;
            self.put(&InterventionAction {
                status: ActionStatus::Executing,
                next_attempt_at: Some(now.saturating_add(LEASE)),
                announce_at: None,
                holder: Some(claim.holder),
                ..before.clone()
            })?;
            claim.letters.push(Letter { before, message });
        }
        Ok(claim)
    }

    /// Writes down what the channel answered. Returns how many actions it took, and how many have
    /// failed for good. Who came back too late has only facts to add: what was taken was taken.
    fn settle_actions(&mut self, claim: &Claim, answers: &[Answer]) -> Result<(usize, usize)> {
        let (mut executed, mut failed) = (0_usize, 0_usize);
        for (place, letter) in claim.letters.iter().enumerate() {
            let current = self.get::<InterventionAction>(letter.before.id)?;
            let Some(mut action) = current.filter(|it| !it.status.is_settled()) else { continue };
            let is_ours = action.holder == Some(claim.holder);
            match answers.get(place) {
                Some(Ok(delivered)) if action.executed_at.is_none() => {
                    self.note_executed(action, delivered)?;
                    executed = executed.saturating_add(1);
                }
                Some(Err(failure)) if is_ours => {
                    failed = failed.saturating_add(usize::from(self.note_failed(action, failure)?));
                }
                // Taken, but not asked.
                None if is_ours => {
                    action.status = ActionStatus::Scheduled;
                    action.holder = None;
                    action.next_attempt_at = Some(self.now());
                    self.put(&action)?;
                }
                _ => {}
            }
        }
        Ok((executed, failed))
    }

    /// The channel took it: it is done, or a person is at it.
    fn note_executed(&mut self, mut action: InterventionAction, took: &Delivered) -> Result<()> {
        action.executed_at = Some(self.now());
        action.reference = took.reference.as_deref().map(Note::clipped);
        if took.is_done {
            action.settle(ActionStatus::Done, None, self.now());
        } else {
            action.status = ActionStatus::Executing;
            (action.next_attempt_at, action.announce_at, action.holder) = (None, None, None);
        }
        self.put(&action)?;
        self.announce_action("intervention.action_executed", &action);
        self.proceed(action.intervention_id)
    }

    /// What follows from an attempt that failed. Returns whether it was the last.
    fn note_failed(
        &mut self,
        mut action: InterventionAction,
        failure: &ChannelFailure,
    ) -> Result<bool> {
        let most = self.config().churn.channel_attempts_max;
        action.attempts = action.attempts.saturating_add(1);
        action.holder = None;
        action.reference = Some(Note::clipped(&failure.to_string()));
        let is_last = matches!(failure, ChannelFailure::Refused(_)) || action.attempts >= most;
        if !is_last {
            action.status = ActionStatus::Scheduled;
            action.next_attempt_at = Some(self.now().saturating_add(backoff(action.attempts)));
            return self.put(&action).map(|()| false);
        }
        action.settle(ActionStatus::Failed, None, self.now());
        self.put(&action)?;
        self.announce_action("intervention.action_failed", &action);
        self.proceed(action.intervention_id).map(|()| true)
    }
}

//! Interventions: a playbook at work for one customer, and what it has done.

use super::playbook::{ActionTiming, Condition, PlaybookAction, PlaybookId, PlaybookOwner};
use super::signals::{ChurnSignalId, SignalKind};
use crate::domain::channel::ChannelKind;
use crate::domain::customer::CustomerId;
use crate::domain::text::{Code, Note};
use crate::domain::user::UserId;
use crate::record::{id, noun, words};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies an intervention.
    InterventionId;
    /// Identifies an action of an intervention.
    InterventionActionId;
}

words! {
    /// What became of an intervention.
    pub enum InterventionStatus {
        /// It runs.
        InProgress = "in_progress",
        /// The customer stays, or what was wrong is over.
        Succeeded = "succeeded",
        /// The customer left.
        Failed = "failed",
        /// It was given up, or something more urgent took its place.
        Cancelled = "cancelled",
    }
}

words! {
    /// What the customer says to an offer that should make it stay.
    pub enum OfferAnswer {
        /// It wants to hear one.
        Open = "open",
        /// It does not want to hear one.
        NotOpen = "not_open",
        /// It takes the offer.
        Accepted = "accepted",
        /// It does not take the offer.
        Rejected = "rejected",
    }
}

words! {
    /// Where an action stands.
    pub enum ActionStatus {
        /// It has a time, and waits for it.
        Scheduled = "scheduled",
        /// It waits for something that has no time yet: a login, an answer, what comes before it.
        Waiting = "waiting",
        /// A channel is asked, or a person is at it.
        Executing = "executing",
        /// It is done.
        Done = "done",
        /// It was not needed, or left out.
        Skipped = "skipped",
        /// The channel would not take it.
        Failed = "failed",
    }
}

impl ActionStatus {
    /// Whether nothing follows any more.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Done | Self::Skipped | Self::Failed)
    }
}

noun! {
    /// A playbook at work for one customer: one for each kind of signal at a time.
    pub struct Intervention(InterventionId), "intervention", "interventions", "success" {
        /// Identifies the intervention.
        id: InterventionId,
        /// Whom it is to keep.
        customer_id: CustomerId,
        /// What it answers.
        signal: SignalKind => ["cancellation_request"],
        /// The record of the signal; none if there was none when it was started by hand.
        signal_id: Option<ChurnSignalId>,
        /// The version of the playbook that it runs.
        playbook_id: PlaybookId,
        /// What became of it.
        status: InterventionStatus => ["in_progress"],
        /// The customer, while it runs.
        open_for: Option<CustomerId>,
        /// Who runs it.
        owner: PlaybookOwner => ["csm"],
        /// The customer's CSM.
        owner_id: Option<UserId>,
        /// How often it was escalated.
        level: u32 => ["0"],
        /// Who of the escalation path was told last.
        escalated_to: Option<Code> => ["cs_manager"],
        /// When the next of the path is told, unless the customer responds before.
        escalates_at: Option<OffsetDateTime>,
        /// When it was started.
        started_at: OffsetDateTime,
        /// When somebody first logged in after that.
        login_at: Option<OffsetDateTime>,
        /// When the customer first responded.
        responded_at: Option<OffsetDateTime>,
        /// What the customer said last.
        response: Option<Note>,
        /// What it says to an offer.
        offer: Option<OfferAnswer> => ["accepted"],
        /// When it said so.
        offer_at: Option<OffsetDateTime>,
        /// Why it ended.
        outcome: Option<Note>,
        /// When it ended.
        ended_at: Option<OffsetDateTime>,
    }
    relationships {
        customer: "customer" one "whom it is to keep",
        signal: "churn signal" one "what it answers",
        playbook: "playbook" one "what it does",
        actions: "intervention action" many "what is done, in order",
        owner: "user" one "the customer's CSM",
    }
    actions {
        start => started, complete_action => action_completed, skip_action => action_skipped,
        respond => responded, answer_offer => offer_answered,
        succeed => succeeded, fail => failed, cancel => cancelled,
    }
    events { action_due, action_executed, action_failed, escalated }
}

noun! {
    /// One action of an intervention: when it is due, and what became of it.
    pub struct InterventionAction(InterventionActionId),
    "intervention action", "intervention actions", "success" {
        /// Identifies the action; a channel gets the message under it.
        id: InterventionActionId,
        /// The intervention.
        intervention_id: InterventionId,
        /// Whom it is for.
        customer_id: CustomerId,
        /// Its place, from 1.
        order: u32 => ["1"],
        /// What is done.
        action: Code => ["send_reengagement_email"],
        /// How.
        channel: ChannelKind => ["email"],
        /// What is said.
        template: Option<Code> => ["reengagement_7_days"],
        /// When, as the playbook says.
        timing: ActionTiming => ["{\"kind\":\"immediately\"}"],
        /// What it depends on besides.
        condition: Option<Condition> => ["no_response"],
        /// Where it stands.
        status: ActionStatus => ["scheduled"],
        /// When it falls due, or fell; none while that is open.
        due_at: Option<OffsetDateTime>,
        /// Until when it should be done.
        deadline: Option<OffsetDateTime>,
        /// When a channel is asked next; while one is asked, when another attempt may be made.
        next_attempt_at: Option<OffsetDateTime>,
        /// When a handle without a channel says that it is due; none once that was said.
        announce_at: Option<OffsetDateTime>,
        /// The attempt that is under way.
        holder: Option<Uuid>,
        /// How many attempts failed.
        attempts: u32 => ["0"],
        /// When it was done, or given to who does it.
        executed_at: Option<OffsetDateTime>,
        /// When it was done, skipped or had failed.
        settled_at: Option<OffsetDateTime>,
        /// What the channel said last: by what it knows the message, or why it did not take it.
        reference: Option<Note> => ["msg_42"],
        /// What who completed or skipped it noted, or why it was not needed.
        note: Option<Note>,
    }
    relationships {
        intervention: "intervention" one "what it is part of",
    }
}

impl InterventionActionId {
    /// The id of an action: derived, so that it is the same in every attempt.
    #[must_use]
    pub fn of(intervention: InterventionId, order: u32) -> Self {
        Self::from(Uuid::new_v5(&intervention.uuid(), format!("action\0{order}").as_bytes()))
    }
}

impl Intervention {
    /// Whether it runs.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.status, InterventionStatus::InProgress)
    }
}

impl InterventionAction {
    /// An action of a playbook, before anything is known of when it falls due.
    pub(crate) fn of(
        action: &PlaybookAction,
        intervention: &Intervention,
        deadline: Option<OffsetDateTime>,
    ) -> Self {
        Self {
            id: InterventionActionId::of(intervention.id, action.order),
            intervention_id: intervention.id,
            customer_id: intervention.customer_id,
            order: action.order,
            action: action.action.clone(),
            channel: action.channel,
            template: action.template.clone(),
            timing: action.timing,
            condition: action.condition,
            status: ActionStatus::Waiting,
            due_at: None,
            deadline,
            next_attempt_at: None,
            announce_at: None,
            holder: None,
            attempts: 0,
            executed_at: None,
            settled_at: None,
            reference: None,
            note: None,
        }
    }

    /// Ends it: nobody is asked any more.
    pub(crate) fn settle(&mut self, status: ActionStatus, note: Option<Note>, now: OffsetDateTime) {
        self.status = status;
        self.settled_at = Some(now);
        if status == ActionStatus::Done && self.executed_at.is_none() {
            self.executed_at = Some(now);
        }
        if note.is_some() {
            self.note = note;
        }
        (self.next_attempt_at, self.announce_at, self.holder) = (None, None, None);
    }
}

//! Playbooks: what is done about a signal, as data.

use super::signals::SignalKind;
use crate::domain::channel::ChannelKind;
use crate::domain::text::{Code, Name};
use crate::record::{id, noun, words};
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies one version of a playbook.
    PlaybookId;
}

words! {
    /// Who runs a playbook.
    pub enum PlaybookOwner {
        /// Who looks after the customer's success.
        Csm = "csm",
        /// Support.
        Support = "support",
        /// Somebody who decides.
        Executive = "executive",
    }
}

words! {
    /// What an action depends on, besides its time.
    pub enum Condition {
        /// The customer has not responded when the action falls due.
        NoResponse = "no_response",
        /// The customer is ready to hear an offer.
        OpenToOffer = "open_to_offer",
        /// The customer rejected the offer, or did not want to hear one.
        SaveOfferRejected = "save_offer_rejected",
    }
}

/// When an action falls due. Times count from the start of the intervention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ActionTiming {
    /// At once.
    Immediately,
    /// When what comes before it is done; at the latest after so many minutes, which is its deadline.
    Within {
        /// Minutes, from 1 to a year's.
        minutes: u32,
    },
    /// After so many minutes, whatever comes before it.
    After {
        /// Minutes, up to a year's.
        minutes: u32,
    },
    /// When what comes before it is done; its deadline is the end of the customer's business day.
    SameDay,
    /// When somebody logs in after the start.
    NextLogin,
    /// When the action before it is done, skipped or failed.
    AfterPrevious,
    /// When the action before it has begun.
    DuringPrevious,
}

impl ActionTiming {
    /// A deadline after so many hours.
    #[must_use]
    pub const fn within_hours(hours: u32) -> Self {
        Self::Within { minutes: hours.saturating_mul(60) }
    }

    /// After so many hours.
    #[must_use]
    pub const fn after_hours(hours: u32) -> Self {
        Self::After { minutes: hours.saturating_mul(60) }
    }
}

/// One thing that a playbook does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PlaybookAction {
    /// Its place, from 1.
    pub order: u32,
    /// What is done.
    pub action: Code,
    /// How.
    pub channel: ChannelKind,
    /// What is said; an email and an in-app message have one.
    pub template: Option<Code>,
    /// When.
    pub timing: ActionTiming,
    /// What it depends on besides.
    pub condition: Option<Condition>,
}

json_field!(ActionTiming, Vec<PlaybookAction>);

noun! {
    /// One version of what is done about a kind of signal. An intervention keeps the version that it
    /// was started with.
    pub struct Playbook(PlaybookId), "playbook", "playbooks", "success" {
        /// Identifies this version; follows from signal and version.
        id: PlaybookId,
        /// The signal that it answers.
        signal: SignalKind => ["cancellation_request"],
        /// The version, from 1; tenure's own is the first.
        version: u32 => ["1"],
        /// What people call it.
        name: Name => ["Cancellation request"],
        /// Within how many minutes the customer should have responded, or the next of the escalation
        /// path is told; 0 for at once, which is the deadline of the first action.
        timeline_minutes: u32 => ["2880"],
        /// Who runs it.
        owner: PlaybookOwner => ["csm"],
        /// Who is told, one after the other, while nobody responds.
        escalation_path: Vec<String> => ["[\"csm\",\"cs_manager\"]"],
        /// What is done, in order.
        actions: Vec<PlaybookAction>,
        /// Whether it is started by its signal.
        is_active: bool => ["true"],
        /// When this version was defined, or first used.
        created_at: OffsetDateTime,
    }
    relationships {
        interventions: "intervention" many "where it is at work",
    }
    actions { define => defined }
}

impl PlaybookId {
    /// The id of a version of the playbook of a signal: derived, so that it is found without a
    /// search.
    #[must_use]
    pub fn of(signal: SignalKind, version: u32) -> Self {
        const SPACE: Uuid = Uuid::from_u128(0x1d5e_7001_5c3f_4f0a_9d3e_2f61_0c1b_a021);
        Self::from(Uuid::new_v5(&SPACE, format!("{signal}#{version}").as_bytes()))
    }
}

impl Playbook {
    /// After how many minutes without a response the next of the path is told; none if there is
    /// nobody to tell.
    pub(crate) fn escalation_minutes(&self) -> Option<u32> {
        let minutes = match self.actions.first().map(|action| action.timing) {
            Some(ActionTiming::Within { minutes }) if self.timeline_minutes == 0 => minutes,
            _ => self.timeline_minutes,
        };
        (minutes > 0 && self.escalation_path.len() > 1).then_some(minutes)
    }
}

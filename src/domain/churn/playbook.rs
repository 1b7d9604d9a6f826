//! Playbooks: what is done about a signal, as data.

use super::signals::SignalKind;
use crate::domain::channel::ChannelKind;
use crate::domain::text::{Code, Name};
use crate::error::Faults;
use crate::record::{id, noun, words};
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies one version of a playbook.
    PlaybookId;
}

/// The most actions of a playbook.
const ACTIONS_MAX: usize = 50;
/// The most steps of an escalation path.
const PATH_MAX: usize = 10;
/// The longest time of a playbook: a year, in minutes.
const MINUTES_MAX: u32 = 366 * 24 * 60;

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
pub enum Timing {
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

impl Timing {
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
    pub timing: Timing,
    /// What it depends on besides.
    pub condition: Option<Condition>,
}

json_field!(Timing, Vec<PlaybookAction>);

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
            Some(Timing::Within { minutes }) if self.timeline_minutes == 0 => minutes,
            _ => self.timeline_minutes,
        };
        (minutes > 0 && self.escalation_path.len() > 1).then_some(minutes)
    }
}

/// An action of a playbook to be defined.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct ActionDraft {
    /// See [`PlaybookAction::action`]: a code.
    pub action: String,
    /// See [`PlaybookAction::channel`].
    pub channel: ChannelKind,
    /// See [`PlaybookAction::template`]: a code.
    #[serde(default)]
    pub template: Option<String>,
    /// See [`PlaybookAction::timing`].
    pub timing: Timing,
    /// See [`PlaybookAction::condition`].
    #[serde(default)]
    pub condition: Option<Condition>,
}

impl ActionDraft {
    /// An action without a template, under no condition.
    #[must_use]
    pub fn new(action: impl Into<String>, channel: ChannelKind, timing: Timing) -> Self {
        Self { action: action.into(), channel, template: None, timing, condition: None }
    }

    /// What is said.
    #[must_use]
    pub fn template(mut self, template: impl Into<String>) -> Self {
        self.template = Some(template.into());
        self
    }

    /// Only under a condition.
    #[must_use]
    pub const fn only_if(mut self, condition: Condition) -> Self {
        self.condition = Some(condition);
        self
    }
}

/// A playbook to be defined, as a new version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct PlaybookDraft {
    /// See [`Playbook::signal`].
    pub signal: SignalKind,
    /// See [`Playbook::name`]; the signal's word unless told otherwise.
    #[serde(default)]
    pub name: Option<String>,
    /// See [`Playbook::timeline_minutes`].
    pub timeline_minutes: u32,
    /// See [`Playbook::owner`].
    pub owner: PlaybookOwner,
    /// See [`Playbook::escalation_path`]: one to ten codes, each once.
    pub escalation_path: Vec<String>,
    /// See [`Playbook::actions`]: one to fifty.
    pub actions: Vec<ActionDraft>,
    /// See [`Playbook::is_active`].
    #[serde(default = "yes")]
    pub is_active: bool,
}

const fn yes() -> bool {
    true
}

impl PlaybookDraft {
    /// A playbook of the CSM for a signal, that does nothing yet and is over after a day.
    #[must_use]
    pub fn new(signal: SignalKind) -> Self {
        Self {
            signal,
            name: None,
            timeline_minutes: 24 * 60,
            owner: PlaybookOwner::Csm,
            escalation_path: vec!["csm".to_owned(), "cs_manager".to_owned()],
            actions: Vec::new(),
            is_active: true,
        }
    }

    /// What people call it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Within how many hours the customer should have responded.
    #[must_use]
    pub const fn timeline_hours(mut self, hours: u32) -> Self {
        self.timeline_minutes = hours.saturating_mul(60);
        self
    }

    /// Who runs it.
    #[must_use]
    pub const fn owner(mut self, owner: PlaybookOwner) -> Self {
        self.owner = owner;
        self
    }

    /// Who is told, one after the other.
    #[must_use]
    pub fn escalation_path(mut self, path: &[&str]) -> Self {
        self.escalation_path = path.iter().map(|role| (*role).to_owned()).collect();
        self
    }

    /// One more action, after the others.
    #[must_use]
    pub fn action(mut self, action: ActionDraft) -> Self {
        self.actions.push(action);
        self
    }

    /// Not started by its signal.
    #[must_use]
    pub const fn inactive(mut self) -> Self {
        self.is_active = false;
        self
    }

    /// The playbook as its next version.
    pub(crate) fn check(&self, version: u32, now: OffsetDateTime) -> Result<Playbook, Faults> {
        let mut faults = Faults::default();
        let name = self.name.as_deref().unwrap_or(self.signal.as_str());
        let name = faults.note("name", Name::parse(name));
        check_minutes("timelineMinutes", self.timeline_minutes, &mut faults);
        if !(1..=PATH_MAX).contains(&self.escalation_path.len()) {
            let count = self.escalation_path.len().to_string();
            faults.add("escalationPath", &count, "must have 1 to 10 steps");
        }
        for (place, role) in self.escalation_path.iter().enumerate().take(PATH_MAX) {
            let field = format!("escalationPath[{place}]");
            faults.note(&field, Code::parse(role));
            if self.escalation_path.iter().take(place).any(|earlier| earlier == role) {
                faults.add(field, role, "must be listed once");
            }
        }
        if !(1..=ACTIONS_MAX).contains(&self.actions.len()) {
            let count = self.actions.len().to_string();
            faults.add("actions", &count, "must be 1 to 50");
        }
        let drafts = self.actions.iter().zip(1..).take(ACTIONS_MAX);
        let actions: Vec<_> =
            drafts.filter_map(|(draft, order)| draft.check(order, &mut faults)).collect();
        match (name, faults.0.is_empty()) {
            (Some(name), true) => Ok(Playbook {
                id: PlaybookId::of(self.signal, version),
                signal: self.signal,
                version,
                name,
                timeline_minutes: self.timeline_minutes,
                owner: self.owner,
                escalation_path: self.escalation_path.clone(),
                actions,
                is_active: self.is_active,
                created_at: now,
            }),
            _ => Err(faults),
        }
    }
}

impl ActionDraft {
    fn check(&self, order: u32, faults: &mut Faults) -> Option<PlaybookAction> {
        let at = |field: &str| format!("actions[{}].{field}", order.saturating_sub(1));
        let action = faults.note(&at("action"), Code::parse(&self.action));
        let template = self.template.as_deref();
        let template = template.and_then(|it| faults.note(&at("template"), Code::parse(it)));
        if self.template.is_none() && self.channel.is_written() {
            faults.add(at("template"), "", "is required for what is written");
        }
        match self.timing {
            Timing::Within { minutes: 0 } => {
                faults.add(at("timing"), "0", "needs a deadline after the start");
            }
            Timing::Within { minutes } | Timing::After { minutes } => {
                check_minutes(&at("timing"), minutes, faults);
            }
            Timing::AfterPrevious | Timing::DuringPrevious if order == 1 => {
                faults.add(at("timing"), "", "of the first action cannot follow another");
            }
            _ => {}
        }
        let (timing, condition, channel) = (self.timing, self.condition, self.channel);
        Some(PlaybookAction { order, action: action?, channel, template, timing, condition })
    }
}

fn check_minutes(field: &str, minutes: u32, faults: &mut Faults) {
    if minutes > MINUTES_MAX {
        faults.add(field, &minutes.to_string(), "must be at most 527,040 minutes, a year");
    }
}

//! Playbooks to be defined: what a host writes, checked as a whole.

use super::playbook::{
    ActionTiming, Condition, Playbook, PlaybookAction, PlaybookId, PlaybookOwner,
};
use super::signals::SignalKind;
use crate::domain::channel::ChannelKind;
use crate::domain::text::{Code, Name};
use crate::error::Faults;
use serde::Deserialize;
use time::OffsetDateTime;

/// The most actions of a playbook.
const ACTIONS_MAX: usize = 50;
/// The most steps of an escalation path.
const PATH_MAX: usize = 10;
/// The longest time of a playbook: a year, in minutes.
const MINUTES_MAX: u32 = 366 * 24 * 60;

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
    pub timing: ActionTiming,
    /// See [`PlaybookAction::condition`].
    #[serde(default)]
    pub condition: Option<Condition>,
}

impl ActionDraft {
    /// An action without a template, under no condition.
    #[must_use]
    pub fn new(action: impl Into<String>, channel: ChannelKind, timing: ActionTiming) -> Self {
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
            ActionTiming::Within { minutes: 0 } => {
                faults.add(at("timing"), "0", "needs a deadline after the start");
            }
            ActionTiming::Within { minutes } | ActionTiming::After { minutes } => {
                check_minutes(&at("timing"), minutes, faults);
            }
            ActionTiming::AfterPrevious | ActionTiming::DuringPrevious if order == 1 => {
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

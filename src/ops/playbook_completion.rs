//! Whether playbooks are carried through: what was due, and what of it was done.

use crate::domain::churn::intervention::{
    ActionStatus, Intervention, InterventionAction, InterventionStatus,
};
use crate::domain::churn::signals::SignalKind;
use crate::domain::measured::{Measured, Method, Severity, Unit};
use crate::domain::period::Period;
use crate::domain::revenue::Target;
use crate::domain::statistics::proportion::wilson;
use crate::domain::statistics::real;
use crate::error::Result;
use crate::store::query::Query;
use crate::tx::View;
use serde::Serialize;
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// More playbooks than this share should be completed.
const PLAYBOOKS_TARGET: f64 = 0.8;
/// Fewer deserve a warning.
const PLAYBOOKS_WARNING: f64 = 0.7;
/// Fewer are critical.
const PLAYBOOKS_CRITICAL: f64 = 0.5;
/// More actions than this share should be done.
const ACTIONS_TARGET: f64 = 0.9;

const PLAYBOOKS: Method = Method {
    name: "playbook completion",
    formula: "interventions of which all that was due was done ÷ interventions that are over, of \
              those that were started in the period; Wilson 95 %",
};
const ACTIONS: Method = Method {
    name: "action completion",
    formula: "actions that were done ÷ actions that were due, of the interventions that were started \
              in the period; what was not needed was not due; Wilson 95 %",
};

/// How many there are, and how many of them are as they should be.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    all: u64,
    right: u64,
    latest: Option<OffsetDateTime>,
}

impl Done {
    fn add(&mut self, is_done: bool, at: OffsetDateTime) {
        self.all = self.all.saturating_add(1);
        self.right = self.right.saturating_add(is_done.into());
        self.latest = self.latest.max(Some(at));
    }

    fn share(self) -> Option<f64> {
        (self.all > 0).then(|| real(self.right) / real(self.all))
    }

    fn measured(self, method: Method, of: &'static str, period: Period) -> Measured {
        Measured::new(self.share(), Unit::Ratio, method, self.all)
            .over(period)
            .within(wilson(self.right, self.all))
            .from_records(of, self.all, self.latest)
    }

    fn playbooks(self, period: Period) -> Measured {
        let share = self.measured(PLAYBOOKS, "interventions", period);
        let message = format!("{} of {} playbooks were completed", self.right, self.all);
        match self.share() {
            Some(it) if it < PLAYBOOKS_CRITICAL => {
                share.warned("low_completion", Severity::Critical, message)
            }
            Some(it) if it < PLAYBOOKS_WARNING => {
                share.warned("low_completion", Severity::Warning, message)
            }
            _ => share,
        }
    }
}

/// Whether playbooks are carried through.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PlaybookCompletion {
    /// When the interventions were started.
    pub period: Period,
    /// The share of those that are over of which everything was done that was due, 0–1.
    pub playbooks: Measured,
    /// The same by the signal that each answers; kinds of which none is over are left out.
    pub by_signal: BTreeMap<SignalKind, Measured>,
    /// The share of actions that were due that were done, 0–1, those of running interventions too.
    pub actions: Measured,
    /// How many interventions still run.
    pub running: u64,
    /// That more than 80 % of playbooks should be completed, and 90 % of actions done.
    pub targets: Vec<Target>,
}

impl View<'_> {
    /// Whether the playbooks of the interventions that were started in a period are carried through:
    /// which share was completed, and which of their actions were done. An action was due when its
    /// time had come and its condition held; one that failed, that is still not done after its
    /// deadline, or that was left when the intervention ended, was not done. Below 70 % that is
    /// warned of, below 50 % it is critical. Every intervention is read, one after the other.
    ///
    /// ```
    /// use tenure::domain::{calendar::PeriodType, period::Period, zone::TimeZone};
    /// use tenure::Tenure;
    /// use tenure::store::memory::MemoryStore;
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let month = Period::of_calendar(PeriodType::Month, tenure.now(), TimeZone::UTC);
    /// let month = month.expect("this century");
    /// let completion = tenure.read(|view| view.playbook_completion(month))?;
    /// assert_eq!((completion.playbooks.value, completion.targets[0].is_met), (None, None));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn playbook_completion(&self, period: Period) -> Result<PlaybookCompletion> {
        let (mut playbooks, mut actions, mut running) = (Done::default(), Done::default(), 0_u64);
        let mut by_signal: BTreeMap<SignalKind, Done> = BTreeMap::new();
        self.each(Query::all(), |intervention: Intervention| {
            if !period.contains(intervention.started_at) {
                return Ok(());
            }
            let mut is_complete = true;
            for action in self.actions_of(intervention.id)? {
                if let Some(is_done) = outcome(&action, &intervention, self.now()) {
                    is_complete &= is_done;
                    let at = action.settled_at.or(action.due_at);
                    actions.add(is_done, at.unwrap_or(intervention.started_at));
                }
            }
            if intervention.status == InterventionStatus::InProgress {
                running = running.saturating_add(1);
            } else {
                let at = intervention.ended_at.unwrap_or(intervention.started_at);
                playbooks.add(is_complete, at);
                by_signal.entry(intervention.signal).or_default().add(is_complete, at);
            }
            Ok(())
        })?;
        let by_signal = by_signal.into_iter().map(|(kind, it)| (kind, it.playbooks(period)));
        let target = |figure, above: f64, value: Option<f64>| {
            let is_met = value.map(|value| value > above);
            Target { figure, above, is_met }
        };
        Ok(PlaybookCompletion {
            period,
            playbooks: playbooks.playbooks(period),
            by_signal: by_signal.collect(),
            actions: actions.measured(ACTIONS, "intervention actions", period),
            running,
            targets: vec![
                target("playbook_completion", PLAYBOOKS_TARGET, playbooks.share()),
                target("action_completion", ACTIONS_TARGET, actions.share()),
            ],
        })
    }
}

/// Whether an action that was due was done; none for one that was not needed, or is not due yet.
fn outcome(
    action: &InterventionAction,
    intervention: &Intervention,
    now: OffsetDateTime,
) -> Option<bool> {
    match action.status {
        ActionStatus::Done => Some(true),
        ActionStatus::Failed => Some(false),
        // What the end of the intervention left was not needed only if its time had not come.
        ActionStatus::Skipped => {
            let is_left =
                intervention.ended_at.is_some() && action.settled_at == intervention.ended_at;
            (is_left && action.due_at <= action.settled_at && action.due_at.is_some())
                .then_some(false)
        }
        ActionStatus::Scheduled | ActionStatus::Waiting | ActionStatus::Executing => {
            let last = action.deadline.or(action.due_at)?;
            (last < now).then_some(false)
        }
    }
}

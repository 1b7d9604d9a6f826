//! When the actions of an intervention fall due.

use super::intervention::{ActionStatus, Intervention, InterventionAction, OfferAnswer};
use super::playbook::{ActionTiming, Condition, Playbook, PlaybookAction};
use crate::domain::text::Note;
use crate::domain::zone::TimeZone;
use time::{Duration, OffsetDateTime, PrimitiveDateTime, Time, Weekday};

/// What is to become of an action that nobody is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// It has no time yet.
    Wait,
    /// It falls due then.
    Due(OffsetDateTime),
    /// It is not needed, and why.
    Skip(&'static str),
}

/// The actions of a playbook for an intervention that begins, each with its deadline.
pub(crate) fn begin(
    playbook: &Playbook,
    intervention: &Intervention,
    zone: &TimeZone,
    business_day_end: Time,
) -> Vec<InterventionAction> {
    let started = intervention.started_at;
    let deadline = |action: &PlaybookAction| match action.timing {
        ActionTiming::Within { minutes } => Some(later(started, minutes)),
        ActionTiming::SameDay => Some(end_of_business(started, zone, business_day_end)),
        _ => None,
    };
    let actions = playbook.actions.iter();
    actions.map(|action| InterventionAction::of(action, intervention, deadline(action))).collect()
}

/// Gives every action its time that can have one now, and leaves out what is not needed any more.
/// Returns the places of those that changed. What has fallen due stays due.
pub(crate) fn advance(
    course: &Intervention,
    actions: &mut [InterventionAction],
    now: OffsetDateTime,
) -> Vec<usize> {
    let mut changed = Vec::new();
    for place in 0..actions.len() {
        let (earlier, rest) = actions.split_at_mut(place);
        let Some(action) = rest.first_mut() else { break };
        let is_free = matches!(action.status, ActionStatus::Waiting | ActionStatus::Scheduled);
        if !is_free {
            continue;
        }
        let is_due = action.due_at.is_some_and(|at| at <= now);
        match plan(action, earlier, course) {
            Plan::Skip(why) => action.settle(ActionStatus::Skipped, Note::parse(why).ok(), now),
            Plan::Due(at) if !is_due && action.due_at != Some(at) => {
                action.status = ActionStatus::Scheduled;
                action.due_at = Some(at);
                (action.next_attempt_at, action.announce_at) = (Some(at), Some(at));
            }
            Plan::Due(_) | Plan::Wait => continue,
        }
        changed.push(place);
    }
    changed
}

fn plan(
    action: &InterventionAction,
    earlier: &[InterventionAction],
    course: &Intervention,
) -> Plan {
    let started = course.started_at;
    let previous = earlier.last();
    // When all that comes before is over.
    let mut settled = Some(started);
    for it in earlier {
        settled = settled.and_then(|until| Some(until.max(it.settled_at?)));
    }
    let at = match action.timing {
        ActionTiming::Immediately => Some(started),
        ActionTiming::After { minutes } => Some(later(started, minutes)),
        ActionTiming::Within { .. } | ActionTiming::SameDay => {
            let latest = action.deadline.unwrap_or(started);
            Some(settled.map_or(latest, |at| at.min(latest)))
        }
        ActionTiming::NextLogin => course.login_at,
        ActionTiming::AfterPrevious => previous.map_or(Some(started), |it| it.settled_at),
        ActionTiming::DuringPrevious => {
            previous.map_or(Some(started), |it| it.executed_at.or(it.settled_at))
        }
    };
    let decided = course.offer_at.unwrap_or(started);
    match (action.condition, course.offer) {
        (Some(Condition::NoResponse), _) if course.responded_at.is_some() => {
            Plan::Skip("the customer responded")
        }
        (Some(Condition::OpenToOffer), Some(OfferAnswer::NotOpen)) => {
            Plan::Skip("the customer is not open to an offer")
        }
        (Some(Condition::SaveOfferRejected), Some(OfferAnswer::Accepted)) => {
            Plan::Skip("the customer took the offer")
        }
        (Some(Condition::OpenToOffer), None)
        | (Some(Condition::SaveOfferRejected), None | Some(OfferAnswer::Open)) => Plan::Wait,
        (Some(Condition::OpenToOffer | Condition::SaveOfferRejected), Some(_)) => {
            at.map_or(Plan::Wait, |at| Plan::Due(at.max(decided)))
        }
        (Some(Condition::NoResponse) | None, _) => at.map_or(Plan::Wait, Plan::Due),
    }
}

/// So many minutes later; the end of the calendar at the latest.
pub(crate) fn later(at: OffsetDateTime, minutes: u32) -> OffsetDateTime {
    at.saturating_add(Duration::minutes(i64::from(minutes)))
}

/// The first end of a business day after `at`, on the clock of `zone`: Monday to Friday at `end`. A
/// day later where the calendar ends.
pub(crate) fn end_of_business(at: OffsetDateTime, zone: &TimeZone, end: Time) -> OffsetDateTime {
    let works = |day: Weekday| !matches!(day, Weekday::Saturday | Weekday::Sunday);
    let ends = || {
        let mut day = zone.day(at)?;
        // The longest way is from Friday evening to Monday evening.
        for _ in 0..5 {
            let ends = zone.instant(PrimitiveDateTime::new(day, end))?;
            if works(day.weekday()) && ends > at {
                return Some(ends);
            }
            day = day.next_day()?;
        }
        None
    };
    ends().unwrap_or_else(|| at.saturating_add(Duration::DAY))
}

#[cfg(test)]
mod tests;

use super::super::intervention::{InterventionId, InterventionStatus};
use super::super::playbook::PlaybookOwner;
use super::super::playbook_draft::{ActionDraft, PlaybookDraft};
use super::super::presets::preset;
use super::super::signals::SignalKind;
use super::*;
use crate::domain::channel::ChannelKind::{Call, Email};
use crate::domain::customer::CustomerId;
use ActionStatus::{Scheduled, Skipped, Waiting};
use time::macros::{datetime, time};
use uuid::Uuid;

const START: OffsetDateTime = datetime!(2026-01-30 12:00 UTC);
const FIVE: Time = time!(17:00);

fn course(playbook: &Playbook, started_at: OffsetDateTime) -> Intervention {
    let nobody = CustomerId::from(Uuid::nil());
    Intervention {
        id: InterventionId::from(Uuid::nil()),
        customer_id: nobody,
        signal: playbook.signal,
        signal_id: None,
        playbook_id: playbook.id,
        status: InterventionStatus::InProgress,
        open_for: Some(nobody),
        owner: PlaybookOwner::Csm,
        owner_id: None,
        level: 0,
        escalated_to: None,
        escalates_at: None,
        started_at,
        login_at: None,
        responded_at: None,
        response: None,
        offer: None,
        offer_at: None,
        outcome: None,
        ended_at: None,
    }
}

/// An intervention that begins, and its actions.
fn begun(draft: &PlaybookDraft, at: OffsetDateTime) -> (Intervention, Vec<InterventionAction>) {
    let playbook = draft.check(1, at).unwrap();
    let course = course(&playbook, at);
    let mut actions = begin(&playbook, &course, &TimeZone::UTC, FIVE);
    advance(&course, &mut actions, at);
    (course, actions)
}

fn dues(actions: &[InterventionAction]) -> Vec<Option<OffsetDateTime>> {
    actions.iter().map(|it| it.due_at).collect()
}

#[test]
fn tenures_own_playbooks_are_sound_and_answer_every_signal() {
    for signal in SignalKind::ALL {
        let playbook = preset(*signal).check(1, START).unwrap();
        assert_eq!(playbook.signal, *signal);
        assert!(playbook.escalation_minutes().is_some(), "{signal}");
        let (_, actions) = begun(&preset(*signal), START);
        assert_eq!(actions[0].due_at, Some(START), "{signal}: the first is done at once");
    }
}

#[test]
fn actions_fall_due_as_the_playbooks_say() {
    let hours = |hours| Some(START + Duration::hours(hours));
    let at = |signal| dues(&begun(&preset(signal), START).1);
    assert_eq!(at(SignalKind::NoLogin7Days), [hours(0), None, hours(48)]);
    assert_eq!(at(SignalKind::NoLogin14Days), [hours(0), None, hours(48)]);
    assert_eq!(at(SignalKind::NpsDetractor), [hours(0), None, hours(72)]);
    assert_eq!(at(SignalKind::CancellationRequest), [hours(0), None, None, None]);
    assert_eq!(at(SignalKind::FailedPayment), [hours(0), None, hours(72), hours(120)]);
    let (_, cancellation) = begun(&preset(SignalKind::CancellationRequest), START);
    assert_eq!(cancellation[0].deadline, Some(START + Duration::hours(2)));
}

#[test]
fn what_follows_an_action_falls_due_with_it() {
    let (course, mut actions) = begun(&preset(SignalKind::NpsDetractor), START);
    let later = START + Duration::hours(5);
    actions[0].settle(ActionStatus::Done, None, later);
    assert_eq!(advance(&course, &mut actions, later), [1]);
    assert_eq!(actions[1].due_at, Some(later));
    let still_later = START + Duration::hours(6);
    actions[1].settle(ActionStatus::Skipped, None, still_later);
    assert_eq!(advance(&course, &mut actions, still_later), [2], "not only at its deadline");
    assert_eq!(actions[2].due_at, Some(still_later));
    assert_eq!(actions[2].deadline, Some(START + Duration::hours(72)));
}

#[test]
fn what_has_fallen_due_stays_due() {
    let (course, mut actions) = begun(&preset(SignalKind::NpsDetractor), START);
    let late = START + Duration::hours(80);
    actions[0].settle(ActionStatus::Done, None, late);
    actions[1].settle(ActionStatus::Done, None, late);
    assert!(advance(&course, &mut actions, late).is_empty());
    assert_eq!(actions[2].due_at, Some(START + Duration::hours(72)));
}

#[test]
fn conditions_decide_when_they_are_known() {
    let offer = |answer: Option<OfferAnswer>| {
        let (mut course, mut actions) = begun(&preset(SignalKind::CancellationRequest), START);
        let now = START + Duration::hours(1);
        (course.offer, course.offer_at) = (answer, answer.map(|_| now));
        actions[0].executed_at = Some(START);
        actions[0].status = ActionStatus::Executing;
        advance(&course, &mut actions, now);
        actions[1].settle(ActionStatus::Done, None, now);
        advance(&course, &mut actions, now);
        (actions[2].status, actions[3].status)
    };
    assert_eq!(offer(None), (Waiting, Waiting));
    assert_eq!(offer(Some(OfferAnswer::Open)), (Scheduled, Waiting));
    assert_eq!(offer(Some(OfferAnswer::NotOpen)), (Skipped, Scheduled));
    assert_eq!(offer(Some(OfferAnswer::Accepted)), (Scheduled, Skipped));
    assert_eq!(offer(Some(OfferAnswer::Rejected)), (Scheduled, Scheduled));

    let (mut course, mut actions) = begun(&preset(SignalKind::NoLogin7Days), START);
    course.responded_at = Some(START);
    course.login_at = Some(START + Duration::hours(3));
    assert_eq!(advance(&course, &mut actions, START + Duration::hours(3)), [1, 2]);
    assert_eq!((actions[1].status, actions[2].status), (Scheduled, Skipped));
    assert_eq!(actions[1].due_at, course.login_at);
}

#[test]
fn times_are_elapsed_hours_across_the_change_of_clocks_and_the_end_of_a_year() {
    let call = ActionDraft::new("call", Call, ActionTiming::after_hours(48));
    let draft = PlaybookDraft::new(SignalKind::FailedPayment).action(call);
    for start in [datetime!(2026-03-28 12:00 UTC), datetime!(2026-12-31 12:00 UTC)] {
        let (_, actions) = begun(&draft, start);
        assert_eq!(actions[0].due_at, Some(start + Duration::hours(48)));
    }
    let (_, last) = begun(&draft, datetime!(9999-12-31 12:00 UTC));
    assert!(last[0].due_at.is_some_and(|at| at.year() == 9999));
    let (_, first) = begun(&draft, datetime!(0001-01-01 0:00 UTC));
    assert_eq!(first[0].due_at, Some(datetime!(0001-01-03 0:00 UTC)));
}

#[test]
fn a_business_day_ends_at_five_from_monday_to_friday() {
    let ends = |at| end_of_business(at, &TimeZone::UTC, FIVE);
    for (at, expected) in [
        (datetime!(2026-01-30 09:00 UTC), datetime!(2026-01-30 17:00 UTC)),
        // Friday at five: the day is over.
        (datetime!(2026-01-30 17:00 UTC), datetime!(2026-02-02 17:00 UTC)),
        (datetime!(2026-01-31 09:00 UTC), datetime!(2026-02-02 17:00 UTC)),
        (datetime!(2026-02-01 23:59 UTC), datetime!(2026-02-02 17:00 UTC)),
        (datetime!(2026-12-31 18:00 UTC), datetime!(2027-01-01 17:00 UTC)),
        (datetime!(2028-02-28 18:00 UTC), datetime!(2028-02-29 17:00 UTC)),
    ] {
        assert_eq!(ends(at), expected, "{at}");
    }
    let last = datetime!(9999-12-31 20:00 UTC);
    assert!(ends(last) > last, "a day later, as far as the calendar goes");
}

#[cfg(feature = "timezones")]
#[test]
fn a_business_day_ends_on_the_customers_clock() {
    let ends = |zone: &str, at| end_of_business(at, &zone.parse().unwrap(), FIVE);
    // The same instant is Friday evening in Auckland and Friday morning in New York.
    let at = datetime!(2026-01-30 13:00 UTC);
    assert_eq!(ends("Pacific/Auckland", at), datetime!(2026-02-02 04:00 UTC));
    assert_eq!(ends("America/New_York", at), datetime!(2026-01-30 22:00 UTC));
    // Around the nights in which clocks go forward and back.
    assert_eq!(
        ends("Europe/Paris", datetime!(2026-03-27 17:00 UTC)),
        datetime!(2026-03-30 15:00 UTC)
    );
    assert_eq!(
        ends("Europe/Paris", datetime!(2026-10-23 16:00 UTC)),
        datetime!(2026-10-26 16:00 UTC)
    );
    // An end that the clocks skip is as much later.
    let two = time!(02:30);
    let zone = "America/Havana".parse().unwrap();
    assert!(end_of_business(datetime!(2026-03-06 12:00 UTC), &zone, two).unix_timestamp() > 0);
}

#[test]
fn a_playbook_with_faults_is_refused_with_all_of_them() {
    let mut draft = PlaybookDraft::new(SignalKind::FailedPayment)
        .name("a\nb")
        .timeline_hours(u32::MAX)
        .escalation_path(&["csm", "CSM!", "csm"])
        .action(ActionDraft::new("Call them", Call, ActionTiming::AfterPrevious))
        .action(ActionDraft::new("mail", Email, ActionTiming::Within { minutes: 0 }))
        .action(ActionDraft::new("mail", Email, ActionTiming::after_hours(9_000)).template("ä"));
    let faults = draft.check(2, START).unwrap_err();
    let fields: Vec<_> = faults.0.iter().map(|fault| fault.field.as_str()).collect();
    let expected = [
        "name",
        "timelineMinutes",
        "escalationPath[1]",
        "escalationPath[2]",
        "actions[0].action",
        "actions[0].timing",
        "actions[1].template",
        "actions[1].timing",
        "actions[2].template",
        "actions[2].timing",
    ];
    assert_eq!(fields, expected);
    draft.actions.clear();
    draft.escalation_path = vec!["a".to_owned(); 1_000];
    let faults = draft.check(2, START).unwrap_err();
    assert!(faults.0.len() < 20 && faults.0.iter().any(|fault| fault.field == "actions"));
}

#[test]
fn a_playbook_comes_from_json() {
    let json = r#"{
        "signal": "failed-payment", "timelineMinutes": 60, "owner": "support",
        "escalationPath": ["support", "cs_manager"],
        "actions": [
            { "action": "call", "channel": "call", "timing": { "kind": "within", "minutes": 30 } },
            { "action": "mail", "channel": "email", "template": "payment_failed",
              "timing": { "kind": "after_previous" }, "condition": "no_response" }
        ]
    }"#;
    let draft: PlaybookDraft = serde_json::from_str(json).unwrap();
    let playbook = draft.check(3, START).unwrap();
    assert_eq!(playbook.actions[1].order, 2);
    assert_eq!(playbook.actions[1].timing, ActionTiming::AfterPrevious);
    assert!(serde_json::from_str::<ActionTiming>(r#"{"kind":"some_day"}"#).is_err());
    assert!(serde_json::from_str::<ActionTiming>(r#"{"kind":"after","minutes":-1}"#).is_err());
}

//! Surveys and answers: asked no more often than customers bear, answered once, followed up.

use crate::support::{BEGINNING, World, code, events, fields, holder, race};
use serde_json::{Value as Json, json};
use tenure::{
    ContactDraft, CustomerDraft, CustomerId, Error, ErrorCode, NewSubscription, NpsClass,
    NpsResponse, NpsResponseDraft, NpsResponseId, NpsSurvey, NpsSurveyDraft, NpsSurveyId,
    NpsSurveyStatus, Task, TaskFilter, TaskPriority, TaskStatus, Ticked, UserDraft,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

fn ask(world: &World, customer: CustomerId) -> NpsSurvey {
    world.done(|tx| tx.send_nps_survey(&NpsSurveyDraft::to(customer, "quarterly_nps")))
}

fn answer(world: &World, draft: &NpsResponseDraft) -> NpsResponse {
    world.done(|tx| tx.record_nps_response(draft))
}

fn tasks(world: &World, customer: CustomerId) -> Vec<Task> {
    world.seen(|view| view.tasks(&TaskFilter::of(customer), 100, None)).items
}

/// What the last event of this name says.
fn said(world: &World, name: &str) -> Json {
    let told = events(&world.tenure);
    told.into_iter().rev().find(|it| it.name == name).unwrap_or_else(|| panic!("{name}")).data
}

/// When a survey that was refused is allowed.
fn allowed_at(error: Error) -> OffsetDateTime {
    match error {
        Error::TooSoon { noun: "nps survey", allowed_at } => allowed_at,
        other => panic!("{other}"),
    }
}

fn a_customer_is_asked_again_90_days_after_its_answer(world: &World) {
    let acme = world.customer("Acme").id;
    let survey = ask(world, acme);
    world.clock.advance(Duration::days(2));
    answer(world, &NpsResponseDraft::to(survey.id, 8));
    let again = BEGINNING + Duration::days(92);
    for at in [BEGINNING + Duration::days(2), again - Duration::MICROSECOND] {
        world.clock.set(at);
        let error = world.refused(|tx| tx.send_nps_survey(&NpsSurveyDraft::to(acme, "other")));
        assert_eq!(error.code(), ErrorCode::Unprocessable);
        assert!(error.to_string().contains("2026-05-03"), "{error}");
        assert_eq!(allowed_at(error), again);
        assert_eq!(world.seen(|view| view.nps_allowed_at(acme)), Some(again));
    }
    world.clock.set(again);
    assert_eq!(world.seen(|view| view.nps_allowed_at(acme)), None);
    ask(world, acme);
    ask(world, world.customer("Globex").id);
}

fn a_customer_that_did_not_answer_is_asked_again_after_30_days(world: &World) {
    let acme = world.customer("Acme").id;
    assert_eq!(world.seen(|view| view.nps_allowed_at(acme)), None);
    ask(world, acme);
    world.clock.advance(Duration::days(30) - Duration::MICROSECOND);
    world.tenure.tick().unwrap();
    let error = world.refused(|tx| tx.send_nps_survey(&NpsSurveyDraft::to(acme, "other")));
    assert_eq!(allowed_at(error), BEGINNING + Duration::days(30));
    world.clock.advance(Duration::MICROSECOND);
    ask(world, acme);
}

fn an_occasion_is_asked_on_once(world: &World) {
    let acme = world.customer("Acme").id;
    let draft = NpsSurveyDraft::to(acme, "quarterly_nps").occasion("2026-Q1");
    let sent = world.done(|tx| tx.send_nps_survey(&draft));
    assert!(world.told(|| world.done(|tx| tx.send_nps_survey(&draft))).is_empty());
    let other = NpsSurveyDraft::to(acme, "after_launch").occasion("2026-Q1");
    let error = world.refused(|tx| tx.send_nps_survey(&other));
    assert!(matches!(error, Error::KeyReused { field: "trigger", .. }), "{error}");
    let all = world.seen(|view| view.nps_surveys(acme, 10, None)).items;
    assert_eq!(all, [sent]);
}

fn a_survey_says_what_the_customer_was(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("pro")));
    world.clock.advance(Duration::days(12) + Duration::HOUR);
    let survey = ask(world, acme);
    assert_eq!(survey.metadata.plan.as_str(), "pro");
    assert_eq!(survey.metadata.mrr, [crate::support::eur(49)]);
    assert_eq!(survey.metadata.tenure_days, 12);
    world.done(|tx| tx.apply_tier(acme, "starter", &[]));
    assert_eq!(answer(world, &NpsResponseDraft::to(survey.id, 7)).plan.as_str(), "pro");
}

fn a_survey_is_reminded_of_after_3_days_and_closes_after_7(world: &World) {
    let acme = world.customer("Acme").id;
    let survey = ask(world, acme);
    let (reminder, end) = (BEGINNING + Duration::days(3), BEGINNING + Duration::days(7));
    assert_eq!(world.seen(|view| view.next_due()), Some(reminder));
    world.clock.set(reminder - Duration::MICROSECOND);
    assert_eq!(world.tenure.tick().unwrap(), Ticked::default());
    world.clock.set(reminder);
    let told = world.told(|| assert_eq!(world.tenure.tick().unwrap().nps_surveys_reminded, 1));
    assert_eq!(told, ["nps_survey.reminder_due"]);
    assert_eq!(world.seen(|view| view.next_due()), Some(end));
    assert_eq!(world.tenure.tick().unwrap(), Ticked::default());
    world.clock.set(end);
    let told = world.told(|| assert_eq!(world.tenure.tick().unwrap().nps_surveys_closed, 1));
    assert_eq!(told, ["nps_survey.closed"]);
    let survey = world.seen(|view| view.nps_survey(survey.id));
    assert_eq!(survey.status, NpsSurveyStatus::Closed);
    assert_eq!((survey.reminded_at, survey.closed_at), (Some(reminder), Some(end)));
    assert_eq!(world.seen(|view| view.next_due()), None);
    assert_eq!(world.tenure.tick().unwrap(), Ticked::default());
}

fn who_has_answered_or_is_gone_is_not_reminded(world: &World) {
    let [acme, globex, slow] = ["Acme", "Globex", "Slow"].map(|name| world.customer(name).id);
    let survey = ask(world, acme);
    let gone = ask(world, globex);
    answer(world, &NpsResponseDraft::to(survey.id, 9));
    world.done(|tx| tx.delete_customer(globex));
    world.clock.advance(Duration::days(3));
    world.done(|tx| tx.evaluate(acme));
    world.done(|tx| tx.evaluate(slow));
    assert_eq!(world.told(|| world.tenure.tick().unwrap()), ["nps_survey.closed"]);
    assert_eq!(world.seen(|view| view.nps_survey(gone.id)).closed_at, Some(world.clock.now()));
    ask(world, slow);
    world.clock.advance(Duration::days(30));
    let told = world.told(|| world.tenure.tick().unwrap());
    assert_eq!(told, ["nps_survey.closed"], "it is too late for a reminder");
}

fn several_ticks_at_once_remind_once(world: &World) {
    for number in 0..150 {
        ask(world, world.customer(&format!("Customer {number}")).id);
    }
    world.clock.advance(Duration::days(3));
    let done = race(3, |_| world.tenure.tick().unwrap().nps_surveys_reminded);
    assert_eq!(done.iter().sum::<usize>(), 150, "{done:?}");
    let told = events(&world.tenure);
    assert_eq!(told.iter().filter(|it| it.name == "nps_survey.reminder_due").count(), 150);
}

fn a_late_answer_counts_and_says_so(world: &World) {
    for (name, ticks) in [("Ticked", true), ("Not ticked", false)] {
        let customer = world.customer(name).id;
        let survey = ask(world, customer);
        world.clock.advance(Duration::days(7));
        if ticks {
            world.tenure.tick().unwrap();
        }
        let response = answer(world, &NpsResponseDraft::to(survey.id, 4));
        assert!(response.is_late);
        assert_eq!(tasks(world, customer).len(), 1, "it is followed up all the same");
        let survey = world.seen(|view| view.nps_survey(survey.id));
        assert_eq!(survey.status, NpsSurveyStatus::Answered);
        assert_eq!((survey.response_id, survey.due_at), (Some(response.id), None));
        let again = world.clock.now() + Duration::days(90);
        assert_eq!(world.seen(|view| view.nps_allowed_at(customer)), Some(again));
    }
    let in_time = ask(world, world.customer("In time").id);
    world.clock.advance(Duration::days(7) - Duration::MICROSECOND);
    assert!(!answer(world, &NpsResponseDraft::to(in_time.id, 4)).is_late);
}

fn a_survey_has_one_answer(world: &World) {
    let acme = world.customer("Acme").id;
    let survey = ask(world, acme);
    let draft = NpsResponseDraft::to(survey.id, 3).feedback("Too slow");
    let first = answer(world, &draft);
    world.clock.advance(Duration::MINUTE);
    let told = world.told(|| assert_eq!(answer(world, &draft), first));
    assert!(told.is_empty(), "{told:?}");
    for other in [
        NpsResponseDraft::to(survey.id, 4).feedback("Too slow"),
        NpsResponseDraft::to(survey.id, 3),
        NpsResponseDraft::to(survey.id, 3).feedback("Too slow").submitted_at(world.clock.now()),
    ] {
        let error = world.refused(|tx| tx.record_nps_response(&other));
        assert_eq!(error.code(), ErrorCode::Conflict);
        assert_eq!(holder(error), first.id.to_string());
    }
    assert_eq!(tasks(world, acme).len(), 1);
}

fn an_answer_that_names_no_survey_is_one_to_the_open_one(world: &World) {
    let acme = world.customer("Acme").id;
    let draft = ContactDraft::at("ada@acme.com").name("Ada");
    let ada = world.done(|tx| tx.upsert_contact(acme, &draft)).contact.id;
    let draft = ContactDraft::at("bob@acme.com").name("Bob");
    let bob = world.done(|tx| tx.upsert_contact(acme, &draft)).contact.id;
    let asked = NpsSurveyDraft::to(acme, "quarterly_nps").contact(ada);
    let survey = world.done(|tx| tx.send_nps_survey(&asked));
    let others = answer(world, &NpsResponseDraft::of(acme, 9).contact(bob));
    assert_eq!(others.survey_id, None, "somebody else had been asked");
    let hers = answer(world, &NpsResponseDraft::of(acme, 7));
    assert_eq!((hers.survey_id, hers.contact_id), (Some(survey.id), Some(ada)));
    let unasked = answer(world, &NpsResponseDraft::of(acme, 8));
    assert_eq!((unasked.survey_id, unasked.contact_id), (None, None));
    let all = world.seen(|view| view.nps_responses(acme, 2, None));
    assert_eq!((all.items.len(), all.next.is_some()), (2, true));
}

fn a_key_makes_an_unasked_answer_recognisable(world: &World) {
    let acme = world.customer("Acme").id;
    let draft = NpsResponseDraft::of(acme, 10).key("widget-17");
    let first = answer(world, &draft);
    assert!(world.told(|| assert_eq!(answer(world, &draft), first)).is_empty());
    let other = NpsResponseDraft::of(acme, 1).key("widget-17");
    let error = world.refused(|tx| tx.record_nps_response(&other));
    assert!(matches!(error, Error::KeyReused { field: "score", .. }), "{error}");
    let globex = world.customer("Globex").id;
    let elsewhere = answer(world, &NpsResponseDraft::of(globex, 1).key("widget-17"));
    assert_ne!(elsewhere.id, first.id, "a key is the customer's own");
}

fn a_score_is_a_whole_number_from_0_to_10(world: &World) {
    let acme = world.customer("Acme").id;
    for score in 0..=10 {
        let response = answer(world, &NpsResponseDraft::of(acme, score));
        let class = match score {
            0..=6 => NpsClass::Detractor,
            7 | 8 => NpsClass::Passive,
            _ => NpsClass::Promoter,
        };
        assert_eq!((response.score, response.class), (u32::try_from(score).unwrap(), class));
    }
    let bad = [-1.0, 11.0, 6.5, 8.5, -0.1, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    for score in bad {
        let draft = NpsResponseDraft::of(acme, score);
        let error = world.refused(|tx| tx.record_nps_response(&draft));
        assert_eq!(error.code(), ErrorCode::BadRequest);
        let fault = &error.faults()[0];
        assert_eq!(fault.field, "score");
        assert_eq!(fault.rule, "must be a whole number from 0 to 10");
    }
}

fn every_fault_is_told_at_once(world: &World) {
    let (acme, globex) = (world.customer("Acme").id, world.customer("Globex").id);
    let stranger = ContactDraft::at("eve@globex.com").name("Eve");
    let stranger = world.done(|tx| tx.upsert_contact(globex, &stranger)).contact.id;
    let survey = ask(world, acme);
    let tomorrow = BEGINNING + Duration::DAY;
    let draft = NpsResponseDraft::to(survey.id, 12).contact(stranger).submitted_at(tomorrow);
    let draft = draft.feedback("x".repeat(10_001)).key(" ");
    let error = world.refused(|tx| tx.record_nps_response(&draft));
    assert_eq!(fields(&error), ["contact", "score", "feedback", "submittedAt", "idempotencyKey"]);
    let early = NpsResponseDraft::to(survey.id, 5).submitted_at(BEGINNING - Duration::SECOND);
    assert_eq!(fields(&world.refused(|tx| tx.record_nps_response(&early))), ["submittedAt"]);
    for year in [-9_000, 0, 9_999] {
        let at = datetime!(2000-01-01 0:00 UTC).replace_year(year).unwrap();
        let draft = NpsResponseDraft::of(acme, 5).submitted_at(at);
        let error = world.refused(|tx| tx.record_nps_response(&draft));
        assert!(fields(&error).contains(&"submittedAt"), "{error}");
    }
    let draft = NpsSurveyDraft::to(globex, "Not A Code").sent_at(tomorrow).occasion("");
    let error = world.refused(|tx| tx.send_nps_survey(&draft));
    assert_eq!(fields(&error), ["trigger", "occasion", "sentAt"]);
    let nobody = CustomerId::from(Uuid::nil());
    let nothing = NpsResponseDraft::to(NpsSurveyId::from(Uuid::nil()), 5);
    assert_eq!(code(world.tried(|tx| tx.record_nps_response(&nothing))), ErrorCode::NotFound);
    let nothing = NpsResponseDraft::of(nobody, 5);
    assert_eq!(code(world.tried(|tx| tx.record_nps_response(&nothing))), ErrorCode::NotFound);
    let nothing = NpsSurveyDraft::to(nobody, "quarterly_nps");
    assert_eq!(code(world.tried(|tx| tx.send_nps_survey(&nothing))), ErrorCode::NotFound);
    let nothing = NpsResponseId::from(Uuid::nil());
    assert_eq!(code(world.tried(|tx| tx.follow_up_response(nothing, ""))), ErrorCode::NotFound);
}

fn a_detractor_is_called_within_a_day(world: &World) {
    let mia = world.done(|tx| tx.register_user("mia", &UserDraft::default().name("Mia"))).id;
    let draft = CustomerDraft::named("Acme").csm_id(mia);
    let acme = world.done(|tx| tx.create_customer(&draft)).id;
    let told = world.told(|| answer(world, &NpsResponseDraft::of(acme, 6).feedback("Slow")));
    assert_eq!(told, ["nps_response.submitted", "task.created", "nps_response.detractor_alert"]);
    let [task] = tasks(world, acme).try_into().unwrap();
    assert_eq!((task.kind.as_str(), task.priority), ("nps_followup", TaskPriority::High));
    assert_eq!((task.due_at, task.assignee), (Some(BEGINNING + Duration::hours(24)), Some(mia)));
    assert!(task.description.as_str().contains("Acme"), "{}", task.description);
    assert!(task.description.as_str().contains("Slow"), "{}", task.description);
    let response = world.seen(|view| view.nps_responses(acme, 1, None)).items.remove(0);
    let alert = said(world, "nps_response.detractor_alert");
    assert_eq!((&alert["csm"], &alert["score"]), (&json!(mia), &json!(6)));
    for told in [&alert["occasion"], &said(world, "task.created")["occasion"]] {
        assert_eq!(told, &json!(response.occasion()));
    }
    world.clock.advance(Duration::HOUR);
    let told = world
        .told(|| world.done(|tx| tx.follow_up_response(response.id, "They want faster reports")));
    assert_eq!(told, ["nps_response.followed_up", "task.completed"]);
    let again = world
        .told(|| world.done(|tx| tx.follow_up_response(response.id, "They want faster reports")));
    assert!(again.is_empty(), "{again:?}");
    let followed = world.seen(|view| view.nps_response(response.id));
    assert!(followed.followed_up);
    assert_eq!(followed.follow_up_at, Some(world.clock.now()));
    let [task] = tasks(world, acme).try_into().unwrap();
    assert_eq!(task.status, TaskStatus::Completed);
    assert_eq!(task.notes, followed.follow_up_notes);
}

fn a_promoter_is_a_candidate_for_advocacy(world: &World) {
    let acme = world.customer("Acme").id;
    let told = world.told(|| answer(world, &NpsResponseDraft::of(acme, 9)));
    assert_eq!(told, ["nps_response.submitted", "nps_response.advocacy_candidate"]);
    assert_eq!(said(world, "nps_response.advocacy_candidate")["score"], 9);
    let told = world.told(|| answer(world, &NpsResponseDraft::of(acme, 7)));
    assert_eq!(told, ["nps_response.submitted"]);
    assert!(tasks(world, acme).is_empty());
}

fn what_was_answered_long_ago_only_counts(world: &World) {
    let acme = world.customer("Acme").id;
    let then = BEGINNING - Duration::days(400);
    let survey = NpsSurveyDraft::to(acme, "quarterly_nps").sent_at(then);
    let survey = world.done(|tx| tx.send_nps_survey(&survey));
    let draft = NpsResponseDraft::to(survey.id, 1).submitted_at(then + Duration::DAY);
    let told = world.told(|| answer(world, &draft));
    assert_eq!(told, ["nps_survey.answered", "nps_response.submitted"]);
    assert_eq!(world.tenure.tick().unwrap().nps_surveys_closed, 0);
    answer(world, &NpsResponseDraft::of(acme, 8));
    let old = NpsResponseDraft::of(acme, 2).submitted_at(then + Duration::days(2));
    answer(world, &old);
    let standing = world.seen(|view| view.nps_standing(acme)).unwrap();
    assert_eq!((standing.score, standing.responded_at), (Some(8), Some(BEGINNING)));
    assert_eq!(standing.customer_id(), acme);
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    use tenure::store::memory::MemoryStore;
    for (days_until_closing, days_until_again) in [(3, 90), (2, 90), (7, -1)] {
        let mut config = tenure::Config::default();
        config.nps.closes_after = Duration::days(days_until_closing);
        config.nps.again_after_response = Duration::days(days_until_again);
        let world = World::over(MemoryStore::new(), |builder| builder.config(config));
        let acme = world.customer("Acme").id;
        let draft = NpsSurveyDraft::to(acme, "quarterly_nps");
        let error = world.refused(|tx| tx.send_nps_survey(&draft));
        assert_eq!(error.code(), ErrorCode::BadRequest, "{error}");
    }
}

fn a_key_of_one_survey_is_not_an_answer_to_another(world: &World) {
    let acme = world.customer("Acme").id;
    let first = ask(world, acme);
    let given = NpsResponseDraft::to(first.id, 9).key("answer");
    let response = answer(world, &given);
    assert_eq!(answer(world, &given), response);
    world.clock.advance(Duration::days(90));
    let second = ask(world, acme);
    let other = NpsResponseDraft::to(second.id, 9).key("answer");
    let error = world.refused(|tx| tx.record_nps_response(&other));
    assert_eq!(error.code(), ErrorCode::Conflict);
    assert!(matches!(error, Error::KeyReused { field: "survey", .. }), "{error}");
    // Who does not say what it answers means the one that was open then.
    let unnamed = NpsResponseDraft::of(acme, 9).key("answer");
    assert_eq!(answer(world, &unnamed), response);
}

fn a_survey_that_another_system_sent_is_not_sent_again(world: &World) {
    let [acme, globex] = ["Acme", "Globex"].map(|name| world.customer(name).id);
    let elsewhere = NpsSurveyDraft::to(acme, "history").sent_at(BEGINNING - Duration::days(400));
    world.done(|tx| tx.send_nps_survey(&elsewhere));
    assert_eq!(said(world, "nps_survey.sent")["sentElsewhere"], json!(true));
    ask(world, globex);
    assert_eq!(said(world, "nps_survey.sent")["sentElsewhere"], json!(false));
}

stories![
    a_customer_is_asked_again_90_days_after_its_answer,
    a_customer_that_did_not_answer_is_asked_again_after_30_days,
    an_occasion_is_asked_on_once,
    a_survey_says_what_the_customer_was,
    a_survey_is_reminded_of_after_3_days_and_closes_after_7,
    who_has_answered_or_is_gone_is_not_reminded,
    several_ticks_at_once_remind_once,
    a_late_answer_counts_and_says_so,
    a_survey_has_one_answer,
    an_answer_that_names_no_survey_is_one_to_the_open_one,
    a_key_makes_an_unasked_answer_recognisable,
    a_score_is_a_whole_number_from_0_to_10,
    every_fault_is_told_at_once,
    a_detractor_is_called_within_a_day,
    a_promoter_is_a_candidate_for_advocacy,
    what_was_answered_long_ago_only_counts,
    a_key_of_one_survey_is_not_an_answer_to_another,
    a_survey_that_another_system_sent_is_not_sent_again,
];

//! The journey of a customer, as it is told by its subscriptions, its standing and by hand.

use crate::support::{World, code, events, fields};
use tenure::{
    CustomerAction, CustomerId, CustomerStatus, ErrorCode, LifecycleRules, NewSubscription, STAGES,
    Stage, StageRule, StageTransition, SubscriptionAction, Tenure, TriggeredBy, When,
};
use time::Duration;

fn history(world: &World, id: CustomerId) -> Vec<StageTransition> {
    let mut all = world.seen(|view| view.stage_history(id, 100, None)).items;
    all.reverse();
    all
}

fn path(world: &World, id: CustomerId) -> Vec<(Stage, Stage, StageRule)> {
    history(world, id).into_iter().map(|it| (it.from, it.to, it.rule)).collect()
}

fn subscribed(world: &World, name: &str) -> (CustomerId, tenure::SubscriptionId) {
    let id = world.customer(name).id;
    let paid = world.done(|tx| tx.add_subscription(id, &NewSubscription::to("pro")));
    (id, paid.id)
}

fn a_customer_that_never_moved_is_in_its_first_stage_since_it_was_created(world: &World) {
    let created = world.customer("Acme");
    world.clock.advance(Duration::days(10));
    let journey = world.seen(|view| view.journey(created.id));
    assert_eq!((journey.stage, journey.since), (Stage::Trial, created.created_at));
    assert_eq!((journey.days_in_stage, journey.moves), (10, 0));
    assert_eq!(journey.furthest, Some(Stage::Trial));
    assert_eq!(journey.latest.get(Stage::Trial), Duration::days(10));
    assert_eq!(history(world, created.id), []);
}

fn the_first_paid_subscription_begins_the_onboarding_and_the_end_of_the_last_ends_it(
    world: &World,
) {
    world.catalogue();
    let (id, paid) = subscribed(world, "Acme");
    world.clock.advance(Duration::days(3));
    world.done(|tx| tx.cancel_subscription(paid, When::Now));
    world.clock.advance(Duration::days(4));
    world.done(|tx| tx.add_subscription(id, &NewSubscription::to("starter")));
    assert_eq!(
        path(world, id),
        [
            (Stage::Trial, Stage::Onboarding, StageRule::Converted),
            (Stage::Onboarding, Stage::Churned, StageRule::PaidEnded),
            (Stage::Churned, Stage::Onboarding, StageRule::WonBack),
        ]
    );
    let reasons: Vec<_> = history(world, id).into_iter().map(|it| it.reason).collect();
    assert_eq!(
        reasons,
        [
            "a paid subscription is active",
            "the last paid subscription is over (2026-02-03)",
            "a paid subscription is active",
        ]
    );
    assert!(history(world, id).iter().all(|it| it.triggered_by == TriggeredBy::Automatic));
    let journey = world.seen(|view| view.journey(id));
    assert_eq!(journey.latest.get(Stage::Churned), Duration::days(4));
    assert_eq!(world.done(|tx| tx.evaluate_stage(id)), None, "it does not churn again");
}

fn a_trial_that_ends_unpaid_ends_the_journey(world: &World) {
    let tier = tenure::TierDraft::new("pro").trial_days(14);
    world.done(|tx| tx.define_tier(&tier));
    let id = world.customer("Acme").id;
    world.done(|tx| tx.add_subscription(id, &NewSubscription::to("pro").trial()));
    let milestone = world.seen(|view| view.journey(id)).next_milestone.unwrap();
    let end = world.clock.now() + Duration::days(14);
    assert_eq!((milestone.name, milestone.target_date), (Stage::Onboarding, Some(end)));
    world.clock.advance(Duration::days(14));
    world.tenure.tick().unwrap();
    assert_eq!(path(world, id), [(Stage::Trial, Stage::Churned, StageRule::TrialExpired)]);
    // It is taken back, and what ended before does not end it again.
    world.done(|tx| tx.move_customer(id, CustomerAction::Churn));
    world.done(|tx| tx.move_customer(id, CustomerAction::Reactivate));
    assert_eq!(world.now(id).stage, Stage::Onboarding);
    assert_eq!(world.done(|tx| tx.evaluate_stage(id)), None);
}

fn a_move_is_told_once_with_one_request_for_each_workflow_of_the_stage(world: &World) {
    let id = world.customer("Acme").id;
    for guide in STAGES.iter().filter(|it| it.stage != Stage::Trial).chain(&STAGES[..1]) {
        let before = events(&world.tenure).len();
        world.done(|tx| tx.move_stage(id, guide.stage, "as agreed"));
        let told: Vec<_> = events(&world.tenure).into_iter().skip(before).collect();
        let moved = history(world, id).pop().unwrap();
        let changed = told.iter().find(|it| it.name == "customer.stage_changed").unwrap();
        assert_eq!(changed.data["to"], guide.stage.as_str());
        assert_eq!(changed.data["transitionId"], moved.id.to_string());
        let requests: Vec<_> = told.iter().filter(|it| it.name == "workflow.requested").collect();
        let names: Vec<_> =
            requests.iter().map(|it| it.data["workflow"].as_str().unwrap()).collect();
        assert_eq!(names, guide.workflows);
        let occasion = format!("stage/{id}/{}", moved.id);
        assert!(requests.iter().all(|it| it.data["occasion"] == occasion.as_str()));
    }
}

fn a_person_can_move_a_customer_between_any_two_stages(world: &World) {
    let mia = world.tenure.acting_as("mia").unwrap();
    let id = world.customer("Acme").id;
    let mut moves = 0;
    let go = |tenure: &Tenure, to| tenure.write(|tx| tx.move_stage(id, to, " as agreed ")).unwrap();
    for from in Stage::ALL {
        for to in Stage::ALL {
            moves += i64::from(world.now(id).stage != *from);
            go(&mia, *from);
            moves += i64::from(from != to);
            assert_eq!(go(&mia, *to).stage, *to);
        }
    }
    let all = history(world, id);
    assert!(all.windows(2).all(|two| two[0].to == two[1].from), "the history has no gap");
    let last = all.last().unwrap();
    assert_eq!((last.rule, last.triggered_by), (StageRule::ByHand, TriggeredBy::Manual));
    assert_eq!((last.reason.as_str(), last.performed_by.as_str()), ("as agreed", "mia"));
    assert_eq!((last.number, world.seen(|view| view.journey(id)).moves), (moves, moves));
}

fn a_move_to_the_stage_one_is_in_changes_nothing_and_one_without_a_reason_is_refused(
    world: &World,
) {
    let before = world.customer("Acme");
    let stay = || world.done(|tx| tx.move_stage(before.id, Stage::Trial, "no reason"));
    assert!(world.told(stay).is_empty());
    assert_eq!((stay(), history(world, before.id)), (before.clone(), vec![]));
    for reason in ["", " \n", "a\0b", &"x".repeat(10_001)] {
        let error = world.refused(|tx| tx.move_stage(before.id, Stage::Growing, reason));
        assert_eq!(fields(&error), ["reason"]);
    }
    world.done(|tx| tx.delete_customer(before.id));
    let gone = world.tried(|tx| tx.move_stage(before.id, Stage::Growing, "late"));
    assert_eq!(code(gone), ErrorCode::NotFound);
    assert_eq!(code(world.tried(|tx| tx.evaluate_stage(before.id))), ErrorCode::NotFound);
    let seen = world.tenure.read(|view| view.journey(before.id).map(drop));
    assert_eq!(code(seen), ErrorCode::NotFound);
}

fn history_is_paged_newest_first_and_ordered_within_one_instant(world: &World) {
    let id = world.customer("Acme").id;
    for to in [Stage::Onboarding, Stage::Adopting, Stage::Growing, Stage::AtRisk, Stage::Growing] {
        world.done(|tx| tx.move_stage(id, to, "in one go"));
    }
    let first = world.seen(|view| view.stage_history(id, 3, None));
    let rest = world.seen(|view| view.stage_history(id, 3, first.next.as_ref()));
    let numbers: Vec<_> = first.items.iter().chain(&rest.items).map(|it| it.number).collect();
    assert_eq!((numbers, rest.next), (vec![5, 4, 3, 2, 1], None));
    let bad = world.tenure.read(|view| view.stage_history(id, 0, None).map(drop)).unwrap_err();
    assert_eq!(fields(&bad), ["limit"]);
}

fn times_add_up_to_the_time_since_it_was_created_over_a_leap_day(world: &World) {
    let id = world.customer("Acme").id;
    let begun = world.clock.now();
    let leap = time::macros::datetime!(2028-02-29 23:59:59.999999 UTC);
    for (to, days) in [
        (Stage::Onboarding, 28),
        (Stage::Adopting, 31),
        (Stage::AtRisk, 365),
        (Stage::Adopting, 1),
        (Stage::Renewing, 300),
    ] {
        world.clock.advance(Duration::days(days));
        world.done(|tx| tx.move_stage(id, to, "time goes by"));
    }
    world.clock.set(leap);
    let journey = world.seen(|view| view.journey(id));
    let sum = journey.total.iter().fold(Duration::ZERO, |sum, (_, time)| sum + time);
    assert_eq!(sum, leap - begun);
    assert_eq!(journey.total.get(Stage::Adopting), Duration::days(365 + 300));
    assert_eq!(journey.latest.get(Stage::Adopting), Duration::days(300));
    assert_eq!(journey.furthest, Some(Stage::Renewing));
    world.done(|tx| tx.move_stage(id, Stage::Trial, "begin again"));
    let again = world.seen(|view| view.journey(id));
    assert_eq!((again.furthest, again.days_in_stage), (Some(Stage::Renewing), 0));
}

fn churn_of_the_account_and_its_return_move_the_stage(world: &World) {
    world.catalogue();
    let (id, _) = subscribed(world, "Acme");
    world.done(|tx| tx.move_customer(id, CustomerAction::Activate));
    world.done(|tx| tx.move_customer(id, CustomerAction::Churn));
    // What it has paid for still runs, but who churned an account meant it.
    assert_eq!(world.done(|tx| tx.evaluate_stage(id)), None);
    let blockers = world.seen(|view| view.journey(id)).blockers;
    assert_eq!(blockers.len(), 1);
    assert_eq!(blockers[0].to_string(), "the account is churned");
    world.done(|tx| tx.move_customer(id, CustomerAction::Reactivate));
    let by = [StageRule::Converted, StageRule::AccountChurned, StageRule::AccountReactivated];
    let moves = history(world, id);
    assert_eq!(moves.iter().map(|it| it.rule).collect::<Vec<_>>(), by);
    assert_eq!(moves[1].reason, "the account was churned");
    assert!(moves[1..].iter().all(|it| it.triggered_by == TriggeredBy::Manual));
    assert_eq!(world.now(id).stage, Stage::Onboarding);
}

fn a_customer_at_risk_has_the_standing_for_it_until_it_recovers(world: &World) {
    let id = world.done(|tx| tx.ensure_account("ada@acme.com", None)).id;
    let go = |to| world.told(|| world.done(|tx| tx.move_stage(id, to, "as agreed")));
    let told = go(Stage::AtRisk);
    assert_eq!(told.last().map(String::as_str), Some("customer.at_risk_flagged"));
    assert_eq!(world.now(id).status, CustomerStatus::AtRisk);
    let told = go(Stage::Growing);
    assert_eq!(told.last().map(String::as_str), Some("customer.recovered"));
    assert_eq!(world.now(id).status, CustomerStatus::Active);
    // Who has gone has not recovered.
    go(Stage::AtRisk);
    go(Stage::Churned);
    assert_eq!(world.now(id).status, CustomerStatus::AtRisk);
}

fn a_standing_that_cannot_be_at_risk_stays_as_it_is(world: &World) {
    for (place, status) in [
        CustomerStatus::Prospect,
        CustomerStatus::Lead,
        CustomerStatus::Suspended,
        CustomerStatus::Inactive,
    ]
    .into_iter()
    .enumerate()
    {
        let draft = tenure::CustomerDraft::named(format!("Acme {place}")).status(status);
        let id = world.done(|tx| tx.create_customer(&draft)).id;
        world.done(|tx| tx.move_stage(id, Stage::AtRisk, "as agreed"));
        assert_eq!(world.now(id).status, status);
        world.done(|tx| tx.move_stage(id, Stage::Growing, "as agreed"));
        assert_eq!(world.now(id).status, status);
    }
}

fn every_subscription_that_is_renewed_or_late_leaves_the_stage_alone(world: &World) {
    world.catalogue();
    let (id, paid) = subscribed(world, "Acme");
    for action in [SubscriptionAction::MarkPastDue, SubscriptionAction::Activate] {
        world.done(|tx| tx.move_subscription(paid, action));
        world.done(|tx| tx.evaluate_stage(id));
    }
    for _ in 0..3 {
        world.clock.advance(Duration::days(31));
        world.tenure.tick().unwrap();
        assert_eq!(world.done(|tx| tx.evaluate_stage(id)), None);
    }
    assert_eq!(path(world, id), [(Stage::Trial, Stage::Onboarding, StageRule::Converted)]);
}

stories! {
    a_customer_that_never_moved_is_in_its_first_stage_since_it_was_created,
    the_first_paid_subscription_begins_the_onboarding_and_the_end_of_the_last_ends_it,
    a_trial_that_ends_unpaid_ends_the_journey,
    a_move_is_told_once_with_one_request_for_each_workflow_of_the_stage,
    a_person_can_move_a_customer_between_any_two_stages,
    a_move_to_the_stage_one_is_in_changes_nothing_and_one_without_a_reason_is_refused,
    history_is_paged_newest_first_and_ordered_within_one_instant,
    times_add_up_to_the_time_since_it_was_created_over_a_leap_day,
    churn_of_the_account_and_its_return_move_the_stage,
    a_customer_at_risk_has_the_standing_for_it_until_it_recovers,
    a_standing_that_cannot_be_at_risk_stays_as_it_is,
    every_subscription_that_is_renewed_or_late_leaves_the_stage_alone,
}

#[test]
fn thresholds_that_contradict_each_other_are_refused_with_every_fault() {
    let world = World::over(tenure::store::memory::MemoryStore::new(), |builder| {
        let mut config = tenure::Config::default();
        config.lifecycle.at_risk_health = f64::NAN;
        config.lifecycle.recovered_health = 101.0;
        config.lifecycle.expansion_days = 0.0;
        config.lifecycle.promoter_min = 6.0;
        config.lifecycle.advocate_health = 69.0;
        builder.config(config)
    });
    let id = world.customer("Acme").id;
    let error = world.refused(|tx| tx.evaluate_stage(id));
    assert_eq!(
        fields(&error),
        ["atRiskHealth", "recoveredHealth", "advocateHealth", "expansionDays", "promoterMin"]
    );
    assert!(LifecycleRules::default().check().is_ok());
}

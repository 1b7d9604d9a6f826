//! Churn signals: noticed once, kept while they stand, closed by what speaks against them.

use crate::support::{BEGINNING, World, events, fields};
use tenure::domain::facts::names;
use tenure::{
    Config, Customer, CustomerAction, CustomerFacts, CustomerId, ErrorCode, Figure, FigureSource,
    InterventionStatus, PAGE_MAX, PlaybookDraft, RiskLevel, SignalKind, SignalsKept, nouns,
};
use time::Duration;

/// Facts of a customer now, of which these figures are known.
pub fn facts(world: &World, customer: &Customer, known: &[(&'static str, f64)]) -> CustomerFacts {
    let now = world.clock.now();
    let mut facts =
        CustomerFacts::new(customer.id, customer.tier.clone(), customer.created_at, now);
    for (name, value) in known {
        let figure = Figure { value: *value, at: now, source: FigureSource::Derived };
        facts.figures.set(*name, figure);
    }
    facts
}

fn evaluated(world: &World, who: &Customer, known: &[(&'static str, f64)]) -> SignalsKept {
    let facts = facts(world, who, known);
    world.done(|tx| tx.evaluate_signals(&facts))
}

fn standing(world: &World, id: CustomerId) -> Vec<SignalKind> {
    world.seen(|view| view.open_signals(id)).into_iter().map(|signal| signal.kind).collect()
}

/// The interventions for a customer, newest first: for which signal, and what became of each.
fn courses(world: &World, id: CustomerId) -> Vec<(SignalKind, InterventionStatus)> {
    let page = world.seen(|view| view.interventions(id, PAGE_MAX, None));
    page.items.into_iter().map(|it| (it.signal, it.status)).collect()
}

use InterventionStatus::{Cancelled, Failed, InProgress, Succeeded};
use SignalKind::{CancellationRequest, NoLogin7Days, NoLogin14Days, NpsDetractor};

const SILENT: &str = names::DAYS_SINCE_LAST_LOGIN;

fn a_signal_that_stands_is_one_record_as_it_was_first_seen(world: &World) {
    let acme = world.customer("Acme");
    let kept = evaluated(world, &acme, &[(SILENT, 8.0)]);
    assert_eq!(kept.opened.len(), 1);
    let told = world.told(|| {
        for day in 9..14 {
            world.clock.advance(Duration::DAY);
            assert_eq!(
                evaluated(world, &acme, &[(SILENT, f64::from(day))]),
                SignalsKept::default()
            );
        }
    });
    assert!(told.is_empty(), "{told:?}");
    let all = world.seen(|view| view.churn_signals(acme.id, 10, None)).items;
    assert_eq!(all, kept.opened);
    assert_eq!((all[0].value, all[0].threshold), (8.0, 7.0));
    assert_eq!((all[0].detected_at, all[0].closed_at), (BEGINNING, None));
    assert_eq!(world.now(acme.id).risk_level, Some(RiskLevel::Medium));
}

fn a_signal_closes_with_its_condition_and_is_another_when_it_comes_again(world: &World) {
    let acme = world.customer("Acme");
    evaluated(world, &acme, &[(names::OPEN_TICKETS, 3.0)]);
    world.clock.advance(Duration::DAY);
    let kept = evaluated(world, &acme, &[(names::OPEN_TICKETS, 2.0)]);
    assert_eq!(kept.closed.len(), 1);
    assert_eq!(kept.closed[0].closed_at, Some(world.clock.now()));
    assert!(standing(world, acme.id).is_empty());
    assert_eq!(world.now(acme.id).risk_level, Some(RiskLevel::Low));
    world.clock.advance(Duration::DAY);
    let again = evaluated(world, &acme, &[(names::OPEN_TICKETS, 4.0)]);
    assert_ne!(again.opened[0].id, kept.closed[0].id);
    let page = |limit, cursor: Option<&tenure::Cursor>| {
        world.seen(|view| view.churn_signals(acme.id, limit, cursor))
    };
    let first = page(1, None);
    assert_eq!(first.items, again.opened, "newest first");
    assert_eq!(page(1, first.next.as_ref()).items, kept.closed);
    let ticket = SignalKind::MultipleSupportTickets;
    assert_eq!(courses(world, acme.id), [(ticket, InProgress), (ticket, Succeeded)]);
}

fn what_is_not_known_neither_opens_nor_closes(world: &World) {
    let acme = world.customer("Acme");
    assert_eq!(evaluated(world, &acme, &[]), SignalsKept::default());
    evaluated(world, &acme, &[(names::NPS_SCORE, 3.0)]);
    assert_eq!(evaluated(world, &acme, &[]), SignalsKept::default());
    assert_eq!(standing(world, acme.id), [NpsDetractor]);
    assert_eq!(world.now(acme.id).risk_level, Some(RiskLevel::High), "it still stands");
    evaluated(world, &acme, &[(names::NPS_SCORE, 7.0)]);
    assert!(standing(world, acme.id).is_empty());
}

fn a_cancellation_that_is_withdrawn_is_a_customer_saved(world: &World) {
    let acme = world.customer("Acme");
    let mut asked = facts(world, &acme, &[]);
    asked.cancellation_requested_at = Some(BEGINNING);
    let told = world.told(|| world.done(|tx| tx.evaluate_signals(&asked)));
    assert_eq!(told, ["churn_signal.detected", "intervention.started", "customer.risk_changed"]);
    assert_eq!(world.now(acme.id).risk_level, Some(RiskLevel::Critical));
    evaluated(world, &acme, &[]);
    assert_eq!(courses(world, acme.id), [(CancellationRequest, Succeeded)]);
}

fn the_more_urgent_playbook_takes_the_place_of_the_other(world: &World) {
    let acme = world.customer("Acme");
    evaluated(world, &acme, &[(SILENT, 8.0)]);
    world.clock.advance(Duration::days(7));
    evaluated(world, &acme, &[(SILENT, 15.0)]);
    assert_eq!(standing(world, acme.id).len(), 2, "both are true");
    assert_eq!(courses(world, acme.id), [(NoLogin14Days, InProgress), (NoLogin7Days, Cancelled)]);
    let page = world.seen(|view| view.interventions(acme.id, 10, None));
    let outcome = page.items[1].outcome.clone().unwrap();
    assert_eq!(outcome.as_str(), "superseded by no_login_14_days");
    let left = world.seen(|view| view.intervention_actions(page.items[1].id));
    assert!(left.iter().all(|it| it.status.is_settled()), "{left:?}");
    evaluated(world, &acme, &[(SILENT, 0.0)]);
    assert_eq!(courses(world, acme.id), [(NoLogin14Days, Succeeded), (NoLogin7Days, Cancelled)]);

    let late = world.customer("Noticed late");
    evaluated(world, &late, &[(SILENT, 30.0)]);
    assert_eq!(courses(world, late.id), [(NoLogin14Days, InProgress)]);
}

fn a_playbook_that_is_not_active_covers_for_no_other(world: &World) {
    let acme = world.customer("Acme");
    let mut draft = PlaybookDraft::new(NoLogin14Days).inactive();
    draft.actions = tenure::domain::churn::presets::preset(NoLogin14Days).actions;
    world.done(|tx| tx.define_playbook(&draft));
    evaluated(world, &acme, &[(SILENT, 30.0)]);
    assert_eq!(courses(world, acme.id), [(NoLogin7Days, InProgress)]);
    let by_hand = world.done(|tx| tx.start_intervention(acme.id, NoLogin14Days));
    assert_eq!(by_hand.status, InProgress, "who insists starts it");
}

fn of_a_customer_that_left_nothing_stands(world: &World) {
    let acme = world.customer("Acme");
    evaluated(world, &acme, &[(names::NPS_SCORE, 3.0), (names::FAILED_PAYMENTS, 1.0)]);
    assert_eq!(world.now(acme.id).risk_level, Some(RiskLevel::Critical));
    world.done(|tx| tx.move_customer(acme.id, CustomerAction::Churn));
    let kept = evaluated(world, &acme, &[(names::NPS_SCORE, 3.0)]);
    assert_eq!((kept.opened.len(), kept.closed.len()), (0, 2));
    assert!(courses(world, acme.id).iter().all(|(_, status)| *status == Failed));
    assert_eq!(world.now(acme.id).risk_level, None);
    assert_eq!(
        evaluated(world, &acme, &[(names::NPS_SCORE, 3.0)]),
        SignalsKept::default(),
        "and no new one"
    );
    let refused = world.refused(|tx| tx.start_intervention(acme.id, NpsDetractor));
    assert_eq!(refused.code(), ErrorCode::Unprocessable);
}

fn health_alone_makes_a_risk(world: &World) {
    let acme = world.customer("Acme");
    let risk = |health| {
        evaluated(world, &acme, &[(names::HEALTH_SCORE, health)]);
        world.now(acme.id).risk_level.unwrap()
    };
    assert_eq!(risk(40.0), RiskLevel::Low);
    assert_eq!(risk(39.0), RiskLevel::Medium);
    assert_eq!(risk(20.0), RiskLevel::Medium);
    assert_eq!(risk(19.0), RiskLevel::High);
}

#[test]
fn a_host_sets_the_thresholds_and_whether_playbooks_start() {
    let mut config = Config::default();
    config.churn.open_tickets = 5.0;
    config.churn.starts_playbooks = false;
    let strict = config.clone();
    let store = tenure::store::memory::MemoryStore::new();
    let world = World::over(store, |builder| builder.config(strict));
    let acme = world.customer("Acme");
    assert!(evaluated(&world, &acme, &[(names::OPEN_TICKETS, 4.0)]).opened.is_empty());
    assert_eq!(evaluated(&world, &acme, &[(names::OPEN_TICKETS, 5.0)]).opened.len(), 1);
    assert!(courses(&world, acme.id).is_empty());

    config.churn.no_login_days = f64::NAN;
    config.churn.open_tickets = -1.0;
    let store = tenure::store::memory::MemoryStore::new();
    let world = World::over(store, |builder| builder.config(config));
    let acme = world.customer("Acme");
    let facts = facts(&world, &acme, &[]);
    let error = world.refused(|tx| tx.evaluate_signals(&facts));
    assert_eq!(fields(&error), ["churn.noLoginDays", "churn.openTickets"]);
}

fn facts_of_nobody_and_figures_beyond_reason_do_no_harm(world: &World) {
    let acme = world.customer("Acme");
    let mut nobody = facts(world, &acme, &[]);
    nobody.customer_id = CustomerId::from(uuid::Uuid::max());
    assert_eq!(world.refused(|tx| tx.evaluate_signals(&nobody)).code(), ErrorCode::NotFound);
    let all = [
        SILENT,
        names::USAGE_CHANGE,
        names::NPS_SCORE,
        names::OPEN_TICKETS,
        names::FAILED_PAYMENTS,
        names::HEALTH_SCORE,
    ];
    for value in [f64::MAX, f64::MIN, f64::MIN_POSITIVE, -0.0, 1e308, -1e15] {
        evaluated(world, &acme, &all.map(|name| (name, value)));
    }
    let mut early = facts(world, &acme, &[(SILENT, 1e9)]);
    early.as_of = time::macros::datetime!(0001-01-01 0:00 UTC);
    world.done(|tx| tx.evaluate_signals(&early));
    early.as_of = time::macros::datetime!(9999-12-31 23:59 UTC);
    early.cancellation_requested_at = Some(early.as_of);
    world.done(|tx| tx.evaluate_signals(&early));
    assert!(standing(world, acme.id).contains(&CancellationRequest));
}

fn every_event_of_signals_and_interventions_is_one_that_a_noun_lists(world: &World) {
    let acme = world.customer("Acme");
    evaluated(world, &acme, &[(names::NPS_SCORE, 3.0), (SILENT, 8.0)]);
    evaluated(world, &acme, &[(names::NPS_SCORE, 9.0), (SILENT, 15.0)]);
    world.clock.advance(Duration::days(3));
    world.tenure.tick().unwrap();
    world.done(|tx| tx.move_customer(acme.id, CustomerAction::Churn));
    evaluated(world, &acme, &[]);
    for event in events(&world.tenure) {
        let (subject, what) = event.name.split_once('.').unwrap();
        let subject = subject.replace('_', " ");
        let noun = nouns().iter().find(|noun| noun.singular == subject).unwrap();
        assert!(noun.events().any(|it| it == what), "{}", event.name);
    }
}

stories! {
    a_signal_that_stands_is_one_record_as_it_was_first_seen,
    a_signal_closes_with_its_condition_and_is_another_when_it_comes_again,
    what_is_not_known_neither_opens_nor_closes,
    a_cancellation_that_is_withdrawn_is_a_customer_saved,
    the_more_urgent_playbook_takes_the_place_of_the_other,
    a_playbook_that_is_not_active_covers_for_no_other,
    of_a_customer_that_left_nothing_stands,
    health_alone_makes_a_risk,
    facts_of_nobody_and_figures_beyond_reason_do_no_harm,
    every_event_of_signals_and_interventions_is_one_that_a_noun_lists,
}

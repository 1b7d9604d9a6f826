//! The evaluation: a customer's life as its records tell it, one by one, all at once, and by ticks.

use crate::support::{World, code, customers, dump, eur, events, fields, race};
use crate::tampered::Tampered;
use std::sync::atomic::{AtomicU64, Ordering};
use tenure::domain::facts::names;
use tenure::store::memory::MemoryStore;
use tenure::value::Value;
use tenure::{
    BillingCycle, Builder, Config, CustomerDraft, CustomerId, ErrorCode, Evaluated, InvoiceDraft,
    NewActivity, NewMetric, NewSubscription, NpsResponseDraft, OpportunityKind, RiskLevel,
    SignalKind, Stage, StageRule, SubscriptionAction, Ticked, TicketDraft, TierDraft, When,
};
use time::Duration;
use uuid::Uuid;

/// Ids that come in the same order in every world.
pub fn numbered(builder: Builder) -> Builder {
    let next = AtomicU64::new(1);
    builder.ids(move |_| Uuid::from_u128(u128::from(next.fetch_add(1, Ordering::SeqCst))))
}

impl World {
    /// The host measures something now.
    fn measures(&self, id: CustomerId, name: &str, value: f64) {
        self.done(|tx| tx.record_metric(id, name, value, tx.now()));
    }

    /// The host finds that all is well.
    fn is_well(&self, id: CustomerId) {
        let now = self.clock.now();
        let known = [
            (names::DAU_MAU_RATIO, 0.5),
            (names::FEATURE_ADOPTION, 0.7),
            (names::CONVERSATIONS_PER_WEEK, 100.0),
            (names::AVG_CSAT, 5.0),
            (names::OPEN_TICKETS, 0.0),
            (names::PAYMENT_HEALTH, 1.0),
            (names::DAYS_SINCE_LAST_LOGIN, 0.0),
        ];
        let readings = known.map(|(name, value)| NewMetric::new(id, name, value, now));
        self.done(|tx| tx.record_metrics(&readings));
    }

    fn logs_in(&self, id: CustomerId) {
        self.done(|tx| tx.record_activity(id, &NewActivity::login("ada")));
    }

    fn evaluated(&self, id: CustomerId) -> Evaluated {
        self.done(|tx| tx.evaluate(id))
    }

    fn standing(&self, id: CustomerId) -> Vec<SignalKind> {
        self.seen(|view| view.open_signals(id)).into_iter().map(|it| it.kind).collect()
    }

    fn ticked(&self) -> Ticked {
        self.tenure.tick().unwrap()
    }
}

fn a_customer_lives_through_every_stage_by_what_is_recorded_of_it(world: &World) {
    let yearly = |code: &str, euros| {
        TierDraft::new(code).fee(eur(euros), BillingCycle::Yearly).trial_days(14)
    };
    world.done(|tx| {
        tx.define_tier(&yearly("pro", 1_200))?;
        tx.define_tier(&yearly("enterprise", 9_000))
    });
    let id = world.done(|tx| tx.ensure_account("ada@acme.com", Some("Acme"))).id;
    let welcome = events(&world.tenure).into_iter().find(|it| it.name == "workflow.requested");
    assert_eq!(welcome.unwrap().data["workflow"], "trial_welcome_sequence");
    let trial = NewSubscription::to("pro").trial();
    let paid = world.done(|tx| tx.add_subscription(id, &trial)).id;
    assert_eq!(world.evaluated(id).moved, None);

    world.clock.advance(Duration::days(10));
    world.done(|tx| tx.move_subscription(paid, SubscriptionAction::Activate));
    world.measures(id, names::ONBOARDING_COMPLETION, 85.0);
    world.evaluated(id);
    world.clock.advance(Duration::days(85));
    world.is_well(id);
    world.evaluated(id);
    let renewal = world.seen(|view| view.customer_facts(id)).contract.renewal_at.unwrap();
    world.clock.set(renewal - Duration::days(55));
    world.is_well(id);
    world.evaluated(id);

    world.clock.set(renewal);
    world.is_well(id);
    let ticked = world.ticked();
    assert_eq!((ticked.subscriptions_renewed, ticked.customers_evaluated), (1, 1));
    world.clock.advance(Duration::days(1));
    world.measures(id, names::USAGE_VS_LIMIT, 0.9);
    let found = world.evaluated(id).expansion.open;
    assert_eq!((found[0].kind, found.len()), (OpportunityKind::Upsell, 1));
    world.clock.advance(Duration::days(5));
    world.done(|tx| tx.win_opportunity(found[0].id));
    world.measures(id, names::USAGE_VS_LIMIT, 0.5);
    world.evaluated(id);
    world.done(|tx| tx.record_nps_response(&NpsResponseDraft::of(id, 10)));
    world.evaluated(id);

    world.logs_in(id);
    world.clock.advance(Duration::days(15));
    let fading = world.evaluated(id);
    assert_eq!(fading.signals.opened.len(), 2);
    world.logs_in(id);
    world.is_well(id);
    assert_eq!(world.evaluated(id).signals.closed.len(), 2);
    world.done(|tx| tx.request_cancellation(id, "Too expensive"));
    world.evaluated(id);
    assert_eq!(world.now(id).risk_level, Some(RiskLevel::Critical));
    world.done(|tx| tx.cancel_subscription(paid, When::Now));
    let left = world.evaluated(id);
    assert_eq!((left.signals.closed.len(), world.now(id).risk_level), (1, None));
    world.clock.advance(Duration::days(30));
    world.done(|tx| tx.withdraw_cancellation(id));
    world.done(|tx| tx.add_subscription(id, &NewSubscription::to("pro")));

    let mut moves = world.seen(|view| view.stage_history(id, 100, None)).items;
    moves.reverse();
    let told: Vec<_> =
        moves.iter().map(|it| (it.to, it.rule, it.reason.split(' ').count() > 2)).collect();
    let steps = [
        (Stage::Onboarding, StageRule::Converted),
        (Stage::Adopting, StageRule::Onboarded),
        (Stage::Growing, StageRule::Adopted),
        (Stage::Renewing, StageRule::RenewalNear),
        (Stage::Growing, StageRule::Renewed),
        (Stage::Expanding, StageRule::OpportunityFound),
        (Stage::Growing, StageRule::ExpansionWon),
        (Stage::Advocating, StageRule::Promoter),
        (Stage::AtRisk, StageRule::NoLogin),
        (Stage::Growing, StageRule::Recovered),
        (Stage::Advocating, StageRule::Promoter),
        (Stage::Churned, StageRule::PaidEnded),
        (Stage::Onboarding, StageRule::WonBack),
    ];
    assert_eq!(told, steps.map(|(to, rule)| (to, rule, true)));
    for (place, figure) in [(1, "85"), (3, "55"), (7, "10"), (8, "15")] {
        assert!(moves[place].reason.contains(figure), "{}", moves[place].reason);
    }
}

fn what_is_recorded_of_tickets_invoices_surveys_and_wishes_opens_and_closes_signals_with_a_tick(
    world: &World,
) {
    let id = world.customer("Acme").id;
    assert_eq!(world.seen(|view| view.next_due()), None);
    assert_eq!(world.ticked(), Ticked::default(), "there is nothing to evaluate");
    let ticket = |number: i32, status: &str| {
        let draft = TicketDraft::default().opened_at(world.clock.now()).status(status);
        world.done(|tx| tx.upsert_ticket(id, &format!("t_{number}"), &draft));
    };
    let invoice = |status: &str| {
        let draft = InvoiceDraft::default().amount(eur(49)).status(status);
        let draft = if status == "paid" { draft.paid_at(world.clock.now()) } else { draft };
        world.done(|tx| tx.upsert_invoice(id, "in_1", &draft));
    };
    let answer = |score| {
        world.clock.advance(Duration::SECOND);
        world.done(|tx| tx.record_nps_response(&NpsResponseDraft::of(id, score)));
    };
    let stands = |kind: SignalKind, happens: &dyn Fn(), ends: &dyn Fn()| {
        happens();
        let due = world.seen(|view| view.next_due());
        assert!(due.is_some_and(|due| due <= world.clock.now()), "{kind} is not due");
        assert_eq!(world.ticked().customers_evaluated, 1, "{kind}");
        assert_eq!(world.standing(id), [kind]);
        assert_eq!(world.ticked(), Ticked::default(), "{kind} is found once");
        ends();
        assert_eq!(world.ticked().customers_evaluated, 1, "{kind} ends");
        assert_eq!(world.standing(id), []);
        assert!(world.seen(|view| view.next_due()).is_none_or(|due| due > world.clock.now()));
    };
    let tickets = |status: &str| (1..=3).for_each(|number| ticket(number, status));
    let open = || tickets("open");
    stands(SignalKind::MultipleSupportTickets, &open, &|| tickets("closed"));
    stands(SignalKind::FailedPayment, &|| invoice("failed"), &|| invoice("paid"));
    stands(SignalKind::NpsDetractor, &|| answer(3), &|| answer(8));
    stands(
        SignalKind::CancellationRequest,
        &|| drop(world.done(|tx| tx.request_cancellation(id, "Too expensive"))),
        &|| drop(world.done(|tx| tx.withdraw_cancellation(id))),
    );
    // For each signal one intervention.
    let begun = world.seen(|view| view.interventions(id, 100, None)).items;
    let signals = world.seen(|view| view.churn_signals(id, 100, None)).items;
    assert_eq!((begun.len(), signals.len()), (4, 4));
}

fn attempts_that_were_blocked_lead_to_an_opportunity(world: &World) {
    world.catalogue();
    let id = world.customer_on("starter", "Acme");
    for _ in 0..4 {
        assert!(!world.tenure.check(id, "sso").unwrap().can_use);
    }
    world.tenure.flush_denials().unwrap();
    let found = world.evaluated(id).expansion.open;
    assert_eq!((found.len(), found[0].kind), (1, OpportunityKind::AddFeatures));
    assert_eq!(found[0].features[0].as_str(), "sso");
}

fn evaluating_again_changes_nothing(world: &World) {
    world.catalogue();
    let id = world.customer_on("pro", "Acme");
    world.logs_in(id);
    world.is_well(id);
    world.done(|tx| tx.request_cancellation(id, "Too expensive"));
    world.clock.advance(Duration::days(9));
    assert!(world.evaluated(id).changed);
    world.evaluated(id);
    let before = dump(&world.tenure);
    let again = world.evaluated(id);
    assert!(!again.changed && again.moved.is_none());
    let all = world.tenure.evaluate_all(|_| ()).unwrap();
    assert_eq!((all.customers, all.changed, all.failed), (1, 0, 0));
    assert_eq!(dump(&world.tenure), before);
}

fn a_portfolio_is_swept_once_a_day_and_only_by_ticks(world: &World) {
    let ids: Vec<_> = (0..210).map(|n| world.customer(&format!("Customer {n}")).id).collect();
    let beside = world.beside("other");
    beside.customer("Other");
    let all_of = |world: &World| (customers(&world.tenure), events(&world.tenure));
    let untouched = all_of(&beside);
    assert_eq!(world.seen(|view| view.next_due()), None, "nothing is known of anybody");
    world.done(|tx| tx.delete_customer(ids[1]));
    for id in ids.iter().step_by(2) {
        world.measures(*id, names::DAYS_SINCE_LAST_LOGIN, 6.0);
    }
    let begun = world.clock.now();
    assert_eq!(world.seen(|view| view.next_due()), Some(begun));
    // Several at once evaluate each customer once, in pages.
    let ticked = race(4, |_| world.ticked());
    assert_eq!(ticked.iter().map(|it| it.customers_evaluated).sum::<usize>(), 209);
    assert_eq!(world.seen(|view| view.next_due()), Some(begun + Duration::DAY));
    assert_eq!(world.ticked(), Ticked::default());
    // What the host said then is a day more by now, and another day later it is a signal.
    for (days, opened) in [(1, 0), (1, 105), (1, 0)] {
        world.clock.advance(Duration::days(days));
        let before = events(&world.tenure).len();
        race(4, |_| world.ticked());
        let told = events(&world.tenure).into_iter().skip(before);
        assert_eq!(told.filter(|it| it.name == "churn_signal.detected").count(), opened);
    }
    assert_eq!(all_of(&beside), untouched);
}

fn one_that_cannot_be_evaluated_stops_no_other(world: &World) {
    world.catalogue();
    let ids = ["Acme", "Globex", "Initech"].map(|name| world.customer(name).id);
    for id in ids {
        world.done(|tx| tx.add_subscription(id, &NewSubscription::to("pro").seats(3)));
        world.measures(id, names::NPS_SCORE, 3.0);
    }
    world.measures(ids[1], names::TEAM_GROWTH, 1e300);
    let one = world.evaluated(ids[1]);
    assert!(one.expansion.uncountable.is_some() && one.expansion.open.is_empty());
    assert_eq!(one.moved.map(|it| it.to), Some(Stage::AtRisk), "all the rest is evaluated");
    let all = world.tenure.evaluate_all(|_| ()).unwrap();
    assert_eq!((all.customers, all.moved, all.failed), (3, 2, 1));
    assert_eq!(all.failures[0].customer_id, ids[1]);
    assert!(all.failures[0].error.contains(one.expansion.uncountable.unwrap()));
    let facts = world.seen(|view| view.customer_facts(ids[1]));
    let refused = world.tried(|tx| tx.evaluate_expansion(&facts));
    assert_eq!(code(refused.map(drop)), ErrorCode::Unprocessable);
    assert_eq!(world.ticked().evaluations_failed, 1);
}

fn who_is_gone_is_not_evaluated(world: &World) {
    let id = world.customer("Acme").id;
    world.done(|tx| tx.request_cancellation(id, "Too expensive"));
    world.done(|tx| tx.delete_customer(id));
    assert_eq!(code(world.tried(|tx| tx.evaluate(id))), ErrorCode::NotFound);
    assert_eq!(world.tenure.evaluate_all(|_| ()).unwrap().customers, 0);
    let ticked = world.ticked();
    assert_eq!((ticked.customers_evaluated, ticked.evaluations_failed), (0, 0));
    assert!(world.seen(|view| view.next_due()).is_none_or(|due| due > world.clock.now()));
}

fn a_year_is_renewed_though_a_month_is_too(world: &World) {
    let tier = |code: &str, cycle| TierDraft::new(code).fee(eur(100), cycle);
    world.done(|tx| {
        tx.define_tier(&tier("monthly", BillingCycle::Monthly))?;
        tx.define_tier(&tier("yearly", BillingCycle::Yearly))
    });
    let id = world.customer("Acme").id;
    let beside = world.tenure.for_product("crm").unwrap();
    world.done(|tx| tx.add_subscription(id, &NewSubscription::to("monthly")));
    beside.write(|tx| tx.add_subscription(id, &NewSubscription::to("yearly"))).unwrap();
    let begun = world.clock.now();
    world.clock.set(begun + Duration::days(320));
    world.ticked();
    let contract = world.seen(|view| view.customer_facts(id)).contract;
    assert_eq!(
        (contract.renewal_at, contract.renewed_at),
        (Some(begun + Duration::days(365)), None)
    );
    world.done(|tx| tx.move_stage(id, Stage::Growing, "as agreed"));
    assert_eq!(world.evaluated(id).moved.map(|it| it.rule), Some(StageRule::RenewalNear));
    world.clock.advance(Duration::days(11));
    world.ticked();
    assert_eq!(world.evaluated(id).moved, None, "a month was renewed, and the year was not");
}

fn who_has_not_signed_up_now_is_not_welcomed(world: &World) {
    let welcomed = |story: &dyn Fn()| {
        world.told(story).iter().filter(|it| *it == "workflow.requested").count()
    };
    let active = |name| CustomerDraft::named(name).status(tenure::CustomerStatus::Active);
    let create = |draft: &CustomerDraft| drop(world.done(|tx| tx.create_customer(draft)));
    let past = world.clock.now() - Duration::DAY;
    assert_eq!(welcomed(&|| create(&CustomerDraft::named("Prospect"))), 0);
    assert_eq!(welcomed(&|| create(&active("Imported").created_at(past))), 0);
    assert_eq!(welcomed(&|| create(&active("New"))), 1);
}

stories! {
    a_customer_lives_through_every_stage_by_what_is_recorded_of_it,
    what_is_recorded_of_tickets_invoices_surveys_and_wishes_opens_and_closes_signals_with_a_tick,
    attempts_that_were_blocked_lead_to_an_opportunity,
    evaluating_again_changes_nothing,
    a_portfolio_is_swept_once_a_day_and_only_by_ticks,
    one_that_cannot_be_evaluated_stops_no_other,
    who_is_gone_is_not_evaluated,
    a_year_is_renewed_though_a_month_is_too,
    who_has_not_signed_up_now_is_not_welcomed,
}

fn configured(change: impl FnOnce(&mut Config)) -> World {
    World::over(MemoryStore::new(), |builder| {
        let mut config = Config::default();
        change(&mut config);
        builder.config(config)
    })
}

#[test]
fn rules_that_make_no_sense_are_refused_whoever_there_is() {
    let world = configured(|config| config.lifecycle.recovered_health = 1.0);
    let nobody = world.tenure.evaluate_all(|_| ()).unwrap_err();
    assert_eq!(fields(&nobody), ["recoveredHealth"]);
    let id = world.customer("Acme").id;
    assert_eq!(fields(&world.refused(|tx| tx.evaluate(id))), ["recoveredHealth"]);
    assert_eq!(world.ticked(), Ticked::default(), "nothing is to be evaluated");
    world.measures(id, names::NPS_SCORE, 3.0);
    assert_eq!(fields(&world.tenure.tick().unwrap_err()), ["recoveredHealth"]);
    let world = configured(|config| config.evaluate_every = Some(Duration::ZERO));
    assert_eq!(fields(&world.tenure.tick().unwrap_err()), ["evaluateEvery"]);
}

#[test]
fn a_row_that_is_damaged_keeps_only_its_customer_from_being_evaluated() {
    let store = Tampered::over(MemoryStore::new());
    let world = World::over(store.clone(), |builder| builder);
    let ids: Vec<_> = (0..150).map(|n| world.customer(&format!("Customer {n}")).id).collect();
    for id in &ids {
        world.measures(*id, names::NPS_SCORE, 3.0);
    }
    world.done(|tx| tx.request_cancellation(ids[7], "Too expensive"));
    store.change("latest_metrics", |mut row| {
        if row.key() == ids[7].uuid() {
            row.0[1] = Value::Bool(true);
        }
        Some(row)
    });
    let ticked = world.ticked();
    assert_eq!(ticked.customers_evaluated, 149);
    assert_eq!(ticked.evaluations_failed, 2, "it waited for it, and it had its turn");
    assert_eq!(world.ticked(), Ticked::default());
    let all = world.tenure.evaluate_all(|_| ()).unwrap();
    assert_eq!((all.customers, all.changed, all.failed), (149, 0, 1));
    assert_eq!(all.failures[0].customer_id, ids[7]);
    assert!(all.failures[0].error.contains("latest_metrics"), "{}", all.failures[0].error);
}

#[test]
fn a_host_can_evaluate_by_itself() {
    let world = configured(|config| config.evaluate_every = None);
    let id = world.customer("Acme").id;
    world.done(|tx| tx.request_cancellation(id, "Too expensive"));
    assert_eq!(world.ticked(), Ticked::default());
    assert_eq!(world.seen(|view| view.next_due()), None);
    assert_eq!(world.evaluated(id).signals.opened[0].kind, SignalKind::CancellationRequest);
}

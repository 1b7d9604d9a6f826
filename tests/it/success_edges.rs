//! Customer success at its edges: what a customer comes back to, what is said twice, and figures
//! that no product ever showed.

use crate::support::{BEGINNING, World, dump, eur, race};
use tenure::domain::facts::names;
use tenure::{
    CohortBy, Customer, CustomerId, ErrorCode, InterventionStatus, NewActivity, NewSubscription,
    NpsResponseDraft, NpsSurveyDraft, Period, RiskLevel, SignalKind, Stage, StageMeasure,
    TierDraft, When,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

fn evaluate(world: &World, id: CustomerId) -> Customer {
    world.done(|tx| tx.evaluate(id).map(drop));
    world.now(id)
}

/// Records what makes a health score of 100, or of 0.
fn healthy(world: &World, id: CustomerId, is_healthy: bool) {
    world.done(|tx| {
        let at = tx.now();
        for (name, best) in [
            (names::DAU_MAU_RATIO, 0.5),
            (names::FEATURE_ADOPTION, 0.7),
            (names::CONVERSATIONS_PER_WEEK, 100.0),
            (names::LOGINS_PER_WEEK, 5.0),
            (names::FEATURES_USED_THIS_MONTH, 10.0),
            (names::AVG_CSAT, 5.0),
            (names::PAYMENT_HEALTH, 1.0),
        ] {
            tx.record_metric(id, name, if is_healthy { best } else { 0.0 }, at)?;
        }
        Ok(())
    });
}

fn standing(world: &World, id: CustomerId) -> Vec<SignalKind> {
    world.seen(|view| view.open_signals(id)).into_iter().map(|it| it.kind).collect()
}

fn the_score_is_a_fact_like_any_other(world: &World) {
    let acme = world.customer("Acme").id;
    healthy(world, acme, false);
    assert_eq!(evaluate(world, acme).stage, Stage::AtRisk);
    let facts = world.seen(|view| view.customer_facts(acme));
    assert_eq!(facts.figure(names::HEALTH_SCORE), Some(0.0));
    let journey = world.seen(|view| view.journey(acme));
    let blocker = journey.blockers.iter().find(|it| it.measure == StageMeasure::HealthScore);
    assert_eq!(blocker.unwrap().to_string(), "health score 0, must be at least 60");

    // One part of the evaluation alone comes to the same as all of it.
    assert_eq!(world.done(|tx| tx.evaluate_signals(&facts)).opened, []);
    assert_eq!(world.now(acme).risk_level, Some(RiskLevel::High));
    healthy(world, acme, true);
    world.done(|tx| tx.score_health(acme));
    let moved = world.done(|tx| tx.evaluate_stage(acme)).unwrap();
    assert_eq!(moved.to, Stage::Growing);
    assert!(moved.reason.starts_with("health score 100, at least 60"), "{}", moved.reason);

    // What somebody gave instead is what counts.
    let until = world.clock.now() + Duration::DAY;
    world.done(|tx| tx.override_health(acme, 30, "The sponsor has left.", until));
    let facts = world.seen(|view| view.customer_facts(acme));
    assert_eq!(facts.figure(names::HEALTH_SCORE), Some(30.0));
    assert_eq!(world.done(|tx| tx.evaluate_stage(acme)).unwrap().to, Stage::AtRisk);
}

fn who_comes_back_does_not_ask_to_cancel_any_more(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    let paid = world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("pro")));
    world.done(|tx| tx.request_cancellation(acme, "too dear"));
    assert_eq!(evaluate(world, acme).risk_level, Some(RiskLevel::Critical));
    world.done(|tx| tx.cancel_subscription(paid.id, When::Now));
    let gone = evaluate(world, acme);
    assert_eq!((gone.stage, gone.risk_level), (Stage::Churned, None));
    assert!(gone.cancellation_reason.is_some(), "why it left is still known");

    world.clock.advance(Duration::days(30));
    world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("pro")));
    let back = evaluate(world, acme);
    assert_eq!((back.stage, back.cancellation_requested_at), (Stage::Onboarding, None));
    assert_eq!((back.cancellation_reason, back.risk_level), (None, Some(RiskLevel::Low)));
    assert_eq!(standing(world, acme), []);
}

fn a_customer_that_an_evaluation_finds_gone_is_done_with(world: &World) {
    world.done(|tx| tx.define_tier(&TierDraft::new("pro").trial_days(14)));
    let acme = world.customer("Acme").id;
    world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("pro").trial()));
    world.clock.advance(Duration::days(4));
    world.done(|tx| tx.record_activity(acme, &NewActivity::login("ada")));
    world.clock.advance(Duration::days(8));
    evaluate(world, acme);
    assert_eq!(standing(world, acme), [SignalKind::NoLogin7Days]);
    world.clock.advance(Duration::days(3));
    assert_eq!(evaluate(world, acme).stage, Stage::Churned);
    assert_eq!(standing(world, acme), []);
    let case = world.seen(|view| view.interventions(acme, 10, None)).items.remove(0);
    assert_eq!(case.status, InterventionStatus::Failed);
    let before = dump(&world.tenure);
    evaluate(world, acme);
    assert_eq!(dump(&world.tenure), before, "the same facts again");
}

fn figures_that_no_product_ever_showed_are_evaluated(world: &World) {
    world.catalogue();
    let all = [
        names::DAU_MAU_RATIO,
        names::FEATURE_ADOPTION,
        names::CONVERSATIONS_PER_WEEK,
        names::DAYS_SINCE_LAST_LOGIN,
        names::LOGINS_PER_WEEK,
        names::FEATURES_USED_THIS_MONTH,
        names::OPEN_TICKETS,
        names::AVG_CSAT,
        names::ESCALATIONS,
        names::NPS_SCORE,
        names::MEETINGS_ATTENDED,
        names::PAYMENT_HEALTH,
        names::GROWTH_POTENTIAL,
        names::CONTRACT_LENGTH,
        names::USAGE_CHANGE,
        names::USAGE_VS_LIMIT,
        names::ENGAGEMENT_SCORE,
        names::ONBOARDING_COMPLETION,
        names::FAILED_PAYMENTS,
        names::HIGH_SEVERITY_TICKETS,
        names::HEALTH_SCORE,
    ];
    let values = [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -0.0, 1e15, -1e15, 0.1 + 0.2];
    for (number, value) in values.into_iter().enumerate() {
        let id = world.customer(&format!("Customer {number}")).id;
        world.done(|tx| tx.add_subscription(id, &NewSubscription::to("pro").seats(u32::MAX)));
        world.done(|tx| {
            for name in all {
                tx.record_metric(id, name, value, tx.now())?;
            }
            Ok(())
        });
        for _ in 0..3 {
            evaluate(world, id);
            world.clock.advance(Duration::DAY);
        }
        let health = world.seen(|view| view.health(id)).unwrap();
        assert!(health.score.is_none_or(|it| it <= 100), "{value:?}: {health:?}");
        world.seen(|view| view.explain_health(id));
        world.seen(|view| view.journey(id));
        for refused in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = world.refused(|tx| tx.record_metric(id, "x", refused, BEGINNING));
            assert_eq!(error.code(), ErrorCode::BadRequest);
        }
    }
    world.tenure.tick().unwrap();
    world.tenure.evaluate_all(|_| ()).unwrap();
}

fn reports_can_be_asked_for_any_period(world: &World) {
    world.catalogue();
    let acme = world.customer_on("pro", "Acme");
    world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("pro")));
    world.done(|tx| tx.record_nps_response(&NpsResponseDraft::of(acme, 10)));
    evaluate(world, acme);
    let first = datetime!(0001-01-01 0:00 UTC);
    let last = datetime!(9999-12-31 23:59:59.999_999 UTC);
    let periods = [
        (first, last),
        (first, first + Duration::MICROSECOND),
        (last - Duration::MICROSECOND, last),
        (datetime!(2024-02-29 0:00 UTC), datetime!(2024-03-01 0:00 UTC)),
    ];
    for (start, end) in periods {
        let period = Period::new(start, end).unwrap();
        let _ = world.tenure.read(|view| view.nps(period));
        let _ = world.tenure.read(|view| view.revenue(period, None));
        let _ = world.tenure.read(|view| view.engagement(acme, period));
        let _ = world.tenure.read(|view| view.health_as_of(acme, start));
    }
    for now in [first, datetime!(0002-01-01 0:00 UTC), datetime!(1970-01-01 0:00 UTC), last] {
        world.clock.set(now);
        let _ = world.tenure.evaluate_all(|_| ());
        let _ = world.tenure.tick();
        let _ = world.tenure.read(|view| view.validate_metrics());
        let _ = world.tenure.read(|view| view.cohorts(CohortBy::SignUp));
        let _ = world.tenure.read(|view| view.cohorts(CohortBy::FirstActivity));
        let _ = world.tenure.read(|view| view.survival(None));
        let _ = world.tenure.read(|view| view.journey(acme));
        let _ = world.tenure.read(|view| view.data_freshness());
    }
}

fn a_clock_that_goes_back_keeps_histories_in_order(world: &World) {
    let acme = world.customer("Acme").id;
    let at = |hours: i64| BEGINNING + Duration::hours(hours);
    let set = |now: OffsetDateTime, is_healthy| {
        world.clock.set(now);
        healthy(world, acme, is_healthy);
        evaluate(world, acme)
    };
    set(at(10), false);
    set(at(9), true);
    set(at(8), false);
    let kinds: Vec<_> = world.seen(|view| view.stage_history(acme, 10, None)).items;
    assert!(kinds.is_sorted_by_key(|it| -it.number));
    world.seen(|view| view.health_history(acme, 10, None));
    let journey = world.seen(|view| view.journey(acme));
    assert!(journey.days_in_stage >= 0);
    // The last score is the one that was computed last.
    let shown = world.seen(|view| view.health(acme)).unwrap().score;
    assert_eq!(shown, world.now(acme).health_score);
}

fn a_customer_that_is_restored_is_looked_after_again(world: &World) {
    let acme = world.customer("Acme").id;
    world.done(|tx| tx.record_nps_response(&NpsResponseDraft::of(acme, 2)));
    evaluate(world, acme);
    world.done(|tx| tx.delete_customer(acme));
    world.clock.advance(Duration::days(3));
    world.tenure.tick().unwrap();
    world.tenure.evaluate_all(|_| ()).unwrap();
    world.done(|tx| tx.restore_customer(acme));
    evaluate(world, acme);
    assert_eq!(standing(world, acme), [SignalKind::NpsDetractor]);
    let running = world.seen(|view| view.interventions(acme, 10, None)).items;
    let is_open: Vec<_> = running.iter().map(tenure::Intervention::is_open).collect();
    assert_eq!(is_open, [true, false], "begun anew, once");
    world.done(|tx| tx.delete_customer(acme));
    world.done(|tx| tx.restore_customer(acme));
    assert_eq!(world.seen(|view| view.interventions(acme, 10, None)).items, running);
}

fn everybody_evaluated_at_once_is_evaluated_once(world: &World) {
    let silent: Vec<_> = (0..20).map(|it| world.customer(&format!("Customer {it}")).id).collect();
    world.done(|tx| {
        for id in &silent {
            tx.record_metric(*id, names::DAYS_SINCE_LAST_LOGIN, 20.0, tx.now())?;
            tx.record_metric(*id, names::NPS_SCORE, 2.0, tx.now())?;
        }
        Ok(())
    });
    let reports = race(4, |_| world.tenure.evaluate_all(|_| ()).unwrap());
    let sum = |of: fn(&tenure::EvaluationReport) -> u64| reports.iter().map(of).sum::<u64>();
    assert_eq!((sum(|it| it.signals_opened), sum(|it| it.moved)), (60, 20));
    for id in silent {
        assert_eq!(standing(world, id).len(), 3);
        let courses = world.seen(|view| view.interventions(id, 10, None)).items;
        assert_eq!(courses.len(), 2, "seven days are part of fourteen");
    }
}

fn ten_thousand_activities_of_all_times_are_one_batch(world: &World) {
    let acme = world.customer("Acme").id;
    let users = ["ada", "Зоя", "名前", "🦀", "a\u{301}"];
    let at = |number: i64| match number % 5 {
        0 => datetime!(2024-02-29 23:59:59.999_999 UTC),
        1 => datetime!(2025-03-30 01:30 UTC),
        2 => datetime!(1970-01-01 0:00 UTC),
        3 => BEGINNING - Duration::days(number % 61),
        _ => BEGINNING,
    };
    let all: Vec<_> = (0..10_000_i64)
        .zip(users.iter().cycle())
        .map(|(number, user)| NewActivity::login(*user).at(at(number)).key(format!("key-{number}")))
        .collect();
    let recorded = world.done(|tx| tx.record_activities(acme, &all));
    assert_eq!(recorded.len(), 10_000);
    let told = world.told(|| {
        assert_eq!(world.done(|tx| tx.record_activities(acme, &all)), recorded, "a retry");
    });
    assert!(told.is_empty(), "{told:?}");
    let mut days = Vec::new();
    let mut cursor = None;
    loop {
        let page = world.seen(|view| view.daily_activity(acme, 7, cursor.as_ref()));
        days.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(days.iter().map(|it| it.logins).sum::<u32>(), 10_000);
    for user in ["", "\0", "a\0b", &"x".repeat(10_000)] {
        let error = world.refused(|tx| tx.record_activity(acme, &NewActivity::login(user)));
        assert_eq!(error.code(), ErrorCode::BadRequest, "{user:?}");
    }
    for at in [datetime!(0001-01-01 0:00 UTC), datetime!(9999-12-31 23:59:59 UTC)] {
        let _ = world.tenure.write(|tx| {
            tx.record_activity(acme, &NewActivity::login("ada").at(at))?;
            tx.record_metric(acme, "x", 1.0, at)?;
            tx.evaluate(acme).map(drop)
        });
    }
    evaluate(world, acme);
}

/// Numbers that make no sense are refused by name where they are used, or do no harm.
#[test]
fn numbers_that_make_no_sense_do_no_harm() {
    use tenure::store::memory::MemoryStore;
    let strange = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 0.0, -1.0];
    let long = [Duration::MAX, Duration::MIN, Duration::ZERO, Duration::NANOSECOND];
    for place in 0..12 {
        for (number, time) in strange.into_iter().zip(long.into_iter().cycle()) {
            let world = World::over(MemoryStore::new(), |builder| {
                let mut config = tenure::Config::default();
                match place {
                    0 => config.churn.no_login_days = number,
                    1 => config.churn.usage_change = number,
                    2 => config.churn.figure_age_max = time,
                    3 => config.lifecycle.renewal_days = number,
                    4 => config.lifecycle.expansion_days = number,
                    5 => config.expansion.upsell_share = number,
                    6 => config.status_hold = time,
                    7 => config.nps.closes_after = time,
                    8 => (config.nps.reminder_after, config.nps.closes_after) = (time, time),
                    9 => config.revenue_targets.grr = number,
                    10 => (config.evidence.fresh, config.evidence.critical) = (time, time),
                    _ => config.nps.follow_up_within = time,
                }
                builder.config(config)
            });
            let tier = TierDraft::new("pro").fee(eur(9), tenure::BillingCycle::Monthly);
            world.done(|tx| tx.define_tier(&tier));
            let acme = world.customer("Acme").id;
            world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("pro")));
            healthy(&world, acme, true);
            let tenure = &world.tenure;
            let _ = tenure.write(|tx| tx.send_nps_survey(&NpsSurveyDraft::to(acme, "now")));
            let _ = tenure.write(|tx| tx.record_nps_response(&NpsResponseDraft::of(acme, 1)));
            for _ in 0..3 {
                let _ = tenure.evaluate_all(|_| ());
                let _ = tenure.write(|tx| tx.move_stage(acme, Stage::AtRisk, "as it looks"));
                let _ = tenure.tick();
                let _ = tenure.read(|view| view.journey(acme));
                let _ = tenure.read(|view| view.validate_metrics());
                let month = Period::new(BEGINNING, BEGINNING + Duration::days(30)).unwrap();
                let _ = tenure.read(|view| view.revenue(month, None));
                let _ = tenure.read(|view| view.nps(month));
                world.clock.advance(Duration::days(20));
            }
        }
    }
}

stories! {
    everybody_evaluated_at_once_is_evaluated_once,
    ten_thousand_activities_of_all_times_are_one_batch,
    the_score_is_a_fact_like_any_other,
    who_comes_back_does_not_ask_to_cancel_any_more,
    a_customer_that_an_evaluation_finds_gone_is_done_with,
    figures_that_no_product_ever_showed_are_evaluated,
    reports_can_be_asked_for_any_period,
    a_clock_that_goes_back_keeps_histories_in_order,
    a_customer_that_is_restored_is_looked_after_again,
}

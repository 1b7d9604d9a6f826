//! No figure without its proof: what is reported is true, and damaged records are found by the check
//! that is named for them.

use crate::support::{BEGINNING, World, eur};
use crate::tampered::Tampered;
use tenure::domain::period::Period;
use tenure::store::memory::MemoryStore;
use tenure::value::{Row, Value};
use tenure::{
    CheckStatus, CohortBy, CustomerAction, CustomerDraft, CustomerId, HealthComponent,
    HealthMetric, HealthModel, HealthRecord, HealthScope, Intervention, InterventionStatus,
    InvoiceDraft, NewActivity, NewSubscription, NpsResponse, NpsResponseDraft, NpsSurveyDraft,
    OrderDraft, Severity, SignalKind, Store, TicketDraft, UserDraft, UserId, Validation, View,
};
use time::Duration;
use time::macros::datetime;

/// A world over a store whose rows a story can damage.
fn damageable(store: impl Store + 'static) -> (World, Tampered) {
    let tampered = Tampered::over(store);
    (World::over(tampered.clone(), |builder| builder), tampered)
}

/// A model that looks at visits alone.
fn visits_of(ideal: f64) -> HealthModel {
    let metric = HealthMetric::higher("visits", ideal, 1.0);
    HealthModel::of([HealthComponent::new("usage", 1.0).metric(metric)])
}

/// A customer of whom there is something of everything that figures rest on, a month ago and today.
fn furnish(world: &World) -> CustomerId {
    world.catalogue();
    world.clock.set(BEGINNING - Duration::days(31));
    let acme = world.customer("Acme").id;
    world.done(|tx| {
        tx.add_subscription(acme, &NewSubscription::to("pro"))?;
        tx.define_health_model("visits", &visits_of(20.0), &HealthScope::default(), 0)
    });
    for days in [0_i32, 7, 30, 31] {
        world.clock.set(BEGINNING - Duration::DAY * (31 - days));
        let now = world.clock.now();
        world.done(|tx| {
            tx.record_activity(acme, &NewActivity::login("u_1"))?;
            tx.record_activity(acme, &NewActivity::session("u_2", Duration::minutes(3)))?;
            tx.record_activity(acme, &NewActivity::feature_use("u_2", "ai_credits"))?;
            tx.record_activity(acme, &NewActivity::conversation(true))?;
            tx.record_metric(acme, "visits", 10.0 + f64::from(days) / 10.0, now)?;
            tx.score_health(acme)
        });
    }
    let now = world.clock.now();
    let survey = world.done(|tx| tx.send_nps_survey(&NpsSurveyDraft::to(acme, "quarterly_nps")));
    world.done(|tx| {
        tx.record_nps_response(&NpsResponseDraft::to(survey.id, 9).feedback("Fast, \"really\""))?;
        tx.upsert_ticket(acme, "t_1", &TicketDraft::default().opened_at(now))?;
        tx.upsert_invoice(acme, "i_1", &InvoiceDraft::default().amount(eur(49)).issued_at(now))?;
        tx.upsert_order(acme, "o_1", &OrderDraft::default().total(eur(49)).placed_at(now))
    });
    world.uses(acme, "ai_credits", 7);
    acme
}

/// The checks that did not pass, but for what every young org is warned of.
fn found(validation: &Validation) -> Vec<(&'static str, CheckStatus)> {
    let is_known = |name: &str, details: &str| {
        name == "health_algorithm" && details.contains("agree") && details.contains("calibrated")
    };
    let checks = validation.checks.iter();
    let bad = checks.filter(|it| it.status != CheckStatus::Pass && !is_known(it.name, &it.details));
    bad.map(|it| (it.name, it.status)).collect()
}

fn validated(world: &World) -> Validation {
    world.seen(|view| view.validate_metrics())
}

fn sound_records_pass_every_check(world: &World) {
    furnish(world);
    let validation = validated(world);
    assert_eq!(found(&validation), [("data_sources", CheckStatus::Warning)], "{validation:#?}");
    let sources = &validation.checks[2].details;
    assert!(sources.contains("subscriptions are 744 hours old"), "{sources}");
    assert!(validation.passed && validation.discrepancies == 0);
    let accuracy = validation.metric_accuracy;
    let all = [accuracy.nps, accuracy.churn, accuracy.cohorts, accuracy.retention];
    assert_eq!(all, [Some(1.0); 4]);
    let compared: Vec<usize> = validation.checks.iter().map(|it| it.evidence.len()).collect();
    assert!(
        compared.iter().enumerate().all(|(place, it)| (*it > 0) == (place != 2)),
        "{compared:?}"
    );
    let unknown = validation.freshness.iter().filter(|it| it.latest.is_none());
    assert_eq!(unknown.map(|it| it.source).collect::<Vec<_>>(), ["contacts"]);
    let health = &validation.checks[5];
    assert_eq!(health.status, CheckStatus::Warning);
    assert!(health.details.ends_with("it was never calibrated"), "{}", health.details);
}

fn of_an_empty_org_nothing_is_pretended(world: &World) {
    let validation = validated(world);
    assert!(validation.passed && validation.sources_verified == 0);
    assert!(validation.checks.iter().all(|it| it.accuracy.is_none() && it.evidence.is_empty()));
    assert_eq!(found(&validation), [("data_sources", CheckStatus::Warning)]);
    let days = world.seen(|view| view.day_retention(7));
    assert_eq!((days.value, days.sample_size, days.confidence_interval), (None, 0, None));
    assert!(!days.is_reliable());
    let cohorts = world.seen(|view| view.cohorts(CohortBy::FirstActivity));
    assert_eq!((cohorts.population, cohorts.first_month.value), (0, None));
}

fn who_was_active_first_in_a_month_is_one_cohort(world: &World) {
    let [acme, globex, _silent] = ["Acme", "Globex", "Silent"].map(|it| world.customer(it).id);
    let active = |id, at| world.done(|tx| tx.record_activity(id, &NewActivity::login("u").at(at)));
    active(acme, datetime!(2025-11-30 23:59:59 UTC));
    active(acme, datetime!(2025-12-01 0:00 UTC));
    active(globex, datetime!(2025-11-01 0:00 UTC));
    active(globex, datetime!(2026-01-05 8:00 UTC));
    let report = world.seen(|view| view.cohorts(CohortBy::FirstActivity));
    assert_eq!((report.population, report.too_young, report.cohorts.len()), (2, 0, 1));
    assert_eq!((report.cohorts[0].size, &report.cohorts[0].active[..]), (2, &[2, 1][..]));
    assert_eq!(report.sources[0].name, "daily activities");
    assert_eq!(report.sources[0].records, 4);
    // By days that are kept elsewhere it is the same.
    let days = world.seen(|view| {
        let all = [acme, globex].map(|id| view.daily_activity(id, 10, None));
        let all = all.into_iter().collect::<tenure::Result<Vec<_>>>()?;
        let days = all.into_iter().flat_map(|page| page.items).map(|it| (it.customer_id, it.day));
        view.cohorts_of_activity(days)
    });
    assert_eq!((days.cohorts, days.population), (report.cohorts, report.population));
}

fn the_seventh_day_counts_once_it_is_over(world: &World) {
    let first = datetime!(2026-01-24 23:59 UTC);
    let acme = world.customer("Acme").id;
    let active = |at| world.done(|tx| tx.record_activity(acme, &NewActivity::login("u").at(at)));
    active(first);
    active(datetime!(2026-01-31 0:00 UTC));
    let share = || world.seen(|view| view.day_retention(7));
    assert_eq!(share().value, None, "the day is not over");
    world.clock.set(datetime!(2026-02-01 0:00 UTC));
    let share = share();
    assert_eq!((share.value, share.sample_size, share.sources[0].records), (Some(1.0), 1, 2));
    assert_eq!(share.warnings[0].code, "insufficient_sample");
    assert_eq!(world.seen(|view| view.day_retention(6)).value, Some(0.0));
    for nth in [0, u32::MAX] {
        let day = world.seen(|view| view.day_retention(nth));
        assert_eq!(day.value, (nth == 0).then_some(1.0));
    }
}

/// A world in which a customer was scored so, or not at all.
fn scored(world: &World, name: &str, visits: Option<f64>, csm: Option<UserId>) -> CustomerId {
    let draft = CustomerDraft::named(name);
    let draft = csm.into_iter().fold(draft, |draft, csm| draft.csm_id(csm));
    let id = world.done(|tx| tx.create_customer(&draft)).id;
    if let Some(visits) = visits {
        world.done(|tx| {
            tx.define_health_model("visits", &visits_of(20.0), &HealthScope::default(), 0)?;
            tx.record_metric(id, "visits", visits, tx.now())?;
            tx.score_health(id)
        });
    }
    id
}

fn a_portfolio_of_health_tells_what_it_does_not_know(world: &World) {
    let mia = world.done(|tx| tx.register_user("mia", &UserDraft::default().name("Mia"))).id;
    let nobody = world.seen(|view| view.health_portfolio(Some(mia)));
    assert_eq!((nobody.customers, nobody.average.value, nobody.target.is_met), (0, None, None));
    scored(world, "Best", Some(20.0), Some(mia));
    let worst = scored(world, "Worst", Some(0.0), Some(mia));
    scored(world, "Unknown", None, None);
    scored(world, "Half", Some(10.0), None);
    let gone = scored(world, "Gone", Some(20.0), Some(mia));
    world.done(|tx| tx.delete_customer(gone));
    let all = world.seen(|view| view.health_portfolio(None));
    assert_eq!((all.customers, all.unknown, all.tens), (4, 1, [1, 0, 0, 0, 0, 1, 0, 0, 0, 1]));
    let grades: Vec<_> = all.grades.values().copied().collect();
    assert_eq!(grades, [1, 0, 1, 0, 1], "A to F");
    assert_eq!((all.average.value, all.average.sample_size), (Some(50.0), 3));
    assert_eq!((all.target.above, all.target.is_met), (65.0, Some(false)));
    assert_eq!(all.average.warnings[0].code, "not_scored");
    assert!(all.average.is_reliable() && all.average.confidence_interval.is_none());
    assert_eq!((all.average.sources[0].name, all.average.sources[0].records), ("customers", 4));
    // Who has left counts no more, nor what somebody gave instead.
    let until = world.clock.now() + Duration::DAY;
    world.done(|tx| tx.override_health(worst, 90, "They are friends.", until));
    let of_mia = world.seen(|view| view.health_portfolio(Some(mia)));
    assert_eq!((of_mia.customers, of_mia.average.value), (2, Some(50.0)));
    world.done(|tx| tx.move_customer(worst, CustomerAction::Churn));
    assert_eq!(world.seen(|view| view.health_portfolio(Some(mia))).average.value, Some(100.0));
}

fn playbooks_are_completed_by_what_was_due(world: &World) {
    let month = Period::new(BEGINNING - Duration::days(1), BEGINNING + Duration::days(30)).unwrap();
    let completion = || world.seen(|view| view.playbook_completion(month));
    assert_eq!((completion().playbooks.value, completion().actions.value), (None, None));
    let case = |name: &str| {
        let id = world.customer(name).id;
        world.done(|tx| tx.start_intervention(id, SignalKind::NoLogin7Days))
    };
    let end = |case: &Intervention| {
        world.done(|tx| tx.finish_intervention(case.id, InterventionStatus::Succeeded, "back"))
    };
    let (good, left, running) = (case("Good"), case("Left"), case("Running"));
    for case in [&good, &running] {
        let mail = world.seen(|view| view.intervention_actions(case.id)).remove(0);
        world.done(|tx| tx.complete_action(mail.id, None));
    }
    end(&good);
    end(&left);
    let found = completion();
    assert_eq!((found.playbooks.value, found.playbooks.sample_size), (Some(0.5), 2), "{found:#?}");
    assert_eq!((found.running, found.targets[0].is_met), (1, Some(false)));
    assert_eq!(found.playbooks.warnings[0].severity, Severity::Warning);
    assert_eq!(found.by_signal[&SignalKind::NoLogin7Days], found.playbooks);
    assert_eq!((found.actions.value, found.actions.sample_size), (Some(2.0 / 3.0), 3));
    let before = Period::new(BEGINNING - Duration::days(9), BEGINNING).unwrap();
    assert_eq!(world.seen(|view| view.playbook_completion(before)).running, 0);
}

fn the_records_behind_figures_can_be_taken_away_as_csv(world: &World) {
    let acme = furnish(world);
    let read = |lines: Vec<String>| {
        let mut reader = csv::Reader::from_reader(std::io::Cursor::new(lines.join("\r\n")));
        let names: Vec<String> = reader.headers().unwrap().iter().map(Into::into).collect();
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        move |name: &str| {
            let place = names.iter().position(|it| it == name).unwrap();
            rows.iter().map(|it| it[place].to_owned()).collect::<Vec<_>>()
        }
    };
    let day = Period::new(BEGINNING, BEGINNING + Duration::DAY).unwrap();
    let mut lines = vec![NpsResponse::csv_header()];
    let mut take = |view: &View<'_>| {
        view.each_nps_response(day, |it| {
            lines.push(it.csv());
            Ok(())
        })
    };
    world.tenure.read(&mut take).unwrap();
    let column = read(lines);
    assert_eq!((column("score"), column("class")), (vec!["9".into()], vec!["promoter".into()]));
    assert_eq!(column("feedback"), ["Fast, \"really\""]);
    assert_eq!(column("submitted_at"), ["2026-01-31T12:00:00Z"]);
    assert_eq!(
        (column("idempotency_key"), column("is_late")),
        (vec![String::new()], vec!["false".into()])
    );
    let records = world.seen(|view| view.health_records(Some(acme), 100, None)).items;
    assert_eq!(records, world.seen(|view| view.health_records(None, 100, None)).items);
    let lines = records.iter().map(HealthRecord::csv);
    let column = read([HealthRecord::csv_header()].into_iter().chain(lines).collect());
    assert_eq!(column("score"), ["66", "65", "54", "50"]);
    let inputs: serde_json::Value = serde_json::from_str(&column("inputs")[3]).unwrap();
    assert_eq!(inputs["visits"][0], 10.0);
}

fn sums_of_the_pipeline_and_means_say_what_they_rest_on(world: &World) {
    let mia = world.done(|tx| tx.register_user("mia", &UserDraft::default().name("Mia"))).id;
    let id = scored(world, "Acme", None, Some(mia));
    let active = |at| world.done(|tx| tx.record_activity(id, &NewActivity::login("u").at(at)));
    active(BEGINNING);
    active(BEGINNING - Duration::days(31));
    let portfolio = world.seen(|view| view.engagement_portfolio(mia));
    assert_eq!(portfolio.average.sources[1].records, 1, "days of the month");
    assert_eq!((portfolio.average_before.sample_size, portfolio.average.sample_size), (1, 1));
    let new = scored(world, "New", None, Some(mia));
    world.done(|tx| tx.record_activity(new, &NewActivity::login("u")));
    let portfolio = world.seen(|view| view.engagement_portfolio(mia));
    assert_eq!((portfolio.average_before.sample_size, portfolio.average.sample_size), (1, 2));
    let pipeline = world.seen(|view| view.expansion_pipeline(None, 10, None));
    assert!(pipeline.total.value.is_empty() && pipeline.total.proof.is_empty());
    world.catalogue();
    world.done(|tx| tx.add_subscription(id, &NewSubscription::to("starter")));
    world.uses(id, "ai_credits", 95);
    world.done(|tx| tx.evaluate(id));
    let total = world.seen(|view| view.expansion_pipeline(None, 10, None)).total;
    assert_eq!((total.count, total.value.len(), total.proof.len()), (1, 1, 1), "{total:#?}");
    let proof = &total.proof[0];
    assert_eq!(proof.value, Some(f64::from(i32::try_from(total.value[0].amount).unwrap())));
    assert_eq!((proof.sample_size, proof.sources[0].latest), (1, Some(BEGINNING)));
}

stories! {
    a_portfolio_of_health_tells_what_it_does_not_know,
    playbooks_are_completed_by_what_was_due,
    the_records_behind_figures_can_be_taken_away_as_csv,
    sums_of_the_pipeline_and_means_say_what_they_rest_on,
    sound_records_pass_every_check,
    of_an_empty_org_nothing_is_pretended,
    who_was_active_first_in_a_month_is_one_cohort,
    the_seventh_day_counts_once_it_is_over,
}

/// A column of a row.
fn cell(row: &mut Row, place: usize) -> &mut Value {
    row.0.get_mut(place).unwrap()
}

/// Which checks find that a column of a table says something else, or that its rows are gone.
fn damage(
    open: &dyn Fn() -> (World, Tampered),
    table: &str,
    change: impl Fn(&dyn Fn(&str) -> usize, Row) -> Option<Row>,
) -> Vec<(&'static str, CheckStatus)> {
    let (world, tampered) = open();
    furnish(&world);
    let sound = validated(&world);
    assert_eq!(found(&sound).len(), 1, "{sound:#?}");
    tampered.change(table, |row| change(&|column| tampered.place(table, column), row));
    let mut found = found(&validated(&world));
    found.retain(|it| it.0 != "data_sources");
    found
}

fn damaged_records_are_found_by_the_check_that_is_named_for_them(
    open: &dyn Fn() -> (World, Tampered),
) {
    use CheckStatus::{Fail, Warning};
    let set = |column: &'static str, value: Value| {
        move |place: &dyn Fn(&str) -> usize, mut row: Row| {
            *cell(&mut row, place(column)) = value.clone();
            Some(row)
        }
    };
    let text = |text: &str| Value::Text(text.to_owned());
    let gone = |_: &dyn Fn(&str) -> usize, _: Row| None;
    let reconciled = [("reconciliation", Warning)];
    // Scores and answers.
    let class = damage(open, "nps_response", set("class", text("detractor")));
    assert_eq!(class, [("nps_calculation", Fail)]);
    let unasked = damage(open, "nps_response", set("survey_id", Value::Null));
    assert_eq!(unasked, [("survey_validity", Warning)]);
    assert_eq!(damage(open, "nps_standing", gone), reconciled);
    // Activity.
    assert_eq!(damage(open, "daily_activity", set("logins", Value::Int(9))), reconciled);
    let lost = damage(open, "daily_activity", gone);
    let activity = [("cohort_definitions", Fail), ("retention", Fail), ("reconciliation", Warning)];
    assert_eq!(lost, activity);
    let later = damage(open, "daily_activity", |place, mut row| {
        let at = cell(&mut row, place("day"));
        let Value::Time(day) = at else { panic!("{at:?}") };
        *day += 86_400_000_000;
        Some(row)
    });
    assert_eq!(later, activity, "the last of December becomes the first of January");
    assert_eq!(damage(open, "pulse", gone), reconciled);
    assert_eq!(damage(open, "customer_activity", gone).last(), reconciled.first());
    // Metrics, tickets, invoices.
    assert_eq!(damage(open, "latest_metrics", gone), reconciled);
    assert_eq!(damage(open, "customer_metric", gone), reconciled);
    assert_eq!(damage(open, "support_ticket", set("open_for", Value::Null)), reconciled);
    assert_eq!(damage(open, "customer_invoice", set("unpaid_for", Value::Null)), reconciled);
    // Health.
    let health = [("health_algorithm", Warning)];
    assert_eq!(damage(open, "health_record", set("score", Value::Int(99))), health);
    assert_eq!(damage(open, "health_state", set("score", Value::Int(99))), health);
    assert_eq!(damage(open, "customer", set("health_score", Value::Int(99))), health);
    assert_eq!(damage(open, "health_model", set("hash", text("0000000000000000"))), health);
    assert_eq!(damage(open, "health_model", gone), health);
    // Revenue.
    let amounts = damage(open, "customer_revenue", set("mrr", Value::Json("[]".to_owned())));
    assert_eq!(amounts, [("churn_calculation", Fail), ("reconciliation", Warning)]);
}

#[test]
fn damaged_records_are_found_in_memory() {
    damaged_records_are_found_by_the_check_that_is_named_for_them(&|| {
        damageable(MemoryStore::new())
    });
}

#[cfg(feature = "sqlite")]
#[test]
fn damaged_records_are_found_in_a_file() {
    use tenure::store::sqlite::{Durability, SqliteStore};
    let folder = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    damaged_records_are_found_by_the_check_that_is_named_for_them(&|| {
        number.set(number.get() + 1);
        let file = folder.path().join(format!("{}.db", number.get()));
        damageable(SqliteStore::options().durability(Durability::Normal).create(file).unwrap())
    });
}

//! The health of all customers together, gathered from their records and told as text and as a page.

use crate::support::{BEGINNING, World, eur, fields};
use tenure::report::{Advice, PortfolioReport};
use tenure::{
    BillingCycle, CustomerAction, CustomerId, NewMetric, NewSubscription, PortfolioQuery,
    SignalKind, TierDraft,
};
use time::Duration;

/// Figures that a score of `percent` follows from, evaluated now.
fn does(world: &World, id: CustomerId, percent: f64) {
    let share = percent / 100.0;
    let figures = [
        ("dau_mau_ratio", 0.5 * share),
        ("feature_adoption", 0.7 * share),
        ("conversations_per_week", percent),
        ("logins_per_week", 5.0 * share),
        ("features_used_this_month", 10.0 * share),
        ("avg_csat", 5.0 * share),
        ("payment_health", share),
    ];
    let now = world.clock.now();
    let metrics = figures.map(|(name, value)| NewMetric::new(id, name, value, now));
    world.done(|tx| {
        tx.record_metrics(&metrics)?;
        tx.evaluate(id)
    });
}

fn report(world: &World) -> PortfolioReport {
    world.seen(|view| view.portfolio_report(&PortfolioQuery::since(BEGINNING)))
}

fn counts(list: &[tenure::report::Count]) -> Vec<(&str, u64)> {
    list.iter().filter(|it| it.count > 0).map(|it| (it.label.as_str(), it.count)).collect()
}

fn a_portfolio_is_counted_by_grade_score_and_stage(world: &World) {
    let percents = [95.0, 85.0, 70.0, 50.0, 5.0];
    for (number, percent) in percents.into_iter().enumerate() {
        does(world, world.customer(&format!("Customer {number}")).id, percent);
    }
    world.customer("Unknown");
    let report = report(world);
    assert_eq!((report.customers, report.without_score), (6, 1));
    assert_eq!(counts(&report.grades), [("A", 2), ("B", 1), ("C", 1), ("F", 1)]);
    let ranges = [("0–9", 1), ("50–59", 1), ("70–79", 1), ("80–89", 1), ("90–100", 1)];
    assert_eq!(counts(&report.scores), ranges);
    assert_eq!(report.stages.iter().map(|it| it.count).sum::<u64>(), 6);
    let average = &report.average;
    assert_eq!((average.value, average.sample_size), (Some(61.0), 5));
    assert_eq!(average.warnings[0].message, "1 of 6 customers have no score");
    assert_eq!(average.sources[0].records, 5);
    assert_eq!(report.target.unwrap().is_met, Some(false), "61 is not above 65");
    let easier = PortfolioQuery::since(BEGINNING).target(60.9);
    let easier = world.seen(|view| view.portfolio_report(&easier));
    assert_eq!(easier.target.unwrap().is_met, Some(true));
}

fn a_portfolio_of_nobody_claims_nothing(world: &World) {
    let report = report(world);
    assert_eq!((report.customers, report.average.value), (0, None));
    assert_eq!(report.target.unwrap().is_met, None);
    assert!(report.over_time.is_empty() && report.fell.is_empty() && report.to_do.is_empty());
    assert!(report.to_text().contains("Average score: unknown."));
}

fn who_fell_most_is_told_with_the_metrics_that_did_it(world: &World) {
    let [down, further, up] = ["Down", "Further", "Up"].map(|name| world.customer(name).id);
    let says = |now: [f64; 3]| {
        for (id, percent) in [down, further, up].into_iter().zip(now) {
            does(world, id, percent);
        }
    };
    says([80.0, 90.0, 50.0]);
    world.clock.advance(Duration::days(10));
    says([70.0, 60.0, 90.0]);
    world.clock.advance(Duration::days(10));
    says([60.0, 30.0, 95.0]);
    let report = report(world);
    let fell: Vec<_> =
        report.fell.iter().map(|it| (it.customer.as_str(), it.from, it.to)).collect();
    assert_eq!(fell, [("Further", 90, 30), ("Down", 80, 60)]);
    let reasons = &report.fell[0].reasons;
    assert_eq!(reasons.len(), 3);
    assert!(reasons[0].ends_with(" points.") && reasons[0].contains(" went from "), "{reasons:?}");
    let later = PortfolioQuery::since(BEGINNING + Duration::days(10)).listed(1);
    let later = world.seen(|view| view.portfolio_report(&later));
    assert_eq!(later.fell.len(), 1, "as many as asked for");
    assert_eq!((later.fell[0].from, later.fell[0].to), (60, 30), "from where it stood then");
    let since_now = PortfolioQuery::since(world.clock.now());
    assert!(world.seen(|view| view.portfolio_report(&since_now)).fell.is_empty());
}

fn the_months_are_told_as_they_were_also_of_who_has_left_since(world: &World) {
    let [stays, leaves] = ["Stays", "Leaves"].map(|name| world.customer(name).id);
    does(world, stays, 80.0);
    does(world, leaves, 40.0);
    world.clock.advance(Duration::days(45));
    does(world, stays, 70.0);
    world.done(|tx| tx.move_customer(leaves, CustomerAction::Churn));
    world.clock.advance(Duration::days(45));
    let report = report(world);
    let averages: Vec<_> = report.over_time.iter().map(|it| it.average.to_string()).collect();
    assert_eq!(averages, ["60", "60", "60", "70", "70", "70"], "of 80 and 40, then of 70");
    assert_eq!((report.customers, report.average.sample_size), (1, 1));
    assert!(counts(&report.stages).contains(&("churned", 1)));
    assert!(report.fell.iter().all(|it| it.customer != "Leaves"), "it is gone");
    assert_eq!(report.over_time.last().unwrap().at, world.clock.now());
}

fn what_is_due_endangers_or_could_be_sold_is_to_be_done(world: &World) {
    let day = Duration::DAY;
    world.done(|tx| {
        tx.define_tier(&TierDraft::new("starter").fee(eur(10), BillingCycle::Monthly))?;
        tx.define_tier(&TierDraft::new("pro").fee(eur(30), BillingCycle::Monthly))
    });
    let [silent, angry, eager] = ["Silent", "Angry", "Eager"].map(|name| world.customer(name).id);
    world.done(|tx| {
        let now = tx.now();
        tx.add_subscription(eager, &NewSubscription::to("starter"))?;
        tx.record_metric(silent, "days_since_last_login", 9.0, now)?;
        tx.request_cancellation(angry, "too slow")?;
        tx.record_metric(eager, "usage_vs_limit", 0.95, now)
    });
    world.tenure.evaluate_all(|_| ()).unwrap();
    world.clock.advance(day * 4);
    let report = report(world);
    let advice = |customer: &str| -> &Advice {
        report.to_do.iter().find(|it| it.customer == customer).unwrap()
    };
    assert_eq!(report.to_do[0].customer, "Angry", "the most urgent first");
    let call = &advice("Angry").actions[0];
    assert!(call.starts_with("Save call, due since 2"), "{call}");
    assert!(call.ends_with(": cancellation request."), "{call}");
    assert!(advice("Silent").actions.iter().any(|it| it.contains("no login 7 days")));
    let offer = &advice("Eager").actions[0];
    assert!(offer.contains("Offer the tier pro") && offer.contains("EUR a month"), "{offer}");
    assert!(report.pipeline.count >= 1 && !report.pipeline.value.is_empty());
    // What is done is not to be done again.
    let cases = world.seen(|view| view.interventions(angry, 10, None)).items;
    let case = cases.iter().find(|it| it.signal == SignalKind::CancellationRequest).unwrap();
    for action in world.seen(|view| view.intervention_actions(case.id)) {
        world.done(|tx| tx.skip_action(action.id, "they said no"));
    }
    let after = self::report(world);
    let angry = after.to_do.iter().find(|it| it.customer == "Angry");
    assert!(angry.is_none_or(|it| !it.actions.iter().any(|it| it.contains("Save call"))));
}

fn what_somebody_knows_better_counts_and_who_is_deleted_does_not(world: &World) {
    let [known, gone] = ["Known", "Gone"].map(|name| world.customer(name).id);
    does(world, known, 90.0);
    does(world, gone, 50.0);
    let until = world.clock.now() + Duration::days(30);
    world.done(|tx| tx.override_health(known, 30, "the sponsor has left", until));
    world.done(|tx| tx.delete_customer(gone));
    let seen = report(world);
    assert_eq!((seen.customers, seen.average.value), (1, Some(30.0)));
    assert_eq!(counts(&seen.grades), [("D", 1)]);
    world.clock.set(until);
    assert_eq!(report(world).average.value, Some(90.0), "for as long as that holds");
}

fn a_query_that_makes_no_sense_is_refused(world: &World) {
    let query = PortfolioQuery::since(BEGINNING + Duration::DAY).listed(0).target(101.0);
    let error = world.tenure.read(|view| view.portfolio_report(&query)).unwrap_err();
    assert_eq!(fields(&error), ["since", "listed", "target"]);
}

fn the_page_of_a_portfolio_runs_nothing_and_fetches_nothing(world: &World) {
    let nasty = "<b onload=\"x\">&'</b><script src=\"https://x.example\">";
    let id = world.customer(nasty).id;
    does(world, id, 90.0);
    world.clock.advance(Duration::days(40));
    does(world, id, 20.0);
    let page = report(world).to_html();
    for foreign in ["<script", "<b ", "src=\"", "href=", "url(", "@import", "<link"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("&lt;b onload=&quot;x&quot;&gt;&amp;&#39;&lt;/b&gt;"));
    for chart in ["Grades", "Scores", "Stages", "Average score over time"] {
        assert!(page.contains(&format!("{chart}</title>\n<desc")), "{chart}");
    }
    assert_eq!(page.matches("<svg").count(), 4);
}

/// More than one page of them, by ids that do not follow the order of signing up.
fn everybody_is_counted_however_many_there_are(world: &World) {
    let ids: Vec<_> = (0..505).map(|n| world.customer(&format!("Customer {n}")).id).collect();
    let now = world.clock.now();
    let metrics: Vec<_> =
        ids.iter().map(|id| NewMetric::new(*id, "days_since_last_login", 20.0, now)).collect();
    world.done(|tx| tx.record_metrics(&metrics));
    world.tenure.evaluate_all(|_| ()).unwrap();
    let report = report(world);
    assert_eq!((report.customers, report.without_score), (505, 505));
    assert!(!report.average.is_reliable());
    assert_eq!(report.to_do.len(), 10, "as many as asked for");
}

stories! {
    a_portfolio_is_counted_by_grade_score_and_stage,
    a_portfolio_of_nobody_claims_nothing,
    who_fell_most_is_told_with_the_metrics_that_did_it,
    the_months_are_told_as_they_were_also_of_who_has_left_since,
    what_is_due_endangers_or_could_be_sold_is_to_be_done,
    what_somebody_knows_better_counts_and_who_is_deleted_does_not,
    a_query_that_makes_no_sense_is_refused,
    the_page_of_a_portfolio_runs_nothing_and_fetches_nothing,
    everybody_is_counted_however_many_there_are,
}

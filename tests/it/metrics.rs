//! Metrics: what the host measures is kept as it was measured, and the latest is what counts.

use crate::support::{BEGINNING, World, events, fields};
use tenure::domain::metric::METRICS_MAX;
use tenure::domain::period::Period;
use tenure::{CustomerId, Error, ErrorCode, NewMetric};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

fn record(world: &World, customer: CustomerId, name: &str, value: f64, at: OffsetDateTime) {
    world.done(|tx| tx.record_metric(customer, name, value, at));
}

fn latest(world: &World, customer: CustomerId, name: &str) -> Option<f64> {
    world.seen(|view| view.latest_metrics(customer)).get(name).map(|figure| figure.value)
}

/// The values of a metric, newest first.
fn series(world: &World, customer: CustomerId, name: &str) -> Vec<f64> {
    let page = world.seen(|view| view.metrics(customer, name, None, 100, None));
    page.items.into_iter().map(|it| it.value).collect()
}

fn a_late_reading_joins_the_series_and_replaces_no_newer_one(world: &World) {
    let acme = world.customer("Acme").id;
    assert_eq!(latest(world, acme, "adoption"), None, "what was never recorded is not zero");
    for (value, hours) in [(0.5, 0), (0.2, -48), (0.4, -1), (0.0, -100)] {
        record(world, acme, "adoption", value, BEGINNING + Duration::hours(hours));
    }
    assert_eq!(latest(world, acme, "adoption"), Some(0.5));
    assert_eq!(series(world, acme, "adoption"), [0.5, 0.4, 0.2, 0.0]);
    let figure = world.seen(|view| view.latest_metrics(acme)).get("adoption").unwrap();
    assert_eq!(figure.at, BEGINNING, "it is as old as it is");
}

fn one_instant_has_one_reading_and_the_last_word_on_it_counts(world: &World) {
    let acme = world.customer("Acme").id;
    let told = world.told(|| {
        record(world, acme, "nps_score", 7.0, BEGINNING);
        record(world, acme, "nps_score", 7.0, BEGINNING);
        record(world, acme, "nps_score", 9.0, BEGINNING);
        // A store keeps microseconds.
        record(world, acme, "nps_score", 9.0, BEGINNING + Duration::nanoseconds(999));
    });
    assert_eq!(told, ["metric.recorded"; 2], "what changes nothing is not told");
    assert_eq!(
        (latest(world, acme, "nps_score"), series(world, acme, "nps_score")),
        (Some(9.0), vec![9.0])
    );
}

fn a_series_is_read_by_period_and_by_page(world: &World) {
    let acme = world.customer("Acme").id;
    // Over the end of a February in a leap year, and a year's end.
    let instants = [
        datetime!(2023-12-31 23:59:59.999999 UTC),
        datetime!(2024-01-01 00:00 UTC),
        datetime!(2024-02-29 00:00 UTC),
        datetime!(2024-02-29 23:59:59.999999 UTC),
        datetime!(2024-03-01 00:00 UTC),
    ];
    for (value, at) in (0_u8..).zip(instants) {
        record(world, acme, "seats", f64::from(value), at);
    }
    let read = |from, to| {
        let period = Period::new(from, to).unwrap();
        let page = world.seen(|view| view.metrics(acme, "seats", Some(period), 10, None));
        page.items.into_iter().map(|it| it.value).collect::<Vec<_>>()
    };
    assert_eq!(read(instants[1], instants[4]), [3.0, 2.0, 1.0]);
    assert_eq!(read(instants[2], datetime!(2024-03-01 0:00 UTC)), [3.0, 2.0]);
    let (mut cursor, mut all) = (None, Vec::new());
    loop {
        let page = world.seen(|view| view.metrics(acme, "seats", None, 2, cursor.as_ref()));
        all.extend(page.items.into_iter().map(|it| it.value));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(all, [4.0, 3.0, 2.0, 1.0, 0.0]);
}

fn many_readings_are_recorded_all_or_none_with_every_fault(world: &World) {
    let acme = world.customer("Acme").id;
    let globex = world.customer("Globex").id;
    let good = NewMetric::new(acme, "a", 1.0, BEGINNING);
    let bad = [
        good.clone(),
        NewMetric::new("nobody", "a", 1.0, BEGINNING),
        NewMetric::new(globex, "No Code", f64::NAN, BEGINNING + Duration::hours(1)),
        NewMetric::new(globex, "a", f64::INFINITY, datetime!(-999-01-01 0:00 UTC)),
    ];
    let error = world.refused(|tx| tx.record_metrics(&bad));
    let wrong = ["[1].customer", "[2].name", "[2].value", "[2].at", "[3].value", "[3].at"];
    assert_eq!(fields(&error), wrong.map(|it| format!("metrics{it}")));
    assert_eq!(latest(world, acme, "a"), None);
    for count in [0, 10_001] {
        let error = world.refused(|tx| tx.record_metrics(&vec![good.clone(); count]));
        assert_eq!(fields(&error), ["metrics"]);
    }
    let mut many = Vec::new();
    for hour in 0..50 {
        let at = BEGINNING - Duration::hours(hour);
        many.push(NewMetric::new(acme, "a", 0.5, at));
        many.push(NewMetric::new(globex, "b", -1e308, at));
    }
    many.extend(many.clone());
    let told = world.told(|| assert_eq!(world.done(|tx| tx.record_metrics(&many)), 100));
    assert_eq!(told, ["metric.recorded"; 2], "one for each customer");
    assert_eq!(world.done(|tx| tx.record_metrics(&many)), 0);
    let event = events(&world.tenure).pop().unwrap();
    assert_eq!(event.data["readings"], 50);
}

fn what_is_no_reading_is_refused(world: &World) {
    let acme = world.customer("Acme").id;
    let ahead = BEGINNING + Duration::minutes(5);
    record(world, acme, "clock", 1.0, ahead);
    for (name, value, at, wrong) in [
        ("", 1.0, BEGINNING, "name"),
        ("a\0", 1.0, BEGINNING, "name"),
        ("Ä", 1.0, BEGINNING, "name"),
        ("a", f64::NAN, BEGINNING, "value"),
        ("a", f64::NEG_INFINITY, BEGINNING, "value"),
        ("a", 1.0, ahead + Duration::MICROSECOND, "at"),
        ("a", 1.0, datetime!(9999-12-31 23:59 UTC), "at"),
        ("a", 1.0, datetime!(0000-12-31 23:59 UTC), "at"),
    ] {
        let error = world.refused(|tx| tx.record_metric(acme, name, value, at));
        assert_eq!((error.code(), fields(&error)), (ErrorCode::BadRequest, vec![wrong]));
    }
    record(world, acme, "oldest", f64::MIN_POSITIVE, datetime!(0001-01-01 0:00 UTC));
    assert_eq!(latest(world, acme, "oldest"), Some(f64::MIN_POSITIVE));
    let error = world.refused(|tx| tx.record_metric("org_of_nobody", "a", 1.0, BEGINNING));
    assert!(error.is_not_found());
}

fn a_customer_has_a_bounded_number_of_metrics(world: &World) {
    let acme = world.customer("Acme").id;
    let reading = |n: usize| NewMetric::new(acme, format!("m{n}"), 1.0, BEGINNING);
    let all: Vec<_> = (0..METRICS_MAX).map(reading).collect();
    world.done(|tx| tx.record_metrics(&all));
    let error = world.refused(|tx| tx.record_metrics(&[reading(METRICS_MAX)]));
    assert!(matches!(error, Error::TooMany { most: METRICS_MAX, .. }), "{error}");
    record(world, acme, "m0", 2.0, BEGINNING);
}

stories! {
    a_late_reading_joins_the_series_and_replaces_no_newer_one,
    one_instant_has_one_reading_and_the_last_word_on_it_counts,
    a_series_is_read_by_period_and_by_page,
    many_readings_are_recorded_all_or_none_with_every_fault,
    what_is_no_reading_is_refused,
    a_customer_has_a_bounded_number_of_metrics,
}

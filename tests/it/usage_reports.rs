//! Usage reports: series for charts, on the customer's calendar, without gaps.

use crate::metered::q;
use crate::support::{BEGINNING, World, document, fields};
use serde_json::json;
use tenure::{
    AccessPatch, Correction, CustomerDraft, CustomerId, ErrorCode, FeatureDraft, GroupBy,
    PeriodType, Quantity, Track, UsageQuery, UsageReport,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

stories! {
    a_window_without_usage_is_there_with_zero,
    usage_is_told_apart_by_feature_product_and_metadata,
    a_report_counts_from_its_beginning_until_just_before_its_end,
    days_have_the_hours_that_clocks_give_them,
    a_month_of_bills_follows_the_customers_clocks,
    what_cannot_be_reported_is_refused,
}

/// A customer who may use calls and tokens without limit, in this time zone if there is a database.
fn customer(world: &World, zone: &str) -> CustomerId {
    let mut draft = CustomerDraft::named("Acme");
    if cfg!(feature = "timezones") {
        draft = draft.timezone(zone);
    }
    let id = world.done(|tx| tx.create_customer(&draft)).id;
    for feature in ["calls", "tokens"] {
        world.done(|tx| tx.define_feature(feature, &FeatureDraft::default()));
        world.done(|tx| tx.set_access(id, feature, &AccessPatch::new()));
    }
    id
}

fn report(world: &World, id: CustomerId, query: &UsageQuery) -> UsageReport {
    world.seen(|view| view.usage_report(id, query))
}

fn column(report: &UsageReport, group: &str) -> Vec<Quantity> {
    report.rows.iter().map(|row| row.usage[group]).collect()
}

/// Uses one call at each of these times.
fn calls(world: &World, id: CustomerId, times: &[OffsetDateTime]) {
    for at in times {
        world.clock.set(*at);
        world.uses(id, "calls", 1);
    }
}

fn a_window_without_usage_is_there_with_zero(world: &World) {
    let id = customer(world, "UTC");
    calls(world, id, &[BEGINNING, BEGINNING + Duration::days(3)]);
    world.done(|tx| tx.adjust_usage(&Correction::new(id, "calls", q("-0.5"), "refund")));
    let (from, to) = (datetime!(2026-01-30 0:00 UTC), datetime!(2026-02-05 0:00 UTC));
    let days = report(world, id, &UsageQuery::between(from, to, PeriodType::Day));
    assert_eq!(column(&days, "all"), ["0", "1", "0", "0", "0.5", "0"].map(q));
    assert_eq!(days.totals["all"], q("1.5"));
    for pair in days.rows.windows(2) {
        assert_eq!(pair[0].end, pair[1].start);
    }
    let json = serde_json::to_value(&days).unwrap();
    assert_eq!(json["timeZone"], "UTC");
    assert_eq!(
        json["rows"][1],
        json!({ "start": "2026-01-31T00:00:00Z", "end": "2026-02-01T00:00:00Z", "usage": { "all": 1 } })
    );
    let stranger = world.customer("Globex").id;
    let none = report(world, stranger, &UsageQuery::between(from, to, PeriodType::Week));
    assert_eq!(column(&none, "all"), [Quantity::ZERO; 2]);
}

fn usage_is_told_apart_by_feature_product_and_metadata(world: &World) {
    let id = customer(world, "UTC");
    let models =
        [json!({ "model": "large" }), json!({ "model": 7 }), json!({}), json!({ "model": null })];
    for (number, metadata) in (1..).zip(models) {
        let track = Track::new(id, "tokens").quantity(number).metadata(document(metadata));
        world.done(|tx| tx.track(&track));
    }
    let other = world.tenure.for_product("other").unwrap();
    other.write(|tx| tx.track(&Track::new(id, "calls").quantity(50))).unwrap();
    let (from, to) = (BEGINNING, BEGINNING + Duration::HOUR);
    let all = UsageQuery::between(from, to, PeriodType::Hour);
    let totals = |query: UsageQuery| {
        let report = report(world, id, &query);
        assert_eq!(report.rows.len(), 1);
        assert_eq!(report.rows[0].usage, report.totals);
        report.totals.into_iter().map(|(group, used)| format!("{group}={used}")).collect::<Vec<_>>()
    };
    assert_eq!(totals(all.clone()), ["all=60"]);
    assert_eq!(totals(all.clone().by(GroupBy::Feature)), ["calls=50", "tokens=10"]);
    assert_eq!(totals(all.clone().by(GroupBy::Product)), ["default=10", "other=50"]);
    let models = all.by(GroupBy::Metadata("model".to_owned()));
    assert_eq!(
        totals(models.clone().feature("tokens").feature("tokens")),
        ["=7", "7=2", "large=1"]
    );
    assert_eq!(totals(models), ["=57", "7=2", "large=1"]);
}

fn a_report_counts_from_its_beginning_until_just_before_its_end(world: &World) {
    let id = customer(world, "UTC");
    let (from, to) = (BEGINNING, BEGINNING + Duration::hours(30));
    calls(world, id, &[from - Duration::MICROSECOND, from, to - Duration::MICROSECOND, to]);
    let days = report(world, id, &UsageQuery::between(from, to, PeriodType::Day));
    assert_eq!(column(&days, "all"), ["1", "1"].map(q));
    assert_eq!((days.rows[0].start, days.rows[1].end), (from, to), "cut to what was asked for");
}

/// The hours from the first window's start to the last's end, and what was used in each.
fn days_have_the_hours_that_clocks_give_them(world: &World) {
    if cfg!(not(feature = "timezones")) {
        return;
    }
    let id = customer(world, "America/New_York");
    let (short, long) = (datetime!(2026-03-08 5:00 UTC), datetime!(2026-11-01 4:00 UTC));
    let mut hours = Vec::new();
    for (start, length) in [(short, 23), (long, 25)] {
        calls(world, id, &[start, start + Duration::hours(length) - Duration::MICROSECOND]);
        calls(world, id, &[start + Duration::hours(length)]);
        let query = |window| UsageQuery::between(start, start + Duration::hours(length), window);
        let day = report(world, id, &query(PeriodType::Day));
        assert_eq!(column(&day, "all"), [q("2")], "midnight counts in the next day");
        hours.push(report(world, id, &query(PeriodType::Hour)).rows.len());
        let week = start - Duration::DAY;
        let days = report(
            world,
            id,
            &UsageQuery::between(week, start + Duration::days(2), PeriodType::Day),
        );
        assert_eq!(days.rows[1].end - days.rows[1].start, Duration::hours(length));
    }
    assert_eq!(hours, [23, 25]);
}

fn a_month_of_bills_follows_the_customers_clocks(world: &World) {
    if cfg!(not(feature = "timezones")) {
        return;
    }
    let facts = include_str!("../data/calendar_facts.json");
    let facts: serde_json::Value = serde_json::from_str(facts).unwrap();
    let all =
        facts.as_array().cloned().unwrap_or_else(|| facts["facts"].as_array().unwrap().clone());
    let fact = all.iter().find(|it| it["topic"] == "dst-usage-buckets").unwrap();
    let zone: tenure::TimeZone = fact["input"]["tz"].as_str().unwrap().parse().unwrap();
    let id = customer(world, zone.as_str());
    let local = |text: &str| {
        let format = time::format_description::well_known::Iso8601::DEFAULT;
        zone.instant(time::PrimitiveDateTime::parse(text, &format).unwrap()).unwrap()
    };
    let events = fact["input"]["local_events_each_1"].as_array().unwrap();
    world.clock.set(local("2023-02-01T00:00:00"));
    calls(world, id, &events.iter().map(|it| local(it.as_str().unwrap())).collect::<Vec<_>>());
    let (from, to) = (local("2023-03-01T00:00:00"), local("2023-06-01T00:00:00"));
    let months = report(world, id, &UsageQuery::between(from, to, PeriodType::Month));
    let expected = fact["expected"]["by_month"].as_object().unwrap();
    let expected: Vec<_> =
        expected.values().map(|it| Quantity::try_from(it.as_i64().unwrap()).unwrap()).collect();
    assert_eq!(column(&months, "all"), expected);
}

fn what_cannot_be_reported_is_refused(world: &World) {
    let id = customer(world, "UTC");
    let asked =
        |query: &UsageQuery| world.tenure.read(|view| view.usage_report(id, query)).unwrap_err();
    let between = |to, window| UsageQuery::between(BEGINNING, to, window);
    assert_eq!(fields(&asked(&between(BEGINNING, PeriodType::Day))), ["to"]);
    let years = BEGINNING + Duration::days(365 * 40);
    assert_eq!(fields(&asked(&between(years, PeriodType::Day))), ["window"]);
    let strange = between(years, PeriodType::Year).feature("unheard_of");
    assert_eq!(asked(&strange).code(), ErrorCode::NotFound);
    for number in 0..=1_000 {
        let metadata = document(json!({ "request": number }));
        world.done(|tx| tx.track(&Track::new(id, "calls").metadata(metadata.clone())));
    }
    let requests = between(BEGINNING + Duration::HOUR, PeriodType::Hour);
    let requests = requests.by(GroupBy::Metadata("request".to_owned()));
    assert_eq!(fields(&asked(&requests)), ["groupBy"]);
}

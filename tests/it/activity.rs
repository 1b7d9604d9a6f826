//! Activity: each counts once, on the day on which it took place, however late it is heard of.

use crate::support::{BEGINNING, World, fields};
use std::collections::{BTreeMap, BTreeSet};
use tenure::domain::facts::names;
use tenure::domain::period::Period;
use tenure::{CustomerId, Error, NewActivity};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

fn record(world: &World, customer: CustomerId, new: NewActivity) {
    world.done(|tx| tx.record_activity(customer, &new));
}

fn figure(world: &World, id: CustomerId, name: &str) -> Option<f64> {
    world.seen(|view| view.customer_facts(id)).figure(name)
}

fn a_day_adds_up_what_was_done_on_it(world: &World) {
    let acme = world.customer("Acme").id;
    let noon = BEGINNING;
    for new in [
        NewActivity::login("u_1"),
        NewActivity::login("u_2"),
        NewActivity::session("u_1", Duration::seconds(90)),
        NewActivity::session("u_1", Duration::milliseconds(1_900)),
        NewActivity::feature_use("u_1", "reports"),
        NewActivity::feature_use("u_2", "reports"),
        NewActivity::feature_use("u_2", "exports"),
        NewActivity::of("action").user("u_3"),
        NewActivity::of("report_exported").user("u_3"),
        NewActivity::of("email_opened").user("u_3"),
        NewActivity::of("email_clicked").user("u_3"),
        NewActivity::meeting(),
        NewActivity::conversation(true),
        NewActivity::conversation(false),
        NewActivity::login("u_1").at(datetime!(2026-01-30 23:59:59.999999 UTC)),
        NewActivity::login("u_1").at(datetime!(2026-01-31 00:00 UTC)),
    ] {
        record(world, acme, new);
    }
    let days = world.seen(|view| view.daily_activity(acme, 10, None)).items;
    let [today, yesterday] = &days[..] else { panic!("{days:?}") };
    assert_eq!((yesterday.logins, yesterday.active_users), (1, 1));
    assert_eq!(
        (today.day, today.logins, today.active_users),
        (noon.replace_time(time::Time::MIDNIGHT), 3, 3)
    );
    assert_eq!((today.sessions, today.session_seconds), (2, 91));
    let features: Vec<_> =
        today.features.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    assert_eq!(features, [("exports", 1), ("reports", 2)]);
    assert_eq!((today.actions, today.emails_opened, today.emails_clicked), (2, 1, 1));
    assert_eq!((today.meetings, today.conversations, today.automated), (1, 2, 1));
    assert_eq!(world.seen(|view| view.activities(acme, None, 100, None)).items.len(), 16);
    let period =
        Period::new(datetime!(2026-01-30 0:00 UTC), datetime!(2026-01-31 0:00 UTC)).unwrap();
    assert_eq!(world.seen(|view| view.activities(acme, Some(period), 100, None)).items.len(), 1);
}

fn a_key_counts_once_and_means_one_thing(world: &World) {
    let acme = world.customer("Acme").id;
    let login = NewActivity::login("u_1").key("k");
    let told = world.told(|| {
        let first = world.done(|tx| tx.record_activity(acme, &login));
        world.clock.advance(Duration::MINUTE);
        assert_eq!(
            world.done(|tx| tx.record_activity(acme, &login)),
            first,
            "late is no difference"
        );
    });
    assert_eq!(told, ["activity.recorded"]);
    assert_eq!(figure(world, acme, names::LOGINS_PER_WEEK), Some(1.0));
    for (other, wrong) in [
        (NewActivity::login("u_2").key("k"), "user"),
        (NewActivity::meeting().user("u_1").key("k"), "kind"),
        (login.clone().at(BEGINNING - Duration::HOUR), "time"),
    ] {
        match world.refused(|tx| tx.record_activity(acme, &other)) {
            Error::KeyReused { field, .. } => assert_eq!(field, wrong),
            error => panic!("{error}"),
        }
    }
    let globex = world.customer("Globex").id;
    record(world, globex, login);
    assert_eq!(figure(world, globex, names::LOGINS_PER_WEEK), Some(1.0), "a key is its customer's");
}

fn what_is_no_activity_is_refused_with_every_fault(world: &World) {
    let acme = world.customer("Acme").id;
    let mut bad = NewActivity::of("No Kind").user("\0").at(BEGINNING + Duration::HOUR).key("");
    let error = world.refused(|tx| tx.record_activity(acme, &bad));
    assert_eq!(fields(&error), ["kind", "user", "idempotencyKey", "at"]);
    bad = NewActivity::login("u");
    bad.feature = Some("Ü".into());
    bad.duration = Some(Duration::MIN);
    bad.is_automated = Some(true);
    let error =
        world.refused(|tx| tx.record_activities(acme, &[NewActivity::login("u"), bad.clone()]));
    let wrong = ["feature", "feature", "duration", "isAutomated", "duration"];
    assert_eq!(fields(&error), wrong.map(|it| format!("activities[1].{it}")));
    for (kind, wrong) in
        [("feature_use", "feature"), ("session", "duration"), ("conversation", "isAutomated")]
    {
        let error = world.refused(|tx| tx.record_activity(acme, &NewActivity::of(kind)));
        assert_eq!(fields(&error), [wrong]);
    }
    for count in [0, 10_001] {
        let many = vec![NewActivity::meeting(); count];
        let error = world.refused(|tx| tx.record_activities(acme, &many));
        assert_eq!(fields(&error), ["activities"]);
    }
    record(world, acme, NewActivity::session("u", Duration::MAX));
    record(world, acme, NewActivity::session("u", Duration::MAX));
    record(world, acme, NewActivity::login("u").at(datetime!(0001-01-01 0:00 UTC)));
    let day = world.seen(|view| view.daily_activity(acme, 1, None)).items.remove(0);
    assert_eq!(day.session_seconds, i64::MAX, "as much as there is");
}

fn late_news_changes_no_last_login(world: &World) {
    let acme = world.customer("Acme").id;
    assert_eq!(world.seen(|view| view.last_seen(acme)), (None, None));
    assert_eq!(figure(world, acme, names::DAYS_SINCE_LAST_LOGIN), None);
    record(world, acme, NewActivity::login("u").at(BEGINNING - Duration::HOUR));
    record(world, acme, NewActivity::login("u").at(BEGINNING - Duration::days(3)));
    record(world, acme, NewActivity::meeting());
    let seen = (Some(BEGINNING - Duration::HOUR), Some(BEGINNING));
    assert_eq!(world.seen(|view| view.last_seen(acme)), seen);
    world.clock.advance(Duration::days(13));
    let days = figure(world, acme, names::DAYS_SINCE_LAST_LOGIN).unwrap();
    assert!((days - (13.0 + 1.0 / 24.0)).abs() < 1e-9, "{days}");
}

fn the_customers_record_follows_to_the_hour_without_a_new_version(world: &World) {
    let acme = world.customer("Acme");
    let last = || world.now(acme.id).last_activity_at;
    record(world, acme.id, NewActivity::login("u"));
    assert_eq!(last(), Some(BEGINNING));
    world.clock.advance(Duration::minutes(59));
    record(world, acme.id, NewActivity::login("u"));
    assert_eq!(last(), Some(BEGINNING));
    world.clock.advance(Duration::minutes(1));
    record(world, acme.id, NewActivity::login("u"));
    assert_eq!(last(), Some(BEGINNING + Duration::HOUR));
    assert_eq!(world.now(acme.id).version, acme.version, "nobody changed it");
}

/// What the rules look at is added up as it comes in. It is the same as counting what is kept.
fn what_is_added_up_is_what_counting_shows(world: &World) {
    let acme = world.customer("Acme").id;
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut all: Vec<(OffsetDateTime, String, &str, u64)> = Vec::new();
    for _ in 0..60 {
        world.clock.advance(Duration::hours(i64::try_from(draw(60)).unwrap()));
        for _ in 0..draw(4) {
            // Some late, some over the ends of months, some from before what is kept.
            let late = [0, 0, 1, 20, 35, 80][usize::try_from(draw(6)).unwrap()];
            let at = world.clock.now() - Duration::days(late);
            let (user, kind) = (
                format!("u_{}", draw(5)),
                ["login", "feature_use", "action"][usize::try_from(draw(3)).unwrap()],
            );
            let feature = draw(4);
            let mut new = NewActivity::of(kind).user(&user).at(at);
            if kind == "feature_use" {
                new = NewActivity::feature_use(&user, format!("f{feature}")).at(at);
            }
            record(world, acme, new);
            all.push((at, user, kind, feature));
        }
        let today = world.clock.now().to_julian_day();
        let within = |days: i32, offset: i32| {
            let last = today - offset;
            all.iter().filter(move |it| (last - days + 1..=last).contains(&it.0.to_julian_day()))
        };
        let count = |count: usize| f64::from(u32::try_from(count).unwrap());
        let facts = world.seen(|view| view.customer_facts(acme));
        let logins = within(7, 0).filter(|it| it.2 == "login").count();
        if let Some(known) = facts.figure(names::LOGINS_PER_WEEK) {
            assert_eq!(Some(known), Some(count(logins)));
        }
        let users: BTreeSet<_> = within(30, 0).map(|it| &it.1).collect();
        let mut daily: BTreeMap<i32, BTreeSet<&String>> = BTreeMap::new();
        for it in within(30, 0) {
            daily.entry(it.0.to_julian_day()).or_default().insert(&it.1);
        }
        let daily = count(daily.values().map(BTreeSet::len).sum());
        let earliest = all.iter().map(|it| it.0).min().unwrap().min(BEGINNING);
        let there = f64::from((today - earliest.to_julian_day() + 1).min(30));
        let ratio = if users.is_empty() { 0.0 } else { daily / there / count(users.len()) };
        if let Some(known) = facts.figure(names::DAU_MAU_RATIO) {
            assert!((known - ratio).abs() < 1e-12, "{known} and {ratio}");
        }
        let features: BTreeSet<_> =
            within(30, 0).filter(|it| it.2 == "feature_use").map(|it| it.3).collect();
        if let Some(known) = facts.figure(names::FEATURES_USED_THIS_MONTH) {
            assert_eq!(Some(known), Some(count(features.len())));
        }
        let used = |offset| count(within(30, offset).filter(|it| it.2 != "login").count());
        let change = (used(30) > 0.0).then(|| (used(0) - used(30)) / used(30) * 100.0);
        assert_eq!(facts.figure(names::USAGE_CHANGE), change);
    }
    assert!(all.len() > 60);
}

fn a_customer_that_is_new_has_not_missed_the_days_before(world: &World) {
    let acme = world.customer("Acme").id;
    let ratio = || figure(world, acme, names::DAU_MAU_RATIO);
    for day in 0..3 {
        record(world, acme, NewActivity::login("ada"));
        record(world, acme, NewActivity::login("bob"));
        assert_eq!(ratio(), Some(1.0), "day {day}");
        world.clock.advance(Duration::DAY);
    }
    assert_eq!(ratio(), Some(0.75), "nobody yet on the fourth day");
    world.clock.advance(Duration::days(26));
    assert_eq!(ratio(), Some(6.0 / 30.0 / 2.0));
}

fn a_team_that_grows_is_told_from_who_was_there_a_month_before(world: &World) {
    let acme = world.customer("Acme").id;
    let month = |users: u32| {
        for user in 0..users {
            record(world, acme, NewActivity::login(format!("u_{user}")));
        }
    };
    month(4);
    assert_eq!(figure(world, acme, names::TEAM_GROWTH), None, "nothing to compare with");
    world.clock.advance(Duration::days(30));
    month(5);
    assert_eq!(figure(world, acme, names::TEAM_GROWTH), Some(0.25));
    world.clock.advance(Duration::days(30));
    assert_eq!(figure(world, acme, names::TEAM_GROWTH), Some(-1.0), "all are gone");
    month(5);
    assert_eq!(figure(world, acme, names::TEAM_GROWTH), Some(0.0));
}

stories! {
    a_day_adds_up_what_was_done_on_it,
    a_key_counts_once_and_means_one_thing,
    what_is_no_activity_is_refused_with_every_fault,
    late_news_changes_no_last_login,
    the_customers_record_follows_to_the_hour_without_a_new_version,
    what_is_added_up_is_what_counting_shows,
    a_customer_that_is_new_has_not_missed_the_days_before,
    a_team_that_grows_is_told_from_who_was_there_a_month_before,
}

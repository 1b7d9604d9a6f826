//! Engagement: what was done in a period, what it is worth, and who is at risk.

use crate::support::{World, code, fields};
use tenure::domain::period::Period;
use tenure::{
    CustomerDraft, CustomerId, Engagement, EngagementLevel, ErrorCode, NewActivity, TicketDraft,
    UserDraft, UserId,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

fn in_period(
    world: &World,
    id: CustomerId,
    start: OffsetDateTime,
    end: OffsetDateTime,
) -> Engagement {
    let period = Period::new(start, end).unwrap();
    world.seen(|view| view.engagement(id, period))
}

fn logins(world: &World, id: CustomerId, count: u32, at: OffsetDateTime) {
    let new: Vec<_> =
        (0..count).map(|number| NewActivity::login(format!("u_{number}")).at(at)).collect();
    world.done(|tx| tx.record_activities(id, &new));
}

fn a_leap_february_is_held_against_as_many_days_before(world: &World) {
    let acme = world.customer("Acme").id;
    logins(world, acme, 1, datetime!(2024-01-02 23:59 UTC));
    logins(world, acme, 2, datetime!(2024-01-03 00:00 UTC));
    logins(world, acme, 3, datetime!(2024-02-01 00:00 UTC));
    logins(world, acme, 3, datetime!(2024-02-29 23:59 UTC));
    logins(world, acme, 9, datetime!(2024-03-01 00:00 UTC));
    let rated = |at, csat: i64| TicketDraft::default().opened_at(at).csat(csat);
    world.done(|tx| {
        tx.upsert_ticket(acme, "t1", &rated(datetime!(2024-01-10 0:00 UTC), 4))?;
        tx.upsert_ticket(acme, "t2", &rated(datetime!(2024-02-29 23:59 UTC), 3))?;
        let open = TicketDraft::default().opened_at(datetime!(2024-02-02 0:00 UTC));
        tx.upsert_ticket(acme, "t3", &open)
    });
    let (first, end) = (datetime!(2024-02-01 0:00 UTC), datetime!(2024-03-01 0:00 UTC));
    let february = in_period(world, acme, first, end);
    assert_eq!((february.metrics.logins, february.previous.logins), (6, 2));
    assert_eq!((february.metrics.active_users, february.previous.active_users), (3, 2));
    assert_eq!((february.metrics.support_tickets, february.previous.support_tickets), (2, 1));
    assert_eq!(february.metrics.customer_satisfaction, Some(3.0));
    let change = february.change;
    assert_eq!(
        (change.logins, change.usage, change.satisfaction),
        (Some(200.0), None, Some(-25.0))
    );
    let march = in_period(world, acme, end, datetime!(2024-04-01 0:00 UTC));
    assert_eq!((march.metrics.logins, march.previous.logins), (9, 6));
}

fn a_period_tells_all_that_was_done(world: &World) {
    let acme = world.customer("Acme").id;
    let at = datetime!(2026-01-20 9:00 UTC);
    let mut all = vec![
        NewActivity::session("u_1", Duration::minutes(3)),
        NewActivity::session("u_2", Duration::minutes(1)),
        NewActivity::session("u_2", Duration::minutes(2)),
        NewActivity::of("email_opened").user("u_1"),
        NewActivity::of("email_clicked").user("u_1"),
        NewActivity::meeting(),
        NewActivity::feature_use("u_1", "a"),
        NewActivity::feature_use("u_2", "a"),
        NewActivity::feature_use("u_2", "b"),
        NewActivity::of("exported").user("u_1"),
    ];
    all.extend((0..4).map(|number| NewActivity::conversation(number > 0)));
    let all: Vec<_> = all.into_iter().map(|it| it.at(at)).collect();
    world.done(|tx| tx.record_activities(acme, &all));
    let month = (datetime!(2026-01-01 0:00 UTC), datetime!(2026-02-01 0:00 UTC));
    let engagement = in_period(world, acme, month.0, month.1);
    let metrics = &engagement.metrics;
    assert_eq!((metrics.active_users, metrics.sessions_per_user), (2, Some(1.5)));
    assert_eq!((metrics.avg_session_duration, metrics.meetings_held), (Some(120.0), 1));
    assert_eq!(
        (metrics.emails_opened, metrics.emails_clicked, metrics.actions_performed),
        (1, 1, 1)
    );
    assert_eq!((metrics.features_used, metrics.feature_usage_frequency.len()), (2, 2));
    assert_eq!((metrics.conversations_handled, metrics.automation_rate), (4, Some(0.75)));
    assert_eq!(metrics.customer_satisfaction, None, "nobody was asked");
    // 2/5 × .15 + 2/10 × .2 + 1/100 × .2 + .75 × .15, of the .85 that are known
    assert_eq!((engagement.score, engagement.level), (Some(25), Some(EngagementLevel::Low)));
    let before =
        in_period(world, acme, datetime!(2025-11-01 0:00 UTC), datetime!(2025-12-01 0:00 UTC));
    assert_eq!((before.score, before.change.logins), (Some(0), None), "known, and nothing");
    let globex = world.customer("Globex").id;
    let nothing = in_period(world, globex, month.0, month.1);
    assert_eq!((nothing.score, nothing.level), (None, None), "not known");
}

fn a_period_without_a_day_is_refused(world: &World) {
    let acme = world.customer("Acme").id;
    let noon = datetime!(2026-01-20 12:00 UTC);
    let period = Period::new(noon, noon + Duration::hours(11)).unwrap();
    let error = world.tenure.read(|view| view.engagement(acme, period)).unwrap_err();
    assert_eq!(fields(&error), ["period"]);
    let ever = Period::new(datetime!(-9999-01-01 0:00 UTC), datetime!(9999-12-31 23:59 UTC));
    drop(world.tenure.read(|view| view.engagement(acme, ever.clone().unwrap())));
}

fn a_portfolio_is_the_month_so_far_of_those_whom_one_looks_after(world: &World) {
    let mia = world.done(|tx| tx.register_user("mia", &UserDraft::default().name("Mia"))).id;
    let tom = world.done(|tx| tx.register_user("tom", &UserDraft::default().name("Tom"))).id;
    let customer = |name: &str, csm: UserId| {
        world.done(|tx| tx.create_customer(&CustomerDraft::named(name).csm_id(csm))).id
    };
    let empty = world.seen(|view| view.engagement_portfolio(mia));
    assert_eq!((empty.average.value, empty.unknown, empty.at_risk.len()), (None, 0, 0));
    let (busy, quiet, gone) =
        (customer("Busy", mia), customer("Quiet", mia), customer("Gone", mia));
    customer("Silent", mia);
    let others = customer("Other", tom);
    let mut all: Vec<_> = (0..100).map(|_| NewActivity::of("action").user("u_1")).collect();
    all.extend((0..30).map(|number| NewActivity::login(format!("u_{}", number % 5))));
    all.extend((0..10).map(|number| NewActivity::feature_use("u_1", format!("f{number}"))));
    world.done(|tx| {
        tx.record_activities(busy, &all)?;
        tx.record_activities(gone, &all)?;
        tx.delete_customer(gone)?;
        // The month before does not count.
        let before = NewActivity::login("u").at(datetime!(2025-12-31 23:59 UTC));
        tx.record_activity(quiet, &before)?;
        tx.record_activities(others, &all)
    });
    let portfolio = world.seen(|view| view.engagement_portfolio(mia));
    assert_eq!((portfolio.high, portfolio.medium, portfolio.low, portfolio.unknown), (1, 0, 1, 1));
    assert_eq!((portfolio.at_risk.as_slice(), portfolio.average.value), (&[quiet][..], Some(50.0)));
    assert_eq!(portfolio.period.start(), datetime!(2026-01-01 0:00 UTC));
    world.clock.set(datetime!(2026-02-01 0:00 UTC));
    let first = world.seen(|view| view.engagement_portfolio(mia));
    assert_eq!((first.high, first.low), (0, 2), "a month begins");
    let nobody = world.tenure.read(|view| view.engagement_portfolio(UserId::of("nobody")));
    assert_eq!(code(nobody), ErrorCode::NotFound);
}

stories! {
    a_leap_february_is_held_against_as_many_days_before,
    a_period_tells_all_that_was_done,
    a_period_without_a_day_is_refused,
    a_portfolio_is_the_month_so_far_of_those_whom_one_looks_after,
}

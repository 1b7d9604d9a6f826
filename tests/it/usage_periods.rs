//! Usage periods: added up from the ledger, from shorter periods alike, and frozen.

use crate::metered::q;
use crate::support::{BEGINNING, World, code, fields};
use proptest::prelude::*;
use std::sync::Arc;
use tenure::store::memory::MemoryStore;
use tenure::{
    Config, Correction, CustomerDraft, CustomerId, Error, ErrorCode, FeatureDraft, NewGrant,
    NewSubscription, NewUsageRecord, Overage, PeriodType, Quantity, TierDraft, Track, UsageFigure,
    UsagePeriod, UsagePeriodStatus,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

stories! {
    a_period_is_added_up_once_and_again_only_for_something_new,
    corrections_count_when_they_were_made,
    a_period_is_of_the_customers_own_calendar,
    what_no_feature_counts_is_recorded_by_hand,
    a_recorded_key_counts_once,
    what_is_recorded_wrongly_is_told_at_once,
    only_a_complete_period_is_finalized_and_then_it_stays,
    late_usage_for_a_finalized_period_is_refused_and_told_the_way,
    the_tick_completes_what_is_over,
    a_subscription_is_told_apart_by_its_product,
    a_change_is_told_against_the_period_before,
    a_period_that_has_not_begun_is_none,
}

/// A customer with unlimited calls and a quota of 100 credits.
fn customer(world: &World) -> CustomerId {
    let acme = world.customer("Acme").id;
    world.done(|tx| {
        tx.define_feature("calls", &FeatureDraft::default())?;
        tx.define_feature("credits", &FeatureDraft::default().overage(Overage::Allow))?;
        tx.set_access(acme, "calls", &tenure::AccessPatch::new())?;
        tx.grant(acme, &NewGrant::of("credits", 100))
    });
    acme
}

fn month(world: &World, id: CustomerId) -> UsagePeriod {
    world.done(|tx| tx.aggregate_usage(id, PeriodType::Month, BEGINNING))
}

fn resources(period: &UsagePeriod) -> Vec<(&str, Quantity)> {
    period.usage_by_resource.iter().map(|(code, used)| (code.as_str(), *used)).collect()
}

fn a_period_is_added_up_once_and_again_only_for_something_new(world: &World) {
    let id = customer(world);
    world.uses(id, "calls", 3);
    world.uses(id, "credits", 40);
    let first = month(world, id);
    assert_eq!(resources(&first), [("calls", q("3")), ("credits", q("40"))]);
    assert_eq!(
        (first.period_start, first.period_end),
        (datetime!(2026-01-01 0:00 UTC), datetime!(2026-02-01 0:00 UTC))
    );
    assert_eq!((first.quota_used, first.quota_remaining), (q("40"), Some(q("60"))));
    assert_eq!((first.status, first.change_from_previous), (UsagePeriodStatus::Partial, None));
    world.clock.advance(Duration::HOUR);
    assert!(world.told(|| assert_eq!(month(world, id), first)).is_empty(), "nothing is new");
    world.uses(id, "calls", 1);
    let told = world.told(|| assert_eq!(month(world, id).usage_by_resource["calls"], q("4")));
    assert_eq!(told, ["usage_period.aggregated"]);
    assert_eq!(world.seen(|view| view.usage_period(first.id)).created_at, first.created_at);
    let listed = world.seen(|view| view.usage_periods(id, PeriodType::Month, 10, None)).items;
    assert_eq!(listed.len(), 1);
}

fn corrections_count_when_they_were_made(world: &World) {
    let id = customer(world);
    world.uses(id, "calls", 30);
    world.clock.advance(Duration::DAY);
    world.done(|tx| tx.adjust_usage(&Correction::new(id, "calls", q("-4"), "refund")));
    world.done(|tx| tx.set_usage(&Correction::new(id, "calls", q("20"), "counted anew")));
    let january = month(world, id);
    assert_eq!(january.usage_by_resource["calls"], q("30"));
    let february = world.done(|tx| tx.aggregate_usage(id, PeriodType::Month, world.clock.now()));
    assert_eq!(february.usage_by_resource["calls"], q("-10"), "26 was set to 20");
}

fn a_period_is_of_the_customers_own_calendar(world: &World) {
    let id = customer(world);
    world.clock.set(datetime!(2026-01-31 23:30 UTC));
    world.uses(id, "calls", 5);
    let utc = world.done(|tx| tx.aggregate_usage(id, PeriodType::Month, world.clock.now()));
    assert_eq!((utc.time_zone.as_str(), utc.period_end), ("UTC", datetime!(2026-02-01 0:00 UTC)));
    if cfg!(feature = "timezones") {
        world
            .done(|tx| tx.update_customer(id, &CustomerDraft::default().timezone("Europe/Berlin")));
        let berlin = world.done(|tx| tx.aggregate_usage(id, PeriodType::Month, world.clock.now()));
        assert_eq!(berlin.period_start, datetime!(2026-01-31 23:00 UTC), "it is February there");
        assert_eq!(berlin.usage_by_resource["calls"], q("5"));
    }
}

fn what_no_feature_counts_is_recorded_by_hand(world: &World) {
    let id = customer(world);
    world.uses(id, "calls", 2);
    let record = NewUsageRecord::at(BEGINNING)
        .figure(UsageFigure::WebhookDeliveries, 3)
        .resource("calls", 5)
        .resource("gpu_hours", q("0.5"));
    let mut day = None;
    let told =
        world.told(|| day = Some(world.done(|tx| tx.record_usage(id, PeriodType::Day, &record))));
    assert_eq!(told, ["usage_period.recorded"]);
    let day = day.unwrap();
    assert_eq!(day.webhook_deliveries, q("3"));
    assert_eq!(resources(&day), [("calls", q("7")), ("gpu_hours", q("0.5"))]);
    let again = world.done(|tx| tx.record_usage(id, PeriodType::Day, &record));
    assert_eq!(again.webhook_deliveries, q("6"), "without a key every call counts");
    assert_eq!(month(world, id).webhook_deliveries, q("6"), "it counts in every period");
    let same = world.done(|tx| tx.aggregate_usage(id, PeriodType::Day, BEGINNING));
    assert_eq!(same.usage_by_resource, again.usage_by_resource);
}

fn a_recorded_key_counts_once(world: &World) {
    let id = customer(world);
    let record = NewUsageRecord::at(BEGINNING).figure(UsageFigure::ApiCalls, 3).key("k");
    let first = world.done(|tx| tx.record_usage(id, PeriodType::Day, &record));
    world.clock.advance(Duration::HOUR);
    let told = world.told(|| {
        assert_eq!(world.done(|tx| tx.record_usage(id, PeriodType::Day, &record)), first);
    });
    assert!(told.is_empty());
    let other = record.clone().figure(UsageFigure::ApiCalls, 4);
    let error = world.refused(|tx| tx.record_usage(id, PeriodType::Day, &other));
    assert!(matches!(error, Error::KeyReused { field: "quantity", .. }), "{error}");
    let other = world.customer("Globex").id;
    let own = world.done(|tx| tx.record_usage(other, PeriodType::Day, &record));
    assert_eq!(own.api_calls, q("3"), "another customer has keys of its own");
}

fn what_is_recorded_wrongly_is_told_at_once(world: &World) {
    let id = customer(world);
    let bad = NewUsageRecord::at(BEGINNING)
        .figure(UsageFigure::ApiCalls, -1)
        .resource("No Code", 1)
        .key(" k");
    let error = world.refused(|tx| tx.record_usage(id, PeriodType::Day, &bad));
    assert_eq!(fields(&error), ["idempotencyKey", "api_calls", "resources"]);
    let nothing = NewUsageRecord::at(BEGINNING);
    let error = world.refused(|tx| tx.record_usage(id, PeriodType::Day, &nothing));
    assert_eq!(fields(&error), ["figures"]);
    for at in [BEGINNING + Duration::SECOND, BEGINNING - Duration::days(36)] {
        let astray = NewUsageRecord::at(at).figure(UsageFigure::ApiCalls, 1);
        let error = world.refused(|tx| tx.record_usage(id, PeriodType::Day, &astray));
        assert_eq!(fields(&error), ["usedAt"]);
    }
    let huge = NewUsageRecord::at(BEGINNING).figure(UsageFigure::ApiCalls, Quantity::MAX);
    world.done(|tx| tx.record_usage(id, PeriodType::Day, &huge));
    let error = world.refused(|tx| tx.record_usage(id, PeriodType::Day, &huge));
    assert!(matches!(error, Error::Overflow(_)), "{error}");
}

fn only_a_complete_period_is_finalized_and_then_it_stays(world: &World) {
    let id = customer(world);
    world.uses(id, "calls", 2);
    let partial = month(world, id);
    let error = world.refused(|tx| tx.finalize_usage(partial.id));
    assert_eq!(error.code(), ErrorCode::Unprocessable);
    world.clock.advance(Duration::days(2));
    let error = world.refused(|tx| tx.finalize_usage(partial.id));
    assert!(matches!(error, Error::Rule(_)), "it was not added up since: {error}");
    assert_eq!(month(world, id).status, UsagePeriodStatus::Complete);
    // Usage that came late, after it was added up, is not lost by freezing.
    world.done(|tx| tx.track(&Track::new(id, "calls").at(BEGINNING + Duration::HOUR)));
    let frozen = world.done(|tx| tx.finalize_usage(partial.id));
    assert_eq!(
        (frozen.status, frozen.usage_by_resource["calls"]),
        (UsagePeriodStatus::Finalized, q("3"))
    );
    let told = world.told(|| {
        assert_eq!(world.done(|tx| tx.finalize_usage(partial.id)), frozen);
        assert_eq!(month(world, id), frozen);
    });
    assert!(told.is_empty(), "{told:?}");
    let missing = world.tenure.write(|tx| tx.finalize_usage(id.uuid().into()));
    assert_eq!(code(missing), ErrorCode::NotFound);
}

fn late_usage_for_a_finalized_period_is_refused_and_told_the_way(world: &World) {
    let id = customer(world);
    let before = Track::new(id, "calls").at(BEGINNING).key("before");
    let answer = world.done(|tx| tx.track(&before));
    world.clock.advance(Duration::days(2));
    let frozen = month(world, id).id;
    world.done(|tx| tx.finalize_usage(frozen));
    assert_eq!(world.seen(|view| view.finalized_at(id, BEGINNING)).map(|it| it.id), Some(frozen));
    for late in [BEGINNING, datetime!(2026-01-31 23:59:59.999_999 UTC)] {
        let error = world.refused(|tx| tx.track(&Track::new(id, "calls").at(late)));
        assert_eq!(error.code(), ErrorCode::Unprocessable);
        assert!(error.to_string().contains("adjust the usage of the current period"), "{error}");
        let record = NewUsageRecord::at(late).figure(UsageFigure::ApiCalls, 1);
        let error = world.refused(|tx| tx.record_usage(id, PeriodType::Day, &record));
        assert_eq!(error.code(), ErrorCode::Unprocessable);
    }
    let again = world.done(|tx| tx.track(&before));
    assert!(again.duplicate && again.event_id == answer.event_id, "a retry is never refused");
    world.done(|tx| tx.track(&Track::new(id, "calls").at(datetime!(2026-02-01 0:00 UTC))));
    let other = world.customer("Globex").id;
    assert_eq!(world.seen(|view| view.finalized_at(other, BEGINNING)), None);
}

fn the_tick_completes_what_is_over(world: &World) {
    let id = customer(world);
    world.uses(id, "calls", 2);
    let day = world.done(|tx| tx.aggregate_usage(id, PeriodType::Day, BEGINNING));
    world.uses(id, "calls", 3);
    assert_eq!(world.seen(|view| view.next_due()), Some(day.period_end));
    world.clock.set(day.period_end - Duration::MICROSECOND);
    assert_eq!(world.tenure.tick().unwrap().usage_periods_completed, 0);
    world.clock.set(day.period_end);
    assert_eq!(world.tenure.tick().unwrap().usage_periods_completed, 1);
    let day = world.seen(|view| view.usage_period(day.id));
    assert_eq!((day.status, day.usage_by_resource["calls"]), (UsagePeriodStatus::Complete, q("5")));
    assert_eq!(day.quota_remaining, Some(q("100")), "as it was last seen");
    assert_eq!(world.tenure.tick().unwrap(), tenure::Ticked::default());
}

fn a_subscription_is_told_apart_by_its_product(world: &World) {
    let id = customer(world);
    let other = world.tenure.for_product("other").unwrap();
    other.write(|tx| tx.define_tier(&TierDraft::new("pro"))).unwrap();
    let of = other.write(|tx| tx.add_subscription(id, &NewSubscription::to("pro"))).unwrap().id;
    world.uses(id, "calls", 2);
    other.write(|tx| tx.track(&Track::new(id, "calls").quantity(5))).unwrap();
    let record = NewUsageRecord::at(BEGINNING).figure(UsageFigure::ApiCalls, 9).of(of);
    world.done(|tx| tx.record_usage(id, PeriodType::Day, &record));
    world.done(|tx| {
        tx.record_usage(
            id,
            PeriodType::Day,
            &NewUsageRecord::at(BEGINNING).figure(UsageFigure::ApiCalls, 1),
        )
    });
    let alone = |world: &World| {
        world.done(|tx| tx.aggregate_subscription_usage(of, PeriodType::Month, BEGINNING))
    };
    let (all, alone) = (month(world, id), alone(world));
    assert_ne!(all.id, alone.id);
    assert_eq!((all.usage_by_resource["calls"], all.api_calls), (q("7"), q("10")));
    assert_eq!((alone.usage_by_resource["calls"], alone.api_calls), (q("5"), q("9")));
    // Frozen for its product only.
    world.clock.advance(Duration::days(2));
    world.tenure.tick().unwrap();
    world.done(|tx| tx.finalize_usage(alone.id));
    world.done(|tx| tx.track(&Track::new(id, "calls").at(BEGINNING)));
    let late = other.write(|tx| tx.track(&Track::new(id, "calls").at(BEGINNING)));
    assert_eq!(code(late), ErrorCode::Unprocessable);
    let strange = world.customer("Globex").id;
    let error = world.refused(|tx| tx.record_usage(strange, PeriodType::Day, &record));
    assert_eq!(error.code(), ErrorCode::NotFound);
}

fn a_change_is_told_against_the_period_before(world: &World) {
    let id = customer(world);
    let day =
        |world: &World| world.done(|tx| tx.aggregate_usage(id, PeriodType::Day, world.clock.now()));
    let nothing = day(world);
    assert_eq!(nothing.change_from_previous, None);
    world.clock.advance(Duration::DAY);
    world.uses(id, "calls", 8);
    assert_eq!(day(world).change_from_previous, None, "the day before has nothing");
    world.clock.advance(Duration::DAY);
    world.uses(id, "calls", 9);
    assert_eq!(day(world).change_from_previous, Some(12.5));
    // Where executions are counted, they alone are compared.
    let ran =
        |n: i32| NewUsageRecord::at(world.clock.now()).figure(UsageFigure::TotalExecutions, n);
    world.done(|tx| tx.record_usage(id, PeriodType::Day, &ran(4)));
    world.clock.advance(Duration::DAY);
    let today = world.done(|tx| tx.record_usage(id, PeriodType::Day, &ran(3)));
    assert_eq!(today.change_from_previous, Some(-25.0));
}

fn a_period_that_has_not_begun_is_none(world: &World) {
    let id = customer(world);
    let error =
        world.refused(|tx| tx.aggregate_usage(id, PeriodType::Day, BEGINNING + Duration::DAY));
    assert_eq!(fields(&error), ["at"]);
    world.done(|tx| tx.aggregate_usage(id, PeriodType::Day, BEGINNING + Duration::HOUR));
}

/// Figures of a world whose features count in named figures.
fn figured() -> World {
    let mut config = Config::default();
    config.usage_figures.insert("calls".parse().unwrap(), UsageFigure::ApiCalls);
    World::over(MemoryStore::new(), |builder| builder.config(config))
}

#[test]
fn a_feature_counts_in_the_figure_that_it_was_given() {
    let world = figured();
    let id = customer(&world);
    world.uses(id, "calls", 7);
    world.uses(id, "credits", 2);
    let month = month(&world, id);
    assert_eq!((month.api_calls, resources(&month)), (q("7"), vec![("credits", q("2"))]));
    let json = serde_json::to_value(&month).unwrap();
    assert_eq!(
        (json["apiCalls"].as_i64(), json["usageByResource"]["credits"].as_i64()),
        (Some(7), Some(2))
    );
    assert_eq!(serde_json::from_value::<UsagePeriod>(json).unwrap(), month);
}

/// The day of the quarter on which usage comes late.
const LATE: u16 = 89;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happened in a quarter, and in whichever order its days and months were added up,
    /// frozen or left, it is what the ledger itself says.
    #[test]
    fn what_shorter_periods_add_up_to_is_what_the_ledger_says(
        uses in prop::collection::vec((0..91_u16, 0..3_u8, 1..2_000_000_i64), 1..40),
        built in prop::collection::vec((0..91_u16, any::<bool>()), 0..120),
        from_months in any::<bool>(),
        all_days in any::<bool>(),
    ) {
        let worlds = [figured(), figured()];
        let start = datetime!(2026-04-01 0:00 UTC);
        let day = |n: u16| start + Duration::days(n.into());
        let quarters = worlds.each_ref().map(|world| {
            world.clock.set(start);
            let id = customer(world);
            let mut uses = uses.clone();
            uses.sort_unstable();
            for (number, (on, what, micros)) in (0_i64..).zip(&uses) {
                world.clock.set(day(*on) + Duration::hours(number % 24));
                let quantity = Quantity::from_millionths(*micros);
                world.done(|tx| match what {
                    0 => tx.track(&Track::new(id, "calls").quantity(quantity)).map(drop),
                    1 => tx.track(&Track::new(id, "credits").quantity(quantity)).map(drop),
                    _ => {
                        let record = NewUsageRecord::at(tx.now()).resource("disk", quantity);
                        tx.record_usage(id, PeriodType::Day, &record).map(drop)
                    }
                });
            }
            id
        });
        let [built_world, direct] = &worlds;
        // While late usage may still come, and after.
        for (now, is_settled) in [(start + Duration::days(95), false), (start + Duration::days(127), true)] {
            for world in &worlds {
                world.clock.set(now);
            }
            let days = if all_days { (0..91).map(|n| (n, n % 7 == 0)).collect() } else { built.clone() };
            for (n, freeze) in days {
                let period = built_world.done(|tx| tx.aggregate_usage(quarters[0], PeriodType::Day, day(n)));
                if freeze && n != LATE {
                    built_world.done(|tx| tx.finalize_usage(period.id));
                }
            }
            for n in [0, 30, 61].into_iter().filter(|_| from_months) {
                built_world.done(|tx| tx.aggregate_usage(quarters[0], PeriodType::Month, day(n)));
            }
            if !is_settled {
                for (world, id) in worlds.iter().zip(quarters) {
                    world.done(|tx| tx.track(&Track::new(id, "calls").at(day(LATE))));
                }
            }
            let quarter = |world: &World, id| {
                let it = world.done(|tx| tx.aggregate_usage(id, PeriodType::Quarter, start));
                assert_eq!((it.status, it.is_settled), (UsagePeriodStatus::Complete, is_settled));
                (it.api_calls, it.usage_by_resource, it.quota_used, it.change_from_previous)
            };
            prop_assert_eq!(quarter(built_world, quarters[0]), quarter(direct, quarters[1]));
        }
    }
}

/// So that the property is about what it says: another mapping of features shows that the months
/// were added up, not the ledger.
#[test]
fn a_quarter_is_added_up_from_months_that_nothing_can_reach() {
    let store = Arc::new(MemoryStore::new());
    let start: OffsetDateTime = datetime!(2026-04-01 0:00 UTC);
    let mut config = Config::default();
    config.usage_figures.insert("calls".parse().unwrap(), UsageFigure::ApiCalls);
    let world = World::over(Arc::clone(&store), |builder| builder.config(config));
    let id = customer(&world);
    world.clock.set(start);
    world.uses(id, "calls", 7);
    let other = World::over(store, |builder| builder);
    for (days, figure) in [(100, 0), (200, 7)] {
        for world in [&world, &other] {
            world.clock.set(start + Duration::days(days));
        }
        for days in [0, 30, 61] {
            let at = start + Duration::days(days);
            world.done(|tx| tx.aggregate_usage(id, PeriodType::Month, at));
        }
        let quarter = other.done(|tx| tx.aggregate_usage(id, PeriodType::Quarter, start));
        assert_eq!(quarter.api_calls, Quantity::from(figure), "after {days} days");
    }
}

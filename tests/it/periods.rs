//! Periods follow one another, wherever they are looked at, and at the calendar's odd days. That
//! they tile four centuries of every zone is in `tiling.rs`.
#![cfg(feature = "timezones")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a test that goes wrong panics, which is its answer"
)]

use proptest::prelude::*;
use tenure::domain::calendar::PeriodType;
use tenure::domain::cycle::Cycle;
use tenure::domain::period::Period;
use tenure::domain::recurrence::Recurrence;
use tenure::domain::schedule::Schedule;
use tenure::domain::zone::TimeZone;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// Zones with ordinary changes of clocks and with all the odd ones: half hours, changes at
/// midnight and at one minute past, whole days skipped and repeated, seconds in old offsets.
const ZONES: [&str; 22] = [
    "UTC",
    "Europe/Paris",
    "Europe/London",
    "Europe/Dublin",
    "America/New_York",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Juneau",
    "America/Havana",
    "Africa/Monrovia",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Manila",
    "Asia/Gaza",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "+05:45",
];

const FROM: OffsetDateTime = datetime!(1970-01-01 0:00 UTC);
const TO: OffsetDateTime = datetime!(2370-01-01 0:00 UTC);

fn zone(name: &str) -> TimeZone {
    name.parse().unwrap()
}

fn every(anchor: OffsetDateTime, cycle: Cycle, zone: &TimeZone) -> Recurrence {
    Recurrence::new(anchor, cycle, zone.clone()).unwrap()
}

/// From 1800, when clocks were set by the sun and the date line still moved.
fn instants() -> impl Strategy<Value = OffsetDateTime> {
    const EARLY: OffsetDateTime = datetime!(1800-01-01 0:00 UTC);
    (EARLY.unix_timestamp()..TO.unix_timestamp(), 0..1_000_000_i64).prop_map(|(seconds, micros)| {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap() + Duration::microseconds(micros)
    })
}

fn cycles() -> impl Strategy<Value = Cycle> {
    prop_oneof![
        (1..=100_u32).prop_map(|n| Cycle::hours(n).unwrap()),
        (1..=40_u32).prop_map(|n| Cycle::days(n).unwrap()),
        (1..=30_u32).prop_map(|n| Cycle::months(n).unwrap()),
        (1..=9_u32).prop_map(|n| Cycle::years(n).unwrap()),
    ]
}

fn zones() -> impl Strategy<Value = TimeZone> {
    prop::sample::select(&ZONES[..]).prop_map(zone)
}

/// The neighbours of the period of `t` meet it, and each boundary begins the period of its number.
fn tiles_at(recurrence: &Recurrence, t: OffsetDateTime) -> Result<(), TestCaseError> {
    let k = recurrence.index_of(t).unwrap();
    let period = recurrence.period_containing(t).unwrap();
    prop_assert!(period.contains(t) && !period.contains(period.end()));
    prop_assert_eq!(period.start(), recurrence.boundary(k).unwrap());
    prop_assert_eq!(recurrence.index_of(period.start()), Some(k));
    let last = period.end() - Duration::NANOSECOND;
    prop_assert_eq!(recurrence.period_containing(last), Some(period));
    let following = recurrence.period_containing(period.end()).unwrap();
    prop_assert_eq!(following.start(), period.end());
    // A skipped day is the one way to an empty period, which has a number and no instant.
    let next = recurrence.index_of(period.end()).unwrap();
    prop_assert!((k + 1..=k + 2).contains(&next), "{k} is followed by {next}");
    for skipped in k + 1..next {
        prop_assert_eq!(recurrence.boundary(skipped), recurrence.boundary(next));
        prop_assert_eq!(recurrence.period(skipped), None);
    }
    prop_assert_eq!(recurrence.next_after(t), Some(period.end()));
    prop_assert_eq!(recurrence.next_at_or_after(period.end()), Some(period.end()));
    prop_assert_eq!(recurrence.previous_at_or_before(t), Some(period.start()));
    prop_assert_eq!(recurrence.previous_before(period.end()), Some(period.start()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn anchored_periods_tile(anchor in instants(), t in instants(), cycle in cycles(), zone in zones()) {
        let recurrence = every(anchor, cycle, &zone);
        tiles_at(&recurrence, t)?;
        tiles_at(&recurrence, anchor)?;
        prop_assert_eq!(recurrence.boundary(0), Some(anchor));
    }

    #[test]
    fn calendar_periods_tile(t in instants(), cycle in cycles(), zone in zones()) {
        tiles_at(&Recurrence::calendar(cycle, zone), t)?;
    }

    #[test]
    fn a_schedule_is_one_chain_of_periods_from_its_start_to_its_end(
        anchor in instants(), from in instants(), days in 1..1_000_i64, cycle in cycles(), zone in zones(),
    ) {
        let to = from + Duration::days(days);
        let schedule = Schedule::new(every(anchor, cycle, &zone), Some(from), Some(to)).unwrap();
        let starts: Vec<_> = schedule.starts_between(from, to).take(40).collect();
        prop_assert_eq!(starts[0], from);
        let chain: Vec<Period> =
            starts.iter().map(|at| schedule.period_containing(*at).unwrap()).collect();
        for pair in chain.windows(2) {
            prop_assert_eq!(pair[0].end(), pair[1].start());
        }
        for (n, at) in (0_i64..).zip(&starts) {
            let elapsed = schedule.elapsed(*at).unwrap();
            // Two daily boundaries that coincide are one start and two numbers.
            prop_assert!((n..=n + 1).contains(&elapsed));
        }
        if starts.len() < 40 {
            prop_assert_eq!(chain.last().unwrap().end(), to);
        }
        prop_assert_eq!(schedule.period_containing(from - Duration::MICROSECOND), None);
        prop_assert_eq!(schedule.period_containing(to), None);
    }

    #[test]
    fn moving_to_another_zone_neither_cuts_nor_leaves_a_gap(
        anchor in instants(), t in instants(), cycle in cycles(), zone in zones(), other in zones(),
    ) {
        let before = Schedule::new(every(anchor, cycle, &zone), None, None).unwrap();
        let running = before.period_containing(t).unwrap();
        let after = before.moved_to(other, t).unwrap();
        let moved = after.period_containing(t).unwrap();
        prop_assert_eq!(moved.start(), running.start());
        prop_assert!(moved.contains(t));
        let next = after.period_containing(moved.end()).unwrap();
        prop_assert_eq!(next.start(), moved.end());
    }

    #[test]
    fn no_number_and_no_instant_makes_it_panic(
        k in any::<i64>(), seconds in -377_705_116_800..=253_402_300_799_i64, cycle in cycles(), zone in zones(),
    ) {
        let t = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        for recurrence in [every(FROM, cycle, &zone), Recurrence::calendar(cycle, zone)] {
            for k in [k, k % 100_000, i64::MIN, i64::MAX] {
                let at = recurrence.boundary(k);
                prop_assert!(at.is_none_or(|at| (1..=9999).contains(&at.year())));
                let _ = recurrence.period(k);
            }
            if let Some(period) = recurrence.period_containing(t) {
                prop_assert!(period.contains(t));
            }
            let _ = (recurrence.next_at_or_after(t), recurrence.previous_before(t));
        }
    }
}

#[test]
fn a_day_has_23_24_or_25_hours_and_the_skipped_one_none() {
    let minutes = |name, t: OffsetDateTime| {
        let day = Period::of_calendar(PeriodType::Day, t, zone(name)).unwrap();
        (day.end() - day.start()).whole_minutes()
    };
    assert_eq!(minutes("Europe/Paris", datetime!(2024-03-31 12:00 UTC)), 23 * 60);
    assert_eq!(minutes("Europe/Paris", datetime!(2024-03-30 12:00 UTC)), 24 * 60);
    assert_eq!(minutes("Europe/Paris", datetime!(2024-10-27 12:00 UTC)), 25 * 60);
    assert_eq!(minutes("Australia/Lord_Howe", datetime!(2024-04-07 02:00 UTC)), 24 * 60 + 30);
    assert_eq!(minutes("America/Sao_Paulo", datetime!(2018-11-04 12:00 UTC)), 23 * 60);
    let days = Recurrence::calendar(Cycle::DAY, zone("Pacific/Apia"));
    let k = days.index_of(datetime!(2011-12-30 9:59:59 UTC)).unwrap();
    assert_eq!((days.boundary(k + 1), days.period(k + 1)), (days.boundary(k + 2), None));
    assert_eq!(days.index_of(datetime!(2011-12-30 10:00 UTC)), Some(k + 2));
}

#[test]
fn the_31st_and_the_29th_of_february_come_back() {
    let monthly = every(datetime!(2023-01-31 9:00 UTC), Cycle::MONTH, &TimeZone::UTC);
    let days: Vec<u8> = (0..15).map(|k| monthly.boundary(k).unwrap().day()).collect();
    assert_eq!(days, [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29, 31]);
    let yearly = every(datetime!(2096-02-29 9:00 UTC), Cycle::YEAR, &TimeZone::UTC);
    let days: Vec<u8> = (0..9).map(|k| yearly.boundary(k).unwrap().day()).collect();
    assert_eq!(days, [29, 28, 28, 28, 28, 28, 28, 28, 29], "2100 is a common year");
}

#[test]
fn a_daily_reset_that_clocks_skip_is_later_that_day_and_back_the_next() {
    let daily = every(datetime!(2024-03-30 01:30 UTC), Cycle::DAY, &zone("Europe/Paris"));
    assert_eq!(daily.boundary(1), Some(datetime!(2024-03-31 01:30 UTC)), "03:30 for 02:30");
    assert_eq!(daily.boundary(2), Some(datetime!(2024-04-01 00:30 UTC)), "02:30");
}

#[test]
fn an_anchor_in_a_repeated_hour_stays_where_it_is() {
    let second = datetime!(2024-10-27 01:30 UTC);
    let daily = every(second, Cycle::DAY, &zone("Europe/Paris"));
    assert_eq!((daily.boundary(0), daily.index_of(second)), (Some(second), Some(0)));
    assert_eq!(daily.index_of(second - Duration::HOUR), Some(-1));
}

#[test]
fn a_far_anchor_makes_first_periods_no_longer_than_a_cycle() {
    let ahead = every(datetime!(2024-06-01 0:00 UTC), Cycle::MONTH, &TimeZone::UTC);
    let start = datetime!(2024-01-05 0:00 UTC);
    let schedule = Schedule::new(ahead, Some(start), None).unwrap();
    assert_eq!(schedule.next_after(start), Some(datetime!(2024-02-01 0:00 UTC)));
    assert_eq!(schedule.next_after(start - Duration::DAY), Some(start));
    assert_eq!(schedule.elapsed(datetime!(2024-06-01 0:00 UTC)), Some(5));
}

#[test]
fn an_end_before_the_start_is_refused() {
    let monthly = || every(FROM, Cycle::MONTH, &TimeZone::UTC);
    assert!(Schedule::new(monthly(), Some(TO), Some(FROM)).is_err());
    assert!(Schedule::new(monthly(), Some(FROM), Some(FROM)).is_err());
    assert!(Period::new(TO, FROM).is_err());
    let backwards = r#"{"start":"2025-01-02T00:00:00Z","end":"2025-01-01T00:00:00Z"}"#;
    assert!(serde_json::from_str::<Period>(backwards).is_err());
    assert!(
        serde_json::from_str::<Period>(
            r#"{"start":"2023-02-29T00:00:00Z","end":"2025-01-01T00:00:00Z"}"#
        )
        .is_err()
    );
}

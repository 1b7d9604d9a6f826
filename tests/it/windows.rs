//! Several limits at once, over windows of every kind.

use crate::metered::{CREDITS, credits};
use crate::support::World;
use proptest::prelude::*;
use tenure::domain::cycle::Cycle;
use tenure::{
    Access, AccessPatch, CustomerId, Error, LimitWindow, NewGrant, Overage, Quantity, ResetPeriod,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

stories![
    the_tightest_of_several_windows_decides_and_all_are_consumed_together,
    a_window_that_the_first_use_opens_waits_for_it,
    a_fixed_window_counts_from_the_grant,
    a_limit_for_life_is_never_there_anew,
    a_sliding_window_forgets_what_is_older_than_it,
    late_usage_counts_in_its_ended_window_and_never_beyond_what_was_there,
    windows_that_cannot_be_are_refused,
];

fn hours(count: u32) -> Cycle {
    Cycle::hours(count).unwrap()
}

impl World {
    /// A customer with further windows below a million credits a month.
    fn windowed(&self, windows: impl IntoIterator<Item = LimitWindow>) -> CustomerId {
        let acme = self.meter(1_000_000);
        let patch = windows.into_iter().fold(AccessPatch::new(), AccessPatch::window);
        self.allow(acme, CREDITS, &patch);
        acme
    }

    fn fits(&self, who: CustomerId, quantity: i32) {
        let access = self.credits(who);
        assert_eq!(access.remaining, Some(quantity.into()));
        let error = self.track(&credits(who, quantity + 1)).unwrap_err();
        assert!(error.is_limit_exceeded(), "{error}");
    }
}

/// When there is room again, in hours from an instant.
fn hours_until_reset(access: &Access, from: OffsetDateTime) -> i64 {
    (access.reset_at.unwrap() - from).whole_hours()
}

fn the_tightest_of_several_windows_decides_and_all_are_consumed_together(world: &World) {
    let week = LimitWindow::anchored(Cycle::WEEK, 25);
    let acme = world.meter(40);
    let patch = AccessPatch::new().window(LimitWindow::first_use(hours(5), 10)).window(week);
    world.allow(acme, CREDITS, &patch);
    let begin = world.clock.now();
    let wait = |hours: i64| world.clock.set(begin + Duration::hours(hours));
    world.fits(acme, 10);
    world.uses(acme, CREDITS, 10);
    world.fits(acme, 0);
    assert_eq!(hours_until_reset(&world.credits(acme), begin), 5);
    wait(5);
    world.fits(acme, 10);
    world.uses(acme, CREDITS, 10);
    wait(10);
    // Of the week 5 are left.
    world.fits(acme, 5);
    world.uses(acme, CREDITS, 5);
    assert_eq!(hours_until_reset(&world.credits(acme), begin), 7 * 24);
    wait(7 * 24);
    world.fits(acme, 10);
    world.uses(acme, CREDITS, 10);
    wait(7 * 24 + 5);
    // And of the month 5.
    world.fits(acme, 5);
    world.uses(acme, CREDITS, 5);
    let month = datetime!(2026-02-28 12:00 UTC);
    assert_eq!(world.credits(acme).reset_at, Some(month));
    world.clock.set(month);
    world.fits(acme, 10);
    // What is refunded is there again in all of them.
    world.uses(acme, CREDITS, 10);
    let refund = tenure::Correction::new(acme, CREDITS, -4, "it failed");
    world.done(|tx| tx.adjust_usage(&refund));
    world.fits(acme, 4);
    world.assert_sound();
}

fn a_window_that_the_first_use_opens_waits_for_it(world: &World) {
    let acme = world.windowed([LimitWindow::first_use(hours(5), 10)]);
    world.clock.advance(Duration::hours(100));
    let opened = world.clock.now();
    world.uses(acme, CREDITS, 10);
    world.clock.set(opened + Duration::hours(5) - Duration::MICROSECOND);
    world.fits(acme, 0);
    world.clock.set(opened + Duration::hours(5));
    world.fits(acme, 10);
    // The next one does not follow from the one before.
    world.clock.advance(Duration::hours(4));
    world.uses(acme, CREDITS, 1);
    world.clock.advance(Duration::hours(4));
    world.fits(acme, 9);
    world.clock.advance(Duration::hours(1));
    world.fits(acme, 10);
}

fn a_fixed_window_counts_from_the_grant(world: &World) {
    let acme = world.meter(0);
    world.clock.advance(Duration::minutes(90));
    let window = LimitWindow::fixed(hours(24), 10);
    let grant = NewGrant::once(CREDITS, 0).unlimited().window(window);
    world.done(|tx| tx.grant(acme, &grant));
    let granted = world.clock.now();
    world.uses(acme, CREDITS, 10);
    world.clock.set(granted + Duration::DAY - Duration::MICROSECOND);
    world.fits(acme, 0);
    world.clock.set(granted + Duration::DAY);
    world.fits(acme, 10);
    world.clock.set(granted + Duration::days(3_650) + Duration::hours(23));
    world.uses(acme, CREDITS, 10);
    world.clock.advance(Duration::HOUR);
    world.fits(acme, 10);
}

fn a_limit_for_life_is_never_there_anew(world: &World) {
    let acme = world.windowed([LimitWindow::lifetime(15)]);
    world.uses(acme, CREDITS, 9);
    for _ in 0..12 {
        world.clock.advance(Duration::days(31));
        world.fits(acme, 6);
    }
    world.uses(acme, CREDITS, 6);
    world.clock.advance(Duration::days(3_650));
    world.fits(acme, 0);
    assert_eq!(world.credits(acme).reset_at, None);
}

fn a_sliding_window_forgets_what_is_older_than_it(world: &World) {
    let acme = world.windowed([LimitWindow::sliding(hours(24), 10)]);
    let begin = world.clock.now();
    world.uses(acme, CREDITS, 6);
    world.clock.advance(Duration::hours(6));
    world.uses(acme, CREDITS, 4);
    world.fits(acme, 0);
    let reset = world.credits(acme).reset_at.unwrap();
    let step = Duration::hours(24) / 60;
    assert!(begin + Duration::DAY <= reset && reset <= begin + Duration::DAY + step, "{reset}");
    world.clock.set(begin + Duration::DAY - Duration::MICROSECOND);
    world.fits(acme, 0);
    world.clock.set(reset);
    world.fits(acme, 6);
    world.clock.set(begin + Duration::hours(30) + step);
    world.fits(acme, 10);
}

/// No stretch of the window's length ever holds more than the limit, and what is refused would not
/// have fitted into one that is longer by a step.
fn slide(uses: &[(u32, i32)], length: u32, limit: i32) {
    let world = World::memory();
    let acme = world.windowed([LimitWindow::sliding(hours(length), limit)]);
    let (length, mut taken) = (Duration::hours(i64::from(length)), Vec::new());
    let within = |taken: &[(OffsetDateTime, i32)], from: OffsetDateTime| -> i32 {
        taken.iter().filter(|(at, _)| *at > from).map(|(_, quantity)| quantity).sum()
    };
    for (minutes, quantity) in uses {
        world.clock.advance(Duration::minutes(i64::from(*minutes)));
        let now = world.clock.now();
        if world.track(&credits(acme, *quantity)).is_ok() {
            taken.push((now, *quantity));
            assert!(within(&taken, now - length) <= limit, "overshot at {now}: {taken:?}");
        } else {
            let longer = now - length - length / 60 - Duration::SECOND;
            assert!(within(&taken, longer) + quantity > limit, "{quantity} at {now}: {taken:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_stretch_of_a_sliding_window_holds_more_than_its_limit(
        uses in prop::collection::vec((0..400_u32, 1..8_i32), 1..60), length in 1..30_u32, limit in 5..20_i32,
    ) {
        slide(&uses, length, limit);
    }
}

fn late_usage_counts_in_its_ended_window_and_never_beyond_what_was_there(world: &World) {
    let acme = world.meter(10);
    world.allow(
        acme,
        CREDITS,
        &AccessPatch::new().rollover(tenure::Rollover { max: 100.into(), min: 0.into() }),
    );
    world.done(|tx| tx.grant(acme, &NewGrant::once(CREDITS, 5)));
    let then = world.clock.now() + Duration::HOUR;
    world.clock.set(then);
    world.uses(acme, CREDITS, 4);
    world.clock.set(then + Duration::days(29));
    world.tenure.tick().unwrap();
    // 6 were carried on, and the top-up is there for the running window.
    world.fits(acme, 21);
    let late = |quantity: i32| world.track(&credits(acme, quantity).at(then));
    assert!(late(1).unwrap_err().is_limit_exceeded());
    world.uses(acme, CREDITS, 21);
    assert!(late(1).is_err());
    let used: Quantity = world.used(acme);
    assert_eq!(used, 21.into());
    world.assert_sound();
}

fn windows_that_cannot_be_are_refused(world: &World) {
    let acme = world.meter_with(10, Overage::Reject);
    for bad in [
        r#"{"windows":[{"kind":"calendar","length":"P0D","limit":1}]}"#,
        r#"{"windows":[{"kind":"calendar","length":"-P1D","limit":1}]}"#,
        r#"{"windows":[{"kind":"calendar","length":"P99999999999D","limit":1}]}"#,
        r#"{"windows":[{"kind":"calendar","length":"P1D","limit":1e99}]}"#,
        r#"{"windows":[{"kind":"calendar","length":"P1D","limit":"NaN"}]}"#,
        r#"{"windows":[{"kind":"calendar","length":"P1D","limit":1,"timeZone":"Nowhere/At_All"}]}"#,
        r#"{"windows":[{"kind":"whenever","length":"P1D","limit":1}]}"#,
        r#"{"windows":[{"kind":"anchored","length":"P1D","anchor":"yesterday","limit":1}]}"#,
        r#"{"windows":[{"kind":"anchored","length":"P1D","limit":1,"limit":2}]}"#,
        r#"{"windows":[{"kind":"lifetime","limit":1,"rollover":{"max":1}}]}"#,
        r#"{"windows":[{"kind":"fixed","length":"P1D","limit":1,"rollover":{"max":1,"min":-1}}]}"#,
        r#"{"windows":{"kind":"lifetime"}}"#,
    ] {
        assert!(serde_json::from_str::<AccessPatch>(bad).is_err(), "{bad}");
    }
    let many = (0..9).fold(AccessPatch::new(), |patch, n| patch.window(LimitWindow::lifetime(n)));
    let error = world.refused(|tx| tx.set_access(acme, CREDITS, &many));
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    let negative = AccessPatch::new().window(LimitWindow::lifetime(-1));
    let error = world.refused(|tx| tx.set_access(acme, CREDITS, &negative));
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    let given = tenure::TierFeature::new(CREDITS).unwrap().window(LimitWindow::lifetime(-1));
    let tier = tenure::TierDraft::new("odd").feature(given);
    let error = world.refused(|tx| tx.define_tier(&tier));
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    let odd = tenure::Rollover { max: (-1).into(), min: 0.into() };
    let grant = NewGrant::of(CREDITS, 1).resets(ResetPeriod::Daily).rollover(odd);
    let error = world.refused(|tx| tx.grant(acme, &grant));
    assert!(matches!(error, Error::Invalid(_)), "{error}");
}

/// Days of 23 and of 25 hours, counted on the clocks of the place.
#[cfg(feature = "timezones")]
#[test]
fn days_of_the_calendar_are_those_of_their_zone_when_the_clocks_change() {
    let world = World::memory();
    let berlin: tenure::TimeZone = "Europe/Berlin".parse().unwrap();
    world.clock.set(datetime!(2026-03-28 22:59 UTC));
    let acme = world.windowed([LimitWindow::calendar(Cycle::DAY, 10).in_zone(berlin)]);
    let midnights = [
        datetime!(2026-03-28 23:00 UTC),
        datetime!(2026-03-29 22:00 UTC),
        datetime!(2026-10-24 22:00 UTC),
        datetime!(2026-10-25 23:00 UTC),
    ];
    world.uses(acme, CREDITS, 10);
    for midnight in midnights {
        world.clock.set(midnight - Duration::MICROSECOND);
        assert_eq!(world.credits(acme).reset_at, Some(midnight));
        world.clock.set(midnight);
        world.fits(acme, 10);
        world.uses(acme, CREDITS, 10);
    }
}

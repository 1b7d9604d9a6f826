//! Batches of usage that took place some time ago.

use super::{counted, keyed, outcome, outcomes, used};
use crate::metered::{CREDITS, credits, q};
use crate::support::{BEGINNING, World};
use tenure::{AccessPatch, Overage, PeriodType, Quantity, Track};
use time::Duration;

stories! {
    late_usage_counts_where_it_belongs,
    what_is_too_late_or_ahead_is_refused_in_a_window_that_began_long_ago,
    usage_before_the_present_right_is_judged_by_the_one_of_its_time,
    usage_in_a_frozen_period_is_refused_and_a_retry_is_not,
    usage_ahead_of_a_reset_counts_after_it,
    an_order_of_times_does_not_matter,
}

/// Each at its own time, so long after the beginning.
fn at(tracks: Vec<Track>, time: impl Fn(usize) -> Duration) -> Vec<Track> {
    let tracks = tracks.into_iter().enumerate();
    tracks.map(|(n, track)| track.at(BEGINNING + time(n))).collect()
}

fn late_usage_counts_where_it_belongs(world: &World) {
    let acme = world.meter(20);
    world.uses(acme, CREDITS, 12);
    world.clock.set(BEGINNING + Duration::days(40));
    // Every other one took place in the window before, which has room for eight more.
    let batch = at(keyed(acme, "k", 40), |n| Duration::days(if n % 2 == 0 { 39 } else { 10 }));
    let answers = outcomes(world, &batch);
    let of =
        |odd: usize| answers.iter().skip(odd).step_by(2).filter(|it| **it == "counted").count();
    assert_eq!((of(0), of(1)), (20, 8));
    assert_eq!(used(world, acme), q("20"));
    let window = |from: i64, to: i64| {
        world.sum(acme, BEGINNING + Duration::days(from), BEGINNING + Duration::days(to))
    };
    assert_eq!((window(0, 20), window(20, 40)), (q("20"), q("20")));
    assert_eq!(
        outcomes(world, &batch),
        answers
            .iter()
            .map(|it| if *it == "counted" { "duplicate" } else { it })
            .collect::<Vec<_>>()
    );
}

fn what_is_too_late_or_ahead_is_refused_in_a_window_that_began_long_ago(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    let acme = world.someone("Acme");
    world.allow(acme, CREDITS, &AccessPatch::new().limit(q("1000")));
    world.clock.set(BEGINNING + Duration::days(100));
    let hours = |n: usize| Duration::hours(i64::try_from(n).unwrap());
    // From 70 days ago until half a day ahead.
    let batch = at(keyed(acme, "k", 141), |n| Duration::days(30) + hours(12 * n));
    let answers = world.tenure.track_batch(&batch).unwrap();
    let codes: Vec<_> = answers.iter().map(outcome).collect();
    assert_eq!(codes[..70], ["BAD_REQUEST"; 70], "more than 35 days ago");
    assert_eq!(codes[70..], ["counted"; 71]);
    let ahead = at(keyed(acme, "ahead", 12), |_| Duration::days(100) + Duration::seconds(301));
    assert_eq!(outcomes(world, &ahead), ["BAD_REQUEST"; 12]);
    let ahead = at(keyed(acme, "ahead", 12), |_| Duration::days(100) + Duration::seconds(300));
    assert_eq!(outcomes(world, &ahead), ["counted"; 12]);
    assert_eq!(used(world, acme), q("83"));
}

fn usage_before_the_present_right_is_judged_by_the_one_of_its_time(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    let acme = world.someone("Acme");
    let from = BEGINNING + Duration::hours(5);
    let right = AccessPatch::new().limit(q("100")).valid_from(Some(from));
    world.allow(acme, CREDITS, &right);
    world.clock.set(BEGINNING + Duration::hours(10));
    // One before the right began, one after, and so on.
    let hours = |n: usize| Duration::hours(if n.is_multiple_of(2) { 4 } else { 6 });
    let batch = at(keyed(acme, "k", 40), hours);
    let codes = outcomes(world, &batch);
    for (n, code) in codes.iter().enumerate() {
        assert_eq!(*code, if n % 2 == 0 { "FORBIDDEN" } else { "counted" }, "event {n}");
    }
    assert_eq!(used(world, acme), q("20"));
}

fn usage_in_a_frozen_period_is_refused_and_a_retry_is_not(world: &World) {
    world.feature(CREDITS, Overage::Reject);
    let acme = world.someone("Acme");
    world.allow(acme, CREDITS, &AccessPatch::new());
    let early = at(keyed(acme, "early", 20), |_| Duration::HOUR);
    world.clock.set(BEGINNING + Duration::days(3));
    counted(world, &early);
    world.done(|tx| {
        let day = tx.aggregate_usage(acme, PeriodType::Day, BEGINNING)?;
        assert_eq!(day.usage_by_resource[CREDITS], Quantity::from(20));
        tx.finalize_usage(day.id)
    });
    let mut batch = at(keyed(acme, "late", 20), |_| Duration::hours(2));
    batch.extend(early);
    batch.extend(at(keyed(acme, "next", 20), |_| Duration::DAY));
    let codes = outcomes(world, &batch);
    assert_eq!(codes[..20], ["UNPROCESSABLE"; 20]);
    assert_eq!(codes[20..40], ["duplicate"; 20]);
    assert_eq!(codes[40..], ["counted"; 20]);
    assert_eq!(used(world, acme), q("40"));
}

fn usage_ahead_of_a_reset_counts_after_it(world: &World) {
    let acme = world.meter(30);
    let reset = world.check(acme, CREDITS).reset_at.unwrap();
    world.clock.set(reset - Duration::MINUTE);
    let batch: Vec<Track> = keyed(acme, "k", 40)
        .into_iter()
        .zip(0..)
        .map(|(track, n)| track.at(reset + Duration::seconds(n % 2 * 60 - 30)))
        .collect();
    counted(world, &batch);
    assert_eq!(used(world, acme), q("20"));
    world.clock.set(reset);
    assert_eq!(used(world, acme), q("20"), "what was ahead of the clock");
    assert_eq!(outcomes(world, &batch), ["duplicate"; 40]);
    world.track(&credits(acme, 10)).unwrap();
    assert!(world.track(&credits(acme, 1)).is_err());
    assert_eq!(used(world, acme), q("30"));
}

fn an_order_of_times_does_not_matter(world: &World) {
    let acme = world.meter(1_000);
    world.clock.advance(Duration::days(2));
    let minutes = |n: usize| Duration::minutes(i64::try_from(n * 37 % 2_880).unwrap());
    counted(world, &at(keyed(acme, "k", 400), minutes));
    let history = world.history(acme);
    assert!(history.is_sorted_by_key(|event| std::cmp::Reverse(event.event_time)));
    assert_eq!((history.len(), used(world, acme)), (400, q("400")));
    let first = history.iter().map(|event| event.previous_value).min().unwrap();
    assert_eq!(first, Quantity::ZERO);
}

//! What a batch answers: one answer for each event, in order, and to a retry the first one.

use super::{counted, keyed, many, outcome, outcomes, used};
use crate::metered::{CREDITS, credits, document, q, reused};
use crate::support::World;
use serde_json::json;
use tenure::{Correction, Error, NewLink, Overage, Quantity, Track, UsageResult, UsageSource};

stories! {
    answers_come_in_the_order_of_the_events,
    a_retry_of_a_batch_gets_its_first_answers,
    a_retry_of_a_part_among_new_events_is_told_apart,
    a_key_of_a_batch_is_known_to_single_tracks,
    a_key_of_a_single_track_is_known_to_batches,
    a_key_that_stands_for_something_else_names_what_differs,
    a_correction_that_holds_a_key_is_found_by_a_batch,
    without_keys_every_batch_counts,
    what_is_not_understood_spoils_nothing_else,
    a_batch_of_none_or_too_many_is_refused,
    ten_thousand_at_once,
}

/// The answer that a retry gets.
fn again(first: &[UsageResult]) -> Vec<UsageResult> {
    let again = first.iter().cloned();
    again
        .map(|mut answer| {
            answer.duplicate = true;
            answer
        })
        .collect()
}

fn answers_come_in_the_order_of_the_events(world: &World) {
    let acme = world.meter(1_000);
    world.link(acme, "org_1");
    world.feature("tokens", Overage::Reject);
    world.allow(acme, "tokens", &tenure::AccessPatch::new());
    let batch: Vec<Track> = (1..=30_i32)
        .map(|n| match n % 3 {
            0 => Track::new(acme, "tokens").quantity(n),
            1 => credits(acme, n),
            _ => Track::new(tenure::CustomerRef::ExternalOrg("org_1".into()), CREDITS).quantity(n),
        })
        .collect();
    let answers = counted(world, &batch);
    let mut totals = [Quantity::ZERO; 2];
    for (track, answer) in batch.iter().zip(&answers) {
        let total = &mut totals[usize::from(track.feature == "tokens")];
        assert_eq!(answer.feature_code.as_str(), track.feature);
        assert_eq!((answer.previous_usage, answer.delta), (*total, track.quantity));
        *total = answer.current_usage;
    }
    assert_eq!(totals, [q("300"), q("165")]);
    assert_eq!(used(world, acme), q("300"));
    assert_eq!(world.check(acme, "tokens").current_usage, q("165"));
}

fn a_retry_of_a_batch_gets_its_first_answers(world: &World) {
    let acme = world.meter_with(100, Overage::Clamp);
    let mut batch = keyed(acme, "k", 40);
    batch[7].metadata = Some(document(json!({ "job": 7 })));
    batch[39] = credits(acme, 70).key("clamped");
    let first = counted(world, &batch);
    assert_eq!((first[39].delta, first[39].requested), (q("61"), q("70")));
    let before = world.state(acme);
    for _ in 0..2 {
        assert_eq!(counted(world, &batch), again(&first));
    }
    assert_eq!(world.state(acme), before, "a retry leaves nothing");
    assert_eq!(used(world, acme), q("100"));
}

fn a_retry_of_a_part_among_new_events_is_told_apart(world: &World) {
    let acme = world.meter(1_000);
    let first = counted(world, &keyed(acme, "a", 50));
    let mut batch = Vec::new();
    for (old, new) in keyed(acme, "a", 50).into_iter().zip(keyed(acme, "b", 50)) {
        batch.extend([new, old]);
    }
    let answers = counted(world, &batch);
    for (n, pair) in answers.chunks(2).enumerate() {
        assert_eq!(pair[1], again(&first[n..=n])[0]);
        assert_eq!((pair[0].duplicate, pair[0].previous_usage), (false, many(50 + n)));
    }
    assert_eq!(used(world, acme), q("100"));
    assert_eq!(world.history(acme).len(), 100);
}

fn a_key_of_a_batch_is_known_to_single_tracks(world: &World) {
    let acme = world.meter(50);
    let batch = keyed(acme, "k", 50);
    let first = counted(world, &batch);
    for (track, first) in batch.iter().zip(&first).step_by(7) {
        let single = world.track(track).unwrap();
        assert_eq!(single, again(std::slice::from_ref(first))[0]);
    }
    assert_eq!(reused(world.track(&credits(acme, 2).key("k-3"))), "quantity");
    assert!(world.track(&credits(acme, 1).key("k-50")).unwrap_err().is_limit_exceeded());
    assert_eq!(used(world, acme), q("50"));
}

fn a_key_of_a_single_track_is_known_to_batches(world: &World) {
    let acme = world.meter(1_000);
    let batch = keyed(acme, "k", 30);
    let single = world.track(&batch[17]).unwrap();
    let answers = counted(world, &batch);
    assert_eq!(answers[17], again(&[single])[0]);
    assert_eq!(answers.iter().filter(|it| it.duplicate).count(), 1);
    // And to one in which nothing stands by itself.
    assert!(counted(world, &batch).iter().all(|it| it.duplicate));
    assert_eq!(used(world, acme), q("30"));
}

fn a_key_that_stands_for_something_else_names_what_differs(world: &World) {
    let acme = world.meter(1_000);
    let now = world.clock.now();
    let batch = keyed(acme, "k", 30);
    let first = counted(world, &batch);
    let mut other = batch.clone();
    other[3].quantity = q("2");
    other[4].event_time = Some(now);
    other[5].metadata = Some(document(json!({})));
    let answers = world.tenure.track_batch(&other).unwrap();
    for (n, field) in [(3, "quantity"), (4, "event time"), (5, "metadata")] {
        let Err(Error::KeyReused { key, field: named, event_id }) = &answers[n] else {
            panic!("{:?}", answers[n])
        };
        assert_eq!((key.as_str(), *named), (&*format!("k-{n}"), field));
        assert_eq!(*event_id, first[n].event_id.uuid());
    }
    assert_eq!(answers.iter().filter(|it| outcome(it) == "duplicate").count(), 27);
    assert_eq!(used(world, acme), q("30"));
}

fn a_correction_that_holds_a_key_is_found_by_a_batch(world: &World) {
    let acme = world.meter(1_000);
    let set = Correction::new(acme, CREDITS, 5, "counted by hand").key("k-2");
    world.done(|tx| tx.set_usage(&set));
    let answers = world.tenure.track_batch(&keyed(acme, "k", 20)).unwrap();
    let conflict = answers.into_iter().nth(2).unwrap();
    assert_eq!(reused(conflict), "event type");
    assert_eq!(used(world, acme), q("24"));
}

fn without_keys_every_batch_counts(world: &World) {
    let acme = world.meter(1_000);
    let batch = vec![credits(acme, 1); 80];
    for round in 1..=3 {
        assert!(counted(world, &batch).iter().all(|it| !it.duplicate));
        assert_eq!(used(world, acme), many(80 * round));
    }
    let sources = world.history(acme).into_iter().map(|it| it.source);
    assert_eq!(sources.filter(|it| *it == UsageSource::Batch).count(), 240);
}

fn what_is_not_understood_spoils_nothing_else(world: &World) {
    let acme = world.meter(1_000);
    let (barred, gone) = (world.someone("Globex"), world.someone("Initech"));
    world.done(|tx| tx.link(acme, &NewLink::to("org_1")));
    world.done(|tx| tx.delete_customer(gone));
    let nobody = tenure::CustomerRef::ExternalOrg("org_2".into());
    let mut batch = keyed(acme, "k", 20);
    let bad = [
        (credits(acme, 0), "BAD_REQUEST"),
        (credits(acme, -1), "BAD_REQUEST"),
        (credits(acme, 1).key(""), "BAD_REQUEST"),
        (credits(acme, 1).key("a\0b"), "BAD_REQUEST"),
        (credits(acme, 1).at(world.clock.now() + time::Duration::HOUR), "BAD_REQUEST"),
        (Track::new(nobody, CREDITS), "NOT_FOUND"),
        (Track::new(gone, CREDITS), "NOT_FOUND"),
        (Track::new(acme, "nothing"), "NOT_FOUND"),
        (Track::new(acme, "not a code"), "NOT_FOUND"),
        (credits(barred, 1), "FORBIDDEN"),
        (credits(acme, 991), "PRECONDITION_FAILED"),
    ];
    for (n, (track, _)) in bad.iter().enumerate() {
        batch.insert(2 * n, track.clone());
    }
    let answers = world.tenure.track_batch(&batch).unwrap();
    for (n, answer) in answers.iter().enumerate() {
        let expected = bad.get(n / 2).filter(|_| n % 2 == 0).map_or("counted", |(_, code)| code);
        assert_eq!(outcome(answer), expected, "event {n}: {answer:?}");
        if expected != "counted" {
            let single = world.track(&batch[n]);
            if n != 20 {
                assert_eq!(format!("{answer:?}"), format!("{single:?}"), "event {n}");
            }
        }
    }
    assert_eq!(used(world, acme), q("20"));
}

fn a_batch_of_none_or_too_many_is_refused(world: &World) {
    let acme = world.meter(100_000);
    for count in [0, 10_001] {
        let batch = keyed(acme, "k", count);
        let error = world.refused(|tx| tx.track_batch(&batch));
        assert_eq!(crate::support::fields(&error), ["tracks"]);
        assert_eq!(
            crate::support::fields(&world.refused(|tx| tx.track_batch_whole(&batch))),
            ["tracks"]
        );
    }
    assert_eq!(outcomes(world, &keyed(acme, "one", 1)), ["counted"]);
    assert_eq!(outcomes(world, &keyed(acme, "one", 1)), ["duplicate"]);
    assert_eq!(used(world, acme), q("1"));
}

fn ten_thousand_at_once(world: &World) {
    let acme = world.meter(9_990);
    let batch = keyed(acme, "k", 10_000);
    let answers = world.tenure.track_batch(&batch).unwrap();
    let refused = answers.iter().skip_while(|it| it.is_ok()).collect::<Vec<_>>();
    assert_eq!(refused.len(), 10);
    assert!(refused.iter().all(|it| it.as_ref().is_err_and(Error::is_limit_exceeded)));
    assert_eq!(used(world, acme), q("9990"));
    world.limit(acme, 10_000);
    let answers = counted(world, &batch);
    assert_eq!(answers.iter().filter(|it| !it.duplicate).count(), 10, "refused keys are free");
    assert_eq!(used(world, acme), q("10000"));
}

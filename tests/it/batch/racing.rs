//! Batches at the same time: exactly the limit, and each key once.

use super::{keyed, outcome, used};
use crate::metered::{credits, q};
use crate::support::{World, race};
use tenure::Track;

stories! {
    many_threads_use_up_a_limit_and_do_not_pass_it,
    the_same_keys_from_many_threads_count_once,
    single_tracks_and_batches_share_their_keys,
}

fn many_threads_use_up_a_limit_and_do_not_pass_it(world: &World) {
    let acme = world.meter(1_000);
    let taken = race(8, |thread| {
        let batches = (0..5).map(|n| {
            let batch = keyed(acme, &format!("{thread}-{n}"), 40);
            let answers = world.tenure.track_batch(&batch).unwrap();
            let refused = answers.iter().filter_map(|it| it.as_ref().err());
            assert!(refused.into_iter().all(|it| it.is_limit_exceeded()));
            answers.iter().filter(|it| it.is_ok()).count()
        });
        batches.sum::<usize>()
    });
    assert_eq!(taken.iter().sum::<usize>(), 1_000);
    assert_eq!(used(world, acme), q("1000"));
    assert_eq!(world.history(acme).len(), 1_000);
    assert_eq!(world.times_told("entitlement.exhausted"), 1);
}

fn the_same_keys_from_many_threads_count_once(world: &World) {
    let acme = world.meter(10_000);
    let counted = race(8, |thread| {
        let mut batch = keyed(acme, "k", 300);
        batch.rotate_left(37 * thread);
        let answers = world.tenure.track_batch(&batch).unwrap();
        answers.iter().filter(|it| outcome(it) == "counted").count()
    });
    assert_eq!(counted.iter().sum::<usize>(), 300);
    assert_eq!(used(world, acme), q("300"));
}

fn single_tracks_and_batches_share_their_keys(world: &World) {
    let acme = world.meter(10_000);
    let batch: Vec<Track> =
        (0..200_u32).map(|n| credits(acme, 1 + n % 3).key(format!("k-{n}"))).collect();
    let counted = race(6, |thread| {
        if thread % 2 == 0 {
            let answers = batch.chunks(50).map(|part| world.tenure.track_batch(part).unwrap());
            answers.flatten().filter(|it| outcome(it) == "counted").count()
        } else {
            let mine = batch.iter().skip(thread).step_by(7);
            mine.filter(|track| !world.track(track).unwrap().duplicate).count()
        }
    });
    assert_eq!(counted.iter().sum::<usize>(), 200);
    assert_eq!(used(world, acme), q("399"));
}

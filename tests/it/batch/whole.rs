//! All or none.

use super::{counted, keyed, used};
use crate::metered::{credits, q};
use crate::support::{World, dump};
use tenure::{Error, ErrorCode, Track};

stories! {
    all_are_counted_or_none_and_the_first_refusal_is_told,
    what_was_counted_before_is_no_refusal,
    two_contents_of_one_key_refuse_the_whole,
    a_whole_batch_that_is_refused_cannot_be_kept_by_swallowing_it,
}

fn all_are_counted_or_none_and_the_first_refusal_is_told(world: &World) {
    let acme = world.meter(50);
    let mut batch = keyed(acme, "k", 60);
    batch.insert(20, Track::new(acme, "nothing"));
    let error = world.refused(|tx| tx.track_batch_whole(&batch));
    let Error::Batch { index, source } = &error else { panic!("{error}") };
    assert_eq!(
        (*index, source.code(), error.code()),
        (20, ErrorCode::NotFound, ErrorCode::NotFound)
    );
    assert!(error.to_string().starts_with("event 20 of the batch: "), "{error}");
    drop(batch.remove(20));
    let error = world.refused(|tx| tx.track_batch_whole(&batch));
    assert!(matches!(error, Error::Batch { index: 50, .. }) && error.is_limit_exceeded());
    let answers = world.tenure.track_batch_whole(&batch[..50]).unwrap();
    assert!(answers.iter().all(|it| !it.duplicate), "no key was used up");
    assert_eq!(used(world, acme), q("50"));
}

fn what_was_counted_before_is_no_refusal(world: &World) {
    let acme = world.meter(100);
    counted(world, &keyed(acme, "k", 70));
    let mut batch = keyed(acme, "k", 100);
    batch.extend(keyed(acme, "k", 100));
    let answers = world.tenure.track_batch_whole(&batch).unwrap();
    assert_eq!(answers.iter().filter(|it| it.duplicate).count(), 170);
    assert!(world.tenure.track_batch_whole(&batch).unwrap().iter().all(|it| it.duplicate));
    assert_eq!(used(world, acme), q("100"));
}

fn two_contents_of_one_key_refuse_the_whole(world: &World) {
    let acme = world.meter(100);
    let mut batch = keyed(acme, "k", 30);
    batch.push(credits(acme, 2).key("k-4"));
    let error = world.refused(|tx| tx.track_batch_whole(&batch));
    assert!(matches!(error, Error::Batch { index: 30, .. }), "{error}");
    assert_eq!(error.code(), ErrorCode::Conflict);
    assert_eq!(used(world, acme), q("0"));
}

fn a_whole_batch_that_is_refused_cannot_be_kept_by_swallowing_it(world: &World) {
    let acme = world.meter(10);
    let batch = keyed(acme, "k", 20);
    let before = dump(&world.tenure);
    let outcome = world.tried(|tx| {
        assert!(tx.track_batch_whole(&batch).is_err());
        Ok::<_, Error>(())
    });
    assert!(outcome.is_err());
    assert_eq!(dump(&world.tenure), before);
}

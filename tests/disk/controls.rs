//! Tests of the tests: what is known to lose acknowledged changes is seen to lose them.

use crate::cuts::History;
use crate::world::Place;

/// In how many of some histories something is lost.
fn losses(
    place: &Place,
    options: impl Fn() -> tenure::store::sqlite::SqliteOptions,
    lies: bool,
) -> usize {
    let image = place.furnish();
    let loses = |seed: &u64| {
        let mut history = History::begin(place, &image, *seed, options());
        if lies {
            place.disk.lie();
        }
        (0..5).any(|_| history.go_on().is_err_and(|why| why.contains("lost")))
    };
    (0..40).filter(loses).count()
}

#[test]
fn a_commit_that_does_not_wait_for_the_disk_loses_what_was_acknowledged() {
    let place = Place::new();
    let lost = losses(&place, || place.careless(), false);
    assert!(lost > 10, "lost in {lost} of 40");
}

#[test]
fn a_disk_that_lies_loses_what_was_acknowledged() {
    let place = Place::new();
    let lost = losses(&place, || place.options(), true);
    assert!(lost > 10, "lost in {lost} of 40");
}

//! The group commit under thousands of orders of events: its own source, over primitives at which a
//! model checker (shuttle) decides who goes on.
//!
//! In the model no wait times out, so a wait that only the patience of the waiters would end is found
//! as a deadlock. Whether a batch is old enough is drawn whenever somebody asks. That the model finds
//! what it should is shown with primitives that are broken on purpose.

#![expect(unreachable_pub, reason = "the modules of a test binary are no API")]
#![expect(clippy::duplicate_mod, reason = "the same source over other primitives is the point")]
#![expect(
    clippy::unnecessary_wraps,
    clippy::trivially_copy_pass_by_ref,
    reason = "the primitives have the signatures of the real ones"
)]
#![allow(clippy::arithmetic_side_effects, reason = "small numbers in tests")]

mod primitives;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the source of the group commit knows of the crate around it.
mod store {
    pub use tenure::store::{Cause, Outcome, Result, StoreError};
}

mod errors {
    use crate::store::{Cause, Outcome, StoreError};

    pub fn gave_up(_: Option<&StoreError>) -> StoreError {
        StoreError::Unavailable { cause: Cause::Io, outcome: Outcome::NotDone, source: None }
    }
}

/// The source and its story, over one set of primitives each.
macro_rules! over {
    ($($name:ident),+) => {$(
        #[path = "."]
        mod $name {
            use crate::errors;
            use crate::primitives::$name as sync;
            #[path = "../../src/store/sqlite/commit.rs"]
            mod commit;
            pub mod story;
        }
    )+};
}
over!(sound, one_is_woken, the_count_forgets, sleep_comes_late);

const SCHEDULES: usize = 1_000;

fn explore(scheduler: impl Scheduler + 'static, story: fn()) {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(story);
}

/// Tells `story` in many orders: drawn at random, and with few changes of priority, which finds what
/// needs few.
fn explore_all(story: fn()) {
    explore(RandomScheduler::new_from_seed(7, SCHEDULES), story);
    for depth in 2..=4 {
        explore(PctScheduler::new_from_seed(7, depth, SCHEDULES), story);
    }
}

/// Whether some order of events leaves somebody waiting for ever.
fn is_found(story: fn()) -> bool {
    let told = catch_unwind(AssertUnwindSafe(|| explore_all(story)));
    let Err(panic) = told else { return false };
    let text = panic.downcast_ref::<String>().map_or("", String::as_str);
    assert!(text.contains("deadlock"), "it went wrong in another way: {text}");
    true
}

#[test]
fn everybody_returns_and_only_after_the_commit_that_keeps_its_work() {
    explore_all(sound::story::with_failures);
    explore_all(sound::story::in_small_batches);
}

#[test]
fn one_to_blame_takes_nobody_along() {
    explore_all(sound::story::with_one_to_blame);
}

#[test]
fn a_commit_that_fails_is_told_to_those_whose_work_it_held() {
    explore_all(sound::story::with_a_commit_that_fails);
}

#[test]
fn a_wake_up_for_one_of_several_is_found() {
    assert!(is_found(one_is_woken::story::with_failures));
}

#[test]
fn a_count_that_is_not_exact_is_found() {
    assert!(is_found(the_count_forgets::story::with_failures));
}

#[test]
fn a_verdict_that_comes_between_the_look_and_the_sleep_is_found() {
    assert!(is_found(sleep_comes_late::story::with_failures));
}

//! The conformance kit is itself tested: a store that breaks one promise fails the rule that asks
//! for it, and each rule has such a store.

#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    reason = "small numbers and rows of the kit's own tables"
)]

mod compare;
mod draft;
mod list;
mod store;

use list::{FAULTS, Fault};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Once};
use store::Faulty;
use tenure::store::conformance::{DURABLE_RULES, RULES};
use tenure::store::memory::MemoryStore;

thread_local! {
    static FAILURE_IS_EXPECTED: Cell<bool> = const { Cell::new(false) };
}
/// How many threads expect a failure. The kit's own threads have no name, and what happens in them
/// is told of in the thread that started them.
static EXPECTING: AtomicUsize = AtomicUsize::new(0);

/// Whether `check` panics. It does so without a word.
fn fails(check: impl FnOnce()) -> bool {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |panic| {
            let unnamed = std::thread::current().name().is_none();
            let expected = FAILURE_IS_EXPECTED.get() || unnamed && EXPECTING.load(SeqCst) > 0;
            if !expected {
                loud(panic);
            }
        }));
    });
    EXPECTING.fetch_add(1, SeqCst);
    FAILURE_IS_EXPECTED.set(true);
    let failed = catch_unwind(AssertUnwindSafe(check)).is_err();
    FAILURE_IS_EXPECTED.set(false);
    EXPECTING.fetch_sub(1, SeqCst);
    failed
}

#[test]
fn each_fault_fails_the_rule_that_asks_for_it() {
    let missed: Vec<_> = FAULTS
        .iter()
        .filter(|(fault, name)| {
            let rule = RULES.iter().find(|rule| rule.name == *name).expect("a rule of the kit");
            !fails(|| (rule.check)(&Faulty::new(*fault)))
        })
        .collect();
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}

#[test]
fn each_rule_catches_a_fault() {
    let idle = RULES.iter().filter(|rule| !FAULTS.iter().any(|(_, name)| *name == rule.name));
    let idle: Vec<_> = idle.map(|rule| rule.name).collect();
    assert!(idle.is_empty(), "no store fails {idle:#?}");
}

#[test]
fn the_memory_store_passes_every_rule() {
    for rule in RULES {
        (rule.check)(&MemoryStore::new());
    }
}

#[test]
fn a_store_that_forgets_fails_every_durable_rule() {
    for rule in DURABLE_RULES {
        assert!(fails(|| (rule.check)(&|| Box::new(MemoryStore::new()))), "{}", rule.name);
    }
}

#[test]
fn faults_that_outlive_reopening_fail_the_rule_that_asks_for_it() {
    for (fault, name) in [
        (Fault::AddSets, "what_was_written_is_there"),
        (Fault::Autocommits, "what_was_given_up_is_not_there"),
        (Fault::InstallWipes, "installing_after_reopening_keeps_rows"),
        (Fault::QueryLeaks, "orgs_stay_apart_after_reopening"),
    ] {
        let rule = DURABLE_RULES.iter().find(|rule| rule.name == name).expect("a rule of the kit");
        let disk = Arc::new(Faulty::new(fault));
        assert!(fails(|| (rule.check)(&|| Box::new(Arc::clone(&disk)))), "{fault:?}");
    }
}

/// Without a fault the store is correct: what fails above is due to the fault.
mod without_a_fault {
    use super::{Fault, Faulty};

    tenure::conformance!(Faulty::new(Fault::None));
}

/// The kit does not mind a store that calls a body again.
mod without_a_fault_and_overlapping {
    use super::{Fault, Faulty};

    tenure::conformance!(Faulty::new(Fault::Overlaps));
}

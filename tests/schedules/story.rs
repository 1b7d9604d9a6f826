//! What several callers do with one committer, and what each must find when it returns.
#![allow(dead_code, reason = "not every story is told over every set of primitives")]

use super::commit::{Committer, Engine, Lost};
use crate::store::{Cause, Outcome, Result, StoreError};
use shuttle::thread;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

const CALLERS: u32 = 5;

/// What the world outside sees of an engine.
#[derive(Debug, Default)]
struct Disk {
    kept: Vec<u32>,
    /// How many commits more fail.
    failures: usize,
    /// The number whose work no commit can hold.
    blamed: Option<u32>,
}

/// An engine whose rows are numbers, and which lets others go on whenever a real one would be busy.
#[derive(Debug)]
struct Numbers {
    disk: Arc<Mutex<Disk>>,
    open: bool,
    pending: Mutex<Vec<u32>>,
    saved: usize,
}

fn at<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Numbers {
    fn push(&self, number: u32) {
        assert!(self.open, "outside a transaction");
        at(&self.pending).push(number);
        thread::yield_now();
    }
}

impl Engine for Numbers {
    fn begin(&mut self, _: Duration) -> Result<()> {
        assert!(!self.open, "two transactions");
        self.open = true;
        Ok(())
    }

    fn save(&mut self) -> Result<()> {
        self.saved = at(&self.pending).len();
        Ok(())
    }

    fn release(&mut self) -> Result<()> {
        Ok(())
    }

    fn undo(&mut self) -> Result<()> {
        at(&self.pending).truncate(self.saved);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Lost> {
        assert!(self.open, "a commit of nothing");
        thread::yield_now();
        self.open = false;
        let work = std::mem::take(&mut *at(&self.pending));
        let mut disk = at(&self.disk);
        let one_to_blame = disk.blamed.is_some_and(|number| work.contains(&number));
        let fails = disk.failures > 0;
        if one_to_blame || fails {
            disk.failures = disk.failures.saturating_sub(usize::from(fails));
            let (cause, outcome) = (Cause::Io, Outcome::Unknown);
            let error = StoreError::Unavailable { cause, outcome, source: None };
            return Err(Lost { error, one_to_blame: one_to_blame && !fails });
        }
        disk.kept.extend(work);
        Ok(())
    }

    fn roll_back(&mut self) {
        self.open = false;
        at(&self.pending).clear();
    }

    fn is_open(&self) -> bool {
        self.open
    }
}

/// How a caller's turn is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Well,
    Badly,
    /// Well, unless a commit failed.
    Either,
}

/// Lets every caller take two turns; `end` says how each must end, by its number.
fn tell(cap: usize, failures: usize, blamed: Option<u32>, end: fn(u32) -> End) {
    let disk = Arc::new(Mutex::new(Disk { kept: Vec::new(), failures, blamed }));
    let (pending, engine_disk) = (Mutex::default(), Arc::clone(&disk));
    let engine = Numbers { disk: engine_disk, open: false, pending, saved: 0 };
    let committer = Arc::new(Committer::new(engine, cap, Duration::MAX));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (committer, disk) = (Arc::clone(&committer), Arc::clone(&disk));
            thread::spawn(move || {
                for number in [caller * 10, caller * 10 + 1] {
                    let wanted = end(number);
                    let work = |numbers: &Numbers| {
                        numbers.push(number);
                        let fails = wanted == End::Badly && blamed != Some(number);
                        if fails { Err(StoreError::Aborted) } else { Ok(()) }
                    };
                    // One of them always wants to be alone, one is in the way between.
                    let result = match number {
                        11 => committer.alone(work),
                        _ => committer.together(work),
                    };
                    if number == 30 {
                        committer.with(|numbers| assert!(!numbers.open));
                    }
                    let kept = at(&disk).kept.contains(&number);
                    assert_eq!(result.is_ok(), kept, "{number} was told something else");
                    assert!(wanted == End::Either || kept == (wanted == End::Well), "{number}");
                }
            })
        })
        .collect();
    for caller in callers {
        assert!(caller.join().is_ok());
    }
    let mut kept = at(&disk).kept.clone();
    kept.sort_unstable();
    kept.dedup();
    assert_eq!(kept.len(), at(&disk).kept.len(), "kept twice");
}

/// The bodies of one caller fail.
pub fn with_failures() {
    tell(256, 0, None, |number| if number / 10 == 4 { End::Badly } else { End::Well });
}

/// At most two share a commit.
pub fn in_small_batches() {
    tell(2, 0, None, |number| if number == 0 { End::Badly } else { End::Well });
}

/// A commit with the work of one in it is refused on its account.
pub fn with_one_to_blame() {
    tell(256, 0, Some(20), |number| if number == 20 { End::Badly } else { End::Well });
}

/// Some commit fails.
pub fn with_a_commit_that_fails() {
    tell(256, 1, None, |_| End::Either);
}

//! The coordination of group commit, over an engine that only counts.

use super::commit::{Committer, Engine, Lost, lock};
use crate::store::{Cause, Outcome, Result, StoreError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

/// An engine whose "rows" are numbers: what a body pushes while a transaction is open.
#[derive(Debug, Default)]
struct Fake {
    open: AtomicBool,
    pending: Mutex<Vec<u32>>,
    saved: usize,
    kept: Vec<u32>,
    commits: usize,
    fail_commits: bool,
    /// A commit with this number in it is refused on its account.
    refuse: Option<u32>,
}

impl Fake {
    fn push(&self, number: u32) -> Result<()> {
        if !self.is_open() {
            return Err(StoreError::Nested);
        }
        lock(&self.pending).push(number);
        Ok(())
    }

    fn give_up(&self) {
        self.open.store(false, Ordering::SeqCst);
        lock(&self.pending).clear();
    }
}

fn io() -> StoreError {
    StoreError::Unavailable { cause: Cause::Io, outcome: Outcome::Unknown, source: None }
}

impl Engine for Fake {
    fn begin(&mut self, _patience: Duration) -> Result<()> {
        assert!(!self.open.swap(true, Ordering::SeqCst), "two transactions");
        Ok(())
    }

    fn save(&mut self) -> Result<()> {
        self.saved = lock(&self.pending).len();
        Ok(())
    }

    fn release(&mut self) -> Result<()> {
        Ok(())
    }

    fn undo(&mut self) -> Result<()> {
        lock(&self.pending).truncate(self.saved);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Lost> {
        assert!(self.is_open(), "commit of nothing");
        let work = std::mem::take(&mut *lock(&self.pending));
        self.give_up();
        let refused = self.refuse.is_some_and(|number| work.contains(&number));
        if refused || self.fail_commits {
            return Err(Lost { error: io(), one_to_blame: refused });
        }
        self.kept.extend(work);
        self.commits += 1;
        Ok(())
    }

    fn roll_back(&mut self) {
        self.give_up();
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }
}

fn committer(cap: usize) -> Committer<Fake> {
    Committer::new(Fake::default(), cap, Duration::from_secs(1))
}

type Body<'b> = &'b (dyn Fn(&Fake) -> Result<()> + Sync);

/// Runs `bodies` so that all of them but the first wait while the first runs.
fn crowd(committer: &Committer<Fake>, bodies: &[Body<'_>]) -> Vec<thread::Result<Result<()>>> {
    let others = bodies.len() - 1;
    thread::scope(|scope| {
        let started = Arc::new(Barrier::new(2));
        let mut threads = Vec::new();
        for (place, body) in bodies.iter().enumerate() {
            let started_here = Arc::clone(&started);
            threads.push(scope.spawn(move || {
                let mut first_time = place == 0;
                committer.together(|fake| {
                    if std::mem::take(&mut first_time) {
                        started_here.wait();
                        while committer.waiting.load(Ordering::SeqCst) < others {
                            thread::yield_now();
                        }
                    }
                    body(fake)
                })
            }));
            if place == 0 {
                started.wait();
            }
        }
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    })
}

fn ok(results: &[thread::Result<Result<()>>]) -> usize {
    results.iter().filter(|it| matches!(it, Ok(Ok(())))).count()
}

#[test]
fn one_caller_commits_at_once() {
    let committer = committer(256);
    committer.together(|fake| fake.push(1)).unwrap();
    committer.together(|fake| fake.push(2)).unwrap();
    committer.with(|fake| assert_eq!((fake.commits, &fake.kept), (2, &vec![1, 2])));
}

#[test]
fn those_who_wait_share_one_commit() {
    let committer = committer(256);
    let body = |fake: &Fake| fake.push(1);
    let results = crowd(&committer, &[&body, &body, &body, &body]);
    assert_eq!(ok(&results), 4);
    // The age limit can split the batch on a machine that is very busy.
    committer.with(|fake| {
        assert_eq!(fake.kept.len(), 4);
        assert!(fake.commits < 4, "{} commits", fake.commits);
    });
}

#[test]
fn a_batch_is_never_larger_than_the_cap() {
    let committer = committer(2);
    let body = |fake: &Fake| fake.push(1);
    assert_eq!(ok(&crowd(&committer, &[&body, &body, &body, &body, &body, &body])), 6);
    committer.with(|fake| assert!(fake.commits >= 3, "{} commits", fake.commits));
}

#[test]
fn errors_and_panics_in_a_batch_hurt_nobody_else() {
    for first_fails in [false, true] {
        let committer = committer(256);
        let good = |fake: &Fake| fake.push(1);
        let bad = |fake: &Fake| {
            fake.push(2)?;
            Err(StoreError::Aborted)
        };
        let panics = |fake: &Fake| {
            fake.push(3)?;
            panic!("on purpose")
        };
        let results = if first_fails {
            crowd(&committer, &[&bad, &good, &panics, &good])
        } else {
            crowd(&committer, &[&good, &bad, &panics, &good])
        };
        assert_eq!(ok(&results), 2);
        let aborted = |it: &&_| matches!(it, Ok(Err(StoreError::Aborted)));
        assert_eq!(results.iter().filter(aborted).count(), 1, "the body's own error");
        assert_eq!(results.iter().filter(|it| it.is_err()).count(), 1, "the body's own panic");
        committer.with(|fake| assert_eq!(fake.kept, [1, 1]));
    }
}

#[test]
fn the_last_one_commits_for_the_others_although_it_fails() {
    let committer = committer(256);
    let good = |fake: &Fake| fake.push(1);
    let bad = |_: &Fake| Err(StoreError::Aborted);
    let results = crowd(&committer, &[&good, &bad, &bad, &bad]);
    assert_eq!(ok(&results), 1);
    committer.with(|fake| assert_eq!(fake.kept, [1]));
}

#[test]
fn a_failed_commit_is_told_to_everyone_in_the_batch() {
    let committer = committer(256);
    committer.with(|fake| fake.fail_commits = true);
    let body = |fake: &Fake| fake.push(1);
    let results = crowd(&committer, &[&body, &body, &body]);
    let unknown =
        |it: &&_| matches!(it, Ok(Err(StoreError::Unavailable { outcome: Outcome::Unknown, .. })));
    assert_eq!(results.iter().filter(unknown).count(), 3);
    committer.with(|fake| fake.fail_commits = false);
    committer.together(|fake| fake.push(2)).unwrap();
    committer.with(|fake| assert_eq!(fake.kept, [2]));
}

#[test]
fn a_transaction_that_the_engine_gave_up_is_told_to_everyone_in_the_batch() {
    let committer = committer(256);
    let good = |fake: &Fake| fake.push(1);
    let gives_up = |fake: &Fake| {
        fake.give_up();
        Ok(())
    };
    let results = crowd(&committer, &[&good, &gives_up]);
    let not_done =
        |it: &&_| matches!(it, Ok(Err(StoreError::Unavailable { outcome: Outcome::NotDone, .. })));
    // The age limit can have let the first one commit before.
    let kept = committer.with(|fake| fake.kept.len());
    assert_eq!(ok(&results), kept);
    assert_eq!(results.iter().filter(not_done).count(), 2 - kept);
    committer.together(good).unwrap();
}

#[test]
fn when_one_is_to_blame_each_tries_again_alone() {
    let committer = committer(256);
    committer.with(|fake| fake.refuse = Some(7));
    let good = |fake: &Fake| fake.push(1);
    let blamed = |fake: &Fake| fake.push(7);
    let results = crowd(&committer, &[&good, &blamed, &good, &good]);
    assert_eq!(ok(&results), 3);
    committer.with(|fake| assert_eq!(fake.kept, [1, 1, 1]));
}

#[test]
fn nobody_waits_for_ever_for_a_caller_that_vanished() {
    let committer = committer(256);
    committer.waiting.fetch_add(1, Ordering::SeqCst);
    committer.together(|fake| fake.push(1)).unwrap();
    committer.with(|fake| assert_eq!(fake.kept, [1]));
}

#[test]
fn work_that_needs_the_engine_closes_the_batch_first() {
    let committer = committer(256);
    committer.waiting.fetch_add(1, Ordering::SeqCst);
    thread::scope(|scope| {
        let left_open = scope.spawn(|| committer.together(|fake| fake.push(1)));
        while lock(&committer.state).open.is_none() && !left_open.is_finished() {
            thread::yield_now();
        }
        committer.alone(|fake| fake.push(2)).unwrap();
        left_open.join().unwrap().unwrap();
    });
    committer.with(|fake| assert_eq!((&fake.kept, fake.commits), (&vec![1, 2], 2)));
}

#[test]
fn many_threads_lose_nothing() {
    let committer = committer(16);
    thread::scope(|scope| {
        for thread in 0..8 {
            let committer = &committer;
            scope.spawn(move || {
                for round in 0..500 {
                    let result = committer.together(|fake| {
                        fake.push(thread * 1_000 + round)?;
                        if round % 7 == 0 { Err(StoreError::Aborted) } else { Ok(()) }
                    });
                    assert_eq!(result.is_ok(), round % 7 != 0);
                }
            });
        }
    });
    committer.with(|fake| {
        let mut kept = std::mem::take(&mut fake.kept);
        kept.sort_unstable();
        let wanted = (0..8).flat_map(|thread| {
            (0..500).filter(|it| it % 7 != 0).map(move |it| thread * 1_000 + it)
        });
        assert_eq!(kept, wanted.collect::<Vec<u32>>());
    });
}

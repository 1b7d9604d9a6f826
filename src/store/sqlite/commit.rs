//! Group commit: who of several writers pays for the commit that keeps all their work.
//!
//! Nothing here knows SQLite; an [`Engine`] does the work. What it synchronizes with comes from
//! [`sync`](super::sync), which `tests/schedules` replaces to try out every order of events. Each body runs on its caller's own
//! thread, one at a time, under one mutex. A caller counts itself before it waits for the mutex and
//! takes itself off the count when it has it. When its body is done and others are counted, it
//! leaves the transaction open for them and waits for the verdict on the batch; when nobody is, or
//! the batch is large or old enough, it commits and tells everyone in the batch.
//!
//! # Why nobody waits for ever
//!
//! The count changes downwards only under the mutex. So whoever leaves a batch open has seen, under
//! the mutex, a caller that will have the mutex later; that caller is in the same position then, and
//! the last one sees a count of zero and commits. A verdict is set under the batch's own mutex
//! before its waiters are notified, and they look at it under that mutex before they sleep, so no
//! notification falls between. Should a counted caller vanish nevertheless, the waiters look after
//! [`PATIENCE`] and the first of them commits.

use super::errors::gave_up;
use super::sync::{AtomicUsize, Condvar, Instant, Mutex, MutexGuard};
use crate::store::{Result, StoreError};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How long a batch is left open for others, counted from its first body.
const AGE: Duration = Duration::from_millis(4);
/// How long a caller waits for a verdict before it looks after the batch itself.
const PATIENCE: Duration = Duration::from_millis(50);

/// Something with one transaction at a time, and savepoints inside it.
pub(super) trait Engine {
    /// Opens a transaction, waiting for at most `patience` until others have ended theirs.
    fn begin(&mut self, patience: Duration) -> Result<()>;
    /// Marks a point inside the transaction.
    fn save(&mut self) -> Result<()>;
    /// Forgets the mark and keeps what came after it.
    fn release(&mut self) -> Result<()>;
    /// Undoes what came after the mark and forgets it.
    fn undo(&mut self) -> Result<()>;
    /// Makes the transaction durable. Whatever it returns, no transaction is open afterwards.
    fn commit(&mut self) -> Result<(), Lost>;
    /// Undoes the transaction; it cannot fail in a way that matters to the caller.
    fn roll_back(&mut self);
    /// Whether a transaction is open. It may have been given up without being asked.
    fn is_open(&self) -> bool;
}

/// A commit that failed.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) error: StoreError,
    /// Whether the work of a single body was the reason, so that the others would do without it.
    pub(super) one_to_blame: bool,
}

/// What became of a batch.
#[derive(Debug, Clone)]
enum Verdict {
    Kept,
    Lost(Arc<StoreError>),
    /// Undone because of one of them, nobody knows which: each tries again by itself.
    Alone,
}

#[derive(Debug, Default)]
struct Batch {
    verdict: Mutex<Option<Verdict>>,
    decided: Condvar,
}

/// The batch whose transaction is open.
#[derive(Debug)]
pub(super) struct Open {
    batch: Arc<Batch>,
    /// How many bodies it holds.
    members: usize,
    since: Instant,
}

#[derive(Debug)]
pub(super) struct State<E> {
    engine: E,
    pub(super) open: Option<Open>,
}

/// An engine that many threads share.
#[derive(Debug)]
pub(super) struct Committer<E> {
    pub(super) state: Mutex<State<E>>,
    /// How many callers are about to have `state`.
    pub(super) waiting: AtomicUsize,
    /// How many bodies one commit may hold.
    cap: usize,
    /// How long a caller may be kept from beginning.
    patience: Duration,
}

/// A caller in the count, for as long as it lives.
struct Counted<'c>(&'c AtomicUsize);

impl<'c> Counted<'c> {
    fn new(count: &'c AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Batch {
    fn decide(&self, verdict: Verdict) {
        *lock(&self.verdict) = Some(verdict);
        self.decided.notify_all();
    }
}

impl<E: Engine> Committer<E> {
    /// Shares `engine`, committing at least once for every `cap` bodies.
    pub(super) fn new(engine: E, cap: usize, patience: Duration) -> Self {
        let state = Mutex::new(State { engine, open: None });
        Self { state, waiting: AtomicUsize::new(0), cap, patience }
    }

    /// Runs `body` in a transaction that it may share with others, and returns when it is durable.
    /// A body that fails or panics leaves nothing behind and takes nobody along.
    pub(super) fn together(&self, mut body: impl FnMut(&E) -> Result<()>) -> Result<()> {
        let (batch, result) = self.take_part(&mut body)?;
        match result {
            Err(panic) => resume_unwind(panic),
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) => match self.verdict(&batch) {
                Verdict::Kept => Ok(()),
                Verdict::Lost(error) => Err(StoreError::shared(&error)),
                Verdict::Alone => self.alone(body),
            },
        }
    }

    /// Runs `body` in a transaction of its own.
    pub(super) fn alone(&self, mut body: impl FnMut(&E) -> Result<()>) -> Result<()> {
        let arrived = Instant::now();
        let mut state = self.closed();
        state.engine.begin(self.left(arrived))?;
        match catch_unwind(AssertUnwindSafe(|| body(&state.engine))) {
            Ok(Ok(())) if !state.engine.is_open() => Err(gave_up(None)),
            Ok(Ok(())) => state.engine.commit().map_err(|lost| lost.error),
            Ok(Err(error)) => {
                state.engine.roll_back();
                Err(error)
            }
            Err(panic) => {
                state.engine.roll_back();
                drop(state);
                resume_unwind(panic)
            }
        }
    }

    /// Lends the engine while no transaction is open.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut E) -> T) -> T {
        work(&mut self.closed().engine)
    }

    fn take_part(&self, body: &mut dyn FnMut(&E) -> Result<()>) -> Result<(Arc<Batch>, Ended)> {
        let arrived = Instant::now();
        let counted = Counted::new(&self.waiting);
        let mut state = lock(&self.state);
        drop(counted);
        let joins = state.open.is_some();
        let ready = if joins {
            state.engine.save()
        } else {
            state.engine.begin(self.left(arrived))?;
            Ok(())
        };
        let result = match ready {
            Ok(()) => catch_unwind(AssertUnwindSafe(|| body(&state.engine))),
            Err(error) => Ok(Err(error)),
        };
        let batch = state.settle(joins, &result);
        if state.open.as_ref().is_some_and(|open| self.is_over(open)) {
            state.close();
        }
        Ok((batch, result))
    }

    /// Whether the batch should be committed now.
    fn is_over(&self, open: &Open) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0
            || open.members >= self.cap
            || open.since.elapsed() >= AGE
    }

    /// What is left of the patience of a caller that came at `arrived`.
    fn left(&self, arrived: Instant) -> Duration {
        self.patience.saturating_sub(arrived.elapsed())
    }

    /// The state, with no transaction open.
    fn closed(&self) -> MutexGuard<'_, State<E>> {
        let mut state = lock(&self.state);
        state.close();
        state
    }

    /// Waits until it is decided what becomes of `batch`.
    fn verdict(&self, batch: &Arc<Batch>) -> Verdict {
        let mut verdict = lock(&batch.verdict);
        loop {
            if let Some(verdict) = &*verdict {
                return verdict.clone();
            }
            let woken = batch.decided.wait_timeout(verdict, PATIENCE);
            let (guard, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
            verdict = guard;
            if timeout.timed_out() && verdict.is_none() {
                drop(verdict);
                self.look_after(batch);
                verdict = lock(&batch.verdict);
            }
        }
    }

    /// Commits `batch` if it is still open, whoever was going to.
    fn look_after(&self, batch: &Arc<Batch>) {
        let mut state = lock(&self.state);
        if state.open.as_ref().is_some_and(|open| Arc::ptr_eq(&open.batch, batch)) {
            state.close();
        }
    }
}

/// How a body ended: with a result or with a panic.
type Ended = std::thread::Result<Result<()>>;

impl<E: Engine> State<E> {
    /// Keeps or undoes the work of the body that just ended, and nobody else's. Returns the batch
    /// that it took part in.
    fn settle(&mut self, joined: bool, result: &Ended) -> Arc<Batch> {
        let good = matches!(result, Ok(Ok(())));
        let open = self.open.take();
        let open = open.unwrap_or_else(|| Open {
            batch: Arc::default(),
            members: 0,
            since: Instant::now(),
        });
        let batch = Arc::clone(&open.batch);
        let settled = match (self.engine.is_open(), joined, good) {
            (false, ..) => Err(gave_up(result.as_ref().ok().and_then(|it| it.as_ref().err()))),
            (true, true, true) => self.engine.release(),
            (true, true, false) => self.engine.undo(),
            (true, false, true) => Ok(()),
            (true, false, false) => {
                self.engine.roll_back();
                return batch;
            }
        };
        match settled {
            Ok(()) => {
                let members = open.members.saturating_add(usize::from(good));
                self.open = Some(Open { members, ..open });
            }
            Err(error) => {
                self.engine.roll_back();
                batch.decide(Verdict::Lost(Arc::new(error)));
            }
        }
        batch
    }

    /// Commits the open batch, if there is one, and tells its members.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        open.batch.decide(match self.engine.commit() {
            Ok(()) => Verdict::Kept,
            Err(lost) if lost.one_to_blame && open.members > 1 => Verdict::Alone,
            Err(lost) => Verdict::Lost(Arc::new(lost.error)),
        });
    }
}

/// Locks `mutex` whether or not somebody panicked with it: nothing is left half done in there.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

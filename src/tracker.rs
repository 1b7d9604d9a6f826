//! Tickets: usage that is handed over now and waited for later, counted many at a time.
//!
//! A call to [`Tenure::track`] pays for a commit, or shares one with whoever writes at the same
//! moment. A [`Tracker`] has one thread of its own that counts all that was handed over meanwhile in
//! one commit, so that a caller can run ahead and still learn what became of each.

use crate::domain::metering::{Track, UsageResult};
use crate::error::{Error, Result};
use crate::store::{Cause, Outcome, StoreError};
use crate::tenure::Tenure;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How a [`Tracker`] works.
#[derive(Debug, Clone, Copy)]
#[must_use = "it tells `Tenure::tracker_with` what to do"]
pub struct TrackerOptions {
    queue: usize,
    batch: usize,
}

impl Default for TrackerOptions {
    fn default() -> Self {
        Self { queue: 8_192, batch: 1_024 }
    }
}

impl TrackerOptions {
    /// How many tracks may wait to be counted before [`Tracker::submit`] waits too: at least 1,
    /// 8,192 unless set. Each takes about 300 bytes and what it brings along.
    pub const fn queue(mut self, tracks: usize) -> Self {
        self.queue = tracks;
        self
    }

    /// How many tracks one commit may hold: at least 1, 1,024 unless set. So many have their answer
    /// delayed by each other, and are struck by the same failure of the store.
    pub const fn batch(mut self, tracks: usize) -> Self {
        self.batch = tracks;
        self
    }
}

/// Counts usage in the background, on one thread of its own, many tracks in one commit; from
/// [`Tenure::tracker`]. Threads share it by reference.
///
/// Dropping it counts what was submitted, and waits for that.
///
/// ```
/// # use tenure::store::memory::MemoryStore;
/// # use tenure::{AccessPatch, CustomerDraft, FeatureDraft, Quantity};
/// use tenure::{Tenure, Track};
/// # let tenure = Tenure::open(MemoryStore::new())?;
/// # let acme = tenure.write(|tx| {
/// #     tx.define_feature("ai_credits", &FeatureDraft::default())?;
/// #     let acme = tx.create_customer(&CustomerDraft::named("Acme Inc."))?.id;
/// #     tx.set_access(acme, "ai_credits", &AccessPatch::new().limit(Quantity::from(3)))?;
/// #     Ok::<_, tenure::Error>(acme)
/// # })?;
///
/// let tracker = tenure.tracker()?;
/// let tickets: Vec<_> =
///     (0..5).map(|_| tracker.submit(Track::new(acme, "ai_credits"))).collect();
/// let counted = tickets.into_iter().filter_map(|ticket| ticket.wait().ok());
/// assert_eq!(counted.count(), 3, "the limit is met exactly");
/// # Ok::<_, tenure::Error>(())
/// ```
#[derive(Debug)]
pub struct Tracker {
    tenure: Tenure,
    queue: Arc<Queue>,
    worker: Option<JoinHandle<()>>,
}

/// What [`Tracker::submit`] gives for a track: the way to its answer. Dropping it changes nothing.
#[derive(Debug)]
#[must_use = "only its answer says whether the usage was counted"]
pub struct Ticket {
    slot: Arc<Slot>,
    /// The store, as [`Tenure::is_inside`] knows it.
    store: usize,
}

impl Tenure {
    /// Starts a thread that counts usage in the background, as this handle would: in its org, for
    /// its product, as its actor.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] with [`Cause::Worker`] when no thread can be started.
    pub fn tracker(&self) -> Result<Tracker> {
        self.tracker_with(TrackerOptions::default())
    }

    /// The same with another queue, or other batches.
    ///
    /// # Errors
    ///
    /// As [`tracker`](Self::tracker).
    pub fn tracker_with(&self, options: TrackerOptions) -> Result<Tracker> {
        let (tenure, batch) = (self.clone(), options.batch.max(1));
        let queue = Arc::new(Queue::new(options.queue.max(1)));
        let filled = Arc::clone(&queue);
        let worker = Builder::new().name("tenure-tracker".to_owned()).spawn(move || {
            let _closing = Closing(&filled);
            while let Some(jobs) = filled.next(batch) {
                let taken = jobs.len();
                settle(&tenure, jobs);
                filled.done(taken);
            }
        });
        let worker = worker.map_err(|error| {
            let (cause, outcome) = (Cause::Worker, Outcome::NotDone);
            StoreError::Unavailable { cause, outcome, source: Some(Box::new(error)) }
        })?;
        Ok(Tracker { tenure: self.clone(), queue, worker: Some(worker) })
    }
}

impl Tracker {
    /// Hands over usage to be counted, as [`Tx::track`](crate::Tx::track) would, as soon as it is its
    /// turn, and returns at once; when the queue is full, as soon as there is room. Without a time of
    /// its own it is used when it is counted. Without a key it gets one here, so that it counts once
    /// whatever happens.
    ///
    /// What was submitted by one thread is counted in that order. Inside a transaction of the same
    /// store nothing can be submitted: its ticket says so ([`StoreError::Nested`]).
    pub fn submit(&self, mut track: Track) -> Ticket {
        if track.idempotency_key.is_none() {
            track.idempotency_key = Some(self.tenure.new_key());
        }
        let slot = Arc::<Slot>::default();
        let ticket = Ticket { slot: Arc::clone(&slot), store: self.tenure.store_address() };
        let job = Job { track, slot: Some(slot) };
        if Tenure::is_inside(ticket.store) {
            job.answer(Err(Error::Store(StoreError::Nested)));
        } else {
            self.queue.push(job);
        }
        ticket
    }

    /// Waits until everything that was submitted before has its answer.
    ///
    /// # Errors
    ///
    /// [`StoreError::Nested`] inside a transaction of the same store, which everything may be
    /// waiting for.
    pub fn flush(&self) -> Result<()> {
        if Tenure::is_inside(self.tenure.store_address()) {
            return Err(Error::Store(StoreError::Nested));
        }
        self.queue.drained();
        Ok(())
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.queue.close();
        // Inside a transaction the thread may be waiting for this one, and goes on alone.
        if let Some(worker) = self.worker.take()
            && !Tenure::is_inside(self.tenure.store_address())
        {
            // What a panic would have left without an answer has one.
            let _ = worker.join();
        }
    }
}

impl Ticket {
    /// Waits until the usage is durable, or refused.
    ///
    /// # Errors
    ///
    /// As [`Tenure::track`]. When the store fails, everybody in the same commit is told the same
    /// failure, with its outcome ([`Error::outcome`]): a retry with the same key is right.
    /// [`StoreError::Nested`] inside a transaction of the same store, which the answer may be
    /// waiting for; the usage is counted nevertheless.
    pub fn wait(self) -> Result<UsageResult> {
        let mut place = lock(&self.slot.place);
        loop {
            if let Some(answer) = place.answer.take() {
                return answer;
            }
            if Tenure::is_inside(self.store) {
                return Err(Error::Store(StoreError::Nested));
            }
            place.is_awaited = true;
            place = self.slot.answered.wait(place).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The answer, or the ticket when there is none yet.
    ///
    /// # Errors
    ///
    /// The ticket itself. The answer within is as [`wait`](Self::wait) has it.
    pub fn try_wait(self) -> Result<Result<UsageResult>, Self> {
        let answer = lock(&self.slot.place).answer.take();
        answer.ok_or(self)
    }

    /// The answer, waited for at most so long, or the ticket.
    ///
    /// # Errors
    ///
    /// The ticket itself. The answer within is as [`wait`](Self::wait) has it.
    pub fn wait_timeout(self, patience: Duration) -> Result<Result<UsageResult>, Self> {
        let asked = Instant::now();
        let mut place = lock(&self.slot.place);
        loop {
            let left = patience.saturating_sub(asked.elapsed());
            if place.answer.is_some() || left.is_zero() {
                let answer = place.answer.take();
                drop(place);
                return answer.ok_or(self);
            }
            place.is_awaited = true;
            let woken = self.slot.answered.wait_timeout(place, left);
            place = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Where the answer to one track is left.
#[derive(Debug, Default)]
struct Slot {
    place: Mutex<Place>,
    answered: Condvar,
}

#[derive(Debug, Default)]
struct Place {
    answer: Option<Result<UsageResult>>,
    /// Whether somebody sleeps until there is one: waking nobody costs as much as waking somebody.
    is_awaited: bool,
}

/// A track on its way. One that is given up before it was answered is answered all the same, so that
/// nobody waits for ever.
#[derive(Debug)]
struct Job {
    track: Track,
    slot: Option<Arc<Slot>>,
}

impl Job {
    fn answer(mut self, answer: Result<UsageResult>) {
        drop(self.leave(answer));
    }

    /// Leaves the answer. Who waits for it is woken when the result is dropped.
    fn leave(&mut self, answer: Result<UsageResult>) -> Option<Wake> {
        let slot = self.slot.take()?;
        let mut place = lock(&slot.place);
        place.answer = Some(answer);
        let is_awaited = place.is_awaited;
        drop(place);
        is_awaited.then(|| Wake(slot))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.slot.is_some() {
            drop(self.leave(Err(panicked())));
        }
    }
}

/// Wakes whoever waits for an answer that is there.
#[derive(Debug)]
struct Wake(Arc<Slot>);

impl Drop for Wake {
    fn drop(&mut self) {
        self.0.answered.notify_all();
    }
}

/// Nobody knows how far the thread got.
const fn panicked() -> Error {
    let (cause, outcome) = (Cause::Worker, Outcome::Unknown);
    Error::Store(StoreError::Unavailable { cause, outcome, source: None })
}

/// Counts `jobs` in one transaction and answers each; what is refused is refused alone.
fn settle(tenure: &Tenure, jobs: Vec<Job>) {
    let attempt = guarded(|| {
        tenure.write(|tx| {
            let mut answers = Vec::with_capacity(jobs.len());
            for job in &jobs {
                match tx.track(&job.track) {
                    Err(Error::Store(error)) if strikes_all(&error) => {
                        return Err(Error::Store(error));
                    }
                    answer => answers.push(answer),
                }
            }
            Ok(answers)
        })
    });
    match attempt {
        Ok(answers) => {
            let answered = jobs.into_iter().zip(answers);
            // All answers first: who is woken finds its next ones too.
            let wakes: Vec<_> =
                answered.filter_map(|(mut job, answer)| job.leave(answer)).collect();
            drop(wakes);
        }
        Err(Error::Store(error)) if strikes_all(&error) => {
            let error = Arc::new(error);
            for job in jobs {
                job.answer(Err(Error::Store(StoreError::shared(&error))));
            }
        }
        // One of them cannot be kept, or nobody knows why none can. Each has a key, so it counts
        // once however often it is tried.
        Err(_) => {
            for job in jobs {
                let answer = guarded(|| tenure.track(&job.track));
                job.answer(answer);
            }
        }
    }
}

/// What `work` returns, or the error that stands for its panic.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(panicked()))
}

/// Whether a failure is the store's, not one row's.
const fn strikes_all(error: &StoreError) -> bool {
    let of_the_thread = matches!(error, StoreError::Unavailable { cause: Cause::Worker, .. });
    !of_the_thread && matches!(error, StoreError::Unavailable { .. } | StoreError::Refused { .. })
}

/// What waits to be counted.
#[derive(Debug)]
struct Queue {
    line: Mutex<Line>,
    capacity: usize,
    /// There is something to count, or never will be again.
    filled: Condvar,
    /// There is room, or never will be again.
    freed: Condvar,
    /// Something was answered.
    answered: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    jobs: VecDeque<Job>,
    /// How many were ever taken in, and how many of these have their answer.
    submitted: u64,
    answered: u64,
    /// Whether the thread sleeps until there is something to count.
    is_idle: bool,
    /// Nothing is to follow.
    closed: bool,
    /// Nobody is there to count.
    deserted: bool,
}

impl Queue {
    fn new(capacity: usize) -> Self {
        Self {
            line: Mutex::default(),
            capacity,
            filled: Condvar::new(),
            freed: Condvar::new(),
            answered: Condvar::new(),
        }
    }

    fn push(&self, job: Job) {
        let full = |line: &mut Line| line.jobs.len() >= self.capacity && !line.deserted;
        let line = self.freed.wait_while(lock(&self.line), full);
        let mut line = line.unwrap_or_else(PoisonError::into_inner);
        if line.deserted {
            return;
        }
        line.jobs.push_back(job);
        line.submitted = line.submitted.saturating_add(1);
        let is_idle = std::mem::take(&mut line.is_idle);
        drop(line);
        if is_idle {
            self.filled.notify_one();
        }
    }

    /// The oldest jobs, at most `batch`; none when nothing is to follow.
    fn next(&self, batch: usize) -> Option<Vec<Job>> {
        let empty = |line: &mut Line| {
            line.is_idle = line.jobs.is_empty() && !line.closed;
            line.is_idle
        };
        let line = self.filled.wait_while(lock(&self.line), empty);
        let mut line = line.unwrap_or_else(PoisonError::into_inner);
        let taken = line.jobs.len().min(batch);
        let jobs: Vec<Job> = line.jobs.drain(..taken).collect();
        drop(line);
        self.freed.notify_all();
        (!jobs.is_empty()).then_some(jobs)
    }

    fn done(&self, jobs: usize) {
        let mut line = lock(&self.line);
        line.answered = line.answered.saturating_add(u64::try_from(jobs).unwrap_or(0));
        drop(line);
        self.answered.notify_all();
    }

    fn drained(&self) {
        let line = lock(&self.line);
        let until = line.submitted;
        let pending = |line: &mut Line| line.answered < until && !line.deserted;
        drop(self.answered.wait_while(line, pending));
    }

    fn close(&self) {
        lock(&self.line).closed = true;
        self.filled.notify_all();
    }
}

/// The thread that counts, for as long as it lives.
struct Closing<'q>(&'q Queue);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut line = lock(&self.0.line);
        line.deserted = true;
        let left = std::mem::take(&mut line.jobs);
        drop(line);
        drop(left);
        self.0.freed.notify_all();
        self.0.answered.notify_all();
    }
}

/// Locks `mutex` whether or not somebody panicked with it: nothing is left half done in there.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Tickets: usage handed over now, answered once it is durable.

use crate::metered::{CREDITS, credits, q, reused};
use crate::support::{World, race};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tenure::store::memory::MemoryStore;
use tenure::store::schema::Table;
use tenure::store::{Cause, OrgId, Outcome, ReadBody, StoreError, WriteBody};
use tenure::{CustomerId, Error, Overage, Quantity, Store, Ticket, Track, TrackerOptions};

stories![
    a_ticket_brings_what_track_would_return,
    a_hot_limit_is_met_exactly_by_many_threads,
    what_is_refused_is_refused_alone,
    one_key_twice_counts_once,
    an_answered_ticket_can_be_seen,
    dropping_the_tracker_counts_what_was_submitted,
    flushing_waits_for_what_was_submitted,
    a_full_queue_makes_the_caller_wait,
    nothing_is_submitted_inside_a_transaction,
    many_orgs_have_trackers_of_their_own,
];

fn counted(tickets: Vec<Ticket>) -> usize {
    tickets.into_iter().filter_map(|ticket| ticket.wait().ok()).count()
}

fn a_ticket_brings_what_track_would_return(world: &World) {
    let acme = world.meter(100);
    let tracker = world.tenure.acting_as("u_17").unwrap().tracker().unwrap();
    let result = tracker.submit(credits(acme, 3).key("k1")).wait().unwrap();
    assert_eq!((result.current_usage, result.duplicate), (q("3"), false));
    let again = world.track(&credits(acme, 3).key("k1")).unwrap();
    assert!(again.duplicate);
    assert_eq!(again.event_id, result.event_id);
    assert_eq!(world.history(acme)[0].performed_by.as_deref(), Some("u_17"));
    let ticket = tracker.submit(credits(acme, 1));
    let answer = match ticket.wait_timeout(Duration::from_secs(60)) {
        Ok(answer) => answer,
        Err(ticket) => panic!("no answer in a minute: {ticket:?}"),
    };
    assert_eq!(answer.unwrap().current_usage, q("4"));
    world.assert_sound();
}

fn a_hot_limit_is_met_exactly_by_many_threads(world: &World) {
    let acme = world.meter(700);
    let tracker = world.tenure.tracker_with(TrackerOptions::default().batch(50)).unwrap();
    let met = race(32, |_| {
        let mut met = 0;
        for _ in 0..5 {
            met += counted((0..10).map(|_| tracker.submit(credits(acme, 1))).collect());
        }
        met
    });
    assert_eq!(met.into_iter().sum::<usize>(), 700);
    assert_eq!((world.used(acme), world.history(acme).len()), (q("700"), 700));
    assert_eq!(world.times_told("entitlement.exhausted"), 1);
    world.assert_sound();
}

fn what_is_refused_is_refused_alone(world: &World) {
    let acme = world.meter(10);
    world.feature("sso", Overage::Reject);
    world.track(&credits(acme, 1).key("used")).unwrap();
    let tracker = world.tenure.tracker().unwrap();
    // All in one commit, as far as the thread leaves them time to be.
    let tickets = [
        credits(acme, 2),
        credits(acme, 0),
        credits(acme, 2).key("a\0b"),
        credits(acme, 2).key("used"),
        Track::new("nobody", CREDITS),
        Track::new(acme, "nothing"),
        Track::new(acme, "sso"),
        credits(acme, 100),
        credits(acme, 3),
    ]
    .map(|track| tracker.submit(track));
    let [good, zero, key, other, nobody, nothing, denied, much, last] = tickets.map(Ticket::wait);
    assert_eq!(good.unwrap().current_usage, q("3"));
    assert!(matches!(zero, Err(Error::Invalid(_))));
    assert!(matches!(key, Err(Error::Invalid(_))));
    assert_eq!(reused(other), "quantity");
    assert!(nobody.unwrap_err().is_not_found());
    assert!(nothing.unwrap_err().is_not_found());
    assert!(matches!(denied, Err(Error::Denied(_))));
    assert!(much.unwrap_err().is_limit_exceeded());
    assert_eq!(last.unwrap().current_usage, q("6"));
    world.assert_sound();
}

fn one_key_twice_counts_once(world: &World) {
    let acme = world.meter(100);
    let tracker = world.tenure.tracker().unwrap();
    let tickets: Vec<_> = (0..8).map(|_| tracker.submit(credits(acme, 2).key("k"))).collect();
    let answers: Vec<_> = tickets.into_iter().map(|it| it.wait().unwrap()).collect();
    assert!(answers.iter().all(|it| it.event_id == answers[0].event_id));
    let duplicates: Vec<bool> = answers.iter().map(|it| it.duplicate).collect();
    assert_eq!(duplicates, [false, true, true, true, true, true, true, true]);
    assert_eq!(world.used(acme), q("2"));
}

fn an_answered_ticket_can_be_seen(world: &World) {
    let acme = world.meter(10_000);
    let tracker = world.tenure.tracker_with(TrackerOptions::default().batch(3)).unwrap();
    let tickets: Vec<_> = (0..40).map(|_| tracker.submit(credits(acme, 1))).collect();
    for ticket in tickets {
        let after = ticket.wait().unwrap().current_usage;
        assert!(world.used(acme) >= after);
    }
}

fn dropping_the_tracker_counts_what_was_submitted(world: &World) {
    let acme = world.meter(1_000);
    let tracker = world.tenure.tracker_with(TrackerOptions::default().batch(7)).unwrap();
    let kept = tracker.submit(credits(acme, 1));
    for _ in 0..99 {
        drop(tracker.submit(credits(acme, 1)));
    }
    drop(tracker);
    assert_eq!(world.used(acme), q("100"));
    assert_eq!(kept.try_wait().unwrap().unwrap().current_usage, q("1"));
}

fn flushing_waits_for_what_was_submitted(world: &World) {
    let acme = world.meter(1_000);
    let tracker = world.tenure.tracker().unwrap();
    tracker.flush().unwrap();
    let tickets: Vec<_> = (0..50).map(|_| tracker.submit(credits(acme, 1))).collect();
    tracker.flush().unwrap();
    for ticket in tickets {
        ticket.try_wait().unwrap().unwrap();
    }
    assert_eq!(world.used(acme), q("50"));
}

fn a_full_queue_makes_the_caller_wait(world: &World) {
    let acme = world.meter(1_000);
    let options = TrackerOptions::default().queue(2).batch(1);
    let tracker = world.tenure.tracker_with(options).unwrap();
    let met = race(4, |_| counted((0..25).map(|_| tracker.submit(credits(acme, 1))).collect()));
    assert_eq!(met, [25; 4]);
    assert_eq!(world.used(acme), q("100"));
}

fn nothing_is_submitted_inside_a_transaction(world: &World) {
    let acme = world.meter(1_000);
    let tracker = world.tenure.tracker().unwrap();
    let nested = |answer| matches!(answer, Err(Error::Store(StoreError::Nested)));
    let inside: tenure::Result<()> = world.tenure.write(|tx| {
        assert!(nested(tracker.submit(credits(acme, 1)).wait()));
        assert!(matches!(tracker.flush(), Err(Error::Store(StoreError::Nested))));
        tx.track(&credits(acme, 2)).map(drop)
    });
    inside.unwrap();
    assert_eq!(world.used(acme), q("2"));
    // A thread that is waited for by its own transaction is left to itself.
    let other = world.tenure.tracker().unwrap();
    let mut held = Some((other.submit(credits(acme, 4)), other));
    let result = world.tenure.write(|_| {
        let (ticket, tracker) = held.take().unwrap();
        drop(tracker);
        Ok::<_, Error>(ticket)
    });
    assert_eq!(result.unwrap().wait().unwrap().delta, q("4"));
    assert_eq!(world.used(acme), q("6"));
}

fn many_orgs_have_trackers_of_their_own(world: &World) {
    let worlds = ["north", "south"].map(|org| world.beside(org));
    let trackers = worlds.each_ref().map(|it| (it.meter(20), it.tenure.tracker().unwrap()));
    let met = race(4, |thread| {
        let (customer, tracker) = &trackers[thread % 2];
        counted((0..15).map(|_| tracker.submit(credits(*customer, 1))).collect())
    });
    assert_eq!((met[0] + met[2], met[1] + met[3]), (20, 20));
    for (world, (customer, _)) in worlds.iter().zip(&trackers) {
        assert_eq!(world.used(*customer), q("20"));
        world.assert_sound();
    }
}

/// A store that goes wrong when it is told to.
struct Failing {
    store: MemoryStore,
    how: Arc<How>,
}

#[derive(Default)]
struct How {
    /// How many writes more do their work and say that nobody knows.
    unknown: AtomicUsize,
    /// How many writes more panic.
    panics: AtomicUsize,
    /// Whether writes wait.
    held: AtomicBool,
}

fn take(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Store for Failing {
    fn install(&self, tables: &[&'static Table]) -> tenure::store::Result<()> {
        self.store.install(tables)
    }

    fn read(&self, org: OrgId, body: &mut ReadBody<'_>) -> tenure::store::Result<()> {
        self.store.read(org, body)
    }

    fn write(&self, org: OrgId, body: &mut WriteBody<'_>) -> tenure::store::Result<()> {
        while self.how.held.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        assert!(!take(&self.how.panics), "on purpose");
        self.store.write(org, body)?;
        if take(&self.how.unknown) {
            let (cause, outcome) = (Cause::Io, Outcome::Unknown);
            return Err(StoreError::Unavailable { cause, outcome, source: None });
        }
        Ok(())
    }
}

fn failing() -> (World, CustomerId, Arc<How>) {
    let how = Arc::<How>::default();
    let store = Failing { store: MemoryStore::new(), how: Arc::clone(&how) };
    let world = World::over(store, |builder| builder);
    let acme = world.meter(1_000);
    (world, acme, how)
}

/// Submits so many at once, while the store is held up: the first alone, the others in one commit.
fn crowd(
    world: &World,
    how: &How,
    acme: CustomerId,
    tracks: usize,
) -> Vec<tenure::Result<Quantity>> {
    let tracker = world.tenure.tracker().unwrap();
    how.held.store(true, Ordering::SeqCst);
    let submit = |number: usize| tracker.submit(credits(acme, 1).key(format!("k{number}")));
    let tickets: Vec<_> = (0..tracks).map(submit).collect();
    how.held.store(false, Ordering::SeqCst);
    tickets.into_iter().map(|ticket| ticket.wait().map(|it| it.current_usage)).collect()
}

#[test]
fn a_failure_of_the_store_is_told_to_everybody_and_a_retry_is_right() {
    let (world, acme, how) = failing();
    how.unknown.store(2, Ordering::SeqCst);
    let answers = crowd(&world, &how, acme, 20);
    for answer in &answers[1..] {
        let Err(error) = answer else { continue };
        assert_eq!((error.outcome(), error.is_retryable()), (Outcome::Unknown, true));
    }
    assert!(answers.iter().filter(|it| it.is_err()).count() >= 2);
    how.unknown.store(0, Ordering::SeqCst);
    // It had been done, and a retry with the key says so.
    assert_eq!(world.used(acme), q("20"));
    for number in 0..20 {
        assert!(world.track(&credits(acme, 1).key(format!("k{number}"))).unwrap().duplicate);
    }
    world.assert_sound();
}

#[test]
fn a_panic_is_an_error_of_one_and_the_others_are_counted() {
    let (world, acme, how) = failing();
    // Of the first commit, of the second, and of the first that is tried alone.
    how.panics.store(3, Ordering::SeqCst);
    let answers = crowd(&world, &how, acme, 20);
    let errors: Vec<_> = answers.iter().filter_map(|it| it.as_ref().err()).collect();
    assert!((1..=2).contains(&errors.len()), "{errors:?}");
    for error in &errors {
        let Error::Store(StoreError::Unavailable { cause, outcome, .. }) = error else {
            panic!("{error}")
        };
        assert_eq!((*cause, *outcome), (Cause::Worker, Outcome::Unknown));
    }
    assert_eq!(world.used(acme), Quantity::from(u32::try_from(20 - errors.len()).unwrap()));
    // The thread goes on.
    let tracker = world.tenure.tracker().unwrap();
    tracker.submit(credits(acme, 1)).wait().unwrap();
    world.assert_sound();
}

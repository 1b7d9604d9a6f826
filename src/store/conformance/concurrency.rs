//! Transactions that overlap do what they would do one after the other.
//!
//! Some rules hold a transaction open until another thread has had its turn. A store that lets only
//! one in at a time keeps that thread waiting, which is its right: so nobody waits for longer than
//! a moment, and the rules ask only that the answers be right.

use super::fixture::{
    A, B, COUNT, ITEMS, LIVE, all, count, filled, get, item, key, keys_of, named, read, ready,
    try_write, with, write,
};
use crate::store::query::Query;
use crate::store::{Store, StoreError};
use crate::value::Value;
use std::any::Any;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

const THREADS: usize = 4;
/// How long a transaction is held open for others, at the most.
const A_MOMENT: Duration = Duration::from_millis(50);
/// How long a thread waits for one that nothing should hold up.
const LONG: Duration = Duration::from_secs(5);

/// Counts threads that have come to a point.
#[derive(Default)]
struct Meeting(Mutex<usize>, Condvar);

impl Meeting {
    fn come(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.1.notify_all();
    }

    /// Waits until `enough` have come, or for so long.
    fn wait(&self, enough: usize, limit: Duration) {
        let come = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.1.wait_timeout_while(come, limit, |come| *come < enough));
    }

    /// Comes, and waits a moment for one other.
    fn meet(&self) {
        self.come();
        self.wait(2, A_MOMENT);
    }
}

/// What `body` returns in each of so many threads. A panic in one of them is told of in this one.
fn together<T: Send>(threads: usize, body: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let body = &body;
    let told = |panic: Box<dyn Any + Send>| -> T {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        panic!("in another thread: {}", text.unwrap_or("a panic"))
    };
    thread::scope(|scope| {
        let spawned: Vec<_> = (0..threads).map(|n| scope.spawn(move || body(n))).collect();
        let ended: Vec<_> = spawned.into_iter().map(thread::ScopedJoinHandle::join).collect();
        ended.into_iter().map(|ended| ended.unwrap_or_else(told)).collect()
    })
}

/// All that one read sees is of one instant, although another thread writes meanwhile.
pub fn a_read_is_one_snapshot(store: &dyn Store) {
    filled(store, &[item(1, 1), item(2, 1)]);
    let (begun, written) = (Meeting::default(), Meeting::default());
    let seen = together(2, |thread| {
        if thread == 0 {
            begun.wait(1, LONG);
            write(store, A, |w| {
                w.put(&ITEMS, item(1, 2))?;
                w.delete(&ITEMS, key(2))?;
                w.put(&ITEMS, item(3, 2))
            });
            written.come();
            return None;
        }
        Some(read(store, A, |r| {
            let before = r.query(&ITEMS, &Query::all())?;
            begun.come();
            written.wait(1, A_MOMENT);
            let got = [r.get(&ITEMS, key(1))?, r.get(&ITEMS, key(2))?, r.get(&ITEMS, key(3))?];
            Ok((before, got, r.query(&ITEMS, &Query::all())?))
        }))
    });
    let snapshot = || vec![item(1, 1), item(2, 1)];
    let got = [Some(item(1, 1)), Some(item(2, 1)), None];
    assert_eq!(seen[1], Some((snapshot(), got, snapshot())));
    assert_eq!(all(store, A), [item(1, 2), item(3, 2)], "the next read sees the write");
}

/// A reader sees all of a transaction or nothing of it, and nothing of one that is given up.
pub fn nobody_sees_half_a_write(store: &dyn Store) {
    filled(store, &[item(1, 1)]);
    let kept = [1, 2, 3];
    for keep in [true, false] {
        let (halfway, looked) = (Meeting::default(), Meeting::default());
        let before = keys_of(&all(store, A));
        let seen = together(2, |thread| {
            if thread == 1 {
                halfway.wait(1, LONG);
                let seen = keys_of(&all(store, A));
                looked.come();
                return seen;
            }
            let done = try_write(store, A, |w| {
                w.put(&ITEMS, item(if keep { 2 } else { 4 }, 2))?;
                halfway.come();
                looked.wait(1, A_MOMENT);
                w.put(&ITEMS, item(if keep { 3 } else { 5 }, 2))?;
                if keep { Ok(()) } else { Err(StoreError::Aborted) }
            });
            assert_eq!(done.is_ok(), keep, "{done:?}");
            Vec::new()
        });
        assert!(seen[1] == before || seen[1] == kept, "seen halfway: {:?}", seen[1]);
        assert_eq!(keys_of(&all(store, A)), kept);
    }
}

/// Many threads move amounts between the rows of two orgs: no sum ever changes, whoever looks.
pub fn transfers_keep_the_sum(store: &dyn Store) {
    let rows: Vec<_> = (0..4).map(|n| item(n, 100)).collect();
    filled(store, &rows);
    write(store, B, |w| rows.iter().try_for_each(|row| w.put(&ITEMS, row.clone())));
    together(THREADS, |thread| {
        let org = if thread % 2 == 0 { A } else { B };
        for turn in 0..20 {
            let place = |n: usize| key(u128::try_from(n % 4).expect("small"));
            let (from, to) = (place(thread + turn), place(thread * turn + turn + 1));
            write(store, org, |w| {
                w.add(&ITEMS, from, COUNT, -1)?;
                w.add(&ITEMS, to, COUNT, 1)
            });
            let sum: i64 = all(store, org).iter().map(count).sum();
            assert_eq!(sum, 400, "a reader saw half a transfer");
        }
    });
    for org in [A, B] {
        assert_eq!(all(store, org).iter().map(count).sum::<i64>(), 400);
    }
}

/// Of many threads that insert the same key exactly one is told that it did, and its row stays.
pub fn one_of_many_inserts_wins(store: &dyn Store) {
    ready(store);
    for n in 1..=5 {
        let meeting = Meeting::default();
        let won = together(THREADS, |thread| {
            let row = item(n, i64::try_from(thread).expect("small"));
            write(store, A, |w| {
                let won = w.insert(&ITEMS, row.clone())?;
                meeting.meet();
                Ok(won)
            })
        });
        let winners: Vec<i64> = (0..).zip(won).filter(|(_, won)| *won).map(|(n, _)| n).collect();
        assert_eq!(winners.len(), 1, "threads {winners:?} were told that they inserted the row");
        assert_eq!(get(store, A, n), Some(item(n, winners[0])));
    }
}

/// Of many threads that take the same unique value under different keys exactly one does.
pub fn one_of_many_takes_a_unique_value(store: &dyn Store) {
    ready(store);
    let meeting = Meeting::default();
    let done = together(THREADS, |thread| {
        let row = named(u128::try_from(thread).expect("small"), "a", 0);
        let done = try_write(store, A, |w| {
            w.put(&ITEMS, row.clone())?;
            meeting.meet();
            Ok(())
        });
        if let Err(error) = &done {
            assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
        }
        done.is_ok()
    });
    let holders: Vec<u128> = (0..).zip(done).filter(|(_, ok)| *ok).map(|(n, _)| n).collect();
    assert_eq!(holders.len(), 1, "rows {holders:?} were all given the name");
    assert_eq!(keys_of(&all(store, A)), holders);
}

/// A body that reads a row and puts it back changed never undoes what another did meanwhile.
pub fn no_update_is_lost(store: &dyn Store) {
    filled(store, &[item(1, 0)]);
    let meeting = Meeting::default();
    together(THREADS, |_| {
        for _ in 0..10 {
            write(store, A, |w| {
                let row = w.get(&ITEMS, key(1))?.expect("the row is there");
                meeting.meet();
                w.put(&ITEMS, item(1, count(&row) + 1))
            });
        }
    });
    assert_eq!(get(store, A, 1), Some(item(1, 40)));
}

/// Two threads each give up one of two rows if the other is still live: one of them stays. (A store
/// whose transactions only see a snapshot each, without being serializable, lets both go.)
pub fn decisions_rest_on_what_was_read(store: &dyn Store) {
    let live = |n, live| with(item(n, 0), LIVE, Value::Bool(live));
    filled(store, &[live(0, true), live(1, true)]);
    let meeting = Meeting::default();
    together(2, |thread| {
        let n = u128::try_from(thread).expect("small");
        write(store, A, |w| {
            let other = w.get(&ITEMS, key(1 - n))?;
            meeting.meet();
            if other == Some(live(1 - n, true)) { w.put(&ITEMS, live(n, false)) } else { Ok(()) }
        });
    });
    let left = read(store, A, |r| r.query(&ITEMS, &Query::all().eq(LIVE, &true)));
    assert_eq!(left.len(), 1, "each relied on a row that the other gave up");
}

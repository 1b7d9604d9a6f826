//! Many threads that track at once, beside a group commit by hand and beside one commit per call.
//!
//! ```sh
//! cargo bench --bench threads
//! ```
//!
//! By hand means: one thread owns the connection, takes all that is waiting and commits it together;
//! the statements are those of the floor. Everything is durable (`synchronous = FULL`), on the disk
//! of the temporary folder, whose speed decides; so both sides take turns and the median round
//! counts. CPU time is that of the whole process.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark that goes wrong panics"
)]

mod support;

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;
use support::floor::Floor;
use support::{CUSTOMERS, Result, filled, median, process_nanos};
use tenure::store::sqlite::SqliteStore;
use tenure::{CustomerId, Tenure, Track};

const ROUNDS: usize = 5;
const THREADS: usize = 32;
/// Calls of one thread that waits for each.
const CALLS: usize = 200;
/// Calls of one thread that runs ahead, and how far.
const AHEAD_CALLS: usize = 1_500;
const AHEAD: usize = 64;
/// Calls with a commit each.
const SINGLE: usize = 400;

/// Calls a second and CPU time of one, round by round.
#[derive(Default)]
struct Side(Vec<f64>, Vec<f64>);

impl Side {
    fn round(&mut self, calls: usize, work: impl FnOnce()) {
        let (wall, cpu) = (Instant::now(), process_nanos());
        work();
        let seconds = wall.elapsed().as_secs_f64();
        let spent = process_nanos().zip(cpu).map_or(0, |(after, before)| after - before);
        self.0.push(calls as f64 / seconds);
        self.1.push(spent as f64 / calls as f64 / 1_000.0);
    }

    fn medians(mut self) -> (f64, f64) {
        (median(&mut self.0), median(&mut self.1))
    }
}

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::create(folder.path().join("tenure.db"))?;
    let (tenure, customers) = filled(Tenure::builder(store))?;
    let floor = Floor::create(&folder.path().join("floor.db"), &customers)?;
    let hand = ByHand::start(floor);
    let mut alone = Floor::create(&folder.path().join("alone.db"), &customers)?;
    let customer = |number: usize| customers[number % CUSTOMERS];

    let (mut one, mut one_floor) = (Side::default(), Side::default());
    let (mut many, mut many_hand) = (Side::default(), Side::default());
    let (mut ahead, mut ahead_hand) = (Side::default(), Side::default());
    for round in 0..ROUNDS {
        let key = |kind: &str, number: usize| format!("{kind}-{round}-{number}");
        one_floor.round(SINGLE, || {
            for number in 0..SINGLE {
                assert!(alone.track(customer(number), &key("one", number)).unwrap());
            }
        });
        one.round(SINGLE, || {
            for number in 0..SINGLE {
                let track = Track::new(customer(number), "ai_credits").key(key("one", number));
                assert!(!tenure.track(&track).unwrap().duplicate);
            }
        });
        many_hand.round(THREADS * CALLS, || {
            on_threads(CALLS, |number| {
                assert!(hand.submit(customer(number), key("many", number)).recv().unwrap());
            });
        });
        many.round(THREADS * CALLS, || {
            on_threads(CALLS, |number| {
                let track = Track::new(customer(number), "ai_credits").key(key("many", number));
                assert!(!tenure.track(&track).unwrap().duplicate);
            });
        });
        ahead_hand.round(THREADS * AHEAD_CALLS, || {
            running_ahead(
                |number| hand.submit(customer(number), key("ahead", number)),
                |answer| assert!(answer.recv().unwrap()),
            );
        });
        let tracker = tenure.tracker().unwrap();
        ahead.round(THREADS * AHEAD_CALLS, || {
            running_ahead(
                |number| {
                    let key = key("ahead", number);
                    tracker.submit(Track::new(customer(number), "ai_credits").key(key))
                },
                |ticket| assert!(!ticket.wait().unwrap().duplicate),
            );
        });
    }

    let floor = one_floor.medians();
    println!("{THREADS} threads, {CUSTOMERS} customers; median of {ROUNDS} rounds\n");
    println!(
        "{:<34} {:>9} {:>8} {:>9} {:>8} {:>7} {:>8}",
        "what", "tenure/s", "CPU µs", "by hand/s", "CPU µs", "ratio", "× alone"
    );
    let print = |what: &str, side: Side, hand: (f64, f64)| {
        let (rate, cpu) = side.medians();
        println!(
            "{what:<34} {rate:>9.0} {cpu:>8.1} {:>9.0} {:>8.1} {:>6.2}× {:>7.1}×",
            hand.0,
            hand.1,
            rate / hand.0,
            rate / floor.0
        );
    };
    print("one thread, one commit per call", one, floor);
    print("each thread waits for each call", many, many_hand.medians());
    print(&format!("each thread runs ahead by {AHEAD}"), ahead, ahead_hand.medians());
    println!("\nbars: waiting ≥ 0.8× by hand, ≥ 10× alone, ≤ 20 µs; ahead ≥ 30× alone");
    assert!(tenure.verify(|_| ())?.is_sound());
    Ok(())
}

/// Does `work` for so many numbers on every thread, each number once.
fn on_threads(calls: usize, work: impl Fn(usize) + Sync) {
    let work = &work;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || (0..calls).for_each(|call| work(call * THREADS + thread)));
        }
    });
}

/// The same, with answers that are waited for later.
fn running_ahead<A>(submit: impl Fn(usize) -> A + Sync, wait: impl Fn(A) + Sync) {
    let (submit, wait) = (&submit, &wait);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let mut waiting = VecDeque::new();
                for call in 0..AHEAD_CALLS {
                    if waiting.len() == AHEAD {
                        wait(waiting.pop_front().unwrap());
                    }
                    waiting.push_back(submit(call * THREADS + thread));
                }
                waiting.into_iter().for_each(wait);
            });
        }
    });
}

/// A group commit as one would write it: a thread that owns the connection.
struct ByHand(SyncSender<Job>);

type Job = (CustomerId, String, SyncSender<bool>);

impl ByHand {
    fn start(mut floor: Floor) -> Self {
        let (sender, jobs) = sync_channel::<Job>(8_192);
        std::thread::spawn(move || {
            while let Ok(first) = jobs.recv() {
                let batch: Vec<Job> =
                    std::iter::once(first).chain(jobs.try_iter().take(1_023)).collect();
                let tracks = batch.iter().map(|(customer, key, _)| (*customer, key.as_str()));
                let answers = floor.track_all(tracks).unwrap();
                for ((_, _, answer), is_new) in batch.iter().zip(answers) {
                    answer.send(is_new).unwrap();
                }
            }
        });
        Self(sender)
    }

    fn submit(&self, customer: CustomerId, key: String) -> Receiver<bool> {
        let (sender, receiver) = sync_channel(1);
        self.0.send((customer, key, sender)).unwrap();
        receiver
    }
}

//! The hot paths beside what a careful engineer would write by hand with rusqlite, in the same run.
//!
//! ```sh
//! cargo bench --bench hot_paths
//! ```
//!
//! Machines differ and are noisy; ratios less so. Both sides take turns, round by round, and the
//! median round counts. "By hand" does the same: it answers with the same fields, knows the feature
//! and its switch, keeps the same content in its ledger and an outbox. Time is the thread's own CPU time where the system tells it (Linux), so
//! that waiting for the disk does not blur what the code costs; elsewhere it is the wall's.

mod support;

use support::floor::Floor;
use support::{CUSTOMERS, Pair, Result, filled, timed};
use tenure::store::sqlite::SqliteStore;
use tenure::{Tenure, Track};

const ROUNDS: usize = 15;
const CHECKS: usize = 20_000;
/// As many as there are customers, so that a repeated key meets its own meter again.
const TRACKS: usize = CUSTOMERS;

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::create(folder.path().join("tenure.db"))?;
    let (tenure, customers) = filled(Tenure::builder(store))?;
    let mut floor = Floor::create(&folder.path().join("floor.db"), &customers)?;
    println!("{CUSTOMERS} customers; median of {ROUNDS} rounds; CPU time of one call\n");
    println!("{:<46} {:>10} {:>10} {:>7} {:>5}", "what", "tenure", "floor", "ratio", "bar");

    let mut pair = Pair::default();
    for _ in 0..ROUNDS {
        pair.tenure.push(timed(CHECKS, || {
            tenure.read(|view| {
                for customer in customers.iter().cycle().take(CHECKS) {
                    assert!(view.check(*customer, "ai_credits")?.can_use);
                }
                Ok::<_, tenure::Error>(())
            })?;
            Ok(())
        })?);
        pair.floor.push(timed(CHECKS, || floor.check(customers.iter().cycle().take(CHECKS)))?);
    }
    pair.print("check, in an open read", "2");

    let mut pair = Pair::default();
    for _ in 0..ROUNDS {
        pair.tenure.push(timed(CHECKS, || {
            for customer in customers.iter().cycle().take(CHECKS) {
                assert!(tenure.check(*customer, "ai_credits")?.can_use);
            }
            Ok(())
        })?);
        pair.floor.push(timed(CHECKS, || {
            customers.iter().cycle().take(CHECKS).try_for_each(|it| floor.check([it].into_iter()))
        })?);
    }
    pair.print("check, a read of its own each", "2");

    for (what, is_retry) in [
        ("track with a key, one durable commit each", false),
        ("the same again: a retry that counts nothing", true),
    ] {
        // The clock of CPU time is coarse: what is quick is done more often.
        let calls = if is_retry { 10 * TRACKS } else { TRACKS };
        let mut pair = Pair::default();
        for round in 0..ROUNDS {
            let key = |number: usize| format!("k-{round}-{}", number % TRACKS);
            pair.tenure.push(timed(calls, || {
                for (number, customer) in customers.iter().cycle().take(calls).enumerate() {
                    let track = Track::new(*customer, "ai_credits").key(key(number));
                    assert_eq!(tenure.track(&track)?.duplicate, is_retry);
                }
                Ok(())
            })?);
            pair.floor.push(timed(calls, || {
                for (number, customer) in customers.iter().cycle().take(calls).enumerate() {
                    assert_eq!(floor.track(*customer, &key(number))?, !is_retry);
                }
                Ok(())
            })?);
        }
        pair.print(what, if is_retry { "–" } else { "1.5" });
    }
    assert!(tenure.verify(|_| ())?.is_sound());
    Ok(())
}

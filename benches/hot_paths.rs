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

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a benchmark that goes wrong panics"
)]

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use std::time::Instant;
use tenure::store::sqlite::{SqliteStore, rusqlite};
use tenure::{
    CustomerId, FeatureDraft, Onboard, ResetPeriod, Tenure, TierDraft, TierFeature, Track,
};
use uuid::Uuid;

const CUSTOMERS: usize = 1_000;
const ROUNDS: usize = 15;
const CHECKS: usize = 20_000;
/// As many as there are customers, so that a repeated key meets its own meter again.
const TRACKS: usize = CUSTOMERS;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::create(folder.path().join("tenure.db"))?;
    let (tenure, customers) = filled(store)?;
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

/// A store with a catalogue and its customers.
fn filled(store: SqliteStore) -> Result<(Tenure, Vec<CustomerId>)> {
    let tenure = Tenure::open(store)?;
    let credits = TierFeature::new("ai_credits")?.limit(1_000_000, ResetPeriod::Monthly);
    let tier = TierDraft::new("pro").feature(credits.included(500));
    tenure.write(|tx| {
        tx.define_feature("ai_credits", &FeatureDraft::default().name("AI credits"))?;
        tx.define_tier(&tier)
    })?;
    let mut customers = Vec::with_capacity(CUSTOMERS);
    let requests = (0..CUSTOMERS).map(|number| Onboard::org(format!("org_{number}")).tier("pro"));
    tenure.backfill(requests, |report| {
        customers.extend(report.outcome.map(|it| it.customer_id));
    })?;
    Ok((tenure, customers))
}

/// The same work by hand: one table of counters, one of events, an outbox.
struct Floor(Connection);

impl Floor {
    fn create(path: &std::path::Path, customers: &[CustomerId]) -> Result<Self> {
        let connection = Connection::open(path)?;
        // Without it, the bundled SQLite compiles a statement anew when a parameter is bound.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE meter (customer BLOB, feature TEXT, used INTEGER, max INTEGER,
                 included INTEGER, window_start INTEGER, window_end INTEGER, denial TEXT,
                 valid_until INTEGER, config TEXT,
                 PRIMARY KEY (customer, feature)) STRICT, WITHOUT ROWID;
             CREATE TABLE feature (code TEXT PRIMARY KEY, name TEXT, overage TEXT, config TEXT,
                 active INTEGER) STRICT, WITHOUT ROWID;
             INSERT INTO feature VALUES ('ai_credits', 'AI credits', 'reject', '{}', 1);
             CREATE TABLE usage_event (id BLOB PRIMARY KEY, customer BLOB, feature TEXT,
                 quantity INTEGER, source TEXT, kind TEXT, at INTEGER, created_at INTEGER,
                 before INTEGER, max INTEGER, included INTEGER, key TEXT, product TEXT,
                 metadata TEXT, performed_by TEXT, delivery TEXT) STRICT, WITHOUT ROWID;
             CREATE INDEX usage_event_by_time ON usage_event (customer, feature, at);
             CREATE TABLE outbox (id INTEGER PRIMARY KEY, name TEXT, customer BLOB, data TEXT,
                 at INTEGER) STRICT;",
        )?;
        for customer in customers {
            connection.execute(
                "INSERT INTO meter VALUES (?, 'ai_credits', 0, 1000000, 500, 0, 4102444800, NULL, NULL, NULL)",
                params![customer.uuid().as_bytes()],
            )?;
        }
        Ok(Self(connection))
    }

    fn check<'c>(&self, customers: impl Iterator<Item = &'c CustomerId>) -> Result<()> {
        let transaction = self.0.unchecked_transaction()?;
        for customer in customers {
            let mut select = transaction.prepare_cached(
                "SELECT m.used, m.max, m.included, m.window_start, m.window_end, m.denial,
                     m.valid_until, coalesce(m.config, f.config), f.name, f.overage, f.active
                 FROM meter m JOIN feature f ON f.code = m.feature
                 WHERE m.customer = ? AND m.feature = ?",
            )?;
            let found = select
                .query_row(params![customer.uuid().as_bytes(), "ai_credits"], Answer::read)?;
            assert!(found.can_use());
        }
        Ok(transaction.commit()?)
    }

    /// Whether the key was new.
    fn track(&mut self, customer: CustomerId, key: &str) -> Result<bool> {
        let (customer, now) = (*customer.uuid().as_bytes(), unix_micros());
        let id = Uuid::new_v5(&Uuid::from_bytes(customer), key.as_bytes());
        let transaction = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut select = transaction.prepare_cached(
                "SELECT m.used, m.max, m.included, m.denial, f.overage, f.active
                 FROM meter m JOIN feature f ON f.code = m.feature
                 WHERE m.customer = ? AND m.feature = ?",
            )?;
            let (used, max, included): (i64, i64, i64) =
                select.query_row(params![customer, "ai_credits"], |row| {
                    let overage: String = row.get(4)?;
                    let right = row.get::<_, Option<String>>(3)?.is_none() && row.get(5)?;
                    assert!(right && overage == "reject");
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
            assert!(used < max);
            let mut event = transaction.prepare_cached(
                "INSERT INTO usage_event VALUES
                     (?, ?, ?, 1, 'api', 'increment', ?, ?, ?, ?, ?, ?, 'default', NULL, NULL, 'none')
                 ON CONFLICT DO NOTHING",
            )?;
            let values =
                params![id.as_bytes(), customer, "ai_credits", now, now, used, max, included, key];
            if event.execute(values)? == 0 {
                let mut first = transaction
                    .prepare_cached("SELECT quantity, before FROM usage_event WHERE id = ?")?;
                let found: Option<(i64, i64)> = first
                    .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                assert!(found.is_some());
                return Ok(false);
            }
            let mut update = transaction.prepare_cached(
                "UPDATE meter SET used = used + ? WHERE customer = ? AND feature = ?",
            )?;
            update.execute(params![1, customer, "ai_credits"])?;
            let mut outbox = transaction.prepare_cached(
                "INSERT INTO outbox (name, customer, data, at) VALUES (?, ?, ?, ?)",
            )?;
            let data = format!(r#"{{"feature":"ai_credits","quantity":1,"used":{}}}"#, used + 1);
            outbox.execute(params!["entitlement.consumed", customer, data, now])?;
        }
        transaction.commit()?;
        Ok(true)
    }
}

/// What a check answers, as one would write it by hand.
struct Answer {
    used: i64,
    max: Option<i64>,
    included: i64,
    window: (i64, Option<i64>),
    denial: Option<String>,
    valid_until: Option<i64>,
    config: String,
    name: String,
    overage: String,
    active: bool,
}

impl Answer {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            used: row.get(0)?,
            max: row.get(1)?,
            included: row.get(2)?,
            window: (row.get(3)?, row.get(4)?),
            denial: row.get(5)?,
            valid_until: row.get(6)?,
            config: row.get(7)?,
            name: row.get(8)?,
            overage: row.get(9)?,
            active: row.get(10)?,
        })
    }

    fn can_use(&self) -> bool {
        let room = self.max.is_none_or(|max| self.used < max || self.overage == "allow");
        let now = unix_micros() / 1_000_000;
        let current = self.window.0 <= now && self.window.1.is_none_or(|end| now < end);
        let valid = self.valid_until.is_none_or(|until| now < until);
        let sound = !self.name.is_empty() && !self.config.is_empty() && self.included >= 0;
        self.active && self.denial.is_none() && room && current && valid && sound
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark has no handle to ask for the time")]
fn unix_micros() -> i64 {
    i64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000).unwrap_or(0)
}

/// Nanoseconds a call, round by round, of both sides.
#[derive(Default)]
struct Pair {
    tenure: Vec<f64>,
    floor: Vec<f64>,
}

impl Pair {
    fn print(mut self, what: &str, bar: &str) {
        let (tenure, floor) = (median(&mut self.tenure), median(&mut self.floor));
        let micros = |nanos: f64| format!("{:.2} µs", nanos / 1_000.0);
        let ratio = tenure / floor;
        println!("{what:<46} {:>10} {:>10} {ratio:>6.2}× {bar:>5}", micros(tenure), micros(floor));
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a benchmark")]
fn timed(calls: usize, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let (wall, cpu) = (Instant::now(), cpu_nanos());
    work()?;
    let spent = match (cpu, cpu_nanos()) {
        (Some(before), Some(after)) => (after - before) as f64,
        _ => wall.elapsed().as_nanos() as f64,
    };
    Ok(spent / calls as f64)
}

/// The CPU time that this thread has used, if the system tells.
fn cpu_nanos() -> Option<u64> {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    schedule.split(' ').next()?.parse().ok()
}

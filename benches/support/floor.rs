//! The same work by hand, as a careful engineer would write it with rusqlite.

use super::Result;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use tenure::CustomerId;
use tenure::store::sqlite::rusqlite;
use uuid::Uuid;

/// The same work by hand: one table of counters, one of events, an outbox.
pub struct Floor(Connection);

impl Floor {
    pub fn create(path: &std::path::Path, customers: &[CustomerId]) -> Result<Self> {
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

    pub fn check<'c>(&self, customers: impl Iterator<Item = &'c CustomerId>) -> Result<()> {
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
    pub fn track(&mut self, customer: CustomerId, key: &str) -> Result<bool> {
        let transaction = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let is_new = count(&transaction, customer, key)?;
        transaction.commit()?;
        Ok(is_new)
    }

    /// The same for several in one commit.
    pub fn track_all<'k>(
        &mut self,
        tracks: impl Iterator<Item = (CustomerId, &'k str)>,
    ) -> Result<Vec<bool>> {
        let transaction = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tracks = tracks.map(|(customer, key)| count(&transaction, customer, key));
        let are_new = tracks.collect::<Result<_>>()?;
        transaction.commit()?;
        Ok(are_new)
    }
}

fn count(transaction: &Connection, customer: CustomerId, key: &str) -> Result<bool> {
    let (customer, now) = (*customer.uuid().as_bytes(), unix_micros());
    let id = Uuid::new_v5(&Uuid::from_bytes(customer), key.as_bytes());
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
    let values = params![id.as_bytes(), customer, "ai_credits", now, now, used, max, included, key];
    if event.execute(values)? == 0 {
        let mut first =
            transaction.prepare_cached("SELECT quantity, before FROM usage_event WHERE id = ?")?;
        let found: Option<(i64, i64)> =
            first.query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        assert!(found.is_some());
        return Ok(false);
    }
    let mut update = transaction
        .prepare_cached("UPDATE meter SET used = used + ? WHERE customer = ? AND feature = ?")?;
    update.execute(params![1, customer, "ai_credits"])?;
    let mut outbox = transaction
        .prepare_cached("INSERT INTO outbox (name, customer, data, at) VALUES (?, ?, ?, ?)")?;
    let data = format!(r#"{{"feature":"ai_credits","quantity":1,"used":{}}}"#, used + 1);
    outbox.execute(params!["entitlement.consumed", customer, data, now])?;
    Ok(true)
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

//! The same work by hand, as a careful engineer would write it with rusqlite: every row has its
//! tenant, the ledger and the outbox keep what tenure's keep.

use super::Result;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use tenure::CustomerId;
use tenure::store::sqlite::rusqlite;
use uuid::Uuid;

const ORG: [u8; 16] = [0; 16];

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
             CREATE TABLE meter (org BLOB, customer BLOB, feature TEXT, used INTEGER, max INTEGER,
                 included INTEGER, window_start INTEGER, window_end INTEGER, denial TEXT,
                 valid_until INTEGER, config TEXT,
                 PRIMARY KEY (org, customer, feature)) STRICT, WITHOUT ROWID;
             CREATE TABLE feature (org BLOB, code TEXT, name TEXT, overage TEXT, config TEXT,
                 active INTEGER, PRIMARY KEY (org, code)) STRICT, WITHOUT ROWID;
             INSERT INTO feature VALUES (zeroblob(16), 'ai_credits', 'AI credits', 'reject', '{}', 1);
             CREATE TABLE usage_event (org BLOB, id BLOB, customer BLOB, feature TEXT,
                 quantity INTEGER, source TEXT, kind TEXT, at INTEGER, timed INTEGER,
                 window INTEGER, created_at INTEGER, before INTEGER, max INTEGER,
                 included INTEGER, reason TEXT, adjusts BLOB, key TEXT, product TEXT,
                 metadata TEXT, performed_by TEXT, delivery TEXT, delivery_id TEXT,
                 delivery_error TEXT, delivered_at INTEGER,
                 PRIMARY KEY (org, id)) STRICT, WITHOUT ROWID;
             CREATE INDEX usage_event_by_time ON usage_event (org, customer, feature, at);
             CREATE TABLE outbox (id INTEGER PRIMARY KEY, org BLOB, name TEXT, subject BLOB,
                 customer BLOB, performed_by TEXT, data TEXT, at INTEGER) STRICT;",
        )?;
        for customer in customers {
            connection.execute(
                "INSERT INTO meter VALUES
                     (?, ?, 'ai_credits', 0, 1000000, 500, 0, 4102444800, NULL, NULL, NULL)",
                params![ORG, customer.uuid().as_bytes()],
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
                 FROM meter m JOIN feature f ON f.org = m.org AND f.code = m.feature
                 WHERE m.org = ? AND m.customer = ? AND m.feature = ?",
            )?;
            let found = select
                .query_row(params![ORG, customer.uuid().as_bytes(), "ai_credits"], Answer::read)?;
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
        "SELECT m.used, m.max, m.included, m.denial, f.overage, f.active, m.window_start
         FROM meter m JOIN feature f ON f.org = m.org AND f.code = m.feature
         WHERE m.org = ? AND m.customer = ? AND m.feature = ?",
    )?;
    let (used, max, included, window): (i64, i64, i64, i64) =
        select.query_row(params![ORG, customer, "ai_credits"], |row| {
            let overage: String = row.get(4)?;
            let right = row.get::<_, Option<String>>(3)?.is_none() && row.get(5)?;
            assert!(right && overage == "reject");
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(6)?))
        })?;
    assert!(used < max);
    let mut event = transaction.prepare_cached(
        "INSERT INTO usage_event VALUES
             (?, ?, ?, ?, 1, 'api', 'increment', ?, 0, ?, ?, ?, ?, ?, NULL, NULL, ?, 'default',
              NULL, NULL, 'none', NULL, NULL, NULL)
         ON CONFLICT DO NOTHING",
    )?;
    let id = id.as_bytes();
    let values =
        params![ORG, id, customer, "ai_credits", now, window, now, used, max, included, key];
    if event.execute(values)? == 0 {
        let mut first = transaction
            .prepare_cached("SELECT quantity, before FROM usage_event WHERE org = ? AND id = ?")?;
        let found: Option<(i64, i64)> =
            first.query_row(params![ORG, id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        assert!(found.is_some());
        return Ok(false);
    }
    let mut update = transaction.prepare_cached(
        "UPDATE meter SET used = used + ? WHERE org = ? AND customer = ? AND feature = ?",
    )?;
    update.execute(params![1, ORG, customer, "ai_credits"])?;
    let mut outbox = transaction.prepare_cached(
        "INSERT INTO outbox (org, name, subject, customer, performed_by, data, at)
         VALUES (?, ?, ?, ?, 'system', ?, ?)",
    )?;
    let data = format!(r#"{{"feature":"ai_credits","quantity":1,"used":{}}}"#, used + 1);
    outbox.execute(params![ORG, "entitlement.consumed", id, customer, data, now])?;
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

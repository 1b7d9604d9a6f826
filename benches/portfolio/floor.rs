//! The same work by hand, as a careful engineer would write it with rusqlite, over a copy of the same
//! tables: pages of 500, prepared statements, one range of each table a page, and only what is
//! needed read and only what changed written. The outbox is a plain list.

use crate::data::PAGE;
use crate::rules::{self, Figures};
use crate::support::Result;
use crate::write::Write;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Row, TransactionBehavior, params};
use std::path::Path;
use tenure::store::sqlite::rusqlite;
use uuid::Uuid;

pub type Id = [u8; 16];

/// What an evaluation came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub customers: u64,
    pub scored: u64,
    pub opened: u64,
    pub closed: u64,
    pub opportunities: u64,
    pub moved: u64,
}

pub struct Floor {
    connection: Connection,
    org: Id,
}

pub struct Customer {
    pub id: Id,
    pub tier: String,
    pub created_at: i64,
    pub status: String,
    pub stage: String,
    pub health_score: Option<u32>,
    pub risk_level: Option<String>,
    pub engagement: Option<u32>,
    pub cancelling: bool,
    pub csm: Option<Id>,
}

#[expect(clippy::struct_excessive_bools, reason = "as its row is")]
struct Subscription {
    is_paid: bool,
    status: String,
    is_yearly: bool,
    start: i64,
    end: Option<i64>,
    renewal: Option<i64>,
    renewed: Option<i64>,
    cancelled: bool,
    mrr: Option<String>,
    ends_at_period: bool,
}

pub struct State {
    pub score: Option<u32>,
    pub components: String,
    pub previous_score: Option<u32>,
    pub previous_components: String,
    pub print: i64,
    pub override_score: Option<u32>,
    pub override_until: Option<i64>,
}

pub struct Journey {
    pub since: i64,
    pub furthest: Option<String>,
    pub latest: String,
    pub total: String,
    pub moves: i64,
    pub returned_at: Option<i64>,
    pub left_expanding_at: Option<i64>,
    pub status_set_at: Option<i64>,
    pub status_owed: Option<String>,
}

pub struct Opportunity {
    pub id: Id,
    pub value: Option<String>,
    pub probability: f64,
    pub signals: String,
    pub action: String,
    pub timing: String,
    pub detected_at: i64,
}

/// Rows of a page in the order of their customers.
struct Rows<T>(std::iter::Peekable<std::vec::IntoIter<(Id, T)>>);

impl<T> Rows<T> {
    fn next_of(&mut self, customer: &Id) -> Option<T> {
        while self.0.next_if(|it| it.0 < *customer).is_some() {}
        self.0.next_if(|it| it.0 == *customer).map(|it| it.1)
    }
}

/// New ids that begin with the instant and go up.
pub struct Ids {
    pub next: u128,
}

impl Ids {
    pub fn next(&mut self) -> Id {
        self.next += 1 << 20;
        self.next.to_be_bytes()
    }
}

impl Floor {
    /// A copy of the store at `path`, with an outbox of its own.
    pub fn copy(store: &Path, path: &Path) -> Result<Self> {
        let whole = Connection::open(store)?;
        whole.execute("VACUUM INTO ?", [path.to_str()])?;
        let connection = Connection::open(path)?;
        // Without it, the bundled SQLite compiles a statement anew when a parameter is bound.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA cache_size = -16384;
             PRAGMA wal_autocheckpoint = 4096;
             CREATE TABLE outbox (id INTEGER PRIMARY KEY, org BLOB, name TEXT, subject BLOB,
                 customer BLOB, performed_by TEXT, data TEXT, at INTEGER) STRICT;
             CREATE TABLE loaded AS SELECT max(sequence) AS last FROM event;
             DELETE FROM event;",
        )?;
        let org = connection.query_row("SELECT org FROM customer LIMIT 1", [], |row| row.get(0))?;
        Ok(Self { connection, org })
    }

    /// Takes over what was measured since.
    pub fn follow(&self, store: &Path) -> Result<()> {
        self.connection.execute("ATTACH ? AS theirs", [store.to_str()])?;
        self.connection.execute_batch(
            "INSERT OR REPLACE INTO main.latest_metrics SELECT * FROM theirs.latest_metrics
                 EXCEPT SELECT * FROM main.latest_metrics;
             DETACH theirs;",
        )?;
        self.rest()
    }

    /// Moves the log into the file.
    pub fn rest(&self) -> Result<()> {
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Evaluates everybody as of `now`, in pages.
    pub fn evaluate(&mut self, now: i64, mut progress: impl FnMut(&Counts)) -> Result<Counts> {
        let mut counts = Counts::default();
        let mut after = [0; 16];
        let mut random = [0; 16];
        random.copy_from_slice(Uuid::new_v4().as_bytes());
        let millis = u128::try_from(now / 1_000)? << 80;
        let mut ids = Ids { next: millis | 0x7 << 76 | u128::from_be_bytes(random) >> 52 };
        loop {
            let org = self.org;
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let last = page(&transaction, &org, after, now, &mut ids, &mut counts)?;
            transaction.commit()?;
            progress(&counts);
            let Some(last) = last else { return Ok(counts) };
            after = last;
        }
    }
}

fn rows<T>(
    db: &Connection,
    sql: &str,
    range: [&Id; 3],
    mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Rows<T>> {
    let mut select = db.prepare_cached(sql)?;
    let found = select.query_map(range, |row| Ok((row.get(0)?, read(row)?)))?;
    let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(Rows(found.into_iter().peekable()))
}

#[expect(clippy::too_many_lines, reason = "one query after the other")]
fn page(
    db: &Connection,
    org: &Id,
    after: Id,
    now: i64,
    ids: &mut Ids,
    counts: &mut Counts,
) -> Result<Option<Id>> {
    let mut select = db.prepare_cached(
        "SELECT id, tier, created_at, status, stage, health_score, risk_level, engagement_score,
             cancellation_requested_at, csm_id
         FROM customer WHERE org = ? AND id > ? AND deleted_at IS NULL ORDER BY id LIMIT ?",
    )?;
    let found = select.query_map(params![org, after, i64::try_from(PAGE)?], |row| {
        Ok(Customer {
            id: row.get(0)?,
            tier: row.get(1)?,
            created_at: row.get(2)?,
            status: row.get(3)?,
            stage: row.get(4)?,
            health_score: row.get(5)?,
            risk_level: row.get(6)?,
            engagement: row.get(7)?,
            cancelling: row.get::<_, Option<i64>>(8)?.is_some(),
            csm: row.get(9)?,
        })
    })?;
    let customers = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let (Some(first), Some(last)) = (customers.first(), customers.last()) else { return Ok(None) };
    let range = [org, &first.id, &last.id];
    let mut metrics = rows(
        db,
        "SELECT id, readings FROM latest_metrics WHERE org = ? AND id BETWEEN ? AND ? ORDER BY id",
        range,
        |row| Ok(serde_json::from_str::<Figures>(row.get_ref(1)?.as_str()?)),
    )?;
    let mut pulses = rows(
        db,
        "SELECT id, has_tickets, has_invoices, last_login_at, last_activity_at, tallies FROM pulse
         WHERE org = ? AND id BETWEEN ? AND ? ORDER BY id",
        range,
        |row| {
            let active = row.get::<_, Option<i64>>(3)?.or(row.get(4)?).is_some();
            // What was done on which day would have to be read here.
            assert!(!active && row.get_ref(5)?.as_str()? == r#"{"named":false}"#);
            Ok((row.get::<_, bool>(1)?, row.get::<_, bool>(2)?))
        },
    )?;
    let mut subscriptions = rows(
        db,
        "SELECT customer_id, kind, status, billing_cycle, start_date, end_date, renewal_date,
             renewed_at, cancelled_at, mrr, cancel_at_period_end FROM subscription
         WHERE org = ? AND customer_id BETWEEN ? AND ? ORDER BY customer_id",
        range,
        |row| {
            Ok(Subscription {
                is_paid: row.get_ref(1)?.as_str()? == "paid",
                status: row.get(2)?,
                is_yearly: row.get_ref(3)?.as_str()? == "yearly",
                start: row.get(4)?,
                end: row.get(5)?,
                renewal: row.get(6)?,
                renewed: row.get(7)?,
                cancelled: row.get::<_, Option<i64>>(8)?.is_some(),
                mrr: row.get(9)?,
                ends_at_period: row.get(10)?,
            })
        },
    )?;
    let mut meters = rows(
        db,
        "SELECT customer_id, used, \"limit\", window_end, denial IS NULL FROM meter
         WHERE org = ? AND customer_id BETWEEN ? AND ? ORDER BY customer_id",
        range,
        |row| {
            let (used, limit): (i64, Option<i64>) = (row.get(1)?, row.get(2)?);
            let used =
                if row.get::<_, Option<i64>>(3)?.is_some_and(|end| end <= now) { 0 } else { used };
            let share = limit.filter(|it| *it > 0).map(|it| used as f64 / it as f64);
            Ok(share.filter(|_| row.get(4).is_ok_and(|it: bool| it)))
        },
    )?;
    let mut tickets = rows(
        db,
        "SELECT open_for, severity IN ('high', 'urgent'), escalated, competitor_mentioned FROM support_ticket
         WHERE org = ? AND open_for BETWEEN ? AND ? ORDER BY open_for",
        range,
        |row| Ok((row.get::<_, bool>(1)?, row.get::<_, bool>(2)?, row.get::<_, bool>(3)?)),
    )?;
    let mut invoices = rows(
        db,
        "SELECT unpaid_for, status, due_at FROM customer_invoice
         WHERE org = ? AND unpaid_for BETWEEN ? AND ? ORDER BY unpaid_for",
        range,
        |row| Ok((row.get::<_, String>(1)?, row.get::<_, Option<i64>>(2)?)),
    )?;
    let mut blocked = rows(
        db,
        "SELECT recent_for, attempts, day, feature_code FROM blocked_attempts
         WHERE org = ? AND recent_for BETWEEN ? AND ? ORDER BY recent_for",
        range,
        |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get::<_, String>(3)?)),
    )?;
    let mut answers = rows(
        db,
        "SELECT id, score, responded_at FROM nps_standing
         WHERE org = ? AND id BETWEEN ? AND ? ORDER BY id",
        range,
        |row| Ok((row.get::<_, Option<f64>>(1)?, row.get::<_, Option<i64>>(2)?)),
    )?;
    let mut states = rows(
        db,
        "SELECT id, score, components, previous_score, previous_components, fingerprint,
             override_score, override_until
         FROM health_state WHERE org = ? AND id BETWEEN ? AND ? ORDER BY id",
        range,
        |row| {
            Ok(State {
                score: row.get(1)?,
                components: row.get(2)?,
                previous_score: row.get(3)?,
                previous_components: row.get(4)?,
                print: row.get(5)?,
                override_score: row.get(6)?,
                override_until: row.get(7)?,
            })
        },
    )?;
    let mut signals = rows(
        db,
        "SELECT open_for, id, kind FROM churn_signal
         WHERE org = ? AND open_for BETWEEN ? AND ? ORDER BY open_for",
        range,
        |row| Ok((row.get::<_, Id>(1)?, row.get::<_, String>(2)?)),
    )?;
    let mut running = rows(
        db,
        "SELECT open_for, id, signal FROM intervention
         WHERE org = ? AND open_for BETWEEN ? AND ? ORDER BY open_for",
        range,
        |row| Ok((row.get::<_, Id>(1)?, row.get::<_, String>(2)?)),
    )?;
    let mut opportunities = rows(
        db,
        "SELECT open_for, id, estimated_value, probability, signals, recommended_action, timing,
             detected_at
         FROM expansion_opportunity WHERE org = ? AND open_for BETWEEN ? AND ? ORDER BY open_for",
        range,
        |row| {
            Ok(Opportunity {
                id: row.get(1)?,
                value: row.get(2)?,
                probability: row.get(3)?,
                signals: row.get(4)?,
                action: row.get(5)?,
                timing: row.get(6)?,
                detected_at: row.get(7)?,
            })
        },
    )?;
    let mut closed = rows(
        db,
        "SELECT id, won_at, lost_at, closed FROM expansion_history
         WHERE org = ? AND id BETWEEN ? AND ? ORDER BY id",
        range,
        |row| Ok((row.get::<_, Option<i64>>(1)?, row.get::<_, Option<i64>>(2)?)),
    )?;
    let mut journeys = rows(
        db,
        "SELECT id, since, furthest, latest, total, moves, returned_at, left_expanding_at,
             status_set_at, status_owed
         FROM journey WHERE org = ? AND id BETWEEN ? AND ? ORDER BY id",
        range,
        |row| {
            Ok(Journey {
                since: row.get(1)?,
                furthest: row.get(2)?,
                latest: row.get(3)?,
                total: row.get(4)?,
                moves: row.get(5)?,
                returned_at: row.get(6)?,
                left_expanding_at: row.get(7)?,
                status_set_at: row.get(8)?,
                status_owed: row.get(9)?,
            })
        },
    )?;
    let mut write = Write::new(db, org, now, ids)?;
    for customer in &customers {
        let id = &customer.id;
        let mut figures = metrics.next_of(id).transpose()?.unwrap_or_default();
        // Days since a login are more every day.
        if let Some(login) = &mut figures.all[rules::LOGIN] {
            login.value += ((now - login.at) as f64 / 86_400e6).max(0.0);
        }
        let (mut open, mut severe, mut escalated, mut competitor) = (0, 0, 0, false);
        while let Some((is_severe, is_escalated, mentioned)) = tickets.next_of(id) {
            (open, severe) = (open + 1, severe + u32::from(is_severe));
            escalated += u32::from(is_escalated);
            competitor |= mentioned;
        }
        let pulse = pulses.next_of(id).unwrap_or_default();
        if pulse.0 {
            figures.derive(rules::TICKETS, f64::from(open), now);
            figures.derive(rules::ESCALATIONS, f64::from(escalated), now);
            let severe = f64::from(severe);
            figures.severe_tickets = Some(rules::Figure { value: severe, at: now, derived: true });
        }
        assert!(!pulse.1 && invoices.next_of(id).is_none(), "there are no invoices");
        assert!(blocked.next_of(id).is_none() && answers.next_of(id).is_none());
        assert!(running.next_of(id).is_none() && closed.next_of(id).is_none());
        while let Some(share) = meters.next_of(id) {
            let highest = share
                .into_iter()
                .chain(figures.value(rules::USAGE))
                .fold(None, |a, b| Some(f64::max(a.unwrap_or(b), b)));
            if let Some(highest) = highest {
                figures.derive(rules::USAGE, highest, now);
            }
        }
        let contract = Contract::of(&mut subscriptions, id);
        if let Some(months) = contract.months {
            figures.derive(rules::CONTRACT, months, now);
        }
        let mut known = Vec::new();
        while let Some(signal) = signals.next_of(id) {
            known.push(signal);
        }
        let journey = journeys.next_of(id);
        let state = states.next_of(id);
        let opportunity = opportunities.next_of(id);
        let one = One { customer, figures, contract, competitor };
        write.evaluate(&one, state.as_ref(), &known, opportunity, journey, counts)?;
    }
    Ok(Some(last.id).filter(|_| customers.len() == PAGE))
}

/// What the subscriptions of a customer say.
#[derive(Default)]
pub struct Contract {
    pub active: bool,
    pub runs: bool,
    pub ended_at: Option<i64>,
    pub renewal_at: Option<i64>,
    pub renewed_at: Option<i64>,
    pub months: Option<f64>,
    /// As JSON.
    pub mrr: Option<String>,
}

impl Contract {
    fn of(subscriptions: &mut Rows<Subscription>, customer: &Id) -> Self {
        let mut contract = Self::default();
        while let Some(it) = subscriptions.next_of(customer) {
            if !it.is_paid {
                continue;
            }
            let is_over = matches!(it.status.as_str(), "cancelled" | "expired");
            contract.runs |= !is_over;
            contract.renewed_at = contract.renewed_at.max(it.renewed);
            if matches!(it.status.as_str(), "active" | "past_due") {
                contract.active = true;
                contract.mrr = contract.mrr.or(it.mrr);
                let months = if it.is_yearly { 12.0 } else { 1.0 };
                assert!(it.end.is_none() || it.cancelled || it.start > 0);
                contract.months = Some(contract.months.map_or(months, |it| it.max(months)));
                if !it.ends_at_period {
                    let first = contract.renewal_at.into_iter().chain(it.renewal).min();
                    contract.renewal_at = first;
                }
            } else if is_over {
                contract.ended_at = contract.ended_at.max(it.end);
            }
        }
        contract.ended_at = contract.ended_at.filter(|_| !contract.runs);
        contract
    }
}

/// One customer to be evaluated.
pub struct One<'c> {
    pub customer: &'c Customer,
    pub figures: Figures,
    pub contract: Contract,
    pub competitor: bool,
}

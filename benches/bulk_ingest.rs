//! Bulk ingest of usage events with random keys that are unique for ever, beside the best simple
//! schema by hand: one table, the key as 16 bytes its primary key, batches sorted.
//!
//! ```sh
//! BULK_EVENTS=1000000 cargo bench --bench bulk_ingest
//! ```
//!
//! Wall clocks depend on the disk and on what else runs; time of the CPU and bytes written less so.
//! Both sides write the same events in batches of the same size into files with the same settings,
//! each batch durable. Sizes beyond memory show what random keys cost: set `BULK_EVENTS` to ten
//! million. `BULK_METERS`, `BULK_BATCH` and `BULK_FOLDER` can be set too.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark that goes wrong panics; figures for people"
)]

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior, params};
use std::path::Path;
use std::time::{Duration, Instant};
use tenure::domain::usage_page::{Entry, Series};
use tenure::store::sqlite::{SqliteStore, rusqlite};
use tenure::{
    Code, CustomerId, FeatureDraft, HistoryFilter, IdempotencyKey, MeterId, Onboard, Quantity,
    ResetPeriod, Tenure, TierDraft, TierFeature, UsageEventId, UsageSource,
};
use time::OffsetDateTime;
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const FEATURE: &str = "ai_credits";

fn main() -> Result<()> {
    let number = |name, default| std::env::var(name).map_or(Ok(default), |text| text.parse());
    let (events, meters) = (number("BULK_EVENTS", 50_000)?, number("BULK_METERS", 1_000)?);
    let batch = number("BULK_BATCH", 10_000)?;
    let folder = match std::env::var("BULK_FOLDER") {
        Ok(folder) => tempfile::tempdir_in(folder)?,
        Err(_) => tempfile::tempdir()?,
    };
    println!("{events} events on {meters} meters in batches of {batch}\n");

    let path = folder.path().join("tenure.db");
    let (tenure, customers) = filled(SqliteStore::create(&path)?, meters)?;
    let before = size(&path);
    let mut pages = Pages { tenure, customers };
    let ours = run("pages", events, batch, |number, count| pages.ingest(number, count))?;
    let bytes = (size(&path) - before) as f64 / events as f64;
    println!("pages: {bytes:.1} bytes per event, peak memory {}", peak());
    pages.read(events, batch)?;
    drop(pages);

    let path = folder.path().join("simple.db");
    let mut simple = Simple::create(&path)?;
    let theirs =
        run("simple", events, batch, |number, count| simple.ingest(number, count, meters))?;
    println!("simple: {:.1} bytes per event", size(&path) as f64 / events as f64);
    println!("\nratio: {:.1} overall, {:.1} at the end", theirs.0 / ours.0, theirs.1 / ours.1);
    Ok(())
}

/// Ingests all batches. Returns the seconds for one event, overall and of the last tenth.
fn run(
    name: &str,
    events: usize,
    batch: usize,
    mut ingest: impl FnMut(usize, usize) -> Result<()>,
) -> Result<(f64, f64)> {
    let tenth = (events / 10).max(batch).min(events);
    let (mut total, mut part, mut done, mut reported) = (Duration::ZERO, Duration::ZERO, 0, 0);
    let mut spent = Spent::now();
    let (mut worst, mut last) = (Duration::ZERO, 0.0);
    while done < events {
        let count = batch.min(events - done);
        let begun = Instant::now();
        ingest(done / batch, count)?;
        let took = begun.elapsed();
        (total, part, worst, done) = (total + took, part + took, worst.max(took), done + count);
        if done - reported >= tenth || done == events {
            last = part.as_secs_f64() / (done - reported) as f64;
            let (rate, rows) = (1.0 / last, (done - reported) as f64);
            let now = Spent::now();
            let (cpu, written) =
                ((now.cpu - spent.cpu) / rows, (now.written - spent.written) / rows);
            spent = now;
            println!(
                "{name:<7}{done:>10}: {rate:>8.0} rows/s, {:.2} µs a row, of which {:.2} µs CPU, {written:.0} bytes written",
                last * 1e6,
                cpu / 1e3,
            );
            (part, reported) = (Duration::ZERO, done);
        }
    }
    let all = total.as_secs_f64() / events as f64;
    println!("{name:<7}   overall: {:>8.0} rows/s, slowest batch {worst:.0?}", 1.0 / all);
    Ok((all, last))
}

/// What each event of a batch is: its meter's place and its key. The same number, the same batch.
fn batch_of(number: usize, count: usize, meters: usize) -> impl Iterator<Item = (usize, Uuid)> {
    let mut state = (number as u64 + 1) << 32;
    let mut next = move || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    };
    (0..count).map(move |_| {
        let meter = next() as usize % meters;
        let random = u128::from(next()) << 64 | u128::from(next());
        (meter, uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid())
    })
}

struct Pages {
    tenure: Tenure,
    customers: Vec<CustomerId>,
}

impl Pages {
    /// The batch as a caller gives it: keys as text.
    fn given(&self, number: usize, count: usize) -> Vec<(usize, String)> {
        let batch = batch_of(number, count, self.customers.len());
        batch.map(|(meter, key)| (meter, key.to_string())).collect()
    }

    fn series(&self, given: &[(usize, String)], now: OffsetDateTime) -> Result<Vec<Series>> {
        let feature_code = Code::parse(FEATURE)?;
        let empty = |customer_id: &CustomerId| Series {
            meter_id: MeterId::of(*customer_id, &feature_code),
            customer_id: *customer_id,
            feature_code: feature_code.clone(),
            window_start: OffsetDateTime::UNIX_EPOCH,
            previous_value: Quantity::ZERO,
            quantity_limit: Some(Quantity::from(1_000_000)),
            usage_ceiling: Some(Quantity::from(1_000_000)),
            included_quantity: Quantity::from(500),
            source: UsageSource::Batch,
            entries: Vec::new(),
        };
        let mut series: Vec<Series> = self.customers.iter().map(empty).collect();
        for (meter, key) in given {
            let series = &mut series[*meter];
            let key = IdempotencyKey::parse(key)?;
            series.entries.push(Entry {
                id: UsageEventId::of(series.meter_id, &key),
                key,
                quantity: Quantity::ONE,
                requested: None,
                event_time: now,
                is_timed: false,
                metadata: None,
            });
        }
        series.retain(|series| !series.entries.is_empty());
        Ok(series)
    }

    fn ingest(&mut self, number: usize, count: usize) -> Result<()> {
        let given = self.given(number, count);
        let series = self.series(&given, self.tenure.now())?;
        self.tenure.write(|tx| {
            assert!(tx.view().sealed_usage(&asked(&series))?.is_empty());
            tx.seal_usage(&series)
        })?;
        Ok(())
    }

    /// What reading costs: duplicates, sums, the newest events.
    fn read(&mut self, events: usize, batch: usize) -> Result<()> {
        for (what, number) in [("oldest", 0), ("newest", events.div_ceil(batch) - 1)] {
            let count = batch.min(events - number * batch);
            let given = self.given(number, count);
            let series = self.series(&given, self.tenure.now())?;
            let begun = Instant::now();
            let found = self.tenure.read(|view| view.sealed_usage(&asked(&series)))?;
            let each = begun.elapsed() / count as u32;
            assert_eq!(found.len(), count);
            println!("pages: a duplicate of the {what} batch, all of it again: {each:.1?}");
            let asked = asked(&series);
            let begun = Instant::now();
            for one in asked.iter().take(100) {
                assert_eq!(self.tenure.read(|view| view.sealed_usage(&[*one]))?.len(), 1);
            }
            println!("pages: alone, in a read of its own: {:.1?}", begun.elapsed() / 100);
        }
        let begun = Instant::now();
        let verified = self.tenure.verify(|_| ())?;
        let rate = verified.events as f64 / begun.elapsed().as_secs_f64();
        assert_eq!(verified.events, events);
        println!("pages: verify {rate:.0} events/s");
        let begun = Instant::now();
        let all = HistoryFilter::all();
        let customer = self.customers[0];
        let page =
            self.tenure.read(|view| view.usage_history(customer, FEATURE, &all, 100, None))?;
        println!("pages: the {} newest of a meter: {:.1?}", page.items.len(), begun.elapsed());
        Ok(())
    }
}

fn asked(series: &[Series]) -> Vec<(MeterId, UsageEventId, &IdempotencyKey)> {
    let of = |series: &'_ Series| series.meter_id;
    let events = series.iter().flat_map(|it| it.entries.iter().map(move |entry| (of(it), entry)));
    events.map(|(meter, entry)| (meter, entry.id, &entry.key)).collect()
}

/// A store with customers who may use the feature.
fn filled(store: SqliteStore, customers: usize) -> Result<(Tenure, Vec<CustomerId>)> {
    let tenure = Tenure::open(store)?;
    let credits = TierFeature::new(FEATURE)?.limit(1_000_000, ResetPeriod::Monthly);
    tenure.write(|tx| {
        tx.define_feature(FEATURE, &FeatureDraft::default().name("AI credits"))?;
        tx.define_tier(&TierDraft::new("pro").feature(credits.clone().included(500)))
    })?;
    let mut ids = Vec::with_capacity(customers);
    let requests = (0..customers).map(|number| Onboard::org(format!("org_{number}")).tier("pro"));
    tenure.backfill(requests, |report| ids.extend(report.outcome.map(|it| it.customer_id)))?;
    assert_eq!(ids.len(), customers);
    Ok((tenure, ids))
}

/// The same by hand: a row for each event, found by its key, and nothing else.
struct Simple(Connection);

impl Simple {
    fn create(path: &Path) -> Result<Self> {
        let connection = Connection::open(path)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE usage_event (key BLOB PRIMARY KEY, meter INTEGER NOT NULL,
                 quantity INTEGER NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
        )?;
        Ok(Self(connection))
    }

    fn ingest(&mut self, number: usize, count: usize, meters: usize) -> Result<()> {
        let given = batch_of(number, count, meters).map(|(meter, key)| (meter, key.to_string()));
        let given: Vec<(usize, String)> = given.collect();
        let mut rows = Vec::with_capacity(count);
        for (meter, key) in &given {
            rows.push((Uuid::parse_str(key)?.into_bytes(), i64::try_from(*meter)?));
        }
        rows.sort_unstable();
        let tx = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = tx.prepare_cached(
                "INSERT INTO usage_event VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            )?;
            for (key, meter) in &rows {
                let at = 1_800_000_000_000_000 + i64::try_from(number)?;
                assert_eq!(insert.execute(params![key, meter, 1_000_000, at])?, 1);
            }
        }
        tx.commit()?;
        Ok(())
    }
}

/// How many bytes the file takes. Its log, some megabytes however long the ledger is, is left out.
fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |it| it.len())
}

/// What the process has spent so far, where the system tells: nanoseconds of CPU, bytes written.
#[derive(Clone, Copy)]
struct Spent {
    cpu: f64,
    written: f64,
}

impl Spent {
    fn now() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let number = |text: Option<&str>| text.and_then(|it| it.parse().ok()).unwrap_or(0.0);
        let cpu = number(read("/proc/self/schedstat").split(' ').next());
        let written =
            number(read("/proc/self/io").lines().find_map(|it| it.strip_prefix("wchar: ")));
        Self { cpu, written }
    }
}

/// The most memory that the process ever had, where the system tells.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |it| it.trim().to_owned())
}

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
use tenure::store::sqlite::{SqliteStore, rusqlite};
use tenure::{
    CustomerId, FeatureDraft, HistoryFilter, Onboard, ResetPeriod, Tenure, TierDraft, TierFeature,
    Track,
};
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
    let ours = Ours { tenure, customers };
    ours.acknowledge()?;
    let empty = ours.singles("ours, empty")?;
    let before = size(&path);
    let after = || ours.acknowledge();
    let costs =
        run("ours", events, batch, |n, count| ours.given(n, count), |it| ours.ingest(it), after)?;
    let bytes = size(&path).saturating_sub(before) as f64 / events as f64;
    println!("ours: {bytes:.1} bytes per event, peak memory {}", peak());
    let full = ours.singles("ours, full")?;
    for (what, (full, empty)) in
        ["check", "track", "one of many"].iter().zip(full.iter().zip(&empty))
    {
        println!("ours: full / empty, {what}: {:.2}", full / empty);
    }
    ours.read(events, batch)?;
    drop(ours);
    std::fs::remove_file(&path)?;

    let path = folder.path().join("simple.db");
    let mut simple = Simple::create(&path)?;
    let given = |number, count| Simple::given(number, count, meters);
    let theirs = run("simple", events, batch, given, |it| simple.ingest(it), || Ok(()))?;
    println!("simple: {:.1} bytes per event\n", size(&path) as f64 / events as f64);
    for (ours, theirs) in costs.iter().zip(&theirs) {
        println!(
            "at {:>10}: simple / ours: {:.1} in CPU, {:.1} in time",
            ours.done,
            theirs.cpu / ours.cpu,
            theirs.time / ours.time
        );
    }
    let (first, last) = (costs.first(), costs.last());
    if let Some((first, last)) = first.zip(last) {
        println!("growth from {} to {}: {:.2} in CPU", first.done, last.done, last.cpu / first.cpu);
    }
    Ok(())
}

/// What an event costs around the time when so many are there: seconds, and seconds of the CPU.
struct Cost {
    done: usize,
    time: f64,
    cpu: f64,
}

/// Ingests all batches; `after` each, something that is not measured. Returns what each tenth cost.
fn run<B>(
    name: &str,
    events: usize,
    batch: usize,
    given: impl Fn(usize, usize) -> B,
    mut ingest: impl FnMut(&B) -> Result<()>,
    after: impl Fn() -> Result<()>,
) -> Result<Vec<Cost>> {
    let tenth = (events / 10).max(batch).min(events);
    let (mut costs, mut done, mut reported, mut worst) = (Vec::new(), 0, 0, Duration::ZERO);
    let (mut time, mut spent) = (0.0, Spent { cpu: 0.0, written: 0.0 });
    while done < events {
        let count = batch.min(events - done);
        let given = given(done / batch, count);
        let (begun, before) = (Instant::now(), Spent::now());
        ingest(&given)?;
        let (took, now) = (begun.elapsed(), Spent::now());
        (worst, done, time) = (worst.max(took), done + count, time + took.as_secs_f64());
        spent.cpu += now.cpu - before.cpu;
        spent.written += now.written - before.written;
        after()?;
        if done - reported >= tenth || done == events {
            let rows = (done - reported) as f64;
            let cost = Cost { done, time: time / rows, cpu: spent.cpu / 1e9 / rows };
            println!(
                "{name:<7}{done:>10}: {:>8.0} rows/s, {:.2} µs a row, of which {:.2} µs CPU, {:.0} bytes written",
                1.0 / cost.time,
                cost.time * 1e6,
                cost.cpu * 1e6,
                spent.written / rows,
            );
            costs.push(cost);
            (time, spent, reported) = (0.0, Spent { cpu: 0.0, written: 0.0 }, done);
        }
    }
    println!("{name:<7} slowest batch {worst:.0?}");
    Ok(costs)
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

struct Ours {
    tenure: Tenure,
    customers: Vec<CustomerId>,
}

impl Ours {
    /// The batch as a caller gives it: keys as text.
    fn given(&self, number: usize, count: usize) -> Vec<Track> {
        let batch = batch_of(number, count, self.customers.len());
        let track =
            |(meter, key): (usize, Uuid)| Track::new(self.customers[meter], FEATURE).key(key);
        batch.map(track).collect()
    }

    fn ingest(&self, given: &[Track]) -> Result<()> {
        let answers = self.tenure.track_batch(given)?;
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|it| !it.duplicate)));
        Ok(())
    }

    /// What a host does with what a batch tells it.
    fn acknowledge(&self) -> Result<()> {
        loop {
            let told = self.tenure.read(|view| view.events(None, 1_000))?;
            if told.is_empty() {
                return Ok(());
            }
            self.tenure.write(|tx| tx.acknowledge(told.iter().map(|event| event.id)))?;
        }
    }

    /// Microseconds of the CPU for a check and for a track, when all that they need is in memory.
    fn singles(&self, name: &str) -> Result<[f64; 3]> {
        let known = self.customers.iter().step_by(self.customers.len().div_ceil(100));
        let known: Vec<CustomerId> = known.copied().collect();
        let each = |count: usize, what: &dyn Fn(CustomerId) -> Result<()>| -> Result<f64> {
            let once = |count: usize| -> Result<()> {
                known.iter().cycle().take(count).try_for_each(|customer| what(*customer))
            };
            once(count / 4)?;
            let before = Spent::now();
            once(count)?;
            Ok((Spent::now().cpu - before.cpu) / 1e3 / count as f64)
        };
        let check = each(20_000, &|customer| {
            assert!(self.tenure.read(|view| view.check(customer, FEATURE))?.can_use);
            Ok(())
        })?;
        let track = |customer| Track::new(customer, FEATURE).key(Uuid::new_v4());
        let alone = each(2_000, &|customer| {
            assert!(!self.tenure.track(&track(customer))?.duplicate);
            Ok(())
        })?;
        // Most of one alone is its commit, whose cost is that of the disk.
        let among = each(100, &|_| {
            let tracks: Vec<Track> = known.iter().map(|customer| track(*customer)).collect();
            self.tenure.write(|tx| tracks.iter().try_for_each(|it| tx.track(it).map(drop)))?;
            Ok(())
        })? / known.len() as f64;
        self.acknowledge()?;
        println!(
            "{name}: a check {check:.2} µs, a track {alone:.2} µs, one of {} in a transaction {among:.2} µs (CPU, warm)",
            known.len()
        );
        Ok([check, alone, among])
    }

    /// What reading costs: duplicates, sums, the newest events.
    fn read(&self, events: usize, batch: usize) -> Result<()> {
        for (what, number) in [("oldest", 0), ("newest", events.div_ceil(batch) - 1)] {
            let count = batch.min(events - number * batch);
            let given = self.given(number, count);
            let before = Spent::now();
            let answers = self.tenure.track_batch(&given)?;
            let each = (Spent::now().cpu - before.cpu) / 1e3 / count as f64;
            assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|it| it.duplicate)));
            println!("ours: a duplicate, all of the {what} batch again: {each:.2} µs of CPU each");
            let before = Spent::now();
            for track in given.iter().take(100) {
                assert!(self.tenure.track(track)?.duplicate);
            }
            let each = (Spent::now().cpu - before.cpu) / 1e5;
            println!(
                "ours: a duplicate of it alone, in a transaction of its own: {each:.1} µs of CPU"
            );
        }
        let (begun, before) = (Instant::now(), Spent::now());
        let verified = self.tenure.verify(|_| ())?;
        assert!(verified.is_sound());
        let (took, cpu) = (begun.elapsed().as_secs_f64(), (Spent::now().cpu - before.cpu) / 1e9);
        let rate = |seconds: f64| verified.events as f64 / seconds;
        println!(
            "ours: verify {} events, {:.0} a second, {:.0} a second of CPU",
            verified.events,
            rate(took),
            rate(cpu)
        );
        let (all, customer) = (HistoryFilter::all(), self.customers[0]);
        let newest =
            || self.tenure.read(|view| view.usage_history(customer, FEATURE, &all, 100, None));
        newest()?;
        let before = Spent::now();
        let page = newest()?;
        let cpu = (Spent::now().cpu - before.cpu) / 1e6;
        println!("ours: the {} newest of a meter: {cpu:.2} ms of CPU", page.items.len());
        Ok(())
    }
}

/// A store with customers who may use the feature.
fn filled(store: SqliteStore, customers: usize) -> Result<(Tenure, Vec<CustomerId>)> {
    let tenure = Tenure::open(store)?;
    let credits = TierFeature::new(FEATURE)?.limit(1_000_000_000, ResetPeriod::Monthly);
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

    fn given(number: usize, count: usize, meters: usize) -> Vec<(usize, String)> {
        batch_of(number, count, meters).map(|(meter, key)| (meter, key.to_string())).collect()
    }

    fn ingest(&mut self, given: &[(usize, String)]) -> Result<()> {
        let at: i64 = 1_800_000_000_000_000;
        let mut rows = Vec::with_capacity(given.len());
        for (meter, key) in given {
            rows.push((Uuid::parse_str(key)?.into_bytes(), i64::try_from(*meter)?));
        }
        rows.sort_unstable();
        let tx = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = tx.prepare_cached(
                "INSERT INTO usage_event VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            )?;
            for (key, meter) in &rows {
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

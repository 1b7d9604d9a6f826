//! Smart linking beside a search through everybody, in quality and in time, while the directory
//! grows.
//!
//! ```sh
//! cargo bench --bench linking
//! LINK_SIZES=10000,50000,200000,1000000 LINK_DIR=DIR cargo bench --bench linking
//! ```
//!
//! The companies are those that tenure's sources bring along, or those of `DIR/haystack.csv`, and
//! then such as could be: words of real names newly combined. Asked are the questions that belong to
//! them (`DIR/queries.csv`). Wall clocks depend on what else runs; ratios less so. "From the store"
//! is a handle that remembers nothing between two questions; the system's cache of the file stays.
//! `LINK_MEMORY` is how many MiB the other handle may remember, unless it is the default.

#![allow(unreachable_pub, reason = "the modules of a benchmark are no API")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a benchmark that goes wrong panics; figures for people"
)]

mod brute;
mod companies;
mod data;
mod score;
#[path = "../support/mod.rs"]
mod support;

use brute::Brute;
use companies::Companies;
use data::{Answer, Company, Ids, Question, Result};
use score::Score;
use std::path::Path;
use std::time::Instant;
use support::timed;
use tenure::domain::smart_link::MIN_CONFIDENCE;
use tenure::store::sqlite::SqliteStore;
use tenure::{Config, Tenure};

/// How many questions are timed at each size, and how many of a handle that remembers nothing.
const ASKED: usize = 1_000;
const ASKED_OF_STORE: usize = 200;

/// How often each is asked; the fastest counts, as a machine that does other work beside interrupts
/// some.
const ROUNDS: usize = 3;

fn main() -> Result<()> {
    let sizes = std::env::var("LINK_SIZES").unwrap_or_else(|_| "10000,50000".to_owned());
    let sizes = sizes.split(',').map(|it| it.trim().parse()).collect::<Result<Vec<usize>, _>>()?;
    let (companies, questions) = data::extract()?;
    quality(&companies, &questions)?;
    let (companies, questions) = match std::env::var("LINK_DIR") {
        Ok(folder) => data::directory(Path::new(&folder))?,
        Err(_) => (companies, questions),
    };
    let memory = match std::env::var("LINK_MEMORY") {
        Ok(mebibytes) => mebibytes.parse::<usize>()? << 20,
        Err(_) => Config::default().link_memory_max,
    };
    let ours = growth(&sizes, memory, &companies, &questions)?;
    let theirs = brute_growth(&sizes, &companies, &questions);
    println!();
    for (row, brute) in ours.iter().zip(&theirs) {
        println!(
            "{:>9} customers: a search through everybody takes {:.1} ms a question, {:.0} × as long",
            row.customers,
            brute / 1e3,
            brute / row.warm[0]
        );
    }
    for (i, j) in (1..ours.len()).map(|j| (j - 1, j)) {
        let (few, many) = (&ours[i], &ours[j]);
        println!(
            "growth {} → {}: warm {:.2}, p99 {:.2}, from the store {:.2}, loading {:.2}, everybody {:.2}",
            few.customers,
            many.customers,
            many.warm[0] / few.warm[0],
            many.warm[1] / few.warm[1],
            many.stored[0] / few.stored[0],
            many.load / few.load,
            theirs[j] / theirs[i],
        );
    }
    Ok(())
}

/// How good the answers are that both give on the directory that the sources bring along.
fn quality(companies: &[Company], questions: &[Question]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tenure = Tenure::open(SqliteStore::create(folder.path().join("tenure.db"))?)?;
    let mut ids = Ids::new();
    data::load(&tenure, companies, &mut ids)?;
    println!("{} real companies, {} questions", companies.len(), questions.len());
    println!("{:<28} {}", "tenure", scored(&tenure, questions, &ids)?);

    let mut brute = Brute::default();
    brute.add(companies.to_vec());
    for margin in [0.0, 0.05, 0.1, 0.2] {
        let mut score = Score::default();
        for question in questions {
            score.add(&question.truth, &brute.answer(question, margin));
        }
        println!("{:<28} {score}", format!("everybody, if {margin:.2} ahead"));
    }
    println!();
    Ok(())
}

fn scored(tenure: &Tenure, questions: &[Question], ids: &Ids) -> Result<Score> {
    let mut score = Score::default();
    for question in questions {
        let found = tenure.read(|view| view.find_match(&question.hints(), MIN_CONFIDENCE))?;
        score.add(&question.truth, &Answer::of(&found, ids));
    }
    Ok(score)
}

/// What was measured at one size: microseconds, the median and the 99th percentile of questions.
struct Row {
    customers: usize,
    load: f64,
    warm: [f64; 2],
    stored: [f64; 2],
}

/// Loads one file up to each of the sizes, and asks it.
fn growth(
    sizes: &[usize],
    memory: usize,
    real: &[Company],
    questions: &[Question],
) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("tenure.db");
    let tenure = Tenure::open(SqliteStore::create(&path)?)?;
    let (mut companies, mut loaded) = (Companies::new(real), 0);
    let (asked, of_store) = (some(questions, ASKED), some(questions, ASKED_OF_STORE));
    println!(
        "{:>9} {:>16} {:>18} {:>8} {:>20} {:>20} {:>20}",
        "customers", "loading, CPU", "file, bytes each", "memory", "first p50/p99", "warm", "store"
    );
    let mut rows = Vec::new();
    for size in sizes.iter().copied() {
        let (mut time, mut cpu, before) = (0.0, 0.0, loaded);
        while loaded < size {
            let chunk = companies.take((size - loaded).min(1_000));
            let begun = Instant::now();
            cpu += timed(1, || Ok(data::load(&tenure, &chunk, &mut Ids::new())?))?;
            time += begun.elapsed().as_secs_f64();
            loaded += chunk.len();
        }
        let count = (loaded - before).max(1) as f64;
        let warm = handle(&path, memory)?;
        let first = times(&warm, &asked, 1)?;
        let again = times(&warm, &asked, ROUNDS)?;
        let peak = peak_memory();
        let stored = times(&handle(&path, 0)?, &of_store, ROUNDS)?;
        let bytes = path.metadata()?.len() as f64;
        let pair = |[half, most]: [f64; 2]| format!("{half:.0} / {most:.0} µs");
        println!(
            "{loaded:>9} {:>16} {:>18} {peak:>8} {:>20} {:>20} {:>20}",
            format!("{:.0}, {:.0} µs", time / count * 1e6, cpu / count / 1e3),
            format!("{:.0} MB, {:.0}", bytes / 1e6, bytes / loaded as f64),
            pair(first),
            pair(again),
            pair(stored),
        );
        rows.push(Row { customers: loaded, load: cpu / count, warm: again, stored });
    }
    Ok(rows)
}

/// A handle of its own that remembers so many bytes for smart linking.
fn handle(path: &Path, memory: usize) -> Result<Tenure> {
    let mut config = Config::default();
    config.link_memory_max = memory;
    Ok(Tenure::builder(SqliteStore::open(path)?).config(config).open()?)
}

/// So many questions or all, spread over them.
fn some(questions: &[Question], count: usize) -> Vec<&Question> {
    questions.iter().step_by(questions.len().div_ceil(count).max(1)).collect()
}

/// Microseconds of a question, each in a read of its own, the fastest of some `rounds`: the median
/// of the questions and the 99th percentile.
fn times(tenure: &Tenure, questions: &[&Question], rounds: usize) -> Result<[f64; 2]> {
    let mut times = vec![f64::INFINITY; questions.len()];
    for _ in 0..rounds {
        for (question, time) in questions.iter().zip(&mut times) {
            let hints = question.hints();
            let begun = Instant::now();
            tenure.read(|view| view.find_match(&hints, MIN_CONFIDENCE))?;
            *time = time.min(begun.elapsed().as_secs_f64() * 1e6);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok([50, 99].map(|percent| times[(times.len() * percent / 100).min(times.len() - 1)]))
}

/// The median of some questions to everybody at each of the sizes, in microseconds.
fn brute_growth(sizes: &[usize], real: &[Company], questions: &[Question]) -> Vec<f64> {
    let (mut companies, mut brute) = (Companies::new(real), Brute::default());
    let mut medians = Vec::new();
    for size in sizes {
        brute.add(companies.take(size.saturating_sub(brute.len())));
        // The more there are, the less it differs.
        let count = (1_000_000 / size.max(&1)).clamp(9, 99);
        let time = |question| {
            let begun = Instant::now();
            std::hint::black_box(brute.answer(question, 0.0));
            begun.elapsed().as_secs_f64() * 1e6
        };
        medians.push(support::median(
            &mut some(questions, count).into_iter().map(time).collect::<Vec<_>>(),
        ));
    }
    medians
}

/// The most memory that the process has held, where the system tells.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|it| it.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.map_or_else(|| "unknown".to_owned(), |it| format!("{} MB", it / 1_000))
}

//! How well and how fast smart linking works, on a directory and questions of your own.
//!
//! ```sh
//! cargo run --release --example link_benchmark -- DIR [OUT.jsonl]
//! ```
//!
//! `DIR/haystack.csv` (`company_id,name,domain`) holds the companies that are known;
//! `DIR/queries.csv` (`query_id,name,domain,emails`, the addresses with `;` between them) what is
//! asked, and with a column `true_company_id` (empty: none of them) how good the answers are. The
//! directory goes into a fresh SQLite file through the ordinary operations, and every question is
//! asked in a transaction of its own, without a link being written. `OUT.jsonl` gets one line per
//! question: its outcome, and the candidates with their confidence, best first.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers of an example are small")]

#[path = "../benches/linking/data.rs"]
mod data;
#[path = "../benches/linking/score.rs"]
mod score;

use data::{Answer, Ids, Result};
use score::Score;
use serde_json::json;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};
use tenure::store::sqlite::SqliteStore;
use tenure::{SmartLink, Tenure};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: link_benchmark DIR [OUT.jsonl]")?;
    let out = arguments.next();
    let (companies, questions) = data::directory(Path::new(&folder))?;

    let file = tempfile::tempdir()?;
    let path = file.path().join("directory.db");
    let tenure = Tenure::open(SqliteStore::create(&path)?)?;
    let (start, mut ids) = (Instant::now(), Ids::new());
    data::load(&tenure, &companies, &mut ids)?;
    let took = start.elapsed();
    let each = took / u32::try_from(companies.len())?;
    println!("{} companies loaded in {took:?}, {each:?} each", companies.len());
    println!("file: {} bytes a company", std::fs::metadata(&path)?.len() / companies.len() as u64);

    let mut answers = Vec::with_capacity(questions.len());
    let mut times = Vec::with_capacity(questions.len());
    for question in &questions {
        let hints = question.hints();
        let start = Instant::now();
        let answer = tenure.read(|view| view.find_match(&hints, 0.6))?;
        times.push(start.elapsed());
        answers.push(answer);
    }
    times.sort_unstable();
    println!(
        "{} questions: p50 {:?}, p99 {:?}, slowest {:?}",
        times.len(),
        quantile(&times, 50),
        quantile(&times, 99),
        quantile(&times, 100),
    );
    let mut score = Score::default();
    for (question, answer) in questions.iter().zip(&answers) {
        score.add(&question.truth, &Answer::of(answer, &ids));
    }
    if score.answerable > 0 {
        println!("{score}");
    }
    if let Some(out) = out {
        let mut out = BufWriter::new(File::create(out)?);
        for (question, answer) in questions.iter().zip(&answers) {
            writeln!(out, "{}", line(&question.id, answer, &ids))?;
        }
        out.flush()?;
    }
    println!("peak memory: {}", peak_memory());
    Ok(())
}

fn line(query: &str, answer: &SmartLink, ids: &Ids) -> serde_json::Value {
    let outcome = match answer {
        SmartLink::Linked(_) => "linked",
        SmartLink::Suggestions { .. } => "suggestions",
        _ => "no_match",
    };
    json!({ "query_id": query, "outcome": outcome, "candidates": Answer::of(answer, ids).candidates })
}

fn quantile(sorted: &[Duration], percent: usize) -> Duration {
    sorted
        .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

/// The most memory that the process has held, where the system tells.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |it| it.trim().to_owned())
}

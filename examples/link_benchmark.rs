//! How well and how fast smart linking works, on a directory and questions of your own.
//!
//! ```sh
//! cargo run --release --example link_benchmark -- DIR [OUT.jsonl]
//! ```
//!
//! `DIR/haystack.csv` (`company_id,name,domain`) holds the companies that are known;
//! `DIR/queries.csv` (`query_id,name,domain,emails`, the addresses with `;` between them) what is
//! asked. The directory goes into a fresh SQLite file through the ordinary operations, and every
//! question is asked in a transaction of its own, without a link being written. `OUT.jsonl` gets
//! one line per question: its outcome, and the candidates with their confidence, best first.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers of an example are small")]

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};
use tenure::store::sqlite::SqliteStore;
use tenure::{CustomerDraft, CustomerId, ErrorCode, Hints, SmartLink, Suggestion, Tenure};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// The longest name that a customer has, in characters.
const NAME_MAX: usize = 200;

/// A company that is known.
#[derive(Deserialize)]
struct Company {
    #[serde(rename = "company_id")]
    id: String,
    name: String,
    domain: String,
}

/// What somebody who signed up said of their company.
#[derive(Deserialize)]
struct Question {
    query_id: String,
    name: String,
    domain: String,
    emails: String,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: link_benchmark DIR [OUT.jsonl]")?;
    let out = arguments.next();
    let companies: Vec<Company> = rows(&Path::new(&folder).join("haystack.csv"))?;
    let questions: Vec<Question> = rows(&Path::new(&folder).join("queries.csv"))?;

    let file = tempfile::tempdir()?;
    let path = file.path().join("directory.db");
    let tenure = Tenure::open(SqliteStore::create(&path)?)?;
    let ids = load(&tenure, &companies)?;
    println!("file: {} bytes a company", std::fs::metadata(&path)?.len() / companies.len() as u64);

    let mut answers = Vec::with_capacity(questions.len());
    let mut times = Vec::with_capacity(questions.len());
    for question in &questions {
        let hints = hints(question);
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
    if let Some(out) = out {
        let mut out = BufWriter::new(File::create(out)?);
        for (question, answer) in questions.iter().zip(&answers) {
            writeln!(out, "{}", line(&question.query_id, answer, &ids))?;
        }
        out.flush()?;
    }
    println!("peak memory: {}", peak_memory());
    Ok(())
}

fn rows<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Vec<T>> {
    let rows =
        csv::Reader::from_path(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(rows.into_deserialize().collect::<Result<_, _>>()?)
}

/// Loads the directory; two companies of one name get the second's id behind it, as a customer's
/// name is unique.
fn load(tenure: &Tenure, companies: &[Company]) -> Result<HashMap<CustomerId, String>> {
    let start = Instant::now();
    let mut ids = HashMap::with_capacity(companies.len());
    for chunk in companies.chunks(5_000) {
        tenure.write(|tx| {
            for company in chunk {
                let name: String =
                    company.name.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
                let mut draft = CustomerDraft::named(&name);
                if !company.domain.is_empty() {
                    draft = draft.domain(company.domain.as_str());
                }
                let made = match tx.create_customer(&draft) {
                    Err(error) if error.code() == ErrorCode::Conflict => {
                        let unique = format!("{} {}", company.id, company.name);
                        let unique: String = unique.chars().take(NAME_MAX).collect();
                        tx.create_customer(&draft.name(unique).company_name(name))
                    }
                    made => made,
                }?;
                ids.insert(made.id, company.id.clone());
            }
            Ok::<_, tenure::Error>(())
        })?;
    }
    let took = start.elapsed();
    let each = took / u32::try_from(companies.len())?;
    println!("{} companies loaded in {took:?}, {each:?} each", companies.len());
    Ok(ids)
}

fn hints(question: &Question) -> Hints {
    let mut hints = Hints::new();
    if !question.name.is_empty() {
        hints = hints.company_name(&question.name);
    }
    if !question.domain.is_empty() {
        hints = hints.domain(&question.domain);
    }
    question.emails.split(';').filter(|email| !email.is_empty()).fold(hints, Hints::email)
}

fn line(query: &str, answer: &SmartLink, ids: &HashMap<CustomerId, String>) -> Value {
    let pair = |it: &Suggestion| json!([ids[&it.customer_id], it.confidence]);
    let (outcome, candidates) = match answer {
        SmartLink::Linked(best) => ("linked", vec![pair(best)]),
        SmartLink::Suggestions { suggestions } => {
            ("suggestions", suggestions.iter().map(pair).collect())
        }
        _ => ("no_match", Vec::new()),
    };
    json!({ "query_id": query, "outcome": outcome, "candidates": candidates })
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

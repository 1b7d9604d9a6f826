//! History at bulk speed: twenty thousand organisations of the past years, each with its contact
//! and its tier, with progress and the outcome of every row; then once more, to see that nothing is
//! made twice.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the numbers of an example are small"
)]

use std::error::Error;
use std::io::Write as _;
use std::time::Instant;
use tenure::store::sqlite::SqliteStore;
use tenure::{Onboard, Tenure, TierDraft};
use time::{Duration, OffsetDateTime};

fn main() -> Result<(), Box<dyn Error>> {
    let rows = std::env::args().nth(1).map_or(Ok(20_000), |rows| rows.parse())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("history.db");
    let tenure = Tenure::open(SqliteStore::create(&path)?)?;
    tenure.write(|tx| tx.define_tier(&TierDraft::new("starter")))?;

    for pass in ["first", "again"] {
        let start = Instant::now();
        let done = tenure.backfill((0..rows).map(history), |report| {
            if let Err(error) = &report.outcome {
                println!("\rrow {} ({}): {error}", report.row, report.request.external_org_id);
            }
            if report.progress.rows % 500 == 0 {
                print!("\r{pass}: {} of {rows}", report.progress.rows);
                let _ = std::io::stdout().flush();
            }
        })?;
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "\r{pass}: {} created, {} linked to one of these, {} linked already, {} refused; \
             {:.0} rows a second",
            done.created,
            done.linked,
            done.already_linked,
            done.failed,
            f64::from(rows) / seconds
        );
    }
    let oldest = tenure.read(|view| view.customer_by_link("org-0"))?;
    if let Some(customer) = oldest {
        println!("{} has been a customer since {}", customer.name, customer.created_at.date());
    }
    println!("{} bytes a customer on disk", std::fs::metadata(&path)?.len() / u64::from(rows));
    Ok(())
}

/// An organisation as an old system has it. Every thousandth has an address that is none.
fn history(number: u32) -> Onboard {
    let start = OffsetDateTime::UNIX_EPOCH + Duration::days(18_262);
    let (first, last) = (word(number), word(number.wrapping_mul(2_654_435_761)));
    let (name, domain) =
        (format!("{first} {last}"), format!("{first}-{number}.com").to_lowercase());
    let mail = if number % 1_000 == 999 { "nobody".into() } else { format!("office@{domain}") };
    Onboard::org(format!("org-{number}"))
        .company(name)
        .domain(domain)
        .contact(mail, format!("{last} {first}"))
        .tier("starter")
        .since(start + Duration::hours(i64::from(number)))
}

/// A word that can be spoken: consonants and vowels in turn.
fn word(number: u32) -> String {
    let (consonants, vowels) = (b"bdfgklmnprstvz", b"aeiou");
    let mut rest = number / 7 + 1_000;
    let mut word = String::new();
    while rest > 0 {
        word.push(char::from(consonants[(rest % 14) as usize]));
        word.push(char::from(vowels[(rest / 14 % 5) as usize]));
        rest /= 70;
    }
    word[..1].to_uppercase() + &word[1..]
}

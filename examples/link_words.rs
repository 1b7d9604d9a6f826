//! Makes the table of the words that names of companies have often, from a directory of one's own.
//!
//! ```sh
//! cargo run --release --example link_words -- DIR > src/domain/word_weight/common.rs
//! ```
//!
//! `DIR/haystack.csv` (`company_id,name,domain`) holds the companies.

#[path = "../benches/linking/data.rs"]
mod data;

use data::{Company, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tenure::domain::company_name::CompanyName;

/// As many companies must have a word: fewer say little about how often others have it.
const COMPANIES_MIN: u64 = 40;

/// How long a line is, in characters.
const WIDTH: usize = 100;

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).ok_or("usage: link_words DIR")?;
    let companies: Vec<Company> = data::rows(&Path::new(&folder).join("haystack.csv"))?;
    let mut having: BTreeMap<String, u64> = BTreeMap::new();
    for company in &companies {
        let name = CompanyName::fold(&company.name).latin();
        for word in name.tokens().iter().cloned().collect::<BTreeSet<_>>() {
            let count = having.entry(word).or_default();
            *count = count.saturating_add(1);
        }
    }
    let all = u64::try_from(companies.len())?;
    println!(
        "//! Words that names of companies have often, sorted, with how many of 100,000 companies have each:\n\
         //! of the {} companies of a public directory of companies those that {COMPANIES_MIN} or more have.\n\n\
         #[rustfmt::skip]\n\
         pub(super) const COMMON: &[(&str, u16)] = &[",
        grouped(all),
    );
    let mut line = "   ".to_owned();
    for (word, count) in having.into_iter().filter(|(_, count)| *count >= COMPANIES_MIN) {
        let share = count.saturating_mul(100_000).checked_div(all).unwrap_or_default();
        let cell = format!(" ({word:?}, {share}),");
        if line.chars().count().saturating_add(cell.chars().count()) > WIDTH {
            println!("{line}");
            line.truncate(3);
        }
        line.push_str(&cell);
    }
    println!("{line}\n];");
    Ok(())
}

/// A number with a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let cut = |(place, digit)| {
        let before_three = place > 0 && digits.len().saturating_sub(place) % 3 == 0;
        before_three.then_some(',').into_iter().chain([digit])
    };
    digits.char_indices().flat_map(cut).collect()
}

//! What questions and their candidates show, as data for `benches/linking/learn.py`.
//!
//! ```sh
//! cargo run --release --example link_signs -- DIR OUT.csv [PARTS…]
//! ```
//!
//! `DIR/haystack.csv` (`company_id,name,domain`) holds the companies that are known;
//! `DIR/queries.csv` (`query_id,name,domain,emails,true_company_id`) what is asked, and who is
//! meant. Each of `PARTS` (1, 10 and 60 unless told otherwise) is a sample of one company in so
//! many, since what is learned must hold for few customers too. It is chosen by a hash of the
//! company's id, the same every time. A sample is asked what is meant for one of its companies, and
//! a sample of the questions without an answer. `OUT.csv` gets a line for each candidate of each
//! question: `query@part`, the company, whether it is the right one, and all that shows.

#[path = "../benches/linking/data.rs"]
mod data;

use data::{Company, Question, Result};
use std::collections::HashMap;
use std::path::Path;
use tenure::DomainName;
use tenure::domain::candidates::Search;
use tenure::domain::clues::Clues;
use tenure::domain::match_keys::{
    CANDIDATES_PER_KEY_MAX, KeyKind, Known, MatchKey, keys_of, keys_of_clues,
};
use tenure::domain::smart_link::{Sign, Signs};
use tenure::domain::word_weight::word_weight;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: link_signs DIR OUT.csv [PARTS…]";
    let (folder, out) = arguments.next().zip(arguments.next()).ok_or(usage)?;
    let mut parts = arguments.map(|it| it.parse()).collect::<Result<Vec<u64>, _>>()?;
    if parts.is_empty() {
        parts = vec![1, 10, 60];
    }
    let (companies, questions) = data::directory(Path::new(&folder))?;
    // What a candidate shows by itself; how it stands among its rivals is for the learner.
    let signs = || Sign::ALL.iter().copied().filter(|sign| *sign < Sign::Odds);

    let mut out = csv::Writer::from_path(out)?;
    out.write_record(["query", "company", "right"].into_iter().chain(signs().map(Sign::name)))?;
    for part in parts {
        let sample = Sample::of(&companies, part)?;
        let (mut asked, mut answerable, mut found) = (0_u32, 0_u32, 0_u32);
        for question in questions.iter().filter(|it| sample.is_asked(it)) {
            asked = asked.saturating_add(1);
            answerable = answerable.saturating_add(u32::from(!question.truth.is_empty()));
            for (company, shown) in sample.candidates(question) {
                let is_right = company.id == question.truth;
                found = found.saturating_add(u32::from(is_right));
                let query = format!("{}@{part}", question.id);
                let begin = [query, company.id.clone(), u8::from(is_right).to_string()];
                let figures = signs().map(|sign| shown.get(sign).to_string());
                out.write_record(begin.into_iter().chain(figures))?;
            }
        }
        let count = sample.companies.len();
        println!("{count} companies, {asked} questions: {found} of {answerable} among candidates");
    }
    out.flush()?;
    Ok(())
}

/// A part of the directory, with an index of its own.
struct Sample<'c> {
    part: u64,
    companies: Vec<(&'c Company, Known)>,
    places: HashMap<&'c str, u32>,
    having: HashMap<MatchKey, Vec<u32>>,
}

impl<'c> Sample<'c> {
    /// One company in `part` of all.
    fn of(all: &'c [Company], part: u64) -> Result<Self> {
        let mut sample =
            Self { part, companies: Vec::new(), places: HashMap::new(), having: HashMap::new() };
        for (place, company) in all.iter().filter(|it| is_in(&it.id, part)).enumerate() {
            let place = u32::try_from(place)?;
            let domain: Vec<DomainName> = DomainName::parse(&company.domain).into_iter().collect();
            let known = Known::new(&company.name, &domain, &[]);
            for key in keys_of(&known) {
                sample.having.entry(key).or_default().push(place);
            }
            sample.places.insert(&company.id, place);
            sample.companies.push((company, known));
        }
        Ok(sample)
    }

    fn is_asked(&self, question: &Question) -> bool {
        if question.truth.is_empty() {
            return is_in(&question.id, self.part);
        }
        self.places.contains_key(question.truth.as_str())
    }

    /// The candidates of a question, as smart linking finds them, and what each shows.
    fn candidates(&self, question: &Question) -> Vec<(&'c Company, Signs)> {
        let clues = Clues::read(&question.hints());
        let customers = u64::try_from(self.companies.len()).unwrap_or(u64::MAX);
        let mut keys: Vec<(KeyKind, &[u32])> = keys_of_clues(&clues)
            .into_iter()
            .filter_map(|key| Some((key.kind, self.having.get(&key)?.as_slice())))
            .collect();
        keys.sort_by_key(|(_, having)| having.len());
        let mut search = Search::new(customers);
        for (kind, having) in keys {
            if count(having) > CANDIDATES_PER_KEY_MAX || !search.wants(having.len()) {
                break;
            }
            search.take(kind, having);
        }
        let mut weight = |word: &str| {
            let key = MatchKey { kind: KeyKind::Word, text: word.to_owned() };
            word_weight(word, self.having.get(&key).map_or(0, |it| count(it)), customers)
        };
        let best = search.best().into_iter().filter_map(|place| usize::try_from(place).ok());
        best.filter_map(|place| self.companies.get(place))
            .map(|(company, known)| (*company, Signs::of(&clues, known, &mut weight)))
            .collect()
    }
}

fn count(having: &[u32]) -> u32 {
    u32::try_from(having.len()).unwrap_or(u32::MAX)
}

/// Whether an id is in a sample of one in `part`.
fn is_in(id: &str, part: u64) -> bool {
    // FNV-1a; its last bits alone would tell little but the last letter.
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let mixed = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed.checked_rem(part) == Some(0)
}

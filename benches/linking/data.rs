//! Companies and questions about them, as the files of smart linking hold them, and how they go into
//! a store. For the benchmark, the examples and the test of smart linking.

#![allow(dead_code, unreachable_pub, reason = "whoever includes it uses a part of it")]

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use tenure::{CustomerDraft, CustomerId, ErrorCode, Hints, SmartLink, Suggestion, Tenure};

pub type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// The longest name that a customer has, in characters.
const NAME_MAX: usize = 200;

/// A company that is known.
#[derive(Clone, Deserialize)]
pub struct Company {
    #[serde(rename = "company_id")]
    pub id: String,
    pub name: String,
    /// Empty when it is unknown.
    pub domain: String,
}

/// What somebody who signed up said of their company.
#[derive(Clone, Deserialize)]
pub struct Question {
    #[serde(rename = "query_id")]
    pub id: String,
    pub name: String,
    pub domain: String,
    /// Addresses, with `;` between them.
    pub emails: String,
    /// The company that is meant; empty when it is not among the known ones.
    #[serde(default, rename = "true_company_id")]
    pub truth: String,
    #[serde(default)]
    pub category: String,
}

impl Question {
    pub fn hints(&self) -> Hints {
        let mut hints = Hints::new();
        if !self.name.is_empty() {
            hints = hints.company_name(&self.name);
        }
        if !self.domain.is_empty() {
            hints = hints.domain(&self.domain);
        }
        self.emails.split(';').filter(|email| !email.is_empty()).fold(hints, Hints::email)
    }
}

/// The rows of a CSV file; the error names it.
pub fn rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let named = |error: csv::Error| format!("{}: {error}", path.display());
    let rows = csv::Reader::from_path(path).map_err(named)?;
    Ok(rows.into_deserialize().collect::<Result<_, _>>().map_err(named)?)
}

/// The companies of a directory of one's own, and the questions about them.
pub fn directory(folder: &Path) -> Result<(Vec<Company>, Vec<Question>)> {
    Ok((rows(&folder.join("haystack.csv"))?, rows(&folder.join("queries.csv"))?))
}

/// The companies and questions that tenure's sources bring along.
pub fn extract() -> Result<(Vec<Company>, Vec<Question>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/linking");
    Ok((rows(&folder.join("companies.csv"))?, rows(&folder.join("questions.csv"))?))
}

/// Which company each customer is.
pub type Ids = HashMap<CustomerId, String>;

/// Makes customers of companies, 5,000 in a transaction. As a customer's name is unique, the second
/// company of a name gets its id in front of it.
pub fn load(tenure: &Tenure, companies: &[Company], ids: &mut Ids) -> tenure::Result<()> {
    for chunk in companies.chunks(5_000) {
        tenure.write(|tx| {
            for company in chunk {
                let shortened = |name: &str| -> String {
                    name.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect()
                };
                let name = shortened(&company.name);
                let mut draft = CustomerDraft::named(&name);
                if !company.domain.is_empty() {
                    draft = draft.domain(company.domain.as_str());
                }
                let made = match tx.create_customer(&draft) {
                    Err(error) if error.code() == ErrorCode::Conflict => {
                        let unique = shortened(&format!("{} {}", company.id, company.name));
                        tx.create_customer(&draft.name(unique).company_name(name))
                    }
                    made => made,
                }?;
                ids.insert(made.id, company.id.clone());
            }
            Ok::<_, tenure::Error>(())
        })?;
    }
    Ok(())
}

/// What is answered to a question.
#[derive(Default)]
pub struct Answer {
    pub is_linked: bool,
    /// The companies that may be meant, each with the confidence in it, the best first.
    pub candidates: Vec<(String, f64)>,
}

impl Answer {
    pub fn of(found: &SmartLink, ids: &Ids) -> Self {
        let one = |it: &Suggestion| {
            (ids.get(&it.customer_id).cloned().unwrap_or_default(), it.confidence)
        };
        match found {
            SmartLink::Linked(best) => Self { is_linked: true, candidates: vec![one(best)] },
            SmartLink::Suggestions { suggestions } => {
                Self { is_linked: false, candidates: suggestions.iter().map(one).collect() }
            }
            _ => Self::default(),
        }
    }
}

//! Reports for people: the state of a portfolio of customers, as text for a terminal or a mail, and
//! as one HTML page that needs nothing else. With the feature `report`.
//!
//! A report is a value; [`View::portfolio_report`](crate::View::portfolio_report) gathers what it
//! says. Rendering is pure: the same report is the same text. Whatever names it holds are escaped. The page has its charts and its style in
//! itself, no scripts, and fetches nothing. It can be read in light and in dark, and each chart has
//! a table beside it that says the same.

mod chart;
mod html;
mod text;

use crate::domain::measured::{Measured, Method, Unit};
use crate::domain::revenue::Target;
use crate::ops::PipelineSum;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use time::OffsetDateTime;

/// How many there are of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// What is counted: a grade, a stage, a range of scores.
    pub label: String,
    /// How many there are.
    pub count: u64,
}

impl Count {
    /// So many of something.
    #[must_use]
    pub fn of(label: impl Into<String>, count: u64) -> Self {
        Self { label: label.into(), count }
    }
}

/// A customer whose health fell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fall {
    /// What the customer is called.
    pub customer: String,
    /// Its score before, 0–100.
    pub from: u32,
    /// Its score now, 0–100.
    pub to: u32,
    /// Why, each in a sentence.
    pub reasons: Vec<String>,
}

/// What to do for a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Advice {
    /// What the customer is called.
    pub customer: String,
    /// What to do, each in a sentence, the most urgent first.
    pub actions: Vec<String>,
}

/// The mean health at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The mean score of all customers that had one, 0–100.
    pub average: f64,
}

/// The health of a portfolio of customers.
///
/// ```
/// use tenure::report::{Count, Fall, PortfolioReport};
/// use time::OffsetDateTime;
///
/// let mut report = PortfolioReport::new(OffsetDateTime::UNIX_EPOCH);
/// report.grades = vec![Count::of("A", 12), Count::of("B", 30)];
/// let reasons = vec!["No login for 9 days.".to_owned()];
/// report.fell = vec![Fall { customer: "<Acme>".to_owned(), from: 80, to: 52, reasons }];
/// assert!(report.to_text().contains("<Acme>: 80 → 52"));
/// let page = report.to_html();
/// assert!(page.contains("&lt;Acme&gt;") && page.contains("<svg"));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PortfolioReport {
    /// What it is about; `Portfolio health` unless told otherwise.
    pub title: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub generated_at: OffsetDateTime,
    /// From when on the health is followed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
    /// How many customers there are that have not left.
    pub customers: u64,
    /// How many of them have no score, because too little is known.
    pub without_score: u64,
    /// The mean score of the others, 0–100, with its proof.
    pub average: Measured,
    /// The mean score beside what it should be more than.
    pub target: Option<Target>,
    /// How many customers have each grade, the best first.
    pub grades: Vec<Count>,
    /// How many customers have scores in each range, see [`histogram`].
    pub scores: Vec<Count>,
    /// How many customers are in each stage of their journey, those who have left included.
    pub stages: Vec<Count>,
    /// Who fell most, the greatest fall first.
    pub fell: Vec<Fall>,
    /// What to do, the most urgent first.
    pub to_do: Vec<Advice>,
    /// What could be sold: all that is open.
    pub pipeline: PipelineSum,
    /// The health over time, the oldest first.
    pub over_time: Vec<Moment>,
}

impl PortfolioReport {
    /// A report that says nothing yet.
    #[must_use]
    pub fn new(generated_at: OffsetDateTime) -> Self {
        let method = Method { name: "portfolio health", formula: "Σ score ÷ customers" };
        Self {
            title: "Portfolio health".to_owned(),
            generated_at,
            since: None,
            customers: 0,
            without_score: 0,
            average: Measured::new(None, Unit::Points, method, 0),
            target: None,
            grades: Vec::new(),
            scores: Vec::new(),
            stages: Vec::new(),
            fell: Vec::new(),
            to_do: Vec::new(),
            pipeline: PipelineSum::default(),
            over_time: Vec::new(),
        }
    }

    /// The report as plain text, in lines of any length, without control characters but line breaks.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::render(self)
    }

    /// The report as one HTML page that needs nothing else.
    #[must_use]
    pub fn to_html(&self) -> String {
        html::render(self)
    }

    /// How many customers it is about and how they do, in sentences.
    fn summary(&self) -> String {
        let average = self.average.value.filter(|it| it.is_finite());
        let said = average.map_or_else(|| "unknown".to_owned(), text::one_place);
        let target = self.target.filter(|_| average.is_some()).map(|target| {
            let beside = if target.is_met == Some(true) { "above" } else { "not above" };
            format!(", {beside} the target of {}", text::one_place(target.above))
        });
        let (customers, without) = (self.customers, self.without_score);
        let target = target.unwrap_or_default();
        let mut summary = format!(
            "Customers: {customers}, without a score: {without}. Average score: {said}{target}."
        );
        let PipelineSum { count, value, .. } = &self.pipeline;
        if *count > 0 {
            let value: Vec<String> = value.iter().map(|it| format!("{it} a month")).collect();
            let value =
                if value.is_empty() { "of unknown value".to_owned() } else { value.join(" and ") };
            // Writing to a text does not fail.
            let _ = write!(summary, " Open opportunities: {count}, {value}.");
        }
        summary
    }

    /// Who fell most, and since when.
    fn fell_heading(&self) -> String {
        let since = self.since.map(|at| format!(" since {}", text::date(at)));
        format!("Who fell most{}", since.unwrap_or_default())
    }

    /// What is counted, each with its heading.
    fn counted(&self) -> [(&'static str, &'static str, &[Count]); 3] {
        [
            ("Grades", "Grade", &self.grades),
            ("Scores", "Score", &self.scores),
            ("Stages", "Stage", &self.stages),
        ]
    }
}

/// How many scores lie in each tenth of the scale, the highest being 90–100. What is above 100
/// counts as 100.
///
/// ```
/// use tenure::report::histogram;
///
/// let bins = histogram([0, 9, 10, 89, 90, 100]);
/// let counts: Vec<u64> = bins.iter().map(|it| it.count).collect();
/// assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
/// assert_eq!(bins[9].label, "90–100");
/// ```
#[must_use]
pub fn histogram(scores: impl IntoIterator<Item = u32>) -> Vec<Count> {
    let label = |tenth: u32| {
        let from = tenth.saturating_mul(10);
        let to = if tenth == 9 { 100 } else { from.saturating_add(9) };
        Count::of(format!("{from}–{to}"), 0)
    };
    let mut bins: Vec<Count> = (0..10).map(label).collect();
    for score in scores {
        let tenth = usize::try_from(score.div_euclid(10).min(9)).unwrap_or(9);
        if let Some(bin) = bins.get_mut(tenth) {
            bin.count = bin.count.saturating_add(1);
        }
    }
    bins
}

#[cfg(test)]
mod tests;

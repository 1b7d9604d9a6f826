//! The report as plain text.

use super::{Count, PortfolioReport};
use std::fmt::Write as _;
use time::OffsetDateTime;

/// The length of the longest bar, in characters.
const BAR_MAX: u128 = 40;

/// `text` on one line, its control characters blank.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>()
}

/// The day of an instant, such as 2026-01-31.
pub(super) fn date(at: OffsetDateTime) -> String {
    crate::domain::instant::utc(at).date().to_string()
}

/// An instant to the minute, such as 2026-01-31 12:00 UTC.
pub(super) fn minute(at: OffsetDateTime) -> String {
    let at = crate::domain::instant::utc(at);
    format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
}

/// A score to one decimal, halves rounded up.
pub(super) fn one_place(score: f64) -> String {
    format!("{:.1}", (score * 10.0 + 0.5).floor() / 10.0)
}

pub(super) fn render(report: &PortfolioReport) -> String {
    let at = minute(report.generated_at);
    let mut text = format!("{}, {at}\n{}\n", plain(&report.title), report.summary());
    for (heading, _, counts) in report.counted() {
        text.push_str(&counted(heading, counts));
    }
    text.push_str("\nOver time\n");
    for moment in report.over_time.iter().filter(|it| it.average.is_finite()) {
        // Writing to a text does not fail.
        let _ = writeln!(text, "  {}  {:>5}", date(moment.at), one_place(moment.average));
    }
    let _ = writeln!(text, "\n{}", report.fell_heading());
    for fall in &report.fell {
        let _ = writeln!(text, "  {}: {} → {}", plain(&fall.customer), fall.from, fall.to);
        text.push_str(&list(&fall.reasons));
    }
    if report.fell.is_empty() {
        text.push_str("  Nobody fell.\n");
    }
    text.push_str("\nWhat to do\n");
    for advice in &report.to_do {
        let _ = writeln!(text, "  {}", plain(&advice.customer));
        text.push_str(&list(&advice.actions));
    }
    if report.to_do.is_empty() {
        text.push_str("  There is nothing to do.\n");
    }
    text
}

fn list(items: &[String]) -> String {
    let item = |it: &String| format!("    - {}\n", plain(it));
    items.iter().map(item).collect()
}

fn counted(heading: &str, counts: &[Count]) -> String {
    let mut text = format!("\n{heading}\n");
    let most = counts.iter().map(|it| u128::from(it.count)).max().unwrap_or(0).max(1);
    let width = counts.iter().map(|it| it.label.chars().count()).max().unwrap_or(0);
    for Count { label, count } in counts {
        let length = u128::from(*count).saturating_mul(BAR_MAX).div_ceil(most);
        let bar = "█".repeat(usize::try_from(length).unwrap_or(0));
        let line = format!("  {:width$}  {count:>7}  {bar}", plain(label));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

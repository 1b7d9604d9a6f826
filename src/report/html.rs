//! The report as one page: its style and its charts are in it, and nothing else is fetched.

use super::chart::{self, Caption};
use super::text::{date, minute, one_place, plain};
use super::{Count, PortfolioReport};
use std::fmt::Write as _;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--line:#d4d9df}\
@media (prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#14171b;--line:#3a4048}}\
body{margin:2rem auto;max-width:60rem;padding:0 1rem;font:16px/1.5 system-ui,sans-serif;\
color:var(--ink);background:var(--paper)}\
h1,h2{line-height:1.2}\
figure{margin:0;display:flex;flex-wrap:wrap;gap:1.5rem;align-items:start}\
svg{flex:1 1 24rem;max-width:100%;height:auto}\
table{border-collapse:collapse}\
caption{text-align:left;font-weight:600}\
th,td{padding:.2rem .8rem .2rem 0;border-bottom:1px solid var(--line);text-align:left;\
vertical-align:top;overflow-wrap:anywhere}\
td.number{text-align:right;font-variant-numeric:tabular-nums}\
ul{margin:0;padding-left:1.2rem}";

/// `text` as it is shown, whatever it holds.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A name, so that its direction of writing does not turn what follows.
fn name(name: &str) -> String {
    format!("<bdi>{}</bdi>", escaped(name))
}

pub(super) fn render(report: &PortfolioReport) -> String {
    let title = escaped(&report.title);
    let at = minute(report.generated_at);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n<p>{at}. {}</p>\n",
        escaped(&report.summary())
    );
    for (heading, label, counts) in report.counted() {
        page.push_str(&counted(heading, label, counts));
    }
    page.push_str(&over_time(report));
    page.push_str(&fell(report));
    page.push_str(&to_do(report));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// A section with this heading, and the sentence `none` if it has nothing inside.
fn section(heading: &str, inside: &str, none: &str) -> String {
    let empty = format!("<p>{none}</p>\n");
    let inside = if inside.is_empty() { &empty } else { inside };
    format!("<section>\n<h2>{heading}</h2>\n{inside}</section>\n")
}

/// A table with a head of these words and these rows.
fn table(caption: &str, head: &[&str], rows: &str) -> String {
    let cell = |it: &&str| format!("<th scope=\"col\">{it}</th>");
    let head: String = head.iter().map(cell).collect();
    format!(
        "<table>\n<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n"
    )
}

fn counted(heading: &str, label: &str, counts: &[Count]) -> String {
    if counts.is_empty() {
        return section(heading, "", "Nothing is known.");
    }
    let mut rows = String::new();
    let mut said = Vec::new();
    for Count { label, count } in counts {
        let row = name(label);
        // Writing to a text does not fail.
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{row}</th><td class=\"number\">{count}</td></tr>"
        );
        said.push(format!("{label}: {count}"));
    }
    let id = heading.to_lowercase();
    let description = said.join(", ");
    let caption = Caption { id: &id, title: heading, description: &description };
    let chart = chart::bars(&caption, counts).unwrap_or_default();
    let table = table(&format!("{heading} of customers"), &[label, "Customers"], &rows);
    section(heading, &format!("<figure>\n{chart}{table}</figure>\n"), "")
}

fn over_time(report: &PortfolioReport) -> String {
    let known: Vec<_> = report.over_time.iter().filter(|it| it.average.is_finite()).collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else {
        return section("Over time", "", "Nothing is known.");
    };
    let description = format!(
        "From {} on {} to {} on {}.",
        one_place(first.average),
        date(first.at),
        one_place(last.average),
        date(last.at)
    );
    let caption =
        Caption { id: "over-time", title: "Average score over time", description: &description };
    let chart = chart::line(&caption, &report.over_time).unwrap_or_default();
    let row = |it: &&super::Moment| {
        let (at, average) = (date(it.at), one_place(it.average));
        format!("<tr><th scope=\"row\">{at}</th><td class=\"number\">{average}</td></tr>\n")
    };
    let rows: String = known.iter().map(row).collect();
    let table = table("Average score over time", &["Day", "Score"], &rows);
    let inside = format!(
        "<figure>\n{chart}<details>\n<summary>{description}</summary>\n{table}</details>\n</figure>\n"
    );
    section("Over time", &inside, "")
}

fn list(items: &[String]) -> String {
    let item = |it: &String| format!("<li>{}</li>", escaped(it));
    let items: String = items.iter().map(item).collect();
    if items.is_empty() { items } else { format!("<ul>{items}</ul>") }
}

fn fell(report: &PortfolioReport) -> String {
    let heading = report.fell_heading();
    if report.fell.is_empty() {
        return section(&heading, "", "Nobody fell.");
    }
    let mut rows = String::new();
    for fall in &report.fell {
        let (customer, reasons) = (name(&fall.customer), list(&fall.reasons));
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{customer}</th><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td><td>{reasons}</td></tr>",
            fall.from, fall.to
        );
    }
    let head = ["Customer", "Before", "Now", "Why"];
    section(&heading, &table("Customers whose score fell", &head, &rows), "")
}

fn to_do(report: &PortfolioReport) -> String {
    let advice = |it: &super::Advice| {
        format!("<dt>{}</dt>\n<dd>{}</dd>\n", name(&it.customer), list(&it.actions))
    };
    let advice: String = report.to_do.iter().map(advice).collect();
    let advice = if advice.is_empty() { advice } else { format!("<dl>\n{advice}</dl>\n") };
    section("What to do", &advice, "There is nothing to do.")
}

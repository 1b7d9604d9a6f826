use super::*;
use time::Duration;
use time::macros::datetime;

const NOON: OffsetDateTime = datetime!(2026-01-31 12:00 UTC);
const NASTY: &str = "<b>&\"'</b><script>alert(1)</script>";

fn report() -> PortfolioReport {
    let mut report = PortfolioReport::new(NOON);
    report.customers = 7;
    report.average.value = Some(61.25);
    report.grades = vec![Count::of("A", 3), Count::of(NASTY, 4)];
    report.scores = histogram([10, 20, 95, 100]);
    report.stages = vec![Count::of("growing", 7)];
    let reasons = vec![format!("No login for 9 days at {NASTY}.")];
    report.fell = vec![Fall { customer: NASTY.to_owned(), from: 80, to: 52, reasons }];
    let actions = vec!["Call them.".to_owned()];
    report.to_do = vec![Advice { customer: "Müller & Söhne".to_owned(), actions }];
    let day = |day: i64| Moment { at: NOON.saturating_add(Duration::days(day)), average: 60.0 };
    report.over_time = (0..30).map(day).collect();
    report
}

#[test]
fn the_page_needs_nothing_else_and_runs_nothing() {
    let page = report().to_html();
    for foreign in ["http", "<script", "src=", "href=", "url(", "@import", "<link", "onload="] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
}

#[test]
fn what_customers_are_called_is_no_markup() {
    let page = report().to_html();
    assert!(!page.contains("<b>") && !page.contains("alert(1)</script>"));
    assert!(page.contains("&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt;"), "{page}");
    assert!(page.contains("Müller &amp; Söhne"));
}

#[test]
fn every_chart_has_a_title_a_description_and_a_table() {
    let page = report().to_html();
    let count = |what: &str| page.matches(what).count();
    assert_eq!((count("<svg"), count("</svg>"), count("<desc")), (4, 4, 4));
    assert_eq!(count("<table>"), 5);
    // One of the page, one of each chart.
    assert_eq!(count("<title"), 5);
    assert_eq!(count("role=\"img\""), 4);
}

#[test]
fn every_tag_that_is_opened_is_closed_in_order() {
    let page = report().to_html();
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let inside = &tag[..tag.find('>').unwrap()];
        let name = inside.split([' ', '\n']).next().unwrap();
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !inside.ends_with('/') && !["!doctype", "meta"].contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_text_says_what_the_page_says() {
    let text = report().to_text();
    for part in [
        "Portfolio health, 2026-01-31 12:00 UTC",
        "Customers: 7, without a score: 0. Average score: 61.3.",
        "90–100",
        "80 → 52",
        "No login for 9 days",
        "Müller & Söhne",
        "Call them.",
        "2026-03-01",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let mut odd = report();
    odd.fell[0].customer = "a\u{1b}[2J\nb".to_owned();
    assert!(!odd.to_text().contains('\u{1b}'));
    assert!(odd.to_text().contains("a [2J b: 80 → 52"));
    assert!(!odd.to_html().contains('\u{1b}'));
}

#[test]
fn a_report_of_nothing_says_so() {
    let report = PortfolioReport::new(NOON);
    let (text, page) = (report.to_text(), report.to_html());
    assert!(text.contains("Average score: unknown.") && text.contains("Nobody fell."));
    assert!(!page.contains("<svg") && page.contains("Nobody fell."));
}

#[test]
fn strange_figures_are_drawn_or_left_out() {
    let mut report = report();
    report.average.value = Some(f64::NAN);
    report.grades = vec![Count::of("A", u64::MAX), Count::of("", 0)];
    report.stages = (0..200).map(|it| Count::of(format!("stage {it}"), it)).collect();
    report.scores = vec![Count::of("0–9", 0)];
    let ends = [time::PrimitiveDateTime::MIN, time::PrimitiveDateTime::MAX];
    report.over_time = ends
        .into_iter()
        .zip([f64::INFINITY, -7.0])
        .map(|(at, average)| Moment { at: at.assume_utc(), average })
        .collect();
    let page = report.to_html();
    assert!(report.to_text().contains("unknown") && page.contains("<svg"));
    assert!(!page.contains("=\"-") && !page.contains("NaN"), "nothing is drawn backwards");
    report.over_time = vec![Moment { at: NOON, average: 50.0 }];
    assert!(report.to_html().contains("2026-01-31"));
    report.over_time = vec![Moment { at: NOON, average: f64::NAN }];
    assert!(!report.to_html().contains("NaN"));
}

#[test]
fn no_label_of_a_chart_overlaps_its_neighbour() {
    let stages = ["onboarding", "expanding", "advocating", "at risk"];
    let named = |count: usize| stages.iter().cycle().take(count).map(|it| Count::of(*it, 7));
    let mut report = report();
    report.grades = named(9).collect();
    report.stages = named(40).collect();
    let page = report.to_html();
    // Each label: where its middle is, how large its letters are, and what it says.
    let label = |text: &str| {
        let of = |name: &str| {
            text.split_once(&format!("{name}=\"")).unwrap().1.split_once('"').unwrap().0
        };
        let (x, size): (f64, f64) = (of("x").parse().unwrap(), of("font-size").parse().unwrap());
        let said = text.split_once('>').unwrap().1.split_once('<').unwrap().0.trim().to_owned();
        (of("text-anchor") == "middle").then_some((x, size, said))
    };
    for chart in page.split("<svg").skip(1) {
        let chart = chart.split_once("</svg>").unwrap().0;
        let mut labels: Vec<_> = chart.split("<text").skip(1).filter_map(label).collect();
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(labels.len() > 1 && labels.iter().all(|it| it.1 >= 9.0), "{labels:?}");
        let letters = |text: &str| f64::from(u32::try_from(text.chars().count()).unwrap());
        let half = |it: &(f64, f64, String)| it.1 * 0.54 * letters(&it.2) / 2.0;
        for pair in labels.windows(2) {
            assert!(pair[0].0 + half(&pair[0]) < pair[1].0 - half(&pair[1]), "{pair:?}");
        }
        assert!(labels.iter().all(|it| it.0 - half(it) > 0.0 && it.0 + half(it) < 640.0));
    }
    assert!(
        ["onboarding", "expanding", "at risk"]
            .iter()
            .all(|it| page.contains(&format!("\n{it}\n</text>")))
    );
}

//! How are our customers doing? A year of three hundred of them, simulated: what they do becomes
//! records, tenure evaluates everybody every month, and at the end there is a report on all of them, as
//! text and as one HTML page with charts.
//!
//! ```sh
//! cargo run --features report --example health_report               # writes health_report.html
//! cargo run --features report --example health_report page.html 500 7   # 500 customers, another seed
//! ```

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the numbers of an example are small"
)]

mod archetypes;
mod customers;
mod world;

use archetypes::ARCHETYPES;
use std::error::Error;
use tenure::domain::period::Period;
use tenure::report::PortfolioReport;
use tenure::{CurrencyRevenue, Measured, NpsReport, PortfolioQuery, RevenueReport};
use world::World;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "health_report.html".to_owned());
    let count = arguments.next().map_or(Ok(300), |it| it.parse())?;
    let seed = arguments.next().map_or(Ok(1), |it| it.parse())?;

    let mut world = World::begin(seed, count)?;
    world.live()?;

    println!("A year of {count} customers:");
    for archetype in &ARCHETYPES {
        println!("  {:>4} {}", world.count(archetype), archetype.name);
    }
    let year = Period::new(World::beginning(), world.tenure.now())?;
    let query = PortfolioQuery::since(year.start()).listed(8);
    let (health, nps, revenue) = world.tenure.read(|view| {
        let nps = view.nps(year)?;
        Ok::<_, tenure::Error>((view.portfolio_report(&query)?, nps, view.revenue(year, None)?))
    })?;
    println!("\n{}", health.to_text());
    print_money_and_opinions(&nps, &revenue);
    std::fs::write(&path, health.to_html())?;
    println!("\nthe page with the charts is {path}");
    check(&world, &health, &nps, &revenue);
    Ok(())
}

/// What customers say, and what they pay.
fn print_money_and_opinions(nps: &NpsReport, revenue: &RevenueReport) {
    println!("Beside health");
    println!("  net promoter score       {}", proved(&nps.nps, 1.0));
    println!("  of surveys answered      {}", proved(&nps.response_rate, 100.0));
    for of in &revenue.currencies {
        println!("  {} gross retention      {}", of.currency, proved(&of.grr, 100.0));
        println!("  {} net retention        {}", of.currency, proved(&of.nrr, 100.0));
        println!("  {} recurring in a month {}", of.currency, proved(&of.mrr, 0.01));
    }
}

/// A figure, how sure it is, of how much it is, and what stands against it.
fn proved(figure: &Measured, scale: f64) -> String {
    let Some(value) = figure.value else { return "unknown".to_owned() };
    let interval = figure
        .confidence_interval
        .map(|it| format!(" ({:.1} to {:.1})", it.low * scale, it.high * scale));
    let warnings = figure.warnings.iter().map(|it| format!("; {}", it.message));
    let (value, of, interval) = (value * scale, figure.sample_size, interval.unwrap_or_default());
    format!("{value:.1}{interval} of {of}{}", warnings.collect::<String>())
}

/// That nothing went wrong unnoticed.
fn check(world: &World, health: &PortfolioReport, nps: &NpsReport, revenue: &RevenueReport) {
    let total = |counts: &[tenure::report::Count]| counts.iter().map(|it| it.count).sum::<u64>();
    let everybody = world.everybody();
    assert_eq!(total(&health.stages), everybody, "everybody is in a stage");
    assert_eq!(total(&health.grades), health.customers - health.without_score);
    assert_eq!(total(&health.scores), health.average.sample_size);
    let left = world.left();
    assert_eq!(health.customers, everybody - left, "who cancelled has left");
    assert!(health.fell.iter().all(|it| it.from > it.to && !it.reasons.is_empty()));
    assert!(health.fell.is_sorted_by_key(|it| std::cmp::Reverse(it.from - it.to)));
    assert!(health.over_time.len() >= 12, "a year is told month by month");
    assert!(health.to_do.iter().all(|it| !it.actions.is_empty()));
    assert!(
        revenue.currencies.iter().all(CurrencyRevenue::reconciles),
        "start and movements are the end"
    );
    assert!(revenue.currencies[0].grr.value <= revenue.currencies[0].nrr.value);
    assert_eq!(nps.nps.sample_size, nps.counts.total());
    let page = health.to_html();
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(!page.contains("<script") && !page.contains("http"), "it needs nothing else");
}

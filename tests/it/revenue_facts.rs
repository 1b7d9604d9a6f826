//! Revenue, cohorts and survival against published data and reference results. Where
//! these come from is told beside them, in `tests/data/`.

use proptest::prelude::*;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tenure::domain::calendar::PeriodType;
use tenure::domain::cohort::{
    CalendarMonth, CohortBy, CohortReport, CohortTally, DayCount, DayRetention,
};
use tenure::domain::period::Period;
use tenure::domain::statistics::proportion::wilson;
use tenure::domain::survival::{Lifetimes, Survival, chi_square_tail, log_rank};
use tenure::domain::zone::TimeZone;
use tenure::{RevenueChanges, Standing};
use time::format_description::well_known::Iso8601;
use time::macros::{date, datetime};
use time::{Date, Duration};

const CURVES: &str = include_str!("../data/survival/curves.json");
const TELCO: &str = include_str!("../data/survival/telco.csv");
const TELCO_EXPECTED: &str = include_str!("../data/survival/telco.json");
const RATIOS: &str = include_str!("../data/revenue/ratios.json");
const TOY: &str = include_str!("../data/cohorts/toy.json");

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

fn list(json: &Json) -> &Vec<Json> {
    json.as_array().unwrap()
}

fn whole(json: &Json) -> u64 {
    json.as_u64().unwrap()
}

/// Whether a figure is the known one, to nine digits; null is none.
fn assert_near(found: impl Into<Option<f64>>, known: &Json, what: &str) {
    match (found.into(), known.as_f64()) {
        (Some(found), Some(known)) => {
            let near = (found - known).abs() <= 1e-9 * known.abs().max(1e-12);
            assert!(near, "{what}: {found}, not {known}");
        }
        (found, known) => assert_eq!(found, known, "{what}"),
    }
}

fn assert_curve(found: &Survival, known: &Json, what: &str) {
    assert_eq!((found.customers, found.events), (whole(&known["n"]), whole(&known["events"])));
    assert_near(found.median.map(f64::from), &known["median"], what);
    assert_eq!(found.points.len(), list(&known["table"]).len(), "{what}");
    for (point, row) in found.points.iter().zip(list(&known["table"])) {
        let counts = [point.time.into(), point.at_risk, point.events, point.censored];
        assert_eq!(counts, [0, 1, 2, 3].map(|column| whole(&row[column])), "{what}");
        let figures =
            [point.survival, point.standard_error, point.interval.low, point.interval.high];
        for (figure, column) in figures.into_iter().zip(4..) {
            assert_near(figure, &row[column], &format!("{what}, {point:?}, column {column}"));
        }
    }
}

#[test]
fn survival_is_what_the_reference_says() {
    let known = json(CURVES);
    for name in ["waltons", "leukemia"] {
        let known = &known[name];
        let (mut all, mut groups) = (Lifetimes::default(), BTreeMap::new());
        for row in list(&known["observations"]) {
            let (time, left) = (u32::try_from(whole(&row[0])).unwrap(), whole(&row[1]) == 1);
            all.add(time, left);
            let group = row[2].as_str().unwrap();
            groups.entry(group).or_insert_with(Lifetimes::default).add(time, left);
        }
        assert_curve(&all.survival(), &known["all"], name);
        for (group, lifetimes) in &groups {
            assert_curve(&lifetimes.survival(), &known["groups"][group], group);
        }
        let groups: Vec<Lifetimes> = groups.into_values().collect();
        let test = log_rank(&groups).unwrap();
        assert_near(test.chi_square, &known["logrank"]["chi2"], name);
        assert_near(test.p, &known["logrank"]["p"], name);
        assert_eq!(u64::from(test.df), whole(&known["logrank"]["df"]));
    }
}

#[test]
fn three_groups_are_tested_at_once() {
    let known = json(TELCO_EXPECTED);
    let (mut all, mut groups) = (Lifetimes::default(), BTreeMap::new());
    for line in TELCO.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [months, left, there] = [1, 2, 3].map(|it| fields[it].parse::<u64>().unwrap());
        let months = u32::try_from(months).unwrap();
        all.add_many(months, left, there);
        let group = groups.entry(fields[0]).or_insert_with(Lifetimes::default);
        group.add_many(months, left, there);
    }
    let survival = all.survival();
    assert_eq!((survival.customers, survival.events, survival.median), (7_043, 1_869, None));
    for at in list(&known["at"]) {
        let months = u32::try_from(whole(&at["t"])).unwrap();
        assert_near(survival.at(months), &at["survival"], &format!("after {months} months"));
    }
    for (contract, lifetimes) in &groups {
        let survival = lifetimes.survival();
        for (months, share) in [12, 24, 48, 72].iter().zip(list(&known["by_contract"][contract])) {
            assert_near(survival.at(*months), share, &format!("{contract} after {months}"));
        }
    }
    let groups: Vec<Lifetimes> = groups.into_values().collect();
    let test = log_rank(&groups).unwrap();
    assert_near(test.chi_square, &known["logrank_contract"]["chi2"], "log-rank");
    assert_eq!((test.df, test.p), (2, 0.0));
}

#[test]
fn the_tail_of_chi_square_is_that_of_the_tables() {
    // Abramowitz and Stegun, table 26.8.
    for (x, df, p) in [
        (3.841_458_820_694_124, 1, 0.05),
        (5.991_464_547_107_979, 2, 0.05),
        (7.814_727_903_251_179, 3, 0.05),
        (18.307_038_053_275_146, 10, 0.05),
        (124.342_113_404_004, 100, 0.05),
        (0.0, 5, 1.0),
        (-1.0, 1, 1.0),
        (f64::NAN, 1, 1.0),
        (f64::INFINITY, 3, 0.0),
    ] {
        assert!((chi_square_tail(x, df) - p).abs() < 1e-9, "{x} of {df}");
    }
}

#[test]
fn groups_that_cannot_be_compared_are_not() {
    let one = |left| {
        let mut one = Lifetimes::default();
        one.add(3, left);
        one
    };
    for groups in [
        vec![],
        vec![one(true)],
        vec![one(true), Lifetimes::default()],
        vec![one(false), one(false)],
    ] {
        assert_eq!(log_rank(&groups), None, "{groups:?}");
    }
    let nobody = Lifetimes::default().survival();
    assert_eq!((nobody.customers, nobody.median, nobody.at(7)), (0, None, 1.0));
}

fn changes(customers: &Json) -> RevenueChanges {
    let mut changes = RevenueChanges::default();
    for row in list(customers) {
        let amount = |column: usize| row[column].as_i64().unwrap();
        changes.add(Standing::new(amount(0), amount(1), row[2].as_bool().unwrap()));
    }
    changes
}

#[test]
fn revenue_ratios_are_those_of_the_worked_examples() {
    for example in list(&json(RATIOS)["examples"]) {
        let (found, known) = (changes(&example["customers"]), &example["expected"]);
        let name = example["name"].as_str().unwrap();
        for (field, share) in [
            ("start_mrr", found.start),
            ("end_mrr", found.end),
            ("new", found.new),
            ("expansion", found.expansion),
            ("contraction", found.contraction),
            ("churned", found.churned),
            ("reactivation", found.reactivation),
        ] {
            assert_eq!(share.amount, i128::from(whole(&known[field])), "{field} of {name}");
        }
        for (field, share) in [
            ("start_logos", found.start),
            ("lost_logos", found.churned),
            ("new_logos", found.new),
            ("reactivated_logos", found.reactivation),
        ] {
            assert_eq!(share.customers, whole(&known[field]), "{field} of {name}");
        }
        for (field, figure) in [
            ("nrr", found.nrr()),
            ("grr", found.grr()),
            ("logo_churn", found.logo_churn()),
            ("gross_revenue_churn", found.gross_churn()),
            ("cancelled_revenue_churn", found.cancelled_churn()),
            ("net_revenue_churn", found.net_churn()),
            ("quick_ratio", found.quick_ratio()),
        ] {
            assert_near(figure, &known[field], &format!("{field} of {name}"));
        }
    }
}

#[test]
fn a_chain_of_months_is_no_cohort_of_a_year() {
    let known = &json(RATIOS)["chain"];
    let months: Vec<BTreeMap<String, i64>> = list(&known["months"])
        .iter()
        .map(|it| serde_json::from_value(it.clone()).unwrap())
        .collect();
    let between = |from: &BTreeMap<String, i64>, to: &BTreeMap<String, i64>| {
        let mut changes = RevenueChanges::default();
        for customer in from.keys().chain(to.keys()).collect::<BTreeSet<_>>() {
            let amount = |month: &BTreeMap<String, i64>| month.get(customer).copied().unwrap_or(0);
            changes.add(Standing::new(amount(from), amount(to), false));
        }
        changes
    };
    let chain: f64 =
        months.windows(2).map(|pair| between(&pair[0], &pair[1]).nrr().unwrap()).product();
    assert_near(chain, &known["product_of_monthly_nrr"], "chain");
    let year = between(&months[0], &months[12]);
    assert_near(year.nrr(), &known["cohort_nrr_12m"], "NRR of the year");
    assert_near(year.grr(), &known["cohort_grr_12m"], "GRR of the year");
}

#[test]
fn published_ratios_come_out() {
    // ChartMogul, "Metric: MRR churn rate": 100 at the start, 10 each churned, contracted, expanded.
    let mut found = RevenueChanges::default();
    for (start, end) in [(10, 0), (20, 10), (70, 80)] {
        found.add(Standing::new(start, end, true));
    }
    let figures = [found.gross_churn(), found.net_churn(), found.grr(), found.nrr()];
    assert_eq!(figures, [Some(0.2), Some(0.1), Some(0.8), Some(0.9)]);
    // A quick ratio as glossaries work it out.
    let mut found = RevenueChanges::default();
    for (start, end) in [(0, 20_000), (10_000, 18_000), (5_000, 0), (9_000, 6_000)] {
        found.add(Standing::new(start, end, false));
    }
    assert_eq!(found.quick_ratio(), Some(3.5));
    // Nothing lost, and nothing to lose.
    let mut found = RevenueChanges::default();
    found.add(Standing::new(0, 10, false));
    assert_eq!((found.quick_ratio(), found.grr(), found.nrr()), (None, None, None));
}

#[test]
fn an_interval_of_a_share_is_wilsons() {
    for row in list(&json(RATIOS)["wilson"]) {
        let interval = wilson(whole(&row[0]), whole(&row[1])).unwrap();
        assert_near(interval.low, &row[2], "low");
        assert_near(interval.high, &row[3], "high");
    }
    assert_eq!(wilson(0, 0), None);
}

fn assert_cohorts(found: &CohortReport, known: &Json) {
    assert_eq!(found.last_full_month.to_string(), known["last_full_period"].as_str().unwrap());
    assert_eq!(found.cohorts.len(), list(&known["cohorts"]).len());
    for (cohort, known) in found.cohorts.iter().zip(list(&known["cohorts"])) {
        let month = cohort.month.to_string();
        assert_eq!(
            (month.as_str(), cohort.size),
            (known["cohort"].as_str().unwrap(), whole(&known["size"]))
        );
        let counts = |field: &str| list(&known[field]).iter().map(whole).collect::<Vec<_>>();
        assert_eq!(cohort.active, counts("active"), "{month}");
        assert_eq!(cohort.rolling_active, counts("rolling_active"), "{month}");
        for (share, known) in cohort.retention.iter().zip(list(&known["retention"])) {
            assert_near(*share, known, &month);
        }
    }
    assert_eq!(found.average.len(), list(&known["average"]).len());
    for (average, known) in found.average.iter().zip(list(&known["average"])) {
        let counts = [average.cohorts, average.size, average.active];
        assert_eq!(counts, ["cohorts", "size", "active"].map(|field| whole(&known[field])));
        assert_near(average.weighted, &known["weighted"], "weighted");
        assert_near(average.unweighted, &known["unweighted"], "unweighted");
    }
}

#[test]
fn cohorts_are_as_in_the_example_whether_the_month_is_over_or_not() {
    let known = json(TOY);
    let mut log: BTreeMap<String, Vec<Date>> = BTreeMap::new();
    for row in list(&known["log"]) {
        let day = Date::parse(row[1].as_str().unwrap(), &Iso8601::DATE).unwrap();
        log.entry(row[0].as_str().unwrap().to_owned()).or_default().push(day);
    }
    for (now, expected, too_young) in [
        (datetime!(2025-05-01 0:00 UTC), "expected", 0),
        (datetime!(2025-04-30 23:59 UTC), "expected_partial_april", 1),
    ] {
        let mut tally = CohortTally::new(CohortBy::FirstActivity, CalendarMonth::last_full(now));
        for days in log.values() {
            let months = || days.iter().copied().map(CalendarMonth::of);
            tally.add(months().min().unwrap(), months());
        }
        let left_out = tally.clone().finish(6).unwrap_err();
        assert_eq!((left_out.population, left_out.counted), (6, 5));
        let found = tally.finish(5).unwrap();
        assert_eq!(found.too_young, too_young);
        assert_cohorts(&found, &known[expected]);
    }
}

/// The data are not in the published crate.
#[test]
fn cohorts_of_cdnow_are_those_of_the_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cohorts");
    let Ok(log) = std::fs::read_to_string(folder.join("cdnow_months.csv")) else { return };
    let known = json(&std::fs::read_to_string(folder.join("cdnow_expected.json")).unwrap());
    let all: Vec<CalendarMonth> = {
        let last = CalendarMonth::of(date!(1998 - 06 - 30));
        CalendarMonth::of(date!(1997 - 01 - 01)).to(last).collect()
    };
    let mut tally = CohortTally::new(CohortBy::FirstActivity, all[17]);
    let mut population = 0;
    for line in log.lines().skip(1) {
        let (months, customers) = line.split_once(',').unwrap();
        let months: Vec<_> =
            months.split(' ').map(|it| all[it.parse::<usize>().unwrap()]).collect();
        for _ in 0..customers.parse().unwrap() {
            tally.add(months[0], months.iter().copied());
            population += 1;
        }
    }
    assert_cohorts(&tally.finish(population).unwrap(), &known);
    assert_eq!(population, 2_357);
}

#[test]
fn days_and_months_are_cut_alike_on_both_sides() {
    // A minute past midnight is the next day of the calendar, not 24 hours later.
    let (signup, seen) = (datetime!(2025-03-01 23:45 UTC), datetime!(2025-03-02 0:01 UTC));
    for (count, share) in [(DayCount::Calendar, 1.0), (DayCount::Rolling, 0.0)] {
        let mut found = DayRetention::default();
        found.add(count, 1, signup, [seen], signup + Duration::days(3));
        assert_eq!(found.share(), Some(share), "{count}");
        // While the day runs, nothing is said of it.
        let mut early = DayRetention::default();
        early.add(count, 7, signup, [seen], signup + Duration::days(7));
        assert_eq!((early.of_age, early.share()), (0, None));
    }
    // What began in the middle of a month counts in it.
    let month = CalendarMonth::of(date!(2023 - 11 - 15));
    let mut tally = CohortTally::new(CohortBy::FirstActivity, month);
    tally.add(month, [CalendarMonth::of(date!(2023 - 11 - 20))]);
    assert_eq!(tally.finish(1).unwrap().cohorts[0].active, [1]);
    // Today is the day of the zone.
    if cfg!(feature = "timezones") {
        let zone = TimeZone::parse("Europe/Berlin").unwrap();
        let now = datetime!(2023-01-09 5:29 UTC);
        let today = Period::of_calendar(PeriodType::Day, now, zone).unwrap();
        let bounds = (today.start(), today.end());
        assert_eq!(bounds, (datetime!(2023-01-08 23:00 UTC), datetime!(2023-01-09 23:00 UTC)));
        let zone = TimeZone::parse("America/New_York").unwrap();
        assert_eq!(zone.day(datetime!(2018-01-02 3:00 UTC)), Some(date!(2018 - 01 - 01)));
    }
}

proptest! {
    #[test]
    fn nobody_is_kept_more_than_whole(
        customers in prop::collection::vec((0..5_i64, 0..5_i64, any::<bool>(), 0..9_u8), 0..30),
    ) {
        let mut found = RevenueChanges::default();
        for (start, end, before, reset) in customers {
            let mut standing = Standing::new(start * 100, end * 100, before);
            standing.was_reset = reset == 0;
            found.add(standing);
        }
        let moved = found.new.amount + found.reactivation.amount + found.expansion.amount
            - found.contraction.amount - found.churned.amount + found.reset.amount;
        prop_assert_eq!(found.start.amount + moved, found.end.amount);
        prop_assert_eq!(found.grr().is_some(), found.base.amount > 0);
        if let (Some(grr), Some(nrr)) = (found.grr(), found.nrr()) {
            prop_assert!((0.0..=1.0).contains(&grr) && grr <= nrr);
            prop_assert!((found.gross_churn().unwrap() - (1.0 - grr)).abs() < 1e-12);
            prop_assert!((found.net_churn().unwrap() - (1.0 - nrr)).abs() < 1e-12);
        }
    }

    #[test]
    fn survival_only_falls_and_probabilities_are_probabilities(
        groups in prop::collection::vec(prop::collection::vec((0..40_u32, any::<bool>()), 0..25), 0..5),
    ) {
        let mut lifetimes = Vec::new();
        for group in &groups {
            let mut of = Lifetimes::default();
            for (days, left) in group {
                of.add(*days, *left);
            }
            let survival = of.survival();
            let mut before = 1.0;
            for point in &survival.points {
                prop_assert!((0.0..=before).contains(&point.survival));
                let interval = point.interval;
                prop_assert!(0.0 <= interval.low && interval.low <= point.survival);
                prop_assert!(point.survival <= interval.high && interval.high <= 1.0);
                prop_assert!(point.standard_error >= 0.0 && point.standard_error.is_finite());
                before = point.survival;
            }
            prop_assert_eq!(survival.customers, group.len() as u64);
            lifetimes.push(of);
        }
        if let Some(test) = log_rank(&lifetimes) {
            prop_assert!((0.0..=1.0).contains(&test.p), "{:?}", test);
            prop_assert!(test.chi_square >= 0.0 && test.chi_square.is_finite());
            // The order of the groups makes no difference.
            lifetimes.reverse();
            let back = log_rank(&lifetimes).unwrap();
            prop_assert_eq!(back.df, test.df);
            prop_assert!((back.chi_square - test.chi_square).abs() <= 1e-6 * test.chi_square.max(1.0));
        }
    }

    #[test]
    fn cohorts_account_for_everybody(
        log in prop::collection::vec((-3..20_i64, prop::collection::vec(-5..30_i64, 0..8)), 0..40),
    ) {
        let month = |k: i64| CalendarMonth::of(date!(2025 - 01 - 01) + Duration::days(31 * k));
        let mut tally = CohortTally::new(CohortBy::SignUp, month(12));
        for (first, active) in &log {
            tally.add(month(*first), active.iter().map(|k| month(*k)));
        }
        let population = log.len() as u64;
        prop_assert!(tally.clone().finish(population + 1).is_err());
        let found = tally.finish(population).unwrap();
        let sizes: u64 = found.cohorts.iter().map(|it| it.size).sum();
        prop_assert_eq!(sizes + found.too_young, population);
        for cohort in &found.cohorts {
            let months = found.last_full_month.since(cohort.month).unwrap() + 1;
            prop_assert_eq!(cohort.active.len(), months);
            for (k, active) in cohort.active.iter().enumerate() {
                prop_assert!(*active <= cohort.rolling_active[k]);
                prop_assert!(cohort.rolling_active[k] <= cohort.size);
                prop_assert!(k == 0 || cohort.rolling_active[k] <= cohort.rolling_active[k - 1]);
            }
        }
    }
}

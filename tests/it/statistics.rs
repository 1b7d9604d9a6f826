//! What tables, papers and other programs say of estimates, held here.

use serde_json::Value as Json;
use tenure::domain::statistics::nps::sample_size;
use tenure::domain::statistics::proportion::{compare, fisher, wilson};
use tenure::domain::statistics::{Difference, normal};
use tenure::{Interval, NpsClass, NpsCounts};

const FACTS: &str = include_str!("../data/statistics/nps_facts.json");

fn facts() -> Json {
    serde_json::from_str(FACTS).unwrap()
}

fn rows(facts: &Json, part: &str) -> Vec<Json> {
    let rows = facts[part].as_array().unwrap().clone();
    assert!(!rows.is_empty());
    rows
}

/// Whether two numbers agree, to so many parts of the second or, near zero, of one.
fn near(found: f64, known: &Json, tolerance: f64, what: &str) {
    let known = known.as_f64().unwrap();
    let far = (found - known).abs();
    assert!(far <= tolerance * known.abs().max(1e-3), "{what}: {found}, not {known}");
}

fn is(found: f64, known: &Json, what: &str) {
    near(found, known, 1e-9, what);
}

fn within(found: Interval, known: &Json, what: &str) {
    is(found.low, &known[0], what);
    is(found.high, &known[1], what);
}

fn number(row: &Json, field: &str) -> u64 {
    row[field].as_u64().unwrap()
}

fn counts(row: &Json) -> NpsCounts {
    NpsCounts::new(number(row, "promoters"), number(row, "passives"), number(row, "detractors"))
}

#[test]
fn every_score_has_its_class() {
    let classes = facts()["nps_classify"].as_object().unwrap().clone();
    assert_eq!(classes.len(), 11);
    for (score, class) in classes {
        assert_eq!(NpsClass::of(score.parse().unwrap()).as_str(), class, "{score}");
    }
}

#[test]
fn scores_and_their_intervals_are_the_known_ones() {
    for row in rows(&facts(), "nps") {
        let (counts, what) = (counts(&row), row.to_string());
        assert_eq!(counts.total(), number(&row, "n"), "{what}");
        let status = match counts.total() {
            0 => "no_data",
            few if few < tenure::domain::statistics::nps::SAMPLE_MIN => "insufficient",
            _ => "ok",
        };
        assert_eq!(row["status"], status);
        let Some(score) = counts.score() else {
            assert!(row["nps"].is_null() && counts.wald().is_none());
            continue;
        };
        is(score, &row["nps"], &what);
        is(counts.variance().unwrap(), &row["variance"], &what);
        let wald = counts.wald().unwrap();
        is(wald.standard_error, &row["se"], &what);
        is(wald.margin, &row["moe95"], &what);
        within(wald.interval, &row["wald"], &what);
        let adjusted = counts.adjusted().unwrap();
        is(adjusted.centre, &row["adj_center"], &what);
        is(adjusted.standard_error, &row["adj_se"], &what);
        is(adjusted.margin, &row["adj_moe95"], &what);
        within(adjusted.interval, &row["adj_ci95"], &what);
    }
}

#[test]
fn differences_between_scores_are_the_known_ones() {
    for row in rows(&facts(), "nps_tests") {
        let what = row.to_string();
        let side = |name: &str| {
            let [p, n, d] = [0, 1, 2].map(|place| row[name][place].as_u64().unwrap());
            NpsCounts::new(p, n, d)
        };
        let (a, b) = (side("a"), side("b"));
        assert_eq!(row["allowed"], a.total() >= 30 && b.total() >= 30);
        is(a.score().unwrap(), &row["nps_a"], &what);
        is(b.score().unwrap(), &row["nps_b"], &what);
        let told = |found: Difference, names: [&str; 5]| {
            let [value, error, statistic, p, interval] = names.map(|name| &row[name]);
            is(found.value, value, &what);
            is(found.standard_error, error, &what);
            within(found.interval, interval, &what);
            for (found, known) in [(found.statistic, statistic), (found.p, p)] {
                assert_eq!(found.is_none(), known.is_null(), "{what}");
                if let Some(found) = found {
                    is(found, known, &what);
                }
            }
        };
        told(a.difference(b).unwrap(), ["diff", "se", "z", "p", "ci95"]);
        let names = ["adj_diff", "adj_se", "adj_z", "adj_p", "adj_ci95"];
        told(a.adjusted_difference(b).unwrap(), names);
        match a.welch(b).and_then(|it| it.p) {
            Some(p) => is(p, &row["welch_t_p"], &what),
            None => assert!(row["welch_t_p"].is_null()),
        }
        match a.same_mix(b) {
            Some(p) => is(p, &row["chi2_2x3"]["p"], &what),
            None => assert!(row["chi2_2x3"].is_null()),
        }
    }
}

#[test]
fn samples_are_as_large_as_they_must_be() {
    for row in rows(&facts(), "nps_sample_size") {
        let real = |field: &str| row[field].as_f64().unwrap();
        let size = sample_size(real("moe"), real("variance")).unwrap();
        assert_eq!((size, size - 3), (number(&row, "n"), number(&row, "n_adj")), "{row}");
    }
}

#[test]
fn intervals_of_shares_are_the_known_ones() {
    for row in rows(&facts(), "wilson") {
        let interval = wilson(number(&row, "k"), number(&row, "n")).unwrap();
        near(interval.low, &row["lo"], 1e-9, &row.to_string());
        near(interval.high, &row["hi"], 1e-9, &row.to_string());
    }
}

#[test]
fn differences_between_shares_are_the_known_ones() {
    for row in rows(&facts(), "two_proportion") {
        let what = row.to_string();
        let first = (number(&row, "k1"), number(&row, "n1"));
        let second = (number(&row, "k2"), number(&row, "n2"));
        let found = compare(first, second).unwrap();
        is(found.difference, &row["diff"], &what);
        is(found.z.unwrap(), &row["z_pooled"], &what);
        is(normal::two_sided(found.z.unwrap()), &row["p"], &what);
        within(found.interval, &row["newcombe95"], &what);
        let exact = fisher(first, second).unwrap();
        is(exact, &row["fisher_p"], &what);
        is(found.expected_min, &row["min_expected"], &what);
        assert_eq!(row["use"], found.test.as_str());
        let decides = if row["use"] == "z" { &row["p"] } else { &row["fisher_p"] };
        is(found.p, decides, &what);
    }
}

/// Every outcome of `n` answers, with its probability.
fn outcomes(shares: [f64; 3], n: u32) -> Vec<(NpsCounts, f64)> {
    let mut ln_factorials = vec![0.0_f64];
    for k in 1..=n {
        ln_factorials.push(ln_factorials.last().unwrap() + f64::from(k).ln());
    }
    let ln = |k: u32| ln_factorials[usize::try_from(k).unwrap()];
    let mut all = Vec::new();
    for p in 0..=n {
        for d in 0..=n - p {
            let s = n - p - d;
            let parts = [(p, shares[0]), (s, shares[1]), (d, shares[2])];
            let ln_chance: f64 =
                parts.iter().map(|(k, share)| f64::from(*k) * share.ln() - ln(*k)).sum();
            let counts = NpsCounts::new(p.into(), s.into(), d.into());
            all.push((counts, (ln(n) + ln_chance).exp()));
        }
    }
    all
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_should() {
    for row in rows(&facts(), "nps_exact_coverage") {
        let shares = [0, 1, 2].map(|place| row["p"][place].as_f64().unwrap());
        let n = u32::try_from(number(&row, "n")).unwrap();
        let truth = 100.0 * (shares[0] - shares[2]);
        let all = outcomes(shares, n);
        let (mut wald, mut adjusted, mut margin) = (0.0, 0.0, 0.0);
        for (counts, chance) in &all {
            let (seen, kept) = (counts.wald().unwrap(), counts.adjusted().unwrap());
            let holds = |it: Interval| it.low - 1e-9 <= truth && truth <= it.high + 1e-9;
            wald += if holds(seen.interval) { *chance } else { 0.0 };
            adjusted += if holds(kept.interval) { *chance } else { 0.0 };
            margin += chance * seen.margin;
        }
        let what = row.to_string();
        near(wald, &row["coverage_wald"], 1e-8, &what);
        near(adjusted, &row["coverage_adj"], 1e-8, &what);
        near(margin, &row["mean_moe"], 1e-8, &what);
        // Both samples from the same people: how often a difference is found that is not there.
        if n > 20 {
            continue;
        }
        let (mut found_seen, mut found_adjusted) = (0.0, 0.0);
        for (first, chance) in &all {
            for (second, other) in &all {
                let sure =
                    |it: Option<Difference>| it.and_then(|it| it.p).is_some_and(|p| p < 0.05);
                let both = chance * other;
                found_seen += if sure(first.difference(*second)) { both } else { 0.0 };
                found_adjusted += if sure(first.adjusted_difference(*second)) { both } else { 0.0 };
            }
        }
        near(found_seen, &row["type1_z"], 1e-8, &what);
        near(found_adjusted, &row["type1_adj"], 1e-8, &what);
    }
}

#[test]
fn what_others_have_published_holds() {
    for fact in rows(&facts(), "published") {
        let (input, expected) = (&fact["input"], &fact["expected"]);
        let what = fact.to_string();
        let tolerance = fact["tolerance"].as_f64().unwrap_or(1e-9);
        let told = |found: f64, known: &Json| near(found, known, tolerance, &what);
        match fact["id"].as_str().unwrap() {
            "nps-delighted-1" => assert_eq!(counts(input).rounded(), expected["nps"].as_i64()),
            "nps-var-trinomial" => {
                let counts = NpsCounts::new(3, 2, 1);
                assert!((counts.score().unwrap() - 100.0 / 3.0).abs() < 1e-9);
                assert!((counts.variance().unwrap() - 5.0 / 9.0).abs() < 1e-9);
            }
            "nps-se-n324" => {
                let estimate = counts(input).wald().unwrap();
                told(estimate.centre, &expected["nps"]);
                told(estimate.standard_error, &expected["se"]);
                told(estimate.margin, &expected["margin95"]);
            }
            "nps-adjwald-rule" => {
                // One answer, a promoter: 1¾ promoters and ¾ detractors of four.
                assert!((NpsCounts::new(1, 0, 0).adjusted().unwrap().centre - 25.0).abs() < 1e-12);
            }
            "nps-adjwald-all-promoters-n5" => {
                told(counts(input).wald().unwrap().margin, &expected["plain_wald_margin"]);
                let adjusted = counts(input).adjusted().unwrap();
                told(adjusted.centre, &expected["adj_centre"]);
                told(adjusted.standard_error, &expected["adj_se"]);
                told(adjusted.interval.low, &expected["adj_low"]);
                told(adjusted.interval.high, &expected["adj_high_clamped"]);
            }
            "nps-adjwald-n20" => {
                let adjusted = counts(input).adjusted().unwrap();
                told(adjusted.centre, &expected["adj_centre"]);
                told(adjusted.standard_error, &expected["adj_se"]);
                told(adjusted.interval.low, &expected["adj_low"]);
                told(adjusted.interval.high, &expected["adj_high"]);
            }
            "nps-non-integer" => {
                let mut counts = NpsCounts::default();
                for score in input["scores"].as_array().unwrap() {
                    counts.count(NpsClass::of(score.as_f64().unwrap()));
                }
                assert_eq!(counts.rounded(), expected["exhaustive_buckets_score"].as_i64());
            }
            // How often one is asked: told in the stories about surveys.
            "nps-throttle-days" | "nps-throttle-asknicely" => {}
            other => panic!("no story of {other}"),
        }
    }
}

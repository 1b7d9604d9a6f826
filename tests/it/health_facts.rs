//! Health scores come to what they should: computed with rational numbers, published elsewhere.

use crate::support::BEGINNING;
use serde::Deserialize;
use serde_json::Value;
use tenure::{
    Figure, FigureSource, Figures, Grade, Health, HealthComponent, HealthMetric, HealthModel,
    HealthTrend, UnknownPolicy,
};

/// See `tests/data/health/README.md`.
const SCORES: &str = include_str!("../data/health/scores.json");
const PUBLISHED: &str = include_str!("../data/health/published.json");

#[derive(Deserialize)]
struct Scores {
    metrics: Vec<String>,
    components: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    input: Vec<Option<f64>>,
    previous: Option<u32>,
    metrics: Vec<Option<f64>>,
    raw: Vec<Option<f64>>,
    scores: Vec<Option<u32>>,
    total: Option<u32>,
    exact: Option<f64>,
    grade: Option<Grade>,
    coverage: f64,
    sufficient: bool,
    trend: Option<HealthTrend>,
    #[serde(default)]
    source: Vec<Option<u32>>,
    #[serde(default)]
    source_total: Option<u32>,
    #[serde(default)]
    zero_filled: Option<u32>,
}

fn figures<'n>(known: impl IntoIterator<Item = (&'n str, f64)>) -> Figures {
    let mut figures = Figures::default();
    for (name, value) in known {
        let figure = Figure { value, at: BEGINNING, source: FigureSource::Host };
        figures.set(name.to_owned(), figure);
    }
    figures
}

fn scores() -> Scores {
    serde_json::from_str(SCORES).unwrap()
}

impl Scores {
    fn figures(&self, case: &Case) -> Figures {
        let named = self.metrics.iter().map(String::as_str).zip(&case.input);
        figures(named.filter_map(|(name, value)| Some((name, (*value)?))))
    }
}

/// The nearest floats: what is written down was rounded once from the exact number.
fn near(one: Option<f64>, other: Option<f64>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => (one - other).abs() <= 1e-13 * (1.0 + other.abs()),
        (one, other) => one == other,
    }
}

#[test]
fn every_metric_component_and_total_is_exact() {
    let (facts, model) = (scores(), HealthModel::default());
    assert_eq!(facts.cases.len(), 218);
    for case in &facts.cases {
        let health =
            model.score(&facts.figures(case), BEGINNING, case.previous.map(Into::into).as_ref());
        let name = &case.name;
        let details = health.components.iter().flat_map(|it| &it.details);
        for (metric, points) in details.zip(&case.metrics) {
            assert!(near(metric.points, *points), "{name}: {metric:?} {points:?}");
        }
        for (component, (raw, score)) in
            health.components.iter().zip(case.raw.iter().zip(&case.scores))
        {
            assert!(near(component.points, *raw), "{name}: {component:?} {raw:?}");
            assert_eq!(component.score, *score, "{name}: {}", component.name);
        }
        assert_eq!(health.total, case.total, "{name}");
        assert_eq!(health.total.map(|total| model.grade(total)), case.grade, "{name}");
        assert!(near(Some(health.coverage), Some(case.coverage)), "{name}: {}", health.coverage);
        assert_eq!(health.unscored.is_none(), case.sufficient, "{name}");
        assert_eq!(health.score, case.total.filter(|_| case.sufficient), "{name}");
        let trend = health.total.zip(case.previous).map(|(now, before)| model.trend(now, before));
        assert_eq!(trend, case.trend, "{name}");
        assert_eq!(health.trend, trend.filter(|_| case.sufficient), "{name}");
        // The total before it is rounded, from the scores of the components.
        let known = health.components.iter().filter_map(|it| Some((it.weight, it.score?)));
        let (sum, weight) = known.fold((0.0, 0.0), |(sum, weight), (part, score)| {
            (sum + part * f64::from(score), weight + part)
        });
        let exact = (weight > 0.0).then(|| sum / weight);
        assert!(near(exact, case.exact), "{name}: {exact:?} {:?}", case.exact);
    }
}

#[test]
fn the_formula_that_was_in_use_elsewhere_gives_the_same_numbers_still() {
    let (facts, model) = (scores(), HealthModel::source_compatible());
    let mut totals = 0;
    for case in facts.cases.iter().filter(|case| !case.source.is_empty()) {
        let health = model.score(&facts.figures(case), BEGINNING, None);
        for (component, score) in health.components.iter().zip(&case.source) {
            // Where it divides 0 by 0 it gives nothing; here that counts as 100 points.
            assert!(score.is_none_or(|score| component.score == Some(score)), "{}", case.name);
            let divides = |metric: &str| {
                let figures = facts.figures(case);
                figures.get(metric).is_none_or(|figure| figure.value == 0.0)
            };
            let is_support = component.name == "support";
            let none = is_support && (divides("open_tickets") || divides("escalations"));
            assert_eq!(score.is_none(), none, "{}", case.name);
        }
        if case.source_total.is_some() {
            totals += 1;
            assert_eq!(health.score, case.source_total, "{}", case.name);
        }
    }
    assert_eq!(totals, 37);
}

#[test]
fn what_is_unknown_counts_as_zero_only_where_a_model_says_so() {
    let (facts, model) = (scores(), HealthModel::default());
    let mut zero = model.clone();
    for component in &mut zero.components {
        component.unknown = UnknownPolicy::Zero;
    }
    let mut differ = 0;
    for case in facts.cases.iter().filter(|case| case.zero_filled.is_some()) {
        let total = zero.score(&facts.figures(case), BEGINNING, None).total;
        assert_eq!(total, case.zero_filled, "{}", case.name);
        differ += usize::from(total != case.total);
    }
    assert!(differ > 60, "{differ}");
}

fn published(id: &str) -> Value {
    let all: Vec<Value> = serde_json::from_str(PUBLISHED).unwrap();
    all.into_iter().find(|it| it["id"] == id).unwrap_or_else(|| panic!("no `{id}`"))
}

/// Components of one metric each, of these weights, whose figures are their scores up to `ideal`.
fn plain(parts: &[(f64, Option<f64>)], ideal: f64, unknown: UnknownPolicy) -> Health {
    let whole: f64 = parts.iter().map(|(weight, _)| weight).sum();
    let names: Vec<String> = (0..parts.len()).map(|place| format!("part{place}")).collect();
    let component = |(name, (weight, _)): (&String, &(f64, Option<f64>))| {
        let metric = HealthMetric::higher(name.as_str(), ideal, 1.0);
        HealthComponent::new(name.as_str(), weight / whole).metric(metric).unknown(unknown)
    };
    let model = HealthModel::of(names.iter().zip(parts).map(component));
    model.check().unwrap();
    let known =
        names.iter().zip(parts).filter_map(|(name, (_, score))| Some((name.as_str(), (*score)?)));
    model.score(&figures(known), BEGINNING, None)
}

#[test]
fn a_published_group_score_comes_out() {
    let fact = published("health-gainsight-group");
    let measures: Vec<(f64, f64)> =
        serde_json::from_value(fact["input"]["measures"].clone()).unwrap();
    let parts: Vec<_> = measures.iter().map(|(weight, score)| (*weight, Some(*score))).collect();
    let health = plain(&parts, 100.0, UnknownPolicy::Skip);
    let group = fact["expected"]["group_score"].as_f64().unwrap();
    assert!((health.points.unwrap() - group).abs() < 1e-3, "{health:?}");
    assert_eq!(health.score, Some(40));

    let fact = published("health-vitally-score");
    let parts = [(1.0, Some(10.0)), (1.0, Some(10.0)), (1.0, Some(0.0))];
    let health = plain(&parts, 10.0, UnknownPolicy::Skip);
    let score = fact["expected"]["score"].as_f64().unwrap();
    assert!((health.points.unwrap() / 10.0 - score).abs() < 0.01);

    let fact = published("health-planhat-group-1");
    let parts = [10.0, 5.0, 5.0, 5.0].map(|score| (1.0, Some(score)));
    let health = plain(&parts, 10.0, UnknownPolicy::Skip);
    assert_eq!(health.points.map(|it| it / 10.0), fact["expected"]["mean"].as_f64());
}

#[test]
fn three_policies_for_what_is_unknown_give_three_scores() {
    let fact = published("health-missing-as-zero");
    let expected = |field: &str| fact["expected"][field].as_f64();
    let parts = [(40.0, Some(90.0)), (30.0, Some(80.0)), (30.0, None)];
    let of = |policy| plain(&parts, 100.0, policy);
    let skipped = of(UnknownPolicy::Skip);
    assert!((skipped.points.unwrap() - expected("renormalised").unwrap()).abs() < 1e-3);
    assert_eq!(Some(skipped.coverage), expected("coverage"));
    assert_eq!(of(UnknownPolicy::Zero).points, expected("wrong_if_missing_is_zero"));
    assert_eq!(of(UnknownPolicy::Neutral(50)).points, expected("neutral_50"));
    let refused = of(UnknownPolicy::NoScore);
    assert_eq!(refused.score, None);
    assert_eq!(refused.unscored.unwrap().to_string(), "not all is known that must be of part2");
    let nothing = plain(&[(40.0, None), (60.0, None)], 100.0, UnknownPolicy::Skip);
    assert_eq!((nothing.score, nothing.total, nothing.points), (None, None, None));
}

#[test]
fn components_are_rounded_before_the_whole_as_published() {
    // Of two components at 50.5 each, 51 is the score of both and of the whole.
    let health = plain(&[(1.0, Some(50.5)), (1.0, Some(50.5))], 100.0, UnknownPolicy::Skip);
    assert_eq!(health.components[0].score, Some(51));
    assert_eq!((health.score, health.points), (Some(51), Some(50.5)));
    assert_eq!(scores().components.len(), 5);
}

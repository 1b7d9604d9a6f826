//! Laws of health scores, for any sound model and any figures.

use crate::support::BEGINNING;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use tenure::{
    Figure, FigureSource, Figures, HealthComponent, HealthFormula, HealthMetric, HealthModel,
    MetricDirection, UnknownPolicy,
};
use time::Duration;

fn figure(value: f64) -> Figure {
    Figure { value, at: BEGINNING, source: FigureSource::Host }
}

/// Weights that add up to one, in thousandths, as people write them.
fn weights(count: usize) -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(1_u32..100, count).prop_map(|parts| {
        let whole: u32 = parts.iter().sum();
        let mut left = 1_000_u32;
        let last = parts.len() - 1;
        let mut weights = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            let share = (1_000 * part / whole).max(1);
            let weight = if place == last { left } else { share };
            left -= weight;
            weights.push(f64::from(weight) / 1_000.0);
        }
        weights
    })
}

fn metric(name: String, weight: f64) -> impl Strategy<Value = HealthMetric> {
    let ideal = prop_oneof![Just(0.0), Just(0.7), 0.001..1e6_f64, (1_u32..100).prop_map(f64::from)];
    (any::<bool>(), ideal, 0.01..1e4_f64).prop_map(move |(higher, ideal, span)| {
        if higher {
            HealthMetric::higher(name.clone(), ideal, weight)
        } else {
            HealthMetric::lower(name.clone(), ideal, ideal + span, weight)
        }
    })
}

fn policy() -> impl Strategy<Value = UnknownPolicy> {
    prop_oneof![
        4 => Just(UnknownPolicy::Skip),
        1 => (0_u32..=100).prop_map(UnknownPolicy::Neutral),
        1 => Just(UnknownPolicy::Zero),
        1 => Just(UnknownPolicy::NoScore),
    ]
}

fn component(name: usize, weight: f64) -> impl Strategy<Value = HealthComponent> {
    (1_usize..5).prop_flat_map(weights).prop_flat_map(move |shares| {
        let metrics = shares.into_iter().enumerate();
        let metrics: Vec<_> =
            metrics.map(|(place, share)| metric(format!("m{name}.{place}"), share)).collect();
        (metrics, policy()).prop_map(move |(metrics, policy)| {
            let component = HealthComponent::new(format!("c{name}"), weight).unknown(policy);
            metrics.into_iter().fold(component, HealthComponent::metric)
        })
    })
}

fn model() -> impl Strategy<Value = HealthModel> {
    let random = (1_usize..6).prop_flat_map(weights).prop_flat_map(|shares| {
        let parts: Vec<_> =
            shares.into_iter().enumerate().map(|(place, share)| component(place, share)).collect();
        (parts, 0.0..=1.0_f64).prop_map(|(parts, min_coverage)| {
            let mut model = HealthModel::of(parts);
            model.min_coverage = min_coverage;
            model
        })
    });
    prop_oneof![
        2 => random,
        1 => Just(HealthModel::default()),
        1 => Just(HealthModel::source_compatible()),
    ]
}

/// Values of every size, decimals as people write them among them.
fn value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        2 => Just(None),
        4 => (-200_i32..2_000).prop_map(|it| Some(f64::from(it) / 100.0)),
        4 => (0.0..100.0_f64).prop_map(Some),
        1 => (-1e300..1e300_f64).prop_map(Some),
        1 => any::<f64>().prop_map(Some),
    ]
}

fn case() -> impl Strategy<Value = (HealthModel, Figures)> {
    model().prop_flat_map(|model| {
        let count = model.metrics().count();
        (Just(model), proptest::collection::vec(value(), count)).prop_map(|(model, values)| {
            let mut figures = Figures::default();
            for ((_, metric), value) in model.metrics().zip(values) {
                if let Some(value) = value {
                    figures.set(metric.name.clone(), figure(value));
                }
            }
            (model, figures)
        })
    })
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::with_cases(512)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_score_lies_within_0_and_100_or_is_not_given((model, figures) in case()) {
        model.check().unwrap();
        let health = model.score(&figures, BEGINNING, None);
        prop_assert_eq!(health.score.is_none(), health.unscored.is_some());
        prop_assert!(health.total.is_none_or(|it| it <= 100));
        prop_assert!((0.0..=1.0).contains(&health.coverage));
        for component in &health.components {
            prop_assert!(component.score.is_none_or(|it| it <= 100));
            if model.formula == HealthFormula::Exact {
                let points = component.details.iter().filter_map(|it| it.points);
                prop_assert!(points.chain(component.points).all(|it| (0.0..=100.0).contains(&it)));
            }
        }
        prop_assert!(health.points.is_none_or(f64::is_finite));
        prop_assert_eq!(model.score(&figures, BEGINNING, None), health);
    }

    #[test]
    fn decimals_are_rounded_as_fractions_are(
        parts in (1_usize..5).prop_flat_map(|count| {
            let part = (1_i64..100_000, 0_i64..100_000);
            (weights(count), proptest::collection::vec(part, count))
        }),
    ) {
        let mut component = HealthComponent::new("c", 1.0);
        let mut figures = Figures::default();
        // The mean as one fraction, of ideals and values in hundredths and weights in thousandths.
        let whole: i128 = parts.1.iter().map(|(ideal, _)| i128::from(*ideal)).product();
        let mut sum = 0_i128;
        for (place, (weight, (ideal, value))) in parts.0.iter().zip(&parts.1).enumerate() {
            let name = format!("m{place}");
            let hundredths = |it: i64| f64::from(i32::try_from(it).unwrap()) / 100.0;
            let metric = HealthMetric::higher(name.as_str(), hundredths(*ideal), *weight);
            component = component.metric(metric);
            figures.set(name, figure(hundredths(*value)));
            #[expect(clippy::cast_possible_truncation, reason = "thousandths of at most 1")]
            let weight = (weight * 1_000.0).round() as i128;
            sum += weight * i128::from(*value.min(ideal)) * (whole / i128::from(*ideal));
        }
        let rounded = (2 * 100 * sum + 1_000 * whole) / (2 * 1_000 * whole);
        let health = HealthModel::of([component]).score(&figures, BEGINNING, None);
        prop_assert_eq!(health.score.map(i128::from), Some(rounded));
    }

    #[test]
    fn a_better_figure_never_lowers_a_score(
        (model, figures) in case(),
        which in any::<prop::sample::Index>(),
        by in prop_oneof![Just(f64::MIN_POSITIVE), 1e-9..1e-3_f64, 0.0..100.0_f64, Just(1e300)],
    ) {
        let metrics: Vec<_> = model.metrics().map(|(_, metric)| metric).collect();
        let metric = metrics[which.index(metrics.len())];
        if let Some(figure) = figures.get(&metric.name) {
            let mut better = figures.clone();
            let by = if metric.direction == MetricDirection::Higher { by } else { -by };
            better.set(metric.name.clone(), Figure { value: figure.value + by, ..figure });
            let (before, after) = (model.score(&figures, BEGINNING, None), model.score(&better, BEGINNING, None));
            prop_assert!(after.total >= before.total, "{before:?}\n{after:?}");
            for (was, is) in before.components.iter().zip(&after.components) {
                prop_assert!(is.score >= was.score && is.points >= was.points);
            }
        }
    }

    #[test]
    fn what_is_unknown_neither_helps_nor_hurts((model, figures) in case()) {
        let is_exact = model.formula == HealthFormula::Exact;
        if is_exact && model.components.iter().all(|it| it.unknown == UnknownPolicy::Skip) {
            // The model without the unknown metrics, as if it had never had them.
            let known = |metric: &HealthMetric| figures.get(&metric.name).is_some();
            let mut less = model.clone();
            less.min_coverage = 0.0;
            for component in &mut less.components {
                component.metrics.retain(known);
                scale(component.metrics.iter_mut().map(|it| &mut it.weight));
            }
            less.components.retain(|it| !it.metrics.is_empty());
            scale(less.components.iter_mut().map(|it| &mut it.weight));
            let (whole, less) = (model.score(&figures, BEGINNING, None), less.score(&figures, BEGINNING, None));
            let near = |one: Option<f64>, other: Option<f64>| match (one, other) {
                (Some(one), Some(other)) => (one - other).abs() < 1e-5,
                (one, other) => one == other,
            };
            let scored = whole.components.iter().filter(|it| it.score.is_some());
            for (one, other) in scored.zip(&less.components) {
                prop_assert!(near(one.points, other.points), "{one:?}\n{other:?}");
            }
            prop_assert!(near(whole.points, less.points));
            // Scaled weights are rounded to nine decimals: a tie may fall to either side.
            prop_assert!(whole.total.unwrap_or(0).abs_diff(less.total.unwrap_or(0)) <= 1);
        }
    }

    #[test]
    fn the_shares_add_up((model, figures) in case()) {
        let health = model.score(&figures, BEGINNING, None);
        let why = model.explain(&figures, BEGINNING);
        let near = |one: f64, other: f64| (one - other).abs() <= 1e-9 * (1.0 + other.abs());
        let sum: f64 = why.shares.iter().map(|it| it.share).sum();
        prop_assert!(near(sum, why.points), "{sum} {why:?}");
        prop_assert_eq!(why.total, health.total);
        prop_assert!(near(why.points + why.rounding, f64::from(why.total.unwrap_or(0))));
        for component in &health.components {
            let shares = why.shares.iter().filter(|it| it.component == component.name);
            prop_assert!(near(shares.map(|it| it.share).sum(), component.share));
        }
        prop_assert!(why.gains.is_sorted_by(|a, b| a.gain >= b.gain));
        prop_assert_eq!(why.gains.len(), model.metrics().count());
        for gain in &why.gains {
            let mut better = figures.clone();
            better.set(gain.metric.clone(), figure(gain.ideal));
            prop_assert_eq!(Some(gain.total), model.score(&better, BEGINNING, None).total);
        }
    }

    #[test]
    fn equal_models_have_equal_hashes_and_survive_json((one, _) in case(), (other, _) in case()) {
        let json = serde_json::to_string(&one).unwrap();
        let read: HealthModel = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&read, &one);
        prop_assert_eq!(read.hash(), one.hash());
        prop_assert_eq!(one == other, one.hash() == other.hash());
    }

    #[test]
    fn a_figure_that_is_too_old_is_one_that_is_missing((model, figures) in case()) {
        let later = BEGINNING + Duration::days(400);
        let health = model.score(&figures, later, None);
        let has_bound = model.max_age_days.is_some();
        let none = model.score(&Figures::default(), later, None);
        prop_assert!(!has_bound || (health.total, health.coverage) == (none.total, none.coverage));
    }

    #[test]
    fn no_model_from_anywhere_makes_it_panic(
        weight in any::<f64>(), ideal in any::<f64>(), worst in any::<Option<f64>>(),
        least in any::<f64>(), value in any::<f64>(), days in any::<Option<u32>>(),
    ) {
        let mut metric = HealthMetric::higher("m", ideal, weight);
        metric.direction = MetricDirection::Lower;
        metric.worst = worst;
        metric.max_age_days = days;
        let mut model = HealthModel::of([HealthComponent::new("c", weight).metric(metric)]);
        model.min_coverage = least;
        let _ = model.check();
        let mut figures = Figures::default();
        figures.set("m", figure(value));
        for formula in [HealthFormula::Exact, HealthFormula::SourceCompatible] {
            model.formula = formula;
            let health = model.score(&figures, BEGINNING, Some(&100.into()));
            prop_assert!(health.total.is_none_or(|it| it <= 100));
            let _ = model.explain(&figures, BEGINNING);
        }
    }
}

fn scale<'w>(weights: impl Iterator<Item = &'w mut f64>) {
    let weights: Vec<_> = weights.collect();
    let whole: f64 = weights.iter().map(|it| **it).sum();
    for weight in weights {
        *weight /= whole;
    }
}

use super::*;
use crate::domain::facts::{Figure, FigureSource};
use proptest::prelude::*;
use time::Duration;
use time::macros::datetime;

/// The facts of a customer of whom these figures are known.
fn facts(figures: &[(&'static str, f64)], refusals: u64, renewal: Option<i64>) -> CustomerFacts {
    let at = datetime!(2026-01-31 12:00 UTC);
    let tier = "starter".parse().unwrap();
    let mut facts = CustomerFacts::new(uuid::Uuid::nil().into(), tier, at, at);
    for (name, value) in figures {
        facts.figures.set(*name, Figure { value: *value, at, source: FigureSource::Host });
    }
    if refusals > 0 {
        facts.blocked.insert("sso".parse().unwrap(), refusals);
    }
    facts.contract.renewal_at = renewal.map(|days| at.saturating_add(Duration::days(days)));
    facts
}

fn kinds(facts: &CustomerFacts) -> Vec<Kind> {
    let found = signals(facts, &ExpansionRules::default());
    found.triggered.iter().map(|it| it.kind).collect()
}

#[test]
fn each_signal_begins_where_the_table_says() {
    let table = [
        (Kind::ApproachingLimit, names::USAGE_VS_LIMIT, 0.8, 0.800_001),
        (Kind::HighEngagement, names::ENGAGEMENT_SCORE, 80.0, 81.0),
        (Kind::TeamGrowth, names::TEAM_GROWTH, 0.2, 0.21),
        (Kind::SuccessMetrics, names::OUTCOMES_ABOVE_TARGET, 0.0, 1.0),
        (Kind::NpsPromoter, names::NPS_SCORE, 8.0, 9.0),
    ];
    for (kind, name, not_yet, there) in table {
        assert_eq!(kinds(&facts(&[(name, not_yet)], 0, None)), [], "{kind} at {not_yet}");
        assert_eq!(kinds(&facts(&[(name, there)], 0, None)), [kind], "at {there}");
    }
    assert_eq!(kinds(&facts(&[], 3, None)), []);
    assert_eq!(kinds(&facts(&[], 4, None)), [Kind::FeatureAttempts]);
    for (days, there) in [(61, false), (60, true), (0, true), (-1, false)] {
        assert_eq!(kinds(&facts(&[], 0, Some(days))).len(), usize::from(there), "{days}");
    }
}

#[test]
fn eighty_of_a_hundred_is_not_yet_near_the_limit() {
    for (used, limit, there) in [(80.0, 100.0, 0), (8.0, 10.0, 0), (81.0, 100.0, 1)] {
        let found = kinds(&facts(&[(names::USAGE_VS_LIMIT, used / limit)], 0, None));
        assert_eq!(found.len(), there, "{used} of {limit}");
    }
}

#[test]
fn what_is_not_known_is_no_signal() {
    let found = signals(&facts(&[], 0, None), &ExpansionRules::default());
    assert_eq!(found, ExpansionSignals::default());
}

#[test]
fn the_probability_is_the_weight_of_what_is_there_by_that_of_all() {
    let all = facts(
        &[
            (names::USAGE_VS_LIMIT, 1.2),
            (names::ENGAGEMENT_SCORE, 90.0),
            (names::TEAM_GROWTH, 0.5),
            (names::OUTCOMES_ABOVE_TARGET, 2.0),
            (names::NPS_SCORE, 10.0),
        ],
        9,
        Some(30),
    );
    let probability = |facts: &CustomerFacts| {
        (signals(facts, &ExpansionRules::default()).probability * 100.0).round()
    };
    assert!((probability(&all) - 100.0).abs() < 1e-9);
    let one = |name, value| probability(&facts(&[(name, value)], 0, None));
    // 0.9, 0.7 and 0.5 of 4.6.
    assert!((one(names::USAGE_VS_LIMIT, 0.9) - 20.0).abs() < 1e-9);
    assert!((one(names::TEAM_GROWTH, 0.9) - 15.0).abs() < 1e-9);
    assert!((one(names::NPS_SCORE, 9.0) - 11.0).abs() < 1e-9);
}

#[test]
fn a_tie_is_rounded_up_exactly() {
    let mut rules = ExpansionRules::default();
    rules.signals.retain(|kind, _| matches!(kind, Kind::NpsPromoter | Kind::TeamGrowth));
    // 0.29 of 2 is 14.5 %; added up as floats it may be a little less.
    let weights = [(Kind::NpsPromoter, 0.29), (Kind::TeamGrowth, 1.71)];
    for (kind, weight) in weights {
        rules.signals.get_mut(&kind).unwrap().weight = weight;
    }
    let found = signals(&facts(&[(names::NPS_SCORE, 9.0)], 0, None), &rules);
    assert!((found.probability - 0.15).abs() < 1e-9);
}

#[test]
fn rules_that_are_no_numbers_are_refused_all_at_once() {
    let mut rules = ExpansionRules { upsell_share: -1.0, ..ExpansionRules::default() };
    for (kind, weight, threshold) in
        [(Kind::NpsPromoter, f64::NAN, 9.0), (Kind::TeamGrowth, 1.0, f64::INFINITY)]
    {
        *rules.signals.get_mut(&kind).unwrap() = super::super::SignalRule { weight, threshold };
    }
    let error = rules.check().unwrap_err();
    let fields: Vec<_> = error.faults().iter().map(|it| it.field.as_str()).collect();
    let wanted = ["signals.team_growth.threshold", "signals.nps_promoter.weight", "upsellShare"];
    assert_eq!(fields, wanted);
    // And used all the same, they do no harm.
    let found = signals(&facts(&[(names::NPS_SCORE, 9.0)], 0, None), &rules);
    assert!((0.0..=1.0).contains(&found.probability));
    let none = ExpansionRules { signals: [].into(), ..ExpansionRules::default() };
    assert!(none.check().is_err());
}

proptest! {
    #[test]
    fn one_signal_more_never_makes_it_less_probable(
        weights in proptest::collection::vec(0.0..10.0, 7),
        known in proptest::collection::vec(any::<bool>(), 7),
        more in 0_usize..7,
    ) {
        let mut rules = ExpansionRules::default();
        for (rule, weight) in rules.signals.values_mut().zip(weights) {
            rule.weight = weight;
        }
        let probability = |known: &[bool]| {
            let figures = [
                (names::USAGE_VS_LIMIT, 1.0), (names::ENGAGEMENT_SCORE, 90.0),
                (names::TEAM_GROWTH, 1.0), (names::OUTCOMES_ABOVE_TARGET, 1.0),
                (names::NPS_SCORE, 10.0),
            ];
            let there = figures.iter().zip(known).filter(|(_, known)| **known);
            let figures: Vec<_> = there.map(|(figure, _)| *figure).collect();
            let refusals = if known[5] { 4 } else { 0 };
            let renewal = known[6].then_some(10);
            signals(&facts(&figures, refusals, renewal), &rules).probability
        };
        let before = probability(&known);
        let mut with = known;
        with[more] = true;
        let after = probability(&with);
        prop_assert!((0.0..=1.0).contains(&before) && before <= after && after <= 1.0);
    }
}

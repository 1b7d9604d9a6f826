use super::*;
use crate::domain::customer::CustomerStatus;
use crate::domain::facts::{Figure, FigureSource, names};
use proptest::prelude::*;
use std::collections::BTreeSet;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2028-03-01 12:00 UTC);

fn ago(days: i64) -> OffsetDateTime {
    NOW.saturating_sub(Duration::days(days))
}

/// A customer for `days` days, in this stage for ten (at most).
fn at(stage: Stage, days: i64) -> CustomerFacts {
    let tier = "pro".parse().unwrap();
    let mut facts = CustomerFacts::new(uuid::Uuid::nil().into(), tier, ago(days), NOW);
    facts.stage = stage;
    facts.stage_since = ago(days.min(10));
    facts
}

fn with(mut facts: CustomerFacts, figures: &[(&'static str, f64)]) -> CustomerFacts {
    for (name, value) in figures {
        facts.figures.set(*name, Figure { value: *value, at: NOW, source: FigureSource::Host });
    }
    facts
}

fn paying(mut facts: CustomerFacts) -> CustomerFacts {
    facts.contract.has_active_paid = true;
    facts.contract.had_paid = true;
    facts
}

fn next(facts: &CustomerFacts) -> Option<(Stage, StageRule)> {
    next_stage(facts, &LifecycleRules::default()).map(|it| (it.to, it.reason.rule))
}

const CALM: [Stage; 7] =
    [S::Trial, S::Onboarding, S::Adopting, S::Growing, S::Renewing, S::Expanding, S::Advocating];

#[test]
fn every_stage_has_its_guide_and_every_rule_of_the_table_has_conditions() {
    for (guide, stage) in STAGES.iter().zip(Stage::ALL) {
        assert_eq!(guide.stage, *stage);
        assert_eq!(StageGuide::of(*stage), guide);
        assert!(!guide.workflows.is_empty() && !guide.activities.is_empty());
    }
    let facts = at(S::Growing, 1);
    let listed: BTreeSet<_> = TABLE.iter().map(|row| row.1).collect();
    for rule in StageRule::ALL {
        let conditions = conditions(*rule, &facts, &LifecycleRules::default());
        assert_eq!(rule.is_automatic(), !conditions.is_empty(), "{rule}");
        assert_eq!(rule.is_automatic(), listed.contains(rule), "{rule}");
    }
    let row = "renewing | -60–0 | 60 days before renewal | renewed, churned | ";
    assert!(StageGuide::of(S::Renewing).to_string().starts_with(row));
}

#[test]
fn nothing_known_moves_nobody() {
    for stage in Stage::ALL {
        for days in [0, 30, 31, 90, 91, 10_000] {
            let mut facts = at(*stage, days);
            facts.stage_since = ago(days.min(29));
            assert_eq!(next(&facts), None, "{stage} after {days} days");
        }
    }
}

#[test]
fn each_signal_leads_to_risk_beyond_its_bound_and_not_at_it() {
    for (name, bound, beyond, rule) in [
        (names::HEALTH_SCORE, 40.0, 39.9, StageRule::LowHealth),
        (names::DAYS_SINCE_LAST_LOGIN, 14.0, 14.001, StageRule::NoLogin),
        (names::HIGH_SEVERITY_TICKETS, 2.0, 3.0, StageRule::SevereTickets),
        (names::NPS_SCORE, 7.0, 6.0, StageRule::Detractor),
    ] {
        for stage in CALM {
            let facts = |value| with(at(stage, 10), &[(name, value)]);
            // One that recommended the product stops to at a health below 70 or with less than 9.
            let lost = stage == S::Advocating
                && matches!(rule, StageRule::LowHealth | StageRule::Detractor);
            assert_eq!(next(&facts(bound)).map(|it| it.0), lost.then_some(S::Growing), "{stage}");
            assert_eq!(next(&facts(beyond)), Some((S::AtRisk, rule)), "{stage}");
        }
        for stage in [S::AtRisk, S::Churned] {
            assert_eq!(next(&with(at(stage, 10), &[(name, beyond)])), None, "{stage}");
        }
    }
}

/// One customer of each calm stage that its own rule would move.
fn ready() -> Vec<(CustomerFacts, Stage)> {
    let high = [(names::HEALTH_SCORE, 85.0), (names::NPS_SCORE, 9.0)];
    let mut renewed = at(S::Renewing, 400);
    renewed.contract.renewed_at = Some(ago(1));
    renewed.contract.renewal_at = Some(ago(-364));
    let mut won = at(S::Expanding, 400);
    won.expansion.won_at = Some(ago(1));
    vec![
        (paying(at(S::Trial, 5)), S::Onboarding),
        (with(at(S::Onboarding, 20), &[(names::ONBOARDING_COMPLETION, 80.0)]), S::Adopting),
        (with(at(S::Adopting, 100), &high), S::Growing),
        (with(at(S::Growing, 200), &high), S::Advocating),
        (renewed, S::Growing),
        (won, S::Growing),
        (with(at(S::Advocating, 400), &[(names::HEALTH_SCORE, 69.0)]), S::Growing),
    ]
}

#[test]
fn signals_win_over_the_rule_of_every_stage_and_what_ended_over_signals() {
    for (facts, to) in ready() {
        assert_eq!(next(&facts).map(|it| it.0), Some(to));
        let mut endangered = with(facts, &[(names::DAYS_SINCE_LAST_LOGIN, 15.0)]);
        assert_eq!(next(&endangered), Some((S::AtRisk, StageRule::NoLogin)));
        endangered.contract.has_active_paid = false;
        endangered.contract.ended_at = Some(NOW);
        assert_eq!(next(&endangered), Some((S::Churned, StageRule::PaidEnded)));
    }
}

#[test]
fn the_end_of_the_last_paid_subscription_ends_every_stage_once() {
    for stage in Stage::ALL {
        let mut facts = at(*stage, 300);
        facts.contract.had_paid = true;
        facts.contract.ended_at = Some(ago(5));
        let expected = (*stage != S::Churned).then_some((S::Churned, StageRule::PaidEnded));
        assert_eq!(next(&facts), expected);
        // It came back after that, or another runs, or the end lies ahead.
        let back = CustomerFacts { returned_at: Some(ago(5)), ..facts.clone() };
        assert_eq!(next(&back), None, "{stage}");
        facts.contract.ended_at = Some(NOW + Duration::MICROSECOND);
        assert_eq!(next(&facts), None, "{stage}");
    }
}

#[test]
fn a_trial_ends_at_its_instant_unless_it_was_paid_for() {
    let mut facts = at(S::Trial, 14);
    facts.contract.trial_ends_at = Some(NOW + Duration::MICROSECOND);
    assert_eq!(next(&facts), None);
    facts.contract.trial_ends_at = Some(NOW);
    assert_eq!(next(&facts), Some((S::Churned, StageRule::TrialExpired)));
    assert_eq!(next(&paying(facts)), Some((S::Onboarding, StageRule::Converted)));
}

#[test]
fn onboarding_is_done_at_80_and_stalled_after_30_days_below_50() {
    let facts = |days, done| with(at(S::Onboarding, days), &[(names::ONBOARDING_COMPLETION, done)]);
    assert_eq!(next(&facts(1, 80.0)), Some((S::Adopting, StageRule::Onboarded)));
    assert_eq!(next(&facts(99, 79.9)), None);
    assert_eq!(next(&facts(30, 49.0)), None);
    assert_eq!(next(&facts(31, 50.0)), None);
    assert_eq!(next(&facts(31, 49.9)), Some((S::AtRisk, StageRule::OnboardingStalled)));
    // Whoever comes back after years is new again.
    let back = CustomerFacts { returned_at: Some(ago(30)), ..facts(2_000, 0.0) };
    assert_eq!(next(&back), None);
}

#[test]
fn adopting_ends_at_70_after_more_than_90_days() {
    let facts = |days, health| with(at(S::Adopting, days), &[(names::HEALTH_SCORE, health)]);
    assert_eq!(next(&facts(91, 70.0)), Some((S::Growing, StageRule::Adopted)));
    assert_eq!(next(&facts(90, 100.0)), None);
    assert_eq!(next(&facts(91, 69.9)), None);
    // From New Year to the first of April are 91 days only in a leap year.
    for (year, moves) in [(2027, false), (2028, true)] {
        let mut facts = facts(91, 70.0);
        facts.created_at = datetime!(2000-01-01 0:00 UTC).replace_year(year).unwrap();
        facts.as_of = datetime!(2000-04-01 0:00 UTC).replace_year(year).unwrap();
        assert_eq!(next(&facts).is_some(), moves, "{year}");
    }
}

#[test]
fn growing_goes_to_the_renewal_then_to_the_opportunity_then_to_advocacy() {
    let mut facts =
        with(at(S::Growing, 300), &[(names::NPS_SCORE, 9.0), (names::HEALTH_SCORE, 80.0)]);
    facts.expansion.open = 1;
    facts.contract.renewal_at = Some(NOW + Duration::days(60));
    assert_eq!(next(&facts), Some((S::Renewing, StageRule::RenewalNear)));
    facts.contract.renewal_at = Some(NOW + Duration::days(60) + Duration::SECOND);
    assert_eq!(next(&facts), Some((S::Expanding, StageRule::OpportunityFound)));
    facts.expansion.open = 0;
    assert_eq!(next(&facts), Some((S::Advocating, StageRule::Promoter)));
    let less = |name, value| next(&with(facts.clone(), &[(name, value)]));
    assert_eq!(less(names::NPS_SCORE, 8.0), None);
    assert_eq!(less(names::HEALTH_SCORE, 79.9), None);
}

#[test]
fn what_is_renewed_month_by_month_is_not_renewing_all_the_time() {
    let mut facts = at(S::Growing, 300);
    facts.contract.renewal_at = Some(ago(-20));
    facts.contract.renewed_at = Some(ago(11));
    assert_eq!(next(&facts), None);
    facts.contract.renewed_at = Some(ago(40));
    assert_eq!(next(&facts), Some((S::Renewing, StageRule::RenewalNear)));
    // An overdue renewal is still to be made.
    facts.contract.renewal_at = Some(ago(3));
    assert_eq!(next(&facts), None, "it was renewed within the sixty days before");
    facts.contract.renewed_at = None;
    assert_eq!(next(&facts), Some((S::Renewing, StageRule::RenewalNear)));
}

#[test]
fn renewing_ends_with_a_renewal_after_it_was_entered() {
    let mut facts = at(S::Renewing, 400);
    facts.contract.renewal_at = Some(ago(-364));
    for (renewed, moves) in [(ago(11), false), (ago(10), false), (ago(9), true), (ago(-1), false)] {
        facts.contract.renewed_at = Some(renewed);
        assert_eq!(next(&facts), moves.then_some((S::Growing, StageRule::Renewed)), "{renewed}");
    }
}

#[test]
fn expanding_ends_when_all_is_closed_or_after_30_days() {
    let mut facts = at(S::Expanding, 400);
    facts.expansion.open = 1;
    assert_eq!(next(&facts), None);
    facts.expansion.won_at = Some(ago(1));
    assert_eq!(next(&facts), None, "another is open");
    facts.expansion.open = 0;
    assert_eq!(next(&facts), Some((S::Growing, StageRule::ExpansionWon)));
    (facts.expansion.won_at, facts.expansion.lost_at) = (Some(ago(10)), Some(ago(2)));
    assert_eq!(next(&facts), Some((S::Growing, StageRule::ExpansionLost)));
    (facts.expansion.won_at, facts.expansion.lost_at) = (None, None);
    facts.stage_since = ago(30);
    assert_eq!(next(&facts), Some((S::Growing, StageRule::ExpansionOver)));
    facts.stage_since += Duration::MICROSECOND;
    assert_eq!(next(&facts), None);
}

#[test]
fn only_a_newer_opportunity_makes_it_expand_again() {
    let mut facts = at(S::Growing, 400);
    facts.left_expanding_at = Some(ago(10));
    facts.expansion.open = 1;
    for (opened, moves) in
        [(None, false), (Some(ago(10)), false), (Some(ago(9)), true), (Some(ago(-1)), false)]
    {
        facts.expansion.opened_at = opened;
        let expected = moves.then_some((S::Expanding, StageRule::OpportunityFound));
        assert_eq!(next(&facts), expected, "{opened:?}");
    }
}

#[test]
fn advocating_ends_below_70_or_with_less_than_9() {
    let facts = |health, nps| {
        with(at(S::Advocating, 400), &[(names::HEALTH_SCORE, health), (names::NPS_SCORE, nps)])
    };
    assert_eq!(next(&facts(70.0, 9.0)), None);
    assert_eq!(next(&facts(69.9, 9.0)), Some((S::Growing, StageRule::HealthDropped)));
    assert_eq!(next(&facts(70.0, 8.0)), Some((S::Growing, StageRule::PromoterLost)));
}

#[test]
fn recovery_needs_a_health_of_60_and_no_signal() {
    let well = |figures: &[_]| next(&with(at(S::AtRisk, 400), figures));
    let health = |value| (names::HEALTH_SCORE, value);
    assert_eq!(well(&[]), None, "no health, no recovery");
    assert_eq!(well(&[health(59.9)]), None);
    assert_eq!(well(&[health(60.0)]), Some((S::Growing, StageRule::Recovered)));
    for (name, bound, beyond) in [
        (names::DAYS_SINCE_LAST_LOGIN, 14.0, 14.1),
        (names::HIGH_SEVERITY_TICKETS, 2.0, 3.0),
        (names::NPS_SCORE, 7.0, 6.0),
    ] {
        assert!(well(&[health(60.0), (name, bound)]).is_some(), "{name}");
        assert_eq!(well(&[health(100.0), (name, beyond)]), None, "{name}");
    }
}

#[test]
fn a_churned_customer_that_pays_again_is_won_back_unless_the_account_is_closed() {
    assert_eq!(next(&at(S::Churned, 400)), None);
    let mut facts = paying(at(S::Churned, 400));
    assert_eq!(next(&facts), Some((S::Onboarding, StageRule::WonBack)));
    facts.status = CustomerStatus::Churned;
    assert_eq!(next(&facts), None);
}

#[test]
fn the_reason_names_each_signal_with_its_figure_and_bound() {
    let facts = with(
        at(S::Growing, 400),
        &[
            (names::HEALTH_SCORE, 35.0),
            (names::HIGH_SEVERITY_TICKETS, 3.0),
            (names::NPS_SCORE, 6.0),
            (names::DAYS_SINCE_LAST_LOGIN, 2.0),
        ],
    );
    let reason = next_stage(&facts, &LifecycleRules::default()).unwrap().reason;
    assert_eq!(
        reason.to_string(),
        "health score 35, below 40; high severity tickets 3, above 2; NPS 6, at most 6"
    );
    let nearly = with(at(S::Growing, 400), &[(names::HEALTH_SCORE, 39.999_999_999)]);
    let reason = next_stage(&nearly, &LifecycleRules::default()).unwrap().reason;
    assert_eq!(reason.to_string(), "health score 39.999999999, below 40");
}

#[test]
fn what_a_stage_waits_for_is_told_with_its_blockers() {
    let report = |facts: &CustomerFacts| {
        let mut journey = Journey {
            id: facts.customer_id.into(),
            stage: S::Trial,
            since: facts.created_at,
            furthest: None,
            latest: StageTimes::default(),
            total: StageTimes::default(),
            moves: 0,
            returned_at: None,
            left_expanding_at: None,
            status_set_at: None,
            status_owed: None,
        };
        journey.go(facts.stage, facts.stage_since);
        journey.report(facts, &LifecycleRules::default())
    };
    let told = |facts: &CustomerFacts| {
        let report = report(facts);
        let milestone = report.next_milestone.unwrap();
        let blockers: Vec<_> = report.blockers.iter().map(ToString::to_string).collect();
        (milestone.name, milestone.target_date, milestone.progress, blockers.join("; "))
    };
    let adopting = with(at(S::Adopting, 45), &[(names::HEALTH_SCORE, 63.0)]);
    let (name, date, progress, blockers) = told(&adopting);
    assert_eq!((name, date, progress), (S::Growing, Some(ago(-45)), Some(0.5)));
    assert_eq!(
        blockers,
        "health score 63, must be at least 70; days as customer 45, must be above 90"
    );
    let (_, _, progress, blockers) = told(&at(S::Onboarding, 3));
    assert_eq!(progress, None);
    assert_eq!(blockers, "onboarding completion unknown, must be at least 80");
    let (name, date, ..) = told(&at(S::AtRisk, 40));
    assert_eq!((name, date), (S::Growing, Some(ago(-20))));
    let mut renewal = at(S::Growing, 200);
    assert_eq!(told(&renewal).0, S::Advocating);
    renewal.contract.renewal_at = Some(ago(-160));
    assert_eq!((told(&renewal).0, told(&renewal).1), (S::Renewing, Some(ago(-100))));
    for stage in Stage::ALL {
        let report = report(&at(*stage, 20));
        assert_eq!(report.next_milestone.is_none(), *stage == S::Advocating, "{stage}");
        assert_eq!(report.blockers.is_empty(), *stage == S::Advocating, "{stage}");
    }
}

#[test]
fn instants_at_the_ends_of_the_calendar_do_no_harm() {
    let customer = at(S::Trial, 0);
    for instant in [datetime!(0001-01-01 0:00 UTC), datetime!(9999-12-31 23:59 UTC)] {
        let mut odd = customer.clone();
        (odd.created_at, odd.stage_since) = (instant, instant);
        odd.contract.renewal_at = Some(instant);
        odd.contract.renewed_at = Some(instant);
        odd.contract.trial_ends_at = Some(instant);
        for stage in Stage::ALL {
            odd.stage = *stage;
            let _ = (next(&odd), StageMilestone::of(&odd, &LifecycleRules::default()));
        }
    }
}

#[test]
fn thresholds_that_are_no_numbers_do_no_harm() {
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -1.0] {
        let rules = LifecycleRules {
            renewal_days: odd,
            onboarding_days: odd,
            expansion_days: odd,
            recovered_health: odd,
            ..LifecycleRules::default()
        };
        assert!(rules.check().is_err(), "{odd}");
        for (mut facts, _) in ready() {
            facts.contract.renewal_at = Some(NOW);
            let _ = (next_stage(&facts, &rules), StageMilestone::of(&facts, &rules));
        }
    }
}

fn instants() -> impl Strategy<Value = Option<OffsetDateTime>> {
    prop_oneof![
        2 => Just(None),
        8 => prop::sample::select(vec![-400, -61, -60, -59, -1, 0, 1, 5, 10, 29, 30, 31, 60, 61, 400])
            .prop_map(|days| Some(ago(days))),
    ]
}

prop_compose! {
    fn any_facts()(
        stage in prop::sample::select(Stage::ALL),
        status in prop::sample::select(CustomerStatus::ALL),
        days in 0_i64..500,
        figures in prop::collection::vec(
            (0_usize..5, prop::sample::select(vec![
                -1.0, 0.0, 2.0, 3.0, 6.0, 7.0, 9.0, 10.0, 14.0, 15.0, 39.0, 40.0, 49.0, 50.0, 60.0, 69.0, 70.0,
                80.0, 100.0, f64::MAX,
            ])),
            0..6,
        ),
        since in instants(),
        ends in [instants(), instants(), instants(), instants()],
        sales in [instants(), instants(), instants()],
        past in [instants(), instants()],
        open in 0_u32..3,
        paid in any::<bool>(),
    ) -> CustomerFacts {
        let names = [
            names::HEALTH_SCORE,
            names::DAYS_SINCE_LAST_LOGIN,
            names::HIGH_SEVERITY_TICKETS,
            names::NPS_SCORE,
            names::ONBOARDING_COMPLETION,
        ];
        let figures: Vec<_> = figures.into_iter().map(|(name, value)| (names[name], value)).collect();
        let mut facts = with(at(stage, days), &figures);
        facts.status = status;
        facts.stage_since = since.unwrap_or(facts.created_at);
        facts.contract.has_active_paid = paid;
        [
            facts.contract.ended_at,
            facts.contract.renewal_at,
            facts.contract.renewed_at,
            facts.contract.trial_ends_at,
        ] = ends;
        facts.expansion.open = open;
        [facts.expansion.opened_at, facts.expansion.won_at, facts.expansion.lost_at] = sales;
        [facts.returned_at, facts.left_expanding_at] = past;
        facts
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn repeated_at_one_instant_it_ends_and_leads_to_no_stage_twice(mut facts in any_facts()) {
        let rules = LifecycleRules::default();
        let mut seen = BTreeSet::from([facts.stage]);
        while let Some(next) = next_stage(&facts, &rules) {
            prop_assert!(seen.insert(next.to), "{} again, because {}", next.to, next.reason);
            prop_assert!(!next.reason.figures.is_empty() && !next.reason.to_string().is_empty());
            prop_assert!(next.reason.figures.iter().all(StageCondition::holds));
            match facts.stage {
                S::Churned => facts.returned_at = Some(facts.as_of),
                S::Expanding => facts.left_expanding_at = Some(facts.as_of),
                _ => {}
            }
            (facts.stage, facts.stage_since) = (next.to, facts.as_of);
        }
    }

    #[test]
    fn progress_is_a_share_and_whole_only_when_all_holds(facts in any_facts()) {
        if let Some(milestone) = StageMilestone::of(&facts, &LifecycleRules::default())
            && let Some(progress) = milestone.progress
        {
            prop_assert!((0.0..=1.0).contains(&progress));
            let done = milestone.criteria.iter().all(StageCondition::holds);
            prop_assert!(!done || progress >= 1.0);
        }
    }
}

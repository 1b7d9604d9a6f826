use super::*;
use crate::domain::facts::Figure;
use crate::domain::text::Code;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-01-31 12:00 UTC);

fn facts() -> CustomerFacts {
    let nobody = CustomerId::from(uuid::Uuid::nil());
    CustomerFacts::new(nobody, Code::parse("free").unwrap(), NOW, NOW)
}

fn with(name: &'static str, value: f64) -> CustomerFacts {
    let mut facts = facts();
    facts.figures.set(name, Figure { value, at: NOW, source: FigureSource::Host });
    facts
}

fn kinds(facts: &CustomerFacts) -> Vec<SignalKind> {
    detect(facts, &ChurnRules::default()).into_iter().map(|it| it.kind).collect()
}

#[test]
fn every_signal_begins_where_the_table_says() {
    let silent = [K::NoLogin7Days, K::NoLogin14Days];
    for (name, value, expected) in [
        (names::DAYS_SINCE_LAST_LOGIN, 7.0, &[][..]),
        (names::DAYS_SINCE_LAST_LOGIN, 7.000_001, &silent[..1]),
        (names::DAYS_SINCE_LAST_LOGIN, 14.0, &silent[..1]),
        (names::DAYS_SINCE_LAST_LOGIN, 14.000_001, &silent[..]),
        (names::USAGE_CHANGE, -50.0, &[]),
        (names::USAGE_CHANGE, -50.000_001, &[K::UsageDrop50]),
        (names::USAGE_CHANGE, 50.0, &[]),
        (names::NPS_SCORE, 6.0, &[K::NpsDetractor]),
        (names::NPS_SCORE, 7.0, &[]),
        (names::NPS_SCORE, 0.0, &[K::NpsDetractor]),
        (names::OPEN_TICKETS, 2.0, &[]),
        (names::OPEN_TICKETS, 3.0, &[K::MultipleSupportTickets]),
        (names::FAILED_PAYMENTS, 0.0, &[]),
        (names::FAILED_PAYMENTS, 1.0, &[K::FailedPayment]),
    ] {
        assert_eq!(kinds(&with(name, value)), expected, "{name} {value}");
    }
    let mut told = facts();
    told.cancellation_requested_at = Some(NOW);
    told.competitor_mentioned_at = Some(NOW);
    assert_eq!(kinds(&told), [K::CancellationRequest, K::CompetitorMention]);
}

#[test]
fn what_is_not_known_says_nothing_in_either_way() {
    let rules = ChurnRules::default();
    for kind in K::ALL {
        let judged = judge(*kind, &facts(), &rules);
        let is_always_known = matches!(kind, K::CancellationRequest | K::CompetitorMention);
        assert_eq!(judged.map(|it| it.stands), is_always_known.then_some(false), "{kind}");
    }
}

#[test]
fn a_figure_of_the_host_grows_old_and_one_of_our_own_does_not() {
    let rules = ChurnRules::default();
    let aged = |source, days| {
        let mut facts = facts();
        let at = NOW - Duration::days(days);
        facts.figures.set(names::NPS_SCORE, Figure { value: 3.0, at, source });
        detect(&facts, &rules).len()
    };
    assert_eq!((aged(FigureSource::Host, 92), aged(FigureSource::Host, 93)), (1, 0));
    assert_eq!(aged(FigureSource::Derived, 3_000), 1);
}

#[test]
fn a_description_is_a_sentence_with_its_figures() {
    let sentence =
        |name, value| detect(&with(name, value), &ChurnRules::default()).pop().unwrap().description;
    assert_eq!(
        sentence(names::DAYS_SINCE_LAST_LOGIN, 15.26),
        "nobody has logged in for 15.3 days; more than 14 are a signal"
    );
    assert_eq!(
        sentence(names::USAGE_CHANGE, -50.004),
        "usage changed by -50.004% in a month; less than -50% is a signal",
        "not rounded to what it is compared with"
    );
    assert_eq!(sentence(names::OPEN_TICKETS, 3.0), "3 tickets are open; 3 or more are a signal");
    for value in [f64::MAX, 1e300, 1e15, f64::MIN_POSITIVE] {
        assert!(Line::parse(&sentence(names::FAILED_PAYMENTS, value)).is_ok(), "{value}");
    }
}

#[test]
fn risk_follows_the_signals_and_the_grade() {
    use RiskLevel::{Critical, High as HighRisk, Low, Medium as MediumRisk};
    for (row, (standing, health, expected)) in [
        (&[][..], None, Low),
        (&[], Some(40.0), Low),
        (&[], Some(39.0), MediumRisk),
        (&[], Some(20.0), MediumRisk),
        (&[], Some(19.0), HighRisk),
        (&[K::CompetitorMention], Some(100.0), MediumRisk),
        (&[K::NoLogin7Days, K::MultipleSupportTickets, K::CompetitorMention], None, MediumRisk),
        (&[K::FailedPayment], None, HighRisk),
        (&[K::NoLogin7Days, K::NoLogin14Days], None, HighRisk),
        (&[K::FailedPayment, K::UsageDrop50], None, Critical),
        (&[K::CancellationRequest], Some(90.0), Critical),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(risk_level(standing, health), expected, "row {row}");
    }
}

#[test]
fn rules_that_make_no_sense_are_refused_with_every_fault() {
    assert!(ChurnRules::default().check().is_ok());
    let rules = ChurnRules {
        no_login_days: f64::NAN,
        long_no_login_days: -1.0,
        usage_change: 1.0,
        nps_score: f64::INFINITY,
        open_tickets: 0.0,
        figure_age_max: Duration::ZERO,
        ..ChurnRules::default()
    };
    let error = rules.check().unwrap_err();
    assert_eq!(error.faults().len(), 6, "{error}");
    let equal = ChurnRules { long_no_login_days: 7.0, ..ChurnRules::default() };
    assert_eq!(equal.check().unwrap_err().faults()[0].field, "churn.longNoLoginDays");
}

#[test]
fn the_last_login_is_counted_back_from_the_figure() {
    assert_eq!(last_login(&facts()), None);
    let days = |days| last_login(&with(names::DAYS_SINCE_LAST_LOGIN, days));
    assert_eq!(days(1.5), Some(datetime!(2026-01-30 00:00 UTC)));
    assert_eq!(days(-1.0), None, "nobody logs in tomorrow");
    assert_eq!(days(f64::MAX), None);
    assert!(days(1e9).is_some_and(|at| at < datetime!(0001-01-01 0:00 UTC)));
}

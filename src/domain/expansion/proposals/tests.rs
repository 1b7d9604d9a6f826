use super::*;
use crate::domain::expansion::signals;
use crate::domain::facts::{Figure, FigureSource};
use proptest::prelude::*;
use time::Duration;
use time::macros::datetime;

const KNOWN: [(&str, f64); 5] = [
    (names::USAGE_VS_LIMIT, 0.9),
    (names::TEAM_GROWTH, 0.25),
    (names::NPS_SCORE, 9.0),
    (names::ENGAGEMENT_SCORE, 90.0),
    (names::OUTCOMES_ABOVE_TARGET, 1.0),
];

fn code(code: &str) -> Code {
    code.parse().unwrap()
}

fn money(text: &str) -> Money {
    let (amount, currency) = text.split_once(' ').unwrap();
    Money::new(amount.parse().unwrap(), currency.parse().unwrap())
}

/// A customer on `starter` with ten seats who pays so much and of whom these figures are known.
fn facts(mrr: &str, figures: &[(&'static str, f64)]) -> CustomerFacts {
    let at = datetime!(2026-01-31 12:00 UTC);
    let mut facts = CustomerFacts::new(uuid::Uuid::nil().into(), code("starter"), at, at);
    for (name, value) in figures {
        facts.figures.set(*name, Figure { value: *value, at, source: FigureSource::Host });
    }
    facts.contract.mrr = vec![money(mrr)];
    facts.contract.seats = Some(10);
    facts
}

fn offers(facts: &CustomerFacts, next: Option<&Code>) -> Result<Vec<Proposal>> {
    let rules = ExpansionRules::default();
    let refused = facts.blocked.keys();
    let product = |code: &Code| code.as_str().split_once('.').map(|it| it.0.to_owned());
    let product = |code: &Code| product(code).map(|it| ProductId::parse(&it).unwrap());
    let refused = refused.map(|it| (it.clone(), product(it))).collect();
    let catalogue = Catalogue { next_tier: next, refused };
    proposals(facts, &signals(facts, &rules), &rules, &catalogue)
}

/// Kind, value and timing of what is offered when `pro` is the next tier.
fn offered(facts: &CustomerFacts) -> Vec<(Kind, String, OpportunityTiming)> {
    let all = offers(facts, Some(&code("pro"))).unwrap();
    let value = |it: &Proposal| it.estimated_value.map_or("unknown".into(), |it| it.to_string());
    all.iter().map(|it| (it.kind, value(it), it.timing)).collect()
}

#[test]
fn each_signal_offers_what_the_table_says() {
    let mut facts = facts("10000 EUR", &KNOWN);
    facts.blocked = [(code("sso"), 3), (code("api"), 1)].into();
    let wanted = [
        (Kind::Upsell, "50.00 EUR".into(), OpportunityTiming::Now),
        (Kind::AddSeats, "30.00 EUR".into(), OpportunityTiming::Now),
        (Kind::AddFeatures, "100.00 EUR".into(), OpportunityTiming::Now),
    ];
    assert_eq!(offered(&facts), wanted);
    let actions = offers(&facts, Some(&code("pro"))).unwrap();
    let actions: Vec<_> = actions.iter().map(|it| it.recommended_action.as_str()).collect();
    let wanted = [
        "Offer the tier pro: usage approaches a limit of starter.",
        "Offer 3 more seats: the team has grown.",
        "Offer api, sso: they were refused.",
    ];
    assert_eq!(actions, wanted);
}

#[test]
fn nothing_is_above_the_top_tier() {
    assert!(offers(&facts("10000 EUR", &KNOWN[..1]), None).unwrap().is_empty());
}

#[test]
fn goodwill_waits_for_the_renewal_or_the_next_quarter_and_a_renewal_alone_offers_nothing() {
    for known in &KNOWN[2..] {
        let mut facts = facts("10000 EUR", &[*known]);
        assert_eq!(
            offered(&facts),
            [(Kind::Upsell, "50.00 EUR".into(), OpportunityTiming::NextQuarter)]
        );
        facts.contract.renewal_at = Some(facts.as_of + Duration::days(30));
        assert_eq!(
            offered(&facts),
            [(Kind::Upsell, "50.00 EUR".into(), OpportunityTiming::AtRenewal)]
        );
    }
    let mut facts = facts("10000 EUR", &[]);
    facts.contract.renewal_at = Some(facts.as_of + Duration::days(30));
    assert_eq!(offered(&facts), []);
    let rules = ExpansionRules { offers_on_goodwill: false, ..ExpansionRules::default() };
    let found = signals(&facts, &rules);
    let catalogue = Catalogue { next_tier: Some(&code("pro")), ..Catalogue::default() };
    assert!(proposals(&facts, &found, &rules, &catalogue).unwrap().is_empty());
}

#[test]
fn money_is_counted_in_the_minor_units_of_its_currency() {
    for (mrr, values) in [
        ("101 JPY", ["50 JPY", "30 JPY", "50 JPY"]),
        ("103 JPY", ["52 JPY", "31 JPY", "50 JPY"]),
        ("1001 KWD", ["0.500 KWD", "0.300 KWD", "50.000 KWD"]),
        ("0 EUR", ["0.00 EUR", "0.00 EUR", "50.00 EUR"]),
    ] {
        let mut facts = facts(mrr, &KNOWN);
        facts.blocked = [(code("sso"), 4)].into();
        let found: Vec<_> = offered(&facts).into_iter().map(|it| it.1).collect();
        assert_eq!(found, values, "{mrr}");
    }
}

#[test]
fn what_is_not_known_has_no_value() {
    let mut facts = facts("1 EUR", &KNOWN);
    facts.blocked = [(code("sso"), 4)].into();
    (facts.contract.mrr, facts.contract.seats) = (Vec::new(), None);
    assert!(offered(&facts).iter().all(|it| it.1 == "unknown"));
    let all = offers(&facts, None).unwrap();
    let seats = all.iter().find(|it| it.kind == Kind::AddSeats).unwrap();
    assert_eq!((seats.seats, seats.recommended_action.contains("more seats")), (None, true));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let refused = |facts: &CustomerFacts| matches!(offers(facts, None), Err(Error::Overflow(_)));
    assert!(refused(&facts("9223372036854775807 EUR", &[(names::TEAM_GROWTH, 2.0)])));
    assert!(refused(&facts("1 EUR", &[(names::TEAM_GROWTH, f64::MAX)])));
    assert!(refused(&facts("1 EUR", &[(names::TEAM_GROWTH, 1e9)])));
    let most = facts("9223372036854775807 EUR", &KNOWN[..1]);
    assert_eq!(offered(&most)[0].1, "46116860184273879.04 EUR");
}

#[test]
fn the_feature_of_another_product_is_a_chance_to_sell_that() {
    let mut facts = facts("10000 EUR", &[]);
    facts.blocked = [(code("crm.mail"), 2), (code("crm.sms"), 1), (code("sso"), 1)].into();
    let products = |facts: &CustomerFacts| -> Vec<_> {
        let all = offers(facts, None).unwrap();
        all.into_iter().map(|it| (it.kind, it.product, it.features.len())).collect()
    };
    // As long as it is not known which products it has, none is another.
    assert_eq!(products(&facts), [(Kind::AddFeatures, None, 3)]);
    facts.contract.products = vec![ProductId::parse("chat").unwrap()];
    let crm = ProductId::parse("crm").unwrap();
    let both = [(Kind::AddFeatures, None, 1), (Kind::CrossSell, Some(crm.clone()), 2)];
    assert_eq!(products(&facts), both);
    facts.contract.products.push(crm);
    assert_eq!(products(&facts), [(Kind::AddFeatures, None, 3)]);
}

#[test]
fn many_features_are_not_all_named() {
    let codes: Vec<_> = (0..7).map(|it| code(&format!("f{it}"))).collect();
    assert_eq!(named(&codes), "f0, f1, f2, f3, f4 and 2 more");
}

proptest! {
    #[test]
    fn seats_are_counted_exactly(seats in 1_u32..100_000, more in 0_u32..1_000_000) {
        let growth = f64::from(more) / f64::from(seats);
        prop_assert_eq!(more_seats(seats, growth), Some(more));
    }

    #[test]
    fn a_decimal_growth_is_that_decimal(seats in 1_u32..100_000, thousandths in 0_u32..10_000) {
        let growth = f64::from(thousandths) / 1_000.0;
        let wanted = u64::from(seats).saturating_mul(thousandths.into()).div_ceil(1_000);
        prop_assert_eq!(more_seats(seats, growth).map(u64::from), Some(wanted));
    }

    #[test]
    fn whatever_is_known_no_value_is_negative(
        amount in any::<i64>(), growth in any::<f64>(), usage in any::<f64>(),
        seats in proptest::option::of(any::<u32>()), refusals in any::<u64>(),
    ) {
        let figures = [(names::TEAM_GROWTH, growth), (names::USAGE_VS_LIMIT, usage)];
        let mut facts = facts("0 JPY", &figures);
        facts.contract.mrr[0].amount = amount;
        facts.contract.seats = seats;
        facts.blocked.insert(code("sso"), refusals);
        if let Ok(all) = offers(&facts, Some(&code("pro"))) {
            let values = all.iter().filter_map(|it| it.estimated_value);
            prop_assert!(values.into_iter().all(|it| it.amount >= 0));
        }
    }
}

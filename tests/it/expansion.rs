//! Expansion: what could be sold is found once, kept up to date, won or lost, and added up.

use crate::support::{World, code, eur, fields};
use tenure::domain::facts::names;
use tenure::{
    Config, CustomerDraft, CustomerFacts, CustomerId, CustomerStatus, ErrorCode,
    ExpansionOpportunity, ExpansionOutlook, ExpansionPipeline, FeatureDraft, Figure, FigureSource,
    Money, OpportunityKind, OpportunityStatus, OpportunityTiming, ProductId, Result, Tx, UserDraft,
    UserId,
};
use time::Duration;

/// The facts of a customer on `starter` who pays 100 EUR for ten seats, with these figures.
fn facts(world: &World, id: CustomerId, figures: &[(&'static str, f64)]) -> CustomerFacts {
    let (customer, at) = (world.now(id), world.clock.now());
    let tier = "starter".parse().unwrap();
    let mut facts = CustomerFacts::new(id, tier, customer.created_at, at);
    facts.status = customer.status;
    facts.csm_id = customer.csm_id;
    facts.contract.mrr = vec![eur(100)];
    facts.contract.seats = Some(10);
    for (name, value) in figures {
        facts.figures.set(*name, Figure { value: *value, at, source: FigureSource::Host });
    }
    facts
}

const NEAR_THE_LIMIT: (&str, f64) = (names::USAGE_VS_LIMIT, 0.9);
const GROWN: (&str, f64) = (names::TEAM_GROWTH, 0.25);
const PROMOTER: (&str, f64) = (names::NPS_SCORE, 10.0);

fn evaluate(world: &World, facts: &CustomerFacts) -> ExpansionOutlook {
    world.done(|tx| tx.evaluate_expansion(facts))
}

/// What is open after these figures became known.
fn open(world: &World, id: CustomerId, known: &[(&'static str, f64)]) -> Vec<ExpansionOpportunity> {
    evaluate(world, &facts(world, id, known)).open
}

fn pipeline(world: &World, csm: Option<UserId>) -> ExpansionPipeline {
    world.seen(|view| view.expansion_pipeline(csm, 100, None))
}

fn csm(world: &World, key: &str) -> UserId {
    world.done(|tx| tx.register_user(key, &UserDraft::default())).id
}

/// Everything that can be done here, for a customer whose tier is not at the top.
pub fn tour(tx: &mut Tx<'_>, id: CustomerId, csm: UserId, mark: &str) -> Result<()> {
    let at = tx.now();
    tx.update_customer(id, &CustomerDraft::default().csm_id(csm))?;
    let mut facts = CustomerFacts::new(id, "free".parse().unwrap(), at, at);
    facts.csm_id = Some(csm);
    facts.contract.mrr = vec![eur(100)];
    for (name, value) in [GROWN, NEAR_THE_LIMIT] {
        facts.figures.set(name, Figure { value, at, source: FigureSource::Host });
    }
    let open = tx.evaluate_expansion(&facts)?.open;
    facts.contract.seats = Some(10);
    tx.evaluate_expansion(&facts)?;
    tx.win_opportunity(open[0].id)?;
    tx.lose_opportunity(open[1].id, &format!("{mark} has no budget"))?;
    Ok(())
}

fn acme(world: &World) -> CustomerId {
    world.catalogue();
    world.done(|tx| tx.ensure_account("ada@acme.com", Some("Acme"))).id
}

fn an_opportunity_is_found_once_and_refreshed_only_when_something_changed(world: &World) {
    let acme = acme(world);
    let told = world.told(|| open(world, acme, &[NEAR_THE_LIMIT]));
    assert_eq!(told, ["expansion_opportunity.detected"]);
    let first = open(world, acme, &[NEAR_THE_LIMIT]).remove(0);
    assert_eq!((first.kind, first.timing), (OpportunityKind::Upsell, OpportunityTiming::Now));
    assert_eq!(first.target_tier.as_ref().map(|it| it.as_str()), Some("pro"));
    assert_eq!(first.estimated_value, Some(eur(50)));
    world.clock.advance(Duration::days(1));
    // More of the same is nothing new, another signal is.
    let told = world.told(|| open(world, acme, &[(names::USAGE_VS_LIMIT, 0.97)]));
    assert!(told.is_empty(), "{told:?}");
    let told = world.told(|| open(world, acme, &[NEAR_THE_LIMIT, PROMOTER]));
    assert_eq!(told, ["expansion_opportunity.updated"]);
    let second = open(world, acme, &[NEAR_THE_LIMIT, PROMOTER]).remove(0);
    assert_eq!((second.id, second.detected_at), (first.id, first.detected_at));
    assert!((second.probability - 0.3).abs() < 1e-9, "1.4 of 4.6");
    assert_eq!(second.updated_at, world.clock.now());
}

fn an_opportunity_stays_open_when_its_signals_are_gone(world: &World) {
    let acme = acme(world);
    let found = open(world, acme, &[NEAR_THE_LIMIT]);
    let told = world.told(|| assert_eq!(open(world, acme, &[]), found));
    assert!(told.is_empty());
}

fn what_was_lost_is_not_offered_again_for_ninety_days(world: &World) {
    let acme = acme(world);
    let id = open(world, acme, &[NEAR_THE_LIMIT])[0].id;
    let told = world.told(|| world.done(|tx| tx.lose_opportunity(id, "  no budget  ")));
    assert_eq!(told, ["expansion_opportunity.lost"]);
    let lost = world.seen(|view| view.expansion_opportunity(id));
    assert_eq!(lost.status, OpportunityStatus::Lost);
    assert_eq!(lost.lost_reason.as_ref().map(|it| it.as_str()), Some("no budget"));
    for days in [0, 89] {
        world.clock.set(crate::support::BEGINNING + Duration::days(days));
        assert_eq!(open(world, acme, &[NEAR_THE_LIMIT]), [], "after {days} days");
    }
    // Something else could be offered all the same.
    let kinds = |all: Vec<ExpansionOpportunity>| all.iter().map(|it| it.kind).collect::<Vec<_>>();
    assert_eq!(kinds(open(world, acme, &[NEAR_THE_LIMIT, GROWN])), [OpportunityKind::AddSeats]);
    world.clock.advance(Duration::days(1));
    let again = open(world, acme, &[NEAR_THE_LIMIT]);
    assert_eq!(kinds(again), [OpportunityKind::AddSeats, OpportunityKind::Upsell]);
    let all = world.seen(|view| view.expansion_opportunities(acme, 100, None)).items;
    assert_eq!(all.len(), 3);
    assert!(all.is_sorted_by(|a, b| a.detected_at >= b.detected_at));
}

fn the_tier_after_the_one_that_was_sold_can_be_offered_at_once(world: &World) {
    let acme = acme(world);
    let id = open(world, acme, &[NEAR_THE_LIMIT])[0].id;
    world.done(|tx| tx.win_opportunity(id));
    // The figures have not followed yet.
    assert_eq!(open(world, acme, &[NEAR_THE_LIMIT]), []);
    world.done(|tx| tx.define_tier(&tenure::TierDraft::new("enterprise")));
    let mut facts = facts(world, acme, &[NEAR_THE_LIMIT]);
    facts.tier = "pro".parse().unwrap();
    let next = evaluate(world, &facts).open.remove(0);
    assert_eq!(next.target_tier.as_ref().map(|it| it.as_str()), Some("enterprise"));
    world.done(|tx| tx.lose_opportunity(next.id, ""));
    facts.tier = "enterprise".parse().unwrap();
    assert_eq!(evaluate(world, &facts).open, [], "nothing is above the top");
}

fn closing_is_done_once_and_one_way(world: &World) {
    let acme = acme(world);
    let id = open(world, acme, &[NEAR_THE_LIMIT])[0].id;
    let won = world.done(|tx| tx.win_opportunity(id));
    assert_eq!((won.status, won.closed_at), (OpportunityStatus::Won, Some(world.clock.now())));
    let told = world.told(|| assert_eq!(world.done(|tx| tx.win_opportunity(id)), won));
    assert!(told.is_empty());
    let error = world.refused(|tx| tx.lose_opportunity(id, "too late"));
    assert_eq!(error.code(), ErrorCode::Unprocessable);
    let id = open(world, acme, &[GROWN])[0].id;
    for reason in ["a\0b".to_owned(), "x".repeat(10_001)] {
        assert_eq!(fields(&world.refused(|tx| tx.lose_opportunity(id, &reason))), ["reason"]);
    }
    let unknown = uuid::Uuid::nil().into();
    assert_eq!(code(world.tried(|tx| tx.win_opportunity(unknown))), ErrorCode::NotFound);
}

fn refused_features_are_sold_by_the_product_that_they_belong_to(world: &World) {
    let acme = acme(world);
    world.done(|tx| tx.define_feature("mail", &FeatureDraft::default().product_id("crm")));
    let mut facts = facts(world, acme, &[]);
    facts.contract.products = vec![ProductId::parse("default").unwrap()];
    let refused = [("sso", 2), ("mail", 1), ("unheard_of", 5)];
    facts.blocked = refused.map(|(code, count)| (code.parse().unwrap(), count)).into();
    let found = evaluate(world, &facts).open;
    let told: Vec<_> = found
        .iter()
        .map(|it| (it.kind, it.features.iter().map(|it| it.as_str()).collect::<Vec<_>>()))
        .collect();
    let wanted =
        [(OpportunityKind::AddFeatures, vec!["sso"]), (OpportunityKind::CrossSell, vec!["mail"])];
    assert_eq!(told, wanted, "what is not defined cannot be sold");
    assert_eq!(found[1].product_id, Some(ProductId::parse("crm").unwrap()));
    assert!(found.iter().all(|it| it.estimated_value == Some(eur(50))));
    let error = world
        .tried(|tx| tx.define_feature("mail", &FeatureDraft::default().product_id("C R M")))
        .unwrap_err();
    assert_eq!(fields(&error), ["productId"]);
}

fn the_pipeline_adds_up_each_currency_and_begins_with_the_most_probable(world: &World) {
    let acme = acme(world);
    let (globex, yen) = (world.customer("Globex").id, world.customer("Yen").id);
    open(world, acme, &[NEAR_THE_LIMIT, GROWN]);
    open(world, globex, &[PROMOTER]);
    let mut facts = facts(world, yen, &[NEAR_THE_LIMIT]);
    facts.contract.mrr = vec![Money::new(1_001, "JPY".parse().unwrap())];
    evaluate(world, &facts);
    let initech = world.customer("Initech").id;
    let mut free = self::facts(world, initech, &[NEAR_THE_LIMIT]);
    free.contract.mrr.clear();
    evaluate(world, &free);
    let all = pipeline(world, None);
    assert_eq!((all.total.count, all.total.without_value), (5, 1));
    let values = |sum: &tenure::PipelineSum| {
        sum.value.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ")
    };
    assert_eq!(values(&all.total), "130.00 EUR + 500 JPY");
    assert_eq!(values(&all.by_kind[&OpportunityKind::AddSeats]), "30.00 EUR");
    assert_eq!(values(&all.by_kind[&OpportunityKind::Upsell]), "100.00 EUR + 500 JPY");
    assert_eq!(all.by_kind.len(), 2);
    assert_eq!(values(&all.by_timing[&OpportunityTiming::NextQuarter]), "50.00 EUR");
    assert_eq!(all.by_timing[&OpportunityTiming::Now].count, 4);
    let probable: Vec<_> = all.opportunities.items.iter().map(|it| it.probability).collect();
    assert!(probable.is_sorted_by(|a, b| a >= b), "{probable:?}");
    // A page at a time, by a cursor that survives being written down.
    let (mut ids, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.seen(|view| view.expansion_pipeline(None, 2, cursor.as_ref()));
        assert_eq!(page.total, all.total);
        ids.extend(page.opportunities.items.iter().map(|it| it.id));
        let Some(next) = page.opportunities.next else { break };
        cursor = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(ids, all.opportunities.items.iter().map(|it| it.id).collect::<Vec<_>>());
}

fn the_pipeline_of_a_person_follows_its_customers(world: &World) {
    let (ann, bob) = (csm(world, "ann"), csm(world, "bob"));
    let acme = acme(world);
    let count = |csm| pipeline(world, Some(csm)).total.count;
    let assign = |csm: UserId| {
        let draft = CustomerDraft::default().csm_id(csm);
        world.done(|tx| tx.update_customer(acme, &draft));
    };
    assign(ann);
    let id = open(world, acme, &[NEAR_THE_LIMIT, GROWN])[0].id;
    assert_eq!((count(ann), count(bob)), (2, 0));
    assign(bob);
    assert_eq!((count(ann), count(bob)), (0, 2));
    world.done(|tx| tx.reassign(bob, ann));
    assert_eq!((count(ann), count(bob)), (2, 0));
    world.done(|tx| tx.lose_opportunity(id, "too dear"));
    assert_eq!((count(ann), pipeline(world, None).total.count), (1, 1));
    world.done(|tx| tx.delete_customer(acme));
    assert_eq!((count(ann), pipeline(world, None).total.count), (0, 0));
    assert_eq!(code(world.tried(|tx| tx.win_opportunity(id))), ErrorCode::NotFound);
    world.done(|tx| tx.restore_customer(acme));
    assert_eq!(count(ann), 1);
    let nobody = uuid::Uuid::nil().into();
    let error = world.tenure.read(|view| view.expansion_pipeline(Some(nobody), 10, None));
    assert_eq!(code(error), ErrorCode::NotFound);
    for limit in [0, 1_001] {
        let error = world.tenure.read(|view| view.expansion_pipeline(None, limit, None));
        assert_eq!(fields(&error.unwrap_err()), ["limit"]);
    }
}

fn who_is_gone_is_offered_nothing(world: &World) {
    let acme = acme(world);
    open(world, acme, &[NEAR_THE_LIMIT, GROWN]);
    let mut facts = facts(world, acme, &[NEAR_THE_LIMIT, GROWN]);
    facts.status = CustomerStatus::Suspended;
    assert_eq!(evaluate(world, &facts).open.len(), 2);
    facts.status = CustomerStatus::Churned;
    let told = world.told(|| {
        let outlook = evaluate(world, &facts);
        assert_eq!((outlook.open.len(), outlook.facts.open), (0, 0));
        assert_eq!(outlook.facts.lost_at, Some(world.clock.now()));
    });
    assert_eq!(told, ["expansion_opportunity.lost"; 2]);
    assert!(world.told(|| evaluate(world, &facts)).is_empty());
}

fn what_is_planned_for_later_is_no_expansion_of_today(world: &World) {
    let acme = acme(world);
    let outlook = evaluate(world, &facts(world, acme, &[PROMOTER]));
    assert_eq!((outlook.open.len(), outlook.facts.open), (1, 0));
    let outlook = evaluate(world, &facts(world, acme, &[PROMOTER, NEAR_THE_LIMIT]));
    assert_eq!((outlook.open.len(), outlook.facts.open), (1, 1));
    assert_eq!((outlook.facts.won_at, outlook.facts.lost_at), (None, None));
    world.done(|tx| tx.win_opportunity(outlook.open[0].id));
    let outlook = evaluate(world, &facts(world, acme, &[]));
    assert_eq!(outlook.facts.won_at, Some(world.clock.now()));
}

fn what_cannot_be_counted_changes_nothing(world: &World) {
    let acme = acme(world);
    let facts = facts(world, acme, &[NEAR_THE_LIMIT, (names::TEAM_GROWTH, f64::MAX)]);
    let error = world.refused(|tx| tx.evaluate_expansion(&facts));
    assert_eq!(error.code(), ErrorCode::Unprocessable);
    let mut strange = facts;
    strange.customer_id = uuid::Uuid::nil().into();
    assert_eq!(code(world.tried(|tx| tx.evaluate_expansion(&strange))), ErrorCode::NotFound);
}

#[test]
fn the_host_decides_what_is_worth_how_much() {
    let mut config = Config::default();
    config.expansion.report_currency = Some("KWD".parse().unwrap());
    config.expansion.feature_value = 7;
    config.expansion.rest_after_loss_days = 0;
    let store = tenure::store::memory::MemoryStore::new();
    let world = World::over(store, |builder| builder.config(config));
    let acme = acme(&world);
    let mut facts = facts(&world, acme, &[]);
    facts.blocked.insert("sso".parse().unwrap(), 4);
    let found = evaluate(&world, &facts).open.remove(0);
    assert_eq!(found.estimated_value.unwrap().to_string(), "7.000 KWD");
    world.done(|tx| tx.lose_opportunity(found.id, "no"));
    assert_eq!(evaluate(&world, &facts).open.len(), 1);

    let mut config = Config::default();
    config.expansion.upsell_share = f64::NAN;
    let store = tenure::store::memory::MemoryStore::new();
    let world = World::over(store, |builder| builder.config(config));
    let acme = self::acme(&world);
    let facts = self::facts(&world, acme, &[NEAR_THE_LIMIT]);
    assert_eq!(fields(&world.refused(|tx| tx.evaluate_expansion(&facts))), ["upsellShare"]);
}

stories! {
    an_opportunity_is_found_once_and_refreshed_only_when_something_changed,
    an_opportunity_stays_open_when_its_signals_are_gone,
    what_was_lost_is_not_offered_again_for_ninety_days,
    the_tier_after_the_one_that_was_sold_can_be_offered_at_once,
    closing_is_done_once_and_one_way,
    refused_features_are_sold_by_the_product_that_they_belong_to,
    the_pipeline_adds_up_each_currency_and_begins_with_the_most_probable,
    the_pipeline_of_a_person_follows_its_customers,
    who_is_gone_is_offered_nothing,
    what_is_planned_for_later_is_no_expansion_of_today,
    what_cannot_be_counted_changes_nothing,
}

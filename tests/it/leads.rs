//! Leads: scored by what is known, qualified by four answers, and what others publish about both.

use crate::support::{World, code, fields};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use tenure::domain::lead::{LeadGrade, PastLead, Scorecard, likelihood, timeline_points};
use tenure::{
    BantAnswers, Change, Config, CustomerAction, CustomerId, CustomerStatus, ErrorCode,
    LeadQualification, LeadValues, Result, Tx,
};
use time::Duration;

const FACTS: &str = include_str!("../data/growth/lead_facts.json");

fn answer(world: &World, id: CustomerId, answers: &BantAnswers) -> LeadQualification {
    world.done(|tx| tx.qualify_lead(id, answers))
}

fn yes() -> BantAnswers {
    BantAnswers::default().budget(true).authority(true).need(true).timeline(true)
}

fn score(world: &World, id: CustomerId, values: &LeadValues) -> Option<u32> {
    world.done(|tx| tx.score_lead(id, values)).map(|it| it.score)
}

fn answers(world: &World, id: CustomerId) -> Vec<LeadQualification> {
    world.seen(|view| view.lead_qualifications(id, 100, None)).items
}

/// Everything that can be done here.
pub fn tour(tx: &mut Tx<'_>, prospect: CustomerId, mark: &str) -> Result<()> {
    tx.qualify_lead(prospect, &BantAnswers::default().need(true).notes(format!("{mark} is keen")))?;
    tx.score_lead(prospect, &LeadValues::default().set("size", 50.0))?;
    tx.qualify_lead(prospect, &yes()).map(drop)
}

fn four_times_yes_makes_a_lead_of_a_prospect(world: &World) {
    let acme = world.customer("Acme").id;
    let told = world.told(|| answer(world, acme, &BantAnswers::default().budget(true).need(true)));
    assert_eq!(told, ["lead_qualification.answered"]);
    assert_eq!(world.now(acme).status, CustomerStatus::Prospect);
    let rest = BantAnswers::default().authority(true).timeline(true);
    let told = world.told(|| answer(world, acme, &rest));
    assert_eq!(told, ["lead_qualification.answered", "customer.qualified"]);
    assert_eq!(world.now(acme).status, CustomerStatus::Lead);
    // Said again, it is nothing new.
    let told = world.told(|| assert!(answer(world, acme, &yes()).is_qualified));
    assert!(told.is_empty(), "{told:?}");
}

fn an_answer_that_changes_is_kept_beside_the_old_one(world: &World) {
    let acme = world.customer("Acme").id;
    answer(world, acme, &yes().notes("met at the fair"));
    world.clock.advance(Duration::hours(1));
    answer(world, acme, &BantAnswers::default().budget(false));
    world.clock.advance(Duration::hours(1));
    answer(world, acme, &BantAnswers::default().need(Change::Clear));
    let kept = answers(world, acme);
    let budget: Vec<_> = kept.iter().map(|it| (it.budget, it.need, it.is_qualified)).collect();
    let wanted = [
        (Some(false), None, false),
        (Some(false), Some(true), false),
        (Some(true), Some(true), true),
    ];
    assert_eq!(budget, wanted);
    assert!(
        kept.iter().all(|it| it.notes.as_ref().is_some_and(|it| it.as_str() == "met at the fair"))
    );
    assert_eq!(world.now(acme).status, CustomerStatus::Lead, "it is no prospect again");
}

fn who_is_a_customer_already_stays_one(world: &World) {
    let acme = world.customer("Acme").id;
    world.done(|tx| tx.move_customer(acme, CustomerAction::Activate));
    let told = world.told(|| answer(world, acme, &yes()));
    assert_eq!(told, ["lead_qualification.answered"]);
    assert_eq!(world.now(acme).status, CustomerStatus::Active);
}

fn a_score_is_made_of_what_is_known_and_kept_when_it_changes(world: &World) {
    let acme = world.customer("Acme").id;
    let nothing = LeadValues::default();
    assert_eq!(score(world, acme, &nothing), None, "unknown is not zero");
    answer(world, acme, &BantAnswers::default().budget(true).need(false));
    let told = world.told(|| assert_eq!(score(world, acme, &nothing), Some(50)));
    assert_eq!(told, ["lead_score.calculated"]);
    assert!(world.told(|| score(world, acme, &nothing)).is_empty());
    world.clock.advance(Duration::hours(1));
    // (20 × 100 + 20 × 25 + 15 × 90) ÷ 55 = 70
    let values = LeadValues::default().set("need", 25.0).set("engagement", 90.0);
    assert_eq!(score(world, acme, &values), Some(70));
    let scores = world.seen(|view| view.lead_scores(acme, 100, None)).items;
    assert_eq!(scores.iter().map(|it| it.score).collect::<Vec<_>>(), [70, 50]);
    assert_eq!(scores[0].factors.len(), 3);
    let all = LeadValues::default()
        .set("budget", 100.0)
        .set("authority", 100.0)
        .set("need", 100.0)
        .set("timeline", 100.0)
        .set("engagement", 100.0)
        .set("size", 100.0)
        .set("industry", 100.0);
    assert_eq!(score(world, acme, &all), Some(100));
}

fn what_is_no_value_is_refused_and_changes_nothing(world: &World) {
    let acme = world.customer("Acme").id;
    let values = LeadValues::default()
        .set("budget", f64::NAN)
        .set("need", -0.1)
        .set("charm", 50.0)
        .set("size", f64::INFINITY);
    let error = world.refused(|tx| tx.score_lead(acme, &values));
    assert_eq!(fields(&error), ["values.budget", "values.charm", "values.need", "values.size"]);
    let long = BantAnswers::default().budget(true).notes("x".repeat(10_001));
    assert_eq!(fields(&world.refused(|tx| tx.qualify_lead(acme, &long))), ["notes"]);
    let nobody = uuid::Uuid::nil().into();
    assert_eq!(code(world.tried(|tx| tx.qualify_lead(nobody, &yes()))), ErrorCode::NotFound);
    let none = LeadValues::default();
    assert_eq!(code(world.tried(|tx| tx.score_lead(nobody, &none))), ErrorCode::NotFound);
}

#[test]
fn the_host_decides_what_counts() {
    let mut config = Config::default();
    config.lead.weights =
        [("budget".parse().unwrap(), 1.0), ("charm".parse().unwrap(), 3.0)].into();
    let store = tenure::store::memory::MemoryStore::new();
    let world = World::over(store, |builder| builder.config(config));
    let acme = world.customer("Acme").id;
    answer(&world, acme, &yes());
    assert_eq!(score(&world, acme, &LeadValues::default().set("charm", 50.0)), Some(63));
}

/// What is known of a lead of the published tests.
fn traits(lead: &Json) -> BTreeMap<&'static str, String> {
    ["country", "state", "source"].map(|name| (name, lead[name].to_string())).into()
}

fn stage(lead: &Json) -> usize {
    usize::try_from(lead["stage"].as_u64().unwrap()).unwrap()
}

#[test]
fn every_published_fact_holds() {
    let facts: Vec<Json> = serde_json::from_str(FACTS).unwrap();
    for fact in &facts {
        let (input, expected) = (&fact["input"], &fact["expected"]);
        match fact["id"].as_str().unwrap() {
            "bant-1to5" => {
                let card = Scorecard::ONE_TO_FIVE;
                assert_eq!(input["scale"], serde_json::json!([card.least, card.most]));
                assert_eq!(input["fit_bonus"], serde_json::json!([0, card.fit_max]));
                for (name, range) in expected["tiers"].as_object().unwrap() {
                    let grade: LeadGrade = name.parse().unwrap();
                    let bound = |at: usize| u32::try_from(range[at].as_u64().unwrap()).unwrap();
                    for points in bound(0)..=bound(1) {
                        assert_eq!(card.grade(points), Some(grade), "{points}");
                    }
                }
                assert_eq!(card.grade(7), None);
                assert_eq!(card.points([5; 4], 5).unwrap(), 25);
                let error = card.points([0, 6, 1, 5], 6).unwrap_err();
                assert_eq!(fields(&error), ["budget", "authority", "fit"]);
            }
            "bant-0to3" => {
                let card = Scorecard::NONE_TO_THREE;
                assert_eq!(input["scale"], serde_json::json!([card.least, card.most]));
                assert_eq!(card.points([3; 4], 0).unwrap(), 12);
                assert_eq!(expected["max"], 12);
                let months = [6.0, 6.1, 12.0, 24.0, 24.1, f64::NAN].map(Some);
                assert_eq!(months.map(timeline_points), [3, 2, 2, 1, 0, 0]);
                assert_eq!(timeline_points(None), 0);
            }
            id if id.starts_with("pls") => {
                let closed = input["closed"].as_array().unwrap();
                let known: Vec<_> = closed.iter().map(traits).collect();
                let past = closed.iter().zip(&known).map(|(lead, traits)| PastLead {
                    traits: traits.iter().map(|(name, value)| (*name, value.as_str())).collect(),
                    stage: stage(lead),
                    is_won: lead["r"] == "won",
                });
                let (past, lead) = (past.collect::<Vec<_>>(), traits(&input["lead"]));
                let lead = lead.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let found = likelihood(&past, &lead, stage(&input["lead"])).unwrap() * 100.0;
                let wanted = expected["probability"].as_f64().unwrap();
                assert!((found - wanted).abs() <= fact["tolerance"].as_f64().unwrap(), "{id}");
            }
            other => panic!("nobody holds {other}"),
        }
    }
    assert_eq!(facts.len(), 4);
}

stories! {
    four_times_yes_makes_a_lead_of_a_prospect,
    an_answer_that_changes_is_kept_beside_the_old_one,
    who_is_a_customer_already_stays_one,
    a_score_is_made_of_what_is_known_and_kept_when_it_changes,
    what_is_no_value_is_refused_and_changes_nothing,
}

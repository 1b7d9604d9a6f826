//! Nouns: the product describes itself, and does what it says.

use crate::support::{World, events};
use std::collections::{BTreeMap, BTreeSet};
use tenure::{Noun, nouns};

fn noun(name: &str) -> &'static Noun {
    nouns().iter().find(|noun| noun.singular == name).unwrap_or_else(|| panic!("no noun `{name}`"))
}

#[test]
fn every_noun_says_what_it_is_and_every_property_what_it_means() {
    let mut names = BTreeSet::new();
    for noun in nouns() {
        assert!(names.insert(noun.singular) && names.insert(noun.plural), "{}", noun.name);
        assert!(!noun.category.is_empty() && noun.description().ends_with('.'), "{}", noun.name);
        let mut properties = BTreeSet::new();
        for property in noun.properties {
            let path = format!("{}.{}", noun.singular, property.name);
            assert!(properties.insert(property.name), "{path} is listed twice");
            assert!(!property.description().is_empty() && !property.kind.is_empty(), "{path}");
            for example in property.examples {
                let listed = property.words.is_empty() || property.words.contains(example);
                assert!(listed, "{path}: `{example}` is none of its words");
            }
        }
        for relation in noun.relationships {
            assert!(nouns().iter().any(|it| it.singular == relation.noun), "{relation:?}");
            assert!(!relation.description.is_empty());
        }
    }
}

#[test]
fn the_nouns_of_the_promise_are_there_with_their_events() {
    for (name, promised) in [
        (
            "customer",
            "created updated activated suspended reactivated churned merged deleted qualified \
             at_risk_flagged recovered deactivated unmerged restored erased converted",
        ),
        ("entitlement", "granted updated consumed reset suspended revoked exhausted expired"),
        ("contact", "created updated removed"),
        ("subscription", "added updated cancelled renewed expired"),
        ("usage period", "recorded aggregated finalized"),
        ("link", "created unlinked"),
        ("metric", "recorded"),
        ("activity", "recorded"),
        ("order", "recorded updated status_changed"),
        ("invoice", "recorded updated status_changed"),
        ("ticket", "recorded updated status_changed"),
        ("alias", "created deleted"),
        ("health", "scored alerted overridden override_lifted"),
        ("health model", "defined retired"),
        ("health record", ""),
        ("flair", ""),
        ("feature", ""),
        ("tier", ""),
        ("user", ""),
        ("event", ""),
    ] {
        let events: Vec<_> = noun(name).events().collect();
        for event in promised.split_whitespace() {
            assert!(events.contains(&event), "{name} has no event `{event}`");
        }
    }
    let entitlement = noun("entitlement").relationships;
    assert!(["subscription", "tier"].iter().all(|to| entitlement.iter().any(|it| it.noun == *to)));
    let customer = noun("customer");
    let email = customer.properties.iter().find(|it| it.name == "email").unwrap();
    assert!(email.optional && email.kind == "string" && !email.examples.is_empty());
    assert!(customer.properties.iter().any(|it| it.name == "name" && !it.optional));
}

fn a_record_in_json_has_the_properties_that_its_noun_lists(world: &World) {
    let customer = serde_json::to_value(world.customer("Acme")).unwrap();
    let keys: BTreeSet<_> = customer.as_object().unwrap().keys().cloned().collect();
    let listed: BTreeSet<_> =
        noun("customer").properties.iter().map(tenure::noun::Property::json_name).collect();
    assert_eq!(keys, listed);
    let described = serde_json::to_value(noun("customer")).unwrap();
    assert_eq!(described["properties"][0]["name"], "id");
    assert_eq!(described["plural"], "customers");
}

fn every_event_that_is_told_is_one_that_a_noun_lists(world: &World) {
    crate::orgs::tour(&world.tenure, &world.till, "mark");
    world.clock.advance(time::Duration::days(40));
    world.tenure.tick().unwrap();
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in events(&world.tenure) {
        let (subject, what) = event.name.split_once('.').unwrap();
        told.entry(subject.replace('_', " ")).or_default().insert(what.to_owned());
    }
    for (subject, happened) in &told {
        let listed: BTreeSet<String> = noun(subject).events().map(ToOwned::to_owned).collect();
        let strange: Vec<_> = happened.difference(&listed).collect();
        assert!(strange.is_empty(), "{subject} does not list {strange:?}");
    }
    assert!(told.values().map(BTreeSet::len).sum::<usize>() > 40, "{told:?}");
}

stories! {
    a_record_in_json_has_the_properties_that_its_noun_lists,
    every_event_that_is_told_is_one_that_a_noun_lists,
}

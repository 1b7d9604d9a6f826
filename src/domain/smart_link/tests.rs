use super::*;
use crate::domain::clues::{Clues, Hints};
use crate::domain::domain_name::DomainName;
use crate::domain::email::Email;
use crate::domain::match_keys::Known;
use crate::domain::word_weight::word_weight;
use proptest::prelude::*;

fn known(name: &str, domain: &str) -> Known {
    let domains: Vec<_> = DomainName::parse(domain).into_iter().collect();
    Known::new(name, &domains, &[])
}

fn hints(name: &str, domain: &str, emails: &[&str]) -> Hints {
    let hints = Hints::new().company_name(name).domain(domain);
    emails.iter().fold(hints, |hints, email| hints.email(*email))
}

/// How few customers there are, unless a test says otherwise.
const FEW: u64 = 10;

fn weighed(hints: &Hints, known: &[&Known], customers: u64) -> Vec<Weighed> {
    let mut weight = |word: &str| word_weight(word, 1, customers);
    weigh(&Clues::read(hints), known, customers, &mut weight)
}

fn judged(hints: &Hints, known: &Known) -> Judgement {
    let weighed = weighed(hints, &[known], FEW);
    explain(&Clues::read(hints), known, &weighed[0])
}

fn decided(hints: &Hints, names: &[&str]) -> Decision<usize> {
    let known: Vec<Known> = names.iter().map(|name| known(name, "")).collect();
    let weighed = weighed(hints, &known.iter().collect::<Vec<_>>(), FEW);
    decide(weighed.iter().map(|it| it.confidence).enumerate().collect(), MIN_CONFIDENCE)
}

#[test]
fn each_kind_of_evidence_is_worth_what_the_contract_says() {
    let acme = known("Acme Inc.", "acme.com");
    for (hints, confidence) in [
        (hints("", "https://www.acme.com/about", &[]), 0.95),
        (hints("ACME", "", &[]), 0.80),
        (hints("", "", &["ada@mail.acme.com"]), 0.70),
        (hints("", "https://facebook.com/acme", &["ada@gmail.com"]), 0.0),
        (hints("Ltd", "n/a", &[]), 0.0),
    ] {
        assert!((judged(&hints, &acme).confidence - confidence).abs() < 1e-9, "{hints:?}");
    }
}

#[test]
fn what_agrees_raises_and_what_contradicts_lowers() {
    let acme = known("Acme Inc.", "acme.com");
    let confidence =
        |name, domain, emails: &[&str]| judged(&hints(name, domain, emails), &acme).confidence;
    assert!(confidence("Acme", "acme.com", &[]) > 0.95);
    assert!(confidence("Acme", "acme.com", &["ada@acme.com"]) <= CONFIDENCE_MAX);
    assert!(confidence("Acme", "", &["ada@acme.com"]) > 0.80);
    assert!(confidence("Acme", "other.com", &[]) < 0.80);
    assert!(confidence("Acme", "", &["ada@other.com"]) < 0.80);
    assert!(confidence("Wonder Widgets", "acme.com", &[]) < 0.95);
    assert!(confidence("Acme", "", &["ada@gmail.com"]) >= 0.80, "free mail says nothing");
}

#[test]
fn the_name_that_is_most_alike_counts() {
    let meta = known("Meta Platforms", "meta.com").also_called("Facebook Ltd").also_called("FB");
    for name in ["Facebook", "Meta Platforms Inc"] {
        let judgement = judged(&hints(name, "", &[]), &meta);
        assert!((judgement.confidence - NAME_WORTH).abs() < 1e-9, "{name}: {judgement:?}");
        assert!(judgement.reason().contains("is the same"), "{}", judgement.reason());
    }
    assert!(judged(&hints("Globex", "", &[]), &meta).confidence < SUGGESTION_FLOOR);
}

#[test]
fn people_tell_a_customer_who_has_no_domain() {
    let people = [Email::parse("bob@acme.com").unwrap(), Email::parse("b@gmail.com").unwrap()];
    let acme = Known::new("Acme", &[], &people);
    for hints in [hints("", "acme.com", &[]), hints("", "", &["ada@acme.com"])] {
        let judgement = judged(&hints, &acme);
        assert!((judgement.confidence - EMAIL_DOMAIN_WORTH).abs() < 1e-9, "{judgement:?}");
        assert!(judgement.reason().starts_with("mail domain `acme.com` is the same"));
    }
    assert!(judged(&hints("", "", &["x@gmail.com"]), &acme).confidence < SUGGESTION_FLOOR);
}

#[test]
fn a_label_is_told_beside_the_name_that_it_is_most_like() {
    let label = |name, domain, known: &Known| {
        let judgement = judged(&hints(name, domain, &[]), known);
        let found = judgement.evidence.into_iter().find(|it| it.kind == EvidenceKind::Label);
        let it = found.unwrap();
        (it.clue, it.known, it.similarity.unwrap())
    };
    let globex = known("Globex", "globex.com");
    let same = ("globex".to_owned(), "globex".to_owned(), 1.0);
    assert_eq!(label("Globex", "pear.org", &globex), same);
    assert_eq!(label("Pear", "globex.org", &globex), same);
    let renamed = known("Initech", "initech.com").also_called("Globex");
    assert_eq!(label("", "globex.org", &renamed), same);
}

#[test]
fn namesakes_are_suggested_however_many_they_are() {
    for count in [2, 10, 11, 16] {
        let suggested = decided(&hints("Acme", "", &[]), &vec!["Acme"; count]);
        let Decision::Suggestions(suggested) = suggested else { panic!("{count}: {suggested:?}") };
        assert_eq!(suggested.len(), count.min(SUGGESTIONS_MAX));
    }
}

#[test]
fn a_mail_domain_under_another_name_is_suggested() {
    let acme = known("Acme Inc.", "acme.com");
    let decided = |email: &str| {
        let confidence = judged(&hints("Hooli", "", &[email]), &acme).confidence;
        decide(vec![(0, confidence)], MIN_CONFIDENCE)
    };
    assert_eq!(decided("ada@acme.com"), Decision::Suggestions(vec![0]));
    assert_eq!(decided("ada@hooli.com"), Decision::NoMatch);
}

#[test]
fn the_reason_tells_both_sides() {
    let judgement = judged(&hints("Acme Labs", "acme.io", &[]), &known("Acme", "wonder.com"));
    let of = |kind| judgement.evidence.iter().find(|it| it.kind == kind).unwrap();
    let (domain, name) = (of(EvidenceKind::Domain), of(EvidenceKind::Name));
    assert!(!domain.agrees() && domain.reason() == "domain `acme.io` is not `wonder.com`");
    assert!(name.agrees() && name.reason().starts_with("name `acme labs` resembles `acme`"));
    assert!(judgement.reason().contains(&domain.reason()));
}

#[test]
fn names_that_only_look_alike_are_not_linked() {
    for (name, customer) in [
        ("Globes", "Globex"),
        ("Acne", "Acme"),
        ("Costa", "Cosat"),
        ("Stripe", "Strive"),
        ("Datadog", "Datadot"),
        ("Airtable", "Fairtable"),
    ] {
        let decision = decided(&hints(name, "", &[]), &[customer]);
        assert!(!matches!(decision, Decision::Linked(..)), "{name}: {decision:?}");
    }
}

#[test]
fn one_clear_match_is_linked_and_equal_ones_are_suggested() {
    let acme = |names: &[&str]| decided(&hints("Acme Ltd", "", &[]), names);
    assert_eq!(acme(&["Wonder", "Acme", "Acme Widgets"]), Decision::Linked(1));
    assert_eq!(acme(&["Wonder"]), Decision::NoMatch);
    let Decision::Suggestions(both) = acme(&["Acme", "Wonder", "ACME"]) else {
        panic!("two customers of one name must not be told apart");
    };
    assert_eq!(both, [0, 2]);
}

#[test]
fn the_least_confidence_is_the_callers() {
    let confidence =
        judged(&hints("", "", &["ada@acme.com"]), &known("Acme", "acme.com")).confidence;
    let linked = |least| matches!(decide(vec![(1, confidence)], least), Decision::Linked(..));
    assert!(linked(0.7) && !linked(0.75) && !linked(1.0));
    assert!(linked(f64::NAN) && linked(-1.0) && linked(7.0), "nonsense is the default");
}

#[test]
fn ties_are_ranked_by_id_and_suggestions_are_few() {
    let Decision::Suggestions(few) = decide((0..30).rev().map(|id| (id, 0.9)).collect(), 0.6)
    else {
        panic!("thirty equal matches are not clear");
    };
    assert_eq!(few, (0..10).collect::<Vec<_>>());
}

#[test]
fn the_bounds_open_as_customers_become_many() {
    let acme = known("Acme", "");
    let asked = hints("Acme", "", &[]);
    let confidence = |customers| weighed(&asked, &[&acme], customers)[0].confidence;
    assert!((confidence(100) - NAME_WORTH).abs() < 1e-9);
    assert!(confidence(300) > NAME_WORTH && confidence(1_000) > confidence(300));
}

#[test]
fn the_tables_look_at_what_there_is() {
    for table in [learned::PAIR, learned::RIVALS] {
        assert!(trees::is_sound(table));
    }
}

proptest! {
    #[test]
    fn the_order_of_candidates_does_not_matter(
        names in proptest::collection::vec("(acme|globex|a[a-c]me)( (labs|group|acme|zeta))?", 1..8),
        asked in "(acme|globex|acne)( labs)?", rotate in 0_usize..8,
    ) {
        let asked = hints(&asked, "", &[]);
        let known: Vec<Known> = names.iter().map(|name| known(name, "")).collect();
        let mut known: Vec<&Known> = known.iter().collect();
        let mut before = weighed(&asked, &known, FEW);
        known.reverse();
        before.reverse();
        let by = rotate.min(known.len());
        known.rotate_left(by);
        before.rotate_left(by);
        prop_assert_eq!(weighed(&asked, &known, FEW), before);
    }

    #[test]
    fn confidence_is_a_probability_and_the_evidence_leads_to_it_whatever_is_typed(
        name in any::<String>(), domain in "\\PC{0,12}|[a-c]{1,3}\\.(com|de)", email in "\\PC{0,9}|x@[a-c]{1,3}\\.(com|de)",
        customer in any::<String>(), site in "[a-c]{1,3}\\.(com|de)", customers in 0_u64..100_000,
    ) {
        let (asked, known) = (hints(&name, &domain, &[&email]), known(&customer, &site));
        let weighed = weighed(&asked, &[&known], customers);
        let judgement = explain(&Clues::read(&asked), &known, &weighed[0]);
        prop_assert!((0.0..=CONFIDENCE_MAX).contains(&judgement.confidence));
        let added: f64 = judgement.evidence.iter().map(|it| it.added).sum();
        prop_assert!((judgement.start + added - judgement.confidence).abs() < 1e-9);
        for it in &judgement.evidence {
            prop_assert!(it.similarity.is_none_or(|it| (0.0..=1.0).contains(&it)), "{:?}", it);
        }
        let _ = judgement.reason();
    }

    #[test]
    fn an_equal_domain_never_speaks_against_a_customer(
        name in "(acme|globex)( (labs|group))?", customer in "(acme|globex)( (labs|zeta))?",
    ) {
        let customer = known(&customer, "acme.com");
        let odds = |domain| weighed(&hints(&name, domain, &[]), &[&customer], 50_000)[0].confidence;
        prop_assert!(odds("acme.com") >= odds(""));
        prop_assert!(odds("wonder.com") <= odds("acme.com"));
    }
}

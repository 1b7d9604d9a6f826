use super::*;
use crate::domain::clues::{Clues, Hints};
use crate::domain::domain_name::DomainName;
use crate::domain::email::Email;
use crate::domain::match_keys::Known;
use crate::domain::name_likeness::usual_weight;
use proptest::prelude::*;

fn known(name: &str, domain: &str) -> Known {
    let domains: Vec<_> = DomainName::parse(domain).into_iter().collect();
    Known::new(name, &domains, &[])
}

fn hints(name: &str, domain: &str, emails: &[&str]) -> Hints {
    let hints = Hints::new().company_name(name).domain(domain);
    emails.iter().fold(hints, |hints, email| hints.email(*email))
}

fn judged(hints: &Hints, known: &Known) -> Judgement {
    judge(&Clues::read(hints), known, &usual_weight)
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
    for (name, confidence, reason) in [
        ("Facebook", 0.80, "name `facebook` is the same"),
        ("Meta Platforms Inc", 0.80, "name `meta platforms` is the same"),
        ("Globex", 0.0, ""),
    ] {
        let judgement = judged(&hints(name, "", &[]), &meta);
        assert!((judgement.confidence - confidence).abs() < 1e-9, "{name}: {judgement:?}");
        assert_eq!(judgement.reason(), reason);
    }
    let meta = known("Meta", "").also_called("Initech");
    let judgement = judged(&hints("", "initech.dev", &[]), &meta);
    assert_eq!(judgement.evidence.len(), 1, "the label of a domain may be any of the names");
}

#[test]
fn people_tell_a_customer_who_has_no_domain() {
    let people = [Email::parse("bob@acme.com").unwrap(), Email::parse("b@gmail.com").unwrap()];
    let acme = Known::new("Acme", &[], &people);
    for hints in [hints("", "acme.com", &[]), hints("", "", &["ada@acme.com"])] {
        let judgement = judged(&hints, &acme);
        assert!((judgement.confidence - EMAIL_DOMAIN_WORTH).abs() < 1e-9);
        assert_eq!(judgement.reason(), "mail domain `acme.com` is the same");
    }
    assert!(judged(&hints("", "", &["x@gmail.com"]), &acme).confidence.abs() < 1e-9);
}

#[test]
fn the_reason_tells_both_sides() {
    let judgement = judged(&hints("Acme Labs", "acme.io", &[]), &known("Acme", "wonder.com"));
    let kinds: Vec<_> = judgement.evidence.iter().map(|it| (it.kind, it.agrees)).collect();
    assert_eq!(kinds, [(EvidenceKind::Domain, false), (EvidenceKind::Name, true)]);
    assert_eq!(
        judgement.reason(),
        "domain `acme.io` is not `wonder.com`; name `acme labs` resembles `acme` (87 %)"
    );
}

#[test]
fn names_that_only_look_alike_are_not_linked() {
    for (name, customer) in [("Globes", "Globex"), ("Acne", "Acme"), ("Costa", "Cosat")] {
        let judgement = judged(&hints(name, "", &[]), &known(customer, ""));
        let decision = decide(vec![(1, judgement)], MIN_CONFIDENCE);
        assert!(!matches!(decision, Decision::Linked(..)), "{name}: {decision:?}");
    }
}

#[test]
fn one_clear_match_is_linked_and_equal_ones_are_suggested() {
    let acme = Clues::read(&hints("Acme Ltd", "", &[]));
    let all = |customers: &[&str]| {
        let judge = |name: &&str| judge(&acme, &known(name, ""), &usual_weight);
        decide(customers.iter().map(judge).enumerate().collect(), MIN_CONFIDENCE)
    };
    assert!(matches!(all(&["Wonder", "Acme", "Acme Widgets"]), Decision::Linked(1, _)));
    assert!(matches!(all(&["Acme GmbH", "Acme Ltd"]), Decision::Linked(1, _)), "the form tells");
    assert_eq!(all(&["Wonder"]), Decision::NoMatch);
    let Decision::Suggestions(both) = all(&["Acme", "Wonder", "ACME"]) else {
        panic!("two customers of one name must not be told apart");
    };
    assert_eq!(both.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn the_least_confidence_is_the_callers() {
    let judgement = judged(&hints("", "", &["ada@acme.com"]), &known("Acme", "acme.com"));
    let linked =
        |least| matches!(decide(vec![(1, judgement.clone())], least), Decision::Linked(..));
    assert!(linked(0.7) && !linked(0.75) && !linked(1.0));
    assert!(linked(f64::NAN) && linked(-1.0) && linked(7.0), "nonsense is the default");
}

#[test]
fn ties_are_ranked_by_id_and_suggestions_are_few() {
    let same = || judged(&hints("Acme", "", &[]), &known("Acme", ""));
    let Decision::Suggestions(few) = decide((0..30).rev().map(|id| (id, same())).collect(), 0.6)
    else {
        panic!("thirty equal matches are not clear");
    };
    assert_eq!(few.iter().map(|(id, _)| *id).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn the_order_of_candidates_does_not_matter(
        names in proptest::collection::vec("(acme|globex|a[a-c]me)( (labs|group|acme|zeta))?", 0..8),
        asked in "(acme|globex|acne)( labs)?", rotate in 0_usize..8,
    ) {
        let clues = Clues::read(&hints(&asked, "", &[]));
        let mut judged: Vec<_> = names.iter().enumerate()
            .map(|(id, name)| (id, judge(&clues, &known(name, ""), &usual_weight))).collect();
        let decision = decide(judged.clone(), MIN_CONFIDENCE);
        judged.reverse();
        let by = rotate.min(judged.len());
        judged.rotate_left(by);
        prop_assert_eq!(decide(judged, MIN_CONFIDENCE), decision);
    }

    #[test]
    fn confidence_is_a_probability_whatever_is_typed(
        name in any::<String>(), domain in "\\PC{0,12}|[a-c]{1,3}\\.(com|de)", email in "\\PC{0,9}|x@[a-c]{1,3}\\.(com|de)",
        customer in any::<String>(), site in "[a-c]{1,3}\\.(com|de)",
    ) {
        let judgement = judged(&hints(&name, &domain, &[&email]), &known(&customer, &site));
        prop_assert!((0.0..=CONFIDENCE_MAX).contains(&judgement.confidence));
        for it in &judgement.evidence {
            prop_assert!((0.0..=1.0).contains(&it.worth) && (0.0..=1.0).contains(&it.similarity));
        }
        let _ = judgement.reason();
    }
}

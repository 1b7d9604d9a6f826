use super::words::words_alike;
use super::{labels, names};
use crate::domain::company_name::CompanyName;
use crate::domain::word_weight::word_weight;
use proptest::prelude::*;

fn weight(word: &str) -> f32 {
    word_weight(word, 1, 10)
}

fn compared(asked: &str, known: &str) -> names::NameSigns {
    names::compare(&CompanyName::fold(asked), &CompanyName::fold(known), &mut weight)
}

fn labelled(name: &str, label: &str) -> labels::LabelSigns {
    labels::compare(&CompanyName::fold(name), label, &mut weight)
}

#[test]
fn words_are_shortened_and_mistyped_in_the_usual_ways() {
    for (short, long) in [
        ("tech", "technologies"),
        ("svcs", "services"),
        ("rlty", "realty"),
        ("systm", "system"),
        ("systems", "system"),
        ("environmtl", "environmental"),
        ("gloebx", "globex"),
        ("microsfot", "microsoft"),
    ] {
        assert!(words_alike(short, long) > 0.5, "{short} {long}");
    }
    for (a, b) in [("acme", "globex"), ("in", "an"), ("cat", "cow"), ("bank", "tank")] {
        assert!(words_alike(a, b) <= 0.7, "{a} {b}");
    }
    assert!(words_alike("globex", "globex") > words_alike("globx", "globex"));
}

#[test]
fn rare_words_say_more_than_common_ones() {
    let rare = compared("Globex Group", "Globex Holdings");
    let common = compared("Globex Group", "Wonder Group");
    assert!(rare.asked_covered > 0.6 && common.asked_covered < 0.4);
    assert!(rare.heaviest_shared > common.heaviest_shared);
    assert!(rare.heaviest_known_only < common.heaviest_known_only);
}

#[test]
fn order_spaces_and_initials_are_seen_through() {
    assert!(compared("Widgets Globex", "Globex Widgets").asked_equal >= 1.0);
    let spaced = compared("Face Book", "Facebook");
    assert!(spaced.compact_equal >= 1.0 && spaced.asked_covered > 0.9);
    assert!(compared("Face Book Payments", "Facebook Payments").known_covered > 0.9);
    assert!(compared("IBM", "International Business Machines Corp.").acronym >= 1.0);
    assert!(compared("GFC", "Golden Friends Corporation").acronym >= 1.0);
    assert!(compared("IBM", "Acme Labs").acronym <= 0.0);
}

#[test]
fn legal_forms_are_a_sign_of_their_own_even_mistyped() {
    let form = |asked, known| compared(asked, known).legal_form;
    assert!(form("Acme Ltd", "Acme Ltd.") >= 1.0);
    assert!(form("Acme Ltd", "Acme GmbH") <= 0.0);
    assert!(form("Acme", "Acme GmbH") > form("Acme", "Acme"));
    assert!(compared("Acme Limted", "Acme Limited").asked_covered >= 1.0);
}

#[test]
fn a_label_is_made_of_the_beginnings_of_words() {
    for (name, label) in [
        ("Hope Education Group", "hopeedu"),
        ("Golden Entertainment, Inc.", "goldenent"),
        ("Augwind Energy Tech Storage Ltd", "aug-wind"),
        ("Imperial Oil Limited", "imperialoil"),
    ] {
        assert!(labelled(name, label).label_covered >= 1.0, "{name} {label}");
    }
    assert!(labelled("Acme", "globex").label_covered <= 0.0);
    assert!(labelled("Acme", "acme").name_covered >= 1.0);
}

proptest! {
    #[test]
    fn every_figure_is_in_its_range_whatever_the_names_are(a: String, b: String) {
        let it = compared(&a, &b);
        for figure in [
            it.asked_covered, it.known_covered, it.asked_equal, it.known_equal, it.first,
            it.letters, it.pairs, it.start, it.compact_equal, it.acronym, it.legal_form,
        ] {
            prop_assert!((0.0..=1.0).contains(&figure), "{it:?}");
        }
        let label = labelled(&a, &b);
        for figure in [label.label_covered, label.name_covered, label.letters] {
            prop_assert!((0.0..=1.0).contains(&figure), "{label:?}");
        }
    }

    #[test]
    fn a_name_agrees_with_itself(name in "[a-z]{2,8}( [a-z]{2,8}){0,3}") {
        let it = compared(&name, &name);
        let words = CompanyName::fold(&name).tokens().len();
        prop_assert!(words == 0 || (it.asked_equal >= 1.0 && it.known_equal >= 1.0), "{:?}", it);
        prop_assert!(it.letters >= 1.0 && it.compact_equal >= 1.0);
    }

    #[test]
    fn words_are_as_alike_from_either_side(a in "[a-e]{1,7}", b in "[a-e]{1,7}") {
        prop_assert!((words_alike(&a, &b) - words_alike(&b, &a)).abs() < f32::EPSILON);
    }
}

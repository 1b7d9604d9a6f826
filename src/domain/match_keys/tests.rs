use super::*;
use crate::domain::clues::Hints;
use proptest::prelude::*;

fn meet(known: &Known, hints: &Hints) -> bool {
    let kept = keys_of(known);
    keys_of_clues(&Clues::read(hints)).iter().any(|key| kept.contains(key))
}

#[test]
fn a_question_meets_the_customer_that_it_means() {
    let domains = [DomainName::parse("globex.co.uk").unwrap()];
    let emails = [Email::parse("bob@globex-mail.com").unwrap()];
    let known = Known::new("Globex Widgets International Ltd", &domains, &emails);
    for hints in [
        Hints::new().domain("https://www.globex.co.uk/about"),
        Hints::new().domain("globex.com"),
        Hints::new().email("ada@mail.globex.co.uk"),
        Hints::new().email("ada@globex-mail.com"),
        Hints::new().company_name("GLOBEX"),
        Hints::new().company_name("Widgets of Globex"),
        Hints::new().company_name("GWI"),
        Hints::new().company_name("Globexwidgets International"),
        Hints::new().company_name("Globx Wigdets International"),
    ] {
        assert!(meet(&known, &hints), "{hints:?}");
    }
    for hints in [
        Hints::new().company_name("Acme Foods"),
        Hints::new().domain("acme.co.uk"),
        Hints::new().email("bob@gmail.com"),
    ] {
        assert!(!meet(&known, &hints), "{hints:?}");
    }
}

#[test]
fn a_question_meets_a_customer_by_each_of_its_names() {
    let domains = ["meta.com", "facebook.example"].map(|it| DomainName::parse(it).unwrap());
    let known = Known::new("Meta", &domains, &[]).also_called("Facebook, Inc.");
    for hints in [
        Hints::new().company_name("Meta Ltd"),
        Hints::new().company_name("Face Book"),
        Hints::new().domain("www.facebook.example"),
        Hints::new().email("ada@facebook.example"),
    ] {
        assert!(meet(&known, &hints), "{hints:?}");
    }
    assert!(!meet(&known, &Hints::new().company_name("Instagram")));
}

#[test]
fn a_name_of_usual_words_is_an_alias_all_the_same() {
    for alias in ["General Electric", "American Express", "Bank of America"] {
        let known = Known::new("Acme", &[], &[]).also_called(alias);
        assert!(meet(&known, &Hints::new().company_name(alias)), "{alias}");
    }
}

#[test]
fn what_stands_in_brackets_is_a_name_only_if_it_names_a_company() {
    let names = |name: &str| {
        let known = Known::new(name, &[], &[]);
        known.names().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let bvg = ["berliner verkehrsbetriebe bvg", "berliner verkehrsbetriebe", "bvg"];
    assert_eq!(names("Berliner Verkehrsbetriebe (BVG)"), bvg);
    for part in ["Thailand", "Hong Kong", "H.K.", "South Africa", "Holdings", "1999"] {
        let names = names(&format!("Acme ({part})"));
        assert_eq!((names.len(), names[1].as_str()), (2, "acme"), "{part}");
    }
}

#[test]
fn a_customer_has_few_keys_and_one_without_a_name_none() {
    let domains: Vec<_> =
        (0..9).map(|n| DomainName::parse(&format!("acme{n}.com")).unwrap()).collect();
    let emails: Vec<_> =
        (0..9).map(|n| Email::parse(&format!("a@mail{n}acme.com")).unwrap()).collect();
    let name = (0..40).map(|n| format!("word{n}x")).collect::<Vec<_>>().join(" ");
    let known = Known::new(&name, &domains, &emails);
    let known = (0..9).fold(known, |known, n| known.also_called(&format!("{n} {name}")));
    assert_eq!(known.names().len(), NAMES_MAX);
    assert!(keys_of(&known).len() <= KEYS_MAX);
    assert_eq!(keys_of(&Known::new("Inc.", &[], &[]).also_called("n/a")), []);
    assert_eq!(keys_of_clues(&Clues::default()), []);
}

#[test]
fn kinds_are_words() {
    assert_eq!("compact".parse(), Ok(KeyKind::Compact));
}

proptest! {
    #[test]
    fn one_slip_in_a_long_enough_name_still_finds_it(name in "[a-z]{6,16}", at in 0_usize..16, slip in 0..3) {
        let mut letters: Vec<char> = name.chars().collect();
        let at = at.min(letters.len().saturating_sub(2));
        match slip {
            0 => letters.swap(at, at.saturating_add(1)),
            1 => letters.insert(at, letters[at]),
            _ => letters[at] = 'x',
        }
        let typed: String = letters.into_iter().collect();
        let fair = |name: &str| CompanyName::fold(name).compact() == name
            && !CompanyName::fold(name).is_degenerate();
        if fair(&name) && fair(&typed) {
            prop_assert!(meet(&Known::new(&name, &[], &[]), &Hints::new().company_name(typed)));
        }
    }
}

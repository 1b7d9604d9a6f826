use super::*;
use proptest::prelude::*;

fn like(a: &str, b: &str) -> f64 {
    likeness(&CompanyName::fold(a), &CompanyName::fold(b), &usual_weight)
}

#[test]
fn the_common_words_are_sorted() {
    assert!(COMMON.is_sorted_by(|a, b| a < b));
}

#[test]
fn spellings_of_one_name_are_alike() {
    for (a, b, least) in [
        ("Acme Inc", "ACME GmbH", 1.0),
        ("Face Book", "Facebook", 0.95),
        ("John Smith", "Smith John", 0.95),
        ("Wiluna Minign", "Wiluna Mining", 0.9),
        ("BlockkFi", "BlockFi", 0.85),
        ("Acme Group", "Acme", 0.8),
        ("International Business Machines", "IBM", 0.5),
        ("Acme Tech", "Acme Technologies", 0.75),
    ] {
        assert!(like(a, b) >= least, "{a} / {b}: {}", like(a, b));
    }
}

#[test]
fn names_that_only_look_alike_stay_below_a_link() {
    // A name is worth at most .80, so .75 of it is a confidence of .60.
    for (a, b) in [
        ("Globex", "Globes"),
        ("Acme", "Acne"),
        ("Global Holdings", "Global Partners"),
        ("China Steel", "China Mining"),
        ("First Bank", "First Trust"),
        ("Acme", "Beta"),
    ] {
        assert!(like(a, b) < 0.75, "{a} / {b}: {}", like(a, b));
    }
}

#[test]
fn rare_words_weigh_more_when_the_caller_knows_them() {
    let weight = |word: &str| if word == "acme" { 5.0 } else { 1.0 };
    let (a, b) = (CompanyName::fold("Acme Widgets"), CompanyName::fold("Acme Gadgets"));
    assert!(likeness(&a, &b, &weight) > likeness(&a, &b, &|_| 1.0));
    assert!(likeness(&a, &b, &|_| f64::NAN) <= 1.0);
    assert!(likeness(&a, &b, &|_| 0.0) <= 1.0);
}

proptest! {
    #[test]
    fn it_is_a_symmetric_share_and_one_only_for_equal_names(
        a in "([ab]{1,5}|group|co|[a-z]{4,9}| ){0,6}", b in "([ab]{1,5}|group|co|[a-z]{4,9}| ){0,6}",
    ) {
        let (there, back) = (like(&a, &b), like(&b, &a));
        prop_assert!((there - back).abs() < 1e-9, "{there} {back}");
        prop_assert!((0.0..=1.0).contains(&there));
        let equal = CompanyName::fold(&a).tokens() == CompanyName::fold(&b).tokens();
        prop_assert_eq!(there >= 1.0, equal && !CompanyName::fold(&a).tokens().is_empty());
    }

    #[test]
    fn no_names_make_it_panic(a in any::<String>(), b in any::<String>()) {
        let _ = like(&a, &b);
    }
}

use super::*;
use crate::value::Field;
use proptest::prelude::*;

fn parsed(text: &str) -> Option<String> {
    DomainName::parse(text).ok().map(|domain| domain.to_string())
}

#[test]
fn what_people_type_becomes_the_registrable_domain() {
    for (typed, domain) in [
        ("acme.com", "acme.com"),
        ("https://WWW.Acme.co.uk/about?x", "acme.co.uk"),
        ("acme.com:443", "acme.com"),
        ("https://acme.com:443/de/home", "acme.com"),
        ("mail.acme.com", "acme.com"),
        ("MAIL.ACME.CO.UK", "acme.co.uk"),
        ("//acme.com", "acme.com"),
        ("acme.com.", "acme.com"),
        ("https://bob:secret@acme.com/x@y", "acme.com"),
        ("bob@acme.com", "acme.com"),
        ("acme.com#team", "acme.com"),
        ("http://acme.com?utm=1", "acme.com"),
        ("  acme.com.br\t", "acme.com.br"),
        ("acme.example", "acme.example"),
        ("www.acme.test", "acme.test"),
        ("shop.hubspot.com", "shop.hubspot.com"),
        ("www.hubspot.com", "hubspot.com"),
        ("https://sites.google.com/view/acme", "sites.google.com"),
        ("mail.google.com", "google.com"),
    ] {
        assert_eq!(parsed(typed).as_deref(), Some(domain), "{typed}");
    }
}

#[test]
fn what_names_no_organisation_is_refused() {
    for typed in [
        "",
        ".",
        "n/a",
        "acme",
        "localhost",
        "com.au",
        "https://",
        "10.0.0.1",
        "127.1",
        "http://[::1]:8080/",
        "::1",
        "2001:db8::1",
        "acme..com",
        "-acme.com",
        "acme-.com",
        "acme com",
        "acme.com:http",
        "ac\0me.com",
        "a@b",
        "acme.c_m",
        ".acme.com",
        "0x7f.0x1",
        "acme.com\u{202e}",
    ] {
        assert_eq!(parsed(typed), None, "{typed:?}");
    }
    assert_eq!(parsed(&format!("{}.com", "a".repeat(64))), None);
    assert_eq!(parsed(&format!("{}com", "abcd.".repeat(50))), Some("abcd.com".into()));
    assert_eq!(parsed(&format!("{}com", "abcde.".repeat(42))), None);
    assert_eq!(parsed(&format!("acme.com/{}", "a".repeat(TYPED_MAX))), None);
}

#[cfg(feature = "psl")]
#[test]
fn the_public_suffix_list_decides() {
    assert_eq!(parsed("x.acme.github.io").as_deref(), Some("acme.github.io"));
    assert_eq!(parsed("acme.pvt.k12.ma.us").as_deref(), Some("acme.pvt.k12.ma.us"));
    assert_eq!(parsed("gov.uk"), None);
    assert_eq!(parsed("acme.nosuchtop"), None);
    assert_eq!(parsed("github.io").as_deref(), Some("github.io"));
}

#[cfg(feature = "idn")]
#[test]
fn other_scripts_are_the_same_in_both_spellings() {
    assert_eq!(parsed("www.BÜCHER.de").as_deref(), Some("xn--bcher-kva.de"));
    assert_eq!(parsed("XN--bcher-kva.de").as_deref(), Some("xn--bcher-kva.de"));
    assert_eq!(parsed("例え。jp"), parsed("xn--r8jz45g.jp"));
}

#[cfg(not(feature = "idn"))]
#[test]
fn other_scripts_stay_as_typed_in_lower_case() {
    assert_eq!(parsed("www.BÜCHER.de").as_deref(), Some("bücher.de"));
}

#[test]
fn the_label_is_what_the_company_chose() {
    for (typed, label) in [("www.acme.co.uk", "acme"), ("acme.com", "acme")] {
        assert_eq!(DomainName::parse(typed).unwrap().label(), label);
    }
}

#[test]
fn it_is_text_in_json_and_in_rows() {
    let domain: DomainName = serde_json::from_str("\"https://acme.com/x\"").unwrap();
    assert_eq!(serde_json::to_string(&domain).unwrap(), "\"acme.com\"");
    assert_eq!(DomainName::from_value(domain.to_value()), Some(domain));
    assert!(serde_json::from_str::<DomainName>("\"acme\"").is_err());
}

proptest! {
    #[test]
    fn what_was_taken_is_taken_again_unchanged(text in "(https?://)?([a-zü0-9-]{1,5}\\.){1,4}(com|co\\.uk|io|github\\.io|hubspot\\.com|google\\.com|de)(/x)?") {
        if let Ok(domain) = DomainName::parse(&text) {
            prop_assert_eq!(DomainName::parse(domain.as_str()), Ok(domain));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), tail in "[.:/@\\[\\]-]{0,4}[a-z]{0,3}") {
        let _ = DomainName::parse(&text);
        let _ = DomainName::parse(&format!("{text}{tail}"));
    }
}

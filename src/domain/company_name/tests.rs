use super::*;
use proptest::prelude::*;

fn tokens(name: &str) -> String {
    CompanyName::fold(name).to_string()
}

#[test]
fn spellings_of_one_name_fold_to_the_same_words() {
    for (name, folded) in [
        ("Acme, Inc.", "acme"),
        ("ACME Co.,Ltd", "acme"),
        ("Acme S.A.R.L.", "acme"),
        ("Acme S. A. R. L.", "acme"),
        ("Acme Sp. z o.o.", "acme"),
        ("Acme spol. s r.o.", "acme"),
        ("Acme S. de R.L. de C.V.", "acme"),
        ("Acme GmbH & Co. KG", "acme"),
        ("Acme Gesellschaft mit beschränkter Haftung", "acme"),
        ("PT Acme Tbk", "acme"),
        ("ООО «Ромашка»", "ромашка"),
        ("株式会社マルハン", "マルハン"),
        ("マルハン 株式会社", "マルハン"),
        ("Acme Sdn. Bhd.", "acme"),
        ("Acme Pty. Ltd.", "acme"),
        ("Smith und Söhne", "smith sohne"),
        ("Smith & Sohne", "smith sohne"),
        ("McDonald’s", "mcdonalds"),
        ("A T & T Inc.", "att"),
        ("J. P. Morgan", "jp morgan"),
        ("The Trade Desk, Inc.", "trade desk"),
        ("Trade Desk, The", "trade desk"),
        ("Łódź Æther Œuvre", "lodz aether oeuvre"),
        ("bol.com", "bol com"),
        ("Coca-Cola", "coca cola"),
        ("Y Combinator", "y combinator"),
        ("The The", "the the"),
        ("Limited Limited", "limited"),
        ("AG Insurance", "ag insurance"),
        ("SAS Institute Inc.", "sas institute"),
        ("UD Technology", "ud technology"),
        ("PT Bank Central Asia Tbk", "bank central asia"),
        ("!!!", ""),
    ] {
        if cfg!(feature = "unicode") || name.is_ascii() {
            assert_eq!(tokens(name), folded, "{name}");
        }
    }
}

#[cfg(feature = "unicode")]
#[test]
fn every_unicode_form_folds_alike() {
    assert_eq!(tokens("ＡＣＭＥ ﬁlm"), "acme film");
    assert_eq!(tokens("Cafe\u{301}"), tokens("Café"));
    assert_eq!(tokens("IŞIK"), tokens("ışık"));
    assert_eq!(tokens("삼성전자 주식회사"), "삼성전자");
    assert_eq!(tokens("㈱マルハン"), "マルハン");
    assert_ne!(tokens("ガス"), tokens("カス"));
}

#[test]
fn what_was_taken_off_is_told() {
    assert_eq!(CompanyName::fold("PT Acme Tbk").legal_forms(), ["tbk", "pt"]);
    assert_eq!(CompanyName::fold("Acme").legal_forms(), [""; 0]);
}

#[test]
fn names_that_tell_nothing_are_known() {
    for name in
        ["", "  ", "-", "Inc.", "GmbH & Co. KG", "A", "7", "n/a", "Group", "None", "株式会社"]
    {
        assert!(CompanyName::fold(name).is_degenerate(), "{name}");
    }
    for name in ["HP", "X Corp. AB Volvo", "Group Nine", "アマ", "京"] {
        assert!(!CompanyName::fold(name).is_degenerate(), "{name}");
    }
}

#[test]
fn acronyms_leave_small_words_out_and_take_the_form_in() {
    let acronyms = |name| CompanyName::fold(name).acronyms();
    assert_eq!(acronyms("Caixa Geral de Depósitos"), ["cgdd", "cgd"]);
    assert_eq!(acronyms("Golden Friends Corporation"), ["gf", "gfc"]);
    assert_eq!(acronyms("Acme"), [""; 0]);
}

#[test]
fn other_alphabets_are_spelled_in_latin_letters() {
    let latin = |name| CompanyName::fold(name).latin().to_string();
    assert_eq!(latin("ООО «Ромашка»"), "romashka");
    assert_eq!(latin("株式会社マルハン"), "maruhan");
    assert_eq!(latin("京王アートマン"), "京王アートマン", "ideographs do not spell sounds");
    assert_eq!(latin("Acme Labs"), "acme labs");
}

#[test]
fn name_keys_ignore_case_form_and_space_but_not_accents() {
    assert_eq!(name_key("  Acme\u{a0}\n Corp "), "acme corp");
    assert_eq!(name_key("STRASSE"), name_key("Straße"));
    assert_eq!(name_key("ΣΑΣ"), name_key("σας"));
    assert_ne!(name_key("Café"), name_key("Cafe"));
    assert_ne!(name_key("Acme Inc"), name_key("Acme"));
}

#[cfg(feature = "unicode")]
#[test]
fn name_keys_ignore_the_unicode_form() {
    assert_eq!(name_key("Cafe\u{301}"), name_key("CAFÉ"));
    assert_eq!(name_key("ＡＣＭＥ"), "acme");
}

#[test]
fn a_flood_of_marks_is_cut_short() {
    let name = CompanyName::fold(&format!("Acme{}", "\u{301}".repeat(1_000_000)));
    assert_eq!(name.tokens(), ["acme"]);
    assert!(CompanyName::fold(&"ab ".repeat(500)).tokens().len() <= TOKENS_MAX);
}

proptest! {
    #[test]
    fn folding_is_idempotent(
        text in "\\PC{0,40}",
        names in "(([a-z]|&|the|and|[oeyn]|gmbh|co|kg|pt|ltd|s\\.a\\.|株式会社|マ|é)[ .]?){0,12}",
    ) {
        for name in [text, names] {
            let once = CompanyName::fold(&name);
            let twice = CompanyName::fold(&once.to_string());
            prop_assert_eq!(twice.tokens(), once.tokens(), "{}", name);
        }
    }

    #[test]
    fn a_name_key_is_its_own_key_and_holds_for_any_case(text in "\\PC{0,30}") {
        let key = name_key(&text);
        prop_assert_eq!(name_key(&key), key);
    }

    #[test]
    fn no_name_makes_it_panic(text in any::<String>()) {
        let name = CompanyName::fold(&text);
        prop_assert!(name.tokens().iter().all(|token| !token.is_empty()));
        let _ = (name.is_degenerate(), name.acronyms(), name_key(&text));
    }
}

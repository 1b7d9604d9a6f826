//! What is asked of smart linking: much that means nothing, and some that means two.

use crate::support::World;
use tenure::{
    AliasKind, ContactDraft, CustomerDraft, CustomerId, Hints, NewLink, SmartLink, Suggestion,
};

fn name(name: &str) -> Hints {
    Hints::new().company_name(name)
}

fn create(world: &World, name: &str, domain: &str) -> CustomerId {
    let draft = CustomerDraft::named(name);
    let draft = if domain.is_empty() { draft } else { draft.domain(domain) };
    world.done(|tx| tx.create_customer(&draft)).id
}

fn asked(world: &World, hints: &Hints) -> SmartLink {
    world.seen(|view| view.find_match(hints, 0.6))
}

/// The customer that is clearly meant.
fn linked(world: &World, hints: &Hints) -> Option<CustomerId> {
    match asked(world, hints) {
        SmartLink::Linked(best) => Some(best.customer_id),
        _ => None,
    }
}

/// Those that may be meant and are not linked, best first.
fn suggested(world: &World, hints: &Hints) -> Vec<CustomerId> {
    match asked(world, hints) {
        SmartLink::Suggestions { suggestions } => ids(suggestions),
        _ => Vec::new(),
    }
}

fn ids(suggestions: Vec<Suggestion>) -> Vec<CustomerId> {
    suggestions.into_iter().map(|it| it.customer_id).collect()
}

/// How sure it is, in ten-thousandths.
fn how_sure(world: &World, hints: &Hints, customer: CustomerId) -> i64 {
    let confidence = world.seen(|view| view.explain_match(hints, customer)).confidence;
    format!("{:.0}", confidence * 10_000.0).parse().unwrap()
}

/// Texts that name no company.
fn names_of_nobody() -> Vec<String> {
    let few = [
        "",
        " ",
        "\t\n",
        "x",
        "é",
        "&",
        "-",
        "...",
        "''",
        "()",
        "n/a",
        "N.A.",
        "none",
        "null",
        "test",
        "Test Ltd",
        "unknown",
        "TBD",
        "GmbH",
        "Ltd",
        "Inc.",
        "GmbH & Co. KG",
        "S.A. de C.V.",
        "株式会社",
        "The",
        "🚀",
        "🚀🚀🚀",
        "👩‍👩‍👧‍👦",
        "\0",
        "\0\0\0",
        "\u{202e}",
        "\u{200f}\u{200e}",
        "\u{feff}",
        "\u{200b}",
        "\u{301}\u{301}",
        "' OR 1=1 --",
        "%",
        "_",
        "1",
        "\u{fffe}",
        "\u{1b}[2J",
        "{{7*7}}",
    ];
    let long = ["a".repeat(100_000), "Acme ".repeat(20_000), "\u{301}".repeat(50_000)];
    few.map(str::to_owned).into_iter().chain(long).collect()
}

/// Texts that are no company's domain.
const DOMAINS_OF_NOBODY: [&str; 48] = [
    "",
    " ",
    ".",
    "..",
    "com",
    "co.uk",
    ".com",
    "acme",
    "localhost",
    "localhost:3000",
    "127.0.0.1",
    "http://127.0.0.1:8080/x",
    "10.0.0.1",
    "192.168.1.1/24",
    "0x7f000001",
    "2130706433",
    "[::1]",
    "http://[2001:db8::1]/",
    "::1",
    "not a domain",
    "acme .com",
    "acme_.com",
    "-acme.com",
    "a..com",
    "\0",
    "acme.com\0",
    "ac\0me.com",
    "\u{202e}moc.emca",
    "🚀",
    "http://",
    "https:///",
    "//",
    "javascript:alert(1)",
    "mailto:",
    "gmail.com",
    "mail.yahoo.co.uk",
    "outlook.com",
    "qq.com",
    "https://www.facebook.com/acme",
    "https://linkedin.com/company/acme",
    "https://x.com/acme",
    "instagram.com/acme",
    "https://github.com/acme",
    "github.io",
    "herokuapp.com",
    "blogspot.com",
    "myshopify.com",
    "amazonaws.com",
];

/// Texts that are nobody's address, or one of the many at a provider.
const EMAILS_OF_NOBODY: [&str; 22] = [
    "",
    "nobody",
    "@",
    "@acme.com",
    "ada@",
    "ada@@acme.com",
    "ada@acme",
    "ada@localhost",
    "ada@127.0.0.1",
    "ada@[10.0.0.1]",
    "ada@[IPv6:::1]",
    "a\0@acme.com",
    "ada@acme.com\nBcc: v@y.com",
    "ada @acme.com",
    "ada@gmail.com",
    "ada@googlemail.com",
    "ada@hotmail.co.uk",
    "ada@qq.com",
    "ada@mailinator.com",
    "ada@icloud.com",
    "ada@web.de",
    "ada@co.uk",
];

fn hints_that_mean_nothing_link_and_suggest_nobody(world: &World) {
    create(world, "Acme", "acme.com");
    // The names and domains of these mean nothing either.
    for nobody in ["GmbH", "Test Ltd", "n/a", "X", "🚀🚀🚀", "Facebook Pages", "None"] {
        create(world, nobody, "");
    }
    create(world, "Gmail User", "gmail.com");
    let ada = create(world, "Ada King", "https://www.facebook.com/ada");
    world.done(|tx| tx.upsert_contact(ada, &ContactDraft::at("ada@gmail.com")));
    let before = crate::support::dump(&world.tenure);
    let nothing = |hints: &Hints| {
        let made = world.done(|tx| tx.smart_link("org_1", hints, None));
        assert_eq!(made, SmartLink::NoMatch, "{:.80}", format!("{hints:?}"));
    };
    for it in names_of_nobody() {
        nothing(&name(&it));
    }
    for it in DOMAINS_OF_NOBODY {
        nothing(&Hints::new().domain(it));
    }
    for it in EMAILS_OF_NOBODY {
        nothing(&Hints::new().email(it));
    }
    let all = EMAILS_OF_NOBODY.iter().fold(name("Ltd").domain("co.uk"), |all, it| all.email(*it));
    nothing(&all);
    nothing(&(0..1_000).fold(Hints::new(), |all, it| all.email(format!("x@nobody{it}.org"))));
    nothing(&(0..1_000).fold(Hints::new(), |all, it| all.email(format!("x{it}@gmail.com"))));
    nothing(&Hints::new().email(format!("{}@acme.com", "a".repeat(100_000))));
    nothing(&Hints::new().domain(format!("{}.com", "a.".repeat(50_000))));
    assert_eq!(crate::support::dump(&world.tenure), before);
}

fn bad_hints_beside_a_good_one_do_no_harm(world: &World) {
    let acme = create(world, "Acme Rockets", "acme.com");
    create(world, "Globex", "globex.com");
    for it in names_of_nobody() {
        assert_eq!(linked(world, &name(&it).domain("acme.com")), Some(acme), "{it:.40}");
    }
    for it in DOMAINS_OF_NOBODY {
        assert_eq!(linked(world, &name("Acme Rockets").domain(it)), Some(acme), "{it}");
    }
    for it in EMAILS_OF_NOBODY {
        assert_eq!(linked(world, &Hints::new().domain("acme.com").email(it)), Some(acme), "{it}");
    }
    // Marks that nobody sees, and cases that nobody means.
    for it in [
        "\u{200f}Acme\u{200e} Rockets",
        "\u{feff}ACME ROCKETS\u{200b}",
        "Acme\0 Rockets",
        "🚀 acme rockets 🚀",
    ] {
        assert_eq!(linked(world, &name(it)), Some(acme), "{it:?}");
    }
}

fn two_of_one_name_are_suggested_until_a_third_sign_tells_them_apart(world: &World) {
    let german = create(world, "Acme GmbH", "acme.de");
    let british = create(world, "Acme Ltd", "acme.co.uk");
    let people = world.done(|tx| tx.upsert_contact(german, &ContactDraft::at("ada@rockets.org")));
    assert_eq!(people.contact.customer_id, german);
    let acme = || name("Acme");
    let mut both = suggested(world, &acme());
    both.sort();
    let mut expected = [german, british];
    expected.sort();
    assert_eq!(both, expected);
    for (hints, one) in [
        (acme().domain("acme.de"), german),
        (acme().domain("https://www.acme.co.uk/"), british),
        (acme().email("bob@acme.co.uk"), british),
        (acme().email("bob@rockets.org"), german),
        (name("Acme GmbH"), german),
        (name("ACME LTD."), british),
    ] {
        assert_eq!(linked(world, &hints), Some(one), "{hints:?}");
    }
    let made = world.done(|tx| tx.smart_link("org_1", &acme(), None));
    assert!(matches!(made, SmartLink::Suggestions { .. }));
    assert_eq!(world.seen(|view| view.link("org_1")), None, "in doubt nothing is written");
    let again = world.done(|tx| tx.smart_link("org_1", &acme().domain("acme.de"), None));
    assert!(matches!(again, SmartLink::Linked(best) if best.customer_id == german));
}

fn a_domain_says_more_than_a_name(world: &World) {
    let acme = create(world, "Acme", "acme.com");
    let globex = create(world, "Globex", "globex.com");
    let brand = name("Wonder Rockets").domain("acme.com");
    assert_eq!(linked(world, &brand), Some(acme), "an equal domain links under another name");
    let alone = how_sure(world, &name("Acme"), acme);
    for domain in ["globex.com", "acme-bakery.fr", "wonder.org"] {
        let others = name("Acme").domain(domain);
        assert!(how_sure(world, &others, acme) < alone, "{domain} is another company's");
    }
    assert_ne!(linked(world, &name("Acme").domain("globex.com")), Some(acme));
    assert!(how_sure(world, &name("Acme").domain("globex.com"), globex) > 6_000);
    // The same label below another suffix does not speak against it as another domain does.
    let sister = how_sure(world, &name("Acme").domain("acme.de"), acme);
    assert!(sister > how_sure(world, &name("Acme").domain("wonder.org"), acme));
}

fn a_brand_within_a_longer_name_is_no_link_in_doubt(world: &World) {
    let energy = create(world, "Siemens Energy AG", "");
    let health = create(world, "Siemens Healthineers AG", "");
    create(world, "Wonder Rockets Manufacturing Holdings Ltd", "");
    for hints in
        [name("Siemens"), name("Siemens AG"), name("Siemens Mobility"), name("Manufacturing")]
    {
        assert_eq!(linked(world, &hints), None, "{hints:?}");
    }
    assert_eq!(linked(world, &name("siemens energy")), Some(energy));
    assert_eq!(linked(world, &name("Siemens Healthineers GmbH")), Some(health));
}

fn former_names_and_given_ones_link_like_the_own_name(world: &World) {
    let wonder = create(world, "Rocketry", "rocketry.com");
    create(world, "Globex", "globex.com");
    let own = how_sure(world, &name("Rocketry"), wonder);
    world.done(|tx| {
        tx.update_customer(wonder, &CustomerDraft::named("Wonder").domain("wonder.com"))
    });
    world.done(|tx| tx.add_alias(wonder, AliasKind::Name, "Bluebird"));
    for former in ["Wonder", "Rocketry", "Bluebird, Inc."] {
        assert_eq!(linked(world, &name(former)), Some(wonder), "{former}");
    }
    assert_eq!(how_sure(world, &name("Rocketry"), wonder), own);
    for domain in ["wonder.com", "www.rocketry.com"] {
        assert_eq!(linked(world, &Hints::new().domain(domain)), Some(wonder), "{domain}");
    }
    // A person who links it teaches another name.
    assert_eq!(linked(world, &name("Oakleaf")), None);
    world.done(|tx| tx.link(wonder, &NewLink::to("org_1").hints(name("Oakleaf"))));
    assert_eq!(linked(world, &name("oakleaf")), Some(wonder));
}

stories! {
    hints_that_mean_nothing_link_and_suggest_nobody,
    bad_hints_beside_a_good_one_do_no_harm,
    two_of_one_name_are_suggested_until_a_third_sign_tells_them_apart,
    a_domain_says_more_than_a_name,
    a_brand_within_a_longer_name_is_no_link_in_doubt,
    former_names_and_given_ones_link_like_the_own_name,
}

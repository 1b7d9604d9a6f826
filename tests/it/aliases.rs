//! Aliases: a customer is found by names and domains that are not its own any more, or never were.

use crate::support::{World, fields};
use tenure::{
    Alias, AliasKind, AliasSource, CustomerDraft, CustomerId, Error, ErrorCode, Hints, NewLink,
    Onboard, SmartLink,
};
use time::Duration;

fn name(name: &str) -> Hints {
    Hints::new().company_name(name)
}

fn domain(domain: &str) -> Hints {
    Hints::new().domain(domain)
}

fn mail(address: &str) -> Hints {
    Hints::new().email(address)
}

/// The customer that is clearly meant.
fn found(world: &World, hints: &Hints) -> Option<CustomerId> {
    match world.seen(|view| view.find_match(hints, 0.6)) {
        SmartLink::Linked(best) => Some(best.customer_id),
        _ => None,
    }
}

fn aliases(world: &World, customer: CustomerId) -> Vec<Alias> {
    world.seen(|view| view.aliases(customer, 100, None)).items
}

/// What the aliases say, in the order of the alphabet, and where they come from.
fn values(world: &World, customer: CustomerId) -> Vec<(String, AliasSource)> {
    let mut values: Vec<_> =
        aliases(world, customer).into_iter().map(|it| (it.value, it.source)).collect();
    values.sort();
    values
}

fn change(world: &World, customer: CustomerId, draft: &CustomerDraft) -> Vec<String> {
    world.told(|| world.done(|tx| tx.update_customer(customer, draft)))
}

fn give(world: &World, customer: CustomerId, kind: AliasKind, value: &str) -> Alias {
    world.done(|tx| tx.add_alias(customer, kind, value))
}

/// A person links an organisation that says this of itself.
fn confirm(world: &World, customer: CustomerId, org: &str, hints: &Hints) -> Vec<String> {
    let new = NewLink::to(org).hints(hints.clone());
    world.told(|| world.done(|tx| tx.link(customer, &new)))
}

fn a_renamed_customer_is_still_found_by_its_former_names(world: &World) {
    let meta = world.customer("Facebook, Inc.").id;
    let told = change(world, meta, &CustomerDraft::named("Meta").company_name("Meta Platforms"));
    assert_eq!(told, ["customer.updated", "alias.created"]);
    change(world, meta, &CustomerDraft::default().company_name("Metaverse Holdings"));
    for known in ["Meta", "facebook", "Meta Platforms", "Metaverse Holdings"] {
        assert_eq!(found(world, &name(known)), Some(meta), "{known}");
    }
    let former = ["Facebook, Inc.", "Meta Platforms"].map(|it| (it.into(), AliasSource::Former));
    assert_eq!(values(world, meta), former);
}

fn a_customer_that_moved_is_still_found_by_its_former_domain(world: &World) {
    let acme = world.customer("Acme").id;
    for moved in ["gmail.com", "https://www.wonder.com/about", "rockets.example"] {
        change(world, acme, &CustomerDraft::default().domain(moved));
    }
    let former = [("wonder.com".into(), AliasSource::Former)];
    assert_eq!(values(world, acme), former, "nobody is found by a domain that many share");
    change(world, acme, &CustomerDraft::default().domain(None::<String>));
    for known in [domain("shop.wonder.com"), domain("rockets.example"), mail("a@wonder.com")] {
        assert_eq!(found(world, &known), Some(acme), "{known:?}");
    }
}

fn another_spelling_of_the_name_is_no_former_name(world: &World) {
    let draft = CustomerDraft::named("Acme").company_name("Wonder Widgets").domain("acme.com");
    let acme = world.done(|tx| tx.create_customer(&draft)).id;
    for draft in [
        CustomerDraft::named("ACME Inc.").domain("www.acme.com"),
        CustomerDraft::named("Wonder Widgets").company_name("Acme"),
        CustomerDraft::default().industry("rockets").email("a@acme.com"),
    ] {
        assert_eq!(change(world, acme, &draft), ["customer.updated"], "{draft:?}");
    }
    let account = world.done(|tx| tx.ensure_account("bob@globex.com", None)).id;
    change(world, account, &CustomerDraft::named("Globex"));
    assert_eq!(values(world, account), [], "an address stood for the name that was not given");
    change(world, account, &CustomerDraft::named("Hooli"));
    change(world, account, &CustomerDraft::named("Globex"));
    change(world, account, &CustomerDraft::named("Hooli"));
    let former = ["Globex", "Hooli"].map(|it| (it.into(), AliasSource::Former));
    assert_eq!(values(world, account), former, "each once, however often it changes");
}

fn an_alias_that_was_given_is_found_until_it_is_removed(world: &World) {
    let ibm = world.customer("IBM").id;
    let hints = [name("Big Blue"), domain("redhat.com"), mail("a@redhat.com")];
    let all = || hints.each_ref().map(|it| found(world, it));
    assert_eq!(all(), [None; 3]);
    let blue = give(world, ibm, AliasKind::Name, "  Big Blue ");
    let red = give(world, ibm, AliasKind::Domain, "https://WWW.RedHat.com:443/x");
    assert_eq!((blue.value.as_str(), blue.key.as_str()), ("Big Blue", "big blue"));
    assert_eq!((red.value.as_str(), red.source), ("redhat.com", AliasSource::Manual));
    assert_eq!(all(), [Some(ibm); 3]);
    let remove = |id| world.told(|| world.done(|tx| tx.remove_alias(id)));
    assert_eq!(remove(blue.id), ["alias.deleted"]);
    assert_eq!(all(), [None, Some(ibm), Some(ibm)]);
    remove(red.id);
    assert_eq!((all(), aliases(world, ibm)), ([None; 3], Vec::new()));
    let error = world.refused(|tx| tx.remove_alias(blue.id));
    assert!(error.is_not_found(), "{error}");
}

fn the_same_alias_is_kept_once_as_it_was_first_given(world: &World) {
    let ibm = world.customer("IBM").id;
    let first = give(world, ibm, AliasKind::Name, "Big Blue");
    world.clock.advance(Duration::DAY);
    let told = world.told(|| {
        for again in ["Big Blue", "BIG  BLUE", "The Big Blue, Inc."] {
            assert_eq!(give(world, ibm, AliasKind::Name, again), first, "{again}");
        }
    });
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(confirm(world, ibm, "org_1", &name("big blue")), ["link.created"]);
    let globex = world.customer("Globex").id;
    assert_ne!(give(world, globex, AliasKind::Name, "Big Blue").id, first.id);
    let both = world.seen(|view| view.find_match(&name("Big Blue"), 0.6));
    assert!(matches!(both, SmartLink::Suggestions { suggestions } if suggestions.len() == 2));
}

fn aliases_are_listed_newest_first_in_pages(world: &World) {
    let ibm = world.customer("IBM").id;
    for value in ["One", "Two", "Three"] {
        give(world, ibm, AliasKind::Name, &format!("Number {value}"));
        world.clock.advance(Duration::MINUTE);
    }
    let page = world.seen(|view| view.aliases(ibm, 2, None));
    let rest = world.seen(|view| view.aliases(ibm, 2, page.next.as_ref()));
    let listed: Vec<_> = page.items.iter().chain(&rest.items).map(|it| it.value.as_str()).collect();
    assert_eq!(listed, ["Number Three", "Number Two", "Number One"]);
    assert!(page.next.is_some() && rest.next.is_none());
}

fn a_customer_has_a_bounded_number_and_what_was_given_is_matched_first(world: &World) {
    let acme = world.customer("Acme").id;
    let words = ["Fuchs", "Igel", "Kranich", "Luchs", "Marder", "Otter"];
    for word in words {
        give(world, acme, AliasKind::Name, word);
    }
    for number in 6..32 {
        give(world, acme, AliasKind::Domain, &format!("shop{number}.example"));
    }
    let error = world.refused(|tx| tx.add_alias(acme, AliasKind::Name, "Wiesel"));
    assert!(matches!(error, Error::TooMany { noun: "aliases", most: 32 }), "{error}");
    assert_eq!(error.code(), ErrorCode::Unprocessable);
    let again = give(world, acme, AliasKind::Name, "FUCHS GmbH");
    assert_eq!(again.value, "Fuchs", "one that is there needs no room");

    // Without room nothing is learned, and nothing is refused.
    assert_eq!(change(world, acme, &CustomerDraft::named("Wonder")), ["customer.updated"]);
    assert_eq!(confirm(world, acme, "org_1", &name("Wiesel")), ["link.created"]);
    assert_eq!(aliases(world, acme).len(), 32);

    for alias in aliases(world, acme).iter().filter(|it| it.kind == AliasKind::Domain) {
        world.done(|tx| tx.remove_alias(alias.id));
    }
    for former in ["Zander", "Hecht", "Barsch"] {
        change(world, acme, &CustomerDraft::named(former));
        world.clock.advance(Duration::MINUTE);
    }
    assert_eq!(values(world, acme).len(), words.len() + 3);
    for given in words.into_iter().chain(["Barsch", "Hecht"]) {
        assert_eq!(found(world, &name(given)), Some(acme), "{given}");
    }
    assert_eq!(found(world, &name("Zander")), None, "eight names are matched");
}

fn what_is_no_alias_is_refused(world: &World) {
    let acme = world.customer("Acme").id;
    let long = "x".repeat(201);
    for (kind, values) in [
        (AliasKind::Name, ["", "a\0b", "GmbH", "n/a", "x", "bob@acme.com", &long]),
        (
            AliasKind::Domain,
            ["", "localhost", "10.0.0.1", "gmail.com", "mail.yahoo.co.uk", "co.uk", "not a domain"],
        ),
    ] {
        for value in values {
            let error = world.refused(|tx| tx.add_alias(acme, kind, value));
            assert_eq!(error.code(), ErrorCode::BadRequest, "{value}: {error}");
            assert_eq!(fields(&error), ["value"], "{value}");
        }
    }
    let nobody = CustomerId::from(uuid::Uuid::from_u128(7));
    let error = world.refused(|tx| tx.add_alias(nobody, AliasKind::Name, "Big Blue"));
    assert!(error.is_not_found());
    let limit = world.tenure.read(|view| view.aliases(acme, 0, None)).unwrap_err();
    assert_eq!(fields(&limit), ["limit"]);
}

fn a_link_that_a_person_confirms_teaches(world: &World) {
    let ibm = world.customer("IBM").id;
    let hints = name("Big Blue").domain("http://redhat.com").email("ada@agency.com");
    let told = confirm(world, ibm, "org_1", &hints);
    assert_eq!(told, ["link.created", "alias.created", "alias.created"]);
    let learned = ["Big Blue", "redhat.com"].map(|it| (it.into(), AliasSource::Link));
    assert_eq!(values(world, ibm), learned);
    assert_eq!(found(world, &name("BIG BLUE")), Some(ibm));
    assert_eq!(found(world, &domain("redhat.com")), Some(ibm));
    assert_eq!(found(world, &domain("agency.com")), None, "addresses teach nothing");
    assert!(confirm(world, ibm, "org_1", &hints).is_empty(), "and nothing is learned twice");

    for (org, hints) in [
        ("org_2", Hints::new()),
        ("org_3", name("I.B.M. Corp.")),
        ("org_4", name("Ltd").domain("gmail.com")),
        ("org_5", name(&"x".repeat(201)).domain("nowhere")),
    ] {
        assert_eq!(confirm(world, ibm, org, &hints), ["link.created"], "{hints:?}");
    }
    world.done(|tx| tx.unlink("org_1"));
    assert_eq!(values(world, ibm), learned, "what was learned stays");
}

fn a_link_that_the_library_found_teaches_nothing(world: &World) {
    let draft = CustomerDraft::named("Acme").domain("acme.com");
    let acme = world.done(|tx| tx.create_customer(&draft)).id;
    let hints = name("Acme Rockets").domain("acme.com");
    let made = world.done(|tx| tx.smart_link("org_1", &hints, None));
    assert!(matches!(made, SmartLink::Linked(_)), "{made:?}");
    let sign_up = Onboard::org("org_2").company("Rockets by Acme").domain("acme.com");
    assert_eq!(world.tenure.onboard(&sign_up).unwrap().customer_id, acme);
    assert_eq!(aliases(world, acme), []);
}

fn what_another_customer_is_called_is_not_learned(world: &World) {
    let draft = CustomerDraft::named("Globex Ltd").domain("globex.com");
    let draft = draft.company_name("Hank Scorpio Holdings");
    let globex = world.done(|tx| tx.create_customer(&draft)).id;
    let acme = world.customer("Acme").id;
    for (org, hints) in [
        ("org_1", name("GLOBEX").domain("www.globex.com")),
        ("org_2", name("Hank Scorpio Holdings")),
    ] {
        assert_eq!(confirm(world, acme, org, &hints), ["link.created"], "{hints:?}");
    }
    // Of what a customer was called, another may have become the owner while it was called so.
    change(world, acme, &CustomerDraft::named("Globex Inc.").domain("acme.com"));
    assert_eq!(values(world, acme), [("Acme".into(), AliasSource::Former)]);
    let draft = CustomerDraft::named("Wonder").domain("globex.com");
    assert_eq!(change(world, acme, &draft), ["customer.updated", "alias.created"]);
    let former = ["Acme", "acme.com"].map(|it| (it.into(), AliasSource::Former));
    assert_eq!(values(world, acme), former);

    // One that is deleted calls itself nothing any more; and a person may know better.
    give(world, acme, AliasKind::Domain, "globex.com");
    world.done(|tx| tx.delete_customer(globex));
    confirm(world, acme, "org_3", &name("Globex"));
    assert_eq!(found(world, &name("Globex")), Some(acme));
}

fn a_deleted_customer_is_not_found_by_its_aliases_until_it_is_restored(world: &World) {
    let ibm = world.customer("IBM").id;
    let blue = give(world, ibm, AliasKind::Name, "Big Blue");
    let red = give(world, ibm, AliasKind::Domain, "redhat.com");
    world.done(|tx| tx.delete_customer(ibm));
    let hints = [name("Big Blue"), domain("redhat.com")];
    let all = || hints.each_ref().map(|it| found(world, it));
    assert_eq!(all(), [None; 2]);
    let gone = world.tenure.read(|view| view.aliases(ibm, 10, None)).unwrap_err();
    assert!(gone.is_not_found());
    let error = world.refused(|tx| tx.add_alias(ibm, AliasKind::Name, "Blue"));
    assert!(error.is_not_found());
    world.done(|tx| tx.remove_alias(red.id));
    assert_eq!(all(), [None; 2]);
    world.done(|tx| tx.restore_customer(ibm));
    assert_eq!(all(), [Some(ibm), None]);
    assert_eq!(aliases(world, ibm), [blue]);
}

fn another_org_neither_finds_nor_sees_nor_removes_an_alias(world: &World) {
    let ibm = world.customer("IBM").id;
    let blue = give(world, ibm, AliasKind::Name, "Big Blue");
    let other = world.beside("other");
    assert_eq!(found(&other, &name("Big Blue")), None);
    assert!(other.tenure.read(|view| view.aliases(ibm, 10, None)).unwrap_err().is_not_found());
    assert!(other.refused(|tx| tx.remove_alias(blue.id)).is_not_found());
    // What is somebody's own there is nobody's here.
    other.customer("Red Hat");
    confirm(world, ibm, "org_1", &name("Red Hat"));
    assert_eq!(found(world, &name("Red Hat")), Some(ibm));
}

stories! {
    a_renamed_customer_is_still_found_by_its_former_names,
    a_customer_that_moved_is_still_found_by_its_former_domain,
    another_spelling_of_the_name_is_no_former_name,
    an_alias_that_was_given_is_found_until_it_is_removed,
    the_same_alias_is_kept_once_as_it_was_first_given,
    aliases_are_listed_newest_first_in_pages,
    a_customer_has_a_bounded_number_and_what_was_given_is_matched_first,
    what_is_no_alias_is_refused,
    a_link_that_a_person_confirms_teaches,
    a_link_that_the_library_found_teaches_nothing,
    what_another_customer_is_called_is_not_learned,
    a_deleted_customer_is_not_found_by_its_aliases_until_it_is_restored,
    another_org_neither_finds_nor_sees_nor_removes_an_alias,
}

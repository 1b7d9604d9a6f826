//! Links, and smart linking: four outcomes, each for a reason.

use crate::support::{World, eur, fields, holder};
use tenure::domain::smart_link::EvidenceKind;
use tenure::{
    ContactDraft, CustomerDraft, CustomerId, Error, ErrorCode, Hints, LinkKind, NewLink,
    NewSubscription, Onboard, SmartLink, Tenure,
};

fn linked(world: &World, external: &str) -> Option<CustomerId> {
    world.seen(|view| view.customer_by_link(external)).map(|customer| customer.id)
}

fn smart(world: &World, external: &str, hints: &Hints) -> SmartLink {
    world.done(|tx| tx.smart_link(external, hints, None))
}

fn an_organisation_is_one_customer_and_a_conflict_names_it(world: &World) {
    let (acme, globex) = (world.customer("Acme").id, world.customer("Globex").id);
    let new = NewLink { label: Some("Berlin".into()), ..NewLink::to("org_1") };
    let link = world.done(|tx| tx.link(acme, &new));
    assert_eq!((link.kind, link.confidence), (LinkKind::Manual, None));
    let error = world.refused(|tx| tx.link(globex, &NewLink::to("org_1")));
    assert_eq!(error.code(), ErrorCode::Conflict);
    assert_eq!(holder(error), acme.to_string());

    let again = || world.done(|tx| tx.link(acme, &NewLink::to("org_1")));
    assert!(world.told(|| assert_eq!(again(), link)).is_empty(), "linking again changes nothing");
    let user = NewLink { external_user_id: Some("user_7".into()), ..NewLink::to("org_1") };
    assert_eq!(world.told(|| world.done(|tx| tx.link(acme, &user))), ["link.updated"]);
    let kept = world.seen(|view| view.link("org_1")).unwrap();
    assert_eq!(kept.label.unwrap().as_str(), "Berlin");
    assert_eq!(kept.external_user_id.unwrap().as_str(), "user_7");
}

fn a_customer_has_several_organisations_and_a_product_its_own(world: &World) {
    let (acme, globex) = (world.customer("Acme").id, world.customer("Globex").id);
    let other = world.tenure.for_product("mobile").unwrap();
    world.done(|tx| tx.link(acme, &NewLink::to("org_1")));
    world.done(|tx| tx.link(acme, &NewLink::to("org_2")));
    other.write(|tx| tx.link(globex, &NewLink::to("org_1"))).unwrap();
    assert_eq!((linked(world, "org_1"), linked(world, "org_2")), (Some(acme), Some(acme)));
    let there = other.read(|view| view.customer_by_link("org_1")).unwrap().unwrap();
    assert_eq!(there.id, globex);
    assert_eq!(world.seen(|view| view.links(acme, 10, None)).items.len(), 2);

    assert_eq!(linked(world, "org_3"), None, "no link is no error");
    assert!(world.done(|tx| tx.unlink("org_1")) && !world.done(|tx| tx.unlink("org_1")));
    assert_eq!(linked(world, "org_1"), None);
    assert!(other.read(|view| view.link("org_1")).unwrap().is_some());
}

fn a_reset_is_previewed_and_takes_only_what_this_product_brought(world: &World) {
    world.catalogue();
    let other = world.tenure.for_product("mobile").unwrap();
    let onboard = |tenure: &Tenure, org: &str, company: &str, email: &str| {
        let request = Onboard::org(org).company(company).contact(email, "Some One");
        tenure.onboard(&request).unwrap().customer_id
    };
    let acme = onboard(&world.tenure, "org_1", "Acme", "ada@acme.com");
    let globex = onboard(&world.tenure, "org_2", "Globex", "bob@globex.com");
    other.write(|tx| tx.link(globex, &NewLink::to("org_9"))).unwrap();
    world.done(|tx| {
        tx.upsert_contact(acme, &ContactDraft::at("byhand@acme.com"))?;
        tx.add_subscription(acme, &NewSubscription::to("pro"))
    });
    assert_eq!(world.now(acme).monthly_spend, Some(eur(49)));

    let before = crate::support::dump(&world.tenure);
    let preview = world.tenure.preview(|tx| tx.reset_links(true, true)).unwrap();
    assert_eq!(crate::support::dump(&world.tenure), before, "a preview leaves nothing");
    let counts = preview.outcome;
    assert_eq!((counts.links_deleted, counts.contacts_deleted, counts.mrr_reset), (2, 1, 1));
    let told = world.told(|| assert_eq!(world.done(|tx| tx.reset_links(true, true)), counts));
    let foreseen: Vec<_> = preview.events.into_iter().map(|event| event.name).collect();
    assert_eq!(told, foreseen);

    assert_eq!((linked(world, "org_1"), linked(world, "org_2")), (None, None));
    assert!(other.read(|view| view.link("org_9")).unwrap().is_some());
    let emails = |id| {
        let people = world.seen(|view| view.contacts(id, false, 10, None)).items;
        people.into_iter().map(|it| it.email.unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(emails(acme), ["byhand@acme.com"]);
    assert_eq!(emails(globex), ["bob@globex.com"], "another product is linked to it too");
    assert_eq!(world.seen(|view| view.billing_status(acme)).mrr, []);
    assert_eq!(world.now(acme).monthly_spend, None, "what it spends follows");
    assert_eq!(world.done(|tx| tx.reset_links(true, true)), tenure::LinksReset::default());
}

fn one_clear_match_is_linked_with_its_confidence(world: &World) {
    let acme = world.customer("Acme Inc.");
    world.done(|tx| tx.update_customer(acme.id, &CustomerDraft::default().domain("acme.com")));
    world.customer("Globex");
    let SmartLink::Linked(best) =
        smart(world, "org_1", &Hints::new().domain("HTTPS://www.Acme.com:443/about"))
    else {
        panic!("a domain is enough")
    };
    assert_eq!((best.customer_id, best.customer_name.as_str()), (acme.id, "Acme Inc."));
    let link = world.seen(|view| view.link("org_1")).unwrap();
    assert_eq!((link.kind, link.confidence), (LinkKind::Smart, Some(best.confidence)));
}

fn each_kind_of_evidence_is_worth_what_the_contract_says(world: &World) {
    let acme = world.customer("Acme Inc.").id;
    world.done(|tx| tx.update_customer(acme, &CustomerDraft::default().domain("acme.com")));
    let globex = world.customer("Globex").id;
    world.done(|tx| tx.upsert_contact(globex, &ContactDraft::at("ada@globex.io")));
    for (hints, customer, kind, worth) in [
        (Hints::new().domain("acme.com"), acme, EvidenceKind::Domain, 0.95),
        (Hints::new().company_name("ACME"), acme, EvidenceKind::Name, 0.80),
        (Hints::new().email("x@mail.acme.com"), acme, EvidenceKind::EmailDomain, 0.70),
        (Hints::new().domain("globex.io"), globex, EvidenceKind::EmailDomain, 0.70),
    ] {
        let found = world.seen(|view| view.find_match(&hints, 0.6));
        let SmartLink::Linked(best) = found else { panic!("{hints:?}: {found:?}") };
        assert_eq!(best.customer_id, customer);
        assert!((best.confidence - worth).abs() < 1e-9, "{hints:?}: {}", best.confidence);
        assert_eq!(best.evidence.first().map(|it| it.kind), Some(kind));
        assert!(!best.reason.is_empty());
    }
    let both = Hints::new().company_name("Acme").domain("acme.com");
    let SmartLink::Linked(best) = world.seen(|view| view.find_match(&both, 0.6)) else { panic!() };
    assert!(best.confidence > 0.95 && best.evidence.len() > 2);
}

fn a_linked_organisation_is_not_looked_at_again(world: &World) {
    let (acme, globex) = (world.customer("Acme").id, world.customer("Globex").id);
    world.done(|tx| tx.link(acme, &NewLink::to("org_1")));
    let told = world.told(|| {
        let found = smart(world, "org_1", &Hints::new().company_name("Globex"));
        assert!(
            matches!(found, SmartLink::AlreadyLinked { customer_id, .. } if customer_id == acme)
        );
    });
    assert!(told.is_empty() && globex != acme);
}

fn equal_matches_are_suggested_best_first_and_nothing_is_written(world: &World) {
    for name in ["Acme GmbH", "Acme Ltd", "Acme Widgets", "Wonder"] {
        world.customer(name);
    }
    let before = crate::support::dump(&world.tenure);
    let SmartLink::Suggestions { suggestions } =
        smart(world, "org_1", &Hints::new().company_name("Acme"))
    else {
        panic!("two customers of one name are not told apart")
    };
    assert!(
        suggestions.len() >= 2 && suggestions.is_sorted_by(|a, b| a.confidence >= b.confidence)
    );
    assert!(suggestions.iter().all(|it| !it.reason.is_empty() && !it.evidence.is_empty()));
    assert!(suggestions.iter().all(|it| it.customer_name.as_str() != "Wonder"));
    assert_eq!(crate::support::dump(&world.tenure), before);
}

fn without_a_match_nothing_is_written(world: &World) {
    let acme =
        world.done(|tx| tx.create_customer(&CustomerDraft::named("Acme").email("a@gmail.com")));
    let before = crate::support::dump(&world.tenure);
    for hints in [
        Hints::new(),
        Hints::new().company_name("Globex"),
        Hints::new().company_name("Ltd").domain("not a domain").email("nobody"),
        Hints::new().email("b@gmail.com").domain("gmail.com"),
    ] {
        assert_eq!(smart(world, "org_1", &hints), SmartLink::NoMatch, "{hints:?} {}", acme.id);
    }
    assert_eq!(crate::support::dump(&world.tenure), before);
}

fn how_sure_it_must_be_is_the_callers_to_say(world: &World) {
    let id = world.customer("Acme").id;
    world.done(|tx| tx.update_customer(id, &CustomerDraft::default().domain("acme.com")));
    let hints = Hints::new().email("x@acme.com");
    let ask = |least| world.tried(|tx| tx.smart_link("org_1", &hints, Some(least)));
    assert!(matches!(ask(0.75), Ok(SmartLink::Suggestions { .. })));
    for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert_eq!(fields(&ask(bad).unwrap_err()), ["minConfidence"], "{bad}");
    }
    assert!(matches!(ask(0.70), Ok(SmartLink::Linked(_))));
    for hints in [Hints::new(), Hints::new().company_name("Acme")] {
        let error = world.refused(|tx| tx.smart_link(" org", &hints, None));
        assert_eq!(fields(&error), ["externalOrgId"]);
    }
}

fn what_is_found_keeps_in_step_with_the_customers(world: &World) {
    let finds = |hints: &Hints| {
        let found = world.seen(|view| view.find_match(hints, 0.6));
        matches!(found, SmartLink::Linked(_))
    };
    let (name, domain) = (Hints::new().company_name("Acme"), Hints::new().domain("acme.com"));
    let mail = Hints::new().email("x@globex.io");
    let id = world.customer("Acme").id;
    assert_eq!([&name, &domain, &mail].map(finds), [true, false, false]);
    let draft = CustomerDraft::default().name("Wonder").domain("acme.com");
    world.done(|tx| tx.update_customer(id, &draft));
    assert_eq!([&name, &domain, &mail].map(finds), [true, true, false], "a former name counts");
    assert!(finds(&Hints::new().company_name("Wonder")));
    let ada = world.done(|tx| tx.upsert_contact(id, &ContactDraft::at("ada@globex.io"))).contact.id;
    assert!(finds(&mail));
    world.done(|tx| tx.update_contact(ada, &ContactDraft::at("ada@hooli.xyz")));
    assert!(!finds(&mail) && finds(&Hints::new().email("x@hooli.xyz")));
    world.done(|tx| tx.remove_contact(ada));
    assert!(!finds(&Hints::new().email("x@hooli.xyz")));
    world.done(|tx| tx.delete_customer(id));
    assert!(!finds(&domain));
    world.done(|tx| tx.restore_customer(id));
    assert!(finds(&domain));
    let draft = CustomerDraft::default().billing_email("pay@initech.com");
    world.done(|tx| tx.update_customer(id, &draft));
    assert!(finds(&Hints::new().email("x@initech.com")), "the billing address is a clue too");
}

fn a_deleted_customer_is_not_found_whatever_happens_to_its_people(world: &World) {
    let request =
        Onboard::org("org_1").company("Acme").domain("acme.com").contact("a@acme.com", "A");
    let id = world.tenure.onboard(&request).unwrap().customer_id;
    world.done(|tx| tx.delete_customer(id));
    world.done(|tx| tx.reset_links(true, true));
    let found = world.seen(|view| view.find_match(&Hints::new().domain("acme.com"), 0.6));
    assert_eq!(found, SmartLink::NoMatch);
}

fn a_link_of_nobody_is_refused(world: &World) {
    let error = world.refused(|tx| tx.link(uuid::Uuid::from_u128(7).into(), &NewLink::to("org_1")));
    assert!(matches!(error, Error::NotFound { .. }));
    let id = world.customer("Acme").id;
    let new = NewLink {
        external_user_id: Some(String::new()),
        label: Some("a\nb".into()),
        ..NewLink::to("org\0")
    };
    let error = world.refused(|tx| tx.link(id, &new));
    assert_eq!(fields(&error), ["externalOrgId", "externalUserId", "label"]);
}

stories! {
    an_organisation_is_one_customer_and_a_conflict_names_it,
    a_customer_has_several_organisations_and_a_product_its_own,
    a_reset_is_previewed_and_takes_only_what_this_product_brought,
    one_clear_match_is_linked_with_its_confidence,
    each_kind_of_evidence_is_worth_what_the_contract_says,
    a_linked_organisation_is_not_looked_at_again,
    equal_matches_are_suggested_best_first_and_nothing_is_written,
    without_a_match_nothing_is_written,
    how_sure_it_must_be_is_the_callers_to_say,
    what_is_found_keeps_in_step_with_the_customers,
    a_deleted_customer_is_not_found_whatever_happens_to_its_people,
    a_link_of_nobody_is_refused,
}

//! Onboarding: one call for a sign-up, which makes nothing twice; and history at bulk speed.

use crate::support::{World, customers, dump, fields, race};
use std::cell::RefCell;
use tenure::{
    ContactDraft, CustomerId, CustomerStatus, Hints, LinkKind, LinkStatus, Onboard, Onboarded,
};
use time::macros::datetime;

fn acme(org: &str) -> Onboard {
    Onboard::org(org).company("Acme Inc.").domain("https://www.acme.com/about")
}

fn onboard(world: &World, request: &Onboard) -> Onboarded {
    world.tenure.onboard(request).unwrap()
}

fn people(world: &World, id: CustomerId) -> Vec<String> {
    let people = world.seen(|view| view.contacts(id, false, 10, None)).items;
    people.iter().map(tenure::Contact::full_name).collect()
}

fn a_sign_up_makes_customer_link_contact_and_tier_in_one_transaction(world: &World) {
    world.catalogue();
    let since = datetime!(2020-02-29 0:00 UTC);
    let request = acme("org_1").contact("ada@acme.com", "Ada Lovelace").tier("pro").since(since);
    let done = onboard(world, &request);
    assert_eq!((done.link_status, done.customer_name.as_str()), (LinkStatus::Created, "Acme Inc."));
    assert_eq!(done.billing_status.tier_applied.unwrap().as_str(), "pro");
    let customer = world.now(done.customer_id);
    assert_eq!((customer.status, customer.created_at), (CustomerStatus::Active, since));
    assert_eq!(customer.domain.unwrap().as_str(), "acme.com");
    assert_eq!(customer.tier.as_str(), "pro");
    assert_eq!(people(world, customer.id), ["Ada Lovelace"]);
    let link = world.seen(|view| view.link("org_1")).unwrap();
    assert_eq!((link.kind, link.customer_id), (LinkKind::Onboard, customer.id));
}

fn signing_up_again_makes_nothing_twice_and_undoes_nothing(world: &World) {
    world.catalogue();
    let request = acme("org_1").contact("ada@acme.com", "Ada Lovelace").tier("starter");
    let first = onboard(world, &request);
    world.done(|tx| tx.upgrade(first.customer_id, "pro"));
    let renamed = ContactDraft::at("ada@acme.com").name("Countess Lovelace");
    world.done(|tx| tx.upsert_contact(first.customer_id, &renamed));
    let before = dump(&world.tenure);
    let again = onboard(world, &request);
    assert_eq!(
        (again.customer_id, again.link_status),
        (first.customer_id, LinkStatus::AlreadyLinked)
    );
    assert_eq!(dump(&world.tenure), before);
}

fn ten_sign_ups_of_one_organisation_at_once_make_one_of_everything(world: &World) {
    let request = acme("org_1").contact("ada@acme.com", "Ada Lovelace");
    let done = race(10, |_| onboard(world, &request));
    assert!(done.iter().all(|it| it.customer_id == done[0].customer_id));
    let created = done.iter().filter(|it| it.link_status == LinkStatus::Created).count();
    assert_eq!((created, customers(&world.tenure).len()), (1, 1));
    assert_eq!(people(world, done[0].customer_id), ["Ada Lovelace"]);
    assert_eq!(world.seen(|view| view.links(done[0].customer_id, 10, None)).items.len(), 1);
}

fn a_second_store_of_a_known_customer_is_linked_to_it(world: &World) {
    let first = onboard(world, &acme("org_1"));
    let store = onboard(world, &acme("org_2"));
    assert_eq!((store.customer_id, store.link_status), (first.customer_id, LinkStatus::Linked));
    let link = world.seen(|view| view.link("org_2")).unwrap();
    assert_eq!((link.kind, link.confidence), (LinkKind::Smart, store.confidence));
    assert!(store.confidence.is_some_and(|sure| sure > 0.95));
}

fn a_sign_up_that_may_be_several_is_created_and_tells_whom_to_merge(world: &World) {
    let known = ["Acme GmbH", "Acme Ltd"].map(|name| world.customer(name).id);
    let done = onboard(world, &Onboard::org("org_1").company("Acme"));
    assert_eq!(done.link_status, LinkStatus::Created);
    let suggested: Vec<_> = done.suggestions.iter().map(|it| it.customer_id).collect();
    assert!(known.iter().all(|id| suggested.contains(id)) && !known.contains(&done.customer_id));
}

fn a_name_that_is_taken_gets_the_domain_or_the_id_added(world: &World) {
    // Two customers that the name fits: which of them signs up is not to be told.
    world.customer("Phoenix");
    world.customer("Phoenix Inc.");
    let sign_up = |request: Onboard| onboard(world, &request.company("PHOENIX")).customer_name;
    let first = sign_up(Onboard::org("org_1").domain("sunrise-bakery.de"));
    let second = sign_up(Onboard::org("org_2"));
    assert_eq!(
        [first.as_str(), second.as_str()],
        ["PHOENIX (sunrise-bakery.de)", "PHOENIX (org_2)"]
    );
}

fn a_sign_up_without_a_name_is_called_by_what_is_known(world: &World) {
    let name = |request: Onboard| onboard(world, &request).customer_name.to_string();
    assert_eq!(name(Onboard::org("org_1").domain("www.globex.co.uk")), "globex.co.uk");
    assert_eq!(name(Onboard::org("org_2").contact("x@hooli.xyz", "X")), "hooli.xyz");
    assert_eq!(name(Onboard::org("org_3").contact("ada@gmail.com", "Ada")), "ada@gmail.com");
    assert_eq!(name(Onboard::org("org_4")), "org_4");
    assert_eq!(
        name(Onboard::org("org_5").hints(Hints::new().email("y@initech.com"))),
        "initech.com"
    );
    let free = world.seen(|view| view.customer_by_link("org_3")).unwrap();
    assert_eq!(free.domain, None, "a free-mail provider is nobody's domain");
}

fn an_agency_is_not_taken_for_the_customer_that_its_people_signed_up(world: &World) {
    let bakery = Onboard::org("org_1").company("Beta Bakery").contact("ada@agency.com", "Ada");
    let bakery = onboard(world, &bakery);
    let domain = |id| world.seen(|view| view.customer(id)).domain;
    assert_eq!(domain(bakery.customer_id), None);
    let agency =
        onboard(world, &Onboard::org("org_2").company("Agency Partners").domain("agency.com"));
    assert_eq!(agency.link_status, LinkStatus::Created);
    assert_eq!(agency.suggestions.len(), 1, "its people are evidence all the same");

    let motors = Onboard::org("org_3").company("Gamma Motors").contact("cem@gamma.com", "Cem");
    let motors = onboard(world, &motors);
    assert_eq!(domain(motors.customer_id).unwrap().as_str(), "gamma.com");
}

fn every_fault_of_a_sign_up_is_told_at_once_and_nothing_is_made(world: &World) {
    let request = Onboard::org("").contact("nobody", " ").checkout(" cs").stripe_subscription("");
    let error = world.refused(|tx| tx.onboard(&request));
    let expected = [
        "externalOrgId",
        "contactEmail",
        "contactName",
        "checkoutSessionId",
        "stripeSubscriptionId",
    ];
    assert_eq!(fields(&error), expected);
    let error = world.refused(|tx| tx.onboard(&acme("org_1").tier("gold")));
    assert!(error.is_not_found());
    let mut people = acme("org_1").since(datetime!(-0001-01-01 0:00 UTC));
    people.contacts = vec![ContactDraft::at("bob@acme.com"), ContactDraft::at("nobody")];
    let error = world.refused(|tx| tx.onboard(&people));
    assert_eq!(fields(&error), ["createdAt", "contacts[1].email"]);
}

fn the_organisation_of_a_deleted_customer_waits_until_that_is_settled(world: &World) {
    let first = onboard(world, &acme("org_1")).customer_id;
    world.done(|tx| tx.delete_customer(first));
    let error = world.refused(|tx| tx.onboard(&acme("org_1")));
    assert_eq!(crate::support::holder(error), first.to_string(), "it could be restored");
    world.done(|tx| tx.restore_customer(first));
    assert_eq!(onboard(world, &acme("org_1")).customer_id, first);
    world.done(|tx| {
        tx.delete_customer(first)?;
        tx.unlink("org_1")
    });
    let again = onboard(world, &acme("org_1"));
    assert_eq!((again.link_status, again.customer_id != first), (LinkStatus::Created, true));
}

fn history_is_filled_in_row_by_row_and_a_bad_row_keeps_nobody_out(world: &World) {
    let since = datetime!(2021-01-01 0:00 UTC);
    let rows = || {
        (0..260).map(move |n| {
            let mut row = Onboard::org(format!("org_{n}")).company(format!("Company {n} x{n}x"));
            row.contacts = vec![
                ContactDraft::at(format!("a@c{n}.com")),
                ContactDraft::at(format!("b@c{n}.com")),
            ];
            if n == 100 { row.contact("nobody", "X") } else { row.since(since) }
        })
    };
    let seen = RefCell::new(Vec::new());
    let note = |report: tenure::BackfillReport<'_>| {
        assert_eq!(report.progress.rows, report.row + 1);
        assert_eq!(report.outcome.is_err(), report.row == 100);
        if let Ok(done) = &report.outcome {
            let link = world.seen(|view| view.link(&report.request.external_org_id)).unwrap();
            assert_eq!(link.customer_id, done.customer_id, "what is reported is durable");
        }
        seen.borrow_mut().push(report.row);
    };
    let progress = world.tenure.backfill(rows(), note).unwrap();
    assert_eq!(seen.take(), (0..260).collect::<Vec<_>>());
    assert_eq!((progress.rows, progress.failed), (260, 1));
    assert_eq!(progress.created + progress.linked, 259);
    let first = world.seen(|view| view.customer_by_link("org_0")).unwrap();
    assert_eq!((first.created_at, people(world, first.id).len()), (since, 2));

    let before = dump(&world.tenure);
    let again = world.tenure.backfill(rows(), |_| ()).unwrap();
    assert_eq!((again.already_linked, again.created, again.failed), (259, 0, 1));
    assert_eq!(dump(&world.tenure), before, "filling in again makes nothing twice");
}

stories! {
    a_sign_up_makes_customer_link_contact_and_tier_in_one_transaction,
    signing_up_again_makes_nothing_twice_and_undoes_nothing,
    ten_sign_ups_of_one_organisation_at_once_make_one_of_everything,
    a_second_store_of_a_known_customer_is_linked_to_it,
    a_sign_up_that_may_be_several_is_created_and_tells_whom_to_merge,
    a_name_that_is_taken_gets_the_domain_or_the_id_added,
    an_agency_is_not_taken_for_the_customer_that_its_people_signed_up,
    a_sign_up_without_a_name_is_called_by_what_is_known,
    every_fault_of_a_sign_up_is_told_at_once_and_nothing_is_made,
    the_organisation_of_a_deleted_customer_waits_until_that_is_settled,
    history_is_filled_in_row_by_row_and_a_bad_row_keeps_nobody_out,
}

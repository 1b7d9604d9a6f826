//! Contacts: one for each address of a customer, one of them the primary.

use crate::support::{World, code, fields, holder};
use tenure::{Contact, ContactDraft, CustomerDraft, CustomerId, ErrorCode};
use time::Duration;

fn at(email: &str) -> ContactDraft {
    ContactDraft::at(email)
}

fn people(world: &World, customer: CustomerId) -> Vec<Contact> {
    world.seen(|view| view.contacts(customer, false, 100, None)).items
}

fn primary(world: &World, customer: CustomerId) -> Option<String> {
    let listed = world.seen(|view| view.contacts(customer, true, 100, None)).items;
    assert!(listed.len() <= 1, "{listed:?}");
    let primary = world.seen(|view| view.primary_contact(customer));
    assert_eq!(listed.into_iter().next(), primary);
    primary.map(|it| it.full_name())
}

fn writing_an_address_again_updates_its_contact_and_keeps_the_rest(world: &World) {
    let acme = world.customer("Acme").id;
    let draft = at("Ada@Acme.com").name("Ada King Lovelace").title("CTO");
    let first = world.done(|tx| tx.upsert_contact(acme, &draft));
    assert!(first.is_new);
    assert_eq!(first.contact.first_name.as_ref().unwrap().as_str(), "Ada King");
    assert_eq!(first.contact.short_id, "ada-king-lovelace");
    world.clock.advance(Duration::DAY);
    let again = world.done(|tx| tx.upsert_contact(acme, &at("ada@acme.com").phone("123")));
    assert!(!again.is_new && again.contact.id == first.contact.id);
    assert_eq!(again.contact.title, first.contact.title);
    assert_eq!(again.contact.phone.as_ref().unwrap().as_str(), "123");
    let told = world.told(|| {
        world.done(|tx| tx.upsert_contact(acme, &at("ada@acme.com").phone("123")));
    });
    assert!(told.is_empty(), "{told:?}");
    let globex = world.customer("Globex").id;
    assert!(world.done(|tx| tx.upsert_contact(globex, &at("ada@acme.com"))).is_new);
    assert_eq!((people(world, acme).len(), people(world, globex).len()), (1, 1));
}

fn an_address_that_comes_twice_in_a_batch_is_one_contact_and_the_last_values_win(world: &World) {
    let acme = world.customer("Acme").id;
    let known = world.done(|tx| tx.upsert_contact(acme, &at("old@acme.com"))).contact.id;
    let batch = [
        at("ada@acme.com").title("CTO").phone("1"),
        at("old@acme.com").title("CFO"),
        at("ADA@acme.com").title("CEO"),
        ContactDraft::default().name("No Address"),
    ];
    let done = world.done(|tx| tx.upsert_contacts(acme, &batch));
    assert_eq!((done.created, done.updated), (2, 1));
    let listed: Vec<_> = done.contacts.iter().map(|(_, id, is_new)| (*id, *is_new)).collect();
    assert!(listed.len() == 3 && listed[1] == (known, false) && listed[0].1 && listed[2].1);
    let ada = world.seen(|view| view.contact(listed[0].0));
    assert_eq!(ada.title.unwrap().as_str(), "CEO");
    assert_eq!(ada.phone.unwrap().as_str(), "1");
    assert_eq!(people(world, acme).len(), 3);
}

fn a_batch_with_a_fault_changes_nothing_and_tells_every_fault_by_its_place(world: &World) {
    let acme = world.customer("Acme").id;
    let batch =
        [at("ada@acme.com"), at("nobody"), ContactDraft::default(), at("b@acme.com").title("")];
    let error = world.refused(|tx| tx.upsert_contacts(acme, &batch));
    let expected = ["contacts[1].email", "contacts[2].email", "contacts[3].title"];
    assert_eq!(fields(&error), expected);
    let many = vec![at("a@acme.com"); 10_001];
    assert_eq!(fields(&world.refused(|tx| tx.upsert_contacts(acme, &many))), ["contacts"]);
}

fn a_business_with_contacts_has_exactly_one_primary(world: &World) {
    let acme = world.customer("Acme").id;
    assert_eq!(primary(world, acme), None);
    let add = |email: &str| {
        world.clock.advance(Duration::MINUTE);
        world.done(|tx| tx.upsert_contact(acme, &at(email))).contact.id
    };
    let (ada, bob, cyd) = (add("ada@x.com"), add("bob@x.com"), add("cyd@x.com"));
    assert_eq!(primary(world, acme).as_deref(), Some("ada@x.com"));
    let choose = |yes: bool| ContactDraft::default().is_primary(yes);
    world.done(|tx| tx.update_contact(cyd, &choose(true)));
    assert_eq!(primary(world, acme).as_deref(), Some("cyd@x.com"));
    let error = world.refused(|tx| tx.update_contact(cyd, &choose(false)));
    assert_eq!(error.code(), ErrorCode::Unprocessable);
    let told = world.told(|| world.done(|tx| tx.remove_contact(cyd)));
    assert_eq!(told, ["contact.removed", "contact.promoted"]);
    assert_eq!(primary(world, acme).as_deref(), Some("ada@x.com"), "the oldest follows");
    world.done(|tx| tx.remove_contact(ada));
    world.done(|tx| tx.remove_contact(bob));
    assert_eq!(primary(world, acme), None);
    assert_eq!(code(world.tried(|tx| tx.remove_contact(bob))), ErrorCode::NotFound);
}

fn a_person_needs_no_primary_until_it_is_a_business(world: &World) {
    let draft = CustomerDraft::named("Ada").kind("individual");
    let ada = world.done(|tx| tx.create_customer(&draft)).id;
    world.done(|tx| tx.upsert_contact(ada, &at("ada@x.com").is_primary(true)));
    assert_eq!(primary(world, ada).as_deref(), Some("ada@x.com"));
    world.done(|tx| tx.upsert_contact(ada, &at("ada@x.com").is_primary(false)));
    assert_eq!(primary(world, ada), None);
    world.done(|tx| tx.update_customer(ada, &CustomerDraft::default().kind("enterprise")));
    assert_eq!(primary(world, ada).as_deref(), Some("ada@x.com"));
}

fn an_address_cannot_be_moved_onto_another_contact(world: &World) {
    let acme = world.customer("Acme").id;
    let add = |email: &str| world.done(|tx| tx.upsert_contact(acme, &at(email))).contact.id;
    let (ada, bob) = (add("ada@x.com"), add("bob@x.com"));
    let error = world.refused(|tx| tx.update_contact(bob, &at("ADA@x.com")));
    assert_eq!(error.code(), ErrorCode::Conflict);
    assert_eq!(holder(error), ada.to_string());
}

fn contacts_of_one_name_have_short_ids_of_their_own(world: &World) {
    let (acme, globex) = (world.customer("Acme").id, world.customer("Globex").id);
    let ids =
        [(acme, "a@x.com"), (acme, "b@x.com"), (globex, "a@x.com")].map(|(customer, email)| {
            world.done(|tx| tx.upsert_contact(customer, &at(email).name("Ada L"))).contact.short_id
        });
    assert_eq!(ids, ["ada-l", "ada-l-2", "ada-l-3"]);
}

stories! {
    writing_an_address_again_updates_its_contact_and_keeps_the_rest,
    an_address_that_comes_twice_in_a_batch_is_one_contact_and_the_last_values_win,
    a_batch_with_a_fault_changes_nothing_and_tells_every_fault_by_its_place,
    a_business_with_contacts_has_exactly_one_primary,
    a_person_needs_no_primary_until_it_is_a_business,
    an_address_cannot_be_moved_onto_another_contact,
    contacts_of_one_name_have_short_ids_of_their_own,
}

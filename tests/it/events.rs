//! Events: in the order of their commits, without a gap, kept until they are acknowledged.

use crate::support::{World, events, fields, race};
use tenure::{CustomerDraft, Error};

fn events_are_numbered_in_order_without_a_gap_whoever_writes(world: &World) {
    race(8, |n| {
        for turn in 0..5 {
            let name = format!("Customer {n} {turn}");
            world.done(|tx| tx.create_customer(&CustomerDraft::named(name.as_str())));
            // What fails takes no number with it.
            let failed: Result<(), Error> = world.tenure.write(|tx| {
                tx.create_customer(&CustomerDraft::named(format!("{name} again")))?;
                tx.create_customer(&CustomerDraft::named(name.as_str())).map(drop)
            });
            assert!(failed.unwrap_err().is_conflict());
        }
    });
    let all = events(&world.tenure);
    let numbers: Vec<_> = all.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, (1..=80).collect::<Vec<_>>());
    assert!(all.is_sorted_by(|a, b| a.id < b.id));
    // The two of one transaction stand side by side.
    for pair in all.chunks(2) {
        assert_eq!(
            (pair[0].name.as_str(), pair[1].name.as_str()),
            ("customer.created", "subscription.added")
        );
        assert_eq!(pair[0].customer_id, pair[1].customer_id);
    }
}

fn what_is_acknowledged_is_gone_and_the_rest_stays(world: &World) {
    let (acme, globex) = (world.customer("Acme").id, world.customer("Globex").id);
    let page = |after, limit| world.seen(|view| view.events(after, limit));
    let first = page(None, 3);
    assert_eq!(first, page(None, 3), "reading takes nothing away");
    let rest = page(first.last().map(|it| it.id), 10);
    let customers: Vec<_> = first.iter().chain(&rest).map(|it| it.customer_id.unwrap()).collect();
    assert_eq!(customers, [acme, acme, globex, globex]);
    let done: Vec<_> = first.iter().map(|it| it.id).collect();
    assert_eq!(world.done(|tx| tx.acknowledge(done.clone())), 3);
    assert_eq!(world.done(|tx| tx.acknowledge(done.clone())), 0);
    assert_eq!(page(None, 10), rest);
    let next = world.customer("Hooli").id;
    let all = page(None, 10);
    assert_eq!((all.len(), all[2].customer_id, all[2].sequence), (3, Some(next), 6));
    for bad in [0, 1_001] {
        let error = world.tenure.read(|view| view.events(None, bad)).unwrap_err();
        assert_eq!(fields(&error), ["limit"]);
    }
}

fn an_event_names_who_did_it(world: &World) {
    world.customer("Acme");
    let mia = world.tenure.acting_as("mia").unwrap();
    let globex = mia.write(|tx| tx.create_customer(&CustomerDraft::named("Globex"))).unwrap();
    assert_eq!(globex.created_by, "mia");
    let by: Vec<_> = events(&world.tenure).into_iter().map(|it| it.performed_by).collect();
    assert_eq!(by, ["system", "system", "mia", "mia"]);
    assert!(world.tenure.acting_as(" mia").is_err());
}

fn a_preview_tells_its_events_and_leaves_none(world: &World) {
    let before = crate::support::dump(&world.tenure);
    let create = |tx: &mut tenure::Tx<'_>| tx.create_customer(&CustomerDraft::named("Acme"));
    let preview = world.tenure.preview(create).unwrap();
    assert_eq!(preview.outcome.name.as_str(), "Acme");
    assert_eq!(preview.events.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(crate::support::dump(&world.tenure), before);
    assert_eq!(
        world.tenure.read(|view| view.customer(preview.outcome.id)).unwrap_err().code(),
        tenure::ErrorCode::NotFound
    );
    assert_eq!(world.told(|| world.done(create)).len(), 2);
}

fn an_operation_that_failed_half_way_cannot_be_kept(world: &World) {
    let id = world.customer("Acme").id;
    let bad = [
        tenure::ContactDraft::at("a@x.com"),
        tenure::ContactDraft::at("a@x.com").is_primary(false),
    ];
    let error = world.refused(|tx| {
        let _ignored = tx.upsert_contacts(id, &bad);
        Ok(())
    });
    assert_eq!(error.code(), tenure::ErrorCode::Unprocessable);
    // One that was refused before it wrote anything does no harm.
    let (kept, refused) = world.done(|tx| {
        let refused = tx.create_customer(&CustomerDraft::named("ACME")).is_err();
        Ok((tx.create_customer(&CustomerDraft::named("Globex"))?.id, refused))
    });
    assert!(refused && world.now(kept).name.as_str() == "Globex");
}

fn a_panic_leaves_nothing_behind_and_the_next_call_works(world: &World) {
    let before = crate::support::dump(&world.tenure);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        world.tried(|tx| {
            tx.create_customer(&CustomerDraft::named("Acme"))?;
            std::panic::panic_any("the host's own mistake") as Result<(), Error>
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(crate::support::dump(&world.tenure), before);
    world.customer("Acme");
}

fn a_transaction_inside_a_transaction_is_an_error(world: &World) {
    let error = world
        .refused(|_| world.tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme"))));
    assert_eq!(error.code(), tenure::ErrorCode::Internal);
}

stories! {
    events_are_numbered_in_order_without_a_gap_whoever_writes,
    what_is_acknowledged_is_gone_and_the_rest_stays,
    an_event_names_who_did_it,
    a_preview_tells_its_events_and_leaves_none,
    an_operation_that_failed_half_way_cannot_be_kept,
    a_panic_leaves_nothing_behind_and_the_next_call_works,
    a_transaction_inside_a_transaction_is_an_error,
}

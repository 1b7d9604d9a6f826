//! Users: registered, assigned, succeeded.

use crate::support::{World, code, fields};
use tenure::{CustomerDraft, ErrorCode, UserDraft, UserId};

fn customers_are_assigned_to_users_who_are_registered_and_there(world: &World) {
    let mia = world.done(|tx| tx.register_user("u_1", &UserDraft::default().name("Mia Park")));
    assert_eq!((mia.id, mia.role.as_str()), (UserId::of("u_1"), "sales"));
    let draft = CustomerDraft::named("Acme").assigned_to(mia.id);
    let acme = world.done(|tx| tx.create_customer(&draft));
    assert_eq!(acme.assigned_to, Some(mia.id));
    for draft in [
        CustomerDraft::default().assigned_to(UserId::of("u_2")),
        CustomerDraft::default().csm_id(UserId::of("u_2")),
    ] {
        let error = world.refused(|tx| tx.update_customer(acme.id, &draft));
        assert_eq!(error.code(), ErrorCode::BadRequest);
    }
}

fn a_user_who_leaves_needs_a_successor_who_is_there(world: &World) {
    let [mia, bob, cyd] = ["mia", "bob", "cyd"]
        .map(|key| world.done(|tx| tx.register_user(key, &UserDraft::default())).id);
    let ids: Vec<_> = (0..3)
        .map(|n| {
            let draft = CustomerDraft::named(format!("Customer {n}")).assigned_to(mia);
            world
                .done(|tx| {
                    tx.create_customer(&draft.clone().csm_id(if n == 0 { mia } else { cyd }))
                })
                .id
        })
        .collect();
    let error = world.refused(|tx| tx.deactivate_user(mia, None));
    assert_eq!(error.code(), ErrorCode::Unprocessable);
    let error = world.refused(|tx| tx.deactivate_user(mia, Some(mia)));
    assert_eq!(error.code(), ErrorCode::Unprocessable);
    let gone = world.done(|tx| tx.deactivate_user(bob, None));
    assert!(!gone.is_active);
    let error = world.refused(|tx| tx.deactivate_user(mia, Some(bob)));
    assert_eq!(fields(&error), ["to"]);
    assert!(world.told(|| world.done(|tx| tx.deactivate_user(bob, None))).is_empty());

    world.done(|tx| tx.register_user("bob", &UserDraft::default()));
    let preview = world.tenure.preview(|tx| tx.reassign(mia, bob)).unwrap();
    assert_eq!(preview.outcome, 3);
    world.done(|tx| tx.deactivate_user(mia, Some(bob)));
    assert!(ids.iter().all(|id| world.now(*id).assigned_to == Some(bob)));
    assert_eq!(
        ids.iter().map(|id| world.now(*id).csm_id.unwrap()).collect::<Vec<_>>(),
        [bob, cyd, cyd]
    );
    assert!(!world.seen(|view| view.user(mia)).is_active);
    let nobody = code(world.tried(|tx| tx.reassign(bob, UserId::of("nobody"))));
    assert_eq!(nobody, ErrorCode::NotFound);
}

fn registering_again_changes_what_is_named_and_is_silent_if_nothing_is(world: &World) {
    let draft = UserDraft::default().name("Mia").email("mia@x.com").role("csm");
    let told = world.told(|| world.done(|tx| tx.register_user("u_1", &draft)));
    assert_eq!(told, ["user.registered"]);
    assert!(world.told(|| world.done(|tx| tx.register_user("u_1", &draft))).is_empty());
    let teams = UserDraft::default().teams(vec!["emea".to_owned()]);
    let changed = world.done(|tx| tx.register_user("u_1", &teams));
    assert_eq!((changed.name.as_str(), changed.role.as_str()), ("Mia", "csm"));
    assert_eq!(world.seen(|view| view.users(10, None)).items, [changed]);
}

fn every_fault_of_a_user_is_told_at_once(world: &World) {
    let draft = UserDraft::default().name("").email("nobody").role("No").calendar_link("a\nb");
    let error = world.refused(|tx| tx.register_user(" u", &draft));
    let mut found = fields(&error);
    found.sort_unstable();
    assert_eq!(found, ["calendarLink", "email", "key", "name", "role"]);
}

stories! {
    customers_are_assigned_to_users_who_are_registered_and_there,
    a_user_who_leaves_needs_a_successor_who_is_there,
    registering_again_changes_what_is_named_and_is_silent_if_nothing_is,
    every_fault_of_a_user_is_told_at_once,
}

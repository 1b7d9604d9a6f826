//! Customers: named once, moved by the rules, recovered with everything they had.

use crate::support::{BEGINNING, World, code, customers, eur, fields, holder, race};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use tenure::store::Store;
use tenure::store::memory::MemoryStore;
use tenure::{
    ContactDraft, Cursor, Customer, CustomerAction, CustomerDraft, CustomerKind, CustomerSize,
    CustomerStatus, DenialReason, Error, ErrorCode, NewFlair, Stage, SubscriptionKind,
    SubscriptionStatus, Track, UserId,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

fn a_new_customer_has_a_free_subscription_and_names_of_its_own(world: &World) {
    let acme = world.customer("Acme Inc.");
    assert_eq!((acme.status, acme.stage), (CustomerStatus::Prospect, Stage::Trial));
    assert_eq!((acme.tier.as_str(), acme.short_id.as_str()), ("free", "acme-inc"));
    assert!(acme.is_active && acme.created_by == "system" && acme.created_at == BEGINNING);

    let subscriptions = world.seen(|view| view.subscriptions(acme.id));
    let [free] = subscriptions.as_slice() else { panic!("{subscriptions:?}") };
    let kind = (free.kind, free.status, free.billing_cycle.as_str(), free.plan_name.as_str());
    let expected = (SubscriptionKind::Free, SubscriptionStatus::Active, "monthly", "Free");
    assert_eq!((kind, free.start_date), (expected, BEGINNING));

    let names = world.seen(|view| view.display_names(acme.id));
    assert!(names.len() == 1 && names[0].is_current && names[0].name == acme.display_name);
    let found = world.seen(|view| view.customer_by_display_name(&acme.display_name));
    assert_eq!(found.unwrap(), acme);
    assert!(world.seen(|view| view.flairs(acme.id, None)).is_empty());
    assert_eq!(world.seen(|view| view.customer_by_short_id("acme-inc")).unwrap(), acme);
}

fn a_name_is_taken_in_any_case_unicode_form_and_spacing(world: &World) {
    for (name, likes) in [
        ("Café Zoë", ["CAFÉ ZOË", "cafe\u{301} zoe\u{308}", "  Café   Zoë "]),
        ("Straße", ["STRASSE", "strasse", " Straße\t"]),
    ] {
        let first = world.customer(name);
        for like in likes {
            let error = world.refused(|tx| tx.create_customer(&CustomerDraft::named(like)));
            assert_eq!(error.code(), ErrorCode::Conflict);
            assert_eq!(holder(error), first.id.to_string(), "{like}");
        }
        let found = world.seen(|view| view.customer_by_name(likes[0]));
        assert_eq!(found.unwrap().id, first.id);
    }
    let other = world.customer("Cafe Zoe");
    let error = world
        .refused(|tx| tx.update_customer(other.id, &CustomerDraft::default().name("Café Zoë")));
    assert_eq!(error.code(), ErrorCode::Conflict);
    let renamed =
        world.done(|tx| tx.update_customer(other.id, &CustomerDraft::default().name("CAFE ZOE")));
    assert_eq!(renamed.name.as_str(), "CAFE ZOE", "its own name is not taken by itself");
}

fn a_customer_that_is_refused_leaves_the_transaction_as_it_was(world: &World) {
    let acme = world.customer("Acme");
    let told = world.told(|| {
        world.done(|tx| {
            let before = tx.create_customer(&CustomerDraft::named("Globex"))?;
            for name in ["ACME", "globex"] {
                let error = tx.create_customer(&CustomerDraft::named(name)).unwrap_err();
                assert_eq!(error.code(), ErrorCode::Conflict, "{name}");
            }
            let after = tx.create_customer(&CustomerDraft::named("Globex!"))?;
            assert_eq!((&*before.short_id, &*after.short_id), ("globex", "globex-2"));
            Ok(())
        });
    });
    assert_eq!(told, ["customer.created", "subscription.added"].repeat(2));
    for customer in customers(&world.tenure) {
        assert_eq!(world.seen(|view| view.subscriptions(customer.id)).len(), 1);
        assert_eq!(world.seen(|view| view.display_names(customer.id)).len(), 1);
    }
    assert_eq!(customers(&world.tenure).len(), 3);
    assert_eq!(world.now(acme.id), acme);
}

/// A world where chance says everything three times.
fn stammering(store: impl Store + 'static) -> World {
    let said = AtomicU64::new(0);
    World::over(store, |builder| {
        builder.ids(move |at| {
            let number = u128::from(said.fetch_add(1, Ordering::Relaxed));
            let chance = at == OffsetDateTime::UNIX_EPOCH;
            Uuid::from_u128(if chance { (1 << 100) | (number / 9) } else { number })
        })
    })
}

fn nobody_gets_a_display_name_that_is_taken(world: &World) {
    let made: Vec<Customer> =
        (0..20).map(|number| world.customer(&format!("Customer {number}"))).collect();
    let names: HashSet<&str> = made.iter().map(|it| it.display_name.as_str()).collect();
    assert_eq!(names.len(), made.len());
    for customer in &made {
        assert_eq!(world.now(customer.id), *customer, "as it was returned");
        let found = world.seen(|view| view.customer_by_display_name(&customer.display_name));
        assert_eq!(found.unwrap().id, customer.id);
        assert_eq!(world.seen(|view| view.display_names(customer.id)).len(), 1);
    }
}

#[test]
fn nobody_gets_a_display_name_that_is_taken_in_memory() {
    nobody_gets_a_display_name_that_is_taken(&stammering(MemoryStore::new()));
}

#[test]
#[cfg(feature = "sqlite")]
fn nobody_gets_a_display_name_that_is_taken_in_a_file() {
    let store = tenure::store::sqlite::SqliteStore::in_memory().unwrap();
    nobody_gets_a_display_name_that_is_taken(&stammering(store));
}

fn an_external_id_is_taken_once(world: &World) {
    let draft = |name: &str| CustomerDraft::named(name).external_id("acct_1");
    let first = world.done(|tx| tx.create_customer(&draft("Acme")));
    let error = world.refused(|tx| tx.create_customer(&draft("Globex")));
    assert_eq!(holder(error), first.id.to_string());
    let found = world.seen(|view| view.customer_by_external_id("acct_1"));
    assert_eq!(found.unwrap().id, first.id);
    assert_eq!(world.seen(|view| view.customer_by_external_id("acct_2")), None);
}

fn every_fault_of_a_draft_is_told_at_once(world: &World) {
    let draft = CustomerDraft::named(" ")
        .kind("alien")
        .email("nobody")
        .country("XX")
        .timezone("Mars/Base")
        .locale("1n")
        .default_currency("ZZZ")
        .size("huge")
        .domain("localhost")
        .tags(vec!["good".to_owned(), "a\0b".to_owned()])
        .lifetime_value(eur(-1))
        .monthly_spend(eur(-1))
        .created_at(datetime!(-0001-01-01 0:00 UTC))
        .status("gone")
        .csm_id(UserId::of("nobody"));
    let error = world.refused(|tx| tx.create_customer(&draft));
    assert_eq!(error.code(), ErrorCode::BadRequest);
    let mut found = fields(&error);
    found.sort_unstable();
    let all = [
        "country",
        "createdAt",
        "csmId",
        "defaultCurrency",
        "domain",
        "email",
        "kind",
        "lifetimeValue",
        "locale",
        "monthlySpend",
        "name",
        "size",
        "status",
        "tags[1]",
        "timezone",
    ];
    assert_eq!(found, all);
    let text = error.to_string();
    assert!(all.iter().all(|field| text.contains(field)) && text.contains("`alien`"), "{text}");
}

fn words_of_other_systems_are_understood(world: &World) {
    let Value::Object(old) = json!({
        "name": "Acme", "kind": "ENTERPRISE", "size": "Mid-Market", "status": "cancelled",
        "plan": "pro", "createdAt": "2019-05-01T00:00:00+02:00",
    }) else {
        unreachable!()
    };
    let (draft, tier) = CustomerDraft::from_json(old.clone()).unwrap();
    assert_eq!(tier.as_deref(), Some("pro"));
    let acme = world.done(|tx| tx.create_customer(&draft));
    assert_eq!((acme.kind, acme.size), (CustomerKind::Enterprise, Some(CustomerSize::MidMarket)));
    assert_eq!((acme.status, acme.stage), (CustomerStatus::Churned, Stage::Churned));
    assert_eq!(acme.created_at, datetime!(2019-04-30 22:00 UTC));

    let mut newer = old.clone();
    newer.insert("tier".to_owned(), json!("starter"));
    assert_eq!(CustomerDraft::from_json(newer).unwrap().1.as_deref(), Some("starter"));
    let mut unknown = old;
    unknown.insert("colour".to_owned(), json!("red"));
    assert!(CustomerDraft::from_json(unknown).is_err());
}

fn short_ids_are_slugs_and_never_shared(world: &World) {
    let ids =
        ["Acme", "acme!", "ACME?", "日本電気", "!!!"].map(|name| world.customer(name).short_id);
    assert_eq!(ids, ["acme", "acme-2", "acme-3", "ri-ben-dian-qi", "x"]);
    let many: std::collections::HashSet<_> =
        (0..30).map(|n| world.customer(&format!("Acme{}", "!".repeat(n + 2))).short_id).collect();
    assert_eq!(many.len(), 30);
}

fn an_update_names_what_changed_and_one_that_changes_nothing_is_silent(world: &World) {
    let acme = world.customer("Acme");
    world.clock.advance(Duration::DAY);
    let draft = CustomerDraft::default().industry("rockets").domain("https://www.Acme.co.uk/about");
    let told = world.told(|| world.done(|tx| tx.update_customer(acme.id, &draft)));
    assert_eq!(told, ["customer.updated"]);
    let event = crate::support::events(&world.tenure).pop().unwrap();
    assert_eq!(event.data, json!({ "fields": ["domain", "industry"] }));
    let after = world.now(acme.id);
    assert_eq!(after.domain.as_ref().unwrap().as_str(), "acme.co.uk");
    assert_eq!((after.version, after.updated_at), (acme.version + 1, world.clock.now()));

    world.clock.advance(Duration::DAY);
    assert!(world.told(|| world.done(|tx| tx.update_customer(acme.id, &draft))).is_empty());
    assert_eq!(world.now(acme.id), after);

    let cleared = world
        .done(|tx| tx.update_customer(acme.id, &CustomerDraft::default().industry(None::<String>)));
    assert_eq!((cleared.industry, cleared.domain), (None, after.domain));
}

fn of_two_updates_from_one_version_one_is_stale(world: &World) {
    let acme = world.customer("Acme");
    let draft =
        |industry: &str| CustomerDraft::default().industry(industry).if_version(acme.version);
    world.done(|tx| tx.update_customer(acme.id, &draft("rockets")));
    let error = world.refused(|tx| tx.update_customer(acme.id, &draft("anvils")));
    assert_eq!(error.code(), ErrorCode::Conflict);
    assert!(matches!(error, Error::Stale { expected, found, .. } if found == expected + 1));
}

fn a_standing_is_moved_by_actions_and_not_by_updates(world: &World) {
    let acme = world.customer("Acme");
    let draft = CustomerDraft::default().status("active");
    assert_eq!(fields(&world.refused(|tx| tx.update_customer(acme.id, &draft))), ["status"]);
}

/// The table of the promise: from, and each action with where it leads.
const MACHINE: [(&str, &[(&str, &str)]); 8] = [
    ("prospect", &[("qualify", "lead"), ("activate", "active"), ("churn", "churned")]),
    ("lead", &[("activate", "active"), ("deactivate", "inactive"), ("churn", "churned")]),
    (
        "active",
        &[
            ("flag_at_risk", "at_risk"),
            ("suspend", "suspended"),
            ("deactivate", "inactive"),
            ("churn", "churned"),
        ],
    ),
    (
        "at_risk",
        &[
            ("recover", "active"),
            ("suspend", "suspended"),
            ("deactivate", "inactive"),
            ("churn", "churned"),
        ],
    ),
    ("suspended", &[("reactivate", "reactivated"), ("churn", "churned")]),
    ("inactive", &[("reactivate", "reactivated"), ("churn", "churned")]),
    ("churned", &[("reactivate", "reactivated")]),
    (
        "reactivated",
        &[
            ("activate", "active"),
            ("flag_at_risk", "at_risk"),
            ("suspend", "suspended"),
            ("deactivate", "inactive"),
            ("churn", "churned"),
        ],
    ),
];

const TOLD: [(&str, &str); 8] = [
    ("qualify", "customer.qualified"),
    ("activate", "customer.activated"),
    ("flag_at_risk", "customer.at_risk_flagged"),
    ("recover", "customer.recovered"),
    ("suspend", "customer.suspended"),
    ("reactivate", "customer.reactivated"),
    ("deactivate", "customer.deactivated"),
    ("churn", "customer.churned"),
];

fn every_action_leads_where_the_table_says_and_nowhere_else(world: &World) {
    for (from, moves) in MACHINE {
        for (action, event) in TOLD {
            let draft = CustomerDraft::named(format!("{from} {action}")).status(from);
            let id = world.done(|tx| tx.create_customer(&draft)).id;
            let act: CustomerAction = action.parse().unwrap();
            let before = world.now(id);
            let listed = moves.iter().find(|(by, _)| *by == action);
            let mut outcome = None;
            let told = world.told(|| outcome = Some(world.tried(|tx| tx.move_customer(id, act))));
            let own = MACHINE.iter().flat_map(|(_, moves)| *moves).any(|it| *it == (action, from));
            match (listed, outcome.unwrap()) {
                (Some((_, to)), Ok(moved)) => {
                    assert_eq!(moved.status.as_str(), *to);
                    let rests = ["suspended", "inactive", "churned"].contains(to);
                    assert_eq!(moved.is_active, !rests, "{to}");
                    let converted = action == "activate" && ["prospect", "lead"].contains(&from);
                    let mut expected = vec![event];
                    if moved.stage != before.stage {
                        expected.push("customer.stage_changed");
                        expected.extend(["workflow.requested"; 2]);
                    }
                    expected.extend(converted.then_some("customer.converted"));
                    assert_eq!(told, expected, "{from} {action}");
                }
                (None, Ok(same)) if own => assert!(same == before && told.is_empty()),
                (None, Err(error)) if !own => {
                    assert!(told.is_empty() && world.now(id) == before);
                    assert_eq!(error.code(), ErrorCode::Unprocessable);
                    let text = error.to_string();
                    let names = moves.iter().map(|(by, _)| *by).chain([from, action]);
                    for name in names {
                        assert!(text.contains(name), "{text} does not name {name}");
                    }
                }
                (_, outcome) => panic!("{from} {action}: {outcome:?}"),
            }
        }
    }
}

fn churn_moves_the_stage_and_reactivation_begins_onboarding_again(world: &World) {
    let id = world.customer("Acme").id;
    let moved = |action| world.done(|tx| tx.move_customer(id, action));
    assert_eq!(moved(CustomerAction::Churn).stage, Stage::Churned);
    assert_eq!(moved(CustomerAction::Reactivate).stage, Stage::Onboarding);
}

fn recovery_keeps_everything_and_reactivates_whoever_was_resting(world: &World) {
    world.catalogue();
    let ada = world.done(|tx| tx.ensure_account("Ada@Acme.com", None));
    assert_eq!((ada.name.as_str(), ada.status), ("Ada@Acme.com", CustomerStatus::Active));
    world.done(|tx| {
        tx.apply_tier(ada.id, "pro", &[])?;
        let flair =
            NewFlair { flair_id: "early".into(), name: "Early".into(), ..NewFlair::default() };
        tx.award_flair(ada.id, &flair)?;
        tx.upsert_contact(ada.id, &ContactDraft::at("bob@acme.com"))
    });
    let kept = || {
        world.seen(|view| {
            let customer = view.customer(ada.id)?;
            let names = (customer.display_name, customer.tier, customer.name);
            Ok((names, view.subscriptions(ada.id)?, view.flairs(ada.id, None)?))
        })
    };
    let before = kept();
    for action in [CustomerAction::Suspend, CustomerAction::Churn, CustomerAction::Deactivate] {
        world.done(|tx| tx.move_customer(ada.id, action));
        for email in ["ada@acme.COM", "BOB@acme.com"] {
            let again = world.done(|tx| tx.ensure_account(email, Some("Another name")));
            assert_eq!((again.id, again.status), (ada.id, CustomerStatus::Reactivated));
        }
        assert_eq!(kept(), before);
    }
    let awake = world.told(|| world.done(|tx| tx.ensure_account("ada@acme.com", None)));
    assert!(awake.is_empty(), "who is awake is left alone: {awake:?}");
    let error = world.refused(|tx| tx.ensure_account("new@acme.com", Some("ada@acme.com")));
    assert_eq!(holder(error), ada.id.to_string());
}

fn ten_sign_ins_at_once_make_one_account(world: &World) {
    let accounts = race(10, |n| {
        let email = if n % 2 == 0 { "ada@acme.com" } else { "ADA@ACME.COM" };
        world.done(|tx| tx.ensure_account(email, None)).id
    });
    assert!(accounts.iter().all(|id| *id == accounts[0]));
    assert_eq!(customers(&world.tenure).len(), 1);
}

fn a_customers_own_address_comes_before_its_peoples(world: &World) {
    let (acme, globex) = (world.customer("Acme"), world.customer("Globex"));
    world.done(|tx| tx.upsert_contact(acme.id, &ContactDraft::at("ada@mail.com")));
    let by = || world.seen(|view| view.customer_by_email("ADA@mail.com")).map(|it| it.id);
    assert_eq!(by(), Some(acme.id));
    world.done(|tx| tx.update_customer(globex.id, &CustomerDraft::default().email("ada@mail.com")));
    assert_eq!(by(), Some(globex.id));
    assert_eq!(
        code(world.tenure.read(|view| view.customer_by_email("nobody"))),
        ErrorCode::BadRequest
    );
}

fn a_display_name_changes_and_stays_reserved(world: &World) {
    let (acme, globex) = (world.customer("Acme"), world.customer("Globex"));
    world.clock.advance(Duration::MINUTE);
    let told = world.told(|| world.done(|tx| tx.regenerate_display_name(acme.id)));
    assert_eq!(told, ["customer.display_name_changed"]);
    let names = world.seen(|view| view.display_names(acme.id));
    let [new, old] = names.as_slice() else { panic!("{names:?}") };
    assert!(new.is_current && !old.is_current && old.name == acme.display_name);
    assert_eq!(world.now(acme.id).display_name, new.name);

    for name in [old.name.clone(), old.name.to_uppercase()] {
        let error = world.refused(|tx| tx.set_display_name(globex.id, &name));
        assert_eq!(holder(error), acme.id.to_string(), "{name}");
        assert!(world.tenure.read(|view| view.validate_display_name(globex.id, &name)).is_err());
    }
    for bad in ["ab", "9lives", "Wild Tiger", &"x".repeat(41)] {
        let error = world.refused(|tx| tx.set_display_name(globex.id, bad));
        assert_eq!(error.code(), ErrorCode::BadRequest, "{bad}");
    }
    let back = world.done(|tx| tx.set_display_name(acme.id, &acme.display_name));
    assert_eq!(back.display_name, acme.display_name);
    let current = world.seen(|view| view.display_names(acme.id));
    assert_eq!(current.iter().filter(|it| it.is_current).count(), 1);
    assert!(
        world.told(|| world.done(|tx| tx.set_display_name(acme.id, &acme.display_name))).is_empty()
    );
}

fn of_ten_who_choose_one_name_at_once_one_has_it(world: &World) {
    let ids: Vec<_> = (0..10).map(|n| world.customer(&format!("Customer {n}")).id).collect();
    let chosen = race(10, |n| world.tried(|tx| tx.set_display_name(ids[n], "BoldLynx7")).is_ok());
    assert_eq!(chosen.iter().filter(|it| **it).count(), 1);
    let named = race(10, |n| {
        let draft = CustomerDraft::default().name("The one");
        world.tried(|tx| tx.update_customer(ids[n], &draft)).is_ok()
    });
    assert_eq!(named.iter().filter(|it| **it).count(), 1);
}

fn a_flair_is_earned_once(world: &World) {
    let id = world.customer("Acme").id;
    let flair = |flair_id: &str, category: &str, name: &str| NewFlair {
        flair_id: flair_id.into(),
        name: name.into(),
        icon: Some("🌱".into()),
        category: Some(category.into()),
        ..NewFlair::default()
    };
    let first = world.done(|tx| tx.award_flair(id, &flair("early", "community", "Early adopter")));
    world.clock.advance(Duration::DAY);
    let told = world.told(|| {
        let again = world.done(|tx| tx.award_flair(id, &flair("early", "other", "Renamed")));
        assert_eq!(again, first);
        let past = datetime!(2020-01-01 0:00 UTC);
        let dated = NewFlair { earned_at: Some(past), ..flair("founder", "people", "Founder") };
        assert_eq!(world.done(|tx| tx.award_flair(id, &dated)).earned_at, past);
    });
    assert_eq!(told, ["customer.flair_awarded"]);
    let listed = |category| world.seen(|view| view.flairs(id, category)).len();
    assert_eq!((listed(None), listed(Some("community")), listed(Some("none"))), (2, 1, 0));
    assert!(world.done(|tx| tx.remove_flair(id, "early")));
    assert!(!world.done(|tx| tx.remove_flair(id, "early")));
    assert_eq!(listed(Some("community")), 0);
    let bad = NewFlair { category: Some("NO".into()), ..NewFlair::default() };
    let error = world.refused(|tx| tx.award_flair(id, &bad));
    assert_eq!(fields(&error), ["flairId", "name", "category"]);
}

fn a_deleted_customer_is_hidden_and_comes_back_as_it_was(world: &World) {
    world.catalogue();
    let id = world.customer_on("pro", "Acme");
    world.done(|tx| tx.upsert_contact(id, &ContactDraft::at("ada@acme.com")));
    let before = world.now(id);
    assert_eq!(world.told(|| world.done(|tx| tx.delete_customer(id))), ["customer.deleted"]);

    assert!(customers(&world.tenure).is_empty());
    let unknown = code(world.tenure.read(|view| view.customer(id)));
    assert_eq!(unknown, ErrorCode::NotFound);
    world.seen(|view| {
        assert_eq!(view.customer_by_name("Acme")?, None);
        assert_eq!(view.customer_by_short_id("acme")?, None);
        assert_eq!(view.customer_by_email("ada@acme.com")?, None);
        assert_eq!(view.check(id, "sso")?.reason, Some(DenialReason::UnknownCustomer));
        Ok(())
    });
    let error = world.refused(|tx| tx.track(&Track::new(id, "ai_credits")));
    assert_eq!(error.to_string(), format!("no such customer: `{id}`"));
    let error = world.refused(|tx| tx.create_customer(&CustomerDraft::named("ACME")));
    assert_eq!(holder(error), id.to_string(), "the name is kept for it");
    assert_eq!(code(world.tried(|tx| tx.delete_customer(id))), ErrorCode::NotFound);

    let mut back = world.done(|tx| tx.restore_customer(id));
    assert_eq!(back.version, before.version + 2);
    back.version = before.version;
    assert_eq!(back, before);
    assert!(world.check(id, "sso").can_use);
    assert!(world.told(|| world.done(|tx| tx.restore_customer(id))).is_empty());
}

fn history_can_be_written_down_after_the_fact(world: &World) {
    let (joined, bought) = (datetime!(2019-05-01 0:00 UTC), datetime!(2019-06-01 0:00 UTC));
    let draft = CustomerDraft::named("Acme").created_at(joined).first_purchase_at(bought);
    let acme = world.done(|tx| tx.create_customer(&draft.clone().lifetime_value(eur(0))));
    assert_eq!((acme.created_at, acme.first_purchase_at), (joined, Some(bought)));
    let free = world.seen(|view| view.subscriptions(acme.id));
    assert_eq!(free[0].start_date, joined);
    let later = BEGINNING + Duration::days(400);
    let draft = CustomerDraft::named("Later").created_at(later);
    let expected = world.done(|tx| tx.create_customer(&draft)).id;
    let free = world.seen(|view| view.subscriptions(expected));
    assert_eq!(free[0].start_date, BEGINNING, "a subscription that runs has begun");
    let earlier = datetime!(2018-05-01 0:00 UTC);
    let draft = CustomerDraft::default().created_at(earlier);
    assert_eq!(world.done(|tx| tx.update_customer(acme.id, &draft)).created_at, earlier);
}

fn what_a_customer_spends_is_kept_until_a_subscription_tells_better(world: &World) {
    world.catalogue();
    let draft = CustomerDraft::named("Acme").monthly_spend(eur(7));
    let id = world.done(|tx| tx.create_customer(&draft)).id;
    assert_eq!(world.now(id).monthly_spend, Some(eur(7)));
    let new = tenure::NewSubscription::to("pro");
    let paid = world.done(|tx| tx.add_subscription(id, &new)).id;
    assert_eq!(world.now(id).monthly_spend, Some(eur(49)));
    world.done(|tx| tx.cancel_subscription(paid, "now".parse().unwrap()));
    assert_eq!(world.now(id).monthly_spend, None);
}

fn lists_come_in_pages_newest_first_and_by_standing(world: &World) {
    let ids: Vec<_> = (0..7)
        .map(|n| {
            world.clock.advance(Duration::MINUTE);
            world.customer(&format!("Customer {n}")).id
        })
        .collect();
    world.done(|tx| tx.move_customer(ids[3], CustomerAction::Qualify));
    let (mut seen, mut cursor) = (Vec::new(), None::<Cursor>);
    loop {
        let page = world.seen(|view| view.customers(None, 3, cursor.as_ref()));
        seen.extend(page.items.into_iter().map(|it| it.id));
        // A cursor survives being printed, and what is added meanwhile does not shift the pages.
        cursor = page.next.map(|next| next.to_string().parse().unwrap());
        if cursor.is_none() {
            break;
        }
        world.clock.advance(Duration::MINUTE);
        world.customer(&format!("Latecomer {}", seen.len()));
    }
    assert_eq!(seen, ids.iter().rev().copied().collect::<Vec<_>>());
    let leads = world.seen(|view| view.customers(Some(CustomerStatus::Lead), 10, None)).items;
    assert_eq!(leads.iter().map(|it| it.id).collect::<Vec<_>>(), [ids[3]]);
}

stories! {
    a_customer_comes_with_its_organisation_and_contact_or_not_at_all,
    a_new_customer_has_a_free_subscription_and_names_of_its_own,
    a_name_is_taken_in_any_case_unicode_form_and_spacing,
    a_customer_that_is_refused_leaves_the_transaction_as_it_was,
    an_external_id_is_taken_once,
    every_fault_of_a_draft_is_told_at_once,
    words_of_other_systems_are_understood,
    short_ids_are_slugs_and_never_shared,
    an_update_names_what_changed_and_one_that_changes_nothing_is_silent,
    of_two_updates_from_one_version_one_is_stale,
    a_standing_is_moved_by_actions_and_not_by_updates,
    every_action_leads_where_the_table_says_and_nowhere_else,
    churn_moves_the_stage_and_reactivation_begins_onboarding_again,
    recovery_keeps_everything_and_reactivates_whoever_was_resting,
    ten_sign_ins_at_once_make_one_account,
    a_customers_own_address_comes_before_its_peoples,
    a_display_name_changes_and_stays_reserved,
    of_ten_who_choose_one_name_at_once_one_has_it,
    a_flair_is_earned_once,
    a_deleted_customer_is_hidden_and_comes_back_as_it_was,
    history_can_be_written_down_after_the_fact,
    what_a_customer_spends_is_kept_until_a_subscription_tells_better,
    lists_come_in_pages_newest_first_and_by_standing,
}

fn a_customer_comes_with_its_organisation_and_contact_or_not_at_all(world: &World) {
    let draft = CustomerDraft::named("Acme")
        .external_org_id("org_1")
        .contact_email("ada@acme.com")
        .contact_name("Ada King");
    let acme = world.done(|tx| tx.create_customer(&draft));
    assert_eq!(world.seen(|view| view.customer_by_link("org_1")).unwrap().id, acme.id);
    let contact = world.seen(|view| view.primary_contact(acme.id)).unwrap();
    assert_eq!(contact.full_name(), "Ada King");
    let other = CustomerDraft::named("Globex").external_org_id("org_1");
    let error = world.refused(|tx| tx.create_customer(&other));
    assert_eq!(error.code(), ErrorCode::Conflict);
    let bad = CustomerDraft::named("Globex").external_org_id(" ").contact_email("nobody");
    let error = world.refused(|tx| tx.create_customer(&bad));
    assert_eq!(fields(&error), ["contact.email", "externalOrgId"]);
    let late = CustomerDraft::default().contact_email("b@acme.com");
    assert_eq!(
        world.refused(|tx| tx.update_customer(acme.id, &late)).code(),
        ErrorCode::BadRequest
    );
}

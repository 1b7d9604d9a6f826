//! Checks: they see what was committed, say why not and what would help, and never write.

use crate::metered::{CREDITS, credits, document, q};
use crate::support::{BEGINNING, World};
use crate::tampered::Tampered;
use serde_json::json;
use std::sync::Barrier;
use tenure::store::memory::MemoryStore;
use tenure::{
    AccessPatch, CustomerAction, CustomerId, DenialReason, ErrorCode, FeatureDraft, NewGrant,
    Overage, Quantity, Remedy, ResetPeriod,
};
use time::Duration;
use time::macros::datetime;

stories![
    a_check_says_all_there_is_to_know,
    a_check_of_the_unknown_is_a_denial_and_no_error,
    a_check_asks_for_a_quantity,
    a_check_and_a_track_agree,
    a_check_sees_a_committed_track_of_another_thread_at_once,
    a_check_knows_what_time_has_brought_about,
    a_check_says_what_would_help,
    a_grant_counts_from_its_beginning_to_its_end,
    many_checks_answer_in_the_order_of_the_question,
    all_access_is_listed_by_code,
    an_organisation_checks_as_its_customer,
    a_customer_that_is_deleted_is_unknown_and_comes_back_as_it_was,
    another_orgs_customer_is_unknown,
];

fn a_check_says_all_there_is_to_know(world: &World) {
    let acme = world.meter(100);
    let named = FeatureDraft::default().name("AI credits").kind("quota");
    world.tenure.write(|tx| tx.define_feature(CREDITS, &named)).unwrap();
    let until = datetime!(2026-12-31 0:00 UTC);
    let patch = AccessPatch::new().included(40).valid_until(Some(until));
    world.allow(acme, CREDITS, &patch.config(document(json!({"model": "large"}))));
    world.track(&credits(acme, 30)).unwrap();
    let access = world.credits(acme);
    assert_eq!((&*access.feature_code, &*access.feature_name), (CREDITS, "AI credits"));
    assert!(access.is_enabled && access.can_use && access.has_quantity);
    assert_eq!((access.current_usage, access.quantity_limit), (q("30"), Some(q("100"))));
    assert_eq!((access.included_quantity, access.remaining), (q("40"), Some(q("70"))));
    assert_eq!(access.config, document(json!({"model": "large"})));
    assert_eq!(access.valid_until, Some(until));
    assert_eq!(access.reset_at, Some(datetime!(2026-02-28 12:00 UTC)));
    assert_eq!((access.reason, access.remedy), (None, None));
    let window = access.window.unwrap();
    assert_eq!((window.start, window.end), (BEGINNING, access.reset_at));
    let json = serde_json::to_value(&access).unwrap();
    assert_eq!(json["canUse"], json!(true));
    assert_eq!(json["resetAt"], json!("2026-02-28T12:00:00Z"));
}

fn a_check_of_the_unknown_is_a_denial_and_no_error(world: &World) {
    let acme = world.meter(10);
    let reason = |customer: CustomerId, feature: &str| {
        let access = world.tenure.read(|view| view.check(customer, feature)).unwrap();
        assert!(!access.can_use && !access.is_enabled);
        assert_eq!(access.feature_code, feature);
        (access.reason.unwrap(), access.remedy.unwrap())
    };
    let nobody = CustomerId::from(uuid::Uuid::from_u128(7));
    let unknown = (DenialReason::UnknownCustomer, Remedy::LinkCustomer);
    assert_eq!(reason(nobody, CREDITS), unknown);
    assert_eq!(reason(nobody, "nothing"), unknown);
    for feature in ["nothing", "", "NOT A CODE", "ai_credits\0", &"x".repeat(100_000)] {
        assert_eq!(reason(acme, feature), (DenialReason::UnknownFeature, Remedy::DefineFeature));
    }
    let globex = world.someone("Globex");
    assert_eq!(reason(globex, CREDITS), (DenialReason::NotEntitled, Remedy::Grant));
    for external in ["org_9", "", "\0", "' OR 1=1 --"] {
        let access = world.tenure.read(|view| view.check(external, CREDITS)).unwrap();
        assert_eq!(access.reason, Some(DenialReason::UnknownCustomer), "{external}");
    }
}

fn a_check_asks_for_a_quantity(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 7)).unwrap();
    let can = |quantity: &str| {
        let check = |view: &tenure::View<'_>| view.check_quantity(acme, CREDITS, q(quantity));
        world.tenure.read(check).unwrap().can_use
    };
    assert!(can("0") && can("1") && can("3"));
    assert!(!can("3.000001") && !can("10") && !can("9223372036854.775807"));
    let refused = world.tenure.read(|view| view.check_quantity(acme, CREDITS, -1)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::BadRequest);
}

fn a_check_and_a_track_agree(world: &World) {
    let overages = [
        Overage::Reject,
        Overage::Allow,
        Overage::Clamp,
        Overage::Grace(tenure::Grace::Percent(15)),
        Overage::Grace(tenure::Grace::Quantity(q("0.5"))),
    ];
    for (place, overage) in overages.into_iter().enumerate() {
        let code = format!("f{place}");
        world.feature(&code, overage);
        let customer = world.someone(&code);
        let limit = AccessPatch::new().limit(Quantity::from(10));
        world.allow(customer, &code, &limit);
        for step in 0..30 {
            let quantity = Quantity::from_millionths(300_000 + 70_000 * step);
            let check = |view: &tenure::View<'_>| view.check_quantity(customer, &code, quantity);
            let access = world.tenure.read(check).unwrap();
            let track = tenure::Track::new(customer, code.as_str()).quantity(quantity);
            let tracked = world.track(&track);
            assert_eq!(access.can_use, tracked.is_ok(), "{overage:?} {quantity}: {access:?}");
            if let Ok(result) = tracked {
                assert_eq!(access.current_usage, result.previous_usage);
            }
        }
    }
}

fn a_check_sees_a_committed_track_of_another_thread_at_once(world: &World) {
    let acme = world.meter(1_000);
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..100 {
                barrier.wait();
                world.track(&credits(acme, 1)).unwrap();
                barrier.wait();
            }
        });
        for n in 1..=100 {
            barrier.wait();
            barrier.wait();
            assert_eq!(world.used(acme), Quantity::from(n));
        }
    });
}

fn a_check_knows_what_time_has_brought_about(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 10)).unwrap();
    let until = datetime!(2026-03-15 0:00 UTC);
    world.allow(acme, CREDITS, &AccessPatch::new().valid_until(Some(until)));
    assert!(!world.credits(acme).can_use);
    world.clock.set(datetime!(2026-02-28 12:00 UTC));
    assert!(world.credits(acme).can_use, "the next window has begun");
    world.clock.set(until - Duration::microseconds(1));
    assert!(world.credits(acme).can_use);
    world.clock.set(until);
    assert_eq!(world.credits(acme).reason, Some(DenialReason::Expired), "and the right has ended");
    assert!(world.track(&credits(acme, 1)).is_err());
    world.tenure.tick().unwrap();
    assert_eq!(world.credits(acme).reason, Some(DenialReason::Expired));
    assert_eq!(world.times_told("entitlement.expired"), 1);
}

fn a_check_says_what_would_help(world: &World) {
    let acme = world.meter(10);
    let remedy = |quantity: &str| {
        let check = |view: &tenure::View<'_>| view.check_quantity(acme, CREDITS, q(quantity));
        world.tenure.read(check).unwrap().remedy
    };
    world.track(&credits(acme, 7)).unwrap();
    assert_eq!(remedy("3"), None);
    let until = datetime!(2026-02-28 12:00 UTC);
    assert_eq!(remedy("4"), Some(Remedy::Wait { until }));
    // Waiting does not help with what no window has room for.
    assert_eq!(remedy("11"), Some(Remedy::RaiseLimit { by: q("8") }));
    let life = AccessPatch::new().resets(ResetPeriod::Never);
    world.allow(acme, CREDITS, &life);
    assert_eq!(remedy("4"), Some(Remedy::RaiseLimit { by: q("1") }));
    let begins = BEGINNING + Duration::DAY;
    world.allow(acme, CREDITS, &AccessPatch::new().valid_from(Some(begins)));
    assert_eq!(remedy("1"), Some(Remedy::Wait { until: begins }));
    world.allow(acme, CREDITS, &AccessPatch::new().valid_from(None).enabled(false));
    assert_eq!(remedy("1"), Some(Remedy::Enable));
}

fn a_grant_counts_from_its_beginning_to_its_end(world: &World) {
    let acme = world.meter(10);
    let (begins, ends) = (BEGINNING + Duration::DAY, BEGINNING + Duration::days(3));
    let grant = NewGrant::of(CREDITS, 5).valid_from(begins).valid_until(ends).key("spring");
    let first = world.tenure.write(|tx| tx.grant(acme, &grant)).unwrap();
    assert_eq!(world.tenure.write(|tx| tx.grant(acme, &grant)).unwrap().id, first.id);
    let limit = || world.credits(acme).quantity_limit.unwrap().to_string();
    for (at, expected) in [
        (begins - Duration::microseconds(1), "10"),
        (begins, "15"),
        (ends - Duration::microseconds(1), "15"),
        (ends, "10"),
    ] {
        world.clock.set(at);
        assert_eq!(limit(), expected, "{at}");
    }
    assert_eq!(world.credits(acme).reset_at, Some(datetime!(2026-02-28 12:00 UTC)));
}

fn many_checks_answer_in_the_order_of_the_question(world: &World) {
    let acme = world.meter(10);
    world.feature("exports", Overage::Reject);
    let features = ["exports", CREDITS, "nothing", CREDITS];
    let answers = world.tenure.read(|view| view.check_many(acme, &features)).unwrap();
    let codes: Vec<_> = answers.iter().map(|it| it.feature_code.as_str()).collect();
    assert_eq!(codes, features);
    let reasons: Vec<_> = answers.iter().map(|it| it.reason).collect();
    let (granted, unknown) = (None, Some(DenialReason::UnknownFeature));
    assert_eq!(reasons, [Some(DenialReason::NotEntitled), granted, unknown, granted]);
    assert!(world.tenure.read(|view| view.check_many(acme, &[])).unwrap().is_empty());
    let most = vec![CREDITS; 1_000];
    assert_eq!(world.tenure.read(|view| view.check_many(acme, &most)).unwrap().len(), 1_000);
    let more = vec![CREDITS; 1_001];
    let refused = world.tenure.read(|view| view.check_many(acme, &more)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::BadRequest);
}

fn all_access_is_listed_by_code(world: &World) {
    let acme = world.meter(10);
    for code in ["zebra", "exports", "never_had"] {
        world.feature(code, Overage::Reject);
    }
    world.allow(acme, "zebra", &AccessPatch::new().enabled(false));
    world.allow(acme, "exports", &AccessPatch::new().limit(Quantity::ZERO));
    let all = world.tenure.read(|view| view.list_access(acme)).unwrap();
    let listed: Vec<_> = all.iter().map(|it| (&*it.feature_code, it.reason)).collect();
    let expected = [
        (CREDITS, None),
        ("exports", Some(DenialReason::LimitReached)),
        ("zebra", Some(DenialReason::Disabled)),
    ];
    assert_eq!(listed, expected);
    let globex = world.someone("Globex");
    assert!(world.tenure.read(|view| view.list_access(globex)).unwrap().is_empty());
    let nobody = CustomerId::from(uuid::Uuid::from_u128(7));
    assert!(world.tenure.read(|view| view.list_access(nobody)).unwrap_err().is_not_found());
}

fn an_organisation_checks_as_its_customer(world: &World) {
    let acme = world.meter(10);
    world.link(acme, "org_9");
    world.track(&credits(acme, 4)).unwrap();
    let view = |view: &tenure::View<'_>| {
        Ok::<_, tenure::Error>((
            view.check("org_9", CREDITS)?,
            view.check_many("org_9", &[CREDITS])?,
            view.list_access("org_9")?,
            view.check_quantity("org_9", CREDITS, 7)?.can_use,
        ))
    };
    let (one, many, all, seven) = world.tenure.read(view).unwrap();
    let expected = world.credits(acme);
    assert_eq!((&one, &many[..], &all[..]), (&expected, &[one.clone()][..], &[one.clone()][..]));
    assert!(!seven);
    assert!(world.tenure.read(|view| view.list_access("org_10")).unwrap_err().is_not_found());
    let other = world.tenure.for_product("other").unwrap();
    let theirs = other.read(|view| view.check("org_9", CREDITS)).unwrap();
    assert_eq!(theirs.reason, Some(DenialReason::UnknownCustomer));
}

fn a_customer_that_is_deleted_is_unknown_and_comes_back_as_it_was(world: &World) {
    let acme = world.meter(10);
    world.track(&credits(acme, 4)).unwrap();
    world.tenure.write(|tx| tx.delete_customer(acme)).unwrap();
    assert_eq!(world.credits(acme).reason, Some(DenialReason::UnknownCustomer));
    assert!(world.track(&credits(acme, 1)).is_err());
    world.tenure.write(|tx| tx.restore_customer(acme)).unwrap();
    let access = world.credits(acme);
    assert_eq!((access.can_use, access.current_usage), (true, q("4")));
    for (action, reason) in [
        (CustomerAction::Activate, None),
        (CustomerAction::Suspend, Some(DenialReason::CustomerSuspended)),
        (CustomerAction::Reactivate, None),
        (CustomerAction::Churn, Some(DenialReason::CustomerChurned)),
    ] {
        world.tenure.write(|tx| tx.move_customer(acme, action)).unwrap();
        assert_eq!(world.credits(acme).reason, reason, "{action}");
    }
    world.assert_sound();
}

fn another_orgs_customer_is_unknown(world: &World) {
    let acme = world.meter(10);
    let other = world.tenure.for_org("other");
    other.write(|tx| tx.define_feature(CREDITS, &FeatureDraft::default())).unwrap();
    let access = other.read(|view| view.check(acme, CREDITS)).unwrap();
    assert_eq!(access.reason, Some(DenialReason::UnknownCustomer));
}

#[test]
fn a_check_never_writes() {
    let store = Tampered::over(MemoryStore::new());
    let world = World::over(store.clone(), |builder| builder);
    let acme = world.meter(10);
    world.link(acme, "org_9");
    world.track(&credits(acme, 9)).unwrap();
    let before = store.writes();
    // With a reset, an expiry and years due as well.
    let until = datetime!(2026-06-01 0:00 UTC);
    world.allow(acme, CREDITS, &AccessPatch::new().valid_until(Some(until)));
    assert_eq!(store.writes(), before + 1);
    for at in [BEGINNING, datetime!(2026-03-05 0:00 UTC), datetime!(2040-01-01 0:00 UTC)] {
        world.clock.set(at);
        let read = |view: &tenure::View<'_>| {
            view.check(acme, CREDITS)?;
            view.check("org_9", "nothing")?;
            view.check_quantity(acme, CREDITS, 100)?;
            view.check_many("org_9", &[CREDITS, "nothing"])?;
            view.list_access(acme)?;
            view.next_due()
        };
        world.tenure.read(read).unwrap();
        world.tenure.verify(|_| {}).unwrap();
    }
    assert_eq!(store.writes(), before + 1);
}

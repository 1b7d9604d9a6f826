//! Entitlements: set, granted, taken away, and why not.

use crate::support::{BEGINNING, World, code, document, dump, fields};
use serde_json::json;
use tenure::domain::draft::Change;
use tenure::{
    AccessPatch, CustomerAction, CustomerDraft, CustomerId, DenialReason, EntitlementSource,
    EntitlementStatus, ErrorCode, FeatureDraft, NewGrant, NewLink, NewSubscription, Quantity,
    Remedy, ResetPeriod, TierDraft, TierFeature, Track,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// A customer who may use 10 of `ai_credits`, set by hand.
fn with_ten(world: &World) -> CustomerId {
    world.catalogue();
    let id = world.customer("Acme").id;
    set(world, id, &AccessPatch::new().limit(Quantity::from(10)));
    id
}

fn set(world: &World, id: CustomerId, patch: &AccessPatch) -> tenure::Access {
    world.done(|tx| tx.set_access(id, "ai_credits", patch))
}

fn reset_at(world: &World, id: CustomerId) -> OffsetDateTime {
    world.check(id, "ai_credits").reset_at.unwrap()
}

fn what_a_patch_does_not_name_stays(world: &World) {
    let id = with_ten(world);
    let until = world.clock.now() + Duration::DAY;
    let all = AccessPatch::new()
        .included(4)
        .resets(ResetPeriod::Weekly)
        .valid_until(Some(until))
        .config(document(json!({ "size": 25, "colour": "red", "deep": { "a": 1 } })));
    let before = set(world, id, &all);
    assert_eq!((before.quantity_limit, before.included_quantity), (Some(10.into()), 4.into()));
    assert_eq!((before.valid_until, before.can_use), (Some(until), true));

    let told = world.told(|| assert_eq!(set(world, id, &AccessPatch::new()), before));
    assert!(told.is_empty(), "a patch that changes nothing is silent: {told:?}");
    let config = document(json!({ "colour": null, "deep": { "b": 2 } }));
    let patched = set(world, id, &AccessPatch::new().config(config));
    assert_eq!(patched.config, document(json!({ "size": 25, "deep": { "b": 2 } })));
    let unlimited = set(world, id, &AccessPatch::new().limit(Change::Clear).valid_until(None));
    assert_eq!((unlimited.quantity_limit, unlimited.remaining), (None, None));
    assert!(!unlimited.has_quantity && unlimited.valid_until.is_none());
    assert_eq!((unlimited.included_quantity, &unlimited.config), (4.into(), &patched.config));

    let json = r#"{"maxQuantity": 2.5, "validUntil": null}"#;
    let access = set(world, id, &serde_json::from_str(json).unwrap());
    assert_eq!((access.quantity_limit, access.included_quantity), ("2.5".parse().ok(), 4.into()));
    let lifted = set(world, id, &serde_json::from_str(r#"{"limit": null}"#).unwrap());
    assert_eq!(lifted.quantity_limit, None);
}

fn access_is_set_by_external_org_as_well(world: &World) {
    let id = with_ten(world);
    world.done(|tx| tx.link(id, &NewLink::to("org_1")));
    world.done(|tx| {
        tx.set_access("org_1", "ai_credits", &AccessPatch::new().limit(Quantity::from(3)))
    });
    let seen = world.seen(|view| view.check("org_1", "ai_credits"));
    assert_eq!((seen.quantity_limit, seen), (Some(3.into()), world.check(id, "ai_credits")));
    assert_eq!(world.seen(|view| view.list_access("org_1")).len(), 1);
    for (who, feature) in [("org_2", "ai_credits"), ("org_1", "unheard_of")] {
        let error = world.refused(|tx| tx.set_access(who, feature, &AccessPatch::new()));
        assert_eq!(error.code(), ErrorCode::NotFound, "{who} {feature}");
    }
}

fn a_limit_may_be_nothing_or_less_than_what_was_used(world: &World) {
    let id = with_ten(world);
    world.uses(id, "ai_credits", 8);
    let access = set(world, id, &AccessPatch::new().limit(Quantity::from(5)));
    assert_eq!((access.current_usage, access.remaining), (8.into(), Some(0.into())));
    assert_eq!(access.reason, Some(DenialReason::LimitReached));
    let none = set(world, id, &AccessPatch::new().limit(Quantity::ZERO));
    assert!(!none.can_use && none.is_enabled);
    let error = world.refused(|tx| {
        let patch = AccessPatch::new().limit(Quantity::from(-1)).included(-1);
        let now = tx.now();
        tx.set_access(id, "ai_credits", &patch.valid_from(Some(now)).valid_until(Some(now)))
    });
    assert_eq!(fields(&error), ["limit", "includedQuantity", "validUntil"]);
}

fn grants_add_up_and_one_with_a_key_is_made_once(world: &World) {
    let id = with_ten(world);
    let grant = NewGrant::of("ai_credits", 5).key("order_1");
    let first = world.done(|tx| tx.grant(id, &grant));
    assert_eq!(first.source, EntitlementSource::Promotion);
    assert!(world.told(|| assert_eq!(world.done(|tx| tx.grant(id, &grant)), first)).is_empty());
    world.done(|tx| tx.grant(id, &NewGrant::of("ai_credits", 7)));
    assert_eq!(world.check(id, "ai_credits").quantity_limit, Some(22.into()));
    let error = world.refused(|tx| tx.grant(id, &NewGrant::of("ai_credits", 6).key("order_1")));
    assert_eq!(error.code(), ErrorCode::Conflict);

    let mut boundless =
        NewGrant::of("ai_credits", 0).valid_until(world.clock.now() + Duration::HOUR);
    boundless.limit = None;
    world.done(|tx| tx.grant(id, &boundless));
    assert_eq!(world.check(id, "ai_credits").quantity_limit, None);
    world.clock.advance(Duration::HOUR);
    assert_eq!(world.check(id, "ai_credits").quantity_limit, Some(22.into()), "it has ended");
    world.done(|tx| tx.revoke_entitlement(first.id));
    assert_eq!(world.check(id, "ai_credits").quantity_limit, Some(17.into()));
    for source in
        [EntitlementSource::Manual, EntitlementSource::Plan, EntitlementSource::Subscription]
    {
        let error =
            world.refused(|tx| tx.grant(id, &NewGrant::of("ai_credits", -5).source(source)));
        assert_eq!(fields(&error), ["source", "limit"]);
    }
}

fn what_is_suspended_is_resumed_and_what_is_revoked_stays_revoked(world: &World) {
    world.catalogue();
    let id = world.customer_on("pro", "Acme");
    let right = world.seen(|view| view.entitlements(id))[0].id;
    let status = || world.seen(|view| view.entitlement(right)).status;
    let renew = || {
        world.clock.advance(Duration::days(40));
        world.tenure.tick().unwrap()
    };
    let told = world.told(|| {
        world.done(|tx| tx.suspend_entitlement(right));
        world.done(|tx| tx.suspend_entitlement(right));
    });
    assert_eq!(told, ["entitlement.suspended"]);
    assert_eq!(renew().subscriptions_renewed, 1);
    assert_eq!(status(), EntitlementStatus::Suspended);
    world.done(|tx| tx.resume_entitlement(right));
    assert_eq!(status(), EntitlementStatus::Active);
    world.done(|tx| tx.revoke_entitlement(right));
    let error = world.refused(|tx| tx.resume_entitlement(right));
    assert_eq!(error.code(), ErrorCode::Unprocessable);
    assert_eq!(renew().subscriptions_renewed, 1);
    assert_eq!(status(), EntitlementStatus::Revoked, "a renewal gives nothing back");
}

fn a_full_entitlement_is_exhausted(world: &World) {
    let id = with_ten(world);
    let status = || world.seen(|view| view.entitlements(id))[0].status;
    world.uses(id, "ai_credits", 9);
    assert_eq!(status(), EntitlementStatus::Active);
    let told = world.told(|| world.uses(id, "ai_credits", 1));
    assert!(told.contains(&"entitlement.exhausted".to_owned()), "{told:?}");
    assert_eq!(status(), EntitlementStatus::Exhausted);
}

fn every_denial_has_its_reason_and_what_would_help(world: &World) {
    use DenialReason as Why;
    let mut reached = Vec::new();
    let mut denied = |world: &World, who: CustomerId, feature: &str, why: Why, help: Remedy| {
        let before = dump(&world.tenure);
        let access = world.check(who, feature);
        assert_eq!((access.reason, access.remedy, access.can_use), (Some(why), Some(help), false));
        assert_eq!(access.is_enabled, why == Why::LimitReached, "{why}");
        assert_eq!(dump(&world.tenure), before, "a check never writes");
        reached.push(why);
    };
    let id = with_ten(world);
    let now = world.clock.now();
    let nobody = uuid::Uuid::from_u128(7).into();
    denied(world, nobody, "ai_credits", Why::UnknownCustomer, Remedy::LinkCustomer);
    denied(world, nobody, "unheard_of", Why::UnknownCustomer, Remedy::LinkCustomer);
    denied(world, id, "unheard_of", Why::UnknownFeature, Remedy::DefineFeature);
    denied(world, id, "sso", Why::NotEntitled, Remedy::Grant);

    world.uses(id, "ai_credits", 10);
    denied(world, id, "ai_credits", Why::LimitReached, Remedy::RaiseLimit { by: 1.into() });
    set(world, id, &AccessPatch::new().resets(ResetPeriod::Monthly));
    let until = reset_at(world, id);
    denied(world, id, "ai_credits", Why::LimitReached, Remedy::Wait { until });

    set(world, id, &AccessPatch::new().enabled(false));
    denied(world, id, "ai_credits", Why::Disabled, Remedy::Enable);
    set(world, id, &AccessPatch::new().enabled(true).limit(Change::Clear));
    let switch = |on: bool| {
        world.done(|tx| tx.define_feature("ai_credits", &FeatureDraft::default().is_active(on)));
    };
    switch(false);
    denied(world, id, "ai_credits", Why::Disabled, Remedy::Enable);
    switch(true);

    let until = now + Duration::days(90);
    set(world, id, &AccessPatch::new().valid_from(Some(until)));
    denied(world, id, "ai_credits", Why::NotYetValid, Remedy::Wait { until });
    set(world, id, &AccessPatch::new().valid_from(None).valid_until(Some(now + Duration::HOUR)));
    world.clock.advance(Duration::HOUR);
    denied(world, id, "ai_credits", Why::Expired, Remedy::Extend);
    world.tenure.tick().unwrap();
    denied(world, id, "ai_credits", Why::Expired, Remedy::Extend);
    set(world, id, &AccessPatch::new().valid_until(None));
    assert!(world.check(id, "ai_credits").can_use);

    let right = world.seen(|view| view.entitlements(id))[0].id;
    world.done(|tx| tx.suspend_entitlement(right));
    denied(world, id, "ai_credits", Why::Suspended, Remedy::Resume);
    world.done(|tx| tx.revoke_entitlement(right));
    denied(world, id, "ai_credits", Why::Revoked, Remedy::Grant);
    set(world, id, &AccessPatch::new());

    for (action, why) in [
        (CustomerAction::Activate, None),
        (CustomerAction::Suspend, Some(Why::CustomerSuspended)),
        (CustomerAction::Churn, Some(Why::CustomerChurned)),
        (CustomerAction::Reactivate, None),
    ] {
        world.done(|tx| tx.move_customer(id, action));
        match why {
            Some(why) => denied(world, id, "ai_credits", why, Remedy::ReactivateCustomer),
            None => assert!(world.check(id, "ai_credits").can_use, "{action}"),
        }
    }
    world.done(|tx| tx.delete_customer(id));
    denied(world, id, "ai_credits", Why::UnknownCustomer, Remedy::LinkCustomer);
    reached.sort_unstable();
    reached.dedup();
    assert_eq!(reached, DenialReason::ALL, "the list is closed and each reason is reached");
}

fn a_use_is_denied_for_the_reason_that_the_check_gives(world: &World) {
    let id = with_ten(world);
    set(world, id, &AccessPatch::new().enabled(false));
    let error = world.refused(|tx| tx.track(&Track::new(id, "ai_credits")));
    assert_eq!(error.code(), ErrorCode::Forbidden);
    assert_eq!(error.to_string(), "feature `ai_credits` may not be used: it is switched off");
    let error = world.refused(|tx| tx.track(&Track::new(id, "sso")));
    assert_eq!(error.code(), ErrorCode::Forbidden);
}

fn a_check_asks_for_any_quantity_and_many_at_once(world: &World) {
    let id = with_ten(world);
    let can = |quantity| world.seen(|view| view.check_quantity(id, "ai_credits", quantity)).can_use;
    assert!(can(10) && !can(11) && can(0));
    let error = world.tenure.read(|view| view.check_quantity(id, "ai_credits", -1)).unwrap_err();
    assert_eq!(fields(&error), ["quantity"]);
    let too_much = world.seen(|view| view.check_quantity(id, "ai_credits", 11));
    assert_eq!(too_much.remedy, Some(Remedy::RaiseLimit { by: 1.into() }));
    let all = world.seen(|view| view.check_many(id, &["ai_credits", "sso", "unheard_of"]));
    let answers: Vec<_> = all.iter().map(|it| (it.feature_code.as_str(), it.can_use)).collect();
    assert_eq!(answers, [("ai_credits", true), ("sso", false), ("unheard_of", false)]);
    let many = vec!["sso"; 1_001];
    let error = world.tenure.read(|view| view.check_many(id, &many)).unwrap_err();
    assert_eq!(fields(&error), ["features"]);
}

fn a_month_begins_on_the_last_day_of_short_months_and_returns_to_the_31st(world: &World) {
    world.catalogue();
    let id = world.customer_on("pro", "Acme");
    let expected = [
        datetime!(2026-02-28 12:00 UTC),
        datetime!(2026-03-31 12:00 UTC),
        datetime!(2026-04-30 12:00 UTC),
        datetime!(2026-05-31 12:00 UTC),
    ];
    for reset in expected {
        assert_eq!(reset_at(world, id), reset);
        world.uses(id, "ai_credits", 7);
        world.clock.set(reset - Duration::MICROSECOND);
        assert_eq!(world.check(id, "ai_credits").current_usage, 7.into(), "still its own month");
        world.clock.set(reset);
        assert_eq!(world.check(id, "ai_credits").current_usage, 0.into(), "{reset}");
    }
    world.clock.set(datetime!(2036-02-10 0:00 UTC));
    assert_eq!(reset_at(world, id), datetime!(2036-02-29 12:00 UTC), "a decade costs no more");
}

fn resets_keep_the_time_of_day_where_the_customer_is(world: &World) {
    world.catalogue();
    let draft = CustomerDraft::named("Acme").timezone("America/New_York");
    let id = world.done(|tx| tx.create_customer(&draft)).id;
    let daily = AccessPatch::new().limit(Quantity::from(9)).resets(ResetPeriod::Daily);
    set(world, id, &daily);
    // It began at 7:00 in New York, where clocks go forward on 8 March and back on 1 November.
    for (now, reset) in [
        (datetime!(2026-03-07 11:59 UTC), datetime!(2026-03-07 12:00 UTC)),
        (datetime!(2026-03-07 12:00 UTC), datetime!(2026-03-08 11:00 UTC)),
        (datetime!(2026-03-08 11:00 UTC), datetime!(2026-03-09 11:00 UTC)),
        (datetime!(2026-10-31 11:00 UTC), datetime!(2026-11-01 12:00 UTC)),
    ] {
        world.clock.set(now);
        assert_eq!(reset_at(world, id), reset, "at {now}");
    }
}

fn a_customer_who_moves_takes_its_resets_along(world: &World) {
    world.catalogue();
    let id = world.customer_on("pro", "Acme");
    world.done(|tx| tx.set_access(id, "sso", &AccessPatch::new().resets(ResetPeriod::Monthly)));
    world.uses(id, "ai_credits", 7);
    let berlin = CustomerDraft::default().timezone("Europe/Berlin");
    world.done(|tx| tx.update_customer(id, &berlin));
    assert_eq!(world.check(id, "ai_credits").current_usage, 7.into());
    world.clock.set(datetime!(2026-03-15 0:00 UTC));
    // 13:00 in Berlin, which is in summer time by then.
    for feature in ["ai_credits", "sso"] {
        let reset = world.check(id, feature).reset_at;
        assert_eq!(reset, Some(datetime!(2026-03-31 11:00 UTC)), "{feature}");
    }
}

fn a_year_from_29_february_ends_on_the_28th_but_in_leap_years(world: &World) {
    world.catalogue();
    let credits = TierFeature::new("ai_credits").unwrap().limit(9, ResetPeriod::Yearly);
    world.done(|tx| tx.define_tier(&TierDraft::new("yearly").feature(credits.clone())));
    let id = world.customer("Acme").id;
    let new = NewSubscription::to("yearly").started(datetime!(2024-02-29 12:00 UTC));
    world.done(|tx| tx.add_subscription(id, &new));
    assert_eq!(reset_at(world, id), datetime!(2026-02-28 12:00 UTC));
    world.clock.set(datetime!(2028-01-01 0:00 UTC));
    assert_eq!(reset_at(world, id), datetime!(2028-02-29 12:00 UTC));
}

fn usage_outlives_the_right_to_it(world: &World) {
    let id = with_ten(world);
    world.uses(id, "ai_credits", 8);
    let right = world.seen(|view| view.entitlements(id))[0].id;
    world.done(|tx| tx.revoke_entitlement(right));
    set(world, id, &AccessPatch::new());
    assert_eq!(world.check(id, "ai_credits").current_usage, 8.into(), "nothing is given back");
    assert_eq!(code(world.tried(|tx| tx.grant(id, &NewGrant::of("No", 1)))), ErrorCode::BadRequest);
}

stories! {
    what_was_taken_away_stays_away_through_other_tiers,
    a_right_is_judged_at_the_time_of_late_usage,
    another_anchor_does_not_defer_a_promised_reset,
    what_is_over_is_not_given_back_by_a_patch_of_nothing,
    what_is_switched_off_still_shows_its_figures,
    what_a_patch_does_not_name_stays,
    access_is_set_by_external_org_as_well,
    a_limit_may_be_nothing_or_less_than_what_was_used,
    grants_add_up_and_one_with_a_key_is_made_once,
    what_is_suspended_is_resumed_and_what_is_revoked_stays_revoked,
    a_full_entitlement_is_exhausted,
    every_denial_has_its_reason_and_what_would_help,
    a_use_is_denied_for_the_reason_that_the_check_gives,
    a_check_asks_for_any_quantity_and_many_at_once,
    a_month_begins_on_the_last_day_of_short_months_and_returns_to_the_31st,
    resets_keep_the_time_of_day_where_the_customer_is,
    a_customer_who_moves_takes_its_resets_along,
    a_year_from_29_february_ends_on_the_28th_but_in_leap_years,
    usage_outlives_the_right_to_it,
}

fn what_is_switched_off_still_shows_its_figures(world: &World) {
    world.catalogue();
    let acme = world.customer_on("starter", "Acme");
    world.done(|tx| tx.set_access(acme, "ai_credits", &AccessPatch::new().enabled(false)));
    let access = world.check(acme, "ai_credits");
    assert!(!access.can_use && !access.is_enabled);
    assert_eq!(access.quantity_limit, Some(100.into()));
    assert_eq!(access.included_quantity, 50.into());
}

fn what_was_taken_away_stays_away_through_other_tiers(world: &World) {
    world.catalogue();
    let acme = world.customer_on("pro", "Acme");
    let rights = world.seen(|view| view.entitlements(acme));
    let sso = rights.iter().find(|it| it.feature_code.as_str() == "sso").unwrap().id;
    let credits = rights.iter().find(|it| it.feature_code.as_str() != "sso").unwrap().id;
    world.done(|tx| tx.revoke_entitlement(sso));
    world.done(|tx| tx.suspend_entitlement(credits));
    for tier in ["starter", "pro"] {
        world.done(|tx| tx.apply_tier(acme, tier, &[]));
    }
    assert_eq!(world.check(acme, "sso").reason, Some(DenialReason::Revoked));
    assert_eq!(world.check(acme, "ai_credits").reason, Some(DenialReason::Suspended));
    world.done(|tx| tx.resume_entitlement(credits));
    assert_eq!(world.check(acme, "ai_credits").quantity_limit, Some(1_000.into()));
}

fn a_right_is_judged_at_the_time_of_late_usage(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    let (begins, ends) = (BEGINNING + Duration::days(2), BEGINNING + Duration::days(10));
    let patch = AccessPatch::new().valid_from(Some(begins)).valid_until(Some(ends));
    world.done(|tx| tx.set_access(acme, "sso", &patch));
    world.clock.set(BEGINNING + Duration::days(11));
    let at = |days| Track::new(acme, "sso").at(BEGINNING + Duration::days(days));
    assert_eq!(world.refused(|tx| tx.track(&at(1))).code(), ErrorCode::Forbidden);
    assert!(world.done(|tx| tx.track(&at(9))).success);
    assert_eq!(world.refused(|tx| tx.track(&at(11))).code(), ErrorCode::Forbidden);
}

fn another_anchor_does_not_defer_a_promised_reset(world: &World) {
    world.catalogue();
    let acme = world.customer_on("starter", "Acme");
    let promised = world.check(acme, "ai_credits").reset_at.unwrap();
    world.uses(acme, "ai_credits", 100);
    world.clock.set(promised - Duration::DAY);
    world.done(|tx| tx.add_subscription(acme, &NewSubscription::to("starter")));
    assert_eq!(world.check(acme, "ai_credits").reset_at, Some(promised));
    world.clock.set(promised);
    let access = world.check(acme, "ai_credits");
    assert!(access.can_use && access.reset_at.unwrap() < promised + Duration::days(31));
}

fn what_is_over_is_not_given_back_by_a_patch_of_nothing(world: &World) {
    world.catalogue();
    let acme = world.customer("Acme").id;
    let patch = AccessPatch::new().valid_until(Some(BEGINNING + Duration::DAY));
    world.done(|tx| tx.set_access(acme, "sso", &patch));
    world.clock.advance(Duration::DAY);
    world.tenure.tick().unwrap();
    let told = world.told(|| {
        world.done(|tx| tx.set_access(acme, "sso", &AccessPatch::new()));
        world.tenure.tick().unwrap();
    });
    assert!(told.is_empty(), "{told:?}");
}

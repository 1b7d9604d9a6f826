//! Tiers: versions that customers keep, and what a change of tier alters.

use crate::support::{World, eur, fields};
use tenure::domain::draft::Change;
use tenure::{
    AccessPatch, BillingCycle, CustomerDraft, CustomerId, EntitlementSource, EntitlementStatus,
    ErrorCode, Excess, ExternalId, FeatureDraft, NewGrant, NewSubscription, Quantity, ResetPeriod,
    SuggestedAction, TierDraft, TierFeature, TierOverride, When,
};
use time::Duration;

fn credits(limit: i32) -> TierFeature {
    TierFeature::new("ai_credits").unwrap().limit(limit, ResetPeriod::Monthly)
}

fn limit(world: &World, id: CustomerId) -> Option<Quantity> {
    world.check(id, "ai_credits").quantity_limit
}

fn codes<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn a_tier_is_defined_in_versions_and_defining_it_again_changes_nothing(world: &World) {
    world.catalogue();
    let draft = TierDraft::new("team").rank(25).feature(credits(5));
    let first = world.done(|tx| tx.define_tier(&draft));
    assert_eq!((first.version, first.name.as_str(), first.display_order), (1, "team", 25));
    world.clock.advance(Duration::DAY);
    let told = world.told(|| assert_eq!(world.done(|tx| tx.define_tier(&draft)), first));
    assert!(told.is_empty(), "{told:?}");
    let more = draft.clone().feature(TierFeature::new("sso").unwrap());
    let second = world.done(|tx| tx.define_tier(&more));
    assert_eq!(second.version, 2);
    assert_eq!(world.seen(|view| view.tier("team")), second);
    assert_eq!(world.seen(|view| view.tier_version("team", 1)), first);
    for missing in ["teams", "TEAM", ""] {
        let error = world.tenure.read(|view| view.tier(missing)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::NotFound, "{missing}");
    }
}

fn a_tier_that_a_transaction_defines_holds_for_what_it_does_next(world: &World) {
    world.catalogue();
    let free = |limit| TierDraft::new("free").feature(credits(limit));
    let made = world.done(|tx| {
        let mut made = vec![tx.create_customer(&CustomerDraft::named("Before"))?.id];
        for limit in [5, 7] {
            tx.define_tier(&free(limit))?;
            made.push(tx.create_customer(&CustomerDraft::named(format!("With {limit}")))?.id);
        }
        assert_eq!(tx.view().tier("free")?.version, 2);
        Ok(made)
    });
    let limits: Vec<_> = made.iter().map(|id| limit(world, *id)).collect();
    assert_eq!(limits, [None, Some(Quantity::from(5)), Some(Quantity::from(7))]);
}

fn tiers_are_listed_by_display_order_and_only_those_that_can_be_bought(world: &World) {
    for (code, order) in [("pro", None), ("starter", None), ("odd", Some(20)), ("gone", None)] {
        let mut draft = TierDraft::new(code);
        draft.display_order = order;
        draft.is_active = code != "gone";
        world.done(|tx| tx.define_tier(&draft));
    }
    let tiers = world.seen(|view| view.tiers());
    let listed: Vec<_> = tiers.iter().map(|it| (it.code.as_str(), it.rank)).collect();
    assert_eq!(listed, [("starter", 10), ("odd", 0), ("pro", 40)]);
    let ranks = ["free", "basic", "growth", "premium", "enterprise"]
        .map(|code| world.done(|tx| tx.define_tier(&TierDraft::new(code))).rank);
    assert_eq!(ranks, [0, 20, 30, 50, 60]);
}

fn prices_are_listed_base_fee_first(world: &World) {
    world.catalogue();
    let price = |id: &str| ExternalId::parse(id).unwrap();
    let mut metered = credits(5);
    metered.stripe_price_id = Some(price("price_credits"));
    let draft = TierDraft::new("team").fee(eur(9), BillingCycle::Monthly).feature(metered);
    let tier = world.done(|tx| tx.define_tier(&draft.clone().stripe_price(price("price_team"))));
    assert_eq!(codes(&tier.stripe_price_ids()), ["price_team", "price_credits"]);
}

fn every_fault_of_a_tier_is_told_at_once(world: &World) {
    world.catalogue();
    let draft = TierDraft::new("No Code")
        .name("a\0b")
        .fee(eur(-1), BillingCycle::Monthly)
        .feature(credits(-5))
        .feature(credits(5))
        .feature(TierFeature::new("unheard_of").unwrap());
    let error = world.refused(|tx| tx.define_tier(&draft));
    let expected = [
        "code",
        "name",
        "features[0].quantityLimit",
        "features[1].code",
        "baseFee.amount",
        "features[2].code",
    ];
    assert_eq!(fields(&error), expected);
}

fn customers_keep_their_version_until_they_are_migrated(world: &World) {
    world.catalogue();
    let old = world.customer_on("pro", "Acme");
    world.done(|tx| tx.define_tier(&TierDraft::new("pro").feature(credits(7))));
    let new = world.customer_on("pro", "Globex");
    assert_eq!((limit(world, old), limit(world, new)), (Some(1_000.into()), Some(7.into())));
    assert!(world.check(old, "sso").can_use && !world.check(new, "sso").can_use);
    world.uses(old, "ai_credits", 9);

    let before = crate::support::dump(&world.tenure);
    let preview = world.tenure.preview(|tx| tx.migrate_tier(old)).unwrap();
    assert_eq!(crate::support::dump(&world.tenure), before, "a preview leaves nothing");
    let change = &preview.outcome.change;
    assert_eq!(codes(&change.lost), ["sso"]);
    assert_eq!(change.over_limit[0].over_by, 2.into());
    let migrated = world.done(|tx| tx.migrate_tier(old));
    assert_eq!((migrated.subscription.tier_version, migrated.change), (2, change.clone()));
    assert_eq!(limit(world, old), Some(7.into()));
    assert_eq!(world.check(old, "ai_credits").current_usage, 9.into(), "usage stays");
    assert!(world.told(|| world.done(|tx| tx.migrate_tier(old))).is_empty());
}

fn overrides_change_what_the_tier_gives_this_customer(world: &World) {
    world.catalogue();
    let (acme, other) = (world.customer("Acme").id, world.customer_on("pro", "Other"));
    let more = TierOverride {
        included_quantity: Some(600.into()),
        ..TierOverride::of("ai_credits").limit(Quantity::from(5_000))
    };
    world.done(|tx| tx.apply_tier(acme, "pro", std::slice::from_ref(&more)));
    let access = world.check(acme, "ai_credits");
    assert_eq!((access.quantity_limit, access.included_quantity), (Some(5_000.into()), 600.into()));
    assert_eq!(limit(world, other), Some(1_000.into()));
    let unlimited = TierOverride::of("ai_credits").limit(Change::Clear);
    world.done(|tx| tx.apply_tier(acme, "pro", std::slice::from_ref(&unlimited)));
    assert_eq!(limit(world, acme), None);
    world.done(|tx| tx.apply_tier(acme, "pro", &[]));
    assert_eq!(limit(world, acme), Some(1_000.into()));
    let strange =
        [TierOverride::of("nothing"), TierOverride::of("ai_credits").limit(Quantity::from(-1))];
    let error = world.refused(|tx| tx.apply_tier(acme, "pro", &strange));
    assert_eq!(fields(&error), ["overrides", "overrides.ai_credits.quantityLimit"]);
}

fn a_change_of_tier_keeps_usage_and_leaves_what_others_gave_alone(world: &World) {
    world.catalogue();
    let id = world.customer_on("starter", "Acme");
    world.uses(id, "ai_credits", 60);
    let promotion = world.done(|tx| tx.grant(id, &NewGrant::of("ai_credits", 10)));
    let addon = NewGrant::of("sso", 1).source(EntitlementSource::Addon);
    world.done(|tx| tx.grant(id, &addon));
    let preview = world.seen(|view| view.preview_tier(id, "pro", &[]));
    assert_eq!((codes(&preview.gained), preview.lost.len()), (vec!["sso".to_owned()], 0));
    assert_eq!(preview.changed[0].limit_after, Some(1_000.into()));
    let applied = world.done(|tx| tx.upgrade(id, "pro"));
    assert_eq!(applied.change, preview);
    let access = world.check(id, "ai_credits");
    assert_eq!((access.current_usage, access.quantity_limit), (60.into(), Some(1_010.into())));

    let by_hand = AccessPatch::new().limit(Quantity::from(33));
    world.done(|tx| tx.set_access(id, "ai_credits", &by_hand));
    world.done(|tx| tx.downgrade(id, "starter", When::Now));
    assert_eq!(limit(world, id), Some(43.into()), "what was set by hand is not the tier's");
    let kept = world.seen(|view| view.entitlement(promotion.id));
    assert_eq!((kept.limit, kept.source), (promotion.limit, promotion.source));
    // 60 were used: 33 of what was set by hand, 10 of the promotion, and 17 before the limit fell.
    assert_eq!((kept.used_amount, kept.status), (10.into(), EntitlementStatus::Exhausted));
    assert!(world.check(id, "sso").can_use, "the addon outlives the tier that had it too");
}

fn what_a_new_tier_lacks_is_taken_away_and_nothing_else(world: &World) {
    world.catalogue();
    let id = world.customer_on("pro", "Acme");
    let told = world.told(|| world.done(|tx| tx.downgrade(id, "starter", When::Now)));
    assert_eq!(told.iter().filter(|name| *name == "entitlement.revoked").count(), 1);
    let sso = world.check(id, "sso");
    assert!(!sso.can_use && sso.reason == Some(tenure::DenialReason::NotEntitled));
    assert_eq!(world.now(id).tier.as_str(), "starter");
}

fn a_downgrade_tells_what_exceeds_the_smaller_tier(world: &World) {
    world.catalogue();
    let id = world.customer_on("pro", "Acme");
    world.uses(id, "ai_credits", 300);
    let change = world.done(|tx| tx.downgrade(id, "starter", When::Now)).change;
    let [over] = change.over_limit.as_slice() else { panic!("{change:?}") };
    assert_eq!((over.used, over.allowed, over.over_by), (300.into(), 100.into(), 200.into()));
    assert_eq!(over.suggested_action, SuggestedAction::WaitForReset);
    let access = world.check(id, "ai_credits");
    assert_eq!((access.current_usage, access.remaining), (300.into(), Some(0.into())));
    assert!(!access.can_use);
    for (tier, action) in [("starter", "downgrade"), ("pro", "downgrade"), ("starter", "upgrade")] {
        let error = match action {
            "upgrade" => world.refused(|tx| tx.upgrade(id, tier)),
            _ => world.refused(|tx| tx.downgrade(id, tier, When::Now)),
        };
        assert_eq!(error.code(), ErrorCode::Unprocessable, "{action} to {tier}");
    }
}

fn a_downgrade_at_period_end_is_made_by_the_tick(world: &World) {
    world.catalogue();
    let id = world.customer("Acme").id;
    let paid = world.done(|tx| tx.add_subscription(id, &NewSubscription::to("pro")));
    let applied = world.done(|tx| tx.downgrade(id, "starter", When::PeriodEnd));
    assert_eq!(Some(applied.change.effective_at), paid.renewal_date);
    assert_eq!(world.now(id).tier.as_str(), "pro");
    world.clock.set(paid.renewal_date.unwrap() - Duration::SECOND);
    world.tenure.tick().unwrap();
    assert_eq!(world.now(id).tier.as_str(), "pro");
    world.clock.advance(Duration::SECOND);
    world.tenure.tick().unwrap();
    let after = world.now(id);
    assert_eq!((after.tier.as_str(), after.monthly_spend), ("starter", Some(eur(19))));
    let subscription = world.seen(|view| view.subscription(paid.id));
    assert_eq!((subscription.tier_code.as_str(), subscription.next_tier_code), ("starter", None));

    let given = world.customer("Globex").id;
    let free = world.refused(|tx| tx.downgrade(given, "starter", When::PeriodEnd));
    assert_eq!(free.code(), ErrorCode::Unprocessable);
    let paid = world.done(|tx| tx.add_subscription(given, &NewSubscription::to("pro")));
    world.done(|tx| tx.downgrade(given, "starter", When::PeriodEnd));
    world.done(|tx| tx.apply_tier(given, "pro", &[]));
    world.clock.set(paid.renewal_date.unwrap());
    world.tenure.tick().unwrap();
    assert_eq!(world.now(given).tier.as_str(), "pro", "it was taken back");
}

/// The excesses that the host was told of, without their features' codes.
fn told_excess(world: &World) -> Vec<serde_json::Value> {
    let told = crate::support::events(&world.tenure).into_iter();
    told.filter(|it| it.name == "subscription.limit_exceeded").map(|it| it.data).collect()
}

fn the_host_is_told_what_becomes_of_usage_that_a_smaller_tier_does_not_cover(world: &World) {
    world.catalogue();
    let policies = [
        ("seats", Excess::GraceDays(14)),
        ("files", Excess::ReadOnly),
        ("ai_credits", Excess::BlockNew),
    ];
    let given =
        |code: &str, limit: i32| TierFeature::new(code).unwrap().limit(limit, ResetPeriod::Never);
    world.done(|tx| {
        for (code, policy) in policies {
            tx.define_feature(code, &FeatureDraft::default().excess(policy))?;
        }
        let team = TierDraft::new("team").rank(45).feature(credits(1_000));
        tx.define_tier(&team.feature(given("seats", 50)).feature(given("files", 50)))?;
        tx.define_tier(
            &TierDraft::new("solo").rank(5).feature(credits(100)).feature(given("seats", 1)),
        )
    });
    let id = world.customer_on("team", "Acme");
    for (feature, used) in [("ai_credits", 300), ("seats", 5), ("files", 7)] {
        world.uses(id, feature, used);
    }
    let before = world.clock.now();
    let preview = world.seen(|view| view.preview_downgrade(id, "solo", When::Now));
    assert!(told_excess(world).is_empty(), "a preview tells nobody");
    let change = world.done(|tx| tx.downgrade(id, "solo", When::Now)).change;
    assert_eq!(change, preview);
    let mut report: Vec<_> = change
        .over_limit
        .iter()
        .map(|it| (it.feature.as_str(), it.over_by, it.suggested_action, it.policy, it.grace_until))
        .collect();
    report.sort_by_key(|it| it.0);
    let until = Some(before + Duration::days(14));
    assert_eq!(
        report,
        [
            ("ai_credits", 200.into(), SuggestedAction::WaitForReset, Excess::BlockNew, None),
            ("files", 7.into(), SuggestedAction::ExportData, Excess::ReadOnly, None),
            ("seats", 4.into(), SuggestedAction::ReduceUsage, Excess::GraceDays(14), until),
        ]
    );
    let reset_at = change.over_limit.iter().find_map(|it| it.reset_at);
    assert_eq!(reset_at, world.check(id, "ai_credits").reset_at);
    // What the host is told is what was reported.
    let mut told = told_excess(world);
    for over in &change.over_limit {
        let over = serde_json::to_value(over).unwrap();
        assert!(told.contains(&over), "{over} is not in {told:?}");
        told.retain(|it| *it != over);
    }
    assert!(told.is_empty(), "{told:?}");
    world.done(|tx| {
        tx.define_tier(
            &TierDraft::new("solo").rank(6).feature(credits(100)).feature(given("seats", 1)),
        )
    });
    world.done(|tx| tx.migrate_tier(id));
    assert_eq!(told_excess(world).len(), 3, "it is told once");
}

fn what_was_added_or_set_by_hand_counts_when_excess_is_told(world: &World) {
    world.catalogue();
    let [acme, globex] = ["Acme", "Globex"].map(|name| world.customer_on("pro", name));
    world.done(|tx| tx.grant(acme, &NewGrant::of("ai_credits", 150)));
    world.done(|tx| {
        tx.set_access(globex, "ai_credits", &AccessPatch::new().limit(Quantity::from(400)))
    });
    for id in [acme, globex] {
        world.uses(id, "ai_credits", 300);
    }
    let over = |id| world.done(|tx| tx.downgrade(id, "starter", When::Now)).change.over_limit;
    let [of_acme] = over(acme).try_into().unwrap();
    assert_eq!((of_acme.allowed, of_acme.over_by), (250.into(), 50.into()));
    assert_eq!(over(globex), [], "what was set by hand stays");
    assert_eq!(told_excess(world), [serde_json::to_value(of_acme).unwrap()]);
}

fn usage_that_is_reset_by_then_exceeds_nothing(world: &World) {
    world.catalogue();
    let id = world.customer("Acme").id;
    world.done(|tx| tx.define_feature("seats", &FeatureDraft::default()));
    let seats = |n: i32| TierFeature::new("seats").unwrap().limit(n, ResetPeriod::Never);
    for (code, n) in [("pro", 10), ("starter", 2)] {
        let fee = TierDraft::new(code).fee(eur(9), BillingCycle::Monthly);
        world.done(|tx| tx.define_tier(&fee.clone().feature(credits(n)).feature(seats(n))));
    }
    let paid = world.done(|tx| tx.add_subscription(id, &NewSubscription::to("pro")));
    for feature in ["ai_credits", "seats"] {
        world.uses(id, feature, 9);
    }
    let features = |when| {
        let change = world.seen(|view| view.preview_downgrade(id, "starter", when));
        change.over_limit.iter().map(|it| it.feature.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(features(When::Now), ["ai_credits", "seats"]);
    assert_eq!(features(When::PeriodEnd), ["seats"]);
    world.done(|tx| tx.downgrade(id, "starter", When::PeriodEnd));
    assert!(told_excess(world).is_empty(), "not before it takes effect");
    world.clock.set(paid.renewal_date.unwrap());
    world.tenure.tick().unwrap();
    let told: Vec<_> = told_excess(world).iter().map(|it| it["feature"].clone()).collect();
    assert_eq!(told, ["seats"], "told by the tick that made it so");
}

stories! {
    the_host_is_told_what_becomes_of_usage_that_a_smaller_tier_does_not_cover,
    what_was_added_or_set_by_hand_counts_when_excess_is_told,
    usage_that_is_reset_by_then_exceeds_nothing,
    a_tier_is_defined_in_versions_and_defining_it_again_changes_nothing,
    a_tier_that_a_transaction_defines_holds_for_what_it_does_next,
    tiers_are_listed_by_display_order_and_only_those_that_can_be_bought,
    prices_are_listed_base_fee_first,
    every_fault_of_a_tier_is_told_at_once,
    customers_keep_their_version_until_they_are_migrated,
    overrides_change_what_the_tier_gives_this_customer,
    a_change_of_tier_keeps_usage_and_leaves_what_others_gave_alone,
    what_a_new_tier_lacks_is_taken_away_and_nothing_else,
    a_downgrade_tells_what_exceeds_the_smaller_tier,
    a_downgrade_at_period_end_is_made_by_the_tick,
}

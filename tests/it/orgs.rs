//! Orgs: what one holds, another never sees.

use crate::support::{Till, World, document, dump, eur, events};
use serde_json::json;
use tenure::{
    AccessPatch, AliasId, AliasKind, BillingCycle, ContactDraft, ContactId, Correction,
    CustomerAction, CustomerDraft, CustomerId, EntitlementId, Error, EventId, ExternalId,
    FeatureDraft, Hints, InvoiceDraft, MeterFailure, NewActivity, NewFlair, NewGrant, NewLink,
    NewSubscription, NewTask, NewUsageRecord, NpsResponseDraft, NpsSurveyDraft, Onboard,
    OrderDraft, PeriodType, Quantity, ResetPeriod, Result, SubscriptionAction, SubscriptionId,
    Tenure, TicketDraft, TierDraft, TierFeature, Track, UsageQuery, UserDraft, UserId, When,
};
use uuid::Uuid;

/// Ids of one org that another must not know.
pub struct Ids {
    customer: CustomerId,
    contact: ContactId,
    subscription: SubscriptionId,
    entitlement: EntitlementId,
    user: UserId,
    event: EventId,
    alias: AliasId,
}

/// Takes a handle through every operation, with `mark` in whatever the host says.
pub fn tour(tenure: &Tenure, till: &Till, mark: &str) -> Ids {
    tour_of(tenure, till, mark).unwrap()
}

#[expect(clippy::too_many_lines, reason = "there are so many operations")]
fn tour_of(tenure: &Tenure, till: &Till, mark: &str) -> Result<Ids> {
    let tenure = &tenure.acting_as(&format!("{mark}-actor"))?;
    let text = |what: &str| format!("{mark} {what}");
    let token = |what: &str| format!("{mark}-{what}");
    let email = |who: &str| format!("{who}@{mark}.com");
    let (credits, sso, small, big) = (token("credits"), token("sso"), token("small"), token("big"));
    let price = token("price");
    let write =
        |body: &mut dyn FnMut(&mut tenure::Tx<'_>) -> Result<()>| tenure.write(|tx| body(tx));

    let user = tenure.write(|tx| {
        let named = UserDraft::default().name(text("Mia")).email(email("mia"));
        tx.register_user(&token("bob"), &UserDraft::default().name(text("Bob")))?;
        tx.register_user(&token("mia"), &named)
    })?;
    write(&mut |tx| {
        let billed = FeatureDraft::default().name(text("Credits")).billing_meter(token("used"));
        tx.define_feature(&credits, &billed)?;
        tx.define_feature(&credits, &FeatureDraft::default().description(text("what for")))?;
        tx.define_feature(&sso, &FeatureDraft::default().kind("feature"))?;
        let some = |limit: i32| {
            TierFeature::new(&credits).map(|it| it.limit(limit, ResetPeriod::Monthly)).unwrap()
        };
        let paid = |code: &str, euros| {
            TierDraft::new(code).name(text(code)).fee(eur(euros), BillingCycle::Monthly)
        };
        tx.define_tier(&paid(&small, 9).rank(1).feature(some(10)))?;
        let big =
            paid(&big, 99).rank(2).feature(some(100)).feature(TierFeature::new(&sso).unwrap());
        tx.define_tier(&big.stripe_price(ExternalId::parse(&price).unwrap()))?;
        Ok(())
    })?;

    let draft = CustomerDraft::named(text("Acme"))
        .external_id(token("acct"))
        .email(email("info"))
        .domain(format!("{mark}.com"))
        .tags(vec![text("tag")])
        .notes(text("notes"))
        .assigned_to(user.id)
        .metadata(document(json!({ "mark": mark })));
    let customer = tenure.write(|tx| tx.create_customer(&draft))?.id;
    let other = tenure.write(|tx| tx.create_customer(&CustomerDraft::named(text("Globex"))))?.id;
    write(&mut |tx| crate::expansion::tour(tx, customer, user.id, mark))?;
    write(&mut |tx| crate::leads::tour(tx, other, mark))?;
    let contact = tenure.write(|tx| {
        tx.update_customer(customer, &CustomerDraft::default().industry(text("rockets")))?;
        tx.regenerate_display_name(customer)?;
        tx.set_display_name(customer, &format!("{mark}Tiger1"))?;
        let flair =
            |id: &str| NewFlair { flair_id: token(id), name: text(id), ..NewFlair::default() };
        tx.award_flair(customer, &flair("early"))?;
        tx.award_flair(customer, &flair("late"))?;
        tx.remove_flair(customer, &token("late"))?;
        let people = ["ada", "bob", "cyd"].map(|who| ContactDraft::at(email(who)).name(text(who)));
        tx.upsert_contacts(customer, &people)?;
        let cyd = tx.upsert_contact(customer, &ContactDraft::at(email("cyd")).is_primary(true))?;
        tx.remove_contact(cyd.contact.id)?;
        let ada = tx.upsert_contact(customer, &ContactDraft::at(email("ada")))?.contact.id;
        tx.update_contact(ada, &ContactDraft::default().title(text("CTO")))
    })?;
    write(&mut |tx| {
        let label = Some(text("Berlin"));
        tx.link(customer, &NewLink { label, ..NewLink::to(token("org_1")) })?;
        let user = Some(token("user"));
        tx.link(customer, &NewLink { external_user_id: user, ..NewLink::to(token("org_1")) })?;
        tx.link(other, &NewLink::to(token("org_2")))?;
        tx.unlink(&token("org_2"))?;
        let alias = tx.add_alias(customer, AliasKind::Domain, &format!("{mark}.example"))?;
        tx.remove_alias(alias.id)?;
        let hints = Hints::new().company_name(text("Acme")).domain(format!("{mark}.com"));
        tx.smart_link(&token("org_3"), &hints, None).map(drop)
    })?;

    till.subscription(&token("sub"), &price);
    till.session(&token("cs"), Some(&token("sub")));
    tenure.claim_checkout(customer, &token("cs"))?;
    let subscription =
        tenure.write(|tx| tx.add_subscription(other, &NewSubscription::to(big.as_str())))?.id;
    write(&mut |tx| {
        tx.downgrade(other, &small, When::Now)?;
        tx.upgrade(other, &big)?;
        tx.move_subscription(subscription, SubscriptionAction::MarkPastDue)?;
        tx.move_subscription(subscription, SubscriptionAction::Activate)?;
        tx.move_subscription(subscription, SubscriptionAction::Renew)?;
        tx.migrate_tier(other)?;
        tx.cancel_subscription(subscription, When::Now).map(drop)
    })?;
    let entitlement = tenure.write(|tx| {
        let patch = AccessPatch::new().config(document(json!({ "mark": mark })));
        tx.set_access(customer, &credits, &patch.limit(Quantity::from(12)))?;
        let grant = tx.grant(customer, &NewGrant::of(credits.as_str(), 5).key(token("key")))?.id;
        tx.suspend_entitlement(grant)?;
        tx.resume_entitlement(grant)?;
        tx.revoke_entitlement(grant)?;
        let ends = tx.now() + time::Duration::HOUR;
        tx.grant(customer, &NewGrant::of(sso.as_str(), 1).valid_until(ends)).map(|it| it.id)
    })?;
    write(&mut |tx| {
        let metadata = document(json!({ "mark": mark }));
        let first = tx.track(
            &Track::new(customer, credits.as_str()).quantity(12).key(token("k")).metadata(metadata),
        )?;
        let refund = Correction::new(customer, credits.as_str(), -2, text("refund"));
        tx.adjust_usage(&refund.of(first.event_id).by(token("who")))?;
        tx.set_usage(&Correction::new(customer, credits.as_str(), 7, text("count")))?;
        tx.reconcile(customer, &credits).map(drop)
    })?;
    till.meters.fail_meter_events(1, MeterFailure::Refused(text("no")));
    tenure.deliver_usage(1)?;
    tenure.deliver_usage(100)?;
    let failed = tenure.read(|view| view.failed_deliveries(customer, 1, None))?.items;
    write(&mut |tx| tx.retry_failed(failed[0].id).map(drop))?;

    write(&mut |tx| {
        let record = NewUsageRecord::at(tx.now()).resource(token("gpu"), 1).key(token("k"));
        tx.record_usage(customer, PeriodType::Hour, &record)?;
        tx.aggregate_usage(customer, PeriodType::Month, tx.now())?;
        let earlier = tx.now() - time::Duration::DAY;
        let over = tx.aggregate_usage(customer, PeriodType::Day, earlier)?;
        tx.finalize_usage(over.id).map(drop)
    })?;

    write(&mut |tx| {
        let now = tx.now();
        let upset = TicketDraft::default().opened_at(now).subject(text("help"));
        tx.record_metric(customer, "seats", 3.0, now)?;
        tx.record_activity(customer, &NewActivity::login(token("u")).key(token("k")))?;
        tx.upsert_order(
            customer,
            &token("o"),
            &OrderDraft::default().total(eur(9)).placed_at(now),
        )?;
        tx.upsert_order(customer, &token("o"), &OrderDraft::default().total(eur(8)))?;
        tx.upsert_invoice(customer, &token("i"), &InvoiceDraft::default().amount(eur(9)))?;
        tx.upsert_invoice(customer, &token("i"), &InvoiceDraft::default().status("failed"))?;
        tx.upsert_ticket(customer, &token("t"), &upset)?;
        tx.request_cancellation(customer, &text("reason"))?;
        tx.withdraw_cancellation(customer).map(drop)
    })?;
    tenure.check(other, &sso)?;
    tenure.flush_denials()?;

    write(&mut |tx| {
        let survey = tx.send_nps_survey(&NpsSurveyDraft::to(customer, token("quarterly")))?;
        let answer = NpsResponseDraft::to(survey.id, 2).feedback(text("slow"));
        let answer = tx.record_nps_response(&answer)?;
        tx.follow_up_response(answer.id, &text("called"))?;
        tx.record_nps_response(&NpsResponseDraft::of(other, 10).feedback(text("quick")))?;
        let task = tx.create_task(&NewTask::new(customer, token("call"), text("call")))?;
        tx.reassign_task(task.id, Some(user.id)).map(drop)
    })?;

    let request =
        Onboard::org(token("org_4")).company(text("Hooli")).contact(email("gavin"), text("Gavin"));
    tenure.onboard(&request)?;
    tenure.backfill([Onboard::org(token("org_5")).company(text("Initech"))], |_| ())?;
    let gone = tenure.write(|tx| {
        for action in [
            CustomerAction::Qualify,
            CustomerAction::Activate,
            CustomerAction::FlagAtRisk,
            CustomerAction::Recover,
            CustomerAction::Suspend,
            CustomerAction::Reactivate,
            CustomerAction::Deactivate,
            CustomerAction::Churn,
        ] {
            tx.move_customer(other, action)?;
        }
        tx.ensure_account(&email("new"), None).map(|it| it.id)
    })?;
    write(&mut |tx| crate::health::tour(tx, customer, mark))?;
    write(&mut |tx| {
        tx.delete_customer(gone)?;
        tx.restore_customer(gone)?;
        tx.delete_customer(gone)?;
        tx.reassign(user.id, UserId::of(&token("bob")))?;
        tx.deactivate_user(user.id, None).map(drop)
    })?;
    let mobile = tenure.for_product(&token("mobile"))?;
    mobile.write(|tx| {
        tx.link(customer, &NewLink::to(token("org_1")))?;
        tx.reset_links(true, true)
    })?;
    let event = events(tenure)[0].id;
    let alias = tenure.write(|tx| tx.add_alias(customer, AliasKind::Name, &text("Blue")))?.id;
    let (contact, user) = (contact.id, user.id);
    Ok(Ids { customer, contact, subscription, entitlement, user, event, alias })
}

fn nothing_of_one_org_is_ever_read_in_another(world: &World) {
    let marks = ["canaryalpha", "canarybravo"];
    let orgs = marks.map(|mark| world.tenure.for_org(mark));
    let ids: Vec<_> =
        orgs.iter().zip(marks).map(|(tenure, mark)| tour(tenure, &world.till, mark)).collect();
    world.clock.advance(time::Duration::days(40));
    for tenure in &orgs {
        tenure.tick().unwrap();
    }
    for (tenure, (own, foreign)) in orgs.iter().zip([(0, 1), (1, 0)]) {
        let all = dump(tenure);
        assert!(all.matches(marks[own]).count() > 200, "the dump shows what there is");
        assert!(
            !all.to_lowercase().contains(marks[foreign]),
            "{} sees {}",
            marks[own],
            marks[foreign]
        );
        for id in [
            ids[foreign].customer.uuid(),
            ids[foreign].contact.uuid(),
            ids[foreign].subscription.uuid(),
            ids[foreign].entitlement.uuid(),
            ids[foreign].user.uuid(),
            ids[foreign].event.uuid(),
            ids[foreign].alias.uuid(),
        ] {
            assert!(!all.contains(&id.to_string()), "{id}");
        }
        let found = tenure.read(|view| {
            let mark = marks[foreign];
            let hints =
                Hints::new().company_name(format!("{mark} Acme")).domain(format!("{mark}.com"));
            Ok::<_, Error>(json!([
                view.find_match(&hints, 0.6)?,
                view.customer_by_name(&format!("{mark} Acme"))?,
                view.customer_by_email(&format!("ada@{mark}.com"))?,
                view.customer_by_external_id(&format!("{mark}-acct"))?,
                view.customer_by_short_id(&format!("{mark}-acme"))?,
                view.customer_by_display_name(&format!("{mark}Tiger1"))?,
                view.customer_by_link(&format!("{mark}-org_1"))?,
            ]))
        });
        let nothing = json!([{ "outcome": "no_match" }, null, null, null, null, null, null]);
        assert_eq!(found.unwrap(), nothing);
    }
}

/// Every operation that takes an id, given the ids `of`.
fn asked(tenure: &Tenure, of: [Uuid; 6]) -> Vec<Result<String>> {
    let [customer, contact, subscription, entitlement, user, alias] = of;
    let customer = CustomerId::from(customer);
    let contact = ContactId::from(contact);
    let subscription = SubscriptionId::from(subscription);
    let entitlement = EntitlementId::from(entitlement);
    let user = UserId::from(user);
    let alias = AliasId::from(alias);
    let read = |body: &dyn Fn(&tenure::View<'_>) -> Result<serde_json::Value>| {
        tenure.read(|view| body(view)).map(|json| json.to_string())
    };
    let write = |body: &dyn Fn(&mut tenure::Tx<'_>) -> Result<()>| {
        tenure.write(|tx| body(tx)).map(|()| String::new())
    };
    let filter = tenure::HistoryFilter::default();
    let now = tenure.now();
    let report = UsageQuery::between(now, now + time::Duration::HOUR, PeriodType::Hour);
    let record = NewUsageRecord::at(now).resource("gpu", 1);
    vec![
        read(&|view| Ok(json!(view.customer(customer)?))),
        read(&|view| Ok(json!(view.contact(contact)?))),
        read(&|view| Ok(json!(view.contacts(customer, false, 9, None)?))),
        read(&|view| Ok(json!(view.links(customer, 9, None)?))),
        read(&|view| Ok(json!(view.aliases(customer, 9, None)?))),
        read(&|view| Ok(json!(view.subscription(subscription)?))),
        read(&|view| Ok(json!(view.subscriptions(customer)?))),
        read(&|view| Ok(json!(view.entitlement(entitlement)?))),
        read(&|view| Ok(json!(view.entitlements(customer)?))),
        read(&|view| Ok(json!(view.list_access(customer)?))),
        read(&|view| Ok(json!(view.billing_status(customer)?))),
        read(&|view| Ok(json!(view.display_names(customer)?))),
        read(&|view| Ok(json!(view.flairs(customer, None)?))),
        read(&|view| Ok(json!(view.user(user)?))),
        read(&|view| Ok(json!(view.preview_tier(customer, "pro", &[])?))),
        read(&|view| Ok(json!(view.usage_history(customer, "sso", &filter, 9, None)?))),
        read(&|view| Ok(json!(view.usage_snapshots(customer, "sso", 9, None)?))),
        read(&|view| Ok(json!(view.usage_periods(customer, PeriodType::Day, 9, None)?))),
        read(&|view| Ok(json!(view.usage_report(customer, &report)?))),
        read(&|view| Ok(json!(view.preview_downgrade(customer, "starter", When::Now)?))),
        read(&|view| crate::health::told(view, customer)),
        read(&|view| Ok(json!(view.health_as_of(customer, now)?))),
        read(&|view| Ok(json!(view.simulate_health(customer, &tenure::Figures::default())?))),
        write(&|tx| tx.score_health(customer).map(drop)),
        write(&|tx| tx.override_health(customer, 1, "x", now + time::Duration::DAY).map(drop)),
        write(&|tx| tx.lift_health_override(customer).map(drop)),
        write(&|tx| tx.record_usage(customer, PeriodType::Day, &record).map(drop)),
        write(&|tx| tx.aggregate_usage(customer, PeriodType::Day, tx.now()).map(drop)),
        write(&|tx| {
            tx.aggregate_subscription_usage(subscription, PeriodType::Day, tx.now()).map(drop)
        }),
        write(&|tx| tx.update_customer(customer, &CustomerDraft::default()).map(drop)),
        write(&|tx| tx.move_customer(customer, CustomerAction::Churn).map(drop)),
        write(&|tx| tx.delete_customer(customer)),
        write(&|tx| tx.restore_customer(customer).map(drop)),
        write(&|tx| tx.regenerate_display_name(customer).map(drop)),
        write(&|tx| tx.award_flair(customer, &NewFlair::default()).map(drop)),
        write(&|tx| tx.remove_flair(customer, "early").map(drop)),
        write(&|tx| tx.upsert_contact(customer, &ContactDraft::at("a@x.com")).map(drop)),
        write(&|tx| tx.upsert_contacts(customer, &[]).map(drop)),
        write(&|tx| tx.update_contact(contact, &ContactDraft::default()).map(drop)),
        write(&|tx| tx.remove_contact(contact)),
        write(&|tx| tx.link(customer, &NewLink::to("org_1")).map(drop)),
        write(&|tx| tx.add_alias(customer, AliasKind::Name, "Big Blue").map(drop)),
        write(&|tx| tx.remove_alias(alias)),
        write(&|tx| tx.add_subscription(customer, &NewSubscription::to("pro")).map(drop)),
        write(&|tx| tx.apply_tier(customer, "pro", &[]).map(drop)),
        write(&|tx| tx.upgrade(customer, "pro").map(drop)),
        write(&|tx| tx.downgrade(customer, "starter", When::Now).map(drop)),
        write(&|tx| tx.migrate_tier(customer).map(drop)),
        write(&|tx| tx.cancel_subscription(subscription, When::Now).map(drop)),
        write(&|tx| tx.move_subscription(subscription, SubscriptionAction::Cancel).map(drop)),
        write(&|tx| tx.set_access(customer, "sso", &AccessPatch::new()).map(drop)),
        write(&|tx| tx.grant(customer, &NewGrant::of("sso", 1)).map(drop)),
        write(&|tx| tx.suspend_entitlement(entitlement).map(drop)),
        write(&|tx| tx.resume_entitlement(entitlement).map(drop)),
        write(&|tx| tx.revoke_entitlement(entitlement).map(drop)),
        write(&|tx| tx.track(&Track::new(customer, "sso")).map(drop)),
        write(&|tx| tx.set_usage(&Correction::new(customer, "sso", 1, "x")).map(drop)),
        write(&|tx| tx.adjust_usage(&Correction::new(customer, "sso", 1, "x")).map(drop)),
        write(&|tx| tx.reconcile(customer, "sso").map(drop)),
        write(&|tx| tx.reassign(user, user).map(drop)),
        write(&|tx| tx.deactivate_user(user, None).map(drop)),
        tenure.claim_checkout(customer, "cs_1").map(|_| String::new()),
        tenure.link_subscription(customer, "sub_1", None, None, None).map(|_| String::new()),
    ]
}

fn an_id_of_another_org_answers_as_one_of_nobody(world: &World) {
    world.catalogue();
    let ids = tour(&world.tenure.for_org("other"), &world.till, "other");
    world.till.subscription("sub_1", "price_pro");
    world.till.session("cs_1", Some("sub_1"));
    let foreign = [
        ids.customer.uuid(),
        ids.contact.uuid(),
        ids.subscription.uuid(),
        ids.entitlement.uuid(),
        ids.user.uuid(),
        ids.alias.uuid(),
    ];
    let nobody = [1, 2, 3, 4, 5, 6].map(Uuid::from_u128);
    let before = dump(&world.tenure);
    let anonymous = |answers: Vec<Result<String>>, ids: [Uuid; 6]| {
        let named = |error: Error| {
            let text = error.to_string();
            let id = ids.iter().find(|id| text.contains(&id.to_string()));
            let id = id.unwrap_or_else(|| panic!("`{text}` names no id"));
            (error.code(), text.replace(&id.to_string(), "it"))
        };
        answers.into_iter().map(|answer| named(answer.unwrap_err())).collect::<Vec<_>>()
    };
    let answers = anonymous(asked(&world.tenure, foreign), foreign);
    assert_eq!(answers, anonymous(asked(&world.tenure, nobody), nobody));
    for (place, (code, text)) in answers.iter().enumerate() {
        assert_eq!(*code, tenure::ErrorCode::NotFound, "call {place}: {text}");
    }
    assert_eq!(world.done(|tx| tx.acknowledge([ids.event])), 0);
    assert_eq!(dump(&world.tenure), before);
}

fn two_orgs_use_the_same_names_and_keys_without_meeting(world: &World) {
    let orgs = ["a", "b"].map(|name| world.tenure.for_org(name));
    for tenure in &orgs {
        tour(tenure, &world.till, "same");
    }
    let counts = orgs.each_ref().map(|tenure| events(tenure).iter().map(|it| it.sequence).max());
    assert!(counts[0] == counts[1] && counts[0].is_some_and(|count| count > 60));
    let names: Vec<_> =
        world.tenure.orgs(10, None).unwrap().items.into_iter().map(|it| it.name).collect();
    for name in ["a", "b"] {
        assert!(names.iter().flatten().any(|it| it.as_str() == name), "{names:?}");
    }
}

stories! {
    nothing_of_one_org_is_ever_read_in_another,
    an_id_of_another_org_answers_as_one_of_nobody,
    two_orgs_use_the_same_names_and_keys_without_meeting,
}

//! Bad input: each has its answer, and leaves nothing behind.
#![allow(clippy::too_many_lines, reason = "a table is as long as it is")]

use crate::support::{World, document, dump, eur};
use ErrorCode::{BadRequest, Conflict, NotFound, PreconditionFailed, Unprocessable};
use serde_json::{Value, json};
use std::sync::Arc;
use tenure::domain::calendar::BillingDay;
use tenure::domain::cycle::Cycle;
use tenure::domain::recurrence::Recurrence;
use tenure::domain::zone::TimeZone;
use tenure::{
    AccessPatch, ContactDraft, Correction, CustomerDraft, CustomerId, Document, Error, ErrorCode,
    ExternalId, FeatureDraft, Grace, HistoryFilter, NewGrant, NewLink, NewSubscription, Onboard,
    Overage, Quantity, Result, SubscriptionAction, Tenure, TierDraft, Track, Tx, UserDraft, View,
    When,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// What is wrong, the call, and its answer.
type Row = (String, Box<dyn Fn(&Tenure) -> Result<()>>, ErrorCode);

fn write<T>(
    what: impl Into<String>,
    body: impl Fn(&mut Tx<'_>) -> Result<T> + 'static,
    code: ErrorCode,
) -> Row {
    let call = move |tenure: &Tenure| tenure.write(|tx| body(tx).map(drop));
    (what.into(), Box::new(call), code)
}

fn read<T>(
    what: impl Into<String>,
    body: impl Fn(&View<'_>) -> Result<T> + 'static,
    code: ErrorCode,
) -> Row {
    let call = move |tenure: &Tenure| tenure.read(|view| body(view).map(drop));
    (what.into(), Box::new(call), code)
}

/// Acme may use 10 credits, of which it has used 4 under the key `used`; Globex uses any number.
struct Scene {
    acme: CustomerId,
    globex: CustomerId,
    subscription: tenure::SubscriptionId,
}

fn scene(world: &World) -> Scene {
    world.catalogue();
    let (acme, globex) = (world.customer("Acme").id, world.customer("Globex").id);
    let subscription = world.done(|tx| {
        tx.set_access(acme, "ai_credits", &AccessPatch::new().limit(Quantity::from(10)))?;
        tx.set_access(globex, "ai_credits", &AccessPatch::new())?;
        tx.track(&Track::new(acme, "ai_credits").quantity(4).key("used"))?;
        tx.upsert_contact(acme, &ContactDraft::at("ada@acme.com"))?;
        tx.link(acme, &NewLink::to("org_1"))?;
        tx.add_subscription(globex, &NewSubscription::to("pro")).map(|it| it.id)
    });
    Scene { acme, globex, subscription }
}

fn assert_refused(world: &World, rows: Vec<Row>) {
    let before = dump(&world.tenure);
    for (what, call, code) in rows {
        match call(&world.tenure) {
            Ok(()) => panic!("{what} is accepted"),
            Err(error) => assert_eq!(error.code(), code, "{what}: {error}"),
        }
        assert_eq!(dump(&world.tenure), before, "{what} has left something behind");
    }
}

fn keys_and_ids(world: &World) {
    let Scene { acme, globex, .. } = scene(world);
    let mut rows = Vec::new();
    let long = "k".repeat(256);
    for key in [
        "",
        " ",
        " k",
        "k ",
        "a\0b",
        "k\r\n",
        "a\u{202e}b",
        "a\u{200b}b",
        "\u{feff}k",
        "\u{fffe}",
        &long,
    ] {
        let (it, label) = (key.to_owned(), key.escape_debug().to_string());
        let track =
            move |tx: &mut Tx<'_>| tx.track(&Track::new(acme, "ai_credits").key(it.clone()));
        rows.push(write(format!("key `{label}`"), track, BadRequest));
        let it = key.to_owned();
        let set = move |tx: &mut Tx<'_>| {
            tx.set_usage(&Correction::new(acme, "ai_credits", 1, "why").key(it.clone()))
        };
        rows.push(write(format!("correction key `{label}`"), set, BadRequest));
        let it = key.to_owned();
        let grant =
            move |tx: &mut Tx<'_>| tx.grant(acme, &NewGrant::of("ai_credits", 1).key(it.clone()));
        rows.push(write(format!("grant key `{label}`"), grant, BadRequest));
        let it = key.to_owned();
        let link = move |tx: &mut Tx<'_>| tx.link(acme, &NewLink::to(it.clone()));
        rows.push(write(format!("external org `{label}`"), link, BadRequest));
        let it = key.to_owned();
        rows.push((
            format!("onboarded org `{label}`"),
            Box::new(move |tenure| tenure.onboard(&Onboard::org(it.clone())).map(drop)),
            BadRequest,
        ));
        let it = key.to_owned();
        let user = move |tx: &mut Tx<'_>| tx.register_user(&it, &UserDraft::default());
        rows.push(write(format!("user key `{label}`"), user, BadRequest));
    }
    let used = |who: CustomerId| Track::new(who, "ai_credits").key("used");
    let random = CustomerId::from(uuid::Uuid::from_u128(7));
    let other = world.tenure.for_org("other");
    let foreign = other.write(|tx| tx.create_customer(&CustomerDraft::named("Acme"))).unwrap().id;
    for (what, id) in [("random", random), ("foreign", foreign)] {
        rows.push(write(
            format!("track of a {what} id"),
            move |tx| tx.track(&Track::new(id, "ai_credits")),
            NotFound,
        ));
        rows.push(read(
            format!("customer of a {what} id"),
            move |view| view.customer(id),
            NotFound,
        ));
    }
    rows.extend([
        write(
            "a key again with another quantity",
            move |tx| tx.track(&used(acme).quantity(5)),
            Conflict,
        ),
        write(
            "a key again with another time",
            move |tx| tx.track(&used(acme).quantity(4).at(tx.now())),
            Conflict,
        ),
        write(
            "a key again with other metadata",
            move |tx| tx.track(&used(acme).quantity(4).metadata(document(json!({ "a": 1 })))),
            Conflict,
        ),
        write(
            "a key again for something else",
            move |tx| tx.set_usage(&Correction::new(acme, "ai_credits", 4, "why").key("used")),
            Conflict,
        ),
        write(
            "an organisation that is not linked",
            |tx| tx.track(&Track::new("../../x", "ai_credits")),
            NotFound,
        ),
        write("an unknown feature", move |tx| tx.track(&Track::new(acme, "unheard_of")), NotFound),
        write(
            "a malformed feature",
            move |tx| tx.track(&Track::new(acme, "AI; DROP TABLE x")),
            NotFound,
        ),
        write(
            "a malformed code",
            |tx| tx.define_feature("No", &FeatureDraft::default()),
            BadRequest,
        ),
        write(
            "a code of 65 characters",
            |tx| tx.define_feature(&"c".repeat(65), &FeatureDraft::default()),
            BadRequest,
        ),
        write("a tier without a code", |tx| tx.define_tier(&TierDraft::new("")), BadRequest),
        (
            "a product that is no code".into(),
            Box::new(|tenure| tenure.for_product("No").map(drop)),
            BadRequest,
        ),
        (
            "an actor with a line break".into(),
            Box::new(|tenure| tenure.acting_as("a\nb").map(drop)),
            BadRequest,
        ),
    ]);
    assert_refused(world, rows);
    // What looks bad and is not.
    for key in ["k".repeat(255).as_str(), "' OR 1=1 --", "é", "e\u{301}", "../../x", "<script>"] {
        let track = Track::new(globex, "ai_credits").key(key);
        assert!(!world.done(|tx| tx.track(&track)).duplicate, "{key}");
        assert!(world.done(|tx| tx.track(&track)).duplicate, "{key}");
    }
    let theirs = world.done(|tx| tx.track(&used(globex).quantity(9)));
    assert!(!theirs.duplicate, "a key belongs to its meter");
}

fn amounts_and_limits(world: &World) {
    let Scene { acme, globex, .. } = scene(world);
    world.done(|tx| tx.track(&Track::new(globex, "ai_credits").quantity(Quantity::MAX)));
    let track = move |quantity: Quantity| {
        move |tx: &mut Tx<'_>| tx.track(&Track::new(acme, "ai_credits").quantity(quantity))
    };
    let correction = |who, by: Quantity| Correction::new(who, "ai_credits", by, "why");
    let set =
        move |patch: AccessPatch| move |tx: &mut Tx<'_>| tx.set_access(acme, "ai_credits", &patch);
    let least = Quantity::from_millionths(i64::MIN);
    let beyond = |grace| FeatureDraft::default().overage(Overage::Grace(grace));
    let rows = vec![
        write("nothing", track(Quantity::ZERO), BadRequest),
        write("less than nothing", track(Quantity::from(-1)), BadRequest),
        write("as little as there is", track(least), BadRequest),
        write("more than the limit", track(Quantity::from(7)), PreconditionFailed),
        write("as much as there is", track(Quantity::MAX), PreconditionFailed),
        write(
            "one more than can be counted",
            move |tx| tx.track(&Track::new(globex, "ai_credits")),
            Unprocessable,
        ),
        write(
            "a correction beyond what can be counted",
            move |tx| tx.adjust_usage(&correction(globex, Quantity::ONE)),
            Unprocessable,
        ),
        write(
            "a correction by nothing",
            move |tx| tx.adjust_usage(&correction(acme, Quantity::ZERO)),
            BadRequest,
        ),
        write(
            "a correction below zero",
            move |tx| tx.adjust_usage(&correction(acme, (-5).into())),
            Unprocessable,
        ),
        write(
            "a correction by as little as there is",
            move |tx| tx.adjust_usage(&correction(acme, least)),
            Unprocessable,
        ),
        write(
            "a correction without a reason",
            move |tx| tx.adjust_usage(&Correction::new(acme, "ai_credits", -1, " ")),
            BadRequest,
        ),
        write(
            "a correction of no event",
            move |tx| {
                let event = uuid::Uuid::from_u128(7).into();
                tx.adjust_usage(&correction(acme, (-1).into()).of(event))
            },
            NotFound,
        ),
        write(
            "usage set below zero",
            move |tx| tx.set_usage(&correction(acme, (-1).into())),
            BadRequest,
        ),
        write("a limit below zero", set(AccessPatch::new().limit(Quantity::from(-1))), BadRequest),
        write("an included quantity below zero", set(AccessPatch::new().included(-1)), BadRequest),
        write(
            "a grant below zero",
            move |tx| tx.grant(acme, &NewGrant::of("ai_credits", -1)),
            BadRequest,
        ),
        write(
            "a grace below zero",
            move |tx| tx.define_feature("ai_credits", &beyond(Grace::Quantity((-1).into()))),
            BadRequest,
        ),
        write(
            "a value below zero",
            move |tx| tx.update_customer(acme, &CustomerDraft::default().lifetime_value(eur(-1))),
            BadRequest,
        ),
        write(
            "no seat",
            move |tx| tx.add_subscription(acme, &NewSubscription::to("pro").seats(0)),
            BadRequest,
        ),
        write(
            "a revenue beyond what can be counted",
            move |tx| {
                let fee = tenure::Money::new(i64::MAX, "EUR".parse().unwrap());
                tx.define_tier(&TierDraft::new("dear").fee(fee, tenure::BillingCycle::Monthly))?;
                tx.add_subscription(acme, &NewSubscription::to("dear").seats(2))
            },
            Unprocessable,
        ),
        write(
            "a batch of 10,001",
            move |tx| tx.upsert_contacts(acme, &vec![ContactDraft::at("a@x.com"); 10_001]),
            BadRequest,
        ),
        read(
            "a check below zero",
            move |view| view.check_quantity(acme, "ai_credits", -1),
            BadRequest,
        ),
        read("a page of none", |view| view.customers(None, 0, None), BadRequest),
        read("a page of 1,001", |view| view.customers(None, 1_001, None), BadRequest),
        read(
            "a history of 1,001",
            move |view| {
                view.usage_history(acme, "ai_credits", &HistoryFilter::default(), 1_001, None)
            },
            BadRequest,
        ),
    ];
    assert_refused(world, rows);
    // Numbers from outside are exact or refused.
    for bad in
        ["NaN", "inf", "-inf", "1e400", "12abc", "0.1234567", "9223372036855", "", "+1", "0x1"]
    {
        assert!(bad.parse::<Quantity>().is_err(), "{bad}");
    }
    for bad in
        [r#""12""#, "1e400", "18446744073709551615", "0.1234567", "null", "true", r#""12abc""#]
    {
        assert!(serde_json::from_str::<Quantity>(bad).is_err(), "{bad}");
    }
    let exact: Quantity = serde_json::from_str("9007199254741").unwrap();
    assert_eq!(exact.to_string(), "9007199254741");
    assert_eq!(serde_json::from_str::<Quantity>("-0.0").unwrap(), Quantity::ZERO);
    assert!(serde_json::from_str::<tenure::Money>(r#"{"amount":0.3,"currency":"EUR"}"#).is_err());
}

fn times(world: &World) {
    let Scene { acme, .. } = scene(world);
    let now = world.clock.now();
    let at = move |at: OffsetDateTime| {
        move |tx: &mut Tx<'_>| tx.track(&Track::new(acme, "ai_credits").at(at))
    };
    let mut rows = vec![
        write("usage in ten years", at(now + Duration::days(3_650)), BadRequest),
        write("usage in six minutes", at(now + Duration::minutes(6)), BadRequest),
        write("usage before it could be", at(now - Duration::HOUR), BadRequest),
        write("usage that is too late", at(now - Duration::days(36)), BadRequest),
        write("usage at the end of time", at(datetime!(9999-12-31 23:59:59 UTC)), BadRequest),
        write(
            "a right that ends before it begins",
            move |tx| {
                let patch = AccessPatch::new().valid_from(Some(now)).valid_until(Some(now));
                tx.set_access(acme, "ai_credits", &patch)
            },
            BadRequest,
        ),
        write(
            "a subscription that ends before it begins",
            move |tx| {
                let mut new = NewSubscription::to("pro");
                new.end_date = Some(now - Duration::HOUR);
                tx.add_subscription(acme, &new)
            },
            BadRequest,
        ),
        read(
            "a history that ends before it begins",
            move |view| {
                let mut filter = HistoryFilter::default();
                (filter.from, filter.to) = (Some(now), Some(now - Duration::HOUR));
                view.usage_history(acme, "ai_credits", &filter, 9, None)
            },
            BadRequest,
        ),
    ];
    for zone in ["Mars/Base", "../../etc/passwd", "", "+19:00", "Europe/Paris\0"] {
        let draft = CustomerDraft::default().timezone(zone);
        let update = move |tx: &mut Tx<'_>| tx.update_customer(acme, &draft);
        rows.push(write(format!("zone `{zone}`"), update, BadRequest));
    }
    for year in [datetime!(0000-06-01 0:00 UTC), datetime!(-0001-06-01 0:00 UTC)] {
        let (create, bought) = (CustomerDraft::named("New"), CustomerDraft::default());
        let (create, bought) = (create.created_at(year), bought.first_purchase_at(year));
        rows.extend([
            write("created before the calendar", move |tx| tx.create_customer(&create), BadRequest),
            write(
                "bought before the calendar",
                move |tx| tx.update_customer(acme, &bought),
                BadRequest,
            ),
            write(
                "subscribed before the calendar",
                move |tx| tx.add_subscription(acme, &NewSubscription::to("pro").started(year)),
                BadRequest,
            ),
            write(
                "valid until before the calendar",
                move |tx| tx.grant(acme, &NewGrant::of("ai_credits", 1).valid_until(year)),
                BadRequest,
            ),
            write(
                "onboarded before the calendar",
                move |tx| tx.onboard(&Onboard::org("org_9").since(year)),
                BadRequest,
            ),
            write("used before the calendar", at(year), BadRequest),
        ]);
    }
    assert_refused(world, rows);
    for bad in [
        "2023-02-29T00:00:00Z",
        "2023-02-30T00:00:00Z",
        "2023-01-01T24:00:00Z",
        "2023-01-01T23:60:00Z",
        "+10000-01-01T00:00:00Z",
        "2023-01-01",
    ] {
        let draft = json!({ "name": "New", "createdAt": bad });
        let Value::Object(draft) = draft else { unreachable!() };
        assert!(CustomerDraft::from_json(draft).is_err(), "{bad}");
    }
    assert!(BillingDay::new(0).is_err() && BillingDay::new(32).is_err());
    assert!(Recurrence::new(datetime!(0000-06-01 0:00 UTC), Cycle::MONTH, TimeZone::UTC).is_err());
}

fn texts(world: &World) {
    let Scene { acme, .. } = scene(world);
    let mut rows = Vec::new();
    let zalgo = format!("Z{}", "\u{301}".repeat(1_000));
    let huge = "x".repeat(1 << 20);
    for name in ["", "   ", "a\0b", "a\u{1b}[2J", "a\nb", "\u{fffe}", zalgo.as_str(), huge.as_str()]
    {
        let label = name.chars().take(9).collect::<String>().escape_debug().to_string();
        let (create, change) = (CustomerDraft::named(name), CustomerDraft::default().name(name));
        let person = ContactDraft::at("ada@acme.com").first_name(name);
        let feature = FeatureDraft::default().name(name);
        let tier = TierDraft::new("pro").name(name);
        rows.extend([
            write(format!("create `{label}`"), move |tx| tx.create_customer(&create), BadRequest),
            write(
                format!("rename to `{label}`"),
                move |tx| tx.update_customer(acme, &change),
                BadRequest,
            ),
            write(
                format!("contact `{label}`"),
                move |tx| tx.upsert_contact(acme, &person),
                BadRequest,
            ),
            write(
                format!("feature `{label}`"),
                move |tx| tx.define_feature("sso", &feature),
                BadRequest,
            ),
            write(format!("tier `{label}`"), move |tx| tx.define_tier(&tier), BadRequest),
        ]);
    }
    let long = format!("{}@x.com", "a".repeat(300));
    for mail in [
        "nobody",
        "a@b@c.com",
        "@x.com",
        "a@",
        "a@x\nBcc: v@y",
        "a b@x.com",
        "a@localhost",
        long.as_str(),
    ] {
        let (own, person) = (CustomerDraft::default().email(mail), ContactDraft::at(mail));
        let (bills, text, mail) =
            (CustomerDraft::default().billing_email(mail), mail.to_owned(), mail.to_owned());
        rows.extend([
            write(
                format!("customer at `{mail}`"),
                move |tx| tx.update_customer(acme, &own),
                BadRequest,
            ),
            write(
                format!("bills to `{mail}`"),
                move |tx| tx.update_customer(acme, &bills),
                BadRequest,
            ),
            write(
                format!("contact at `{mail}`"),
                move |tx| tx.upsert_contact(acme, &person),
                BadRequest,
            ),
            write(
                format!("account of `{mail}`"),
                move |tx| tx.ensure_account(&mail, None),
                BadRequest,
            ),
            read(format!("who is `{text}`"), move |view| view.customer_by_email(&text), BadRequest),
        ]);
    }
    let (note, noted) = ("n".repeat(10_001), "n".repeat(10_000));
    let tags: Vec<_> = (0..101).map(|n| n.to_string()).collect();
    let draft = CustomerDraft::default;
    for (what, draft) in [
        ("notes of 10,001", draft().notes(note)),
        ("notes with NUL", draft().notes("a\0b")),
        ("101 tags", draft().tags(tags.clone())),
        ("a tag with a line break", draft().tags(vec!["a\nb".to_owned()])),
        ("no country", draft().country("ZZ")),
        ("no currency", draft().default_currency("EURO")),
        ("no language", draft().locale("e")),
        ("no domain", draft().domain("co.uk")),
        ("no kind", draft().kind("Admin ")),
        ("a name taken away", draft().name(None::<String>)),
    ] {
        rows.push(write(what, move |tx| tx.update_customer(acme, &draft), BadRequest));
    }
    assert_refused(world, rows);

    // What looks bad and is not: it comes back as it was given.
    for name in [
        "<script>alert(1)</script>",
        "=cmd|'/c calc'!A0",
        "' OR 1=1 --",
        "日本電気",
        "{{7*7}}",
        "%",
    ] {
        assert_eq!(world.customer(name).name.as_str(), name);
        assert_eq!(world.seen(|view| view.customer_by_name(name)).unwrap().name.as_str(), name);
    }
    let full = draft().notes(noted.as_str()).tags(tags[..100].to_vec()).name("n".repeat(200));
    let kept = world.done(|tx| tx.update_customer(acme, &full));
    assert_eq!((kept.notes.unwrap().as_str().len(), kept.tags.len()), (10_000, 100));
    let umlaut = world.done(|tx| tx.ensure_account("Ä@x.com", None)).id;
    assert_eq!(world.done(|tx| tx.ensure_account("ä@X.com", None)).id, umlaut);
}

fn documents(_world: &World) {
    let nested = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }));
    let sized = |size: usize| json!({ "a": "x".repeat(size - r#"{"a":""}"#.len()) });
    for bad in [nested(33), sized(64 * 1024 + 1), json!([]), json!(null), json!("a"), json!(1)] {
        assert!(Document::try_from(bad).is_err());
    }
    assert!(Document::try_from(nested(32)).is_ok() && Document::try_from(sized(64 * 1024)).is_ok());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for bad in [deep.as_str(), r#"{"a":1} x"#, r#"{"a":"\ud800"}"#, "{", "[]"] {
        assert!(serde_json::from_str::<Document>(bad).is_err(), "{bad:.20}");
    }
    for bad in [
        r#"{"name":"a","name":"b"}"#,
        r#"{"name":"a","rowid":1}"#,
        r#"{"name":1}"#,
        r#"{"lifetimeValue":{"amount":1,"currency":"XXXX"}}"#,
    ] {
        assert!(serde_json::from_str::<CustomerDraft>(bad).is_err(), "{bad}");
    }
    for bad in ["{}", r#"{"code":"a","colour":1}"#, r#"{"code":"a","features":[{"code":"NO"}]}"#] {
        assert!(serde_json::from_str::<TierDraft>(bad).is_err(), "{bad}");
    }
    assert!(serde_json::from_str::<AccessPatch>(r#"{"limit":"lots"}"#).is_err());
    assert!(ExternalId::parse(" x").is_err());
    for bad in ["", "x", &"0".repeat(31), &format!("{}i9x", "0".repeat(32))] {
        assert!(bad.parse::<tenure::Cursor>().is_err(), "{bad}");
        assert!(bad.parse::<CustomerId>().is_err(), "{bad}");
    }
}

fn flows(world: &World) {
    let Scene { acme, globex, subscription } = scene(world);
    let user = world.done(|tx| tx.register_user("mia", &UserDraft::default())).id;
    world.done(|tx| tx.update_customer(acme, &CustomerDraft::default().assigned_to(user)));
    let right = world.seen(|view| view.entitlements(acme))[0].id;
    world.done(|tx| tx.revoke_entitlement(right));
    let free = world.seen(|view| view.subscriptions(acme))[0].id;
    let version = world.now(acme).version;
    let ada = world.seen(|view| view.primary_contact(acme)).unwrap().id;
    let rows = vec![
        write(
            "two paid at once",
            move |tx| tx.add_subscription(globex, &NewSubscription::to("starter")),
            Conflict,
        ),
        write(
            "a change of an older version",
            move |tx| {
                tx.update_customer(
                    acme,
                    &CustomerDraft::default().notes("x").if_version(version - 1),
                )
            },
            Conflict,
        ),
        write(
            "the name of another",
            move |tx| tx.update_customer(acme, &CustomerDraft::default().name("GLOBEX")),
            Conflict,
        ),
        write(
            "the organisation of another",
            move |tx| tx.link(globex, &NewLink::to("org_1")),
            Conflict,
        ),
        write(
            "a suspension of a prospect",
            move |tx| tx.move_customer(acme, tenure::CustomerAction::Suspend),
            Unprocessable,
        ),
        write(
            "a renewal of what has ended",
            move |tx| {
                tx.move_subscription(subscription, SubscriptionAction::Cancel)?;
                tx.move_subscription(subscription, SubscriptionAction::Renew)
            },
            Unprocessable,
        ),
        write(
            "the end of the free one",
            move |tx| tx.cancel_subscription(free, When::Now),
            Unprocessable,
        ),
        write(
            "the end of the free one, by its action",
            move |tx| tx.move_subscription(free, SubscriptionAction::Cancel),
            Unprocessable,
        ),
        write(
            "a suspension of what was revoked",
            move |tx| tx.suspend_entitlement(right),
            Unprocessable,
        ),
        write(
            "a business without a primary",
            move |tx| tx.update_contact(ada, &ContactDraft::default().is_primary(false)),
            Unprocessable,
        ),
        write(
            "a contact of nothing",
            move |tx| tx.upsert_contact(acme, &ContactDraft::default()),
            BadRequest,
        ),
        write(
            "a leave without a successor",
            move |tx| tx.deactivate_user(user, None),
            Unprocessable,
        ),
        write(
            "a tier of an unknown feature",
            |tx| {
                tx.define_tier(
                    &TierDraft::new("x").feature(tenure::TierFeature::new("unheard_of").unwrap()),
                )
            },
            BadRequest,
        ),
        write(
            "use of what was revoked",
            move |tx| tx.track(&Track::new(acme, "ai_credits")),
            ErrorCode::Forbidden,
        ),
    ];
    assert_refused(world, rows);
}

fn an_error_shows_bad_input_short_and_harmless(world: &World) {
    let bad = format!("\u{1b}[2J{}", "x".repeat(5_000));
    let error = world.refused(|tx| tx.create_customer(&CustomerDraft::named(bad.as_str())));
    let text = error.to_string();
    assert!(text.len() < 200 && !text.chars().any(char::is_control), "{text}");
    let error: Arc<Error> = Arc::new(world.refused(|tx| tx.ensure_account(&bad, None)));
    assert!(!format!("{error:?}").contains('\u{1b}') && format!("{error:?}").len() < 400);
}

stories! {
    keys_and_ids,
    amounts_and_limits,
    times,
    texts,
    documents,
    flows,
    an_error_shows_bad_input_short_and_harmless,
}

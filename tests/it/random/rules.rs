//! The rules of the house, as what must be true of the rows after every step.

use super::glass::{Entry, Rows};
use std::collections::{BTreeMap, BTreeSet};
use tenure::domain::alias::ALIASES_MAX;
use tenure::domain::tier::RANKS;
use tenure::value::{Field, Value};
use time::OffsetDateTime;
use uuid::Uuid;

/// Checks them all. `now` is the clock, unless it was set back: then meters are ahead of it.
pub fn check(rows: &Rows, now: Option<OffsetDateTime>) {
    for customer in rows.of("customer") {
        check_display_name(rows, customer);
        check_contacts(rows, customer);
        check_aliases(rows, customer);
        check_tier(rows, customer);
        check_rights(rows, customer);
    }
    if let Some(now) = now {
        check_meters(rows, now);
    }
    check_references(rows);
}

fn of<'r>(rows: &'r Rows, table: &'r str, customer: Uuid) -> impl Iterator<Item = Entry<'r>> {
    rows.of(table).filter(move |it| it.uuid("customer_id") == customer)
}

fn check_display_name(rows: &Rows, customer: Entry<'_>) {
    let current = of(rows, "display_name", customer.id()).filter(|it| it.flag("is_current"));
    let current: Vec<&str> = current.map(|it| it.text("name")).collect();
    assert_eq!(current, [customer.text("display_name")], "one current display name");
}

fn check_contacts(rows: &Rows, customer: Entry<'_>) {
    let contacts: Vec<_> = of(rows, "contact", customer.id()).collect();
    let primary = contacts.iter().filter(|it| it.flag("is_primary")).count();
    let business = matches!(customer.text("kind"), "business" | "enterprise");
    assert!(primary <= 1, "several primary contacts");
    assert!(
        !business || contacts.is_empty() || primary == 1,
        "a business without a primary contact"
    );
}

fn check_aliases(rows: &Rows, customer: Entry<'_>) {
    assert!(of(rows, "alias", customer.id()).count() <= ALIASES_MAX, "too many aliases");
}

fn running(rows: &Rows, customer: Uuid) -> Vec<Entry<'_>> {
    let runs = |it: &Entry<'_>| matches!(it.text("status"), "trialing" | "active" | "past_due");
    of(rows, "subscription", customer).filter(runs).collect()
}

fn tier_of<'r>(rows: &'r Rows, subscription: Entry<'_>) -> Option<Entry<'r>> {
    let key =
        |it: Entry<'_>, code: &str, version: &str| (it.text(code).to_owned(), it.number(version));
    let wanted = key(subscription, "tier_code", "tier_version");
    rows.of("tier").find(|it| key(*it, "code", "version") == wanted)
}

fn check_tier(rows: &Rows, customer: Entry<'_>) {
    let running = running(rows, customer.id());
    let rank = |it: &Entry<'_>| match tier_of(rows, *it) {
        Some(tier) => tier.amount("rank"),
        None => RANKS.iter().find(|(code, _)| *code == it.text("tier_code")).map_or(0, |it| it.1),
    };
    let highest = running.iter().map(rank).max();
    let leads = |it: &&Entry<'_>| Some(rank(it)) == highest;
    let tiers: Vec<&str> = running.iter().filter(leads).map(|it| it.text("tier_code")).collect();
    let tier = customer.text("tier");
    assert!(tiers.contains(&tier), "tier {tier} of a customer whose subscriptions give {tiers:?}");
    let mut paid = BTreeMap::new();
    for it in running.iter().filter(|it| it.text("kind") == "paid") {
        *paid.entry(it.text("product_id")).or_insert(0) += 1;
    }
    assert!(paid.values().all(|count| *count == 1), "two paid subscriptions run: {paid:?}");
    let free = running.iter().filter(|it| it.text("kind") == "free").count();
    assert!(free == 0 || running.len() == 1, "the free subscription runs beside another");
}

/// What the running subscriptions give is held, and nothing that none of them gives.
fn check_rights(rows: &Rows, customer: Entry<'_>) {
    let mut given = BTreeSet::new();
    for subscription in running(rows, customer.id()) {
        let Some(tier) = tier_of(rows, subscription) else { continue };
        let features: Vec<tenure::TierFeature> =
            serde_json::from_str(tier.text("features")).unwrap();
        given.extend(features.into_iter().map(|it| it.code.to_string()));
    }
    let mut base = BTreeSet::new();
    for right in of(rows, "entitlement", customer.id()) {
        let followed = matches!(right.text("source"), "plan" | "subscription");
        // What somebody stopped or took away stays so, through whatever tiers the customer goes.
        let stopped = matches!(right.text("status"), "suspended" | "revoked");
        let code = right.text("feature_code").to_owned();
        assert!(
            !followed || stopped || given.contains(&code),
            "a right to {code} that no tier gives"
        );
        if followed || right.text("source") == "manual" {
            assert!(base.insert(code), "two base rights to one feature");
        }
    }
    assert!(given.is_subset(&base), "{given:?} are given, {base:?} are held");
}

/// A meter that says it is fresh says what its entitlements amount to.
fn check_meters(rows: &Rows, now: OffsetDateTime) {
    let Value::Time(now) = now.to_value() else { return };
    for meter in rows.of("meter") {
        let (start, end) = (meter.amount("window_start"), meter.number("window_end"));
        assert!(end.is_none_or(|end| start < end), "an empty window");
        assert!(start <= now + 300_000_000, "a window of the future");
        let customer = rows.find("customer", meter.uuid("customer_id")).unwrap();
        let barred = match customer.text("status") {
            _ if *customer.value("deleted_at") != Value::Null => Some("unknown_customer"),
            "suspended" => Some("customer_suspended"),
            "churned" => Some("customer_churned"),
            _ => None,
        };
        assert!(barred.is_none_or(|why| why == meter.text("denial")), "{barred:?} can use it");
        if meter.number("fresh_until").is_some_and(|until| until <= now) || start > now {
            continue;
        }
        let grants = || {
            let all = of(rows, "entitlement", customer.id());
            all.filter(|it| it.text("feature_code") == meter.text("feature_code"))
        };
        let usable = grants().filter(|it| {
            it.flag("is_enabled")
                && it.text("status") == "active"
                && it.number("valid_from").is_none_or(|from| from <= now)
                && it.number("valid_until").is_none_or(|until| now < until)
        });
        let usable: Vec<Option<i64>> = usable.map(|it| it.number("limit")).collect();
        assert_eq!(
            usable.is_empty() || barred.is_some(),
            !meter.text("denial").is_empty(),
            "a denial exactly where nothing is usable: `{}`",
            meter.text("denial")
        );
        // Where nothing is usable, the figures of what was not taken away are shown.
        let shown = if usable.is_empty() {
            grants()
                .filter(|it| it.text("status") != "revoked")
                .map(|it| it.number("limit"))
                .collect()
        } else {
            usable
        };
        let limit = shown.iter().try_fold(0_i64, |sum, limit| Some(sum.saturating_add((*limit)?)));
        let told = meter.number("limit");
        let what = meter.text("feature_code");
        if grants().all(|it| it.amount("used_amount") == 0) && meter.amount("used") == 0 {
            assert_eq!(told, limit, "the limit of {what}");
        } else if let (Some(told), Some(limit)) = (told, limit) {
            // What was used of a grant that is over by now counts on both sides.
            let most = limit.saturating_add(meter.amount("used").max(0));
            assert!(told <= most, "the limit of {what}: {told}, not above {most}");
        } else {
            assert_eq!(told, limit, "the limit of {what}");
        }
    }
}

/// What refers to something refers to what there is.
fn check_references(rows: &Rows) {
    let customers: BTreeSet<Uuid> = rows.ids("customer").into_iter().collect();
    for table in [
        "display_name",
        "flair",
        "contact",
        "alias",
        "link",
        "link_profile",
        "subscription",
        "entitlement",
        "meter",
        "usage_event",
        "usage_window",
        "usage_snapshot",
    ] {
        let strays = rows.of(table).filter(|it| !customers.contains(&it.uuid("customer_id")));
        assert_eq!(strays.count(), 0, "{table} of nobody");
    }
    let meters: BTreeSet<Uuid> = rows.ids("meter").into_iter().collect();
    for table in ["usage_event", "usage_window", "usage_snapshot"] {
        assert!(
            rows.of(table).all(|it| meters.contains(&it.uuid("meter_id"))),
            "{table} of no meter"
        );
    }
}

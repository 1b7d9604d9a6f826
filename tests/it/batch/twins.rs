//! Random batches in one world, the same events one by one in another: the same answers, the same
//! counters, the same ledger.

use crate::support::{BEGINNING, Clock, World, document};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tenure::domain::cycle::Cycle;
use tenure::store::memory::MemoryStore;
use tenure::{
    AccessPatch, Change, Correction, CustomerDraft, CustomerId, CustomerRef, FeatureDraft, Grace,
    HistoryFilter, LimitWindow, NewGrant, NewLink, NewSubscription, Overage, PAGE_MAX, PeriodType,
    Quantity, Reserve, ResetPeriod, Result, Store, TierDraft, Track, Tx, UsageEvent, UsageSource,
    View,
};
use time::Duration;
use uuid::Uuid;

type Text = &'static str;

/// What can be metered; the last two are no right of anybody, and nothing at all.
const FEATURES: [Text; 8] =
    ["credits", "clamped", "open", "graced", "free", "billed", "barred", "nothing"];
const QUANTITIES: [Text; 8] = ["1", "1", "2", "0.5", "7", "0", "-1", "9000000000000"];
/// How many seconds after the clock usage lies.
const TIMES: [i64; 14] = [
    0,
    -1,
    -60,
    -3_000,
    -4_000,
    -86_400,
    -5 * 86_400,
    -20 * 86_400,
    -34 * 86_400,
    -36 * 86_400,
    60,
    300,
    301,
    86_400,
];
const PAUSES: [i64; 7] = [0, 60, 3_600, 86_400, 10 * 86_400, 32 * 86_400, -7_200];

#[derive(Debug, Clone)]
struct Used {
    who: usize,
    feature: Text,
    quantity: Text,
    key: Option<Text>,
    at: Option<i64>,
    note: Option<u8>,
}

/// What happens between batches.
#[derive(Debug, Clone)]
enum Between {
    Nothing,
    Grant(Text, u32),
    Reserve(Text, u32),
    Limit(Text, u32),
    Set(Text, u32),
    Refund(Text),
    Turn(Text, bool),
    Freeze(i64),
    Tick,
}

#[derive(Debug, Clone)]
struct Setup {
    limits: Vec<(u32, ResetPeriod, usize)>,
    carries: bool,
}

fn keys() -> &'static [Text] {
    static KEYS: std::sync::OnceLock<Vec<Text>> = std::sync::OnceLock::new();
    KEYS.get_or_init(|| {
        let known = ["", "a\0b", "0f8fad5b-d9cb-469f-a165-70867728950e"].into_iter();
        let more = (0..60).map(|n| &*Box::leak(format!("k{n}").into_boxed_str()));
        known.chain(more).collect()
    })
}

fn used(feature: Text, timed: f64) -> impl Strategy<Value = Used> {
    let who = prop_oneof![12 => Just(0_usize), 2 => Just(1), 1 => 2..6_usize];
    let feature = prop_oneof![10 => Just(feature), 2 => select(&FEATURES[..])];
    let quantity = prop_oneof![8 => Just("1"), 3 => select(&QUANTITIES[..])];
    let key = option::weighted(0.8, select(keys()));
    let at = option::weighted(timed, select(&TIMES[..]));
    (who, feature, quantity, key, at, option::weighted(0.1, 0..2_u8)).prop_map(
        |(who, feature, quantity, key, at, note)| Used { who, feature, quantity, key, at, note },
    )
}

fn batch() -> impl Strategy<Value = Vec<Used>> {
    (select(&FEATURES[..6]), select(&[0.001, 0.05, 0.5][..]))
        .prop_flat_map(|(feature, timed)| prop::collection::vec(used(feature, timed), 1..110))
}

fn between() -> impl Strategy<Value = Between> {
    let feature = || select(&FEATURES[..6]);
    prop_oneof![
        3 => Just(Between::Nothing),
        2 => (feature(), 1..40_u32).prop_map(|(f, n)| Between::Grant(f, n)),
        1 => (feature(), 1..9_u32).prop_map(|(f, n)| Between::Reserve(f, n)),
        1 => (feature(), 0..90_u32).prop_map(|(f, n)| Between::Limit(f, n)),
        1 => (feature(), 0..30_u32).prop_map(|(f, n)| Between::Set(f, n)),
        1 => feature().prop_map(Between::Refund),
        1 => (feature(), any::<bool>()).prop_map(|(f, on)| Between::Turn(f, on)),
        1 => select(&[-86_400, -3 * 86_400][..]).prop_map(Between::Freeze),
        1 => Just(Between::Tick),
    ]
}

fn setup() -> impl Strategy<Value = Setup> {
    let limit = (select(&[3, 12, 40, 1_000][..]), select(ResetPeriod::ALL), 0..7_usize);
    (prop::collection::vec(limit, 6), any::<bool>())
        .prop_map(|(limits, carries)| Setup { limits, carries })
}

/// A world whose ids another can repeat.
struct Twin {
    world: World,
    ids: Arc<AtomicU64>,
    customers: Vec<CustomerRef>,
    clock: Clock,
}

impl Twin {
    fn over(store: impl Store + 'static, setup: &Setup) -> Self {
        let ids = Arc::new(AtomicU64::new(1));
        let count = Arc::clone(&ids);
        let next = move || u128::from(count.fetch_add(1, Ordering::SeqCst));
        let world = World::over(store, |builder| {
            builder.ids(move |_| Uuid::from_u128((0x0198_0000_0000_7000_8000_u128 << 48) | next()))
        });
        let clock = world.clock.clone();
        let customers = world.done(|tx| furnish(tx, setup));
        Self { world, ids, customers, clock }
    }

    /// From here on the ids are those of step number `step`.
    fn begin(&self, step: usize) {
        self.ids.store((step as u64 + 1) << 32, Ordering::SeqCst);
    }

    fn first(&self) -> CustomerId {
        let CustomerRef::Id(id) = self.customers[0] else { panic!() };
        id
    }

    fn tracks(&self, batch: &[Used]) -> Vec<Track> {
        batch.iter().map(|used| self.track(used)).collect()
    }

    fn track(&self, used: &Used) -> Track {
        let mut track = Track::new(self.customers[used.who].clone(), used.feature);
        track = track.quantity(used.quantity.parse::<Quantity>().unwrap());
        track.idempotency_key = used.key.map(ToOwned::to_owned);
        track.event_time = used.at.map(|at| self.clock.now() + Duration::seconds(at));
        track.metadata = used.note.map(|note| document(json!({ "note": note })));
        track.source = UsageSource::Batch;
        track
    }

    fn between(&self, step: &Between) -> String {
        let (id, world) = (self.first(), &self.world);
        let said = |outcome: Result<String>| outcome.unwrap_or_else(|error| error.to_string());
        match *step {
            Between::Nothing => String::new(),
            Between::Grant(feature, quantity) => said(world.tried(|tx| {
                tx.grant(id, &NewGrant::of(feature, quantity)).map(|it| format!("{it:?}"))
            })),
            Between::Reserve(feature, quantity) => said(world.tried(|tx| {
                let reserve = Reserve::new(id, feature, quantity, Duration::HOUR);
                tx.reserve(&reserve.key(format!("hold-{quantity}"))).map(|it| format!("{it:?}"))
            })),
            Between::Limit(feature, limit) => said(world.tried(|tx| {
                let patch = AccessPatch::new().limit(Quantity::from(limit));
                tx.set_access(id, feature, &patch).map(|it| format!("{it:?}"))
            })),
            Between::Set(feature, quantity) => said(world.tried(|tx| {
                let set = Correction::new(id, feature, quantity, "counted").key("set");
                tx.set_usage(&set).map(|it| format!("{it:?}"))
            })),
            Between::Refund(feature) => {
                let of = world.seen(|view| history(view, id, feature)).into_iter();
                let of: Option<UsageEvent> = of
                    .filter(|it| keys().contains(&it.idempotency_key.as_str()))
                    .min_by_key(|it| it.id);
                let Some(of) = of else { return String::new() };
                let refund = Correction::new(
                    id,
                    feature,
                    Quantity::ZERO.checked_sub(of.quantity).unwrap(),
                    "refund",
                );
                said(world.tried(|tx| {
                    tx.adjust_usage(&refund.clone().of(of.id).key("refund"))
                        .map(|it| format!("{it:?}"))
                }))
            }
            Between::Turn(feature, on) => said(world.tried(|tx| {
                tx.set_access(id, feature, &AccessPatch::new().enabled(on))
                    .map(|it| format!("{it:?}"))
            })),
            Between::Freeze(at) => said(world.tried(|tx| {
                let at = self.clock.now() + Duration::seconds(at);
                let period = tx.aggregate_usage(id, PeriodType::Day, at)?;
                tx.finalize_usage(period.id).map(|it| format!("{it:?}"))
            })),
            Between::Tick => format!("{:?}", world.tenure.tick().is_ok()),
        }
    }

    /// All that can be told apart of what was counted, in a form that does not depend on keys that
    /// were made, nor on how many announcements consumption had.
    fn state(&self) -> Vec<String> {
        let world = &self.world;
        let mut state = Vec::new();
        for customer in self.customers.iter().take(3) {
            for feature in &FEATURES[..6] {
                state.push(format!(
                    "{:?}",
                    world.seen(|view| view.check(customer.clone(), feature))
                ));
                let events = world.seen(|view| history(view, customer.clone(), feature));
                let mut lines: Vec<String> = events
                    .iter()
                    .map(|event| {
                        let burns = world.seen(|view| view.burns(event.id));
                        format!("{} {burns:?}", anonymous(event))
                    })
                    .collect();
                lines.sort_unstable();
                state.extend(lines);
            }
        }
        let id = self.first();
        state.push(format!("{:?}", world.seen(|view| view.entitlements(id))));
        let told = crate::support::events(&world.tenure).into_iter();
        let mut told: Vec<String> = told
            .filter(|event| event.name != "entitlement.consumed")
            .map(|mut event| {
                if let Some(data) = event.data.as_object_mut() {
                    // What was used when a threshold was passed: after the batch, or in its middle.
                    data.remove("used");
                }
                format!("{} {} {} {}", event.name, event.subject, event.data, event.occurred_at)
            })
            .collect();
        told.sort_unstable();
        state.extend(told);
        let verified = world.tenure.verify(|_| ()).unwrap();
        assert!(verified.is_sound(), "{verified:?}");
        state.push(format!("{verified:?}"));
        state
    }
}

fn history(
    view: &View<'_>,
    customer: impl Into<CustomerRef>,
    feature: &str,
) -> Result<Vec<UsageEvent>> {
    let page = view.usage_history(customer, feature, &HistoryFilter::all(), PAGE_MAX, None)?;
    assert!(page.next.is_none());
    Ok(page.items)
}

/// A key that was made, and what follows from it, is another in each world.
fn anonymous(event: &UsageEvent) -> String {
    let mut event = event.clone();
    if !keys().contains(&event.idempotency_key.as_str()) && event.source == UsageSource::Batch {
        event.id = Uuid::nil().into();
        event.idempotency_key = tenure::IdempotencyKey::parse("made").unwrap();
    }
    format!("{event:?}")
}

fn furnish(tx: &mut Tx<'_>, setup: &Setup) -> Result<Vec<CustomerRef>> {
    let overages = [
        Overage::Reject,
        Overage::Clamp,
        Overage::Allow,
        Overage::Grace(Grace::Quantity(Quantity::from(5))),
    ];
    for (feature, overage) in FEATURES[..7].iter().zip(overages.into_iter().cycle()) {
        let draft = FeatureDraft::default().overage(overage).carries_overage(setup.carries);
        let draft = if *feature == "billed" { draft.billing_meter("uses") } else { draft };
        tx.define_feature(feature, &draft)?;
    }
    let mut customers = Vec::new();
    for name in ["Acme", "Globex", "Initech"] {
        let id = tx.create_customer(&CustomerDraft::named(name))?.id;
        for (feature, (limit, resets, windows)) in FEATURES.iter().zip(&setup.limits) {
            let limit =
                if *feature == "free" { Change::Clear } else { Quantity::from(*limit).into() };
            let mut patch = AccessPatch::new().limit(limit).resets(*resets).included(4);
            if let Some(window) = further(*windows) {
                patch = patch.window(window);
            }
            tx.set_access(id, feature, &patch)?;
        }
        customers.push(CustomerRef::from(id));
    }
    let mut paid = NewSubscription::to("metered");
    paid.stripe_customer_id = Some("cus_acme".to_owned());
    tx.define_tier(&TierDraft::new("metered"))?;
    let CustomerRef::Id(acme) = customers[0] else { panic!() };
    tx.add_subscription(acme, &paid)?;
    let CustomerRef::Id(initech) = customers[2] else { panic!() };
    tx.link(acme, &NewLink::to("org_1"))?;
    tx.delete_customer(initech)?;
    customers[2] = CustomerRef::ExternalOrg("org_1".to_owned());
    customers.push(CustomerRef::ExternalOrg("org_9".to_owned()));
    customers.push(CustomerRef::Id(Uuid::from_u128(7).into()));
    customers.push(CustomerRef::Id(initech));
    Ok(customers)
}

/// A further limit, or none.
fn further(number: usize) -> Option<LimitWindow> {
    let hour = Cycle::hours(1).unwrap();
    match number {
        0 => Some(LimitWindow::first_use(hour, 9)),
        1 => Some(LimitWindow::sliding(hour, 15)),
        2 => Some(LimitWindow::calendar(Cycle::DAY, 20)),
        3 => Some(LimitWindow::lifetime(50)),
        _ => None,
    }
}

/// An answer without what follows from a key that was made.
fn said(answer: &Result<tenure::UsageResult>, used: &Used) -> String {
    match answer {
        Ok(result) => {
            let mut result = result.clone();
            if used.key.is_none() {
                result.event_id = Uuid::nil().into();
            }
            format!("{result:?}")
        }
        Err(error) => format!("{error:?} {}", error.code()),
    }
}

fn told(one: &Twin, other: &Twin, story: &[(Vec<Used>, Between, i64)]) {
    for (step, (batch, between, pause)) in story.iter().enumerate() {
        one.begin(2 * step);
        other.begin(2 * step);
        let answers = one.world.tenure.track_batch(&one.tracks(batch)).unwrap();
        assert_eq!(answers.len(), batch.len());
        for (n, (used, answer)) in batch.iter().zip(&answers).enumerate() {
            let single = other.world.tenure.track(&other.track(used));
            assert_eq!(said(answer, used), said(&single, used), "step {step}, event {n}: {used:?}");
        }
        similar_asserts(&one.state(), &other.state(), step);
        one.begin(2 * step + 1);
        other.begin(2 * step + 1);
        assert_eq!(one.between(between), other.between(between), "step {step}: {between:?}");
        for twin in [one, other] {
            twin.clock.advance(Duration::seconds(*pause));
        }
    }
    for twin in [one, other] {
        twin.world.tenure.deliver_usage(PAGE_MAX).unwrap();
    }
    let sent = |twin: &Twin| {
        let sent = twin.world.till.meters.meter_events().into_iter();
        sent.map(|it| (it.customer_id.to_string(), it.value, it.timestamp)).collect::<Vec<_>>()
    };
    assert_eq!(sent(one), sent(other), "what the gateway heard");
}

fn similar_asserts(one: &[String], other: &[String], step: usize) {
    for (a, b) in one.iter().zip(other) {
        assert_eq!(a, b, "step {step}");
    }
    assert_eq!(one.len(), other.len(), "step {step}");
}

fn story() -> impl Strategy<Value = (Setup, Vec<(Vec<Used>, Between, i64)>)> {
    let step = (batch(), between(), select(&PAUSES[..]));
    (setup(), prop::collection::vec(step, 1..6))
}

/// 48 cases, unless `PROPTEST_CASES` says otherwise.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(48);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_batch_is_what_its_events_are_one_by_one((setup, story) in story()) {
        let one = Twin::over(MemoryStore::new(), &setup);
        let other = Twin::over(MemoryStore::new(), &setup);
        assert_eq!(one.clock.now(), BEGINNING);
        told(&one, &other, &story);
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn a_batch_is_what_its_events_are_one_by_one_in_a_file((setup, story) in story()) {
        let file = tempfile::tempdir().unwrap();
        let options = tenure::store::sqlite::SqliteStore::options();
        let options = options.durability(tenure::store::sqlite::Durability::Normal);
        let one = Twin::over(options.create(file.path().join("one.db")).unwrap(), &setup);
        let other = Twin::over(MemoryStore::new(), &setup);
        told(&one, &other, &story);
    }
}

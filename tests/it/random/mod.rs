//! Random histories: sequences of every operation, told to two worlds side by side.
//!
//! After each step both worlds gave the same answer and hold the same rows, what was refused
//! changed nothing, every change left its event, and the rules of the house hold. More cases with
//! the environment variable `PROPTEST_CASES`.

mod glass;
mod ledger;
mod perform;
mod rules;
mod steps;
mod warm;

use glass::{Glass, Rows};
use ledger::Ledger;
use perform::{Answer, Known};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use steps::{Call, Step};
use tenure::billing::FakeBilling;
use tenure::store::memory::MemoryStore;
use tenure::{
    Builder, Error, FeatureDraft, OrgId, Overage, ResetPeriod, Store, Tenure, TierDraft,
    TierFeature, View,
};
use time::Duration;
use uuid::Uuid;

use crate::support::{BEGINNING, Clock};

const ORGS: [&str; 2] = ["north", "south"];

/// A world that can be looked into.
struct World {
    tenure: Tenure,
    glass: Glass,
    billing: FakeBilling,
}

/// The world that others are compared with.
fn model(clock: &Clock) -> World {
    World::over(MemoryStore::new(), clock)
}

/// The world that is compared with it.
#[cfg(feature = "sqlite")]
fn other(clock: &Clock) -> World {
    World::over(tenure::store::sqlite::SqliteStore::in_memory().unwrap(), clock)
}

/// Without it, another of the same.
#[cfg(not(feature = "sqlite"))]
fn other(clock: &Clock) -> World {
    model(clock)
}

impl World {
    fn over(store: impl Store + 'static, clock: &Clock) -> Self {
        Self::with(store, clock, |builder| builder)
    }

    fn with(
        store: impl Store + 'static,
        clock: &Clock,
        how: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let (glass, billing) = (Glass::around(store), FakeBilling::new());
        let (shown, count) = (clock.clone(), Arc::new(AtomicU64::new(1)));
        let next = move || u128::from(count.fetch_add(1, Ordering::SeqCst));
        let builder = Tenure::builder(glass.clone())
            .clock(move || shown.now())
            .ids(move |_| Uuid::from_u128((0x0198_0000_0000_7000_8000_u128 << 48) | next()))
            .billing(billing.clone());
        let tenure = how(builder).open().unwrap();
        let world = Self { tenure, glass, billing };
        for org in ORGS {
            world.open_shop(org);
        }
        world
    }

    /// A catalogue and a customer, so that there is something to do from the first step on.
    fn open_shop(&self, org: &str) {
        let feature = |code: &str| TierFeature::new(code).unwrap();
        let tenure = self.tenure.for_org(org);
        tenure
            .write(|tx| {
                tx.define_feature("credits", &FeatureDraft::default())?;
                tx.define_feature("seats", &FeatureDraft::default().overage(Overage::Clamp))?;
                tx.define_feature("disk", &FeatureDraft::default().overage(Overage::Allow))?;
                tx.define_feature("sso", &FeatureDraft::default().kind("feature"))?;
                let credits = |limit| feature("credits").limit(limit, ResetPeriod::Daily);
                tx.define_tier(&TierDraft::new("free").feature(credits(5)))?;
                let seats = feature("seats").limit(3, ResetPeriod::Never);
                tx.define_tier(&TierDraft::new("starter").feature(credits(20)).feature(seats))?;
                let credits = feature("credits").limit(100, ResetPeriod::Monthly).included(50);
                let pro = TierDraft::new("pro").feature(credits).feature(feature("sso"));
                tx.define_tier(&pro.feature(feature("disk").limit(10, ResetPeriod::Weekly)))?;
                tx.create_customer(&tenure::CustomerDraft::named("Hooli"))
            })
            .unwrap();
    }

    fn rows(&self, org: &str) -> Rows {
        self.glass.rows(OrgId::named(org))
    }
}

fn assert_same(what: &str, left: &Rows, right: &Rows) {
    assert!(left == right, "{what}:\n{}", left.difference(right));
}

/// Tells a history to both worlds.
fn tell(calls: &[Call]) {
    let clock = Clock::at(BEGINNING);
    let worlds = [model(&clock), other(&clock)];
    let mut latest = clock.now();
    let mut ledgers = ORGS.map(|_| Ledger::default());
    let mut before = ORGS.map(|org| worlds[0].rows(org));
    for (number, Call { org, product, step }) in calls.iter().enumerate() {
        let here = ORGS.iter().position(|it| it == org).unwrap();
        let known = Known::of(&before[here], &before[1 - here]);
        if let Step::Clock(seconds) = step {
            clock.advance(Duration::seconds(*seconds));
        }
        let [answer, same] = worlds.each_ref().map(|world| {
            let tenure = world.tenure.for_org(org).for_product(product).unwrap();
            perform::perform(&tenure, &world.billing, step, &known)
        });
        assert_eq!(answer.text, same.text, "step {number}: both worlds answer the same");
        let after = ORGS.map(|org| worlds[0].rows(org));
        for (place, org) in ORGS.iter().enumerate() {
            assert_same("both worlds hold the same", &after[place], &worlds[1].rows(org));
        }
        assert_same("another org changes nothing", &before[1 - here], &after[1 - here]);
        check_effect(step, &answer, &before[here], &after[here]);
        let is_latest = clock.now() >= latest;
        latest = latest.max(clock.now());
        ledgers[here].take(&answer, &before[here], &after[here]);
        rules::check(&after[here], is_latest.then(|| clock.now()));
        if matches!(step, Step::Tick) && !answer.failed {
            let now = clock.now();
            let overdue =
                |view: &View<'_>| Ok::<_, Error>(view.next_due()?.filter(|due| *due <= now));
            let overdue = worlds[0].tenure.for_org(org).read(overdue).unwrap();
            assert_eq!(overdue, None, "nothing is due after a tick");
        }
        let found = worlds[0].tenure.for_org(org).verify(|_| ()).unwrap();
        assert!(found.is_sound(), "after step {number}: {:?}", found.discrepancies);
        let found = worlds[0].tenure.for_org(org).check_link_index(|_| ()).unwrap();
        assert!(found.is_sound(), "after step {number}: {:?}", found.discrepancies);
        before = after;
    }
    for (world, org) in worlds.iter().flat_map(|world| ORGS.map(|org| (world, org))) {
        let found = world.tenure.for_org(org).verify(|_| ()).unwrap();
        assert!(found.is_sound(), "{:?}", found.discrepancies);
        let found = world.tenure.for_org(org).check_link_index(|_| ()).unwrap();
        assert!(found.is_sound(), "{:?}", found.discrepancies);
    }
}

/// What was refused changed nothing; what changed left events, numbered without a gap; what
/// changed nothing left none.
fn check_effect(step: &Step, answer: &Answer, before: &Rows, after: &Rows) {
    // A tick is several transactions, of which those before a failure are kept.
    if answer.failed && !matches!(step, Step::Tick) || matches!(step, Step::Preview(_)) {
        assert_same("what was refused changed nothing", before, after);
    }
    // What is no longer in the outbox is written down when it is acknowledged.
    let last = |rows: &Rows| {
        let kept = rows.of("event").map(|it| it.amount("sequence")).max();
        kept.max(rows.of("counter").map(|it| it.amount("value")).max()).unwrap_or(0)
    };
    let known: std::collections::HashSet<Uuid> = before.ids("event").into_iter().collect();
    let fresh = after.of("event").filter(|event| !known.contains(&event.id()));
    let numbers: Vec<i64> = fresh.map(|event| event.amount("sequence")).collect();
    let expected: Vec<i64> = (last(before) + 1..=last(after)).collect();
    assert_eq!(numbers, expected, "events are numbered without a gap");
    let changed = before.state() != after.state();
    // A tick moves windows in which nothing was used on: that is bookkeeping, and no event.
    if !matches!(step, Step::Tick) {
        let difference = before.state().difference(&after.state());
        // What one step of two does, the other may take back.
        let both = matches!(step, Step::Both(..));
        let nothing = changed || both || numbers.is_empty();
        assert!(nothing, "an event of nothing: {}", last_event(after));
        assert!(!changed || !numbers.is_empty(), "a change without an event:\n{difference}");
    }
    let gone = known.iter().any(|id| after.find("event", *id).is_none());
    assert!(!gone || matches!(step, Step::Acknowledge(_)), "an event is gone");
}

fn last_event(rows: &Rows) -> String {
    rows.of("event").last().map_or_else(String::new, |event| event.text("name").to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(200),
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_history_keeps_every_promise(calls in steps::calls()) {
        tell(&calls);
    }
}

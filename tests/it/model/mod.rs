//! Grants, windows, rollover, holds and refunds beside a plain model of them: after each step of a
//! random history both accept the same, count the same and have the same left.
//!
//! More cases with the environment variable `PROPTEST_CASES`.

mod plain;

use crate::metered::CREDITS;
use crate::support::{BEGINNING, Clock};
use plain::{At, Beyond, Grant, Kind, Limit, Meter, Status};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use std::sync::atomic::{AtomicU64, Ordering};
use tenure::domain::cycle::Cycle;
use tenure::store::memory::MemoryStore;
use tenure::{
    AccessPatch, Change, Commit, Correction, CustomerDraft, CustomerId, EntitlementId,
    FeatureDraft, HistoryFilter, HoldId, LimitWindow, NewGrant, Overage, Quantity, Reserve,
    ResetPeriod, Rollover, Store, Tenure, TierDraft, TierFeature, Track,
};
use time::Duration;
use uuid::Uuid;

const HOUR: At = 3_600;
const DAY: At = 24 * HOUR;

/// A further window of a grant: its kind and its limit.
type Further = (Kind, i64);

#[derive(Debug, Clone)]
struct Granted {
    limit: Option<i64>,
    period: ResetPeriod,
    rollover: Option<(i64, i64)>,
    further: Vec<Further>,
    priority: i64,
    from: Option<At>,
    lasts: Option<At>,
}

#[derive(Debug, Clone)]
enum Step {
    Track(i64, Option<At>),
    Retry,
    Set(i64),
    Adjust(i64),
    Reserve(i64, At),
    Commit(usize, i64),
    Release(usize),
    Grant(Granted),
    Suspend(usize),
    Resume(usize),
    Revoke(usize),
    Limit(Option<i64>),
    Tier(usize),
    Clock(At),
    Tick,
    Reopen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Nothing,
    Tier,
    ByHand,
}

/// What the tiers give: nothing, so much a day, so much a week.
const TIERS: [Option<(i64, ResetPeriod)>; 3] =
    [None, Some((10, ResetPeriod::Daily)), Some((40, ResetPeriod::Weekly))];
const TIER_NAMES: [&str; 3] = ["none", "small", "big"];

const KINDS: [Kind; 4] =
    [Kind::FirstUse(5 * HOUR), Kind::Fixed(7 * HOUR), Kind::Anchored(3 * DAY), Kind::Life];
const EARLY: [At; 4] = [-60, -HOUR, -7 * HOUR, -2 * DAY];
const JUMPS: [At; 14] = [
    60,
    HOUR,
    5 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    DAY,
    3 * DAY,
    8 * DAY,
    40 * DAY,
    400 * DAY,
    -HOUR,
    -DAY,
    -4 * DAY,
];

fn further() -> impl Strategy<Value = Further> {
    (select(&KINDS[..]), 1..30_i64)
}

fn granted() -> impl Strategy<Value = Granted> {
    (
        prop::option::weighted(0.9, 1..40_i64),
        select(
            &[ResetPeriod::Never, ResetPeriod::Never, ResetPeriod::Daily, ResetPeriod::Weekly][..],
        ),
        prop::option::weighted(
            0.3,
            (0..3_i64, 0..60_i64).prop_map(|(min, more)| (min + more, min)),
        ),
        prop::collection::vec(further(), 0..3),
        select(&[100, 100, 100, 50, 150][..]),
        prop::option::weighted(0.2, select(&[-DAY, 6 * HOUR, DAY, 3 * DAY][..])),
        prop::option::weighted(0.4, select(&[6 * HOUR, DAY, 2 * DAY, 9 * DAY][..])),
    )
        .prop_map(|(limit, period, rollover, further, priority, from, lasts)| {
            let rollover = rollover.filter(|_| limit.is_some() && period != ResetPeriod::Never);
            Granted { limit, period, rollover, further, priority, from, lasts }
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (1..25_i64, prop::option::weighted(0.2, select(&EARLY[..]))).prop_map(|(q, at)| Step::Track(q, at)),
        1 => Just(Step::Retry),
        2 => (0..60_i64).prop_map(Step::Set),
        3 => prop_oneof![-20..0_i64, 1..15_i64].prop_map(Step::Adjust),
        3 => (1..20_i64, select(&[HOUR, 6 * HOUR, 2 * DAY][..])).prop_map(|(q, ttl)| Step::Reserve(q, ttl)),
        3 => (0..4_usize, 0..25_i64).prop_map(|(n, q)| Step::Commit(n, q)),
        1 => (0..4_usize).prop_map(Step::Release),
        5 => granted().prop_map(Step::Grant),
        1 => (0..6_usize).prop_map(Step::Suspend),
        1 => (0..6_usize).prop_map(Step::Resume),
        1 => (0..6_usize).prop_map(Step::Revoke),
        1 => prop::option::weighted(0.9, 0..50_i64).prop_map(Step::Limit),
        1 => (0..3_usize).prop_map(Step::Tier),
        9 => select(&JUMPS[..]).prop_map(Step::Clock),
        2 => Just(Step::Tick),
        1 => Just(Step::Reopen),
    ]
}

fn start() -> impl Strategy<Value = (Start, Beyond, bool)> {
    (
        select(&[Start::Tier, Start::ByHand, Start::Nothing][..]),
        select(&[Beyond::Refused, Beyond::Refused, Beyond::Clamped, Beyond::Counted][..]),
        prop::bool::weighted(0.3),
    )
}

fn cycle(length: At) -> Cycle {
    Cycle::hours(u32::try_from(length / HOUR).unwrap()).unwrap()
}

fn whole(number: i64) -> Quantity {
    number.try_into().unwrap()
}

fn number(quantity: Quantity) -> i64 {
    assert_eq!(quantity.millionths() % 1_000_000, 0);
    quantity.millionths() / 1_000_000
}

fn period_kind(period: ResetPeriod) -> Kind {
    match period {
        ResetPeriod::Daily => Kind::Anchored(DAY),
        ResetPeriod::Weekly => Kind::Anchored(7 * DAY),
        _ => Kind::Life,
    }
}

fn main_limit((quantity, period): (i64, ResetPeriod)) -> Vec<Limit> {
    vec![Limit { kind: period_kind(period), quantity: Some(quantity), rollover: None }]
}

impl Granted {
    fn limits(&self) -> Vec<Limit> {
        let Self { limit: quantity, rollover, .. } = *self;
        let main = Limit { kind: period_kind(self.period), quantity, rollover };
        let further = self.further.iter().map(|(kind, limit)| Limit {
            kind: *kind,
            quantity: Some(*limit),
            rollover: None,
        });
        std::iter::once(main).chain(further).collect()
    }

    fn draft(&self, now: At) -> NewGrant {
        let at = |at: At| BEGINNING + Duration::seconds(at);
        let mut new = NewGrant::once(CREDITS, 0).resets(self.period).priority(self.priority);
        new.limit = self.limit.map(whole);
        new.rollover =
            self.rollover.map(|(max, min)| Rollover { max: whole(max), min: whole(min) });
        new.valid_from = self.from.map(|from| at(now + from));
        new.valid_until = self.until(now).map(at);
        for (kind, limit) in &self.further {
            new = new.window(match kind {
                Kind::Life => LimitWindow::lifetime(whole(*limit)),
                Kind::Anchored(length) => LimitWindow::anchored(cycle(*length), whole(*limit)),
                Kind::Fixed(length) => LimitWindow::fixed(cycle(*length), whole(*limit)),
                Kind::FirstUse(length) => LimitWindow::first_use(cycle(*length), whole(*limit)),
            });
        }
        new
    }

    fn until(&self, now: At) -> Option<At> {
        self.lasts.map(|lasts| now + self.from.unwrap_or(0).max(0) + lasts)
    }
}

/// A history, told to both.
struct History<'s> {
    tenure: Tenure,
    open: &'s dyn Fn(&Clock) -> Tenure,
    clock: Clock,
    who: CustomerId,
    model: Meter,
    base: Option<EntitlementId>,
    /// Whether the base is the customer's own.
    by_hand: bool,
    ids: Vec<Option<EntitlementId>>,
    holds: Vec<HoldId>,
    anchor: Option<At>,
    tracked: usize,
    last: Option<(Track, i64)>,
}

impl<'s> History<'s> {
    fn begin(
        (start, beyond, carries): (Start, Beyond, bool),
        open: &'s dyn Fn(&Clock) -> Tenure,
    ) -> Self {
        let clock = Clock::at(BEGINNING);
        let tenure = open(&clock);
        let overage = match beyond {
            Beyond::Refused => Overage::Reject,
            Beyond::Clamped => Overage::Clamp,
            Beyond::Counted => Overage::Allow,
        };
        let feature = FeatureDraft::default().overage(overage).carries_overage(carries);
        let who = tenure
            .write(|tx| {
                tx.define_feature(CREDITS, &feature)?;
                for (name, gives) in TIER_NAMES.iter().zip(TIERS) {
                    let mut tier = TierDraft::new(*name);
                    if let Some((limit, period)) = gives {
                        let given = TierFeature::new(CREDITS).unwrap().limit(whole(limit), period);
                        tier = tier.feature(given);
                    }
                    tx.define_tier(&tier)?;
                }
                let who = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
                Ok::<_, tenure::Error>(who)
            })
            .unwrap();
        let model = Meter::new(beyond, carries);
        let (base, by_hand, ids, holds) = (None, start == Start::ByHand, Vec::new(), Vec::new());
        let (anchor, tracked, last) = (None, 0, None);
        let mut history = Self {
            tenure,
            open,
            clock,
            who,
            model,
            base,
            by_hand,
            ids,
            holds,
            anchor,
            tracked,
            last,
        };
        match start {
            Start::Nothing => {}
            Start::Tier => history.tier(1),
            Start::ByHand => {
                let patch = AccessPatch::new().limit(whole(10)).resets(ResetPeriod::Daily);
                history.tenure.write(|tx| tx.set_access(who, CREDITS, &patch)).unwrap();
                let limits = main_limit((10, ResetPeriod::Daily));
                history.anchor = Some(0);
                history.model.grant(Grant::new(true, 0, 0, limits), 0);
                history.learn_base();
            }
        }
        history
    }

    fn now(&self) -> At {
        (self.clock.now() - BEGINNING).whole_seconds()
    }

    fn learn_base(&mut self) {
        let held = self.tenure.read(|view| view.entitlements(self.who)).unwrap();
        let base = held.iter().find(|it| !it.source.is_additional()).unwrap();
        if self.base.is_none() {
            self.ids.push(Some(base.id));
        }
        self.base = Some(base.id);
    }

    fn base_place(&self) -> Option<usize> {
        self.ids.iter().position(|id| id.is_some() && *id == self.base)
    }

    /// Gives the customer a tier, and what follows from it.
    fn tier(&mut self, number: usize) {
        let (now, who) = (self.now(), self.who);
        self.tenure.write(|tx| tx.apply_tier(who, TIER_NAMES[number], &[])).unwrap();
        if self.by_hand {
            return;
        }
        // Periods are counted from when the subscription began.
        let anchor = *self.anchor.get_or_insert(now);
        let place = self.base_place();
        let there = place.and_then(|place| self.model.grants[place].as_ref());
        let stopped =
            there.is_some_and(|it| matches!(it.status, Status::Suspended | Status::Revoked));
        match (TIERS[number], place, there.is_some()) {
            (None, Some(place), true) if !stopped => self.model.remove(place, now),
            (None, ..) => {}
            (Some(gives), ..) if there.is_some_and(|it| it.limits == main_limit(gives)) => {}
            (Some(gives), Some(place), true) => {
                self.model.edit(place, now, |base| base.becomes(main_limit(gives)));
            }
            (Some(gives), Some(place), false) => {
                let base = Grant::new(true, now, anchor, main_limit(gives));
                self.model.restore(place, base, now);
            }
            (Some(gives), None, _) => {
                self.model.grant(Grant::new(true, now, anchor, main_limit(gives)), now);
                self.learn_base();
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each step")]
    fn take(&mut self, step: &Step) {
        let (now, who) = (self.now(), self.who);
        let tenure = self.tenure.clone();
        // What is refused leaves the model as it was.
        let mut next = self.model.clone();
        let (accepted, expected) = match step {
            Step::Track(quantity, early) => {
                let mut track = Track::new(who, CREDITS).quantity(whole(*quantity));
                track = track.key(format!("k{}", self.tracked));
                let mut at = early.map(|early| now + early);
                let mut ahead = next.clone();
                if ahead.exists {
                    ahead.settle(now);
                }
                if at.is_some_and(|at| at < ahead.start) {
                    at = None;
                }
                if let Some(at) = at {
                    track = track.at(BEGINNING + Duration::seconds(at));
                }
                let counted = next.track(*quantity, at, now);
                let result = tenure.write(|tx| tx.track(&track));
                let result = result.map(|it| number(it.delta)).ok();
                assert_eq!(result, counted, "how much was counted");
                if let Some(counted) = counted {
                    self.tracked += 1;
                    self.last = Some((track, counted));
                }
                (result.is_some(), counted.is_some())
            }
            Step::Retry => {
                let Some((track, counted)) = &self.last else { return };
                let again = tenure.write(|tx| tx.track(track)).unwrap();
                assert!(again.duplicate && number(again.delta) == *counted, "the first answer");
                (false, false)
            }
            Step::Set(to) => {
                let correction = Correction::new(who, CREDITS, whole(*to), "counted by hand");
                let done = tenure.write(|tx| tx.set_usage(&correction)).is_ok();
                (done, next.correct(Some(*to), 0, now).is_some())
            }
            Step::Adjust(by) => {
                let correction = Correction::new(who, CREDITS, whole(*by), "it was wrong");
                let done = tenure.write(|tx| tx.adjust_usage(&correction)).is_ok();
                (done, next.correct(None, *by, now).is_some())
            }
            Step::Reserve(quantity, ttl) => {
                let wanted = Reserve::new(who, CREDITS, whole(*quantity), Duration::seconds(*ttl));
                let hold = tenure.write(|tx| tx.reserve(&wanted));
                if let Ok(hold) = &hold {
                    self.holds.push(hold.id);
                }
                (hold.is_ok(), next.reserve(*quantity, *ttl, now).is_some())
            }
            Step::Commit(nth, actual) => {
                let Some(place) = self.holds.len().checked_sub(nth + 1) else { return };
                let commit = Commit::new(self.holds[place], whole(*actual));
                let done = tenure.write(|tx| tx.commit(&commit)).is_ok();
                (done, next.commit(place, *actual, now).is_some())
            }
            Step::Release(nth) => {
                let Some(place) = self.holds.len().checked_sub(nth + 1) else { return };
                let done = tenure.write(|tx| tx.release(self.holds[place])).is_ok();
                (done, next.release(place, now).is_some())
            }
            Step::Grant(granted) => {
                // So that no two are granted at one instant.
                self.clock.advance(Duration::SECOND);
                let now = now + 1;
                let id = tenure.write(|tx| tx.grant(who, &granted.draft(now))).unwrap().id;
                self.ids.push(Some(id));
                let has_base = self.base_place().is_some_and(|place| next.grants[place].is_some());
                let anchor = self.anchor.filter(|_| has_base).unwrap_or(now);
                let mut grant = Grant::new(false, now, anchor, granted.limits());
                grant.priority = granted.priority;
                grant.from = granted.from.map(|from| now + from);
                grant.until = granted.until(now);
                next.grant(grant, now);
                (true, true)
            }
            Step::Suspend(nth) => {
                let to = Status::Suspended;
                let Some(done) = self.moved(&mut next, *nth, to, &|id| {
                    tenure.write(|tx| tx.suspend_entitlement(id)).is_ok()
                }) else {
                    return;
                };
                done
            }
            Step::Resume(nth) => {
                let to = Status::Active;
                let Some(done) = self.moved(&mut next, *nth, to, &|id| {
                    tenure.write(|tx| tx.resume_entitlement(id)).is_ok()
                }) else {
                    return;
                };
                done
            }
            Step::Revoke(nth) => {
                let to = Status::Revoked;
                let Some(done) = self.moved(&mut next, *nth, to, &|id| {
                    tenure.write(|tx| tx.revoke_entitlement(id)).is_ok()
                }) else {
                    return;
                };
                done
            }
            Step::Limit(limit) => {
                let Some(place) = self.base_place() else { return };
                if next.grants[place].is_none() {
                    return;
                }
                let patch = AccessPatch::new()
                    .limit(limit.map_or(Change::Clear, |it| Change::Set(whole(it))));
                tenure.write(|tx| tx.set_access(who, CREDITS, &patch)).unwrap();
                self.by_hand = true;
                next.edit(place, now, |base| {
                    base.limits[0].quantity = *limit;
                    if base.status != Status::Suspended {
                        base.status = Status::Active;
                    }
                });
                (true, true)
            }
            Step::Tier(number) => {
                self.tier(*number);
                return;
            }
            Step::Clock(by) => {
                self.clock.advance(Duration::seconds(*by));
                return;
            }
            Step::Tick => {
                tenure.tick().unwrap();
                next.tick(now);
                (true, true)
            }
            Step::Reopen => {
                self.tenure = (self.open)(&self.clock);
                return;
            }
        };
        assert_eq!(accepted, expected, "whether it is accepted");
        if accepted {
            self.model = next;
        }
    }

    /// Moves a grant to another status, in both.
    fn moved(
        &self,
        model: &mut Meter,
        nth: usize,
        to: Status,
        act: &dyn Fn(EntitlementId) -> bool,
    ) -> Option<(bool, bool)> {
        let place = self.ids.len().checked_sub(nth + 1)?;
        let (id, now) = (self.ids[place]?, self.now());
        let from = model.grants[place].as_ref()?.status;
        let done = act(id);
        let may = from == to || matches!(from, Status::Active | Status::Suspended);
        if may && from != to {
            model.edit(place, now, |grant| grant.status = to);
        }
        Some((done, may))
    }

    fn compare(&self) {
        let (who, now) = (self.who, self.now());
        let mut model = self.model.clone();
        if !model.exists {
            return;
        }
        model.settle(now);
        let access = self.tenure.check(who, CREDITS).unwrap();
        assert_eq!(access.is_enabled, model.is_usable(), "whether it may be used");
        assert_eq!(number(access.current_usage), model.used(), "what was used");
        if model.is_usable() {
            assert_eq!(access.remaining.map(number), model.remaining(), "what is left");
        }
        let held = self.tenure.read(|view| view.entitlements(who)).unwrap();
        for (id, grant) in self.ids.iter().zip(&model.grants) {
            let Some(grant) = grant.as_ref().filter(|it| it.is_in_use()) else { continue };
            let entitlement = held.iter().find(|it| Some(it.id) == *id).unwrap();
            assert_eq!(number(entitlement.used_amount), grant.used(), "used of {grant:?}");
            let left = entitlement.remaining_amount.map(number);
            assert_eq!(left, grant.left(), "left of {grant:?}");
        }
        let events = self.tenure.read(|view| {
            view.usage_history(who, CREDITS, &HistoryFilter::default(), tenure::PAGE_MAX, None)
        });
        let keyed = |it: &&tenure::UsageEvent| it.idempotency_key.as_str().starts_with('k');
        assert_eq!(events.unwrap().items.iter().filter(keyed).count(), self.tracked, "keys once");
        let found = self.tenure.verify(|_| ()).unwrap();
        assert!(found.is_sound(), "{:?}", found.discrepancies);
    }
}

fn tell(start: (Start, Beyond, bool), steps: &[Step], open: &dyn Fn(&Clock) -> Tenure) {
    let mut history = History::begin(start, open);
    history.compare();
    for step in steps {
        history.take(step);
        history.compare();
    }
}

/// A handle whose ids sort as they are made.
fn handle(store: impl Store + 'static, clock: &Clock) -> Tenure {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let shown = clock.clone();
    let next = || u128::from(NEXT.fetch_add(1, Ordering::SeqCst));
    Tenure::builder(store)
        .clock(move || shown.now())
        .ids(move |_| Uuid::from_u128((0x0198_0000_0000_7000_8000_u128 << 48) | next()))
        .open()
        .unwrap()
}

fn cases(default: u32) -> ProptestConfig {
    ProptestConfig {
        cases: std::env::var("PROPTEST_CASES")
            .ok()
            .and_then(|it| it.parse().ok())
            .unwrap_or(default),
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn every_history_goes_as_the_model_says(start in start(), steps in prop::collection::vec(step(), 1..40)) {
        let kept = std::cell::OnceCell::new();
        tell(start, &steps, &|clock| {
            kept.get_or_init(|| handle(MemoryStore::new(), clock)).clone()
        });
    }
}

#[cfg(feature = "sqlite")]
proptest! {
    #![proptest_config(cases(25))]

    #[test]
    fn every_history_in_a_file_that_is_opened_again_goes_so_too(
        start in start(), steps in prop::collection::vec(step(), 1..40),
    ) {
        use tenure::store::sqlite::{Durability, SqliteStore};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        tell(start, &steps, &|clock| {
            let options = SqliteStore::options().durability(Durability::Normal);
            let store = if path.exists() { options.open(&path) } else { options.create(&path) };
            handle(store.unwrap(), clock)
        });
    }
}

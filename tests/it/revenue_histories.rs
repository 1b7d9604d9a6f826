//! Random histories of subscriptions, after every step of which the ledger of revenue agrees with
//! what the subscriptions bring, and its reports with what was seen at the time. More cases with the
//! environment variable `PROPTEST_CASES`.

use crate::support::{BEGINNING, World, eur, events};
use proptest::prelude::*;
use std::collections::BTreeMap;
use tenure::domain::period::Period;
use tenure::{
    BillingCycle, CustomerId, Money, MrrKind, MrrMovement, NewLink, NewSubscription, PAGE_MAX,
    Subscription, SubscriptionAction, SubscriptionStatus, Tenure, TierDraft, When,
};
use time::{Duration, OffsetDateTime};

const TIERS: [&str; 5] = ["starter", "pro", "yearly", "dollar", "unpriced"];
const CUSTOMERS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Add { customer: usize, product: bool, tier: usize, seats: u32, status: u8, back: i64 },
    Cancel { which: usize, now: bool },
    Move { which: usize, action: usize },
    Tier { customer: usize, product: bool, tier: usize, at_end: bool },
    Reset { product: bool },
    Wait { days: i64 },
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    let (customer, tier, product) = (0..CUSTOMERS, 0..TIERS.len(), any::<bool>());
    let add = (customer.clone(), product, tier.clone(), 1..5_u32, 0..8_u8, -40..400_i64);
    let change = (customer, product, tier, any::<bool>());
    prop_oneof![
        4 => add.prop_map(|(customer, product, tier, seats, status, back)| {
            Step::Add { customer, product, tier, seats, status, back: back.max(0) }
        }),
        3 => (0..9_usize, any::<bool>()).prop_map(|(which, now)| Step::Cancel { which, now }),
        3 => (0..9_usize, 0..5_usize).prop_map(|(which, action)| Step::Move { which, action }),
        3 => change.prop_map(|(customer, product, tier, at_end)| {
            Step::Tier { customer, product, tier, at_end }
        }),
        1 => product.prop_map(|product| Step::Reset { product }),
        // Sometimes the clock is set back.
        3 => (-3..45_i64).prop_map(|days| Step::Wait { days }),
        2 => Just(Step::Tick),
    ]
}

/// What each customer brings, by currency.
type Books = BTreeMap<(CustomerId, &'static str), i64>;

struct Shop {
    world: World,
    other: Tenure,
    customers: Vec<CustomerId>,
}

impl Shop {
    fn new() -> Self {
        let world = World::memory();
        let usd = Money::new(3_000, "USD".parse().unwrap());
        let fees = [(eur(19), false), (eur(49), false), (eur(100), true), (usd, false)];
        for (code, (fee, yearly)) in TIERS.iter().zip(fees) {
            let cycle = if yearly { BillingCycle::Yearly } else { BillingCycle::Monthly };
            world.done(|tx| tx.define_tier(&TierDraft::new(*code).fee(fee, cycle)));
        }
        world.done(|tx| tx.define_tier(&TierDraft::new(TIERS[4])));
        let customers: Vec<_> =
            (0..CUSTOMERS).map(|n| world.customer(&format!("Customer {n}")).id).collect();
        let other = world.tenure.for_product("crm").unwrap();
        Self { world, other, customers }
    }

    fn of(&self, product: bool) -> &Tenure {
        if product { &self.other } else { &self.world.tenure }
    }

    fn subscriptions(&self) -> Vec<Subscription> {
        let of = |id: &CustomerId| self.world.seen(|view| view.subscriptions(*id));
        self.customers.iter().flat_map(of).collect()
    }

    /// Some steps are refused, and then change nothing.
    fn perform(&self, step: &Step) {
        let clock = &self.world.clock;
        match step {
            Step::Add { customer, product, tier, seats, status, back } => {
                let started = clock.now() - Duration::days(*back);
                let mut new = NewSubscription::to(TIERS[*tier]).seats(*seats).started(started);
                new.status = match status {
                    0 => SubscriptionStatus::Trialing,
                    1 => SubscriptionStatus::Pending,
                    2 => SubscriptionStatus::PastDue,
                    3 => SubscriptionStatus::Expired,
                    _ => SubscriptionStatus::Active,
                };
                let id = self.customers[*customer];
                let _ = self.of(*product).write(|tx| tx.add_subscription(id, &new));
            }
            Step::Cancel { which, now } => {
                if let Some(it) = self.subscriptions().get(*which) {
                    let when = if *now { When::Now } else { When::PeriodEnd };
                    let _ = self.world.tried(|tx| tx.cancel_subscription(it.id, when));
                }
            }
            Step::Move { which, action } => {
                if let Some(it) = self.subscriptions().get(*which) {
                    let action = SubscriptionAction::ALL[*action];
                    let _ = self.world.tried(|tx| tx.move_subscription(it.id, action));
                }
            }
            Step::Tier { customer, product, tier, at_end } => {
                let (id, tier) = (self.customers[*customer], TIERS[*tier]);
                let _ = self.of(*product).write(|tx| match at_end {
                    true => tx.downgrade(id, tier, When::PeriodEnd),
                    false => tx.apply_tier(id, tier, &[]),
                });
            }
            Step::Reset { product } => {
                let first = self.customers[0];
                self.of(*product)
                    .write(|tx| {
                        tx.link(first, &NewLink::to("org_1"))?;
                        tx.reset_links(false, true)
                    })
                    .unwrap();
            }
            Step::Wait { days } => clock.advance(Duration::days(*days)),
            Step::Tick => drop(self.world.tenure.tick().unwrap()),
        }
    }

    /// What the subscriptions bring, added up without a look at the ledger.
    fn books(&self) -> Books {
        let mut books = Books::new();
        for it in self.subscriptions() {
            let counts =
                matches!(it.status, SubscriptionStatus::Active | SubscriptionStatus::PastDue);
            if let Some(mrr) = it.mrr.filter(|mrr| counts && mrr.amount > 0) {
                *books.entry((it.customer_id, mrr.currency.code())).or_default() += mrr.amount;
            }
        }
        books
    }

    fn movements(&self, customer: CustomerId) -> Vec<MrrMovement> {
        let page = self.world.seen(|view| view.mrr_movements(Some(customer), PAGE_MAX, None));
        let mut items = page.items;
        items.sort_by_key(|it| it.number);
        items
    }

    /// The ledger agrees with the subscriptions, and with itself.
    fn check(&self) -> Result<(), TestCaseError> {
        let books = self.books();
        let mut written = 0;
        for customer in &self.customers {
            let all = self.movements(*customer);
            written += all.len();
            let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
            for (it, number) in all.iter().zip(1..) {
                prop_assert_eq!(it.number, number);
                let currency = it.amount.currency.code();
                let known = sums.contains_key(currency);
                let sum = sums.entry(currency).or_default();
                prop_assert_eq!(it.mrr_before.amount, *sum);
                *sum += it.amount.amount;
                prop_assert_eq!(it.mrr_after.amount, *sum);
                prop_assert!(*sum >= 0 && it.amount.amount != 0);
                let (up, from_nothing) = (it.amount.amount > 0, it.mrr_before.amount == 0);
                let to_nothing = it.mrr_after.amount == 0;
                let fits = match it.kind {
                    MrrKind::New => from_nothing && !known,
                    MrrKind::Reactivation => from_nothing && known,
                    MrrKind::Expansion => up && !from_nothing,
                    MrrKind::Contraction => !up && !to_nothing,
                    MrrKind::Churn => !up && to_nothing,
                    MrrKind::Reset => !up,
                };
                prop_assert!(fits, "{:?}", it);
                prop_assert!(it.effective_at <= it.at, "{:?}", it);
            }
            prop_assert!(all.is_sorted_by_key(|it| it.at));
            let state = self.world.seen(|view| view.customer_revenue(*customer));
            prop_assert_eq!(state.is_some(), !all.is_empty());
            let stored: BTreeMap<&str, i64> = state
                .iter()
                .flat_map(|it| it.mrr.iter().map(|it| (it.currency.code(), it.amount)))
                .collect();
            prop_assert_eq!(&stored, &sums);
            sums.retain(|_, sum| *sum != 0);
            let mine = books.iter().filter(|((id, _), _)| id == customer);
            let mine: BTreeMap<&str, i64> = mine.map(|((_, code), sum)| (*code, *sum)).collect();
            prop_assert_eq!(sums, mine);
        }
        let events = events(&self.world.tenure);
        let told = events.iter().filter(|it| it.name == "mrr_movement.recorded").count();
        prop_assert_eq!(told, written);
        Ok(())
    }

    /// Reports between instants at which the books were seen say what was seen.
    fn check_reports(&self, seen: &[(OffsetDateTime, Books)]) -> Result<(), TestCaseError> {
        let empty = Books::new();
        let before = |at: OffsetDateTime| {
            let last = seen.iter().rev().find(|(then, _)| *then < at);
            last.map_or(&empty, |(_, books)| books)
        };
        let from_to = [(0, seen.len() - 1), (seen.len() / 3, seen.len() / 2)];
        for (from, to) in from_to.map(|(from, to)| (seen[from].0, seen[to].0)) {
            let Ok(period) = Period::new(from, to + Duration::SECOND) else { continue };
            let report = self.world.seen(|view| view.revenue(period, None));
            for found in &report.currencies {
                let sum = |books: &Books| -> i128 {
                    let mine = books.iter().filter(|((_, code), _)| *code == found.currency.code());
                    mine.map(|(_, sum)| i128::from(*sum)).sum()
                };
                let changes = found.changes;
                prop_assert!(found.reconciles());
                prop_assert_eq!(changes.start.amount, sum(before(period.start())));
                prop_assert_eq!(changes.end.amount, sum(before(period.end())));
                let moved: i128 = found.movements.iter().map(|it| it.amount).sum();
                prop_assert_eq!(changes.start.amount + moved, changes.end.amount);
                if let (Some(grr), Some(nrr)) = (found.grr.value, found.nrr.value) {
                    prop_assert!((0.0..=1.0).contains(&grr) && grr <= nrr);
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(64),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_ledger_always_reconciles(steps in prop::collection::vec(step(), 1..40)) {
        let shop = Shop::new();
        let mut seen = vec![(BEGINNING - Duration::DAY, Books::new())];
        for step in &steps {
            shop.perform(step);
            shop.check()?;
            let at = shop.world.clock.now();
            seen.retain(|(then, _)| *then != at);
            seen.push((at, shop.books()));
        }
        // While the clock is set back, nobody can tell when anything was.
        if seen.is_sorted_by_key(|(at, _)| *at) {
            shop.check_reports(&seen)?;
        }
        let validation = shop.world.seen(|view| view.validate_metrics());
        prop_assert!(validation.passed && validation.discrepancies == 0, "{:?}", validation);
        let right = |it: &tenure::Check| it.evidence.iter().all(tenure::Comparison::agrees);
        prop_assert!(validation.checks.iter().all(right), "{:?}", validation);
    }
}

//! Random histories of what is recorded of customers, evaluated after every step: two stores come to
//! the same, one by one or all at once, and the promises of an evaluation hold throughout.

use crate::evaluation::numbered;
use crate::support::{World, dump, eur, events};
use proptest::prelude::*;
use std::collections::BTreeSet;
use tenure::domain::facts::names;
use tenure::store::memory::MemoryStore;
use tenure::{
    CustomerId, InvoiceDraft, NewActivity, NewSubscription, NpsResponseDraft, PAGE_MAX,
    SubscriptionAction, TicketDraft, Tx, When,
};
use time::Duration;

const CUSTOMERS: usize = 3;
const METRICS: [(&str, f64); 8] = [
    (names::DAYS_SINCE_LAST_LOGIN, 20.0),
    (names::NPS_SCORE, 10.0),
    (names::ONBOARDING_COMPLETION, 100.0),
    (names::USAGE_CHANGE, -100.0),
    (names::USAGE_VS_LIMIT, 1.0),
    (names::TEAM_GROWTH, 1e12),
    (names::DAU_MAU_RATIO, 0.6),
    (names::FEATURE_ADOPTION, 1.0),
];
const TICKETS: [&str; 3] = ["open", "resolved", "closed"];
const INVOICES: [&str; 3] = ["open", "failed", "void"];

#[derive(Debug, Clone)]
enum Fact {
    Metric(usize, f64),
    Login,
    Ticket(u8, usize, bool),
    Invoice(u8, usize),
    Nps(i32),
    Subscribe,
    Move(usize),
    Cancel(bool),
    Delete,
    Wait(i64),
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        6 => (0..METRICS.len(), 0.0..=1.0).prop_map(|(which, share)| Fact::Metric(which, share)),
        2 => Just(Fact::Login),
        3 => (0..4_u8, 0..3_usize, any::<bool>()).prop_map(|(id, to, hot)| Fact::Ticket(id, to, hot)),
        2 => (0..2_u8, 0..3_usize).prop_map(|(id, to)| Fact::Invoice(id, to)),
        2 => (0..=10_i32).prop_map(Fact::Nps),
        3 => Just(Fact::Subscribe),
        2 => (0..5_usize).prop_map(Fact::Move),
        2 => any::<bool>().prop_map(Fact::Cancel),
        1 => Just(Fact::Delete),
        4 => (0..70_i64).prop_map(Fact::Wait),
    ]
}

/// Some facts are refused, and change nothing.
fn record(tx: &mut Tx<'_>, id: CustomerId, fact: &Fact) -> tenure::Result<()> {
    let now = tx.now();
    let subscription = |tx: &Tx<'_>| {
        let all = tx.view().subscriptions(id)?;
        Ok::<_, tenure::Error>(all.into_iter().rfind(|it| !it.status.is_over()).map(|it| it.id))
    };
    match fact {
        Fact::Metric(which, share) => {
            let (name, most) = METRICS[*which];
            tx.record_metric(id, name, most * share, now).map(drop)
        }
        Fact::Login => tx.record_activity(id, &NewActivity::login("u")).map(drop),
        Fact::Ticket(ticket, to, hot) => {
            let severity = if *hot { "high" } else { "low" };
            let draft = TicketDraft::default().opened_at(now).status(TICKETS[*to]);
            tx.upsert_ticket(id, &format!("{id}-{ticket}"), &draft.severity(severity)).map(drop)
        }
        Fact::Invoice(invoice, to) => {
            let draft = InvoiceDraft::default().amount(eur(9)).status(INVOICES[*to]);
            tx.upsert_invoice(id, &format!("{id}-{invoice}"), &draft).map(drop)
        }
        Fact::Nps(score) => tx.record_nps_response(&NpsResponseDraft::of(id, *score)).map(drop),
        Fact::Subscribe => tx.add_subscription(id, &NewSubscription::to("pro")).map(drop),
        Fact::Move(action) => match subscription(tx)? {
            Some(paid) => tx.move_subscription(paid, SubscriptionAction::ALL[*action]).map(drop),
            None => Ok(()),
        },
        Fact::Cancel(true) => tx.request_cancellation(id, "why").map(drop),
        Fact::Cancel(false) => match subscription(tx)? {
            Some(paid) => tx.cancel_subscription(paid, When::Now).map(drop),
            None => Ok(()),
        },
        Fact::Delete => tx.delete_customer(id),
        Fact::Wait(_) => Ok(()),
    }
}

struct Portfolio {
    world: World,
    ids: Vec<CustomerId>,
}

impl Portfolio {
    fn over(store: impl tenure::Store + 'static) -> Self {
        let world = World::over(store, numbered);
        world.catalogue();
        let ids = (0..CUSTOMERS).map(|n| world.customer(&format!("Customer {n}")).id).collect();
        Self { world, ids }
    }

    fn lives(&self, customer: usize, fact: &Fact) {
        if let Fact::Wait(days) = fact {
            self.world.clock.advance(Duration::days(*days));
        }
        let _ = self.world.tried(|tx| record(tx, self.ids[customer], fact));
    }

    /// What an evaluation promises.
    fn keeps_its_promises(&self) {
        let world = &self.world;
        for customer in crate::support::customers(&world.tenure) {
            let id = customer.id;
            assert!(customer.health_score.is_none_or(|score| score <= 100));
            assert!(customer.engagement_score.is_none_or(|score| score <= 100));
            let moves = world.seen(|view| view.stage_history(id, PAGE_MAX, None)).items;
            if let Some(last) = moves.first() {
                assert_eq!(last.to, customer.stage, "its last move led here");
            }
            assert!(moves.windows(2).all(|two| two[0].from == two[1].to));
            let open = world.seen(|view| view.open_signals(id));
            let kinds: BTreeSet<_> = open.iter().map(|it| it.kind).collect();
            assert_eq!(kinds.len(), open.len(), "one signal of a kind");
            let begun = world.seen(|view| view.interventions(id, PAGE_MAX, None)).items;
            let signals: BTreeSet<_> = begun.iter().map(|it| it.signal_id).collect();
            assert_eq!(signals.len(), begun.len(), "one intervention for a signal");
        }
    }
}

#[cfg(feature = "sqlite")]
fn on_disk() -> (tempfile::TempDir, Portfolio) {
    use tenure::store::sqlite::{Durability, SqliteStore};
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteStore::options().durability(Durability::Normal);
    let store = options.create(folder.path().join("store.db")).unwrap();
    (folder, Portfolio::over(store))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(12),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_is_recorded_evaluating_one_by_one_and_all_at_once_come_to_the_same(
        facts in prop::collection::vec((0..CUSTOMERS, fact()), 1..20)
    ) {
        let (alone, together) = (Portfolio::over(MemoryStore::new()), Portfolio::over(MemoryStore::new()));
        for (customer, fact) in &facts {
            alone.lives(*customer, fact);
            together.lives(*customer, fact);
            alone.world.done(|tx| {
                for id in &alone.ids {
                    match tx.evaluate(*id) {
                        Err(tenure::Error::NotFound { .. }) => {}
                        evaluated => drop(evaluated?),
                    }
                }
                Ok(())
            });
            let report = together.world.tenure.evaluate_all(|_| ()).unwrap();
            alone.keeps_its_promises();
            // Again it changes nothing, unless one step led to where the next begins.
            if report.moved == 0 {
                let told = events(&together.world.tenure).len();
                prop_assert_eq!(together.world.tenure.evaluate_all(|_| ()).unwrap().changed, 0);
                prop_assert_eq!(events(&together.world.tenure).len(), told);
            }
        }
        prop_assert_eq!(dump(&alone.world.tenure), dump(&together.world.tenure));
    }

    #[test]
    #[cfg(feature = "sqlite")]
    fn every_store_comes_to_the_same(
        facts in prop::collection::vec((0..CUSTOMERS, fact()), 1..15)
    ) {
        let (memory, (_folder, file)) = (Portfolio::over(MemoryStore::new()), on_disk());
        for (customer, fact) in &facts {
            for one in [&memory, &file] {
                one.lives(*customer, fact);
                one.world.tenure.evaluate_all(|_| ()).unwrap();
                one.world.tenure.tick().unwrap();
            }
        }
        file.keeps_its_promises();
        prop_assert_eq!(dump(&memory.world.tenure), dump(&file.world.tenure));
    }
}

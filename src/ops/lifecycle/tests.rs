//! What follows from facts that no record shows yet, on a store in memory.

use crate::domain::customer::{CustomerAction, CustomerStatus, Stage};
use crate::domain::facts::{CustomerFacts, Figure, FigureSource, names};
use crate::domain::lifecycle::{StageRule, StageTransition};
use crate::store::memory::MemoryStore;
use crate::{CustomerDraft, CustomerId, Tenure};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const BEGINNING: OffsetDateTime = datetime!(2027-12-01 12:00 UTC);

struct World {
    tenure: Tenure,
    days: Arc<AtomicI64>,
    acme: CustomerId,
}

impl World {
    fn new() -> Self {
        let days: Arc<AtomicI64> = Arc::default();
        let shown = Arc::clone(&days);
        let clock = move || BEGINNING.saturating_add(Duration::days(shown.load(Ordering::SeqCst)));
        let tenure = Tenure::builder(MemoryStore::new()).clock(clock).open().unwrap();
        let draft = CustomerDraft::named("Acme").status(CustomerStatus::Active);
        let acme = tenure.write(|tx| tx.create_customer(&draft)).unwrap().id;
        Self { tenure, days, acme }
    }

    fn after(&self, days: i64) -> &Self {
        self.days.fetch_add(days, Ordering::SeqCst);
        self
    }

    fn act(&self, action: CustomerAction) {
        self.tenure.write(|tx| tx.move_customer(self.acme, action)).unwrap();
    }

    /// Evaluates it with these figures, and what else is to be known.
    fn evaluate(
        &self,
        figures: &[(&'static str, f64)],
        tell: impl Fn(&mut CustomerFacts),
    ) -> Option<StageTransition> {
        let evaluated = self.tenure.write(|tx| {
            let customer = tx.view().customer(self.acme)?;
            let (tier, now) = (customer.tier.clone(), tx.now());
            let mut facts = CustomerFacts::new(customer.id, tier, customer.created_at, now);
            for (name, value) in figures {
                let figure = Figure { value: *value, at: now, source: FigureSource::Host };
                facts.figures.set(*name, figure);
            }
            facts.contract.has_active_paid = true;
            facts.status = customer.status;
            tell(&mut facts);
            let moved = tx.evaluate_stage_by(customer, &mut facts)?;
            let customer = tx.view().customer(self.acme)?;
            assert_eq!((facts.stage, facts.status), (customer.stage, customer.status));
            Ok::<_, crate::Error>(moved)
        });
        evaluated.unwrap()
    }

    fn goes(
        &self,
        figures: &[(&'static str, f64)],
        tell: impl Fn(&mut CustomerFacts),
    ) -> (Stage, StageRule) {
        let moved = self.evaluate(figures, tell).unwrap();
        (moved.to, moved.rule)
    }

    fn status(&self) -> CustomerStatus {
        self.tenure.read(|view| view.customer(self.acme)).unwrap().status
    }
}

const fn health(score: f64) -> (&'static str, f64) {
    (names::HEALTH_SCORE, score)
}

#[test]
fn a_customer_walks_through_every_stage() {
    let world = World::new();
    let plain = |_: &mut CustomerFacts| {};
    let onboarded = |done| [(names::ONBOARDING_COMPLETION, done)];
    assert_eq!(world.goes(&[], plain), (Stage::Onboarding, StageRule::Converted));
    assert_eq!(world.after(20).evaluate(&onboarded(79.0), plain), None);
    assert_eq!(world.goes(&onboarded(100.0), plain), (Stage::Adopting, StageRule::Onboarded));
    // Ninety days end on the last day of February of a leap year.
    assert_eq!(world.after(70).evaluate(&[health(75.0)], plain), None);
    let adopted = world.after(1).goes(&[health(75.0)], plain);
    assert_eq!(adopted, (Stage::Growing, StageRule::Adopted));
    let opened = |facts: &mut CustomerFacts| {
        facts.expansion.open = 1;
        facts.expansion.opened_at = Some(facts.as_of - Duration::HOUR);
    };
    let found = world.after(1).goes(&[health(75.0)], opened);
    assert_eq!(found, (Stage::Expanding, StageRule::OpportunityFound));
    let lapsed = world.after(30).goes(&[health(75.0)], |facts| facts.expansion.open = 1);
    assert_eq!(lapsed, (Stage::Growing, StageRule::ExpansionOver));
    assert_eq!(world.evaluate(&[health(75.0)], |facts| facts.expansion.open = 1), None);
    let promoter = [health(80.0), (names::NPS_SCORE, 10.0)];
    assert_eq!(world.goes(&promoter, plain), (Stage::Advocating, StageRule::Promoter));
    let dropped = world.after(9).goes(&[health(69.0)], plain);
    assert_eq!(dropped, (Stage::Growing, StageRule::HealthDropped));
    let near = |facts: &mut CustomerFacts| {
        facts.contract.renewal_at = Some(facts.as_of + Duration::days(59));
    };
    assert_eq!(world.goes(&[health(69.0)], near), (Stage::Renewing, StageRule::RenewalNear));
    assert_eq!(world.after(30).evaluate(&[health(69.0)], near), None);
    let renewed = |facts: &mut CustomerFacts| {
        facts.contract.renewed_at = Some(facts.as_of);
        facts.contract.renewal_at = Some(facts.as_of + Duration::days(365));
    };
    assert_eq!(world.after(29).goes(&[], renewed), (Stage::Growing, StageRule::Renewed));
    let endangered = [(names::HIGH_SEVERITY_TICKETS, 3.0)];
    assert_eq!(world.goes(&endangered, renewed), (Stage::AtRisk, StageRule::SevereTickets));
    assert_eq!(world.status(), CustomerStatus::AtRisk);
    assert_eq!(world.goes(&[health(60.0)], renewed), (Stage::Growing, StageRule::Recovered));
    assert_eq!(world.status(), CustomerStatus::Active);
    let over = world.after(8).goes(&[health(90.0)], |facts| {
        facts.contract.has_active_paid = false;
        facts.contract.ended_at = Some(facts.as_of);
    });
    assert_eq!(over, (Stage::Churned, StageRule::PaidEnded));
    assert_eq!(world.after(100).goes(&[], plain), (Stage::Onboarding, StageRule::WonBack));
    // It is new again: what it was before does not make it late.
    assert_eq!(world.after(30).evaluate(&onboarded(0.0), plain), None);
    let stalled = world.after(1).goes(&onboarded(49.0), plain);
    assert_eq!(stalled, (Stage::AtRisk, StageRule::OnboardingStalled));
    let journey = world.tenure.read(|view| view.journey(world.acme)).unwrap();
    let lived: Duration = journey.total.iter().map(|(_, time)| time).sum();
    assert_eq!(lived.whole_days(), world.days.load(Ordering::SeqCst));
    assert_eq!(journey.furthest, Some(Stage::Advocating));
}

#[test]
fn a_standing_set_by_hand_is_left_alone_for_a_week() {
    let world = World::new();
    let (ill, well) = ([health(10.0)], [health(90.0)]);
    let plain = |_: &mut CustomerFacts| {};
    world.act(CustomerAction::FlagAtRisk);
    world.act(CustomerAction::Recover);
    assert_eq!(world.after(6).goes(&ill, plain).0, Stage::AtRisk);
    assert_eq!(world.status(), CustomerStatus::Active);
    // It is made up for when the week is over, unless the customer has recovered meanwhile.
    assert_eq!(world.evaluate(&ill, plain), None);
    assert_eq!(world.status(), CustomerStatus::Active);
    assert_eq!(world.after(1).evaluate(&ill, plain), None);
    assert_eq!(world.status(), CustomerStatus::AtRisk);
    assert_eq!(world.goes(&well, plain).0, Stage::Growing);
    assert_eq!(world.status(), CustomerStatus::Active);
    world.act(CustomerAction::FlagAtRisk);
    world.act(CustomerAction::Recover);
    assert_eq!(world.goes(&ill, plain).0, Stage::AtRisk);
    assert_eq!(world.after(3).goes(&well, plain).0, Stage::Growing);
    assert_eq!(world.after(10).evaluate(&well, plain), None);
    assert_eq!(world.status(), CustomerStatus::Active);
}

#[test]
fn what_a_person_flagged_no_recovery_takes_back_within_a_week() {
    let world = World::new();
    let plain = |_: &mut CustomerFacts| {};
    assert_eq!(world.goes(&[health(10.0)], plain).0, Stage::AtRisk);
    world.act(CustomerAction::Recover);
    world.act(CustomerAction::FlagAtRisk);
    assert_eq!(world.goes(&[health(90.0)], plain).0, Stage::Growing);
    assert_eq!(world.status(), CustomerStatus::AtRisk);
    assert_eq!(world.after(7).evaluate(&[health(50.0)], plain), None);
    assert_eq!(world.status(), CustomerStatus::Active);
}

#[test]
fn what_moves_nobody_writes_and_tells_nothing() {
    let world = World::new();
    world.goes(&[], |_| ());
    let told = || world.tenure.read(|view| view.events(None, 1_000)).unwrap().len();
    let before = (told(), world.tenure.read(|view| view.customer(world.acme)).unwrap());
    for _ in 0..3 {
        assert_eq!(world.after(1).evaluate(&[health(50.0)], |_| ()), None);
    }
    let after = (told(), world.tenure.read(|view| view.customer(world.acme)).unwrap());
    assert_eq!(after, before);
}

#[test]
fn one_evaluation_makes_one_move_and_a_page_of_journeys_is_read_in_one_go() {
    let world = World::new();
    let ready = [(names::ONBOARDING_COMPLETION, 100.0), health(90.0), (names::NPS_SCORE, 10.0)];
    for to in [Stage::Onboarding, Stage::Adopting, Stage::Growing, Stage::Advocating] {
        world.after(40);
        assert_eq!(world.goes(&ready, |_| ()).0, to);
    }
    assert_eq!(world.evaluate(&ready, |_| ()), None);
    let draft = CustomerDraft::named("Globex");
    let globex = world.tenure.write(|tx| tx.create_customer(&draft)).unwrap().id;
    let journeys = world.tenure.read(|view| view.journeys(world.acme, globex)).unwrap();
    assert_eq!(journeys.len(), 1, "who has not moved has none");
    assert_eq!((journeys[0].id.uuid(), journeys[0].moves), (world.acme.uuid(), 4));
}

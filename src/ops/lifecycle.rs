//! The journey of a customer: evaluated, moved by hand, and the one way in which a stage changes.

#[cfg(test)]
mod tests;

use crate::domain::customer::{Customer, CustomerAction, CustomerId, CustomerStatus, Stage};
use crate::domain::facts::CustomerFacts;
use crate::domain::lifecycle::{
    Journey, JourneyReport, StageGuide, StageRule, StageTransition, TriggeredBy, Why, next_stage,
};
use crate::domain::text::Note;
use crate::error::{Error, Result};
use crate::page::{Cursor, Page};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use uuid::Uuid;

const ID: Col = <Journey as Stored>::TABLE.col("id");
const CUSTOMER: Col = <StageTransition as Stored>::TABLE.col("customer_id");
const NUMBER: Col = <StageTransition as Stored>::TABLE.col("number");

impl View<'_> {
    /// Where a customer is on its journey, how long it has been in which stage, and what keeps it
    /// from the next.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Stage, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let journey = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.view().journey(acme)
    /// })?;
    /// assert_eq!((journey.stage, journey.days_in_stage), (Stage::Trial, 0));
    /// assert_eq!(journey.next_milestone.unwrap().name, Stage::Onboarding);
    /// assert_eq!(journey.blockers[0].to_string(), "no paid subscription is active");
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn journey(&self, customer: CustomerId) -> Result<JourneyReport> {
        let customer = self.customer(customer)?;
        let mut facts = self.facts_scored(&customer)?;
        self.journey_by(&customer, &mut facts)
    }

    /// The journey of a customer of whom this is known.
    pub(crate) fn journey_by(
        &self,
        customer: &Customer,
        facts: &mut CustomerFacts,
    ) -> Result<JourneyReport> {
        let journey = self.get(customer.id.into())?.unwrap_or_else(|| Journey::of(customer));
        journey.tell(facts);
        Ok(journey.report(facts, &self.config().lifecycle))
    }

    /// The moves of a customer from stage to stage, newest first, a page at a time.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Stage, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let moves = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.move_stage(acme, Stage::Growing, "imported from the former system")?;
    ///     tx.view().stage_history(acme, 10, None)
    /// })?;
    /// assert_eq!((moves.items[0].from, moves.items[0].to), (Stage::Trial, Stage::Growing));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn stage_history(
        &self,
        customer: CustomerId,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<StageTransition>> {
        self.customer(customer)?;
        self.page(Query::all().eq(CUSTOMER, &customer).newest_by(NUMBER), limit, cursor)
    }

    /// The journeys of the customers from `first` to `last`, in their order; who has not moved yet
    /// has none.
    pub(crate) fn journeys(&self, first: CustomerId, last: CustomerId) -> Result<Vec<Journey>> {
        self.of_customers(ID, first, last)
    }
}

impl Tx<'_> {
    /// Moves a customer to the stage that the rules lead to by what is known of it, if there is one:
    /// one step at the most. Returns the move.
    ///
    /// Entering `at_risk` makes the customer's standing `at_risk`, and recovering takes that back,
    /// where the standing allows it and it was not set by hand within
    /// [`Config::status_hold`](crate::Config::status_hold); then that is made up for later.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let moved = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.evaluate_stage(acme)
    /// })?;
    /// assert_eq!(moved, None, "nothing is known that would lead out of its trial");
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when the thresholds of
    /// [`Config::lifecycle`](crate::Config::lifecycle) contradict each other.
    pub fn evaluate_stage(&mut self, customer: CustomerId) -> Result<Option<StageTransition>> {
        let customer = self.view().customer(customer)?;
        let mut facts = self.view().facts_scored(&customer)?;
        self.evaluate_stage_by(customer, &mut facts)
    }

    /// Evaluates the stage of one customer of whom this is known.
    pub(crate) fn evaluate_stage_by(
        &mut self,
        mut customer: Customer,
        facts: &mut CustomerFacts,
    ) -> Result<Option<StageTransition>> {
        self.config().lifecycle.check()?;
        let known = self.get::<Journey>(customer.id.into())?;
        let before = (customer.stage, customer.status);
        self.whole(|tx| {
            let moved = tx.keep_stage(&mut customer, facts, known)?;
            if before != (customer.stage, customer.status) {
                tx.keep_customer(&mut customer)?;
            }
            Ok(moved)
        })
    }

    /// Brings a customer's stage, and the standing that follows it, in line with what is known of
    /// it. `known` is its journey, if it has one. The caller has checked the rules, and writes the
    /// customer.
    pub(crate) fn keep_stage(
        &mut self,
        customer: &mut Customer,
        facts: &mut CustomerFacts,
        known: Option<Journey>,
    ) -> Result<Option<StageTransition>> {
        let rules = self.config().lifecycle;
        let mut journey = known.unwrap_or_else(|| Journey::of(customer));
        journey.tell(facts);
        let moved = if let Some(next) = next_stage(facts, &rules) {
            let by = TriggeredBy::Automatic;
            let moved = self.step(customer, &mut journey, next.to, next.reason.into(), by)?;
            journey.tell(facts);
            Some(moved)
        } else {
            if self.settle_status(customer, &mut journey, TriggeredBy::Automatic) {
                self.put(&journey)?;
            }
            None
        };
        facts.status = customer.status;
        Ok(moved)
    }

    /// Moves a customer to any stage, and says why. One that is there already stays as it is.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, Stage, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let acme = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     tx.move_stage(acme, Stage::Adopting, "the pilot went live")
    /// })?;
    /// assert_eq!(acme.stage, Stage::Adopting);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when the reason is empty or longer than 10,000
    /// characters.
    pub fn move_stage(
        &mut self,
        customer: CustomerId,
        to: Stage,
        reason: &str,
    ) -> Result<Customer> {
        let mut customer = self.view().customer(customer)?;
        let reason = Note::parse(reason.trim()).map_err(Error::malformed("reason"))?;
        if reason.as_str().is_empty() {
            return Err(Error::invalid("reason", "", "is required"));
        }
        if customer.stage == to {
            return Ok(customer);
        }
        let reason = reason.to_string();
        self.whole(|tx| {
            let why = Why { rule: StageRule::ByHand, reason, figures: Vec::new() };
            tx.change_stage(&mut customer, to, why)?;
            tx.keep_customer(&mut customer)?;
            Ok(customer)
        })
    }

    /// What the stage makes of a standing that was changed by hand: a customer that churns is at
    /// the end of its journey, and one that is reactivated begins it again.
    pub(crate) fn follow_status(
        &mut self,
        customer: &mut Customer,
        action: CustomerAction,
    ) -> Result<()> {
        let known = self.get::<Journey>(customer.id.into())?;
        let mut journey = known.unwrap_or_else(|| Journey::of(customer));
        journey.status_set_at = Some(self.now());
        journey.status_owed = None;
        let (to, rule) = match (action, customer.stage) {
            (CustomerAction::Churn, stage) if stage != Stage::Churned => {
                (Stage::Churned, StageRule::AccountChurned)
            }
            (CustomerAction::Reactivate, Stage::Churned) => {
                (Stage::Onboarding, StageRule::AccountReactivated)
            }
            _ => return self.put(&journey),
        };
        let reason = format!("the account was {}", customer.status);
        let why = Why { rule, reason, figures: Vec::new() };
        self.step(customer, &mut journey, to, why, TriggeredBy::Manual).map(drop)
    }

    /// Moves a customer to another stage, with all that follows from it. The caller writes the
    /// customer.
    pub(crate) fn change_stage(
        &mut self,
        customer: &mut Customer,
        to: Stage,
        why: Why,
    ) -> Result<StageTransition> {
        let known = self.get::<Journey>(customer.id.into())?;
        let mut journey = known.unwrap_or_else(|| Journey::of(customer));
        let automatic = why.rule.is_automatic();
        let by = if automatic { TriggeredBy::Automatic } else { TriggeredBy::Manual };
        self.step(customer, &mut journey, to, why, by)
    }

    /// The one way in which a stage changes: the move is recorded, announced, and its workflows are
    /// requested.
    fn step(
        &mut self,
        customer: &mut Customer,
        journey: &mut Journey,
        to: Stage,
        why: Why,
        triggered_by: TriggeredBy,
    ) -> Result<StageTransition> {
        let (id, from, now) = (customer.id, customer.stage, self.now());
        journey.go(to, now);
        customer.stage = to;
        if from == Stage::Churned {
            // Who is back does not ask to leave any more.
            (customer.cancellation_requested_at, customer.cancellation_reason) = (None, None);
        }
        let moved = StageTransition {
            id: self.fresh(),
            customer_id: id,
            number: journey.moves,
            from,
            to,
            at: now,
            rule: why.rule,
            reason: why.reason,
            figures: why.figures,
            triggered_by,
            performed_by: self.actor().to_owned(),
        };
        self.insert(&moved)?;
        let data = json!({
            "from": from, "to": to, "rule": moved.rule, "reason": moved.reason,
            "triggeredBy": triggered_by, "transitionId": moved.id,
        });
        self.announce("customer.stage_changed", id, id, data);
        self.request_workflows(id, to, moved.id.uuid());
        match (from, to) {
            (_, Stage::AtRisk) => journey.status_owed = Some(CustomerAction::FlagAtRisk),
            (_, Stage::Churned) => journey.status_owed = None,
            (Stage::AtRisk, _) => journey.status_owed = Some(CustomerAction::Recover),
            _ => {}
        }
        self.settle_status(customer, journey, triggered_by);
        self.put(&*journey)?;
        Ok(moved)
    }

    /// Requests the workflows of a stage that a customer entered, by what is called `entry`.
    pub(crate) fn request_workflows(&mut self, id: CustomerId, stage: Stage, entry: Uuid) {
        for workflow in StageGuide::of(stage).workflows {
            // Whoever runs workflows runs each once for an occasion.
            let occasion = format!("stage/{id}/{entry}");
            let data = json!({ "workflow": workflow, "stage": stage, "occasion": occasion });
            self.announce("workflow.requested", entry, id, data);
        }
    }

    /// Gives a customer the standing that its stage wants, unless a person set another not long ago.
    /// Returns whether the journey is to be written.
    fn settle_status(
        &mut self,
        customer: &mut Customer,
        journey: &mut Journey,
        by: TriggeredBy,
    ) -> bool {
        let Some(action) = journey.status_owed else { return false };
        let held = journey.status_is_held(self.now(), self.config().status_hold);
        if held && by == TriggeredBy::Automatic {
            return false;
        }
        journey.status_owed = None;
        // A standing that cannot become so, such as that of a prospect, stays as it is.
        if let Ok(Some(to)) = customer.status.after(action) {
            let (id, data) = (customer.id, json!({ "from": customer.status, "to": to }));
            customer.status = to;
            customer.is_active = CustomerStatus::is_active(to);
            self.announce(format!("customer.{}", action.event()), id, id, data);
        }
        true
    }
}

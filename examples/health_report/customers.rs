//! What customers do reaches tenure as a product, a help desk and a billing system would tell it.

use crate::archetypes::Archetype;
use crate::world::{Dice, PLANS, WEEKS};
use tenure::domain::facts::names;
use tenure::{
    CustomerDraft, CustomerId, InvoiceDraft, Money, NewActivity, NewMetric, NewSubscription,
    NpsResponseDraft, NpsSurveyDraft, Result, SubscriptionId, TicketDraft, Tx, UserId, When,
};
use time::{Duration, OffsetDateTime};

const FEATURES: [&str; 10] =
    ["inbox", "reports", "export", "api", "bots", "routing", "macros", "sso", "audit", "sandbox"];

/// A customer, and what the simulation knows of it.
pub(crate) struct Simulated {
    pub(crate) archetype: &'static Archetype,
    number: usize,
    id: CustomerId,
    subscription: SubscriptionId,
    /// Which of the plans it has.
    plan: usize,
    /// The week in which it asked to cancel.
    cancelled: Option<u32>,
    /// Tickets that nobody has answered yet.
    waiting: Vec<String>,
}

impl Simulated {
    /// A company becomes a customer, of a plan.
    pub(crate) fn sign_up(
        tx: &mut Tx<'_>,
        number: usize,
        name: &str,
        manager: UserId,
        since: OffsetDateTime,
    ) -> Result<Self> {
        let draft = CustomerDraft::named(name).status("active").created_at(since).csm_id(manager);
        let id = tx.create_customer(&draft)?.id;
        let plan = [0, 0, 0, 1, 1, 2][number % 6];
        let new = NewSubscription::to(PLANS[plan].0).started(since);
        let subscription = tx.add_subscription(id, &new)?.id;
        let archetype = Archetype::of(number);
        let (cancelled, waiting) = (None, Vec::new());
        Ok(Self { archetype, number, id, subscription, plan, cancelled, waiting })
    }

    /// Whether it is gone by this week.
    pub(crate) fn has_left(&self, week: u32) -> bool {
        self.cancelled.is_some_and(|asked| asked + 4 <= week)
    }

    /// A week in which it does more or less, as lively as it is.
    pub(crate) fn live(&mut self, tx: &mut Tx<'_>, dice: &mut Dice, week: u32) -> Result<()> {
        if self.has_left(week - 1) {
            return Ok(());
        }
        let vitality = self.archetype.vitality(week, WEEKS);
        self.work(tx, dice, vitality)?;
        self.need_help(tx, dice, vitality, week)?;
        if week.is_multiple_of(4) {
            self.measure(tx, dice, vitality, week)?;
            self.pay(tx, dice, vitality, week)?;
        }
        if (week as usize + self.number).is_multiple_of(13) {
            self.be_asked(tx, dice, vitality)?;
        }
        self.decide(tx, vitality, week)
    }

    /// People log in and use features.
    fn work(&self, tx: &mut Tx<'_>, dice: &mut Dice, vitality: f64) -> Result<()> {
        let now = tx.now();
        let user = |number: u32| format!("{}-{number}", self.number);
        let mut done = Vec::new();
        for login in 0..dice.about(5.0, vitality) {
            let at = now - Duration::hours(i64::from(login) * 30 + 1);
            done.push(NewActivity::login(user(login % 3)).at(at));
        }
        for use_of in 0..dice.about(4.0, vitality) {
            let feature = FEATURES[dice.about(20.0, vitality) as usize % FEATURES.len()];
            let at = now - Duration::hours(i64::from(use_of) * 24 + 2);
            done.push(NewActivity::feature_use(user(use_of), feature).at(at));
        }
        if dice.happens(0.3 * vitality) {
            done.push(NewActivity::meeting().at(now - Duration::DAY));
        }
        if done.is_empty() {
            return Ok(());
        }
        tx.record_activities(self.id, &done).map(drop)
    }

    /// What the host measures by itself.
    fn measure(&self, tx: &mut Tx<'_>, dice: &mut Dice, vitality: f64, week: u32) -> Result<()> {
        let lived = f64::from(week - self.archetype.arrives);
        let about = |dice: &mut Dice, most: f64| f64::from(dice.about(most, vitality));
        let figures = [
            (names::CONVERSATIONS_PER_WEEK, about(dice, 120.0)),
            (names::FEATURE_ADOPTION, (about(dice, 90.0) / 100.0).min(1.0)),
            (names::RESPONSES_TO_OUTREACH, (about(dice, 90.0) / 100.0).min(1.0)),
            (names::GROWTH_POTENTIAL, (about(dice, 80.0) / 100.0).min(1.0)),
            (names::USAGE_VS_LIMIT, about(dice, 75.0) / 100.0),
            (names::ONBOARDING_COMPLETION, (lived * 25.0).min(100.0)),
        ];
        let now = tx.now();
        let metrics = figures.map(|(name, value)| NewMetric::new(self.id, name, value, now));
        tx.record_metrics(&metrics).map(drop)
    }

    /// Who is content has fewer questions, and gets its answers within a week.
    fn need_help(
        &mut self,
        tx: &mut Tx<'_>,
        dice: &mut Dice,
        vitality: f64,
        week: u32,
    ) -> Result<()> {
        let now = tx.now();
        for ticket in std::mem::take(&mut self.waiting) {
            if dice.happens(0.4 + 0.5 * vitality) {
                let csat = 2 + i64::from(dice.about(3.0, vitality).min(3));
                let solved = TicketDraft::default().status("resolved").resolved_at(now).csat(csat);
                tx.upsert_ticket(self.id, &ticket, &solved)?;
            } else {
                self.waiting.push(ticket);
            }
        }
        if dice.happens(0.15 + 0.25 * (1.0 - vitality)) {
            let ticket = format!("t-{}-{week}", self.number);
            let severity = if dice.happens(0.2) { "high" } else { "medium" };
            let asked = TicketDraft::default().severity(severity).opened_at(now - Duration::HOUR);
            tx.upsert_ticket(self.id, &ticket, &asked)?;
            self.waiting.push(ticket);
        }
        Ok(())
    }

    /// An invoice is paid, late or in time, or the payment fails.
    fn pay(&self, tx: &mut Tx<'_>, dice: &mut Dice, vitality: f64, week: u32) -> Result<()> {
        let now = tx.now();
        let due =
            now - if dice.happens(0.95 * vitality + 0.1) { Duration::HOUR } else { Duration::WEEK };
        let draft = InvoiceDraft::default().amount(eur(PLANS[self.plan].1 / 13));
        let draft = draft.issued_at(now - Duration::weeks(3)).due_at(due + Duration::HOUR);
        let is_paid = dice.happens(0.92 + 0.08 * vitality);
        let draft =
            if is_paid { draft.status("paid").paid_at(now) } else { draft.status("failed") };
        tx.upsert_invoice(self.id, &format!("i-{}-{week}", self.number), &draft).map(drop)
    }

    /// "Would you recommend us?" Not all answer.
    fn be_asked(&self, tx: &mut Tx<'_>, dice: &mut Dice, vitality: f64) -> Result<()> {
        let survey = tx.send_nps_survey(&NpsSurveyDraft::to(self.id, "quarterly_nps"))?;
        if dice.happens(0.4 + 0.3 * vitality) {
            let score = dice.about(11.0, 0.2 + 0.8 * vitality).min(10);
            tx.record_nps_response(&NpsResponseDraft::to(survey.id, score))?;
        }
        Ok(())
    }

    /// Who does well buys more, who does badly cancels, and is gone four weeks later.
    fn decide(&mut self, tx: &mut Tx<'_>, vitality: f64, week: u32) -> Result<()> {
        if self.archetype.name == "growing" && vitality > 0.8 && self.plan == 0 {
            self.plan = 1;
            self.subscription = tx.upgrade(self.id, PLANS[self.plan].0)?.subscription.id;
        }
        match self.cancelled {
            None if self.archetype.cancels && vitality < 0.2 => {
                self.cancelled = Some(week);
                tx.request_cancellation(self.id, "It does not do what we need.").map(drop)
            }
            Some(_) if self.has_left(week) => {
                tx.cancel_subscription(self.subscription, When::Now).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// So many whole euros.
pub(crate) fn eur(euros: i64) -> Money {
    let currency = "EUR".parse();
    Money::new(euros * 100, currency.expect("the euro is a currency"))
}

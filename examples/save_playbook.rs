//! A customer asks to cancel. Its playbook runs over five simulated days, in milliseconds: the call
//! that is to be made within two hours, the manager who is told because nobody answers, the offer,
//! its rejection, the executive, and how it ends.
//!
//! ```sh
//! cargo run --example save_playbook
//! ```

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tenure::channel::FakeChannel;
use tenure::store::memory::MemoryStore;
use tenure::{
    ActionStatus, ContactDraft, Customer, CustomerDraft, Event, EventId, Intervention,
    InterventionActionId, InterventionStatus, OfferAnswer, RiskLevel, Tenure, UserDraft,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// A Friday.
const BEGINNING: OffsetDateTime = datetime!(2026-01-30 09:00 UTC);

fn main() -> Result<()> {
    let mut story = Story::begin()?;
    let acme = story.customer()?;

    story.says("Acme asks to cancel.");
    story.tenure.write(|tx| tx.request_cancellation(acme.id, "the reports are too slow"))?;
    story.evaluate(&acme)?;
    let case = story.case(&acme)?;
    story.tick()?;

    story.later(Duration::hours(2), "Nobody has reached Acme yet.");
    story.tick()?;

    story.later(
        Duration::HOUR,
        "Mia reaches them: the reports are too slow, and there is an offer.",
    );
    story.tenure.write(|tx| tx.record_response(case.id, "reports take minutes to load"))?;
    story.complete(&case, "save_call", "spoke with Ada")?;
    story.complete(&case, "document_reasons", "slow reports")?;
    story.tenure.write(|tx| tx.record_offer(case.id, OfferAnswer::Open))?;
    story.tick()?;

    story.later(Duration::days(1), "They do not want the discount.");
    story.tenure.write(|tx| tx.record_offer(case.id, OfferAnswer::Rejected))?;
    story.tick()?;

    story.later(Duration::days(3), "The executive shows them what is coming, and they stay.");
    story.complete(&case, "escalate_to_executive", "faster reports in March")?;
    story.tenure.write(|tx| tx.withdraw_cancellation(acme.id))?;
    story.evaluate(&acme)?;
    story.tick()?;
    story.check(&acme, &case)
}

/// The story so far: a clock that it sets, a channel that listens, and what was printed.
struct Story {
    tenure: Tenure,
    clock: Arc<AtomicI64>,
    channel: FakeChannel,
    last: Option<EventId>,
}

impl Story {
    fn begin() -> Result<Self> {
        let clock = Arc::new(AtomicI64::new(BEGINNING.unix_timestamp()));
        let (shown, channel) = (Arc::clone(&clock), FakeChannel::new());
        let now = move || {
            let seconds = shown.load(Ordering::SeqCst);
            OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(BEGINNING)
        };
        let builder = Tenure::builder(MemoryStore::new()).clock(now);
        let tenure = builder.channel(channel.clone()).open()?;
        Ok(Self { tenure, clock, channel, last: None })
    }

    fn customer(&self) -> Result<Customer> {
        let mia = UserDraft::default().name("Mia Park").email("mia@example.com");
        Ok(self.tenure.write(|tx| {
            let mia = tx.register_user("mia", &mia)?;
            let acme = CustomerDraft::named("Acme Inc.").status("active").csm_id(mia.id);
            let acme = tx.create_customer(&acme)?;
            tx.upsert_contact(acme.id, &ContactDraft::at("ada@acme.com").name("Ada King"))?;
            Ok::<_, tenure::Error>(acme)
        })?)
    }

    fn says(&self, what: &str) {
        println!("\n{}  {what}", stamp(self.tenure.now()));
    }

    fn later(&self, by: Duration, what: &str) {
        self.clock.fetch_add(by.whole_seconds(), Ordering::SeqCst);
        self.says(what);
    }

    /// Lets tenure look at what is known of the customer: what to worry about, and what no longer.
    fn evaluate(&self, acme: &Customer) -> Result<()> {
        self.tenure.write(|tx| tx.evaluate(acme.id))?;
        Ok(())
    }

    fn case(&self, acme: &Customer) -> Result<Intervention> {
        let page = self.tenure.read(|view| view.interventions(acme.id, 1, None))?;
        Ok(page.items.into_iter().next().ok_or("nothing was started")?)
    }

    fn complete(&self, case: &Intervention, action: &str, note: &str) -> Result<()> {
        let actions = self.tenure.read(|view| view.intervention_actions(case.id))?;
        let id: InterventionActionId = actions
            .iter()
            .find(|it| it.action.as_str() == action)
            .map(|it| it.id)
            .ok_or("no such action")?;
        self.tenure.write(|tx| tx.complete_action(id, Some(note)))?;
        Ok(())
    }

    /// Lets tenure do what is due, and prints what has happened.
    fn tick(&mut self) -> Result<()> {
        self.tenure.tick()?;
        let happened = self.tenure.read(|view| view.events(self.last, 1_000))?;
        for event in &happened {
            self.last = Some(event.id);
            if ["churn_signal.", "intervention.", "customer.risk"]
                .iter()
                .any(|it| event.name.starts_with(it))
            {
                println!("  {:<32} {}", event.name, details(event));
            }
        }
        Ok(())
    }

    /// That nothing went wrong unnoticed.
    fn check(&self, acme: &Customer, case: &Intervention) -> Result<()> {
        let (case, actions, acme, due) = self.tenure.read(|view| {
            let actions = view.intervention_actions(case.id)?;
            let acme = view.customer(acme.id)?;
            Ok::<_, tenure::Error>((view.intervention(case.id)?, actions, acme, view.next_due()?))
        })?;
        assert_eq!(case.status, InterventionStatus::Succeeded);
        assert_eq!(case.escalated_to.as_ref().map(AsRef::as_ref), Some("cs_manager"));
        assert!(actions.iter().all(|it| it.status == ActionStatus::Done), "{actions:?}");
        assert_eq!(self.channel.calls(), 4, "each was asked for once");
        assert_eq!((acme.risk_level, due), (Some(RiskLevel::Low), None));
        assert_eq!(acme.cancellation_requested_at, None);
        let outcome = case.outcome.as_ref().map_or("", AsRef::as_ref);
        let days = self
            .tenure
            .now()
            .date()
            .to_julian_day()
            .abs_diff(case.started_at.date().to_julian_day());
        println!(
            "\nAcme stays. After {days} days the intervention has {}: {outcome}.",
            case.status
        );
        println!("It took {} actions, each done once:", actions.len());
        for action in &actions {
            println!("  {:<22} {}", action.action, action.note.as_ref().map_or("", AsRef::as_ref));
        }
        Ok(())
    }
}

/// What is worth reading of an event.
fn details(event: &Event) -> String {
    let told = ["kind", "signal", "action", "channel", "deadline", "to", "answer", "reason"];
    let shown = told.iter().filter_map(|name| {
        let text = event.data.get(name)?.as_str()?;
        Some(format!("{name} {text}"))
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn stamp(at: OffsetDateTime) -> String {
    format!("{} {:02}:{:02}", at.date(), at.hour(), at.minute())
}

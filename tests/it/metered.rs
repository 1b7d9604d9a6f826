//! Customers with a meter, and short words for what stories do with it.

use crate::support::World;
use tenure::{
    Access, AccessPatch, CustomerDraft, CustomerId, Document, Error, Event, FeatureDraft,
    HistoryFilter, NewLink, Overage, Quantity, ResetPeriod, Result, Track, UsageEvent, UsageResult,
};
use time::OffsetDateTime;

/// The feature that most stories meter.
pub const CREDITS: &str = "ai_credits";

/// A quantity as people write it.
pub fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

/// A JSON object.
pub fn document(json: serde_json::Value) -> Document {
    Document::try_from(json).unwrap()
}

/// So many credits of a customer.
pub fn credits(customer: CustomerId, quantity: impl Into<Quantity>) -> Track {
    Track::new(customer, CREDITS).quantity(quantity)
}

/// The field in which a key was used for something else.
pub fn reused<T: std::fmt::Debug>(outcome: Result<T>) -> &'static str {
    match outcome {
        Err(Error::KeyReused { field, .. }) => field,
        other => panic!("the key should have been refused: {other:?}"),
    }
}

impl World {
    /// A feature that is called by its code.
    pub fn feature(&self, code: &str, overage: Overage) {
        let draft = FeatureDraft::default().overage(overage);
        self.tenure.write(|tx| tx.define_feature(code, &draft)).unwrap();
    }

    pub fn someone(&self, name: &str) -> CustomerId {
        self.tenure.write(|tx| tx.create_customer(&CustomerDraft::named(name))).unwrap().id
    }

    pub fn allow(&self, customer: CustomerId, feature: &str, patch: &AccessPatch) -> Access {
        self.tenure.write(|tx| tx.set_access(customer, feature, patch)).unwrap()
    }

    /// A customer with so many credits a month, counted from now on; what exceeds them is dealt
    /// with as `overage` says.
    pub fn meter_with(&self, limit: impl Into<Quantity>, overage: Overage) -> CustomerId {
        self.feature(CREDITS, overage);
        let customer = self.someone("Acme Inc.");
        let patch = AccessPatch::new().limit(limit.into()).resets(ResetPeriod::Monthly);
        self.allow(customer, CREDITS, &patch);
        customer
    }

    /// A customer with so many credits a month and not one more.
    pub fn meter(&self, limit: impl Into<Quantity>) -> CustomerId {
        self.meter_with(limit, Overage::Reject)
    }

    pub fn limit(&self, customer: CustomerId, limit: impl Into<Quantity>) {
        self.allow(customer, CREDITS, &AccessPatch::new().limit(limit.into()));
    }

    pub fn link(&self, customer: CustomerId, external_org_id: &str) {
        self.tenure.write(|tx| tx.link(customer, &NewLink::to(external_org_id))).unwrap();
    }

    pub fn track(&self, track: &Track) -> Result<UsageResult> {
        self.tenure.write(|tx| tx.track(track))
    }

    pub fn credits(&self, customer: CustomerId) -> Access {
        self.tenure.read(|view| view.check(customer, CREDITS)).unwrap()
    }

    pub fn used(&self, customer: CustomerId) -> Quantity {
        self.credits(customer).current_usage
    }

    /// Every usage event of the customer's credits, newest first.
    pub fn history(&self, customer: CustomerId) -> Vec<UsageEvent> {
        let filter = HistoryFilter::default();
        let page = |view: &tenure::View<'_>| {
            view.usage_history(customer, CREDITS, &filter, tenure::PAGE_MAX, None)
        };
        self.tenure.read(page).unwrap().items
    }

    /// What was used in the window between two instants, added up from the ledger.
    pub fn sum(&self, customer: CustomerId, from: OffsetDateTime, to: OffsetDateTime) -> Quantity {
        let within = |event: &UsageEvent| from <= event.event_time && event.event_time < to;
        let events = self.history(customer).into_iter().filter(within);
        let sum = events.map(|event| event.quantity.millionths()).sum();
        Quantity::from_millionths(sum)
    }

    /// Every domain event, oldest first.
    pub fn all_events(&self) -> Vec<Event> {
        let mut all: Vec<Event> = Vec::new();
        loop {
            let after = all.last().map(|event| event.id);
            let page = self.tenure.read(|view| view.events(after, tenure::PAGE_MAX)).unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    /// How often a domain event was written.
    pub fn times_told(&self, name: &str) -> usize {
        self.all_events().iter().filter(|event| event.name == name).count()
    }

    /// Everything that metering keeps of a customer's credits, to be compared.
    pub fn state(&self, customer: CustomerId) -> String {
        let snapshots = |view: &tenure::View<'_>| {
            view.usage_snapshots(customer, CREDITS, tenure::PAGE_MAX, None)
        };
        let snapshots = self.tenure.read(snapshots).unwrap().items;
        let (check, history, told) =
            (self.credits(customer), self.history(customer), self.all_events());
        format!("{check:?}\n{history:?}\n{snapshots:?}\n{told:?}")
    }

    /// The counters and the ledger agree everywhere.
    pub fn assert_sound(&self) {
        let verification = self.tenure.verify(|_| {}).unwrap();
        assert!(verification.is_sound(), "{:?}", verification.discrepancies);
    }
}

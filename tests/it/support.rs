//! A world for a story: a handle over one of the backends, and a clock that the story sets.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use tenure::billing::FakeBilling;
use tenure::store::memory::MemoryStore;
use tenure::{
    Access, BillingCycle, BillingGateway, Builder, CheckoutSession, Customer, CustomerDraft,
    CustomerId, Document, Error, ErrorCode, Event, ExternalId, FeatureDraft, GatewaySubscription,
    HistoryFilter, Line, MeterEvent, MeterFailure, Money, PAGE_MAX, PeriodType, ResetPeriod,
    Result, Store, SubscriptionStatus, TaskFilter, Tenure, TierDraft, TierFeature, Track, Tx,
    UsageEventId, UsagePeriod, View,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// A clock that shows what the story says.
#[derive(Clone)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    pub fn at(instant: OffsetDateTime) -> Self {
        let clock = Self(Arc::default());
        clock.set(instant);
        clock
    }

    pub fn set(&self, instant: OffsetDateTime) {
        let micros = i64::try_from(instant.unix_timestamp_nanos() / 1_000).unwrap();
        self.0.store(micros, Ordering::SeqCst);
    }

    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    pub fn now(&self) -> OffsetDateTime {
        let micros = self.0.load(Ordering::SeqCst);
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap()
    }
}

/// A handle over an empty store, and its clock.
pub struct World {
    pub tenure: Tenure,
    pub clock: Clock,
    /// What the billing gateway of the story knows.
    pub till: Till,
    /// Keeps the folder of a file until the story is over.
    _folder: Option<tempfile::TempDir>,
}

/// When every story begins: noon of a last day of a month.
pub const BEGINNING: OffsetDateTime = datetime!(2026-01-31 12:00 UTC);

impl World {
    pub fn over(store: impl Store + 'static, with: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = Clock::at(BEGINNING);
        let shown = clock.clone();
        let till = Till::default();
        let builder = Tenure::builder(store).clock(move || shown.now()).billing(till.clone());
        Self { tenure: with(builder).open().unwrap(), clock, till, _folder: None }
    }

    pub fn memory() -> Self {
        Self::over(MemoryStore::new(), |builder| builder)
    }

    /// A file in a folder of its own. It is as durable as any, but does not wait for the disk.
    #[cfg(feature = "sqlite")]
    pub fn sqlite() -> Self {
        use tenure::store::sqlite::{Durability, SqliteStore};
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteStore::options().durability(Durability::Normal);
        let store = options.create(folder.path().join("store.db")).unwrap();
        Self { _folder: Some(folder), ..Self::over(store, |builder| builder) }
    }

    /// Another org of the same store, under the same clock.
    pub fn beside(&self, org: &str) -> Self {
        let (clock, till) = (self.clock.clone(), self.till.clone());
        Self { tenure: self.tenure.for_org(org), clock, till, _folder: None }
    }

    /// A catalogue: `ai_credits` (quota) and `sso` (on or off); `starter` gives 100 credits a month
    /// of which 50 are included, `pro` 1,000 of which 500, and `sso`. They cost 19 and 49 EUR a
    /// month, at the prices `price_starter` and `price_pro`.
    pub fn catalogue(&self) {
        let feature = |code: &str| TierFeature::new(code).unwrap();
        let tier = |code: &str, euros: i64| {
            let price = ExternalId::parse(&format!("price_{code}")).unwrap();
            TierDraft::new(code).fee(eur(euros), BillingCycle::Monthly).stripe_price(price)
        };
        self.done(|tx| {
            tx.define_feature("ai_credits", &FeatureDraft::default().name("AI credits"))?;
            tx.define_feature("sso", &FeatureDraft::default().name("SSO").kind("feature"))?;
            let credits = feature("ai_credits").limit(100, ResetPeriod::Monthly).included(50);
            tx.define_tier(&tier("starter", 19).feature(credits))?;
            let credits = feature("ai_credits").limit(1_000, ResetPeriod::Monthly).included(500);
            tx.define_tier(&tier("pro", 49).feature(credits).feature(feature("sso")))
        });
    }

    /// A customer with this name.
    pub fn customer(&self, name: &str) -> Customer {
        self.done(|tx| tx.create_customer(&CustomerDraft::named(name)))
    }

    /// A customer with this name who was given a tier of the [catalogue](Self::catalogue).
    pub fn customer_on(&self, tier: &str, name: &str) -> CustomerId {
        let id = self.customer(name).id;
        self.done(|tx| tx.apply_tier(id, tier, &[]));
        id
    }

    /// A write that may be refused.
    pub fn tried<T>(&self, body: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.tenure.write(body)
    }

    /// A write that is not refused.
    pub fn done<T>(&self, body: impl FnMut(&mut Tx<'_>) -> Result<T>) -> T {
        self.tenure.write(body).unwrap()
    }

    /// A read that is not refused.
    pub fn seen<T>(&self, body: impl FnMut(&View<'_>) -> Result<T>) -> T {
        self.tenure.read(body).unwrap()
    }

    /// The error with which a write is refused, having changed nothing.
    pub fn refused<T: std::fmt::Debug>(&self, body: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Error {
        let before = dump(&self.tenure);
        let error = self.tenure.write(body).unwrap_err();
        assert_eq!(dump(&self.tenure), before, "refused with `{error}`, it has changed something");
        error
    }

    /// The customer as it is now.
    pub fn now(&self, id: CustomerId) -> Customer {
        self.seen(|view| view.customer(id))
    }

    pub fn check(&self, id: CustomerId, feature: &str) -> Access {
        self.seen(|view| view.check(id, feature))
    }

    /// Uses so much of a feature.
    pub fn uses(&self, id: CustomerId, feature: &str, quantity: i32) {
        self.done(|tx| tx.track(&Track::new(id, feature).quantity(quantity)));
    }

    /// The names of the events that `story` leaves, in order.
    pub fn told<T>(&self, story: impl FnOnce() -> T) -> Vec<String> {
        let before = events(&self.tenure).len();
        story();
        events(&self.tenure).into_iter().skip(before).map(|event| event.name).collect()
    }
}

/// So many whole euros.
pub fn eur(euros: i64) -> Money {
    Money::new(euros * 100, "EUR".parse().unwrap())
}

pub fn document(json: Value) -> Document {
    Document::try_from(json).unwrap()
}

/// The code of a refusal.
pub fn code<T: std::fmt::Debug>(outcome: Result<T>) -> ErrorCode {
    outcome.unwrap_err().code()
}

/// The fields that a refusal finds fault with.
pub fn fields(error: &Error) -> Vec<&str> {
    error.faults().iter().map(|fault| fault.field.as_str()).collect()
}

/// Who holds what a refused call wanted.
pub fn holder(error: Error) -> String {
    match error {
        Error::Taken { holder, .. } => holder,
        other => panic!("not taken: {other}"),
    }
}

/// What `count` threads return that do the same at the same time.
pub fn race<T: Send>(count: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (start, run) = (&Barrier::new(count), &run);
    std::thread::scope(|scope| {
        let runner = |number| {
            scope.spawn(move || {
                start.wait();
                run(number)
            })
        };
        let runners: Vec<_> = (0..count).map(runner).collect();
        runners.into_iter().map(|runner| runner.join().unwrap()).collect()
    })
}

/// Every event that was not acknowledged.
pub fn events(tenure: &Tenure) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    loop {
        let last = all.last().map(|event| event.id);
        let more = tenure.read(|view| view.events(last, PAGE_MAX)).unwrap();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

/// Every customer that is not deleted.
pub fn customers(tenure: &Tenure) -> Vec<Customer> {
    tenure.read(|view| view.customers(None, PAGE_MAX, None)).unwrap().items
}

/// All that the public reads tell of the handle's org.
pub fn dump(tenure: &Tenure) -> String {
    let all = tenure.read(|view| {
        let features = view.features(PAGE_MAX, None)?;
        let mut all = vec![json!({
            "users": view.users(PAGE_MAX, None)?, "tiers": view.tiers()?, "features": features,
            "due": view.next_due()?.map(|at| at.to_string()),
        })];
        for customer in view.customers(None, PAGE_MAX, None)?.items {
            let id = customer.id;
            let mut facts = view.customer_facts(id)?;
            // The checks below are denied too, and counted.
            facts.blocked.clear();
            let mut usage = Vec::new();
            for feature in &features.items {
                let (code, filter) = (feature.code.as_str(), HistoryFilter::default());
                usage.push(json!([
                    view.check(id, code)?,
                    view.usage_history(id, code, &filter, PAGE_MAX, None)?,
                    view.usage_snapshots(id, code, PAGE_MAX, None)?,
                ]));
            }
            all.push(json!({
                "customer": customer, "usage": usage,
                "contacts": view.contacts(id, false, PAGE_MAX, None)?,
                "aliases": view.aliases(id, PAGE_MAX, None)?,
                "links": view.links(id, PAGE_MAX, None)?,
                "subscriptions": view.subscriptions(id)?,
                "entitlements": view.entitlements(id)?,
                "access": view.list_access(id)?,
                "billing": view.billing_status(id)?,
                "displayNames": view.display_names(id)?,
                "flairs": view.flairs(id, None)?,
                "opportunities": view.expansion_opportunities(id, PAGE_MAX, None)?,
                "leadScores": view.lead_scores(id, PAGE_MAX, None)?,
                "leadQualifications": view.lead_qualifications(id, PAGE_MAX, None)?,
                "orders": view.orders(id, PAGE_MAX, None)?,
                "invoices": view.invoices(id, PAGE_MAX, None)?,
                "tickets": view.tickets(id, PAGE_MAX, None)?,
                "activities": view.activities(id, None, PAGE_MAX, None)?,
                "daily": view.daily_activity(id, PAGE_MAX, None)?,
                "facts": facts,
                "usagePeriods": usage_periods(view, id)?,
                "journey": view.journey(id)?,
                "stages": view.stage_history(id, PAGE_MAX, None)?,
                "health": crate::health::told(view, id)?,
                "signals": view.churn_signals(id, PAGE_MAX, None)?,
                "interventions": interventions(view, id)?,
                "tasks": view.tasks(&TaskFilter::of(id), PAGE_MAX, None)?,
                "npsSurveys": view.nps_surveys(id, PAGE_MAX, None)?,
                "npsResponses": view.nps_responses(id, PAGE_MAX, None)?,
                "npsStanding": view.nps_standing(id)?,
            }));
        }
        Ok::<_, Error>(all)
    });
    let all = json!([all.unwrap(), events(tenure), tenure.verify(|_| ()).unwrap()]);
    serde_json::to_string_pretty(&all).unwrap()
}

fn interventions(view: &View<'_>, id: CustomerId) -> Result<Vec<Value>> {
    let all = view.interventions(id, PAGE_MAX, None)?.items.into_iter();
    all.map(|it| Ok(json!([it, view.intervention_actions(it.id)?]))).collect()
}

fn usage_periods(view: &View<'_>, id: CustomerId) -> Result<Vec<UsagePeriod>> {
    let pages = PeriodType::ALL.iter().map(|it| view.usage_periods(id, *it, PAGE_MAX, None));
    pages.map(|page| Ok(page?.items)).collect::<Result<Vec<_>>>().map(|all| all.concat())
}

/// A billing gateway that knows what the story tells it.
#[derive(Clone, Default)]
pub struct Till {
    books: Arc<Mutex<Books>>,
    /// What it hears of usage.
    pub meters: FakeBilling,
    /// What happens next between its taking of usage and its answer.
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
}

type Meanwhile = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Books {
    sessions: HashMap<String, CheckoutSession>,
    subscriptions: HashMap<String, GatewaySubscription>,
    is_down: bool,
}

impl Till {
    /// Whether the gateway cannot be reached.
    pub fn down(&self, is_down: bool) {
        self.books.lock().unwrap().is_down = is_down;
    }

    /// Lets something happen between the taking of the next usage and the answer.
    pub fn meanwhile(&self, happens: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(happens));
    }

    /// A subscription of one seat at this price that runs.
    pub fn subscription(&self, id: &str, price: &str) {
        let subscription = GatewaySubscription {
            id: id.to_owned(),
            customer_id: format!("cus_{id}"),
            status: SubscriptionStatus::Active,
            price_ids: vec![price.to_owned()],
            quantity: 1,
            started_at: BEGINNING,
        };
        self.books.lock().unwrap().subscriptions.insert(id.to_owned(), subscription);
    }

    /// A checkout session that led, or will lead, to a subscription.
    pub fn session(&self, id: &str, subscription: Option<&str>) {
        let session = CheckoutSession {
            id: id.to_owned(),
            is_complete: subscription.is_some(),
            status: if subscription.is_some() { "complete" } else { "open" }.to_owned(),
            subscription_id: subscription.map(ToOwned::to_owned),
            customer_id: None,
        };
        self.books.lock().unwrap().sessions.insert(id.to_owned(), session);
    }

    fn ask<T>(&self, find: impl FnOnce(&Books) -> Option<T>) -> Result<Option<T>> {
        let books = self.books.lock().unwrap();
        if books.is_down {
            return Err(Error::Gateway("it is down".to_owned()));
        }
        Ok(find(&books))
    }
}

impl BillingGateway for Till {
    fn checkout_session(&self, id: &ExternalId) -> Result<Option<CheckoutSession>> {
        self.ask(|books| books.sessions.get(id.as_str()).cloned())
    }

    fn subscription(&self, id: &ExternalId) -> Result<Option<GatewaySubscription>> {
        self.ask(|books| books.subscriptions.get(id.as_str()).cloned())
    }

    fn send_meter_event(&self, event: &MeterEvent) -> Result<ExternalId, MeterFailure> {
        let answer = self.meters.send_meter_event(event);
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(happens) = meanwhile {
            happens();
        }
        answer
    }

    fn cancel_meter_event(&self, name: &Line, id: UsageEventId) -> Result<(), MeterFailure> {
        self.meters.cancel_meter_event(name, id)
    }
}

/// Tells each story, a function of a [`World`], once on every backend.
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        mod memory {
            $(#[test]
            fn $story() {
                super::$story(&$crate::support::World::memory());
            })+
        }

        #[cfg(feature = "sqlite")]
        mod sqlite {
            $(#[test]
            fn $story() {
                super::$story(&$crate::support::World::sqlite());
            })+
        }
    };
}

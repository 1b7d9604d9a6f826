//! The handle that a host keeps, and how transactions are run on it.

use crate::domain::billing::BillingGateway;
use crate::domain::event::Event;
use crate::domain::instant;
use crate::domain::link::ProductId;
use crate::domain::org::{Org, OrgKey};
use crate::domain::smart_link::MIN_CONFIDENCE;
use crate::domain::text::{Code, Name};
use crate::domain::threshold::DEFAULT_PERCENTAGES;
use crate::domain::usage_record::UsageFigure;
use crate::error::{Error, Result};
use crate::ops::filters::Filters;
use crate::store::{HostTransaction, OrgId, Store, StoreError, Unjoined, WriteBody, Writer};
use crate::tables::TABLES;
use crate::tx::{Scope, Tx, View};
use crate::warm::{Changes, Warm};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// The handle that a host keeps: cheap to clone, to be shared between threads, the same type over
/// every backend.
///
/// It acts in one org, for one product, as one actor; [`for_org`](Self::for_org),
/// [`for_product`](Self::for_product) and [`acting_as`](Self::acting_as) give handles that act
/// otherwise. A host with one of each never names them.
///
/// ```
/// use tenure::store::memory::MemoryStore;
/// use tenure::{CustomerDraft, Tenure};
///
/// let tenure = Tenure::open(MemoryStore::new())?;
/// let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme Inc.")))?;
/// assert_eq!(tenure.read(|view| view.customer(acme.id))?, acme);
/// # Ok::<_, tenure::Error>(())
/// ```
#[derive(Clone)]
pub struct Tenure {
    shared: Arc<Shared>,
    org: OrgId,
    org_name: Option<Arc<str>>,
    product: ProductId,
    actor: Arc<str>,
}

struct Shared {
    store: Arc<dyn Store>,
    clock: Clock,
    ids: Ids,
    config: Arc<Config>,
    billing: Option<Arc<dyn BillingGateway>>,
    /// What checks found, if nobody else writes.
    warm: Option<Arc<Warm>>,
    /// Orgs that are known to be in the directory.
    listed: Mutex<HashSet<OrgId>>,
    filters: Arc<Filters>,
}

/// How a transaction of an org is run: by the store, or inside the host's.
type WriteIn<'w> = dyn FnMut(OrgId, &mut WriteBody<'_>) -> Result<(), StoreError> + 'w;

impl std::fmt::Debug for Tenure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut handle = f.debug_struct("Tenure");
        handle.field("org", &self.org).field("product", &self.product).field("actor", &self.actor);
        handle.finish_non_exhaustive()
    }
}

type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Where new ids come from.
#[derive(Clone)]
pub(crate) struct Ids(Arc<dyn Fn(OffsetDateTime) -> Uuid + Send + Sync>);

impl Ids {
    pub(crate) fn next(&self, now: OffsetDateTime) -> Uuid {
        (self.0)(now)
    }

    /// A random number, as random as the ids are.
    pub(crate) fn random(&self) -> u128 {
        let id = (self.0)(OffsetDateTime::UNIX_EPOCH);
        Uuid::new_v5(&id, b"random").as_u128()
    }
}

/// The numbers that a host can change.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// How far back usage may lie when it is tracked: 35 days.
    pub late_usage_max: Duration,
    /// How far ahead of the clock usage may lie: five minutes.
    pub early_usage_max: Duration,
    /// At which percentages of a limit an event is written, in whole percent, also above 100: 80, 90
    /// and 100.
    pub thresholds: Vec<u32>,
    /// How much memory the handle and its clones may use, in bytes, to remember which idempotency
    /// keys batches have brought: 64 MiB. It takes two bytes for each key; what does not fit is
    /// read from the store when it is needed, which is right as well, and slower.
    pub key_memory_max: usize,
    /// In which named figure of a usage period the usage of a feature counts: none, so that each is
    /// listed by its code. What was added up already is not sorted anew: set it from the start.
    pub usage_figures: BTreeMap<Code, UsageFigure>,
    /// How sure smart linking must be to link, 0–1: 0.6. Anything else is refused when it is used.
    pub min_confidence: f64,
    /// After how many attempts usage that the billing gateway does not take is given up: 100, which
    /// takes about three weeks. At least one is made.
    pub delivery_attempts_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            late_usage_max: Duration::days(35),
            early_usage_max: Duration::minutes(5),
            key_memory_max: 64 << 20,
            thresholds: DEFAULT_PERCENTAGES.to_vec(),
            usage_figures: BTreeMap::new(),
            min_confidence: MIN_CONFIDENCE,
            delivery_attempts_max: 100,
        }
    }
}

/// A handle in the making: a store and what differs from the defaults.
#[must_use = "`open` makes the handle"]
pub struct Builder {
    store: Arc<dyn Store>,
    clock: Clock,
    ids: Ids,
    config: Config,
    billing: Option<Arc<dyn BillingGateway>>,
    warm: Option<usize>,
}

impl Builder {
    /// Takes the time from `clock` instead of the system's.
    ///
    /// ```
    /// use tenure::Tenure;
    /// use tenure::store::memory::MemoryStore;
    /// use time::macros::datetime;
    ///
    /// let noon = datetime!(2026-01-31 12:00 UTC);
    /// let tenure = Tenure::builder(MemoryStore::new()).clock(move || noon).open()?;
    /// assert_eq!(tenure.now(), noon);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    pub fn clock(mut self, clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes new ids from `ids`, given the instant, instead of making UUIDs (version 7). For tests
    /// that compare runs; each must be new.
    pub fn ids(mut self, ids: impl Fn(OffsetDateTime) -> Uuid + Send + Sync + 'static) -> Self {
        self.ids = Ids(Arc::new(ids));
        self
    }

    /// Uses other numbers than the defaults.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Asks `gateway` about checkouts and subscriptions, and sends it the usage that it bills.
    pub fn billing(mut self, gateway: impl BillingGateway + 'static) -> Self {
        self.billing = Some(Arc::new(gateway));
        self
    }

    /// Promises that nobody writes to the store but this handle and its clones: no other handle, no
    /// other process, no host's own transaction. Then [`Tenure::check`] answers from memory what it
    /// has answered before, for as long as nothing that it depends on has changed: a commit is seen
    /// by every check that begins after it returned. At most 65,536 answers are kept, one for each
    /// pair of customer and feature, with about 700 bytes and the customer's own configuration each,
    /// and 1 MiB from the beginning.
    ///
    /// [`Tenure::within`] is refused on such a handle. If the promise is not kept, a check may give
    /// an answer that was right before somebody else's change, at worst until the window ends.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::Tenure;
    /// let tenure = Tenure::builder(MemoryStore::new()).sole_writer().open()?;
    /// # assert!(!tenure.check("org_1", "ai_credits")?.can_use);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    pub fn sole_writer(self) -> Self {
        self.sole_writer_keeping(65_536)
    }

    /// The same, with at most so many answers kept, in whole fours.
    pub fn sole_writer_keeping(mut self, answers: usize) -> Self {
        self.warm = Some(answers);
        self
    }

    /// Makes the store's tables usable and gives the handle.
    ///
    /// # Errors
    ///
    /// When the store's tables cannot be brought to this version's shape.
    pub fn open(self) -> Result<Tenure> {
        let Self { store, clock, ids, config, billing, warm } = self;
        store.install(TABLES)?;
        let product = ProductId::parse("default").map_err(Error::malformed("product"))?;
        let listed = Mutex::default();
        let filters = Arc::new(Filters::new(config.key_memory_max));
        let config = Arc::new(config);
        let warm = warm.map(|answers| Arc::new(Warm::new(answers)));
        let shared = Arc::new(Shared { store, clock, ids, config, billing, warm, listed, filters });
        Ok(Tenure { shared, org: OrgId::DEFAULT, org_name: None, product, actor: "system".into() })
    }
}

impl Tenure {
    /// Opens `store` with the defaults.
    ///
    /// # Errors
    ///
    /// When the store's tables cannot be brought to this version's shape.
    pub fn open(store: impl Store + 'static) -> Result<Self> {
        Self::builder(store).open()
    }

    /// Opens `store` with something else than the defaults.
    pub fn builder(store: impl Store + 'static) -> Builder {
        Builder {
            store: Arc::new(store),
            clock: Arc::new(system_clock),
            ids: Ids(Arc::new(time_ordered_id)),
            config: Config::default(),
            billing: None,
            warm: None,
        }
    }

    /// A handle that acts in the org of this name, which is another for every name: one that was not
    /// used before is new.
    #[must_use]
    pub fn for_org(&self, name: &str) -> Self {
        Self { org: OrgId::named(name), org_name: Some(name.into()), ..self.clone() }
    }

    /// A handle that acts in the org with this id.
    #[must_use]
    pub fn for_org_id(&self, org: OrgId) -> Self {
        Self { org, org_name: None, ..self.clone() }
    }

    /// A handle that acts for another product of the org.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when `code` is not a [`Code`](crate::Code).
    pub fn for_product(&self, code: &str) -> Result<Self> {
        let product = ProductId::parse(code).map_err(Error::malformed("product"))?;
        Ok(Self { product, ..self.clone() })
    }

    /// A handle whose changes name `actor`, a user of the host, as who made them.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when `actor` is not an id.
    pub fn acting_as(&self, actor: &str) -> Result<Self> {
        let actor = crate::ExternalId::parse(actor).map_err(Error::malformed("actor"))?;
        Ok(Self { actor: actor.as_str().into(), ..self.clone() })
    }

    /// The org that this handle acts in.
    #[must_use]
    pub const fn org(&self) -> OrgId {
        self.org
    }

    /// The instant that the handle's clock shows.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        instant::utc((self.shared.clock)())
    }

    pub(crate) fn billing(&self) -> Result<&dyn BillingGateway> {
        let none = || Error::rule("no billing gateway was given to the handle");
        self.shared.billing.as_deref().ok_or_else(none)
    }

    /// Reads from one consistent snapshot of what the org holds.
    ///
    /// # Errors
    ///
    /// What `body` returned, or the store's own error.
    pub fn read<T, E: From<Error>>(
        &self,
        mut body: impl FnMut(&View<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _inside = Inside::enter(self.store_address())?;
        let scope = self.scope();
        let mut outcome = None;
        let read = self.shared.store.read(self.org, &mut |reader| {
            outcome = Some(body(&View::new(reader, &scope)));
            Ok(())
        });
        settled(read, outcome)
    }

    /// Writes in one atomic transaction, kept only if `body` returns `Ok`.
    ///
    /// The store may call `body` again after a conflict with another writer: only `tx` may have
    /// effects inside it.
    ///
    /// # Errors
    ///
    /// What `body` returned, or the store's own error.
    pub fn write<T, E: From<Error>>(
        &self,
        mut body: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.list_org()?;
        self.transact(|tx| body(tx), |_| Ok(()))
    }

    /// Runs `body` as [`write`](Self::write) does, then takes everything back: what it would have
    /// returned, and the events that it would have written.
    ///
    /// # Errors
    ///
    /// What `body` returned, or the store's own error.
    pub fn preview<T, E: From<Error>>(
        &self,
        mut body: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<Preview<T>, E> {
        let mut events = Vec::new();
        let outcome = self.transact(
            |tx| body(tx),
            |announced| {
                events = announced;
                Err(StoreError::Aborted)
            },
        )?;
        Ok(Preview { outcome, events })
    }

    /// Runs `body` in a transaction; `verdict`, given its events, decides whether it is kept.
    fn transact<T, E: From<Error>>(
        &self,
        body: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
        verdict: impl FnMut(Vec<Event>) -> Result<(), StoreError>,
    ) -> Result<T, E> {
        let _inside = Inside::enter(self.store_address())?;
        self.run(&mut |org, body| self.shared.store.write(org, body), body, verdict)
    }

    /// Runs `body` in a transaction that the host has open on the same store, such as
    /// [`SqliteStore::join`](crate::store::sqlite::SqliteStore::join) gives: what it does is kept or
    /// not with the rest of that transaction. If `body` fails, what it did is undone, and the host
    /// decides about its own.
    ///
    /// # Errors
    ///
    /// What `body` returned, or the store's own error; [`Unjoined::SoleWriter`] on a handle that is
    /// the [only writer](Builder::sole_writer).
    pub fn within<T, E: From<Error>>(
        &self,
        host: &dyn HostTransaction,
        body: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.shared.warm.is_some() {
            return Err(E::from(Error::Store(StoreError::NotJoined(Unjoined::SoleWriter))));
        }
        let _inside = Inside::enter(self.store_address())?;
        // Not remembered as listed: the host may yet roll back.
        self.list_in(&mut |org, body| host.write(org, body))?;
        self.run(&mut |org, body| host.write(org, body), body, |_| Ok(()))
    }

    fn run<T, E: From<Error>>(
        &self,
        write: &mut WriteIn<'_>,
        mut body: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
        mut verdict: impl FnMut(Vec<Event>) -> Result<(), StoreError>,
    ) -> Result<T, E> {
        let scope = self.scope();
        let (mut outcome, mut changing) = (None, None);
        let written = write(self.org, &mut |writer| {
            let (result, events, changes) = run(writer, &scope, &mut body);
            let kept = result.is_ok();
            outcome = Some(result);
            if !kept {
                return Err(StoreError::Aborted);
            }
            verdict(events)?;
            changing = self.warm().map(|warm| warm.changing(self.org, &changes));
            Ok(())
        });
        // Whatever became of it, and before anybody hears of it.
        drop(changing);
        settled(written, outcome)
    }

    fn scope(&self) -> Scope {
        Scope::new(
            self.org,
            self.product.clone(),
            Arc::clone(&self.actor),
            self.now(),
            Arc::clone(&self.shared.config),
            self.shared.ids.clone(),
            Arc::clone(&self.shared.filters),
            self.shared.warm.is_some(),
        )
    }

    pub(crate) fn product(&self) -> &str {
        self.product.as_str()
    }

    /// What checks found, if this handle and its clones are the only writers.
    pub(crate) fn warm(&self) -> Option<&Arc<Warm>> {
        self.shared.warm.as_ref()
    }

    /// The orgs that ever wrote anything, by id, a page at a time.
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn orgs(&self, limit: usize, after: Option<&crate::Cursor>) -> Result<crate::Page<Org>> {
        use crate::store::query::Query;
        let directory = self.for_org_id(OrgId::DIRECTORY);
        directory.read(|view| view.page(Query::all(), limit, after))
    }

    /// Makes sure that the org is in the directory before it writes anything else.
    fn list_org(&self) -> Result<()> {
        if self.org == OrgId::DIRECTORY || self.listed().contains(&self.org) {
            return Ok(());
        }
        let _inside = Inside::enter(self.store_address())?;
        self.list_in(&mut |org, body| self.shared.store.write(org, body))?;
        self.listed().insert(self.org);
        Ok(())
    }

    /// Writes the org into the directory, with its name once that is known.
    fn list_in(&self, write: &mut WriteIn<'_>) -> Result<()> {
        if self.listed().contains(&self.org) {
            return Ok(());
        }
        let scope = self.scope();
        let name = self.org_name.as_deref().and_then(|name| Name::parse(name).ok());
        let org = Org { id: OrgKey::from(self.org.uuid()), name, created_at: scope.now };
        let list = |tx: &mut Tx<'_>| match tx.get::<Org>(org.id)? {
            Some(known) if known.name.is_some() || org.name.is_none() => Ok(()),
            Some(known) => tx.put(&Org { name: org.name.clone(), ..known }),
            None => tx.put(&org),
        };
        write(OrgId::DIRECTORY, &mut |writer| {
            list(&mut Tx::new(writer, &scope)).map_err(|error| match error {
                Error::Store(error) => error,
                _ => StoreError::Aborted,
            })
        })?;
        Ok(())
    }

    /// The store, as [`is_inside`](Self::is_inside) knows it.
    pub(crate) fn store_address(&self) -> usize {
        Arc::as_ptr(&self.shared.store).cast::<()>().addr()
    }

    /// Whether this thread is in a transaction of a store.
    pub(crate) fn is_inside(store: usize) -> bool {
        OPEN.with_borrow(|open| open.contains(&store))
    }

    /// An idempotency key that nobody has.
    pub(crate) fn new_key(&self) -> String {
        format!("{:032x}", self.shared.ids.random())
    }

    fn listed(&self) -> MutexGuard<'_, HashSet<OrgId>> {
        self.shared.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a body returned, together with the events it leaves and what it changed.
fn run<T, E: From<Error>>(
    writer: &mut dyn Writer,
    scope: &Scope,
    body: &mut dyn FnMut(&mut Tx<'_>) -> Result<T, E>,
) -> (Result<T, E>, Vec<Event>, Changes) {
    let mut tx = Tx::new(writer, scope);
    let finished = body(&mut tx).and_then(|value| Ok((value, tx.finish()?)));
    match finished {
        Ok((value, events)) => (Ok(value), events, tx.noted()),
        Err(error) => (Err(error), Vec::new(), Changes::default()),
    }
}

/// What a transaction came to, from what the store says and what its body returned.
fn settled<T, E: From<Error>>(
    done: Result<(), StoreError>,
    outcome: Option<Result<T, E>>,
) -> Result<T, E> {
    match (done, outcome) {
        (Ok(()) | Err(StoreError::Aborted), Some(outcome)) => outcome,
        (Err(error), _) => Err(E::from(Error::Store(error))),
        // A store that says it is done without having called the body is broken.
        (Ok(()), None) => Err(E::from(Error::Store(StoreError::Aborted))),
    }
}

/// What a change would have done.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Preview<T> {
    /// What it would have returned.
    pub outcome: T,
    /// The events that it would have written.
    pub events: Vec<Event>,
}

#[expect(clippy::disallowed_methods, reason = "the one place where time comes from the system")]
fn system_clock() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// A UUID (version 7): it begins with the instant, so that new rows go to the end of their table.
fn time_ordered_id(now: OffsetDateTime) -> Uuid {
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, now.nanosecond()))
}

thread_local! {
    /// The stores that this thread is inside a transaction of.
    static OPEN: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Turns a transaction inside a transaction, which would wait for itself, into an error.
struct Inside;

impl Inside {
    fn enter(store: usize) -> Result<Self> {
        OPEN.with_borrow_mut(|open| {
            if open.contains(&store) {
                return Err(Error::Store(StoreError::Nested));
            }
            open.push(store);
            Ok(Self)
        })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(Vec::pop);
    }
}

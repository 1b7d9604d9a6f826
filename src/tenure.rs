//! The handle that a host keeps, and how transactions are run on it.

use crate::builder::{Builder, Clock};
use crate::config::Config;
use crate::denials::Denials;
use crate::domain::billing::BillingGateway;
use crate::domain::channel::Channel;
use crate::domain::event::Event;
use crate::domain::instant;
use crate::domain::link::ProductId;
use crate::domain::org::{Org, OrgKey};
use crate::domain::pulse::day_of;
use crate::domain::text::Name;
use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::ops::filters::Filters;
use crate::ops::link_index::cache::LinkCache;
use crate::store::{HostTransaction, OrgId, Store, StoreError, Unjoined, WriteBody, Writer};
use crate::tables::TABLES;
use crate::tx::{Scope, Tx, View};
use crate::warm::{Changes, Warm};
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use time::OffsetDateTime;

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
    channel: Option<Arc<dyn Channel>>,
    /// What checks found, if nobody else writes.
    warm: Option<Arc<Warm>>,
    /// Orgs that are known to be in the directory.
    listed: Mutex<HashSet<OrgId>>,
    filters: Arc<Filters>,
    link_cache: Arc<LinkCache>,
    /// What was denied and is not written down yet.
    denials: Denials,
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

impl Tenure {
    /// Opens `store` with the defaults.
    ///
    /// # Errors
    ///
    /// When the store's tables cannot be brought to this version's shape.
    pub fn open(store: impl Store + 'static) -> Result<Self> {
        Self::builder(store).open()
    }

    /// The handle that `builder` describes.
    pub(crate) fn built(builder: Builder) -> Result<Self> {
        let Builder { store, clock, ids, config, billing, channel, warm } = builder;
        store.install(TABLES)?;
        let product = ProductId::parse("default").map_err(Error::malformed("product"))?;
        let listed = Mutex::default();
        let filters = Arc::new(Filters::new(config.key_memory_max));
        let link_cache = Arc::new(LinkCache::new(config.link_memory_max));
        let denials = Denials::new(config.denials_max);
        let config = Arc::new(config);
        let warm = warm.map(|answers| Arc::new(Warm::new(answers)));
        let shared = Shared {
            store,
            clock,
            ids,
            config,
            billing,
            channel,
            warm,
            listed,
            filters,
            link_cache,
            denials,
        };
        let shared = Arc::new(shared);
        Ok(Self { shared, org: OrgId::DEFAULT, org_name: None, product, actor: "system".into() })
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

    pub(crate) fn channel(&self) -> Option<&dyn Channel> {
        self.shared.channel.as_deref()
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
        self.count_denied(&scope);
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
        let scope = self.scope();
        let outcome = self.transact(&scope, |tx| body(tx), || Ok(()));
        self.count_denied(&scope);
        outcome
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
        let told = |tx: &mut Tx<'_>| {
            let outcome = body(tx)?;
            Ok(Preview { outcome, events: tx.finish_and_tell()? })
        };
        self.transact(&self.scope(), told, || Err(StoreError::Aborted))
    }

    /// Runs `body` in a transaction; `verdict` decides whether it is kept.
    fn transact<T, E: From<Error>>(
        &self,
        scope: &Scope,
        body: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
        verdict: impl FnMut() -> Result<(), StoreError>,
    ) -> Result<T, E> {
        let _inside = Inside::enter(self.store_address())?;
        let mut write = |org, body: &mut WriteBody<'_>| {
            self.shared.store.write(org, body)?;
            scope.commit();
            Ok(())
        };
        self.run(scope, &mut write, body, verdict)
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
        let scope = self.scope();
        let outcome = self.run(&scope, &mut |org, body| host.write(org, body), body, || Ok(()));
        self.count_denied(&scope);
        outcome
    }

    /// Counts what a transaction denied, whatever became of it.
    fn count_denied(&self, scope: &Scope) {
        let denied = scope.denied();
        if !denied.is_empty() {
            self.denials().add(self.org, denied, day_of(scope.now));
        }
    }

    pub(crate) fn denials(&self) -> &Denials {
        &self.shared.denials
    }

    fn run<T, E: From<Error>>(
        &self,
        scope: &Scope,
        write: &mut WriteIn<'_>,
        mut body: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
        mut verdict: impl FnMut() -> Result<(), StoreError>,
    ) -> Result<T, E> {
        let (mut outcome, mut changing) = (None, None);
        let written = write(self.org, &mut |writer| {
            let (result, changes) = run(writer, scope, &mut body);
            let kept = result.is_ok();
            outcome = Some(result);
            if !kept {
                return Err(StoreError::Aborted);
            }
            verdict()?;
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
            Arc::clone(&self.shared.link_cache),
            self.shared.warm.is_some(),
            self.shared.channel.is_some(),
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

/// What a body returned, together with what it changed.
fn run<T, E: From<Error>>(
    writer: &mut dyn Writer,
    scope: &Scope,
    body: &mut dyn FnMut(&mut Tx<'_>) -> Result<T, E>,
) -> (Result<T, E>, Changes) {
    let mut tx = Tx::new(writer, scope);
    let finished = body(&mut tx).and_then(|value| {
        tx.finish()?;
        Ok(value)
    });
    let changes = if finished.is_ok() { tx.noted() } else { Changes::default() };
    (finished, changes)
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

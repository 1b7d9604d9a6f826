//! How a handle is made: over which store, with which clock, ids, numbers and gateway.

use crate::config::Config;
use crate::domain::billing::BillingGateway;
use crate::domain::channel::Channel;
use crate::error::Result;
use crate::ids::Ids;
use crate::store::Store;
use crate::tenure::Tenure;
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// A handle in the making: a store and what differs from the defaults.
#[must_use = "`open` makes the handle"]
pub struct Builder {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) config: Config,
    pub(crate) billing: Option<Arc<dyn BillingGateway>>,
    pub(crate) channel: Option<Arc<dyn Channel>>,
    pub(crate) warm: Option<usize>,
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
        self.ids = Ids::Given(Arc::new(ids));
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

    /// Speaks with customers through `channel`, when [`Tenure::tick`] finds something to say. A handle
    /// without one only announces what is due.
    ///
    /// ```
    /// use tenure::channel::FakeChannel;
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::Tenure;
    ///
    /// let channel = FakeChannel::new();
    /// let tenure = Tenure::builder(MemoryStore::new()).channel(channel.clone()).open()?;
    /// assert_eq!(tenure.tick()?.actions_executed, 0);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    pub fn channel(mut self, channel: impl Channel + 'static) -> Self {
        self.channel = Some(Arc::new(channel));
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
        Tenure::built(self)
    }
}

impl Tenure {
    /// Opens `store` with something else than the defaults.
    pub fn builder(store: impl Store + 'static) -> Builder {
        Builder {
            store: Arc::new(store),
            clock: Arc::new(system_clock),
            ids: Ids::time_ordered(),
            config: Config::default(),
            billing: None,
            channel: None,
            warm: None,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where time comes from the system")]
fn system_clock() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

//! A world for a story: a handle over one of the backends, and a clock that the story sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tenure::store::memory::MemoryStore;
use tenure::{Builder, FeatureDraft, ResetPeriod, Store, Tenure, TierDraft, TierFeature};
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
    /// Keeps the folder of a file until the story is over.
    _folder: Option<tempfile::TempDir>,
}

/// When every story begins: noon of a last day of a month.
pub const BEGINNING: OffsetDateTime = datetime!(2026-01-31 12:00 UTC);

impl World {
    pub fn over(store: impl Store + 'static, with: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = Clock::at(BEGINNING);
        let shown = clock.clone();
        let builder = Tenure::builder(store).clock(move || shown.now());
        Self { tenure: with(builder).open().unwrap(), clock, _folder: None }
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
        Self { tenure: self.tenure.for_org(org), clock: self.clock.clone(), _folder: None }
    }

    /// A catalogue: `ai_credits` (quota) and `sso` (on or off); `starter` gives 100 credits a month
    /// of which 50 are included, `pro` 1,000 of which 500, and `sso`.
    pub fn with_catalogue(self) -> Self {
        let feature = |code: &str| TierFeature::new(code).unwrap();
        self.tenure
            .write(|tx| {
                tx.define_feature("ai_credits", &FeatureDraft::default().name("AI credits"))?;
                tx.define_feature("sso", &FeatureDraft::default().name("SSO").kind("feature"))?;
                let credits = feature("ai_credits").limit(100, ResetPeriod::Monthly).included(50);
                tx.define_tier(&TierDraft::new("starter").feature(credits))?;
                let credits =
                    feature("ai_credits").limit(1_000, ResetPeriod::Monthly).included(500);
                let pro = TierDraft::new("pro").feature(credits).feature(feature("sso"));
                tx.define_tier(&pro)
            })
            .unwrap();
        self
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

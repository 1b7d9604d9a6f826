//! A store on a simulated disk, with ids and a clock that every run repeats.

use crate::disk::{Disk, Image};
use crate::vfs::register;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tenure::store::sqlite::rusqlite::{Connection, OpenFlags, types::Value};
use tenure::store::sqlite::{Durability, SqliteOptions, SqliteStore};
use tenure::{
    AccessPatch, BillingCycle, CustomerDraft, CustomerId, FeatureDraft, Money, NewLink, Quantity,
    ResetPeriod, Result, Tenure, TierDraft, TierFeature, Track,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Where the store is, on every disk.
pub const PATH: &str = "/customers.db";
pub const CREDITS: &str = "ai_credits";
/// The organisation of the customer that every store has.
pub const ORG: &str = "org_1";
/// When everything begins.
pub const BEGINNING: OffsetDateTime = datetime!(2026-01-31 12:00 UTC);

/// A disk that SQLite knows.
#[derive(Debug)]
pub struct Place {
    pub disk: Disk,
    vfs: String,
    ids: Arc<AtomicU64>,
    elapsed: Arc<AtomicI64>,
}

/// An open store, and a way to see all that is in it.
pub struct World {
    pub tenure: Tenure,
    pub store: SqliteStore,
    pub customer: CustomerId,
}

impl Place {
    pub fn new() -> Self {
        let disk = Disk::default();
        let vfs = register(&disk);
        Self { disk, vfs, ids: Arc::default(), elapsed: Arc::default() }
    }

    pub fn options(&self) -> SqliteOptions {
        let options = SqliteStore::options().vfs(&self.vfs).files(self.disk.clone());
        options.busy_timeout(std::time::Duration::ZERO).readers(1)
    }

    /// From here on the same ids come again.
    pub fn repeat_ids(&self) {
        self.ids.store(1_000_000, Ordering::SeqCst);
    }

    /// From here on there are ids that were never given.
    pub fn new_ids(&self) {
        self.ids.store(2_000_000, Ordering::SeqCst);
    }

    pub fn show_time_of(&self, other: &Self) {
        self.elapsed.store(other.elapsed.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    pub fn advance(&self, by: Duration) {
        self.elapsed.fetch_add(by.whole_seconds(), Ordering::SeqCst);
    }

    /// A handle over an open store.
    pub fn handle(&self, store: &SqliteStore) -> Result<Tenure> {
        let (ids, elapsed) = (Arc::clone(&self.ids), Arc::clone(&self.elapsed));
        Tenure::builder(store.clone())
            .clock(move || BEGINNING + Duration::seconds(elapsed.load(Ordering::SeqCst)))
            .ids(move |now| {
                let number = ids.fetch_add(1, Ordering::SeqCst);
                let millis = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap();
                let mut bytes = [0; 10];
                let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                bytes[2..].copy_from_slice(&number.to_be_bytes());
                uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
            })
            .open()
    }

    pub fn open(&self) -> Result<World> {
        self.open_with(&self.options())
    }

    pub fn open_with(&self, options: &SqliteOptions) -> Result<World> {
        let store = options.open(PATH)?;
        let tenure = self.handle(&store)?;
        Ok(World { tenure, store, customer: *CUSTOMER.get().unwrap() })
    }

    /// All rows of all tables, but for the count of commits.
    pub fn dump(&self) -> String {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags_and_vfs(PATH, flags, self.vfs.as_str());
        let connection = connection.unwrap();
        let mut dump = String::new();
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'
            AND name <> 'tenure_store' ORDER BY name";
        let mut tables = connection.prepare(tables).unwrap();
        let names = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
        for name in names.map(std::result::Result::unwrap) {
            let mut rows = connection.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
            let columns = rows.column_count();
            let mut rows = rows.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                dump.push_str(&name);
                for column in 0..columns {
                    let _ = match row.get::<_, Value>(column).unwrap() {
                        Value::Null => write!(dump, " -"),
                        Value::Integer(int) => write!(dump, " {int}"),
                        Value::Real(real) => write!(dump, " {real}"),
                        Value::Text(text) => write!(dump, " `{text}`"),
                        Value::Blob(bytes) => match Uuid::from_slice(&bytes) {
                            Ok(id) => write!(dump, " {id}"),
                            Err(_) => write!(dump, " {bytes:02x?}"),
                        },
                    };
                }
                dump.push('\n');
            }
        }
        dump
    }

    /// A disk with a store in it that was closed: a catalogue, and a customer who used something.
    pub fn furnish(&self) -> Image {
        self.disk.load(&Image::new(), 1);
        self.elapsed.store(0, Ordering::SeqCst);
        let store = self.options().create(PATH).unwrap();
        let tenure = self.handle(&store).unwrap();
        let customer = tenure.write(furnish).unwrap();
        // Ids are repeated: it is the same in every store.
        assert_eq!(*CUSTOMER.get_or_init(|| customer), customer);
        drop((tenure, store));
        self.disk.image()
    }

    /// The disk holds `image`, and the clock and the ids begin again.
    pub fn start(&self, image: &Image, seed: u64) {
        self.disk.load(image, seed);
        self.elapsed.store(3_600, Ordering::SeqCst);
        self.repeat_ids();
    }

    /// Options by which an acknowledged change need not have reached the disk.
    pub fn careless(&self) -> SqliteOptions {
        self.options().durability(Durability::Normal)
    }
}

static CUSTOMER: OnceLock<CustomerId> = OnceLock::new();

fn furnish(tx: &mut tenure::Tx<'_>) -> Result<CustomerId> {
    let credits = || TierFeature::new(CREDITS).unwrap().included(50);
    let euros = |euros: i64| Money::new(euros * 100, "EUR".parse().unwrap());
    let tier = |code, fee, limit| {
        let credits = credits().limit(limit, ResetPeriod::Monthly);
        TierDraft::new(code).fee(euros(fee), BillingCycle::Monthly).feature(credits)
    };
    tx.define_feature(CREDITS, &FeatureDraft::default().name("AI credits"))?;
    tx.define_feature("storage", &FeatureDraft::default())?;
    tx.define_feature("seats", &FeatureDraft::default().measure("level"))?;
    tx.define_tier(&tier("starter", 19, 100))?;
    tx.define_tier(&tier("pro", 49, 1_000))?;
    let customer = tx.create_customer(&CustomerDraft::named("Acme Inc."))?.id;
    tx.link(customer, &NewLink::to(ORG))?;
    tx.apply_tier(customer, "pro", &[])?;
    let storage = AccessPatch::new().limit(Quantity::from(1_000_000));
    tx.set_access(customer, "storage", &storage)?;
    tx.set_access(customer, "seats", &storage)?;
    tx.track(&Track::new(customer, CREDITS).quantity(5).key("first"))?;
    tx.track(&Track::new(customer, "storage").quantity(5).key("first"))?;
    Ok(customer)
}

//! Other processes: the test binary itself, run again to play one hidden part.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use tenure::store::sqlite::SqliteStore;
use tenure::{AccessPatch, Builder, CustomerDraft, CustomerId, FeatureDraft, Quantity, Tenure};

/// Where a child finds the store.
const STORE: &str = "TENURE_TEST_STORE";
/// What it has to know besides.
const PART: &str = "TENURE_TEST_PART";
/// The organisation whose meter every process knows.
pub const ORG: &str = "org_1";

/// Runs the test called `test`, an ignored one, in a process of its own.
pub fn start(test: &str, store: &Path, part: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1", "--quiet"])
        .env(STORE, store)
        .env(PART, part)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// In a child: the store, and what it has to know. None in a run of all ignored tests.
pub fn part() -> Option<(Tenure, String)> {
    part_with(|builder, _| builder)
}

/// The same, by a handle with more than the defaults; it is told where the store is.
pub fn part_with(with: impl FnOnce(Builder, &Path) -> Builder) -> Option<(Tenure, String)> {
    let path = std::env::var_os(STORE)?;
    let builder = Tenure::builder(SqliteStore::open(&path).unwrap());
    let tenure = with(builder, Path::new(&path)).open().unwrap();
    Some((tenure, std::env::var(PART).unwrap()))
}

/// A new store with one customer, known as [`ORG`], and so many credits for life.
pub fn found(path: &Path, limit: u32) -> (Tenure, CustomerId) {
    let tenure = Tenure::open(SqliteStore::create(path).unwrap()).unwrap();
    let limit = AccessPatch::new().limit(Quantity::from(limit));
    let customer = tenure
        .write(|tx| {
            tx.define_feature(crate::metered::CREDITS, &FeatureDraft::default())?;
            let customer = tx.create_customer(&CustomerDraft::named("Acme Inc."))?.id;
            tx.link(customer, &tenure::NewLink::to(ORG))?;
            tx.set_access(customer, crate::metered::CREDITS, &limit)?;
            Ok::<_, tenure::Error>(customer)
        })
        .unwrap();
    (tenure, customer)
}

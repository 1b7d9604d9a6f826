//! One transaction for the host's own tables and tenure's: an order and the credits that it costs
//! are kept together or not at all.

use std::error::Error;
use tenure::store::sqlite::SqliteStore;
use tenure::store::sqlite::rusqlite::{Connection, TransactionBehavior, params};
use tenure::{FeatureDraft, Onboard, Quantity, ResetPeriod, Tenure, TierDraft, TierFeature, Track};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.db");
    let store = SqliteStore::create(&path)?;
    let tenure = Tenure::open(store.clone())?;
    let credits = TierFeature::new("credits")?.limit(10, ResetPeriod::Monthly);
    let tier = TierDraft::new("starter").feature(credits);
    tenure.write(|tx| {
        tx.define_feature("credits", &FeatureDraft::default())?;
        tx.define_tier(&tier)
    })?;
    let acme = tenure.onboard(&Onboard::org("org_1").company("Acme Inc.").tier("starter"))?;

    // The host has a connection of its own to the same file, and tables of its own in it.
    let mut host = Connection::open(&path)?;
    host.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer BLOB, item TEXT)")?;

    for (item, price) in [("poster", 4), ("mug", 3), ("statue", 9), ("sticker", 1)] {
        let order = host.transaction_with_behavior(TransactionBehavior::Immediate)?;
        order.execute(
            "INSERT INTO orders (customer, item) VALUES (?, ?)",
            params![acme.customer_id.uuid().as_bytes(), item],
        )?;
        // The same transaction, as tenure sees it.
        let joined = store.join(&order)?;
        let track = Track::new("org_1", "credits").quantity(price).key(format!("order-{item}"));
        let paid = tenure.within(&joined, |tx| tx.track(&track));
        match paid {
            Ok(result) => {
                order.commit()?;
                println!("{item:<8} ordered; {} credits left", shown(result.remaining));
            }
            Err(error) => {
                order.rollback()?;
                println!("{item:<8} not ordered, not even written down: {error}");
            }
        }
    }

    let orders: i64 = host.query_row("SELECT count(*) FROM orders", [], |row| row.get(0))?;
    let access = tenure.read(|view| view.check("org_1", "credits"))?;
    println!("{orders} orders, {} credits used: they always agree", access.current_usage);
    Ok(())
}

fn shown(quantity: Option<Quantity>) -> String {
    quantity.map_or("any number of".to_owned(), |quantity| quantity.to_string())
}

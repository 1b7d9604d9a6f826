//! The host's own transaction, as the handle takes part in it.

use tenure::store::sqlite::SqliteStore;
use tenure::store::sqlite::rusqlite::{Connection, TransactionBehavior};
use tenure::{
    CustomerDraft, Error, FeatureDraft, ResetPeriod, Tenure, TierDraft, TierFeature, Track,
};

fn shop() -> (tempfile::TempDir, SqliteStore, Tenure, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let store = SqliteStore::create(&path).unwrap();
    let tenure = Tenure::open(store.clone()).unwrap();
    let host = Connection::open(&path).unwrap();
    host.execute_batch("CREATE TABLE orders (n INTEGER)").unwrap();
    (folder, store, tenure, host)
}

fn orders(host: &Connection) -> i64 {
    host.query_row("SELECT count(*) FROM orders", [], |row| row.get(0)).unwrap()
}

#[test]
fn what_fails_inside_is_undone_and_the_host_goes_on() {
    let (_folder, store, tenure, mut host) = shop();
    let credits = TierFeature::new("credits").unwrap().limit(10, ResetPeriod::Monthly);
    let id = tenure
        .write(|tx| {
            tx.define_feature("credits", &FeatureDraft::default())?;
            tx.define_tier(&TierDraft::new("starter").feature(credits.clone()))?;
            let acme = tx.create_customer(&CustomerDraft::named("Acme"))?;
            tx.apply_tier(acme.id, "starter", &[])?;
            Ok::<_, Error>(acme.id)
        })
        .unwrap();
    let events = |tenure: &Tenure| tenure.read(|view| view.events(None, 100)).unwrap().len();
    let before = events(&tenure);
    let order = host.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    order.execute("INSERT INTO orders VALUES (1)", []).unwrap();
    let joined = store.join(&order).unwrap();
    let refused = tenure.within(&joined, |tx| {
        tx.track(&Track::new(id, "credits").quantity(5))?;
        tx.track(&Track::new(id, "credits").quantity(500))
    });
    assert!(refused.unwrap_err().is_limit_exceeded());
    tenure.within(&joined, |tx| tx.track(&Track::new(id, "credits").quantity(2))).unwrap();
    order.commit().unwrap();
    assert_eq!(orders(&host), 1);
    assert_eq!(tenure.check(id, "credits").unwrap().current_usage, 2.into());
    assert_eq!(events(&tenure), before + 1);
    assert!(tenure.verify(|_| ()).unwrap().is_sound());
}

#[test]
fn the_handle_brings_its_org_and_an_org_so_begun_is_listed_if_the_host_commits() {
    let (_folder, store, tenure, mut host) = shop();
    for (org, keep) in [("lost", false), ("kept", true)] {
        let order = host.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let joined = store.join(&order).unwrap();
        let handle = tenure.for_org(org);
        handle.within(&joined, |tx| tx.create_customer(&CustomerDraft::named("Acme"))).unwrap();
        let ended = if keep { order.commit() } else { order.rollback() };
        ended.unwrap();
        let found = handle.read(|view| view.customer_by_name("Acme")).unwrap();
        assert_eq!(found.is_some(), keep);
    }
    let listed = tenure.orgs(100, None).unwrap().items;
    let names: Vec<&str> =
        listed.iter().filter_map(|it| Some(it.name.as_ref()?.as_str())).collect();
    assert_eq!(names, ["kept"]);
    assert!(tenure.read(|view| view.customer_by_name("Acme")).unwrap().is_none());
}

#[test]
fn a_transaction_inside_the_hosts_is_refused_at_once() {
    let (_folder, store, tenure, mut host) = shop();
    let order = host.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let joined = store.join(&order).unwrap();
    let nested = tenure.within(&joined, |_| tenure.write(|_| Ok::<_, Error>(())));
    assert!(matches!(nested, Err(Error::Store(tenure::store::StoreError::Nested))), "{nested:?}");
}

#[test]
fn the_stores_own_transaction_gives_both() {
    let (_folder, store, tenure, host) = shop();
    for keep in [true, false] {
        let name = format!("Customer {keep}");
        let done = store.transaction(&mut |sql, joined| {
            sql.execute("INSERT INTO orders VALUES (1)", [])?;
            let draft = CustomerDraft::named(&name);
            tenure.within(joined, |tx| tx.create_customer(&draft)).unwrap();
            if keep { Ok(()) } else { Err(tenure::store::StoreError::Aborted) }
        });
        assert_eq!(done.is_ok(), keep);
        assert_eq!(tenure.read(|view| view.customer_by_name(&name)).unwrap().is_some(), keep);
    }
    assert_eq!(orders(&host), 1);
}

//! The host's own transaction.

use super::*;
use std::fs;
use tenure::store::sqlite::SqliteStore;
use tenure::store::sqlite::rusqlite::{Connection, TransactionBehavior};
use tenure::store::{HostTransaction, Refusal, Store, StoreError, Unjoined};

#[test]
fn a_file_can_be_the_hosts_as_well() {
    let folder = folder();
    let path = folder.path().join("host.db");
    let connection = host(&path);
    let shared = SqliteStore::options().share_with_host(true);
    // The host has opened it, and not written yet.
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    drop(shared.create(&path).unwrap());
    fs::remove_file(&path).unwrap();
    fs::remove_file(anchor_of(&path)).unwrap();
    drop(connection);

    let connection = host(&path);
    connection
        .execute_batch(
            "CREATE TABLE invoice (n INTEGER); INSERT INTO invoice VALUES (1);
             PRAGMA application_id = 42; PRAGMA user_version = 7",
        )
        .unwrap();
    let store = shared.open_or_create(&path).unwrap();
    store.install(TABLES).unwrap();
    assert_eq!(refusal(shared.create(&path)), Refusal::Exists);
    assert_eq!(shared.open(&path).unwrap().store_id(), store.store_id());
    assert_eq!(refusal(SqliteStore::open(&path)), Refusal::Foreign { application_id: 42 });
    let header = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    assert_eq!((header("application_id").unwrap(), header("user_version").unwrap()), (42, 7));
    write(&store, |tx| tx.insert(&METER, meter(1, 3))).unwrap();
    let both = "SELECT (SELECT count(*) FROM invoice) + (SELECT sum(used) FROM meter)";
    assert_eq!(connection.query_row(both, [], |row| row.get::<_, i64>(0)).unwrap(), 4);
}

#[test]
fn a_joined_transaction_is_kept_or_lost_as_a_whole() {
    let folder = folder();
    let path = folder.path().join("host.db");
    let store = SqliteStore::options().share_with_host(true).create(&path).unwrap();
    store.install(TABLES).unwrap();
    let mut connection = host(&path);
    connection.execute_batch("CREATE TABLE invoice (n INTEGER)").unwrap();
    for keep in [true, false] {
        let before = commits(&path);
        let number = u128::from(keep);
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        transaction.execute("INSERT INTO invoice VALUES (1)", []).unwrap();
        let joined = store.join(&transaction).unwrap();
        let done = joined.write(ORG, &mut |tx| {
            assert!(tx.insert(&METER, meter(number, 1))?);
            assert_eq!(tx.add(&METER, key(number), METER.col("used"), 2)?, Some(3));
            assert_eq!(tx.get(&METER, key(number))?, Some(meter(number, 3)));
            Ok(())
        });
        done.unwrap();
        let undone = joined.write(ORG, &mut |tx| {
            tx.put(&METER, meter(number, 100))?;
            Err(StoreError::Aborted)
        });
        assert!(matches!(undone, Err(StoreError::Aborted)));
        assert_eq!(used(&store, number), None, "nobody else sees it yet");
        if keep {
            transaction.commit().unwrap();
        } else {
            transaction.rollback().unwrap();
        }
        assert_eq!(used(&store, number), keep.then_some(3));
        assert_eq!(commits(&path), before + i64::from(keep), "it is marked once");
    }
    let invoices: i64 =
        connection.query_row("SELECT count(*) FROM invoice", [], |row| row.get(0)).unwrap();
    assert_eq!(invoices, 1);
}

#[test]
fn only_a_write_transaction_on_this_store_can_be_joined() {
    let folder = folder();
    let (path, other) = (folder.path().join("a.db"), folder.path().join("b.db"));
    let (store, _other) = (created(&path), created(&other));
    let why = |connection: &Connection| match store.join(connection) {
        Err(StoreError::NotJoined(why)) => Some(why),
        Ok(_) => None,
        Err(error) => panic!("{error:?}"),
    };
    let connection = host(&path);
    assert_eq!(why(&connection), Some(Unjoined::NoWriteTransaction));
    connection.execute_batch("BEGIN").unwrap();
    assert_eq!(why(&connection), Some(Unjoined::NoWriteTransaction));
    connection.execute_batch("ROLLBACK; BEGIN IMMEDIATE").unwrap();
    assert_eq!(why(&connection), None);
    let elsewhere = host(&other);
    elsewhere.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(why(&elsewhere), Some(Unjoined::OtherStore));
    let nowhere = Connection::open_in_memory().unwrap();
    nowhere.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(why(&nowhere), Some(Unjoined::OtherStore));
}

#[test]
fn the_hosts_sql_runs_in_the_stores_transaction() {
    in_memory_and_in_a_file(|store| {
        let create = |connection: &Connection, _: &dyn HostTransaction| {
            Ok(connection.execute_batch("CREATE TABLE invoice (n INTEGER)")?)
        };
        store.transaction(&mut { create }).unwrap();
        for keep in [true, false] {
            let done = store.transaction(&mut |connection, host| {
                connection.execute("INSERT INTO invoice VALUES (1)", [])?;
                host.write(ORG, &mut |tx| tx.insert(&METER, meter(u128::from(keep), 1)).map(drop))?;
                if keep { Ok(()) } else { Err(StoreError::Aborted) }
            });
            assert_eq!(done.is_ok(), keep, "{done:?}");
            assert_eq!(used(store, u128::from(keep)), keep.then_some(1));
        }
        let ended =
            store.transaction(&mut |connection, _| Ok(connection.execute_batch("ROLLBACK")?));
        assert!(matches!(ended, Err(StoreError::NotJoined(Unjoined::NoWriteTransaction))));
        let sql = store.transaction(&mut |it, _| Ok(it.execute_batch("SELECT nonsense")?));
        assert!(matches!(sql, Err(StoreError::Backend(_))), "{sql:?}");
        let mut count = 0_i64;
        store
            .transaction(&mut |connection, _| {
                count =
                    connection.query_row("SELECT count(*) FROM invoice", [], |row| row.get(0))?;
                Ok(())
            })
            .unwrap();
        assert_eq!(count, 1);
    });
}

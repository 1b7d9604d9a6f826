//! Rows: what comes back, what clashes, what is refused.

use super::*;
use tenure::store::query::{Op, Query};
use tenure::store::sqlite::SqliteStore;
use tenure::store::sqlite::rusqlite::Connection;
use tenure::store::{OrgId, Result, Store, StoreError};
use tenure::value::{Row, Value};

#[test]
fn every_kind_of_value_comes_back() {
    in_memory_and_in_a_file(|store| {
        let full = customer(1, Some("ünï\0code"));
        let nulls = Row(vec![
            Value::Uuid(key(2)),
            Value::Text(String::new()),
            Value::Null,
            Value::Null,
            Value::Bool(false),
            Value::Null,
            Value::Null,
        ]);
        assert!(write(store, |tx| tx.insert(&CUSTOMER, full.clone())).unwrap());
        assert!(!write(store, |tx| tx.insert(&CUSTOMER, full.clone())).unwrap());
        write(store, |tx| tx.put(&CUSTOMER, nulls.clone())).unwrap();
        store
            .read(ORG, &mut |view| {
                assert_eq!(view.get(&CUSTOMER, key(1))?, Some(full.clone()));
                assert_eq!(view.query(&CUSTOMER, &Query::all())?, [full.clone(), nulls.clone()]);
                Ok(())
            })
            .unwrap();
        assert!(write(store, |tx| tx.delete(&CUSTOMER, key(1))).unwrap());
        assert!(!write(store, |tx| tx.delete(&CUSTOMER, key(1))).unwrap());
    });
}

#[test]
fn a_clash_names_its_index_unless_the_key_is_taken() {
    in_memory_and_in_a_file(|store| {
        let clash = |result: Result<()>| match result {
            Err(StoreError::Conflict { table: "customer", columns }) => columns,
            other => panic!("{other:?}"),
        };
        write(store, |tx| tx.insert(&CUSTOMER, customer(1, Some("a@x")))).unwrap();
        write(store, |tx| tx.insert(&CUSTOMER, customer(2, Some("b@x")))).unwrap();
        let insert = |row: Row| write(store, |tx| tx.insert(&CUSTOMER, row.clone()));
        let put = |row: Row| write(store, |tx| tx.put(&CUSTOMER, row.clone()));
        assert_eq!(clash(insert(customer(3, Some("a@x"))).map(drop)), ["email"]);
        assert_eq!(clash(put(customer(3, Some("a@x")))), ["email"]);
        assert_eq!(clash(put(customer(2, Some("a@x")))), ["email"]);
        assert!(!insert(customer(2, Some("a@x"))).unwrap(), "the key decides");
        put(customer(2, Some("b@x"))).unwrap();
        assert!(insert(customer(4, None)).unwrap() && insert(customer(5, None)).unwrap());
        let elsewhere = OrgId::named("elsewhere");
        store
            .write(elsewhere, &mut |tx| {
                assert_eq!(tx.get(&CUSTOMER, key(1))?, None);
                assert!(tx.insert(&CUSTOMER, customer(1, Some("a@x")))?);
                Ok(())
            })
            .unwrap();
    });
}

#[test]
fn sums_are_exact_or_refused() {
    in_memory_and_in_a_file(|store| {
        let add = |by| write(store, |tx| tx.add(&METER, key(1), METER.col("used"), by));
        assert_eq!(add(1).unwrap(), None);
        write(store, |tx| tx.insert(&METER, meter(1, i64::MAX - 1))).unwrap();
        assert_eq!(add(1).unwrap(), Some(i64::MAX));
        for too_much in [1, i64::MAX] {
            let sum = add(too_much);
            assert!(matches!(sum, Err(StoreError::Overflow { column: "used", .. })), "{sum:?}");
        }
        assert_eq!(used(store, 1), Some(i64::MAX));
        write(store, |tx| tx.put(&METER, meter(1, i64::MIN))).unwrap();
        for too_little in [-1, -1024, -1025, i64::MIN] {
            assert!(matches!(add(too_little), Err(StoreError::Overflow { .. })), "{too_little}");
        }
        assert_eq!(add(0).unwrap(), Some(i64::MIN));
        // After a refused sum the transaction goes on.
        write(store, |tx| {
            assert!(tx.add(&METER, key(1), METER.col("used"), -1).is_err());
            tx.add(&METER, key(1), METER.col("used"), 1)
        })
        .unwrap();
        assert_eq!(used(store, 1), Some(i64::MIN + 1));
        let null = write(store, |tx| tx.add(&METER, key(1), METER.col("spare"), 1));
        assert!(matches!(null, Err(StoreError::Corrupt { column: "spare", .. })), "{null:?}");
        let no_number = write(store, |tx| tx.add(&METER, key(1), METER.col("customer"), 1));
        assert!(matches!(no_number, Err(StoreError::Corrupt { .. })), "{no_number:?}");
    });
}

#[test]
fn what_a_column_cannot_hold_is_refused_on_the_way_in_and_out() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = created(&path);
    let misfit = Row(vec![Value::Uuid(key(1)), Value::Null, Value::Text("7".into()), Value::Null]);
    let refused = write(&store, |tx| tx.insert(&METER, misfit.clone()));
    assert!(matches!(refused, Err(StoreError::Corrupt { table: "meter", column: "used" })));
    write(&store, |tx| tx.insert(&CUSTOMER, customer(1, None))).unwrap();
    let host = Connection::open(&path).unwrap();
    host.execute("UPDATE customer SET active = 2", []).unwrap();
    let read = store.read(ORG, &mut |view| view.get(&CUSTOMER, key(1)).map(drop));
    assert!(matches!(read, Err(StoreError::Corrupt { table: "customer", column: "active" })));
    let all = store.read(ORG, &mut |view| view.query(&CUSTOMER, &Query::all()).map(drop));
    assert!(matches!(all, Err(StoreError::Corrupt { .. })));
}

#[test]
fn queries_answer_as_the_model_does() {
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let maybe = |number: u64, value: Value| if number == 0 { Value::Null } else { value };
    let rows: Vec<Row> = (0..60)
        .map(|number| {
            Row(vec![
                Value::Uuid(key(number)),
                Value::Text(format!("n{}", random(5))),
                Value::Null,
                maybe(random(2), Value::Time(i64::try_from(random(6)).unwrap())),
                Value::Bool(random(2) == 0),
                maybe(
                    random(3),
                    Value::Real([0.0, -1.5, 2.0][usize::try_from(random(3)).unwrap()]),
                ),
                Value::Null,
            ])
        })
        .collect();
    let store = SqliteStore::in_memory().unwrap();
    store.install(TABLES).unwrap();
    write(&store, |tx| rows.iter().try_for_each(|row| tx.put(&CUSTOMER, row.clone()))).unwrap();
    let names = ["id", "name", "email", "seen_at", "active", "score"];
    let ops = [Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge];
    for _ in 0..2_000 {
        let any = |random: &mut dyn FnMut(u64) -> u64| {
            CUSTOMER.col(names[usize::try_from(random(6)).unwrap()])
        };
        let mut query = Query::all().limit(usize::try_from(random(12)).unwrap());
        for _ in 0..random(3) {
            // Mostly a value of the column's own kind, sometimes of another.
            let col = any(&mut random);
            let from = if random(8) == 0 { any(&mut random) } else { col };
            let value = rows[usize::try_from(random(60)).unwrap()].at(from.index).clone();
            let op = ops[usize::try_from(random(6)).unwrap()];
            query.filters.push(tenure::store::query::Filter { col, op, value });
        }
        query = match (random(4), any(&mut random)) {
            (0, _) => query,
            (1, _) => query.newest(),
            (2, col) => query.oldest_by(col),
            (_, col) => query.newest_by(col),
        };
        let after =
            (random(2) == 0).then(|| query.cursor(&rows[usize::try_from(random(60)).unwrap()]));
        query = query.after(after);
        let mut found = Vec::new();
        store
            .read(ORG, &mut |view| {
                found = view.query(&CUSTOMER, &query)?;
                Ok(())
            })
            .unwrap();
        assert_eq!(found, query.select(rows.iter()), "{query:?}");
    }
}

#[test]
fn a_table_must_be_installed_first() {
    let store = SqliteStore::in_memory().unwrap();
    let read = store.read(ORG, &mut |view| view.get(&METER, key(1)).map(drop));
    assert!(matches!(read, Err(StoreError::Schema { .. })), "{read:?}");
}

#[test]
fn references_hold_at_the_commit() {
    in_memory_and_in_a_file(|store| {
        let mut row = meter(1, 0);
        row.0[1] = Value::Uuid(key(9));
        // The other way round within the transaction.
        write(store, |tx| {
            tx.insert(&METER, row.clone())?;
            tx.insert(&CUSTOMER, customer(9, None))
        })
        .unwrap();
        row.0[0] = Value::Uuid(key(2));
        row.0[1] = Value::Uuid(key(10));
        let dangling = write(store, |tx| tx.insert(&METER, row.clone()));
        assert!(matches!(dangling, Err(StoreError::Backend(_))), "{dangling:?}");
        assert_eq!(used(store, 2), None);
        write(store, |tx| tx.insert(&METER, meter(3, 0))).unwrap();
    });
}

//! The schema: what is extended in place, and what cannot be.

use super::*;
use tenure::store::query::Query;
use tenure::store::schema::{Index, Reference, Table};
use tenure::store::sqlite::SqliteStore;
use tenure::store::sqlite::rusqlite::Connection;
use tenure::store::{Store, StoreError};
use tenure::value::{Kind, Row, Value};

static METER_EARLIER: Table = Table {
    name: "meter",
    columns: &[column("id", Kind::Uuid, false), column("used", Kind::Int, false)],
    indexes: &[Index { columns: &["used"], unique: true, sparse: false }],
    references: &[],
    sealed: false,
};

#[test]
fn an_earlier_table_is_extended_and_keeps_its_rows() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = SqliteStore::create(&path).unwrap();
    store.install(&[&METER_EARLIER]).unwrap();
    let row = Row(vec![Value::Uuid(key(1)), Value::Int(7)]);
    write(&store, |tx| tx.insert(&METER_EARLIER, row.clone())).unwrap();
    store.install(TABLES).unwrap();
    // The columns are in another order in the file, and the unique index is gone.
    write(&store, |tx| tx.insert(&METER, meter(2, 7))).unwrap();
    store
        .read(ORG, &mut |view| {
            assert_eq!(view.query(&METER, &Query::all())?, [meter(1, 7), meter(2, 7)]);
            Ok(())
        })
        .unwrap();
    let before = commits(&path);
    store.install(TABLES).unwrap();
    SqliteStore::open(&path).unwrap().install(TABLES).unwrap();
    assert_eq!(commits(&path), before, "nothing to do is nothing written");
    let old_shape = write(&store, |tx| tx.insert(&METER_EARLIER, row.clone()));
    assert!(matches!(old_shape, Err(StoreError::Schema { .. })), "{old_shape:?}");
}

#[test]
fn what_cannot_be_changed_in_place_is_said() {
    static KIND: Table = Table {
        name: "meter",
        columns: &[column("id", Kind::Uuid, false), column("used", Kind::Text, false)],
        indexes: &[],
        references: &[],
        sealed: false,
    };
    static NULLABLE: Table = Table {
        name: "meter",
        columns: &[column("id", Kind::Uuid, false), column("used", Kind::Int, true)],
        indexes: &[],
        references: &[],
        sealed: false,
    };
    static REQUIRED: Table = Table {
        name: "meter",
        columns: &[
            column("id", Kind::Uuid, false),
            column("used", Kind::Int, false),
            column("must", Kind::Int, false),
        ],
        indexes: &[],
        references: &[],
        sealed: false,
    };
    static CLASHES: Table = Table {
        name: "meter",
        columns: METER_EARLIER.columns,
        indexes: &[Index { columns: &["used"], unique: true, sparse: false }],
        references: &[],
        sealed: false,
    };
    static DANGLES: Table = Table {
        name: "other",
        columns: METER_EARLIER.columns,
        indexes: &[],
        references: &[Reference { column: "id", table: "nowhere" }],
        sealed: false,
    };
    static OWN_ORG: Table = Table {
        name: "another",
        columns: &[column("id", Kind::Uuid, false), column("org", Kind::Uuid, false)],
        indexes: &[],
        references: &[],
        sealed: false,
    };
    static HOSTS: Table = Table {
        name: "note",
        columns: &[column("id", Kind::Uuid, false)],
        indexes: &[],
        references: &[],
        sealed: false,
    };
    static PLAIN: Table = Table {
        name: "meter",
        columns: METER_EARLIER.columns,
        indexes: &[],
        references: &[],
        sealed: false,
    };
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = SqliteStore::create(&path).unwrap();
    store.install(&[&PLAIN]).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE note (id BLOB)").unwrap();
    for number in [1, 2] {
        let row = Row(vec![Value::Uuid(key(number)), Value::Int(7)]);
        write(&store, |tx| tx.insert(&PLAIN, row.clone())).unwrap();
    }
    for (table, says) in [
        (&KIND, "`used` is INTEGER in the file and TEXT here"),
        (&NULLABLE, "`used` may not be null in the file, unlike here"),
        (&REQUIRED, "`must` is new and may not be null"),
        (&CLASHES, "its rows are in the way"),
        (&DANGLES, "it refers to `nowhere`, which is missing"),
        (&OWN_ORG, "the column `org` is the store's own"),
        (&HOSTS, "another table has its name"),
    ] {
        match store.install(&[table]) {
            Err(StoreError::Schema { why, .. }) => assert!(why.contains(says), "{why}"),
            other => panic!("{says}: {other:?}"),
        }
    }
    write(&store, |tx| tx.add(&PLAIN, key(1), PLAIN.col("used"), 1)).unwrap();
}

#[test]
fn an_index_of_an_earlier_file_loses_its_nulls_and_answers_as_before() {
    static SPARSE: Table = Table {
        indexes: &[Index { columns: &["customer"], unique: false, sparse: true }],
        ..METER
    };
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = created(&path);
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DROP INDEX customer_one_by_email_if_any;
            CREATE UNIQUE INDEX customer_one_by_email ON customer (org, email)",
        )
        .unwrap();
    let meter_of = |number| {
        let mut row = meter(number, 0);
        row.0[1] = if number == 1 { Value::Null } else { Value::Uuid(key(7)) };
        row
    };
    let rows: Vec<Row> = (1..4).map(meter_of).collect();
    write(&store, |tx| tx.insert(&CUSTOMER, customer(7, None))).unwrap();
    write(&store, |tx| tx.insert(&CUSTOMER, customer(8, Some("a@b.c")))).unwrap();
    for row in &rows {
        write(&store, |tx| tx.insert(&METER, row.clone())).unwrap();
    }
    let tables: &[&Table] = &[&CUSTOMER, &SPARSE];
    store.install(tables).unwrap();
    let before = commits(&path);
    SqliteStore::open(&path).unwrap().install(tables).unwrap();
    assert_eq!(commits(&path), before, "once is enough");

    let indexes = "SELECT group_concat(name, ' ') FROM
        (SELECT name FROM sqlite_schema WHERE name GLOB '*_by_*' ORDER BY name)";
    let indexes: String =
        Connection::open(&path).unwrap().query_row(indexes, [], |row| row.get(0)).unwrap();
    assert_eq!(
        indexes,
        "customer_by_name customer_by_seen_at customer_one_by_email_if_any \
         meter_by_customer_if_any"
    );
    let owner = SPARSE.col("customer");
    let all = Query::all();
    for query in [
        all.clone().eq(owner, &key(7)),
        all.clone().eq(owner, &None::<Uuid>),
        all.clone().oldest_by(owner),
        all.clone().newest_by(owner).after(Some(all.clone().newest_by(owner).cursor(&rows[2]))),
        all.clone().oldest_by(owner).after(Some(all.oldest_by(owner).cursor(&rows[0]))),
    ] {
        let expected = query.select(rows.iter());
        let mut found = Vec::new();
        let read = store.read(ORG, &mut |view| {
            found = view.query(&SPARSE, &query)?;
            Ok(())
        });
        read.unwrap();
        assert_eq!(found, expected, "{query:?}");
    }
    let again = write(&store, |tx| tx.insert(&CUSTOMER, customer(9, Some("a@b.c"))));
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
}

#[test]
fn a_table_that_is_sealed_later_is_sealed_as_it_is_found() {
    static SEALED: Table = Table { sealed: true, ..METER };
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = created(&path);
    for number in 0..2_500 {
        let org = OrgId::named(if number % 2 == 0 { "even" } else { "odd" });
        let row = meter(number, 7);
        store.write(org, &mut |tx| tx.insert(&METER, row.clone()).map(drop)).unwrap();
    }
    let sealed: &[&Table] = &[&CUSTOMER, &SEALED];
    store.install(sealed).unwrap();
    let odd = OrgId::named("odd");
    let count = || {
        let mut found = 0;
        let read = store.read(odd, &mut |view| {
            found = view.query(&SEALED, &Query::all())?.len();
            Ok(())
        });
        read.map(|()| found)
    };
    assert_eq!(count().unwrap(), 1_250);
    store
        .write(odd, &mut |tx| {
            assert_eq!(tx.add(&SEALED, key(1), SEALED.col("used"), -9)?, Some(-2));
            assert_eq!(tx.get(&SEALED, key(1))?, Some(meter(1, -2)));
            tx.put(&SEALED, meter(1, 5))
        })
        .unwrap();
    assert_eq!(count().unwrap(), 1_250);
    Connection::open(&path)
        .unwrap()
        .execute("UPDATE meter SET used = 6 WHERE used = 5", [])
        .unwrap();
    let found = count();
    assert!(
        matches!(found, Err(StoreError::Corrupt { table: "meter", column: "tenure_seal" })),
        "{found:?}"
    );
    // One that knows no seals would leave them as they are.
    assert!(matches!(refusal(store.install(TABLES)), Refusal::TooNew { .. }));
}

//! The SQLite backend over real files: what it keeps, what it refuses, and what it promises to a
//! host that shares the file.

#![cfg(feature = "sqlite")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails says where")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tenure::store::query::{Op, Query};
use tenure::store::schema::{Index, Reference, Table};
use tenure::store::sqlite::rusqlite::{Connection, TransactionBehavior};
use tenure::store::sqlite::{APPLICATION_ID, Durability, SqliteStore};
use tenure::store::{
    Cause, HostTransaction, OrgId, Outcome, Refusal, Result, Store, StoreError, Unjoined, Writer,
};
use tenure::value::{Column, Kind, Row, Value};
use uuid::Uuid;

const fn column(name: &'static str, kind: Kind, nullable: bool) -> Column {
    Column { name, kind, nullable }
}

static CUSTOMER: Table = Table {
    name: "customer",
    columns: &[
        column("id", Kind::Uuid, false),
        column("name", Kind::Text, false),
        column("email", Kind::Text, true),
        column("seen_at", Kind::Time, true),
        column("active", Kind::Bool, false),
        column("score", Kind::Real, true),
        column("extra", Kind::Json, true),
    ],
    indexes: &[
        Index { columns: &["email"], unique: true },
        Index { columns: &["seen_at"], unique: false },
        Index { columns: &["name"], unique: false },
    ],
    references: &[],
    sealed: false,
};

static METER: Table = Table {
    name: "meter",
    columns: &[
        column("id", Kind::Uuid, false),
        column("customer", Kind::Uuid, true),
        column("used", Kind::Int, false),
        column("spare", Kind::Int, true),
    ],
    indexes: &[Index { columns: &["customer"], unique: false }],
    references: &[Reference { column: "customer", table: "customer" }],
    sealed: false,
};

const TABLES: &[&Table] = &[&CUSTOMER, &METER];
const ORG: OrgId = OrgId::DEFAULT;

fn key(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn customer(number: u128, email: Option<&str>) -> Row {
    let email = email.map_or(Value::Null, |it| Value::Text(it.into()));
    let name = Value::Text(format!("customer {number}"));
    let extra = Value::Json("{\"a\":1}".into());
    let values = [
        Value::Uuid(key(number)),
        name,
        email,
        Value::Time(-5),
        Value::Bool(true),
        Value::Real(0.5),
        extra,
    ];
    Row(values.into())
}

fn meter(number: u128, used: i64) -> Row {
    Row(vec![Value::Uuid(key(number)), Value::Null, Value::Int(used), Value::Null])
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn created(path: &Path) -> SqliteStore {
    let store = SqliteStore::create(path).unwrap();
    store.install(TABLES).unwrap();
    store
}

fn used(store: &SqliteStore, number: u128) -> Option<i64> {
    let mut used = None;
    let read = store.read(ORG, &mut |view| {
        used = view.get(&METER, key(number))?.map(|row| row.at(2).clone());
        Ok(())
    });
    read.unwrap();
    used.map(|value| match value {
        Value::Int(used) => used,
        other => panic!("{other:?}"),
    })
}

fn commits(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.query_row("SELECT commits FROM tenure_store", [], |row| row.get(0)).unwrap()
}

fn refusal<T>(result: Result<T>) -> Refusal {
    match result.err() {
        Some(StoreError::Refused { why, .. }) => why,
        other => panic!("not refused: {other:?}"),
    }
}

fn unavailable<T>(result: Result<T>) -> (Cause, Outcome) {
    match result.err() {
        Some(StoreError::Unavailable { cause, outcome, .. }) => (cause, outcome),
        other => panic!("not unavailable: {other:?}"),
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

// ---- rows ----

fn in_memory_and_in_a_file(test: impl Fn(&SqliteStore)) {
    let folder = folder();
    test(&created(&folder.path().join("a.db")));
    let store = SqliteStore::in_memory().unwrap();
    store.install(TABLES).unwrap();
    test(&store);
}

fn write<T>(store: &SqliteStore, mut body: impl FnMut(&mut dyn Writer) -> Result<T>) -> Result<T> {
    let mut answer = None;
    store.write(ORG, &mut |tx| {
        answer = Some(body(tx)?);
        Ok(())
    })?;
    Ok(answer.unwrap())
}

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

// ---- what is opened, and what is refused ----

#[test]
fn a_store_is_created_once_and_opened_again() {
    let folder = folder();
    let path = folder.path().join("a b?c=1#2%20.db");
    assert_eq!(refusal(SqliteStore::open(&path)), Refusal::Missing);
    assert!(!path.exists(), "opening creates nothing");
    let store = created(&path);
    assert_eq!(store.path(), Some(path.as_path()));
    write(&store, |tx| tx.insert(&METER, meter(1, 5))).unwrap();
    let id = store.store_id();
    assert_eq!(refusal(SqliteStore::create(&path)), Refusal::Exists);
    let second = SqliteStore::open(&path).unwrap();
    drop(store);
    drop(second);
    assert!(!log_of(&path).exists(), "the last one closes the log");
    let again = SqliteStore::open_or_create(&path).unwrap();
    again.install(TABLES).unwrap();
    assert_eq!((again.store_id(), used(&again, 1)), (id, Some(5)));
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path()).collect();
    assert!(names.iter().all(|it| !it.to_string_lossy().ends_with(".new")), "{names:?}");
}

#[test]
fn a_new_file_holds_its_marks_without_the_log() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = SqliteStore::create(&path).unwrap();
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    let host = Connection::open(&copy).unwrap();
    let header = |name: &str| host.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    assert_eq!(header("application_id").unwrap(), APPLICATION_ID);
    assert_eq!(&APPLICATION_ID.to_be_bytes(), b"tnur");
    assert_eq!(header("user_version").unwrap(), 1);
    let id: Vec<u8> = host.query_row("SELECT id FROM tenure_store", [], |row| row.get(0)).unwrap();
    assert_eq!(id, store.store_id().as_bytes());
}

#[test]
fn two_that_create_the_same_file_share_one_store() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let start = Barrier::new(4);
    let ids: Vec<Uuid> = std::thread::scope(|scope| {
        let open = || {
            start.wait();
            SqliteStore::open_or_create(&path).unwrap().store_id()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn lost_files_are_not_new_ones() {
    let folder = folder();
    let empty = folder.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    assert_eq!(refusal(SqliteStore::open(&empty)), Refusal::Empty);
    assert_eq!(refusal(SqliteStore::open_or_create(&empty)), Refusal::Empty);
    assert_eq!(refusal(SqliteStore::create(&empty)), Refusal::Exists);
    let gone = folder.path().join("gone.db");
    fs::write(log_of(&gone), "frames").unwrap();
    for result in
        [SqliteStore::open(&gone), SqliteStore::create(&gone), SqliteStore::open_or_create(&gone)]
    {
        assert_eq!(refusal(result), Refusal::OnlyLog);
    }
    assert!(!gone.exists() && log_of(&gone).exists());
}

#[test]
fn what_is_no_store_is_left_alone() {
    let folder = folder();
    let path = folder.path().join("a.db");
    for junk in [b"dear diary, ".repeat(1_000), vec![0xa5; 100], vec![b'x'], vec![0; 8_192]] {
        fs::write(&path, &junk).unwrap();
        assert_eq!(refusal(SqliteStore::open(&path)), Refusal::NotADatabase, "{}", junk.len());
        assert_eq!(fs::read(&path).unwrap(), junk);
    }
    fs::remove_file(&path).unwrap();
    let host = Connection::open(&path).unwrap();
    host.execute_batch("CREATE TABLE note (text TEXT)").unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(refusal(SqliteStore::open(&path)), Refusal::Foreign { application_id: 0 });
    assert_eq!(refusal(SqliteStore::open_or_create(&path)), Refusal::Foreign { application_id: 0 });
    let shared = SqliteStore::options().share_with_host(true).open(&path);
    assert_eq!(refusal(shared), Refusal::Foreign { application_id: 0 });
    assert_eq!(fs::read(&path).unwrap(), before);
    host.pragma_update(None, "application_id", 42).unwrap();
    assert_eq!(refusal(SqliteStore::open(&path)), Refusal::Foreign { application_id: 42 });
}

#[test]
fn a_newer_format_is_refused_at_opening_and_in_mid_flight() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = created(&path);
    let host = Connection::open(&path).unwrap();
    host.execute("UPDATE tenure_store SET format = 9", []).unwrap();
    let newer = Refusal::TooNew { found: 9, known: 1 };
    assert_eq!(refusal(SqliteStore::open(&path)), newer);
    let write = write(&store, |tx| tx.insert(&METER, meter(1, 0)));
    assert_eq!(refusal(write), newer, "a newer version migrated the file while it was open");
    assert_eq!(used(&store, 1), None);
    host.execute_batch("ALTER TABLE tenure_store DROP COLUMN format; PRAGMA user_version = 10")
        .unwrap();
    let newer = Refusal::TooNew { found: 10, known: 1 };
    assert_eq!(refusal(SqliteStore::open(&path)), newer, "even when its marks look different");
}

#[test]
fn columns_of_a_newer_version_are_refused() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = created(&path);
    Connection::open(&path).unwrap().execute_batch("ALTER TABLE meter ADD later TEXT").unwrap();
    assert!(matches!(refusal(store.install(TABLES)), Refusal::TooNew { .. }));
}

#[test]
fn the_log_of_another_store_is_refused_and_not_replayed() {
    let folder = folder();
    let (one, two) = (folder.path().join("one.db"), folder.path().join("two.db"));
    let copies = (folder.path().join("copy1.db"), folder.path().join("copy2.db"));
    let (first, second) = (created(&one), created(&two));
    for number in 0..5 {
        write(&first, |tx| tx.insert(&METER, meter(number, 1))).unwrap();
        write(&second, |tx| tx.insert(&METER, meter(number, 2))).unwrap();
    }
    // As they are on disk while open, with the other's log.
    fs::copy(&one, &copies.0).unwrap();
    fs::copy(log_of(&two), log_of(&copies.0)).unwrap();
    fs::copy(&two, &copies.1).unwrap();
    fs::copy(log_of(&two), log_of(&copies.1)).unwrap();
    let (main, log) = (fs::read(&copies.0).unwrap(), fs::read(log_of(&copies.0)).unwrap());
    for _ in 0..2 {
        assert_eq!(refusal(SqliteStore::open(&copies.0)), Refusal::ForeignLog);
        assert_eq!(refusal(SqliteStore::open_or_create(&copies.0)), Refusal::ForeignLog);
    }
    assert_eq!(fs::read(&copies.0).unwrap(), main, "nothing was moved into the file");
    assert_eq!(fs::read(log_of(&copies.0)).unwrap(), log);
    // The same with its own log is a store.
    let copy = SqliteStore::open(&copies.1).unwrap();
    copy.install(TABLES).unwrap();
    assert_eq!((copy.store_id(), used(&copy, 4)), (second.store_id(), Some(2)));
    // A log that is no log at all is ignored, as SQLite does.
    fs::write(log_of(&copies.0), "not a log").unwrap();
    assert_eq!(SqliteStore::open(&copies.0).unwrap().store_id(), first.store_id());
}

#[test]
fn the_log_of_another_application_is_refused() {
    let folder = folder();
    let (ours, theirs) = (folder.path().join("ours.db"), folder.path().join("theirs.db"));
    drop(created(&ours));
    let host = Connection::open(&theirs).unwrap();
    host.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE note (text TEXT)").unwrap();
    fs::copy(log_of(&theirs), log_of(&ours)).unwrap();
    assert_eq!(refusal(SqliteStore::open(&ours)), Refusal::ForeignLog);
}

#[test]
fn damage_is_refused() {
    let folder = folder();
    let path = folder.path().join("a.db");
    drop(created(&path));
    let sound = fs::read(&path).unwrap();
    assert!(sound.len() > 2 * 4_096);
    fs::write(&path, &sound[..sound.len() / 2]).unwrap();
    assert_eq!(refusal(SqliteStore::open(&path)), Refusal::Damaged, "cut in half");
    let mut garbled = sound.clone();
    garbled[100..4_096].fill(0xff);
    fs::write(&path, &garbled).unwrap();
    assert_eq!(refusal(SqliteStore::open(&path)), Refusal::Damaged, "no list of tables");
    let mut garbled = sound.clone();
    garbled[4_096..8_192].fill(0xff);
    fs::write(&path, &garbled).unwrap();
    assert_eq!(refusal(SqliteStore::open(&path)), Refusal::Damaged, "no marks");
    fs::write(&path, &sound).unwrap();
    SqliteStore::open(&path).unwrap();
}

#[test]
fn any_bytes_are_a_store_or_an_error() {
    let folder = folder();
    let path = folder.path().join("a.db");
    drop(created(&path));
    let sound = fs::read(&path).unwrap();
    for place in (0..sound.len()).step_by(97) {
        let mut bytes = sound.clone();
        bytes[place] ^= 0x41;
        fs::write(&path, &bytes).unwrap();
        if let Ok(store) = SqliteStore::open(&path) {
            let _ = store.install(TABLES);
            let _ = store.read(ORG, &mut |view| view.query(&METER, &Query::all()).map(drop));
        }
    }
}

#[test]
fn places_where_no_file_can_be() {
    let folder = folder();
    let cannot = (Cause::CannotOpen, Outcome::NotDone);
    let inside_nothing = folder.path().join("nothing").join("a.db");
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let nul = Path::new("a\0b.db");
    let paths = [folder.path(), &inside_nothing, &file.join("a.db"), nul, Path::new("")];
    for path in paths {
        assert_eq!(unavailable(SqliteStore::open(path)), cannot, "{path:?}");
        assert_eq!(unavailable(SqliteStore::open_or_create(path)), cannot, "{path:?}");
        if path != folder.path() {
            assert_eq!(unavailable(SqliteStore::create(path)), cannot, "{path:?}");
        }
    }
    #[cfg(target_os = "linux")]
    for device in ["/dev/null", "/dev/full", "/dev/zero"] {
        assert_eq!(unavailable(SqliteStore::open_or_create(device)), cannot, "{device}");
    }
}

#[test]
fn a_path_is_never_taken_for_a_uri() {
    let folder = folder();
    for name in ["file:x?mode=memory", ":memory:", "file::memory:"] {
        let path = folder.path().join(name);
        created(&path);
        assert!(path.is_file(), "{name}");
    }
    // Relative as well; in the folder of the package, where tests run.
    let relative = format!("file:tenure-{}?mode=memory", Uuid::new_v4());
    let store = SqliteStore::create(&relative).unwrap();
    let path = store.path().unwrap().to_owned();
    drop(store);
    let there = path.is_file();
    fs::remove_file(&path).unwrap();
    assert!(there && path.is_absolute());
}

// ---- the schema ----

static METER_EARLIER: Table = Table {
    name: "meter",
    columns: &[column("id", Kind::Uuid, false), column("used", Kind::Int, false)],
    indexes: &[Index { columns: &["used"], unique: true }],
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
        indexes: &[Index { columns: &["used"], unique: true }],
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

// ---- the host's own transaction ----

fn host(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

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

// ---- transactions ----

#[test]
fn commits_are_counted_once_each_and_only_when_something_changed() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = created(&path);
    let before = commits(&path);
    write(&store, |tx| tx.insert(&METER, meter(1, 0))).unwrap();
    assert_eq!(commits(&path), before + 1);
    write(&store, |tx| tx.get(&METER, key(1))).unwrap();
    let _ = write(&store, |tx| {
        tx.delete(&METER, key(1))?;
        Err::<(), _>(StoreError::Aborted)
    });
    assert_eq!(commits(&path), before + 1);
    store.transaction(&mut |it, _| Ok(it.execute_batch("CREATE TABLE x (y)")?)).unwrap();
    assert_eq!(commits(&path), before + 2);
}

#[test]
fn many_threads_count_exactly_and_share_commits() {
    const THREADS: i64 = 16;
    const EACH: i64 = 200;
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = created(&path);
    write(&store, |tx| tx.insert(&METER, meter(1, 0))).unwrap();
    let before = commits(&path);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut last = 0;
                for _ in 0..EACH {
                    let sum = write(&store, |tx| tx.add(&METER, key(1), METER.col("used"), 1));
                    let sum = sum.unwrap().unwrap();
                    assert!(sum > last);
                    last = sum;
                    // Acknowledged is visible to everyone at once.
                    assert!(used(&store, 1).unwrap() >= sum);
                }
            });
        }
    });
    assert_eq!(used(&store, 1), Some(THREADS * EACH));
    let commits = commits(&path) - before;
    assert!(commits < THREADS * EACH, "{commits} commits");
}

#[test]
fn bodies_that_fail_in_the_middle_hurt_nobody_else() {
    let folder = folder();
    let store = created(&folder.path().join("a.db"));
    write(&store, |tx| tx.insert(&METER, meter(1, 0))).unwrap();
    let kept = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let (store, kept) = (&store, &kept);
            scope.spawn(move || {
                for round in 0..60_u32 {
                    let way = (thread + round) % 4;
                    let write = || {
                        store.write(ORG, &mut |tx| {
                            tx.add(&METER, key(1), METER.col("used"), 1)?;
                            match way {
                                0 => Err(StoreError::Aborted),
                                1 => panic!("on purpose"),
                                // Nobody to refer to: seen only at the commit.
                                2 => {
                                    let mut row = meter(u128::from(100 + thread), 0);
                                    row.0[1] = Value::Uuid(key(404));
                                    tx.put(&METER, row)
                                }
                                _ => Ok(()),
                            }
                        })
                    };
                    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(write));
                    match way {
                        0 => assert!(matches!(result, Ok(Err(StoreError::Aborted)))),
                        1 => assert!(result.is_err()),
                        2 => assert!(matches!(result, Ok(Err(StoreError::Backend(_))))),
                        _ => {
                            result.unwrap().unwrap();
                            kept.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }
            });
        }
    });
    let kept = kept.into_inner();
    assert_eq!(kept, 8 * 15);
    assert_eq!(used(&store, 1), Some(i64::try_from(kept).unwrap()));
}

#[test]
fn a_reader_sees_one_snapshot() {
    let folder = folder();
    let store = created(&folder.path().join("a.db"));
    write(&store, |tx| tx.insert(&METER, meter(1, 0))).unwrap();
    write(&store, |tx| tx.insert(&METER, meter(2, 0))).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                write(&store, |tx| {
                    tx.add(&METER, key(1), METER.col("used"), 1)?;
                    tx.add(&METER, key(2), METER.col("used"), -1)
                })
                .unwrap();
            }
        });
        for _ in 0..300 {
            store
                .read(ORG, &mut |view| {
                    let value = |row: Option<Row>| match row.unwrap().at(2) {
                        Value::Int(int) => *int,
                        other => panic!("{other:?}"),
                    };
                    let one = value(view.get(&METER, key(1))?);
                    std::thread::yield_now();
                    let two = value(view.get(&METER, key(2))?);
                    assert_eq!(one, -two);
                    Ok(())
                })
                .unwrap();
        }
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn more_readers_than_connections_take_turns() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = SqliteStore::options().readers(2).durability(Durability::Normal).create(&path);
    let store = store.unwrap();
    store.install(TABLES).unwrap();
    write(&store, |tx| tx.insert(&METER, meter(1, 7))).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(used(&store, 1), Some(7))));
        }
    });
}

#[test]
fn after_a_panic_everything_works_on() {
    in_memory_and_in_a_file(|store| {
        let panics = |body: &dyn Fn()| {
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_err());
        };
        panics(&|| {
            let _ = store.write(ORG, &mut |tx| {
                tx.insert(&METER, meter(1, 1))?;
                panic!("on purpose")
            });
        });
        panics(&|| drop(store.read(ORG, &mut |_| panic!("on purpose"))));
        panics(&|| drop(store.transaction(&mut |_, _| panic!("on purpose"))));
        assert_eq!(used(store, 1), None);
        assert!(write(store, |tx| tx.insert(&METER, meter(1, 1))).unwrap());
    });
}

#[test]
fn a_transaction_inside_another_is_refused() {
    in_memory_and_in_a_file(|store| {
        let nested = |result: Result<()>| assert!(matches!(result, Err(StoreError::Nested)));
        store
            .write(ORG, &mut |_| {
                nested(store.write(ORG, &mut |_| Ok(())));
                nested(store.clone().read(ORG, &mut |_| Ok(())));
                nested(store.transaction(&mut |_, _| Ok(())));
                nested(store.install(TABLES));
                // Another store is another matter.
                SqliteStore::in_memory()?.read(ORG, &mut |_| Ok(()))
            })
            .unwrap();
        store.write(ORG, &mut |_| Ok(())).unwrap();
    });
}

#[test]
fn a_lock_that_is_not_given_up_is_busy_for_all_who_wait() {
    let folder = folder();
    let path = folder.path().join("a.db");
    drop(created(&path));
    let timeout = Duration::from_millis(300);
    let store = SqliteStore::options().busy_timeout(timeout).open(&path).unwrap();
    store.install(TABLES).unwrap();
    let connection = host(&path);
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let write = write(&store, |tx| tx.insert(&METER, meter(1, 1)));
                assert_eq!(unavailable(write), (Cause::Busy, Outcome::NotDone));
            });
        }
    });
    assert!(start.elapsed() < 4 * timeout, "they waited at the same time");
    assert_eq!(used(&store, 1), None, "readers do not wait");
    connection.execute_batch("ROLLBACK").unwrap();
    write(&store, |tx| tx.insert(&METER, meter(1, 1))).unwrap();
}

#[test]
fn a_full_disk_is_told_and_nothing_is_done() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = created(&path);
    let pages = |most: u32| {
        let sql = format!("PRAGMA max_page_count = {most}");
        store.transaction(&mut |it, _| Ok(it.query_row(&sql, [], |_| Ok(()))?)).unwrap();
    };
    pages(1); // as many as there are
    let big = || {
        let mut row = customer(1, None);
        row.0[1] = Value::Text("x".repeat(1_000_000));
        row
    };
    let before = commits(&path);
    let full = write(&store, |tx| {
        tx.insert(&METER, meter(1, 0))?;
        tx.put(&CUSTOMER, big())
    });
    assert_eq!(unavailable(full), (Cause::Full, Outcome::NotDone));
    assert_eq!((used(&store, 1), commits(&path)), (None, before));
    // One whose error was swallowed by its body is no success either, unless the rest is sound.
    let swallowed = write(&store, |tx| {
        tx.insert(&METER, meter(2, 5))?;
        let _ = tx.put(&CUSTOMER, big());
        Ok(())
    });
    assert_eq!(used(&store, 2), swallowed.is_ok().then_some(5));
    pages(1_000_000);
    write(&store, |tx| tx.put(&CUSTOMER, big())).unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_that_may_only_be_read_is_not_opened() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let path = folder.path().join("a.db");
    drop(created(&path));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    // Nothing is forbidden to root.
    if fs::OpenOptions::new().write(true).open(&path).is_err() {
        let read_only = (Cause::ReadOnly, Outcome::NotDone);
        assert_eq!(unavailable(SqliteStore::open(&path)), read_only);
    }
}

#[test]
fn sql_in_a_transaction_cannot_reach_other_files() {
    let folder = folder();
    let store = created(&folder.path().join("a.db"));
    let other = folder.path().join("b.db");
    let attach = format!("ATTACH '{}' AS other", other.display());
    let attached = store.transaction(&mut |it, _| Ok(it.execute_batch(&attach)?));
    assert!(attached.is_err() && !other.exists());
}

#[test]
fn nothing_deleted_is_left_after_compacting() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let store = created(&path);
    let mail = "somebody@secret.example";
    let holds = |path: &Path| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(mail.len()).any(|it| it == mail.as_bytes())
    };
    write(&store, |tx| tx.insert(&CUSTOMER, customer(1, Some(mail)))).unwrap();
    write(&store, |tx| tx.delete(&CUSTOMER, key(1))).unwrap();
    assert!(holds(&path) || holds(&log_of(&path)));
    store.compact().unwrap();
    assert!(!holds(&path) && !holds(&log_of(&path)));
    write(&store, |tx| tx.insert(&CUSTOMER, customer(1, None))).unwrap();
}

#[test]
fn the_debug_form_says_nothing_of_the_rows() {
    let store = SqliteStore::in_memory().unwrap();
    store.install(TABLES).unwrap();
    write(&store, |tx| tx.insert(&CUSTOMER, customer(1, Some("a@secret.example")))).unwrap();
    assert!(!format!("{store:?}").contains("secret"));
}

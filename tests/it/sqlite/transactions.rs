//! Transactions: what they keep, what they share, and what is in their way.

use super::*;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tenure::store::sqlite::{Durability, SqliteStore};
use tenure::store::{Cause, Outcome, Result, Store, StoreError};
use tenure::value::{Row, Value};

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

//! Files: what is opened, and what is refused.

use super::*;
use std::fs;
use std::path::Path;
use std::sync::Barrier;
use tenure::store::query::Query;
use tenure::store::sqlite::rusqlite::Connection;
use tenure::store::sqlite::{APPLICATION_ID, SqliteStore};
use tenure::store::{Cause, Outcome, Refusal, Store};
use uuid::Uuid;

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
    fs::remove_file(anchor_of(&path)).unwrap();
    assert!(there && path.is_absolute());
}

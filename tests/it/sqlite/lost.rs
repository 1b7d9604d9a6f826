//! What was durable and is gone: a store does not open as if it had never been.

use super::{METER, TABLES};
use super::{anchor_of, created, folder, log_of, meter, refusal, used, write};
use crate::child::{ORG, found, part, start};
use crate::metered::CREDITS;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use tenure::store::Refusal;
use tenure::store::Store;
use tenure::store::sqlite::{Durability, SqliteStore};
use tenure::{Quantity, Tenure, Track};

const TRACKS: u32 = 12;

/// Plays a process that tracks so often, says so, and never ends.
#[test]
#[ignore = "a part of the tests below"]
fn one_that_tracks_and_waits() {
    let Some((tenure, _)) = part() else { return };
    for step in 0..TRACKS {
        let track = Track::new(ORG, CREDITS).key(step.to_string());
        tenure.write(|tx| tx.track(&track)).unwrap();
    }
    println!("\ndone");
    loop {
        std::thread::park();
    }
}

/// A store whose process was killed: file and log as it left them.
struct Killed {
    _folder: tempfile::TempDir,
    path: PathBuf,
    file: Vec<u8>,
    log: Vec<u8>,
    anchor: Vec<u8>,
}

impl Killed {
    fn new() -> Self {
        let folder = folder();
        let path = folder.path().join("a.db");
        drop(found(&path, 1_000));
        let mut child = start("sqlite::lost::one_that_tracks_and_waits", &path, "");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map(Result::unwrap).any(|line| line == "done"));
        child.kill().unwrap();
        child.wait().unwrap();
        let read = |path: &Path| fs::read(path).unwrap();
        let (file, log, anchor) = (read(&path), read(&log_of(&path)), read(&anchor_of(&path)));
        Self { _folder: folder, path, file, log, anchor }
    }

    /// Puts everything back as it was, but with this log.
    fn with_log(&self, log: Option<&[u8]>) -> &Path {
        let _ = fs::remove_file(self.path.with_extension("db-shm"));
        fs::write(&self.path, &self.file).unwrap();
        fs::write(anchor_of(&self.path), &self.anchor).unwrap();
        match log {
            Some(log) => fs::write(log_of(&self.path), log).unwrap(),
            None => fs::remove_file(log_of(&self.path)).unwrap(),
        }
        &self.path
    }
}

fn used_by(store: SqliteStore) -> Quantity {
    let tenure = Tenure::open(store).unwrap();
    let used = tenure.read(|view| view.check(ORG, CREDITS)).unwrap().current_usage;
    assert!(tenure.verify(|_| ()).unwrap().is_sound());
    used
}

fn is_behind<T>(opened: tenure::store::Result<T>) -> bool {
    matches!(refusal(opened), Refusal::Behind { found, expected } if found < expected)
}

#[test]
fn a_log_that_is_gone_or_cut_is_noticed() {
    let killed = Killed::new();
    assert!(is_behind(SqliteStore::open(killed.with_log(None))));
    assert!(is_behind(SqliteStore::open_or_create(killed.with_log(None))));
    for length in [0, 1, 31, 32, 33, killed.log.len() / 2, killed.log.len() - 1] {
        let path = killed.with_log(Some(&killed.log[..length]));
        assert!(is_behind(SqliteStore::open(path)), "{length}");
    }
    assert!(is_behind(SqliteStore::open(killed.with_log(Some(b"not a log")))));
    // Nothing was done to it: with its log it is whole.
    let path = killed.with_log(Some(&killed.log));
    assert_eq!(used_by(SqliteStore::open(path).unwrap()), Quantity::from(TRACKS));
}

#[test]
fn a_bit_that_flipped_in_the_log_is_noticed() {
    let killed = Killed::new();
    let bits = killed.log.len() * 8;
    for round in 0..150 {
        let bit = round * (bits / 150) + round % 8;
        let mut log = killed.log.clone();
        log[bit / 8] ^= 1 << (bit % 8);
        let path = killed.with_log(Some(&log));
        match SqliteStore::open(path) {
            // The version of the log's format is no part of its checksum's secret: it is not read.
            Ok(store) => assert_eq!(used_by(store), Quantity::from(TRACKS), "bit {bit}"),
            Err(error) => assert!(is_behind::<()>(Err(error)), "bit {bit}"),
        }
        assert_eq!(fs::read(log_of(path)).unwrap_or_else(|_| log.clone()), log, "left as it is");
    }
}

#[test]
fn an_older_copy_is_opened_only_by_who_says_so() {
    let folder = folder();
    let path = folder.path().join("a.db");
    let backup = folder.path().join("backup.db");
    let store = created(&path);
    write(&store, |tx| tx.insert(&METER, meter(1, 1))).unwrap();
    drop(store);
    fs::copy(&path, &backup).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    store.install(TABLES).unwrap();
    write(&store, |tx| tx.insert(&METER, meter(2, 2))).unwrap();
    drop(store);
    fs::copy(&backup, &path).unwrap();
    for _ in 0..2 {
        assert!(is_behind(SqliteStore::open(&path)));
    }
    let options = SqliteStore::options();
    assert!(is_behind(options.clone().durability(Durability::Normal).open(&path)));
    drop(options.accept_loss(true).open(&path).unwrap());
    let store = SqliteStore::open(&path).unwrap();
    store.install(TABLES).unwrap();
    assert_eq!((used(&store, 1), used(&store, 2)), (Some(1), None));
    write(&store, |tx| tx.insert(&METER, meter(3, 3))).unwrap();
    drop(store);
    fs::copy(&backup, &path).unwrap();
    assert!(is_behind(SqliteStore::open(&path)), "it is watched again");
    // Elsewhere, without the anchor, it is a copy like any other.
    drop(SqliteStore::open(&backup).unwrap());
}

#[test]
fn a_file_that_is_gone_or_another_is_noticed_by_its_anchor() {
    let folder = folder();
    let (path, other) = (folder.path().join("a.db"), folder.path().join("b.db"));
    drop((created(&path), created(&other)));
    fs::copy(&other, &path).unwrap();
    assert_eq!(refusal(SqliteStore::open(&path)), Refusal::ForeignAnchor);
    fs::remove_file(&path).unwrap();
    fs::remove_file(log_of(&path)).unwrap();
    for opened in
        [SqliteStore::open(&path), SqliteStore::create(&path), SqliteStore::open_or_create(&path)]
    {
        assert_eq!(refusal(opened), Refusal::OnlyAnchor);
    }
    // A host's file that was emptied, or begun anew.
    let shared = SqliteStore::options().share_with_host(true);
    fs::write(&path, "").unwrap();
    assert_eq!(refusal(shared.create(&path)), Refusal::OnlyAnchor);
    fs::remove_file(&path).unwrap();
    let _ = fs::remove_file(log_of(&path));
    // To begin anew knowingly.
    let begun = SqliteStore::options().accept_loss(true).create(&path).unwrap();
    let id = begun.store_id();
    drop(begun);
    assert_eq!(SqliteStore::open(&path).unwrap().store_id(), id);
}

#[test]
fn an_anchor_that_says_nothing_is_no_alarm() {
    let folder = folder();
    let path = folder.path().join("a.db");
    drop(created(&path));
    for bytes in [vec![], vec![0; 10], vec![0; 256], b"garbage ".repeat(100)] {
        fs::write(anchor_of(&path), bytes).unwrap();
        drop(SqliteStore::open(&path).unwrap());
    }
    fs::remove_file(anchor_of(&path)).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    store.install(TABLES).unwrap();
    write(&store, |tx| tx.insert(&METER, meter(1, 1))).unwrap();
    assert_eq!(fs::read(anchor_of(&path)).unwrap().len(), 256);
}

#[cfg(unix)]
#[test]
fn a_link_to_the_file_has_the_anchor_of_the_file() {
    let folder = folder();
    let (path, link) = (folder.path().join("a.db"), folder.path().join("link.db"));
    drop(created(&path));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    drop(SqliteStore::open(&link).unwrap());
    assert!(anchor_of(&path).exists() && !anchor_of(&link).exists());
}

//! Batches in a file: killed in the middle, and from several processes at once.

use super::keyed;
use crate::child::{ORG, found, part, start};
use crate::metered::CREDITS;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use tenure::store::sqlite::SqliteStore;
use tenure::{CustomerRef, Quantity, Tenure, Track};

/// How many events a batch has here, and how many batches a process would make.
const EVENTS: usize = 150;
const BATCHES: usize = 60;
/// How often a process is killed, unless `TENURE_KILLS` says otherwise.
const KILLS: usize = 40;

fn batch(name: &str) -> Vec<Track> {
    let org = || CustomerRef::ExternalOrg(ORG.to_owned());
    (0..EVENTS).map(|n| Track::new(org(), CREDITS).key(format!("{name}-{n}"))).collect()
}

/// Plays the process that is killed. It says which batch was counted, once it was.
#[test]
#[ignore = "a part of the test below"]
fn one_that_is_killed() {
    let Some((tenure, round)) = part() else { return };
    let mut out = std::io::stdout().lock();
    for n in 0..BATCHES {
        let name = format!("{round}.{n}");
        assert!(tenure.track_batch(&batch(&name)).unwrap().iter().all(|it| it.is_ok()));
        writeln!(out, "\nack {name}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn no_acknowledged_batch_is_lost_and_none_is_kept_by_half() {
    let kills = std::env::var("TENURE_KILLS").ok().and_then(|it| it.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenure.db");
    let (tenure, customer) = found(&path, 10_000_000);
    drop(tenure);
    let (mut acknowledged, mut complete) = (Vec::new(), 0_usize);
    for round in 0..kills {
        let mut child = start("batch::files::one_that_is_killed", &path, &round.to_string());
        let (enough, moment) = (round * 7 % 5, u64::try_from(round * 1_237 % 4_000).unwrap());
        let (mut told, mut killed) = (0_usize, false);
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some(name) = line.strip_prefix("ack ") else { continue };
            acknowledged.push(name.to_owned());
            told += 1;
            if told > enough && !killed {
                killed = true;
                std::thread::sleep(std::time::Duration::from_micros(moment));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(told > 0, "round {round} did nothing");
        let tenure = Tenure::open(SqliteStore::open(&path).unwrap()).unwrap();
        let verified = tenure.verify(|_| ()).unwrap();
        assert!(verified.is_sound(), "round {round}: {verified:?}");
        assert_eq!(verified.events % EVENTS, 0, "round {round}: half a batch");
        let batches = verified.events / EVENTS;
        // At most one of each process was kept and could not be acknowledged any more.
        assert!((acknowledged.len()..=acknowledged.len() + round + 1).contains(&batches));
        assert!(batches >= complete + told);
        complete = batches;
        let last = batch(acknowledged.last().unwrap());
        assert!(tenure.track_batch(&last).unwrap().into_iter().all(|it| it.unwrap().duplicate));
    }
    let tenure = Tenure::open(SqliteStore::open(&path).unwrap()).unwrap();
    for name in &acknowledged {
        let again = tenure.track_batch(&batch(name)).unwrap();
        assert!(again.into_iter().all(|it| it.unwrap().duplicate), "{name}");
    }
    let access = tenure.read(|view| view.check(customer, CREDITS)).unwrap();
    let events = u32::try_from(complete * EVENTS).unwrap();
    assert_eq!(access.current_usage, Quantity::from(events));
}

/// Plays one process of several with the same batches. It says how many events it counted.
#[test]
#[ignore = "a part of the test below"]
fn one_of_many() {
    let Some((tenure, process)) = part() else { return };
    let shift: usize = process.parse().unwrap();
    let mut count = 0;
    for n in 0..20 {
        let batch = batch(&format!("all.{}", (n + 5 * shift) % 20));
        let answers = loop {
            match tenure.track_batch(&batch) {
                // Busy: nothing happened, or it is not known; the same keys are always right.
                Err(error) if error.is_retryable() => {}
                other => break other.unwrap(),
            }
        };
        let new = answers.into_iter().filter(|it| it.as_ref().is_ok_and(|it| !it.duplicate));
        count += new.count();
    }
    println!("\ncounted {count}");
}

#[test]
fn the_same_batches_from_many_processes_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenure.db");
    let (tenure, customer) = found(&path, 100_000);
    let children: Vec<_> =
        (0..3).map(|it| start("batch::files::one_of_many", &path, &it.to_string())).collect();
    let mut total: HashMap<&str, usize> = HashMap::new();
    for mut child in children {
        let mut told = String::new();
        child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
        assert!(child.wait().unwrap().success(), "{told}");
        let count = told.lines().find_map(|line| line.strip_prefix("counted ")).unwrap();
        *total.entry("counted").or_default() += count.parse::<usize>().unwrap();
    }
    assert_eq!(total["counted"], 20 * EVENTS);
    let verified = tenure.verify(|_| ()).unwrap();
    assert!(verified.is_sound());
    assert_eq!(verified.events, 20 * EVENTS);
    let access = tenure.read(|view| view.check(customer, CREDITS)).unwrap();
    assert_eq!(access.current_usage, Quantity::from(u32::try_from(20 * EVENTS).unwrap()));
}

/// Handles that share nothing but the file.
#[test]
fn two_handles_with_the_same_keys_count_them_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenure.db");
    let (one, customer) = found(&path, 1_000_000);
    let other = Tenure::open(SqliteStore::open(&path).unwrap()).unwrap();
    for n in 0..40 {
        let batch = keyed(customer, &format!("b{n}"), 70);
        let (first, second) = if n % 2 == 0 { (&one, &other) } else { (&other, &one) };
        assert!(first.track_batch(&batch).unwrap().into_iter().all(|it| !it.unwrap().duplicate));
        assert!(second.track_batch(&batch).unwrap().into_iter().all(|it| it.unwrap().duplicate));
        assert!(second.track(&batch[n]).unwrap().duplicate);
    }
    assert_eq!(one.verify(|_| ()).unwrap().events, 40 * 70);
}

//! A process that is killed at any moment: what it had acknowledged is there, once.

use crate::child::{ORG, found, part, start};
use crate::metered::CREDITS;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use tenure::store::sqlite::SqliteStore;
use tenure::{CustomerId, HistoryFilter, PAGE_MAX, Quantity, Tenure, Track, View};

/// How often a process is killed, unless `TENURE_KILLS` says otherwise.
const KILLS: usize = 200;
/// How many tracks a process would make if it were let.
const TRACKS: usize = 200;
/// How many processes work on one file before a new one is begun.
const FILE: usize = 25;
/// Less than what so many processes would use.
const LIMIT: u32 = 400;

/// Plays the process that is killed. It says which key was counted, once it was.
#[test]
#[ignore = "a part of the test below"]
fn one_that_is_killed() {
    let Some((tenure, round)) = part() else { return };
    let mut out = std::io::stdout().lock();
    for step in 0..TRACKS {
        let key = format!("{round}.{step}");
        match tenure.write(|tx| tx.track(&Track::new(ORG, CREDITS).key(key.as_str()))) {
            Ok(_) => writeln!(out, "\nack {key}").unwrap(),
            Err(error) if error.is_limit_exceeded() => writeln!(out, "\nfull {key}").unwrap(),
            Err(error) => panic!("{error}"),
        }
        out.flush().unwrap();
    }
}

/// A number that looks random and is the same in every run.
fn scatter(round: usize) -> usize {
    let round = u64::try_from(round).unwrap().wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (round ^ (round >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    usize::try_from((mixed ^ (mixed >> 29)) % 1_000_003).unwrap()
}

/// Lets a process work until it has acknowledged so many tracks, and a moment more, then kills it.
/// Returns the keys that were acknowledged, whenever the pipe brought them.
fn work_and_kill(path: &Path, round: usize) -> Vec<String> {
    let mut child = start("kill::one_that_is_killed", path, &round.to_string());
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (enough, moment) = (scatter(round) % 12, scatter(round + 7_919) % 2_500);
    let (mut acknowledged, mut answered, mut killed) = (Vec::new(), 0_usize, false);
    for line in lines {
        let line = line.unwrap();
        let Some((word @ ("ack" | "full"), key)) = line.split_once(' ') else { continue };
        if word == "ack" {
            acknowledged.push(key.to_owned());
        }
        answered += 1;
        if answered > enough && !killed {
            killed = true;
            std::thread::sleep(std::time::Duration::from_micros(moment.try_into().unwrap()));
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(answered > 0, "round {round} did nothing");
    acknowledged
}

fn keys(view: &View<'_>, customer: CustomerId) -> tenure::Result<Vec<String>> {
    let filter = HistoryFilter::default();
    let page = view.usage_history(customer, CREDITS, &filter, PAGE_MAX, None)?;
    assert!(page.next.is_none());
    Ok(page.items.into_iter().map(|event| event.idempotency_key.to_string()).collect())
}

#[test]
fn what_was_acknowledged_is_there_once_after_every_kill() {
    let kills = std::env::var("TENURE_KILLS").ok().and_then(|it| it.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir().unwrap();
    let (mut file, mut acknowledged) = (None, HashSet::new());
    for round in 0..kills {
        if round % FILE == 0 {
            let path = folder.path().join(format!("{round}.db"));
            let (_, customer) = found(&path, LIMIT);
            file = Some((path, customer));
            acknowledged.clear();
        }
        let Some((path, customer)) = &file else { continue };
        acknowledged.extend(work_and_kill(path, round));

        let tenure = Tenure::open(SqliteStore::open(path).unwrap()).unwrap();
        let kept = tenure.read(|view| keys(view, *customer)).unwrap();
        let once: HashSet<&String> = kept.iter().collect();
        assert_eq!(once.len(), kept.len(), "round {round}: a key counted twice");
        let lost: Vec<_> = acknowledged.iter().filter(|key| !once.contains(key)).collect();
        assert!(lost.is_empty(), "round {round}: acknowledged and gone: {lost:?}");
        assert!(tenure.verify(|_| {}).unwrap().is_sound(), "round {round}");
        let access = tenure.read(|view| view.check(*customer, CREDITS)).unwrap();
        let used = Quantity::from(u32::try_from(kept.len()).unwrap());
        assert_eq!(access.current_usage, used, "round {round}");
        assert!(used <= Quantity::from(LIMIT), "round {round}");
        let told = tenure.read(|view| view.events(None, PAGE_MAX)).unwrap();
        let consumed = told.iter().filter(|event| event.name == "entitlement.consumed").count();
        assert_eq!(consumed, kept.len(), "round {round}: as many told as counted");
        // A retry of what was acknowledged is known, whatever the limit says.
        for key in acknowledged.iter().take(3) {
            let again = tenure.write(|tx| tx.track(&Track::new(ORG, CREDITS).key(key.as_str())));
            assert!(again.unwrap().duplicate, "round {round}: {key}");
        }
    }
}

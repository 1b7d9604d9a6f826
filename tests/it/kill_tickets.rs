//! A process with a tracker that is killed at any moment: every ticket that was answered is kept.

use crate::child::{ORG, found, part, start};
use crate::metered::CREDITS;
use std::collections::{HashSet, VecDeque};
use std::io::{BufRead, BufReader, Write};
use tenure::store::sqlite::SqliteStore;
use tenure::{HistoryFilter, PAGE_MAX, Quantity, Tenure, Ticket, Track};

/// How often a process is killed.
const KILLS: usize = 20;
/// How far a process runs ahead.
const AHEAD: usize = 16;

/// Plays the process that is killed. It says which key was counted, once its ticket was answered.
#[test]
#[ignore = "a part of the test below"]
fn one_that_is_killed() {
    let Some((tenure, round)) = part() else { return };
    let tracker = tenure.tracker().unwrap();
    let mut out = std::io::stdout().lock();
    let mut waiting: VecDeque<(String, Ticket)> = VecDeque::new();
    for step in 0..400 {
        let key = format!("{round}.{step}");
        let ticket = tracker.submit(Track::new(ORG, CREDITS).key(key.as_str()));
        waiting.push_back((key, ticket));
        if waiting.len() > AHEAD {
            let (key, ticket) = waiting.pop_front().unwrap();
            ticket.wait().unwrap();
            writeln!(out, "\nack {key}").unwrap();
            out.flush().unwrap();
        }
    }
}

#[test]
fn every_ticket_that_was_answered_is_kept_once_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let (tenure, customer) = found(&path, 100_000);
    drop(tenure);
    let (mut acknowledged, mut lines) = (HashSet::new(), 0);
    for round in 0..KILLS {
        let mut child = start("kill_tickets::one_that_is_killed", &path, &round.to_string());
        let mut enough = 1 + round * 7 % 60;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some(key) = line.strip_prefix("ack ") else { continue };
            acknowledged.insert(key.to_owned());
            lines += 1;
            enough = enough.saturating_sub(1);
            if enough == 0 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
    }
    assert!(lines > KILLS, "they did nothing");
    let tenure = Tenure::open(SqliteStore::open(&path).unwrap()).unwrap();
    let (filter, mut kept, mut after) = (HistoryFilter::default(), Vec::new(), None);
    loop {
        let page = |view: &tenure::View<'_>| {
            view.usage_history(customer, CREDITS, &filter, PAGE_MAX, after.as_ref())
        };
        let page = tenure.read(page).unwrap();
        kept.extend(page.items.into_iter().map(|event| event.idempotency_key.to_string()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let once: HashSet<String> = kept.iter().cloned().collect();
    assert_eq!(once.len(), kept.len(), "a key counted twice");
    let lost: Vec<_> = acknowledged.difference(&once).collect();
    assert!(lost.is_empty(), "answered and gone: {lost:?}");
    let used = tenure.check(customer, CREDITS).unwrap().current_usage;
    assert_eq!(used, Quantity::from(u32::try_from(kept.len()).unwrap()));
    assert!(tenure.verify(|_| {}).unwrap().is_sound());
}

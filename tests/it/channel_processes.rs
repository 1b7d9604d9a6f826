//! Several processes that speak with customers from one file, and one that is killed while it does:
//! nothing is lost, and what is said twice is said under the same id.

use crate::child::{part_with, start};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use tenure::store::sqlite::SqliteStore;
use tenure::{
    ActionStatus, Builder, Channel, ChannelFailure, CustomerDraft, Delivered, InterventionId,
    OutboundMessage, SignalKind, Tenure,
};
use time::{Duration, OffsetDateTime};

const PROCESSES: usize = 4;
const CUSTOMERS: usize = 120;
/// How often a process is killed.
const KILLS: usize = 12;

/// Writes what it is asked into a file that several processes share, a line each.
struct Log(PathBuf);

impl Channel for Log {
    fn deliver(&self, message: &OutboundMessage) -> Result<Delivered, ChannelFailure> {
        let mut log = OpenOptions::new().append(true).create(true).open(&self.0).unwrap();
        log.write_all(format!("{}\n", message.id).as_bytes()).unwrap();
        println!("\nsaid {}", message.id);
        std::io::stdout().flush().unwrap();
        Ok(Delivered::done())
    }
}

fn log_beside(store: &Path) -> PathBuf {
    store.with_extension("log")
}

/// How often each message was asked for.
fn said(store: &Path) -> BTreeMap<String, usize> {
    let mut said = BTreeMap::new();
    for line in std::fs::read_to_string(log_beside(store)).unwrap_or_default().lines() {
        *said.entry(line.to_owned()).or_default() += 1;
    }
    said
}

/// A store with so many interventions, each with one action that is due.
fn found(path: &Path) -> (Tenure, Vec<InterventionId>) {
    let tenure = Tenure::open(SqliteStore::create(path).unwrap()).unwrap();
    let begun = (0..CUSTOMERS).map(|number| {
        let draft = CustomerDraft::named(format!("Customer {number}"));
        let begin = |tx: &mut tenure::Tx<'_>| {
            let id = tx.create_customer(&draft)?.id;
            Ok::<_, tenure::Error>(tx.start_intervention(id, SignalKind::NoLogin7Days)?.id)
        };
        tenure.write(begin).unwrap()
    });
    let begun = begun.collect();
    (tenure, begun)
}

/// The ids of the first actions, which were due, and whether all of them are done.
fn due(tenure: &Tenure, begun: &[InterventionId]) -> (BTreeSet<String>, bool) {
    let (mut ids, mut all_done) = (BTreeSet::new(), true);
    for id in begun {
        let first = tenure.read(|view| view.intervention_actions(*id)).unwrap().remove(0);
        all_done &= first.status == ActionStatus::Done && first.holder.is_none();
        ids.insert(first.id.to_string());
    }
    (ids, all_done)
}

/// Plays one process that ticks until nothing is due.
#[test]
#[ignore = "a part of the tests below"]
fn one_that_speaks() {
    let speaking = |builder: Builder, store: &Path| builder.channel(Log(log_beside(store)));
    let Some((tenure, _)) = part_with(speaking) else { return };
    while tenure.read(|view| view.next_due()).unwrap().is_some_and(|at| at <= tenure.now()) {
        match tenure.tick() {
            Ok(_) => {}
            Err(error) if error.is_retryable() => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn four_processes_say_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenure.db");
    let (tenure, begun) = found(&path);
    let children: Vec<_> = (0..PROCESSES)
        .map(|part| start("channel_processes::one_that_speaks", &path, &part.to_string()))
        .collect();
    for mut child in children {
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().count();
        assert!(child.wait().unwrap().success(), "{lines} lines");
    }
    let (ids, all_done) = due(&tenure, &begun);
    let said = said(&path);
    assert!(all_done && said.keys().eq(ids.iter()), "everything was said");
    assert!(said.values().all(|times| *times == 1), "and once: {said:?}");
    let executed = |name: &str| {
        let told = crate::support::events(&tenure);
        told.into_iter().filter(|event| event.name == name).count()
    };
    assert_eq!(executed("intervention.action_executed"), CUSTOMERS);
}

#[test]
fn a_process_that_is_killed_while_it_speaks_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..KILLS {
        let path = folder.path().join(format!("{round}.db"));
        let (tenure, begun) = found(&path);
        let mut child = start("channel_processes::one_that_speaks", &path, "killed");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0_usize;
        for line in lines {
            heard += usize::from(line.unwrap().starts_with("said "));
            // At another place of a batch each time, and of another batch.
            if heard == 1 + round * 9 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(heard > round * 9, "round {round}: it was killed in the middle");

        // Others say what it had not taken; what it had, once its lease is over, and not before.
        drop(tenure);
        let open = || Tenure::builder(SqliteStore::open(&path).unwrap());
        open().channel(Log(log_beside(&path))).open().unwrap().tick().unwrap();
        assert!(said(&path).values().all(|times| *times == 1), "round {round}: under lease");
        let later = OffsetDateTime::UNIX_EPOCH + Duration::days(40_000);
        let after = open().clock(move || later).channel(Log(log_beside(&path))).open().unwrap();
        after.tick().unwrap();
        let (ids, all_done) = due(&after, &begun);
        assert!(all_done, "round {round}: everything is done");
        let said = said(&path);
        assert!(ids.iter().all(|id| said.contains_key(id)), "round {round}: nothing is lost");
        let twice: Vec<_> = ids.iter().filter(|id| said[*id] > 1).collect();
        assert!(twice.iter().all(|id| said[*id] == 2), "round {round}: {said:?}");
        assert!(twice.len() <= 20, "round {round}: only what was under way is said again");
    }
}

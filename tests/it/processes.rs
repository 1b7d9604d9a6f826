//! Several processes, several threads each, on one file: the limit is used up and not passed, and
//! no key counts twice.

use crate::child::{ORG, found, part, start};
use crate::metered::CREDITS;
use crate::support::race;
use std::collections::HashMap;
use std::io::Read;
use std::process::Child;
use tenure::{
    CustomerDraft, Error, Hints, HistoryFilter, PAGE_MAX, Quantity, SmartLink, Tenure, Track,
};

const PROCESSES: usize = 4;
const THREADS: usize = 4;
const TRACKS: usize = 50;
const LIMIT: u32 = 500;

/// Plays one process. It prints how many of its tracks were counted, and how many refused.
#[test]
#[ignore = "a part of the test below"]
fn one_of_many() {
    let Some((tenure, process)) = part() else { return };
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let thread = |thread: usize| {
        let mut outcomes = Vec::new();
        for step in 0..TRACKS {
            // Every other key is known to all processes, the others to none but this thread.
            let key = match step % 2 {
                0 => format!("all.{thread}.{step}"),
                _ => format!("{process}.{thread}.{step}"),
            };
            let track = Track::new(ORG, CREDITS).key(key);
            outcomes.push(loop {
                match tenure.write(|tx| tx.track(&track)) {
                    Ok(result) if result.duplicate => break "duplicate",
                    Ok(_) => break "counted",
                    Err(Error::LimitExceeded(_)) => break "refused",
                    // Busy: nothing happened, or it is not known; the same key is always right.
                    Err(error) if error.is_retryable() => {}
                    Err(error) => panic!("{error}"),
                }
            });
        }
        outcomes
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|it| scope.spawn(move || thread(it))).collect();
        for outcome in threads.into_iter().flat_map(|it| it.join().unwrap()) {
            *counts.entry(outcome).or_default() += 1;
        }
    });
    for (outcome, count) in counts {
        println!("\n{outcome} {count}");
    }
}

/// The organisation that several processes link, each by another name.
const NEW_ORG: &str = "org_2";
const NAMES: [&str; 2] = ["Globex", "Initech"];

/// Links the organisation, and tells whether that was new and to whom it is linked.
fn linked(tenure: &Tenure, name: &str) -> (bool, String) {
    loop {
        match tenure.write(|tx| tx.smart_link(NEW_ORG, &Hints::new().company_name(name), None)) {
            Ok(SmartLink::Linked(best)) => break (true, best.customer_id.to_string()),
            Ok(SmartLink::AlreadyLinked { customer_id, .. }) => {
                break (false, customer_id.to_string());
            }
            Err(error) if error.is_retryable() => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Plays one process that links. It prints what five threads of it were told.
#[test]
#[ignore = "a part of the test below"]
fn one_that_links() {
    let Some((tenure, process)) = part() else { return };
    let name = NAMES[process.parse::<usize>().unwrap()];
    for (is_new, customer) in race(5, |_| linked(&tenure.clone(), name)) {
        println!("\nlinked {is_new} {customer}");
    }
}

#[test]
fn ten_links_of_one_organisation_from_two_processes_are_one_link() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenure.db");
    let (tenure, _) = found(&path, LIMIT);
    for name in NAMES {
        tenure.write(|tx| tx.create_customer(&CustomerDraft::named(name))).unwrap();
    }
    let children: Vec<_> = (0..NAMES.len())
        .map(|process| start("processes::one_that_links", &path, &process.to_string()))
        .collect();
    let told: Vec<String> = children.into_iter().map(told).collect();
    let lines = told.iter().flat_map(|it| it.lines());
    let told: Vec<_> = lines.filter_map(|it| it.strip_prefix("linked ")?.split_once(' ')).collect();
    assert_eq!(told.len(), 10);
    assert_eq!(told.iter().filter(|(is_new, _)| *is_new == "true").count(), 1, "{told:?}");
    let link = tenure.read(|view| view.link(NEW_ORG)).unwrap().unwrap();
    assert!(told.iter().all(|(_, customer)| *customer == link.customer_id.to_string()), "{told:?}");
}

/// What a process printed, which went well.
fn told(mut child: Child) -> String {
    let mut told = String::new();
    child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(child.wait().unwrap().success(), "{told}");
    told
}

/// Plays one process that ticks until nothing is due. It prints of how many customers its evaluations
/// changed something.
#[test]
#[ignore = "a part of the test below"]
fn one_that_evaluates() {
    let Some((tenure, _)) = part() else { return };
    let mut evaluated = 0;
    while tenure.read(|view| view.next_due()).unwrap().is_some_and(|at| at <= tenure.now()) {
        match tenure.tick() {
            Ok(ticked) => evaluated += ticked.customers_evaluated,
            Err(error) if error.is_retryable() => {}
            Err(error) => panic!("{error}"),
        }
    }
    println!("\nevaluated {evaluated}");
}

#[test]
fn many_processes_evaluate_every_customer_once() {
    const CUSTOMERS: usize = 230;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenure.db");
    let (tenure, _) = found(&path, LIMIT);
    let prepared = tenure.write(|tx| {
        for number in 0..CUSTOMERS {
            let id = tx.create_customer(&CustomerDraft::named(format!("Customer {number}")))?.id;
            tx.record_metric(id, "nps_score", 3.0, tx.now())?;
            if number % 3 == 0 {
                tx.request_cancellation(id, "Too expensive")?;
            }
        }
        Ok::<_, Error>(())
    });
    prepared.unwrap();
    let children: Vec<_> = (0..PROCESSES)
        .map(|process| start("processes::one_that_evaluates", &path, &process.to_string()))
        .collect();
    let told: Vec<String> = children.into_iter().map(told).collect();
    let counts =
        told.iter().flat_map(|it| it.lines()).filter_map(|it| it.strip_prefix("evaluated "));
    // The customer that every process knows is scored as well.
    let sum: usize = counts.map(|it| it.parse::<usize>().unwrap()).sum();
    assert!((CUSTOMERS..=CUSTOMERS + 1).contains(&sum), "{told:?}");
    let of = |name: &str| {
        let all = crate::support::events(&tenure);
        all.into_iter().filter(|event| event.name == name).count()
    };
    assert_eq!(of("churn_signal.detected"), CUSTOMERS + CUSTOMERS.div_ceil(3));
}

#[test]
fn many_processes_use_up_a_limit_and_do_not_pass_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenure.db");
    let (tenure, customer) = found(&path, LIMIT);
    let children: Vec<_> = (0..PROCESSES)
        .map(|process| start("processes::one_of_many", &path, &process.to_string()))
        .collect();
    let mut total: HashMap<String, usize> = HashMap::new();
    for child in children {
        let told = told(child);
        for (outcome, count) in told.lines().filter_map(|line| line.split_once(' ')) {
            if let Ok(count) = count.parse::<usize>() {
                *total.entry(outcome.to_owned()).or_default() += count;
            }
        }
    }
    let of = |outcome: &str| total.get(outcome).copied().unwrap_or_default();
    // 16 threads with 25 keys of their own each, and 100 keys that all processes share.
    let keys = PROCESSES * THREADS * TRACKS / 2 + THREADS * TRACKS / 2;
    assert_eq!(keys, usize::try_from(LIMIT).unwrap());
    assert_eq!((of("counted"), of("duplicate"), of("refused")), (500, 300, 0), "{total:?}");
    let access = tenure.read(|view| view.check(customer, CREDITS)).unwrap();
    assert_eq!(access.current_usage, Quantity::from(LIMIT));
    assert!(!access.can_use);
    let history = |view: &tenure::View<'_>| {
        view.usage_history(customer, CREDITS, &HistoryFilter::default(), PAGE_MAX, None)
    };
    assert_eq!(tenure.read(history).unwrap().items.len(), 500);
    assert!(tenure.verify(|_| {}).unwrap().is_sound());
}

#[test]
fn a_limit_below_the_demand_of_many_processes_is_met_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenure.db");
    let (tenure, customer) = found(&path, 173);
    let children: Vec<_> = (0..PROCESSES)
        .map(|process| start("processes::one_of_many", &path, &process.to_string()))
        .collect();
    for child in children {
        told(child);
    }
    let access = tenure.read(|view| view.check(customer, CREDITS)).unwrap();
    assert_eq!(access.current_usage, Quantity::from(173));
    assert!(tenure.verify(|_| {}).unwrap().is_sound());
}

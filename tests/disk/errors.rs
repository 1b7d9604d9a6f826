//! Every change, with an error at every call that it makes of the disk: it is done as a whole or not
//! at all, the error says which as far as it can be known, and after one retry it is done.

use crate::disk::{Call, Code, Fault};
use crate::operations::{IN_PARTS, OPERATIONS, Operation, pause};
use crate::world::{Place, World};
use tenure::store::sqlite::rusqlite::ffi;
use tenure::{Error, Outcome, Result};

/// Every kind of call with the ways in which it fails.
const FAILURES: &[(Call, &[Code])] = &[
    (Call::Write, &[ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE]),
    (Call::Sync, &[ffi::SQLITE_IOERR_FSYNC]),
    (Call::Read, &[ffi::SQLITE_IOERR_READ]),
    (Call::Open, &[ffi::SQLITE_CANTOPEN]),
    (Call::Share, &[ffi::SQLITE_IOERR_SHMMAP]),
];

/// Two disks: the one that fails, and one on which to see what a loss of power would have left.
struct Bench {
    place: Place,
    after_power: Place,
    image: crate::disk::Image,
    runs: usize,
}

impl Bench {
    fn new() -> Self {
        let (place, after_power) = (Place::new(), Place::new());
        let image = place.furnish();
        Self { place, after_power, image, runs: 0 }
    }

    /// A store in which nothing was done yet.
    fn fresh(&self, name: &str) -> World {
        self.place.start(&self.image, self.runs as u64);
        self.place.advance(pause(name));
        let world = self.place.open().unwrap();
        self.place.repeat_ids();
        world
    }

    /// The state before a change and after it.
    fn ends(&self, (name, run): Operation) -> (String, String) {
        let world = self.fresh(name);
        let before = self.place.dump();
        run(&world).unwrap();
        let after = self.place.dump();
        assert!(name == "reconcile" || before != after, "{name} does nothing");
        run(&world).unwrap();
        assert_eq!(self.place.dump(), after, "{name} again changes something");
        (before, after)
    }

    /// Tries a change with a fault. Returns whether it came to it.
    fn try_with(&mut self, operation: Operation, fault: Fault, ends: &(String, String)) -> bool {
        let (name, run) = operation;
        self.runs += 1;
        let world = self.fresh(name);
        self.place.disk.fail(fault);
        let result = run(&world);
        let was_hit = self.place.disk.heal();
        let what = format!("{name}, {fault:?}: {result:?}");
        let parts = name == IN_PARTS;
        let found = self.place.dump();
        let answer = judge(&result, &found, ends, parts);
        answer.unwrap_or_else(|why| panic!("{what}: {why}\n{}", differences(ends, &found)));

        // What a kill now would leave, and then what a loss of power would.
        let mut left = String::new();
        for when in ["killed", "without power"] {
            self.after_power.disk.copy(&self.place.disk);
            if when == "without power" {
                self.after_power.disk.lose_power();
            } else if !self.runs.is_multiple_of(4) {
                continue;
            }
            left = self.after_power.dump();
            let answer = judge(&result, &left, ends, parts);
            answer.unwrap_or_else(|why| {
                panic!("{what}: {why}, {when}\n{}", differences(ends, &left))
            });
        }

        // Once more with the same key, and, now and then, after the power cut as well.
        retry(&self.place, &world, operation, &found, ends);
        let is_unknown = result.is_err_and(|error| error.outcome() == Outcome::Unknown);
        if is_unknown || self.runs.is_multiple_of(16) {
            self.after_power.show_time_of(&self.place);
            let reopened = self.after_power.open().unwrap_or_else(|it| panic!("{what}: {it}"));
            retry(&self.after_power, &reopened, operation, &left, ends);
            assert!(reopened.tenure.verify(|_| ()).unwrap().is_sound(), "{what}");
        }
        was_hit
    }

    /// Tries a change with a fault at every call of this kind, once and lasting, with each code.
    fn every(&mut self, operation: Operation, call: Call, codes: &[Code]) -> usize {
        let ends = self.ends(operation);
        let mut hits = 0;
        for lasts in [false, true] {
            let mut nth = 1;
            // Calls take turns with the codes: the next one tries the other.
            let fault = |nth| {
                let code = codes[(nth + usize::from(lasts)) % codes.len()];
                Fault::Error { call, nth, code, lasts }
            };
            while self.try_with(operation, fault(nth), &ends) {
                (nth, hits) = (nth + 1, hits + 1);
            }
        }
        hits
    }
}

/// Does the change again. Afterwards it is done, once.
fn retry(
    place: &Place,
    world: &World,
    (name, run): Operation,
    found: &str,
    ends: &(String, String),
) {
    // What is done is not done again, so that a repeated id would be another's.
    if found == ends.0 {
        place.repeat_ids();
    } else {
        place.new_ids();
    }
    run(world).unwrap_or_else(|error| panic!("{name}, tried again: {error}"));
    let now = place.dump();
    assert!(now == ends.1 || name == IN_PARTS, "{name}, tried again: {}", differences(ends, &now));
}

/// The lines that are neither in the state before nor in the one after, and those that are missing.
fn differences((before, after): &(String, String), found: &str) -> String {
    let strange = found.lines().filter(|it| !after.lines().any(|line| line == *it));
    let missing = after.lines().filter(|it| !found.lines().any(|line| line == *it));
    let is_old = |line: &str| if before.contains(line) { "old" } else { "new" };
    let strange = strange.map(|it| format!("+ ({}) {it}\n", is_old(it)));
    strange.chain(missing.map(|it| format!("- ({}) {it}\n", is_old(it)))).collect()
}

/// Whether what is found fits what was answered.
fn judge(
    result: &Result<()>,
    found: &str,
    (before, after): &(String, String),
    parts: bool,
) -> std::result::Result<(), &'static str> {
    let (is_before, is_after) = (found == before, found == after);
    match result.as_ref().map_err(Error::outcome) {
        Ok(()) if !is_after => Err("acknowledged and not done"),
        Err(Outcome::NotDone) if !is_before && !parts => Err("said not to be done and done"),
        _ if !is_before && !is_after && !parts => Err("done by half"),
        _ => Ok(()),
    }
}

/// Splits the changes between tests, so that they run at the same time.
fn all(part: usize, parts: usize) {
    let mut bench = Bench::new();
    let mut hits = 0;
    for operation in OPERATIONS.iter().skip(part).step_by(parts) {
        for (call, codes) in FAILURES {
            let here = bench.every(*operation, *call, codes);
            let must = matches!(call, Call::Write | Call::Sync | Call::Share);
            assert!(here > 0 || !must || operation.0 == "reconcile", "{}: {call:?}", operation.0);
            hits += here;
        }
    }
    println!("{hits} faults in {} runs", bench.runs);
}

#[test]
fn a_change_is_done_or_not_whatever_call_fails_1() {
    all(0, 2);
}

#[test]
fn a_change_is_done_or_not_whatever_call_fails_2() {
    all(1, 2);
}

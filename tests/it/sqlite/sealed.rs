//! Rows of the ledger that were changed behind the store's back: an error, never a smaller number.

use super::{folder, log_of};
use crate::child::{ORG as CUSTOMER, found};
use crate::metered::CREDITS;
use std::fs;
use tenure::store::StoreError;
use tenure::store::sqlite::SqliteStore;
use tenure::store::sqlite::rusqlite::Connection;
use tenure::{
    Correction, Error, HistoryFilter, NewGrant, PAGE_MAX, Quantity, Result, Tenure, Track,
};

/// A closed store with usage in every sealed table, and its folder.
fn used() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = folder();
    let path = folder.path().join("a.db");
    let (tenure, customer) = found(&path, 1_000);
    let track =
        |number: i32| Track::new(CUSTOMER, CREDITS).quantity(number).key(format!("key-{number}"));
    for number in 1..20 {
        tenure.write(|tx| tx.track(&track(number))).unwrap();
    }
    let first = tenure.write(|tx| tx.track(&track(1))).unwrap().event_id;
    let refund = Correction::new(CUSTOMER, CREDITS, -1, "refund").of(first).key("refund");
    tenure.write(|tx| tx.adjust_usage(&refund)).unwrap();
    tenure.write(|tx| tx.grant(customer, &NewGrant::of(CREDITS, 5).key("grant"))).unwrap();
    tenure
        .write(|tx| {
            let first = tx.view().events(None, 1)?[0].id;
            tx.acknowledge([first])
        })
        .unwrap();
    (folder, path)
}

/// Reads everything that usage is told by.
fn read_all(tenure: &Tenure) -> Result<Quantity> {
    let access = tenure.read(|view| {
        let access = view.check(CUSTOMER, CREDITS)?;
        let customer = view.customer_by_link(CUSTOMER)?;
        let customer = customer.ok_or_else(|| Error::Rule("no link".into()))?.id;
        view.usage_history(customer, CREDITS, &HistoryFilter::default(), PAGE_MAX, None)?;
        view.usage_snapshots(customer, CREDITS, PAGE_MAX, None)?;
        view.entitlements(customer)?;
        view.events(None, PAGE_MAX)?;
        Ok::<_, Error>(access)
    })?;
    assert!(tenure.verify(|_| ())?.is_sound(), "the sums differ");
    Ok(access.current_usage)
}

fn seal_of(error: &Error) -> Option<&'static str> {
    match error {
        Error::Store(StoreError::Corrupt { table, column: "tenure_seal" }) => Some(table),
        _ => None,
    }
}

#[test]
fn a_change_by_other_hands_is_found_when_the_row_is_read() {
    let (_folder, path) = used();
    let sound = fs::read(&path).unwrap();
    for (table, change) in [
        ("meter", "used = used - 1000000"),
        ("meter", "fresh_until = 1"),
        ("usage_event", "quantity = quantity + 1000000 WHERE idempotency_key = 'key-7'"),
        ("usage_event", "idempotency_key = 'key-99' WHERE idempotency_key = 'key-7'"),
        ("usage_event", "tenure_seal = tenure_seal + 1 WHERE idempotency_key = 'key-7'"),
        ("usage_event", "tenure_seal = NULL WHERE idempotency_key = 'key-7'"),
        ("entitlement", "\"limit\" = \"limit\" * 2"),
        ("event", "name = 'nothing.happened'"),
    ] {
        let column = change.split(' ').next().unwrap();
        let host = Connection::open(&path).unwrap();
        let sql = format!("UPDATE {table} SET {change}");
        match host.execute(&sql, []) {
            Ok(changed) => assert!(changed > 0, "{sql}"),
            Err(error) => panic!("{table}.{column}: {error}"),
        }
        drop(host);
        let tenure = Tenure::open(SqliteStore::open(&path).unwrap()).unwrap();
        let error = read_all(&tenure).expect_err(&sql);
        assert_eq!(seal_of(&error), Some(table), "{sql}: {error}");
        assert_eq!(error.code().as_str(), "INTERNAL");
        drop(tenure);
        fs::write(&path, &sound).unwrap();
        let _ = fs::remove_file(log_of(&path));
    }
}

#[test]
fn a_row_that_was_damaged_is_not_made_sound_by_counting_on() {
    let (_folder, path) = used();
    let tenure = Tenure::open(SqliteStore::open(&path).unwrap()).unwrap();
    let host = Connection::open(&path).unwrap();
    host.execute("UPDATE meter SET used = used - 1000000", []).unwrap();
    let next = tenure.write(|tx| tx.track(&Track::new(CUSTOMER, CREDITS).key("next")));
    assert_eq!(seal_of(&next.unwrap_err()), Some("meter"));
    host.execute("UPDATE meter SET used = used + 1000000", []).unwrap();
    tenure.write(|tx| tx.track(&Track::new(CUSTOMER, CREDITS).key("next"))).unwrap();
    read_all(&tenure).unwrap();
}

/// Bits of the file itself, one every other kilobyte: what is read is an error or what it was.
#[test]
fn a_flipped_bit_of_the_file_is_an_error_or_changes_nothing() {
    let (_folder, path) = used();
    let sound = fs::read(&path).unwrap();
    let whole = read_all(&Tenure::open(SqliteStore::open(&path).unwrap()).unwrap()).unwrap();
    let (mut sealed, mut other, mut unharmed) = (0, 0, 0);
    for (round, place) in (0..sound.len()).step_by(1_999).enumerate() {
        let mut bytes = sound.clone();
        bytes[place] ^= 1 << (round % 8);
        fs::write(&path, &bytes).unwrap();
        match SqliteStore::open(&path).map_err(Error::from).and_then(Tenure::open) {
            Err(_) => other += 1,
            Ok(tenure) => match read_all(&tenure) {
                Ok(usage) => {
                    assert_eq!(usage, whole, "byte {place}");
                    unharmed += 1;
                }
                Err(error) if seal_of(&error).is_some() => sealed += 1,
                Err(_) => other += 1,
            },
        }
        let _ = fs::remove_file(log_of(&path));
    }
    assert!(sealed > 0 && unharmed > 0, "{sealed} by seals, {other} else, {unharmed} not");
    // A key as it stands in the ledger and its indexes.
    let mut places: Vec<_> =
        sound.windows(6).enumerate().filter(|(_, it)| *it == b"key-17").collect();
    assert!(!places.is_empty());
    for (place, _) in places.drain(..) {
        for bit in (0..48).step_by(5) {
            let mut bytes = sound.clone();
            bytes[place + bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            let tenure = Tenure::open(SqliteStore::open(&path).unwrap()).unwrap();
            assert!(read_all(&tenure).is_err(), "byte {}, bit {}", place + bit / 8, bit % 8);
            drop(tenure);
            let _ = fs::remove_file(log_of(&path));
        }
    }
}

//! Sealed rows: a checksum beside each row of a table that asks for it, so that a bit that flipped on
//! the disk, or a change made behind the store's back, is an error and never a smaller number.
//!
//! SQLite checks the frames of its log, but not the pages of its file. A sealed table has one column
//! more, `tenure_seal`, an integer that every insert and put writes and every read compares.
//!
//! # How it is computed
//!
//! Modulo the prime 2⁶¹ − 1, `seal = Σ weight × word`, over the words of the org and of every column
//! that is not null. The weights are derived from the names of the table and the column and the
//! word's place, so a column that is new and null changes no seal, and neither does the order of
//! columns. The words of a value, of 64 bits each:
//!
//! - an integer, an instant: itself + 2⁶³; true 2, false 1;
//! - a float: its bits, the first flipped, zero without a sign;
//! - an id: its two halves, little-endian as all that follows;
//! - a text, JSON: its length in bytes + 1; its whole groups of eight bytes, up to 15 of them; the
//!   last eight bytes again, or of less the first four and the last four, or of less again all of
//!   them; and the groups after the 15th, as the digits of one number to the base of
//!   `0x0b75_9b3d_5c4f_1a95`.
//!
//! So a seal grows by `weight × by` when `by` is added to a column: one `UPDATE` changes both without
//! reading the row, and what was wrong with it before is still wrong afterwards. A bit that flips
//! shows, because no power of two is a multiple of the prime; other damage goes unseen once in 2⁶¹. It
//! is no protection against somebody who wants to deceive: there is no secret in it.

use super::errors::failed;
use super::rows;
use super::sql::{columns, quoted};
use crate::hash::fnv1a;
use crate::store::schema::Table;
use crate::store::{Result, StoreError};
use crate::value::Value;
use rusqlite::{Connection, params_from_iter};
use std::path::Path;
use uuid::Uuid;

/// The column that holds the seal.
pub(super) const COLUMN: &str = "tenure_seal";
/// Seals are computed modulo this prime, 2⁶¹ − 1: two of them still fit in an integer of SQLite.
pub(super) const PRIME: u64 = (1 << 61) - 1;
/// What a number is multiplied by for each further group of eight bytes.
const BASE: u64 = 0x0b75_9b3d_5c4f_1a95;
/// How many weights a column has: one for the length, one each for so many groups, for the last bytes
/// and for what is beyond.
const NEAR: usize = 15;
const LAST: usize = 16;
const BEYOND: usize = 17;
/// Of so many columns the products fit into 128 bits: weights have at most 56.
const CHUNK: usize = 64;
/// How many rows of an earlier file are sealed at a time.
const ROWS: i64 = 1_000;

/// What the words of one column weigh.
type Weight = [u64; BEYOND + 1];

/// What the columns of one table weigh.
#[derive(Debug)]
pub(super) struct Weights {
    org: Weight,
    columns: Box<[Weight]>,
}

impl Weights {
    /// The weights of `table`, if it is sealed.
    pub(super) fn of(table: &Table) -> Option<Self> {
        let columns = table.columns.iter().map(|column| weight(table.name, column.name));
        table.sealed.then(|| Self { org: weight(table.name, "org"), columns: columns.collect() })
    }

    /// The seal of a row.
    pub(super) fn seal(&self, org: &Uuid, values: &[Value]) -> i64 {
        let mut sum = halves(&self.org, org);
        for (weights, values) in self.columns.chunks(CHUNK).zip(values.chunks(CHUNK)) {
            for (weight, value) in weights.iter().zip(values) {
                sum = sum.wrapping_add(match value {
                    Value::Null => 0,
                    Value::Int(int) | Value::Time(int) => times(weight[0], shifted(*int)),
                    Value::Bool(truth) => times(weight[0], 1 << u32::from(*truth)),
                    // Adding zero takes its sign away, as keeping it in the file does.
                    Value::Real(real) => times(weight[0], (real + 0.0).to_bits() ^ (1 << 63)),
                    Value::Uuid(id) => halves(weight, id),
                    Value::Text(text) | Value::Json(text) => bytes(weight, text.as_bytes()),
                    Value::Bytes(packed) => bytes(weight, packed),
                });
            }
            sum = fold(sum);
        }
        i64::from_ne_bytes(reduced(sum).to_ne_bytes())
    }

    /// What a seal grows by, modulo [`PRIME`], when `by` is added to the integer in a column.
    pub(super) fn step(&self, column: usize, by: i64) -> i64 {
        let weight = self.columns.get(column).map_or(0, |weight| weight[0]);
        // The difference to a zero; the prime that is added keeps it from being negative.
        let zero = PRIME.wrapping_sub(reduced(times(weight, shifted(0))));
        let sum = times(weight, shifted(by)).wrapping_add(u128::from(zero));
        i64::from_ne_bytes(reduced(sum).to_ne_bytes())
    }
}

/// An integer as one that is never negative, the same distance from others.
const fn shifted(int: i64) -> u64 {
    u64::from_ne_bytes(int.to_ne_bytes()) ^ (1 << 63)
}

fn times(weight: u64, word: u64) -> u128 {
    u128::from(weight).wrapping_mul(u128::from(word))
}

fn halves(weight: &Weight, id: &Uuid) -> u128 {
    let id = u128::from_le_bytes(id.into_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "one half is meant")]
    let (first, second) = (id as u64, (id >> 64) as u64);
    times(weight[0], first).wrapping_add(times(weight[1], second))
}

fn bytes(weight: &Weight, bytes: &[u8]) -> u128 {
    let groups = bytes.as_chunks::<8>().0;
    let (near, beyond) = groups.split_at(groups.len().min(NEAR));
    let mut sum = times(weight[0], (bytes.len() as u64).wrapping_add(1));
    for (group, weight) in near.iter().zip(&weight[1..]) {
        sum = sum.wrapping_add(times(*weight, u64::from_le_bytes(*group)));
    }
    sum = sum.wrapping_add(times(weight[LAST], last(bytes)));
    if !beyond.is_empty() {
        sum = sum.wrapping_add(times(weight[BEYOND], number(beyond)));
    }
    fold(sum)
}

/// The last bytes, so that those after the last whole group count too.
fn last(bytes: &[u8]) -> u64 {
    if let Some(eight) = bytes.last_chunk() {
        return u64::from_le_bytes(*eight);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
    }
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// The groups as the digits of a number.
fn number(groups: &[[u8; 8]]) -> u64 {
    groups.iter().fold(0, |number, group| {
        reduced(times(number, BASE).wrapping_add(u128::from(u64::from_le_bytes(*group))))
    })
}

/// The same number modulo the prime; 65 bits at most if it had 125.
const fn fold(number: u128) -> u128 {
    (number & PRIME as u128).wrapping_add(number >> 61)
}

/// `number` modulo the prime.
#[expect(clippy::cast_possible_truncation, reason = "three folds leave at most 62 bits")]
const fn reduced(number: u128) -> u64 {
    let number = fold(fold(fold(number))) as u64;
    if number >= PRIME { number.wrapping_sub(PRIME) } else { number }
}

/// What a column weighs, made of the names: as many different numbers of 1 to 56 bits.
fn weight(table: &str, column: &str) -> Weight {
    let names = table.bytes().chain([0]).chain(column.bytes());
    let mut state = fnv1a(names);
    std::array::from_fn(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 8).max(1)
    })
}

/// Seals every row of a table that was not sealed before, as it is found.
pub(super) fn seal_all(connection: &Connection, path: &Path, table: &'static Table) -> Result<()> {
    let Some(weights) = Weights::of(table) else { return Ok(()) };
    let name = quoted(table.name);
    let id = table.columns.first().map_or_else(String::new, |column| quoted(column.name));
    let page = format!(
        "SELECT {}, \"org\" FROM main.{name} WHERE (\"org\", {id}) > (?1, ?2)
         ORDER BY \"org\", {id} LIMIT {ROWS}",
        columns(table)
    );
    let seal = format!("UPDATE main.{name} SET {COLUMN} = ?3 WHERE \"org\" = ?1 AND {id} = ?2");
    let of_sqlite = |error| failed(path, error);
    let mut page = connection.prepare(&page).map_err(of_sqlite)?;
    let mut seal = connection.prepare(&seal).map_err(of_sqlite)?;
    // Less than every key, none of which is shorter.
    let mut last = (Vec::new(), Vec::new());
    loop {
        let mut found = Vec::new();
        let mut rows = page.query((&last.0, &last.1)).map_err(of_sqlite)?;
        while let Some(row) = rows.next().map_err(of_sqlite)? {
            let values = rows::values(table, row)?;
            let org = row.get_ref("org").map_err(of_sqlite)?;
            let org = org.as_blob().ok().and_then(|bytes| Uuid::from_slice(bytes).ok());
            let org = org.ok_or(StoreError::Corrupt { table: table.name, column: "org" })?;
            found.push((org, values.key(), weights.seal(&org, &values.0)));
        }
        let Some((org, key, _)) = found.last() else { return Ok(()) };
        last = (org.as_bytes().to_vec(), key.as_bytes().to_vec());
        for (org, key, sum) in found {
            let params = [rows::Bound::Id(&org), rows::Bound::Id(&key), rows::Bound::Int(sum)];
            seal.execute(params_from_iter(params)).map_err(of_sqlite)?;
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "the arithmetic of the definition")]
#[path = "seal_tests.rs"]
mod tests;

//! Random transactions, against the store and against the model.

use super::fixture::{A, B, COUNT, ITEMS, NAME, NOTES, ORDER, key, named, note, read, ready};
use crate::store::memory::MemoryStore;
use crate::store::query::{After, Op, Query};
use crate::store::schema::{Col, Table};
use crate::store::{OrgId, Result, Store, StoreError, Writer};
use crate::value::{Row, Value};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

const HISTORIES: u64 = 250;

/// Random transactions over two orgs and two tables, of which some are given up, some panic and
/// some go on after a write was refused: every answer, and every row that is left, is the same as
/// with [`MemoryStore`]. The histories are the same each time.
pub fn random_histories_match_the_model(store: &dyn Store) {
    let model = MemoryStore::new();
    ready(&model);
    ready(store);
    for seed in 1..=HISTORIES {
        let transaction = Transaction::random(seed);
        let (answers, expected) = (transaction.run(store), transaction.run(&model));
        assert_eq!(answers, expected, "transaction {seed}: {transaction:#?}");
        for (org, table) in [(A, &ITEMS), (A, &NOTES), (B, &ITEMS), (B, &NOTES)] {
            let [rows, expected] = [store, &model].map(|store| contents(store, org, table));
            assert_eq!(rows, expected, "after transaction {seed}: {transaction:#?}");
        }
    }
}

fn contents(store: &dyn Store, org: OrgId, table: &'static Table) -> Vec<Row> {
    read(store, org, |r| r.query(table, &Query::all()))
}

#[derive(Debug)]
struct Transaction {
    org: OrgId,
    steps: Vec<(&'static Table, Step)>,
    /// Whether it goes on after a step was refused.
    goes_on: bool,
    end: End,
}

#[derive(Debug)]
enum Step {
    Insert(Row),
    Put(Row),
    Delete(u128),
    Add(u128, Col, i64),
    Get(u128),
    Query(Query),
}

#[derive(Debug)]
enum End {
    Keep,
    GiveUp,
    Panic,
}

impl Transaction {
    fn random(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        Self {
            org: dice.one_of([A, B]),
            goes_on: dice.one_of([true, false]),
            end: dice.one_of([End::Keep, End::Keep, End::Keep, End::GiveUp, End::Panic]),
            steps: (0..dice.below(12)).map(|_| dice.step()).collect(),
        }
    }

    /// Every answer, and how it ended.
    fn run(&self, store: &dyn Store) -> Vec<String> {
        let mut answers = Vec::new();
        let done = catch_unwind(AssertUnwindSafe(|| {
            store.write(self.org, &mut |w| {
                answers.clear(); // the store may call this again
                for (table, step) in &self.steps {
                    let answer = step.take(w, table);
                    answers.push(format!("{answer:?}"));
                    if !self.goes_on {
                        answer?;
                    }
                }
                match self.end {
                    End::Keep => Ok(()),
                    End::GiveUp => Err(StoreError::Aborted),
                    End::Panic => resume_unwind(Box::new("on purpose")),
                }
            })
        }));
        answers.push(done.map_or("panicked".into(), |done| format!("{done:?}")));
        answers
    }
}

impl Step {
    fn take(&self, w: &mut dyn Writer, table: &'static Table) -> Result<String> {
        Ok(match self {
            Self::Insert(row) => format!("{:?}", w.insert(table, row.clone())?),
            Self::Put(row) => format!("{:?}", w.put(table, row.clone())?),
            Self::Delete(n) => format!("{:?}", w.delete(table, key(*n))?),
            Self::Add(n, col, by) => format!("{:?}", w.add(table, key(*n), *col, *by)?),
            Self::Get(n) => format!("{:?}", w.get(table, key(*n))?),
            Self::Query(query) => format!("{:?}", w.query(table, query)?),
        })
    }
}

/// A generator of numbers that are the same for the same seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % end
    }

    fn one_of<T, const N: usize>(&mut self, choices: [T; N]) -> T {
        let place = self.below(u64::try_from(N).expect("small"));
        let place = usize::try_from(place).expect("small");
        choices.into_iter().nth(place).expect("below the length")
    }

    fn key(&mut self) -> u128 {
        self.below(6).into()
    }

    fn step(&mut self) -> (&'static Table, Step) {
        let (table, number) = self.one_of([(&ITEMS, COUNT), (&NOTES, ORDER)]);
        let step = match self.below(6) {
            0 => Step::Insert(self.row(table)),
            1 => Step::Put(self.row(table)),
            2 => Step::Delete(self.key()),
            3 => Step::Add(self.key(), number, self.one_of([1, -3, 0, i64::MAX, i64::MIN])),
            4 => Step::Get(self.key()),
            _ => Step::Query(self.query(number)),
        };
        (table, step)
    }

    fn row(&mut self, table: &Table) -> Row {
        let (n, number) = (self.key(), self.one_of([-1, 0, 1, 7]));
        let name = self.one_of([None, Some("a"), Some("A"), Some("b"), Some("")]);
        if *table == NOTES {
            return note(n, name, number);
        }
        let mut row = named(n, "", number);
        row.0[NAME.index] = name.map_or(Value::Null, |name| Value::Text(name.into()));
        row
    }

    /// `name` has the same place in both tables.
    fn query(&mut self, number: Col) -> Query {
        let op = self.one_of([Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge]);
        let name = self.one_of([None, Some("a".to_owned()), Some("b".to_owned())]);
        let query = match self.below(4) {
            0 => Query::all().filter(NAME, op, &name),
            1 => Query::all().filter(number, op, &self.one_of([-1_i64, 0, 1, 7])),
            2 => Query::all().filter(number, op, &1_i64).filter(NAME, Op::Ne, &name),
            _ => Query::all(),
        };
        let query = match self.below(6) {
            0 => query.oldest_by(number),
            1 => query.newest_by(number),
            2 => query.oldest_by(NAME),
            3 => query.newest_by(NAME),
            4 => query.newest(),
            _ => query,
        };
        let value = match query.order.col {
            Some(col) if col == NAME => name.map_or(Value::Null, Value::Text),
            Some(_) => Value::Int(self.one_of([-1, 0, 1, 7])),
            None => Value::Null,
        };
        let after = Some(After { value, key: key(self.key()) });
        let (after, limit) = (self.one_of([None, after]), self.one_of([0, 1, 2, 100]));
        query.after(after).limit(limit)
    }
}

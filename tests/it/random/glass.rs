//! A store that can be looked into: it remembers the tables that it was given and shows every row.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tenure::store::query::Query;
use tenure::store::schema::Table;
use tenure::store::{OrgId, ReadBody, Reader, Result, Store, WriteBody};
use tenure::value::{Row, Value};
use uuid::Uuid;

/// A store with a window in its side.
#[derive(Clone)]
pub struct Glass {
    inside: Arc<dyn Store>,
    tables: Arc<Mutex<Vec<&'static Table>>>,
}

impl Glass {
    pub fn around(store: impl Store + 'static) -> Self {
        Self { inside: Arc::new(store), tables: Arc::default() }
    }

    /// Everything that `org` holds.
    pub fn rows(&self, org: OrgId) -> Rows {
        let tables = self.tables.lock().unwrap().clone();
        let mut rows = BTreeMap::new();
        self.inside
            .read(org, &mut |reader| {
                for table in &tables {
                    rows.insert(table.name, (*table, whole(reader, table)?));
                }
                Ok(())
            })
            .unwrap();
        Rows(rows)
    }
}

fn whole(reader: &dyn Reader, table: &'static Table) -> Result<Vec<Row>> {
    let rows = reader.query(table, &Query::all())?;
    assert!(rows.len() < tenure::store::query::LIMIT_MAX, "{} has too many rows", table.name);
    Ok(rows)
}

impl Store for Glass {
    fn install(&self, tables: &[&'static Table]) -> Result<()> {
        *self.tables.lock().unwrap() = tables.to_vec();
        self.inside.install(tables)
    }

    fn read(&self, org: OrgId, body: &mut ReadBody<'_>) -> Result<()> {
        self.inside.read(org, body)
    }

    fn write(&self, org: OrgId, body: &mut WriteBody<'_>) -> Result<()> {
        self.inside.write(org, body)
    }
}

/// Every row of an org, by table.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows(BTreeMap<&'static str, (&'static Table, Vec<Row>)>);

/// A row, its columns by name.
#[derive(Clone, Copy)]
pub struct Entry<'r>(&'static Table, &'r Row);

impl Rows {
    pub fn of(&self, table: &str) -> impl Iterator<Item = Entry<'_>> + Clone {
        let (table, rows) = &self.0[table];
        rows.iter().map(|row| Entry(table, row))
    }

    pub fn ids(&self, table: &str) -> Vec<Uuid> {
        self.of(table).map(Entry::id).collect()
    }

    pub fn find(&self, table: &str, id: Uuid) -> Option<Entry<'_>> {
        self.of(table).find(|entry| entry.id() == id)
    }

    /// What is kept beside the outbox and its counter.
    pub fn state(&self) -> Self {
        let mut state = self.clone();
        state.0.remove("event");
        state.0.remove("counter");
        state
    }

    /// The first row that one of the two has and the other has not, and how many there are.
    pub fn difference(&self, other: &Self) -> String {
        let mut found = Vec::new();
        for (name, (_, rows)) in &self.0 {
            let others = other.0.get(name).map_or(&[][..], |(_, rows)| rows);
            found.extend(rows.iter().filter(|it| !others.contains(it)).map(|it| (name, '-', it)));
            found.extend(others.iter().filter(|it| !rows.contains(it)).map(|it| (name, '+', it)));
        }
        let shown: Vec<String> = found.iter().take(4).map(|it| format!("{it:?}")).collect();
        shown.join("\n")
    }
}

impl<'r> Entry<'r> {
    pub fn id(self) -> Uuid {
        self.1.key()
    }

    pub fn value(self, column: &str) -> &'r Value {
        let place = self.0.position(column).unwrap_or_else(|| panic!("no column {column}"));
        self.1.at(place)
    }

    pub fn text(self, column: &str) -> &'r str {
        match self.value(column) {
            Value::Text(text) | Value::Json(text) => text,
            Value::Null => "",
            other => panic!("{column} is {other:?}"),
        }
    }

    /// An integer or an instant, if there is one.
    pub fn number(self, column: &str) -> Option<i64> {
        match self.value(column) {
            Value::Int(number) | Value::Time(number) => Some(*number),
            Value::Null => None,
            other => panic!("{column} is {other:?}"),
        }
    }

    pub fn amount(self, column: &str) -> i64 {
        self.number(column).unwrap()
    }

    pub fn flag(self, column: &str) -> bool {
        *self.value(column) == Value::Bool(true)
    }

    pub fn uuid(self, column: &str) -> Uuid {
        match self.value(column) {
            Value::Uuid(id) => *id,
            _ => Uuid::nil(),
        }
    }
}

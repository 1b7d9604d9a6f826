//! Which indexes answer which queries.

use super::*;
use crate::store::query::After;
use crate::value::Column;
use rusqlite::{Connection, params_from_iter};

const fn column(name: &'static str, kind: Kind, nullable: bool) -> Column {
    Column { name, kind, nullable }
}

static TABLE: Table = Table {
    name: "customer",
    columns: &[
        column("id", Kind::Uuid, false),
        column("name", Kind::Text, false),
        column("seen_at", Kind::Time, true),
        column("email", Kind::Text, true),
        column("state", Kind::Text, false),
        column("joined_at", Kind::Time, false),
    ],
    indexes: &[
        Index { columns: &["name"], unique: false, sparse: false },
        Index { columns: &["seen_at"], unique: false, sparse: false },
        Index { columns: &["email"], unique: true, sparse: false },
        Index { columns: &["state", "joined_at"], unique: false, sparse: false },
        Index { columns: &["state", "seen_at"], unique: false, sparse: true },
    ],
    references: &[],
    sealed: false,
};

/// How SQLite answers each part of `query`.
fn plans(query: &Query) -> Vec<String> {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&ddl::table(&TABLE)).unwrap();
    for index in TABLE.indexes {
        connection.execute_batch(&ddl::index(&TABLE, index)).unwrap();
    }
    let plan = |part: &Part| {
        let text = Shape::of(&TABLE, query, *part).unwrap().text(&TABLE).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
        let org = Uuid::nil();
        let params = params(&TABLE, &org, query, *part, query.limit);
        let lines = statement.query_map(params_from_iter(params), |row| row.get(3)).unwrap();
        let lines: Vec<String> = lines.map(Result::unwrap).collect();
        lines.join("; ").replace("SEARCH main.customer USING ", "")
    };
    parts(query).iter().map(plan).collect()
}

fn past(value: Value) -> After {
    After { value, key: Uuid::nil() }
}

#[test]
fn pages_are_ranges_of_an_index_and_need_no_sorting() {
    let (name, seen) = (TABLE.col("name"), TABLE.col("seen_at"));
    let (email, joined) = (TABLE.col("email"), TABLE.col("joined_at"));
    let new = Query::all().eq(TABLE.col("state"), &"new".to_owned());
    for (query, wanted) in [
        (Query::all(), &["PRIMARY KEY (org=?)"][..]),
        (Query::all().after(Some(past(Value::Null))), &["PRIMARY KEY (org=? AND id>?)"]),
        (Query::all().newest().after(Some(past(Value::Null))), &["PRIMARY KEY (org=? AND id<?)"]),
        (Query::all().oldest_by(name), &["INDEX customer_by_name (org=?)"]),
        (
            Query::all().oldest_by(name).after(Some(past(Value::Text("a".into())))),
            &["INDEX customer_by_name (org=? AND (name,id)>(?,?))"],
        ),
        (Query::all().newest_by(seen), &["INDEX customer_by_seen_at (org=?)"]),
        (
            Query::all().newest_by(seen).after(Some(past(Value::Time(1)))),
            &[
                "INDEX customer_by_seen_at (org=? AND (seen_at,id)<(?,?))",
                "INDEX customer_by_seen_at (org=? AND seen_at=?)",
            ],
        ),
        (
            Query::all().oldest_by(seen).after(Some(past(Value::Null))),
            &[
                "INDEX customer_by_seen_at (org=? AND seen_at=? AND id>?)",
                "INDEX customer_by_seen_at (org=? AND seen_at>?)",
            ],
        ),
        (
            Query::all().oldest_by(email).after(Some(past(Value::Text("a".into())))),
            &["INDEX customer_one_by_email_if_any (org=? AND (email,id)>(?,?))"],
        ),
        (
            new.clone().newest_by(joined),
            &["INDEX customer_by_state_and_joined_at (org=? AND state=?)"],
        ),
        (
            new.newest_by(joined).after(Some(past(Value::Time(1)))),
            &["INDEX customer_by_state_and_joined_at (org=? AND state=? AND (joined_at,id)<(?,?))"],
        ),
        (Query::all().eq(name, &"a".to_owned()), &["INDEX customer_by_name (org=? AND name=?)"]),
        (
            Query::all().eq(name, &"a".to_owned()).after(Some(past(Value::Null))),
            &["INDEX customer_by_name (org=? AND name=? AND id>?)"],
        ),
        (
            Query::all().eq(seen, &None::<time::OffsetDateTime>).after(Some(past(Value::Null))),
            &["INDEX customer_by_seen_at (org=? AND seen_at=? AND id>?)"],
        ),
        (
            Query::all().eq(email, &Some("a".to_owned())),
            &["INDEX customer_one_by_email_if_any (org=? AND email=?)"],
        ),
        (
            Query::all()
                .filter(seen, Op::Le, &Some(time::OffsetDateTime::UNIX_EPOCH))
                .oldest_by(seen),
            &["INDEX customer_by_seen_at (org=? AND seen_at<?)"],
        ),
        (
            Query::all().filter(seen, Op::Le, &Some(time::OffsetDateTime::UNIX_EPOCH)),
            &["PRIMARY KEY (org=?)"],
        ),
    ] {
        assert_eq!(plans(&query), wanted, "{query:?}");
    }
}

#[test]
fn an_index_without_nulls_answers_what_finds_none() {
    let (seen, state) = (TABLE.col("seen_at"), TABLE.col("state"));
    let new = Query::all().eq(state, &"new".to_owned());
    let (never, epoch) = (None::<time::OffsetDateTime>, time::OffsetDateTime::UNIX_EPOCH);
    let sparse = "INDEX customer_by_state_and_seen_at_if_any";
    for (query, wanted) in [
        (
            new.clone().filter(seen, Op::Le, &epoch).oldest_by(seen),
            "(org=? AND state=? AND seen_at<?)",
        ),
        (
            new.clone().filter(seen, Op::Ne, &never).oldest_by(seen),
            "(org=? AND state=? AND seen_at>?)",
        ),
        (
            new.clone().newest_by(seen).after(Some(past(Value::Time(1)))),
            "(org=? AND state=? AND seen_at>? AND (seen_at,id)<(?,?))",
        ),
    ] {
        assert_eq!(plans(&query)[0], format!("{sparse} {wanted}"), "{query:?}");
    }
    for query in [
        new.clone().oldest_by(seen),
        new.clone().eq(seen, &never),
        new.clone().filter(seen, Op::Lt, &never),
        new.newest_by(seen).after(Some(past(Value::Null))),
        Query::all().eq(TABLE.col("email"), &None::<String>),
    ] {
        assert!(plans(&query).iter().all(|plan| !plan.contains("if_any")), "{query:?}");
    }
}

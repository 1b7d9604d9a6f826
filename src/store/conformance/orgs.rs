//! A transaction belongs to one org and neither sees nor changes what another holds.

use super::fixture::{
    A, B, COUNT, ITEMS, NAME, all, filled, get, item, key, keys, keys_of, named, read, try_write,
    write,
};
use crate::store::query::{Op, Query};
use crate::store::{OrgId, Store, StoreError};
use uuid::Uuid;

/// A key that only another org has is missing, in a read and in a write.
pub fn orgs_do_not_get_each_others_rows(store: &dyn Store) {
    filled(store, &[named(1, "a", 1)]);
    assert_eq!(get(store, B, 1), None, "in an org that was never written to");
    write(store, B, |w| {
        assert_eq!(w.get(&ITEMS, key(1))?, None, "in a write");
        w.put(&ITEMS, item(2, 2))
    });
    assert_eq!(get(store, B, 1), None);
    assert_eq!(get(store, A, 2), None);
}

/// No query sees another org: whole, filtered by each kind of index, ordered, limited or paged.
pub fn orgs_do_not_query_each_others_rows(store: &dyn Store) {
    filled(store, &[named(1, "a", 1), named(3, "c", 1), named(5, "e", 1)]);
    let in_b = |query: &Query| keys_of(&read(store, B, |r| r.query(&ITEMS, query)));
    assert_eq!(in_b(&Query::all()), [], "in an org that was never written to");
    write(store, B, |w| {
        w.put(&ITEMS, named(2, "b", 1))?;
        w.put(&ITEMS, named(4, "d", 1))
    });
    let by_count = Query::all().eq(COUNT, &1_i64);
    let by_name = Query::all().filter(NAME, Op::Ge, &"a".to_owned());
    for query in [Query::all(), by_count.clone(), by_name, Query::all().oldest_by(COUNT)] {
        assert_eq!(in_b(&query), [2, 4], "{query:?}");
        assert_eq!(keys(store, &query), [1, 3, 5], "{query:?}");
        assert_eq!(in_b(&query.clone().limit(1)), [2], "the limit counts rows of this org");
        let after = query.cursor(&named(2, "b", 1));
        assert_eq!(in_b(&query.clone().after(Some(after))), [4]);
    }
    assert_eq!(in_b(&by_count.newest()), [4, 2]);
    assert_eq!(in_b(&Query::all().eq(NAME, &"a".to_owned())), [], "by a unique value");
    assert_eq!(in_b(&Query::all().eq(ITEMS.col("id"), &key(1))), [], "by primary key");
    let inside = write(store, B, |w| w.query(&ITEMS, &Query::all()));
    assert_eq!(keys_of(&inside), [2, 4], "in a write");
}

/// The same key is free in every org, and its rows are different rows.
pub fn a_key_may_stand_in_two_orgs(store: &dyn Store) {
    filled(store, &[named(1, "a", 1)]);
    assert!(write(store, B, |w| w.insert(&ITEMS, named(1, "b", 2))), "the key is free in B");
    assert!(!write(store, B, |w| w.insert(&ITEMS, named(1, "c", 3))), "now it is not");
    assert_eq!((all(store, A), all(store, B)), (vec![named(1, "a", 1)], vec![named(1, "b", 2)]));
}

/// `put`, `add`, `delete`, and undoing them, reach only rows of the transaction's org.
pub fn changes_stay_in_their_org(store: &dyn Store) {
    let rows = [named(1, "a", 1), named(2, "b", 2)];
    filled(store, &rows);
    assert_eq!(write(store, B, |w| w.add(&ITEMS, key(1), COUNT, 5)), None, "no such row in B");
    assert!(!write(store, B, |w| w.delete(&ITEMS, key(1))), "no such row in B");
    write(store, B, |w| w.put(&ITEMS, item(1, 10)));
    assert_eq!(write(store, B, |w| w.add(&ITEMS, key(1), COUNT, 5)), Some(15));
    assert_eq!((all(store, A), all(store, B)), (rows.to_vec(), vec![item(1, 15)]));
    let failed = try_write(store, B, |w| {
        w.put(&ITEMS, item(2, 20))?;
        w.delete(&ITEMS, key(1))?;
        Err::<(), _>(StoreError::Aborted)
    });
    assert!(failed.is_err());
    assert_eq!((all(store, A), all(store, B)), (rows.to_vec(), vec![item(1, 15)]));
    assert!(write(store, B, |w| w.delete(&ITEMS, key(1))));
    assert_eq!((all(store, A), all(store, B)), (rows.to_vec(), vec![]));
}

/// The same values may stand in a unique index of two orgs, and within each they are unique.
pub fn unique_values_are_unique_in_their_org(store: &dyn Store) {
    filled(store, &[named(1, "a", 1)]);
    assert!(write(store, B, |w| w.insert(&ITEMS, named(2, "a", 2))), "the name is free in B");
    write(store, B, |w| w.put(&ITEMS, named(2, "a", 3)));
    for org in [A, B] {
        let taken = try_write(store, org, |w| w.put(&ITEMS, named(9, "a", 9)));
        assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
    }
    assert!(write(store, B, |w| w.delete(&ITEMS, key(2))));
    let taken = try_write(store, A, |w| w.put(&ITEMS, named(9, "a", 9)));
    assert!(matches!(taken, Err(StoreError::Conflict { .. })), "freed in B only: {taken:?}");
}

/// Any UUID is an org: the nil one, under which the directory is kept, the greatest one, and one
/// that differs from another in a single bit.
pub fn any_id_is_an_org(store: &dyn Store) {
    filled(store, &[]);
    let ids = [0, 1, 1 << 127, u128::MAX].map(|n| OrgId::new(Uuid::from_u128(n)));
    let orgs = [ids.as_slice(), &[OrgId::DEFAULT, OrgId::named("a"), OrgId::named("b")]].concat();
    for (org, count) in orgs.iter().zip(1..) {
        write(store, *org, |w| w.put(&ITEMS, named(1, "a", count)));
    }
    for (org, count) in orgs.iter().zip(1..) {
        assert_eq!(all(store, *org), [named(1, "a", count)], "{org:?}");
    }
}

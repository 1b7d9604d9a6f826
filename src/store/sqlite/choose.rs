//! Which index answers a query.
//!
//! Without statistics SQLite takes the primary key whenever the order is by key, and then walks over
//! every row of the org: a customer's meters would cost as much as everybody's. So the index is
//! chosen here, by the shape of the query alone, and stays chosen as the file grows.

use crate::store::schema::{Index, Table};

/// What a query asks of the columns, by their place in the table.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Those that must equal something, or be null.
    pub(super) equal: Vec<usize>,
    /// Those that must lie in a range.
    pub(super) ranges: Vec<usize>,
    /// Those that must not be null.
    pub(super) present: Vec<usize>,
    /// The one that rows are sorted by; the key breaks ties.
    pub(super) order: usize,
}

/// How well an index serves, the most important first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Merit {
    /// How many of its columns, from the first on, must equal something.
    equal: usize,
    /// Whether it has the rows in order.
    sorted: bool,
    /// Whether it narrows to a range after that.
    range: bool,
}

/// The best index of `table`, or `None` where the primary key or SQLite's own judgement serves.
pub(super) fn index(table: &Table, wanted: &Wanted) -> Option<&'static Index> {
    if wanted.equal.contains(&0) {
        return None;
    }
    let holds_all = |index: &&Index| {
        let mut omitted = table.omitted(index).filter_map(|column| table.position(column.name));
        omitted.all(|place| wanted.present.contains(&place))
    };
    let whole = table.indexes.iter().filter(holds_all);
    let merits = whole.map(|index| (merit(table, index, wanted), index));
    // A walk over the whole org in the order of its keys, or a range of it that must be sorted:
    // SQLite can guess as well as anybody which is better.
    let useful = merits.filter(|(merit, _)| merit.equal > 0 || merit.sorted);
    let best = useful
        .max_by(|(a, x), (b, y)| a.cmp(b).then_with(|| y.columns.len().cmp(&x.columns.len())));
    best.map(|(_, index)| index)
}

fn merit(table: &Table, index: &Index, wanted: &Wanted) -> Merit {
    let mut places: Vec<_> = index.columns.iter().filter_map(|name| table.position(name)).collect();
    // Every index ends with the key, because the table is stored by it.
    places.push(0);
    let equal = places.iter().take_while(|place| wanted.equal.contains(place)).count();
    let next = places.get(equal).copied();
    let after = equal.checked_add(1).and_then(|place| places.get(place)).copied();
    let sorted = if wanted.order == 0 || wanted.equal.contains(&wanted.order) {
        next == Some(0)
    } else {
        next == Some(wanted.order) && after == Some(0)
    };
    let range = next.is_some_and(|place| wanted.ranges.contains(&place));
    Merit { equal, sorted, range }
}

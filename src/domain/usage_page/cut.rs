//! Where a series of events is cut into pages.
//!
//! A page holds some hundred events if there are so many. Its size is one that SQLite keeps without
//! waste: it puts a row into the tree up to about 1,000 bytes, and of a longer one about 500 bytes,
//! the rest in pages of 4,092 bytes of its own. Any other backend takes any size.

use super::Entry;
use super::codec::{VERSION, micros, put};
use time::OffsetDateTime;

/// A page that fits into the tree, its columns aside.
const SMALL: usize = 780;
/// One with two pages of SQLite beside the tree, and what is worth one of its own.
const LARGE: (usize, usize) = (8_400, 7_300);
/// The same with one.
const MIDDLE: (usize, usize) = (4_300, 3_200);

/// The entries of each page and the bytes that they are packed into, the version first.
pub(super) fn pages(entries: &[Entry], recorded: OffsetDateTime) -> Vec<(&[Entry], Vec<u8>)> {
    let (mut pages, mut rest) = (Vec::new(), entries);
    while !rest.is_empty() {
        // At most a large page and what tells whether the rest is worth another.
        let (bytes, ends) = packed(rest, recorded, LARGE.0);
        let size = size_for(bytes.len(), ends.len() < rest.len());
        let fit = ends.iter().take_while(|end| **end <= size).count().max(1);
        let end = fit.checked_sub(1).and_then(|last| ends.get(last)).copied();
        let Some((page, left)) = rest.split_at_checked(fit) else { break };
        let bytes = end.and_then(|end| bytes.get(..end)).unwrap_or(&bytes).to_vec();
        pages.push((page, bytes));
        rest = left;
    }
    pages
}

/// How large the next page may be when `left` bytes are to come, or still more.
const fn size_for(left: usize, more: bool) -> usize {
    if more || left >= LARGE.1 {
        LARGE.0
    } else if left >= MIDDLE.1 {
        MIDDLE.0
    } else {
        // Pages of the same size, so that the last one is not a crumb.
        let parts = left.div_ceil(SMALL);
        left.div_ceil(if parts == 0 { 1 } else { parts }).saturating_add(16)
    }
}

/// As many entries as fit, at least one, and where each of them ends.
fn packed(entries: &[Entry], recorded: OffsetDateTime, size: usize) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut ends) = (vec![VERSION], Vec::new());
    let mut before = micros(recorded);
    for entry in entries {
        put(&mut bytes, entry, before);
        if bytes.len() > size && !ends.is_empty() {
            break;
        }
        before = micros(entry.event_time);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

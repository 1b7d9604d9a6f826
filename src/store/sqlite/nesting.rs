//! Which stores the current thread has a transaction of.

use crate::store::{Result, StoreError};
use std::cell::RefCell;

thread_local! {
    static OPEN: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// A transaction of one store on this thread, for as long as it lives. A second one would wait for
/// the first for ever.
#[derive(Debug)]
pub(super) struct Inside(usize);

impl Inside {
    /// Enters the store at address `store`.
    pub(super) fn enter(store: usize) -> Result<Self> {
        OPEN.with_borrow_mut(|open| {
            if open.contains(&store) {
                return Err(StoreError::Nested);
            }
            open.push(store);
            Ok(Self(store))
        })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // Fails only while the thread ends, when nothing can be nested any more.
        let _ = OPEN.try_with(|open| {
            if let Ok(mut open) = open.try_borrow_mut() {
                open.retain(|store| *store != self.0);
            }
        });
    }
}

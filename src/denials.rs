//! What was denied since it was last written down: so that a check, which never writes, counts all
//! the same.
//!
//! A transaction collects what it denied and hands it over when it is done, whatever became of it: a
//! track that is refused changes nothing, and was an attempt. What is allowed touches none of this.
//! Written down it is by [`Tenure::flush_denials`](crate::Tenure::flush_denials) and by every tick; a
//! process that dies before that has lost what it counted since.

use crate::domain::customer::CustomerId;
use crate::domain::text::Code;
use crate::store::OrgId;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How often a customer was denied a feature.
pub(crate) type Denied = BTreeMap<(CustomerId, Code), u64>;
/// The same, by UTC day.
pub(crate) type DeniedByDay = BTreeMap<(CustomerId, Code, i32), u64>;

/// What a handle and its clones denied.
#[derive(Debug)]
pub(crate) struct Denials {
    counts: Mutex<Counts>,
    most: usize,
}

#[derive(Debug, Default)]
struct Counts {
    of: HashMap<OrgId, DeniedByDay>,
    entries: usize,
}

impl Denials {
    /// Keeps count of at most so many customers' features.
    pub(crate) fn new(most: usize) -> Self {
        Self { counts: Mutex::default(), most }
    }

    /// Adds what was denied on the day `day`. What there is no room for is not counted.
    pub(crate) fn add(&self, org: OrgId, denied: Denied, day: i32) {
        let by_day =
            denied.into_iter().map(|((customer, code), count)| ((customer, code, day), count));
        self.add_all(org, by_day);
    }

    fn add_all(
        &self,
        org: OrgId,
        denied: impl IntoIterator<Item = ((CustomerId, Code, i32), u64)>,
    ) {
        let mut counts = self.lock();
        let Counts { of, entries } = &mut *counts;
        let of_org = of.entry(org).or_default();
        for (key, count) in denied {
            if let Some(known) = of_org.get_mut(&key) {
                *known = known.saturating_add(count);
            } else if *entries < self.most {
                of_org.insert(key, count);
                *entries = entries.saturating_add(1);
            }
        }
    }

    /// Takes out what is to be written down.
    pub(crate) fn take(&self, org: OrgId) -> DeniedByDay {
        let mut counts = self.lock();
        let taken = counts.of.remove(&org).unwrap_or_default();
        counts.entries = counts.entries.saturating_sub(taken.len());
        taken
    }

    /// Puts back what could not be written down.
    pub(crate) fn put_back(&self, org: OrgId, denied: DeniedByDay) {
        self.add_all(org, denied);
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn denied(customer: u128, count: u64) -> Denied {
        let key = (CustomerId::from(Uuid::from_u128(customer)), Code::parse("sso").unwrap());
        Denied::from([(key, count)])
    }

    #[test]
    fn what_there_is_no_room_for_is_not_counted_and_what_is_known_goes_on() {
        let denials = Denials::new(2);
        for customer in [1, 2, 3, 1] {
            denials.add(OrgId::DEFAULT, denied(customer, 1), 7);
        }
        let taken = denials.take(OrgId::DEFAULT);
        assert_eq!(taken.values().copied().collect::<Vec<_>>(), [2, 1]);
        assert!(denials.take(OrgId::DEFAULT).is_empty());
        denials.put_back(OrgId::DEFAULT, taken);
        denials.add(OrgId::DEFAULT, denied(1, u64::MAX), 7);
        denials.add(OrgId::DEFAULT, denied(1, 5), 8);
        let again = denials.take(OrgId::DEFAULT);
        assert_eq!(again.values().copied().collect::<Vec<_>>(), [u64::MAX, 1], "no third entry");
        denials.add(OrgId::named("other"), denied(1, 1), 7);
        assert!(denials.take(OrgId::DEFAULT).is_empty(), "each org by itself");
    }
}

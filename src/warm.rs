//! Warm checks: answers that are kept in memory for as long as nothing they depend on has changed.
//!
//! An entry says from when to when it holds, and which records it was computed from. A transaction
//! notes the records that it changes. Before it is kept they are marked as changing, and when the
//! store has answered, whatever it answered, as changed: an entry that is older than the last change
//! of any of its records is never used again, and while one of them changes none is.
//!
//! # Why no old answer is given
//!
//! Changes are numbered. A check takes the number of the last one before its snapshot begins and
//! leaves it in the entry. A change that the snapshot does not show is committed after that, so its
//! number, which is taken after the commit, is greater.

use crate::domain::access::{Access, CustomerRef, DenialReason};
use crate::domain::customer::CustomerId;
use crate::domain::feature::{Feature, FeatureId};
use crate::domain::link::{LinkId, ProductId};
use crate::domain::meter::Meter;
use crate::domain::quantity::Quantity;
use crate::domain::text::ExternalId;
use crate::store::OrgId;
use crate::store::schema::Table;
use crate::value::{Row, Value};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use time::OffsetDateTime;
use uuid::Uuid;

/// How many entries have the same place.
const WAYS: usize = 4;
/// How many places there are for the numbers of changes: records that share one are forgotten
/// together. 128 KiB.
const STAMPS: usize = 8_192;
/// How many features are kept for entries to share.
const FEATURES_MAX: usize = 1_024;
/// A transaction that changes more records than this is taken to change all that its org has.
const CHANGES_MAX: usize = 4_096;

/// What was asked, as the caller has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'q> {
    pub(crate) org: OrgId,
    pub(crate) product: &'q str,
    pub(crate) customer: &'q CustomerRef,
    pub(crate) feature: &'q str,
}

/// What a check found, and what it follows from.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) meter: Meter,
    pub(crate) feature: Arc<Feature>,
}

/// An answer that may be given again.
#[derive(Debug)]
struct Entry {
    org: OrgId,
    product: Box<str>,
    customer: CustomerRef,
    /// The last change before it was computed.
    as_of: u64,
    /// The stamps of the records that it was computed from.
    stamps: [usize; 5],
    since: OffsetDateTime,
    meter: Meter,
    feature: Arc<Feature>,
}

/// When the records that share it last changed.
#[derive(Debug, Default)]
struct Stamp {
    changing: AtomicU32,
    last: AtomicU64,
}

type Set = RwLock<[Option<Arc<Entry>>; WAYS]>;

/// The answers of one store.
#[derive(Debug)]
pub(crate) struct Warm {
    sets: Box<[Set]>,
    stamps: Box<[Stamp]>,
    /// The number of the last change.
    changes: AtomicU64,
    /// Which of a full set is given up next.
    turn: AtomicU32,
    features: Mutex<HashMap<(OrgId, FeatureId), Arc<Feature>>>,
    seed: u64,
}

impl Question<'_> {
    /// The link by which the customer is found, if it is named by one.
    fn link(&self) -> Option<Uuid> {
        let CustomerRef::ExternalOrg(external) = self.customer else { return None };
        let product = ProductId::parse(self.product).ok()?;
        Some(LinkId::of(&product, &ExternalId::parse(external).ok()?).uuid())
    }
}

impl Entry {
    fn answers(&self, question: &Question<'_>) -> bool {
        self.org == question.org
            && self.meter.feature_code.as_str() == question.feature
            && self.customer == *question.customer
            && *self.product == *question.product
    }
}

impl Warm {
    /// Keeps at most `entries` answers, rounded up to a whole number of sets.
    pub(crate) fn new(entries: usize) -> Self {
        let sets = entries.div_ceil(WAYS).max(1);
        Self {
            sets: (0..sets).map(|_| Set::default()).collect(),
            stamps: (0..STAMPS).map(|_| Stamp::default()).collect(),
            changes: AtomicU64::new(0),
            turn: AtomicU32::new(0),
            features: Mutex::default(),
            seed: RandomState::new().hash_one("warm"),
        }
    }

    /// The number of the last change: to be taken before the snapshot that an entry is made from.
    pub(crate) fn now(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// The answer at `now` and whom it is about, if it is known.
    pub(crate) fn access(
        &self,
        question: &Question<'_>,
        quantity: Quantity,
        now: OffsetDateTime,
    ) -> Option<(Access, CustomerId)> {
        let set = self.set(question).read().unwrap_or_else(PoisonError::into_inner);
        let entry = set.iter().flatten().find(|entry| entry.answers(question)).cloned();
        drop(set);
        let entry = entry.filter(|it| self.holds(it, now))?;
        Some((entry.meter.access(&entry.feature, quantity), entry.meter.customer_id))
    }

    /// Keeps what a check found at `since` in a snapshot that was begun after `as_of` was taken.
    pub(crate) fn keep(
        &self,
        question: &Question<'_>,
        found: Found,
        as_of: u64,
        since: OffsetDateTime,
    ) {
        let Found { meter, feature } = found;
        // What helps then is more than the meter knows.
        if meter.denial == Some(DenialReason::NotYetValid) {
            return;
        }
        let org = question.org;
        let name = question.link().unwrap_or(org.uuid());
        let records =
            [org.uuid(), meter.id.uuid(), meter.customer_id.uuid(), feature.id.uuid(), name];
        let entry = Arc::new(Entry {
            org,
            product: question.product.into(),
            customer: question.customer.clone(),
            as_of,
            stamps: records.map(|record| place(org, record)),
            since,
            meter,
            feature: self.shared(org, feature),
        });
        let mut set = self.set(question).write().unwrap_or_else(PoisonError::into_inner);
        let same = |slot: &Option<Arc<Entry>>| slot.as_ref().is_some_and(|it| it.answers(question));
        let free = set.iter().position(same).or_else(|| set.iter().position(Option::is_none));
        let turn = || usize::try_from(self.turn.fetch_add(1, Ordering::Relaxed)).unwrap_or(0);
        let slot = free.unwrap_or_else(|| turn() % WAYS);
        let before = set.get_mut(slot).and_then(|slot| slot.replace(entry));
        drop(set);
        drop(before);
    }

    /// Marks the records that a transaction changed as changing, until the result is dropped.
    pub(crate) fn changing(self: &Arc<Self>, org: OrgId, changes: &Changes) -> Changing {
        let mut places: Vec<usize> = if changes.all {
            vec![place(org, org.uuid())]
        } else {
            changes.records.iter().map(|record| place(org, *record)).collect()
        };
        places.sort_unstable();
        places.dedup();
        for stamp in places.iter().filter_map(|place| self.stamps.get(*place)) {
            stamp.changing.fetch_add(1, Ordering::SeqCst);
        }
        Changing { warm: Arc::clone(self), places }
    }

    fn holds(&self, entry: &Entry, now: OffsetDateTime) -> bool {
        entry.since <= now
            && entry.meter.is_fresh(now)
            && entry.stamps.iter().filter_map(|place| self.stamps.get(*place)).all(|stamp| {
                // In this order: the number is set before the mark is taken off.
                stamp.changing.load(Ordering::SeqCst) == 0
                    && stamp.last.load(Ordering::SeqCst) <= entry.as_of
            })
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder of the length, which is not 0")]
    fn set(&self, question: &Question<'_>) -> &Set {
        let mut hash = Hash(self.seed);
        hash.wide(question.org.uuid().as_u128());
        match question.customer {
            CustomerRef::Id(id) => hash.wide(id.uuid().as_u128()),
            CustomerRef::ExternalOrg(name) => hash.text(name),
        }
        hash.text(question.feature);
        hash.text(question.product);
        let hash = usize::try_from(hash.0 >> 32).unwrap_or(0);
        &self.sets[hash.checked_rem(self.sets.len()).unwrap_or(0)]
    }

    /// `feature`, kept once for all that have the same.
    fn shared(&self, org: OrgId, feature: Arc<Feature>) -> Arc<Feature> {
        let mut known = self.features.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.get(&(org, feature.id)).filter(|it| **it == feature) {
            return Arc::clone(same);
        }
        if known.len() >= FEATURES_MAX {
            known.clear();
        }
        known.insert((org, feature.id), Arc::clone(&feature));
        feature
    }
}

/// Where an answer is looked for: quick, and other in every process, so that nobody can choose names
/// that push each other out.
struct Hash(u64);

impl Hash {
    fn word(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let [low, high] = halves(product);
        self.0 = low ^ high;
    }

    fn wide(&mut self, wide: u128) {
        for half in halves(wide) {
            self.word(half);
        }
    }

    fn text(&mut self, text: &str) {
        let (words, rest) = text.as_bytes().as_chunks();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let rest = rest.iter().fold(0, |word: u64, byte| (word << 8) | u64::from(*byte));
        self.word(rest);
        // So that a text and the next are not taken for another and its next.
        self.word(u64::try_from(text.len()).unwrap_or(0));
    }
}

/// The lower half and the upper.
fn halves(wide: u128) -> [u64; 2] {
    let half = |wide: u128| u64::try_from(wide & u128::from(u64::MAX)).unwrap_or(0);
    [half(wide), half(wide >> 64)]
}

/// The place of a record's stamp. Ids are random, or a hash: their last bits are as good as any.
fn place(org: OrgId, record: Uuid) -> usize {
    let mixed = record.as_u128() ^ org.uuid().as_u128().rotate_left(64);
    let folded = (mixed ^ (mixed >> 64)) & 0xFFFF_FFFF;
    usize::try_from(folded).unwrap_or(0) % STAMPS
}

/// What a transaction has changed of what a check may depend on.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    records: Vec<Uuid>,
    /// Anything of the org.
    all: bool,
}

impl Changes {
    /// Notes that the record `id` of `table` changes; `row` is what it becomes.
    pub(crate) fn note(&mut self, table: &Table, id: Uuid, row: Option<&Row>) {
        match table.name {
            // A balance has the id of its meter, and is written with it.
            "meter" | "balance" | "customer" | "feature" | "link" => self.record(id),
            // No check looks at these.
            "org"
            | "counter"
            | "event"
            | "user"
            | "display_name"
            | "flair"
            | "contact"
            | "alias"
            | "link_profile"
            | "link_manifest"
            | "link_block"
            | "tier"
            | "subscription"
            | "usage_event"
            | "refund"
            | "usage_snapshot"
            | "usage_page"
            | "key_manifest"
            | "key_block"
            | "usage_period"
            | "usage_record"
            | "delivery"
            | "delivery_queue"
            | "burn"
            | "health_model"
            | "health_record"
            | "health_state"
            | "journey"
            | "stage_transition"
            | "customer_metric"
            | "latest_metrics"
            | "customer_activity"
            | "daily_activity"
            | "customer_active_user"
            | "customer_order"
            | "customer_invoice"
            | "support_ticket"
            | "pulse"
            | "mrr_movement"
            | "customer_revenue"
            | "evaluation_sweep"
            | "evaluation_due"
            | "churn_signal"
            | "playbook"
            | "intervention"
            | "intervention_action"
            | "expansion_opportunity"
            | "expansion_history"
            | "lead_score"
            | "lead_qualification"
            | "success_task"
            | "nps_survey"
            | "nps_response"
            | "nps_standing"
            | "blocked_attempts" => {}
            // What belongs to a customer is seen, if at all, by the checks of that customer.
            _ => match row.and_then(|row| Some(row.at(table.position("customer_id")?))) {
                Some(Value::Uuid(customer)) => self.record(*customer),
                _ => self.all = true,
            },
        }
    }

    fn record(&mut self, id: Uuid) {
        if self.records.len() < CHANGES_MAX {
            // The last few are often the same again.
            if !self.records.iter().rev().take(4).any(|it| *it == id) {
                self.records.push(id);
            }
        } else {
            self.all = true;
        }
    }
}

/// Records that are changing, until it is dropped: then they have changed, or may have.
#[derive(Debug)]
pub(crate) struct Changing {
    warm: Arc<Warm>,
    places: Vec<usize>,
}

impl Drop for Changing {
    fn drop(&mut self) {
        let number = self.warm.changes.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        for stamp in self.places.iter().filter_map(|place| self.warm.stamps.get(*place)) {
            stamp.last.fetch_max(number, Ordering::SeqCst);
            stamp.changing.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_no_more_than_is_promised() {
        // Beside it the texts that it owns: a product, a customer's name, a feature.
        assert!(size_of::<Entry>() <= 600, "{}", size_of::<Entry>());
        assert!(size_of::<Set>() * 65_536 / WAYS + size_of::<Stamp>() * STAMPS <= 1 << 20);
    }

    #[test]
    fn texts_side_by_side_are_not_run_together() {
        let of = |texts: &[&str]| {
            let mut hash = Hash(7);
            for text in texts {
                hash.text(text);
            }
            hash.0
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["abcdefgh", ""]), of(&["", "abcdefgh"]));
        assert_ne!(of(&["org_1"]), of(&["org_2"]));
    }

    #[test]
    fn a_table_that_nobody_thought_of_counts_as_everything() {
        let table =
            |name| Table { name, columns: &[], indexes: &[], references: &[], sealed: false };
        let noted = |name| {
            let mut changes = Changes::default();
            changes.note(&table(name), Uuid::max(), None);
            (changes.all, changes.records.len())
        };
        assert_eq!(noted("new_idea"), (true, 0));
        assert_eq!(noted("meter"), (false, 1));
        assert_eq!(noted("usage_event"), (false, 0));
    }
}

//! Where new ids and random numbers come from.

use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use time::OffsetDateTime;
use uuid::Uuid;

/// Where new ids come from.
#[derive(Clone)]
pub(crate) enum Ids {
    /// From the system's randomness.
    Drawn(Arc<Mutex<Source>>),
    /// From a function of the host.
    Given(Arc<dyn Fn(OffsetDateTime) -> Uuid + Send + Sync>),
}

impl Ids {
    /// UUIDs (version 7).
    pub(crate) fn time_ordered() -> Self {
        Self::Drawn(Arc::default())
    }

    pub(crate) fn next(&self, now: OffsetDateTime) -> Uuid {
        match self {
            Self::Drawn(source) => {
                source.lock().unwrap_or_else(PoisonError::into_inner).id(process::id(), now)
            }
            Self::Given(ids) => ids(now),
        }
    }

    /// A random number, as random as the ids are.
    pub(crate) fn random(&self) -> u128 {
        match self {
            Self::Drawn(source) => {
                source.lock().unwrap_or_else(PoisonError::into_inner).number(process::id())
            }
            Self::Given(ids) => Uuid::new_v5(&ids(OffsetDateTime::UNIX_EPOCH), b"random").as_u128(),
        }
    }
}

/// How many bytes the system is asked for at a time: each call costs as much as writing a column.
const BYTES: usize = 512;

/// How many bits of an id say nothing of its instant.
const TAIL: u32 = 74;

/// The most that two ids of one millisecond are apart, in bits: hard to guess, and room for
/// billions.
const STEP: u32 = 40;

/// Random numbers that are left over from the last call of the system.
#[derive(Default)]
pub(crate) struct Source {
    /// The process that they were drawn for: one that was forked off must not use them again.
    process: u32,
    numbers: Vec<u128>,
    /// Millisecond and tail of the id that was made last.
    last: Option<(u64, u128)>,
}

impl Source {
    fn number(&mut self, process: u32) -> u128 {
        if process != self.process {
            *self = Self { process, ..Self::default() };
        }
        if self.numbers.is_empty() {
            let mut bytes = [0; BYTES];
            if getrandom::fill(&mut bytes).is_ok() {
                let (chunks, _) = bytes.as_chunks();
                self.numbers.extend(chunks.iter().map(|it| u128::from_ne_bytes(*it)));
            }
        }
        // The other way ends the program, as nothing can be made without randomness.
        self.numbers.pop().unwrap_or_else(|| Uuid::new_v4().as_u128())
    }

    /// A UUID (version 7). It begins with the instant, and those of one millisecond follow each
    /// other in random steps (RFC 9562, 6.2, method 2): new rows go to the end of their table, those
    /// of one transaction too.
    fn id(&mut self, process: u32, now: OffsetDateTime) -> Uuid {
        let millis = now.unix_timestamp_nanos().div_euclid(1_000_000);
        let millis = u64::try_from(millis).unwrap_or(0);
        let number = self.number(process);
        let next = |tail: u128| tail.checked_add(number >> (u128::BITS - STEP))?.checked_add(1);
        let tail = match self.last {
            Some((last, tail)) if last == millis => next(tail).filter(|it| it >> TAIL == 0),
            _ => None,
        };
        let tail = tail.unwrap_or(number >> (u128::BITS - TAIL));
        self.last = Some((millis, tail));
        version_7(millis, tail)
    }
}

/// The id with this instant and these further bits.
fn version_7(millis: u64, tail: u128) -> Uuid {
    let instant = u128::from(millis & 0xFFFF_FFFF_FFFF) << 80;
    let (high, low) = (tail >> 62 & 0xFFF, tail & 0x3FFF_FFFF_FFFF_FFFF);
    Uuid::from_u128(instant | 0x7 << 76 | high << 64 | 0b10 << 62 | low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use time::macros::datetime;
    use uuid::{Variant, Version};

    const NOON: OffsetDateTime = datetime!(2026-01-31 12:00:00.001 UTC);

    #[test]
    fn ids_begin_with_the_instant_and_are_as_the_standard_has_them() {
        let id = Ids::time_ordered().next(NOON);
        assert_eq!(id.get_version(), Some(Version::SortRand));
        assert_eq!(id.get_variant(), Variant::RFC4122);
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        assert_eq!((i64::try_from(seconds).unwrap(), nanos), (NOON.unix_timestamp(), 1_000_000));
        assert_eq!(version_7(0, u128::MAX).get_version(), Some(Version::SortRand));
    }

    #[test]
    fn ids_of_one_instant_come_in_order_and_in_steps_that_nobody_foresees() {
        let ids = Ids::time_ordered();
        let made: Vec<Uuid> = (0..1_000).map(|_| ids.next(NOON)).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        let steps = made.windows(2).map(|pair| pair[1].as_u128() - pair[0].as_u128());
        assert_eq!(steps.collect::<HashSet<_>>().len(), 999);
    }

    #[test]
    fn ids_of_another_instant_have_nothing_in_common_with_those_before() {
        let ids = Ids::time_ordered();
        let tail = |at| ids.next(at).as_u128() & ((1 << 62) - 1);
        let (first, other, again) = (tail(NOON), tail(NOON + time::Duration::SECOND), tail(NOON));
        let apart = |a: u128, b: u128| a.abs_diff(b) > 1 << STEP;
        assert!(apart(first, other) && apart(other, again) && apart(first, again));
    }

    #[test]
    fn a_tail_that_is_used_up_begins_anew() {
        let mut source = Source::default();
        source.id(1, NOON);
        source.last = source.last.map(|(millis, _)| (millis, (1 << TAIL) - 1));
        assert_eq!(source.id(1, NOON).get_version(), Some(Version::SortRand));
        assert!(source.last.unwrap().1 < (1 << TAIL) - 1);
    }

    #[test]
    fn a_process_that_was_forked_off_draws_numbers_of_its_own() {
        let mut parent = Source::default();
        parent.id(1, NOON);
        let mut child = Source { numbers: parent.numbers.clone(), ..parent };
        let left: HashSet<u128> = parent.numbers.iter().copied().collect();
        assert!((0..64).all(|_| !left.contains(&child.number(2))));
        assert!(left.contains(&parent.number(1)));
    }

    #[test]
    fn a_number_is_given_once() {
        let ids = Ids::time_ordered();
        let numbers: HashSet<u128> = (0..1_000).map(|_| ids.random()).collect();
        assert_eq!(numbers.len(), 1_000);
    }
}

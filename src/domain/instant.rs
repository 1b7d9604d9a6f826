//! Instants: UTC, to the microsecond.

use super::zone::in_range;
use crate::error::Faults;
use time::{Duration, OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// `at` in UTC, rounded down to the microsecond: what a store keeps and gives back. What UTC has no
/// year for is the end of its calendar on that side.
#[must_use]
pub fn utc(at: OffsetDateTime) -> OffsetDateTime {
    let end = if at.year() > 0 { PrimitiveDateTime::MAX } else { PrimitiveDateTime::MIN };
    let at = at.checked_to_offset(UtcOffset::UTC).unwrap_or(end.assume_utc());
    let micros = at.nanosecond().div_euclid(1_000);
    at.replace_nanosecond(micros.saturating_mul(1_000)).unwrap_or(at)
}

/// How long it is from one instant to another; negative if that was before.
pub(crate) fn elapsed(from: OffsetDateTime, to: OffsetDateTime) -> Duration {
    let nanos = to.unix_timestamp_nanos().saturating_sub(from.unix_timestamp_nanos());
    Duration::nanoseconds_i128(nanos)
}

/// Notes a fault of `field` if `at` lies outside the years that are computed with, 1 to 9999.
pub(crate) fn check_year(field: &str, at: OffsetDateTime, faults: &mut Faults) {
    if !in_range(utc(at).year()) {
        faults.add(field, &at.to_string(), "must lie in the years 1 to 9999");
    }
}

/// Notes a fault of `field` if `at` lies after `latest`, the end of what can have happened, or outside
/// the years that are computed with.
pub(crate) fn check_past(
    field: &str,
    at: OffsetDateTime,
    latest: OffsetDateTime,
    faults: &mut Faults,
) {
    if utc(at) > latest {
        faults.add(field, &at.to_string(), "must not lie in the future");
    } else {
        check_year(field, at, faults);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_the_calendar_is_its_end() {
        let at = |date: PrimitiveDateTime, hours| {
            utc(date.assume_offset(UtcOffset::from_hms(hours, 0, 0).unwrap()))
        };
        let last = at(PrimitiveDateTime::MAX, -23);
        assert_eq!((last.year(), last.microsecond()), (9999, 999_999));
        assert!(at(PrimitiveDateTime::MIN, 23) < OffsetDateTime::UNIX_EPOCH);
    }

    #[test]
    fn an_instant_is_what_the_store_gives_back() {
        use crate::value::Field;
        for nanos in [0, 1, 999, 1_000, -1, -999, -1_001, 1_700_000_000_123_456_789] {
            let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap();
            assert_eq!(OffsetDateTime::from_value(at.to_value()), Some(utc(at)), "{nanos}");
        }
    }
}

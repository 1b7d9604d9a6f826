//! The rules of every zone, from the IANA database that is compiled in.

use jiff::{Timestamp, civil, tz};
use std::borrow::Cow;
use time::PrimitiveDateTime;

pub(super) type Rules = tz::TimeZone;
pub(super) const UTC: Rules = tz::TimeZone::UTC;
pub(super) const RULE: &str =
    "must be a time zone, such as `UTC`, `Europe/Paris` or the offset `+03:00`";

pub(super) fn find(name: &str) -> Option<(Cow<'static, str>, Rules)> {
    if name.starts_with(['+', '-']) {
        return fixed(name);
    }
    // Not jiff's default database: where another crate turns that on, it reads the machine's files.
    // This one keeps every zone it has parsed, so looking one up again is cheap.
    let rules = tz::TimeZoneDatabase::bundled().get(name).ok()?;
    let name = rules.iana_name()?.to_owned();
    Some((name.into(), rules))
}

/// `+hh:mm` or `-hh:mm`, to 18 hours.
fn fixed(name: &str) -> Option<(Cow<'static, str>, Rules)> {
    const SECONDS_MAX: i32 = 18 * 3600;
    let number = |from: usize| {
        let digits = name.get(from..from.checked_add(2)?)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i32>().ok())?
    };
    let (hours, minutes) = (number(1)?, number(4)?);
    let exact = name.len() == 6 && name.get(3..4) == Some(":") && minutes < 60;
    let seconds = hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60)?;
    if !exact || seconds > SECONDS_MAX {
        return None;
    }
    if seconds == 0 {
        return Some((Cow::Borrowed("UTC"), UTC));
    }
    let seconds = if name.starts_with('-') { seconds.checked_neg()? } else { seconds };
    let offset = tz::Offset::from_seconds(seconds).ok()?;
    Some((name.to_owned().into(), tz::TimeZone::fixed(offset)))
}

pub(super) fn offset_at(rules: &Rules, unix_seconds: i64) -> i32 {
    // The last day of the year 9999 lies beyond the library's range and has the last offset.
    let beyond = if unix_seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    rules.to_offset(Timestamp::from_second(unix_seconds).unwrap_or(beyond)).seconds()
}

pub(super) fn offset_for(rules: &Rules, local: PrimitiveDateTime) -> Option<i32> {
    use tz::AmbiguousOffset::{Fold, Gap, Unambiguous};
    let (year, month, day) = local.to_calendar_date();
    let (hour, minute, second) = local.as_hms();
    let [month, day, hour, minute, second] =
        [u8::from(month), day, hour, minute, second].map(u8::cast_signed);
    let year = i16::try_from(year).ok()?;
    let civil = civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    // The offset before the change gives both answers: in a gap it lands as much later as
    // clocks went forward, in a fold it is the earlier of the two.
    Some(match rules.to_ambiguous_timestamp(civil).offset() {
        Unambiguous { offset } => offset.seconds(),
        Gap { before, .. } | Fold { before, .. } => before.seconds(),
    })
}

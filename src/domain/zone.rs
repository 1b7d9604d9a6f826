//! Time zones: which wall-clock time an instant is for a customer, and which instant a wall-clock
//! time is.
//!
//! The rules come from the zone database that is compiled into the library (feature `timezones`),
//! never from the machine, so that a period has the same boundaries wherever it is computed.

use super::text::Malformed;
use crate::value::field;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

#[cfg_attr(feature = "timezones", path = "zone/iana.rs")]
#[cfg_attr(not(feature = "timezones"), path = "zone/utc.rs")]
mod rules;

/// The longest name that is looked up, in bytes; the longest in the database has 32.
const NAME_BYTES_MAX: usize = 64;

/// A time zone that exists: `UTC`, a name of the IANA database such as `Europe/Paris`, or a fixed
/// offset such as `+03:00`.
///
/// Names are understood in any case and kept as the database spells them; an alias stays what it
/// is (`Asia/Calcutta` does not become `Asia/Kolkata`). Two zones are equal when their names are.
/// Offsets go to ±18:00, in hours and minutes; `+00:00` is `UTC`.
///
/// Without the feature `timezones` there is no database, and only `UTC` is accepted.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "timezones")] {
/// use tenure::domain::zone::TimeZone;
/// use time::macros::datetime;
///
/// let paris: TimeZone = "europe/paris".parse()?;
/// assert_eq!(paris.as_str(), "Europe/Paris");
/// assert_eq!(paris.local(datetime!(2024-07-01 22:30 UTC)), Some(datetime!(2024-07-02 00:30)));
/// assert!("Mars/Base".parse::<TimeZone>().is_err());
/// # }
/// # Ok::<(), tenure::domain::text::Malformed>(())
/// ```
#[derive(Clone)]
pub struct TimeZone {
    name: Cow<'static, str>,
    // Kept beside the name, because looking it up by name costs more than all the rest.
    rules: rules::Rules,
}

impl TimeZone {
    /// Coordinated universal time, the zone of whoever has set none.
    pub const UTC: Self = Self { name: Cow::Borrowed("UTC"), rules: rules::UTC };

    /// The zone called `name`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when the database has no such zone.
    pub fn parse(name: &str) -> Result<Self, Malformed> {
        if name.eq_ignore_ascii_case("UTC") {
            return Ok(Self::UTC);
        }
        let found = (name.len() <= NAME_BYTES_MAX).then(|| rules::find(name)).flatten();
        let (name, rules) = found.ok_or_else(|| Malformed::new(name, rules::RULE))?;
        Ok(Self { name, rules })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The wall-clock time at `instant`; none when it falls outside the years 1 to 9999.
    #[must_use]
    pub fn local(&self, instant: OffsetDateTime) -> Option<PrimitiveDateTime> {
        let seconds = rules::offset_at(&self.rules, instant.unix_timestamp());
        let local = instant.checked_to_offset(UtcOffset::from_whole_seconds(seconds).ok()?)?;
        in_range(local.year()).then(|| PrimitiveDateTime::new(local.date(), local.time()))
    }

    /// The instant, in UTC, at which clocks show `local`; none when either falls outside the years
    /// 1 to 9999.
    ///
    /// Clocks that go forward skip some times: such a time is taken as much later as clocks went
    /// forward (02:30 becomes 03:30), so that what is due then is neither lost nor early. Clocks
    /// that go back show some times twice: the earlier is meant.
    #[must_use]
    pub fn instant(&self, local: PrimitiveDateTime) -> Option<OffsetDateTime> {
        if !in_range(local.year()) {
            return None;
        }
        let seconds = rules::offset_for(&self.rules, local)?;
        let offset = UtcOffset::from_whole_seconds(seconds).ok()?;
        let instant = local.assume_offset(offset).checked_to_offset(UtcOffset::UTC)?;
        in_range(instant.year()).then_some(instant)
    }

    /// The calendar day that `instant` falls on; none as for [`local`](Self::local).
    #[must_use]
    pub fn day(&self, instant: OffsetDateTime) -> Option<Date> {
        self.local(instant).map(PrimitiveDateTime::date)
    }

    /// The instant at which `day` begins, which is not midnight where clocks skip midnight; none as
    /// for [`instant`](Self::instant).
    #[must_use]
    pub fn midnight(&self, day: Date) -> Option<OffsetDateTime> {
        self.instant(PrimitiveDateTime::new(day, Time::MIDNIGHT))
    }

    /// How many calendar days lie between two instants: the difference of their days, not of their
    /// hours, so a day of 23 hours counts as one. Negative when `to` is on an earlier day; none as
    /// for [`local`](Self::local).
    #[must_use]
    pub fn days_between(&self, from: OffsetDateTime, to: OffsetDateTime) -> Option<i32> {
        self.day(to)?.to_julian_day().checked_sub(self.day(from)?.to_julian_day())
    }
}

/// Whether `year` is one that tenure computes with: what ISO 8601 and SQL can write in four digits.
pub(crate) const fn in_range(year: i32) -> bool {
    1 <= year && year <= 9999
}

/// `t` in UTC, rounded down to the microsecond that stores keep, if it lies in the years 1 to 9999.
pub(crate) fn to_utc_micros(t: OffsetDateTime) -> Option<OffsetDateTime> {
    let utc = t.checked_to_offset(UtcOffset::UTC).filter(|utc| in_range(utc.year()))?;
    let rest = utc.nanosecond().checked_rem(1_000)?;
    utc.replace_nanosecond(utc.nanosecond().checked_sub(rest)?).ok()
}

pub(crate) fn out_of_range(t: OffsetDateTime) -> Malformed {
    Malformed::new(&t.to_string(), "must lie in the years 1 to 9999")
}

impl PartialEq for TimeZone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for TimeZone {}

impl PartialOrd for TimeZone {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TimeZone {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}

impl Hash for TimeZone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimeZone").field(&self.name).finish()
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl FromStr for TimeZone {
    type Err = Malformed;

    fn from_str(name: &str) -> Result<Self, Malformed> {
        Self::parse(name)
    }
}

impl serde::Serialize for TimeZone {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.name)
    }
}

impl<'de> serde::Deserialize<'de> for TimeZone {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = <Cow<'de, str>>::deserialize(from)?;
        Self::parse(&name).map_err(serde::de::Error::custom)
    }
}

field!(TimeZone, Text, |s| s.as_str().to_owned(), |v| TimeZone::parse(&v).ok());

#[cfg(test)]
mod tests;

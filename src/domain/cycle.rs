//! How long a period is: a unit of the calendar and a count.

use super::text::Malformed;
use crate::value::field;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// What a cycle is counted in. Weeks are days and years are months, so equal cycles are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Unit {
    Hour,
    Day,
    Month,
}

/// A unit of the calendar and a count: every 5 hours, every 2 weeks, every 3 months.
///
/// Hours are elapsed time. Days, weeks, months and years are counted on the calendar of a zone: a
/// day can have 23 or 25 hours, a month 28 to 31 days. A week is 7 days, a quarter 3 months and a
/// year 12, so `Cycle::months(12)` is `Cycle::years(1)`. At least 1 and less than 10,000 years.
///
/// Written as an ISO 8601 duration with one unit (`PT5H`, `P2W`, `P3M`, `P1Y`), in JSON and columns
/// too. The words hourly, daily, weekly, monthly, quarterly, semiannual and yearly are understood.
///
/// # Example
///
/// ```
/// use tenure::domain::cycle::Cycle;
///
/// assert_eq!("P12M".parse::<Cycle>()?, Cycle::YEAR);
/// assert_eq!(Cycle::weeks(2)?.to_string(), "P2W");
/// assert!(Cycle::months(0).is_err());
/// # Ok::<(), tenure::domain::text::Malformed>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cycle {
    unit: Unit,
    count: u32,
}

impl Cycle {
    /// Every hour.
    pub const HOUR: Self = Self { unit: Unit::Hour, count: 1 };
    /// Every day.
    pub const DAY: Self = Self { unit: Unit::Day, count: 1 };
    /// Every 7 days.
    pub const WEEK: Self = Self { unit: Unit::Day, count: 7 };
    /// Every month.
    pub const MONTH: Self = Self { unit: Unit::Month, count: 1 };
    /// Every 3 months.
    pub const QUARTER: Self = Self { unit: Unit::Month, count: 3 };
    /// Every 6 months.
    pub const SEMIANNUAL: Self = Self { unit: Unit::Month, count: 6 };
    /// Every 12 months.
    pub const YEAR: Self = Self { unit: Unit::Month, count: 12 };

    /// Every `count` hours of elapsed time.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when it is 0, or 10,000 years or more; so for every unit.
    pub fn hours(count: u32) -> Result<Self, Malformed> {
        Self::new(Unit::Hour, count, 1, "PT#H")
    }

    /// Every `count` calendar days.
    ///
    /// # Errors
    ///
    /// As [`hours`](Self::hours).
    pub fn days(count: u32) -> Result<Self, Malformed> {
        Self::new(Unit::Day, count, 1, "P#D")
    }

    /// Every `count` times 7 calendar days.
    ///
    /// # Errors
    ///
    /// As [`hours`](Self::hours).
    pub fn weeks(count: u32) -> Result<Self, Malformed> {
        Self::new(Unit::Day, count, 7, "P#W")
    }

    /// Every `count` calendar months.
    ///
    /// # Errors
    ///
    /// As [`hours`](Self::hours).
    pub fn months(count: u32) -> Result<Self, Malformed> {
        Self::new(Unit::Month, count, 1, "P#M")
    }

    /// Every `count` calendar years.
    ///
    /// # Errors
    ///
    /// As [`hours`](Self::hours).
    pub fn years(count: u32) -> Result<Self, Malformed> {
        Self::new(Unit::Month, count, 12, "P#Y")
    }

    fn new(unit: Unit, count: u32, times: u32, pattern: &str) -> Result<Self, Malformed> {
        const RULE: &str = "must be at least 1 and less than 10,000 years";
        let malformed = || Malformed::new(&pattern.replace('#', &count.to_string()), RULE);
        let max = match unit {
            Unit::Hour => 10_000 * 365 * 24,
            Unit::Day => 10_000 * 365,
            Unit::Month => 10_000 * 12 - 1,
        };
        let count = count.checked_mul(times).filter(|count| (1..=max).contains(count));
        count.map(|count| Self { unit, count }).ok_or_else(malformed)
    }

    pub(crate) const fn unit(self) -> Unit {
        self.unit
    }

    pub(crate) fn count(self) -> i64 {
        i64::from(self.count)
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |times: u32| self.count.is_multiple_of(times);
        match self.unit {
            Unit::Hour => write!(f, "PT{}H", self.count),
            Unit::Day if whole(7) => write!(f, "P{}W", self.count / 7),
            Unit::Day => write!(f, "P{}D", self.count),
            Unit::Month if whole(12) => write!(f, "P{}Y", self.count / 12),
            Unit::Month => write!(f, "P{}M", self.count),
        }
    }
}

impl FromStr for Cycle {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        const RULE: &str = "must be a cycle, such as `P3M`, `P2W`, `PT5H` or `monthly`";
        let upper = text.to_ascii_uppercase().replace('_', "-");
        match upper.as_str() {
            "HOURLY" => return Ok(Self::HOUR),
            "DAILY" => return Ok(Self::DAY),
            "WEEKLY" => return Ok(Self::WEEK),
            "MONTHLY" => return Ok(Self::MONTH),
            "QUARTERLY" => return Ok(Self::QUARTER),
            "SEMIANNUAL" | "SEMI-ANNUAL" | "HALF-YEARLY" => return Ok(Self::SEMIANNUAL),
            "YEARLY" | "ANNUAL" => return Ok(Self::YEAR),
            _ => {}
        }
        let parts = upper.strip_prefix('P').and_then(|rest| {
            let (rest, timed) = rest.strip_prefix('T').map_or((rest, false), |rest| (rest, true));
            let unit = rest.chars().next_back()?;
            let digits = rest.strip_suffix(unit)?;
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            Some((timed, unit, digits.parse::<u32>().ok().filter(|_| plain)?))
        });
        match parts {
            Some((true, 'H', count)) => Self::hours(count),
            Some((false, 'D', count)) => Self::days(count),
            Some((false, 'W', count)) => Self::weeks(count),
            Some((false, 'M', count)) => Self::months(count),
            Some((false, 'Y', count)) => Self::years(count),
            _ => Err(Malformed::new(text, RULE)),
        }
    }
}

impl serde::Serialize for Cycle {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Cycle {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

field!(Cycle, Text, |s| s.to_string(), |v| v.parse().ok());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_and_parsing_agree() {
        for text in ["PT5H", "PT24H", "P1D", "P2W", "P8D", "P3M", "P18M", "P1Y"] {
            assert_eq!(text.parse::<Cycle>().unwrap().to_string(), text);
        }
        assert_eq!("P12M".parse::<Cycle>(), Ok(Cycle::YEAR));
        assert_eq!("Semi_Annual".parse::<Cycle>(), Cycle::months(6));
    }

    #[test]
    fn a_cycle_is_at_least_one_and_less_than_ten_thousand_years() {
        let refused = ["P0M", "P10000Y", "P119999999999M", "P4294967295W", "P3650001D"];
        let malformed =
            ["", "P", "PM", "P+1M", "P-1M", "PT5M", "P5H", "P1Y2M", "1M", "P1M ", "P٣M", "P1é"];
        for text in refused.into_iter().chain(malformed) {
            assert!(text.parse::<Cycle>().is_err(), "{text}");
        }
        assert_eq!(Cycle::years(9_999).unwrap().to_string(), "P9999Y");
        assert_eq!(Cycle::months(0).unwrap_err().value, "P0M");
    }
}

//! Exact quantities: what is limited, included and used.

use super::text::Malformed;
use crate::value::{Field, Kind, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// An exact decimal with six places, between ±9 223 372 036 854.775807.
///
/// Sums are checked: there is no way to overflow one silently, and no binary float anywhere.
///
/// ```
/// use tenure::Quantity;
///
/// let third: Quantity = "0.333333".parse()?;
/// assert_eq!(third.checked_add(Quantity::from(2)), Some("2.333333".parse()?));
/// assert_eq!(Quantity::from(5).to_string(), "5");
/// # Ok::<_, tenure::Malformed>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(i64);

const UNIT: i64 = 1_000_000;
const PLACES: usize = 6;
const RULE: &str = "must be a decimal with at most six places, between ±9.2 × 10¹²";

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One unit.
    pub const ONE: Self = Self(UNIT);
    /// The greatest quantity.
    pub const MAX: Self = Self(i64::MAX);

    /// A quantity from its millionths.
    #[must_use]
    pub const fn from_millionths(millionths: i64) -> Self {
        Self(millionths)
    }

    /// The number of millionths.
    #[must_use]
    pub const fn millionths(self) -> i64 {
        self.0
    }

    /// The sum, unless it is out of range.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, unless it is out of range.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// `self − other`, never below zero; beyond the range, the end of it.
    #[must_use]
    pub fn beyond(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }

    /// Whether it is above zero.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The share of `whole` in percent, for display; `None` of nothing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a measure for people, never compared")]
    pub fn percent_of(self, whole: Self) -> Option<f64> {
        (whole.0 != 0).then(|| self.0 as f64 / whole.0 as f64 * 100.0)
    }

    /// Whether a JSON number carries it exactly through readers that use binary floats.
    fn fits_number(self) -> bool {
        self.0 % UNIT == 0 || self.0.unsigned_abs() < 1_000_000_000_000_000
    }
}

impl From<u32> for Quantity {
    fn from(units: u32) -> Self {
        Self(i64::from(units).saturating_mul(UNIT))
    }
}

impl From<i32> for Quantity {
    fn from(units: i32) -> Self {
        Self(i64::from(units).saturating_mul(UNIT))
    }
}

impl TryFrom<i64> for Quantity {
    type Error = Malformed;

    fn try_from(units: i64) -> Result<Self, Malformed> {
        let millionths = units.checked_mul(UNIT);
        millionths.map(Self).ok_or_else(|| Malformed::new(&units.to_string(), RULE))
    }
}

impl TryFrom<u64> for Quantity {
    type Error = Malformed;

    fn try_from(units: u64) -> Result<Self, Malformed> {
        let units = i64::try_from(units).map_err(|_| Malformed::new(&units.to_string(), RULE))?;
        Self::try_from(units)
    }
}

impl fmt::Debug for Quantity {
    /// The decimal, as people read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quantity({self})")
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / UNIT, (self.0 % UNIT).unsigned_abs());
        let sign = if self.0 < 0 { "-" } else { "" };
        let mut text = format!("{sign}{}", whole.unsigned_abs());
        if part != 0 {
            text.push('.');
            text.push_str(format!("{part:06}").trim_end_matches('0'));
        }
        f.pad(&text)
    }
}

impl FromStr for Quantity {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        parse(text).ok_or_else(|| Malformed::new(text, RULE))
    }
}

/// Digits, optionally a sign in front and a point with one to six digits behind.
fn parse(text: &str) -> Option<Quantity> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, part) = match digits.split_once('.') {
        Some((whole, part)) if !part.is_empty() => (whole, part),
        Some(_) => return None,
        None => (digits, ""),
    };
    let plain = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > PLACES || !plain(whole) || !plain(part) {
        return None;
    }
    let millionths: i128 = format!("{whole}{part:0<PLACES$}").parse().ok()?;
    let signed = if negative { millionths.checked_neg()? } else { millionths };
    i64::try_from(signed).ok().map(Quantity)
}

impl Serialize for Quantity {
    /// A JSON number; a string only where a number would lose digits in readers that use floats.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.to_string().parse::<f64>() {
            _ if self.0 % UNIT == 0 => to.serialize_i64(self.0 / UNIT),
            Ok(number) if self.fits_number() => to.serialize_f64(number),
            _ => to.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number with at most six places")
            }
            fn visit_i64<E: serde::de::Error>(self, units: i64) -> Result<Quantity, E> {
                Quantity::try_from(units).map_err(E::custom)
            }
            fn visit_u64<E: serde::de::Error>(self, units: u64) -> Result<Quantity, E> {
                Quantity::try_from(units).map_err(E::custom)
            }
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Quantity, E> {
                let quantity: Quantity = number.to_string().parse().map_err(E::custom)?;
                let exact = quantity.fits_number();
                exact
                    .then_some(quantity)
                    .ok_or_else(|| E::custom("write so many digits as a string"))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Quantity, E> {
                let quantity: Quantity = text.parse().map_err(E::custom)?;
                let needed = !quantity.fits_number();
                needed
                    .then_some(quantity)
                    .ok_or_else(|| E::custom("must be a number, not a string"))
            }
        }
        from.deserialize_any(Visitor)
    }
}

impl Field for Quantity {
    const KIND: Kind = Kind::Int;
    const TYPE: &'static str = "decimal";
    fn to_value(&self) -> Value {
        Value::Int(self.0)
    }
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_parse_and_print_exactly() {
        for text in ["0", "1", "-1", "0.1", "12.345678", "9223372036854.775807", "-0.000001"] {
            assert_eq!(text.parse::<Quantity>().unwrap().to_string(), text);
        }
        assert_eq!("1.50".parse::<Quantity>().unwrap().to_string(), "1.5");
        assert_eq!("-0".parse::<Quantity>().unwrap(), Quantity::ZERO);
    }

    #[test]
    fn what_is_not_a_decimal_of_six_places_is_refused() {
        for text in [
            "",
            " 1",
            "1 ",
            "+1",
            "1e3",
            "NaN",
            "inf",
            "0x1",
            ".5",
            "1.",
            "1.2345678",
            "1,5",
            "12abc",
            "9223372036854.775808",
            "99999999999999999999999999999999999999999",
            "--1",
            "１",
        ] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    #[test]
    fn json_numbers_are_exact_or_refused() {
        let read = |json: &str| serde_json::from_str::<Quantity>(json);
        assert_eq!(read("9007199254740").unwrap().to_string(), "9007199254740");
        assert_eq!(read("0.1").unwrap().to_string(), "0.1");
        assert_eq!(read("\"1234567890.123456\"").unwrap().to_string(), "1234567890.123456");
        for bad in ["\"12\"", "1e400", "1234567890.123456", "0.1234567", "null", "true", "1e300"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_quantity_survives_json() {
        for millionths in [0, 1, -1, 999_999, 1_000_000, i64::MAX, i64::MIN, 999_999_999_999_999] {
            let quantity = Quantity(millionths);
            let json = serde_json::to_string(&quantity).unwrap();
            assert_eq!(serde_json::from_str::<Quantity>(&json).unwrap(), quantity, "{json}");
        }
    }
}

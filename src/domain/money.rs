//! Money: whole minor units of one currency, never mixed and never rounded by accident.

use super::text::Malformed;
use crate::value::json_field;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// An ISO 4217 currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The three letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimal places the minor unit has: 2 for EUR, 0 for JPY, 3 for KWD.
    #[must_use]
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl FromStr for Currency {
    type Err = Malformed;

    fn from_str(code: &str) -> Result<Self, Malformed> {
        let known = iso_currency::Currency::from_code(&code.to_ascii_uppercase());
        known.map(Self).ok_or_else(|| Malformed::new(code, "must be an ISO 4217 currency code"))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        code.parse().map_err(serde::de::Error::custom)
    }
}

crate::value::field!(Currency, Text, |s| s.code().to_owned(), |v| v.parse().ok());

/// An amount of money in the minor units of its currency: cents of EUR, whole JPY.
///
/// ```
/// use tenure::Money;
///
/// let fee = Money::new(4900, "EUR".parse()?);
/// assert_eq!(fee.to_string(), "49.00 EUR");
/// assert_eq!(fee.checked_add(Money::new(1, "USD".parse()?)), None); // two currencies never add
/// # Ok::<_, tenure::Malformed>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units.
    pub amount: i64,
    /// The currency.
    pub currency: Currency,
}

json_field!(Money);

impl Money {
    /// `amount` minor units of `currency`.
    #[must_use]
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Nothing at all, where a sum is to follow.
    pub(crate) const fn nothing() -> Self {
        Self::new(0, Currency(iso_currency::Currency::XXX))
    }

    /// The sum; none if the currencies differ or the sum is out of range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let amount = self.amount.checked_add(other.amount)?;
        (self.currency == other.currency).then_some(Self { amount, ..self })
    }

    /// The amount times `factor`, unless that is out of range.
    #[must_use]
    pub fn checked_mul(self, factor: i64) -> Option<Self> {
        Some(Self { amount: self.amount.checked_mul(factor)?, ..self })
    }

    /// A `divisor`-th, rounded half to even: a yearly fee of 100.00 is 8.33 a month.
    #[must_use]
    pub fn divided_by(self, divisor: NonZeroU32) -> Self {
        // A quotient is never farther from zero than the amount, which fits.
        self.times_ratio(1, divisor).unwrap_or(self)
    }

    /// The amount times a fraction, rounded half to even, unless that is out of range.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use tenure::Money;
    ///
    /// let ten = NonZeroU32::MIN.saturating_add(9);
    /// let fee = Money::new(4905, "EUR".parse()?);
    /// assert_eq!(fee.times_ratio(3, ten).map(|it| it.amount), Some(1472)); // of 1471.5
    /// assert_eq!(fee.times_ratio(i64::MAX, ten), None);
    /// # Ok::<_, tenure::Malformed>(())
    /// ```
    #[must_use]
    pub fn times_ratio(self, numerator: i64, denominator: NonZeroU32) -> Option<Self> {
        let (amount, divisor) = (i128::from(self.amount), i128::from(denominator.get()));
        let amount = amount.checked_mul(i128::from(numerator))?;
        let (floor, rest) = (amount.div_euclid(divisor), amount.rem_euclid(divisor));
        let twice = rest.saturating_mul(2);
        let up = twice > divisor || (twice == divisor && floor.rem_euclid(2) == 1);
        let rounded = floor.saturating_add(i128::from(up));
        Some(Self { amount: i64::try_from(rounded).ok()?, ..self })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.currency.exponent();
        let unit = 10_u64.saturating_pow(places).max(1);
        let (size, sign) = (self.amount.unsigned_abs(), if self.amount < 0 { "-" } else { "" });
        let (whole, part) = (size.div_euclid(unit), size.rem_euclid(unit));
        let text = match usize::try_from(places) {
            Ok(places) if places > 0 => format!("{sign}{whole}.{part:0places$} {}", self.currency),
            _ => format!("{sign}{whole} {}", self.currency),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur(amount: i64) -> Money {
        Money::new(amount, "EUR".parse().unwrap())
    }

    #[test]
    fn minor_units_print_as_the_currency_has_them() {
        let yen = Money::new(-1200, "jpy".parse().unwrap());
        let dinar = Money::new(1, "KWD".parse().unwrap());
        assert_eq!((yen.to_string(), dinar.to_string()), ("-1200 JPY".into(), "0.001 KWD".into()));
        assert!("XXZ".parse::<Currency>().is_err());
    }

    #[test]
    fn a_twelfth_is_rounded_half_to_even() {
        let twelve = NonZeroU32::new(12).unwrap();
        let months =
            [10_000, 6, 18, -6, -18, i64::MAX].map(|fee| eur(fee).divided_by(twelve).amount);
        assert_eq!(months, [833, 0, 2, 0, -2, 768_614_336_404_564_651]);
    }

    #[test]
    fn sums_are_checked() {
        assert_eq!(eur(1).checked_add(eur(2)), Some(eur(3)));
        assert_eq!(eur(i64::MAX).checked_add(eur(1)), None);
        assert_eq!(eur(i64::MAX).checked_mul(2), None);
    }
}

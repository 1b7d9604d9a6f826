//! Exact arithmetic on measures that people write as decimals, such as weights: 0.1 is a tenth.

/// One, in millionths.
pub(crate) const MILLION: f64 = 1e6;

/// How many parts of a whole of `parts` a measure is, to the nearest; none when it is no number, or
/// out of all proportion.
#[expect(clippy::cast_possible_truncation, reason = "it is within ±10³⁰")]
pub(crate) fn parts(value: f64, parts: f64) -> Option<i128> {
    let whole = (value * parts).round();
    (whole.abs() <= 1e30).then_some(whole as i128)
}

/// A fraction as a whole number, halves rounded up: −12.5 is −12. None when it cannot be computed.
pub(crate) fn half_up(numerator: i128, denominator: i128) -> Option<i128> {
    let (numerator, denominator) = if denominator < 0 {
        (numerator.checked_neg()?, denominator.checked_neg()?)
    } else {
        (numerator, denominator)
    };
    let twice = denominator.checked_mul(2)?;
    numerator.checked_mul(2)?.checked_add(denominator)?.checked_div_euclid(twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_up_whatever_the_sign() {
        let rounded = [(25, 2), (-25, 2), (24, 2), (-27, 2), (1, 3), (2, 3), (-2, 3)];
        let rounded = rounded.map(|(numerator, denominator)| half_up(numerator, denominator));
        assert_eq!(rounded, [13, -12, 12, -13, 0, 1, -1].map(Some));
        assert_eq!([half_up(-1, -2), half_up(1, -2)], [1, 0].map(Some));
        assert_eq!([half_up(1, 0), half_up(i128::MAX, 2), half_up(1, i128::MIN)], [None; 3]);
    }

    #[test]
    fn a_decimal_is_what_it_says_and_nonsense_is_nothing() {
        assert_eq!(
            [0.1, 0.7, -0.000_001].map(|it| parts(it, MILLION)),
            [100_000, 700_000, -1].map(Some)
        );
        assert_eq!([f64::NAN, f64::INFINITY, f64::MIN].map(|it| parts(it, MILLION)), [None; 3]);
    }
}

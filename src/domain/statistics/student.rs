//! Student's t distribution, for means of samples whose spread is only estimated.

use super::{Difference, LEVEL};
use crate::domain::measured::Interval;

/// The natural logarithm of the gamma function of `x` above 0.
///
/// Source: Lanczos (1964), with the nine coefficients of Godfrey for g = 7.
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let (mut sum, mut place) = (0.999_999_999_999_809_9, x);
    for coefficient in COEFFICIENTS {
        place += 1.0;
        sum += coefficient / place;
    }
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The regularised incomplete beta function `I_x(a, b)`, 0–1, for 0 ≤ x ≤ 1 and a, b above 0.
///
/// Source: Abramowitz and Stegun 26.5.8, a continued fraction, by the method of Lentz.
#[expect(clippy::many_single_char_names, reason = "those of the formula")]
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    if x <= 0.0 {
        return 0.0;
    }
    let ln_front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    let sound = |it: f64| if it.abs() < 1e-300 { 1e-300 } else { it };
    let (mut c, mut d) = (1.0, 1.0 / sound(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    let mut m = 0.0;
    for _ in 0..10_000 {
        m += 1.0;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = fraction;
        for term in [even, odd] {
            d = 1.0 / sound(1.0 + term * d);
            c = sound(1.0 + term / c);
            fraction *= c * d;
        }
        if (fraction / before - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (ln_front.exp() * fraction / a).clamp(0.0, 1.0)
}

/// How likely a value of Student's distribution with `freedom` degrees of freedom is at least as far
/// from 0 as `t`, on either side, 0–1; none unless `freedom` is above 0 and both are numbers.
///
/// ```
/// use tenure::domain::statistics::student::two_sided;
/// let p = two_sided(2.228_138_851_964_939, 10.0).expect("numbers");
/// assert!((p - 0.05).abs() < 1e-9);
/// ```
#[must_use]
pub fn two_sided(t: f64, freedom: f64) -> Option<f64> {
    if t.is_nan() || freedom.is_nan() || freedom <= 0.0 {
        return None;
    }
    if freedom > 1e7 {
        return Some(super::normal::two_sided(t));
    }
    Some(incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5))
}

/// Between ± what value the middle 95 % of Student's distribution lie, found by halving.
fn middle(freedom: f64) -> Option<f64> {
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..200 {
        let t = f64::midpoint(low, high);
        if two_sided(t, freedom)? > 1.0 - LEVEL {
            low = t;
        } else {
            high = t;
        }
    }
    Some(f64::midpoint(low, high))
}

/// What a test says of a mean difference with this standard error.
#[must_use]
pub fn difference(value: f64, standard_error: f64, freedom: f64) -> Option<Difference> {
    let margin = middle(freedom)? * standard_error;
    let interval = Interval { low: value - margin, high: value + margin, level: LEVEL };
    Some(Difference::new(value, standard_error, interval, |t| two_sided(t, freedom)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_tails_are_those_of_the_tables() {
        // Student's table: the two-sided 5 % and 1 % points.
        for (freedom, five, one) in [
            (1.0, 12.706_204_736_174_694, 63.656_741_162_871_526),
            (2.0, 4.302_652_729_749_464, 9.924_843_200_918_291),
            (10.0, 2.228_138_851_986_274, 3.169_272_667_169_545),
            (30.0, 2.042_272_456_301_236_5, 2.749_995_653_567_225),
        ] {
            for (t, share) in [(five, 0.05), (one, 0.01)] {
                let found = two_sided(t, freedom).unwrap();
                assert!((found - share).abs() < 1e-10, "{freedom}: {found}");
            }
            assert!((middle(freedom).unwrap() - five).abs() < 1e-8 * five);
        }
    }

    #[test]
    fn with_much_freedom_it_is_the_normal_distribution() {
        for z in [0.0, 0.5, 1.96, 4.0] {
            let (many, all) = (two_sided(z, 9e6).unwrap(), two_sided(z, 1e9).unwrap());
            assert!((many - all).abs() < 1e-6, "{z}: {many} {all}");
        }
    }

    #[test]
    fn what_is_no_number_has_no_answer() {
        for (t, freedom) in [(f64::NAN, 5.0), (1.0, f64::NAN), (1.0, 0.0), (1.0, -3.0)] {
            assert_eq!(two_sided(t, freedom), None);
        }
        assert_eq!(two_sided(f64::INFINITY, 5.0), Some(0.0));
        assert_eq!(two_sided(0.0, 5.0), Some(1.0));
    }
}

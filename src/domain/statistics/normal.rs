//! The normal distribution, to nearly all the digits of a double.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};

/// Between which points 95 % of a standard normal distribution lie: its quantile at 0.975.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// From where on the continued fraction is the more exact of the two.
const FRACTION_FROM: f64 = 0.75;
/// Beyond this nothing but zero can be written as a double.
const ERFC_ZERO_FROM: f64 = 27.3;

/// The error function: the share of a normal distribution of variance ½ that lies within ±`x`, −1
/// to 1. NaN for NaN.
///
/// Source: Abramowitz and Stegun 7.1.6, a series without cancellation; 1 − [`erfc`] for large `x`.
///
/// ```
/// use tenure::domain::statistics::normal::erf;
/// assert!((erf(0.5) - 0.520_499_877_813_046_5).abs() < 1e-15);
/// assert!((erf(-0.5) + erf(0.5)).abs() < 1e-15);
/// ```
#[must_use]
pub fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size < FRACTION_FROM { series(x) } else { (1.0 - tail(size)).copysign(x) }
}

/// What the error function leaves to 1, 0 to 2, without losing the digits of small values. NaN for
/// NaN.
///
/// Source: Abramowitz and Stegun 7.1.14, a continued fraction; 1 − [`erf`] for small `x`.
///
/// ```
/// use tenure::domain::statistics::normal::erfc;
/// assert!((erfc(5.0) / 1.537_459_794_428_035e-12 - 1.0).abs() < 1e-14);
/// ```
#[must_use]
pub fn erfc(x: f64) -> f64 {
    if x >= FRACTION_FROM {
        tail(x)
    } else if x <= -FRACTION_FROM {
        2.0 - tail(-x)
    } else {
        1.0 - series(x)
    }
}

/// e^(−x²) · 2 ÷ √π · Σ 2ⁿ x^(2n+1) ÷ (1 · 3 ⋯ (2n+1)), for |x| up to ¾.
fn series(x: f64) -> f64 {
    let square = x * x;
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    for _ in 0..30 {
        odd += 2.0;
        term *= 2.0 * square / odd;
        sum += term;
    }
    FRAC_2_SQRT_PI * (-square).exp() * sum
}

/// e^(−x²) ÷ √π · 1 ÷ (x + ½ ÷ (x + 1 ÷ (x + 3⁄2 ÷ (x + …)))), for x from ¾ on.
fn tail(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > ERFC_ZERO_FROM {
        return 0.0;
    }
    // As many terms as sixteen digits need: the larger x is, the fewer.
    let mut term = (25.0 + 200.0 / (x * x)).ceil();
    let mut fraction = x;
    while term > 0.5 {
        fraction = x + term / 2.0 / fraction;
        term -= 1.0;
    }
    gaussian(x) * FRAC_2_SQRT_PI / 2.0 / fraction
}

/// e^(−x²) with the digits that x² as a double does not have.
fn gaussian(x: f64) -> f64 {
    let rough = (x * 16.0).trunc() / 16.0;
    (-rough * rough).exp() * (-(x - rough) * (x + rough)).exp()
}

/// How dense the standard normal distribution is at `x`, 0–0.3989.
///
/// ```
/// use tenure::domain::statistics::normal::density;
/// assert!((density(0.0) - 0.398_942_280_401_432_7).abs() < 1e-15);
/// ```
#[must_use]
pub fn density(x: f64) -> f64 {
    gaussian(x * FRAC_1_SQRT_2) / (2.0 * PI).sqrt()
}

/// The share of the standard normal distribution that lies below `x`, 0–1.
///
/// ```
/// use tenure::domain::statistics::normal::{below, quantile};
/// assert_eq!(below(0.0), 0.5);
/// assert!((below(quantile(0.9).expect("between 0 and 1")) - 0.9).abs() < 1e-15);
/// ```
#[must_use]
pub fn below(x: f64) -> f64 {
    erfc(-x * FRAC_1_SQRT_2) / 2.0
}

/// How likely a standard normal value is at least as far from 0 as `z`, on either side, 0–1.
///
/// ```
/// use tenure::domain::statistics::normal::{Z_95, two_sided};
/// assert!((two_sided(Z_95) - 0.05).abs() < 1e-15);
/// ```
#[must_use]
pub fn two_sided(z: f64) -> f64 {
    erfc(z.abs() * FRAC_1_SQRT_2).min(1.0)
}

/// The point below which the share `p` of the standard normal distribution lies; none unless
/// 0 < `p` < 1.
///
/// Source: Abramowitz and Stegun 26.2.23 to begin with, made exact by Halley's method.
///
/// ```
/// use tenure::domain::statistics::normal::quantile;
/// assert!((quantile(0.975).expect("between 0 and 1") - 1.959_963_984_540_054).abs() < 1e-14);
/// assert_eq!(quantile(1.0), None);
/// ```
#[must_use]
pub fn quantile(p: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    if p > 0.5 {
        return quantile(1.0 - p).map(|x| -x);
    }
    let t = (-2.0 * p.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let under = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut x = above / under - t;
    for _ in 0..3 {
        let slope = density(x);
        if slope > 0.0 {
            let step = (below(x) - p) / slope;
            x -= step / (1.0 + x * step / 2.0);
        }
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether two numbers agree to so many parts of the second.
    fn near(found: f64, known: f64, tolerance: f64) {
        assert!((found - known).abs() <= tolerance * known.abs(), "{found:e}, not {known:e}");
    }

    #[test]
    fn the_error_function_has_the_digits_of_the_tables() {
        // Abramowitz and Stegun, table 7.1, and with forty digits by mpmath.
        let known = [
            (1e-300, 1.128_379_167_095_512_6e-300, 1.0),
            (0.1, 0.112_462_916_018_284_9, 0.887_537_083_981_715),
            (0.5, 0.520_499_877_813_046_5, 0.479_500_122_186_953_5),
            (0.999, 0.842_285_270_206_496_9, 0.157_714_729_793_503_06),
            (1.0, 0.842_700_792_949_714_9, 0.157_299_207_050_285_13),
            (1.5, 0.966_105_146_475_310_8, 0.033_894_853_524_689_274),
            (2.0, 0.995_322_265_018_952_7, 0.004_677_734_981_047_266),
            (3.0, 0.999_977_909_503_001_4, 2.209_049_699_858_544e-5),
            (5.0, 0.999_999_999_998_462_5, 1.537_459_794_428_035e-12),
            (10.0, 1.0, 2.088_487_583_762_545e-45),
            (26.0, 1.0, 5.663_192_408_856_143e-296),
        ];
        for (x, erf_x, erfc_x) in known {
            near(erf(x), erf_x, 4e-16);
            near(erf(-x), -erf_x, 4e-16);
            near(erfc(x), erfc_x, 2e-15);
            near(erfc(-x), 1.0 + erf_x, 4e-16);
        }
    }

    #[test]
    fn the_ends_are_the_ends() {
        for (x, share) in
            [(f64::INFINITY, 1.0), (f64::NEG_INFINITY, 0.0), (40.0, 1.0), (-40.0, 0.0)]
        {
            near(below(x), share, 0.0);
        }
        assert!(erf(f64::NAN).is_nan() && erfc(f64::NAN).is_nan());
        near(erf(f64::INFINITY), 1.0, 0.0);
        for p in [0.0, 1.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(quantile(p), None);
        }
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        let known = [
            (0.975, Z_95),
            (0.5, 0.0),
            (0.9, 1.281_551_565_544_600_4),
            (0.001, -3.090_232_306_167_813_5),
            (1e-10, -6.361_340_902_404_056),
            (1e-300, -37.047_096_299_361_2),
        ];
        for (p, x) in known {
            let found = quantile(p).unwrap();
            assert!((found - x).abs() <= 3e-15 * x.abs().max(1.0), "{found:e}, not {x:e}");
        }
        assert!(quantile(5e-324).is_some_and(|x| (x + 38.47).abs() < 0.1));
    }

    #[test]
    fn the_distribution_ascends_and_its_quantile_leads_back() {
        let mut last = 0.0;
        for step in -800..=800_i32 {
            let x = f64::from(step) / 100.0;
            let share = below(x);
            assert!(share > last || (share >= last && x > 7.0), "at {x}");
            last = share;
            if (-8.0..=5.0).contains(&x) {
                let found = quantile(share).unwrap();
                assert!((found - x).abs() < 1e-9, "{found}, not {x}");
            }
        }
    }
}

//! Functions of one number: `abs`, `round`, `clamp`, trigonometry and so on.

use crate::eval::grid::ABSENT;

/// Above this the square of a number is all that counts of its square less or plus one.
const LARGE: f64 = (1 << 28) as f64;

/// The inverse of `cosh`, which does not overflow before its argument does.
pub(super) fn acosh(value: f64) -> f64 {
    if value >= LARGE { value.ln() + std::f64::consts::LN_2 } else { value.acosh() }
}

/// The inverse of `sinh`, which does not overflow before its argument does.
pub(super) fn asinh(value: f64) -> f64 {
    if value.abs() >= LARGE {
        return (value.abs().ln() + std::f64::consts::LN_2).copysign(value);
    }
    value.asinh()
}

pub(super) fn sgn(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

pub(super) fn rad(value: f64) -> f64 {
    value * std::f64::consts::PI / 180.0
}

pub(super) fn deg(value: f64) -> f64 {
    value * 180.0 / std::f64::consts::PI
}

/// `clamp(v, min, max)`: no sample where the bounds are the wrong way round, NaN where one is NaN.
pub(super) fn clamp(value: f64, bounds: &[f64]) -> f64 {
    let (min, max) = (bounds[0], bounds[1]);
    if max < min { ABSENT } else { larger(min, smaller(max, value)) }
}

pub(super) fn clamp_max(value: f64, bounds: &[f64]) -> f64 {
    larger(f64::NEG_INFINITY, smaller(bounds[0], value))
}

pub(super) fn clamp_min(value: f64, bounds: &[f64]) -> f64 {
    larger(bounds[0], smaller(f64::INFINITY, value))
}

/// The larger of two; an infinity that wins beats NaN, otherwise NaN wins (Go's `math.Max`).
pub(super) fn larger(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a > b || (a == b && a.is_sign_positive()) {
        a
    } else {
        b
    }
}

/// The smaller of two, as [`larger`] (Go's `math.Min`).
pub(super) fn smaller(a: f64, b: f64) -> f64 {
    -larger(-a, -b)
}

/// `round(v, to_nearest = 1)`: to a multiple, ties upwards.
pub(super) fn round(value: f64, to_nearest: &[f64]) -> f64 {
    // The inverse keeps 0.1 and the like exact.
    let inverse = 1.0 / to_nearest.first().copied().unwrap_or(1.0);
    (value * inverse + 0.5).floor() / inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::grid::is_absent;

    #[test]
    fn clamps() {
        assert_eq!(clamp(5.0, &[0.0, 3.0]), 3.0);
        assert_eq!(clamp(-5.0, &[0.0, 3.0]), 0.0);
        assert!(is_absent(clamp(5.0, &[3.0, 0.0])));
        assert!(clamp(5.0, &[0.0, f64::NAN]).is_nan());
        assert!(!is_absent(clamp(5.0, &[0.0, f64::NAN])));
        assert!(clamp_min(f64::NAN, &[0.0]).is_nan());
        assert_eq!(clamp_min(f64::NAN, &[f64::INFINITY]), f64::INFINITY);
    }

    #[test]
    fn rounds_ties_up() {
        assert_eq!(round(2.5, &[]), 3.0);
        assert_eq!(round(-2.5, &[]), -2.0);
        assert_eq!(round(0.15, &[0.1]), 0.2);
    }
}

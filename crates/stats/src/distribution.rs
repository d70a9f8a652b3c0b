//! Survival functions and quantiles of the reference distributions, to 1e-12 relative in both tails.
//!
//! `libm` gives erfc and lgamma; no crate tried reaches SciPy's values for the other two (statrs 0.19.1 is off by
//! 9e-11 for the normal, 8e-7 for Student's t with many degrees of freedom).

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use crate::binomial::{self, poisson, stirling_error};

/// P(Z > z) of the standard normal; `scipy.stats.norm.sf`. NaN stays NaN.
#[must_use]
pub fn norm_sf(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}

/// The z with P(Z ≤ z) = p; `scipy.stats.norm.ppf`. Infinite at 0 and 1, NaN outside.
#[must_use]
pub fn norm_ppf(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return if p == 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    if p > 0.5 {
        // The lower tail is the one with all its digits.
        return -norm_ppf(1.0 - p);
    }
    // Rational start (Abramowitz and Stegun 26.2.23, error 4.5e-4), then Halley's iteration on the logarithm's slope.
    let t = (-2.0 * p.ln()).sqrt();
    let top = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let mut z = top / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308))) - t;
    for _ in 0..4 {
        let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
        let step = (norm_sf(-z) - p) / density;
        z -= step / (1.0 + 0.5 * z * step);
    }
    z
}

/// P(X > x) of the chi-square distribution with a whole number of degrees of freedom; `scipy.stats.chi2.sf`.
///
/// Finite sum (Abramowitz and Stegun 26.4.4 and 26.4.5): with λ = x/2, Σ λ^k e^−λ / Γ(k + 1) over k = 0, 1, …,
/// df/2 − 1, or over k = ½, 1½, … and erfc(√λ) when df is odd. O(√df). NaN for df = 0 or x NaN; 1 for x ≤ 0.
#[must_use]
pub fn chi2_sf(x: f64, df: u64) -> f64 {
    if df == 0 || x.is_nan() {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 1.0;
    }
    if x == f64::INFINITY {
        return 0.0;
    }
    let mean = 0.5 * x;
    let odd = df % 2 == 1;
    let first = if odd { 0.5 } else { 0.0 };
    let rest = if odd { libm::erfc(mean.sqrt()) } else { 0.0 };
    let last = df as f64 / 2.0 - 1.0;
    if last < first {
        return rest;
    }
    // From the largest term outwards: both directions fall, so the sum may stop when a term no longer shows.
    let start = if last <= mean { last } else { first + (mean - first).max(0.0).floor() };
    let largest = poisson(start, mean);
    let mut sum = largest;
    let (mut k, mut term) = (start, largest);
    while k > first && term > sum * 1e-18 {
        term *= k / mean;
        k -= 1.0;
        sum += term;
    }
    (k, term) = (start, largest);
    while k < last && term > sum * 1e-18 {
        k += 1.0;
        term *= mean / k;
        sum += term;
    }
    (sum + rest).min(1.0)
}

/// P(T > t) of Student's distribution with `df` > 0 degrees of freedom, whole or not; `scipy.stats.t.sf`.
///
/// Half the regularised incomplete beta I_x(df/2, ½) at x = df / (df + t²), by a power series near the centre and a
/// continued fraction in the tail, in O(√df). NaN for NaN arguments or df ≤ 0; the normal for df = ∞.
#[must_use]
pub fn t_sf(t: f64, df: f64) -> f64 {
    if t.is_nan() || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if t < 0.0 {
        return 1.0 - t_sf(-t, df);
    }
    if t == f64::INFINITY || df == f64::INFINITY {
        return norm_sf(t);
    }
    let a = 0.5 * df;
    let squared = t * t / df;
    let y = squared / (1.0 + squared);
    // x^a y^b / B(a, b) with x = 1 − y, b = ½: the power of x and the gamma ratio without large logarithms.
    let front = (-a * squared.ln_1p() + log_gamma_ratio(a)).exp() * (y / PI).sqrt();
    let lambda = (a + 0.5) * y - 0.5;
    if lambda < 2.0 && y < 0.9 {
        0.5 - front * beta_series(a, y)
    } else {
        0.5 * front * beta_fraction(a, 1.0 / (1.0 + squared), lambda)
    }
}

/// The t with P(T ≤ t) = p of Student's distribution with `df` > 0 degrees of freedom; `scipy.stats.t.ppf`. Infinite at
/// 0 and 1, NaN outside and for df ≤ 0; the normal for df = ∞. Bisection of [`t_sf`], some hundred calls of it.
#[must_use]
pub fn t_ppf(p: f64, df: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if df == f64::INFINITY || p == 0.0 || p == 1.0 {
        return norm_ppf(p);
    }
    if p >= 0.5 {
        return if p == 0.5 { 0.0 } else { -t_ppf(1.0 - p, df) };
    }
    let (mut low, mut high) = (0.0, 1.0);
    while t_sf(high, df) > p && high < f64::MAX {
        (low, high) = (high, high * 2.0);
    }
    loop {
        let middle = low + 0.5 * (high - low);
        if middle <= low || middle >= high {
            return -middle;
        }
        if t_sf(middle, df) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// P(X = k) of the binomial distribution of `n` trials with success probability `p`; `scipy.stats.binom.pmf`. 0 for
/// k > n, NaN for p outside [0, 1].
#[must_use]
pub fn binom_pmf(k: u64, n: u64, p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if k > n { 0.0 } else { binomial::binomial(k as f64, n as f64, p, 1.0 - p) }
}

/// P(X ≤ k) of the binomial distribution of `n` trials with success probability `p`; `scipy.stats.binom.cdf`. NaN for p
/// outside [0, 1]. O(√n): the sum runs outwards from its largest term.
#[must_use]
pub fn binom_cdf(k: u64, n: u64, p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if k >= n {
        return 1.0;
    }
    let mode = (((n as f64 + 1.0) * p) as u64).min(n);
    if k > mode {
        // The upper tail is the short one.
        return 1.0 - binomial_tail((k + 1..=n).map(|x| binom_pmf(x, n, p)));
    }
    binomial_tail((0..=k).rev().map(|x| binom_pmf(x, n, p)))
}

/// Sum of falling terms, until one no longer shows.
fn binomial_tail(terms: impl Iterator<Item = f64>) -> f64 {
    let mut sum = 0.0;
    for term in terms {
        sum += term;
        if term <= sum * 1e-18 {
            break;
        }
    }
    sum
}

/// `ln Γ(a + ½) − ln Γ(a)`.
fn log_gamma_ratio(a: f64) -> f64 {
    if a < 20.0 {
        return libm::lgamma(a + 0.5) - libm::lgamma(a);
    }
    a * (0.5 / a).ln_1p() + 0.5 * a.ln() - 0.5 + stirling_error(a + 0.5) - stirling_error(a)
}

/// I_y(½, a) = 2 front Σ (a + ½)_n / (3/2)_n y^n: positive terms, few for a small (a + ½) y.
fn beta_series(a: f64, y: f64) -> f64 {
    let (mut sum, mut term, mut n) = (1.0, 1.0, 0.0);
    while term > sum * 1e-17 {
        term *= (a + 0.5 + n) / (1.5 + n) * y;
        sum += term;
        n += 1.0;
    }
    sum
}

/// The continued fraction of I_x(a, ½) / front in the form of A. DiDonato and A. Morris (1992,
/// doi:10.1145/131766.131776, eq. 9), well conditioned for x near 1 through λ = (a + ½)(1 − x) − ½ ≥ 0; evaluated
/// by Lentz's method.
fn beta_fraction(a: f64, x: f64, lambda: f64) -> f64 {
    let mut denominator = a / (a + 1.0) * (lambda + 1.0);
    let (mut c, mut d) = (denominator, 0.0);
    let mut n = 1.0;
    // Convergence takes about √a steps; the cap only bounds a non-finite input.
    while n < 1e6 {
        let middle = a + 2.0 * n - 1.0;
        let w = n * (0.5 - n) * x;
        let alpha = (a + n - 1.0) / middle * ((a + n - 0.5) / middle) * (w * x);
        let beta = n + w / middle + (a + n) / (middle + 2.0) * (lambda + 1.0 + n * (2.0 - x));
        d = 1.0 / (beta + alpha * d);
        c = beta + alpha / c;
        let change = c * d;
        denominator *= change;
        if (change - 1.0).abs() < 2e-16 {
            break;
        }
        n += 1.0;
    }
    1.0 / denominator
}

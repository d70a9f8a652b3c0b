//! The distribution of the two-sided Kolmogorov statistic of `n` observations, `scipy.stats.kstwo.sf`.
//!
//! SciPy's 'asymptotic' p-value of the two-sample test is this finite-sample distribution at the effective size
//! n₁n₂/(n₁ + n₂). Which method is exact enough where follows R. Simard and P. L'Ecuyer, "Computing the two-sided
//! Kolmogorov–Smirnov distribution" (2011), doi:10.18637/jss.v039.i11.

use std::f64::consts::PI;

use crate::binomial::{binomial, stirling_error};

/// From this n on Smirnov's sum is replaced by its limit, as SciPy does: the sum has n terms.
const LARGEST_SUMMED: f64 = 1e6;

/// P(D_n ≥ d) for `n` ≥ 1 whole. Absolute error 1e-15 where it exceeds 0.02, relative 1e-12 below.
pub(crate) fn kolmogorov_sf(n: f64, d: f64) -> f64 {
    let nd = n * d;
    if d >= 1.0 {
        return 0.0;
    }
    if nd <= 0.5 {
        return 1.0;
    }
    if nd <= 1.0 {
        return 1.0 - ruben_gambino(n, nd);
    }
    if nd >= n - 1.0 {
        return 2.0 * (1.0 - d).powf(n);
    }
    let scaled = nd * d;
    let tail_is_one_sided = if n <= 140.0 { scaled > 4.0 } else { scaled >= 2.2 };
    if d >= 0.5 || tail_is_one_sided {
        // Both sides are exceeded together too rarely to count (exactly never from d = 1/2 on).
        return if scaled >= 370.0 && n > 140.0 { 0.0 } else { (2.0 * smirnov_sf(n, d)).min(1.0) };
    }
    let cdf = if n <= 140.0 || (n <= 1e5 && n * d.powf(1.5) <= 1.4) {
        durbin_cdf(n, d)
    } else {
        pelz_good_cdf(n, d)
    };
    (1.0 - cdf).clamp(0.0, 1.0)
}

/// P(D_n ≤ d) = n! (2d − 1/n)^n for 1/2 < nd ≤ 1 (H. Ruben and J. Gambino, 1982, doi:10.1007/BF02481025).
fn ruben_gambino(n: f64, nd: f64) -> f64 {
    // n! / n^n by Stirling's formula with n ln n taken out beforehand.
    let log_factorial = 0.5 * (2.0 * PI * n).ln() - n + stirling_error(n);
    (log_factorial + n * (2.0 * nd - 1.0).ln()).exp()
}

/// P(D⁺_n ≥ d) = d Σ_j C(n, j) (d + j/n)^(j−1) (1 − d − j/n)^(n−j), j from 0 to ⌊n(1 − d)⌋ (N. Smirnov, 1944;
/// Z. Birnbaum and F. Tingey, 1951, doi:10.1214/aoms/1177729550). `scipy.special.smirnov`.
fn smirnov_sf(n: f64, d: f64) -> f64 {
    if n > LARGEST_SUMMED {
        return (-(6.0 * n * d + 1.0).powi(2) / (18.0 * n)).exp();
    }
    let mut sum = 0.0;
    let last = (n * (1.0 - d)).floor();
    let mut j = 0.0;
    while j <= last {
        // Each term is a binomial probability over its own success probability.
        let p = d + j / n;
        sum += binomial(j, n, p, 1.0 - p) / p;
        j += 1.0;
    }
    d * sum
}

/// A square matrix in rows, with the power of two it was scaled by.
#[derive(Clone)]
struct Matrix {
    size: usize,
    cells: Vec<f64>,
    exponent: i32,
}

impl Matrix {
    fn times(&self, other: &Self) -> Self {
        let size = self.size;
        let mut cells = vec![0.0; size * size];
        for (row, out) in self.cells.chunks_exact(size).zip(cells.chunks_exact_mut(size)) {
            for (factor, other_row) in row.iter().zip(other.cells.chunks_exact(size)) {
                for (cell, value) in out.iter_mut().zip(other_row) {
                    *cell += factor * value;
                }
            }
        }
        let mut product = Self { size, cells, exponent: self.exponent + other.exponent };
        product.rescale();
        product
    }

    /// Keeps the central cell below 2^128, so that high powers do not overflow.
    fn rescale(&mut self) {
        let centre = self.cells[(self.size / 2) * (self.size + 1)];
        if centre > 2_f64.powi(128) {
            self.cells.iter_mut().for_each(|cell| *cell *= 2_f64.powi(-128));
            self.exponent += 128;
        }
    }
}

/// P(D_n < d) as the central cell of n!/n^n H^n, with H of size 2k − 1, k = ⌈nd⌉ (J. Durbin, 1973;
/// G. Marsaglia, W. Tsang and J. Wang, 2003, doi:10.18637/jss.v008.i18). O(k³ log n), k below 120 as called here.
fn durbin_cdf(n: f64, d: f64) -> f64 {
    let k = (n * d).ceil();
    let h = k - n * d;
    let size = 2 * k as usize - 1;
    let mut base = durbin_matrix(size, h);
    let mut power: Option<Matrix> = None;
    let mut left = n as u64;
    while left > 0 {
        if left % 2 == 1 {
            power = Some(match power {
                Some(power) => power.times(&base),
                None => base.clone(),
            });
        }
        left /= 2;
        if left > 0 {
            base = base.times(&base);
        }
    }
    let Some(power) = power else { return f64::NAN };
    let mut cdf = power.cells[(size / 2) * (size + 1)];
    let mut exponent = power.exponent;
    let mut factor = 1.0;
    while factor <= n {
        cdf *= factor / n;
        if cdf < 2_f64.powi(-128) {
            cdf *= 2_f64.powi(128);
            exponent -= 128;
        }
        factor += 1.0;
    }
    // The exponent is a multiple of 128 that two steps bring into range without leaving the normal numbers.
    let half = exponent / 2;
    (cdf * 2_f64.powi(half) * 2_f64.powi(exponent - half)).min(1.0)
}

/// H: 1/(i − j + 1)! on and below the first superdiagonal, the first column and last row reduced by powers of h.
fn durbin_matrix(size: usize, h: f64) -> Matrix {
    let mut inverse_factorial = vec![1.0; size + 1];
    for i in 1..=size {
        inverse_factorial[i] = inverse_factorial[i - 1] / i as f64;
    }
    let mut cells = vec![0.0; size * size];
    for row in 0..size {
        for column in 0..size.min(row + 2) {
            cells[row * size + column] = inverse_factorial[row + 1 - column];
        }
    }
    for i in 0..size {
        let power = h.powi(i as i32 + 1);
        cells[i * size] -= power * inverse_factorial[i + 1];
        cells[(size - 1) * size + (size - 1 - i)] -= power * inverse_factorial[i + 1];
    }
    let corner = (2.0 * h - 1.0).max(0.0).powi(size as i32);
    cells[(size - 1) * size] += corner * inverse_factorial[size];
    Matrix { size, cells, exponent: 0 }
}

/// P(D_n ≤ d) by the expansion in 1/√n up to n^(−3/2) (W. Pelz and I. Good, 1976,
/// doi:10.1111/j.2517-6161.1976.tb01579.x), whose theta series in this form converge fast for z = d√n below 2.
fn pelz_good_cdf(n: f64, d: f64) -> f64 {
    let z = d * n.sqrt();
    let (z2, pi2) = (z * z, PI * PI);
    let (z4, z6) = (z2 * z2, z2 * z2 * z2);
    let mut sums = [0.0; 4];
    let mut whole = [0.0; 2];
    for k in 0..200 {
        let half = pi2 * (f64::from(k) + 0.5).powi(2);
        let weight = (-half / (2.0 * z2)).exp();
        let index = pi2 * f64::from(k).powi(2);
        let index_weight = (-index / (2.0 * z2)).exp();
        // Terms k and −k − 1 of the half-integer sums are equal, as are k and −k of the others: hence the twos.
        sums[0] += 2.0 * weight;
        sums[1] += 2.0 * (half - z2) * weight;
        sums[2] += 2.0
            * weight
            * (6.0 * z6 + 2.0 * z4 + (2.0 * z4 - 5.0 * z2) * half + (1.0 - 2.0 * z2) * half * half);
        sums[3] += 2.0
            * weight
            * ((5.0 - 30.0 * z2) * half.powi(3)
                + (212.0 * z4 - 60.0 * z2) * half * half
                + (135.0 * z4 - 96.0 * z6) * half
                - 30.0 * z6
                - 90.0 * z4 * z4);
        whole[0] += 2.0 * index * index_weight;
        whole[1] += 2.0 * (3.0 * index * z2 - index * index) * index_weight;
        if k > 0 && index_weight * index.powi(3).max(1.0) < 1e-25 {
            break;
        }
    }
    let root = (PI / 2.0).sqrt();
    let k0 = root / z * sums[0];
    let k1 = root / (6.0 * z4) * sums[1];
    let k2 = root * (sums[2] / (72.0 * z6 * z) - whole[0] / (36.0 * z2 * z));
    let k3 = root * (sums[3] / (6480.0 * z6 * z4) + whole[1] / (216.0 * z6));
    k0 + k1 / n.sqrt() + k2 / n + k3 / (n * n.sqrt())
}

//! Epps–Singleton test of two samples.

use crate::distribution::chi2_sf;
use crate::error::Error;
use crate::sample::{Sample, interpolate, pooled};
use crate::sum::Sum;
use crate::test_result::TestResult;

/// Points at which the characteristic functions are compared, in units of half the pooled interquartile range.
const POINTS: [f64; 2] = [0.4, 0.8];
type Vector = [f64; 4];
type Square = [Vector; 4];

/// W = N gᵀ Σ⁺ g, g the difference of the two empirical characteristic functions at t = 0.4 and 0.8 (real and
/// imaginary parts), Σ its estimated covariance; p from the chi-square distribution with rank Σ degrees of freedom.
///
/// From 0 up, symmetric, unchanged by a common shift or scale. Works for discrete data. With fewer than 25 rows on
/// the larger side W is shrunk by the authors' small-sample correction. Asymptotic. Few distinct values make Σ
/// singular; its pseudo-inverse then drops singular values below 1e-15 of the largest, as SciPy does (whose result
/// there depends on rounding). Two different constants: infinite, p 0.
///
/// Source: T. Epps and K. Singleton (1986), doi:10.1080/00949658608810963. Reproduces
/// `scipy.stats.epps_singleton_2samp(reference, current)` of SciPy 1.17.1.
///
/// # Errors
/// [`Error::TooFewRows`] below 5 rows on a side, [`Error::Infinite`], [`Error::Degenerate`] when the pooled
/// interquartile range is 0.
pub fn epps_singleton_2samp(reference: &Sample, current: &Sample) -> Result<TestResult, Error> {
    for (side, sample) in [("reference", reference), ("current", current)] {
        sample.require_rows(side, 5)?;
        sample.require_finite(side)?;
    }
    let half_range =
        0.5 * (pooled_quantile(reference, current, 0.75) - pooled_quantile(reference, current, 0.25));
    if half_range <= 0.0 {
        return Err(Error::Degenerate {
            statistic: "epps_singleton_2samp",
            needed: "an interquartile range of both samples together above 0",
        });
    }
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let total = n + m;
    let (mean_reference, covariance_reference) = characteristic(reference, half_range);
    let (mean_current, covariance_current) = characteristic(current, half_range);
    let mut covariance = [[0.0; 4]; 4];
    for i in 0..4 {
        for j in 0..4 {
            covariance[i][j] = total / n * covariance_reference[i][j] + total / m * covariance_current[i][j];
        }
    }
    let difference: Vector = std::array::from_fn(|i| mean_reference[i] - mean_current[i]);
    if covariance == [[0.0; 4]; 4] && difference != [0.0; 4] {
        return Ok(TestResult { statistic: f64::INFINITY, p_value: 0.0 });
    }
    let (form, rank) = pseudo_inverse_form(covariance, difference);
    let mut statistic = total * form;
    if n.max(m) < 25.0 {
        statistic /= 1.0 + total.powf(-0.45) + 10.1 * (n.powf(-1.7) + m.powf(-1.7));
    }
    Ok(TestResult { statistic, p_value: chi2_sf(statistic, rank) })
}

/// Linear quantile of both samples together; both are not empty.
fn pooled_quantile(reference: &Sample, current: &Sample, q: f64) -> f64 {
    let position = (reference.len() + current.len() - 1) as f64 * q;
    let rank = position.floor() as u64;
    let (mut seen, mut low) = (0, None);
    for (value, in_reference, in_current) in pooled(reference, current) {
        seen += in_reference + in_current;
        if low.is_none() && seen > rank {
            low = Some(value);
        }
        if let Some(low) = low
            && (seen > rank + 1 || position == rank as f64)
        {
            return interpolate(low, value, position - rank as f64);
        }
    }
    low.unwrap_or(f64::NAN)
}

/// Means and (ddof 0) covariances of cos t₁x, cos t₂x, sin t₁x, sin t₂x.
fn characteristic(sample: &Sample, half_range: f64) -> (Vector, Square) {
    let rows = sample.len() as f64;
    let parts = |value: f64| {
        let [first, second] = POINTS.map(|point| point / half_range * value);
        [first.cos(), second.cos(), first.sin(), second.sin()]
    };
    let mut sums = [Sum::default(); 4];
    for (value, count) in sample.iter() {
        for (sum, part) in sums.iter_mut().zip(parts(value)) {
            sum.add(part * count as f64);
        }
    }
    let mean = sums.map(|sum| sum.value() / rows);
    let mut products = [[Sum::default(); 4]; 4];
    for (value, count) in sample.iter() {
        let parts = parts(value);
        let centred: Vector = std::array::from_fn(|i| parts[i] - mean[i]);
        for i in 0..4 {
            for j in i..4 {
                products[i][j].add(centred[i] * centred[j] * count as f64);
            }
        }
    }
    let covariance =
        std::array::from_fn(|i| std::array::from_fn(|j| products[i.min(j)][i.max(j)].value() / rows));
    (mean, covariance)
}

/// gᵀ A⁺ g and the rank of A, for a symmetric positive A.
fn pseudo_inverse_form(matrix: Square, vector: Vector) -> (f64, u64) {
    let (values, vectors) = eigen(matrix);
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let (mut form, mut rank) = (0.0, 0);
    for (i, value) in values.iter().enumerate() {
        if value.abs() > 1e-15 * largest {
            let projection: f64 = (0..4).map(|row| vectors[row][i] * vector[row]).sum();
            form += projection * projection / value;
            rank += 1;
        }
    }
    (form, rank)
}

/// Eigenvalues, and eigenvectors as columns, of a symmetric matrix by cyclic Jacobi rotations (C. Jacobi, 1846).
fn eigen(mut a: Square) -> (Vector, Square) {
    let mut vectors: Square = std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
    // Convergence is quadratic: six sweeps suffice for 4×4, the rest is margin.
    for _ in 0..30 {
        let off: f64 = (0..4).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i][j].powi(2)).sum();
        if off == 0.0 {
            break;
        }
        for p in 0..3 {
            for q in p + 1..4 {
                if a[p][q] != 0.0 {
                    rotate(&mut a, &mut vectors, p, q);
                }
            }
        }
    }
    (std::array::from_fn(|i| a[i][i]), vectors)
}

fn rotate(a: &mut Square, vectors: &mut Square, p: usize, q: usize) {
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cos = 1.0 / t.hypot(1.0);
    let sin = t * cos;
    for row in a.iter_mut().chain(vectors.iter_mut()) {
        (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
    }
    let (upper, lower) = (a[p], a[q]);
    a[p] = std::array::from_fn(|column| cos * upper[column] - sin * lower[column]);
    a[q] = std::array::from_fn(|column| sin * upper[column] + cos * lower[column]);
    a[p][q] = 0.0;
    a[q][p] = 0.0;
}

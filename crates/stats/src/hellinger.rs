//! Hellinger distance.

use crate::error::Error;
use crate::shares::totals;
use crate::sum::sum;

/// √(½ Σ (√p − √q)²) = √(1 − Σ √(p q)) over normalised shares.
///
/// From 0 (equal shares) to 1 (no common category), symmetric, a metric. Empty cells need no filling. The first
/// form is evaluated: the second cancels for nearly equal sides (error about 1e-16/distance).
///
/// Source: E. Hellinger (1909), doi:10.1515/crll.1909.136.210. Equals
/// `numpy.sqrt(0.5 * ((numpy.sqrt(p) - numpy.sqrt(q)) ** 2).sum())` of NumPy 2.4.6.
///
/// # Errors
/// [`Error::UnequalLengths`], [`Error::InvalidCount`], [`Error::NoObservations`].
pub fn hellinger(reference: &[f64], current: &[f64]) -> Result<f64, Error> {
    let (n, m) = totals(reference, current)?;
    let squares = sum(reference.iter().zip(current).map(|(a, b)| ((a / n).sqrt() - (b / m).sqrt()).powi(2)));
    Ok((0.5 * squares).sqrt().min(1.0))
}

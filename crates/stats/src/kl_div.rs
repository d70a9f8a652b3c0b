//! Kullback–Leibler divergence.

use crate::error::Error;
use crate::shares::totals;
use crate::sum::sum;

/// KL(reference ‖ current) = Σ p ln(p / q) over normalised shares, natural logarithm.
///
/// From 0 (equal shares) up; not symmetric. Categories empty in the reference add nothing; one empty in the current
/// side only makes it infinite. Rounding below 0 is returned as 0.
///
/// Source: S. Kullback and R. Leibler (1951), doi:10.1214/aoms/1177729694. Reproduces
/// `scipy.stats.entropy(reference, current)` of SciPy 1.17.1.
///
/// # Errors
/// [`Error::UnequalLengths`], [`Error::InvalidCount`], [`Error::NoObservations`].
pub fn kl_div(reference: &[f64], current: &[f64]) -> Result<f64, Error> {
    let (n, m) = totals(reference, current)?;
    let divergence = sum(reference.iter().zip(current).map(|(&a, &b)| {
        let (p, q) = (a / n, b / m);
        if p == 0.0 { 0.0 } else { p * (p / q).ln() }
    }));
    Ok(divergence.max(0.0))
}

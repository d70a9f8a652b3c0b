//! Population stability index.

use crate::error::Error;
use crate::shares::totals;
use crate::sum::sum;

/// PSI = Σ (r − c) ln(r / c) over shares r of the reference and c of the current side, natural logarithm: the
/// symmetric (Jeffreys) divergence.
///
/// Takes aligned counts or shares and normalises each side. From 0 up, symmetric; infinite when a category is empty
/// on one side only, so callers that bin continuous data fill empty bins first. Categories empty on both sides add
/// nothing.
///
/// Source: H. Jeffreys (1946), doi:10.1098/rspa.1946.0056; as PSI, B. Yurdakul and J. Naranjo (2020),
/// doi:10.21314/JRMV.2020.227. Equals `sum((r - c) * numpy.log(r / c))` of NumPy 2.4.6.
///
/// # Errors
/// [`Error::UnequalLengths`], [`Error::InvalidCount`], [`Error::NoObservations`].
pub fn psi(reference: &[f64], current: &[f64]) -> Result<f64, Error> {
    let (n, m) = totals(reference, current)?;
    Ok(sum(reference.iter().zip(current).map(|(&a, &b)| {
        let (r, c) = (a / n, b / m);
        if r == c { 0.0 } else { (r - c) * (r / c).ln() }
    })))
}

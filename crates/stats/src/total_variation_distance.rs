//! Total variation distance of two samples of categories.

use crate::error::Error;
use crate::shares::totals;
use crate::sum::sum;

/// ½ Σ |p − q|: the share of rows that would have to change category.
///
/// Takes aligned counts or shares and normalises each side. From 0 to 1, symmetric.
///
/// Source: A. Gibbs and F. Su, "On choosing and bounding probability metrics" (2002),
/// doi:10.1111/j.1751-5823.2002.tb00178.x. Equals `0.5 * numpy.abs(p - q).sum()` of NumPy 2.4.6.
///
/// # Errors
/// [`Error::UnequalLengths`], [`Error::InvalidCount`], [`Error::NoObservations`].
pub fn total_variation_distance(reference: &[f64], current: &[f64]) -> Result<f64, Error> {
    let (n, m) = totals(reference, current)?;
    Ok((0.5 * sum(reference.iter().zip(current).map(|(a, b)| (a / n - b / m).abs()))).min(1.0))
}

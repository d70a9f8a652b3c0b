//! Energy distance.

use crate::error::Error;
use crate::sample::Sample;
use crate::wasserstein_distance::distribution_gap;

/// √(2 ∫ (F_reference(x) − F_current(x))² dx) = √(2 E|X−Y| − E|X−X'| − E|Y−Y'|).
///
/// In the square root of the data's unit, from 0 (equal distributions) up; symmetric; unchanged by a common shift.
/// O(n₁ + n₂) after sorting.
///
/// Source: G. Székely and M. Rizzo, "Energy statistics" (2013), doi:10.1016/j.jspi.2013.03.018. Reproduces
/// `scipy.stats.energy_distance(reference, current)` of SciPy 1.17.1.
///
/// # Errors
/// [`Error::TooFewRows`] when a side is empty, [`Error::Infinite`] when a side holds an infinity.
pub fn energy_distance(reference: &Sample, current: &Sample) -> Result<f64, Error> {
    Ok((2.0 * distribution_gap(reference, current, |gap| gap * gap)?).sqrt())
}

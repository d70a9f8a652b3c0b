//! G test (likelihood ratio) of goodness of fit.

use crate::chisquare::goodness_of_fit;
use crate::error::Error;
use crate::test_result::TestResult;

/// G = 2 Σ O ln(O / E) over k categories, natural logarithm, p from the chi-square distribution with k − 1 degrees
/// of freedom.
///
/// `expected` holds expected counts with the same total as `observed` (relative 1.5e-8). From 0 up; cells with no
/// observation add nothing, one without expectation only makes it infinite and p 0; a category empty on both sides is
/// no category. One category: statistic 0, p NaN. Asymptotic.
///
/// Source: S. Wilks (1938), doi:10.1214/aoms/1177732360. Reproduces
/// `scipy.stats.power_divergence(observed, expected, lambda_="log-likelihood")` of SciPy 1.17.1 except for
/// categories empty on both sides (NaN there).
///
/// # Errors
/// [`Error::UnequalLengths`], [`Error::InvalidCount`], [`Error::NoObservations`], [`Error::UnequalTotals`].
pub fn g_test(observed: &[f64], expected: &[f64]) -> Result<TestResult, Error> {
    goodness_of_fit(observed, expected, |observed, expected| {
        if observed == 0.0 { 0.0 } else { 2.0 * observed * (observed / expected).ln() }
    })
}

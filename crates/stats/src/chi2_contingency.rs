//! Chi-square test of homogeneity of two samples of categories.

use crate::distribution::chi2_sf;
use crate::error::Error;
use crate::shares::whole_totals;
use crate::sum::sum;
use crate::test_result::TestResult;

/// X² = Σ (O − E)² / E over the 2×k table of both samples, E from its margins, with k − 1 degrees of freedom.
///
/// `reference[j]` and `current[j]` are the counts of category j. Statistic from 0 (equal shares) to n₁ + n₂,
/// symmetric. No Yates correction, also for k = 2. Categories empty on both sides are left out. One category:
/// statistic 0, p 1. Asymptotic, usual from expected counts of 5.
///
/// Source: K. Pearson (1900), doi:10.1080/14786440009463897. Reproduces
/// `scipy.stats.chi2_contingency([reference, current], correction=False)` of SciPy 1.17.1.
///
/// # Errors
/// [`Error::UnequalLengths`], [`Error::NoObservations`], [`Error::TooManyRows`].
pub fn chi2_contingency(reference: &[u64], current: &[u64]) -> Result<TestResult, Error> {
    let (n, m) = whole_totals(reference, current)?;
    let (n, m) = (n as f64, m as f64);
    let cells = reference.iter().zip(current).filter(|(a, b)| **a > 0 || **b > 0);
    let degrees = cells.clone().count() as u64 - 1;
    // Both cells of a column deviate by the same amount: their two terms collapse into one.
    let statistic = sum(cells.map(|(&a, &b)| {
        let difference = a as f64 * m - b as f64 * n;
        difference * difference / (n * m) / (a as f64 + b as f64)
    }));
    let p_value = if degrees == 0 { 1.0 } else { chi2_sf(statistic, degrees) };
    Ok(TestResult { statistic, p_value })
}

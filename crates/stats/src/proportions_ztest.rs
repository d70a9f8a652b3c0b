//! Test of two proportions.

use crate::distribution::norm_sf;
use crate::error::Error;
use crate::test_result::TestResult;

/// z = (p₁ − p₂) / √(p(1 − p)(1/n₁ + 1/n₂)) with the pooled p, two-sided.
///
/// `k1` successes of `n1` in the reference, `k2` of `n2` in the current side. Positive when the reference has the
/// larger share; swapping sides changes its sign only. Asymptotic. Without successes, or without failures, on both
/// sides the statistic is 0 and p 1. No continuity correction.
///
/// Source: G. Yule (1911), as in A. Agresti, "Categorical Data Analysis" (2013), section 3.2. Reproduces
/// `statsmodels.stats.proportion.proportions_ztest` and `2 * scipy.stats.norm.sf(abs(z))` of SciPy 1.17.1.
///
/// # Errors
/// [`Error::NoObservations`] when n1 or n2 is 0, [`Error::MoreSuccessesThanTrials`].
pub fn proportions_ztest(k1: u64, n1: u64, k2: u64, n2: u64) -> Result<TestResult, Error> {
    for (side, successes, trials) in [("reference", k1, n1), ("current", k2, n2)] {
        if trials == 0 {
            return Err(Error::NoObservations { side });
        }
        if successes > trials {
            return Err(Error::MoreSuccessesThanTrials { successes, trials });
        }
    }
    let (successes, trials) = (k1 as f64 + k2 as f64, n1 as f64 + n2 as f64);
    let failures = (n1 - k1) as f64 + (n2 - k2) as f64;
    if successes == 0.0 || failures == 0.0 {
        return Ok(TestResult { statistic: 0.0, p_value: 1.0 });
    }
    let (k1, n1, k2, n2) = (k1 as f64, n1 as f64, k2 as f64, n2 as f64);
    // p₁ − p₂ over a common denominator: equal shares give exactly 0.
    let difference = (k1 * n2 - k2 * n1) / n1 / n2;
    let error = ((successes / trials) * (failures / trials) * (1.0 / n1 + 1.0 / n2)).sqrt();
    let statistic = difference / error;
    Ok(TestResult { statistic, p_value: (2.0 * norm_sf(statistic.abs())).min(1.0) })
}

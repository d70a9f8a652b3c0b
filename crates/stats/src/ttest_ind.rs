//! Student's and Welch's t tests of two means.

use crate::distribution::t_sf;
use crate::error::Error;
use crate::sample::Sample;
use crate::test_result::TestResult;

/// What is assumed of the two populations' variances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variances {
    /// Equal: Student's test with the pooled variance and n + m − 2 degrees of freedom.
    Equal,
    /// Nothing: Welch's test with Satterthwaite's degrees of freedom.
    Unequal,
}

/// t = (mean of reference − mean of current) / standard error, two-sided, variances with ddof 1.
///
/// Any real number, positive when the reference is higher; swapping sides changes its sign only. Without variation
/// on both sides: statistic 0 and p 1 for equal means (SciPy: NaN), else an infinite statistic and p 0.
///
/// Source: Student (1908), doi:10.2307/2331554; B. Welch (1947), doi:10.2307/2332510. Reproduces
/// `scipy.stats.ttest_ind(reference, current, equal_var=…)` of SciPy 1.17.1.
///
/// # Errors
/// [`Error::TooFewRows`] below 2 rows on a side, [`Error::Infinite`].
pub fn ttest_ind(reference: &Sample, current: &Sample, variances: Variances) -> Result<TestResult, Error> {
    for (side, sample) in [("reference", reference), ("current", current)] {
        sample.require_rows(side, 2)?;
        sample.require_finite(side)?;
    }
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let (v, w) = (reference.variance(1), current.variance(1));
    let (squared_error, degrees) = match variances {
        Variances::Equal => {
            let degrees = n + m - 2.0;
            (((n - 1.0) * v + (m - 1.0) * w) / degrees * (1.0 / n + 1.0 / m), degrees)
        }
        Variances::Unequal => {
            let (a, b) = (v / n, w / m);
            let degrees = (a + b).powi(2) / (a * a / (n - 1.0) + b * b / (m - 1.0));
            // 0/0 without variation, where the statistic decides alone.
            (a + b, if degrees.is_nan() { 1.0 } else { degrees })
        }
    };
    let difference = mean_difference(reference, current);
    let statistic = if difference == 0.0 { 0.0 } else { difference / squared_error.sqrt() };
    Ok(TestResult { statistic, p_value: 2.0 * t_sf(statistic.abs(), degrees) })
}

/// Mean of the reference minus mean of the current side, to full precision also far from the origin.
pub(crate) fn mean_difference(reference: &Sample, current: &Sample) -> f64 {
    let origin = reference.mean();
    reference.mean_about(origin) - current.mean_about(origin)
}

//! What every hypothesis test returns.

/// A test statistic and its p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestResult {
    /// The statistic, under the name its function documents.
    pub statistic: f64,
    /// Probability, if both sides came from one population, of a statistic at least as extreme. From 0 to 1; NaN
    /// when the test says nothing (its function states when).
    pub p_value: f64,
}

//! Everything this crate can refuse.

/// Why a statistic could not be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A sample contains NaN; missing values are dropped by the caller.
    #[error("value {index} of the sample is NaN, expected a number: drop missing values first")]
    NotANumber {
        /// Position in the input, from 0.
        index: usize,
    },
    /// A statistic built on differences of values met an infinity.
    #[error("the {side} sample holds {value}, expected finite values only")]
    Infinite {
        /// `reference` or `current`.
        side: &'static str,
        /// The infinity met.
        value: f64,
    },
    /// A side has fewer rows than the statistic is defined for.
    #[error("the {side} sample has {rows} rows, expected at least {needed}")]
    TooFewRows {
        /// `reference`, `current` or `pooled`.
        side: &'static str,
        /// Rows found.
        rows: u64,
        /// Rows needed.
        needed: u64,
    },
    /// More rows than the arithmetic can count exactly.
    #[error("the {side} sample has more than {limit} rows, the most this statistic counts exactly")]
    TooManyRows {
        /// `reference`, `current` or `sample`.
        side: &'static str,
        /// The most rows accepted.
        limit: u64,
    },
    /// Random relabelling of so many rows would take minutes or more.
    #[error("{statistic} relabels rows at random, which takes too long with {rows} of them")]
    TooLong {
        /// The statistic.
        statistic: &'static str,
        /// Rows of both sides.
        rows: u64,
    },
    /// Two lists of counts do not describe the same categories.
    #[error("the reference has {reference} categories and the current {current}, expected aligned lists")]
    UnequalLengths {
        /// Categories of the reference.
        reference: usize,
        /// Categories of the current side.
        current: usize,
    },
    /// A count or share is negative, NaN or infinite.
    #[error("category {index} of the {side} has the count {value}, expected a finite number of at least 0")]
    InvalidCount {
        /// `reference` or `current`.
        side: &'static str,
        /// Position in the list, from 0.
        index: usize,
        /// The value met.
        value: f64,
    },
    /// All counts of a side are zero.
    #[error("the {side} counts are all zero, expected at least one observation")]
    NoObservations {
        /// `reference` or `current`.
        side: &'static str,
    },
    /// A goodness-of-fit test whose totals differ.
    #[error("observed counts sum to {observed} and expected counts to {expected}, expected equal sums")]
    UnequalTotals {
        /// Sum of the observed counts.
        observed: f64,
        /// Sum of the expected counts.
        expected: f64,
    },
    /// A proportion, quantile or confidence outside its range.
    #[error("{name} is {value}, expected a number from {low} to {high}")]
    OutOfRange {
        /// Name of the argument.
        name: &'static str,
        /// The value met.
        value: f64,
        /// Smallest value accepted.
        low: f64,
        /// Largest value accepted.
        high: f64,
    },
    /// More successes than trials.
    #[error("{successes} successes out of {trials} trials, expected no more successes than trials")]
    MoreSuccessesThanTrials {
        /// Successes given.
        successes: u64,
        /// Trials given.
        trials: u64,
    },
    /// The pooled values do not vary enough for the statistic to exist.
    #[error("{statistic} needs {needed}")]
    Degenerate {
        /// The statistic.
        statistic: &'static str,
        /// What it needs, in words.
        needed: &'static str,
    },
}

//! The answer to a query.

use std::sync::Arc;

use streamflow_histogram::Histogram;
use streamflow_tsdb::{Labels, Samples};

/// The result of a query with the remarks on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The result.
    pub value: Value,
    /// Likely mistakes, in Prometheus's words.
    pub warnings: Vec<String>,
    /// Remarks, in Prometheus's words.
    pub infos: Vec<String>,
    /// The work that it took.
    pub stats: Stats,
}

/// The work that an evaluation took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Samples and aggregates read from the store.
    pub samples_read: u64,
    /// Those of them that are aggregates.
    pub aggregates_read: u64,
    /// The most samples held in memory at a time.
    pub peak_samples: usize,
}

/// A result.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One number.
    Scalar(f64),
    /// One text.
    String(String),
    /// One sample for each of some series.
    Vector(Vec<VectorSample>),
    /// Samples over time for each of some series, ordered by labels.
    Matrix(Vec<RangeSeries>),
}

/// A sample of a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSample {
    /// The labels of its series.
    pub labels: Labels,
    /// The time of evaluation, milliseconds since 1970.
    pub timestamp: i64,
    /// The number; NaN where the sample is a histogram.
    pub value: f64,
    /// The histogram, where it is one.
    pub histogram: Option<Arc<Histogram>>,
}

/// A series of a matrix; never without samples.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeSeries {
    /// The labels of the series.
    pub labels: Labels,
    /// The samples, ascending by time.
    pub samples: Samples,
}

//! What the rows of a pipeline are made of.

use streamflow_tsdb::{Labels, Series};

use crate::ast::{Extended, Span};
use crate::eval::grid::{Grid, Row, Scalars};
use crate::eval::selector::{Reading, Take};
use crate::function::RangeFunction;

/// What is known of a row before its values.
pub(crate) struct Head {
    pub(crate) labels: Labels,
    pub(crate) drop_name: bool,
}

/// What the rows are made of.
pub(crate) enum RowSource {
    Rows(Vec<Row>),
    Instant {
        series: Vec<Series>,
        reading: Reading,
        take: Take,
        smoothed: bool,
        finds_resets: bool,
        span: Span,
    },
    Range {
        samples: RangeSamples,
        read: RangeRead,
    },
}

/// The samples in the ranges of a function.
pub(crate) enum RangeSamples {
    Stored(Vec<Series>),
    Subquery { rows: Vec<Row>, grid: Grid },
}

/// What a function of a range reads and computes.
pub(crate) struct RangeRead {
    pub(crate) function: RangeFunction,
    /// What the function is called.
    pub(crate) name: &'static str,
    /// The argument with the range, for remarks.
    pub(crate) span: Span,
    /// True if counter resets between the histograms are to be found when they are read.
    pub(crate) finds_resets: bool,
    pub(crate) range_ms: i64,
    pub(crate) reading: Reading,
    pub(crate) extended: Option<Extended>,
    pub(crate) params: Vec<Scalars>,
    /// Series with a name that no counter should have, and where to say so.
    pub(crate) not_counters: Option<(Vec<Labels>, Span)>,
}

/// Heads of stored series.
pub(crate) fn heads_of<'l>(labels: impl Iterator<Item = &'l Labels>) -> Vec<Head> {
    labels.map(|labels| Head { labels: labels.clone(), drop_name: false }).collect()
}

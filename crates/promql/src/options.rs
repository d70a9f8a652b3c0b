//! Limits of evaluation, and the ways to end one early.

/// Limits and defaults of evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// How long a sample counts when none follows, in milliseconds.
    pub lookback_ms: i64,
    /// The most samples that one query may hold in memory.
    pub max_samples: usize,
    /// Step of a subquery without one, in milliseconds.
    pub subquery_step_ms: i64,
    /// The most steps of a range query.
    pub max_steps: usize,
    /// True if what Prometheus calls experimental is part of the language; see [`crate::ParseOptions::experimental`].
    pub experimental: bool,
    /// Keep metric names until the whole query is evaluated (Prometheus 3's `promql-delayed-name-removal`).
    pub delayed_name_removal: bool,
    /// True if `rate`, `increase`, `irate` and `resets` look at the start timestamps of samples (Prometheus 3.14's feature of
    /// that name; 3.5 has none).
    pub start_timestamps: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            lookback_ms: 300_000,
            max_samples: 50_000_000,
            subquery_step_ms: 60_000,
            max_steps: 11_000,
            experimental: false,
            delayed_name_removal: false,
            start_timestamps: false,
        }
    }
}

/// Why an evaluation should end early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The evaluation has taken as long as it may.
    Timeout,
    /// The client has gone.
    Canceled,
}

/// The question whether to end an evaluation, put now and then and from any thread; an answer ends it.
pub type Stop<'a> = dyn Fn() -> Option<StopReason> + Sync + 'a;

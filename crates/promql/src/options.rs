//! Limits of evaluation, what it reads, and the ways to end one early.

use streamflow_tsdb::Resolution;

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
    /// The aggregates that may stand in for samples that are gone.
    pub max_source_resolution: SourceResolution,
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
            max_source_resolution: SourceResolution::default(),
            start_timestamps: false,
        }
    }
}

/// The aggregates that may stand in for samples that are gone. Where there are samples they are read in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SourceResolution {
    /// None: what is gone is gone.
    Raw,
    /// Those of 5 minutes.
    FiveMinutes,
    /// Those of 1 hour, and of 5 minutes where there are no others.
    OneHour,
    /// All: those of 1 hour first where the step, or a day's part of the range, is as long, else those of 5 minutes first.
    #[default]
    Auto,
}

impl SourceResolution {
    /// The resolutions to read, the one that is preferred in front, for steps of `step_ms` and ranges of `range_ms`, which is 0
    /// where a selector has none.
    pub(crate) fn preferred(self, step_ms: i64, range_ms: i64) -> &'static [Resolution] {
        const FINE: &[Resolution] = &[Resolution::FiveMinutes, Resolution::OneHour];
        const COARSE: &[Resolution] = &[Resolution::OneHour, Resolution::FiveMinutes];
        match self {
            Self::Raw => &[],
            Self::FiveMinutes => &FINE[..1],
            Self::OneHour => COARSE,
            Self::Auto => {
                let hour = Resolution::OneHour.ms();
                let is_short = range_ms > 0 && range_ms < hour;
                let is_coarse = step_ms >= hour || range_ms >= 24 * hour;
                if is_coarse && !is_short { COARSE } else { FINE }
            }
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

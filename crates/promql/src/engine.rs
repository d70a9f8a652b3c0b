//! The engine: what all queries share.

use crate::error::Error;
use crate::eval::grid::Grid;
use crate::options::EngineOptions;

/// The limits and defaults within which queries are parsed and evaluated.
#[derive(Debug, Clone, Default)]
pub struct Engine {
    options: EngineOptions,
}

impl Engine {
    /// An engine with these limits.
    #[must_use]
    pub fn new(options: EngineOptions) -> Self {
        Self { options }
    }

    /// The limits.
    #[must_use]
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// The times of a range query: every `step_ms` from `start_ms` to `end_ms`, both included. The fraction of a step
    /// over whole milliseconds is cut off, and a step below one becomes one.
    ///
    /// # Errors
    /// [`Error::BadData`] for an end before the start, a step that is not positive, and more steps than
    /// [`EngineOptions::max_steps`].
    pub fn grid(&self, start_ms: i64, end_ms: i64, step_ms: f64) -> Result<Grid, Error> {
        let bad_data = |message: &str| Err(Error::BadData(message.into()));
        if end_ms < start_ms {
            return bad_data("invalid parameter \"end\": end timestamp must not be before start time");
        }
        if step_ms.is_nan() || step_ms <= 0.0 {
            return bad_data(
                "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
            );
        }
        let whole_ms = (step_ms as i64).max(1);
        // A step below a millisecond is counted as it was asked for.
        let smallest = step_ms.min(whole_ms as f64);
        if (end_ms.saturating_sub(start_ms) as f64 / smallest).floor() >= self.options.max_steps as f64 {
            return bad_data(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
            );
        }
        Ok(Grid::every(whole_ms, start_ms, end_ms))
    }
}

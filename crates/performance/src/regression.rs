//! How right a model of a number was.

use serde::{Deserialize, Serialize};
use streamflow_stats::sum;

use crate::error::{self, Error};

/// The metrics of a regression. Those that are undefined for their rows are `None`.
///
/// Oracle: the functions of `sklearn.metrics` named below, scikit-learn 1.9.1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegressionMetrics {
    /// Rows with truth and prediction.
    pub rows: usize,
    /// Rows that lack one of them.
    pub left_out: usize,
    /// Mean of |truth − prediction|: `mean_absolute_error`.
    pub mae: Option<f64>,
    /// Mean of the squared error: `mean_squared_error`.
    pub mse: Option<f64>,
    /// Root of it: `root_mean_squared_error`.
    pub rmse: Option<f64>,
    /// Median of |truth − prediction|: `median_absolute_error`.
    pub medae: Option<f64>,
    /// Largest |truth − prediction|: `max_error`.
    pub max_error: Option<f64>,
    /// Mean of (prediction − truth): positive when predictions are too high.
    pub mean_error: Option<f64>,
    /// Mean of |truth − prediction| / |truth|: `mean_absolute_percentage_error`. `None` with a truth of 0, where
    /// scikit-learn divides by 2⁻⁵².
    pub mape: Option<f64>,
    /// Mean of (ln(1 + truth) − ln(1 + prediction))²: `mean_squared_log_error`. `None` with a number of −1 or below.
    pub msle: Option<f64>,
    /// 1 − Σ squared errors / Σ squared deviations of the truth: `r2_score`. At most 1; `None` when the truth does not
    /// vary.
    pub r2: Option<f64>,
    /// 1 − variance of the errors / variance of the truth: `explained_variance_score`. As R², but blind to a constant
    /// error.
    pub explained_variance: Option<f64>,
}

impl RegressionMetrics {
    /// Measures aligned truths and predictions, NaN where there is none. O(n).
    ///
    /// # Errors
    /// [`Error::Unaligned`], [`Error::NotFinite`] for an infinity.
    pub fn measure(truth: &[f64], prediction: &[f64]) -> Result<Self, Error> {
        let pairs = pairs(truth, prediction)?;
        let rows = pairs.len();
        let errors: Vec<f64> = pairs.iter().map(|(truth, prediction)| truth - prediction).collect();
        let mut sizes: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
        let mse = mean(errors.iter().map(|error| error * error));
        let mean_error = mean(errors.iter().map(|error| -error));
        let variance = variance(&pairs.iter().map(|(truth, _)| *truth).collect::<Vec<f64>>());
        let unexplained =
            |squares: f64| variance.filter(|variance| *variance > 0.0).map(|all| 1.0 - squares / all);
        Ok(Self {
            rows,
            left_out: truth.len() - rows,
            mae: mean(sizes.iter().copied()),
            mse,
            rmse: mse.map(f64::sqrt),
            medae: median(&mut sizes),
            max_error: sizes.iter().copied().reduce(f64::max),
            mean_error,
            mape: mean_of_all(&pairs, |truth, prediction| {
                (truth != 0.0).then(|| (truth - prediction).abs() / truth.abs())
            }),
            msle: mean_of_all(&pairs, squared_log_error),
            r2: mse.and_then(unexplained),
            explained_variance: self::variance(&errors).and_then(unexplained),
        })
    }
}

/// Mean pinball loss at a quantile: mean of max(q·e, (q − 1)·e) with e = truth − prediction. Half the mean absolute error
/// at q = ½. `None` without rows; NaN is missing.
///
/// Source: R. Koenker and G. Bassett (1978), doi:10.2307/1913643. Oracle: `sklearn.metrics.mean_pinball_loss(truth,
/// prediction, alpha=q)` of scikit-learn 1.9.1.
///
/// # Errors
/// [`Error::Unaligned`], [`Error::NotFinite`] for an infinity, [`Error::Setting`] for a quantile outside [0, 1].
pub fn mean_pinball_loss(truth: &[f64], prediction: &[f64], quantile: f64) -> Result<Option<f64>, Error> {
    if !(0.0..=1.0).contains(&quantile) {
        return Err(Error::Setting {
            name: "the quantile",
            value: quantile,
            expected: "a number from 0 to 1",
        });
    }
    let loss = |(truth, prediction): (f64, f64)| {
        let error = truth - prediction;
        (quantile * error).max((quantile - 1.0) * error)
    };
    Ok(mean(pairs(truth, prediction)?.into_iter().map(loss)))
}

/// (ln(1 + truth) − ln(1 + prediction))²; `None` where a logarithm has no value.
pub(crate) fn squared_log_error(truth: f64, prediction: f64) -> Option<f64> {
    (truth > -1.0 && prediction > -1.0).then(|| (truth.ln_1p() - prediction.ln_1p()).powi(2))
}

/// The rows with truth and prediction.
pub(crate) fn pairs(truth: &[f64], prediction: &[f64]) -> Result<Vec<(f64, f64)>, Error> {
    error::aligned(("the predictions", prediction.len()), ("the truths", truth.len()))?;
    for (what, values) in [("truth", truth), ("prediction", prediction)] {
        if let Some(row) = values.iter().position(|value| value.is_infinite()) {
            return Err(Error::NotFinite { what, row, value: values[row] });
        }
    }
    let both = truth.iter().copied().zip(prediction.iter().copied());
    Ok(both.filter(|(truth, prediction)| !truth.is_nan() && !prediction.is_nan()).collect())
}

/// Mean of a loss that every row must have.
fn mean_of_all(pairs: &[(f64, f64)], loss: impl Fn(f64, f64) -> Option<f64>) -> Option<f64> {
    let losses: Option<Vec<f64>> = pairs.iter().map(|&(truth, prediction)| loss(truth, prediction)).collect();
    mean(losses?.into_iter())
}

/// `None` without values, and where the sum leaves the range of numbers.
pub(crate) fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let rows = values.len() as f64;
    Some(sum(values) / rows).filter(|mean| mean.is_finite())
}

/// Population variance.
pub(crate) fn variance(values: &[f64]) -> Option<f64> {
    let centre = mean(values.iter().copied())?;
    mean(values.iter().map(|value| (value - centre).powi(2)))
}

/// Sorts the values only as far as needed.
fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    let odd = values.len() % 2 == 1;
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    let lower = if odd { upper } else { below.iter().copied().fold(f64::NEG_INFINITY, f64::max) };
    Some(0.5 * lower + 0.5 * upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_rows_are_left_out_and_infinities_refused() {
        let found = RegressionMetrics::measure(&[1.0, f64::NAN, 3.0], &[2.0, 1.0, f64::NAN]).unwrap();
        assert_eq!((found.rows, found.left_out, found.mae), (1, 2, Some(1.0)));
        let none = RegressionMetrics::measure(&[], &[]).unwrap();
        assert_eq!((none.mae, none.medae, none.max_error, none.r2), (None, None, None, None));
        assert_eq!((none.mape, none.msle, none.mean_error), (None, None, None));
        let error = RegressionMetrics::measure(&[1.0], &[f64::INFINITY]).unwrap_err();
        assert!(
            error.to_string().starts_with("row 0 has the prediction inf, expected a finite number"),
            "{error}"
        );
        assert!(RegressionMetrics::measure(&[1.0], &[]).is_err());
        assert!(mean_pinball_loss(&[1.0], &[1.0], 1.5).is_err());
    }

    #[test]
    fn huge_numbers_are_undefined_rather_than_infinite() {
        let found = RegressionMetrics::measure(&[f64::MAX, 1.0], &[-f64::MAX, 1.0]).unwrap();
        assert_eq!((found.mae, found.mse, found.r2), (None, None, None));
    }
}

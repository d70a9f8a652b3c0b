//! How right a regression was, each metric with its interval, and the two drawings that explain it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use streamflow_stats::sum;

use crate::error::Error;
use crate::interval::{Interval, normal_quantile, student};
use crate::measured::MeasuredValue;
use crate::metric::Metric;
use crate::regression::{RegressionMetrics, mean, pairs};

/// Bins of the histogram of errors.
const ERROR_BINS: usize = 20;
/// Groups of rows of neighbouring predictions.
const DECILES: usize = 10;

/// The metrics of a regression on a chunk of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredValues {
    /// Rows with truth and prediction.
    pub rows: usize,
    /// The metrics of [`Metric::REGRESSION`].
    pub metrics: BTreeMap<Metric, MeasuredValue>,
    /// Rows by prediction − truth; the outermost bins also hold what lies beyond the 1 % and 99 % quantiles.
    pub errors: Vec<ValueBin>,
    /// Tenths of the rows by prediction, lowest first.
    pub deciles: Vec<ValueDecile>,
}

/// Rows in a range of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ValueBin {
    /// Lower end, included.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Rows in it.
    pub rows: u64,
}

/// Rows of neighbouring predictions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ValueDecile {
    /// Rows in it.
    pub rows: u64,
    /// Mean of the predictions.
    pub mean_prediction: f64,
    /// Mean of the truths.
    pub mean_truth: f64,
}

impl MeasuredValues {
    /// Measures aligned truths and predictions, NaN where there is none. O(n log n).
    ///
    /// MAE, MAPE and the mean error have Student's interval of a mean, RMSE the root of that of the mean squared error. R²
    /// has the interval of its linearisation: a row moves 1 − MSE/V by −(e² − MSE)/V + MSE ((y − ȳ)² − V)/V² over n, and
    /// the deviation of that over √n is the standard error. The median error lies between the order statistics of ranks
    /// n/2 ± 0.98 √n. The largest error has none.
    ///
    /// Oracle of the values: `sklearn.metrics` of scikit-learn 1.9.1, as [`RegressionMetrics`] names its functions.
    ///
    /// # Errors
    /// [`Error::Unaligned`], [`Error::NotFinite`] for an infinity.
    pub fn measure(truth: &[f64], prediction: &[f64]) -> Result<Self, Error> {
        let values = RegressionMetrics::measure(truth, prediction)?;
        let pairs = pairs(truth, prediction)?;
        let metrics = Metric::REGRESSION.map(|metric| {
            let value = value(metric, &values);
            let interval = value.and_then(|value| interval(metric, value, &pairs, &values));
            (metric, MeasuredValue { value, interval })
        });
        Ok(Self {
            rows: pairs.len(),
            metrics: metrics.into(),
            errors: errors(&pairs),
            deciles: deciles(pairs.clone()),
        })
    }
}

fn value(metric: Metric, values: &RegressionMetrics) -> Option<f64> {
    match metric {
        Metric::Rmse => values.rmse,
        Metric::Mae => values.mae,
        Metric::R2 => values.r2,
        Metric::Mape => values.mape,
        Metric::Medae => values.medae,
        Metric::MeanError => values.mean_error,
        Metric::MaxError => values.max_error,
        _ => None,
    }
}

fn interval(
    metric: Metric,
    value: f64,
    pairs: &[(f64, f64)],
    values: &RegressionMetrics,
) -> Option<Interval> {
    let range = metric.about().range;
    let of_mean = |loss: fn(f64, f64) -> f64, mean: f64| {
        mean_interval(pairs.iter().map(|&(truth, prediction)| loss(truth, prediction)), mean, range)
    };
    match metric {
        Metric::Mae => of_mean(|truth, prediction| (truth - prediction).abs(), value),
        Metric::Mape => of_mean(|truth, prediction| ((truth - prediction) / truth).abs(), value),
        Metric::MeanError => of_mean(|truth, prediction| prediction - truth, value),
        Metric::Rmse => {
            let squares = of_mean(|truth, prediction| (truth - prediction).powi(2), values.mse?)?;
            Some(Interval { low: squares.low.sqrt(), high: squares.high.sqrt() })
        }
        Metric::R2 => r2_interval(value, pairs, values.mse?),
        Metric::Medae => median_interval(pairs),
        _ => None,
    }
}

/// Student's interval of the mean of the values.
pub(crate) fn mean_interval(
    values: impl ExactSizeIterator<Item = f64>,
    mean: f64,
    range: (f64, f64),
) -> Option<Interval> {
    let rows = values.len();
    if rows < 2 {
        return None;
    }
    let squares = sum(values.map(|value| (value - mean).powi(2)));
    student(mean, (squares / (rows as f64 - 1.0) / rows as f64).sqrt(), rows, range)
}

fn r2_interval(r2: f64, pairs: &[(f64, f64)], mse: f64) -> Option<Interval> {
    let centre = mean(pairs.iter().map(|(truth, _)| *truth))?;
    let variance = mean(pairs.iter().map(|(truth, _)| (truth - centre).powi(2)))?;
    let influence = pairs.iter().map(|(truth, prediction)| {
        let (square, deviation) = ((truth - prediction).powi(2), (truth - centre).powi(2));
        // The mean of the influences is 0: r2 is added to centre the interval on it.
        r2 - (square - mse) / variance + mse / variance * ((deviation - variance) / variance)
    });
    mean_interval(influence, r2, Metric::R2.about().range)
}

fn median_interval(pairs: &[(f64, f64)]) -> Option<Interval> {
    let mut sizes: Vec<f64> = pairs.iter().map(|(truth, prediction)| (truth - prediction).abs()).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    let rows = sizes.len() as f64;
    let reach = 0.5 * normal_quantile() * rows.sqrt();
    let (low, high) = (0.5 * rows - reach, 0.5 * rows + reach);
    // Ranks count from 1.
    let at = |rank: f64| sizes.get(rank as usize - 1).copied();
    (low >= 1.0).then(|| Some(Interval { low: at(low.floor())?, high: at(high.ceil().min(rows))? }))?
}

fn errors(pairs: &[(f64, f64)]) -> Vec<ValueBin> {
    let mut errors: Vec<f64> = pairs.iter().map(|(truth, prediction)| prediction - truth).collect();
    errors.sort_unstable_by(f64::total_cmp);
    let Some(last) = errors.len().checked_sub(1) else { return Vec::new() };
    let at = |share: f64| errors[(last as f64 * share).round() as usize];
    let (low, high) = (at(0.01), at(0.99));
    let width = (high - low) / ERROR_BINS as f64;
    if width <= 0.0 || !width.is_finite() {
        return vec![ValueBin { low, high, rows: errors.len() as u64 }];
    }
    let edge = |bin: usize| low + width * bin as f64;
    let mut bins: Vec<ValueBin> =
        (0..ERROR_BINS).map(|bin| ValueBin { low: edge(bin), high: edge(bin + 1), rows: 0 }).collect();
    for error in errors {
        let bin = ((error - low) / width).clamp(0.0, (ERROR_BINS - 1) as f64) as usize;
        bins[bin].rows += 1;
    }
    bins
}

fn deciles(mut pairs: Vec<(f64, f64)>) -> Vec<ValueDecile> {
    // Equal predictions by truth, so that the order of the rows has no say.
    pairs.sort_unstable_by(|a, b| a.1.total_cmp(&b.1).then(a.0.total_cmp(&b.0)));
    let groups = DECILES.min(pairs.len());
    let group = |number: usize| {
        let rows = &pairs[pairs.len() * number / groups..pairs.len() * (number + 1) / groups];
        Some(ValueDecile {
            rows: rows.len() as u64,
            mean_prediction: mean(rows.iter().map(|(_, prediction)| *prediction))?,
            mean_truth: mean(rows.iter().map(|(truth, _)| *truth))?,
        })
    };
    (0..groups).filter_map(group).collect()
}

#[cfg(test)]
mod tests {
    use streamflow_stats::Random;

    use super::*;

    fn normal(random: &mut Random) -> f64 {
        let uniform = |random: &mut Random| (random.below(1 << 53) as f64 + 0.5) / (1_u64 << 53) as f64;
        (-2.0 * uniform(random).ln()).sqrt() * (std::f64::consts::TAU * uniform(random)).cos()
    }

    /// Of truths with deviation 2 and errors with deviation 1: RMSE 1, MAE √(2/π), R² 0.75, median 0.6745.
    #[test]
    fn intervals_hold_what_they_promise() {
        let truths = [
            (Metric::Rmse, 1.0),
            (Metric::Mae, (2.0 / std::f64::consts::PI).sqrt()),
            (Metric::R2, 0.75),
            (Metric::Medae, 0.674_489_750_196_081_7),
            (Metric::MeanError, 0.0),
        ];
        let mut held = [0; 5];
        const REPEATS: u64 = 400;
        for repeat in 0..REPEATS {
            let mut random = Random::new(repeat);
            let truth: Vec<f64> = (0..500).map(|_| 2.0 * normal(&mut random)).collect();
            let prediction: Vec<f64> = truth.iter().map(|truth| truth + normal(&mut random)).collect();
            let measured = MeasuredValues::measure(&truth, &prediction).unwrap();
            for ((metric, expected), held) in truths.iter().zip(&mut held) {
                let interval = measured.metrics[metric].interval.unwrap();
                *held += u64::from(interval.contains(*expected));
            }
        }
        // 95 % of 400 are 380, the standard deviation is 4.4.
        assert!(held.iter().all(|held| (360..=396).contains(held)), "{held:?}");
    }

    #[test]
    fn few_rows_have_values_and_no_made_up_intervals() {
        let none = MeasuredValues::measure(&[], &[]).unwrap();
        assert!(none.metrics.values().all(|found| found.value.is_none() && found.interval.is_none()));
        assert_eq!((none.errors.len(), none.deciles.len()), (0, 0));
        let one = MeasuredValues::measure(&[2.0, f64::NAN], &[3.0, 1.0]).unwrap();
        assert_eq!((one.rows, one.metrics[&Metric::Rmse].value), (1, Some(1.0)));
        assert_eq!(one.metrics[&Metric::Rmse].interval, None);
        assert_eq!(one.errors, [ValueBin { low: 1.0, high: 1.0, rows: 1 }]);
        assert!(MeasuredValues::measure(&[f64::INFINITY], &[1.0]).is_err());
    }

    #[test]
    fn drawings_count_every_row_once() {
        let truth: Vec<f64> = (0..1000).map(f64::from).collect();
        let prediction: Vec<f64> = truth.iter().map(|truth| truth * 0.5).collect();
        let measured = MeasuredValues::measure(&truth, &prediction).unwrap();
        assert_eq!(measured.errors.iter().map(|bin| bin.rows).sum::<u64>(), 1000);
        assert_eq!(measured.deciles.len(), 10);
        assert_eq!((measured.deciles[0].mean_prediction, measured.deciles[0].mean_truth), (24.75, 49.5));
    }
}

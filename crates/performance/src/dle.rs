//! Direct loss estimation: how wrong a regression probably is where the truth is missing.

use serde::{Deserialize, Serialize};

use crate::chunk::Chunk;
use crate::error::Error;
use crate::interval::Interval;
use crate::regression::{mean, pairs, squared_log_error, variance};
use crate::thresholds::Thresholds;

/// A metric of a regression that is a mean of the rows' losses, or the root of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorMetric {
    /// Mean absolute error.
    Mae,
    /// Mean squared error.
    Mse,
    /// Root of it.
    Rmse,
    /// Mean absolute percentage error.
    Mape,
    /// Mean squared logarithmic error.
    Msle,
    /// Root of it.
    Rmsle,
}

impl ErrorMetric {
    /// The loss of a row that the metric is the mean of: |e|, e², |e|/|truth| or (ln(1 + truth) − ln(1 + prediction))².
    /// `None` where it is undefined, or where truth or prediction is NaN.
    #[must_use]
    pub fn loss(self, truth: f64, prediction: f64) -> Option<f64> {
        let error = truth - prediction;
        let loss = match self {
            Self::Mae => Some(error.abs()),
            Self::Mse | Self::Rmse => Some(error * error),
            Self::Mape => (truth != 0.0).then(|| error.abs() / truth.abs()),
            Self::Msle | Self::Rmsle => squared_log_error(truth, prediction),
        };
        loss.filter(|loss| !loss.is_nan())
    }

    fn is_root(self) -> bool {
        matches!(self, Self::Rmse | Self::Rmsle)
    }

    /// The metric of rows whose losses a learner predicted: their mean with negative ones taken as 0, or the root of it.
    /// `None` without a prediction; NaN is none.
    #[must_use]
    pub fn estimate(self, predicted_losses: &[f64]) -> Option<f64> {
        let losses: Vec<f64> =
            predicted_losses.iter().filter(|loss| !loss.is_nan()).map(|loss| loss.max(0.0)).collect();
        let estimate = mean(losses.into_iter())?;
        Some(if self.is_root() { estimate.sqrt() } else { estimate })
    }

    /// The standard error of the metric on so many rows from the losses of a reference: sd(loss)/√n, and for roots
    /// √(var(loss) / (4 n mean(loss))), population variances. `None` without losses or rows.
    ///
    /// Oracle: NannyML 0.13.1 `DLE`, `sampling_error`.
    #[must_use]
    pub fn sampling_error(self, reference_losses: &[f64], rows: usize) -> Option<f64> {
        let variance = variance(reference_losses)?;
        let rows = rows as f64;
        if rows == 0.0 {
            return None;
        }
        if !self.is_root() {
            return Some((variance / rows).sqrt());
        }
        let mean = mean(reference_losses.iter().copied())?;
        // All losses 0: no error, rather than 0/0.
        Some(if mean == 0.0 { 0.0 } else { (variance / (4.0 * rows * mean)).sqrt() })
    }
}

/// An estimator of one error metric.
///
/// A learner is trained on the rows of the reference to predict the loss of a row from its features *and the model's
/// prediction*; the estimate is the mean of what it predicts on a chunk. The learner is the caller's: it learns
/// [`Dle::losses`], and its predictions are the argument of [`Dle::estimate`]. The reference must not be rows that the
/// model was trained on. Blind, as every estimate without labels, to a changed relation of inputs and truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Dle {
    metric: ErrorMetric,
    losses: Vec<Option<f64>>,
    known: Vec<f64>,
    thresholds: Thresholds,
}

/// An estimated error of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EstimatedError {
    /// The estimate; `None` without rows.
    pub value: Option<f64>,
    /// Its standard error from the reference.
    pub sampling_error: Option<f64>,
    /// value ± 3 standard errors, at least 0.
    pub band: Option<Interval>,
    /// The bounds of the reference's chunks.
    pub thresholds: Thresholds,
    /// Whether the value is outside them; `None` without a value.
    pub alert: Option<bool>,
}

impl Dle {
    /// Takes the truths and predictions of a reference, NaN where there is none, and the chunks whose realised metric
    /// bounds what is normal; with fewer than `min_chunks` of them nothing alerts.
    ///
    /// # Errors
    /// [`Error::Unaligned`], [`Error::NotFinite`] for an infinity, [`Error::NoSuchRow`].
    pub fn new(
        metric: ErrorMetric,
        (truth, prediction): (&[f64], &[f64]),
        chunks: &[Chunk],
        min_chunks: usize,
    ) -> Result<Self, Error> {
        pairs(truth, prediction)?;
        let losses: Vec<Option<f64>> = truth
            .iter()
            .zip(prediction)
            .map(|(&truth, &prediction)| metric.loss(truth, prediction))
            .collect();
        let mut realised = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            if let Some(&row) = chunk.rows.iter().find(|&&row| row >= losses.len()) {
                return Err(Error::NoSuchRow { row, rows: losses.len() });
            }
            let losses: Vec<f64> = chunk.rows.iter().filter_map(|&row| losses[row]).collect();
            realised.push(metric.estimate(&losses));
        }
        let range = (0.0, f64::INFINITY);
        let thresholds = Thresholds::of_chunks(&realised, range, min_chunks).unwrap_or_default();
        Ok(Self { metric, known: losses.iter().flatten().copied().collect(), losses, thresholds })
    }

    /// The losses that the learner learns, one per row of the reference; `None` where there is none.
    #[must_use]
    pub fn losses(&self) -> &[Option<f64>] {
        &self.losses
    }

    /// The metric of a chunk from the learner's predictions of its rows' losses.
    #[must_use]
    pub fn estimate(&self, predicted_losses: &[f64]) -> EstimatedError {
        let value = self.metric.estimate(predicted_losses);
        let rows = predicted_losses.iter().filter(|loss| !loss.is_nan()).count();
        let sampling_error = value.and(self.metric.sampling_error(&self.known, rows));
        let band = value
            .zip(sampling_error)
            .and_then(|(value, error)| Interval::around(value, 3.0 * error, (0.0, f64::INFINITY)));
        let thresholds = self.thresholds;
        EstimatedError { value, sampling_error, band, thresholds, alert: thresholds.alert(value) }
    }
}

#[cfg(test)]
mod tests {
    use streamflow_stats::Random;

    use super::*;
    use crate::chunk::{Incomplete, chunks_of_size};
    use crate::regression::RegressionMetrics;

    /// Errors that grow with x, by a seed; the prediction is the truth without them.
    fn table(rows: usize, seed: u64, low: f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let mut random = Random::new(seed);
        let x: Vec<f64> = (0..rows).map(|_| low + (10.0 - low) * random.uniform()).collect();
        let truth = x.iter().map(|x| 3.0 * x + x * (random.uniform() + random.uniform() - 1.0)).collect();
        let prediction = x.iter().map(|x| 3.0 * x).collect();
        (x, truth, prediction)
    }

    /// A learner of the least kind: the mean loss of the reference rows in the same of twenty bins of x.
    fn learner(x: &[f64], losses: &[Option<f64>]) -> impl Fn(f64) -> f64 {
        let mut bins = [(0.0, 0.0); 20];
        for (x, loss) in x.iter().zip(losses) {
            let bin = &mut bins[(2.0 * x) as usize];
            *bin = (bin.0 + loss.unwrap(), bin.1 + 1.0);
        }
        move |x| bins[(2.0 * x) as usize].0 / bins[(2.0 * x) as usize].1
    }

    #[test]
    fn a_shift_to_harder_rows_is_estimated_within_a_tenth_and_alerts() {
        let (x, truth, prediction) = table(3000, 1, 0.0);
        let chunks = chunks_of_size(truth.len(), 300, Incomplete::Keep).unwrap();
        for metric in [ErrorMetric::Mae, ErrorMetric::Mse, ErrorMetric::Rmse] {
            let dle = Dle::new(metric, (&truth, &prediction), &chunks, 6).unwrap();
            let learned = learner(&x, dle.losses());
            let same: Vec<f64> = x[..300].iter().map(|&x| learned(x)).collect();
            assert_eq!(dle.estimate(&same).alert, Some(false));
            let (x, truth, prediction) = table(1000, 77, 7.0);
            let found = dle.estimate(&x.iter().map(|&x| learned(x)).collect::<Vec<f64>>());
            let realised = RegressionMetrics::measure(&truth, &prediction).unwrap();
            let realised = match metric {
                ErrorMetric::Mae => realised.mae,
                ErrorMetric::Mse => realised.mse,
                _ => realised.rmse,
            };
            let (estimated, realised) = (found.value.unwrap(), realised.unwrap());
            assert!((estimated / realised - 1.0).abs() < 0.1, "{metric:?}: {estimated} for {realised}");
            assert_eq!(found.alert, Some(true), "{metric:?}");
        }
    }

    #[test]
    fn losses_are_those_of_the_metric() {
        let check = |metric: ErrorMetric, truth, prediction, expected: Option<f64>| {
            let found = metric.loss(truth, prediction);
            let near = |(found, expected): (f64, f64)| (found - expected).abs() < 1e-12;
            assert!(
                found.is_none() == expected.is_none() && found.zip(expected).is_none_or(near),
                "{found:?}"
            );
        };
        check(ErrorMetric::Mae, 1.0, 3.0, Some(2.0));
        check(ErrorMetric::Rmse, 1.0, 3.0, Some(4.0));
        check(ErrorMetric::Mape, -2.0, 1.0, Some(1.5));
        check(ErrorMetric::Mape, 0.0, 1.0, None);
        check(ErrorMetric::Rmsle, 0.0, 1.0_f64.exp_m1(), Some(1.0));
        check(ErrorMetric::Msle, 1.0, -1.0, None);
        check(ErrorMetric::Mse, f64::NAN, 1.0, None);
    }

    #[test]
    fn nothing_to_go_by_is_no_value() {
        let dle = Dle::new(ErrorMetric::Rmse, (&[], &[]), &[], 6).unwrap();
        let found = dle.estimate(&[f64::NAN]);
        assert_eq!((found.value, found.sampling_error, found.band, found.alert), (None, None, None, None));
        assert_eq!(ErrorMetric::Rmse.sampling_error(&[0.0, 0.0], 5), Some(0.0));
        assert_eq!(ErrorMetric::Mae.sampling_error(&[1.0], 0), None);
        let chunk = Chunk { key: String::new(), rows: vec![4] };
        assert!(Dle::new(ErrorMetric::Mae, (&[1.0], &[1.0]), &[chunk], 1).is_err());
        assert!(Dle::new(ErrorMetric::Mae, (&[1.0], &[f64::INFINITY]), &[], 1).is_err());
    }
}

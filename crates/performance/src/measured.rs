//! How right a classifier was on rows whose labels are known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use streamflow_stats::{Random, sum};

use crate::bootstrap::{Cells, GROUPS, percentile_intervals};
use crate::confusion::{Confusion, ValueMatrix};
use crate::delong::{self, Auc};
use crate::interval::{Interval, student, wilson};
use crate::metric::{Metric, binary_metrics};
use crate::ranking::{self, Step};
use crate::rows::Rows;
use crate::scores::{self, row_brier_score, row_log_loss};

/// Bins of the calibration errors.
pub const CALIBRATION_BINS: usize = 10;

/// A metric on a chunk of rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeasuredValue {
    /// The value; `None` where the metric is undefined for these rows.
    pub value: Option<f64>,
    /// Its interval; `None` where it has none.
    pub interval: Option<Interval>,
}

/// Every metric of a chunk, and how many rows stand behind them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Rows of the chunk.
    pub rows: usize,
    /// Rows whose label is known.
    pub labelled: usize,
    /// Labelled rows with a score, which the metrics of scores are about.
    pub scored: usize,
    /// Labelled rows with a predicted class, which the metrics of predictions are about.
    pub predicted: usize,
    /// Labelled and scored rows of the positive class.
    pub positives: u64,
    /// Labelled and scored rows of the negative class.
    pub negatives: u64,
    /// Counts of right and wrong predictions; `None` without any.
    pub confusion: Option<Confusion>,
    /// The metrics by name.
    pub metrics: BTreeMap<Metric, MeasuredValue>,
}

/// The labelled rows of a chunk, sorted once: what metrics, intervals and curves are read from.
#[derive(Debug, Clone)]
pub struct Labelled {
    rows: usize,
    labelled: usize,
    /// Ascending, with negative rows first among equal scores.
    pub(crate) scores: Vec<f64>,
    pub(crate) labels: Vec<bool>,
    pub(crate) steps: Vec<Step>,
    confusion: Option<Confusion>,
}

impl Labelled {
    /// Sorts the labelled rows. Metrics of scores are about rows with label and score, those of predictions about rows
    /// with label and predicted class. Linear.
    #[must_use]
    pub fn new(rows: &Rows) -> Self {
        let scored = rows.labels().iter().zip(rows.scores());
        let scored =
            scored.filter_map(|(label, &score)| label.filter(|_| !score.is_nan()).map(|y| (y, score)));
        let steps = ranking::of_labels(scored).expect("rows without a score were left out");
        let count = ranking::totals(&steps);
        let (mut scores, mut labels) = (Vec::new(), Vec::new());
        scores.reserve_exact((count.0 + count.1) as usize);
        labels.reserve_exact((count.0 + count.1) as usize);
        for step in &steps {
            scores.extend(std::iter::repeat_n(step.score, step.rows() as usize));
            labels.extend(std::iter::repeat_n(false, step.negatives as usize));
            labels.extend(std::iter::repeat_n(true, step.positives as usize));
        }
        let judged = rows.labels().iter().zip(rows.predicted());
        let counts = Confusion::of(judged.filter_map(|(&label, &predicted)| label.zip(predicted)));
        let confusion = (counts.rows() > 0.0).then_some(counts);
        Self { rows: rows.len(), labelled: rows.labelled(), scores, labels, steps, confusion }
    }

    /// The area under the ROC curve with DeLong's error; `None` without both classes.
    #[must_use]
    pub fn auc(&self) -> Option<Auc> {
        delong::auc(&self.steps)
    }

    /// Counts of right and wrong predictions; `None` without any.
    #[must_use]
    pub fn confusion(&self) -> Option<&Confusion> {
        self.confusion.as_ref()
    }

    /// One metric; `None` where it is undefined for these rows, and business value without a matrix.
    #[must_use]
    pub fn value(&self, metric: Metric, values: Option<&ValueMatrix>) -> Option<f64> {
        match metric {
            Metric::RocAuc => ranking::roc_auc(&self.steps),
            Metric::Gini => ranking::roc_auc(&self.steps).map(|auc| 2.0 * auc - 1.0),
            Metric::AveragePrecision => ranking::average_precision(&self.steps),
            Metric::Ks => ranking::kolmogorov_smirnov(&self.steps),
            Metric::LogLoss => self.mean_loss(row_log_loss),
            Metric::Brier => self.mean_loss(row_brier_score),
            Metric::EceQuantile10 => self.calibration_gap(scores::quantile_bins),
            Metric::EceUniform10 => self.calibration_gap(scores::uniform_bins),
            _ => self.confusion.as_ref().and_then(|counts| of_counts(metric, counts, values)),
        }
    }

    /// Every metric with its interval.
    ///
    /// AUC and Gini have DeLong's interval, shares Wilson's, the mean losses Student's. F1, F2, balanced accuracy, MCC,
    /// kappa, business value and average precision have percentile bootstraps with 1,000 resamples: the counts of the
    /// confusion matrix are drawn anew, and the rows of each distinct score (of about 512 groups of neighbouring
    /// scores where there are more). Counts have none, nor have KS and the calibration errors, whose resamples lie above
    /// the value. A million rows take a fraction of a second; the result depends on rows and seed alone.
    #[must_use]
    pub fn measure(&self, values: Option<&ValueMatrix>, seed: u64) -> Measured {
        let resampled = self.resampled_counts(values, seed);
        let metrics = binary_metrics().iter().map(|about| {
            let value = self.value(about.metric, values);
            let interval = value.and_then(|value| self.interval(about.metric, value, &resampled, seed));
            (about.metric, MeasuredValue { value, interval })
        });
        let (positives, negatives) = ranking::totals(&self.steps);
        Measured {
            rows: self.rows,
            labelled: self.labelled,
            scored: self.scores.len(),
            predicted: self.confusion.map_or(0, |counts| counts.rows() as usize),
            positives: positives as u64,
            negatives: negatives as u64,
            confusion: self.confusion,
            metrics: metrics.collect(),
        }
    }

    fn mean_loss(&self, loss: fn(bool, f64) -> f64) -> Option<f64> {
        let losses = self.labels.iter().zip(&self.scores).map(|(&label, &score)| loss(label, score));
        (!self.scores.is_empty()).then(|| sum(losses) / self.scores.len() as f64)
    }

    fn calibration_gap(&self, bins: fn(&[f64], usize) -> Vec<std::ops::Range<usize>>) -> Option<f64> {
        scores::calibration_gap(&self.labels, &self.scores, &bins(&self.scores, CALIBRATION_BINS))
    }

    fn interval(
        &self,
        metric: Metric,
        value: f64,
        resampled: &BTreeMap<Metric, Interval>,
        seed: u64,
    ) -> Option<Interval> {
        let counts = self.confusion.unwrap_or_default();
        match metric {
            Metric::RocAuc => self.auc()?.interval,
            Metric::Gini => self
                .auc()?
                .interval
                .map(|auc| Interval { low: 2.0 * auc.low - 1.0, high: 2.0 * auc.high - 1.0 }),
            Metric::AveragePrecision => self.average_precision_interval(value, seed),
            Metric::LogLoss => self.mean_loss_interval(metric, value, row_log_loss),
            Metric::Brier => self.mean_loss_interval(metric, value, row_brier_score),
            Metric::Precision => wilson(counts.true_positive, counts.predicted_positives()),
            Metric::Recall => wilson(counts.true_positive, counts.positives()),
            Metric::Specificity => wilson(counts.true_negative, counts.negatives()),
            Metric::Accuracy => wilson(counts.true_positive + counts.true_negative, counts.rows()),
            Metric::PositiveRate => wilson(counts.positives(), counts.rows()),
            Metric::PredictedPositiveRate => wilson(counts.predicted_positives(), counts.rows()),
            _ => resampled.get(&metric).copied(),
        }
    }

    fn mean_loss_interval(&self, metric: Metric, mean: f64, loss: fn(bool, f64) -> f64) -> Option<Interval> {
        let rows = self.scores.len();
        let squares = self.labels.iter().zip(&self.scores).map(|(&y, &p)| (loss(y, p) - mean).powi(2));
        let error = (sum(squares) / (rows as f64 - 1.0) / rows as f64).sqrt();
        student(mean, error, rows, metric.about().range)
    }

    /// The interval of what joined groups give, moved by what joining them changes.
    fn average_precision_interval(&self, value: f64, seed: u64) -> Option<Interval> {
        let groups = ranking::grouped(&self.steps, GROUPS);
        let shift = value - ranking::average_precision(&groups)?;
        let weights = groups.iter().flat_map(|group| [group.negatives as u64, group.positives as u64]);
        let cells = Cells::new(weights.collect());
        let [interval] = percentile_intervals(seed, |random| {
            let drawn = cells.draw(random);
            let steps: Vec<Step> = drawn
                .chunks_exact(2)
                .map(|pair| Step { score: 0.0, negatives: pair[0] as f64, positives: pair[1] as f64 })
                .collect();
            [ranking::average_precision(&steps)]
        });
        let moved = |interval: Interval| Interval { low: interval.low + shift, high: interval.high + shift };
        interval.and_then(|interval| moved(interval).clipped((0.0, 1.0)))
    }

    /// Intervals of what depends on the four counts alone: drawing four counts is drawing all rows.
    fn resampled_counts(&self, values: Option<&ValueMatrix>, seed: u64) -> BTreeMap<Metric, Interval> {
        const METRICS: [Metric; 6] = [
            Metric::F1,
            Metric::F2,
            Metric::BalancedAccuracy,
            Metric::Mcc,
            Metric::CohenKappa,
            Metric::BusinessValue,
        ];
        let Some(counts) = self.confusion else { return BTreeMap::new() };
        let cells = Cells::new(counts.matrix().as_flattened().iter().map(|&count| count as u64).collect());
        let draw = |random: &mut Random| {
            let drawn = cells.draw(random);
            let count = |cell: usize| drawn[cell] as f64;
            let counts = Confusion::from_matrix([[count(0), count(1)], [count(2), count(3)]]);
            METRICS.map(|metric| of_counts(metric, &counts, values))
        };
        let intervals = percentile_intervals(seed, draw);
        METRICS.into_iter().zip(intervals).filter_map(|(metric, found)| Some((metric, found?))).collect()
    }
}

/// A metric of the confusion matrix; `None` for all others.
pub(crate) fn of_counts(metric: Metric, counts: &Confusion, values: Option<&ValueMatrix>) -> Option<f64> {
    match metric {
        Metric::F1 => counts.f_beta(1.0),
        Metric::F2 => counts.f_beta(2.0),
        Metric::Precision => counts.precision(),
        Metric::Recall => counts.recall(),
        Metric::Specificity => counts.specificity(),
        Metric::Accuracy => counts.accuracy(),
        Metric::BalancedAccuracy => counts.balanced_accuracy(),
        Metric::Mcc => counts.mcc(),
        Metric::CohenKappa => counts.cohen_kappa(),
        Metric::PositiveRate => counts.positive_rate(),
        Metric::PredictedPositiveRate => counts.predicted_positive_rate(),
        Metric::TruePositive => Some(counts.true_positive),
        Metric::TrueNegative => Some(counts.true_negative),
        Metric::FalsePositive => Some(counts.false_positive),
        Metric::FalseNegative => Some(counts.false_negative),
        Metric::BusinessValue => {
            values.map(|values| counts.business_value(values)).filter(|value| value.is_finite())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores that are the probabilities of their labels.
    fn rows(count: usize, seed: u64) -> Rows {
        let mut random = Random::new(seed);
        let scores: Vec<f64> = (0..count).map(|_| random.uniform() * random.uniform()).collect();
        let labels = scores.iter().map(|score| Some(random.uniform() < *score)).collect();
        Rows::at_threshold(labels, scores, 0.3).unwrap()
    }

    #[test]
    fn drawing_counts_is_drawing_rows() {
        let values = [[0.0, -1.0], [-5.0, 10.0]];
        let metrics = [
            Metric::F1,
            Metric::Mcc,
            Metric::BalancedAccuracy,
            Metric::AveragePrecision,
            Metric::BusinessValue,
        ];
        for count in [400, 3000] {
            let all = rows(count, 5);
            let measured = Labelled::new(&all).measure(Some(&values), 1);
            let drawn = percentile_intervals::<5>(2, |random| {
                let chosen: Vec<usize> = (0..count).map(|_| random.below(count as u64) as usize).collect();
                let rows = Labelled::new(&all.select(&chosen).unwrap());
                metrics.map(|metric| rows.value(metric, Some(&values)))
            });
            for (metric, expected) in metrics.into_iter().zip(drawn) {
                let (found, expected) = (measured.metrics[&metric].interval.unwrap(), expected.unwrap());
                let width = expected.high - expected.low;
                // Two quantiles of 1,000 draws each: 0.15 of the width is four of their standard errors.
                let near =
                    (found.low - expected.low).abs().max((found.high - expected.high).abs()) < 0.15 * width;
                assert!(near, "{count} rows, {metric:?}: {found:?} instead of {expected:?}");
            }
        }
    }

    #[test]
    fn intervals_hold_what_is_true_about_as_often_as_they_say() {
        let truth = Labelled::new(&rows(400_000, 1));
        let metrics = [Metric::RocAuc, Metric::AveragePrecision, Metric::F1, Metric::LogLoss, Metric::Recall];
        let mut held = [0; 5];
        for chunk in 0..200 {
            let measured = Labelled::new(&rows(400, 100 + chunk)).measure(None, chunk);
            for (place, metric) in metrics.iter().enumerate() {
                let interval = measured.metrics[metric].interval.unwrap();
                held[place] += u32::from(interval.contains(truth.value(*metric, None).unwrap()));
            }
        }
        // 95 % of 200 are 190, with a standard deviation of 3.
        assert!(held.iter().all(|held| (180..=199).contains(held)), "{held:?}");
    }

    #[test]
    fn rows_without_a_part_leave_what_needs_it() {
        let rows = Rows::new(
            vec![Some(true), Some(false), None, Some(true)],
            vec![Some(true), None, Some(true), Some(false)],
            vec![0.9, 0.2, 0.7, f64::NAN],
        );
        let measured = Labelled::new(&rows.unwrap()).measure(None, 1);
        assert_eq!((measured.rows, measured.labelled, measured.scored, measured.predicted), (4, 3, 2, 2));
        assert_eq!((measured.positives, measured.negatives), (1, 1));
        assert_eq!(measured.metrics[&Metric::RocAuc].value, Some(1.0));
        assert_eq!(measured.metrics[&Metric::Recall].value, Some(0.5));
        assert_eq!(measured.metrics[&Metric::BusinessValue].value, None);
    }

    #[test]
    fn no_rows_and_one_row_have_no_made_up_metrics() {
        let none = Labelled::new(&Rows::default()).measure(Some(&[[1.0; 2]; 2]), 1);
        assert!(
            none.metrics.values().all(|found| found.value.is_none() && found.interval.is_none()),
            "{none:?}"
        );
        let one = Rows::at_threshold(vec![Some(true)], vec![0.8], 0.5).unwrap();
        let one = Labelled::new(&one);
        assert!(one.auc().is_none() && one.measure(None, 1).metrics[&Metric::Mcc].value.is_none());
        let senseless = [[f64::NAN, 1.0], [f64::INFINITY, 1.0]];
        assert_eq!(one.value(Metric::BusinessValue, Some(&senseless)), None);
    }
}

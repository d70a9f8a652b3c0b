//! How right a classifier of several classes was, each metric with its interval, and its table of classes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use streamflow_stats::Random;

use crate::bootstrap::{Cells, percentile_intervals};
use crate::delong;
use crate::error::Error;
use crate::interval::{Interval, normal_quantile, wilson};
use crate::measured::MeasuredValue;
use crate::measured_values::mean_interval;
use crate::metric::Metric;
use crate::multiclass::{MulticlassMetrics, numbers, of_confusion};
use crate::ranking;

/// The metrics of a classifier of several classes on a chunk of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredClasses {
    /// Rows measured.
    pub rows: usize,
    /// The metrics of [`Metric::MULTICLASS`].
    pub metrics: BTreeMap<Metric, MeasuredValue>,
    /// Rows of each actual class down, of each predicted class across.
    pub confusion: Vec<Vec<u64>>,
    /// What is known of each class.
    pub classes: Vec<ClassRow>,
}

/// One class against all others; a value is `None` where it is undefined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassRow {
    /// Rows of the class.
    pub rows: u64,
    /// Share of right predictions among those of the class.
    pub precision: Option<f64>,
    /// Share of the rows of the class that are found.
    pub recall: Option<f64>,
    /// Harmonic mean of the two.
    pub f1: Option<f64>,
    /// Area under the ROC curve of the class against all others.
    pub roc_auc: Option<f64>,
}

impl MeasuredClasses {
    /// Measures rows given by actual class and the probability of each class. A class that a model does not know has the
    /// probability 0 everywhere.
    ///
    /// Accuracy has Wilson's interval, log loss Student's, what the confusion matrix gives percentile bootstraps with 1,000
    /// resamples of its cells. The mean area has the mean of the classes' DeLong errors, which is the largest error that
    /// the mean can have, and leaves classes without rows out, where scikit-learn refuses. The result depends on rows and
    /// seed alone.
    ///
    /// # Errors
    /// As [`MulticlassMetrics::measure`].
    pub fn measure(actual: &[usize], probabilities: &[Vec<f64>], seed: u64) -> Result<Self, Error> {
        let found = MulticlassMetrics::measure(actual, probabilities)?;
        let areas = Areas::new(actual, probabilities, found.confusion.len());
        let (counts, resampled) = (numbers(&found.confusion), resampled(&found.confusion, seed));
        let metrics = Metric::MULTICLASS.map(|metric| {
            let (value, interval) = match metric {
                Metric::LogLoss => (found.log_loss, loss_interval(actual, probabilities, found.log_loss)),
                Metric::Accuracy => {
                    let right: u64 =
                        (0..found.confusion.len()).map(|class| found.confusion[class][class]).sum();
                    (found.accuracy, wilson(right as f64, found.rows as f64))
                }
                Metric::RocAucOvr => areas.mean(),
                _ => (of_confusion(metric, &counts), resampled.get(&metric).copied()),
            };
            (metric, MeasuredValue { value, interval: interval.filter(|_| value.is_some()) })
        });
        let classes = (0..found.confusion.len()).map(|class| ClassRow {
            rows: found.confusion[class].iter().sum(),
            precision: found.precision.classes[class],
            recall: found.recall.classes[class],
            f1: found.f1.classes[class],
            roc_auc: found.roc_auc_ovr.classes[class],
        });
        Ok(Self {
            rows: found.rows,
            metrics: metrics.into(),
            classes: classes.collect(),
            confusion: found.confusion,
        })
    }
}

/// The log loss of one row, its probability clipped as that of [`MulticlassMetrics::log_loss`].
///
/// # Panics
/// Where the class has no probability.
#[must_use]
pub fn row_class_loss(class: usize, probabilities: &[f64]) -> f64 {
    -probabilities[class].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

fn loss_interval(actual: &[usize], probabilities: &[Vec<f64>], mean: Option<f64>) -> Option<Interval> {
    let losses = actual.iter().zip(probabilities).map(|(&class, row)| row_class_loss(class, row));
    mean_interval(losses, mean?, Metric::LogLoss.about().range)
}

/// Intervals of what depends on the confusion matrix alone: drawing its cells is drawing all rows.
fn resampled(confusion: &[Vec<u64>], seed: u64) -> BTreeMap<Metric, Interval> {
    const METRICS: [Metric; 5] =
        [Metric::MacroF1, Metric::WeightedF1, Metric::BalancedAccuracy, Metric::Mcc, Metric::CohenKappa];
    let classes = confusion.len();
    if confusion.iter().flatten().sum::<u64>() == 0 {
        return BTreeMap::new();
    }
    let cells = Cells::new(confusion.iter().flatten().copied().collect());
    let draw = |random: &mut Random| {
        let drawn = cells.draw(random);
        let drawn: Vec<Vec<f64>> =
            drawn.chunks(classes).map(|row| row.iter().map(|&n| n as f64).collect()).collect();
        METRICS.map(|metric| of_confusion(metric, &drawn))
    };
    let intervals = percentile_intervals(seed, draw);
    METRICS.into_iter().zip(intervals).filter_map(|(metric, found)| Some((metric, found?))).collect()
}

/// The areas of the classes that have rows and others beside them.
struct Areas(Vec<delong::Auc>);

impl Areas {
    fn new(actual: &[usize], probabilities: &[Vec<f64>], classes: usize) -> Self {
        let area = |class: usize| {
            let rows = actual.iter().zip(probabilities).map(|(&label, row)| (label == class, row[class]));
            delong::auc(&ranking::of_labels(rows)?)
        };
        Self((0..classes).filter_map(area).collect())
    }

    fn mean(&self) -> (Option<f64>, Option<Interval>) {
        if self.0.is_empty() {
            return (None, None);
        }
        let classes = self.0.len() as f64;
        let value = self.0.iter().map(|auc| auc.value).sum::<f64>() / classes;
        let errors: Option<Vec<f64>> = self.0.iter().map(|auc| auc.standard_error).collect();
        let reach = errors.map(|errors| normal_quantile() * errors.iter().sum::<f64>() / classes);
        (Some(value), reach.and_then(|reach| Interval::around(value, reach, (0.0, 1.0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose probabilities are right: the class is drawn by them.
    fn rows(seed: u64, n: usize) -> (Vec<usize>, Vec<Vec<f64>>) {
        let mut random = Random::new(seed);
        let mut unit = || random.below(1 << 53) as f64 / (1_u64 << 53) as f64;
        let row = |_| {
            let weights = [unit() + 0.05, unit() + 0.05, unit() + 0.05];
            let total: f64 = weights.iter().sum();
            let row = weights.map(|weight| weight / total).to_vec();
            let drawn = unit();
            let class = usize::from(drawn >= row[0]) + usize::from(drawn >= row[0] + row[1]);
            (class, row)
        };
        (0..n).map(row).unzip()
    }

    #[test]
    fn intervals_hold_what_many_rows_have() {
        let (actual, probabilities) = rows(99, 200_000);
        let truth = MeasuredClasses::measure(&actual, &probabilities, 1).unwrap().metrics;
        let mut held: BTreeMap<Metric, u64> = BTreeMap::new();
        for repeat in 0..100 {
            let (actual, probabilities) = rows(repeat, 500);
            let found = MeasuredClasses::measure(&actual, &probabilities, 1).unwrap();
            for (metric, measured) in &found.metrics {
                let expected = truth[metric].value.unwrap();
                *held.entry(*metric).or_default() += u64::from(measured.interval.unwrap().contains(expected));
            }
        }
        // 95 of 100, with a standard deviation of 2.2; the area's interval is wider than it need be.
        assert!(held.values().all(|held| *held >= 88), "{held:?}");
        assert_eq!(held.len(), Metric::MULTICLASS.len());
    }

    #[test]
    fn a_class_that_the_model_does_not_know_is_always_wrong() {
        let probabilities = vec![vec![0.7, 0.3, 0.0], vec![0.2, 0.8, 0.0], vec![0.6, 0.4, 0.0]];
        let found = MeasuredClasses::measure(&[0, 1, 2], &probabilities, 1).unwrap();
        assert_eq!(found.confusion[2], [1, 0, 0]);
        assert_eq!((found.classes[2].recall, found.classes[2].roc_auc), (Some(0.0), Some(0.5)));
        assert!((found.metrics[&Metric::Accuracy].value.unwrap() - 2.0 / 3.0).abs() < 1e-15);
        assert!(found.metrics[&Metric::LogLoss].value.unwrap() > 36.0 / 3.0);
    }

    #[test]
    fn a_class_without_rows_leaves_the_means() {
        let probabilities = vec![vec![0.7, 0.2, 0.1], vec![0.2, 0.7, 0.1]];
        let found = MeasuredClasses::measure(&[0, 1], &probabilities, 1).unwrap();
        assert_eq!(found.metrics[&Metric::RocAucOvr].value, Some(1.0));
        assert_eq!(found.metrics[&Metric::MacroF1].value, Some(1.0));
        assert_eq!(found.classes[2].roc_auc, None);
        let none = MeasuredClasses::measure(&[], &[], 1).unwrap();
        assert!(none.metrics.values().all(|found| found.value.is_none() && found.interval.is_none()));
    }
}

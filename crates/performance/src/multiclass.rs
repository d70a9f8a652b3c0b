//! How right a classifier of several classes was.

use serde::{Deserialize, Serialize};

use crate::confusion::ratio;
use crate::error::{self, Error};
use crate::metric::Metric;
use crate::regression::mean;
use crate::scores::roc_auc_score;

/// A metric of each class, brought together in three ways. Undefined classes leave the means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByClass {
    /// Of each class; `None` where it is undefined.
    pub classes: Vec<Option<f64>>,
    /// Mean over classes.
    pub r#macro: Option<f64>,
    /// Mean over classes, weighted with their rows.
    pub weighted: Option<f64>,
}

/// The metrics of a classifier of several classes.
///
/// Oracle: the functions of `sklearn.metrics` with `zero_division=nan`, scikit-learn 1.9.1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MulticlassMetrics {
    /// Rows measured.
    pub rows: usize,
    /// Rows of each actual class down, of each predicted class across.
    pub confusion: Vec<Vec<u64>>,
    /// Share of rows predicted right: `accuracy_score`. Precision, recall and F1 over all classes ("micro") are the same.
    pub accuracy: Option<f64>,
    /// Mean recall of the classes that have rows: `balanced_accuracy_score`.
    pub balanced_accuracy: Option<f64>,
    /// Mean −ln of the probability of the actual class, clipped to [2⁻⁵², 1 − 2⁻⁵²]: `log_loss`.
    pub log_loss: Option<f64>,
    /// Gorodkin's correlation of actual and predicted class (2004, doi:10.1016/j.compbiolchem.2004.09.006):
    /// `matthews_corrcoef`. `None` when either is constant.
    pub mcc: Option<f64>,
    /// Agreement beyond chance: `cohen_kappa_score`.
    pub cohen_kappa: Option<f64>,
    /// Share of right predictions among those of a class.
    pub precision: ByClass,
    /// Share of the rows of a class that are found.
    pub recall: ByClass,
    /// Harmonic mean of the two.
    pub f1: ByClass,
    /// Area under the ROC curve of each class against all others: `roc_auc_score(multi_class="ovr")`. Its macro mean is
    /// `None` when a class is.
    pub roc_auc_ovr: ByClass,
    /// Mean over pairs of classes of the area within the pair (D. Hand and R. Till, 2001, doi:10.1023/A:1010920819831):
    /// `roc_auc_score(multi_class="ovo")`, of the pairs that have rows of both.
    pub roc_auc_ovo_macro: Option<f64>,
    /// The same, weighted with the rows of the pairs.
    pub roc_auc_ovo_weighted: Option<f64>,
}

impl MulticlassMetrics {
    /// Measures rows given by actual class and the probability of each class; the class with the largest probability is
    /// predicted, the first of several. O(classes² · n log n).
    ///
    /// # Errors
    /// [`Error::Unaligned`] also for rows of probabilities of different lengths, [`Error::UnknownClass`],
    /// [`Error::NotAProbability`] also for NaN.
    pub fn measure(actual: &[usize], probabilities: &[Vec<f64>]) -> Result<Self, Error> {
        let classes = check(actual, probabilities)?;
        let predicted: Vec<usize> = probabilities.iter().map(|row| largest(row)).collect();
        let mut confusion = vec![vec![0_u64; classes]; classes];
        for (&actual, &predicted) in actual.iter().zip(&predicted) {
            confusion[actual][predicted] += 1;
        }
        let counts = Counts::new(&numbers(&confusion));
        let recall = ByClass::new(|class| ratio(counts.right[class], counts.actual[class]), &counts);
        let losses = actual
            .iter()
            .zip(probabilities)
            .map(|(&class, row)| -row[class].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln());
        let (ovo_macro, ovo_weighted) = one_against_one(actual, probabilities, &counts);
        Ok(Self {
            rows: actual.len(),
            accuracy: ratio(counts.right.iter().sum(), counts.rows),
            balanced_accuracy: recall.r#macro,
            log_loss: mean(losses),
            mcc: counts.mcc(),
            cohen_kappa: counts.kappa(),
            precision: ByClass::new(|class| ratio(counts.right[class], counts.predicted[class]), &counts),
            recall,
            f1: ByClass::new(
                |class| ratio(2.0 * counts.right[class], counts.actual[class] + counts.predicted[class]),
                &counts,
            ),
            roc_auc_ovr: one_against_rest(actual, probabilities, &counts),
            roc_auc_ovo_macro: ovo_macro,
            roc_auc_ovo_weighted: ovo_weighted,
            confusion,
        })
    }
}

/// Counts as numbers, which expected counts are from the start.
pub(crate) fn numbers(confusion: &[Vec<u64>]) -> Vec<Vec<f64>> {
    confusion.iter().map(|row| row.iter().map(|&count| count as f64).collect()).collect()
}

/// A metric of the confusion matrix; `None` for all others.
pub(crate) fn of_confusion(metric: Metric, confusion: &[Vec<f64>]) -> Option<f64> {
    let counts = Counts::new(confusion);
    let f1 = |class| ratio(2.0 * counts.right[class], counts.actual[class] + counts.predicted[class]);
    match metric {
        Metric::MacroF1 => ByClass::new(f1, &counts).r#macro,
        Metric::WeightedF1 => ByClass::new(f1, &counts).weighted,
        Metric::BalancedAccuracy => {
            ByClass::new(|class| ratio(counts.right[class], counts.actual[class]), &counts).r#macro
        }
        Metric::Mcc => counts.mcc(),
        Metric::CohenKappa => counts.kappa(),
        _ => None,
    }
}

/// The number of classes of valid rows.
fn check(actual: &[usize], probabilities: &[Vec<f64>]) -> Result<usize, Error> {
    error::aligned(("the probabilities", probabilities.len()), ("the actual classes", actual.len()))?;
    let classes = probabilities.first().map_or(0, Vec::len);
    for (row, (&class, values)) in actual.iter().zip(probabilities).enumerate() {
        let first = ("those of the first row", classes);
        error::aligned(("the probabilities of a row", values.len()), first)?;
        if class >= classes {
            return Err(Error::UnknownClass { row, class, classes });
        }
        if let Some(&value) = values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            return Err(Error::NotAProbability { what: "probability", row, value });
        }
    }
    Ok(classes)
}

/// The class of the largest probability, the first of several.
pub(crate) fn largest(row: &[f64]) -> usize {
    (0..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}

/// Margins of a confusion matrix.
struct Counts {
    rows: f64,
    right: Vec<f64>,
    actual: Vec<f64>,
    predicted: Vec<f64>,
}

impl Counts {
    fn new(confusion: &[Vec<f64>]) -> Self {
        let classes = 0..confusion.len();
        let actual: Vec<f64> = confusion.iter().map(|row| row.iter().sum()).collect();
        Self {
            rows: actual.iter().sum(),
            right: classes.clone().map(|class| confusion[class][class]).collect(),
            actual,
            predicted: classes.map(|class| confusion.iter().map(|row| row[class]).sum()).collect(),
        }
    }

    fn dot(left: &[f64], right: &[f64]) -> f64 {
        left.iter().zip(right).map(|(left, right)| left * right).sum()
    }

    fn mcc(&self) -> Option<f64> {
        let squares = self.rows * self.rows;
        let covariance =
            self.right.iter().sum::<f64>() * self.rows - Self::dot(&self.actual, &self.predicted);
        let of_actual = squares - Self::dot(&self.actual, &self.actual);
        let of_predicted = squares - Self::dot(&self.predicted, &self.predicted);
        ratio(covariance, of_actual.sqrt() * of_predicted.sqrt())
    }

    fn kappa(&self) -> Option<f64> {
        let agreed = ratio(self.right.iter().sum(), self.rows)?;
        let by_chance = Self::dot(&self.actual, &self.predicted) / (self.rows * self.rows);
        ratio(agreed - by_chance, 1.0 - by_chance)
    }
}

impl ByClass {
    fn new(of: impl Fn(usize) -> Option<f64>, counts: &Counts) -> Self {
        let classes: Vec<Option<f64>> = (0..counts.actual.len()).map(of).collect();
        let weighted = mean_weighted(classes.iter().copied().zip(counts.actual.iter().copied()));
        Self { r#macro: mean_weighted(classes.iter().map(|value| (*value, 1.0))), weighted, classes }
    }
}

/// Mean of the defined values; `None` without weight.
fn mean_weighted(values: impl Iterator<Item = (Option<f64>, f64)>) -> Option<f64> {
    let (mut sum, mut weights) = (0.0, 0.0);
    for (value, weight) in values {
        if let Some(value) = value {
            sum += weight * value;
            weights += weight;
        }
    }
    ratio(sum, weights)
}

fn one_against_rest(actual: &[usize], probabilities: &[Vec<f64>], counts: &Counts) -> ByClass {
    let area = |class: usize| {
        let labels: Vec<bool> = actual.iter().map(|&label| label == class).collect();
        let scores: Vec<f64> = probabilities.iter().map(|row| row[class]).collect();
        roc_auc_score(&labels, &scores)
    };
    let mut areas = ByClass::new(area, counts);
    if areas.classes.iter().any(Option::is_none) {
        areas.r#macro = None;
    }
    areas
}

/// Macro and weighted mean over pairs of classes.
fn one_against_one(
    actual: &[usize],
    probabilities: &[Vec<f64>],
    counts: &Counts,
) -> (Option<f64>, Option<f64>) {
    let within = |first: usize, second: usize| {
        let rows: Vec<usize> =
            (0..actual.len()).filter(|&row| actual[row] == first || actual[row] == second).collect();
        let labels: Vec<bool> = rows.iter().map(|&row| actual[row] == first).collect();
        let others: Vec<bool> = labels.iter().map(|label| !label).collect();
        let scores =
            |class: usize| -> Vec<f64> { rows.iter().map(|&row| probabilities[row][class]).collect() };
        let both = (roc_auc_score(&labels, &scores(first)), roc_auc_score(&others, &scores(second)));
        both.0.zip(both.1).map(|(first, second)| 0.5 * (first + second))
    };
    let classes = counts.actual.len();
    let pairs = (0..classes).flat_map(|first| (first + 1..classes).map(move |second| (first, second)));
    let areas: Vec<(Option<f64>, f64)> = pairs
        .map(|(first, second)| (within(first, second), counts.actual[first] + counts.actual[second]))
        .collect();
    (mean_weighted(areas.iter().map(|(area, _)| (*area, 1.0))), mean_weighted(areas.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_do_not_fit_are_refused() {
        let check = |actual: &[usize], probabilities: &[Vec<f64>], message: &str| {
            let error = MulticlassMetrics::measure(actual, probabilities).unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
        };
        check(&[0], &[], "the probabilities have 0 rows and the actual classes have 1;");
        check(
            &[2],
            &[vec![0.5, 0.5]],
            "row 0 has the class 2, but there are probabilities for 2 classes only",
        );
        check(&[0, 0], &[vec![0.5, 0.5], vec![1.0]], "the probabilities of a row have 1 rows");
        check(&[0], &[vec![f64::NAN, 0.5]], "row 0 has the probability NaN, expected a probability");
    }

    #[test]
    fn no_rows_and_one_class_have_no_made_up_metrics() {
        let none = MulticlassMetrics::measure(&[], &[]).unwrap();
        assert_eq!(
            (none.accuracy, none.log_loss, none.mcc, none.roc_auc_ovo_macro),
            (None, None, None, None)
        );
        let one = MulticlassMetrics::measure(&[0, 0], &[vec![1.0], vec![1.0]]).unwrap();
        assert_eq!((one.accuracy, one.mcc, one.cohen_kappa), (Some(1.0), None, None));
        assert_eq!(one.roc_auc_ovr.r#macro, None);
    }
}

//! What the probabilities of a classifier of several classes say of its performance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::class_bands::{Cells, class_errors};
use super::{Calibration, Calibrator, EstimatedValue};
use crate::delong::{self, Components};
use crate::error::{self, Error};
use crate::interval::{Interval, normal_quantile};
use crate::metric::Metric;
use crate::multiclass::{largest, of_confusion};
use crate::ranking;
use crate::rows::Rows;

/// Labelled rows that the model was not trained on.
#[derive(Debug, Clone, Copy)]
pub struct ClassReference<'a> {
    /// The names of the model's classes.
    pub classes: &'a [String],
    /// The class of each row, an index into `classes`; one beyond them is of a class that the model does not know.
    pub actual: &'a [usize],
    /// The model's probability of each class by row; what follows those of `classes` is not looked at.
    pub probabilities: &'a [Vec<f64>],
    /// A number per row; see [`Calibration::decide`].
    pub folds: &'a [u32],
}

/// How the performance of several classes is estimated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassCbpeSettings {
    /// Expected rows of a class, and of all others together, below which the mean area is not shown.
    pub min_of_each_class: f64,
    /// Seed of drawn bands.
    pub seed: u64,
}

impl Default for ClassCbpeSettings {
    fn default() -> Self {
        Self { min_of_each_class: 30.0, seed: 0 }
    }
}

/// An estimator of performance without labels, of several classes.
///
/// Each class is calibrated against all others as [`super::Cbpe`] does it, and the probabilities of a row are divided by
/// their sum; the result is taken as the chance of each class. As blind to a changed relation of inputs and label as that of
/// two classes.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassCbpe {
    names: Vec<String>,
    calibrations: Vec<Calibration>,
    /// DeLong's components of each class against the others, and its share of the rows.
    errors: Vec<Option<(Components, f64)>>,
    settings: ClassCbpeSettings,
}

/// The estimated metrics of a chunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EstimatedClasses {
    /// Rows of the chunk.
    pub rows: usize,
    /// Expected rows of each class.
    pub expected: Vec<f64>,
    /// The estimates of [`Metric::MULTICLASS`].
    pub metrics: BTreeMap<Metric, EstimatedValue>,
}

impl ClassCbpe {
    /// Learns calibration and errors from a labelled reference.
    ///
    /// # Errors
    /// [`Error::Unaligned`], [`Error::NotAProbability`], and as [`Calibration::decide`].
    pub fn fit(reference: ClassReference<'_>, settings: ClassCbpeSettings) -> Result<Self, Error> {
        let of_class = |class| Calibration::decide(&reference.against_others(class)?, reference.folds);
        let calibrations = (0..reference.classes.len()).map(of_class).collect::<Result<_, _>>()?;
        Self::with_calibrations(reference, calibrations, settings)
    }

    /// As [`ClassCbpe::fit`], with calibrations that were decided before, one a class.
    ///
    /// # Errors
    /// [`Error::Unaligned`], [`Error::NotAProbability`].
    pub fn with_calibrations(
        reference: ClassReference<'_>,
        calibrations: Vec<Calibration>,
        settings: ClassCbpeSettings,
    ) -> Result<Self, Error> {
        let names = reference.classes.to_vec();
        error::aligned(("the calibrations", calibrations.len()), ("the classes", names.len()))?;
        let errors = (0..names.len()).map(|class| reference.area_error(class)).collect::<Result<_, _>>()?;
        Ok(Self { names, calibrations, errors, settings })
    }

    /// The calibration of each class.
    #[must_use]
    pub fn calibrations(&self) -> &[Calibration] {
        &self.calibrations
    }

    /// The chances of a row's classes: calibrated probabilities divided by their sum, all equal where it is 0. Without any
    /// calibration they are the probabilities themselves.
    fn chances(&self, row: &[f64]) -> Vec<f64> {
        let calibrators = self.calibrations.iter().map(|calibration| &calibration.calibrator);
        if calibrators.clone().all(|calibrator| *calibrator == Calibrator::None) {
            return row.to_vec();
        }
        let mut chances: Vec<f64> =
            calibrators.zip(row).map(|(calibrator, &score)| calibrator.probability(score)).collect();
        let (sum, equal) = (chances.iter().sum::<f64>(), 1.0 / row.len() as f64);
        chances.iter_mut().for_each(|chance| *chance = if sum > 0.0 { *chance / sum } else { equal });
        chances
    }

    /// Estimates the metrics of a chunk from the probability of each class by row.
    ///
    /// The class with the largest probability is predicted. Counts are sums of chances: of actual class k and predicted
    /// class j the sum of k's chance over the rows predicted j; accuracy, F1 and the others follow from them. The mean area
    /// is that of the classes' areas against all others, each ranked by the raw probability. Log loss is the mean of
    /// Σ −chance·ln(probability). O(classes · n log n).
    ///
    /// Accuracy and log loss have bands of the labels' own variance, which are exact; the mean area has the mean of the
    /// classes' DeLong errors from the reference, the largest that a mean can have; for the others labels are drawn 1,000
    /// times.
    ///
    /// Oracle: NannyML 0.13.1 `CBPE(problem_type="classification_multiclass")`; its recall is `balanced_accuracy`.
    ///
    /// # Errors
    /// [`Error::Unaligned`] for a row without a probability for each class, [`Error::NotAProbability`].
    pub fn estimate(&self, probabilities: &[Vec<f64>]) -> Result<EstimatedClasses, Error> {
        let chunk = self.chunk(probabilities)?;
        let classes = self.names.len();
        let mut confusion = vec![vec![0.0; classes]; classes];
        for row in &chunk {
            for (counts, chance) in confusion.iter_mut().zip(&row.chances) {
                counts[row.predicted] += chance;
            }
        }
        let expected: Vec<f64> = confusion.iter().map(|counts| counts.iter().sum()).collect();
        let [accuracy, log_loss] = class_errors(&chunk);
        let drawn = Cells::new(&chunk, classes).bands(self.settings.seed);
        let metrics = Metric::MULTICLASS.map(|metric| {
            let found = match metric {
                Metric::Accuracy => normal(metric, accuracy),
                Metric::LogLoss => normal(metric, log_loss),
                Metric::RocAucOvr => self.area(&chunk, &expected),
                _ => match of_confusion(metric, &confusion) {
                    Some(value) => EstimatedValue {
                        value: Some(value),
                        sampling_error: None,
                        band: drawn.get(&metric).copied(),
                        reason: None,
                    },
                    None => undefined(metric, chunk.len()),
                },
            };
            (metric, found)
        });
        Ok(EstimatedClasses { rows: chunk.len(), expected, metrics: metrics.into() })
    }

    /// The rows in an order that does not depend on that of the table, so that no sum does.
    fn chunk(&self, probabilities: &[Vec<f64>]) -> Result<Vec<ClassChances>, Error> {
        let mut chunk = Vec::with_capacity(probabilities.len());
        for row in probabilities {
            let classes = ("the classes of the model", self.names.len());
            error::aligned(("the probabilities of a row", row.len()), classes)?;
            if let Some(&value) = row.iter().find(|value| !(0.0..=1.0).contains(*value)) {
                return Err(Error::NotAProbability { what: "probability", row: chunk.len(), value });
            }
            chunk.push(ClassChances {
                chances: self.chances(row),
                predicted: largest(row),
                scores: row.clone(),
            });
        }
        let by_score = |a: &ClassChances, b: &ClassChances| {
            let pairs = a.scores.iter().zip(&b.scores);
            pairs
                .map(|(a, b)| a.total_cmp(b))
                .find(|order| order.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        };
        chunk.sort_unstable_by(by_score);
        Ok(chunk)
    }

    /// The mean of the classes' areas; none where a class has too few expected rows.
    fn area(&self, chunk: &[ClassChances], expected: &[f64]) -> EstimatedValue {
        let rows = chunk.len() as f64;
        let least = self.settings.min_of_each_class;
        let few = |(_, expected): &(&String, &f64)| **expected < least || rows - **expected < least;
        if let Some((name, expected)) = self.names.iter().zip(expected).find(few) {
            return EstimatedValue::missing(format!(
                "{expected:.1} rows of the class {name} and {:.1} others are expected, {least} of each are needed.",
                rows - expected
            ));
        }
        let area = |class: usize| {
            let rows = chunk.iter().map(|row| (row.scores[class], row.chances[class])).collect();
            ranking::roc_auc(&ranking::of_probabilities(rows))
        };
        let areas: Option<Vec<f64>> = (0..self.names.len()).map(area).collect();
        let Some(areas) = areas.filter(|areas| !areas.is_empty()) else {
            return undefined(Metric::RocAucOvr, chunk.len());
        };
        let classes = areas.len() as f64;
        let error = |known: &Option<(Components, f64)>| {
            known.map(|(parts, share)| parts.standard_error(rows * share, rows * (1.0 - share)))
        };
        let errors: Option<Vec<f64>> = self.errors.iter().map(error).collect();
        let (value, error) =
            (areas.iter().sum::<f64>() / classes, errors.map(|errors| errors.iter().sum::<f64>() / classes));
        normal(Metric::RocAucOvr, Some((value, error)))
    }
}

impl ClassReference<'_> {
    /// The rows of one class against all others.
    fn against_others(&self, class: usize) -> Result<Rows, Error> {
        let (known, rows) = (self.classes.len(), self.probabilities.len());
        error::aligned(("the actual classes", self.actual.len()), ("the rows of the reference", rows))?;
        if let Some(row) = self.probabilities.iter().find(|row| row.len() < known) {
            error::aligned(("the probabilities of a row", row.len()), ("the classes of the model", known))?;
        }
        let labels = self.actual.iter().map(|&actual| Some(actual == class)).collect();
        // The threshold predicts nothing here: classes are predicted together.
        Rows::at_threshold(labels, self.probabilities.iter().map(|row| row[class]).collect(), 0.5)
    }

    fn area_error(&self, class: usize) -> Result<Option<(Components, f64)>, Error> {
        let rows = self.against_others(class)?;
        let labelled = rows.labels().iter().zip(rows.scores()).map(|(label, &p)| (*label == Some(true), p));
        let parts = ranking::of_labels(labelled).and_then(|steps| {
            let (positives, negatives) = ranking::totals(&steps);
            Some((delong::components(&steps)?, positives / (positives + negatives)))
        });
        Ok(parts)
    }
}

/// A row without a label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClassChances {
    /// The raw probability of each class.
    pub scores: Vec<f64>,
    /// The chance of each.
    pub chances: Vec<f64>,
    pub predicted: usize,
}

/// A value with its standard error, and the band that follows.
fn normal(metric: Metric, found: Option<(f64, Option<f64>)>) -> EstimatedValue {
    let Some((value, sampling_error)) = found else { return undefined(metric, 0) };
    let reach = |error: f64| Interval::around(value, normal_quantile() * error, metric.about().range);
    EstimatedValue { value: Some(value), sampling_error, band: sampling_error.and_then(reach), reason: None }
}

fn undefined(metric: Metric, rows: usize) -> EstimatedValue {
    EstimatedValue::missing(match rows {
        0 => "There is no row.".to_owned(),
        _ => format!("{} is undefined for these rows: it would divide by 0.", metric.name()),
    })
}

#[cfg(test)]
mod tests {
    use streamflow_stats::Random;

    use super::*;
    use crate::measured_classes::MeasuredClasses;

    /// Rows whose probabilities are right: the class is drawn by them; those of the last class grow with the shift.
    fn rows(seed: u64, n: usize, shift: f64) -> (Vec<usize>, Vec<Vec<f64>>) {
        let mut random = Random::new(seed);
        let row = |_| {
            let weights = [0.05, 0.05, 0.05 + shift].map(|least| least + random.uniform());
            let total: f64 = weights.iter().sum();
            let row = weights.map(|weight| weight / total).to_vec();
            let drawn = random.uniform();
            (usize::from(drawn >= row[0]) + usize::from(drawn >= row[0] + row[1]), row)
        };
        (0..n).map(row).unzip()
    }

    fn names() -> Vec<String> {
        ["basic", "plus", "premium"].map(str::to_owned).to_vec()
    }

    /// An estimator whose reference says of each probability what `stated` makes of it.
    fn estimator(stated: impl Fn(&[f64]) -> Vec<f64>) -> ClassCbpe {
        let (actual, probabilities) = rows(1, 6000, 0.0);
        let probabilities: Vec<Vec<f64>> = probabilities.iter().map(|row| stated(row)).collect();
        let folds: Vec<u32> = (0..6000).map(|row| row % 10).collect();
        let classes = names();
        let reference = ClassReference {
            classes: &classes,
            actual: &actual,
            probabilities: &probabilities,
            folds: &folds,
        };
        ClassCbpe::fit(reference, ClassCbpeSettings::default()).unwrap()
    }

    #[test]
    fn bands_hold_realised_values_about_as_often_as_they_say() {
        let cbpe = estimator(<[f64]>::to_vec);
        let mut held = BTreeMap::<Metric, u32>::new();
        for chunk in 0..200 {
            let (actual, probabilities) = rows(100 + chunk, 400, 0.3);
            let realised = MeasuredClasses::measure(&actual, &probabilities, 1).unwrap().metrics;
            for (metric, found) in cbpe.estimate(&probabilities).unwrap().metrics {
                let realised = realised[&metric].value.unwrap();
                *held.entry(metric).or_default() += u32::from(found.band.unwrap().contains(realised));
            }
        }
        // 95 % of 200 are 190, with a standard deviation of 3; the band of the area is wider than it need be.
        let area = held.remove(&Metric::RocAucOvr).unwrap();
        assert!(area >= 184, "{area}");
        assert!(held.len() == 7 && held.values().all(|held| (180..=199).contains(held)), "{held:?}");
    }

    #[test]
    fn probabilities_that_are_too_bold_are_calibrated_before_they_are_believed() {
        let bold = |row: &[f64]| {
            let cubes: Vec<f64> = row.iter().map(|p| p.powi(3)).collect();
            let sum: f64 = cubes.iter().sum();
            cubes.iter().map(|cube| cube / sum).collect::<Vec<f64>>()
        };
        let cbpe = estimator(bold);
        assert!(cbpe.calibrations().iter().all(|found| found.calibrator != Calibrator::None));
        let (actual, right) = rows(9, 20_000, 0.0);
        let stated: Vec<Vec<f64>> = right.iter().map(|row| bold(row)).collect();
        let found = cbpe.estimate(&stated).unwrap();
        let realised = MeasuredClasses::measure(&actual, &stated, 1).unwrap();
        for (metric, estimated) in &found.metrics {
            let (estimated, realised) = (estimated.value.unwrap(), realised.metrics[metric].value.unwrap());
            // Classes are calibrated one by one, which does not see how they depend on one another.
            assert!((estimated - realised).abs() < 0.04, "{metric:?}: {estimated} for {realised}");
        }
        let blind = stated.iter().map(|row| row.iter().fold(0.0, |a: f64, &b| a.max(b))).sum::<f64>();
        let accuracy = found.metrics[&Metric::Accuracy].value.unwrap();
        assert!(blind / 20_000.0 - accuracy > 0.1, "{blind} {accuracy}");
    }

    #[test]
    fn the_order_of_the_rows_does_not_show() {
        let cbpe = estimator(<[f64]>::to_vec);
        let (_, mut probabilities) = rows(5, 300, 0.0);
        let found = cbpe.estimate(&probabilities).unwrap();
        probabilities.reverse();
        assert_eq!(cbpe.estimate(&probabilities).unwrap(), found);
        assert!((found.expected.iter().sum::<f64>() - 300.0).abs() < 1e-9);
    }

    #[test]
    fn too_few_rows_and_what_does_not_fit_have_a_sentence() {
        let cbpe = estimator(<[f64]>::to_vec);
        let few = cbpe.estimate(&rows(3, 60, 0.0).1).unwrap();
        let area = &few.metrics[&Metric::RocAucOvr];
        let reason = area.reason.as_deref().unwrap();
        assert!(area.value.is_none() && reason.contains("rows of the class"), "{reason}");
        assert!(few.metrics[&Metric::Accuracy].value.is_some());
        let none = cbpe.estimate(&[]).unwrap();
        assert!(none.metrics.values().all(|found| found.value.is_none() && found.reason.is_some()));
        assert!(cbpe.estimate(&[vec![0.5, 0.5]]).unwrap_err().to_string().contains("have 2 rows"));
        let nan = cbpe.estimate(&[vec![0.5, f64::NAN, 0.5]]).unwrap_err().to_string();
        assert!(nan.contains("expected a probability"), "{nan}");
    }
}

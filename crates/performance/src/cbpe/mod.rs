//! Confidence-based performance estimation: what a classifier's own probabilities say of its performance.

mod bands;
mod calibration;
mod class_bands;
mod classes;
mod isotonic;
mod platt;
mod reference;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use calibration::{Calibration, Calibrator, MIN_ISOTONIC_ROWS};
pub use classes::{ClassCbpe, ClassCbpeSettings, ClassReference, EstimatedClasses};
pub use isotonic::Isotonic;
pub use platt::Platt;

use crate::confusion::{Confusion, ValueMatrix};
use crate::error::Error;
use crate::interval::{Interval, normal_quantile};
use crate::measured::{Labelled, of_counts};
use crate::metric::Metric;
use crate::ranking;
use crate::rows::Rows;
use bands::Unlabelled;
use reference::Reference;

/// What the bands around an estimate mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bands {
    /// Intervals that hold 95 % of realised values while the probabilities are right: DeLong's error from the reference
    /// for AUC; the labels' own variance for counts, accuracy, precision and business value; labels drawn 1,000 times for
    /// F1, recall, specificity and average precision.
    #[default]
    Honest,
    /// ± 3 standard errors as NannyML 0.13.1 shows them, from the reference's labels; average precision has none.
    Nannyml,
}

/// How performance is estimated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CbpeSettings {
    /// What predictions are worth; without it business value is not estimated.
    pub business_value: Option<ValueMatrix>,
    /// What the bands mean.
    pub bands: Bands,
    /// Expected rows of either class below which AUC and average precision are not shown.
    pub min_of_each_class: f64,
    /// Seed of drawn bands.
    pub seed: u64,
}

impl Default for CbpeSettings {
    fn default() -> Self {
        Self { business_value: None, bands: Bands::default(), min_of_each_class: 30.0, seed: 0 }
    }
}

/// An estimator of performance without labels.
///
/// It takes each probability as the chance that the row is positive and reports the metric that follows. So it sees
/// changed inputs and is blind to a changed relation of inputs and label: an estimate is never a measurement, and never
/// alone a reason to call a model healthy.
#[derive(Debug, Clone, PartialEq)]
pub struct Cbpe {
    calibration: Calibration,
    reference: Reference,
    settings: CbpeSettings,
}

/// One estimated metric of a chunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EstimatedValue {
    /// The estimate; `None` where it is undefined or would mislead.
    pub value: Option<f64>,
    /// One standard error; `None` where it is unknown or the band is drawn.
    pub sampling_error: Option<f64>,
    /// The band.
    pub band: Option<Interval>,
    /// Why there is no value, in a sentence.
    pub reason: Option<String>,
}

/// The estimated metrics of a chunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimated {
    /// Rows of the chunk.
    pub rows: usize,
    /// Rows with a score, which AUC and average precision are about.
    pub scored: usize,
    /// Rows with a score and a predicted class, which the other metrics are about.
    pub used: usize,
    /// Expected rows of the positive class.
    pub expected_positives: f64,
    /// The estimates by name, of [`Metric::ESTIMATED`].
    pub metrics: BTreeMap<Metric, EstimatedValue>,
}

impl Cbpe {
    /// Learns calibration and errors from a labelled reference, which must not be rows that the model was trained on.
    /// `folds` has a number per row; see [`Calibration::decide`].
    ///
    /// # Errors
    /// As [`Calibration::decide`].
    pub fn fit(reference: &Rows, folds: &[u32], settings: CbpeSettings) -> Result<Self, Error> {
        Ok(Self::with_calibration(reference, Calibration::decide(reference, folds)?, settings))
    }

    /// As [`Cbpe::fit`], with a calibration that was decided before.
    #[must_use]
    pub fn with_calibration(reference: &Rows, calibration: Calibration, settings: CbpeSettings) -> Self {
        let reference = Reference::new(&Labelled::new(reference), settings.business_value.as_ref());
        Self { calibration, reference, settings }
    }

    /// The calibration in use, with both calibration errors and the reason.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Estimates the metrics of a chunk; labels are not looked at.
    ///
    /// Counts are sums of probabilities (TP = Σ p over rows predicted positive), the other metrics follow from them; AUC
    /// and average precision rank rows by raw score, equal scores as one step, and count a row as positive with its
    /// probability: Σ ΔN·(T + ΔP/2)/(P·N) and Σ ΔP·(T + ΔP)/(rows so far)/P over falling scores. They pair a row with
    /// itself, a bias of O(1/n). Rows without score leave every metric, rows without predicted class those that need it.
    /// O(n log n).
    ///
    /// Oracle: NannyML 0.13.1 `CBPE(...).estimate`, which rounds p, and takes equal scores one by one.
    #[must_use]
    pub fn estimate(&self, rows: &Rows) -> Estimated {
        let scored = self.scored(rows);
        let expected_positives: f64 = scored.iter().map(|row| row.probability).sum();
        let values = self.values(&scored);
        let used = scored.iter().filter(|row| row.predicted.is_some()).count();
        let few = self.too_few(expected_positives, scored.len() as f64 - expected_positives);
        let average_precision = values.get(&Metric::AveragePrecision).copied().flatten();
        let bands = self.bands(&scored, used, average_precision);
        let estimated = |metric: Metric| {
            let ranks = matches!(metric, Metric::RocAuc | Metric::AveragePrecision);
            if let Some(reason) = few.clone().filter(|_| ranks) {
                return EstimatedValue::missing(reason);
            }
            let Some(value) = values.get(&metric).copied().flatten() else {
                return EstimatedValue::missing(self.undefined(metric, used));
            };
            let (sampling_error, band) = bands(metric, value);
            EstimatedValue { value: Some(value), sampling_error, band, reason: None }
        };
        Estimated {
            rows: rows.len(),
            scored: scored.len(),
            used,
            expected_positives,
            metrics: Metric::ESTIMATED.into_iter().map(|metric| (metric, estimated(metric))).collect(),
        }
    }

    fn scored(&self, rows: &Rows) -> Vec<Unlabelled> {
        let scored = rows.scores().iter().zip(rows.predicted()).filter(|(score, _)| !score.is_nan());
        let unlabelled = |(&score, &predicted)| Unlabelled {
            score,
            probability: self.calibration.calibrator.probability(score),
            predicted,
        };
        scored.map(unlabelled).collect()
    }

    /// The standard error and the band of a metric with a value.
    fn bands(
        &self,
        scored: &[Unlabelled],
        used: usize,
        average_precision: Option<f64>,
    ) -> impl Fn(Metric, f64) -> (Option<f64>, Option<Interval>) {
        let is_honest = self.settings.bands == Bands::Honest;
        let (of_scores, drawn) = if is_honest {
            let values = self.settings.business_value.as_ref();
            (
                bands::standard_deviations(scored, values),
                bands::drawn(scored, average_precision, self.settings.seed),
            )
        } else {
            Default::default()
        };
        let all = scored.len();
        move |metric, value| {
            let error = match (is_honest, metric) {
                (true, Metric::RocAuc) => self.reference.auc_error(all as f64),
                (true, _) => of_scores.get(&metric).copied(),
                (false, Metric::RocAuc) => self.reference.sampling_error(metric, all as f64),
                (false, _) => self.reference.sampling_error(metric, used as f64),
            };
            let reach = if is_honest { normal_quantile() } else { 3.0 };
            let around = || Interval::around(value, reach * error?, metric.about().range);
            (error, drawn.get(&metric).copied().or_else(around))
        }
    }

    fn values(&self, scored: &[Unlabelled]) -> BTreeMap<Metric, Option<f64>> {
        let steps =
            ranking::of_probabilities(scored.iter().map(|row| (row.score, row.probability)).collect());
        let judged = scored.iter().filter_map(|row| Some((row.probability, row.predicted?)));
        let counts = Confusion::expected(judged);
        let business_value = self.settings.business_value.as_ref();
        let value = |metric| match metric {
            Metric::RocAuc => ranking::roc_auc(&steps),
            Metric::AveragePrecision => ranking::average_precision(&steps),
            _ if counts.rows() == 0.0 => None,
            _ => of_counts(metric, &counts, business_value),
        };
        Metric::ESTIMATED.into_iter().map(|metric| (metric, value(metric))).collect()
    }

    fn too_few(&self, positives: f64, negatives: f64) -> Option<String> {
        let least = self.settings.min_of_each_class;
        (positives < least || negatives < least).then(|| {
            format!("{positives:.1} positive and {negatives:.1} negative rows are expected, {least} of each are needed.")
        })
    }

    fn undefined(&self, metric: Metric, used: usize) -> String {
        if metric == Metric::BusinessValue && self.settings.business_value.is_none() {
            return "No values of predictions are configured.".to_owned();
        }
        match used {
            0 => "No row has a score and a predicted class.".to_owned(),
            _ => format!("{} is undefined for these rows: it would divide by 0.", metric.name()),
        }
    }
}

impl EstimatedValue {
    fn missing(reason: String) -> Self {
        Self { value: None, sampling_error: None, band: None, reason: Some(reason) }
    }
}

#[cfg(test)]
mod tests {
    use streamflow_stats::Random;

    use super::*;

    /// Scores that are the probabilities of their labels.
    fn rows(count: usize, seed: u64) -> Rows {
        let mut random = Random::new(seed);
        let scores: Vec<f64> = (0..count).map(|_| random.uniform() * random.uniform()).collect();
        let labels = scores.iter().map(|score| Some(random.uniform() < *score)).collect();
        Rows::at_threshold(labels, scores, 0.3).unwrap()
    }

    fn estimator(settings: CbpeSettings) -> Cbpe {
        let calibration = Calibration {
            calibrator: Calibrator::None,
            ece_before: None,
            ece_after: None,
            reason: String::new(),
        };
        Cbpe::with_calibration(&rows(5000, 1), calibration, settings)
    }

    #[test]
    fn bands_hold_realised_values_about_as_often_as_they_say() {
        let values = Some([[0.0, -1.0], [-5.0, 10.0]]);
        let cbpe = estimator(CbpeSettings { business_value: values, ..CbpeSettings::default() });
        let mut held = BTreeMap::<Metric, u32>::new();
        for chunk in 0..200 {
            let rows = rows(300, 100 + chunk);
            let labelled = Labelled::new(&rows);
            for (metric, found) in cbpe.estimate(&rows).metrics {
                let realised = labelled.value(metric, values.as_ref()).unwrap();
                *held.entry(metric).or_default() += u32::from(found.band.unwrap().contains(realised));
            }
        }
        // 95 % of 200 are 190, with a standard deviation of 3.
        assert!(held.len() == 12 && held.values().all(|held| (180..=199).contains(held)), "{held:?}");
    }

    #[test]
    fn too_few_rows_have_no_area_and_a_reason() {
        let cbpe = estimator(CbpeSettings::default());
        let found = cbpe.estimate(&rows(60, 9));
        let area = &found.metrics[&Metric::RocAuc];
        assert_eq!((area.value, area.band), (None, None));
        let reason = area.reason.as_deref().unwrap();
        assert!(reason.contains("negative rows are expected, 30 of each are needed"), "{reason}");
        assert!(found.metrics[&Metric::Accuracy].value.is_some());
        let value = &found.metrics[&Metric::BusinessValue];
        assert_eq!(value.reason.as_deref(), Some("No values of predictions are configured."));
    }

    #[test]
    fn many_rows_are_drawn_in_groups_with_the_same_bands() {
        let cbpe = estimator(CbpeSettings::default());
        let large = rows(1_000_000, 3);
        let found = cbpe.estimate(&large);
        let labelled = Labelled::new(&large);
        for metric in [Metric::F1, Metric::Recall, Metric::Specificity, Metric::AveragePrecision] {
            let (band, value) = (found.metrics[&metric].band.unwrap(), found.metrics[&metric].value.unwrap());
            let width = band.high - band.low;
            assert!(width < 0.006, "{metric:?} {band:?}");
            // Joining scores would move the band of average precision by a fifth of its width.
            assert!(
                (0.5 * (band.low + band.high) - value).abs() < 0.1 * width,
                "{metric:?} {band:?} {value}"
            );
            let realised = labelled.value(metric, None).unwrap();
            assert!((realised - value).abs() < 1.5 * width, "{metric:?} {band:?} {realised}");
        }
    }

    #[test]
    fn an_estimator_without_labels_still_estimates() {
        let blind = Rows::at_threshold(vec![None; 50], vec![0.4; 50], 0.5).unwrap();
        let cbpe = Cbpe::fit(&blind, &[0; 50], CbpeSettings::default()).unwrap();
        assert!(cbpe.calibration().reason.contains("the 0 labelled rows"), "{:?}", cbpe.calibration());
        let found = cbpe.estimate(&rows(500, 2));
        let area = &found.metrics[&Metric::RocAuc];
        assert!(area.value.is_some() && area.band.is_none() && area.sampling_error.is_none(), "{area:?}");
    }
}

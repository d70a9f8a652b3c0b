//! Confidence-based performance estimation: what a classifier's own probabilities say of its performance.

mod bands;
mod calibration;
mod isotonic;
mod platt;
mod reference;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use calibration::{Calibration, Calibrator, MIN_ISOTONIC_ROWS};
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
        let scored: Vec<Unlabelled> = rows
            .scores()
            .iter()
            .zip(rows.predicted())
            .filter(|(score, _)| !score.is_nan())
            .map(|(&score, &predicted)| Unlabelled {
                score,
                probability: self.calibration.calibrator.probability(score),
                predicted,
            })
            .collect();
        let expected_positives: f64 = scored.iter().map(|row| row.probability).sum();
        let values = self.values(&scored);
        let (errors, drawn) = match self.settings.bands {
            Bands::Nannyml => Default::default(),
            Bands::Honest => (
                bands::standard_deviations(&scored, self.settings.business_value.as_ref()),
                bands::drawn(&scored, self.settings.seed),
            ),
        };
        let used = scored.iter().filter(|row| row.predicted.is_some()).count();
        let few = self.too_few(expected_positives, scored.len() as f64 - expected_positives);
        let metrics = Metric::ESTIMATED.into_iter().map(|metric| {
            let ranks = matches!(metric, Metric::RocAuc | Metric::AveragePrecision);
            if let Some(reason) = few.clone().filter(|_| ranks) {
                return (metric, EstimatedValue::missing(reason));
            }
            let Some(value) = values.get(&metric).copied().flatten() else {
                return (metric, EstimatedValue::missing(self.undefined(metric, used)));
            };
            let rows = if ranks { scored.len() } else { used } as f64;
            let error = match self.settings.bands {
                Bands::Nannyml => self.reference.sampling_error(metric, rows),
                Bands::Honest if metric == Metric::RocAuc => self.reference.auc_error(rows),
                Bands::Honest => errors.get(&metric).copied(),
            };
            let band = drawn.get(&metric).copied().or_else(|| self.band(metric, value, error?));
            (metric, EstimatedValue { value: Some(value), sampling_error: error, band, reason: None })
        });
        Estimated {
            rows: rows.len(),
            scored: scored.len(),
            used,
            expected_positives,
            metrics: metrics.collect(),
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

    fn band(&self, metric: Metric, value: f64, error: f64) -> Option<Interval> {
        let errors = match self.settings.bands {
            Bands::Honest => normal_quantile(),
            Bands::Nannyml => 3.0,
        };
        Interval::around(value, errors * error, metric.about().range)
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

//! Training from a table: split, choose, fit, measure.

use serde::{Deserialize, Serialize};

use crate::boosting::{self, Rounds};
use crate::metrics::{self, CALIBRATION_BINS, Metrics};
use crate::model::Predictor;
use crate::selection::{self, Selection, TrainingRows};
use crate::split::is_validation;
use crate::{Error, Features, Model, ReferenceProfile, TrainSettings};

/// The least labelled rows of the training part.
pub const MIN_TRAINING_ROWS: usize = 20;
/// The least labelled rows of the validation part.
pub const MIN_VALIDATION_ROWS: usize = 10;

/// A trained model and all that is known of how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Predicts.
    pub model: Model,
    /// How well, on entities it was not trained on.
    pub metrics: Metrics,
    /// What its data looked like.
    pub profile: ReferenceProfile,
    /// How it was made.
    pub record: TrainingRecord,
}

/// How a model was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingRecord {
    /// The settings, with the seed.
    pub settings: TrainSettings,
    /// What cross-validation chose.
    pub selection: Selection,
    /// Rows that were left out because their label is missing.
    pub unlabelled_rows: usize,
    /// Validation values whose level no training row had, in the order of the schema.
    pub unseen_in_validation: Vec<u64>,
    /// What each feature contributed, the largest first.
    pub importance: Vec<Importance>,
}

/// What one feature contributed to the trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Importance {
    /// The feature.
    pub feature: String,
    /// The feature's share of the loss reduction by all splits; all shares sum to 1 (or are 0 without splits).
    pub gain_share: f64,
    /// Number of splits on it.
    pub splits: u64,
}

/// Row indices of the two parts.
struct Parts {
    training: Vec<usize>,
    validation: Vec<usize>,
}

/// Trains a classifier of `labels` from `features`.
///
/// `labels` and `entities` have one entry per row; rows without a label are left out and counted. An
/// entity's rows are either all trained on or all held out ([`is_validation`]). Same input, same
/// model, bit by bit, on any number of threads.
///
/// Rows are not weighted by class, so the probabilities are those of the data; the imbalance is met
/// by the threshold, which maximises F1 in cross-validation on training rows.
///
/// # Errors
/// Misaligned or empty input, all labels missing, one class only or too few rows in either part, no
/// feature that varies, settings out of range.
pub fn train<S: AsRef<str>>(
    features: &Features,
    labels: &[Option<bool>],
    entities: &[S],
    settings: &TrainSettings,
) -> Result<Trained, Error> {
    settings.check()?;
    let entity = |row: usize| entities[row].as_ref();
    check_alignment(features, labels.len(), entities.len())?;
    let parts = split(labels, |row| is_validation(settings.seed, entity(row), settings.validation_share))?;
    let known: Vec<bool> = labels.iter().map(|label| label.unwrap_or(false)).collect();
    check_part("training", &known, &parts.training, MIN_TRAINING_ROWS)?;
    check_part("validation", &known, &parts.validation, MIN_VALIDATION_ROWS)?;

    let training = TrainingRows { features, labels: &known, rows: &parts.training };
    let (schema, data) = training.encode(&parts.training, settings)?;
    if !data.columns.iter().any(|column| boosting::is_informative(column)) {
        return Err(Error::NoVariation { features: data.columns.len(), rows: parts.training.len() });
    }
    let selection = selection::select(&training, entity, settings)?;
    let fit = boosting::fit(&data, selection.max_depth, &Rounds::Exactly(selection.rounds), settings)?;
    let importance = importance(features.names(), &fit);
    let predictor = Predictor::Trained(fit.ensemble);
    let model = Model { schema, predictor, threshold: selection.threshold };

    let predictions = model.predict_rows(features, &parts.validation)?;
    let metrics = measure(&known, &parts, &predictions.probabilities, model.threshold);
    let profile = ReferenceProfile::new(features, &parts.training, &predictions.probabilities);
    let record = TrainingRecord {
        settings: settings.clone(),
        selection,
        unlabelled_rows: labels.iter().filter(|label| label.is_none()).count(),
        unseen_in_validation: predictions.unseen,
        importance,
    };
    Ok(Trained { model, metrics, profile, record })
}

fn check_alignment(features: &Features, labels: usize, entities: usize) -> Result<(), Error> {
    if features.columns().is_empty() {
        return Err(Error::NoFeatures);
    }
    for (what, given) in [("labels", labels), ("entities", entities)] {
        if given != features.rows() {
            return Err(Error::RowCount { what: what.to_string(), expected: features.rows(), given });
        }
    }
    if features.rows() == 0 { Err(Error::NoRows) } else { Ok(()) }
}

fn split(labels: &[Option<bool>], held_out: impl Fn(usize) -> bool) -> Result<Parts, Error> {
    let labelled = (0..labels.len()).filter(|&row| labels[row].is_some());
    let (validation, training): (Vec<usize>, Vec<usize>) = labelled.partition(|&row| held_out(row));
    if validation.is_empty() && training.is_empty() {
        return Err(Error::NoLabels { rows: labels.len() });
    }
    Ok(Parts { training, validation })
}

fn check_part(part: &'static str, labels: &[bool], rows: &[usize], minimum: usize) -> Result<(), Error> {
    if rows.len() < minimum {
        return Err(Error::TooFewRows { part, rows: rows.len(), minimum });
    }
    let positives = rows.iter().filter(|&&row| labels[row]).count();
    let negatives = rows.len() - positives;
    if positives == 0 || negatives == 0 {
        return Err(Error::OneClass { part, positives, negatives });
    }
    Ok(())
}

fn measure(labels: &[bool], parts: &Parts, probabilities: &[f64], threshold: f64) -> Metrics {
    let labels: Vec<bool> = parts.validation.iter().map(|&row| labels[row]).collect();
    let both = "the validation part was checked to have rows of both classes";
    Metrics {
        auc: metrics::roc_auc_score(&labels, probabilities).expect(both),
        f1: metrics::f1_score(&labels, probabilities, threshold),
        accuracy: metrics::accuracy_score(&labels, probabilities, threshold).expect(both),
        log_loss: metrics::log_loss(&labels, probabilities).expect(both),
        brier_score: metrics::brier_score_loss(&labels, probabilities).expect(both),
        expected_calibration_error: metrics::expected_calibration_error(
            &labels,
            probabilities,
            CALIBRATION_BINS,
        )
        .expect(both),
        positive_rate: labels.iter().filter(|&&label| label).count() as f64 / labels.len() as f64,
        threshold,
        n_train: parts.training.len(),
        n_validation: parts.validation.len(),
    }
}

fn importance(names: &[String], fit: &boosting::Fit) -> Vec<Importance> {
    let total: f64 = fit.gain.iter().sum();
    let share = |gain: f64| if total > 0.0 { gain / total } else { 0.0 };
    let mut importance: Vec<Importance> = names
        .iter()
        .zip(fit.gain.iter().zip(&fit.splits))
        .map(|(feature, (&gain, &splits))| Importance {
            feature: feature.clone(),
            gain_share: share(gain),
            splits,
        })
        .collect();
    // Stable: features without a split keep their order.
    importance.sort_by(|a, b| b.gain_share.total_cmp(&a.gain_share));
    importance
}

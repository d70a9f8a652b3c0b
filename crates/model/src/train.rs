//! Training from a table: split, choose, fit, measure.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use streamflow_performance::{MeasuredClasses, MeasuredValues};

use crate::boosters::{Boosters, Link};
use crate::boosting::{self, BinnedRows, Direction, Rounds};
use crate::explain::{Cover, Explaining};
use crate::labels::{ClassRows, Target};
use crate::metrics::{self, BinaryMetrics, CALIBRATION_BINS, Metrics, TaskMetrics};
use crate::model::Predictor;
use crate::search::Progress;
use crate::selection::{self, Encoded, Selection, TrainingRows};
use crate::settings::{Calibration, Validation};
use crate::split::is_validation;
use crate::{
    Answers, Error, FeatureColumn, Features, Labels, Model, ReferenceProfile, Task, TrainSettings, weights,
};

/// The least labelled rows of the training part.
pub const MIN_TRAINING_ROWS: usize = 20;
/// The least labelled rows of the validation part.
pub const MIN_VALIDATION_ROWS: usize = 10;
/// The most classes of a classifier.
pub const MAX_CLASSES: usize = 100;
/// The largest size of a number that a regression learns; the square of a larger one may be no number.
pub const MAX_LABEL: f64 = 1e150;

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
    /// The snapshots that were learned from, the oldest first, where the caller has said them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub months: Vec<String>,
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
    /// The mean size of what it adds to an answer, on the scale of the margin, over at most 500 held-out rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_abs_contribution: Option<f64>,
}

/// Row indices of the two parts.
struct Parts {
    training: Vec<usize>,
    validation: Vec<usize>,
}

/// Trains a model of `labels` from `features`; what it predicts is what the labels are, whatever the settings say.
///
/// `labels` and `entities` have one entry per row; rows without a label are left out and counted. An
/// entity's rows are either all trained on or all held out ([`is_validation`]). Same input, same
/// model, bit by bit, on any number of threads.
///
/// Unless weights are asked for, the probabilities are those of the data; with two classes the imbalance is met by the
/// threshold, which maximises F1 in cross-validation on training rows. Several classes are learned by softmax, with a tree
/// of each in every round; a class without a training row is none of the model.
///
/// # Errors
/// Misaligned or empty input, all labels missing, one class only or too few rows in either part, more than
/// [`MAX_CLASSES`] classes, labels that are all the same number or beyond [`MAX_LABEL`], no feature that varies, settings
/// out of range.
pub fn train<S: AsRef<str>>(
    features: &Features,
    labels: &Labels,
    entities: &[S],
    settings: &TrainSettings,
) -> Result<Trained, Error> {
    let entities: Vec<&str> = entities.iter().map(AsRef::as_ref).collect();
    let table = Table { features, labels, entities: &entities, held_out: None };
    train_table(&table, settings, &mut |_| ControlFlow::Continue(()))
}

/// What a model is trained and judged on.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    /// One row each.
    pub features: &'a Features,
    /// One per row.
    pub labels: &'a Labels,
    /// The entity of each row.
    pub entities: &'a [&'a str],
    /// Whether each row judges and is not learned from; for [`Validation::Time`] alone.
    pub held_out: Option<&'a [bool]>,
}

/// As [`train`]; a search tells `watch` how far it is, and ends where that breaks off.
///
/// # Errors
/// As [`train`]; [`Error::NoNewest`] where rows are held out by time and none are named, or the other way round.
pub fn train_table(
    table: &Table,
    settings: &TrainSettings,
    watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Trained, Error> {
    settings.check()?;
    let Table { features, labels, entities, .. } = *table;
    let settings = TrainSettings { task: labels.task(), ..settings.clone() };
    check_alignment(table)?;
    let parts = table.split(&settings)?;
    let target = Target::of_training(labels, &parts.training);
    check_parts(&target, &parts)?;
    if settings.calibration != Calibration::None && target.task == Task::Regression {
        return Err(Error::NotForTask { setting: "calibration", task: target.task });
    }
    if settings.calibration == Calibration::Isotonic && target.task == Task::Multiclass {
        return Err(Error::IsotonicOfClasses);
    }
    let training = TrainingRows {
        features,
        target: &target,
        rows: &parts.training,
        weights: weights::of_classes(&target, &parts.training, &settings.class_weight)?,
        monotone: directions(features, target.task, &settings.monotone)?,
    };
    let (schema, data) = training.encode(&parts.training, &settings)?;
    if !data.columns.iter().any(|column| boosting::is_informative(column)) {
        return Err(Error::NoVariation { features: data.columns.len(), rows: parts.training.len() });
    }
    let selection = selection::select(&training, |row| entities[row], &settings, watch)?;
    let (boosters, mut importance) = fit(&training, &data, &selection, &settings)?;
    let threshold = selection.threshold.unwrap_or(0.5);
    let explaining = Explaining::new(Some(Cover::of(&boosters, &data.columns)));
    let model = Model { schema, predictor: Predictor::Trained(boosters), threshold, explaining };

    let means = model.mean_contributions(features, &parts.validation)?;
    for importance in &mut importance {
        let place = features.names().iter().position(|name| *name == importance.feature);
        importance.mean_abs_contribution = place.and_then(|place| means.get(place).copied());
    }
    let predictions = model.predict_rows(features, &parts.validation)?;
    let metrics = measure(&target, labels, &parts, (&predictions.answers, &model), settings.seed)?;
    let profile =
        ReferenceProfile::new(features, &parts.training, &predictions.answers, &model.schema.classes);
    let record = TrainingRecord {
        selection,
        unlabelled_rows: (0..labels.len()).filter(|&row| !labels.is_known(row)).count(),
        unseen_in_validation: predictions.unseen,
        importance,
        settings,
        months: Vec::new(),
    };
    Ok(Trained { model, metrics, profile, record })
}

/// All boosters on all training rows.
fn fit(
    training: &TrainingRows,
    data: &Encoded,
    selection: &Selection,
    settings: &TrainSettings,
) -> Result<(Boosters, Vec<Importance>), Error> {
    let bins = BinnedRows::new(&data.columns, usize::from(settings.max_bins));
    let rounds = Rounds::Exactly(selection.rounds_of_output());
    let tree = selection.tree(settings);
    let mut fit = boosting::fit(training.data(data, &bins), training.loss(), &tree, &rounds);
    if let Some(calibration) = &selection.calibration {
        for (output, ensemble) in fit.ensembles.iter_mut().enumerate() {
            calibration.apply_to(output, ensemble);
        }
    }
    let boosters = Boosters::new(Link::of(settings.task), fit.ensembles).map_err(Error::Boosting)?;
    let boosters = boosters.with_isotonic(selection.isotonic.clone()).map_err(Error::Boosting)?;
    Ok((boosters, importance(training.features.names(), &fit.gain, &fit.splits)))
}

/// The direction of each feature; empty where none has one.
///
/// # Errors
/// [`Error::NotForTask`] of several classes, and [`Error::NotMonotone`] of a feature that is none or has no order.
fn directions(
    features: &Features,
    task: Task,
    monotone: &BTreeMap<String, Direction>,
) -> Result<Vec<Option<Direction>>, Error> {
    if monotone.is_empty() {
        return Ok(Vec::new());
    }
    if task == Task::Multiclass {
        return Err(Error::NotForTask { setting: "monotone", task });
    }
    let is_number = |name: &String| matches!(features.column(name), Some(FeatureColumn::Numerical(_)));
    if let Some(name) = monotone.keys().find(|name| !is_number(name)) {
        let is_feature = features.column(name).is_some();
        let reason = if is_feature { "is a category and has no order" } else { "is no feature" };
        let numbers: Vec<&str> =
            features.names().iter().filter(|name| is_number(name)).map(String::as_str).collect();
        return Err(Error::NotMonotone { feature: name.clone(), reason, expected: numbers.join(", ") });
    }
    Ok(features.names().iter().map(|name| monotone.get(name).copied()).collect())
}

fn check_alignment(table: &Table) -> Result<(), Error> {
    let features = table.features;
    if features.columns().is_empty() {
        return Err(Error::NoFeatures);
    }
    let held_out = table.held_out.map_or(features.rows(), <[bool]>::len);
    for (what, given) in
        [("labels", table.labels.len()), ("entities", table.entities.len()), ("held out", held_out)]
    {
        if given != features.rows() {
            return Err(Error::RowCount { what: what.to_string(), expected: features.rows(), given });
        }
    }
    if features.rows() == 0 { Err(Error::NoRows) } else { Ok(()) }
}

impl Table<'_> {
    fn split(&self, settings: &TrainSettings) -> Result<Parts, Error> {
        let labels = self.labels;
        let is_held_out = |row: usize| match (settings.validation, self.held_out) {
            (Validation::Entity, None) => {
                Ok(is_validation(settings.seed, self.entities[row], settings.validation_share))
            }
            (Validation::Time, Some(held_out)) => Ok(held_out[row]),
            (Validation::Time, None) => Err(Error::NoNewest { expected: "rows that are held out" }),
            (Validation::Entity, Some(_)) => Err(Error::NoNewest { expected: "the setting validation" }),
        };
        let mut parts = Parts { training: Vec::new(), validation: Vec::new() };
        for row in (0..labels.len()).filter(|&row| labels.is_known(row)) {
            let part = if is_held_out(row)? { &mut parts.validation } else { &mut parts.training };
            part.push(row);
        }
        if parts.validation.is_empty() && parts.training.is_empty() {
            return Err(Error::NoLabels { rows: labels.len(), expected: expected(labels.task()) });
        }
        Ok(parts)
    }
}

fn expected(task: Task) -> &'static str {
    match task {
        Task::Binary => "true or false",
        Task::Multiclass => "the name of a class",
        Task::Regression => "a number",
    }
}

fn check_parts(target: &Target, parts: &Parts) -> Result<(), Error> {
    for (part, rows, minimum) in [
        ("training", &parts.training, MIN_TRAINING_ROWS),
        ("validation", &parts.validation, MIN_VALIDATION_ROWS),
    ] {
        if rows.len() < minimum {
            return Err(Error::TooFewRows { part, rows: rows.len(), minimum });
        }
        match target.task {
            Task::Binary => {
                let positives = rows.iter().filter(|&&row| target.values[row] == 1.0).count();
                let negatives = rows.len() - positives;
                if positives == 0 || negatives == 0 {
                    return Err(Error::OneClass { part, positives, negatives });
                }
            }
            Task::Multiclass => check_classes(target, part, rows)?,
            Task::Regression => check_numbers(target, part, rows)?,
        }
    }
    Ok(())
}

fn check_classes(target: &Target, part: &'static str, rows: &[usize]) -> Result<(), Error> {
    if target.classes.len() > MAX_CLASSES {
        return Err(Error::TooManyClasses { classes: target.classes.len(), most: MAX_CLASSES });
    }
    let differ = rows.iter().any(|&row| target.values[row] != target.values[rows[0]]);
    if target.classes.len() < 2 || !differ {
        let class = target.classes.get(target.values[rows[0]] as usize).cloned().unwrap_or_default();
        return Err(Error::OneOfClasses { part, class, rows: rows.len() });
    }
    Ok(())
}

fn check_numbers(target: &Target, part: &'static str, rows: &[usize]) -> Result<(), Error> {
    if let Some(&row) = rows.iter().find(|&&row| target.values[row].abs() > MAX_LABEL) {
        return Err(Error::LabelTooLarge { row, value: target.values[row], most: MAX_LABEL });
    }
    let first = target.values[rows[0]];
    if rows.iter().all(|&row| target.values[row] == first) {
        return Err(Error::OneNumber { part, value: first, rows: rows.len() });
    }
    Ok(())
}

fn measure(
    target: &Target,
    labels: &Labels,
    parts: &Parts,
    predictions: (&Answers, &Model),
    seed: u64,
) -> Result<Metrics, Error> {
    let (answers, model) = predictions;
    let (n_train, n_validation) = (parts.training.len(), parts.validation.len());
    let rows = &parts.validation;
    let measured = match answers {
        Answers::Probability(probabilities) => {
            let labels: Vec<bool> = rows.iter().map(|&row| target.values[row] == 1.0).collect();
            return Ok(Metrics::Binary(measure_binary(&labels, n_train, probabilities, model.threshold)));
        }
        Answers::Probabilities(probabilities) => {
            let Labels::Multiclass { codes, classes } = labels.select(rows) else {
                return Err(Error::NoRows);
            };
            let found = ClassRows::new(&model.schema.classes, probabilities, &codes, &classes);
            MeasuredClasses::measure(&found.actual, &found.probabilities, seed)?.metrics
        }
        Answers::Value(values) => {
            let truths: Vec<f64> = rows.iter().map(|&row| target.values[row]).collect();
            MeasuredValues::measure(&truths, values)?.metrics
        }
    };
    Ok(Metrics::Other(TaskMetrics::new(&measured, n_train, n_validation)))
}

fn measure_binary(labels: &[bool], n_train: usize, probabilities: &[f64], threshold: f64) -> BinaryMetrics {
    let both = "the validation part was checked to have rows of both classes";
    BinaryMetrics {
        auc: metrics::roc_auc_score(labels, probabilities).expect(both),
        f1: metrics::f1_score(labels, probabilities, threshold),
        accuracy: metrics::accuracy_score(labels, probabilities, threshold).expect(both),
        log_loss: metrics::log_loss(labels, probabilities).expect(both),
        brier_score: metrics::brier_score_loss(labels, probabilities).expect(both),
        expected_calibration_error: metrics::expected_calibration_error(
            labels,
            probabilities,
            CALIBRATION_BINS,
        )
        .expect(both),
        positive_rate: labels.iter().filter(|&&label| label).count() as f64 / labels.len() as f64,
        threshold,
        n_train,
        n_validation: labels.len(),
    }
}

fn importance(names: &[String], gains: &[f64], splits: &[u64]) -> Vec<Importance> {
    let total: f64 = gains.iter().sum();
    let share = |gain: f64| if total > 0.0 { gain / total } else { 0.0 };
    let mut importance: Vec<Importance> = names
        .iter()
        .zip(gains.iter().zip(splits))
        .map(|(feature, (&gain, &splits))| Importance {
            feature: feature.clone(),
            gain_share: share(gain),
            splits,
            mean_abs_contribution: None,
        })
        .collect();
    // Stable: features without a split keep their order.
    importance.sort_by(|a, b| b.gain_share.total_cmp(&a.gain_share));
    importance
}

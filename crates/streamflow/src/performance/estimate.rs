//! What a version's scores suggest of its performance where labels are missing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use streamflow_model::{Answers, FeatureColumn, Features, Labels, Model, TrainSettings, train};
use streamflow_performance::{
    Calibrator, Cbpe, CbpeSettings, ClassCbpe, ClassCbpeSettings, ClassReference, Dle, ErrorMetric,
    Estimated, EstimatedValue, Labelled, MIN_REFERENCE_CHUNKS, Metric, Rows,
};

use super::judged::{Classes, Numbers};
use super::scored::Scored;

/// The column of a learner of errors that holds the model's prediction.
const PREDICTION: &str = "streamflow_prediction";

/// What scores suggest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub estimated: Estimated,
    /// How the scores were calibrated or the errors learned, in a sentence.
    pub calibration: String,
}

/// Of a classifier of two classes: each calibrated score is taken for the chance of a positive row. None where the
/// reference has not both classes.
pub fn of_scores(
    reference: &Rows,
    folds: &[u32],
    rows: &Rows,
    seed: u64,
) -> anyhow::Result<Option<Estimate>> {
    if Labelled::new(reference).auc().is_none() {
        return Ok(None);
    }
    let settings = CbpeSettings { seed, ..CbpeSettings::default() };
    let cbpe = Cbpe::fit(reference, folds, settings)?;
    let calibration = cbpe.calibration().reason.clone();
    Ok(Some(Estimate { estimated: cbpe.estimate(rows), calibration }))
}

/// Of a classifier of several classes: each calibrated probability is taken for the chance of its class. None where the
/// reference has fewer than two of the classes.
pub fn of_classes(
    (reference, folds): (&Classes, &[u32]),
    month: &Classes,
    seed: u64,
) -> anyhow::Result<Option<Estimate>> {
    let rows = &reference.labelled;
    let seen: BTreeSet<usize> =
        rows.actual.iter().copied().filter(|class| *class < reference.known).collect();
    if seen.len() < 2 {
        return Ok(None);
    }
    let folds: Vec<u32> = rows.rows.iter().map(|&row| folds[row]).collect();
    let (classes, probabilities) = (&rows.classes[..reference.known], &rows.probabilities);
    let known = ClassReference { classes, actual: &rows.actual, probabilities, folds: &folds };
    let cbpe = ClassCbpe::fit(known, ClassCbpeSettings { seed, ..ClassCbpeSettings::default() })?;
    let found = cbpe.estimate(&month.probabilities)?;
    let (rows, metrics) = (found.rows, found.metrics);
    let estimated = Estimated { rows, scored: rows, used: rows, expected_positives: 0.0, metrics };
    Ok(Some(Estimate { estimated, calibration: calibration_of(&cbpe) }))
}

fn calibration_of(cbpe: &ClassCbpe) -> String {
    let all = cbpe.calibrations();
    let calibrated = all.iter().filter(|found| found.calibrator != Calibrator::None).count();
    let divided = "and those of a row are divided by their sum";
    let why = "calibrating on other folds makes the calibration error";
    match calibrated {
        0 => format!("Probabilities are not calibrated: {why} of no class smaller."),
        some if some == all.len() => {
            format!("The probabilities of every class are calibrated, since {why} smaller, {divided}.")
        }
        some => format!(
            "The probabilities of {some} of {} classes are calibrated, those where {why} smaller, {divided}.",
            all.len()
        ),
    }
}

/// Of a regression: a learner learns the size of the errors on the reference from the features and the prediction, and is
/// asked about the month.
///
/// # Errors
/// A reference of which nothing can be learned, such as too few rows.
pub fn of_errors(
    (reference, of_reference): (&Scored, &Numbers),
    (scored, of_month): (&Scored, &Numbers),
    seed: u64,
) -> anyhow::Result<Estimate> {
    let columns = columns_of(scored);
    ErrorLearner::new(reference, of_reference, seed)?.estimate(columns, &of_month.predictions)
}

/// What has learned the size of a regression's errors, and is asked about other rows.
pub struct ErrorLearner {
    learned: Vec<(Metric, Dle, Model)>,
    calibration: String,
}

impl ErrorLearner {
    /// Learns from the rows of the reference.
    ///
    /// # Errors
    /// A reference of which nothing can be learned, such as too few rows.
    pub fn new(reference: &Scored, numbers: &Numbers, seed: u64) -> anyhow::Result<Self> {
        let from = with_prediction(columns_of(reference), &numbers.predictions)?;
        let mut learned = Vec::new();
        for (metric, error) in [(Metric::Rmse, ErrorMetric::Rmse), (Metric::Mae, ErrorMetric::Mae)] {
            let both = (numbers.truths.as_slice(), numbers.predictions.as_slice());
            let dle = Dle::new(error, both, &[], MIN_REFERENCE_CHUNKS)?;
            let losses = dle.losses().iter().map(|loss| loss.unwrap_or(f64::NAN)).collect();
            let learner = train(&from, &Labels::Regression(losses), &reference.entities, &settings(seed))
                .context("nothing can be learned of the errors on the rows of the validation")?;
            learned.push((metric, dle, learner.model));
        }
        let rows = numbers.truths.iter().filter(|truth| !truth.is_nan()).count();
        let calibration = format!(
            "The size of the errors was learned from {rows} rows that the version was not trained on."
        );
        Ok(Self { learned, calibration })
    }

    /// What the errors on rows of these features and predictions probably are.
    ///
    /// # Errors
    /// Other features than those of the reference.
    pub fn estimate(
        &self,
        features: Vec<(String, FeatureColumn)>,
        predictions: &[f64],
    ) -> anyhow::Result<Estimate> {
        let asked = with_prediction(features, predictions)?;
        let mut metrics = BTreeMap::new();
        for (metric, dle, model) in &self.learned {
            let Answers::Value(predicted) = model.predict(&asked)?.answers else { continue };
            let found = dle.estimate(&predicted);
            let (value, sampling_error, band) = (found.value, found.sampling_error, found.band);
            metrics.insert(*metric, EstimatedValue { value, sampling_error, band, reason: None });
        }
        let rows = predictions.len();
        let estimated = Estimated { rows, scored: rows, used: rows, expected_positives: 0.0, metrics };
        Ok(Estimate { estimated, calibration: self.calibration.clone() })
    }
}

/// Few and small trees: the reference is a quarter of a month, and the monitoring of a month waits for them. By another
/// split than the version's own, by which all rows of the reference are held out.
fn settings(seed: u64) -> TrainSettings {
    TrainSettings {
        seed: !seed,
        validation_share: 0.1,
        folds: 2,
        selection_rows: 10_000,
        max_depths: vec![2],
        max_rounds: 100,
        early_stopping_rounds: 10,
        max_bins: 64,
        ..TrainSettings::default()
    }
}

/// The features of the rows that judge.
fn columns_of(scored: &Scored) -> Vec<(String, FeatureColumn)> {
    let pick = |column: &FeatureColumn| match column {
        FeatureColumn::Numerical(values) => {
            FeatureColumn::Numerical(scored.places.iter().map(|&place| values[place]).collect())
        }
        FeatureColumn::Categorical { codes, levels } => FeatureColumn::Categorical {
            codes: scored.places.iter().map(|&place| codes[place]).collect(),
            levels: levels.clone(),
        },
    };
    let own = scored.features.names().iter().zip(scored.features.columns());
    own.map(|(name, column)| (name.clone(), pick(column))).collect()
}

/// Features, and what the model said of them.
fn with_prediction(
    mut columns: Vec<(String, FeatureColumn)>,
    predictions: &[f64],
) -> anyhow::Result<Features> {
    columns.push((PREDICTION.to_owned(), FeatureColumn::Numerical(predictions.to_vec())));
    Ok(Features::new(columns)?)
}

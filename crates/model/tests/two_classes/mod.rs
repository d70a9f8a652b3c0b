//! Training, metrics and answers of models of two classes, without the other tasks.

#![allow(clippy::unwrap_used)]

use streamflow_model::{Answer, BinaryMetrics, Error, Features, Model, TrainSettings, Trained};

pub fn train(
    features: &Features,
    labels: &[Option<bool>],
    users: &[String],
    settings: &TrainSettings,
) -> Result<Trained, Error> {
    streamflow_model::train(features, &labels.to_vec().into(), users, settings)
}

pub fn metrics(trained: &Trained) -> BinaryMetrics {
    trained.metrics.binary().expect("a classifier of two classes").clone()
}

pub fn probability(model: &Model, row: &[f64]) -> f64 {
    match model.predict_row(row) {
        Some(Answer::Probability(probability)) => probability,
        other => panic!("{other:?}"),
    }
}

//! A model: from typed values to probabilities.

use crate::ensemble::{Ensemble, sigmoid};
use crate::import::Imported;
use crate::{EncodedRow, Error, FeatureValue, Features, Schema};

/// Rows that lie in memory as rows at a time.
const ROWS_AT_ONCE: usize = 1 << 16;

/// A classifier that gives the probability of the positive class.
///
/// Cheap to share between threads behind an `Arc`; prediction needs no lock and no allocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(crate) schema: Schema,
    pub(crate) predictor: Predictor,
    pub(crate) threshold: f64,
}

/// What gives probabilities.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Predictor {
    /// Trees that were trained here.
    Trained(Ensemble),
    /// A model file of another library.
    Imported(Imported),
}

/// Probabilities of a batch and what had to be ignored to compute them.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// One probability per row.
    pub probabilities: Vec<f64>,
    /// For each feature of the schema, the number of rows whose level no training row had; they were
    /// predicted as missing.
    pub unseen: Vec<u64>,
}

impl Model {
    /// The features the model was trained with, in the order of [`Model::encode`].
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The probability from which a row is predicted positive.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Number of trees; none of an imported model that is not made of trees alone.
    pub fn trees(&self) -> Option<usize> {
        match &self.predictor {
            Predictor::Trained(ensemble) => Some(ensemble.roots.len()),
            Predictor::Imported(imported) => imported.model.trees(),
        }
    }

    /// The probability of the positive class for values in the schema's order. A level that training did not have is
    /// taken as missing.
    ///
    /// # Errors
    /// [`Error::FeatureCount`] and [`Error::KindMismatch`]; of an imported model, [`Error::Inference`] for a value that
    /// it does not take, which may be a missing one.
    pub fn probability(&self, values: &[FeatureValue]) -> Result<f64, Error> {
        match &self.predictor {
            Predictor::Trained(ensemble) => Ok(sigmoid(ensemble.score(&self.schema.encode(values)?.values))),
            Predictor::Imported(_) if values.len() != self.schema.features.len() => {
                Err(Error::FeatureCount { expected: self.schema.features.len(), given: values.len() })
            }
            Predictor::Imported(imported) => imported.probability(values),
        }
    }

    /// Checks that values of these types are such as the model takes; a level that is not one is no error.
    ///
    /// # Errors
    /// As [`Model::probability`].
    pub fn check_types(&self, values: &[FeatureValue]) -> Result<(), Error> {
        match self.probability(values) {
            // A graph may stop at a value although its type is right.
            Err(Error::Inference(streamflow_inference::Error::Operator { .. })) => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Turns values, given in the schema's order, into a row for [`Model::predict_row`].
    ///
    /// # Errors
    /// [`Error::FeatureCount`] and [`Error::KindMismatch`]; a missing or unseen value is none. [`Error::NotTrainedHere`]
    /// for an imported model, which has rows of its own.
    pub fn encode(&self, values: &[FeatureValue]) -> Result<EncodedRow, Error> {
        match &self.predictor {
            Predictor::Trained(_) => self.schema.encode(values),
            Predictor::Imported(_) => Err(Error::NotTrainedHere),
        }
    }

    /// The probability of the positive class for one encoded row, in (0, 1). NaN is missing, and so is
    /// what a short row lacks; what a long row has in excess is ignored. Does not allocate. NaN of an imported model,
    /// for which no row is encoded.
    pub fn predict_row(&self, row: &[f64]) -> f64 {
        match &self.predictor {
            Predictor::Trained(ensemble) => sigmoid(ensemble.score(row)),
            Predictor::Imported(_) => f64::NAN,
        }
    }

    /// The probabilities of all rows; columns are found by name, in any order, others are ignored.
    ///
    /// # Errors
    /// [`Error::MissingFeature`] and [`Error::KindMismatch`]; of an imported model [`Error::Inference`].
    pub fn predict(&self, features: &Features) -> Result<Predictions, Error> {
        match &self.predictor {
            Predictor::Imported(imported) => imported.predict(&self.schema, features),
            Predictor::Trained(_) => {
                let rows: Vec<usize> = (0..features.rows()).collect();
                self.predict_rows(features, &rows)
            }
        }
    }

    pub(crate) fn predict_rows(&self, features: &Features, rows: &[usize]) -> Result<Predictions, Error> {
        let (columns, unseen) = self.schema.encode_columns(features, rows)?;
        let Predictor::Trained(ensemble) = &self.predictor else { return Err(Error::NotTrainedHere) };
        let mut probabilities = Vec::with_capacity(rows.len());
        for first in (0..rows.len()).step_by(ROWS_AT_ONCE) {
            let rows = first..rows.len().min(first + ROWS_AT_ONCE);
            let values: Vec<f64> =
                rows.flat_map(|row| columns.iter().map(move |column| column[row])).collect();
            probabilities.extend(ensemble.scores(&values).into_iter().map(sigmoid));
        }
        Ok(Predictions { probabilities, unseen })
    }
}

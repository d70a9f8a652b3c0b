//! A trained model: from typed values to probabilities.

use crate::ensemble::{Ensemble, sigmoid};
use crate::{EncodedRow, Error, FeatureValue, Features, Schema};

/// A classifier that gives the probability of the positive class.
///
/// Cheap to share between threads behind an `Arc`; prediction needs no lock and no allocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(crate) schema: Schema,
    pub(crate) ensemble: Ensemble,
    pub(crate) threshold: f64,
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

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.ensemble.roots.len()
    }

    /// Turns values, given in the schema's order, into a row for [`Model::predict_row`].
    ///
    /// # Errors
    /// [`Error::FeatureCount`] and [`Error::KindMismatch`]; a missing or unseen value is none.
    pub fn encode(&self, values: &[FeatureValue]) -> Result<EncodedRow, Error> {
        self.schema.encode(values)
    }

    /// The probability of the positive class for one encoded row, in (0, 1). NaN is missing, and so is
    /// what a short row lacks; what a long row has in excess is ignored. Does not allocate.
    pub fn predict_row(&self, row: &[f64]) -> f64 {
        sigmoid(self.ensemble.score(row))
    }

    /// The probabilities of all rows; columns are found by name, in any order, others are ignored.
    ///
    /// # Errors
    /// [`Error::MissingFeature`] and [`Error::KindMismatch`].
    pub fn predict(&self, features: &Features) -> Result<Predictions, Error> {
        let rows: Vec<usize> = (0..features.rows()).collect();
        self.predict_rows(features, &rows)
    }

    pub(crate) fn predict_rows(&self, features: &Features, rows: &[usize]) -> Result<Predictions, Error> {
        let (columns, unseen) = self.schema.encode_columns(features, rows)?;
        let mut row = vec![f64::NAN; columns.len()];
        let predict = |i: usize| {
            row.iter_mut().zip(&columns).for_each(|(value, column)| *value = column[i]);
            self.predict_row(&row)
        };
        Ok(Predictions { probabilities: (0..rows.len()).map(predict).collect(), unseen })
    }
}

//! A model: from typed values to answers.

use crate::boosters::{Answer, Answers, Boosters};
use crate::explain::Explaining;
use crate::import::Imported;
use crate::{EncodedRow, Error, FeatureValue, Features, Schema, Task};

/// Rows that lie in memory as rows at a time.
const ROWS_AT_ONCE: usize = 1 << 16;

/// A model that answers by its task: with a probability, with one for each class, or with a number.
///
/// Cheap to share between threads behind an `Arc`; prediction needs no lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(crate) schema: Schema,
    pub(crate) predictor: Predictor,
    pub(crate) threshold: f64,
    pub(crate) explaining: Explaining,
}

/// What gives answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Predictor {
    /// Trees that were trained here.
    Trained(Boosters),
    /// A model file of another library.
    Imported(Imported),
}

/// Answers to a batch and what had to be ignored to compute them.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// One answer per row.
    pub answers: Answers,
    /// For each feature of the schema, the number of rows whose level no training row had; they were
    /// predicted as missing. Of an imported model all rows of the table count.
    pub unseen: Vec<u64>,
}

impl Predictions {
    /// The probability of the positive class of each row; empty for a model that is no classifier of two classes.
    pub fn probabilities(&self) -> &[f64] {
        match &self.answers {
            Answers::Probability(probabilities) => probabilities,
            Answers::Probabilities(_) | Answers::Value(_) => &[],
        }
    }
}

impl Model {
    /// What it predicts.
    pub fn task(&self) -> Task {
        match &self.predictor {
            Predictor::Trained(boosters) => boosters.task(),
            Predictor::Imported(imported) => imported.model.task().into(),
        }
    }

    /// The names of the classes, in the order of their probabilities; empty of a model without several.
    pub fn classes(&self) -> &[String] {
        &self.schema.classes
    }

    /// The features the model was trained with, in the order of [`Model::encode`].
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The probability from which a row is predicted positive; of no use for a model that has not two classes.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Number of trees; none of an imported model that is not made of trees alone.
    pub fn trees(&self) -> Option<usize> {
        match &self.predictor {
            Predictor::Trained(boosters) => Some(boosters.trees()),
            Predictor::Imported(imported) => imported.model.trees(),
        }
    }

    /// The answer to values in the schema's order. A level that training did not have is taken as missing.
    ///
    /// # Errors
    /// [`Error::FeatureCount`] and [`Error::KindMismatch`]; of an imported model, [`Error::Inference`] for a value that
    /// it does not take, which may be a missing one.
    pub fn answer(&self, values: &[FeatureValue]) -> Result<Answer, Error> {
        match &self.predictor {
            Predictor::Trained(boosters) => Ok(boosters.answer(&self.schema.encode(values)?.values)),
            Predictor::Imported(_) if values.len() != self.schema.features.len() => {
                Err(Error::FeatureCount { expected: self.schema.features.len(), given: values.len() })
            }
            Predictor::Imported(imported) => imported.answer(values),
        }
    }

    /// Checks that values of these types are such as the model takes; a level that is not one is no error.
    ///
    /// # Errors
    /// As [`Model::answer`].
    pub fn check_types(&self, values: &[FeatureValue]) -> Result<(), Error> {
        match self.answer(values) {
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

    /// The answer to one encoded row. NaN is missing, and so is what a short row lacks; what a long row has in excess is
    /// ignored. Allocates for several classes only. None for an imported model, for which no row is encoded.
    pub fn predict_row(&self, row: &[f64]) -> Option<Answer> {
        match &self.predictor {
            Predictor::Trained(boosters) => Some(boosters.answer(row)),
            Predictor::Imported(_) => None,
        }
    }

    /// The answers to all rows; columns are found by name, in any order, others are ignored.
    ///
    /// # Errors
    /// [`Error::MissingFeature`] and [`Error::KindMismatch`]; of an imported model [`Error::Inference`].
    pub fn predict(&self, features: &Features) -> Result<Predictions, Error> {
        let rows: Vec<usize> = (0..features.rows()).collect();
        self.predict_rows(features, &rows)
    }

    /// The answers to these rows, in their order, as [`Model::predict`].
    ///
    /// # Errors
    /// As [`Model::predict`]; an imported model is asked about all rows, so that any of them may be an error.
    pub fn predict_rows(&self, features: &Features, rows: &[usize]) -> Result<Predictions, Error> {
        match &self.predictor {
            Predictor::Trained(boosters) => self.answer_rows(boosters, features, rows),
            Predictor::Imported(imported) => {
                let mut predictions = imported.predict(&self.schema, features)?;
                if rows.len() != features.rows() {
                    predictions.answers = predictions.answers.select(rows);
                }
                Ok(predictions)
            }
        }
    }

    fn answer_rows(
        &self,
        boosters: &Boosters,
        features: &Features,
        rows: &[usize],
    ) -> Result<Predictions, Error> {
        let (columns, unseen) = self.schema.encode_columns(features, rows)?;
        let mut answers = Answers::of(self.task(), rows.len());
        for first in (0..rows.len()).step_by(ROWS_AT_ONCE) {
            let rows = first..rows.len().min(first + ROWS_AT_ONCE);
            let values: Vec<f64> =
                rows.flat_map(|row| columns.iter().map(move |column| column[row])).collect();
            boosters.answer_rows(&values, &mut answers);
        }
        Ok(Predictions { answers, unseen })
    }
}

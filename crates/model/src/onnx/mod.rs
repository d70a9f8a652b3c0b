//! Trained trees as an ONNX graph, so that any ONNX runtime scores with them.
//!
//! Each feature is an input of one value a row: a number is a double, with NaN for a missing one; a category is a text,
//! with the empty text for a missing one, and any level that training did not have is missing too. Comparisons and
//! sums are of 64 bits (`TreeEnsembleRegressor` of `ai.onnx.ml` 3 with its `_as_tensor` attributes), its result is of 32:
//! a runtime's answer differs from [`Model::answer`] by the rounding to 32 bits, 1e-7 of a probability.
//!
//! Outputs are `label` and `probabilities` of a classifier, or `variable` of a regression. A label of two classes is 1 from
//! the model's threshold on and else 0; one of several is the name of the class.

mod graph;
mod message;
mod trees;

use crate::model::Predictor;
use crate::{Error, Model};

impl Model {
    /// The model as the bytes of an ONNX file: IR version 8, operator sets 17 and `ai.onnx.ml` 3.
    ///
    /// # Errors
    /// [`Error::NotTrainedHere`] for an imported model, whose own file is to be taken; [`Error::Export`] for one that no
    /// ONNX graph says: a level that is the empty text, or numbers beyond those of 32 bits.
    pub fn to_onnx(&self) -> Result<Vec<u8>, Error> {
        let Predictor::Trained(boosters) = &self.predictor else { return Err(Error::NotTrainedHere) };
        graph::write(&self.schema, boosters, self.threshold)
    }
}

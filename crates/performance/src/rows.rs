//! The rows that a binary classifier is judged by.

use crate::error::{self, Error};

/// Rows of a binary classifier: the label where it is known, the predicted class and the score.
///
/// A row may lack any of them: it is left out of what needs the missing part, and counted. Columns are aligned and
/// scores are probabilities; both are checked once, here.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    labels: Vec<Option<bool>>,
    predicted: Vec<Option<bool>>,
    scores: Vec<f64>,
}

impl Rows {
    /// Takes the three columns; a score is NaN where it is missing.
    ///
    /// # Errors
    /// [`Error::Unaligned`], [`Error::NotAProbability`] for a score outside [0, 1].
    pub fn new(
        labels: Vec<Option<bool>>,
        predicted: Vec<Option<bool>>,
        scores: Vec<f64>,
    ) -> Result<Self, Error> {
        let scored = ("the scores", scores.len());
        error::aligned(("the labels", labels.len()), scored)?;
        error::aligned(("the predicted classes", predicted.len()), scored)?;
        error::probabilities("score", &scores)?;
        Ok(Self { labels, predicted, scores })
    }

    /// As [`Rows::new`], with a row predicted positive when its score is at least `threshold`.
    ///
    /// # Errors
    /// As [`Rows::new`], and [`Error::Setting`] for a threshold that is NaN.
    pub fn at_threshold(labels: Vec<Option<bool>>, scores: Vec<f64>, threshold: f64) -> Result<Self, Error> {
        if threshold.is_nan() {
            let expected = "the score from which a row is predicted positive";
            return Err(Error::Setting { name: "the threshold", value: threshold, expected });
        }
        let predicted = scores.iter().map(|score| (!score.is_nan()).then_some(*score >= threshold)).collect();
        Self::new(labels, predicted, scores)
    }

    /// The rows of a chunk, in the order in which it names them.
    ///
    /// # Errors
    /// [`Error::NoSuchRow`].
    pub fn select(&self, rows: &[usize]) -> Result<Self, Error> {
        if let Some(&row) = rows.iter().find(|&&row| row >= self.len()) {
            return Err(Error::NoSuchRow { row, rows: self.len() });
        }
        Ok(Self {
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            predicted: rows.iter().map(|&row| self.predicted[row]).collect(),
            scores: rows.iter().map(|&row| self.scores[row]).collect(),
        })
    }

    /// Number of rows, whatever they lack.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Tells whether there is no row at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// The labels, `None` where they are not known.
    #[must_use]
    pub fn labels(&self) -> &[Option<bool>] {
        &self.labels
    }

    /// The predicted classes, `None` where there is none.
    #[must_use]
    pub fn predicted(&self) -> &[Option<bool>] {
        &self.predicted
    }

    /// The scores, NaN where there is none.
    #[must_use]
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// Rows whose label is known.
    #[must_use]
    pub fn labelled(&self) -> usize {
        self.labels.iter().flatten().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_do_not_fit_are_refused() {
        let check = |labels: usize, predicted: usize, scores: &[f64], message: &str| {
            let error = Rows::new(vec![None; labels], vec![None; predicted], scores.to_vec()).unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
        };
        check(1, 2, &[0.5, 0.5], "the labels have 1 rows and the scores have 2;");
        check(2, 3, &[0.5, 0.5], "the predicted classes have 3 rows and the scores have 2;");
        check(2, 2, &[0.5, 1.5], "row 1 has the score 1.5, expected a probability");
        check(1, 1, &[f64::INFINITY], "row 0 has the score inf, expected a probability");
        assert!(Rows::at_threshold(vec![], vec![], f64::NAN).is_err());
    }

    #[test]
    fn a_chunk_has_its_rows_in_its_order() {
        let rows = Rows::at_threshold(vec![Some(true), None], vec![0.5, f64::NAN], 0.5).unwrap();
        assert_eq!(rows.predicted(), [Some(true), None]);
        assert_eq!(rows.labelled(), 1);
        let chosen = rows.select(&[1, 0, 0]).unwrap();
        assert_eq!(chosen.labels(), [None, Some(true), Some(true)]);
        assert_eq!(rows.select(&[2]), Err(Error::NoSuchRow { row: 2, rows: 2 }));
    }
}

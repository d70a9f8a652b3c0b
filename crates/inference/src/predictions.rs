//! What a model says about rows.

use crate::link::Width;

/// Answers to a batch of rows; a model gives those that apply to it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Predictions {
    /// The raw scores before the link, one column for each output.
    pub margin: Option<Matrix>,
    /// The probability of each class; two columns for a binary model.
    pub probability: Option<Matrix>,
    /// What a regression or ranking predicts, one column for each output.
    pub value: Option<Matrix>,
    /// The predicted class of each row.
    pub label: Option<Labels>,
    /// For each feature, the rows with a level that training did not have; it is taken as missing.
    pub unseen: Vec<u64>,
}

/// Numbers of rows and columns, row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    columns: usize,
    width: Width,
    values: Vec<f64>,
}

impl Matrix {
    pub(crate) fn new(columns: usize, width: Width, values: Vec<f64>) -> Matrix {
        Matrix { columns: columns.max(1), width, values }
    }

    pub(crate) fn width(&self) -> Width {
        self.width
    }

    /// Numbers of a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// True where the library's own answer is a 32-bit number; each value here is one then.
    pub fn is_single(&self) -> bool {
        self.width == Width::Single
    }

    /// The double that is written as a value of this width is: a 32-bit 0.1 as 0.1, not as 0.10000000149011612.
    pub fn shortest(&self, value: f64) -> f64 {
        if self.is_single() { shortest(value) } else { value }
    }

    /// The rows.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.columns)
    }

    pub(crate) fn into_values(self) -> Vec<f64> {
        self.values
    }

    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        self.values.chunks_exact_mut(self.columns)
    }
}

/// The double whose text is the shortest of a 32-bit number.
fn shortest(value: f64) -> f64 {
    (value as f32).to_string().parse().unwrap_or(value)
}

/// Names of classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// Integers.
    Integers(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
}

impl Labels {
    /// Number of labels.
    pub fn len(&self) -> usize {
        match self {
            Labels::Integers(labels) => labels.len(),
            Labels::Texts(labels) => labels.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A label as text.
    pub fn text(&self, index: usize) -> Option<String> {
        match self {
            Labels::Integers(labels) => labels.get(index).map(i64::to_string),
            Labels::Texts(labels) => labels.get(index).cloned(),
        }
    }

    /// The integers 0, 1, …
    pub(crate) fn count(classes: usize) -> Labels {
        Labels::Integers((0..classes as i64).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_32_bits_are_written_as_such() {
        let tenth = f64::from(0.1_f32);
        let of = |width| Matrix::new(1, width, vec![tenth]).shortest(tenth);
        assert_eq!((of(Width::Single), of(Width::Double)), (0.1, tenth));
        assert!(Matrix::new(1, Width::Single, Vec::new()).shortest(f64::NAN).is_nan());
    }
}

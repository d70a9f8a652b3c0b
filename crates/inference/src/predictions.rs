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

    /// The rows.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.columns)
    }

    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        self.values.chunks_exact_mut(self.columns)
    }
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

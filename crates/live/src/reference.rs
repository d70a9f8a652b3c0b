//! What traffic is compared with, and the minute that is being filled.

use serde::{Deserialize, Serialize};

use crate::feature::{FeatureReference, Value};
use crate::minute::{Minute, OpenMinute};
use crate::sample::ABSENT;

/// Features and outputs that one reference may have at most.
const MOST_COLUMNS: usize = 4096;

/// The features that a model takes and what it says, each with its classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    columns: Vec<FeatureReference>,
    /// How many of the columns are features; what follows is what the model says.
    features: usize,
}

/// Why a minute or a reference is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The minute was made with other classes.
    #[error("the minute has the classes of another reference: {given:?} instead of {expected:?}")]
    Classes {
        /// Classes of each column of the minute.
        given: Vec<usize>,
        /// Classes of each column of the reference.
        expected: Vec<usize>,
    },
    /// The reference contradicts itself.
    #[error("the reference is damaged: {0}")]
    Reference(String),
}

impl Reference {
    /// The reference of these features, and of what the model says.
    #[must_use]
    pub fn new(features: Vec<FeatureReference>, outputs: Vec<FeatureReference>) -> Self {
        let number = features.len();
        Self { columns: features.into_iter().chain(outputs).collect(), features: number }
    }

    /// Checks a reference that was read from elsewhere.
    ///
    /// # Errors
    /// Counts that do not fit the classes, classes out of order, too many columns.
    pub fn check(&self) -> Result<(), Mismatch> {
        let damaged = |what: String| Err(Mismatch::Reference(what));
        if self.columns.len() > MOST_COLUMNS || self.features > self.columns.len() {
            return damaged(format!("{} columns, {} of them features", self.columns.len(), self.features));
        }
        for column in &self.columns {
            let (classes, counts) = (column.classes.number() + 1, column.counts.len());
            if counts != classes || !column.classes.is_sound() {
                return damaged(format!("{:?} has {counts} counts and {classes} classes", column.name));
            }
            if column.counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count)).is_none() {
                return damaged(format!("{:?} has too many rows", column.name));
            }
        }
        Ok(())
    }

    /// Features, then what the model says.
    #[must_use]
    pub fn columns(&self) -> &[FeatureReference] {
        &self.columns
    }

    /// How many of the columns are features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Classes of each column, missing included.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        self.columns.iter().map(|column| column.counts.len()).collect()
    }

    /// Writes the classes of a row. Features that are not given are missing; outputs that are not given are neither
    /// missing nor present, since the row was answered by somebody else.
    pub fn classify<'v>(&self, values: impl IntoIterator<Item = Value<'v>>, classes: &mut Vec<u8>) {
        let mut values = values.into_iter();
        classes.clear();
        classes.extend(self.columns.iter().enumerate().map(|(at, column)| match values.next() {
            // Fewer than 255 classes, as `Classes::number` says.
            Some(value) => column.classes.class(value) as u8,
            None if at < self.features => column.classes.number() as u8,
            None => ABSENT,
        }));
    }

    /// A minute without requests.
    #[must_use]
    pub fn open_minute(&self) -> OpenMinute {
        OpenMinute::new(&self.shape())
    }

    /// Whether a minute was made with these classes.
    ///
    /// # Errors
    /// It was made with others.
    pub fn check_minute(&self, minute: &Minute) -> Result<(), Mismatch> {
        let (given, expected) = (minute.counters.shape(), self.shape());
        if given == expected { Ok(()) } else { Err(Mismatch::Classes { given, expected }) }
    }
}

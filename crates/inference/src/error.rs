//! What can go wrong, with what was given and what was expected.

use crate::Format;

/// Every failure of this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are those of something else.
    #[error("{0}")]
    NotAModel(String),
    /// The file cannot be read to its end.
    #[error("not a sound {format} model: {reason}")]
    Malformed {
        /// What the file was taken for.
        format: Format,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// The file is sound and has something that is not evaluated here.
    #[error("{format} model with {what}: {remedy}")]
    Unsupported {
        /// The format of the file.
        format: Format,
        /// The name of the part that is not evaluated.
        what: String,
        /// What to do instead.
        remedy: String,
    },
    /// A feature is not among the columns.
    #[error("feature {feature:?} is missing; the model takes {expected}")]
    MissingFeature {
        /// The feature.
        feature: String,
        /// All features of the model, or how many there are.
        expected: String,
    },
    /// The column with a feature's name is the one of another feature.
    #[error(
        "the column {column:?} is taken for the feature {taker:?}, and the feature {feature:?} has no other; name another column for one of them"
    )]
    TakenColumn {
        /// The feature without a column.
        feature: String,
        /// The column of its name.
        column: String,
        /// The feature that the column is given for.
        taker: String,
    },
    /// Several columns have the name of one that is asked for.
    #[error("the table has several columns with the name {column:?}; rename or drop all but one")]
    TwiceNamed {
        /// The name.
        column: String,
    },
    /// The file has no names, so there must be as many columns as features.
    #[error("the model file has no feature names; it takes {expected} columns in order, not {given}")]
    ColumnCount {
        /// Features of the model.
        expected: usize,
        /// Columns given.
        given: usize,
    },
    /// A value is of another type than in training.
    #[error("feature {feature:?} is {given}, but the model takes {expected}")]
    Value {
        /// The feature.
        feature: String,
        /// The value.
        given: String,
        /// What is accepted.
        expected: String,
    },
    /// What its features add to an answer is not known.
    #[error("{format} model without explanations: {reason}")]
    Unexplained {
        /// The format of the file.
        format: Format,
        /// Why not.
        reason: String,
    },
    /// The graph cannot be computed for these rows.
    #[error("ONNX operator {operator}: {reason}")]
    Operator {
        /// Type of the operator, with the name of its node.
        operator: String,
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    pub(crate) fn malformed(format: Format, reason: impl ToString) -> Error {
        Error::Malformed { format, reason: reason.to_string() }
    }

    pub(crate) fn unsupported(format: Format, what: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::Unsupported { format, what: what.into(), remedy: remedy.into() }
    }
}

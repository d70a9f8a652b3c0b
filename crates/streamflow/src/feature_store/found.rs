//! What a feature store said.

use std::sync::Arc;

/// What is known of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Some of its features, or all.
    Something,
    /// Nothing at all.
    Nothing,
}

/// What a feature store knows of one entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Whether it knows the entity.
    pub known: Known,
    /// The features that were asked for with their values, in the order of the answer; missing ones are of an entity of
    /// which others are known.
    pub values: Vec<(Arc<str>, Value)>,
    /// When the newest of them was true, by the store: milliseconds since 1970, where it says so.
    pub newest_ms: Option<i64>,
}

/// The value of a feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// The store has none.
    Missing,
    /// True or false.
    Boolean(bool),
    /// A number; an integer that a 64-bit float does not hold is refused before.
    Number(f64),
    /// A text.
    Text(String),
}

/// Why nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No answer in time.
    #[error("the feature store at {url} did not answer within {ms} ms (features.timeout_ms)")]
    Timeout {
        /// Where it is.
        url: String,
        /// The wait.
        ms: u64,
    },
    /// No connection, or one that broke.
    #[error("the feature store at {url} cannot be asked: {reason}")]
    Unreachable {
        /// Where it is.
        url: String,
        /// What happened.
        reason: String,
    },
    /// An answer that is an error.
    #[error("the feature store at {url} answered {status}: {said}")]
    Refused {
        /// Where it is.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of the body.
        said: String,
    },
    /// A database that answers with an error.
    #[error("the feature store at {url} answered with an error: {said}")]
    Said {
        /// Where it is.
        url: String,
        /// What it said.
        said: String,
    },
    /// An answer that cannot be read.
    #[error("the feature store at {url} answered what is not an answer: {reason}")]
    Answer {
        /// Where it is.
        url: String,
        /// What was expected and found.
        reason: String,
    },
}

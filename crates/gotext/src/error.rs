//! Why a text is none of what it should be.

use crate::quote;

/// The message is Go's or Prometheus's own where they have one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is no number.
    #[error("strconv.{function}: parsing {}: invalid syntax", quote(text))]
    NumberSyntax {
        /// Go's function that refuses it.
        function: &'static str,
        /// The text.
        text: String,
    },
    /// The number is larger than its type holds.
    #[error("strconv.{function}: parsing {}: value out of range", quote(text))]
    NumberRange {
        /// Go's function that refuses it.
        function: &'static str,
        /// The text.
        text: String,
    },
    /// A duration was expected and nothing was written.
    #[error("empty duration string")]
    DurationEmpty,
    /// The text is no duration.
    #[error("not a valid duration string: {}", quote(.0))]
    DurationSyntax(String),
    /// The duration is longer than 292 years.
    #[error("duration out of range")]
    DurationRange,
    /// The text is no size.
    #[error("not a size: {}, expected one like 512KB or 10MB", quote(.0))]
    Size(String),
    /// An escape in a quoted text is unknown or names no character.
    #[error("invalid syntax")]
    Escape,
    /// The text is no pattern of file names.
    #[error("syntax error in pattern")]
    Pattern,
    /// The text is no regular expression of Go's.
    #[error("error parsing regexp: {reason}: `{part}`")]
    Regex {
        /// Go's reason.
        reason: &'static str,
        /// The part of the pattern that is at fault.
        part: String,
    },
}

//! What can be wrong with a message.

/// Why an exposition or a remote-write message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A line of an exposition is not what the format asks for.
    #[error("line {line}: {reason} in {text:?}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What was expected, or what is wrong.
        reason: String,
        /// The line up to the place, shortened.
        text: String,
    },
    /// The body of a remote write or read is no snappy block.
    #[error("the body is no snappy block: {0}")]
    Snappy(String),
    /// The content of a remote write or read is no message of its kind.
    #[error("the body is no protobuf message of remote write or read: {0}")]
    Protobuf(String),
    /// A family of a protobuf exposition is none.
    #[error("family {number}: {reason}")]
    Family {
        /// Counted from 1.
        number: usize,
        /// What was expected, or what is wrong.
        reason: String,
    },
    /// Something that is no native histogram.
    #[error("native histogram with {0}")]
    Histogram(String),
    /// The body is no request of OTLP.
    #[error("the body is no OTLP request in {encoding}: {reason}")]
    Otlp {
        /// `protobuf` or `JSON`.
        encoding: &'static str,
        /// What is wrong, and where.
        reason: String,
    },
    /// A remote write of version 2 names a text that is not in its table.
    #[error("{0}")]
    Symbol(String),
    /// A message holds more than is taken at once.
    #[error("{what} are {found}, expected at most {limit}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much the message has, or claims to have.
        found: u64,
        /// How much is taken.
        limit: u64,
    },
}

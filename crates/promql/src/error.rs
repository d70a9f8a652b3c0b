//! Why a query has no answer.

use crate::ast::Span;

/// Why a query has no answer. The variant is the error type of Prometheus's HTTP API.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The text is not PromQL (`bad_data`). `message` begins with the position, as Prometheus writes it:
    /// `1:5: parse error: unclosed left parenthesis`.
    #[error("{message}")]
    Parse {
        /// Position and reason.
        message: String,
        /// Where, in bytes of the query.
        span: Span,
    },
    /// A parameter beside the query is wrong (`bad_data`).
    #[error("{0}")]
    BadData(String),
    /// The query cannot be evaluated on these series (`execution`).
    #[error("{0}")]
    Execution(String),
    /// It took longer than it may (`timeout`).
    #[error("query timed out in {0}")]
    Timeout(&'static str),
    /// Whoever asked has gone (`canceled`).
    #[error("query was canceled in {0}")]
    Canceled(&'static str),
    /// The store failed (`internal`).
    #[error("{0}")]
    Storage(String),
}

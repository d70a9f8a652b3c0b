//! Where in a query an error is.

use crate::ast::Span;
use crate::error::Error;

/// An error as Prometheus writes it: `1:5: parse error: unclosed left parenthesis`, line and column counted from one,
/// columns in bytes.
pub(super) fn parse_error(query: &str, span: Span, reason: &str) -> Error {
    let before = &query.as_bytes()[..span.start.min(query.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let column = before.len() - line_start + 1;
    Error::Parse { message: format!("{line}:{column}: parse error: {reason}"), span }
}

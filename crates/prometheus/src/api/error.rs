//! Every failure of the Prometheus API: its status and its body.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use streamflow_promql::Error as QueryError;

use super::json;

/// `errorType` of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was sent cannot be answered by anyone.
    BadData,
    /// The query cannot be evaluated on these series.
    Execution,
    /// It took longer than it may.
    Timeout,
    /// Whoever asked has gone.
    Canceled,
    /// Our fault, or the disk's.
    Internal,
    /// The settings do not allow it.
    Unavailable,
}

impl ErrorKind {
    fn name_and_status(self) -> (&'static str, StatusCode) {
        match self {
            Self::BadData => ("bad_data", StatusCode::BAD_REQUEST),
            Self::Execution => ("execution", StatusCode::UNPROCESSABLE_ENTITY),
            Self::Timeout => ("timeout", StatusCode::SERVICE_UNAVAILABLE),
            // What nginx answers to a client that has gone; it has no name.
            Self::Canceled => ("canceled", StatusCode::from_u16(499).expect("a status in range")),
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR),
            // What Prometheus answers, whatever the name lets expect.
            Self::Unavailable => ("unavailable", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// What sort of failure it is.
    pub kind: ErrorKind,
    /// What whoever asked is told.
    pub message: String,
}

impl ApiError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub fn bad_data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadData, message)
    }

    pub fn invalid_parameter(name: &str, reason: &str) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {reason}"))
    }

    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::new(ErrorKind::Internal, error.to_string())
    }
}

impl From<streamflow_tsdb::Error> for ApiError {
    fn from(error: streamflow_tsdb::Error) -> Self {
        tracing::error!("the sample store failed: {error}");
        Self::internal(error)
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let kind = match &error {
            QueryError::Parse { .. } => {
                return Self::invalid_parameter("query", &error.to_string());
            }
            QueryError::BadData(_) => ErrorKind::BadData,
            QueryError::Execution(_) => ErrorKind::Execution,
            QueryError::Timeout(_) => ErrorKind::Timeout,
            QueryError::Canceled(_) => ErrorKind::Canceled,
            QueryError::Storage(_) => ErrorKind::Internal,
        };
        if kind == ErrorKind::Internal {
            tracing::error!("the sample store failed under a query: {error}");
        }
        Self::new(kind, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (name, status) = self.kind.name_and_status();
        let mut body = Vec::with_capacity(96 + self.message.len());
        body.extend_from_slice(b"{\"status\":\"error\",\"errorType\":");
        json::string(&mut body, name);
        body.extend_from_slice(b",\"error\":");
        json::string(&mut body, &self.message);
        body.push(b'}');
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

/// A failure outside the envelope: text, as Go's `http.Error` answers.
pub fn plain(status: StatusCode, message: &str) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, format!("{message}\n")).into_response()
}

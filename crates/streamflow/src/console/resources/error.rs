//! Every way a request to our own resources fails, with its status and body `{"error": "…"}`.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::console::auth::Unchecked;
use crate::terminal::one_line;

/// Why a request was not answered.
#[derive(Debug)]
pub struct ResourceError {
    pub status: StatusCode,
    pub message: String,
}

impl ResourceError {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 422: understood, but it cannot be done; the message says what instead.
    pub fn refused(error: &anyhow::Error) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, one_line(error))
    }
}

/// What fails without the caller's doing is ours: 500.
impl From<anyhow::Error> for ResourceError {
    fn from(error: anyhow::Error) -> Self {
        let message = one_line(&error);
        tracing::error!("the console could not answer: {message}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }
}

impl From<JsonRejection> for ResourceError {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

/// 429 when the caller has to wait; a check that failed is ours.
impl From<Unchecked> for ResourceError {
    fn from(unchecked: Unchecked) -> Self {
        match unchecked {
            Unchecked::Busy => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many passwords are being checked; try again in a moment",
            ),
            Unchecked::Failed(error) => error.into(),
        }
    }
}

impl From<tokio::task::JoinError> for ResourceError {
    fn from(error: tokio::task::JoinError) -> Self {
        anyhow::Error::from(error).into()
    }
}

impl IntoResponse for ResourceError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(serde_json::json!({ "error": self.message }))).into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

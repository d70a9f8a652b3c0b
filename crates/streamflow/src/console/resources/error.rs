//! Every way a request to our own resources fails, with its status and body `{"error": "…"}`.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::console::auth::Unidentified;
use crate::console::passwords::NotChecked;
use crate::console::trail::Reason;
use crate::server::body::BodyError;
use crate::store::{self, Store};
use crate::terminal::one_line;

/// What every failure has as its body.
#[derive(Serialize, ToSchema)]
pub struct ErrorBody {
    /// What was wrong, and what to do.
    error: String,
}

/// Why a request was not answered.
#[derive(Debug)]
pub struct ResourceError {
    pub status: StatusCode,
    pub message: String,
    retry_after_seconds: Option<u64>,
    /// Whether it is for want of the database.
    is_unanswered: bool,
}

/// Stands beside an answer that could not be given for want of the database.
#[derive(Debug, Clone)]
struct Unanswered;

impl ResourceError {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after_seconds: None, is_unanswered: false }
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 422: understood, but it cannot be done; the message says what instead.
    pub fn refused(error: &anyhow::Error) -> Self {
        store::unanswered(error)
            .map_or_else(|| Self::new(StatusCode::UNPROCESSABLE_ENTITY, one_line(error)), Self::unanswered)
    }

    /// 503: the database does not answer.
    fn unanswered(message: String) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, message);
        Self { retry_after_seconds: Some(1), is_unanswered: true, ..error }
    }
}

/// Has an answer that could not be given for want of the database say since when that is away, where it is known.
pub fn tell_since(store: &Store, response: Response) -> Response {
    match (response.extensions().get(), store.away()) {
        (Some(Unanswered), Some(away)) => ResourceError::unanswered(away.to_string()).into_response(),
        _ => response,
    }
}

/// What fails without the caller's doing is ours: 500, or 503 where the database does not answer.
impl From<anyhow::Error> for ResourceError {
    fn from(error: anyhow::Error) -> Self {
        if let Some(said) = store::unanswered(&error) {
            tracing::warn!("the console could not answer: {}", one_line(&error));
            return Self::unanswered(said);
        }
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

/// 403 or 429.
impl From<Unidentified> for ResourceError {
    fn from(reason: Unidentified) -> Self {
        match reason {
            Unidentified::NotChecked(reason) => reason.into(),
            Unidentified::NamedWrongly(message) => Self::new(StatusCode::FORBIDDEN, message),
        }
    }
}

/// 429.
impl From<NotChecked> for ResourceError {
    fn from(reason: NotChecked) -> Self {
        let (message, wait) = match reason {
            NotChecked::Busy => (
                "too many passwords are being checked; try again in a moment".to_owned(),
                Duration::from_secs(1),
            ),
            NotChecked::TooOften(wait) => {
                let seconds = whole_seconds(wait);
                (format!("too many wrong passwords; try again in {seconds} s"), wait)
            }
        };
        let retry_after_seconds = Some(whole_seconds(wait));
        Self { retry_after_seconds, ..Self::new(StatusCode::TOO_MANY_REQUESTS, message) }
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// 400, 408, 413 or 503.
impl From<BodyError> for ResourceError {
    fn from(error: BodyError) -> Self {
        let retry_after_seconds = matches!(error, BodyError::Crowded).then_some(1);
        Self { retry_after_seconds, ..Self::new(error.status(), error.to_string()) }
    }
}

impl From<tokio::task::JoinError> for ResourceError {
    fn from(error: tokio::task::JoinError) -> Self {
        anyhow::Error::from(error).into()
    }
}

impl IntoResponse for ResourceError {
    fn into_response(self) -> Response {
        let reason = Reason(self.message.clone());
        let mut response = (self.status, Json(ErrorBody { error: self.message })).into_response();
        response.extensions_mut().insert(reason);
        if self.is_unanswered {
            response.extensions_mut().insert(Unanswered);
        }
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

//! `{"status":"success","data":…}`.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;
use super::json;

/// What a handler returns.
pub type Answer = Result<Response, ApiError>;

/// An answer in the making: `data` is written into its bytes.
pub struct Success {
    body: Vec<u8>,
}

impl Success {
    /// `write` writes the value of `data`.
    pub fn with(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut body = b"{\"status\":\"success\",\"data\":".to_vec();
        write(&mut body);
        Self { body }
    }

    /// An answer that is not large: any value that serde can write.
    pub fn of(data: &impl Serialize) -> Answer {
        let json = serde_json::to_vec(data).map_err(ApiError::internal)?;
        Ok(Self::with(|body| body.extend_from_slice(&json)).into_response())
    }

    /// Adds a list of texts beside the data, when there are any.
    pub fn beside(mut self, name: &str, texts: &[String]) -> Self {
        if !texts.is_empty() {
            self.body.push(b',');
            json::string(&mut self.body, name);
            self.body.push(b':');
            json::strings(&mut self.body, texts.iter().map(String::as_str));
        }
        self
    }
}

impl IntoResponse for Success {
    fn into_response(mut self) -> Response {
        self.body.push(b'}');
        ([(header::CONTENT_TYPE, "application/json")], self.body).into_response()
    }
}

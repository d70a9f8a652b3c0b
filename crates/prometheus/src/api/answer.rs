//! `{"status":"success","data":…}`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use serde::Serialize;

use super::error::ApiError;
use super::json;

/// What a handler returns.
pub type Answer = Result<Response, ApiError>;

/// An answer in the making: `data` is written into its bytes, which may lie in pieces.
pub struct Success {
    pieces: Vec<Vec<u8>>,
    /// What follows them.
    body: Vec<u8>,
}

impl Success {
    /// `write` writes the value of `data`.
    pub fn with(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut body = b"{\"status\":\"success\",\"data\":".to_vec();
        write(&mut body);
        Self { pieces: Vec::new(), body }
    }

    /// `write` writes how the value of `data` begins, and gives the pieces that follow.
    pub fn in_pieces(write: impl FnOnce(&mut Vec<u8>) -> Vec<Vec<u8>>) -> Self {
        let mut more = Vec::new();
        let Self { body, .. } = Self::with(|body| more = write(body));
        let mut pieces = vec![body];
        pieces.append(&mut more);
        Self { body: pieces.pop().unwrap_or_default(), pieces }
    }

    /// Writes more of `data`, at its end.
    pub fn and(mut self, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        write(&mut self.body);
        self
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
        self.pieces.push(self.body);
        let pieces: VecDeque<Bytes> = self.pieces.into_iter().map(Bytes::from).collect();
        ([(header::CONTENT_TYPE, "application/json")], Body::new(Pieces(pieces))).into_response()
    }
}

/// A body of several pieces, whose length is known: a large answer is not copied into one.
struct Pieces(VecDeque<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
    }
}

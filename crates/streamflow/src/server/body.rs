//! Reading a request's body: its size, the time it may take, and the memory that unfinished ones may hold together.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How far over its limit a body is still read: a client that is busy sending does not read the refusal, and closing on
/// it would lose the answer.
const READ_ON_BYTES: usize = 1 << 20;

/// Bodies of one listener that have begun to arrive and are not complete hold at most this much together.
const UNFINISHED_BYTES: usize = 256 << 20;

/// What the bodies of a listener may take.
#[derive(Debug)]
pub struct BodyReader {
    timeout: Duration,
    /// Bytes that unfinished bodies may still hold.
    memory: Semaphore,
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection or its framing broke.
    #[error("the body could not be read: {0}")]
    Unreadable(String),
    /// It did not arrive in time.
    #[error("the body did not arrive within {0} ms")]
    Timeout(u128),
    /// It is larger than allowed.
    #[error("the body is over the limit of {0} bytes; send less in one request")]
    TooLarge(usize),
    /// Unfinished bodies hold all of their memory.
    #[error("too many large bodies are arriving, try again")]
    Crowded,
}

impl BodyError {
    /// The status that such a request is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            BodyError::Unreadable(_) => StatusCode::BAD_REQUEST,
            BodyError::Timeout(_) => StatusCode::REQUEST_TIMEOUT,
            BodyError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::Crowded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl BodyReader {
    /// Every body must have arrived within `timeout`.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, memory: Semaphore::new(UNFINISHED_BYTES) }
    }

    /// The whole body, at most `limit` bytes.
    ///
    /// # Errors
    /// See [`BodyError`]. What is left of such a body must not be taken for the next request.
    pub async fn read(&self, body: Body, limit: usize) -> Result<Bytes, BodyError> {
        match tokio::time::timeout(self.timeout, self.collect(body, limit)).await {
            Ok(result) => result,
            Err(_) => Err(BodyError::Timeout(self.timeout.as_millis())),
        }
    }

    async fn collect(&self, mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
        let mut first = Bytes::new();
        let mut joined = Vec::new();
        let mut held = None;
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| BodyError::Unreadable(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            length += data.len();
            if length > limit {
                joined = Vec::new();
                if length > limit + READ_ON_BYTES {
                    break;
                }
            } else if first.is_empty() {
                // Nearly every body comes in one piece and is used where it lies.
                first = data;
            } else {
                self.hold(&mut held, data.len())?;
                if joined.is_empty() {
                    joined.extend_from_slice(&first);
                }
                joined.extend_from_slice(&data);
            }
        }
        match length {
            _ if length > limit => Err(BodyError::TooLarge(limit)),
            _ if joined.is_empty() => Ok(first),
            _ => Ok(joined.into()),
        }
    }

    /// Takes so much more of the memory for unfinished bodies.
    fn hold<'a>(&'a self, held: &mut Option<SemaphorePermit<'a>>, bytes: usize) -> Result<(), BodyError> {
        let bytes = u32::try_from(bytes).map_err(|_| BodyError::Crowded)?;
        let more = self.memory.try_acquire_many(bytes).map_err(|_| BodyError::Crowded)?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

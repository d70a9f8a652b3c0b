//! What a connection is doing: waiting for its client, or answering it.
//!
//! The bodies of requests and answers tell it as they pass, so that a client that keeps the server waiting can be told
//! from one that the server keeps waiting.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// As much of a body that nobody read is taken, so that the next request of its connection can be.
const UNREAD_BYTES: u64 = 64 << 10;
/// As long the answer waits for it.
const UNREAD_WAIT: Duration = Duration::from_millis(500);

const ANSWERING: u64 = u64::MAX;
/// What `Retry-After` says of an overload.
const RETRY_AFTER_MS: u64 = 1000;
/// Those who were refused together are not told again together: their next requests would arrive as one crowd.
const SPREAD_MS: u64 = 1000;
/// Has no divisor in common with [`SPREAD_MS`] and is near its golden section, so that turns are far from each other.
const TURN_MS: u64 = 617;
static TURNS: AtomicU64 = AtomicU64::new(0);

/// What one connection is doing.
#[derive(Debug)]
pub struct Activity {
    opened: Instant,
    /// Milliseconds from `opened` to when it began to wait for its client; [`ANSWERING`] while it does not.
    waiting_since_ms: AtomicU64,
    /// Milliseconds from `opened` before which the client was asked not to try again.
    refused_until_ms: AtomicU64,
    /// What is left of the body of a request that was answered by its head alone.
    unread: Mutex<Option<Incoming>>,
}

impl Activity {
    /// Of a connection that was opened then and waits for its first request.
    pub fn new(opened: Instant) -> Arc<Self> {
        Arc::new(Self {
            opened,
            waiting_since_ms: AtomicU64::new(0),
            refused_until_ms: AtomicU64::new(0),
            unread: Mutex::new(None),
        })
    }

    /// From now on the client is waited for.
    pub fn waits(&self) {
        self.waiting_since_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// Holds the answer to a client back that is asked to try again later and did not the last time it was asked: those
    /// who try again at once would take the processors' time from requests that are answered.
    pub async fn refuse(&self) {
        let early_ms = self.refused_until_ms.load(Ordering::Relaxed).saturating_sub(self.now_ms());
        if early_ms > 0 {
            let turn_ms = TURNS.fetch_add(TURN_MS, Ordering::Relaxed) % SPREAD_MS;
            tokio::time::sleep(Duration::from_millis(early_ms + turn_ms)).await;
        }
        self.refused_until_ms.store(self.now_ms() + RETRY_AFTER_MS, Ordering::Relaxed);
    }

    /// What is left of the body of a request that has its answer. While anybody holds it the connection does not end.
    pub fn unread(&self) -> Option<Incoming> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Reads that up; false where it is large or slow, and the connection ends with the answer.
    pub async fn read_up(&self, unread: Option<Incoming>) -> bool {
        let Some(unread) = unread.filter(|body| body.size_hint().lower() <= UNREAD_BYTES) else {
            return false;
        };
        let read =
            tokio::time::timeout(UNREAD_WAIT, Limited::new(unread, UNREAD_BYTES as usize).collect()).await;
        let is_read = matches!(read, Ok(Ok(_)));
        if is_read {
            self.answers();
        }
        is_read
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(ANSWERING - 1)
    }

    /// From now on the client waits: its request has arrived.
    pub fn answers(&self) {
        self.waiting_since_ms.store(ANSWERING, Ordering::Relaxed);
    }

    /// How long the client has been waited for; none while it is the one that waits.
    pub fn waiting_for(&self) -> Option<Duration> {
        let since_ms = self.waiting_since_ms.load(Ordering::Relaxed);
        let waiting = self.opened.elapsed().saturating_sub(Duration::from_millis(since_ms));
        (since_ms != ANSWERING).then_some(waiting)
    }
}

/// The body of a request, which tells when it is complete.
#[derive(Debug)]
pub struct RequestBody {
    /// Present until this is dropped.
    body: Option<Incoming>,
    activity: Arc<Activity>,
    is_complete: bool,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, activity: Arc<Activity>) -> Self {
        let is_complete = body.is_end_stream();
        if is_complete {
            activity.answers();
        } else {
            activity.waits();
        }
        Self { body: Some(body), activity, is_complete }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.is_complete {
            *self.activity.unread.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) {
            self.is_complete = true;
            self.activity.answers();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

/// The body of an answer, which keeps something until the answer is on its way.
#[derive(Debug)]
pub struct AnswerBody<K = UntilSent> {
    pub body: axum::body::Body,
    pub _kept: K,
}

/// A connection whose answer is on its way when this is dropped.
#[derive(Debug)]
pub struct UntilSent(pub Arc<Activity>);

impl<K: Unpin> Body for AnswerBody<K> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for UntilSent {
    fn drop(&mut self) {
        self.0.waits();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_tries_again_early_waits_for_the_refusal() {
        let activity = Activity::new(Instant::now());
        activity.refuse().await;
        assert!(activity.now_ms() < RETRY_AFTER_MS, "the first refusal is told at once");
        activity.refuse().await;
        assert!(activity.now_ms() >= RETRY_AFTER_MS);

        let late = Activity::new(Instant::now().checked_sub(Duration::from_secs(60)).unwrap());
        late.refused_until_ms.store(59_000, Ordering::Relaxed);
        late.refuse().await;
        assert!(late.now_ms() < 61_000, "who waited long enough does not wait again");
    }
}

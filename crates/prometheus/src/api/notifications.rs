//! `/api/v1/notifications`: what an operator should know at once, as Prometheus's pages show it: that the configuration
//! could not be read anew.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use serde::Serialize;
use tokio::sync::mpsc;

use super::answer::{Answer, Success};
use crate::Handle;
use crate::go_json::rfc3339;

/// What a stream of events is called.
pub(super) const STREAMED: &str = "text/event-stream";
/// Prometheus's words.
const RELOAD_FAILED: &str = "Configuration reload has failed.";
/// Between two looks at whether something has changed.
const LOOK: Duration = Duration::from_secs(1);

/// A message, and whether it still holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Notification {
    text: &'static str,
    date: String,
    active: bool,
}

/// What holds now.
fn current(server: &Handle) -> Option<Notification> {
    let applied = server.applied();
    let failed = applied.at_ms > 0 && !applied.succeeded;
    failed.then(|| Notification { text: RELOAD_FAILED, date: rfc3339(Some(applied.at_ms)), active: true })
}

/// `GET /api/v1/notifications`
pub async fn notifications(State(server): State<Handle>) -> Answer {
    Success::of(&current(&server).into_iter().collect::<Vec<_>>())
}

/// `GET /api/v1/notifications/live`: an event for everything that begins or ends to hold, until the client leaves.
pub async fn live(State(server): State<Handle>) -> Response {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut told: Option<Notification> = None;
        loop {
            let now = current(&server);
            let is_same = now.as_ref().map(|one| one.text) == told.as_ref().map(|one| one.text);
            if !is_same {
                let ended = told.map(|one| Notification { active: false, ..one });
                if sender.send(event(now.as_ref().or(ended.as_ref()))).await.is_err() {
                    return;
                }
                told = now;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = sender.closed() => return,
            }
        }
    });
    let headers = [(header::CONTENT_TYPE, STREAMED), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::new(Events(receiver))).into_response()
}

fn event(of: Option<&Notification>) -> Bytes {
    let json = serde_json::to_string(&of).unwrap_or_default();
    format!("data: {json}\n\n").into()
}

/// A body of events as they come.
struct Events(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

//! A connection of HTTP/2, whose requests are answered side by side.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::Peer;
use super::activity::{Activity, AnswerBody, RequestBody};
use super::connection::Connection;
use super::socket::Socket;

/// Requests of one connection that are answered at once.
const STREAMS: u32 = 128;
/// Bytes that a client may send ahead of what is read: of one request, and of a connection.
const STREAM_WINDOW_BYTES: u32 = 64 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 256 << 10;
/// Headers of a request.
const HEADER_BYTES: u32 = 16 << 10;
/// How often an idle connection is looked at.
const RECHECK: Duration = Duration::from_secs(1);

/// Answers the requests of a connection until either side ends it, it is idle for too long, or the server stops.
pub async fn speak<F, A, S>(connection: Connection<F>, stream: S, mut stopped: watch::Receiver<()>)
where
    F: Fn(Request<RequestBody>) -> A + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let limits = connection.listener.limits;
    let activity = connection.activity.clone();
    let shared = Arc::new((connection, AtomicUsize::new(0)));
    let service = service_fn(move |request| answer(shared.clone(), request));
    let socket = TokioIo::new(Socket::new(stream, limits.write_timeout));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(HEADER_BYTES);
    let mut served = pin!(builder.serve_connection(socket, service));
    let mut checks = tokio::time::interval(RECHECK.min(limits.idle_timeout));
    let mut closing: Option<Instant> = None;
    loop {
        let waiting = activity.waiting_for();
        match closing {
            // A client without a request that does not say goodbye either is not waited for.
            Some(since) if waiting.is_some() && since.elapsed() >= RECHECK => return,
            None if waiting.is_some_and(|waiting| waiting > limits.idle_timeout) => {
                served.as_mut().graceful_shutdown();
                closing = Some(Instant::now());
            }
            _ => {}
        }
        tokio::select! {
            result = &mut served => {
                if let Err(error) = result {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            _ = checks.tick() => {}
            _ = stopped.changed(), if closing.is_none() => {
                served.as_mut().graceful_shutdown();
                closing = Some(Instant::now());
            }
        }
    }
}

type Shared<F> = Arc<(Connection<F>, AtomicUsize)>;

async fn answer<F, A>(
    shared: Shared<F>,
    request: Request<Incoming>,
) -> Result<Response<StreamBody>, Infallible>
where
    F: Fn(Request<RequestBody>) -> A + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    let (connection, streams) = &*shared;
    let open = StreamOpen::new(connection.activity.clone(), streams, shared.clone());
    // Bodies are bounded in time where they are read; the connection is busy as long as one request is.
    let mut request = request.map(|body| RequestBody::new(body, Activity::new(Instant::now())));
    if connection.listener.limits.tells_peer {
        let is_encrypted = connection.listener.tls.is_some();
        request.extensions_mut().insert(Peer { address: connection.peer, is_encrypted });
    }
    let response = (connection.listener.app)(request).await;
    Ok(response.map(|body| AnswerBody { body, _kept: Box::new(open) as Box<dyn Send + Sync> }))
}

/// A request that is being answered; the last of a connection leaves it waiting for its client.
struct StreamOpen<F> {
    activity: Arc<Activity>,
    shared: Shared<F>,
}

impl<F> StreamOpen<F> {
    fn new(activity: Arc<Activity>, streams: &AtomicUsize, shared: Shared<F>) -> Self {
        streams.fetch_add(1, Ordering::AcqRel);
        activity.answers();
        Self { activity, shared }
    }
}

impl<F> Drop for StreamOpen<F> {
    fn drop(&mut self) {
        if self.shared.1.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.activity.waits();
        }
    }
}

/// The body of an answer, with which its request ends.
type StreamBody = AnswerBody<Box<dyn Send + Sync>>;

//! The accept loop of every listener: connections with a bound on their number, on idling, on clients that do not read,
//! and on the time to drain.

mod activity;
pub mod body;
mod connection;
mod http2;
mod load;
mod open;
mod socket;
mod tls;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::Request;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use activity::RequestBody;
use connection::Connection;
pub use load::Load;
use open::Open;
pub use tls::{Tls, TlsFiles};

/// How long to wait after a failed accept: the usual cause, no free descriptor, passes by itself.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What a listener allows its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Open connections. One more takes the place of the one that has kept the server waiting longest; where all are
    /// being answered it waits in the kernel's queue, whose length is bounded.
    pub max_connections: usize,
    /// Longest wait for a request's headers, and so the longest an idle connection is kept.
    pub idle_timeout: Duration,
    /// Longest wait for a client that does not read its answer.
    pub write_timeout: Duration,
    /// Longest wait for requests in flight when the server is asked to stop.
    pub drain_timeout: Duration,
    /// Whether requests carry their client's address, as a [`Peer`].
    pub tells_peer: bool,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_connections: 8192,
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
            tells_peer: false,
        }
    }
}

/// The other end of a request's connection: the client, or a proxy before this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub address: SocketAddr,
    pub is_encrypted: bool,
}

/// A listener and what it allows.
pub struct Listening {
    pub listener: TcpListener,
    pub limits: ConnectionLimits,
    /// Told how long requests wait.
    pub load: Option<Arc<Load>>,
    /// Encrypts the connections.
    pub tls: Option<Tls>,
    pub speaks: Speaks,
}

/// The version of HTTP that a listener speaks; its clients know it beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Http1,
    /// For gRPC: many requests at once on a connection.
    Http2,
}

impl Listening {
    /// Without anything that is optional.
    pub fn new(listener: TcpListener, limits: ConnectionLimits) -> Self {
        Self { listener, limits, load: None, tls: None, speaks: Speaks::Http1 }
    }
}

/// What a connection of a listener needs of it.
struct Listener<F> {
    app: F,
    limits: ConnectionLimits,
    tls: Option<Tls>,
    speaks: Speaks,
    /// True once the server was asked to stop: every answer is then the last of its connection.
    closing: AtomicBool,
}

/// Answers a request by its route.
pub async fn answer(router: Router, request: Request<RequestBody>) -> Response {
    match TowerToHyperService::new(router).call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Answers a request of this process itself, which shows that it knows `token`. Anybody else is refused.
pub async fn answer_own(router: Router, token: Arc<str>, request: Request<RequestBody>) -> Response {
    let shown = request.headers().get(header::AUTHORIZATION).map_or(&[][..], |value| value.as_bytes());
    let is_own =
        shown.strip_prefix(b"Bearer ").is_some_and(|shown| bool::from(shown.ct_eq(token.as_bytes())));
    if is_own { answer(router, request).await } else { StatusCode::FORBIDDEN.into_response() }
}

/// Serves `app` until `shutdown` resolves. Then no connection is accepted, idle ones are closed, every answer says that
/// it is the last of its connection, and requests in flight are waited for until the drain timeout, after which they are
/// dropped.
///
/// # Errors
/// There are none after it has started; the listener was bound by the caller.
pub async fn serve<F, A>(listening: Listening, app: F, shutdown: impl Future) -> anyhow::Result<()>
where
    F: Fn(Request<RequestBody>) -> A + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    let Listening { listener, limits, load, tls, speaks } = listening;
    let (stop, stopped) = watch::channel(());
    let shared = Arc::new(Listener { app, limits, tls, speaks, closing: AtomicBool::new(false) });
    let mut open = Open::new(limits.max_connections);
    let mut shutdown = pin!(shutdown);
    let mut beside = pin!(async { tokio::join!(measure(load.as_deref()), follow(shared.tls.as_ref())) });
    loop {
        let has_room = open.has_room();
        if let Some(load) = &load {
            load.count(open.len());
        }
        tokio::select! {
            _ = &mut shutdown => break,
            () = open.ended() => {}
            _ = &mut beside => {}
            () = tokio::time::sleep(open::RECHECK), if !has_room => {}
            accepted = listener.accept(), if has_room => match accepted {
                Ok((stream, peer)) => {
                    let activity = open.admit();
                    let connection = Connection { peer, activity: activity.clone(), listener: shared.clone() };
                    open.spawn(activity, connection.serve(stream, stopped.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection, trying again");
                    // The system may allow fewer than the configuration.
                    open.close_longest_waiting();
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    drop(listener);
    shared.closing.store(true, Ordering::Relaxed);
    stop.send_replace(());
    open.drain(limits.drain_timeout).await;
    Ok(())
}

/// Measures how long requests wait; never ends.
async fn measure(load: Option<&Load>) {
    if let Some(load) = load
        && let Err(error) = load.measure().await
    {
        tracing::warn!(%error, "cannot measure how long requests wait; none is refused for it");
    }
    std::future::pending().await
}

/// Reads the certificate again when it changes; never ends.
async fn follow(tls: Option<&Tls>) {
    match tls {
        Some(tls) => tls.follow().await,
        None => std::future::pending().await,
    }
}

//! The accept loop: connections with a bound on their number, on idling and on the time to drain.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// How long to wait after a failed accept: the usual cause, no free descriptor, passes by itself.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What a listener allows its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Open connections; more wait in the kernel's queue, whose length is bounded.
    pub max_connections: usize,
    /// Longest wait for a request's headers, and so the longest an idle connection is kept.
    pub idle_timeout: Duration,
    /// Longest wait for requests in flight when the server is asked to stop.
    pub drain_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_connections: 8192,
            idle_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Serves `app` until `shutdown` resolves. Then no connection is accepted, idle ones are
/// closed, and requests in flight are waited for until the drain timeout, after which they are dropped.
///
/// # Errors
/// There are none after it has started; the listener was bound by the caller.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: ConnectionLimits,
    shutdown: impl Future,
) -> anyhow::Result<()> {
    let (stop, stopped) = watch::channel(());
    let slots = Arc::new(Semaphore::new(limits.max_connections.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
            (listener.accept().await, slot)
        };
        tokio::select! {
            _ = &mut shutdown => break,
            // Finished connections are collected as they end.
            Some(_) = connections.join_next() => {}
            (accepted, slot) = accepted => match accepted {
                Ok((stream, _)) => {
                    let connection = connection(stream, app.clone(), limits, stopped.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection, trying again");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    drop(listener);
    stop.send_replace(());
    drain(connections, limits.drain_timeout).await;
    Ok(())
}

async fn drain(mut connections: JoinSet<()>, timeout: Duration) {
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(timeout, all).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            ?timeout,
            "dropping requests that did not finish in time"
        );
    }
}

fn connection(
    stream: TcpStream,
    app: Router,
    limits: ConnectionLimits,
    mut stopped: watch::Receiver<()>,
) -> impl Future<Output = ()> + use<> {
    // A response is one write; Nagle's algorithm could only delay it.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.idle_timeout);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    async move {
        let mut connection = pin!(connection);
        let result: Result<(), hyper::Error> = tokio::select! {
            result = &mut connection => result,
            _ = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        // A client that hangs up or talks nonsense is its own affair.
        if let Err(error) = result {
            tracing::debug!(%error, "connection ended");
        }
    }
}

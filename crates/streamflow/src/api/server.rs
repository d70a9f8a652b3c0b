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

use super::{ApiState, Settings, router};

/// How long to wait after a failed accept: the usual cause, no free descriptor, passes by itself.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Serves the prediction API until `shutdown` resolves. Then no connection is accepted, idle ones are
/// closed, and requests in flight are waited for until the drain timeout, after which they are dropped.
///
/// # Errors
/// None after it has started; the listener was bound by the caller.
pub async fn serve(listener: TcpListener, state: ApiState, shutdown: impl Future) -> anyhow::Result<()> {
    let settings = state.0.settings.clone();
    let app = router(state);
    let (stop, stopped) = watch::channel(());
    let slots = Arc::new(Semaphore::new(settings.max_connections.get().min(Semaphore::MAX_PERMITS)));
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
                    let connection = connection(stream, app.clone(), &settings, stopped.clone());
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
    drain(connections, Duration::from_millis(settings.drain_timeout_ms.get())).await;
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
    settings: &Settings,
    mut stopped: watch::Receiver<()>,
) -> impl Future<Output = ()> + use<> {
    // A response is one write; Nagle's algorithm could only delay it.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(settings.idle_timeout_ms.get()));
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

//! One connection: its requests in order, until either side ends it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse as _, Response};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::activity::{Activity, AnswerBody, RequestBody, UntilSent};
use super::socket::Socket;
use super::{Listener, Peer, Speaks, http2};

/// A client whose last answer is younger may be sending its next request when the server is asked to stop: it is told
/// by an answer that the connection ends, not by the end itself.
const BETWEEN_REQUESTS: Duration = Duration::from_secs(1);

/// Longest that an encrypted connection takes to come about.
const HANDSHAKE: Duration = Duration::from_secs(10);

pub struct Connection<F> {
    pub peer: SocketAddr,
    pub activity: Arc<Activity>,
    pub listener: Arc<Listener<F>>,
}

impl<F, A> Connection<F>
where
    F: Fn(Request<RequestBody>) -> A + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    pub async fn serve(self, stream: TcpStream, stopped: watch::Receiver<()>) {
        // A response is one write; Nagle's algorithm could only delay it.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let Some(tls) = &self.listener.tls else { return self.speak(stream, stopped).await };
        let limit = self.listener.limits.idle_timeout.min(HANDSHAKE);
        match tokio::time::timeout(limit, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => self.speak(stream, stopped).await,
            Ok(Err(error)) => {
                tracing::debug!(%error, peer = %self.peer, "no encrypted connection came about")
            }
            Err(_) => {
                tracing::debug!(peer = %self.peer, "an encrypted connection took too long to come about")
            }
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        self,
        stream: S,
        mut stopped: watch::Receiver<()>,
    ) {
        if self.listener.speaks == Speaks::Http2 {
            return http2::speak(self, stream, stopped).await;
        }
        let limits = self.listener.limits;
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(limits.idle_timeout);
        let socket = TokioIo::new(Socket::new(stream, limits.write_timeout));
        let activity = self.activity.clone();
        let connection = builder.serve_connection(socket, service_fn(|request| self.answer(request)));
        let mut connection = pin!(connection);
        let result: Result<(), hyper::Error> = tokio::select! {
            result = &mut connection => result,
            _ = stopped.changed() => {
                let is_between = activity.waiting_for().is_some_and(|waiting| waiting < BETWEEN_REQUESTS);
                let grace = if is_between { BETWEEN_REQUESTS } else { Duration::ZERO };
                match tokio::time::timeout(grace, &mut connection).await {
                    Ok(result) => result,
                    Err(_) => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                }
            }
        };
        // A client that hangs up or talks nonsense is its own affair.
        if let Err(error) = result {
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<AnswerBody>, Infallible> {
        let activity = self.activity.clone();
        let mut request = request.map(|body| RequestBody::new(body, activity.clone()));
        if self.listener.limits.tells_peer {
            let is_encrypted = self.listener.tls.is_some();
            request.extensions_mut().insert(Peer { address: self.peer, is_encrypted });
        }
        // Reading on would ask such a client to send what nobody reads.
        let sends_on_demand = request.headers().contains_key(header::EXPECT);
        let mut response = match fault_of_host(&request) {
            None => (self.listener.app)(request).await,
            Some(fault) => {
                (StatusCode::BAD_REQUEST, Json(serde_json::json!({ "error": fault }))).into_response()
            }
        };
        if response.status() == StatusCode::SERVICE_UNAVAILABLE
            && response.headers().contains_key(header::RETRY_AFTER)
        {
            activity.refuse().await;
        }
        let unread = activity.unread();
        let is_last = response.headers().contains_key(header::CONNECTION);
        let is_left = !is_last
            && activity.waiting_for().is_some()
            && (sends_on_demand || !activity.read_up(unread).await);
        if is_left || self.listener.closing.load(Ordering::Relaxed) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|body| AnswerBody { body, _kept: UntilSent(activity) }))
    }
}

/// What is wrong with a request's `Host` (RFC 9112, section 3.2): HTTP/1.1 has exactly one, and it names a host.
fn fault_of_host<B>(request: &Request<B>) -> Option<&'static str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() < Version::HTTP_11 => None,
        (None, _) => Some("the request has no Host; HTTP/1.1 has exactly one"),
        (Some(_), Some(_)) => Some("the request has more than one Host; HTTP/1.1 has exactly one"),
        (Some(host), None) if is_host(host.as_bytes()) => None,
        (Some(_), None) => Some("the request's Host is no host; expected NAME or NAME:PORT"),
    }
}

/// A name or an address with or without a port; nothing at all where the target names no host.
fn is_host(host: &[u8]) -> bool {
    let Ok(authority) = Authority::try_from(host) else { return host.is_empty() };
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or("@");
    port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_host() {
        for (version, hosts, expected) in [
            (Version::HTTP_11, &["localhost:8000"][..], true),
            (Version::HTTP_11, &["[::1]:8000"], true),
            (Version::HTTP_11, &[""], true),
            (Version::HTTP_11, &[], false),
            (Version::HTTP_10, &[], true),
            (Version::HTTP_10, &["a", "a"], false),
            (Version::HTTP_11, &["a", "a"], false),
            (Version::HTTP_11, &["a/b"], false),
            (Version::HTTP_11, &["user@a"], false),
            (Version::HTTP_11, &["a b"], false),
            (Version::HTTP_11, &["a:port"], false),
            (Version::HTTP_11, &["a:"], true),
        ] {
            let mut request = Request::builder().version(version);
            for host in hosts {
                request = request.header(header::HOST, *host);
            }
            assert_eq!(
                fault_of_host(&request.body(()).unwrap()).is_none(),
                expected,
                "{version:?} {hosts:?}"
            );
        }
    }
}

//! What every request of the prediction plane passes before its route and after: its name, other origins' pages, and
//! the access log. What is not configured costs nothing.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::HeaderValue;
use axum::response::Response;
use hyper::Request;

use super::access_log::{AccessLog, Entry};
use super::cors::Cors;
use super::observed::RequestId;
use super::request_id::{self, REQUEST_ID};
use crate::server::{self, Peer, RequestBody};

/// As much of a path as a line of the access log holds.
const PATH_BYTES: usize = 256;

/// The prediction plane behind one listener.
pub struct Front {
    pub router: Router,
    pub cors: Option<Cors>,
    pub log: Option<AccessLog>,
    /// Whether handlers need the names of requests.
    pub names_requests: bool,
}

impl Front {
    /// Answers a request.
    pub async fn answer(self: Arc<Self>, mut request: Request<RequestBody>) -> Response {
        let id = request_id::of(request.headers());
        if self.names_requests {
            request.extensions_mut().insert(RequestId(id.clone()));
        }
        let logged = self.log.as_ref().filter(|log| log.is_due()).map(|log| Logged::new(log, &request));
        let mut response = self.route(request).await;
        if let Some(logged) = logged {
            logged.write(&id, response.status().as_u16());
        }
        response.headers_mut().insert(REQUEST_ID, id);
        response
    }

    async fn route(&self, request: Request<RequestBody>) -> Response {
        let Some(cors) = &self.cors else { return server::answer(self.router.clone(), request).await };
        let origin = cors.allowed(request.headers());
        let preflight = origin.as_ref().and_then(|_| Cors::preflight(request.method(), request.headers()));
        let mut response = match preflight {
            Some(response) => response,
            None => server::answer(self.router.clone(), request).await,
        };
        Cors::allow(origin, response.headers_mut());
        response
    }
}

/// What a line of the access log says of a request, kept while it is answered.
struct Logged<'a> {
    log: &'a AccessLog,
    started: Instant,
    peer: String,
    method: String,
    path: String,
}

impl<'a> Logged<'a> {
    fn new(log: &'a AccessLog, request: &Request<RequestBody>) -> Self {
        let path = request.uri().path();
        let end = (0..=PATH_BYTES.min(path.len())).rev().find(|&end| path.is_char_boundary(end));
        Self {
            log,
            started: Instant::now(),
            peer: request
                .extensions()
                .get()
                .map_or_else(String::new, |peer: &Peer| peer.address.ip().to_string()),
            method: request.method().to_string(),
            path: path[..end.unwrap_or(0)].to_owned(),
        }
    }

    fn write(&self, id: &HeaderValue, status: u16) {
        self.log.write(Entry {
            time: jiff::Timestamp::now(),
            request_id: id.to_str().unwrap_or_default(),
            peer: self.peer.clone(),
            method: &self.method,
            path: &self.path,
            status,
            duration: self.started.elapsed(),
            dropped: 0,
        });
    }
}

//! What every request to the console plane passes first: a login where one is needed, and no change by mistake.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use streamflow_prometheus::is_cross_site;

use super::auth::{Auth, Caller, is_safe};
use super::resources::ResourceError;

/// The rules of one console plane.
pub struct Guard {
    pub auth: Arc<Auth>,
    pub read_only: bool,
}

/// Paths that anybody may ask for, to learn that a login is needed or that the process lives.
const OPEN: [&str; 4] = ["/-/healthy", "/-/ready", "/api/streamflow/session", "/api/streamflow/login"];

/// Methods other than GET on these paths ask a question whose text may be long; they change nothing.
const QUESTIONS: [&str; 6] = [
    "/api/v1/query",
    "/api/v1/query_range",
    "/api/v1/query_exemplars",
    "/api/v1/series",
    "/api/v1/labels",
    "/api/v1/format_query",
];

/// Lets a request through or answers why not.
pub async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_program_interface =
        path.starts_with("/api/") || path.starts_with("/-/") || matches!(path, "/metrics" | "/federate");
    let is_protected = is_program_interface || path.starts_with("/reports/");
    if OPEN.contains(&path) && path != "/api/streamflow/login" {
        return next.run(request).await;
    }
    let caller = caller(&guard, request.headers()).await;
    if caller.is_none() && is_protected && !OPEN.contains(&path) {
        let mut response =
            ResourceError::new(StatusCode::UNAUTHORIZED, "log in first, or send Authorization: Bearer TOKEN")
                .into_response();
        let realm = HeaderValue::from_static("Basic realm=\"StreamFlow\"");
        // A browser's own dialog would hide the console's login page.
        if !path.starts_with("/api/streamflow/") {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
        }
        return response;
    }
    if is_safe(request.method()) || QUESTIONS.contains(&path) {
        return next.run(request).await;
    }
    if is_cross_site(request.headers()) {
        let message = "this request comes from another site's page; changes are made from the console itself";
        return ResourceError::new(StatusCode::FORBIDDEN, message).into_response();
    }
    let is_own = path.starts_with("/api/streamflow/");
    if is_own && path != "/api/streamflow/login" {
        let may = caller.as_ref().is_some_and(|caller| guard.auth.may_change(caller, request.headers()));
        if !may {
            let message = "X-StreamFlow-Token is missing or wrong; GET /api/streamflow/session tells it";
            return ResourceError::new(StatusCode::FORBIDDEN, message).into_response();
        }
        let changes = !matches!(path, "/api/streamflow/logout" | "/api/streamflow/predict");
        if guard.read_only && changes {
            let message = "this console is read-only (console.read_only); nothing can be changed through it";
            return ResourceError::new(StatusCode::FORBIDDEN, message).into_response();
        }
    }
    next.run(request).await
}

/// Who asks. A password takes tens of milliseconds to check, so that is done off the threads that serve others.
async fn caller(guard: &Arc<Guard>, headers: &HeaderMap) -> Option<Caller> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return guard.auth.caller(headers);
    }
    let (auth, headers) = (guard.auth.clone(), headers.clone());
    tokio::task::spawn_blocking(move || auth.caller(&headers)).await.ok().flatten()
}

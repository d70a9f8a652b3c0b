//! Who is asking, and logging in and out.

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ErrorBody, ResourceError, Resources};
use crate::config::Role;
use crate::console::auth::{By, Caller};
use crate::console::sender::Sender;

/// Who is asking, and what they may do.
#[derive(Serialize, ToSchema)]
pub struct Session {
    version: &'static str,
    /// Goes with every request that changes something; none before a login.
    token: Option<String>,
    user: Option<String>,
    /// What the caller may do; none before a login.
    role: Option<Role>,
    /// Whether a proxy names the user, who then cannot log out here.
    named_by_proxy: bool,
    login_required: bool,
    /// Why the caller is not known although a proxy names them.
    refusal: Option<String>,
    read_only: bool,
    path_prefix: String,
}

/// Who is asking; also without a login, to know that one is needed.
#[utoipa::path(get, path = "/api/streamflow/session", tag = "session", responses((status = 200, body = Session)))]
pub async fn session(
    State(resources): State<Resources>,
    Extension(sender): Extension<Sender>,
    headers: HeaderMap,
) -> Json<Session> {
    let auth = &resources.0.parts.auth;
    let settings = &resources.workspace().config.console;
    // Open to anybody, so no password is checked here.
    auth.recall(&headers, &sender).await;
    let (caller, refusal) = match auth.known(&headers, &sender) {
        Ok(caller) => (caller, None),
        Err(reason) => (None, Some(ResourceError::from(reason).message)),
    };
    let is_person = |caller: &&Caller| matches!(caller.by, By::Session { .. } | By::Proxy { .. });
    Json(Session {
        version: env!("CARGO_PKG_VERSION"),
        token: caller.as_ref().and_then(Caller::token).map(str::to_owned),
        user: caller.as_ref().filter(is_person).map(|caller| caller.name.clone()),
        role: caller.as_ref().map(|caller| caller.role),
        named_by_proxy: caller.as_ref().is_some_and(|caller| matches!(caller.by, By::Proxy { .. })),
        login_required: caller.is_none(),
        refusal,
        read_only: settings.read_only,
        path_prefix: settings.path_prefix.clone(),
    })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    user: String,
    password: String,
}

/// Logs in: a cookie, or 401.
#[utoipa::path(post, path = "/api/streamflow/login", tag = "session", request_body = Login,
    responses((status = 204), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub async fn log_in(
    State(resources): State<Resources>,
    Extension(sender): Extension<Sender>,
    login: Result<Json<Login>, JsonRejection>,
) -> Result<Response, ResourceError> {
    let Json(Login { user, password }) = login?;
    let cookie = resources.0.parts.auth.log_in(user, password, &sender).await??;
    match cookie {
        Some(cookie) => Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()),
        None => Err(ResourceError::new(StatusCode::UNAUTHORIZED, "user and password do not fit; try again")),
    }
}

/// Logs out.
#[utoipa::path(post, path = "/api/streamflow/logout", tag = "session", responses((status = 204)))]
pub async fn log_out(
    State(resources): State<Resources>,
    Extension(sender): Extension<Sender>,
    headers: HeaderMap,
) -> Response {
    let cookie = resources.0.parts.auth.log_out(&headers, &sender).await;
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
}

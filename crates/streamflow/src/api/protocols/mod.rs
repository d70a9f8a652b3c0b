//! The prediction plane in protocols that clients of other model servers speak.
//!
//! A protocol reads its request as a table, and writes the answers in its own form. Between the two there is one way:
//! [`answer`] admits the request, [`Target::score`](crate::api::models::Target) scores and counts.

pub mod asked;
mod csv;
mod datatype;
pub mod grpc;
mod kserve;
mod mlflow;
pub mod openapi;
mod predictions;
mod table;
mod tensor;
mod v2;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderMap;

use super::error::ApiError;
use super::keys::Key;
use super::observed::Asked;
use super::{ApiState, exchange};
use crate::config::Protocol;

/// The routes of the protocols that are on.
pub fn routes(protocols: &[Protocol]) -> Router<ApiState> {
    protocols.iter().fold(Router::new(), |router, protocol| match protocol {
        Protocol::V2 => router.merge(v2::routes()),
        Protocol::Kserve => router.merge(kserve::routes()),
        Protocol::Mlflow => router.merge(mlflow::routes()),
    })
}

/// What `work` makes of a request for predictions, counted as one of this protocol. The headers are those that
/// the client sent.
pub async fn answer<T: Send + 'static>(
    state: &ApiState,
    protocol: &'static str,
    request: Request,
    work: impl FnOnce(&ApiState, &Asked, &HeaderMap, &Bytes) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let mut observation = state.0.metrics.observe_request();
    let asked = Asked::of(&request, protocol, &state.0.served);
    let asked_by_work = asked.clone();
    let headers = request.headers().clone();
    let (key, admitted) = state.admit(&headers);
    let answered = match admitted {
        Ok(()) => {
            let work = move |state: &ApiState, body: &Bytes| work(state, &asked_by_work, &headers, body);
            exchange::of_many(state, request, work).await
        }
        Err(error) => Err(error),
    };
    observation.code = answered.as_ref().map_or_else(|error| error.status().as_u16(), |_| 200);
    state.0.metrics.count_protocol(protocol, observation.code);
    state.count(key.as_ref(), observation.code);
    state.tell_of_request(&asked, observation.code);
    answered
}

/// What is done to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Load,
    Unload,
}

/// Loads or unloads a model for who may: keys with that right, and everybody where the configuration says so.
///
/// # Errors
/// The request may not; as [`Models::load`](crate::api::models::Models::load) and `unload`.
pub async fn change(
    state: &ApiState,
    headers: &HeaderMap,
    change: Change,
    model: &str,
) -> Result<(), ApiError> {
    let by = admit_change(state, headers)?;
    match change {
        Change::Load => state.0.models.load(model).await?,
        Change::Unload => state.0.models.unload(model).await?,
    }
    tracing::info!(model, by, "{}", if change == Change::Load { "loaded" } else { "unloaded" });
    Ok(())
}

/// The name of the key that may change the models.
fn admit_change(state: &ApiState, headers: &HeaderMap) -> Result<String, ApiError> {
    let (key, admitted) = state.admit(headers);
    admitted?;
    if state.0.settings.allow_load || key.as_deref().is_some_and(Key::may_load) {
        return Ok(key.map_or_else(|| "nobody in particular".to_owned(), |key| key.name.clone()));
    }
    Err(ApiError::Forbidden(match key {
        Some(key) => format!(
            "the key {} may not load or unload models; may_load = true beside it in [api.keys] lets it",
            key.name
        ),
        None => "models are not loaded or unloaded by everybody: allow_load = true under [api], --allow-load, or a \
                 key with may_load = true allows it"
            .to_owned(),
    }))
}

//! One request for predictions: its body within its limit, its place among those that are answered, and its work on a
//! thread that nobody else waits for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;

use super::ApiState;
use super::error::ApiError;
use super::request;

/// Requests whose body is longer are answered on a blocking thread: about 100 µs of work.
const INLINE_BYTES: usize = 512;

/// What `work` makes of the whole body, which may be packed and has at most `batch_body_limit_bytes`.
///
/// # Errors
/// The reason for which there is no body or no place, that of `work`, or a work that takes longer than configured.
pub async fn of_many<T: Send + 'static>(
    state: &ApiState,
    request: Request,
    work: impl FnOnce(&ApiState, &Bytes) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let settings = &state.0.settings;
    let is_packed = request::is_packed(request.headers())?;
    let limit = settings.batch_body_limit_bytes.get();
    let body = state.0.bodies.read(request.into_body(), limit).await?;
    let slot = state.slot()?;
    // A feature store is waited for.
    if body.len() <= INLINE_BYTES && !is_packed && state.feature_store().is_none() {
        return catch_panic(|| work(state, &body));
    }
    let timeout_ms = settings.timeout_ms.get();
    let state = state.clone();
    let work = tokio::task::spawn_blocking(move || {
        // Held until the work ends, which nobody may be waiting for by then.
        let _slot = slot;
        let body = if is_packed { request::unpack(&body, limit)? } else { body };
        catch_panic(|| work(&state, &body))
    });
    in_time(timeout_ms, work).await
}

async fn in_time<T>(
    timeout_ms: u64,
    work: tokio::task::JoinHandle<Result<T, ApiError>>,
) -> Result<T, ApiError> {
    match tokio::time::timeout(Duration::from_millis(timeout_ms), work).await {
        Ok(Ok(result)) => result,
        // Only a panic ends the work early, and the work catches its own.
        Ok(Err(_)) => Err(ApiError::Internal),
        Err(_) => Err(ApiError::Timeout(timeout_ms)),
    }
}

/// Runs `work`; a panic in it is a bug of ours, answered 500 instead of a broken connection.
pub fn catch_panic<T>(work: impl FnOnce() -> Result<T, ApiError>) -> Result<T, ApiError> {
    // Counters and the loaded state are atomics, which a panic leaves whole; observers see to themselves.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!("a prediction panicked; answered 500");
        Err(ApiError::Internal)
    })
}

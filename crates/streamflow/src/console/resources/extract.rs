//! What a request says in its path and its query; what cannot be read is answered as every other failure.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::ResourceError;

/// The parameters of a path.
pub struct Path<T>(pub T);

/// The parameters of a query.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ResourceError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ResourceError> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        let read = read.map_err(|rejection| ResourceError::new(rejection.status(), rejection.body_text()));
        read.map(|axum::extract::Path(value)| Self(value))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ResourceError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ResourceError> {
        let read = axum::extract::Query::from_request_parts(parts, state).await;
        let read = read.map_err(|rejection| ResourceError::new(rejection.status(), rejection.body_text()));
        read.map(|axum::extract::Query(value)| Self(value))
    }
}

//! Every way a request to the prediction API fails, with its status and body.
//!
//! All bodies are objects with `error`. A 422 adds `field`, the field at fault, and `detail` in FastAPI's
//! shape, which clients written against the service this API stands in for read.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::json::shortened;
use crate::server::body::BodyError;
use crate::store::Store;
use crate::terminal::one_line;

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 422: the body is not what the route takes.
    #[error("{0}")]
    Invalid(Invalid),
    /// 404: nothing is known about the entity.
    #[error("{error}")]
    MissingFeatures {
        /// Which entity it is.
        error: String,
        /// Names of the features that would be needed.
        missing_features: Vec<String>,
    },
    /// 422: the entity's features are not such as an imported model takes.
    #[error("{0}")]
    Unpredictable(String),
    /// 400: a table that the model does not take.
    #[error("{0}")]
    Input(String),
    /// 404: no model of that name and version is there.
    #[error("{}", no_model(name, version.as_deref()))]
    NoModel {
        /// The name asked for.
        name: String,
        /// The version asked for, where one was.
        version: Option<String>,
    },
    /// 404: several models are there, and the path names none.
    #[error("several models are served; name one of them: POST /predict/NAME with {0}")]
    UnnamedModel(String),
    /// 422: what is wrong with each field.
    #[error("{}", all(.0))]
    Fields(Vec<Detail>),
    /// 403: the request may ask for predictions, and for nothing that changes what is served.
    #[error("{0}")]
    Forbidden(String),
    /// 404: no such path.
    #[error("no such path: {0}")]
    NoSuchPath(String),
    /// 405: the path exists, the method does not.
    #[error("{method} is not allowed on {path}")]
    MethodNotAllowed {
        /// The method used.
        method: String,
        /// The path.
        path: String,
    },
    /// 400, 408, 413 or 503: the body did not come, or not as it should.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// 415: the body is not declared as JSON.
    #[error("Content-Type must be application/json, got {0}")]
    ContentType(String),
    /// 400: the body is not in the encoding it is declared in.
    #[error("the body is declared as gzip and is not: {0}")]
    NotGzip(String),
    /// 415: the body is declared in another encoding.
    #[error("Content-Encoding must be gzip or absent, got {0}")]
    ContentEncoding(String),
    /// 401: keys are configured, and the request has none.
    #[error("a key is needed: send Authorization: Bearer KEY or X-API-Key: KEY")]
    NoKey,
    /// 401: nobody has this key.
    #[error("the key is not known; it may have been taken back")]
    UnknownKey,
    /// 429: the key has had its requests of this second.
    #[error("too many requests with this key, try again")]
    TooOften(Duration),
    /// 500: a bug of ours.
    #[error("internal error")]
    Internal,
    /// 503: no model or no features yet.
    #[error("Model or feature store not initialized")]
    NotReady,
    /// 503: as many requests as configured are being answered.
    #[error("too many requests in flight (limit {0}), try again")]
    Overloaded(usize),
    /// 503: requests wait for a thread longer than configured.
    #[error("requests wait longer than {0} ms, try again")]
    Crowded(u64),
    /// 503: the feature store did not say what is asked of it.
    #[error("{0}")]
    FeatureStore(String),
    /// 503: the database does not answer.
    #[error("{0}")]
    NoDatabase(String),
    /// 507: as much as configured is kept.
    #[error("{0}")]
    Full(String),
    /// 503: the answer took longer than configured.
    #[error("no answer within {0} ms, try again")]
    Timeout(u64),
}

fn no_model(name: &str, version: Option<&str>) -> String {
    let name = shortened(name);
    match version {
        None => format!("Model {name} not found"),
        Some(version) => format!("Model {name} with version {} not found", shortened(version)),
    }
}

/// The mistakes in a line.
fn all(details: &[Detail]) -> String {
    let spelled = |part: &Value| part.as_str().map_or_else(|| part.to_string(), str::to_owned);
    let one = |detail: &Detail| {
        let loc: Vec<String> = detail.loc.iter().map(spelled).collect();
        format!("{}: {}", loc.join("."), detail.msg)
    };
    details.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What is wrong with a body, and where.
#[derive(Debug, Default)]
pub struct Invalid {
    /// The kind of mistake, in pydantic's word.
    pub kind: &'static str,
    /// The field at fault; `None` for the body as a whole.
    pub field: Option<String>,
    /// The position inside the field when it is a list, or the byte of a syntax error when it is the body.
    pub index: Option<usize>,
    /// The field at fault of the object at that position.
    pub part: Option<String>,
    /// What was expected.
    pub message: String,
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.field, self.index) {
            (Some(field), Some(index)) if let Some(part) = &self.part => {
                write!(formatter, "{field}[{index}].{part}: {}", self.message)
            }
            (Some(field), Some(index)) => write!(formatter, "{field}[{index}]: {}", self.message),
            (Some(field), None) => write!(formatter, "{field}: {}", self.message),
            (None, Some(index)) => write!(formatter, "body: {} at byte {index}", self.message),
            (None, None) => write!(formatter, "body: {}", self.message),
        }
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        ApiError::Invalid(invalid)
    }
}

/// The body of most failures.
#[derive(Serialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: String,
}

/// The body of a 404 for an unknown entity.
#[derive(Serialize, ToSchema)]
pub struct MissingFeaturesBody {
    /// What went wrong.
    pub error: String,
    /// Names of the features that are not known for the entity.
    pub missing_features: Vec<String>,
}

/// The body of a 422.
#[derive(Serialize, ToSchema)]
pub struct InvalidBody {
    /// What went wrong, starting with the field.
    pub error: String,
    /// The field at fault, the first of several; `body` for the body as a whole.
    pub field: String,
    /// The same as FastAPI writes it.
    pub detail: Vec<Detail>,
}

/// One mistake in FastAPI's shape.
#[derive(Debug, Serialize, ToSchema)]
pub struct Detail {
    /// The kind of mistake.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The way to the value at fault: names and positions.
    #[schema(value_type = Vec<Value>)]
    pub loc: Vec<Value>,
    /// What was expected.
    pub msg: String,
}

impl InvalidBody {
    fn new(invalid: Invalid) -> Self {
        let error = invalid.to_string();
        let mut loc = vec![json!("body")];
        loc.extend(invalid.field.as_deref().map(Value::from));
        loc.extend(invalid.index.map(Value::from));
        loc.extend(invalid.part.as_deref().map(Value::from));
        InvalidBody {
            error,
            field: invalid.field.unwrap_or_else(|| "body".to_owned()),
            detail: vec![Detail { kind: invalid.kind, loc, msg: invalid.message }],
        }
    }

    fn of_several(error: String, detail: Vec<Detail>) -> Self {
        let named = detail.first().and_then(|first| first.loc.iter().rev().find_map(Value::as_str));
        let field = named.unwrap_or("body").to_owned();
        InvalidBody { error, field, detail }
    }
}

impl ApiError {
    /// The status that such a request is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            ApiError::Invalid(_) | ApiError::Unpredictable(_) | ApiError::Fields(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            ApiError::MissingFeatures { .. }
            | ApiError::NoSuchPath(_)
            | ApiError::NoModel { .. }
            | ApiError::UnnamedModel(_) => StatusCode::NOT_FOUND,
            ApiError::Forbidden(_) => StatusCode::FORBIDDEN,
            ApiError::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            ApiError::Body(error) => error.status(),
            ApiError::NotGzip(_) | ApiError::Input(_) => StatusCode::BAD_REQUEST,
            ApiError::NoKey | ApiError::UnknownKey => StatusCode::UNAUTHORIZED,
            ApiError::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            ApiError::ContentType(_) | ApiError::ContentEncoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ApiError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ApiError::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
            ApiError::NotReady
            | ApiError::Overloaded(_)
            | ApiError::Crowded(_)
            | ApiError::FeatureStore(_)
            | ApiError::NoDatabase(_)
            | ApiError::Timeout(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl ApiError {
    /// A database that does not answer, or a bug of ours; `what` could not be done.
    pub fn of_store(store: &Store, what: &str, error: &anyhow::Error) -> Self {
        if let Some(said) = store.unanswered(error) {
            tracing::warn!("{what}: {said}");
            return ApiError::NoDatabase(said);
        }
        tracing::error!("{what}: {}", one_line(error));
        ApiError::Internal
    }

    /// A database of which it is known that it is away is not waited for.
    pub fn check_database(store: &Store) -> Result<(), Self> {
        store.away().map_or(Ok(()), |away| Err(ApiError::NoDatabase(away.to_string())))
    }

    /// The seconds after which a client may try again, where it may.
    pub fn retry_after(&self) -> Option<HeaderValue> {
        let mut headers = HeaderMap::new();
        self.headers(&mut headers);
        headers.remove(header::RETRY_AFTER)
    }

    /// What the client is told beside the body.
    fn headers(&self, headers: &mut HeaderMap) {
        let mut tell = |name, value| headers.insert(name, HeaderValue::from_static(value));
        match self {
            ApiError::Overloaded(_)
            | ApiError::Crowded(_)
            | ApiError::FeatureStore(_)
            | ApiError::NoDatabase(_)
            | ApiError::Timeout(_) => {
                tell(header::RETRY_AFTER, "1");
            }
            ApiError::TooOften(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                headers.insert(header::RETRY_AFTER, seconds.into());
            }
            ApiError::NoKey | ApiError::UnknownKey => {
                tell(header::WWW_AUTHENTICATE, "Bearer realm=\"StreamFlow\"");
            }
            ApiError::ContentEncoding(_) => {
                tell(header::ACCEPT_ENCODING, "gzip");
            }
            ApiError::Body(error) => {
                // What is left of such a body would be read as the next request.
                tell(header::CONNECTION, "close");
                if matches!(error, BodyError::Crowded) {
                    tell(header::RETRY_AFTER, "1");
                }
            }
            _ => {}
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut headers = HeaderMap::new();
        self.headers(&mut headers);
        let error = self.to_string();
        let body = match self {
            ApiError::Invalid(invalid) => Json(InvalidBody::new(invalid)).into_response(),
            ApiError::Fields(detail) => Json(InvalidBody::of_several(error, detail)).into_response(),
            ApiError::MissingFeatures { missing_features, .. } => {
                Json(MissingFeaturesBody { error, missing_features }).into_response()
            }
            _ => Json(ErrorBody { error }).into_response(),
        };
        (status, headers, body).into_response()
    }
}

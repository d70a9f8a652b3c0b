//! The Open Inference Protocol over gRPC: one message in a frame, one message back, and a status in the trailers.
//!
//! gRPC's own part is small and is here: five bytes before a message, and two trailers after the answer.

mod infer;
mod messages;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use http_body_util::{BodyExt as _, Full};
use prost::Message;

use super::v2::metadata::{IndexEntry, ModelMetadata, ServerMetadata};
use super::{Change, answer};
use crate::api::ApiState;
use crate::api::error::ApiError;
use crate::api::observed::Asked;
use crate::api::request::unpack;

/// What metrics call it.
const PROTOCOL: &str = "grpc";
const CONTENT: HeaderValue = HeaderValue::from_static("application/grpc");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// Flag and length before a message.
const PREFIX_BYTES: usize = 5;

/// Why a call is not answered.
enum Refusal {
    Api(ApiError),
    /// No such service or method.
    Unimplemented(String),
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Refusal::Api(error)
    }
}

/// All methods of the service.
pub fn router(state: ApiState) -> Router {
    let service = "/inference.GRPCInferenceService/{method}";
    let unknown = async |request: Request| {
        refused(&Refusal::Unimplemented(format!("no such method: {}", request.uri().path())))
    };
    Router::new().route(service, post(call)).fallback(unknown).with_state(state)
}

async fn call(State(state): State<ApiState>, Path(method): Path<String>, request: Request) -> Response {
    let content = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    if !content.starts_with(b"application/grpc") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    match method.as_str() {
        "ModelInfer" => infer_one(&state, request).await,
        "RepositoryModelLoad" => change(&state, Change::Load, request).await,
        "RepositoryModelUnload" => change(&state, Change::Unload, request).await,
        _ => tell(&state, &method, request).await,
    }
    .unwrap_or_else(|refusal| refused(&refusal))
}

async fn infer_one(state: &ApiState, request: Request) -> Result<Response, Refusal> {
    let work = |state: &ApiState, asked: &Asked, headers: &HeaderMap, body: &Bytes| {
        let limit = state.0.settings.batch_body_limit_bytes.get();
        let message = unframed(headers, body, limit)?;
        infer::answer(state, asked, message).map(|answer| framed(&answer))
    };
    Ok(answered(answer(state, PROTOCOL, request, work).await?))
}

/// Answers what tells of the server and its models.
async fn tell(state: &ApiState, method: &str, request: Request) -> Result<Response, Refusal> {
    if method == "RepositoryIndex" {
        state.admit(request.headers()).1?;
    }
    let body = message(state, request).await?;
    let models = &state.0.models;
    let answer = match method {
        "ServerLive" => framed(&messages::Flag { is_so: true }),
        "ServerReady" => framed(&messages::Flag { is_so: models.is_ready() }),
        "ModelReady" => {
            let asked: messages::ModelName = decoded(&body)?;
            framed(&messages::Flag { is_so: models.find(&asked.name, asked.version()).is_ok() })
        }
        "ServerMetadata" => framed(&messages::ServerMetadata::from(ServerMetadata::new())),
        "ModelMetadata" => {
            let asked: messages::ModelName = decoded(&body)?;
            let target = models.find(&asked.name, asked.version())?;
            framed(&messages::ModelMetadata::from(ModelMetadata::of(&target)))
        }
        "RepositoryIndex" => {
            let asked: messages::RepositoryIndexRequest = decoded(&body)?;
            framed(&messages::RepositoryIndex::from(IndexEntry::all(state, asked.ready)))
        }
        _ => return Err(Refusal::Unimplemented(format!("no such method: {method}"))),
    };
    Ok(answered(answer))
}

/// Loads or unloads a model.
async fn change(state: &ApiState, change: Change, request: Request) -> Result<Response, Refusal> {
    let headers = request.headers().clone();
    let body = message(state, request).await?;
    let asked: messages::RepositoryModelRequest = decoded(&body)?;
    let model_name = asked.model().to_owned();
    super::change(state, &headers, change, &model_name).await?;
    let is_loaded = change == Change::Load;
    Ok(answered(framed(&messages::RepositoryModelResponse { model_name, is_loaded })))
}

/// The message of a small request.
async fn message(state: &ApiState, request: Request) -> Result<Bytes, ApiError> {
    let limit = state.0.settings.body_limit_bytes.get();
    let (head, body) = request.into_parts();
    let body = state.0.bodies.read(body, limit).await?;
    unframed(&head.headers, &body, limit)
}

fn decoded<M: Message + Default>(message: &Bytes) -> Result<M, ApiError> {
    M::decode(message.clone())
        .map_err(|error| ApiError::Input(format!("the message is no sound protobuf: {error}")))
}

/// The one message of a body, unpacked to at most `limit` bytes.
fn unframed(headers: &HeaderMap, body: &Bytes, limit: usize) -> Result<Bytes, ApiError> {
    let broken = |reason: &str| ApiError::Input(format!("the body is no single gRPC message: {reason}"));
    let Some((prefix, message)) = body.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(broken("its five bytes of flag and length are cut off"));
    };
    let [flag, length @ ..] = *prefix;
    if u32::from_be_bytes(length) as usize != message.len() {
        return Err(broken("its length is another"));
    }
    match (flag, headers.get(ENCODING).map_or(&b"identity"[..], |value| value.as_bytes())) {
        (0, _) => Ok(body.slice(PREFIX_BYTES..)),
        (1, b"gzip") => unpack(message, limit),
        (1, other) => Err(ApiError::ContentEncoding(String::from_utf8_lossy(other).into_owned())),
        _ => Err(broken("its flag is neither 0 nor 1")),
    }
}

fn framed(message: &impl Message) -> Vec<u8> {
    let length = message.encoded_len();
    let mut frame = Vec::with_capacity(PREFIX_BYTES + length);
    frame.push(0);
    frame.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    message.encode(&mut frame).expect("a vector grows");
    frame
}

/// A frame with the status of success behind it.
fn answered(frame: Vec<u8>) -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from(frame)).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT);
    response
}

/// A status and a sentence, without a message.
fn refused(refusal: &Refusal) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    let (code, text) = match refusal {
        Refusal::Unimplemented(text) => (12, text.clone()),
        Refusal::Api(error) => {
            if let Some(retry) = error.retry_after() {
                headers.insert(header::RETRY_AFTER, retry);
            }
            (status(error), error.to_string())
        }
    };
    headers.insert(header::CONTENT_TYPE, CONTENT);
    headers.insert(STATUS, HeaderValue::from(code));
    let text = HeaderValue::try_from(percent_encoded(&text));
    headers.insert(MESSAGE, text.unwrap_or_else(|_| HeaderValue::from_static("")));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity,gzip"));
    response
}

/// The code that gRPC has for a status of HTTP.
fn status(error: &ApiError) -> u16 {
    match error.status().as_u16() {
        401 => 16,
        403 => 7,
        404 => 5,
        408 => 4,
        413 | 429 => 8,
        415 => 12,
        503 => 14,
        400..500 => 3,
        _ => 13,
    }
}

/// Text as `grpc-message` has it.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

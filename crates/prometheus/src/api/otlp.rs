//! `POST /api/v1/otlp/v1/metrics`: metrics that OpenTelemetry's libraries and collectors send.
//!
//! Samples that can be kept are kept. Where points became no series, the answer is 200 with OTLP's partial success, which
//! says how many and why; where the store refused samples it is 400, as Prometheus answers.

use std::io::Read as _;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use streamflow_exposition::otlp::{Encoding, Settings, Translation, decode, partial_success, translate};
use streamflow_prometheus_yml::{Otlp, OtlpTranslation};

use super::error;
use super::metrics::Protocol;
use super::write::{Writer, whole};
use crate::Handle;

/// What the headers say of a body.
#[derive(Debug, Clone, Copy)]
struct Written {
    encoding: Encoding,
    is_packed: bool,
}

/// `POST /api/v1/otlp/v1/metrics`
pub async fn metrics(State(server): State<Handle>, headers: HeaderMap, body: Body) -> Response {
    let written = match written(&headers) {
        Ok(written) => written,
        Err(reason) => return error::plain(StatusCode::BAD_REQUEST, &reason),
    };
    let body = match whole(body, server.0.settings.limits.write_bytes).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let stored = tokio::task::spawn_blocking(move || store(&server, &body, written));
    stored.await.unwrap_or_else(|_| {
        error::plain(StatusCode::INTERNAL_SERVER_ERROR, "the write ended in a panic, which is a bug")
    })
}

fn written(headers: &HeaderMap) -> Result<Written, String> {
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_packed = match value(header::CONTENT_ENCODING) {
        "" | "identity" => false,
        "gzip" => true,
        other => return Err(format!("content encoding {other:?} is not accepted; expected gzip or none")),
    };
    let content_type = value(header::CONTENT_TYPE);
    let encoding = match content_type.split(';').next().unwrap_or_default().trim() {
        "application/x-protobuf" => Encoding::Protobuf,
        "application/json" => Encoding::Json,
        _ => {
            return Err(format!(
                "content type {content_type:?} is not accepted; expected application/x-protobuf or application/json"
            ));
        }
    };
    Ok(Written { encoding, is_packed })
}

fn store(server: &Handle, body: &[u8], written: Written) -> Response {
    let limits = &server.0.settings.limits.write;
    let bad = |reason: String| error::plain(StatusCode::BAD_REQUEST, &reason);
    let unpacked = match written.is_packed.then(|| unpacked(body, limits.decoded_bytes)).transpose() {
        Ok(unpacked) => unpacked,
        Err(error) => return bad(format!("the body is no gzip stream: {error}")),
    };
    let body = unpacked.as_deref().unwrap_or(body);
    let settings = server.applied().otlp.clone();
    let request = decode(body, written.encoding, limits);
    let translated = match request.and_then(|request| translate(&request, &settings, limits)) {
        Ok(translated) => translated,
        Err(error) => return bad(error.to_string()),
    };
    let mut rejected = 0;
    for refused in &translated.refused {
        server.0.metrics.count_refused(Protocol::Otlp, refused.reason, refused.points as u64);
        rejected += refused.points as u64;
    }
    let mut writer = Writer::new(server, Protocol::Otlp);
    translated.series.iter().for_each(|series| writer.time_series(series));
    if let Some((status, message)) = writer.commit().refusal {
        return error::plain(status, &message);
    }
    let content_type = match written.encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    let answer = match (translated.refused.first(), written.encoding) {
        (Some(first), encoding) => partial_success(encoding, rejected, &first.message),
        (None, Encoding::Protobuf) => Vec::new(),
        (None, Encoding::Json) => b"{}".to_vec(),
    };
    ([(header::CONTENT_TYPE, content_type)], answer).into_response()
}

/// One byte more than the limit at most, so that the reader of the request sees that there are too many.
fn unpacked(body: &[u8], limit: u64) -> std::io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    GzDecoder::new(body).take(limit + 1).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

/// What the section `otlp` of the configuration means.
pub fn settings(otlp: &Otlp) -> Settings {
    let promote_all = otlp.promote_all_resource_attributes;
    let promoted =
        if promote_all { &otlp.ignore_resource_attributes } else { &otlp.promote_resource_attributes };
    Settings {
        translation: match otlp.translation_strategy {
            OtlpTranslation::UnderscoreEscapingWithSuffixes => Translation::UnderscoreEscapingWithSuffixes,
            OtlpTranslation::NoUtf8EscapingWithSuffixes => Translation::NoUtf8EscapingWithSuffixes,
            OtlpTranslation::NoTranslation => Translation::NoTranslation,
        },
        promoted: promoted.iter().map(|attribute| attribute.trim().to_owned()).collect(),
        promote_all,
        keep_identifying: otlp.keep_identifying_resource_attributes,
        custom_bounds: otlp.convert_histograms_to_nhcb,
    }
}

//! `POST /api/v1/write`: samples that another server sends by remote write.
//!
//! Samples that can be kept are kept; when others of the request cannot, the answer is 400 with the first reason,
//! which tells the sender not to send them again.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use streamflow_exposition::remote_write::{TimeSeries, decode};
use streamflow_tsdb::{AppendError, Labels, METRIC_NAME};

use super::error;
use crate::Handle;

/// `POST /api/v1/write`
pub async fn write(State(server): State<Handle>, headers: HeaderMap, body: Body) -> Response {
    if let Err(reason) = check_encoding(&headers) {
        return error::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, &reason);
    }
    let limit = server.0.settings.limits.write_bytes;
    let body = match Limited::new(body, limit).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("the request body is larger than the {limit} bytes allowed");
            return error::plain(StatusCode::PAYLOAD_TOO_LARGE, &message);
        }
        Err(error) => return error::plain(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let stored = tokio::task::spawn_blocking(move || store(&server, &body)).await;
    match stored {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err((status, message))) => error::plain(status, &message),
        Err(_) => {
            error::plain(StatusCode::INTERNAL_SERVER_ERROR, "the write ended in a panic, which is a bug")
        }
    }
}

/// Only version 1 of the protocol, snappy, is read. Senders that say nothing mean that.
fn check_encoding(headers: &HeaderMap) -> Result<(), String> {
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let encoding = value(header::CONTENT_ENCODING);
    if !matches!(encoding, "" | "snappy") {
        return Err(format!("content encoding {encoding:?} is not accepted; expected snappy"));
    }
    let content_type = value(header::CONTENT_TYPE);
    let version_1 = !content_type.contains("proto=") || content_type.contains("prometheus.WriteRequest");
    let form = content_type.starts_with("application/x-www-form-urlencoded");
    let protobuf = content_type.starts_with("application/x-protobuf");
    // curl and simple senders leave the type to their library.
    if !(content_type.is_empty() || form || protobuf && version_1) {
        return Err(format!(
            "content type {content_type:?} is not accepted; expected application/x-protobuf (remote write 1.0)"
        ));
    }
    Ok(())
}

fn store(server: &Handle, body: &[u8]) -> Result<(), (StatusCode, String)> {
    let request = decode(body, &server.0.settings.limits.write)
        .map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let mut batch = server.0.db.batch();
    let mut kept = 0;
    let mut first_refusal = None;
    for series in &request.timeseries {
        let labels = match labels(series) {
            Ok(labels) => labels,
            Err(reason) => {
                refuse(server, "labels", series.samples.len());
                first_refusal.get_or_insert(reason);
                continue;
            }
        };
        for sample in &series.samples {
            match batch.add(&labels, sample.timestamp, sample.value) {
                Ok(_) => kept += 1,
                Err(error) => {
                    refuse(server, reason(&error), 1);
                    first_refusal.get_or_insert_with(|| format!("{error}; series {labels}"));
                }
            }
        }
        if !series.histograms.is_empty() {
            refuse(server, "native_histogram", series.histograms.len());
            first_refusal.get_or_insert_with(|| format!("native histograms are not kept; series {labels}"));
        }
    }
    batch.commit().map_err(|error| {
        tracing::error!("cannot keep samples of a remote write: {error}");
        (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    })?;
    server.0.metrics.count_written(kept);
    first_refusal.map_or(Ok(()), |reason| Err((StatusCode::BAD_REQUEST, reason)))
}

fn refuse(server: &Handle, reason: &str, samples: usize) {
    server.0.metrics.count_refused(reason, u64::try_from(samples).unwrap_or(u64::MAX));
}

fn reason(error: &AppendError) -> &'static str {
    match error {
        AppendError::OutOfOrder { .. } => "out_of_order",
        AppendError::DuplicateTimestamp { .. } => "duplicate_timestamp",
        AppendError::TooOld { .. } => "too_old",
        AppendError::NoLabels => "labels",
        AppendError::UnknownSeries(_) => "unknown_series",
    }
}

/// The labels of a series; the error says what is wrong with them.
fn labels(series: &TimeSeries) -> Result<Labels, String> {
    let labels = Labels::new(series.labels.iter().map(|label| (&label.name, &label.value)));
    let mut names: Vec<&str> = series.labels.iter().map(|label| label.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("label {:?} is given twice; series {labels}", pair[0]));
    }
    if names.first().is_some_and(|name| name.is_empty()) {
        return Err(format!("a label without a name; series {labels}"));
    }
    if labels.get(METRIC_NAME).is_none() {
        return Err(format!("a series needs a metric name; series {labels}"));
    }
    Ok(labels)
}

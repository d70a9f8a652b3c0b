//! `/federate`: the newest sample of the selected series, for another Prometheus to scrape.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use streamflow_exposition::protobuf::{Encoder, Held};
use streamflow_exposition::{Format, TextEncoder};
use streamflow_gotext::Escaping;
use streamflow_tsdb::{Labels, METRIC_NAME, Matcher, Samples, Value, is_stale};

use super::error::{self, ApiError, ErrorKind};
use super::parameters::Parameters;
use super::series::selectors;
use crate::{Handle, now_ms};

/// The type of a body in protobuf.
const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// The newest sample of each series, by its labels.
type Newest = BTreeMap<Labels, (i64, Value)>;

/// `GET /federate?match[]=…`
pub async fn federate(State(server): State<Handle>, headers: HeaderMap, parameters: Parameters) -> Response {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accept = accept.collect::<Vec<_>>().join(",");
    let (escaping, is_protobuf) = (Format::accepted_escaping(&accept), Format::accepts_protobuf(&accept));
    let result = async {
        parameters.well_formed()?;
        let selectors = selectors(&parameters)?;
        let worker = server.clone();
        let work = move |_: &_| {
            let newest = newest_samples(&worker, &selectors, now_ms())?;
            let external = worker.applied().external_labels.clone();
            Ok(if is_protobuf {
                families(&newest, &external, escaping)
            } else {
                text(&newest, &external, escaping)
            })
        };
        server.in_query_slot(work).await
    };
    match result.await {
        Ok(body) => {
            let format = if is_protobuf { PROTOBUF } else { Format::Text.content_type() };
            let content_type = format!("{format}; escaping={}", escaping.as_str());
            ([(header::CONTENT_TYPE, content_type)], body).into_response()
        }
        Err(ApiError { kind: ErrorKind::BadData, message }) => {
            error::plain(StatusCode::BAD_REQUEST, &message)
        }
        Err(ApiError { kind: ErrorKind::Timeout, message }) => {
            error::plain(StatusCode::SERVICE_UNAVAILABLE, &message)
        }
        Err(ApiError { message, .. }) => error::plain(StatusCode::INTERNAL_SERVER_ERROR, &message),
    }
}

/// The samples that an instant query at `now_ms` finds: not older than the lookback, and not of series that have ended.
fn newest_samples(server: &Handle, selectors: &[Vec<Matcher>], now_ms: i64) -> Result<Newest, ApiError> {
    // The lookback is open on its left.
    let min_ms = now_ms - server.0.engine_options.lookback_ms + 1;
    let mut newest = BTreeMap::new();
    let mut samples = Samples::default();
    for selector in selectors {
        for series in server.0.db.select(selector, min_ms, now_ms)? {
            series.read(&mut samples)?;
            let last = samples.timestamps.last().copied().zip(samples.values.last().copied());
            if let Some((timestamp, value)) = last.filter(|(_, value)| !is_stale(*value))
                && series.labels().get(METRIC_NAME).is_some()
            {
                newest.insert(series.labels().clone(), (timestamp, samples.value(value)));
            }
        }
    }
    Ok(newest)
}

/// As text, which has no form for native histograms; Prometheus leaves them out as well.
fn text(newest: &Newest, external: &Labels, escaping: Escaping) -> Vec<u8> {
    let mut encoder = TextEncoder::with_escaping(escaping);
    for (labels, (timestamp, value)) in newest {
        let Value::Float(value) = value else { continue };
        let exposed = exposed_labels(labels, external);
        let pairs = exposed.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        encoder.sample(labels.name(), pairs, *value, Some(*timestamp));
    }
    encoder.finish().into_bytes()
}

/// As protobuf, with native histograms but those with custom bounds.
fn families(newest: &Newest, external: &Labels, escaping: Escaping) -> Vec<u8> {
    let mut encoder = Encoder::with_escaping(escaping);
    for (labels, (timestamp, value)) in newest {
        let exposed = exposed_labels(labels, external);
        let pairs = exposed.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let held = match value {
            Value::Float(value) => Held::Number(*value),
            Value::Histogram(histogram) => Held::Histogram(histogram),
        };
        encoder.sample(labels.name(), pairs, held, *timestamp);
    }
    encoder.finish()
}

/// The labels of the series, then the external ones it has not. An empty `instance` is one of them: without it the
/// scraping server would take itself for the instance.
fn exposed_labels(labels: &Labels, external: &Labels) -> Vec<(String, String)> {
    let mut added: BTreeMap<&str, &str> = external.iter().collect();
    added.entry("instance").or_default();
    added.retain(|name, _| labels.get(name).is_none());
    let own = labels.iter().filter(|(name, _)| *name != METRIC_NAME);
    own.chain(added).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

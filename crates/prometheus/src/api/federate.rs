//! `/federate`: the newest sample of the selected series, for another Prometheus to scrape.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use streamflow_exposition::{Format, TextEncoder};
use streamflow_gotext::Escaping;
use streamflow_tsdb::{Labels, METRIC_NAME, Matcher, Samples, is_stale};

use super::error::{self, ApiError, ErrorKind};
use super::parameters::Parameters;
use super::series::selectors;
use crate::{Handle, now_ms};

/// `GET /federate?match[]=…`
pub async fn federate(State(server): State<Handle>, headers: HeaderMap, parameters: Parameters) -> Response {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let escaping = Format::accepted_escaping(&accept.collect::<Vec<_>>().join(","));
    let result = async {
        parameters.well_formed()?;
        let selectors = selectors(&parameters)?;
        let worker = server.clone();
        let work = move |_: &_| newest_samples(&worker, &selectors, now_ms(), escaping);
        server.in_query_slot(work).await
    };
    match result.await {
        Ok(text) => {
            let content_type = format!("{}; escaping={}", Format::Text.content_type(), escaping.as_str());
            ([(header::CONTENT_TYPE, content_type)], text).into_response()
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
fn newest_samples(
    server: &Handle,
    selectors: &[Vec<Matcher>],
    now_ms: i64,
    escaping: Escaping,
) -> Result<String, ApiError> {
    // The lookback is open on its left.
    let min_ms = now_ms - server.0.engine_options.lookback_ms + 1;
    let external = server.applied().external_labels.clone();
    let mut newest = BTreeMap::new();
    let mut samples = Samples::default();
    for selector in selectors {
        for series in server.0.db.select(selector, min_ms, now_ms)? {
            series.read(&mut samples)?;
            let last = samples.timestamps.last().copied().zip(samples.values.last().copied());
            // Text has no form for native histograms; Prometheus leaves them out as well.
            let is_number = |value: f64| !is_stale(value) && samples.histogram(value).is_none();
            if let Some((timestamp, value)) = last.filter(|(_, value)| is_number(*value)) {
                newest.insert(series.labels().clone(), (timestamp, value));
            }
        }
    }
    let mut encoder = TextEncoder::with_escaping(escaping);
    for (labels, (timestamp, value)) in &newest {
        if labels.get(METRIC_NAME).is_some() {
            let exposed = exposed_labels(labels, &external);
            let pairs = exposed.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            encoder.sample(labels.name(), pairs, *value, Some(*timestamp));
        }
    }
    Ok(encoder.finish())
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

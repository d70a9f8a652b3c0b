//! `targets`, `targets/metadata`, `metadata`, `alertmanagers`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::json;
use streamflow_promql::parse_selector;

use super::PrometheusState;
use super::answer::{Answer, Success};
use super::error::ApiError;
use super::json;
use super::parameters::Parameters;
use super::status::MetricMetadata;

/// `GET /api/v1/targets`
pub async fn targets(State(state): State<PrometheusState>, parameters: Parameters) -> Answer {
    let (wanted, pool) = (parameters.get("state"), parameters.get("scrapePool"));
    let of_pool = |name: &str| pool.is_empty() || pool == name;
    let mut active = Vec::new();
    if !wanted.eq_ignore_ascii_case("dropped") {
        active = (state.sources.targets)();
        active.retain(|target| of_pool(&target.scrape_pool));
    }
    let mut dropped = Vec::new();
    if !wanted.eq_ignore_ascii_case("active") {
        dropped = (state.sources.dropped_targets)();
        dropped.retain(|target| of_pool(&target.scrape_pool));
    }
    Success::of(&json!({ "activeTargets": active, "droppedTargets": dropped }))
}

/// `GET /api/v1/targets/metadata`
pub async fn targets_metadata(State(state): State<PrometheusState>, parameters: Parameters) -> Answer {
    let limit = number(&parameters, "limit")?.unwrap_or(usize::MAX);
    let metric = parameters.get("metric");
    let matchers = match parameters.get("match_target") {
        "" => Vec::new(),
        text => parse_selector(text)
            .map_err(|error| ApiError::invalid_parameter("match_target", &error.to_string()))?,
    };
    let mut metadata = (state.sources.metadata)();
    metadata.retain(|entry| {
        let matches = |matcher: &streamflow_tsdb::Matcher| {
            matcher.matches(entry.target.get(matcher.name()).unwrap_or_default())
        };
        (metric.is_empty() || entry.metric == metric) && matchers.iter().all(matches)
    });
    metadata.truncate(limit);
    Ok(Success::with(|out| {
        out.push(b'[');
        json::list(out, &metadata, |out, entry| {
            out.extend_from_slice(b"{\"target\":");
            json::labels(out, &entry.target);
            // The name is left out where it was asked for.
            if metric.is_empty() {
                out.extend_from_slice(b",\"metric\":");
                json::string(out, &entry.metric);
            }
            out.push(b',');
            metadata_fields(out, entry);
            out.push(b'}');
        });
        out.push(b']');
    })
    .into_response())
}

/// `GET /api/v1/metadata`: what all targets say of a metric, each different saying once.
pub async fn metadata(State(state): State<PrometheusState>, parameters: Parameters) -> Answer {
    let limit = number(&parameters, "limit")?.unwrap_or(usize::MAX);
    let limit_per_metric = number(&parameters, "limit_per_metric")?.unwrap_or(usize::MAX);
    let wanted = parameters.get("metric");
    let metadata = (state.sources.metadata)();
    let mut metrics: BTreeMap<&str, Vec<&MetricMetadata>> = BTreeMap::new();
    for entry in metadata.iter().filter(|entry| wanted.is_empty() || entry.metric == wanted) {
        let known = metrics.entry(&entry.metric).or_default();
        let same = |other: &&MetricMetadata| {
            (&other.kind, &other.help, &other.unit) == (&entry.kind, &entry.help, &entry.unit)
        };
        if known.len() < limit_per_metric && !known.iter().any(same) {
            known.push(entry);
        }
    }
    Ok(Success::with(|out| {
        out.push(b'{');
        json::list(out, metrics.iter().take(limit), |out, (metric, entries)| {
            json::string(out, metric);
            out.extend_from_slice(b":[");
            json::list(out, entries, |out, entry| {
                out.push(b'{');
                metadata_fields(out, entry);
                out.push(b'}');
            });
            out.push(b']');
        });
        out.push(b'}');
    })
    .into_response())
}

fn metadata_fields(out: &mut Vec<u8>, entry: &MetricMetadata) {
    let fields = [("type", &entry.kind), ("help", &entry.help), ("unit", &entry.unit)];
    json::list(out, fields, |out, (name, text)| {
        json::string(out, name);
        out.push(b':');
        json::string(out, text);
    });
}

/// A limit as metadata has it: 0 is nothing in 2.x and no limit in 3.x; negative is no limit in both.
fn number(parameters: &Parameters, name: &str) -> Result<Option<usize>, ApiError> {
    match parameters.get(name) {
        "" => Ok(None),
        text => match text.parse::<i64>() {
            Ok(limit) => Ok(usize::try_from(limit).ok().filter(|limit| *limit > 0)),
            Err(_) => Err(ApiError::bad_data(format!("{name} must be a number"))),
        },
    }
}

/// `GET /api/v1/alertmanagers`
pub async fn alertmanagers(State(state): State<PrometheusState>) -> Answer {
    let urls = (state.sources.alertmanagers)();
    let active: Vec<_> = urls.into_iter().map(|url| json!({ "url": url })).collect();
    Success::of(&json!({ "activeAlertmanagers": active, "droppedAlertmanagers": [] }))
}

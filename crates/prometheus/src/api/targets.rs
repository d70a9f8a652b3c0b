//! `targets`, `targets/metadata`, `metadata`, `alertmanagers`.

use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::json;
use streamflow_promql::parse_selector;

use super::answer::{Answer, Success};
use super::error::ApiError;
use super::json;
use super::parameters::Parameters;
use crate::Handle;
use crate::scrape::{Metadata, TargetMetadata};

/// `GET /api/v1/targets`
pub async fn targets(State(server): State<Handle>, parameters: Parameters) -> Answer {
    let (wanted, pool) = (parameters.get("state"), parameters.get("scrapePool"));
    let of_pool = |name: &str| pool.is_empty() || pool == name;
    let is_wanted = |state: &str| ["", "any", state].iter().any(|of| wanted.eq_ignore_ascii_case(of));
    let mut active = Vec::new();
    if is_wanted("active") {
        active = server.0.scraper.targets();
        active.retain(|target| of_pool(&target.scrape_pool));
    }
    let (mut dropped, mut counts) = (Vec::new(), None);
    if is_wanted("dropped") {
        dropped = server.0.scraper.dropped();
        dropped.retain(|target| of_pool(&target.scrape_pool));
        counts = Some(server.0.scraper.dropped_counts());
    }
    Success::of(&json!({
        "activeTargets": active,
        "droppedTargets": dropped,
        "droppedTargetCounts": counts,
    }))
}

/// `GET /api/v1/targets/metadata`
pub async fn targets_metadata(State(server): State<Handle>, parameters: Parameters) -> Answer {
    let limit = match parameters.get("limit") {
        "0" => 0,
        _ => number(&parameters, "limit")?.unwrap_or(usize::MAX),
    };
    let metric = parameters.get("metric");
    let matchers = match parameters.get("match_target") {
        "" => Vec::new(),
        text => parse_selector(text)
            .map_err(|error| ApiError::invalid_parameter("match_target", &error.to_string()))?,
    };
    let wanted = Some(metric).filter(|metric| !metric.is_empty());
    let mut metadata = server.0.scraper.target_metadata(wanted);
    metadata.retain(|entry| {
        let value = |name| entry.target.get(name).unwrap_or_default();
        matchers.iter().all(|matcher| matcher.matches(value(matcher.name())))
    });
    metadata.truncate(whole_targets(&metadata, limit));
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
            metadata_fields(out, &entry.metadata);
            out.push(b'}');
        });
        out.push(b']');
    })
    .into_response())
}

/// How many entries there are up to the end of the target in which the limit is reached: no target is told in part.
fn whole_targets(entries: &[TargetMetadata], limit: usize) -> usize {
    let is_new = |at: usize| at == 0 || entries[at].target != entries[at - 1].target;
    (limit..entries.len()).find(|at| is_new(*at)).unwrap_or(entries.len())
}

/// `GET /api/v1/metadata`: what all targets and those who send samples say of a metric, each different saying once.
pub async fn metadata(State(server): State<Handle>, parameters: Parameters) -> Answer {
    let limit = number(&parameters, "limit")?.unwrap_or(usize::MAX);
    let limit_per_metric = number(&parameters, "limit_per_metric")?.unwrap_or(usize::MAX);
    let wanted = Some(parameters.get("metric")).filter(|metric| !metric.is_empty());
    let mut metrics = server.0.scraper.metadata(wanted);
    for (family, metadata) in server.0.told.told(wanted) {
        let known = metrics.entry(family).or_default();
        if !known.contains(&metadata) {
            known.push(metadata);
        }
    }
    Ok(Success::with(|out| {
        out.push(b'{');
        json::list(out, metrics.iter().take(limit), |out, (metric, entries)| {
            json::string(out, metric);
            out.extend_from_slice(b":[");
            json::list(out, entries.iter().take(limit_per_metric), |out, entry| {
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

fn metadata_fields(out: &mut Vec<u8>, metadata: &Metadata) {
    let fields = [("type", metadata.kind), ("help", &metadata.help), ("unit", &metadata.unit)];
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
pub async fn alertmanagers(State(server): State<Handle>) -> Answer {
    let told = server.0.rules.destinations().into_iter();
    let active: Vec<_> = told.map(|destination| json!({ "url": destination.url })).collect();
    let dropped = server.0.rules.dropped_managers();
    let dropped: Vec<_> = dropped.into_iter().map(|url| json!({ "url": url })).collect();
    Success::of(&json!({ "activeAlertmanagers": active, "droppedAlertmanagers": dropped }))
}

/// `GET /api/v1/scrape_pools`
pub async fn scrape_pools(State(server): State<Handle>) -> Answer {
    Success::of(&json!({ "scrapePools": server.0.scraper.pools() }))
}

//! `/-/healthy`, `/-/ready`, `/-/reload` and the `status` resources.

use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use streamflow_gotext::format_duration_ms;

use super::answer::{Answer, Success};
use super::error;
use super::parameters::Parameters;
use crate::go_json::rfc3339;
use crate::{Handle, Settings};

/// The version whose API this is. Clients decide by it what they may ask for.
pub const COMPATIBLE_VERSION: &str = "3.5.0";

const DAY_MS: i64 = 86_400_000;

/// `GET /-/healthy`
pub async fn healthy() -> &'static str {
    "StreamFlow is healthy.\n"
}

/// `GET /-/ready`: the store is open before anything is served.
pub async fn ready() -> &'static str {
    "StreamFlow is ready.\n"
}

/// `POST|PUT /-/reload`
pub async fn reload(State(server): State<Handle>, method: Method) -> Response {
    if method != Method::POST && method != Method::PUT {
        return error::plain(StatusCode::METHOD_NOT_ALLOWED, "Only POST or PUT requests allowed");
    }
    match server.reload().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(reason) => {
            let message = format!("failed to reload config: {reason}");
            error::plain(StatusCode::INTERNAL_SERVER_ERROR, &message)
        }
    }
}

/// `GET /api/v1/status/buildinfo`. Never with `features`: by them Grafana tells Mimir from Prometheus.
pub async fn build_info() -> Answer {
    Success::of(&json!({
        "version": COMPATIBLE_VERSION,
        "revision": concat!("streamflow-", env!("CARGO_PKG_VERSION")),
        "branch": "streamflow",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}

/// `GET /api/v1/status/runtimeinfo`
pub async fn runtime_info(State(server): State<Handle>) -> Answer {
    let applied = server.applied().clone();
    let directory = std::env::current_dir().unwrap_or_default();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Success::of(&json!({
        "startTime": rfc3339(Some(server.0.started_ms)),
        "CWD": directory.display().to_string(),
        "reloadConfigSuccess": applied.succeeded,
        "lastConfigTime": rfc3339(Some(applied.at_ms)),
        "corruptionCount": server.0.db.damage().len(),
        // There are none; clients that show the number show the threads that compute.
        "goroutineCount": threads,
        "GOMAXPROCS": threads,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": retention(&server.0.settings),
    }))
}

/// `GET /api/v1/status/flags`: our settings under the names that clients of Prometheus look for.
pub async fn flags(State(server): State<Handle>) -> Answer {
    let Settings { listen, limits, query_max_samples, .. } = &server.0.settings;
    Success::of(&json!({
        "web.listen-address": listen.to_string(),
        "web.enable-admin-api": server.0.settings.admin_api.to_string(),
        "web.enable-lifecycle": "true",
        "web.enable-remote-write-receiver": "true",
        "storage.tsdb.retention.time": retention(&server.0.settings),
        "query.timeout": format!("{}s", limits.query_timeout.as_secs()),
        "query.max-samples": query_max_samples.to_string(),
        "query.max-concurrency": limits.concurrent_queries.to_string(),
        "query.lookback-delta": format_duration_ms(server.0.engine_options.lookback_ms),
    }))
}

/// The time for which samples are kept, as Prometheus spells it.
fn retention(settings: &Settings) -> String {
    format_duration_ms(i64::from(settings.retention_days) * DAY_MS)
}

/// `GET /api/v1/status/config`
pub async fn config(State(server): State<Handle>) -> Answer {
    Success::of(&json!({ "yaml": server.applied().text }))
}

/// `GET /api/v1/status/walreplay`: the log is read before anything is served.
pub async fn wal_replay() -> Answer {
    Success::of(&json!({ "min": 0, "max": 0, "current": 0, "state": "done" }))
}

/// `GET /api/v1/status/tsdb`: what is in memory, and the names and values that have most series.
pub async fn tsdb(State(server): State<Handle>, parameters: Parameters) -> Answer {
    let limit = parameters.limit()?.unwrap_or(10);
    // Counting visits every series.
    let db = server.0.db.clone();
    let stats = server.in_query_slot(move |_: &_| Ok(db.stats())).await?;
    let top = |counts: &[(String, u64)]| -> Vec<_> {
        counts.iter().take(limit).map(|(name, value)| json!({ "name": name, "value": value })).collect()
    };
    Success::of(&json!({
        "headStats": {
            "numSeries": stats.head_series,
            "numLabelPairs": stats.label_pairs,
            "chunkCount": stats.head_chunks,
            // What an empty head has in Go.
            "minTime": stats.head_min_ms.unwrap_or(i64::MAX),
            "maxTime": stats.head_max_ms.unwrap_or(i64::MIN),
        },
        "seriesCountByMetricName": top(&stats.metric_series),
        "labelValueCountByLabelName": top(&stats.label_values),
        "memoryInBytesByLabelName": top(&stats.label_bytes),
        "seriesCountByLabelValuePair": top(&stats.pair_series),
    }))
}

//! `/-/healthy`, `/-/ready`, `/-/reload` and the `status` resources.

use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::PrometheusState;
use super::answer::{Answer, Success};
use super::error;
use super::parameters::Parameters;
use super::status::as_time;

/// The version whose API this is. Clients decide by it what they may ask for.
pub const COMPATIBLE_VERSION: &str = "3.5.0";

/// `GET /-/healthy`
pub async fn healthy() -> &'static str {
    "StreamFlow is healthy.\n"
}

/// `GET /-/ready`
pub async fn ready(State(state): State<PrometheusState>) -> Response {
    if (state.sources.ready)() {
        "StreamFlow is ready.\n".into_response()
    } else {
        error::plain(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
    }
}

/// `POST|PUT /-/reload`
pub async fn reload(State(state): State<PrometheusState>, method: Method) -> Response {
    if method != Method::POST && method != Method::PUT {
        return error::plain(StatusCode::METHOD_NOT_ALLOWED, "Only POST or PUT requests allowed");
    }
    let Some(reload) = &state.sources.reload else {
        return error::plain(StatusCode::FORBIDDEN, "reloading is not enabled");
    };
    match reload().await {
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
pub async fn runtime_info(State(state): State<PrometheusState>) -> Answer {
    let runtime = (state.sources.runtime)();
    let time = |ms: i64| as_time(&Some(ms), serde_json::value::Serializer).unwrap_or_default();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Success::of(&json!({
        "startTime": time(runtime.start_ms),
        "CWD": runtime.working_directory,
        "reloadConfigSuccess": runtime.reload_succeeded,
        "lastConfigTime": time(runtime.last_reload_ms),
        "corruptionCount": state.db.damage().len(),
        // There are none; clients that show the number show the threads that compute.
        "goroutineCount": threads,
        "GOMAXPROCS": threads,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": runtime.retention,
    }))
}

/// `GET /api/v1/status/flags`
pub async fn flags(State(state): State<PrometheusState>) -> Answer {
    Success::of(&(state.sources.flags)())
}

/// `GET /api/v1/status/config`
pub async fn config(State(state): State<PrometheusState>) -> Answer {
    Success::of(&json!({ "yaml": (state.sources.config_yaml)() }))
}

/// `GET /api/v1/status/walreplay`: the log is read before anything is served.
pub async fn wal_replay() -> Answer {
    Success::of(&json!({ "min": 0, "max": 0, "current": 0, "state": "done" }))
}

/// `GET /api/v1/status/tsdb`: what is in memory, and the names and values that have most series.
pub async fn tsdb(State(state): State<PrometheusState>, parameters: Parameters) -> Answer {
    let limit = parameters.limit()?.unwrap_or(10);
    // Counting visits every series.
    let db = state.db.clone();
    let stats = state.slots.run(state.limits.query_timeout, move |_: &_| Ok(db.stats())).await?;
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

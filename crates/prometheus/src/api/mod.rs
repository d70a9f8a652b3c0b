//! Prometheus's HTTP API: queries, series, targets and rules, remote write, federation.
//!
//! Every route is in [`router`], every failure in `error.rs`, every limit in [`Limits`].

mod answer;
mod compression;
mod error;
mod federate;
mod json;
mod management;
mod methods;
mod metrics;
mod parameters;
mod query;
mod query_slots;
mod rules;
mod series;
mod targets;
mod write;

use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{any, get as get_or_head};

use methods::{get, get_or_post, post};

use crate::{Handle, own_metrics};

pub(crate) use error::ApiError;
pub use methods::is_cross_site;
pub(crate) use metrics::Metrics;
pub use parameters::{DurationMs, parse_duration, parse_time};
pub(crate) use query::POINTS_MAX;
pub(crate) use query_slots::{Budget, QuerySlots};

/// What a request may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Queries evaluated at once; others wait.
    pub concurrent_queries: usize,
    /// Longest time for a query, waiting included; a request may ask for less.
    pub query_timeout: Duration,
    /// Largest form body.
    pub form_bytes: usize,
    /// Largest body of a remote write, as it comes.
    pub write_bytes: usize,
    /// Largest remote write, unpacked.
    pub write: streamflow_exposition::remote_write::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent_queries: 20,
            query_timeout: Duration::from_secs(120),
            form_bytes: 10 << 20,
            write_bytes: 16 << 20,
            write: streamflow_exposition::remote_write::Limits::default(),
        }
    }
}

/// All routes of Prometheus's API. Paths outside them are left to whoever mounts this router.
pub fn router(server: Handle) -> Router {
    let v1 = Router::new()
        .route("/query", get_or_post(query::instant))
        .route("/query_range", get_or_post(query::range))
        .route("/query_exemplars", get_or_post(query::exemplars))
        .route("/format_query", get_or_post(query::format))
        .route("/series", get_or_post(series::series))
        .route("/labels", get_or_post(series::label_names))
        .route("/label/{name}/values", get(series::label_values))
        .route("/metadata", get(targets::metadata))
        .route("/targets", get(targets::targets))
        .route("/targets/metadata", get(targets::targets_metadata))
        .route("/alertmanagers", get(targets::alertmanagers))
        .route("/rules", get(rules::rules))
        .route("/alerts", get(rules::alerts))
        .route("/status/buildinfo", get(management::build_info))
        .route("/status/runtimeinfo", get(management::runtime_info))
        .route("/status/flags", get(management::flags))
        .route("/status/config", get(management::config))
        .route("/status/tsdb", get(management::tsdb))
        .route("/status/walreplay", get(management::wal_replay))
        .route("/write", post(write::write).layer(from_fn(methods::same_origin)))
        .fallback(methods::not_found)
        // Of the API only: a page of another origin may read metrics, but not run anything.
        .layer(from_fn(methods::cross_origin));
    Router::new()
        .nest("/api/v1", v1)
        .route("/federate", get(federate::federate))
        .route("/-/healthy", get_or_head(management::healthy))
        .route("/-/ready", get_or_head(management::ready))
        .route("/-/reload", any(management::reload).layer(from_fn(methods::same_origin)))
        .layer(from_fn(compression::gzip))
        .route("/metrics", get_or_head(own_metrics::metrics))
        .with_state(server)
}

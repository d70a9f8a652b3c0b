//! Prometheus's HTTP API: queries, series, targets and rules, remote write, federation.
//!
//! Every route is in [`router`], every failure in `error.rs`, every limit in [`Limits`]. What other parts of the
//! process know (targets, rules, the configuration) comes in through the plain data of [`status`].

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
pub mod status;
mod targets;
mod write;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{any, get as get_or_head};
use streamflow_promql::{Engine, EngineOptions};
use streamflow_tsdb::Db;

use methods::{get, get_or_post, post};
use query_slots::QuerySlots;
use status::Sources;

pub use metrics::Metrics;
pub use parameters::{parse_duration, parse_time};
pub use query::now_ms;

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

/// What every handler is given. Cloning is cheap.
#[derive(Clone)]
pub struct PrometheusState(Arc<Inner>);

/// The parts of a [`PrometheusState`].
pub struct Inner {
    db: Db,
    engine: Engine,
    engine_options: EngineOptions,
    limits: Limits,
    sources: Sources,
    metrics: Metrics,
    slots: QuerySlots,
}

impl std::ops::Deref for PrometheusState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl PrometheusState {
    /// The state of one API over `db`.
    #[must_use]
    pub fn new(db: Db, engine_options: EngineOptions, limits: Limits, sources: Sources) -> Self {
        // The bound on steps is this API's, told in its words: eleven thousand from the first on.
        let max_steps = engine_options.max_steps.max(query::POINTS_MAX + 1);
        let engine_options = EngineOptions { max_steps, ..engine_options };
        Self(Arc::new(Inner {
            db,
            engine: Engine::new(engine_options.clone()),
            engine_options,
            slots: QuerySlots::new(limits.concurrent_queries),
            limits,
            sources,
            metrics: Metrics::default(),
        }))
    }

    /// What the API counts, for the process's own `/metrics`.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// All routes of Prometheus's API. Paths outside them are left to whoever mounts this router.
pub fn router(state: PrometheusState) -> Router {
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
        .with_state(state)
}

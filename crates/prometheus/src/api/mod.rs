//! Prometheus's HTTP API: queries, series, targets and rules, remote write and read, OTLP, federation.
//!
//! Every route is in [`router`], every failure in `error.rs`, every limit in [`Limits`].

mod admin;
mod answer;
mod compression;
mod error;
mod federate;
mod json;
mod management;
mod methods;
mod metrics;
#[cfg(test)]
mod native_answers;
mod notifications;
mod otlp;
mod parameters;
mod parse_query;
mod query;
mod query_slots;
mod read;
mod rules;
mod series;
mod targets;
mod write;

use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{MethodRouter, any, get as get_or_head};

use methods::{get, get_or_post, post, post_or_put};

use crate::{Handle, own_metrics};

pub(crate) use admin::SNAPSHOTS;
pub(crate) use error::ApiError;
pub use methods::is_cross_site;
pub(crate) use metrics::Metrics;
pub(crate) use otlp::settings as otlp_settings;
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
    /// Largest body of a remote write or of OTLP, as it comes.
    pub write_bytes: usize,
    /// Largest remote write or request of OTLP, unpacked.
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

/// A route: its path and what answers it.
type Route = (&'static str, MethodRouter<Handle>);

/// Where everything but pages and metrics is.
const V1: &str = "/api/v1";
/// The server's own metrics.
const METRICS: &str = "/metrics";

/// The routes below `/api/v1`.
fn v1() -> [Route; 29] {
    let guarded = |methods: MethodRouter<Handle>| methods.layer(from_fn(methods::same_origin));
    [
        ("/query", get_or_post(query::instant)),
        ("/query_range", get_or_post(query::range)),
        ("/query_exemplars", get_or_post(query::exemplars)),
        ("/parse_query", get_or_post(parse_query::parse_query)),
        ("/format_query", get_or_post(query::format)),
        ("/series", get_or_post(series::series)),
        ("/labels", get_or_post(series::label_names)),
        ("/label/{name}/values", get(series::label_values)),
        ("/metadata", get(targets::metadata)),
        ("/targets", get(targets::targets)),
        ("/scrape_pools", get(targets::scrape_pools)),
        ("/targets/metadata", get(targets::targets_metadata)),
        ("/alertmanagers", get(targets::alertmanagers)),
        ("/rules", get(rules::rules)),
        ("/alerts", get(rules::alerts)),
        ("/status/buildinfo", get(management::build_info)),
        ("/status/runtimeinfo", get(management::runtime_info)),
        ("/status/flags", get(management::flags)),
        ("/status/config", get(management::config)),
        ("/status/tsdb", get(management::tsdb)),
        ("/status/walreplay", get(management::wal_replay)),
        ("/notifications", get(notifications::notifications)),
        ("/notifications/live", get(notifications::live)),
        ("/read", post(read::read)),
        ("/write", guarded(post(write::write))),
        ("/otlp/v1/metrics", guarded(post(otlp::metrics))),
        ("/admin/tsdb/delete_series", guarded(post_or_put(admin::delete_series))),
        ("/admin/tsdb/clean_tombstones", guarded(post_or_put(admin::clean_tombstones))),
        ("/admin/tsdb/snapshot", guarded(post_or_put(admin::snapshot))),
    ]
}

/// The routes beside them.
fn beside() -> [Route; 4] {
    [
        ("/federate", get(federate::federate)),
        ("/-/healthy", get_or_head(management::healthy)),
        ("/-/ready", get_or_head(management::ready)),
        ("/-/reload", any(management::reload).layer(from_fn(methods::same_origin))),
    ]
}

/// The paths of all routes.
pub fn paths() -> impl Iterator<Item = String> {
    let below = v1().into_iter().map(|(path, _)| format!("{V1}{path}"));
    below.chain(beside().into_iter().map(|(path, _)| path.to_owned())).chain([METRICS.to_owned()])
}

/// All routes of Prometheus's API. Paths outside them are left to whoever mounts this router.
pub fn router(server: Handle) -> Router {
    let of = |routes: &mut dyn Iterator<Item = Route>| {
        routes.fold(Router::new(), |router, (path, methods)| router.route(path, methods))
    };
    let v1 = of(&mut v1().into_iter())
        .fallback(methods::not_found)
        // Of the API only: a page of another origin may read metrics, but not run anything.
        .layer(from_fn(methods::cross_origin));
    of(&mut beside().into_iter())
        .nest(V1, v1)
        .layer(from_fn(compression::gzip))
        .route(METRICS, get_or_head(own_metrics::metrics))
        .with_state(server)
}

//! The Prometheus API against a real listener, and the same requests against a real Prometheus.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

#[path = "http_api/aggregates.rs"]
mod aggregates;
#[path = "http_api/differential.rs"]
mod differential;
#[path = "http_api/expressions.rs"]
mod expressions;
#[path = "http_api/fixture.rs"]
mod fixture;
#[path = "http_api/http.rs"]
mod http;
#[path = "http_api/intervals.rs"]
mod intervals;
#[path = "http_api/native_histograms.rs"]
mod native_histograms;
#[path = "http_api/notifications.rs"]
mod notifications;
#[path = "http_api/otlp.rs"]
mod otlp;
#[path = "http_api/remote_read.rs"]
mod remote_read;
#[path = "http_api/remote_write_2.rs"]
mod remote_write_2;
#[path = "http_api/scenarios.rs"]
mod scenarios;
#[path = "http_api/servers.rs"]
mod servers;
#[path = "http_api/start_timestamps.rs"]
mod start_timestamps;

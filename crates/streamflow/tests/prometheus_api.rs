//! The Prometheus API against a real listener, and the same requests against a real Prometheus.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

#[path = "prometheus_api/differential.rs"]
mod differential;
#[path = "prometheus_api/expressions.rs"]
mod expressions;
#[path = "prometheus_api/fixture.rs"]
mod fixture;
#[path = "prometheus_api/http.rs"]
mod http;
#[path = "prometheus_api/scenarios.rs"]
mod scenarios;
#[path = "prometheus_api/servers.rs"]
mod servers;

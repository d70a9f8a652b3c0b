//! The operator plane: Prometheus's HTTP API, our own resources under `/api/streamflow/`, the web console.

pub mod prometheus;

//! Metrics on the wire: Prometheus's text format, OpenMetrics and remote write.
//!
//! What it is: parsers and encoders on bytes. What it is not: it opens no connection and keeps no sample.
#![cfg_attr(test, allow(clippy::unwrap_used))]

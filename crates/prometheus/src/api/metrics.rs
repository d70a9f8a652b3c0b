//! What the API counts about itself.

use std::time::Instant;

use prometheus::core::Collector as _;
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts};

const QUERY_BUCKETS_SECONDS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0, 60.0];
const OUTCOMES: [&str; 3] = ["ok", "error", CANCELED];
const CANCELED: &str = "canceled";

/// The counters of one API.
pub struct Metrics {
    queries: IntCounterVec,
    query_seconds: Histogram,
    from_aggregates: IntCounter,
    received: IntCounter,
    refused: IntCounterVec,
    otlp_received: IntCounter,
    otlp_refused: IntCounterVec,
}

/// By which protocol samples come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    RemoteWrite,
    Otlp,
}

impl Default for Metrics {
    fn default() -> Self {
        let vector = |name: &str, help: &str, label: &str| {
            IntCounterVec::new(Opts::new(name, help), &[label]).expect("a valid name and label")
        };
        let queries =
            vector("streamflow_queries_total", "PromQL queries over HTTP, by how they ended.", "outcome");
        for outcome in OUTCOMES {
            queries.with_label_values(&[outcome]);
        }
        let seconds = HistogramOpts::new(
            "streamflow_query_duration_seconds",
            "Time from a PromQL query's arrival to its answer.",
        );
        Self {
            queries,
            query_seconds: Histogram::with_opts(seconds.buckets(QUERY_BUCKETS_SECONDS.to_vec()))
                .expect("ascending buckets"),
            from_aggregates: IntCounter::new(
                "streamflow_queries_from_aggregates_total",
                "PromQL queries over HTTP that read aggregates in the place of samples that are gone.",
            )
            .expect("a valid name"),
            received: IntCounter::new(
                "streamflow_remote_write_received_samples_total",
                "Samples received by remote write and kept.",
            )
            .expect("a valid name"),
            refused: vector(
                "streamflow_remote_write_refused_samples_total",
                "Samples received by remote write and refused, by reason.",
                "reason",
            ),
            otlp_received: IntCounter::new(
                "streamflow_otlp_received_samples_total",
                "Samples of data points received by OTLP and kept.",
            )
            .expect("a valid name"),
            otlp_refused: vector(
                "streamflow_otlp_refused_data_points_total",
                "Data points received by OTLP and refused, or samples of them, by reason.",
                "reason",
            ),
        }
    }
}

impl Metrics {
    /// All metrics as they are now.
    #[must_use]
    pub fn families(&self) -> Vec<MetricFamily> {
        let Self { queries, query_seconds, from_aggregates, received, refused, otlp_received, otlp_refused } =
            self;
        let writes = [received.collect(), refused.collect(), otlp_received.collect(), otlp_refused.collect()];
        [queries.collect(), query_seconds.collect(), from_aggregates.collect(), writes.concat()].concat()
    }

    /// Counts a query that read so many aggregates.
    pub(super) fn count_older(&self, aggregates: u64) {
        self.from_aggregates.inc_by(u64::from(aggregates > 0));
    }

    /// Counts a query when it ends, also when its client leaves and the handler with it.
    pub(super) fn start_query(&self) -> QueryTimer<'_> {
        QueryTimer { metrics: self, started: Instant::now(), outcome: CANCELED }
    }

    pub(super) fn count_written(&self, by: Protocol, samples: u64) {
        match by {
            Protocol::RemoteWrite => self.received.inc_by(samples),
            Protocol::Otlp => self.otlp_received.inc_by(samples),
        }
    }

    pub(super) fn count_refused(&self, by: Protocol, reason: &str, samples: u64) {
        let refused = match by {
            Protocol::RemoteWrite => &self.refused,
            Protocol::Otlp => &self.otlp_refused,
        };
        refused.with_label_values(&[reason]).inc_by(samples);
    }
}

/// A query that is being answered.
pub(super) struct QueryTimer<'a> {
    metrics: &'a Metrics,
    started: Instant,
    outcome: &'static str,
}

impl QueryTimer<'_> {
    pub fn ended(mut self, ok: bool) {
        self.outcome = if ok { "ok" } else { "error" };
    }
}

impl Drop for QueryTimer<'_> {
    fn drop(&mut self) {
        self.metrics.queries.with_label_values(&[self.outcome]).inc();
        self.metrics.query_seconds.observe(self.started.elapsed().as_secs_f64());
    }
}

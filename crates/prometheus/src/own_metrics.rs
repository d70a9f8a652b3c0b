//! The server's own `GET /metrics`: the sample store, the scraper, the rules, the senders and the process, under
//! Prometheus's names where it has one.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use streamflow_exposition::{Format, Writer};
use streamflow_tsdb::{AggregateStats, Stats};

use crate::Handle;
use crate::process::render_process;
use crate::remote_write::SenderStatus;
use crate::rules::notify::DestinationStatus;
use crate::rules::status::GroupStatus;

/// `GET /metrics`
pub async fn metrics(State(server): State<Handle>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let format = Format::accepted(&accept.collect::<Vec<_>>().join(","));
    ([(header::CONTENT_TYPE, format.content_type())], render(&server, format))
}

/// Everything as text.
fn render(server: &Handle, format: Format) -> String {
    let mut text = Writer::new(format);
    store(&server.0.db.stats(), &mut text);
    for (name, help, count) in server.0.scraper.counters() {
        text.counter(name, help, count as f64);
    }
    rules(&server.0.rules.groups(), &mut text);
    receivers(&server.0.rules.destinations(), &mut text);
    senders(&server.0.remote_write.status(), &mut text);
    for family in server.0.metrics.families() {
        text.family(&family, None);
    }
    let help = "Whether the last attempt to read the configuration succeeded.";
    let succeeded = f64::from(u8::from(server.applied().succeeded));
    text.gauge("prometheus_config_last_reload_successful", help, &[], succeeded);
    render_process(&mut text);
    text.finish()
}

fn store(stats: &Stats, text: &mut Writer) {
    for (name, help, value) in [
        ("prometheus_tsdb_head_series", "Series in memory.", stats.head_series as f64),
        ("prometheus_tsdb_head_chunks", "Chunks in memory.", stats.head_chunks as f64),
        ("streamflow_tsdb_head_samples", "Samples in memory.", stats.head_samples as f64),
        ("streamflow_tsdb_head_bytes", "Bytes of compressed samples in memory.", stats.head_bytes as f64),
        ("streamflow_tsdb_wal_bytes", "Bytes of the write-ahead log.", stats.wal_bytes as f64),
        ("prometheus_tsdb_blocks_loaded", "Blocks served.", stats.blocks as f64),
        ("prometheus_tsdb_storage_blocks_bytes", "Bytes of the files of blocks.", stats.block_bytes as f64),
        (
            "streamflow_tsdb_damaged_files",
            "Findings of damage since the store was opened.",
            stats.damage.len() as f64,
        ),
    ] {
        text.gauge(name, help, &[], value);
    }
    let aggregates = |of: fn(&AggregateStats) -> f64| {
        stats.aggregates.iter().map(move |tier| (vec![("resolution", tier.resolution.name())], of(tier)))
    };
    text.gauges(
        "streamflow_tsdb_aggregate_bytes",
        "Bytes of the blocks of aggregates.",
        aggregates(|tier| tier.bytes as f64),
    );
    text.gauges(
        "streamflow_tsdb_aggregate_windows",
        "Windows of all series of which aggregates are kept.",
        aggregates(|tier| tier.windows as f64),
    );
    text.gauges(
        "streamflow_tsdb_aggregate_oldest_timestamp_seconds",
        "Oldest time that aggregates know something of; 0 where there are none.",
        aggregates(|tier| tier.min_ms.unwrap_or(0) as f64 / 1000.0),
    );
    let help = "Samples committed.";
    text.counter("prometheus_tsdb_head_samples_appended_total", help, stats.appended as f64);
    let refused = &stats.refused;
    let reasons = [
        ("out_of_order", refused.out_of_order),
        ("duplicate_timestamp", refused.duplicate_timestamp),
        ("too_old", refused.too_old),
        ("invalid_histogram", refused.invalid_histogram),
    ];
    let samples = reasons.into_iter().map(|(reason, count)| (vec![("reason", reason)], count as f64));
    text.counters(
        "streamflow_tsdb_refused_samples_total",
        "Samples refused by the store, by reason.",
        samples,
    );
}

fn rules(groups: &[GroupStatus], text: &mut Writer) {
    let of = |count: fn(&GroupStatus) -> u64| {
        groups.iter().map(move |group| {
            (vec![("file", group.file.as_str()), ("group", group.name.as_str())], count(group) as f64)
        })
    };
    text.counters(
        "streamflow_rule_group_evaluations_total",
        "Evaluations of rule groups.",
        of(|group| group.evaluations),
    );
    text.counters(
        "streamflow_rule_group_evaluations_missed_total",
        "Evaluations of rule groups that did not take place because the ones before took too long.",
        of(|group| group.missed),
    );
}

fn receivers(destinations: &[DestinationStatus], text: &mut Writer) {
    let of = |count: fn(&DestinationStatus) -> u64| {
        destinations.iter().map(move |to| (vec![("receiver", to.url.as_str())], count(to) as f64))
    };
    text.counters("streamflow_alerts_sent_total", "Alerts taken by a receiver.", of(|to| to.sent));
    text.counters(
        "streamflow_alerts_dropped_total",
        "Alerts that a receiver never took.",
        of(|to| to.dropped),
    );
}

fn senders(senders: &[SenderStatus], text: &mut Writer) {
    let of = |count: fn(&SenderStatus) -> u64| {
        senders.iter().map(move |sender| (vec![("remote_name", sender.name.as_str())], count(sender) as f64))
    };
    text.counters(
        "streamflow_remote_write_sent_samples_total",
        "Samples taken by the receiver.",
        of(|sender| sender.samples_sent),
    );
    text.counters(
        "streamflow_remote_write_dropped_samples_total",
        "Samples the receiver never took.",
        of(|sender| sender.samples_failed),
    );
    remote_storage(senders, text);
}

/// A metric of a sender.
type Row = (&'static str, &'static str, fn(&SenderStatus) -> f64);

/// The same as Prometheus tells it.
fn remote_storage(senders: &[SenderStatus], text: &mut Writer) {
    const COUNTERS: [Row; 6] = [
        ("samples_total", "Samples taken by the receiver.", |of| of.samples_sent as f64),
        ("samples_failed_total", "Samples refused by the receiver for good.", |of| of.samples_failed as f64),
        ("samples_retried_total", "Samples in requests that were tried again.", |of| {
            of.samples_retried as f64
        }),
        ("exemplars_total", "Exemplars taken by the receiver.", |of| of.exemplars_sent as f64),
        ("metadata_total", "Families whose metadata the receiver took.", |of| of.metadata_sent as f64),
        ("bytes_total", "Bytes of bodies taken by the receiver.", |of| of.bytes_sent as f64),
    ];
    const GAUGES: [Row; 7] = [
        ("shards", "Connections that send at a time.", |of| of.shards as f64),
        ("shards_max", "The most of them.", |of| of.shards_max as f64),
        ("shards_min", "The fewest of them.", |of| of.shards_min as f64),
        ("shards_desired", "How many would be right.", |of| of.shards_desired),
        ("shard_capacity", "Samples that may wait in one shard.", |of| of.shard_capacity as f64),
        ("samples_pending", "Samples that wait to be sent.", |of| of.samples_pending as f64),
        ("queue_highest_sent_timestamp_seconds", "Time of the newest sample that the receiver took.", |of| {
            of.highest_timestamp_sent_ms as f64 / 1000.0
        }),
    ];
    let labels = |of: &SenderStatus| [("remote_name", of.name.clone()), ("url", of.url.clone())];
    let all: Vec<_> = senders.iter().map(|sender| (labels(sender), sender)).collect();
    let named = |name: &str| format!("prometheus_remote_storage_{name}");
    for (name, help, value) in COUNTERS {
        let rows = all.iter().map(|(labels, of)| (pairs(labels), value(of)));
        text.counters(&named(name), help, rows);
    }
    let dropped = all.iter().flat_map(|(labels, of)| {
        let reasons = [
            ("dropped_series", of.samples_dropped),
            ("too_old", of.samples_too_old),
            ("unintentionally_dropped_series", of.samples_unknown),
            ("native_histograms_not_sent", of.histograms_dropped),
        ];
        reasons.map(|(reason, count)| ([pairs(labels), vec![("reason", reason)]].concat(), count as f64))
    });
    text.counters(&named("samples_dropped_total"), "Samples that are not sent, by reason.", dropped);
    for (name, help, value) in GAUGES {
        let rows = all.iter().map(|(labels, of)| (pairs(labels), value(of)));
        text.gauges(&named(name), help, rows);
    }
}

fn pairs<'l>(labels: &'l [(&'static str, String); 2]) -> Vec<(&'static str, &'l str)> {
    labels.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

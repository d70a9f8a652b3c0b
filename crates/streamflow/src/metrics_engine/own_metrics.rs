//! `GET /metrics` of the console plane: the sample store, the scraper, the rules, the senders and the process, under
//! Prometheus's names where it has one.

use streamflow_exposition::{Format, Writer};

use super::{Inner, lock};
use crate::process_metrics;

/// Everything as text.
pub fn render(inner: &Inner, format: Format) -> String {
    let mut text = Writer::new(format);
    store(inner, &mut text);
    for (name, help, value) in inner.scraper.metrics() {
        if name.ends_with("_total") {
            text.counter(name, help, value as f64);
        } else {
            text.gauge(name, help, &[], value as f64);
        }
    }
    rules(inner, &mut text);
    senders(inner, &mut text);
    for family in inner.prometheus.metrics().families() {
        text.family(&family, None);
    }
    let applied = lock(&inner.applied);
    let help = "Whether the last attempt to read the configuration succeeded.";
    text.gauge("prometheus_config_last_reload_successful", help, &[], f64::from(u8::from(applied.succeeded)));
    drop(applied);
    process_metrics::write(&inner.process, &mut text);
    text.finish()
}

fn store(inner: &Inner, text: &mut Writer) {
    let stats = inner.db.stats();
    let bytes = (stats.wal_bytes as f64, stats.block_bytes as f64);
    for (name, help, value) in [
        ("prometheus_tsdb_head_series", "Series in memory.", stats.head_series as f64),
        ("prometheus_tsdb_head_chunks", "Chunks in memory.", stats.head_chunks as f64),
        ("streamflow_tsdb_head_samples", "Samples in memory.", stats.head_samples as f64),
        ("streamflow_tsdb_head_bytes", "Bytes of compressed samples in memory.", stats.head_bytes as f64),
        ("streamflow_tsdb_wal_bytes", "Bytes of the write-ahead log.", bytes.0),
        ("prometheus_tsdb_blocks_loaded", "Blocks served.", stats.blocks as f64),
        ("prometheus_tsdb_storage_blocks_bytes", "Bytes of the files of blocks.", bytes.1),
        (
            "streamflow_tsdb_damaged_files",
            "Findings of damage since the store was opened.",
            stats.damage.len() as f64,
        ),
    ] {
        text.gauge(name, help, &[], value);
    }
    let help = "Samples committed.";
    text.counter("prometheus_tsdb_head_samples_appended_total", help, stats.appended as f64);
    let refused = stats.refused;
    let reasons = [
        ("out_of_order", refused.out_of_order),
        ("duplicate_timestamp", refused.duplicate_timestamp),
        ("too_old", refused.too_old),
    ];
    let samples = reasons.into_iter().map(|(reason, count)| (vec![("reason", reason)], count as f64));
    text.counters(
        "streamflow_tsdb_refused_samples_total",
        "Samples refused by the store, by reason.",
        samples,
    );
}

fn rules(inner: &Inner, text: &mut Writer) {
    let groups = inner.rules.groups();
    let of = |value: fn(&crate::rules::status::GroupStatus) -> u64| {
        groups.iter().map(move |group| {
            (vec![("file", group.file.as_str()), ("group", group.name.as_str())], value(group) as f64)
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
    let destinations = inner.rules.destinations();
    let of = |value: fn(&crate::rules::notify::DestinationStatus) -> u64| {
        destinations.iter().map(move |to| (vec![("receiver", to.url.as_str())], value(to) as f64))
    };
    text.counters("streamflow_alerts_sent_total", "Alerts taken by a receiver.", of(|to| to.sent));
    text.counters(
        "streamflow_alerts_dropped_total",
        "Alerts that a receiver never took.",
        of(|to| to.dropped),
    );
}

fn senders(inner: &Inner, text: &mut Writer) {
    let senders = inner.remote_write.status();
    let of = |value: fn(&crate::remote_write::SenderStatus) -> u64| {
        senders.iter().map(move |sender| (vec![("remote_name", sender.name.as_str())], value(sender) as f64))
    };
    text.counters(
        "streamflow_remote_write_sent_samples_total",
        "Samples taken by the receiver.",
        of(|s| s.samples_sent),
    );
    text.counters(
        "streamflow_remote_write_dropped_samples_total",
        "Samples the receiver never took.",
        of(|s| s.samples_failed),
    );
}

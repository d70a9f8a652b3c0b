//! What the HTTP API of Prometheus asks the rest of the process for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use streamflow_gotext::format_duration_ms;
use streamflow_tsdb::Labels;

use super::{Applied, Inner, lock, now_ms};
use crate::config::Config;
use crate::console::prometheus::status::{DroppedTarget, Health, MetricMetadata, Runtime, Sources, Target};
use crate::rules::Rules;
use crate::scrape::{self, Scraper};
use crate::terminal::one_line;

/// The sources of one server. `inner` is what a reload works on; it exists as soon as a request can come.
pub fn sources(
    inner: Weak<Inner>,
    scraper: &Scraper,
    rules: &Rules,
    applied: Arc<Mutex<Applied>>,
    config: &Config,
) -> Sources {
    let (targets, dropped, metadata) = (scraper.handle(), scraper.handle(), scraper.handle());
    let (groups, alertmanagers) = (rules.handle(), rules.handle());
    let (text, runtime, external) = (applied.clone(), applied.clone(), applied);
    let started_ms = now_ms();
    let retention = format!("{}d", config.metrics.retention_days);
    let flags = flags(config);
    Sources {
        ready: Arc::new(|| true),
        reload: Some(Arc::new(move || {
            let inner = inner.upgrade();
            Box::pin(async move {
                match inner {
                    Some(inner) => inner.reload().await.map_err(|error| one_line(&error)),
                    None => Err("the server is stopping".to_owned()),
                }
            })
        })),
        targets: Arc::new(move || targets.targets().into_iter().map(target).collect()),
        dropped_targets: Arc::new(move || {
            let dropped = dropped.dropped().into_iter();
            let dropped = dropped.map(|target| DroppedTarget {
                discovered_labels: Labels::new(&target.discovered_labels),
                scrape_pool: target.scrape_pool,
            });
            dropped.collect()
        }),
        metadata: Arc::new(move || {
            let families = metadata.metadata(None, None).into_iter();
            let told = families.flat_map(|(metric, told)| {
                told.into_iter().map(move |told| MetricMetadata {
                    target: Labels::default(),
                    metric: metric.clone(),
                    kind: told.kind.to_owned(),
                    help: told.help,
                    unit: told.unit,
                })
            });
            told.collect()
        }),
        rule_groups: Arc::new(move || groups.groups()),
        alertmanagers: Arc::new(move || {
            let known = alertmanagers.destinations().into_iter();
            known.map(|destination| destination.url).collect()
        }),
        config_yaml: Arc::new(move || lock(&text).text.clone()),
        flags: Arc::new(move || flags.clone()),
        runtime: Arc::new(move || {
            let applied = lock(&runtime);
            let directory = std::env::current_dir().unwrap_or_default();
            Runtime {
                start_ms: started_ms,
                working_directory: directory.display().to_string(),
                reload_succeeded: applied.succeeded,
                last_reload_ms: applied.at_ms,
                retention: retention.clone(),
            }
        }),
        external_labels: Arc::new(move || lock(&external).external_labels.clone()),
    }
}

fn target(status: scrape::TargetStatus) -> Target {
    Target {
        discovered_labels: Labels::new(&status.discovered_labels),
        labels: Labels::new(&status.labels),
        scrape_pool: status.scrape_pool,
        scrape_url: status.scrape_url,
        global_url: status.global_url,
        last_error: status.last_error,
        last_scrape_ms: status.last_scrape_ms,
        last_scrape_duration_s: status.last_scrape_duration_s,
        health: match status.health {
            scrape::Health::Up => Health::Up,
            scrape::Health::Down => Health::Down,
            scrape::Health::Unknown => Health::Unknown,
        },
        scrape_interval: format_duration_ms(status.interval_ms as i64),
        scrape_timeout: format_duration_ms(status.timeout_ms as i64),
    }
}

/// Our settings under the names that clients of Prometheus look for.
fn flags(config: &Config) -> BTreeMap<String, String> {
    let metrics = &config.metrics;
    [
        ("web.listen-address", config.console.listen.to_string()),
        ("web.enable-lifecycle", "true".to_owned()),
        ("web.enable-remote-write-receiver", "true".to_owned()),
        ("storage.tsdb.retention.time", format!("{}d", metrics.retention_days)),
        ("query.timeout", format!("{}s", metrics.query_timeout_seconds)),
        ("query.max-samples", metrics.query_max_samples.to_string()),
        ("query.max-concurrency", config.console.max_concurrent_queries.to_string()),
        ("query.lookback-delta", "5m".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

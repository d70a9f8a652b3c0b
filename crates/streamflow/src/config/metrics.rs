//! The `[metrics]` section of the configuration.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use anyhow::Context as _;
use reqwest::Url;
use serde::{Deserialize, Serialize};

/// `[metrics]`: what is scraped, how long samples are kept, what a query may cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// A `prometheus.yml` with what to scrape, rules, Alertmanagers and remote write; relative to the configuration
    /// file. Without one, the API and this process are scraped and the shipped rules hold.
    pub prometheus_config: Option<PathBuf>,
    /// Time between scrapes and between evaluations of rules, where no `prometheus.yml` says.
    pub scrape_interval_seconds: NonZeroU32,
    /// Age after which samples are deleted.
    pub retention_days: NonZeroU32,
    /// Size over which the oldest samples are deleted; none: no limit.
    pub retention_bytes: Option<u64>,
    /// How much older than the newest sample of its series a sample may be.
    pub out_of_order_seconds: u32,
    /// Whether Prometheus's admin API deletes samples and copies the store.
    pub admin_api: bool,
    /// Longest evaluation of a query.
    pub query_timeout_seconds: NonZeroU32,
    /// Most samples a query may hold in memory.
    pub query_max_samples: NonZeroU64,
    /// URL to which alerts are posted as JSON, beside the Alertmanagers of `prometheus.yml`.
    pub alert_webhook: Option<String>,
}

impl MetricsConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.alert_webhook().map(|_| ())
    }

    /// URL of the webhook, if there is one.
    pub fn alert_webhook(&self) -> anyhow::Result<Option<Url>> {
        let Some(text) = &self.alert_webhook else { return Ok(None) };
        let url = text.parse().ok().filter(|url: &Url| matches!(url.scheme(), "http" | "https"));
        let url = url.with_context(|| {
            format!("metrics.alert_webhook is {text:?}; expected a URL such as \"https://chat.example/hook\"")
        })?;
        Ok(Some(url))
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        let positive = |value| NonZeroU32::new(value).expect("a default is not zero");
        Self {
            prometheus_config: None,
            scrape_interval_seconds: positive(10),
            retention_days: positive(15),
            retention_bytes: None,
            out_of_order_seconds: 0,
            admin_api: false,
            query_timeout_seconds: positive(120),
            query_max_samples: NonZeroU64::new(50_000_000).expect("a default is not zero"),
            alert_webhook: None,
        }
    }
}

//! The `[metrics]` section of the configuration.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use anyhow::Context as _;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use streamflow_tsdb::{Downsampling, RetentionRule};

const DAY_MS: i64 = 86_400_000;

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
    /// Series that are kept for another time; the first that a series meets is right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retention: Vec<RetentionConfig>,
    /// Aggregates that stay of samples that are deleted for their age.
    #[serde(skip_serializing_if = "DownsamplingConfig::is_off")]
    pub downsampling: DownsamplingConfig,
    /// Size over which the oldest samples are deleted; none: no limit.
    pub retention_bytes: Option<u64>,
    /// How much older than the newest sample of its series a sample may be.
    pub out_of_order_seconds: u32,
    /// Whether Prometheus's admin API deletes samples and copies the store.
    pub admin_api: bool,
    /// Whether native histograms are scraped, by protobuf, where `prometheus.yml` does not say.
    pub native_histograms: bool,
    /// Whether start timestamps of counters are taken from whoever tells them, kept, and looked at by `rate` and its like.
    pub start_timestamps: bool,
    /// Longest evaluation of a query.
    pub query_timeout_seconds: NonZeroU32,
    /// Most samples a query may hold in memory.
    pub query_max_samples: NonZeroU64,
    /// URL to which alerts are posted as JSON, beside the Alertmanagers of `prometheus.yml`.
    pub alert_webhook: Option<String>,
}

/// `[[metrics.retention]]`: how long the samples of some series are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionConfig {
    /// A selector of PromQL.
    #[serde(rename = "match")]
    pub selector: String,
    /// Age after which their samples are deleted; more than `metrics.retention_days` as well as less.
    pub days: NonZeroU32,
}

/// `[metrics.downsampling]`: for how long aggregates are kept of samples that are deleted for their age.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DownsamplingConfig {
    /// Age after which aggregates of 5 minutes are deleted; none: none are made.
    pub five_minutes_days: Option<NonZeroU32>,
    /// Age after which aggregates of 1 hour are deleted; none: none are made.
    pub one_hour_days: Option<NonZeroU32>,
}

impl DownsamplingConfig {
    fn is_off(&self) -> bool {
        self.five_minutes_days.is_none() && self.one_hour_days.is_none()
    }
}

impl RetentionConfig {
    /// What the store makes of it; `number` is its place in the list, from 0.
    fn rule(&self, number: usize) -> anyhow::Result<RetentionRule> {
        let Self { selector, days } = self;
        let matchers = streamflow_promql::parse_selector(selector).with_context(|| {
            format!(
                "metrics.retention[{number}].match is {selector:?}; expected a selector such as \
                 '{{__name__=~\"debug_.*\"}}'"
            )
        })?;
        anyhow::ensure!(
            matchers.iter().any(|matcher| !matcher.matches("")),
            "metrics.retention[{number}].match is {selector:?}, which no label bounds; name some series, and set \
             metrics.retention_days for all others"
        );
        Ok(RetentionRule { matchers, keep_ms: i64::from(days.get()).saturating_mul(DAY_MS) })
    }
}

impl MetricsConfig {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.retention_rules()?;
        self.downsampling()?;
        self.alert_webhook().map(|_| ())
    }

    /// The series that are kept for another time than `retention_days`.
    ///
    /// # Errors
    /// A `match` that is no selector, or that selects everything.
    pub fn retention_rules(&self) -> anyhow::Result<Vec<RetentionRule>> {
        self.retention.iter().enumerate().map(|(number, one)| one.rule(number)).collect()
    }

    /// What stays of samples that are deleted for their age.
    ///
    /// # Errors
    /// Aggregates that would go before the samples that they are made of.
    pub fn downsampling(&self) -> anyhow::Result<Downsampling> {
        let keep_ms = |key: &str, days: Option<NonZeroU32>| {
            let Some(days) = days else { return Ok(None) };
            anyhow::ensure!(
                days > self.retention_days,
                "metrics.downsampling.{key} is {days}; expected more than metrics.retention_days, which is {}: aggregates \
                 are made of samples that are older than that",
                self.retention_days
            );
            Ok(Some(i64::from(days.get()).saturating_mul(DAY_MS)))
        };
        let DownsamplingConfig { five_minutes_days, one_hour_days } = self.downsampling;
        Ok(Downsampling {
            five_minutes_ms: keep_ms("five_minutes_days", five_minutes_days)?,
            one_hour_ms: keep_ms("one_hour_days", one_hour_days)?,
        })
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
            retention: Vec::new(),
            downsampling: DownsamplingConfig::default(),
            retention_bytes: None,
            out_of_order_seconds: 0,
            admin_api: false,
            native_histograms: false,
            start_timestamps: false,
            query_timeout_seconds: positive(120),
            query_max_samples: NonZeroU64::new(50_000_000).expect("a default is not zero"),
            alert_webhook: None,
        }
    }
}

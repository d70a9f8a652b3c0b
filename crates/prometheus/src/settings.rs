//! What a server is given by whoever embeds it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use streamflow_tsdb::{Downsampling, RetentionRule};

use crate::Limits;

/// How one server stores, answers and talks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of the sample store, and below it of the places up to which remote write has sent.
    pub dir: PathBuf,
    /// Where the configuration comes from.
    pub source: Source,
    /// Age after which samples are deleted.
    pub retention_days: u32,
    /// Series whose samples are kept for another time.
    pub retention_rules: Vec<RetentionRule>,
    /// For how long aggregates of deleted samples are kept.
    pub downsampling: Downsampling,
    /// Size over which the oldest samples are deleted; none: no limit.
    pub retention_bytes: Option<u64>,
    /// How much older than the newest sample of its series a sample may be.
    pub out_of_order_window: Duration,
    /// Whether the API deletes samples and copies the store.
    pub admin_api: bool,
    /// Whether jobs take native histograms that do not say.
    pub native_histograms: bool,
    /// Whether start timestamps are taken, kept and looked at by queries.
    pub start_timestamps: bool,
    /// Most samples that a query may hold in memory.
    pub query_max_samples: usize,
    /// What a request to the API may cost.
    pub limits: Limits,
    /// The address of the API, for those who ask for the flags.
    pub listen: SocketAddr,
    /// Where people reach this server; alerts link to it.
    pub external_url: Option<Url>,
    /// Where alerts are posted as JSON, beside the Alertmanagers of the configuration.
    pub alert_webhook: Option<Url>,
}

impl Settings {
    /// A server over the store in `dir`, with Prometheus's defaults.
    pub fn new(dir: PathBuf, source: Source) -> Self {
        Self {
            dir,
            source,
            retention_days: 15,
            retention_rules: Vec::new(),
            downsampling: Downsampling::default(),
            retention_bytes: None,
            out_of_order_window: Duration::ZERO,
            admin_api: false,
            native_histograms: false,
            start_timestamps: false,
            query_max_samples: 50_000_000,
            limits: Limits::default(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            external_url: None,
            alert_webhook: None,
        }
    }
}

/// Where the configuration comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A `prometheus.yml`; its rule files lie where it says.
    File(PathBuf),
    /// No file: a few jobs of one target each, and rules.
    BuiltIn {
        /// Between scrapes, and between evaluations of rules.
        interval: Duration,
        /// What is scraped.
        jobs: Vec<Job>,
        /// The text of a rule file.
        rules: String,
    },
}

/// A job of one target.
#[derive(Clone)]
pub struct Job {
    /// The label `job` of its series.
    pub name: String,
    /// Where the target shows its metrics.
    pub url: Url,
    /// The bearer token that the target asks for.
    pub token: Option<String>,
    /// The label `instance` of its series, where that is not the address in the URL.
    pub instance: Option<String>,
}

impl std::fmt::Debug for Job {
    /// Shows the job without its token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("name", &self.name)
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

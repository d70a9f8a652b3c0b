//! Who is told: Alertmanagers and remote stores.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::{duration, or_default};
use crate::discovery::Discovery;
use crate::http_settings::HttpSettings;
use crate::relabel::Relabel;

/// `alerting`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Alerting {
    /// Applied to every alert before it is sent.
    #[serde(deserialize_with = "or_default")]
    pub alert_relabel_configs: Vec<Relabel>,
    /// Who is told.
    #[serde(deserialize_with = "or_default")]
    pub alertmanagers: Vec<Alertmanager>,
}

/// Alertmanagers that are all told the same.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Alertmanager {
    pub scheme: String,
    pub path_prefix: String,
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    pub api_version: String,
    #[serde(skip)]
    pub http: HttpSettings,
    #[serde(skip)]
    pub discovery: Discovery,
    #[serde(deserialize_with = "or_default")]
    pub relabel_configs: Vec<Relabel>,
    /// Applied to every alert before it is sent here.
    #[serde(deserialize_with = "or_default")]
    pub alert_relabel_configs: Vec<Relabel>,
}

impl Default for Alertmanager {
    fn default() -> Self {
        Alertmanager {
            scheme: "http".to_owned(),
            path_prefix: String::new(),
            timeout: Duration::from_secs(10),
            api_version: "v2".to_owned(),
            http: HttpSettings::default(),
            discovery: Discovery::default(),
            relabel_configs: Vec::new(),
            alert_relabel_configs: Vec::new(),
        }
    }
}

/// Who is sent every sample.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct RemoteWrite {
    pub url: String,
    pub name: String,
    pub protobuf_message: WriteMessage,
    #[serde(deserialize_with = "duration")]
    pub remote_timeout: Duration,
    #[serde(deserialize_with = "or_default")]
    pub headers: BTreeMap<String, String>,
    #[serde(skip)]
    pub http: HttpSettings,
    #[serde(deserialize_with = "or_default")]
    pub write_relabel_configs: Vec<Relabel>,
    /// Whether native histograms are sent.
    pub send_native_histograms: bool,
    /// Whether exemplars are sent.
    pub send_exemplars: bool,
    #[serde(deserialize_with = "or_default")]
    pub queue_config: QueueConfig,
    #[serde(deserialize_with = "or_default")]
    pub metadata_config: MetadataConfig,
}

impl Default for RemoteWrite {
    fn default() -> Self {
        RemoteWrite {
            url: String::new(),
            name: String::new(),
            protobuf_message: WriteMessage::default(),
            remote_timeout: Duration::from_secs(30),
            headers: BTreeMap::new(),
            http: HttpSettings::default(),
            write_relabel_configs: Vec::new(),
            send_native_histograms: false,
            send_exemplars: false,
            queue_config: QueueConfig::default(),
            metadata_config: MetadataConfig::default(),
        }
    }
}

/// The message that samples are sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum WriteMessage {
    /// `prometheus.WriteRequest`, remote write 1.0.
    #[default]
    V1,
    /// `io.prometheus.write.v2.Request`, remote write 2.0.
    V2,
}

impl TryFrom<String> for WriteMessage {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "prometheus.WriteRequest" => Ok(Self::V1),
            "io.prometheus.write.v2.Request" => Ok(Self::V2),
            _ => {
                let expected = "prometheus.WriteRequest or io.prometheus.write.v2.Request";
                Err(format!("{name:?} is no message of remote write, expected {expected}"))
            }
        }
    }
}

/// How a receiver is told what families mean.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MetadataConfig {
    /// Whether it is told.
    pub send: bool,
    /// How often, in version 1.
    #[serde(deserialize_with = "duration")]
    pub send_interval: Duration,
    /// Families in one request of version 1.
    pub max_samples_per_send: usize,
}

impl Default for MetadataConfig {
    /// Prometheus's.
    fn default() -> Self {
        MetadataConfig { send: true, send_interval: Duration::from_secs(60), max_samples_per_send: 500 }
    }
}

/// How samples wait for their sending.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct QueueConfig {
    pub capacity: usize,
    pub max_shards: usize,
    pub min_shards: usize,
    pub max_samples_per_send: usize,
    #[serde(deserialize_with = "duration")]
    pub batch_send_deadline: Duration,
    #[serde(deserialize_with = "duration")]
    pub min_backoff: Duration,
    #[serde(deserialize_with = "duration")]
    pub max_backoff: Duration,
    pub retry_on_http_429: bool,
    #[serde(deserialize_with = "duration")]
    pub sample_age_limit: Duration,
}

impl Default for QueueConfig {
    /// Prometheus's.
    fn default() -> Self {
        QueueConfig {
            capacity: 10_000,
            max_shards: 50,
            min_shards: 1,
            max_samples_per_send: 2000,
            batch_send_deadline: Duration::from_secs(5),
            min_backoff: Duration::from_millis(30),
            max_backoff: Duration::from_secs(5),
            retry_on_http_429: false,
            sample_age_limit: Duration::ZERO,
        }
    }
}

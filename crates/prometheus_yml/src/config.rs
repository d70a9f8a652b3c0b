//! `prometheus.yml` as it is.
//!
//! Accepted and refused as Prometheus does (`config/tests.rs` holds the verdicts of promtool); what Prometheus knows
//! and we do not read is told in a warning. Paths are relative to the file's directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use streamflow_gotext::{Escaping, parse_duration_ms, parse_size};

use crate::discovery::{Discovery, DiscoveryClients};
use crate::http_settings::HttpSettings;
use crate::keys::Place;
use crate::native::NativeHistograms;
use crate::nulls;
use crate::protocol::ScrapeProtocol;
use crate::relabel::Relabel;
use crate::shown::without_secrets;
use crate::yaml::{self, Tree, first_document};
pub(crate) use complete::{Fault, fault, under};
pub use otlp::{Otlp, OtlpTranslation};
pub use receivers::{Alerting, Alertmanager, MetadataConfig, QueueConfig, RemoteWrite, WriteMessage};

/// Why a file is refused: where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: line {line}: {message}", path.display())]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// Counted from 1; 0 where the whole file is meant.
    pub line: u64,
    /// What was found, and what was expected.
    pub message: String,
}

/// The file, defaults filled in.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct PrometheusConfig {
    /// What holds unless a section says otherwise.
    #[serde(deserialize_with = "or_default")]
    pub global: Global,
    /// What is scraped.
    #[serde(deserialize_with = "or_default")]
    pub scrape_configs: Vec<ScrapeConfig>,
    /// Paths of rule files, the last part may be a pattern.
    #[serde(deserialize_with = "or_default")]
    pub rule_files: Vec<String>,
    /// Paths of files with more `scrape_configs`, the last part may be a pattern.
    #[serde(deserialize_with = "or_default")]
    pub scrape_config_files: Vec<String>,
    /// Who is told of alerts.
    #[serde(deserialize_with = "or_default")]
    pub alerting: Alerting,
    /// Who is sent every sample.
    #[serde(deserialize_with = "or_default")]
    pub remote_write: Vec<RemoteWrite>,
    /// How what OpenTelemetry sends becomes series.
    #[serde(deserialize_with = "or_default")]
    pub otlp: Otlp,
}

/// `global`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Global {
    #[serde(deserialize_with = "duration")]
    pub scrape_interval: Duration,
    /// Ten seconds, or the interval if that is shorter.
    #[serde(deserialize_with = "some_duration")]
    pub scrape_timeout: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub evaluation_interval: Duration,
    /// How far in the past rules are evaluated whose group does not say.
    #[serde(deserialize_with = "duration")]
    pub rule_query_offset: Duration,
    /// What targets are asked for, the most wanted first.
    pub scrape_protocols: Option<Vec<ScrapeProtocol>>,
    /// `utf8` or `legacy`; empty is `utf8`.
    pub metric_name_validation_scheme: String,
    /// `allow-utf-8`, `underscores`, `dots` or `values`; empty follows the names that are taken.
    pub metric_name_escaping_scheme: String,
    /// Told to whoever gets alerts or samples of us.
    #[serde(deserialize_with = "or_default")]
    pub external_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "size")]
    pub body_size_limit: u64,
    pub sample_limit: u64,
    pub target_limit: u64,
    pub label_limit: u64,
    pub label_name_length_limit: u64,
    pub label_value_length_limit: u64,
    pub keep_dropped_targets: u64,
    pub scrape_native_histograms: Option<bool>,
    pub always_scrape_classic_histograms: Option<bool>,
    pub convert_classic_histograms_to_nhcb: Option<bool>,
    pub native_histogram_bucket_limit: u64,
    pub native_histogram_min_bucket_factor: f64,
}

impl Default for Global {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Global {
            scrape_interval: minute,
            scrape_timeout: None,
            evaluation_interval: minute,
            rule_query_offset: Duration::ZERO,
            scrape_protocols: None,
            metric_name_validation_scheme: String::new(),
            metric_name_escaping_scheme: String::new(),
            external_labels: BTreeMap::new(),
            body_size_limit: 0,
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            keep_dropped_targets: 0,
            scrape_native_histograms: None,
            always_scrape_classic_histograms: None,
            convert_classic_histograms_to_nhcb: None,
            native_histogram_bucket_limit: 0,
            native_histogram_min_bucket_factor: 0.0,
        }
    }
}

/// A job: targets that are scraped alike. Limits are those of `global` where they are 0; 0 is no limit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ScrapeConfig {
    pub job_name: String,
    #[serde(rename = "scrape_interval", deserialize_with = "some_duration")]
    written_interval: Option<Duration>,
    #[serde(rename = "scrape_timeout", deserialize_with = "some_duration")]
    written_timeout: Option<Duration>,
    #[serde(skip)]
    pub scrape_interval: Duration,
    #[serde(skip)]
    pub scrape_timeout: Duration,
    /// What targets are asked for, the most wanted first.
    pub scrape_protocols: Vec<ScrapeProtocol>,
    /// What an answer is read as whose `Content-Type` names no format.
    #[serde(deserialize_with = "named")]
    pub fallback_scrape_protocol: Option<ScrapeProtocol>,
    metric_name_validation_scheme: String,
    metric_name_escaping_scheme: String,
    /// Whether names of metrics and labels are letters, digits and `_` alone.
    #[serde(skip)]
    pub legacy_names: bool,
    #[serde(skip)]
    pub escaping: Escaping,
    pub metrics_path: String,
    pub scheme: String,
    #[serde(deserialize_with = "or_default")]
    pub params: BTreeMap<String, Vec<String>>,
    /// Whether labels of the target's answer win over ours.
    pub honor_labels: bool,
    /// Whether timestamps of the target's answer are kept.
    pub honor_timestamps: bool,
    /// Whether series with timestamps of their own are marked stale when they vanish.
    pub track_timestamps_staleness: bool,
    /// Adds `scrape_timeout_seconds`, `scrape_sample_limit` and `scrape_body_size_bytes`.
    pub extra_scrape_metrics: bool,
    pub enable_compression: bool,
    #[serde(skip)]
    pub http: HttpSettings,
    #[serde(skip)]
    pub discovery: Discovery,
    #[serde(deserialize_with = "or_default")]
    pub relabel_configs: Vec<Relabel>,
    #[serde(deserialize_with = "or_default")]
    pub metric_relabel_configs: Vec<Relabel>,
    #[serde(deserialize_with = "size")]
    pub body_size_limit: u64,
    /// After metric relabeling.
    pub sample_limit: u64,
    pub target_limit: u64,
    pub label_limit: u64,
    pub label_name_length_limit: u64,
    pub label_value_length_limit: u64,
    /// How many dropped targets are shown.
    pub keep_dropped_targets: u64,
    scrape_native_histograms: Option<bool>,
    always_scrape_classic_histograms: Option<bool>,
    convert_classic_histograms_to_nhcb: Option<bool>,
    native_histogram_bucket_limit: u64,
    native_histogram_min_bucket_factor: f64,
    /// Whether native histograms are taken, and which.
    #[serde(skip)]
    pub native: NativeHistograms,
    /// Whether no file says what targets are asked for.
    #[serde(skip)]
    pub usual_protocols: bool,
    /// Whether start timestamps are taken.
    #[serde(skip)]
    pub start_timestamps: bool,
}

impl Default for ScrapeConfig {
    fn default() -> Self {
        ScrapeConfig {
            job_name: String::new(),
            written_interval: None,
            written_timeout: None,
            scrape_interval: Duration::ZERO,
            scrape_timeout: Duration::ZERO,
            scrape_protocols: Vec::new(),
            fallback_scrape_protocol: None,
            metric_name_validation_scheme: String::new(),
            metric_name_escaping_scheme: String::new(),
            legacy_names: false,
            escaping: Escaping::default(),
            metrics_path: "/metrics".to_owned(),
            scheme: "http".to_owned(),
            params: BTreeMap::new(),
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            extra_scrape_metrics: false,
            enable_compression: true,
            http: HttpSettings::default(),
            discovery: Discovery::default(),
            relabel_configs: Vec::new(),
            metric_relabel_configs: Vec::new(),
            body_size_limit: 0,
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            keep_dropped_targets: 0,
            scrape_native_histograms: None,
            always_scrape_classic_histograms: None,
            convert_classic_histograms_to_nhcb: None,
            native_histogram_bucket_limit: 0,
            native_histogram_min_bucket_factor: 0.0,
            native: NativeHistograms::default(),
            usual_protocols: false,
            start_timestamps: false,
        }
    }
}

impl ScrapeConfig {
    /// Takes native histograms where neither the job nor `global` says otherwise, as Prometheus 3.5 with the feature
    /// `native-histograms`.
    pub fn take_native_histograms(&mut self) {
        self.native.enabled = self.scrape_native_histograms.unwrap_or(true);
        self.ask_for_protobuf();
    }

    /// Takes start timestamps, and asks for the format that has them for every type, as Prometheus 3.5 with the feature
    /// `created-timestamp-zero-ingestion`.
    pub fn take_start_timestamps(&mut self) {
        self.start_timestamps = true;
        self.ask_for_protobuf();
    }

    /// No format but protobuf has native histograms, and none has as many start timestamps: it is asked for first.
    fn ask_for_protobuf(&mut self) {
        let proto = ScrapeProtocol::PrometheusProto;
        let wanted = self.native.enabled || self.start_timestamps;
        if wanted && self.usual_protocols && !self.scrape_protocols.contains(&proto) {
            self.scrape_protocols.insert(0, proto);
        }
    }

    /// Whether a target is scraped the same, wherever it comes from.
    pub fn scrapes_as(&self, other: &Self) -> bool {
        let origin_aside = |config: &Self| ScrapeConfig {
            discovery: Discovery::default(),
            relabel_configs: Vec::new(),
            ..config.clone()
        };
        origin_aside(self) == origin_aside(other)
    }
}

/// The same file once more: what stands beside the keys of several sections.
#[derive(Deserialize)]
#[serde(default, bound = "T: Deserialize<'de>")]
struct Beside<T> {
    #[serde(deserialize_with = "or_default")]
    scrape_configs: Vec<T>,
    #[serde(deserialize_with = "or_default")]
    remote_write: Vec<T>,
    #[serde(deserialize_with = "or_default")]
    alerting: BesideAlerting<T>,
}

#[derive(Deserialize)]
#[serde(default, bound = "T: Deserialize<'de>")]
struct BesideAlerting<T> {
    #[serde(deserialize_with = "or_default")]
    alertmanagers: Vec<T>,
}

impl<T> Default for Beside<T> {
    fn default() -> Self {
        Self { scrape_configs: Vec::new(), remote_write: Vec::new(), alerting: BesideAlerting::default() }
    }
}

impl<T> Default for BesideAlerting<T> {
    fn default() -> Self {
        Self { alertmanagers: Vec::new() }
    }
}

/// A file that was read.
#[derive(Debug)]
pub struct Document {
    /// What it says.
    pub config: PrometheusConfig,
    /// What of it is not supported.
    pub warnings: Vec<String>,
    /// None in an empty file.
    tree: Option<Tree>,
}

impl Document {
    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// The line, the value and what was expected.
    pub fn read(text: &str, path: &Path) -> Result<Self, ConfigError> {
        read(text, path)
    }

    /// The document printed anew without its secrets; `address` gives an address as it may be shown, and none for a text
    /// that is no address.
    pub fn without_secrets(&self, address: impl Fn(&str) -> Option<String>) -> String {
        self.tree.as_ref().map_or_else(String::new, |tree| without_secrets(tree, &address))
    }
}

/// Reads the text of the file at `path`; the warnings name what is not supported.
///
/// # Errors
/// The line, the value and what was expected.
pub fn parse(text: &str, path: &Path) -> Result<(PrometheusConfig, Vec<String>), ConfigError> {
    Document::read(text, path).map(|document| (document.config, document.warnings))
}

fn read(text: &str, path: &Path) -> Result<Document, ConfigError> {
    let text = first_document(text);
    let fault = |line, message| ConfigError { path: path.to_owned(), line, message };
    let tree: Option<Tree> = yaml::tree(text).map_err(|error| unreadable(path, &error))?;
    let Some(tree @ Tree::Map(_)) = tree else {
        let empty = tree.as_ref().is_none_or(Tree::is_null);
        let expected = || fault(1, "expected a mapping with sections such as scrape_configs".to_owned());
        let (config, warnings) = (PrometheusConfig::default(), Vec::new());
        return if empty { Ok(Document { config, warnings, tree: None }) } else { Err(expected()) };
    };
    let mut warnings = Vec::new();
    tree.check(Place::File, &mut warnings).map_err(|unknown| fault(unknown.line, unknown.message))?;
    let mut config = PrometheusConfig::of(text, &tree).map_err(|error| unreadable(path, &error))?;
    config.complete().map_err(|(steps, message)| {
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        fault(tree.line(&steps), message)
    })?;
    config.resolve(path.parent().unwrap_or(Path::new("")));
    Ok(Document { config, warnings, tree: Some(tree) })
}

fn unreadable(path: &Path, error: &serde_saphyr::Error) -> ConfigError {
    let text = error.without_snippet().to_string();
    ConfigError {
        path: path.to_owned(),
        line: error.location().map_or(0, |location| location.line()),
        message: text.lines().next().unwrap_or_default().to_owned(),
    }
}

impl PrometheusConfig {
    /// The values of a text as they are written.
    fn of(text: &str, tree: &Tree) -> Result<Self, serde_saphyr::Error> {
        let mut config: Self = nulls::read(text, tree)?;
        let clients: Beside<HttpSettings> = nulls::read(text, tree)?;
        let discoveries: Beside<Discovery> = nulls::read(text, tree)?;
        let discovering: Beside<DiscoveryClients> = nulls::read(text, tree)?;
        let found = discoveries.scrape_configs.into_iter().zip(discovering.scrape_configs);
        for ((scrape, http), found) in config.scrape_configs.iter_mut().zip(clients.scrape_configs).zip(found)
        {
            (scrape.http, scrape.discovery) = (http, with_clients(found));
        }
        for (remote, http) in config.remote_write.iter_mut().zip(clients.remote_write) {
            remote.http = http;
        }
        let managers = config.alerting.alertmanagers.iter_mut().zip(clients.alerting.alertmanagers);
        let found = discoveries.alerting.alertmanagers.into_iter().zip(discovering.alerting.alertmanagers);
        for ((manager, http), found) in managers.zip(found) {
            (manager.http, manager.discovery) = (http, with_clients(found));
        }
        Ok(config)
    }
}

fn with_clients((mut discovery, clients): (Discovery, DiscoveryClients)) -> Discovery {
    for (http, client) in discovery.http_sd_configs.iter_mut().zip(clients.http_sd_configs) {
        http.http = client;
    }
    discovery
}

/// A missing value is the default, as everywhere in Prometheus's files.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let fault =
        |_| serde::de::Error::custom(format!("not a duration: {text:?}, expected one like 30s, 1m30s or 2h"));
    parse_duration_ms(&text).map(|ms| Duration::from_millis(ms.unsigned_abs())).map_err(fault)
}

/// Zero is not set.
fn some_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(|duration| Some(duration).filter(|duration| !duration.is_zero()))
}

/// An empty name is none.
fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ScrapeProtocol>, D::Error> {
    let name = String::deserialize(deserializer)?;
    let named = Some(name).filter(|name| !name.is_empty()).map(ScrapeProtocol::try_from);
    named.transpose().map_err(serde::de::Error::custom)
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    parse_size(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

mod complete;
mod more_files;
mod otlp;
mod receivers;
#[cfg(test)]
mod tests;

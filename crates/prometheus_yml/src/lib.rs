//! Prometheus's configuration: `prometheus.yml`, relabeling, files of targets and rule files.
//!
//! What it is: parsers that accept and refuse what `promtool` accepts and refuses, and the relabeling that the files
//! describe. What it is not: it opens no file and no connection, and knows no clock; who scrapes, evaluates and sends
//! by these settings is its caller's affair.
//!
//! Vocabulary: a *job* is an entry of `scrape_configs`; a *target group* is a list of addresses with labels that they
//! share; *relabeling* rewrites, keeps or drops labels by rules; a *rule file* holds groups of recording and alerting
//! rules.
//!
//! ```
//! use std::path::Path;
//! use streamflow_prometheus_yml::parse;
//!
//! let text = "scrape_configs: [{job_name: api, static_configs: [{targets: ['localhost:8000']}]}]";
//! let (config, warnings) = parse(text, Path::new("prometheus.yml"))?;
//! assert_eq!(config.scrape_configs[0].discovery.static_configs[0].targets, ["localhost:8000"]);
//! assert!(warnings.is_empty());
//! # Ok::<(), streamflow_prometheus_yml::ConfigError>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod config;
mod discovery;
mod http_settings;
mod keys;
mod md5;
mod native;
mod nulls;
mod protocol;
mod relabel;
mod rule_file;
mod scalar;
mod shown;
mod target_file;
mod yaml;

pub use config::{
    Alerting, Alertmanager, ConfigError, Document, Global, MetadataConfig, Otlp, OtlpTranslation,
    PrometheusConfig, QueueConfig, RemoteWrite, ScrapeConfig, WriteMessage, parse,
};
pub use discovery::{Discovery, DnsDiscovery, FileDiscovery, HttpDiscovery, TargetGroup};
pub use http_settings::{Authorization, BasicAuth, Header, HttpSettings, Secret, TlsConfig, TlsVersion};
pub use native::NativeHistograms;
pub use protocol::ScrapeProtocol;
pub use relabel::{LabelMap, Relabel, relabel};
pub use rule_file::{AlertRule, Rule, RuleError, RuleFile, RuleGroup, RuleProblem, parse_rules};
pub use target_file::parse_targets;

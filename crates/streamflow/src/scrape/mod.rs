//! Asks targets for their metrics, as `prometheus.yml` says, and stores the answers.
//!
//! [`parse`] reads the file, a [`Scraper`] runs with it, its [`Handle`] answers questions and takes reloads. Nothing here
//! knows the rest of the binary: the store and the clock are arguments.

mod cache;
mod config;
mod config_keys;
mod counters;
mod discovery;
mod fetch;
mod http_settings;
mod ingest;
mod md5;
mod metadata;
mod relabel;
mod scrape_loop;
mod scraper;
mod status;
mod target;
mod yaml;

pub use config::{
    Alerting, Alertmanager, ConfigError, FileDiscovery, Global, PrometheusConfig, QueueConfig, RemoteWrite,
    ScrapeConfig, TargetGroup, parse,
};
pub use http_settings::{Authorization, BasicAuth, HttpSettings, Secret, TlsConfig};
pub use metadata::Metadata;
pub use relabel::{LabelMap, Relabel, relabel};
pub use scrape_loop::Clock;
pub use scraper::{Handle, Scraper};
pub use status::{DroppedTarget, Health, TargetStatus};

#[cfg(test)]
mod tests;

//! What a server does from now on: `prometheus.yml` with its rule files, or the built-in jobs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use streamflow_outbound::{Receiver, shown_address};
use streamflow_prometheus_yml::{Document, HttpSettings, PrometheusConfig, ScrapeConfig, parse_rules};
use streamflow_tsdb::Labels;

use crate::clients::{client, credentials};
use crate::expansion::expand;
use crate::matching::matching;
use crate::remote_write::Endpoint;
use crate::rules::notify::{self, Kind};
use crate::settings::{Settings, Source};
use crate::{Error, own_targets, rules};

/// How long the webhook may take.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything that changes with a reload.
pub struct Configuration {
    pub prometheus: PrometheusConfig,
    pub rules: rules::Settings,
    pub remote_write: Vec<Endpoint>,
    /// The configuration's text, without secrets.
    pub text: String,
    pub warnings: Vec<String>,
}

impl Configuration {
    /// Reads files, so it blocks.
    ///
    /// # Errors
    /// A file that cannot be read or is not valid, with its line and the remedy.
    pub fn read(settings: &Settings) -> Result<Self, Error> {
        let (mut prometheus, mut warnings, text, files) = match &settings.source {
            Source::File(path) => {
                let read = std::fs::read_to_string(path);
                let text = read.map_err(|source| Error::Read { path: path.clone(), source })?;
                let mut document = Document::read(&text, path)?;
                for pattern in document.config.scrape_config_files.clone() {
                    add_scrape_configs(&mut document, &pattern)?;
                }
                let shown = document.without_secrets(shown_address);
                let Document { mut config, mut warnings, .. } = document;
                expand_external_labels(&mut config.global.external_labels, &mut warnings);
                // The paths are relative to the file already.
                let files = rules::load(&config.rule_files, Path::new(""))?;
                (config, warnings, shown, files)
            }
            Source::BuiltIn { interval, jobs, rules } => {
                let files = vec![parse_rules(rules, Path::new("rules.yml"))?];
                (own_targets::config(*interval, jobs), Vec::new(), own_targets::shown(*interval, jobs), files)
            }
        };
        if settings.native_histograms {
            prometheus.scrape_configs.iter_mut().for_each(ScrapeConfig::take_native_histograms);
        }
        if settings.start_timestamps {
            prometheus.scrape_configs.iter_mut().for_each(ScrapeConfig::take_start_timestamps);
        }
        warnings.extend(files.iter().flat_map(|file| file.warnings.iter().cloned()));
        let global = &prometheus.global;
        let external_url = settings.external_url.as_ref().map_or("", Url::as_str);
        let rules = rules::Settings {
            files,
            interval_ms: i64::try_from(global.evaluation_interval.as_millis()).unwrap_or(i64::MAX),
            query_offset_ms: i64::try_from(global.rule_query_offset.as_millis()).unwrap_or(i64::MAX),
            external_labels: global.external_labels.clone(),
            external_url: external_url.trim_end_matches('/').to_owned(),
            notify: receivers(&prometheus, settings.alert_webhook.as_ref())?,
        };
        let remote_write = senders(&prometheus)?;
        Ok(Self { prometheus, rules, remote_write, text, warnings })
    }
}

/// Takes the jobs of the files that an entry of `scrape_config_files` names.
pub(crate) fn add_scrape_configs(document: &mut Document, pattern: &str) -> Result<(), Error> {
    let paths = matching(Path::new(pattern));
    let paths = paths.map_err(|message| Error::Receiver { section: "scrape_config_files", message })?;
    for path in paths {
        let read = std::fs::read_to_string(&path);
        let text = read.map_err(|source| Error::ReadPart { path: path.clone(), source })?;
        document.add_scrape_configs(&text, &path)?;
    }
    Ok(())
}

/// Puts the variables of the process into the external labels.
fn expand_external_labels(labels: &mut BTreeMap<String, String>, warnings: &mut Vec<String>) {
    for (name, text) in labels {
        let expanded = expand(text, |variable| {
            let value = std::env::var(variable).unwrap_or_default();
            if value.is_empty() {
                warnings.push(format!("external_labels: {name}: the environment has no {variable}"));
            }
            value
        });
        *text = expanded;
    }
}

/// Whom alerts are told: every Alertmanager that is found, and the webhook.
fn receivers(config: &PrometheusConfig, webhook: Option<&Url>) -> Result<notify::Settings, Error> {
    const SECTION: &str = "alerting.alertmanagers";
    let mut managers = Vec::new();
    for config in &config.alerting.alertmanagers {
        let client = client(&config.http)
            .map_err(|error| Error::Receiver { section: SECTION, message: error.to_string() })?;
        managers.push(notify::ManagerSet { config: config.clone(), client });
    }
    let mut endpoints = Vec::new();
    if let Some(url) = webhook {
        let http = HttpSettings::default();
        endpoints.push(notify::Endpoint {
            kind: Kind::Webhook,
            receiver: receiver(url.clone(), &http, WEBHOOK_TIMEOUT, "the webhook of alerts")?,
            retry_delay: notify::RETRY_DELAY,
            relabel: Vec::new(),
        });
    }
    let relabel = config.alerting.alert_relabel_configs.clone();
    Ok(notify::Settings { endpoints, managers, relabel, ..notify::Settings::default() })
}

/// Who is sent every sample.
fn senders(config: &PrometheusConfig) -> Result<Vec<Endpoint>, Error> {
    let fault = |message| Error::Receiver { section: "remote_write", message };
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for (place, written) in config.remote_write.iter().enumerate() {
        let url: Url = written.url.parse().map_err(|error| {
            let expected = "expected a URL such as http://mimir:8080/api/v1/push";
            fault(format!("the url is {:?}: {error}; {expected}", written.url))
        })?;
        let name =
            if written.name.is_empty() { format!("remote_write-{place}") } else { written.name.clone() };
        if endpoints.iter().any(|endpoint| endpoint.name == name) {
            return Err(fault(format!("the name {name:?} is used twice; give each its own name")));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &written.headers {
            let header = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
            let (name, mut value) = header.ok_or_else(|| fault(format!("headers: {name:?} is no header")))?;
            // It may be a tenant's password.
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let queue = &written.queue_config;
        let receiver = receiver(url, &written.http, written.remote_timeout, "remote_write")?;
        endpoints.push(Endpoint {
            headers,
            message: written.protobuf_message,
            send_native_histograms: written.send_native_histograms,
            send_exemplars: written.send_exemplars,
            metadata_every: Some(written.metadata_config.send_interval)
                .filter(|_| written.metadata_config.send),
            max_metadata_per_send: written.metadata_config.max_samples_per_send.max(1),
            external_labels: Labels::new(&config.global.external_labels),
            relabel: written.write_relabel_configs.clone(),
            min_shards: queue.min_shards.max(1),
            max_shards: queue.max_shards.max(1),
            capacity: queue.capacity.max(1),
            max_samples_per_send: queue.max_samples_per_send.max(1),
            batch_send_deadline: queue.batch_send_deadline,
            min_backoff: queue.min_backoff,
            max_backoff: queue.max_backoff,
            retry_on_http_429: queue.retry_on_http_429,
            sample_age_limit: Some(queue.sample_age_limit).filter(|limit| !limit.is_zero()),
            ..Endpoint::new(name, receiver)
        });
    }
    Ok(endpoints)
}

fn receiver(
    url: Url,
    http: &HttpSettings,
    timeout: Duration,
    section: &'static str,
) -> Result<Receiver, Error> {
    let client = client(http).map_err(|error| Error::Receiver { section, message: error.to_string() })?;
    Ok(Receiver { url, client, credentials: credentials(http), timeout })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("prometheus.yml");
        std::fs::write(dir.path().join("rules.yml"), "groups: [{name: g, rules: [{record: x}]}]").unwrap();
        for (text, expected) in [
            ("scrape_configs: 5", "prometheus.yml"),
            ("remote_write: [{url: nowhere}]", "nowhere"),
            ("rule_files: [rules.yml]", "rules.yml"),
        ] {
            std::fs::write(&file, text).unwrap();
            let settings = Settings::new(dir.path().to_owned(), Source::File(file.clone()));
            let error = Configuration::read(&settings).err();
            let error = error.unwrap_or_else(|| panic!("{text} is taken")).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_shown_has_no_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("prometheus.yml");
        let yaml = "remote_write: [{url: 'http://bob:SECRET@h/push?key=SECRET', basic_auth: {username: a, password: SECRET}}]";
        std::fs::write(&file, yaml).unwrap();
        let settings = Settings::new(dir.path().to_owned(), Source::File(file));
        let text = Configuration::read(&settings).unwrap().text;
        assert!(
            text.contains("url: http://bob:xxxxx@h/push?key=xxxxx") && !text.contains("SECRET"),
            "{text}"
        );
    }
}

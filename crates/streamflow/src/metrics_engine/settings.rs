//! What the metrics engine is told to do: `prometheus.yml` with its rule files, or this process alone.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use streamflow_outbound::Receiver;
use streamflow_prometheus_yml::{HttpSettings, PrometheusConfig, parse};
use streamflow_tsdb::Labels;

use crate::clients::{client, credentials};
use crate::remote_write::Endpoint;
use crate::rules;
use crate::rules::notify::{self, Kind, alertmanager_url};
use crate::scrape::format_duration;
use crate::templates;

/// How long an alert's receiver may take, and waits before it is asked again, where nothing says.
const WEBHOOK_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
const WEBHOOK_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// Where the settings come from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// A `prometheus.yml`; without one, this process is scraped.
    pub file: Option<PathBuf>,
    /// Between scrapes of this process.
    pub scrape_interval: std::time::Duration,
    /// Where the prediction API of this process answers.
    pub api: Url,
    /// Where the console of this process answers.
    pub console: Url,
    /// What the console wants to be shown, where it wants anything.
    pub token: Option<String>,
    /// Where alerts are posted as JSON, beside Alertmanagers.
    pub alert_webhook: Option<Url>,
}

/// What is done from now on.
pub struct Settings {
    pub prometheus: PrometheusConfig,
    pub rules: rules::Settings,
    pub remote_write: Vec<Endpoint>,
    /// The configuration's text, without secrets.
    pub text: String,
    pub warnings: Vec<String>,
}

impl Settings {
    /// # Errors
    /// A file that cannot be read or is not valid, with its line and the remedy.
    pub async fn read(origin: &Origin) -> anyhow::Result<Self> {
        let (text, path) = match &origin.file {
            Some(file) => {
                let text = tokio::fs::read_to_string(file).await.with_context(|| {
                    format!("cannot read {}; metrics.prometheus_config names it", file.display())
                })?;
                (text, file.clone())
            }
            None => (own_targets(origin), PathBuf::from("prometheus.yml")),
        };
        let (prometheus, mut warnings) =
            parse(&text, &path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
        let files = match &origin.file {
            // The paths are relative to the file already.
            Some(_) => rules::load(&prometheus.rule_files, Path::new(""))?,
            None => vec![rules::file::parse(templates::RULES_YML, Path::new("rules.yml"))?],
        };
        warnings.extend(files.iter().flat_map(|file| file.warnings.iter().map(ToString::to_string)));
        let global = &prometheus.global;
        let rules = rules::Settings {
            files,
            interval_ms: i64::try_from(global.evaluation_interval.as_millis()).unwrap_or(i64::MAX),
            external_labels: global.external_labels.clone(),
            external_url: origin.console.as_str().trim_end_matches('/').to_owned(),
            notify: receivers(&prometheus, origin)?,
            ..rules::Settings::default()
        };
        let remote_write = senders(&prometheus)?;
        Ok(Self { text: without_secrets(&text), prometheus, rules, remote_write, warnings })
    }
}

/// The `prometheus.yml` of a server that was given none.
fn own_targets(origin: &Origin) -> String {
    let host = |url: &Url| {
        format!("{}:{}", url.host_str().unwrap_or("localhost"), url.port_or_known_default().unwrap_or(80))
    };
    let interval = format_duration(origin.scrape_interval);
    let credentials = match &origin.token {
        Some(token) => format!("    authorization:\n      credentials: {token}\n"),
        None => String::new(),
    };
    format!(
        "global:\n  scrape_interval: {interval}\n  evaluation_interval: {interval}\n\nscrape_configs:\n  \
         - job_name: api\n    static_configs:\n      - targets: [\"{}\"]\n  \
         - job_name: streamflow\n    metrics_path: {}metrics\n{credentials}    static_configs:\n      - targets: [\"{}\"]\n",
        host(&origin.api),
        origin.console.path(),
        host(&origin.console),
    )
}

/// Whom alerts are told: every target of every Alertmanager, and the webhook.
fn receivers(config: &PrometheusConfig, origin: &Origin) -> anyhow::Result<notify::Settings> {
    let mut endpoints = Vec::new();
    for manager in &config.alerting.alertmanagers {
        for target in manager.static_configs.iter().flat_map(|group| &group.targets) {
            let base = format!("{}://{target}{}", manager.scheme, manager.path_prefix);
            let url = alertmanager_url(&base).map_err(anyhow::Error::msg)?;
            endpoints.push(notify::Endpoint {
                kind: Kind::Alertmanager,
                receiver: receiver(url, &manager.http, manager.timeout).context("alerting.alertmanagers")?,
                retry_delay: WEBHOOK_RETRY,
            });
        }
    }
    if let Some(url) = &origin.alert_webhook {
        let receiver = receiver(url.clone(), &HttpSettings::default(), WEBHOOK_TIMEOUT);
        endpoints.push(notify::Endpoint {
            kind: Kind::Webhook,
            receiver: receiver.context("metrics.alert_webhook")?,
            retry_delay: WEBHOOK_RETRY,
        });
    }
    let relabel = config.alerting.alert_relabel_configs.clone();
    Ok(notify::Settings { endpoints, relabel, ..notify::Settings::default() })
}

/// Who is sent every sample.
fn senders(config: &PrometheusConfig) -> anyhow::Result<Vec<Endpoint>> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for (place, written) in config.remote_write.iter().enumerate() {
        let url: Url = written.url.parse().with_context(|| {
            format!(
                "remote_write.url is {:?}; expected a URL such as http://mimir:8080/api/v1/push",
                written.url
            )
        })?;
        let name =
            if written.name.is_empty() { format!("remote_write-{place}") } else { written.name.clone() };
        if endpoints.iter().any(|endpoint| endpoint.name == name) {
            bail!("remote_write.name {name:?} is used twice; give each its own name");
        }
        let receiver = receiver(url, &written.http, written.remote_timeout).context("remote_write")?;
        let mut headers = HeaderMap::new();
        for (name, value) in &written.headers {
            let header = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
            let (name, mut value) =
                header.with_context(|| format!("remote_write.headers: {name:?} is no header"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let queue = &written.queue_config;
        endpoints.push(Endpoint {
            headers,
            external_labels: Labels::new(&config.global.external_labels),
            relabel: written.write_relabel_configs.clone(),
            max_samples_per_send: queue.max_samples_per_send.max(1),
            batch_send_deadline: queue.batch_send_deadline,
            min_backoff: queue.min_backoff,
            max_backoff: queue.max_backoff,
            ..Endpoint::new(name, receiver)
        });
    }
    Ok(endpoints)
}

fn receiver(url: Url, http: &HttpSettings, timeout: std::time::Duration) -> anyhow::Result<Receiver> {
    Ok(Receiver { url, client: client(http)?, credentials: credentials(http), timeout })
}

/// As Prometheus shows its configuration: the values of secrets are not told.
fn without_secrets(text: &str) -> String {
    const SECRETS: [&str; 4] = ["password:", "credentials:", "bearer_token:", "client_secret:"];
    let hide = |line: &str| {
        let key = line.trim_start().trim_start_matches("- ");
        match SECRETS.iter().find(|secret| key.starts_with(**secret)) {
            Some(secret) => {
                let indent = line.len() - key.len();
                format!("{}{secret} <secret>\n", &line[..indent])
            }
            None => format!("{line}\n"),
        }
    };
    text.lines().map(hide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(token: Option<&str>) -> Origin {
        Origin {
            file: None,
            scrape_interval: std::time::Duration::from_secs(10),
            api: "http://127.0.0.1:8000/".parse().unwrap(),
            console: "http://127.0.0.1:9090/ops/".parse().unwrap(),
            token: token.map(str::to_owned),
            alert_webhook: None,
        }
    }

    #[tokio::test]
    async fn nothing_configured_scrapes_this_process_and_evaluates_the_shipped_rules() {
        let settings = Settings::read(&origin(Some("s3cret"))).await.unwrap();
        let jobs: Vec<_> = settings.prometheus.scrape_configs.iter().collect();
        assert_eq!(jobs.iter().map(|job| job.job_name.as_str()).collect::<Vec<_>>(), ["api", "streamflow"]);
        assert_eq!(jobs[1].metrics_path, "/ops/metrics");
        assert!(!settings.rules.files.is_empty() && settings.warnings.is_empty(), "{:?}", settings.warnings);
        assert!(!settings.text.contains("s3cret") && settings.text.contains("<secret>"), "{}", settings.text);
    }

    #[tokio::test]
    async fn what_is_wrong_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("prometheus.yml");
        for (text, expected) in [
            ("scrape_configs: 5", "prometheus.yml"),
            ("remote_write: [{url: nowhere}]", "nowhere"),
            ("rule_files: [rules.yml]", "rules.yml"),
        ] {
            std::fs::write(&file, text).unwrap();
            std::fs::write(dir.path().join("rules.yml"), "groups: [{name: g, rules: [{record: x}]}]")
                .unwrap();
            let error = Settings::read(&Origin { file: Some(file.clone()), ..origin(None) }).await.err();
            let error = format!("{:#}", error.unwrap_or_else(|| panic!("{text} is taken")));
            assert!(error.contains(expected), "{error}");
        }
    }
}

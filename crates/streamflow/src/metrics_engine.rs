//! The settings of the metrics engine: what `[metrics]` and `[console]` mean to a Prometheus server.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use streamflow_prometheus::{Job, Limits, Settings, Source};

use crate::config::Config;
use crate::templates;

/// The planes of this process.
pub struct OwnTargets {
    pub api: OwnTarget,
    pub console: OwnTarget,
}

/// One of them.
pub struct OwnTarget {
    /// Where everybody finds it.
    pub url: Url,
    /// Where this process asks it.
    pub asked_at: Url,
    /// What this process shows there.
    pub token: String,
}

/// A server over the store in `dir`. Without a `prometheus.yml` it scrapes this process by the shipped rules.
///
/// # Errors
/// A webhook that is no URL, a rule of retention whose `match` is no selector, aggregates that would go before
/// their samples.
pub fn settings(config: &Config, dir: PathBuf, own: OwnTargets) -> anyhow::Result<Settings> {
    let metrics = &config.metrics;
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let job = |name: &str, target: &OwnTarget| {
        Ok::<_, anyhow::Error>(Job {
            name: name.to_owned(),
            url: target.asked_at.join("metrics")?,
            token: Some(target.token.clone()),
            // Its series are called by the address that others know.
            instance: (target.url != target.asked_at).then(|| target.url.authority().to_owned()),
        })
    };
    let source = match &metrics.prometheus_config {
        Some(file) => Source::File(config.base.join(file)),
        None => Source::BuiltIn {
            interval: seconds(metrics.scrape_interval_seconds.get()),
            jobs: vec![job("api", &own.api)?, job("streamflow", &own.console)?],
            rules: templates::RULES_YML.to_owned(),
        },
    };
    Ok(Settings {
        retention_days: metrics.retention_days.get(),
        retention_rules: metrics.retention_rules()?,
        downsampling: metrics.downsampling()?,
        retention_bytes: metrics.retention_bytes,
        out_of_order_window: seconds(metrics.out_of_order_seconds),
        admin_api: metrics.admin_api,
        native_histograms: metrics.native_histograms,
        start_timestamps: metrics.start_timestamps,
        query_max_samples: usize::try_from(metrics.query_max_samples.get()).unwrap_or(usize::MAX),
        limits: Limits {
            concurrent_queries: config.console.max_concurrent_queries.get(),
            query_timeout: seconds(metrics.query_timeout_seconds.get()),
            ..Limits::default()
        },
        listen: config.console.listen,
        external_url: Some(own.console.url),
        alert_webhook: metrics.alert_webhook()?,
        ..Settings::new(dir, source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_configured_scrapes_this_process_and_evaluates_the_shipped_rules() {
        let target = |url: &str, asked_at: &str| OwnTarget {
            url: url.parse().unwrap(),
            asked_at: asked_at.parse().unwrap(),
            token: "s3cret".to_owned(),
        };
        let own = OwnTargets {
            api: target("http://127.0.0.1:8000/", "http://127.0.0.1:8000/"),
            console: target("https://127.0.0.1:9443/ops/", "http://127.0.0.1:9090/ops/"),
        };
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(&Config::example().unwrap(), dir.path().to_owned(), own).unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"), "{settings:?}");
        let Source::BuiltIn { jobs, .. } = &settings.source else { panic!("{:?}", settings.source) };
        let jobs: Vec<_> = jobs
            .iter()
            .map(|job| (job.name.as_str(), job.url.as_str(), job.instance.as_deref().unwrap_or_default()))
            .collect();
        let expected = [
            ("api", "http://127.0.0.1:8000/metrics", ""),
            ("streamflow", "http://127.0.0.1:9090/ops/metrics", "127.0.0.1:9443"),
        ];
        assert_eq!(jobs, expected);
        let server = streamflow_prometheus::Server::open(settings).await.unwrap();
        assert_eq!(server.handle().warnings(), [""; 0]);
    }
}

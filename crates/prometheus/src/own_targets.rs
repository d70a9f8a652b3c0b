//! The configuration of a server that was given no file: a few jobs of one target each.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::Url;
use streamflow_gotext::format_duration_ms;
use streamflow_prometheus_yml::{
    Authorization, Global, PrometheusConfig, ScrapeConfig, ScrapeProtocol, Secret, TargetGroup,
};

use crate::settings::Job;

const TIMEOUT_MAX: Duration = Duration::from_secs(10);

/// The jobs as `prometheus.yml` would have them.
pub fn config(interval: Duration, jobs: &[Job]) -> PrometheusConfig {
    let timeout = interval.min(TIMEOUT_MAX);
    let global = Global {
        scrape_interval: interval,
        scrape_timeout: Some(timeout),
        evaluation_interval: interval,
        ..Global::default()
    };
    let scrape = |job: &Job| {
        let mut scrape = ScrapeConfig::default();
        scrape.job_name.clone_from(&job.name);
        (scrape.scrape_protocols, scrape.usual_protocols) = (ScrapeProtocol::DEFAULT.to_vec(), true);
        (scrape.scrape_interval, scrape.scrape_timeout) = (interval, timeout);
        job.url.path().clone_into(&mut scrape.metrics_path);
        scrape.http.authorization = job.token.as_ref().map(|token| Authorization {
            credentials: Secret::new(token.clone()),
            ..Authorization::default()
        });
        let labels = job.instance.iter().map(|instance| ("instance".to_owned(), instance.clone()));
        scrape.discovery.static_configs =
            vec![TargetGroup { targets: vec![address(&job.url)], labels: labels.collect() }];
        scrape
    };
    PrometheusConfig {
        global,
        scrape_configs: jobs.iter().map(scrape).collect(),
        ..PrometheusConfig::default()
    }
}

/// The same as text, for those who ask what is configured; tokens are not told.
pub fn shown(interval: Duration, jobs: &[Job]) -> String {
    let interval = format_duration_ms(i64::try_from(interval.as_millis()).unwrap_or(i64::MAX));
    let mut text = format!(
        "global:\n  scrape_interval: {interval}\n  evaluation_interval: {interval}\n\nscrape_configs:\n"
    );
    for job in jobs {
        write!(text, "  - job_name: {}\n    metrics_path: {}\n", job.name, job.url.path()).expect(GROWS);
        if job.token.is_some() {
            text.push_str("    authorization:\n      credentials: <secret>\n");
        }
        writeln!(text, "    static_configs:\n      - targets: [{:?}]", address(&job.url)).expect(GROWS);
        if let Some(instance) = &job.instance {
            writeln!(text, "        labels: {{instance: {instance:?}}}").expect(GROWS);
        }
    }
    text
}

const GROWS: &str = "a string grows";

fn address(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or("localhost"), url.port_or_known_default().unwrap_or(80))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_shown_means_what_is_done() {
        let job = |name: &str, url: &str, [token, instance]: [Option<&str>; 2]| Job {
            name: name.to_owned(),
            url: url.parse().unwrap(),
            token: token.map(str::to_owned),
            instance: instance.map(str::to_owned),
        };
        let jobs = [
            job("api", "http://127.0.0.1:8000/metrics", [None, None]),
            job("streamflow", "http://[::1]/ops/metrics", [Some("<secret>"), None]),
            job("own", "http://127.0.0.1:4711/metrics", [None, Some("ops.example:443")]),
        ];
        for seconds in [5, 10, 90] {
            let interval = Duration::from_secs(seconds);
            let shown = shown(interval, &jobs);
            let (read, warnings) = streamflow_prometheus_yml::parse(&shown, Path::new("")).unwrap();
            assert_eq!((config(interval, &jobs), Vec::new()), (read, warnings), "{shown}");
        }
    }
}

//! What is scraped: labels and URL of a target, out of what discovery found.

use std::time::Duration;

use reqwest::Url;
use streamflow_gotext::{format_duration_ms, parse_duration_ms};
use streamflow_prometheus_yml::{LabelMap, ScrapeConfig, relabel};
use streamflow_tsdb::Labels;

/// A target that is scraped.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Before relabeling.
    pub discovered: LabelMap,
    /// What its series get.
    pub labels: Labels,
    pub url: Url,
    pub interval: Duration,
    pub timeout: Duration,
}

impl Target {
    /// What tells it from others of its job.
    pub fn key(&self) -> String {
        format!("{} {}", self.labels, self.url)
    }
}

/// A discovered target: scraped, or dropped by relabeling.
pub(super) enum Found {
    Active(Box<Target>),
    Dropped(LabelMap),
}

/// Gives a discovered target the labels of its job, relabels it and makes its URL.
pub(super) fn populate(mut labels: LabelMap, config: &ScrapeConfig) -> Result<Found, String> {
    for (name, value) in [
        ("job", config.job_name.clone()),
        ("__scrape_interval__", written(config.scrape_interval)),
        ("__scrape_timeout__", written(config.scrape_timeout)),
        ("__metrics_path__", config.metrics_path.clone()),
        ("__scheme__", config.scheme.clone()),
    ] {
        labels.entry(name.to_owned()).or_insert(value);
    }
    for (name, values) in &config.params {
        if let Some(value) = values.first() {
            labels.insert(format!("__param_{name}"), value.clone());
        }
    }
    labels.retain(|_, value| !value.is_empty());
    let discovered = labels.clone();
    if !relabel(&mut labels, &config.relabel_configs) || labels.is_empty() {
        return Ok(Found::Dropped(discovered));
    }
    let get = |name: &str| labels.get(name).map_or("", String::as_str);
    let address = get("__address__").to_owned();
    check_address(&address)?;
    let url = url(&address, &labels, config)?;
    let interval = duration(get("__scrape_interval__"))?;
    let timeout = duration(get("__scrape_timeout__"))?;
    if interval.is_zero() || timeout.is_zero() || timeout > interval {
        return Err(format!(
            "scrape timeout {timeout:?} must be above 0 and at most the interval {interval:?}"
        ));
    }
    let instance = labels.get("instance").unwrap_or(&address);
    let public = labels.iter().filter(|(name, _)| !name.starts_with("__"));
    let labels = Labels::new(
        public.map(|(name, value)| (name.as_str(), value.as_str())).chain([("instance", instance.as_str())]),
    );
    Ok(Found::Active(Box::new(Target { discovered, labels, url, interval, timeout })))
}

fn written(duration: Duration) -> String {
    format_duration_ms(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

fn duration(text: &str) -> Result<Duration, String> {
    let ms = parse_duration_ms(text)
        .map_err(|_| format!("not a duration: {text:?}, expected one like 30s, 1m30s or 2h"))?;
    Ok(Duration::from_millis(ms.unsigned_abs()))
}

/// Refuses what is no `host:port` or `host`.
fn check_address(address: &str) -> Result<(), String> {
    if address.is_empty() {
        return Err("the target has no address".to_owned());
    }
    if address.contains('/') {
        return Err(format!("{address:?} is no address, expected host:port without scheme and path"));
    }
    Ok(())
}

fn url(address: &str, labels: &LabelMap, config: &ScrapeConfig) -> Result<Url, String> {
    let get = |name: &str| labels.get(name).map_or("", String::as_str);
    let scheme = Some(get("__scheme__")).filter(|scheme| !scheme.is_empty()).unwrap_or("http");
    if !matches!(scheme, "http" | "https") {
        return Err(format!("invalid scheme {scheme:?}, expected http or https"));
    }
    let text = format!("{scheme}://{address}");
    let mut url = Url::parse(&text).map_err(|error| format!("{text:?} is no URL: {error}"))?;
    url.set_path(get("__metrics_path__"));
    let mut params = config.params.clone();
    for (name, value) in labels {
        if let Some(name) = name.strip_prefix("__param_") {
            let values = params.entry(name.to_owned()).or_default();
            values.truncate(values.len().max(1));
            match values.first_mut() {
                Some(first) => first.clone_from(value),
                None => values.push(value.clone()),
            }
        }
    }
    for (name, values) in &params {
        for value in values {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(yaml: &str, address: &str, expected: Result<(&str, &str), &str>) {
        let text = format!("scrape_configs: [{{job_name: j, {yaml}}}]");
        let (config, _) = streamflow_prometheus_yml::parse(&text, std::path::Path::new("")).unwrap();
        let discovered = LabelMap::from([("__address__".to_owned(), address.to_owned())]);
        match (populate(discovered, &config.scrape_configs[0]), expected) {
            (Ok(Found::Active(target)), Ok((labels, url))) => {
                assert_eq!(
                    (target.labels.to_string().as_str(), target.url.as_str()),
                    (labels, url),
                    "{yaml}"
                );
            }
            (Ok(Found::Dropped(_)), Err("dropped")) => {}
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{yaml}: {error}"),
            (Ok(_), expected) => panic!("{yaml}: expected {expected:?}"),
            (Err(error), Ok(_)) => panic!("{yaml}: {error}"),
        }
    }

    #[test]
    fn labels_and_urls() {
        let plain = r#"{instance="h:1", job="j"}"#;
        check("scheme: http", "h:1", Ok((plain, "http://h:1/metrics")));
        check("scheme: https", "h", Ok((r#"{instance="h", job="j"}"#, "https://h/metrics")));
        check("scheme: http", "[::1]", Ok((r#"{instance="[::1]", job="j"}"#, "http://[::1]/metrics")));
        check(
            "metrics_path: /a b, params: {m: [x, 'y&'], k: ['']}",
            "h:1",
            Ok((plain, "http://h:1/a%20b?k=&m=x&m=y%26")),
        );
        check(
            "params: {m: [x]}, relabel_configs: [{target_label: __param_m, replacement: z}, {target_label: __metrics_path__, replacement: /q}]",
            "h:1",
            Ok((plain, "http://h:1/q?m=z")),
        );
        check(
            "relabel_configs: [{target_label: instance, replacement: i}]",
            "h:1",
            Ok((r#"{instance="i", job="j"}"#, "http://h:1/metrics")),
        );
        check(
            "relabel_configs: [{source_labels: [__address__], regex: 'h.*', action: drop}]",
            "h:1",
            Err("dropped"),
        );
        check("relabel_configs: [{target_label: __address__, replacement: ''}]", "h:1", Err("no address"));
        check(
            "relabel_configs: [{target_label: __scheme__, replacement: ftp}]",
            "h:1",
            Err("invalid scheme"),
        );
        check(
            "relabel_configs: [{target_label: __scrape_interval__, replacement: x}]",
            "h:1",
            Err("not a duration"),
        );
        check(
            "relabel_configs: [{target_label: __scrape_timeout__, replacement: 2h}]",
            "h:1",
            Err("must be above 0"),
        );
        check(
            "relabel_configs: [{target_label: __address__, replacement: 'a/b'}]",
            "h:1",
            Err("is no address"),
        );
    }
}

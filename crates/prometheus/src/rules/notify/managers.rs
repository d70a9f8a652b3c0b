//! Which Alertmanagers there are: what discovery finds, relabeled.

use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::Url;
use streamflow_outbound::{Client, Receiver, shown_address};
use streamflow_prometheus_yml::{Alertmanager, LabelMap, relabel};
use tokio::sync::Notify;

use super::{Endpoint, Kind, RETRY_DELAY};
use crate::clients::credentials;
use crate::discovery::{Counters, Finder};

/// The label that holds the path that alerts are posted to.
const PATH: &str = "__alerts_path__";

/// An entry of `alertmanagers` with the client that its files and certificates make.
#[derive(Debug, Clone)]
pub struct ManagerSet {
    /// The entry.
    pub config: Alertmanager,
    /// Shared by all Alertmanagers of the entry.
    pub client: Client,
}

/// Looks for Alertmanagers again and again.
#[derive(Debug, Default)]
pub(in super::super) struct Managers {
    finder: Finder,
    counters: Arc<Counters>,
    /// Why targets are no Alertmanagers, as told last.
    failures: BTreeSet<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub(in super::super) struct Found {
    pub endpoints: Vec<Endpoint>,
    /// Addresses that relabeling dropped, as they may be shown.
    pub dropped: Vec<String>,
}

impl Found {
    /// The addresses, by which one finding is told from another.
    pub fn addresses(&self) -> Vec<Url> {
        self.endpoints.iter().map(|endpoint| endpoint.receiver.url.clone()).collect()
    }
}

impl Managers {
    pub fn new(counters: Arc<Counters>) -> Self {
        Self { counters, ..Self::default() }
    }

    /// Wakes who waits for it when there may be others.
    pub fn changed(&self) -> Arc<Notify> {
        self.finder.changed()
    }

    /// The Alertmanagers of all sets now, each address once. Reads files, so it blocks.
    pub fn find(&mut self, sets: &[ManagerSet]) -> Found {
        let (mut found, mut known, mut failures) = (Found::default(), BTreeSet::new(), BTreeSet::new());
        self.finder.begin();
        for set in sets {
            for labels in self.finder.targets(&set.config.discovery, &self.counters) {
                match address(labels, &set.config) {
                    Ok(Manager { url, dropped: true }) => {
                        found.dropped.extend(shown_address(url.as_str()));
                    }
                    Ok(Manager { url, dropped: false }) => {
                        if known.insert(url.clone()) {
                            found.endpoints.push(endpoint(url, set));
                        }
                    }
                    Err(reason) => drop(failures.insert(reason)),
                }
            }
        }
        self.finder.end();
        for reason in failures.difference(&self.failures) {
            tracing::warn!("an Alertmanager cannot be told of alerts: {reason}");
        }
        self.failures = failures;
        found
    }
}

fn endpoint(url: Url, set: &ManagerSet) -> Endpoint {
    let receiver = Receiver {
        url,
        client: set.client.clone(),
        credentials: credentials(&set.config.http),
        timeout: set.config.timeout,
    };
    let relabel = set.config.alert_relabel_configs.clone();
    Endpoint { kind: Kind::Alertmanager, receiver, retry_delay: RETRY_DELAY, relabel }
}

struct Manager {
    url: Url,
    dropped: bool,
}

/// Where alerts of a discovered target go, and whether relabeling drops it.
fn address(mut labels: LabelMap, config: &Alertmanager) -> Result<Manager, String> {
    labels.insert("__scheme__".to_owned(), config.scheme.clone());
    labels.insert(PATH.to_owned(), path(&config.path_prefix));
    let mut relabeled = labels.clone();
    let kept = relabel(&mut relabeled, &config.relabel_configs);
    if kept { url(&relabeled) } else { url(&labels) }.map(|url| Manager { url, dropped: !kept })
}

/// `/PREFIX/api/v2/alerts`, whatever slashes the prefix has.
fn path(prefix: &str) -> String {
    let parts = prefix.split('/').filter(|part| !part.is_empty()).chain(["api", "v2", "alerts"]);
    parts.fold(String::new(), |path, part| path + "/" + part)
}

fn url(labels: &LabelMap) -> Result<Url, String> {
    let get = |name: &str| labels.get(name).map_or("", String::as_str);
    let address = get("__address__");
    if address.is_empty() || address.contains('/') {
        return Err(format!("{address:?} is no address, expected host:port without scheme and path"));
    }
    let text = format!("{}://{address}{}", get("__scheme__"), get(PATH));
    Url::parse(&text).map_err(|error| format!("{text:?} is no URL: {error}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn found(managers: &mut Managers, yaml: &str, dir: &Path) -> (Vec<String>, Vec<String>) {
        let text = format!("alerting: {{alertmanagers: [{yaml}]}}");
        let (config, warnings) = streamflow_prometheus_yml::parse(&text, &dir.join("p.yml")).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        let sets = config.alerting.alertmanagers.into_iter();
        let client = streamflow_outbound::ClientSettings::default().client().unwrap();
        let sets: Vec<_> = sets.map(|config| ManagerSet { config, client: client.clone() }).collect();
        let found = managers.find(&sets);
        (found.addresses().iter().map(Url::to_string).collect(), found.dropped)
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn addresses_are_discovered_and_relabeled() {
        let dir = tempfile::tempdir().unwrap();
        let mut managers = Managers::default();
        let mut check = |yaml: &str, active: &[&str], dropped: &[&str]| {
            let (found_active, found_dropped) = found(&mut managers, yaml, dir.path());
            assert_eq!((found_active, found_dropped), (owned(active), owned(dropped)), "{yaml}");
        };
        check("{static_configs: [{targets: ['a:1']}]}", &["http://a:1/api/v2/alerts"], &[]);
        for prefix in ["x", "/x", "/x/"] {
            let yaml =
                format!("{{scheme: https, path_prefix: {prefix}, static_configs: [{{targets: [a]}}]}}");
            check(&yaml, &["https://a/x/api/v2/alerts"], &[]);
        }
        let relabeled = "{static_configs: [{targets: ['a:1', 'a:2', 'http://b/c']}], relabel_configs: [\
            {source_labels: [__address__], regex: '.*:2', action: drop}, {target_label: __alerts_path__, replacement: /custom}, \
            {source_labels: [__address__], regex: 'http://(.*)/c', target_label: __address__, replacement: '$1:3'}]}";
        check(relabeled, &["http://a:1/custom", "http://b:3/custom"], &["http://a:2/api/v2/alerts"]);
        let files = "{file_sd_configs: [{files: [am.yml]}]}";
        check(files, &[], &[]);
        std::fs::write(dir.path().join("am.yml"), "- targets: ['a:1', 'a:1']\n").unwrap();
        check(files, &["http://a:1/api/v2/alerts"], &[]);
        std::fs::remove_file(dir.path().join("am.yml")).unwrap();
        check(files, &[], &[]);
    }
}

//! Any text as `prometheus.yml`: an error with its line, or a configuration whose rules relabel and that is shown
//! without its secrets.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use streamflow_prometheus_yml::{Document, LabelMap, Relabel, relabel};

/// A rule may double a label, so that many in a row are not a matter of parsing.
const RULES: usize = 8;

fn apply(rules: &[Relabel]) {
    let labels = [("__address__", "host:9090"), ("job", "api"), ("instance", "a b"), ("code", "500")];
    let mut labels: LabelMap = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    if relabel(&mut labels, &rules[..rules.len().min(RULES)]) {
        assert!(labels.values().all(|value| !value.is_empty()), "an empty label is none");
    }
}

fuzz_target!(|text: &str| {
    let path = Path::new("folder/prometheus.yml");
    let document = match Document::read(text, path) {
        Ok(document) => document,
        Err(error) => return assert!(!error.message.is_empty()),
    };
    let config = &document.config;
    for scrape in &config.scrape_configs {
        apply(&scrape.relabel_configs);
        apply(&scrape.metric_relabel_configs);
    }
    config.remote_write.iter().for_each(|remote| apply(&remote.write_relabel_configs));
    apply(&config.alerting.alert_relabel_configs);
    let shown = document.without_secrets(|_| None);
    let again = Document::read(&shown, path).expect("what is shown can be read");
    assert_eq!(again.without_secrets(|_| None), shown, "what is shown is shown the same");
});

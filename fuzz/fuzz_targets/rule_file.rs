//! Any text as a rule file: all its problems, or groups whose templates expand, to a text or to an error.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use streamflow_prometheus_yml::parse_rules;
use streamflow_template::{Data, Environment, LabelMap, Sample};

fuzz_target!(|text: &str| {
    let file = match parse_rules(text, Path::new("rules.yml")) {
        Ok(file) => file,
        Err(error) => {
            assert!(!error.0.is_empty(), "a refusal has a reason");
            return;
        }
    };
    let answer = |query: &str| -> Result<Vec<Sample>, String> {
        let labels = LabelMap::from([("query".to_owned(), query.to_owned())]);
        Ok(vec![Sample { labels, value: query.len() as f64 }])
    };
    let environment = Environment { query: &answer, external_url: "http://localhost:9090/a", now_ms: 0 };
    for rule in file.groups.iter().flat_map(|group| &group.rules) {
        let Some(alert) = &rule.alert else { continue };
        for (_, template) in alert.label_templates.iter().chain(&alert.annotation_templates) {
            let data = Data {
                labels: rule.labels.clone().into(),
                external_labels: rule.labels.clone().into(),
                external_url: "http://localhost:9090/a".to_owned(),
                value: rule.name.len() as f64 * 1e-3,
            };
            template.expand_or_error(data, &environment);
        }
    }
});

//! Any text as an alert's template: an error, or a text or an error when it is expanded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_template::{Data, Environment, LabelMap, Sample, Template};

fn labels(pairs: &[(&str, &str)]) -> LabelMap {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fuzz_target!(|text: &str| {
    let template = match Template::parse("Fuzz", text) {
        Ok(template) => template,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let answer = |query: &str| -> Result<Vec<Sample>, String> {
        let sample = |value| Sample { labels: labels(&[("job", "api"), ("query", query)]), value };
        Ok([1.5, -1e9].map(sample).to_vec())
    };
    let environment = Environment { query: &answer, external_url: "http://localhost:9090/a", now_ms: 0 };
    let data = Data {
        labels: labels(&[("job", "api"), ("instance", "host.example.org:8000"), ("code", "500")]).into(),
        external_labels: labels(&[("region", "eu")]).into(),
        external_url: "http://localhost:9090/a".to_owned(),
        value: 1234.5,
    };
    let _ = template.expand(data, &environment);
});

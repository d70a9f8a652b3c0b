//! Small files and promtool's verdicts on them, which `tools/golden/configurations.py` takes down.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use serde_json::Value;
use streamflow_prometheus_yml::{parse, parse_targets};

/// Files that are taken where promtool refuses them, or the other way round: a part of the text, and why.
const DIFFERS: &[(&str, &str)] = &[
    ("remote_read: [null]", "the values of keys that are not read are not looked at"),
    ("remote_read: [{}]", "the values of keys that are not read are not looked at"),
    ("oauth2: {}", "the values of keys that are not read are not looked at"),
    ("oauth2: {client_id: a}}", "the values of keys that are not read are not looked at"),
    ("client_secret_file: c", "the values of keys that are not read are not looked at"),
    ("oauth2: {nonsense", "the values of keys that are not read are not looked at"),
    ("proxy_url: ':'", "the values of keys that are not read are not looked at"),
    ("{job_name: a, no_proxy", "the values of keys that are not read are not looked at"),
    ("proxy_from_environment: true, proxy_url", "the values of keys that are not read are not looked at"),
    ("{job_name: a, proxy_connect", "the values of keys that are not read are not looked at"),
    ("retention: {time", "the values of keys that are not read are not looked at"),
    ("scrape_native_histograms", "a key of a later version"),
    ("scrape_classic_histograms", "a key of a later version"),
    ("extra_scrape_metrics", "a key of a later version"),
    ("consul_sd", "a discovery that Debian builds without"),
    ("openstack_sd", "a discovery that Debian builds without"),
    ("nomad_sd", "a discovery that Debian builds without"),
    (
        "targets: ['']",
        "promtool alone looks at the addresses that relabeling makes; a server takes the file and names the target",
    ),
    (
        "targets: [null]",
        "promtool alone looks at the addresses that relabeling makes; a server takes the file and names the target",
    ),
    (
        "targets: ['http://b/c']}], relabel_configs: [{",
        "promtool alone looks at the addresses that relabeling makes; a server takes the file and names the target",
    ),
    (
        "targets: ['b/c']}], relabel",
        "promtool alone looks at the addresses that relabeling makes; a server takes the file and names the target",
    ),
    (
        "targets: ['a/b']}], relabel",
        "promtool alone looks at the addresses that relabeling makes; a server takes the file and names the target",
    ),
    ("sample_limit: 1.5", "what has to be whole is not cut"),
    ("sample_limit: .5", "what has to be whole is not cut"),
    ("sample_limit: -1.5", "what has to be whole is not cut"),
    ("capacity: 1.5", "what has to be whole is not cut"),
    ("capacity: .5", "what has to be whole is not cut"),
    ("port: 1.5", "what has to be whole is not cut"),
    ("sample_limit: 18446744073709551616", "a limit beyond 64 bits is a mistake"),
    ("sample_limit: -.Inf", "a limit below zero is a mistake"),
    ("capacity: 18446744073709551615", "a queue that is never full is one"),
    ("capacity: 1.8e19", "a queue that is never full is one"),
    ("port: -", "a port below zero is a mistake"),
    ("!!int", "what a tag makes of a text is left to texts"),
    ("!!float", "what a tag makes of a text is left to texts"),
    ("!!bool", "what a tag makes of a text is left to texts"),
    (": 1_}", "the reader of YAML is another"),
    ("!}", "the reader of YAML is another"),
    ("?}", "the reader of YAML is another"),
    ("[!]", "the reader of YAML is another"),
    ("[?]", "the reader of YAML is another"),
    ("action: null, target", "a null is the default everywhere"),
    ("...\n", "the reader of YAML is another"),
    ("\tglobal", "the reader of YAML is another"),
    ("scrape_interval:}", "the reader of YAML is another"),
    ("evaluation_interval:}", "the reader of YAML is another"),
    ("azuread", "a key that Debian builds without"),
    ("google_iam", "a key that Debian builds without"),
    ("source_labels: [null]", "a label without a name is a mistake"),
    ("capacity: -", "a queue of less than nothing is a mistake"),
    ("remote_write: [{url: ''}]", "a receiver without an address is a mistake"),
    ("remote_write: [{url: a}]", "a receiver without an address is a mistake"),
];

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/configurations.json")).unwrap()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

#[test]
fn files_are_taken_as_promtool_takes_them() {
    let golden = golden();
    let files = golden["files"].as_array().unwrap();
    assert!(files.len() > 500);
    let mut unexplained = Vec::new();
    let (mut used, mut explained) = (vec![false; DIFFERS.len()], 0);
    for row in files {
        let content = text(row, "text");
        let found = parse(content, Path::new("prometheus.yml"));
        if found.is_ok() == row["good"].as_bool().unwrap() {
            continue;
        }
        match DIFFERS.iter().position(|(part, _)| content.contains(part) || content == *part) {
            Some(at) => {
                used[at] = true;
                explained += 1;
            }
            None => unexplained.push(format!(
                "{content}  promtool: {}\n  here: {}",
                text(row, "said"),
                found.map_or_else(|error| error.to_string(), |_| "taken".to_owned())
            )),
        }
    }
    assert!(unexplained.is_empty(), "{} files:\n{}", unexplained.len(), unexplained.join("\n"));
    // docs/prometheus-compatibility.md says how many.
    assert_eq!(explained, 97);
    let unused: Vec<_> = DIFFERS.iter().zip(used).filter(|(_, used)| !used).collect();
    assert!(unused.is_empty(), "these differ no longer: {unused:?}");
}

#[test]
fn files_of_targets_are_taken_as_promtool_takes_them() {
    let golden = golden();
    let mut unexplained = Vec::new();
    for row in golden["targets"].as_array().unwrap() {
        let found = parse_targets(Path::new(text(row, "file")), text(row, "text").as_bytes());
        // Whether a target is an address is looked at when relabeling is over.
        let good = row["good"].as_bool().unwrap()
            || ["is not a valid hostname", "no address"].iter().any(|said| text(row, "said").contains(said));
        // Go takes the last of two keys of one name, which is a mistake here.
        let twice = text(row, "text").matches("\"targets\"").count() > 1;
        if found.is_ok() != good && !twice {
            unexplained.push(format!("{row}\n  here: {found:?}"));
        }
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
}

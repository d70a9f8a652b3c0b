//! The arrows between the crates: dependencies point down only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What each crate may use of ours, and the libraries that live in a few crates alone.
const ARROWS: [(&str, &[&str]); 11] = [
    ("stats", &[]),
    ("drift", &["streamflow-stats"]),
    ("dataset", &[]),
    ("model", &[]),
    ("tsdb", &[]),
    ("exposition", &[]),
    ("outbound", &[]),
    // Rule files hold expressions and templates, and are refused where one of these is wrong.
    ("prometheus_yml", &["streamflow-gotext", "streamflow-promql", "streamflow-template", "streamflow-tsdb"]),
    (
        "prometheus",
        &[
            "streamflow-exposition",
            "streamflow-gotext",
            "streamflow-outbound",
            "streamflow-prometheus-yml",
            "streamflow-promql",
            "streamflow-template",
            "streamflow-tsdb",
        ],
    ),
    ("promql", &["streamflow-tsdb"]),
    (
        "streamflow",
        &[
            "streamflow-dataset",
            "streamflow-drift",
            "streamflow-exposition",
            "streamflow-model",
            "streamflow-outbound",
            "streamflow-prometheus",
            "streamflow-promql",
            "streamflow-stats",
            "streamflow-tsdb",
        ],
    ),
];
const LIVES_IN: [(&str, &[&str]); 4] = [
    ("parquet", &["dataset"]),
    ("forust-ml", &["model"]),
    ("axum", &["prometheus", "streamflow"]),
    ("sqlx", &["streamflow"]),
];

#[test]
fn dependencies_point_down_only() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut dependencies = BTreeMap::new();
    for entry in std::fs::read_dir(crates).unwrap() {
        let path = entry.unwrap().path();
        let manifest: toml::Table =
            std::fs::read_to_string(path.join("Cargo.toml")).unwrap().parse().unwrap();
        let names: BTreeSet<String> = manifest["dependencies"].as_table().unwrap().keys().cloned().collect();
        dependencies.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), names);
    }
    let known: Vec<&str> = dependencies.keys().map(String::as_str).collect();
    assert_eq!(
        known,
        [
            "dataset",
            "drift",
            "exposition",
            "model",
            "outbound",
            "prometheus",
            "prometheus_yml",
            "promql",
            "stats",
            "streamflow",
            "tsdb"
        ],
        "a new crate needs its arrows here"
    );
    for (name, allowed) in ARROWS {
        for ours in dependencies[name].iter().filter(|other| other.starts_with("streamflow-")) {
            assert!(allowed.contains(&ours.as_str()), "{name} may not depend on {ours}");
        }
    }
    for (library, homes) in LIVES_IN {
        for (name, uses) in &dependencies {
            let is_home = homes.contains(&name.as_str());
            assert_eq!(uses.contains(library), is_home, "{library} lives in {homes:?}, not in {name}");
        }
    }
}

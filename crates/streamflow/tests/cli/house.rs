//! The arrows between the crates and between the modules of the binary: they point down only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each crate may use of ours, and the libraries that live in a few crates alone.
const ARROWS: [(&str, &[&str]); 24] = [
    ("stats", &[]),
    ("drift", &["streamflow-stats"]),
    ("live", &["streamflow-stats"]),
    ("dataset", &[]),
    ("compare", &["streamflow-dataset", "streamflow-drift"]),
    ("cluster", &["streamflow-compare", "streamflow-dataset", "streamflow-drift"]),
    ("python", &["streamflow-compare", "streamflow-dataset", "streamflow-drift", "streamflow-stats"]),
    ("performance", &["streamflow-stats"]),
    ("inference", &[]),
    ("onnxruntime", &["streamflow-inference"]),
    ("model", &["streamflow-inference", "streamflow-performance", "streamflow-stats"]),
    ("gotext", &[]),
    ("histogram", &["streamflow-gotext"]),
    ("tsdb", &["streamflow-gotext", "streamflow-histogram"]),
    ("exposition", &["streamflow-gotext", "streamflow-histogram"]),
    ("template", &["streamflow-gotext"]),
    ("schedule", &["streamflow-gotext"]),
    ("promql", &["streamflow-gotext", "streamflow-histogram", "streamflow-tsdb"]),
    ("outbound", &[]),
    ("bucket", &["streamflow-outbound"]),
    // Tests alone may use it: it stands in no row.
    ("oracles", &[]),
    // Rule files hold expressions and templates, and are refused where one of these is wrong.
    ("prometheus_yml", &["streamflow-gotext", "streamflow-promql", "streamflow-template", "streamflow-tsdb"]),
    (
        "prometheus",
        &[
            "streamflow-exposition",
            "streamflow-gotext",
            "streamflow-histogram",
            "streamflow-outbound",
            "streamflow-prometheus-yml",
            "streamflow-promql",
            "streamflow-template",
            "streamflow-tsdb",
        ],
    ),
    (
        "streamflow",
        &[
            "streamflow-bucket",
            // Behind a feature of its name.
            "streamflow-cluster",
            "streamflow-compare",
            "streamflow-dataset",
            "streamflow-drift",
            "streamflow-exposition",
            "streamflow-gotext",
            "streamflow-inference",
            "streamflow-live",
            "streamflow-model",
            "streamflow-onnxruntime",
            "streamflow-outbound",
            "streamflow-performance",
            "streamflow-prometheus",
            "streamflow-promql",
            "streamflow-schedule",
            "streamflow-stats",
            "streamflow-template",
            "streamflow-tsdb",
        ],
    ),
];
const LIVES_IN: [(&str, &[&str]); 9] = [
    ("ballista", &["cluster"]),
    ("datafusion", &["cluster"]),
    ("object_store", &["bucket"]),
    ("ort", &["onnxruntime"]),
    ("parquet", &["dataset"]),
    ("pyo3", &["python"]),
    ("axum", &["prometheus", "streamflow"]),
    ("sqlx", &["streamflow"]),
    ("redis", &["streamflow"]),
];

#[test]
fn dependencies_point_down_only() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut dependencies = BTreeMap::new();
    let members = std::fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path());
    for path in members.chain([crates.with_file_name("python")]) {
        let manifest: toml::Table =
            std::fs::read_to_string(path.join("Cargo.toml")).unwrap().parse().unwrap();
        let table = manifest.get("dependencies").and_then(toml::Value::as_table);
        let names: BTreeSet<String> = table.into_iter().flat_map(|table| table.keys().cloned()).collect();
        dependencies.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), names);
    }
    let known: BTreeSet<&str> = dependencies.keys().map(String::as_str).collect();
    assert_eq!(known, ARROWS.map(|(name, _)| name).into(), "a new crate needs its arrows here");
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

/// The modules of the binary from the top down. A module uses those of the rows below its own and no others.
const LAYERS: [&[&str]; 16] = [
    &["cli"],
    &["commands"],
    &["doctor", "run"],
    &["metrics_engine"],
    &["api", "console", "imports"],
    &["live"],
    &["flows", "serving"],
    &["keep"],
    &["workspace"],
    &["performance"],
    &["mlflow"],
    &["drift", "notify", "prefect", "registry"],
    &["feature_store", "predictions", "store", "tables"],
    &["storage"],
    &["canary", "config", "panels", "sample", "scoring", "traffic"],
    &["attempts", "clock", "files", "model_file", "random", "server", "templates", "terminal"],
];

#[test]
fn modules_of_the_binary_use_those_below_only() {
    let layers: BTreeMap<&str, usize> = LAYERS
        .iter()
        .enumerate()
        .flat_map(|(layer, names)| names.iter().map(move |&name| (name, layer)))
        .collect();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut upward = Vec::new();
    for file in files {
        let path = file.strip_prefix(&src).unwrap();
        let first = Path::new(path.iter().next().unwrap());
        let module = first.file_stem().unwrap().to_str().unwrap();
        if matches!(module, "lib" | "main") {
            continue;
        }
        let layer =
            *layers.get(module).unwrap_or_else(|| panic!("the module {module} needs its place in LAYERS"));
        for used in modules_used(&std::fs::read_to_string(&file).unwrap()) {
            if used != module && layers.get(used.as_str()).is_none_or(|&other| other <= layer) {
                upward.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert!(upward.is_empty(), "a module may only use those below it:\n{}", upward.join("\n"));
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules that a file names as `crate::module` or in `crate::{module, module::item}`.
fn modules_used(source: &str) -> BTreeSet<String> {
    let code =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|&c| c.is_ascii_lowercase() || c == '_').collect()
    };
    let mut used = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            None => used.extend([name(after)]),
            Some(group) => used.extend(members(group).into_iter().map(name)),
        }
    }
    used.retain(|name| !name.is_empty());
    used
}

/// The members of a group of imports, up to the brace that closes it.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (place, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                found.push(&group[start..place]);
                start = place + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn uses_are_found_alone_and_in_groups() {
    let source = "// use crate::nothing;\nuse crate::api::{self, ApiState};\nuse crate::{a::{b, c}, d,\n    e::f};\ncrate::g::h(1);";
    let expected = ["a", "api", "d", "e", "g"].map(str::to_owned);
    assert_eq!(modules_used(source), expected.into());
}

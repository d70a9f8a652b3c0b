//! What `streamflow init` writes: the configuration of the churn example and the files that deploy it.

/// One file of a new project.
pub struct Template {
    /// The file's path, from the project's folder.
    pub path: &'static str,
    /// The file's text.
    pub contents: &'static str,
}

/// The configuration that also serves where there is none.
pub const STREAMFLOW_TOML: &str = include_str!("../templates/streamflow.toml");

/// The rules that hold where no prometheus.yml names others.
pub const RULES_YML: &str = include_str!("../templates/rules.yml");

/// The file beside docker-compose.yml from which it takes passwords; it is made up for each project.
pub const ENV: &str = ".env";

/// All files of a new project.
pub static FILES: &[Template] = &[
    Template { path: "streamflow.toml", contents: STREAMFLOW_TOML },
    Template { path: "docker-compose.yml", contents: include_str!("../templates/docker-compose.yml") },
    Template { path: "prometheus.yml", contents: include_str!("../templates/prometheus.yml") },
    Template { path: "rules.yml", contents: RULES_YML },
    Template {
        path: "grafana/provisioning/datasources/streamflow.yml",
        contents: include_str!("../templates/grafana/provisioning/datasources/streamflow.yml"),
    },
    Template {
        path: "grafana/provisioning/dashboards/streamflow.yml",
        contents: include_str!("../templates/grafana/provisioning/dashboards/streamflow.yml"),
    },
    Template {
        path: "grafana/dashboards/service.json",
        contents: include_str!("../templates/grafana/dashboards/service.json"),
    },
    Template {
        path: "grafana/dashboards/model_drift.json",
        contents: include_str!("../templates/grafana/dashboards/model_drift.json"),
    },
];

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    /// Files below `dir`, relative to `root`.
    fn files_below(dir: &Path, root: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files_below(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_template_is_written() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut there = Vec::new();
        files_below(&root, &root, &mut there);
        there.sort();
        let mut written: Vec<PathBuf> = FILES.iter().map(|file| file.path.into()).collect();
        written.sort();
        assert_eq!(written, there);
    }
}

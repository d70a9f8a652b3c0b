//! What `streamflow init` writes: the configuration of the churn example and the files that deploy it.

use std::borrow::Cow;

use streamflow_dataset::LabelTask;

/// What a new project is deployed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Docker Compose on one machine, one server, no database.
    Small,
    /// Docker Compose with several servers on one Postgres.
    Large,
    /// Kubernetes, by kustomize.
    Kubernetes,
}

/// One file of a new project.
pub struct Template {
    /// The file's path, from the project's folder.
    pub path: &'static str,
    /// The file's text.
    pub contents: &'static str,
}

impl Template {
    /// The file's text where the label of the example is for the task and the project is deployed so.
    pub fn contents_for(&self, task: LabelTask, layout: Layout) -> Cow<'static, str> {
        let text = self.contents_of_task(task);
        match layout {
            Layout::Large | Layout::Kubernetes if self.contents == STREAMFLOW_TOML => {
                on_a_shared_store(&text).into()
            }
            _ => text,
        }
    }

    fn contents_of_task(&self, task: LabelTask) -> Cow<'static, str> {
        let (model, about, column, column_type) = match task {
            _ if self.contents != STREAMFLOW_TOML => return self.contents.into(),
            LabelTask::Binary => return self.contents.into(),
            LabelTask::Multiclass => ("plan", "a column of classes", "next_plan", "string"),
            LabelTask::Regression => ("spend", "a column of numbers", "spend_next_30d", "float"),
        };
        let text =
            self.contents.replace("churn_label = \"boolean\"", &format!("{column} = \"{column_type}\""));
        let text =
            text.replace("churn_label", column).replace("name = \"churn\"", &format!("name = \"{model}\""));
        let text = text.replace("# task = \"binary\"", &format!("task = \"{}\"", task.name()));
        text.replace("predicts: a boolean column.", &format!("predicts: {about}.")).into()
    }
}

/// The configuration of servers that share what they know: SQLite's file belongs to one machine.
fn on_a_shared_store(text: &str) -> String {
    text.replacen("# kind = \"sqlite\"", "kind = \"postgres\"", 1)
}

/// The configuration that also serves where there is none.
pub const STREAMFLOW_TOML: &str = include_str!("../templates/streamflow.toml");

/// The rules that hold where no prometheus.yml names others.
pub const RULES_YML: &str = include_str!("../templates/rules.yml");

/// The file beside docker-compose.yml from which it takes passwords; it is made up for each project.
pub const ENV: &str = ".env";

/// All files of a new project of one machine.
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

/// What a project of several servers has beside these, or in their place.
static LARGE: &[Template] = &[
    Template { path: "docker-compose.yml", contents: include_str!("../templates/large/docker-compose.yml") },
    Template { path: "prometheus.yml", contents: include_str!("../templates/large/prometheus.yml") },
    Template { path: "haproxy.cfg", contents: include_str!("../templates/large/haproxy.cfg") },
    Template {
        path: "docker-compose.cluster.yml",
        contents: include_str!("../templates/large/docker-compose.cluster.yml"),
    },
];

/// The kustomize base.
static KUBERNETES: &[Template] = &[
    Template { path: "kustomization.yaml", contents: include_str!("../templates/kustomization.yaml") },
    Template { path: "kubernetes/api.yaml", contents: include_str!("../templates/kubernetes/api.yaml") },
    Template { path: "kubernetes/flows.yaml", contents: include_str!("../templates/kubernetes/flows.yaml") },
    Template {
        path: "kubernetes/network.yaml",
        contents: include_str!("../templates/kubernetes/network.yaml"),
    },
    Template {
        path: "kubernetes/servicemonitor.yaml",
        contents: include_str!("../templates/kubernetes/servicemonitor.yaml"),
    },
    Template {
        path: "kubernetes/prometheus.yml",
        contents: include_str!("../templates/kubernetes/prometheus.yml"),
    },
];

impl Layout {
    /// The files of a project.
    pub fn files(self) -> Vec<&'static Template> {
        let own = self.own_files();
        let is_shared = |file: &&Template| match self {
            Layout::Small => true,
            Layout::Large => own.iter().all(|other| other.path != file.path),
            Layout::Kubernetes => {
                ["streamflow.toml", "rules.yml"].contains(&file.path)
                    || file.path.starts_with("grafana/dashboards/")
            }
        };
        FILES.iter().filter(is_shared).chain(own).collect()
    }

    /// Those of them that a project of one machine has not, or has otherwise.
    pub fn own_files(self) -> &'static [Template] {
        match self {
            Layout::Small => &[],
            Layout::Large => LARGE,
            Layout::Kubernetes => KUBERNETES,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use streamflow_dataset::DatasetSpec;

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
    fn the_example_of_each_task_is_a_configuration() {
        let template = FILES.iter().find(|file| file.path == "streamflow.toml").unwrap();
        for (task, column) in [
            (LabelTask::Binary, "churn_label"),
            (LabelTask::Multiclass, "next_plan"),
            (LabelTask::Regression, "spend_next_30d"),
        ] {
            let config: toml::Table = toml::from_str(&template.contents_for(task, Layout::Small)).unwrap();
            let dataset: DatasetSpec = config["dataset"].clone().try_into().unwrap();
            dataset.validate().unwrap();
            assert_eq!((dataset.label.task, dataset.label.column.as_str()), (task, column));
        }
    }

    #[test]
    fn several_servers_share_a_database() {
        let template = FILES.iter().find(|file| file.path == "streamflow.toml").unwrap();
        for layout in [Layout::Large, Layout::Kubernetes] {
            for task in [LabelTask::Binary, LabelTask::Multiclass, LabelTask::Regression] {
                let config: toml::Table = toml::from_str(&template.contents_for(task, layout)).unwrap();
                assert_eq!(config["store"]["kind"].as_str(), Some("postgres"), "{layout:?} {task:?}");
            }
        }
        let small: toml::Table =
            toml::from_str(&template.contents_for(LabelTask::Binary, Layout::Small)).unwrap();
        let kind = small.get("store").and_then(|store| store.get("kind"));
        assert_eq!(kind, None, "one server keeps the default");
    }

    #[test]
    fn every_template_is_written_and_no_path_twice() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut there = Vec::new();
        files_below(&root, &root, &mut there);
        let layouts = [Layout::Small, Layout::Large, Layout::Kubernetes];
        for file in there {
            let text = std::fs::read_to_string(root.join(&file)).unwrap();
            let name = file.file_name();
            let is_written = |layout: &Layout| {
                layout.files().iter().any(|t| t.contents == text && Path::new(t.path).file_name() == name)
            };
            assert!(layouts.iter().any(is_written), "{} is not written", file.display());
        }
        for layout in layouts {
            let mut paths: Vec<&str> = layout.files().iter().map(|file| file.path).collect();
            paths.sort_unstable();
            let count = paths.len();
            paths.dedup();
            assert_eq!(paths.len(), count, "{layout:?}");
        }
    }
}

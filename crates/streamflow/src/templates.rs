//! What `streamflow init` writes: the configuration of the churn example and the files that deploy it.

use std::borrow::Cow;

use streamflow_dataset::LabelTask;

/// One file of a new project.
pub struct Template {
    /// The file's path, from the project's folder.
    pub path: &'static str,
    /// The file's text.
    pub contents: &'static str,
}

impl Template {
    /// The file's text where the label of the example is for the task.
    pub fn contents_for(&self, task: LabelTask) -> Cow<'static, str> {
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
            let config: toml::Table = toml::from_str(&template.contents_for(task)).unwrap();
            let dataset: DatasetSpec = config["dataset"].clone().try_into().unwrap();
            dataset.validate().unwrap();
            assert_eq!((dataset.label.task, dataset.label.column.as_str()), (task, column));
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

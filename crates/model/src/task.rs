//! What a model predicts.

use std::fmt;

use serde::{Deserialize, Serialize};
use streamflow_performance::Metric;

/// The kind of label that a model predicts; written as a lower-case word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// The probability that the label is true.
    #[default]
    Binary,
    /// The probability of each of several classes.
    Multiclass,
    /// A number.
    Regression,
}

impl Task {
    /// The word that it is written as.
    pub fn name(self) -> &'static str {
        match self {
            Task::Binary => "binary",
            Task::Multiclass => "multiclass",
            Task::Regression => "regression",
        }
    }

    /// Such as "a classifier of two classes", for a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Task::Binary => "a classifier of two classes",
            Task::Multiclass => "a classifier of several classes",
            Task::Regression => "a regression",
        }
    }

    /// The metric that decides about a model.
    pub fn metric(self) -> Metric {
        match self {
            Task::Binary => Metric::RocAuc,
            Task::Multiclass => Metric::MULTICLASS[0],
            Task::Regression => Metric::REGRESSION[0],
        }
    }
}

impl From<streamflow_inference::Task> for Task {
    fn from(task: streamflow_inference::Task) -> Task {
        match task {
            streamflow_inference::Task::Binary => Task::Binary,
            streamflow_inference::Task::Multiclass => Task::Multiclass,
            streamflow_inference::Task::Regression => Task::Regression,
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_read_as_they_are_written_and_others_are_named() {
        for task in [Task::Binary, Task::Multiclass, Task::Regression] {
            let json = serde_json::to_string(&task).unwrap();
            assert_eq!(json, format!("\"{task}\""));
            assert_eq!(serde_json::from_str::<Task>(&json).unwrap(), task);
        }
        let error = serde_json::from_str::<Task>("\"ranking\"").unwrap_err().to_string();
        assert!(error.starts_with("unknown variant `ranking`, expected one of `binary`"), "{error}");
    }
}

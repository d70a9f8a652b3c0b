//! What goes wrong, as exceptions of `streamflow_ml._errors`.

use pyo3::prelude::*;
use streamflow_compare as compare;
use streamflow_dataset as dataset;
use streamflow_drift as drift;

/// The classes of `streamflow_ml._errors`.
#[derive(Debug, Clone, Copy)]
pub enum Class {
    /// A table that cannot be read or compared.
    Table,
    /// An argument that says what cannot be.
    Settings,
    /// Numbers of which a statistic does not exist.
    Statistics,
    /// A bug.
    Internal,
}

/// What went wrong, before there is an interpreter to say it to.
#[derive(Debug)]
pub struct Failure {
    class: Class,
    message: String,
    column: Option<String>,
}

impl Failure {
    /// Without a column that it is about.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Failure { class, message: message.into(), column: None }
    }

    /// Of a column.
    pub fn of_column(class: Class, column: &str, message: impl Into<String>) -> Self {
        Failure { column: Some(column.to_owned()), ..Self::new(class, message) }
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> PyErr {
        let name = match failure.class {
            Class::Table => "TableError",
            Class::Settings => "SettingsError",
            Class::Statistics => "StatisticsError",
            Class::Internal => "InternalError",
        };
        Python::attach(|py| {
            let class = py.import("streamflow_ml._errors").and_then(|errors| errors.getattr(name));
            let made = class.and_then(|class| class.call1((failure.message, failure.column)));
            made.map_or_else(|error| error, PyErr::from_value)
        })
    }
}

impl From<dataset::Error> for Failure {
    fn from(error: dataset::Error) -> Self {
        let column = match &error {
            dataset::Error::Table(problem) => problem.column.clone(),
            _ => None,
        };
        Failure { class: Class::Table, message: error.to_string(), column }
    }
}

impl From<drift::Error> for Failure {
    fn from(error: drift::Error) -> Self {
        let (class, column) = match &error {
            drift::Error::UnknownMethod { .. } | drift::Error::Share { .. } => (Class::Settings, None),
            drift::Error::DuplicateColumn { name, .. }
            | drift::Error::UnequalRows { name, .. }
            | drift::Error::TooManyRows { name, .. }
            | drift::Error::Merge { name, .. } => (Class::Table, Some(name.clone())),
            _ => (Class::Table, None),
        };
        Failure { class, message: error.to_string(), column }
    }
}

impl From<compare::Error> for Failure {
    fn from(error: compare::Error) -> Self {
        match error {
            compare::Error::Table(error) => error.into(),
            compare::Error::Drift(error) => error.into(),
            compare::Error::NoColumn { ref name, .. } | compare::Error::NotCompared { ref name, .. } => {
                Failure::of_column(Class::Settings, name, error.to_string())
            }
            other => Failure::new(Class::Table, other.to_string()),
        }
    }
}

impl From<streamflow_stats::Error> for Failure {
    fn from(error: streamflow_stats::Error) -> Self {
        Failure::new(Class::Statistics, error.to_string())
    }
}

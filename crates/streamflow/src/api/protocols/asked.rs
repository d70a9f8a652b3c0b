//! What a model is asked in a protocol, and its answer: the features that it declares, a table of them scored, and the
//! answers by the names that protocols have for them.

use std::collections::HashSet;

use streamflow_dataset::Cell;
use streamflow_inference::{self as inference, Kind, Labels, Level};
use streamflow_model::{Answer, FeatureValue, Kind as VersionKind};

use super::datatype::Datatype;
use super::table::Table;
use crate::api::ApiState;
use crate::api::error::ApiError;
use crate::api::json::Json;
use crate::api::metrics::Metrics;
use crate::api::models::Target;
use crate::api::observed::{Asked, ObservedRow};
use crate::scoring::{Answers, Numbers, Refused, Rows, classes};

/// The answer of one value or class a row.
pub const PREDICT: &str = "predict";
/// The probabilities of the classes.
pub const PREDICT_PROBA: &str = "predict_proba";

/// A feature as a protocol declares it.
#[derive(Debug, PartialEq)]
pub struct Declared<'a> {
    pub name: &'a str,
    pub datatype: Datatype,
}

impl Target {
    /// The features, in the order of the model.
    pub fn declared(&self) -> Vec<Declared<'_>> {
        match self {
            Target::File(file) => {
                let inputs = file.model().inputs().iter();
                inputs.map(|input| Declared { name: &input.name, datatype: of_kind(&input.kind) }).collect()
            }
            Target::Version(serving) => {
                let features = serving.model.schema().features.iter();
                let declared = |feature: &'_ streamflow_model::Feature| of_version_kind(&feature.kind);
                features
                    .map(|feature| Declared { name: &feature.name, datatype: declared(feature) })
                    .collect()
            }
        }
    }

    /// The answers that it has with their types and columns, as no rows are answered.
    pub fn outputs(&self) -> Vec<(&'static str, Datatype, usize)> {
        let none = Rows { number: 0, is_text: false };
        let cell = |_, _| Cell::Missing;
        let answers = match self {
            Target::File(file) => none.of_file(file.model(), cell).unwrap_or_default(),
            Target::Version(serving) => none.of_version(&serving.model, cell).unwrap_or_default(),
        };
        let output = |name| {
            let output = Output::of(&answers, name)?;
            Some((name, output.datatype(), output.width()))
        };
        [PREDICT, PREDICT_PROBA].into_iter().filter_map(output).collect()
    }

    /// A table of rows that are objects; what the model does not know is left out.
    ///
    /// # Errors
    /// More rows than configured; what [`Table::of_records`] refuses.
    pub fn records<'a>(
        &self,
        records: &'a [Json<'a>],
        what: &str,
        state: &ApiState,
    ) -> Result<Table<'a>, ApiError> {
        check_rows(records.len(), state)?;
        let declared = self.declared();
        let names: HashSet<&str> = declared.iter().map(|feature| feature.name).collect();
        let has_names = match self {
            Target::File(file) => file.model().has_names(),
            Target::Version(_) => true,
        };
        // LightGBM's files have _ for a blank. Without names in the file, all columns are features.
        let is_wanted =
            |name: &str| !has_names || names.contains(name) || names.contains(&*name.replace(' ', "_"));
        Table::of_records(records, what, 2 * declared.len(), is_wanted)
    }

    /// The names of the classes, in the order of the probabilities, where they are known.
    pub fn classes(&self) -> Option<Labels> {
        match self {
            Target::File(file) => file.model().classes().cloned(),
            Target::Version(serving) => classes(&serving.model),
        }
    }

    /// The column of each feature.
    fn columns(&self, table: &Table) -> Result<Vec<usize>, ApiError> {
        let Some(names) = table.names() else {
            let declared = self.declared();
            let (expected, given) = (declared.len(), table.width());
            if expected == given || table.rows() == 0 && given == 0 {
                return Ok((0..expected).collect());
            }
            return Err(ApiError::Input(format!(
                "the model takes {expected} columns in order ({}), not {given}",
                listed(&declared)
            )));
        };
        self.named_columns(names)
    }

    /// The column of each feature among these names.
    ///
    /// # Errors
    /// A feature without a column, and one with several.
    pub fn named_columns(&self, names: &[&str]) -> Result<Vec<usize>, ApiError> {
        let columns = match self {
            Target::File(file) => file.model().columns(names),
            Target::Version(_) => {
                let declared = self.declared();
                let features: Vec<&str> = declared.iter().map(|feature| feature.name).collect();
                inference::columns(&features, names, &[], false)
            }
        };
        columns.map_err(|error| ApiError::Input(error.to_string()))
    }

    /// Answers the rows of a table, and counts the answers.
    ///
    /// # Errors
    /// More rows than configured, a feature without a column, a value that the model does not take.
    pub fn score(&self, table: &Table, state: &ApiState, asked: &Asked) -> Result<Answers, ApiError> {
        check_rows(table.rows(), state)?;
        let columns = self.columns(table)?;
        let rows = Rows { number: table.rows(), is_text: table.is_text };
        let cell = |row, column: usize| -> Cell { table.cell(row, columns[column]) };
        let answers = self.answers(rows, cell, state, asked);
        let answers = answers.map_err(|Refused { row, error }| {
            ApiError::Input(match row {
                Some(row) => format!("row {row}: {error}"),
                None => error.to_string(),
            })
        })?;
        self.count(&answers, &state.0.metrics);
        Ok(answers)
    }

    /// Answers of rows, told of those of a version.
    ///
    /// # Errors
    /// The row with a value that the model does not take, where it is one, and the reason.
    pub fn answers<'a>(
        &self,
        rows: Rows,
        cell: impl Fn(usize, usize) -> Cell<'a>,
        state: &ApiState,
        asked: &Asked,
    ) -> Result<Answers, Refused> {
        let serving = match self {
            Target::File(file) => return rows.of_file(file.model(), cell),
            Target::Version(serving) => serving,
        };
        let mut tell = |features: &[FeatureValue], answer: &Answer| {
            let features_sent = features.len();
            let (features, answer) = (Some(features), Some(answer));
            let row =
                ObservedRow { asked, serving, entity: None, features, features_sent, answer, status: 200 };
            state.observers().into_iter().for_each(|observers| observers.row(&row));
        };
        let is_told = state.observers().is_some();
        rows.of_version_shown(&serving.model, cell, is_told.then_some(&mut tell))
    }

    /// Counts what was answered by its task, as for `POST /predict`.
    pub fn count(&self, answers: &Answers, metrics: &Metrics) {
        let of_class = |class: &str| match self {
            Target::File(_) => metrics.count_class_of_file(class),
            Target::Version(_) => metrics.count_class(class),
        };
        match (&answers.probability, &answers.value, &answers.label) {
            (Some(Numbers { columns, .. }), _, label) if columns.len() == 2 => {
                for (row, probability) in columns[1].iter().enumerate() {
                    let is_positive = match label {
                        Some(Labels::Integers(labels)) if matches!(labels.get(row), Some(0 | 1)) => {
                            labels[row] == 1
                        }
                        _ => *probability > 0.5,
                    };
                    metrics.count_prediction(*probability, is_positive);
                }
            }
            (Some(_), _, Some(Labels::Texts(labels))) => labels.iter().for_each(|class| of_class(class)),
            (Some(_), _, Some(Labels::Integers(labels))) => {
                labels.iter().for_each(|class| of_class(&class.to_string()));
            }
            (None, Some(Numbers { columns, .. }), _) if columns.len() == 1 => {
                columns[0].iter().for_each(|value| metrics.count_value(*value));
            }
            _ => {}
        }
    }
}

/// Refuses more rows than configured.
///
/// # Errors
/// The number and the limit.
pub fn check_rows(rows: usize, state: &ApiState) -> Result<(), ApiError> {
    let limit = state.0.settings.batch_limit.get();
    if rows > limit {
        return Err(ApiError::Input(format!(
            "{rows} rows are too many for one request; expected at most {limit} (api.batch_limit)"
        )));
    }
    Ok(())
}

fn listed(declared: &[Declared]) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = declared.iter().take(SHOWN).map(|feature| feature.name).collect();
    format!("{}{}", names.join(", "), if declared.len() > SHOWN { ", …" } else { "" })
}

fn of_kind(kind: &Kind) -> Datatype {
    match kind {
        Kind::Integer | Kind::Code => Datatype::Int64,
        Kind::Boolean => Datatype::Bool,
        Kind::Levels(levels) if levels.levels().iter().all(|level| matches!(level, Level::Integer(_))) => {
            Datatype::Int64
        }
        Kind::Levels(levels) if levels.levels().iter().all(|level| matches!(level, Level::Boolean(_))) => {
            Datatype::Bool
        }
        Kind::Levels(_) | Kind::Text => Datatype::Bytes,
        _ => Datatype::Fp64,
    }
}

fn of_version_kind(kind: &VersionKind) -> Datatype {
    match kind {
        VersionKind::Categorical { levels }
            if levels.iter().all(|level| matches!(level.name.as_str(), "true" | "false")) =>
        {
            Datatype::Bool
        }
        VersionKind::Categorical { .. } => Datatype::Bytes,
        VersionKind::Numerical => Datatype::Fp64,
    }
}

/// One answer, by the name that was asked for.
#[derive(Debug, Clone, Copy)]
pub enum Output<'a> {
    Labels(&'a Labels),
    /// The class with the greatest probability, where classes have no names.
    Greatest(&'a Numbers),
    Numbers(&'a Numbers),
}

impl<'a> Output<'a> {
    /// An answer; `None` where the model does not have it.
    pub fn of(answers: &'a Answers, name: &str) -> Option<Self> {
        match name {
            PREDICT_PROBA => answers.probability.as_ref().map(Output::Numbers),
            PREDICT => {
                let label = answers.label.as_ref().map(Output::Labels);
                let value = || answers.value.as_ref().map(Output::Numbers);
                let greatest = || answers.probability.as_ref().map(Output::Greatest);
                let margin = || answers.margin.as_ref().map(Output::Numbers);
                label.or_else(value).or_else(greatest).or_else(margin)
            }
            _ => None,
        }
    }

    /// Number of columns.
    pub fn width(self) -> usize {
        match self {
            Output::Numbers(numbers) => numbers.columns.len().max(1),
            Output::Labels(_) | Output::Greatest(_) => 1,
        }
    }

    /// The type of its values.
    pub fn datatype(self) -> Datatype {
        match self {
            Output::Numbers(numbers) if numbers.is_single => Datatype::Fp32,
            Output::Numbers(_) => Datatype::Fp64,
            Output::Labels(Labels::Texts(_)) => Datatype::Bytes,
            Output::Labels(Labels::Integers(_)) | Output::Greatest(_) => Datatype::Int64,
        }
    }

    /// A value.
    pub fn cell(self, row: usize, column: usize) -> Cell<'a> {
        match self {
            Output::Numbers(numbers) => Cell::Float(numbers.columns[column][row]),
            Output::Labels(Labels::Integers(labels)) => Cell::Integer(labels[row]),
            Output::Labels(Labels::Texts(labels)) => Cell::Text(&labels[row]),
            Output::Greatest(numbers) => {
                let at = |column: usize| numbers.columns[column][row];
                let greatest = (0..numbers.columns.len())
                    .fold(0, |best, column| if at(column) > at(best) { column } else { best });
                Cell::Integer(greatest as i64)
            }
        }
    }
}

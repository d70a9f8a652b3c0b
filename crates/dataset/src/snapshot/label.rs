//! What the model predicts: the column of the label, and what its values mean.

use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::column_type::ColumnType;
use crate::snapshot::expectations::Scalar;

/// The most classes that a label may have.
pub const MAX_CLASSES: usize = 100;

/// Where the label is, and what it means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The table.
    pub table: String,
    /// Its column.
    pub column: String,
    /// What the model predicts of it.
    #[serde(default, skip_serializing_if = "LabelTask::is_binary")]
    pub task: LabelTask,
    /// The value that counts as true; none of a boolean column, whose true does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<Scalar>,
    /// The classes there may be, in their order; empty: those that are found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Scalar>,
}

/// What is predicted of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelTask {
    /// Whether it is true.
    #[default]
    Binary,
    /// Which of several classes it is.
    Multiclass,
    /// How large the number is.
    Regression,
}

impl LabelTask {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_binary(&self) -> bool {
        *self == LabelTask::Binary
    }

    /// The word that it is written as.
    pub fn name(self) -> &'static str {
        match self {
            LabelTask::Binary => "binary",
            LabelTask::Multiclass => "multiclass",
            LabelTask::Regression => "regression",
        }
    }
}

impl Label {
    /// The names of the declared classes.
    pub fn class_names(&self) -> Vec<String> {
        self.classes.iter().map(Scalar::name).collect()
    }

    /// What is wrong with the label of a column of this type, in words that follow `label.`.
    pub(crate) fn problems(&self, column_type: ColumnType) -> Vec<String> {
        let mut problems = Vec::new();
        let (column, found) = (&self.column, column_type.name());
        let is_number = matches!(column_type, ColumnType::Integer | ColumnType::Float);
        match self.task {
            LabelTask::Binary if self.positive.is_none() && column_type != ColumnType::Boolean => {
                problems.push(format!(
                    "column = {column:?} is {found}; expected a boolean column (0 and 1 are read as booleans too), or the value that counts as true as label.positive, or label.task = \"multiclass\" or \"regression\""
                ));
            }
            LabelTask::Regression if !is_number => problems.push(format!(
                "column = {column:?} is {found}, and label.task is \"regression\"; expected an integer or float column, or another task"
            )),
            LabelTask::Multiclass if column_type == ColumnType::Date => problems.push(format!(
                "column = {column:?} is a date, and label.task is \"multiclass\"; expected a string, integer, float or boolean column"
            )),
            _ => {}
        }
        if let Some(positive) = &self.positive {
            if self.task != LabelTask::Binary {
                let task = self.task.name();
                problems.push(format!(
                    "positive is given, and label.task is {task:?}; remove it, or set the task \"binary\""
                ));
            } else if !positive.fits(column_type) {
                problems.push(format!(
                    "positive = {positive} is no value of {column:?}, which is {found}; expected the value that counts as true"
                ));
            }
        }
        self.check_classes(column_type, &mut problems);
        problems
    }

    fn check_classes(&self, column_type: ColumnType, problems: &mut Vec<String>) {
        let (column, found, count) = (&self.column, column_type.name(), self.classes.len());
        if count == 0 {
            return;
        }
        if self.task != LabelTask::Multiclass {
            let task = self.task.name();
            problems.push(format!(
                "classes are given, and label.task is {task:?}; remove them, or set the task \"multiclass\""
            ));
            return;
        }
        if let Some(class) = self.classes.iter().find(|class| !class.fits(column_type)) {
            problems.push(format!(
                "classes has {class}, which is no value of {column:?}, a column of the type {found}"
            ));
        }
        let names = self.class_names();
        if let Some(name) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            problems.push(format!("classes has {:?} twice; name each class once", name.1));
        }
        if !(2..=MAX_CLASSES).contains(&count) {
            problems.push(format!(
                "classes has {count} of them; expected 2 to {MAX_CLASSES} (set label.task = \"regression\" for amounts)"
            ));
        }
    }
}

/// The name of a class that a cell is; none where it is missing.
pub(crate) fn class_name(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Missing => None,
        // As a column of a frame says it, without the fraction of a whole number.
        Cell::Float(number) => Some(number.to_string()),
        Cell::Integer(number) => Some(number.to_string()),
        Cell::Boolean(value) => Some(value.to_string()),
        Cell::Text(text) => Some(text.to_owned()),
        Cell::Date(days) => Some(crate::cell::date_text(days)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(toml: &str) -> Label {
        toml::from_str(&format!("table = \"labels\"\ncolumn = \"y\"\n{toml}")).unwrap()
    }

    #[test]
    fn what_a_label_cannot_be_is_named() {
        let check = |toml: &str, column_type: ColumnType, expected: &[&str]| {
            let problems = label(toml).problems(column_type);
            assert_eq!(problems.len(), expected.len(), "{problems:?}");
            for (problem, expected) in problems.iter().zip(expected) {
                assert!(problem.contains(expected), "{problem}");
            }
        };
        check("", ColumnType::Boolean, &[]);
        check("", ColumnType::String, &["is string; expected a boolean column"]);
        check("positive = \"Yes\"", ColumnType::String, &[]);
        check("positive = 2", ColumnType::Integer, &[]);
        check("positive = \"Yes\"", ColumnType::Integer, &["positive = \"Yes\" is no value of \"y\""]);
        check("task = \"regression\"", ColumnType::Float, &[]);
        check("task = \"regression\"", ColumnType::String, &["expected an integer or float column"]);
        check("task = \"regression\"\npositive = 1", ColumnType::Float, &["remove it, or set the task"]);
        check("task = \"multiclass\"", ColumnType::Integer, &[]);
        check("task = \"multiclass\"", ColumnType::Date, &["is a date"]);
        check("task = \"multiclass\"\nclasses = [\"a\", \"b\"]", ColumnType::String, &[]);
        check("task = \"multiclass\"\nclasses = [\"a\"]", ColumnType::String, &["has 1 of them"]);
        check(
            "task = \"multiclass\"\nclasses = [1, 1, \"a\"]",
            ColumnType::Integer,
            &["classes has \"a\", which is no value", "has \"1\" twice"],
        );
        check("classes = [true, false]", ColumnType::Boolean, &["remove them, or set the task"]);
    }

    #[test]
    fn the_word_of_a_task_is_the_one_that_is_read() {
        for task in [LabelTask::Binary, LabelTask::Multiclass, LabelTask::Regression] {
            assert_eq!(label(&format!("task = {:?}", task.name())).task, task);
        }
        let wrong = toml::from_str::<Label>("table = \"t\"\ncolumn = \"y\"\ntask = \"ranking\"");
        assert!(wrong.unwrap_err().to_string().contains("expected one of `binary`"));
    }
}

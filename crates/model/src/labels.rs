//! What a model learns: a label of each row, of the task's kind.

use std::collections::BTreeSet;

use streamflow_performance::row_class_loss;

use crate::features::append_codes;
use crate::{MISSING, Task, largest};

/// The labels of a table, one per row.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// True or false; `None` is missing.
    Binary(Vec<Option<bool>>),
    /// One of several classes.
    Multiclass {
        /// One index into `classes`, or [`MISSING`], per row.
        codes: Vec<u32>,
        /// The names of the classes; those without rows are no classes of the model.
        classes: Vec<String>,
    },
    /// Numbers; NaN is missing.
    Regression(Vec<f64>),
}

impl From<Vec<Option<bool>>> for Labels {
    fn from(labels: Vec<Option<bool>>) -> Labels {
        Labels::Binary(labels)
    }
}

impl Labels {
    /// What a model that learns these predicts.
    pub fn task(&self) -> Task {
        match self {
            Labels::Binary(_) => Task::Binary,
            Labels::Multiclass { .. } => Task::Multiclass,
            Labels::Regression(_) => Task::Regression,
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Labels::Binary(labels) => labels.len(),
            Labels::Multiclass { codes, .. } => codes.len(),
            Labels::Regression(numbers) => numbers.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the row has a label.
    pub fn is_known(&self, row: usize) -> bool {
        match self {
            Labels::Binary(labels) => labels[row].is_some(),
            Labels::Multiclass { codes, .. } => codes[row] != MISSING,
            Labels::Regression(numbers) => !numbers[row].is_nan(),
        }
    }

    /// The labels of several tables, one after another; none of different tasks, or of no table.
    pub fn concat(tables: &[Labels]) -> Option<Labels> {
        let (first, others) = tables.split_first()?;
        let mut all = first.clone();
        for more in others {
            match (&mut all, more) {
                (Labels::Binary(all), Labels::Binary(more)) => all.extend(more),
                (Labels::Regression(all), Labels::Regression(more)) => all.extend(more),
                (
                    Labels::Multiclass { codes: all, classes },
                    Labels::Multiclass { codes, classes: names },
                ) => append_codes((all, classes), (codes, names)),
                _ => return None,
            }
        }
        Some(all)
    }

    /// The labels of these rows, in their order.
    pub fn select(&self, rows: &[usize]) -> Labels {
        match self {
            Labels::Binary(labels) => Labels::Binary(rows.iter().map(|&row| labels[row]).collect()),
            Labels::Multiclass { codes, classes } => Labels::Multiclass {
                codes: rows.iter().map(|&row| codes[row]).collect(),
                classes: classes.clone(),
            },
            Labels::Regression(numbers) => Labels::Regression(rows.iter().map(|&row| numbers[row]).collect()),
        }
    }
}

/// Labels as trees learn them: numbers, which of a row without a label nobody reads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    /// 1 or 0 for true or false, the index of the class, or the number.
    pub values: Vec<f64>,
    /// The names of the classes of a classifier of several classes; else empty.
    pub classes: Vec<String>,
    pub task: Task,
}

impl Target {
    /// The target of a model that is trained on these rows; a class without one of them is none of the model, and its rows
    /// are NaN.
    pub fn of_training(labels: &Labels, rows: &[usize]) -> Target {
        let (values, classes) = match labels {
            Labels::Binary(labels) => {
                let value = |label: &Option<bool>| f64::from(u8::from(label.unwrap_or(false)));
                (labels.iter().map(value).collect(), Vec::new())
            }
            Labels::Multiclass { codes, classes } => {
                let trained: BTreeSet<u32> =
                    rows.iter().map(|&row| codes[row]).filter(|code| *code != MISSING).collect();
                let place = |code: &u32| trained.iter().position(|known| known == code);
                let value = |code: &u32| place(code).map_or(f64::NAN, |place| place as f64);
                let names = trained.iter().map(|&code| classes[code as usize].clone()).collect();
                (codes.iter().map(value).collect(), names)
            }
            Labels::Regression(numbers) => (numbers.clone(), Vec::new()),
        };
        Target { values, classes, task: labels.task() }
    }
}

/// The labelled rows of a table, as a model of several classes is judged on them.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassRows {
    /// The classes of the model, then those of the table that it does not know.
    pub classes: Vec<String>,
    /// The place of each labelled row in the table.
    pub rows: Vec<usize>,
    /// The class of each, as an index into `classes`.
    pub actual: Vec<usize>,
    /// The probability of each class, 0 of those that the model does not know.
    pub probabilities: Vec<Vec<f64>>,
}

impl ClassRows {
    /// Of a model's classes and probabilities, and the codes of a table whose classes may be others.
    pub fn new(known: &[String], probabilities: &[Vec<f64>], codes: &[u32], names: &[String]) -> ClassRows {
        let mut classes = known.to_vec();
        let rows: Vec<usize> = (0..codes.len()).filter(|&row| codes[row] != MISSING).collect();
        let mut places = vec![None; names.len()];
        for &row in &rows {
            let code = codes[row] as usize;
            if places[code].is_none() {
                places[code] = classes.iter().position(|class| *class == names[code]).or_else(|| {
                    classes.push(names[code].clone());
                    Some(classes.len() - 1)
                });
            }
        }
        let actual = rows.iter().filter_map(|&row| places[codes[row] as usize]).collect();
        let padded = rows.iter().map(|&row| {
            let mut row = probabilities[row].clone();
            row.resize(classes.len(), 0.0);
            row
        });
        ClassRows { probabilities: padded.collect(), classes, rows, actual }
    }

    /// The log loss of each labelled row.
    pub fn log_losses(&self) -> impl Iterator<Item = f64> {
        self.actual.iter().zip(&self.probabilities).map(|(&class, row)| row_class_loss(class, row))
    }

    /// Whether the class with the largest probability is the right one, of each labelled row.
    pub fn are_right(&self) -> impl Iterator<Item = bool> {
        self.actual.iter().zip(&self.probabilities).map(|(&class, row)| largest(row) == class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_a_model_does_not_know_come_after_its_own() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let probabilities = vec![vec![0.9, 0.1]; 4];
        let found = ClassRows::new(
            &names(&["a", "c"]),
            &probabilities,
            &[1, MISSING, 2, 0],
            &names(&["c", "b", "a"]),
        );
        assert_eq!(found.classes, ["a", "c", "b"]);
        assert_eq!((found.rows, found.actual), (vec![0, 2, 3], vec![2, 0, 1]));
        assert_eq!(found.probabilities[0], [0.9, 0.1, 0.0]);
    }

    #[test]
    fn tables_follow_one_another() {
        let of = |codes: &[u32], classes: &[&str]| Labels::Multiclass {
            codes: codes.to_vec(),
            classes: classes.iter().map(|&class| class.to_owned()).collect(),
        };
        let both = Labels::concat(&[of(&[0, 1], &["a", "b"]), of(&[0, MISSING], &["c"])]);
        assert_eq!(both, Some(of(&[0, 1, 2, MISSING], &["a", "b", "c"])));
        assert_eq!(Labels::concat(&[of(&[], &[]), Labels::Regression(vec![])]), None);
        assert_eq!(Labels::concat(&[]), None);
    }

    #[test]
    fn only_classes_with_rows_are_learned() {
        let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
        let labels = Labels::Multiclass { codes: vec![2, MISSING, 0, 2], classes };
        let target = Target::of_training(&labels, &[0, 2]);
        assert_eq!(target.classes, ["a", "c"]);
        assert!(target.values[1].is_nan());
        assert_eq!([target.values[0], target.values[2], target.values[3]], [1.0, 0.0, 1.0]);
        assert!(labels.is_known(0) && !labels.is_known(1));
        let Labels::Multiclass { codes, .. } = labels.select(&[3, 1]) else { panic!() };
        assert_eq!(codes, [2, MISSING]);
    }
}

//! Whether the values of the label are such as the task takes.

use std::collections::BTreeSet;

use crate::cell::{Cell, shorten};
use crate::problem::{ProblemKind, nearest};
use crate::snapshot::label::{Label, LabelTask, MAX_CLASSES, class_name};
use crate::snapshot::rows::{Problems, Rows, Target};

/// Looks at the label of every row of its table.
pub(super) struct LabelCheck<'a> {
    label: &'a Label,
    /// The value that counts as true.
    positive: Option<String>,
    /// The classes that are declared.
    declared: Vec<String>,
    /// The classes seen, until there are too many.
    seen: BTreeSet<String>,
}

impl<'a> LabelCheck<'a> {
    /// None for a table without the label.
    pub(super) fn new(label: &'a Label, table: &str) -> Option<Self> {
        let positive = label.positive.as_ref().map(|value| value.name());
        let declared = label.class_names();
        (label.table == table).then(|| Self { label, positive, declared, seen: BTreeSet::new() })
    }

    pub(super) fn add(&mut self, rows: &Rows, target: &Target, problems: &mut Problems) {
        // Booleans are true or false, and nothing else is asked of them.
        if self.label.task == LabelTask::Binary && self.positive.is_none() {
            return;
        }
        let cells = rows.cells(&self.label.column);
        for row in 0..rows.batch.num_rows() {
            if let Some(kind) = self.problem(cells.get(row)) {
                problems.push(target.problem_of_row(rows, row, &self.label.column, kind));
            }
        }
    }

    fn problem(&mut self, cell: Cell<'_>) -> Option<ProblemKind> {
        match (self.label.task, cell) {
            (LabelTask::Regression, Cell::Float(number)) if !number.is_finite() => {
                Some(ProblemKind::NotFinite { value: number.to_string() })
            }
            (LabelTask::Regression, _) => None,
            (LabelTask::Binary, cell) => self.third_value(class_name(cell)?),
            (LabelTask::Multiclass, cell) => self.class(class_name(cell)?),
        }
    }

    /// A value that is neither the one that counts as true nor the only other one.
    fn third_value(&mut self, name: String) -> Option<ProblemKind> {
        let positive = self.positive.as_deref().filter(|positive| *positive != name)?;
        match self.seen.first() {
            None => self.seen.insert(name),
            Some(negative) if *negative == name => return None,
            Some(negative) => {
                let (positive, negative) = (positive.to_owned(), shorten(negative));
                return Some(ProblemKind::ThirdLabel { value: shorten(&name), positive, negative });
            }
        };
        None
    }

    fn class(&mut self, name: String) -> Option<ProblemKind> {
        if !self.declared.is_empty() {
            let known = || self.declared.iter().map(String::as_str);
            let is_known = known().any(|class| class == name);
            let nearest = nearest(&name, known());
            return (!is_known).then(|| ProblemKind::UnknownClass { value: shorten(&name), nearest });
        }
        if self.seen.len() > MAX_CLASSES || !self.seen.insert(name) {
            return None;
        }
        // Told once, at the first class too many.
        (self.seen.len() > MAX_CLASSES).then_some(ProblemKind::TooManyClasses { most: MAX_CLASSES })
    }
}

//! Trees alone: a fit without a schema, a split or a choice of settings, to be held beside other libraries.

use crate::boosting::{self, BinnedRows, Labels, Loss, Rounds, TrainingData, TreeSettings};
use crate::ensemble::Ensemble;
use crate::settings::TrainSettings;
use crate::{Error, Task};

/// Gradient boosted trees over columns of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Trees {
    ensemble: Ensemble,
}

impl Trees {
    /// Fits so many trees to labels of two classes (1 and 0) or to numbers. Columns have a value for each label, NaN where it
    /// is missing; values share at most 255 bins.
    ///
    /// # Errors
    /// [`Error::NotForTask`] of several classes, [`Error::RowCount`] of a column that is not as long as the labels, and
    /// [`Error::NoRows`].
    pub fn fit(
        columns: &[Vec<f64>],
        labels: &[f64],
        task: Task,
        rounds: usize,
        tree: &TreeSettings,
    ) -> Result<Trees, Error> {
        if task == Task::Multiclass {
            return Err(Error::NotForTask { setting: "Trees", task });
        }
        if labels.is_empty() {
            return Err(Error::NoRows);
        }
        if let Some(at) = columns.iter().position(|column| column.len() != labels.len()) {
            let (expected, given) = (labels.len(), columns[at].len());
            return Err(Error::RowCount { what: format!("column {at}"), expected, given });
        }
        let bins = BinnedRows::new(columns, usize::from(TrainSettings::default().max_bins));
        let labels = Labels { values: labels, weights: None };
        let data = TrainingData { bins: &bins, labels, n_features: columns.len(), monotone: &[] };
        let mut fit = boosting::fit(data, Loss::of(task, 0), tree, &Rounds::Exactly(rounds));
        let ensemble = fit.ensembles.pop().ok_or(Error::NoRows)?;
        Ok(Trees { ensemble })
    }

    /// The log-odds or the number of each of so many rows; columns are in the order of the fit.
    pub fn scores(&self, columns: &[Vec<f64>], rows: usize) -> Vec<f64> {
        self.ensemble.column_scores(columns, rows)
    }
}

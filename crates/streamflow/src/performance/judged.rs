//! The rows that judge a version, by what it predicts.

use anyhow::bail;
use streamflow_model::{Answers, ClassRows, Labels, Task};
use streamflow_performance::{Rows, row_log_loss};

/// Labels and answers of the same rows.
pub enum Judged {
    Binary(Rows),
    Multiclass(Classes),
    Regression(Numbers),
}

/// Rows of a classifier of several classes.
pub struct Classes {
    /// The probability of each class that the version knows, of all rows, with and without a label.
    pub probabilities: Vec<Vec<f64>>,
    /// Those with one.
    pub labelled: ClassRows,
    /// How many of the classes the version knows: the first ones.
    pub known: usize,
}

/// Rows of a regression.
pub struct Numbers {
    /// NaN where the label is missing.
    pub truths: Vec<f64>,
    pub predictions: Vec<f64>,
}

impl Judged {
    /// # Errors
    /// Labels of another task than the answers.
    pub fn new(labels: Labels, answers: Answers, classes: &[String], threshold: f64) -> anyhow::Result<Self> {
        Ok(match (labels, answers) {
            (Labels::Binary(labels), Answers::Probability(scores)) => {
                Self::Binary(Rows::at_threshold(labels, scores, threshold)?)
            }
            (Labels::Multiclass { codes, classes: names }, Answers::Probabilities(probabilities)) => {
                let labelled = ClassRows::new(classes, &probabilities, &codes, &names);
                Self::Multiclass(Classes { probabilities, labelled, known: classes.len() })
            }
            (Labels::Regression(truths), Answers::Value(predictions)) => {
                if let Some(value) = predictions.iter().find(|value| !value.is_finite()) {
                    bail!("the model predicts {value} for a row; expected a finite number");
                }
                Self::Regression(Numbers { truths, predictions })
            }
            (labels, _) => bail!("the labels are for {}, and the answers are not", labels.task().words()),
        })
    }

    pub fn task(&self) -> Task {
        match self {
            Self::Binary(_) => Task::Binary,
            Self::Multiclass(_) => Task::Multiclass,
            Self::Regression(_) => Task::Regression,
        }
    }

    pub fn labelled(&self) -> usize {
        match self {
            Self::Binary(rows) => rows.labelled(),
            Self::Multiclass(classes) => classes.labelled.rows.len(),
            Self::Regression(numbers) => numbers.truths.iter().filter(|truth| !truth.is_nan()).count(),
        }
    }

    /// The loss of each row, NaN where a label is missing: the log loss of a classifier, the size of the error of a
    /// regression.
    pub fn losses(&self) -> Vec<f64> {
        match self {
            Self::Binary(rows) => {
                let loss = |(label, &score): (&Option<bool>, &f64)| {
                    label.map_or(f64::NAN, |label| row_log_loss(label, score))
                };
                rows.labels().iter().zip(rows.scores()).map(loss).collect()
            }
            Self::Multiclass(classes) => {
                let mut losses = vec![f64::NAN; classes.probabilities.len()];
                for (row, loss) in classes.labelled.rows.iter().zip(classes.labelled.log_losses()) {
                    losses[*row] = loss;
                }
                losses
            }
            Self::Regression(numbers) => {
                let pairs = numbers.truths.iter().zip(&numbers.predictions);
                pairs.map(|(truth, prediction)| (truth - prediction).abs()).collect()
            }
        }
    }
}

/// What [`Judged::losses`] are called.
pub fn loss_words(task: Task) -> &'static str {
    match task {
        Task::Binary | Task::Multiclass => "log loss",
        Task::Regression => "absolute error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_label_have_no_loss() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let labels =
            Labels::Multiclass { codes: vec![1, streamflow_model::MISSING, 0], classes: names(&["b", "a"]) };
        let answers = Answers::Probabilities(vec![vec![0.5, 0.5], vec![1.0, 0.0], vec![0.75, 0.25]]);
        let judged = Judged::new(labels, answers, &names(&["a", "b"]), 0.5).unwrap();
        let losses = judged.losses();
        assert!((losses[0] - 2.0_f64.ln()).abs() < 1e-12 && losses[1].is_nan());
        assert!((losses[2] - 4.0_f64.ln()).abs() < 1e-12);
        assert_eq!((losses.len(), judged.labelled()), (3, 2));
        let numbers =
            Judged::new(Labels::Regression(vec![1.0, f64::NAN]), Answers::Value(vec![3.0, 1.0]), &[], 0.5);
        let numbers = numbers.unwrap();
        assert!(numbers.losses()[0] == 2.0 && numbers.losses()[1].is_nan() && numbers.labelled() == 1);
    }

    #[test]
    fn labels_and_answers_of_other_tasks_are_named() {
        let error = |labels: Labels, answers: Answers| {
            Judged::new(labels, answers, &[], 0.5).err().unwrap().to_string()
        };
        let other = error(Labels::Regression(vec![1.0]), Answers::Probability(vec![0.5]));
        assert_eq!(other, "the labels are for a regression, and the answers are not");
        let infinite = error(Labels::Regression(vec![1.0]), Answers::Value(vec![f64::INFINITY]));
        assert_eq!(infinite, "the model predicts inf for a row; expected a finite number");
    }
}

//! The trees of a model, by its task: one ensemble, or one for each class.

use crate::Task;
use crate::ensemble::{Ensemble, sigmoid};

/// What trained trees predict with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Boosters {
    /// Log-odds of the label being true.
    Binary(Ensemble),
    /// For each class its log-odds against all others, at least two of them.
    Multiclass(Vec<Ensemble>),
    /// The number itself.
    Regression(Ensemble),
}

/// What a model says of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The probability of the positive class.
    Probability(f64),
    /// The probability of each class; they sum to 1.
    Probabilities(Vec<f64>),
    /// The number.
    Value(f64),
}

/// What a model says of many rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Answers {
    /// The probability of the positive class, one per row.
    Probability(Vec<f64>),
    /// The probabilities of the classes, one list per row.
    Probabilities(Vec<Vec<f64>>),
    /// The numbers, one per row.
    Value(Vec<f64>),
}

impl Answers {
    /// No answers of that task.
    pub(crate) fn of(task: Task, rows: usize) -> Answers {
        match task {
            Task::Binary => Answers::Probability(Vec::with_capacity(rows)),
            Task::Multiclass => Answers::Probabilities(Vec::with_capacity(rows)),
            Task::Regression => Answers::Value(Vec::with_capacity(rows)),
        }
    }

    /// Adds an answer of the same task; another is left out, which the length shows.
    pub(crate) fn push(&mut self, answer: Answer) {
        match (self, answer) {
            (Answers::Probability(all), Answer::Probability(one)) => all.push(one),
            (Answers::Probabilities(all), Answer::Probabilities(one)) => all.push(one),
            (Answers::Value(all), Answer::Value(one)) => all.push(one),
            _ => {}
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Answers::Probability(all) | Answers::Value(all) => all.len(),
            Answers::Probabilities(all) => all.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The answers to these rows, in their order.
    pub fn select(&self, rows: &[usize]) -> Answers {
        let pick = |all: &[f64]| rows.iter().map(|&row| all[row]).collect();
        match self {
            Answers::Probability(all) => Answers::Probability(pick(all)),
            Answers::Value(all) => Answers::Value(pick(all)),
            Answers::Probabilities(all) => {
                Answers::Probabilities(rows.iter().map(|&row| all[row].clone()).collect())
            }
        }
    }
}

impl Boosters {
    pub fn new(task: Task, mut ensembles: Vec<Ensemble>) -> Option<Boosters> {
        match task {
            Task::Multiclass => (ensembles.len() > 1).then_some(Boosters::Multiclass(ensembles)),
            _ if ensembles.len() != 1 => None,
            Task::Binary => ensembles.pop().map(Boosters::Binary),
            Task::Regression => ensembles.pop().map(Boosters::Regression),
        }
    }

    pub fn task(&self) -> Task {
        match self {
            Boosters::Binary(_) => Task::Binary,
            Boosters::Multiclass(_) => Task::Multiclass,
            Boosters::Regression(_) => Task::Regression,
        }
    }

    pub fn ensembles(&self) -> &[Ensemble] {
        match self {
            Boosters::Binary(ensemble) | Boosters::Regression(ensemble) => std::slice::from_ref(ensemble),
            Boosters::Multiclass(ensembles) => ensembles,
        }
    }

    pub fn trees(&self) -> usize {
        self.ensembles().iter().map(|ensemble| ensemble.roots.len()).sum()
    }

    /// The answer to an encoded row.
    pub fn answer(&self, row: &[f64]) -> Answer {
        match self {
            Boosters::Binary(ensemble) => Answer::Probability(sigmoid(ensemble.score(row))),
            Boosters::Regression(ensemble) => Answer::Value(ensemble.score(row)),
            Boosters::Multiclass(ensembles) => Answer::Probabilities(normalised(
                ensembles.iter().map(|ensemble| ensemble.score(row)).collect(),
            )),
        }
    }

    /// Adds the answers to encoded rows, which lie one after another.
    pub fn answer_rows(&self, rows: &[f64], answers: &mut Answers) {
        let scores: Vec<Vec<f64>> = self.ensembles().iter().map(|ensemble| ensemble.scores(rows)).collect();
        for row in 0..scores.first().map_or(0, Vec::len) {
            answers.push(match self {
                Boosters::Binary(_) => Answer::Probability(sigmoid(scores[0][row])),
                Boosters::Regression(_) => Answer::Value(scores[0][row]),
                Boosters::Multiclass(_) => {
                    Answer::Probabilities(normalised(scores.iter().map(|of_class| of_class[row]).collect()))
                }
            });
        }
    }
}

/// Probabilities of the classes from their log-odds against all others: each as a probability, divided by their sum.
pub(crate) fn normalised(mut scores: Vec<f64>) -> Vec<f64> {
    scores.iter_mut().for_each(|score| *score = sigmoid(*score));
    let sum: f64 = scores.iter().sum();
    let classes = scores.len() as f64;
    // Where every class is denied beyond the smallest number, none is more likely than another.
    scores.iter_mut().for_each(|score| *score = if sum > 0.0 { *score / sum } else { 1.0 / classes });
    scores
}

/// The class with the largest probability, the first of several.
pub fn largest(probabilities: &[f64]) -> usize {
    (0..probabilities.len())
        .fold(0, |best, class| if probabilities[class] > probabilities[best] { class } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one_also_at_the_ends() {
        for scores in [vec![0.0, 0.0, 0.0], vec![800.0, -800.0], vec![-800.0, -801.0], vec![1.0, -2.0, 0.5]] {
            let found = normalised(scores.clone());
            assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{scores:?} {found:?}");
            assert!(found.iter().all(|p| (0.0..=1.0).contains(p)));
        }
        assert_eq!((largest(&[0.2, 0.4, 0.4]), largest(&[])), (1, 0));
    }
}

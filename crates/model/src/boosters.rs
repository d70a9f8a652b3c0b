//! The trees of a model, by its task: one ensemble, or one for each class.

use streamflow_inference::TreeSum;

use crate::Task;
use crate::ensemble::{Ensemble, sigmoid};
use crate::isotonic::IsotonicCalibrated;

/// How scores become an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// One score, the log-odds of the label being true.
    LogOdds,
    /// A score of each class, its log-odds against all others: each as a probability, divided by their sum. Trained so by
    /// the versions of the program whose files have the format 2.
    OneVersusRest,
    /// A score of each class, the logarithm of its probability but for a number that all have in common.
    Softmax,
    /// One score, the number itself.
    Identity,
}

/// What trained trees predict with.
#[derive(Debug, Clone)]
pub(crate) struct Boosters {
    link: Link,
    /// One for each score.
    ensembles: Vec<Ensemble>,
    /// The same, for many rows.
    sums: Vec<TreeSum>,
    /// What becomes of a probability of two classes.
    isotonic: Option<IsotonicCalibrated>,
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

/// The sums follow from the ensembles, and keep what they were asked for.
impl PartialEq for Boosters {
    fn eq(&self, other: &Boosters) -> bool {
        self.link == other.link && self.ensembles == other.ensembles && self.isotonic == other.isotonic
    }
}

impl Link {
    pub fn task(self) -> Task {
        match self {
            Link::LogOdds => Task::Binary,
            Link::OneVersusRest | Link::Softmax => Task::Multiclass,
            Link::Identity => Task::Regression,
        }
    }

    /// What a new model of a task has.
    pub fn of(task: Task) -> Link {
        match task {
            Task::Binary => Link::LogOdds,
            Task::Multiclass => Link::Softmax,
            Task::Regression => Link::Identity,
        }
    }

    /// The answer of a row's scores.
    pub fn answer(self, scores: Vec<f64>) -> Answer {
        match self {
            Link::LogOdds => Answer::Probability(sigmoid(scores[0])),
            Link::Identity => Answer::Value(scores[0]),
            Link::OneVersusRest => Answer::Probabilities(normalised(scores)),
            Link::Softmax => Answer::Probabilities(softmax(scores)),
        }
    }
}

impl Boosters {
    /// # Errors
    /// A sentence: another number of ensembles than the link needs, or one that cannot be walked.
    pub fn new(link: Link, ensembles: Vec<Ensemble>) -> Result<Boosters, String> {
        let is_enough = match link.task() {
            Task::Multiclass => ensembles.len() > 1,
            Task::Binary | Task::Regression => ensembles.len() == 1,
        };
        if !is_enough {
            return Err(format!("{} boosters are none of {}", ensembles.len(), link.task().words()));
        }
        ensembles.iter().try_for_each(Ensemble::check)?;
        let sums = ensembles.iter().map(Ensemble::sum).collect::<Result<_, _>>()?;
        Ok(Boosters { link, ensembles, sums, isotonic: None })
    }

    /// With a curve that corrects probabilities.
    ///
    /// # Errors
    /// A sentence: a curve of a model that has not two classes, or one that is none.
    pub fn with_isotonic(mut self, isotonic: Option<IsotonicCalibrated>) -> Result<Boosters, String> {
        if let Some(found) = &isotonic {
            found.check()?;
            if self.link != Link::LogOdds {
                return Err(format!("{} has no isotonic calibration", self.link.task().words()));
            }
        }
        self.isotonic = isotonic;
        Ok(self)
    }

    /// The curve that corrects probabilities, where there is one.
    pub fn isotonic(&self) -> Option<&IsotonicCalibrated> {
        self.isotonic.as_ref()
    }

    /// The probability of log-odds.
    fn probability(&self, score: f64) -> f64 {
        let probability = sigmoid(score);
        self.isotonic.as_ref().map_or(probability, |found| found.apply(probability))
    }

    pub fn task(&self) -> Task {
        self.link.task()
    }

    pub fn link(&self) -> Link {
        self.link
    }

    pub fn ensembles(&self) -> &[Ensemble] {
        &self.ensembles
    }

    pub fn trees(&self) -> usize {
        self.ensembles.iter().map(|ensemble| ensemble.roots.len()).sum()
    }

    /// The answer to an encoded row.
    pub fn answer(&self, row: &[f64]) -> Answer {
        match self.link {
            // Without a list of scores: this is what a request waits for.
            Link::LogOdds => Answer::Probability(self.probability(self.ensembles[0].score(row))),
            Link::Identity => Answer::Value(self.ensembles[0].score(row)),
            link => link.answer(self.ensembles.iter().map(|ensemble| ensemble.score(row)).collect()),
        }
    }

    /// Adds the answers to encoded rows, which lie one after another.
    pub fn answer_rows(&self, rows: &[f64], answers: &mut Answers) {
        let scores: Vec<Vec<f64>> = self.sums.iter().map(|sum| sum.scores(rows)).collect();
        match (self.link, answers) {
            (Link::LogOdds, Answers::Probability(all)) => {
                all.extend(scores[0].iter().map(|score| self.probability(*score)))
            }
            (Link::Identity, Answers::Value(all)) => all.extend(&scores[0]),
            (link, answers) => (0..scores[0].len()).for_each(|row| {
                answers.push(link.answer(scores.iter().map(|of_class| of_class[row]).collect()));
            }),
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

/// Probabilities of the classes from their logarithms, but for what these have in common.
pub(crate) fn softmax(mut scores: Vec<f64>) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|score| *score = (*score - largest).exp());
    let sum: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
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
    fn each_link_makes_its_answer_of_the_scores_of_a_row_and_of_rows() {
        let constant = |base_score| Ensemble { base_score, n_features: 1, roots: vec![], nodes: vec![] };
        let check = |link: Link, scores: &[f64], expected: Answer| {
            let boosters =
                Boosters::new(link, scores.iter().map(|score| constant(*score)).collect()).unwrap();
            assert_eq!(boosters.answer(&[0.0]), expected);
            let mut answers = Answers::of(link.task(), 1);
            boosters.answer_rows(&[0.0], &mut answers);
            let mut one = Answers::of(link.task(), 1);
            one.push(expected);
            assert_eq!(answers, one);
        };
        check(Link::LogOdds, &[0.0], Answer::Probability(0.5));
        check(Link::Identity, &[7.0], Answer::Value(7.0));
        check(Link::OneVersusRest, &[0.0, 0.0], Answer::Probabilities(vec![0.5, 0.5]));
        // Each 1 of 2, 1 of 2 and 3 of 4, by their sum of 7 of 4.
        let scores = [0.0, 0.0, 3.0_f64.ln()];
        check(Link::OneVersusRest, &scores, Answer::Probabilities(vec![2.0 / 7.0, 2.0 / 7.0, 3.0 / 7.0]));
        check(Link::Softmax, &[0.0, 0.0], Answer::Probabilities(vec![0.5, 0.5]));
        assert!(Boosters::new(Link::Softmax, vec![constant(1.0)]).is_err());
        assert!(Boosters::new(Link::LogOdds, vec![constant(f64::NAN)]).is_err());
    }

    #[test]
    fn probabilities_sum_to_one_also_at_the_ends() {
        for scores in [vec![0.0, 0.0, 0.0], vec![800.0, -800.0], vec![-800.0, -801.0], vec![1.0, -2.0, 0.5]] {
            for found in [normalised(scores.clone()), softmax(scores.clone())] {
                assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{scores:?} {found:?}");
                assert!(found.iter().all(|p| (0.0..=1.0).contains(p)));
            }
        }
        assert_eq!((largest(&[0.2, 0.4, 0.4]), largest(&[])), (1, 0));
    }
}

//! Chooses the trees' depth, their number and the decision threshold by cross-validation inside the
//! training part, so that the validation rows judge choices they had no part in.

use serde::{Deserialize, Serialize};

use streamflow_performance::{MulticlassMetrics, RegressionMetrics};

use crate::boosters::Boosters;
use crate::boosting::{self, Loss, Rounds, TrainingData};
use crate::ensemble::Ensemble;
use crate::labels::Target;
use crate::metrics::{best_f1_threshold, log_loss};
use crate::split;
use crate::{Answers, Error, Features, Schema, Task, TrainSettings};

/// What cross-validation chose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// The depth with the least loss.
    pub max_depth: usize,
    /// The number of trees: the mean over the folds; of several classes, that of all classes together.
    pub rounds: usize,
    /// The number of trees of each class, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds_by_class: Vec<usize>,
    /// The threshold with the largest F1 on the folds' predictions; none where there are not two classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// All depths that were tried.
    pub candidates: Vec<Candidate>,
}

/// One depth in cross-validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The depth.
    pub max_depth: usize,
    /// The mean number of trees at which the folds' loss was least.
    pub rounds: usize,
    /// Log loss of each row under the trees of the folds it was not in; none of a regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_loss: Option<f64>,
    /// Root mean squared error of the rows likewise; none of a classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rmse: Option<f64>,
}

impl Candidate {
    /// What is made small.
    fn loss(&self) -> f64 {
        self.log_loss.or(self.rmse).unwrap_or(f64::MAX)
    }
}

/// The labelled rows of the training part.
pub(crate) struct TrainingRows<'a> {
    pub features: &'a Features,
    /// Aligned with `features`.
    pub target: &'a Target,
    /// The training rows, as indices.
    pub rows: &'a [usize],
}

/// Encoded rows with their labels, one list of them for each booster.
pub(crate) struct Encoded {
    pub columns: Vec<Vec<f64>>,
    pub labels: Vec<Vec<f64>>,
}

impl Encoded {
    /// What one booster learns.
    pub fn of_booster(&self, booster: usize) -> TrainingData<'_> {
        TrainingData { columns: &self.columns, labels: &self.labels[booster] }
    }
}

impl TrainingRows<'_> {
    /// Learns a schema from `fit_rows` and encodes them.
    pub fn encode(&self, fit_rows: &[usize], settings: &TrainSettings) -> Result<(Schema, Encoded), Error> {
        let schema = Schema::fit(self.features, self.target, fit_rows, settings.min_level_rows);
        let data = self.encode_with(&schema, fit_rows)?;
        Ok((schema, data))
    }

    fn encode_with(&self, schema: &Schema, rows: &[usize]) -> Result<Encoded, Error> {
        let (columns, _) = schema.encode_columns(self.features, rows)?;
        Ok(Encoded { columns, labels: self.target.of_boosters(rows) })
    }
}

/// Predictions of rows that were held out of their fold's fit, for one depth.
#[derive(Clone)]
struct HeldOut {
    /// Trees of each booster in each fold.
    rounds: Vec<Vec<usize>>,
    labels: Vec<f64>,
    answers: Answers,
}

/// Cross-validates each of the settings' depths. `entity` names a row's entity.
pub(crate) fn select<'e>(
    training: &TrainingRows,
    entity: impl Fn(usize) -> &'e str,
    settings: &TrainSettings,
) -> Result<Selection, Error> {
    let share = settings.selection_rows as f64 / training.rows.len() as f64;
    let sampled = |row: &usize| split::is_sampled(settings.seed, entity(*row), share);
    let rows: Vec<usize> = training.rows.iter().copied().filter(sampled).collect();
    let fold_of: Vec<usize> =
        rows.iter().map(|&row| split::fold(settings.seed, entity(row), settings.folds)).collect();

    let task = training.target.task;
    let mut held_out = vec![HeldOut::new(task); settings.max_depths.len()];
    for fold in 0..settings.folds {
        let part = |inside: bool| -> Vec<usize> {
            rows.iter().zip(&fold_of).filter(|&(_, &f)| (f == fold) == inside).map(|(&row, _)| row).collect()
        };
        let (evaluation_rows, fit_rows) = (part(true), part(false));
        // A handful of entities can leave a fold empty; there is nothing to measure then.
        if evaluation_rows.is_empty() || fit_rows.is_empty() {
            continue;
        }
        let (schema, data) = training.encode(&fit_rows, settings)?;
        let evaluation = training.encode_with(&schema, &evaluation_rows)?;
        for (&depth, held_out) in settings.max_depths.iter().zip(&mut held_out) {
            let fit = |booster: usize| {
                let until = Rounds::Until(evaluation.of_booster(booster));
                boosting::fit(data.of_booster(booster), Loss::of(task), depth, &until, settings)
            };
            let fits = (0..data.labels.len()).map(|booster| Ok(fit(booster)?.ensemble));
            let ensembles = fits.collect::<Result<Vec<Ensemble>, Error>>()?;
            let labels = evaluation_rows.iter().map(|&row| training.target.values[row]);
            held_out.add(ensembles, &evaluation.columns, labels.collect());
        }
    }
    Ok(choose(&settings.max_depths, &held_out))
}

impl HeldOut {
    fn new(task: Task) -> HeldOut {
        HeldOut { rounds: Vec::new(), labels: Vec::new(), answers: Answers::of(task, 0) }
    }

    fn task(&self) -> Task {
        match self.answers {
            Answers::Probability(_) => Task::Binary,
            Answers::Probabilities(_) => Task::Multiclass,
            Answers::Value(_) => Task::Regression,
        }
    }

    fn add(&mut self, ensembles: Vec<Ensemble>, columns: &[Vec<f64>], labels: Vec<f64>) {
        self.rounds.push(ensembles.iter().map(|ensemble| ensemble.roots.len()).collect());
        let boosters = Boosters::new(self.task(), ensembles).expect("one for each class was fitted");
        let mut row = vec![f64::NAN; columns.len()];
        for i in 0..labels.len() {
            row.iter_mut().zip(columns).for_each(|(value, column)| *value = column[i]);
            self.answers.push(boosters.answer(&row));
        }
        self.labels.extend(labels);
    }

    /// Whether each row is positive; of two classes.
    fn truths(&self) -> Vec<bool> {
        self.labels.iter().map(|label| *label == 1.0).collect()
    }

    fn candidate(&self, max_depth: usize) -> Candidate {
        // Without held-out rows (all entities fell into one fold) no depth is better than another.
        let found = |loss: Option<f64>| Some(loss.unwrap_or(f64::MAX));
        let (log_loss, rmse) = match &self.answers {
            Answers::Probability(probabilities) => (found(log_loss(&self.truths(), probabilities)), None),
            Answers::Probabilities(rows) => (found(class_log_loss(&self.labels, rows)), None),
            Answers::Value(values) => {
                let measured = RegressionMetrics::measure(&self.labels, values).ok();
                (None, found(measured.and_then(|measured| measured.rmse)))
            }
        };
        let rounds = self.mean_rounds().iter().sum();
        Candidate { max_depth, rounds, log_loss, rmse }
    }

    /// The rounded mean over folds of each booster's trees, at least one; with nothing measured, one tree.
    fn mean_rounds(&self) -> Vec<usize> {
        let boosters = self.rounds.first().map_or(1, Vec::len);
        let folds = self.rounds.len().max(1) as f64;
        let mean = |booster: usize| {
            let sum: usize = self.rounds.iter().map(|rounds| rounds[booster]).sum();
            ((sum as f64 / folds).round() as usize).max(1)
        };
        (0..boosters).map(mean).collect()
    }
}

fn class_log_loss(labels: &[f64], probabilities: &[Vec<f64>]) -> Option<f64> {
    let classes: Vec<usize> = labels.iter().map(|label| *label as usize).collect();
    MulticlassMetrics::measure(&classes, probabilities).ok()?.log_loss
}

fn choose(depths: &[usize], held_out: &[HeldOut]) -> Selection {
    let candidates: Vec<Candidate> =
        depths.iter().zip(held_out).map(|(&depth, held_out)| held_out.candidate(depth)).collect();
    let (best, chosen) = candidates
        .iter()
        .enumerate()
        .min_by(|(_, a), (_, b)| a.loss().total_cmp(&b.loss()))
        .expect("settings are checked to name a depth");
    let found = &held_out[best];
    let threshold = match &found.answers {
        Answers::Probability(probabilities) => {
            Some(best_f1_threshold(&found.truths(), probabilities).unwrap_or(0.5))
        }
        _ => None,
    };
    let rounds_by_class = match found.task() {
        Task::Multiclass => found.mean_rounds(),
        _ => Vec::new(),
    };
    Selection { max_depth: chosen.max_depth, rounds: chosen.rounds, rounds_by_class, threshold, candidates }
}

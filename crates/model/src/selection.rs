//! Chooses the trees' depth, their number and the decision threshold by cross-validation inside the
//! training part, so that the validation rows judge choices they had no part in.

use serde::{Deserialize, Serialize};

use crate::boosting::{self, Rounds, TrainingData};
use crate::ensemble::sigmoid;
use crate::metrics::{best_f1_threshold, log_loss};
use crate::split;
use crate::{Error, Features, Schema, TrainSettings};

/// What cross-validation chose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// The depth with the least log loss.
    pub max_depth: usize,
    /// The number of trees: the mean over the folds.
    pub rounds: usize,
    /// The threshold with the largest F1 on the folds' predictions.
    pub threshold: f64,
    /// All depths that were tried.
    pub candidates: Vec<Candidate>,
}

/// One depth in cross-validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The depth.
    pub max_depth: usize,
    /// The mean number of trees at which the folds' log loss was least.
    pub rounds: usize,
    /// Log loss of each row under the trees of the folds it was not in.
    pub log_loss: f64,
}

/// The labelled rows of the training part.
pub(crate) struct TrainingRows<'a> {
    pub features: &'a Features,
    /// Aligned with `features`; false where the label is missing.
    pub labels: &'a [bool],
    /// The training rows, as indices.
    pub rows: &'a [usize],
}

impl TrainingRows<'_> {
    /// Learns a schema from `fit_rows` and encodes them.
    pub fn encode(
        &self,
        fit_rows: &[usize],
        settings: &TrainSettings,
    ) -> Result<(Schema, TrainingData), Error> {
        let schema = Schema::fit(self.features, self.labels, fit_rows, settings.min_level_rows);
        let data = self.encode_with(&schema, fit_rows)?;
        Ok((schema, data))
    }

    fn encode_with(&self, schema: &Schema, rows: &[usize]) -> Result<TrainingData, Error> {
        let (columns, _) = schema.encode_columns(self.features, rows)?;
        Ok(TrainingData { columns, labels: rows.iter().map(|&row| self.labels[row]).collect() })
    }
}

/// Predictions of rows that were held out of their fold's fit, for one depth.
#[derive(Default, Clone)]
struct HeldOut {
    rounds: Vec<usize>,
    labels: Vec<bool>,
    probabilities: Vec<f64>,
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

    let mut held_out = vec![HeldOut::default(); settings.max_depths.len()];
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
            let fit = boosting::fit(&data, depth, &Rounds::Until(&evaluation), settings)?;
            held_out.add(&fit.ensemble, &evaluation);
        }
    }
    Ok(choose(&settings.max_depths, &held_out))
}

impl HeldOut {
    fn add(&mut self, ensemble: &crate::ensemble::Ensemble, evaluation: &TrainingData) {
        self.rounds.push(ensemble.roots.len());
        self.labels.extend(&evaluation.labels);
        let mut row = vec![f64::NAN; evaluation.columns.len()];
        for i in 0..evaluation.labels.len() {
            row.iter_mut().zip(&evaluation.columns).for_each(|(value, column)| *value = column[i]);
            self.probabilities.push(sigmoid(ensemble.score(&row)));
        }
    }
}

fn choose(depths: &[usize], held_out: &[HeldOut]) -> Selection {
    let candidate = |(&max_depth, held_out): (&usize, &HeldOut)| Candidate {
        max_depth,
        rounds: mean_rounds(&held_out.rounds),
        // Without held-out rows (all entities fell into one fold) no depth is better than another.
        log_loss: log_loss(&held_out.labels, &held_out.probabilities).unwrap_or(f64::MAX),
    };
    let candidates: Vec<Candidate> = depths.iter().zip(held_out).map(candidate).collect();
    let (best, chosen) = candidates
        .iter()
        .enumerate()
        .min_by(|(_, a), (_, b)| a.log_loss.total_cmp(&b.log_loss))
        .expect("settings are checked to name a depth");
    Selection {
        max_depth: chosen.max_depth,
        rounds: chosen.rounds,
        threshold: best_f1_threshold(&held_out[best].labels, &held_out[best].probabilities).unwrap_or(0.5),
        candidates,
    }
}

/// The rounded mean, at least one tree; with nothing measured, one tree.
fn mean_rounds(rounds: &[usize]) -> usize {
    let sum: usize = rounds.iter().sum();
    ((sum as f64 / rounds.len().max(1) as f64).round() as usize).max(1)
}

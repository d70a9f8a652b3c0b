//! Chooses the trees' settings, their number and the decision threshold by cross-validation inside the
//! training part, so that the validation rows judge choices they had no part in.

use std::ops::ControlFlow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::boosting::{
    self, BinnedRows, Evaluation, Labels, Loss, Rounds, TrainingData, TreeSettings, mean_loss,
};
use crate::calibration::Calibrated;
use crate::ensemble::Ensemble;
use crate::ensemble::sigmoid;
use crate::isotonic::IsotonicCalibrated;
use crate::labels::Target;
use crate::metrics::best_f1_threshold;
use crate::search::{self, Progress};
use crate::settings::Calibration;
use crate::split;
use crate::{Direction, Error, Features, Schema, Task, TrainSettings, weights};

/// What cross-validation chose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// The depth with the least loss.
    pub max_depth: usize,
    /// The other settings of the trees, where they were searched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched: Option<Searched>,
    /// The number of trees, of several classes that of all classes together: by the mean over the folds.
    pub rounds: usize,
    /// The number of trees of each class, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds_by_class: Vec<usize>,
    /// The threshold with the largest F1 on the folds' predictions; none where there are not two classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// How scores are corrected, where that was asked for and possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibrated>,
    /// The curve that probabilities are corrected by, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isotonic: Option<IsotonicCalibrated>,
    /// All settings that were tried.
    pub candidates: Vec<Candidate>,
}

/// Settings of trees that a search chooses beside their depth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Searched {
    /// What each tree's contribution is multiplied with.
    pub learning_rate: f64,
    /// L2 penalty on the values of leaves.
    pub l2: f64,
    /// The least sum of p(1−p) over the rows of a leaf.
    pub min_leaf_weight: f64,
}

/// Settings in cross-validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The depth.
    pub max_depth: usize,
    /// The other settings, where they are not the defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched: Option<Searched>,
    /// The folds it was tried on, where it was given up before the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
    /// The mean number of trees at which the folds' loss was least.
    pub rounds: usize,
    /// Log loss of each row under the trees of the folds it was not in, by the weights of classes; none of a regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_loss: Option<f64>,
    /// Root mean squared error of the rows likewise; none of a classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rmse: Option<f64>,
}

impl Selection {
    /// The settings of the trees that were chosen.
    pub fn tree(&self, settings: &TrainSettings) -> TreeSettings {
        let default = settings.tree(self.max_depth);
        self.searched.map_or(default, |searched| TreeSettings {
            learning_rate: searched.learning_rate,
            l2: searched.l2,
            min_leaf_weight: searched.min_leaf_weight,
            ..default
        })
    }

    /// The trees of each output.
    pub fn rounds_of_output(&self) -> usize {
        self.rounds_by_class.first().copied().unwrap_or(self.rounds)
    }
}

impl Candidate {
    /// What is made small.
    pub fn loss(&self) -> f64 {
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
    /// The weight of each class, where they differ.
    pub weights: Option<Vec<f64>>,
    /// Of each feature; empty where none has one.
    pub monotone: Vec<Option<Direction>>,
}

/// Encoded rows with their labels and weights.
pub(crate) struct Encoded {
    pub columns: Vec<Vec<f64>>,
    labels: Vec<f64>,
    weights: Option<Vec<f64>>,
}

impl Encoded {
    fn labels(&self) -> Labels<'_> {
        Labels { values: &self.labels, weights: self.weights.as_deref() }
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
        let labels: Vec<f64> = rows.iter().map(|&row| self.target.values[row]).collect();
        let weights = weights::of_labels(&labels, self.weights.as_deref());
        Ok(Encoded { columns, labels, weights })
    }

    pub fn loss(&self) -> Loss {
        Loss::of(self.target.task, self.target.classes.len())
    }

    /// What trees learn from encoded rows and their bins.
    pub fn data<'a>(&'a self, encoded: &'a Encoded, bins: &'a BinnedRows) -> TrainingData<'a> {
        TrainingData {
            bins,
            labels: encoded.labels(),
            n_features: encoded.columns.len(),
            monotone: &self.monotone,
        }
    }
}

/// One fold: what is learned from and what is predicted.
struct Fold {
    bins: BinnedRows,
    data: Encoded,
    evaluation: Encoded,
}

/// What a fit on one fold came to.
struct FoldFit {
    /// Trees of each output.
    rounds: usize,
    /// The scores of the rows of the evaluation, a list for each output.
    scores: Vec<Vec<f64>>,
}

/// Settings that are tried, with the folds that they were tried on, which are the first ones.
pub(crate) struct Trial {
    pub tree: TreeSettings,
    /// Whether the settings are the defaults but for the depth.
    is_default: bool,
    fits: Vec<FoldFit>,
}

/// Trials on the same folds.
pub(crate) struct Trials<'a> {
    training: &'a TrainingRows<'a>,
    settings: &'a TrainSettings,
    folds: Vec<Fold>,
    pub all: Vec<Trial>,
}

impl<'a> Trials<'a> {
    fn new<'e>(
        training: &'a TrainingRows<'a>,
        entity: impl Fn(usize) -> &'e str,
        settings: &'a TrainSettings,
    ) -> Result<Trials<'a>, Error> {
        let share = settings.selection_rows as f64 / training.rows.len() as f64;
        let sampled = |row: &usize| split::is_sampled(settings.seed, entity(*row), share);
        let rows: Vec<usize> = training.rows.iter().copied().filter(sampled).collect();
        let fold_of: Vec<usize> =
            rows.iter().map(|&row| split::fold(settings.seed, entity(row), settings.folds)).collect();
        let mut folds = Vec::new();
        for fold in 0..settings.folds {
            let part = |inside: bool| -> Vec<usize> {
                let of_fold = rows.iter().zip(&fold_of).filter(|&(_, &f)| (f == fold) == inside);
                of_fold.map(|(&row, _)| row).collect()
            };
            let (evaluation_rows, fit_rows) = (part(true), part(false));
            // A handful of entities can leave a fold empty; there is nothing to measure then.
            if evaluation_rows.is_empty() || fit_rows.is_empty() {
                continue;
            }
            let (schema, data) = training.encode(&fit_rows, settings)?;
            let evaluation = training.encode_with(&schema, &evaluation_rows)?;
            let bins = BinnedRows::new(&data.columns, usize::from(settings.max_bins));
            folds.push(Fold { bins, data, evaluation });
        }
        Ok(Trials { training, settings, folds, all: Vec::new() })
    }

    /// Folds that are not empty.
    pub fn folds(&self) -> usize {
        self.folds.len()
    }

    pub fn add(&mut self, tree: TreeSettings) -> usize {
        let is_default = tree == self.settings.tree(tree.max_depth);
        self.all.push(Trial { tree, is_default, fits: Vec::new() });
        self.all.len() - 1
    }

    /// Tries these on the folds up to `folds` that they were not tried on.
    pub fn run(&mut self, trials: &[usize], folds: usize) {
        let open: Vec<(usize, usize)> = trials
            .iter()
            .flat_map(|&trial| (self.all[trial].fits.len()..folds).map(move |fold| (trial, fold)))
            .collect();
        let fits: Vec<FoldFit> = open
            .par_iter()
            .map(|&(trial, fold)| self.fit(&self.folds[fold], &self.all[trial].tree))
            .collect();
        for ((trial, _), fit) in open.into_iter().zip(fits) {
            self.all[trial].fits.push(fit);
        }
    }

    fn fit(&self, fold: &Fold, tree: &TreeSettings) -> FoldFit {
        let evaluation = Evaluation { columns: &fold.evaluation.columns, labels: fold.evaluation.labels() };
        let rounds = Rounds::Until {
            evaluation,
            most: self.settings.max_rounds,
            patience: self.settings.early_stopping_rounds,
        };
        let data = self.training.data(&fold.data, &fold.bins);
        let fit = boosting::fit(data, self.training.loss(), tree, &rounds);
        let rounds = fit.ensembles.iter().map(|ensemble| ensemble.roots.len()).max().unwrap_or(0);
        let scores = |ensemble: &Ensemble| {
            ensemble.column_scores(&fold.evaluation.columns, evaluation.labels.values.len())
        };
        FoldFit { rounds, scores: fit.ensembles.iter().map(scores).collect() }
    }

    /// The loss of a trial on the rows of the folds that it was tried on.
    pub fn loss(&self, trial: usize) -> f64 {
        let (scores, labels, weights) = self.held_out(trial);
        let loss =
            mean_loss(self.training.loss(), Labels { values: &labels, weights: weights.as_deref() }, &scores);
        // Without held-out rows (all entities fell into one fold) no settings are better than others.
        if loss.is_nan() { f64::MAX } else { loss }
    }

    /// The scores of all rows that were held out from a trial's fits, with their labels and weights.
    fn held_out(&self, trial: usize) -> (Vec<Vec<f64>>, Vec<f64>, Option<Vec<f64>>) {
        let fits = &self.all[trial].fits;
        let outputs = self.training.loss().outputs();
        let scores =
            (0..outputs).map(|output| fits.iter().flat_map(|fit| &fit.scores[output]).copied().collect());
        let labels: Vec<f64> =
            self.folds.iter().take(fits.len()).flat_map(|fold| &fold.evaluation.labels).copied().collect();
        let weights = weights::of_labels(&labels, self.training.weights.as_deref());
        (scores.collect(), labels, weights)
    }

    /// The rounded mean over folds of each output's trees, at least one; with nothing measured, one tree.
    fn mean_rounds(&self, trial: usize) -> usize {
        let fits = &self.all[trial].fits;
        let sum: usize = fits.iter().map(|fit| fit.rounds).sum();
        ((sum as f64 / fits.len().max(1) as f64).round() as usize).max(1)
    }

    fn candidate(&self, trial: usize) -> Candidate {
        let Trial { tree, is_default, fits } = &self.all[trial];
        let loss = Some(self.loss(trial));
        let (log_loss, rmse) = match self.training.target.task {
            Task::Binary | Task::Multiclass => (loss, None),
            Task::Regression => (None, loss),
        };
        Candidate {
            max_depth: tree.max_depth,
            searched: (!is_default).then(|| Searched::of(tree)),
            folds: (fits.len() < self.folds()).then_some(fits.len()),
            rounds: self.mean_rounds(trial) * self.training.loss().outputs(),
            log_loss,
            rmse,
        }
    }

    /// Trials that were tried on some fold.
    pub fn tried(&self) -> usize {
        (0..self.all.len()).filter(|&trial| self.is_tried(trial)).count()
    }

    fn is_tried(&self, trial: usize) -> bool {
        !self.all[trial].fits.is_empty() || self.folds.is_empty()
    }

    /// The trial with the least loss of those that were tried on all folds, the first of several.
    pub fn best(&self) -> usize {
        let complete = (0..self.all.len()).filter(|&trial| self.all[trial].fits.len() == self.folds());
        let best = complete.min_by(|&a, &b| self.loss(a).total_cmp(&self.loss(b)));
        best.expect("settings are checked to name a depth")
    }

    fn choose(&self) -> Selection {
        let best = self.best();
        let chosen = &self.all[best];
        let (mut scores, labels, _) = self.held_out(best);
        let wants_calibration = self.settings.calibration == Calibration::Sigmoid;
        let calibration = wants_calibration.then(|| Calibrated::fit(&scores, &labels)).flatten();
        if let Some(calibration) = &calibration {
            for (output, scores) in scores.iter_mut().enumerate() {
                scores.iter_mut().for_each(|score| *score = calibration.apply(output, *score));
            }
        }
        let wants_curve = self.settings.calibration == Calibration::Isotonic;
        let isotonic = wants_curve.then(|| IsotonicCalibrated::fit(&scores[0], &labels)).flatten();
        let outputs = self.training.loss().outputs();
        let rounds = self.mean_rounds(best);
        let is_binary = self.training.target.task == Task::Binary;
        Selection {
            max_depth: chosen.tree.max_depth,
            searched: (!chosen.is_default).then(|| Searched::of(&chosen.tree)),
            rounds: rounds * outputs,
            rounds_by_class: if outputs > 1 { vec![rounds; outputs] } else { Vec::new() },
            threshold: is_binary.then(|| threshold(&scores[0], &labels, isotonic.as_ref())),
            calibration,
            isotonic,
            candidates: (0..self.all.len())
                .filter(|&trial| self.is_tried(trial))
                .map(|trial| self.candidate(trial))
                .collect(),
        }
    }
}

/// The threshold with the largest F1.
fn threshold(scores: &[f64], labels: &[f64], isotonic: Option<&IsotonicCalibrated>) -> f64 {
    let corrected = |p: f64| isotonic.map_or(p, |found| found.apply(p));
    let probabilities: Vec<f64> = scores.iter().map(|score| corrected(sigmoid(*score))).collect();
    let truths: Vec<bool> = labels.iter().map(|label| *label == 1.0).collect();
    best_f1_threshold(&truths, &probabilities).unwrap_or(0.5)
}

impl Searched {
    fn of(tree: &TreeSettings) -> Searched {
        Searched { learning_rate: tree.learning_rate, l2: tree.l2, min_leaf_weight: tree.min_leaf_weight }
    }
}

/// Cross-validates each of the settings' depths, and searches further where that is asked for. `entity` names a row's entity.
pub(crate) fn select<'e>(
    training: &TrainingRows,
    entity: impl Fn(usize) -> &'e str,
    settings: &TrainSettings,
    watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Selection, Error> {
    let mut trials = Trials::new(training, entity, settings)?;
    let defaults: Vec<usize> =
        settings.max_depths.iter().map(|&depth| trials.add(settings.tree(depth))).collect();
    let folds = trials.folds();
    trials.run(&defaults, folds);
    if let Some(search) = settings.search {
        search::search(&mut trials, search, settings.seed, watch);
    }
    Ok(trials.choose())
}

//! How to train, with the defaults that were chosen by measurement (docs/model.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::boosting::{Direction, TreeSettings};
use crate::{Error, Task};

/// How much the rows of a class weigh.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", untagged)]
pub enum ClassWeight {
    /// As much as those of any other.
    #[default]
    Equal,
    /// By a rule.
    Rule(WeightRule),
    /// So much as is said, and 1 where nothing is; of two classes, `true` and `false`.
    Of(BTreeMap<String, f64>),
}

/// A rule for the weights of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightRule {
    /// All classes weigh the same together: rows / (classes × rows of the class), as scikit-learn has it.
    Balanced,
}

/// Which rows judge a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// Those of a share of the entities.
    #[default]
    Entity,
    /// Those that the caller holds out, which are the newest.
    Time,
}

/// How probabilities are corrected by those of rows that were held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Calibration {
    /// Not at all.
    #[default]
    None,
    /// The log-odds by a slope and an intercept (Platt 1999); of several classes, their scores by one slope and an intercept
    /// each.
    Sigmoid,
    /// The probability of two classes by a rising curve through the shares of held-out rows, from 200 of them on
    /// (isotonic regression).
    Isotonic,
}

/// How long better settings of trees are searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Search {
    /// So many settings are tried beside the defaults, 1 to 1,000: the same input gives the same model.
    Trials(usize),
    /// Until the caller stops it.
    UntilStopped,
}

/// The settings of [`crate::train`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSettings {
    /// What to predict.
    pub task: Task,
    /// Picks the validation entities and the cross-validation folds; nothing else is random.
    pub seed: u64,
    /// Share of entities that are never trained on, in (0, 1).
    pub validation_share: f64,
    /// Cross-validation folds inside the training part, at least 2.
    pub folds: usize,
    /// At most about this many training rows are cross-validated; the final fit uses all.
    pub selection_rows: usize,
    /// What each tree's contribution is multiplied with, in (0, 1].
    pub learning_rate: f64,
    /// Depths of trees to choose from, each in 1..=16.
    pub max_depths: Vec<usize>,
    /// The most trees, in 1..=10,000.
    pub max_rounds: usize,
    /// Trees without a better log loss after which a cross-validation fit ends, at least 1.
    pub early_stopping_rounds: usize,
    /// The least sum of p(1−p) over the rows of a leaf, at least 0.
    pub min_leaf_weight: f64,
    /// L2 penalty on the values of leaves, at least 0.
    pub l2: f64,
    /// Histogram bins of the values of a feature, in 2..=255.
    pub max_bins: u16,
    /// Levels of a categorical feature with fewer training rows share one position.
    pub min_level_rows: u64,
    /// How much the rows of a class weigh in the fit; not of a regression.
    pub class_weight: ClassWeight,
    /// How the answer may change with a numerical feature, by its name; not of several classes.
    pub monotone: BTreeMap<String, Direction>,
    /// Which rows judge the model.
    pub validation: Validation,
    /// How probabilities are corrected; not of a regression.
    pub calibration: Calibration,
    /// Whether depth, learning rate and regularisation are searched for beyond `max_depths`.
    pub search: Option<Search>,
}

impl Default for TrainSettings {
    fn default() -> TrainSettings {
        TrainSettings {
            task: Task::Binary,
            seed: 42,
            validation_share: 0.25,
            folds: 4,
            selection_rows: 50_000,
            learning_rate: 0.1,
            max_depths: vec![1, 2, 3, 4, 6],
            max_rounds: 1000,
            early_stopping_rounds: 30,
            min_leaf_weight: 5.0,
            l2: 1.0,
            max_bins: 255,
            min_level_rows: 10,
            class_weight: ClassWeight::Equal,
            monotone: BTreeMap::new(),
            validation: Validation::Entity,
            calibration: Calibration::None,
            search: None,
        }
    }
}

impl TrainSettings {
    /// The settings of trees of a depth.
    pub(crate) fn tree(&self, max_depth: usize) -> TreeSettings {
        let TrainSettings { learning_rate, l2, min_leaf_weight, .. } = *self;
        TreeSettings { max_depth, learning_rate, l2, min_leaf_weight }
    }

    /// # Errors
    /// [`Error::InvalidSetting`], naming the first setting that is outside its range.
    pub fn check(&self) -> Result<(), Error> {
        let depths = &self.max_depths;
        let checks = [
            ("validation_share", self.validation_share.to_string(), "a number between 0 and 1", {
                self.validation_share > 0.0 && self.validation_share < 1.0
            }),
            ("folds", self.folds.to_string(), "2 to 100", (2..=100).contains(&self.folds)),
            ("selection_rows", self.selection_rows.to_string(), "at least 100", self.selection_rows >= 100),
            ("learning_rate", self.learning_rate.to_string(), "above 0, at most 1", {
                self.learning_rate > 0.0 && self.learning_rate <= 1.0
            }),
            ("max_depths", format!("{depths:?}"), "one or more depths, each 1 to 16", {
                !depths.is_empty() && depths.iter().all(|depth| (1..=16).contains(depth))
            }),
            (
                "max_rounds",
                self.max_rounds.to_string(),
                "1 to 10000",
                (1..=10_000).contains(&self.max_rounds),
            ),
            ("early_stopping_rounds", self.early_stopping_rounds.to_string(), "at least 1", {
                self.early_stopping_rounds >= 1
            }),
            ("min_leaf_weight", self.min_leaf_weight.to_string(), "a finite number, at least 0", {
                self.min_leaf_weight >= 0.0 && self.min_leaf_weight.is_finite()
            }),
            ("l2", self.l2.to_string(), "a finite number, at least 0", self.l2 >= 0.0 && self.l2.is_finite()),
            ("max_bins", self.max_bins.to_string(), "2 to 255", (2..=255).contains(&self.max_bins)),
        ];
        let trials = match self.search {
            Some(Search::Trials(trials)) => trials,
            _ => 1,
        };
        let weights: &[f64] = match &self.class_weight {
            ClassWeight::Of(weights) => &weights.values().copied().collect::<Vec<_>>(),
            _ => &[],
        };
        let more = [
            ("search trials", trials.to_string(), "1 to 1000", (1..=1000).contains(&trials)),
            (
                "class_weight",
                format!("{weights:?}"),
                "weights from 1e-6 to 1e6",
                weights.iter().all(|weight| (1e-6..=1e6).contains(weight)),
            ),
        ];
        match checks.into_iter().chain(more).find(|(.., valid)| !valid) {
            None => Ok(()),
            Some((name, value, expected, _)) => Err(Error::InvalidSetting { name, value, expected }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_range_is_checked() {
        TrainSettings::default().check().unwrap();
        type Change = fn(&mut TrainSettings);
        let broken: [(&str, Change); 15] = [
            ("validation_share is 0", |s| s.validation_share = 0.0),
            ("validation_share is NaN", |s| s.validation_share = f64::NAN),
            ("folds is 1", |s| s.folds = 1),
            ("selection_rows is 99", |s| s.selection_rows = 99),
            ("learning_rate is 1.5", |s| s.learning_rate = 1.5),
            ("max_depths is []", |s| s.max_depths.clear()),
            ("max_depths is [3, 17]", |s| s.max_depths = vec![3, 17]),
            ("max_rounds is 0", |s| s.max_rounds = 0),
            ("early_stopping_rounds is 0", |s| s.early_stopping_rounds = 0),
            ("min_leaf_weight is -1", |s| s.min_leaf_weight = -1.0),
            ("l2 is inf", |s| s.l2 = f64::INFINITY),
            ("max_bins is 1", |s| s.max_bins = 1),
            ("search trials is 0", |s| s.search = Some(Search::Trials(0))),
            ("class_weight is [0.0]", |s| {
                s.class_weight = ClassWeight::Of([("true".to_owned(), 0.0)].into());
            }),
            ("class_weight is [1e-308, 1e308]", |s| {
                let weights = [("false".to_owned(), 1e-308), ("true".to_owned(), 1e308)];
                s.class_weight = ClassWeight::Of(weights.into());
            }),
        ];
        for (expected, break_it) in broken {
            let mut settings = TrainSettings::default();
            break_it(&mut settings);
            let message = settings.check().unwrap_err().to_string();
            assert!(message.starts_with(&format!("setting {expected}, but ")), "{message}");
        }
    }

    #[test]
    fn unknown_settings_are_refused() {
        assert!(serde_json::from_str::<TrainSettings>(r#"{"sede": 1}"#).is_err());
        let seven: TrainSettings = serde_json::from_str(r#"{"seed": 7}"#).unwrap();
        assert_eq!(seven, TrainSettings { seed: 7, ..TrainSettings::default() });
    }
}

//! What `[model]` says about how a model is trained.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use streamflow_model::{ClassWeight, Search, WeightRule};

use super::flows::length;

/// The most settings that a search tries.
const TRIALS_MOST: usize = 1000;

/// `class_weight`: a rule, or a weight for each class.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassWeightConfig {
    Rule(String),
    Of(BTreeMap<String, f64>),
}

impl ClassWeightConfig {
    /// # Errors
    /// A rule that is none, a weight that is not above 0.
    pub fn read(&self) -> anyhow::Result<ClassWeight> {
        match self {
            Self::Rule(rule) if rule == "balanced" => Ok(ClassWeight::Rule(WeightRule::Balanced)),
            Self::Rule(rule) => bail!(
                "model.class_weight is {rule:?}; expected \"balanced\", or a weight for each class such as {{ true = 3.0, false = 1.0 }}"
            ),
            Self::Of(weights) => {
                let bad = weights.iter().find(|(_, weight)| !(weight.is_finite() && **weight > 0.0));
                if let Some((class, weight)) = bad {
                    bail!("model.class_weight.{class} is {weight}; expected a finite number above 0");
                }
                Ok(ClassWeight::Of(weights.clone()))
            }
        }
    }
}

/// `[model.search]`: how long settings are searched for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchConfig {
    /// Settings that are tried beside the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trials: Option<usize>,
    /// The time after which no more are tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<String>,
}

impl SearchConfig {
    /// What is searched, and for how long where time decides.
    ///
    /// # Errors
    /// Both keys or none, or a value out of range.
    pub fn read(&self) -> anyhow::Result<(Search, Option<Duration>)> {
        match (self.trials, &self.budget) {
            (Some(trials), None) if (1..=TRIALS_MOST).contains(&trials) => Ok((Search::Trials(trials), None)),
            (Some(trials), None) => bail!("model.search.trials is {trials}; expected 1 to {TRIALS_MOST}"),
            (None, Some(budget)) => {
                let budget = length(budget).context("model.search.budget")?;
                if budget.is_zero() {
                    bail!("model.search.budget is no time; expected such as \"2m\"");
                }
                Ok((Search::UntilStopped, Some(budget)))
            }
            _ => bail!(
                "model.search takes either trials = 24, a number of settings, or budget = \"2m\", a length of time"
            ),
        }
    }
}
